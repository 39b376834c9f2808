/* cmd_online.c - llmeval online: samples a benchmark from servers with an OpenAI-compatible API. */
#include "base/arena.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "eval/session.h"
#include "formats/json.h"
#include "generator/generator_remote.h"

static const char help[] =
    "usage: llmeval online --input_file FILE --output_file FILE --base_url URL [OPTIONS]\n"
    "\n"
    "Asks a server with an OpenAI-compatible API for n_samples answers to every problem and writes "
    "one JSON\n"
    "line for each. When the run was interrupted, the same command goes on where it ended.\n"
    "\n"
    "  llmeval online --input_file data/aime24.jsonl --output_file out/aime24.jsonl \\\n"
    "      --base_url http://127.0.0.1:8000/v1 --model_name Qwen/QwQ-32B --n_samples 64 "
    "--max_workers 64\n"
    "\n"
    "Exit status: 0 every sample is stored, 2 bad option or input (nothing was lost), 3 some "
    "samples failed,\n"
    "130 interrupted. Flags may be written with - or _, values after a blank or =.\n";

struct online {
    struct data_opts data;
    struct prompt_opts prompt;
    struct json *kwargs; /* of the chat template; may be NULL */
    struct sampling_opts sampling;
    struct remote_opts remote;
    struct run_opts run;
};

/* The manifest records the model that was found, not the empty option that found it. */
static void record_model(struct online *o, const struct generator *g)
{
    if (o->remote.model_name && o->remote.model_name[0])
        return;
    free((char *)(uintptr_t)o->remote.model_name);
    o->remote.model_name = xstrdup(g->model_name);
}

static int run(struct online *o, const struct opt_group *groups, int n_groups)
{
    const struct session_opts so = {.data = &o->data,
                                    .prompt = &o->prompt,
                                    .sampling = &o->sampling,
                                    .run = &o->run,
                                    .template_kwargs = o->kwargs,
                                    .groups = groups,
                                    .n_groups = n_groups};
    struct err e = ERR_INIT;
    struct session *s = session_open(&so, &e);
    struct generator *g = NULL;
    int status;

    if (!s || !session_add(s, o->data.input_file, o->data.output_file, &e))
        goto fail;
    g = generator_remote_open(&o->remote, &e);
    if (!g)
        goto fail;
    record_model(o, g);
    if (o->remote.strict_openai && o->sampling.top_k > 0)
        log_warn("--strict_openai: top_k, min_p and repetition_penalty are not sent");
    if (!session_open_stores(s, g, &e))
        goto fail;
    status = session_run(s, NULL);
    session_close(s);
    generator_close(g);
    return status;

fail:
    session_close(s);
    generator_close(g);
    return command_failed(&e);
}

int cmd_online(int argc, char **argv)
{
    struct online o = {0};
    const struct opt_group groups[] = {
        {"Data", data_table, &o.data},
        {"Server", remote_server_table, &o.remote},
        {"Prompt", prompt_table, &o.prompt},
        {"Sampling (every value is sent, and recorded in the manifest)", sampling_table,
         &o.sampling},
        {"Concurrency, retries and time-outs", remote_limits_table, &o.remote},
        {"When to stop", run_table, &o.run},
    };
    struct err e = ERR_INIT;
    int status;

    log_set_prefix("llmeval online");
    if (opts_asks_help(argc, argv))
        return command_help(help, groups, (int)LEN(groups));
    if (!opts_parse(argc, argv, groups, (int)LEN(groups), NULL, &e) ||
        !prompt_kwargs(&o.prompt, argc, argv, &o.kwargs, &e)) {
        status = command_failed(&e);
    } else {
        opts_hide_secrets(groups, (int)LEN(groups), argc, argv);
        status = run(&o, groups, (int)LEN(groups));
    }
    json_close(o.kwargs);
    opts_clear(groups, (int)LEN(groups), NULL);
    return status;
}
