/* config.c - reads Hugging Face's keys, in the spelling of 2024 and of 2026. */
#include "model/config.h"

#include <inttypes.h>
#include <math.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/num.h"
#include "model/families.h"

enum {
    MAX_CONFIG_BYTES = 16 << 20,
    MAX_LEN = 1 << 24,
    MAX_HEADS = 1024,
    MAX_DIM = 512,
    MAX_VOCAB = 1 << 24
};

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

/* An integer key within [lo, hi]; where it may be left out, *out is set before. */
static bool read_int(const struct json *o, const char *key, int lo, int hi, bool is_required,
                     int *out, struct err *e)
{
    const struct json *v = json_get(o, key);
    int64_t n = json_int(v, INT64_MIN);

    if (is_absent(v) && !is_required)
        return true;
    if (is_absent(v))
        return err_set(e, ERR_INPUT, "\"%s\" is missing", key);
    if (n == INT64_MIN)
        return err_set(e, ERR_INPUT, "\"%s\" is %s, not an integer", key,
                       json_type_name(json_type(v)));
    if (n < lo || n > hi)
        return err_set(e, ERR_INPUT, "\"%s\" is %" PRId64 ", not within %d to %d", key, n, lo, hi);
    *out = (int)n;
    return true;
}

static bool read_real(const struct json *o, const char *key, double lo, double hi, double *out,
                      struct err *e)
{
    const struct json *v = json_get(o, key);
    double x = json_num(v, NAN);

    if (is_absent(v))
        return true;
    if (!(x >= lo && x <= hi))
        return err_set(e, ERR_INPUT, "\"%s\" is not a number within %g to %g", key, lo, hi);
    *out = x;
    return true;
}

static bool read_bool(const struct json *o, const char *key, bool *out, struct err *e)
{
    const struct json *v = json_get(o, key);

    if (is_absent(v))
        return true;
    if (json_type(v) != JSON_BOOL)
        return err_set(e, ERR_INPUT, "\"%s\" is %s, not true or false", key,
                       json_type_name(json_type(v)));
    *out = json_bool(v, false);
    return true;
}

/* --- rope ------------------------------------------------------------------------------------- */

static bool read_mrope(const struct json *o, struct model_config *c, struct err *e)
{
    const struct json *section = json_get(o, "mrope_section");
    int sum = 0;

    if (is_absent(section))
        return true;
    if (json_type(section) != JSON_ARRAY || json_len(section) != 3)
        return err_set(e, ERR_INPUT, "\"mrope_section\" is not an array of 3 integers");
    for (int i = 0; i < 3; i++) {
        int64_t n = json_int(json_at((struct json *)section, (size_t)i), -1);

        if (n < 0 || n > MAX_DIM)
            return err_set(e, ERR_INPUT,
                           "\"mrope_section\" is not an array of 3 integers within 0 to %d",
                           MAX_DIM);
        c->rope.mrope_section[i] = (int)n;
        sum += (int)n;
    }
    if (sum != c->head_dim / 2)
        return err_set(e, ERR_INPUT, "\"mrope_section\" sums to %d, half of head_dim is %d", sum,
                       c->head_dim / 2);
    c->n_axes = 3;
    return true;
}

