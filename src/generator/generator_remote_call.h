/* generator_remote_call.h - one request of a remote generator, and the heap that such requests wait
 * in. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "generator/generator.h"
#include "generator/generator_remote_reply.h"
#include "generator/generator_remote_servers.h"

enum remote_call_state {
    CALL_WAITING, /* for room in the window and a healthy server */
    CALL_RUNNING,
    CALL_RESTING, /* until its next try is due */
    CALL_ENDED,   /* its last event is not handed out yet */
    CALL_HANDED,  /* it is; freed by the next poll */
};

struct remote;

struct remote_call {
    int kind; /* REMOTE_CALL */
    struct remote *owner;
    enum remote_call_state state;
    uint64_t id;
    struct remote_call *prev, *next; /* of all calls of the generator */
    int heap_at;                     /* place in the heap it waits in */
    int64_t rank[3];                 /* waiting: priority, round, submission; resting: due_ms */

    struct buf body;
    size_t n_head;       /* bytes of the body before the limit's value */
    uint64_t prompt_key; /* of model and prompt */
    bool is_chat, wants_deltas, is_clamped;
    bool was_overlong; /* a server has refused it for its length once */
    enum overlong overlong;
    int max_tokens;
    uint64_t seed;
    bool has_seed;
    int64_t submission, priority, round;

    struct remote_server *server;
    struct http_transfer *transfer;
    struct http_head head;
    struct remote_reply reply;
    size_t n_text_told, n_reasoning_told; /* handed out as deltas */
    bool has_news;                        /* it is in its generator's list of news */
    int n_attempts, n_retries, n_unreachable;
    int64_t rested_for_refusals_ms;

    struct gen_event event; /* the last one */
    struct err err;
};

struct remote_call *remote_call_open(void);
void remote_call_close(struct remote_call *c);

/* The least rank first. */
struct remote_heap {
    struct remote_call **items;
    int n, cap;
};

void remote_heap_push(struct remote_heap *h, struct remote_call *c);
struct remote_call *remote_heap_first(const struct remote_heap *h); /* NULL: empty */
void remote_heap_remove(struct remote_heap *h, struct remote_call *c);
void remote_heap_clear(struct remote_heap *h);
