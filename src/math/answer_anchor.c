/* answer_anchor.c - "the answer is ..." in nine languages and more.
 *
 * One pass forward collects the anchors; the best kind wins, within a kind the last one that is
 * followed by something. The answer text runs to the end of its sentence, is cut at "because" and
 * its kin, and gives first itself, then the value within it. */
#include "math/answer_anchor_words.h"
#include "math/answer_internal.h"

enum { MAX_HITS = 16 };

/* --- finding ---------------------------------------------------------------------------------- */

struct hit {
    size_t word, after; /* of the anchor word */
    size_t text;        /* where the answer text begins */
    enum anchor_kind kind;
};

static size_t skip_marks(struct str s, size_t i, bool with_newlines)
{
    static const char *const signs[] = {"✅", "👉", "➡", "→", "\xE2\x9C\x94",
                                        "🎯", "🔥", "✔", "📌", "⭐"};
    bool moved = true;

    while (moved && i < s.len) {
        moved = false;
        if (strchr(" \t*_#>~\"", s.ptr[i]) || (with_newlines && s.ptr[i] == '\n')) {
            i++;
            moved = true;
        }
        for (size_t k = 0; k < LEN(signs) && !moved; k++) {
            if (at_text(s, i, signs[k])) {
                i += strlen(signs[k]);
                moved = true;
            }
        }
    }
    return i;
}

static bool word_ends(struct str s, size_t end, const char *word)
{
    unsigned char last = (unsigned char)word[strlen(word) - 1];

    return last >= 0x80 || !is_alpha((char)last) || end >= s.len || !is_alpha(s.ptr[end]);
}

/* The link at i; *end is after it. */
static bool read_link(struct str s, size_t i, size_t *end)
{
    for (size_t k = 0; k < LEN(links); k++) {
        size_t n = strlen(links[k]);

        if (at_nocase(s, i, links[k]) && word_ends(s, i + n, links[k])) {
            *end = i + n;
            return true;
        }
    }
    return false;
}

/* "answer (in cm) is", "answer to the problem is": the link up to 60 bytes on, in the same
 * sentence. */
static bool read_far_link(struct str s, size_t i, size_t *end)
{
    static const char *const openers[] = {"to ", "for ",  "of ", "in ",  "(",     "here ", "key",
                                          "we ", "that ", "à ",  "auf ", "a la ", "на "};
    size_t limit = MIN(s.len, i + 60);
    bool opens = false;

    for (size_t k = 0; k < LEN(openers); k++)
        opens |= at_nocase(s, i, openers[k]);
    if (!opens)
        return false;
    for (; i < limit; i++) {
        if (s.ptr[i] == '.' || s.ptr[i] == '\n' || s.ptr[i] == '$')
            return false;
        if (s.ptr[i] == ':') {
            *end = i + 1;
            return true;
        }
        if (s.ptr[i] == ' ' && at_nocase(s, i + 1, "is ")) {
            *end = i + 4;
            return true;
        }
    }
    return false;
}

static bool is_formula_start(struct str s, size_t i)
{
    return i < s.len && (s.ptr[i] == '$' || at_text(s, i, "\\(") || at_text(s, i, "\\["));
}

/* The "**" directly before i belongs to the text when it is closed in the same line. */
static size_t with_emphasis(struct str s, size_t i)
{
    struct str line = str_slice(s, i, MIN(s.len, i + 200));
    ptrdiff_t close = str_find(line, STR("**"), 0), newline = str_find_char(line, '\n', 0);

    return i >= 2 && at_text(s, i - 2, "**") && close > 0 && (newline < 0 || close < newline)
               ? i - 2
               : i;
}

