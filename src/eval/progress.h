/* progress.h - how far a run is: one line that is drawn anew on a terminal, a plain line every 30 s
 * anywhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct gen_stats;
struct run_result;

struct progress {
    int fd;
    bool is_terminal, is_shown;
    int64_t began_ms, shown_ms, sampled_ms;
    uint64_t n_tokens_sampled;
    double tokens_per_s; /* smoothed over about half a minute */
    int64_t n_answers;   /* that told their length */
    int64_t n_answer_tokens;
};

void progress_init(struct progress *p, int fd, int64_t now_ms);
void progress_answer(struct progress *p, int n_completion_tokens); /* -1: not told */
bool progress_is_due(const struct progress *p, int64_t now_ms);
void progress_show(struct progress *p, const struct run_result *r, const struct gen_stats *s,
                   int64_t now_ms);
void progress_hide(struct progress *p); /* before other lines are written */

/* The line itself. */
void progress_line(const struct progress *p, const struct run_result *r, const struct gen_stats *s,
                   int64_t now_ms, struct buf *out);

/* Milliseconds as "42 s", "17 min", "3.4 h". */
void progress_duration(struct buf *out, int64_t ms);
