/* test_generator_local.c - the engine behind the waist, with tiny models whose greedy continuations
 * and log-likelihoods were computed apart in float32 (tests/data/models/README.md). */
#include "test.h"

#include <math.h>

#include "base/arena.h"
#include "engine/engine.h"
#include "formats/json.h"
#include "generator/generator_local.h"

enum { MAX_IDS = 1024, MAX_TEXT = 1 << 14 };

static const char *const models[] = {"qwen2-yarn-bf16", "qwen3-tied-bf16", "llama3-tied-f16"};

static void clear_defaults(void *values)
{
    opts_clear(&(struct opt_group){"engine", engine_table, values}, 1, NULL);
}

static struct engine_opts options(const char *model, struct arena *a)
{
    struct engine_opts *defaults = arena_new(a, struct engine_opts), o;

    opts_defaults(&(struct opt_group){"engine", engine_table, defaults}, 1);
    arena_on_clear(a, clear_defaults, defaults);
    o = *defaults;
    o.model_name_or_path = str_fmt(a, TEST_DATA "/models/%s", model).ptr;
    o.dtype = "float32";
    o.num_kv_blocks = 400;
    o.max_model_len = 1024;
    o.n_threads = 1;
    return o;
}

/* A reply, put together from its events. */
struct reply {
    int n_ends;
    enum gen_event_kind last;
    enum fail_class fail_class;
    enum finish_reason finish;
    char text[MAX_TEXT], streamed[MAX_TEXT], stop_text[64], words[512];
    size_t len, n_streamed;
    int32_t ids[MAX_IDS], streamed_ids[MAX_IDS];
    int n_ids, n_streamed_ids, n_prompt, max_tokens;
    float logprobs[MAX_IDS];
    double score;
    bool is_greedy, is_clamped;
};

static struct str text_of(const struct reply *r)
{
    return (struct str){r->text, r->len};
}

static struct str streamed_of(const struct reply *r)
{
    return (struct str){r->streamed, r->n_streamed};
}

static void take_event(struct reply *r, const struct gen_event *ev)
{
    r->last = ev->kind;
    if (ev->kind == GEN_DELTA) {
        memcpy(r->streamed + r->n_streamed, ev->text.ptr, ev->text.len);
        r->n_streamed += ev->text.len;
        memcpy(r->streamed_ids + r->n_streamed_ids, ev->token_ids,
               (size_t)ev->n_token_ids * sizeof(int32_t));
        r->n_streamed_ids += ev->n_token_ids;
        return;
    }
    r->n_ends++;
    r->fail_class = ev->fail_class;
    r->finish = ev->finish_reason;
    r->max_tokens = ev->max_tokens;
    r->is_clamped = ev->is_clamped;
    r->n_prompt = ev->n_prompt_tokens;
    if (ev->err)
        snprintf(r->words, sizeof(r->words), "%s", ev->err->msg);
    if (ev->kind == GEN_FAILED)
        return;
    memcpy(r->text, ev->text.ptr, ev->text.len);
    r->len = ev->text.len;
    snprintf(r->stop_text, sizeof(r->stop_text), STR_FMT, STR_ARG(ev->stop_text));
    memcpy(r->ids, ev->token_ids, (size_t)ev->n_token_ids * sizeof(int32_t));
    r->n_ids = ev->n_token_ids;
    for (int i = 0; i < ev->n_logprobs; i++)
        r->logprobs[i] = ev->logprobs[i].chosen.logprob;
    r->score = ev->score;
    r->is_greedy = ev->is_greedy;
}

/* Polls until `n` replies, by id, have ended. */
static void collect(struct generator *g, struct reply *replies, int n)
{
    struct err e = ERR_INIT;

    for (int n_ended = 0; n_ended < n;) {
        struct gen_event ev[8];
        int n_ev;

        CHECK_OK("poll", generator_poll(g, 1000, ev, LEN(ev), &n_ev, &e), &e);
        for (int i = 0; i < n_ev; i++) {
            CHECK("id", ev[i].id < (uint64_t)n);
            CHECK_INT("nothing follows the end", replies[ev[i].id].n_ends, 0);
            take_event(&replies[ev[i].id], &ev[i]);
            n_ended += ev[i].kind != GEN_DELTA;
        }
    }
}

