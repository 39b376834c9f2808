/* compare_set.c - subsets of the real line.
 *
 * The ends of both sets cut the line into points and open gaps between them. On each of these cells
 * both sets are constant, so the sets are equal when they agree on every cell. */
#include "math/compare_internal.h"

enum { MAX_ENDS = 256 };

struct line {
    struct math_ctx *c;
    const struct expr *end[MAX_ENDS]; /* ascending, different */
    int n;
    bool is_bad;
};

/* Cell 2i + 1 is the point end[i], cell 2i the gap below it. */

/* --- inequalities in solved form -------------------------------------------------------------- */

struct atom {
    const struct expr *bound;
    int rel;          /* of the variable to the bound */
    bool is_absolute; /* |x - centre| rel bound */
    const struct expr *centre;
    const struct expr *variable;
};

static int mirrored(int rel)
{
    return rel == REL_LT   ? REL_GT
           : rel == REL_LE ? REL_GE
           : rel == REL_GT ? REL_LT
           : rel == REL_GE ? REL_LE
                           : rel;
}

static bool is_bound(struct math_ctx *c, const struct expr *e)
{
    return expr_is_arith(e) && !expr_has_symbols(e) && !has_quantity(e) &&
           infinity_sign(c, e) != 2 && !is_undefined(c, e);
}

/* A variable, or a constant times one; the constant in factor. */
static const struct expr *scaled_variable(struct math_ctx *c, const struct expr *e,
                                          const struct expr **factor)
{
    const struct expr *v = NULL;

    *factor = NULL;
    if (e->op == EX_SYM || e->op == EX_CALL)
        return e;
    if (e->op == EX_NEG) {
        v = scaled_variable(c, e->kid[0], factor);
        if (v)
            *factor = *factor ? expr_un(&c->pool, EX_NEG, 0, (struct expr *)*factor)
                              : expr_num_si(&c->pool, -1, 1);
        return v;
    }
    if ((e->op == EX_MUL && e->n == 2) || e->op == EX_DIV) {
        int i = is_bound(c, e->kid[0]) ? 1 : 0;
        if (e->op == EX_DIV)
            i = 0;
        if ((e->kid[i]->op != EX_SYM && e->kid[i]->op != EX_CALL) || !is_bound(c, e->kid[1 - i]))
            return NULL;
        *factor = e->op == EX_DIV
                      ? expr_bin(&c->pool, EX_DIV, 0, expr_num_si(&c->pool, 1, 1), e->kid[1])
                      : e->kid[1 - i];
        return e->kid[i];
    }
    return NULL;
}

/* |x|, |x - a|: the centre. */
static const struct expr *absolute_variable(struct math_ctx *c, const struct expr *e,
                                            const struct expr **centre)
{
    const struct expr *in;

    if (!expr_is_func(e, FN_ABS))
        return NULL;
    in = e->kid[0];
    *centre = expr_num_si(&c->pool, 0, 1);
    if (in->op == EX_SYM)
        return in;
    if (in->op == EX_ADD && in->n == 2 && in->kid[0]->op == EX_SYM && is_bound(c, in->kid[1])) {
        *centre = expr_un(&c->pool, EX_NEG, 0, in->kid[1]);
        return in->kid[0];
    }
    return NULL;
}

static bool read_atom(struct math_ctx *c, const struct expr *a, int rel, const struct expr *b,
                      struct atom *out)
{
    const struct expr *factor = NULL, *v;
    int sign;

    *out = (struct atom){0};
    if (is_bound(c, a)) {
        const struct expr *t = a;
        a = b;
        b = t;
        rel = mirrored(rel);
    }
    if (!is_bound(c, b) || rel > REL_GE)
        return false;
    out->rel = rel;
    out->bound = b;
    v = absolute_variable(c, a, &out->centre);
    if (v) {
        out->is_absolute = true;
        out->variable = v;
        return true;
    }
    v = scaled_variable(c, a, &factor);
    if (!v)
        return false;
    out->variable = v;
    if (factor) {
        if (!value_order(c, factor, expr_num_si(&c->pool, 0, 1), &sign) || sign == 0)
            return false;
        out->bound = expr_bin(&c->pool, EX_DIV, 0, (struct expr *)b, (struct expr *)factor);
        if (sign < 0)
            out->rel = mirrored(rel);
    }
    return true;
}

/* --- which trees are sets --------------------------------------------------------------------- */

/* Ends in ascending order, or equal and both closed: (3, -4) is only a point. An infinite end is
 * open. */
