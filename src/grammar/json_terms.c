/* json_terms.c - see json_terms.h. */
#include "grammar/json_terms.h"

#include <inttypes.h>

#include "formats/json.h"

enum { MAX_INDENT = 32 };

void json_terms_init(struct json_terms *j, struct terms *t)
{
    *j = (struct json_terms){t, -1, -1, -1, -1, -1, -1, -1};
}

static struct term *one_of(struct terms *t, const char *chars)
{
    struct char_set set = {0};
    struct term *out;

    for (; *chars; chars++)
        char_set_add(&set, (unsigned char)*chars, (unsigned char)*chars);
    char_set_settle(&set);
    out = term_chars(t, set.ranges, set.n);
    char_set_clear(&set);
    return out;
}

static struct term *range(struct terms *t, uint32_t lo, uint32_t hi)
{
    return term_chars(t, &(struct char_range){lo, hi}, 1);
}

static struct term *optional(struct terms *t, struct term *body)
{
    return term_repeat(t, body, 0, 1);
}

static struct term *digits(struct terms *t, int min, int max)
{
    return term_repeat(t, range(t, '0', '9'), min, max);
}

struct term *json_term_gap(struct json_terms *j)
{
    struct terms *t = j->terms;

    if (j->gap < 0) {
        j->gap = terms_declare(t);
        terms_define(t, j->gap,
                     TERM_ALT(t, term_text(t, ""), term_text(t, " "),
                              TERM_SEQ(t, term_text(t, "\n"),
                                       term_repeat(t, one_of(t, " \t"), 0, MAX_INDENT))));
    }
    return term_call(t, j->gap);
}

struct term *json_term_colon(struct json_terms *j)
{
    return TERM_SEQ(j->terms, term_text(j->terms, ":"),
                    optional(j->terms, term_text(j->terms, " ")));
}

struct term *json_term_comma(struct json_terms *j)
{
    return TERM_SEQ(j->terms, term_text(j->terms, ","), json_term_gap(j));
}

/* --- strings ---------------------------------------------------------------------------------- */

struct term *json_term_char(struct json_terms *j)
{
    static const struct char_range plain[] = {
        {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, MAX_CODE_POINT}};
    struct terms *t = j->terms;
    struct term *hex, *unit, *pair;

    if (j->chars < 0) {
        j->chars = terms_declare(t);
        hex = one_of(t, "0123456789abcdefABCDEF");
        unit = TERM_ALT(t, TERM_SEQ(t, one_of(t, "0123456789abcefABCEF"), hex, hex, hex),
                        TERM_SEQ(t, one_of(t, "dD"), range(t, '0', '7'), hex, hex));
        pair = TERM_SEQ(t, one_of(t, "dD"), one_of(t, "89abAB"), hex, hex, term_text(t, "\\u"),
                        one_of(t, "dD"), one_of(t, "cdefCDEF"), hex, hex);
        terms_define(
            t, j->chars,
            TERM_ALT(t, term_chars(t, plain, LEN(plain)),
                     TERM_SEQ(t, term_text(t, "\\"),
                              TERM_ALT(t, one_of(t, "\"\\/bfnrt"),
                                       TERM_SEQ(t, term_text(t, "u"), TERM_ALT(t, unit, pair))))));
    }
    return term_call(t, j->chars);
}

struct term *json_term_string(struct json_terms *j)
{
    struct terms *t = j->terms;

    if (j->string < 0) {
        j->string = terms_declare(t);
        terms_define(t, j->string,
                     TERM_SEQ(t, term_text(t, "\""), term_repeat(t, json_term_char(j), 0, -1),
                              term_text(t, "\"")));
    }
    return term_call(t, j->string);
}

static struct term *escaped(struct terms *t, uint32_t c)
{
    static const char names[] = "btnvfr"; /* of 8 to 13; JSON has no \v */
    char z[8];

    if (c == '"' || c == '\\')
        snprintf(z, sizeof(z), "\\%c", (int)c);
    else if (c >= 8 && c <= 13 && c != 11)
        snprintf(z, sizeof(z), "\\%c", names[c - 8]);
    else
        snprintf(z, sizeof(z), "\\u%04x", (unsigned)c);
    return term_text(t, z);
}

static bool has_char(const struct char_set *s, uint32_t c)
{
    for (int i = 0; i < s->n; i++)
        if (c >= s->ranges[i].lo && c <= s->ranges[i].hi)
            return true;
    return false;
}

