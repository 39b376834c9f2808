/* answer_box.c - \boxed{...} and its relatives.
 *
 * Boxes are looked at from the end of the text. The last one that holds something wins; earlier
 * ones join it only when what lies between two neighbours binds them into one list. A box inside
 * another gives way to the outer one. At most MAX_TRIES boxes are read, each at most
 * ANSWER_MAX_CANDIDATE bytes, so the work is bounded however the braces stand. */
#include "math/answer_internal.h"

enum { MAX_TRIES = 64 };

struct box {
    size_t from, to; /* of the whole command */
    struct str content;
    bool is_closed;
};

/* --- one box ---------------------------------------------------------------------------------- */

/* Whether the word that ends before `end` is a box command; *from is where the command begins. */
static bool box_word(struct str s, size_t end, size_t *from)
{
    static const char *const words[] = {"beginboxed", "framebox", "boxed", "fbox", "bbox"};

    for (size_t i = 0; i < LEN(words); i++) {
        size_t n = strlen(words[i]), at;

        if (end < n || memcmp(s.ptr + end - n, words[i], n) != 0)
            continue;
        at = end - n;
        while (at > 0 && s.ptr[at - 1] == '\\')
            at--;
        if (at == end - n && (at > 0 && is_alpha(s.ptr[at - 1])))
            continue;
        *from = at;
        return true;
    }
    return false;
}

/* The end of the balanced group whose brace stands at i; s.len: it is never closed. */
static size_t group_end(struct str s, size_t i, char open, char close)
{
    size_t limit = MIN(s.len, i + ANSWER_MAX_CANDIDATE);
    int depth = 0;

    for (; i < limit; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == open)
            depth++;
        else if (s.ptr[i] == close && --depth == 0)
            return i;
    }
    return s.len;
}

/* Where the content of a box without its closing brace ends. */
static size_t open_end(struct str s, size_t i)
{
    size_t limit = MIN(s.len, i + ANSWER_MAX_CANDIDATE);

    for (; i < limit; i++) {
        if (s.ptr[i] == '$')
            return i;
        if (s.ptr[i] == '\\' && i + 1 < s.len) {
            if (s.ptr[i + 1] == ']' || s.ptr[i + 1] == ')')
                return i;
            i++;
        } else if (s.ptr[i] == '\n') {
            size_t next = i + 1;

            while (next < s.len && (s.ptr[next] == ' ' || s.ptr[next] == '\t'))
                next++;
            if (next >= s.len || s.ptr[next] == '\n')
                return i;
        }
    }
    return limit;
}

/* The next token group of "\boxed 4": up to a blank outside braces, a dollar or a sentence's end.
 */
static size_t token_end(struct str s, size_t i)
{
    size_t limit = MIN(s.len, i + ANSWER_MAX_CANDIDATE);
    int depth = 0;

    for (; i < limit; i++) {
        char c = s.ptr[i];

        if (c == '$' || c == '\n' || (depth <= 0 && (is_blank(c) || c == '}')))
            return i;
        if (c == '\\' && i + 1 < s.len) {
            if (s.ptr[i + 1] == ']' || s.ptr[i + 1] == ')')
                return i;
            i++;
        } else if (c == '{') {
            depth++;
        } else if (c == '}') {
            depth--;
        } else if (depth == 0 && c == '.' && (i + 1 >= s.len || is_blank(s.ptr[i + 1]))) {
            return i;
        }
    }
    return limit;
}

static void read_braces(struct str s, size_t brace, struct box *b)
{
    size_t end = group_end(s, brace, '{', '}');

    b->is_closed = end < s.len;
    if (!b->is_closed)
        end = open_end(s, brace + 1);
    b->content = str_slice(s, brace + 1, end);
    b->to = b->is_closed ? end + 1 : end;
}

/* Reads the box whose word ends at `end`. A word without backslash must have its brace. */
static bool box_read(struct str s, size_t from, size_t end, struct box *b)
{
    bool has_slash = s.ptr[from] == '\\',
         is_bbox = s.ptr[end - 2] == 'o' && s.ptr[end - 3] == 'b' && s.ptr[end - 4] == 'b';
    size_t i = end, close;

    b->from = from;
    b->is_closed = true;
    if ((is_bbox || s.ptr[end - 1] == 'x') && i < s.len &&
        s.ptr[i] == '[') { /* \bbox[5px]{..}, \framebox[2cm]{..} */
        close = group_end(s, i, '[', ']');
        if (close + 1 < s.len && s.ptr[close + 1] == '{')
            i = close + 1;
    }
    while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        i++;
    if (i < s.len && s.ptr[i] == '\n' && i + 1 < s.len && s.ptr[i + 1] == '{')
        i++;
    if (i < s.len && s.ptr[i] == '{') {
        read_braces(s, i, b);
        return true;
    }
    if (!has_slash)
        return false;
    if (i == end && i < s.len && (s.ptr[i] == '[' || s.ptr[i] == '(')) {
        close = group_end(s, i, s.ptr[i], s.ptr[i] == '[' ? ']' : ')');
        if (close < s.len) {
            b->content = str_slice(s, i + 1, close);
            b->to = close + 1;
            return true;
        }
    }
    b->to = token_end(s, i);
    b->content = str_slice(s, i, b->to);
    return true;
}

