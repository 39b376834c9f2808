#include "test.h"

#include "base/arena.h"
#include "math/answer.h"

static struct arena arena;

static struct str first(const char *response, const char **rule)
{
    struct answer_candidate c[ANSWER_MAX_CANDIDATES];
    int n = answer_find(STR(response), &arena, c, ANSWER_MAX_CANDIDATES);

    *rule = n > 0 ? c[0].rule : "";
    return n > 0 ? c[0].text : (struct str){"", 0};
}

struct row {
    const char *response, *want;
};

static void check_rows(const struct row *rows, size_t n, const char *want_rule)
{
    for (size_t i = 0; i < n; i++) {
        const char *rule;
        struct str got = first(rows[i].response, &rule);

        CHECK_STR(rows[i].response, got, STR(rows[i].want));
        if (want_rule)
            CHECK_STR(rows[i].response, STR(rule), STR(want_rule));
        arena_reset(&arena);
    }
}

static const struct row boxes[] = {
    {"The answer is $\\boxed{42}$.", "42"},
    {"\\fbox{42}", "42"},
    {"\\framebox{42}", "42"},
    {"\\framebox[2cm]{42}", "42"},
    {"\\bbox[5px,border:2px solid red]{42}", "42"},
    {"So boxed{42}.", "42"},
    {"So \\\\boxed{42}.", "42"},
    {"So \\beginboxed{42}.", "42"},
    {"So \boxed{42}.", "42"}, /* the backslash was eaten: a backspace is left */
    {"\\boxed {42}", "42"},
    {"\\boxed\n{42}", "42"},
    {"The answer is \\boxed 4", "4"},
    {"we get $\\boxed 7$ as the answer", "7"},
    {"\\boxed \\frac{1}{2} is it", "\\frac{1}{2}"},
    {"\\boxed[42]", "42"},
    {"\\boxed(42)", "42"},
    {"\\boxed{\\boxed{42}}", "{42}"},
    {"\\boxed{x = \\boxed{3}}", "x = {3}"},
    {"\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"},
    {"\\boxed{\\{\\}}", "\\{\\}"},
    {"\\boxed{\\frac{1}{2}", "\\frac{1}{2}"},
    {"So $\\boxed{\\frac{1}{2}$ is it", "\\frac{1}{2}"},
    {"\\[ \\boxed{(1,2 \\] and more", "(1,2"},
    {"\\boxed{12 $ and $13 }. $", "12  and 13"},
    {"\\boxed{42\n\nLater text here", "42"},
    {"\\boxed{5} oops \\boxed{}", "5"},
    {"\\boxed{5} as \\boxed{\\text{answer}} asks", "5"},
    {"Use \\boxed{answer}. It is \\boxed{4}.", "4"},
    {"\\boxed{10} and then \\boxed{42}", "42"},
    {"\\boxed{9} \\boxed{9} \\boxed{42}", "42"},
    {"\\boxed{3}... Actually that is wrong; \\boxed{4}.", "4"},
    {"\\boxed{3}, no, \\boxed{4}", "4"},
    {"Area = \\boxed{12}. The perimeter is \\boxed{4}.", "4"},
    {"I get \\boxed{12}, and since the area is not asked for, the answer is \\boxed{4}", "4"},
    {"\\boxed{1}, \\boxed{2}", "1, 2"},
    {"\\boxed{1} and \\boxed{2} and \\boxed{3}", "1, 2, 3"},
    {"$\\boxed{1}$ or $\\boxed{2}$", "1, 2"},
    {"$\\boxed{1}\\boxed{2}$", "1, 2"},
    {"$\\boxed{(2, 2)} \\quad \\text{and} \\quad \\boxed{(6, 2)}$", "(2, 2), (6, 2)"},
    {"There are \\boxed{15} chickens and \\boxed{16} rabbits.", "15, 16"},
    {"Thus $x=\\boxed{3}$ and $y=\\boxed{2}$.", "x=3, y=2"},
    {"\\( a = \\boxed{3} \\), \\( b = \\boxed{2} \\)", "a =3, b =2"},
    {"$x = \\boxed{3}$ or $\\boxed{2}$.", "3, 2"},
    {"\\boxed{7} cm", "7 cm"},
    {"$\\boxed{28}$ percent of it", "28 percent"},
    {"$\\boxed{7}$ in total", "7"},
    {"$\\boxed{2}$ distinct values", "2"},
    {"The value \\(\\boxed{189}\\) square centimeters.", "189 square centimeters"},
    {"$\\boxed{\\$10}$", "\\$10"},
    {"<think>\\boxed{42}</think> I get \\boxed{24}.", "24"},
    {"<think>a</think> \\boxed{41}.</think> Correction: \\boxed{42}.", "42"},
    {"<think>\\boxed{42}</think>", "42"},
    {"<|begin_of_thought|>\\boxed{3}<|end_of_thought|>\n<|begin_of_solution|>\\boxed{42}<|end_of_"
     "solution|>",
     "42"},
    {"[THINK]\\boxed{1}[/THINK]\\boxed{2}", "2"},
    {"\\boxed{2}<|im_end|>\n<|im_start|>user\nNext: \\boxed{9}", "2"},
    {"The answer is 5.\n\nBut it says \\boxed{6}.", "6"},
    {"We get \\boxed{6} there. The answer is 5.", "6"},
};

