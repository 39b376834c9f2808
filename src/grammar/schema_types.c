/* schema_types.c - objects, arrays, strings and numbers of a schema. */
#include <math.h>

#include "grammar/pattern.h"
#include "grammar/schema_reader.h"

enum { MAX_KEY = 512 };

static struct term *optional(struct terms *t, struct term *body)
{
    return term_repeat(t, body, 0, 1);
}

static struct term *rule_for(struct terms *t, struct term *body)
{
    int rule = terms_declare(t);

    terms_define(t, rule, body);
    return term_call(t, rule);
}

bool schema_count(struct schema_reader *r, const struct json *node, const char *key, int *out)
{
    const struct json *v = json_get(node, key);
    int64_t n = json_int(v, -1);

    if (json_type(v) == JSON_ABSENT)
        return true;
    if (n < 0 || n > MAX_COUNT)
        return schema_refuse(r, "\"%s\" must be an integer from 0 to %d", key, MAX_COUNT) != NULL;
    *out = (int)n;
    return true;
}

/* --- objects ---------------------------------------------------------------------------------- */

struct field {
    struct str key;
    const struct json *schema; /* NULL: any value */
    bool is_required;
    struct term *pair;
};

struct fields {
    struct field *list;
    int n;
    const struct json *rest; /* schema of the values of other keys; NULL: there are none */
};

static int field_find(const struct fields *f, struct str key)
{
    for (int i = 0; i < f->n; i++)
        if (str_eq(f->list[i].key, key))
            return i;
    return -1;
}

/* The declared keys in their order, then required ones that are not declared. */
static bool collect_fields(struct schema_reader *r, const struct json *node, struct fields *f)
{
    const struct json *properties = json_get(node, "properties"),
                      *required = json_get(node, "required"),
                      *rest = json_get(node, "additionalProperties");

    if (json_type(properties) != JSON_ABSENT && json_type(properties) != JSON_OBJECT)
        return schema_refuse(r, "\"properties\" must be an object") != NULL;
    if (json_type(required) != JSON_ABSENT && json_type(required) != JSON_ARRAY)
        return schema_refuse(r, "\"required\" must be a list of names") != NULL;
    f->list =
        arena_array(&r->t->memory, json_len(properties) + json_len(required) + 1, sizeof(*f->list));
    for (struct json_iter it = json_iter(properties); json_next(&it);)
        f->list[f->n++] = (struct field){it.key, it.value, false, NULL};
    f->rest = rest;
    if (json_type(rest) == JSON_BOOL && !json_bool(rest, true))
        f->rest = NULL;
    for (size_t i = 0; i < json_len(required); i++) {
        struct str key = json_str(json_at(required, i));
        int at = field_find(f, key);

        if (json_type(json_at(required, i)) != JSON_STRING)
            return schema_refuse(r, "\"required\" must be a list of names") != NULL;
        if (at < 0 && rest && !f->rest)
            return schema_refuse(r, "\"%.64s\" is required and not allowed", key.ptr) != NULL;
        if (at < 0) {
            at = f->n++;
            f->list[at] = (struct field){key, f->rest, false, NULL};
        }
        f->list[at].is_required = true;
    }
    return true;
}

static struct term *pair_of(struct schema_reader *r, const struct field *f)
{
    struct buf key = {0};
    struct term *value =
        f->schema ? schema_below(r, f->schema, f->key.ptr, -1) : json_term_any(r->j);
    struct term *out = NULL;

    json_write_str(&key, f->key);
    if (value)
        out = rule_for(
            r->t, TERM_SEQ(r->t, term_bytes(r->t, buf_str(&key)), json_term_colon(r->j), value));
    buf_clear(&key);
    return out;
}

/* Whether the key can be written without escapes, as other keys are. */
static bool is_plain(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.ptr[i] < 0x20 || key.ptr[i] == '"' || key.ptr[i] == '\\')
            return false;
    return true;
}

static struct term *any_plain_rest(struct terms *t)
{
    static const struct char_range plain[] = {
        {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, MAX_CODE_POINT}};

    return TERM_SEQ(t, term_repeat(t, term_chars(t, plain, LEN(plain)), 0, -1), term_text(t, "\""));
}

/* The rest of a key, from byte `at` on, that is none of the n names, which agree before it; tail is
 * any rest. */
