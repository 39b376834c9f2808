/* latex_number.c - numbers, bases, powers and subscripts. */
#include "math/latex_parse.h"

#include <ctype.h>

enum { MAX_EXPONENT = 4000 };

/* --- numbers ---------------------------------------------------------------------------------- */

static void set_digits(fmpz_t z, struct parser *ps, const char *ptr, size_t n)
{
    if (n <= 18) {
        unsigned long v = 0;
        for (size_t i = 0; i < n; i++)
            v = v * 10 + (unsigned long)(ptr[i] - '0');
        fmpz_set_ui(z, v);
        return;
    }
    fmpz_set_str(z, arena_strndup(ps->arena, ptr, n), 10);
}

static int significant(struct str digits)
{
    int n = 0;
    bool started = false;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] == '.')
            continue;
        started |= digits.ptr[i] != '0';
        n += started;
    }
    return n > 0 ? n : 1;
}

/* The last n_repeat of the decimals repeat: whole part d, then (all - fixed) / (10^k (10^r - 1)).
 */
static void set_repeating(fmpq *q, struct parser *ps, const char *all, size_t n, size_t n_decimals,
                          size_t n_repeat)
{
    fmpz_t whole, fixed, nines, shift;

    fmpz_init(whole);
    fmpz_init(fixed);
    fmpz_init_set_ui(nines, 10);
    fmpz_init_set_ui(shift, 10);
    set_digits(whole, ps, all, n);
    set_digits(fixed, ps, all, n - n_repeat);
    fmpz_pow_ui(nines, nines, n_repeat);
    fmpz_sub_ui(nines, nines, 1);
    fmpz_pow_ui(shift, shift, n_decimals - n_repeat);
    fmpz_sub(whole, whole, fixed);
    fmpz_mul(nines, nines, shift);
    fmpq_set_fmpz_frac(q, whole, nines);
    fmpz_clear(whole);
    fmpz_clear(fixed);
    fmpz_clear(nines);
    fmpz_clear(shift);
}

static void set_decimal(fmpq *q, struct parser *ps, const char *all, size_t n, long exponent)
{
    fmpz_t ten;

    set_digits(fmpq_numref(q), ps, all, n);
    if (exponent == 0)
        return;
    fmpz_init_set_ui(ten, 10);
    fmpz_pow_ui(ten, ten, (unsigned long)labs(exponent));
    if (exponent > 0)
        fmpz_mul(fmpq_numref(q), fmpq_numref(q), ten);
    else
        fmpq_set_fmpz_frac(q, fmpq_numref(q), ten);
    fmpz_clear(ten);
}

struct expr *number_of(struct parser *ps, const struct latex_token *t)
{
    struct expr *e = expr_num_si(ps->pool, 0, 1), *power;
    const char *point = memchr(t->text.ptr, '.', t->text.len);
    size_t n_decimals = point ? t->text.len - (size_t)(point + 1 - t->text.ptr) : 0;
    size_t n = t->text.len - (point != NULL);
    const char *all = t->text.ptr;

    e->name = t->text;
    e->flags = EXPR_LITERAL;
    if (t->has_base)
        return e; /* the base that follows gives the value */
    if (point) {
        char *joined = arena_alloc(ps->arena, n + 1);
        memcpy(joined, t->text.ptr, (size_t)(point - t->text.ptr));
        memcpy(joined + (point - t->text.ptr), point + 1, n_decimals);
        all = joined;
    }
    if (t->n_repeat > 0 && (size_t)t->n_repeat <= n_decimals) {
        set_repeating(e->q, ps, all, n, n_decimals, (size_t)t->n_repeat);
    } else {
        long exponent = t->exponent - (long)n_decimals;
        bool is_far = exponent > MAX_EXPONENT || t->exponent < -MAX_EXPONENT;
        set_decimal(e->q, ps, all, n, is_far ? -(long)n_decimals : exponent);
        if (point)
            e->digits = significant(t->text);
        if (is_far) {
            expr_keep(ps->pool, e->q);
            power = expr_bin(ps->pool, EX_POW, 0, expr_num_si(ps->pool, 10, 1),
                             expr_num_si(ps->pool, t->exponent, 1));
            return expr_bin(ps->pool, EX_MUL, 0, e, power);
        }
    }
    expr_keep(ps->pool, e->q);
    return e;
}

