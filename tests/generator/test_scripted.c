/* test_scripted.c - the contract of the waist, on the generator that defines it. */
#include "generator/generator_scripted.h"

#include <math.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/opt.h"
#include "formats/json.h"
#include "generator/scripted_text.h"
#include "test.h"

/* Everything that came back for one request. */
struct got {
    int n_ends, n_deltas;
    enum gen_event_kind kind;
    enum finish_reason finish;
    enum fail_class fail_class;
    struct buf text, deltas;
    char err[512];
    int n_prompt, n_completion, max_tokens;
    bool is_clamped, is_greedy;
    uint64_t seed;
    double logprob_sum, score, prompt_sum;
};

static void got_clear(struct got *g, int n)
{
    for (int i = 0; i < n; i++) {
        buf_clear(&g[i].text);
        buf_clear(&g[i].deltas);
        g[i] = (struct got){0};
    }
}

static struct generator *open_with(int argc, const char *const *argv, int max_model_len)
{
    static struct scripted_opts o;
    struct opt_group group = {"", scripted_table, &o};
    struct err e = ERR_INIT;
    struct generator *g;

    CHECK_OK("options", opts_parse(argc, (char **)(uintptr_t)argv, &group, 1, NULL, &e), &e);
    g = generator_scripted_open(&o, "tiny", max_model_len, &e);
    CHECK_OK("open", g != NULL, &e);
    opts_clear(&group, 1, NULL);
    return g;
}

static void take(struct got *g, const struct gen_event *ev)
{
    if (ev->kind == GEN_DELTA) {
        CHECK("whole characters", utf8_valid(ev->text));
        buf_add_str(&g->deltas, ev->text);
        g->n_deltas++;
        return;
    }
    g->n_ends++;
    g->kind = ev->kind;
    g->finish = ev->finish_reason;
    g->fail_class = ev->fail_class;
    buf_add_str(&g->text, ev->text);
    if (ev->err)
        snprintf(g->err, sizeof(g->err), "%s", ev->err->msg);
    g->n_prompt = ev->n_prompt_tokens;
    g->n_completion = ev->n_completion_tokens;
    g->max_tokens = ev->max_tokens;
    g->is_clamped = ev->is_clamped;
    g->seed = ev->seed;
    g->score = ev->score;
    g->is_greedy = ev->is_greedy;
    for (int i = 0; i < ev->n_logprobs; i++)
        g->logprob_sum += (double)ev->logprobs[i].chosen.logprob;
    for (int i = 0; i < ev->n_prompt_logprobs; i++)
        g->prompt_sum += (double)ev->prompt_logprobs[i].chosen.logprob;
}

/* Polls until n requests with the ids 0 to n - 1 have ended. */
static void drain(struct generator *g, struct got *got, int n)
{
    struct gen_event ev[7];
    int n_ev, n_ended = 0;
    int64_t end = clock_ms() + 600000; /* a machine may stand still for seconds */

    while (n_ended < n) {
        struct err e = ERR_INIT;

        CHECK_OK("poll", generator_poll(g, 1000, ev, LEN(ev), &n_ev, &e), &e);
        for (int i = 0; i < n_ev; i++) {
            CHECK("a known id", ev[i].id < (uint64_t)n);
            take(&got[ev[i].id], &ev[i]);
            n_ended += ev[i].kind != GEN_DELTA;
        }
        CHECK("in time", clock_ms() < end);
    }
}

static struct gen_request prompt_of(const char *text, uint64_t seed)
{
    struct gen_request r = {
        .kind = GEN_COMPLETE, .prompt = STR(text), .sampling = sampling_default()};

    r.sampling.seed = seed;
    r.sampling.has_seed = true;
    return r;
}

static void run_one(struct generator *g, const struct gen_request *r, struct got *got)
{
    struct err e = ERR_INIT;

    got_clear(got, 1);
    CHECK_OK("submit", generator_submit(g, r, &e), &e);
    drain(g, got, 1);
    CHECK_INT("one end", got->n_ends, 1);
}

