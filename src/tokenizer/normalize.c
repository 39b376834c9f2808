/* normalize.c - normal forms by utf8proc; the other steps as the Rust crate defines them. */
#include "tokenizer/normalize.h"

#include <utf8proc.h>

#include "tokenizer/chars.h"
#include "tokenizer/fields.h"

#define MAX_STEPS 64

static const char type_names[] =
    "NFC NFD NFKC NFKD Lowercase Strip StripAccents Prepend Replace Sequence";
enum { TYPE_SEQUENCE = NORMAL_REPLACE + 1 };

static bool add_steps(const struct json *v, struct arena *a, struct normalizer *n, int depth,
                      struct err *e);

static bool add_sequence(const struct json *v, struct arena *a, struct normalizer *n, int depth,
                         struct err *e)
{
    const struct json *items;

    if (!fields_check(v, "the normalizer Sequence", "normalizers", e) ||
        !field_array(v, "normalizers", &items, e))
        return false;
    for (struct json_iter it = json_iter(items); json_next(&it);)
        if (!add_steps(it.value, a, n, depth + 1, e))
            return false;
    return true;
}

static bool add_steps(const struct json *v, struct arena *a, struct normalizer *n, int depth,
                      struct err *e)
{
    static const char *const known[] = {
        "", "", "", "", "", "strip_left strip_right", "", "prepend", "pattern content",
    };
    struct normal_step *step;
    struct str text = {"", 0};
    int type;

    if (!field_choice(v, "type", type_names, &type, e))
        return false;
    if (depth > MAX_STEPS || n->n_steps == MAX_STEPS)
        return err_set(e, ERR_UNSUPPORTED, "more than %d steps", MAX_STEPS);
    if (type == TYPE_SEQUENCE)
        return add_sequence(v, a, n, depth, e);
    if (!fields_check(v, "the normalizer", known[type], e))
        return false;
    step = &n->steps[n->n_steps++];
    step->type = (enum normal_type)type;
    switch (step->type) {
    case NORMAL_STRIP:
        return field_bool(v, "strip_left", &step->strip_left, e) &&
               field_bool(v, "strip_right", &step->strip_right, e);
    case NORMAL_PREPEND:
        if (!field_str(v, "prepend", &text, e))
            return false;
        break;
    case NORMAL_REPLACE:
        if (!matcher_parse(json_get(v, "pattern"), a, &step->pattern, e) ||
            !field_str(v, "content", &text, e))
            return false;
        break;
    default:
        return true;
    }
    step->content = str_dup(a, text);
    return true;
}

bool normalizer_parse(const struct json *v, struct arena *a, struct normalizer *n, struct err *e)
{
    *n = (struct normalizer){0};
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_ABSENT)
        return true;
    n->steps = arena_array(a, MAX_STEPS, sizeof(*n->steps));
    if (add_steps(v, a, n, 0, e))
        return true;
    err_prefix(e, "normalizer");
    return false;
}

void normalizer_clear(struct normalizer *n)
{
    for (int i = 0; i < n->n_steps; i++)
        matcher_clear(&n->steps[i].pattern);
    n->n_steps = 0;
}

void normal_scratch_clear(struct normal_scratch *s)
{
    buf_clear(&s->out[0]);
    buf_clear(&s->out[1]);
}

/* Ranges without combining marks, without characters that compose with one before them, and without
 * characters that NFC replaces; most text lies in them. */
static bool is_plain_char(uint32_t c)
{
    return c < 0x300 || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x400 && c <= 0x482) ||
           (c >= 0x3041 && c <= 0x3096) || (c >= 0x30A1 && c <= 0x30FF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x3003 && c <= 0x3029) ||
           (c >= 0xFF01 && c <= 0xFFEE) || (c >= 0x2010 && c <= 0x2027) ||
           (c >= 0x2030 && c <= 0x205E) || (c >= 0x2190 && c <= 0x22FF) ||
           (c >= 0x2500 && c <= 0x27BF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x1F300 && c <= 0x1F64F);
}

bool normal_is_plain(struct str s)
{
    size_t n;

    if (text_is_ascii(s))
        return true;
    for (size_t i = 0; i < s.len; i += n)
        if (!is_plain_char(char_at(s.ptr + i, &n)))
            return false;
    return true;
}

static bool map_normal_form(enum normal_type type, struct str s, struct buf *out, struct err *e)
{
    int options = UTF8PROC_STABLE;
    utf8proc_uint8_t *text = NULL;
    utf8proc_ssize_t n;

    options |= type == NORMAL_NFC || type == NORMAL_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    if (type == NORMAL_NFKC || type == NORMAL_NFKD)
        options |= UTF8PROC_COMPAT;
    n = utf8proc_map((const utf8proc_uint8_t *)s.ptr, (utf8proc_ssize_t)s.len, &text,
                     (utf8proc_option_t)options);
    if (n < 0)
        return err_set(e, ERR_MEMORY, "normalizing %zu bytes: %s", s.len, utf8proc_errmsg(n));
    buf_add(out, text, (size_t)n);
    free(text);
    return true;
}

