/* test_engine.c - what a sequence says follows from its prompt, parameters and seed alone: every
 * way to run the same requests gives the same tokens and the same bits of every logprob. The model
 * is invented (dummy weights from a config.json of its own), small, and nearly indifferent between
 * tokens, so that a single different bit would soon show.
 *
 * link-wrap: malloc calloc realloc */
#include "test.h"

#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "engine/engine.h"
#include "engine/noise.h"

enum { VOCAB = 451, N_REQUESTS = 64, MAX_OUT = 26, N_TOP = 3, MAX_PROMPT = 120, EOS = 3 };

static char model_dir[] = "/tmp/llmeval-engine-XXXXXX";

static const char config_json[] =
    "{\"architectures\":[\"Qwen2ForCausalLM\"],\"model_type\":\"qwen2\",\"hidden_size\":64,\"intermediate_size\":96,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"vocab_size\":451,"
    "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6,\"rope_theta\":10000.0,\"tie_word_embeddings\":false,"
    "\"torch_dtype\":\"bfloat16\",\"eos_token_id\":3,\"bos_token_id\":1,\"hidden_act\":\"silu\"}";

static int make_model(void **state UNUSED)
{
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, 0);
    if (!mkdtemp(model_dir) ||
        !file_replace(path_join(&a, model_dir, "config.json"), STR(config_json), &e))
        return -1;
    arena_clear(&a);
    return 0;
}

static int drop_model(void **state UNUSED)
{
    struct arena a;

    arena_init(&a, 0);
    unlink(path_join(&a, model_dir, "config.json"));
    rmdir(model_dir);
    arena_clear(&a);
    return 0;
}

/* --- allocations ------------------------------------------------------------------------------ */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t n);

static atomic_bool is_counting; /* the model's threads allocate too, or should not */
static atomic_int n_allocations;

void *__wrap_malloc(size_t n)
{
    n_allocations += is_counting;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations += is_counting;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *ptr, size_t n)
{
    n_allocations += is_counting;
    return __real_realloc(ptr, n);
}

/* --- requests --------------------------------------------------------------------------------- */

struct fixed_request {
    struct engine_request r;
    int32_t prompt[MAX_PROMPT];
};

static const int32_t named_ids[N_TOP] = {VOCAB - 1, 0, 17};

/* Grammars over a vocabulary where an id up to 255 is a byte and others are two letters. */
struct forms {
    struct token_trie *trie;
    struct grammar *grammars[2];
};

static void forms_open(struct forms *f)
{
    static const char *const sources[] = {"([a-j]{2,5} ?)+\\.", "(\\d[^a-m]{4}){1,9}x"};
    struct str pieces[VOCAB];
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, 0);
    for (int i = 0; i < VOCAB; i++)
        pieces[i] = i < 4     ? STR("")
                    : i < 256 ? str_fmt(&a, "%c", i)
                              : str_fmt(&a, "%c%c", 'a' + i % 13, 'a' + i / 13 % 26);
    f->trie = token_trie_open(pieces, VOCAB, &e);
    CHECK_OK("trie", f->trie != NULL, &e);
    arena_clear(&a);
    for (size_t i = 0; i < LEN(sources); i++) {
        f->grammars[i] = grammar_open(
            &(struct grammar_source){.kind = GRAMMAR_REGEX, .regex = STR(sources[i])}, f->trie, &e);
        CHECK_OK(sources[i], f->grammars[i] != NULL, &e);
    }
}

static void forms_close(struct forms *f)
{
    grammar_close(f->grammars[0]);
    grammar_close(f->grammars[1]);
    token_trie_close(f->trie);
}

/* All kinds side by side: families of prompts that begin alike, equal prompts, greedy and sampled,
 * penalties, prompt logprobs, logprobs of named ids, scores. */
