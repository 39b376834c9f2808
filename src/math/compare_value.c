/* compare_value.c - two numbers or functions: exact rationals, enclosures, Calcium, the decimal
 * rule. */
#include "math/compare_internal.h"

#include <arb.h>

enum { MAX_GENERATORS = 6, MAX_EXACT_NODES = 300, LAST_PRECISION = 4096 };

enum tri decide(struct math_ctx *c, enum tri t, const char *reason)
{
    c->reason = reason;
    return t;
}

enum tri undecided(struct math_ctx *c, const char *reason)
{
    c->reason = reason;
    return TRI_UNKNOWN;
}

/* --- infinities ------------------------------------------------------------------------------- */

int infinity_sign(struct math_ctx *c, const struct expr *e)
{
    int sign = 0, s;
    fmpq_t q;

    switch (e->op) {
    case EX_CONST:
        return e->id == CONST_INF ? 1 : 0;
    case EX_NEG:
        s = infinity_sign(c, e->kid[0]);
        return s == 2 ? 2 : -s;
    case EX_ADD:
        for (int i = 0; i < e->n; i++) {
            s = infinity_sign(c, e->kid[i]);
            if (s == 2 || (s != 0 && sign != 0 && s != sign))
                return 2;
            sign = s ? s : sign;
        }
        return sign;
    case EX_MUL:
        sign = 1;
        bool has_inf = false;
        for (int i = 0; i < e->n; i++) {
            s = infinity_sign(c, e->kid[i]);
            if (s == 2)
                return 2;
            if (s != 0) {
                has_inf = true;
                sign *= s;
                continue;
            }
            fmpq_init(q);
            s = eval_rational(c, e->kid[i], q) == EVAL_OK ? fmpq_sgn(q) : 2;
            fmpq_clear(q);
            if (s == 2 || s == 0)
                return expr_has_const(e, CONST_INF) ? 2 : 0;
            sign *= s;
        }
        return has_inf ? sign : 0;
    default:
        return expr_is_arith(e) && e->op != EX_BIGOP && e->op != EX_CALL &&
                       expr_has_const(e, CONST_INF)
                   ? 2
                   : 0;
    }
}

bool is_undefined(struct math_ctx *c, const struct expr *e)
{
    fmpq_t q;
    bool bad;

    if (!expr_is_arith(e)) {
        for (int i = 0; i < e->n; i++)
            if (is_undefined(c, e->kid[i]))
                return true;
        return expr_is_const(e, CONST_UNDEFINED);
    }
    if (e->op == EX_NUM || e->op == EX_SYM || e->op == EX_BIGOP || e->op == EX_CALL)
        return false;
    fmpq_init(q);
    bad = eval_rational(c, e, q) == EVAL_UNDEFINED;
    fmpq_clear(q);
    return bad || infinity_sign(c, e) == 2;
}

/* --- enclosures ------------------------------------------------------------------------------- */

enum enclosure { APART, OVERLAP, NO_VALUE, NOT_FOUND };

static enum enclosure enclose(struct math_ctx *c, const struct expr *a, const struct expr *b,
                              long prec)
{
    acb_t x, y;
    enum eval_status s, t = EVAL_OK;
    enum enclosure r;

    acb_init(x);
    acb_init(y);
    s = eval_ball(c, a, NULL, prec, x);
    if (s == EVAL_OK || s == EVAL_WIDE)
        t = eval_ball(c, b, NULL, prec, y);
    if (s == EVAL_UNDEFINED || t == EVAL_UNDEFINED)
        r = NO_VALUE;
    else if (s == EVAL_UNSUPPORTED || t == EVAL_UNSUPPORTED || s == EVAL_BIG || t == EVAL_BIG)
        r = NOT_FOUND;
    else if (s == EVAL_WIDE || t == EVAL_WIDE)
        r = OVERLAP;
    else
        r = acb_overlaps(x, y) ? OVERLAP : APART;
    if (r == APART && prec <= 128) {
        char *p = arb_get_str(acb_realref(x), 12, ARB_STR_NO_RADIUS),
             *q = arb_get_str(acb_realref(y), 12, ARB_STR_NO_RADIUS);
        c->proof = str_fmt(&c->arena, "%s is not %s", p, q);
        flint_free(p);
        flint_free(q);
    }
    acb_clear(x);
    acb_clear(y);
    return r;
}

