/* device.h - what a model asks of hardware: memory and about twenty verbs.
 *
 * The CPU device is the reference: parity tests compare every other device, and every CPU kernel
 * set, with its plain C kernels, op by op. Letters in shapes: T tokens of the step, S sequences, R
 * rows wanted, H n_heads, G n_kv_heads, D head_dim, V vocab_size (each this rank's share), N
 * outputs, K inputs.
 *
 * Types: activations that enter a `linear` have the device's compute type A (bf16 or f32, chosen at
 * open). Results of `linear` and the residual stream are f32, so that rounding happens once, where
 * a value enters the next product. Keys and values are stored as A.
 *
 * Promise of the CPU device (level D3): the bits of a row depend on that row's inputs alone, never
 * on T, on which rows stand beside it, on threads, nor on how a prompt is cut into chunks. With the
 * inputs of `o_proj` and `down_proj` cut in N_K_SEGMENTS, they do not depend on the number of ranks
 * either (D4).
 *
 * Threads: a device belongs to the thread that runs the model. The verbs queue work in order; a
 * failure shows at the next sync. Who opens closes: memory and weights are released through the
 * device that made them, before it is closed. The step's verbs allocate nothing; `reserve` sizes
 * their scratch. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "device/tensor.h"

enum {
    KV_BLOCK_TOKENS = 16,  /* bt: tokens in one block of the KV cache */
    KV_SPLIT_TOKENS = 256, /* attention merges partial results of this many tokens in index order */
    N_K_SEGMENTS = 8, /* row-parallel weights: K is cut so, and reduced by a fixed binary tree */
    MAX_ROPE_AXES = 3,
};

struct device_opts {
    const char *name;    /* "cpu" */
    const char *cpu_isa; /* "auto", "plain", "avx2", "avx512", "avx512_bf16", "amx_bf16" */
    enum dtype compute;  /* A: DTYPE_BF16 or DTYPE_F32 */
    int n_threads;       /* 0: all that this process may use */
};

/* The most that one step can hold; scratch is sized from it. */
struct device_limits {
    int max_tokens, max_seqs, max_blocks_per_seq;
    int n_heads, n_kv_heads, head_dim;
    int max_inputs, max_outputs; /* widest K and N of any weight */
};

/* One part of a weight as it lies in host memory: n_rows rows of n_cols values, `row` elements
 * apart. ptr NULL: values from Philox keyed by dummy_key, uniform with standard deviation 0.02. */
struct host_tensor {
    enum dtype dtype;
    const void *ptr;
    int64_t n_rows, n_cols, row;
    uint64_t dummy_key;
    int64_t dummy_row, dummy_col, dummy_cols; /* place of this part within the whole dummy tensor */
};

/* A matrix to be multiplied with: parts are stacked by rows (q, k, v; gate, up). */
struct weight_spec {
    const struct host_tensor *parts;
    int n_parts;
    int n_segments;   /* of K: 1, or this rank's share of N_K_SEGMENTS */
    int64_t first_id; /* embedding shares: token id of row 0 */
    bool is_gate_up;  /* two parts of equal shape, for linear_silu_mul alone */
};

struct weight; /* a matrix [N, K] in the device's own layout */

/* The KV cache of one layer: K and V of n_blocks blocks. Their layout is the device's own. */
struct kv_cache {
    struct device_mem *k, *v;
    int n_blocks;
};

/* One step's work as the device sees it; host arrays on the CPU, the caller's until sync. */
struct step {
    int n_tokens, n_seqs, max_blocks;
    const int32_t *token_ids;    /* [T] */
    const int32_t *positions;    /* [n_axes, T] */
    const int32_t *slot_mapping; /* [T] block * KV_BLOCK_TOKENS + offset */
    const int32_t *block_table;  /* [S, max_blocks] */
    const int32_t *query_start;  /* [S + 1] */
    const int32_t *seq_lens;     /* [S] tokens in the cache once this step's are stored */
};

