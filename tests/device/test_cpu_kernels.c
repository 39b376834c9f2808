/* Every verb of every kernel set against plain C, with a bound per verb; and D3 of the verbs:
 * a row has the same bits beside any others and on any number of threads. */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/philox.h"
#include "device/cpu/cpu_device.h"
#include "test.h"

enum { MAX_M = 256, MAX_SETS = 8 };

static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16};

static float noise(uint32_t stream, uint32_t i)
{
    struct philox r = philox4x32(7, i, stream, 0, 0);

    return (float)((double)r.v[0] / 4294967296.0 - 0.5) * 2;
}

static struct device *open_cpu(const char *isa, enum dtype compute, int n_threads)
{
    struct err e = ERR_INIT;
    struct device_opts o = {
        .name = "cpu", .cpu_isa = isa, .compute = compute, .n_threads = n_threads};
    struct device_limits l = {.max_tokens = MAX_M,
                              .max_seqs = 64,
                              .max_blocks_per_seq = 64,
                              .n_heads = 8,
                              .n_kv_heads = 1,
                              .head_dim = 128,
                              .max_inputs = 1024,
                              .max_outputs = 1024};
    struct device *d = device_open(&o, &e);

    CHECK_OK(isa, d, &e);
    CHECK_OK(isa, d->ops->reserve(d, &l, &e), &e);
    return d;
}

struct matrix {
    struct device *d;
    struct tensor t;
};

static struct matrix make(struct device *d, enum dtype type, int rows, int cols, int stream)
{
    struct err e = ERR_INIT;
    struct matrix m = {.d = d};
    struct device_mem *mem =
        d->ops->alloc(d, (size_t)rows * (size_t)cols * dtype_size(type) + 64, &e);

    CHECK_OK("alloc", mem, &e);
    m.t = tensor_2d(type, rows, cols, mem, 0);
    for (int i = 0; stream >= 0 && i < rows * cols; i++) {
        if (type == DTYPE_F32)
            ((float *)(void *)mem->ptr)[i] = noise((uint32_t)stream, (uint32_t)i);
        else
            ((uint16_t *)(void *)mem->ptr)[i] = f32_to_bf16(noise((uint32_t)stream, (uint32_t)i));
    }
    return m;
}

static void drop(struct matrix *m)
{
    m->d->ops->release(m->d, m->t.mem);
}

static float value(const struct matrix *m, int64_t row, int64_t col)
{
    if (m->t.dtype == DTYPE_F32)
        return ((const float *)cpu_ptr(&m->t))[row * m->t.row + col];
    return bf16_to_f32(((const uint16_t *)cpu_ptr(&m->t))[row * m->t.row + col]);
}

/* The largest difference over the largest magnitude. */
static double distance(const struct matrix *a, const struct matrix *b)
{
    double diff = 0, most = 1e-30;

    for (int64_t i = 0; i < a->t.dim[0]; i++)
        for (int64_t j = 0; j < a->t.dim[1]; j++) {
            if (!isfinite(value(a, i, j)))
                return INFINITY;
            diff = fmax(diff, fabs((double)value(a, i, j) - value(b, i, j)));
            most = fmax(most, fabs((double)value(b, i, j)));
        }
    return diff / most;
}

static const char *rows_equal_name;

static void check_rows_equal(const struct matrix *a, int64_t row_a, const struct matrix *b,
                             int64_t row_b)
{
    size_t n = (size_t)a->t.dim[1] * dtype_size(a->t.dtype);

    if (memcmp((char *)cpu_ptr(&a->t) + (size_t)row_a * n,
               (char *)cpu_ptr(&b->t) + (size_t)row_b * n, n) != 0)
        fail_msg("%s: rows %d and %d differ in bits", rows_equal_name, (int)row_a, (int)row_b);
}

/* --- linear ----------------------------------------------------------------------------------- */

static const struct {
    int n, k, n_segments;
    bool has_bias;
} shapes[] = {
    {48, 64, 1, true},   {100, 72, 1, false}, {33, 176, 8, false},
    {256, 896, 8, true}, {512, 896, 1, true}, {17, 2, 1, true},
    {80, 304, 4, false}, {64, 100, 8, false}, {1, 1, 1, false},
};