static void make_requests(struct fixed_request *q)
{
    for (int i = 0; i < N_REQUESTS; i++) {
        int family = i % 5, n_prompt = 3 + (i * 7) % (MAX_PROMPT - 3);

        if (i % 4 == 0)
            n_prompt = 37; /* equal prompts within a family */
        for (int k = 0; k < n_prompt; k++)
            q[i].prompt[k] = (int32_t)(noise_words((uint64_t)family, (uint32_t)k, 0).v[0] % VOCAB);
        if (i % 3 == 1)
            q[i].prompt[n_prompt - 1] = i;
        q[i].r = (struct engine_request){.id = (uint64_t)i,
                                         .n_prompt = n_prompt,
                                         .max_tokens = 8 + i % (MAX_OUT - 8),
                                         .n_logprobs = i % 2 ? N_TOP : 0,
                                         .n_prompt_logprobs = i % 8 == 6 ? N_TOP : -1,
                                         .logprobs_start = n_prompt / 2,
                                         .ignore_eos = i % 6 != 0,
                                         .round = i / 8,
                                         .params = {.temperature = i % 5 == 0 ? 0 : 1,
                                                    .top_p = i % 2 ? 0.9f : 1,
                                                    .top_k = i % 3 ? 0 : 50,
                                                    .repetition_penalty = i % 7 == 0 ? 1.2f : 1,
                                                    .seed = 1000 + (uint64_t)i}};
        if (i % 9 == 5) {
            q[i].r.is_score = true;
            q[i].r.logprobs_start = MAX(1, n_prompt - 9);
            q[i].r.n_prompt_logprobs = N_TOP;
        }
        if (i % 7 == 3) {
            q[i].r.n_logprobs = 0;
            q[i].r.logprob_token_ids = named_ids;
            q[i].r.n_logprob_token_ids = N_TOP;
        }
        if (i % 10 ==
            9) { /* two of the tokens serve as markers; the prompt leaves the thoughts open */
            q[i].r.thinking = (struct thinking_limit){true, 5, 6, i % 4};
            q[i].prompt[n_prompt - 1] = 5;
        }
        q[i].r.prompt_ids = q[i].prompt;
    }
}

/* Everything that a request comes to. */
struct answer {
    int n_tokens, n_prompt_rows, stop_token_id;
    enum engine_finish finish;
    int32_t tokens[MAX_OUT];
    float logprobs[MAX_OUT], top[MAX_OUT * N_TOP], prompt_logprobs[MAX_PROMPT],
        prompt_top[MAX_PROMPT * N_TOP];
    int ranks[MAX_OUT];
    double score;
    bool is_greedy;
};

static void record(struct answer *a, const struct engine_seq *s)
{
    const struct seq *q = s->seq;

    memset(a, 0, sizeof(*a));
    a->finish = s->finish;
    a->stop_token_id = s->stop_token_id;
    a->n_tokens = q->n_tokens - q->n_prompt;
    memcpy(a->tokens, q->token_ids + q->n_prompt, (size_t)a->n_tokens * sizeof(int32_t));
    if (s->output.n > 0) {
        memcpy(a->logprobs, s->output.logprob, (size_t)s->output.n * sizeof(float));
        memcpy(a->ranks, s->output.rank, (size_t)s->output.n * sizeof(int));
        memcpy(a->top, s->output.top_logprobs,
               (size_t)(s->output.n * s->output.n_top) * sizeof(float));
    }
    a->n_prompt_rows = s->prompt.n;
    if (s->prompt.n > 0) {
        memcpy(a->prompt_logprobs, s->prompt.logprob, (size_t)s->prompt.n * sizeof(float));
        memcpy(a->prompt_top, s->prompt.top_logprobs,
               (size_t)(s->prompt.n * s->prompt.n_top) * sizeof(float));
    }
    a->score = s->score;
    a->is_greedy = s->is_greedy;
}

/* --- runs ------------------------------------------------------------------------------------- */

struct run {
    const char *name;
    int max_num_seqs, max_num_batched_tokens, max_chunk, n_blocks, n_threads, tp;
    enum { PLAIN = 0, NO_CACHE = 1, PREEMPTS = 2, ONE_BY_ONE = 4 } how;
};

