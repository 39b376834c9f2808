/* test_latex.c - texts and the trees they become, in the canonical form; refusals; limits. */
#include "test.h"

#include "math/latex.h"

static const struct {
    const char *text, *form; /* form NULL: does not parse */
} cases[] = {
    {"12", "12"},
    {"1,234,567", "1234567"},
    {"1{,}234", "1234"},
    {"1\\,234.5", "2469/2"},
    {"11,\\! 111,\\! 111", "11111111"},
    {"32, 349", "list{32, 349}"},
    {"1,2345", "list{1, 2345}"},
    {".5", "1/2"},
    {"42.", "42"},
    {"6.72e-5", "21/312500"},
    {"1.5\\times10^3", "1500"},
    {"0.1\\overline{6}", "1/6"},
    {"0.\\dot{3}", "1/3"},
    {"0.\\dot1\\dot2", "4/33"},
    {"0.(3)", "1/3"},
    {"0.333...", "1/3"},
    {"-3\\frac12", "-(7/2)"},
    {"4 4/9", "40/9"},
    {"3\\frac{5}{2}", "undefined"},
    {"3.1\\frac{1}{2}", "((1 / 2)*31/10)"},
    {"204_5", "54"},
    {"(204)_{5}", "54"},
    {"2B_{16}", "43"},
    {"1011_{\\text{two}}", "11"},
    {"29_8", NULL},
    {"\\frac12", "(1 / 2)"},
    {"\\frac1{23}", "(1 / 23)"},
    {"\\frac\\pi2", "(pi / 2)"},
    {"\\sqrt13", "sqrt(13)"},
    {"\\sqrt[3]{8}", "root(8, 3)"},
    {"{a \\over b}", "(a / b)"},
    {"{}^3/_4", "(3 / 4)"},
    {"2**10", "(2 ^ 10)"},
    {"x^12", "(x ^ 12)"},
    {"2^-3", "(2 ^ -(3))"},
    {"-x^2", "-((x ^ 2))"},
    {"a/b c", "((a*c) / b)"},
    {"x^2y", "((x ^ 2)*y)"},
    {"2^{3^4}", "(2 ^ (3 ^ 4))"},
    {"\\sin 2x+1", "(1 + sin((2*x)))"},
    {"\\sin^2 x", "(sin(x) ^ 2)"},
    {"\\sin^{-1} x", "arcsin(x)"},
    {"2\\sin b\\cos a", "(2*cos(a)*sin(b))"},
    {"\\log_28", "log(8, 2)"},
    {"\\log_{2}(3)", "log(3, 2)"},
    {"3*cos(sqrt(2)*t)", "(3*cos((sqrt(2)*t)))"},
    {"n!", "factorial(n)"},
    {"7!!", "doublefactorial(7)"},
    {"9!!!", NULL},
    {"|x|+|y|", "(abs(x) + abs(y))"},
    {"||x|-1|", "abs((-(1) + abs(x)))"},
    {"\\lfloor x\\rfloor", "floor(x)"},
    {"{16 \\choose 2}", "binomial(16, 2)"},
    {"8 \\bmod 3", "mod(8, 3)"},
    {"f(x+1)", "f((1 + x))"},
    {"x(x+1)", "((1 + x)*x)"},
    {"C(10,3)", "binomial(10, 3)"},
    {"f'(x)", "f'(x)"},
    {"x_{12}", "x_12"},
    {"\\{1,2\\}", "{1, 2}"},
    {"\\{\\}", "emptyset"},
    {"(1,2]", "(1, 2]"},
    {"]a,b[", "]a, b["},
    {"(1,2", "(1, 2)"},
    {"\\left(1,2\\right.", "(1, 2)"},
    {"\\{x: x>2\\}", "{x : (x > 2)}"},
    {"[0,1)\\cup\\{3\\}", "([0, 1) union {3})"},
    {"-2\\le x<7", "(-(2) <= x < 7)"},
    {"x\\not=3", "(x != 3)"},
    {"x\\equiv 3\\pmod 7", "(x == 3) mod 7"},
    {"x=1\\text{ or }x=2", "any{(x = 1), (x = 2)}"},
    {"2, 3, \\text{ and } 5", "list{2, 3, 5}"},
    {"1\\pm\\sqrt2", "(1 + pm(sqrt(2)))"},
    {"\\begin{pmatrix}1&2\\\\3&4\\\\\\end{pmatrix}", "matrix 2x2[1, 2, 3, 4]"},
    {"\\begin{pmatrix}1&2\\\\3\\end{pmatrix}", NULL},
    {"\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "det(matrix 2x2[1, 2, 3, 4])"},
    {"\\begin{cases}x&x>0\\\\0&\\text{otherwise}\\end{cases}",
     "cases(x; (x > 0); 0; \"otherwise\")"},
    {"15\\mbox{ cm}^2", "(15 cm^2)"},
    {"10 square feet", "(10 ft^2)"},
    {"3\\,\\mathrm{km\\,h^{-1}}", "(3 km/h)"},
    {"\\$32,\\!348", "(32348 dollar)"},
    {"28\\%", "(28 percent)"},
    {"90^\\circ", "(90 deg)"},
    {"90°", "(90 deg)"},
    {"2½", "5/2"},
    {"√(2)", "sqrt(2)"},
    {"10⁻³", "(10 ^ -(3))"},
    {"52₈", "42"},
    {"x ≤ 5", "(x <= 5)"},
    {"a⋅b", "(a*b)"},
    {"12，5", "list{12, 5}"},
    {"\\text{Alice, Bob}", "list{\"Alice\", \"Bob\"}"},
    {"2:3:4", "2:3:4"},
    {"=42", "42"},
    {"42 \\tag{1}", "42"},
    {"\\boxed{42}", "42"},
    {"\\color{blue}{42}", "42"},
    {"", NULL},
    {")", NULL},
    {"1+", NULL},
    {"\\frac{1}", NULL},
    {"__import__('os')", NULL},
};

TEST(trees)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct arena a;
        struct expr_pool pool = {.arena = &a};
        struct latex_reading r = {0};
        const char *why = "";

        arena_init(&a, 0);
        struct expr *e = latex_parse(&pool, latex_clean(&a, STR(cases[i].text)), &r, &why);
        if (!cases[i].form) {
            CHECK(cases[i].text, e == NULL && *why);
        } else {
            CHECK(cases[i].text, e != NULL);
            CHECK_STR(cases[i].text, expr_form(&a, e), STR(cases[i].form));
        }
        arena_clear(&a);
    }
}

