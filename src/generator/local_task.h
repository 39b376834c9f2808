/* local_task.h - one request of the local generator, from submit to its last event, and those
 * events.
 *
 * submit makes a task on the caller's thread; then the engine's thread owns it, until its last
 * event takes it back to the caller's. */
#pragma once

#include "base/arena.h"
#include "engine/engine.h"
#include "generator/generator.h"
#include "generator/local_prompt.h"
#include "generator/local_text.h"
#include "grammar/grammar_cache.h"

struct local_task {
    uint64_t id;
    struct arena memory;
    struct engine_request request; /* everything it points to lives in memory */
    struct local_text text;
    struct grammar_cache *grammars; /* request.grammar goes back to it */
    struct engine_seq *seq;         /* NULL before the engine took it */
    int n_context;                  /* score: prompt tokens that are context */
    int max_tokens;                 /* effective */
    int n_truncated;                /* prompt tokens cut off, as truncate_prompt_tokens asks */
    bool is_clamped, streams, include_stop;
    int n_emitted; /* tokens that deltas have brought */
    int64_t submitted_us, first_us;
    enum fail_class fail_class; /* FAIL_NONE: none */
    int http_status;
    struct err err;
    struct local_task *prev, *next;
};

/* What an event needs beyond the task. */
struct local_source {
    const struct tokenizer *tokenizer;
    const char *model_name;
};

struct local_event {
    struct gen_event ev;
    struct arena memory;     /* of a delta */
    struct local_task *task; /* of the last event: freed with it */
    struct local_event *next;
};

/* A task of a copied request. Always makes one: a request that cannot run has its fail_class set.
 */
struct local_task *local_task_open(const struct local_prompt *p, struct grammar_cache *grammars,
                                   const struct gen_request *r, int max_model_len,
                                   uint64_t own_seed) MUST_CHECK;
void local_task_close(struct local_task *t); /* its sequence must be released */
void local_task_fail(struct local_task *t, enum fail_class c, int http_status, const char *words);

/* New text and tokens as a delta; NULL: nothing to show yet. */
struct local_event *local_event_delta(struct local_task *t, const struct local_source *src,
                                      bool is_finished);
/* The last event; takes the task. Its sequence must still be there, unless it failed before it had
 * one. */
struct local_event *local_event_last(struct local_task *t, const struct local_source *src);
void local_event_close(struct local_event *ev);