static struct term *other_key(struct terms *t, const struct str *names, int n, size_t at,
                              struct term *tail)
{
    struct char_set others = {0};
    struct term **parts = arena_array(&t->memory, (size_t)n + 2, sizeof(struct term *));
    struct str *same = arena_array(&t->memory, (size_t)n + 1, sizeof(*same));
    int n_parts = 0;
    bool ends = false;

    char_set_add(&others, 0, 0x1F);
    char_set_add(&others, '"', '"');
    char_set_add(&others, '\\', '\\');
    for (int i = 0; i < n; i++) {
        size_t next = at;
        uint32_t c;
        int n_same = 0;
        bool is_new = true;

        if (names[i].len == at) {
            ends = true;
            continue;
        }
        c = utf8_next(names[i], &next);
        for (int k = 0; k < i && is_new; k++)
            is_new =
                names[k].len < next || memcmp(names[k].ptr + at, names[i].ptr + at, next - at) != 0;
        if (!is_new)
            continue;
        for (int k = i; k < n; k++)
            if (names[k].len >= next &&
                memcmp(names[k].ptr + at, names[i].ptr + at, next - at) == 0)
                same[n_same++] = names[k];
        char_set_add(&others, c, c);
        parts[n_parts++] = TERM_SEQ(t, term_bytes(t, str_slice(names[i], at, next)),
                                    other_key(t, same, n_same, next, tail));
    }
    char_set_negate(&others);
    parts[n_parts++] = TERM_SEQ(t, term_chars(t, others.ranges, others.n), tail);
    char_set_clear(&others);
    if (!ends)
        parts[n_parts++] = term_text(t, "\"");
    return term_alt(t, parts, n_parts);
}

/* A pair whose key is none of the fields'. */
static struct term *other_pair(struct schema_reader *r, const struct fields *f)
{
    struct str *names = arena_array(&r->t->memory, (size_t)f->n + 1, sizeof(*names));
    struct term *value = schema_below(r, f->rest, "additionalProperties", -1), *key;
    int n = 0;

    if (!value)
        return NULL;
    for (int i = 0; i < f->n; i++) {
        if (f->list[i].key.len > MAX_KEY)
            return schema_refuse(r, "a key of more than %d bytes beside other keys", MAX_KEY);
        if (is_plain(f->list[i].key))
            names[n++] = f->list[i].key;
    }
    key = f->n == 0 ? json_term_string(r->j)
                    : TERM_SEQ(r->t, term_text(r->t, "\""),
                               other_key(r->t, names, n, 0, rule_for(r->t, any_plain_rest(r->t))));
    return rule_for(r->t, TERM_SEQ(r->t, key, json_term_colon(r->j), value));
}

/* What may follow field i - 1, from the end to the beginning; each is a rule, so that the many ways
 * to leave fields out share them. `more`: a pair has been written. */
static struct term *fields_term(struct schema_reader *r, const struct fields *f)
{
    struct terms *t = r->t;
    struct term *other = f->rest ? other_pair(r, f) : NULL, *first = term_text(t, ""), *more;

    if (f->rest && !other)
        return NULL;
    more = json_term_gap(r->j);
    if (other) {
        more = rule_for(
            t, TERM_SEQ(t, term_repeat(t, TERM_SEQ(t, json_term_comma(r->j), other), 0, -1),
                        json_term_gap(r->j)));
        first = optional(t, TERM_SEQ(t, other, more));
    }
    for (int i = f->n; i > 0; i--) {
        const struct field *one = &f->list[i - 1];
        struct term *begin = TERM_SEQ(t, one->pair, more),
                    *go_on = TERM_SEQ(t, json_term_comma(r->j), one->pair, more);

        first = one->is_required ? begin : rule_for(t, TERM_ALT(t, begin, first));
        more = rule_for(t, one->is_required ? go_on : TERM_ALT(t, go_on, more));
    }
    return first;
}

struct term *schema_object(struct schema_reader *r, const struct json *node)
{
    struct fields f = {0};
    struct term *inner;
    bool is_free = !json_get(node, "properties") && !json_get(node, "required") &&
                   !json_get(node, "additionalProperties");

    if (is_free)
        return json_term_any_object(r->j);
    if (!collect_fields(r, node, &f))
        return NULL;
    for (int i = 0; i < f.n; i++)
        if (!(f.list[i].pair = pair_of(r, &f.list[i])))
            return NULL;
    inner = fields_term(r, &f);
    return inner ? TERM_SEQ(r->t, term_text(r->t, "{"), json_term_gap(r->j), inner,
                            term_text(r->t, "}"))
                 : NULL;
}

