/* cpu_ops.c - products, norms and row copies.
 *
 * Work is cut along outputs (products) or tokens (everything else), never along a sum, so that the
 * cut cannot be seen in the bits. */
#include "device/cpu/cpu_device.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum {
    SLICE_BYTES = 256 * 1024, /* weights of one part of a product: long enough to stream */
    BLOCK_BYTES =
        1280 * 1024,  /* of x: rows of one block stay in the second cache while weights stream by */
    BLOCK_ROWS = 256, /* and no more than these */
    HALF_BYTES = 640 * 1024, /* of a block's x, from which on segments are taken in two halves */
    BLOCK_STEP = 32,
    MAX_LANES = 512,
    ROW_PART = 4096,    /* values of one part of a row loop: a few microseconds */
    GATE_UP_PANELS = 8, /* panels of gate and up that one worker has in hand at a time */
    CACHE_LINE = 64,
};

/* Elements from one padded row to the next: an odd number of cache lines, so that the rows which a
 * product reads side by side lie in different sets of the caches. */
static int64_t packed_row(int k_packed)
{
    return ((int64_t)k_packed * 2 / CACHE_LINE | 1) * CACHE_LINE / 2;
}

bool cpu_reserve_linear(struct cpu_device *c, struct err *e)
{
    size_t rows = ((size_t)c->limits.max_tokens + PANEL - 1) / PANEL * PANEL, n_bytes;
    size_t cols = (size_t)packed_row(c->limits.max_inputs + MAX_SEGMENTS * K_PAD) + CACHE_LINE;

    cpu_release(c->packed_x);
    cpu_release(c->gate_up);
    c->gate_up = NULL;
    c->packed_x = NULL;
    if (!size_mul(rows, cols, &n_bytes) ||
        !size_mul(n_bytes, dtype_size(c->base.compute), &n_bytes))
        return err_set(e, ERR_MEMORY, "%zu x %zu inputs do not fit into the address space", rows,
                       cols);
    c->packed_x = cpu_alloc(n_bytes, e);
    if (!c->packed_x)
        return false;
    c->gate_up =
        cpu_alloc((size_t)pool_size(c->pool) * rows * GATE_UP_PANELS * PANEL * sizeof(float), e);
    return c->gate_up != NULL;
}

/* A product is cut in lanes: a block of rows by a range of panels. Each worker begins with lanes of
 * its own, takes their slices one by one, so that x stays in its cache and the next weights are
 * known, and then helps others. */
struct linear_job {
    struct gemm gemm;
    const struct cpu_device *device;
    const struct tensor *x;
    const struct weight *w;
    int n_blocks, n_ranges;       /* n_blocks * n_ranges lanes */
    int n_slices;                 /* of each */
    _Atomic int taken[MAX_LANES]; /* slices */
    struct tensor *y;             /* linear_silu_mul only; else gemm has them */
    const float *bias;
};

/* Copies rows of x to where their segments begin in packed K, zeros between them. */
static void pack_rows(void *ctx, int part, int worker UNUSED)
{
    struct linear_job *job = ctx;
    const struct weight *w = job->w;
    const uint16_t *x = cpu_ptr(job->x);
    uint16_t *out = (uint16_t *)job->device->packed_x->ptr;

    for (int m = part * PANEL; m < MIN((part + 1) * PANEL, job->gemm.m); m++) {
        for (int s = 0; s < w->n_segments; s++) {
            int from = w->segment_start[s], n = w->segment_start[s + 1] - from;
            int to = w->packed_start[s], n_padded = w->packed_start[s + 1] - to;
            uint16_t *y = out + m * job->gemm.x_row + to;

            memcpy(y, x + m * job->x->row + from, (size_t)n * 2);
            memset(y + n, 0, (size_t)(n_padded - n) * 2);
        }
    }
}

/* Fills the job but for its outputs, laying x out as the kernels want it. */
static void begin_linear(struct linear_job *job, struct cpu_device *c, const struct tensor *x,
                         const struct weight *w)
{
    struct gemm *g = &job->gemm;

    job->device = c;
    job->x = x;
    job->w = w;
    *g = (struct gemm){
        .m = (int)x->dim[0],
        .x = cpu_ptr(x),
        .x_row = x->row,
        .w = w->mem->ptr,
        .panel_bytes = w->panel_bytes,
        .n_segments = w->n_segments,
    };
    memcpy(g->segment_start, w->packed_start, sizeof(g->segment_start));
    if (w->dtype == DTYPE_BF16 && w->k_packed != w->k) {
        g->x = c->packed_x->ptr;
        g->x_row = packed_row(w->k_packed);
        pool_for(c->pool, (g->m + PANEL - 1) / PANEL, pack_rows, job);
    }
}

