/* answer_span.c - formulas, emphasised stretches and runs of plain mathematics in prose.
 *
 * A dollar sign is a delimiter or money. It is a delimiter when a partner follows before the
 * paragraph ends, no digit stands right after that partner, and what lies between is not prose. */
#include "math/answer_internal.h"

#include "math/latex.h"

enum { MAX_RUN = 4096 };

/* --- prose or mathematics --------------------------------------------------------------------- */

bool span_has_digit(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_digit(s.ptr[i]))
            return true;
    }
    return false;
}

static bool is_math_word(struct str w)
{
    static const char *const words[] = {
        "sin", "cos",  "tan",  "cot",  "sec",    "csc",    "log",    "exp",      "max",  "min",
        "mod", "gcd",  "lcm",  "and",  "deg",    "det",    "lim",    "sqrt",     "frac", "pmod",
        "for", "sinh", "cosh", "tanh", "arcsin", "arccos", "arctan", "infinity", "inf",  "binom"};

    for (size_t i = 0; i < LEN(words); i++) {
        if (str_eqz(w, words[i]))
            return true;
    }
    return false;
}

/* sqrt(, abs(, arctan(: the name of a function and its bracket. */
static bool is_call(struct str s, size_t from, size_t to)
{
    const struct latex_command *cmd;

    if (to >= s.len || s.ptr[to] != '(')
        return false;
    cmd = latex_word_find(str_slice(s, from, to));
    return cmd && (cmd->cls == CMD_FUNC || cmd->cls == CMD_SQRT);
}

/* Skips a command at s[*i]; text commands with their group, which may hold words. */
static void skip_command(struct str s, size_t *i)
{
    size_t from = ++*i;

    while (*i < s.len && is_alpha(s.ptr[*i]))
        ++*i;
    if (*i == from) {
        ++*i;
        return;
    }
    if (!(at_text(s, from, "text") || at_text(s, from, "math") || at_text(s, from, "mbox") ||
          at_text(s, from, "operatorname") || at_text(s, from, "begin") ||
          at_text(s, from, "end")) ||
        *i >= s.len || s.ptr[*i] != '{')
        return;
    while (*i < s.len && s.ptr[*i] != '}')
        ++*i;
}

bool span_is_prose(struct str s)
{
    int n_words = 0;
    size_t i = 0;

    while (i < s.len) {
        size_t from = i;

        if (s.ptr[i] == '\\') {
            skip_command(s, &i);
            continue;
        }
        if (!is_alpha(s.ptr[i])) {
            i++;
            continue;
        }
        while (i < s.len && is_alpha(s.ptr[i]))
            i++;
        if (i - from >= 3 && !is_math_word(str_slice(s, from, i)) && !is_call(s, from, i) &&
            ++n_words == 2)
            return true;
    }
    return false;
}

/* The end of a character beyond ASCII that mathematics uses; i when it is none. */
static size_t symbol_end(struct str s, size_t i)
{
    static const char *const symbols[] = {
        "√", "π", "∞", "°", "º", "×", "÷", "·", "⋅", "−", "–", "≤", "≥", "≠", "≈", "∪", "∩",
        "∈", "∅", "±", "²", "³", "⁴", "½", "¼", "¾", "⅓", "⅔", "∛", "⁄", "∕", "€", "£", "¥",
        "₹", "θ", "α", "β", "φ", "λ", "⁰", "¹", "⁵", "⁶", "⁷", "⁸", "⁹", "₀", "₁", "₂"};

    for (size_t k = 0; k < LEN(symbols); k++) {
        if (at_text(s, i, symbols[k]))
            return i + strlen(symbols[k]);
    }
    return i;
}

/* "is" between blanks: the one word of two letters that no formula has. */
static bool is_verb(struct str s, size_t from, size_t to)
{
    return str_eqz(str_slice(s, from, to), "is") && from > 0 && s.ptr[from - 1] == ' ' &&
           to < s.len && s.ptr[to] == ' ';
}

bool span_has_words(struct str s)
{
    size_t i = 0;

    while (i < s.len) {
        size_t from = i;

        if (s.ptr[i] == '\\') {
            skip_command(s, &i);
        } else if (is_alpha(s.ptr[i])) {
            while (i < s.len && is_alpha(s.ptr[i]))
                i++;
            if ((i - from >= 3 && !is_math_word(str_slice(s, from, i)) && !is_call(s, from, i)) ||
                is_verb(s, from, i))
                return true;
        } else if ((unsigned char)s.ptr[i] >= 0xC3 && symbol_end(s, i) == i) {
            return true; /* a letter beyond ASCII */
        } else {
            i = MAX(symbol_end(s, i), i + 1);
        }
    }
    return false;
}

