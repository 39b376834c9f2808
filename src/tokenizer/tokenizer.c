/* tokenizer.c - opens a tokenizer: tokenizer.json to its parts, then the parts to each other. */
#include "tokenizer/internal.h"

#include "base/file.h"
#include "base/log.h"
#include "tokenizer/chars.h"
#include "tokenizer/fields.h"
#include "tokenizer/scan.h"
#include "tokenizer/template.h"

#define FILE_MAX (256u << 20)

/* --- tokenizer_config.json -------------------------------------------------------------------- */

/* The token under a key, a string or {"content": ...}; -1 when there is none, or the vocabulary
 * lacks it. */
static bool read_named_token(const struct tokenizer *t, const struct json *config, const char *key,
                             int32_t *id, struct err *e)
{
    const struct json *v = json_get(config, key);
    enum json_type type = json_type(v);

    *id = -1;
    if (type == JSON_NULL || type == JSON_ABSENT)
        return true;
    if (type == JSON_OBJECT)
        v = json_get(v, "content");
    if (json_type(v) != JSON_STRING)
        return err_set(e, ERR_INPUT, "tokenizer_config.json: \"%s\" is %s, expected a string", key,
                       json_type_name(json_type(v)));
    *id = vocab_find(&t->vocab, json_str(v));
    if (*id >= 0)
        return true;
    if (strcmp(key, "pad_token") == 0) { /* nothing here pads, and many files name one in vain */
        log_warn("tokenizer_config.json: \"pad_token\" is \"%.*s\", which is no token of "
                 "tokenizer.json; there is none then",
                 (int)MIN(json_str(v).len, 80), json_str(v).ptr);
        return true;
    }
    return err_set(e, ERR_INPUT,
                   "tokenizer_config.json: \"%s\" is \"%.*s\", which is no token of tokenizer.json",
                   key, (int)MIN(json_str(v).len, 80), json_str(v).ptr);
}

static bool read_config(struct tokenizer *t, struct str text, struct err *e)
{
    struct json *config;
    bool ok;

    if (!text.len)
        return true;
    config = json_parse(text, e);
    if (!config) {
        err_prefix(e, "tokenizer_config.json");
        return false;
    }
    ok = json_type(config) == JSON_OBJECT ||
         err_set(e, ERR_INPUT, "tokenizer_config.json is %s, expected an object",
                 json_type_name(json_type(config)));
    ok = ok && read_named_token(t, config, "bos_token", &t->bos, e) &&
         read_named_token(t, config, "eos_token", &t->eos, e) &&
         read_named_token(t, config, "pad_token", &t->pad, e);
    json_close(config);
    return ok;
}

/* --- tokenizer.json --------------------------------------------------------------------------- */

static bool read_model(struct tokenizer *t, const struct json *model, struct str file,
                       const struct scan_parts *parts, struct err *e)
{
    int type = MODEL_BPE;

    if (json_type(model) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "\"model\" is %s, expected an object",
                       json_type_name(json_type(model)));
    /* Old files leave the type out; merges tell. */
    if (json_get(model, "type") || !parts->merges.ptr) {
        if (!field_choice(model, "type", "BPE Unigram", &type, e)) {
            err_prefix(e, "model");
            return false;
        }
    }
    t->model_type = (enum model_type)type;
    if (t->model_type == MODEL_BPE)
        return bpe_parse(model, file, parts, &t->arena, &t->vocab, &t->bpe, e);
    if (parts->merges.ptr)
        return err_set(e, ERR_UNSUPPORTED, "model: Unigram with \"merges\" is not supported");
    return unigram_parse(model, file, parts, &t->vocab, &t->unigram, e);
}

/* The parts point into the vocabulary, so it must be whole first. */
static bool link_parts(struct tokenizer *t, struct err *e)
{
    if (t->model_type == MODEL_UNIGRAM)
        unigram_link(&t->unigram);
    if (t->model_type == MODEL_BPE && pretokenizer_ends_in_bytes(&t->pre))
        t->pre.gives_bytes = bpe_read_bytes(&t->bpe);
    return added_link(&t->added, &t->vocab, &t->normalizer, &t->arena, e) &&
           decoder_link(&t->decoder, &t->vocab, e);
}