static bool is_interval(struct math_ctx *c, const struct expr *e)
{
    int lo, hi, order = -1;

    if (e->op != EX_SEQ || e->n != 2 || e->open == '<' || !is_bound(c, e->kid[0]) ||
        !is_bound(c, e->kid[1]))
        return false;
    lo = infinity_sign(c, e->kid[0]);
    hi = infinity_sign(c, e->kid[1]);
    if (lo > 0 || hi < 0 || (lo && e->open == '[') || (hi && e->close == ']'))
        return false;
    if (lo || hi || !value_order(c, e->kid[0], e->kid[1], &order))
        return true;
    return order < 0 || (order == 0 && e->open == '[' && e->close == ']');
}

static bool is_point_set(struct math_ctx *c, const struct expr *e)
{
    if (expr_is_const(e, CONST_EMPTY))
        return true;
    if (e->op != EX_SET)
        return false;
    for (int i = 0; i < e->n; i++)
        if (!is_bound(c, e->kid[i]))
            return false;
    return true;
}

static bool is_relation_set(struct math_ctx *c, const struct expr *e)
{
    struct atom a;

    for (int i = 0; i + 1 < e->n; i++) {
        if (e->rel[i] == REL_IN)
            return e->n == 2 && (e->kid[0]->op == EX_SYM || e->kid[0]->op == EX_CALL) &&
                   is_real_set(c, e->kid[1]);
        if (!read_atom(c, e->kid[i], e->rel[i], e->kid[i + 1], &a))
            return false;
    }
    return true;
}

/* What the variable of a set builder ranges over; -1: its members are no plain variable. */
static int builder_domain(const struct expr *e)
{
    const struct expr *v = e->kid[0];

    if (v->op == EX_SYM)
        return CONST_REALS;
    if (v->op == EX_REL && v->n == 2 && v->rel[0] == REL_IN && v->kid[0]->op == EX_SYM &&
        v->kid[1]->op == EX_CONST)
        return v->kid[1]->id;
    return -1;
}

static bool is_builder(struct math_ctx *c, const struct expr *e, int domain)
{
    return e->op == EX_BUILDER && builder_domain(e) == domain && is_real_set(c, e->kid[1]);
}

bool is_real_set(struct math_ctx *c, const struct expr *e)
{
    switch (e->op) {
    case EX_CONST:
        return e->id == CONST_REALS || e->id == CONST_EMPTY;
    case EX_SEQ:
        return is_interval(c, e);
    case EX_SET:
        return is_point_set(c, e);
    case EX_REL:
        return is_relation_set(c, e);
    case EX_BUILDER:
        return is_builder(c, e, CONST_REALS);
    case EX_SETOP:
    case EX_LIST:
        for (int i = 0; i < e->n; i++) {
            if (e->op == EX_LIST && e->kid[i]->op != EX_REL &&
                !(e->kid[i]->op == EX_SEQ && e->id == CONN_OR))
                return false;
            if (!is_real_set(c, e->kid[i]))
                return false;
        }
        return true;
    default:
        return false;
    }
}

/* --- ends ------------------------------------------------------------------------------------- */

