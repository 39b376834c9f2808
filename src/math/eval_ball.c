/* eval_ball.c - trees as complex balls, variables at given points. Never proves equality. */
#include "math/compare_internal.h"

#include <arb.h>

static bool is_real(const acb_t z)
{
    return arb_is_zero(acb_imagref(z));
}

/* A finite result, or the word for what went wrong. */
static enum eval_status checked(const acb_t z)
{
    return acb_is_finite(z) ? EVAL_OK : EVAL_WIDE;
}

static void degrees_to_radians(acb_t out, const acb_t x, long n, long prec)
{
    arb_t pi;

    arb_init(pi);
    arb_const_pi(pi, prec);
    arb_div_si(pi, pi, n, prec);
    acb_mul_arb(out, x, pi, prec);
    arb_clear(pi);
}

/* x^(1/n) of a negative real for odd n; else the principal root. */
static void root(struct math_ctx *c, acb_t out, const acb_t x, unsigned long n, long prec)
{
    if (is_real(x) && arb_is_negative(acb_realref(x)) && n % 2 == 1 && !c->is_principal) {
        acb_neg(out, x);
        acb_root_ui(out, out, n, prec);
        acb_neg(out, out);
    } else if (n == 2) {
        acb_sqrt(out, x, prec);
    } else {
        acb_root_ui(out, x, n, prec);
    }
}

static enum eval_status power(struct math_ctx *c, const struct expr *e, const acb_t x,
                              const struct env *env, long prec, acb_t out)
{
    fmpq_t q;
    acb_t y;
    enum eval_status s;

    if (expr_is_const(e->kid[0], CONST_E)) {
        acb_init(y);
        s = eval_ball(c, e->kid[1], env, prec, y);
        if (s == EVAL_OK)
            acb_exp(out, y, prec);
        acb_clear(y);
        return s == EVAL_OK ? checked(out) : s;
    }
    fmpq_init(q);
    s = eval_rational(c, e->kid[1], q);
    if (s == EVAL_UNDEFINED) {
        fmpq_clear(q);
        return s;
    }
    if (s == EVAL_OK && fmpz_is_one(fmpq_denref(q)) && fmpz_bits(fmpq_numref(q)) < 64) {
        if (acb_is_zero(x) && fmpq_sgn(q) < 0) {
            fmpq_clear(q);
            return EVAL_UNDEFINED;
        }
        acb_pow_fmpz(out, x, fmpq_numref(q), prec);
        s = checked(out);
    } else if (s == EVAL_OK && !fmpz_is_one(fmpq_denref(q)) &&
               fmpz_cmp_ui(fmpq_denref(q), 1000) <= 0 && fmpz_bits(fmpq_numref(q)) < 30) {
        if (acb_is_zero(x)) {
            acb_zero(out);
            s = fmpq_sgn(q) > 0 ? EVAL_OK : EVAL_UNDEFINED;
        } else {
            root(c, out, x, fmpz_get_ui(fmpq_denref(q)), prec);
            acb_pow_fmpz(out, out, fmpq_numref(q), prec);
            s = checked(out);
        }
    } else {
        acb_init(y);
        s = eval_ball(c, e->kid[1], env, prec, y);
        if (s == EVAL_OK && acb_is_zero(x)) {
            s = arb_is_positive(acb_realref(y)) ? EVAL_OK : EVAL_UNDEFINED;
            acb_zero(out);
        } else if (s == EVAL_OK) {
            acb_pow(out, x, y, prec);
            s = checked(out);
        }
        acb_clear(y);
    }
    fmpq_clear(q);
    return s;
}

static enum eval_status floor_of(const acb_t x, bool is_ceil, long prec, acb_t out)
{
    fmpz_t z;
    bool ok;

    if (!is_real(x))
        return EVAL_UNSUPPORTED;
    if (arf_cmpabs_2exp_si(arb_midref(acb_realref(x)), MAX_EXACT_BITS) >= 0)
        return EVAL_BIG; /* no whole number of so many bits is written out */
    if (is_ceil)
        arb_ceil(acb_realref(out), acb_realref(x), prec);
    else
        arb_floor(acb_realref(out), acb_realref(x), prec);
    fmpz_init(z);
    ok = arb_get_unique_fmpz(z, acb_realref(out));
    if (ok)
        acb_set_fmpz(out, z);
    fmpz_clear(z);
    return ok ? EVAL_OK : EVAL_WIDE;
}

