/* compare_relation.c - assignments, equations, inequalities, residues. */
#include "math/compare_internal.h"

/* --- names ------------------------------------------------------------------------------------ */

/* What may stand on the left of "= value": a variable, f(x), |AB|, AB, a ratio of such, a word. */
bool is_name(const struct expr *e)
{
    switch (e->op) {
    case EX_SYM:
    case EX_CALL:
    case EX_TEXT:
        return true;
    case EX_CONST:
        return e->id == CONST_E || e->id == CONST_I;
    case EX_MUL:
        if (e->name.len > 0)
            return true;
        for (int i = 0; i < e->n; i++)
            if (e->kid[i]->op != EX_SYM || e->kid[i]->name.ptr[0] < 'A' ||
                e->kid[i]->name.ptr[0] > 'Z')
                return false;
        return true;
    case EX_FUNC:
        return (e->id == FN_ABS || e->id == FN_GCD || e->id == FN_MAX || e->id == FN_MIN) &&
               e->n >= 1 && is_name(e->kid[0]);
    case EX_DIV:
    case EX_RATIO:
        for (int i = 0; i < e->n; i++)
            if (!is_name(e->kid[i]))
                return false;
        return true;
    default:
        return (e->flags & EXPR_BRACKET) && e->n > 0 && is_name(e->kid[0]);
    }
}

/* m + n, a + b + c: what a problem asks for, written out. */
static bool is_letter_sum(const struct expr *e)
{
    if (e->op != EX_ADD)
        return false;
    for (int i = 0; i < e->n; i++)
        if (e->kid[i]->op != EX_SYM)
            return false;
    return true;
}

enum naming { PLAIN, SINGLE, MAP, EQUATION };

/* An answer with its names taken off. */
struct named {
    enum naming kind;
    const struct expr *name;   /* SINGLE */
    const struct expr *names;  /* MAP: as many as values */
    const struct expr *value;  /* PLAIN: the answer; SINGLE: the value; MAP: a sequence */
    const struct expr *approx; /* what stands behind an approximation sign, or NULL */
    bool is_weak;              /* SINGLE: the name is a sum of letters */
    bool is_indexed;           /* MAP of x_1, x_2, ...: a list as much as a map */
};

static bool is_equality_chain(const struct expr *e)
{
    if (e->op != EX_REL)
        return false;
    for (int i = 0; i + 1 < e->n; i++)
        if (e->rel[i] != REL_EQ && e->rel[i] != REL_APPROX)
            return false;
    return true;
}

static struct expr *sequence(struct math_ctx *c, struct expr *const *kids, int n)
{
    struct expr *e = expr_new(&c->pool, EX_SEQ, 0, kids, n);

    e->open = '(';
    e->close = ')';
    return e;
}

static void read_chain(const struct expr *e, struct named *out)
{
    int first = 0, last;
    bool all_constant = true;

    for (int i = 0; i < e->n; i++)
        all_constant &= !expr_has_symbols(e->kid[i]) && e->kid[i]->op != EX_TEXT;
    out->kind = EQUATION;
    out->value = e;
    if (e->n == 2 && e->kid[0]->op == EX_SEQ && e->kid[1]->op == EX_SEQ && e->kid[0]->n > 0 &&
        e->kid[0]->n == e->kid[1]->n) {
        for (int i = 0; i < e->kid[0]->n; i++)
            if (!is_name(e->kid[0]->kid[i]))
                return;
        out->kind = MAP;
        out->names = e->kid[0];
        out->value = e->kid[1];
        return;
    }
    if (e->kid[0]->op == EX_SEQ && e->kid[0]->n > 0 && is_name(e->kid[0]->kid[0]))
        first = 1; /* (x, y) = (5, 8), the sides of another shape */
    if (is_name(e->kid[0])) {
        out->kind = SINGLE;
        out->name = e->kid[0];
        first = 1;
    } else if (is_letter_sum(e->kid[0]) && !expr_has_symbols(e->kid[e->n - 1])) {
        out->kind = SINGLE;
        out->name = e->kid[0];
        out->is_weak = true;
        first = 1;
    } else if (e->n == 2 && is_name(e->kid[1]) && e->kid[1]->op == EX_SYM &&
               !expr_has_symbols(e->kid[0])) {
        out->kind = SINGLE;
        out->name = e->kid[1];
        out->value = e->kid[0];
        return;
    } else if (all_constant) {
        out->kind = PLAIN;
    } else {
        return;
    }
    last = first;
    while (last < e->n - 1 && e->rel[last] == REL_EQ)
        last++;
    out->value = e->kid[MIN(last, e->n - 1)];
    for (int i = first; i < e->n; i++)
        if (i > 0 && e->rel[i - 1] == REL_APPROX)
            out->approx = e->kid[i];
}

