/* eval_poly.c - trees as rational functions in kernels.
 *
 * A kernel is a variable, a constant such as pi, or a function of anything: whatever is not built
 * by the four operations and whole powers. Two trees are first evaluated modulo two primes at
 * points that follow from the texts; a difference settles the matter when all kernels are
 * variables. Agreement is confirmed in fmpz_mpoly_q where the expansion is small, and stands on its
 * own where it is not: the chance of an error is below degree^6 / 2^370. */
#include "math/compare_internal.h"

#include <calcium/fmpz_mpoly_q.h>
#include <flint/ulong_extras.h>

#include <math.h>

enum { MAX_KERNELS = 24, MAX_DEGREE = 400, MAX_EXACT_TERMS = 3000 };

struct kernels {
    struct str form[MAX_KERNELS];
    int n;
    bool is_overfull;
    bool has_other; /* one of them is not a variable */
};

static int kernel_find(const struct kernels *k, struct str form)
{
    for (int i = 0; i < k->n; i++)
        if (str_eq(k->form[i], form))
            return i;
    return -1;
}

/* Roots as powers, so that both spellings are one kernel. */
static struct str kernel_form(struct math_ctx *c, const struct expr *e)
{
    struct expr *power = NULL;

    if (e->op == EX_SYM)
        return e->name;
    if (expr_is_func(e, FN_SQRT) && e->n == 1)
        power = expr_bin(&c->pool, EX_POW, 0, e->kid[0], expr_num_si(&c->pool, 1, 2));
    else if (expr_is_func(e, FN_ROOT) && e->n == 2 && e->kid[1]->op == EX_NUM &&
             fmpz_is_one(fmpq_denref(e->kid[1]->q)) &&
             fmpz_cmp_ui(fmpq_numref(e->kid[1]->q), 1000000) < 0 && fmpq_sgn(e->kid[1]->q) > 0)
        power = expr_bin(&c->pool, EX_POW, 0, e->kid[0],
                         expr_num_si(&c->pool, 1, fmpz_get_ui(fmpq_numref(e->kid[1]->q))));
    else if (expr_is_func(e, FN_ROOT) && e->n == 2 && e->kid[1]->op != EX_NUM)
        power = expr_bin(&c->pool, EX_POW, 0, e->kid[0],
                         expr_bin(&c->pool, EX_DIV, 0, expr_num_si(&c->pool, 1, 1), e->kid[1]));
    return expr_form(&c->arena, power ? power : e);
}

static int kernel_of(struct math_ctx *c, struct kernels *k, const struct expr *e, bool add)
{
    struct str form = kernel_form(c, e);
    int i = kernel_find(k, form);

    if (i >= 0 || !add)
        return i;
    if (k->n == MAX_KERNELS) {
        k->is_overfull = true;
        return -1;
    }
    if (e->op != EX_SYM)
        k->has_other = true;
    k->form[k->n] = form;
    return k->n++;
}

/* A whole exponent that the arithmetic can take; false: the power is a kernel. */
static bool whole_exponent(struct math_ctx *c, const struct expr *e, long *k)
{
    fmpq_t q;
    bool ok;

    if (e->op == EX_NUM) {
        ok = fmpz_is_one(fmpq_denref(e->q)) && fmpz_bits(fmpq_numref(e->q)) <= 40;
        *k = ok ? fmpz_get_si(fmpq_numref(e->q)) : 0;
        return ok;
    }
    if (expr_has_symbols(e))
        return false;
    fmpq_init(q);
    ok = eval_rational(c, e, q) == EVAL_OK && fmpz_is_one(fmpq_denref(q)) &&
         fmpz_bits(fmpq_numref(q)) <= 40;
    *k = ok ? fmpz_get_si(fmpq_numref(q)) : 0;
    fmpq_clear(q);
    return ok;
}

static void collect(struct math_ctx *c, const struct expr *e, struct kernels *k)
{
    long n;

    switch (e->op) {
    case EX_NUM:
        return;
    case EX_ADD:
    case EX_MUL:
    case EX_NEG:
    case EX_DIV:
    case EX_PERCENT:
        for (int i = 0; i < e->n && !k->is_overfull; i++)
            collect(c, e->kid[i], k);
        return;
    case EX_POW:
        if (whole_exponent(c, e->kid[1], &n)) {
            collect(c, e->kid[0], k);
            return;
        }
        break;
    default:
        break;
    }
    kernel_of(c, k, e, true);
}

