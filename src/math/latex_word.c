/* latex_word.c - what a run of letters means: a connective, a function, a constant, a unit, a
 * product of variables or a word. */
#include "math/latex_parse.h"

#include <ctype.h>

#include "math/unit.h"

static bool is_word(const struct latex_token *t, const char *z)
{
    return t->kind == TOK_WORD && str_eq_nocase(t->text, STR(z));
}

static bool is_any_word(const struct latex_token *t, const char *const *list)
{
    for (; *list; list++)
        if (is_word(t, *list))
            return true;
    return false;
}

static const char *const greek[] = {"alpha",  "beta", "gamma",  "delta", "epsilon", "theta",
                                    "lambda", "mu",   "rho",    "sigma", "tau",     "phi",
                                    "omega",  "psi",  "varphi", NULL};
static const char *const conditions[] = {"if", "when", "for", "whenever", "where", NULL};
static const char *const quantors[] = {"all", "any", "every", "each", "some", NULL};
static const char *const percents[] = {"percent", "pct", "percentage", "percents", NULL};
static const char *const degrees[] = {"degree", "degrees", "deg", NULL};
static const char *const ends_unit[] = {"and", "or", "if", "when", "where", "mod", NULL};

static long multiplier(const struct latex_token *t)
{
    static const struct {
        const char *word;
        long value;
    } table[] = {{"dozen", 12},        {"hundred", 100},        {"thousand", 1000},
                 {"million", 1000000}, {"billion", 1000000000}, {"trillion", 1000000000000}};

    for (size_t i = 0; i < LEN(table); i++)
        if (is_word(t, table[i].word))
            return table[i].value;
    return 0;
}

/* --- units ------------------------------------------------------------------------------------ */

/* ^2, ^{2}, ^{-1} at token i: appended to out; the number of tokens. */
static int unit_power(struct parser *ps, int i, struct buf *out)
{
    int from = i;
    bool is_braced, is_negative;

    if (tok(ps, i)->kind != TOK_OP || tok(ps, i)->ch != '^')
        return 0;
    i++;
    is_braced = tok(ps, i)->kind == TOK_LBRACE;
    i += is_braced;
    is_negative = tok(ps, i)->kind == TOK_OP && tok(ps, i)->ch == '-';
    i += is_negative;
    if (tok(ps, i)->kind != TOK_NUM || tok(ps, i)->text.len != 1)
        return 0;
    buf_addf(out, "^%s" STR_FMT, is_negative ? "-" : "", STR_ARG(tok(ps, i)->text));
    i++;
    if (is_braced && tok(ps, i)->kind != TOK_RBRACE)
        return 0;
    return i + is_braced - from;
}

struct str gather_unit(struct parser *ps)
{
    struct buf out = {0};
    struct str unit;
    int i = 0;

    buf_init(&out, 4096);
    for (;;) {
        const struct latex_token *t = tok(ps, i);
        int next = i + 1;
        char sep = ' ';
        if (i > 0 && t->kind == TOK_OP && t->ch == '/') {
            sep = '/';
            t = tok(ps, i + 1);
            next++;
        } else if (i > 0 && t->kind == TOK_CMD && t->cmd->cls == CMD_TIMES) {
            t = tok(ps, i + 1);
            next++;
        }
        if (t->kind != TOK_WORD || is_any_word(t, ends_unit))
            break;
        if (is_word(t, "per"))
            sep = '/';
        if (out.len > 0 && !(sep == ' ' && buf_z(&out)[out.len - 1] == '/'))
            buf_addc(&out, sep);
        if (!is_word(t, "per"))
            buf_add_str(&out, t->text);
        i = next + unit_power(ps, next, &out);
    }
    ps->at += i;
    unit = str_dup(ps->arena, buf_str(&out));
    buf_clear(&out);
    return unit;
}

void apply_unit(struct parser *ps, struct str unit)
{
    struct expr *e;

    reduce_above(ps, PREC_BIGOP);
    e = top_operand(ps);
    if (!e) {
        parser_fail(ps);
        return;
    }
    if (e->op == EX_UNIT) { /* "$5 dollars", "5 cm cm": the first one stays */
        return;
    }
    if (e->op == EX_DEGREE)
        e = e->kid[0];
    e = expr_un(ps->pool, EX_UNIT, 0, e);
    e->name = unit_canonical(ps->arena, unit);
    operand_replace(ps, e);
}

/* --- words after a value ---------------------------------------------------------------------- */

static bool is_pure_number(const struct expr *e)
{
    return expr_is_arith(e) && !expr_has_symbols(e);
}