/* Where the answer text behind an anchor word begins; false: the word does not announce one. */
static bool read_announcement(struct str s, size_t after, size_t *text)
{
    size_t i = skip_marks(s, after, false), end;

    if (i < s.len && (s.ptr[i] == ')' || s.ptr[i] == ']'))
        i = skip_marks(s, i + 1, false);
    if (read_link(s, i, &end) || read_far_link(s, i, &end)) {
        i = skip_marks(s, end, true);
        while (read_link(s, i, &end) && (s.ptr[i] == ':' || s.ptr[i] == '='))
            i = skip_marks(s, end, true);
        *text = with_emphasis(s, i);
        return true;
    }
    if (is_formula_start(s, i)) {
        *text = i;
        return true;
    }
    if (i < s.len && s.ptr[i] == '\n') { /* a heading */
        *text = with_emphasis(s, skip_marks(s, i, true));
        return true;
    }
    if ((unsigned char)s.ptr[after - 1] >= 0x80 && i < s.len &&
        (is_digit(s.ptr[i]) || s.ptr[i] == '-')) {
        *text = i;
        return true;
    }
    return false;
}

/* "I don't think the answer is", "possible answers": what follows is not the answer. */
static bool is_doubted(struct str s, size_t i)
{
    struct str head = str_slice(s, i > 24 ? i - 24 : 0, i);

    return str_find(head, STR("n't think"), 0) >= 0 || str_find(head, STR("not think"), 0) >= 0 ||
           str_find(head, STR("doubt"), 0) >= 0 || str_find(head, STR("thought the"), 0) >= 0 ||
           str_find(head, STR("thought that"), 0) >= 0 || str_ends(head, "ossible ");
}

struct hits {
    struct hit ring[N_ANCHOR_KINDS][MAX_HITS];
    int n[N_ANCHOR_KINDS];
};

static void find_hits(struct str s, struct hits *h)
{
    bool begins[256] = {false};

    memset(h, 0, sizeof(*h));
    for (size_t k = 0; k < LEN(anchors); k++) {
        begins[(unsigned char)anchors[k].word[0]] = true;
        if (is_lower(anchors[k].word[0]))
            begins[(unsigned char)(anchors[k].word[0] - 32)] = true;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!begins[(unsigned char)s.ptr[i]] ||
            (i > 0 && is_alpha(s.ptr[i]) && is_alpha(s.ptr[i - 1])))
            continue;
        for (size_t k = 0; k < LEN(anchors); k++) {
            size_t after, text;

            if (anchors[k].word[0] != to_lower(s.ptr[i]))
                continue;
            after = i + strlen(anchors[k].word);
            if (!at_nocase(s, i, anchors[k].word) || !word_ends(s, after, anchors[k].word) ||
                is_doubted(s, i) || !read_announcement(s, after, &text))
                continue;
            h->ring[anchors[k].kind][h->n[anchors[k].kind]++ % MAX_HITS] =
                (struct hit){i, after, text, anchors[k].kind};
            i = after - 1;
            break;
        }
    }
}

/* Whether the text takes something back: "wait", "correction". */
static bool takes_back(struct str s)
{
    static const char *const words[] = {"wait",  "actually",  "correction", "mistake",
                                        "sorry", "recheck",   "recompute",  "instead",
                                        "wrong", "incorrect", "oops",       "apolog"};

    for (size_t i = 0; i < s.len; i++) {
        if (!is_alpha(s.ptr[i]) || (i > 0 && is_alpha(s.ptr[i - 1])))
            continue;
        for (size_t k = 0; k < LEN(words); k++) {
            if (at_nocase(s, i, words[k]))
                return true;
        }
    }
    return false;
}

/* --- the answer text -------------------------------------------------------------------------- */

static struct str after_fillers(struct str s)
{
    bool moved = true;

    while (moved) {
        s = str_trim(s);
        s = str_slice(
            s, skip_marks(s, 0, true) > 0 && !str_starts(s, "**") ? skip_marks(s, 0, true) : 0,
            s.len);
        moved = false;
        for (size_t k = 0; k < LEN(fillers) && !moved; k++) {
            size_t n = strlen(fillers[k]);

            if (at_nocase(s, 0, fillers[k]) && n < s.len &&
                (s.ptr[n] == ' ' || s.ptr[n] == ',' || s.ptr[n] == ':')) {
                s = str_slice(s, n + 1, s.len);
                moved = true;
            }
        }
    }
    return s;
}

