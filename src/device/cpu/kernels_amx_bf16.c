/* kernels_amx_bf16.c - products and attention on AMX tiles: TDPBF16PS adds a [16 x 32] by [32 x 16]
 * product of bf16 to 16 x 16 sums in f32. A row of the result depends on that row of the first
 * factor alone, and every output meets its inputs 32 at a time in order, so rows have the same bits
 * beside any others.
 *
 * Two row tiles by two panels share each load, over the whole of K (or of a segment): cutting K in
 * pieces whose weights stay in the first cache was no faster (11.6 against 10.6 ns for each
 * TDPBF16PS), since sums then come and go. */
#include "device/cpu/kernels.h"

#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* the second is how clang 14 spells it */

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VEC_LANES   16
#define GEMM_ROWS   4
#define GEMM_PANELS 4
#include "device/cpu/kernels_vec.h"
#include "device/cpu/kernels_dpbf16.h"

enum {
    TILE_K = 32, /* inputs of one tile */
    TILE_BYTES = 1024,
    TILE_VALUES = 256,
    PASS_ROWS = 32,                   /* two row tiles */
    PAST_CACHES_BYTES = 768 << 10,    /* qkv of 512 rows (2.4 MB): 0.54 instead of 0.86 ms */
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

/* For two by two: tiles 0-3 hold sums, 4 and 5 rows of x, 6 and 7 weights. */
static void configure_wide(int n_rows)
{
    int n0 = MIN(n_rows, 16), n1 = MAX(n_rows - 16, 1);

    configure((const int[8]){n0, n0, n1, n1, n0, n1, 16, 16});
}

/* Sums of two row tiles by two panels; padded, so that those of two segments are not a multiple of
 * 4 KiB apart. */
struct sums {
    _Alignas(64) float v[4 * TILE_VALUES + PANEL];
};

/* Up to 32 rows from m by panels p and (unless it is alone) p + 1, over one segment of K. */
struct run {
    int m, n_rows, p;
    bool two_p;
    bool is_last;  /* what it completes goes to y */
    int n_waiting; /* sums in the tree that it completes */
};

/* Sums on their way up the tree: those of a segment, of two and of four, which wait for their
 * neighbours, and those of the newest odd segment. Few enough for the first cache. */
enum { ODD = 3, N_SUMS };

/* Finishes lines [line, line + n) of a run, n_waiting a constant in each. Line i is row i of its
 * four tiles. */
typedef void finish_fn(const struct gemm *g, struct sums *sums, const struct run *r, int line,
                       int n);

/* What goes on while tiles multiply, a little at every step: the weights of the next two panels are
 * fetched, and the run before is finished by the vector units, which have nothing else to do. */
struct beside {
    const char *fetch, *fetch_end; /* of the first panel */
    size_t fetch_next;             /* bytes to the second */
    int n_fetched;                 /* cache lines of each panel, a step */
    const struct gemm *g;
    finish_fn *finish_y;
    struct sums sums[N_SUMS];
    struct run done;
    int line, n_lines;      /* of done: the next one to finish, and how many at a step */
    uint16_t *next_gate_up; /* where that line goes, if done is plain */
};

static struct sums *sums_of(struct beside *b, const struct run *r)
{
    return &b->sums[r->n_waiting > 0 ? ODD : 0];
}

/* One line of a tile and those that waited for it. */
INLINE __m512 sum_up(const struct sums *sums, int tile, int line, const int n_waiting)
{
    int at = tile * TILE_VALUES + line * PANEL;
    __m512 x = _mm512_load_ps(&sums[n_waiting > 0 ? ODD : 0].v[at]);

    UNROLL_FOR (int i = 0; i < n_waiting; i++)
        x = _mm512_add_ps(_mm512_load_ps(&sums[i].v[at]), x);
    return x;
}

INLINE void finish_inner(struct sums *sums, int line, int n, const int n_waiting)
{
    for (int i = line; i < line + n; i++)
        UNROLL_FOR (int tile = 0; tile < 4; tile++)
            _mm512_store_ps(&sums[n_waiting].v[tile * TILE_VALUES + i * PANEL],
                            sum_up(sums, tile, i, n_waiting));
}

/* Two rows of both panels a line, plus bias. The second half of the segments is added to what the
 * first half left in y. */
INLINE void finish_y(const struct gemm *g, struct sums *sums, const struct run *r, int line, int n,
                     const int n_waiting, const bool past_caches)
{
    bool adds = g->half == SECOND_HALF, has_bias = g->bias && g->half != FIRST_HALF;

    for (int panel = 0; panel < 1 + r->two_p; panel++) {
        int first = (r->p + panel) * PANEL;
        __mmask16 mask = (__mmask16)((1u << MIN(g->n - first, PANEL)) - 1);
        __m512 bias = has_bias ? _mm512_maskz_loadu_ps(mask, g->bias + first) : _mm512_setzero_ps();
        float *column = g->y + r->m * g->y_row + first - g->y_first * PANEL;

        for (int i = line; i < line + n; i++) {
            for (int row = i; row < r->n_rows; row += 16) {
                __m512 sum = sum_up(sums, row / 16 * 2 + panel, i, n_waiting);
                float *y = column + row * g->y_row;

                if (adds)
                    sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
                if (has_bias)
                    sum = _mm512_add_ps(sum, bias);
                if (past_caches)
                    _mm512_stream_ps(y, sum);
                else
                    _mm512_mask_storeu_ps(y, mask, sum);
            }
        }
    }
}

#define FINISH_FUNCTION(name, n_waiting, past_caches) \
    static void name(const struct gemm *g, struct sums *sums, const struct run *r, int line, \
                     int n) \
    { \
        finish_y(g, sums, r, line, n, n_waiting, past_caches); \
    }

FINISH_FUNCTION(finish_1, 0, false)
FINISH_FUNCTION(finish_1_past, 0, true)
FINISH_FUNCTION(finish_2, 1, false)
FINISH_FUNCTION(finish_4, 2, false)
FINISH_FUNCTION(finish_8, 3, false)
FINISH_FUNCTION(finish_8_past, 3, true)

/* silu(gate) * up of a gate panel and its up panel, as bf16. */
static void finish_gate_up(const struct gemm *g, struct sums *sums, const struct run *r, int line,
                           int n)
{
    int col = r->p / 2 * PANEL, n_outputs = g->n / 2;
    __mmask16 mask = (__mmask16)((1u << MIN(n_outputs - col, PANEL)) - 1);
    __m512 gate_bias = g->bias ? _mm512_maskz_loadu_ps(mask, g->bias + col) : _mm512_setzero_ps();
    __m512 up_bias =
        g->bias ? _mm512_maskz_loadu_ps(mask, g->bias + n_outputs + col) : _mm512_setzero_ps();
    uint16_t *column = g->gate_up + r->m * g->y_row + col;

    for (int i = line; i < line + n; i++) {
        for (int row = i; row < r->n_rows; row += 16) {
            __m512 gate = _mm512_add_ps(sum_up(sums, row / 16 * 2, i, 0), gate_bias);
            __m512 up = _mm512_add_ps(sum_up(sums, row / 16 * 2 + 1, i, 0), up_bias);

            _mm256_mask_storeu_epi16(
                column + row * g->y_row, mask,
                (__m256i)_mm512_cvtneps_pbh((__m512)silu_mul_one((vf)gate, (vf)up)));
        }
    }
}

/* Whether finish_gate_up_line can finish a run: no bias, nothing masked, 32 rows. */
static bool is_plain_gate_up(const struct gemm *g, const struct run *r)
{
    return g->gate_up && !g->bias && r->n_rows == PASS_ROWS && r->two_p &&
           (r->p / 2 + 1) * PANEL <= g->n / 2;
}

INLINE void put_gate_up(uint16_t *y, const float *gate, const float *up)
{
    vf x = silu_mul_one((vf)_mm512_load_ps(gate), (vf)_mm512_load_ps(up));

    _mm256_storeu_si256((__m256i *)(void *)y, (__m256i)_mm512_cvtneps_pbh((__m512)x));
}

/* The next line of a plain run, in as few instructions as there can be: the processor looks only
 * some hundred ahead, and among them must be the tiles to come. */
INLINE void finish_gate_up_line(struct beside *b, int64_t y_row)
{
    const float *s = b->sums[0].v + b->line * PANEL;

    put_gate_up(b->next_gate_up, s, s + TILE_VALUES);
    put_gate_up(b->next_gate_up + 16 * y_row, s + 2 * TILE_VALUES, s + 3 * TILE_VALUES);
    b->next_gate_up += y_row;
    b->line++;
}

static void finish_lines(struct beside *b, int n)
{
    n = MIN(n, 16 - b->line);
    if (b->done.is_last)
        b->finish_y(b->g, b->sums, &b->done, b->line, n);
    else if (b->done.n_waiting == 1)
        finish_inner(b->sums, b->line, n, 1);
    else if (b->done.n_waiting == 2)
        finish_inner(b->sums, b->line, n, 2);
    b->line += n;
}

INLINE void work_beside(struct beside *b, const bool plain_gate_up)
{
    if (b->fetch < b->fetch_end) {
        for (int i = 0; i < b->n_fetched; i++, b->fetch += 64) {
            _mm_prefetch(b->fetch, _MM_HINT_T1);
            _mm_prefetch(b->fetch + b->fetch_next, _MM_HINT_T1);
        }
    }
    if (b->line < 16) {
        if (plain_gate_up)
            finish_gate_up_line(b, b->g->y_row);
        else
            finish_lines(b, b->n_lines);
    }
}

/* The sums of the run before leave a tile just before it is needed again: stored all at once they
 * would make the products wait (at 4 steps a segment 9.4 instead of 7.9 ns for each TDPBF16PS). */
#define NEXT_SUMS(tile, to) \
    do { \
        if (to) { \
            _tile_stored(tile, (to)->v + (tile)*TILE_VALUES, 64); \
            _tile_zero(tile); \
        } \
    } while (0)

/* One tile of K for two row tiles (or one) by two panels (or one). The first of a run stores the
 * sums before. */
INLINE void step(const char *x0, const char *x1, size_t x_row, const char *w0, const char *w1,
                 const bool two_m, const bool two_p, struct sums *before)
{
    _tile_loadd(6, w0, 64);
    _tile_loadd(4, x0, x_row);
    NEXT_SUMS(0, before);
    _tile_dpbf16ps(0, 4, 6);
    if (two_p)
        _tile_loadd(7, w1, 64);
    NEXT_SUMS(1, before);
    if (two_p)
        _tile_dpbf16ps(1, 4, 7);
    if (two_m)
        _tile_loadd(5, x1, x_row);
    NEXT_SUMS(2, before);
    if (two_m)
        _tile_dpbf16ps(2, 5, 6);
    NEXT_SUMS(3, before);
    if (two_m && two_p)
        _tile_dpbf16ps(3, 5, 7);
}

INLINE void multiply(const char *x, size_t x_row, const char *w0, const char *w1, int n_steps,
                     const bool two_m, const bool two_p, struct sums *before, struct beside *b,
                     const bool plain_gate_up)
{
    const char *x1 = x + 16 * x_row;

    step(x, x1, x_row, w0, w1, two_m, two_p, before);
    work_beside(b, plain_gate_up);
    for (int k = 1; k < n_steps; k++) {
        size_t w_at = (size_t)k * TILE_BYTES, x_at = (size_t)k * TILE_K * 2;

        step(x + x_at, x1 + x_at, x_row, w0 + w_at, w1 + w_at, two_m, two_p, NULL);
        work_beside(b, plain_gate_up);
    }
}

static void save_sums(struct beside *b)
{
    struct sums *to = sums_of(b, &b->done);

    NEXT_SUMS(0, to);
    NEXT_SUMS(1, to);
    NEXT_SUMS(2, to);
    NEXT_SUMS(3, to);
}

/* Leaves a run's sums in the tiles, whose present ones are those of b->done. */
static void multiply_run(const struct gemm *g, const struct run *r, int from, int to,
                         struct beside *b)
{
    const char *x = (const char *)g->x + (size_t)(r->m * g->x_row + from) * 2;
    const char *w = g->w + (size_t)r->p * g->panel_bytes + (size_t)from * PANEL * 2;
    size_t x_row = (size_t)g->x_row * 2, next = r->two_p ? g->panel_bytes : 0;
    struct sums *before = sums_of(b, &b->done);
    int n = (to - from) / TILE_K;

