/* kernels_dpbf16.h - products and attention on VDPBF16PS: acc += first * first + second * second of
 * each pair. Included after kernels_vec.h by the sets whose CPUs have it. */
#pragma once

enum { DP_ROWS = 6, DP_PANELS = 4 };

INLINE __m512bh dp_pairs(const void *p)
{
    return (__m512bh)_mm512_loadu_si512(p);
}

INLINE __m512bh dp_pair(const uint16_t *p)
{
    int32_t pair;

    memcpy(&pair, p, sizeof(pair));
    return (__m512bh)_mm512_set1_epi32(pair);
}

/* Writes a block's outputs: segments are summed by the tree, then bias. */
INLINE void dp_finish(const struct gemm *g, int m, int p, const int n_m, const int n_p,
                      float (*sums)[DP_ROWS * DP_PANELS][PANEL])
{
    for (int i = 0; i < n_m; i++) {
        for (int j = 0; j < n_p; j++) {
            int first = (p + j) * PANEL, at = i * n_p + j;
            __mmask16 mask = (__mmask16)((1u << MIN(g->n - first, PANEL)) - 1);
            __m512 x[MAX_SEGMENTS];

            for (int s = 0; s < g->n_segments; s++)
                x[s] = _mm512_loadu_ps(sums[s][at]);
            for (int n = g->n_segments; n > 1; n /= 2)
                for (int s = 0; s < n / 2; s++)
                    x[s] = _mm512_add_ps(x[2 * s], x[2 * s + 1]);
            if (g->bias)
                x[0] = _mm512_add_ps(x[0], _mm512_maskz_loadu_ps(mask, g->bias + first));
            _mm512_mask_storeu_ps(g->y + (m + i) * g->y_row + first - g->y_first * PANEL, mask,
                                  x[0]);
        }
    }
}

INLINE void dp_gemm_block(const struct gemm *g, int m, int p, const int n_m, const int n_p)
{
    float sums[MAX_SEGMENTS][DP_ROWS * DP_PANELS][PANEL];
    const char *w = g->w + (size_t)p * g->panel_bytes;
    __m512 acc[DP_ROWS * DP_PANELS];

    for (int s = 0; s < g->n_segments; s++) {
        UNROLL_FOR (int i = 0; i < n_m * n_p; i++)
            acc[i] = _mm512_setzero_ps();
        for (int k = g->segment_start[s]; k < g->segment_start[s + 1]; k += 2) {
            __m512bh b[DP_PANELS];

            UNROLL_FOR (int j = 0; j < n_p; j++) {
                const char *at = w + (size_t)j * g->panel_bytes + (size_t)k * PANEL * 2;

                b[j] = dp_pairs(at);
                _mm_prefetch(at + 2048, _MM_HINT_T0);
            }
            UNROLL_FOR (int i = 0; i < n_m; i++) {
                __m512bh a = dp_pair((const uint16_t *)g->x + (m + i) * g->x_row + k);

                UNROLL_FOR (int j = 0; j < n_p; j++)
                    acc[i * n_p + j] = _mm512_dpbf16_ps(acc[i * n_p + j], a, b[j]);
            }
        }
        UNROLL_FOR (int i = 0; i < n_m * n_p; i++)
            _mm512_storeu_ps(sums[s][i], acc[i]);
    }
    dp_finish(g, m, p, n_m, n_p, sums);
}

#define DP_CASE(n) \
    case n: \
        if (n_p == DP_PANELS) \
            dp_gemm_block(g, m, p, n, DP_PANELS); \
        else if (n_p == 2) \
            dp_gemm_block(g, m, p, n, 2); \
        else \
            dp_gemm_block(g, m, p, n, 1); \
        break

static __attribute__((unused)) void dp_gemm_bf16(const struct gemm *g, int first, int last)
{
    for (int p = first, n_p; p < last; p += n_p) {
        n_p = last - p >= DP_PANELS ? DP_PANELS
              : last - p >= 2       ? 2
                                    : 1; /* parts of a product are cut at pairs */
        for (int m = 0; m < g->m; m += DP_ROWS) {
            switch (MIN(g->m - m, DP_ROWS)) {
                DP_CASE(1);
                DP_CASE(2);
                DP_CASE(3);
                DP_CASE(4);
                DP_CASE(5);
                DP_CASE(6);
            }
        }
    }
}

