/* normal.c - rewriting before comparison: plus-minus becomes two expressions, lists lie flat,
 * scalars go into matrices, determinants are expanded, quantities in two units become one. */
#include "math/compare_internal.h"

#include "math/unit.h"

enum { MAX_PM_KIDS = 4096, MAX_DET = 4 };

typedef struct expr *rewrite(struct math_ctx *c, const struct expr *e);

/* e with every kid rewritten; e itself when nothing changed. */
static struct expr *map_kids(struct math_ctx *c, const struct expr *e, rewrite *fn)
{
    struct expr **kids;
    bool changed = false;

    if (e->n == 0)
        return (struct expr *)e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++) {
        kids[i] = fn(c, e->kid[i]);
        changed |= kids[i] != e->kid[i];
    }
    return changed ? expr_with_kids(&c->pool, e, kids) : (struct expr *)e;
}

/* --- plus-minus ------------------------------------------------------------------------------- */

static struct expr *pick_upper(struct math_ctx *c, const struct expr *e)
{
    struct expr *copy = map_kids(c, e, pick_upper);

    if (e->op != EX_PM)
        return copy;
    return e->id == 0 ? copy->kid[0] : expr_un(&c->pool, EX_NEG, 0, copy->kid[0]);
}

static struct expr *pick_lower(struct math_ctx *c, const struct expr *e)
{
    struct expr *copy = map_kids(c, e, pick_lower);

    if (e->op != EX_PM)
        return copy;
    return e->id == 1 ? copy->kid[0] : expr_un(&c->pool, EX_NEG, 0, copy->kid[0]);
}

static bool is_collection(const struct expr *e)
{
    return e->op == EX_LIST || e->op == EX_SET;
}

/* x = {1 \pm 2, 3}: the signs belong to the set and not to the whole. */
static bool has_signs_in_sets(const struct expr *e)
{
    bool found = false;

    for (int i = 0; i < e->n; i++) {
        if (!expr_has_op(e->kid[i], EX_PM))
            continue;
        if (e->kid[i]->op != EX_SET)
            return false;
        found = true;
    }
    return found;
}

static struct expr *expand_signs(struct math_ctx *c, const struct expr *e)
{
    struct expr **kids;
    int n = 0;

    if (!expr_has_op(e, EX_PM))
        return (struct expr *)e;
    if (e->op == EX_SETOP || (e->op == EX_REL && has_signs_in_sets(e)))
        return map_kids(c, e, expand_signs);
    if (!is_collection(e)) {
        struct expr *pair[2] = {pick_upper(c, e), pick_lower(c, e)};
        bool excludes = e->op == EX_REL && e->n == 2 && e->rel[0] == REL_NE; /* x is neither */
        return expr_new(&c->pool, EX_LIST, excludes ? CONN_AND : CONN_OR, pair, 2);
    }
    kids = arena_array(&c->arena, (size_t)e->n * 2, sizeof(*kids));
    for (int i = 0; i < e->n; i++) {
        struct expr *k = expand_signs(c, e->kid[i]);
        if (k->op == EX_LIST && expr_has_op(e->kid[i], EX_PM) && k->n == 2) {
            kids[n++] = k->kid[0];
            kids[n++] = k->kid[1];
        } else {
            kids[n++] = k;
        }
    }
    struct expr *out = expr_new(&c->pool, (enum expr_op)e->op, e->id, kids, n);
    out->flags = e->flags;
    return out;
}

/* --- matrices --------------------------------------------------------------------------------- */

static struct expr *matrix_like(struct math_ctx *c, const struct expr *m, struct expr **kids)
{
    struct expr *out = expr_with_kids(&c->pool, m, kids);

    out->flags = 0;
    return out;
}

static bool is_vector(const struct expr *e)
{
    return e->op == EX_MATRIX || (e->op == EX_SEQ && e->open == '(' && e->close == ')') ||
           (e->op == EX_SEQ && e->open == '<');
}

static struct expr *scaled(struct math_ctx *c, const struct expr *m, const struct expr *factor,
                           bool divide)
{
    struct expr **kids = arena_array(&c->arena, (size_t)m->n + 1, sizeof(*kids));

    for (int i = 0; i < m->n; i++)
        kids[i] = expr_bin(&c->pool, divide ? EX_DIV : EX_MUL, 0,
                           divide ? m->kid[i] : (struct expr *)factor,
                           divide ? (struct expr *)factor : m->kid[i]);
    return matrix_like(c, m, kids);
}

