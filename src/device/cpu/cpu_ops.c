/* cpu_ops.c - products, norms and row copies.
 *
 * Work is cut along outputs (products) or tokens (everything else), never along a sum, so that the
 * cut cannot be seen in the bits. */
#include "device/cpu/cpu_device.h"

#include <string.h>

#include "base/num.h"

enum {
    PART_BYTES = 256 * 1024, /* weights of one part of a product: long enough to stream */
    ROW_PART = 4096,         /* values of one part of a row loop: a few microseconds */
    TILE = 32,
    GATE_UP_PANELS = 8, /* panels of gate and up that one worker has in hand at a time */
};

bool cpu_reserve_linear(struct cpu_device *c, struct err *e)
{
    size_t rows = ((size_t)c->limits.max_tokens + PANEL - 1) / PANEL * PANEL, n_bytes;
    size_t cols = (size_t)c->limits.max_inputs + MAX_SEGMENTS * K_PAD;

    cpu_release(c->packed_x);
    cpu_release(c->gate_up);
    c->gate_up = NULL;
    c->packed_x = NULL;
    if (!size_mul(rows, cols, &n_bytes) || !size_mul(n_bytes, dtype_size(c->base.compute), &n_bytes))
        return err_set(e, ERR_MEMORY, "%zu x %zu inputs do not fit into the address space", rows, cols);
    c->packed_x = cpu_alloc(n_bytes, e);
    if (!c->packed_x)
        return false;
    c->gate_up = cpu_alloc((size_t)pool_size(c->pool) * rows * GATE_UP_PANELS * PANEL * sizeof(float), e);
    return c->gate_up != NULL;
}

struct linear_job {
    struct gemm gemm;
    const struct cpu_device *device;
    const struct tensor *x;
    const struct weight *w;
    int n_parts;
    struct tensor *y;  /* linear_silu_mul only; else gemm has them */
    const float *bias;
};

/* Copies rows of x to where their segments begin in packed K, zeros between them: as rows one after another, or
 * in tiles of 16 rows x 32 inputs. */
static void pack_rows(void *ctx, int part, int worker UNUSED)
{
    struct linear_job *job = ctx;
    const struct weight *w = job->w;
    const uint16_t *x = cpu_ptr(job->x);
    uint16_t *out = (uint16_t *)job->device->packed_x->ptr;
    bool tiles = job->device->kernels->packs_tiles;

    for (int m = part * PANEL; m < MIN((part + 1) * PANEL, job->gemm.m); m++) {
        for (int s = 0; s < w->n_segments; s++) {
            int from = w->segment_start[s], n = w->segment_start[s + 1] - from;
            int to = w->packed_start[s], n_padded = w->packed_start[s + 1] - to;

            for (int k = 0; k < n_padded; k += TILE) {
                int width = MAX(MIN(TILE, n - k), 0);
                size_t tile = (size_t)(m / PANEL) * (size_t)(w->k_packed / TILE) + (size_t)((to + k) / TILE);
                uint16_t *y = tiles ? out + (tile * PANEL + (size_t)(m % PANEL)) * TILE
                                    : out + (size_t)m * (size_t)w->k_packed + (size_t)(to + k);

                memcpy(y, x + m * job->x->row + from + k, (size_t)width * 2);
                memset(y + width, 0, (size_t)(TILE - width) * 2);
            }
        }
    }
}

static void linear_part(void *ctx, int part, int worker UNUSED)
{
    struct linear_job *job = ctx;
    int first = (int)((int64_t)part * job->w->n_panels / job->n_parts);
    int last = (int)((int64_t)(part + 1) * job->w->n_panels / job->n_parts);

    if (job->w->dtype == DTYPE_BF16)
        job->device->kernels->gemm_bf16(&job->gemm, first, last);
    else
        job->device->kernels->gemm_f32(&job->gemm, first, last);
}

