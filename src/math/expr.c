/* expr.c - making and printing trees. */
#include "math/expr.h"

static const char *const func_names[FN_N] = {"sin",
                                             "cos",
                                             "tan",
                                             "cot",
                                             "sec",
                                             "csc",
                                             "arcsin",
                                             "arccos",
                                             "arctan",
                                             "arccot",
                                             "arcsec",
                                             "arccsc",
                                             "sinh",
                                             "cosh",
                                             "tanh",
                                             "coth",
                                             "sech",
                                             "csch",
                                             "arsinh",
                                             "arcosh",
                                             "artanh",
                                             "exp",
                                             "ln",
                                             "log",
                                             "sqrt",
                                             "root",
                                             "abs",
                                             "floor",
                                             "ceil",
                                             "factorial",
                                             "doublefactorial",
                                             "binomial",
                                             "gcd",
                                             "lcm",
                                             "max",
                                             "min",
                                             "mod",
                                             "cis",
                                             "re",
                                             "im",
                                             "arg",
                                             "conj",
                                             "sign",
                                             "gamma",
                                             "det"};
static const char *const const_names[] = {"pi",       "e",       "i",         "infinity",
                                          "emptyset", "Reals",   "Integers",  "Rationals",
                                          "Naturals", "Complex", "undefined", "..."};
static const char *const rel_names[] = {"=", "!=", "<", "<=", ">", ">=", "~", "in", "==", "~~"};

const char *expr_func_name(enum expr_func id)
{
    return func_names[id];
}

struct expr *expr_new(struct expr_pool *p, enum expr_op op, int id, struct expr *const *kids, int n)
{
    struct expr *e = arena_new(p->arena, struct expr);

    e->op = (uint8_t)op;
    e->id = (uint8_t)id;
    e->n = n;
    e->depth = 1;
    if (n > 0) {
        e->kid = arena_array(p->arena, (size_t)n, sizeof(*e->kid));
        for (int i = 0; i < n; i++) {
            e->kid[i] = kids[i];
            e->depth = MAX(e->depth, kids[i]->depth + 1);
        }
    }
    if (++p->n_nodes > EXPR_MAX_NODES || e->depth > EXPR_MAX_DEPTH) {
        p->is_full = true;
        e->n = 0;
        e->op = EX_CONST;
        e->id = CONST_UNDEFINED;
        e->depth = 1;
    }
    return e;
}

static void clear_rational(void *q)
{
    fmpq_clear(q);
}

fmpq *expr_rational(struct expr_pool *p)
{
    fmpq *q = arena_new(p->arena, fmpq);

    fmpq_init(q);
    return q;
}

void expr_keep(struct expr_pool *p, fmpq *q)
{
    if (COEFF_IS_MPZ(*fmpq_numref(q)) || COEFF_IS_MPZ(*fmpq_denref(q)))
        arena_on_clear(p->arena, clear_rational, q);
}

struct expr *expr_num_q(struct expr_pool *p, const fmpq_t q)
{
    struct expr *e = expr_new(p, EX_NUM, 0, NULL, 0);

    e->q = expr_rational(p);
    fmpq_set(e->q, q);
    expr_keep(p, e->q);
    return e;
}

struct expr *expr_num_si(struct expr_pool *p, long num, unsigned long den)
{
    struct expr *e = expr_new(p, EX_NUM, 0, NULL, 0);

    e->q = expr_rational(p);
    fmpq_set_si(e->q, num, den);
    return e;
}

struct expr *expr_sym(struct expr_pool *p, struct str name)
{
    struct expr *e = expr_new(p, EX_SYM, 0, NULL, 0);

    e->name = name;
    return e;
}

struct expr *expr_const(struct expr_pool *p, enum expr_const id)
{
    return expr_new(p, EX_CONST, id, NULL, 0);
}

struct expr *expr_text(struct expr_pool *p, struct str words)
{
    struct expr *e = expr_new(p, EX_TEXT, 0, NULL, 0);

