/* test_reasoning.c - thoughts and answer come apart the same whatever the cut. */
#include "server/reasoning.h"

#include "test.h"

static const struct {
    const char *name;
    enum reasoning_parser parser;
    const char *text, *reasoning, *content;
} cases[] = {
    {"both", REASONING_QWEN3, "<think>a b</think>c d", "a b", "c d"},
    {"blanks before", REASONING_QWEN3, "\n <think>\na\n</think>\n\nc", "\na\n", "\n\nc"},
    {"no thoughts", REASONING_QWEN3, "plain <think>x</think>", "", "plain <think>x</think>"},
    {"no end", REASONING_QWEN3, "<think>a b", "a b", ""},
    {"nearly a tag", REASONING_QWEN3, "<thin", "", "<thin"},
    {"nearly an end", REASONING_QWEN3, "<think>a</thin", "a</thin", ""},
    {"an end that is none", REASONING_QWEN3, "<think>a</thin<</think>b", "a</thin<", "b"},
    {"empty thoughts", REASONING_QWEN3, "<think>\n\n</think>\n\n4", "\n\n", "\n\n4"},
    {"nothing", REASONING_QWEN3, "", "", ""},
    {"blanks only", REASONING_QWEN3, " \n", "", " \n"},
    {"begins inside", REASONING_DEEPSEEK_R1, "a b</think>c", "a b", "c"},
    {"with a tag of its own", REASONING_DEEPSEEK_R1, "<think>a</think>c", "a", "c"},
    {"all thoughts", REASONING_DEEPSEEK_R1, "a b c", "a b c", ""},
    {"off", REASONING_NONE, "<think>a</think>b", "", "<think>a</think>b"},
};

TEST(every_cut)
{
    for (size_t i = 0; i < LEN(cases); i++)
        for (size_t step = 1; step <= strlen(cases[i].text) + 1; step++) {
            struct reasoning_split s;
            struct buf reasoning = {0}, content = {0};
            struct str text = STR(cases[i].text);

            reasoning_init(&s, cases[i].parser);
            for (size_t at = 0; at < text.len; at += step)
                reasoning_feed(&s, str_slice(text, at, at + step), at + step >= text.len,
                               &reasoning, &content);
            CHECK_STR(cases[i].name, ((struct str){buf_z(&reasoning), reasoning.len}),
                      STR(cases[i].reasoning));
            CHECK_STR(cases[i].name, ((struct str){buf_z(&content), content.len}),
                      STR(cases[i].content));
            reasoning_clear(&s);
            buf_clear(&reasoning);
            buf_clear(&content);
        }
}

TEST(names)
{
    enum reasoning_parser p;

    assert_true(reasoning_parser_find("qwen3", &p) && p == REASONING_QWEN3);
    assert_true(reasoning_parser_find("", &p) && p == REASONING_NONE);
    assert_false(reasoning_parser_find("gpt", &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_cut), cmocka_unit_test(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