/* Takes the first digit of a run: \frac12 is a half. */
static struct expr *split_digit(struct parser *ps, struct latex_token *t)
{
    struct latex_token first = *t;

    first.text.len = 1;
    first.is_plain = true;
    t->text = str_slice(t->text, 1, t->text.len);
    t->from++;
    t->blank_before = false;
    return number_of(ps, &first);
}

void parse_number(struct parser *ps)
{
    struct latex_token *t = tok(ps, 0);
    struct frame *f = top_frame(ps);
    struct expr *left = top_operand(ps), *e;

    if (f->kind == FRAME_ATOM && t->is_plain && t->text.len > 1) {
        const struct frame *command = &ps->frames[ps->n_frames - 2];
        /* \frac{7}11: who set braces once means the whole run */
        bool is_run = command->command == COMMAND_FRAC && command->slot == 1 && ps->at > 0 &&
                      tok(ps, -1)->kind == TOK_RBRACE;
        bool one_digit = (command->command == COMMAND_FRAC && !is_run) ||
                         command->command == COMMAND_BINOM ||
                         (command->command == COMMAND_FUNC && command->slot < 2);
        if (one_digit) {
            deliver(ps, split_digit(ps, t));
            return;
        }
    }
    /* 4 4/9 */
    if (left && left->op == EX_NUM && (left->flags & EXPR_LITERAL) && left->digits == 0 &&
        t->blank_before && is_plain_num(t) && tok(ps, 1)->kind == TOK_OP && tok(ps, 1)->ch == '/' &&
        is_plain_num(tok(ps, 2)) &&
        !(op_top(ps) && (op_top(ps)->kind == OP_POW || op_top(ps)->kind == OP_DIV))) {
        e = expr_bin(ps->pool, EX_DIV, 0, number_of(ps, t), number_of(ps, tok(ps, 2)));
        e->flags |= EXPR_FRACTION;
        ps->at += 3;
        deliver(ps, e);
        return;
    }
    ps->at++;
    deliver(ps, number_of(ps, t));
}

/* --- bases ------------------------------------------------------------------------------------ */

static int base_of(struct str spec)
{
    static const char *const names[] = {"two",   "three", "four", "five",   "six",   "seven",
                                        "eight", "nine",  "ten",  "eleven", "twelve"};
    long v = 0;

    if (spec.len > 4 && str_eq_nocase(str_slice(spec, 0, 4), STR("base")))
        spec = str_slice(spec, 4, spec.len);
    for (size_t i = 0; i < LEN(names); i++)
        if (str_eq_nocase(spec, STR(names[i])))
            return (int)i + 2;
    if (str_eq_nocase(spec, STR("sixteen")))
        return 16;
    if (spec.len == 0 || spec.len > 2)
        return 0;
    for (size_t i = 0; i < spec.len; i++) {
        if (!isdigit((unsigned char)spec.ptr[i]))
            return 0;
        v = v * 10 + (spec.ptr[i] - '0');
    }
    return v >= 2 && v <= 36 ? (int)v : 0;
}

static struct expr *based_number(struct parser *ps, struct str digits, int base)
{
    struct expr *e = expr_num_si(ps->pool, 0, 1);
    char *z = arena_strndup(ps->arena, digits.ptr, digits.len);

    if (digits.len > 4096)
        return NULL;
    for (size_t i = 0; i < digits.len; i++) {
        int c = tolower((unsigned char)z[i]);
        int v = isdigit(c) ? c - '0' : isalpha(c) ? c - 'a' + 10 : 99;
        if (v >= base)
            return NULL;
        z[i] = (char)c;
    }
    if (digits.len == 0 || fmpz_set_str(fmpq_numref(e->q), z, base) != 0)
        return NULL;
    expr_keep(ps->pool, e->q);
    return e;
}

