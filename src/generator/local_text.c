/* local_text.c - a window slides over the end of the text; nothing is searched twice. */
#include "generator/local_text.h"

void local_text_init(struct local_text *t, const struct tokenizer *tok,
                     const struct local_text_spec *spec)
{
    *t = (struct local_text){.spec = *spec, .stop_index = -1};
    detok_init(&t->detok, tok, spec->skip_special);
    for (int i = 0; i < spec->n_stop; i++)
        t->held_back = MAX(t->held_back, spec->stop[i].len - 1);
}

void local_text_clear(struct local_text *t)
{
    detok_clear(&t->detok);
    buf_clear(&t->bytes);
}

/* Looks for stop strings that end in the text from old_len on. */
static bool find_stop(struct local_text *t, size_t old_len)
{
    size_t best_end = SIZE_MAX, best_at = 0;

    for (int i = 0; i < t->spec.n_stop; i++) {
        size_t len = t->spec.stop[i].len, from = old_len >= len - 1 ? old_len - (len - 1) : 0;
        ptrdiff_t at = str_find(buf_str(&t->bytes), t->spec.stop[i], MAX(from, t->search_from));

        if (at < 0 || (size_t)at + len >= best_end)
            continue;
        best_at = (size_t)at;
        best_end = best_at + len;
        t->stop_index = i;
    }
    if (best_end == SIZE_MAX)
        return false;
    t->bytes.len = t->spec.include_stop ? best_end : best_at;
    return true;
}

bool local_text_add(struct local_text *t, int32_t token_id, bool *stopped, struct err *e)
{
    size_t old_len = t->bytes.len;

    *stopped = false;
    if (!detok_add(&t->detok, token_id, &t->bytes, e))
        return false;
    if (++t->n_tokens <= t->spec.min_tokens)
        t->search_from = t->bytes.len;
    else if (t->bytes.len > old_len)
        *stopped = find_stop(t, old_len);
    return true;
}

bool local_text_finish(struct local_text *t, struct err *e)
{
    return t->stop_index >= 0 || detok_finish(&t->detok, &t->bytes, e);
}

struct str local_text_new(struct local_text *t, bool is_finished)
{
    size_t end = t->bytes.len, from = t->n_shown;

    if (!is_finished) {
        end = end > t->held_back ? end - t->held_back : 0;
        while (end > 0 && end < t->bytes.len && (t->bytes.ptr[end] & 0xC0) == 0x80)
            end--; /* not inside a character */
    }
    if (end <= from)
        return STR("");
    t->n_shown = end;
    return str_slice(buf_str(&t->bytes), from, end);
}
