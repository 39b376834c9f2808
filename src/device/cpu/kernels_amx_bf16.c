/* kernels_amx_bf16.c - products on AMX tiles: TDPBF16PS adds a [16 x 32] by [32 x 16] product of bf16 to
 * 16 x 16 sums in f32. A row of the result depends on that row of the first factor alone, and every output
 * meets its inputs 32 at a time in order, so rows have the same bits beside any others.
 *
 * Two row tiles by two panels share each load. While a pair of panels is worked on, the next pair is
 * fetched into the second cache, a few lines at every step, so weights stream while sums are made. */
#include "device/cpu/kernels.h"

#if defined(__AMX_BF16__)

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

/* Tiles 0-3 hold sums, 4 and 5 rows of x (n0 and n1 of them), 6 and 7 weights. */
static void configure(int n0, int n1)
{
    struct tile_config c = {.palette = 1};
    const int rows[8] = {n0, n0, n1, n1, n0, n1, 16, 16};

    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = 64;
        c.n_rows[i] = (uint8_t)rows[i];
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c));
}

/* Next weights to fetch, spread evenly over the steps of the present ones. */
struct fetch {
    const char *at, *end;
    int lines_per_step;
};

INLINE void fetch_some(struct fetch *f)
{
    for (int i = 0; i < f->lines_per_step; i++)
        _mm_prefetch(f->at + i * 64, _MM_HINT_T1);
    if (f->at < f->end)
        f->at += f->lines_per_step * 64;
}

/* Sums of one segment for two row tiles (or one) by two panels (or one), left in tiles 0 to 3. */
INLINE void multiply(const char *x0, const char *x1, const char *w0, const char *w1, int n_steps, const bool two_m,
                     const bool two_p, struct fetch *f)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
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
        fetch_some(f);
    }
}

/* Rows [m, m + n_m) of one panel from sums[segment][16 x 16]. */
INLINE void finish(const struct gemm *g, int m, int n_m, int p, float (*sums)[4][TILE_VALUES], int tile)
{
    int first = p * PANEL;
    __mmask16 mask = (__mmask16)((1u << MIN(g->n - first, PANEL)) - 1);
    __m512 bias = g->bias ? _mm512_maskz_loadu_ps(mask, g->bias + first) : _mm512_setzero_ps();

    for (int i = 0; i < n_m; i++) {
        __m512 x[MAX_SEGMENTS];

        for (int s = 0; s < g->n_segments; s++)
            x[s] = _mm512_load_ps(&sums[s][tile][i * PANEL]);
        for (int n = g->n_segments; n > 1; n /= 2)
            for (int s = 0; s < n / 2; s++)
                x[s] = _mm512_add_ps(x[2 * s], x[2 * s + 1]);
        if (g->bias)
            x[0] = _mm512_add_ps(x[0], bias);
        _mm512_mask_storeu_ps(g->y + (m + i) * g->y_row + first, mask, x[0]);
    }
}

/* Rows [m, ...) up to 32 of panels p and p + 1 (or p alone). */
static void amx_block(const struct gemm *g, int m, int p, const bool two_p, struct fetch *f)
{
    _Alignas(64) float sums[MAX_SEGMENTS][4][TILE_VALUES];
    int n0 = MIN(g->m - m, 16), n1 = MIN(g->m - m - 16, 16);
    size_t tile_row = (size_t)g->x_row / TILE_K * TILE_BYTES;
    const char *x0 = (const char *)g->x + (size_t)(m / 16) * tile_row, *x1 = x0 + tile_row;
    const char *w0 = g->w + (size_t)p * g->panel_bytes, *w1 = w0 + g->panel_bytes;

    for (int s = 0; s < g->n_segments; s++) {
        size_t at = (size_t)g->segment_start[s] / TILE_K * TILE_BYTES;
        int n = (g->segment_start[s + 1] - g->segment_start[s]) / TILE_K;

        if (n1 > 0 && two_p)
            multiply(x0 + at, x1 + at, w0 + at, w1 + at, n, true, true, f);
        else if (n1 > 0)
            multiply(x0 + at, x1 + at, w0 + at, NULL, n, true, false, f);
        else if (two_p)
            multiply(x0 + at, NULL, w0 + at, w1 + at, n, false, true, f);
        else
            multiply(x0 + at, NULL, w0 + at, NULL, n, false, false, f);
        _tile_stored(0, sums[s][0], 64);
        _tile_stored(1, sums[s][1], 64);
        _tile_stored(2, sums[s][2], 64);
        _tile_stored(3, sums[s][3], 64);
    }
    finish(g, m, n0, p, sums, 0);
    if (two_p)
        finish(g, m, n0, p + 1, sums, 1);
    if (n1 > 0)
        finish(g, m + 16, n1, p, sums, 2);
    if (n1 > 0 && two_p)
        finish(g, m + 16, n1, p + 1, sums, 3);
}

static void amx_gemm_bf16(const struct gemm *g, int first, int last)
{
    int blocks = (g->m + 31) / 32, rows = 0;

    for (int p = first; p < last; p += 2) {
        struct fetch f = {.at = g->w + (size_t)(p + 2) * g->panel_bytes,
                          .end = g->w + (size_t)MIN(p + 4, last) * g->panel_bytes,
                          .lines_per_step = (32 + blocks - 1) / blocks};

        if (p + 2 >= last)
            f = (struct fetch){.at = g->w, .end = g->w};
        for (int m = 0; m < g->m; m += 32) {
            int wanted = MIN(g->m - m, 32);

            if (wanted != rows)
                configure(MIN(wanted, 16), MAX(wanted - 16, 1));
            rows = wanted;
            amx_block(g, m, p, p + 1 < last, &f);
        }
    }
    _tile_release();
}

static double amx_peak(enum dtype compute)
{
    enum { STEPS = 20000 };

    if (compute != DTYPE_BF16)
        return vec_peak(compute);
    configure(16, 16);
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
    .attend_bf16 = dp_attend_bf16,
    .attend_f32 = vec_attend_f32,
    .rms_norm = vec_rms_norm,
    .add = vec_add,
    .silu_mul = vec_silu_mul,
    .to_bf16 = dp_to_bf16,
    .peak = amx_peak,
    .packs_tiles = true,
};

#endif
