/* match.c - literal search, PCRE2, and the three well-known patterns by hand. */
#include "tokenizer/match.h"

#include "tokenizer/chars.h"
#include "tokenizer/fields.h"
#include "tokenizer/onig.h"

#define ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const char *const match_gpt2 =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const char *const match_qwen2 = ENGLISH "\\p{N}" REST;
const char *const match_llama3 = ENGLISH "\\p{N}{1,3}" REST;

bool matcher_set_regex(struct matcher *m, struct str pattern, struct err *e)
{
    struct buf translated;
    bool ok;

    buf_init(&translated, 1u << 16);
    ok = onig_translate(pattern, &translated, e);
    m->kind = MATCH_REGEX;
    if (ok)
        m->regex = regex_open(buf_str(&translated), e);
    buf_clear(&translated);
    return ok && m->regex;
}

bool matcher_parse(const struct json *pattern, struct arena *a, struct matcher *m, struct err *e)
{
    struct str text;

    if (!fields_check(pattern, "a pattern", "String Regex", e))
        return false;
    if (json_len(pattern) != 1)
        return err_set(e, ERR_INPUT, "a pattern has either \"String\" or \"Regex\"");
    if (json_get(pattern, "String")) {
        if (!field_str(pattern, "String", &text, e))
            return false;
        m->kind = MATCH_LITERAL;
        m->literal = str_dup(a, text);
        return true;
    }
    if (!field_str(pattern, "Regex", &text, e))
        return false;
    if (str_eqz(text, match_gpt2))
        m->kind = MATCH_GPT2;
    else if (str_eqz(text, match_qwen2))
        m->kind = MATCH_QWEN2;
    else if (str_eqz(text, match_llama3))
        m->kind = MATCH_LLAMA3;
    else
        return matcher_set_regex(m, text, e);
    return true;
}

void matcher_clear(struct matcher *m)
{
    regex_close(m->regex);
    m->regex = NULL;
}

static enum regex_found find(const struct matcher *m, struct regex_scratch *s, struct str text,
                             struct match_iter *it, struct err *e)
{
    const char *at;

    switch (m->kind) {
    case MATCH_LITERAL:
        at = m->literal.len
                 ? memmem(text.ptr + it->from, text.len - it->from, m->literal.ptr, m->literal.len)
                 : text.ptr + it->from;
        if (!at)
            return REGEX_NONE;
        it->start = (size_t)(at - text.ptr);
        it->end = it->start + m->literal.len;
        return REGEX_MATCH;
    case MATCH_REGEX:
        return regex_find(m->regex, s, text, it->from, &it->start, &it->end, e);
    default:
        if (it->from >= text.len)
            return REGEX_NONE;
        it->start = it->from;
        it->end = match_known(m->kind, text, it->from);
        return REGEX_MATCH;
    }
}

enum regex_found matcher_next(const struct matcher *m, struct regex_scratch *s, struct str text,
                              struct match_iter *it, struct err *e)
{
    while (it->from <= text.len) {
        enum regex_found found = find(m, s, text, it, e);
        size_t n = 1;

        if (found != REGEX_MATCH)
            return found;
        if (it->start < it->end || !it->has_last || it->last_end != it->end) {
            it->from = it->last_end = it->end;
            it->has_last = true;
            return REGEX_MATCH;
        }
        if (it->from < text.len)
            char_at(text.ptr + it->from, &n);
        it->from += n;
    }
    return REGEX_NONE;
}

/* --- The well-known patterns ------------------------------------------------------------------ */

enum char_class { SPACE, NEWLINE, LETTER, NUMBER, OTHER, NOTHING };