static void ask(struct generator *g, struct gen_request *r, struct reply *out)
{
    struct err e = ERR_INIT;

    memset(out, 0, sizeof(*out));
    r->id = 0;
    CHECK_OK("submit", generator_submit(g, r, &e), &e);
    collect(g, out, 1);
}

static int read_ids(const struct json *list, int32_t *ids)
{
    for (size_t i = 0; i < json_len(list); i++)
        ids[i] = (int32_t)json_int(json_at(list, i), -1);
    return (int)json_len(list);
}

/* --- against figures computed apart ----------------------------------------------------------- */

static void check_greedy(struct generator *g, const struct json *golden)
{
    static struct reply out;

    for (size_t i = 0; i < json_len(json_get(golden, "greedy")); i++) {
        const struct json *c = json_at(json_get(golden, "greedy"), i);
        int32_t prompt[MAX_IDS], want[MAX_IDS];
        int n = read_ids(json_get(c, "prompt_ids"), prompt),
            n_want = read_ids(json_get(c, "tokens"), want);
        struct gen_request r = {.kind = GEN_COMPLETE,
                                .prompt_ids = prompt,
                                .n_prompt_ids = n,
                                .sampling = sampling_default()};

        r.sampling.temperature = 0;
        r.sampling.max_tokens = n_want;
        r.sampling.ignore_eos = r.sampling.keep_special_tokens = true;
        r.sampling.n_logprobs = 0;
        r.stream = i % 2;
        ask(g, &r, &out);
        CHECK_INT("tokens", out.n_ids, n_want);
        CHECK("the same", memcmp(out.ids, want, (size_t)n_want * sizeof(int32_t)) == 0);
        CHECK_STR("text", text_of(&out), json_str(json_get(c, "text")));
        for (int k = 0; k < n_want; k++)
            CHECK("logprob", fabs((double)out.logprobs[k] -
                                  json_num(json_at(json_get(c, "logprobs"), (size_t)k), 9)) < 2e-3);
    }
}

static void check_scores(struct generator *g, const struct json *golden)
{
    static struct reply out;
    const struct json *list = json_get(golden, "loglikelihood");

    CHECK("there are some", json_len(list) > 0);
    for (size_t i = 0; i < json_len(list); i++) {
        const struct json *c = json_at(list, i);
        int32_t context[MAX_IDS], continuation[MAX_IDS];
        struct gen_request r = {.kind = GEN_SCORE, .sampling = sampling_default()};
        double want = json_num(json_get(c, "sum_logprob"), 1), tolerance;

        r.prompt_ids = context;
        r.n_prompt_ids = read_ids(json_get(c, "context_ids"), context);
        r.continuation_ids = continuation;
        r.n_continuation_ids = read_ids(json_get(c, "continuation_ids"), continuation);
        tolerance = 1e-3 * (1 + r.n_continuation_ids / 10.0);
        ask(g, &r, &out);
        CHECK_INT("done", out.last, GEN_DONE);
        CHECK("sum by ids", fabs(out.score - want) < tolerance);
        CHECK_INT("greedy", out.is_greedy, json_bool(json_get(c, "is_greedy"), false));
        CHECK_INT("context", out.n_prompt, r.n_prompt_ids);
        if (json_type(json_get(c, "context")) != JSON_STRING)
            continue;
        r = (struct gen_request){.kind = GEN_SCORE,
                                 .prompt = json_str(json_get(c, "context")),
                                 .add_special_tokens = true,
                                 .continuation = json_str(json_get(c, "continuation")),
                                 .sampling = sampling_default()};
        ask(g, &r, &out);
        CHECK_INT("done", out.last, GEN_DONE);
        CHECK("sum by text", fabs(out.score - want) < tolerance);
    }
}

