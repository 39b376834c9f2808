/* pattern.c - recursive descent over the source. */
#include "grammar/pattern.h"

#include "grammar/json_terms.h"

struct parser {
    struct terms *terms;
    struct str source;
    size_t at;
    enum pattern_use use;
    int depth;
    struct err *e;
};

static struct term *refuse(struct parser *p, size_t at, const char *what)
{
    err_set(p->e, ERR_INPUT, "regular expression, offset %zu: %s", at, what);
    return NULL;
}

/* Names a construct by its first n bytes. */
static struct term *refuse_named(struct parser *p, size_t at, size_t n)
{
    struct str name = str_slice(p->source, at, at + n);

    err_set(p->e, ERR_INPUT, "regular expression, offset %zu: `" STR_FMT "` is not supported", at,
            STR_ARG(name));
    return NULL;
}

static int peek(const struct parser *p, size_t ahead)
{
    return p->at + ahead < p->source.len ? (unsigned char)p->source.ptr[p->at + ahead] : -1;
}

static struct term *chars_of(struct parser *p, const struct char_set *s)
{
    return p->use == PATTERN_STRING ? json_term_string_chars(p->terms, s)
                                    : term_chars(p->terms, s->ranges, s->n);
}

/* --- characters and classes ------------------------------------------------------------------- */

static void add_class(struct char_set *s, int letter)
{
    struct char_set named = {0};

    switch (letter | 0x20) {
    case 'd':
        char_set_add(&named, '0', '9');
        break;
    case 'w':
        char_set_add(&named, '0', '9');
        char_set_add(&named, 'A', 'Z');
        char_set_add(&named, '_', '_');
        char_set_add(&named, 'a', 'z');
        break;
    default:
        char_set_add(&named, '\t', '\r');
        char_set_add(&named, ' ', ' ');
    }
    if (!(letter & 0x20))
        char_set_negate(&named);
    for (int i = 0; i < named.n; i++)
        char_set_add(s, named.ranges[i].lo, named.ranges[i].hi);
    char_set_clear(&named);
}

static bool read_hex(struct parser *p, size_t at, int n_digits, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < n_digits; i++) {
        int c = p->at + (size_t)i < p->source.len ? (unsigned char)p->source.ptr[p->at + (size_t)i]
                                                  : -1;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0)
            return refuse(p, at, "an escape lacks hexadecimal digits") != NULL;
        *out = *out * 16 + (uint32_t)digit;
    }
    p->at += (size_t)n_digits;
    if (*out >= 0xD800 && *out <= 0xDFFF)
        return refuse(p, at, "half of a surrogate pair is no character") != NULL;
    return true;
}