static struct expr *determinant(struct math_ctx *c, struct expr *const *a, int n)
{
    struct expr *terms[MAX_DET] = {NULL};

    if (n == 1)
        return a[0];
    for (int col = 0; col < n; col++) {
        struct expr *minor[MAX_DET * MAX_DET];
        int k = 0;
        for (int i = 1; i < n; i++)
            for (int j = 0; j < n; j++)
                if (j != col)
                    minor[k++] = a[i * n + j];
        terms[col] = expr_bin(&c->pool, EX_MUL, 0, a[col], determinant(c, minor, n - 1));
        if (col % 2)
            terms[col] = expr_un(&c->pool, EX_NEG, 0, terms[col]);
    }
    return expr_new(&c->pool, EX_ADD, 0, terms, n);
}

enum { MAX_MATRIX_PRODUCT = 8 };

/* Rows times columns; NULL when the sizes do not fit. */
static struct expr *matrix_product(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    struct expr **kids, *out;

    if (a->op != EX_MATRIX || b->op != EX_MATRIX || a->cols != b->rows ||
        a->rows > MAX_MATRIX_PRODUCT || a->cols > MAX_MATRIX_PRODUCT ||
        b->cols > MAX_MATRIX_PRODUCT)
        return NULL;
    kids = arena_array(&c->arena, (size_t)(a->rows * b->cols), sizeof(*kids));
    for (int i = 0; i < a->rows; i++) {
        for (int j = 0; j < b->cols; j++) {
            struct expr *terms[MAX_MATRIX_PRODUCT];
            for (int k = 0; k < a->cols; k++)
                terms[k] =
                    expr_bin(&c->pool, EX_MUL, 0, a->kid[i * a->cols + k], b->kid[k * b->cols + j]);
            kids[i * b->cols + j] = expr_new(&c->pool, EX_ADD, 0, terms, a->cols);
        }
    }
    out = expr_new(&c->pool, EX_MATRIX, 0, kids, a->rows * b->cols);
    out->rows = a->rows;
    out->cols = b->cols;
    return out;
}

/* A(1, 2): a point and its name. */
static bool is_named_point(const struct expr *e)
{
    const struct expr *name = e->kid[0], *at = e->kid[e->n - 1];

    return e->n == 2 && name->op == EX_SYM && name->name.ptr[0] >= 'A' &&
           name->name.ptr[0] <= 'Z' && at->op == EX_SEQ && at->open == '(' && at->close == ')';
}

static struct expr *fold_product(struct math_ctx *c, struct expr *e)
{
    struct expr *m = NULL, *factor = NULL, *product;

    if (is_named_point(e))
        return e->kid[1];

    for (int i = 0; i < e->n; i++) {
        if (is_vector(e->kid[i]) && !m)
            m = e->kid[i];
        else if (is_vector(e->kid[i]) && (product = matrix_product(c, m, e->kid[i])) != NULL)
            m = product;
        else if (is_vector(e->kid[i]) || !expr_is_arith(e->kid[i]))
            return e;
        else
            factor = factor ? expr_bin(&c->pool, EX_MUL, 0, factor, e->kid[i]) : e->kid[i];
    }
    return m && factor ? scaled(c, m, factor, false) : m ? m : e;
}

static struct expr *fold_sum(struct math_ctx *c, struct expr *e)
{
    struct expr *first = e->kid[0], **kids;

    for (int i = 0; i < e->n; i++)
        if (!is_vector(e->kid[i]) || e->kid[i]->n != first->n || e->kid[i]->rows != first->rows ||
            e->kid[i]->op != first->op)
            return e;
    kids = arena_array(&c->arena, (size_t)first->n + 1, sizeof(*kids));
    for (int k = 0; k < first->n; k++) {
        struct expr **terms = arena_array(&c->arena, (size_t)e->n, sizeof(*terms));
        for (int i = 0; i < e->n; i++)
            terms[i] = e->kid[i]->kid[k];
        kids[k] = expr_new(&c->pool, EX_ADD, 0, terms, e->n);
    }
    return matrix_like(c, first, kids);
}

static bool is_transpose(const struct expr *e)
{
    return e->op == EX_SYM &&
           (str_eqz(e->name, "T") || str_eqz(e->name, "\\top") || str_eqz(e->name, "\\intercal"));
}

