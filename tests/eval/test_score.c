/* The same generations in the files of three tools give the same score; counts, bounds, classes and
 * a baseline against numbers worked out by hand; worker counts do not change a byte. */
#include "test.h"

#include <math.h>
#include <unistd.h>

#include "eval/score.h"
#include "formats/json.h"

enum { N_PROBLEMS = 5, N_SAMPLES = 4 };

/* answers[p][s]: what sample s of problem p boxes; NULL: cut off inside its reasoning. Gold is 10 *
 * (p + 1). */
static const char *const answers[N_PROBLEMS][N_SAMPLES] = {
    {"10", "10", "\\frac{20}{2}", "11"},
    {"20", "21", "21", NULL},
    {"7", "8", "\\frac{14}{2}", "9"},
    {"40", "40", "40", "40"},
    {NULL, NULL, "50", ""},
};

/* Of each problem, in our form only: names that sort otherwise as text than as numbers. */
static const int levels[N_PROBLEMS] = {1, 10, 2, 1, 2};

enum form { FORM_OURS, FORM_TODAY, FORM_2025 };

static void add_generation(struct buf *out, const char *answer)
{
    struct buf text = {0};

    if (!answer)
        buf_addz(&text, "<think>\nlet me see");
    else if (answer[0])
        buf_addf(&text, "<think>\nhm\n</think>\nThe answer is $\\boxed{%s}$.", answer);
    json_write_str(out, buf_str(&text));
    buf_clear(&text);
}

static void write_file(const char *path, enum form form)
{
    struct err e = ERR_INIT;
    struct buf out = {0};

    for (int p = 0; p < N_PROBLEMS; p++)
        for (int s = 0; s < N_SAMPLES; s++) {
            buf_addf(&out, "{\"prompt\": \"Problem %d?\", \"answer\": ", p);
            buf_addf(&out, p % 2 ? "%d" : "\"%d\"", 10 * (p + 1));
            if (form != FORM_2025)
                buf_addf(&out, ", \"doc_id\": \"doc%d\", \"sample_index\": %d, \"n_samples\": 4", p,
                         s);
            buf_addz(&out, form == FORM_2025 ? ", \"gen\": [" : ", \"gen\": ");
            add_generation(&out, answers[p][s]);
            if (form == FORM_2025)
                buf_addc(&out, ']');
            if (form == FORM_OURS)
                buf_addf(&out, ", \"level\": %d, \"finish_reason\": \"%s\"", levels[p],
                         answers[p][s] ? "stop" : "length");
            buf_addz(&out, "}\n");
        }
    CHECK_OK(path, file_replace(path, buf_str(&out), &e), &e);
    buf_clear(&out);
}

static struct score_opts opts_for(const char *path)
{
    return (struct score_opts){.input_path = path,
                               .task_name = "math_opensource/aime24",
                               .input_key = "prompt",
                               .label_key = "answer",
                               .response_key = "gen",
                               .group_key = "level",
                               .max_workers = 2,
                               .timeout = 20,
                               .bootstrap_samples = 200,
                               .confidence_level = 0.95};
}

static struct score *must_score(const struct score_opts *o)
{
    struct err e = ERR_INIT;
    struct score *s = score_open(o, &e);

    CHECK_OK(o->input_path, s != NULL, &e);
    return s;
}

static char dir[] = "/tmp/llmeval-score-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[4][128];
    static int next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

TEST(three_tools_files_give_one_score)
{
    static const char *const names[] = {"ours.jsonl", "today.jsonl", "y2025.jsonl"};
    double accuracy[3], low[3], maj[3];

    for (int form = 0; form < 3; form++) {
        const char *path = in_dir(names[form]);
        struct score_opts o = opts_for(path);
        struct score *s;

        write_file(path, (enum form)form);
        s = must_score(&o);
        CHECK_INT(names[form], s->n_rows, 20);
        CHECK_INT(names[form], s->n_problems, N_PROBLEMS);
        CHECK_INT(names[form], s->n_samples, N_SAMPLES);
        CHECK_INT(names[form], s->counts.n_right, 3 + 1 + 0 + 4 + 1);
        CHECK_INT(names[form], s->counts.n_empty, 1);
        CHECK_INT(names[form], s->counts.n_unclosed, 3);
        CHECK_INT(names[form], s->counts.n_truncated, form == FORM_OURS ? 3 : 0);
        accuracy[form] = s->accuracy;
        low[form] = s->like.low;
        maj[form] = s->maj[3].value;
        score_close(s);
    }
    assert_true(accuracy[0] == 9.0 / 20 && accuracy[1] == accuracy[0] &&
                accuracy[2] == accuracy[0]);
    assert_true(low[1] == low[0] && low[2] == low[0] && maj[1] == maj[0] && maj[2] == maj[0]);
}

