/* decoder.c - Llama, Mistral, Qwen2, Qwen3: pre-norm decoders with grouped-query attention and
 * SwiGLU.
 *
 * With p ranks, rank r holds heads and intermediate columns [r/p, (r+1)/p) and a slice of the
 * vocabulary. o_proj and down_proj, whose inputs are cut, give partial sums that are added over
 * ranks; each brings the sum of its 8/p of eight K segments, so the whole is one binary tree
 * whatever p is. */
#include "model/decoder.h"

#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/num.h"
#include "model/rope.h"

struct vector {
    struct device_mem *mem;
    struct tensor t;
};

struct layer {
    struct weight *qkv, *o, *gate_up, *down;
    struct vector attn_norm, ffn_norm, qkv_bias, o_bias, gate_up_bias, down_bias, q_norm, k_norm;
    struct kv_cache kv;
};

struct buffer {
    struct device_mem *mem;
    struct tensor t; /* [max rows, width] */
};

struct decoder {
    struct model_config config;
    struct decoder_opts opts;
    struct device *d;
    struct comm *comm;
    int n_heads, n_kv_heads, intermediate_size; /* of this rank */
    int vocab_rows, first_id;       /* of this rank; the same number on each, but for the last */
    struct weight *embed, *lm_head; /* the same when tied */
    struct vector norm;
    struct layer *layers;
    struct device_mem *rotation_mem;
    struct rotation rotation;
    int32_t *axis;
    struct buffer r, x, h, qkv, q, a, f, r_last, logits;
    float *gathered; /* [size, max_logits, vocab_rows], then [max_logits, vocab_size]; several ranks
                        only */
    float *all_logits;
    int n_rows; /* of h that hold the final norm */
    size_t weight_bytes;
};

/* --- loading ---------------------------------------------------------------------------------- */

struct loader {
    struct decoder *m;
    struct weights *w;
    const char *prefix; /* "model." */
    char name[256];
};

static const char *layer_name(struct loader *l, int layer, const char *what)
{
    snprintf(l->name, sizeof(l->name), "%slayers.%d.%s", l->prefix, layer, what);
    return l->name;
}

static bool load_vector(struct loader *l, const char *name, int n, float dummy, int first,
                        int n_here, struct vector *v, int at, int n_all, struct err *e)
{
    float *values = xcalloc((size_t)n, sizeof(*values));
    bool ok = weights_get_vector(l->w, name, n, dummy, values, e);

    if (ok && !v->mem) {
        v->mem = l->m->d->ops->alloc(l->m->d, (size_t)n_all * sizeof(float), e);
        v->t = tensor_1d(DTYPE_F32, n_all, v->mem, 0);
        ok = v->mem != NULL;
    }
    if (ok) {
        struct tensor part = tensor_1d(DTYPE_F32, n_here, v->mem, (size_t)at * sizeof(float));

        ok = l->m->d->ops->upload(l->m->d, &part, values + first, e);
    }
    free(values);
    return ok;
}

static bool load_norm(struct loader *l, const char *name, int n, struct vector *v, struct err *e)
{
    return load_vector(l, name, n, 1, 0, n, v, 0, n, e);
}

/* Rows [first, first + n) of a tensor, as the part that a weight is stacked from. */
static struct host_tensor take_rows(struct host_tensor t, int64_t first, int64_t n)
{
    if (t.ptr)
        t.ptr = (const char *)t.ptr + (size_t)(first * t.row) * dtype_size(t.dtype);
    t.dummy_row += first;
    t.n_rows = n;
    return t;
}

static struct host_tensor take_cols(struct host_tensor t, int64_t first, int64_t n)
{
    if (t.ptr)
        t.ptr = (const char *)t.ptr + (size_t)first * dtype_size(t.dtype);
    t.dummy_col += first;
    t.n_cols = n;
    return t;
}

static struct weight *pack(struct loader *l, struct weight_spec *s, const char *what, struct err *e)
{
    struct weight *w = l->m->d->ops->pack(l->m->d, s, e);

    if (!w) {
        err_prefix(e, "weights of %s", what);
        return NULL;
    }
    for (int i = 0; i < s->n_parts; i++)
        weights_forget(l->w, &s->parts[i]);
    l->m->weight_bytes += l->m->d->ops->weight_bytes(w);
    return w;
}