/* M^T, and (1, -1)^T as a column; e itself when its base is neither. */
static struct expr *transposed(struct math_ctx *c, struct expr *e)
{
    const struct expr *m = e->kid[0];
    struct expr **kids, *out;
    bool is_matrix = m->op == EX_MATRIX;
    int rows = is_matrix ? m->cols : m->n, cols = is_matrix ? m->rows : 1;

    if (!is_matrix &&
        (m->op != EX_SEQ || m->n == 0 ||
         !((m->open == '(' && m->close == ')') || (m->open == '[' && m->close == ']'))))
        return e;
    kids = arena_array(&c->arena, (size_t)m->n + 1, sizeof(*kids));
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            kids[i * cols + j] = m->kid[j * rows + i];
    out = expr_new(&c->pool, EX_MATRIX, 0, kids, m->n);
    out->rows = rows;
    out->cols = cols;
    return out;
}

static struct expr *fold_vectors(struct math_ctx *c, const struct expr *e)
{
    struct expr *out = map_kids(c, e, fold_vectors);

    switch (out->op) {
    case EX_MUL:
        return fold_product(c, out);
    case EX_ADD:
        return fold_sum(c, out);
    case EX_NEG:
        if (is_vector(out->kid[0]))
            return scaled(c, out->kid[0], expr_num_si(&c->pool, -1, 1), false);
        return out;
    case EX_POW:
        return is_transpose(out->kid[1]) ? transposed(c, out) : out;
    case EX_DIV:
        if (is_vector(out->kid[0]) && expr_is_arith(out->kid[1]))
            return scaled(c, out->kid[0], out->kid[1], true);
        return out;
    case EX_FUNC:
        if (out->id == FN_DET && out->n == 1 && out->kid[0]->op == EX_MATRIX &&
            out->kid[0]->rows == out->kid[0]->cols && out->kid[0]->rows <= MAX_DET)
            return determinant(c, out->kid[0]->kid, out->kid[0]->rows);
        return out;
    default:
        return out;
    }
}

/* --- lists and quantities --------------------------------------------------------------------- */

/* Lists inside lists: "1,2;3,4" is two tuples, "a, b or c" lies flat. */
static struct expr *flatten(struct math_ctx *c, const struct expr *e)
{
    struct expr *out = map_kids(c, e, flatten), **kids;
    bool has_list = false;

    if (out->op != EX_LIST)
        return out;
    for (int i = 0; i < out->n; i++)
        has_list |= out->kid[i]->op == EX_LIST && !(out->kid[i]->flags & EXPR_PAREN);
    if (!has_list)
        return out;
    if (out->id == CONN_SEMI) {
        kids = arena_array(&c->arena, (size_t)out->n, sizeof(*kids));
        for (int i = 0; i < out->n; i++) {
            kids[i] = out->kid[i];
            if (kids[i]->op == EX_LIST && kids[i]->id == CONN_COMMA &&
                kids[i]->kid[0]->op != EX_REL) {
                kids[i] = expr_new(&c->pool, EX_SEQ, 0, kids[i]->kid, kids[i]->n);
                kids[i]->open = '(';
                kids[i]->close = ')';
            }
        }
        return expr_new(&c->pool, EX_LIST, CONN_SEMI, kids, out->n);
    }
    return out;
}

enum { MAX_PROGRESSION = 1000 };

static bool whole(const struct expr *e, long *out)
{
    bool negative = e->op == EX_NEG;

    if (negative)
        e = e->kid[0];
    if (e->op != EX_NUM || !fmpz_is_one(fmpq_denref(e->q)) || fmpz_bits(fmpq_numref(e->q)) > 40)
        return false;
    *out = fmpz_get_si(fmpq_numref(e->q)) * (negative ? -1 : 1);
    return true;
}

/* 1, 3, ..., 99: written out, when at least two members stand before the dots, all with one step,
 * and the one behind them is a member too. */