/* Fills the job but for its outputs, laying x out as the kernels want it. */
static void begin_linear(struct linear_job *job, struct cpu_device *c, const struct tensor *x, const struct weight *w)
{
    struct gemm *g = &job->gemm;

    *job = (struct linear_job){.device = c, .x = x, .w = w};
    *g = (struct gemm){
        .m = (int)x->dim[0],
        .x = cpu_ptr(x),
        .x_row = x->row,
        .w = w->mem->ptr,
        .panel_bytes = w->panel_bytes,
        .n_segments = w->n_segments,
        .n_panels = w->n_panels,
    };
    memcpy(g->segment_start, w->packed_start, sizeof(g->segment_start));
    if (w->dtype == DTYPE_BF16 && (c->kernels->packs_tiles || w->k_packed != w->k)) {
        pool_for(c->pool, (g->m + PANEL - 1) / PANEL, pack_rows, job);
        g->x = c->packed_x->ptr;
        g->x_row = w->k_packed;
    }
    job->n_parts = (int)MIN(MAX(w->mem->n_bytes / PART_BYTES, (size_t)pool_size(c->pool)), (size_t)w->n_panels);
}

void cpu_linear(struct device *d, struct tensor *y, const struct tensor *x, const struct weight *w,
                const struct tensor *bias)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct linear_job job;

    if (x->dim[0] == 0)
        return;
    begin_linear(&job, c, x, w);
    job.gemm.n = w->n;
    job.gemm.bias = bias ? cpu_ptr(bias) : NULL;
    job.gemm.y = cpu_ptr(y);
    job.gemm.y_row = y->row;
    pool_for(c->pool, job.n_parts, linear_part, &job);
}

/* silu(gate) * up of all rows and the outputs of panels [first, last), which lie in scratch[m, GATE_UP_PANELS * 16]. */
static void silu_panels(const struct linear_job *job, int first, int last, float *scratch)
{
    const struct cpu_kernels *k = job->device->kernels;
    int f = job->w->n / 2;

    for (int m = 0; m < job->gemm.m; m++) {
        for (int p = first; p < last; p += 2) {
            float *gate = scratch + ((size_t)m * GATE_UP_PANELS + (size_t)(p - first)) * PANEL, *up = gate + PANEL;
            int col = p / 2 * PANEL, n = MIN(f - col, PANEL);

            if (job->bias) {
                k->add(gate, job->bias + col, n);
                k->add(up, job->bias + f + col, n);
            }
            if (job->y->dtype == DTYPE_F32) {
                k->silu_mul((float *)cpu_ptr(job->y) + m * job->y->row + col, gate, up, n);
            } else {
                k->silu_mul(gate, gate, up, n);
                k->to_bf16((uint16_t *)cpu_ptr(job->y) + m * job->y->row + col, gate, n);
            }
        }
    }
}

static void silu_part(void *ctx, int part, int worker)
{
    struct linear_job *job = ctx;
    int pairs = job->w->n_panels / 2;
    int begin = 2 * (int)((int64_t)part * pairs / job->n_parts), end = 2 * (int)((int64_t)(part + 1) * pairs / job->n_parts);
    size_t rows = ((size_t)job->device->limits.max_tokens + PANEL - 1) / PANEL * PANEL;
    float *scratch = (float *)job->device->gate_up->ptr + (size_t)worker * rows * GATE_UP_PANELS * PANEL;

    for (int p = begin, last; p < end; p = last) {
        struct gemm g = job->gemm;

        last = MIN(p + GATE_UP_PANELS, end);
        g.y = scratch;
        g.y_first = p;
        g.y_row = GATE_UP_PANELS * PANEL;
        if (job->w->dtype == DTYPE_BF16)
            job->device->kernels->gemm_bf16(&g, p, last);
        else
            job->device->kernels->gemm_f32(&g, p, last);
        silu_panels(job, p, last, scratch);
    }
}

