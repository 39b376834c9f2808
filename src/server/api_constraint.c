/* api_constraint.c - three spellings of one wish. */
#include "server/api_constraint.h"

/* The keys of structured_outputs, which are also the ends of the guided_* names. */
static const struct {
    const char *name, *guided;
    enum constraint_kind kind;
} spellings[] = {
    {"json", "guided_json", CONSTRAINT_JSON_SCHEMA},
    {"regex", "guided_regex", CONSTRAINT_REGEX},
    {"choice", "guided_choice", CONSTRAINT_CHOICE},
    {"grammar", "guided_grammar", CONSTRAINT_EBNF},
    {"json_object", "guided_json_object", CONSTRAINT_JSON_OBJECT},
    {"structural_tag", NULL, CONSTRAINT_TAG},
};

/* Other keys of structured_outputs: what they ask for when true or set is not done. */
static const char *const modifiers[] = {"disable_any_whitespace", "disable_additional_properties",
                                        "whitespace_pattern"};

struct reader {
    const struct api_limits *limits;
    struct constraint *out;
    struct api_error *err;
};

static bool is_absent(const struct json *v)
{
    return json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL;
}

static bool not_supported(struct reader *r, const char *field, const char *what)
{
    return api_fail(r->err, 501, "NotImplementedError", field,
                    "`%s`: %s is not supported by this server", field, what);
}

static const char *kind_name(enum constraint_kind kind)
{
    for (size_t i = 0; i < LEN(spellings); i++)
        if (spellings[i].kind == kind)
            return spellings[i].name;
    return "";
}

/* Notes one constraint; value is what stands for it, owner[key] the place to put a parsed schema.
 */
static bool note(struct reader *r, enum constraint_kind kind, const char *field, struct json *owner,
                 const char *key)
{
    struct json *value = json_get(owner, key);

    if (kind == CONSTRAINT_JSON_OBJECT && key && !is_absent(value) &&
        json_type(value) != JSON_OBJECT && !json_bool(value, false))
        return json_type(value) == JSON_BOOL ||
               api_fail(r->err, 400, BAD_SCHEMA, field, "`%s` must be true or false", field);
    if (r->out->kind != CONSTRAINT_NONE)
        return api_fail(r->err, 400, BAD_REQUEST, field,
                        "`%s`: the form of the answer is constrained already by `%s` (%s); you can "
                        "only use one kind of constraint",
                        field, r->out->field, kind_name(r->out->kind));
    r->out->kind = kind;
    r->out->field = field;
    if (!(r->limits->constraints & 1u << kind))
        return not_supported(r, field, kind_name(kind));
    if (kind == CONSTRAINT_REGEX && json_type(value) != JSON_STRING)
        return api_fail(r->err, 400, BAD_SCHEMA, field, "`%s`: a regex must be a string, found %s",
                        field, json_type_name(json_type(value)));
    if (kind == CONSTRAINT_CHOICE && (json_type(value) != JSON_ARRAY || json_len(value) == 0))
        return api_fail(r->err, 400, BAD_SCHEMA, field,
                        "`%s`: choices must be a list of at least one string", field);
    if (kind == CONSTRAINT_JSON_SCHEMA && json_type(value) == JSON_STRING) {
        struct err e = ERR_INIT;
        struct json *parsed = json_parse(json_str(value), &e);

        if (!parsed)
            return api_fail(r->err, 400, BAD_REQUEST, field, "`%s`: the schema is not JSON: %s",
                            field, e.msg);
        json_set(owner, key, parsed);
        value = parsed;
    }
    r->out->regex = kind == CONSTRAINT_REGEX ? json_str(value) : STR("");
    r->out->json = value;
    return true;
}

static bool take_response_format(struct reader *r, struct json *body)
{
    static const char field[] = "response_format";
    struct json *format = json_get(body, field), *holder;
    struct str type = json_str(json_get(format, "type"));

    if (is_absent(format) || str_eqz(type, "text"))
        return true;
    if (json_type(format) != JSON_OBJECT || type.len == 0)
        return api_fail(r->err, 400, BAD_SCHEMA, field,
                        "`response_format` must be an object with a \"type\"");
    if (str_eqz(type, "json_object"))
        return note(r, CONSTRAINT_JSON_OBJECT, field, NULL, NULL);
    if (str_eqz(type, "structural_tag"))
        return note(r, CONSTRAINT_TAG, field, NULL, NULL);
    if (!str_eqz(type, "json_schema"))
        return api_fail(r->err, 400, BAD_REQUEST, field,
                        "`response_format`: there is no type \"" STR_FMT "\"",
                        STR_ARG(str_slice(type, 0, 64)));
    holder = json_get(format, "json_schema");
    if (json_type(holder) != JSON_OBJECT || is_absent(json_get(holder, "schema")))
        return api_fail(
            r->err, 400, BAD_SCHEMA, field,
            "`response_format` of type json_schema needs \"json_schema\", an object with "
            "a \"schema\"");
    return note(r, CONSTRAINT_JSON_SCHEMA, field, holder, "schema");
}

static bool take_structured(struct reader *r, struct json *body)
{
    static const char field[] = "structured_outputs";
    struct json *wishes = json_get(body, field);

    if (is_absent(wishes))
        return true;
    if (json_type(wishes) != JSON_OBJECT)
        return api_fail(r->err, 400, BAD_SCHEMA, field, "`structured_outputs` must be an object");
    for (struct json_iter it = json_iter(wishes); json_next(&it);) {
        bool known = str_eqz(it.key, "disable_fallback") || str_starts(it.key, "_");

        for (size_t i = 0; i < LEN(spellings) && !known; i++)
            known = str_eqz(it.key, spellings[i].name);
        for (size_t i = 0; i < LEN(modifiers); i++)
            if (str_eqz(it.key, modifiers[i])) {
                known = true;
                if (!is_absent(it.value) && json_type(it.value) != JSON_BOOL)
                    return not_supported(r, field, modifiers[i]);
                if (json_bool(it.value, false))
                    return not_supported(r, field, modifiers[i]);
            }
        if (!known)
            return api_fail(r->err, 400, BAD_REQUEST, field,
                            "`structured_outputs` has no key \"" STR_FMT "\"",
                            STR_ARG(str_slice(it.key, 0, 64)));
    }
    for (size_t i = 0; i < LEN(spellings); i++)
        if (!is_absent(json_get(wishes, spellings[i].name)) &&
            !note(r, spellings[i].kind, field, wishes, spellings[i].name))
            return false;
    return true;
}

bool api_constraint_parse(struct json *body, const struct api_limits *limits,
                          struct constraint *out, struct api_error *err)
{
    struct reader r = {limits, out, err};

    *out = (struct constraint){0};
    if (!take_response_format(&r, body) || !take_structured(&r, body))
        return false;
    for (size_t i = 0; i < LEN(spellings); i++)
        if (spellings[i].guided && !is_absent(json_get(body, spellings[i].guided)) &&
            !note(&r, spellings[i].kind, spellings[i].guided, body, spellings[i].guided))
            return false;
    out->value = out->field ? json_get(body, out->field) : NULL;
    return true;
}
