/* magnitude.c - numbers too large to write down.
 *
 * A product of powers and factorials becomes exponents of primes, which are compared exactly. What
 * is no such product is bounded by towers: e = exp_2 iterated `level` times of a double, from below
 * and above; disjoint bounds prove two numbers different. */
#include "math/compare_internal.h"

#include <flint/ulong_extras.h>

#include <math.h>

enum { MAX_SIEVE = 10000000, MAX_FACTORS = 1024 };

/* Prime exponents: small and arbitrary primes in a sorted table, plus factorials kept apart. */
struct factor {
    ulong prime;
    fmpz exponent;
};

struct product {
    struct math_ctx *c;
    struct factor *f;
    int n, cap;
    ulong fact[16]; /* n! with ... */
    fmpz fact_power[16];
    int n_fact;
    int sign; /* 0: the product is zero */
    bool is_bad;
};

static void add_prime(struct product *p, ulong prime, const fmpz_t power)
{
    for (int i = 0; i < p->n; i++) {
        if (p->f[i].prime == prime) {
            fmpz_add(&p->f[i].exponent, &p->f[i].exponent, power);
            return;
        }
    }
    if (p->n == p->cap) {
        p->is_bad = true;
        return;
    }
    p->f[p->n].prime = prime;
    fmpz_init_set(&p->f[p->n++].exponent, power);
}

static void add_ulong(struct product *p, ulong n, const fmpz_t power)
{
    n_factor_t factors;
    fmpz_t t;

    if (n == 1)
        return;
    n_factor_init(&factors);
    n_factor(&factors, n, 1);
    fmpz_init(t);
    for (int i = 0; i < factors.num; i++) {
        fmpz_mul_ui(t, power, factors.exp[i]);
        add_prime(p, factors.p[i], t);
    }
    fmpz_clear(t);
}

static void add_integer(struct product *p, const fmpz_t n, const fmpz_t power)
{
    fmpz_t a;

    if (fmpz_is_zero(n)) {
        p->sign = 0;
        p->is_bad |= fmpz_sgn(power) < 0;
        return;
    }
    if (fmpz_sgn(n) < 0 && fmpz_is_odd(power))
        p->sign = -p->sign;
    fmpz_init(a);
    fmpz_abs(a, n);
    if (fmpz_bits(a) > 2048) {
        p->is_bad = true;
    } else {
        for (ulong q = 2; fmpz_bits(a) > 62 && q < 1000; q = n_nextprime(q, 1)) {
            fmpz_t t;
            slong k;
            fmpz_init(t);
            fmpz_set_ui(t, q);
            k = fmpz_remove(a, a, t);
            if (k > 0) {
                fmpz_mul_si(t, power, k);
                add_prime(p, q, t);
            }
            fmpz_clear(t);
        }
        if (fmpz_bits(a) <= 62)
            add_ulong(p, fmpz_get_ui(a), power);
        else
            p->is_bad = true;
    }
    fmpz_clear(a);
}

static void add_factorial(struct product *p, ulong n, const fmpz_t power)
{
    for (int i = 0; i < p->n_fact; i++) {
        if (p->fact[i] == n) {
            fmpz_add(&p->fact_power[i], &p->fact_power[i], power);
            return;
        }
    }
    if (p->n_fact == (int)LEN(p->fact)) {
        p->is_bad = true;
        return;
    }
    p->fact[p->n_fact] = n;
    fmpz_init_set(&p->fact_power[p->n_fact++], power);
}

static bool small_argument(struct math_ctx *c, const struct expr *e, ulong *n)
{
    fmpq_t q;
    bool ok;

    fmpq_init(q);
    ok = eval_rational(c, e, q) == EVAL_OK && fmpz_is_one(fmpq_denref(q)) && fmpq_sgn(q) >= 0 &&
         fmpz_bits(fmpq_numref(q)) <= 60;
    *n = ok ? fmpz_get_ui(fmpq_numref(q)) : 0;
    fmpq_clear(q);
    return ok;
}

