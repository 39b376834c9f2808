/* test_sampler.c - the sampler against a naive one that sorts and sums everything in double
 * precision: the same survivors for every mix of parameters, and draws in the proportions that
 * their probabilities demand. */
#include "test.h"

#include <math.h>

#include "base/arena.h"
#include "engine/noise.h"
#include "engine/sampler.h"

enum { V = 64, N_DRAWS = 6000 };

static const struct sample_params plain = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};

/* --- the naive sampler ------------------------------------------------------------------------ */

static bool occurs(const int32_t *ids, int n, int32_t id)
{
    for (int i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void naive_process(double *l, const struct sample_params *p, const struct sample_history *h)
{
    int n_output = h->n_tokens - h->n_prompt;

    for (int id = 0; id < V; id++) {
        if (p->n_allowed_ids > 0 && !occurs(p->allowed_ids, p->n_allowed_ids, id))
            l[id] = -INFINITY;
        for (int b = 0; b < p->n_bad_words; b++) {
            const struct token_seq *w = &p->bad_words[b];
            bool match = w->ids[w->n - 1] == id && w->n - 1 <= n_output;

            for (int i = 0; match && i < w->n - 1; i++)
                match = h->token_ids[h->n_tokens - (w->n - 1) + i] == w->ids[i];
            if (match)
                l[id] = -INFINITY;
        }
        if (n_output < p->min_tokens && occurs(p->stop_ids, p->n_stop_ids, id))
            l[id] = -INFINITY;
        for (int b = 0; b < p->n_bias; b++)
            if (p->bias_ids[b] == id)
                l[id] += (double)p->bias[b];
        if (occurs(h->token_ids, h->n_tokens, id))
            l[id] = l[id] > 0 ? l[id] / (double)p->repetition_penalty
                              : l[id] * (double)p->repetition_penalty;
        for (int i = h->n_prompt, seen = 0; i < h->n_tokens; i++) {
            if (h->token_ids[i] != id)
                continue;
            l[id] -= (double)p->frequency_penalty + (seen++ ? 0 : (double)p->presence_penalty);
        }
    }
}

static const double *order_by;

static int by_value_then_higher_id(const void *a, const void *b)
{
    int i = *(const int *)a, j = *(const int *)b;

    if (order_by[i] != order_by[j])
        return order_by[i] < order_by[j] ? -1 : 1;
    return j - i;
}

/* prob[V]: the exact distribution of the draw. */
static void naive_distribution(const struct sample_params *p, const struct sample_history *h,
                               const float *logits, double *prob)
{
    double l[V], max = -INFINITY, total = 0, mass = 0;
    int order[V];

    for (int i = 0; i < V; i++)
        l[i] = (double)logits[i];
    naive_process(l, p, h);
    for (int i = 0; i < V; i++) {
        l[i] /= (double)p->temperature;
        max = fmax(max, l[i]);
        order[i] = i;
    }
    for (int i = 0; i < V; i++)
        if (exp(l[i] - max) < (double)p->min_p)
            l[i] = -INFINITY;
    order_by = l;
    qsort(order, V, sizeof(int), by_value_then_higher_id);
    if (p->top_k > 0 && p->top_k < V) {
        double kth = l[order[V - p->top_k]];

        for (int i = 0; i < V; i++)
            if (l[i] < kth)
                l[i] = -INFINITY;
    }
    for (int i = 0; i < V; i++)
        total += exp(l[i] - max);
    for (int i = 0; i < V - 1 && p->top_p < 1; i++) {
        mass += exp(l[order[i]] - max);
        if (mass > (double)(1.0f - p->top_p) * total * (1 + 1e-9))
            break;
        l[order[i]] = -INFINITY;
    }
    total = 0;
    for (int i = 0; i < V; i++)
        total += prob[i] = exp(l[i] - max);
    for (int i = 0; i < V; i++)
        prob[i] /= total;
}

/* --- the distribution ------------------------------------------------------------------------- */

/* The value that chi-square with df degrees of freedom exceeds once in some million times (Wilson,
 * Hilferty). */
static double chi_square_limit(int df)
{
    double a = 2.0 / (9.0 * df);

    return df * pow(1 - a + 5.0 * sqrt(a), 3);
}

static void check_distribution(const char *name, const struct sample_params *params,
                               const struct sample_history *h, const float *logits, uint64_t seed)
{
    struct sample_params p = *params;
    struct sampler *s = sampler_open(V);
    double prob[V], chi = 0, pooled = 0;
    int count[V] = {0}, df = -1, n_pooled = 0;

    naive_distribution(&p, h, logits, prob);
    for (int i = 0; i < N_DRAWS; i++) {
        int32_t id;

        p.seed = seed + (uint64_t)i;
        id = sampler_draw(s, &p, h, logits);
        CHECK(name, id >= 0 && id < V);
        CHECK(name, prob[id] > 0);
        count[id]++;
    }
    for (int i = 0; i < V; i++) {
        double want = prob[i] * N_DRAWS;

        if (want < 5) {
            pooled += want;
            n_pooled += count[i];
            continue;
        }
        chi += (count[i] - want) * (count[i] - want) / want;
        df++;
    }
    if (pooled >= 5) {
        chi += (n_pooled - pooled) * (n_pooled - pooled) / pooled;
        df++;
    }
    if (df > 0 && chi > chi_square_limit(df))
        fail_msg("%s: chi-square %g with %d degrees of freedom", name, chi, df);
    sampler_close(s);
}

static void check_survivors(const char *name, const struct sample_params *p,
                            const struct sample_history *h, const float *logits)
{
    struct sampler *s = sampler_open(V);
    double prob[V];
    int32_t ids[V];
    float scaled[V];
    int n = sampler_survivors(s, p, h, logits, ids, scaled), n_want = 0;

    naive_distribution(p, h, logits, prob);
    for (int i = 0; i < V; i++)
        n_want += prob[i] > 0;
    CHECK_INT(name, n, n_want);
    for (int i = 0; i < n; i++)
        CHECK(name, prob[ids[i]] > 0);
    sampler_close(s);
}

/* The logprobs after all steps are the logarithms of the exact distribution of the draw, for every
 * token. */
static void check_processed(const char *name, const struct sample_params *p,
                            const struct sample_history *h, const float *logits)
{
    struct sampler *s = sampler_open(V);
    const float *row = sampler_processed(s, p, h, logits);
    double prob[V], sum = 0;
    int32_t ids[V];
    float top[V];
    struct row_logprobs r = {.n_top = V, .top_ids = ids, .top_logprobs = top};

    naive_distribution(p, h, logits, prob);
    for (int i = 0; i < V; i++)
        ids[i] = i;
    sampler_logprobs_of_ids(s, row, 0, &r);
    for (int i = 0; i < V; i++) {
        if (prob[i] > 0)
            CHECK(name, fabs((double)top[i] - log(prob[i])) < 1e-5);
        else
            CHECK(name, top[i] == -INFINITY);
        sum += exp((double)top[i]);
    }
    CHECK(name, fabs(sum - 1) < 1e-5);
    sampler_close(s);
}

static void random_logits(float *logits, uint64_t seed, float scale)
{
    for (int i = 0; i < V; i++)
        logits[i] = scale * (gumbel_noise(seed, 77, (uint32_t)i) - 0.6f);
    logits[5] = logits[9]; /* a tie */
}

TEST(every_mix_of_parameters)
{
    static const float temperatures[] = {0.6f, 1, 1.7f}, top_ps[] = {1, 0.95f, 0.4f},
                       min_ps[] = {0, 0.1f};
    static const int top_ks[] = {0, 1, 7, V};
    static const int32_t tokens[] = {1, 2, 3, 9, 7, 9, 9, 12}, stops[] = {7, 8},
                         allowed[] = {1, 3, 5, 7, 9, 20, 21, 22, 40};
    static const int32_t bad1[] = {20}, bad2[] = {9, 12, 21}, bias_ids[] = {3, 40, 41};
    static const float bias[] = {2, -1.5f, 3};
    static const struct token_seq bad[] = {{bad1, 1}, {bad2, 3}};
    const struct sample_history h = {tokens, 4, 8, NULL};
    int n_mixes = 0;

    for (int mix = 0; mix < 3 * 3 * 2 * 4 * 8; mix++) {
        struct sample_params p = plain;
        float logits[V];
        char name[96];
        int m = mix;

        p.temperature = temperatures[m % 3], m /= 3;
        p.top_p = top_ps[m % 3], m /= 3;
        p.min_p = min_ps[m % 2], m /= 2;
        p.top_k = top_ks[m % 4], m /= 4;
        if (m & 1) {
            p.repetition_penalty = 1.3f;
            p.presence_penalty = 0.5f;
            p.frequency_penalty = 0.25f;
        }
        if (m & 2) {
            p.stop_ids = stops, p.n_stop_ids = 2, p.min_tokens = 5;
            p.bias_ids = bias_ids, p.bias = bias, p.n_bias = 3;
            p.bad_words = bad, p.n_bad_words = 2;
        }
        if (m & 4)
            p.allowed_ids = allowed, p.n_allowed_ids = LEN(allowed);
        snprintf(name, sizeof(name), "T %g p %g min %g k %d set %d", (double)p.temperature,
                 (double)p.top_p, (double)p.min_p, p.top_k, m);
        for (uint64_t seed = 0; seed < 20; seed++) {
            random_logits(logits, 1000 + seed, seed % 2 ? 1 : 3);
            check_survivors(name, &p, &h, logits);
            check_processed(name, &p, &h, logits);
        }
        random_logits(logits, 5, 1);
        if (mix % 2 == 0 || m == 0) {
            check_distribution(name, &p, &h, logits, (uint64_t)mix << 32);
            n_mixes++;
        }
    }
    CHECK("mixes", n_mixes > 300);
}

/* A greedy draw's logprobs know penalties and masks, and neither a temperature nor top_k. */
TEST(processed_and_greedy)
{
    static const int32_t tokens[] = {1, 2, 3, 9, 7, 9, 9, 12},
                         allowed[] = {1, 3, 5, 7, 9, 20, 21, 22, 40};
    const struct sample_history h = {tokens, 4, 8, NULL};
    struct sample_params p = {.temperature = 0,
                              .top_p = 0.5f,
                              .top_k = 2,
                              .repetition_penalty = 1.3f,
                              .presence_penalty = 0.5f,
                              .allowed_ids = allowed,
                              .n_allowed_ids = LEN(allowed)},
                         open = p;
    float logits[V];

    open.temperature = open.top_p = 1;
    open.top_k = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sampler *s = sampler_open(V);
        double prob[V];
        struct row_logprobs r = {0};

        random_logits(logits, seed, 2);
        naive_distribution(&open, &h, logits, prob);
        for (size_t i = 0; i < LEN(allowed); i++) {
            sampler_logprobs_of_ids(s, sampler_processed(s, &p, &h, logits), allowed[i], &r);
            CHECK("logprob", fabs((double)r.logprob - log(prob[allowed[i]])) < 1e-5);
            CHECK("the drawn one is the best",
                  r.is_best == (allowed[i] == sampler_draw(s, &p, &h, logits)));
        }
        sampler_close(s);
    }
}

/* --- case by case ----------------------------------------------------------------------------- */

/* Logits of a few tokens, the others at -100; which survive. */
static const struct {
    const char *name;
    float logits[6];
    struct sample_params p;
    int n, ids[6];
} cases[] = {
    {"top_k keeps ties at the threshold",
     {3, 2, 2, 2, 1, 0},
     {.temperature = 1, .top_p = 1, .top_k = 2},
     4,
     {0, 1, 2, 3}},
    {"top_k -1 is off", {3, 2, 2, 2, 1, 0}, {.temperature = 1, .top_p = 1, .top_k = -1}, 64, {0}},
    {"top_k above the vocabulary is off",
     {3, 2, 2, 2, 1, 0},
     {.temperature = 1, .top_p = 1, .top_k = 1000},
     64,
     {0}},
    {"top_p drops while the mass is at most 1 - p",
     {0, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY},
     {.temperature = 1, .top_p = 0.5f, .top_k = 2},
     1,
     {0}},
    {"just above one half it keeps both",
     {0, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY},
     {.temperature = 1, .top_p = 0.51f, .top_k = 2},
     2,
     {0, 1}},
    {"top_p never drops the last", {1, 0, 0, 0, 0, 0}, {.temperature = 1, .top_p = 1e-6f}, 1, {0}},
    {"of equal ones the higher ids go first",
     {0, 0, 0, 0, -90, -90},
     {.temperature = 1, .top_p = 0.6f},
     3,
     {0, 1, 2}},
    {"min_p is relative to the likeliest",
     {0, -0.6931f, -0.6932f, -2, -3, -4},
     {.temperature = 1, .top_p = 1, .min_p = 0.5f},
     2,
     {0, 1}},
    {"min_p comes before top_k",
     {0, -1, -5, -6, -7, -8},
     {.temperature = 1, .top_p = 1, .min_p = 0.3f, .top_k = 4},
     2,
     {0, 1}},
    {"temperature comes before min_p",
     {0, -1, -5, -6, -7, -8},
     {.temperature = 4, .top_p = 1, .min_p = 0.25f},
     3,
     {0, 1, 2}},
    {"greedy takes the lowest id of a tie",
     {1, 3, 3, 0, 0, 0},
     {.temperature = 0, .top_p = 1},
     1,
     {1}},
    {"temperature below 1e-5 is greedy",
     {1, 3, 2.9f, 0, 0, 0},
     {.temperature = 9e-6f, .top_p = 1},
     1,
     {1}},
};

TEST(survivors_case_by_case)
{
    struct sampler *s = sampler_open(V);

    for (size_t i = 0; i < LEN(cases); i++) {
        const struct sample_history h = {NULL, 0, 0, NULL};
        struct sample_params p = cases[i].p;
        float logits[V], scaled[V];
        int32_t ids[V];
        int n;

        for (int j = 0; j < V; j++)
            logits[j] = j < 6 ? cases[i].logits[j] : -100;
        p.repetition_penalty = 1;
        n = sampler_survivors(s, &p, &h, logits, ids, scaled);
        CHECK_INT(cases[i].name, n, cases[i].n);
        for (int j = 0; n < V && j < n; j++) {
            bool found = false;

            for (int k = 0; k < n; k++)
                found |= ids[k] == cases[i].ids[j];
            CHECK(cases[i].name, found);
        }
    }
    sampler_close(s);
}

TEST(penalties_case_by_case)
{
    /* Token 1 in the prompt, 2 in both, 3 twice in the output, 4 nowhere. */
    static const int32_t tokens[] = {1, 2, 2, 3, 3};
    static const struct {
        const char *name;
        struct sample_params p;
        float want[5];
    } rows[] = {
        {"repetition counts prompt and output, by sign",
         {.repetition_penalty = 2},
         {1, 0.5f, -2, 0.5f, 1}},
        {"presence counts the output once",
         {.repetition_penalty = 1, .presence_penalty = 0.5f},
         {1, 1, -1.5f, 0.5f, 1}},
        {"frequency counts each time",
         {.repetition_penalty = 1, .frequency_penalty = 0.5f},
         {1, 1, -1.5f, 0, 1}},
        {"repetition comes first",
         {.repetition_penalty = 2, .frequency_penalty = 1, .presence_penalty = 0.25f},
         {1, 0.5f, -3.25f, -1.75f, 1}},
    };
    const struct sample_history h = {tokens, 2, 5, NULL};
    struct sampler *s = sampler_open(V);

    for (size_t i = 0; i < LEN(rows); i++) {
        struct sample_params p = rows[i].p;
        float logits[V] = {1, 1, -1, 1, 1}, scaled[V];
        int32_t ids[V];
        int n;

        p.temperature = p.top_p = 1;
        n = sampler_survivors(s, &p, &h, logits, ids, scaled);
        CHECK_INT("none is dropped", n, V);
        for (int j = 0; j < 5; j++)
            if (fabsf(scaled[j] - rows[i].want[j]) > 1e-6f)
                fail_msg("%s: token %d has %g, expected %g", rows[i].name, j, (double)scaled[j],
                         (double)rows[i].want[j]);
    }
    sampler_close(s);
}

TEST(what_may_not_be_drawn)
{
    static const int32_t tokens[] = {10, 11, 12}, stops[] = {0, 1}, allowed[] = {1, 2},
                         after_12[] = {12, 0}, after_10[] = {10, 0};
    static const struct token_seq bad_after_12[] = {{after_12, 2}},
                                  bad_after_prompt[] = {{after_10, 2}};
    static const int32_t bias_ids[] = {5};
    static const float bias[] = {100};
    static const struct {
        const char *name;
        struct sample_params p;
        int n_prompt;
        int32_t want;
    } rows[] = {
        {"nothing is forbidden", {.top_p = 1}, 1, 0},
        {"min_tokens not reached", {.min_tokens = 3, .stop_ids = stops, .n_stop_ids = 2}, 1, 2},
        {"min_tokens reached", {.min_tokens = 2, .stop_ids = stops, .n_stop_ids = 2}, 1, 0},
        {"allowed ids", {.allowed_ids = allowed, .n_allowed_ids = 2}, 1, 1},
        {"allowed ids and min_tokens",
         {.allowed_ids = allowed,
          .n_allowed_ids = 2,
          .min_tokens = 9,
          .stop_ids = stops,
          .n_stop_ids = 2},
         1,
         2},
        {"all is forbidden",
         {.allowed_ids = allowed,
          .n_allowed_ids = 1,
          .min_tokens = 9,
          .stop_ids = stops,
          .n_stop_ids = 2},
         1,
         -1},
        {"a bad word's last token", {.bad_words = bad_after_12, .n_bad_words = 1}, 1, 1},
        {"a bad word begins in the output only",
         {.bad_words = bad_after_prompt, .n_bad_words = 1},
         3,
         0},
        {"bias", {.bias_ids = bias_ids, .bias = bias, .n_bias = 1}, 1, 5},
    };
    struct sampler *s = sampler_open(V);

    for (size_t i = 0; i < LEN(rows); i++) {
        const struct sample_history h = {tokens, rows[i].n_prompt, 3, NULL};
        struct sample_params p = rows[i].p;
        float logits[V];

        for (int j = 0; j < V; j++)
            logits[j] = (float)-j;
        p.repetition_penalty = 1;
        CHECK_INT(rows[i].name, sampler_draw(s, &p, &h, logits), rows[i].want);
        p.temperature = 0.01f; /* so cold that it takes the likeliest */
        p.top_p = 1;
        CHECK_INT(rows[i].name, sampler_draw(s, &p, &h, logits), rows[i].want);
    }
    sampler_close(s);
}

static int rank_of(const float *logits, int32_t id)
{
    int rank = 0;

    for (int i = 0; i < V; i++)
        rank += logits[i] >= logits[id];
    return rank;
}

TEST(noise_belongs_to_the_token)
{
    struct sampler *s = sampler_open(V);
    const struct sample_history h = {NULL, 0, 0, NULL};
    struct sample_params p = plain;
    int n_kept = 0;

    for (uint64_t seed = 0; seed < 2000; seed++) {
        float logits[V], best = -INFINITY;
        int32_t id, want = -1;
        bool is_kept;

        random_logits(logits, seed, 2);
        p.seed = seed;
        p.top_k = 0;
        id = sampler_draw(s, &p, &h, logits);
        for (int i = 0; i < V; i++) {
            float score = logits[i] + gumbel_noise(seed, 0, (uint32_t)i);

            if (score > best)
                best = score, want = i;
        }
        CHECK_INT("the largest of logit plus noise", id, want);
        p.top_k = 20;
        n_kept += is_kept = rank_of(logits, id) <= 20;
        CHECK("a survivor that was drawn from all is drawn from the survivors",
              !is_kept || sampler_draw(s, &p, &h, logits) == id);
    }
    CHECK("both kinds came up", n_kept > 1000 && n_kept < 2000);
    sampler_close(s);
}

/* Some ids, the likeliest and the least likely among them, in an order of their own: the numbers of
 * the definition, and to the bit those that the likeliest have when they are asked for as such. */
static void check_named_ids(struct sampler *s, const float *logits, int32_t token,
                            const struct row_logprobs *by_rank, double log_sum)
{
    int32_t ids[V];
    float top[V];
    struct row_logprobs r = {.n_top = V, .top_ids = ids, .top_logprobs = top};

    for (int i = 0; i < V; i++)
        ids[i] = (i * 37 + 11) % V;
    sampler_logprobs_of_ids(s, logits, token, &r);
    CHECK("the token's own", r.logprob == by_rank->logprob && r.rank == by_rank->rank &&
                                 r.is_best == by_rank->is_best);
    CHECK_INT("all are reported", r.n_top, V);
    for (int i = 0; i < V; i++) {
        CHECK_INT("in the order asked for", ids[i], (i * 37 + 11) % V);
        CHECK("named logprob", fabs((double)top[i] - ((double)logits[ids[i]] - log_sum)) < 2e-6);
        for (int k = 0; k < by_rank->n_top; k++)
            CHECK("the same bits",
                  by_rank->top_ids[k] != ids[i] || by_rank->top_logprobs[k] == top[i]);
    }
}

TEST(logprobs_of_a_row)
{
    struct sampler *s = sampler_open(V);

    for (uint64_t seed = 0; seed < 200; seed++) {
        float logits[V], top[V];
        int32_t ids[V], token = (int32_t)(seed % V);
        struct row_logprobs r = {.top_ids = ids, .top_logprobs = top};
        double sum = 0;
        int rank = 0, n_top = (int)(seed % 9) + (seed % 7 == 0 ? V : 0);

        random_logits(logits, seed, 4);
        for (int i = 0; i < V; i++) {
            sum += exp((double)logits[i]);
            rank += logits[i] >= logits[token];
        }
        sampler_logprobs(s, logits, token, n_top, &r);
        CHECK("logprob", fabs((double)r.logprob - ((double)logits[token] - log(sum))) < 2e-6);
        CHECK_INT("rank", r.rank, rank);
        CHECK_INT("n_top", r.n_top, MIN(n_top, V));
        for (int i = 0; i < r.n_top; i++) {
            int better = 0;

            for (int j = 0; j < V; j++)
                better += logits[j] > logits[ids[i]] || (logits[j] == logits[ids[i]] && j < ids[i]);
            CHECK_INT("in order, ties to the lower id", better, i);
            CHECK("top logprob", fabs((double)top[i] - ((double)logits[ids[i]] - log(sum))) < 2e-6);
        }
        check_named_ids(s, logits, token, &r, log(sum));
    }
    sampler_close(s);
}

/* The bounds that spare work hold on a large vocabulary: the same survivors as by sorting all of
 * it. */
TEST(large_vocabulary)
{
    enum { BIG = 50021 };
    struct sampler *s = sampler_open(BIG);
    float *logits = xcalloc(BIG, sizeof(float)), *scaled = xcalloc(BIG, sizeof(float));
    int32_t *ids = xcalloc(BIG, sizeof(int32_t));
    const struct sample_history h = {NULL, 0, 0, NULL};

    for (int round = 0; round < 6; round++) {
        struct sample_params p = plain;
        double total = 0, kept = 0, least = INFINITY;
        int n;

        p.top_p = round % 3 == 0 ? 0.95f : round % 3 == 1 ? 0.5f : 0.999f;
        for (int i = 0; i < BIG; i++) {
            logits[i] = (round < 3 ? 1.0f : 6.0f) * gumbel_noise((uint64_t)round, 1, (uint32_t)i);
            total += exp((double)logits[i]);
        }
        n = sampler_survivors(s, &p, &h, logits, ids, scaled);
        for (int i = 0; i < n; i++) {
            kept += exp((double)logits[ids[i]]);
            least = fmin(least, (double)logits[ids[i]]);
        }
        CHECK("they hold the mass", kept / total >= (double)p.top_p - 1e-6);
        CHECK("and not one too many", (kept - exp(least)) / total < (double)p.top_p + 1e-6);
        p.top_p = 1;
        p.top_k = 3000; /* beyond the heap */
        CHECK_INT("top_k", sampler_survivors(s, &p, &h, logits, ids, scaled), 3000);
    }
    free(logits);
    free(scaled);
    free(ids);
    sampler_close(s);
}

/* A mask is another way to say which ids are allowed. */
TEST(a_mask_as_allowed_ids)
{
    enum { N = 333 };
    struct sampler *s = sampler_open(N);
    float logits[N];
    uint64_t mask[N / 64 + 1];
    int32_t ids[N];

    for (uint64_t round = 0; round < 200; round++) {
        struct sample_params p = plain, listed;
        struct sample_history masked = {NULL, 0, 0, mask}, free_one = {NULL, 0, 0, NULL};

        for (int i = 0; i < N; i++)
            logits[i] = 3 * gumbel_noise(round, 78, (uint32_t)i);
        memset(mask, 0, sizeof(mask));
        listed = plain;
        for (int i = 0; i < N; i++)
            if (noise_words(round, 7, (uint32_t)i).v[0] % 5 == 0 || (i >= 64 && i < 128)) {
                mask[i / 64] |= (uint64_t)1 << i % 64;
                ids[listed.n_allowed_ids++] = i;
            }
        listed.allowed_ids = ids;
        listed.seed = p.seed = round;
        listed.top_k = p.top_k = round % 2 ? 20 : 0;
        listed.top_p = p.top_p = round % 3 ? 1 : 0.9f;
        listed.temperature = p.temperature = round % 7 ? 1 : 0;
        CHECK_INT("draw", sampler_draw(s, &p, &masked, logits),
                  sampler_draw(s, &listed, &free_one, logits));
    }
    sampler_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mix_of_parameters), cmocka_unit_test(processed_and_greedy),
        cmocka_unit_test(survivors_case_by_case),  cmocka_unit_test(penalties_case_by_case),
        cmocka_unit_test(what_may_not_be_drawn),   cmocka_unit_test(noise_belongs_to_the_token),
        cmocka_unit_test(logprobs_of_a_row),       cmocka_unit_test(large_vocabulary),
        cmocka_unit_test(a_mask_as_allowed_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
