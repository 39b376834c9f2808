/* local_prompt.c - text to ids as the published stack does it: a rendered chat is encoded with its
 * special tokens recognised and nothing added; a plain prompt gets what the post-processor adds; a
 * score is encoded as one text and cut where the context alone would end. */
#include "generator/local_prompt.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "formats/json.h"
#include "model/model.h"
#include "tokenizer/chat_template.h"

enum { MAX_TEMPLATE = 16 << 20 };

struct local_prompt {
    struct tokenizer *tokenizer;
    int32_t config_bos;         /* of config.json; -1: none */
    struct chat_template *chat; /* NULL: there is none that can be used, */
    struct err no_chat;         /* and why */
    bool reads_parts;           /* the template does */
};

static void set_token(struct json *tokens, const char *name, const struct tokenizer *t, int32_t id)
{
    if (id >= 0)
        json_set(tokens, name, json_new_str(tokenizer_content(t, id)));
}

/* A template that comes from outside knows the model's special tokens too. */
static struct chat_template *parse_template(const struct local_prompt *p, const char *name,
                                            struct str source, struct err *e)
{
    struct json *tokens = json_new_object();
    struct chat_template *out;

    set_token(tokens, "bos_token", p->tokenizer, tokenizer_bos(p->tokenizer));
    set_token(tokens, "eos_token", p->tokenizer, tokenizer_eos(p->tokenizer));
    set_token(tokens, "pad_token", p->tokenizer, tokenizer_pad(p->tokenizer));
    out = chat_template_parse(name, source, tokens, e);
    json_close(tokens);
    return out;
}

/* --chat_template: a file, or the template's text. */
static bool own_template(struct local_prompt *p, const char *file_or_text, struct err *e)
{
    struct buf source = {0};
    bool ok = true;

    if (file_exists(file_or_text))
        ok = file_read(file_or_text, MAX_TEMPLATE, &source, e);
    else if (strchr(file_or_text, '{') || strchr(file_or_text, '\n'))
        buf_addz(&source, file_or_text);
    else
        ok = err_set(e, ERR_INPUT, "--chat_template %s: neither a file nor the text of a template",
                     file_or_text);
    if (ok)
        ok = (p->chat = parse_template(p, "--chat_template", buf_str(&source), e)) != NULL;
    buf_clear(&source);
    return ok;
}

struct local_prompt *local_prompt_open(const char *model_dir, const char *chat_template,
                                       struct err *e)
{
    struct local_prompt *p = xcalloc(1, sizeof(*p));
    struct model_config config;

    p->tokenizer =
        model_config_read(model_dir, "", &config, e) ? tokenizer_open(model_dir, e) : NULL;
    if (!p->tokenizer)
        goto fail;
    p->config_bos = config.bos_token_id;
    if (chat_template && *chat_template) {
        if (!own_template(p, chat_template, e))
            goto fail;
    } else {
        p->chat = chat_template_open(model_dir, &p->no_chat);
    }
    if (!p->chat)
        log_warn("chat requests will fail: %s", p->no_chat.msg);
    p->reads_parts = p->chat && chat_template_reads_parts(p->chat);
    return p;

fail:
    local_prompt_close(p);
    return NULL;
}

void local_prompt_close(struct local_prompt *p)
{
    if (!p)
        return;
    chat_template_close(p->chat);
    tokenizer_close(p->tokenizer);
    free(p);
}

const struct tokenizer *local_prompt_tokenizer(const struct local_prompt *p)
{
    return p->tokenizer;
}

/* --- chat ------------------------------------------------------------------------------------- */

/* One message as templates read it: as it came where it did, else role and text. Parts of a content
 * become one string, a line for each, for a template that reads no parts. */
static bool message_json(const struct chat_msg *m, bool reads_parts, struct json **out,
                         struct err *e)
{
    bool joins = m->raw && json_type(json_get(m->raw, "content")) == JSON_ARRAY && !reads_parts;
    struct buf text = {0};

    for (int i = 0; i < m->n_parts; i++) {
        if (m->parts[i].kind == PART_IMAGE) {
            buf_clear(&text);
            return err_set(e, ERR_UNSUPPORTED,
                           "a message holds an image, and this model reads text only");
        }
        if (joins && i > 0)
            buf_addc(&text, '\n');
        buf_add_str(&text, m->parts[i].data);
    }
    if (m->raw) {
        *out = json_clone(m->raw);
        if (joins)
            json_set(*out, "content", json_new_str(buf_str(&text)));
    } else {
        *out = json_new_object();
        json_set(*out, "role", json_new_str(m->role));
        json_set(*out, "content", json_new_str(buf_str(&text)));
    }
    buf_clear(&text);
    return true;
}

bool local_prompt_render(const struct local_prompt *p, const struct gen_request *r, struct buf *out,
                         struct err *e)
{
    struct chat_template *own = NULL;
    struct json *messages = json_new_array();
    bool ok = true, reads_parts = p->reads_parts;