static void add_expr(struct product *p, const struct expr *e, const fmpz_t power)
{
    fmpz_t t;
    fmpq_t q;
    ulong n, k;

    if (p->is_bad || !spend(p->c, 5)) {
        p->is_bad = true;
        return;
    }
    switch (e->op) {
    case EX_NUM:
        fmpz_init(t);
        fmpz_neg(t, power);
        add_integer(p, fmpq_numref(e->q), power);
        if (!fmpz_is_one(fmpq_denref(e->q)))
            add_integer(p, fmpq_denref(e->q), t);
        fmpz_clear(t);
        return;
    case EX_NEG:
        if (fmpz_is_odd(power))
            p->sign = -p->sign;
        add_expr(p, e->kid[0], power);
        return;
    case EX_MUL:
        for (int i = 0; i < e->n; i++)
            add_expr(p, e->kid[i], power);
        return;
    case EX_DIV:
        fmpz_init(t);
        fmpz_neg(t, power);
        add_expr(p, e->kid[0], power);
        add_expr(p, e->kid[1], t);
        fmpz_clear(t);
        return;
    case EX_POW:
        fmpq_init(q);
        if (eval_rational(p->c, e->kid[1], q) == EVAL_OK && fmpz_is_one(fmpq_denref(q)) &&
            fmpz_bits(fmpq_numref(q)) <= 1 << 15) {
            fmpz_mul(fmpq_numref(q), fmpq_numref(q), power);
            add_expr(p, e->kid[0], fmpq_numref(q));
        } else {
            p->is_bad = true;
        }
        fmpq_clear(q);
        return;
    case EX_FUNC:
        if (e->id == FN_FACT && small_argument(p->c, e->kid[0], &n)) {
            add_factorial(p, n, power);
            return;
        }
        if (e->id == FN_BINOM && e->n == 2 && small_argument(p->c, e->kid[0], &n) &&
            small_argument(p->c, e->kid[1], &k) && k <= n) {
            fmpz_init(t);
            fmpz_neg(t, power);
            add_factorial(p, n, power);
            add_factorial(p, k, t);
            add_factorial(p, n - k, t);
            fmpz_clear(t);
            return;
        }
        break;
    default:
        break;
    }
    /* anything that can be computed, such as a small sum */
    fmpq_init(q);
    if (eval_rational(p->c, e, q) == EVAL_OK) {
        fmpz_init(t);
        fmpz_neg(t, power);
        add_integer(p, fmpq_numref(q), power);
        if (!fmpz_is_one(fmpq_denref(q)))
            add_integer(p, fmpq_denref(q), t);
        fmpz_clear(t);
    } else {
        p->is_bad = true;
    }
    fmpq_clear(q);
}

/* Factorials against each other: n! is (n - d)! times d factors when both occur and d is small. */
static void cancel_factorials(struct product *p)
{
    for (bool again = true; again && !p->is_bad;) {
        again = false;
        for (int i = 0; i < p->n_fact && !again; i++) {
            for (int j = 0; j < p->n_fact && !again; j++) {
                if (i == j || fmpz_is_zero(&p->fact_power[i]) || fmpz_is_zero(&p->fact_power[j]) ||
                    p->fact[i] <= p->fact[j] || p->fact[i] - p->fact[j] > 200)
                    continue;
                for (ulong k = p->fact[j] + 1; k <= p->fact[i]; k++)
                    add_ulong(p, k, &p->fact_power[i]);
                fmpz_add(&p->fact_power[j], &p->fact_power[j], &p->fact_power[i]);
                fmpz_zero(&p->fact_power[i]);
                again = true;
            }
        }
    }
}

/* The power of a prime in the factorials that are left (Legendre). */
static void factorial_exponent(fmpz_t out, const struct product *p, ulong prime)
{
    fmpz_t t;

    fmpz_init(t);
    fmpz_zero(out);
    for (int i = 0; i < p->n_fact; i++) {
        ulong k = 0;
        for (ulong n = p->fact[i] / prime; n > 0; n /= prime)
            k += n;
        fmpz_mul_ui(t, &p->fact_power[i], k);
        fmpz_add(out, out, t);
    }
    fmpz_clear(t);
}

static void product_init(struct product *p, struct math_ctx *c)
{
    *p = (struct product){.c = c, .sign = 1, .cap = MAX_FACTORS};
    p->f = arena_array(&c->arena, MAX_FACTORS, sizeof(*p->f));
}

static void product_clear(struct product *p)
{
    for (int i = 0; i < p->n; i++)
        fmpz_clear(&p->f[i].exponent);
    for (int i = 0; i < p->n_fact; i++)
        fmpz_clear(&p->fact_power[i]);
}

/* Whether the product, of both sides' quotient, is one. */
static enum tri is_one(struct product *p)
{
    ulong largest = 0;
    enum tri t = TRI_YES;
    fmpz_t k;