/* --- formulas --------------------------------------------------------------------------------- */

static bool has_blank_line(struct str s)
{
    for (ptrdiff_t at = str_find_char(s, '\n', 0); at >= 0;
         at = str_find_char(s, '\n', (size_t)at + 1)) {
        size_t i = (size_t)at + 1;

        while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
            i++;
        if (i < s.len && s.ptr[i] == '\n')
            return true;
    }
    return false;
}

static bool formula_until(struct str s, size_t i, const char *open, const char *close,
                          enum span_kind kind, struct span *out)
{
    size_t from = i + strlen(open);
    ptrdiff_t end = str_find(str_slice(s, 0, MIN(s.len, from + SPAN_MAX_TEXT)), STR(close), from);

    if (end < 0)
        return false;
    *out = (struct span){kind, i, (size_t)end + strlen(close), str_slice(s, from, (size_t)end)};
    return true;
}

static bool formula_dollar(struct str s, size_t i, struct span *out)
{
    struct str inner;
    size_t end = i + 1;

    if (at_text(s, i, "$$")) {
        if (!formula_until(s, i, "$$", "$$", SPAN_DISPLAY, out))
            return false;
        return str_trim(out->inner).len > 0 && !has_blank_line(str_trim(out->inner));
    }
    while (end < s.len && end - i < SPAN_MAX_TEXT && s.ptr[end] != '$')
        end += s.ptr[end] == '\\' ? 2 : 1;
    if (end >= s.len || s.ptr[end] != '$')
        return false;
    inner = str_slice(s, i + 1, end);
    if (str_trim(inner).len == 0 || has_blank_line(inner) || str_find(inner, STR("**"), 0) >= 0 ||
        span_is_prose(inner))
        return false;
    if (end + 1 < s.len && is_digit(s.ptr[end + 1]))
        return false;
    *out = (struct span){SPAN_MATH, i, end + 1, inner};
    return true;
}

static bool formula_environment(struct str s, size_t i, struct span *out)
{
    static const char *const names[] = {"align",   "aligned",  "equation", "gather",  "gathered",
                                        "split",   "multline", "eqnarray", "pmatrix", "bmatrix",
                                        "vmatrix", "matrix",   "cases",    "array",   "Bmatrix"};
    size_t name = i + strlen("\\begin{");

    for (size_t k = 0; k < LEN(names); k++) {
        size_t n = strlen(names[k]), body;
        char close[32];

        if (!at_text(s, name, names[k]))
            continue;
        body = name + n;
        if (body < s.len && s.ptr[body] == '*')
            body++;
        if (body >= s.len || s.ptr[body] != '}')
            continue;
        (void)snprintf(close, sizeof(close), "\\end{%.*s", (int)(body - name), s.ptr + name);
        if (!formula_until(s, i, "", close, SPAN_DISPLAY, out))
            return false;
        out->to = MIN(s.len, out->to + 1);
        out->inner =
            k < 8 ? str_slice(s, body + 1, out->to - strlen(close) - 1) : str_slice(s, i, out->to);
        return true;
    }
    return false;
}

bool span_formula(struct str text, size_t i, struct span *out)
{
    if (i >= text.len)
        return false;
    if (text.ptr[i] == '$')
        return (i == 0 || text.ptr[i - 1] != '\\') && formula_dollar(text, i, out);
    if (text.ptr[i] != '\\' || i + 1 >= text.len)
        return false;
    if (text.ptr[i + 1] == '(')
        return formula_until(text, i, "\\(", "\\)", SPAN_MATH, out);
    if (text.ptr[i + 1] == '[')
        return formula_until(text, i, "\\[", "\\]", SPAN_DISPLAY, out);
    if (at_text(text, i, "\\begin{"))
        return formula_environment(text, i, out);
    return false;
}

/* --- emphasis and code ------------------------------------------------------------------------ */

static bool emphasis(struct str s, size_t i, struct span *out)
{
    size_t end = i + 2;

    if (!at_text(s, i, "**") || (i > 0 && (is_digit(s.ptr[i - 1]) || s.ptr[i - 1] == ')')))
        return false;
    while (end + 1 < s.len && end - i < 400 && !(s.ptr[end] == '*' && s.ptr[end + 1] == '*')) {
        struct span f;

        if (s.ptr[end] == '\n' && end + 1 < s.len && s.ptr[end + 1] == '\n')
            return false;
        end = span_formula(s, end, &f) ? f.to : end + 1;
    }
    if (!at_text(s, end, "**") || end == i + 2)
        return false;
    *out = (struct span){SPAN_BOLD, i, end + 2, str_trim(str_slice(s, i + 2, end))};
    return out->inner.len > 0;
}