static struct named read_named(struct math_ctx *c, const struct expr *e);

static bool same_form(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    return str_eq(expr_form(&c->arena, a), expr_form(&c->arena, b));
}

/* x_1, x_2, ...: one variable with running numbers. */
static bool are_indexed(const struct expr *const *names, int n)
{
    struct str base = {0};

    for (int i = 0; i < n; i++) {
        struct str s = names[i]->name;
        ptrdiff_t cut = names[i]->op == EX_SYM ? str_find_char(s, '_', 0) : -1;
        if (cut < 0 || (size_t)cut + 2 != s.len || s.ptr[cut + 1] != '1' + i)
            return false;
        if (i == 0)
            base = str_slice(s, 0, (size_t)cut);
        else if (!str_eq(base, str_slice(s, 0, (size_t)cut)))
            return false;
    }
    return true;
}

/* A list of single assignments: one name with several values, a map, or several maps one after the
 * other. */
static void read_assignments(struct math_ctx *c, const struct expr *e, const struct named *part,
                             struct named *out)
{
    struct expr **values = arena_array(&c->arena, (size_t)e->n, sizeof(*values));
    struct expr **names = arena_array(&c->arena, (size_t)e->n, sizeof(*names));
    int period = 0;

    for (int i = 0; i < e->n; i++) {
        values[i] = (struct expr *)part[i].value;
        names[i] = (struct expr *)part[i].name;
    }
    for (int i = 1; i < e->n && period == 0; i++)
        if (same_form(c, names[i], names[0]))
            period = i;
    if (period == 1) {
        for (int i = 1; i < e->n; i++)
            if (!same_form(c, names[i], names[0]))
                return;
        out->kind = SINGLE;
        out->name = names[0];
        out->value = expr_new(&c->pool, EX_LIST, e->id, values, e->n);
        return;
    }
    if (period == 0) {
        out->kind = MAP;
        out->names = sequence(c, names, e->n);
        out->value = sequence(c, values, e->n);
        out->is_indexed = are_indexed((const struct expr *const *)names, e->n);
        return;
    }
    if (e->n % period != 0)
        return;
    for (int i = period; i < e->n; i++)
        if (!same_form(c, names[i], names[i % period]))
            return;
    for (int i = 0; i < e->n / period; i++)
        values[i] = sequence(c, values + i * period, period);
    out->kind = PLAIN;
    out->value = expr_new(&c->pool, EX_LIST, CONN_OR, values, e->n / period);
}

static void read_list(struct math_ctx *c, const struct expr *e, struct named *out)
{
    struct named *part = arena_array(&c->arena, (size_t)e->n, sizeof(*part));
    int n_single = 0, n_map = 0, n_plain = 0;

    if (e->n > 512)
        return;
    for (int i = 0; i < e->n; i++) {
        part[i] = read_named(c, e->kid[i]);
        n_single += part[i].kind == SINGLE && !part[i].is_weak;
        n_map += part[i].kind == MAP;
        n_plain += part[i].kind == PLAIN && e->kid[i]->op != EX_REL && e->kid[i]->op != EX_LIST;
    }
    if (n_single == e->n) {
        read_assignments(c, e, part, out);
    } else if (n_single == 1 && part[0].kind == SINGLE && n_plain == e->n - 1) {
        struct expr **values = arena_array(&c->arena, (size_t)e->n, sizeof(*values));
        for (int i = 0; i < e->n; i++)
            values[i] = (struct expr *)part[i].value;
        out->kind = SINGLE;
        out->name = part[0].name;
        out->value = expr_new(&c->pool, EX_LIST, e->id, values, e->n);
    } else if (n_map > 0 && n_map + n_plain == e->n) {
        struct expr **values = arena_array(&c->arena, (size_t)e->n, sizeof(*values));
        for (int i = 0; i < e->n; i++)
            values[i] = (struct expr *)part[i].value;
        out->value = expr_new(&c->pool, EX_LIST, e->id, values, e->n);
    }
}

