/* api_logprobs.c - logprobs, top_logprobs, logprob_token_ids, prompt_logprobs. */
#include "server/api_logprobs.h"

#include "server/api_sampling.h"

enum { MAX_TOKEN_IDS = 128 /* of logprob_token_ids, as in vLLM */ };

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

static bool over_cap(const char *key, int64_t n, int cap, struct api_error *err)
{
    if (n >= 0 && n <= cap)
        return false;
    api_fail(err, 400, BAD_REQUEST, key,
             "Requested %s of %lld, which is not between 0 and the maximum allowed: %d", key,
             (long long)n, cap);
    return true;
}

static bool take_prompt_logprobs(struct api_request *r, const struct api_limits *l,
                                 struct sampling *s, struct api_error *err)
{
    int64_t n = 0;

    if (is_absent(json_get(r->body, "prompt_logprobs")))
        return true;
    if (!api_take_int(r->body, "prompt_logprobs", INT32_MIN, INT32_MAX, &n, err))
        return false;
    if (r->stream)
        return api_fail(err, 400, BAD_REQUEST, "prompt_logprobs",
                        "`prompt_logprobs` are not available when `stream=True`.");
    if (over_cap("prompt_logprobs", n, l->max_logprobs, err))
        return false;
    r->has_prompt_logprobs = true;
    s->n_prompt_logprobs = MAX(s->n_prompt_logprobs, (int)n);
    return true;
}

/* These ids take the place of the likeliest: what top_logprobs asked for is not reported. */
static bool take_token_ids(struct api_request *r, struct sampling *s, struct api_error *err)
{
    static const char key[] = "logprob_token_ids";
    const struct json *list = json_get(r->body, key);
    const int32_t *given;
    int32_t *ids;
    int n_given;

    if (!api_take_ids(list, key, &r->arena, &given, &n_given, err))
        return false;
    if (json_type(list) != JSON_ARRAY)
        return true;
    if (n_given == 0)
        return api_fail(err, 400, BAD_REQUEST, key, "`%s` must not be an empty list.", key);
    if (!r->has_logprobs)
        return api_fail(err, 400, BAD_REQUEST, key, "when using `%s`, `logprobs` must be set%s.",
                        key, r->kind == API_CHAT ? " to true" : "");
    if (n_given > MAX_TOKEN_IDS)
        return api_fail(err, 400, BAD_REQUEST, key, "`%s` holds %d ids, %d are allowed", key,
                        n_given, MAX_TOKEN_IDS);
    ids = arena_array(&r->arena, (size_t)n_given, sizeof(*ids));
    s->logprob_token_ids = ids;
    for (int i = 0, k; i < n_given; i++) {
        for (k = 0; k < s->n_logprob_token_ids && ids[k] != given[i]; k++)
            ;
        if (k == s->n_logprob_token_ids) /* each once, where it is named first */
            ids[s->n_logprob_token_ids++] = given[i];
    }
    r->n_top_logprobs = s->n_logprob_token_ids;
    return true;
}

/* Chat: logprobs is a flag and top_logprobs a number. Completions: logprobs is the number. */
static bool take_logprobs(struct api_request *r, const struct api_limits *l, struct sampling *s,
                          struct api_error *err)
{
    const struct json *v = json_get(r->body, "logprobs");
    int64_t n = 0;

    if (r->kind == API_CHAT) {
        if (!api_take_bool(r->body, "logprobs", &r->has_logprobs, err) ||
            !api_take_int(r->body, "top_logprobs", INT32_MIN, INT32_MAX, &n, err))
            return false;
        if (n != 0 && !r->has_logprobs)
            return api_fail(err, 400, BAD_REQUEST, "top_logprobs",
                            "when using `top_logprobs`, `logprobs` must be set to true.");
        if (over_cap("top_logprobs", n, l->max_logprobs, err))
            return false;
    } else if (!is_absent(v) && !(json_type(v) == JSON_BOOL && !json_bool(v, true))) {
        if (!api_take_int(r->body, "logprobs", INT32_MIN, INT32_MAX, &n, err) ||
            over_cap("logprobs", n, l->max_logprobs, err))
            return false;
        r->has_logprobs = true;
    }
    r->n_top_logprobs = (int)n;
    s->n_logprobs = r->has_logprobs ? (int)n : -1;
    if (r->kind == API_COMPLETIONS && r->echo && r->has_logprobs)
        s->n_prompt_logprobs = (int)n;
    return true;
}

bool api_logprobs_parse(struct api_request *r, const struct api_limits *l, struct sampling *s,
                        struct api_error *err)
{
    return take_logprobs(r, l, s, err) && take_token_ids(r, s, err) &&
           take_prompt_logprobs(r, l, s, err);
}
