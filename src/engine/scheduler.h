/* scheduler.h - which sequences get how many tokens in the next step.
 *
 * There is no prefill phase and no decode phase: each sequence has computed some of its tokens, and
 * a step gives it more until it has caught up, at most max_num_batched_tokens over all. Pure logic
 * over block numbers: no device is touched.
 *
 *   (new) --add--> WAITING --plan--> RUNNING --finish--> FINISHED
 *                     ^   no blocks     |                   ^
 *                     +--(preempted)----+        finish from any state
 *
 * A preempted sequence keeps its tokens, gives its blocks back and computes them again later.
 * Order of service: priority, then round, then arrival. With aging, a sequence that waits for long
 * while better classes are served joins the next better one that has somebody waiting, and so on
 * until it is served: no class starves. Within one plan no sequence overtakes
 * another for want of blocks; only those that wait for a running twin to compute their common
 * prefix are passed by. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/kv_pool.h"
#include "engine/seq.h"

struct sched_limits {
    int max_num_seqs;           /* running at once */
    int max_num_batched_tokens; /* of one step, over all sequences */
    int max_chunk;              /* of one step, of one sequence; 0: half the above */
    int reserve_tokens; /* room kept for each running sequence when another is admitted; 0: none */
    int aging_steps; /* plans that a sequence waits for before it joins a better class; 0: never */
    bool has_prefix_cache;
    struct hash128 hash_root; /* of the model: equal tokens under another model are other content */
};

/* What one sequence does in a step. */
struct plan_item {
    struct seq *q;
    int start, n_tokens; /* computes positions [start, start + n_tokens) */
    int n_rows;    /* of the last positions of the chunk: logits wanted for the prompt's logprobs */
    bool draws;    /* a token is to be drawn from the last position */
    int first_row; /* index of its first row among the logits of the step; -1: none */
    int fork_of;   /* item whose last row this one draws from, computing nothing; -1: none */
};

struct plan {
    struct plan_item *items; /* in service order; a fork comes after its leader */
    int n_items, n_tokens, n_rows;
    int32_t *copies; /* pairs of blocks to copy before the step: from, to */
    int n_copies;
    struct seq *
        exhausted; /* alone, and without room: to be finished; NULL as long as goals fit the pool */
};

struct sched_stats {
    int n_running, n_waiting;
    uint64_t n_preemptions, n_preempted_tokens; /* tokens to be computed again */
    uint64_t n_prefix_queries,
        n_prefix_hits; /* prompt tokens of admitted sequences; found in the cache */
    uint64_t n_forks, n_copied_blocks;
    uint64_t n_promotions; /* by aging */
    double
        expected_output; /* tokens of a finished sequence, moving average; 0: none finished yet */
};

struct scheduler;

/* The pool is borrowed. Sizes everything for the limits: plan and commit allocate nothing. */
struct scheduler *scheduler_open(const struct sched_limits *l, struct kv_pool *pool);
void scheduler_close(
    struct scheduler *s); /* NULL is fine; lets go of all sequences, which stay the caller's */

/* The sequence stays the caller's and must live until it is FINISHED. Its goal must fit the pool.
 */
void scheduler_add(struct scheduler *s, struct seq *q);

/* The next step, good until the next call on this scheduler; NULL: no sequences. Nothing may be
 * added or finished between plan and commit. */
const struct plan *scheduler_plan(struct scheduler *s);

/* The step has run: chunks are computed, full blocks become known to others. Then append or finish.
 */
void scheduler_commit(struct scheduler *s, const struct plan *plan);

/* Lets go of a sequence in any state; its blocks go back to the pool. */
void scheduler_finish(struct scheduler *s, struct seq *q);

/* Takes the blocks of a running sequence away, as want of blocks would; tests force it. */
void scheduler_preempt(struct scheduler *s, struct seq *q);

struct seq *scheduler_running(const struct scheduler *s); /* first of the list; follow next */
struct seq *scheduler_waiting(const struct scheduler *s);
void scheduler_stats(const struct scheduler *s, struct sched_stats *out);

/* Walks everything and says what is broken; for tests and debug builds. */
bool scheduler_check(const struct scheduler *s, struct err *e) MUST_CHECK;