static struct named read_named(struct math_ctx *c, const struct expr *e)
{
    struct named out = {.kind = PLAIN, .value = e};

    if (e->op == EX_REL && e->n == 2 && e->rel[0] == REL_IN && is_name(e->kid[0])) {
        out.kind = SINGLE;
        out.name = e->kid[0];
        out.value = e->kid[1];
    } else if (is_equality_chain(e)) {
        read_chain(e, &out);
    } else if (e->op == EX_LIST) {
        read_list(c, e, &out);
    }
    return out;
}

static bool is_function_name(const struct expr *e)
{
    return e->op == EX_CALL || (e->op == EX_SYM && str_eqz(e->name, "y")) ||
           (e->op == EX_SYM && e->name.len == 1 && strchr("fgh", e->name.ptr[0]));
}

/* The letters of AB, |AB| and \overline{AB}; empty: no segment. */
static struct str segment_of(const struct expr *e)
{
    static const char bar[] = "\\overline ";
    struct str s = {"", 0};

    if (expr_is_func(e, FN_ABS) && e->n == 1)
        return segment_of(e->kid[0]);
    if (e->op == EX_MUL && e->name.len > 1)
        s = e->name;
    else if (e->op == EX_SYM && str_starts(e->name, bar))
        s = str_slice(e->name, strlen(bar), e->name.len);
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 'A' || s.ptr[i] > 'Z')
            return (struct str){"", 0};
    return s.len > 1 ? s : (struct str){"", 0};
}

/* What an inverse or a derivative has behind its letter: f^-1, f''. */
static struct str function_marks(struct str name)
{
    size_t i = 0;

    while (i < name.len && name.ptr[i] != '^' && name.ptr[i] != '\'')
        i++;
    return str_slice(name, i, name.len);
}

static bool names_agree(struct math_ctx *c, const struct expr *a, const struct expr *b)
{
    if (same_form(c, a, b))
        return true;
    if (segment_of(a).len > 0 && str_eq(segment_of(a), segment_of(b)))
        return true;
    if (a->op == EX_CALL && b->op == EX_CALL &&
        !str_eq(function_marks(a->name), function_marks(b->name)))
        return false;
    if (a->op == EX_TEXT || b->op == EX_TEXT || str_eqz(a->name, "\\angle") ||
        str_eqz(b->name, "\\angle"))
        return true;
    return is_function_name(a) && is_function_name(b);
}

/* f(x) = ... against f(t) = ...: the bound variable of the second becomes that of the first. */
static const struct expr *rename_argument(struct math_ctx *c, const struct expr *e,
                                          const struct expr *from, const struct expr *to)
{
    struct expr **kids;

    if (e->op == EX_SYM)
        return str_eq(e->name, from->name) ? to : e;
    if (e->n == 0)
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++)
        kids[i] = (struct expr *)rename_argument(c, e->kid[i], from, to);
    return expr_with_kids(&c->pool, e, kids);
}

/* --- equations -------------------------------------------------------------------------------- */

static const struct expr *side_difference(struct math_ctx *c, const struct expr *e)
{
    return expr_bin(&c->pool, EX_ADD, 0, e->kid[0], expr_un(&c->pool, EX_NEG, 0, e->kid[1]));
}

static bool is_single(const struct expr *e)
{
    return e->op == EX_REL && e->n == 2 && expr_is_arith(e->kid[0]) && expr_is_arith(e->kid[1]);
}

