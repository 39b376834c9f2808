/* render.c - field by field in the order that vLLM writes them. Written by hand, not as trees: a
 * chunk is made for every token of every stream. */
#include "server/render.h"

#include <inttypes.h>
#include <math.h>

#define LOWEST_LOGPROB (-9999.0)

void render_logprob(struct buf *out, double logprob)
{
    buf_add_f64(out, logprob >= LOWEST_LOGPROB ? logprob : LOWEST_LOGPROB); /* NaN compares false */
}

static void add_key(struct buf *out, const char *key)
{
    buf_addc(out, '"');
    buf_addz(out, key);
    buf_add(out, "\":", 2);
}

static void add_int(struct buf *out, int64_t x)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRId64, x);

    buf_add(out, digits, (size_t)n);
}

static void add_ids(struct buf *out, const char *key, const int32_t *ids, int n)
{
    add_key(out, key);
    buf_addc(out, '[');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        add_int(out, ids[i]);
    }
    buf_addc(out, ']');
}

/* --- Tokens. ---------------------------------------------------------------------------------- */

/* A token's text: its bytes, with U+FFFD for parts of characters, or its id by name. */
static void token_text(struct buf *out, const struct api_request *r, const struct top_logprob *t)
{
    if (r->tokens_as_ids)
        buf_addf(out, "token_id:%d", t->token_id);
    else
        utf8_repair(out, t->bytes);
}

static void add_token_text(struct buf *out, const struct api_request *r,
                           const struct top_logprob *t)
{
    struct buf text = {0};

    token_text(&text, r, t);
    json_write_str(out, (struct str){buf_z(&text), text.len});
    buf_clear(&text);
}

static size_t text_length(const struct api_request *r, const struct top_logprob *t)
{
    struct buf text = {0};
    size_t n;

    token_text(&text, r, t);
    n = utf8_count((struct str){buf_z(&text), text.len});
    buf_clear(&text);
    return n;
}

size_t render_text_length(const struct api_request *r, const struct token_logprob *t, int n)
{
    size_t sum = 0;

    for (int i = 0; i < n; i++)
        sum += text_length(r, &t[i].chosen);
    return sum;
}

static void add_chat_token(struct buf *out, const struct api_request *r,
                           const struct top_logprob *t)
{
    buf_addz(out, "\"token\":");
    add_token_text(out, r, t);
    buf_addz(out, ",\"logprob\":");
    render_logprob(out, (double)t->logprob);
    buf_addz(out, ",\"bytes\":[");
    for (size_t i = 0; i < t->bytes.len; i++) {
        if (i > 0)
            buf_addc(out, ',');
        add_int(out, (unsigned char)t->bytes.ptr[i]);
    }
    buf_addc(out, ']');
}

static void add_chat_logprobs(struct buf *out, const struct api_request *r,
                              const struct token_logprob *t, int n)
{
    buf_addz(out, "{\"content\":[");
    for (int i = 0; i < n; i++) {
        buf_addz(out, i > 0 ? ",{" : "{");
        add_chat_token(out, r, &t[i].chosen);
        buf_addz(out, ",\"top_logprobs\":[");
        for (int k = 0; k < MIN(t[i].n_top, r->n_top_logprobs); k++) {
            buf_addz(out, k > 0 ? ",{" : "{");
            add_chat_token(out, r, &t[i].top[k]);
            buf_addc(out, '}');
        }
        buf_addz(out, "]}");
    }
    buf_addz(out, "]}");
}

/* Text -> logprob of the alternatives and the chosen token. Two ids with equal text would give one
 * key twice; then the chosen one wins, else the first, which is the likelier unless they were asked
 * for by id. */
static void add_top_map(struct buf *out, const struct api_request *r, const struct token_logprob *t)
{
    bool first = true;

    buf_addc(out, '{');
    for (int k = -1; k < t->n_top; k++) {
        const struct top_logprob *one = k < 0 ? &t->chosen : &t->top[k];
        bool is_new = k < 0 || r->tokens_as_ids || !str_eq(one->bytes, t->chosen.bytes);

        for (int i = 0; i < k && is_new && !r->tokens_as_ids; i++)
            is_new = !str_eq(one->bytes, t->top[i].bytes);
        if (r->tokens_as_ids && k >= 0)
            is_new = one->token_id != t->chosen.token_id;
        if (!is_new)
            continue;
        if (!first)
            buf_addc(out, ',');
        first = false;
        add_token_text(out, r, one);
        buf_addc(out, ':');
        render_logprob(out, (double)one->logprob);
    }
    buf_addc(out, '}');
}

