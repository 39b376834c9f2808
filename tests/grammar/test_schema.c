/* test_schema.c - random schemas against a slow validator, both ways: whatever is drawn under a
 * schema's masks satisfies it, and instances that were made from the schema are taken. What is
 * refused, by name. */
#include "random_mask.h"

#include <math.h>

#include "formats/json.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { N_SCHEMAS = 500, MAX_DEPTH = 3, MAX_TEXT = 20000 };

/* --- the validator ------------------------------------------------------------------------------
 * Draft 2020-12, but for objects and tuples that say nothing about more of them: they have no more.
 */

static bool is_valid(const struct json *root, const struct json *s, const struct json *v);

static bool type_is(const char *name, const struct json *v)
{
    static const struct {
        const char *name;
        enum json_type type;
    } types[] = {{"null", JSON_NULL},   {"boolean", JSON_BOOL}, {"integer", JSON_INT},
                 {"number", JSON_INT},  {"number", JSON_REAL},  {"string", JSON_STRING},
                 {"array", JSON_ARRAY}, {"object", JSON_OBJECT}};

    for (size_t i = 0; i < LEN(types); i++)
        if (strcmp(types[i].name, name) == 0 && types[i].type == json_type(v))
            return true;
    return strcmp(name, "integer") == 0 && json_type(v) == JSON_REAL &&
           floor(json_num(v, 0.5)) == json_num(v, 0.5);
}

static bool has_match(struct str pattern, struct str text)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len,
                                  PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &code, &at, NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(c, NULL);
    bool found = pcre2_match(c, (PCRE2_SPTR)text.ptr, text.len, 0, 0, data, NULL) >= 0;

    pcre2_match_data_free(data);
    pcre2_code_free(c);
    return found;
}

static int n_valid(const struct json *root, const struct json *list, const struct json *v)
{
    int n = 0;

    for (size_t i = 0; i < json_len(list); i++)
        n += is_valid(root, json_at(list, i), v);
    return n;
}

static bool is_valid_object(const struct json *root, const struct json *s, const struct json *v)
{
    const struct json *properties = json_get(s, "properties"), *required = json_get(s, "required"),
                      *rest = json_get(s, "additionalProperties");

    for (size_t i = 0; i < json_len(required); i++)
        if (!json_get_str(v, json_str(json_at(required, i))))
            return false;
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        const struct json *own = json_get_str(properties, it.key);

        bool is_named = own != NULL;

        for (size_t i = 0; i < json_len(required); i++)
            is_named |= str_eq(json_str(json_at(required, i)), it.key);
        if (own ? !is_valid(root, own, it.value) : rest && !is_valid(root, rest, it.value))
            return false;
        if (!is_named && !rest && (properties || required))
            return false;
    }
    return true;
}

static bool is_valid_array(const struct json *root, const struct json *s, const struct json *v)
{
    const struct json *prefix = json_get(s, "prefixItems"), *items = json_get(s, "items");

    if ((int64_t)json_len(v) < json_int(json_get(s, "minItems"), 0) ||
        (int64_t)json_len(v) > json_int(json_get(s, "maxItems"), INT64_MAX))
        return false;
    for (size_t i = 0; i < json_len(v); i++) {
        const struct json *own = i < json_len(prefix) ? json_at(prefix, i) : items;

        if (own ? !is_valid(root, own, json_at(v, i)) : prefix != NULL)
            return false;
    }
    return true;
}

static bool is_valid_scalar(const struct json *s, const struct json *v)
{
    const struct json *pattern = json_get(s, "pattern");

    if (json_type(v) == JSON_STRING) {
        int64_t n = (int64_t)utf8_count(json_str(v));

        return n >= json_int(json_get(s, "minLength"), 0) &&
               n <= json_int(json_get(s, "maxLength"), INT64_MAX) &&
               (!pattern || has_match(json_str(pattern), json_str(v)));
    }
    if (json_type(v) == JSON_INT || json_type(v) == JSON_REAL) {
        double x = json_num(v, NAN);

        return x >= json_num(json_get(s, "minimum"), -INFINITY) &&
               x <= json_num(json_get(s, "maximum"), INFINITY) &&
               x > json_num(json_get(s, "exclusiveMinimum"), -INFINITY) &&
               x < json_num(json_get(s, "exclusiveMaximum"), INFINITY);
    }
    return true;
}