/* --- arrays ----------------------------------------------------------------------------------- */

struct tuple {
    const struct json *prefix, *items; /* items NULL: any value */
    int n_prefix, min, max;            /* max -1: no end */
};

static bool read_tuple(struct schema_reader *r, const struct json *node, struct tuple *out)
{
    const struct json *items = json_get(node, "items");

    *out = (struct tuple){.prefix = json_get(node, "prefixItems"), .items = items, .max = -1};
    if (!schema_count(r, node, "minItems", &out->min) ||
        !schema_count(r, node, "maxItems", &out->max))
        return false;
    if (json_type(items) == JSON_ARRAY)
        return schema_refuse(r, "a list of \"items\" is not supported; write \"prefixItems\"") !=
               NULL;
    if (out->prefix && json_type(out->prefix) != JSON_ARRAY)
        return schema_refuse(r, "\"prefixItems\" must be a list of schemas") != NULL;
    out->n_prefix = (int)json_len(out->prefix);
    if ((out->prefix && !items) || (json_type(items) == JSON_BOOL && !json_bool(items, true))) {
        out->max = out->max < 0 ? out->n_prefix : MIN(out->max, out->n_prefix);
        out->items = NULL;
    }
    if (out->max >= 0)
        out->n_prefix = MIN(out->n_prefix, out->max);
    if (out->max >= 0 && out->min > out->max)
        return schema_refuse(r, "at least %d items are asked for, and at most %d", out->min,
                             out->max) != NULL;
    return true;
}

/* The items behind those of the prefix, and the gap before the bracket. */
static struct term *later_items(struct schema_reader *r, const struct tuple *a)
{
    struct terms *t = r->t;
    struct term *item, *more;
    int n = a->n_prefix, min = MAX(a->min - n, 0), max = a->max < 0 ? -1 : a->max - n;

    if (max == 0)
        return n > 0 ? json_term_gap(r->j) : term_text(t, "");
    item = a->items ? schema_below(r, a->items, "items", -1) : json_term_any(r->j);
    if (!item)
        return NULL;
    more = TERM_SEQ(t, json_term_comma(r->j), item);
    if (n > 0)
        return TERM_SEQ(t, term_repeat(t, more, min, max), json_term_gap(r->j));
    more = TERM_SEQ(t, item, term_repeat(t, more, MAX(min - 1, 0), max < 0 ? -1 : max - 1),
                    json_term_gap(r->j));
    return min > 0 ? more : optional(t, more);
}

struct term *schema_array(struct schema_reader *r, const struct json *node)
{
    struct terms *t = r->t;
    struct tuple a;
    struct term *rest;

    if (!read_tuple(r, node, &a) || !(rest = later_items(r, &a)))
        return NULL;
    for (int i = a.n_prefix; i > 0; i--) {
        struct term *item = schema_below(r, json_at(a.prefix, (size_t)i - 1), "prefixItems", i - 1),
                    *close = i > 1 ? json_term_gap(r->j) : term_text(t, "");

        if (!item)
            return NULL;
        rest = i > 1 ? TERM_SEQ(t, json_term_comma(r->j), item, rest) : TERM_SEQ(t, item, rest);
        rest = rule_for(t, i > a.min ? TERM_ALT(t, rest, close) : rest);
    }
    return TERM_SEQ(t, term_text(t, "["), json_term_gap(r->j), rest, term_text(t, "]"));
}

/* --- strings ---------------------------------------------------------------------------------- */

/* Narrower than the RFCs where they ask for a calendar: no 29 February, no leap second. */
#define DATE \
    "\\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|" \
    "1\\d|2[0-8]))"
#define TIME  "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define HEX   "[0-9a-fA-F]"
#define OCTET "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"

static const struct {
    const char *name, *pattern;
} formats[] = {
    {"date", "^" DATE "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" DATE "T" TIME "$"},
    {"uuid", "^" HEX "{8}-" HEX "{4}-" HEX "{4}-" HEX "{4}-" HEX "{12}$"},
    {"ipv4", "^" OCTET "\\." OCTET "\\." OCTET "\\." OCTET "$"},
};

