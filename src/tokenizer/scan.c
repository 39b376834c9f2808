/* scan.c - JSON, RFC 8259, without a tree. */
#include "tokenizer/scan.h"

#include "base/num.h"
#include "tokenizer/chars.h"

#define MAX_DEPTH 512

struct scan scan_init(struct str file, struct str part)
{
    return (struct scan){.p = part.ptr, .begin = file.ptr, .end = part.ptr + part.len};
}

void scan_clear(struct scan *s)
{
    buf_clear(&s->unescaped);
}

bool scan_fail(struct scan *s, const char *expected, struct err *e)
{
    size_t line = 1, column = 1;

    for (const char *p = s->begin; p < s->p; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    if (s->p >= s->end)
        return err_set(e, ERR_INPUT,
                       "not valid at line %zu, column %zu: expected %s, found the end", line,
                       column, expected);
    return err_set(e, ERR_INPUT, "not valid at line %zu, column %zu: expected %s, found '%c'", line,
                   column, expected, *s->p >= 32 && *s->p < 127 ? *s->p : '?');
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

bool scan_is(struct scan *s, char c)
{
    skip_blanks(s);
    return s->p < s->end && *s->p == c;
}

bool scan_take(struct scan *s, char c)
{
    if (!scan_is(s, c))
        return false;
    s->p++;
    return true;
}

bool scan_expect(struct scan *s, char c, struct err *e)
{
    const char words[] = {'\'', c, '\'', '\0'};

    return scan_take(s, c) || scan_fail(s, words, e);
}

static bool read_unit(struct scan *s, uint32_t *unit)
{
    *unit = 0;
    if (s->end - s->p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *s->p++;
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;

        if (digit < 0)
            return false;
        *unit = *unit * 16 + (uint32_t)digit;
    }
    return true;
}

/* s->p after the backslash. */
static bool read_escape(struct scan *s, struct err *e)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *at;
    uint32_t c, low;

    if (s->p >= s->end)
        return scan_fail(s, "an escape", e);
    at = *s->p ? strchr(names, *s->p) : NULL;
    if (at) {
        buf_addc(&s->unescaped, values[at - names]);
        s->p++;
        return true;
    }
    if (*s->p++ != 'u' || !read_unit(s, &c))
        return scan_fail(s, "an escape", e);
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (s->end - s->p < 2 || s->p[0] != '\\' || s->p[1] != 'u')
            return scan_fail(s, "the second half of a surrogate pair", e);
        s->p += 2;
        if (!read_unit(s, &low) || low < 0xDC00 || low > 0xDFFF)
            return scan_fail(s, "the second half of a surrogate pair", e);
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
        return scan_fail(s, "no half of a surrogate pair", e);
    }
    buf_add_utf8(&s->unescaped, c);
    return true;
}

bool scan_string(struct scan *s, struct str *out, struct err *e)
{
    const char *from;
    bool has_escapes = false;

    if (!scan_take(s, '"'))
        return scan_fail(s, "a string", e);
    from = s->p;
    for (;;) {
        while (s->p < s->end && *s->p != '"' && *s->p != '\\' && (unsigned char)*s->p >= 32)
            s->p++;
        if (s->p >= s->end || (unsigned char)*s->p < 32)
            return scan_fail(s, "the end of a string", e);
        if (*s->p == '"')
            break;
        if (!has_escapes)
            buf_reset(&s->unescaped);
        has_escapes = true;
        buf_add(&s->unescaped, from, (size_t)(s->p - from));
        s->p++;
        if (!read_escape(s, e))
            return false;
        from = s->p;
    }
    *out = (struct str){from, (size_t)(s->p - from)};
    if (has_escapes) {
        buf_add_str(&s->unescaped, *out);
        *out = buf_str(&s->unescaped);
    }
    s->p++;
    return true;
}

static struct str scan_number(struct scan *s)
{
    const char *from;

    skip_blanks(s);
    from = s->p;
    while (s->p < s->end && ((*s->p >= '0' && *s->p <= '9') || *s->p == '-' || *s->p == '+' ||
                             *s->p == '.' || (*s->p | 32) == 'e'))
        s->p++;
    return (struct str){from, (size_t)(s->p - from)};
}

bool scan_int(struct scan *s, int64_t *out, struct err *e)
{
    struct str number = scan_number(s);

    if (number.len > 0 && number.len < 10 && number.ptr[0] != '-' && number.ptr[0] != '+') {
        *out = 0;
        for (size_t i = 0; i < number.len; i++) {
            if (number.ptr[i] < '0' || number.ptr[i] > '9')
                break;
            *out = *out * 10 + (number.ptr[i] - '0');
            if (i + 1 == number.len)
                return true;
        }
    }
    s->p = number.ptr;
    return scan_fail(s, "an integer of at most nine digits", e);
}

