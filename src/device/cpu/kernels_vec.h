/* kernels_vec.h - the inner loops for vectors of VEC_LANES floats; each kernel set that includes it
 * compiles them for its own instructions.
 *
 * Sums of a row run over 16 lanes whatever the vector's width, and lanes are added by one fixed
 * tree, so that width alone does not change bits. */
#pragma once

#include <math.h>
#include <string.h>

#include "base/macros.h"
#include "device/cpu/kernels.h"

#ifndef VEC_LANES
#error "define VEC_LANES, GEMM_ROWS and GEMM_PANELS first"
#endif

/* A loop over constants, written out by the compiler. */
#if defined(KERNELS_NOT_UNROLLED)
#define UNROLL_FOR(...) for (__VA_ARGS__)
#elif defined(__clang__)
#define UNROLL_FOR(...) _Pragma("unroll") for (__VA_ARGS__)
#else
#define UNROLL_FOR(...) _Pragma("GCC unroll 16") for (__VA_ARGS__)
#endif
#define INLINE static inline __attribute__((always_inline, unused))

enum { NV = PANEL / VEC_LANES }; /* vectors of one panel */

typedef float vf __attribute__((vector_size(VEC_LANES * 4)));
typedef int32_t vi __attribute__((vector_size(VEC_LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(VEC_LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(VEC_LANES * 2)));

INLINE vf vec_load(const void *p)
{
    vf v;

    memcpy(&v, p, sizeof(v));
    return v;
}

INLINE void vec_store(void *p, vf v)
{
    memcpy(p, &v, sizeof(v));
}

INLINE vf vec_set(float x)
{
    return (vf){0} + x;
}

INLINE vf vec_select(vi mask, vf a, vf b)
{
    return (vf)(((vi)a & mask) | ((vi)b & ~mask));
}

#if VEC_LANES == 16 /* AVX-512 has instructions for these; the same bits */

INLINE vf vec_max(vf a, vf b)
{
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
}

INLINE vf vec_min(vf a, vf b)
{
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
}

/* x 2^n for whole n; 0 where power < least. */
INLINE vf vec_scale(vf x, vf n, vf power, float least)
{
    __mmask16 mask = _mm512_cmp_ps_mask((__m512)power, _mm512_set1_ps(least), _CMP_NLT_UQ);

    return (vf)_mm512_maskz_scalef_ps(mask, (__m512)x, (__m512)n);
}

/* 16 lanes to one number: halves are added until one is left. */
INLINE float lanes_sum(const vf *v)
{
    __m256 a =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)*v), _mm512_extractf32x8_ps((__m512)*v, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));

    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

INLINE float lanes_max(const vf *v)
{
    return _mm512_reduce_max_ps((__m512)*v);
}

#else

INLINE vf vec_max(vf a, vf b)
{
    return vec_select(a > b, a, b);
}

INLINE vf vec_min(vf a, vf b)
{
    return vec_select(a < b, a, b);
}

/* x 2^n for whole n; 0 where power < least. */
INLINE vf vec_scale(vf x, vf n, vf power, float least)
{
    return vec_select(power < vec_set(least), vec_set(0),
                      (vf)((vi)x + (__builtin_convertvector(n, vi) << 23)));
}

