/* test_metamorphic.c - laws that hold for any answers: equality is symmetric where kinds agree, two
 * styles of printing a random tree are equal, a random factor makes a difference, and rational
 * functions agree with evaluation modulo a prime. Hostile inputs end with a reason. */
#include "test.h"

#include <inttypes.h>

#include "math/compare.h"

/* splitmix64; every run sees the same cases */
static uint64_t random_state = 20240517;

static uint64_t draw(uint64_t n)
{
    uint64_t z = (random_state += 0x9E3779B97F4A7C15ul);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ul;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBul;
    return (z ^ (z >> 31)) % n;
}

/* --- random trees ----------------------------------------------------------------------------- */

enum node_op {
    NODE_NUMBER,
    NODE_VARIABLE,
    NODE_ADD,
    NODE_SUB,
    NODE_MUL,
    NODE_DIV,
    NODE_SQUARE,
    NODE_SQRT,
    NODE_SIN
};

struct node {
    enum node_op op;
    long value;
    struct node *a, *b;
};

enum style { STYLE_LATEX, STYLE_PLAIN, STYLE_SWAPPED };

static struct node *random_tree(struct arena *a, int depth, bool is_rational)
{
    struct node *t = arena_new(a, struct node);

    if (depth == 0 || draw(6) == 0) {
        t->op = draw(2) ? NODE_NUMBER : NODE_VARIABLE;
        t->value = (long)(t->op == NODE_NUMBER ? draw(9) + 1 : draw(3));
        return t;
    }
    t->op = (enum node_op)(NODE_ADD + draw(is_rational ? 5 : 7));
    t->a = random_tree(a, depth - 1, is_rational);
    if (t->op <= NODE_DIV)
        t->b = random_tree(a, depth - 1, is_rational);
    return t;
}

static void print_tree(struct buf *out, const struct node *t, enum style style)
{
    static const char names[] = "xyz";
    const struct node *a = t->a, *b = t->b;

    if (style == STYLE_SWAPPED && (t->op == NODE_ADD || t->op == NODE_MUL)) {
        a = t->b;
        b = t->a;
    }
    switch (t->op) {
    case NODE_NUMBER:
        buf_addf(out, "%ld", t->value);
        return;
    case NODE_VARIABLE:
        buf_addc(out, names[t->value]);
        return;
    case NODE_ADD:
    case NODE_SUB:
    case NODE_MUL:
        buf_addz(out, style == STYLE_LATEX ? "\\left(" : "(");
        print_tree(out, a, style);
        buf_addz(out, t->op == NODE_ADD      ? "+"
                      : t->op == NODE_SUB    ? " - "
                      : style == STYLE_LATEX ? "\\cdot "
                                             : "*");
        print_tree(out, b, style);
        buf_addz(out, style == STYLE_LATEX ? "\\right)" : ")");
        return;
    case NODE_DIV:
        buf_addz(out, style == STYLE_LATEX ? "\\frac{" : "((");
        print_tree(out, a, style);
        buf_addz(out, style == STYLE_LATEX ? "}{" : ")/(");
        print_tree(out, b, style);
        buf_addz(out, style == STYLE_LATEX ? "}" : "))");
        return;
    case NODE_SQUARE:
        buf_addz(out, "(");
        print_tree(out, a, style);
        buf_addz(out, style == STYLE_LATEX ? ")^{2}" : ")**2");
        return;
    case NODE_SQRT:
        /* of a sum of a square and one, so that it is real everywhere */
        buf_addz(out, style == STYLE_LATEX ? "\\sqrt{1+(" : "sqrt(1+(");
        print_tree(out, a, style);
        buf_addz(out, style == STYLE_LATEX ? ")^2}" : ")^2)");
        return;
    default:
        buf_addz(out, style == STYLE_LATEX ? "\\sin\\left(" : "sin(");
        print_tree(out, a, style);
        buf_addz(out, style == STYLE_LATEX ? "\\right)" : ")");
        return;
    }
}

static struct str printed(struct arena *a, const struct node *t, enum style style)
{
    struct buf out = {0};
    struct str s;

    print_tree(&out, t, style);
    s = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return s;
}

enum { PRIME = 1000003 };

static uint64_t power_mod(uint64_t x, uint64_t n)
{
    uint64_t r = 1;

    for (; n > 0; n >>= 1, x = x * x % PRIME)
        if (n & 1)
            r = r * x % PRIME;
    return r;
}

/* false: a denominator vanishes */
static bool eval_mod(const struct node *t, const uint64_t *point, uint64_t *out)
{
    uint64_t x = 0, y = 0;

    if (t->op == NODE_NUMBER || t->op == NODE_VARIABLE) {
        *out = t->op == NODE_NUMBER ? (uint64_t)t->value : point[t->value];
        return true;
    }
    if (!eval_mod(t->a, point, &x) || (t->b && !eval_mod(t->b, point, &y)))
        return false;
    switch (t->op) {
    case NODE_ADD:
        *out = (x + y) % PRIME;
        return true;
    case NODE_SUB:
        *out = (x + PRIME - y) % PRIME;
        return true;
    case NODE_MUL:
        *out = x * y % PRIME;
        return true;
    case NODE_DIV:
        *out = x * power_mod(y, PRIME - 2) % PRIME;
        return y != 0;
    default:
        *out = x * x % PRIME;
        return true;
    }
}

