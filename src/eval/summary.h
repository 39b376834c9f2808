/* summary.h - what a run over several tasks came to: summary.md for people, summary.json for
 * programs. */
#pragma once

#include "base/opt.h"
#include "base/str.h"
#include "eval/published.h"
#include "eval/run.h"
#include "eval/score.h"

struct summary {
    const char *model;                 /* as it was named */
    const char *engine;                /* "http://... " or "cpu avx512_bf16 bfloat16" */
    const char *const *tasks;          /* [n_tasks] names */
    const struct score *const *scores; /* [n_tasks]; NULL: no answer of the task is stored */
    int n_tasks;
    const struct run_result *run;
    struct published *published;    /* may be NULL */
    const struct opt_group *groups; /* effective parameters */
    int n_groups;
};

void summary_write_markdown(const struct summary *s, struct buf *out);
void summary_write_json(const struct summary *s, struct buf *out);
