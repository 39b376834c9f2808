/* compare_collection.c - lists, sets, tuples, vectors and matrices, element by element. */
#include "math/compare_internal.h"

enum { MAX_UNORDERED = 2048 };

static bool is_unordered(const struct expr *e)
{
    return e->op == EX_LIST || e->op == EX_SET || expr_is_const(e, CONST_EMPTY);
}

/* Reversed brackets are open ends. */
static int opening(const struct expr *e)
{
    return e->open == ']' || e->open == '<' ? '(' : e->open;
}

static int closing(const struct expr *e)
{
    return e->close == '[' || e->close == '>' ? ')' : e->close;
}

static enum tri ordered_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    enum tri all = TRI_YES;

    if (a->n != b->n)
        return decide(c, TRI_NO, "number of elements");
    for (int i = 0; i < a->n; i++) {
        enum tri t = answer_equal(c, a->kid[i], b->kid[i]);
        if (t == TRI_NO)
            return decide(c, TRI_NO, "elements in order");
        if (t == TRI_UNKNOWN)
            all = TRI_UNKNOWN;
    }
    return all == TRI_YES ? decide(c, TRI_YES, "elements in order") : all;
}

/* Every element of a has an equal one in b; repeated elements count once. Equality is an
 * equivalence but for the decimal rule, so that a greedy match is one whenever there is one. */
static enum tri covers(struct math_ctx *c, const struct expr *a, const struct expr *b, bool swap)
{
    bool unknown = false;

    for (int i = 0; i < a->n; i++) {
        enum tri found = TRI_NO;
        for (int k = 0; k < b->n && found != TRI_YES; k++) {
            int j = (i + k) % b->n; /* mostly in the same order */
            enum tri t = swap ? answer_equal(c, b->kid[j], a->kid[i])
                              : answer_equal(c, a->kid[i], b->kid[j]);
            if (t != TRI_NO)
                found = t;
            if (c->steps <= 0)
                return undecided(c, "limit reached");
        }
        if (found == TRI_NO) {
            c->proof = str_fmt(&c->arena, "no match for " STR_FMT,
                               STR_ARG(expr_form(&c->arena, a->kid[i])));
            return decide(c, TRI_NO, "sets");
        }
        unknown |= found == TRI_UNKNOWN;
    }
    return unknown ? TRI_UNKNOWN : TRI_YES;
}

static int by_form(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* The forms of all elements, sorted, each once. */
static int sorted_forms(struct math_ctx *c, const struct expr *e, struct str **out)
{
    struct str *f = arena_array(&c->arena, (size_t)e->n + 1, sizeof(*f));
    int n = 0;

    for (int i = 0; i < e->n; i++)
        f[i] = expr_form(&c->arena, e->kid[i]);
    qsort(f, (size_t)e->n, sizeof(*f), by_form);
    for (int i = 0; i < e->n; i++)
        if (n == 0 || !str_eq(f[n - 1], f[i]))
            f[n++] = f[i];
    *out = f;
    return n;
}

/* The same elements in other order, as written: the cheap way for long lists. */
static bool same_forms(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct str *x, *y;
    int n = sorted_forms(c, a, &x);

    if (n != sorted_forms(c, b, &y))
        return false;
    for (int i = 0; i < n; i++)
        if (!str_eq(x[i], y[i]))
            return false;
    return !is_undefined(c, a);
}

static enum tri unordered_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    enum tri t;

    if ((a->n == 0) != (b->n == 0))
        return decide(c, TRI_NO, "sets");
    if (a->n > 8 && same_forms(c, a, b))
        return decide(c, TRI_YES, "sets");
    if (a->n > MAX_UNORDERED || b->n > MAX_UNORDERED)
        return undecided(c, "limit reached");
    t = covers(c, a, b, false);
    if (t == TRI_YES)
        t = covers(c, b, a, true);
    return t == TRI_YES ? decide(c, TRI_YES, "sets") : t;
}

/* A list in the same order may stand for a tuple; a set in \{ \} may not. */
static bool is_listing(const struct expr *e)
{
    return e->op == EX_LIST || (e->op == EX_SET && (e->flags & EXPR_CURLY));
}

/* A half-open interval, or one without end, is no tuple that a list may stand for. */
static bool is_tuple(const struct expr *e)
{
    if (e->op != EX_SEQ)
        return false;
    if (e->n != 2)
        return true;
    return (opening(e) == '(') == (closing(e) == ')') && !expr_has_const(e->kid[0], CONST_INF) &&
           !expr_has_const(e->kid[1], CONST_INF);
}

static enum tri sequences_equal(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    if (a->n == 2 && b->n == 2 && (opening(a) != opening(b) || closing(a) != closing(b))) {
        if (is_real_set(c, a) && is_real_set(c, b))
            return real_set_equal(c, a, b);
        return decide(c, TRI_NO, "brackets");
    }
    return ordered_equal(c, a, b);
}