TEST(boxes_are_found)
{
    check_rows(boxes, LEN(boxes), "boxed");
}

static const struct row tags[] = {
    {"<answer>42</answer>", "42"},
    {"<answer>A</answer> correction <answer>B</answer>", "B"},
    {"<answer>41</answer><answer> </answer>", "41"},
    {"<think>x</think>\n<ANSWER>\n42\n</ANSWER>", "42"},
    {"<answer>42", "42"},
};

TEST(answer_tags_are_found)
{
    check_rows(tags, LEN(tags), "answer tag");
}

static const struct row anchors[] = {
    {"The answer is 42 because geometry proves it", "42"},
    {"The answer is 3. Wait, the answer is 4.", "4"},
    {"The answer is not 17 but 19.", "19"},
    {"17 is wrong; the answer is 19.", "19"},
    {"The answer is 17/2, or 8.5.", "17/2, or 8.5"},
    {"The answer is 17% of 200, i.e. 34.", "34"},
    {"The answer is **100** ($10^2$).", "100"},
    {"The answer is `17`.", "17"},
    {"**Answer: 17**", "17"},
    {"**Answer:** 17", "17"},
    {"- Answer: 17", "17"},
    {"Answer $ 9 $", "9"},
    {"Answer \\[ \n 9 \n \\]", "9"},
    {"The answer (in cm) is 5.", "5"},
    {"The answer to the problem is 5.", "5"},
    {"The answer is: 17", "17"},
    {"So our answer is $\\underline{17}$.", "\\underline{17}"},
    {"The answer is as follows:\n\n$$42$$", "42"},
    {"The answer is 5. So answer is consistent.", "5"},
    {"The answer is $18.", "\\$18"},
    {"The answer is 3.5. Note that 4 is even.", "3.5"},
    {"The answer is 100.\n\nLet me know if steps 1 to 4 are unclear!", "100"},
    {"The answer is 12, not 13.", "12"},
    {"The answer is $x=3$, since $y=4$.", "x=3"},
    {"Correct answer: C) 24", "C) 24"},
    {"Die Antwort lautet $\\text{gerade}$, denn $1+1=2$.", "\\text{gerade}"},
    {"La réponse est 3,5.", "3,5"},
    {"La réponse est donc 12 car 3 fois 4 font 12.", "12"},
    {"Die Antwort ist 3,5.", "3,5"},
    {"Die Antwort lautet 42.", "42"},
    {"Antwort: **42**", "42"},
    {"<think>The answer is 17.</think>", "17"},
    {"The answer is 18.\n\nEarlier I thought the answer is 17.", "18"},
    {"The answer is 18.\nThe answer is 17, but that is wrong.", "18"},
    {"The answer: 25 (from $5^2$).", "25"},
    {"La respuesta correcta es 12.", "12"},
    {"Ответ: 12 (а не 13).", "12"},
    {"La respuesta es 3,5.", "3,5"},
    {"Respuesta: $x=2$", "x=2"},
    {"Ответ: 1 234 567", "1 234 567"},
    {"Ответ — 42.", "42"},
    {"答案是 24。", "24"},
    {"综上，答案为 **42**。", "42"},
    {"答案：$\\frac{1}{2}$。", "\\frac{1}{2}"},
    {"所以选项为(C)。答案选C。", "C"},
    {"答えは 42 です。", "42"},
    {"答え：42", "42"},
    {"정답은 42입니다.", "42"},
    {"답: 42", "42"},
    {"الجواب هو 42.", "42"},
    {"الإجابة: ٤٢", "42"},
};