static const struct token_logprob *nth_token(const struct render_choice *c, int i)
{
    return i < c->n_prompt_logprobs ? &c->prompt_logprobs[i]
                                    : &c->logprobs[i - c->n_prompt_logprobs];
}

/* Prompt tokens first if there are any; nothing comes before the first, so it has no logprob. */
static void add_completion_logprobs(struct buf *out, const struct api_request *r,
                                    const struct render_choice *c)
{
    int n = c->n_prompt_logprobs + c->n_logprobs, n_null = c->n_prompt_logprobs > 0 ? 1 : 0;
    size_t offset = c->text_offset;

    buf_addz(out, "{\"text_offset\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        add_int(out, (int64_t)offset);
        offset += text_length(r, &nth_token(c, i)->chosen);
    }
    buf_addz(out, "],\"token_logprobs\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        if (i < n_null)
            buf_addz(out, "null");
        else
            render_logprob(out, (double)nth_token(c, i)->chosen.logprob);
    }
    buf_addz(out, "],\"tokens\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        add_token_text(out, r, &nth_token(c, i)->chosen);
    }
    buf_addz(out, "],\"top_logprobs\":[");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(out, ',');
        if (i < n_null)
            buf_addz(out, "null");
        else
            add_top_map(out, r, nth_token(c, i));
    }
    buf_addz(out, "]}");
}

static void add_prompt_entry(struct buf *out, const struct top_logprob *t)
{
    struct buf text = {0};

    buf_addf(out, "\"%d\":{\"logprob\":", t->token_id);
    render_logprob(out, (double)t->logprob);
    buf_addz(out, ",\"rank\":");
    add_int(out, t->rank);
    buf_addz(out, ",\"decoded_token\":");
    utf8_repair(&text, t->bytes);
    json_write_str(out, (struct str){buf_z(&text), text.len});
    buf_addc(out, '}');
    buf_clear(&text);
}

/* Null for the first token, then id -> {logprob, rank, decoded_token}, the prompt's own token
 * first. */
void render_prompt_logprobs(struct buf *out, const struct gen_event *ev)
{
    buf_addc(out, ',');
    add_key(out, "prompt_logprobs");
    buf_addc(out, '[');
    for (int i = 0; i < ev->n_prompt_logprobs; i++) {
        const struct token_logprob *t = &ev->prompt_logprobs[i];

        if (i == 0) {
            buf_addz(out, "null");
            continue;
        }
        buf_addz(out, ",{");
        add_prompt_entry(out, &t->chosen);
        for (int k = 0; k < t->n_top; k++) {
            if (t->top[k].token_id == t->chosen.token_id)
                continue;
            buf_addc(out, ',');
            add_prompt_entry(out, &t->top[k]);
        }
        buf_addc(out, '}');
    }
    buf_addc(out, ']');
}

/* --- Choices. --------------------------------------------------------------------------------- */

static void add_finish(struct buf *out, const struct gen_event *ev)
{
    struct str text = ev->finish_reason_text.len > 0 ? ev->finish_reason_text
                                                     : STR(finish_reason_name(ev->finish_reason));

    buf_addz(out, ",\"finish_reason\":");
    json_write_str(out, text);
    buf_addz(out, ",\"stop_reason\":");
    if (ev->stop_text.len > 0)
        json_write_str(out, ev->stop_text);
    else if (ev->stop_token_id >= 0)
        add_int(out, ev->stop_token_id);
    else
        buf_addz(out, "null");
}

static void add_reasoning(struct buf *out, struct str text, bool is_null)
{
    static const char *const keys[] = {"reasoning", "reasoning_content"};

    for (size_t i = 0; i < LEN(keys); i++) {
        buf_addc(out, ',');
        add_key(out, keys[i]);
        if (is_null)
            buf_addz(out, "null");
        else
            json_write_str(out, text);
    }
}