static bool is_tiled(const struct linear_job *job)
{
    return job->w->dtype == DTYPE_BF16 && job->device->kernels->is_tiled;
}

static void cut_linear(struct linear_job *job)
{
    const struct weight *w = job->w;
    size_t row_bytes = (size_t)w->k_packed * dtype_size(w->dtype);
    int n_workers = pool_size(job->device->pool), pairs = (w->n_panels + 1) / 2, m = job->gemm.m,
        rows, n_slices;

    job->gemm.half = BOTH_HALVES;
    if (is_tiled(job) && w->n_segments > 1 && (size_t)MIN(m, BLOCK_ROWS) * row_bytes > HALF_BYTES) {
        job->gemm.half = FIRST_HALF;
        row_bytes /= 2;
    }
    rows = (int)MIN(BLOCK_BYTES / row_bytes, BLOCK_ROWS) / BLOCK_STEP * BLOCK_STEP;
    rows = MAX(rows, BLOCK_STEP);
    job->n_blocks = MIN((m + rows - 1) / rows, MAX_LANES / n_workers);
    job->n_ranges = 1;
    if (job->n_blocks >= n_workers)
        job->n_blocks = (job->n_blocks + n_workers - 1) / n_workers * n_workers;
    else
        job->n_ranges = MIN(n_workers, pairs);
    job->n_blocks = MIN(job->n_blocks, (m + BLOCK_STEP - 1) / BLOCK_STEP);
    n_slices = (int)(w->mem->n_bytes / SLICE_BYTES) / job->n_ranges;
    job->n_slices = MAX(MIN(n_slices, pairs / job->n_ranges), 1);
}

/* One slice of a lane: rows from m on by panels [first, last), cut where pairs end. */
struct linear_part {
    struct gemm gemm;
    int m, first, last;
};

static struct linear_part part_of(const struct linear_job *job, int lane, int slice)
{
    struct linear_part p = {.gemm = job->gemm};
    int64_t block = lane / job->n_ranges, range = lane % job->n_ranges,
            pairs = (job->w->n_panels + 1) / 2;
    int64_t steps = (p.gemm.m + BLOCK_STEP - 1) / BLOCK_STEP;
    int64_t from = range * pairs / job->n_ranges, n = (range + 1) * pairs / job->n_ranges - from;
    int end = (int)((block + 1) * steps / job->n_blocks) * BLOCK_STEP;

    p.m = (int)(block * steps / job->n_blocks) * BLOCK_STEP;
    p.first = (int)(from + slice * n / job->n_slices) * 2;
    p.last = MIN((int)(from + (slice + 1) * n / job->n_slices) * 2, job->w->n_panels);
    p.gemm.next_end = MIN((int)(from + n) * 2, job->w->n_panels);
    p.gemm.m = MIN(end, p.gemm.m) - p.m;
    p.gemm.x = (const char *)p.gemm.x + (size_t)(p.m * p.gemm.x_row) * dtype_size(job->w->dtype);
    if (p.gemm.y)
        p.gemm.y += p.m * p.gemm.y_row;
    if (p.gemm.gate_up)
        p.gemm.gate_up += p.m * p.gemm.y_row;
    return p;
}

/* The next slice for a worker. There is one, since as many are asked for as there are. */
static struct linear_part take_part(struct linear_job *job, int worker)
{
    int n_lanes = job->n_blocks * job->n_ranges, n_workers = pool_size(job->device->pool);

    for (int v = 0; v < n_workers; v++) {
        for (int lane = (worker + v) % n_workers; lane < n_lanes; lane += n_workers) {
            if (job->taken[lane] < job->n_slices) {
                int slice = job->taken[lane]++;

                if (slice < job->n_slices)
                    return part_of(job, lane, slice);
            }
        }
    }
    abort();
}

static void run_linear(struct linear_job *job, pool_fn *fn)
{
    int n_lanes = job->n_blocks * job->n_ranges;

    for (int i = 0; i < n_lanes; i++)
        job->taken[i] = 0;
    pool_for(job->device->pool, n_lanes * job->n_slices, fn, job);
}

static void multiply(const struct linear_job *job, const struct gemm *g, int first, int last)
{
    if (job->w->dtype == DTYPE_BF16)
        job->device->kernels->gemm_bf16(g, first, last);
    else
        job->device->kernels->gemm_f32(g, first, last);
}

static void multiply_part(void *ctx, int part UNUSED, int worker)
{
    struct linear_part p = take_part(ctx, worker);

    multiply(ctx, &p.gemm, p.first, p.last);
}

