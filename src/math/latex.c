/* latex.c - the precedence parser: three stacks and a table of what each token does.
 *
 *      tokens --> frames    one for each open bracket, argument and command
 *                 operands  complete subtrees
 *                 ops       operators whose right side is not complete
 *
 * A sum, product, list or chain is reduced as a whole when something that binds less closely
 * follows, so that it becomes one node with many kids. */
#include "math/latex_parse.h"

/* --- operands --------------------------------------------------------------------------------- */

static bool is_literal_int(const struct expr *e)
{
    return e->op == EX_NUM && (e->flags & EXPR_LITERAL) && !(e->flags & EXPR_PAREN) &&
           e->digits == 0 && fmpz_is_one(fmpq_denref(e->q));
}

/* An integer before a proper fraction of plain positive integers is a mixed number; before any
 * other such fraction it is nothing that a careful writer means. */
static struct expr *make_mixed(struct parser *ps, const struct expr *whole, const struct expr *part)
{
    struct expr *e;

    if (fmpz_cmp(fmpq_numref(part->kid[0]->q), fmpq_numref(part->kid[1]->q)) >= 0 ||
        fmpz_is_zero(fmpq_numref(part->kid[0]->q)))
        return expr_const(ps->pool, CONST_UNDEFINED);
    e = expr_num_si(ps->pool, 0, 1);
    fmpq_set_fmpz_frac(e->q, fmpq_numref(part->kid[0]->q), fmpq_numref(part->kid[1]->q));
    fmpq_add(e->q, e->q, whole->q);
    expr_keep(ps->pool, e->q);
    return e;
}

static bool is_quantity(const struct expr *e)
{
    return e->op == EX_UNIT || e->op == EX_DEGREE;
}

/* What two neighbours without an operator mean. */
static void operand_add(struct parser *ps, struct expr *e)
{
    struct expr *left = top_operand(ps);
    bool after_power = op_top(ps) && op_top(ps)->kind == OP_POW;

    if (!left) {
        operand_put(ps, e);
        return;
    }
    if (is_literal_int(left) && (e->flags & EXPR_FRACTION) && !(e->flags & EXPR_PAREN) &&
        !after_power) {
        operand_replace(ps, make_mixed(ps, left, e));
        return;
    }
    if (left->op == EX_TEXT && e->op == EX_TEXT) {
        operand_replace(ps, expr_text(ps->pool, str_fmt(ps->arena, STR_FMT " " STR_FMT,
                                                        STR_ARG(left->name), STR_ARG(e->name))));
        return;
    }
    if (left->op == EX_TEXT || e->op == EX_TEXT || left->op == EX_LIST || left->op == EX_REL ||
        left->op == EX_SET || e->op == EX_SET ||
        (left->op == EX_NUM && (left->flags & EXPR_LITERAL) && e->op == EX_NUM &&
         (e->flags & EXPR_LITERAL) && !(left->flags & EXPR_PAREN) && !(e->flags & EXPR_PAREN) &&
         !after_power)) {
        parser_fail(ps);
        return;
    }
    if (is_quantity(left) && (is_quantity(e) || e->op == EX_NUM || (e->flags & EXPR_FRACTION))) {
        reduce_above(ps, PREC_ADD);
        op_push(ps, OP_ADD, PREC_ADD, 0);
        operand_put(ps, e);
        return;
    }
    reduce_above(ps, ps->reading->bracket_is_factor && (e->flags & EXPR_PAREN) ? PREC_MUL
                                                                               : PREC_INNER_MUL);
    if (op_top(ps) && (op_top(ps)->kind == OP_FUNC || op_top(ps)->prec == PREC_INNER_MUL)) {
        op_push(ps, OP_MUL, PREC_INNER_MUL, 1);
    } else {
        reduce_above(ps, PREC_MUL);
        op_push(ps, OP_MUL, PREC_MUL, 1);
    }
    operand_put(ps, e);
}

