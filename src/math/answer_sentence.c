/* answer_sentence.c - the value of a sentence, and the last sentence that has one.
 *
 * In a sentence the last emphasised value is taken first, then the last value that is not
 * subordinate
 * ("attained at x = 3", "not 17", a remark in parentheses): formulas, displays, plain runs of
 * mathematics and numbers with their sign, currency and unit alike. Of a display of several lines
 * the right side of the last line counts. */
#include "math/answer_internal.h"

/* --- sentences -------------------------------------------------------------------------------- */

static bool ends_cjk(struct str s, size_t i)
{
    return (unsigned char)s.ptr[i] >= 0x80 &&
           (at_text(s, i, "。") || at_text(s, i, "।") || at_text(s, i, "؟") || at_text(s, i, "！"));
}

static bool is_abbreviation(struct str s, size_t dot)
{
    static const char *const words[] = {"i.e", "e.g", "resp", "approx", "vs",  "cf",  "Eq",
                                        "eq",  "Fig", "no",   "No",     "etc", "z.B", "d.h"};

    for (size_t i = 0; i < LEN(words); i++) {
        size_t n = strlen(words[i]);

        if (dot >= n && memcmp(s.ptr + dot - n, words[i], n) == 0 &&
            (dot == n || !is_alpha(s.ptr[dot - n - 1])))
            return strcmp(words[i], "no") != 0 && strcmp(words[i], "No") != 0;
    }
    return false;
}

/* Whether the '.', '!' or '?' at i ends a sentence: a blank and no lower-case letter follow. */
static bool is_full_stop(struct str s, size_t i)
{
    size_t next = i + 1;

    if (s.ptr[i] != '.' && s.ptr[i] != '?' && s.ptr[i] != '!')
        return false;
    while (next < s.len && strchr("*_\"')]", s.ptr[next]))
        next++;
    if (next >= s.len)
        return true;
    if (!is_blank(s.ptr[next]))
        return is_upper(s.ptr[next]) && i > 0 && is_digit(s.ptr[i - 1]); /* "is 5.So" */
    while (next < s.len && is_blank(s.ptr[next]))
        next++;
    if (next >= s.len)
        return true;
    if (s.ptr[i] == '.' && is_abbreviation(s, i))
        return false;
    if (s.ptr[i] == '!' && i > 0 && is_digit(s.ptr[i - 1]) && !is_upper(s.ptr[next]))
        return false; /* a factorial */
    return !is_lower(s.ptr[next]);
}

size_t answer_sentence_end(struct str text, size_t from, const struct span *spans, int n)
{
    size_t i = from;
    int k = 0;

    while (i < text.len) {
        while (k < n && spans[k].to <= i)
            k++;
        if (k < n && spans[k].from <= i && spans[k].kind != SPAN_RUN) {
            i = spans[k].to;
            continue;
        }
        if (text.ptr[i] == '\n' || ends_cjk(text, i) || is_full_stop(text, i))
            return i;
        i++;
    }
    return i;
}

/* --- which values count ----------------------------------------------------------------------- */

static bool has_latex_value(struct str s)
{
    return str_find(s, STR("\\infty"), 0) >= 0 || str_find(s, STR("\\emptyset"), 0) >= 0 ||
           str_find(s, STR("\\varnothing"), 0) >= 0 || str_find(s, STR("\\pi"), 0) >= 0 ||
           str_find(s, STR("\\text"), 0) >= 0 || str_find(s, STR("\\mathbb"), 0) >= 0 ||
           str_find(s, STR("="), 0) >= 0 || str_find(s, STR("+"), 0) >= 0;
}

/* A formula that only names something: "n", "ABCD", "f(x)", "\triangle ABC". */
static bool is_bare_name(struct str s)
{
    s = str_trim(s);
    if (s.len > 0 && (s.ptr[0] == '^' || s.ptr[0] == '_'))
        return true; /* the exponent of a unit: "cm$^2$" */
    return !span_has_digit(s) && !has_latex_value(s);
}

static size_t word_before(struct str s, size_t i, struct str *word)
{
    size_t end;

    while (i > 0 && (is_blank(s.ptr[i - 1]) || strchr("($*:", s.ptr[i - 1])))
        i--;
    end = i;
    while (i > 0 && is_word(s.ptr[i - 1]))
        i--;
    *word = str_slice(s, i, end);
    return i;
}