/* Chats: rendered, encoded, and answered as the same ids are. */
static void check_chats(struct generator *g, const struct json *golden)
{
    static struct reply by_chat, by_ids;
    int n_chats = 0;

    for (size_t i = 0; i < json_len(json_get(golden, "cases")); i++) {
        const struct json *c = json_at(json_get(golden, "cases"), i),
                          *messages = json_get(c, "messages");
        struct chat_part parts[8];
        struct chat_msg msgs[8];
        struct gen_request r = {.kind = GEN_CHAT,
                                .msgs = msgs,
                                .n_msgs = (int)json_len(messages),
                                .sampling = sampling_default()};
        int32_t want[MAX_IDS], *ids;
        int n_want = read_ids(json_get(c, "input_ids"), want), n;
        struct err e = ERR_INIT;
        struct arena a;
        struct str rendered;

        if (json_len(messages) == 0 || json_len(messages) > LEN(msgs))
            continue;
        n_chats++;
        arena_init(&a, 0);
        for (size_t k = 0; k < json_len(messages); k++) {
            parts[k] =
                (struct chat_part){PART_TEXT, json_str(json_get(json_at(messages, k), "content"))};
            msgs[k] = (struct chat_msg){.role = json_str(json_get(json_at(messages, k), "role")),
                                        .parts = &parts[k],
                                        .n_parts = 1};
        }
        CHECK_OK("encode", g->text->encode_chat(g, &r, &a, &ids, &n, &rendered, &e), &e);
        CHECK_STR("rendered", rendered, json_str(json_get(c, "rendered")));
        CHECK_INT("ids", n, n_want);
        CHECK("the same", memcmp(ids, want, (size_t)n * sizeof(int32_t)) == 0);
        r.sampling.has_seed = true;
        r.sampling.max_tokens = 20;
        ask(g, &r, &by_chat);
        r.kind = GEN_COMPLETE;
        r.prompt_ids = want;
        r.n_prompt_ids = n_want;
        ask(g, &r, &by_ids);
        CHECK_STR("answers", text_of(&by_chat), text_of(&by_ids));
        arena_clear(&a);
    }
    CHECK("there are some", n_chats > 0);
}

TEST(golden_models)
{
    for (size_t m = 0; m < LEN(models); m++) {
        struct err e = ERR_INIT;
        struct arena a;
        struct json *golden;
        struct engine_opts o;
        struct generator *g;

        arena_init(&a, 0);
        o = options(models[m], &a);
        golden =
            json_parse_file(str_fmt(&a, "%s/golden/golden.json", o.model_name_or_path).ptr, 0, &e);
        CHECK_OK(models[m], golden != NULL, &e);
        g = generator_local_open(&o, &e);
        CHECK_OK(models[m], g != NULL, &e);
        check_greedy(g, golden);
        check_scores(g, golden);
        check_chats(g, golden);
        generator_close(g);
        json_close(golden);
        arena_clear(&a);
    }
}

/* --- the waist's promises --------------------------------------------------------------------- */

static struct generator *open_one(struct arena *a)
{
    struct err e = ERR_INIT;
    struct engine_opts o;
    struct generator *g;

    arena_init(a, 0);
    o = options(models[0], a);
    g = generator_local_open(&o, &e);
    CHECK_OK("open", g != NULL, &e);
    return g;
}

static struct gen_request seeded(uint64_t id)
{
    struct gen_request r = {.id = id, .kind = GEN_COMPLETE, .sampling = sampling_default()};

    r.prompt = STR(id % 3 ? "Say something about" : "One prompt for many");
    r.sampling.max_tokens = 8 + (int)(id % 25);
    r.sampling.has_seed = true;
    r.sampling.seed = 77 + id;
    r.sampling.ignore_eos = true;
    r.stream = id % 2;
    return r;
}