static bool code(struct str s, size_t i, struct span *out)
{
    size_t end = i + 1;

    if (at_text(s, i, "```")) {
        if (!formula_until(s, i, "```", "```", SPAN_FENCE, out))
            *out = (struct span){SPAN_FENCE, i, s.len, str_slice(s, i + 3, s.len)};
        return true;
    }
    while (end < s.len && end - i < 400 && s.ptr[end] != '`' && s.ptr[end] != '\n')
        end++;
    if (end >= s.len || s.ptr[end] != '`' || end == i + 1)
        return false;
    *out = (struct span){SPAN_CODE, i, end + 1, str_slice(s, i + 1, end)};
    return true;
}

/* --- runs of plain mathematics ---------------------------------------------------------------- */

static size_t command_end(struct str s, size_t i)
{
    size_t at = i + 1;
    int depth = 0;

    if (at >= s.len)
        return i;
    if (!is_alpha(s.ptr[at]))
        return strchr("{}%$,;! |", s.ptr[at]) ? at + 1 : i;
    while (at < s.len && is_alpha(s.ptr[at]))
        at++;
    while (at < s.len && (s.ptr[at] == '{' || depth > 0) && at - i < 2000) {
        for (; at < s.len && at - i < 2000; at++) {
            if (s.ptr[at] == '\\')
                at++;
            else if (s.ptr[at] == '{')
                depth++;
            else if (s.ptr[at] == '}' && --depth == 0)
                break;
        }
        at = MIN(at + 1, s.len);
    }
    return MIN(at, s.len);
}

/* The end of one token of plain mathematics at i; i when none begins there. */
static size_t token_end(struct str s, size_t i)
{
    char c = s.ptr[i];
    size_t at = i;

    if (is_digit(c)) {
        while (at < s.len && (is_digit(s.ptr[at]) ||
                              ((s.ptr[at] == '.' || s.ptr[at] == ',') && at + 1 < s.len &&
                               is_digit(s.ptr[at + 1])) ||
                              (at_text(s, at, "{,}") && at + 3 < s.len && is_digit(s.ptr[at + 3]))))
            at += s.ptr[at] == '{' ? 3 : 1;
        return at;
    }
    if (is_alpha(c)) {
        while (at < s.len && is_alpha(s.ptr[at]))
            at++;
        if (at < s.len && (unsigned char)s.ptr[at] >= 0x80 && symbol_end(s, at) == at)
            return i; /* a word such as "Möglichkeiten" */
        if (at - i == 1 || is_math_word(str_slice(s, i, at)) || is_call(s, i, at) ||
            at_text(s, i, "pi") || (at_text(s, i, "ln") && at - i == 2))
            return at;
        return i;
    }
    if (c == '\\')
        return command_end(s, i);
    if ((unsigned char)c >= 0x80)
        return symbol_end(s, i);
    if (c == '*' && at_text(s, i, "**") && (i + 2 >= s.len || !is_digit(s.ptr[i + 2])))
        return i;
    return strchr("+-*/^=<>()[]{}|_!%$.:", c) ? i + 1 : i;
}

static bool is_word_letter(struct str s, size_t from, size_t to, size_t next)
{
    /* A letter that stands alone between blanks is a word ("a", "I") or a name in prose. */
    return to - from == 1 && is_alpha(s.ptr[from]) &&
           (next >= s.len || is_blank(s.ptr[to]) || s.ptr[to] == ',' || s.ptr[to] == '.') &&
           (next >= s.len || is_word(s.ptr[next]) || is_blank(s.ptr[next]) || s.ptr[next] == ',' ||
            s.ptr[next] == '.');
}

/* A bracket behind a blank and a finished value: "18 [2]". */
static bool is_reference(struct str s, size_t from, size_t i)
{
    return s.ptr[i] == '[' && i > from + 1 && s.ptr[i - 1] == ' ' &&
           (is_digit(s.ptr[i - 2]) || s.ptr[i - 2] == ')');
}

