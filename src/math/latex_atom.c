/* latex_atom.c - symbols and calls, commands with their arguments. */
#include "math/latex_parse.h"

#include "math/unit.h"

/* --- symbols and calls ------------------------------------------------------------------------ */

/* Letters that usually name a function, so that f(x) is a call and x(x + 1) a product. */
bool names_function(struct str name)
{
    size_t n = name.len;

    while (n > 1 && name.ptr[n - 1] == '\'')
        n--;
    if (n != name.len)
        return true;
    if (n > 2 && name.ptr[1] == '_')
        n = 1;
    return (n == 1 && strchr("fghFGHPOCW", name.ptr[0])) || str_eqz(name, "\\Theta") ||
           str_eqz(name, "\\Omega") || str_eqz(name, "\\Gamma") || (n > 1 && name.ptr[0] != '\\');
}

/* name ( letters or numbers ) = : a definition, whatever the name. */
static bool is_definition(const struct parser *ps)
{
    int i = 1, n = 0;

    for (; n < 8; n++, i++) {
        const struct latex_token *t = tok(ps, i);
        if (t->kind == TOK_CLOSE)
            break;
        if (!((t->kind == TOK_WORD && t->text.len == 1) || t->kind == TOK_NUM ||
              (t->kind == TOK_OP && t->ch == ',') || is_cls(t, CMD_SYMBOL)))
            return false;
    }
    const struct latex_token *t = tok(ps, i + 1);
    return n > 0 && n < 8 && t->kind == TOK_OP && t->ch == '=' && ps->n_frames == 1;
}

void parse_symbol(struct parser *ps, struct str name, bool may_call)
{
    const struct latex_token *t = tok(ps, 0);

    if (may_call && t->kind == TOK_OPEN && (t->ch == '(' || t->ch == '[') &&
        top_frame(ps)->kind != FRAME_ATOM && !(t->ch == '[' && !names_function(name)) &&
        (names_function(name) || is_definition(ps)) && tok(ps, 1)->kind != TOK_CLOSE) {
        command_open(ps, COMMAND_CALL, 0);
        top_frame(ps)->name = name;
        command_next(ps);
        return;
    }
    deliver(ps, expr_sym(ps->pool, name));
}

/* --- commands with arguments ------------------------------------------------------------------ */

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

/* What the exponent -1 makes of a trigonometric or hyperbolic function; -1: nothing but its
 * reciprocal. */
static int inverse_of(int id)
{
    if (id <= FN_CSC)
        return id - FN_SIN + FN_ASIN;
    return id >= FN_SINH && id <= FN_TANH ? id - FN_SINH + FN_ASINH : -1;
}

/* \sin, \log: scripts first, then an argument in brackets, or a prefix operator over what follows.
 */
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
    bool is_bracketed =
        t->kind == TOK_LBRACE ||
        (t->kind == TOK_OPEN && (t->ch == '(' || t->ch == '[' || t->ch == '|' ||
                                 (t->ch == '{' && f->id >= FN_GCD && f->id <= FN_MIN)));
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
    if (has_power && f->arg[1]->op == EX_NEG && expr_is_int(f->arg[1]->kid[0], 1) &&
        inverse_of(id) >= 0) {
        id = inverse_of(id);
        kids[0] = kids[n - 1];
        n--;
        has_power = false;
    }
    node = expr_new(ps->pool, EX_FUNC, id, kids, n);
    ps->n_frames--;
    if (top_frame(ps)
            ->have) { /* what stands before is a factor, or the argument of a function before it */
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
    return e->op == EX_NUM && e->digits == 0 && (e->flags & EXPR_LITERAL) &&
           fmpz_is_one(fmpq_denref(e->q));
}

/* The gamma function; at a positive whole number a factorial, which is decided exactly. */
static struct expr *gamma_of(struct parser *ps, struct expr *arg)
{
    struct expr *less;
    fmpq_t q;

    if (!is_plain_literal(arg) || fmpz_is_zero(fmpq_numref(arg->q)))
        return expr_un(ps->pool, EX_FUNC, FN_GAMMA, arg);
    fmpq_init(q);
    fmpq_sub_si(q, arg->q, 1);
    less = expr_num_q(ps->pool, q);
    fmpq_clear(q);
    return expr_un(ps->pool, EX_FUNC, FN_FACT, less);
}

/* f(a, b): the arguments of a call stand in one sequence. */
static struct expr *call_result(struct parser *ps, const struct frame *f)
{
    struct expr *arg = f->arg[2], *e;

    if (str_eqz(f->name, "C") && arg->op == EX_SEQ && arg->n == 2)
        return expr_new(ps->pool, EX_FUNC, FN_BINOM, arg->kid, 2);
    if (ps->reading->letter_selects && str_eqz(f->name, "P") && arg->op == EX_SEQ && arg->n == 2)
        return selection(ps, 'P', arg->kid[0], arg->kid[1]);
    if (str_eqz(f->name, "\\Gamma") && arg->op != EX_SEQ)
        return gamma_of(ps, arg);
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
    bool is_inverse = f->arg[1] && f->arg[1]->op == EX_NEG && expr_is_int(f->arg[1]->kid[0], 1) &&
                      inverse_of(f->id) >= 0;
    int id = is_inverse ? inverse_of(f->id) : f->id;

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
           (f->arg[0]->op == EX_TEXT || f->arg[1]->op == EX_TEXT || ps->reading->letter_is_unit) &&
           ps->frames[ps->n_frames - 2].have;
}

struct expr *command_result(struct parser *ps, struct frame *f)
{
    struct expr *e;

    switch (f->command) {
    case COMMAND_FRAC:
        if (is_unit_fraction(ps, f)) {
            struct str unit = str_fmt(ps->arena, STR_FMT "/" STR_FMT, STR_ARG(f->arg[0]->name),
                                      STR_ARG(f->arg[1]->name));
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

/* --- commands --------------------------------------------------------------------------------- */

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
    if (str_eqz(command, "\\overrightarrow"))
        command = STR("\\vec");
    parse_symbol(ps, str_fmt(ps->arena, STR_FMT " " STR_FMT, STR_ARG(command), STR_ARG(inner)),
                 false);
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
    deliver(ps, expr_sym(ps->pool,
                         str_fmt(ps->arena, STR_FMT STR_FMT, STR_ARG(command), STR_ARG(inner))));
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
        /* \varphi is another shape of \phi */
        if (str_starts(t->text, "\\var"))
            parse_symbol(
                ps, str_fmt(ps->arena, "\\" STR_FMT, STR_ARG(str_slice(t->text, 4, t->text.len))),
                true);
        else
            parse_symbol(ps, t->text, true);
        break;
    case CMD_FRAC:
    case CMD_BINOM:
    case CMD_SQRT:
        command_open(ps,
                     cmd->cls == CMD_FRAC    ? COMMAND_FRAC
                     : cmd->cls == CMD_BINOM ? COMMAND_BINOM
                                             : COMMAND_SQRT,
                     0);
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
            modulo(ps);
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
