/* compare_quantity.c - values with units, percent and degree signs; ratios.
 *
 * A sign or unit on one side only is dropped; two units must convert, or be the same words. */
#include "math/compare_internal.h"

#include "math/unit.h"

bool has_quantity(const struct expr *e)
{
    if (e->op == EX_UNIT || e->op == EX_PERCENT || e->op == EX_DEGREE)
        return true;
    if (e->op == EX_ADD || e->op == EX_NEG || e->op == EX_MUL || e->op == EX_DIV)
        for (int i = 0; i < e->n; i++)
            if (has_quantity(e->kid[i]))
                return true;
    return false;
}

static bool has_degree(const struct expr *e)
{
    if (e->op == EX_DEGREE)
        return true;
    if (e->op == EX_FUNC)
        return false;
    for (int i = 0; i < e->n; i++)
        if (has_degree(e->kid[i]))
            return true;
    return false;
}

/* Degrees outside functions as plain numbers, minutes and seconds of arc as their parts. */
static const struct expr *drop_degrees(struct math_ctx *c, const struct expr *e)
{
    struct expr **kids;

    if (e->op == EX_DEGREE) {
        if (e->id == 0)
            return e->kid[0];
        return expr_bin(&c->pool, EX_DIV, 0, e->kid[0],
                        expr_num_si(&c->pool, e->id == 1 ? 60 : 3600, 1));
    }
    if (e->op == EX_FUNC || e->n == 0)
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++)
        kids[i] = (struct expr *)drop_degrees(c, e->kid[i]);
    return expr_with_kids(&c->pool, e, kids);
}

struct quantity {
    const struct expr *value;
    struct str unit; /* "" : none */
};

/* Signs and factors come out of the unit: -(5 cm) is (-5) cm. */
static struct quantity read_quantity(struct math_ctx *c, const struct expr *e)
{
    struct quantity q = {.value = e};

    if (e->op == EX_UNIT) {
        q.value = e->kid[0];
        q.unit = e->name;
    } else if (e->op == EX_NEG && e->kid[0]->op == EX_UNIT) {
        q.value = expr_un(&c->pool, EX_NEG, 0, e->kid[0]->kid[0]);
        q.unit = e->kid[0]->name;
    } else if (e->op == EX_ADD || e->op == EX_MUL) {
        /* the last part carries the unit of the whole: 200 + 4 cm */
        const struct expr *last = e->kid[e->n - 1];
        if (last->op == EX_UNIT) {
            struct expr **kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
            for (int i = 0; i < e->n; i++)
                kids[i] = i == e->n - 1 ? last->kid[0] : e->kid[i];
            q.value = expr_with_kids(&c->pool, e, kids);
            q.unit = last->name;
        }
    }
    return q;
}

static enum tri units_match(struct math_ctx *c, const struct quantity *g, const struct quantity *p)
{
    fmpq_t factor;
    enum tri t;

    if (g->unit.len == 0 || p->unit.len == 0)
        return answer_equal(c, g->value, p->value); /* one of them is left unsaid */
    fmpq_init(factor);
    if (unit_ratio(g->unit, p->unit, factor)) {
        t = answer_equal(c,
                         fmpq_is_one(factor)
                             ? g->value
                             : expr_bin(&c->pool, EX_MUL, 0, expr_num_q(&c->pool, factor),
                                        (struct expr *)g->value),
                         p->value);
        if (t == TRI_YES && !fmpq_is_one(factor))
            decide(c, t, "units convert");
    } else if (unit_same(g->unit, p->unit)) {
        t = answer_equal(c, g->value, p->value);
    } else {
        c->proof = str_fmt(&c->arena, "units " STR_FMT " and " STR_FMT, STR_ARG(g->unit),
                           STR_ARG(p->unit));
        t = decide(c, TRI_NO, "different units");
    }
    fmpq_clear(factor);
    return t;
}

static const struct expr *hundredth(struct math_ctx *c, const struct expr *e)
{
    return expr_bin(&c->pool, EX_DIV, 0, (struct expr *)e, expr_num_si(&c->pool, 100, 1));
}

static const struct expr *percent_value(const struct expr *e, bool *is_percent)
{
    *is_percent = e->op == EX_PERCENT;
    return *is_percent ? e->kid[0] : e;
}

static const struct expr *bare_percent(struct math_ctx *c, const struct expr *e, bool *is_percent)
{
    const struct expr *v = percent_value(e, is_percent);

    if (!*is_percent && e->op == EX_NEG) {
        v = percent_value(e->kid[0], is_percent);
        return *is_percent ? expr_un(&c->pool, EX_NEG, 0, (struct expr *)v) : e;
    }
    return v;
}

static enum tri percent_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    bool gp, pp;
    const struct expr *gv = bare_percent(c, g, &gp), *pv = bare_percent(c, p, &pp);
    enum tri t;

    if (gp && pp)
        return answer_equal(c, gv, pv);
    if (!gp && !pp) /* inside a sum: by value */
        return number_match(c, g, p);
    if ((gp ? p : g)->op == EX_UNIT || has_degree(gp ? p : g))
        return decide(c, TRI_NO, "different units");
    t = gp ? answer_equal(c, hundredth(c, gv), p) : answer_equal(c, g, hundredth(c, pv));
    if (t == TRI_YES)
        return decide(c, t, "percent as a fraction");
    t = answer_equal(c, gv, pv);
    return t == TRI_YES ? decide(c, t, "percent sign left out") : t;
}

static enum tri degree_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    bool gd = has_degree(g), pd = has_degree(p);
    enum tri t;

    if (gd && pd)
        return answer_equal(c, drop_degrees(c, g), drop_degrees(c, p));
    const struct expr *other = gd ? p : g;
    if (other->op == EX_UNIT) {
        if (!str_eqz(other->name, "rad"))
            return decide(c, TRI_NO, "different units");
        return gd ? number_match(c, g, p->kid[0]) : number_match(c, g->kid[0], p);
    }
    t = gd ? answer_equal(c, drop_degrees(c, g), p) : answer_equal(c, g, drop_degrees(c, p));
    if (t == TRI_YES)
        return decide(c, t, "degree sign left out");
    t = number_match(c, g, p);
    return t == TRI_YES ? decide(c, t, "degrees as radians") : t;
}

enum tri quantity_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    struct quantity a = read_quantity(c, g), b = read_quantity(c, p);

    if (expr_has_op(g, EX_PERCENT) || expr_has_op(p, EX_PERCENT))
        return percent_equal(c, g, p);
    if (has_degree(g) || has_degree(p))
        return degree_equal(c, g, p);
    if (a.value == g && b.value == p)
        return decide(c, TRI_NO, "different units");
    return units_match(c, &a, &b);
}
