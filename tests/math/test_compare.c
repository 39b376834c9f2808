/* test_compare.c - verdicts by category, and every gold of the data sets. */
#include "test.h"

#include "base/file.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "math/answer.h"
#include "math/compare.h"

enum { EQ = MATH_EQUAL, NE = MATH_DIFFERENT, UN = MATH_UNDECIDED };

struct row {
    const char *gold, *pred;
    int want;
};

static void check_rows(const struct row *rows, size_t n, const struct math_opts *opts)
{
    struct math_ctx *c = math_ctx_open();

    for (size_t i = 0; i < n; i++) {
        struct math_verdict v;
        char name[256];
        snprintf(name, sizeof(name), "%.100s | %.100s", rows[i].gold, rows[i].pred);
        math_compare(c, STR(rows[i].gold), STR(rows[i].pred), opts, &v);
        if ((int)v.result != rows[i].want)
            fail_msg("%s: %d, expected %d (%s)", name, v.result, rows[i].want, v.reason);
        CHECK(name, v.reason != NULL && *v.reason);
    }
    math_ctx_close(c);
}

#define CHECK_ROWS(rows) check_rows((rows), LEN(rows), NULL)

TEST(numbers)
{
    static const struct row rows[] = {
        {"12", "12", EQ},
        {"12", "-12", NE},
        {"12345", "12,345", EQ},
        {"12345", "12\\,345", EQ},
        {"12345", "12,34,5", NE},
        {"\\frac{7}{3}", "2\\frac13", EQ},
        {"\\frac{7}{3}", "2\\frac43", NE},
        {"-\\frac{7}{3}", "-2 1/3", EQ},
        {"\\frac{22}{7}", "3.142857", EQ},
        {"\\frac{22}{7}", "3.1428", NE},
        {"\\frac{1}{11}", "0.\\overline{09}", EQ},
        {"\\frac{1}{11}", "0.0\\overline{9}", NE},
        {"\\frac{1}{3}", "0.333...", EQ},
        {"0.125", "\\frac18", EQ},
        {"12.5", "12{,}5", EQ},
        {"8", "8.0000001", NE},
        {"8.5", "8.5000001", EQ},
        {"6.02\\times10^{23}", "602000000000000000000000", EQ},
        {"0.00012", "1.2e-4", EQ},
        {"\\frac{1}{0}", "\\frac{1}{0}", NE},
        {"2^{64}", "18446744073709551616", EQ},
        {"2^{64}", "18446744073709551615", NE},
        {"110_2", "6", EQ},
        {"110_2", "110", NE},
        {"1A_{16}", "26_{10}", EQ},
        {"102_3", "11", EQ},
        {"7!", "5040", EQ},
        {"\\binom{7}{3}", "35", EQ},
        {"8!!", "384", EQ},
        {"(8!)!", "(8!)!", EQ},
        {"\\gcd(84,36)", "12", EQ},
        {"\\lfloor -2.5\\rfloor", "-3", EQ},
        {"17 \\bmod 5", "2", EQ},
        {"3^{3^{3}}", "3^{27}", EQ},
        {"9^{9^{9^9}}", "9^{9^{9^8}}", NE},
        {"\\frac{2^{3000}}{3}", "\\frac{2^{3001}}{6}", EQ},
        {"\\sum_{k=1}^{10} k^2", "385", EQ},
        {"\\prod_{k=1}^{4}(k+1)", "120", EQ},
    };

    CHECK_ROWS(rows);
}