static bool is_valid(const struct json *root, const struct json *s, const struct json *v)
{
    const struct json *type = json_get(s, "type"), *ref = json_get(s, "$ref");
    bool ok = json_type(type) == JSON_ABSENT;

    if (json_type(s) == JSON_BOOL)
        return json_bool(s, false);
    if (json_type(type) == JSON_STRING)
        ok = type_is(json_str(type).ptr, v);
    for (size_t i = 0; i < json_len(type); i++)
        ok |= type_is(json_str(json_at(type, i)).ptr, v);
    if (ref)
        ok = ok && is_valid(root,
                            str_eqz(json_str(ref), "#")
                                ? root
                                : json_get(json_get(root, "$defs"),
                                           json_str(ref).ptr + strlen("#/$defs/")),
                            v);
    if (json_get(s, "const"))
        ok = ok && json_same(json_get(s, "const"), v);
    if (json_get(s, "enum")) {
        bool found = false;

        for (size_t i = 0; i < json_len(json_get(s, "enum")); i++)
            found |= json_same(json_at(json_get(s, "enum"), i), v);
        ok = ok && found;
    }
    if (json_get(s, "anyOf"))
        ok = ok && n_valid(root, json_get(s, "anyOf"), v) > 0;
    if (json_get(s, "oneOf"))
        ok = ok && n_valid(root, json_get(s, "oneOf"), v) == 1;
    if (json_get(s, "allOf"))
        ok = ok && n_valid(root, json_get(s, "allOf"), v) == (int)json_len(json_get(s, "allOf"));
    return ok && (json_type(v) == JSON_OBJECT  ? is_valid_object(root, s, v)
                  : json_type(v) == JSON_ARRAY ? is_valid_array(root, s, v)
                                               : is_valid_scalar(s, v));
}

/* --- random schemas --------------------------------------------------------------------------- */

static const char *const keys[] = {"a", "ab", "abc", "b", "na\xc3\xafve", "q\\\"k", "", "x y"};

static void add_schema(struct buf *out, struct dice *d, int depth);

static void add_object(struct buf *out, struct dice *d, int depth)
{
    int n = (int)roll(d, 4), used = 0, required = 0;
    uint32_t rest = roll(d, 4);

    buf_addz(out, "{\"type\":\"object\",\"title\":\"T\",\"properties\":{");
    for (int i = 0; i < n; i++) {
        uint32_t k = roll(d, LEN(keys));

        if (used >> k & 1)
            continue;
        buf_addf(out, "%s\"%s\":", used ? "," : "", keys[k]);
        used |= 1 << k;
        required |= roll(d, 2) ? 1 << k : 0;
        add_schema(out, d, depth - 1);
    }
    buf_addz(out, "},\"required\":[");
    if (roll(d, 8) == 0)
        required |= 1 << 3;
    if (rest == 0)
        required &= used;
    for (int k = 0, first = 1; k < (int)LEN(keys); k++)
        if (required >> k & 1) {
            buf_addf(out, "%s\"%s\"", first ? "" : ",", keys[k]);
            first = 0;
        }
    buf_addc(out, ']');
    if (rest == 0)
        buf_addz(out, ",\"additionalProperties\":false");
    if (rest == 1) {
        buf_addz(out, ",\"additionalProperties\":");
        add_schema(out, d, depth - 1);
    }
    buf_addc(out, '}');
}

static void add_array(struct buf *out, struct dice *d, int depth)
{
    uint32_t min = roll(d, 3), n_prefix = roll(d, 3) ? 0 : 1 + roll(d, 2);

    buf_addf(out, "{\"type\":\"array\",\"minItems\":%u", min);
    if (roll(d, 2))
        buf_addf(out, ",\"maxItems\":%u", min + n_prefix + roll(d, 3));
    if (n_prefix == 0 || roll(d, 2) || min > n_prefix) {
        buf_addz(out, ",\"items\":");
        add_schema(out, d, depth - 1);
    }
    for (uint32_t i = 0; i < n_prefix; i++) {
        buf_addz(out, i ? "," : ",\"prefixItems\":[");
        add_schema(out, d, depth - 1);
    }
    buf_addz(out, n_prefix ? "]}" : "}");
}

