/* attention.c - paged attention of one layer against what this machine allows, measured in the same
 * run.
 *
 * usage: bench_attention [threads [isa]]. Heads of Qwen2.5-0.5B (14 and 2 of 64). Bytes are keys
 * and values read once, a shared prompt once for all; the limit is the larger of bytes over
 * bandwidth and operations over peak. Times are CPU time over threads: what a machine of one's own
 * would show on the wall. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/num.h"
#include "device/cpu/cpu_device.h"
#include "device/cpu/cpu_limits.h"

enum {
    H = 14,
    G = 2,
    D = 64,
    MAX_SEQS = 64,
    MAX_NEW = 512,
    MAX_LEN = 8192,
    MAX_BLOCKS = MAX_LEN / 16,
    REPEATS = 7
};

struct bench {
    struct device *d;
    struct cpu_limits limits;
    struct kv_cache kv;
    struct device_mem *q, *y;
    int32_t positions[MAX_NEW], slots[MAX_NEW], start[MAX_SEQS + 1], lens[MAX_SEQS],
        table[MAX_SEQS * MAX_BLOCKS];
};

static double busy(const struct bench *b)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + (double)t.tv_nsec * 1e-9) / b->d->n_threads;
}

static void measure(struct bench *b, const char *what, int n_seqs, int n_new, int len, int n_shared)
{
    struct rotation rotation = {0};
    struct qkv_spec spec = {.n_heads = H, .n_kv_heads = G, .head_dim = D, .rotation = &rotation};
    struct step step = {.n_tokens = n_seqs * n_new,
                        .n_seqs = n_seqs,
                        .max_blocks = MAX_BLOCKS,
                        .positions = b->positions,
                        .slot_mapping = b->slots,
                        .block_table = b->table,
                        .query_start = b->start,
                        .seq_lens = b->lens};
    struct tensor q = tensor_2d(DTYPE_BF16, step.n_tokens, H * D, b->q, 0),
                  y = tensor_2d(DTYPE_BF16, step.n_tokens, H * D, b->y, 0);
    int own = (len - n_shared + 15) / 16, n_layers = 0;
    double best = INFINITY, seen = 0, bytes, flop, limit;
    struct err e = ERR_INIT;

    for (int s = 0; s < n_seqs; s++) {
        for (int i = 0; i < (len + 15) / 16; i++)
            b->table[s * MAX_BLOCKS + i] =
                i < n_shared / 16 ? 1 + i : 1 + n_shared / 16 + s * own + i - n_shared / 16;
        b->start[s + 1] = (s + 1) * n_new;
        b->lens[s] = len;
    }
    for (int i = 0; i < n_new; i++)
        seen += len - n_new + i + 1;
    flop = 4.0 * H * D * seen * n_seqs;
    bytes = 4.0 * G * D * ((double)n_shared + (double)n_seqs * (len - n_shared));
    n_layers = MAX((int)(4e8 / (bytes * 20)), 1);
    for (int r = 0; r < REPEATS; r++) {
        double t = busy(b);

        for (int l = 0; l < n_layers; l++) {
            if (l == 0 && !b->d->ops->begin_step(b->d, &spec, &step, &e))
                return;
            attend_paged(b->d, &y, &q, &b->kv, &spec, &step);
        }
        best = fmin(best, (busy(b) - t) / n_layers);
    }
    limit = fmax(bytes / b->limits.bandwidth, flop / b->limits.flops);
    printf("%-44s %8.3f ms  %6.1f GB/s  %7.1f GFLOP/s  %5.1f %% of the limit\n", what, best * 1e3,
           bytes / best / 1e9, flop / best / 1e9, 100 * limit / best);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    int64_t n_threads = 2;
    struct device_opts o = {
        .name = "cpu", .cpu_isa = argc > 2 ? argv[2] : "auto", .compute = DTYPE_BF16};
    struct device_limits l = {.max_tokens = MAX_NEW,
                              .max_seqs = MAX_SEQS,
                              .max_blocks_per_seq = MAX_BLOCKS,
                              .n_heads = H,
                              .n_kv_heads = G,
                              .head_dim = D,
                              .max_inputs = 64,
                              .max_outputs = 64};
    struct bench *b = xcalloc(1, sizeof(*b));
    size_t per_block, n_blocks = 1 + MAX_SEQS * 33 + MAX_BLOCKS;

    if (argc > 1 && !parse_i64(STR(argv[1]), &n_threads))
        return 2;
    o.n_threads = (int)n_threads;
    b->d = device_open(&o, &e);
    if (!b->d || !b->d->ops->reserve(b->d, &l, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 2;
    }
    per_block = b->d->ops->kv_bytes(b->d, G, D);
    b->kv = (struct kv_cache){.n_blocks = (int)n_blocks,
                              .k = b->d->ops->alloc(b->d, n_blocks * per_block, &e),
                              .v = b->d->ops->alloc(b->d, n_blocks * per_block, &e)};
    b->q = b->d->ops->alloc(b->d, MAX_NEW * H * D * 2, &e);
    b->y = b->d->ops->alloc(b->d, MAX_NEW * H * D * 2, &e);
    for (size_t i = 0; i < n_blocks * per_block; i += 2) { /* small values of both signs */
        uint16_t v = f32_to_bf16((float)((int)(i * 2654435761u >> 20 & 1023) - 512) / 512.0f);

        memcpy(b->kv.k->ptr + i, &v, 2);
        memcpy(b->kv.v->ptr + i, &v, 2);
        if (i < MAX_NEW * H * D * 2)
            memcpy(b->q->ptr + i, &v, 2);
    }
    cpu_measure_limits(b->d, &b->limits);
    printf("%s, %d threads: read %.1f GB/s, peak %.0f GFLOP/s\n", b->d->numerics, b->d->n_threads,
           b->limits.bandwidth / 1e9, b->limits.flops / 1e9);
    measure(b, "decode, 1 of 8,000 tokens", 1, 1, 8000, 0);
    measure(b, "decode, 64 of 520 tokens of their own", 64, 1, 520, 0);
    measure(b, "decode, 64 of 520 tokens, 512 shared", 64, 1, 520, 512);
    measure(b, "decode, 64 of 4,104 tokens, 4,096 shared", 64, 1, 4104, 4096);
    measure(b, "prefill of 512 tokens", 1, 512, 512, 0);
    measure(b, "prefill of 512 tokens behind 3,584", 1, 512, 4096, 0);
    return 0;
}
