/* comm_threads.c - ranks as threads of one process.
 *
 * Ranks publish pointers to their buffers, meet, work on each other's memory, and meet again. In a
 * sum rank r adds the r-th slice of all buffers and writes it back to all of them: no slice has two
 * writers, and its order of addition is the tree over ranks, so the bits are the same each time. */
#include "parallel/comm.h"

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"

enum { MAX_RANKS = 8, SPINS = 2000 };

struct group {
    int size;
    _Atomic int n_open; /* ends not closed yet; the last one frees the group */
    _Atomic int n_arrived;
    _Atomic uint32_t generation; /* of the meeting point; futex */
    const void *in[MAX_RANKS];   /* published before a meeting, read after it */
    void *out[MAX_RANKS];
};

struct thread_comm {
    struct comm base; /* first */
    struct group *group;
};

/* Nobody leaves before all have arrived. Spins for a moment, then sleeps: ranks may outnumber CPUs.
 */
static void meet(struct group *g)
{
    uint32_t generation = atomic_load(&g->generation);

    if (atomic_fetch_add(&g->n_arrived, 1) + 1 == g->size) {
        atomic_store(&g->n_arrived, 0);
        atomic_fetch_add(&g->generation, 1);
        syscall(SYS_futex, &g->generation, FUTEX_WAKE_PRIVATE, MAX_RANKS, NULL, NULL, 0);
        return;
    }
    for (int i = 0; i < SPINS; i++)
        if (atomic_load(&g->generation) != generation)
            return;
    while (atomic_load(&g->generation) == generation)
        syscall(SYS_futex, &g->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
}

static struct group *group_of(struct comm *c)
{
    return ((struct thread_comm *)c)->group;
}

static float tree_at(float *const *x, int size, size_t i)
{
    switch (size) {
    case 2:
        return x[0][i] + x[1][i];
    case 4:
        return (x[0][i] + x[1][i]) + (x[2][i] + x[3][i]);
    case 8:
        return ((x[0][i] + x[1][i]) + (x[2][i] + x[3][i])) +
               ((x[4][i] + x[5][i]) + (x[6][i] + x[7][i]));
    default:
        return x[0][i];
    }
}

static bool threads_all_reduce(struct comm *c, float *x, size_t n, struct err *e UNUSED)
{
    struct group *g = group_of(c);
    float *all[MAX_RANKS];
    size_t first, last;

    g->out[c->rank] = x;
    meet(g);
    for (int r = 0; r < g->size; r++)
        all[r] = g->out[r];
    first = n * (size_t)c->rank / (size_t)g->size;
    last = n * ((size_t)c->rank + 1) / (size_t)g->size;
    for (size_t i = first; i < last; i++) {
        float sum = tree_at(all, g->size, i);

        for (int r = 0; r < g->size; r++)
            all[r][i] = sum;
    }
    meet(g);
    return true;
}

static bool threads_all_gather(struct comm *c, void *y, const void *x, size_t n_bytes,
                               struct err *e UNUSED)
{
    struct group *g = group_of(c);

    g->in[c->rank] = x;
    meet(g);
    for (int r = 0; r < g->size; r++)
        memcpy((char *)y + (size_t)r * n_bytes, g->in[r], n_bytes);
    meet(g);
    return true;
}

static bool threads_broadcast(struct comm *c, void *host, size_t n_bytes, struct err *e UNUSED)
{
    struct group *g = group_of(c);

    if (c->rank == 0)
        g->in[0] = host;
    meet(g);
    if (c->rank != 0)
        memcpy(host, g->in[0], n_bytes);
    meet(g);
    return true;
}

static bool threads_barrier(struct comm *c, struct err *e UNUSED)
{
    meet(group_of(c));
    return true;
}

static void threads_close(struct comm *c)
{
    struct group *g = group_of(c);

    if (atomic_fetch_sub(&g->n_open, 1) == 1)
        free(g);
    free(c);
}

static const struct comm_ops threads_ops = {
    .name = "threads",
    .all_reduce = threads_all_reduce,
    .all_gather = threads_all_gather,
    .broadcast = threads_broadcast,
    .barrier = threads_barrier,
    .close = threads_close,
};

bool comm_threads_open(int n, struct comm **ranks, struct err *e)
{
    struct group *g;

    if (n != 1 && n != 2 && n != 4 && n != 8)
        return err_set(e, ERR_INPUT, "%d ranks; 1, 2, 4 or 8 can be summed by a binary tree", n);
    g = xcalloc(1, sizeof(*g));
    g->size = n;
    atomic_store(&g->n_open, n);
    for (int r = 0; r < n; r++) {
        struct thread_comm *c = xcalloc(1, sizeof(*c));

        *c = (struct thread_comm){.base = {.ops = &threads_ops, .rank = r, .size = n}, .group = g};
        ranks[r] = &c->base;
    }
    return true;
}
