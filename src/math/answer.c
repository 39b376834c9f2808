/* answer.c - the order of the search: tag, box, anchor, whole text, last sentence. */
#include "math/answer.h"

#include "math/answer_internal.h"

/* --- candidates ------------------------------------------------------------------------------- */

bool answer_is_code(struct str text)
{
    static const char *const signs[] = {
        "__",    "import ", "lambda ",  "lambda:",     "exec(",
        "eval(", "system(", "getattr(", "subprocess",  "os.path",
        "sys.",  "def ",    "#include", "console.log", "System.out"};
    struct str s = str_slice(text, 0, SPAN_MAX_TEXT);

    for (size_t k = 0; k < LEN(signs); k++) {
        ptrdiff_t at = str_find(s, STR(signs[k]), 0);

        if (at >= 0 && (k > 0 || str_find_char(s, '(', 0) >= 0 || str_find_char(s, '.', 0) >= 0))
            return true;
    }
    return false;
}

bool answer_add_bare(struct answer_list *l, struct str bare, const char *rule, int rank)
{
    if (answer_is_placeholder(bare) || l->n == l->cap || answer_is_code(bare))
        return false;
    for (int i = 0; i < l->n; i++) {
        if (str_eq(l->out[i].text, bare))
            return false;
    }
    l->out[l->n++] = (struct answer_candidate){bare, rule, rank};
    return true;
}

bool answer_add(struct answer_list *l, struct str text, const char *rule, int rank)
{
    return answer_add_bare(l, answer_bare(text, l->a), rule, rank);
}

/* --- the whole text --------------------------------------------------------------------------- */

static bool is_single_line(struct str s)
{
    return s.len <= 300 && str_find_char(s, '\n', 0) < 0;
}

/* Formulas or emphasis within a text. Without them and without words a text is one formula, which
 * gives up no part of itself. */
static bool has_delimiters(struct str s)
{
    return str_find_char(s, '$', 0) >= 0 || str_find(s, STR("\\("), 0) >= 0 ||
           str_find(s, STR("\\["), 0) >= 0 || str_find(s, STR("\\begin{"), 0) >= 0 ||
           str_find(s, STR("**"), 0) >= 0;
}

/* A response that is nothing but one fenced block: its content. */
static struct str without_fence(struct str s)
{
    ptrdiff_t newline = str_find_char(s, '\n', 0);

    s = str_trim(s);
    if (!str_starts(s, "```") || s.len < 7 || newline < 0 ||
        last_text(s, "```") + 3 != (ptrdiff_t)s.len ||
        str_find(s, STR("```"), 3) + 3 != (ptrdiff_t)s.len)
        return s;
    return str_trim(str_slice(s, (size_t)newline, s.len - 3));
}

/* An alignment of several lines, of which the last one counts. */
static bool is_derivation(struct str s)
{
    ptrdiff_t at = str_find(s, STR("\\begin{align"), 0);

    return at >= 0 && str_find(s, STR("\\\\"), (size_t)at) >= 0;
}

static void search(struct str s, struct answer_list *l)
{
    size_t after;
    struct str box = answer_boxes(s, l->a, &after);
    struct span f;
    int before = l->n;

    if (box.len > 0 && answer_final_after(s, after, l))
        return;
    if (box.len > 0) {
        answer_add(l, box, "boxed", RANK_BOX);
        return;
    }
    s = answer_without_calculations(s, l->a);
    answer_anchored(s, l);
    if (l->n > before)
        return;
    s = without_fence(s);
    if (is_single_line(s) && !is_derivation(s) && (!span_formula(s, 0, &f) || f.to == s.len))
        answer_add(l, at_nocase(s, 0, "so ") ? str_slice(s, 3, s.len) : s, "whole response",
                   RANK_WHOLE);
    if (!is_single_line(s) || span_has_words(s) || has_delimiters(s))
        answer_last_sentence(s, l);
}

int answer_find(struct str response, struct arena *a, struct answer_candidate *out, int cap)
{
    struct answer_list l = {out, 0, cap, a};
    bool is_tagged;
    struct str s = answer_unwrap(answer_clean(response, a), &is_tagged);
    size_t after;

    if (str_trim(s).len == 0)
        return 0;
    if (is_tagged && s.len <= 2000 && answer_boxes(s, a, &after).len == 0)
        answer_add(&l, s, "answer tag", RANK_TAG);
    search(s, &l);
    for (int i = 0; is_tagged && i < l.n; i++)
        l.out[i].rank = RANK_TAG;
    return l.n;
}

/* --- gold ------------------------------------------------------------------------------------- */

static struct str without_delimiters(struct str s)
{
    struct span f;

    s = str_trim(s);
    if (span_formula(s, 0, &f) && f.to == s.len && f.kind != SPAN_DISPLAY)
        return str_trim(f.inner);
    if (span_formula(s, 0, &f) && f.to == s.len && !str_starts(s, "\\begin"))
        return str_trim(f.inner);
    if (s.len > 2 && s.ptr[0] == '$' && s.ptr[s.len - 1] == '$' && s.ptr[s.len - 2] != '\\' &&
        memchr(s.ptr + 1, '$', s.len - 2) == NULL)
        return str_trim(str_slice(s, 1, s.len - 1));
    return s;
}

struct str answer_gold(struct str gold, struct arena *a)
{
    struct str s = answer_clean(gold, a), box;
    ptrdiff_t at = last_text(s, "####");
    size_t after;

    if (at >= 0)
        return answer_bare(str_slice(s, (size_t)at + 4, s.len), a);
    box = answer_boxes(s, a, &after);
    return answer_bare(box.len > 0 ? box : without_delimiters(s), a);
}

bool answer_has_words(struct str text)
{
    return span_has_words(text);
}

struct str answer_bared(struct str text, struct arena *a)
{
    struct str s = answer_clean(text, a), box;
    size_t after;

    box = answer_boxes(s, a, &after);
    return answer_bare(box.len > 0 ? box : s, a);
}

struct str answer_region(struct str response, struct arena *a)
{
    bool is_tagged;

    return answer_unwrap(answer_clean(response, a), &is_tagged);
}