/* "by working 8 hours", "having sold 9 eggs": the value belongs to how it came about. Looks back
 * over a few words, to a number or a mark at most. */
static bool is_in_gerund(struct str s, size_t from)
{
    static const char *const words[] = {"by",      "for",  "after", "before", "from",
                                        "without", "when", "while", "upon"};
    struct str word;
    bool was_gerund = false;

    for (int i = 0; i < 4; i++) {
        while (from > 0 && strchr(" $\\", s.ptr[from - 1]))
            from--;
        from = word_before(s, from, &word);
        if (word.len == 0)
            return false;
        if (str_eq_nocase(word, STR("having")))
            return true;
        for (size_t k = 0; k < LEN(words) && was_gerund; k++)
            if (str_eq_nocase(word, STR(words[k])))
                return true;
        was_gerund = word.len > 4 && str_ends(word, "ing");
    }
    return false;
}

/* Whether the value at `from` is said of something else: a condition, a source, a rejected value.
 */
static bool is_subordinate(struct str s, size_t from)
{
    static const char *const words[] = {
        "at",      "when",    "for",    "if",   "not",      "than",     "where",
        "since",   "because", "using",  "step", "case",     "equation", "eq",
        "figure",  "theorem", "lemma",  "page", "question", "problem",  "unlike",
        "without", "while",   "modulo", "mod",  "part",     "chapter",  "all",
        "every",   "each",    "any",    "from", "during",   "reach",    "original"};
    struct str word;
    size_t at = word_before(s, from, &word);

    if (str_eq_nocase(word, STR("the")) && at > 0) { /* "for the 9 eggs" */
        word_before(s, at, &word);
        return str_eq_nocase(word, STR("for")) || str_eq_nocase(word, STR("from")) ||
               str_eq_nocase(word, STR("during"));
    }

    for (size_t i = 0; i < LEN(words); i++) {
        if (str_eq_nocase(word, STR(words[i])))
            return true;
    }
    if (str_eq_nocase(word, STR("of")) && at > 0) {
        word_before(s, at, &word);
        return str_eq_nocase(word, STR("instead")) || str_eq_nocase(word, STR("out")) ||
               str_eq_nocase(word, STR("rate"));
    }
    return is_in_gerund(s, from);
}

/* The word that ends at *end, with its apostrophe; *end moves before it. Empty at a comma or other
 * mark. */
static struct str last_word(struct str s, size_t *end)
{
    size_t to, i = *end;

    while (i > 0 && (is_blank(s.ptr[i - 1]) || strchr("$*(\"", s.ptr[i - 1])))
        i--;
    to = i;
    while (i > 0 && (is_word(s.ptr[i - 1]) || s.ptr[i - 1] == '\''))
        i--;
    *end = i;
    return str_slice(s, i, to);
}

static bool is_one_of(struct str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(word, STR(words[i])))
            return true;
    }
    return false;
}

/* Whether the value at `from` is denied or only a bound: "cannot be 6", "is less than 6". */
static bool is_denied(struct str s, size_t from)
{
    static const char *const fillers[] = {"be",  "been",  "equal",   "equals",
                                          "to",  "a",     "exactly", "an",
                                          "the", "value", "number",  "possibly"};
    static const char *const denials[] = {
        "not",    "never",    "cannot",  "isn't",   "can't", "doesn't", "won't",   "aren't",
        "wasn't", "couldn't", "mustn't", "between", "below", "above",   "exceeds", "exceed"};
    static const char *const bounds[] = {"less",   "greater", "more",   "fewer", "larger",
                                         "bigger", "smaller", "higher", "lower"};
    static const char *const extremes[] = {"least", "most"};
    struct str word = last_word(s, &from);

    for (int i = 0; i < 4 && is_one_of(word, fillers, LEN(fillers)); i++)
        word = last_word(s, &from);
    if (is_one_of(word, denials, LEN(denials)))
        return true;
    if (str_eq_nocase(word, STR("than"))) {
        word = last_word(s, &from);
        return is_one_of(word, bounds, LEN(bounds));
    }
    if (!is_one_of(word, extremes, LEN(extremes)))
        return false;
    word = last_word(s, &from);
    return str_eq_nocase(word, STR("at"));
}