void deliver(struct parser *ps, struct expr *e)
{
    for (;;) {
        struct frame *f = top_frame(ps);

        if (ps->is_bad)
            return;
        if (f->kind == FRAME_ATOM) {
            ps->n_frames--;
            continue;
        }
        if (f->kind != FRAME_COMMAND)
            break;
        f->arg[f->slot] = e;
        int before = ps->n_frames;
        command_next(ps);
        if (ps->n_frames != before || top_frame(ps)->kind != FRAME_COMMAND ||
            top_frame(ps)->slot >= 0)
            return; /* it waits for another argument, or has become a prefix operator */
        f = top_frame(ps);
        e = command_result(ps, f);
        ps->n_frames--;
        if (!e)
            return;
    }
    operand_add(ps, e);
}

/* --- closing ---------------------------------------------------------------------------------- */

/* The one operand of the top frame, all operators applied; NULL when the frame is empty or bad. */
static struct expr *frame_value(struct parser *ps)
{
    struct frame *f = top_frame(ps);

    if (!f->have && op_top(ps) &&
        (op_top(ps)->prec == PREC_COMMA || op_top(ps)->prec == PREC_SEMI)) {
        ps->n_ops--; /* a comma at the end */
        f->have = ps->n_operands > f->operands;
    }
    reduce_above(ps, 0);
    if (ps->is_bad || ps->n_ops != f->ops || ps->n_operands - f->operands > 1) {
        parser_fail(ps);
        return NULL;
    }
    if (ps->n_operands == f->operands)
        return NULL;
    return ps->operands[--ps->n_operands];
}

static bool is_bare_list(const struct expr *e)
{
    return e->op == EX_LIST && !(e->flags & EXPR_PAREN);
}

static struct expr *make_bracket(struct parser *ps, int open, int close, struct expr *e)
{
    struct expr *seq;

    if (e == NULL) {
        if (open == '(') {
            parser_fail(ps);
            return NULL;
        }
        seq = expr_new(ps->pool, EX_SEQ, 0, NULL, 0);
    } else if (is_bare_list(e) && (e->id == CONN_COMMA || e->id == CONN_SEMI)) {
        seq = expr_new(ps->pool, EX_SEQ, 0, e->kid, e->n);
    } else if (open == '(' && close == ')') {
        return e->flags & EXPR_PAREN ? e : expr_flagged(ps->pool, e, EXPR_PAREN);
    } else if (open == '[' && close == ']') {
        return e->op == EX_MATRIX ? e : expr_flagged(ps->pool, e, EXPR_BRACKET);
    } else {
        parser_fail(ps);
        return NULL;
    }
    seq->open = (uint8_t)open;
    seq->close = (uint8_t)close;
    return seq;
}

static struct expr *make_set(struct parser *ps, struct expr *e)
{
    if (e == NULL)
        return expr_const(ps->pool, CONST_EMPTY);
    if (e->op == EX_BUILDER)
        return e;
    if (e->op == EX_CASES || e->op == EX_MATRIX)
        return e;
    if (is_bare_list(e))
        return expr_new(ps->pool, EX_SET, 0, e->kid, e->n);
    return expr_un(ps->pool, EX_SET, 0, e);
}

/* Closes the top frame; close is the character met, 0 at the end of the text. */
static void frame_close(struct parser *ps, int close)
{
    struct frame f = *top_frame(ps);
    struct expr *e = frame_value(ps);

    if (ps->is_bad)
        return;
    ps->n_frames--;
    switch (f.kind) {
    case FRAME_BRACKET:
        if (f.is_residue) {
            struct expr *left;
            reduce_above(ps, PREC_RESIDUE);
            left = top_operand(ps);
            if (!left || !e)
                parser_fail(ps);
            else
                operand_replace(ps, expr_bin(ps->pool, EX_RESIDUE, 0, left, e));
            return;
        }
        e = make_bracket(ps, f.open,
                         close           ? close
                         : f.open == '[' ? ']'
                         : f.open == '<' ? '>'
                                         : ')',
                         e);
        break;
    case FRAME_SET:
        e = make_set(ps, e);
        break;
    case FRAME_BRACE:
        if (e && is_bare_list(e) && e->id == CONN_COMMA) {
            e = make_set(ps, e);
            e->flags |= EXPR_CURLY;
        }
        if (!e)
            return;
        break;
    case FRAME_BAR:
        if (e && e->op == EX_MATRIX)
            e = expr_un(ps->pool, EX_FUNC, FN_DET, e);
        else if (e)
            e = expr_un(ps->pool, EX_FUNC, FN_ABS, e);
        break;
    case FRAME_ROUND:
        if (e)
            e = expr_un(ps->pool, EX_FUNC, f.open == 'c' ? FN_CEIL : FN_FLOOR, e);
        break;
    default:
        break;
    }
    if (!e)
        parser_fail(ps);
    else
        deliver(ps, e);
}

