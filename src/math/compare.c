/* compare.c - from two texts to a verdict: readings, kinds, and which rule has the say.
 *
 * Each side is parsed in the plainest reading first. Where a text has another one - a decimal
 * comma, digits that a comma may group or separate, a capital I for the imaginary unit - that one
 * is tried for one side at a time, so that no verdict rests on two leniencies. */
#include "math/compare_internal.h"

#include "base/hash.h"
#include "math/unit.h"

struct math_opts math_opts_default(void)
{
    return (struct math_opts){.precision = -1};
}

struct math_ctx *math_ctx_open(void)
{
    struct math_ctx *c = xcalloc(1, sizeof(*c));

    arena_init(&c->arena, 0);
    c->opts = math_opts_default();
    return c;
}

static void close_calcium(struct math_ctx *c)
{
    if (c->has_ca)
        ca_ctx_clear(&c->ca);
    c->has_ca = false;
}

void math_ctx_close(struct math_ctx *c)
{
    if (!c)
        return;
    close_calcium(c);
    arena_clear(&c->arena);
    free(c);
    flint_cleanup();
}

static void begin(struct math_ctx *c, const struct math_opts *opts)
{
    close_calcium(c);
    arena_reset(&c->arena);
    c->pool = (struct expr_pool){.arena = &c->arena};
    c->opts = opts ? *opts : math_opts_default();
    c->steps = STEP_BUDGET;
    c->reason = "";
    c->proof = (struct str){"", 0};
    c->log_is_ten = false;
    c->is_principal = false;
    c->seed = 0;
}

/* --- any two answers -------------------------------------------------------------------------- */

static bool is_set_like(const struct expr *e)
{
    return e->op == EX_LIST || e->op == EX_SET || e->op == EX_SEQ || expr_is_const(e, CONST_EMPTY);
}

static bool is_region(const struct expr *e)
{
    return e->op == EX_SETOP || e->op == EX_BUILDER ||
           (e->op == EX_CONST && e->id >= CONST_REALS && e->id <= CONST_COMPLEX);
}

static bool has_relation(const struct expr *e)
{
    if (e->op == EX_REL || e->op == EX_RESIDUE)
        return true;
    if (e->op == EX_LIST)
        for (int i = 0; i < e->n; i++)
            if (has_relation(e->kid[i]))
                return true;
    return false;
}

/* Finite sets made with set operations, element by element: {x, y} cap {y, z}. */
static const struct expr *finite_set(struct math_ctx *c, const struct expr *e)
{
    struct expr **kids;
    const struct expr *a;
    int n = 0;

    if (e->op == EX_SET || expr_is_const(e, CONST_EMPTY))
        return e;
    if (e->op != EX_SETOP || e->n > 16 || (a = finite_set(c, e->kid[0])) == NULL || a->n > 256)
        return NULL;
    for (int k = 1; k < e->n; k++) {
        const struct expr *b = finite_set(c, e->kid[k]);
        if (!b || b->n > 256)
            return NULL;
        kids = arena_array(&c->arena, (size_t)(a->n + b->n) + 1, sizeof(*kids));
        n = 0;
        for (int i = 0; i < a->n; i++) {
            bool in_b = false;
            for (int j = 0; j < b->n && !in_b; j++)
                in_b = answer_equal(c, a->kid[i], b->kid[j]) == TRI_YES;
            if (e->id == 'u' || (e->id == 'n') == in_b)
                kids[n++] = a->kid[i];
        }
        for (int j = 0; j < b->n && e->id == 'u'; j++)
            kids[n++] = b->kid[j];
        a = n == 0 ? expr_const(&c->pool, CONST_EMPTY) : expr_new(&c->pool, EX_SET, 0, kids, n);
    }
    return a;
}

/* A bare R for \mathbb{R}, and likewise Z, Q and N. */
static bool is_letter_of(const struct expr *set, const struct expr *letter)
{
    return set->op == EX_CONST && set->id >= CONST_REALS && set->id <= CONST_NATURALS &&
           letter->op == EX_SYM && letter->name.len == 1 &&
           letter->name.ptr[0] == (set->id == CONST_REALS       ? 'R'
                                   : set->id == CONST_INTEGERS  ? 'Z'
                                   : set->id == CONST_RATIONALS ? 'Q'
                                                                : 'N');
}