bool scan_real(struct scan *s, double *out, struct err *e)
{
    struct str number = scan_number(s);

    if (number.len && parse_f64(number, out))
        return true;
    s->p = number.ptr;
    return scan_fail(s, "a number", e);
}

bool scan_end(struct scan *s, struct err *e)
{
    skip_blanks(s);
    return s->p >= s->end || scan_fail(s, "nothing more", e);
}

/* --- Cutting the file ------------------------------------------------------------------------- */

static bool skip_string(struct scan *s, struct err *e)
{
    if (!scan_expect(s, '"', e))
        return false;
    while (s->p < s->end && *s->p != '"')
        s->p += *s->p == '\\' && s->end - s->p > 1 ? 2 : 1;
    return scan_expect(s, '"', e);
}

/* Any value; only its brackets and strings are looked at, since a stricter reader follows. */
static bool skip_value(struct scan *s, struct err *e)
{
    int depth = 0;

    do {
        skip_blanks(s);
        if (s->p >= s->end)
            return scan_fail(s, "a value", e);
        if (*s->p == '"') {
            if (!skip_string(s, e))
                return false;
            continue;
        }
        if (*s->p == '[' || *s->p == '{') {
            if (++depth > MAX_DEPTH)
                return scan_fail(s, "fewer levels", e);
        } else if (*s->p == ']' || *s->p == '}') {
            if (--depth < 0)
                return scan_fail(s, "a value", e);
        } else if (depth == 0) {
            while (s->p < s->end && !strchr(",]} \t\r\n", *s->p))
                s->p++;
            return true;
        }
        s->p++;
    } while (depth > 0);
    return true;
}

/* Walks the members of an object: key, then visit at its value. */
typedef bool visit_member(struct scan *s, struct str key, void *ctx, struct err *e);

static bool walk_object(struct scan *s, visit_member *visit, void *ctx, struct err *e)
{
    struct str key;

    if (!scan_expect(s, '{', e))
        return false;
    if (scan_take(s, '}'))
        return true;
    do {
        const char *from;

        skip_blanks(s);
        from = s->p;
        if (!skip_string(s, e))
            return false;
        key = (struct str){from + 1, (size_t)(s->p - from) - 2};
        if (!scan_expect(s, ':', e))
            return false;
        skip_blanks(s);
        if (!visit(s, key, ctx, e))
            return false;
    } while (scan_take(s, ','));
    return scan_expect(s, '}', e);
}

struct cutter {
    struct scan_parts *parts;
    struct buf *rest;
    const char *copied; /* up to here the file is in rest */
};

static bool cut_here(struct scan *s, struct cutter *c, struct str *part, struct err *e)
{
    const char *from = s->p;

    if (!skip_value(s, e))
        return false;
    if (part->ptr) {
        s->p = from;
        return scan_fail(s, "this key only once", e);
    }
    *part = (struct str){from, (size_t)(s->p - from)};
    buf_add(c->rest, c->copied, (size_t)(from - c->copied));
    buf_addz(c->rest, "null");
    c->copied = s->p;
    return true;
}

static bool visit_model(struct scan *s, struct str key, void *ctx, struct err *e)
{
    struct cutter *c = ctx;

    if (str_eqz(key, "vocab"))
        return cut_here(s, c, &c->parts->vocab, e);
    if (str_eqz(key, "merges"))
        return cut_here(s, c, &c->parts->merges, e);
    return skip_value(s, e);
}

static bool visit_top(struct scan *s, struct str key, void *ctx, struct err *e)
{
    if (str_eqz(key, "model") && scan_is(s, '{'))
        return walk_object(s, visit_model, ctx, e);
    return skip_value(s, e);
}

bool scan_cut(struct str file, struct scan_parts *parts, struct buf *rest, struct err *e)
{
    struct scan s = scan_init(file, file);
    struct cutter c = {parts, rest, file.ptr};

    *parts = (struct scan_parts){0};
    if (!text_is_utf8(file))
        return err_set(e, ERR_INPUT, "the file is not UTF-8");
    if (!walk_object(&s, visit_top, &c, e) || !scan_end(&s, e))
        return false;
    buf_add(rest, c.copied, (size_t)(file.ptr + file.len - c.copied));
    return true;
}