TEST(anchors_are_found_in_nine_languages)
{
    check_rows(anchors, LEN(anchors), "the answer is");
}

static const struct row finals[] = {
    {"Final Answer: The final answer is $441$. I hope it is correct.", "441"},
    {"**Final Answer**\n\n17", "17"},
    {"### Final Answer\n\n$$\nx=2\n$$", "x=2"},
    {"✅ Final Answer: **73**", "73"},
    {"Final answer: 6\n\nThe answer is even.", "6"},
    {"最终答案：42", "42"},
    {"So $\\boxed{255}$ is the interest. Final Answer: The final answer is $10,455$.", "10,455"},
    {"Réponse finale : 42", "42"},
    {"Respuesta final: 42", "42"},
    {"The final answer is 17 or 18.", "17 or 18"},
};

TEST(final_answers_come_first)
{
    check_rows(finals, LEN(finals), "final answer");
}

static const struct row hashes[] = {
    {"So she earns 9 * 2 = $18 per day.\n\n#### 18", "18"},
    {"She has **$6,400** left over.\n\n#### $6,400", "\\$6,400"},
};

TEST(hashes_are_found)
{
    check_rows(hashes, LEN(hashes), "after ####");
}

/* The whole response comes first where it is one line; it does not parse there, so the second
 * counts. */
static const struct row sentences[] = {
    {"we have 3, 4 and then 72 eggs", "72"},
    {"He had 3 apples, ate 1, so 2 remain.", "2"},
    {"The total is $1,234.50", "\\$1,234.50"},
    {"net change of -$40", "-\\$40"},
    {"which gives 2.5 hours", "2.5 \\text{hours}"},
    {"Therefore there are **16** such integers, not 17.", "16"},
    {"Therefore, **Carla** is the fastest, not Evelyn.", "Carla"},
    {"The minimum, attained at $x = 3$, is 7.", "7"},
    {"The minimum is $7$, attained at $x=3$.", "7"},
    {"The value of $n$ is $17$.", "17"},
    {"So $3x = 51$, giving $x = 17$.", "x = 17"},
    {"The probability is $\\frac{3}{4}$, i.e. 75%.", "75%"},
    {"so the number is 10 which is 1,000.99m²", "1,000.99 \\text{m}^2"},
    {"La réduction est de 30. Le coût final est de 100 - 30 = 70", "70"},
    {"所以一共有3 + 10 = 13只鸟和鹳鸟。", "13"},
    {"地块面积 = 72000 / 18 = 4000千克", "4000 \\text{千克}"},
    {"The solution is $x != 5$", "x != 5"},
    {"In step 3 we find 12 of them (see [4]).", "12"},
    {"The number of students is 18 [2].", "18"},
    {"The two solutions are $x = 2$ and $x = 3$.", "x = 2 and x = 3"},
    {"The roots are $2$, $3$ and $5$.", "2, 3 and 5"},
    {"The answer isn't 20, it's 21.", "21"},
    {"In 2020, 15 students came.", "15"},
    {"She needs 75 minutes (1 hour and 15 minutes).", "75 \\text{minutes}"},
    {"I get 12!", "12"},
    {"Janet will still owe 220 $ in 12 months.", "220"},
    {"The area is $17$ cm$^2$.", "17 cm^2"},
    {"So x is 17 when y is 3.", "17"},
    {"The equation has no real solutions.", "no real solutions"},
    {"There are 12 of them, which is less than 15.", "12"},
    {"It is 3.", "3"},
    {"x is 42.", "42"},
    {"It is not hard to see that n equals 17.", "17"},
    {"弗兰克一共有**858颗**糖果。", "858 \\text{颗}"},
};

