/* routes.c - one row for each path; the tokenizer's three routes. */
#include "server/routes.h"

static const struct route routes[] = {
    {"POST", "/v1/chat/completions", ROUTE_CHAT, false, false},
    {"POST", "/v1/completions", ROUTE_COMPLETIONS, false, false},
    {"POST", "/v1/score", ROUTE_SCORE, false, false},
    {"GET", "/v1/models", ROUTE_MODELS, false, false},
    {"GET", "/v1/models/*", ROUTE_MODEL, false, false},
    {"GET", "/health", ROUTE_HEALTH, true, false},
    {"GET", "/ping", ROUTE_HEALTH, true, false},
    {"GET", "/version", ROUTE_VERSION, true, true},
    {"GET", "/metrics", ROUTE_METRICS, true, true},
    {"POST", "/tokenize", ROUTE_TOKENIZE, false, false},
    {"POST", "/detokenize", ROUTE_DETOKENIZE, false, false},
    {"GET", "/tokenizer_info", ROUTE_TOKENIZER_INFO, false, false},
};

const struct route *route_find(struct str path)
{
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    for (size_t i = 0; i < LEN(routes); i++) {
        size_t fixed = strlen(routes[i].path) - 1;

        if (str_eqz(path, routes[i].path))
            return &routes[i];
        if (routes[i].path[fixed] == '*' && path.len > fixed &&
            memcmp(path.ptr, routes[i].path, fixed) == 0)
            return &routes[i];
    }
    return NULL;
}

struct str route_rest(const struct route *r, struct str path)
{
    return str_slice(path, strlen(r->path) - 1, path.len);
}

bool route_takes(const struct route *r, const char *method)
{
    return strcmp(r->method, method) == 0 ||
           (strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static bool is_in_range(const struct api_limits *l, const int32_t *ids, int n, struct arena *a,
                        struct str *text, struct api_error *err)
{
    struct err e = ERR_INIT;

    return l->text->text->decode(l->text, ids, n, false, a, text, &e) ||
           api_fail(err, 400, BAD_REQUEST, "tokens", "%s", e.msg);
}

static bool tokenize(struct api_request *r, const struct api_limits *l, struct buf *out,
                     struct api_error *err)
{
    const struct gen_request *q = &r->reqs[0];
    struct arena *a = &r->arena;
    struct err e = ERR_INIT;
    struct str rendered;
    int32_t *ids = NULL;
    int n = 0;
    bool ok =
        q->kind == GEN_CHAT
            ? l->text->text->encode_chat(l->text, q, a, &ids, &n, &rendered, &e)
            : l->text->text->encode(l->text, q->prompt, q->add_special_tokens, a, &ids, &n, &e);

    if (!ok)
        return api_fail(err, 400, BAD_REQUEST, NULL, "%s", e.msg);
    buf_addf(out, "{\"count\":%d,\"max_model_len\":%d,\"tokens\":[", n, l->max_model_len);
    for (int i = 0; i < n; i++)
        buf_addf(out, i > 0 ? ",%d" : "%d", ids[i]);
    buf_addz(out, "],\"token_strs\":");
    if (!r->returns_token_strs) {
        buf_addz(out, "null}");
        return true;
    }
    for (int i = 0; i < n; i++) {
        struct str piece = STR("");

        if (!is_in_range(l, &ids[i], 1, a, &piece, err))
            return false;
        buf_addc(out, i > 0 ? ',' : '[');
        json_write_str(out, piece);
    }
    buf_addz(out, n > 0 ? "]}" : "[]}");
    return true;
}

static bool detokenize(struct api_request *r, const struct api_limits *l, struct buf *out,
                       struct api_error *err)
{
    struct str text = STR("");

    if (!is_in_range(l, r->reqs[0].prompt_ids, r->reqs[0].n_prompt_ids, &r->arena, &text, err))
        return false;
    buf_addz(out, "{\"prompt\":");
    json_write_str(out, text);
    buf_addc(out, '}');
    return true;
}

bool route_text(enum route_id id, struct str body, const struct api_limits *limits, struct buf *out,
                struct api_error *err)
{
    struct api_request r = {0};
    bool ok;

    if (!limits->text)
        return api_fail(err, 501, "NotImplementedError", NULL,
                        "the generator behind this server has no tokenizer to offer");
    if (id == ROUTE_TOKENIZER_INFO) {
        const struct json *info = limits->text->text->tokenizer_info(limits->text);

        if (!info)
            return api_fail(err, 501, "NotImplementedError", NULL,
                            "the tokenizer has no configuration");
        json_write(out, info);
        return true;
    }
    ok = api_request_parse(body, id == ROUTE_TOKENIZE ? API_TOKENIZE : API_DETOKENIZE, limits, &r,
                           err) &&
         (id == ROUTE_TOKENIZE ? tokenize(&r, limits, out, err) : detokenize(&r, limits, out, err));
    api_request_clear(&r);
    return ok;
}