/* --- modulo primes ---------------------------------------------------------------------------- */

static const ulong primes[2] = {4611686018427387847ul, 4611686018427387817ul}; /* below 2^62 */

struct modular {
    struct kernels *k;
    ulong point[MAX_KERNELS];
    nmod_t mod;
};

/* false: a denominator vanishes at this point, or the expression has no value there */
static bool eval_mod(struct math_ctx *c, const struct expr *e, const struct modular *m, ulong *out)
{
    ulong x, y;
    long n;
    int i;

    if (!spend(c, 1))
        return false;
    switch (e->op) {
    case EX_NUM:
        x = fmpz_fdiv_ui(fmpq_numref(e->q), m->mod.n);
        y = fmpz_fdiv_ui(fmpq_denref(e->q), m->mod.n);
        if (y == 0)
            return false;
        *out = y == 1 ? x : nmod_div(x, y, m->mod);
        return true;
    case EX_ADD:
    case EX_MUL:
        x = e->op == EX_MUL;
        for (i = 0; i < e->n; i++) {
            if (!eval_mod(c, e->kid[i], m, &y))
                return false;
            x = e->op == EX_ADD ? nmod_add(x, y, m->mod) : nmod_mul(x, y, m->mod);
        }
        *out = x;
        return true;
    case EX_NEG:
        if (!eval_mod(c, e->kid[0], m, &x))
            return false;
        *out = nmod_neg(x, m->mod);
        return true;
    case EX_DIV:
        if (!eval_mod(c, e->kid[0], m, &x) || !eval_mod(c, e->kid[1], m, &y) || y == 0)
            return false;
        *out = nmod_div(x, y, m->mod);
        return true;
    case EX_PERCENT:
        if (!eval_mod(c, e->kid[0], m, &x))
            return false;
        *out = nmod_div(x, 100, m->mod);
        return true;
    case EX_POW:
        if (whole_exponent(c, e->kid[1], &n)) {
            if (!eval_mod(c, e->kid[0], m, &x) || (x == 0 && n <= 0))
                return false;
            if (n < 0)
                x = nmod_inv(x, m->mod);
            *out = nmod_pow_ui(x, (ulong)labs(n), m->mod);
            return true;
        }
        break;
    default:
        break;
    }
    i = kernel_of(c, m->k, e, false);
    if (i < 0)
        return false;
    *out = m->point[i];
    return true;
}

/* splitmix64: the points follow from the seed alone */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15ul);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ul;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBul;
    return z ^ (z >> 31);
}

static enum tri modular_equal(struct math_ctx *c, const struct expr *a, const struct expr *b,
                              struct kernels *k)
{
    uint64_t state = c->seed;
    int n_agree = 0;
    struct modular m = {.k = k};

    for (int i = 0; i < 6; i++) {
        ulong x, y;
        nmod_init(&m.mod, primes[i % 2]);
        for (int j = 0; j < k->n; j++)
            m.point[j] = next_random(&state) % (m.mod.n - 2) + 2;
        if (!eval_mod(c, a, &m, &x) || !eval_mod(c, b, &m, &y))
            continue;
        if (x != y) {
            if (!k->has_other && k->n > 0)
                c->proof = str_fmt(&c->arena, "modulo %lu at " STR_FMT " = %lu ...: %lu and %lu",
                                   m.mod.n, STR_ARG(k->form[0]), m.point[0], x, y);
            return TRI_NO;
        }
        n_agree++;
    }
    return n_agree >= 4 ? TRI_YES : TRI_UNKNOWN;
}

/* --- expansion -------------------------------------------------------------------------------- */

struct size {
    double terms, degree, bits;
};

/* An upper bound of what numerator and denominator expand to. */
static struct size estimate(struct math_ctx *c, const struct expr *e)
{
    struct size s = {1, 0, 1}, t;
    long n;