static struct weight *make_weight(struct device *d, const float *values, int n, int k,
                                  int n_segments)
{
    struct err e = ERR_INIT;
    struct host_tensor part = {
        .dtype = DTYPE_F32, .ptr = values, .n_rows = n, .n_cols = k, .row = k};
    struct weight *w = d->ops->pack(
        d, &(struct weight_spec){.parts = &part, .n_parts = 1, .n_segments = n_segments}, &e);

    CHECK_OK("pack", w, &e);
    return w;
}

static struct matrix run_linear(struct device *d, int shape, int m, const float *values)
{
    int n = shapes[shape].n, k = shapes[shape].k;
    struct matrix x = make(d, d->compute, m, k, 1), y = make(d, DTYPE_F32, m, n, -1),
                  bias = make(d, DTYPE_F32, 1, n, 3);
    struct weight *w = make_weight(d, values, n, k, shapes[shape].n_segments);
    struct tensor b = tensor_1d(DTYPE_F32, n, bias.t.mem, 0);

    linear(d, &y.t, &x.t, w, shapes[shape].has_bias ? &b : NULL);
    d->ops->unpack(d, w);
    drop(&x);
    drop(&bias);
    return y;
}

static float *weight_values(int shape)
{
    int n = shapes[shape].n * shapes[shape].k;
    float *v = xcalloc((size_t)n, sizeof(*v));

    for (int i = 0; i < n; i++)
        v[i] = bf16_to_f32(f32_to_bf16(noise(2, (uint32_t)i)));
    return v;
}

TEST(linear_agrees_with_plain)
{
    for (size_t t = 0; t < LEN(dtypes); t++)
        for (size_t s = 0; s < LEN(shapes); s++) {
            static const int ms[] = {1, 5, 33};
            float *values = weight_values((int)s);
            struct device *plain = open_cpu("plain", dtypes[t], 1);

            for (size_t i = 0; i < LEN(ms); i++) {
                struct matrix want = run_linear(plain, (int)s, ms[i], values);

                for (int k = 0; cpu_kernel_sets[k]; k++) {
                    const char *name = cpu_kernel_sets[k]->name;
                    struct device *d;
                    struct matrix got;

                    if (!cpu_kernel_sets[k]->is_supported())
                        continue;
                    d = open_cpu(name, dtypes[t], 2);
                    got = run_linear(d, (int)s, ms[i], values);
                    if (!(distance(&got, &want) < 2e-6))
                        fail_msg("%s %s: linear %d x %d of %d rows differs by %g", name,
                                 dtype_name(dtypes[t]), shapes[s].n, shapes[s].k, ms[i],
                                 distance(&got, &want));
                    drop(&got);
                    device_close(d);
                }
                drop(&want);
            }
            device_close(plain);
            free(values);
        }
}

/* Rows 0 to M-1 of the same x for every M up to 256: row r always has the same bits. */
TEST(linear_rows_do_not_depend_on_their_number)
{
    static const int some[] = {1,  2,  3,  7,  8,   15,  16,  17,  31,  32, 33,
                               48, 63, 64, 65, 127, 128, 129, 200, 255, 256};

    for (int k = 0; cpu_kernel_sets[k]; k++) {
        if (!cpu_kernel_sets[k]->is_supported() || cpu_kernel_sets[k] == &kernels_plain)
            continue;
        rows_equal_name = cpu_kernel_sets[k]->name;
        for (size_t t = 0; t < LEN(dtypes); t++)
            for (int s = 2; s < 4; s++) {
                float *values = weight_values(s);
                struct device *one = open_cpu(rows_equal_name, dtypes[t], 1),
                              *two = open_cpu(rows_equal_name, dtypes[t], 2);
                struct matrix all = run_linear(one, s, 256, values);

                for (size_t i = 0; i < LEN(some); i++) {
                    struct matrix few = run_linear(i % 2 ? two : one, s, some[i], values);

                    for (int row = 0; row < some[i]; row++)
                        check_rows_equal(&few, row, &all, row);
                    drop(&few);
                }
                drop(&all);
                device_close(one);
                device_close(two);
                free(values);
            }
    }
}

/* 256 rows of 9,728 inputs are more than a cache holds: they are taken in blocks of rows and, where
 * K has segments, in two halves of K; one row and 40 are not. */