static void add_scalar(struct buf *out, struct dice *d)
{
    static const char *const fixed[] = {
        "{\"type\":\"string\"}",
        "{\"type\":\"string\",\"minLength\":1,\"maxLength\":3}",
        "{\"type\":\"string\",\"minLength\":2}",
        "{\"type\":\"string\",\"pattern\":\"^[a-c]{1,3}$\"}",
        "{\"type\":\"string\",\"pattern\":\"b|^a\"}",
        "{\"pattern\":\"\\\\\\\\x$\",\"type\":\"string\"}",
        "{\"type\":\"boolean\"}",
        "{\"type\":\"null\"}",
        "{\"type\":\"number\"}",
        "{\"type\":\"number\",\"minimum\":0}",
        "{\"type\":\"integer\"}",
        "{\"type\":[\"integer\",\"null\"]}",
        "{\"type\":[\"number\",\"integer\",\"boolean\"]}",
        "{\"const\":\"a\\nb\"}",
        "{\"const\":{\"a\":[1,null],\"b\":{}}}",
        "{\"enum\":[\"a\",\"ab\",3,null,[1]]}",
        "{\"type\":\"string\",\"enum\":[\"x\",5,\"y\"]}",
        "{\"minimum\":3,\"type\":\"string\"}",
    };

    if (roll(d, 4) == 0) {
        int lo = (int)roll(d, 2500) - 1200, hi = lo + (int)roll(d, 300);

        buf_addf(out, "{\"type\":\"integer\",\"%s\":%d",
                 roll(d, 2) ? "minimum" : "exclusiveMinimum", lo);
        if (roll(d, 3))
            buf_addf(out, ",\"%s\":%d", roll(d, 2) ? "maximum" : "exclusiveMaximum", hi + 2);
        buf_addc(out, '}');
        return;
    }
    buf_addz(out, fixed[roll(d, LEN(fixed))]);
}

static void add_schema(struct buf *out, struct dice *d, int depth)
{
    if (depth <= 0) {
        add_scalar(out, d);
        return;
    }
    switch (roll(d, 9)) {
    case 0:
    case 1:
    case 2:
        add_object(out, d, depth);
        return;
    case 3:
    case 4:
        add_array(out, d, depth);
        return;
    case 5:
        buf_addz(out, "{\"anyOf\":[");
        add_schema(out, d, depth - 1);
        buf_addc(out, ',');
        add_schema(out, d, depth - 1);
        buf_addz(out, "]}");
        return;
    case 6:
        buf_addz(
            out,
            "{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"properties\":{\"t\":{\"const\":1},"
            "\"v\":");
        add_schema(out, d, depth - 1);
        buf_addz(
            out,
            "},\"required\":[\"t\"]},{\"type\":\"object\",\"properties\":{\"t\":{\"const\":2}},"
            "\"required\":[\"t\"]}]}");
        return;
    case 7:
        buf_addz(out, roll(d, 2) ? "{\"$ref\":\"#/$defs/tree\"}"
                                 : "{\"allOf\":[{\"$ref\":\"#/$defs/list\"}]}");
        return;
    default:
        add_scalar(out, d);
    }
}

static struct json *make_schema(struct dice *d, struct buf *text)
{
    struct err e = ERR_INIT;
    struct json *out, *defs;

    buf_reset(text);
    add_schema(text, d, MAX_DEPTH);
    out = json_parse(buf_str(text), &e);
    CHECK_OK(buf_z(text), out != NULL, &e);
    defs = json_parse(
        STR("{\"tree\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"},\"kids\":"
            "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/tree\"}}},\"required\":[\"n\"]},"
            "\"list\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"array\",\"prefixItems\":["
            "{\"type\":\"boolean\"},{\"$ref\":\"#/$defs/list\"}],\"minItems\":2}]}}"),
        &e);
    json_set(out, "$defs", defs);
    buf_reset(text);
    json_write(text, out);
    return out;
}

/* --- instances made from a schema ------------------------------------------------------------- */

static void add_gap(struct buf *out, struct dice *d)
{
    static const char *const gaps[] = {"", " ", "\n", "\n    ", "\n\t"};

    buf_addz(out, gaps[roll(d, LEN(gaps))]);
}

static void add_instance(struct buf *out, struct dice *d, const struct json *root,
                         const struct json *s, int depth);

static void add_key(struct buf *out, struct dice *d, struct str key, bool *is_first)
{
    if (!*is_first) {
        buf_addc(out, ',');
        add_gap(out, d);
    }
    *is_first = false;
    json_write_str(out, key);
    buf_addz(out, roll(d, 2) ? ":" : ": ");
}