static void multiply_operand(struct parser *ps, long factor)
{
    struct expr *e = top_operand(ps);
    bool is_money = e->op == EX_UNIT;
    struct expr *m =
        expr_bin(ps->pool, EX_MUL, 0, is_money ? e->kid[0] : e, expr_num_si(ps->pool, factor, 1));

    if (is_money) {
        m = expr_un(ps->pool, EX_UNIT, 0, m);
        m->name = e->name;
    }
    operand_replace(ps, m);
}

/* Whether letters after a value are a unit and not more factors. */
static bool begins_unit(const struct parser *ps, const struct latex_token *t,
                        const struct expr *left)
{
    bool is_number = is_pure_number(left) || left->op == EX_UNIT;

    if (left->op == EX_TEXT || left->op == EX_REL || left->op == EX_LIST)
        return false;
    if ((unsigned char)t->text.ptr[0] >= 128)
        return is_number;
    if (t->text.len == 1)
        return (t->is_text ||
                (ps->reading->letter_is_unit &&
                 (t->blank_before || (tok(ps, 1)->kind == TOK_OP && tok(ps, 1)->ch == '^')))) &&
               is_number && unit_is_known(t->text) && !strchr("ei", t->text.ptr[0]);
    if (latex_word_find(t->text) && !unit_is_known(t->text))
        return false;
    return t->is_text || (is_number && unit_is_known(t->text)) || (t->text.len >= 4 && is_number);
}

static bool word_after_value(struct parser *ps)
{
    const struct latex_token *t = tok(ps, 0);
    struct expr *left = top_operand(ps);

    if (parse_base_words(ps))
        return true;
    bool is_two_words = is_word(t, "per") && is_word(tok(ps, 1), "cent");
    if (is_any_word(t, percents) || is_two_words) {
        ps->at += 1 + is_two_words;
        reduce_above(ps, PREC_BIGOP);
        left = top_operand(ps);
        if (left->op != EX_PERCENT)
            operand_replace(ps, expr_un(ps->pool, EX_PERCENT, 0, left));
        return true;
    }
    if (is_any_word(t, degrees)) {
        ps->at++;
        reduce_above(ps, PREC_BIGOP);
        postfix_degree(ps);
        return true;
    }
    if (is_word(t, "mod") || is_word(t, "modulo")) {
        ps->at++;
        if (tok(ps, 0)->kind == TOK_OP)
            parser_fail(ps);
        else
            modulo(ps);
        return true;
    }
    if (is_word(t, "to") && is_pure_number(left) && tok(ps, 1)->kind == TOK_NUM) { /* 3 to 5 */
        ps->at++;
        binary(ps, OP_COLON, PREC_COLON, 0);
        return true;
    }
    if (top_frame(ps)->kind == FRAME_ROOT && is_word(t, "for") &&
        is_any_word(tok(ps, 1), quantors)) {
        ps->at = ps->toks.n - 1; /* "for all x" adds nothing */
        return true;
    }
    if (multiplier(t) > 0 && is_pure_number(left)) {
        ps->at++;
        reduce_above(ps, PREC_BIGOP);
        multiply_operand(ps, multiplier(t));
        return true;
    }
    if (left->op == EX_NUM && !t->blank_before &&
        (str_eqz(t->text, "th") || str_eqz(t->text, "st") || str_eqz(t->text, "nd") ||
         str_eqz(t->text, "rd"))) {
        ps->at++;
        return true;
    }
    if (begins_unit(ps, t, left) && !is_any_word(t, ends_unit)) {
        apply_unit(ps, gather_unit(ps));
        return true;
    }
    return false;
}

/* --- words where a value may stand ------------------------------------------------------------ */

static bool has_vowel(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("aeiouyAEIOUY", s.ptr[i]))
            return true;
    return false;
}

static bool is_lower(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!islower((unsigned char)s.ptr[i]))
            return false;
    return true;
}

/* Frequent short words, so that prose is never a product: "so 2 remain". */
static bool is_small_word(struct str s)
{
    static const char *const small[] = {
        "is",  "so",  "he",  "we",  "it",  "to",  "in",  "of",  "at",  "by",  "be",  "as",
        "an",  "my",  "no",  "do",  "us",  "up",  "go",  "the", "has", "had", "for", "was",
        "are", "she", "his", "her", "not", "all", "can", "you", "ate", "its", "who", "how",
        "one", "two", "six", "ten", "but", "per", "any", "did", "get", "got", "our", "out",
        "she", "now", "let", "see", "use", "set", "der", "die", "das", "est", "les", "des",
        "une", "que", "los", "las", "non", "new", "way", "day", "sum"};

    for (size_t i = 0; i < LEN(small); i++)
        if (str_eq_nocase(s, STR(small[i])))
            return true;
    return false;
}

/* abcd, wxyz: more likely factors than a word. */
static bool is_ascending(struct str s)
{
    for (size_t i = 1; i < s.len; i++)
        if (s.ptr[i] <= s.ptr[i - 1])
            return false;
    return true;
}