TEST(large_products_are_cut_without_a_trace)
{
    enum { N = 33, K = 9728, M = 256 };
    static const int few[] = {1, 40}, n_segments[] = {1, 8};
    float *values = xcalloc(N * K, sizeof(*values));

    for (int i = 0; i < N * K; i++)
        values[i] = noise(2, (uint32_t)i);
    for (int set = 0; cpu_kernel_sets[set]; set++) {
        if (!cpu_kernel_sets[set]->is_supported() || cpu_kernel_sets[set] == &kernels_plain)
            continue;
        rows_equal_name = cpu_kernel_sets[set]->name;
        for (size_t t = 0; t < LEN(dtypes); t++) {
            struct device *d = open_cpu(rows_equal_name, dtypes[t], 2);
            struct matrix x = make(d, d->compute, M, K, 1), bias = make(d, DTYPE_F32, 1, N, 3);
            struct matrix all = make(d, DTYPE_F32, M, N, -1), y = make(d, DTYPE_F32, M, N, -1);
            struct tensor b = tensor_1d(DTYPE_F32, N, bias.t.mem, 0);

            for (size_t s = 0; s < LEN(n_segments); s++) {
                struct weight *w = make_weight(d, values, N, K, n_segments[s]);

                linear(d, &all.t, &x.t, w, &b);
                for (size_t i = 0; i < LEN(few); i++) {
                    struct tensor y_few = tensor_rows(&y.t, 0, few[i]),
                                  x_few = tensor_rows(&x.t, M - few[i], few[i]);

                    linear(d, &y_few, &x_few, w, &b);
                    for (int row = 0; row < few[i]; row++)
                        check_rows_equal(&y, row, &all, M - few[i] + row);
                }
                d->ops->unpack(d, w);
            }
            drop(&x);
            drop(&bias);
            drop(&all);
            drop(&y);
            device_close(d);
        }
    }
    free(values);
}

/* Two ranks with half the columns and four segments each, added, are one rank with eight. */
TEST(segments_of_two_ranks_add_up)
{
    enum { N = 48, K = 304, M = 5 };

    for (int k = 0; cpu_kernel_sets[k]; k++) {
        for (size_t t = 0; t < LEN(dtypes) && cpu_kernel_sets[k]->is_supported(); t++) {
            struct device *d = open_cpu(cpu_kernel_sets[k]->name, dtypes[t], 2);
            struct matrix x = make(d, d->compute, M, K, 1), whole = make(d, DTYPE_F32, M, N, -1);
            struct matrix half[2] = {make(d, DTYPE_F32, M, N, -1), make(d, DTYPE_F32, M, N, -1)};
            float *values = xcalloc(N * K, sizeof(*values));
            struct weight *w;

            for (int i = 0; i < N * K; i++)
                values[i] = noise(2, (uint32_t)i);
            w = make_weight(d, values, N, K, 8);
            linear(d, &whole.t, &x.t, w, NULL);
            d->ops->unpack(d, w);
            for (int r = 0; r < 2; r++) {
                struct err e = ERR_INIT;
                struct host_tensor part = {.dtype = DTYPE_F32,
                                           .ptr = values + r * K / 2,
                                           .n_rows = N,
                                           .n_cols = K / 2,
                                           .row = K};
                struct tensor view = x.t;

                view.dim[1] = K / 2;
                view.offset = (size_t)(r * K / 2) * dtype_size(x.t.dtype);
                w = d->ops->pack(
                    d, &(struct weight_spec){.parts = &part, .n_parts = 1, .n_segments = 4}, &e);
                CHECK_OK("pack", w, &e);
                linear(d, &half[r].t, &view, w, NULL);
                d->ops->unpack(d, w);
            }
            for (int i = 0; i < M * N; i++) {
                float *a = cpu_ptr(&half[0].t), *b = cpu_ptr(&half[1].t), *c = cpu_ptr(&whole.t),
                      sum = a[i] + b[i];

                CHECK(cpu_kernel_sets[k]->name, memcmp(&sum, &c[i], sizeof(sum)) == 0);
            }
            free(values);
            drop(&x);
            drop(&whole);
            drop(&half[0]);
            drop(&half[1]);
            device_close(d);
        }
    }
}

/* --- gate and up ------------------------------------------------------------------------------ */