/* Roots, fractional powers and transcendental functions in a tree: what Calcium makes generators
 * of. */
static void count_generators(struct math_ctx *c, const struct expr *e, struct vars *seen,
                             int *n_nodes)
{
    bool is_generator =
        (e->op == EX_FUNC && e->id != FN_ABS && e->id != FN_FACT && e->id != FN_BINOM) ||
        (e->op == EX_POW && !(e->kid[1]->op == EX_NUM && fmpz_is_one(fmpq_denref(e->kid[1]->q))));

    ++*n_nodes;
    if (is_generator && *n_nodes <= MAX_EXACT_NODES) {
        fmpq_t q;
        fmpq_init(q);
        if (eval_rational(c, e, q) != EVAL_OK) {
            struct str form = expr_form(&c->arena, e);
            if (vars_find(seen, form) < 0) {
                if (seen->n < MAX_VARS)
                    seen->name[seen->n++] = form;
                else
                    seen->is_overfull = true;
            }
        }
        fmpq_clear(q);
    }
    for (int i = 0; i < e->n && *n_nodes <= MAX_EXACT_NODES; i++)
        count_generators(c, e->kid[i], seen, n_nodes);
}

static void open_calcium(struct math_ctx *c)
{
    if (c->has_ca)
        return;
    ca_ctx_init(&c->ca);
    ca_ctx_set_option(&c->ca, CA_OPT_QQBAR_DEG_LIMIT, 64);
    c->has_ca = true;
}

static enum tri exact_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct vars seen = {0};
    int n_nodes = 0;
    ca_t x, y;
    enum eval_status s, t;
    truth_t truth;

    count_generators(c, a, &seen, &n_nodes);
    count_generators(c, b, &seen, &n_nodes);
    if (n_nodes > MAX_EXACT_NODES || seen.n > MAX_GENERATORS || !spend(c, 2000))
        return TRI_UNKNOWN;
    open_calcium(c);
    ca_init(x, &c->ca);
    ca_init(y, &c->ca);
    s = eval_exact(c, a, x);
    t = s == EVAL_OK ? eval_exact(c, b, y) : EVAL_OK;
    truth = s == EVAL_OK && t == EVAL_OK ? ca_check_equal(x, y, &c->ca) : T_UNKNOWN;
    ca_clear(x, &c->ca);
    ca_clear(y, &c->ca);
    if (s == EVAL_UNDEFINED || t == EVAL_UNDEFINED)
        return decide(c, TRI_NO, "undefined value");
    if (truth == T_UNKNOWN)
        return TRI_UNKNOWN;
    return decide(c, truth == T_TRUE ? TRI_YES : TRI_NO, "exact");
}

static bool is_positive(struct math_ctx *c, const struct expr *e)
{
    acb_t x;
    bool ok;

    acb_init(x);
    ok = eval_ball(c, e, NULL, 192, x) == EVAL_OK && arb_is_zero(acb_imagref(x)) &&
         arb_is_positive(acb_realref(x));
    acb_clear(x);
    return ok;
}

/* A square root against a sum of roots, both positive: their squares, which have a generator less.
 */
static enum tri squares_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    const struct expr *root = expr_is_func(a, FN_SQRT) ? a : b, *other = root == a ? b : a;

    if (!expr_is_func(root, FN_SQRT) || root->n != 1 || other->op != EX_ADD || !is_positive(c, a) ||
        !is_positive(c, b))
        return TRI_UNKNOWN;
    return exact_equal(
        c, root->kid[0],
        expr_bin(&c->pool, EX_POW, 0, (struct expr *)other, expr_num_si(&c->pool, 2, 1)));
}

static bool has_imaginary(const struct expr *e)
{
    return expr_has_const(e, CONST_I);
}