    if (r->chat_template.len > 0) {
        ok = (own = parse_template(p, "chat_template", r->chat_template, e)) != NULL;
        reads_parts = own && chat_template_reads_parts(own);
    }
    if (ok && !own && !p->chat)
        ok = err_set(e, p->no_chat.code, "%s", p->no_chat.msg);
    for (int i = 0; ok && i < r->n_msgs; i++) {
        struct json *m = NULL;

        ok = message_json(&r->msgs[i], reads_parts, &m, e);
        if (m)
            json_push(messages, m);
    }
    if (ok)
        ok = chat_template_render(
            own ? own : p->chat,
            &(struct chat_input){.messages = messages,
                                 .tools = r->tools,
                                 .documents = r->documents,
                                 .kwargs = r->template_kwargs,
                                 .add_generation_prompt = !r->no_generation_prompt,
                                 .continue_final_message = r->continue_final_message},
            out, NULL, e);
    chat_template_close(own);
    json_close(messages);
    return ok;
}

static bool encode_chat(const struct local_prompt *p, const struct gen_request *r,
                        struct token_buf *ids, struct err *e)
{
    struct buf text = {0};
    bool ok = local_prompt_render(p, r, &text, e) &&
              tokenizer_encode(p->tokenizer, buf_str(&text), ENCODE_PARSE_SPECIAL, ids, e);

    buf_clear(&text);
    return ok;
}

/* --- plain prompts and scores ----------------------------------------------------------------- */

static void add_ids(struct token_buf *out, const int32_t *ids, int n)
{
    for (int i = 0; i < n; i++)
        token_buf_add(out, ids[i]);
}

static bool encode_plain(const struct local_prompt *p, const struct gen_request *r, struct str text,
                         struct token_buf *ids, struct err *e)
{
    unsigned flags = ENCODE_PARSE_SPECIAL | (r->add_special_tokens ? ENCODE_ADD_SPECIAL : 0);

    return tokenizer_encode(p->tokenizer, text, flags, ids, e);
}

/* The continuation follows nothing: the beginning of a text stands for the context. */
static bool add_empty_context(const struct local_prompt *p, struct token_buf *ids, struct err *e)
{
    int32_t id = tokenizer_bos(p->tokenizer);

    if (id < 0)
        id = p->config_bos;
    if (id < 0)
        id = tokenizer_eos(p->tokenizer);
    if (id < 0)
        return err_set(e, ERR_INPUT,
                       "the context is empty, and the tokenizer names neither a first nor a last "
                       "token to stand for it");
    token_buf_add(ids, id);
    return true;
}

static bool encode_score(const struct local_prompt *p, const struct gen_request *r,
                         struct token_buf *ids, int *n_context, struct err *e)
{
    struct buf whole = {0};
    struct token_buf context = {0};
    bool ok = true;

    if (r->prompt_ids || r->continuation_ids) {
        if (r->prompt_ids)
            add_ids(ids, r->prompt_ids, r->n_prompt_ids);
        else
            ok = encode_plain(p, r, r->prompt, ids, e);
        ok = ok && (ids->n > 0 || add_empty_context(p, ids, e));
        *n_context = (int)ids->n;
        if (r->continuation_ids)
            add_ids(ids, r->continuation_ids, r->n_continuation_ids);
        else
            ok =
                ok && tokenizer_encode(p->tokenizer, r->continuation, ENCODE_PARSE_SPECIAL, ids, e);
        return ok;
    }
    ok = encode_plain(p, r, r->prompt, &context, e);
    if (ok && context.n == 0 && (ok = add_empty_context(p, &context, e)))
        add_ids(ids, context.ids, 1);
    buf_add_str(&whole, r->prompt);
    buf_add_str(&whole, r->continuation);
    ok = ok && encode_plain(p, r, buf_str(&whole), ids, e);
    *n_context = (int)MIN(context.n, ids->n);
    buf_clear(&whole);
    token_buf_clear(&context);
    return ok;
}

bool local_prompt_encode(const struct local_prompt *p, const struct gen_request *r,
                         struct token_buf *ids, int *n_context, struct err *e)
{
    *n_context = 0;
    if (r->kind == GEN_SCORE)
        return encode_score(p, r, ids, n_context, e);
    if (r->prompt_ids) {
        add_ids(ids, r->prompt_ids, r->n_prompt_ids);
        return true;
    }
    return r->kind == GEN_CHAT ? encode_chat(p, r, ids, e) : encode_plain(p, r, r->prompt, ids, e);
}

bool local_prompt_bad_word(const struct local_prompt *p, struct str word, struct token_buf out[2],
                           struct err *e)
{
    struct buf text = {0};
    bool ok;

    buf_addc(&text, ' ');
    buf_add_str(&text, word);
    ok = tokenizer_encode(p->tokenizer, word, ENCODE_TEXT, &out[0], e) &&
         tokenizer_encode(p->tokenizer, buf_str(&text), ENCODE_TEXT, &out[1], e);
    buf_clear(&text);
    return ok;
}