/* Closes frames that the writer left open inside the one that ends here. */
static bool close_down_to(struct parser *ps, enum frame_kind a, enum frame_kind b)
{
    int i = ps->n_frames - 1;

    while (i > 0 && ps->frames[i].kind != a && ps->frames[i].kind != b)
        i--;
    if (i == 0)
        return false;
    while (!ps->is_bad && top_frame(ps)->kind != a && top_frame(ps)->kind != b) {
        int k = top_frame(ps)->kind;
        if (k == FRAME_COMMAND || k == FRAME_ATOM || k == FRAME_BAR || k == FRAME_ENV)
            parser_fail(ps);
        else
            frame_close(ps, 0);
    }
    return !ps->is_bad;
}

static void parse_close(struct parser *ps, char ch)
{
    struct frame *f = top_frame(ps);

    ps->at++;
    if (ch == ']' && !f->have && (f->kind != FRAME_BRACKET || f->open == '(') &&
        f->kind != FRAME_OPTION) {
        frame_push(ps, FRAME_BRACKET)->open = ']'; /* ]a, b[ */
        return;
    }
    if (ch == ']' && f->kind == FRAME_OPTION) {
        frame_close(ps, ']');
        return;
    }
    if (ch == '}') {
        if (close_down_to(ps, FRAME_SET, FRAME_SET))
            frame_close(ps, '}');
        else
            parser_fail(ps);
        return;
    }
    if (ch == '|') {
        if (f->kind == FRAME_BAR)
            frame_close(ps, '|');
        else
            parser_fail(ps);
        return;
    }
    if (ch == 'f' || ch == 'c') {
        if (f->kind == FRAME_ROUND)
            frame_close(ps, ch);
        else
            parser_fail(ps);
        return;
    }
    if (close_down_to(ps, FRAME_BRACKET, FRAME_BRACKET))
        frame_close(ps, ch);
    else
        parser_fail(ps);
}

static void parse_open(struct parser *ps, char ch)
{
    struct frame *f;

    if (ch == '[' && is_open_end(ps)) {
        ps->at++;
        frame_close(ps, '[');
        return;
    }
    if (ch == '|' || ch == 'f' || ch == 'c' || ch == '{') {
        enum frame_kind kind = ch == '|' ? FRAME_BAR : ch == '{' ? FRAME_SET : FRAME_ROUND;
        f = frame_push(ps, kind);
    } else {
        f = frame_push(ps, FRAME_BRACKET);
    }
    f->open = (uint8_t)ch;
    ps->at++;
}

static void parse_rbrace(struct parser *ps)
{
    ps->at++;
    if (close_down_to(ps, FRAME_BRACE, FRAME_ARG))
        frame_close(ps, '}');
}

/* --- bars, separators, environments ----------------------------------------------------------- */

static void parse_bar(struct parser *ps)
{
    struct frame *f = top_frame(ps);

    ps->at++;
    if (f->kind == FRAME_BAR && f->have) {
        frame_close(ps, '|');
    } else if (f->kind == FRAME_SET && f->have && !f->has_bar) {
        reduce_above(ps, PREC_SUCHTHAT);
        op_push(ps, OP_SUCHTHAT, PREC_SUCHTHAT, 0);
        f->has_bar = true;
    } else {
        frame_push(ps, FRAME_BAR)->open = '|';
    }
}

/* Lines of formulas, whose & aligns and parts nothing. */
static bool is_lines(const struct frame *f)
{
    return f->kind == FRAME_ENV &&
           (str_find(f->name, STR("align"), 0) >= 0 || str_find(f->name, STR("gather"), 0) >= 0 ||
            str_find(f->name, STR("equation"), 0) >= 0 || str_find(f->name, STR("split"), 0) >= 0 ||
            str_find(f->name, STR("eqnarray"), 0) >= 0);
}