TEST(constants)
{
    static const struct row rows[] = {
        {"\\sqrt{50}", "5\\sqrt2", EQ},
        {"\\sqrt{50}", "2\\sqrt5", NE},
        {"\\sqrt2", "\\sqrt{2+10^{-300}}", NE},
        {"\\sqrt2+\\sqrt3+\\sqrt5", "\\sqrt{10+2\\sqrt6+2\\sqrt{10}+2\\sqrt{15}}", EQ},
        {"\\sqrt{12+2\\sqrt6+2\\sqrt{14}+2\\sqrt{21}}", "\\sqrt2+\\sqrt3+\\sqrt7", EQ},
        {"\\sqrt{11+2\\sqrt6+2\\sqrt{14}+2\\sqrt{21}}", "\\sqrt2+\\sqrt3+\\sqrt7", NE},
        {"-\\sqrt2-\\sqrt3-\\sqrt5", "\\sqrt{10+2\\sqrt6+2\\sqrt{10}+2\\sqrt{15}}", NE},
        {"e^{1/e}", "\\sqrt[e]{e}", EQ},
        {"1.5\\times10^{-4}", "1.5 x 10^-4", EQ},
        {"1.5\\times10^{-4}", "1.5x10^-4", EQ},
        {"3x", "3x10", NE},
        {"\\text{FF}_{16}", "255", EQ},
        {"\\frac{a}{b}", "\\frac ab", EQ},
        {"\\frac{a}{b}", "\\frac ba", NE},
        {"\\frac{ac}{b}", "\\frac abc", EQ},
        {"\\binom{n}{k}", "\\binom nk", EQ},
        {"n\\equiv 1\\pmod 4", "n\\equiv 1\\mod 4", EQ},
        {"n\\equiv 1\\pmod 4", "n\\equiv 5 \\bmod 4", EQ},
        {"n\\equiv 1\\pmod 4", "n \\equiv 1 \\mod{4}", EQ},
        {"n\\equiv 1\\pmod 4", "n \\equiv 1 \\mod{5}", NE},
        {"n\\equiv 1\\pmod 4", "n \\equiv 2 mod 4", NE},
        {"x\\equiv 1,4\\pmod 5", "x\\equiv \\pm1\\pmod 5", EQ},
        {"x\\equiv 1,4\\pmod 5", "x\\equiv 1\\pmod 5", NE},
        {"x\\equiv 1,4\\pmod 5", "x\\equiv 1,3\\pmod 5", NE},
        {"x\\equiv 1,4\\pmod 5", "x\\equiv 4 \\text{ or } 1\\pmod 5", EQ},
        {"x\\equiv 1,4\\pmod 5", "x\\equiv 1 \\text{ or } x\\equiv -1\\pmod 5", EQ},
        {"\\begin{pmatrix}1\\\\-1\\end{pmatrix}", "(1,-1)^T", EQ},
        {"(1,-1)^T", "(1,-1)", EQ},
        {"\\begin{pmatrix}1\\\\-1\\end{pmatrix}", "\\begin{pmatrix}1&-1\\end{pmatrix}^T", EQ},
        {"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}^T",
         EQ},
        {"\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}^T",
         NE},
        {"\\begin{pmatrix}1\\\\-1\\end{pmatrix}", "(-1,1)^T", NE},
        {"\\{-1,0,1,2\\}", "\\{x\\in\\mathbb{Z}: -1\\le x\\le 2\\}", EQ},
        {"\\{-1,0,1\\}", "\\{x\\in\\mathbb{Z}: -1\\le x\\le 2\\}", NE},
        {"\\{-1,0,1,2,3\\}", "\\{x\\in\\mathbb{Z}: -1\\le x\\le 2\\}", NE},
        {"[-1,2]", "\\{x\\in\\mathbb{Z}: -1\\le x\\le 2\\}", NE},
        {"\\{x\\in\\mathbb{Z}: x>2\\}", "(2,\\infty)", NE},
        {"\\{x\\in\\mathbb{R}: x>2\\}", "(2,\\infty)", EQ},
        {"\\{x\\in\\mathbb{Z}: x>2\\}", "\\{n\\in\\mathbb{Z}: n\\ge 3\\}", EQ},
        {"\\{1,2,3\\}", "\\{n\\in\\mathbb{N}: n\\le 3, n\\ge 1\\}", EQ},
        {"\\{0,1,2,3\\}", "\\{n\\in\\mathbb{N}: 1\\le n\\le 3\\}", NE},
        {"(0,3)", "\\{x^2 : 0<x<3\\}", NE},
        {"\\{1,2\\}", "\\{n\\in\\mathbb{N}: n\\le 2\\}", UN},
        {"\\{1,2\\}", "\\{n\\in\\mathbb{N}: n\\le 3\\}", UN},
        {"\\sqrt[3]{-27}", "-3", EQ},
        {"(-8)^{2/3}", "4", EQ},
        {"\\frac{1}{\\sqrt2+1}", "\\sqrt2-1", EQ},
        {"\\sqrt{3+2\\sqrt2}", "1+\\sqrt2", EQ},
        {"\\sqrt{3-2\\sqrt2}", "1-\\sqrt2", NE},
        {"\\cos\\frac{2\\pi}{5}", "\\frac{\\sqrt5-1}{4}", EQ},
        {"\\sin 75^\\circ", "\\frac{\\sqrt6+\\sqrt2}{4}", EQ},
        {"\\tan\\frac{\\pi}{2}", "1", NE},
        {"\\ln 8", "3\\ln 2", EQ},
        {"\\log_2 10", "1+\\log_2 5", EQ},
        {"\\log_2 10", "\\log_2 5", NE},
        {"\\lg 1000", "3", EQ},
        {"\\log 1000", "3", EQ},
        {"e^{\\ln 5}", "5", EQ},
        {"e^{i\\pi}+1", "0", EQ},
        {"(1+i)^4", "-4", EQ},
        {"\\frac{1+i}{1-i}", "i", EQ},
        {"|3+4i|", "5", EQ},
        {"3+4i", "3-4i", NE},
        {"3+4j", "3+4i", EQ},
        {"\\pi", "\\frac{355}{113}", NE},
        {"\\pi", "3.14159265", EQ},
        {"\\sqrt{2}", "1.41421", NE},
        {"2\\arctan\\frac13+\\arctan\\frac17", "\\frac{\\pi}{4}", EQ},
        {"\\cosh 0", "1", EQ},
        {"\\infty", "+\\infty", EQ},
        {"\\infty", "-\\infty", NE},
        {"\\infty-\\infty", "\\infty-\\infty", NE},
        {"\\sqrt{2}+10^{-60}", "\\sqrt2", NE},
    };

    CHECK_ROWS(rows);
}

