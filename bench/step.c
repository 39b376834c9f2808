/* step.c - whole steps of a model with dummy weights: prefill, and decode of sequences that share a
 * prompt or have contexts of their own.
 *
 * Each prefill stands between two readings of the arithmetic limit, so that its share of it means
 * something on a machine whose speed changes: the best and the median of the repeats.
 *
 * usage: bench_step DIR [threads [isa [prompt]]]. DIR needs config.json alone: see bench/configs.
 * Wall-clock and busy time (CPU time over threads) are both printed: on a shared machine the second
 * says more. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/num.h"
#include "device/cpu/cpu_limits.h"
#include "model/model.h"

enum { MAX_SEQS = 64, CHUNK = 512, REPEATS = 5 };

struct bench {
    struct model *m;
    struct device *device; /* for its limits */
    int n_threads, max_blocks;
    int32_t token_ids[CHUNK], positions[CHUNK], slots[CHUNK], rows[MAX_SEQS], start[MAX_SEQS + 1],
        lens[MAX_SEQS];
    int32_t *table; /* [MAX_SEQS, max_blocks] */
};

static double wall(void)
{
    return (double)clock_us() * 1e-6;
}

static double busy(const struct bench *b)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + (double)t.tv_nsec * 1e-9) / b->n_threads;
}

/* One step: n_seqs sequences that bring n_new tokens each and then have len tokens. */
static void step(struct bench *b, int n_seqs, int n_new, int len)
{
    struct batch batch = {.n_tokens = n_seqs * n_new,
                          .n_seqs = n_seqs,
                          .n_logits = n_seqs,
                          .max_blocks = b->max_blocks,
                          .token_ids = b->token_ids,
                          .positions = b->positions,
                          .slot_mapping = b->slots,
                          .block_table = b->table,
                          .query_start = b->start,
                          .seq_lens = b->lens,
                          .logit_rows = b->rows};
    struct err e = ERR_INIT;
    float *logits;

    for (int s = 0; s < n_seqs; s++) {
        for (int i = 0; i < n_new; i++) {
            int t = s * n_new + i, at = len - n_new + i;

            b->token_ids[t] = t * 37 % 50000;
            b->positions[t] = at;
            b->slots[t] = b->table[s * b->max_blocks + at / 16] * 16 + at % 16;
        }
        b->rows[s] = (s + 1) * n_new - 1;
        b->start[s + 1] = (s + 1) * n_new;
        b->lens[s] = len;
    }
    if (!model_forward(b->m, &batch, &e) || !model_logits(b->m, 0, n_seqs, &logits, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        exit(2);
    }
}

static void measure(struct bench *b, const char *what, int n_seqs, int n_new, int len)
{
    double best_wall = INFINITY, best_busy = INFINITY;

    for (int r = 0; r < REPEATS; r++) {
        double w = wall(), c = busy(b);

        step(b, n_seqs, n_new, len);
        best_wall = fmin(best_wall, wall() - w);
        best_busy = fmin(best_busy, busy(b) - c);
    }
    printf("%-34s %4d x %-4d  wall %8.2f ms %8.1f tok/s   busy %8.2f ms %8.1f tok/s\n", what,
           n_seqs, n_new, best_wall * 1e3, n_seqs * n_new / best_wall, best_busy * 1e3,
           n_seqs * n_new / best_busy);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Additions and multiplications of a prompt of n tokens whose last one has its logits taken. */
static double prefill_flops(const struct model_config *c, double n)
{
    return n * (2 * model_layer_weights(c) + model_attention_flops(c, n / 2)) +
           2 * model_head_weights(c);
}

static void measure_prefill(struct bench *b, int n)
{
    double best = INFINITY, shares[REPEATS], before = cpu_flop_rate(b->device);

    for (int r = 0; r < REPEATS; r++) {
        double t = wall(), after;

        step(b, 1, n, n);
        t = wall() - t;
        after = cpu_flop_rate(b->device);
        best = fmin(best, t);
        shares[r] = 100 * prefill_flops(model_config(b->m), n) / t / ((before + after) / 2);
        before = after;
    }
    qsort(shares, REPEATS, sizeof(*shares), compare);
    printf(
        "prefill of %-23d %4d x %-4d  wall %8.2f ms %8.1f tok/s   %.1f %% of the arithmetic limit beside it (median %.1f)\n",
        n, 1, n, best * 1e3, n / best, shares[REPEATS - 1], shares[REPEATS / 2]);
    fflush(stdout);
}

/* Sequence s: shared blocks 1.. for the first n tokens, blocks of its own after them. */
static void make_tables(struct bench *b, int n_shared, int len)
{
    int own = (len + 15) / 16 - n_shared / 16;

    for (int s = 0; s < MAX_SEQS; s++)
        for (int i = 0; i < (len + 15) / 16; i++)
            b->table[s * b->max_blocks + i] =
                i < n_shared / 16 ? 1 + i : 1 + n_shared / 16 + s * own + i - n_shared / 16;
}

int main(int argc, char **argv)
{
    static const int counts[] = {1, 8, 16, 64};
    struct err e = ERR_INIT;
    struct bench b = {0};
    int64_t n_threads = 2, prompt = 512;
    struct model_opts o = model_opts_default();

    if (argc < 2 || (argc > 2 && !parse_i64(STR(argv[2]), &n_threads)) ||
        (argc > 4 && !parse_i64(STR(argv[4]), &prompt)))
        return 2;
    o.dtype = "bfloat16";
    o.load_format = "dummy";
    o.n_threads = b.n_threads = (int)n_threads;
    o.cpu_isa = argc > 3 ? argv[3] : "auto";
    o.max_model_len = 8192;
    o.max_num_batched_tokens = CHUNK;
    o.max_num_seqs = MAX_SEQS;
    b.device = device_open(
        &(struct device_opts){
            .name = "cpu", .cpu_isa = o.cpu_isa, .n_threads = o.n_threads, .compute = DTYPE_BF16},
        &e);
    b.m = b.device ? model_open(argv[1], &o, &e) : NULL;
    b.max_blocks = 8192 / 16;
    b.table = xcalloc(MAX_SEQS * (size_t)b.max_blocks, sizeof(*b.table));
    if (!b.m || !model_alloc_blocks(
                    b.m, MAX_SEQS * ((int)MIN(prompt, 512) / 16 + 2) + (int)prompt / 16 + 8, &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 2;
    }
    printf("%s, %s, %d threads, weights %.2f GB\n", argv[1], model_numerics(b.m), b.n_threads,
           (double)model_weight_bytes(b.m) / 1e9);
    make_tables(&b, (int)prompt, (int)prompt + 16);
    measure_prefill(&b, 256);
    measure_prefill(&b, CHUNK);
    for (size_t i = 0; i < LEN(counts); i++)
        measure(&b, "decode, shared prompt", counts[i], 1, (int)prompt + 8);
    if (prompt <= 512) {
        make_tables(&b, 0, (int)prompt + 16);
        for (size_t i = 1; i < LEN(counts); i++)
            measure(&b, "decode, contexts of their own", counts[i], 1, (int)prompt + 8);
    }
    free(b.table);
    model_close(b.m);
    device_close(b.device);
    return 0;
}