static enum tri constants_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    enum enclosure r;
    enum tri t;
    int sa = infinity_sign(c, a), sb = infinity_sign(c, b);

    if (sa == 2 || sb == 2)
        return decide(c, TRI_NO, "undefined value");
    if (sa || sb)
        return decide(c, sa == sb ? TRI_YES : TRI_NO, "infinity");
    r = enclose(c, a, b, 64);
    if (r == OVERLAP)
        r = enclose(c, a, b, 192);
    if (r == APART)
        return decide(c, TRI_NO, "enclosures");
    if (r == NO_VALUE)
        return decide(c, TRI_NO, "undefined value");
    t = poly_equal(c, a, b);
    if (t == TRI_YES)
        return t;
    /* a difference far behind the point: balls find it in microseconds, Calcium in a tenth of a
     * second */
    for (long prec = 512; r == OVERLAP && prec <= LAST_PRECISION / 2; prec *= 2)
        r = enclose(c, a, b, prec);
    if (r == APART)
        return decide(c, TRI_NO, "enclosures");
    if (r == OVERLAP && (t = exact_equal(c, a, b)) != TRI_UNKNOWN)
        return t;
    if (r == OVERLAP && (t = squares_equal(c, a, b)) != TRI_UNKNOWN)
        return t;
    if (r == OVERLAP)
        r = enclose(c, a, b, LAST_PRECISION);
    if (r == APART)
        return decide(c, TRI_NO, "enclosures");
    if (c->steps <= 0)
        return undecided(c, "limit reached");
    return undecided(c, r == OVERLAP ? "enclosures overlap" : "no method for these forms");
}

enum tri value_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    fmpq_t x, y;
    enum eval_status s, t;
    enum tri r;

    fmpq_init(x);
    fmpq_init(y);
    s = eval_rational(c, a, x);
    t = eval_rational(c, b, y);
    r = s == EVAL_OK && t == EVAL_OK && fmpq_equal(x, y) ? TRI_YES : TRI_NO;
    fmpq_clear(x);
    fmpq_clear(y);
    if (s == EVAL_UNDEFINED || t == EVAL_UNDEFINED)
        return decide(c, TRI_NO, "undefined value");
    if (s == EVAL_OK && t == EVAL_OK)
        return decide(c, r, "rational");
    if (!spend(c, 60))
        return undecided(c, "limit reached");
    if (str_eq(expr_form(&c->arena, a), expr_form(&c->arena, b))) {
        if (is_undefined(c, a))
            return decide(c, TRI_NO, "undefined value");
        return decide(c, TRI_YES, "same form");
    }
    c->is_principal = has_imaginary(a) || has_imaginary(b);
    if (expr_has_symbols(a) || expr_has_symbols(b)) {
        if (infinity_sign(c, a) || infinity_sign(c, b))
            return decide(c, TRI_NO, "infinity");
        r = poly_equal(c, a, b);
        return r != TRI_UNKNOWN ? r : identity_equal(c, a, b);
    }
    if (s == EVAL_BIG || t == EVAL_BIG) {
        r = magnitude_equal(c, a, b);
        if (r != TRI_UNKNOWN)
            return r;
    }
    return constants_equal(c, a, b);
}

bool value_order(struct math_ctx *c, const struct expr *a, const struct expr *b, int *out)
{
    fmpq_t x, y;
    acb_t p, q;
    bool found;
    int sa = infinity_sign(c, a), sb = infinity_sign(c, b);

    if (sa == 2 || sb == 2)
        return false;
    if (sa || sb) {
        *out = sa < sb ? -1 : sa > sb;
        return true;
    }
    fmpq_init(x);
    fmpq_init(y);
    found = eval_rational(c, a, x) == EVAL_OK && eval_rational(c, b, y) == EVAL_OK;
    if (found) {
        int k = fmpq_cmp(x, y);
        *out = k < 0 ? -1 : k > 0;
    }
    fmpq_clear(x);
    fmpq_clear(y);
    if (found)
        return true;
    acb_init(p);
    acb_init(q);
    for (long prec = 64; prec <= 4096 && !found; prec *= 4) {
        if (eval_ball(c, a, NULL, prec, p) != EVAL_OK ||
            eval_ball(c, b, NULL, prec, q) != EVAL_OK || !arb_contains_zero(acb_imagref(p)) ||
            !arb_contains_zero(acb_imagref(q)))
            break;
        if (!arb_overlaps(acb_realref(p), acb_realref(q))) {
            *out = arb_lt(acb_realref(p), acb_realref(q)) ? -1 : 1;
            found = true;
        } else if (prec == 64 && value_equal(c, a, b) == TRI_YES) {
            *out = 0;
            found = true;
        }
    }
    acb_clear(p);
    acb_clear(q);
    return found;
}

