/* compare_identity.c - functions that are not rational: equal when their enclosures overlap at
 * fixed points of every variable, in general position, and shrink below 2^-100. Disjoint enclosures
 * at one accepted point prove them different.
 *
 * Where roots, logarithms or variable exponents occur, points with negative coordinates count only
 * when both sides are real there: \sqrt{x^2} is not x, but \sqrt{x}\sqrt{x} is. A letter that
 * stands as a factor under an even root is never negative, as in \sqrt{l/g}. */
#include "math/compare_internal.h"

#include <arb.h>

enum { N_POINTS = 14, MIN_POINTS = 6, N_SIGNED = 7 };

struct sampling {
    struct vars vars;
    bool is_natural[MAX_VARS];
    bool is_positive[MAX_VARS]; /* forced by a root of a product */
    const struct expr
        *bound[8]; /* where conditions of cases change: asked too, with one variable */
    int n_bounds;
    bool is_delicate; /* roots, logarithms, variable exponents: negative points are asked apart */
    int n_free;       /* variables that may be negative */
    int n_signed;     /* how many points there are with negative ones among them */
};

static const struct {
    long num;
    unsigned long den;
} values[] = {{37, 29},  {23, 41}, {71, 19}, {53, 31}, {17, 47}, {89, 61}, {43, 13}, {59, 67},
              {29, 101}, {83, 23}, {31, 73}, {97, 37}, {61, 43}, {19, 59}, {47, 83}, {73, 17}};

static bool is_index_name(struct str s)
{
    return s.len == 1 && strchr("nmkN", s.ptr[0]);
}

static void mark(struct sampling *s, struct math_ctx *c, const struct expr *e)
{
    struct vars v = {0};

    vars_collect(c, e, &v);
    for (int i = 0; i < v.n; i++) {
        int k = vars_find(&s->vars, v.name[i]);
        if (k >= 0)
            s->is_natural[k] = true;
    }
}

/* Whether e is a product of powers of letters and constants. */
static bool is_monomial(const struct expr *e)
{
    bool ok = e->op == EX_MUL || e->op == EX_DIV;

    if (e->op == EX_SYM || !expr_has_symbols(e))
        return true;
    if (e->op == EX_POW)
        return e->kid[1]->op == EX_NUM && is_monomial(e->kid[0]);
    for (int i = 0; i < e->n && ok; i++)
        ok = is_monomial(e->kid[i]);
    return ok;
}

/* The letters of odd power in the monomial e. */
static void mark_positive(struct sampling *s, const struct expr *e)
{
    if (e->op == EX_SYM) {
        int k = vars_find(&s->vars, e->name);
        if (k >= 0)
            s->is_positive[k] = true;
    } else if (e->op == EX_MUL || e->op == EX_DIV) {
        for (int i = 0; i < e->n; i++)
            mark_positive(s, e->kid[i]);
    } else if (e->op == EX_POW && e->kid[1]->op == EX_NUM &&
               fmpz_is_odd(fmpq_numref(e->kid[1]->q))) {
        mark_positive(s, e->kid[0]);
    }
}

/* The exponent of a power or root as a fraction; false: it has no such value. */
static bool root_exponent(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    fmpq_set_si(out, 1, 2);
    if (expr_is_func(e, FN_SQRT))
        return true;
    if (expr_is_func(e, FN_ROOT) && e->n == 1) {
        fmpq_set_si(out, 1, 3);
        return true;
    }
    if (eval_rational(c, e->kid[1], out) != EVAL_OK)
        return false;
    if (e->op == EX_FUNC && fmpq_is_zero(out))
        return false;
    if (e->op == EX_FUNC)
        fmpq_inv(out, out);
    return true;
}

static bool is_root(const struct expr *e)
{
    return e->op == EX_POW || expr_is_func(e, FN_SQRT) || expr_is_func(e, FN_ROOT);
}

/* Which variables only make sense as natural numbers, and whether negative values are to be asked.
 */