static int end_index(struct line *l, const struct expr *e)
{
    int lo = 0, hi = l->n, k = 0;

    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (!value_order(l->c, e, l->end[mid], &k)) {
            l->is_bad = true;
            return -1;
        }
        if (k == 0)
            return mid;
        if (k < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1 - lo;
}

static void add_end(struct line *l, const struct expr *e)
{
    int i;

    if (l->is_bad || infinity_sign(l->c, e))
        return;
    i = end_index(l, e);
    if (l->is_bad || i >= 0)
        return;
    if (l->n == MAX_ENDS) {
        l->is_bad = true;
        return;
    }
    i = -1 - i;
    memmove(l->end + i + 1, l->end + i, (size_t)(l->n - i) * sizeof(l->end[0]));
    l->end[i] = e;
    l->n++;
}

static const struct expr *absolute_end(struct math_ctx *c, const struct atom *a, bool upper)
{
    return expr_bin(&c->pool, EX_ADD, 0, (struct expr *)a->centre,
                    upper ? (struct expr *)a->bound
                          : expr_un(&c->pool, EX_NEG, 0, (struct expr *)a->bound));
}

static void collect_ends(struct line *l, const struct expr *e)
{
    struct atom a;

    switch (e->op) {
    case EX_SEQ:
    case EX_SET:
        for (int i = 0; i < e->n; i++)
            add_end(l, e->kid[i]);
        break;
    case EX_REL:
        for (int i = 0; i + 1 < e->n; i++) {
            if (e->rel[i] == REL_IN) {
                collect_ends(l, e->kid[1]);
            } else if (read_atom(l->c, e->kid[i], e->rel[i], e->kid[i + 1], &a)) {
                if (!a.is_absolute) {
                    add_end(l, a.bound);
                } else {
                    add_end(l, absolute_end(l->c, &a, false));
                    add_end(l, absolute_end(l->c, &a, true));
                }
            }
        }
        break;
    case EX_BUILDER:
        collect_ends(l, e->kid[1]);
        break;
    default:
        for (int i = 0; i < e->n; i++)
            collect_ends(l, e->kid[i]);
        break;
    }
}

/* --- membership ------------------------------------------------------------------------------- */

/* How a cell lies to an end: -1 below, 0 on it, 1 above. */
static int side(struct line *l, int cell, const struct expr *end)
{
    int inf = infinity_sign(l->c, end), i;

    if (inf)
        return -inf;
    i = end_index(l, end);
    if (i < 0) {
        l->is_bad = true;
        return 0;
    }
    return cell < 2 * i + 1 ? -1 : cell > 2 * i + 1;
}

static bool holds(int s, int rel)
{
    switch (rel) {
    case REL_EQ:
        return s == 0;
    case REL_NE:
        return s != 0;
    case REL_LT:
        return s < 0;
    case REL_LE:
        return s <= 0;
    case REL_GT:
        return s > 0;
    default:
        return s >= 0;
    }
}

static bool in_atom(struct line *l, int cell, const struct atom *a)
{
    int lo, hi;

    if (!a->is_absolute)
        return holds(side(l, cell, a->bound), a->rel);
    int sign = 1;
    if (infinity_sign(l->c, a->bound) ||
        !value_order(l->c, a->bound, expr_num_si(&l->c->pool, 0, 1), &sign)) {
        l->is_bad = true;
        return false;
    }
    if (sign < 0)
        return a->rel == REL_GT || a->rel == REL_GE || a->rel == REL_NE;
    lo = side(l, cell, absolute_end(l->c, a, false));
    hi = side(l, cell, absolute_end(l->c, a, true));
    /* |x - m| against the bound: inside both, on one, or outside */
    int s = lo > 0 && hi < 0 ? -1 : lo == 0 || hi == 0 ? 0 : 1;
    return holds(s, a->rel);
}

static bool is_in(struct line *l, int cell, const struct expr *e);

static bool in_list(struct line *l, int cell, const struct expr *e)
{
    bool all = true, any = false;

    for (int i = 0; i < e->n; i++) {
        bool k = is_in(l, cell, e->kid[i]);
        all &= k;
        any |= k;
    }
    return e->id == CONN_OR ? any : all;
}

static bool in_relation(struct line *l, int cell, const struct expr *e)
{
    struct atom a;

    for (int i = 0; i + 1 < e->n; i++) {
        if (e->rel[i] == REL_IN) {
            if (!is_in(l, cell, e->kid[1]))
                return false;
        } else if (!read_atom(l->c, e->kid[i], e->rel[i], e->kid[i + 1], &a) ||
                   !in_atom(l, cell, &a)) {
            return false;
        }
    }
    return true;
}

static bool is_in(struct line *l, int cell, const struct expr *e)
{
    int lo, hi;

    switch (e->op) {
    case EX_CONST:
        return e->id == CONST_REALS;
    case EX_SEQ:
        lo = side(l, cell, e->kid[0]);
        hi = side(l, cell, e->kid[1]);
        return (lo > 0 || (lo == 0 && e->open == '[')) && (hi < 0 || (hi == 0 && e->close == ']'));
    case EX_SET:
        for (int i = 0; i < e->n; i++)
            if (side(l, cell, e->kid[i]) == 0)
                return true;
        return false;
    case EX_REL:
        return in_relation(l, cell, e);
    case EX_BUILDER:
        return is_in(l, cell, e->kid[1]);
    case EX_LIST:
        return in_list(l, cell, e);
    default: /* EX_SETOP */
        if (e->id == '-')
            return is_in(l, cell, e->kid[0]) && !is_in(l, cell, e->kid[1]);
        for (int i = 0; i < e->n; i++) {
            bool k = is_in(l, cell, e->kid[i]);
            if (e->id == 'u' ? k : !k)
                return k;
        }
        return e->id != 'u';
    }
}

/* --- sets of whole numbers -------------------------------------------------------------------- */

static bool is_whole_builder(struct math_ctx *c, const struct expr *e)
{
    return is_builder(c, e, CONST_INTEGERS) || is_builder(c, e, CONST_NATURALS);
}

static bool is_whole_number(struct math_ctx *c, const struct expr *e)
{
    fmpq_t q;
    bool ok;

    fmpq_init(q);
    ok = eval_rational(c, e, q) == EVAL_OK && fmpz_is_one(fmpq_denref(q));
    fmpq_clear(q);
    return ok;
}

static bool is_whole_points(struct math_ctx *c, const struct expr *e)
{
    bool ok = is_point_set(c, e);

    for (int i = 0; i < e->n && ok; i++)
        ok = is_whole_number(c, e->kid[i]);
    return ok;
}

/* Whether a whole number lies in the cell. */
static bool has_whole(struct line *l, int cell)
{
    fmpq_t lo, hi;
    fmpz_t z;
    bool ok;

    if (cell % 2)
        return is_whole_number(l->c, l->end[cell / 2]);
    if (cell == 0 || cell == 2 * l->n)
        return true;
    fmpq_init(lo);
    fmpq_init(hi);
    fmpz_init(z);
    ok = eval_rational(l->c, l->end[cell / 2 - 1], lo) == EVAL_OK &&
         eval_rational(l->c, l->end[cell / 2], hi) == EVAL_OK;
    l->is_bad |= !ok; /* an end that is no fraction */
    fmpz_fdiv_q(z, fmpq_numref(lo), fmpq_denref(lo));
    fmpz_add_ui(z, z, 1);
    ok = ok && fmpq_cmp_fmpz(hi, z) > 0;
    fmpz_clear(z);
    fmpq_clear(hi);
    fmpq_clear(lo);
    return ok;
}

/* Whether both are sets of whole numbers, at least one of them by a condition. */
static bool are_whole_sets(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    bool is_a = is_whole_builder(c, a), is_b = is_whole_builder(c, b);

    if (is_a && is_b)
        return builder_domain(a) == builder_domain(b);
    return (is_a && is_whole_points(c, b)) || (is_b && is_whole_points(c, a));
}

/* {x in Z: -1 <= x <= 2} against {-1, 0, 1, 2} or another such set. Whether 0 is natural is open.
 */
static enum tri whole_sets_equal(struct math_ctx *c, const struct expr *gold,
                                 const struct expr *pred)
{
    struct line l = {.c = c};
    bool is_natural = is_builder(c, gold, CONST_NATURALS) || is_builder(c, pred, CONST_NATURALS);
    bool are_builders = gold->op == EX_BUILDER && pred->op == EX_BUILDER;
    const struct expr *zero = expr_num_si(&c->pool, 0, 1);

    collect_ends(&l, gold);
    collect_ends(&l, pred);
    add_end(&l, zero);
    for (int cell = 0; cell <= 2 * l.n && !l.is_bad; cell++) {
        int s = side(&l, cell, zero);
        bool in_gold = is_in(&l, cell, gold), in_pred = is_in(&l, cell, pred);

        if (!spend(c, 20))
            return undecided(c, "limit reached");
        if (s < 0 && is_natural) {
            in_gold = in_gold && gold->op != EX_BUILDER;
            in_pred = in_pred && pred->op != EX_BUILDER;
        }
        if (s == 0 && is_natural && !are_builders && (gold->op == EX_BUILDER ? in_gold : in_pred))
            return undecided(c, "whether 0 is natural");
        if (in_gold != in_pred && has_whole(&l, cell) && !l.is_bad)
            return decide(c, TRI_NO, "sets of whole numbers");
    }
    if (l.is_bad)
        return undecided(c, "ends cannot be ordered");
    return decide(c, TRI_YES, "sets of whole numbers");
}

bool are_line_sets(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    return are_whole_sets(c, a, b) || (is_real_set(c, a) && is_real_set(c, b));
}

enum tri real_set_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred)
{
    struct line l = {.c = c};

    if (are_whole_sets(c, gold, pred))
        return whole_sets_equal(c, gold, pred);
    if (!is_real_set(c, gold) || !is_real_set(c, pred))
        return TRI_UNKNOWN;
    collect_ends(&l, gold);
    collect_ends(&l, pred);
    for (int cell = 0; cell <= 2 * l.n && !l.is_bad; cell++) {
        if (!spend(c, 20))
            return undecided(c, "limit reached");
        if (is_in(&l, cell, gold) != is_in(&l, cell, pred) && !l.is_bad) {
            struct str at = l.n == 0 ? (struct str){"everywhere", 10}
                                     : expr_form(&c->arena, l.end[MIN(cell / 2, l.n - 1)]);
            c->proof = str_fmt(&c->arena, "they differ %s " STR_FMT, cell % 2 ? "at" : "beside",
                               STR_ARG(at));
            return decide(c, TRI_NO, "real sets");
        }
    }
    if (l.is_bad)
        return undecided(c, "ends cannot be ordered");
    return decide(c, TRI_YES, "real sets");
}