/* A word, not a product of its letters: from a text run, long, or a pronounceable one alone. */
static bool reads_as_text(const struct parser *ps, const struct latex_token *t)
{
    const struct latex_token *next = tok(ps, 1);
    bool is_alone = (next->kind == TOK_END || next->kind == TOK_WORD) && ps->n_frames == 1 &&
                    ps->n_ops == 0 && ps->n_operands == 0;

    for (size_t i = 0; i < t->text.len; i++)
        if ((unsigned char)t->text.ptr[i] >= 128)
            return true;
    if (t->is_text || t->text.len >= 5)
        return true;
    if (t->text.len >= 3 && is_alone && has_vowel(t->text) && !is_ascending(t->text) &&
        (is_lower(t->text) || is_lower(str_slice(t->text, 1, 99))))
        return true;
    if (is_small_word(t->text))
        return t->text.len > 2 || next->kind == TOK_WORD || t->blank_before;
    return t->text.len == 4 && is_lower(str_slice(t->text, 1, 4)) && has_vowel(t->text) &&
           !is_ascending(t->text);
}

static void deliver_letters(struct parser *ps, struct str word)
{
    struct expr *e, **kids = arena_array(ps->arena, word.len, sizeof(*kids));

    for (size_t i = 0; i < word.len; i++) {
        struct str c = str_slice(word, i, i + 1);
        bool is_i = c.ptr[0] == 'i' && !ps->reading->i_is_symbol && word.len <= 3;
        bool is_e = c.ptr[0] == 'e' && !ps->reading->e_is_symbol && word.len <= 3;
        kids[i] = is_i   ? expr_const(ps->pool, CONST_I)
                  : is_e ? expr_const(ps->pool, CONST_E)
                         : expr_sym(ps->pool, c);
    }
    if (tok(ps, 0)->kind == TOK_OP && (tok(ps, 0)->ch == '^' || tok(ps, 0)->ch == '_' ||
                                       tok(ps, 0)->ch == '\'' || tok(ps, 0)->ch == '!')) {
        /* the script belongs to the last letter */
        for (size_t i = 0; i < word.len; i++)
            deliver(ps, kids[i]);
        return;
    }
    e = expr_new(ps->pool, EX_MUL, 0, kids, (int)word.len);
    e->name = word;
    deliver(ps, e);
}

static void deliver_letter(struct parser *ps, const struct latex_token *t)
{
    char c = t->text.ptr[0];

    if (c == 'e' && !ps->reading->e_is_symbol)
        deliver(ps, expr_const(ps->pool, CONST_E));
    else if (((c == 'i' || (c == 'j' && ps->reading->j_is_unit)) && !ps->reading->i_is_symbol) ||
             (c == 'I' && ps->reading->j_is_unit))
        deliver(ps, expr_const(ps->pool, CONST_I));
    else
        parse_symbol(ps, t->text, true);
}

static void deliver_text(struct parser *ps)
{
    struct buf out = {0};
    struct expr *e;

    if (is_any_word(tok(ps, 0), ends_unit)) {
        parser_fail(ps);
        return;
    }
    buf_init(&out, LATEX_MAX_TEXT);
    while (tok(ps, 0)->kind == TOK_WORD && !is_any_word(tok(ps, 0), ends_unit)) {
        if (out.len > 0)
            buf_addc(&out, ' ');
        buf_add_str(&out, tok(ps, 0)->text);
        ps->at++;
    }
    e = expr_text(ps->pool, str_dup(ps->arena, buf_str(&out)));
    buf_clear(&out);
    deliver(ps, e);
}

/* Whether functions count by this name here: "log" does, "sign" in a sentence does not. */
static bool is_function_here(const struct parser *ps, const struct latex_token *t)
{
    const struct latex_token *next = tok(ps, 1);

    if (next->kind == TOK_OPEN && (next->ch == '(' || next->ch == '[' || next->ch == '|'))
        return true;
    if (next->kind == TOK_LBRACE || (next->kind == TOK_OP && (next->ch == '^' || next->ch == '_')))
        return true;
    return (t->text.len <= 4 || str_starts(t->text, "ar")) &&
           (next->kind == TOK_NUM || next->kind == TOK_CMD ||
            (next->kind == TOK_WORD && (next->text.len == 1 || latex_word_find(next->text))));
}

/* \frac ab: each argument without braces is one letter of the word. */
static bool is_letter_argument(const struct parser *ps, const struct latex_token *t)
{
    const struct frame *command;

    if (top_frame(ps)->kind != FRAME_ATOM || t->is_text || t->text.len < 2 || t->text.len > 4)
        return false;
    command = &ps->frames[ps->n_frames - 2];
    return command->command == COMMAND_FRAC || command->command == COMMAND_BINOM;
}

