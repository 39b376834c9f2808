/* schema.c - keywords, references, alternatives; each node that is met becomes a rule, so that
 * references may go in circles. */
#include "grammar/schema.h"

#include "grammar/schema_reader.h"

/* --- keywords --------------------------------------------------------------------------------- */

enum keyword_kind { KEYWORD_NOTE, KEYWORD_WHOLE, KEYWORD_TYPED };

static const struct {
    const char *name;
    enum keyword_kind kind;
    unsigned types; /* TYPED: the types that it speaks about */
} keywords[] = {
    {"title", KEYWORD_NOTE, 0},
    {"description", KEYWORD_NOTE, 0},
    {"default", KEYWORD_NOTE, 0},
    {"examples", KEYWORD_NOTE, 0},
    {"example", KEYWORD_NOTE, 0},
    {"$schema", KEYWORD_NOTE, 0},
    {"$comment", KEYWORD_NOTE, 0},
    {"$defs", KEYWORD_NOTE, 0},
    {"definitions", KEYWORD_NOTE, 0},
    {"deprecated", KEYWORD_NOTE, 0},
    {"readOnly", KEYWORD_NOTE, 0},
    {"writeOnly", KEYWORD_NOTE, 0},
    {"discriminator", KEYWORD_NOTE, 0},
    {"$id", KEYWORD_NOTE, 0}, /* of the root alone */
    {"$ref", KEYWORD_WHOLE, 0},
    {"const", KEYWORD_WHOLE, 0},
    {"enum", KEYWORD_WHOLE, 0},
    {"anyOf", KEYWORD_WHOLE, 0},
    {"oneOf", KEYWORD_WHOLE, 0},
    {"allOf", KEYWORD_WHOLE, 0},
    {"properties", KEYWORD_TYPED, TYPE_OBJECT},
    {"required", KEYWORD_TYPED, TYPE_OBJECT},
    {"additionalProperties", KEYWORD_TYPED, TYPE_OBJECT},
    {"items", KEYWORD_TYPED, TYPE_ARRAY},
    {"prefixItems", KEYWORD_TYPED, TYPE_ARRAY},
    {"minItems", KEYWORD_TYPED, TYPE_ARRAY},
    {"maxItems", KEYWORD_TYPED, TYPE_ARRAY},
    {"minLength", KEYWORD_TYPED, TYPE_STRING},
    {"maxLength", KEYWORD_TYPED, TYPE_STRING},
    {"pattern", KEYWORD_TYPED, TYPE_STRING},
    {"format", KEYWORD_TYPED, TYPE_STRING},
    {"minimum", KEYWORD_TYPED, TYPE_NUMBER},
    {"maximum", KEYWORD_TYPED, TYPE_NUMBER},
    {"exclusiveMinimum", KEYWORD_TYPED, TYPE_NUMBER},
    {"exclusiveMaximum", KEYWORD_TYPED, TYPE_NUMBER},
};

struct term *schema_refuse(struct schema_reader *r, const char *fmt, ...)
{
    struct buf words = {0};
    va_list args;

    va_start(args, fmt);
    buf_addv(&words, fmt, args);
    va_end(args);
    err_set(r->e, ERR_INPUT, "schema at #%.200s: %s", buf_z(&r->path), buf_z(&words));
    buf_clear(&words);
    return NULL;
}

/* What the keywords of a node come to: the one that stands for the whole, and the types that others
 * speak about. */
struct census {
    const char *whole;
    const char *typed; /* one of those keywords */
    unsigned types;
};

static bool take_census(struct schema_reader *r, const struct json *node, struct census *out)
{
    *out = (struct census){0};
    for (struct json_iter it = json_iter(node); json_next(&it);) {
        size_t i = 0;

        while (i < LEN(keywords) && !str_eqz(it.key, keywords[i].name))
            i++;
        if (str_eqz(it.key, "type"))
            continue;
        if (i == LEN(keywords) || (str_eqz(it.key, "$id") && node != r->root))
            return schema_refuse(r, "the keyword \"%.64s\" is not supported", it.key.ptr) != NULL;
        if (keywords[i].kind == KEYWORD_WHOLE) {
            if (out->whole)
                return schema_refuse(r, "\"%s\" beside \"%s\" is not supported", keywords[i].name,
                                     out->whole) != NULL;
            out->whole = keywords[i].name;
        } else if (keywords[i].kind == KEYWORD_TYPED) {
            out->typed = keywords[i].name;
            out->types |= keywords[i].types;
        }
    }
    if (out->whole && out->typed)
        return schema_refuse(r, "\"%s\" beside \"%s\" is not supported", out->typed, out->whole) !=
               NULL;
    return true;
}

