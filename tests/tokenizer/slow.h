/* slow.h - a second encoder, written to be plain rather than quick: the referee of the tests.
 *
 * It shares nothing with src/tokenizer: tokenizer.json is read as a tree, added tokens are tried
 * one by one at every character, patterns run in PCRE2 with their blanks spelled out, the pair to
 * merge is searched in all pairs each time. Knows what the BPE tokenizers of the tests ask for:
 * NFC, Prepend, Replace by string; Split by a regex, isolated; ByteLevel; byte_fallback, unk,
 * ignore_merges. */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <utf8proc.h>

#include "base/map.h"
#include "formats/json.h"
#include "test.h"
#include "tokenizer/tokenizer.h"

struct slow {
    struct json *file;
    const struct json *model, *added;
    struct map vocab, merges; /* merges: left, zero byte, right */
    pcre2_code *split;        /* NULL: the piece is one word */
    bool adds_space, is_byte_level, has_nfc, is_sentencepiece;
    struct arena arena; /* of the text under way */
    struct token_buf *out;
};

static inline struct str slow_join(struct arena *a, struct str x, struct str y)
{
    struct buf b = {0};
    struct str joined;

    buf_add_str(&b, x);
    buf_add_str(&b, y);
    joined = str_dup(a, buf_str(&b));
    buf_clear(&b);
    return joined;
}

static inline int64_t slow_rank(const struct slow *s, struct str left, struct str right)
{
    struct buf key = {0};
    int64_t rank;

    buf_add_str(&key, left);
    buf_addc(&key, '\0');
    buf_add_str(&key, right);
    rank = map_find(&s->merges, buf_str(&key));
    buf_clear(&key);
    return rank;
}

static inline void slow_read_merges(struct slow *s)
{
    int64_t rank = 0;

    for (struct json_iter it = json_iter(json_get(s->model, "merges")); json_next(&it); rank++) {
        struct buf key = {0};
        struct str text = json_str(it.value);
        ptrdiff_t gap = str_find_char(text, ' ', 0);

        if (json_type(it.value) == JSON_ARRAY) {
            buf_add_str(&key, json_str(json_at(it.value, 0)));
            buf_addc(&key, '\0');
            buf_add_str(&key, json_str(json_at(it.value, 1)));
        } else {
            buf_add_str(&key, text);
            key.ptr[gap] = '\0';
        }
        map_set(&s->merges, buf_str(&key), rank);
        buf_clear(&key);
    }
}

static inline pcre2_code *slow_pattern(const char *pattern)
{
    static const char blanks[] = "\\x09-\\x0D\\x20\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{"
                                 "2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
    struct buf b = {0};
    int code;
    PCRE2_SIZE where;
    pcre2_code *compiled;
    bool in_class = false;

    for (const char *p = pattern; *p; p++) {
        if (p[0] == '\\' && p[1] == 's') {
            buf_addf(&b, in_class ? "%s" : "[%s]", blanks);
            p++;
        } else if (p[0] == '\\' && p[1] == 'S') {
            buf_addf(&b, "[^%s]", blanks);
            p++;
        } else {
            in_class = *p == '[' || (in_class && *p != ']');
            buf_addc(&b, *p);
        }
    }
    compiled =
        pcre2_compile((PCRE2_SPTR)buf_z(&b), b.len, PCRE2_UTF | PCRE2_UCP, &code, &where, NULL);
    if (!compiled)
        fail_msg("the referee's pattern: %s", buf_z(&b));
    buf_clear(&b);
    return compiled;
}

