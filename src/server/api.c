/* api.c - the fields of each request kind, and what the server makes of them.
 *
 * A field that the kind does not list is accepted and named in `ignored`, as is a listed one that
 * changes nothing. A field that would change the answer in a way that this server cannot is refused
 * with 501, never dropped. */
#include "server/api.h"

#include "server/api_constraint.h"
#include "server/api_logprobs.h"
#include "server/api_messages.h"
#include "server/api_sampling.h"

#define IN_CHAT        (1u << API_CHAT)
#define IN_COMPLETIONS (1u << API_COMPLETIONS)
#define IN_SCORE       (1u << API_SCORE)
#define IN_TOKENIZE    (1u << API_TOKENIZE)
#define IN_DETOKENIZE  (1u << API_DETOKENIZE)
#define IN_GENERATION  (IN_CHAT | IN_COMPLETIONS)

enum field_use {
    FIELD_READ,   /* here or by api_sampling */
    FIELD_IDLE,   /* known, changes nothing: not worth a word */
    FIELD_REFUSE, /* 501 unless it is null, false or empty */
};

static const struct {
    const char *name;
    unsigned kinds;
    enum field_use use;
} fields[] = {
    {"model", ~0u, FIELD_READ},
    {"user", ~0u, FIELD_IDLE},
    {"messages", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"prompt", IN_COMPLETIONS | IN_TOKENIZE, FIELD_READ},
    {"max_tokens", IN_GENERATION, FIELD_READ},
    {"max_completion_tokens", IN_CHAT, FIELD_READ},
    {"n", IN_GENERATION, FIELD_READ},
    {"best_of", IN_COMPLETIONS, FIELD_READ},
    {"stream", IN_GENERATION, FIELD_READ},
    {"stream_options", IN_GENERATION, FIELD_READ},
    {"logprobs", IN_GENERATION, FIELD_READ},
    {"top_logprobs", IN_CHAT, FIELD_READ},
    {"logprob_token_ids", IN_GENERATION, FIELD_READ},
    {"prompt_logprobs", IN_GENERATION, FIELD_READ},
    {"echo", IN_GENERATION, FIELD_READ},
    {"add_special_tokens", ~0u, FIELD_READ},
    {"truncate_prompt_tokens", IN_GENERATION, FIELD_READ},
    {"truncation_side", IN_GENERATION, FIELD_READ},
    {"add_generation_prompt", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"continue_final_message", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"chat_template", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"chat_template_kwargs", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"documents", IN_CHAT, FIELD_READ},
    {"tools", IN_CHAT | IN_TOKENIZE, FIELD_READ},
    {"tool_choice", IN_CHAT, FIELD_READ},
    {"parallel_tool_calls", IN_CHAT, FIELD_IDLE},
    {"reasoning_effort", IN_CHAT, FIELD_READ},
    {"thinking_token_budget", IN_GENERATION, FIELD_READ},
    {"include_reasoning", IN_CHAT, FIELD_READ},
    {"reasoning_format", IN_CHAT, FIELD_READ},
    {"response_format", IN_GENERATION, FIELD_READ},
    {"priority", IN_GENERATION, FIELD_READ},
    {"request_id", IN_GENERATION, FIELD_READ},
    {"return_token_ids", IN_GENERATION, FIELD_READ},
    {"return_tokens_as_token_ids", IN_GENERATION, FIELD_READ},
    {"return_token_strs", IN_TOKENIZE, FIELD_READ},
    {"tokens", IN_DETOKENIZE, FIELD_READ},
    {"context", IN_SCORE, FIELD_READ},
    {"continuations", IN_SCORE, FIELD_READ},
    {"suffix", IN_COMPLETIONS, FIELD_REFUSE},
    {"structured_outputs", IN_GENERATION, FIELD_READ},
    {"guided_json", IN_GENERATION, FIELD_READ},
    {"guided_regex", IN_GENERATION, FIELD_READ},
    {"guided_choice", IN_GENERATION, FIELD_READ},
    {"guided_grammar", IN_GENERATION, FIELD_READ},
    {"guided_json_object", IN_GENERATION, FIELD_READ},
    {"guided_decoding_backend", IN_GENERATION, FIELD_IDLE},
    {"guided_whitespace_pattern", IN_GENERATION, FIELD_REFUSE},
    {"repetition_detection", IN_GENERATION, FIELD_REFUSE},
    {"use_beam_search", IN_GENERATION, FIELD_REFUSE},
};

