/* Models of random shapes against a second, slow implementation in double precision, written from
 * the definitions: odd widths, head sizes and vocabularies, every family, bias and rotary scaling.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "run_model.h"

#ifdef __SANITIZE_THREAD__
enum { N_MODELS = 4 }; /* which makes the slow implementation a hundred times slower */
#else
enum { N_MODELS = 24 };
#endif
enum { MAX_TENSORS = 64, MAX_TOKENS = 300 };

/* --- a random model --------------------------------------------------------------------------- */

struct tensor_of {
    char name[96];
    int rows, cols; /* cols 0: a vector */
    float *values;
};

struct random_model {
    struct arena arena;
    uint64_t random;
    int family; /* 0 qwen2, 1 qwen3, 2 llama, 3 mistral */
    int hidden, inter, heads, kv_heads, dim, layers, vocab, n_tokens, rope;
    bool qkv_bias, o_bias, mlp_bias, tied;
    double theta, eps;
    struct tensor_of tensors[MAX_TENSORS];
    int n_tensors;
    int32_t ids[MAX_TOKENS];
};

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next(struct random_model *m)
{
    uint64_t z = m->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int one_of(struct random_model *m, const int *from, size_t n)
{
    return from[next(m) % n];
}
#define ONE_OF(m, ...) one_of(m, (const int[]){__VA_ARGS__}, LEN(((const int[]){__VA_ARGS__})))

static void add(struct random_model *m, const char *name, int layer, int rows, int cols,
                double mean, double scale)
{
    struct tensor_of *t = &m->tensors[m->n_tensors++];
    size_t n = (size_t)rows * (size_t)MAX(cols, 1);

    assert_true(m->n_tensors <= MAX_TENSORS);
    *t = (struct tensor_of){
        .rows = rows, .cols = cols, .values = arena_array(&m->arena, n, sizeof(float))};
    if (layer < 0)
        snprintf(t->name, sizeof(t->name), "%s", name);
    else
        snprintf(t->name, sizeof(t->name), "model.layers.%d.%s", layer, name);
    for (size_t i = 0; i < n; i++) /* uniform with the scale as standard deviation */
        t->values[i] =
            (float)(mean + scale * sqrt(12) * ((double)(next(m) >> 11) / 9007199254740992.0 - 0.5));
}

static const float *get(const struct random_model *m, const char *name, int layer)
{
    char full[96];

    if (layer < 0)
        snprintf(full, sizeof(full), "%s", name);
    else
        snprintf(full, sizeof(full), "model.layers.%d.%s", layer, name);
    for (int i = 0; i < m->n_tensors; i++)
        if (strcmp(m->tensors[i].name, full) == 0)
            return m->tensors[i].values;
    return NULL;
}

static void add_linear(struct random_model *m, const char *name, int layer, int out, int in,
                       bool has_bias)
{
    char weight[64], bias[64];

    snprintf(weight, sizeof(weight), "%s.weight", name);
    snprintf(bias, sizeof(bias), "%s.bias", name);
    add(m, weight, layer, out, in, 0, 1 / sqrt(in));
    if (has_bias)
        add(m, bias, layer, out, 0, 0, 0.3);
}

static void make_shape(struct random_model *m)
{
    m->family = (int)(next(m) % 4);
    m->kv_heads = ONE_OF(m, 1, 2, 3, 5);
    m->heads = m->kv_heads * ONE_OF(m, 1, 2, 3, 7);
    m->dim = ONE_OF(m, 8, 16, 24, 32, 40, 64, 96, 128);
    m->hidden = ONE_OF(m, 24, 40, 72, 100, 130);
    m->inter = ONE_OF(m, 18, 50, 96, 200);
    m->vocab = ONE_OF(m, 37, 64, 101, 257, 1000);
    m->layers = ONE_OF(m, 1, 2, 3);
    m->n_tokens = ONE_OF(m, 1, 2, 15, 16, 17, 40, MAX_TOKENS);
    m->rope = ONE_OF(m, 0, 1, 2, 3);
    m->theta = ONE_OF(m, 10000, 500000, 1000000);
    m->eps = 1e-6;
    m->tied = next(m) % 2;
    if (m->family == 0) { /* head_dim is hidden / heads there */
        m->heads = m->kv_heads * ONE_OF(m, 1, 2);
        m->hidden = m->heads * m->dim;
    }
    m->qkv_bias = m->family == 0 || (m->family != 3 && next(m) % 2);
    m->o_bias = m->qkv_bias && m->family != 0;
    m->mlp_bias = m->family == 2 && next(m) % 2;
}

static void make_model(struct random_model *m)
{
    make_shape(m);
    add(m, "model.embed_tokens.weight", -1, m->vocab, m->hidden, 0, 1);
    add(m, "model.norm.weight", -1, m->hidden, 0, 1, 0.1);
    if (!m->tied)
        add(m, "lm_head.weight", -1, m->vocab, m->hidden, 0, 1 / sqrt(m->hidden));
    for (int l = 0; l < m->layers; l++) {
        add(m, "input_layernorm.weight", l, m->hidden, 0, 1, 0.1);
        add(m, "post_attention_layernorm.weight", l, m->hidden, 0, 1, 0.1);
        add_linear(m, "self_attn.q_proj", l, m->heads * m->dim, m->hidden, m->qkv_bias);
        add_linear(m, "self_attn.k_proj", l, m->kv_heads * m->dim, m->hidden, m->qkv_bias);
        add_linear(m, "self_attn.v_proj", l, m->kv_heads * m->dim, m->hidden, m->qkv_bias);
        add_linear(m, "self_attn.o_proj", l, m->hidden, m->heads * m->dim, m->o_bias);
        if (m->family == 1) {
            add(m, "self_attn.q_norm.weight", l, m->dim, 0, 1, 0.1);
            add(m, "self_attn.k_norm.weight", l, m->dim, 0, 1, 0.1);
        }
        add_linear(m, "mlp.gate_proj", l, m->inter, m->hidden, m->mlp_bias);
        add_linear(m, "mlp.up_proj", l, m->inter, m->hidden, m->mlp_bias);
        add_linear(m, "mlp.down_proj", l, m->hidden, m->inter, m->mlp_bias);
    }
    for (int i = 0; i < m->n_tokens; i++)
        m->ids[i] = (int32_t)(next(m) % (uint64_t)m->vocab);
}

/* --- its files -------------------------------------------------------------------------------- */

static const char *const arch[][2] = {{"qwen2", "Qwen2ForCausalLM"},
                                      {"qwen3", "Qwen3ForCausalLM"},
                                      {"llama", "LlamaForCausalLM"},
                                      {"mistral", "MistralForCausalLM"}};

static const char *const ropes[] = {
    "null",
    "{\"rope_type\": \"linear\", \"factor\": 2.0}",
    ("{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
     "\"original_max_position_embeddings\": 128}"),
    "{\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 256}",
};

static void write_model(const struct random_model *m, const char *dir)
{
    struct buf config = {0}, header = {0}, file = {0};
    char path[128];
    struct err e = ERR_INIT;
    size_t at = 0;

    buf_addf(
        &config,
        "{\"model_type\": \"%s\", \"architectures\": [\"%s\"], \"hidden_size\": %d, \"intermediate_size\": %d, "
        "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"num_hidden_layers\": %d, \"vocab_size\": %d, "
        "\"rms_norm_eps\": 1e-6, \"rope_theta\": %.1f, \"max_position_embeddings\": 1024, \"hidden_act\": \"silu\", "
        "\"tie_word_embeddings\": %s, \"rope_scaling\": %s",
        arch[m->family][0], arch[m->family][1], m->hidden, m->inter, m->heads, m->kv_heads,
        m->layers, m->vocab, m->theta, m->tied ? "true" : "false", ropes[m->rope]);
    if (m->family != 0)
        buf_addf(&config, ", \"head_dim\": %d", m->dim);
    if (m->family == 1 || m->family == 2)
        buf_addf(&config, ", \"attention_bias\": %s", m->qkv_bias ? "true" : "false");
    if (m->family == 2)
        buf_addf(&config, ", \"mlp_bias\": %s", m->mlp_bias ? "true" : "false");
    buf_addc(&config, '}');
    snprintf(path, sizeof(path), "%s/config.json", dir);
    CHECK_OK(path, file_replace(path, buf_str(&config), &e), &e);

    for (int i = 0; i < m->n_tensors; i++) {
        const struct tensor_of *t = &m->tensors[i];
        size_t n = (size_t)t->rows * (size_t)MAX(t->cols, 1) * sizeof(float);

        buf_addf(&header, "%s\"%s\": {\"dtype\": \"F32\", \"shape\": [%d", i ? ", " : "{", t->name,
                 t->rows);
        if (t->cols)
            buf_addf(&header, ", %d", t->cols);
        buf_addf(&header, "], \"data_offsets\": [%zu, %zu]}", at, at + n);
        at += n;
    }
    buf_addc(&header, '}');
    while (header.len % 8)
        buf_addc(&header, ' ');
    for (int i = 0; i < 8; i++)
        buf_addc(&file, (char)(header.len >> (8 * i) & 255));
    buf_add_str(&file, buf_str(&header));
    for (int i = 0; i < m->n_tensors; i++)
        buf_add_str(&file, (struct str){(const char *)m->tensors[i].values,
                                        (size_t)m->tensors[i].rows *
                                            (size_t)MAX(m->tensors[i].cols, 1) * sizeof(float)});
    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    CHECK_OK(path, file_replace(path, buf_str(&file), &e), &e);
    buf_clear(&config);
    buf_clear(&header);
    buf_clear(&file);
}

/* --- the slow implementation ------------------------------------------------------------------ */

/* y[out] += x[in] w[out, in] transposed, plus the bias where the model has one. */
static void slow_linear(const struct random_model *m, const char *name, int layer, double *y,
                        const double *x, int out, int in)
{
    char weight[64], bias[64];
    const float *w, *b;

    snprintf(weight, sizeof(weight), "%s.weight", name);
    snprintf(bias, sizeof(bias), "%s.bias", name);
    w = get(m, weight, layer);
    b = get(m, bias, layer);
    for (int o = 0; o < out; o++) {
        double sum = b ? (double)b[o] : 0;

        for (int i = 0; i < in; i++)
            sum += x[i] * (double)w[o * in + i];
        y[o] += sum;
    }
}

static void slow_norm(double *y, const double *x, const float *w, int n, double eps)
{
    double sum = 0;

    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    for (int i = 0; i < n; i++)
        y[i] = x[i] / sqrt(sum / n + eps) * (double)w[i];
}

/* The angle of pair i at a position, by the papers: linear (Chen et al. 2023), Llama 3's bands,
 * YaRN (Peng et al. 2023). */
static double slow_angle(const struct random_model *m, int position, int i, double *attention)
{
    const double pi = 3.14159265358979323846;
    double f = pow(m->theta, -2.0 * i / m->dim), turns, low, high, ramp;

    *attention = 1;
    switch (m->rope) {
    case 1:
        return position * f / 2;
    case 2:
        turns =
            128 * f / (2 * pi); /* of 128 positions; below 1: stretched by 8, above 4: left alone */
        ramp = turns <= 1 ? 0 : turns >= 4 ? 1 : (turns - 1) / 3;
        return position * (ramp * f + (1 - ramp) * f / 8);
    case 3:
        *attention = 0.1 * log(4) + 1;
        low = fmax(floor(m->dim * log(256 / (32 * 2 * pi)) / (2 * log(m->theta))), 0);
        high = fmin(ceil(m->dim * log(256 / (2 * pi)) / (2 * log(m->theta))), m->dim - 1);
        ramp = fmin(fmax((i - low) / (high == low ? 0.001 : high - low), 0),
                    1); /* 0: left alone, 1: stretched */
        return position * ((1 - ramp) * f + ramp * f / 4);
    default:
        return position * f;
    }
}

static void slow_rotate(const struct random_model *m, double *head, int position)
{
    for (int i = 0; i < m->dim / 2; i++) {
        double attention, angle = slow_angle(m, position, i, &attention), a = head[i],
                          b = head[i + m->dim / 2];

        head[i] = attention * (a * cos(angle) - b * sin(angle));
        head[i + m->dim / 2] = attention * (b * cos(angle) + a * sin(angle));
    }
}

/* One token's heads: norm where the family has it, rotation. */
static void slow_heads(const struct random_model *m, double *x, int n_heads, const char *norm,
                       int layer, int position)
{
    const float *w = norm ? get(m, norm, layer) : NULL;

    for (int h = 0; h < n_heads; h++) {
        if (w)
            slow_norm(x + h * m->dim, x + h * m->dim, w, m->dim, m->eps);
        slow_rotate(m, x + h * m->dim, position);
    }
}

/* Token t against all tokens up to itself. */
static void slow_attend(const struct random_model *m, double *y, const double *q, const double *k,
                        const double *v, int t)
{
    double s[MAX_TOKENS];

    for (int h = 0; h < m->heads; h++) {
        size_t row = (size_t)m->kv_heads * (size_t)m->dim,
               kv = (size_t)(h / (m->heads / m->kv_heads)) * (size_t)m->dim;
        double max = -INFINITY, sum = 0;

        for (int j = 0; j <= t; j++) {
            s[j] = 0;
            for (int d = 0; d < m->dim; d++)
                s[j] += q[h * m->dim + d] * k[(size_t)j * row + kv + (size_t)d] / sqrt(m->dim);
            max = fmax(max, s[j]);
        }
        for (int j = 0; j <= t; j++)
            sum += s[j] = exp(s[j] - max);
        for (int j = 0; j <= t; j++)
            for (int d = 0; d < m->dim; d++)
                y[h * m->dim + d] += s[j] / sum * v[(size_t)j * row + kv + (size_t)d];
    }
}

static void slow_layer(struct random_model *m, int l, double *x, int hidden)
{
    int width = m->heads * m->dim, kv = m->kv_heads * m->dim;
    double *k = arena_array(&m->arena, (size_t)m->n_tokens * (size_t)kv, sizeof(*k));
    double *v = arena_array(&m->arena, (size_t)m->n_tokens * (size_t)kv, sizeof(*v));

    for (int t = 0; t < m->n_tokens; t++) {
        double *h = arena_array(&m->arena, (size_t)hidden, sizeof(*h)),
               *q = arena_array(&m->arena, (size_t)width, sizeof(*q));
        double *o = arena_array(&m->arena, (size_t)width, sizeof(*o)),
               *row = x + (size_t)t * (size_t)hidden;
        double *gate = arena_array(&m->arena, (size_t)m->inter, sizeof(*gate)),
               *up = arena_array(&m->arena, (size_t)m->inter, sizeof(*up));

        slow_norm(h, row, get(m, "input_layernorm.weight", l), hidden, m->eps);
        slow_linear(m, "self_attn.q_proj", l, q, h, width, hidden);
        slow_linear(m, "self_attn.k_proj", l, k + (size_t)t * (size_t)kv, h, kv, hidden);
        slow_linear(m, "self_attn.v_proj", l, v + (size_t)t * (size_t)kv, h, kv, hidden);
        slow_heads(m, q, m->heads, m->family == 1 ? "self_attn.q_norm.weight" : NULL, l, t);
        slow_heads(m, k + (size_t)t * (size_t)kv, m->kv_heads,
                   m->family == 1 ? "self_attn.k_norm.weight" : NULL, l, t);
        slow_attend(m, o, q, k, v, t);
        slow_linear(m, "self_attn.o_proj", l, row, o, hidden, width);
        slow_norm(h, row, get(m, "post_attention_layernorm.weight", l), hidden, m->eps);
        slow_linear(m, "mlp.gate_proj", l, gate, h, m->inter, hidden);
        slow_linear(m, "mlp.up_proj", l, up, h, m->inter, hidden);
        for (int i = 0; i < m->inter; i++)
            gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
        slow_linear(m, "mlp.down_proj", l, row, gate, hidden, m->inter);
    }
}

/* Logits of every token, [n_tokens, vocab]. */
static double *slow_forward(struct random_model *m)
{
    const float *embed = get(m, "model.embed_tokens.weight", -1);
    double *x = arena_array(&m->arena, (size_t)m->n_tokens * (size_t)m->hidden, sizeof(*x));
    double *logits =
        arena_array(&m->arena, (size_t)m->n_tokens * (size_t)m->vocab, sizeof(*logits));

    for (int t = 0; t < m->n_tokens; t++)
        for (int i = 0; i < m->hidden; i++)
            x[t * m->hidden + i] = (double)embed[m->ids[t] * m->hidden + i];
    for (int l = 0; l < m->layers; l++)
        slow_layer(m, l, x, m->hidden);
    for (int t = 0; t < m->n_tokens; t++) {
        double *row = x + (size_t)t * (size_t)m->hidden;

        slow_norm(row, row, get(m, "model.norm.weight", -1), m->hidden, m->eps);
        slow_linear(m, m->tied ? "model.embed_tokens" : "lm_head", -1,
                    logits + (size_t)t * (size_t)m->vocab, row, m->vocab, m->hidden);
    }
    return logits;
}

/* --- the comparison --------------------------------------------------------------------------- */

static double distance(const struct random_model *m, const char *dir, const char *dtype,
                       const char *isa, int chunk, const double *want)
{
    struct model_opts o = model_opts_default();
    size_t n = (size_t)m->n_tokens * (size_t)m->vocab;
    float *got = xcalloc(n, sizeof(*got));
    struct run run = {.first_block = 1, .chunk = chunk};
    struct err e = ERR_INIT;
    double worst = 0;

    o.dtype = dtype;
    o.cpu_isa = isa;
    o.n_threads = 2;
    run.model = model_open(dir, &o, &e);
    CHECK_OK(dir, run.model != NULL, &e);
    CHECK_OK(dir, model_alloc_blocks(run.model, RUN_BLOCKS + 1, &e), &e);
    CHECK_OK(dir, run_tokens(&run, m->ids, m->n_tokens, got, &e), &e);
    model_close(run.model);
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)got[i] - want[i]));
    free(got);
    return worst;
}

