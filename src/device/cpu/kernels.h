/* kernels.h - the inner loops of the CPU device as a table of functions, one table per kernel set.
 *
 * All sets read the same layouts, so a parity test can run any of them on the same memory:
 *   weights  bf16 [N/16][K'/2][16][2], f32 [N/16][K][16]; N padded to 16; each segment of K padded
 * to 32 (bf16 only), padding is zero K cache  bf16 [block][kv_head][D'/2][16 tokens][2], f32
 * [block][kv_head][D'][16 tokens] V cache  bf16 [block][kv_head][16/2 tokens][D'][2], f32
 * [block][kv_head][16 tokens][D']; D' = D padded to 32
 *
 * A set promises that the bits of an output row depend on that row's inputs alone: every output of
 * a product is one f32 chain over K in order (segments apart, then a binary tree), sums of rows use
 * 16 lanes and a fixed tree, attention folds splits of 256 tokens in order. Sets differ from each
 * other in bits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "device/device.h"

enum {
    PANEL = 16,       /* outputs whose weights lie side by side */
    K_PAD = 32,       /* each K segment of a bf16 weight is padded to this */
    ATTEND_ROWS = 16, /* most query rows of one attend call */
    SPLIT_BLOCKS = KV_SPLIT_TOKENS / KV_BLOCK_TOKENS,
    MAX_SEGMENTS = N_K_SEGMENTS,
};

/* Which segments: x of all of them may be more than a cache holds. The second half is added to what
 * the first left in y. */
enum gemm_half { BOTH_HALVES, FIRST_HALF, SECOND_HALF };

/* y[M, panels] = x[M,K'] w + bias for the panels [first, last). x is A, padded like w's K. */
struct gemm {
    int m;
    const void *x; /* rows of k_packed elements, x_row apart */
    int64_t x_row;
    const char *w; /* panel 0 */
    size_t panel_bytes;
    int n_segments;
    int segment_start[MAX_SEGMENTS + 1]; /* in padded K */
    int n;                               /* real outputs: the last panel may have fewer than 16 */
    int next_end; /* panels from the asked ones up to here are likely to be asked for next, and may
                     be fetched */
    const float *bias; /* [n] or NULL */
    float *y;          /* rows y_row apart */
    int y_first;       /* the panel whose outputs are column 0 of y */
    int64_t y_row;
    uint16_t
        *gate_up; /* for tiled sets, else NULL: [M, n / 2], y_row apart, instead of y: silu(gate) *
                   * up of panels that alternate: gate, up. bias has that of all gates first */
    enum gemm_half half; /* for tiled sets, else BOTH_HALVES */
};

/* Running softmax of one query row over the splits folded so far; o is not yet divided by sum. */
struct attend_state {
    float max, sum;
};

/* Query rows of one kv head against one split. Each row sees its own number of tokens. */
struct attend {
    int n_rows, n_blocks, head_dim, padded_dim;
    const void *q;                   /* [n_rows, D'] of A; zeros after D */
    const char *const *k, *const *v; /* [n_blocks] -> this kv head's part of the block */
    const int *n_visible;            /* [n_rows] tokens of the split, 1 to 256 */
    float scale;
    bool is_first;              /* no split came before: state and o hold nothing yet */
    struct attend_state *state; /* [n_rows] */
    float *o;                   /* [n_rows, D'] */
};

struct cpu_kernels {
    const char *name;
    bool (*is_supported)(void);
    /* A = bf16 and A = f32 */
    void (*gemm_bf16)(const struct gemm *g, int first, int last);
    void (*gemm_f32)(const struct gemm *g, int first, int last);
    void (*attend_bf16)(const struct attend *a);
    void (*attend_f32)(const struct attend *a);
    /* one row of n values */
    void (*rms_norm)(float *y, const float *x, const float *w, int n, float eps);
    void (*add)(float *r, const float *x, int n);
    void (*divide)(float *x, float by, int n);
    /* one head: turns pairs (i, i + half) by the angles whose cosines and sines are given; y is not
     * x */
    void (*rotate)(float *y, const float *x, const float *cos, const float *sin, int half);
    void (*silu_mul)(float *y, const float *gate, const float *up, int n);
    void (*to_bf16)(uint16_t *y, const float *x, int n);
    /* Multiplies in registers for about a millisecond; how many operations that were. For
     * measuring. */
    double (*peak)(enum dtype compute);
    bool is_tiled; /* gemm_bf16 knows gemm.gate_up (with the bits of silu_mul and to_bf16) and
                      gemm.half */
};

extern const struct cpu_kernels kernels_plain, kernels_avx2, kernels_avx512, kernels_avx512_bf16,
    kernels_amx_bf16;

/* Best first; ends with NULL. Sets whose instructions the compiler cannot make are left out. */
extern const struct cpu_kernels *const cpu_kernel_sets[];

/* s[n] summed as a binary tree over indices: ((0+1)+(2+3))+((4+5)+(6+7)); n is 1, 2, 4 or 8. */
static inline float tree_sum(const float *s, int n)
{
    switch (n) {
    case 1:
        return s[0];
    case 2:
        return s[0] + s[1];
    case 4:
        return (s[0] + s[1]) + (s[2] + s[3]);
    default:
        return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
}
