/* api_sampling.c - one row for each number, with its range; lists and maps by hand. */
#include "server/api_sampling.h"

#include <inttypes.h>
#include <math.h>

#include "base/num.h"

/* An open end is written as the smallest number beyond it. */
#define MAX_NUMBER 1e9

static const struct {
    const char *name;
    size_t offset;
    bool is_int;
    double lo, hi;
    bool lo_open;
    const char *range;
} numbers[] = {
    {"temperature", offsetof(struct sampling, temperature), false, 0, MAX_NUMBER, false,
     "non-negative"},
    {"top_p", offsetof(struct sampling, top_p), false, 0, 1, true, "in (0, 1]"},
    {"min_p", offsetof(struct sampling, min_p), false, 0, 1, false, "in [0, 1]"},
    {"repetition_penalty", offsetof(struct sampling, repetition_penalty), false, 0, MAX_NUMBER,
     true, "greater than zero"},
    {"presence_penalty", offsetof(struct sampling, presence_penalty), false, -2, 2, false,
     "in [-2, 2]"},
    {"frequency_penalty", offsetof(struct sampling, frequency_penalty), false, -2, 2, false,
     "in [-2, 2]"},
    {"top_k", offsetof(struct sampling, top_k), true, -1, INT32_MAX, false,
     "-1 (off), 0 (off) or at least 1"},
    {"min_tokens", offsetof(struct sampling, min_tokens), true, 0, INT32_MAX, false, "at least 0"},
};

static const struct {
    const char *name;
    size_t offset;
    bool negates;
} flags[] = {
    {"include_stop_str_in_output", offsetof(struct sampling, include_stop_str), false},
    {"ignore_eos", offsetof(struct sampling, ignore_eos), false},
    {"skip_special_tokens", offsetof(struct sampling, keep_special_tokens), true},
};

static const char *const others[] = {"seed",       "stop",      "stop_token_ids",
                                     "logit_bias", "bad_words", "allowed_token_ids"};

bool api_sampling_knows(struct str name)
{
    for (size_t i = 0; i < LEN(numbers); i++)
        if (str_eqz(name, numbers[i].name))
            return true;
    for (size_t i = 0; i < LEN(flags); i++)
        if (str_eqz(name, flags[i].name))
            return true;
    for (size_t i = 0; i < LEN(others); i++)
        if (str_eqz(name, others[i]))
            return true;
    return false;
}

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

static bool wrong_type(struct api_error *err, const char *key, const char *wanted,
                       const struct json *v)
{
    return api_fail(err, 400, BAD_SCHEMA, key, "`%s` must be %s, found %s", key, wanted,
                    json_type_name(json_type(v)));
}

/* An integer, or a real without fraction as some clients write it. */
static bool is_integer(const struct json *v)
{
    double x = json_num(v, 0);

    if (json_type(v) == JSON_REAL)
        return floor(x) == x && fabs(x) < 0x1p62;
    return json_type(v) == JSON_INT;
}

bool api_take_bool(const struct json *body, const char *key, bool *out, struct api_error *err)
{
    const struct json *v = json_get(body, key);

    if (is_absent(v))
        return true;
    if (json_type(v) != JSON_BOOL)
        return wrong_type(err, key, "true or false", v);
    *out = json_bool(v, false);
    return true;
}

bool api_take_int(const struct json *body, const char *key, int64_t lo, int64_t hi, int64_t *out,
                  struct api_error *err)
{
    const struct json *v = json_get(body, key);

    if (is_absent(v))
        return true;
    if (!is_integer(v))
        return wrong_type(err, key, "an integer", v);
    *out = json_int(v, 0);
    if (*out < lo || *out > hi)
        return api_fail(err, 400, BAD_REQUEST, key,
                        "`%s` must be from %" PRId64 " to %" PRId64 ", got %" PRId64, key, lo, hi,
                        *out);
    return true;
}

bool api_take_strs(const struct json *body, const char *key, struct arena *a,
                   const struct str **out, int *n, struct api_error *err)
{
    const struct json *v = json_get(body, key);
    struct str *list;
    size_t len = json_type(v) == JSON_STRING ? 1 : json_len(v);

    *n = 0;
    if (is_absent(v))
        return true;
    if (json_type(v) != JSON_STRING && json_type(v) != JSON_ARRAY)
        return wrong_type(err, key, "a string or a list of strings", v);
    if (len > 4096)
        return api_fail(err, 400, BAD_REQUEST, key, "`%s` has %zu entries, 4096 are allowed", key,
                        len);
    list = arena_array(a, MAX(len, 1), sizeof(*list));
    for (size_t i = 0; i < len; i++) {
        const struct json *item = json_type(v) == JSON_STRING ? v : json_at(v, i);

        if (json_type(item) != JSON_STRING)
            return wrong_type(err, key, "a string or a list of strings", item);
        list[i] = json_str(item);
    }
    *out = list;
    *n = (int)len;
    return true;
}

