/* kernels_amx_bf16.c - products and attention on AMX tiles: TDPBF16PS adds a [16 x 32] by [32 x 16] product of bf16 to
 * 16 x 16 sums in f32. A row of the result depends on that row of the first factor alone, and every output
 * meets its inputs 32 at a time in order, so rows have the same bits beside any others.
 *
 * Two row tiles by two panels share each load. Up to 32 rows are bound by memory and leave streaming to the
 * processor; more rows go through in pieces of K whose weights stay in the first cache, while the weights of
 * the next panels are fetched a few lines at every step. */
#include "device/cpu/kernels.h"

#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* the second is how clang 14 spells it */

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VEC_LANES 16
#define GEMM_ROWS 4
#define GEMM_PANELS 4
#include "device/cpu/kernels_vec.h"
#include "device/cpu/kernels_dpbf16.h"

enum {
    TILE_K = 32,               /* inputs of one tile */
    TILE_BYTES = 1024,
    TILE_VALUES = 256,
    HIGH_ROWS = 128,           /* rows that share a piece of weights in the first cache */
    PIECE_STEPS = 10,          /* 20 KiB of weights and 20 KiB of x */
    ARCH_REQUEST_PERMISSION = 0x1023, /* arch_prctl(ARCH_REQ_XCOMP_PERM, ...) */
    STATE_TILE_DATA = 18,
};

static bool is_supported(void)
{
    unsigned a, b, c, d;

    if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & 1u << 22) || !(d & 1u << 24))
        return false;
    /* The system hands out tile registers on request, for the whole process. */
    return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, STATE_TILE_DATA) == 0;
}

struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t n_rows[16];
};

static void configure(const int *rows)
{
    struct tile_config c = {.palette = 1};

    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.n_rows[i] = (uint8_t)rows[i];
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c));
}

/* For two by two: tiles 0-3 hold sums, 4 and 5 rows of x (n0 and n1 of them), 6 and 7 weights. */
static void configure_wide(int n0, int n1)
{
    configure((const int[8]){n0, n0, n1, n1, n0, n1, 16, 16});
}

/* Next weights to fetch, spread evenly over the steps of the present ones. */
struct fetch {
    const char *at, *end;
    int lines_per_step;
};

INLINE void fetch_some(struct fetch *f)
{
    if (f->at >= f->end)
        return;
    for (int i = 0; i < f->lines_per_step; i++)
        _mm_prefetch(f->at + i * 64, _MM_HINT_T1);
    f->at += f->lines_per_step * 64;
}