/* utf8proc 2.8 takes U+11A7, a vowel that composes with nothing, for a final consonant and loses it
 * after a Hangul syllable. It is a starter, so a text may be cut before it. */
static bool add_normal_form(enum normal_type type, struct str s, struct buf *out, struct err *e)
{
    static const struct str vowel = STR_LIT("\xE1\x86\xA7");

    while (s.len) {
        ptrdiff_t cut = str_find(s, vowel, 1);
        size_t n = cut < 0 ? s.len : (size_t)cut;

        if (!map_normal_form(type, str_slice(s, 0, n), out, e))
            return false;
        s = str_slice(s, n, s.len);
    }
    return true;
}

/* Character by character, as Rust's char::to_lowercase: no rule looks at neighbours, and only
 * U+0130 becomes two. */
static void add_lowercase(struct str s, struct buf *out)
{
    size_t n;

    for (size_t i = 0; i < s.len; i += n) {
        uint32_t c = char_at(s.ptr + i, &n);

        if (c < 0x80)
            buf_addc(out, (char)(c >= 'A' && c <= 'Z' ? c | 32 : c));
        else if (c == 0x130)
            buf_addz(out, "i\xCC\x87");
        else
            buf_add_utf8(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

static struct str strip(const struct normal_step *step, struct str s)
{
    size_t n;

    while (step->strip_left && s.len && char_is_space(char_at(s.ptr, &n)))
        s = str_slice(s, n, s.len);
    while (step->strip_right && s.len) {
        size_t last = char_len_before(s);

        if (!char_is_space(char_at(s.ptr + s.len - last, &n)))
            break;
        s.len -= last;
    }
    return s;
}

static void add_without_marks(struct str s, struct buf *out)
{
    size_t n;

    for (size_t i = 0; i < s.len; i += n)
        if (!char_is_mark(char_at(s.ptr + i, &n)))
            buf_add(out, s.ptr + i, n);
}

/* The characters that take a match's place count as coming from its last one. */
static bool add_replaced(const struct normal_step *step, struct regex_scratch *r, struct str s,
                         struct buf *out, bool *keeps_start, struct err *e)
{
    struct match_iter it = {0};
    enum regex_found found;
    size_t copied = 0, first;

    char_at(s.ptr, &first);
    while ((found = matcher_next(&step->pattern, r, s, &it, e)) == REGEX_MATCH) {
        if (it.start == 0 && it.end > 0 && (!step->content.len || it.end > first))
            *keeps_start = false;
        buf_add(out, s.ptr + copied, it.start - copied);
        buf_add_str(out, step->content);
        copied = it.end;
    }
    buf_add(out, s.ptr + copied, s.len - copied);
    return found != REGEX_FAILED;
}

/* One step over text that is not empty; *out is text or lies in `to`. */
static bool run_step(const struct normal_step *step, struct normal_scratch *s, struct buf *to,
                     struct str text, struct str *out, bool *keeps_start, struct err *e)
{
    buf_reset(to);
    switch (step->type) {
    case NORMAL_NFC:
    case NORMAL_NFD:
    case NORMAL_NFKC:
    case NORMAL_NFKD:
        if (step->type == NORMAL_NFC ? normal_is_plain(text) : text_is_ascii(text))
            return true;
        if (!add_normal_form(step->type, text, to, e))
            return false;
        break;
    case NORMAL_LOWERCASE:
        add_lowercase(text, to);
        break;
    case NORMAL_STRIP:
        *out = strip(step, text);
        *keeps_start &= out->ptr == text.ptr;
        return true;
    case NORMAL_STRIP_ACCENTS: {
        size_t n;

        *keeps_start &= !char_is_mark(char_at(text.ptr, &n));
        add_without_marks(text, to);
        break;
    }
    case NORMAL_PREPEND:
        buf_add_str(to, step->content);
        buf_add_str(to, text);
        break;
    case NORMAL_REPLACE:
        if (!add_replaced(step, s->regex, text, to, keeps_start, e))
            return false;
        break;
    }
    *out = buf_str(to);
    return true;
}

bool normalizer_run(const struct normalizer *n, struct normal_scratch *s, struct str text,
                    struct str *out, bool *keeps_start, struct err *e)
{
    bool ignored, *keeps = keeps_start ? keeps_start : &ignored;
    int side = 0;

    *keeps = true;
    *out = text;
    for (int i = 0; i < n->n_steps && out->len; i++) {
        struct str before = *out;

        if (!run_step(&n->steps[i], s, &s->out[side], before, out, keeps, e))
            return false;
        if (s->out[side].failed)
            return err_set(e, ERR_MEMORY, "the normalized text is too long");
        if (out->ptr == s->out[side].ptr && out->len)
            side = !side;
    }
    return true;
}