bool api_take_ids(const struct json *array, const char *key, struct arena *a, const int32_t **out,
                  int *n, struct api_error *err)
{
    size_t len = json_len(array);
    int32_t *ids;

    *n = 0;
    if (is_absent(array))
        return true;
    if (json_type(array) != JSON_ARRAY)
        return wrong_type(err, key, "a list of integers", array);
    if (len > INT32_MAX / 2)
        return api_fail(err, 400, BAD_REQUEST, key, "`%s` is too long", key);
    ids = arena_array(a, MAX(len, 1), sizeof(*ids));
    for (size_t i = 0; i < len; i++) {
        const struct json *v = json_at(array, i);
        int64_t id = json_int(v, -1);

        if (!is_integer(v))
            return wrong_type(err, key, "a list of integers", v);
        if (id < 0 || id > INT32_MAX)
            return api_fail(err, 400, BAD_REQUEST, key,
                            "`%s` holds %" PRId64 ", which is no token id", key, id);
        ids[i] = (int32_t)id;
    }
    *out = ids;
    *n = (int)len;
    return true;
}

static bool take_numbers(const struct json *body, struct sampling *out, struct api_error *err)
{
    for (size_t i = 0; i < LEN(numbers); i++) {
        const struct json *v = json_get(body, numbers[i].name);
        double x = json_num(v, 0);
        void *field = (char *)out + numbers[i].offset;

        if (is_absent(v))
            continue;
        if (numbers[i].is_int ? !is_integer(v)
                              : json_type(v) != JSON_INT && json_type(v) != JSON_REAL)
            return wrong_type(err, numbers[i].name, numbers[i].is_int ? "an integer" : "a number",
                              v);
        if (!(x >= numbers[i].lo && x <= numbers[i].hi) ||
            (numbers[i].lo_open && x == numbers[i].lo))
            return api_fail(err, 400, BAD_REQUEST, numbers[i].name, "%s must be %s, got %g.",
                            numbers[i].name, numbers[i].range, x);
        if (numbers[i].is_int)
            *(int *)field = (int)x;
        else
            *(double *)field = x;
    }
    out->top_k = MAX(out->top_k, 0);
    return true;
}

static bool take_bias(const struct json *body, struct arena *a, struct sampling *out,
                      struct api_error *err)
{
    const struct json *map = json_get(body, "logit_bias");
    int32_t *ids;
    float *bias;

    if (is_absent(map))
        return true;
    if (json_type(map) != JSON_OBJECT)
        return wrong_type(err, "logit_bias", "an object", map);
    ids = arena_array(a, json_len(map) + 1, sizeof(*ids));
    bias = arena_array(a, json_len(map) + 1, sizeof(*bias));
    for (struct json_iter it = json_iter(map); json_next(&it);) {
        int64_t id;
        double x = json_num(it.value, 0);

        if (!parse_i64(it.key, &id) || id < 0 || id > INT32_MAX)
            return api_fail(err, 400, BAD_REQUEST, "logit_bias",
                            "Invalid key in 'logit_bias': " STR_FMT " is no token id",
                            STR_ARG(str_slice(it.key, 0, 64)));
        if (json_type(it.value) != JSON_INT && json_type(it.value) != JSON_REAL)
            return wrong_type(err, "logit_bias", "a map from token ids to numbers", it.value);
        ids[out->n_bias] = (int32_t)id;
        bias[out->n_bias++] = (float)MIN(MAX(x, -100), 100); /* as OpenAI and vLLM do */
    }
    out->bias_ids = ids;
    out->bias = bias;
    return true;
}

static bool take_lists(const struct json *body, struct arena *a, struct sampling *out,
                       struct api_error *err)
{
    if (!api_take_strs(body, "stop", a, &out->stop, &out->n_stop, err) ||
        !api_take_strs(body, "bad_words", a, &out->bad_words, &out->n_bad_words, err) ||
        !api_take_ids(json_get(body, "stop_token_ids"), "stop_token_ids", a, &out->stop_token_ids,
                      &out->n_stop_token_ids, err) ||
        !api_take_ids(json_get(body, "allowed_token_ids"), "allowed_token_ids", a,
                      &out->allowed_token_ids, &out->n_allowed_token_ids, err))
        return false;
    for (int i = 0; i < out->n_stop; i++)
        if (out->stop[i].len == 0)
            return api_fail(err, 400, BAD_REQUEST, "stop", "stop cannot contain an empty string.");
    if (!is_absent(json_get(body, "allowed_token_ids")) && out->n_allowed_token_ids == 0)
        return api_fail(err, 400, BAD_REQUEST, "allowed_token_ids",
                        "allowed_token_ids is not None and empty!");
    return take_bias(body, a, out, err);
}

bool api_sampling_parse(const struct json *body, const struct api_limits *limits, struct arena *a,
                        struct sampling *out, struct api_error *err)
{
    int64_t seed = 0;

    *out = limits->defaults;
    if (!take_numbers(body, out, err) || !take_lists(body, a, out, err) ||
        !api_take_int(body, "seed", INT64_MIN, INT64_MAX, &seed, err))
        return false;
    out->has_seed = !is_absent(json_get(body, "seed"));
    out->seed = (uint64_t)seed;
    for (size_t i = 0; i < LEN(flags); i++) {
        bool *field = (bool *)((char *)out + flags[i].offset), value = *field != flags[i].negates;

        if (!api_take_bool(body, flags[i].name, &value, err))
            return false;
        *field = value != flags[i].negates;
    }
    return true;
}
