/* kernels_plain.c - the inner loops in plain scalar C: the reference that defines the others. */
#include "device/cpu/kernels.h"

#include <math.h>
#include <string.h>

#include "base/macros.h"

static bool always(void)
{
    return true;
}

/* Element (k, j) of a panel. */
static float weight_bf16(const char *panel, int k, int j)
{
    uint16_t w;

    memcpy(&w, panel + ((size_t)(k / 2 * PANEL + j) * 2 + (size_t)(k % 2)) * 2, sizeof(w));
    return bf16_to_f32(w);
}

static float weight_f32(const char *panel, int k, int j)
{
    float w;

    memcpy(&w, panel + ((size_t)k * PANEL + (size_t)j) * 4, sizeof(w));
    return w;
}

static void gemm_bf16(const struct gemm *g, int first, int last)
{
    for (int n = first * PANEL; n < MIN(last * PANEL, g->n); n++) {
        const char *panel = g->w + (size_t)(n / PANEL) * g->panel_bytes;

        for (int m = 0; m < g->m; m++) {
            const uint16_t *x = (const uint16_t *)g->x + m * g->x_row;
            float sums[MAX_SEGMENTS] = {0};

            for (int s = 0; s < g->n_segments; s++)
                for (int k = g->segment_start[s]; k < g->segment_start[s + 1]; k++)
                    sums[s] += bf16_to_f32(x[k]) * weight_bf16(panel, k, n % PANEL);
            g->y[m * g->y_row + n - g->y_first * PANEL] =
                tree_sum(sums, g->n_segments) + (g->bias ? g->bias[n] : 0);
        }
    }
}

static void gemm_f32(const struct gemm *g, int first, int last)
{
    for (int n = first * PANEL; n < MIN(last * PANEL, g->n); n++) {
        const char *panel = g->w + (size_t)(n / PANEL) * g->panel_bytes;

        for (int m = 0; m < g->m; m++) {
            const float *x = (const float *)g->x + m * g->x_row;
            float sums[MAX_SEGMENTS] = {0};

            for (int s = 0; s < g->n_segments; s++)
                for (int k = g->segment_start[s]; k < g->segment_start[s + 1]; k++)
                    sums[s] += x[k] * weight_f32(panel, k, n % PANEL);
            g->y[m * g->y_row + n - g->y_first * PANEL] =
                tree_sum(sums, g->n_segments) + (g->bias ? g->bias[n] : 0);
        }
    }
}

/* Folds one split into the running softmax of a row: both are rescaled to the larger maximum. */
static void fold(struct attend_state *st, float *o, const struct attend_state *split,
                 const float *split_o, int n)
{
    float max = fmaxf(st->max, split->max);
    float a = expf(st->max - max), b = expf(split->max - max);

    st->max = max;
    st->sum = st->sum * a + split->sum * b;
    for (int i = 0; i < n; i++)
        o[i] = o[i] * a + split_o[i] * b;
}

struct kv_reader {
    float (*k)(const char *block, int token, int i, int padded_dim);
    float (*v)(const char *block, int token, int i, int padded_dim);
    float (*round_p)(float p);
};

static float k_bf16(const char *block, int token, int i, int padded_dim UNUSED)
{
    return weight_bf16(block, i, token);
}

static float v_bf16(const char *block, int token, int i, int padded_dim)
{
    uint16_t v;

    memcpy(&v, block + ((size_t)(token / 2 * padded_dim + i) * 2 + (size_t)(token % 2)) * 2,
           sizeof(v));
    return bf16_to_f32(v);
}

static float round_bf16(float p)
{
    return bf16_to_f32(f32_to_bf16(p));
}

static float k_f32(const char *block, int token, int i, int padded_dim UNUSED)
{
    return weight_f32(block, i, token);
}

static float v_f32(const char *block, int token, int i, int padded_dim)
{
    float v;

    memcpy(&v, block + ((size_t)token * (size_t)padded_dim + (size_t)i) * 4, sizeof(v));
    return v;
}