/* First kv head of this rank: with more ranks than kv heads each head lives on several ranks. */
static int first_kv_head(const struct decoder *m)
{
    return (int)((int64_t)m->comm->rank * m->config.n_kv_heads / m->comm->size);
}

static bool load_qkv(struct loader *l, int i, struct layer *y, struct err *e)
{
    const struct decoder *m = l->m;
    const struct model_config *c = &m->config;
    int d = c->head_dim, h = m->n_heads * d, g = m->n_kv_heads * d, h_all = c->n_heads * d,
        g_all = c->n_kv_heads * d;
    int h_first = m->comm->rank * h, g_first = first_kv_head(m) * d, n = h + 2 * g;
    struct host_tensor parts[3];
    struct weight_spec s = {.parts = parts, .n_parts = 3, .n_segments = 1};

    if (!weights_get(l->w, layer_name(l, i, "self_attn.q_proj.weight"), h_all, c->hidden_size,
                     &parts[0], e) ||
        !weights_get(l->w, layer_name(l, i, "self_attn.k_proj.weight"), g_all, c->hidden_size,
                     &parts[1], e) ||
        !weights_get(l->w, layer_name(l, i, "self_attn.v_proj.weight"), g_all, c->hidden_size,
                     &parts[2], e))
        return false;
    parts[0] = take_rows(parts[0], h_first, h);
    parts[1] = take_rows(parts[1], g_first, g);
    parts[2] = take_rows(parts[2], g_first, g);
    y->qkv = pack(l, &s, layer_name(l, i, "self_attn.{q,k,v}_proj"), e);
    if (!y->qkv)
        return false;
    if (!c->has_qkv_bias)
        return true;
    return load_vector(l, layer_name(l, i, "self_attn.q_proj.bias"), h_all, 0, h_first, h,
                       &y->qkv_bias, 0, n, e) &&
           load_vector(l, layer_name(l, i, "self_attn.k_proj.bias"), g_all, 0, g_first, g,
                       &y->qkv_bias, h, n, e) &&
           load_vector(l, layer_name(l, i, "self_attn.v_proj.bias"), g_all, 0, g_first, g,
                       &y->qkv_bias, h + g, n, e);
}

static bool load_gate_up(struct loader *l, int i, struct layer *y, struct err *e)
{
    const struct decoder *m = l->m;
    const struct model_config *c = &m->config;
    int n = m->intermediate_size, first = m->comm->rank * n;
    struct host_tensor parts[2];
    struct weight_spec s = {.parts = parts, .n_parts = 2, .n_segments = 1, .is_gate_up = true};

    if (!weights_get(l->w, layer_name(l, i, "mlp.gate_proj.weight"), c->intermediate_size,
                     c->hidden_size, &parts[0], e) ||
        !weights_get(l->w, layer_name(l, i, "mlp.up_proj.weight"), c->intermediate_size,
                     c->hidden_size, &parts[1], e))
        return false;
    parts[0] = take_rows(parts[0], first, n);
    parts[1] = take_rows(parts[1], first, n);
    y->gate_up = pack(l, &s, layer_name(l, i, "mlp.{gate,up}_proj"), e);
    if (!y->gate_up)
        return false;
    if (!c->has_mlp_bias)
        return true;
    return load_vector(l, layer_name(l, i, "mlp.gate_proj.bias"), c->intermediate_size, 0, first, n,
                       &y->gate_up_bias, 0, 2 * n, e) &&
           load_vector(l, layer_name(l, i, "mlp.up_proj.bias"), c->intermediate_size, 0, first, n,
                       &y->gate_up_bias, n, 2 * n, e);
}

/* o_proj and down_proj: this rank's columns, in its share of the eight segments. */
static struct weight *load_cols(struct loader *l, int i, const char *what, int n_cols_all,
                                struct err *e)
{
    int size = l->m->comm->size, n = n_cols_all / size;
    struct host_tensor part;
    struct weight_spec s = {.parts = &part, .n_parts = 1, .n_segments = N_K_SEGMENTS / size};