/* --- Errors. ---------------------------------------------------------------------------------- */

bool api_fail(struct api_error *err, int status, const char *type, const char *param,
              const char *fmt, ...)
{
    va_list args;

    if (err->status != 0)
        return false;
    err->status = status;
    err->type = type;
    snprintf(err->param, sizeof(err->param), "%s", param ? param : "");
    va_start(args, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    return false;
}

void api_error_write(struct buf *out, const struct api_error *err)
{
    if (err->status == 401) { /* a bare string, as vLLM answers */
        buf_addz(out, "{\"error\":\"Unauthorized\"}");
        return;
    }
    buf_addz(out, "{\"error\":{\"message\":");
    json_write_str(out, STR(err->message));
    buf_addz(out, ",\"type\":");
    json_write_str(out, STR(err->type));
    buf_addz(out, ",\"param\":");
    if (err->param[0])
        json_write_str(out, STR(err->param));
    else
        buf_addz(out, "null");
    buf_addf(out, ",\"code\":%d}}", err->status);
}

/* --- Fields that all kinds share. ------------------------------------------------------------- */

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

/* Null, false, "", [] and {} ask for nothing. */
static bool asks_nothing(const struct json *v)
{
    enum json_type t = json_type(v);

    return is_absent(v) || (t == JSON_BOOL && !json_bool(v, true)) ||
           (t == JSON_STRING && json_str(v).len == 0) ||
           ((t == JSON_ARRAY || t == JSON_OBJECT) && json_len(v) == 0);
}

static bool check_fields(struct api_request *r, struct api_error *err)
{
    struct buf ignored = {0};

    for (struct json_iter it = json_iter(r->body); json_next(&it);) {
        bool known = (1u << r->kind & IN_GENERATION) && api_sampling_knows(it.key);

        for (size_t i = 0; i < LEN(fields) && !known; i++) {
            if (!(fields[i].kinds & 1u << r->kind) || !str_eqz(it.key, fields[i].name))
                continue;
            known = true;
            if (fields[i].use == FIELD_REFUSE && !asks_nothing(it.value)) {
                buf_clear(&ignored);
                return api_fail(err, 501, "NotImplementedError", fields[i].name,
                                "`%s` is not supported by this server", fields[i].name);
            }
        }
        if (known)
            continue;
        if (ignored.len > 0)
            buf_addc(&ignored, ',');
        /* The names go into a response header: printable ASCII only. */
        for (size_t i = 0; i < it.key.len && i < 64; i++)
            buf_addc(&ignored, it.key.ptr[i] > ' ' && it.key.ptr[i] < 127 && it.key.ptr[i] != ','
                                   ? it.key.ptr[i]
                                   : '?');
    }
    r->ignored = str_dup(&r->arena, str_slice(buf_str(&ignored), 0, 1024));
    buf_clear(&ignored);
    return true;
}

static bool check_model(struct api_request *r, const struct api_limits *l, struct api_error *err)
{
    const struct json *model = json_get(r->body, "model");

    r->model = l->n_models > 0 ? STR(l->models[0]) : STR("");
    if (is_absent(model))
        return true;
    if (json_type(model) != JSON_STRING)
        return api_fail(err, 400, BAD_SCHEMA, "model", "`model` must be a string, found %s",
                        json_type_name(json_type(model)));
    for (int i = 0; i < l->n_models; i++)
        if (str_eqz(json_str(model), l->models[i])) {
            r->model = STR(l->models[i]);
            return true;
        }
    return api_fail(err, 404, "NotFoundError", "model", "The model `" STR_FMT "` does not exist.",
                    STR_ARG(str_slice(json_str(model), 0, 200)));
}

static bool take_stream(struct api_request *r, struct api_error *err)
{
    const struct json *options = json_get(r->body, "stream_options");

    if (!api_take_bool(r->body, "stream", &r->stream, err))
        return false;
    if (is_absent(options))
        return true;
    if (json_type(options) != JSON_OBJECT)
        return api_fail(err, 400, BAD_SCHEMA, "stream_options",
                        "`stream_options` must be an object");
    if (!r->stream)
        return api_fail(err, 400, BAD_REQUEST, "stream_options",
                        "Stream options can only be defined when `stream=True`.");
    return api_take_bool(options, "include_usage", &r->include_usage, err) &&
           api_take_bool(options, "continuous_usage_stats", &r->continuous_usage, err);
}

static bool take_max_tokens(struct api_request *r, const struct api_limits *l, struct sampling *s,
                            struct api_error *err)
{
    bool is_chat = r->kind == API_CHAT;
    const char *key = is_chat && !is_absent(json_get(r->body, "max_completion_tokens"))
                          ? "max_completion_tokens"
                          : "max_tokens";
    int64_t n = is_chat ? l->default_max_tokens : 16;
    bool is_given = !is_absent(json_get(r->body, key));

    if (!api_take_int(r->body, key, INT32_MIN, INT32_MAX, &n, err))
        return false;
    r->drops_generated = is_given && n == 0 && !is_chat && r->echo;
    if (is_given && n < 1 && !r->drops_generated)
        return api_fail(err, 400, BAD_REQUEST, key, "%s must be at least 1, got %lld.", key,
                        (long long)n);
    s->max_tokens = r->drops_generated ? 1 : (int)n;
    if (s->min_tokens > s->max_tokens && s->max_tokens > 0)
        return api_fail(err, 400, BAD_REQUEST, "min_tokens",
                        "min_tokens must be less than or equal to max_tokens=%d, got %d.",
                        s->max_tokens, s->min_tokens);
    return true;
}

static bool take_thinking_budget(struct api_request *r, struct sampling *s, struct api_error *err)
{
    static const char key[] = "thinking_token_budget";
    int64_t n = -1;

    if (!api_take_int(r->body, key, INT32_MIN, INT32_MAX, &n, err))
        return false;
    if (n < -1)
        return api_fail(err, 400, BAD_REQUEST, key,
                        "`%s` must be a non-negative integer or -1 for unlimited.", key);
    r->has_budget = s->has_thinking_budget = n >= 0;
    s->thinking_budget = (int)MAX(n, 0);
    return true;
}

/* How much of the prompt is kept, when the client asks for less than all of it. */
static bool take_truncation(struct api_request *r, const struct api_limits *l,
                            struct gen_request *req, struct api_error *err)
{
    static const char key[] = "truncate_prompt_tokens";
    const struct json *side = json_get(r->body, "truncation_side");
    int most = l->max_model_len - MAX(req->sampling.max_tokens, 0);
    int64_t n = 0;

    if (!is_absent(side) && !str_eqz(json_str(side), "left") && !str_eqz(json_str(side), "right"))
        return api_fail(err, 400, BAD_SCHEMA, "truncation_side",
                        "`truncation_side` must be \"left\" or \"right\"");
    req->truncation_side = str_eqz(json_str(side), "right") ? TRUNCATE_RIGHT : TRUNCATE_LEFT;
    if (is_absent(json_get(r->body, key)))
        return true;
    if (!api_take_int(r->body, key, -1, INT32_MAX, &n, err))
        return false;
    if (n == 0)
        return api_fail(err, 400, BAD_REQUEST, key, "%s must be at least 1, or -1, got 0.", key);
    if (l->max_model_len > 0 && n > most)
        return api_fail(err, 400, BAD_REQUEST, key,
                        "%s=%lld cannot be greater than max_model_len - max_tokens = %d. Please "
                        "request a smaller truncation size.",
                        key, (long long)n, most);
    if (r->echo && r->kind == API_COMPLETIONS && !l->text)
        return api_fail(err, 501, "NotImplementedError", key,
                        "`echo` of a truncated prompt needs the model's tokenizer, and a proxy has "
                        "none");
    req->truncate_prompt_tokens = (int)n;
    r->truncates = true;
    return true;
}

static bool take_common(struct api_request *r, const struct api_limits *l, struct sampling *s,
                        int64_t *priority, struct api_error *err)
{
    int64_t n = 1, best_of = 1;

    if (!take_stream(r, err) || !api_take_bool(r->body, "echo", &r->echo, err) ||
        !api_sampling_parse(r->body, l, &r->arena, s, err) || !take_max_tokens(r, l, s, err) ||
        !api_logprobs_parse(r, l, s, err) || !take_thinking_budget(r, s, err) ||
        !api_take_int(r->body, "n", 1, l->max_n, &n, err) ||
        !api_take_int(r->body, "best_of", 1, l->max_n, &best_of, err) ||
        !api_take_int(r->body, "priority", INT32_MIN, INT32_MAX, priority, err) ||
        !api_take_bool(r->body, "return_token_ids", &r->returns_token_ids, err) ||
        !api_take_bool(r->body, "return_tokens_as_token_ids", &r->tokens_as_ids, err))
        return false;
    if (best_of > n)
        return api_fail(err, 501, "NotImplementedError", "best_of",
                        "`best_of` above `n` is not supported by this server");
    r->n = (int)n;
    r->request_id = str_slice(json_str(json_get(r->body, "request_id")), 0, 128);
    return true;
}

/* --- Chat. ------------------------------------------------------------------------------------ */

static bool take_tools(struct api_request *r, struct gen_request *req, struct api_error *err)
{
    const struct json *tools = json_get(r->body, "tools"),
                      *choice = json_get(r->body, "tool_choice");

    if (!is_absent(tools)) {
        if (json_type(tools) != JSON_ARRAY)
            return api_fail(err, 400, BAD_SCHEMA, "tools", "`tools` must be a list");
        if (json_len(tools) == 0)
            return api_fail(err, 400, BAD_REQUEST, "tools",
                            "`tools` must not be an empty array. Either provide at "
                            "least one tool or omit the field entirely.");
        req->tools = str_eqz(json_str(choice), "none") ? NULL : tools;
    }
    if (is_absent(choice) || str_eqz(json_str(choice), "none"))
        return true;
    if (is_absent(tools))
        return api_fail(err, 400, BAD_REQUEST, "tool_choice",
                        "When using `tool_choice`, `tools` must be set.");
    if (!str_eqz(json_str(choice), "auto"))
        return api_fail(err, 501, "NotImplementedError", "tool_choice",
                        "`tool_choice` other than none and auto is not supported");
    return true;
}

/* reasoning_effort reaches the template, and switches thinking off or on unless the request does.
 */
static bool take_template(struct api_request *r, struct gen_request *req, struct api_error *err)
{
    const struct json *given = json_get(r->body, "chat_template_kwargs"),
                      *effort = json_get(r->body, "reasoning_effort");
    const struct json *template = json_get(r->body, "chat_template");
    struct json *kwargs;

    if (!is_absent(given) && json_type(given) != JSON_OBJECT)
        return api_fail(err, 400, BAD_SCHEMA, "chat_template_kwargs",
                        "`chat_template_kwargs` must be an object");
    if (!is_absent(template) && json_type(template) != JSON_STRING)
        return api_fail(err, 400, BAD_SCHEMA, "chat_template", "`chat_template` must be a string");
    if (!is_absent(effort) && json_type(effort) != JSON_STRING)
        return api_fail(err, 400, BAD_SCHEMA, "reasoning_effort",
                        "`reasoning_effort` must be a string");
    req->chat_template = json_str(template);
    if (is_absent(effort)) {
        req->template_kwargs = is_absent(given) ? NULL : given;
        return true;
    }
    kwargs = is_absent(given) ? json_new_object() : json_clone(given);
    if (!json_get(kwargs, "reasoning_effort"))
        json_set(kwargs, "reasoning_effort", json_clone(effort));
    if (!json_get(kwargs, "enable_thinking"))
        json_set(kwargs, "enable_thinking", json_new_bool(!str_eqz(json_str(effort), "none")));
    json_set(r->body, "chat_template_kwargs", kwargs); /* the body owns it from here on */
    req->template_kwargs = kwargs;
    return true;
}

static bool take_conversation(struct api_request *r, const struct api_limits *l,
                              struct gen_request *req, struct api_error *err)
{
    const struct json *documents = json_get(r->body, "documents");
    bool adds_prompt = true;

    req->kind = GEN_CHAT;
    if (!api_messages_parse(r->body, l, &r->arena, req, err) || !take_tools(r, req, err) ||
        !take_template(r, req, err) ||
        !api_take_bool(r->body, "continue_final_message", &req->continue_final_message, err) ||
        !api_take_bool(r->body, "add_generation_prompt", &adds_prompt, err) ||
        !api_take_bool(r->body, "add_special_tokens", &req->add_special_tokens, err))
        return false;
    if (req->continue_final_message && adds_prompt &&
        !is_absent(json_get(r->body, "add_generation_prompt")))
        return api_fail(
            err, 400, BAD_REQUEST, "continue_final_message",
            "Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
    if (!is_absent(documents) && json_type(documents) != JSON_ARRAY)
        return api_fail(err, 400, BAD_SCHEMA, "documents", "`documents` must be a list");
    req->documents = is_absent(documents) ? NULL : documents;
    req->no_generation_prompt = !adds_prompt || req->continue_final_message;
    return true;
}

static bool take_reasoning(struct api_request *r, struct api_error *err)
{
    const struct json *format = json_get(r->body, "reasoning_format");
    bool includes = true;

    if (!api_take_bool(r->body, "include_reasoning", &includes, err))
        return false;
    r->hides_reasoning = !includes;
    if (is_absent(format) || str_eqz(json_str(format), "auto"))
        return true;
    r->is_raw = str_eqz(json_str(format), "none");
    return r->is_raw || api_fail(err, 400, BAD_REQUEST, "reasoning_format",
                                 "`reasoning_format` must be \"none\" or \"auto\"");
}

/* --- What becomes of it: one gen_request for each choice. ------------------------------------- */

/* Choices of one prompt get the seeds seed, seed + 1, ..., so that n choices equal n requests. */
static bool spread(struct api_request *r, const struct gen_request *prompts, struct api_error *err)
{
    r->n_reqs = r->n_prompts * r->n;
    r->reqs = arena_array(&r->arena, (size_t)MAX(r->n_reqs, 1), sizeof(*r->reqs));
    for (int p = 0; p < r->n_prompts; p++)
        for (int i = 0; i < r->n; i++) {
            struct gen_request *q = &r->reqs[p * r->n + i];

            *q = prompts[p];
            q->sampling.seed += (uint64_t)i;
            if (i > 0) /* the same for every choice: the first reports them */
                q->sampling.n_prompt_logprobs = r->echo ? q->sampling.n_prompt_logprobs : -1;
        }
    return true;
}

static bool parse_chat(struct api_request *r, const struct api_limits *l, struct api_error *err)
{
    struct gen_request req = {.overlong = OVERLONG_REJECT};
    int64_t priority = 0;

    if (!take_common(r, l, &req.sampling, &priority, err) || !take_truncation(r, l, &req, err) ||
        !take_conversation(r, l, &req, err) ||
        !api_constraint_parse(r->body, l, &req.constraint, err) || !take_reasoning(r, err))
        return false;
    req.constraint.lead = l->lead;
    if (r->echo &&
        req.n_msgs > 0) { /* the last message's text, if an answer could have begun with it */
        const struct chat_msg *last = &req.msgs[req.n_msgs - 1];

        r->echo_text =
            str_eqz(last->role, "assistant") && last->n_parts > 0 ? last->parts[0].data : STR("");
    }
    req.stream = r->stream;
    req.priority = (int)priority;
    r->n_prompts = 1;
    return spread(r, &req, err);
}

/* One prompt or continuation: text, or token ids. */
static bool take_text_or_ids(const struct json *v, const char *key, struct api_request *r,
                             struct str *text, const int32_t **ids, int *n_ids,
                             struct api_error *err)
{
    if (json_type(v) == JSON_STRING) {
        *text = json_str(v);
        return true;
    }
    if (json_type(v) != JSON_ARRAY)
        return api_fail(err, 400, BAD_SCHEMA, key, "`%s` must be text or token ids, found %s", key,
                        is_absent(v) ? "nothing" : json_type_name(json_type(v)));
    if (json_len(v) == 0)
        return api_fail(err, 400, BAD_REQUEST, key, "`%s` holds an empty list of token ids", key);
    return api_take_ids(v, key, &r->arena, ids, n_ids, err);
}

static bool parse_completions(struct api_request *r, const struct api_limits *l,
                              struct api_error *err)
{
    struct gen_request common = {.kind = GEN_COMPLETE,
                                 .overlong = OVERLONG_REJECT,
                                 .add_special_tokens = true},
                       *reqs;
    const struct json *prompt = json_get(r->body, "prompt"), *first = json_at(prompt, 0);
    bool is_list = json_type(prompt) == JSON_ARRAY &&
                   (json_type(first) == JSON_STRING || json_type(first) == JSON_ARRAY);
    size_t n = is_list ? json_len(prompt) : 1;
    int64_t priority = 0;

    if (!take_common(r, l, &common.sampling, &priority, err) ||
        !take_truncation(r, l, &common, err) ||
        !api_constraint_parse(r->body, l, &common.constraint, err) ||
        !api_take_bool(r->body, "add_special_tokens", &common.add_special_tokens, err))
        return false;
    if (n > (size_t)l->max_prompts)
        return api_fail(err, 400, BAD_REQUEST, "prompt",
                        "%zu prompts in one request, %d are allowed", n, l->max_prompts);
    common.stream = r->stream;
    common.priority = (int)priority;
    reqs = arena_array(&r->arena, n, sizeof(*reqs));
    for (size_t i = 0; i < n; i++) {
        reqs[i] = common;
        if (!take_text_or_ids(is_list ? json_at(prompt, i) : prompt, "prompt", r, &reqs[i].prompt,
                              &reqs[i].prompt_ids, &reqs[i].n_prompt_ids, err))
            return false;
        if (!reqs[i].prompt_ids && reqs[i].prompt.len == 0 && !reqs[i].add_special_tokens)
            return api_fail(err, 400, BAD_REQUEST, "prompt",
                            "The prompt is empty: it has no tokens");
    }
    r->n_prompts = (int)n;
    return spread(r, reqs, err);
}

static bool parse_score(struct api_request *r, const struct api_limits *l, struct api_error *err)
{
    const struct json *list = json_get(r->body, "continuations");
    struct gen_request common = {.kind = GEN_SCORE,
                                 .overlong = OVERLONG_REJECT,
                                 .add_special_tokens = true},
                       *reqs;
    size_t n = json_len(list);

    if (!l->can_score)
        return api_fail(err, 501, "NotImplementedError", NULL,
                        "the model behind this server cannot score continuations");
    if (json_type(list) != JSON_ARRAY)
        return api_fail(err, 400, BAD_SCHEMA, "continuations",
                        "`continuations` must be a list of texts or of lists of token ids");
    if (n == 0 || n > (size_t)l->max_prompts)
        return api_fail(err, 400, BAD_REQUEST, "continuations",
                        "`continuations` must hold 1 to %d entries, got %zu", l->max_prompts, n);
    common.sampling = l->defaults;
    if (!api_take_bool(r->body, "add_special_tokens", &common.add_special_tokens, err) ||
        !take_text_or_ids(json_get(r->body, "context"), "context", r, &common.prompt,
                          &common.prompt_ids, &common.n_prompt_ids, err))
        return false;
    reqs = arena_array(&r->arena, n, sizeof(*reqs));
    for (size_t i = 0; i < n; i++) {
        reqs[i] = common;
        if (!take_text_or_ids(json_at(list, i), "continuations", r, &reqs[i].continuation,
                              &reqs[i].continuation_ids, &reqs[i].n_continuation_ids, err))
            return false;
        if (!reqs[i].continuation_ids && reqs[i].continuation.len == 0)
            return api_fail(err, 400, BAD_REQUEST, "continuations", "continuation %zu is empty", i);
    }
    r->n_prompts = (int)n;
    r->n = 1;
    return spread(r, reqs, err);
}

static bool parse_tokenize(struct api_request *r, const struct api_limits *l, struct api_error *err)
{
    struct gen_request req = {.kind = GEN_COMPLETE, .add_special_tokens = true};

    if (!api_take_bool(r->body, "return_token_strs", &r->returns_token_strs, err))
        return false;
    if (!is_absent(json_get(r->body, "messages"))) {
        req.add_special_tokens = false;
        if (!take_conversation(r, l, &req, err))
            return false;
    } else {
        if (json_type(json_get(r->body, "prompt")) != JSON_STRING)
            return api_fail(err, 400, BAD_SCHEMA, "prompt",
                            "give `prompt`, a string, or `messages`");
        if (!api_take_bool(r->body, "add_special_tokens", &req.add_special_tokens, err))
            return false;
        req.prompt = json_str(json_get(r->body, "prompt"));
    }
    r->n_prompts = r->n = 1;
    return spread(r, &req, err);
}

static bool parse_detokenize(struct api_request *r, const struct api_limits *l,
                             struct api_error *err)
{
    struct gen_request req = {.kind = GEN_COMPLETE};

    if (is_absent(json_get(r->body, "tokens")))
        return api_fail(err, 400, BAD_SCHEMA, "tokens",
                        "`tokens` must be a list of integers, found nothing");
    if (!api_take_ids(json_get(r->body, "tokens"), "tokens", &r->arena, &req.prompt_ids,
                      &req.n_prompt_ids, err))
        return false;
    r->n_prompts = r->n = 1;
    return spread(r, &req, err);
}

static bool parse_kind(struct api_request *r, const struct api_limits *l, struct api_error *err)
{
    switch (r->kind) {
    case API_CHAT:
        return parse_chat(r, l, err);
    case API_COMPLETIONS:
        return parse_completions(r, l, err);
    case API_SCORE:
        return parse_score(r, l, err);
    case API_TOKENIZE:
        return parse_tokenize(r, l, err);
    case API_DETOKENIZE:
        return parse_detokenize(r, l, err);
    }
    return false;
}

bool api_request_parse(struct str body, enum api_kind kind, const struct api_limits *limits,
                       struct api_request *out, struct api_error *err)
{
    struct err e = ERR_INIT;

    *out = (struct api_request){.kind = kind};
    *err = (struct api_error){0};
    arena_init(&out->arena, 0);
    out->body = json_parse(body, &e);
    if (!out->body)
        return api_fail(err, 400, BAD_SCHEMA, NULL, "The body is not JSON: %s", e.msg);
    if (json_type(out->body) != JSON_OBJECT)
        return api_fail(err, 400, BAD_SCHEMA, NULL, "The body must be a JSON object, found %s",
                        json_type_name(json_type(out->body)));
    return check_model(out, limits, err) && check_fields(out, err) && parse_kind(out, limits, err);
}

void api_request_clear(struct api_request *r)
{
    json_close(r->body);
    arena_clear(&r->arena);
    *r = (struct api_request){0};
}