static void classify(struct sampling *s, struct math_ctx *c, const struct expr *e)
{
    if (e->op == EX_FUNC && (e->id == FN_FACT || e->id == FN_BINOM || e->id == FN_FACT2) &&
        expr_has_symbols(e))
        for (int i = 0; i < e->n; i++)
            mark(s, c, e->kid[i]);
    if (e->op == EX_POW && expr_has_symbols(e->kid[1])) {
        s->is_delicate = true;
        if (e->kid[0]->op == EX_NEG && !expr_has_symbols(e->kid[0]))
            mark(s, c, e->kid[1]);
    }
    if (e->op == EX_POW && e->kid[1]->op != EX_NUM)
        s->is_delicate = true;
    if (e->op == EX_POW && e->kid[1]->op == EX_NUM && !fmpz_is_one(fmpq_denref(e->kid[1]->q)))
        s->is_delicate = true;
    if (e->op == EX_FUNC &&
        (e->id == FN_SQRT || e->id == FN_ROOT || e->id == FN_LN || e->id == FN_LOG) &&
        expr_has_symbols(e))
        s->is_delicate = true;
    if (is_root(e) && expr_has_symbols(e->kid[0]) && is_monomial(e->kid[0])) {
        fmpq_t q;
        fmpq_init(q);
        if (root_exponent(c, e, q) && fmpz_is_even(fmpq_denref(q)))
            mark_positive(s, e->kid[0]);
        fmpq_clear(q);
    }
    for (int i = 0; i < e->n; i++)
        classify(s, c, e->kid[i]);
}

static void collect_bounds(struct sampling *s, const struct expr *e)
{
    if (e->op == EX_REL)
        for (int i = 0; i < e->n; i++)
            if (!expr_has_symbols(e->kid[i]) && s->n_bounds < (int)LEN(s->bound))
                s->bound[s->n_bounds++] = e->kid[i];
    for (int i = 0; i < e->n; i++)
        collect_bounds(s, e->kid[i]);
}

static void set_point(struct math_ctx *c, const struct sampling *s, int point, acb_ptr out,
                      long prec)
{
    if (point >= N_POINTS && point < N_POINTS + s->n_bounds) {
        if (eval_ball(c, s->bound[point - N_POINTS], NULL, prec, out) != EVAL_OK)
            acb_zero(out);
        return;
    }
    int n_free = 0,
        signs = point - N_POINTS - s->n_bounds + 1; /* bit k: the k-th free variable is negative */
    for (int i = 0; i < s->vars.n; i++) {
        fmpq_t q;
        size_t k = (size_t)(point * 5 + i * 3) % LEN(values);
        fmpq_init(q);
        if (s->is_natural[i]) {
            fmpq_set_si(q, 3 + (point * (i + 1) + 4 * i) % 13, 1);
        } else {
            fmpq_set_si(q, values[k].num, values[k].den);
            if (!s->is_delicate && point >= 8 && ((point + i) % 2 == 0 || s->vars.n == 1))
                fmpq_neg(q, q);
            if (signs > 0 && !s->is_positive[i] && (s->n_free == 1 || (signs >> n_free++ % 3) & 1))
                fmpq_neg(q, q);
        }
        acb_set_fmpq(out + i, q, prec);
        fmpq_clear(q);
    }
}

static bool is_tight(const acb_t x)
{
    return acb_rel_accuracy_bits(x) > 90 ||
           (mag_cmp_2exp_si(arb_radref(acb_realref(x)), -100) < 0 &&
            mag_cmp_2exp_si(arb_radref(acb_imagref(x)), -100) < 0);
}

/* A value of e at a point, with enough bits; false: none there. */
static bool value_at(struct math_ctx *c, const struct expr *e, const struct sampling *s, int point,
                     acb_t out)
{
    acb_ptr v = _acb_vec_init(MAX_VARS);
    struct env env = {&s->vars, v};
    bool ok = false;

    for (long prec = 160; prec <= 1280 && !ok; prec *= 2) {
        set_point(c, s, point, v, prec);
        enum eval_status st = eval_ball(c, e, &env, prec, out);
        if (st == EVAL_OK && is_tight(out))
            ok = true;
        else if (st != EVAL_OK && st != EVAL_WIDE)
            break;
    }
    _acb_vec_clear(v, MAX_VARS);
    return ok;
}

