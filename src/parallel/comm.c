/* comm.c - the comm of a single rank. */
#include "parallel/comm.h"

#include <string.h>

#include "base/macros.h"

static bool self_all_reduce(struct comm *c UNUSED, float *x UNUSED, size_t n UNUSED,
                            struct err *e UNUSED)
{
    return true;
}

static bool self_all_gather(struct comm *c UNUSED, void *y, const void *x, size_t n_bytes,
                            struct err *e UNUSED)
{
    memmove(y, x, n_bytes);
    return true;
}

static bool self_broadcast(struct comm *c UNUSED, void *host UNUSED, size_t n_bytes UNUSED,
                           struct err *e UNUSED)
{
    return true;
}

static bool self_barrier(struct comm *c UNUSED, struct err *e UNUSED)
{
    return true;
}

static void self_close(struct comm *c UNUSED)
{
}

static const struct comm_ops self_ops = {
    .name = "self",
    .all_reduce = self_all_reduce,
    .all_gather = self_all_gather,
    .broadcast = self_broadcast,
    .barrier = self_barrier,
    .close = self_close,
};

struct comm *comm_self(void)
{
    static struct comm self = {.ops = &self_ops, .rank = 0, .size = 1};

    return &self;
}

void comm_close(struct comm *c)
{
    if (c)
        c->ops->close(c);
}