static enum tri equation_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *a, *b;
    int sign = 0;
    enum tri t;

    if (!is_single(g) || !is_single(p)) {
        if (g->op != EX_REL || p->op != EX_REL || g->n != p->n)
            return decide(c, TRI_NO, "an equation and another kind");
        t = answer_equal(c, g->kid[0], p->kid[0]);
        for (int i = 1; i < g->n && t == TRI_YES; i++)
            t = g->rel[i - 1] == p->rel[i - 1] ? answer_equal(c, g->kid[i], p->kid[i]) : TRI_NO;
        return t == TRI_YES ? decide(c, TRI_YES, "equation, side by side")
                            : decide(c, TRI_NO, "equation, side by side");
    }
    a = side_difference(c, g);
    b = side_difference(c, p);
    t = poly_proportional(c, a, b, &sign);
    if (t == TRI_YES)
        return decide(c, TRI_YES, "equation up to a factor");
    if (t == TRI_NO)
        return decide(c, TRI_NO, "equations");
    return identity_proportional(c, a, b, &sign);
}

/* --- inequalities ----------------------------------------------------------------------------- */

static bool is_inequality(const struct expr *e)
{
    if (e->op != EX_REL)
        return false;
    for (int i = 0; i + 1 < e->n; i++)
        if (e->rel[i] < REL_NE || e->rel[i] > REL_GE)
            return false;
    return true;
}

static bool has_inequality(const struct expr *e)
{
    if (is_inequality(e))
        return true;
    for (int i = 0; i < e->n && e->op == EX_LIST; i++)
        if (has_inequality(e->kid[i]))
            return true;
    return false;
}

static int flip(int rel)
{
    return rel == REL_LT   ? REL_GT
           : rel == REL_LE ? REL_GE
           : rel == REL_GT ? REL_LT
           : rel == REL_GE ? REL_LE
                           : rel;
}

static bool is_upward(const struct expr *e)
{
    return e->rel[0] == REL_LT || e->rel[0] == REL_LE || e->rel[0] == REL_NE;
}

/* Chains in several symbols, read upward, side by side. */
static enum tri chain_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    bool same = is_upward(g) == is_upward(p);
    enum tri all = TRI_YES;

    if (g->n != p->n)
        return decide(c, TRI_NO, "inequalities of another length");
    for (int i = 0; i < g->n && all == TRI_YES; i++)
        all = answer_equal(c, g->kid[i], p->kid[same ? i : p->n - 1 - i]);
    for (int i = 0; i + 1 < g->n && all == TRI_YES; i++)
        if (g->rel[i] != (same ? p->rel[i] : flip(p->rel[p->n - 2 - i])))
            all = TRI_NO;
    return decide(c, all, "inequality, side by side");
}

/* a < b < c as "a < b and b < c"; lists of such flat. NULL: something else. */
static const struct expr *chain_links(struct math_ctx *c, const struct expr *e)
{
    struct expr **kids;
    int n = 0, size = 1;

    for (int i = 0; i < e->n && e->op == EX_LIST; i++)
        size += e->kid[i]->n;
    kids = arena_array(&c->arena, (size_t)MAX(size, e->n), sizeof(*kids));
    for (int i = 0; i < (e->op == EX_LIST ? e->n : 1); i++) {
        const struct expr *k = e->op == EX_LIST ? e->kid[i] : e;
        if (!is_inequality(k))
            return NULL;
        for (int j = 0; j + 1 < k->n; j++)
            kids[n++] = expr_rel(&c->pool, (enum expr_rel)k->rel[j], k->kid[j], k->kid[j + 1]);
    }
    return expr_new(&c->pool, EX_LIST, CONN_AND, kids, n);
}

/* A chain against the list of its links. */
static enum tri links_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *list = g->op == EX_LIST ? g : p, *a, *b;

    if (list->id == CONN_OR || (a = chain_links(c, g)) == NULL || (b = chain_links(c, p)) == NULL)
        return decide(c, TRI_NO, "an inequality and another kind");
    return collection_equal(c, a, b);
}

