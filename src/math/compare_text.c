/* compare_text.c - words, choices, times and dates, on the plain text of an answer. */
#include "math/compare_internal.h"

#include <ctype.h>

/* --- words ------------------------------------------------------------------------------------ */

enum { MAX_WORDS = 512 };

struct words {
    struct str w[MAX_WORDS];
    int n;
    bool is_overfull;
};

static bool is_edge(char c)
{
    return strchr(".,;:!?\"'()[]{}*_", c) != NULL;
}

static bool is_article(struct str w)
{
    return str_eqz(w, "a") || str_eqz(w, "an") || str_eqz(w, "the");
}

static struct str lowered(struct arena *a, struct str s)
{
    char *z = arena_strndup(a, s.ptr, s.len);

    for (size_t i = 0; i < s.len; i++)
        z[i] = (char)tolower((unsigned char)z[i]);
    return (struct str){z, s.len};
}

/* Lower case, without punctuation at the edges of words and without articles. */
static void split_words(struct math_ctx *c, struct str text, struct words *out)
{
    struct str rest = lowered(&c->arena, text), w;

    out->n = 0;
    out->is_overfull = false;
    while (str_cut(&rest, ' ', &w)) {
        while (w.len > 0 && is_edge(w.ptr[0]))
            w = str_slice(w, 1, w.len);
        /* the mark of a factorial is none of punctuation */
        while (
            w.len > 0 && is_edge(w.ptr[w.len - 1]) &&
            !(w.ptr[w.len - 1] == '!' && (w.len == 1 || !isalpha((unsigned char)w.ptr[w.len - 2]))))
            w.len--;
        if (w.len == 0 || is_article(w))
            continue;
        if (out->n == MAX_WORDS) {
            out->is_overfull = true;
            return;
        }
        out->w[out->n++] = w;
    }
}

bool text_number(struct str word, long *value)
{
    static const char *const small[] = {"zero",    "one",     "two",       "three",    "four",
                                        "five",    "six",     "seven",     "eight",    "nine",
                                        "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                        "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                       "sixty",  "seventy", "eighty", "ninety"};

    word = str_trim(word);
    for (size_t i = 0; i < LEN(small); i++) {
        if (str_eq_nocase(word, STR(small[i]))) {
            *value = (long)i;
            return true;
        }
    }
    for (size_t i = 0; i < LEN(tens); i++) {
        size_t n = strlen(tens[i]);
        if (word.len < n || !str_eq_nocase(str_slice(word, 0, n), STR(tens[i])))
            continue;
        *value = (long)(i + 2) * 10;
        if (word.len == n)
            return true;
        if (word.ptr[n] != '-' && word.ptr[n] != ' ')
            return false;
        for (size_t k = 1; k < 10; k++) {
            if (str_eq_nocase(str_slice(word, n + 1, word.len), STR(small[k]))) {
                *value += (long)k;
                return true;
            }
        }
        return false;
    }
    return false;
}

static const struct {
    int group;
    const char *text;
} synonyms[] = {
    {0, "empty set"},
    {0, "no solution"},
    {0, "no solutions"},
    {0, "none"},
    {0, "no real solutions"},
    {0, "no real solution"},
    {0, "null set"},
    {0, "no such numbers"},
    {0, "no roots"},
    {0, "no real roots"},
    {0, "there is no solution"},
    {0, "there are no solutions"},
    {0, "there are no real solutions"},
    {1, "all real numbers"},
    {1, "all reals"},
    {1, "real numbers"},
    {1, "set of all real numbers"},
    {1, "set of real numbers"},
    {1, "reals"},
    {1, "all real values"},
    {1, "any real number"},
    {2, "infinity"},
    {2, "infinite"},
    {2, "positive infinity"},
    {3, "negative infinity"},
    {3, "minus infinity"},
    {4, "does not exist"},
    {4, "dne"},
    {4, "limit does not exist"},
    {4, "doesn't exist"},
    {4, "no limit"},
    {5, "undefined"},
    {5, "not defined"},
    {6, "infinitely many"},
    {6, "infinitely many solutions"},
    {6, "infinite solutions"},
    {6, "infinite number of solutions"},
    {6, "there are infinitely many solutions"},
    {7, "all integers"},
    {7, "set of all integers"},
    {7, "set of integers"},
    {7, "any integer"},
};

