/* json_scan.c - a validating reader that only moves a pointer.
 *
 * Strings are nearly all of the bytes of a result file, so their plain stretches are passed eight
 * bytes at a time. Containers are passed with a stack of bits, one for each level. */
#include "formats/json_scan.h"

#include "base/num.h"

enum { MAX_DEPTH = 2048 };

struct cursor {
    const char *ptr, *end;
    const char *fault;
};

static bool refuse(struct cursor *c, const char *why)
{
    if (!c->fault)
        c->fault = why;
    return false;
}

static void skip_blanks(struct cursor *c)
{
    while (c->ptr < c->end &&
           (*c->ptr == ' ' || *c->ptr == '\n' || *c->ptr == '\t' || *c->ptr == '\r'))
        c->ptr++;
}

/* Nonzero if any of eight bytes ends a plain stretch: a quote, a backslash, a control character, or
 * part of a character beyond ASCII. */
static uint64_t not_plain(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');

    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w) | w) &
           tops;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four digits of \uXXXX, or -1. */
static int hex4(const char *p)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool skip_escape(struct cursor *c)
{
    char kind;

    if (c->end - c->ptr < 2)
        return refuse(c, "the string does not end");
    kind = c->ptr[1];
    if (kind == 'u') {
        if (c->end - c->ptr < 6 || hex4(c->ptr + 2) < 0)
            return refuse(c, "\\u wants four hexadecimal digits");
        c->ptr += 6;
        return true;
    }
    if (kind == 0 || !strchr("\"\\/bfnrt", kind))
        return refuse(c, "an unknown escape");
    c->ptr += 2;
    return true;
}

/* A string, from its opening quote to after the closing one. */
static bool skip_string(struct cursor *c)
{
    if (c->ptr == c->end || *c->ptr != '"')
        return refuse(c, "a string was expected");
    c->ptr++;
    for (;;) {
        unsigned char byte;

        while (c->end - c->ptr >= 8) {
            uint64_t w;

            memcpy(&w, c->ptr, 8);
            if (not_plain(w))
                break;
            c->ptr += 8;
        }
        if (c->ptr == c->end)
            return refuse(c, "the string does not end");
        byte = (unsigned char)*c->ptr;
        if (byte == '"') {
            c->ptr++;
            return true;
        }
        if (byte == '\\') {
            if (!skip_escape(c))
                return false;
        } else if (byte < 0x20) {
            return refuse(c, "a control character in a string");
        } else if (byte < 0x80) {
            c->ptr++;
        } else {
            size_t i = 0;

            if (utf8_next((struct str){c->ptr, (size_t)(c->end - c->ptr)}, &i) == UTF8_BAD)
                return refuse(c, "not UTF-8");
            c->ptr += i;
        }
    }
}

static bool skip_digits(struct cursor *c)
{
    const char *from = c->ptr;

    while (c->ptr < c->end && *c->ptr >= '0' && *c->ptr <= '9')
        c->ptr++;
    return c->ptr > from || refuse(c, "a digit was expected");
}

static bool skip_number(struct cursor *c)
{
    if (*c->ptr == '-')
        c->ptr++;
    if (c->ptr < c->end && *c->ptr == '0')
        c->ptr++;
    else if (!skip_digits(c))
        return false;
    if (c->ptr < c->end && *c->ptr == '.') {
        c->ptr++;
        if (!skip_digits(c))
            return false;
    }
    if (c->ptr < c->end && (*c->ptr == 'e' || *c->ptr == 'E')) {
        c->ptr++;
        if (c->ptr < c->end && (*c->ptr == '+' || *c->ptr == '-'))
            c->ptr++;
        return skip_digits(c);
    }
    return true;
}

static bool skip_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->ptr) < n || memcmp(c->ptr, word, n) != 0)
        return refuse(c, "not a JSON value");
    c->ptr += n;
    return true;
}