static void add_object_of(struct buf *out, struct dice *d, const struct json *root,
                          const struct json *s, int depth)
{
    static const char *const others[] = {"zz", "aba", "abcd", "na"};
    const struct json *properties = json_get(s, "properties"), *required = json_get(s, "required"),
                      *rest = json_get(s, "additionalProperties");
    bool is_first = true;

    buf_addc(out, '{');
    add_gap(out, d);
    for (struct json_iter it = json_iter(properties); json_next(&it);) {
        bool needs = false;

        for (size_t i = 0; i < json_len(required); i++)
            needs |= str_eq(json_str(json_at(required, i)), it.key);
        if (!needs && (depth <= 0 || roll(d, 2)))
            continue;
        add_key(out, d, it.key, &is_first);
        add_instance(out, d, root, it.value, depth - 1);
    }
    for (size_t i = 0; i < json_len(required); i++)
        if (!json_get_str(properties, json_str(json_at(required, i)))) {
            add_key(out, d, json_str(json_at(required, i)), &is_first);
            add_instance(out, d, root, rest, depth - 1);
        }
    for (size_t i = 0; rest && json_type(rest) == JSON_OBJECT && depth > 0 && i < LEN(others); i++)
        if (roll(d, 3) == 0) {
            add_key(out, d, STR(others[i]), &is_first);
            add_instance(out, d, root, rest, depth - 1);
        }
    if (!is_first)
        add_gap(out, d);
    buf_addc(out, '}');
}

static void add_array_of(struct buf *out, struct dice *d, const struct json *root,
                         const struct json *s, int depth)
{
    const struct json *prefix = json_get(s, "prefixItems"), *items = json_get(s, "items");
    int64_t min = json_int(json_get(s, "minItems"), 0), max = json_int(json_get(s, "maxItems"), 6),
            n;

    if (prefix && !items)
        max = MIN(max, (int64_t)json_len(prefix));
    n = min + (max > min && depth > 0 ? (int64_t)roll(d, (uint32_t)(max - min) + 1) : 0);
    buf_addc(out, '[');
    add_gap(out, d);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) {
            buf_addc(out, ',');
            add_gap(out, d);
        }
        add_instance(out, d, root,
                     i < (int64_t)json_len(prefix) ? json_at(prefix, (size_t)i) : items, depth - 1);
    }
    if (n > 0)
        add_gap(out, d);
    buf_addc(out, ']');
}

/* A value of the type; whether it satisfies the rest is for the validator to say. */
static void add_typed(struct buf *out, struct dice *d, const struct json *root,
                      const struct json *s, const char *type, int depth)
{
    static const char *const strings[] = {"\"\"",
                                          "\"a\"",
                                          "\"ab\"",
                                          "\"abc\"",
                                          "\"\xc3\xa9\xe4\xb8\xad\"",
                                          "\"a\\u00e9\\n\"",
                                          "\"\\ud83d\\ude00b\"",
                                          "\"bx\\\\x\"",
                                          "\"\\\\x\"",
                                          "\"ccc\""};
    static const char *const numbers[] = {
        "0", "-1", "17", "2.50", "-0.5e3", "1E+9", "12345678901234567"};

    if (strcmp(type, "object") == 0) {
        add_object_of(out, d, root, s, depth);
    } else if (strcmp(type, "array") == 0) {
        add_array_of(out, d, root, s, depth);
    } else if (strcmp(type, "string") == 0) {
        buf_addz(out, strings[roll(d, LEN(strings))]);
    } else if (strcmp(type, "number") == 0) {
        buf_addz(out, numbers[roll(d, LEN(numbers))]);
    } else if (strcmp(type, "integer") == 0) {
        int64_t lo = json_int(json_get(s, "minimum"),
                              json_int(json_get(s, "exclusiveMinimum"), -20)),
                hi = json_int(json_get(s, "maximum"),
                              json_int(json_get(s, "exclusiveMaximum"), lo + 5000));

        buf_addf(out, "%lld", (long long)(lo - 2 + (int64_t)roll(d, (uint32_t)(hi - lo) + 5)));
    } else {
        buf_addz(out, strcmp(type, "null") == 0 ? "null" : roll(d, 2) ? "true" : "false");
    }
}