    e->name = words;
    return e;
}

struct expr *expr_un(struct expr_pool *p, enum expr_op op, int id, struct expr *a)
{
    return expr_new(p, op, id, &a, 1);
}

struct expr *expr_bin(struct expr_pool *p, enum expr_op op, int id, struct expr *a, struct expr *b)
{
    struct expr *kids[2] = {a, b};

    return expr_new(p, op, id, kids, 2);
}

struct expr *expr_rel(struct expr_pool *p, enum expr_rel rel, struct expr *a, struct expr *b)
{
    struct expr *e = expr_bin(p, EX_REL, 0, a, b);
    uint8_t *rels = arena_alloc(p->arena, 1);

    rels[0] = (uint8_t)rel;
    e->rel = rels;
    return e;
}

struct expr *expr_with_kids(struct expr_pool *p, const struct expr *like, struct expr *const *kids)
{
    struct expr *e = expr_new(p, (enum expr_op)like->op, like->id, kids, like->n);

    if (e->op != like->op)
        return e;
    e->flags = like->flags;
    e->open = like->open;
    e->close = like->close;
    e->rows = like->rows;
    e->cols = like->cols;
    e->rel = like->rel;
    e->name = like->name;
    e->q = like->q;
    e->digits = like->digits;
    return e;
}

struct expr *expr_flagged(struct expr_pool *p, const struct expr *e, unsigned flags)
{
    struct expr *copy = expr_with_kids(p, e, e->kid);

    copy->flags |= (uint8_t)flags;
    return copy;
}

bool expr_is_const(const struct expr *e, enum expr_const id)
{
    return e->op == EX_CONST && e->id == id;
}

bool expr_is_func(const struct expr *e, enum expr_func id)
{
    return e->op == EX_FUNC && e->id == id;
}

bool expr_is_int(const struct expr *e, long value)
{
    return e->op == EX_NUM && fmpz_is_one(fmpq_denref(e->q)) &&
           fmpz_equal_si(fmpq_numref(e->q), value);
}

bool expr_has_op(const struct expr *e, enum expr_op op)
{
    if (e->op == op)
        return true;
    for (int i = 0; i < e->n; i++)
        if (expr_has_op(e->kid[i], op))
            return true;
    return false;
}

bool expr_has_const(const struct expr *e, enum expr_const id)
{
    if (expr_is_const(e, id))
        return true;
    for (int i = 0; i < e->n; i++)
        if (expr_has_const(e->kid[i], id))
            return true;
    return false;
}

bool expr_has_symbols(const struct expr *e)
{
    if (e->op == EX_SYM || e->op == EX_CALL || e->op == EX_BIGOP)
        return true;
    for (int i = 0; i < e->n; i++)
        if (expr_has_symbols(e->kid[i]))
            return true;
    return false;
}

bool expr_is_arith(const struct expr *e)
{
    switch (e->op) {
    case EX_NUM:
    case EX_SYM:
        return true;
    case EX_CONST:
        return e->id == CONST_PI || e->id == CONST_E || e->id == CONST_I || e->id == CONST_INF ||
               e->id == CONST_UNDEFINED;
    case EX_ADD:
    case EX_MUL:
    case EX_NEG:
    case EX_DIV:
    case EX_POW:
    case EX_PM:
    case EX_FUNC:
    case EX_CALL:
    case EX_BIGOP:
    case EX_PERCENT:
    case EX_DEGREE:
    case EX_UNIT:
        break;
    default:
        return false;
    }
    if (e->op == EX_BIGOP || e->op == EX_CALL)
        return true;
    if (expr_is_func(e, FN_DET))
        return true;
    for (int i = 0; i < e->n; i++)
        if (!expr_is_arith(e->kid[i]))
            return false;
    return true;
}

