/* test_constraint.c - answers of models with random weights, held to a form: they must have it,
 * whatever the seed, and must not depend on what else is computed. */
#include "test.h"

#include <math.h>

#include "base/arena.h"
#include "formats/json.h"
#include "formats/json_scan.h"
#include "formats/regex.h"
#include "generator/generator_local.h"

enum { MAX_TEXT = 4096, MAX_IDS = 512, N_SEEDS = 12, N_OTHERS = 64, MAX_BIASES = 16 };

struct reply {
    bool has_ended;
    enum gen_event_kind last;
    enum finish_reason finish;
    char text[MAX_TEXT], words[512];
    size_t len, n_streamed;
    int32_t ids[MAX_IDS];
    float logprobs[MAX_IDS];
    int n_ids;
};

static struct generator *open_model(const char *model, int n_blocks)
{
    struct engine_opts defaults = {0}, o;
    struct generator *g;
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, 0);
    opts_defaults(&(struct opt_group){"", engine_table, &defaults}, 1);
    o = defaults;
    o.model_name_or_path = str_fmt(&a, TEST_DATA "/models/%s", model).ptr;
    o.dtype = "float32";
    o.num_kv_blocks = n_blocks;
    o.max_model_len = 512;
    o.n_threads = 2;
    g = generator_local_open(&o, &e);
    CHECK_OK(model, g != NULL, &e);
    opts_clear(&(struct opt_group){"", engine_table, &defaults}, 1, NULL);
    arena_clear(&a);
    return g;
}

static void take(struct reply *r, const struct gen_event *ev)
{
    CHECK("nothing follows the end", !r->has_ended);
    if (ev->kind == GEN_DELTA) {
        r->n_streamed += ev->text.len;
        return;
    }
    r->has_ended = true;
    r->last = ev->kind;
    if (ev->err)
        snprintf(r->words, sizeof(r->words), "%s", ev->err->msg);
    if (ev->kind != GEN_DONE)
        return;
    r->finish = ev->finish_reason;
    r->len = ev->text.len;
    memcpy(r->text, ev->text.ptr, ev->text.len);
    r->text[r->len] = '\0';
    r->n_ids = ev->n_token_ids;
    memcpy(r->ids, ev->token_ids, (size_t)ev->n_token_ids * sizeof(int32_t));
    for (int i = 0; i < ev->n_logprobs; i++)
        r->logprobs[i] = ev->logprobs[i].chosen.logprob;
}

static void collect(struct generator *g, struct reply *replies, int n)
{
    struct err e = ERR_INIT;

    for (int n_ended = 0; n_ended < n;) {
        struct gen_event ev[8];
        int n_ev;

        CHECK_OK("poll", generator_poll(g, 1000, ev, LEN(ev), &n_ev, &e), &e);
        for (int i = 0; i < n_ev; i++) {
            take(&replies[ev[i].id], &ev[i]);
            n_ended += ev[i].kind != GEN_DELTA;
        }
    }
}

/* What closes something is made likelier, so that random models come to an end. */
static int closing_bias(const struct generator *g, int32_t *ids, float *bias)
{
    static const char *const texts[] = {"\"", "}", "]", ",", "\":", "</think>"};
    struct err e = ERR_INIT;
    struct arena a;
    int n = 0;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(texts); i++) {
        int32_t *found;
        int n_found;

        CHECK_OK("encode", g->text->encode(g, STR(texts[i]), false, &a, &found, &n_found, &e), &e);
        if (n_found == 1) {
            ids[n] = found[0];
            bias[n++] = 6;
        }
    }
    arena_clear(&a);
    return n;
}

static const struct form {
    const char *name;
    enum constraint_kind kind;
    enum constraint_lead lead;
    const char *source; /* a regex, or JSON */
    const char *check;  /* of a schema: a regex for its instances */
} forms[] = {
    {"choice", CONSTRAINT_CHOICE, CONSTRAINT_AT_ONCE,
     "[\"yes\",\"no\",\"not sure\",\"\xe4\xb8\xad\"]", NULL},
    {"a regex", CONSTRAINT_REGEX, CONSTRAINT_AT_ONCE, "(\\d{3}-){2}\\d{4}( ext\\. [1-9]\\d*)?",
     NULL},
    {"characters", CONSTRAINT_REGEX, CONSTRAINT_AT_ONCE, "[^\\x00-\\x7F]{5,20}", NULL},
    {"JSON", CONSTRAINT_JSON_OBJECT, CONSTRAINT_AT_ONCE, NULL, NULL},
    {"a schema", CONSTRAINT_JSON_SCHEMA, CONSTRAINT_AT_ONCE,
     "{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"integer\",\"minimum\":-5,\"maximum\":999},\"unit\":{\"enum\":"
     "[\"m\",\"s\"]},\"note\":{\"type\":\"string\",\"maxLength\":8}},\"required\":[\"answer\",\"unit\"]}",
     "\\{\\s*\"answer\": ?(-[1-5]|\\d|[1-9]\\d{1,2}),\\s*\"unit\": ?\"[ms]\"(,\\s*\"note\": ?\"[^\"]*(\\\\\".*)?\")?\\s*\\}"},
    {"a tree", CONSTRAINT_JSON_SCHEMA, CONSTRAINT_THINKS,
     "{\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/t\"},\"maxItems\":2}},\"$ref\":\"#/$defs/t\"}",
     "[\\[\\],\\s]+"},
    {"a choice after thoughts", CONSTRAINT_CHOICE, CONSTRAINT_THINKS, "[\"A\",\"B\"]", NULL},
    {"a regex after thoughts, if any", CONSTRAINT_REGEX, CONSTRAINT_MAY_THINK, "x[ab]+", NULL},
};

