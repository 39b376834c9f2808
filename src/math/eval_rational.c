/* eval_rational.c - trees without variables that are rational numbers.
 *
 * Sizes are bounded before every call: a power whose result would exceed MAX_EXACT_BITS is BIG. */
#include "math/compare_internal.h"

bool spend(struct math_ctx *c, long steps)
{
    c->steps -= steps;
    return c->steps > 0;
}

static long bits_of(const fmpq_t q)
{
    return (long)MAX(fmpz_bits(fmpq_numref(q)), fmpz_bits(fmpq_denref(q)));
}

/* x to a whole power. */
static enum eval_status power_int(struct math_ctx *c, fmpq_t out, const fmpq_t x, const fmpz_t n)
{
    long k, bits = bits_of(x);

    if (fmpq_is_zero(x)) {
        if (fmpz_sgn(n) < 0)
            return EVAL_UNDEFINED;
        fmpq_set_si(out, fmpz_is_zero(n) ? 1 : 0, 1);
        return EVAL_OK;
    }
    if (fmpq_is_one(x)) {
        fmpq_one(out);
        return EVAL_OK;
    }
    if (fmpz_is_one(fmpq_denref(x)) && fmpz_equal_si(fmpq_numref(x), -1)) {
        fmpq_set_si(out, fmpz_is_even(n) ? 1 : -1, 1);
        return EVAL_OK;
    }
    if (fmpz_cmpabs(n, fmpq_numref(x)) < 0 && fmpz_bits(n) > 40)
        return EVAL_BIG;
    if (fmpz_bits(n) > 30)
        return EVAL_BIG;
    k = fmpz_get_si(n);
    if (labs(k) > MAX_EXACT_BITS / bits)
        return EVAL_BIG;
    if (!spend(c, 1 + labs(k) * bits / 512))
        return EVAL_BIG;
    fmpq_pow_si(out, x, k);
    return EVAL_OK;
}

/* The exact n-th root of a non-negative rational, if it is rational. */
static bool exact_root(fmpq_t out, const fmpq_t x, unsigned long n)
{
    fmpz_t r;
    bool ok = false;

    if (bits_of(x) > 4096 || n == 0 || n > 64)
        return false;
    fmpz_init(r);
    if (fmpz_root(r, fmpq_numref(x), (slong)n)) {
        fmpz_set(fmpq_numref(out), r);
        if (fmpz_root(r, fmpq_denref(x), (slong)n)) {
            fmpz_set(fmpq_denref(out), r);
            ok = true;
        }
    }
    fmpz_clear(r);
    return ok;
}

static enum eval_status root_of(struct math_ctx *c, fmpq_t out, const fmpq_t x, unsigned long n)
{
    fmpq_t y;
    bool ok;
    int sign = fmpq_sgn(x);

    if (sign < 0 && (n % 2 == 0 || c->is_principal))
        return EVAL_UNSUPPORTED;
    fmpq_init(y);
    fmpq_abs(y, x);
    ok = exact_root(out, y, n);
    if (ok && sign < 0)
        fmpq_neg(out, out);
    else if (!ok)
        fmpq_set_si(out, 0, 1); /* numerator and denominator may be half written */
    fmpq_clear(y);
    return ok ? EVAL_OK : EVAL_UNSUPPORTED;
}

static enum eval_status power(struct math_ctx *c, fmpq_t out, const fmpq_t x, const fmpq_t n)
{
    fmpq_t r;
    enum eval_status s;

    if (fmpz_is_one(fmpq_denref(n)))
        return power_int(c, out, x, fmpq_numref(n));
    if (fmpq_is_zero(x)) {
        fmpq_zero(out);
        return fmpq_sgn(n) > 0 ? EVAL_OK : EVAL_UNDEFINED;
    }
    if (fmpz_cmp_ui(fmpq_denref(n), 64) > 0)
        return EVAL_UNSUPPORTED;
    fmpq_init(r);
    s = root_of(c, r, x, fmpz_get_ui(fmpq_denref(n)));
    if (s == EVAL_OK)
        s = power_int(c, out, r, fmpq_numref(n));
    fmpq_clear(r);
    return s;
}

static bool small_int(const fmpq_t x, long limit, long *out)
{
    if (!fmpz_is_one(fmpq_denref(x)) || fmpz_cmp_si(fmpq_numref(x), limit) > 0 ||
        fmpz_cmp_si(fmpq_numref(x), -limit) < 0)
        return false;
    *out = fmpz_get_si(fmpq_numref(x));
    return true;
}

static enum eval_status factorial(struct math_ctx *c, fmpq_t out, const fmpq_t x, bool is_double)
{
    long n;

