/* latex_atom.c - atoms: numbers, symbols with their scripts, commands with their arguments. */
#include "math/latex_parse.h"

#include <ctype.h>

#include "math/unit.h"

enum { MAX_EXPONENT = 4000 };

/* --- numbers ----------------------------------------------------------------------------------- */

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

/* The last n_repeat of the decimals repeat: whole part d, then (all - fixed) / (10^k (10^r - 1)). */
static void set_repeating(fmpq *q, struct parser *ps, const char *all, size_t n, size_t n_decimals, size_t n_repeat)
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
            power = expr_bin(ps->pool, EX_POW, 0, expr_num_si(ps->pool, 10, 1), expr_num_si(ps->pool, t->exponent, 1));
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

static bool is_plain_num(const struct latex_token *t)
{
    return t->kind == TOK_NUM && t->is_plain && !t->has_base;
}

void parse_number(struct parser *ps)
{
    struct latex_token *t = tok(ps, 0);
    struct frame *f = top_frame(ps);
    struct expr *left = top_operand(ps), *e;

    if (f->kind == FRAME_ATOM && t->is_plain && t->text.len > 1) {
        const struct frame *command = &ps->frames[ps->n_frames - 2];
        bool one_digit = command->command == COMMAND_FRAC || command->command == COMMAND_BINOM ||
                         (command->command == COMMAND_FUNC && command->slot < 2);
        if (one_digit) {
            deliver(ps, split_digit(ps, t));
            return;
        }
    }
    /* 4 4/9 */
    if (left && left->op == EX_NUM && (left->flags & EXPR_LITERAL) && left->digits == 0 && t->blank_before &&
        is_plain_num(t) && tok(ps, 1)->kind == TOK_OP && tok(ps, 1)->ch == '/' && is_plain_num(tok(ps, 2)) &&
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

/* --- bases ------------------------------------------------------------------------------------- */

static int base_of(struct str spec)
{
    static const char *const names[] = {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
                                        "eleven", "twelve"};
    long v = 0;

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

/* --- scripts ----------------------------------------------------------------------------------- */

/* The tokens of a script, from the one after ^ or _, as text without braces and blanks; *end is the
 * token after it. */
static struct str script_text(struct parser *ps, int *end)
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

/* _{10}C_3 and _{10}P_3, after their first sign. */
static bool parse_selection(struct parser *ps)
{
    struct expr *n, *k, *e;
    int used = script_atom(ps, 0, &n), more;
    const struct latex_token *letter = tok(ps, used), *sign = tok(ps, used + 1);

    if (used == 0 || letter->kind != TOK_WORD || !(str_eqz(letter->text, "C") || str_eqz(letter->text, "P")) ||
        sign->kind != TOK_OP || (sign->ch != '_' && sign->ch != '^'))
        return false;
    more = script_atom(ps, used + 2, &k);
    if (more == 0)
        return false;
    e = expr_bin(ps->pool, EX_FUNC, FN_BINOM, n, k);
    if (letter->text.ptr[0] == 'P')
        e = expr_bin(ps->pool, EX_MUL, 0, e, expr_un(ps->pool, EX_FUNC, FN_FACT, k));
    ps->at += used + 2 + more;
    deliver(ps, e);
    return true;
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
    } else if (e->op == EX_CONST && (e->id == CONST_E || e->id == CONST_I)) {
        operand_replace(ps, expr_sym(ps->pool, str_fmt(ps->arena, "%s_" STR_FMT, e->id == CONST_E ? "e" : "i",
                                                       STR_ARG(sub))));
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
    if (t->kind == TOK_WORD && (str_eqz(t->text, "C") || str_eqz(t->text, "F") || str_eqz(t->text, "K") ||
                                str_eq_nocase(t->text, STR("celsius")) || str_eq_nocase(t->text, STR("fahrenheit")))) {
        ps->at++;
        apply_unit(ps, str_fmt(ps->arena, "deg%c", toupper((unsigned char)t->text.ptr[0])));
        return;
    }
    operand_replace(ps, expr_un(ps->pool, EX_DEGREE, 0, e));
}

static bool is_cls(const struct latex_token *t, enum latex_class cls)
{
    return t->kind == TOK_CMD && t->cmd->cls == cls;
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
    if (!is_plain_num(up) || tok(ps, i)->kind != TOK_OP || tok(ps, i)->ch != '/' || tok(ps, i + 1)->kind != TOK_OP ||
        tok(ps, i + 1)->ch != '_')
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

static bool names_function(struct str name);

/* {-1} ( after f^ */
static bool is_inverse_call(const struct parser *ps)
{
    return tok(ps, 0)->kind == TOK_LBRACE && tok(ps, 1)->kind == TOK_OP && tok(ps, 1)->ch == '-' &&
           tok(ps, 2)->kind == TOK_NUM && str_eqz(tok(ps, 2)->text, "1") && tok(ps, 3)->kind == TOK_RBRACE &&
           tok(ps, 4)->kind == TOK_OPEN && tok(ps, 4)->ch == '(';
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
    if (e->op == EX_SYM && names_function(e->name) && is_inverse_call(ps)) {
        struct str name = str_fmt(ps->arena, STR_FMT "^-1", STR_ARG(e->name));
        ps->n_operands--;
        top_frame(ps)->have = false;
        ps->at += 4;
        parse_symbol(ps, name, true);
        return;
    }
    if ((n = script_of_class(ps, CMD_DEGREE)) > 0) {
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
        }
        return;
    }
    if (tok(ps, 0)->kind == TOK_WORD && is_ordinal(tok(ps, 0)->text)) {
        ps->at++;
        return;
    }
    if (tok(ps, 0)->kind == TOK_LBRACE && tok(ps, 1)->kind == TOK_WORD && is_ordinal(tok(ps, 1)->text) &&
        tok(ps, 2)->kind == TOK_RBRACE) {
        ps->at += 3;
        return;
    }
    if (e->op == EX_CONST && e->id >= CONST_REALS && e->id <= CONST_COMPLEX) {
        /* \mathbb{R}^+ and the like are sets of their own */
        int end;
        struct str script = script_text(ps, &end);
        ps->at = end;
        operand_replace(ps, expr_sym(ps->pool, str_fmt(ps->arena, "set%d^" STR_FMT, e->id, STR_ARG(script))));
        return;
    }
    binary(ps, OP_POW, PREC_POW, 0);
}

/* --- symbols and calls ------------------------------------------------------------------------- */

/* Letters that usually name a function, so that f(x) is a call and x(x + 1) a product. */
static bool names_function(struct str name)
{
    size_t n = name.len;

    while (n > 1 && name.ptr[n - 1] == '\'')
        n--;
    if (n != name.len)
        return true;
    if (n > 2 && name.ptr[1] == '_')
        n = 1;
    return (n == 1 && strchr("fghFGHPOCW", name.ptr[0])) || str_eqz(name, "\\Theta") || str_eqz(name, "\\Omega") ||
           str_eqz(name, "\\Gamma") || (n > 1 && name.ptr[0] != '\\');
}

/* name ( letters or numbers ) = : a definition, whatever the name. */
static bool is_definition(const struct parser *ps)
{
    int i = 1, n = 0;

    for (; n < 8; n++, i++) {
        const struct latex_token *t = tok(ps, i);
        if (t->kind == TOK_CLOSE)
            break;
        if (!((t->kind == TOK_WORD && t->text.len == 1) || t->kind == TOK_NUM || (t->kind == TOK_OP && t->ch == ',') ||
              is_cls(t, CMD_SYMBOL)))
            return false;
    }
    const struct latex_token *t = tok(ps, i + 1);
    return n > 0 && n < 8 && t->kind == TOK_OP && t->ch == '=' && ps->n_frames == 1;
}

void parse_symbol(struct parser *ps, struct str name, bool may_call)
{
    const struct latex_token *t = tok(ps, 0);

    if (may_call && t->kind == TOK_OPEN && (t->ch == '(' || t->ch == '[') && top_frame(ps)->kind != FRAME_ATOM &&
        !(t->ch == '[' && !names_function(name)) && (names_function(name) || is_definition(ps)) &&
        tok(ps, 1)->kind != TOK_CLOSE) {
        command_open(ps, COMMAND_CALL, 0);
        top_frame(ps)->name = name;
        command_next(ps);
        return;
    }
    deliver(ps, expr_sym(ps->pool, name));
}

/* --- commands with arguments ------------------------------------------------------------------- */

void command_open(struct parser *ps, enum command_kind kind, int id)
{
    struct frame *f = frame_push(ps, FRAME_COMMAND);

    f->command = (uint8_t)kind;
    f->id = (uint8_t)id;
    f->slot = -1;
}

static void wait_for(struct parser *ps, int slot, enum frame_kind kind)
{
    top_frame(ps)->slot = slot;
    frame_push(ps, kind)->open = kind == FRAME_OPTION ? '[' : 0;
}

/* \sin, \log: scripts first, then an argument in brackets, or a prefix operator over what follows. */
static void function_next(struct parser *ps)
{
    struct frame *f = top_frame(ps);
    const struct latex_token *t = tok(ps, 0);
    struct expr *node, *kids[2];
    int n = 0, id = f->id;

    if (f->slot == 2) {
        f->slot = -1;
        return;
    }
    if (t->kind == TOK_OP && t->ch == '^' && !f->arg[1]) {
        ps->at++;
        if (tok(ps, 0)->kind == TOK_OP && tok(ps, 0)->ch == '-' && is_plain_num(tok(ps, 1))) {
            ps->at++; /* \sin^-1 */
            f->arg[1] = expr_un(ps->pool, EX_NEG, 0, number_of(ps, tok(ps, 0)));
            ps->at++;
            function_next(ps);
            return;
        }
        wait_for(ps, 1, FRAME_ATOM);
        return;
    }
    if (t->kind == TOK_OP && t->ch == '_' && !f->arg[0]) {
        ps->at++;
        wait_for(ps, 0, FRAME_ATOM);
        return;
    }
    bool is_bracketed = t->kind == TOK_LBRACE ||
                        (t->kind == TOK_OPEN && (t->ch == '(' || t->ch == '[' || t->ch == '|'));
    if (is_bracketed || f->id == FN_DET || (t->kind == TOK_OP && t->ch == '|')) {
        wait_for(ps, 2, FRAME_ATOM);
        return;
    }
    if (f->arg[1])
        kids[n++] = f->arg[1];
    if (f->arg[0])
        kids[n++] = f->arg[0];
    bool has_power = f->arg[1] != NULL;
    /* \sin^{-1} is the inverse function, not the reciprocal */
    if (has_power && f->arg[1]->op == EX_NEG && expr_is_int(f->arg[1]->kid[0], 1) && id <= FN_CSC) {
        id = id - FN_SIN + FN_ASIN;
        kids[0] = kids[n - 1];
        n--;
        has_power = false;
    }
    node = expr_new(ps->pool, EX_FUNC, id, kids, n);
    ps->n_frames--;
    if (top_frame(ps)->have) { /* what stands before is a factor, or the argument of a function before it */
        reduce_above(ps, PREC_MUL);
        op_push(ps, OP_MUL, PREC_MUL, 1);
    }
    op_push(ps, OP_FUNC, PREC_FUNC, has_power);
    ps->ops[ps->n_ops - 1].node = node;
}

static void bigop_next(struct parser *ps)
{
    struct frame *f = top_frame(ps);
    const struct latex_token *t = tok(ps, 0);
    struct expr *node, *kids[2];
    int n = 0;

    if (t->kind == TOK_OP && (t->ch == '^' || t->ch == '_') && !f->arg[t->ch == '^']) {
        ps->at++;
        wait_for(ps, t->ch == '^', FRAME_ATOM);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (f->arg[i])
            kids[n++] = f->arg[i];
    node = expr_new(ps->pool, EX_BIGOP, 0, kids, n);
    node->name = f->name;
    ps->n_frames--;
    if (top_frame(ps)->have) {
        reduce_above(ps, PREC_MUL);
        op_push(ps, OP_MUL, PREC_MUL, 1);
    }
    op_push(ps, OP_BIGOP, PREC_BIGOP, 0);
    ps->ops[ps->n_ops - 1].node = node;
}

void command_next(struct parser *ps)
{
    struct frame *f = top_frame(ps);

    switch (f->command) {
    case COMMAND_FRAC:
    case COMMAND_BINOM:
        if (f->slot < 1)
            wait_for(ps, f->slot + 1, FRAME_ATOM);
        else
            f->slot = -1;
        break;
    case COMMAND_SQRT:
        if (f->slot == 1) {
            f->slot = -1;
        } else if (f->slot < 0 && tok(ps, 0)->kind == TOK_OPEN && tok(ps, 0)->ch == '[') {
            ps->at++;
            wait_for(ps, 0, FRAME_OPTION);
        } else {
            wait_for(ps, 1, FRAME_ATOM);
        }
        break;
    case COMMAND_FUNC:
        function_next(ps);
        break;
    case COMMAND_BIGOP:
        bigop_next(ps);
        break;
    case COMMAND_PMOD:
        if (f->slot == 0)
            f->slot = -1;
        else
            wait_for(ps, 0, FRAME_ATOM);
        break;
    default:
        if (f->slot == 2)
            f->slot = -1;
        else
            wait_for(ps, 2, FRAME_ATOM);
        break;
    }
}

static bool is_plain_literal(const struct expr *e)
{
    return e->op == EX_NUM && e->digits == 0 && (e->flags & EXPR_LITERAL) && fmpz_is_one(fmpq_denref(e->q));
}

/* f(a, b): the arguments of a call stand in one sequence. */
static struct expr *call_result(struct parser *ps, const struct frame *f)
{
    struct expr *arg = f->arg[2], *e;

    if (str_eqz(f->name, "C") && arg->op == EX_SEQ && arg->n == 2)
        return expr_new(ps->pool, EX_FUNC, FN_BINOM, arg->kid, 2);
    if (str_eqz(f->name, "\\Gamma") && arg->op != EX_SEQ)
        return expr_un(ps->pool, EX_FUNC, FN_GAMMA, arg);
    if (arg->op == EX_SEQ)
        e = expr_new(ps->pool, EX_CALL, 0, arg->kid, arg->n);
    else
        e = expr_un(ps->pool, EX_CALL, 0, arg);
    e->name = f->name;
    return e;
}

static struct expr *function_result(struct parser *ps, const struct frame *f)
{
    struct expr *arg = f->arg[2], *e, *kids[2];
    bool is_inverse = f->arg[1] && f->arg[1]->op == EX_NEG && expr_is_int(f->arg[1]->kid[0], 1) && f->id <= FN_CSC;
    int id = is_inverse ? f->id - FN_SIN + FN_ASIN : f->id;

    if (arg->op == EX_SEQ || arg->op == EX_SET || (arg->op == EX_LIST && arg->id == CONN_COMMA)) {
        e = expr_new(ps->pool, EX_FUNC, id, arg->kid, arg->n);
    } else if (f->arg[0]) {
        kids[0] = arg;
        kids[1] = f->arg[0];
        e = expr_new(ps->pool, EX_FUNC, id, kids, 2);
    } else {
        e = expr_un(ps->pool, EX_FUNC, id, arg);
    }
    if (f->arg[1] && !is_inverse)
        e = expr_bin(ps->pool, EX_POW, 0, e, f->arg[1]);
    return e;
}

static bool is_unit_name(const struct expr *e)
{
    return e->op == EX_TEXT || (e->op == EX_SYM && unit_is_known(e->name));
}

/* The unit of \frac{\text{km}}{\text{h}} behind a number. */
static bool is_unit_fraction(struct parser *ps, const struct frame *f)
{
    return is_unit_name(f->arg[0]) && is_unit_name(f->arg[1]) && ps->n_frames > 1 &&
           (f->arg[0]->op == EX_TEXT || f->arg[1]->op == EX_TEXT) &&
           ps->frames[ps->n_frames - 2].have;
}

struct expr *command_result(struct parser *ps, struct frame *f)
{
    struct expr *e;

    switch (f->command) {
    case COMMAND_FRAC:
        if (is_unit_fraction(ps, f)) {
            struct str unit = str_fmt(ps->arena, STR_FMT "/" STR_FMT, STR_ARG(f->arg[0]->name), STR_ARG(f->arg[1]->name));
            ps->n_frames--;
            apply_unit(ps, unit);
            ps->n_frames++; /* deliver takes the command's frame away */
            return NULL;
        }
        e = expr_bin(ps->pool, EX_DIV, 0, f->arg[0], f->arg[1]);
        if (is_plain_literal(f->arg[0]) && is_plain_literal(f->arg[1]))
            e->flags |= EXPR_FRACTION;
        return e;
    case COMMAND_BINOM:
        return expr_bin(ps->pool, EX_FUNC, FN_BINOM, f->arg[0], f->arg[1]);
    case COMMAND_SQRT:
        if (f->arg[0] && !expr_is_int(f->arg[0], 2))
            return expr_bin(ps->pool, EX_FUNC, FN_ROOT, f->arg[1], f->arg[0]);
        return expr_un(ps->pool, EX_FUNC, FN_SQRT, f->arg[1]);
    case COMMAND_FUNC:
        return function_result(ps, f);
    case COMMAND_PMOD:
        ps->n_frames--;
        reduce_above(ps, PREC_RESIDUE);
        e = top_operand(ps);
        if (!e)
            parser_fail(ps);
        else
            operand_replace(ps, expr_bin(ps->pool, EX_RESIDUE, 0, e, f->arg[0]));
        ps->n_frames++;
        return NULL;
    default:
        return call_result(ps, f);
    }
}

void start_function(struct parser *ps, int id)
{
    command_open(ps, COMMAND_FUNC, id);
    command_next(ps);
}

/* --- commands ---------------------------------------------------------------------------------- */

static void parse_blackboard(struct parser *ps)
{
    static const char letters[] = "RZQNC";
    const struct latex_token *t = tok(ps, 0);
    bool is_braced = t->kind == TOK_LBRACE;
    const char *at;

    if (is_braced)
        t = tok(ps, 1);
    if (t->kind != TOK_WORD || t->text.len != 1 || (is_braced && tok(ps, 2)->kind != TOK_RBRACE)) {
        parser_fail(ps);
        return;
    }
    ps->at += is_braced ? 3 : 1;
    at = strchr(letters, t->text.ptr[0]);
    if (at)
        deliver(ps, expr_const(ps->pool, (enum expr_const)(CONST_REALS + (at - letters))));
    else
        parse_symbol(ps, t->text, true);
}

/* \overline{AB}, \vec v: a name of its own. */
static void parse_accent(struct parser *ps, struct str command)
{
    int end;
    struct str inner = script_text(ps, &end);

    if (inner.len == 0 || inner.len > 32) {
        parser_fail(ps);
        return;
    }
    ps->at = end;
    parse_symbol(ps, str_fmt(ps->arena, STR_FMT " " STR_FMT, STR_ARG(command), STR_ARG(inner)), false);
}

/* \angle ABC, \triangle: a name; alone too. */
static void parse_name(struct parser *ps, struct str command)
{
    const struct latex_token *t = tok(ps, 0);
    struct str inner = {"", 0};

    if (t->kind == TOK_WORD && t->text.len <= 4 && !t->is_text) {
        inner = t->text;
        ps->at++;
    } else if (is_cls(t, CMD_SYMBOL)) {
        inner = t->text;
        ps->at++;
    } else if (t->kind == TOK_LBRACE) {
        int end;
        inner = script_text(ps, &end);
        ps->at = end;
    }
    /* m\angle ABC */
    struct expr *left = top_operand(ps);
    if (left && left->op == EX_SYM && str_eqz(left->name, "m")) {
        ps->n_operands--;
        top_frame(ps)->have = false;
    }
    deliver(ps, expr_sym(ps->pool, str_fmt(ps->arena, STR_FMT STR_FMT, STR_ARG(command), STR_ARG(inner))));
}

static void parse_percent(struct parser *ps)
{
    struct expr *e;

    if (op_top(ps) && op_top(ps)->kind == OP_DIV)
        reduce_above(ps, PREC_MOD);
    e = top_operand(ps);
    if (!e || e->op == EX_PERCENT)
        return; /* "28 \text{ \%} percent" says it twice */
    operand_replace(ps, expr_un(ps->pool, EX_PERCENT, 0, e));
}

static void parse_money(struct parser *ps, int id)
{
    static const char *const names[] = {"dollar", "cent", "euro", "pound sterling", "rupee", "yen"};
    struct str unit = STR(names[id]);

    if (top_frame(ps)->have) {
        apply_unit(ps, unit);
    } else {
        op_push(ps, OP_PREFIX_UNIT, PREC_NEG, 0);
        ps->ops[ps->n_ops - 1].name = unit;
    }
}

static void parse_not(struct parser *ps)
{
    struct latex_token *t = tok(ps, 0);

    if (top_frame(ps)->have && ((t->kind == TOK_OP && t->ch == '=') || is_cls(t, CMD_REL))) {
        bool is_equal = t->kind == TOK_OP || t->cmd->id == REL_EQ;
        ps->at++;
        binary(ps, OP_REL, PREC_REL, is_equal ? REL_NE : REL_OTHER);
    } else {
        parser_fail(ps);
    }
}

void parse_command(struct parser *ps)
{
    const struct latex_token *t = tok(ps, 0);
    const struct latex_command *cmd = t->cmd;

    ps->at++;
    switch (cmd->cls) {
    case CMD_FUNC:
        start_function(ps, cmd->id);
        break;
    case CMD_CONST:
        deliver(ps, expr_const(ps->pool, (enum expr_const)cmd->id));
        break;
    case CMD_SYMBOL:
        parse_symbol(ps, t->text, true);
        break;
    case CMD_FRAC:
    case CMD_BINOM:
    case CMD_SQRT:
        command_open(ps, cmd->cls == CMD_FRAC ? COMMAND_FRAC : cmd->cls == CMD_BINOM ? COMMAND_BINOM : COMMAND_SQRT, 0);
        command_next(ps);
        break;
    case CMD_PLUSMINUS:
        if (top_frame(ps)->have)
            binary(ps, OP_PM, PREC_ADD, cmd->id);
        else
            op_push(ps, OP_SIGN, PREC_NEG, cmd->id);
        break;
    case CMD_SETOP:
        if (!binary(ps, OP_SETOP, PREC_SETOP, cmd->id))
            parser_fail(ps);
        break;
    case CMD_OVER:
    case CMD_CHOOSE:
        reduce_above(ps, PREC_OVER);
        if (!binary(ps, cmd->cls == CMD_OVER ? OP_OVER : OP_CHOOSE, PREC_OVER, 0))
            parser_fail(ps);
        break;
    case CMD_BMOD:
        if (top_frame(ps)->have)
            binary(ps, OP_MOD, PREC_MOD, 0);
        else if (top_frame(ps)->kind == FRAME_BRACKET)
            top_frame(ps)->is_residue = true;
        else
            parser_fail(ps);
        break;
    case CMD_PMOD:
        command_open(ps, COMMAND_PMOD, 0);
        command_next(ps);
        break;
    case CMD_BIGOP:
        command_open(ps, COMMAND_BIGOP, 0);
        top_frame(ps)->name = str_slice(t->text, 1, t->text.len);
        command_next(ps);
        break;
    case CMD_DEGREE:
        postfix_degree(ps);
        break;
    case CMD_PERCENT:
        parse_percent(ps);
        break;
    case CMD_MONEY:
        parse_money(ps, cmd->id);
        break;
    case CMD_BLACKBOARD:
        parse_blackboard(ps);
        break;
    case CMD_ACCENT:
        parse_accent(ps, t->text);
        break;
    case CMD_NAME:
        parse_name(ps, t->text);
        break;
    case CMD_DOTS:
        deliver(ps, expr_const(ps->pool, CONST_DOTS));
        break;
    case CMD_NOT:
        parse_not(ps);
        break;
    default:
        parser_fail(ps);
        break;
    }
}