static struct matrix run_silu(struct device *d, int m, int f, int k, bool has_bias)
{
    struct err e = ERR_INIT;
    struct matrix x = make(d, d->compute, m, k, 1), y = make(d, d->compute, m, f, -1),
                  bias = make(d, DTYPE_F32, 1, 2 * f, 3);
    struct tensor b = tensor_1d(DTYPE_F32, 2 * f, bias.t.mem, 0);
    float *values = xcalloc((size_t)(2 * f * k), sizeof(*values));
    struct host_tensor parts[2] = {
        {.dtype = DTYPE_F32, .ptr = values, .n_rows = f, .n_cols = k, .row = k},
        {.dtype = DTYPE_F32, .ptr = values + f * k, .n_rows = f, .n_cols = k, .row = k}};
    struct weight *w;

    for (int i = 0; i < 2 * f * k; i++)
        values[i] = bf16_to_f32(f32_to_bf16(noise(2, (uint32_t)i)));
    w = d->ops->pack(
        d, &(struct weight_spec){.parts = parts, .n_parts = 2, .n_segments = 1, .is_gate_up = true},
        &e);
    CHECK_OK("pack", w, &e);
    linear_silu_mul(d, &y.t, &x.t, w, has_bias ? &b : NULL);
    d->ops->unpack(d, w);
    free(values);
    drop(&x);
    drop(&bias);
    return y;
}

/* Against sums in double precision made here; rows beside any others must have the same bits. 544
 * inputs are enough for AMX to finish whole runs of 32 rows in its own way. */
TEST(gate_and_up_are_multiplied)
{
    static const struct {
        int m, f, k;
        bool has_bias;
    } cases[] = {{1, 100, 72, true},   {5, 176, 64, false},   {33, 16, 32, true},
                 {70, 130, 96, false}, {256, 130, 96, false}, {3, 44, 544, false},
                 {33, 44, 544, false}, {96, 44, 544, false}};

    for (int s = 0; cpu_kernel_sets[s]; s++)
        for (size_t t = 0; t < LEN(dtypes) && cpu_kernel_sets[s]->is_supported(); t++) {
            struct matrix before = {0};
            struct device *d = open_cpu(cpu_kernel_sets[s]->name, dtypes[t], 2);

            rows_equal_name = cpu_kernel_sets[s]->name;
            for (size_t c = 0; c < LEN(cases); c++) {
                int m = cases[c].m, f = cases[c].f, k = cases[c].k;
                struct matrix y = run_silu(d, m, f, k, cases[c].has_bias);

                for (int i = 0; i < m * f; i++) {
                    double sum[2] = {0}, want, tolerance;

                    for (int half = 0; half < 2; half++) {
                        int row = half * f + i % f;

                        for (int j = 0; j < k; j++) {
                            float x = noise(1, (uint32_t)(i / f * k + j));

                            sum[half] +=
                                (dtypes[t] == DTYPE_F32 ? x : bf16_to_f32(f32_to_bf16(x))) *
                                (double)bf16_to_f32(f32_to_bf16(noise(2, (uint32_t)(row * k + j))));
                        }
                        sum[half] += cases[c].has_bias ? noise(3, (uint32_t)row) : 0;
                    }
                    want = sum[0] / (1 + exp(-sum[0])) * sum[1];
                    tolerance = dtypes[t] == DTYPE_BF16
                                    ? 8e-3 * fmax(fabs(want), 1)
                                    : 2e-5 * fmax(fmax(fabs(want), 1),
                                                  fmax(fabs(sum[0]),
                                                       fabs(sum[1]))); /* an error of
                                                                        * one sum meets the other */
                    if (!(fabs(value(&y, i / f, i % f) - want) <= tolerance))
                        fail_msg("%s: [%d] is %g, expected %g", rows_equal_name, i,
                                 (double)value(&y, i / f, i % f), want);
                }
                for (int row = 0;
                     c > 0 && k == cases[c - 1].k && f == cases[c - 1].f && row < cases[c - 1].m;
                     row++)
                    check_rows_equal(&before, row, &y, row);
                if (before.d)
                    drop(&before);
                before = y;
            }
            drop(&before);
            before = run_silu(d, 1, 20, 9728, true);
            if (cpu_kernel_sets[s] != &kernels_plain) { /* blocks of rows */
                struct matrix y = run_silu(d, 256, 20, 9728, true);

                check_rows_equal(&before, 0, &y, 0);
                drop(&y);
            }
            drop(&before);
            device_close(d);
        }
}

/* --- rows ------------------------------------------------------------------------------------- */

struct row_results {
    struct matrix norm, sum;
};