static bool rope_type_of(struct str name, enum rope_type *type)
{
    static const struct {
        const char *name;
        enum rope_type type;
    } types[] = {{"default", ROPE_DEFAULT},
                 {"mrope", ROPE_DEFAULT},
                 {"linear", ROPE_LINEAR},
                 {"llama3", ROPE_LLAMA3},
                 {"yarn", ROPE_YARN}};

    for (size_t i = 0; i < LEN(types); i++) {
        if (str_eqz(name, types[i].name)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

/* A key that changes angles and is not known here must not be passed over in silence. */
static bool check_rope_keys(const struct json *o, struct err *e)
{
    static const char *const known[] = {"type",
                                        "rope_type",
                                        "rope_theta",
                                        "factor",
                                        "original_max_position_embeddings",
                                        "low_freq_factor",
                                        "high_freq_factor",
                                        "beta_fast",
                                        "beta_slow",
                                        "attention_factor",
                                        "mrope_section",
                                        "mrope_interleaved"};

    for (struct json_iter it = json_iter(o); json_next(&it);) {
        bool is_known = json_type(it.value) == JSON_NULL;

        for (size_t i = 0; i < LEN(known); i++)
            is_known |= str_eqz(it.key, known[i]);
        if (str_eqz(it.key, "partial_rotary_factor"))
            is_known = json_num(it.value, 0) == 1.0;
        if (str_eqz(it.key, "truncate"))
            is_known = json_bool(it.value, false);
        if (!is_known)
            return err_set(e, ERR_UNSUPPORTED, "the key \"%.60s\" is not supported here",
                           it.key.ptr);
    }
    if (json_bool(json_get(o, "mrope_interleaved"), false))
        return err_set(e, ERR_UNSUPPORTED, "\"mrope_interleaved\" is not supported");
    return true;
}

static bool read_rope(const struct json *o, struct model_config *c, struct err *e)
{
    struct rope_config *r = &c->rope;
    const struct json *nested = json_get(o, "full_attention");
    struct str type;

    if (is_absent(o))
        return true;
    if (json_type(o) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "it is %s, not an object", json_type_name(json_type(o)));
    if (json_type(nested) == JSON_OBJECT)
        o = nested;
    type = json_str(json_get(o, "rope_type"));
    if (type.len == 0)
        type = json_str(json_get(o, "type"));
    if (type.len == 0)
        type = STR("default");
    if (!rope_type_of(type, &r->type))
        return err_set(e, ERR_UNSUPPORTED,
                       "rope_type \"%.40s\" is not one of default, linear, llama3, yarn", type.ptr);
    if (!check_rope_keys(o, e) || !read_mrope(o, c, e) ||
        !read_real(o, "rope_theta", 1.01, 1e12, &r->theta, e) ||
        !read_real(o, "factor", 1.0, 1e6, &r->factor, e) ||
        !read_real(o, "low_freq_factor", 1e-6, 1e6, &r->low_freq_factor, e) ||
        !read_real(o, "high_freq_factor", 1e-6, 1e6, &r->high_freq_factor, e) ||
        !read_real(o, "beta_fast", 1e-6, 1e6, &r->beta_fast, e) ||
        !read_real(o, "beta_slow", 1e-6, 1e6, &r->beta_slow, e) ||
        !read_real(o, "attention_factor", 1e-6, 1e6, &r->attention_factor, e) ||
        !read_int(o, "original_max_position_embeddings", 1, MAX_LEN, false,
                  &r->original_max_position_embeddings, e))
        return false;
    if (r->type != ROPE_DEFAULT && is_absent(json_get(o, "factor")))
        return err_set(e, ERR_INPUT, "rope_type \"%.40s\" needs \"factor\"", type.ptr);
    if (r->type == ROPE_LLAMA3 && r->high_freq_factor <= r->low_freq_factor)
        return err_set(e, ERR_INPUT, "\"high_freq_factor\" %g is not above \"low_freq_factor\" %g",
                       r->high_freq_factor, r->low_freq_factor);
    return true;
}

/* --- the rest --------------------------------------------------------------------------------- */

static bool read_eos(const struct json *v, struct model_config *c, struct err *e)
{
    size_t n = json_type(v) == JSON_ARRAY ? json_len(v) : is_absent(v) ? 0 : 1;

    for (size_t i = 0; i < n; i++) {
        int64_t id = json_int(json_type(v) == JSON_ARRAY ? json_at((struct json *)v, i) : v, -1);
        bool is_new = true;

        if (id < 0 || id > MAX_VOCAB)
            return err_set(e, ERR_INPUT, "\"eos_token_id\" is not a token id");
        for (int j = 0; j < c->n_eos_token_ids; j++)
            is_new &= c->eos_token_ids[j] != id;
        if (is_new && c->n_eos_token_ids == MAX_EOS_IDS)
            return err_set(e, ERR_INPUT, "more than %d end-of-sequence ids", MAX_EOS_IDS);
        if (is_new)
            c->eos_token_ids[c->n_eos_token_ids++] = (int)id;
    }
    return true;
}

static bool read_sizes(const struct json *o, struct model_config *c, struct err *e)
{
    if (!read_int(o, "vocab_size", 1, MAX_VOCAB, true, &c->vocab_size, e) ||
        !read_int(o, "hidden_size", 1, MODEL_MAX_WIDTH, true, &c->hidden_size, e) ||
        !read_int(o, "intermediate_size", 1, MODEL_MAX_WIDTH, true, &c->intermediate_size, e) ||
        !read_int(o, "num_hidden_layers", 1, MODEL_MAX_LAYERS, true, &c->n_layers, e) ||
        !read_int(o, "num_attention_heads", 1, MAX_HEADS, true, &c->n_heads, e) ||
        !read_int(o, "max_position_embeddings", 1, MAX_LEN, true, &c->max_position_embeddings, e))
        return false;
    c->n_kv_heads = c->n_heads;
    if (!read_int(o, "num_key_value_heads", 1, MAX_HEADS, false, &c->n_kv_heads, e) ||
        !read_int(o, "head_dim", 2, MAX_DIM, false, &c->head_dim, e) ||
        !read_real(o, "rms_norm_eps", 0, 1, &c->rms_norm_eps, e))
        return false;
    if (c->n_heads % c->n_kv_heads != 0)
        return err_set(e, ERR_INPUT,
                       "num_attention_heads %d is not a multiple of num_key_value_heads %d",
                       c->n_heads, c->n_kv_heads);
    if (c->head_dim == 0 && c->hidden_size % c->n_heads != 0)
        return err_set(
            e, ERR_INPUT,
            "hidden_size %d is not a multiple of num_attention_heads %d and there is no head_dim",
            c->hidden_size, c->n_heads);
    if (c->head_dim == 0)
        c->head_dim = c->hidden_size / c->n_heads;
    if (c->head_dim % 2 != 0 || c->head_dim > MAX_DIM)
        return err_set(e, ERR_UNSUPPORTED, "head_dim %d is not an even number up to %d",
                       c->head_dim, MAX_DIM);
    return true;
}

/* Sliding windows are not implemented: what would slide is refused, what cannot is taken. */
static bool read_window(const struct json *o, const struct model_family *family,
                        struct model_config *c, struct err *e)
{
    const struct json *types = json_get(o, "layer_types");
    bool use = !family->windows_by_flag;
    int window = 0;

    if (!read_bool(o, "use_sliding_window", &use, e) ||
        !read_int(o, "sliding_window", 1, INT32_MAX, false, &window, e))
        return false;
    if (use && family->windows_by_flag)
        return err_set(e, ERR_UNSUPPORTED,
                       "\"use_sliding_window\" is true; sliding windows are not supported");
    if (use)
        c->sliding_window = window;
    for (size_t i = 0; i < json_len(types); i++) {
        struct str type = json_str(json_at((struct json *)types, i));

        if (!str_eqz(type, "full_attention") && !(use && str_eqz(type, "sliding_attention")))
            return err_set(e, ERR_UNSUPPORTED,
                           "layer %zu is of type \"%.40s\"; only full_attention is supported", i,
                           type.ptr);
    }
    return true;
}

static bool read_arch(const struct json *o, const struct model_family **family,
                      struct model_config *c, struct err *e)
{
    struct str arch = json_str(json_at(json_get(o, "architectures"), 0));

    if (arch.len == 0)
        return err_set(e, ERR_INPUT, "\"architectures\" does not name an architecture");
    *family = model_family_find(arch);
    if (!*family)
        return err_set(e, ERR_UNSUPPORTED,
                       "the architecture \"%.60s\" is not known; supported are %s", arch.ptr,
                       model_family_names());
    snprintf(c->arch, sizeof(c->arch), "%s", (*family)->arch);
    return true;
}

static bool read_switches(const struct json *o, const struct model_family *family,
                          struct model_config *c, struct err *e)
{
    const struct json *act = json_get(o, "hidden_act");
    bool attention_bias = false;

    if (!is_absent(act) && !str_eqz(json_str(act), "silu"))
        return err_set(e, ERR_UNSUPPORTED, "\"hidden_act\" is \"%.40s\"; only silu is supported",
                       json_str(act).ptr);
    if (!is_absent(json_get(o, "quantization_config")))
        return err_set(e, ERR_UNSUPPORTED,
                       "\"quantization_config\": quantised weights are not supported");
    if (!read_bool(o, "tie_word_embeddings", &c->tie_word_embeddings, e) ||
        !read_bool(o, "attention_bias", &attention_bias, e) ||
        !read_bool(o, "mlp_bias", &c->has_mlp_bias, e) ||
        !read_int(o, "bos_token_id", 0, MAX_VOCAB, false, &c->bos_token_id, e) ||
        !read_eos(json_get(o, "eos_token_id"), c, e) || !read_window(o, family, c, e))
        return false;
    c->has_head_norm = family->has_head_norm;
    c->has_qkv_bias = family->has_qkv_bias || attention_bias;
    c->has_o_bias = !family->has_qkv_bias && attention_bias;
    return true;
}

bool model_config_parse(const struct json *config, const struct json *rope_scaling,
                        struct model_config *c, struct err *e)
{
    const struct model_family *family;
    const struct json *text = json_get(config, "text_config"), *o, *rope;

    *c = (struct model_config){
        .rms_norm_eps = 1e-6,
        .n_axes = 1,
        .bos_token_id = -1,
        .temperature = NAN,
        .top_p = NAN,
        .repetition_penalty = NAN,
        .top_k = -1,
        .rope = {.theta = 10000,
                 .factor = 1,
                 .low_freq_factor = 1,
                 .high_freq_factor = 4,
                 .beta_fast = 32,
                 .beta_slow = 1},
    };
    if (json_type(config) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "it is %s, not an object", json_type_name(json_type(config)));
    if (!read_arch(config, &family, c, e))
        return false;
    o = json_type(text) == JSON_OBJECT ? text : config;
    if (!read_sizes(o, c, e) || !read_real(o, "rope_theta", 1.01, 1e12, &c->rope.theta, e))
        return false;
    /* The newer object holds theta as well, which an override of the scaling leaves alone. */
    rope = json_get(o, "rope_parameters");
    if (is_absent(rope))
        rope = json_get(o, "rope_scaling");
    if (rope_scaling && !read_real(rope, "rope_theta", 1.01, 1e12, &c->rope.theta, e))
        return false;
    if (!read_rope(rope_scaling ? rope_scaling : rope, c, e)) {
        err_prefix(e, "%s",
                   rope_scaling ? "rope_scaling as given" : "rope_scaling or rope_parameters");
        return false;
    }
    if (rope_scaling && !read_mrope(rope, c, e))
        return false;
    if (!read_switches(o, family, c, e))
        return false;
    if (o != config && !read_bool(config, "tie_word_embeddings", &c->tie_word_embeddings, e))
        return false;
    return true;
}

bool model_config_add_generation(const struct json *generation, struct model_config *c,
                                 struct err *e)
{
    return read_eos(json_get(generation, "eos_token_id"), c, e) &&
           read_real(generation, "temperature", 0, 100, &c->temperature, e) &&
           read_real(generation, "top_p", 0, 1, &c->top_p, e) &&
           read_real(generation, "repetition_penalty", 0, 100, &c->repetition_penalty, e) &&
           read_int(generation, "top_k", -1, INT32_MAX, false, &c->top_k, e);
}

static bool read_generation(const char *path, struct model_config *c, struct err *e)
{
    struct json *v;
    bool ok;

    if (!file_exists(path))
        return true;
    v = json_parse_file(path, MAX_CONFIG_BYTES, e);
    if (!v)
        return false;
    ok = model_config_add_generation(v, c, e);
    if (!ok)
        err_prefix(e, "%s", path);
    json_close(v);
    return ok;
}

bool model_config_read(const char *dir, const char *rope_scaling, struct model_config *c,
                       struct err *e)
{
    struct arena a;
    struct json *config, *scaling = NULL;
    const char *path;
    bool ok = false;

    arena_init(&a, 0);
    path = path_join(&a, dir, "config.json");
    config = json_parse_file(path, MAX_CONFIG_BYTES, e);
    if (!config)
        goto out;
    if (rope_scaling && rope_scaling[0] != '\0') {
        scaling = json_parse(STR(rope_scaling), e);
        if (!scaling) {
            err_prefix(e, "rope_scaling as given");
            goto out;
        }
    }
    if (!model_config_parse(config, scaling, c, e)) {
        err_prefix(e, "%s", path);
        goto out;
    }
    ok = read_generation(path_join(&a, dir, "generation_config.json"), c, e);
out:
    json_close(scaling);
    json_close(config);
    arena_clear(&a);
    return ok;
}

int model_config_max_len(const struct model_config *c)
{
    const struct rope_config *r = &c->rope;
    double n = c->max_position_embeddings;

    if (r->type == ROPE_YARN)
        n = r->factor *
            (r->original_max_position_embeddings > 0 ? r->original_max_position_embeddings : n);
    if (r->type == ROPE_LINEAR)
        n *= r->factor;
    if (c->sliding_window > 0)
        n = fmin(n, c->sliding_window);
    return (int)fmin(n, MAX_LEN);
}

double model_layer_weights(const struct model_config *c)
{
    double qkv = (double)c->hidden_size * (c->n_heads + 2 * c->n_kv_heads) * c->head_dim;
    double o = (double)c->n_heads * c->head_dim * c->hidden_size;

    return c->n_layers * (qkv + o + 3.0 * c->hidden_size * c->intermediate_size);
}

double model_head_weights(const struct model_config *c)
{
    return (double)c->vocab_size * c->hidden_size;
}

double model_attention_flops(const struct model_config *c, double context)
{
    return 4.0 * context * c->n_heads * c->head_dim * c->n_layers;
}