    switch (e->op) {
    case EX_NUM:
        s.bits = (double)fmpz_bits(fmpq_numref(e->q)) + (double)fmpz_bits(fmpq_denref(e->q));
        return s;
    case EX_ADD:
        s.terms = 0;
        for (int i = 0; i < e->n; i++) {
            t = estimate(c, e->kid[i]);
            s.terms += t.terms;
            s.degree = MAX(s.degree, t.degree);
            s.bits = MAX(s.bits, t.bits) + 1;
        }
        return s;
    case EX_MUL:
    case EX_DIV:
        for (int i = 0; i < e->n; i++) {
            t = estimate(c, e->kid[i]);
            s.terms *= t.terms;
            s.degree += t.degree;
            s.bits += t.bits;
        }
        return s;
    case EX_NEG:
    case EX_PERCENT:
        return estimate(c, e->kid[0]);
    case EX_POW:
        if (whole_exponent(c, e->kid[1], &n)) {
            double k = (double)labs(n);
            s = estimate(c, e->kid[0]);
            s.degree *= k;
            s.bits *= k;
            s.terms = s.terms <= 1 ? 1 : MIN(pow(s.terms, k), pow(s.degree + 1, 3));
            return s;
        }
        break;
    default:
        break;
    }
    s.degree = 1;
    return s;
}

struct mpoly {
    fmpz_mpoly_ctx_t ring;
    struct kernels *k;
};

static bool expand(struct math_ctx *c, const struct expr *e, struct mpoly *p, fmpz_mpoly_q_t out)
{
    fmpz_mpoly_q_t x;
    bool ok = true;
    long n;
    int i;

    if (!spend(c, 10))
        return false;
    switch (e->op) {
    case EX_NUM:
        fmpz_mpoly_q_set_fmpq(out, e->q, p->ring);
        return true;
    case EX_ADD:
    case EX_MUL:
    case EX_DIV:
        fmpz_mpoly_q_init(x, p->ring);
        ok = expand(c, e->kid[0], p, out);
        for (i = 1; i < e->n && ok; i++) {
            ok = expand(c, e->kid[i], p, x);
            if (!ok)
                break;
            if (e->op == EX_ADD)
                fmpz_mpoly_q_add(out, out, x, p->ring);
            else if (e->op == EX_MUL)
                fmpz_mpoly_q_mul(out, out, x, p->ring);
            else if (fmpz_mpoly_q_is_zero(x, p->ring))
                ok = false;
            else
                fmpz_mpoly_q_div(out, out, x, p->ring);
        }
        fmpz_mpoly_q_clear(x, p->ring);
        return ok;
    case EX_NEG:
        ok = expand(c, e->kid[0], p, out);
        if (ok)
            fmpz_mpoly_q_neg(out, out, p->ring);
        return ok;
    case EX_PERCENT: {
        fmpz_t hundred;
        ok = expand(c, e->kid[0], p, out);
        fmpz_init_set_ui(hundred, 100);
        if (ok)
            fmpz_mpoly_q_div_fmpz(out, out, hundred, p->ring);
        fmpz_clear(hundred);
        return ok;
    }
    case EX_POW:
        if (whole_exponent(c, e->kid[1], &n)) {
            ok = labs(n) <= MAX_DEGREE && expand(c, e->kid[0], p, out);
            if (ok && n < 0) {
                ok = !fmpz_mpoly_q_is_zero(out, p->ring);
                if (ok)
                    fmpz_mpoly_q_inv(out, out, p->ring);
            }
            if (ok) {
                ok = fmpz_mpoly_pow_ui(fmpz_mpoly_q_numref(out), fmpz_mpoly_q_numref(out),
                                       (ulong)labs(n), p->ring) &&
                     fmpz_mpoly_pow_ui(fmpz_mpoly_q_denref(out), fmpz_mpoly_q_denref(out),
                                       (ulong)labs(n), p->ring);
            }
            return ok;
        }
        break;
    default:
        break;
    }
    i = kernel_of(c, p->k, e, false);
    if (i < 0)
        return false;
    fmpz_mpoly_q_gen(out, i, p->ring);
    return true;
}

static bool is_small(struct size s)
{
    return s.terms <= MAX_EXACT_TERMS && s.degree <= MAX_DEGREE && s.bits <= 1 << 14;
}

