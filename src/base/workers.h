/* workers.h - a batch of independent items over forked processes.
 *
 * Each worker is a child of this process and sees its memory as it was at the fork, so `work` reads
 * its input by item number from there and only its answer travels. A worker that dies, or goes over
 * the limit of time or memory, costs the item it was at and nothing else: another is forked in its
 * place. Results come in item order and do not depend on the number of workers.
 *
 * Call it from a process with one thread: a forked child has only the calling thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct workers_opts {
    int n_workers;    /* at least 1 */
    int item_cpu_ms;  /* processor time of one item */
    int item_wall_ms; /* a net below it, for items that sleep or wait; far off, since a machine may
                         stand still */
    size_t max_bytes; /* address space beyond what a worker starts with; 0: no limit */
    size_t max_answer_bytes; /* of one item's answer */
};

struct workers_opts workers_opts_default(
    void); /* as many as processors; 10 s, 600 s, 2 GiB, 16 MiB */

enum worker_outcome {
    WORKER_DONE,
    WORKER_DIED,      /* a signal, an exit, memory out */
    WORKER_OVER_TIME, /* processor or wall time */
};

/* In the child: adds item's answer to out. What it keeps in ctx is the child's own copy and lasts
 * until that child ends. */
typedef void workers_work(void *ctx, size_t item, struct buf *out);

/* In this process, once for each item in order. answer is "" unless outcome is WORKER_DONE, and
 * lives until the call returns. False stops the batch (with *e set). */
typedef bool workers_take(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                          struct err *e);

bool workers_run(const struct workers_opts *o, size_t n_items, workers_work *work,
                 workers_take *take, void *ctx, struct err *e) MUST_CHECK;

const char *worker_outcome_name(enum worker_outcome outcome); /* "worker died", ... */
