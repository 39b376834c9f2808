/* timeout: 3000 - every text model of tests/data/models against logits that were computed apart, in
 * float32: see tests/data/models/README.md for their origin. */
#include <math.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/file.h"
#include "formats/json.h"
#include "model/config.h"
#include "model/rope.h"
#include "run_model.h"

static const char *const names[] = {
    "qwen2-tied-bf16",       "qwen2-untied-f32-sharded",   "qwen2-yarn-bf16", "qwen3-tied-bf16",
    "qwen3-untied-yarn-f32", "llama3-untied-bf16-sharded", "llama3-tied-f16",
};

struct golden {
    struct arena arena;
    const char *dir;
    struct json *json;
    struct model *model;
    int vocab;
};

static void open_golden(struct golden *g, const char *name, const char *dtype, const char *isa)
{
    struct err e = ERR_INIT;
    struct model_opts o = model_opts_default();

    arena_init(&g->arena, 0);
    g->dir = str_fmt(&g->arena, TEST_DATA "/models/%s", name).ptr;
    g->json = json_parse_file(path_join(&g->arena, g->dir, "golden/golden.json"), 64 << 20, &e);
    CHECK_OK(name, g->json, &e);
    o.dtype = dtype;
    o.cpu_isa = isa;
    o.n_threads = 2;
    g->model = model_open(g->dir, &o, &e);
    CHECK_OK(name, g->model, &e);
    CHECK_OK(name, model_alloc_blocks(g->model, RUN_BLOCKS + 1, &e), &e);
    g->vocab = model_config(g->model)->vocab_size;
}

static void close_golden(struct golden *g)
{
    model_close(g->model);
    json_close(g->json);
    arena_clear(&g->arena);
}

static int32_t *ids_of(struct golden *g, const struct json *v, int *n)
{
    int32_t *ids = arena_array(&g->arena, json_len(v) + 1, sizeof(*ids));

    *n = (int)json_len(v);
    for (int i = 0; i < *n; i++)
        ids[i] = (int32_t)json_int(json_at((struct json *)v, (size_t)i), -1);
    return ids;
}

static double log_sum_exp(const float *logits, int n)
{
    double max = -INFINITY, sum = 0;

    for (int i = 0; i < n; i++)
        max = fmax(max, logits[i]);
    for (int i = 0; i < n; i++)
        sum += exp(logits[i] - max);
    return max + log(sum);
}