static bool read_parts(struct tokenizer *t, const struct json *v, struct str file,
                       const struct scan_parts *parts, struct err *e)
{
    return fields_check(v, "the file",
                        "version truncation padding added_tokens normalizer pre_tokenizer "
                        "post_processor decoder model",
                        e) &&
           read_model(t, json_get(v, "model"), file, parts, e) &&
           added_parse(json_get(v, "added_tokens"), &t->arena, &t->vocab, &t->added, e) &&
           normalizer_parse(json_get(v, "normalizer"), &t->arena, &t->normalizer, e) &&
           pretokenizer_parse(json_get(v, "pre_tokenizer"), &t->arena, &t->pre, e) &&
           decoder_parse(json_get(v, "decoder"), &t->arena, &t->decoder, e) &&
           template_parse(json_get(v, "post_processor"), &t->vocab, &t->prefix, &t->suffix, e) &&
           link_parts(t, e);
}

static bool read_tokenizer(struct tokenizer *t, struct str file, struct err *e)
{
    struct scan_parts parts;
    struct buf rest;
    struct json *v = NULL;
    bool ok;

    buf_init(&rest, FILE_MAX);
    ok = scan_cut(file, &parts, &rest, e) && (v = json_parse(buf_str(&rest), e)) &&
         read_parts(t, v, file, &parts, e);
    json_close(v);
    buf_clear(&rest);
    return ok;
}

struct tokenizer *tokenizer_parse(struct str json, struct str config, struct err *e)
{
    struct tokenizer *t = xcalloc(1, sizeof(*t));

    arena_init(&t->arena, 0);
    t->bos = t->eos = t->pad = -1;
    t->pool = encoder_pool_open();
    if (!json.len) {
        err_set(e, ERR_INPUT, "tokenizer.json: the file is empty");
        goto fail;
    }
    if (!read_tokenizer(t, json, e)) {
        err_prefix(e, "tokenizer.json");
        goto fail;
    }
    if (read_config(t, config, e))
        return t;
fail:
    tokenizer_close(t);
    return NULL;
}

struct tokenizer *tokenizer_open(const char *model_dir, struct err *e)
{
    struct file_map json = {0}, config = {0};
    struct tokenizer *t = NULL;
    const char *config_path;
    struct arena a;

    arena_init(&a, 0);
    config_path = path_join(&a, model_dir, "tokenizer_config.json");
    if (!file_map_open(path_join(&a, model_dir, "tokenizer.json"), &json, e) ||
        (file_exists(config_path) && !file_map_open(config_path, &config, e)))
        goto out;
    if (json.len > FILE_MAX)
        err_set(e, ERR_INPUT, "tokenizer.json has %zu bytes; at most %u", json.len, FILE_MAX);
    else
        t = tokenizer_parse((struct str){json.ptr, json.len}, (struct str){config.ptr, config.len},
                            e);
    if (!t)
        err_prefix(e, "%s", model_dir);
out:
    file_map_close(&json);
    file_map_close(&config);
    arena_clear(&a);
    return t;
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    encoder_pool_close(t->pool);
    decoder_clear(&t->decoder);
    added_clear(&t->added);
    unigram_clear(&t->unigram);
    bpe_clear(&t->bpe);
    pretokenizer_clear(&t->pre);
    normalizer_clear(&t->normalizer);
    token_buf_clear(&t->prefix);
    token_buf_clear(&t->suffix);
    vocab_clear(&t->vocab);
    arena_clear(&t->arena);
    free(t);
}

/* --- Tokens ----------------------------------------------------------------------------------- */

struct str tokenizer_piece(const struct tokenizer *t, int32_t id)
{
    const struct decoder *d = &t->decoder;

    if (!vocab_has(&t->vocab, id, VOCAB_PRESENT) || d->piece_at[id] == d->piece_at[id + 1])
        return (struct str){"", 0};
    return (struct str){d->pieces.ptr + d->piece_at[id], d->piece_at[id + 1] - d->piece_at[id]};
}

struct str tokenizer_content(const struct tokenizer *t, int32_t id)
{
    return vocab_content(&t->vocab, id);
}

int32_t tokenizer_find(const struct tokenizer *t, struct str content)
{
    return vocab_find(&t->vocab, content);
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return vocab_has(&t->vocab, id, VOCAB_SPECIAL);
}

bool tokenizer_is_added(const struct tokenizer *t, int32_t id)
{
    return vocab_has(&t->vocab, id, VOCAB_ADDED);
}

int32_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->vocab.n_tokens;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_pad(const struct tokenizer *t)
{
    return t->pad;
}

const int32_t *tokenizer_prefix(const struct tokenizer *t, size_t *n)
{
    *n = t->prefix.n;
    return t->prefix.ids;
}

void token_buf_add(struct token_buf *b, int32_t id)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 64;
        b->ids = xrealloc(b->ids, b->cap * sizeof(*b->ids));
    }
    b->ids[b->n++] = id;
}

void token_buf_clear(struct token_buf *b)
{
    free(b->ids);
    *b = (struct token_buf){0};
}