/* "all real numbers except -2 and 2" as a formula; any other text as it stands. */
struct str text_exclusion(struct arena *a, struct str text)
{
    static const char *const wholes[] = {"all real numbers ",   "all reals ",
                                         "all real values ",    "all real x ",
                                         "all real numbers x ", "all x "};
    static const char *const excepts[] = {"except for ", "except ", "other than ", "excluding ",
                                          "except"};
    struct str rest = text;
    bool in_text = str_starts(rest, "\\text{");
    size_t n = 0;

    if (in_text)
        rest = str_trim(str_slice(rest, 6, rest.len));
    for (size_t i = 0; i < LEN(wholes) && n == 0; i++) {
        size_t w = strlen(wholes[i]);
        if (rest.len <= w || !str_eq_nocase(str_slice(rest, 0, w), STR(wholes[i])))
            continue;
        for (size_t k = 0; k < LEN(excepts) && n == 0; k++) {
            size_t x = strlen(excepts[k]);
            if (rest.len > w + x && str_eq_nocase(str_slice(rest, w, w + x), STR(excepts[k])))
                n = w + x;
        }
    }
    if (n == 0)
        return text;
    rest = str_trim(str_slice(rest, n, rest.len));
    if (in_text && str_starts(rest, "}")) {
        rest = str_slice(rest, 1, rest.len);
        in_text = false;
    }
    return str_fmt(a, "\\mathbb{R}\\setminus\\{%s" STR_FMT "\\}", in_text ? "\\text{" : "",
                   STR_ARG(rest));
}

int text_synonym(struct str plain)
{
    struct str s = str_trim(plain);

    while (s.len > 0 && is_edge(s.ptr[s.len - 1]))
        s.len--;
    if (s.len > 4 && str_eq_nocase(str_slice(s, 0, 4), STR("the ")))
        s = str_slice(s, 4, s.len);
    for (size_t i = 0; i < LEN(synonyms); i++)
        if (str_eq_nocase(s, STR(synonyms[i].text)))
            return synonyms[i].group;
    return -1;
}

/* Parts of a list of names: "Alice, Bob and Carol". */
static int split_names(struct math_ctx *c, struct str text, struct str *out, int cap)
{
    struct str s = lowered(&c->arena, text);
    int n = 0;
    size_t from = 0;

    for (size_t i = 0; i <= s.len; i++) {
        size_t skip = 0;
        if (i == s.len || s.ptr[i] == ',' || s.ptr[i] == ';' || s.ptr[i] == '&')
            skip = 1;
        else if (str_starts(str_slice(s, i, s.len), " and "))
            skip = 5;
        else if (str_starts(str_slice(s, i, s.len), " or "))
            skip = 4;
        if (skip == 0)
            continue;
        struct str part = str_trim(str_slice(s, from, i));
        if (str_starts(part, "and "))
            part = str_trim(str_slice(part, 4, part.len));
        if (part.len > 0) {
            if (n == cap)
                return -1;
            out[n++] = part;
        }
        from = i + skip;
        i += skip - 1;
    }
    return n;
}

static bool same_words(struct math_ctx *c, struct str a, struct str b)
{
    struct words *x = arena_new(&c->arena, struct words), *y = arena_new(&c->arena, struct words);

    split_words(c, a, x);
    split_words(c, b, y);
    if (x->is_overfull || y->is_overfull || x->n != y->n || x->n == 0)
        return x->n == y->n && str_eq(a, b);
    for (int i = 0; i < x->n; i++)
        if (!str_eq(x->w[i], y->w[i]))
            return false;
    return true;
}

enum tri words_equal(struct math_ctx *c, struct str gold, struct str pred)
{
    struct str g[16], p[16];
    int ng, np, sg = text_synonym(gold), sp = text_synonym(pred);

