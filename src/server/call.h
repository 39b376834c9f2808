/* call.h - one API request in flight: its choices, from the waist's events to bytes on the wire.
 *
 * Owned by the generator's thread from call_start on. Each choice is one request at the waist; its
 * id there is the address of its struct sub, which lives until the id has ended. */
#pragma once

#include <stdatomic.h>

#include "net/http_server.h"
#include "server/api.h"
#include "server/metrics.h"
#include "server/reasoning.h"
#include "server/render.h"
#include "server/wire_fault.h"

struct sub { /* one choice */
    struct call *call;
    int index;
    bool is_submitted, has_ended, has_role;
    struct reasoning_split split;
    size_t n_sent;     /* bytes of its text that went through the split */
    int n_logprobs;    /* tokens whose logprobs were sent */
    size_t n_chars;    /* text_offset of the next token */
    int n_tokens;      /* so far */
    int64_t last_us;   /* when its last token came; 0: none yet */
    struct buf choice; /* the finished choice as JSON, when not streamed */
};

struct call {
    struct http_exchange *x;
    struct api_request req;
    struct sub *subs;
    int n_submitted, n_ended, n_events;
    char id[160];
    struct render_head head;
    enum reasoning_parser parser;
    enum wire_fault fault;
    struct str wanted_fault; /* the header's, in the request's arena */
    bool has_begun;          /* the stream's headers are out */
    bool is_settled;         /* the answer is complete or hopeless; events are only counted */
    struct render_usage usage;
    struct buf extras;                      /* fields beside the choices */
    struct buf scratch, content, reasoning; /* kept for their memory */
    struct buf prefix;                      /* what every chunk begins with */
    int64_t started_us;
    struct metrics *metrics;
    const struct generator *text; /* for token ids to text; NULL: none */

    bool is_gone; /* guarded by the server's lock: the client went */
    bool is_listed;
    struct call *next, *prev; /* the server's lists */
    struct call *next_gone;
};

/* x is held by the call. Takes *req over. */
struct call *call_open(struct http_exchange *x, struct api_request *req,
                       enum reasoning_parser parser, struct metrics *metrics);
void call_close(struct call *c); /* does not release x */

/* The event of one of its choices. */
void call_take(struct call *c, struct sub *s, const struct gen_event *ev);
/* Answers with an error: by status, or inside the stream if that has begun. Settles the call. */
void call_fail(struct call *c, const struct api_error *err);
bool call_is_over(const struct call *c); /* every choice that was submitted has ended */