static enum tri regions_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    if (is_letter_of(g, p) || is_letter_of(p, g))
        return decide(c, TRI_YES, "letter of a set");
    enum tri t = real_set_equal(c, g, p);
    const struct expr *fg, *fp;
    const char *why = c->reason;

    if (t != TRI_UNKNOWN)
        return t;
    if (str_eq(expr_form(&c->arena, g), expr_form(&c->arena, p)))
        return decide(c, TRI_YES, "same form");
    if (are_line_sets(c, g, p))
        return undecided(c, why);
    fg = g->op == EX_SETOP ? finite_set(c, g) : g;
    fp = p->op == EX_SETOP ? finite_set(c, p) : p;
    if (fg && fp && (fg != g || fp != p))
        return answer_equal(c, fg, fp);
    if (g->op == EX_SETOP && p->op == EX_SETOP && g->id == p->id && g->n == p->n) {
        struct expr *a = expr_new(&c->pool, EX_LIST, CONN_OR, g->kid, g->n);
        struct expr *b = expr_new(&c->pool, EX_LIST, CONN_OR, p->kid, p->n);
        if (g->id != '-')
            return collection_equal(c, a, b);
    }
    return decide(c, TRI_NO, "sets of another kind");
}

static enum tri ratio_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *other = g->op == EX_RATIO ? p : g, *r = g->op == EX_RATIO ? g : p;
    enum tri t = TRI_YES;

    if (other->op != EX_RATIO) {
        if (r->n != 2 || !expr_is_arith(other))
            return decide(c, TRI_NO, "a ratio and another kind");
        struct expr *q = expr_bin(&c->pool, EX_DIV, 0, r->kid[0], r->kid[1]);
        return g == r ? number_match(c, q, p) : number_match(c, g, q);
    }
    if (g->n != p->n)
        return decide(c, TRI_NO, "ratios of another length");
    for (int i = 1; i < g->n && t == TRI_YES; i++) {
        if (!expr_is_arith(g->kid[0]) || !expr_is_arith(g->kid[i]) || !expr_is_arith(p->kid[0]) ||
            !expr_is_arith(p->kid[i])) {
            t = answer_equal(c, g->kid[0], p->kid[0]);
            return t == TRI_YES ? answer_equal(c, g->kid[i], p->kid[i]) : t;
        }
        t = value_equal(c, expr_bin(&c->pool, EX_MUL, 0, g->kid[0], p->kid[i]),
                        expr_bin(&c->pool, EX_MUL, 0, g->kid[i], p->kid[0]));
    }
    return t == TRI_UNKNOWN ? t : decide(c, t, "ratio");
}

static enum tri texts_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    const struct expr *text = g->op == EX_TEXT ? g : p, *other = text == g ? p : g;
    long v;

    if (other->op == EX_TEXT || other->op == EX_SYM || (other->op == EX_MUL && other->name.len > 0))
        return words_equal(c, g->name, p->name);
    if (text_number(text->name, &v)) {
        struct expr *n = expr_num_si(&c->pool, v, 1);
        enum tri t = text == g ? answer_equal(c, n, p) : answer_equal(c, g, n);
        return t == TRI_YES ? decide(c, t, "number word") : t;
    }
    return decide(c, TRI_NO, "text and mathematics");
}

/* P(3, -4) beside a tuple is the point's name and its coordinates. */
static const struct expr *unnamed_point(struct math_ctx *c, const struct expr *e)
{
    struct expr *seq;

    if (e->op != EX_CALL || e->n < 2 || e->name.ptr[0] < 'A' || e->name.ptr[0] > 'Z')
        return e;
    seq = expr_new(&c->pool, EX_SEQ, 0, e->kid, e->n);
    seq->open = '(';
    seq->close = ')';
    return seq;
}