/* Each id ends once; stream and whole are the same; alone and among many too. */
TEST(ids_end_once_and_replies_repeat)
{
    enum { N = 200 };
    struct generator *g = open_with(0, NULL, 4096);
    static struct got many[N];
    struct got one = {0};
    struct err e = ERR_INIT;

    for (int i = 0; i < N; i++) {
        struct gen_request r = prompt_of("Find x.", (uint64_t)i / 2);

        r.id = (uint64_t)i;
        r.stream = i % 2;
        CHECK_OK("submit", generator_submit(g, &r, &e), &e);
    }
    drain(g, many, N);
    for (int i = 0; i < N; i++) {
        struct gen_request r = prompt_of("Find x.", (uint64_t)i / 2);

        CHECK_INT("ends", many[i].n_ends, 1);
        CHECK_INT("seed", many[i].seed, i / 2);
        CHECK_STR("whole and streamed", buf_str(&many[i].text), buf_str(&many[i ^ 1].text));
        if (i % 2)
            CHECK_STR("deltas add up", buf_str(&many[i].deltas), buf_str(&many[i].text));
        run_one(g, &r, &one);
        CHECK_STR("alone", buf_str(&one.text), buf_str(&many[i].text));
    }
    got_clear(&one, 1);
    got_clear(many, N);
    generator_close(g);
}

TEST(cancelled_requests_end_too)
{
    const char *args[] = {"--token_ms=1000000", "--max_num_seqs=2"};
    struct generator *g = open_with(LEN(args), args, 4096);
    struct got got[6] = {{0}};
    struct err e = ERR_INIT;
    struct gen_event ev[4];
    int n;

    for (uint64_t i = 0; i < 6; i++) {
        struct gen_request r = prompt_of("Find x.", i);

        r.id = i;
        r.stream = true;
        CHECK_OK("submit", generator_submit(g, &r, &e), &e);
    }
    CHECK_OK("poll", generator_poll(g, 0, ev, 4, &n, &e), &e);
    CHECK_INT("two run", n, 2);
    for (uint64_t i = 0; i < 6; i++)
        generator_cancel(g, i);
    drain(g, got, 6);
    for (int i = 0; i < 6; i++) {
        CHECK_INT("failed", got[i].kind, GEN_FAILED);
        CHECK_INT("cancelled", got[i].fail_class, FAIL_CANCELLED);
    }
    got_clear(got, 6);
    generator_close(g);
}

TEST(context_and_limits)
{
    struct generator *g = open_with(0, NULL, 50);
    struct gen_request r = prompt_of("aaaa aaaa", 1); /* 3 tokens: "aaaa", " aaa", "a" */
    struct got got = {0};

    r.sampling.ignore_eos = true;
    r.sampling.max_tokens = 100;
    r.overlong = OVERLONG_CLAMP;
    run_one(g, &r, &got);
    CHECK_INT("clamped", got.is_clamped, true);
    CHECK_INT("to what is left", got.n_completion, 47);
    CHECK_INT("and says so", got.max_tokens, 47);
    CHECK_INT("length", got.finish, FINISH_LENGTH);
    r.overlong = OVERLONG_REJECT;
    run_one(g, &r, &got);
    CHECK_INT("rejected", got.fail_class, FAIL_CONTEXT);
    CHECK("in the words that clients look for",
          strstr(got.err, "maximum context length is 50 tokens") != NULL);
    r.sampling.max_tokens = 0;
    run_one(g, &r, &got);
    CHECK_INT("0 is the rest", got.n_completion, 47);
    got_clear(&got, 1);
    generator_close(g);
}