static enum math_result judged(struct math_ctx *c, struct str a, struct str b)
{
    struct math_verdict v;

    math_compare(c, a, b, NULL, &v);
    return v.result;
}

/* Whether the tree has a value at a point in general position. */
static bool is_defined(const struct node *t)
{
    static const uint64_t point[3] = {271828, 314159, 577215};
    uint64_t x;

    if (t->op == NODE_SQRT || t->op == NODE_SIN)
        return is_defined(t->a);
    if (!t->a)
        return true;
    if (!is_defined(t->a) || (t->b && !is_defined(t->b)))
        return false;
    /* roots and sines inside a denominator are not followed */
    return t->op != NODE_DIV || !eval_mod(t->b, point, &x) || x != 0;
}

TEST(styles_are_equal_and_factors_are_not)
{
    struct math_ctx *c = math_ctx_open();
    int n_defined = 0, n_undecided = 0;

    for (int i = 0; i < 600; i++) {
        struct arena a;
        arena_init(&a, 0);
        const struct node *t = random_tree(&a, 1 + i % 4, i % 2 == 0);
        struct str latex = printed(&a, t, STYLE_LATEX), plain = printed(&a, t, STYLE_PLAIN);
        struct str swapped = printed(&a, t, STYLE_SWAPPED);
        struct str scaled = str_fmt(&a, "%d(" STR_FMT ")", (int)draw(7) + 2, STR_ARG(latex));
        enum math_result self = judged(c, latex, latex);
        if (self == MATH_EQUAL && is_defined(t)) { /* x / (y - y) equals nothing, itself included */
            n_defined++;
            CHECK_INT(latex.ptr, judged(c, latex, plain), MATH_EQUAL);
            CHECK_INT(latex.ptr, judged(c, plain, swapped), MATH_EQUAL);
            CHECK_INT(latex.ptr, judged(c, swapped, latex), MATH_EQUAL);
            enum math_result r = judged(c, scaled, plain);
            n_undecided += r == MATH_UNDECIDED;
            if (r == MATH_EQUAL) /* only nothing is its own multiple */
                CHECK_INT(scaled.ptr, judged(c, plain, (struct str){"0", 1}), MATH_EQUAL);
        }
        arena_clear(&a);
    }
    CHECK("most trees have a value", n_defined > 450);
    CHECK("few verdicts stay open", n_undecided < 12);
    math_ctx_close(c);
}

TEST(rational_functions_agree_with_arithmetic)
{
    struct math_ctx *c = math_ctx_open();
    int n_checked = 0, n_equal = 0;

    for (int i = 0; i < 400; i++) {
        struct arena a;
        bool same = true, defined = true;
        arena_init(&a, 0);
        const struct node *s = random_tree(&a, 1 + i % 2, true), *t = random_tree(&a, 1, true);
        if (i % 3 == 0) { /* s + t - t */
            struct node sum = {.op = NODE_ADD, .a = (struct node *)s, .b = (struct node *)t};
            struct node *both = arena_new(&a, struct node), *rest = arena_new(&a, struct node);
            *both = sum;
            *rest = (struct node){.op = NODE_SUB, .a = both, .b = (struct node *)t};
            t = rest;
        }
        for (int k = 0; k < 4; k++) {
            uint64_t point[3] = {draw(PRIME - 2) + 2, draw(PRIME - 2) + 2, draw(PRIME - 2) + 2}, x,
                     y;
            if (!eval_mod(s, point, &x) || !eval_mod(t, point, &y))
                defined = false;
            else
                same &= x == y;
        }
        if (defined) {
            struct str p = printed(&a, s, STYLE_LATEX), q = printed(&a, t, STYLE_PLAIN);
            CHECK_INT(p.ptr, judged(c, p, q), same ? MATH_EQUAL : MATH_DIFFERENT);
            CHECK_INT(q.ptr, judged(c, q, p), same ? MATH_EQUAL : MATH_DIFFERENT);
            n_checked++;
            n_equal += same;
        }
        arena_clear(&a);
    }
    CHECK("enough pairs", n_checked > 300 && n_equal > 100);
    math_ctx_close(c);
}