    if (sg >= 0 || sp >= 0)
        return decide(c, sg == sp ? TRI_YES : TRI_NO, "text");
    if (same_words(c, gold, pred))
        return decide(c, TRI_YES, "text");
    ng = split_names(c, gold, g, (int)LEN(g));
    np = split_names(c, pred, p, (int)LEN(p));
    if (ng < 2 || ng != np)
        return decide(c, TRI_NO, "text");
    for (int i = 0; i < ng; i++) {
        bool found = false;
        for (int j = 0; j < np && !found; j++)
            found = same_words(c, g[i], p[j]);
        for (int j = 0; j < ng && found; j++) {
            bool back = false;
            for (int k = 0; k < ng && !back; k++)
                back = same_words(c, g[k], p[j]);
            found = back;
        }
        if (!found)
            return decide(c, TRI_NO, "text");
    }
    return decide(c, TRI_YES, "names in any order");
}

/* Letters, digits and signs alone: what is left of a formula that does not parse. */
static struct str squeezed(struct math_ctx *c, struct str s)
{
    char *z = arena_alloc(&c->arena, s.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len && strchr(",;:! ", s.ptr[i + 1])) {
            i++;
            continue;
        }
        if (str_starts(str_slice(s, i, s.len), "\\left") ||
            str_starts(str_slice(s, i, s.len), "\\right")) {
            i += s.ptr[i + 1] == 'l' ? 4 : 5;
            continue;
        }
        /* a blank between digits separates two numbers */
        bool splits = s.ptr[i] == ' ' && n > 0 && isdigit((unsigned char)z[n - 1]) &&
                      i + 1 < s.len && isdigit((unsigned char)s.ptr[i + 1]);
        if (splits || !strchr(" $~", s.ptr[i]))
            z[n++] = s.ptr[i];
    }
    return (struct str){z, n};
}

enum tri text_equal(struct math_ctx *c, struct str gold, struct str pred)
{
    if (gold.len > LATEX_MAX_TEXT || pred.len > LATEX_MAX_TEXT)
        return undecided(c, "limit reached");
    if (words_equal(c, latex_plain(&c->arena, gold), latex_plain(&c->arena, pred)) == TRI_YES)
        return TRI_YES;
    if (gold.len > 0 && str_eq(squeezed(c, gold), squeezed(c, pred)))
        return decide(c, TRI_YES, "same text");
    return decide(c, TRI_NO, "text");
}

/* --- choices ---------------------------------------------------------------------------------- */

static bool is_choice_letter(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The single letter that a text is: C, (C), C., C), Option C, "(C) 24"; 0: no such letter. *strict:
 * nothing but the letter. */
static bool names_another(struct str s, char letter)
{
    for (size_t i = 0; i + 2 < s.len; i++) {
        char c = (char)toupper((unsigned char)s.ptr[i + 1]);
        if (s.ptr[i] == '(' && s.ptr[i + 2] == ')' && c >= 'A' && c <= 'J' && c != letter)
            return true;
    }
    return false;
}

static char leading_choice(struct str s, bool *strict)
{
    static const char *const leads[] = {"option ", "choice ", "answer ", "answer: ", "answer is "};
    char open = 0, c;
    size_t i = 0;

    s = str_trim(s);
    for (size_t k = 0; k < LEN(leads); k++) {
        size_t n = strlen(leads[k]);
        if (s.len > n && str_eq_nocase(str_slice(s, 0, n), STR(leads[k])))
            s = str_trim(str_slice(s, n, s.len));
    }
    if (s.len == 0)
        return 0;
    if (s.ptr[0] == '(' || s.ptr[0] == '[')
        open = s.ptr[i++];
    if (i >= s.len)
        return 0;
    c = s.ptr[i++];
    if (open && c >= 'a' && c <= 'h')
        c = (char)(c - 'a' + 'A');
    if (!is_choice_letter(c))
        return 0;
    if (open && (i >= s.len || (s.ptr[i] != ')' && s.ptr[i] != ']')))
        return 0;
    i += open != 0;
    *strict = i == s.len || (i + 1 == s.len && strchr(".):", s.ptr[i]));
    if (*strict)
        return c;
    if (names_another(str_slice(s, i, s.len), c) || (open && s.ptr[1] != c))
        return 0; /* "(B) is wrong, so (C)" */
    if (open || s.ptr[i] == ')' || s.ptr[i] == ':')
        return i < s.len && strchr("+-*/^=,", s.ptr[i]) && open ? 0 : c;
    if (s.ptr[i] == '.' && i + 1 < s.len && s.ptr[i + 1] == ' ')
        return c;
    return 0;
}