static void add_instance(struct buf *out, struct dice *d, const struct json *root,
                         const struct json *s, int depth)
{
    static const char *const unions[] = {"anyOf", "oneOf", "allOf"};
    const struct json *type = json_get(s, "type"), *ref = json_get(s, "$ref"),
                      *list = json_get(s, "enum");

    if (out->len > MAX_TEXT)
        return;
    for (size_t u = 0; u < LEN(unions); u++)
        if (json_get(s, unions[u])) {
            const struct json *of = json_get(s, unions[u]);

            add_instance(out, d, root, json_at(of, depth > 0 ? roll(d, (uint32_t)json_len(of)) : 0),
                         depth - 1);
            return;
        }
    if (ref) {
        add_instance(out, d, root,
                     json_get(json_get(root, "$defs"), json_str(ref).ptr + strlen("#/$defs/")),
                     depth - 1);
    } else if (json_get(s, "const")) {
        json_write(out, json_get(s, "const"));
    } else if (list) {
        json_write(out, json_at(list, roll(d, (uint32_t)json_len(list))));
    } else if (json_type(type) == JSON_ARRAY) {
        add_typed(out, d, root, s, json_str(json_at(type, roll(d, (uint32_t)json_len(type)))).ptr,
                  depth);
    } else if (json_type(type) == JSON_STRING) {
        add_typed(out, d, root, s, json_str(type).ptr, depth);
    } else {
        buf_addz(out, "{\"any\": [1, null]}");
    }
}

/* --- tests ------------------------------------------------------------------------------------ */

static const char *const pieces[] = {
    "\"",           "{\"",     "\":",          "\": ",     "\",",        "\", \"",
    "},",           "}]",      "]}",           "\"}",      "{}",         "[]",
    "[[",           "true",    "false",        "null",     "nul",        "123",
    "-1",           "0.",      "e+",           "\\\"",     "\\u",        "\\u00",
    "00e9",         "\\ud83d", "\\ude00",      "\xc3\xa9", "\xc3",       "\xa9",
    "\xe4\xb8\xad", "\n  ",    "  ",           "\t",       "kids",       "kids\":[{\"n\":",
    "n\":",         "t\":1",   "t\":2,\"v\":", "abc",      "na\xc3\xaf", "ve\":",
    "x y",          "\\n",     "\\\\",         NULL};

static struct grammar *open_schema(const char *name, const struct json *schema,
                                   const struct token_trie *t)
{
    struct grammar_source s = {.kind = GRAMMAR_JSON_SCHEMA, .json = schema};
    struct err e = ERR_INIT;
    struct grammar *g = grammar_open(&s, t, &e);

    CHECK_OK(name, g != NULL, &e);
    return g;
}

/* Jansson refuses two equal keys, which no mask can prevent; such texts show nothing. */
static void check_text(const char *schema, const struct json *root, struct str text, int *n_checked)
{
    struct err e = ERR_INIT;
    struct json *v = json_parse(text, &e);

    if (!v && strstr(e.msg, "duplicate"))
        return;
    if (!v)
        fail_msg("%s gives " STR_FMT ": %s", schema, STR_ARG(text), e.msg);
    if (!is_valid(root, root, v))
        fail_msg("%s gives " STR_FMT, schema, STR_ARG(text));
    ++*n_checked;
    json_close(v);
}

TEST(what_is_drawn_is_valid)
{
    struct dice d = {.seed = 21};
    struct buf name = {0}, text = {0};
    struct vocab_of_test v;
    struct arena a;
    int n_checked = 0;
    bool ended;

    arena_init(&a, 0);
    vocab_make(&v, &a, pieces, "{}[],:\"\\ab01-. n");
    for (int i = 0; i < N_SCHEMAS; i++) {
        struct json *schema = make_schema(&d, &name);
        struct grammar *g = open_schema(buf_z(&name), schema, v.trie);

        if (i % 7 == 0)
            grammar_limit(g, 16384);
        for (int k = 0; k < 6; k++) {
            buf_reset(&text);
            walk(buf_z(&name), g, &v, &d, &text, &ended);
            if (ended)
                check_text(buf_z(&name), schema, buf_str(&text), &n_checked);
        }
        grammar_close(g);
        json_close(schema);
    }
    CHECK("texts that ended", n_checked > N_SCHEMAS);
    token_trie_close(v.trie);
    buf_clear(&name);
    buf_clear(&text);
    arena_clear(&a);
}