/* --- printing --------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Kids, each in its own text, sorted when order has no meaning; joined by sep. */
static void write_kids(struct buf *out, const struct expr *e, const char *sep, bool is_sorted)
{
    struct buf text = {0};
    size_t *ends = xcalloc((size_t)e->n + 1, sizeof(*ends));
    struct str *parts = xcalloc((size_t)e->n + 1, sizeof(*parts));

    buf_init(&text, 8u << 20);
    for (int i = 0; i < e->n; i++) {
        expr_write(&text, e->kid[i]);
        ends[i] = text.len;
    }
    for (int i = 0; i < e->n; i++) {
        size_t from = i > 0 ? ends[i - 1] : 0;
        parts[i] = (struct str){buf_z(&text) + from, ends[i] - from};
    }
    if (is_sorted)
        qsort(parts, (size_t)e->n, sizeof(*parts), by_text);
    for (int i = 0; i < e->n; i++) {
        if (i > 0)
            buf_addz(out, sep);
        buf_add_str(out, parts[i]);
    }
    free(parts);
    free(ends);
    buf_clear(&text);
}

static void write_fmpz(struct buf *out, const fmpz_t z)
{
    if (fmpz_bits(z) > 4096) {
        buf_addf(out, "[%ld-bit integer %s%lx.%lx]", (long)fmpz_bits(z), fmpz_sgn(z) < 0 ? "-" : "",
                 fmpz_fdiv_ui(z, 0xFFFFFFFFFFFFFFC5ul), fmpz_fdiv_ui(z, 0x3FFFFFFFFFFFFFC7ul));
        return;
    }
    char *digits = fmpz_get_str(NULL, 10, z);
    buf_addz(out, digits);
    flint_free(digits);
}

static void write_wrapped(struct buf *out, const struct expr *e, const char *open, const char *sep,
                          const char *close, bool is_sorted)
{
    buf_addz(out, open);
    write_kids(out, e, sep, is_sorted);
    buf_addz(out, close);
}

static void write_rel(struct buf *out, const struct expr *e)
{
    buf_addc(out, '(');
    for (int i = 0; i < e->n; i++) {
        expr_write(out, e->kid[i]);
        if (i + 1 < e->n)
            buf_addf(out, " %s ", rel_names[e->rel[i]]);
    }
    buf_addc(out, ')');
}

static bool has_operator(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (strchr("+-*/^(),<> ", name.ptr[i]))
            return true;
    return false;
}

/* Conditions are joined by and or by or; values are a list either way. */
static bool joins_conditions(const struct expr *e)
{
    for (int i = 0; i < e->n; i++)
        if (e->kid[i]->op == EX_REL)
            return true;
    return false;
}

static void write_leaf(struct buf *out, const struct expr *e)
{
    switch (e->op) {
    case EX_NUM:
        write_fmpz(out, fmpq_numref(e->q));
        if (!fmpz_is_one(fmpq_denref(e->q))) {
            buf_addc(out, '/');
            write_fmpz(out, fmpq_denref(e->q));
        }
        break;
    case EX_CONST:
        buf_addz(out, const_names[e->id]);
        break;
    case EX_TEXT:
        buf_addc(out, '"');
        buf_add_str(out, e->name);
        buf_addc(out, '"');
        break;
    case EX_EMPTY:
        buf_addz(out, "<>");
        break;
    default:
        /* a name that holds operators must not look like them */
        if (has_operator(e->name)) {
            buf_addc(out, '<');
            buf_add_str(out, e->name);
            buf_addc(out, '>');
        } else {
            buf_add_str(out, e->name);
        }
        break;
    }
}