enum tri answer_equal(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    enum tri t;

    if (!spend(c, 2))
        return undecided(c, "limit reached");
    if (expr_is_const(g, CONST_UNDEFINED) || expr_is_const(p, CONST_UNDEFINED))
        return decide(c, TRI_NO, "undefined value");
    if (expr_is_const(g, CONST_DOTS) || expr_is_const(p, CONST_DOTS))
        return decide(c, g->op == p->op && g->id == p->id ? TRI_YES : TRI_NO, "same form");
    if (has_relation(g) || has_relation(p))
        return relation_equal(c, g, p);
    if (g->op == EX_TEXT || p->op == EX_TEXT)
        return is_set_like(g) || is_set_like(p) ? collection_equal(c, g, p) : texts_equal(c, g, p);
    if (g->op == EX_MATRIX || p->op == EX_MATRIX)
        return matrix_equal(c, g, p);
    if (is_region(g) || is_region(p))
        return regions_equal(c, g, p);
    if (g->op == EX_SEQ || p->op == EX_SEQ) {
        g = p->op == EX_SEQ ? unnamed_point(c, g) : g;
        p = g->op == EX_SEQ ? unnamed_point(c, p) : p;
        t = vector_equal(c, g, p);
        if (t != TRI_UNKNOWN)
            return t;
    }
    if (is_set_like(g) || is_set_like(p)) {
        t = collection_equal(c, g, p);
        /* {2} and the degenerate interval [2, 2] and the like */
        if (t == TRI_NO && g->op != p->op && (g->op == EX_SEQ || p->op == EX_SEQ) &&
            (g->op == EX_SET || p->op == EX_SET) && real_set_equal(c, g, p) == TRI_YES)
            return TRI_YES;
        return t == TRI_NO ? decide(c, t, c->reason) : t;
    }
    if (g->op == EX_RATIO || p->op == EX_RATIO)
        return ratio_equal(c, g, p);
    if (g->op == EX_CASES || p->op == EX_CASES)
        return identity_equal(c, g, p);
    if (has_quantity(g) || has_quantity(p))
        return quantity_equal(c, g, p);
    if (!expr_is_arith(g) || !expr_is_arith(p))
        return decide(c,
                      str_eq(expr_form(&c->arena, g), expr_form(&c->arena, p)) ? TRI_YES : TRI_NO,
                      "same form");
    return number_match(c, g, p);
}

/* --- readings --------------------------------------------------------------------------------- */

enum reading_kind {
    READ_PLAIN,
    READ_LIST,
    READ_DECIMAL,
    READ_IMAGINARY,
    READ_LETTER_UNIT,
    READ_SELECTION,
    READ_FACTOR,
    N_READINGS
};

struct side {
    struct str text, plain;
    const struct expr *tree[N_READINGS]; /* NULL: does not parse so, or not tried */
    bool is_tried[N_READINGS];
    const char *why;
};

static bool has_digit_comma(struct str s)
{
    for (size_t i = 1; i + 1 < s.len; i++)
        if (s.ptr[i] == ',' && s.ptr[i - 1] >= '0' && s.ptr[i - 1] <= '9' && s.ptr[i + 1] >= '0' &&
            s.ptr[i + 1] <= '9')
            return true;
    return str_find(s, STR("{,}"), 0) >= 0;
}

/* One comma between digits, and no other: 2,5. */
static bool has_one_comma(struct str s)
{
    int n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == ',' || s.ptr[i] == ';' || s.ptr[i] == '.';
    return n == 1 && has_digit_comma(s);
}

static bool has_letter(struct str s, char letter)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == letter)
            return true;
    return false;
}

/* The limit of nodes holds for each text by itself; what rewriting makes of it may be larger. */
static struct expr *read_text(struct math_ctx *c, struct side *s, const struct latex_reading *r)
{
    struct expr *e;

    c->pool.n_nodes = 0;
    e = latex_parse(&c->pool, s->text, r, &s->why);
    c->pool.n_nodes = -EXPR_MAX_REWRITTEN;
    if (c->pool.is_full) {
        c->pool.is_full = false;
        c->pool.n_nodes = 0;
        s->why = "limit reached";
        return NULL;
    }
    return e;
}