static int argmax(const float *x, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* All logits of a token list, from a fresh cache. */
static float *all_logits(struct golden *g, const int32_t *ids, int n)
{
    struct err e = ERR_INIT;
    float *out = arena_array(&g->arena, (size_t)n * (size_t)g->vocab, sizeof(*out));
    struct run r = {.model = g->model, .first_block = 1, .chunk = 256};

    CHECK_OK(g->dir, run_tokens(&r, ids, n, out, &e), &e);
    return out;
}

/* The largest difference of the cases' logits; within limit_short up to 300 tokens, else
 * limit_long. */
static double check_cases(struct golden *g, double limit_short, double limit_long)
{
    const struct json *cases = json_get(g->json, "cases");
    double worst = 0;

    CHECK(g->dir, json_len(cases) > 0);
    for (size_t i = 0; i < json_len(cases); i++) {
        const struct json *c = json_at((struct json *)cases, i),
                          *positions = json_get(c, "positions");
        const char *name = json_str(json_get(c, "name")).ptr;
        struct err e = ERR_INIT;
        struct buf want = {0};
        int n;
        int32_t *ids = ids_of(g, json_get(c, "input_ids"), &n);
        float *got = all_logits(g, ids, n), x;
        double diff = 0, sum = 0;

        CHECK_OK(name,
                 file_read(str_fmt(&g->arena, "%s/golden/%s", g->dir,
                                   json_str(json_get(c, "logits_file")).ptr)
                               .ptr,
                           64 << 20, &want, &e),
                 &e);
        CHECK_INT(name, want.len, json_len(positions) * (size_t)g->vocab * sizeof(float));
        for (size_t p = 0; p < json_len(positions); p++) {
            size_t at = (size_t)json_int(json_at((struct json *)positions, p), -1);

            for (int v = 0; v < g->vocab; v++) {
                memcpy(&x, want.ptr + (p * (size_t)g->vocab + (size_t)v) * sizeof(x), sizeof(x));
                diff = fmax(diff, fabs((double)x - got[at * (size_t)g->vocab + (size_t)v]));
            }
        }
        for (int t = 1; t < n; t++)
            sum += got[(size_t)(t - 1) * (size_t)g->vocab + (size_t)ids[t]] -
                   log_sum_exp(got + (size_t)(t - 1) * (size_t)g->vocab, g->vocab);
        if (diff > (n <= 300 ? limit_short : limit_long))
            fail_msg("%s: %s: logits differ by %g", g->dir, name, diff);
        if (n > 1 && fabs(sum - json_num(json_get(c, "sum_logprob_of_inputs"), NAN)) >
                         2 * limit_short * n + 1e-3)
            fail_msg("%s: %s: sum of logprobs %g", g->dir, name, sum);
        worst = fmax(worst, diff);
        buf_clear(&want);
    }
    return worst;
}

/* 64 tokens of argmax, each from one decode step; stops comparing where the reference's margin is
 * small. */
static void check_greedy(struct golden *g, double limit)
{
    const struct json *all = json_get(g->json, "greedy");

    CHECK(g->dir, json_len(all) > 0);
    for (size_t i = 0; i < json_len(all); i++) {
        const struct json *c = json_at((struct json *)all, i), *tokens = json_get(c, "tokens");
        struct run r = {.model = g->model, .first_block = 1, .chunk = 256};
        struct err e = ERR_INIT;
        int n;
        int32_t *ids = ids_of(g, json_get(c, "prompt_ids"), &n);
        float *out = arena_array(&g->arena, (size_t)n * (size_t)g->vocab, sizeof(*out)), *last;

        CHECK_OK(g->dir, run_tokens(&r, ids, n, out, &e), &e);
        last = out + (size_t)(n - 1) * (size_t)g->vocab;
        for (size_t t = 0; t < json_len(tokens); t++) {
            int32_t best = argmax(last, g->vocab);
            double logprob = last[best] - log_sum_exp(last, g->vocab);
            double want = json_num(json_at(json_get(c, "logprobs"), t), NAN);

            CHECK_INT(g->dir, best, json_int(json_at((struct json *)tokens, t), -1));
            if (!(fabs(logprob - want) <= limit))
                fail_msg("%s: greedy %zu: logprob %zu is %g, expected %g", g->dir, i, t, logprob,
                         want);
            last = out;
            CHECK_OK(g->dir, run_tokens(&r, &best, 1, last, &e), &e);
        }
    }
}

static void check_loglikelihood(struct golden *g)
{
    const struct json *all = json_get(g->json, "loglikelihood");

    CHECK(g->dir, json_len(all) > 0);
    for (size_t i = 0; i < json_len(all); i++) {
        const struct json *c = json_at((struct json *)all, i);
        int n_context, n_more;
        int32_t *context = ids_of(g, json_get(c, "context_ids"), &n_context);
        int32_t *more = ids_of(g, json_get(c, "continuation_ids"), &n_more);
        int32_t *ids = arena_array(&g->arena, (size_t)(n_context + n_more), sizeof(*ids));
        float *got;
        double sum = 0;
        bool is_greedy = true;

        memcpy(ids, context, (size_t)n_context * sizeof(*ids));
        memcpy(ids + n_context, more, (size_t)n_more * sizeof(*ids));
        got = all_logits(g, ids, n_context + n_more);
        for (int t = 0; t < n_more; t++) {
            const float *row = got + (size_t)(n_context + t - 1) * (size_t)g->vocab;

            sum += row[more[t]] - log_sum_exp(row, g->vocab);
            is_greedy &= argmax(row, g->vocab) == more[t];
        }
        if (!(fabs(sum - json_num(json_get(c, "sum_logprob"), NAN)) <= 1e-3 * MAX(n_more, 10) / 10))
            fail_msg("%s: loglikelihood %zu is %g", g->dir, i, sum);
        CHECK_INT(g->dir, is_greedy, json_bool(json_get(c, "is_greedy"), false));
    }
}

TEST(float32_holds_the_goldens)
{
    for (size_t i = 0; i < LEN(names); i++) {
        struct golden g;
        double worst;

        open_golden(&g, names[i], "float32", "auto");
        worst = check_cases(&g, 5e-4, 2e-3);
        check_greedy(&g, 1e-3);
        check_loglikelihood(&g);
        print_message("%-28s float32: largest logit difference %.2g\n", names[i], worst);
        close_golden(&g);
    }
}

TEST(bfloat16_stays_near_float32)
{
    for (size_t i = 0; i < LEN(names); i++) {
        struct golden g;

        open_golden(&g, names[i], "bfloat16", "auto");
        print_message("%-28s bfloat16: largest logit difference %.2g\n", names[i],
                      check_cases(&g, 0.5, 0.5));
        close_golden(&g);
    }
}

TEST(plain_kernels_hold_the_goldens)
{
    for (size_t i = 0; i < LEN(names); i++) {
        struct golden g;

        open_golden(&g, names[i], "float32", "plain");
        (void)check_cases(&g, 5e-4, 2e-3);
        close_golden(&g);
    }
}

TEST(frequencies_are_the_references)
{
    for (size_t i = 0; i < LEN(names); i++) {
        struct golden g;
        const struct json *rope;
        double f[256], factor;

        open_golden(&g, names[i], "float32", "plain");
        rope = json_get(g.json, "rope");
        factor = rope_frequencies(model_config(g.model), f);
        CHECK(names[i], fabs(factor - json_num(json_get(rope, "attention_factor"), NAN)) < 1e-6);
        CHECK_INT(names[i], json_len(json_get(rope, "inv_freq")),
                  model_config(g.model)->head_dim / 2);
        for (int p = 0; p < model_config(g.model)->head_dim / 2; p++) {
            double want = json_num(json_at(json_get(rope, "inv_freq"), (size_t)p), NAN);

            CHECK(names[i], fabs(f[p] - want) <= 2e-6 * want);
        }
        close_golden(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float32_holds_the_goldens),
        cmocka_unit_test(bfloat16_stays_near_float32),
        cmocka_unit_test(plain_kernels_hold_the_goldens),
        cmocka_unit_test(frequencies_are_the_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