/* The same pair has the same verdict whatever was compared before it. */
TEST(verdicts_do_not_depend_on_the_past)
{
    static const char *const pairs[][2] = {{"\\sqrt{5-2\\sqrt6}", "\\sqrt3-\\sqrt2"},
                                           {"\\sin^2 x+\\cos^2 x", "1"},
                                           {"9^{9^9}", "9^{9^8}"},
                                           {"[1,2]", "1\\le x\\le 2"},
                                           {"x^2-1", "(x-1)(x+1)"},
                                           {"\\text{even}", "odd"}};
    struct math_ctx *shared = math_ctx_open();

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < LEN(pairs); i++) {
            struct math_ctx *fresh = math_ctx_open();
            struct math_verdict a, b;
            size_t k = (i * 5 + (size_t)round) % LEN(pairs);
            math_compare(shared, STR(pairs[k][0]), STR(pairs[k][1]), NULL, &a);
            math_compare(fresh, STR(pairs[k][0]), STR(pairs[k][1]), NULL, &b);
            CHECK_INT(pairs[k][0], a.result, b.result);
            CHECK_STR(pairs[k][0], STR(a.reason), STR(b.reason));
            CHECK_STR(pairs[k][0], a.proof, b.proof);
            math_ctx_close(fresh);
        }
    }
    math_ctx_close(shared);
}

/* --- hostile inputs --------------------------------------------------------------------------- */

static struct str repeated(struct arena *a, const char *head, const char *unit, size_t n,
                           const char *tail)
{
    struct buf out = {0};
    struct str s;

    buf_addz(&out, head);
    for (size_t i = 0; i < n; i++)
        buf_addz(&out, unit);
    buf_addz(&out, tail);
    s = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return s;
}

TEST(hostile_inputs_end_with_a_reason)
{
    static const struct {
        const char *head, *unit;
        size_t n;
        const char *tail;
    } rows[] = {
        {"", "9", 1000000, ""},
        {"", "{", 100000, "1"},
        {"", "$", 1000000, ""},
        {"", "(", 100000, "1"},
        {"1", "!", 60000, ""},
        {"x", "^x", 20000, ""},
        {"", "\\frac", 20000, ""},
        {"", "\\sqrt", 20000, "2"},
        {"", "|", 50000, ""},
        {"", "-", 50000, "1"},
        {"", "\\sin ", 20000, "x"},
        {"a", "_a", 20000, ""},
        {"f", "'", 50000, ""},
        {"", "1,", 30000, "1"},
        {"", "\\log_", 10000, "2"},
        {"", "1<", 20000, "2"},
        {"", "\\begin{cases}", 3000, "7"},
        {"", "(1,2)\\cup", 5000, "(3,4)"},
        {"", "\xff\xfe", 30000, ""},
        {"", "\\text{", 5000, "a"},
        {"", "\\sum_", 10000, "1"},
        {"", "x\\pm ", 5000, "1"},
        {"\\begin{pmatrix}", "1&1&1&1&1&1&1&1&1&1\\\\", 1000, "\\end{pmatrix}"},
    };
    static const char *const single[] = {
        "9^{9^{9^{9^{9}}}}",
        "\\binom{3000000}{1500000}",
        "(10^{100})!",
        "((10^6)!)!",
        "10^{10^{10^{10}}}",
        "\\sin(10^{10^{10}})",
        "e^{e^{e^{e^e}}}",
        "1e999999999",
        "\\cos\\frac{2\\pi}{9973}",
        "(1+10^{-9})^{10^9}",
        "(a+b+c+d+e+f)^{1000000}",
        "\\frac{x^{400}-y^{400}}{x-y}",
        "\\sqrt[1000]{2}+\\sqrt[999]{3}",
        "0^{0^{0}}",
        "2^{-99999999999}",
        "\\binom{x}{10^{30}}",
        "\\lfloor 10^{50000}/7\\rfloor",
        "\\gcd(10^{9000},6^{9000})",
    };
    static const char *const golds[] = {"1", "\\sqrt2", "x+1", "\\{1,2\\}", "9^{9^{9^9}}", "x^2=1"};
    struct math_ctx *c = math_ctx_open();

    for (size_t i = 0; i < LEN(rows) + LEN(single); i++) {
        struct arena a;
        arena_init(&a, 0);
        struct str pred = i < LEN(rows)
                              ? repeated(&a, rows[i].head, rows[i].unit, rows[i].n, rows[i].tail)
                              : STR(single[i - LEN(rows)]);
        for (size_t k = 0; k <= LEN(golds); k++) {
            struct math_verdict v;
            struct str gold = k < LEN(golds) ? STR(golds[k]) : pred;
            char name[64];
            snprintf(name, sizeof(name), "%.50s", pred.ptr);
            math_compare(c, gold, pred, NULL, &v); /* a hang ends this program by its time-out */
            CHECK(name, *v.reason);
            if (k < LEN(golds) && !str_eq(gold, pred))
                CHECK(name, v.result != MATH_EQUAL);
        }
        arena_clear(&a);
    }
    math_ctx_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(styles_are_equal_and_factors_are_not),
        cmocka_unit_test(rational_functions_agree_with_arithmetic),
        cmocka_unit_test(verdicts_do_not_depend_on_the_past),
        cmocka_unit_test(hostile_inputs_end_with_a_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
