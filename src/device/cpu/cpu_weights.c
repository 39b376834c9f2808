/* cpu_weights.c - matrices in panels of 16 outputs.
 *
 * A panel holds 16 outputs side by side for every input in turn, so a product streams through a
 * weight from its first byte to its last: f32 [K][16], bf16 [K'/2][16][2], where the pairs are what
 * one bf16 dot product instruction takes. Segments of K are padded to 32 inputs each (bf16),
 * outputs to 16. */
#include "device/cpu/cpu_device.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"
#include "base/philox.h"

struct pack_job {
    const struct weight_spec *spec;
    struct weight *w;
    _Atomic int bad_part; /* a part with a value that is not finite, or -1 */
};

/* Values [index, index + n) of a dummy tensor: uniform, mean 0, standard deviation 0.02. One Philox
 * call gives 8 of them. */
static void dummy_values(uint64_t key, uint64_t index, int n, float *out)
{
    static const float width = 0.02f * 1.7320508f * 2.0f / 65536.0f;
    struct philox r = {{0}};

    for (int i = 0; i < n; i++, index++) {
        uint64_t call = index / 8;
        uint32_t word;

        if (i == 0 || index % 8 == 0)
            r = philox4x32(key, (uint32_t)call, (uint32_t)(call >> 32), 0, 0x64756D6Du);
        word = r.v[index % 8 / 2];
        out[i] = ((float)(index % 2 ? word >> 16 : word & 0xFFFFu) - 32767.5f) * width;
    }
}

/* Values [from, from + n) of one row of a part, as f32. */
static void read_row(const struct host_tensor *t, int64_t row, int from, int n, float *out)
{
    size_t at = (size_t)(row * t->row + from);

    if (!t->ptr) {
        dummy_values(t->dummy_key,
                     (uint64_t)((t->dummy_row + row) * t->dummy_cols + t->dummy_col + from), n,
                     out);
        return;
    }
    if (t->dtype == DTYPE_F32) {
        memcpy(out, (const char *)t->ptr + at * 4, (size_t)n * 4);
        return;
    }
    for (int i = 0; i < n; i++) {
        uint16_t v;

        memcpy(&v, (const char *)t->ptr + (at + (size_t)i) * 2, sizeof(v));
        out[i] = t->dtype == DTYPE_BF16 ? bf16_to_f32(v) : f16_to_f32(v);
    }
}

static bool all_finite(const float *x, int n)
{
    bool ok = true;

    for (int i = 0; i < n; i++)
        ok &= isfinite(x[i]) != 0;
    return ok;
}

/* Puts n inputs of output j, beginning at packed input k, into a panel. */
static void put(const struct weight *w, char *panel, int j, int k, const float *x, int n)
{
    if (w->dtype == DTYPE_F32) {
        for (int i = 0; i < n; i++)
            ((float *)panel)[(size_t)(k + i) * PANEL + (size_t)j] = x[i];
        return;
    }
    for (int i = 0; i < n; i++)
        ((uint16_t *)
             panel)[((size_t)((k + i) / 2) * PANEL + (size_t)j) * 2 + (size_t)((k + i) % 2)] =
            f32_to_bf16(x[i]);
}

/* Which row of which part is output j of panel p; false: padding, which stays zero. */
static bool find_row(const struct pack_job *job, int p, int j, int *part, int64_t *row)
{
    *part = 0;
    *row = p * PANEL + j;
    if (job->w->is_gate_up) {
        *part = p % 2;
        *row = p / 2 * PANEL + j;
        return *row < job->spec->parts[0].n_rows;
    }
    if (*row >= job->w->n)
        return false;
    while (*row >= job->spec->parts[*part].n_rows)
        *row -= job->spec->parts[(*part)++].n_rows;
    return true;
}

static void pack_panel(void *ctx, int p, int worker UNUSED)
{
    enum { CHUNK = 512 };
    struct pack_job *job = ctx;
    const struct weight *w = job->w;
    char *panel = w->mem->ptr + (size_t)p * w->panel_bytes;
    float x[CHUNK];

    for (int j = 0; j < PANEL; j++) {
        int part;
        int64_t row;

        if (!find_row(job, p, j, &part, &row))
            continue;
        for (int s = 0; s < w->n_segments; s++) {
            for (int k = w->segment_start[s]; k < w->segment_start[s + 1]; k += CHUNK) {
                int n = MIN(CHUNK, w->segment_start[s + 1] - k);

                read_row(&job->spec->parts[part], row, k, n, x);
                if (!all_finite(x, n))
                    job->bad_part = part;
                put(w, panel, j, w->packed_start[s] + k - w->segment_start[s], x, n);
            }
        }
    }
}

