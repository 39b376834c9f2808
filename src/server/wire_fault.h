/* wire_fault.h - faults of the wire, played on one answer for clients to be tested against.
 *
 * The generator names the fault (see struct server_faults); this file knows how a server
 * misbehaves. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "net/http_server.h"

enum wire_fault {
    WIRE_NONE,
    WIRE_429,
    WIRE_429_RETRY_AFTER,
    WIRE_500,
    WIRE_503,
    WIRE_RESET_BEFORE,
    WIRE_RESET_INSIDE,
    WIRE_RESET_AFTER,
    WIRE_CLOSE_BEFORE,
    WIRE_STALL,
    WIRE_STALL_BEFORE,
    WIRE_TRICKLE,
    WIRE_HALF_UTF8,
    WIRE_MALFORMED,
    WIRE_TRUNCATED,
    WIRE_STREAM_ERROR,
};

/* NULL and names that are not on the list: WIRE_NONE. */
enum wire_fault wire_fault_find(const char *name);

/* Whether the fault is the whole answer, so that nothing needs to be generated; then it is given.
 */
bool wire_fault_answers(enum wire_fault f, bool is_stream, struct http_exchange *x);
/* Before the answer begins. body_len is 0 for a stream. */
void wire_fault_arm(enum wire_fault f, struct http_exchange *x, size_t body_len);
/* Spoils a body, or one event of a stream: n_event counts them from 0. */
void wire_fault_spoil(enum wire_fault f, struct buf *bytes, int n_event);
/* Whether the stream is to end with an error object after this event. */
bool wire_fault_ends_stream(enum wire_fault f, int n_event);