bool parse_base_words(struct parser *ps)
{
    const struct expr *e = top_operand(ps);
    int i = 0;
    bool in_parens = tok(ps, 0)->kind == TOK_OPEN && tok(ps, 0)->ch == '(';
    struct expr *value;

    i += in_parens;
    i += tok(ps, i)->kind == TOK_WORD && str_eq_nocase(tok(ps, i)->text, STR("in"));
    if (!e || e->op != EX_NUM || e->name.len == 0 || e->digits > 0 ||
        !(e->flags & (EXPR_LITERAL | EXPR_PAREN)) || tok(ps, i)->kind != TOK_WORD ||
        !str_eq_nocase(tok(ps, i)->text, STR("base")))
        return false;
    i++;
    if ((tok(ps, i)->kind != TOK_NUM && tok(ps, i)->kind != TOK_WORD) ||
        !base_of(tok(ps, i)->text) || (in_parens && tok(ps, i + 1)->kind != TOK_CLOSE))
        return false;
    value = based_number(ps, e->name, base_of(tok(ps, i)->text));
    if (!value)
        return false;
    ps->at += i + 1 + in_parens;
    operand_replace(ps, value);
    return true;
}

/* --- scripts ---------------------------------------------------------------------------------- */

/* The tokens of a script, from the one after ^ or _, as text without braces and blanks; *end is the
 * token after it. */
struct str script_text(struct parser *ps, int *end)
{
    struct latex_token *t = tok(ps, 0);
    char *out;
    size_t n = 0, from, to;
    int depth = 0, i = ps->at;

    if (t->kind != TOK_LBRACE) {
        *end = ps->at + 1;
        from = t->from;
        to = t->to;
    } else {
        for (; ps->toks.tok[i].kind != TOK_END; i++) {
            depth += ps->toks.tok[i].kind == TOK_LBRACE;
            depth -= ps->toks.tok[i].kind == TOK_RBRACE;
            if (depth == 0)
                break;
        }
        *end = ps->toks.tok[i].kind == TOK_END ? i : i + 1;
        from = t->to;
        to = ps->toks.tok[i].from;
    }
    to = MAX(from, to);
    out = arena_alloc(ps->arena, to - from + 1);
    for (size_t k = from; k < to; k++) {
        char c = ps->src.ptr[k];
        if (c == '\\' && k + 1 < to && str_starts(str_slice(ps->src, k, to), "\\text"))
            k += 4;
        else if (c == '\\' && str_starts(str_slice(ps->src, k, to), "\\mathrm"))
            k += 6;
        else if (!strchr(" {}\\()$", c))
            out[n++] = c;
    }
    return (struct str){out, n};
}

/* A script that is one number or letter: its tokens, and that atom; 0: something longer. */
static int script_atom(struct parser *ps, int i, struct expr **out)
{
    bool is_braced = tok(ps, i)->kind == TOK_LBRACE;
    const struct latex_token *t = tok(ps, i + is_braced);

    if (t->kind == TOK_NUM && !t->has_base)
        *out = number_of(ps, t);
    else if (t->kind == TOK_WORD && t->text.len == 1)
        *out = expr_sym(ps->pool, t->text);
    else
        return 0;
    if (is_braced && tok(ps, i + 2)->kind != TOK_RBRACE)
        return 0;
    return is_braced ? 3 : 1;
}

struct expr *selection(struct parser *ps, char letter, struct expr *n, struct expr *k)
{
    struct expr *e = expr_bin(ps->pool, EX_FUNC, FN_BINOM, n, k);

    return letter == 'C' ? e
                         : expr_bin(ps->pool, EX_MUL, 0, e, expr_un(ps->pool, EX_FUNC, FN_FACT, k));
}