TEST(last_sentences_give_their_value)
{
    for (size_t i = 0; i < LEN(sentences); i++) {
        struct answer_candidate c[ANSWER_MAX_CANDIDATES];
        int n = answer_find(STR(sentences[i].response), &arena, c, ANSWER_MAX_CANDIDATES);

        CHECK_INT(sentences[i].response, n, 2);
        CHECK_STR(sentences[i].response, c[1].text, STR(sentences[i].want));
        arena_reset(&arena);
    }
}

static const struct row paragraphs[] = {
    {"First compute 6*7.\n42", "42"},
    {"We add:\n\\begin{align*} x &= 3\\cdot5+2 \\\\ &= 17 \\end{align*}", "17"},
    {"\\[\n\\begin{aligned}\nS &= 10+7\\\\\n&= 17.\n\\end{aligned}\n\\]", "17"},
    {"There are 12 ways.\n\n**Verification:** 3 times 5 is 15.\n- also 99", "12"},
    {"The sum is 12.\n\nNote: we used 5 terms.", "12"},
    {"The sum is 12.\n\n(Using 5 terms in the sum.)", "12"},
    {"Check: 3 + 4 = 7.\n\nTherefore the sum is 12.", "12"},
    {"1. We have 3.\n2. We get 12.", "12"},
    {"So we get\n\n$$Yes$$", "Yes"},
    {"```\n42\n```", "42"},
    {"So 3! = 6.", "3! = 6"},
    {"Therefore, $O(n \\log n)$ is the answer.", "O(n \\log n)"},
    {"17 is the answer.", "17"},
    {"42\n\n**Explanation:** 6 times 7 is 42 because 7 is 7.", "42"},
    {"I don't think the answer is 3.\nIt must be 4.", "4"},
};

TEST(afterwords_are_passed_over)
{
    check_rows(paragraphs, LEN(paragraphs), NULL);
}

static const struct row nothing[] = {
    {"", ""},
    {"   ", ""},
    {"$$", ""},
    {"\\boxed", ""},
    {"\\boxed{}", ""},
    {"\\boxed{ ? }", ""},
    {"\\boxed{\\dots}", ""},
    {"(1).__class__.__mro__[1].__subclasses__() or 0", ""},
    {"__import__('os').system('touch marker') or 0", ""},
    {"\\boxed{\\text{answer}}", ""},
    {"(lambda: open('marker', 'w'))() or 0", ""},
    {"Sorry.\nI could not find 17 in the list.", ""},
    {"\\boxed{().__class__.__base__}", ""},
    {"Say x = 6.\nSo x does not equal 6.", ""},
    {"We see:\nThus $x$ cannot be $6$.", ""},
    {"We see:\nIt follows that n is never 6 or 7.", ""},
    {"We see:\nThe value is less than 6.", ""},
    {"We see:\nThe value isn't 6.", ""},
    {"We see:\nThe number cannot possibly be 6.", ""},
    {"We see:\nThe value exceeds 6.", ""},
    {"We see:\nThere are at least **6** such numbers.", ""},
    {"We see:\nIt lies between 5 and 7.", ""},
};

TEST(no_answer_where_there_is_none)
{
    check_rows(nothing, LEN(nothing), NULL);
}