/* Whether x, or its power y, is real by the rules of real functions; q: y as a fraction, or NULL.
 */
static bool is_real_power(const acb_t x, const acb_t y, const fmpq *q)
{
    if (!arb_is_zero(acb_imagref(x)))
        return false;
    if (arb_is_positive(acb_realref(x)))
        return true;
    return arb_is_negative(acb_realref(x)) &&
           (q ? fmpz_is_odd(fmpq_denref(q))
              : arb_is_zero(acb_imagref(y)) && arb_is_int(acb_realref(y)));
}

/* Whether every root, power and logarithm in e is real at the point env. */
static bool is_real_at(struct math_ctx *c, const struct expr *e, const struct env *env)
{
    enum { PREC = 160 };
    bool is_log = expr_is_func(e, FN_LN) || expr_is_func(e, FN_LOG), ok = true;
    acb_t x, y;
    fmpq_t q;

    for (int i = 0; i < e->n && ok; i++)
        ok = is_real_at(c, e->kid[i], env);
    if (!ok || !(is_log || is_root(e)) || !expr_has_symbols(e))
        return ok;
    acb_init(x);
    acb_init(y);
    fmpq_init(q);
    ok = eval_ball(c, e->kid[0], env, PREC, x) == EVAL_OK;
    if (ok && is_log)
        ok = arb_is_zero(acb_imagref(x)) && arb_is_positive(acb_realref(x));
    else if (ok && root_exponent(c, e, q))
        ok = is_real_power(x, y, q);
    else if (ok)
        ok = eval_ball(c, e->kid[1], env, PREC, y) == EVAL_OK &&
             (e->op == EX_POW ? is_real_power(x, y, NULL) : arb_is_positive(acb_realref(x)));
    acb_clear(x);
    acb_clear(y);
    fmpq_clear(q);
    return ok;
}

/* Whether the point counts for both sides. */
static bool is_common(struct math_ctx *c, const struct sampling *s, int point, const struct expr *a,
                      const struct expr *b)
{
    acb_ptr v;
    struct env env = {&s->vars, NULL};
    bool ok;

    if (point < N_POINTS + s->n_bounds)
        return true;
    v = _acb_vec_init(MAX_VARS);
    env.value = v;
    set_point(c, s, point, v, 160);
    ok = is_real_at(c, a, &env) && is_real_at(c, b, &env);
    _acb_vec_clear(v, MAX_VARS);
    return ok;
}

static bool prepare(struct math_ctx *c, struct sampling *s, const struct expr *a,
                    const struct expr *b)
{
    *s = (struct sampling){0};
    vars_collect(c, a, &s->vars);
    vars_collect(c, b, &s->vars);
    if (s->vars.is_overfull)
        return false;
    classify(s, c, a);
    classify(s, c, b);
    for (int i = 0; i < s->vars.n; i++)
        if (s->is_delicate && is_index_name(s->vars.name[i]))
            s->is_natural[i] = true;
    if (s->vars.n == 1) {
        collect_bounds(s, a);
        collect_bounds(s, b);
    }
    for (int i = 0; i < s->vars.n; i++)
        s->n_free += !s->is_natural[i] && !s->is_positive[i];
    s->n_signed = s->is_delicate && !c->is_principal && s->n_free > 0 ? N_SIGNED : 0;
    return true;
}