/* --- types ------------------------------------------------------------------------------------ */

unsigned schema_type_bit(struct str name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } types[] = {
        {"null", TYPE_NULL},      {"boolean", TYPE_BOOL},  {"number", TYPE_NUMBER},
        {"integer", TYPE_NUMBER}, {"string", TYPE_STRING}, {"array", TYPE_ARRAY},
        {"object", TYPE_OBJECT},
    };

    for (size_t i = 0; i < LEN(types); i++)
        if (str_eqz(name, types[i].name))
            return types[i].bit;
    return 0;
}

static struct term *type_term(struct schema_reader *r, const struct json *node, struct str name)
{
    switch (schema_type_bit(name)) {
    case TYPE_NULL:
        return term_text(r->t, "null");
    case TYPE_BOOL:
        return TERM_ALT(r->t, term_text(r->t, "true"), term_text(r->t, "false"));
    case TYPE_NUMBER:
        return schema_number(r, node, str_eqz(name, "integer"));
    case TYPE_STRING:
        return schema_string(r, node);
    case TYPE_ARRAY:
        return schema_array(r, node);
    case TYPE_OBJECT:
        return schema_object(r, node);
    default:
        return schema_refuse(r, "there is no type \"%.64s\"", name.ptr);
    }
}

/* "integer" beside "number" adds nothing. */
static bool is_covered(const struct json *types, struct str name)
{
    for (size_t i = 0; str_eqz(name, "integer") && i < json_len(types); i++)
        if (str_eqz(json_str(json_at(types, i)), "number"))
            return true;
    return false;
}

static struct term *types_term(struct schema_reader *r, const struct json *node,
                               const struct census *c)
{
    static const char *const names[] = {"object", "array", "string", "number"};
    const struct json *type = json_get(node, "type");
    struct term *parts[8];
    int n = 0;

    if (json_type(type) == JSON_STRING)
        return type_term(r, node, json_str(type));
    if (json_type(type) == JSON_ABSENT && c->types == 0)
        return json_term_any(r->j);
    if (json_type(type) == JSON_ABSENT) {
        for (size_t i = 0; i < LEN(names); i++)
            if (c->types & schema_type_bit(STR(names[i])))
                if (!(parts[n++] = type_term(r, node, STR(names[i]))))
                    return NULL;
        return term_alt(r->t, parts, n);
    }
    if (json_type(type) != JSON_ARRAY || json_len(type) == 0 || json_len(type) > LEN(parts))
        return schema_refuse(r, "\"type\" must be a name or a list of names");
    for (size_t i = 0; i < json_len(type); i++) {
        struct str name = json_str(json_at(type, i));

        if (is_covered(type, name))
            continue;
        if (!(parts[n++] = type_term(r, node, name)))
            return NULL;
    }
    return term_alt(r->t, parts, n);
}

/* --- whole values ----------------------------------------------------------------------------- */

static bool has_type(const struct json *type, const struct json *v)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean",  [JSON_INT] = "integer",
        [JSON_REAL] = "number",   [JSON_STRING] = "string", [JSON_ARRAY] = "array",
        [JSON_OBJECT] = "object", [JSON_ABSENT] = ""};
    const char *name = names[json_type(v)];

    if (json_type(type) == JSON_ABSENT)
        return true;
    if (json_type(type) == JSON_STRING)
        return str_eqz(json_str(type), name) ||
               (str_eqz(json_str(type), "number") && json_type(v) == JSON_INT);
    for (size_t i = 0; i < json_len(type); i++)
        if (has_type(json_at(type, i), v))
            return true;
    return false;
}

static struct term *enum_term(struct schema_reader *r, const struct json *node)
{
    const struct json *list = json_get(node, "enum"), *type = json_get(node, "type");
    struct term **parts;
    int n = 0;

    if (json_type(list) != JSON_ARRAY)
        return schema_refuse(r, "\"enum\" must be a list");
    parts = arena_array(&r->t->memory, json_len(list) + 1, sizeof(struct term *));
    for (size_t i = 0; i < json_len(list); i++)
        if (has_type(type, json_at(list, i)))
            parts[n++] = json_term_literal(r->j, json_at(list, i));
    return n > 0 ? term_alt(r->t, parts, n)
                 : schema_refuse(r, "\"enum\" has no value of the type asked for");
}

static struct term *alternatives(struct schema_reader *r, const struct json *node, const char *key)
{
    const struct json *list = json_get(node, key);
    size_t n = json_len(list);
    struct term **parts;