static const struct row golds[] = {
    {"\\frac{1}{2}", "\\frac{1}{2}"},
    {"$\\frac{1}{2}$", "\\frac{1}{2}"},
    {"$$x=1$$", "x=1"},
    {"2+2=4\n#### 4", "4"},
    {"some text 5 + 5 = 10\n#### 1,450", "1,450"},
    {"So the answer is: \\[ \\boxed{32349} \\]", "32349"},
    {"\\(\\boxed{1}\\) and \\(\\boxed{-2}\\).", "1, -2"},
    {"\\boxed{1} papers and \\boxed{2} bins", "1, 2"},
    {"odd $n$", "odd n"},
    {"$1$ and $2$ and $3$", "1 and 2 and 3"},
};

TEST(golds_are_read)
{
    for (size_t i = 0; i < LEN(golds); i++)
        CHECK_STR(golds[i].response, answer_gold(STR(golds[i].response), &arena),
                  STR(golds[i].want));
    arena_reset(&arena);
}

static const struct {
    const char *text;
    const char *letters;
} choices[] = {
    {"C", "C"},
    {"(C)", "C"},
    {"\\text{(C)}", "C"},
    {"\\textbf{(C)}~24", "C"},
    {"C) 24 cm", "C"},
    {"C.", "C"},
    {"C: the law", "C"},
    {"Option C", "C"},
    {"\\text{Option C}", "C"},
    {"c", "C"},
    {"A, C", "AC"},
    {"AC", "AC"},
    {"A and C", "AC"},
    {"A or C", "AC"},
    {"C, A", "AC"},
    {"e^1", ""},
    {"E^1", ""},
    {"24", ""},
    {"Cecile", ""},
    {"C Cecile", "C"},
    {"A train", ""},
    {"{C}", "C"},
    {"\\mathrm{E}", "E"},
    {"F", "F"},
    {"D, it is not A", "D"},
    {"the answer is B", "B"},
};

static uint32_t bits_of(const char *letters)
{
    uint32_t bits = 0;

    for (; *letters; letters++)
        bits |= 1u << (*letters - 'A');
    return bits;
}

TEST(option_letters_are_read)
{
    for (size_t i = 0; i < LEN(choices); i++)
        CHECK_INT(choices[i].text, answer_choice(STR(choices[i].text), 6),
                  bits_of(choices[i].letters));
}

static const struct {
    const char *text;
    const char *letter;
} prose[] = {
    {"I would go with (B) here", "B"},
    {"Weighing the options...\n\nC", "C"},
    {"B不是 A", "B"},
    {"D. it can't be A or B", "D"},
    {"Because B is valid", "B"},
    {"It's not A because it doesn't make sense, therefore I think it's B", "B"},
    {"Option A is wrong because it ignores friction; B is right.", "B"},
    {"A. Because B is not valid", "A"},
    {"A man walks into a bar", ""},
    {"no letter here", ""},
};

TEST(prose_settles_on_an_option)
{
    for (size_t i = 0; i < LEN(prose); i++)
        CHECK_INT(prose[i].text, answer_choice_in_prose(STR(prose[i].text), 5),
                  bits_of(prose[i].letter));
}

static const struct {
    const char *gold, *letters, *option_text;
} choice_golds[] = {
    {"B", "B", ""},
    {"\\text{(E)}", "E", ""},
    {"\\textbf{A}", "A", ""},
    {"C. x = 42", "C", "x = 42"},
    {"(D) Alina", "D", "Alina"},
    {"A, C", "AC", ""},
    {"x", "", ""},
    {"d", "", ""},
    {"A:B=1", "", ""},
    {"E = mc^2", "", ""},
    {"AB", "", ""},
    {"D = (0, 1)", "", ""},
    {"C(5,2)", "", ""},
    {"V_1", "", ""},
    {"\\text{Evelyn}", "", ""},
};

