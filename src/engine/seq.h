/* seq.h - one sequence: its tokens, how many of them the cache holds, and in which blocks.
 *
 * A sequence is made by engine_add (or a test), planned by the scheduler, and freed by whoever made
 * it once it is finished. Plain data; the engine's thread owns it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/macros.h"

enum seq_state {
    SEQ_WAITING,  /* in the queue; holds no blocks */
    SEQ_RUNNING,  /* holds blocks; gets tokens in every step */
    SEQ_FINISHED, /* the scheduler has let go of it */
};

struct engine_seq; /* the engine's part: sampling parameters, wishes, results */

struct seq {
    uint64_t id;
    enum seq_state state;
    int priority; /* the class asked for; lower first */
    int round;    /* sample index: round 0 of every problem goes before round 1 */

    int32_t *token_ids; /* prompt, then what was drawn; room for max_tokens */
    int n_tokens, n_prompt, max_tokens /* in all, prompt included */;
    int n_computed; /* tokens whose keys and values are in the cache */
    /* First position whose logits are wanted for the prompt's own logprobs; n_prompt - 1: none. It
     * moves on as they are delivered, so that a preempted sequence does not deliver them twice. */
    int next_prompt_row;
    bool is_score; /* nothing is drawn: done when the last but one token is computed */

    int32_t *blocks; /* block table */
    int n_blocks;
    struct hash128 *hashes; /* of the full blocks among the tokens, as far as they were needed */
    int n_hashes;
    struct hash128 extra;       /* what token ids do not say about the prompt; {0, 0} for text */
    struct hash128 prompt_hash; /* of the whole prompt: equal means the same prompt */

    int n_cached; /* prompt tokens that the first admission found in the cache */
    int n_preemptions;

    int class_now;        /* the scheduler's: the priority, or a better one that aging gave it */
    int n_waited;         /* plans that it waited for in this class, the present wait apart */
    uint64_t waits_since; /* plans that had been made when the present wait began */
    uint64_t arrival, admission; /* scheduler's clocks */
    struct seq *prev, *next;     /* the scheduler's queue */
    struct engine_seq *owner;    /* the engine's; NULL in tests of the scheduler */
};

/* A sequence of a copied prompt with room for max_tokens tokens in all. */
struct seq *seq_open(uint64_t id, const int32_t *prompt, int n_prompt, int max_tokens,
                     int block_size) MUST_CHECK;
void seq_close(struct seq *q);                    /* NULL is fine; must hold no blocks */
void seq_append(struct seq *q, int32_t token_id); /* the next step will compute it */

/* Tokens to compute before the sequence needs a decision. */
static inline int seq_goal(const struct seq *q)
{
    return q->is_score ? q->n_prompt - 1 : q->n_tokens;
}