    cancel_factorials(p);
    for (int i = 0; i < p->n_fact; i++)
        if (!fmpz_is_zero(&p->fact_power[i]))
            largest = MAX(largest, p->fact[i]);
    if (p->is_bad)
        return TRI_UNKNOWN;
    fmpz_init(k);
    for (int i = 0; i < p->n && t == TRI_YES; i++) {
        factorial_exponent(k, p, p->f[i].prime);
        fmpz_add(k, k, &p->f[i].exponent);
        if (!fmpz_is_zero(k))
            t = TRI_NO;
    }
    if (t == TRI_YES && largest > 0) {
        /* between the largest factorial's half and itself lies a prime that no other one cancels */
        if (largest > MAX_SIEVE || !spend(p->c, (long)(largest / 200))) {
            t = TRI_UNKNOWN;
        } else {
            n_primes_t iter;
            n_primes_init(iter);
            for (ulong q = n_primes_next(iter); q <= largest && t == TRI_YES;
                 q = n_primes_next(iter)) {
                bool is_listed = false;
                factorial_exponent(k, p, q);
                if (fmpz_is_zero(k))
                    continue;
                for (int i = 0; i < p->n && !is_listed; i++)
                    is_listed = p->f[i].prime == q;
                if (!is_listed)
                    t = TRI_NO;
            }
            n_primes_clear(iter);
        }
    }
    fmpz_clear(k);
    return t;
}

static enum tri products_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct product p;
    fmpz_t one, minus_one;
    enum tri t = TRI_UNKNOWN;

    product_init(&p, c);
    fmpz_init_set_si(one, 1);
    fmpz_init_set_si(minus_one, -1);
    add_expr(&p, a, one);
    bool a_is_zero = p.sign == 0;
    add_expr(&p, b, minus_one);
    if (!p.is_bad && !a_is_zero && p.sign != 0)
        t = p.sign < 0 ? TRI_NO : is_one(&p);
    product_clear(&p);
    fmpz_clear(one);
    fmpz_clear(minus_one);
    return t;
}

/* --- towers ----------------------------------------------------------------------------------- */

/* 2^2^...^x with `level` twos, as a number with a known order: a larger level is a larger number,
 * since x stays in [32, 1e9) above level 0. */
struct tower {
    int level;
    double x;
};

struct bounds {
    struct tower lo, hi;
    bool ok; /* a positive number within these bounds */
};

static struct tower settle(int level, double x)
{
    while (x >= 1e9) {
        x = log2(x);
        level++;
    }
    while (level > 0 && x < 29.897352853986263) /* log2(1e9) */ {
        x = exp2(x);
        level--;
    }
    return (struct tower){level, x};
}

static bool tower_less(struct tower a, struct tower b)
{
    return a.level != b.level ? a.level < b.level : a.x < b.x;
}

static struct tower tower_log(struct tower t)
{
    return t.level > 0 ? settle(t.level - 1, t.x) : settle(0, log2(MAX(t.x, 1e-300)));
}

/* log2 of a number above 1, times a factor, as a tower; margins cover what doubles lose. */
static struct tower tower_scale(struct tower log, double factor)
{
    if (log.level == 0)
        return settle(0, log.x * factor);
    if (log.level == 1)
        return settle(1, log.x + log2(factor));
    return log;
}

static struct bounds bounds_of(struct math_ctx *c, const struct expr *e)
{
    struct bounds none = {.ok = false}, a, b;