/* Whether the next line goes on with the chain of this one: x &= 3 + 4 \\ &= 7. */
static bool continues_chain(const struct parser *ps)
{
    int i = 1;

    if (!is_lines(top_frame(ps)) || !top_frame(ps)->have)
        return false;
    while (tok(ps, i)->kind == TOK_OP && tok(ps, i)->ch == '&')
        i++;
    return (tok(ps, i)->kind == TOK_OP && tok(ps, i)->ch == '=') || is_cls(tok(ps, i), CMD_REL);
}

static void add_cell(struct parser *ps, struct expr *e)
{
    if (ps->n_cells == ps->cap_cells)
        ps->cells = parser_grow(ps->arena, ps->cells, ps->n_cells, &ps->cap_cells, sizeof(e));
    ps->cells[ps->n_cells++] = e;
}

static void end_cell(struct parser *ps)
{
    struct frame *f = top_frame(ps);
    struct expr *e = frame_value(ps);

    if (ps->is_bad)
        return;
    f->have = false;
    add_cell(ps, e ? e : expr_new(ps->pool, EX_EMPTY, 0, NULL, 0));
}

static bool is_cases(const struct frame *f)
{
    return str_find(f->name, STR("cases"), 0) >= 0;
}

static void end_row(struct parser *ps)
{
    struct frame *f = top_frame(ps);
    int n;

    end_cell(ps);
    if (ps->is_bad)
        return;
    n = ps->n_cells - f->cells;
    if (f->rows == 0) {
        f->cols = n;
    } else if (n != f->cols * (f->rows + 1)) {
        if (is_cases(f) && n == f->cols * f->rows + 1 && f->cols == 2)
            add_cell(ps, expr_new(ps->pool, EX_EMPTY, 0, NULL, 0)); /* "otherwise" left out */
        else
            parser_fail(ps);
    }
    f->rows++;
}

static void parse_begin(struct parser *ps)
{
    struct str name = tok(ps, 0)->text;
    struct frame *f = frame_push(ps, FRAME_ENV);

    f->name = name;
    f->cells = ps->n_cells;
    ps->at++;
    if (str_starts(name, "array") || str_starts(name, "tabular")) {
        /* the column specification: {c|cc} */
        if (tok(ps, 0)->kind == TOK_LBRACE) {
            while (tok(ps, 0)->kind != TOK_RBRACE && tok(ps, 0)->kind != TOK_END)
                ps->at++;
            ps->at++;
        }
    }
}

static struct expr *environment_value(struct parser *ps, const struct frame *f)
{
    struct expr **cells = ps->cells + f->cells;
    int n = ps->n_cells - f->cells;
    struct expr *e;

    if (n == 0)
        return NULL;
    if (is_cases(f) && f->cols == 2)
        return expr_new(ps->pool, EX_CASES, 0, cells, n);
    if (is_cases(f) && f->cols == 1)
        return n == 1 ? cells[0] : expr_new(ps->pool, EX_LIST, CONN_AND, cells, n);
    if (is_lines(f))
        return n == 1         ? cells[0]
               : f->cols == 1 ? expr_new(ps->pool, EX_LIST, CONN_AND, cells, n)
                              : NULL;
    if (is_cases(f))
        return NULL;
    e = expr_new(ps->pool, EX_MATRIX, 0, cells, n);
    e->rows = f->rows;
    e->cols = f->cols;
    if (str_eqz(f->name, "vmatrix") || str_eqz(f->name, "Vmatrix"))
        return expr_un(ps->pool, EX_FUNC, FN_DET, e);
    return e;
}