/* The last box that begins before *limit; *limit moves to its beginning. */
static bool box_before(struct str s, size_t *limit, struct box *b)
{
    size_t end = *limit, from;

    while (end > 3) {
        const char *x = last_char(s, 'x', end);
        size_t at;

        if (x == NULL)
            return false;
        at = (size_t)(x - s.ptr);
        end = at;
        if (at < 2 || s.ptr[at - 1] != 'o' || (s.ptr[at - 2] != 'b'))
            continue;
        at += at_text(s, at + 1, "ed") ? 3 : 1;
        if (at > *limit || !box_word(s, at, &from) || !box_read(s, from, at, b))
            continue;
        *limit = from;
        return true;
    }
    return false;
}

/* --- what a box holds ------------------------------------------------------------------------- */

/* The letters of s without commands, blanks and punctuation, lower case, at most cap - 1. */
static size_t plain_letters(struct str s, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len && n + 1 < cap; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len && is_alpha(s.ptr[i + 1])) {
            size_t from = i + 1;

            while (i + 1 < s.len && is_alpha(s.ptr[i + 1]))
                i++;
            if (!at_text(s, from, "text") && !at_text(s, from, "mathrm") &&
                !at_text(s, from, "mbox") && !at_text(s, from, "dots") &&
                !at_text(s, from, "ldots") && !at_text(s, from, "cdots") &&
                !at_text(s, from, "quad") && !at_text(s, from, "boxed"))
                out[n++] = '\\';
        } else if (at_text(s, i, "\\{")) { /* the empty set has braces of its own */
            out[n++] = '{';
        } else if (!strchr(" \t\r\n{}()[]<>.,;:?_~\"'$!\\", s.ptr[i])) {
            out[n++] = to_lower(s.ptr[i]);
        }
    }
    out[n] = 0;
    return n;
}

/* An empty box, dots, or an echo of "put your answer here". */
bool answer_is_placeholder(struct str content)
{
    static const char *const echoes[] = {
        "answer",         "youranswer",   "finalanswer",    "theanswer",       "yourfinalanswer",
        "thefinalanswer", "ans",          "youranswerhere", "answerhere",      "finalresult",
        "result",         "\xE2\x80\xA6", "letter",         "youranswerletter"};
    char letters[32];

    if (content.len > 64)
        return false;
    if (plain_letters(content, letters, sizeof(letters)) == 0)
        return true;
    for (size_t i = 0; i < LEN(echoes); i++) {
        if (strcmp(letters, echoes[i]) == 0)
            return true;
    }
    return false;
}

/* --- boxes that belong together --------------------------------------------------------------- */

static bool word_is_one_of(struct str word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(word, STR(words[i])))
            return true;
    }
    return false;
}

/* The short "name =" directly before s's end, with "name" starting at *from. */
static bool name_before(struct str s, size_t *from)
{
    size_t i = s.len;

    while (i > 0 && strchr(" \t\n$", s.ptr[i - 1]))
        i--;
    if (i > 1 && s.ptr[i - 2] == '\\' && (s.ptr[i - 1] == '(' || s.ptr[i - 1] == '['))
        i -= 2;
    while (i > 0 && strchr(" \t\n&", s.ptr[i - 1]))
        i--;
    if (i == 0 || s.ptr[i - 1] != '=')
        return false;
    i--;
    while (i > 0 && strchr(" &", s.ptr[i - 1]))
        i--;
    *from = i;
    while (*from > 0 && i - *from < 24 &&
           (is_alpha(s.ptr[*from - 1]) || is_digit(s.ptr[*from - 1]) ||
            strchr("_{}\\()'", s.ptr[*from - 1])))
        --*from;
    while (*from < i && at_text(s, *from, "\\("))
        *from += 2;
    return *from < i && (is_alpha(s.ptr[*from]) || s.ptr[*from] == '\\');
}

