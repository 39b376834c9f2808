/* cmd_bench.c - llmeval bench: prefill and decode speed of the engine, next to what the machine
 * allows, both measured in the same run.
 *
 * Prefill: n prompts, one token drawn from each. Decode: the same prompts again, which the cache
 * has by then; the clock runs from the step after which all have a token to the one that ends them.
 * Tokens are drawn as evaluations draw them (temperature 0.6, top_p 0.95, top_k 40). */
#include <sys/resource.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/opt.h"
#include "base/philox.h"
#include "cli/commands.h"
#include "device/cpu/cpu_limits.h"
#include "engine/engine.h"
#include "formats/json.h"
#include "generator/generator_local.h"

static const char help[] =
    "usage: llmeval bench --model_name_or_path FOLDER [--load_format dummy] [OPTIONS]\n"
    "\n"
    "Measures how many tokens a second the engine computes, and what share that is of the memory "
    "bandwidth and\n"
    "the arithmetic peak that the same run measures. With --load_format dummy a config.json is "
    "enough.\n";

struct bench_opts {
    const char *n_parallel;
    int prompt_len, gen_len;
    bool shared_prompt, json;
};

static const struct opt bench_table[] = {
    OPT_STR(struct bench_opts, n_parallel, "1,8,64",
            "sequences side by side; several numbers with commas between"),
    OPT_INT(struct bench_opts, prompt_len, "512", 1, 1 << 20, "tokens of a prompt"),
    OPT_INT(struct bench_opts, gen_len, "128", 2, 1 << 20, "tokens of an answer"),
    OPT_BOOL(struct bench_opts, shared_prompt, "false",
             "all sequences have the same prompt, as samples of one problem do"),
    OPT_BOOL(struct bench_opts, json, "false", "results as JSON on stdout instead of a table"),
    {0},
};

enum { MAX_RUNS = 16 };

struct bench {
    struct engine_opts engine_opts;
    struct bench_opts opts;
    int n_parallel[MAX_RUNS], n_runs;
    struct model *model;
    struct engine *engine;
    struct cpu_limits limits;
};

struct result {
    int n;
    double prefill_s, decode_s, draw_s;
    int64_t n_prefill, n_decode; /* tokens computed, tokens drawn in the time */
    int n_steps;
    double prefill_flops, decode_flops, decode_bytes; /* of the whole phase */
};

static bool read_n_parallel(struct bench *b, struct err *e)
{
    struct str rest = STR(b->opts.n_parallel), word;

    while (str_cut(&rest, ',', &word)) {
        int64_t n;

        if (!parse_i64(str_trim(word), &n) || n < 1 || n > 4096 || b->n_runs == MAX_RUNS)
            return err_set(
                e, ERR_INPUT,
                "--n_parallel %s: expected up to %d numbers from 1 to 4096 with commas between",
                b->opts.n_parallel, MAX_RUNS);
        b->n_parallel[b->n_runs++] = (int)n;
    }
    return true;
}

/* --- what the work costs at least ------------------------------------------------------------- */

static void count_work(const struct bench *b, struct result *r)
{
    const struct model_config *c = model_config(b->model);
    double p = b->opts.prompt_len, g = b->opts.gen_len, n = r->n,
           n_prompts = b->opts.shared_prompt ? 1 : n;
    double value = strstr(model_numerics(b->model), "float32") ? 4 : 2;
    double kv_token = 2.0 * value * c->n_kv_heads * c->head_dim * c->n_layers, context = p + g / 2;
    double cached = b->opts.shared_prompt ? p + n * g / 2
                                          : n * context; /* a shared prompt need be read but once */

    r->prefill_flops =
        n_prompts * p * (2 * model_layer_weights(c) + model_attention_flops(c, p / 2)) +
        n_prompts * 2 * model_head_weights(c);
    r->decode_flops =
        (double)r->n_decode * (2 * model_layer_weights(c) + 2 * model_head_weights(c) +
                               model_attention_flops(c, context));
    r->decode_bytes =
        r->n_steps * (value * (model_layer_weights(c) + model_head_weights(c)) + cached * kv_token);
}

/* --- running ---------------------------------------------------------------------------------- */

static void fill_prompt(const struct bench *b, int32_t *ids, uint64_t key)
{
    int vocab = model_config(b->model)->vocab_size;

    for (int i = 0; i < b->opts.prompt_len; i++)
        ids[i] = (int32_t)(philox4x32(key, (uint32_t)i, 0, 0, 0).v[0] % (uint32_t)vocab);
}