static void add_message(struct buf *out, const struct api_request *r, const struct render_choice *c)
{
    buf_addz(out, "\"message\":{\"role\":\"assistant\",\"content\":");
    if (c->has_reasoning && c->content.len == 0 && c->reasoning.len > 0)
        buf_addz(out, "null"); /* the thoughts never ended */
    else
        json_write_str(out, c->content);
    buf_addz(out, ",\"refusal\":null");
    if (c->has_reasoning && !r->hides_reasoning)
        add_reasoning(out, c->reasoning, c->reasoning.len == 0);
    buf_addc(out, '}');
}

static void add_delta(struct buf *out, const struct api_request *r, const struct render_choice *c)
{
    buf_addz(out, "\"delta\":{");
    if (c->has_role)
        buf_addz(out, "\"role\":\"assistant\",\"content\":\"\"");
    else if (c->content.len > 0) {
        buf_addz(out, "\"content\":");
        json_write_str(out, c->content);
    }
    if (c->reasoning.len > 0 && !r->hides_reasoning) {
        struct buf both = {0};

        add_reasoning(&both, c->reasoning, false);
        buf_add_str(out,
                    str_slice(buf_str(&both), c->has_role || c->content.len > 0 ? 0 : 1, both.len));
        buf_clear(&both);
    }
    buf_addc(out, '}');
}

static void add_logprobs(struct buf *out, const struct render_head *h, const struct api_request *r,
                         const struct render_choice *c)
{
    bool none = !r->has_logprobs || (h->is_chunk && c->n_logprobs + c->n_prompt_logprobs == 0);

    buf_addz(out, ",\"logprobs\":");
    if (none)
        buf_addz(out, "null");
    else if (h->kind == API_CHAT)
        add_chat_logprobs(out, r, c->logprobs, c->n_logprobs);
    else
        add_completion_logprobs(out, r, c);
}

void render_choice(struct buf *out, const struct render_head *h, const struct api_request *r,
                   const struct render_choice *c)
{
    bool is_last = !h->is_chunk || c->has_finish;

    buf_addz(out, "{\"index\":");
    add_int(out, c->index);
    buf_addc(out, ',');
    if (h->kind == API_COMPLETIONS) {
        add_key(out, "text");
        json_write_str(out, c->content);
    } else if (h->is_chunk) {
        add_delta(out, r, c);
    } else {
        add_message(out, r, c);
    }
    add_logprobs(out, h, r, c);
    if (is_last)
        add_finish(out, c->ev);
    else
        buf_addz(out, ",\"finish_reason\":null");
    if (r->has_budget && is_last) {
        buf_addz(out, ",\"thinking_budget_reached\":");
        buf_addz(out, c->ev->n_forced_tokens < 0   ? "null"
                      : c->ev->n_forced_tokens > 0 ? "true"
                                                   : "false");
    }
    if (r->truncates && is_last) {
        buf_addz(out, ",\"truncated_prompt_tokens\":");
        if (c->ev->n_truncated_tokens >= 0)
            add_int(out, c->ev->n_truncated_tokens);
        else
            buf_addz(out, "null");
    }
    if (r->returns_token_ids && c->ev && c->ev->token_ids) {
        buf_addc(out, ',');
        add_ids(out, "token_ids", c->ev->token_ids, r->drops_generated ? 0 : c->ev->n_token_ids);
        if (is_last && h->kind == API_COMPLETIONS && c->ev->prompt_ids) {
            buf_addc(out, ',');
            add_ids(out, "prompt_token_ids", c->ev->prompt_ids, c->ev->n_prompt_ids);
        }
    }
    if (h->kind == API_COMPLETIONS && !h->is_chunk && r->has_prompt_logprobs &&
        c->ev->prompt_logprobs)
        render_prompt_logprobs(out, c->ev);
    buf_addc(out, '}');
}

/* --- Bodies. ---------------------------------------------------------------------------------- */

void render_begin(struct buf *out, const struct render_head *h)
{
    const char *object = h->kind == API_SCORE         ? "score"
                         : h->kind == API_COMPLETIONS ? "text_completion"
                         : h->is_chunk                ? "chat.completion.chunk"
                                                      : "chat.completion";

    buf_addz(out, "{\"id\":");
    json_write_str(out, STR(h->id));
    buf_addz(out, ",\"object\":\"");
    buf_addz(out, object);
    buf_addz(out, "\",\"created\":");
    add_int(out, h->created);
    buf_addz(out, ",\"model\":");
    json_write_str(out, h->model);
    buf_addz(out, h->kind == API_SCORE ? ",\"results\":[" : ",\"choices\":[");
}

