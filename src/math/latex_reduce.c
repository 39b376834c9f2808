/* latex_reduce.c - the parser's stacks, and what operators make of their operands. */
#include "math/latex_parse.h"

void *parser_grow(struct arena *a, void *old, int n, int *cap, size_t size)
{
    void *more = arena_array(a, (size_t)*cap * 2, size);

    memcpy(more, old, (size_t)n * size);
    *cap *= 2;
    return more;
}

void parser_fail(struct parser *ps)
{
    ps->is_bad = true;
}

struct frame *frame_push(struct parser *ps, enum frame_kind kind)
{
    struct frame *f;

    if (ps->n_frames == ps->cap_frames)
        ps->frames =
            parser_grow(ps->arena, ps->frames, ps->n_frames, &ps->cap_frames, sizeof(*ps->frames));
    if (ps->n_frames >= LATEX_MAX_NESTING)
        ps->is_limit = true;
    f = &ps->frames[ps->n_frames++];
    *f = (struct frame){.kind = (uint8_t)kind,
                        .operands = ps->n_operands,
                        .ops = ps->n_ops,
                        .from = tok(ps, 0)->from};
    return f;
}

void op_push(struct parser *ps, enum op_kind kind, int prec, int id)
{
    if (ps->n_ops == ps->cap_ops)
        ps->ops = parser_grow(ps->arena, ps->ops, ps->n_ops, &ps->cap_ops, sizeof(*ps->ops));
    ps->ops[ps->n_ops++] =
        (struct op){.kind = (uint8_t)kind, .prec = (uint8_t)prec, .id = (uint8_t)id};
    top_frame(ps)->have = false;
}

struct op *op_top(const struct parser *ps)
{
    return ps->n_ops > top_frame(ps)->ops ? &ps->ops[ps->n_ops - 1] : NULL;
}

void operand_put(struct parser *ps, struct expr *e)
{
    if (ps->n_operands == ps->cap_operands)
        ps->operands =
            parser_grow(ps->arena, ps->operands, ps->n_operands, &ps->cap_operands, sizeof(e));
    ps->operands[ps->n_operands++] = e;
    top_frame(ps)->have = true;
}

void operand_replace(struct parser *ps, struct expr *e)
{
    ps->operands[ps->n_operands - 1] = e;
}

/* --- reduction -------------------------------------------------------------------------------- */

/* a / b * c: products above and below; scientific notation becomes a number. */
static struct expr *make_product(struct parser *ps, const struct op *ops, struct expr **args, int n)
{
    struct expr **up = arena_array(ps->arena, (size_t)n, sizeof(*up)), **down = up;
    int n_up = 0, n_down = 0;
    struct expr *num, *den;

    for (int i = 1; i < n; i++)
        n_down += ops[i - 1].kind == OP_DIV;
    down = arena_array(ps->arena, (size_t)n_down + 1, sizeof(*down));
    n_down = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && ops[i - 1].kind == OP_DIV)
            down[n_down++] = args[i];
        else
            up[n_up++] = args[i];
    }
    if (n == 2 && n_up == 2 && ops[0].id == 0 && args[0]->op == EX_NUM && args[1]->op == EX_POW &&
        expr_is_int(args[1]->kid[0], 10) && args[1]->kid[1]->n <= 1) {
        /* 1.5 \times 10^{-3} is a decimal literal as much as 1.5e-3 */
        const struct expr *e = args[1]->kid[1];
        bool is_negative = e->op == EX_NEG;
        if (is_negative)
            e = e->kid[0];
        if (e->op == EX_NUM && fmpz_is_one(fmpq_denref(e->q)) &&
            fmpz_cmp_ui(fmpq_numref(e->q), 4000) <= 0 && fmpz_sgn(fmpq_numref(e->q)) >= 0) {
            fmpz_t ten;
            num = expr_num_q(ps->pool, args[0]->q);
            num->q = expr_rational(ps->pool);
            fmpz_init_set_ui(ten, 10);
            fmpz_pow_ui(ten, ten, fmpz_get_ui(fmpq_numref(e->q)));
            if (is_negative)
                fmpq_div_fmpz(num->q, args[0]->q, ten);
            else
                fmpq_mul_fmpz(num->q, args[0]->q, ten);
            fmpz_clear(ten);
            expr_keep(ps->pool, num->q);
            num->digits = args[0]->digits;
            return num;
        }
    }
    num = n_up == 1 ? up[0] : expr_new(ps->pool, EX_MUL, 0, up, n_up);
    if (n_down == 0)
        return num;
    den = n_down == 1 ? down[0] : expr_new(ps->pool, EX_MUL, 0, down, n_down);
    return expr_bin(ps->pool, EX_DIV, 0, num, den);
}

static bool is_set_of_numbers(const struct expr *e)
{
    return (e->op == EX_SEQ && e->n == 2) || e->op == EX_SET || e->op == EX_SETOP ||
           (e->op == EX_CONST && e->id >= CONST_REALS && e->id <= CONST_COMPLEX);
}