static enum eval_status binomial(const struct expr *e, struct math_ctx *c, const acb_t x,
                                 const acb_t y, long prec, acb_t out)
{
    fmpq_t k;
    acb_t t;
    enum eval_status s = EVAL_OK;

    fmpq_init(k);
    acb_init(t);
    if (eval_rational(c, e->kid[1], k) == EVAL_OK && fmpz_is_one(fmpq_denref(k)) &&
        fmpq_sgn(k) >= 0 && fmpz_cmp_ui(fmpq_numref(k), 64) <= 0) {
        ulong n = fmpz_get_ui(fmpq_numref(k));
        acb_sub_ui(t, x, n, prec);
        acb_add_ui(t, t, 1, prec);
        acb_rising_ui(out, t, n, prec);
        fmpz_t f;
        fmpz_init(f);
        fmpz_fac_ui(f, n);
        acb_div_fmpz(out, out, f, prec);
        fmpz_clear(f);
    } else {
        acb_add_ui(out, x, 1, prec);
        acb_gamma(out, out, prec);
        acb_add_ui(t, y, 1, prec);
        acb_rgamma(t, t, prec);
        acb_mul(out, out, t, prec);
        acb_sub(t, x, y, prec);
        acb_add_ui(t, t, 1, prec);
        acb_rgamma(t, t, prec);
        acb_mul(out, out, t, prec);
        s = checked(out);
    }
    acb_clear(t);
    fmpq_clear(k);
    return s;
}

static enum eval_status reciprocal(acb_t out, const acb_t x, long prec)
{
    if (acb_is_zero(x))
        return EVAL_UNDEFINED;
    acb_inv(out, x, prec);
    return checked(out);
}

static enum eval_status log_of(struct math_ctx *c, const struct expr *e, const acb_t x,
                               const acb_t y, long prec, acb_t out)
{
    acb_t b;
    enum eval_status s;

    if (acb_is_zero(x))
        return EVAL_UNDEFINED;
    acb_log(out, x, prec);
    if (e->id == FN_LN || (e->n == 1 && !c->log_is_ten))
        return checked(out);
    acb_init(b);
    if (e->n == 1)
        acb_set_ui(b, 10);
    else
        acb_set(b, y);
    if (acb_is_zero(b) || acb_is_one(b)) {
        s = EVAL_UNDEFINED;
    } else {
        acb_log(b, b, prec);
        acb_div(out, out, b, prec);
        s = checked(out);
    }
    acb_clear(b);
    return s;
}

