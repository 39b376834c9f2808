/* latex_token.c - the cleaned text as tokens.
 *
 * Numbers are the hard part: 1,234 and 1\,234 and 1{,}234 are one number when every group after the
 * first has three digits, "2, 125" is two, and 0.1\overline{6} repeats. Inside \text and its like,
 * letters form words and everything else is as outside. */
#include "math/latex.h"

#include <ctype.h>

struct lexer {
    struct str s;
    size_t i;
    struct arena *arena;
    const struct latex_reading *reading;
    struct latex_tokens *out;
    int cap;
    uint8_t *is_text_depth; /* by brace depth: whether this group is a text run */
    int depth;
    bool blank;
    char *scratch; /* as long as the text, for the digits of one number */
};

static char at(const struct lexer *x, size_t i)
{
    return i < x->s.len ? x->s.ptr[i] : '\0';
}

static bool has(const struct lexer *x, size_t i, const char *z)
{
    size_t n = strlen(z);

    return i + n <= x->s.len && memcmp(x->s.ptr + i, z, n) == 0;
}

static struct latex_token *add_token(struct lexer *x, enum latex_token_kind kind, size_t from,
                                     size_t to)
{
    struct latex_token *t;

    if (x->out->n == x->cap) {
        struct latex_token *more = arena_array(x->arena, (size_t)x->cap * 2, sizeof(*more));
        memcpy(more, x->out->tok, (size_t)x->cap * sizeof(*more));
        x->out->tok = more;
        x->cap *= 2;
    }
    t = &x->out->tok[x->out->n++];
    *t = (struct latex_token){
        .kind = (uint8_t)kind, .from = from, .to = to, .blank_before = x->blank};
    t->is_text = x->is_text_depth[x->depth] != 0;
    t->text = str_slice(x->s, from, to);
    x->blank = false;
    x->i = to;
    return t;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_end(const struct lexer *x, size_t i)
{
    while (is_digit(at(x, i)))
        i++;
    return i;
}

/* After a separator that groups digits, the offset of the group; 0: no separator here. A comma may
 * not be followed by a plain blank: that is a list. */
static size_t group_start(const struct lexer *x, size_t i, bool commas, bool blanks)
{
    size_t j = i;
    bool has_comma = false, has_space = false, has_plain = false;

    for (;;) {
        if (commas && !has_comma && has(x, j, "{,}")) {
            has_comma = has_space = true;
            j += 3;
        } else if (commas && !has_comma && at(x, j) == ',') {
            has_comma = true;
            j++;
        } else if (has(x, j, "\\!")) {
            has_space = true;
            j += 2;
        } else if ((blanks || has_comma) &&
                   (has(x, j, "\\,") || has(x, j, "\\;") || has(x, j, "\\ ") || has(x, j, "\\:"))) {
            has_space = true;
            j += 2;
        } else if (blanks && at(x, j) == '~') {
            has_space = true;
            j++;
        } else if (at(x, j) == ' ' && !has_plain) {
            has_plain = true;
            j++;
        } else {
            break;
        }
    }
    if (j == i || (has_comma && has_plain && !has_space))
        return 0;
    if (!has_comma && !has_space && !(has_plain && blanks))
        return 0;
    if (has_comma && has_space && !has(x, i, "{,}") && !has(x, i, ",\\!") && has_plain &&
        !has(x, i, ",\\,"))
        return 0;
    return j;
}

/* 1.234.567: points between groups of three are no decimal points. The end, or i. */
static size_t scan_points(const struct lexer *x, size_t i, char *out, size_t *n)
{
    size_t end = digits_end(x, i), first = end - i;
    int n_groups = 0;

    if (first == 0 || first > 3 || at(x, i) == '0')
        return i;
    while (at(x, end) == '.' && digits_end(x, end + 1) == end + 4) {
        end += 4;
        n_groups++;
    }
    if (n_groups < 2 || is_digit(at(x, end)) || (at(x, end) == '.' && is_digit(at(x, end + 1))))
        return i;
    for (size_t k = i; k < end; k++)
        if (is_digit(at(x, k)))
            out[(*n)++] = at(x, k);
    return end;
}

/* Digits in groups, copied to out without separators; returns the end. */
static size_t scan_grouped(const struct lexer *x, size_t i, char *out, size_t *n)
{
    size_t end = digits_end(x, i), first = end - i;
    bool commas = !x->reading->comma_is_list && !x->reading->comma_is_decimal && first <= 3 &&
                  at(x, i) != '0';
    bool after_power =
        x->out->n > 0 && x->out->tok[x->out->n - 1].kind == TOK_OP &&
        (x->out->tok[x->out->n - 1].ch == '^' || x->out->tok[x->out->n - 1].ch == '_');
    bool blanks = first <= 3 && !after_power && at(x, i) != '0';

    if (at(x, end) == '.') {
        size_t grouped = scan_points(x, i, out, n);
        if (grouped > i)
            return grouped;
    }
    memcpy(out, x->s.ptr + i, first);
    *n = first;
    while (first <= 3) {
        size_t from = group_start(x, end, commas, blanks), to;
        if (from == 0)
            break;
        to = digits_end(x, from);
        if (to - from != 3)
            break;
        memcpy(out + *n, x->s.ptr + from, 3);
        *n += 3;
        end = to;
    }
    return end;
}

/* Dots over each further digit, or over the last one of a block: 0.\dot1\dot2, 0.\dot12\dot3. */
static size_t scan_dots(const struct lexer *x, size_t i, char *out, size_t *n, int *n_repeat)
{
    for (int k = 0; k < 20; k++) {
        size_t mid = digits_end(x, i), j;
        if (!has(x, mid, "\\dot"))
            break;
        j = mid + 4;
        j += at(x, j) == ' ' || at(x, j) == '{';
        if (!is_digit(at(x, j)))
            break;
        memcpy(out + *n, x->s.ptr + i, mid - i);
        *n += mid - i;
        out[(*n)++] = at(x, j);
        *n_repeat += (int)(mid - i) + 1;
        i = j + 1 + (at(x, j + 1) == '}');
    }
    return i;
}

/* The notations of repeating decimals after the digits at i: sets how many digits were added and
 * repeat. Returns the end, or i. */
static size_t scan_repeat(const struct lexer *x, size_t i, char *out, size_t *n, int *n_repeat)
{
    static const char *const marks[] = {"\\overline", "\\bar", "\\dot", "\\overbar"};
    size_t j = i;

    for (size_t k = 0; k < LEN(marks); k++) {
        if (!has(x, i, marks[k]))
            continue;
        j = i + strlen(marks[k]);
        while (at(x, j) == ' ')
            j++;
        bool is_braced = at(x, j) == '{';
        size_t from = j + is_braced,
               to = is_braced ? digits_end(x, from) : from + (size_t)is_digit(at(x, from));
        if (to == from || (is_braced && at(x, to) != '}'))
            return i;
        memcpy(out + *n, x->s.ptr + from, to - from);
        *n += to - from;
        *n_repeat = (int)(to - from);
        j = to + is_braced;
        if (k == 2)
            j = scan_dots(x, j, out, n, n_repeat);
        return j;
    }
    if (at(x, i) == '(') {
        size_t to = digits_end(x, i + 1);
        if (to > i + 1 && at(x, to) == ')' && to - i < 40) {
            memcpy(out + *n, x->s.ptr + i + 1, to - i - 1);
            *n += to - i - 1;
            *n_repeat = (int)(to - i - 1);
            return to + 1;
        }
    }
    return i;
}

/* 0.333... : the shortest block that the decimals end with at least twice (three times a single
 * one). */
static int trailing_block(const char *decimals, size_t n)
{
    for (size_t len = 1; len * 2 <= n && len <= 20; len++) {
        size_t reps = 1;
        while ((reps + 1) * len <= n &&
               memcmp(decimals + n - len, decimals + n - (reps + 1) * len, len) == 0)
            reps++;
        if (reps >= (len == 1 ? 3u : 2u))
            return (int)len;
    }
    return 0;
}

static size_t scan_exponent(const struct lexer *x, size_t i, int *exponent)
{
    size_t j = i + 1, to;
    bool is_negative = false;
    long value = 0;

    if (at(x, i) != 'e' && at(x, i) != 'E')
        return i;
    if (at(x, j) == '+' || at(x, j) == '-') {
        is_negative = at(x, j) == '-';
        j++;
    }
    to = digits_end(x, j);
    if (to == j || to - j > 9 || isalpha((unsigned char)at(x, to)))
        return i;
    for (; j < to; j++)
        value = value * 10 + (at(x, j) - '0');
    *exponent = (int)(is_negative ? -value : value);
    return to;
}

/* Digits and letters before a base: 2B_{16}. */
static size_t based_end(const struct lexer *x, size_t i)
{
    size_t j = i, k;
    bool has_letter = false;

    while (is_digit(at(x, j)) || (at(x, j) >= 'A' && at(x, j) <= 'Z')) {
        has_letter |= !is_digit(at(x, j));
        j++;
    }
    k = j;
    while (at(x, k) == ' ')
        k++;
    return has_letter && j - i < 200 && (at(x, k) == '_' || has(x, k, "}_") || has(x, k, ")_")) ? j
                                                                                                : i;
}

/* Whether base sixteen follows digits that end at i: _{16}, )_{16}, _{\text{16}}. */
static bool is_hexadecimal(const struct lexer *x, size_t i)
{
    while (at(x, i) == '}' || at(x, i) == ')' || at(x, i) == ' ')
        i++;
    if (at(x, i++) != '_')
        return false;
    while (at(x, i) == '{' || at(x, i) == '(' || at(x, i) == ' ' || has(x, i, "\\text"))
        i += at(x, i) == '\\' ? 5 : 1;
    return has(x, i, "16") || has(x, i, "sixteen");
}

/* Point and decimals after whole digits; a comma where the reading says so. */
static size_t scan_decimals(const struct lexer *x, size_t i, char *digits, size_t *n,
                            bool *has_point)
{
    size_t skip = 0, to;

    if (at(x, i) == '.' && (is_digit(at(x, i + 1)) || at(x, i + 1) == '\\' || at(x, i + 1) == '('))
        skip = 1;
    else if (has(x, i, "{.}"))
        skip = 3;
    else if (x->reading->comma_is_decimal && at(x, i) == ',' && is_digit(at(x, i + 1)))
        skip = 1;
    else if (x->reading->comma_is_decimal && has(x, i, "{,}") && is_digit(at(x, i + 3)))
        skip = 3;
    if (skip == 0)
        return i;
    to = digits_end(x, i + skip);
    digits[(*n)++] = '.';
    memcpy(digits + *n, x->s.ptr + i + skip, to - i - skip);
    *n += to - i - skip;
    *has_point = true;
    return to;
}

static void lex_number(struct lexer *x)
{
    const struct latex_token *before = x->out->n > 0 ? &x->out->tok[x->out->n - 1] : NULL;
    bool is_script =
        before && before->kind == TOK_OP && (before->ch == '_' || before->ch == '^'); /* ^8C_3 */
    size_t from = x->i, end = is_script ? from : based_end(x, from), n = 0;
    struct latex_token *t;
    char *digits;
    bool has_point = false;
    int n_repeat = 0, exponent = 0;

    if (end > from) {
        t = add_token(x, TOK_NUM, from, end);
        t->has_base = true;
        return;
    }
    digits = x->scratch;
    if (at(x, from) == '.') {
        digits[n++] = '0';
        end = from;
    } else {
        end = scan_grouped(x, from, digits, &n);
    }
    bool is_plain = end - from == n;
    end = scan_decimals(x, end, digits, &n, &has_point);
    if (has_point) {
        size_t after = scan_repeat(x, end, digits, &n, &n_repeat);
        if (after == end &&
            (has(x, end, "...") || has(x, end, "\\ldots") || has(x, end, "\\dots"))) {
            const char *point = memchr(digits, '.', n);
            n_repeat = trailing_block(point + 1, n - (size_t)(point + 1 - digits));
            after = end + (at(x, end) == '.' ? 3 : at(x, end + 1) == 'l' ? 6 : 5);
        }
        end = after;
    } else if (at(x, end) == '.' && !is_digit(at(x, end + 1)) && at(x, end + 1) != '.') {
        end++;
    }
    if (n_repeat == 0)
        end = scan_exponent(x, end, &exponent);
    t = add_token(x, TOK_NUM, from, MAX(end, from + 1));
    t->text = is_plain && !has_point ? str_slice(x->s, from, from + n)
                                     : (struct str){arena_strndup(x->arena, digits, n), n};
    t->n_repeat = n_repeat;
    t->exponent = exponent;
    t->is_plain = is_plain && !has_point && exponent == 0;
}

static void lex_environment(struct lexer *x, size_t after, bool is_begin)
{
    size_t from = after, to;

    while (at(x, from) == ' ')
        from++;
    if (at(x, from) != '{') {
        x->i = after;
        x->out->is_bad = true;
        return;
    }
    to = from + 1;
    while (at(x, to) != '}' && at(x, to) != '\0')
        to++;
    struct latex_token *t =
        add_token(x, is_begin ? TOK_BEGIN : TOK_ENDENV, x->i, MIN(to + 1, x->s.len));
    t->text = str_slice(x->s, from + 1, to);
}

/* Past one argument in braces, whatever is in it; a length or colour. */
static size_t skip_argument(const struct lexer *x, size_t i)
{
    int depth = 0;

    while (at(x, i) == ' ')
        i++;
    if (at(x, i) != '{')
        return i;
    for (; i < x->s.len; i++) {
        if (at(x, i) == '{')
            depth++;
        else if (at(x, i) == '}' && --depth == 0)
            return i + 1;
    }
    return i;
}

static size_t skip_bracket(const struct lexer *x, size_t i)
{
    size_t j = i;

    if (at(x, i) != '[')
        return i;
    while (at(x, j) != ']' && at(x, j) != '\0')
        j++;
    return at(x, j) == ']' ? j + 1 : i;
}

/* The braces of a text run make no group of their own: "2 \text{ and } 3" is a list. */
enum { RUN_NONE, RUN_INSIDE, RUN_TEXT };

static void open_brace(struct lexer *x, size_t from, size_t to, bool is_text)
{
    if (!is_text || x->depth + 1 >= LATEX_MAX_NESTING)
        add_token(x, TOK_LBRACE, from, to);
    else
        x->blank = true;
    x->i = to;
    if (x->depth + 1 < LATEX_MAX_NESTING) {
        x->depth++;
        x->is_text_depth[x->depth] = is_text                          ? RUN_TEXT
                                     : x->is_text_depth[x->depth - 1] ? RUN_INSIDE
                                                                      : RUN_NONE;
    }
}

static void close_brace(struct lexer *x)
{
    bool is_run = x->is_text_depth[x->depth] == RUN_TEXT;

    if (x->depth > 0)
        x->depth--;
    if (is_run)
        x->i++;
    else
        add_token(x, TOK_RBRACE, x->i, x->i + 1);
}

static void lex_styled(struct lexer *x, const struct latex_command *cmd, size_t end)
{
    while (at(x, end) == ' ' || at(x, end) == '*')
        end++;
    if (cmd->cls == CMD_BOXED)
        end = skip_bracket(x, end);
    if (cmd->cls == CMD_COLOR)
        end = skip_argument(x, end);
    if (at(x, end) == '{')
        open_brace(x, end, end + 1, cmd->cls == CMD_TEXT);
    else
        x->i = end;
}

static void lex_command(struct lexer *x)
{
    size_t from = x->i, end = from + 1;
    const struct latex_command *cmd;
    struct str name;

    while (isalpha((unsigned char)at(x, end)))
        end++;
    if (end == from + 1 && end < x->s.len)
        end++;
    name = str_slice(x->s, from + 1, end);
    if (str_eqz(name, "\\")) {
        end = skip_bracket(x, end);
        add_token(x, TOK_ROW, from, end);
        return;
    }
    if (name.len == 0 || str_eqz(name, " ")) {
        x->blank = true;
        x->i = end;
        return;
    }
    if (str_eqz(name, "begin") || str_eqz(name, "end")) {
        lex_environment(x, end, name.len == 5);
        return;
    }
    cmd = latex_command_find(name);
    if (isalpha((unsigned char)name.ptr[0]))
        x->out->has_commands = true;
    if (cmd == NULL) {
        /* a blank command and its name run together: \quadx, \quadand */
        if (str_starts(name, "quad") || str_starts(name, "qquad")) {
            x->blank = true;
            x->i = from + (str_starts(name, "quad") ? 5 : 6);
            return;
        }
        struct latex_token *t = add_token(x, TOK_CMD, from, end);
        static const struct latex_command symbol = {"", CMD_SYMBOL, 0};
        t->cmd = &symbol;
        t->text = str_slice(x->s, from, end);
        return;
    }
    switch (cmd->cls) {
    case CMD_IGNORE:
        x->blank = true;
        x->i = end;
        if (cmd->id == 2) { /* \left. and \right. */
            while (at(x, x->i) == ' ')
                x->i++;
            if (at(x, x->i) == '.')
                x->i++;
        } else if (cmd->id == 1) {
            add_token(x, TOK_OP, from, end)->ch = ':';
        }
        return;
    case CMD_IGNORE_ARG:
        x->blank = true;
        x->i = skip_argument(x, end);
        return;
    case CMD_QUAD:
        x->blank = true;
        x->i = end;
        return;
    case CMD_STYLE:
    case CMD_TEXT:
    case CMD_BOXED:
    case CMD_COLOR:
        lex_styled(x, cmd, end);
        return;
    case CMD_OPEN:
    case CMD_CLOSE:
        add_token(x, cmd->cls == CMD_OPEN ? TOK_OPEN : TOK_CLOSE, from, end)->ch = (char)cmd->id;
        return;
    default:
        break;
    }
    struct latex_token *t = add_token(x, TOK_CMD, from, end);
    t->cmd = cmd;
    t->text = str_slice(x->s, from, end);
}

static bool is_letter(char c)
{
    return isalpha((unsigned char)c) || (unsigned char)c >= 128;
}

/* The letter x between a number and a power of ten. */
static bool is_ascii_times(const struct lexer *x)
{
    size_t i = x->i + 1;

    if (at(x, x->i) != 'x' || x->out->n == 0 || x->out->tok[x->out->n - 1].kind != TOK_NUM)
        return false;
    while (at(x, i) == ' ')
        i++;
    if (!has(x, i, "10"))
        return false;
    i += 2;
    while (at(x, i) == ' ')
        i++;
    return at(x, i) == '^' || has(x, i, "**");
}

static void lex_word(struct lexer *x)
{
    size_t from = x->i, end = based_end(x, from);

    if (end > from && ((end - from > 1 && is_digit(at(x, end - 1))) || is_hexadecimal(x, end))) {
        add_token(x, TOK_NUM, from, end)->has_base = true;
        return;
    }
    if (is_ascii_times(x)) { /* 1.5 x 10^-4 */
        struct latex_token *t = add_token(x, TOK_CMD, from, from + 1);
        t->cmd = latex_command_find(STR("times"));
        return;
    }
    end = from;
    while (is_letter(at(x, end)) || (at(x, end) == '-' && end > from &&
                                     x->is_text_depth[x->depth] && is_letter(at(x, end + 1))))
        end++;
    /* "1orW(x)": a connective run together with its neighbours */
    if (from > 0 && is_digit(at(x, from - 1)) && (has(x, from, "or") || has(x, from, "and"))) {
        size_t n = has(x, from, "or") ? 2 : 3;
        if (end > from + n && at(x, from + n) >= 'A' && at(x, from + n) <= 'Z')
            end = from + n;
    }
    /* the apostrophe of "don't" belongs to the word, the prime of f' does not */
    if (at(x, end) == '\'' && end - from > 1 && isalpha((unsigned char)at(x, end + 1)))
        while (is_letter(at(x, end)) || at(x, end) == '\'')
            end++;
    add_token(x, TOK_WORD, from, end);
}

static void lex_operator(struct lexer *x, char c)
{
    static const struct {
        const char *from;
        const char *name;
    } pairs[] = {{"<=", "le"}, {">=", "ge"}, {"!=", "ne"},
                 {"==", "eq"}, {"=<", "le"}, {"=>", "ge"}};

    for (size_t k = 0; k < LEN(pairs); k++) {
        if (has(x, x->i, pairs[k].from)) {
            struct latex_token *t = add_token(x, TOK_CMD, x->i, x->i + 2);
            t->cmd = latex_command_find(STR(pairs[k].name));
            return;
        }
    }
    if (has(x, x->i, "**")) {
        add_token(x, TOK_OP, x->i, x->i + 2)->ch = '^';
        return;
    }
    if (has(x, x->i, "...")) {
        struct latex_token *t = add_token(x, TOK_CMD, x->i, x->i + 3);
        t->cmd = latex_command_find(STR("ldots"));
        return;
    }
    if (c == '%') {
        struct latex_token *t = add_token(x, TOK_CMD, x->i, x->i + 1);
        t->cmd = latex_command_find(STR("%"));
        return;
    }
    if (!strchr("+-*/^_!'=<>,;:|&.", c))
        x->out->is_bad = true;
    add_token(x, TOK_OP, x->i, x->i + 1)->ch = c;
}

static void lex_one(struct lexer *x)
{
    char c = at(x, x->i);

    if (c == ' ' || c == '~' || c == '$' || c == '"' || c == '`') {
        x->blank = true;
        x->i++;
    } else if (has(x, x->i, "{,}")) {
        add_token(x, TOK_OP, x->i, x->i + 3)->ch = ',';
    } else if (has(x, x->i, "{:}")) {
        add_token(x, TOK_OP, x->i, x->i + 3)->ch = ':';
    } else if (is_digit(c) || (c == '.' && is_digit(at(x, x->i + 1)))) {
        lex_number(x);
    } else if (c == '\\') {
        lex_command(x);
    } else if (is_letter(c)) {
        lex_word(x);
    } else if (c == '(' || c == '[') {
        add_token(x, TOK_OPEN, x->i, x->i + 1)->ch = c;
    } else if (c == ')' || c == ']') {
        add_token(x, TOK_CLOSE, x->i, x->i + 1)->ch = c;
    } else if (c == '{') {
        open_brace(x, x->i, x->i + 1, false);
    } else if (c == '}') {
        close_brace(x);
    } else if (c == '.' && x->is_text_depth[x->depth] && x->out->n > 0 &&
               x->out->tok[x->out->n - 1].kind == TOK_WORD && !has(x, x->i, "..")) {
        x->i++; /* the full stop of an abbreviation: "sq. ft." */
        x->blank = true;
    } else if (has(x, x->i, "**") && (x->out->n == 0 || x->i + 2 >= x->s.len)) {
        x->i += 2; /* what is left of bold */
    } else {
        lex_operator(x, c);
    }
}

void latex_tokenize(struct arena *a, struct str cleaned, const struct latex_reading *r,
                    struct latex_tokens *out)
{
    struct lexer x = {.s = cleaned, .arena = a, .reading = r, .out = out};

    *out = (struct latex_tokens){0};
    x.cap = 32;
    out->tok = arena_array(a, (size_t)x.cap, sizeof(*out->tok));
    x.scratch = arena_alloc(a, cleaned.len + 2);
    x.is_text_depth = arena_alloc(a, MIN(cleaned.len + 2, (size_t)LATEX_MAX_NESTING + 2));
    while (x.i < cleaned.len)
        lex_one(&x);
    x.depth = 0;
    add_token(&x, TOK_END, cleaned.len, cleaned.len);
    if (strchr(".,", out->n > 1 ? out->tok[out->n - 2].ch : 'x') && out->n > 1 &&
        out->tok[out->n - 2].ch && out->tok[out->n - 2].kind == TOK_OP) {
        out->tok[out->n - 2] = out->tok[out->n - 1];
        out->n--;
    }
}
