/* added.c - cutting added tokens out of a text. */
#include "tokenizer/added.h"

#include "base/arena.h"
#include "tokenizer/chars.h"
#include "tokenizer/fields.h"

/* --- Reading ---------------------------------------------------------------------------------- */

static bool read_token(const struct json *v, struct vocab *vocab, struct added_token *t,
                       struct err *e)
{
    struct str content;
    int64_t id;
    int32_t there;
    unsigned flags;

    if (!fields_check(v, "an added token",
                      "id content single_word lstrip rstrip normalized special", e) ||
        !field_int(v, "id", 0, VOCAB_ID_MAX, &id, e) || !field_str(v, "content", &content, e) ||
        !field_bool_opt(v, "single_word", &t->single_word, e) ||
        !field_bool_opt(v, "lstrip", &t->lstrip, e) ||
        !field_bool_opt(v, "rstrip", &t->rstrip, e) ||
        !field_bool_opt(v, "normalized", &t->normalized, e) ||
        !field_bool_opt(v, "special", &t->special, e))
        return false;
    if (!content.len)
        return err_set(e, ERR_INPUT, "the content of token %lld is empty", (long long)id);
    there = vocab_find(vocab, content);
    if (vocab_has(vocab, there, VOCAB_ADDED) || (there >= 0 && there != id))
        return err_set(e, ERR_INPUT, "\"%.*s\" is there twice, as %d and %lld",
                       (int)MIN(content.len, 80), content.ptr, there, (long long)id);
    flags = VOCAB_ADDED | (t->special ? VOCAB_SPECIAL : 0);
    t->id = (int32_t)id;
    if (there < 0)
        return vocab_add(vocab, content, id, flags, e);
    vocab->flags[id] |= (uint8_t)flags;
    return true;
}

bool added_parse(const struct json *v, struct arena *a, struct vocab *vocab, struct added *added,
                 struct err *e)
{
    size_t n = json_len(v);
    struct added_token *plain;
    int n_plain = 0;

    *added = (struct added){0};
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_ABSENT)
        return true;
    if (json_type(v) != JSON_ARRAY)
        return err_set(e, ERR_INPUT, "\"added_tokens\" is %s, expected an array",
                       json_type_name(json_type(v)));
    added->tokens = arena_array(a, n + 1, sizeof(*added->tokens));
    plain = arena_array(a, n + 1, sizeof(*plain));
    for (size_t i = 0; i < n; i++) {
        struct added_token t = {0};

        if (!read_token(json_at(v, i), vocab, &t, e)) {
            err_prefix(e, "added_tokens: number %zu", i + 1);
            return false;
        }
        if (t.special)
            added->tokens[added->n_tokens++] = t;
        else
            plain[n_plain++] = t;
    }
    if (n_plain)
        memcpy(added->tokens + added->n_tokens, plain, (size_t)n_plain * sizeof(*plain));
    added->n_tokens += n_plain;
    return true;
}

static void close_set(struct added_set *set)
{
    int n = 0;

    prefixes_sort(&set->contents);
    set->only_begin = -1;
    for (int c = 0; c < 256; c++) {
        set->begins[c] = set->contents.first[c] < set->contents.first[c + 1];
        if (set->begins[c] && ++n == 1)
            set->only_begin = c;
    }
    if (n != 1)
        set->only_begin = -1;
}

bool added_link(struct added *added, const struct vocab *vocab, const struct normalizer *n,
                struct arena *a, struct err *e)
{
    struct normal_scratch scratch = {.regex = regex_scratch_open()};
    bool ok = true;

    for (int i = 0; ok && i < added->n_tokens; i++) {
        const struct added_token *t = &added->tokens[i];
        struct str content = vocab_content(vocab, t->id), normal;

        if (!t->normalized) {
            prefixes_add(&added->raw.contents, content, i);
            continue;
        }
        ok = normalizer_run(n, &scratch, content, &normal, NULL, e);
        if (ok && !normal.len)
            ok = err_set(e, ERR_INPUT, "nothing of \"%.*s\" is left after normalization",
                         (int)MIN(content.len, 80), content.ptr);
        if (ok)
            prefixes_add(&added->normalized.contents, str_dup(a, normal), i);
        err_prefix(e, "added_tokens: token %d", t->id);
    }
    normal_scratch_clear(&scratch);
    regex_scratch_close(scratch.regex);
    close_set(&added->raw);
    close_set(&added->normalized);
    return ok;
}

void added_clear(struct added *added)
{
    prefixes_clear(&added->raw.contents);
    prefixes_clear(&added->normalized.contents);
}

/* --- Finding ---------------------------------------------------------------------------------- */

struct added_walk added_walk(const struct added *in, const struct added_set *set, struct str text,
                             bool skip_special)
{
    return (struct added_walk){.in = in, .set = set, .text = text, .skip_special = skip_special};
}

/* The next place at `from` or later where a content may begin, or the end. */
static size_t candidate(const struct added_set *set, struct str text, size_t from)
{
    if (!set->contents.n || from >= text.len)
        return text.len;
    if (set->only_begin >= 0) {
        const char *at = memchr(text.ptr + from, set->only_begin, text.len - from);

        return at ? (size_t)(at - text.ptr) : text.len;
    }
    while (from < text.len && !set->begins[(unsigned char)text.ptr[from]])
        from++;
    return from;
}

static bool word_before(struct str text, size_t at)
{
    struct str before = {text.ptr, at};
    size_t n;

    return at > 0 && char_is_word(char_at(text.ptr + at - char_len_before(before), &n));
}

static bool word_after(struct str text, size_t at)
{
    size_t n;

    return at < text.len && char_is_word(char_at(text.ptr + at, &n));
}

/* The token's place, with the blanks that it swallows, but none that are handed out already. */
static void widen(struct added_walk *w, const struct added_token *t, size_t *start, size_t *end)
{
    size_t n;

    if (t->lstrip) {
        size_t from = *start;

        while (from > 0) {
            size_t last = char_len_before((struct str){w->text.ptr, from});

            if (!char_is_space(char_at(w->text.ptr + from - last, &n)))
                break;
            from -= last;
        }
        *start = MAX(from, w->done);
    }
    while (t->rstrip && *end < w->text.len && char_is_space(char_at(w->text.ptr + *end, &n)))
        *end += n;
}

bool added_next(struct added_walk *w, struct str *part, int32_t *id)
{
    size_t start, end, len;
    int32_t index;

    if (w->has_token) {
        w->has_token = false;
        *part = w->token_text;
        *id = w->token_id;
        return true;
    }
    *id = -1;
    while ((start = candidate(w->set, w->text, w->scan)) < w->text.len) {
        const struct added_token *t;

        if (!prefixes_longest(&w->set->contents, str_slice(w->text, start, w->text.len), &index,
                              &len)) {
            w->scan = start + 1;
            continue;
        }
        end = w->scan = start + len;
        t = &w->in->tokens[index];
        if ((w->skip_special && t->special) ||
            (t->single_word && (word_before(w->text, start) || word_after(w->text, end))))
            continue;
        widen(w, t, &start, &end);
        if (start >= end) /* blanks alone, and a token before this one has swallowed them */
            continue;
        w->token_text = str_slice(w->text, start, end);
        w->token_id = t->id;
        w->has_token = true;
        *part = start > w->done ? str_slice(w->text, w->done, start) : (struct str){NULL, 0};
        w->done = end;
        if (!part->ptr)
            return added_next(w, part, id);
        return true;
    }
    if (w->is_over || w->done >= w->text.len)
        return false;
    w->is_over = true;
    *part = str_slice(w->text, w->done, w->text.len);
    return true;
}