TEST(classes_are_answers_not_strings)
{
    struct score_opts o = opts_for(in_dir("ours.jsonl"));
    struct score *s = must_score(&o);

    /* 10, 10 and 20/2 are one right class of three. */
    CHECK_INT("right class", s->problems[0].classes[0].count, 3);
    CHECK_INT("right class", s->problems[0].classes[0].is_right, true);
    CHECK_INT("classes", s->problems[0].n_classes, 2);
    /* 7 and 14/2 are one wrong answer. */
    CHECK_INT("wrong class", s->problems[2].classes[0].count, 2);
    CHECK_INT("wrong classes", s->problems[2].n_classes, 3);
    CHECK_INT("blanks", s->problems[4].n_blank, 3);
    /* All four votes: problems 0, 3 and 4 are won, 1 is lost to 21, 2 is lost. */
    assert_true(fabs(s->maj[3].value - 3.0 / 5) < 1e-12);
    assert_true(fabs(s->maj[0].value - 9.0 / 20) < 1e-12);
    assert_true(fabs(s->pass[3].value - 4.0 / 5) < 1e-12);
    /* Low: nothing open is right. High: the three truncated samples are. */
    assert_true(fabs(s->low_bound - 9.0 / 20) < 1e-12);
    assert_true(fabs(s->high_bound - 12.0 / 20) < 1e-12);
    assert_true(fabs(s->accuracy_without_truncated - 9.0 / 17) < 1e-12);
    score_close(s);
}

TEST(a_truncated_sample_is_never_right)
{
    static const char text[] =
        "{\"prompt\": \"a\", \"answer\": 12, \"gen\": \"so 3*4\", \"finish_reason\": \"length\"}\n"
        "{\"prompt\": \"a\", \"answer\": 12, \"gen\": \"\\\\boxed{12}\", \"finish_reason\": \"length\"}\n"
        "{\"prompt\": \"a\", \"answer\": 12, \"gen\": \"\\\\boxed{13}\", \"finish_reason\": \"length\"}\n"
        "{\"prompt\": \"a\", \"answer\": 12, \"gen\": \"\\\\boxed{12}\", \"finish_reason\": \"stop\"}\n";
    const char *path = in_dir("cut.jsonl");
    struct score_opts o = opts_for(path);
    struct err e = ERR_INIT;
    struct score *s;

    CHECK_OK("write", file_replace(path, STR(text), &e), &e);
    s = must_score(&o);
    CHECK_INT("right", s->counts.n_right, 1);
    CHECK_INT("wrong", s->counts.n_wrong, 3);
    CHECK_INT("truncated", s->counts.n_truncated, 3);
    CHECK_INT("with the gold", s->counts.n_truncated_with_gold, 2);
    CHECK_INT("no vote", s->problems[0].n_blank, 3);
    CHECK("why",
          str_find(s->rows[1].how,
                   STR("cut off by the token limit; what stands there is right (boxed"), 0) == 0);
    assert_true(s->accuracy == 0.25 && s->accuracy_without_truncated == 1);
    assert_true(s->low_bound == 0.25 && s->high_bound == 1);
    score_close(s);
}

static const struct {
    const char *name;
    int n_problems, n_rows, n_right;
} groups[] = {{"1", 2, 8, 7}, {"2", 2, 8, 1}, {"10", 1, 4, 1}};

