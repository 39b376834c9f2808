/* cpu_attention.c - the paged cache: storing keys and values, and attention over blocks.
 *
 * Context is cut into splits of 256 tokens (16 blocks). A row folds its splits in order, alone, so
 * its bits depend on its own length only. What is chosen freely is which rows run side by side:
 * queries are sorted by the blocks of their sequences, and rows whose split lies in the same blocks
 * share one kernel call, be they heads of one token, tokens of one prompt, or samples that share a
 * prompt. So a shared prompt is read once for all of them.
 *
 * A work item is one kv head and one set of queries; a worker takes it through all its splits. */
#include "device/cpu/cpu_device.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/num.h"

enum { MAX_SET_ROWS = 512, MIN_SET_ROWS = 16, ITEMS_PER_WORKER = 4 };

struct query {
    int token, seq;
    int position; /* in the sequence: it sees position + 1 tokens */
    int n_shared; /* leading splits in the same blocks as those of the query before it */
};

/* Sized by reserve; filled by begin_step; the same for all layers. */
struct attend_plan {
    struct query *queries; /* [max_tokens] in the order of work */
    int *order;            /* [max_seqs] */
    int *shared;           /* [max_seqs] n_shared of each sequence's first query */
    int n_queries, queries_per_set, n_sets;
    char *scratch;        /* of all workers */
    size_t scratch_bytes; /* of one */
};

int cpu_padded_dim(int head_dim)
{
    return (head_dim + K_PAD - 1) / K_PAD * K_PAD;
}

static size_t head_bytes(const struct device *d, int head_dim)
{
    return (size_t)cpu_padded_dim(head_dim) * KV_BLOCK_TOKENS * dtype_size(d->compute);
}

size_t cpu_kv_bytes(struct device *d, int n_kv_heads, int head_dim)
{
    return (size_t)n_kv_heads * head_bytes(d, head_dim);
}

void cpu_release_attention(struct cpu_device *c)
{
    struct attend_plan *p = c->plan;

    if (!p)
        return;
    free(p->queries);
    free(p->order);
    free(p->shared);
    free(p->scratch);
    free(p);
    c->plan = NULL;
}

bool cpu_reserve_attention(struct cpu_device *c, struct err *e)
{
    struct attend_plan *p;
    size_t dim = (size_t)cpu_padded_dim(c->limits.head_dim);

    if (c->limits.n_heads / c->limits.n_kv_heads > MAX_SET_ROWS)
        return err_set(e, ERR_UNSUPPORTED, "%d query heads for each of %d kv heads are too many",
                       c->limits.n_heads / c->limits.n_kv_heads, c->limits.n_kv_heads);
    cpu_release_attention(c);
    c->plan = p = xcalloc(1, sizeof(*p));
    p->queries = xcalloc((size_t)c->limits.max_tokens, sizeof(*p->queries));
    p->order = xcalloc((size_t)c->limits.max_seqs, sizeof(*p->order));
    p->shared = xcalloc((size_t)c->limits.max_seqs, sizeof(*p->shared));
    p->scratch_bytes = MAX_SET_ROWS * (dim * sizeof(float) + sizeof(struct attend_state)) +
                       ATTEND_ROWS * dim * sizeof(float);
    p->scratch_bytes = (p->scratch_bytes + 4095) / 4096 * 4096;
    p->scratch = aligned_alloc(4096, p->scratch_bytes * (size_t)pool_size(c->pool));
    if (!p->scratch)
        return err_set(e, ERR_MEMORY, "no memory for attention's scratch of %zu bytes",
                       p->scratch_bytes);
    return true;
}