static void parse_end_environment(struct parser *ps)
{
    struct frame f;
    struct expr *e;

    ps->at++;
    if (!close_down_to(ps, FRAME_ENV, FRAME_ENV)) {
        if (!ps->is_bad)
            parser_fail(ps);
        return;
    }
    /* a row break before the end makes no row */
    if (top_frame(ps)->have || ps->n_ops > top_frame(ps)->ops ||
        (ps->n_cells - top_frame(ps)->cells) != top_frame(ps)->cols * top_frame(ps)->rows ||
        top_frame(ps)->rows == 0)
        end_row(ps);
    if (ps->is_bad)
        return;
    f = *top_frame(ps);
    e = environment_value(ps, &f);
    ps->n_cells = f.cells;
    ps->n_frames--;
    if (!e)
        parser_fail(ps);
    else
        deliver(ps, e);
}

static void parse_separator(struct parser *ps, enum op_kind kind)
{
    struct frame *f = top_frame(ps);
    int prec = kind == OP_SEMI ? PREC_SEMI : PREC_COMMA;

    ps->at++;
    if (f->have) {
        binary(ps, kind, prec, 0);
        return;
    }
    /* ", and" is one separator; one in front of everything is none */
    struct op *o = op_top(ps);
    if (o && o->prec == PREC_COMMA && kind != OP_SEMI && o->kind == OP_COMMA && kind != OP_COMMA)
        o->kind = (uint8_t)kind;
    else
        parser_fail(ps);
}

static void parse_relation(struct parser *ps, int rel)
{
    ps->at++;
    if (top_frame(ps)->have)
        binary(ps, OP_REL, PREC_REL, rel);
    else if ((rel == REL_EQ || rel == REL_APPROX) && ps->n_frames == 1 && ps->n_operands == 0 &&
             ps->n_ops == 0)
        return; /* "= 42" */
    else
        parser_fail(ps);
}

static void parse_sign(struct parser *ps, char ch)
{
    struct frame *f = top_frame(ps);
    struct op *o = op_top(ps);

    ps->at++;
    if (f->kind == FRAME_ATOM) {
        parser_fail(ps);
    } else if (f->have) {
        binary(ps, ch == '-' ? OP_SUB : OP_ADD, PREC_ADD, 0);
    } else if (ch == '+') {
        if (o && o->prec == PREC_POW) /* \mathbb{R}^+ */
            parser_fail(ps);
    } else {
        op_push(ps, OP_NEG, o && o->kind == OP_POW ? PREC_NEG_POWER : PREC_NEG, 0);
    }
}

static void parse_times(struct parser *ps, enum op_kind kind)
{
    ps->at++;
    /* \sin\pi/6 is the sine of the quotient; \sin x * y is a product */
    struct op *o;
    if (!top_frame(ps)->have) {
        parser_fail(ps);
        return;
    }
    reduce_above(ps, PREC_INNER_MUL);
    o = op_top(ps);
    if (kind == OP_DIV && o && o->kind == OP_PREFIX_UNIT && tok(ps, 0)->kind == TOK_WORD &&
        tok(ps, 0)->text.len > 1) {
        ps->at++; /* $18/day: money may lack its time */
        return;
    }
    if (kind == OP_DIV && o && (o->kind == OP_FUNC || o->prec == PREC_INNER_MUL) &&
        tok(ps, 0)->kind == TOK_NUM && !tok(ps, 0)->blank_before) {
        op_push(ps, OP_DIV, PREC_INNER_MUL, 0);
        return;
    }
    binary(ps, kind, PREC_MUL, 0);
}

static void parse_colon(struct parser *ps)
{
    struct frame *f = top_frame(ps);

    if (f->kind == FRAME_SET && f->have && !f->has_bar) {
        parse_bar(ps);
        return;
    }
    ps->at++;
    if (!binary(ps, OP_COLON, PREC_COLON, 0))
        parser_fail(ps);
}

static void parse_factorial(struct parser *ps)
{
    struct expr *e = top_operand(ps);
    int n = 0;

    while (tok(ps, 0)->kind == TOK_OP && tok(ps, 0)->ch == '!') {
        n++;
        ps->at++;
    }
    if (!e || n > 2) /* 9!!!! has no accepted meaning */
        parser_fail(ps);
    else
        operand_replace(ps, expr_un(ps->pool, EX_FUNC, n == 1 ? FN_FACT : FN_FACT2, e));
}