TEST(alone_and_among_others)
{
    enum { N = 48 };
    struct arena a;
    struct generator *g = open_one(&a);
    struct reply *alone = xcalloc(N, sizeof(*alone)), *among = xcalloc(N, sizeof(*among));
    struct gen_stats st;

    for (uint64_t i = 0; i < N; i++) {
        struct gen_request r = seeded(i);

        ask(g, &r, &alone[i]);
    }
    for (uint64_t i = 0; i < N; i++) {
        struct gen_request r = seeded(i);
        struct err e = ERR_INIT;

        CHECK_OK("submit", generator_submit(g, &r, &e), &e);
    }
    collect(g, among, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT("tokens", among[i].n_ids, alone[i].n_ids);
        CHECK("the same tokens", memcmp(among[i].ids, alone[i].ids, sizeof(alone[i].ids)) == 0);
        CHECK_STR("text", text_of(&among[i]), text_of(&alone[i]));
        if (i % 2 == 0)
            continue;
        CHECK_STR("deltas make the text", streamed_of(&alone[i]), text_of(&alone[i]));
        CHECK_INT("and the tokens", alone[i].n_streamed_ids, alone[i].n_ids);
        CHECK("the same", memcmp(alone[i].streamed_ids, alone[i].ids,
                                 (size_t)alone[i].n_ids * sizeof(int32_t)) == 0);
    }
    generator_stats(g, &st);
    CHECK_INT("done", st.n_done, 2 * N);
    CHECK("no block is held", st.kv_usage <= 0);
    free(alone);
    free(among);
    generator_close(g);
    arena_clear(&a);
}

/* One stop string, cut out of what the model says anyway. */
static void check_stop(struct generator *g, const struct reply *whole, struct str stop_here,
                       bool include, bool stream)
{
    static struct reply cut;
    struct str stop[] = {STR("never said"), stop_here};
    size_t end = (size_t)str_find(text_of(whole), stop_here, 0) + (include ? stop_here.len : 0);
    struct gen_request r = seeded(0);

    r.sampling.max_tokens = 60;
    r.sampling.stop = stop;
    r.sampling.n_stop = 2;
    r.sampling.include_stop_str = include;
    r.stream = stream;
    ask(g, &r, &cut);
    CHECK_INT("stopped", cut.finish, FINISH_STOP);
    CHECK_STR("by it", STR(cut.stop_text), stop_here);
    CHECK_STR("cut there", text_of(&cut), str_slice(text_of(whole), 0, end));
    CHECK_STR("nothing more was shown", streamed_of(&cut), stream ? text_of(&cut) : STR(""));
    CHECK("tokens", cut.n_ids <= whole->n_ids &&
                        memcmp(cut.ids, whole->ids, (size_t)cut.n_ids * sizeof(int32_t)) == 0);
}

TEST(stop_strings)
{
    static struct reply whole;
    struct arena a;
    struct generator *g = open_one(&a);
    struct gen_request r = seeded(0);

    r.sampling.max_tokens = 60;
    ask(g, &r, &whole);
    CHECK("long enough", whole.len > 60);
    for (size_t at = 5, n; at + 12 < whole.len; at += 9) {
        n = 3 + at % 7;
        while ((whole.text[at] & 0xC0) == 0x80) /* whole characters: a stop string is UTF-8 */
            at++;
        while ((whole.text[at + n] & 0xC0) == 0x80)
            n++;
        for (int how = 0; how < 4; how++)
            check_stop(g, &whole, (struct str){whole.text + at, n}, how & 1, how & 2);
    }
    generator_close(g);
    arena_clear(&a);
}

TEST(cancelled_requests_end_once)
{
    enum { N = 20 };
    struct arena a;
    struct generator *g = open_one(&a);
    struct reply *r = xcalloc(N, sizeof(*r));
    struct err e = ERR_INIT;
    struct gen_stats st;

    for (uint64_t i = 0; i < N; i++) {
        struct gen_request q = seeded(i);

        q.sampling.max_tokens = i % 2 ? 900 : 4;
        CHECK_OK("submit", generator_submit(g, &q, &e), &e);
    }
    for (uint64_t i = 1; i < N; i += 2)
        generator_cancel(g, i);
    generator_cancel(g, 12345); /* nobody's */
    collect(g, r, N);
    for (int i = 0; i < N; i++) {
        CHECK_INT("ended once", r[i].n_ends, 1);
        CHECK_INT("as asked", r[i].last, i % 2 ? GEN_FAILED : GEN_DONE);
        CHECK_INT("why", r[i].fail_class, i % 2 ? FAIL_CANCELLED : FAIL_NONE);
    }
    generator_stats(g, &st);
    CHECK("no block is held", st.kv_usage <= 0 && st.n_running == 0);
    free(r);
    generator_close(g);
    arena_clear(&a);
}