/* After a backslash: one character, or a class, which goes to *set and leaves *is_class true. */
static bool read_escape(struct parser *p, uint32_t *out, struct char_set *set, bool *is_class)
{
    static const char names[] = "nrtfv0", values[] = "\n\r\t\f\v";
    size_t at = p->at++;
    int c = peek(p, 0);
    const char *named;

    *is_class = false;
    if (c < 0)
        return refuse(p, at, "a backslash ends it") != NULL;
    p->at++;
    if (strchr("dDwWsS", c)) {
        add_class(set, c);
        *is_class = true;
        return true;
    }
    if (c == 'x' || c == 'u')
        return read_hex(p, at, c == 'x' ? 2 : 4, out);
    named = strchr(names, c);
    if (c == '0' && peek(p, 0) >= '0' && peek(p, 0) <= '9')
        return refuse_named(p, at, 3) != NULL;
    if (named) {
        *out = (unsigned char)values[named - names];
        return true;
    }
    if (c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return refuse_named(p, at, c >= 0x80 ? 1 : 2) != NULL;
    *out = (uint32_t)c;
    return true;
}

/* One character of a class, or a named class within it. */
static bool read_class_item(struct parser *p, uint32_t *out, struct char_set *set, bool *is_class)
{
    *is_class = false;
    if (peek(p, 0) == '\\')
        return read_escape(p, out, set, is_class);
    if (peek(p, 0) == '[' && (peek(p, 1) == ':' || peek(p, 1) == '.' || peek(p, 1) == '='))
        return refuse_named(p, p->at, 2) != NULL;
    *out = utf8_next(p->source, &p->at);
    return true;
}

static bool read_class(struct parser *p, struct char_set *set)
{
    size_t begin = p->at++;
    bool negates = peek(p, 0) == '^', is_class;

    p->at += negates;
    if (peek(p, 0) == ']')
        return refuse(p, begin, "a class without characters; write \\] for the bracket") != NULL;
    while (peek(p, 0) != ']') {
        uint32_t lo = 0, hi;
        size_t at = p->at;

        if (peek(p, 0) < 0)
            return refuse(p, begin, "a class is not closed") != NULL;
        if (!read_class_item(p, &lo, set, &is_class))
            return false;
        hi = lo;
        if (peek(p, 0) == '-' && peek(p, 1) != ']' && peek(p, 1) >= 0) {
            bool ends_in_class = is_class;

            p->at++;
            if (!is_class && !read_class_item(p, &hi, set, &ends_in_class))
                return false;
            if (ends_in_class)
                return refuse(p, at, "a range of a class with a named class at one end") != NULL;
        }
        if (hi < lo)
            return refuse(p, at, "a range of a class runs backwards") != NULL;
        if (!is_class)
            char_set_add(set, lo, hi);
    }
    p->at++;
    if (negates)
        char_set_negate(set);
    return true;
}

/* --- terms ------------------------------------------------------------------------------------ */

static struct term *parse_alternatives(struct parser *p);

static struct term *parse_group(struct parser *p)
{
    size_t begin = p->at++;
    struct term *out;

    if (peek(p, 0) == '?') {
        if (peek(p, 1) != ':')
            return refuse_named(p, begin, peek(p, 1) == '<' || peek(p, 1) == 'P' ? 4 : 3);
        p->at += 2;
    } else if (peek(p, 0) == '*') {
        return refuse_named(p, begin, 2);
    }
    if (++p->depth > MAX_PATTERN_DEPTH)
        return refuse(p, begin, "groups are nested too deeply");
    out = parse_alternatives(p);
    p->depth--;
    if (!out)
        return NULL;
    if (peek(p, 0) != ')')
        return refuse(p, begin, "a group is not closed");
    p->at++;
    return out;
}

static struct term *parse_atom(struct parser *p)
{
    struct char_set set = {0};
    struct term *out = NULL;
    size_t at = p->at;
    int c = peek(p, 0);
    uint32_t code = 0;
    bool ok = true, is_class = false;

    if (c == '(')
        return parse_group(p);
    if (c == '*' || c == '+' || c == '?')
        return refuse(p, at, "there is nothing to repeat");
    if (c == '^')
        return refuse(p, at, "`^` is not supported but at the beginning of an alternative");
    if (c == '$')
        return refuse(p, at, "`$` is not supported but at the end of an alternative");
    if (c == '{' && peek(p, 1) >= '0' && peek(p, 1) <= '9')
        return refuse(p, at, "there is nothing to repeat; write \\{ for the brace");
    if (c == '[') {
        ok = read_class(p, &set);
    } else if (c == '.') {
        p->at++;
        char_set_add(&set, '\n', '\n');
        if (p->use == PATTERN_STRING) { /* ECMAScript's line ends */
            char_set_add(&set, '\r', '\r');
            char_set_add(&set, 0x2028, 0x2029);
        }
        char_set_negate(&set);
    } else {
        if (c == '\\')
            ok = read_escape(p, &code, &set, &is_class);
        else
            code = utf8_next(p->source, &p->at);
        if (ok && !is_class)
            char_set_add(&set, code, code);
    }
    char_set_settle(&set);
    if (ok)
        out = chars_of(p, &set);
    char_set_clear(&set);
    return out;
}

static bool read_count(struct parser *p, int *out)
{
    size_t at = p->at;

    for (*out = 0; peek(p, 0) >= '0' && peek(p, 0) <= '9'; p->at++)
        *out = MIN(*out * 10 + (peek(p, 0) - '0'), MAX_REPEAT + 1);
    if (*out > MAX_REPEAT) {
        err_set(p->e, ERR_INPUT,
                "regular expression, offset %zu: more than %d repetitions are not supported", at,
                MAX_REPEAT);
        return false;
    }
    return true;
}

/* {m}, {m,} or {m,n}. */
static bool read_bounds(struct parser *p, int *min, int *max)
{
    size_t begin = p->at++;

    if (!read_count(p, min))
        return false;
    *max = *min;
    if (peek(p, 0) == ',') {
        p->at++;
        *max = -1;
        if (peek(p, 0) != '}' && !read_count(p, max))
            return false;
    }
    if (peek(p, 0) != '}')
        return refuse(p, begin, "bounds must read {m}, {m,} or {m,n}; write \\{ for the brace") !=
               NULL;
    p->at++;
    if (*max >= 0 && *max < *min)
        return refuse(p, begin, "the bounds run backwards") != NULL;
    return true;
}

static struct term *parse_repeated(struct parser *p)
{
    struct term *out = parse_atom(p);
    int c = peek(p, 0), min = 0, max = -1;

    if (!out)
        return NULL;
    if (c == '{' && peek(p, 1) >= '0' && peek(p, 1) <= '9') {
        if (!read_bounds(p, &min, &max))
            return NULL;
    } else if (c == '*' || c == '+' || c == '?') {
        min = c == '+';
        max = c == '?' ? 1 : -1;
        p->at++;
    } else {
        return out;
    }
    if (peek(p, 0) == '+')
        return refuse_named(p, p->at - 1, 2);
    p->at += peek(p, 0) == '?';
    c = peek(p, 0);
    if (c == '*' || c == '+' || c == '?' || (c == '{' && peek(p, 1) >= '0' && peek(p, 1) <= '9'))
        return refuse(p, p->at, "a repetition of a repetition; put the first one in a group");
    return term_repeat(p->terms, out, min, max);
}

static struct term *any_text(struct parser *p)
{
    static const struct char_range all = {0, MAX_CODE_POINT};
    struct char_set set = {(struct char_range *)(uintptr_t)&all, 1, 1};

    return term_repeat(p->terms, chars_of(p, &set), 0, -1);
}

struct part_list {
    struct term **parts;
    int n, cap;
};

static void list_add(struct part_list *l, struct term *t)
{
    if (l->n == l->cap) {
        l->cap = MAX(2 * l->cap, 8);
        l->parts = xrealloc(l->parts, (size_t)l->cap * sizeof(struct term *));
    }
    l->parts[l->n++] = t;
}

static struct term *parse_sequence(struct parser *p)
{
    bool is_outer = p->depth == 0, searches = is_outer && p->use == PATTERN_STRING, has_end = false;
    struct part_list list = {0};
    struct term *out = NULL;

    if (is_outer && peek(p, 0) == '^')
        p->at++;
    else if (searches)
        list_add(&list, any_text(p));
    while (peek(p, 0) >= 0 && peek(p, 0) != '|' && peek(p, 0) != ')') {
        struct term *part;

        if (is_outer && peek(p, 0) == '$' && (peek(p, 1) < 0 || peek(p, 1) == '|')) {
            p->at++;
            has_end = true;
            break;
        }
        part = parse_repeated(p);
        if (!part)
            goto out;
        list_add(&list, part);
    }
    if (searches && !has_end)
        list_add(&list, any_text(p));
    out = list.n > 0 ? term_seq(p->terms, list.parts, list.n) : term_text(p->terms, "");
out:
    free(list.parts);
    return out;
}

static struct term *parse_alternatives(struct parser *p)
{
    struct part_list list = {0};
    struct term *out = NULL;

    for (;;) {
        struct term *part = parse_sequence(p);

        if (!part)
            goto out;
        list_add(&list, part);
        if (peek(p, 0) != '|')
            break;
        p->at++;
    }
    out = term_alt(p->terms, list.parts, list.n);
out:
    free(list.parts);
    return out;
}

struct term *pattern_parse(struct terms *t, struct str source, enum pattern_use use, struct err *e)
{
    struct parser p = {.terms = t, .source = source, .use = use, .e = e};
    struct term *out;

    if (!utf8_valid(source))
        return refuse(&p, 0, "it is not UTF-8");
    out = parse_alternatives(&p);
    if (out && p.at < source.len)
        return refuse(&p, p.at, "a `)` without its `(`");
    return out;
}
