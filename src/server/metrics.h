/* metrics.h - what /metrics shows, in the Prometheus text format under vLLM's names. Any thread. */
#pragma once

#include <pthread.h>

#include "base/str.h"
#include "generator/generator.h"

#define METRIC_BUCKETS 20

struct histogram {
    const double *bounds; /* upper bounds, rising; the last bucket is +Inf */
    int n_bounds;
    uint64_t counts[METRIC_BUCKETS + 1];
    uint64_t n;
    double sum;
};

struct metrics {
    pthread_mutex_t lock;
    /* guarded by lock: */
    struct gen_stats gen; /* as the generator's thread last saw it */
    uint64_t n_prompt_tokens, n_generation_tokens;
    uint64_t n_success[FINISH_OTHER + 1];
    uint64_t n_truncated_tokens; /* prompt tokens cut off because the client asked for it */
    uint64_t n_rejected;         /* 503 for a full queue */
    struct histogram first_token, between_tokens, request;
};

void metrics_init(struct metrics *m);
void metrics_clear(struct metrics *m);
void metrics_first_token(struct metrics *m, double seconds);
void metrics_between_tokens(struct metrics *m, double seconds);
void metrics_finished(struct metrics *m, enum finish_reason why, int n_prompt, int n_completion,
                      double seconds);
void metrics_truncated(struct metrics *m, int n_tokens);
void metrics_rejected(struct metrics *m);
void metrics_generator(struct metrics *m, const struct gen_stats *gen);
void metrics_write(struct metrics *m, struct str model, struct buf *out);
