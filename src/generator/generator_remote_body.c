/* generator_remote_body.c - see generator_remote_body.h. */
#include "generator/generator_remote_body.h"

#include "formats/json.h"

struct writer {
    struct buf *out;
    const struct json *extra, *request_extra;
    bool is_strict;
};

/* Fields that the server's and the request's extras name are theirs. */
static bool is_ours(const struct writer *w, const char *key)
{
    return !json_get(w->extra, key) && !json_get(w->request_extra, key);
}

static void add_key(struct writer *w, const char *key)
{
    if (w->out->len > 1)
        buf_addc(w->out, ',');
    json_write_str(w->out, STR(key));
    buf_addc(w->out, ':');
}

static void add_real(struct writer *w, const char *key, double x)
{
    if (!is_ours(w, key))
        return;
    add_key(w, key);
    buf_add_f64(w->out, x);
}

static void add_int(struct writer *w, const char *key, int64_t x)
{
    if (!is_ours(w, key))
        return;
    add_key(w, key);
    buf_addf(w->out, "%lld", (long long)x);
}

static void add_true(struct writer *w, const char *key, bool is_set)
{
    if (!is_set || !is_ours(w, key))
        return;
    add_key(w, key);
    buf_addz(w->out, "true");
}

static void add_tree(struct writer *w, const char *key, const struct json *v)
{
    if (!v || !is_ours(w, key))
        return;
    add_key(w, key);
    json_write(w->out, v);
}

static void add_strings(struct writer *w, const char *key, const struct str *items, int n)
{
    if (n == 0 || !is_ours(w, key))
        return;
    add_key(w, key);
    buf_addc(w->out, '[');
    for (int i = 0; i < n; i++) {
        buf_addz(w->out, i ? "," : "");
        json_write_str(w->out, items[i]);
    }
    buf_addc(w->out, ']');
}

static void add_ids(struct writer *w, const char *key, const int32_t *ids, int n)
{
    if (n == 0 || !is_ours(w, key))
        return;
    add_key(w, key);
    buf_addc(w->out, '[');
    for (int i = 0; i < n; i++)
        buf_addf(w->out, "%s%d", i ? "," : "", ids[i]);
    buf_addc(w->out, ']');
}

/* --- messages --------------------------------------------------------------------------------- */

static void add_base64(struct buf *out, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = MIN(bytes.len - i, 3);
        uint32_t w = (uint32_t)(unsigned char)bytes.ptr[i] << 16;

        if (n > 1)
            w |= (uint32_t)(unsigned char)bytes.ptr[i + 1] << 8;
        if (n > 2)
            w |= (uint32_t)(unsigned char)bytes.ptr[i + 2];
        buf_addc(out, digits[w >> 18]);
        buf_addc(out, digits[w >> 12 & 63]);
        buf_addc(out, n > 1 ? digits[w >> 6 & 63] : '=');
        buf_addc(out, n > 2 ? digits[w & 63] : '=');
    }
}

static const char *image_type(struct str bytes)
{
    if (str_starts(bytes, "\xFF\xD8"))
        return "jpeg";
    if (str_starts(bytes, "RIFF"))
        return "webp";
    return "png";
}

static void add_part(struct buf *out, const struct chat_part *p)
{
    if (p->kind == PART_TEXT) {
        buf_addz(out, "{\"type\":\"text\",\"text\":");
        json_write_str(out, p->data);
        buf_addc(out, '}');
        return;
    }
    buf_addf(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/%s;base64,",
             image_type(p->data));
    add_base64(out, p->data);
    buf_addz(out, "\"}}");
}