/* How queries and keys turn. Pairs are (i, i + D/2), as Hugging Face checkpoints expect. */
struct rotation {
    struct tensor cos_sin; /* [n_positions, D/2, 2] f32, scaling and attention factor folded in */
    int n_axes;            /* 1; 3 with M-RoPE */
    const int32_t *axis;   /* [D/2]: which axis of the positions turns pair i; NULL: axis 0 */
};

struct qkv_spec {
    int n_heads, n_kv_heads, head_dim;
    const struct rotation *rotation;
    const struct tensor *q_norm, *k_norm; /* [D] f32, or NULL: no norm per head */
    float eps;
};

struct sample_params; /* the engine's; a device without `sample` leaves it to the C sampler */

struct device;

struct device_ops {
    const char *name; /* the value of --device */

    /* life and memory; these can fail */
    struct device *(*open)(const struct device_opts *o, struct err *e);
    void (*close)(struct device *d);
    bool (*memory)(struct device *d, size_t *n_free, size_t *n_total, struct err *e);
    struct device_mem *(*alloc)(struct device *d, size_t n_bytes, struct err *e); /* zeroed */
    void (*release)(struct device *d, struct device_mem *m);                      /* NULL is fine */
    bool (*upload)(struct device *d, const struct tensor *dst, const void *src, struct err *e);
    bool (*download)(struct device *d, void *dst, const struct tensor *src, struct err *e);
    void *(*host_ptr)(struct device *d,
                      const struct tensor *t); /* NULL: not addressable, download it */
    bool (*sync)(struct device *d, struct err *e);
    void *(*stream)(struct device *d); /* for collectives; NULL on the CPU */
    bool (*reserve)(struct device *d, const struct device_limits *l, struct err *e);

    struct weight *(*pack)(struct device *d, const struct weight_spec *s, struct err *e);
    void (*unpack)(struct device *d, struct weight *w); /* NULL is fine */
    size_t (*weight_bytes)(const struct weight *w);
    size_t (*kv_bytes)(struct device *d, int n_kv_heads,
                       int head_dim); /* of K, or V, of one block */

    /* Plans the work of a step; before its verbs. The step's arrays stay as they are until sync. */
    bool (*begin_step)(struct device *d, const struct qkv_spec *s, const struct step *step,
                       struct err *e);

    /* arithmetic; queued in order */
    void (*embed)(struct device *d, struct tensor *y, const struct weight *table,
                  const int32_t *ids);
    void (*gather_rows)(struct device *d, struct tensor *y, const struct tensor *x,
                        const int32_t *rows);
    void (*scatter_rows)(struct device *d, struct tensor *y, const struct tensor *x,
                         const int32_t *rows);
    void (*linear)(struct device *d, struct tensor *y, const struct tensor *x,
                   const struct weight *w, const struct tensor *bias);
    void (*rms_norm)(struct device *d, struct tensor *y, const struct tensor *x,
                     const struct tensor *w, float eps);
    void (*add_rms_norm)(struct device *d, struct tensor *y, struct tensor *r,
                         const struct tensor *x, const struct tensor *w, float eps);
    void (*rotate_store)(struct device *d, struct tensor *q, struct kv_cache *kv,
                         const struct tensor *qkv, const struct qkv_spec *s,
                         const struct step *step);
    void (*attend_paged)(struct device *d, struct tensor *y, const struct tensor *q,
                         const struct kv_cache *kv, const struct qkv_spec *s,
                         const struct step *step);
    void (*linear_silu_mul)(struct device *d, struct tensor *y, const struct tensor *x,
                            const struct weight *w, const struct tensor *bias);
    void (*copy_blocks)(struct device *d, struct kv_cache *kv, const int32_t *pairs, int n_pairs);