static const struct expr *parse_side(struct math_ctx *c, struct side *s, enum reading_kind kind)
{
    struct latex_reading r = {.comma_is_list = kind == READ_LIST,
                              .comma_is_decimal = kind == READ_DECIMAL,
                              .j_is_unit = kind == READ_IMAGINARY,
                              .letter_is_unit = kind == READ_LETTER_UNIT,
                              .letter_selects = kind == READ_SELECTION,
                              .bracket_is_factor = kind == READ_FACTOR};
    struct expr *e;
    int group;

    if (s->is_tried[kind])
        return s->tree[kind];
    s->is_tried[kind] = true;
    if (kind == READ_PLAIN)
        s->text = text_exclusion(&c->arena, s->text);
    group = kind == READ_PLAIN ? text_synonym(s->plain) : -1;
    if (group == 0)
        e = expr_const(&c->pool, CONST_EMPTY);
    else if (group == 1)
        e = expr_const(&c->pool, CONST_REALS);
    else if (group == 2 || group == 3)
        e = expr_const(&c->pool, CONST_INF);
    else if (group == 7)
        e = expr_const(&c->pool, CONST_INTEGERS);
    else if (group >= 4)
        e = expr_text(&c->pool, s->plain);
    else
        e = read_text(c, s, &r);
    if (group == 3)
        e = expr_un(&c->pool, EX_NEG, 0, e);
    s->tree[kind] = e ? normal_form(c, e) : NULL;
    if (c->pool.is_full) {
        s->tree[kind] = NULL;
        s->why = "limit reached";
    }
    return s->tree[kind];
}

static bool is_collection(const struct expr *e)
{
    return is_set_like(e) || is_region(e) || e->op == EX_MATRIX || has_relation(e);
}

/* Whether the whole text is one number in groups of three: 1,234,567. */
static bool is_grouped(const struct side *s)
{
    return s->tree[READ_PLAIN] && !is_collection(s->tree[READ_PLAIN]) && has_digit_comma(s->text);
}

static enum tri try_readings(struct math_ctx *c, struct side *g, struct side *p,
                             enum reading_kind kg, enum reading_kind kp)
{
    const struct expr *a = parse_side(c, g, kg), *b = parse_side(c, p, kp);

    return a && b ? answer_equal(c, a, b) : TRI_NO;
}

/* C_8^3, A^3_8 or P(8, 3). */
static bool may_select(struct str s)
{
    return s.len < 1000 && (str_find(s, STR("P("), 0) >= 0 ||
                            (has_letter(s, '^') &&
                             (has_letter(s, 'C') || has_letter(s, 'A') || has_letter(s, 'P')) &&
                             has_letter(s, '_')));
}

static bool has_selecting_name(const struct expr *e)
{
    if (e->op == EX_SYM || e->op == EX_CALL)
        return strchr("CAP", e->name.ptr[0]) != NULL;
    for (int i = 0; i < e->n; i++)
        if (has_selecting_name(e->kid[i]))
            return true;
    return false;
}

/* Other readings after the plain ones came to no. */
static enum tri other_readings(struct math_ctx *c, struct side *g, struct side *p)
{
    const struct expr *a = g->tree[READ_PLAIN], *b = p->tree[READ_PLAIN];
    bool gold_is_grouped = is_grouped(g), pred_is_grouped = is_grouped(p);
    enum tri t = TRI_NO;

    if (has_digit_comma(p->text) && (!a || is_collection(a)))
        t = try_readings(c, g, p, READ_PLAIN, READ_LIST);
    if (t != TRI_YES && has_digit_comma(g->text) && !gold_is_grouped && (!b || is_collection(b)))
        t = try_readings(c, g, p, READ_LIST, READ_PLAIN);
    if (t != TRI_YES && has_digit_comma(g->text) && has_digit_comma(p->text) && !gold_is_grouped)
        t = try_readings(c, g, p, READ_LIST, READ_LIST);
    /* a decimal comma stands in a bare number, never in brackets: (2,5) is a point */
    if (t != TRI_YES && has_one_comma(p->text) && !pred_is_grouped && (!a || !is_collection(a)) &&
        (!b || b->op == EX_LIST))
        t = try_readings(c, g, p, READ_PLAIN, READ_DECIMAL);
    if (t != TRI_YES && has_one_comma(g->text) && !gold_is_grouped && (!b || !is_collection(b)) &&
        (!a || a->op == EX_LIST))
        t = try_readings(c, g, p, READ_DECIMAL, READ_PLAIN);
    bool g_imag =
        (has_letter(g->text, 'I') || has_letter(g->text, 'j')) && a && !expr_has_const(a, CONST_I);
    bool p_imag =
        (has_letter(p->text, 'I') || has_letter(p->text, 'j')) && b && !expr_has_const(b, CONST_I);
    if (t != TRI_YES && p_imag)
        t = try_readings(c, g, p, READ_PLAIN, READ_IMAGINARY);
    if (t != TRI_YES && g_imag)
        t = try_readings(c, g, p, READ_IMAGINARY, READ_PLAIN);
    if (t != TRI_YES && may_select(p->text) && a && !has_selecting_name(a))
        t = try_readings(c, g, p, READ_PLAIN, READ_SELECTION);
    if (t != TRI_YES && may_select(g->text) && b && !has_selecting_name(b))
        t = try_readings(c, g, p, READ_SELECTION, READ_PLAIN);
    if (t != TRI_YES && a && b && has_letter(p->text, '(') && expr_has_op(b, EX_FUNC) &&
        expr_has_symbols(b))
        t = try_readings(c, g, p, READ_PLAIN, READ_FACTOR);
    if (t != TRI_YES && a && b && has_letter(g->text, '(') && expr_has_op(a, EX_FUNC) &&
        expr_has_symbols(a))
        t = try_readings(c, g, p, READ_FACTOR, READ_PLAIN);
    /* "79 g" for 79 */
    if (t != TRI_YES && a && b && !expr_has_symbols(a) && expr_has_symbols(b))
        t = try_readings(c, g, p, READ_PLAIN, READ_LETTER_UNIT);
    return t;
}