/* "Because B is valid": the one capital letter that stands alone. */
static char lone_choice(struct str s)
{
    char found = 0;

    for (size_t i = 0; i < s.len; i++) {
        bool starts = i == 0 || s.ptr[i - 1] == ' ' || s.ptr[i - 1] == '(';
        bool ends = i + 1 == s.len || s.ptr[i + 1] == ' ' || strchr(".,)", s.ptr[i + 1]);
        if (!starts || !ends || !is_choice_letter(s.ptr[i]) || s.ptr[i] > 'J' || s.ptr[i] == 'I')
            continue;
        if (found && found != s.ptr[i])
            return 0;
        found = s.ptr[i];
    }
    return found;
}

static bool is_prose(struct str s)
{
    int n_long = 0;
    struct str rest = s, w;

    while (str_cut(&rest, ' ', &w)) {
        bool is_word = w.len >= 2;
        for (size_t i = 0; i < w.len; i++)
            if (!isalpha((unsigned char)w.ptr[i]) && !is_edge(w.ptr[i]))
                return false;
        n_long += is_word;
    }
    return n_long >= 2;
}

/* "A, C", "A and C", "AC", "(A), (C)": a bit for each letter; 0: something else. */
static uint32_t choice_letters(struct str s)
{
    uint32_t bits = 0;
    bool all_upper = s.len >= 2 && s.len <= 10;

    for (size_t i = 0; i < s.len; i++)
        all_upper &= s.ptr[i] >= 'A' && s.ptr[i] <= 'J';
    if (all_upper) {
        for (size_t i = 0; i < s.len; i++)
            bits |= 1u << (s.ptr[i] - 'A');
        return bits;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (strchr(" ,;()&", c))
            continue;
        if (str_starts(str_slice(s, i, s.len), "and ")) {
            i += 2;
            continue;
        }
        if (c < 'A' || c > 'J' || (i + 1 < s.len && isalpha((unsigned char)s.ptr[i + 1])))
            return 0;
        bits |= 1u << (c - 'A');
    }
    return bits;
}

enum tri choice_equal(struct math_ctx *c, struct str gold, struct str pred)
{
    struct str g = latex_plain(&c->arena, gold), p = latex_plain(&c->arena, pred);
    bool strict = false, p_strict = false;
    char letter = leading_choice(g, &strict), other;
    uint32_t bits;

    if (!letter) {
        bits = g.len <= 40 && str_find_char(g, ',', 0) >= 0 ? choice_letters(g) : 0;
        if (bits == 0 || (bits & (bits - 1)) == 0)
            return TRI_UNKNOWN;
        uint32_t pb = p.len <= 40 ? choice_letters(p) : 0;
        if (pb == 0)
            return TRI_UNKNOWN;
        return decide(c, bits == pb ? TRI_YES : TRI_NO, "choice letters");
    }
    other = leading_choice(p, &p_strict);
    if (!other && is_prose(p))
        other = lone_choice(p);
    if (!other) {
        if (!strict && p.len > 0 && p.ptr[0] == letter && p.len == 1)
            return decide(c, TRI_YES, "choice letter");
        return TRI_UNKNOWN;
    }
    return decide(c, other == letter ? TRI_YES : TRI_NO, "choice letter");
}

/* --- times and dates -------------------------------------------------------------------------- */

struct moment {
    int hour, minute, second;
    int half; /* 0: not said, 1: a.m., 2: p.m. */
};

static bool read_int(struct str *s, int max_digits, int *out)
{
    size_t i = 0;
    int v = 0;

    while (i < s->len && i < (size_t)max_digits && isdigit((unsigned char)s->ptr[i]))
        v = v * 10 + (s->ptr[i++] - '0');
    if (i == 0 || (i < s->len && isdigit((unsigned char)s->ptr[i])))
        return false;
    *out = v;
    *s = str_slice(*s, i, s->len);
    return true;
}