    b->line = 0;
    b->next_gate_up = g->gate_up ? g->gate_up + b->done.m * g->y_row + b->done.p / 2 * PANEL : NULL;
    if (n == 0)
        save_sums(b);
    else if (r->n_rows > 16 && r->two_p && b->n_lines == 1 && is_plain_gate_up(g, &b->done))
        multiply(x, x_row, w, w + next, n, true, true, before, b, true);
    else if (r->n_rows > 16 && r->two_p)
        multiply(x, x_row, w, w + next, n, true, true, before, b, false);
    else if (r->n_rows > 16)
        multiply(x, x_row, w, w + next, n, true, false, before, b, false);
    else if (r->two_p)
        multiply(x, x_row, w, w + next, n, false, true, before, b, false);
    else
        multiply(x, x_row, w, w + next, n, false, false, before, b, false);
    finish_lines(b, 16);
    b->done = *r;
}

/* Ends with nothing in the tiles. */
static void finish_done(struct beside *b)
{
    b->line = 0;
    save_sums(b);
    finish_lines(b, 16);
    b->done = (struct run){0};
}

/* Whether y is so large that it leaves the caches before it is read: then its lines need not be
 * fetched first. */
static bool is_past_caches(const struct gemm *g)
{
    return g->m * g->y_row * 4 >= PAST_CACHES_BYTES && (uintptr_t)g->y % 64 == 0 &&
           g->y_row % PANEL == 0 && g->n % PANEL == 0 && g->half == BOTH_HALVES;
}

static finish_fn *finish_of(const struct gemm *g, int n_segments)
{
    if (g->gate_up)
        return finish_gate_up;
    switch (n_segments) {
    case 1:
        return is_past_caches(g) ? finish_1_past : finish_1;
    case 2:
        return finish_2;
    case 4:
        return finish_4;
    default:
        return is_past_caches(g) ? finish_8_past : finish_8;
    }
}

/* Segments [s0, s1) of up to 32 rows from m by panel p and its neighbour. */
static void multiply_segments(const struct gemm *g, int m, int p, bool two_p, int s0, int s1,
                              struct beside *b)
{
    struct run r = {.m = m, .n_rows = MIN(g->m - m, PASS_ROWS), .p = p, .two_p = two_p};