static void add_message(struct buf *out, const struct chat_msg *m)
{
    if (m->raw) {
        json_write(out, m->raw);
        return;
    }
    buf_addz(out, "{\"role\":");
    json_write_str(out, m->role);
    buf_addz(out, ",\"content\":");
    if (m->n_parts == 1 && m->parts[0].kind == PART_TEXT) {
        json_write_str(out, m->parts[0].data);
    } else {
        buf_addc(out, '[');
        for (int i = 0; i < m->n_parts; i++) {
            buf_addz(out, i ? "," : "");
            add_part(out, &m->parts[i]);
        }
        buf_addc(out, ']');
    }
    buf_addc(out, '}');
}

static void add_prompt(struct writer *w, const struct gen_request *r)
{
    if (r->kind == GEN_COMPLETE) {
        if (r->prompt_ids) {
            add_ids(w, "prompt", r->prompt_ids, r->n_prompt_ids);
        } else {
            add_key(w, "prompt");
            json_write_str(w->out, r->prompt);
        }
        return;
    }
    add_key(w, "messages");
    buf_addc(w->out, '[');
    for (int i = 0; i < r->n_msgs; i++) {
        buf_addz(w->out, i ? "," : "");
        add_message(w->out, &r->msgs[i]);
    }
    buf_addc(w->out, ']');
    add_true(w, "continue_final_message", r->continue_final_message);
    if (r->no_generation_prompt && is_ours(w, "add_generation_prompt")) {
        add_key(w, "add_generation_prompt");
        buf_addz(w->out, "false");
    }
    add_tree(w, "chat_template_kwargs", r->template_kwargs);
    add_tree(w, "tools", r->tools);
    add_tree(w, "documents", r->documents);
    if (r->chat_template.len > 0 && is_ours(w, "chat_template")) {
        add_key(w, "chat_template");
        json_write_str(w->out, r->chat_template);
    }
}

/* --- sampling --------------------------------------------------------------------------------- */

static void add_bias(struct writer *w, const struct sampling *s)
{
    if (s->n_bias == 0 || !is_ours(w, "logit_bias"))
        return;
    add_key(w, "logit_bias");
    for (int i = 0; i < s->n_bias; i++) {
        buf_addf(w->out, "%s\"%d\":", i ? "," : "{", s->bias_ids[i]);
        buf_add_f64(w->out, (double)s->bias[i]);
    }
    buf_addc(w->out, '}');
}

static void add_truncation(struct writer *w, const struct gen_request *r)
{
    if (r->truncate_prompt_tokens == 0 || !is_ours(w, "truncate_prompt_tokens"))
        return;
    add_int(w, "truncate_prompt_tokens", r->truncate_prompt_tokens);
    add_key(w, "truncation_side");
    json_write_str(w->out, STR(r->truncation_side == TRUNCATE_RIGHT ? "right" : "left"));
}

static void add_sampling(struct writer *w, const struct remote_body_opts *o,
                         const struct sampling *s)
{
    add_real(w, "temperature", s->temperature);
    add_real(w, "top_p", s->top_p);
    add_real(w, "presence_penalty", s->presence_penalty);
    add_real(w, "frequency_penalty", s->frequency_penalty);
    if (s->has_seed && o->send_seed)
        add_int(w, "seed", (int64_t)s->seed);
    add_strings(w, "stop", s->stop, s->n_stop);
    add_bias(w, s);
    if (w->is_strict)
        return;
    add_int(w, "top_k",
            s->top_k > 0 ? s->top_k : -1); /* -1 means "all" to every version of every server */
    add_real(w, "min_p", s->min_p);
    add_real(w, "repetition_penalty", s->repetition_penalty);
    if (s->has_thinking_budget)
        add_int(w, "thinking_token_budget", s->thinking_budget);
    if (s->min_tokens > 0)
        add_int(w, "min_tokens", s->min_tokens);
    add_ids(w, "stop_token_ids", s->stop_token_ids, s->n_stop_token_ids);
    add_ids(w, "allowed_token_ids", s->allowed_token_ids, s->n_allowed_token_ids);
    add_strings(w, "bad_words", s->bad_words, s->n_bad_words);
    add_true(w, "include_stop_str_in_output", s->include_stop_str);
    add_true(w, "ignore_eos", s->ignore_eos);
    if (s->keep_special_tokens && is_ours(w, "skip_special_tokens")) {
        add_key(w, "skip_special_tokens");
        buf_addz(w->out, "false");
    }
}