    if (!weights_get(l->w, layer_name(l, i, what), l->m->config.hidden_size, n_cols_all, &part, e))
        return NULL;
    part = take_cols(part, (int64_t)l->m->comm->rank * n, n);
    return pack(l, &s, layer_name(l, i, what), e);
}

static bool load_layer(struct loader *l, int i, struct layer *y, struct err *e)
{
    const struct model_config *c = &l->m->config;
    int n = c->hidden_size;

    if (!load_norm(l, layer_name(l, i, "input_layernorm.weight"), n, &y->attn_norm, e) ||
        !load_norm(l, layer_name(l, i, "post_attention_layernorm.weight"), n, &y->ffn_norm, e) ||
        !load_qkv(l, i, y, e) || !load_gate_up(l, i, y, e))
        return false;
    y->o = load_cols(l, i, "self_attn.o_proj.weight", c->n_heads * c->head_dim, e);
    if (!y->o)
        return false;
    y->down = load_cols(l, i, "mlp.down_proj.weight", c->intermediate_size, e);
    if (!y->down)
        return false;
    if (c->has_o_bias &&
        !load_vector(l, layer_name(l, i, "self_attn.o_proj.bias"), n, 0, 0, n, &y->o_bias, 0, n, e))
        return false;
    if (c->has_mlp_bias &&
        !load_vector(l, layer_name(l, i, "mlp.down_proj.bias"), n, 0, 0, n, &y->down_bias, 0, n, e))
        return false;
    if (!c->has_head_norm)
        return true;
    return load_norm(l, layer_name(l, i, "self_attn.q_norm.weight"), c->head_dim, &y->q_norm, e) &&
           load_norm(l, layer_name(l, i, "self_attn.k_norm.weight"), c->head_dim, &y->k_norm, e);
}

static struct weight *load_vocab(struct loader *l, const char *name, struct err *e)
{
    const struct decoder *m = l->m;
    int64_t first = MIN(m->first_id, m->config.vocab_size),
            end = MIN(m->first_id + m->vocab_rows, m->config.vocab_size);
    struct host_tensor part;
    struct weight_spec s = {.parts = &part, .n_parts = 1, .n_segments = 1, .first_id = first};

    if (!weights_get(l->w, name, m->config.vocab_size, m->config.hidden_size, &part, e))
        return NULL;
    part = take_rows(part, first, end - first);
    return pack(l, &s, name, e);
}

static bool load_all(struct decoder *m, struct weights *w, struct err *e)
{
    const struct model_family *family = model_family_find(STR(m->config.arch));
    struct loader l = {.m = m, .w = w, .prefix = family->decoder};
    char name[128];

    if (family->other_decoder) {
        snprintf(name, sizeof(name), "%sembed_tokens.weight", family->other_decoder);
        if (weights_has(w, name))
            l.prefix = family->other_decoder;
    }
    snprintf(name, sizeof(name), "%sembed_tokens.weight", l.prefix);
    m->embed = load_vocab(&l, name, e);
    if (!m->embed)
        return false;
    m->lm_head = m->config.tie_word_embeddings ? m->embed : load_vocab(&l, family->lm_head, e);
    if (!m->lm_head)
        return false;
    snprintf(name, sizeof(name), "%snorm.weight", l.prefix);
    if (!load_norm(&l, name, m->config.hidden_size, &m->norm, e))
        return false;
    for (int i = 0; i < m->config.n_layers; i++)
        if (!load_layer(&l, i, &m->layers[i], e))
            return false;
    weights_allow(w, "rotary_emb.inv_freq");
    if (m->config.tie_word_embeddings)
        weights_allow(w, "lm_head.weight");
    if (family->vision)
        weights_allow(w, family->vision);
    return weights_check_all(w, e);
}

/* --- buffers ---------------------------------------------------------------------------------- */

static bool make_buffer(struct decoder *m, struct buffer *b, enum dtype t, int n_rows, int width,
                        int row, struct err *e)
{
    size_t n_bytes;

    if (!size_mul((size_t)n_rows, (size_t)row, &n_bytes) ||
        !size_mul(n_bytes, dtype_size(t), &n_bytes))
        return err_set(e, ERR_MEMORY,
                       "a buffer of %d x %d values does not fit into the address space", n_rows,
                       row);
    b->mem = m->d->ops->alloc(m->d, n_bytes, e);
    b->t = tensor_2d(t, n_rows, width, b->mem, 0);
    b->t.row = row;
    return b->mem != NULL;
}