static bool has_bare_log(const struct expr *e)
{
    if (e->op == EX_FUNC && e->id == FN_LOG && e->n == 1)
        return true;
    for (int i = 0; i < e->n; i++)
        if (has_bare_log(e->kid[i]))
            return true;
    return false;
}

/* --- renaming --------------------------------------------------------------------------------- */

static const struct expr *renamed(struct math_ctx *c, const struct expr *e, const struct vars *from,
                                  const struct vars *to, const int *perm)
{
    struct expr **kids;

    if (e->op == EX_SYM) {
        int i = vars_find(from, e->name);
        return i < 0 ? e : expr_sym(&c->pool, to->name[perm[i]]);
    }
    if (e->n == 0)
        return e;
    kids = arena_array(&c->arena, (size_t)e->n, sizeof(*kids));
    for (int i = 0; i < e->n; i++)
        kids[i] = (struct expr *)renamed(c, e->kid[i], from, to, perm);
    return expr_with_kids(&c->pool, e, kids);
}

static void collect_symbols(const struct expr *e, struct vars *v)
{
    if (e->op == EX_SYM && vars_find(v, e->name) < 0) {
        if (v->n < MAX_VARS)
            v->name[v->n++] = e->name;
        else
            v->is_overfull = true;
    }
    for (int i = 0; i < e->n; i++)
        collect_symbols(e->kid[i], v);
}

static bool next_permutation(int *p, int n)
{
    int i = n - 2, j = n - 1;

    while (i >= 0 && p[i] >= p[i + 1])
        i--;
    if (i < 0)
        return false;
    while (p[j] <= p[i])
        j--;
    int t = p[i];
    p[i] = p[j];
    p[j] = t;
    for (int a = i + 1, b = n - 1; a < b; a++, b--) {
        t = p[a];
        p[a] = p[b];
        p[b] = t;
    }
    return true;
}

static enum tri equal_up_to_names(struct math_ctx *c, const struct expr *g, const struct expr *p)
{
    struct vars a = {0}, b = {0};
    int perm[4] = {0, 1, 2, 3};
    enum tri t = TRI_NO;

    collect_symbols(g, &a);
    collect_symbols(p, &b);
    if (a.n != b.n || a.n == 0 || a.n > 4)
        return TRI_NO;
    do {
        t = answer_equal(c, g, renamed(c, p, &b, &a, perm));
    } while (t != TRI_YES && next_permutation(perm, a.n));
    return t == TRI_YES ? decide(c, t, "variables renamed") : t;
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* AB \parallel CD: a sign that only its name tells from others. */
static bool is_other_relation(const struct expr *e)
{
    return e->op == EX_REL && e->n == 2 && e->rel[0] == REL_OTHER;
}

/* Whether braces tell a numerator from a denominator, which a comparison of words does not see:
 * \frac{38}{} is not \frac{3}{8}. */
static bool has_fraction(const struct expr *e)
{
    return e && expr_has_op(e, EX_DIV);
}

static enum tri judge_trees(struct math_ctx *c, struct side *g, struct side *p)
{
    const struct expr *a, *b;
    enum tri t, u;