TEST(problems_of_one_level_are_scored_together)
{
    struct score_opts o = opts_for(in_dir("ours.jsonl"));
    struct score *s = must_score(&o);
    struct buf text = {0};
    struct err e = ERR_INIT;
    struct json *m, *one;

    CHECK_INT("groups", s->n_groups, 3);
    for (size_t i = 0; i < LEN(groups); i++) {
        const struct score_group *g = &s->groups[i];

        CHECK_STR("name", g->name, STR(groups[i].name));
        CHECK_INT(groups[i].name, g->n_problems, groups[i].n_problems);
        CHECK_INT(groups[i].name, g->n_rows, groups[i].n_rows);
        CHECK_INT(groups[i].name, g->n_right, groups[i].n_right);
        /* The interval is that of the group's problems alone. */
        CHECK(groups[i].name, g->like.low <= (double)g->n_right / g->n_rows &&
                                  g->like.high >= (double)g->n_right / g->n_rows);
        CHECK(groups[i].name, g->like.low < g->like.high);
    }
    score_write_json(s, NULL, &text);
    m = json_parse(buf_str(&text), &e);
    CHECK_OK("json", m != NULL, &e);
    one = json_get(json_get(m, "groups"), "10");
    CHECK("accuracy", json_num(json_get(one, "accuracy"), 0) == 0.25);
    json_close(m);
    buf_clear(&text);
    score_close(s);
    o.group_key = "";
    s = must_score(&o);
    CHECK_INT("none asked", s->n_groups, 0);
    score_close(s);
}

static void all_bytes(const struct score_opts *o, const char *samples, struct buf *out)
{
    struct score *s = must_score(o);
    struct err e = ERR_INIT;

    CHECK_OK("samples", score_write_samples(s, samples, &e), &e);
    CHECK_OK("samples", file_read(samples, 0, out, &e), &e);
    score_write_json(s, NULL, out);
    score_write_table(s, NULL, out);
    score_close(s);
}

TEST(the_number_of_workers_changes_no_byte)
{
    struct score_opts o = opts_for(in_dir("ours.jsonl"));
    struct buf one = {0}, five = {0};

    o.max_workers = 1;
    all_bytes(&o, in_dir("scored.jsonl"), &one);
    o.max_workers = 5;
    all_bytes(&o, in_dir("scored.jsonl"), &five);
    CHECK_STR("bytes", buf_str(&five), buf_str(&one));
    buf_clear(&one);
    buf_clear(&five);
}

TEST(the_result_json_has_what_the_python_tool_reads)
{
    static const char *const keys[] = {
        "task_name",    "metrics",        "sample_count", "effective_sample_count",
        "failed_count", "excluded_count", "details",      "primary_metric"};
    static const char *const metric_keys[] = {"value",  "count",   "stderr",
                                              "ci_low", "ci_high", "higher_is_better"};
    struct score_opts o = opts_for(in_dir("ours.jsonl"));
    struct score *s = must_score(&o);
    struct buf text = {0};
    struct err e = ERR_INIT;
    struct json *m, *first;

    score_write_json(s, NULL, &text);
    m = json_parse(buf_str(&text), &e);
    CHECK_OK("json", m != NULL, &e);
    for (size_t i = 0; i < LEN(keys); i++)
        CHECK(keys[i], json_get(m, keys[i]) != NULL);
    for (size_t i = 0; i < LEN(metric_keys); i++)
        CHECK(metric_keys[i],
              json_get(json_get(json_get(m, "metrics"), "problem_pass@4"), metric_keys[i]) != NULL);
    first = json_at(json_get(json_get(m, "details"), "problem_level"), 0);
    CHECK_STR("doc_id", json_str(json_get(first, "doc_id")), STR("doc0"));
    CHECK_INT("correct", json_int(json_get(first, "correct_samples"), -1), 3);
    CHECK("fraction", json_num(json_get(first, "correct_fraction"), 0) == 0.75);
    CHECK_INT("majority", json_bool(json_get(first, "majority_correct"), false), true);
    json_close(m);
    buf_clear(&text);
    score_close(s);
}

TEST(a_baseline_is_matched_by_problem)
{
    struct score_opts o = opts_for(in_dir("ours.jsonl"));
    struct score *s = must_score(&o);
    struct score_baseline b;
    struct buf text = {0};
    struct err e = ERR_INIT;

    score_write_json(s, NULL, &text);
    CHECK_OK("write", file_replace(in_dir("result.json"), buf_str(&text), &e), &e);
    CHECK_OK("json", score_compare(s, in_dir("result.json"), &b, &e), &e);
    CHECK_INT("matched", b.n_matched, 5);
    assert_true(b.paired.difference.value == 0 && b.paired.p_value == 1);
    /* The 2025 file has no doc_id: prompts match. */
    CHECK_OK("rows", score_compare(s, in_dir("y2025.jsonl"), &b, &e), &e);
    CHECK_INT("matched", b.n_matched, 5);
    assert_true(b.paired.difference.value == 0);
    buf_clear(&text);
    score_close(s);
}