/* Functions of one argument; y is the second, where there is one. */
static enum eval_status apply(struct math_ctx *c, const struct expr *e, const acb_t x,
                              const acb_t y, long prec, acb_t out)
{
    enum eval_status s;

    switch (e->id) {
    case FN_SIN:
        acb_sin(out, x, prec);
        break;
    case FN_COS:
        acb_cos(out, x, prec);
        break;
    case FN_TAN:
        acb_tan(out, x, prec);
        break;
    case FN_COT:
        acb_cot(out, x, prec);
        break;
    case FN_SEC:
        acb_sec(out, x, prec);
        break;
    case FN_CSC:
        acb_csc(out, x, prec);
        break;
    case FN_ASIN:
        acb_asin(out, x, prec);
        break;
    case FN_ACOS:
        acb_acos(out, x, prec);
        break;
    case FN_ATAN:
        acb_atan(out, x, prec);
        break;
    case FN_ACOT:
        /* with range (0, pi), as textbooks have it */
        acb_atan(out, x, prec);
        acb_neg(out, out);
        arb_t half;
        arb_init(half);
        arb_const_pi(half, prec);
        arb_mul_2exp_si(half, half, -1);
        acb_add_arb(out, out, half, prec);
        arb_clear(half);
        break;
    case FN_ASEC:
    case FN_ACSC:
        s = reciprocal(out, x, prec);
        if (s != EVAL_OK)
            return s;
        if (e->id == FN_ASEC)
            acb_acos(out, out, prec);
        else
            acb_asin(out, out, prec);
        break;
    case FN_SINH:
        acb_sinh(out, x, prec);
        break;
    case FN_COSH:
        acb_cosh(out, x, prec);
        break;
    case FN_TANH:
        acb_tanh(out, x, prec);
        break;
    case FN_COTH:
        acb_coth(out, x, prec);
        break;
    case FN_SECH:
        acb_sech(out, x, prec);
        break;
    case FN_CSCH:
        acb_csch(out, x, prec);
        break;
    case FN_ASINH:
        acb_asinh(out, x, prec);
        break;
    case FN_ACOSH:
        acb_acosh(out, x, prec);
        break;
    case FN_ATANH:
        acb_atanh(out, x, prec);
        break;
    case FN_EXP:
        acb_exp(out, x, prec);
        break;
    case FN_LN:
    case FN_LOG:
        return log_of(c, e, x, y, prec, out);
    case FN_SQRT:
        acb_sqrt(out, x, prec);
        break;
    case FN_ABS:
        acb_abs(acb_realref(out), x, prec);
        arb_zero(acb_imagref(out));
        break;
    case FN_FLOOR:
    case FN_CEIL:
        return floor_of(x, e->id == FN_CEIL, prec, out);
    case FN_FACT:
        acb_add_ui(out, x, 1, prec);
        acb_gamma(out, out, prec);
        break;
    case FN_GAMMA:
        acb_gamma(out, x, prec);
        break;
    case FN_BINOM:
        return e->n == 2 ? binomial(e, c, x, y, prec, out) : EVAL_UNSUPPORTED;
    case FN_CIS:
        acb_mul_onei(out, x);
        acb_exp(out, out, prec);
        break;
    case FN_RE:
        acb_set_arb(out, acb_realref(x));
        break;
    case FN_IM:
        acb_set_arb(out, acb_imagref(x));
        break;
    case FN_CONJ:
        acb_conj(out, x);
        break;
    case FN_SGN:
        acb_sgn(out, x, prec);
        break;
    case FN_ARG: {
        arb_t t;
        arb_init(t);
        acb_arg(t, x, prec);
        acb_set_arb(out, t);
        arb_clear(t);
        break;
    }
    default:
        return EVAL_UNSUPPORTED;
    }
    return checked(out);
}

/* max and min of reals; the union of two overlapping balls is not needed, so WIDE then. */
static enum eval_status extreme(struct math_ctx *c, const struct expr *e, const struct env *env,
                                long prec, acb_t out)
{
    enum eval_status s = eval_ball(c, e->kid[0], env, prec, out);
    acb_t x;

    acb_init(x);
    for (int i = 1; i < e->n && s == EVAL_OK; i++) {
        s = eval_ball(c, e->kid[i], env, prec, x);
        if (s != EVAL_OK)
            break;
        if (!is_real(x) || !is_real(out))
            s = EVAL_UNSUPPORTED;
        else if (e->id == FN_MAX)
            arb_max(acb_realref(out), acb_realref(out), acb_realref(x), prec);
        else
            arb_min(acb_realref(out), acb_realref(out), acb_realref(x), prec);
    }
    acb_clear(x);
    return s;
}