static struct term *matching(struct schema_reader *r, struct str pattern)
{
    struct term *inner = pattern_parse(r->t, pattern, PATTERN_STRING, r->e);

    if (!inner) {
        err_prefix(r->e, "schema at #%.200s/pattern", buf_z(&r->path));
        return NULL;
    }
    return TERM_SEQ(r->t, term_text(r->t, "\""), inner, term_text(r->t, "\""));
}

struct term *schema_string(struct schema_reader *r, const struct json *node)
{
    const struct json *pattern = json_get(node, "pattern"), *format = json_get(node, "format");
    int min = 0, max = -1;

    if (!schema_count(r, node, "minLength", &min) || !schema_count(r, node, "maxLength", &max))
        return NULL;
    if ((pattern || format) && (min > 0 || max >= 0))
        return schema_refuse(r, "\"%s\" beside \"%s\" is not supported",
                             max >= 0 ? "maxLength" : "minLength", pattern ? "pattern" : "format");
    if (pattern && format)
        return schema_refuse(r, "\"format\" beside \"pattern\" is not supported");
    if (pattern)
        return json_type(pattern) == JSON_STRING ? matching(r, json_str(pattern))
                                                 : schema_refuse(r, "\"pattern\" must be a string");
    for (size_t i = 0; format && i < LEN(formats); i++)
        if (str_eqz(json_str(format), formats[i].name))
            return matching(r, STR(formats[i].pattern));
    if (format)
        return schema_refuse(r, "\"format\": \"%.64s\" is not supported", json_str(format).ptr);
    if (max >= 0 && min > max)
        return schema_refuse(r, "\"minLength\" is above \"maxLength\"");
    if (min == 0 && max < 0)
        return json_term_string(r->j);
    return TERM_SEQ(r->t, term_text(r->t, "\""), term_repeat(r->t, json_term_char(r->j), min, max),
                    term_text(r->t, "\""));
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* The tighter of an inclusive and an exclusive bound as an integer; sign 1: a lower bound. */
static bool read_bound(struct schema_reader *r, const struct json *node, const char *key,
                       const char *exclusive, int sign, bool *has, int64_t *out)
{
    const char *keys[] = {key, exclusive};

    *has = false;
    for (int i = 0; i < 2; i++) {
        const struct json *v = json_get(node, keys[i]);
        double x = json_num(v, 0), whole = sign > 0 ? ceil(x) : floor(x);
        int64_t bound;

        if (json_type(v) == JSON_ABSENT)
            continue;
        if ((json_type(v) != JSON_INT && json_type(v) != JSON_REAL) || !(fabs(x) < 0x1p62))
            return schema_refuse(r, "\"%s\" must be a number below 2^62", keys[i]) != NULL;
        bound = json_type(v) == JSON_INT ? json_int(v, 0) : (int64_t)whole;
        if (i == 1 && (json_type(v) == JSON_INT || whole == x))
            bound += sign;
        if (!*has || (sign > 0 ? bound > *out : bound < *out))
            *out = bound;
        *has = true;
    }
    return true;
}

struct term *schema_number(struct schema_reader *r, const struct json *node, bool is_integer)
{
    static const char *const keys[] = {"maximum", "exclusiveMinimum", "exclusiveMaximum"};
    const struct json *least = json_get(node, "minimum");
    bool has_lo, has_hi;
    int64_t lo = 0, hi = 0;
    struct term *out;

    if (!read_bound(r, node, "minimum", "exclusiveMinimum", 1, &has_lo, &lo) ||
        !read_bound(r, node, "maximum", "exclusiveMaximum", -1, &has_hi, &hi))
        return NULL;
    if (is_integer) {
        if (!has_lo && !has_hi)
            return json_term_integer(r->j);
        out = json_term_integer_range(r->j, has_lo, lo, has_hi, hi);
        return out ? out : schema_refuse(r, "no integer is within the bounds");
    }
    for (size_t i = 0; i < LEN(keys); i++)
        if (json_get(node, keys[i]))
            return schema_refuse(r, "\"%s\" of numbers that are not integers is not supported",
                                 keys[i]);
    if (!least)
        return json_term_number(r->j);
    if (json_num(least, -1) != 0)
        return schema_refuse(r, "\"minimum\" other than 0 of numbers that are not integers is not "
                                "supported");
    return json_term_positive(r->j);
}