TEST(golds_that_are_choices_are_known)
{
    for (size_t i = 0; i < LEN(choice_golds); i++) {
        struct str option_text;

        CHECK_INT(choice_golds[i].gold,
                  answer_choice_gold(STR(choice_golds[i].gold), 10, &option_text),
                  bits_of(choice_golds[i].letters));
        CHECK_STR(choice_golds[i].gold, option_text, STR(choice_golds[i].option_text));
    }
}

/* Long texts made of one piece, n bytes of it, then an end. */
static const struct {
    const char *piece, *end, *want;
} hostile[] = {
    {"a", "", ""},
    {"$", "", ""},
    {"{", "", ""},
    {"(", "", ""},
    {"\\boxed{", "", ""},
    {"\\boxed{9} ", "\\boxed{42}", "42"},
    {"answer is ", "", NULL},
    {"\\(", "", ""},
    {"\\[", "", ""},
    {"**", "", ""},
    {"`", "", ""},
    {"\\begin{align}", "", ""},
    {"x", "\nThe answer is 42.", "42"},
    {"<think>", "42", NULL},
    {"</think>", "", NULL},
    {"<answer>", "", NULL},
    {"$1", "", NULL},
    {"1+", "", NULL},
    {"\\frac{", "", NULL},
    {"\xff", "\\boxed{42}", "42"},
    {"\xe2\x80\x8b", "\\boxed{42}", "42"},
    {"答案", "", NULL},
    {"the final answer: ", "", NULL},
    {"is the answer\n", "", NULL},
    {"(1) ", "", NULL},
    {"A. ", "", NULL},
    {"#### ", "", NULL},
    {". ", "", NULL},
    {"\n", "7", "7"},
    {"Check: \n", "", NULL},
};

/* A megabyte of each piece. The program's own time limit is the bound: anything quadratic would
 * take hours. */
TEST(hostile_text_ends_in_time)
{
    enum { SIZE = 1 << 20 };
    char *text = xmalloc(SIZE + 64);

    for (size_t i = 0; i < LEN(hostile); i++) {
        size_t n = strlen(hostile[i].piece), len = 0, n_end = strlen(hostile[i].end);
        struct answer_candidate c[ANSWER_MAX_CANDIDATES];
        int found;

        while (len + n <= SIZE) {
            memcpy(text + len, hostile[i].piece, n);
            len += n;
        }
        memcpy(text + len, hostile[i].end, n_end);
        found = answer_find((struct str){text, len + n_end}, &arena, c, ANSWER_MAX_CANDIDATES);
        if (hostile[i].want && hostile[i].want[0])
            CHECK_STR(hostile[i].piece, c[0].text, STR(hostile[i].want));
        CHECK(hostile[i].piece, found <= ANSWER_MAX_CANDIDATES);
        (void)answer_choice_in_prose((struct str){text, len + n_end}, 10);
        arena_reset(&arena);
    }
    free(text);
}

TEST(the_text_given_decides_alone)
{
    const char *rule;
    struct str once = first("The answer is 42.", &rule), again;

    (void)first("\\boxed{7}", &rule);
    again = first("The answer is 42.", &rule);
    CHECK_STR("again", again, once);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_are_found),
        cmocka_unit_test(answer_tags_are_found),
        cmocka_unit_test(anchors_are_found_in_nine_languages),
        cmocka_unit_test(final_answers_come_first),
        cmocka_unit_test(hashes_are_found),
        cmocka_unit_test(last_sentences_give_their_value),
        cmocka_unit_test(afterwords_are_passed_over),
        cmocka_unit_test(no_answer_where_there_is_none),
        cmocka_unit_test(golds_are_read),
        cmocka_unit_test(option_letters_are_read),
        cmocka_unit_test(prose_settles_on_an_option),
        cmocka_unit_test(golds_that_are_choices_are_known),
        cmocka_unit_test(hostile_text_ends_in_time),
        cmocka_unit_test(the_text_given_decides_alone),
    };
    int rc;

    arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_clear(&arena);
    return rc;
}
