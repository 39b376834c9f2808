#include "test.h"

#include "base/arena.h"
#include "formats/json.h"
#include "task/grader.h"

static struct arena arena;

static const struct {
    const char *task, *grader;
} tasks[] = {
    {"math_opensource/aime24", "math"},   {"math_opensource/math500", "math"},
    {"math_opensource/gsm8k", "math"},    {"math_opensource/hmmt25", "math"},
    {"math_opensource/anything", "math"}, {"aime25", "math"},
    {"gpqa_diamond", "choice"},           {"mmlu_pro", "choice"},
    {"multiple_choice/x", "choice"},      {"exact/echo", "exact"},
};

TEST(tasks_have_their_grader)
{
    for (size_t i = 0; i < LEN(tasks); i++)
        CHECK_STR(tasks[i].task, STR(grader_for_task(STR(tasks[i].task))->name),
                  STR(tasks[i].grader));
    for (size_t i = 0; graders[i]; i++)
        CHECK(graders[i]->name, grader_find(STR(graders[i]->name)) == graders[i]);
    CHECK("unknown", grader_find(STR("guess")) == NULL);
}

TEST(verdicts_have_names)
{
    CHECK_STR("right", STR(verdict_name(VERDICT_RIGHT)), STR("right"));
    CHECK_STR("wrong", STR(verdict_name(VERDICT_WRONG)), STR("wrong"));
    CHECK_STR("unknown", STR(verdict_name(VERDICT_UNKNOWN)), STR("unknown"));
}

static const struct {
    const char *grader, *gold, *response, *doc;
    enum verdict want;
    const char *extracted;
} rows[] = {
    {"math", "\\frac{1}{2}", "So it is $\\boxed{0.5}$.", NULL, VERDICT_RIGHT, "0.5"},
    {"math", "204", "The answer is 205.", NULL, VERDICT_WRONG, "205"},
    {"math", "She has 16 - 3 = <<16-3=13>>13.\n#### 13", "She has 13 eggs left.\n#### 13", NULL,
     VERDICT_RIGHT, "13"},
    {"math", "7", "I do not know.", NULL, VERDICT_WRONG, NULL},
    {"math", "7", "", NULL, VERDICT_WRONG, ""},
    {"math", "", "\\boxed{7}", NULL, VERDICT_UNKNOWN, NULL},
    {"math", "\\text{(B)}", "Therefore B is right.", NULL, VERDICT_RIGHT, "B"},
    {"math", "2.35", "\\boxed{2.3512}", "{\"options\": {\"precision\": 2}}", VERDICT_RIGHT,
     "2.3512"},
    {"math", "2.35", "\\boxed{2.3512}", NULL, VERDICT_WRONG, "2.3512"},
    {"math", "x+1", "\\boxed{y+1}", "{\"options\": {\"strict\": false}}", VERDICT_RIGHT, "y+1"},
    {"math", "x+1", "\\boxed{y+1}", NULL, VERDICT_WRONG, "y+1"},
    {"choice", "B", "The answer is (B).", NULL, VERDICT_RIGHT, "B"},
    {"choice", "B", "I think it is not B but C.", NULL, VERDICT_WRONG, "C"},
    {"choice", "1", "The answer is B.", "{\"choices\": [\"one\", \"two\", \"three\"]}",
     VERDICT_RIGHT, "B"},
    {"choice", "1", "The answer is D.", "{\"choices\": [\"one\", \"two\", \"three\"]}",
     VERDICT_WRONG, ""},
    {"choice", "A, C", "\\boxed{AC}", NULL, VERDICT_RIGHT, "AC"},
    {"choice", "C", "\\boxed{\\text{A or C}}", NULL, VERDICT_WRONG, "AC"},
    {"choice", "?", "A", NULL, VERDICT_UNKNOWN, "A"},
    {"exact", "yes", " yes\n", NULL, VERDICT_RIGHT, "yes"},
    {"exact", "yes", "Yes", NULL, VERDICT_WRONG, "Yes"},
    {"exact", " ", "yes", NULL, VERDICT_UNKNOWN, "yes"},
};

TEST(graders_grade)
{
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct grader *g = grader_find(STR(rows[i].grader));
        struct err e = ERR_INIT;
        struct json *doc = rows[i].doc ? json_parse(STR(rows[i].doc), &e) : NULL;
        struct grade_input in = {STR(rows[i].gold), STR(rows[i].response), doc};
        void *own = g->open();
        struct grade grade;

        CHECK_OK(rows[i].response, g->grade(own, &in, &arena, &grade, &e), &e);
        CHECK_INT(rows[i].response, grade.verdict, rows[i].want);
        if (rows[i].extracted)
            CHECK_STR(rows[i].response, grade.extracted, STR(rows[i].extracted));
        CHECK(rows[i].response, grade.how && grade.how[0]);
        CHECK_INT(rows[i].response, grade.gold_unreadable, rows[i].want == VERDICT_UNKNOWN);
        g->close(own);
        json_close(doc);
        arena_reset(&arena);
    }
}

TEST(equal_answers_are_the_same)
{
    static const struct {
        const char *grader, *a, *b;
        bool same;
    } pairs[] = {
        {"math", "\\frac{1}{2}", "0.5", true},
        {"math", "1", "2", false},
        {"choice", "A", "A", true},
        {"choice", "A", "B", false},
        {"exact", "x", "x", true},
        {"exact", "x", "X", false},
    };

    for (size_t i = 0; i < LEN(pairs); i++) {
        const struct grader *g = grader_find(STR(pairs[i].grader));
        void *own = g->open();

        CHECK_INT(pairs[i].a, g->same(own, STR(pairs[i].a), STR(pairs[i].b), &arena),
                  pairs[i].same);
        g->close(own);
        arena_reset(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_have_their_grader),
        cmocka_unit_test(verdicts_have_names),
        cmocka_unit_test(graders_grade),
        cmocka_unit_test(equal_answers_are_the_same),
    };
    int rc;

    arena_init(&arena, 0);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_clear(&arena);
    return rc;
}