    /* optional: NULL where a device leaves them to the host or has no use for them */
    void (*attend_full)(struct device *d, struct tensor *y, const struct tensor *q,
                        const struct tensor *k, const struct tensor *v, const int32_t *cu_seqlens,
                        int n_seqs);
    void (*rotate)(struct device *d, struct tensor *x, const struct tensor *cos_sin,
                   const int32_t *positions);
    void (*gelu)(struct device *d, struct tensor *y, const struct tensor *x);
    void (*sample)(struct device *d, int32_t *ids, const struct tensor *logits,
                   const struct sample_params *p);
    bool (*capture)(struct device *d, bool on, struct err *e); /* record a step and replay it */
};

struct device {
    const struct device_ops *ops;
    enum dtype compute;   /* A */
    const char *numerics; /* names the arithmetic for manifests: "cpu avx512_bf16 bfloat16" */
    int n_threads;        /* CPU: workers; else 0 */
};

/* In order of preference, as built; ends with NULL. */
extern const struct device_ops *const devices[];

struct device *device_open(const struct device_opts *o, struct err *e) MUST_CHECK;
void device_close(struct device *d); /* NULL is fine */

/* --- the verbs -------------------------------------------------------------------------------- */

/* y[T,K] f32 = table[ids[T]]; ids outside this rank's rows give 0. */
static inline void embed(struct device *d, struct tensor *y, const struct weight *table,
                         const int32_t *ids)
{
    d->ops->embed(d, y, table, ids);
}

/* y[R,N] = x[rows[R]], any type, same on both sides. */
static inline void gather_rows(struct device *d, struct tensor *y, const struct tensor *x,
                               const int32_t *rows)
{
    d->ops->gather_rows(d, y, x, rows);
}

/* y[rows[R]] = x[R,N]: image embeddings into the prompt. */
static inline void scatter_rows(struct device *d, struct tensor *y, const struct tensor *x,
                                const int32_t *rows)
{
    d->ops->scatter_rows(d, y, x, rows);
}

/* y[T,N] f32 = x[T,K] A times w[N,K] transposed, plus bias[N] f32 or NULL; accumulates in f32. */
static inline void linear(struct device *d, struct tensor *y, const struct tensor *x,
                          const struct weight *w, const struct tensor *bias)
{
    d->ops->linear(d, y, x, w, bias);
}

/* y[T,K] A = x / sqrt(mean(x^2) + eps) * w[K]; x and w f32. */
static inline void rms_norm(struct device *d, struct tensor *y, const struct tensor *x,
                            const struct tensor *w, float eps)
{
    d->ops->rms_norm(d, y, x, w, eps);
}

/* r[T,K] += x[T,K], both f32; y[T,K] A = rms_norm(r). */
static inline void add_rms_norm(struct device *d, struct tensor *y, struct tensor *r,
                                const struct tensor *x, const struct tensor *w, float eps)
{
    d->ops->add_rms_norm(d, y, r, x, w, eps);
}

/* qkv[T, (H + 2G) D] f32 -> q[T, H D] A; norms heads if asked, rotates q and k, stores k and v. */
static inline void rotate_store(struct device *d, struct tensor *q, struct kv_cache *kv,
                                const struct tensor *qkv, const struct qkv_spec *s,
                                const struct step *step)
{
    d->ops->rotate_store(d, q, kv, qkv, s, step);
}

/* y[T, H D] A: causal attention of q[T, H D] over the blocks of each token's sequence, scale
 * D^-0.5. */
static inline void attend_paged(struct device *d, struct tensor *y, const struct tensor *q,
                                const struct kv_cache *kv, const struct qkv_spec *s,
                                const struct step *step)
{
    d->ops->attend_paged(d, y, q, kv, s, step);
}

/* y[T,F] A = silu(gate) * up, where gate and up are the halves of x[T,K] times w[2F,K] plus
 * bias[2F] or NULL: they are as long as they are short-lived, so they never leave the caches. */
static inline void linear_silu_mul(struct device *d, struct tensor *y, const struct tensor *x,
                                   const struct weight *w, const struct tensor *bias)
{
    d->ops->linear_silu_mul(d, y, x, w, bias);
}