void expr_write(struct buf *out, const struct expr *e)
{
    switch (e->op) {
    case EX_ADD:
        write_wrapped(out, e, "(", " + ", ")", true);
        break;
    case EX_MUL:
        write_wrapped(out, e, "(", "*", ")", true);
        break;
    case EX_NEG:
        write_wrapped(out, e, "-(", "", ")", false);
        break;
    case EX_DIV:
        write_wrapped(out, e, "(", " / ", ")", false);
        break;
    case EX_POW:
        write_wrapped(out, e, "(", " ^ ", ")", false);
        break;
    case EX_PM:
        write_wrapped(out, e, e->id ? "mp(" : "pm(", ", ", ")", false);
        break;
    case EX_FUNC:
        buf_addz(out, func_names[e->id]);
        write_wrapped(out, e, "(", ", ", ")", e->id >= FN_GCD && e->id <= FN_MIN);
        break;
    case EX_CALL:
    case EX_BIGOP:
        buf_add_str(out, e->name);
        write_wrapped(out, e, "(", ", ", ")", false);
        break;
    case EX_UNIT:
        write_wrapped(out, e, "(", "", " ", false);
        buf_add_str(out, e->name);
        buf_addc(out, ')');
        break;
    case EX_PERCENT:
        write_wrapped(out, e, "(", "", " percent)", false);
        break;
    case EX_DEGREE:
        write_wrapped(out, e, "(", "",
                      e->id == 0   ? " deg)"
                      : e->id == 1 ? " arcmin)"
                                   : " arcsec)",
                      false);
        break;
    case EX_LIST:
        write_wrapped(out, e, e->id == CONN_OR && joins_conditions(e) ? "any{" : "list{", ", ", "}",
                      true);
        break;
    case EX_SET:
        write_wrapped(out, e, "{", ", ", "}", true);
        break;
    case EX_BUILDER:
        write_wrapped(out, e, "{", " : ", "}", false);
        break;
    case EX_SEQ:
        buf_addc(out, (char)e->open);
        write_kids(out, e, ", ", false);
        buf_addc(out, (char)e->close);
        break;
    case EX_SETOP:
        write_wrapped(out, e, "(",
                      e->id == 'u'   ? " union "
                      : e->id == 'n' ? " cap "
                                     : " minus ",
                      ")", e->id != '-');
        break;
    case EX_MATRIX:
        buf_addf(out, "matrix %dx%d", e->rows, e->cols);
        write_wrapped(out, e, "[", ", ", "]", false);
        break;
    case EX_CASES:
        write_wrapped(out, e, "cases(", "; ", ")", false);
        break;
    case EX_REL:
        write_rel(out, e);
        break;
    case EX_RATIO:
        write_wrapped(out, e, "", ":", "", false);
        break;
    case EX_RESIDUE:
        write_wrapped(out, e, "", " mod ", "", false);
        break;
    default:
        write_leaf(out, e);
        break;
    }
}

struct str expr_form(struct arena *a, const struct expr *e)
{
    struct buf text = {0};
    struct str copy;

    buf_init(&text, 8u << 20);
    expr_write(&text, e);
    if (text.failed) {
        buf_clear(&text);
        return (struct str){"(too long to show)", 18};
    }
    copy = str_dup(a, buf_str(&text));
    buf_clear(&text);
    return copy;
}

const char *expr_kind(const struct expr *e)
{
    switch (e->op) {
    case EX_NUM:
        return "number";
    case EX_TEXT:
        return "text";
    case EX_UNIT:
    case EX_PERCENT:
    case EX_DEGREE:
        return "quantity";
    case EX_LIST:
        return "list";
    case EX_SET:
    case EX_BUILDER:
    case EX_SETOP:
        return "set";
    case EX_SEQ:
        return e->n == 2 ? "point or interval" : "tuple";
    case EX_MATRIX:
        return "matrix";
    case EX_CASES:
        return "cases";
    case EX_REL:
        for (int i = 0; i + 1 < e->n; i++)
            if (e->rel[i] >= REL_NE && e->rel[i] <= REL_GE)
                return "inequality";
        return "equation";
    case EX_RATIO:
        return "ratio";
    case EX_RESIDUE:
        return "residue";
    case EX_CONST:
        return e->id == CONST_EMPTY || (e->id >= CONST_REALS && e->id <= CONST_COMPLEX) ? "set"
                                                                                        : "number";
    default:
        return expr_has_symbols(e) ? "expression" : "number";
    }
}