static bool add_all(struct bench *b, int n, int max_tokens, uint64_t key, struct err *e)
{
    int32_t *ids = xcalloc((size_t)b->opts.prompt_len, sizeof(*ids));
    bool ok = true;

    for (int i = 0; ok && i < n; i++) {
        struct engine_request r = {.id = (uint64_t)i,
                                   .prompt_ids = ids,
                                   .n_prompt = b->opts.prompt_len,
                                   .max_tokens = max_tokens,
                                   .n_logprobs = -1,
                                   .n_prompt_logprobs = -1,
                                   .ignore_eos = true,
                                   .params = {.temperature = 0.6f,
                                              .top_p = 0.95f,
                                              .top_k = 40,
                                              .repetition_penalty = 1,
                                              .seed = (uint64_t)i + 1}};

        fill_prompt(b, ids, key + (b->opts.shared_prompt ? 0 : (uint64_t)i));
        ok = engine_add(b->engine, &r, e) != NULL;
    }
    free(ids);
    return ok;
}

/* Steps until all n have a token and then, with `to_the_end`, until the first is finished; *began
 * is when all had one. */
static bool run_steps(struct bench *b, int n, bool to_the_end, struct result *r, int64_t *began,
                      struct err *e)
{
    int n_started = 0, n_finished = 0;

    *began = 0;
    while (!engine_is_idle(b->engine)) {
        struct engine_seq **out;
        int n_out;

        if (!engine_step(b->engine, &out, &n_out, e))
            return false;
        if (*began && n_finished == 0) {
            r->n_decode += n_out;
            r->n_steps++;
        }
        for (int i = 0; i < n_out; i++) {
            n_started += out[i]->seq->n_tokens == out[i]->seq->n_prompt + 1;
            n_finished += out[i]->finish != ENGINE_RUNNING;
            if (out[i]->finish != ENGINE_RUNNING)
                engine_release(b->engine, out[i]);
        }
        if (n_started == n && !*began)
            *began = clock_us();
        if (to_the_end && n_finished > 0 && r->decode_s <= 0)
            r->decode_s = (double)(clock_us() - *began) / 1e6;
    }
    return true;
}

static bool measure(struct bench *b, int n, int run, struct result *r, struct err *e)
{
    uint64_t key = ((uint64_t)run + 1) << 32;
    struct engine_stats before, after;
    int64_t start = clock_us(), began;

    *r = (struct result){.n = n};
    engine_stats(b->engine, &before);
    if (!add_all(b, n, 1, key, e) || !run_steps(b, n, false, r, &began, e))
        return false;
    r->prefill_s = (double)(began - start) / 1e6;
    engine_stats(b->engine, &after);
    r->n_prefill = (int64_t)(after.n_prefill_tokens - before.n_prefill_tokens);
    before = after;
    if (!add_all(b, n, b->opts.gen_len, key, e) || !run_steps(b, n, true, r, &began, e))
        return false;
    engine_stats(b->engine, &after);
    r->draw_s = (double)(after.draw_us - before.draw_us) / 1e6;
    count_work(b, r);
    return true;
}

/* --- telling ---------------------------------------------------------------------------------- */

static double peak_gib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / (1024.0 * 1024.0);
}

/* The least time that the machine's limits allow the decode phase, as a share of the time it took.
 */
static double share_of_limit(const struct bench *b, const struct result *r)
{
    double least = MAX(r->decode_bytes / b->limits.bandwidth, r->decode_flops / b->limits.flops);

    return least / r->decode_s;
}

static void say_table_head(const struct bench *b)
{
    printf("%s, prompt %d%s, answer %d; %s; read %.1f GB/s, %.0f GFLOP/s\n",
           path_base(b->engine_opts.model_name_or_path), b->opts.prompt_len,
           b->opts.shared_prompt ? " shared" : "", b->opts.gen_len, model_numerics(b->model),
           b->limits.bandwidth / 1e9, b->limits.flops / 1e9);
    printf("%8s %12s %8s %12s %9s %11s %8s %9s %8s %9s\n", "parallel", "prefill t/s", "% peak",
           "decode t/s", "ms/step", "% bandwidth", "% peak", "% limit", "% draw", "peak GiB");
}

static void say_row(const struct bench *b, const struct result *r)
{
    printf("%8d %12.1f %8.1f %12.1f %9.2f %11.1f %8.1f %9.1f %8.1f %9.2f\n", r->n,
           (double)r->n_prefill / r->prefill_s,
           100 * r->prefill_flops / r->prefill_s / b->limits.flops,
           (double)r->n_decode / r->decode_s, 1e3 * r->decode_s / r->n_steps,
           100 * r->decode_bytes / r->decode_s / b->limits.bandwidth,
           100 * r->decode_flops / r->decode_s / b->limits.flops, 100 * share_of_limit(b, r),
           100 * r->draw_s / r->decode_s, peak_gib());
    fflush(stdout);
}

static struct json *row_json(const struct bench *b, const struct result *r)
{
    struct json *o = json_new_object();