static const struct expr *fill_dots(struct math_ctx *c, const struct expr *e)
{
    struct expr **kids;
    long first, step, last, v;
    int i = 0;

    while (i < e->n && !expr_is_const(e->kid[i], CONST_DOTS))
        i++;
    if (i < 2 || i != e->n - 2 || !whole(e->kid[0], &first) || !whole(e->kid[1], &step) ||
        !whole(e->kid[e->n - 1], &last))
        return e;
    step -= first;
    for (int k = 2; k < i; k++)
        if (!whole(e->kid[k], &v) || v != first + k * step)
            return e;
    if (step == 0 || (last - first) % step != 0 || (last - first) / step < i ||
        (last - first) / step > MAX_PROGRESSION)
        return e;
    int n = (int)((last - first) / step) + 1;
    kids = arena_array(&c->arena, (size_t)n, sizeof(*kids));
    for (int k = 0; k < n; k++)
        kids[k] = expr_num_si(&c->pool, first + k * step, 1);
    struct expr *out = expr_new(&c->pool, (enum expr_op)e->op, e->id, kids, n);
    out->flags = e->flags;
    return out;
}

/* 1 h + 15 min, and "12 hours and 30 minutes": one quantity in the first unit. */
static struct expr *join_units(struct math_ctx *c, const struct expr *e)
{
    struct expr *out = map_kids(c, e, join_units), **terms;
    fmpq_t factor;
    bool ok = true;

    if (!(out->op == EX_ADD || (out->op == EX_LIST && out->id == CONN_AND)) || out->n < 2 ||
        out->kid[0]->op != EX_UNIT)
        return out;
    terms = arena_array(&c->arena, (size_t)out->n, sizeof(*terms));
    fmpq_init(factor);
    for (int i = 0; i < out->n && ok; i++) {
        const struct expr *k = out->kid[i];
        ok = k->op == EX_UNIT && unit_ratio(k->name, out->kid[0]->name, factor) &&
             (out->op == EX_ADD || i == 0 || !str_eq(k->name, out->kid[0]->name));
        if (ok)
            terms[i] = expr_bin(&c->pool, EX_MUL, 0, expr_num_q(&c->pool, factor), k->kid[0]);
    }
    fmpq_clear(factor);
    if (!ok)
        return out;
    struct expr *sum = expr_un(&c->pool, EX_UNIT, 0, expr_new(&c->pool, EX_ADD, 0, terms, out->n));
    sum->name = out->kid[0]->name;
    return sum;
}

/* --- bound variables -------------------------------------------------------------------------- */

static struct expr *substitute(struct math_ctx *c, const struct expr *e, struct str name,
                               struct expr *by)
{
    struct expr **kids;
    bool changed = false;

    if (e->op == EX_SYM)
        return str_eq(e->name, name) ? by : (struct expr *)e;
    if (e->n == 0)
        return (struct expr *)e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++) {
        kids[i] = substitute(c, e->kid[i], name, by);
        changed |= kids[i] != e->kid[i];
    }
    return changed ? expr_with_kids(&c->pool, e, kids) : (struct expr *)e;
}

enum { MAX_TERMS = 200 };

/* Sums and products over a few whole numbers, written out; NULL: not such a one. */
static struct expr *written_out(struct math_ctx *c, const struct expr *e)
{
    struct expr **terms;
    fmpq_t lo, hi;
    long from = 0, n = 0;
    bool is_sum = str_eqz(e->name, "sum");

    if (e->n != 3 || !(is_sum || str_eqz(e->name, "prod")) || e->kid[1]->op != EX_REL ||
        e->kid[1]->n != 2 || e->kid[1]->rel[0] != REL_EQ || e->kid[1]->kid[0]->op != EX_SYM ||
        expr_has_op(e->kid[0], EX_BIGOP))
        return NULL;
    fmpq_init(lo);
    fmpq_init(hi);
    if (eval_rational(c, e->kid[1]->kid[1], lo) == EVAL_OK &&
        eval_rational(c, e->kid[2], hi) == EVAL_OK && fmpz_is_one(fmpq_denref(lo)) &&
        fmpz_is_one(fmpq_denref(hi)) && fmpz_bits(fmpq_numref(lo)) < 40 &&
        fmpz_bits(fmpq_numref(hi)) < 40) {
        from = fmpz_get_si(fmpq_numref(lo));
        n = fmpz_get_si(fmpq_numref(hi)) - from + 1;
    }
    fmpq_clear(lo);
    fmpq_clear(hi);
    if (n < 1 || n > MAX_TERMS)
        return NULL;
    terms = arena_array(&c->arena, (size_t)n, sizeof(*terms));
    for (long i = 0; i < n; i++)
        terms[i] =
            substitute(c, e->kid[0], e->kid[1]->kid[0]->name, expr_num_si(&c->pool, from + i, 1));
    return expr_new(&c->pool, is_sum ? EX_ADD : EX_MUL, 0, terms, (int)n);
}