static bool is_delimiter_pair(char c)
{
    return c == '(' || c == ')' || c == '[' || c == ']' || c == ',' || c == ';' || c == ' ' ||
           c == '!' || c == ':';
}

enum between { BETWEEN_NOTHING, BETWEEN_BLANKS, BETWEEN_JOINS, BETWEEN_PARTS };

/* What the text between two boxes says of them. */
static enum between between(struct str s)
{
    static const char *const spaces[] = {"quad", "qquad",  "text",      "mathrm",
                                         "mbox", "textrm", "thinspace", "hspace"};
    static const char *const parts[] = {
        "wait",       "actually", "instead", "but",  "no",     "not",   "correct",   "corrected",
        "correction", "recheck",  "should",  "then", "rather", "wrong", "however",   "sorry",
        "oops",       "mistake",  "hmm",     "nope", "so",     "thus",  "therefore", "hence"};
    int n_words = 0;
    bool has_mark = false, ends_in_and = false;

    if (s.len == 0)
        return BETWEEN_NOTHING;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        size_t from = i;
        struct str word;

        if (c == '\n' && i + 1 < s.len && s.ptr[i + 1] == '\n')
            return BETWEEN_PARTS;
        if (c == '\\' && i + 1 < s.len && is_delimiter_pair(s.ptr[i + 1])) {
            has_mark = true;
            i++;
            continue;
        }
        if (c == '\\' || is_word(c)) {
            bool is_command = c == '\\';

            if (is_command)
                from = ++i;
            while (i < s.len && is_word(s.ptr[i]))
                i++;
            word = str_slice(s, from, i--);
            if (is_command && word_is_one_of(word, spaces, LEN(spaces))) {
                has_mark = true;
                continue;
            }
            if (is_command || word_is_one_of(word, parts, LEN(parts)))
                return BETWEEN_PARTS;
            n_words++;
            ends_in_and = str_eq_nocase(word, STR("and")) || str_eq_nocase(word, STR("or")) ||
                          str_eqz(word, "和") || str_eqz(word, "或") || str_eqz(word, "et") ||
                          str_eqz(word, "und") || str_eqz(word, "oder") || str_eqz(word, "ou") ||
                          str_eqz(word, "y") || str_eqz(word, "и") || str_eqz(word, "или");
            continue;
        }
        if (c == ',' || c == ';' || c == '$' || c == '{' || c == '}' || c == '(' || c == ')' ||
            c == '&' || c == '/')
            has_mark = true;
        else if (c == '*' || is_blank(c) || c == '~')
            continue;
        else
            return BETWEEN_PARTS;
    }
    if (n_words == 0)
        return has_mark ? BETWEEN_JOINS : BETWEEN_BLANKS;
    return n_words <= 5 && ends_in_and ? BETWEEN_JOINS : BETWEEN_PARTS;
}

static bool boxes_join(struct str s, const struct box *left, const struct box *right)
{
    struct str gap = str_slice(s, left->to, right->from);
    size_t name;
    enum between b;

    if (gap.len > 200)
        return false;
    if (name_before(gap, &name))
        gap = str_slice(gap, 0, name);
    b = between(gap);
    return b == BETWEEN_NOTHING || b == BETWEEN_JOINS;
}

/* --- text after the box ----------------------------------------------------------------------- */

/* The unit written directly behind the last box, "" if none: "\boxed{7} cm", "$\boxed{28}$
 * percent". */
static struct str unit_after(struct str s, size_t i)
{
    static const char *const units[] = {
        "%",      "\\%",         "pct",         "percent",     "percentage", "degrees",
        "degree", "°",           "^\\circ",     "^{\\circ}",   "cm",         "mm",
        "km",     "m",           "kg",          "g",           "mg",         "lb",
        "lbs",    "ft",          "inches",      "inch",        "in",         "feet",
        "foot",   "yards",       "miles",       "mph",         "meters",     "metres",
        "meter",  "centimeters", "centimetres", "millimeters", "kilometers", "kilometres",
        "grams",  "kilograms",   "pounds",      "ounces",      "tons",       "liters",
        "litres", "ml",          "gallons",     "seconds",     "second",     "minutes",
        "minute", "hours",       "hour",        "days",        "weeks",      "months",
        "years",  "dollars",     "cents",       "euros",       "radians",    "square",
        "cubic"};
    size_t from;