/* "42 of the 50 students": the second number is the whole of the first. */
static bool is_whole_of(struct str gap)
{
    static const char *const words[] = {
        "of",       "out of", "of the",   "out of the", "of all",     "of his",     "of her",
        "of their", "of its", "of these", "of those",   "out of his", "out of her", "out of their"};

    gap = str_trim(gap);
    for (size_t k = 0; k < LEN(words); k++)
        if (str_eq_nocase(gap, STR(words[k])))
            return true;
    return false;
}

/* "which is 5 more than last year", "3 years older than Ann": a comparison with the value. */
static bool is_difference(struct str s, size_t i)
{
    static const char *const words[] = {"more than",     "less than",        "fewer than",
                                        "greater than",  "years older than", "times more",
                                        "times as many", "times as much",    "years younger than"};

    while (i < s.len && strchr(" $*", s.ptr[i]))
        i++;
    for (size_t k = 0; k < LEN(words); k++)
        if (at_nocase(s, i, words[k]))
            return true;
    return false;
}

/* Whether a clause of condition begins between two values: "is 17 when y is 3". It lasts to a
 * comma. */
static bool begins_condition(struct str s)
{
    static const char *const words[] = {" when ",       " if ",       " where ",    " because ",
                                        " since ",      " whenever ", " provided ", " assuming ",
                                        " given that ", " while ",    " for all ",  " after round"};
    ptrdiff_t last = -1;

    for (size_t k = 0; k < LEN(words); k++)
        last = MAX(last, last_text(s, words[k]));
    return last >= 0 && str_find_char(s, ',', (size_t)last) < 0;
}

/* "in 12 months", "d'ici 12 mois": a span of time that says when. */
static bool is_when(struct str s, const struct span *v)
{
    static const char *const words[] = {"in",    "after", "within", "over",  "ici",  "dans",
                                        "après", "nach",  "en",     "через", "every"};
    static const char *const units[] = {
        "second", "minute", "hour", "day",   "week",  "month", "year", "mois", "jour", "semaine",
        "heure",  "ans",    "tag",  "woche", "monat", "jahr",  "día",  "mes",  "año",  "hora"};
    struct str word;
    size_t i = v->to;
    bool is_before = false;

    if (v->kind != SPAN_RUN)
        return false;
    word_before(s, v->from, &word);
    for (size_t k = 0; k < LEN(words); k++)
        is_before |= str_eq_nocase(word, STR(words[k]));
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    for (size_t k = 0; k < LEN(units) && is_before; k++) {
        if (at_nocase(s, i, units[k]))
            return true;
    }
    return false;
}

static bool in_remark(struct str s, const struct span *v)
{
    int depth = 0;

    for (size_t i = 0; i < v->from; i++) {
        if (s.ptr[i] == '(' && (i == 0 || s.ptr[i - 1] != '\\'))
            depth++;
        else if (s.ptr[i] == ')' && depth > 0 && s.ptr[i - 1] != '\\')
            depth--;
    }
    if (v->kind == SPAN_RUN && v->from > 0 && s.ptr[v->from] == '(' &&
        v->inner.ptr > s.ptr + v->from)
        return true; /* its closing bracket stands behind words */
    return depth > 0;
}

/* "1. ", "(2) ", "Step 3:", "[1]": numbers that count things in the text. */
static bool is_list_number(struct str s, const struct span *v)
{
    size_t digits = 0, i = v->from;

    if (v->kind != SPAN_RUN)
        return false;
    if (v->inner.len > 2 && v->inner.ptr[0] == '[') {
        while (digits + 2 < v->inner.len && is_digit(v->inner.ptr[digits + 1]))
            digits++;
        return digits + 2 == v->inner.len;
    }
    if (str_trim(str_slice(s, 0, v->from)).len > 0)
        return false;
    while (i < s.len && is_digit(s.ptr[i])) {
        i++;
        digits++;
    }
    return digits > 0 && digits <= 2 && i + 1 < s.len && (s.ptr[i] == '.' || s.ptr[i] == ')') &&
           s.ptr[i + 1] == ' ' && v->to <= i + 1;
}

/* --- the text of a value ---------------------------------------------------------------------- */

/* " per hour" behind a unit; i when there is none. */
static size_t rate_end(struct str s, size_t i)
{
    size_t at = i + strlen(" per ");

    if (!at_text(s, i, " per "))
        return i;
    while (at < s.len && is_alpha(s.ptr[at]))
        at++;
    return at > i + strlen(" per ") ? at : i;
}