static struct row_results run_rows(struct device *d, int m, int n)
{
    struct row_results r = {make(d, d->compute, m, n, -1), make(d, DTYPE_F32, m, n, 5)};
    struct matrix x = make(d, DTYPE_F32, m, n, 4), w = make(d, DTYPE_F32, 1, n, 6);
    struct tensor wt = tensor_1d(DTYPE_F32, n, w.t.mem, 0);

    add_rms_norm(d, &r.norm.t, &r.sum.t, &x.t, &wt, 1e-6f);
    drop(&x);
    drop(&w);
    return r;
}

TEST(norms_agree_with_plain)
{
    static const int widths[] = {2, 64, 72, 100, 896};

    for (size_t t = 0; t < LEN(dtypes); t++)
        for (size_t i = 0; i < LEN(widths); i++) {
            double bound =
                dtypes[t] == DTYPE_F32 ? 1e-6 : 8e-3; /* bf16: the last bit may round either way */
            struct device *plain = open_cpu("plain", dtypes[t], 1);
            struct row_results want = run_rows(plain, 9, widths[i]);

            for (int k = 0; cpu_kernel_sets[k]; k++) {
                struct device *d;
                struct row_results got;

                if (!cpu_kernel_sets[k]->is_supported())
                    continue;
                d = open_cpu(cpu_kernel_sets[k]->name, dtypes[t], 2);
                got = run_rows(d, 9, widths[i]);
                CHECK(cpu_kernel_sets[k]->name, distance(&got.norm, &want.norm) <= bound);
                CHECK(cpu_kernel_sets[k]->name, distance(&got.sum, &want.sum) == 0);
                drop(&got.norm);
                drop(&got.sum);
                device_close(d);
            }
            drop(&want.norm);
            drop(&want.sum);
            device_close(plain);
        }
}

/* Values from tiny to huge through silu: nothing becomes NaN, and bf16 rounding is to nearest even.
 */
TEST(extremes_stay_finite)
{
    static const float gates[] = {0,   -0.0f, 1,     -1,     20,     -20,     88,       -88,
                                  200, -200,  1e30f, -1e30f, 1e-30f, -1e-30f, 3.14159f, -700};

    for (int k = 0; cpu_kernel_sets[k]; k++) {
        const struct cpu_kernels *set = cpu_kernel_sets[k];
        float ones[LEN(gates)], y[LEN(gates)];
        uint16_t h[LEN(gates)];

        if (!set->is_supported())
            continue;
        for (size_t i = 0; i < LEN(gates); i++)
            ones[i] = 1;
        set->silu_mul(y, gates, ones, LEN(gates));
        set->to_bf16(h, gates, LEN(gates));
        for (size_t i = 0; i < LEN(gates); i++) {
            double want = gates[i] / (1 + exp(-(double)gates[i]));

            CHECK(set->name, fabs(y[i] - want) <= 1e-6 * fmax(fabs(want), 1));
            CHECK(set->name, fabsf(gates[i]) < 1e-37f || h[i] == f32_to_bf16(gates[i]));
        }
    }
}

/* --- attention -------------------------------------------------------------------------------- */

enum { N_BLOCKS = 64, POSITIONS = 1024 };

struct attention {
    struct device *d;
    struct qkv_spec spec;
    struct rotation rotation;
    struct matrix table, q_norm, k_norm;
    struct tensor q_norm_t, k_norm_t;
    struct kv_cache kv;
};

static void open_attention(struct attention *a, const char *isa, enum dtype t, int n_threads,
                           int n_heads, int n_kv_heads, int dim)
{
    struct err e = ERR_INIT;
    struct device_limits l = {.max_tokens = MAX_M,
                              .max_seqs = 64,
                              .max_blocks_per_seq = N_BLOCKS,
                              .n_heads = n_heads,
                              .n_kv_heads = n_kv_heads,
                              .head_dim = dim,
                              .max_inputs = 64,
                              .max_outputs = 64};

    a->d = open_cpu(isa, t, n_threads);
    CHECK_OK(isa, a->d->ops->reserve(a->d, &l, &e), &e);
    a->table = make(a->d, DTYPE_F32, POSITIONS, dim, 9);
    a->q_norm = make(a->d, DTYPE_F32, 1, dim, 10);
    a->k_norm = make(a->d, DTYPE_F32, 1, dim, 11);
    a->q_norm_t = tensor_1d(DTYPE_F32, dim, a->q_norm.t.mem, 0);
    a->k_norm_t = tensor_1d(DTYPE_F32, dim, a->k_norm.t.mem, 0);
    a->rotation = (struct rotation){.cos_sin = a->table.t, .n_axes = 1};
    a->spec = (struct qkv_spec){.n_heads = n_heads,
                                .n_kv_heads = n_kv_heads,
                                .head_dim = dim,
                                .rotation = &a->rotation,
                                .q_norm = &a->q_norm_t,
                                .k_norm = &a->k_norm_t,
                                .eps = 1e-6f};
    a->kv.n_blocks = N_BLOCKS;
    a->kv.k = a->d->ops->alloc(a->d, N_BLOCKS * a->d->ops->kv_bytes(a->d, n_kv_heads, dim), &e);
    a->kv.v = a->d->ops->alloc(a->d, N_BLOCKS * a->d->ops->kv_bytes(a->d, n_kv_heads, dim), &e);
    CHECK_OK(isa, a->kv.k && a->kv.v, &e);
}

