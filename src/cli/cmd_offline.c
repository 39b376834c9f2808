/* cmd_offline.c - llmeval offline: samples a benchmark with the engine of this program. */
#include "base/arena.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/local_model.h"
#include "eval/session.h"
#include "formats/json.h"
#include "generator/generator_local.h"

static const char help[] =
    "usage: llmeval offline --input_file FILE --output_file FILE --model_name_or_path FOLDER "
    "[OPTIONS]\n"
    "\n"
    "Loads a model and draws n_samples answers to every problem, one JSON line for each. No server "
    "and no\n"
    "Python. When the run was interrupted, the same command goes on where it ended; the answers "
    "are the same as\n"
    "those of a run that was not.\n"
    "\n"
    "  llmeval offline --input_file data/aime24.jsonl --output_file out/aime24.jsonl \\\n"
    "      --model_name_or_path models/Qwen2.5-1.5B-Instruct --max_model_len 32768 --n_samples 64\n"
    "\n"
    "Under mpirun -n N the model is shared by N processes.\n"
    "\n"
    "Exit status: 0 every sample is stored, 2 bad option or input (nothing was lost), 3 some "
    "samples failed,\n"
    "130 interrupted. Flags may be written with - or _, values after a blank or =.\n";

struct offline_opts {
    bool skip_special_tokens, fail_fast;
    int batch_size;
};

static const struct opt offline_table[] = {
    OPT_BOOL(struct offline_opts, skip_special_tokens, "true",
             "special tokens are no part of the answer's text"),
    OPT_INT(struct offline_opts, batch_size, "128", 1, 1 << 30,
            "all samples stand in one queue; max_num_seqs of them run at once",
            .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_BOOL(struct offline_opts, fail_fast, "true",
             "--max_failures and --max_consecutive_failures decide",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    {0},
};

struct offline {
    struct data_opts data;
    struct prompt_opts prompt;
    struct sampling_opts sampling;
    struct run_opts run;
    struct engine_opts engine;
    struct offline_opts offline;
    struct json *kwargs;
};

static bool open_model(struct offline *o, struct generator **g, struct err *e)
{
    *g = generator_local_open(&o->engine, e);
    if (!*g)
        return false;
    local_model_say_opened(&o->engine, *g);
    if (o->sampling.temperature < 1e-5 && o->sampling.n_samples > 1)
        log_warn("--temperature 0: the %d samples of a problem are the same by definition",
                 o->sampling.n_samples);
    local_model_record(&o->engine, *g);
    return true;
}

static int run(struct offline *o, const struct opt_group *groups, int n_groups)
{
    const struct session_opts so = {.data = &o->data,
                                    .prompt = &o->prompt,
                                    .sampling = &o->sampling,
                                    .run = &o->run,
                                    .groups = groups,
                                    .n_groups = n_groups,
                                    .template_kwargs = o->kwargs,
                                    .keep_special_tokens = !o->offline.skip_special_tokens,
                                    .is_reproducible = true};
    struct err e = ERR_INIT;
    struct session *s = session_open(&so, &e);
    struct generator *g = NULL;
    int status;

    if (s && session_add(s, o->data.input_file, o->data.output_file, &e) && open_model(o, &g, &e) &&
        session_open_stores(s, g, &e)) {
        status = session_run(s, NULL);
        local_model_say_work(g);
    } else {
        status = command_failed(&e);
    }
    session_close(s);
    generator_close(g);
    return status;
}

/* Under mpirun all ranks but the first only help with the model. */
static int follow_or_run(struct offline *o, const struct opt_group *groups, int n_groups)
{
    struct err e = ERR_INIT;
    bool followed;

    o->engine.seed_base = o->sampling.seed;
    if (!generator_local_follow(&o->engine, &followed, &e))
        return command_failed(&e);
    return followed ? EXIT_OK : run(o, groups, n_groups);
}

int cmd_offline(int argc, char **argv)
{
    struct offline o = {0};
    const struct opt_group groups[] = {
        {"Data", data_table, &o.data},
        {"Model and engine", engine_table, &o.engine},
        {"Prompt", prompt_table, &o.prompt},
        {"Answers", offline_table, &o.offline},
        {"Sampling", sampling_table, &o.sampling},
        {"When to stop", run_table, &o.run},
    };
    struct err e = ERR_INIT;
    int status;

    log_set_prefix("llmeval offline");
    if (opts_asks_help(argc, argv))
        return command_help(help, groups, (int)LEN(groups));
    if (opts_parse(argc, argv, groups, (int)LEN(groups), NULL, &e) &&
        prompt_kwargs(&o.prompt, argc, argv, &o.kwargs, &e))
        status = follow_or_run(&o, groups, (int)LEN(groups));
    else
        status = command_failed(&e);
    json_close(o.kwargs);
    opts_clear(groups, (int)LEN(groups), NULL);
    return status;
}