static float round_none(float p)
{
    return p;
}

static void attend_row(const struct attend *a, int row, const float *q, const struct kv_reader *kv)
{
    struct attend_state split = {.max = -INFINITY};
    float p[KV_SPLIT_TOKENS], o[1024] = {0};
    int n = a->n_visible[row];

    for (int t = 0; t < n; t++) {
        const char *block = a->k[t / KV_BLOCK_TOKENS];
        float s = 0;

        for (int i = 0; i < a->head_dim; i++)
            s += q[i] * kv->k(block, t % KV_BLOCK_TOKENS, i, a->padded_dim);
        p[t] = s * a->scale;
        split.max = fmaxf(split.max, p[t]);
    }
    for (int t = 0; t < n; t++) {
        p[t] = expf(p[t] - split.max);
        split.sum += p[t];
        p[t] = kv->round_p(p[t]);
    }
    for (int t = 0; t < n; t++)
        for (int i = 0; i < a->head_dim; i++)
            o[i] += p[t] * kv->v(a->v[t / KV_BLOCK_TOKENS], t % KV_BLOCK_TOKENS, i, a->padded_dim);
    if (a->is_first) {
        a->state[row] = split;
        memcpy(a->o + (size_t)row * (size_t)a->padded_dim, o,
               (size_t)a->padded_dim * sizeof(float));
    } else {
        fold(&a->state[row], a->o + (size_t)row * (size_t)a->padded_dim, &split, o, a->head_dim);
    }
}

static void attend_bf16(const struct attend *a)
{
    static const struct kv_reader reader = {k_bf16, v_bf16, round_bf16};
    float q[1024];

    for (int row = 0; row < a->n_rows; row++) {
        const uint16_t *from = (const uint16_t *)a->q + (size_t)row * (size_t)a->padded_dim;

        for (int i = 0; i < a->head_dim; i++)
            q[i] = bf16_to_f32(from[i]);
        attend_row(a, row, q, &reader);
    }
}

static void attend_f32(const struct attend *a)
{
    static const struct kv_reader reader = {k_f32, v_f32, round_none};

    for (int row = 0; row < a->n_rows; row++)
        attend_row(a, row, (const float *)a->q + (size_t)row * (size_t)a->padded_dim, &reader);
}

static void norm_row(float *y, const float *x, const float *w, int n, float eps)
{
    double sum = 0;
    float scale;

    for (int i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    scale = 1.0f / sqrtf((float)(sum / n) + eps);
    for (int i = 0; i < n; i++)
        y[i] = w[i] * (x[i] * scale);
}

static void add_row(float *r, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        r[i] += x[i];
}

static void divide_row(float *x, float by, int n)
{
    for (int i = 0; i < n; i++)
        x[i] /= by;
}

static void rotate_row(float *y, const float *x, const float *cos, const float *sin, int half)
{
    for (int i = 0; i < half; i++) {
        y[i] = x[i] * cos[i] - x[i + half] * sin[i];
        y[i + half] = x[i + half] * cos[i] + x[i] * sin[i];
    }
}

static void silu_row(float *y, const float *gate, const float *up, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

static void to_bf16(uint16_t *y, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = f32_to_bf16(x[i]);
}

static double peak(enum dtype compute UNUSED)
{
    volatile float sink;
    float a[8] = {0}, x = 0.999f;

    for (int i = 0; i < 100000; i++)
        for (int j = 0; j < 8; j++)
            a[j] = a[j] * x + x;
    sink = a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
    (void)sink;
    return 2.0 * 8 * 100000;
}

const struct cpu_kernels kernels_plain = {
    .name = "plain",
    .is_supported = always,
    .gemm_bf16 = gemm_bf16,
    .gemm_f32 = gemm_f32,
    .attend_bf16 = attend_bf16,
    .attend_f32 = attend_f32,
    .rms_norm = norm_row,
    .add = add_row,
    .divide = divide_row,
    .rotate = rotate_row,
    .silu_mul = silu_row,
    .to_bf16 = to_bf16,
    .peak = peak,
};
