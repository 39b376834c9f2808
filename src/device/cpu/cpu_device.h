/* cpu_device.h - the CPU device: the reference, and the one that is always there. */
#pragma once

#include "base/thread.h"
#include "device/cpu/kernels.h"
#include "device/device.h"

struct device_mem {
    char *ptr;
    size_t n_bytes;
};

struct weight {
    struct device_mem *mem; /* panels */
    enum dtype dtype;
    int n, k;               /* real outputs and inputs */
    int n_panels, k_packed; /* padded */
    int n_segments;
    int segment_start[MAX_SEGMENTS + 1]; /* in k */
    int packed_start[MAX_SEGMENTS + 1];  /* in k_packed */
    size_t panel_bytes;
    int64_t first_id;
    bool is_gate_up; /* panels alternate: 16 outputs of the first part, the same 16 of the second;
                        each padded */
};

struct attend_plan;

struct cpu_device {
    struct device base; /* first, so that a struct device * is one of these */
    const struct cpu_kernels *kernels;
    struct pool *pool;
    struct device_limits limits;
    struct device_mem *packed_x; /* [max_tokens, widest padded K] of A */
    struct device_mem *gate_up;  /* [workers, max_tokens, GATE_UP_PANELS * 16] f32 */
    struct attend_plan *plan;
};

extern const struct device_ops device_cpu;

/* The kernel set of that name, or the best one for "auto"; an error when it is unknown or this CPU
 * lacks it. */
const struct cpu_kernels *cpu_kernels_find(const char *name, struct err *e) MUST_CHECK;

struct device_mem *cpu_alloc(size_t n_bytes,
                             struct err *e) MUST_CHECK; /* zeroed, in huge pages if it may */
void cpu_release(struct device_mem *m);
void *cpu_ptr(const struct tensor *t);

/* cpu_weights.c */
struct weight *cpu_pack(struct device *d, const struct weight_spec *s, struct err *e);
void cpu_unpack(struct device *d, struct weight *w);
size_t cpu_weight_bytes(const struct weight *w);
void cpu_embed(struct device *d, struct tensor *y, const struct weight *table, const int32_t *ids);

/* cpu_ops.c */
bool cpu_reserve_linear(struct cpu_device *c, struct err *e) MUST_CHECK;
void cpu_linear(struct device *d, struct tensor *y, const struct tensor *x, const struct weight *w,
                const struct tensor *bias);
void cpu_gather_rows(struct device *d, struct tensor *y, const struct tensor *x,
                     const int32_t *rows);
void cpu_scatter_rows(struct device *d, struct tensor *y, const struct tensor *x,
                      const int32_t *rows);
void cpu_rms_norm(struct device *d, struct tensor *y, const struct tensor *x,
                  const struct tensor *w, float eps);
void cpu_add_rms_norm(struct device *d, struct tensor *y, struct tensor *r, const struct tensor *x,
                      const struct tensor *w, float eps);
void cpu_linear_silu_mul(struct device *d, struct tensor *y, const struct tensor *x,
                         const struct weight *w, const struct tensor *bias);

/* cpu_attention.c */
int cpu_padded_dim(int head_dim);
size_t cpu_kv_bytes(struct device *d, int n_kv_heads, int head_dim);
bool cpu_reserve_attention(struct cpu_device *c, struct err *e) MUST_CHECK;
void cpu_release_attention(struct cpu_device *c);
bool cpu_begin_step(struct device *d, const struct qkv_spec *s, const struct step *step,
                    struct err *e);
void cpu_rotate_store(struct device *d, struct tensor *q, struct kv_cache *kv,
                      const struct tensor *qkv, const struct qkv_spec *s, const struct step *step);
void cpu_attend_paged(struct device *d, struct tensor *y, const struct tensor *q,
                      const struct kv_cache *kv, const struct qkv_spec *s, const struct step *step);
void cpu_copy_blocks(struct device *d, struct kv_cache *kv, const int32_t *pairs, int n_pairs);