TEST(expressions)
{
    static const struct row rows[] = {
        {"(a-b)^3", "a^3-3a^2b+3ab^2-b^3", EQ},
        {"(a-b)^3", "a^3-3a^2b+3ab^2+b^3", NE},
        {"\\frac{x^3-8}{x-2}", "x^2+2x+4", EQ},
        {"\\frac{1}{x}+\\frac1y", "\\frac{x+y}{xy}", EQ},
        {"\\frac{1}{x}+\\frac1y", "\\frac{2}{x+y}", NE},
        {"x", "X", NE},
        {"x_1", "x_{1}", EQ},
        {"x_1", "x_2", NE},
        {"\\sqrt{x^2+1}", "(x^2+1)^{1/2}", EQ},
        {"\\frac{\\sqrt{x}}{x}", "x^{-1/2}", EQ},
        {"\\sin 2x", "2\\sin x\\cos x", EQ},
        {"\\sin^2 x", "\\frac{1-\\cos 2x}{2}", EQ},
        {"\\sin^2 x", "\\sin x^2", NE},
        {"\\sin^{-1} x", "\\arcsin x", EQ},
        {"2^{n}\\cdot 3^n", "6^n", EQ},
        {"2^{n}\\cdot 3^n", "5^n", NE},
        {"\\ln(xy)", "\\ln x+\\ln y", EQ},
        {"|x|", "\\sqrt{x^2}", EQ},
        {"\\sqrt{x^2}", "x", NE},
        {"\\sqrt{4x^2}", "2x", NE},
        {"x+1", "\\sqrt{x^2+2x+1}", NE},
        {"(x^4)^{1/4}", "x", NE},
        {"e^{|x|}", "e^x", NE},
        {"y=\\sqrt{x^2}", "y=x", NE},
        {"\\sqrt{a^2b}", "a\\sqrt{b}", NE},
        {"\\sqrt{a^2b}", "|a|\\sqrt{b}", EQ},
        {"\\sqrt{x}\\sqrt{x}", "x", EQ},
        {"\\sqrt{\\frac{l}{g}}", "\\frac{\\sqrt{lg}}{g}", EQ},
        {"\\sqrt{xy}", "\\sqrt{x}\\sqrt{y}", EQ},
        {"(x^3)^{1/3}", "x", EQ},
        {"(x^{2n})", "(x^n)^2", EQ},
        {"\\ln x^2", "2\\ln x", EQ},
        {"x^{2/3}", "\\sqrt[3]{x^2}", EQ},
        {"x\\sqrt{x}", "x^{3/2}", EQ},
        {"|x|", "x", NE},
        {"(-1)^{2n}", "1", EQ},
        {"\\frac{(n+1)!}{n!}", "n+1", EQ},
        {"\\binom{n}{3}", "\\frac{n(n-1)(n-2)}{6}", EQ},
        {"\\lfloor x\\rfloor", "x", NE},
        {"\\sqrt2 x+\\sqrt2", "\\sqrt2(x+1)", EQ},
        {"x^2+C", "x^2", NE},
        {"\\frac{a}{b}c", "\\frac{ac}{b}", EQ},
        {"1/2x", "x/2", EQ},
        {"(x+1)^{2000}", "(x+1)^{2001}", NE},
        {"(x+1)^{2000}", "((x+1)^{20})^{100}", EQ},
        {"\\int_0^1 f(x)\\,dx", "\\int_0^1 f(x) dx", EQ},
    };

    CHECK_ROWS(rows);
}