/* C_8^3, after the ^, where the reading takes it for 3 out of 8. */
static bool parse_scripted_selection(struct parser *ps, const struct expr *e)
{
    struct expr *n, *k;
    int used = script_atom(ps, 0, &k);
    char letter = e->name.len > 0 ? e->name.ptr[0] : 0;

    if (used == 0 || e->op != EX_SYM || (letter != 'C' && letter != 'P' && letter != 'A'))
        return false;
    if (e->name.len == 1 && tok(ps, used)->kind == TOK_OP && tok(ps, used)->ch == '_') { /* C^3_8 */
        ps->at += used + 1;
        used = script_atom(ps, 0, &n);
        if (used == 0)
            return false;
    } else if (e->name.len == 3 && e->name.ptr[1] == '_' &&
               isdigit((unsigned char)e->name.ptr[2])) {
        n = expr_num_si(ps->pool, e->name.ptr[2] - '0', 1);
    } else if (e->name.len == 4 && e->name.ptr[1] == '_' &&
               isdigit((unsigned char)e->name.ptr[2]) && isdigit((unsigned char)e->name.ptr[3])) {
        n = expr_num_si(ps->pool, (e->name.ptr[2] - '0') * 10 + e->name.ptr[3] - '0', 1);
    } else if (e->name.len == 3 && e->name.ptr[1] == '_') {
        n = expr_sym(ps->pool, str_slice(e->name, 2, 3));
    } else {
        return false;
    }
    ps->at += used;
    operand_replace(ps, selection(ps, letter, n, k));
    return true;
}

/* _{10}C_3 and _{10}P_3, after their first sign. */
static bool parse_selection(struct parser *ps)
{
    struct expr *n, *k;
    int used = script_atom(ps, 0, &n), more;
    const struct latex_token *letter = tok(ps, used), *sign = tok(ps, used + 1);

    if (used == 0 || letter->kind != TOK_WORD ||
        !(str_eqz(letter->text, "C") || str_eqz(letter->text, "P")) || sign->kind != TOK_OP ||
        (sign->ch != '_' && sign->ch != '^'))
        return false;
    more = script_atom(ps, used + 2, &k);
    if (more == 0)
        return false;
    ps->at += used + 2 + more;
    deliver(ps, selection(ps, letter->text.ptr[0], n, k));
    return true;
}

/* \mathbb{R}^+, \mathbb{R}_{\ge 0} and the like: rays of the real line; others are sets of their
 * own. */
static struct expr *part_of_set(struct parser *ps, const struct expr *set, struct str script)
{
    static const struct {
        const char *script;
        bool is_negative, has_zero;
    } rays[] = {{"+", false, false},  {">0", false, false},  {"gt0", false, false},
                {"ge0", false, true}, {"geq0", false, true}, {"geqslant0", false, true},
                {"-", true, false},   {"<0", true, false},   {"lt0", true, false},
                {"le0", true, true},  {"leq0", true, true},  {"leqslant0", true, true}};
    struct expr *zero = expr_num_si(ps->pool, 0, 1), *e,
                *ends[2] = {zero, expr_const(ps->pool, CONST_INF)};

    if (set->id == CONST_REALS &&
        (str_eqz(script, "*") || str_eqz(script, "ne0") || str_eqz(script, "neq0")))
        return expr_bin(ps->pool, EX_SETOP, '-', expr_const(ps->pool, CONST_REALS),
                        expr_un(ps->pool, EX_SET, 0, zero));
    for (size_t i = 0; i < LEN(rays) && set->id == CONST_REALS; i++) {
        if (!str_eqz(script, rays[i].script))
            continue;
        if (rays[i].is_negative) {
            ends[0] = expr_un(ps->pool, EX_NEG, 0, ends[1]);
            ends[1] = zero;
        }
        e = expr_new(ps->pool, EX_SEQ, 0, ends, 2);
        e->open = rays[i].has_zero && !rays[i].is_negative ? '[' : '(';
        e->close = rays[i].has_zero && rays[i].is_negative ? ']' : ')';
        return e;
    }
    if (str_eqz(script, ">0") || str_eqz(script, "gt0"))
        script = STR("+");
    return expr_sym(ps->pool, str_fmt(ps->arena, "set%d^" STR_FMT, set->id, STR_ARG(script)));
}