/* The class of the character at `at`, and its length; NOTHING at the end. */
static inline enum char_class class_at(struct str s, size_t at, size_t *len)
{
    uint32_t c;

    if (at >= s.len)
        return NOTHING;
    c = char_at(s.ptr + at, len);
    if (c < 0x80) {
        if ((c | 32) >= 'a' && (c | 32) <= 'z')
            return LETTER;
        if (c == ' ')
            return SPACE;
        if (c >= '0' && c <= '9')
            return NUMBER;
        if (c >= 9 && c <= 13)
            return c == '\n' || c == '\r' ? NEWLINE : SPACE;
        return OTHER;
    }
    if ((c >= 0x4E00 && c <= 0x9FFF) || char_is_letter(c))
        return LETTER;
    if (char_is_number(c))
        return NUMBER;
    return char_is_space(c) ? SPACE : OTHER;
}

/* The end of the run of one class that begins at `at`. */
static inline size_t run_end(struct str s, size_t at, enum char_class of)
{
    size_t n = 0;

    while (class_at(s, at, &n) == of)
        at += n;
    return at;
}

/* 's 't 're 've 'm 'll 'd at `at`, where the apostrophe is; 0: none. Without regard to case the
 * long s, U+017F, is an s. */
static size_t contraction(struct str s, size_t at, bool is_caseless)
{
    const char *p = s.ptr + at + 1;
    size_t left = s.len - at - 1;
    char fold = is_caseless ? 32 : 0, a, b;

    if (left >= 2 && is_caseless && memcmp(p, "\xC5\xBF", 2) == 0)
        return 3;
    a = left >= 1 ? p[0] | fold : 0;
    b = left >= 2 ? p[1] | fold : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 3;
    return 0;
}

/* \s*[\r\n]+ | \s+(?!\S) | \s+ at a blank; the first only if newlines_end. */
static size_t match_blanks(struct str s, size_t from, bool newlines_end)
{
    size_t at = from, last = from, after_newline = 0, n = 0;

    for (;;) {
        enum char_class cls = class_at(s, at, &n);

        if (cls != SPACE && cls != NEWLINE)
            break;
        last = at;
        at += n;
        if (cls == NEWLINE)
            after_newline = at;
    }
    if (newlines_end && after_newline)
        return after_newline;
    /* The last blank goes to the word that follows, unless it is the only one. */
    return at < s.len && last > from ? last : at;
}

static size_t match_gpt2_at(struct str s, size_t from)
{
    size_t n = 0, next_n = 0, at = from, apostrophe;
    enum char_class cls = class_at(s, from, &n);

    if (s.ptr[from] == '\'' && (apostrophe = contraction(s, from, false)))
        return from + apostrophe;
    if (s.ptr[from] == ' ') {
        enum char_class next = class_at(s, from + 1, &next_n);

        if (next != NOTHING && next != SPACE && next != NEWLINE) {
            cls = next;
            at = from + 1;
        }
    }
    if (cls == SPACE || cls == NEWLINE)
        return match_blanks(s, from, false);
    return run_end(s, at, cls);
}

static size_t match_qwen2_at(struct str s, size_t from, int max_digits)
{
    size_t n = 0, next_n = 0, at, apostrophe;
    enum char_class cls = class_at(s, from, &n), next;

    if (cls == LETTER)
        return run_end(s, from + n, LETTER);
    if (cls == NUMBER) {
        for (at = from + n; --max_digits > 0 && class_at(s, at, &n) == NUMBER; at += n)
            ;
        return at;
    }
    if (s.ptr[from] == '\'' && (apostrophe = contraction(s, from, true)))
        return from + apostrophe;
    next = class_at(s, from + n, &next_n);
    if (cls != NEWLINE && next == LETTER)
        return run_end(s, from + n + next_n, LETTER);
    if (cls == OTHER || (s.ptr[from] == ' ' && next == OTHER))
        return run_end(s, run_end(s, from + (cls == OTHER ? 0 : 1), OTHER), NEWLINE);
    return match_blanks(s, from, true);
}

size_t match_known(enum match_kind kind, struct str text, size_t from)
{
    switch (kind) {
    case MATCH_GPT2:
        return match_gpt2_at(text, from);
    case MATCH_QWEN2:
        return match_qwen2_at(text, from, 1);
    default:
        return match_qwen2_at(text, from, 3);
    }
}