static const struct {
    const char *name, *text, *error;
} bad[] = {
    {"empty", "", "holds no rows"},
    {"not json", "{\"prompt\": \"a\", \"answer\": 1, \"gen\": \"x\"}\nnot json\n{}\n",
     "line 2: not valid JSON"},
    {"an array", "[1]\n", "line 1: an array, not an object"},
    {"no gen", "{\"prompt\": \"a\", \"answer\": 1}\n", "--response_key"},
    {"no answer", "{\"prompt\": \"a\", \"gen\": \"x\"}\n", "--label_key"},
};

TEST(bad_files_are_refused_by_place)
{
    for (size_t i = 0; i < LEN(bad); i++) {
        const char *path = in_dir("bad.jsonl");
        struct score_opts o = opts_for(path);
        struct err e = ERR_INIT;

        CHECK_OK("write", file_replace(path, STR(bad[i].text), &e), &e);
        CHECK(bad[i].name, score_open(&o, &e) == NULL);
        CHECK(e.msg, strstr(e.msg, bad[i].error) && strstr(e.msg, "bad.jsonl"));
    }
}

TEST(what_is_left_out_is_counted)
{
    static const char text[] =
        "{\"prompt\": \"a\", \"answer\": 1, \"doc_id\": \"a\", \"sample_index\": 0, \"n_samples\": 3, \"gen\": \"\\\\boxed{1}\"}\n"
        "{\"prompt\": \"a\", \"answer\": 1, \"doc_id\": \"a\", \"sample_index\": 0, \"n_samples\": 3, \"gen\": \"\\\\boxed{2}\"}\n"
        "{\"prompt\": \"a\", \"answer\": 1, \"doc_id\": \"a\", \"sample_index\": 1, \"n_samples\": 3, \"error\": \"timeout\"}\n"
        "{\"prompt\": \"a\", \"answer\": 1, \"doc_id\": \"a\", \"samp";
    const char *path = in_dir("left.jsonl");
    struct score_opts o = opts_for(path);
    struct err e = ERR_INIT;
    struct score *s;

    CHECK_OK("write", file_replace(path, STR(text), &e), &e);
    s = must_score(&o);
    CHECK_INT("scored", s->n_rows, 1);
    CHECK_INT("right", s->counts.n_right, 1);
    CHECK_INT("duplicates", s->counts.n_duplicates, 1);
    CHECK_INT("errors", s->counts.n_errors, 1);
    CHECK_INT("torn", s->counts.n_torn, 1);
    CHECK_INT("missing", s->counts.n_missing, 2);
    assert_true(fabs(s->low_bound - 1.0 / 3) < 1e-12 && s->high_bound == 1.0);
    score_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_tools_files_give_one_score),
        cmocka_unit_test(classes_are_answers_not_strings),
        cmocka_unit_test(a_truncated_sample_is_never_right),
        cmocka_unit_test(problems_of_one_level_are_scored_together),
        cmocka_unit_test(the_number_of_workers_changes_no_byte),
        cmocka_unit_test(the_result_json_has_what_the_python_tool_reads),
        cmocka_unit_test(a_baseline_is_matched_by_problem),
        cmocka_unit_test(bad_files_are_refused_by_place),
        cmocka_unit_test(what_is_left_out_is_counted),
    };
    int n;

    if (!mkdtemp(dir))
        return 1;
    n = cmocka_run_group_tests(tests, NULL, NULL);
    for (const char *const *f =
             (const char *const[]){"ours.jsonl", "today.jsonl", "y2025.jsonl", "scored.jsonl",
                                   "result.json", "bad.jsonl", "left.jsonl", "cut.jsonl", NULL};
         *f; f++)
        unlink(in_dir(*f));
    rmdir(dir);
    return n;
}