/* --- decimals --------------------------------------------------------------------------------- */

/* A decimal literal, with or without a sign; the number of its significant digits, else 0. */
static int literal_digits(const struct expr *e)
{
    while (e->op == EX_NEG)
        e = e->kid[0];
    return e->op == EX_NUM ? e->digits : 0;
}

/* a + b i of literals: the more significant digits of both. */
static int complex_digits(const struct expr *e)
{
    int n = 0;

    while (e->op == EX_NEG)
        e = e->kid[0];
    if (e->op != EX_ADD && e->op != EX_MUL)
        return e->op == EX_NUM ? MAX(e->digits, 1) : expr_is_const(e, CONST_I) ? 1 : 0;
    if (e->n != 2)
        return 0;
    for (int i = 0; i < 2; i++) {
        int k = complex_digits(e->kid[i]);
        if (k == 0)
            return 0;
        n = MAX(n, k);
    }
    return n;
}

/* |p - g|^2 <= 1e-12 |g|^2 for complex numbers, of which g is no Gaussian integer. */
static enum tri are_close_complex(const acb_t g, const acb_t p, long prec)
{
    enum tri t = TRI_UNKNOWN;
    acb_t d;
    arb_t x, y;

    if (arb_contains_int(acb_realref(g)) && arb_contains_int(acb_imagref(g)))
        return TRI_NO;
    acb_init(d);
    arb_init(x);
    arb_init(y);
    acb_sub(d, g, p, prec);
    acb_abs(x, d, prec);
    arb_mul_ui(x, x, 1000000, prec);
    acb_abs(y, g, prec);
    if (arb_le(x, y))
        t = TRI_YES;
    else if (arb_gt(x, y))
        t = TRI_NO;
    acb_clear(d);
    arb_clear(x);
    arb_clear(y);
    return t;
}

/* |p - g| <= 1e-6 |g| */
static enum tri is_close(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    enum tri t = TRI_UNKNOWN;
    acb_t x, y;
    arb_t d, m;

    acb_init(x);
    acb_init(y);
    arb_init(d);
    arb_init(m);
    for (long prec = 96; prec <= 1024 && t == TRI_UNKNOWN; prec *= 2) {
        if (eval_ball(c, g, NULL, prec, x) != EVAL_OK || eval_ball(c, p, NULL, prec, y) != EVAL_OK)
            break;
        if (!arb_contains_zero(acb_imagref(x)) || !arb_contains_zero(acb_imagref(y))) {
            t = are_close_complex(x, y, prec);
            continue;
        }
        arb_sub(d, acb_realref(x), acb_realref(y), prec);
        arb_abs(d, d);
        arb_mul_ui(d, d, 1000000, prec);
        arb_abs(m, acb_realref(x));
        if (arb_le(d, m))
            t = TRI_YES;
        else if (arb_gt(d, m))
            t = TRI_NO;
    }
    acb_clear(x);
    acb_clear(y);
    arb_clear(d);
    arb_clear(m);
    return t;
}

static enum tri close_rationals(const fmpq_t g, const fmpq_t p)
{
    fmpq_t d, m;
    enum tri t;

    fmpq_init(d);
    fmpq_init(m);
    fmpq_sub(d, g, p);
    fmpq_abs(d, d);
    fmpz_mul_ui(fmpq_numref(d), fmpq_numref(d), 1000000);
    fmpq_canonicalise(d);
    fmpq_abs(m, g);
    t = fmpq_cmp(d, m) <= 0 ? TRI_YES : TRI_NO;
    fmpq_clear(d);
    fmpq_clear(m);
    return t;
}