static bool is_limit(struct str key)
{
    return str_eqz(key, "max_tokens") || str_eqz(key, "max_completion_tokens");
}

/* Extra fields but for the limit, which is taken out; `over` has fields that come instead of these.
 */
static const char *add_extra(struct writer *w, const struct json *fields, const struct json *over,
                             const char *limit_name, int *max_tokens)
{
    for (struct json_iter it = json_iter(fields); json_next(&it);) {
        bool is_null = json_type(it.value) == JSON_NULL;

        if (json_get_str(over, it.key))
            continue;
        if (is_limit(it.key)) {
            if (!is_null) {
                limit_name = it.key.ptr;
                *max_tokens = (int)json_int(it.value, *max_tokens);
            } else if (str_eqz(it.key, limit_name)) {
                *max_tokens = 0;
            }
            continue;
        }
        if (is_null)
            continue;
        add_key(w, it.key.ptr);
        json_write(w->out, it.value);
    }
    return limit_name;
}

bool remote_body_write(struct buf *out, const struct remote_body_opts *o,
                       const struct gen_request *r, struct remote_body_info *info, struct err *e)
{
    struct writer w = {out, o->extra, r->extra_body, o->strict_openai};
    const char *limit_name = o->strict_openai ? "max_completion_tokens" : "max_tokens";

    if (r->kind == GEN_SCORE)
        return err_set(e, ERR_UNSUPPORTED, "the remote generator does not score continuations");
    if (r->constraint.kind != CONSTRAINT_NONE && o->strict_openai &&
        strcmp(r->constraint.field, "response_format") != 0)
        return err_set(e, ERR_UNSUPPORTED, "%s is no field of OpenAI's own servers",
                       r->constraint.field);
    if (r->sampling.n_logprobs >= 0 || r->sampling.n_prompt_logprobs >= 0)
        return err_set(e, ERR_UNSUPPORTED, "the remote generator does not read logprobs");
    if (w.is_strict && (r->truncate_prompt_tokens != 0 || r->sampling.has_thinking_budget))
        return err_set(e, ERR_UNSUPPORTED,
                       "%s is not a field of OpenAI's API, and --strict_openai sends no others",
                       r->truncate_prompt_tokens != 0 ? "truncate_prompt_tokens"
                                                      : "thinking_token_budget");
    buf_addc(out, '{');
    add_key(&w, "model");
    json_write_str(out, STR(o->model));
    add_prompt(&w, r);
    add_truncation(&w, r); /* part of the prompt: it decides how many tokens that has */
    info->n_prompt = out->len;
    add_sampling(&w, o, &r->sampling);
    if (r->constraint.kind != CONSTRAINT_NONE)
        add_tree(&w, r->constraint.field, r->constraint.value);
    add_true(&w, "stream", o->stream);
    if (o->stream && is_ours(&w, "stream_options")) {
        add_key(&w, "stream_options");
        buf_addz(out, "{\"include_usage\":true}");
    }
    info->max_tokens = r->sampling.max_tokens;
    limit_name = add_extra(&w, o->extra, r->extra_body, limit_name, &info->max_tokens);
    limit_name = add_extra(&w, r->extra_body, NULL, limit_name, &info->max_tokens);
    if (info->max_tokens > 0)
        add_key(&w, limit_name);
    return !out->failed || err_set(e, ERR_MEMORY, "the request is too long");
}

void remote_body_finish(struct buf *out, int max_tokens)
{
    if (max_tokens > 0)
        buf_addf(out, "%d", max_tokens);
    buf_addc(out, '}');
}