struct term *json_term_string_chars(struct terms *t, const struct char_set *s)
{
    static const struct char_range plain[] = {
        {0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, MAX_CODE_POINT}};
    struct term *parts[0x20 + 3];
    struct char_set bare = {0};
    int n = 0;

    for (int i = 0; i < s->n; i++)
        for (size_t k = 0; k < LEN(plain); k++)
            char_set_add(&bare, MAX(s->ranges[i].lo, plain[k].lo),
                         MIN(s->ranges[i].hi, plain[k].hi));
    parts[n++] = term_chars(t, bare.ranges, bare.n);
    char_set_clear(&bare);
    for (uint32_t c = 0; c <= '\\'; c = c == 0x1F ? '"' : c == '"' ? '\\' : c + 1)
        if (has_char(s, c))
            parts[n++] = escaped(t, c);
    return term_alt(t, parts, n);
}

/* --- numbers ---------------------------------------------------------------------------------- */

struct term *json_term_integer(struct json_terms *j)
{
    struct terms *t = j->terms;

    return TERM_ALT(
        t, term_text(t, "0"),
        TERM_SEQ(t, optional(t, term_text(t, "-")), range(t, '1', '9'), digits(t, 0, -1)));
}

/* Exponents have at most two digits: larger ones overflow in most readers. */
struct term *json_term_positive(struct json_terms *j)
{
    struct terms *t = j->terms;

    return TERM_SEQ(
        t, TERM_ALT(t, term_text(t, "0"), TERM_SEQ(t, range(t, '1', '9'), digits(t, 0, -1))),
        optional(t, TERM_SEQ(t, term_text(t, "."), digits(t, 1, -1))),
        optional(t, TERM_SEQ(t, one_of(t, "eE"), optional(t, one_of(t, "+-")), digits(t, 1, 2))));
}

struct term *json_term_number(struct json_terms *j)
{
    struct terms *t = j->terms;

    if (j->number < 0) {
        j->number = terms_declare(t);
        terms_define(t, j->number,
                     TERM_SEQ(t, optional(t, term_text(t, "-")), json_term_positive(j)));
    }
    return term_call(t, j->number);
}

/* Texts of as many digits as z has that are at least z (sign 1) or at most z (sign -1). */
static struct term *digits_beyond(struct terms *t, const char *z, int sign)
{
    size_t n = strlen(z);
    struct term *rest = term_text(t, "");

    for (size_t i = n; i > 0; i--) {
        uint32_t c = (unsigned char)z[i - 1];
        struct term *same = TERM_SEQ(t, range(t, c, c), rest);
        bool has_beyond = sign > 0 ? c < '9' : c > '0';

        rest = has_beyond
                   ? TERM_ALT(t, same,
                              TERM_SEQ(t, sign > 0 ? range(t, c + 1, '9') : range(t, '0', c - 1),
                                       digits(t, (int)(n - i), (int)(n - i))))
                   : same;
    }
    return rest;
}

/* Texts between two of equal length, ends included. */
static struct term *digits_between(struct terms *t, const char *lo, const char *hi)
{
    size_t n = strlen(lo), same = 0;
    struct term *parts[3];
    int n_parts = 0, n_rest;

    while (same < n && lo[same] == hi[same])
        same++;
    if (same == n)
        return term_text(t, lo);
    n_rest = (int)(n - same - 1);
    parts[n_parts++] = TERM_SEQ(t, range(t, (unsigned char)lo[same], (unsigned char)lo[same]),
                                digits_beyond(t, lo + same + 1, 1));
    if (hi[same] - lo[same] > 1)
        parts[n_parts++] =
            TERM_SEQ(t, range(t, (unsigned char)lo[same] + 1u, (unsigned char)hi[same] - 1u),
                     digits(t, n_rest, n_rest));
    parts[n_parts++] = TERM_SEQ(t, range(t, (unsigned char)hi[same], (unsigned char)hi[same]),
                                digits_beyond(t, hi + same + 1, -1));
    return TERM_SEQ(t, term_bytes(t, (struct str){lo, same}), term_alt(t, parts, n_parts));
}

/* Positive integers from lo on, to hi unless there is no such bound. */
static struct term *magnitudes(struct terms *t, uint64_t lo, bool has_hi, uint64_t hi)
{
    struct term *parts[24];
    int n = 0;
    uint64_t first = 1;
    char from[24], to[24];