/* The unit behind a plain number: words from a short list, or a sign. */
static size_t unit_end(struct str s, size_t i)
{
    static const char *const powers[] = {"square ", "cubic ", "sq. ", "sq "};
    static const char *const units[] = {
        "cm",         "mm",          "km",          "m",           "kg",          "g",
        "mg",         "lb",          "lbs",         "ft",          "inches",      "inch",
        "feet",       "foot",        "yards",       "miles",       "meters",      "metres",
        "meter",      "metre",       "grams",       "kilograms",   "pounds",      "ounces",
        "liters",     "litres",      "seconds",     "second",      "minutes",     "minute",
        "hours",      "hour",        "days",        "day",         "weeks",       "months",
        "years",      "dollars",     "cents",       "euros",       "mile",        "yard",
        "ounce",      "gallons",     "gallon",      "liter",       "litre",       "kilometers",
        "kilometres", "centimeters", "centimetres", "millimeters", "millimetres", "kilometer",
        "centimeter", "kilogram",    "milliliters", "units",       "percent",     "degrees",
        "pct",        "million",     "billion",     "thousand",    "dozen",       "千克",
        "公斤",       "米",          "厘米",        "元",          "分钟",        "小时",
        "秒"};
    size_t at = i;

    while (at < s.len && s.ptr[at] == ' ')
        at++;
    for (size_t k = 0; k < LEN(powers); k++) {
        if (at > i && at_text(s, at, powers[k])) {
            at += strlen(powers[k]);
            break;
        }
    }
    for (size_t k = 0; k < LEN(units); k++) {
        size_t end = at + strlen(units[k]);

        if (!at_text(s, at, units[k]) ||
            (is_alpha(units[k][0]) && end < s.len && is_alpha(s.ptr[end])))
            continue;
        if (at_text(s, end, "²") || at_text(s, end, "³") || at_text(s, end, "^2") ||
            at_text(s, end, "^3"))
            return end + 2;
        if (at_text(s, end, "$^2$") || at_text(s, end, "$^3$"))
            return end + 4;
        return rate_end(s, end);
    }
    return i;
}

/* The last line of an alignment, from its last top-level relation when it begins with one. */
static struct str last_row(struct str s)
{
    ptrdiff_t at;
    struct str row;

    s = str_trim(s);
    if (str_find(s, STR("\\begin{"), 0) >= 0 && !str_starts(s, "\\begin{align") &&
        !str_starts(s, "\\begin{gather") && !str_starts(s, "\\begin{split"))
        return s;
    while (str_starts(s, "\\begin{")) {
        ptrdiff_t close = str_find_char(s, '}', 0), end = last_text(s, "\\end{");

        if (close < 0 || end < close)
            break;
        s = str_trim(str_slice(s, (size_t)close + 1, (size_t)end));
    }
    while (str_ends(s, "\\\\"))
        s = str_trim(str_slice(s, 0, s.len - 2));
    at = last_text(s, "\\\\");
    row = at >= 0 ? str_trim(str_slice(s, (size_t)at + 2, s.len)) : s;
    while (row.len > 0 && strchr("&= ", row.ptr[0]))
        row = str_slice(row, 1, row.len);
    return row;
}

/* The right side of the last equality of a plain run: "9 * 2 = $18" gives "$18". */
static struct str right_side(struct str run)
{
    ptrdiff_t at = last_text(run, "=");
    struct str right;

    if (at <= 0 || strchr("<>!:", run.ptr[at - 1]) || str_find(run, STR(" and "), 0) >= 0)
        return run;
    right = str_trim(str_slice(run, (size_t)at + 1, run.len));
    while (right.len > 0 && strchr(")]", right.ptr[right.len - 1]) &&
           str_find(right, STR("("), 0) < 0 && str_find(right, STR("["), 0) < 0)
        right.len--;
    return right.len > 0 && span_has_digit(str_slice(run, 0, (size_t)at)) ? right : run;
}

/* A number and its unit, marked as text so that "79 g" is no product. */
static struct str with_unit(struct str number, struct str unit, struct arena *a)
{
    size_t n = unit.len;
    const char *power = "";

    if (n == 0)
        return number;
    if (str_ends(unit, "²") || str_ends(unit, "^2")) {
        n -= 2;
        power = "^2";
    } else if (str_ends(unit, "³") || str_ends(unit, "^3")) {
        n -= 2;
        power = "^3";
    }
    return str_fmt(a, STR_FMT " \\text{" STR_FMT "}%s", STR_ARG(number), (int)n, unit.ptr, power);
}

