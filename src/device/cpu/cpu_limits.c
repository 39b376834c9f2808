/* cpu_limits.c - reads a buffer far larger than the caches, and multiplies without reading at all.
 */
#include "device/cpu/cpu_limits.h"

#include <string.h>

#include "base/clock.h"
#include "device/cpu/cpu_device.h"

/* Each repeat takes some 20 ms, so that all workers are awake for nearly all of it. */
enum { READ_BYTES = 256 << 20, READ_PART = 4 << 20, PASSES = 2, PEAK_PARTS = 40, REPEATS = 8 };

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

static double read_rate(const struct cpu_device *c, const struct device_mem *m)
{
    struct read_job job = {.ptr = m->ptr};
    int64_t t = clock_us();

    for (int i = 0; i < PASSES; i++)
        pool_for(c->pool, READ_BYTES / READ_PART, read_part, &job);
    return (double)PASSES * READ_BYTES / ((double)(clock_us() - t) * 1e-6);
}

double cpu_flop_rate(struct device *d)
{
    const struct cpu_device *c = (struct cpu_device *)d;
    struct flop_job job = {.kernels = c->kernels, .compute = c->base.compute};
    int64_t t = clock_us();

    pool_for(c->pool, PEAK_PARTS * pool_size(c->pool), flop_part, &job);
    return (double)job.n_flop / ((double)(clock_us() - t) * 1e-6);
}

void cpu_measure_limits(struct device *d, struct cpu_limits *out)
{
    const struct cpu_device *c = (struct cpu_device *)d;
    struct err ignored = ERR_INIT;
    struct device_mem *m = cpu_alloc(READ_BYTES, &ignored);

    *out = (struct cpu_limits){0};
    if (m)
        memset(m->ptr, 1, READ_BYTES);
    for (int i = 0; i < REPEATS; i++) {
        double rate = m ? read_rate(c, m) : 0;

        out->bandwidth = MAX(out->bandwidth, rate);
        rate = cpu_flop_rate(d);
        out->flops = MAX(out->flops, rate);
    }
    cpu_release(m);
}