    if (!spend(c, 5))
        return none;
    if (e->op == EX_NUM) {
        double bits = (double)fmpz_bits(fmpq_numref(e->q)) - (double)fmpz_bits(fmpq_denref(e->q));
        if (fmpq_sgn(e->q) <= 0)
            return none;
        if (bits < 60 && bits > -60) {
            double v = fmpz_get_d(fmpq_numref(e->q)) / fmpz_get_d(fmpq_denref(e->q));
            if (isfinite(v))
                return (struct bounds){settle(0, v * (1 - 1e-9)), settle(0, v * (1 + 1e-9)), true};
        }
        if (bits > 60)
            return (struct bounds){settle(1, bits - 1.001), settle(1, bits + 1.001), true};
        return none;
    }
    switch (e->op) {
    case EX_POW:
        a = bounds_of(c, e->kid[0]);
        b = bounds_of(c, e->kid[1]);
        if (!a.ok || !b.ok || (a.lo.level == 0 && a.lo.x < 1.5))
            return none;
        /* log2 of the power is exponent times log2 of the base */
        {
            struct tower la = tower_log(a.lo), ha = tower_log(a.hi);
            if (la.level > 0 || ha.level > 0) {
                /* a huge base: exponent at least 1 keeps it, the product of logs bounds it above */
                if (b.lo.level == 0 && b.lo.x < 1)
                    return none;
                struct tower big = tower_less(ha, b.hi) ? b.hi : ha;
                struct tower low = tower_less(la, b.lo) ? b.lo : la;
                struct tower up = big.level == 0   ? settle(0, big.x * big.x)
                                  : big.level == 1 ? settle(1, big.x * 2)
                                                   : settle(big.level, big.x * (1 + 1e-9) + 1e-6);
                return (struct bounds){settle(low.level + 1, low.x), settle(up.level + 1, up.x),
                                       true};
            }
            struct tower lo = tower_scale(b.lo, la.x * (1 - 1e-9)),
                         hi = tower_scale(b.hi, ha.x * (1 + 1e-9));
            lo.x *= 1 - 4e-9; /* covers the factor at levels where it is lost */
            hi.x *= 1 + 4e-9;
            lo = settle(lo.level + 1, lo.x);
            hi = settle(hi.level + 1, hi.x);
            return (struct bounds){lo, hi, true};
        }
    case EX_FUNC:
        if (e->id != FN_FACT || e->n != 1)
            return none;
        a = bounds_of(c, e->kid[0]);
        if (!a.ok || (a.lo.level == 0 && a.lo.x < 8))
            return none;
        if (a.hi.level > 0)
            return (struct bounds){a.lo, settle(a.hi.level + 1, a.hi.x * (1 + 1e-9) + 64), true};
        {
            double lo = lgamma(a.lo.x + 1) / log(2) * (1 - 1e-6),
                   hi = lgamma(a.hi.x + 1) / log(2) * (1 + 1e-6);
            return (struct bounds){settle(1, lo), settle(1, hi), true};
        }
    case EX_ADD:
    case EX_MUL: {
        /* positive parts: the largest one from below, n of it (a power of it) from above */
        struct bounds all = bounds_of(c, e->kid[0]);
        for (int i = 1; i < e->n && all.ok; i++) {
            b = bounds_of(c, e->kid[i]);
            if (!b.ok || (e->op == EX_MUL && b.lo.level == 0 && b.lo.x < 1))
                return none;
            if (tower_less(all.lo, b.lo))
                all.lo = b.lo;
            if (tower_less(all.hi, b.hi))
                all.hi = b.hi;
        }
        if (!all.ok || (e->op == EX_MUL && all.lo.level == 0 && all.lo.x < 1))
            return none;
        if (all.hi.level == 0)
            all.hi = settle(0, e->op == EX_ADD ? all.hi.x * e->n
                                               : pow(MIN(all.hi.x, 1e9), MIN(e->n, 30)));
        else if (all.hi.level == 1)
            all.hi = settle(1, e->op == EX_ADD ? all.hi.x + log2(e->n) + 1 : all.hi.x * e->n);
        else
            all.hi = settle(all.hi.level, all.hi.x + log2(e->n) + 1);
        if (e->op == EX_MUL && e->n > 30 && all.hi.level == 0)
            return none;
        return all;
    }
    default:
        return none;
    }
}

/* A whole number whose size is only bounded: small ones are computed exactly for their bounds. */
static bool small_bounds(struct math_ctx *c, const struct expr *e, struct bounds *b)
{
    fmpq_t q;
    bool ok;

    fmpq_init(q);
    ok = eval_rational(c, e, q) == EVAL_OK && fmpq_sgn(q) > 0;
    if (ok)
        *b = bounds_of(c, expr_num_q(&c->pool, q));
    else
        *b = bounds_of(c, e);
    fmpq_clear(q);
    return b->ok;
}

enum tri magnitude_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct bounds x, y;
    enum tri t;
    fmpq_t q;

    bool both = small_bounds(c, a, &x);
    both = small_bounds(c, b, &y) && both;
    if (both && (tower_less(x.hi, y.lo) || tower_less(y.hi, x.lo))) {
        c->proof = str_fmt(&c->arena, "their sizes differ: 2^(2^...) levels %d and %d", x.lo.level,
                           y.lo.level);
        return decide(c, TRI_NO, "magnitude");
    }
    t = products_equal(c, a, b);
    if (t != TRI_UNKNOWN)
        return decide(c, t, "prime exponents");
    /* zero or a negative number against a positive one */
    fmpq_init(q);
    if ((x.ok && eval_rational(c, b, q) == EVAL_OK && fmpq_sgn(q) <= 0) ||
        (y.ok && eval_rational(c, a, q) == EVAL_OK && fmpq_sgn(q) <= 0))
        t = decide(c, TRI_NO, "magnitude");
    fmpq_clear(q);
    return t;
}