/* Offset of the first of the cuts outside formulas; s.len: none. */
static size_t cut_at(struct str s, const struct span *spans, int n)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] != ' ' && s.ptr[i] != ',' && s.ptr[i] != ';' && (unsigned char)s.ptr[i] < 0x80)
            continue;
        for (size_t k = 0; k < LEN(cuts); k++) {
            if (at_nocase(s, i, cuts[k]) && span_at(spans, n, i) == NULL)
                return i;
        }
    }
    return s.len;
}

/* The part behind the last "i.e." or its like, which says the same in the final form. */
static struct str restated(struct str s, const struct span *spans, int n)
{
    static const char *const words[] = {", i.e.,",
                                        ", i.e.",
                                        " i.e. ",
                                        "; i.e.",
                                        ", that is,",
                                        ", or equivalently,",
                                        ", or equivalently",
                                        " or equivalently ",
                                        ", d.h. ",
                                        ", c'est-à-dire",
                                        ", es decir,",
                                        ", т.е.",
                                        ", то есть"};
    size_t from = 0;

    for (size_t i = 1; i < s.len; i++) {
        for (size_t k = 0; k < LEN(words); k++) {
            if (at_nocase(s, i, words[k]) && i + strlen(words[k]) < s.len &&
                span_at(spans, n, i) == NULL)
                from = i + strlen(words[k]);
        }
    }
    return str_trim(str_slice(s, from, s.len));
}

/* "not 17 but 19" says 19. */
static struct str not_but(struct str s)
{
    ptrdiff_t at;

    if (!at_nocase(s, 0, "not "))
        return s;
    at = str_find(s, STR(" but "), 0);
    if (at < 0)
        at = str_find(s, STR(", it is "), 0);
    if (at < 0)
        at = str_find(s, STR(", it's "), 0);
    if (at < 0)
        return s;
    s = str_slice(s, (size_t)at + 5, s.len);
    return at_nocase(s, 0, "s ") ? str_slice(s, 2, s.len) : str_trim(s);
}

/* "(95% confidence)": a number and words up to the bracket. */
static bool is_counted_remark(struct str s, size_t i)
{
    ptrdiff_t close = str_find_char(s, ')', i);

    return close > 0 && is_digit(s.ptr[i + 1]) && span_has_words(str_slice(s, i, (size_t)close));
}

/* A remark in parentheses behind a formula or an emphasised value: "**100** ($10^2$)". */
static struct str without_remark(struct str s, const struct span *spans, int n)
{
    for (int k = 0; k < n; k++) {
        size_t i = spans[k].to;
        bool is_first = spans[k].from == 0;

        if (is_first && spans[k].kind != SPAN_RUN && at_text(s, i, " (") && !at_text(s, i, " (mod"))
            return str_slice(s, 0, i);
    }
    for (size_t i = 1; i + 3 < s.len; i++) {
        if (s.ptr[i] == '(' && s.ptr[i - 1] == ' ' && span_at(spans, n, i) == NULL &&
            ((is_word(s.ptr[i + 1]) && is_word(s.ptr[i + 2])) || s.ptr[i + 1] == '$' ||
             is_counted_remark(s, i)) &&
            !at_nocase(s, i, "(mod"))
            return str_slice(s, 0, i);
    }
    return s;
}

/* What follows `from`, where the first item of a list on a line of its own begins with a dash that
 * is no sign. */
static struct str without_bullet(struct str s, size_t from)
{
    size_t before = from;

    while (before > 0 && is_blank(s.ptr[before - 1]) && s.ptr[before - 1] != '\n')
        before--;
    if (before > 0 && s.ptr[before - 1] == '\n' && at_text(s, from, "- "))
        from += 2;
    return str_slice(s, from, s.len);
}

/* The text that an anchor announces, from s on. */
static struct str announced(struct str s, struct arena *a)
{
    struct span *spans = arena_array(a, SPAN_MAX, sizeof(*spans));
    struct str part = str_slice(s, 0, SPAN_MAX_TEXT);
    int n;