/* \text{A square}: the article before a noun. */
static bool is_article_here(const struct parser *ps, const struct latex_token *t)
{
    const struct latex_token *next = tok(ps, 1);

    return t->is_text && is_word(t, "a") && next->kind == TOK_WORD && next->is_text &&
           next->text.len >= 4 && is_lower(next->text);
}

static void word_as_value(struct parser *ps)
{
    struct latex_token *t = tok(ps, 0);
    const struct latex_command *cmd = t->text.len > 1 ? latex_word_find(t->text) : NULL;

    if (!cmd && is_letter_argument(ps, t)) {
        struct latex_token first = *t;
        first.text.len = 1;
        t->text = str_slice(t->text, 1, t->text.len);
        t->from++;
        t->blank_before = false;
        deliver_letter(ps, &first);
        return;
    }
    if (cmd && cmd->cls == CMD_CONST) {
        ps->at++;
        deliver(ps, expr_const(ps->pool, (enum expr_const)cmd->id));
    } else if (cmd && is_function_here(ps, t)) {
        ps->at++;
        if (cmd->cls == CMD_SQRT) {
            command_open(ps, COMMAND_SQRT, 0);
            command_next(ps);
        } else {
            start_function(ps, cmd->id);
        }
    } else if ((str_eqz(t->text, "US") || str_eqz(t->text, "USD")) &&
               is_cls(tok(ps, 1), CMD_MONEY)) {
        ps->at++; /* the sign says it */
    } else if (t->text.len > 1 && unit_is_currency(t->text) && tok(ps, 1)->kind == TOK_NUM) {
        ps->at++;
        op_push(ps, OP_PREFIX_UNIT, PREC_NEG, 0);
        ps->ops[ps->n_ops - 1].name = unit_canonical(ps->arena, t->text);
    } else if (is_article_here(ps, t)) {
        deliver_text(ps);
    } else if (t->text.len == 1 && (unsigned char)t->text.ptr[0] < 128) {
        ps->at++;
        deliver_letter(ps, t);
    } else if (!t->is_text && is_any_word(t, greek) && is_lower(t->text)) {
        ps->at++;
        parse_symbol(ps, str_fmt(ps->arena, "\\" STR_FMT, STR_ARG(t->text)), true);
    } else if (tok(ps, 1)->kind == TOK_OPEN && tok(ps, 1)->ch == '(' && t->text.len >= 4) {
        ps->at++;
        parse_symbol(ps, t->text, true);
    } else if (reads_as_text(ps, t)) {
        deliver_text(ps);
    } else {
        ps->at++;
        deliver_letters(ps, t->text);
    }
}

/* (1, 2) U (3, 4) */
static bool is_typed_union(const struct parser *ps)
{
    const struct expr *left = top_operand(ps);
    const struct latex_token *next = tok(ps, 1);

    return left && str_eqz(tok(ps, 0)->text, "U") && (left->op == EX_SEQ || left->op == EX_SET) &&
           (next->kind == TOK_OPEN || (next->kind == TOK_CLOSE && next->ch == ']'));
}

static bool word_as_connective(struct parser *ps)
{
    const struct latex_token *t = tok(ps, 0);
    struct frame *f = top_frame(ps);
    bool in_cases = f->kind == FRAME_ENV && str_find(f->name, STR("cases"), 0) >= 0;

    if (is_word(t, "and") || is_word(t, "or")) {
        enum op_kind kind = is_word(t, "and") ? OP_AND : OP_OR;
        struct op *o = op_top(ps);
        ps->at++;
        if (f->have) {
            /* 2 hours and 30 minutes is one quantity; the comparison joins it */
            binary(ps, kind, PREC_COMMA, 0);
        } else if (o && (o->prec == PREC_COMMA || o->prec == PREC_SEMI)) {
            o->kind = o->prec == PREC_COMMA ? (uint8_t)kind : o->kind;
        } else {
            parser_fail(ps);
        }
        return true;
    }
    if (is_typed_union(ps)) {
        ps->at++;
        binary(ps, OP_SETOP, PREC_SETOP, 'u');
        return true;
    }
    if (in_cases && is_any_word(t, conditions)) {
        ps->at++;
        if (f->have) { /* x if x > 0, without & */
            struct latex_token and = {.kind = TOK_OP, .ch = '&'};
            ps->at--;
            *tok(ps, 0) = and;
        }
        return true;
    }
    return false;
}

void parse_word(struct parser *ps)
{
    const struct latex_token *t = tok(ps, 0);

    if (word_as_connective(ps))
        return;
    if ((is_word(t, "mod") || is_word(t, "modulo")) && !top_frame(ps)->have &&
        top_frame(ps)->kind == FRAME_BRACKET) {
        top_frame(ps)->is_residue = true;
        ps->at++;
        return;
    }
    if (top_frame(ps)->have && word_after_value(ps))
        return;
    word_as_value(ps);
}