/* One byte changed, left out or put in. */
static void mutate(struct buf *text, struct dice *d)
{
    static const char bytes[] = "{}[],:\"\\a0-1. \nn";
    size_t at = roll(d, (uint32_t)text->len);
    char c = bytes[roll(d, sizeof(bytes) - 1)];

    if (roll(d, 3) == 0) {
        memmove(text->ptr + at, text->ptr + at + 1, text->len - at);
        text->len--;
    } else {
        text->ptr[at] = c;
    }
}

TEST(instances_are_taken_if_valid)
{
    struct dice d = {.seed = 22};
    struct buf name = {0}, text = {0};
    struct vocab_of_test v;
    struct arena a;
    int n_taken = 0, n_refused = 0, n_mutants = 0;

    arena_init(&a, 0);
    vocab_make(&v, &a, pieces, "ab");
    for (int i = 0; i < N_SCHEMAS; i++) {
        struct json *schema = make_schema(&d, &name);
        struct grammar *g = open_schema(buf_z(&name), schema, v.trie);

        for (int k = 0; k < 12; k++) {
            struct err e = ERR_INIT;
            struct json *value;
            bool want;

            buf_reset(&text);
            add_instance(&text, &d, schema, schema, 4);
            if (text.len > MAX_TEXT)
                continue;
            value = json_parse(buf_str(&text), &e);
            CHECK_OK(buf_z(&text), value != NULL, &e);
            want = is_valid(schema, schema, value);
            json_close(value);
            /* Under a pattern a character has one spelling only. */
            if (want && strstr(buf_z(&name), "pattern") && strstr(buf_z(&text), "\\u"))
                continue;
            if (grammar_accepts(g, buf_str(&text)) != want)
                fail_msg("%s and %s: the validator says %d", buf_z(&name), buf_z(&text), want);
            *(want ? &n_taken : &n_refused) += 1;
            for (int m = 0; m < 20 && text.len > 1; m++) {
                mutate(&text, &d);
                if (grammar_accepts(g, buf_str(&text)))
                    check_text(buf_z(&name), schema, buf_str(&text), &n_mutants);
            }
        }
        grammar_close(g);
        json_close(schema);
    }
    CHECK("valid ones", n_taken > 5 * N_SCHEMAS);
    CHECK("invalid ones", n_refused > N_SCHEMAS / 4);
    CHECK("mutants", n_mutants > N_SCHEMAS);
    token_trie_close(v.trie);
    buf_clear(&name);
    buf_clear(&text);
    arena_clear(&a);
}

/* Bounds against every integer near them. */
TEST(integers_within_bounds)
{
    static const int64_t bounds[] = {-1000, -101, -100, -99, -10, -9,  -1,  0,   1,   7,
                                     9,     10,   11,   99,  100, 123, 456, 999, 1000};
    struct err none = ERR_INIT;
    struct str piece = STR("0");
    struct token_trie *t = token_trie_open(&piece, 1, &none);

    for (size_t i = 0; i <= LEN(bounds); i++)
        for (size_t k = 0; k <= LEN(bounds); k++) {
            struct json *s = json_new_object();
            int64_t lo = i < LEN(bounds) ? bounds[i] : INT64_MIN,
                    hi = k < LEN(bounds) ? bounds[k] : INT64_MAX;
            struct grammar *g;
            char name[64], text[64];

            if (lo > hi) {
                json_close(s);
                continue;
            }
            snprintf(name, sizeof(name), "%lld to %lld", (long long)lo, (long long)hi);
            json_set(s, "type", json_new_str(STR("integer")));
            if (i < LEN(bounds))
                json_set(s, "minimum", json_new_int(lo));
            if (k < LEN(bounds))
                json_set(s, "maximum", json_new_int(hi));
            g = open_schema(name, s, t);
            for (int64_t x = -1300; x <= 1300; x++) {
                snprintf(text, sizeof(text), "%lld", (long long)x);
                if (grammar_accepts(g, STR(text)) != (x >= lo && x <= hi))
                    fail_msg("%s: %s", name, text);
                snprintf(text, sizeof(text), "0%lld", (long long)x);
                CHECK(name, !grammar_accepts(g, STR(text)));
            }
            snprintf(text, sizeof(text), "99999999999999999999999");
            CHECK(name, grammar_accepts(g, STR(text)) == (hi == INT64_MAX));
            CHECK(name, !grammar_accepts(g, STR("-0")));
            grammar_close(g);
            json_close(s);
        }
    token_trie_close(t);
}