    for (int tries = 0; tries < 3; tries++) {
        n = span_find(part, false, spans, SPAN_MAX);
        s = str_trim(str_slice(part, 0, answer_sentence_end(part, 0, spans, n)));
        if (!str_ends(s, ":") || span_has_digit(s))
            break;
        part = str_trim(str_slice(part, (size_t)(s.ptr - part.ptr) + s.len, part.len));
    }
    s = after_fillers(not_but(after_fillers(s)));
    n = span_find(s, false, spans, SPAN_MAX);
    s = str_slice(s, 0, cut_at(s, spans, n));
    s = after_fillers(restated(s, spans, n));
    n = span_find(s, false, spans, SPAN_MAX);
    return without_remark(s, spans, n);
}

/* Few enough words to be an answer in words. */
static bool is_short(struct str s)
{
    int n_words = 0;

    for (size_t i = 0; i < s.len; i++)
        n_words += is_word(s.ptr[i]) && (i == 0 || is_blank(s.ptr[i - 1]));
    return n_words <= 8 && s.len <= 200;
}

static bool announces_something(struct str s)
{
    static const char *const empty[] = {
        "as follows", "consistent", "correct",     "below",          "above",  "in",
        "not clear",  "clear",      "right",       "independent of", "unique", "an integer",
        "verified",   "confirmed",  "in the form", "reasonable"};

    if (s.len == 0)
        return false;
    for (size_t k = 0; k < LEN(empty); k++) {
        if (at_nocase(s, 0, empty[k]) &&
            (strlen(empty[k]) >= s.len || strchr(" ,.!", s.ptr[strlen(empty[k])])) &&
            !span_has_digit(s))
            return false;
    }
    return true;
}

/* Readings of one announced text: itself, its leading formula, its value. */
static bool add_readings(struct str s, const char *rule, struct answer_list *l)
{
    int before = l->n;
    struct span f;

    if (!announces_something(s) || answer_is_code(s))
        return false;
    if (is_short(s) || !span_is_prose(s))
        answer_add(l, s, rule, RANK_ANCHOR);
    if (span_formula(s, 0, &f) && f.to < s.len && !span_is_prose(f.inner) &&
        span_has_digit(f.inner))
        answer_add(l, f.inner, rule, RANK_ANCHOR);
    if (span_is_prose(s) || str_find(s, STR("**"), 0) >= 0 ||
        (s.len > 0 && (unsigned char)s.ptr[0] >= 0x80))
        (void)answer_sentence(s, rule, l, RANK_ANCHOR);
    return l->n > before;
}

/* --- "17 is the answer" ----------------------------------------------------------------------- */

/* What is said to be the answer: the formula or emphasis that head ends with, else its value. */
static void add_subject(struct str head, struct answer_list *l)
{
    struct span *v = arena_array(l->a, SPAN_MAX, sizeof(*v));
    int n;

    head = str_trim(str_slice(head, 0, SPAN_MAX_TEXT));
    n = span_find(head, false, v, SPAN_MAX);
    if (n > 0 && v[n - 1].to == head.len && v[n - 1].kind != SPAN_FENCE)
        answer_add(l, v[n - 1].inner, "is the answer", RANK_ANCHOR);
    else
        (void)answer_sentence(head, "is the answer", l, RANK_ANCHOR);
}

static bool inverted(struct str s, struct answer_list *l)
{
    static const char *const phrases[] = {" is the answer",
                                          " is our answer",
                                          " is the final answer",
                                          " is our final answer",
                                          " is the correct answer",
                                          " are the answers",
                                          " is the solution",
                                          " is our solution",
                                          " is the correct option",
                                          " is the correct choice",
                                          " is correct"};
    size_t line = s.len;

    for (int tries = 0; tries < 16 && line > 0; tries++) {
        struct str text;
        const char *newline = last_char(s, '\n', line);
        size_t from = newline ? (size_t)(newline - s.ptr) + 1 : 0;

        text = str_slice(s, MAX(from, line > 2000 ? line - 2000 : 0), line);
        for (size_t i = text.len; i-- > 0;) {
            for (size_t k = 0; text.ptr[i] == ' ' &&
                               (at_nocase(text, i + 1, "is ") || at_nocase(text, i + 1, "are ")) &&
                               k < LEN(phrases);
                 k++) {
                struct str head = str_slice(text, 0, i);
                ptrdiff_t stop = last_text(head, ". ");

                if (!at_nocase(text, i, phrases[k]))
                    continue;
                if (stop >= 0)
                    head = str_slice(head, (size_t)stop + 2, head.len);
                add_subject(head, l);
                if (l->n > 0)
                    return true;
            }
        }
        line = from > 0 ? from - 1 : 0;
    }
    return false;
}