    if (r.n_rows != b->done.n_rows) {
        if (b->done.n_rows > 0)
            finish_done(b);
        configure_wide(r.n_rows);
    }
    for (int s = s0; s < s1; s++) {
        r.is_last = s + 1 == s1;
        r.n_waiting = __builtin_ctz(~(unsigned)(s - s0));
        multiply_run(g, &r, g->segment_start[s], g->segment_start[s + 1], b);
    }
}

/* 32 rows at a time meet two panels. */
static void amx_gemm_bf16(const struct gemm *g, int first, int last)
{
    int s0 = g->half == SECOND_HALF ? g->n_segments / 2 : 0,
        s1 = g->half == FIRST_HALF ? g->n_segments / 2 : g->n_segments;
    size_t from = (size_t)g->segment_start[s0] * PANEL * 2,
           to = (size_t)g->segment_start[s1] * PANEL * 2;
    int n_passes = (g->m + PASS_ROWS - 1) / PASS_ROWS,
        n_steps = MAX((int)(to - from) / TILE_BYTES / (s1 - s0), 1);
    struct beside b;

    b.g = g;
    b.finish_y = finish_of(g, s1 - s0);
    b.done = (struct run){0};
    b.fetch = b.fetch_end = NULL;
    b.fetch_next = g->panel_bytes;
    b.n_fetched = (TILE_BYTES / 64 + n_passes - 1) / n_passes;
    b.n_lines = (16 + n_steps - 1) / n_steps;
    for (int p = first; p < last; p += 2) {
        if (n_passes > 1 &&
            p + 3 < g->next_end) { /* up to 32 rows the processor's own prefetcher is enough */
            b.fetch = g->w + (size_t)(p + 2) * g->panel_bytes + from;
            b.fetch_end = b.fetch + (to - from);
        }
        for (int m = 0; m < g->m; m += PASS_ROWS)
            multiply_segments(g, m, p, p + 1 < last, s0, s1, &b);
    }
    finish_done(&b);
    _mm_sfence(); /* for stores past the caches */
    _tile_release();
}

/* --- attention -------------------------------------------------------------------------------- */

INLINE void zero_sums(void)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

/* For attention: tiles 0-3 hold sums of n rows, 4 queries, 5 keys of a block, 6 softmax weights of
 * a block's 16 tokens, 7 values of 8 pairs of tokens. */
static void configure_attention(int n)
{
    struct tile_config c = {.palette = 1};
    const uint8_t rows[8] = {(uint8_t)n, (uint8_t)n, (uint8_t)n, (uint8_t)n,
                             (uint8_t)n, 16,         (uint8_t)n, 8};

    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = i == 6 ? KV_BLOCK_TOKENS * 2 : 64;
        c.n_rows[i] = rows[i];
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c));
}