static inline void slow_open(struct slow *s, const char *path)
{
    struct err e = ERR_INIT;
    const struct json *normalizer, *pre;

    *s = (struct slow){0};
    CHECK_OK(path, (s->file = json_parse_file(path, 0, &e)), &e);
    s->model = json_get(s->file, "model");
    s->added = json_get(s->file, "added_tokens");
    map_init(&s->vocab);
    map_init(&s->merges);
    arena_init(&s->arena, 0);
    for (struct json_iter it = json_iter(json_get(s->model, "vocab")); json_next(&it);)
        map_set(&s->vocab, it.key, json_int(it.value, -1));
    slow_read_merges(s);
    normalizer = json_get(s->file, "normalizer");
    s->has_nfc = str_eqz(json_str(json_get(normalizer, "type")), "NFC");
    s->is_sentencepiece = str_eqz(json_str(json_get(normalizer, "type")), "Sequence");
    pre = json_get(s->file, "pre_tokenizer");
    if (str_eqz(json_str(json_get(pre, "type")), "Sequence")) {
        const struct json *split = json_at(json_get(pre, "pretokenizers"), 0);

        s->is_byte_level = true;
        s->split = slow_pattern(json_str(json_get(json_get(split, "pattern"), "Regex")).ptr);
    } else if (str_eqz(json_str(json_get(pre, "type")), "ByteLevel")) {
        s->is_byte_level = true;
        s->adds_space = json_bool(json_get(pre, "add_prefix_space"), false);
        s->split = slow_pattern(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+");
    }
}

static inline void slow_close(struct slow *s)
{
    pcre2_code_free(s->split);
    map_clear(&s->vocab);
    map_clear(&s->merges);
    arena_clear(&s->arena);
    json_close(s->file);
}

/* --- The model -------------------------------------------------------------------------------- */

struct slow_symbols {
    struct str text[4096];
    int n;
};

static inline void slow_push(struct slow_symbols *w, struct str text)
{
    if (w->n == (int)LEN(w->text))
        fail_msg("the referee takes words of %d characters at most", (int)LEN(w->text));
    w->text[w->n++] = text;
}

static inline bool slow_fall_back(struct slow *s, struct str c, struct slow_symbols *w)
{
    struct str names[4];

    if (!json_bool(json_get(s->model, "byte_fallback"), false))
        return false;
    for (size_t i = 0; i < c.len; i++) {
        names[i] = str_fmt(&s->arena, "<0x%02X>", (unsigned char)c.ptr[i]);
        if (map_find(&s->vocab, names[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < c.len; i++)
        slow_push(w, names[i]);
    return true;
}

static inline void slow_merge(struct slow *s, struct slow_symbols *w)
{
    for (;;) {
        int64_t best = -1;
        int at = 0;

        for (int i = 0; i + 1 < w->n; i++) {
            int64_t rank = slow_rank(s, w->text[i], w->text[i + 1]);

            if (rank >= 0 && (best < 0 || rank < best)) {
                best = rank;
                at = i;
            }
        }
        if (best < 0)
            return;
        w->text[at] = slow_join(&s->arena, w->text[at], w->text[at + 1]);
        w->n--;
        for (int i = at + 1; i < w->n; i++)
            w->text[i] = w->text[i + 1];
    }
}

static inline void slow_word(struct slow *s, struct str word)
{
    static struct slow_symbols w;
    struct str unk = json_str(json_get(s->model, "unk_token"));
    bool fuses = json_bool(json_get(s->model, "fuse_unk"), false), waits = false;

    if (json_bool(json_get(s->model, "ignore_merges"), false) && map_find(&s->vocab, word) >= 0) {
        token_buf_add(s->out, (int32_t)map_find(&s->vocab, word));
        return;
    }
    w.n = 0;
    for (size_t i = 0, from = 0; i < word.len; from = i) {
        struct str c;

        utf8_next(word, &i);
        c = str_slice(word, from, i);
        if (map_find(&s->vocab, c) >= 0) {
            if (waits)
                slow_push(&w, unk);
            waits = false;
            slow_push(&w, c);
        } else if (!slow_fall_back(s, c, &w) && unk.len) {
            if (waits && !fuses)
                slow_push(&w, unk);
            waits = true;
        }
    }
    if (waits)
        slow_push(&w, unk);
    slow_merge(s, &w);
    for (int i = 0; i < w.n; i++)
        token_buf_add(s->out, (int32_t)map_find(&s->vocab, w.text[i]));
}

/* --- From a normalized piece to words --------------------------------------------------------- */

static inline struct str slow_alphabet(struct arena *a, struct str bytes)
{
    struct buf b = {0};
    struct str mapped;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned c = (unsigned char)bytes.ptr[i], next = 256;
        bool own = false;

        for (unsigned k = 0; k <= c; k++) {
            own = (k > 32 && k < 127) || (k > 160 && k < 173) || k > 173;
            if (!own && k < c)
                next++;
        }
        buf_add_utf8(&b, own ? c : next);
    }
    mapped = str_dup(a, buf_str(&b));
    buf_clear(&b);
    return mapped;
}

static inline void slow_plain(struct slow *s, struct str piece)
{
    pcre2_match_data *data;

    if (s->adds_space && piece.len && piece.ptr[0] != ' ')
        piece = slow_join(&s->arena, STR(" "), piece);
    if (!s->split) {
        slow_word(s, piece);
        return;
    }
    data = pcre2_match_data_create(1, NULL);
    for (size_t from = 0; from < piece.len;) {
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(data);

        if (pcre2_match(s->split, (PCRE2_SPTR)piece.ptr, piece.len, from, PCRE2_ANCHORED, data,
                        NULL) < 1)
            fail_msg("the referee's pattern leaves a gap in \"%.*s\"", STR_ARG(piece));
        slow_word(s, slow_alphabet(&s->arena, str_slice(piece, from, span[1])));
        from = span[1];
    }
    pcre2_match_data_free(data);
}

static inline struct str slow_normal(struct slow *s, struct str text)
{
    struct buf b = {0};
    struct str normal = text;

    if (s->has_nfc) {
        char *nfc = (char *)utf8proc_NFC((const utf8proc_uint8_t *)str_dup(&s->arena, text).ptr);

        normal = str_dup(&s->arena, STR(nfc));
        free(nfc);
    } else if (s->is_sentencepiece && text.len) {
        buf_addz(&b, "\xE2\x96\x81");
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == ' ')
                buf_addz(&b, "\xE2\x96\x81");
            else
                buf_addc(&b, text.ptr[i]);
        }
        normal = str_dup(&s->arena, buf_str(&b));
    }
    buf_clear(&b);
    return normal;
}

/* --- Added tokens ----------------------------------------------------------------------------- */

static inline bool slow_is_blank(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 32 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

static inline bool slow_is_wordy(uint32_t c)
{
    const char *category = utf8proc_category_string((utf8proc_int32_t)c);

    return category[0] == 'L' || category[0] == 'M' || strcmp(category, "Nd") == 0 ||
           strcmp(category, "Nl") == 0 || strcmp(category, "Pc") == 0 || c == 0x200C ||
           c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

static inline uint32_t slow_char_before(struct str s, size_t at, size_t *from)
{
    size_t i;

    for (*from = at - 1; *from > 0 && ((unsigned char)s.ptr[*from] & 0xC0) == 0x80; --*from)
        ;
    i = *from;
    return utf8_next(s, &i);
}

static inline uint32_t slow_char_after(struct str s, size_t at, size_t *to)
{
    *to = at;
    return utf8_next(s, to);
}

static inline bool slow_flag(const struct json *token, const char *name)
{
    return json_bool(json_get(token, name), false);
}

/* The longest token of this pass at `at`, or NULL. */
static inline const struct json *slow_token_at(struct slow *s, struct str text, size_t at,
                                               bool normalized, size_t *len)
{
    const struct json *found = NULL;

    *len = 0;
    for (struct json_iter it = json_iter(s->added); json_next(&it);) {
        struct str content = json_str(json_get(it.value, "content"));

        if (slow_flag(it.value, "normalized") != normalized)
            continue;
        if (normalized)
            content = slow_normal(s, content);
        if (content.len > *len && str_eq(str_slice(text, at, at + content.len), content)) {
            found = it.value;
            *len = content.len;
        }
    }
    return found;
}

static inline void slow_cut(struct slow *s, struct str text, bool normalized)
{
    size_t done = 0, at = 0, n;

    while (at < text.len) {
        size_t len, start = at, end, edge;
        const struct json *token = slow_token_at(s, text, at, normalized, &len);

        if (!token) {
            slow_char_after(text, at, &at);
            continue;
        }
        end = at = start + len;
        if (slow_flag(token, "single_word") &&
            ((start > 0 && slow_is_wordy(slow_char_before(text, start, &edge))) ||
             (end < text.len && slow_is_wordy(slow_char_after(text, end, &edge)))))
            continue;
        if (slow_flag(token, "lstrip")) {
            while (start > 0 && slow_is_blank(slow_char_before(text, start, &edge)))
                start = edge;
            start = MAX(start, done);
        }
        while (slow_flag(token, "rstrip") && end < text.len &&
               slow_is_blank(slow_char_after(text, end, &n)))
            end = n;
        if (start > done) {
            if (normalized)
                slow_plain(s, str_slice(text, done, start));
            else
                slow_cut(s, slow_normal(s, str_slice(text, done, start)), true);
        }
        token_buf_add(s->out, (int32_t)json_int(json_get(token, "id"), -1));
        done = end;
    }
    if (done < text.len) {
        if (normalized)
            slow_plain(s, str_slice(text, done, text.len));
        else
            slow_cut(s, slow_normal(s, str_slice(text, done, text.len)), true);
    }
}

static inline void slow_encode(struct slow *s, struct str text, struct token_buf *out)
{
    s->out = out;
    slow_cut(s, text, false);
    arena_reset(&s->arena);
}