static void step_until_idle(const struct run *run, struct engine *g, struct answer *out,
                            int *n_done)
{
    struct err e = ERR_INIT;
    struct engine_stats st;

    for (uint32_t step = 0; !engine_is_idle(g); step++) {
        struct engine_seq **outputs;
        int n;

        CHECK_OK(run->name, engine_step(g, &outputs, &n, &e), &e);
        for (int i = 0; i < n; i++) {
            if (outputs[i]->finish == ENGINE_RUNNING)
                continue;
            record(&out[outputs[i]->seq->id], outputs[i]);
            engine_release(g, outputs[i]);
            ++*n_done;
        }
        engine_stats(g, &st);
        if ((run->how & PREEMPTS) && noise_words(5, step, 0).v[0] % 3 == 0 &&
            st.sched.n_running > 1)
            engine_preempt_any(g, noise_words(5, step, 0).v[1]);
        CHECK_OK(run->name, engine_check(g, &e), &e);
    }
}

static void run_all(const struct run *run, const struct fixed_request *q, struct answer *out,
                    struct engine_stats *st)
{
    struct err e = ERR_INIT;
    struct model_opts o = model_opts_default();
    struct engine_limits l = {.max_num_seqs = run->max_num_seqs,
                              .max_num_batched_tokens = run->max_num_batched_tokens,
                              .max_logits = 16,
                              .memory_utilization = 0.5,
                              .n_blocks = run->n_blocks ? run->n_blocks : 2000,
                              .has_prefix_cache = !(run->how & NO_CACHE),
                              .n_threads = run->n_threads,
                              .max_chunk = run->max_chunk};
    struct model *m;
    struct engine *g;
    int n_done = 0;

    o.load_format = "dummy";
    o.max_num_seqs = l.max_num_seqs;
    o.max_num_batched_tokens = l.max_num_batched_tokens;
    o.max_logits = l.max_logits;
    o.n_threads = run->n_threads;
    o.tensor_parallel_size = run->tp;
    m = model_open(model_dir, &o, &e);
    CHECK_OK(run->name, m != NULL, &e);
    g = engine_open(m, &l, &e);
    CHECK_OK(run->name, g != NULL, &e);
    for (int i = 0; i < N_REQUESTS; i++) {
        CHECK_OK(run->name, engine_add(g, &q[i].r, &e) != NULL, &e);
        if ((run->how & ONE_BY_ONE))
            step_until_idle(run, g, out, &n_done);
    }
    step_until_idle(run, g, out, &n_done);
    CHECK_INT(run->name, n_done, N_REQUESTS);
    engine_stats(g, st);
    CHECK_INT("all blocks came back", st->n_blocks_used, 0);
    engine_close(g);
    model_close(m);
}

static const struct run runs[] = {
    {"alone, one by one", 1, 512, 0, 0, 1, 1, NO_CACHE | ONE_BY_ONE},
    {"64 side by side", 64, 256, 0, 0, 1, 1, PLAIN},
    {"two threads", 64, 256, 0, 0, 2, 1, PLAIN},
    {"without prefix cache", 64, 256, 0, 0, 2, 1, NO_CACHE},
    {"chunks of 1", 16, 64, 1, 0, 2, 1, PLAIN},
    {"chunks of 7", 64, 100, 7, 0, 2, 1, PLAIN},
    {"chunks of 16", 64, 256, 16, 0, 2, 1, PLAIN},
    {"chunks of 256", 64, 2048, 256, 0, 2, 1, PLAIN},
    {"a step of 3 tokens", 8, 3, 0, 0, 1, 1, PLAIN},
    {"preempted at random", 32, 128, 0, 0, 2, 1, PREEMPTS},
    {"preempted, without prefix cache", 32, 128, 9, 0, 1, 1, PREEMPTS | NO_CACHE},
    {"few blocks", 64, 256, 0, 34, 2, 1, PLAIN},
    {"two ranks", 64, 256, 0, 0, 1, 2, PLAIN},
    {"four ranks", 64, 128, 0, 0, 1, 4, PLAIN},
};