    for (int len = 1; len <= 20; len++) {
        uint64_t last = len < 20 ? first * 10 - 1 : UINT64_MAX;

        if (lo <= last && (!has_hi || hi >= first)) {
            if (!has_hi && lo <= first) {
                parts[n++] = TERM_SEQ(t, range(t, '1', '9'), digits(t, len - 1, -1));
                break;
            }
            snprintf(from, sizeof(from), "%" PRIu64, MAX(lo, first));
            snprintf(to, sizeof(to), "%" PRIu64, has_hi ? MIN(hi, last) : last);
            parts[n++] = digits_between(t, from, to);
        }
        first = last + 1;
    }
    return term_alt(t, parts, n);
}

struct term *json_term_integer_range(struct json_terms *j, bool has_lo, int64_t lo, bool has_hi,
                                     int64_t hi)
{
    struct terms *t = j->terms;
    struct term *parts[3];
    int n = 0;

    if (has_lo && has_hi && lo > hi)
        return NULL;
    if (!has_lo || lo < 0) { /* -x with x from max(1, -hi) to -lo */
        uint64_t least = has_hi && hi < 0 ? 0 - (uint64_t)hi : 1;

        parts[n++] = TERM_SEQ(t, term_text(t, "-"),
                              magnitudes(t, least, has_lo, has_lo ? 0 - (uint64_t)lo : 0));
    }
    if ((!has_lo || lo <= 0) && (!has_hi || hi >= 0))
        parts[n++] = term_text(t, "0");
    if (!has_hi || hi > 0)
        parts[n++] = magnitudes(t, has_lo && lo > 0 ? (uint64_t)lo : 1, has_hi, (uint64_t)hi);
    return term_alt(t, parts, n);
}

/* --- values ----------------------------------------------------------------------------------- */

struct term *json_term_any_object(struct json_terms *j)
{
    struct terms *t = j->terms;
    struct term *pair;

    if (j->object < 0) {
        j->object = terms_declare(t);
        pair = TERM_SEQ(t, json_term_string(j), json_term_colon(j), json_term_any(j));
        terms_define(
            t, j->object,
            TERM_SEQ(
                t, term_text(t, "{"), json_term_gap(j),
                optional(t, TERM_SEQ(t, pair,
                                     term_repeat(t, TERM_SEQ(t, json_term_comma(j), pair), 0, -1),
                                     json_term_gap(j))),
                term_text(t, "}")));
    }
    return term_call(t, j->object);
}

struct term *json_term_any_array(struct json_terms *j)
{
    struct terms *t = j->terms;

    if (j->array < 0) {
        j->array = terms_declare(t);
        terms_define(
            t, j->array,
            TERM_SEQ(t, term_text(t, "["), json_term_gap(j),
                     optional(t, TERM_SEQ(t, json_term_any(j),
                                          term_repeat(
                                              t, TERM_SEQ(t, json_term_comma(j), json_term_any(j)),
                                              0, -1),
                                          json_term_gap(j))),
                     term_text(t, "]")));
    }
    return term_call(t, j->array);
}

struct term *json_term_any(struct json_terms *j)
{
    struct terms *t = j->terms;

    if (j->value < 0) {
        j->value = terms_declare(t);
        terms_define(t, j->value,
                     TERM_ALT(t, json_term_any_object(j), json_term_any_array(j),
                              json_term_string(j), json_term_number(j), term_text(t, "true"),
                              term_text(t, "false"), term_text(t, "null")));
    }
    return term_call(t, j->value);
}

struct term *json_term_literal(struct json_terms *j, const struct json *v)
{
    struct terms *t = j->terms;
    enum json_type type = json_type(v);
    bool is_object = type == JSON_OBJECT;
    struct term *out = term_text(t, is_object ? "{" : "[");
    struct buf text = {0};
    int n_done = 0;

    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        json_write(&text, v);
        out = term_bytes(t, buf_str(&text));
        buf_clear(&text);
        return out;
    }
    out = TERM_SEQ(t, out, json_term_gap(j));
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        if (n_done++ > 0)
            out = TERM_SEQ(t, out, json_term_comma(j));
        if (is_object) {
            buf_reset(&text);
            json_write_str(&text, it.key);
            out = TERM_SEQ(t, out, term_bytes(t, buf_str(&text)), json_term_colon(j));
        }
        out = TERM_SEQ(t, out, json_term_literal(j, it.value));
    }
    buf_clear(&text);
    if (json_len(v) > 0)
        out = TERM_SEQ(t, out, json_term_gap(j));
    return TERM_SEQ(t, out, term_text(t, is_object ? "}" : "]"));
}
