/* cmd_online.c - llmeval online: samples a benchmark from servers with an OpenAI-compatible API. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "eval/run.h"
#include "eval/run_summary.h"
#include "eval/store.h"
#include "eval/store_row.h"
#include "generator/generator_remote.h"
#include "task/docs.h"

static const char help[] =
    "usage: llmeval online --input_file FILE --output_file FILE --base_url URL [OPTIONS]\n"
    "\n"
    "Asks a server with an OpenAI-compatible API for n_samples answers to every problem and writes one JSON\n"
    "line for each. When the run was interrupted, the same command goes on where it ended.\n"
    "\n"
    "  llmeval online --input_file data/aime24.jsonl --output_file out/aime24.jsonl \\\n"
    "      --base_url http://127.0.0.1:8000/v1 --model_name Qwen/QwQ-32B --n_samples 64 --max_workers 64\n"
    "\n"
    "Exit status: 0 every sample is stored, 2 bad option or input (nothing was lost), 3 some samples failed,\n"
    "130 interrupted. Flags may be written with - or _, values after a blank or =.\n";

struct online {
    struct data_opts data;
    struct prompt_opts prompt;
    struct sampling_opts sampling;
    struct remote_opts remote;
    struct run_opts run;
    struct docs *docs;
    struct generator *g;
    struct store *store;
    struct str system_prompt;
    struct str *stop;
};

static bool make_request(void *ctx, int doc, int sample, struct arena *a, struct gen_request *r, struct err *e)
{
    const struct online *o = ctx;
    const struct doc *d = &o->docs->items[doc];
    struct chat_part *parts = arena_array(a, 2, sizeof(*parts));
    struct chat_msg *msgs = arena_array(a, 2, sizeof(*msgs));
    int n = 0;

    if (o->system_prompt.len > 0) {
        parts[n] = (struct chat_part){PART_TEXT, o->system_prompt};
        msgs[n] = (struct chat_msg){.role = STR("system"), .parts = &parts[n], .n_parts = 1};
        n++;
    }
    parts[n] = (struct chat_part){PART_TEXT, d->prompt};
    msgs[n] = (struct chat_msg){.role = STR("user"), .parts = &parts[n], .n_parts = 1};
    n++;
    r->kind = GEN_CHAT;
    r->msgs = msgs;
    r->n_msgs = n;
    r->sampling = sampling_of(&o->sampling, o->stop);
    r->sampling.seed = sample_seed((uint64_t)o->sampling.seed, d->id, (uint32_t)sample);
    r->sampling.has_seed = true;
    r->overlong = strcmp(o->sampling.overlong, "clamp") == 0 ? OVERLONG_CLAMP : OVERLONG_REJECT;
    return true;
}

static const char *doc_name(void *ctx, int doc)
{
    const struct online *o = ctx;

    return o->docs->items[doc].id.ptr;
}

static bool choose_system_prompt(struct online *o, struct err *e)
{
    bool has_own = o->prompt.system_prompt && o->prompt.system_prompt[0];

    o->system_prompt = system_prompt_text(o->prompt.system_prompt_type);
    if (has_own && o->system_prompt.len > 0)
        return err_set(e, ERR_INPUT, "--system_prompt and --system_prompt_type %s exclude each other",
                       o->prompt.system_prompt_type);
    if (has_own)
        o->system_prompt = STR(o->prompt.system_prompt);
    return true;
}

static bool open_docs(struct online *o, struct err *e)
{
    const char *refused[4] = {store_row_refused[0], store_row_refused[1], o->data.response_key, NULL};
    struct docs_keys keys = {o->data.input_key, o->data.label_key, refused, store_row_renamed};

    o->docs = docs_open(o->data.input_file, &keys, e);
    if (!o->docs)
        return false;
    if (o->docs->n_without_answer > 0)
        log_warn("%s: %d of %d problems have no field \"%s\"; they can be sampled but not scored", o->data.input_file,
                 o->docs->n_without_answer, o->docs->n, o->data.label_key);
    if (o->docs->n_renamed > 0)
        log_info("%s: %d fields have names that results use; they are kept as input_<name>", o->data.input_file,
                 o->docs->n_renamed);
    return true;
}

static bool open_store(struct online *o, const struct opt_group *groups, int n_groups, struct err *e)
{
    struct store_opts so = {
        .docs = o->docs,
        .n_samples = o->sampling.n_samples,
        .prompt_key = o->data.input_key,
        .response_key = o->data.response_key,
        .fsync = strcmp(o->data.fsync, "always") == 0   ? STORE_FSYNC_ALWAYS
                 : strcmp(o->data.fsync, "never") == 0 ? STORE_FSYNC_NEVER
                                                       : STORE_FSYNC_INTERVAL,
        .repair = o->data.repair_resume,
        .groups = groups,
        .n_groups = n_groups,
    };
    struct store_counts c;

    o->store = store_open(o->data.output_file, &so, e);
    if (!o->store)
        return false;
    store_counts(o->store, &c);
    if (c.n_torn_bytes > 0)
        log_warn("%s: a torn last line of %lld bytes was cut off", o->data.output_file, (long long)c.n_torn_bytes);
    if (c.n_damaged_lines > 0)
        log_warn("%s: %lld damaged lines were moved to %s.damaged", o->data.output_file, (long long)c.n_damaged_lines,
                 o->data.output_file);
    if (c.n_error_rows > 0)
        log_info("%s: %lld rows stand for failed samples; those are sampled again", o->data.output_file,
                 (long long)c.n_error_rows);
    if (c.is_legacy && c.n_rows > 0)
        log_warn("%s has no manifest: whether its %lld rows were sampled alike is not known", o->data.output_file,
                 (long long)c.n_rows);
    return true;
}

/* The manifest records the model that was found, not the empty option that found it. */
static void record_model(struct online *o)
{
    if (o->remote.model_name && o->remote.model_name[0])
        return;
    free((char *)(uintptr_t)o->remote.model_name);
    o->remote.model_name = xstrdup(o->g->model_name);
}