void cpu_linear_silu_mul(struct device *d, struct tensor *y, const struct tensor *x, const struct weight *w,
                         const struct tensor *bias)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct linear_job job;

    if (x->dim[0] == 0)
        return;
    begin_linear(&job, c, x, w);
    job.y = y;
    job.bias = bias ? cpu_ptr(bias) : NULL;
    job.gemm.n = w->n_panels * PANEL;
    job.n_parts = MIN(job.n_parts, w->n_panels / 2);
    pool_for(c->pool, job.n_parts, silu_part, &job);
}

struct rows_job {
    const struct cpu_device *device;
    struct tensor *y, *r;
    const struct tensor *x, *w;
    const int32_t *rows;
    float eps;
    int per_part; /* rows */
};

static void run_rows(struct cpu_device *c, struct rows_job *job, int64_t n_rows, int64_t width, pool_fn *fn)
{
    job->device = c;
    job->per_part = (int)MAX(ROW_PART / MAX(width, 1), 1);
    pool_for(c->pool, (int)((n_rows + job->per_part - 1) / job->per_part), fn, job);
}

/* Rounds a row of f32 to the type of y's row t. */
static void put_row(const struct rows_job *job, int64_t t, const float *row, int n)
{
    if (job->y->dtype == DTYPE_F32)
        memcpy((float *)cpu_ptr(job->y) + t * job->y->row, row, (size_t)n * sizeof(float));
    else
        job->device->kernels->to_bf16((uint16_t *)cpu_ptr(job->y) + t * job->y->row, row, n);
}

enum { MAX_ROW = 65536 };

static void norm_rows(void *ctx, int part, int worker UNUSED)
{
    struct rows_job *job = ctx;
    int n = (int)job->x->dim[1];
    float row[MAX_ROW];

    for (int64_t t = (int64_t)part * job->per_part; t < MIN((int64_t)(part + 1) * job->per_part, job->x->dim[0]);
         t++) {
        const float *x = (const float *)cpu_ptr(job->x) + t * job->x->row;

        if (job->r) {
            float *r = (float *)cpu_ptr(job->r) + t * job->r->row;

            job->device->kernels->add(r, x, n);
            x = r;
        }
        job->device->kernels->rms_norm(row, x, cpu_ptr(job->w), n, job->eps);
        put_row(job, t, row, n);
    }
}

void cpu_rms_norm(struct device *d, struct tensor *y, const struct tensor *x, const struct tensor *w, float eps)
{
    struct rows_job job = {.y = y, .x = x, .w = w, .eps = eps};

    run_rows((struct cpu_device *)d, &job, x->dim[0], x->dim[1], norm_rows);
}

void cpu_add_rms_norm(struct device *d, struct tensor *y, struct tensor *r, const struct tensor *x,
                      const struct tensor *w, float eps)
{
    struct rows_job job = {.y = y, .r = r, .x = x, .w = w, .eps = eps};

    run_rows((struct cpu_device *)d, &job, x->dim[0], x->dim[1], norm_rows);
}

void cpu_gather_rows(struct device *d UNUSED, struct tensor *y, const struct tensor *x, const int32_t *rows)
{
    size_t size = dtype_size(x->dtype), n = (size_t)x->dim[1] * size;

    for (int64_t i = 0; i < y->dim[0]; i++)
        memcpy((char *)cpu_ptr(y) + (size_t)(i * y->row) * size,
               (const char *)cpu_ptr(x) + (size_t)(rows[i] * x->row) * size, n);
}

void cpu_scatter_rows(struct device *d UNUSED, struct tensor *y, const struct tensor *x, const int32_t *rows)
{
    size_t size = dtype_size(x->dtype), n = (size_t)x->dim[1] * size;

    for (int64_t i = 0; i < x->dim[0]; i++)
        memcpy((char *)cpu_ptr(y) + (size_t)(rows[i] * y->row) * size,
               (const char *)cpu_ptr(x) + (size_t)(i * x->row) * size, n);
}