TEST(collections)
{
    static const struct row rows[] = {
        {"1,2,3", "3,2,1", EQ},
        {"\\{1,2,3\\}", "1,2,3", EQ},
        {"(1,2,3)", "3,2,1", NE},
        {"(1,2,3)", "1,2,3", EQ},
        {"(1,2,3)", "\\{1,2,3\\}", NE},
        {"\\{1,2\\}", "\\{2,1,1\\}", EQ},
        {"\\{1,2\\}", "\\{1,2,3\\}", NE},
        {"2\\pm\\sqrt3", "2+\\sqrt3, 2-\\sqrt3", EQ},
        {"\\pm3", "3", NE},
        {"(1,2),(3,4)", "(3,4),(1,2)", EQ},
        {"(1,2),(3,4)", "(2,1),(4,3)", NE},
        {"[1,2]", "(1,2)", NE},
        {"]1,2[", "(1,2)", EQ},
        {"[1,2)\\cup[2,3]", "[1,3]", EQ},
        {"[1,2)\\cup(2,3]", "[1,3]", NE},
        {"(-\\infty,1)\\cup(1,\\infty)", "\\mathbb{R}\\setminus\\{1\\}", EQ},
        {"(-\\infty,1)\\cup(1,\\infty)", "x\\ne1", EQ},
        {"\\mathbb{R}", "(-\\infty,\\infty)", EQ},
        {"\\mathbb{Z}", "\\mathbb{R}", NE},
        {"\\emptyset", "\\{\\}", EQ},
        {"\\emptyset", "no solution", EQ},
        {"\\emptyset", "0", NE},
        {"\\{x : x^2 < 4\\}", "(-2,2)", NE},
        {"\\{x \\mid x > 3\\}", "(3,\\infty)", EQ},
        {"\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)", EQ},
        {"\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}", NE},
        {"\\begin{pmatrix}1\\\\-2\\\\3\\end{pmatrix}", "\\mathbf{i}-2\\mathbf{j}+3\\mathbf{k}", EQ},
        {"\\begin{pmatrix}2&4\\\\6&8\\end{pmatrix}", "2\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}",
         EQ},
        {"\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "-2", EQ},
        {"5", "\\{5\\}", EQ},
        {"5", "5,6", NE},
        {"(a,b)", "(b,a)", NE},
    };

    CHECK_ROWS(rows);
}

TEST(relations)
{
    static const struct row rows[] = {
        {"x=4", "4", EQ},
        {"4", "x=4", EQ},
        {"4", "2x=8", EQ},
        {"4", "x+y=4", EQ},
        {"4", "2x+y=4", NE},
        {"x=4", "y=4", NE},
        {"y=x^2", "f(x)=x^2", EQ},
        {"f(x)=x^2", "f(t)=t^2", EQ},
        {"f(x)=x^2", "f(x)=x^3", NE},
        {"x=1,y=2", "(1,2)", EQ},
        {"x=1,y=2", "y=2,x=1", EQ},
        {"x=1,y=2", "x=2,y=1", NE},
        {"(a,b)=(1,2)", "a=1, b=2", EQ},
        {"x=1\\text{ or }x=2", "1,2", EQ},
        {"x^2+y^2=4", "2x^2+2y^2-8=0", EQ},
        {"x^2+y^2=4", "x^2+y^2=2", NE},
        {"\\frac{x}{2}+\\frac{y}{3}=1", "3x+2y=6", EQ},
        {"y=\\sqrt{x}+1", "y-1=\\sqrt{x}", EQ},
        {"a+b=5", "5", NE},
        {"x>3", "3<x", EQ},
        {"x>3", "-2x<-6", EQ},
        {"x>3", "x\\ge3", NE},
        {"x>3", "y>3", NE},
        {"(3,\\infty)", "x>3", EQ},
        {"|x|<2", "-2<x<2", EQ},
        {"|x-1|\\le 2", "[-1,3]", EQ},
        {"x<-1\\text{ or }x>1", "(-\\infty,-1)\\cup(1,\\infty)", EQ},
        {"x<-1, x>1", "x<-1\\text{ or }x>1", EQ},
        {"a<b<c", "c>b>a", EQ},
        {"a^2<b", "b>a^2", EQ},
        {"x\\equiv2\\pmod 5", "x\\equiv7\\pmod5", EQ},
        {"x\\equiv2\\pmod 5", "x\\equiv2\\pmod{10}", NE},
        {"2", "x\\equiv2\\pmod5", EQ},
        {"f(x)=\\begin{cases}0&x<1\\\\1&x\\ge1\\end{cases}",
         "f(x)=\\begin{cases}1&x\\ge1\\\\0&x<1\\end{cases}", EQ},
        {"f(x)=\\begin{cases}0&x<1\\\\1&x\\ge1\\end{cases}",
         "f(x)=\\begin{cases}0&x\\le1\\\\1&x>1\\end{cases}", NE},
        {"\\sqrt3", "x=\\sqrt3\\approx1.73", EQ},
        {"2:3", "4:6", EQ},
        {"2:3", "\\frac23", EQ},
        {"2:3", "3:2", NE},
    };

    CHECK_ROWS(rows);
}

TEST(quantities)
{
    static const struct row rows[] = {
        {"5\\text{ cm}", "5", EQ},
        {"5\\text{ cm}", "50\\text{ mm}", EQ},
        {"5\\text{ cm}", "5\\text{ mm}", NE},
        {"1\\text{ m}^3", "1000\\text{ liters}", EQ},
        {"90\\text{ km/h}", "25\\text{ m/s}", EQ},
        {"3\\text{ apples}", "3\\text{ apple}", EQ},
        {"3\\text{ apples}", "3\\text{ pears}", NE},
        {"\\$5", "500\\text{ cents}", EQ},
        {"\\$5", "5\\text{ euros}", NE},
        {"\\$2{,}500", "2500", EQ},
        {"25\\%", "\\frac14", EQ},
        {"25\\%", "25", EQ},
        {"25\\%", "0.0025", NE},
        {"25", "25\\%", EQ},
        {"60^\\circ", "\\frac{\\pi}{3}", EQ},
        {"60^\\circ", "60", EQ},
        {"60^\\circ 30'", "60.5^\\circ", EQ},
        {"60", "\\frac{\\pi}{3}", NE},
        {"2\\text{ hours }30\\text{ minutes}", "150\\text{ min}", EQ},
        {"24", "2\\text{ dozen}", EQ},
        {"3400000", "3.4\\text{ million}", EQ},
        {"12", "12\\text{ eggs}", EQ},
        {"4:30\\text{ p.m.}", "16:30", EQ},
        {"4:30\\text{ p.m.}", "4:30\\text{ a.m.}", NE},
        {"\\text{March 3, 2020}", "\\text{3 March 2020}", EQ},
        {"\\text{March 3}", "\\text{May 3}", NE},
    };

    CHECK_ROWS(rows);
}

TEST(words)
{
    static const struct row rows[] = {
        {"\\text{blue}", "Blue", EQ},
        {"\\text{blue}", "\\textbf{the blue}.", EQ},
        {"\\text{stop}", "post", NE},
        {"\\text{Ann and Bob}", "Bob, Ann", EQ},
        {"\\text{twelve}", "12", EQ},
        {"9", "\\text{nine}", EQ},
        {"B", "(B)", EQ},
        {"B", "\\text{Option B}", EQ},
        {"B", "B. 12 cm", EQ},
        {"B", "C", NE},
        {"B", "\\text{B or C}", NE},
        {"A, C", "CA", EQ},
        {"A, C", "A", NE},
        {"\\text{DNE}", "does not exist", EQ},
        {"\\text{yes}", "\\text{no}", NE},
        {"5", "exec(\"5\")", NE},
        {"1", "", NE},
    };

    CHECK_ROWS(rows);
}

TEST(options)
{
    static const struct row rounded[] = {
        {"1.23", "1.2345", EQ}, {"1.23", "1.24", NE}, {"\\frac13", "0.33", EQ}};
    static const struct row renamed[] = {{"x^2+y", "a^2+b", EQ}, {"x^2+y", "a^2+a", NE}};
    static const struct row unrelated[] = {{"[1,2]", "1\\le x\\le2", NE},
                                           {"1\\le x\\le2", "[1,2]", EQ}};
    struct math_opts opts = math_opts_default();

    opts.precision = 2;
    check_rows(rounded, LEN(rounded), &opts);
    opts = math_opts_default();
    opts.rename_variables = true;
    check_rows(renamed, LEN(renamed), &opts);
    opts = math_opts_default();
    opts.no_set_relation = true;
    check_rows(unrelated, LEN(unrelated), &opts);
}

TEST(undecided_has_a_reason)
{
    static const struct row rows[] = {
        {"\\sum_{k=1}^{10^{30}} k", "1", UN},
        {"\\int_0^1 e^{x^2}dx", "1.46", UN},
        {"", "1", UN},
    };

    CHECK_ROWS(rows);
}

/* --- the data sets ---------------------------------------------------------------------------- */

enum { MAX_GOLDS = 2048 };

struct golds {
    struct str text[MAX_GOLDS];
    int n;
    struct arena arena;
};

static void read_golds(const char *name, struct golds *g)
{
    struct err e = ERR_INIT;
    struct file_map m;
    struct jsonl it;
    struct str line;

    arena_init(&g->arena, 0);
    g->n = 0;
    const char *path = path_join(&g->arena, SOURCE_DIR "/data", name);
    CHECK_OK(name, file_map_open(path, &m, &e), &e);
    jsonl_init(&it, (struct str){m.ptr, m.len});
    while (jsonl_next(&it, &line)) {
        struct json *doc = json_parse(line, &e);
        CHECK_OK(name, doc != NULL, &e);
        const struct json *answer = json_get(doc, "answer");
        struct str text = json_type(answer) == JSON_INT
                              ? str_fmt(&g->arena, "%lld", (long long)json_int(answer, 0))
                              : json_str(answer);
        CHECK(name, g->n < MAX_GOLDS && text.len > 0);
        g->text[g->n++] = answer_gold(str_dup(&g->arena, text), &g->arena);
        json_close(doc);
    }
    file_map_close(&m);
}

TEST(golds_equal_themselves)
{
    static const char *const names[] = {"aime24.jsonl", "aime25.jsonl",  "aime26.jsonl",
                                        "hmmt25.jsonl", "math500.jsonl", "gsm8k.jsonl"};
    /* golds that are words parse as words */
    static const char *const words[] = {"\\text{even}", "\\text{ellipse}", "\\text{east}",
                                        "\\text{Navin}", "\\text{Evelyn}"};
    struct math_ctx *c = math_ctx_open();
    struct golds *g = xcalloc(1, sizeof(*g));

    for (size_t k = 0; k < LEN(names); k++) {
        read_golds(names[k], g);
        for (int i = 0; i < g->n; i++) {
            struct math_verdict v;
            bool is_word = false;
            char name[128];
            snprintf(name, sizeof(name), "%s %.80s", names[k], g->text[i].ptr);
            for (size_t w = 0; w < LEN(words); w++)
                is_word |= str_eqz(g->text[i], words[w]);
            math_compare(c, g->text[i], g->text[i], NULL, &v);
            CHECK_INT(name, v.result, MATH_EQUAL);
            CHECK_INT(name, math_parses(c, g->text[i]), !is_word);
        }
        arena_clear(&g->arena);
    }
    free(g);
    math_ctx_close(c);
}

/* All pairs of different MATH-500 golds that are equal, in either order of writing. Units and
 * degree signs may be left out on one side; 40_9 is 36; a bare list may stand for the tuple. */
static const char *const equal_golds[][2] = {
    {"x=5", "5"},
    {"15", "15\\mbox{ cm}^2"},
    {"120^\\circ", "120"},
    {"\\frac{1}{4}", "\\frac14"},
    {"40_9", "36"},
    {"36", "\\$36"},
    {"30^\\circ", "30"},
    {"\\pi", "180^\\circ"},
    {"90^\\circ", "90"},
    {"42", "52_8"},
    {"40_9", "\\$36"},
    {"40_9", "36^\\circ"},
    {"36^\\circ", "36"},
    {"204_5", "54"},
    {"2 \\sqrt{5}", "2\\sqrt{5}"},
    {"10,\\!080", "10080"},
    {"1,-2", "-2,1"},
    {"(-2,1)", "-2,1"},
};

static bool is_listed(struct str a, struct str b)
{
    for (size_t i = 0; i < LEN(equal_golds); i++)
        if ((str_eqz(a, equal_golds[i][0]) && str_eqz(b, equal_golds[i][1])) ||
            (str_eqz(a, equal_golds[i][1]) && str_eqz(b, equal_golds[i][0])))
            return true;
    return false;
}

TEST(pairs_of_math500)
{
    struct math_ctx *c = math_ctx_open();
    struct golds *g = xcalloc(1, sizeof(*g));
    int n_pairs = 0;

    read_golds("math500.jsonl", g);
    CHECK_INT("math500", g->n, 500);
    for (int i = 0; i < g->n; i++) {
        for (int j = i + 1; j < g->n; j++) {
            struct math_verdict v;
            char name[256];
            snprintf(name, sizeof(name), "%.100s | %.100s", g->text[i].ptr, g->text[j].ptr);
            math_compare(c, g->text[i], g->text[j], NULL, &v);
            n_pairs++;
            bool want = str_eq(g->text[i], g->text[j]) || is_listed(g->text[i], g->text[j]);
            CHECK_INT(name, v.result, want ? MATH_EQUAL : MATH_DIFFERENT);
        }
    }
    CHECK_INT("pairs", n_pairs, 124750);
    arena_clear(&g->arena);
    free(g);
    math_ctx_close(c);
}

/* Pairs of our own, one line each: gold, pred, expected. */
TEST(own_pairs)
{
    struct math_ctx *c = math_ctx_open();
    struct err e = ERR_INIT;
    struct file_map m;
    struct jsonl it;
    struct str line;
    int n = 0;

    CHECK_OK("own_pairs", file_map_open(TEST_DATA "/math/own_pairs.jsonl", &m, &e), &e);
    jsonl_init(&it, (struct str){m.ptr, m.len});
    while (jsonl_next(&it, &line)) {
        struct json *row = json_parse(line, &e);
        struct math_verdict v;
        char name[256];
        CHECK_OK("own_pairs", row != NULL, &e);
        snprintf(name, sizeof(name), "%.200s", json_str(json_get(row, "gold")).ptr);
        math_compare(c, json_str(json_get(row, "gold")), json_str(json_get(row, "pred")), NULL, &v);
        CHECK_INT(name, v.result == MATH_EQUAL, json_bool(json_get(row, "expected"), false));
        json_close(row);
        n++;
    }
    CHECK("own_pairs", n > 200);
    file_map_close(&m);
    math_ctx_close(c);
}

/* --- keys ------------------------------------------------------------------------------------- */

TEST(keys)
{
    static const char *const same[][2] = {{"0.5", "\\frac12"},
                                          {"\\{1,2\\}", "\\{2,1\\}"},
                                          {"x+1", "1+x"},
                                          {"\\text{Even}", "even"},
                                          {"1,000", "1000"}};
    static const char *const other[][2] = {
        {"1", "2"}, {"x", "y"},     {"(1,2)", "(2,1)"},
        {"", "0"},  {"x=3", "y=3"}, {"x>1 \\text{ or } x<5", "x>1 \\text{ and } x<5"}};
    struct math_ctx *c = math_ctx_open();
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(same); i++)
        CHECK_STR(same[i][0], math_key(c, STR(same[i][0]), &a), math_key(c, STR(same[i][1]), &a));
    for (size_t i = 0; i < LEN(other); i++)
        CHECK(other[i][0],
              !str_eq(math_key(c, STR(other[i][0]), &a), math_key(c, STR(other[i][1]), &a)));
    arena_clear(&a);
    math_ctx_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(constants),
        cmocka_unit_test(expressions),
        cmocka_unit_test(collections),
        cmocka_unit_test(relations),
        cmocka_unit_test(quantities),
        cmocka_unit_test(words),
        cmocka_unit_test(options),
        cmocka_unit_test(undecided_has_a_reason),
        cmocka_unit_test(golds_equal_themselves),
        cmocka_unit_test(pairs_of_math500),
        cmocka_unit_test(own_pairs),
        cmocka_unit_test(keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