    a = parse_side(c, g, READ_PLAIN);
    b = parse_side(c, p, READ_PLAIN);
    if ((!a && str_eqz(STR(g->why), "limit reached")) ||
        (!b && str_eqz(STR(p->why), "limit reached")))
        return undecided(c, "limit reached");
    t = a && b ? answer_equal(c, a, b) : TRI_NO;
    if (t == TRI_YES)
        return t;
    const char *reason = a && b ? c->reason : "text";
    struct str proof = c->proof;
    if (a && b && c->opts.rename_variables && (u = equal_up_to_names(c, a, b)) == TRI_YES)
        return u;
    if (a && b && (has_bare_log(a) || has_bare_log(b))) {
        c->log_is_ten = true;
        u = answer_equal(c, a, b);
        c->log_is_ten = false;
        if (u == TRI_YES)
            return decide(c, TRI_YES, "decimal logarithm");
    }
    if (other_readings(c, g, p) == TRI_YES)
        return TRI_YES;
    if (!has_fraction(a) && !has_fraction(b) &&
        (!a || !b || (is_other_relation(a) && is_other_relation(b)))) {
        u = text_equal(c, g->text, p->text);
        if (u == TRI_YES)
            return u;
    }
    c->reason = reason;
    c->proof = proof;
    return t;
}

static bool number_word(struct math_ctx *c, struct side *s, const struct expr **out)
{
    long v;

    struct str words = str_trim(s->plain), unit;
    const char *blank;
    struct expr *e;

    if (s->plain.len <= 20 && text_number(s->plain, &v)) {
        *out = expr_num_si(&c->pool, v, 1);
        return true;
    }
    blank = words.len <= 40 && words.len > 0 ? memrchr(words.ptr, ' ', words.len) : NULL;
    if (!blank)
        return false;
    unit = str_slice(words, (size_t)(blank - words.ptr) + 1, words.len); /* "two hours" */
    if (unit.len < 2 || !unit_is_known(unit) ||
        !text_number(str_slice(words, 0, (size_t)(blank - words.ptr)), &v))
        return false;
    e = expr_un(&c->pool, EX_UNIT, 0, expr_num_si(&c->pool, v, 1));
    e->name = unit_canonical(&c->arena, unit);
    *out = e;
    return true;
}

static enum tri judge(struct math_ctx *c, struct side *g, struct side *p)
{
    const struct expr *e;
    enum tri t;

    t = choice_equal(c, g->text, p->text);
    if (t != TRI_UNKNOWN)
        return t;
    t = time_equal(c, g->text, p->text);
    if (t != TRI_UNKNOWN)
        return t;
    if (number_word(c, g, &e)) {
        g->tree[READ_PLAIN] = e;
        g->is_tried[READ_PLAIN] = true;
    }
    if (number_word(c, p, &e)) {
        p->tree[READ_PLAIN] = e;
        p->is_tried[READ_PLAIN] = true;
    }
    return judge_trees(c, g, p);
}

/* Whole numbers of a few digits, the most frequent pair by far, without a tree. */
static bool small_integer(struct str s, int64_t *out)
{
    int64_t v = 0;
    size_t i = 0;
    bool neg = s.len > 1 && s.ptr[0] == '-';

    i = neg;
    if (s.len - i == 0 || s.len - i > 15)
        return false;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        v = v * 10 + (s.ptr[i] - '0');
    }
    *out = neg ? -v : v;
    return true;
}

static void open_side(struct math_ctx *c, struct side *s, struct str text)
{
    *s = (struct side){0};
    s->why = "";
    s->text = latex_clean(&c->arena, str_slice(text, 0, (size_t)LATEX_MAX_TEXT * 4));
    s->plain = s->text.len <= 200 ? latex_plain(&c->arena, s->text) : (struct str){"", 0};
}

static void describe(struct math_ctx *c, const struct side *s, struct str *form, const char **kind)
{
    const struct expr *e = s->tree[READ_PLAIN];

    *form = e                    ? expr_form(&c->arena, e)
            : s->text.len > 2000 ? str_slice(s->text, 0, 2000)
                                 : s->text;
    *kind = e ? expr_kind(e) : "text";
}

