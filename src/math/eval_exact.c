/* eval_exact.c - closed forms as elements of Calcium fields.
 *
 * The caller has bounded the number of generators and the sizes: Calcium cannot be interrupted. */
#include "math/compare_internal.h"

static enum eval_status checked(struct math_ctx *c, const ca_t x)
{
    return ca_is_unknown(x, &c->ca)                   ? EVAL_UNSUPPORTED
           : ca_check_is_number(x, &c->ca) == T_TRUE  ? EVAL_OK
           : ca_check_is_number(x, &c->ca) == T_FALSE ? EVAL_UNDEFINED
                                                      : EVAL_UNSUPPORTED;
}

/* x^(p/q) with the real branch for negative x and odd q. */
static enum eval_status power_rational(struct math_ctx *c, const ca_t x, const fmpq_t q, ca_t out)
{
    truth_t is_negative = T_FALSE;

    if (fmpz_bits(fmpq_numref(q)) > 12 || fmpz_cmp_ui(fmpq_denref(q), 64) > 0)
        return EVAL_UNSUPPORTED;
    if (!fmpz_is_one(fmpq_denref(q)) && fmpz_is_odd(fmpq_denref(q)) && !c->is_principal) {
        is_negative = ca_check_is_negative_real(x, &c->ca);
        if (is_negative == T_UNKNOWN)
            return EVAL_UNSUPPORTED;
    }
    if (ca_check_is_zero(x, &c->ca) == T_TRUE && fmpq_sgn(q) < 0)
        return EVAL_UNDEFINED;
    if (is_negative == T_TRUE) {
        ca_neg(out, x, &c->ca);
        ca_pow_fmpq(out, out, q, &c->ca);
        if (fmpz_is_odd(fmpq_numref(q)))
            ca_neg(out, out, &c->ca);
    } else if (fmpz_equal_ui(fmpq_denref(q), 2)) {
        ca_sqrt(out, x, &c->ca);
        ca_pow_fmpz(out, out, fmpq_numref(q), &c->ca);
    } else {
        ca_pow_fmpq(out, x, q, &c->ca);
    }
    return checked(c, out);
}

static bool is_fine_angle(struct math_ctx *c, const struct expr *angle);

static enum eval_status power(struct math_ctx *c, const struct expr *e, const ca_t x, ca_t out)
{
    fmpq_t q;
    ca_t y;
    enum eval_status s;

    fmpq_init(q);
    s = eval_rational(c, e->kid[1], q);
    if (s == EVAL_OK && !expr_is_const(e->kid[0], CONST_E)) {
        s = power_rational(c, x, q, out);
        fmpq_clear(q);
        return s;
    }
    fmpq_clear(q);
    if (is_fine_angle(c, e->kid[1]))
        return EVAL_UNSUPPORTED;
    ca_init(y, &c->ca);
    s = eval_exact(c, e->kid[1], y);
    if (s == EVAL_OK) {
        if (expr_is_const(e->kid[0], CONST_E))
            ca_exp(out, y, &c->ca);
        else
            ca_pow(out, x, y, &c->ca);
        s = checked(c, out);
    }
    ca_clear(y, &c->ca);
    return s;
}

/* sinh, cosh and the rest by exponentials. */
static void hyperbolic(struct math_ctx *c, int id, const ca_t x, ca_t out)
{
    ca_t u, v;

    ca_init(u, &c->ca);
    ca_init(v, &c->ca);
    ca_exp(u, x, &c->ca);
    ca_inv(v, u, &c->ca);
    switch (id) {
    case FN_SINH:
    case FN_CSCH:
        ca_sub(out, u, v, &c->ca);
        ca_div_ui(out, out, 2, &c->ca);
        break;
    case FN_COSH:
    case FN_SECH:
        ca_add(out, u, v, &c->ca);
        ca_div_ui(out, out, 2, &c->ca);
        break;
    default:
        ca_sub(out, u, v, &c->ca);
        ca_add(v, u, v, &c->ca);
        ca_div(out, out, v, &c->ca);
        break;
    }
    if (id == FN_CSCH || id == FN_SECH || id == FN_COTH)
        ca_inv(out, out, &c->ca);
    ca_clear(u, &c->ca);
    ca_clear(v, &c->ca);
}