void cpu_linear(struct device *d, struct tensor *y, const struct tensor *x, const struct weight *w,
                const struct tensor *bias)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct linear_job job;

    if (x->dim[0] == 0)
        return;
    begin_linear(&job, c, x, w);
    cut_linear(&job);
    job.gemm.n = w->n;
    job.gemm.bias = bias ? cpu_ptr(bias) : NULL;
    job.gemm.y = cpu_ptr(y);
    job.gemm.y_row = y->row;
    run_linear(&job, multiply_part);
    if (job.gemm.half == FIRST_HALF) {
        job.gemm.half = SECOND_HALF;
        run_linear(&job, multiply_part);
    }
}

/* silu(gate) * up of a part's rows and the outputs of panels [first, last), which lie in scratch[.,
 * GATE_UP_PANELS * 16]. */
static void silu_panels(const struct linear_job *job, const struct linear_part *part, int first,
                        int last, float *scratch)
{
    const struct cpu_kernels *k = job->device->kernels;
    int f = job->w->n / 2;

    for (int i = 0; i < part->gemm.m; i++) {
        for (int p = first; p < last; p += 2) {
            float *gate = scratch + ((size_t)i * GATE_UP_PANELS + (size_t)(p - first)) * PANEL,
                  *up = gate + PANEL;
            int col = p / 2 * PANEL, n = MIN(f - col, PANEL);
            int64_t at = (part->m + i) * job->y->row + col;

            if (job->bias) {
                k->add(gate, job->bias + col, n);
                k->add(up, job->bias + f + col, n);
            }
            if (job->y->dtype == DTYPE_F32) {
                k->silu_mul((float *)cpu_ptr(job->y) + at, gate, up, n);
            } else {
                k->silu_mul(gate, gate, up, n);
                k->to_bf16((uint16_t *)cpu_ptr(job->y) + at, gate, n);
            }
        }
    }
}

static void silu_part(void *ctx, int part UNUSED, int worker)
{
    struct linear_job *job = ctx;
    struct linear_part p = take_part(job, worker);
    size_t rows = ((size_t)job->device->limits.max_tokens + PANEL - 1) / PANEL * PANEL;
    float *scratch =
        (float *)job->device->gate_up->ptr + (size_t)worker * rows * GATE_UP_PANELS * PANEL;

    for (int first = p.first, last; first < p.last; first = last) {
        last = MIN(first + GATE_UP_PANELS, p.last);
        p.gemm.y = scratch;
        p.gemm.y_first = first;
        p.gemm.y_row = GATE_UP_PANELS * PANEL;
        multiply(job, &p.gemm, first, last);
        silu_panels(job, &p, first, last, scratch);
    }
}

void cpu_linear_silu_mul(struct device *d, struct tensor *y, const struct tensor *x,
                         const struct weight *w, const struct tensor *bias)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct linear_job job;

    if (x->dim[0] == 0)
        return;
    begin_linear(&job, c, x, w);
    cut_linear(&job);
    if (is_tiled(&job)) {
        job.gemm.n = w->n;
        job.gemm.bias = bias ? cpu_ptr(bias) : NULL;
        job.gemm.gate_up = cpu_ptr(y);
        job.gemm.y_row = y->row;
        run_linear(&job, multiply_part);
        return;
    }
    job.y = y;
    job.bias = bias ? cpu_ptr(bias) : NULL;
    job.gemm.n = w->n_panels * PANEL;
    run_linear(&job, silu_part);
}

struct rows_job {
    const struct cpu_device *device;
    struct tensor *y, *r;
    const struct tensor *x, *w;
    const int32_t *rows;
    float eps;
    int per_part; /* rows */
};

static void run_rows(struct cpu_device *c, struct rows_job *job, int64_t n_rows, int64_t width,
                     pool_fn *fn)
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

    for (int64_t t = (int64_t)part * job->per_part;
         t < MIN((int64_t)(part + 1) * job->per_part, job->x->dim[0]); t++) {
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

void cpu_rms_norm(struct device *d, struct tensor *y, const struct tensor *x,
                  const struct tensor *w, float eps)
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

void cpu_gather_rows(struct device *d UNUSED, struct tensor *y, const struct tensor *x,
                     const int32_t *rows)
{
    size_t size = dtype_size(x->dtype), n = (size_t)x->dim[1] * size;

    for (int64_t i = 0; i < y->dim[0]; i++)
        memcpy((char *)cpu_ptr(y) + (size_t)(i * y->row) * size,
               (const char *)cpu_ptr(x) + (size_t)(rows[i] * x->row) * size, n);
}

void cpu_scatter_rows(struct device *d UNUSED, struct tensor *y, const struct tensor *x,
                      const int32_t *rows)
{
    size_t size = dtype_size(x->dtype), n = (size_t)x->dim[1] * size;

    for (int64_t i = 0; i < x->dim[0]; i++)
        memcpy((char *)cpu_ptr(y) + (size_t)(rows[i] * y->row) * size,
               (const char *)cpu_ptr(x) + (size_t)(i * x->row) * size, n);
}