static void close_attention(struct attention *a)
{
    drop(&a->table);
    drop(&a->q_norm);
    drop(&a->k_norm);
    a->d->ops->release(a->d, a->kv.k);
    a->d->ops->release(a->d, a->kv.v);
    device_close(a->d);
}

/* Sequences of a step: how many tokens are new, how many there are then, and where their blocks
 * begin. The qkv row of token i of a sequence depends on (stream, i) alone. */
struct sequence {
    int n_new, len, first_block, stream;
    int n_shared; /* leading blocks taken from first_block of sequence 0 */
};

static struct matrix run_attention(struct attention *a, const struct sequence *seqs, int n_seqs)
{
    int32_t positions[MAX_M], slots[MAX_M], table[64 * N_BLOCKS] = {0}, start[65] = {0}, lens[64];
    int n = 0, dim = a->spec.head_dim, width = (a->spec.n_heads + 2 * a->spec.n_kv_heads) * dim;
    struct matrix qkv, q, y;
    struct err e = ERR_INIT;

    for (int s = 0; s < n_seqs; s++) {
        for (int b = 0; b < N_BLOCKS; b++)
            table[s * N_BLOCKS + b] =
                (b < seqs[s].n_shared ? seqs[0].first_block : seqs[s].first_block) + b;
        for (int i = seqs[s].len - seqs[s].n_new; i < seqs[s].len; i++) {
            positions[n] = i;
            slots[n++] = table[s * N_BLOCKS + i / 16] * 16 + i % 16;
        }
        start[s + 1] = n;
        lens[s] = seqs[s].len;
    }
    qkv = make(a->d, DTYPE_F32, n, width, -1);
    q = make(a->d, a->d->compute, n, a->spec.n_heads * dim, -1);
    y = make(a->d, a->d->compute, n, a->spec.n_heads * dim, -1);
    for (int s = 0; s < n_seqs; s++)
        for (int t = start[s]; t < start[s + 1]; t++)
            for (int i = 0; i < width; i++) {
                int stream = positions[t] / 16 < seqs[s].n_shared ? seqs[0].stream : seqs[s].stream;

                ((float *)cpu_ptr(&qkv.t))[t * width + i] =
                    noise((uint32_t)stream, (uint32_t)(positions[t] * width + i));
            }
    {
        struct step step = {.n_tokens = n,
                            .n_seqs = n_seqs,
                            .max_blocks = N_BLOCKS,
                            .positions = positions,
                            .slot_mapping = slots,
                            .block_table = table,
                            .query_start = start,
                            .seq_lens = lens};

        CHECK_OK("begin", a->d->ops->begin_step(a->d, &a->spec, &step, &e), &e);
        rotate_store(a->d, &q.t, &a->kv, &qkv.t, &a->spec, &step);
        attend_paged(a->d, &y.t, &q.t, &a->kv, &a->spec, &step);
    }
    drop(&qkv);
    drop(&q);
    return y;
}

static const struct {
    int n_heads, n_kv_heads, dim;
} heads[] = {{4, 2, 16}, {7, 1, 64}, {4, 4, 32}, {6, 2, 80}, {2, 1, 128}};

/* All rows of a prompt of `len` tokens, computed in chunks; the last rows of the last chunk are
 * handed back. */