    if (!fmpz_is_one(fmpq_denref(x)))
        return EVAL_UNSUPPORTED;
    if (fmpq_sgn(x) < 0)
        return EVAL_UNDEFINED;
    if (!small_int(x, 9000, &n) || !spend(c, 1 + n / 8))
        return EVAL_BIG;
    fmpz_one(fmpq_denref(out));
    if (is_double)
        fmpz_one(fmpq_numref(out));
    else
        fmpz_fac_ui(fmpq_numref(out), (ulong)n);
    for (long k = n; is_double && k > 1; k -= 2)
        fmpz_mul_si(fmpq_numref(out), fmpq_numref(out), k);
    return EVAL_OK;
}

static enum eval_status binomial(struct math_ctx *c, fmpq_t out, const fmpq_t x, const fmpq_t y)
{
    long n, k;
    fmpq_t t;

    if (small_int(y, 400, &k) && k >= 0 && !small_int(x, 1000000, &n) && bits_of(x) < 256) {
        /* x (x - 1) ... (x - k + 1) / k! for any x */
        fmpq_one(out);
        fmpq_init(t);
        for (long i = 0; i < k; i++) {
            fmpq_sub_si(t, x, i);
            fmpq_mul(out, out, t);
            fmpq_set_si(t, 1, (ulong)i + 1);
            fmpq_mul(out, out, t);
        }
        fmpq_clear(t);
        return EVAL_OK;
    }
    if (!fmpz_is_one(fmpq_denref(x)) || !fmpz_is_one(fmpq_denref(y)))
        return EVAL_UNSUPPORTED;
    if (!small_int(x, 9000, &n) || !small_int(y, 9000, &k))
        return EVAL_BIG;
    if (n < 0)
        return EVAL_UNSUPPORTED;
    if (!spend(c, 1 + n / 8))
        return EVAL_BIG;
    fmpz_one(fmpq_denref(out));
    if (k < 0 || k > n)
        fmpz_zero(fmpq_numref(out));
    else
        fmpz_bin_uiui(fmpq_numref(out), (ulong)n, (ulong)k);
    return EVAL_OK;
}

/* gcd, lcm, max, min over all arguments; mod over two. */
static enum eval_status fold(const struct expr *e, fmpq_t acc, const fmpq_t x)
{
    bool whole = fmpz_is_one(fmpq_denref(acc)) && fmpz_is_one(fmpq_denref(x));

    switch (e->id) {
    case FN_MAX:
        if (fmpq_cmp(x, acc) > 0)
            fmpq_set(acc, x);
        return EVAL_OK;
    case FN_MIN:
        if (fmpq_cmp(x, acc) < 0)
            fmpq_set(acc, x);
        return EVAL_OK;
    case FN_GCD:
    case FN_LCM:
        if (!whole)
            return EVAL_UNSUPPORTED;
        if (e->id == FN_GCD)
            fmpz_gcd(fmpq_numref(acc), fmpq_numref(acc), fmpq_numref(x));
        else
            fmpz_lcm(fmpq_numref(acc), fmpq_numref(acc), fmpq_numref(x));
        return EVAL_OK;
    default:
        if (!whole || fmpz_is_zero(fmpq_numref(x)))
            return whole ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
        fmpz_mod(fmpq_numref(acc), fmpq_numref(acc), fmpq_numref(x));
        return EVAL_OK;
    }
}

static enum eval_status function(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    fmpq_t x;
    fmpz_t z;
    long k;
    enum eval_status s = EVAL_UNSUPPORTED;

    if (e->n < 1 || e->id == FN_DET)
        return EVAL_UNSUPPORTED;
    s = eval_rational(c, e->kid[0], out);
    if (s != EVAL_OK)
        return s;
    fmpq_init(x);
    switch (e->id) {
    case FN_SQRT:
        fmpq_set(x, out);
        s = root_of(c, out, x, 2);
        break;
    case FN_ROOT:
        fmpq_set(x, out);
        if (e->n == 1) {
            s = root_of(c, out, x, 3); /* cbrt */
        } else {
            fmpq_t n;
            fmpq_init(n);
            s = eval_rational(c, e->kid[1], n);
            if (s == EVAL_OK && small_int(n, 64, &k) && k > 0)
                s = root_of(c, out, x, (unsigned long)k);
            else if (s == EVAL_OK)
                s = fmpq_is_zero(n) ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
            fmpq_clear(n);
        }
        break;
    case FN_ABS:
        fmpq_abs(out, out);
        break;
    case FN_FLOOR:
    case FN_CEIL:
        fmpz_init(z);
        if (e->id == FN_FLOOR)
            fmpz_fdiv_q(z, fmpq_numref(out), fmpq_denref(out));
        else
            fmpz_cdiv_q(z, fmpq_numref(out), fmpq_denref(out));
        fmpq_set_fmpz(out, z);
        fmpz_clear(z);
        break;
    case FN_SGN:
        fmpq_set_si(out, fmpq_sgn(out), 1);
        break;
    case FN_RE:
    case FN_CONJ:
        break;
    case FN_IM:
        fmpq_zero(out);
        break;
    case FN_FACT:
    case FN_FACT2:
        fmpq_set(x, out);
        s = factorial(c, out, x, e->id == FN_FACT2);
        break;
    case FN_BINOM: {
        fmpq_t y;
        fmpq_init(y);
        fmpq_set(x, out);
        s = e->n == 2 ? eval_rational(c, e->kid[1], y) : EVAL_UNSUPPORTED;
        if (s == EVAL_OK)
            s = binomial(c, out, x, y);
        fmpq_clear(y);
        break;
    }
    case FN_GCD:
    case FN_LCM:
    case FN_MAX:
    case FN_MIN:
    case FN_MOD:
        for (int i = 1; i < e->n && s == EVAL_OK; i++) {
            s = eval_rational(c, e->kid[i], x);
            if (s == EVAL_OK)
                s = fold(e, out, x);
        }
        break;
    case FN_EXP:
        s = fmpq_is_zero(out) ? EVAL_OK : EVAL_UNSUPPORTED;
        fmpq_one(out);
        break;
    case FN_LN:
    case FN_LOG:
        s = fmpq_is_zero(out) ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
        if (fmpq_is_one(out) && e->n == 1) {
            fmpq_zero(out);
            s = EVAL_OK;
        }
        break;
    default:
        s = EVAL_UNSUPPORTED;
        break;
    }
    fmpq_clear(x);
    return s;
}