/* Leading splits that two sequences keep in the same blocks. */
static int shared_splits(const struct step *s, int a, int b)
{
    int full = MIN(s->seq_lens[a], s->seq_lens[b]) / KV_SPLIT_TOKENS;
    const int32_t *x = s->block_table + (size_t)a * (size_t)s->max_blocks;
    const int32_t *y = s->block_table + (size_t)b * (size_t)s->max_blocks;
    int n = 0;

    while (n < full &&
           memcmp(x + n * SPLIT_BLOCKS, y + n * SPLIT_BLOCKS, SPLIT_BLOCKS * sizeof(*x)) == 0)
        n++;
    return n;
}

/* Sorts by block numbers, so that sequences with equal beginnings become neighbours. */
static bool comes_before(const struct step *s, int a, int b)
{
    int n = (MIN(s->seq_lens[a], s->seq_lens[b]) + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
    const int32_t *x = s->block_table + (size_t)a * (size_t)s->max_blocks;
    const int32_t *y = s->block_table + (size_t)b * (size_t)s->max_blocks;

    for (int i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] < y[i];
    return false;
}

static void sort_seqs(const struct step *s, int *order)
{
    for (int i = 0; i < s->n_seqs; i++) {
        int at = i;

        for (; at > 0 && comes_before(s, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

bool cpu_begin_step(struct device *d, const struct qkv_spec *spec, const struct step *s,
                    struct err *e)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct attend_plan *p = c->plan;
    int group = spec->n_heads / spec->n_kv_heads, per_set, n = 0;

    if (s->n_tokens > c->limits.max_tokens || s->n_seqs > c->limits.max_seqs)
        return err_set(e, ERR_INPUT,
                       "a step of %d tokens in %d sequences is over the limits %d and %d",
                       s->n_tokens, s->n_seqs, c->limits.max_tokens, c->limits.max_seqs);
    sort_seqs(s, p->order);
    for (int i = 0; i < s->n_seqs; i++) {
        int seq = p->order[i], n_new = s->query_start[seq + 1] - s->query_start[seq];
        int n_shared = i > 0 ? shared_splits(s, p->order[i - 1], seq) : 0;

        for (int j = 0; j < n_new; j++)
            p->queries[n++] = (struct query){
                .token = s->query_start[seq] + j,
                .seq = seq,
                .position = s->seq_lens[seq] - n_new + j,
                .n_shared = j > 0 ? INT32_MAX : n_shared,
            };
    }
    p->n_queries = n;
    per_set = n * spec->n_heads / (ITEMS_PER_WORKER * pool_size(c->pool));
    per_set = MIN(MAX(per_set, MIN_SET_ROWS), MAX_SET_ROWS);
    p->queries_per_set = MAX(per_set / group, 1);
    p->n_sets = (n + p->queries_per_set - 1) / p->queries_per_set;
    return true;
}

/* --- storing ---------------------------------------------------------------------------------- */

struct store_job {
    const struct cpu_device *device;
    struct tensor *q;
    struct kv_cache *kv;
    const struct tensor *qkv;
    const struct qkv_spec *s;
    const struct step *step;
    int per_part; /* tokens */
};

enum { MAX_HEAD_DIM = 1024 };

/* A token's angles, the same for all its heads. */
struct angles {
    float cos[MAX_HEAD_DIM / 2], sin[MAX_HEAD_DIM / 2];
};

static void find_angles(const struct store_job *job, int t, struct angles *a)
{
    const struct rotation *r = job->s->rotation;
    int half = job->s->head_dim / 2;
    const float *table = cpu_ptr(&r->cos_sin);

    for (int i = 0; i < half; i++) {
        int axis = r->axis ? r->axis[i] : 0;
        int64_t position =
            job->step->positions[(size_t)axis * (size_t)job->step->n_tokens + (size_t)t];

        a->cos[i] = table[(position * half + i) * 2];
        a->sin[i] = table[(position * half + i) * 2 + 1];
    }
}

/* One head of one token: normed if the model does, then turned. */
static void turn_head(const struct store_job *job, const struct angles *a, const float *x,
                      const struct tensor *norm, float *y)
{
    const struct cpu_kernels *k = job->device->kernels;
    float normed[MAX_HEAD_DIM];

    if (norm) {
        k->rms_norm(normed, x, cpu_ptr(norm), job->s->head_dim, job->s->eps);
        x = normed;
    }
    k->rotate(y, x, a->cos, a->sin, job->s->head_dim / 2);
}

static void store_key(const struct store_job *job, char *block, int token, const float *x)
{
    int n = job->s->head_dim;
    uint16_t row[MAX_HEAD_DIM];

    if (job->device->base.compute == DTYPE_F32) {
        for (int i = 0; i < n; i++)
            ((float *)block)[i * KV_BLOCK_TOKENS + token] = x[i];
        return;
    }
    job->device->kernels->to_bf16(row, x, n);
    for (int i = 0; i < n; i += 2)
        memcpy(block + (i / 2 * KV_BLOCK_TOKENS + token) * 4, row + i, 4);
}

static void store_value(const struct store_job *job, char *block, int token, const float *x)
{
    int n = job->s->head_dim, dim = cpu_padded_dim(n);
    uint16_t row[MAX_HEAD_DIM];

    if (job->device->base.compute == DTYPE_F32) {
        memcpy((float *)block + token * dim, x, (size_t)n * sizeof(float));
        return;
    }
    job->device->kernels->to_bf16(row, x, n);
    for (int i = 0; i < n; i++)
        ((uint16_t *)block)[(token / 2 * dim + i) * 2 + token % 2] = row[i];
}

static void store_token(const struct store_job *job, int t)
{
    const struct qkv_spec *s = job->s;
    int n = s->head_dim, slot = job->step->slot_mapping[t];
    const float *x = (const float *)cpu_ptr(job->qkv) + t * job->qkv->row;
    size_t bytes = head_bytes(&job->device->base, n);
    size_t at = (size_t)(slot / KV_BLOCK_TOKENS) * (size_t)s->n_kv_heads * bytes;
    float y[MAX_HEAD_DIM];
    struct angles angles;

    find_angles(job, t, &angles);
    for (int h = 0; h < s->n_heads; h++, x += n) {
        size_t to = (size_t)(t * job->q->row) + (size_t)h * (size_t)n;

        turn_head(job, &angles, x, s->q_norm, y);
        if (job->q->dtype == DTYPE_F32)
            memcpy((float *)cpu_ptr(job->q) + to, y, (size_t)n * sizeof(float));
        else
            job->device->kernels->to_bf16((uint16_t *)cpu_ptr(job->q) + to, y, n);
    }
    for (int h = 0; h < s->n_kv_heads; h++, x += n) {
        turn_head(job, &angles, x, s->k_norm, y);
        store_key(job, job->kv->k->ptr + at + (size_t)h * bytes, slot % KV_BLOCK_TOKENS, y);
    }
    for (int h = 0; h < s->n_kv_heads; h++, x += n)
        store_value(job, job->kv->v->ptr + at + (size_t)h * bytes, slot % KV_BLOCK_TOKENS, x);
}

static void store_tokens(void *ctx, int part, int worker UNUSED)
{
    const struct store_job *job = ctx;

    for (int t = part * job->per_part; t < MIN((part + 1) * job->per_part, job->step->n_tokens);
         t++)
        store_token(job, t);
}

void cpu_rotate_store(struct device *d, struct tensor *q, struct kv_cache *kv,
                      const struct tensor *qkv, const struct qkv_spec *s, const struct step *step)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct store_job job = {c, q, kv, qkv, s, step, 1};
    size_t bytes = cpu_kv_bytes(d, s->n_kv_heads, s->head_dim);

    /* A block is read whole, with weight 0 where nothing was stored. What an earlier sequence left
     * there could be infinite, and 0 times infinity is not 0: so a new block begins empty. */
    for (int t = 0; t < step->n_tokens; t++) {
        if (step->slot_mapping[t] % KV_BLOCK_TOKENS == 0) {
            size_t at = (size_t)(step->slot_mapping[t] / KV_BLOCK_TOKENS) * bytes;

            memset(kv->k->ptr + at, 0, bytes);
            memset(kv->v->ptr + at, 0, bytes);
        }
    }
    /* Tokens of one block share cache lines, which workers should not take from each other. */
    job.per_part =
        MIN(MAX(step->n_tokens / (ITEMS_PER_WORKER * pool_size(c->pool)), 1), KV_BLOCK_TOKENS);
    pool_for(c->pool, (step->n_tokens + job.per_part - 1) / job.per_part, store_tokens, &job);
}

/* --- attention -------------------------------------------------------------------------------- */

struct attend_job {
    const struct cpu_device *device;
    struct tensor *y;
    const struct tensor *q;
    const struct kv_cache *kv;
    const struct qkv_spec *s;
    const struct step *step;
};

/* One kv head, one set of queries: rows are (query, head of the group), in that order. */
struct item {
    const struct attend_job *job;
    const struct query *queries;
    int head, n_rows, group, dim;
    struct attend_state *state; /* [n_rows] */
    float *o;                   /* [n_rows, dim] */
    char *q;                    /* [ATTEND_ROWS, dim] of A */
};

static int visible(const struct item *it, int row, int split)
{
    int n = it->queries[row / it->group].position + 1 - split * KV_SPLIT_TOKENS;

    return MIN(n, KV_SPLIT_TOKENS);
}

/* Whether row may join the rows before it in this split: its blocks are theirs. */
static bool joins(const struct item *it, int row, int split)
{
    return row % it->group != 0 || it->queries[row / it->group].n_shared > split;
}

static void load_queries(const struct item *it, int first, int n)
{
    size_t size = dtype_size(it->job->q->dtype), n_bytes = (size_t)it->job->s->head_dim * size;
    size_t row_bytes = (size_t)it->dim * size;

    for (int i = 0; i < n; i++) {
        int token = it->queries[(first + i) / it->group].token;
        int head = it->head * it->group + (first + i) % it->group;
        const char *from =
            (const char *)cpu_ptr(it->job->q) + (size_t)(token * it->job->q->row) * size;

        memcpy(it->q + (size_t)i * row_bytes, from + (size_t)head * n_bytes, n_bytes);
        memset(it->q + (size_t)i * row_bytes + n_bytes, 0, row_bytes - n_bytes);
    }
}

static void attend_rows(const struct item *it, int first, int n, int split)
{
    const struct attend_job *job = it->job;
    const struct step *step = job->step;
    const char *k[SPLIT_BLOCKS], *v[SPLIT_BLOCKS];
    int n_visible[ATTEND_ROWS], most = 0;
    const int32_t *blocks = step->block_table +
                            (size_t)it->queries[first / it->group].seq * (size_t)step->max_blocks +
                            split * SPLIT_BLOCKS;
    size_t bytes = head_bytes(&job->device->base, job->s->head_dim);
    struct attend a = {
        .n_rows = n, .head_dim = job->s->head_dim, .padded_dim = it->dim, .q = it->q};

    for (int i = 0; i < n; i++) {
        n_visible[i] = visible(it, first + i, split);
        /* The longest row may be one of another sequence only when this split is full in both. */
        if (n_visible[i] > most) {
            most = n_visible[i];
            blocks = step->block_table +
                     (size_t)it->queries[(first + i) / it->group].seq * (size_t)step->max_blocks +
                     split * SPLIT_BLOCKS;
        }
    }
    a.n_blocks = (most + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
    for (int b = 0; b < a.n_blocks; b++) {
        size_t at = ((size_t)blocks[b] * (size_t)job->s->n_kv_heads + (size_t)it->head) * bytes;

        k[b] = job->kv->k->ptr + at;
        v[b] = job->kv->v->ptr + at;
    }
    a.k = k;
    a.v = v;
    a.n_visible = n_visible;
    a.scale = 1.0f / sqrtf((float)job->s->head_dim);
    a.is_first = split == 0;
    a.state = it->state + first;
    a.o = it->o + (size_t)first * (size_t)it->dim;
    load_queries(it, first, n);
    if (job->device->base.compute == DTYPE_F32)
        job->device->kernels->attend_f32(&a);
    else
        job->device->kernels->attend_bf16(&a);
}

/* Writes o / sum of all rows; false bits of padding are left behind. */
static void finish_rows(const struct item *it)
{
    const struct attend_job *job = it->job;
    int n = job->s->head_dim;

    for (int row = 0; row < it->n_rows; row++) {
        float *o = it->o + (size_t)row * (size_t)it->dim;
        int head = it->head * it->group + row % it->group;
        size_t to =
            (size_t)(it->queries[row / it->group].token * job->y->row) + (size_t)head * (size_t)n;

        job->device->kernels->divide(o, it->state[row].sum, n);
        if (job->y->dtype == DTYPE_F32)
            memcpy((float *)cpu_ptr(job->y) + to, o, (size_t)n * sizeof(float));
        else
            job->device->kernels->to_bf16((uint16_t *)cpu_ptr(job->y) + to, o, n);
    }
}

static void attend_item(void *ctx, int part, int worker)
{
    const struct attend_job *job = ctx;
    const struct attend_plan *p = job->device->plan;
    int set = part % p->n_sets, dim = cpu_padded_dim(job->s->head_dim), longest = 0;
    int first = set * p->queries_per_set, n = MIN(p->queries_per_set, p->n_queries - first);
    char *scratch = p->scratch + (size_t)worker * p->scratch_bytes;
    struct item it = {
        .job = job, .queries = p->queries + first, .head = part / p->n_sets, .dim = dim};

    it.group = job->s->n_heads / job->s->n_kv_heads;
    it.n_rows = n * it.group;
    it.o = (float *)scratch;
    it.q = scratch + MAX_SET_ROWS * (size_t)dim * sizeof(float);
    it.state = (struct attend_state *)(it.q + ATTEND_ROWS * (size_t)dim * sizeof(float));
    for (int i = 0; i < n; i++)
        longest = MAX(longest, it.queries[i].position + 1);
    for (int split = 0; split * KV_SPLIT_TOKENS < longest; split++) {
        for (int row = 0, n_tile; row < it.n_rows; row += n_tile) {
            n_tile = 1;
            if (visible(&it, row, split) <= 0)
                continue;
            while (n_tile < ATTEND_ROWS && row + n_tile < it.n_rows &&
                   joins(&it, row + n_tile, split) && visible(&it, row + n_tile, split) > 0)
                n_tile++;
            attend_rows(&it, row, n_tile, split);
        }
    }
    finish_rows(&it);
}

void cpu_attend_paged(struct device *d, struct tensor *y, const struct tensor *q,
                      const struct kv_cache *kv, const struct qkv_spec *s, const struct step *step)
{
    struct cpu_device *c = (struct cpu_device *)d;
    struct attend_job job = {c, y, q, kv, s, step};

    pool_for(c->pool, s->n_kv_heads * c->plan->n_sets, attend_item, &job);
}

void cpu_copy_blocks(struct device *d, struct kv_cache *kv, const int32_t *pairs, int n_pairs)
{
    (void)d;
    for (int i = 0; i < n_pairs; i++) {
        size_t k = kv->k->n_bytes / (size_t)kv->n_blocks, v = kv->v->n_bytes / (size_t)kv->n_blocks;

        memcpy(kv->k->ptr + (size_t)pairs[2 * i + 1] * k, kv->k->ptr + (size_t)pairs[2 * i] * k, k);
        memcpy(kv->v->ptr + (size_t)pairs[2 * i + 1] * v, kv->v->ptr + (size_t)pairs[2 * i] * v, v);
    }
}