TEST(what_cannot_run_fails_with_its_class)
{
    static int32_t ids[1100];
    static struct reply out;
    const struct str empty[] = {{"", 0}};
    struct arena a;
    struct generator *g = open_one(&a);
    const struct {
        const char *name;
        struct gen_request r;
        int max_tokens;
        enum fail_class want;
        const char *words;
    } rows[] = {
        {"fits",
         {.kind = GEN_COMPLETE, .prompt_ids = ids, .n_prompt_ids = 1000},
         24,
         FAIL_NONE,
         ""},
        {"clamped",
         {.kind = GEN_COMPLETE, .prompt_ids = ids, .n_prompt_ids = 1000},
         25,
         FAIL_NONE,
         ""},
        {"rejected",
         {.kind = GEN_COMPLETE,
          .prompt_ids = ids,
          .n_prompt_ids = 1000,
          .overlong = OVERLONG_REJECT},
         25,
         FAIL_CONTEXT,
         "1024 tokens"},
        {"no room",
         {.kind = GEN_COMPLETE, .prompt_ids = ids, .n_prompt_ids = 1024},
         0,
         FAIL_CONTEXT,
         "1024 tokens"},
        {"too long to score",
         {.kind = GEN_SCORE,
          .prompt_ids = ids,
          .n_prompt_ids = 1024,
          .continuation_ids = ids,
          .n_continuation_ids = 1},
         0,
         FAIL_CONTEXT,
         "1025 tokens"},
        {"nothing to score",
         {.kind = GEN_SCORE, .prompt_ids = ids, .n_prompt_ids = 3},
         0,
         FAIL_REQUEST,
         "continuation"},
        {"no tokens", {.kind = GEN_COMPLETE}, 4, FAIL_REQUEST, "no tokens"},
        {"an empty stop string",
         {.kind = GEN_COMPLETE,
          .prompt_ids = ids,
          .n_prompt_ids = 3,
          .sampling = {.stop = empty, .n_stop = 1}},
         4,
         FAIL_REQUEST,
         "empty"},
        {"not UTF-8", {.kind = GEN_COMPLETE, .prompt = {"\xff\xfe", 2}}, 4, FAIL_REQUEST, ""},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        struct gen_request r = rows[i].r;
        struct sampling s = sampling_default();

        s.stop = r.sampling.stop;
        s.n_stop = r.sampling.n_stop;
        s.max_tokens = rows[i].max_tokens;
        s.ignore_eos = true;
        r.sampling = s;
        ask(g, &r, &out);
        CHECK_INT(rows[i].name, out.fail_class, rows[i].want);
        CHECK(rows[i].name, strstr(out.words, rows[i].words) != NULL);
        if (rows[i].want == FAIL_NONE) {
            CHECK_INT(rows[i].name, out.n_ids, 24);
            CHECK_INT(rows[i].name, out.max_tokens, 24);
            CHECK_INT(rows[i].name, out.is_clamped, rows[i].max_tokens > 24);
        }
    }
    generator_close(g);
    arena_clear(&a);
}

TEST(open_refuses)
{
    static const struct {
        const char *name, *model, *quantization;
        int max_model_len, n_blocks;
        const char *words;
    } rows[] = {
        {"no folder", "nowhere", "", 0, 0, "is not a folder"},
        {"quantization", "qwen2-yarn-bf16", "awq", 0, 0, "--quantization awq"},
        {"no room for the context", "qwen2-yarn-bf16", "", 1024, 30, "--max_model_len 464"},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        struct err e = ERR_INIT;
        struct arena a;
        struct engine_opts o;

        arena_init(&a, 0);
        o = options(rows[i].model, &a);
        o.quantization = rows[i].quantization;
        o.max_model_len = rows[i].max_model_len;
        o.num_kv_blocks = rows[i].n_blocks;
        CHECK(rows[i].name, generator_local_open(&o, &e) == NULL);
        if (!strstr(e.msg, rows[i].words))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].name, e.msg, rows[i].words);
        arena_clear(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_models),
        cmocka_unit_test(alone_and_among_others),
        cmocka_unit_test(stop_strings),
        cmocka_unit_test(cancelled_requests_end_once),
        cmocka_unit_test(what_cannot_run_fails_with_its_class),
        cmocka_unit_test(open_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