static bool read_time(struct str s, struct moment *m)
{
    struct str before;

    *m = (struct moment){0};
    s = str_trim(s);
    if (!read_int(&s, 2, &m->hour) || s.len < 3 || s.ptr[0] != ':')
        return false;
    s = before = str_slice(s, 1, s.len);
    if (!read_int(&s, 2, &m->minute) || before.len - s.len != 2)
        return false;
    if (s.len > 0 && s.ptr[0] == ':') {
        s = before = str_slice(s, 1, s.len);
        if (!read_int(&s, 2, &m->second) || before.len - s.len != 2)
            return false;
    }
    s = str_trim(s);
    if (s.len > 0) {
        char half = (char)tolower((unsigned char)s.ptr[0]);
        char rest[8] = {0};
        size_t n = 0;
        for (size_t i = 0; i < s.len && n < 7; i++)
            if (s.ptr[i] != '.' && s.ptr[i] != ' ')
                rest[n++] = (char)tolower((unsigned char)s.ptr[i]);
        if (strcmp(rest, "am") != 0 && strcmp(rest, "pm") != 0)
            return false;
        m->half = half == 'a' ? 1 : 2;
    }
    return m->hour < 24 && m->minute < 60 && m->second < 60 &&
           !(m->half && (m->hour == 0 || m->hour > 12));
}

static int seconds_of(const struct moment *m)
{
    int hour = m->half == 1 ? m->hour % 12 : m->half == 2 ? m->hour % 12 + 12 : m->hour;

    return hour * 3600 + m->minute * 60 + m->second;
}

struct date {
    int month, day, year;
};

static bool read_date(struct math_ctx *c, struct str s, struct date *d)
{
    static const char *const months[] = {"january",   "february", "march",    "april",
                                         "may",       "june",     "july",     "august",
                                         "september", "october",  "november", "december"};
    struct words *w = arena_new(&c->arena, struct words);

    *d = (struct date){0};
    if (s.len > 40)
        return false;
    split_words(c, s, w);
    for (int i = 0; i < w->n; i++) {
        struct str t = w->w[i];
        bool is_month = false;
        if (str_eqz(t, "of"))
            continue;
        for (int k = 0; k < 12 && !is_month; k++) {
            is_month = str_eqz(t, months[k]) ||
                       (t.len >= 3 && t.len <= 4 && str_starts(STR(months[k]), "") &&
                        strlen(months[k]) > t.len && memcmp(months[k], t.ptr, t.len) == 0);
            if (is_month) {
                if (d->month)
                    return false;
                d->month = k + 1;
            }
        }
        if (is_month)
            continue;
        int v;
        struct str rest = t;
        if (!read_int(&rest, 4, &v) ||
            !(rest.len == 0 || str_eqz(rest, "st") || str_eqz(rest, "nd") || str_eqz(rest, "rd") ||
              str_eqz(rest, "th")))
            return false;
        if (v > 31 && !d->year)
            d->year = v;
        else if (v >= 1 && v <= 31 && !d->day)
            d->day = v;
        else
            return false;
    }
    return d->month > 0 && (d->day > 0 || d->year > 0);
}

/* UNKNOWN when the gold is neither a time nor a date. */
enum tri time_equal(struct math_ctx *c, struct str gold, struct str pred)
{
    struct str g = latex_plain(&c->arena, gold), p = latex_plain(&c->arena, pred);
    struct moment a, b;
    struct date x, y;

    if (g.len > 40 || p.len > 40)
        return TRI_UNKNOWN;
    if (read_time(g, &a)) {
        if (!read_time(p, &b))
            return a.half ? decide(c, TRI_NO, "clock time") : TRI_UNKNOWN;
        bool is_equal = seconds_of(&a) == seconds_of(&b);
        if (!is_equal && (a.half == 0) != (b.half == 0)) /* a.m. or p.m. left unsaid */
            is_equal = (a.half ? b.hour : a.hour) <= 12 && (a.half ? b.hour : a.hour) >= 1 &&
                       a.hour % 12 == b.hour % 12 && a.minute == b.minute &&
                       a.second == b.second; /* the hour 0 says it */
        return decide(c, is_equal ? TRI_YES : TRI_NO, "clock time");
    }
    if (read_date(c, g, &x)) {
        if (!read_date(c, p, &y))
            return TRI_UNKNOWN;
        bool is_equal = x.month == y.month && x.day == y.day && (x.year == y.year || x.year == 0);
        return decide(c, is_equal ? TRI_YES : TRI_NO, "date");
    }
    return TRI_UNKNOWN;
}
