/* fields.c - every message names the key, what was found and what was expected. */
#include "tokenizer/fields.h"

/* The place of name among words with blanks between them, or -1. */
static int word_index(const char *words, struct str name)
{
    struct str rest = STR(words), word;

    for (int i = 0; str_cut(&rest, ' ', &word); i++)
        if (word.len && str_eq(word, name))
            return i;
    return -1;
}

bool fields_check(const struct json *v, const char *what, const char *known, struct err *e)
{
    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "%s is %s, expected an object", what,
                       json_type_name(json_type(v)));
    for (struct json_iter it = json_iter(v); json_next(&it);)
        if (!str_eqz(it.key, "type") && word_index(known, it.key) < 0)
            return err_set(e, ERR_UNSUPPORTED, "%s asks for \"%.*s\", which is not supported", what,
                           (int)MIN(it.key.len, 80), it.key.ptr);
    return true;
}

static bool wrong_type(const struct json *v, const char *key, const char *expected, struct err *e)
{
    return err_set(e, ERR_INPUT, "\"%s\" is %s, expected %s", key, json_type_name(json_type(v)),
                   expected);
}

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

bool field_bool(const struct json *v, const char *key, bool *out, struct err *e)
{
    const struct json *field = json_get(v, key);

    if (json_type(field) != JSON_BOOL)
        return wrong_type(field, key, "true or false", e);
    *out = json_bool(field, false);
    return true;
}

bool field_bool_opt(const struct json *v, const char *key, bool *out, struct err *e)
{
    return is_absent(json_get(v, key)) || field_bool(v, key, out, e);
}

bool field_str(const struct json *v, const char *key, struct str *out, struct err *e)
{
    const struct json *field = json_get(v, key);

    if (json_type(field) != JSON_STRING)
        return wrong_type(field, key, "a string", e);
    *out = json_str(field);
    return true;
}

bool field_str_opt(const struct json *v, const char *key, struct str *out, struct err *e)
{
    return is_absent(json_get(v, key)) || field_str(v, key, out, e);
}

bool field_int(const struct json *v, const char *key, int64_t min, int64_t max, int64_t *out,
               struct err *e)
{
    const struct json *field = json_get(v, key);

    if (json_type(field) != JSON_INT)
        return wrong_type(field, key, "an integer", e);
    *out = json_int(field, 0);
    if (*out < min || *out > max)
        return err_set(e, ERR_INPUT, "\"%s\" is %lld, expected %lld to %lld", key, (long long)*out,
                       (long long)min, (long long)max);
    return true;
}

bool field_char(const struct json *v, const char *key, uint32_t *out, struct err *e)
{
    struct str s;
    size_t i = 0;

    if (!field_str(v, key, &s, e))
        return false;
    if (s.len)
        *out = utf8_next(s, &i);
    if (!s.len || i != s.len)
        return err_set(e, ERR_INPUT, "\"%s\" is \"%.*s\", expected one character", key,
                       (int)MIN(s.len, 80), s.ptr);
    return true;
}

bool field_choice(const struct json *v, const char *key, const char *names, int *out, struct err *e)
{
    struct str s;

    if (!field_str(v, key, &s, e))
        return false;
    *out = word_index(names, s);
    if (*out < 0)
        return err_set(e, ERR_UNSUPPORTED, "\"%s\" is \"%.*s\", expected one of: %s", key,
                       (int)MIN(s.len, 80), s.ptr, names);
    return true;
}

bool field_array(const struct json *v, const char *key, const struct json **out, struct err *e)
{
    *out = json_get(v, key);
    return json_type(*out) == JSON_ARRAY || wrong_type(*out, key, "an array", e);
}