/* Adds n_steps tiles of K for two row tiles (or one) by two panels (or one) to tiles 0 to 3. */
INLINE void multiply(const char *x0, const char *x1, const char *w0, const char *w1, int n_steps, const bool two_m,
                     const bool two_p, struct fetch *f)
{
    for (int k = 0; k < n_steps; k++) {
        size_t at = (size_t)k * TILE_BYTES;

        _tile_loadd(6, w0 + at, 64);
        _tile_loadd(4, x0 + at, 64);
        _tile_dpbf16ps(0, 4, 6);
        if (two_p) {
            _tile_loadd(7, w1 + at, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (two_m) {
            _tile_loadd(5, x1 + at, 64);
            _tile_dpbf16ps(2, 5, 6);
            if (two_p)
                _tile_dpbf16ps(3, 5, 7);
        }
        if (f)
            fetch_some(f);
    }
}

INLINE void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

INLINE void load_sums(float (*sums)[TILE_VALUES])
{
    _tile_loadd(0, sums[0], 64);
    _tile_loadd(1, sums[1], 64);
    _tile_loadd(2, sums[2], 64);
    _tile_loadd(3, sums[3], 64);
}

INLINE void store_sums(float (*sums)[TILE_VALUES])
{
    _tile_stored(0, sums[0], 64);
    _tile_stored(1, sums[1], 64);
    _tile_stored(2, sums[2], 64);
    _tile_stored(3, sums[3], 64);
}

/* Rows [m, m + n_m) of one panel from sums[segment][tile][16 x 16]. */
INLINE void finish(const struct gemm *g, int m, int n_m, int p, float (*sums)[4][TILE_VALUES], int tile,
                   const int n_segments)
{
    int first = p * PANEL;
    __mmask16 mask = (__mmask16)((1u << MIN(g->n - first, PANEL)) - 1);
    __m512 bias = g->bias ? _mm512_maskz_loadu_ps(mask, g->bias + first) : _mm512_setzero_ps();
    float *y = g->y + m * g->y_row + first - g->y_first * PANEL;

    for (int i = 0; i < n_m; i++, y += g->y_row) {
        __m512 x[MAX_SEGMENTS];

        UNROLL for (int s = 0; s < n_segments; s++) x[s] = _mm512_load_ps(&sums[s][tile][i * PANEL]);
        UNROLL for (int n = n_segments; n > 1; n /= 2)
            UNROLL for (int s = 0; s < n / 2; s++) x[s] = _mm512_add_ps(x[2 * s], x[2 * s + 1]);
        _mm512_mask_storeu_ps(y, mask, g->bias ? _mm512_add_ps(x[0], bias) : x[0]);
    }
}

static void finish_tile(const struct gemm *g, int m, int n_m, int p, float (*sums)[4][TILE_VALUES], int tile)
{
    switch (g->n_segments) {
    case 1: finish(g, m, n_m, p, sums, tile, 1); break;
    case 2: finish(g, m, n_m, p, sums, tile, 2); break;
    case 4: finish(g, m, n_m, p, sums, tile, 4); break;
    default: finish(g, m, n_m, p, sums, tile, 8); break;
    }
}

INLINE const char *row_tile(const struct gemm *g, int m)
{
    return (const char *)g->x + (size_t)(m / 16) * ((size_t)g->x_row / TILE_K * TILE_BYTES);
}

/* Row tiles m and m + 16 by panels p and p + 1, one of each where there is no second, over steps [from, to) of K. */
static void multiply_pair(const struct gemm *g, int m, int p, bool two_p, int from, int to, struct fetch *f)
{
    size_t at = (size_t)from * TILE_BYTES;
    const char *x0 = row_tile(g, m) + at, *x1 = row_tile(g, m + 16) + at;
    const char *w0 = g->w + (size_t)p * g->panel_bytes + at, *w1 = w0 + g->panel_bytes;
    bool two_m = g->m - m > 16;

    if (two_m && two_p)
        multiply(x0, x1, w0, w1, to - from, true, true, f);
    else if (two_m)
        multiply(x0, x1, w0, w1, to - from, true, false, f);
    else if (two_p)
        multiply(x0, x1, w0, w1, to - from, false, true, f);
    else
        multiply(x0, x1, w0, w1, to - from, false, false, f);
}

static void finish_pair(const struct gemm *g, int m, int p, bool two_p, float (*sums)[4][TILE_VALUES])
{
    int n0 = MIN(g->m - m, 16), n1 = MIN(g->m - m - 16, 16);

    finish_tile(g, m, n0, p, sums, 0);
    if (two_p)
        finish_tile(g, m, n0, p + 1, sums, 1);
    if (n1 > 0)
        finish_tile(g, m + 16, n1, p, sums, 2);
    if (n1 > 0 && two_p)
        finish_tile(g, m + 16, n1, p + 1, sums, 3);
}

/* Up to 32 rows. */
static void gemm_low(const struct gemm *g, int first, int last)
{
    _Alignas(64) float sums[MAX_SEGMENTS][4][TILE_VALUES];

    configure_wide(MIN(g->m, 16), MAX(g->m - 16, 1));
    for (int p = first; p < last; p += 2) {
        for (int s = 0; s < g->n_segments; s++) {
            zero_sums();
            multiply_pair(g, 0, p, p + 1 < last, g->segment_start[s] / TILE_K, g->segment_start[s + 1] / TILE_K, NULL);
            store_sums(sums[s]);
        }
        finish_pair(g, 0, p, p + 1 < last, sums);
    }
}

/* Rows [m, m + HIGH_ROWS) of a pair of panels, K in pieces whose weights stay in the first cache. */
static void high_block(const struct gemm *g, int m, int p, bool two_p, struct fetch *f)
{
    _Alignas(64) float sums[HIGH_ROWS / 32][MAX_SEGMENTS][4][TILE_VALUES];
    int end = MIN(m + HIGH_ROWS, g->m), rows = 0;

    for (int s = 0; s < g->n_segments; s++) {
        int from = g->segment_start[s] / TILE_K, to = g->segment_start[s + 1] / TILE_K;
        int n_pieces = MAX((to - from + PIECE_STEPS - 1) / PIECE_STEPS, 1);

        for (int piece = 0; piece < n_pieces; piece++) {
            int k0 = from + (to - from) * piece / n_pieces, k1 = from + (to - from) * (piece + 1) / n_pieces;

            for (int i = m; i < end; i += 32) {
                float(*tiles)[TILE_VALUES] = sums[(i - m) / 32][s];

                if (MIN(end - i, 32) != rows) {
                    rows = MIN(end - i, 32);
                    configure_wide(MIN(rows, 16), MAX(rows - 16, 1));
                }
                if (piece == 0)
                    zero_sums();
                else
                    load_sums(tiles);
                multiply_pair(g, i, p, two_p, k0, k1, f);
                store_sums(tiles);
            }
        }
    }
    for (int i = m; i < end; i += 32)
        finish_pair(g, i, p, two_p, sums[(i - m) / 32]);
}

static void gemm_high(const struct gemm *g, int first, int last)
{
    int pairs = (g->m + 31) / 32;

    for (int p = first; p < last; p += 2) {
        struct fetch f = {.at = g->w + (size_t)MIN(p + 2, g->n_panels) * g->panel_bytes,
                          .end = g->w + (size_t)MIN(p + 4, g->n_panels) * g->panel_bytes,
                          .lines_per_step = (32 + pairs - 1) / pairs};

        for (int m = 0; m < g->m; m += HIGH_ROWS)
            high_block(g, m, p, p + 1 < last, &f);
    }
}

static void amx_gemm_bf16(const struct gemm *g, int first, int last)
{
    if (g->m <= 32)
        gemm_low(g, first, last);
    else
        gemm_high(g, first, last);
    _tile_release();
}

/* --- attention --------------------------------------------------------------------------------- */

/* For attention: tiles 0-3 hold sums of n rows, 4 queries, 5 keys of a block, 6 softmax weights of a block's 16
 * tokens, 7 values of 8 pairs of tokens. */
static void configure_attention(int n)
{
    struct tile_config c = {.palette = 1};
    const uint8_t rows[8] = {(uint8_t)n, (uint8_t)n, (uint8_t)n, (uint8_t)n, (uint8_t)n, 16, (uint8_t)n, 8};

    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = i == 6 ? KV_BLOCK_TOKENS * 2 : 64;
        c.n_rows[i] = rows[i];
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c));
}

