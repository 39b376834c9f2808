/* run_summary.c - see run_summary.h. */
#include "eval/run_summary.h"

#include "eval/progress.h"

/* "12 of 1920 (0.6 %)". */
static void add_share(struct buf *out, const char *what, int64_t n, int64_t of)
{
    buf_addf(out, "  %-22s %lld of %lld", what, (long long)n, (long long)of);
    if (of > 0)
        buf_addf(out, " (%.1f %%)", 100.0 * (double)n / (double)of);
    buf_addc(out, '\n');
}

/* "tried again   3 server, 1 over the context", or nothing. */
static void add_classes(struct buf *out, const char *before, const uint64_t n[N_FAIL_CLASSES])
{
    bool is_first = true;

    for (int i = 0; i < N_FAIL_CLASSES; i++) {
        if (n[i] == 0)
            continue;
        buf_addf(out, "%s%llu %s", is_first ? before : ", ", (unsigned long long)n[i],
                 i == FAIL_CONTEXT ? "over the context" : fail_class_name((enum fail_class)i));
        is_first = false;
    }
    if (!is_first)
        buf_addc(out, '\n');
}

void run_summary_failures(struct buf *out, const char *before, const struct run_result *r)
{
    uint64_t n[N_FAIL_CLASSES];

    for (int i = 0; i < N_FAIL_CLASSES; i++)
        n[i] = (uint64_t)r->n_by_class[i];
    add_classes(out, before, n);
}

void run_summary_write(struct buf *out, const struct run_result *r,
                       const struct store_counts *counts, const struct gen_stats *stats)
{
    buf_addf(out, "%lld of %lld samples are stored", (long long)counts->n_rows,
             (long long)r->n_jobs);
    if (r->n_found > 0)
        buf_addf(out, ", %lld of them before this run", (long long)r->n_found);
    buf_addz(out, "\n  time                   ");
    progress_duration(out, r->elapsed_ms);
    buf_addf(out, "\n  %-22s %lld prompt, %lld completion", "tokens of this run",
             (long long)r->n_prompt_tokens, (long long)r->n_completion_tokens);
    if (r->elapsed_ms > 0)
        buf_addf(out, ", %.0f completion tokens/s",
                 (double)r->n_completion_tokens * 1000 / (double)r->elapsed_ms);
    buf_addc(out, '\n');
    add_share(out, "cut at max_tokens", counts->n_truncated, counts->n_rows);
    if (counts->n_clamped > 0)
        add_share(out, "limit clamped", counts->n_clamped, counts->n_rows);
    if (counts->n_empty > 0)
        add_share(out, "empty answers", counts->n_empty, counts->n_rows);
    if (r->n_reasoning_only > 0)
        add_share(out, "reasoning without text", r->n_reasoning_only, r->n_stored);
    add_classes(out, "  tried again            ", stats->n_retries);
    if (r->n_failed > 0)
        buf_addf(out, "  %-22s %lld\n", "failed samples", (long long)r->n_failed);
    run_summary_failures(out, "  failed by              ", r);
}