    json_set(o, "n_parallel", json_new_int(r->n));
    json_set(o, "prefill_tokens", json_new_int(r->n_prefill));
    json_set(o, "prefill_tokens_per_s", json_new_real((double)r->n_prefill / r->prefill_s));
    json_set(o, "prefill_share_of_peak",
             json_new_real(r->prefill_flops / r->prefill_s / b->limits.flops));
    json_set(o, "decode_tokens", json_new_int(r->n_decode));
    json_set(o, "decode_tokens_per_s", json_new_real((double)r->n_decode / r->decode_s));
    json_set(o, "decode_ms_per_step", json_new_real(1e3 * r->decode_s / r->n_steps));
    json_set(o, "decode_share_of_bandwidth",
             json_new_real(r->decode_bytes / r->decode_s / b->limits.bandwidth));
    json_set(o, "decode_share_of_peak",
             json_new_real(r->decode_flops / r->decode_s / b->limits.flops));
    json_set(o, "decode_share_of_limit", json_new_real(share_of_limit(b, r)));
    json_set(o, "draw_share", json_new_real(r->draw_s / r->decode_s));
    json_set(o, "peak_memory_gib", json_new_real(peak_gib()));
    return o;
}

static void say_json(const struct bench *b, struct json *rows)
{
    struct json *o = json_new_object();
    struct buf text = {0};

    json_set(o, "model", json_new_str(STR(b->engine_opts.model_name_or_path)));
    json_set(o, "numerics", json_new_str(STR(model_numerics(b->model))));
    json_set(o, "prompt_len", json_new_int(b->opts.prompt_len));
    json_set(o, "gen_len", json_new_int(b->opts.gen_len));
    json_set(o, "shared_prompt", json_new_bool(b->opts.shared_prompt));
    json_set(o, "weight_bytes", json_new_int((int64_t)model_weight_bytes(b->model)));
    json_set(o, "bandwidth_bytes_per_s", json_new_real(b->limits.bandwidth));
    json_set(o, "peak_flops", json_new_real(b->limits.flops));
    json_set(o, "runs", rows);
    json_write_indent(&text, o, 2);
    puts(buf_z(&text));
    buf_clear(&text);
    json_close(o);
}

/* --- the command ------------------------------------------------------------------------------ */

/* The machine's limits, measured before the model takes its memory. */
static bool measure_limits(struct bench *b, const struct model_opts *m, struct err *e)
{
    struct device_opts o = {.name = "cpu",
                            .cpu_isa = m->cpu_isa,
                            .n_threads = m->n_threads,
                            .compute = strcmp(m->dtype, "float32") == 0 ? DTYPE_F32 : DTYPE_BF16};
    struct device *d = device_open(&o, e);

    if (!d)
        return false;
    cpu_measure_limits(d, &b->limits);
    device_close(d);
    return true;
}

static bool open_engine(struct bench *b, struct err *e)
{
    struct model_opts m;
    struct engine_limits l;
    int most = 1, per_seq = (b->opts.prompt_len + b->opts.gen_len + 15) / 16 + 1;

    for (int i = 0; i < b->n_runs; i++)
        most = MAX(most, b->n_parallel[i]);
    b->engine_opts.max_num_seqs = MAX(b->engine_opts.max_num_seqs, most);
    b->engine_opts.max_model_len = b->opts.prompt_len + b->opts.gen_len;
    m = engine_opts_model(&b->engine_opts);
    if (!measure_limits(b, &m, e))
        return false;
    b->model = model_open(b->engine_opts.model_name_or_path, &m, e);
    if (!b->model)
        return false;
    l = (struct engine_limits){.max_num_seqs = m.max_num_seqs,
                               .max_num_batched_tokens = m.max_num_batched_tokens,
                               .max_logits = m.max_logits,
                               .memory_utilization = b->engine_opts.gpu_memory_utilization,
                               .n_blocks = most * per_seq + 1,
                               .has_prefix_cache = true,
                               .n_threads = m.n_threads};
    b->engine = engine_open(b->model, &l, e);
    return b->engine != NULL;
}

static int run(struct bench *b)
{
    struct err e = ERR_INIT;
    struct json *rows = json_new_array();
    bool ok = read_n_parallel(b, &e) && open_engine(b, &e);

    if (ok && !b->opts.json)
        say_table_head(b);
    for (int i = 0; ok && i < b->n_runs; i++) {
        struct result r;

        ok = measure(b, b->n_parallel[i], i, &r, &e);
        if (ok && b->opts.json)
            json_push(rows, row_json(b, &r));
        else if (ok)
            say_row(b, &r);
    }
    if (ok && b->opts.json)
        say_json(b, rows);
    else
        json_close(rows);
    engine_close(b->engine);
    model_close(b->model);
    return ok ? EXIT_OK : command_failed(&e);
}

int cmd_bench(int argc, char **argv)
{
    struct bench b = {0};
    const struct opt_group groups[] = {
        {"Measurement", bench_table, &b.opts},
        {"Model and engine", engine_table, &b.engine_opts},
    };
    struct err e = ERR_INIT;
    int status;

    log_set_prefix("llmeval bench");
    if (opts_asks_help(argc, argv))
        return command_help(help, groups, (int)LEN(groups));
    status =
        opts_parse(argc, argv, groups, (int)LEN(groups), NULL, &e) ? run(&b) : command_failed(&e);
    opts_clear(groups, (int)LEN(groups), NULL);
    return status;
}