    if (json_type(list) != JSON_ARRAY || n == 0)
        return schema_refuse(r, "\"%s\" must be a list of schemas", key);
    if (json_type(json_get(node, "type")) != JSON_ABSENT)
        return schema_refuse(r, "\"type\" beside \"%s\" is not supported", key);
    if (strcmp(key, "allOf") == 0)
        return n == 1 ? schema_below(r, json_at(list, 0), key, 0)
                      : schema_refuse(r, "\"allOf\" of more than one schema is not supported");
    for (size_t i = 0; strcmp(key, "oneOf") == 0 && i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!schema_are_disjoint(r, json_at(list, k), json_at(list, i)))
                return schema_refuse(
                    r,
                    "\"oneOf\": one value may match both number %zu and number %zu; "
                    "give them different types or a required property whose "
                    "constants differ, or write \"anyOf\"",
                    k, i);
    parts = arena_array(&r->t->memory, n, sizeof(struct term *));
    for (size_t i = 0; i < n; i++)
        if (!(parts[i] = schema_below(r, json_at(list, i), key, (int)i)))
            return NULL;
    return term_alt(r->t, parts, (int)n);
}

static struct term *ref_term(struct schema_reader *r, const struct json *node);

static struct term *body_of(struct schema_reader *r, const struct json *node)
{
    struct census c;

    if (json_type(node) == JSON_BOOL)
        return json_bool(node, false) ? json_term_any(r->j) : term_alt(r->t, NULL, 0);
    if (json_type(node) != JSON_OBJECT)
        return schema_refuse(r, "a schema must be an object, true or false, found %s",
                             json_type_name(json_type(node)));
    if (!take_census(r, node, &c))
        return NULL;
    if (!c.whole)
        return types_term(r, node, &c);
    if (strcmp(c.whole, "$ref") == 0)
        return ref_term(r, node);
    if (strcmp(c.whole, "enum") == 0)
        return enum_term(r, node);
    if (strcmp(c.whole, "const") == 0)
        return has_type(json_get(node, "type"), json_get(node, "const"))
                   ? json_term_literal(r->j, json_get(node, "const"))
                   : schema_refuse(r, "\"const\" is not of the type asked for");
    return alternatives(r, node, c.whole);
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct term *rule_of(struct schema_reader *r, const struct json *node)
{
    struct term *body;
    int rule;

    for (int i = 0; i < r->n_rules; i++)
        if (r->rules[i].node == node)
            return term_call(r->t, r->rules[i].rule);
    if (r->depth >= MAX_SCHEMA_DEPTH)
        return schema_refuse(r, "schemas are nested more than %d deep", MAX_SCHEMA_DEPTH);
    if (r->n_rules == r->cap_rules) {
        r->cap_rules = MAX(2 * r->cap_rules, 32);
        r->rules = xrealloc(r->rules, (size_t)r->cap_rules * sizeof(*r->rules));
    }
    rule = terms_declare(r->t);
    r->rules[r->n_rules++] = (struct schema_rule){node, rule};
    r->depth++;
    body = body_of(r, node);
    r->depth--;
    if (!body)
        return NULL;
    terms_define(r->t, rule, body);
    return term_call(r->t, rule);
}

struct term *schema_below(struct schema_reader *r, const struct json *node, const char *key, int i)
{
    size_t len = r->path.len;
    struct term *out;

    buf_addf(&r->path, "/%s", key);
    if (i >= 0)
        buf_addf(&r->path, "/%d", i);
    out = rule_of(r, node);
    r->path.len = len;
    if (r->path.ptr)
        r->path.ptr[len] = '\0';
    return out;
}

static struct term *ref_term(struct schema_reader *r, const struct json *node)
{
    const struct json *ref = json_get(node, "$ref"), *target;

    if (json_type(json_get(node, "type")) != JSON_ABSENT)
        return schema_refuse(r, "\"type\" beside \"$ref\" is not supported");
    if (json_type(ref) != JSON_STRING)
        return schema_refuse(r, "\"$ref\" must be a string");
    target = schema_resolve(r, json_str(ref));
    return target ? schema_below(r, target, "$ref", -1) : NULL;
}

struct term *schema_term(struct json_terms *j, const struct json *schema, struct err *e)
{
    struct schema_reader r = {.j = j, .t = j->terms, .root = schema, .e = e};
    struct term *out = rule_of(&r, schema);

    free(r.rules);
    buf_clear(&r.path);
    return out;
}
