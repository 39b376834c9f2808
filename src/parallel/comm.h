/* comm.h - ranks and collectives.
 *
 * A comm is one rank's end of a group. Every call is collective: all ranks make the same calls in
 * the same order, each from the one thread that owns its comm. Sums are made by a fixed binary tree
 * over ranks in order, ((0+1)+(2+3)), so that they give the same bits at any size when each rank
 * brings the sum of its share of a row's segments (level D4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct comm;

struct comm_ops {
    const char *name; /* "self", "threads", "mpi" */
    bool (*all_reduce)(struct comm *c, float *x, size_t n, struct err *e);
    bool (*all_gather)(struct comm *c, void *y, const void *x, size_t n_bytes, struct err *e);
    bool (*broadcast)(struct comm *c, void *host, size_t n_bytes, struct err *e);
    bool (*barrier)(struct comm *c, struct err *e);
    void (*close)(struct comm *c);
};

struct comm {
    const struct comm_ops *ops;
    int rank, size;
};

struct comm *comm_self(void); /* the only rank; close is a no-op */

/* n ranks as threads of this process; ranks[i] is for the thread that plays rank i. Close each. */
bool comm_threads_open(int n, struct comm **ranks, struct err *e) MUST_CHECK;

/* This process's rank under mpirun; NULL with ERR_UNSUPPORTED where the build has no MPI. Call it
 * once, from the thread that will use it. */
struct comm *comm_mpi_open(struct err *e) MUST_CHECK;
bool comm_mpi_launched(void); /* true under mpirun */

void comm_close(struct comm *c); /* NULL is fine */

/* x[n] becomes the sum over ranks. */
static inline bool comm_all_reduce(struct comm *c, float *x, size_t n, struct err *e)
{
    return c->ops->all_reduce(c, x, n, e);
}

/* y = the n_bytes of rank 0, then of rank 1, ... */
static inline bool comm_all_gather(struct comm *c, void *y, const void *x, size_t n_bytes,
                                   struct err *e)
{
    return c->ops->all_gather(c, y, x, n_bytes, e);
}

static inline bool comm_broadcast(struct comm *c, void *host, size_t n_bytes,
                                  struct err *e) /* from rank 0 */
{
    return c->ops->broadcast(c, host, n_bytes, e);
}

static inline bool comm_barrier(struct comm *c, struct err *e)
{
    return c->ops->barrier(c, e);
}