static void check_choice(const char *name, struct str answer, struct str source)
{
    struct err e = ERR_INIT;
    struct json *list = json_parse(source, &e);
    bool found = false;

    for (size_t i = 0; i < json_len(list); i++)
        found |= str_eq(json_str(json_at(list, i)), answer);
    json_close(list);
    CHECK(name, found);
}

static void check_regex(const char *name, struct str answer, const char *source)
{
    struct err e = ERR_INIT;
    struct buf whole = {0};
    struct regex *r;
    struct regex_scratch *scratch = regex_scratch_open();
    size_t start, end;

    buf_addf(&whole, "\\A(?:%s)\\z", source);
    r = regex_open(buf_str(&whole), &e);
    CHECK_OK(name, r != NULL, &e);
    CHECK_INT(name, regex_find(r, scratch, answer, 0, &start, &end, &e), REGEX_MATCH);
    regex_close(r);
    regex_scratch_close(scratch);
    buf_clear(&whole);
}

static void check_form(const struct form *f, const struct reply *r)
{
    struct str answer = {r->text, r->len};
    const char *fault = "", *name = f->name;
    size_t at = 0;

    if (f->lead != CONSTRAINT_AT_ONCE) {
        ptrdiff_t tag = str_find(answer, STR("</think>"), 0);
        bool thinks = f->lead == CONSTRAINT_THINKS || str_starts(str_trim(answer), "<think>");

        if (thinks && tag < 0)
            return; /* thoughts may end the reply */
        if (thinks)
            answer = str_slice(answer, (size_t)tag + strlen("</think>"), answer.len);
    }
    if (f->kind == CONSTRAINT_CHOICE)
        check_choice(name, answer, STR(f->source));
    else if (f->kind == CONSTRAINT_REGEX)
        check_regex(name, answer, f->source);
    else if (!json_scan_valid(answer, &at, &fault) || (!f->source && !str_starts(answer, "{")))
        fail_msg("%s: at %zu of %s: %s", name, at, r->text, fault);
    if (f->check)
        check_regex(name, answer, f->check);
}

/* A request for the form; what it points to lives in a. */
static struct gen_request request_of(const struct generator *g, const struct form *f,
                                     struct arena *a)
{
    struct err e = ERR_INIT;
    int32_t *ids = arena_array(a, MAX_BIASES, sizeof(*ids));
    float *bias = arena_array(a, MAX_BIASES, sizeof(*bias));
    struct gen_request r = {.kind = GEN_COMPLETE,
                            .prompt = STR("Say something about the weather:"),
                            .sampling = sampling_default(),
                            .constraint = {.kind = f->kind, .lead = f->lead, .field = "test"}};

    r.sampling.max_tokens = 120;
    r.sampling.has_seed = true;
    r.sampling.n_logprobs = 0;
    r.sampling.keep_special_tokens = true;
    r.sampling.bias_ids = ids;
    r.sampling.bias = bias;
    r.sampling.n_bias = closing_bias(g, ids, bias);
    if (f->kind == CONSTRAINT_REGEX) {
        r.constraint.regex = STR(f->source);
    } else if (f->source) {
        struct json *parsed = json_parse(STR(f->source), &e);

        CHECK_OK(f->name, parsed != NULL, &e);
        arena_on_clear(a, (void (*)(void *))json_close, parsed);
        r.constraint.json = parsed;
    }
    return r;
}

static void same(const char *name, const struct reply *a, const struct reply *b)
{
    CHECK_STR(name, ((struct str){b->text, b->len}), ((struct str){a->text, a->len}));
    CHECK_INT(name, b->n_ids, a->n_ids);
    CHECK(name, memcmp(a->ids, b->ids, (size_t)a->n_ids * sizeof(int32_t)) == 0);
    CHECK(name, memcmp(a->logprobs, b->logprobs, (size_t)a->n_ids * sizeof(float)) == 0);
}

/* Each form and seed alone; then all together with others that are free, streamed, with few blocks.
 */