/* 16 lanes to one number: halves are added until one is left. */
INLINE float lanes_sum(const vf *v)
{
    float x[PANEL];

    memcpy(x, v, sizeof(x));
    for (int n = PANEL / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            x[i] += x[i + n];
    return x[0];
}

INLINE float lanes_max(const vf *v)
{
    float x[PANEL];

    memcpy(x, v, sizeof(x));
    for (int n = PANEL / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            x[i] = x[i] > x[i + n] ? x[i] : x[i + n];
    return x[0];
}

#endif

/* e^x within 2 ulp; exactly 0 below -87.3 (masked scores are -infinity), held at e^88 above. */
INLINE vf vec_exp(vf power)
{
    const vf magic = vec_set(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vf x = vec_max(vec_set(-88.0f),
                   vec_min(vec_set(88.0f), power)); /* in this order a NaN stays one */
    vf n = (x * vec_set(1.44269504088896341f) + magic) - magic;
    vf r = x - n * vec_set(0.693359375f) - n * vec_set(-2.12194440e-4f);
    vf p = vec_set(1.9875691500e-4f);

    p = p * r + vec_set(1.3981999507e-3f);
    p = p * r + vec_set(8.3334519073e-3f);
    p = p * r + vec_set(4.1665795894e-2f);
    p = p * r + vec_set(1.6666665459e-1f);
    p = p * r + vec_set(5.0000001201e-1f);
    p = p * r * r + r + vec_set(1.0f);
    return vec_scale(p, n, power, -87.3f);
}

/* Values rounded to bf16, in the upper halves of the words. */
INLINE vu vec_round_bf16(vf x)
{
    vu bits = (vu)x, rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
    vi is_nan = x != x;

    return (((vu)is_nan & (bits | 0x400000u)) | (~(vu)is_nan & rounded)) & 0xFFFF0000u;
}

/* The two values of each bf16 pair, widened. */
INLINE vf pair_first(vu w)
{
    return (vf)(w << 16);
}

INLINE vf pair_second(vu w)
{
    return (vf)(w & 0xFFFF0000u);
}

INLINE float bf16_at(const uint16_t *x)
{
    uint32_t bits = (uint32_t)*x << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* --- products --------------------------------------------------------------------------------- */

/* One block of outputs: rows [m, m + n_m), panels [p, p + n_p). n_m, n_p and is_bf16 are constants
 * where this is called, so that the accumulators stay in registers. */
INLINE void gemm_block(const struct gemm *g, int m, int p, const int n_m, const int n_p,
                       const bool is_bf16)
{
    float sums[MAX_SEGMENTS][GEMM_ROWS * GEMM_PANELS][PANEL];
    const char *w = g->w + (size_t)p * g->panel_bytes;
    vf acc[GEMM_ROWS * GEMM_PANELS][NV];

    for (int s = 0; s < g->n_segments; s++) {
        UNROLL_FOR (int i = 0; i < n_m * n_p; i++)
            UNROLL_FOR (int v = 0; v < NV; v++)
                acc[i][v] = (vf){0};
        for (int k = g->segment_start[s]; k < g->segment_start[s + 1]; k += is_bf16 ? 2 : 1) {
            UNROLL_FOR (int j = 0; j < n_p; j++) {
                const char *at =
                    w + (size_t)j * g->panel_bytes + (size_t)k * PANEL * (is_bf16 ? 2 : 4);

                UNROLL_FOR (int v = 0; v < NV; v++) {
                    vf packed = vec_load(at + v * VEC_LANES * 4);

                    UNROLL_FOR (int i = 0; i < n_m; i++) {
                        vf *a = &acc[i * n_p + j][v];

                        if (is_bf16) {
                            const uint16_t *x = (const uint16_t *)g->x + (m + i) * g->x_row + k;

                            *a += vec_set(bf16_at(x)) * pair_first((vu)packed);
                            *a += vec_set(bf16_at(x + 1)) * pair_second((vu)packed);
                        } else {
                            *a += vec_set(((const float *)g->x)[(m + i) * g->x_row + k]) * packed;
                        }
                    }
                }
            }
        }
        UNROLL_FOR (int i = 0; i < n_m * n_p; i++)
            UNROLL_FOR (int v = 0; v < NV; v++)
                vec_store(&sums[s][i][v * VEC_LANES], acc[i][v]);
    }
    for (int i = 0; i < n_m; i++) {
        for (int j = 0; j < n_p; j++) {
            int first = (p + j) * PANEL, n = MIN(g->n - first, PANEL);
            float *y = g->y + (m + i) * g->y_row + first - g->y_first * PANEL;

            for (int l = 0; l < n; l++) {
                float x[MAX_SEGMENTS];

                for (int s = 0; s < g->n_segments; s++)
                    x[s] = sums[s][i * n_p + j][l];
                y[l] = tree_sum(x, g->n_segments) + (g->bias ? g->bias[first + l] : 0);
            }
        }
    }
}

/* Parts of a product are cut at pairs of panels, so what is left of a part is often a pair. */
enum { HALF_PANELS = GEMM_PANELS > 2 ? 2 : 1 };

#define GEMM_CASE(n, is_bf16) \
    case n: \
        if (n_p == GEMM_PANELS) \
            gemm_block(g, m, p, n, GEMM_PANELS, is_bf16); \
        else if (n_p == HALF_PANELS) \
            gemm_block(g, m, p, n, HALF_PANELS, is_bf16); \
        else \
            gemm_block(g, m, p, n, 1, is_bf16); \
        break

#define GEMM_FUNCTION(name, is_bf16) \
    static __attribute__((unused)) void name(const struct gemm *g, int first, int last) \
    { \
        for (int p = first, n_p; p < last; p += n_p) { \
            n_p = last - p >= GEMM_PANELS   ? GEMM_PANELS \
                  : last - p >= HALF_PANELS ? HALF_PANELS \
                                            : 1; \
            for (int m = 0; m < g->m; m += GEMM_ROWS) { \
                switch (MIN(g->m - m, GEMM_ROWS)) { \
                    GEMM_CASE(1, is_bf16); \
                    GEMM_CASE(2, is_bf16); \
                    GEMM_CASE(3, is_bf16); \
                    GEMM_CASE(4, is_bf16); \
                } \
            } \
        } \
    }

GEMM_FUNCTION(vec_gemm_bf16, true)
GEMM_FUNCTION(vec_gemm_f32, false)

/* --- attention -------------------------------------------------------------------------------- */

/* Scales the scores of one split, s[n_blocks * 16], and hides those that a row does not see; the
 * largest. */
INLINE float softmax_max(float *s, int n_blocks, int n_visible, float scale)
{
    int whole = n_visible / KV_BLOCK_TOKENS;
    vf max[NV];
    vi lane[NV];

    for (int v = 0; v < NV; v++) {
        max[v] = vec_set(-INFINITY);
        for (int i = 0; i < VEC_LANES; i++)
            lane[v][i] = v * VEC_LANES + i;
    }
    for (int b = 0; b < n_blocks; b++) {
        for (int v = 0; v < NV; v++) {
            float *at = s + b * KV_BLOCK_TOKENS + v * VEC_LANES;
            vf x = vec_load(at) * vec_set(scale);

            if (b >= whole)
                x = vec_select(lane[v] + b * KV_BLOCK_TOKENS < (vi){0} + n_visible, x,
                               vec_set(-INFINITY));
            vec_store(at, x);
            max[v] = vec_max(max[v], x);
        }
    }
    return lanes_max(max);
}

/* Scores of one split -> weights; the row's maximum and sum in *st. */
INLINE void softmax_split(float *s, int n_blocks, int n_visible, float scale,
                          struct attend_state *st)
{
    vf sum[NV];

    for (int v = 0; v < NV; v++)
        sum[v] = (vf){0};
    st->max = softmax_max(s, n_blocks, n_visible, scale);
    for (int b = 0; b < n_blocks; b++) {
        for (int v = 0; v < NV; v++) {
            float *at = s + b * KV_BLOCK_TOKENS + v * VEC_LANES;
            vf x = vec_exp(vec_load(at) - vec_set(st->max));

            vec_store(at, x);
            sum[v] += x;
        }
    }
    st->sum = lanes_sum(sum);
}

/* Folds a split's (state, o) into what the row has so far: both are rescaled to the larger maximum.
 */
INLINE void fold_split(struct attend_state *st, float *o, const struct attend_state *split,
                       const float *split_o, int n)
{
    float max = st->max > split->max ? st->max : split->max;
    vf a = vec_exp(vec_set(st->max - max)), b = vec_exp(vec_set(split->max - max));

    st->max = max;
    st->sum = st->sum * a[0] + split->sum * b[0];
    for (int i = 0; i < n; i += VEC_LANES)
        vec_store(o + i, vec_load(o + i) * a + vec_load(split_o + i) * b);
}

enum { ATTEND_STRIP = 4, MAX_PADDED_DIM = 512 };

/* Scores of n rows against one block, 16 tokens each. */
INLINE void score_block(const struct attend *a, int row, const int n, int b,
                        float (*s)[KV_SPLIT_TOKENS], const bool is_bf16)
{
    vf acc[ATTEND_STRIP][NV];
    const char *k = a->k[b];

    UNROLL_FOR (int r = 0; r < n; r++)
        UNROLL_FOR (int v = 0; v < NV; v++)
            acc[r][v] = (vf){0};
    for (int i = 0; i < a->head_dim; i += is_bf16 ? 2 : 1) {
        UNROLL_FOR (int v = 0; v < NV; v++) {
            vf packed = vec_load(k + (size_t)i * PANEL * (is_bf16 ? 2 : 4) + v * VEC_LANES * 4);

            UNROLL_FOR (int r = 0; r < n; r++) {
                if (is_bf16) {
                    const uint16_t *q = (const uint16_t *)a->q + (row + r) * a->padded_dim + i;

                    acc[r][v] += vec_set(bf16_at(q)) * pair_first((vu)packed);
                    acc[r][v] += vec_set(bf16_at(q + 1)) * pair_second((vu)packed);
                } else {
                    acc[r][v] +=
                        vec_set(((const float *)a->q)[(row + r) * a->padded_dim + i]) * packed;
                }
            }
        }
    }
    UNROLL_FOR (int r = 0; r < n; r++)
        UNROLL_FOR (int v = 0; v < NV; v++)
            vec_store(&s[r][b * KV_BLOCK_TOKENS + v * VEC_LANES], acc[r][v]);
}

/* o[n rows][16 values from i] = weights times values, over all blocks in order. */
INLINE void mix_values(const struct attend *a, const int n, int i, float (*p)[KV_SPLIT_TOKENS],
                       float (*o)[MAX_PADDED_DIM], const bool is_bf16)
{
    vf acc[ATTEND_STRIP][NV];

    UNROLL_FOR (int r = 0; r < n; r++)
        UNROLL_FOR (int v = 0; v < NV; v++)
            acc[r][v] = (vf){0};
    for (int b = 0; b < a->n_blocks; b++) {
        for (int t = 0; t < KV_BLOCK_TOKENS; t += is_bf16 ? 2 : 1) {
            const char *at =
                is_bf16 ? a->v[b] + ((size_t)(t / 2) * (size_t)a->padded_dim + (size_t)i) * 4
                        : a->v[b] + ((size_t)t * (size_t)a->padded_dim + (size_t)i) * 4;

            UNROLL_FOR (int v = 0; v < NV; v++) {
                vf packed = vec_load(at + v * VEC_LANES * 4);

                UNROLL_FOR (int r = 0; r < n; r++) {
                    const float *w = &p[r][b * KV_BLOCK_TOKENS + t];

                    if (is_bf16) {
                        acc[r][v] += vec_set(w[0]) * pair_first((vu)packed);
                        acc[r][v] += vec_set(w[1]) * pair_second((vu)packed);
                    } else {
                        acc[r][v] += vec_set(w[0]) * packed;
                    }
                }
            }
        }
    }
    UNROLL_FOR (int r = 0; r < n; r++)
        UNROLL_FOR (int v = 0; v < NV; v++)
            vec_store(&o[r][i + v * VEC_LANES], acc[r][v]);
}

INLINE void attend_strip(const struct attend *a, int row, const int n, const bool is_bf16)
{
    float s[ATTEND_STRIP][KV_SPLIT_TOKENS], o[ATTEND_STRIP][MAX_PADDED_DIM];
    struct attend_state split[ATTEND_STRIP];

    for (int b = 0; b < a->n_blocks; b++)
        score_block(a, row, n, b, s, is_bf16);
    for (int r = 0; r < n; r++) {
        softmax_split(s[r], a->n_blocks, a->n_visible[row + r], a->scale, &split[r]);
        for (int t = 0; is_bf16 && t < a->n_blocks * KV_BLOCK_TOKENS; t += VEC_LANES)
            vec_store(&s[r][t], (vf)vec_round_bf16(vec_load(&s[r][t])));
    }
    for (int i = 0; i < a->padded_dim; i += PANEL)
        mix_values(a, n, i, s, o, is_bf16);
    for (int r = 0; r < n; r++) {
        float *to = a->o + (size_t)(row + r) * (size_t)a->padded_dim;

        if (a->is_first) {
            a->state[row + r] = split[r];
            memcpy(to, o[r], (size_t)a->padded_dim * sizeof(float));
        } else {
            fold_split(&a->state[row + r], to, &split[r], o[r], a->padded_dim);
        }
    }
}

#define ATTEND_FUNCTION(name, is_bf16) \
    static __attribute__((unused)) void name(const struct attend *a) \
    { \
        for (int row = 0; row < a->n_rows; row += ATTEND_STRIP) { \
            switch (MIN(a->n_rows - row, ATTEND_STRIP)) { \
            case 1: \
                attend_strip(a, row, 1, is_bf16); \
                break; \
            case 2: \
                attend_strip(a, row, 2, is_bf16); \
                break; \
            case 3: \
                attend_strip(a, row, 3, is_bf16); \
                break; \
            default: \
                attend_strip(a, row, 4, is_bf16); \
                break; \
            } \
        } \
    }

ATTEND_FUNCTION(vec_attend_bf16, true)
ATTEND_FUNCTION(vec_attend_f32, false)

/* --- rows ------------------------------------------------------------------------------------- */

/* The last group of a row that is no multiple of 16 is padded by zeros. */
static __attribute__((unused)) void vec_rms_norm(float *y, const float *x, const float *w, int n,
                                                 float eps)
{
    vf sum[NV] = {{0}};
    float tail[PANEL] = {0}, scale;
    int whole = n / PANEL * PANEL;

    for (int i = 0; i < whole; i += PANEL)
        UNROLL_FOR (int v = 0; v < NV; v++) {
            vf a = vec_load(x + i + v * VEC_LANES);

            sum[v] += a * a;
        }
    if (whole < n) {
        memcpy(tail, x + whole, (size_t)(n - whole) * sizeof(float));
        for (int v = 0; v < NV; v++) {
            vf a = vec_load(tail + v * VEC_LANES);

            sum[v] += a * a;
        }
    }
    scale = 1.0f / sqrtf(lanes_sum(sum) / (float)n + eps);
    for (int i = 0; i < whole; i += VEC_LANES)
        vec_store(y + i, vec_load(w + i) * (vec_load(x + i) * vec_set(scale)));
    for (int i = whole; i < n; i++)
        y[i] = w[i] * (x[i] * scale);
}

static __attribute__((unused)) void vec_add(float *r, const float *x, int n)
{
    int whole = n / VEC_LANES * VEC_LANES;

    for (int i = 0; i < whole; i += VEC_LANES)
        vec_store(r + i, vec_load(r + i) + vec_load(x + i));
    for (int i = whole; i < n; i++)
        r[i] += x[i];
}

static __attribute__((unused)) void vec_divide(float *x, float by, int n)
{
    int whole = n / VEC_LANES * VEC_LANES;

    for (int i = 0; i < whole; i += VEC_LANES)
        vec_store(x + i, vec_load(x + i) / vec_set(by));
    for (int i = whole; i < n; i++)
        x[i] /= by;
}

/* Turns pairs (i, i + half) by their angles. */
static __attribute__((unused)) void vec_rotate(float *y, const float *x, const float *cos,
                                               const float *sin, int half)
{
    int whole = half / VEC_LANES * VEC_LANES;

    for (int i = 0; i < whole; i += VEC_LANES) {
        vf a = vec_load(x + i), b = vec_load(x + i + half), c = vec_load(cos + i),
           s = vec_load(sin + i);

        vec_store(y + i, a * c - b * s);
        vec_store(y + i + half, b * c + a * s);
    }
    for (int i = whole; i < half; i++) {
        y[i] = x[i] * cos[i] - x[i + half] * sin[i];
        y[i + half] = x[i + half] * cos[i] + x[i] * sin[i];
    }
}

INLINE vf silu_mul_one(vf gate, vf up)
{
    return gate / (vec_set(1.0f) + vec_exp((vf){0} - gate)) * up;
}

static __attribute__((unused)) void vec_silu_mul(float *y, const float *gate, const float *up,
                                                 int n)
{
    int whole = n / VEC_LANES * VEC_LANES;
    float tail[3][VEC_LANES] = {{0}};

    for (int i = 0; i < whole; i += VEC_LANES)
        vec_store(y + i, silu_mul_one(vec_load(gate + i), vec_load(up + i)));
    if (whole == n)
        return;
    memcpy(tail[0], gate + whole, (size_t)(n - whole) * sizeof(float));
    memcpy(tail[1], up + whole, (size_t)(n - whole) * sizeof(float));
    vec_store(tail[2], silu_mul_one(vec_load(tail[0]), vec_load(tail[1])));
    memcpy(y + whole, tail[2], (size_t)(n - whole) * sizeof(float));
}

static __attribute__((unused)) void vec_to_bf16(uint16_t *y, const float *x, int n)
{
    int whole = n / VEC_LANES * VEC_LANES;

    for (int i = 0; i < whole; i += VEC_LANES) {
        vh h = __builtin_convertvector(vec_round_bf16(vec_load(x + i)) >> 16, vh);

        memcpy(y + i, &h, sizeof(h));
    }
    for (int i = whole; i < n; i++)
        y[i] = f32_to_bf16(x[i]);
}

/* --- the limit -------------------------------------------------------------------------------- */

enum { PEAK_CHAINS = 12, PEAK_STEPS = 100000 };

/* Fused multiply-adds on independent chains; the empty assembly keeps each in its register. */
static __attribute__((unused)) double vec_peak(enum dtype compute UNUSED)
{
    vf a[PEAK_CHAINS], x = vec_set(0.999f);

    UNROLL_FOR (int j = 0; j < PEAK_CHAINS; j++)
        a[j] = vec_set((float)j);
    __asm__ volatile("" : "+v"(x));
    for (int i = 0; i < PEAK_STEPS; i++) {
        UNROLL_FOR (int j = 0; j < PEAK_CHAINS; j++) {
            a[j] = a[j] * x + x;
            __asm__ volatile("" : "+v"(a[j]));
        }
    }
    return 2.0 * VEC_LANES * PEAK_CHAINS * PEAK_STEPS;
}