/* f32, rows back to back: what ranks exchange is one piece. */
static bool make_f32(struct decoder *m, struct buffer *b, int n_rows, int width, struct err *e)
{
    return make_buffer(m, b, DTYPE_F32, n_rows, width, width, e);
}

/* The input of a product. Its rows lie an odd number of cache lines apart: 32 of them are read side
 * by side, and at an even distance they would share fewer sets of the caches (10 % of the time of a
 * product on AMX). */
static bool make_input(struct decoder *m, struct buffer *b, int width, struct err *e)
{
    int line = 64 / (int)dtype_size(m->d->compute);

    return make_buffer(m, b, m->d->compute, m->opts.max_tokens, width,
                       ((width + line - 1) / line | 1) * line, e);
}

static bool make_buffers(struct decoder *m, struct err *e)
{
    const struct decoder_opts *o = &m->opts;
    int t = o->max_tokens, hidden = m->config.hidden_size, heads = m->n_heads * m->config.head_dim;
    int qkv = heads + 2 * m->n_kv_heads * m->config.head_dim;

    if (m->comm->size > 1) {
        m->gathered = calloc((size_t)o->max_logits * (size_t)m->vocab_rows,
                             sizeof(float) * (size_t)m->comm->size);
        m->all_logits = calloc((size_t)o->max_logits * (size_t)m->config.vocab_size, sizeof(float));
        if (!m->gathered || !m->all_logits)
            return err_set(e, ERR_MEMORY, "no memory for %d rows of logits", o->max_logits);
    }
    return make_f32(m, &m->r, t, hidden, e) && make_f32(m, &m->x, t, hidden, e) &&
           make_f32(m, &m->r_last, t, hidden, e) && make_f32(m, &m->qkv, t, qkv, e) &&
           make_f32(m, &m->logits, o->max_logits, m->vocab_rows, e) &&
           make_input(m, &m->h, hidden, e) && make_input(m, &m->q, heads, e) &&
           make_input(m, &m->a, heads, e) && make_input(m, &m->f, m->intermediate_size, e);
}

