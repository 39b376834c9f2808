/* progress.c - see progress.h. */
#include "eval/progress.h"

#include <math.h>
#include <unistd.h>

#include "base/log.h"
#include "eval/run.h"
#include "generator/generator.h"

enum { TERMINAL_MS = 500, PLAIN_MS = 30000, SMOOTHING_MS = 30000 };

void progress_init(struct progress *p, int fd, int64_t now_ms)
{
    *p = (struct progress){.fd = fd,
                           .is_terminal = isatty(fd),
                           .began_ms = now_ms,
                           .shown_ms = now_ms,
                           .sampled_ms = now_ms};
}

void progress_answer(struct progress *p, int n_completion_tokens)
{
    if (n_completion_tokens < 0)
        return;
    p->n_answers++;
    p->n_answer_tokens += n_completion_tokens;
}

bool progress_is_due(const struct progress *p, int64_t now_ms)
{
    return now_ms - p->shown_ms >= (p->is_terminal ? TERMINAL_MS : PLAIN_MS);
}

static void sample_rate(struct progress *p, const struct gen_stats *s, int64_t now_ms)
{
    double span = (double)(now_ms - p->sampled_ms), rate, share;

    if (span <= 0)
        return;
    rate = s->n_completion_tokens > p->n_tokens_sampled
               ? (double)(s->n_completion_tokens - p->n_tokens_sampled) / span * 1000
               : 0;
    /* At the beginning the mean of all, later the mean of about SMOOTHING_MS. */
    share = fmax(1 - exp(-span / SMOOTHING_MS), span / (double)(now_ms - p->began_ms));
    p->tokens_per_s += share * (rate - p->tokens_per_s);
    p->n_tokens_sampled = s->n_completion_tokens;
    p->sampled_ms = now_ms;
}

void progress_duration(struct buf *out, int64_t ms)
{
    double s = (double)ms / 1000;

    if (s < 90)
        buf_addf(out, "%.0f s", s);
    else if (s < 90 * 60)
        buf_addf(out, "%.0f min", s / 60);
    else
        buf_addf(out, "%.1f h", s / 3600);
}

/* Milliseconds until the end: by the tokens that are still to come where lengths are told, else by
 * the rate of answers; -1: nothing is known yet. */
static int64_t time_left(const struct progress *p, const struct run_result *r,
                         const struct gen_stats *s, int64_t now_ms)
{
    int64_t n_left = r->n_jobs - r->n_found - r->n_stored - r->n_failed;
    int64_t n_ended = r->n_stored + r->n_failed;

    if (p->n_answers > 0 && p->tokens_per_s > 0) {
        double mean = (double)p->n_answer_tokens / (double)p->n_answers;
        double under_way = (double)s->n_completion_tokens - (double)p->n_answer_tokens;
        double to_come =
            mean * (double)n_left - fmin(fmax(under_way, 0), 0.9 * mean * s->n_running);

        return (int64_t)(fmax(to_come, 0) / p->tokens_per_s * 1000);
    }
    return n_ended > 0 ? (now_ms - p->began_ms) * n_left / n_ended : -1;
}

void progress_line(const struct progress *p, const struct run_result *r, const struct gen_stats *s,
                   int64_t now_ms, struct buf *out)
{
    int64_t left = time_left(p, r, s, now_ms);

    buf_addf(out, "%lld/%lld done, %lld failed, %d in flight",
             (long long)(r->n_found + r->n_stored), (long long)r->n_jobs, (long long)r->n_failed,
             s->n_running);
    if (s->n_waiting > 0)
        buf_addf(out, ", %d waiting", s->n_waiting);
    buf_addf(out, ", %.0f tokens/s", p->tokens_per_s);
    if (left >= 0) {
        buf_addz(out, ", ");
        progress_duration(out, left);
        buf_addz(out, " left");
    }
}

void progress_show(struct progress *p, const struct run_result *r, const struct gen_stats *s,
                   int64_t now_ms)
{
    struct buf line = {0};

    sample_rate(p, s, now_ms);
    p->shown_ms = now_ms;
    progress_line(p, r, s, now_ms, &line);
    if (!p->is_terminal) {
        log_info("%s", buf_z(&line));
    } else {
        dprintf(p->fd, "\r%s\033[K\r", buf_z(&line));
        p->is_shown = true;
    }
    buf_clear(&line);
}

void progress_hide(struct progress *p)
{
    if (p->is_shown)
        dprintf(p->fd, "\r\033[K");
    p->is_shown = false;
}
