/* comm_mpi.c - ranks as processes under mpirun, where the build finds MPI.
 *
 * MPI may choose the algorithm, and so the order, of a reduction by message size. So a sum is
 * gathered and added here, by the tree of comm.h. */
#include "parallel/comm.h"

#include <stdlib.h>

#if HAVE_MPI

#include <mpi.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"

struct mpi_comm {
    struct comm base; /* first */
    float *gathered;  /* grows to the largest sum */
    size_t n_gathered;
};

static bool check(int rc, const char *what, struct err *e)
{
    char text[MPI_MAX_ERROR_STRING];
    int len = 0;

    if (rc == MPI_SUCCESS)
        return true;
    MPI_Error_string(rc, text, &len);
    return err_set(e, ERR_IO, "%s: %.*s", what, len, text);
}

static float tree_at(const float *x, size_t n, int size, size_t i)
{
    float level[8];

    for (int r = 0; r < size; r++)
        level[r] = x[(size_t)r * n + i];
    for (int width = size; width > 1; width /= 2)
        for (int r = 0; r < width / 2; r++)
            level[r] = level[2 * r] + level[2 * r + 1];
    return level[0];
}

static bool mpi_all_reduce(struct comm *c, float *x, size_t n, struct err *e)
{
    struct mpi_comm *m = (struct mpi_comm *)c;

    if (m->n_gathered < n) {
        free(m->gathered);
        m->gathered = xmalloc(n * (size_t)c->size * sizeof(float));
        m->n_gathered = n;
    }
    if (!check(MPI_Allgather(x, (int)n, MPI_FLOAT, m->gathered, (int)n, MPI_FLOAT, MPI_COMM_WORLD),
               "MPI_Allgather", e))
        return false;
    for (size_t i = 0; i < n; i++)
        x[i] = tree_at(m->gathered, n, c->size, i);
    return true;
}

static bool mpi_all_gather(struct comm *c UNUSED, void *y, const void *x, size_t n_bytes,
                           struct err *e)
{
    return check(
        MPI_Allgather(x, (int)n_bytes, MPI_BYTE, y, (int)n_bytes, MPI_BYTE, MPI_COMM_WORLD),
        "MPI_Allgather", e);
}

static bool mpi_broadcast(struct comm *c UNUSED, void *host, size_t n_bytes, struct err *e)
{
    return check(MPI_Bcast(host, (int)n_bytes, MPI_BYTE, 0, MPI_COMM_WORLD), "MPI_Bcast", e);
}

static bool mpi_barrier(struct comm *c UNUSED, struct err *e)
{
    return check(MPI_Barrier(MPI_COMM_WORLD), "MPI_Barrier", e);
}

static void mpi_close(struct comm *c)
{
    struct mpi_comm *m = (struct mpi_comm *)c;

    MPI_Finalize();
    free(m->gathered);
    free(m);
}

static const struct comm_ops mpi_ops = {
    .name = "mpi",
    .all_reduce = mpi_all_reduce,
    .all_gather = mpi_all_gather,
    .broadcast = mpi_broadcast,
    .barrier = mpi_barrier,
    .close = mpi_close,
};

struct comm *comm_mpi_open(struct err *e)
{
    struct mpi_comm *m;
    int provided, rank, size;

    if (!check(MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread", e))
        return NULL;
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (!check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank", e) ||
        !check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size", e))
        return NULL;
    if (provided < MPI_THREAD_SERIALIZED || (size != 1 && size != 2 && size != 4 && size != 8)) {
        err_set(e, ERR_INPUT, "mpirun started %d processes; 1, 2, 4 or 8 can share a model", size);
        MPI_Finalize();
        return NULL;
    }
    m = xcalloc(1, sizeof(*m));
    m->base = (struct comm){.ops = &mpi_ops, .rank = rank, .size = size};
    return &m->base;
}

#else

struct comm *comm_mpi_open(struct err *e)
{
    err_set(e, ERR_UNSUPPORTED,
            "this build has no MPI; --tensor_parallel_size N uses threads instead");
    return NULL;
}

#endif

bool comm_mpi_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMI_SIZE") != NULL;
}