    while (i < s.len && strchr(" ~$\t", s.ptr[i]))
        i++;
    if (at_text(s, i, "\\)") || at_text(s, i, "\\]"))
        i += 2;
    while (i < s.len && strchr(" ~$\t", s.ptr[i]))
        i++;
    if (at_text(s, i, "\\text{") || at_text(s, i, "\\mathrm{")) {
        size_t end = group_end(s, i, '{', '}');

        return end < s.len && end - i < 40 ? str_slice(s, i, end + 1) : (struct str){"", 0};
    }
    from = i;
    for (size_t k = 0; k < LEN(units); k++) {
        size_t end = from + strlen(units[k]);

        if (!at_text(s, from, units[k]) || (end < s.len && is_alpha(units[k][0]) &&
                                            (is_alpha(s.ptr[end]) || is_digit(s.ptr[end]))))
            continue;
        if (strcmp(units[k], "in") == 0 && end < s.len && s.ptr[end] == ' ')
            continue; /* "in total" */
        if (strcmp(units[k], "square") == 0 || strcmp(units[k], "cubic") == 0) {
            while (end < s.len && s.ptr[end] == ' ')
                end++;
            while (end < s.len && is_alpha(s.ptr[end]))
                end++;
        } else if (at_text(s, end, "^2") || at_text(s, end, "^3")) {
            end += 2;
        } else if (at_text(s, end, "²") || at_text(s, end, "³")) {
            end += 2;
        } else if (at_text(s, end, " per ") || at_text(s, end, "/")) {
            return (struct str){"", 0}; /* a rate is beyond what stands for a unit here */
        }
        return str_slice(s, from, end);
    }
    return (struct str){"", 0};
}

static bool ends_in_value(struct str s)
{
    char c = s.len ? s.ptr[s.len - 1] : 0;

    return is_digit(c) || c == '}' || c == ')';
}

/* --- together --------------------------------------------------------------------------------- */

/* The content without inner box commands: their braces stay, as a group. */
static struct str unwrapped(struct str content, struct arena *a)
{
    char *out = arena_alloc(a, content.len + 1);
    size_t n = 0, i = 0;

    while (i < content.len) {
        static const char *const heads[] = {"\\boxed", "\\fbox", "\\framebox"};
        bool is_head = false;

        for (size_t k = 0; k < LEN(heads) && !is_head; k++) {
            if (at_text(content, i, heads[k]) && i + strlen(heads[k]) < content.len &&
                strchr("{ ", content.ptr[i + strlen(heads[k])])) {
                i += strlen(heads[k]);
                is_head = true;
            }
        }
        if (!is_head)
            out[n++] = content.ptr[i++];
    }
    return (struct str){out, n};
}

struct box_list {
    struct box box[MAX_TRIES]; /* last first */
    int n;
};

static void collect(struct str s, struct box_list *l)
{
    size_t limit = s.len;
    struct box b;

    l->n = 0;
    for (int tries = 0; tries < MAX_TRIES && box_before(s, &limit, &b); tries++) {
        bool encloses = l->n > 0 && b.to >= l->box[l->n - 1].to;

        if (encloses && b.is_closed) {
            while (l->n > 0 && b.to >= l->box[l->n - 1].to)
                l->n--;
            if (l->n > 0 && !boxes_join(s, &b, &l->box[l->n - 1]))
                return;
            l->box[l->n++] = b;
            continue;
        }
        if (encloses || answer_is_placeholder(b.content))
            continue;
        if (l->n > 0 && !boxes_join(s, &b, &l->box[l->n - 1]))
            return;
        l->box[l->n++] = b;
    }
}

struct str answer_boxes(struct str text, struct arena *a, size_t *after)
{
    struct box_list l;
    struct buf joined = {0};
    struct str out, unit;
    bool all_named = true;
    size_t name;

    collect(text, &l);
    if (l.n == 0)
        return (struct str){"", 0};
    *after = l.box[0].to;
    if (l.n == 1) {
        struct str content = unwrapped(str_trim(l.box[0].content), a);

        unit = unit_after(text, *after);
        if (unit.len == 0 || !ends_in_value(content))
            return content;
        return str_fmt(a, STR_FMT " " STR_FMT, STR_ARG(content), STR_ARG(unit));
    }
    for (int i = 0; i < l.n; i++)
        all_named &= name_before(str_slice(text, 0, l.box[i].from), &name);
    for (int i = l.n - 1; i >= 0; i--) {
        if (all_named && name_before(str_slice(text, 0, l.box[i].from), &name)) {
            ptrdiff_t equals = str_find_char(text, '=', name);

            buf_add_str(&joined, str_slice(text, name, (size_t)equals + 1));
        }
        buf_add_str(&joined, unwrapped(str_trim(l.box[i].content), a));
        if (i > 0)
            buf_addz(&joined, ", ");
    }
    out = str_dup(a, buf_str(&joined));
    buf_clear(&joined);
    return out;
}
