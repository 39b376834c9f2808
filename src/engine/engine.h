/* engine.h - sequences in, tokens out: the step loop over a model.
 *
 * Each step plans tokens for as many sequences as fit (scheduler.h), runs the model once, and draws
 * a token for every sequence that has caught up (sampler.h). What a sequence says follows from its
 * prompt, its parameters and its seed alone: not from what runs beside it, nor from chunks, cache
 * hits, preemptions or threads.
 *
 * The engine knows token ids, not text: whoever turns tokens into text looks at each step's outputs
 * and may end a sequence (engine_stop) before the next step. One thread owns an engine. After open
 * and add, a step allocates nothing, but for what grammars remember within their bounds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"
#include "engine/seq.h"
#include "engine/thinking.h"
#include "grammar/grammar.h"
#include "model/model.h"

enum engine_finish {
    ENGINE_RUNNING,
    ENGINE_EOS,        /* an end-of-sequence id */
    ENGINE_STOP_TOKEN, /* one of the request's stop_token_ids: stop_token_id says which */
    ENGINE_STOPPED,    /* by engine_stop: a stop string */
    ENGINE_LENGTH,     /* max_tokens or max_model_len */
    ENGINE_SCORED,     /* a score is complete */
    ENGINE_CANCELLED,  /* by engine_stop */
    ENGINE_EXHAUSTED,  /* no KV blocks left although alone */
    ENGINE_NO_TOKEN,   /* all tokens were forbidden, or the logits are not numbers, or the grammar
                          knows no token: see verdict */
};

struct engine_limits {
    int max_num_seqs;
    int max_num_batched_tokens; /* at most what the model was opened with */
    int max_logits;             /* as the model was opened with */
    double memory_utilization;  /* share of the memory left that the cache may take */
    int n_blocks; /* of the cache, scratch included; 0: as many as fit and are of use */
    bool has_prefix_cache;
    int reserve_tokens;      /* room kept for each running sequence at admission */
    int n_threads;           /* for drawing; 0: as many as this process may use */
    bool processed_logprobs; /* drawn tokens' logprobs are of what the draw chooses from, not raw */
    int aging_steps; /* steps that a sequence waits for before it joins a better class; 0: never */
    int max_chunk;   /* tokens of one sequence in one step; 0: what is best */
};

struct engine_request {
    uint64_t id;
    const int32_t *prompt_ids; /* copied; all below vocab_size */
    int n_prompt;
    int max_tokens; /* 0: what max_model_len leaves; more than that is cut to it */
    bool is_score;  /* only the prompt's logprobs from logprobs_start on */
    int n_logprobs; /* alternatives per drawn token; -1: no logprobs */
    const int32_t *logprob_token_ids; /* with n_logprobs >= 0: these are the alternatives; copied */
    int n_logprob_token_ids;          /* 0: the likeliest are */
    int n_prompt_logprobs;            /* the same for the prompt's; -1: none */
    int logprobs_start; /* first prompt position wanted; 0 counts as 1: position 0 follows nothing
                         */
    bool ignore_eos;
    const int32_t *stop_token_ids;
    int n_stop_token_ids;
    struct sample_params
        params; /* its stop_ids are set by the engine; everything it points to is copied */
    struct grammar *grammar; /* what the output must look like; NULL: anything. Borrowed until
                                engine_release; sequences may share one */
    struct thinking_limit thinking; /* its ids are below vocab_size */
    int priority, round;
    void *user;
};

/* Logprobs of consecutive tokens: row i belongs to the token `first + i`. */
struct logprob_table {
    int first, n, cap, n_top;
    float *logprob;
    int *rank;
    int32_t *top_ids; /* [cap, n_top] */
    float *top_logprobs;
};

struct engine_seq {
    struct seq *seq;
    struct sample_params params;
    enum engine_finish finish;
    int32_t stop_token_id; /* -1: none */
    bool ignore_eos;
    struct logprob_table output, prompt;
    struct thinking thinking;
    double score;               /* sum of the prompt's logprobs from logprobs_start on */
    bool is_greedy;             /* each of them was the likeliest */
    const int32_t *logprob_ids; /* the alternatives asked for; NULL: the likeliest */
    int32_t *stop_ids;
    int n_stop_ids, n_own_stop_ids; /* own ones first, then the model's end-of-sequence ids */
    struct grammar *grammar;
    struct grammar_cursor cursor;
    enum grammar_verdict verdict;
    struct arena *memory;
    void *user;
};

struct engine_stats {
    struct sched_stats sched;
    int n_blocks, n_blocks_used, n_blocks_peak, block_tokens;
    uint64_t n_steps, n_prefill_tokens, n_decode_tokens, n_drawn;
    int64_t forward_us, draw_us;
};

struct engine;

/* Sizes the cache and everything else. Refuses, saying what was needed, what there is and which
 * flags help, when one sequence of max_model_len would not fit. The model is borrowed. */
struct engine *engine_open(struct model *m, const struct engine_limits *l,
                           struct err *e) MUST_CHECK;
void engine_close(struct engine *g); /* NULL is fine; releases all sequences */

/* ERR_INPUT when the prompt leaves no room for a token. The handle is good until engine_release. */
struct engine_seq *engine_add(struct engine *g, const struct engine_request *r,
                              struct err *e) MUST_CHECK;

/* One step. outputs: the sequences that have a new token or are finished, good until the next call.
 * False: the model failed, and the engine with it. *n_outputs 0 and nothing running or waiting:
 * idle. */
bool engine_step(struct engine *g, struct engine_seq ***outputs, int *n_outputs,
                 struct err *e) MUST_CHECK;
bool engine_is_idle(const struct engine *g);

void engine_stop(struct engine *g, struct engine_seq *s,
                 enum engine_finish why);                    /* no effect once finished */
void engine_release(struct engine *g, struct engine_seq *s); /* finished or not; frees it */

/* Takes the blocks of a running sequence away, as want of blocks would: number `which`, counted
 * around. For tests. */
void engine_preempt_any(struct engine *g, uint32_t which);

void engine_stats(const struct engine *g, struct engine_stats *out);
/* Walks all block and queue state; for tests. */
bool engine_check(const struct engine *g, struct err *e) MUST_CHECK;