/* Kids of a sum or product into out. */
static enum eval_status accumulate(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    bool is_sum = e->op == EX_ADD;
    enum eval_status s = EVAL_OK, worst = EVAL_OK;
    fmpq_t x;

    fmpq_init(x);
    fmpq_set_si(out, is_sum ? 0 : 1, 1);
    for (int i = 0; i < e->n; i++) {
        s = eval_rational(c, e->kid[i], x);
        if (s == EVAL_UNDEFINED) {
            worst = s;
            break;
        }
        if (s != EVAL_OK) {
            worst = MAX(worst, s);
            continue;
        }
        if (worst != EVAL_OK)
            continue;
        if (!is_sum && bits_of(out) + bits_of(x) > MAX_EXACT_BITS)
            worst = EVAL_BIG;
        else if (is_sum && !fmpz_is_one(fmpq_denref(x)) && bits_of(out) + bits_of(x) > 1 << 16)
            worst = EVAL_BIG;
        else if (!spend(c, 1 + (bits_of(out) + bits_of(x)) / 1024))
            worst = EVAL_BIG;
        else if (is_sum)
            fmpq_add(out, out, x);
        else
            fmpq_mul(out, out, x);
    }
    fmpq_clear(x);
    return worst;
}

static enum eval_status quotient(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    enum eval_status s, t;
    fmpq_t x;

    fmpq_init(x);
    s = eval_rational(c, e->kid[0], out);
    t = eval_rational(c, e->kid[1], x);
    if (t == EVAL_OK && fmpq_is_zero(x))
        t = EVAL_UNDEFINED;
    if (s == EVAL_UNDEFINED || t == EVAL_UNDEFINED)
        s = EVAL_UNDEFINED;
    else if (s == EVAL_OK && t == EVAL_OK) {
        if (bits_of(out) + bits_of(x) > 1 << 17 || !spend(c, 1 + (bits_of(out) + bits_of(x)) / 256))
            s = EVAL_BIG;
        else
            fmpq_div(out, out, x);
    } else {
        s = MAX(s, t);
    }
    fmpq_clear(x);
    return s;
}

enum eval_status eval_rational(struct math_ctx *c, const struct expr *e, fmpq_t out)
{
    enum eval_status s, t;
    fmpq_t x, y;

    switch (e->op) {
    case EX_NUM:
        fmpq_set(out, e->q);
        return EVAL_OK;
    case EX_CONST:
        return e->id == CONST_UNDEFINED ? EVAL_UNDEFINED : EVAL_UNSUPPORTED;
    case EX_NEG:
        s = eval_rational(c, e->kid[0], out);
        if (s == EVAL_OK)
            fmpq_neg(out, out);
        return s;
    case EX_ADD:
    case EX_MUL:
        return accumulate(c, e, out);
    case EX_DIV:
        return quotient(c, e, out);
    case EX_POW:
        fmpq_init(x);
        fmpq_init(y);
        s = eval_rational(c, e->kid[0], x);
        t = eval_rational(c, e->kid[1], y);
        if (s == EVAL_UNDEFINED || t == EVAL_UNDEFINED)
            s = EVAL_UNDEFINED;
        else if (s == EVAL_OK && t == EVAL_OK)
            s = power(c, out, x, y);
        else
            s = MAX(s, t);
        fmpq_clear(x);
        fmpq_clear(y);
        return s;
    case EX_PERCENT:
        s = eval_rational(c, e->kid[0], out);
        if (s == EVAL_OK)
            fmpq_div_fmpz(out, out, (fmpz[1]){100});
        return s;
    case EX_FUNC:
        return function(c, e, out);
    default:
        return EVAL_UNSUPPORTED;
    }
}