/* Scores of all rows against n (1 to 4) blocks from b on. */
static void amx_scores(const struct attend *a, int b, int n, float (*s)[KV_SPLIT_TOKENS])
{
    size_t q_row = (size_t)a->padded_dim * 2, s_row = sizeof(s[0]);

    zero_sums();
    for (int c = 0; c < a->padded_dim / TILE_K; c++) {
        size_t at = (size_t)c * TILE_BYTES;

        _tile_loadd(4, (const char *)a->q + (size_t)c * 64, q_row);
        _tile_loadd(5, a->k[b] + at, 64);
        _tile_dpbf16ps(0, 4, 5);
        if (n > 1) {
            _tile_loadd(5, a->k[b + 1] + at, 64);
            _tile_dpbf16ps(1, 4, 5);
        }
        if (n > 2) {
            _tile_loadd(5, a->k[b + 2] + at, 64);
            _tile_dpbf16ps(2, 4, 5);
        }
        if (n > 3) {
            _tile_loadd(5, a->k[b + 3] + at, 64);
            _tile_dpbf16ps(3, 4, 5);
        }
    }
    _tile_stored(0, &s[0][b * KV_BLOCK_TOKENS], s_row);
    if (n > 1)
        _tile_stored(1, &s[0][(b + 1) * KV_BLOCK_TOKENS], s_row);
    if (n > 2)
        _tile_stored(2, &s[0][(b + 2) * KV_BLOCK_TOKENS], s_row);
    if (n > 3)
        _tile_stored(3, &s[0][(b + 3) * KV_BLOCK_TOKENS], s_row);
}