static void note_counter_example(struct math_ctx *c, const struct sampling *s, int point,
                                 const acb_t x, const acb_t y)
{
    char *p = arb_get_str(acb_realref(x), 10, ARB_STR_NO_RADIUS),
         *q = arb_get_str(acb_realref(y), 10, ARB_STR_NO_RADIUS);
    acb_ptr v = _acb_vec_init(MAX_VARS);
    char *at;

    set_point(c, s, point, v, 64);
    at = arb_get_str(acb_realref(v), 6, ARB_STR_NO_RADIUS);
    if (s->vars.n > 0)
        c->proof = str_fmt(&c->arena, "at " STR_FMT " = %s%s: %s and %s", STR_ARG(s->vars.name[0]),
                           at, s->vars.n > 1 ? ", ..." : "", p, q);
    flint_free(p);
    flint_free(q);
    flint_free(at);
    _acb_vec_clear(v, MAX_VARS);
}

/* Calls and sums without a value are opaque: agreement of their surroundings proves equality, but a
 * difference proves nothing. */
static bool has_opaque(const struct expr *e)
{
    if (e->op == EX_BIGOP)
        return true;
    for (int i = 0; i < e->n; i++)
        if (has_opaque(e->kid[i]))
            return true;
    return false;
}

enum tri identity_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct sampling s;
    acb_t x, y;
    int n_agree = 0;
    enum tri t = TRI_UNKNOWN;

    if (!prepare(c, &s, a, b))
        return undecided(c, "too many variables");
    acb_init(x);
    acb_init(y);
    for (int point = 0; point < N_POINTS + s.n_bounds + s.n_signed && t == TRI_UNKNOWN; point++) {
        if (!is_common(c, &s, point, a, b) || !value_at(c, a, &s, point, x) ||
            !value_at(c, b, &s, point, y))
            continue;
        if (!acb_overlaps(x, y)) {
            note_counter_example(c, &s, point, x, y);
            t = TRI_NO;
        }
        n_agree++;
    }
    acb_clear(x);
    acb_clear(y);
    if (t == TRI_NO) {
        if (has_opaque(a) || has_opaque(b))
            return undecided(c, "sums, limits or integrals without a value");
        return decide(c, TRI_NO, "numeric counter-example");
    }
    if (c->steps <= 0)
        return undecided(c, "limit reached");
    if (n_agree >= MIN_POINTS)
        return decide(c, TRI_YES, "numeric identity");
    return undecided(c, "no common domain to compare on");
}

enum tri identity_proportional(struct math_ctx *c, const struct expr *a, const struct expr *b,
                               int *sign)
{
    struct sampling s;
    acb_t x, y, first, ratio;
    int n_agree = 0;
    enum tri t = TRI_UNKNOWN;

    *sign = 0;
    if (!prepare(c, &s, a, b))
        return undecided(c, "too many variables");
    acb_init(x);
    acb_init(y);
    acb_init(first);
    acb_init(ratio);
    for (int point = 0; point < N_POINTS + s.n_bounds + s.n_signed && t == TRI_UNKNOWN; point++) {
        if (!is_common(c, &s, point, a, b) || !value_at(c, a, &s, point, x) ||
            !value_at(c, b, &s, point, y))
            continue;
        if (acb_contains_zero(y)) {
            if (!acb_contains_zero(x))
                t = TRI_NO;
            continue;
        }
        acb_div(ratio, x, y, 128);
        if (acb_contains_zero(ratio)) {
            t = TRI_NO;
            continue;
        }
        if (n_agree == 0)
            acb_set(first, ratio);
        else if (!acb_overlaps(first, ratio))
            t = TRI_NO;
        n_agree++;
    }
    if (n_agree >= MIN_POINTS && t == TRI_UNKNOWN) {
        t = TRI_YES;
        if (arb_contains_zero(acb_imagref(first)))
            *sign = arb_is_positive(acb_realref(first))   ? 1
                    : arb_is_negative(acb_realref(first)) ? -1
                                                          : 0;
    }
    acb_clear(x);
    acb_clear(y);
    acb_clear(first);
    acb_clear(ratio);
    if (t == TRI_UNKNOWN)
        return undecided(c, c->steps <= 0 ? "limit reached" : "no common domain to compare on");
    return decide(c, t, "proportional at all points");
}