/* "1,000.99m²": the unit is written to the number. */
static struct str with_attached_unit(struct str run, struct arena *a)
{
    size_t i = 0, end;

    while (i < run.len && (is_digit(run.ptr[i]) || strchr(".,", run.ptr[i])))
        i++;
    if (i == 0 || i == run.len || !is_word(run.ptr[i]))
        return run;
    end = unit_end(run, i);
    return end == run.len ? with_unit(str_slice(run, 0, i), str_slice(run, i, end), a) : run;
}

static struct str value_text(struct str sentence, const struct span *v, struct arena *a)
{
    struct str inner = str_trim(v->inner);
    size_t end = (size_t)(v->inner.ptr - sentence.ptr) + v->inner.len;

    if (v->kind == SPAN_DISPLAY)
        return last_row(inner);
    if (v->kind == SPAN_MATH && inner.len > 0 && strchr("0123456789})", inner.ptr[inner.len - 1]))
        return str_slice(sentence, v->from, unit_end(sentence, v->to));
    if (v->kind != SPAN_RUN)
        return inner;
    inner = right_side(inner);
    if (inner.len > 0 && is_digit(inner.ptr[inner.len - 1])) {
        size_t to = unit_end(sentence, end);

        return with_unit(inner, str_trim(str_slice(sentence, end, to)), a);
    }
    return with_attached_unit(inner, a);
}

static const char *value_rule(enum span_kind k)
{
    switch (k) {
    case SPAN_BOLD:
        return "last emphasised value";
    case SPAN_CODE:
        return "last code span";
    case SPAN_DISPLAY:
        return "last display";
    case SPAN_MATH:
        return "last formula";
    default:
        return "last number";
    }
}

/* A heading or label in bold: "Final Answer", "Step 3:". */
static bool is_label(struct str inner)
{
    return inner.len == 0 || str_ends(inner, ":") || at_nocase(inner, 0, "step ") ||
           at_nocase(inner, 0, "final answer") || at_nocase(inner, 0, "answer") ||
           at_nocase(inner, 0, "conclusion") || at_nocase(inner, 0, "solution") ||
           at_nocase(inner, 0, "therefore") || at_nocase(inner, 0, "thus");
}

static bool is_value(struct str s, const struct span *v)
{
    if (v->kind == SPAN_FENCE || is_list_number(s, v))
        return false;
    if (v->kind == SPAN_BOLD || v->kind == SPAN_CODE)
        return !is_label(v->inner) &&
               (span_has_digit(v->inner) || v->to >= s.len || s.ptr[v->to] != ':');
    return v->kind == SPAN_RUN || !is_bare_name(v->inner);
}

/* Whether the text between two values makes them one list; *is_last: by "and" or "or". */
static bool is_connector(struct str s, bool *is_last)
{
    static const char *const words[] = {"and", "or", "et",  "ou", "und", "oder",   "y",
                                        "o",   "и",  "или", "和", "或",  "そして", "また"};

    s = str_trim(s);
    if (s.len > 0 && s.ptr[0] == ',')
        s = str_trim(str_slice(s, 1, s.len));
    *is_last = false;
    for (size_t k = 0; k < LEN(words) && !*is_last; k++)
        *is_last = str_eqz(s, words[k]);
    return s.len == 0 || *is_last;
}

/* The best value among spans [0, n): see the head of this file. -1: none; *has_denied: but there
 * are values that the sentence denies. */
static int best_value(struct str s, const struct span *v, int n, bool *has_denied)
{
    int last = -1, fallback = -1, best = -1, bold = -1;
    bool in_condition = false, was_denied = false, by_word;

    *has_denied = false;

    for (int i = 0; i < n; i++) {
        bool subordinate, is_whole = false;

        if (!is_value(s, &v[i]))
            continue;
        if (last >= 0) {
            struct str gap = str_slice(s, v[last].to, v[i].from);

            is_whole = v[last].kind == v[i].kind && is_whole_of(gap);
            in_condition =
                begins_condition(gap) || (in_condition && str_find_char(gap, ',', 0) < 0);
            was_denied = was_denied && is_connector(gap, &by_word);
        }
        last = i;
        was_denied = was_denied || is_denied(s, v[i].from);
        *has_denied |= was_denied;
        if (was_denied)
            continue;
        fallback = i;
        subordinate = in_condition || is_whole || is_difference(s, v[i].to) ||
                      is_subordinate(s, v[i].from) || in_remark(s, &v[i]) || is_when(s, &v[i]);
        if (!subordinate)
            best = i;
        if (!subordinate && (v[i].kind == SPAN_BOLD || v[i].kind == SPAN_CODE))
            bold = i;
    }
    return bold >= 0 ? bold : best >= 0 ? best : fallback;
}

