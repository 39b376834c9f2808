/* thread.h - a pool of workers for loops whose parts take microseconds.
 *
 * The caller of pool_for is worker 0 and works too. Helpers spin for a moment after a loop, since
 * the next one usually follows at once, and then sleep on a futex; a caller that waits for the last
 * part does the same, so nobody spins longer than the work takes. Which worker takes which part is
 * not fixed: a part must compute the same bits whoever takes it.
 *
 * pool_for belongs to one thread at a time (the one that runs the model); it does not nest. Every
 * worker flushes denormal numbers to zero (FTZ and DAZ), and so does a thread that calls
 * thread_flush_denormals. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct pool;

/* n_threads includes the caller; 0 takes as many as this process may run on. */
struct pool *pool_open(int n_threads, struct err *e) MUST_CHECK;
void pool_close(struct pool *p); /* NULL is fine */
int pool_size(const struct pool *p);

/* Calls fn(ctx, part, worker) once for every part in [0, n_parts), worker in [0, pool_size), and
 * returns when all are done. All writes of the parts are visible to the caller afterwards. */
typedef void pool_fn(void *ctx, int part, int worker);
void pool_for(struct pool *p, int n_parts, pool_fn *fn, void *ctx);

int thread_n_cpus(void); /* that this process may run on */
/* Sets flush-to-zero and denormals-are-zero in the calling thread; false: this CPU has no such
 * mode. */
bool thread_flush_denormals(void);