static void warn_about_context(const struct online *o)
{
    int len = o->g->max_model_len;

    if (len > 0 && o->sampling.max_tokens >= len)
        log_warn("max_tokens %d leaves no room for a prompt in a context of %d: limits will be %s", o->sampling.max_tokens,
                 len, strcmp(o->sampling.overlong, "clamp") == 0 ? "clamped" : "refused");
    if (o->remote.strict_openai && o->sampling.top_k > 0)
        log_warn("--strict_openai: top_k, min_p and repetition_penalty are not sent");
}

static void say_lines(struct str text)
{
    struct str line;

    while (str_cut(&text, '\n', &line))
        if (line.len > 0)
            log_info(STR_FMT, STR_ARG(line));
}

static void say_identical(const struct online *o)
{
    int doc, a, b, n = store_n_identical(o->store, &doc, &a, &b);

    if (n > 0 && o->sampling.temperature > 0)
        log_warn("%d of %d problems have samples with the same text (doc_id %s: %d and %d): does the server use the "
                 "seeds?", n, o->docs->n, o->docs->items[doc].id.ptr, a, b);
}

static void say_summary(const struct online *o, const struct run_result *result)
{
    struct store_counts counts;
    struct gen_stats stats;
    struct buf text = {0};

    store_counts(o->store, &counts);
    generator_stats(o->g, &stats);
    run_summary_write(&text, result, &counts, &stats);
    say_lines(buf_str(&text));
    buf_clear(&text);
    say_identical(o);
}

static int say_end(const struct online *o, const struct run_result *r)
{
    const char *again = "run the same command again to go on";

    switch (r->end) {
    case RUN_INTERRUPTED:
        log_info("interrupted; what had arrived is in %s: %s", o->data.output_file, again);
        return EXIT_INTERRUPTED;
    case RUN_STOPPED:
        log_error("stopped: %s. What had arrived is in %s; mend the cause, then %s", r->why, o->data.output_file, again);
        return EXIT_SOME_FAILED;
    default:
        if (r->n_failed == 0)
            return EXIT_OK;
        log_error("%lld samples failed; %s", (long long)r->n_failed, again);
        return EXIT_SOME_FAILED;
    }
}

static int run(struct online *o, const struct opt_group *groups, int n_groups)
{
    struct err e = ERR_INIT;
    struct run_result result;
    struct run_task task = {.n_samples = o->sampling.n_samples, .request = make_request, .ctx = o, .doc_name = doc_name};
    bool ok;
    int status;

    o->stop = xcalloc((size_t)o->sampling.stop.n + 1, sizeof(*o->stop));
    if (!choose_system_prompt(o, &e) || !open_docs(o, &e))
        return command_failed(&e);
    o->g = generator_remote_open(&o->remote, &e);
    if (!o->g)
        return command_failed(&e);
    record_model(o);
    warn_about_context(o);
    if (!open_store(o, groups, n_groups, &e))
        return command_failed(&e);
    task.store = o->store;
    task.n_docs = o->docs->n;
    run_catch_signals(o->g);
    ok = run_jobs(&task, 1, &o->run, o->g, &result, &e);
    say_summary(o, &result);
    if (ok)
        status = say_end(o, &result);
    else if (e.code == ERR_REMOTE)
        status = (command_failed(&e), EXIT_SOME_FAILED);
    else
        status = command_failed(&e);
    run_catch_signals(NULL);
    if (!store_close(o->store, &e) && ok)
        status = command_failed(&e);
    o->store = NULL;
    return status;
}

/* Other users of the machine can read a command line: the key leaves it. */
static void hide_key_in_arguments(int argc, char **argv)
{
    static const char *const names[] = {"--api_key", "--api-key"};

    for (int i = 0; i < argc; i++)
        for (size_t k = 0; k < LEN(names); k++) {
            size_t n = strlen(names[k]);
            char *value = NULL;

            if (strcmp(argv[i], names[k]) == 0 && i + 1 < argc)
                value = argv[i + 1];
            else if (strncmp(argv[i], names[k], n) == 0 && argv[i][n] == '=')
                value = argv[i] + n + 1;
            if (value)
                memset(value, '*', strlen(value));
        }
}

int cmd_online(int argc, char **argv)
{
    struct online o = {0};
    const struct opt_group groups[] = {
        {"Data", data_table, &o.data},
        {"Server", remote_server_table, &o.remote},
        {"Prompt", prompt_table, &o.prompt},
        {"Sampling (every value is sent, and recorded in the manifest)", sampling_table, &o.sampling},
        {"Concurrency, retries and time-outs", remote_limits_table, &o.remote},
        {"When to stop", run_table, &o.run},
    };
    struct err e = ERR_INIT;
    int status;

    log_set_prefix("llmeval online");
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return command_help(help, groups, (int)LEN(groups));
    if (!opts_parse(argc, argv, groups, (int)LEN(groups), NULL, &e)) {
        status = command_failed(&e);
    } else {
        hide_key_in_arguments(argc, argv);
        status = run(&o, groups, (int)LEN(groups));
    }
    if (!store_close(o.store, &e))
        log_debug("%s", e.msg);
    generator_close(o.g);
    docs_close(o.docs);
    free(o.stop);
    opts_clear(groups, (int)LEN(groups), NULL);
    return status;
}