/* The first value of the list that ends with value `last`: "x = 2 and x = 3". */
static int list_begin(struct str s, const struct span *v, int last)
{
    int first = last;
    bool by_word;

    while (first > 0 && v[first - 1].kind == v[last].kind && v[last].kind != SPAN_DISPLAY &&
           is_value(s, &v[first - 1]) &&
           is_connector(str_slice(s, v[first - 1].to, v[first].from), &by_word) &&
           (by_word || first < last))
        first--;
    return first;
}

/* Sentences that say that there is no answer. */
static bool gives_up(struct str s)
{
    static const char *const phrases[] = {
        "could not",  "couldn't",    "cannot determine", "can't determine", "cannot be determined",
        "unable to",  "not able to", "don't know",       "do not know",     "cannot find",
        "can't find", "cannot solve"};

    for (size_t k = 0; k < LEN(phrases); k++) {
        if (str_find(s, STR(phrases[k]), 0) >= 0)
            return true;
    }
    return false;
}

/* Answers in words within a sentence without a value: "The equation has no real solutions." */
static void add_phrase(struct str s, const char *rule, struct answer_list *l, int rank)
{
    static const char *const phrases[] = {"no real solution", "no integer solution",
                                          "no solution",      "does not exist",
                                          "the empty set",    "all real numbers",
                                          "infinitely many",  "is undefined",
                                          "is infinite",      "empty set"};

    for (size_t k = 0; k < LEN(phrases); k++) {
        for (size_t i = 0; i < s.len; i++) {
            size_t end = i + strlen(phrases[k]);

            if (!at_nocase(s, i, phrases[k]))
                continue;
            while (end < s.len && is_alpha(s.ptr[end]))
                end++;
            answer_add(l, str_slice(s, at_nocase(s, i, "is ") ? i + 3 : i, end),
                       rule ? rule : "last phrase", rank);
            return;
        }
    }
}

bool answer_sentence(struct str sentence, const char *rule, struct answer_list *l, int rank)
{
    struct span *v = arena_array(l->a, SPAN_MAX, sizeof(*v));
    struct str s = str_slice(sentence, 0, SPAN_MAX_TEXT);
    int n, best, begin, before = l->n;
    bool has_denied;

    if (answer_is_code(s) || gives_up(s))
        return false;
    n = span_find(s, true, v, SPAN_MAX);
    best = best_value(s, v, n, &has_denied);
    if (best < 0 && n == 1 && v[0].kind != SPAN_FENCE && v[0].from == 0 && v[0].to == s.len)
        best = 0; /* nothing but a formula, if only of letters: "$$Yes$$" */
    if (best < 0) {
        add_phrase(s, rule, l, rank);
        return has_denied || l->n > before;
    }
    begin = list_begin(s, v, best);
    answer_add(
        l, begin < best ? str_slice(s, v[begin].from, v[best].to) : value_text(s, &v[best], l->a),
        rule ? rule : value_rule(v[best].kind), rank);
    if (v[best].kind == SPAN_BOLD && span_is_prose(v[best].inner))
        (void)answer_sentence(v[best].inner, rule ? rule : "last emphasised value", l, rank);
    return has_denied || l->n > before;
}

/* --- the end of a text ------------------------------------------------------------------------ */