/* Inverse hyperbolic functions by logarithms. */
static void area(struct math_ctx *c, int id, const ca_t x, ca_t out)
{
    ca_t u, one;

    ca_init(u, &c->ca);
    ca_init(one, &c->ca);
    ca_one(one, &c->ca);
    if (id == FN_ATANH) {
        ca_add(u, one, x, &c->ca);
        ca_sub(one, one, x, &c->ca);
        ca_div(u, u, one, &c->ca);
        ca_log(out, u, &c->ca);
        ca_div_ui(out, out, 2, &c->ca);
    } else {
        ca_mul(u, x, x, &c->ca);
        if (id == FN_ASINH)
            ca_add(u, u, one, &c->ca);
        else
            ca_sub(u, u, one, &c->ca);
        ca_sqrt(u, u, &c->ca);
        ca_add(u, u, x, &c->ca);
        ca_log(out, u, &c->ca);
    }
    ca_clear(u, &c->ca);
    ca_clear(one, &c->ca);
}

static enum eval_status logarithm(struct math_ctx *c, const struct expr *e, const ca_t x, ca_t out)
{
    ca_t b;
    enum eval_status s = EVAL_OK;

    if (ca_check_is_zero(x, &c->ca) != T_FALSE)
        return EVAL_UNDEFINED;
    if (e->id == FN_LN || (e->n == 1 && !c->log_is_ten)) {
        ca_log(out, x, &c->ca);
        return checked(c, out);
    }
    ca_init(b, &c->ca);
    if (e->n == 1)
        ca_set_ui(b, 10, &c->ca);
    else
        s = eval_exact(c, e->kid[1], b);
    if (s == EVAL_OK) {
        ca_log(b, b, &c->ca);
        ca_log(out, x, &c->ca);
        ca_div(out, out, b, &c->ca);
        s = checked(c, out);
    }
    ca_clear(b, &c->ca);
    return s;
}

/* e as a rational multiple of pi, by its shape alone. */
static bool pi_multiple(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    fmpq_t x;
    bool ok = true, seen = false;

    switch (e->op) {
    case EX_CONST:
        fmpq_one(out);
        return e->id == CONST_PI;
    case EX_DEGREE:
        if (e->id != 0 || eval_rational(c, e->kid[0], out) != EVAL_OK)
            return false;
        fmpq_div_fmpz(out, out, (fmpz[1]){180});
        return true;
    case EX_NEG:
        ok = pi_multiple(c, e->kid[0], out);
        fmpq_neg(out, out);
        return ok;
    case EX_ADD:
        fmpq_init(x);
        fmpq_zero(out);
        for (int i = 0; i < e->n && ok; i++) {
            ok = pi_multiple(c, e->kid[i], x);
            fmpq_add(out, out, x);
        }
        fmpq_clear(x);
        return ok;
    case EX_DIV:
    case EX_MUL:
        fmpq_init(x);
        fmpq_one(out);
        for (int i = 0; i < e->n && ok; i++) {
            if (eval_rational(c, e->kid[i], x) != EVAL_OK) {
                ok = !seen && !(e->op == EX_DIV && i == 1) && pi_multiple(c, e->kid[i], x);
                seen = true;
            }
            ok = ok && !(e->op == EX_DIV && i == 1 && fmpq_is_zero(x));
            if (ok && e->op == EX_DIV && i == 1)
                fmpq_div(out, out, x);
            else if (ok)
                fmpq_mul(out, out, x);
        }
        fmpq_clear(x);
        return ok && seen;
    default:
        return false;
    }
}

/* The sine of k pi / 12 by square roots, which cost Calcium a hundredth of what roots of unity do.
 */
