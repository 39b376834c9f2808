/* cpu_limits.c - reads a buffer far larger than the caches, and multiplies without reading at all. */
#include "device/cpu/cpu_limits.h"

#include <string.h>
#include <time.h>

#include "device/cpu/cpu_device.h"

enum { READ_BYTES = 256 << 20, READ_PART = 4 << 20, REPEATS = 5 };

/* CPU time of the process over the workers: on a machine of one's own that is the time on the wall, and on
 * a shared one it leaves out what others took. */
static int64_t busy_us(const struct cpu_device *c)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000) / pool_size(c->pool);
}

struct read_job {
    const char *ptr;
    _Atomic uint64_t sum; /* so that reading cannot be left out */
};

static void read_part(void *ctx, int part, int worker UNUSED)
{
    typedef uint64_t words __attribute__((vector_size(64)));
    struct read_job *job = ctx;
    const char *p = job->ptr + (size_t)part * READ_PART;
    words sum[4] = {{0}};

    for (size_t i = 0; i < READ_PART; i += 256)
        for (int j = 0; j < 4; j++) {
            words w;

            memcpy(&w, p + i + (size_t)j * 64, sizeof(w));
            sum[j] |= w;
        }
    sum[0] |= sum[1] | sum[2] | sum[3];
    job->sum |= sum[0][0] | sum[0][7];
}

struct flop_job {
    const struct cpu_kernels *kernels;
    enum dtype compute;
    _Atomic int64_t n_flop;
};

static void flop_part(void *ctx, int part UNUSED, int worker UNUSED)
{
    struct flop_job *job = ctx;

    job->n_flop += (int64_t)job->kernels->peak(job->compute);
}

void cpu_measure_limits(struct device *d, struct cpu_limits *out)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct err ignored = ERR_INIT;
    struct device_mem *m = cpu_alloc(READ_BYTES, &ignored);
    struct flop_job flops = {.kernels = c->kernels, .compute = d->compute};

    *out = (struct cpu_limits){0};
    if (m)
        memset(m->ptr, 1, READ_BYTES);
    for (int i = 0; i < REPEATS; i++) {
        int64_t t = busy_us(c);
        double rate;

        if (m) {
            struct read_job job = {.ptr = m->ptr};

            pool_for(c->pool, READ_BYTES / READ_PART, read_part, &job);
            rate = READ_BYTES / ((double)(busy_us(c) - t) * 1e-6);
            out->bandwidth = rate > out->bandwidth ? rate : out->bandwidth;
        }
        t = busy_us(c);
        flops.n_flop = 0;
        pool_for(c->pool, 4 * pool_size(c->pool), flop_part, &flops);
        rate = (double)flops.n_flop / ((double)(busy_us(c) - t) * 1e-6);
        out->flops = rate > out->flops ? rate : out->flops;
    }
    cpu_release(m);
}