/* Values [i, i + 16 n) of all rows, n 2 or 4, over all blocks in order. */
static void amx_mix(const struct attend *a, int i, const bool four, uint16_t (*p)[KV_SPLIT_TOKENS], float *o)
{
    size_t o_row = (size_t)a->padded_dim * 4, p_row = sizeof(p[0]), v_row = (size_t)a->padded_dim * 4;

    zero_sums();
    for (int b = 0; b < a->n_blocks; b++) {
        const char *v = a->v[b] + (size_t)i * 4;

        _tile_loadd(6, &p[0][b * KV_BLOCK_TOKENS], p_row);
        _tile_loadd(7, v, v_row);
        _tile_dpbf16ps(0, 6, 7);
        _tile_loadd(7, v + 64, v_row);
        _tile_dpbf16ps(1, 6, 7);
        if (four) {
            _tile_loadd(7, v + 128, v_row);
            _tile_dpbf16ps(2, 6, 7);
            _tile_loadd(7, v + 192, v_row);
            _tile_dpbf16ps(3, 6, 7);
        }
    }
    _tile_stored(0, o + i, o_row);
    _tile_stored(1, o + i + 16, o_row);
    if (four) {
        _tile_stored(2, o + i + 32, o_row);
        _tile_stored(3, o + i + 48, o_row);
    }
}

static void amx_attend_bf16(const struct attend *a)
{
    _Alignas(64) float s[ATTEND_ROWS][KV_SPLIT_TOKENS];
    _Alignas(64) uint16_t p[ATTEND_ROWS][KV_SPLIT_TOKENS];
    _Alignas(64) float o[ATTEND_ROWS * MAX_PADDED_DIM];
    struct attend_state split[ATTEND_ROWS];
    int dim = a->padded_dim;

    configure_attention(a->n_rows);
    for (int b = 0; b < a->n_blocks; b += 4)
        amx_scores(a, b, MIN(a->n_blocks - b, 4), s);
    for (int r = 0; r < a->n_rows; r++) {
        softmax_split(s[r], a->n_blocks, a->n_visible[r], a->scale, &split[r]);
        dp_to_bf16(p[r], s[r], a->n_blocks * KV_BLOCK_TOKENS);
    }
    for (int i = 0; i < dim; i += 64)
        amx_mix(a, i, dim - i >= 64, p, a->is_first ? a->o : o);
    for (int r = 0; r < a->n_rows; r++) {
        if (a->is_first)
            a->state[r] = split[r];
        else
            fold_split(&a->state[r], a->o + (size_t)r * (size_t)dim, &split[r], o + (size_t)r * (size_t)dim, dim);
    }
    _tile_release();
}

/* --- the limit --------------------------------------------------------------------------------- */

static double amx_peak(enum dtype compute)
{
    enum { STEPS = 20000 };

    if (compute != DTYPE_BF16)
        return vec_peak(compute);
    configure_wide(16, 16);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    for (int i = 0; i < STEPS; i++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return 4.0 * 2 * 16 * 16 * 32 * STEPS;
}

const struct cpu_kernels kernels_amx_bf16 = {
    .name = "amx_bf16",
    .is_supported = is_supported,
    .gemm_bf16 = amx_gemm_bf16,
    .gemm_f32 = vec_gemm_f32,
    .attend_bf16 = amx_attend_bf16,
    .attend_f32 = vec_attend_f32,
    .rms_norm = vec_rms_norm,
    .add = vec_add,
    .silu_mul = vec_silu_mul,
    .to_bf16 = dp_to_bf16,
    .peak = amx_peak,
    .packs_tiles = true,
};

#endif