static bool skip_scalar(struct cursor *c)
{
    switch (*c->ptr) {
    case '"':
        return skip_string(c);
    case 't':
        return skip_word(c, "true");
    case 'f':
        return skip_word(c, "false");
    case 'n':
        return skip_word(c, "null");
    default:
        if (*c->ptr == '-' || (*c->ptr >= '0' && *c->ptr <= '9'))
            return skip_number(c);
        return refuse(c, "not a JSON value");
    }
}

/* "key" and its colon. */
static bool skip_key(struct cursor *c)
{
    skip_blanks(c);
    if (c->ptr == c->end || *c->ptr != '"')
        return refuse(c, "a key in quotes was expected");
    if (!skip_string(c))
        return false;
    skip_blanks(c);
    if (c->ptr == c->end || *c->ptr != ':')
        return refuse(c, "a colon was expected");
    c->ptr++;
    return true;
}

/* One value, blanks before it included. */
static bool skip_value(struct cursor *c)
{
    bool is_object[MAX_DEPTH];
    int depth = 0;

    for (;;) {
        skip_blanks(c);
        if (c->ptr == c->end)
            return refuse(c, "the text ends too early");
        if (*c->ptr == '{' || *c->ptr == '[') {
            char close = *c->ptr == '{' ? '}' : ']';

            if (depth == MAX_DEPTH)
                return refuse(c, "nested too deeply");
            is_object[depth++] = close == '}';
            c->ptr++;
            skip_blanks(c);
            if (c->ptr == c->end || *c->ptr != close) {
                if (close == '}' && !skip_key(c))
                    return false;
                continue;
            }
            c->ptr++;
            depth--;
        } else if (!skip_scalar(c)) {
            return false;
        }
        /* A value is complete: close what it completes, up to the next comma. */
        for (;;) {
            if (depth == 0)
                return true;
            skip_blanks(c);
            if (c->ptr == c->end)
                return refuse(c, "the text ends too early");
            if (*c->ptr == ',') {
                c->ptr++;
                if (is_object[depth - 1] && !skip_key(c))
                    return false;
                break;
            }
            if (*c->ptr != (is_object[depth - 1] ? '}' : ']'))
                return refuse(c, "a comma or a closing bracket was expected");
            c->ptr++;
            depth--;
        }
    }
}

struct json_scan json_scan(struct str text)
{
    return (struct json_scan){.text = text, .key = {"", 0}, .value = {"", 0}};
}

static bool scan_fault(struct json_scan *s, const struct cursor *c, const char *why)
{
    s->at = (size_t)(c->ptr - s->text.ptr);
    s->fault = c->fault ? c->fault : why;
    return false;
}

/* After the closing bracket only blanks may follow. */
static bool scan_end(struct json_scan *s, struct cursor *c)
{
    c->ptr++;
    skip_blanks(c);
    if (c->ptr != c->end)
        return scan_fault(s, c, "text after the end of the value");
    s->at = s->text.len;
    s->is_over = true;
    return false;
}

bool json_scan_next(struct json_scan *s)
{
    struct cursor c = {.ptr = s->text.ptr + s->at, .end = s->text.ptr + s->text.len};
    const char *from;

    if (s->fault || s->is_over)
        return false;
    skip_blanks(&c);
    if (c.ptr == c.end)
        return scan_fault(s, &c, "the text ends too early");
    if (!s->has_begun) {
        s->has_begun = true;
        if (*c.ptr != '{' && *c.ptr != '[')
            return scan_fault(s, &c, "neither an object nor an array");
        s->close = *c.ptr++ == '{' ? '}' : ']';
        skip_blanks(&c);
        if (c.ptr < c.end && *c.ptr == s->close)
            return scan_end(s, &c);
    } else if (*c.ptr == s->close) {
        return scan_end(s, &c);
    } else if (*c.ptr++ != ',') {
        c.ptr--;
        return scan_fault(s, &c, "a comma or a closing bracket was expected");
    }
    skip_blanks(&c);
    if (s->close == '}') {
        from = c.ptr + 1;
        if (!skip_key(&c))
            return scan_fault(s, &c, NULL);
        s->key = (struct str){from, (size_t)(c.ptr - from) - 1};
        while (s->key.ptr[s->key.len] != '"') /* back from the colon over blanks */
            s->key.len--;
        s->has_escaped_key = memchr(s->key.ptr, '\\', s->key.len) != NULL;
        skip_blanks(&c);
    }
    from = c.ptr;
    if (!skip_value(&c))
        return scan_fault(s, &c, NULL);
    s->value = (struct str){from, (size_t)(c.ptr - from)};
    s->at = (size_t)(c.ptr - s->text.ptr);
    return true;
}