static bool make_rotation(struct decoder *m, struct err *e)
{
    int pairs = m->config.head_dim / 2, n = m->opts.max_model_len;
    float *table;
    bool ok;

    m->rotation_mem = m->d->ops->alloc(m->d, (size_t)n * (size_t)pairs * 2 * sizeof(float), e);
    if (!m->rotation_mem)
        return false;
    table = calloc((size_t)n * (size_t)pairs, 2 * sizeof(float));
    if (!table)
        return err_set(e, ERR_MEMORY, "no memory for the angles of %d positions", n);
    m->axis = xcalloc((size_t)pairs, sizeof(*m->axis));
    rope_table(&m->config, n, table);
    rope_axes(&m->config, m->axis);
    m->rotation =
        (struct rotation){.cos_sin = tensor_2d(DTYPE_F32, n, pairs * 2, m->rotation_mem, 0),
                          .n_axes = m->config.n_axes,
                          .axis = m->axis};
    ok = m->d->ops->upload(m->d, &m->rotation.cos_sin, table, e);
    free(table);
    return ok;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool split(struct decoder *m, struct err *e)
{
    const struct model_config *c = &m->config;
    int p = m->comm->size;

    if (p != 1 && p != 2 && p != 4 && p != 8)
        return err_set(e, ERR_INPUT, "tensor_parallel_size %d is not 1, 2, 4 or 8", p);
    if (c->n_heads % p != 0 || c->intermediate_size % p != 0)
        return err_set(e, ERR_INPUT,
                       "tensor_parallel_size %d does not divide %d heads and intermediate_size %d",
                       p, c->n_heads, c->intermediate_size);
    if (p <= c->n_kv_heads ? c->n_kv_heads % p != 0 : p % c->n_kv_heads != 0)
        return err_set(
            e, ERR_INPUT,
            "tensor_parallel_size %d neither divides %d kv heads nor is a multiple of them", p,
            c->n_kv_heads);
    if (p > 1 && (c->has_o_bias || c->has_mlp_bias))
        return err_set(e, ERR_UNSUPPORTED,
                       "tensor_parallel_size %d: biases of o_proj and down_proj are not split", p);
    m->n_heads = c->n_heads / p;
    m->n_kv_heads = MAX(c->n_kv_heads / p, 1);
    m->intermediate_size = c->intermediate_size / p;
    m->vocab_rows = p == 1 ? c->vocab_size : (c->vocab_size + 16 * p - 1) / (16 * p) * 16;
    m->first_id = m->comm->rank * m->vocab_rows;
    if (p > 1 && m->first_id >= c->vocab_size)
        return err_set(e, ERR_INPUT,
                       "tensor_parallel_size %d leaves ranks without a part of %d token ids", p,
                       c->vocab_size);
    return true;
}

static bool open_device(struct decoder *m, struct err *e)
{
    const struct model_config *c = &m->config;
    int heads = m->n_heads * c->head_dim;
    struct device_limits l = {
        .max_tokens = m->opts.max_tokens,
        .max_seqs = m->opts.max_seqs,
        .max_blocks_per_seq = (m->opts.max_model_len + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS,
        .n_heads = m->n_heads,
        .n_kv_heads = m->n_kv_heads,
        .head_dim = c->head_dim,
        .max_inputs = MAX(MAX(c->hidden_size, heads), m->intermediate_size),
        .max_outputs = MAX(MAX(2 * m->intermediate_size, heads * 3), m->vocab_rows),
    };

    m->d = device_open(&m->opts.device, e);
    return m->d && m->d->ops->reserve(m->d, &l, e);
}

struct decoder *decoder_open(const struct model_config *c, const struct decoder_opts *o,
                             struct weights *w, struct err *e)
{
    struct decoder *m = xcalloc(1, sizeof(*m));

    m->config = *c;
    m->opts = *o;
    m->comm = o->comm;
    m->layers = xcalloc((size_t)c->n_layers, sizeof(*m->layers));
    if (split(m, e) && open_device(m, e) && load_all(m, w, e) && make_rotation(m, e) &&
        make_buffers(m, e))
        return m;
    decoder_close(m);
    return NULL;
}

static void release_layer(struct decoder *m, struct layer *y)
{
    const struct device_ops *ops = m->d->ops;
    struct vector *vectors[] = {&y->attn_norm,    &y->ffn_norm,  &y->qkv_bias, &y->o_bias,
                                &y->gate_up_bias, &y->down_bias, &y->q_norm,   &y->k_norm};

    ops->unpack(m->d, y->qkv);
    ops->unpack(m->d, y->o);
    ops->unpack(m->d, y->gate_up);
    ops->unpack(m->d, y->down);
    for (size_t i = 0; i < LEN(vectors); i++)
        ops->release(m->d, vectors[i]->mem);
    ops->release(m->d, y->kv.k);
    ops->release(m->d, y->kv.v);
}

static void release_all(struct decoder *m)
{
    struct buffer *buffers[] = {&m->r, &m->x, &m->h,      &m->qkv,   &m->q,
                                &m->a, &m->f, &m->r_last, &m->logits};

    for (int i = 0; i < m->config.n_layers; i++)
        release_layer(m, &m->layers[i]);
    if (m->lm_head != m->embed)
        m->d->ops->unpack(m->d, m->lm_head);
    m->d->ops->unpack(m->d, m->embed);
    m->d->ops->release(m->d, m->norm.mem);
    m->d->ops->release(m->d, m->rotation_mem);
    for (size_t i = 0; i < LEN(buffers); i++)
        m->d->ops->release(m->d, buffers[i]->mem);
}

void decoder_close(struct decoder *m)
{
    if (!m)
        return;
    if (m->d)
        release_all(m);
    device_close(m->d);
    free(m->axis);
    free(m->gathered);
    free(m->all_logits);
    free(m->layers);
    free(m);
}

struct device *decoder_device(struct decoder *m)
{
    return m->d;
}

size_t decoder_weight_bytes(const struct decoder *m)
{
    return m->weight_bytes;
}

size_t decoder_weight_estimate(const struct model_config *c, enum dtype compute)
{
    size_t heads = (size_t)(c->n_heads + 2 * c->n_kv_heads) * (size_t)c->head_dim,
           hidden = (size_t)c->hidden_size;
    size_t layer = hidden * (heads + (size_t)c->n_heads * (size_t)c->head_dim +
                             3 * (size_t)c->intermediate_size);
    size_t vocab = (size_t)c->vocab_size * hidden * (c->tie_word_embeddings ? 1 : 2);

    return (layer * (size_t)c->n_layers + vocab) * dtype_size(compute);
}

/* --- cache ------------------------------------------------------------------------------------ */

size_t decoder_block_bytes(const struct decoder *m)
{
    return m->d->ops->kv_bytes(m->d, m->n_kv_heads, m->config.head_dim) * 2 *
           (size_t)m->config.n_layers;
}

bool decoder_alloc_blocks(struct decoder *m, int n_blocks, struct err *e)
{
    size_t n_bytes;

    if (!size_mul(m->d->ops->kv_bytes(m->d, m->n_kv_heads, m->config.head_dim), (size_t)n_blocks,
                  &n_bytes))
        return err_set(e, ERR_MEMORY, "%d kv blocks do not fit into the address space", n_blocks);
    for (int i = 0; i < m->config.n_layers; i++) {
        struct kv_cache *kv = &m->layers[i].kv;

        m->d->ops->release(m->d, kv->k);
        m->d->ops->release(m->d, kv->v);
        *kv = (struct kv_cache){.n_blocks = n_blocks};
        kv->k = m->d->ops->alloc(m->d, n_bytes, e);
        if (!kv->k)
            return false;
        kv->v = m->d->ops->alloc(m->d, n_bytes, e);
        if (!kv->v)
            return false;
    }
    return true;
}

void decoder_copy_blocks(struct decoder *m, const int32_t *pairs, int n_pairs)
{
    for (int i = 0; i < m->config.n_layers; i++)
        m->d->ops->copy_blocks(m->d, &m->layers[i].kv, pairs, n_pairs);
}

/* --- forward ---------------------------------------------------------------------------------- */

static struct tensor rows(const struct buffer *b, int n)
{
    return tensor_rows(&b->t, 0, n);
}

static const struct tensor *maybe(const struct vector *v)
{
    return v->mem ? &v->t : NULL;
}

static bool all_reduce(struct decoder *m, struct tensor *x, struct err *e)
{
    if (m->comm->size == 1)
        return true;
    return m->d->ops->sync(m->d, e) && comm_all_reduce(m->comm, m->d->ops->host_ptr(m->d, x),
                                                       (size_t)(x->dim[0] * x->dim[1]), e);
}

static bool embed_tokens(struct decoder *m, const struct batch *b, struct err *e)
{
    struct tensor r = rows(&m->r, b->n_tokens), image;

    embed(m->d, &r, m->embed, b->token_ids);
    if (!all_reduce(m, &r, e))
        return false;
    if (b->n_image_rows == 0)
        return true;
    image = rows(&m->x, b->n_image_rows);
    if (!m->d->ops->upload(m->d, &image, b->image_embeds, e))
        return false;
    scatter_rows(m->d, &r, &image, b->image_rows);
    return true;
}

/* Attention of one layer: h -> a, with keys and values stored. */
static void attention(struct decoder *m, struct layer *y, const struct qkv_spec *spec,
                      const struct step *s)
{
    struct tensor h = rows(&m->h, s->n_tokens), qkv = rows(&m->qkv, s->n_tokens),
                  q = rows(&m->q, s->n_tokens);
    struct tensor a = rows(&m->a, s->n_tokens);

    linear(m->d, &qkv, &h, y->qkv, maybe(&y->qkv_bias));
    rotate_store(m->d, &q, &y->kv, &qkv, spec, s);
    attend_paged(m->d, &a, &q, &y->kv, spec, s);
}

/* From attention's result to the end of the layer: r gains both, and h is the next norm of r. */
static bool feed_forward(struct decoder *m, struct layer *y, struct tensor *a, struct tensor *r,
                         const struct tensor *next_norm, struct err *e)
{
    int n = (int)a->dim[0];
    float eps = (float)m->config.rms_norm_eps;
    struct tensor h = rows(&m->h, n), x = rows(&m->x, n), f = rows(&m->f, n);

    linear(m->d, &x, a, y->o, maybe(&y->o_bias));
    if (!all_reduce(m, &x, e))
        return false;
    add_rms_norm(m->d, &h, r, &x, &y->ffn_norm.t, eps);
    linear_silu_mul(m->d, &f, &h, y->gate_up, maybe(&y->gate_up_bias));
    linear(m->d, &x, &f, y->down, maybe(&y->down_bias));
    if (!all_reduce(m, &x, e))
        return false;
    add_rms_norm(m->d, &h, r, &x, next_norm, eps);
    return true;
}

bool decoder_forward(struct decoder *m, const struct batch *b, struct err *e)
{
    struct step s = {
        .n_tokens = b->n_tokens,
        .n_seqs = b->n_seqs,
        .max_blocks = b->max_blocks,
        .token_ids = b->token_ids,
        .positions = b->positions,
        .slot_mapping = b->slot_mapping,
        .block_table = b->block_table,
        .query_start = b->query_start,
        .seq_lens = b->seq_lens,
    };
    struct qkv_spec spec = {
        .n_heads = m->n_heads,
        .n_kv_heads = m->n_kv_heads,
        .head_dim = m->config.head_dim,
        .rotation = &m->rotation,
        .eps = (float)m->config.rms_norm_eps,
    };
    struct tensor r = rows(&m->r, b->n_tokens), h = rows(&m->h, b->n_tokens),
                  a = rows(&m->a, b->n_tokens);
    struct tensor r_last = rows(&m->r_last, b->n_logits), a_last = rows(&m->q, b->n_logits);

    m->n_rows = b->n_logits;
    if (!m->d->ops->begin_step(m->d, &spec, &s, e) || !embed_tokens(m, b, e))
        return false;
    rms_norm(m->d, &h, &r, &m->layers[0].attn_norm.t, spec.eps);
    for (int i = 0; i < m->config.n_layers; i++) {
        struct layer *y = &m->layers[i];

        spec.q_norm = maybe(&y->q_norm);
        spec.k_norm = maybe(&y->k_norm);
        attention(m, y, &spec, &s);
        if (i + 1 < m->config.n_layers) {
            if (!feed_forward(m, y, &a, &r, &m->layers[i + 1].attn_norm.t, e))
                return false;
            continue;
        }
        /* Past the last attention only the rows whose logits are wanted go on; q has been used up.
         */
        gather_rows(m->d, &a_last, &a, b->logit_rows);
        gather_rows(m->d, &r_last, &r, b->logit_rows);
        if (b->n_logits > 0 && !feed_forward(m, y, &a_last, &r_last, &m->norm.t, e))
            return false;
    }
    return m->d->ops->sync(m->d, e);
}

/* [size][n][vocab_rows] of the ranks -> [n][vocab_size]. */
static void join_logits(struct decoder *m, int n)
{
    size_t width = (size_t)m->vocab_rows, vocab = (size_t)m->config.vocab_size;

    for (int rank = 0; rank < m->comm->size; rank++) {
        size_t first = (size_t)rank * width;
        size_t n_ids = first < vocab ? MIN(width, vocab - first) : 0;

        for (int i = 0; i < n; i++)
            memcpy(m->all_logits + (size_t)i * vocab + first,
                   m->gathered + ((size_t)rank * (size_t)n + (size_t)i) * width,
                   n_ids * sizeof(float));
    }
}

bool decoder_logits(struct decoder *m, int first, int n, float **logits, struct err *e)
{
    struct tensor h = tensor_rows(&m->h.t, first, n), l = rows(&m->logits, n);

    linear(m->d, &l, &h, m->lm_head, NULL);
    if (!m->d->ops->sync(m->d, e))
        return false;
    *logits = m->d->ops->host_ptr(m->d, &l);
    if (m->comm->size == 1)
        return true;
    if (!comm_all_gather(m->comm, m->gathered, *logits,
                         (size_t)n * (size_t)m->vocab_rows * sizeof(float), e))
        return false;
    *logits = NULL;
    if (m->comm->rank == 0) {
        join_logits(m, n);
        *logits = m->all_logits;
    }
    return true;
}