static void sine_of_twelfths(struct math_ctx *c, long k, ca_t out)
{
    ca_t t;
    long sign = 1;

    k = (k % 24 + 24) % 24;
    if (k >= 12) {
        sign = -1;
        k -= 12;
    }
    if (k > 6)
        k = 12 - k;
    ca_init(t, &c->ca);
    switch (k) {
    case 0:
        ca_zero(out, &c->ca);
        break;
    case 1:
    case 5:
        ca_sqrt_ui(out, 6, &c->ca);
        ca_sqrt_ui(t, 2, &c->ca);
        if (k == 1)
            ca_sub(out, out, t, &c->ca);
        else
            ca_add(out, out, t, &c->ca);
        ca_div_ui(out, out, 4, &c->ca);
        break;
    case 2:
        ca_set_ui(out, 1, &c->ca);
        ca_div_ui(out, out, 2, &c->ca);
        break;
    case 3:
    case 4:
        ca_sqrt_ui(out, k == 3 ? 2 : 3, &c->ca);
        ca_div_ui(out, out, 2, &c->ca);
        break;
    default:
        ca_one(out, &c->ca);
        break;
    }
    if (sign < 0)
        ca_neg(out, out, &c->ca);
    ca_clear(t, &c->ca);
}

/* Trigonometric functions at multiples of pi / 12; false: another angle. */
static bool at_twelfths(struct math_ctx *c, int id, const struct expr *angle, ca_t out,
                        enum eval_status *s)
{
    fmpq_t q;
    ca_t t;
    long k;
    bool ok;

    fmpq_init(q);
    ok = id <= FN_CSC && pi_multiple(c, angle, q);
    if (ok) {
        fmpz_mul_ui(fmpq_numref(q), fmpq_numref(q), 12);
        fmpq_canonicalise(q);
        ok = fmpz_is_one(fmpq_denref(q)) && fmpz_bits(fmpq_numref(q)) < 40;
    }
    k = ok ? fmpz_get_si(fmpq_numref(q)) : 0;
    fmpq_clear(q);
    if (!ok)
        return false;
    ca_init(t, &c->ca);
    sine_of_twelfths(c, id == FN_COS || id == FN_COT || id == FN_SEC ? k + 6 : k, out);
    sine_of_twelfths(c, id == FN_TAN ? k + 6 : k, t);
    if (id == FN_SEC || id == FN_CSC) {
        ca_one(out, &c->ca);
        sine_of_twelfths(c, id == FN_SEC ? k + 6 : k, t);
    }
    *s = EVAL_OK;
    if (id != FN_SIN && id != FN_COS) {
        if (ca_check_is_zero(t, &c->ca) == T_TRUE)
            *s = EVAL_UNDEFINED;
        else
            ca_div(out, out, t, &c->ca);
    }
    ca_clear(t, &c->ca);
    return true;
}

/* The product of all denominators in a tree, up to a million. */
static double denominators(const struct expr *e)
{
    double d = e->op == EX_NUM ? fmpz_get_d(fmpq_denref(e->q)) : e->op == EX_DEGREE ? 30 : 1;

    if (e->op == EX_DIV && e->kid[1]->op == EX_NUM)
        d *= fmpz_get_d(fmpq_numref(e->kid[1]->q));
    for (int i = 0; i < e->n && d < 1e6; i++)
        d *= denominators(e->kid[i]);
    return d < 0 ? -d : d;
}

/* Roots of unity of a high order make number fields of a high degree, which take Calcium seconds.
 */
static bool is_fine_angle(struct math_ctx *c, const struct expr *angle)
{
    enum { MAX_ORDER = 30 };
    fmpq_t q;
    bool is_fine;

    if (!expr_has_const(angle, CONST_PI) && !expr_has_op(angle, EX_DEGREE))
        return false;
    fmpq_init(q);
    is_fine = pi_multiple(c, angle, q) ? fmpz_cmp_ui(fmpq_denref(q), MAX_ORDER) > 0
                                       : denominators(angle) > MAX_ORDER;
    fmpq_clear(q);
    return is_fine;
}