/* --- "#### 18" -------------------------------------------------------------------------------- */

static bool hashes(struct str s, struct answer_list *l)
{
    ptrdiff_t at = last_text(s, "####");
    struct str line;
    ptrdiff_t newline;

    if (at < 0 || (at > 0 && s.ptr[at - 1] != '\n' && s.ptr[at - 1] != ' '))
        return false;
    line = str_slice(s, (size_t)at + 4, s.len);
    newline = str_find_char(line, '\n', 0);
    if (newline >= 0)
        line = str_slice(line, 0, (size_t)newline);
    line = str_trim(line);
    if (line.len == 0 || line.len > 200 || span_is_prose(line) || at_nocase(line, 0, "step"))
        return false;
    return answer_add(l, line, "after ####", RANK_HASHES);
}

/* --- together --------------------------------------------------------------------------------- */

static const struct hit *nth_last(const struct hits *h, enum anchor_kind kind, int back)
{
    int n = h->n[kind];

    return back < MIN(n, MAX_HITS) ? &h->ring[kind][(n - 1 - back) % MAX_HITS] : NULL;
}

/* "The answer is 17, but that is wrong." */
static bool is_taken_back(struct str s, size_t text)
{
    static const char *const phrases[] = {"that was wrong", "that is wrong",  "that's wrong",
                                          "was incorrect",  "which is wrong", "which was wrong"};
    struct str line = str_slice(s, text, MIN(s.len, text + 200));
    ptrdiff_t newline = str_find_char(line, '\n', 0);

    if (newline >= 0)
        line = str_slice(line, 0, (size_t)newline);
    for (size_t k = 0; k < LEN(phrases); k++) {
        if (str_find(line, STR(phrases[k]), 0) >= 0)
            return true;
    }
    return false;
}

static bool from_kind(struct str s, const struct hits *h, enum anchor_kind kind,
                      struct answer_list *l)
{
    static const char *const rules[] = {"the result is", "the answer is", "final answer"};
    const struct hit *hit;

    for (int back = 0; (hit = nth_last(h, kind, back)) != NULL; back++) {
        struct str text;

        if (is_taken_back(s, hit->text))
            continue;
        text = announced(without_bullet(s, hit->text), l->a);
        if (at_nocase(text, 0, "not ") && span_has_digit(text))
            continue; /* "The answer is not 41. It is 42." */
        if (add_readings(text, rules[kind], l))
            return true;
    }
    return false;
}

void answer_anchored(struct str text, struct answer_list *l)
{
    struct hits h;
    const struct hit *final, *plain;

    if (hashes(text, l))
        return;
    find_hits(text, &h);
    final = nth_last(&h, ANCHOR_FINAL, 0);
    plain = nth_last(&h, ANCHOR_ANSWER, 0);
    if (final && plain && plain->word > final->word &&
        takes_back(str_slice(text, final->word, plain->word)) &&
        from_kind(text, &h, ANCHOR_ANSWER, l))
        return;
    if (from_kind(text, &h, ANCHOR_FINAL, l) || from_kind(text, &h, ANCHOR_ANSWER, l) ||
        inverted(text, l))
        return;
    (void)from_kind(text, &h, ANCHOR_RESULT, l);
}

bool answer_final_after(struct str text, size_t after, struct answer_list *l)
{
    struct str tail = str_slice(text, after, text.len);
    struct hits h;
    struct answer_list found = {l->out, l->n, l->cap, l->a};

    if (tail.len < strlen("final answer"))
        return false;
    find_hits(tail, &h);
    if (h.n[ANCHOR_FINAL] == 0 || !from_kind(tail, &h, ANCHOR_FINAL, &found))
        return false;
    l->n = found.n;
    return true;
}
