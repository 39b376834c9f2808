/* run.h - every sample of every problem through one generator into its store.
 *
 * One queue for all tasks of a run, round by round: sample 0 of every problem goes before sample 1,
 * so that a run that is cut short has touched everything. What a store already has is not asked for
 * again. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "eval/run_opts.h"
#include "generator/generator.h"

struct arena;
struct store;

/* Fills in a request, all but its id and round; memory comes from the arena, which lives until the
 * request is submitted. */
typedef bool run_request(void *ctx, int doc, int sample, struct arena *a, struct gen_request *r,
                         struct err *e);

struct run_task {
    struct store *store;
    int n_docs, n_samples;
    run_request *request;
    void *ctx;
    const char *(*doc_name)(void *ctx, int doc); /* for messages */
    /* Called when samples 0 to n_rounds - 1 of every problem are stored: what is finished earlier
     * are the short answers, which are more often right, so that only whole rounds may be scored
     * under way. May be NULL. */
    void (*round_done)(void *ctx, int n_rounds);
};

enum run_end {
    RUN_COMPLETE,    /* every sample was asked for; some may have failed */
    RUN_INTERRUPTED, /* by a signal */
    RUN_STOPPED,     /* too many failures; result->why says which */
    RUN_BROKEN,      /* run_jobs gave an error */
};

struct run_result {
    enum run_end end;
    int64_t n_jobs;  /* samples that the tasks have in all */
    int64_t n_found; /* of these, stored before this run */
    int64_t n_stored, n_failed;
    int64_t n_by_class[N_FAIL_CLASSES];           /* of the failed */
    int64_t n_prompt_tokens, n_completion_tokens; /* of the stored, as far as servers told */
    int64_t n_reasoning_only;                     /* of the stored: no text but reasoning */
    int64_t elapsed_ms;
    char why[256];
};

/* Runs until every job has ended or something stops it; jobs under way are then cancelled and
 * whatever has arrived is stored. False: a store or the generator is broken. *result is filled in
 * any case. */
bool run_jobs(struct run_task *tasks, int n_tasks, const struct run_opts *o, struct generator *g,
              struct run_result *result, struct err *e) MUST_CHECK;

/* From now on SIGINT and SIGTERM stop run_jobs on this generator; a second one ends the process at
 * once with status 130. NULL: the old handling again. */
void run_catch_signals(struct generator *g);