bool json_scan_escaped_key_is(const struct json_scan *s, const char *key)
{
    struct buf plain = {0};
    bool is_same;

    json_raw_str((struct str){s->key.ptr - 1, s->key.len + 2}, &plain);
    is_same = str_eqz(buf_str(&plain), key);
    buf_clear(&plain);
    return is_same;
}

struct str json_scan_get(struct str object, const char *key)
{
    struct json_scan s = json_scan(object);
    struct str found = {"", 0};

    while (json_scan_next(&s))
        if (s.close == '}' && json_scan_key_is(&s, key))
            found = s.value;
    return s.fault ? (struct str){"", 0} : found;
}

bool json_scan_valid(struct str text, size_t *at, const char **fault)
{
    struct cursor c = {.ptr = text.ptr, .end = text.ptr + text.len};
    bool is_valid = skip_value(&c);

    if (is_valid) {
        skip_blanks(&c);
        is_valid = c.ptr == c.end || refuse(&c, "text after the end of the value");
    }
    if (at)
        *at = (size_t)(c.ptr - text.ptr);
    if (fault)
        *fault = c.fault;
    return is_valid;
}

bool json_raw_is_string(struct str raw)
{
    return raw.len >= 2 && raw.ptr[0] == '"';
}

/* \uXXXX at p, of which the string has n bytes left; returns the bytes that were read. */
static size_t add_unicode_escape(struct buf *out, const char *p, size_t n)
{
    uint32_t unit = (uint32_t)hex4(p + 2);

    if (unit >= 0xD800 && unit < 0xDC00 && n >= 12 && p[6] == '\\' && p[7] == 'u') {
        uint32_t low = (uint32_t)hex4(p + 8);

        if (low >= 0xDC00 && low < 0xE000) {
            buf_add_utf8(out, 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
            return 12;
        }
    }
    buf_add_utf8(out, unit >= 0xD800 && unit < 0xE000 ? 0xFFFD : unit);
    return 6;
}

bool json_raw_str(struct str raw, struct buf *out)
{
    const char *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;

    if (!json_raw_is_string(raw))
        return false;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        const char *stop = slash ? slash : end;

        buf_add(out, p, (size_t)(stop - p));
        p = stop;
        if (!slash)
            break;
        if (p[1] == 'u') {
            p += add_unicode_escape(out, p, (size_t)(end - p));
            continue;
        }
        switch (p[1]) {
        case 'b':
            buf_addc(out, '\b');
            break;
        case 'f':
            buf_addc(out, '\f');
            break;
        case 'n':
            buf_addc(out, '\n');
            break;
        case 'r':
            buf_addc(out, '\r');
            break;
        case 't':
            buf_addc(out, '\t');
            break;
        default:
            buf_addc(out, p[1]);
        }
        p += 2;
    }
    return true;
}

bool json_raw_int(struct str raw, int64_t *out)
{
    return parse_i64(raw, out);
}

bool json_raw_is_null(struct str raw)
{
    return str_eqz(raw, "null");
}

bool json_raw_is_truthy(struct str raw)
{
    struct json_scan s;
    double x;

    if (raw.len == 0 || json_raw_is_null(raw) || str_eqz(raw, "false") || str_eqz(raw, "\"\""))
        return false;
    if (raw.ptr[0] == '{' || raw.ptr[0] == '[') {
        s = json_scan(raw);
        return json_scan_next(&s);
    }
    return !(parse_f64(raw, &x) && x == 0);
}