void math_compare(struct math_ctx *c, struct str gold, struct str pred,
                  const struct math_opts *opts, struct math_verdict *out)
{
    struct side g, p;
    int64_t x, y;
    enum tri t;

    begin(c, opts);
    *out = (struct math_verdict){
        .reason = "", .gold_kind = "number", .pred_kind = "number", .proof = {"", 0}};
    if (small_integer(gold, &x) && small_integer(pred, &y)) {
        out->result = x == y ? MATH_EQUAL : MATH_DIFFERENT;
        out->reason = "rational";
        out->gold_form = gold;
        out->pred_form = pred;
        return;
    }
    c->seed =
        siphash64(0x6d617468, 0x636f6d70, gold.ptr, MIN(gold.len, (size_t)LATEX_MAX_TEXT)) ^
        (siphash64(0x707265, 0x64696374, pred.ptr, MIN(pred.len, (size_t)LATEX_MAX_TEXT)) * 3);
    open_side(c, &g, gold);
    open_side(c, &p, pred);
    if (g.text.len == 0) {
        t = undecided(c, "gold unreadable");
    } else if (p.text.len == 0) {
        t = decide(c, TRI_NO, "no answer");
    } else if (g.text.len > LATEX_MAX_TEXT || p.text.len > LATEX_MAX_TEXT) {
        t = undecided(c, "limit reached");
    } else {
        t = judge(c, &g, &p);
        if (c->pool.is_full) /* rewriting grew beyond its limit: nothing is proven */
            t = undecided(c, "limit reached");
    }
    out->result = t == TRI_YES ? MATH_EQUAL : t == TRI_NO ? MATH_DIFFERENT : MATH_UNDECIDED;
    out->reason = c->reason && *c->reason ? c->reason : "undecided";
    if (out->result != MATH_UNDECIDED) /* where nothing is decided, nothing is proven */
        out->proof = c->proof;
    describe(c, &g, &out->gold_form, &out->gold_kind);
    describe(c, &p, &out->pred_form, &out->pred_kind);
}

/* Words anywhere but in a list of answers make it prose. */
static bool has_loose_text(const struct expr *e)
{
    if (e->op == EX_TEXT)
        return true;
    if (e->op == EX_CASES)
        return false;
    for (int i = 0; i < e->n; i++)
        if (has_loose_text(e->kid[i]))
            return true;
    return false;
}

bool math_parses(struct math_ctx *c, struct str text)
{
    struct side s;
    const struct expr *e;

    if (text.len > LATEX_MAX_TEXT)
        return false;
    begin(c, NULL);
    open_side(c, &s, text);
    if (s.text.len == 0)
        return false;
    e = parse_side(c, &s, READ_PLAIN);
    return e && !has_loose_text(e);
}

struct str math_key(struct math_ctx *c, struct str answer, struct arena *a)
{
    struct side s;
    const struct expr *e;
    fmpq_t q;
    struct str key;

    begin(c, NULL);
    open_side(c, &s, answer);
    if (s.text.len == 0)
        return (struct str){"", 0};
    if (s.text.len > LATEX_MAX_TEXT)
        return str_fmt(a, "text:%016lx", siphash64(1, 2, s.text.ptr, s.text.len));
    e = parse_side(c, &s, READ_PLAIN);
    if (!e) {
        struct str plain = latex_plain(&c->arena, s.text);
        char *z = arena_strndup(a, plain.ptr, plain.len);
        for (size_t i = 0; i < plain.len; i++)
            z[i] = z[i] >= 'A' && z[i] <= 'Z' && plain.len > 1 ? (char)(z[i] - 'A' + 'a') : z[i];
        return str_fmt(a, "text:" STR_FMT, (int)plain.len, z);
    }
    if (e->op == EX_TEXT) {
        char *z = arena_strndup(a, e->name.ptr, e->name.len);
        for (size_t i = 0; i < e->name.len; i++)
            z[i] = z[i] >= 'A' && z[i] <= 'Z' ? (char)(z[i] - 'A' + 'a') : z[i];
        return str_fmt(a, "text:" STR_FMT, (int)e->name.len, z);
    }
    fmpq_init(q);
    if (expr_is_arith(e) && eval_rational(c, e, q) == EVAL_OK) {
        const struct expr *n = expr_num_q(&c->pool, q);
        key = expr_form(a, n);
    } else {
        struct str form = expr_form(&c->arena, e);
        key = str_fmt(a, STR_FMT, STR_ARG(form));
    }
    fmpq_clear(q);
    return key;
}