TEST(models_of_any_shape_agree_with_the_slow_one)
{
    static const int chunks[] = {256, 7, 16, 1};
    char dir[] = "/tmp/llmeval-shapes-XXXXXX", path[128];

    assert_true(mkdtemp(dir) != NULL);
    for (int i = 0; i < N_MODELS; i++) {
        struct random_model *m = xcalloc(1, sizeof(*m));
        const double *want;
        double scale = 1, f32, plain, bf16;

        arena_init(&m->arena, 0);
        m->random = (uint64_t)i;
        make_model(m);
        write_model(m, dir);
        want = slow_forward(m);
        for (int k = 0; k < m->n_tokens * m->vocab; k++)
            scale = fmax(scale, fabs(want[k]));
        f32 = distance(m, dir, "float32", "auto", chunks[i % 4], want);
        plain = distance(m, dir, "float32", "plain", 256, want);
        bf16 = distance(m, dir, "bfloat16", "auto", 256, want);
        if (f32 > 3e-6 * scale || plain > 3e-6 * scale || bf16 > 0.02 * scale)
            fail_msg(
                "model %d: %s, %d heads of %d over %d, width %d, %d inner, %d layers, %d words, %d tokens, rope %d: "
                "off by %g (float32), %g (plain), %g (bfloat16) of %g",
                i, arch[m->family][0], m->heads, m->dim, m->kv_heads, m->hidden, m->inter,
                m->layers, m->vocab, m->n_tokens, m->rope, f32, plain, bf16, scale);
        arena_clear(&m->arena);
        free(m);
    }
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, i ? "config.json" : "model.safetensors");
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_of_any_shape_agree_with_the_slow_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