static void parse_prime(struct parser *ps)
{
    struct expr *e = top_operand(ps), *named;

    ps->at++;
    if (e && e->op == EX_SYM && e->name.len < 64) {
        named = expr_sym(ps->pool, str_fmt(ps->arena, STR_FMT "'", STR_ARG(e->name)));
        ps->n_operands--;
        top_frame(ps)->have = false;
        parse_symbol(ps, named->name, true);
    } else if (e && e->op == EX_NUM && ps->n_operands > 0) {
        bool is_second = tok(ps, 0)->kind == TOK_OP && tok(ps, 0)->ch == '\'';
        if (is_second)
            ps->at++;
        operand_replace(ps, expr_un(ps->pool, EX_DEGREE, is_second ? 2 : 1, e));
    } else if (!e || e->op != EX_TEXT) {
        parser_fail(ps);
    }
}

static void parse_operator(struct parser *ps)
{
    char ch = tok(ps, 0)->ch;

    switch (ch) {
    case '+':
    case '-':
        parse_sign(ps, ch);
        break;
    case '*':
        parse_times(ps, OP_MUL);
        break;
    case '/':
        parse_times(ps, OP_DIV);
        break;
    case '^':
        parse_power(ps);
        break;
    case '_':
        parse_subscript(ps);
        break;
    case '!':
        parse_factorial(ps);
        break;
    case '\'':
        parse_prime(ps);
        break;
    case '=':
        parse_relation(ps, REL_EQ);
        break;
    case '<':
        parse_relation(ps, REL_LT);
        break;
    case '>':
        parse_relation(ps, REL_GT);
        break;
    case ',':
        parse_separator(ps, OP_COMMA);
        break;
    case ';':
        parse_separator(ps, OP_SEMI);
        break;
    case ':':
        parse_colon(ps);
        break;
    case '|':
        parse_bar(ps);
        break;
    case '&':
        ps->at++;
        if (is_lines(top_frame(ps)))
            break;
        if (close_down_to(ps, FRAME_ENV, FRAME_ENV))
            end_cell(ps);
        break;
    default:
        parser_fail(ps);
        break;
    }
}

static void parse_token(struct parser *ps)
{
    const struct latex_token *t = tok(ps, 0);

    switch (t->kind) {
    case TOK_NUM:
        parse_number(ps);
        break;
    case TOK_WORD:
        parse_word(ps);
        break;
    case TOK_CMD:
        if (t->cmd->cls == CMD_REL)
            parse_relation(ps, t->cmd->id);
        else if (t->cmd->cls == CMD_SETMID)
            parse_bar(ps);
        else if (t->cmd->cls == CMD_TIMES)
            parse_times(ps, t->cmd->id == '/' ? OP_DIV : OP_MUL);
        else if (t->cmd->cls == CMD_AND || t->cmd->cls == CMD_OR)
            parse_separator(ps, t->cmd->cls == CMD_AND ? OP_AND : OP_OR);
        else
            parse_command(ps);
        break;
    case TOK_OPEN:
        if (!parse_base_words(ps))
            parse_open(ps, t->ch);
        break;
    case TOK_CLOSE:
        parse_close(ps, t->ch);
        break;
    case TOK_LBRACE: {
        /* the braces of an argument belong to the command, not to an atom inside it */
        bool is_arg = top_frame(ps)->kind == FRAME_ATOM;
        if (is_arg)
            ps->n_frames--;
        frame_push(ps, is_arg ? FRAME_ARG : FRAME_BRACE)->open = '{';
        ps->at++;
        break;
    }
    case TOK_RBRACE:
        parse_rbrace(ps);
        break;
    case TOK_ROW:
        if (continues_chain(ps)) {
            ps->at++;
        } else if (close_down_to(ps, FRAME_ENV, FRAME_ENV)) {
            ps->at++;
            end_row(ps);
        } else if (!ps->is_bad) {
            if (top_frame(ps)->have && tok(ps, 1)->kind != TOK_END)
                parse_separator(ps, OP_SEMI);
            else
                ps->at++;
        }
        break;
    case TOK_BEGIN:
        parse_begin(ps);
        break;
    case TOK_ENDENV:
        parse_end_environment(ps);
        break;
    case TOK_OP:
        parse_operator(ps);
        break;
    default:
        parser_fail(ps);
        break;
    }
}