/* A line that begins what comes after the answer: checks, notes, references, courtesies. */
static bool is_afterword(struct str line)
{
    static const char *const heads[] = {
        "check",       "verification", "verify",       "note",     "remark",       "reference",
        "let me know", "if you have",  "feel free",    "i hope",   "sanity check", "please let",
        "hope this",   "source",       "vérification", "remarque", "probe",        "verificación",
        "проверка",    "замечание",    "验证",         "检验",     "注意",         "注：",
        "注:",         "検算",         "확인",         "검산",     "التحقق",       "ملاحظة"};
    size_t i = 0;

    while (i < line.len && (strchr(" \t#*_[(>-", line.ptr[i])))
        i++;
    if (i > 0 && i < line.len && line.ptr[i - 1] == '(' && str_ends(str_trim(line), ")") &&
        (is_alpha(line.ptr[i]) || is_digit(line.ptr[i])) && span_is_prose(line))
        return true;
    for (size_t k = 0; k < LEN(heads); k++) {
        size_t end = i + strlen(heads[k]);

        if (at_nocase(line, i, heads[k]) && (end >= line.len || !is_lower(line.ptr[end]) ||
                                             line.ptr[end] == 's' || line.ptr[end] == 'i'))
            return true;
    }
    return false;
}

/* An explanation under an answer that stands alone. */
static bool explains(struct str line, struct str head)
{
    size_t i = 0;

    while (i < line.len && strchr(" \t#*_>-", line.ptr[i]))
        i++;
    head = str_trim(head);
    return (at_nocase(line, i, "explanation") || at_nocase(line, i, "reasoning") ||
            at_nocase(line, i, "justification")) &&
           head.len <= 80 && span_has_digit(head) && !span_is_prose(head);
}

static bool is_conclusion(struct str line)
{
    static const char *const heads[] = {"therefore", "thus",          "hence",      "so ",
                                        "so,",       "in conclusion", "conclusion", "finally",
                                        "final",     "in total",      "donc",       "поэтому",
                                        "因此",      "所以",          "したがって", "따라서"};
    size_t i = 0;

    while (i < line.len && strchr(" \t#*_>-", line.ptr[i]))
        i++;
    for (size_t k = 0; k < LEN(heads); k++) {
        if (at_nocase(line, i, heads[k]))
            return true;
    }
    return false;
}

/* Text without the paragraphs behind the last heading of a check or note, unless they conclude
 * again. */
static struct str without_afterwords(struct str text)
{
    size_t from = 0, cut = text.len;
    bool is_cut = false;

    while (from < text.len) {
        ptrdiff_t newline = str_find_char(text, '\n', from);
        size_t to = newline < 0 ? text.len : (size_t)newline;
        struct str line = str_slice(text, from, to);

        if (!is_cut && from > 0 &&
            (is_afterword(line) || explains(line, str_slice(text, 0, from)))) {
            cut = from;
            is_cut = true;
        } else if (is_cut && is_conclusion(line)) {
            is_cut = false;
        }
        from = to + 1;
    }
    return is_cut && str_trim(str_slice(text, 0, cut)).len > 0 ? str_slice(text, 0, cut) : text;
}

static struct str last_part(struct str text)
{
    size_t from = text.len > SPAN_MAX_TEXT ? text.len - SPAN_MAX_TEXT : 0;

    if (from > 0) {
        ptrdiff_t newline = str_find_char(text, '\n', from);

        if (newline >= 0 && (size_t)newline + 200 < text.len)
            from = (size_t)newline;
    }
    return str_slice(text, from, text.len);
}

void answer_last_sentence(struct str text, struct answer_list *l)
{
    enum { MAX_SENTENCES = 4096 };
    struct str s = last_part(without_afterwords(str_trim(text)));
    struct span *spans = arena_array(l->a, SPAN_MAX, sizeof(*spans));
    size_t *starts = arena_array(l->a, MAX_SENTENCES + 1, sizeof(*starts)), at = 0;
    int n_spans = span_find(s, false, spans, SPAN_MAX), n = 0;

    while (at < s.len) {
        if (n == MAX_SENTENCES) {
            memmove(starts, starts + 1, (MAX_SENTENCES - 1) * sizeof(*starts));
            n--;
        }
        starts[n++] = at;
        at = answer_sentence_end(s, at, spans, n_spans) + 1;
    }
    starts[n] = s.len;
    for (int i = n - 1; i >= 0 && i > n - 64; i--) {
        struct str sentence = str_trim(str_slice(s, starts[i], starts[i + 1]));

        if (str_ends(sentence, "!")) /* what ended the sentence is no factorial */
            sentence.len--;

        if (sentence.len == 0 || (i > 0 && is_afterword(sentence)))
            continue;
        if (answer_is_code(sentence) || gives_up(sentence))
            return;
        if (answer_sentence(sentence, NULL, l, RANK_SENTENCE))
            return;
    }
}