static enum eval_status function(struct math_ctx *c, const struct expr *e, const struct env *env,
                                 long prec, acb_t out)
{
    acb_t x, y;
    fmpq_t n;
    enum eval_status s;

    if (e->id == FN_MAX || e->id == FN_MIN)
        return extreme(c, e, env, prec, out);
    if (e->n < 1 || e->n > 2 || e->id == FN_DET)
        return EVAL_UNSUPPORTED;
    acb_init(x);
    acb_init(y);
    s = eval_ball(c, e->kid[0], env, prec, x);
    if (s == EVAL_OK && e->n == 2)
        s = eval_ball(c, e->kid[1], env, prec, y);
    if (s == EVAL_OK && e->id == FN_ROOT) {
        fmpq_init(n);
        s = e->n == 2 ? eval_rational(c, e->kid[1], n) : EVAL_OK;
        if (e->n == 1)
            fmpq_set_si(n, 3, 1);
        if (s == EVAL_OK && fmpz_is_one(fmpq_denref(n)) && fmpz_cmp_ui(fmpq_numref(n), 1000) <= 0 &&
            fmpq_sgn(n) > 0) {
            root(c, out, x, fmpz_get_ui(fmpq_numref(n)), prec);
            s = checked(out);
        } else if (s == EVAL_UNSUPPORTED && !acb_contains_zero(y) && !acb_contains_zero(x)) {
            acb_inv(y, y, prec);
            acb_pow(out, x, y, prec);
            s = checked(out);
        } else {
            s = EVAL_UNSUPPORTED;
        }
        fmpq_clear(n);
    } else if (s == EVAL_OK && e->id == FN_MOD) {
        s = EVAL_UNSUPPORTED;
    } else if (s == EVAL_OK) {
        s = apply(c, e, x, y, prec, out);
    }
    acb_clear(x);
    acb_clear(y);
    return s;
}

static enum eval_status leaf(struct math_ctx *c, const struct expr *e, const struct env *env,
                             long prec, acb_t out)
{
    int i;

    switch (e->op) {
    case EX_NUM:
        acb_set_fmpq(out, e->q, prec);
        return EVAL_OK;
    case EX_CONST:
        if (e->id == CONST_PI)
            acb_const_pi(out, prec);
        else if (e->id == CONST_E) {
            acb_one(out);
            acb_exp(out, out, prec);
        } else if (e->id == CONST_I)
            acb_onei(out);
        else
            return e->id == CONST_UNDEFINED ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
        return EVAL_OK;
    case EX_SYM:
    case EX_CALL:
    case EX_BIGOP:
        if (!env)
            return EVAL_UNSUPPORTED;
        i = vars_find(env->vars, e->op == EX_SYM ? e->name : expr_form(&c->arena, e));
        if (i < 0)
            return EVAL_UNSUPPORTED;
        acb_set(out, env->value + i);
        return EVAL_OK;
    default:
        return EVAL_UNSUPPORTED;
    }
}

static enum eval_status accumulate(struct math_ctx *c, const struct expr *e, const struct env *env,
                                   long prec, acb_t out)
{
    enum eval_status s = EVAL_OK;
    acb_t x;

    acb_init(x);
    if (e->op == EX_ADD)
        acb_zero(out);
    else
        acb_one(out);
    for (int i = 0; i < e->n && s == EVAL_OK; i++) {
        s = eval_ball(c, e->kid[i], env, prec, x);
        if (s != EVAL_OK)
            break;
        if (e->op == EX_ADD)
            acb_add(out, out, x, prec);
        else
            acb_mul(out, out, x, prec);
    }
    acb_clear(x);
    return s == EVAL_OK ? checked(out) : s;
}

