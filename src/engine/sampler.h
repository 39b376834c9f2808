/* sampler.h - from a row of logits to a token: the definition that every device's `sample` must
 * meet.
 *
 * The order of the steps is that of vLLM's V1 sampler: a grammar's mask, allowed ids, bad words,
 * min_tokens, logit bias, penalties, greedy or temperature, min_p, top_k, top_p, draw. The draw is
 * Gumbel-max with noise by name (noise.h): the likeliest of logit / temperature + noise over the
 * survivors, ties to the lower id. Log-probabilities are those of whichever row they are asked of:
 * the untouched logits, or what the steps have made of them.
 *
 * A sampler is scratch memory for one thread; rows are independent, and no call but open allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct token_seq {
    const int32_t *ids;
    int n;
};

struct sample_params {
    float temperature;        /* below 1e-5: greedy; between that and 0.01 it counts as 0.01 */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    int top_k;                /* 0 or less: off */
    float repetition_penalty; /* 1: off; of ids in prompt or output */
    float presence_penalty, frequency_penalty; /* 0: off; of ids in the output */
    uint64_t seed;                             /* this sample's own */
    int min_tokens;                            /* until so many are drawn, stop_ids cannot be */
    const int32_t *stop_ids;
    int n_stop_ids;
    const int32_t *bias_ids;
    const float *bias;
    int n_bias;
    const int32_t *allowed_ids;
    int n_allowed_ids;                 /* 0: all */
    const struct token_seq *bad_words; /* the last id of one cannot follow the others */
    int n_bad_words;
};

/* What was said before the token to be drawn; ids are below vocab_size. */
struct sample_history {
    const int32_t *token_ids;
    int n_prompt, n_tokens;
    const uint64_t *mask; /* bits of the tokens that a grammar allows; NULL: all */
};

struct sampler;

struct sampler *sampler_open(int vocab_size);
void sampler_close(struct sampler *s); /* NULL is fine */

uint64_t *sampler_mask(struct sampler *s); /* scratch for a history's mask; vocab_size bits */

/* The token drawn, or -1: nothing survived, because all was forbidden or the logits are not
 * numbers. */
int32_t sampler_draw(struct sampler *s, const struct sample_params *p,
                     const struct sample_history *h, const float *logits);

/* Steps up to top_p: ids[0..n) survive, with logits[0..n) after penalties and temperature, in no
 * order. Arrays hold vocab_size entries. */
int sampler_survivors(struct sampler *s, const struct sample_params *p,
                      const struct sample_history *h, const float *logits, int32_t *ids,
                      float *scaled);

/* The row that the draw chooses from: logits after all steps up to top_p, -infinity for what did
 * not survive; greedy: after the penalties, without temperature or filters. [V], good until the
 * next call on this sampler other than for logprobs. */
const float *sampler_processed(struct sampler *s, const struct sample_params *p,
                               const struct sample_history *h, const float *logits);

/* The logprobs of one row: a token's own with its rank (how many are at least as likely), and
 * those of n_top others. */
struct row_logprobs {
    float logprob;
    int rank;     /* 1: the likeliest */
    bool is_best; /* the likeliest, of equal ones the lowest id */
    int n_top;
    int32_t *top_ids; /* [n_top], the caller's */
    float *top_logprobs;
};

/* The others are the n_top likeliest, ties to the lower id. */
void sampler_logprobs(struct sampler *s, const float *logits, int32_t token_id, int n_top,
                      struct row_logprobs *out);
/* The others are those of out->top_ids[0..out->n_top), which the caller has filled. */
void sampler_logprobs_of_ids(const struct sampler *s, const float *logits, int32_t token_id,
                             struct row_logprobs *out);