/* The chain rule: log p(ab | c) = log p(a | c) + log p(b | ca), by scoring, echo and generation. */
TEST(one_function_of_logprobs)
{
    static const int32_t abc[] = {97, 98, 99, 100, 101};
    struct generator *g = open_with(0, NULL, 4096);
    struct gen_request all = prompt_of("", 1), head, tail, echo;
    struct got a = {0}, b = {0}, c = {0}, d = {0};

    all.kind = GEN_SCORE;
    all.prompt_ids = abc;
    all.n_prompt_ids = 2;
    all.continuation_ids = abc + 2;
    all.n_continuation_ids = 3;
    head = tail = echo = all;
    head.n_continuation_ids = 1;
    tail.n_prompt_ids = 3;
    tail.continuation_ids = abc + 3;
    tail.n_continuation_ids = 2;
    echo.kind = GEN_COMPLETE;
    echo.n_prompt_ids = 5;
    echo.sampling.n_prompt_logprobs = 0;
    echo.sampling.logprobs_start = 2;
    echo.sampling.max_tokens = 1;
    run_one(g, &all, &a);
    run_one(g, &head, &b);
    run_one(g, &tail, &c);
    run_one(g, &echo, &d);
    CHECK_INT("tokens", a.n_completion, 3);
    CHECK("chain rule", fabs(a.score - b.score - c.score) < 1e-5);
    CHECK("echo", fabs(a.score - d.prompt_sum) < 1e-5);
    CHECK_INT("greedy", a.is_greedy, b.is_greedy && c.is_greedy);
    generator_close(g);
    got_clear(&d, 1);
    got_clear(&c, 1);
    got_clear(&b, 1);
    got_clear(&a, 1);
}

/* The probabilities of the alternatives and of one other token stay below one, and ranks are in
 * order. */
TEST(alternatives_are_a_distribution)
{
    struct arena a;

    arena_init(&a, 0);
    for (int32_t id = 0; id < 300; id++) {
        uint64_t digest = scripted_extend(SCRIPTED_START, id * 7);
        struct token_logprob t = scripted_alternatives(digest, id, 20, &a);
        double sum = t.chosen.rank > 20 ? exp((double)t.chosen.logprob) : 0;

        CHECK_INT("twenty", t.n_top, 20);
        for (int k = 0; k < t.n_top; k++) {
            sum += exp((double)t.top[k].logprob);
            CHECK_INT("rank", t.top[k].rank, k + 1);
            CHECK("falling", k == 0 || t.top[k].logprob <= t.top[k - 1].logprob);
            CHECK("the chosen one agrees",
                  t.top[k].token_id != id || t.top[k].logprob == t.chosen.logprob);
        }
        CHECK("below one", sum <= 1.0);
    }
    arena_clear(&a);
}

TEST(tokens_turn_back_into_text)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "hello world",
                                        "  two  blanks",
                                        "caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87\xf0\x9f\x98\x80",
                                        "\n\t x",
                                        "\xff\xfe bytes",
                                        "12345678901234567890"};
    struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(texts); i++) {
        struct token_list t = {0};
        struct str back = STR("");

        scripted_encode(STR(texts[i]), &a, &t);
        CHECK_OK(texts[i], scripted_decode(t.ids, t.n, false, &a, &back, &e), &e);
        CHECK_STR(texts[i], back, STR(texts[i]));
    }
    arena_clear(&a);
}

/* Over many seeds the aime rule is right as often as asked, and problems differ in how hard they
 * are. */