static void trigonometric(struct math_ctx *c, int id, const ca_t x, ca_t out)
{
    ca_t t;

    switch (id) {
    case FN_SIN:
        ca_sin(out, x, &c->ca);
        break;
    case FN_COS:
        ca_cos(out, x, &c->ca);
        break;
    case FN_TAN:
        ca_tan(out, x, &c->ca);
        break;
    case FN_COT:
        ca_cot(out, x, &c->ca);
        break;
    case FN_SEC:
        ca_cos(out, x, &c->ca);
        ca_inv(out, out, &c->ca);
        break;
    case FN_CSC:
        ca_sin(out, x, &c->ca);
        ca_inv(out, out, &c->ca);
        break;
    case FN_ASIN:
        ca_asin(out, x, &c->ca);
        break;
    case FN_ACOS:
        ca_acos(out, x, &c->ca);
        break;
    case FN_ATAN:
        ca_atan(out, x, &c->ca);
        break;
    case FN_ACOT:
        ca_init(t, &c->ca);
        ca_pi(t, &c->ca);
        ca_div_ui(t, t, 2, &c->ca);
        ca_atan(out, x, &c->ca);
        ca_sub(out, t, out, &c->ca);
        ca_clear(t, &c->ca);
        break;
    default:
        ca_inv(out, x, &c->ca);
        if (id == FN_ASEC)
            ca_acos(out, out, &c->ca);
        else
            ca_asin(out, out, &c->ca);
        break;
    }
}

static enum eval_status function(struct math_ctx *c, const struct expr *e, ca_t out)
{
    enum eval_status s;
    fmpq_t q;
    ca_t x;

    if (e->n < 1 || e->n > 2 || e->id == FN_DET)
        return EVAL_UNSUPPORTED;
    if (at_twelfths(c, e->id, e->kid[0], out, &s))
        return s;
    if ((e->id <= FN_CSC || e->id == FN_EXP || e->id == FN_CIS) && is_fine_angle(c, e->kid[0]))
        return EVAL_UNSUPPORTED;
    ca_init(x, &c->ca);
    s = eval_exact(c, e->kid[0], x);
    if (s != EVAL_OK) {
        ca_clear(x, &c->ca);
        return s;
    }
    if (e->id <= FN_ACSC) {
        trigonometric(c, e->id, x, out);
        s = checked(c, out);
    } else if (e->id <= FN_CSCH) {
        hyperbolic(c, e->id, x, out);
        s = checked(c, out);
    } else if (e->id <= FN_ATANH) {
        area(c, e->id, x, out);
        s = checked(c, out);
    } else if (e->id == FN_LN || e->id == FN_LOG) {
        s = logarithm(c, e, x, out);
    } else {
        switch (e->id) {
        case FN_EXP:
            ca_exp(out, x, &c->ca);
            break;
        case FN_SQRT:
            ca_sqrt(out, x, &c->ca);
            break;
        case FN_ROOT:
            fmpq_init(q);
            s = e->n == 2 ? eval_rational(c, e->kid[1], q) : EVAL_OK;
            if (e->n == 1)
                fmpq_set_si(q, 3, 1);
            if (s == EVAL_OK && fmpq_is_zero(q))
                s = EVAL_UNDEFINED;
            if (s == EVAL_OK) {
                fmpq_inv(q, q);
                s = power_rational(c, x, q, out);
            }
            fmpq_clear(q);
            break;
        case FN_ABS:
            ca_abs(out, x, &c->ca);
            break;
        case FN_FLOOR:
            ca_floor(out, x, &c->ca);
            break;
        case FN_CEIL:
            ca_ceil(out, x, &c->ca);
            break;
        case FN_RE:
            ca_re(out, x, &c->ca);
            break;
        case FN_IM:
            ca_im(out, x, &c->ca);
            break;
        case FN_CONJ:
            ca_conj(out, x, &c->ca);
            break;
        case FN_SGN:
            ca_sgn(out, x, &c->ca);
            break;
        case FN_ARG:
            ca_arg(out, x, &c->ca);
            break;
        case FN_CIS: {
            ca_t i;
            ca_init(i, &c->ca);
            ca_i(i, &c->ca);
            ca_mul(x, x, i, &c->ca);
            ca_exp(out, x, &c->ca);
            ca_clear(i, &c->ca);
            break;
        }
        default:
            s = EVAL_UNSUPPORTED;
            break;
        }
        if (s == EVAL_OK)
            s = checked(c, out);
    }
    ca_clear(x, &c->ca);
    return s;
}