static enum tri inequality_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    enum tri t = chain_equal(c, g, p);
    int sign = 0;

    if (t == TRI_YES || !is_single(g) || !is_single(p))
        return t;
    t = poly_proportional(c, side_difference(c, g), side_difference(c, p), &sign);
    if (t == TRI_UNKNOWN)
        t = identity_proportional(c, side_difference(c, g), side_difference(c, p), &sign);
    if (t != TRI_YES)
        return t == TRI_NO ? decide(c, TRI_NO, "inequalities") : t;
    if (sign == 0)
        return undecided(c, "sign of the factor");
    return decide(c, g->rel[0] == (sign > 0 ? p->rel[0] : flip(p->rel[0])) ? TRI_YES : TRI_NO,
                  "inequality up to a factor");
}

/* The variable that an inequality is about; NULL: none named. */
static const struct expr *variable_of(const struct expr *e)
{
    const struct expr *v;

    if (e->op == EX_SYM || e->op == EX_CALL)
        return e;
    if (e->op == EX_BUILDER)
        return NULL;
    for (int i = 0; i < e->n; i++)
        if ((v = variable_of(e->kid[i])) != NULL)
            return v;
    return NULL;
}

static enum tri as_sets(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *vg = variable_of(g), *vp = variable_of(p);
    enum tri t;

    if (!is_real_set(c, g) || !is_real_set(c, p))
        return TRI_UNKNOWN;
    bool gold_is_set = !has_inequality(g);
    if (c->opts.no_set_relation && gold_is_set && has_inequality(p))
        return decide(c, TRI_NO, "an inequality may not stand for a set");
    if (vg && vp && !same_form(c, vg, vp))
        return decide(c, TRI_NO, "different variables");
    t = real_set_equal(c, g, p);
    return t;
}

/* "x < -3, x > 3": a comma between two conditions may mean or. */
static const struct expr *comma_as_or(struct math_ctx *c, const struct expr *e)
{
    struct expr *out;

    if (e->op != EX_LIST || e->id != CONN_COMMA)
        return NULL;
    for (int i = 0; i < e->n; i++)
        if (e->kid[i]->op != EX_REL)
            return NULL;
    out = expr_new(&c->pool, EX_LIST, CONN_OR, e->kid, e->n);
    return out;
}

/* --- residues --------------------------------------------------------------------------------- */

static const struct expr *residue_value(const struct expr *e)
{
    const struct expr *v = e->op == EX_RESIDUE ? e->kid[0] : e;

    return v->op == EX_REL ? v->kid[v->n - 1] : v;
}

static enum tri residue_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    fmpq_t a, b, n;
    enum tri t = TRI_NO;

    if (g->op == EX_RESIDUE && expr_is_func(p, FN_MOD)) /* 5 \bmod 12 for 5 \pmod{12} */
        p = expr_new(&c->pool, EX_RESIDUE, 0, p->kid, 2);
    if (g->op != EX_RESIDUE || p->op != EX_RESIDUE) {
        if (p->op == EX_RESIDUE && g->op != EX_REL)
            return answer_equal(c, g, residue_value(p));
        return decide(c, TRI_NO, "a residue and another kind");
    }
    if (g->kid[0]->op == EX_REL && p->kid[0]->op == EX_REL &&
        !same_form(c, g->kid[0]->kid[0], p->kid[0]->kid[0]))
        return decide(c, TRI_NO, "different variables");
    if (value_equal(c, g->kid[1], p->kid[1]) != TRI_YES)
        return decide(c, TRI_NO, "moduli");
    if (residue_value(g)->op == EX_LIST || residue_value(p)->op == EX_LIST)
        return answer_equal(c, residue_value(g), residue_value(p));
    fmpq_init(a);
    fmpq_init(b);
    fmpq_init(n);
    if (eval_rational(c, residue_value(g), a) == EVAL_OK &&
        eval_rational(c, residue_value(p), b) == EVAL_OK &&
        eval_rational(c, g->kid[1], n) == EVAL_OK && !fmpq_is_zero(n)) {
        fmpq_sub(a, a, b);
        fmpq_div(a, a, n);
        t = fmpz_is_one(fmpq_denref(a)) ? TRI_YES : TRI_NO;
    } else {
        t = answer_equal(c, residue_value(g), residue_value(p));
    }
    fmpq_clear(a);
    fmpq_clear(b);
    fmpq_clear(n);
    return decide(c, t, "residues");
}

