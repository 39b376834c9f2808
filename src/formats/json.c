/* json.c - a thin skin over jansson. A struct json is a json_t under another name; jansson's own
 * type names collide with ours, so they are renamed while its header is read. Its json_is_* macros
 * would then compare with our names: json_type takes their place. */
#define json_type   jansson_type
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY  JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_REAL   JANSSON_REAL
#define JSON_NULL   JANSSON_NULL
#include <jansson.h>
#undef json_type
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_REAL
#undef JSON_NULL

#include "formats/json.h"

#include <math.h>

#include "base/arena.h"
#include "base/file.h"

static json_t *j(const struct json *v)
{
    return (json_t *)(uintptr_t)v;
}

static struct json *own(json_t *v)
{
    if (!v) {
        fprintf(stderr, "llmeval: out of memory in a JSON value\n");
        abort();
    }
    return (struct json *)v;
}

/* jansson refuses integers beyond 64 bits. Here they become reals: digit runs outside strings that
 * are long enough to be such an integer get ".0". */
static void mark_long_integers(struct str text, struct buf *out)
{
    bool in_string = false;
    size_t i = 0;

    while (i < text.len) {
        char c = text.ptr[i];
        size_t from = i;
        bool is_integer = true;

        if (in_string || c < '0' || c > '9') {
            if (in_string && c == '\\' && i + 1 < text.len)
                buf_addc(out, text.ptr[i++]);
            else if (c == '"')
                in_string = !in_string;
            buf_addc(out, text.ptr[i++]);
            continue;
        }
        for (; i < text.len && text.ptr[i] && strchr("0123456789+-.eE", text.ptr[i]); i++)
            is_integer &= strchr(".eE", text.ptr[i]) == NULL;
        buf_add(out, text.ptr + from, i - from);
        if (i - from >= 18 && is_integer)
            buf_addz(out, ".0");
    }
}

struct json *json_parse(struct str text, struct err *e)
{
    const size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t je;
    json_t *v = json_loadb(text.ptr ? text.ptr : "", text.len, flags, &je);

    if (!v && json_error_code(&je) == json_error_numeric_overflow) {
        struct buf marked = {0};

        mark_long_integers(text, &marked);
        v = json_loadb(buf_z(&marked), marked.len, flags, &je);
        buf_clear(&marked);
    }
    if (!v)
        err_set(e, ERR_INPUT, "not valid JSON at line %d, column %d: %s", je.line, je.column,
                je.text);
    return (struct json *)v;
}

struct json *json_parse_file(const char *path, size_t max_bytes, struct err *e)
{
    struct buf text = {0};
    struct json *v = NULL;

    if (file_read(path, max_bytes, &text, e)) {
        v = json_parse(buf_str(&text), e);
        if (!v)
            err_prefix(e, "%s", path);
    }
    buf_clear(&text);
    return v;
}

struct json *json_clone(const struct json *v)
{
    return own(json_deep_copy(j(v)));
}

void json_close(struct json *v)
{
    json_decref(j(v));
}

enum json_type json_type(const struct json *v)
{
    if (!v)
        return JSON_ABSENT;
    switch (json_typeof(j(v))) {
    case JANSSON_OBJECT:
        return JSON_OBJECT;
    case JANSSON_ARRAY:
        return JSON_ARRAY;
    case JANSSON_STRING:
        return JSON_STRING;
    case JSON_INTEGER:
        return JSON_INT;
    case JANSSON_REAL:
        return JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_BOOL;
    case JANSSON_NULL:
        return JSON_NULL;
    }
    return JSON_ABSENT;
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = {"nothing",  "null",     "a boolean", "an integer",
                                        "a number", "a string", "an array",  "an object"};
    return names[t];
}

bool json_same(const struct json *a, const struct json *b)
{
    return json_equal(j(a), j(b));
}

bool json_bool(const struct json *v, bool otherwise)
{
    return json_type(v) == JSON_BOOL ? json_typeof(j(v)) == JSON_TRUE : otherwise;
}

int64_t json_int(const struct json *v, int64_t otherwise)
{
    double x;

    if (json_type(v) == JSON_INT)
        return json_integer_value(j(v));
    if (json_type(v) != JSON_REAL)
        return otherwise;
    x = json_real_value(j(v));
    return x == trunc(x) && fabs(x) < 9007199254740992.0 ? (int64_t)x : otherwise;
}

double json_num(const struct json *v, double otherwise)
{
    return json_type(v) == JSON_INT || json_type(v) == JSON_REAL ? json_number_value(j(v))
                                                                 : otherwise;
}

struct str json_str(const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return (struct str){"", 0};
    return (struct str){json_string_value(j(v)), json_string_length(j(v))};
}

size_t json_len(const struct json *v)
{
    return json_type(v) == JSON_ARRAY ? json_array_size(j(v)) : json_object_size(j(v));
}

struct json *json_at(const struct json *array, size_t i)
{
    return (struct json *)json_array_get(j(array), i);
}