/* '$' ... stand as they are; ' stands for a quotation mark. */
static const struct {
    const char *schema, *words;
} refused[] = {
    {"{'type':'array','uniqueItems':true}", "schema at #: the keyword \"uniqueItems\""},
    {"{'type':'object','properties':{'a':{'multipleOf':2}}}",
     "schema at #/a: the keyword \"multipleOf\""},
    {"{'type':'object','patternProperties':{}}", "\"patternProperties\""},
    {"{'not':{}}", "\"not\""},
    {"{'if':{},'then':{}}", "\"if\""},
    {"{'allOf':[{},{}]}", "more than one schema"},
    {"{'anyOf':[]}", "must be a list of schemas"},
    {"{'anyOf':[{}],'oneOf':[{}]}", "\"oneOf\" beside \"anyOf\""},
    {"{'$ref':'#/a','minimum':1}", "\"minimum\" beside \"$ref\""},
    {"{'oneOf':[{'type':'string'},{'type':['null','string']}]}",
     "may match both number 0 and number 1"},
    {"{'oneOf':[{'type':'integer'},{'type':'number'}]}", "may match both"},
    {"{'oneOf':[{'const':1},{'const':1.0}]}", "may match both"},
    {"{'oneOf':[{'type':'object','properties':{'t':{'const':1}}},{'type':'object','properties':{'t':{'const':2}}}]}",
     "may match both"},
    {"{'oneOf':[{'const':1},{'const':2},{'enum':['a']}]}", NULL},
    {"{'type':'text'}", "no type \"text\""},
    {"{'type':3}", "a name or a list of names"},
    {"{'$ref':'http://x/y'}", "not a place in this schema"},
    {"{'$ref':'#/$defs/no'}", "nothing at \"#/$defs/no\""},
    {"{'$ref':'#'}", "no finite text"},
    {"{'$defs':{'a':{'$ref':'#/$defs/b'},'b':{'$ref':'#/$defs/a'}},'$ref':'#/$defs/a'}",
     "no finite text"},
    {"{'$defs':{'a':{'anyOf':[{'$ref':'#/$defs/a'},{'type':'null'}]}},'$ref':'#/$defs/a'}",
     "refers to itself"},
    {"{'type':'object','properties':{'a':{'$ref':'#'}},'required':['a']}", "no finite text"},
    {"{'type':'object','properties':{'a':{'$ref':'#'}}}", NULL},
    {"{'type':'object','required':['a'],'additionalProperties':false}",
     "\"a\" is required and not allowed"},
    {"{'type':'string','pattern':'(?=a)'}",
     "schema at #/pattern: regular expression, offset 0: `(?=`"},
    {"{'type':'string','pattern':'a','maxLength':3}", "\"maxLength\" beside \"pattern\""},
    {"{'type':'string','format':'email'}", "\"format\": \"email\""},
    {"{'type':'string','format':'date-time'}", NULL},
    {"{'type':'string','minLength':3,'maxLength':2}", "above \"maxLength\""},
    {"{'type':'string','maxLength':1000000}", "from 0 to 65536"},
    {"{'type':'string','maxLength':65536}", "too large"},
    {"{'type':'string','maxLength':20000}", NULL},
    {"{'type':'number','maximum':5}", "\"maximum\" of numbers"},
    {"{'type':'number','minimum':5}", "\"minimum\" other than 0"},
    {"{'type':'integer','minimum':5,'maximum':4}", "no integer is within"},
    {"{'type':'integer','minimum':0.5,'maximum':0.7}", "no integer is within"},
    {"{'type':'array','items':[{}]}", "write \"prefixItems\""},
    {"{'type':'array','minItems':3,'maxItems':2}", "at least 3 items"},
    {"{'enum':[]}", "no value"},
    {"{'type':'integer','const':'a'}", "not of the type"},
    {"{'minLength':2,'title':'x','description':'y','default':3,'examples':[],'$comment':'z','$schema':'s','$id':'i'}",
     NULL},
    {"{'type':'object','properties':{'a':{'$id':'x'}}}", "\"$id\""},
    {"{'type':'object','minProperties':1}", "\"minProperties\""},
    {"false", "no finite text"},
    {"true", NULL},
    {"3", "a schema must be an object"},
    {"{'$defs':{'a/b':{'x~y':{'type':'null'}}},'$ref':'#/$defs/a~1b/x~0y'}", NULL},
    {"{'$defs':{'a b':{'type':'null'}},'anyOf':[{'$ref':'#/$defs/a%20b'}]}", NULL},
};