static struct matrix run_chunks(struct attention *a, int len, int chunk, int first_block,
                                int stream)
{
    struct matrix y = {0};

    for (int at = 0; at < len;) {
        int n = MIN(chunk, len - at);

        at += n;
        if (y.d)
            drop(&y);
        y = run_attention(
            a,
            &(struct sequence){.n_new = n, .len = at, .first_block = first_block, .stream = stream},
            1);
    }
    return y;
}

TEST(attention_agrees_with_plain)
{
    for (size_t t = 0; t < LEN(dtypes); t++)
        for (size_t h = 0; h < LEN(heads); h++) {
            double bound = dtypes[t] == DTYPE_F32 ? 5e-6 : 2e-2;
            struct attention plain;
            struct matrix want;

            open_attention(&plain, "plain", dtypes[t], 1, heads[h].n_heads, heads[h].n_kv_heads,
                           heads[h].dim);
            want = run_chunks(&plain, 300, 150, 1, 20);
            for (int k = 0; cpu_kernel_sets[k]; k++) {
                struct attention a;
                struct matrix got;

                if (!cpu_kernel_sets[k]->is_supported())
                    continue;
                open_attention(&a, cpu_kernel_sets[k]->name, dtypes[t], 2, heads[h].n_heads,
                               heads[h].n_kv_heads, heads[h].dim);
                got = run_chunks(&a, 300, 150, 1, 20);
                if (!(distance(&got, &want) <= bound))
                    fail_msg("%s %s: attention of %d/%d heads of %d differs by %g",
                             cpu_kernel_sets[k]->name, dtype_name(dtypes[t]), heads[h].n_heads,
                             heads[h].n_kv_heads, heads[h].dim, distance(&got, &want));
                drop(&got);
                close_attention(&a);
            }
            drop(&want);
            close_attention(&plain);
        }
}

/* The last token of a 270-token sequence: whole in chunks of 1, 7, 16 and 256; in other blocks; on
 * 1 and 2 threads; beside 40 decoding sequences that share its first 16 blocks or have their own.
 */
TEST(attention_rows_do_not_depend_on_company)
{
    enum { LEN_SEQ = 270 };
    static const int chunks[] = {1, 7, 16, 256};

    for (int k = 0; cpu_kernel_sets[k]; k++) {
        if (!cpu_kernel_sets[k]->is_supported() || cpu_kernel_sets[k] == &kernels_plain)
            continue;
        rows_equal_name = cpu_kernel_sets[k]->name;
        for (size_t t = 0; t < LEN(dtypes); t++) {
            struct attention a, b;
            struct matrix want, got;
            struct sequence company[33];

            open_attention(&a, rows_equal_name, dtypes[t], 1, 7, 1, 64);
            open_attention(&b, rows_equal_name, dtypes[t], 2, 7, 1, 64);
            want = run_chunks(&a, LEN_SEQ, 256, 1, 20);
            for (size_t c = 0; c < LEN(chunks); c++) {
                got = run_chunks(&b, LEN_SEQ, chunks[c], 20, 20);
                check_rows_equal(&got, got.t.dim[0] - 1, &want, want.t.dim[0] - 1);
                drop(&got);
            }
            /* Others that begin alike: their 17th blocks, which differ, are 18 + i, away from
             * blocks 1 to 17. */
            for (int i = 0; i < 33; i++)
                company[i] = (struct sequence){.n_new = 1,
                                               .len = LEN_SEQ - (i > 0) * (i % 13),
                                               .first_block = i == 0 ? 1 : 2 + i,
                                               .stream = i == 0 ? 20 : 40 + i,
                                               .n_shared = i == 0 ? 0 : 16};
            got = run_chunks(&b, LEN_SEQ - 1, 256, 1, 20);
            drop(&got);
            got = run_attention(&b, company, 33);
            check_rows_equal(&got, 0, &want, want.t.dim[0] - 1);
            drop(&got);
            drop(&want);
            close_attention(&a);
            close_attention(&b);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_agrees_with_plain),
        cmocka_unit_test(linear_rows_do_not_depend_on_their_number),
        cmocka_unit_test(large_products_are_cut_without_a_trace),
        cmocka_unit_test(segments_of_two_ranks_add_up),
        cmocka_unit_test(gate_and_up_are_multiplied),
        cmocka_unit_test(norms_agree_with_plain),
        cmocka_unit_test(extremes_stay_finite),
        cmocka_unit_test(attention_agrees_with_plain),
        cmocka_unit_test(attention_rows_do_not_depend_on_company),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