enum tri collection_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    bool gu = is_unordered(g), pu = is_unordered(p);

    if (g->op == EX_SEQ && p->op == EX_SEQ)
        return sequences_equal(c, g, p);
    if (gu && pu)
        return unordered_equal(c, g, p);
    if ((is_tuple(g) && is_listing(p)) || (is_tuple(p) && is_listing(g)))
        return ordered_equal(c, g, p);
    /* a set of one element and the element */
    if (gu && g->n == 1 && (p->op != EX_SEQ || g->kid[0]->op == EX_SEQ))
        return answer_equal(c, g->kid[0], p);
    if (pu && p->n == 1 && (g->op != EX_SEQ || p->kid[0]->op == EX_SEQ))
        return answer_equal(c, g, p->kid[0]);
    if (g->op == EX_LIST && g->id == CONN_OR && g->n > 1 && p->op != EX_SEQ && !pu) {
        enum tri t = TRI_YES;
        for (int i = 0; i < g->n && t == TRI_YES; i++)
            t = answer_equal(c, g->kid[i], p);
        if (t == TRI_YES)
            return decide(c, TRI_YES, "one value, repeated");
    }
    if (pu && p->n > 1 && g->op != EX_SEQ &&
        ((p->op == EX_LIST && p->id == CONN_OR) || p->op == EX_SET)) {
        /* "17/2, or 8.5" names one value twice */
        enum tri t = TRI_YES;
        for (int i = 0; i < p->n && t == TRI_YES; i++)
            t = answer_equal(c, g, p->kid[i]);
        if (t == TRI_YES)
            return decide(c, TRI_YES, "one value, repeated");
    }
    return decide(c, TRI_NO, "a collection and a single value");
}

/* The coefficients of i, j, k in a sum of unit vectors. */
static bool is_unit_vector(const struct expr *e, int *axis)
{
    static const char *const names[] = {"i", "j", "k"};

    if (expr_is_const(e, CONST_I)) {
        *axis = 0;
        return true;
    }
    if (e->op != EX_SYM)
        return false;
    struct str n = e->name;
    if (n.len > 2 && n.ptr[0] == '\\')
        n = str_slice(n, n.len - 1, n.len);
    for (int i = 0; i < 3; i++) {
        if (str_eqz(n, names[i])) {
            *axis = i;
            return true;
        }
    }
    return false;
}

static const struct expr *vector_term(struct math_ctx *c, const struct expr *e, int *axis)
{
    const struct expr *rest = NULL;

    if (is_unit_vector(e, axis))
        return expr_num_si(&c->pool, 1, 1);
    if (e->op == EX_NEG) {
        rest = vector_term(c, e->kid[0], axis);
        return rest ? expr_un(&c->pool, EX_NEG, 0, (struct expr *)rest) : NULL;
    }
    if (e->op == EX_DIV) {
        rest = vector_term(c, e->kid[0], axis);
        return rest ? expr_bin(&c->pool, EX_DIV, 0, (struct expr *)rest, e->kid[1]) : NULL;
    }
    if (e->op != EX_MUL)
        return NULL;
    bool found = false;
    for (int i = 0; i < e->n; i++) {
        int k;
        if (!found && is_unit_vector(e->kid[i], &k)) {
            *axis = k;
            found = true;
        } else {
            rest = rest ? expr_bin(&c->pool, EX_MUL, 0, (struct expr *)rest, e->kid[i]) : e->kid[i];
        }
    }
    return found ? (rest ? rest : expr_num_si(&c->pool, 1, 1)) : NULL;
}

/* 2i - 3j + k as a tuple of n; NULL when it is no such sum. */
static const struct expr *unit_vector_sum(struct math_ctx *c, const struct expr *e, int n)
{
    struct expr *parts[3], *seq;
    const struct expr *one[1] = {e};
    int n_terms = e->op == EX_ADD ? e->n : 1;

    if (n < 2 || n > 3 || !expr_is_arith(e))
        return NULL;
    for (int i = 0; i < 3; i++)
        parts[i] = expr_num_si(&c->pool, 0, 1);
    for (int i = 0; i < n_terms; i++) {
        int axis = 0;
        const struct expr *t = vector_term(c, e->op == EX_ADD ? e->kid[i] : one[0], &axis);
        if (!t || axis >= n)
            return NULL;
        parts[axis] = expr_bin(&c->pool, EX_ADD, 0, parts[axis], (struct expr *)t);
    }
    seq = expr_new(&c->pool, EX_SEQ, 0, parts, n);
    seq->open = '(';
    seq->close = ')';
    return seq;
}

enum tri matrix_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *m = g->op == EX_MATRIX ? g : p, *o = m == g ? p : g;
    const struct expr *v;

    if (g->op == EX_MATRIX && p->op == EX_MATRIX) {
        if (g->rows != p->rows || g->cols != p->cols)
            return decide(c, TRI_NO, "matrix sizes");
        return ordered_equal(c, g, p);
    }
    if ((o->op == EX_SEQ || is_listing(o)) && (m->cols == 1 || (m->rows == 1 && o->op == EX_SEQ)))
        return ordered_equal(c, g, p);
    if (o->op == EX_SEQ && o->n == m->rows) {
        /* [[1, 2], [3, 4]] */
        for (int i = 0; i < o->n; i++) {
            if (o->kid[i]->op != EX_SEQ || o->kid[i]->n != m->cols)
                return decide(c, TRI_NO, "matrix sizes");
            for (int j = 0; j < m->cols; j++) {
                enum tri t = m == g ? answer_equal(c, m->kid[i * m->cols + j], o->kid[i]->kid[j])
                                    : answer_equal(c, o->kid[i]->kid[j], m->kid[i * m->cols + j]);
                if (t != TRI_YES)
                    return t;
            }
        }
        return decide(c, TRI_YES, "matrix rows");
    }
    if (m->cols == 1 && (v = unit_vector_sum(c, o, m->rows)) != NULL)
        return m == g ? ordered_equal(c, g, v) : ordered_equal(c, v, p);
    if (m->n == 1)
        return m == g ? answer_equal(c, m->kid[0], o) : answer_equal(c, o, m->kid[0]);
    return decide(c, TRI_NO, "a matrix and another kind");
}

enum tri vector_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *v;

    if (g->op == EX_SEQ && (v = unit_vector_sum(c, p, g->n)) != NULL)
        return ordered_equal(c, g, v);
    if (p->op == EX_SEQ && (v = unit_vector_sum(c, g, p->n)) != NULL)
        return ordered_equal(c, v, p);
    return TRI_UNKNOWN;
}