/* Whether a minus sign stands for a set difference: (1, 3) - \{2\}. */
static bool is_set_difference(const struct op *ops, struct expr *const *args, int n)
{
    bool has_braces = false;

    for (int i = 1; i < n; i++) {
        if (ops[i - 1].kind != OP_SUB || !is_set_of_numbers(args[i]))
            return false;
        has_braces |= args[i]->op == EX_SET;
    }
    return has_braces && is_set_of_numbers(args[0]);
}

static struct expr *make_sum(struct parser *ps, const struct op *ops, struct expr **args, int n)
{
    if (is_set_difference(ops, args, n)) {
        struct expr *e = args[0];
        for (int i = 1; i < n; i++)
            e = expr_bin(ps->pool, EX_SETOP, '-', e, args[i]);
        return e;
    }
    for (int i = 1; i < n; i++) {
        if (ops[i - 1].kind == OP_SUB)
            args[i] = expr_un(ps->pool, EX_NEG, 0, args[i]);
        else if (ops[i - 1].kind == OP_PM)
            args[i] = expr_un(ps->pool, EX_PM, ops[i - 1].id, args[i]);
    }
    return expr_new(ps->pool, EX_ADD, 0, args, n);
}

static struct expr *make_chain(struct parser *ps, const struct op *ops, struct expr **args, int n)
{
    struct expr *e = expr_new(ps->pool, EX_REL, 0, args, n);
    uint8_t *rels = arena_alloc(ps->arena, (size_t)n);

    for (int i = 0; i + 1 < n; i++)
        rels[i] = ops[i].id;
    e->rel = rels;
    return e;
}

static struct expr *make_list(struct parser *ps, const struct op *ops, struct expr **args, int n)
{
    int conn = CONN_COMMA;

    for (int i = 0; i + 1 < n; i++) {
        if (ops[i].kind == OP_OR)
            conn = CONN_OR;
        else if (ops[i].kind == OP_AND && conn == CONN_COMMA)
            conn = CONN_AND;
        else if (ops[i].kind == OP_SEMI)
            conn = CONN_SEMI;
    }
    return expr_new(ps->pool, EX_LIST, conn, args, n);
}

static struct expr *make_setop(struct parser *ps, const struct op *ops, struct expr **args, int n)
{
    struct expr *e = args[0];
    bool is_one = true;

    for (int i = 1; i + 1 < n; i++)
        is_one &= ops[i].id == ops[0].id;
    if (is_one && ops[0].id != '-')
        return expr_new(ps->pool, EX_SETOP, ops[0].id, args, n);
    for (int i = 1; i < n; i++)
        e = expr_bin(ps->pool, EX_SETOP, ops[i - 1].id, e, args[i]);
    return e;
}

static struct expr *make_level(struct parser *ps, int prec, const struct op *ops,
                               struct expr **args, int n)
{
    switch (prec) {
    case PREC_ADD:
        return make_sum(ps, ops, args, n);
    case PREC_MUL:
    case PREC_INNER_MUL:
        return make_product(ps, ops, args, n);
    case PREC_REL:
        return make_chain(ps, ops, args, n);
    case PREC_SETOP:
        return make_setop(ps, ops, args, n);
    case PREC_COLON:
        if (n == 2 && args[0]->op == EX_TEXT) /* "Probability: 0.75" */
            return expr_rel(ps->pool, REL_EQ, args[0], args[1]);
        return expr_new(ps->pool, EX_RATIO, 0, args, n);
    default:
        return make_list(ps, ops, args, n);
    }
}

static void reduce_prefix(struct parser *ps, const struct op *o)
{
    struct expr *a = ps->operands[ps->n_operands - 1];
    struct expr *e = a;

    switch (o->kind) {
    case OP_NEG:
        e = expr_un(ps->pool, EX_NEG, 0, a);
        break;
    case OP_SIGN:
        e = expr_un(ps->pool, EX_PM, o->id, a);
        break;
    case OP_PREFIX_UNIT:
        if (a->op == EX_UNIT) /* "$5 dollars", "$2 million" with both marks */
            break;
        e = expr_un(ps->pool, EX_UNIT, 0, a);
        e->name = o->name;
        break;
    case OP_FUNC:
    case OP_BIGOP: {
        /* the node carries flags and arguments besides the first one */
        struct expr *kids[4];
        int n = 0;
        kids[n++] = a;
        for (int i = 0; i < o->node->n && n < 4; i++)
            kids[n++] = o->node->kid[i];
        e = expr_new(ps->pool, (enum expr_op)o->node->op, o->node->id, kids, n);
        e->name = o->node->name;
        if (o->id) { /* \sin^2 x: the exponent stands first among the node's kids */
            struct expr *power = e->kid[1];
            e = expr_new(ps->pool, (enum expr_op)o->node->op, o->node->id, kids, 1);
            if (o->node->n > 1) {
                kids[1] = o->node->kid[1];
                e = expr_new(ps->pool, (enum expr_op)o->node->op, o->node->id, kids, 2);
            }
            e = expr_bin(ps->pool, EX_POW, 0, e, power);
        }
        break;
    }
    default:
        break;
    }
    ps->operands[ps->n_operands - 1] = e;
}