static void try_model(const char *model)
{
    enum { N = (int)LEN(forms) * N_SEEDS };
    struct generator *g = open_model(model, 400);
    struct reply *alone = calloc(N, sizeof(*alone)), *all = calloc(N + N_OTHERS, sizeof(*all));
    struct gen_request r[LEN(forms)], other;
    struct err e = ERR_INIT;
    struct arena a;
    int n_stopped = 0;

    arena_init(&a, 0);
    for (size_t f = 0; f < LEN(forms); f++)
        r[f] = request_of(g, &forms[f], &a);
    for (int i = 0; i < N; i++) {
        struct gen_request *one = &r[i / N_SEEDS];

        one->id = 0;
        one->sampling.seed = (uint64_t)i;
        CHECK_OK("submit", generator_submit(g, one, &e), &e);
        collect(g, &alone[i], 1);
        if (alone[i].last != GEN_DONE)
            fail_msg("%s: %s", forms[i / N_SEEDS].name, alone[i].words);
        n_stopped += alone[i].finish == FINISH_STOP;
        if (alone[i].finish == FINISH_STOP)
            check_form(&forms[i / N_SEEDS], &alone[i]);
    }
    generator_close(g);
    CHECK("most come to an end", n_stopped > N * 2 / 3);

    g = open_model(model, 60);
    other = r[0];
    other.constraint = (struct constraint){0};
    other.sampling.n_bias = 0;
    for (int i = 0; i < N + N_OTHERS; i++) {
        struct gen_request *one = i < N ? &r[i / N_SEEDS] : &other;

        one->id = (uint64_t)i;
        one->stream = true;
        one->sampling.seed = (uint64_t)i;
        CHECK_OK("submit", generator_submit(g, one, &e), &e);
    }
    collect(g, all, N + N_OTHERS);
    for (int i = 0; i < N; i++) {
        CHECK_INT(forms[i / N_SEEDS].name, all[i].last, GEN_DONE);
        same(forms[i / N_SEEDS].name, &alone[i], &all[i]);
        CHECK_INT("streamed", all[i].n_streamed, all[i].len);
    }
    generator_close(g);
    arena_clear(&a);
    free(alone);
    free(all);
}

TEST(forms_of_qwen3)
{
    try_model("qwen3-tied-bf16");
}

TEST(forms_of_llama3)
{
    try_model("llama3-tied-f16");
}

/* Greedy draws, stop strings and the limits of a request beside a constraint. */
TEST(beside_other_fields)
{
    static const struct form digits = {"digits", CONSTRAINT_REGEX, CONSTRAINT_AT_ONCE,
                                       "\\d{30}\\.?", NULL};
    static const struct str stop[] = {STR_LIT("7")};
    static const int32_t end_id[] = {998};
    struct generator *g = open_model("qwen3-tied-bf16", 400);
    struct err e = ERR_INIT;
    struct reply replies[5] = {{0}};
    struct gen_request r;
    struct arena a;

    arena_init(&a, 0);
    r = request_of(g, &digits, &a);
    r.sampling.n_bias = 0;
    for (int i = 0; i < 5; i++) {
        struct gen_request one = r;

        one.id = (uint64_t)i;
        one.sampling.temperature = i == 0 ? 0 : 1;
        one.sampling.stop = stop;
        one.sampling.n_stop = i == 1;
        one.sampling.ignore_eos = i == 2;
        one.sampling.max_tokens = i == 2 ? 60 : 40;
        one.sampling.min_tokens = i == 3 ? 35 : 0;
        one.sampling.allowed_token_ids = end_id;
        one.sampling.n_allowed_token_ids = i == 4;
        CHECK_OK("submit", generator_submit(g, &one, &e), &e);
    }
    collect(g, replies, 5);
    CHECK_INT("greedy", replies[0].finish, FINISH_STOP);
    check_regex("greedy", (struct str){replies[0].text, replies[0].len}, digits.source);
    CHECK_INT("a stop string", replies[1].finish, FINISH_STOP);
    check_regex("a stop string", (struct str){replies[1].text, replies[1].len},
                "[0-689]{0,30}\\.?");
    CHECK_INT("ignore_eos goes on with the end", replies[2].finish, FINISH_LENGTH);
    CHECK_INT("ignore_eos goes on with the end", replies[2].ids[59], 998);
    CHECK("more tokens than the form has",
          replies[3].last == GEN_FAILED && strstr(replies[3].words, "min_tokens"));
    CHECK("no token in common",
          replies[4].last == GEN_FAILED && strstr(replies[4].words, "forbid all together"));
    generator_close(g);
    arena_clear(&a);
}

TEST(refused)
{
    static const struct form broken = {"broken", CONSTRAINT_REGEX, CONSTRAINT_AT_ONCE, "a(?=b)",
                                       NULL};
    struct generator *g = open_model("qwen3-tied-bf16", 400);
    struct err e = ERR_INIT;
    struct reply reply = {0};
    struct gen_request r;
    struct arena a;

    arena_init(&a, 0);
    r = request_of(g, &broken, &a);
    CHECK_OK("submit", generator_submit(g, &r, &e), &e);
    collect(g, &reply, 1);
    CHECK_INT("failed", reply.last, GEN_FAILED);
    CHECK(reply.words,
          strstr(reply.words, "test: ") && strstr(reply.words, "`(?=` is not supported"));
    generator_close(g);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_qwen3),
        cmocka_unit_test(forms_of_llama3),
        cmocka_unit_test(beside_other_fields),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