static enum tri decimal_match(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    bool is_complex = expr_has_const(p, CONST_I) || expr_has_const(g, CONST_I);
    int dg = is_complex ? (complex_digits(g) > 1 ? 1 : 0) : literal_digits(g);
    int dp = is_complex ? complex_digits(p) : literal_digits(p);
    fmpq_t x, y;
    enum eval_status s, t;
    enum tri r = TRI_NO;

    if (dg == 0 && dp < 6)
        return TRI_NO;
    fmpq_init(x);
    fmpq_init(y);
    s = eval_rational(c, g, x);
    t = eval_rational(c, p, y);
    if (s == EVAL_OK && fmpz_is_one(fmpq_denref(x)))
        r = TRI_NO; /* integers match exactly */
    else if (s == EVAL_OK && t == EVAL_OK)
        r = close_rationals(x, y);
    else if (s != EVAL_UNDEFINED && t != EVAL_UNDEFINED)
        r = is_close(c, g, p);
    fmpq_clear(x);
    fmpq_clear(y);
    return r;
}

/* Whether the number can be written out: arf_get_fmpq ends the process on a tower of powers. */
static bool is_moderate(const arf_t x)
{
    enum { MAX_BITS = 1 << 16 };

    return arf_is_finite(x) && arf_cmpabs_2exp_si(x, MAX_BITS) < 0 &&
           (arf_is_zero(x) || arf_cmpabs_2exp_si(x, -MAX_BITS) > 0);
}

/* Both rounded to k places, halves away from zero. */
static bool rounded(struct math_ctx *c, const struct expr *e, int k, fmpz_t out)
{
    fmpq_t q;
    fmpz_t ten;
    acb_t x;
    bool ok;

    fmpq_init(q);
    fmpz_init_set_ui(ten, 10);
    fmpz_pow_ui(ten, ten, (ulong)k);
    ok = eval_rational(c, e, q) == EVAL_OK;
    if (!ok) {
        acb_init(x);
        if (eval_ball(c, e, NULL, 256, x) == EVAL_OK && arb_contains_zero(acb_imagref(x)) &&
            is_moderate(arb_midref(acb_realref(x)))) {
            arf_get_fmpq(q, arb_midref(acb_realref(x)));
            ok = true;
        }
        acb_clear(x);
    }
    if (ok) {
        bool is_negative = fmpq_sgn(q) < 0;
        fmpq_abs(q, q);
        fmpq_mul_fmpz(q, q, ten);
        fmpq_add(q, q, (fmpq[1]){{1, 2}});
        fmpz_fdiv_q(out, fmpq_numref(q), fmpq_denref(q));
        if (is_negative)
            fmpz_neg(out, out);
    }
    fmpq_clear(q);
    fmpz_clear(ten);
    return ok;
}

static enum tri rounded_match(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    fmpz_t x, y;
    enum tri t = TRI_UNKNOWN;
    int k = MIN(c->opts.precision, 100);

    fmpz_init(x);
    fmpz_init(y);
    if (rounded(c, g, k, x) && rounded(c, p, k, y))
        t = fmpz_equal(x, y) ? TRI_YES : TRI_NO;
    fmpz_clear(x);
    fmpz_clear(y);
    return t;
}

enum tri number_match(struct math_ctx *c, const struct expr *gold, const struct expr *pred)
{
    enum tri t = value_equal(c, gold, pred), d;

    if (t == TRI_YES)
        return t;
    if (expr_has_symbols(gold) || expr_has_symbols(pred) || is_undefined(c, gold) ||
        is_undefined(c, pred))
        return t;
    if (c->opts.precision >= 0) {
        d = rounded_match(c, gold, pred);
        if (d == TRI_YES)
            return decide(c, TRI_YES, "equal after rounding");
        return t;
    }
    d = decimal_match(c, gold, pred);
    if (d == TRI_YES)
        return decide(c, TRI_YES, "decimal rule");
    return t;
}