static __attribute__((unused)) void dp_to_bf16(uint16_t *y, const float *x, int n)
{
    int whole = n / 16 * 16;

    for (int i = 0; i < whole; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i),
                            (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
    for (int i = whole; i < n; i++)
        y[i] = f32_to_bf16(x[i]);
}

/* --- attention -------------------------------------------------------------------------------- */

/* As softmax_split, with the weights rounded to bf16 in p; their sum is that of the unrounded ones.
 */
INLINE void dp_softmax(uint16_t *p, float *s, int n_blocks, int n_visible, float scale,
                       struct attend_state *st)
{
    vf sum = {0};

    st->max = softmax_max(s, n_blocks, n_visible, scale);
    for (int i = 0; i < n_blocks * KV_BLOCK_TOKENS; i += VEC_LANES) {
        vf x = vec_exp(vec_load(s + i) - vec_set(st->max));

        _mm256_storeu_si256((__m256i *)(void *)(p + i), (__m256i)_mm512_cvtneps_pbh((__m512)x));
        sum += x;
    }
    st->sum = lanes_sum(&sum);
}

INLINE void dp_scores(const struct attend *a, int row, const int n, int b,
                      float (*s)[KV_SPLIT_TOKENS])
{
    __m512 acc[ATTEND_STRIP];

    UNROLL_FOR (int r = 0; r < n; r++)
        acc[r] = _mm512_setzero_ps();
    for (int i = 0; i < a->padded_dim; i += 2) {
        __m512bh k = dp_pairs(a->k[b] + (size_t)i * PANEL * 2);

        UNROLL_FOR (int r = 0; r < n; r++)
            acc[r] = _mm512_dpbf16_ps(
                acc[r], dp_pair((const uint16_t *)a->q + (row + r) * a->padded_dim + i), k);
    }
    UNROLL_FOR (int r = 0; r < n; r++)
        _mm512_storeu_ps(&s[r][b * KV_BLOCK_TOKENS], acc[r]);
}

/* Values [i, i + 16 n_v) of n rows. */
INLINE void dp_mix(const struct attend *a, const int n, int i, uint16_t (*p)[KV_SPLIT_TOKENS],
                   float (*o)[MAX_PADDED_DIM], const int n_v)
{
    __m512 acc[ATTEND_STRIP * 2];

    UNROLL_FOR (int r = 0; r < n * n_v; r++)
        acc[r] = _mm512_setzero_ps();
    for (int b = 0; b < a->n_blocks; b++) {
        for (int t = 0; t < KV_BLOCK_TOKENS / 2; t++) {
            const char *at = a->v[b] + ((size_t)t * (size_t)a->padded_dim + (size_t)i) * 4;

            UNROLL_FOR (int v = 0; v < n_v; v++) {
                __m512bh values = dp_pairs(at + v * PANEL * 4);

                UNROLL_FOR (int r = 0; r < n; r++)
                    acc[r * n_v + v] = _mm512_dpbf16_ps(
                        acc[r * n_v + v], dp_pair(&p[r][b * KV_BLOCK_TOKENS + 2 * t]), values);
            }
        }
    }
    UNROLL_FOR (int r = 0; r < n; r++)
        UNROLL_FOR (int v = 0; v < n_v; v++)
            _mm512_storeu_ps(&o[r][i + v * PANEL], acc[r * n_v + v]);
}

INLINE void dp_attend_strip(const struct attend *a, int row, const int n)
{
    float s[ATTEND_STRIP][KV_SPLIT_TOKENS], o[ATTEND_STRIP][MAX_PADDED_DIM];
    uint16_t p[ATTEND_STRIP][KV_SPLIT_TOKENS];
    struct attend_state split[ATTEND_STRIP];

    for (int b = 0; b < a->n_blocks; b++)
        dp_scores(a, row, n, b, s);
    for (int r = 0; r < n; r++)
        dp_softmax(p[r], s[r], a->n_blocks, a->n_visible[row + r], a->scale, &split[r]);
    for (int i = 0; i < a->padded_dim; i += 2 * PANEL)
        dp_mix(a, n, i, p, o, 2);
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

static __attribute__((unused)) void dp_attend_bf16(const struct attend *a)
{
    for (int row = 0; row < a->n_rows; row += ATTEND_STRIP) {
        switch (MIN(a->n_rows - row, ATTEND_STRIP)) {
        case 1:
            dp_attend_strip(a, row, 1);
            break;
        case 2:
            dp_attend_strip(a, row, 2);
            break;
        case 3:
            dp_attend_strip(a, row, 3);
            break;
        default:
            dp_attend_strip(a, row, 4);
            break;
        }
    }
}

static __attribute__((unused)) double dp_peak(enum dtype compute)
{
    __m512 a[PEAK_CHAINS];
    __m512bh x = (__m512bh)_mm512_set1_epi32(0x3F803F80);

    if (compute != DTYPE_BF16)
        return vec_peak(compute);
    UNROLL_FOR (int j = 0; j < PEAK_CHAINS; j++)
        a[j] = _mm512_setzero_ps();
    for (int i = 0; i < PEAK_STEPS; i++) {
        UNROLL_FOR (int j = 0; j < PEAK_CHAINS; j++) {
            a[j] = _mm512_dpbf16_ps(a[j], x, x);
            __asm__ volatile("" : "+v"(a[j]));
        }
    }
    return 4.0 * 16 * PEAK_CHAINS * PEAK_STEPS;
}