static bool is_number_set(const struct expr *e)
{
    return e->op == EX_CONST && e->id >= CONST_REALS && e->id <= CONST_COMPLEX;
}

void parse_subscript(struct parser *ps)
{
    struct expr *e = top_operand(ps), *value;
    struct str sub;
    int end;

    ps->at++;
    if (!e && parse_selection(ps))
        return;
    sub = script_text(ps, &end);
    if (!e || sub.len == 0) {
        parser_fail(ps);
        return;
    }
    ps->at = end;
    if (e->op == EX_NUM && e->name.len > 0 && (e->flags & (EXPR_LITERAL | EXPR_PAREN))) {
        value = base_of(sub) ? based_number(ps, e->name, base_of(sub)) : NULL;
        if (!value)
            parser_fail(ps);
        else
            operand_replace(ps, value);
    } else if ((e->op == EX_SYM || e->op == EX_TEXT) && sub.len <= 64 && e->name.len <= 64) {
        struct str name = str_fmt(ps->arena, STR_FMT "_" STR_FMT, STR_ARG(e->name), STR_ARG(sub));
        if (e->op == EX_TEXT) {
            operand_replace(ps, expr_sym(ps->pool, name));
            return;
        }
        ps->n_operands--;
        top_frame(ps)->have = false;
        parse_symbol(ps, name, true);
    } else if (is_number_set(e) && !str_eqz(sub, "+")) { /* whether R_+ has 0 is open */
        operand_replace(ps, part_of_set(ps, e, sub));
    } else if (e->op == EX_CONST && (e->id == CONST_E || e->id == CONST_I)) {
        operand_replace(ps,
                        expr_sym(ps->pool, str_fmt(ps->arena, "%s_" STR_FMT,
                                                   e->id == CONST_E ? "e" : "i", STR_ARG(sub))));
    } else {
        parser_fail(ps);
    }
}

void postfix_degree(struct parser *ps)
{
    struct expr *e = top_operand(ps);
    const struct latex_token *t = tok(ps, 0);

    if (!e) {
        parser_fail(ps);
        return;
    }
    if (t->kind == TOK_WORD &&
        (str_eqz(t->text, "C") || str_eqz(t->text, "F") || str_eqz(t->text, "K") ||
         str_eq_nocase(t->text, STR("celsius")) || str_eq_nocase(t->text, STR("fahrenheit")))) {
        ps->at++;
        apply_unit(ps, str_fmt(ps->arena, "deg%c", toupper((unsigned char)t->text.ptr[0])));
        return;
    }
    operand_replace(ps, expr_un(ps->pool, EX_DEGREE, 0, e));
}

/* ^o and ^{\text{o}} behind a number: the letter stands for the sign. */
static int script_of_letter_o(struct parser *ps)
{
    bool is_braced = tok(ps, 0)->kind == TOK_LBRACE;
    const struct latex_token *t = tok(ps, is_braced);

    if (t->kind != TOK_WORD || !str_eqz(t->text, "o") ||
        (is_braced && tok(ps, 2)->kind != TOK_RBRACE))
        return 0;
    return is_braced ? 3 : 1;
}

/* ^\circ, ^{\circ}, and \prime likewise: so many tokens after the ^; 0: an exponent. */
static int script_of_class(struct parser *ps, enum latex_class cls)
{
    if (is_cls(tok(ps, 0), cls))
        return 1;
    if (tok(ps, 0)->kind == TOK_LBRACE && is_cls(tok(ps, 1), cls) && tok(ps, 2)->kind == TOK_RBRACE)
        return 3;
    return 0;
}