/* Keys of blocks [b, b + 4) and values of the four before: few rows (those of one sequence) wait
 * for memory, and one head's part of a block is too short for the processor to see a stream in it.
 */
static void fetch_blocks(const struct attend *a, int b)
{
    int n_bytes = a->padded_dim * KV_BLOCK_TOKENS * 2;

    for (int i = MAX(b - 4, 0); i < MIN(b, a->n_blocks); i++)
        for (int at = 0; at < n_bytes; at += 64)
            _mm_prefetch(a->v[i] + at, _MM_HINT_T1);
    for (int i = b; i < MIN(b + 4, a->n_blocks); i++)
        for (int at = 0; at < n_bytes; at += 64)
            _mm_prefetch(a->k[i] + at, _MM_HINT_T1);
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
static void amx_mix(const struct attend *a, int i, const bool four, uint16_t (*p)[KV_SPLIT_TOKENS],
                    float *o)
{
    size_t o_row = (size_t)a->padded_dim * 4, p_row = sizeof(p[0]),
           v_row = (size_t)a->padded_dim * 4;

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
    for (int b = 0; b < a->n_blocks; b += 4) {
        if (a->n_rows < ATTEND_ROWS)
            fetch_blocks(a, b + 4);
        amx_scores(a, b, MIN(a->n_blocks - b, 4), s);
    }
    for (int r = 0; r < a->n_rows; r++)
        dp_softmax(p[r], s[r], a->n_blocks, a->n_visible[r], a->scale, &split[r]);
    for (int i = 0; i < dim; i += 64)
        amx_mix(a, i, dim - i >= 64, p, a->is_first ? a->o : o);
    for (int r = 0; r < a->n_rows; r++) {
        if (a->is_first)
            a->state[r] = split[r];
        else
            fold_split(&a->state[r], a->o + (size_t)r * (size_t)dim, &split[r],
                       o + (size_t)r * (size_t)dim, dim);
    }
    _tile_release();
}

/* --- the limit -------------------------------------------------------------------------------- */

static double amx_peak(enum dtype compute)
{
    enum { STEPS = 20000 };

    if (compute != DTYPE_BF16)
        return vec_peak(compute);
    configure_wide(PASS_ROWS);
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
    .is_tiled = true,
    .gemm_f32 = vec_gemm_f32,
    .attend_bf16 = amx_attend_bf16,
    .attend_f32 = vec_attend_f32,
    .rms_norm = vec_rms_norm,
    .add = vec_add,
    .divide = vec_divide,
    .rotate = vec_rotate,
    .silu_mul = vec_silu_mul,
    .to_bf16 = dp_to_bf16,
    .peak = amx_peak,
};

#endif