static struct str without_run_ends(struct str s)
{
    while (s.len > 0 && strchr(" \n.,:;=+-*/<>(^[{|", s.ptr[s.len - 1]))
        s.len--;
    if (s.len > 0 && s.ptr[s.len - 1] == '$' && (s.len < 2 || !is_digit(s.ptr[s.len - 2])))
        return without_run_ends(str_slice(s, 0, s.len - 1));
    while (s.len > 0 && (strchr(" \n,:;=)]}*/^!>", s.ptr[0]) ||
                         (s.ptr[0] == '.' && (s.len == 1 || !is_digit(s.ptr[1])))))
        s = str_slice(s, 1, s.len);
    return s;
}

/* Without the punctuation of the sentence around it and without unmatched brackets. */
static struct str trimmed_run(struct str run)
{
    struct str s = without_run_ends(run);
    int depth = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '(' || s.ptr[i] == '[')
            depth++;
        else if ((s.ptr[i] == ')' || s.ptr[i] == ']') && --depth < 0) {
            s = without_run_ends(str_slice(s, 0, i));
            depth = 0;
            break;
        }
    }
    for (; depth > 0 && s.len > 0 && (s.ptr[0] == '(' || s.ptr[0] == '['); depth--)
        s = str_trim(str_slice(s, 1, s.len));
    for (size_t i = s.len; depth > 0 && i-- > 1;) {
        if (s.ptr[i] == '(' && s.ptr[i - 1] == ' ') { /* a remark: "12 (13 does not work)" */
            s = without_run_ends(str_slice(s, 0, i));
            depth--;
        }
    }
    return s;
}

/* A run of mathematics outside delimiters: it has a digit, a command or a mathematical symbol. *end
 * is where the tokens end, also when they are no run, so that nobody reads them again. */
static bool run(struct str s, size_t i, struct span *out, size_t *end)
{
    size_t at = i, next;
    bool has_value = false;
    int depth = 0;

    *end = i;
    while (at < s.len && at - i < MAX_RUN) {
        size_t to = token_end(s, at);

        if (to == at + 1)
            depth += s.ptr[at] == '(' ? 1 : s.ptr[at] == ')' ? -1 : 0;
        if (to == at && depth > 0 && s.ptr[at] == ',') /* (3, 5) */
            to = at + 1;

        if (to == at)
            break;
        next = to;
        while (next < s.len && s.ptr[next] == ' ')
            next++;
        if (is_word_letter(s, at, to, next) || is_reference(s, i, at) ||
            str_eqz(str_slice(s, at, to), "for"))
            break;
        has_value |= is_digit(s.ptr[at]) || s.ptr[at] == '\\' || (unsigned char)s.ptr[at] >= 0x80;
        *end = to;
        if (next == to && to < s.len && is_alpha(s.ptr[to - 1]) && is_alpha(s.ptr[to]))
            break;
        at = next;
    }
    if (!has_value || *end == i)
        return false;
    *out = (struct span){SPAN_RUN, i, *end, trimmed_run(str_slice(s, i, *end))};
    return out->inner.len > 0;
}

/* A run begins where no word is under way: not at the 3 of "H3" nor at letters. */
static bool may_begin_run(struct str s, size_t i)
{
    char c = s.ptr[i], before = i > 0 ? s.ptr[i - 1] : ' ';

    if (is_alpha(c)) {
        size_t to = i;

        if (is_alpha(before) || is_digit(before) || before == '\'' || (unsigned char)before >= 0x80)
            return false;
        while (to < s.len && is_alpha(s.ptr[to]))
            to++;
        return (to == i + 1 && to < s.len) || is_call(s, i, to);
    }
    if (is_digit(c) && is_alpha(before))
        return false;
    return is_digit(c) || (unsigned char)c >= 0x80 || strchr("+-(<[{|\\$.√", c) != NULL;
}

int span_find(struct str text, bool with_runs, struct span *out, int cap)
{
    size_t i = 0;
    int n = 0;

    while (i < text.len && n < cap) {
        char c = text.ptr[i];
        bool found = false;
        size_t end = i;

        if (c == '$' || c == '\\')
            found = span_formula(text, i, &out[n]);
        else if (c == '*')
            found = emphasis(text, i, &out[n]);
        else if (c == '`')
            found = code(text, i, &out[n]);
        if (!found && with_runs && may_begin_run(text, i))
            found = run(text, i, &out[n], &end);
        if (found) {
            i = MAX(out[n].to, i + 1);
            n++;
        } else {
            i = MAX(end, i + (c == '\\' ? 2 : 1));
        }
    }
    return n;
}

const struct span *span_at(const struct span *spans, int n, size_t i)
{
    for (int k = 0; k < n && spans[k].from <= i; k++) {
        if (i < spans[k].to)
            return &spans[k];
    }
    return NULL;
}