static enum eval_status accumulate(struct math_ctx *c, const struct expr *e, ca_t out)
{
    enum eval_status s = EVAL_OK;
    ca_t x;

    ca_init(x, &c->ca);
    if (e->op == EX_ADD)
        ca_zero(out, &c->ca);
    else
        ca_one(out, &c->ca);
    for (int i = 0; i < e->n && s == EVAL_OK; i++) {
        s = eval_exact(c, e->kid[i], x);
        if (s != EVAL_OK)
            break;
        if (e->op == EX_ADD)
            ca_add(out, out, x, &c->ca);
        else
            ca_mul(out, out, x, &c->ca);
    }
    ca_clear(x, &c->ca);
    return s;
}

static enum eval_status constant(struct math_ctx *c, const struct expr *e, ca_t out)
{
    switch (e->id) {
    case CONST_PI:
        ca_pi(out, &c->ca);
        return EVAL_OK;
    case CONST_E:
        ca_one(out, &c->ca);
        ca_exp(out, out, &c->ca);
        return EVAL_OK;
    case CONST_I:
        ca_i(out, &c->ca);
        return EVAL_OK;
    default:
        return e->id == CONST_UNDEFINED ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
    }
}

enum eval_status eval_exact(struct math_ctx *c, const struct expr *e, ca_t out)
{
    enum eval_status s;
    fmpq_t q;
    ca_t x;

    if (!spend(c, 400))
        return EVAL_BIG;
    if (e->op != EX_CONST) {
        /* whatever is rational goes in as a rational, so that Calcium makes no field for it */
        fmpq_init(q);
        s = eval_rational(c, e, q);
        if (s == EVAL_OK)
            ca_set_fmpq(out, q, &c->ca);
        bool is_huge =
            s == EVAL_OK && (fmpz_bits(fmpq_numref(q)) > 4096 || fmpz_bits(fmpq_denref(q)) > 4096);
        fmpq_clear(q);
        if (is_huge)
            return EVAL_BIG;
        if (s != EVAL_UNSUPPORTED)
            return s;
    }
    switch (e->op) {
    case EX_CONST:
        return constant(c, e, out);
    case EX_ADD:
    case EX_MUL:
        return accumulate(c, e, out);
    case EX_NEG:
        s = eval_exact(c, e->kid[0], out);
        if (s == EVAL_OK)
            ca_neg(out, out, &c->ca);
        return s;
    case EX_DIV:
        ca_init(x, &c->ca);
        s = eval_exact(c, e->kid[0], out);
        if (s == EVAL_OK)
            s = eval_exact(c, e->kid[1], x);
        if (s == EVAL_OK) {
            truth_t zero = ca_check_is_zero(x, &c->ca);
            if (zero == T_TRUE)
                s = EVAL_UNDEFINED;
            else if (zero == T_UNKNOWN)
                s = EVAL_UNSUPPORTED;
            else
                ca_div(out, out, x, &c->ca);
        }
        ca_clear(x, &c->ca);
        return s;
    case EX_POW:
        ca_init(x, &c->ca);
        s = eval_exact(c, e->kid[0], x);
        if (s == EVAL_OK)
            s = power(c, e, x, out);
        ca_clear(x, &c->ca);
        return s;
    case EX_PERCENT:
        s = eval_exact(c, e->kid[0], out);
        if (s == EVAL_OK)
            ca_div_ui(out, out, 100, &c->ca);
        return s;
    case EX_DEGREE:
        ca_init(x, &c->ca);
        s = eval_exact(c, e->kid[0], out);
        if (s == EVAL_OK) {
            ca_pi(x, &c->ca);
            ca_mul(out, out, x, &c->ca);
            ca_div_ui(out, out, e->id == 0 ? 180 : e->id == 1 ? 10800 : 648000, &c->ca);
        }
        ca_clear(x, &c->ca);
        return s;
    case EX_FUNC:
        return function(c, e, out);
    default:
        return EVAL_UNSUPPORTED;
    }
}
