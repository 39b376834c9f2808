/* gemm.c - products on packed weights against what this machine allows, measured in the same run.
 *
 * usage: bench_gemm [threads [isa [shape]]]. Each figure is the best and the median of several
 * repeats by the wall clock: the machine may be shared. Peak is what the kernel set's own multiply
 * instruction reaches from registers; "beside" is the share of what it reached right before and
 * after each repeat (best and median), "shape" a part of a name. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/cpu_limits.h"

enum { REPEATS = 9 };

static const struct {
    const char *name;
    int n, k, n_segments;
    bool is_gate_up; /* with silu(gate) * up */
} shapes[] = {
    {"0.5B qkv", 1152, 896, 1, false},       {"0.5B o", 896, 896, 8, false},
    {"0.5B gate_up", 9728, 896, 1, false},   {"0.5B gate_up, silu", 9728, 896, 1, true},
    {"0.5B down", 896, 4864, 8, false},      {"0.5B lm_head", 151936, 896, 1, false},
    {"1.5B gate_up", 17920, 1536, 1, false}, {"1.5B gate_up, silu", 17920, 1536, 1, true},
    {"1.5B down", 1536, 8960, 8, false},     {"7B qkv", 4608, 3584, 1, false},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void bench_shape(struct device *d, int shape, const struct cpu_limits *lim)
{
    static const int ms[] = {1, 8, 16, 64, 256, 1024};
    struct err e = ERR_INIT;
    int n = shapes[shape].n, k = shapes[shape].k, n_parts = 1 + shapes[shape].is_gate_up;
    struct host_tensor part = {
        .dtype = DTYPE_BF16, .n_rows = n / n_parts, .n_cols = k, .dummy_key = 1, .dummy_cols = k};
    struct weight_spec spec = {.parts = (struct host_tensor[]){part, part},
                               .n_parts = n_parts,
                               .n_segments = shapes[shape].n_segments,
                               .is_gate_up = shapes[shape].is_gate_up};
    /* Enough copies that no weight is still in a cache when its turn comes again. */
    int n_copies = MIN(MAX((int)(((size_t)400 << 20) / ((size_t)n * (size_t)k * 2)), 1), 64);
    struct weight *w[64];

    for (int i = 0; i < n_copies; i++)
        w[i] = d->ops->pack(d, &spec, &e);
    for (size_t i = 0; i < LEN(ms); i++) {
        struct device_mem *xm = d->ops->alloc(d, (size_t)ms[i] * (size_t)(k + 32) * 2, &e);
        struct device_mem *ym = d->ops->alloc(d, (size_t)ms[i] * (size_t)n * 4, &e);
        struct tensor x = tensor_2d(DTYPE_BF16, ms[i], k, xm, 0),
                      y = tensor_2d(DTYPE_F32, ms[i], n, ym, 0);
        struct tensor activations = tensor_2d(DTYPE_BF16, ms[i], n / 2, ym, 0);
        double times[REPEATS], shares[REPEATS],
            before = cpu_flop_rate(d), flop = 2.0 * ms[i] * n * k, bytes = (double)n * k * 2, best,
            median, limit;

        x.row = k + 32; /* an odd number of cache lines, as a model's rows have */
        for (int r = 0; r < REPEATS; r++) {
            int64_t t = clock_us();

            for (int c = 0; c < n_copies; c++) {
                if (shapes[shape].is_gate_up)
                    linear_silu_mul(d, &activations, &x, w[c], NULL);
                else
                    linear(d, &y, &x, w[c], NULL);
            }
            times[r] = (double)(clock_us() - t) / n_copies * 1e-6;
            shares[r] = before;
            before = cpu_flop_rate(d);
            shares[r] = 100 * flop / times[r] / ((shares[r] + before) / 2);
        }
        qsort(shares, REPEATS, sizeof(*shares), compare);
        qsort(times, REPEATS, sizeof(*times), compare);
        best = times[0];
        median = times[REPEATS / 2];
        limit = fmax(flop / lim->flops, bytes / lim->bandwidth);
        printf(
            "%-18s M=%-5d best %9.3f ms  median %9.3f ms  %7.1f GB/s  %8.1f GFLOP/s  %5.1f %% of bandwidth  "
            "%5.1f %% of peak  %5.1f %% of the limit  beside %5.1f %% (%.1f)\n",
            shapes[shape].name, ms[i], best * 1e3, median * 1e3, bytes / best / 1e9,
            flop / best / 1e9, 100 * bytes / best / lim->bandwidth, 100 * flop / best / lim->flops,
            100 * limit / best, shares[REPEATS - 1], shares[REPEATS / 2]);
        fflush(stdout);
        d->ops->release(d, xm);
        d->ops->release(d, ym);
    }
    for (int i = 0; i < n_copies; i++)
        d->ops->unpack(d, w[i]);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    int64_t n_threads = 0;
    struct device_opts o = {
        .name = "cpu", .cpu_isa = argc > 2 ? argv[2] : "auto", .compute = DTYPE_BF16};
    struct device_limits l = {.max_tokens = 1024,
                              .max_seqs = 1,
                              .max_blocks_per_seq = 1,
                              .n_heads = 1,
                              .n_kv_heads = 1,
                              .head_dim = 64,
                              .max_inputs = 8960,
                              .max_outputs = 151936};
    struct cpu_limits lim;
    struct device *d;

    if (argc > 1 && !parse_i64(STR(argv[1]), &n_threads))
        return 2;
    o.n_threads = (int)n_threads;
    d = device_open(&o, &e);
    if (!d || !d->ops->reserve(d, &l, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 2;
    }
    cpu_measure_limits(d, &lim);
    printf("%s, %d threads: read %.1f GB/s, peak %.0f GFLOP/s\n", d->numerics, d->n_threads,
           lim.bandwidth / 1e9, lim.flops / 1e9);
    for (size_t i = 0; i < LEN(shapes); i++)
        if (argc <= 3 || strstr(shapes[i].name, argv[3]))
            bench_shape(d, (int)i, &lim);
    device_close(d);
    return 0;
}