/* --- assignments ------------------------------------------------------------------------------ */

static bool has_symbol(const struct expr *e, struct str name)
{
    if (e->op == EX_SYM)
        return str_eq(e->name, name);
    for (int i = 0; i < e->n; i++)
        if (has_symbol(e->kid[i], name))
            return true;
    return false;
}

static enum tri single_equal(struct math_ctx *c, const struct expr *g, const struct expr *p,
                             const struct named *a, const struct named *b)
{
    const struct expr *value = b->value;

    if (!names_agree(c, a->name, b->name)) {
        if ((expr_has_symbols(a->value) || expr_has_symbols(b->value)) && is_single(g) &&
            is_single(p))
            return equation_equal(c, g, p);
        return decide(c, TRI_NO, "different variables");
    }
    if (a->name->op == EX_CALL && b->name->op == EX_CALL && a->name->n == b->name->n)
        for (int i = 0; i < a->name->n; i++)
            if (a->name->kid[i]->op == EX_SYM && b->name->kid[i]->op == EX_SYM &&
                !str_eq(a->name->kid[i]->name, b->name->kid[i]->name)) {
                /* f(t) = x^2 is no f(x) = x^2: its x is free */
                if (a->name->n == 1 && has_symbol(value, a->name->kid[i]->name))
                    return decide(c, TRI_NO, "different variables");
                value = rename_argument(c, value, b->name->kid[i], a->name->kid[i]);
            }
    /* f(1) = 2 and f(2) = 2 are two statements */
    if (a->name->op == EX_CALL && b->name->op == EX_CALL && !same_form(c, a->name, b->name))
        for (int i = 0; i < a->name->n && i < b->name->n; i++)
            if (a->name->kid[i]->op == EX_NUM || b->name->kid[i]->op == EX_NUM)
                return decide(c, TRI_NO, "different arguments");
    return answer_equal(c, a->value, value);
}

static enum tri map_equal(struct math_ctx *c, const struct named *a, const struct named *b)
{
    if (a->names->n != b->names->n)
        return decide(c, TRI_NO, "number of assignments");
    for (int i = 0; i < a->names->n; i++) {
        enum tri t = TRI_NO;
        for (int j = 0; j < b->names->n; j++)
            if (same_form(c, a->names->kid[i], b->names->kid[j]))
                t = answer_equal(c, a->value->kid[i], b->value->kid[j]);
        if (t != TRI_YES)
            return t == TRI_NO ? decide(c, TRI_NO, "assignments by name") : t;
    }
    return decide(c, TRI_YES, "assignments by name");
}

static const struct expr *as_list(struct math_ctx *c, const struct expr *seq)
{
    return expr_new(&c->pool, EX_LIST, CONN_COMMA, seq->kid, seq->n);
}

static enum tri map_and_plain(struct math_ctx *c, const struct named *map, const struct expr *plain,
                              bool map_is_gold)
{
    const struct expr *value = map->value;

    if (map->is_indexed && (plain->op == EX_LIST || plain->op == EX_SET))
        value = as_list(c, value);
    return map_is_gold ? answer_equal(c, value, plain) : answer_equal(c, plain, value);
}

/* An equation in one variable against a value: when it is linear and the value solves it. */
static enum tri linear_and_value(struct math_ctx *c, const struct expr *equation,
                                 const struct expr *value)
{
    struct vars v = {0};
    const struct expr *solved;
    int sign;

    if (!is_single(equation) || equation->rel[0] != REL_EQ || expr_has_symbols(value) ||
        !expr_is_arith(value) || has_quantity(value))
        return decide(c, TRI_NO, "an equation is not a value");
    vars_collect(c, equation, &v);
    if (v.n != 1)
        return decide(c, TRI_NO, "an equation is not a value");
    solved = expr_bin(&c->pool, EX_ADD, 0, expr_sym(&c->pool, v.name[0]),
                      expr_un(&c->pool, EX_NEG, 0, (struct expr *)value));
    if (poly_proportional(c, solved, side_difference(c, equation), &sign) == TRI_YES)
        return decide(c, TRI_YES, "linear equation");
    return decide(c, TRI_NO, "an equation is not a value");
}