/* \sum_{k=0}^{n}: the index gets a name that no text can have. */
static struct expr *rename_bound(struct math_ctx *c, const struct expr *e)
{
    struct expr *out = map_kids(c, e, rename_bound);

    struct expr *sum = out->op == EX_BIGOP ? written_out(c, out) : NULL;

    if (sum)
        return sum;
    if (out->op != EX_BIGOP || out->n < 2 || out->kid[1]->op != EX_REL ||
        out->kid[1]->kid[0]->op != EX_SYM)
        return out;
    struct str name = out->kid[1]->kid[0]->name;
    return substitute(c, out, name, expr_sym(&c->pool, str_fmt(&c->arena, "@%d", out->depth)));
}

/* --- residues --------------------------------------------------------------------------------- */

static bool is_congruence(const struct expr *e)
{
    return e->op == EX_REL && e->n == 2 && e->rel[0] == REL_EQUIV;
}

/* x = 1, 4 mod 5, where the parser gives the modulus to the last member alone: to each its own. */
static const struct expr *spread_modulus(struct math_ctx *c, const struct expr *e)
{
    const struct expr *last = e->kid[e->n - 1];
    struct expr **kids;

    if (last->op != EX_RESIDUE || !is_congruence(e->kid[0]))
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++) {
        const struct expr *k = i == e->n - 1 ? last->kid[0] : e->kid[i];
        if (expr_is_arith(k))
            k = expr_rel(&c->pool, REL_EQUIV, e->kid[0]->kid[0], (struct expr *)k);
        else if (!is_congruence(k))
            return e;
        kids[i] = expr_bin(&c->pool, EX_RESIDUE, 0, (struct expr *)k, last->kid[1]);
    }
    return expr_new(&c->pool, EX_LIST, e->id, kids, e->n);
}

/* x \ne -2, 2: the variable is none of them. */
static const struct expr *spread_exclusion(struct math_ctx *c, const struct expr *e)
{
    const struct expr *first = e->kid[0];
    struct expr **kids;
    bool has_bare = false;

    if (first->op != EX_REL || first->n != 2 || first->rel[0] != REL_NE ||
        first->kid[0]->op != EX_SYM)
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    kids[0] = e->kid[0];
    for (int i = 1; i < e->n; i++) {
        bool is_bare = expr_is_arith(e->kid[i]) && !expr_has_symbols(e->kid[i]);
        if (!is_bare &&
            (e->kid[i]->op != EX_REL || e->kid[i]->n != 2 || e->kid[i]->rel[0] != REL_NE))
            return e;
        kids[i] = is_bare ? expr_rel(&c->pool, REL_NE, first->kid[0], e->kid[i]) : e->kid[i];
        has_bare |= is_bare;
    }
    return has_bare ? expr_new(&c->pool, EX_LIST, CONN_AND, kids, e->n) : e;
}

/* "all real numbers x >= 0": the words before the variable go. */
static const struct expr *bare_subject(struct math_ctx *c, const struct expr *e)
{
    struct str s = e->kid[0]->name;
    struct expr **kids;

    if (e->kid[0]->op != EX_TEXT || s.len < 5 || !str_eq_nocase(str_slice(s, 0, 4), STR("all ")) ||
        s.ptr[s.len - 2] != ' ' || s.ptr[s.len - 1] < 'a')
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    memcpy(kids, e->kid, (size_t)e->n * sizeof(*kids));
    kids[0] = expr_sym(&c->pool, str_slice(s, s.len - 1, s.len));
    return expr_with_kids(&c->pool, e, kids);
}

const struct expr *normal_form(struct math_ctx *c, const struct expr *e)
{
    const struct expr *out = e;

    if (expr_has_op(out, EX_MATRIX) || expr_has_op(out, EX_SEQ))
        out = fold_vectors(c, out);
    if (expr_has_op(out, EX_BIGOP))
        out = rename_bound(c, out);
    if (out->op == EX_REL)
        out = bare_subject(c, out);
    if (out->op == EX_LIST)
        out = flatten(c, out);
    if (is_collection(out))
        out = fill_dots(c, out);
    if (out->op == EX_LIST && out->n > 1)
        out = spread_modulus(c, out);
    if (expr_has_op(out, EX_UNIT))
        out = join_units(c, out);
    out = expand_signs(c, out);
    return out->op == EX_LIST && out->n > 1 ? spread_exclusion(c, out) : out;
}