TEST(refused_by_name)
{
    struct err none = ERR_INIT;
    struct str piece = STR("a");
    struct token_trie *t = token_trie_open(&piece, 1, &none);
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(refused); i++) {
        char *text = arena_strndup(&a, refused[i].schema, strlen(refused[i].schema));
        struct err e = ERR_INIT;
        struct grammar_source s = {.kind = GRAMMAR_JSON_SCHEMA};
        struct grammar *g;

        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        s.json = json_parse(STR(text), &e);
        CHECK_OK(text, s.json || !strchr(text, '{'), &e);
        if (!s.json)
            s.json =
                strcmp(text, "3") == 0 ? json_new_int(3) : json_new_bool(strcmp(text, "true") == 0);
        err_clear(&e);
        g = grammar_open(&s, t, &e);
        if (!refused[i].words)
            CHECK_OK(text, g != NULL, &e);
        else if (g || !strstr(e.msg, refused[i].words))
            fail_msg("%s: \"%s\", expected \"%s\"", text, g ? "taken" : e.msg, refused[i].words);
        grammar_close(g);
        json_close((struct json *)(uintptr_t)s.json);
    }
    token_trie_close(t);
    arena_clear(&a);
}

/* Formats and their edges. */
static const struct {
    const char *format, *text;
    bool want;
} format_cases[] = {
    {"date", "\"2024-02-28\"", true},
    {"date", "\"2024-02-30\"", false},
    {"date", "\"2024-04-31\"", false},
    {"date", "\"2024-12-31\"", true},
    {"date", "\"2024-1-1\"", false},
    {"time", "\"23:59:59Z\"", true},
    {"time", "\"24:00:00Z\"", false},
    {"time", "\"12:00:00.5+01:30\"", true},
    {"time", "\"12:00:00\"", false},
    {"date-time", "\"2024-02-01T00:00:00-23:59\"", true},
    {"uuid", "\"123e4567-e89b-12d3-a456-426614174000\"", true},
    {"uuid", "\"123e4567-e89b-12d3-a456-42661417400\"", false},
    {"ipv4", "\"255.0.10.249\"", true},
    {"ipv4", "\"256.0.0.1\"", false},
    {"ipv4", "\"01.0.0.1\"", false},
};

TEST(formats_of_strings)
{
    struct err none = ERR_INIT;
    struct str piece = STR("a");
    struct token_trie *t = token_trie_open(&piece, 1, &none);

    for (size_t i = 0; i < LEN(format_cases); i++) {
        struct json *s = json_new_object();
        struct grammar *g;

        json_set(s, "type", json_new_str(STR("string")));
        json_set(s, "format", json_new_str(STR(format_cases[i].format)));
        g = open_schema(format_cases[i].format, s, t);
        CHECK_INT(format_cases[i].text, grammar_accepts(g, STR(format_cases[i].text)),
                  format_cases[i].want);
        grammar_close(g);
        json_close(s);
    }
    token_trie_close(t);
}

/* Two alternatives that never differ double the stacks with each bracket: that ends in words, not
 * in all of the memory. */
TEST(too_many_ways_at_once)
{
    static const char text[] =
        "{\"$defs\":{\"t\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}},"
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"}}]}},\"$ref\":\"#/$defs/t\"}";
    static const int32_t end_ids[] = {END_ID};
    struct str two[] = {STR(""), STR("[")};
    struct err e = ERR_INIT;
    struct json *schema = json_parse(STR(text), &e);
    struct token_trie *t = token_trie_open(two, 2, &e);
    struct grammar *g = open_schema("ways", schema, t);
    struct grammar_cursor c = {0};
    int32_t ids[64];
    uint64_t mask[1];
    int n = 0;

    while (n < 64 && grammar_mask(g, &c, ids, n, end_ids, 1, mask) == GRAMMAR_SOME)
        ids[n++] = 1;
    CHECK("some are followed", n > 8 && n < 20);
    CHECK_INT("verdict", grammar_mask(g, &c, ids, n, end_ids, 1, mask), GRAMMAR_OVERRUN);
    grammar_close(g);
    token_trie_close(t);
    json_close(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_drawn_is_valid), cmocka_unit_test(instances_are_taken_if_valid),
        cmocka_unit_test(integers_within_bounds), cmocka_unit_test(refused_by_name),
        cmocka_unit_test(formats_of_strings),     cmocka_unit_test(too_many_ways_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
