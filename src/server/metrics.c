/* metrics.c - counters and histograms with vLLM's names and buckets. */
#include "server/metrics.h"

#include <inttypes.h>

static const double first_token_bounds[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08,
                                            0.1,   0.25,  0.5,  0.75, 1,    2.5,  5,
                                            7.5,   10,    20,   40,   80,   160};
static const double between_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                        0.075,  0.1,   0.15,   0.2,   0.3,  0.4,   0.5,
                                        0.75,   1,     2.5,    5,     20,   80};
static const double request_bounds[] = {0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1,   1.5, 2,   2.5,
                                        5,    10,   15,  20,  30,  60,  120, 480, 960, 1920};

void metrics_init(struct metrics *m)
{
    *m = (struct metrics){
        .first_token = {first_token_bounds, LEN(first_token_bounds), {0}, 0, 0},
        .between_tokens = {between_bounds, LEN(between_bounds), {0}, 0, 0},
        .request = {request_bounds, LEN(request_bounds), {0}, 0, 0},
    };
    pthread_mutex_init(&m->lock, NULL);
}

void metrics_clear(struct metrics *m)
{
    pthread_mutex_destroy(&m->lock);
}

static void observe(struct histogram *h, double x)
{
    int i = 0;

    while (i < h->n_bounds && x > h->bounds[i])
        i++;
    h->counts[i]++;
    h->n++;
    h->sum += x;
}

void metrics_first_token(struct metrics *m, double seconds)
{
    pthread_mutex_lock(&m->lock);
    observe(&m->first_token, seconds);
    pthread_mutex_unlock(&m->lock);
}

void metrics_between_tokens(struct metrics *m, double seconds)
{
    pthread_mutex_lock(&m->lock);
    observe(&m->between_tokens, seconds);
    pthread_mutex_unlock(&m->lock);
}

void metrics_finished(struct metrics *m, enum finish_reason why, int n_prompt, int n_completion,
                      double seconds)
{
    pthread_mutex_lock(&m->lock);
    m->n_success[why <= FINISH_OTHER ? why : FINISH_OTHER]++;
    m->n_prompt_tokens += (uint64_t)MAX(n_prompt, 0);
    m->n_generation_tokens += (uint64_t)MAX(n_completion, 0);
    observe(&m->request, seconds);
    pthread_mutex_unlock(&m->lock);
}

void metrics_truncated(struct metrics *m, int n_tokens)
{
    pthread_mutex_lock(&m->lock);
    m->n_truncated_tokens += (uint64_t)n_tokens;
    pthread_mutex_unlock(&m->lock);
}

void metrics_rejected(struct metrics *m)
{
    pthread_mutex_lock(&m->lock);
    m->n_rejected++;
    pthread_mutex_unlock(&m->lock);
}

void metrics_generator(struct metrics *m, const struct gen_stats *gen)
{
    pthread_mutex_lock(&m->lock);
    m->gen = *gen;
    pthread_mutex_unlock(&m->lock);
}

struct writer {
    struct buf *out;
    struct str model;
};

static void begin(const struct writer *w, const char *name, const char *type, const char *help)
{
    buf_addf(w->out, "# HELP vllm:%s %s\n# TYPE vllm:%s %s\n", name, help, name, type);
}

static void label(const struct writer *w)
{
    buf_addz(w->out, "model_name=\"");
    for (size_t i = 0; i < w->model.len; i++) {
        if (w->model.ptr[i] == '"' || w->model.ptr[i] == '\\')
            buf_addc(w->out, '\\');
        buf_addc(w->out, w->model.ptr[i] == '\n' ? ' ' : w->model.ptr[i]);
    }
    buf_addc(w->out, '"');
}

static void value(const struct writer *w, const char *name, double x)
{
    buf_addf(w->out, "vllm:%s{", name);
    label(w);
    buf_addf(w->out, "} %.17g\n", x);
}

static void gauge(const struct writer *w, const char *name, double x, const char *help)
{
    begin(w, name, "gauge", help);
    value(w, name, x);
}

static void counter(const struct writer *w, const char *name, double x, const char *help)
{
    begin(w, name, "counter", help);
    value(w, name, x);
}

static void histogram(const struct writer *w, const char *name, const struct histogram *h,
                      const char *help)
{
    uint64_t sum = 0;

    begin(w, name, "histogram", help);
    for (int i = 0; i <= h->n_bounds; i++) {
        sum += h->counts[i];
        buf_addf(w->out, "vllm:%s_bucket{", name);
        label(w);
        if (i < h->n_bounds)
            buf_addf(w->out, ",le=\"%g\"} %" PRIu64 "\n", h->bounds[i], sum);
        else
            buf_addf(w->out, ",le=\"+Inf\"} %" PRIu64 "\n", sum);
    }
    buf_addf(w->out, "vllm:%s_count{", name);
    label(w);
    buf_addf(w->out, "} %" PRIu64 "\nvllm:%s_sum{", h->n, name);
    label(w);
    buf_addf(w->out, "} %.17g\n", h->sum);
}

void metrics_write(struct metrics *m, struct str model, struct buf *out)
{
    struct writer w = {out, model};

    pthread_mutex_lock(&m->lock);
    gauge(&w, "num_requests_running", m->gen.n_running, "Requests in the batch.");
    gauge(&w, "num_requests_waiting", m->gen.n_waiting, "Requests that wait for a place.");
    gauge(&w, "kv_cache_usage_perc", m->gen.kv_usage, "Share of KV blocks in use, 0 to 1.");
    counter(&w, "prefix_cache_queries_total", (double)m->gen.n_prefix_queries,
            "Prompt tokens looked up in the prefix cache.");
    counter(&w, "prefix_cache_hits_total", (double)m->gen.n_prefix_hits,
            "Prompt tokens found in the prefix cache.");
    counter(&w, "num_preemptions_total", (double)m->gen.n_preemptions,
            "Sequences that lost their place for a while.");
    counter(&w, "prompt_tokens_total", (double)m->n_prompt_tokens,
            "Prompt tokens of finished requests.");
    counter(&w, "prompt_tokens_truncated_total", (double)m->n_truncated_tokens,
            "Prompt tokens cut off by truncate_prompt_tokens.");
    counter(&w, "generation_tokens_total", (double)m->n_generation_tokens,
            "Tokens generated for finished requests.");
    counter(&w, "request_rejected_total", (double)m->n_rejected,
            "Requests answered with 503, the queue being full.");
    begin(&w, "request_success_total", "counter", "Finished requests by finish reason.");
    for (int i = FINISH_STOP; i <= FINISH_OTHER; i++) {
        buf_addz(out, "vllm:request_success_total{");
        label(&w);
        buf_addf(out, ",finished_reason=\"%s\"} %" PRIu64 "\n",
                 finish_reason_name((enum finish_reason)i), m->n_success[i]);
    }
    histogram(&w, "time_to_first_token_seconds", &m->first_token,
              "Time to the first token of a streamed choice.");
    histogram(&w, "inter_token_latency_seconds", &m->between_tokens,
              "Time between tokens of a streamed choice.");
    histogram(&w, "e2e_request_latency_seconds", &m->request,
              "Time from a request's arrival to the end of a choice.");
    pthread_mutex_unlock(&m->lock);
}