TEST(accuracy_lies_where_asked)
{
    char answers[] = "--answers=" SOURCE_DIR "/data/aime24.jsonl";
    const char *args[] = {answers, "--accuracy=0.5", "--reply_tokens=1"};
    struct generator *g = open_with(LEN(args), args, 100000);
    struct file_map map;
    struct err e = ERR_INIT;
    struct str file, line;
    int n = 0, n_right = 0, n_problems = 0, n_hard = 0, n_easy = 0;
    struct got got = {0};

    CHECK_OK("data", file_map_open(SOURCE_DIR "/data/aime24.jsonl", &map, &e), &e);
    file = (struct str){map.ptr, map.len};
    while (str_cut(&file, '\n', &line)) {
        struct json *v = line.len > 0 ? json_parse(line, &e) : NULL;
        char want[64];
        int right = 0;

        if (!v)
            continue;
        snprintf(want, sizeof(want), "\\boxed{%lld}",
                 (long long)json_int(json_get(v, "answer"), -1));
        for (uint64_t seed = 0; seed < 64; seed++) {
            struct gen_request r = prompt_of("", seed);

            r.prompt = json_str(json_get(v, "prompt"));
            run_one(g, &r, &got);
            right += str_find(buf_str(&got.text), STR(want), 0) >= 0;
        }
        n += 64;
        n_right += right;
        n_problems++;
        n_hard += right < 16;
        n_easy += right > 48;
        json_close(v);
    }
    CHECK_INT("problems", n_problems, 30);
    CHECK("about half", n_right > n / 4 && n_right < n * 3 / 4);
    CHECK("hard and easy ones", n_hard >= 3 && n_easy >= 3);
    got_clear(&got, 1);
    file_map_close(&map);
    generator_close(g);
}

static const struct {
    const char *name, *script, *want;
} bad_scripts[] = {
    {"not JSON", "{\"reply\":\"a\"}\n{", "script.jsonl:2:"},
    {"no reply", "{\"prompt\":\"a\"}\n", "\"reply\" must be a string or a list"},
    {"two conditions", "{\"prompt\":\"a\",\"regex\":\"b\",\"reply\":\"c\"}\n", "give one of"},
    {"a bad regex", "{\"regex\":\"(\",\"reply\":\"c\"}\n",
     "not a POSIX extended regular expression"},
    {"not an object", "[]\n", "an object expected"},
};

TEST(bad_input_is_named)
{
    char path[64], arg[96];
    struct err e = ERR_INIT;

    snprintf(path, sizeof(path), "/tmp/llmeval_%d_script.jsonl", (int)getpid());
    snprintf(arg, sizeof(arg), "--script=%s", path);
    for (size_t i = 0; i < LEN(bad_scripts); i++) {
        struct scripted_opts o = {0};
        struct opt_group group = {"", scripted_table, &o};
        char *argv[] = {arg};

        err_clear(&e);
        CHECK_OK("write", file_replace(path, STR(bad_scripts[i].script), &e), &e);
        CHECK_OK("options", opts_parse(1, argv, &group, 1, NULL, &e), &e);
        CHECK(bad_scripts[i].name, generator_scripted_open(&o, "tiny", 100, &e) == NULL);
        CHECK(e.msg, strstr(e.msg, bad_scripts[i].want) != NULL);
        opts_clear(&group, 1, NULL);
    }
    remove(path);
}

static const char *const bad_faults[] = {"--fault=nothing", "--fault=500:2", "--fault=500:x",
                                         "--fault=500@0", "--fault=@2"};

TEST(bad_faults_are_refused)
{
    for (size_t i = 0; i < LEN(bad_faults); i++) {
        struct scripted_opts o = {0};
        struct opt_group group = {"", scripted_table, &o};
        char arg[64], *argv[] = {arg};
        struct err e = ERR_INIT;

        snprintf(arg, sizeof(arg), "%s", bad_faults[i]);
        CHECK_OK("options", opts_parse(1, argv, &group, 1, NULL, &e), &e);
        CHECK(bad_faults[i],
              generator_scripted_open(&o, "tiny", 100, &e) == NULL && strstr(e.msg, "--fault"));
        opts_clear(&group, 1, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_end_once_and_replies_repeat),
        cmocka_unit_test(cancelled_requests_end_too),
        cmocka_unit_test(context_and_limits),
        cmocka_unit_test(one_function_of_logprobs),
        cmocka_unit_test(alternatives_are_a_distribution),
        cmocka_unit_test(tokens_turn_back_into_text),
        cmocka_unit_test(accuracy_lies_where_asked),
        cmocka_unit_test(bad_input_is_named),
        cmocka_unit_test(bad_faults_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