enum tri poly_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct kernels k = {0};
    enum tri t;

    if (!spend(c, 60))
        return TRI_UNKNOWN;
    collect(c, a, &k);
    collect(c, b, &k);
    if (k.is_overfull)
        return TRI_UNKNOWN;
    t = modular_equal(c, a, b, &k);
    if (t == TRI_NO && k.has_other)
        return TRI_UNKNOWN; /* unequal as forms; they may still be equal as functions */
    if (t == TRI_NO)
        return decide(c, TRI_NO, "rational functions");
    if (t == TRI_UNKNOWN)
        return TRI_UNKNOWN;
    if (k.has_other)
        return decide(c, TRI_YES, "identity of forms");
    struct size sa = estimate(c, a), sb = estimate(c, b);
    if (!is_small(sa) || !is_small(sb) || sa.terms * sb.terms > 20000 || k.n > 8)
        return decide(c, TRI_YES, "modular identity");
    struct mpoly p = {.k = &k};
    fmpz_mpoly_q_t x, y;
    fmpz_mpoly_ctx_init(p.ring, MAX(k.n, 1), ORD_LEX);
    fmpz_mpoly_q_init(x, p.ring);
    fmpz_mpoly_q_init(y, p.ring);
    if (expand(c, a, &p, x) && expand(c, b, &p, y))
        t = decide(c, fmpz_mpoly_q_equal(x, y, p.ring) ? TRI_YES : TRI_NO, "rational functions");
    else
        t = decide(c, TRI_YES, "modular identity");
    fmpz_mpoly_q_clear(x, p.ring);
    fmpz_mpoly_q_clear(y, p.ring);
    fmpz_mpoly_ctx_clear(p.ring);
    return t;
}

/* The primitive part of x's numerator with positive leading coefficient; its sign before. */
static int primitive(fmpz_mpoly_t x, const fmpz_mpoly_ctx_t ring)
{
    fmpz_t content;
    int sign = 1;

    if (fmpz_mpoly_is_zero(x, ring))
        return 0;
    fmpz_init(content);
    fmpz_mpoly_get_term_coeff_fmpz(content, x, 0, ring);
    if (fmpz_sgn(content) < 0) {
        fmpz_mpoly_neg(x, x, ring);
        sign = -1;
    }
    fmpz_zero(content);
    for (slong i = 0; i < fmpz_mpoly_length(x, ring); i++) {
        fmpz_t t;
        fmpz_init(t);
        fmpz_mpoly_get_term_coeff_fmpz(t, x, i, ring);
        fmpz_gcd(content, content, t);
        fmpz_clear(t);
    }
    fmpz_mpoly_scalar_divexact_fmpz(x, x, content, ring);
    fmpz_clear(content);
    return sign;
}

enum tri poly_proportional(struct math_ctx *c, const struct expr *a, const struct expr *b,
                           int *factor_sign)
{
    struct kernels k = {0};
    struct mpoly p = {.k = &k};
    fmpz_mpoly_q_t x, y;
    enum tri t = TRI_UNKNOWN;

    collect(c, a, &k);
    collect(c, b, &k);
    struct size sa = estimate(c, a), sb = estimate(c, b);
    if (k.is_overfull || k.n > 12 || !is_small(sa) || !is_small(sb))
        return TRI_UNKNOWN;
    fmpz_mpoly_ctx_init(p.ring, MAX(k.n, 1), ORD_LEX);
    fmpz_mpoly_q_init(x, p.ring);
    fmpz_mpoly_q_init(y, p.ring);
    if (expand(c, a, &p, x) && expand(c, b, &p, y)) {
        int sx = primitive(fmpz_mpoly_q_numref(x), p.ring),
            sy = primitive(fmpz_mpoly_q_numref(y), p.ring);
        bool is_equal = fmpz_mpoly_equal(fmpz_mpoly_q_numref(x), fmpz_mpoly_q_numref(y), p.ring);
        bool has_denominator = !fmpz_mpoly_is_fmpz(fmpz_mpoly_q_denref(x), p.ring) ||
                               !fmpz_mpoly_is_fmpz(fmpz_mpoly_q_denref(y), p.ring);
        *factor_sign = has_denominator && !fmpz_mpoly_equal(fmpz_mpoly_q_denref(x),
                                                            fmpz_mpoly_q_denref(y), p.ring)
                           ? 0
                           : sx * sy;
        if (is_equal && sx != 0)
            t = TRI_YES;
        else if (!k.has_other || sx == 0 || sy == 0)
            t = k.has_other ? TRI_UNKNOWN : TRI_NO;
    }
    fmpz_mpoly_q_clear(x, p.ring);
    fmpz_mpoly_q_clear(y, p.ring);
    fmpz_mpoly_ctx_clear(p.ring);
    return t;
}