static void reduce_binary(struct parser *ps, const struct op *o)
{
    struct expr *b = ps->operands[--ps->n_operands], *a = ps->operands[ps->n_operands - 1];
    struct expr *e;

    switch (o->kind) {
    case OP_POW:
        e = expr_bin(ps->pool, EX_POW, 0, a, b);
        break;
    case OP_OVER:
        e = expr_bin(ps->pool, EX_DIV, 0, a, b);
        break;
    case OP_CHOOSE:
        e = expr_bin(ps->pool, EX_FUNC, FN_BINOM, a, b);
        break;
    case OP_MOD:
        if (o->prec == PREC_RESIDUE)
            e = expr_bin(ps->pool, EX_RESIDUE, 0, a, b);
        else
            e = expr_bin(ps->pool, EX_FUNC, FN_MOD, a, b);
        break;
    default:
        e = expr_bin(ps->pool, EX_BUILDER, 0, a, b);
        break;
    }
    ps->operands[ps->n_operands - 1] = e;
}

static bool is_level(const struct op *o)
{
    return o->prec == PREC_ADD || o->prec == PREC_MUL || o->prec == PREC_INNER_MUL ||
           o->prec == PREC_REL || o->prec == PREC_SETOP || o->prec == PREC_COLON ||
           o->prec == PREC_COMMA || o->prec == PREC_SEMI;
}

static bool is_prefix(const struct op *o)
{
    return o->kind == OP_NEG || o->kind == OP_SIGN || o->kind == OP_FUNC || o->kind == OP_BIGOP ||
           o->kind == OP_PREFIX_UNIT || o->kind == OP_POS;
}

static void reduce_top(struct parser *ps)
{
    struct frame *f = top_frame(ps);
    struct op o = ps->ops[ps->n_ops - 1];
    int n = 1;

    if (!is_level(&o)) {
        int need = is_prefix(&o) ? 1 : 2;
        ps->n_ops--;
        if (!f->have || ps->n_operands - f->operands < need) {
            parser_fail(ps);
            return;
        }
        if (need == 1)
            reduce_prefix(ps, &o);
        else
            reduce_binary(ps, &o);
        return;
    }
    while (ps->n_ops - n > f->ops && ps->ops[ps->n_ops - 1 - n].prec == o.prec)
        n++;
    ps->n_ops -= n;
    if (!f->have || ps->n_operands - f->operands < n + 1) {
        parser_fail(ps);
        return;
    }
    ps->n_operands -= n;
    ps->operands[ps->n_operands - 1] =
        make_level(ps, o.prec, ps->ops + ps->n_ops, ps->operands + ps->n_operands - 1, n + 1);
}

void reduce_above(struct parser *ps, int prec)
{
    while (!ps->is_bad && op_top(ps) && op_top(ps)->prec > prec)
        reduce_top(ps);
}

bool binary(struct parser *ps, enum op_kind kind, int prec, int id)
{
    if (!top_frame(ps)->have)
        return false;
    reduce_above(ps, prec);
    op_push(ps, kind, prec, id);
    return true;
}

void modulo(struct parser *ps)
{
    bool is_residue = false;

    for (int i = top_frame(ps)->ops; i < ps->n_ops; i++)
        is_residue |= ps->ops[i].kind == OP_REL && ps->ops[i].id == REL_EQUIV;
    binary(ps, OP_MOD, is_residue ? PREC_RESIDUE : PREC_MOD, 0);
}

/* --- reversed brackets ------------------------------------------------------------------------ */

/* What no operand can begin with. */
static bool ends_operand(const struct latex_token *t)
{
    switch (t->kind) {
    case TOK_END:
    case TOK_CLOSE:
    case TOK_RBRACE:
        return true;
    case TOK_OP:
        return strchr("+-|'", t->ch) == NULL;
    case TOK_WORD:
        return str_eqz(t->text, "U") || str_eq_nocase(t->text, STR("and")) ||
               str_eq_nocase(t->text, STR("or"));
    case TOK_CMD:
        return t->cmd->cls == CMD_SETOP || t->cmd->cls == CMD_REL || t->cmd->cls == CMD_AND ||
               t->cmd->cls == CMD_OR;
    default:
        return false;
    }
}

bool is_open_end(const struct parser *ps)
{
    const struct frame *f = top_frame(ps);
    int n = 0;

    if (f->kind != FRAME_BRACKET || !f->have)
        return false;
    for (int i = f->ops; i < ps->n_ops; i++)
        n += ps->ops[i].kind == OP_COMMA || ps->ops[i].kind == OP_SEMI;
    return f->open == ']' || (n == 1 && ends_operand(tok(ps, 1)));
}