struct json *json_get(const struct json *object, const char *key)
{
    return (struct json *)json_object_get(j(object), key);
}

struct json *json_get_str(const struct json *object, struct str key)
{
    return (struct json *)json_object_getn(j(object), key.ptr ? key.ptr : "", key.len);
}

struct json_iter json_iter(const struct json *v)
{
    struct json_iter it = {.in = v};

    if (json_type(v) == JSON_OBJECT)
        it.at = json_object_iter(j(v));
    return it;
}

bool json_next(struct json_iter *it)
{
    if (json_type(it->in) == JSON_ARRAY) {
        it->value = json_at(it->in, it->i++);
        return it->value != NULL;
    }
    if (!it->at)
        return false;
    it->key = (struct str){json_object_iter_key(it->at), json_object_iter_key_len(it->at)};
    it->value = (struct json *)json_object_iter_value(it->at);
    it->at = json_object_iter_next(j(it->in), it->at);
    return true;
}

struct json *json_new_object(void)
{
    return own(json_object());
}

struct json *json_new_array(void)
{
    return own(json_array());
}

struct json *json_new_null(void)
{
    return own(json_null());
}

struct json *json_new_bool(bool b)
{
    return own(json_boolean(b));
}

struct json *json_new_int(int64_t i)
{
    return own(json_integer(i));
}

struct json *json_new_real(double x)
{
    return isfinite(x) ? own(json_real(x)) : json_new_null();
}

struct json *json_new_str(struct str s)
{
    struct buf repaired = {0};
    json_t *v = json_stringn(s.ptr ? s.ptr : "", s.len);

    if (!v) {
        utf8_repair(&repaired, s);
        v = json_stringn(buf_z(&repaired), repaired.len);
        buf_clear(&repaired);
    }
    return own(v);
}

void json_set(struct json *object, const char *key, struct json *child)
{
    if (json_object_set_new_nocheck(j(object), key, j(child)) != 0)
        own(NULL);
}

void json_push(struct json *array, struct json *child)
{
    if (json_array_append_new(j(array), j(child)) != 0)
        own(NULL);
}

bool json_remove(struct json *object, const char *key)
{
    return json_object_del(j(object), key) == 0;
}

static void write_escaped(struct buf *out, unsigned char c)
{
    static const char letters[] = "btnvfr"; /* from 8 on; 11 has no short form */

    if (c == '"' || c == '\\')
        buf_addf(out, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11)
        buf_addf(out, "\\%c", letters[c - 8]);
    else
        buf_addf(out, "\\u%04x", c);
}

void json_write_str(struct buf *out, struct str s)
{
    struct buf repaired = {0};
    size_t from = 0;

    if (!utf8_valid(s)) {
        utf8_repair(&repaired, s);
        s = buf_str(&repaired);
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(out, s.ptr + from, i - from);
        write_escaped(out, c);
        from = i + 1;
    }
    buf_add(out, s.ptr + from, s.len - from);
    buf_addc(out, '"');
    buf_clear(&repaired);
}

/* indent < 0: one line. Depth is bounded by the parser and by whoever builds trees. */
static void write_value(struct buf *out, const struct json *v, int indent, int depth);

static void new_line(struct buf *out, int indent, int depth)
{
    if (indent < 0)
        return;
    buf_addc(out, '\n');
    for (int i = 0; i < indent * depth; i++)
        buf_addc(out, ' ');
}

static void write_container(struct buf *out, const struct json *v, int indent, int depth)
{
    bool is_object = json_type(v) == JSON_OBJECT, first = true;

    buf_addc(out, is_object ? '{' : '[');
    for (struct json_iter it = json_iter(v); json_next(&it); first = false) {
        if (!first)
            buf_addz(out, indent < 0 ? ", " : ",");
        new_line(out, indent, depth + 1);
        if (is_object) {
            json_write_str(out, it.key);
            buf_addz(out, ": ");
        }
        write_value(out, it.value, indent, depth + 1);
    }
    if (!first)
        new_line(out, indent, depth);
    buf_addc(out, is_object ? '}' : ']');
}

static void write_value(struct buf *out, const struct json *v, int indent, int depth)
{
    switch (json_type(v)) {
    case JSON_ABSENT:
    case JSON_NULL:
        buf_addz(out, "null");
        break;
    case JSON_BOOL:
        buf_addz(out, json_bool(v, false) ? "true" : "false");
        break;
    case JSON_INT:
        buf_addf(out, "%lld", (long long)json_int(v, 0));
        break;
    case JSON_REAL:
        buf_add_f64(out, json_num(v, 0));
        break;
    case JSON_STRING:
        json_write_str(out, json_str(v));
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_container(out, v, indent, depth);
        break;
    }
}

void json_write(struct buf *out, const struct json *v)
{
    write_value(out, v, -1, 0);
}

void json_write_indent(struct buf *out, const struct json *v, int indent)
{
    write_value(out, v, indent, 0);
}