/* Bounds of the segments: boundary i lies at i K / n, which ranks that hold K / p inputs share. */
static void cut_segments(struct weight *w, int n_segments)
{
    int pad = w->dtype == DTYPE_BF16 ? K_PAD : 1;

    w->n_segments = n_segments;
    for (int s = 0; s < n_segments; s++) {
        int width;

        w->segment_start[s + 1] = (int)((int64_t)(s + 1) * w->k / n_segments);
        width = w->segment_start[s + 1] - w->segment_start[s];
        w->packed_start[s + 1] = w->packed_start[s] + (width + pad - 1) / pad * pad;
    }
    w->k_packed = w->packed_start[n_segments];
}

struct weight *cpu_pack(struct device *d, const struct weight_spec *s, struct err *e)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct weight *w = xcalloc(1, sizeof(*w));
    struct pack_job job = {.spec = s, .w = w, .bad_part = -1};
    size_t n_bytes;

    w->dtype = d->compute;
    w->first_id = s->first_id;
    w->k = (int)s->parts[0].n_cols;
    for (int i = 0; i < s->n_parts; i++)
        w->n += (int)s->parts[i].n_rows;
    cut_segments(w, s->n_segments);
    w->is_gate_up = s->is_gate_up;
    w->n_panels = w->is_gate_up ? (w->n / 2 + PANEL - 1) / PANEL * 2 : (w->n + PANEL - 1) / PANEL;
    if (!size_mul((size_t)w->k_packed * PANEL, dtype_size(w->dtype), &w->panel_bytes) ||
        !size_mul(w->panel_bytes, (size_t)w->n_panels, &n_bytes)) {
        err_set(e, ERR_MEMORY, "a weight of %d x %d does not fit into the address space", w->n,
                w->k);
        goto fail;
    }
    w->mem = cpu_alloc(n_bytes, e);
    if (!w->mem)
        goto fail;
    pool_for(c->pool, w->n_panels, pack_panel, &job);
    if (job.bad_part >= 0) {
        err_set(e, ERR_INPUT, "part %d holds a value that is not finite (NaN or infinity)",
                (int)job.bad_part);
        goto fail;
    }
    return w;

fail:
    cpu_unpack(d, w);
    return NULL;
}

void cpu_unpack(struct device *d UNUSED, struct weight *w)
{
    if (!w)
        return;
    cpu_release(w->mem);
    free(w);
}

size_t cpu_weight_bytes(const struct weight *w)
{
    return w->mem->n_bytes;
}

struct embed_job {
    struct tensor *y;
    const struct weight *table;
    const int32_t *ids;
};

/* Adding 0 turns -0 into 0, as the sum over ranks does when each holds a part of the vocabulary. */
static void embed_row(void *ctx, int t, int worker UNUSED)
{
    struct embed_job *job = ctx;
    const struct weight *w = job->table;
    float *y = (float *)cpu_ptr(job->y) + t * job->y->row;
    int64_t n = job->ids[t] - w->first_id;
    const char *panel;

    if (n < 0 || n >= w->n) {
        memset(y, 0, (size_t)w->k * sizeof(float));
        return;
    }
    panel = w->mem->ptr + (size_t)(n / PANEL) * w->panel_bytes;
    if (w->dtype == DTYPE_F32) {
        for (int k = 0; k < w->k; k++)
            y[k] = ((const float *)panel)[(size_t)k * PANEL + (size_t)(n % PANEL)] + 0.0f;
        return;
    }
    for (int k = 0; k < w->k; k++)
        y[k] =
            bf16_to_f32((
                (const uint16_t *)
                    panel)[((size_t)(k / 2) * PANEL + (size_t)(n % PANEL)) * 2 + (size_t)(k % 2)]) +
            0.0f;
}

void cpu_embed(struct device *d, struct tensor *y, const struct weight *table, const int32_t *ids)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct embed_job job = {y, table, ids};

    pool_for(c->pool, (int)y->dim[0], embed_row, &job);
}