/* {}^3/_4 and ^3/_4 */
static bool parse_slanted(struct parser *ps)
{
    struct expr *num, *e;
    int i = 0;
    const struct latex_token *up, *down;

    up = tok(ps, i)->kind == TOK_LBRACE ? tok(ps, ++i) : tok(ps, i);
    i += up == tok(ps, 0) ? 1 : 2;
    if (!is_plain_num(up) || tok(ps, i)->kind != TOK_OP || tok(ps, i)->ch != '/' ||
        tok(ps, i + 1)->kind != TOK_OP || tok(ps, i + 1)->ch != '_')
        return false;
    i += 2;
    down = tok(ps, i)->kind == TOK_LBRACE ? tok(ps, i + 1) : tok(ps, i);
    if (!is_plain_num(down))
        return false;
    num = number_of(ps, up);
    e = expr_bin(ps->pool, EX_DIV, 0, num, number_of(ps, down));
    e->flags |= EXPR_FRACTION;
    ps->at += down == tok(ps, i) ? i + 1 : i + 3;
    deliver(ps, e);
    return true;
}

/* {-1} ( after f^ */
static bool is_inverse_call(const struct parser *ps)
{
    return tok(ps, 0)->kind == TOK_LBRACE && tok(ps, 1)->kind == TOK_OP && tok(ps, 1)->ch == '-' &&
           tok(ps, 2)->kind == TOK_NUM && str_eqz(tok(ps, 2)->text, "1") &&
           tok(ps, 3)->kind == TOK_RBRACE && tok(ps, 4)->kind == TOK_OPEN && tok(ps, 4)->ch == '(';
}

static bool is_ordinal(struct str s)
{
    return str_eqz(s, "th") || str_eqz(s, "st") || str_eqz(s, "nd") || str_eqz(s, "rd");
}

void parse_power(struct parser *ps)
{
    struct expr *e = top_operand(ps);
    int n;

    ps->at++;
    if (!e) {
        if (!parse_slanted(ps) && !parse_selection(ps))
            parser_fail(ps);
        return;
    }
    if (ps->reading->letter_selects && parse_scripted_selection(ps, e))
        return;
    if (e->op == EX_SYM && names_function(e->name) && is_inverse_call(ps)) {
        struct str name = str_fmt(ps->arena, STR_FMT "^-1", STR_ARG(e->name));
        ps->n_operands--;
        top_frame(ps)->have = false;
        ps->at += 4;
        parse_symbol(ps, name, true);
        return;
    }
    if ((n = script_of_class(ps, CMD_DEGREE)) > 0 ||
        (e->op == EX_NUM && (n = script_of_letter_o(ps)) > 0)) {
        ps->at += n;
        postfix_degree(ps);
        return;
    }
    if ((n = script_of_class(ps, CMD_PRIME)) > 0) {
        ps->at += n;
        if (e->op == EX_SYM && e->name.len < 64) {
            struct str name = str_fmt(ps->arena, STR_FMT "'", STR_ARG(e->name));
            ps->n_operands--;
            top_frame(ps)->have = false;
            parse_symbol(ps, name, true);
        } else if (e->op == EX_NUM) { /* 30^{\prime} is half a degree */
            operand_replace(ps, expr_un(ps->pool, EX_DEGREE, 1, e));
        }
        return;
    }
    if (tok(ps, 0)->kind == TOK_WORD && is_ordinal(tok(ps, 0)->text)) {
        ps->at++;
        return;
    }
    if (tok(ps, 0)->kind == TOK_LBRACE && tok(ps, 1)->kind == TOK_WORD &&
        is_ordinal(tok(ps, 1)->text) && tok(ps, 2)->kind == TOK_RBRACE) {
        ps->at += 3;
        return;
    }
    if (is_number_set(e)) {
        int end;
        struct str script = script_text(ps, &end);
        ps->at = end;
        operand_replace(ps, part_of_set(ps, e, script));
        return;
    }
    binary(ps, OP_POW, PREC_POW, 0);
}