TEST(every_way_gives_the_same_bits)
{
    static struct fixed_request q[N_REQUESTS];
    static struct answer want[N_REQUESTS], got[N_REQUESTS];
    struct engine_stats st;
    struct forms forms;
    struct grammar_stats form_stats;
    uint64_t n_forks = 0;

    make_requests(q);
    forms_open(&forms);
    for (int i = 0; i < N_REQUESTS; i++)
        q[i].r.grammar =
            q[i].r.is_score || q[i].r.thinking.is_set || i % 3 == 2 ? NULL : forms.grammars[i % 3];
    grammar_limit(forms.grammars[1], 1 << 12); /* its states are dropped and found again */
    run_all(&runs[0], q, want, &st);
    for (int i = 0; i < N_REQUESTS; i++) {
        CHECK("it says something",
              q[i].r.is_score ? want[i].finish == ENGINE_SCORED : want[i].n_tokens > 0);
        CHECK("prompt rows",
              !q[i].r.is_score || want[i].n_prompt_rows == q[i].r.n_prompt - q[i].r.logprobs_start);
    }
    for (size_t r = 1; r < LEN(runs); r++) {
        run_all(&runs[r], q, got, &st);
        for (int i = 0; i < N_REQUESTS; i++)
            if (memcmp(&want[i], &got[i], sizeof(want[i])) != 0)
                fail_msg("%s: request %d differs (%d tokens, %d)", runs[r].name, i,
                         want[i].n_tokens, got[i].n_tokens);
        CHECK(runs[r].name, !(runs[r].how & PREEMPTS) || st.sched.n_preemptions > 5);
        CHECK(runs[r].name, runs[r].n_blocks == 0 || st.sched.n_preemptions > 0);
        CHECK(runs[r].name, (runs[r].how & NO_CACHE) || st.sched.n_prefix_hits > 0);
        n_forks += st.sched.n_forks;
    }
    CHECK("equal prompts were forked", n_forks > 0);
    for (int i = 0; i < N_REQUESTS; i++) {
        struct buf text = {0};

        for (int k = 0; k < want[i].n_tokens; k++)
            if (want[i].tokens[k] != EOS)
                buf_add_str(&text, forms.trie->pieces[want[i].tokens[k]]);
        CHECK("it has its form",
              !q[i].r.grammar || (want[i].finish == ENGINE_EOS ? grammar_accepts : grammar_begins)(
                                     q[i].r.grammar, buf_str(&text)));
        buf_clear(&text);
    }
    grammar_stats(forms.grammars[1], &form_stats);
    CHECK("states were dropped", form_stats.n_resets > 0);
    forms_close(&forms);
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct model *open_model(struct err *e)
{
    struct model_opts o = model_opts_default();

    o.load_format = "dummy";
    o.n_threads = 1;
    o.max_num_seqs = 8;
    o.max_num_batched_tokens = 64;
    o.max_logits = 8;
    return model_open(model_dir, &o, e);
}

static const struct engine_limits small = {.max_num_seqs = 8,
                                           .max_num_batched_tokens = 64,
                                           .max_logits = 8,
                                           .memory_utilization = 0.5,
                                           .n_blocks = 200,
                                           .has_prefix_cache = true,
                                           .n_threads = 1};

static void run_one(struct engine *g, const struct engine_request *r, struct answer *out)
{
    struct err e = ERR_INIT;
    struct engine_seq *s = engine_add(g, r, &e);

    CHECK_OK("add", s != NULL, &e);
    while (s->finish == ENGINE_RUNNING) {
        struct engine_seq **outputs;
        int n;

        CHECK_OK("step", engine_step(g, &outputs, &n, &e), &e);
    }
    record(out, s);
    engine_release(g, s);
}

TEST(stops)
{
    static const int32_t prompt[] = {5, 6, 7}, only_eos[] = {EOS}, only_9[] = {9}, stop_9[] = {9};
    static const struct {
        const char *name;
        struct engine_request r;
        enum engine_finish want;
        int n_tokens, stop_token_id;
    } rows[] = {
        {"end of sequence",
         {.max_tokens = 5, .params = {.allowed_ids = only_eos, .n_allowed_ids = 1}},
         ENGINE_EOS,
         1,
         EOS},
        {"ignored",
         {.max_tokens = 5,
          .ignore_eos = true,
          .params = {.allowed_ids = only_eos, .n_allowed_ids = 1}},
         ENGINE_LENGTH,
         5,
         -1},
        {"a stop token",
         {.max_tokens = 5,
          .stop_token_ids = stop_9,
          .n_stop_token_ids = 1,
          .params = {.allowed_ids = only_9, .n_allowed_ids = 1}},
         ENGINE_STOP_TOKEN,
         1,
         9},
        {"a stop at the limit is a stop",
         {.max_tokens = 1,
          .stop_token_ids = stop_9,
          .n_stop_token_ids = 1,
          .params = {.allowed_ids = only_9, .n_allowed_ids = 1}},
         ENGINE_STOP_TOKEN,
         1,
         9},
        {"an end of sequence at the limit is one",
         {.max_tokens = 1, .params = {.allowed_ids = only_eos, .n_allowed_ids = 1}},
         ENGINE_EOS,
         1,
         EOS},
        {"the limit",
         {.max_tokens = 4, .params = {.allowed_ids = only_9, .n_allowed_ids = 1}},
         ENGINE_LENGTH,
         4,
         -1},
        {"nothing can be said",
         {.max_tokens = 4,
          .params = {.allowed_ids = only_eos, .n_allowed_ids = 1, .min_tokens = 2}},
         ENGINE_NO_TOKEN,
         0,
         -1},
        {"min_tokens",
         {.max_tokens = 4,
          .ignore_eos = true,
          .params = {.allowed_ids = only_9, .n_allowed_ids = 1, .min_tokens = 2}},
         ENGINE_LENGTH,
         4,
         -1},
    };
    struct err e = ERR_INIT;
    struct model *m = open_model(&e);
    struct engine *g = m ? engine_open(m, &small, &e) : NULL;

    CHECK_OK("open", g != NULL, &e);
    for (size_t i = 0; i < LEN(rows); i++) {
        struct engine_request r = rows[i].r;
        struct answer a;

        r.prompt_ids = prompt, r.n_prompt = 3;
        r.n_logprobs = r.n_prompt_logprobs = -1;
        r.params.top_p = r.params.repetition_penalty = 1;
        run_one(g, &r, &a);
        CHECK_INT(rows[i].name, a.finish, rows[i].want);
        CHECK_INT(rows[i].name, a.n_tokens, rows[i].n_tokens);
        CHECK_INT(rows[i].name, a.stop_token_id, rows[i].stop_token_id);
    }
    engine_close(g);
    model_close(m);
}

/* The logprob of a token is one number, however it is asked for. */
TEST(scores_agree)
{
    static const int32_t prompt[] = {5,  6,  7,  8,  9,  10, 11, 12, 13,
                                     14, 15, 16, 17, 18, 19, 20, 21, 22};
    struct err e = ERR_INIT;
    struct model *m = open_model(&e);
    struct engine *g = m ? engine_open(m, &small, &e) : NULL;
    struct engine_request r = {
        .prompt_ids = prompt,
        .n_prompt = LEN(prompt),
        .max_tokens = 12,
        .n_logprobs = 0,
        .n_prompt_logprobs = -1,
        .ignore_eos = true,
        .params = {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .seed = 4}};
    struct answer drawn, score, echo;
    int32_t all[LEN(prompt) + 12];

    CHECK_OK("open", g != NULL, &e);
    run_one(g, &r, &drawn);
    CHECK_INT("drawn", drawn.n_tokens, 12);
    memcpy(all, prompt, sizeof(prompt));
    memcpy(all + LEN(prompt), drawn.tokens, 12 * sizeof(int32_t));
    r = (struct engine_request){.prompt_ids = all,
                                .n_prompt = LEN(all),
                                .is_score = true,
                                .n_logprobs = -1,
                                .logprobs_start = LEN(prompt)};
    run_one(g, &r, &score);
    r = (struct engine_request){.prompt_ids = all,
                                .n_prompt = LEN(all),
                                .max_tokens = 1,
                                .n_logprobs = -1,
                                .n_prompt_logprobs = 0,
                                .params = {.top_p = 1, .repetition_penalty = 1}};
    run_one(g, &r, &echo);
    CHECK_INT("score", score.n_prompt_rows, 12);
    CHECK_INT("echo", echo.n_prompt_rows, LEN(all) - 1);
    CHECK("drawn and scored",
          memcmp(drawn.logprobs, score.prompt_logprobs, 12 * sizeof(float)) == 0);
    CHECK("drawn and echoed",
          memcmp(drawn.logprobs, echo.prompt_logprobs + LEN(prompt) - 1, 12 * sizeof(float)) == 0);
    engine_close(g);
    model_close(m);
}

TEST(steps_allocate_nothing)
{
    static struct fixed_request q[N_REQUESTS];
    struct err e = ERR_INIT;
    struct model *m = open_model(&e);
    struct engine *g = m ? engine_open(m, &small, &e) : NULL;
    int n_steps = 0;

    CHECK_OK("open", g != NULL, &e);
    make_requests(q);
    for (int i = 0; i < N_REQUESTS; i++)
        CHECK_OK("add", engine_add(g, &q[i].r, &e) != NULL, &e);
    while (!engine_is_idle(g)) {
        struct engine_seq **outputs;
        bool ok;
        int n;

        is_counting = true;
        ok = engine_step(g, &outputs, &n, &e);
        is_counting = false;
        CHECK_OK("step", ok, &e);
        if (n_steps++ == 20)
            engine_preempt_any(g, 3);
        for (int i = 0; i < n; i++)
            if (outputs[i]->finish != ENGINE_RUNNING)
                engine_release(g, outputs[i]);
    }
    CHECK("some steps", n_steps > 50);
    CHECK_INT("allocations", n_allocations, 0);
    engine_close(g);
    model_close(m);
}

TEST(what_cannot_fit_is_refused)
{
    struct err e = ERR_INIT;
    struct model *m = open_model(&e);
    struct engine_limits l = small;
    struct engine *g;
    int32_t prompt[600] = {0};
    struct engine_request r = {.prompt_ids = prompt,
                               .params = {.top_p = 1, .repetition_penalty = 1}};
    const struct {
        const char *name;
        int n_prompt, token;
        bool is_score;
        const char *words;
    } rows[] = {
        {"empty", 0, 0, false, "no tokens"},
        {"no room", 512, 0, false, "512 tokens; max_model_len is 512"},
        {"a score may fill the context", 513, 0, true, "513 tokens"},
        {"no such token", 4, VOCAB, false, "token id 451 at position 3"},
        {"negative", 4, -1, false, "token id -1"},
    };

    CHECK_OK("open", m != NULL, &e);
    l.n_blocks = 20;
    CHECK("too small a cache", engine_open(m, &l, &e) == NULL);
    CHECK("says what helps", e.code == ERR_MEMORY && strstr(e.msg, "--max_model_len 304") &&
                                 strstr(e.msg, "--gpu_memory_utilization"));
    err_clear(&e);
    g = engine_open(m, &small, &e);
    CHECK_OK("open", g != NULL, &e);
    for (size_t i = 0; i < LEN(rows); i++) {
        r.n_prompt = rows[i].n_prompt;
        r.is_score = rows[i].is_score;
        r.logprobs_start = 1;
        prompt[3] = rows[i].token;
        err_clear(&e);
        CHECK(rows[i].name, engine_add(g, &r, &e) == NULL && e.code == ERR_INPUT);
        CHECK(rows[i].name, strstr(e.msg, rows[i].words) != NULL);
    }
    engine_close(g);
    model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops),
        cmocka_unit_test(scores_agree),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(what_cannot_fit_is_refused),
        cmocka_unit_test(every_way_gives_the_same_bits),
    };

    return RUN_GROUP(tests, make_model, drop_model);
}