/* Whether a condition holds at the point. */
static enum tri condition_holds(struct math_ctx *c, const struct expr *e, const struct env *env,
                                long prec)
{
    enum tri all = TRI_YES;
    acb_t x, y;

    if (e->op == EX_EMPTY || e->op == EX_TEXT)
        return TRI_YES; /* otherwise */
    if (e->op == EX_LIST && e->id != CONN_OR) {
        for (int i = 0; i < e->n && all == TRI_YES; i++)
            all = condition_holds(c, e->kid[i], env, prec);
        return all;
    }
    if (e->op != EX_REL)
        return TRI_UNKNOWN;
    acb_init(x);
    acb_init(y);
    for (int i = 0; i + 1 < e->n && all == TRI_YES; i++) {
        all = TRI_UNKNOWN;
        if (eval_ball(c, e->kid[i], env, prec, x) != EVAL_OK ||
            eval_ball(c, e->kid[i + 1], env, prec, y) != EVAL_OK || !is_real(x) || !is_real(y))
            break;
        arb_srcptr a = acb_realref(x), b = acb_realref(y);
        switch (e->rel[i]) {
        case REL_LT:
            all = arb_lt(a, b) ? TRI_YES : arb_ge(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        case REL_LE:
            all = arb_le(a, b) ? TRI_YES : arb_gt(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        case REL_GT:
            all = arb_gt(a, b) ? TRI_YES : arb_le(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        case REL_GE:
            all = arb_ge(a, b) ? TRI_YES : arb_lt(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        case REL_EQ:
            all = arb_eq(a, b) ? TRI_YES : arb_ne(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        case REL_NE:
            all = arb_ne(a, b) ? TRI_YES : arb_eq(a, b) ? TRI_NO : TRI_UNKNOWN;
            break;
        default:
            break;
        }
    }
    acb_clear(x);
    acb_clear(y);
    return all;
}

static enum eval_status branches(struct math_ctx *c, const struct expr *e, const struct env *env,
                                 long prec, acb_t out)
{
    for (int i = 0; i + 1 < e->n; i += 2) {
        enum tri t = condition_holds(c, e->kid[i + 1], env, prec);
        if (t == TRI_YES)
            return eval_ball(c, e->kid[i], env, prec, out);
        if (t == TRI_UNKNOWN)
            return EVAL_UNSUPPORTED;
    }
    return EVAL_UNDEFINED;
}

enum eval_status eval_ball(struct math_ctx *c, const struct expr *e, const struct env *env,
                           long prec, acb_t out)
{
    enum eval_status s;
    acb_t x;

    if (!spend(c, 1 + prec / 128 + (e->op == EX_FUNC || e->op == EX_POW ? prec / 32 : 0)))
        return EVAL_BIG;
    switch (e->op) {
    case EX_ADD:
    case EX_MUL:
        return accumulate(c, e, env, prec, out);
    case EX_NEG:
        s = eval_ball(c, e->kid[0], env, prec, out);
        if (s == EVAL_OK)
            acb_neg(out, out);
        return s;
    case EX_DIV:
        acb_init(x);
        s = eval_ball(c, e->kid[0], env, prec, out);
        if (s == EVAL_OK)
            s = eval_ball(c, e->kid[1], env, prec, x);
        if (s == EVAL_OK && acb_is_zero(x))
            s = EVAL_UNDEFINED;
        if (s == EVAL_OK) {
            acb_div(out, out, x, prec);
            s = checked(out);
        }
        acb_clear(x);
        return s;
    case EX_POW:
        acb_init(x);
        s = eval_ball(c, e->kid[0], env, prec, x);
        if (s == EVAL_OK)
            s = power(c, e, x, env, prec, out);
        acb_clear(x);
        return s;
    case EX_PERCENT:
        s = eval_ball(c, e->kid[0], env, prec, out);
        if (s == EVAL_OK)
            acb_div_si(out, out, 100, prec);
        return s;
    case EX_DEGREE:
        acb_init(x);
        s = eval_ball(c, e->kid[0], env, prec, x);
        if (s == EVAL_OK)
            degrees_to_radians(out, x, e->id == 0 ? 180 : e->id == 1 ? 10800 : 648000, prec);
        acb_clear(x);
        return s;
    case EX_FUNC:
        return function(c, e, env, prec, out);
    case EX_CASES:
        return branches(c, e, env, prec, out);
    default:
        return leaf(c, e, env, prec, out);
    }
}

/* --- variables -------------------------------------------------------------------------------- */

int vars_find(const struct vars *v, struct str name)
{
    for (int i = 0; i < v->n; i++)
        if (str_eq(v->name[i], name))
            return i;
    return -1;
}

void vars_collect(struct math_ctx *c, const struct expr *e, struct vars *v)
{
    struct str name;

    if (e->op == EX_SYM || e->op == EX_CALL || e->op == EX_BIGOP) {
        name = e->op == EX_SYM ? e->name : expr_form(&c->arena, e);
        if (vars_find(v, name) >= 0)
            return;
        if (v->n < MAX_VARS)
            v->name[v->n++] = name;
        else
            v->is_overfull = true;
        return;
    }
    for (int i = 0; i < e->n; i++)
        vars_collect(c, e->kid[i], v);
}