TEST(plain_text)
{
    static const char *const rows[][2] = {
        {"\\text{ Option  C}", "Option C"},
        {"\\textbf{(C)}~24", "(C) 24"},
        {"3{:}45\\ \\text{p.m.}", "3:45 p.m."},
        {"**Evelyn**", "Evelyn"},
        {"\\$5", "$5"},
    };
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(rows); i++)
        CHECK_STR(rows[i][0], latex_plain(&a, latex_clean(&a, STR(rows[i][0]))), STR(rows[i][1]));
    arena_clear(&a);
}

TEST(readings)
{
    static const struct {
        struct latex_reading reading;
        const char *text, *form;
    } rows[] = {
        {{.comma_is_list = true}, "1,234", "list{1, 234}"},
        {{.comma_is_decimal = true}, "2,5", "5/2"},
        {{.j_is_unit = true}, "3+4j", "((4*i) + 3)"},
        {{.letter_is_unit = true}, "79 g", "(79 g)"},
        {{0}, "79 g", "(79*g)"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        struct arena a;
        struct expr_pool pool = {.arena = &a};
        const char *why = "";
        arena_init(&a, 0);
        struct expr *e = latex_parse(&pool, STR(rows[i].text), &rows[i].reading, &why);
        CHECK(rows[i].text, e != NULL);
        CHECK_STR(rows[i].text, expr_form(&a, e), STR(rows[i].form));
        arena_clear(&a);
    }
}

/* One command of each letter the table begins with, its ends included: the binary search sees
 * order. */
TEST(commands_are_found)
{
    static const char *const names[] = {
        "!",     "$",     "%",    "Alpha",     "Zeta",       "alpha",        "boxed",  "cdot",
        "color", "colon", "det",  "emptyset",  "frac",       "geq",          "hspace", "in",
        "kappa", "leq",   "left", "mathrm",    "neq",        "operatorname", "pm",     "quad",
        "right", "sqrt",  "text", "underline", "varnothing", "wedge",        "xi",     "zeta",
        "{",     "|",     "}"};
    static const char *const words[] = {"Abs", "sqrt", "sin", "pi", "tanh", "infinity"};

    for (size_t i = 0; i < LEN(names); i++)
        CHECK(names[i], latex_command_find(STR(names[i])) != NULL);
    for (size_t i = 0; i < LEN(words); i++)
        CHECK(words[i], latex_word_find(STR(words[i])) != NULL);
    CHECK("unknown", latex_command_find(STR("nosuchcommand")) == NULL);
}

static const char *refusal(const char *unit, size_t times, const char *end)
{
    struct arena a;
    struct expr_pool pool = {.arena = &a};
    struct latex_reading r = {0};
    struct buf text = {0};
    const char *why = "";

    arena_init(&a, 0);
    for (size_t i = 0; i < times; i++)
        buf_addz(&text, unit);
    buf_addz(&text, end);
    struct expr *e = latex_parse(&pool, latex_clean(&a, buf_str(&text)), &r, &why);
    buf_clear(&text);
    arena_clear(&a);
    return e ? "parsed" : why;
}

TEST(limits)
{
    CHECK_STR("text", STR(refusal("1", LATEX_MAX_TEXT + 1, "")), STR("limit reached"));
    CHECK_STR("nesting", STR(refusal("(", 5000, "1")), STR("limit reached"));
    CHECK_STR("depth", STR(refusal("\\sqrt{", 1000, "2")), STR("limit reached"));
    CHECK_STR("nodes", STR(refusal("1+", 30000, "1")), STR("limit reached"));
    CHECK_STR("braces", STR(refusal("{", 3000, "1")), STR("parsed"));
    CHECK_STR("a long sum", STR(refusal("1+", 5000, "1")), STR("parsed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees),    cmocka_unit_test(plain_text),
        cmocka_unit_test(readings), cmocka_unit_test(commands_are_found),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