void render_usage(struct buf *out, const struct render_usage *u)
{
    buf_addz(out, "\"usage\":{\"prompt_tokens\":");
    add_int(out, u->n_prompt);
    buf_addz(out, ",\"total_tokens\":");
    add_int(out, u->n_prompt + u->n_completion);
    buf_addz(out, ",\"completion_tokens\":");
    add_int(out, u->n_completion);
    buf_addz(out, ",\"prompt_tokens_details\":");
    if (u->n_cached >= 0 && u->n_truncated >= 0)
        buf_addf(out, "{\"cached_tokens\":%" PRId64 ",\"truncated_tokens\":%" PRId64 "}",
                 u->n_cached, u->n_truncated);
    else if (u->n_cached >= 0)
        buf_addf(out, "{\"cached_tokens\":%" PRId64 "}", u->n_cached);
    else if (u->n_truncated >= 0)
        buf_addf(out, "{\"truncated_tokens\":%" PRId64 "}", u->n_truncated);
    else
        buf_addz(out, "null");
    if (u->n_reasoning >= 0)
        buf_addf(out, ",\"completion_tokens_details\":{\"reasoning_tokens\":%" PRId64 "}",
                 u->n_reasoning);
    buf_addc(out, '}');
}

void render_prompt_ids(struct buf *out, const struct gen_event *ev)
{
    buf_addc(out, ',');
    add_ids(out, "prompt_token_ids", ev->prompt_ids, ev->n_prompt_ids);
}

void render_end(struct buf *out, const struct render_head *h, const struct render_usage *u,
                struct str extras)
{
    buf_addc(out, ']');
    if (!h->is_chunk && h->kind != API_SCORE)
        buf_addz(out, ",\"service_tier\":null,\"system_fingerprint\":null");
    buf_add_str(out, extras);
    if (u) {
        buf_addc(out, ',');
        render_usage(out, u);
    }
    buf_addc(out, '}');
}

void render_model(struct buf *out, const struct api_limits *l, int i, int64_t created)
{
    struct str name = STR(l->models[i]);

    buf_addz(out, "{\"id\":");
    json_write_str(out, name);
    buf_addz(out, ",\"object\":\"model\",\"created\":");
    add_int(out, created);
    buf_addz(out, ",\"owned_by\":\"llmeval\",\"root\":");
    json_write_str(out, name);
    buf_addz(out, ",\"parent\":null,\"max_model_len\":");
    if (l->max_model_len > 0)
        add_int(out, l->max_model_len);
    else
        buf_addz(out, "null");
    buf_addz(out, ",\"permission\":[{\"id\":\"modelperm-llmeval\",\"object\":\"model_"
                  "permission\",\"created\":");
    add_int(out, created);
    buf_addz(out, ",\"allow_create_engine\":false,\"allow_sampling\":true,\"allow_logprobs\":true,"
                  "\"allow_search_indices\":false,\"allow_view\":true,\"allow_fine_tuning\":false,"
                  "\"organization\":\"*\",\"group\":null,\"is_blocking\":false}]}");
}

void render_models(struct buf *out, const struct api_limits *l, int64_t created)
{
    buf_addz(out, "{\"object\":\"list\",\"data\":[");
    for (int i = 0; i < l->n_models; i++) {
        if (i > 0)
            buf_addc(out, ',');
        render_model(out, l, i, created);
    }
    buf_addz(out, "]}");
}

void render_score(struct buf *out, int index, const struct gen_event *ev, int64_t n_bytes)
{
    buf_addz(out, "{\"index\":");
    add_int(out, index);
    buf_addz(out, ",\"logprob\":");
    render_logprob(out, ev->score);
    buf_addz(out, ",\"n_tokens\":");
    add_int(out, ev->n_completion_tokens);
    buf_addz(out, ",\"n_bytes\":");
    add_int(out, n_bytes);
    buf_addf(out, ",\"is_greedy\":%s}", ev->is_greedy ? "true" : "false");
}