static enum tri named_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    struct named a = read_named(c, g), b = read_named(c, p);
    enum tri t;

    if (a.is_weak && b.kind != PLAIN)
        a.kind = EQUATION;
    if (b.is_weak && (a.kind != PLAIN || expr_has_symbols(a.value)))
        b.kind = EQUATION;
    if (a.is_weak && a.kind == SINGLE) /* a gold "x + y = 5" says more than 5 */
        a.kind = EQUATION;
    if (a.kind == EQUATION || b.kind == EQUATION) {
        if (g->op == EX_REL && p->op == EX_REL)
            return equation_equal(c, g, p);
        if (b.kind == EQUATION && a.kind == PLAIN)
            return linear_and_value(c, p, a.value);
        if (a.kind == EQUATION && b.kind == PLAIN)
            return linear_and_value(c, g, b.value);
        return decide(c, TRI_NO, "an equation and another kind");
    }
    if (a.kind == SINGLE && b.kind == SINGLE)
        t = single_equal(c, g, p, &a, &b);
    else if (a.kind == MAP && b.kind == MAP)
        t = map_equal(c, &a, &b);
    else if (a.kind == MAP && b.kind == PLAIN)
        t = map_and_plain(c, &a, b.value, true);
    else if (b.kind == MAP && a.kind == PLAIN)
        t = map_and_plain(c, &b, a.value, false);
    else if (a.kind == MAP || b.kind == MAP)
        return decide(c, TRI_NO, "one assignment and several");
    else if (a.value == g && b.value == p)
        return collection_equal(c, g, p);
    else
        t = answer_equal(c, a.value, b.value);
    /* behind an approximation sign: only against a decimal on the other side */
    if (t != TRI_YES && b.approx && a.value->op == EX_NUM && a.value->digits > 0 &&
        b.approx != b.value)
        t = answer_equal(c, a.value, b.approx);
    if (t != TRI_YES && a.approx && a.approx != a.value && b.value->op == EX_NUM &&
        b.value->digits > 0 && a.approx->op == EX_NUM &&
        value_equal(c, a.approx, b.value) == TRI_YES && a.approx->digits >= 6)
        t = decide(c, TRI_YES, "approximation as written");
    return t;
}

static bool has_undefined(struct math_ctx *c, const struct expr *e)
{
    for (int i = 0; i < e->n; i++)
        if (is_undefined(c, e->kid[i]))
            return true;
    return false;
}

/* A relation whose form says which signs stand in it. */
static bool is_known_chain(const struct expr *e)
{
    if (e->op != EX_REL)
        return false;
    for (int i = 0; i + 1 < e->n; i++)
        if (e->rel[i] == REL_OTHER)
            return false;
    return true;
}

enum tri relation_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *alt;
    enum tri t;

    if (is_known_chain(g) && is_known_chain(p) && same_form(c, g, p) && !has_undefined(c, g))
        return decide(c, TRI_YES, "same form");
    if (g->op == EX_RESIDUE || p->op == EX_RESIDUE)
        return residue_equal(c, g, p);
    if (has_inequality(g) || has_inequality(p)) {
        t = as_sets(c, g, p);
        if (t == TRI_NO && (alt = comma_as_or(c, p)) != NULL)
            t = as_sets(c, g, alt);
        if (t == TRI_NO && (alt = comma_as_or(c, g)) != NULL)
            t = as_sets(c, alt, p);
        if (t != TRI_UNKNOWN)
            return t;
        if (is_inequality(g) && is_inequality(p))
            return inequality_equal(c, g, p);
        if (g->op == EX_LIST && p->op == EX_LIST)
            return collection_equal(c, g, p);
        if ((g->op == EX_LIST && is_inequality(p)) || (p->op == EX_LIST && is_inequality(g)))
            return links_equal(c, g, p);
        return decide(c, TRI_NO, "an inequality and another kind");
    }
    return named_equal(c, g, p);
}