/* \textbf{(B)} 7 and "(B) 7": the label of an option before its value. */
static bool is_option_label(const struct parser *ps)
{
    const struct latex_token *letter = tok(ps, 1), *next = tok(ps, 3);

    return tok(ps, 0)->kind == TOK_OPEN && tok(ps, 0)->ch == '(' && letter->kind == TOK_WORD &&
           letter->text.len == 1 && letter->text.ptr[0] >= 'A' && letter->text.ptr[0] <= 'E' &&
           tok(ps, 2)->kind == TOK_CLOSE && tok(ps, 2)->ch == ')' &&
           (letter->is_text || next->blank_before) &&
           (next->kind == TOK_NUM || next->kind == TOK_OPEN || is_cls(next, CMD_FRAC) ||
            is_cls(next, CMD_SQRT) || is_cls(next, CMD_MONEY));
}

/* "Answer: 73", "The final answer is 73": what stands before the answer is none of it. */
static void skip_lead(struct parser *ps)
{
    int i = 0;

    if (is_option_label(ps)) {
        ps->at += 3;
        return;
    }

    while (i < 3 && tok(ps, i)->kind == TOK_WORD &&
           (str_eq_nocase(tok(ps, i)->text, STR("the")) ||
            str_eq_nocase(tok(ps, i)->text, STR("final"))))
        i++;
    if (tok(ps, i)->kind != TOK_WORD || !(str_eq_nocase(tok(ps, i)->text, STR("answer")) ||
                                          str_eq_nocase(tok(ps, i)->text, STR("ans"))))
        return;
    i++;
    if ((tok(ps, i)->kind == TOK_OP && (tok(ps, i)->ch == ':' || tok(ps, i)->ch == '=')) ||
        (tok(ps, i)->kind == TOK_WORD && str_eq_nocase(tok(ps, i)->text, STR("is"))))
        ps->at += i + 1;
}

struct expr *latex_parse(struct expr_pool *p, struct str cleaned, const struct latex_reading *r,
                         const char **why)
{
    enum { MAX_STALLED = 64 };
    struct parser ps = {.pool = p, .arena = p->arena, .src = cleaned, .reading = r};
    int n_stalled = 0;
    struct expr *e;

    *why = "empty";
    if (cleaned.len == 0)
        return NULL;
    *why = "limit reached";
    if (cleaned.len > LATEX_MAX_TEXT)
        return NULL;
    latex_tokenize(p->arena, cleaned, r, &ps.toks);
    *why = "does not parse";
    if (ps.toks.is_bad)
        return NULL;
    ps.cap_frames = ps.cap_operands = ps.cap_ops = ps.cap_cells = 8;
    ps.frames = arena_array(p->arena, 8, sizeof(*ps.frames));
    ps.operands = arena_array(p->arena, 8, sizeof(*ps.operands));
    ps.ops = arena_array(p->arena, 8, sizeof(*ps.ops));
    ps.cells = arena_array(p->arena, 8, sizeof(*ps.cells));
    frame_push(&ps, FRAME_ROOT);
    skip_lead(&ps);
    while (!ps.is_bad && !ps.is_limit && !p->is_full && tok(&ps, 0)->kind != TOK_END) {
        int before = ps.at;

        parse_token(&ps);
        n_stalled = ps.at > before ? 0 : n_stalled + 1;
        if (n_stalled > MAX_STALLED) /* no text may hold the parser where it is */
            parser_fail(&ps);
    }
    while (!ps.is_bad && !ps.is_limit && !p->is_full && ps.n_frames > 1) {
        int k = top_frame(&ps)->kind;
        if (k == FRAME_COMMAND || k == FRAME_ATOM || k == FRAME_BAR || k == FRAME_ROUND)
            parser_fail(&ps);
        else if (k == FRAME_ENV)
            parse_end_environment(&ps);
        else
            frame_close(&ps, 0);
    }
    e = ps.is_bad || ps.is_limit ? NULL : frame_value(&ps);
    if (ps.is_limit || p->is_full) {
        *why = "limit reached";
        return NULL;
    }
    return ps.is_bad ? NULL : e;
}
