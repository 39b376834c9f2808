/* cmd_run.c - llmeval run: samples several benchmarks through one queue, scores them, writes a
 * summary. */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/local_model.h"
#include "eval/session.h"
#include "eval/summary.h"
#include "formats/json.h"
#include "generator/generator_local.h"
#include "generator/generator_remote.h"

enum { INTERIM_EVERY_MS = 20000, N_GROUPS = 7, N_RECORDED = 3 };

extern char **environ;

struct pipeline_opts {
    const char *tasks, *output_dir, *data_dir, *baselines_dir, *group_key;
    bool interim;
};

static const struct opt pipeline_table[] = {
    OPT_STR(struct pipeline_opts, tasks, NULL,
            "benchmarks by name, with commas between: the names of files in --data_dir",
            .flags = OPT_REQUIRED | OPT_UNRECORDED),
    OPT_STR(struct pipeline_opts, output_dir, "output",
            "folder for answers, verdicts, scores and summary. When it is there, "
            "the run goes on where it ended",
            .flags = OPT_UNRECORDED),
    OPT_STR(struct pipeline_opts, data_dir, "data", "folder of the benchmarks, NAME.jsonl",
            .flags = OPT_UNRECORDED),
    OPT_STR(struct pipeline_opts, baselines_dir, "baselines",
            "folder of published figures to show beside the results", .flags = OPT_UNRECORDED),
    OPT_STR(struct pipeline_opts, group_key, "level",
            "field that divides the problems: accuracy is also given for each of "
            "its values",
            .flags = OPT_UNRECORDED),
    OPT_BOOL(struct pipeline_opts, interim, "true",
             "score rounds that are complete for all problems while the run goes on",
             .flags = OPT_UNRECORDED),
    {0},
};

static const char help[] =
    "usage: llmeval run --tasks NAME[,NAME ...] (--base_url URL | --model_name_or_path DIR) [OPTIONS]\n"
    "\n"
    "Samples every problem of every task through one queue, scores the answers and writes summary.md and\n"
    "summary.json. When the run was interrupted, the same command goes on where it ended.\n"
    "\n"
    "  llmeval run --tasks aime24,aime25 --base_url http://127.0.0.1:8000/v1 --n_samples 64 --output_dir out\n";

/* data_opts has no table here: keys are those of the benchmarks that come with the program. */
struct pipeline {
    struct pipeline_opts o;
    struct data_opts data;
    struct prompt_opts prompt;
    struct json *kwargs; /* of the chat template; may be NULL */
    struct sampling_opts sampling;
    struct remote_opts remote;
    struct engine_opts engine;
    struct run_opts run;
    struct opt_group recorded[N_RECORDED]; /* what can change an answer */
    struct arena arena;
    const char **names;   /* of the files */
    const char **tasks;   /* as the score names them */
    const char **outputs; /* their answers */
    int n_tasks;
    int64_t last_interim_ms;
    pid_t interim; /* a scoring process under way; 0: none */
};

/* --- tasks ------------------------------------------------------------------------------------ */

/* A benchmark whose name belongs to another grader keeps it; the rest is mathematics. */
static const char *task_name(struct arena *a, const char *name)
{
    return grader_for_task(STR(name)) == grader_find(STR("math"))
               ? str_fmt(a, "math_opensource/%s", name).ptr
               : name;
}

static bool add_task(struct pipeline *p, struct session *s, struct str name, struct err *e)
{
    const char *input =
        str_fmt(&p->arena, "%s/" STR_FMT ".jsonl", p->o.data_dir, STR_ARG(name)).ptr;

    if (name.len == 0)
        return err_set(e, ERR_INPUT, "--tasks \"%s\" has an empty name", p->o.tasks);
    if (!file_exists(input))
        return err_set(e, ERR_INPUT,
                       "there is no task \"" STR_FMT
                       "\": %s does not exist (--data_dir names another folder)",
                       STR_ARG(name), input);
    for (int i = 0; i < p->n_tasks; i++)
        if (str_eqz(name, p->names[i]))
            return err_set(e, ERR_INPUT, "--tasks names \"" STR_FMT "\" twice", STR_ARG(name));
    p->names[p->n_tasks] = str_dup(&p->arena, name).ptr;
    p->tasks[p->n_tasks] = task_name(&p->arena, p->names[p->n_tasks]);
    p->outputs[p->n_tasks] =
        str_fmt(&p->arena, "%s/" STR_FMT ".jsonl", p->o.output_dir, STR_ARG(name)).ptr;
    return session_add(s, input, p->outputs[p->n_tasks++], e);
}

static bool add_tasks(struct pipeline *p, struct session *s, struct err *e)
{
    struct str list = STR(p->o.tasks), name;

    p->names = arena_array(&p->arena, list.len + 1, sizeof(*p->names));
    p->tasks = arena_array(&p->arena, list.len + 1, sizeof(*p->tasks));
    p->outputs = arena_array(&p->arena, list.len + 1, sizeof(*p->outputs));
    while (str_cut(&list, ',', &name))
        if (!add_task(p, s, str_trim(name), e))
            return false;
    return true;
}

/* --- scores under way ------------------------------------------------------------------------- */

/* The whole rounds of one task are scored by a process of its own, so that sampling does not wait.
 */
static void round_done(void *ctx, int task, int n_rounds)
{
    struct pipeline *p = ctx;
    char rounds[16];
    const char *const argv[] = {"llmeval",
                                "score",
                                "--input_path",
                                p->outputs[task],
                                "--task_name",
                                p->tasks[task],
                                "--first_n_samples",
                                rounds,
                                "--bootstrap_samples",
                                "0",
                                "--max_workers",
                                "1",
                                "--brief",
                                NULL};
    posix_spawn_file_actions_t actions;

    if (p->interim && waitpid(p->interim, NULL, WNOHANG) != 0)
        p->interim = 0;
    if (!p->o.interim || p->interim || n_rounds == p->sampling.n_samples ||
        clock_ms() - p->last_interim_ms < INTERIM_EVERY_MS)
        return;
    p->last_interim_ms = clock_ms();
    snprintf(rounds, sizeof(rounds), "%d", n_rounds);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (posix_spawn(&p->interim, "/proc/self/exe", &actions, NULL, (char *const *)(uintptr_t)argv,
                    environ) != 0)
        p->interim = 0;
    posix_spawn_file_actions_destroy(&actions);
}

/* --- scores at the end ------------------------------------------------------------------------ */

static struct score *score_task(struct pipeline *p, int task, struct err *e)
{
    const struct score_opts o = {
        .input_path = p->outputs[task],
        .task_name = p->tasks[task],
        .input_key = p->data.input_key,
        .label_key = p->data.label_key,
        .response_key = p->data.response_key,
        .group_key = p->o.group_key,
        .n_samples = p->sampling.n_samples,
        .max_workers = 128,
        .timeout = 20,
        .seed = p->sampling.seed,
        .bootstrap_samples = 1000,
        .confidence_level = 0.95,
    };
    const char *scored =
        str_fmt(&p->arena, "%s/%s.scored.jsonl", p->o.output_dir, p->names[task]).ptr;
    const char *result =
        str_fmt(&p->arena, "%s/%s.score.json", p->o.output_dir, p->names[task]).ptr;
    struct score *s = score_open(&o, e);
    struct buf out = {0};

    if (s) {
        score_write_json(s, NULL, &out);
        if (!score_write_samples(s, scored, e) || !file_replace(result, buf_str(&out), e)) {
            score_close(s);
            s = NULL;
        }
    }
    buf_clear(&out);
    return s;
}

static bool write_summary(struct pipeline *p, const struct summary *s, struct err *e)
{
    struct buf markdown = {0}, json = {0};
    bool ok;

    summary_write_markdown(s, &markdown);
    summary_write_json(s, &json);
    ok = file_replace(path_join(&p->arena, p->o.output_dir, "summary.md"), buf_str(&markdown), e) &&
         file_replace(path_join(&p->arena, p->o.output_dir, "summary.json"), buf_str(&json), e);
    if (ok)
        fputs(buf_z(&markdown), stdout);
    buf_clear(&markdown);
    buf_clear(&json);
    return ok;
}

static bool has_answers(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > 0;
}

static bool score_all(struct pipeline *p, const char *model, const char *engine,
                      const struct run_result *run, struct err *e)
{
    struct score **scores = xcalloc((size_t)p->n_tasks, sizeof(*scores));
    struct published *published = published_open(p->o.baselines_dir, e);
    bool ok = published != NULL;

    for (int i = 0; ok && i < p->n_tasks; i++) {
        if (!has_answers(p->outputs[i]))
            continue;
        scores[i] = score_task(p, i, e);
        ok = scores[i] != NULL;
    }
    if (ok) {
        const struct summary s = {
            .model = model,
            .engine = engine,
            .tasks = p->tasks,
            .scores = (const struct score *const *)scores,
            .n_tasks = p->n_tasks,
            .run = run,
            .published = published,
            .groups = p->recorded,
            .n_groups = N_RECORDED,
        };

        ok = write_summary(p, &s, e);
    }
    for (int i = 0; i < p->n_tasks; i++)
        score_close(scores[i]);
    published_close(published);
    free(scores);
    return ok;
}

/* --- the command ------------------------------------------------------------------------------ */

static struct generator *open_generator(struct pipeline *p, struct err *e)
{
    bool is_local = p->engine.model_name_or_path[0];
    struct generator *g;

    if (is_local ? p->remote.base_url.n > 0 : !remote_first_url(&p->remote)) {
        err_set(e, ERR_INPUT,
                "give either --base_url (a server) or --model_name_or_path (a model folder)");
        return NULL;
    }
    p->recorded[0] = is_local ? (struct opt_group){"Model", engine_table, &p->engine}
                              : (struct opt_group){"Server", remote_server_table, &p->remote};
    p->recorded[1] = (struct opt_group){"Prompt", prompt_table, &p->prompt};
    p->recorded[2] = (struct opt_group){"Sampling", sampling_table, &p->sampling};
    if (!is_local)
        return generator_remote_open(&p->remote, e);
    g = generator_local_open(&p->engine, e);
    if (g) {
        local_model_say_opened(&p->engine, g);
        local_model_record(&p->engine, g);
    }
    return g;
}

/* The manifest names the model that was found, so that a later run with another one is refused. */
static void record_model(struct pipeline *p, const struct generator *g)
{
    if (p->engine.model_name_or_path[0] || p->remote.model_name[0])
        return;
    free((char *)(uintptr_t)p->remote.model_name);
    p->remote.model_name = xstrdup(g->model_name);
}

static bool open_all(struct pipeline *p, struct session **s, struct generator **g, struct err *e)
{
    struct session_opts so = {.data = &p->data,
                              .prompt = &p->prompt,
                              .sampling = &p->sampling,
                              .run = &p->run,
                              .groups = p->recorded,
                              .n_groups = N_RECORDED,
                              .template_kwargs = p->kwargs,
                              .round_done = round_done,
                              .ctx = p,
                              .is_reproducible = p->engine.model_name_or_path[0] != '\0'};

    *s = session_open(&so, e);
    if (!*s || !add_tasks(p, *s, e))
        return false;
    *g = open_generator(p, e);
    if (!*g)
        return false;
    record_model(p, *g);
    return session_open_stores(*s, *g, e);
}

static int run(struct pipeline *p)
{
    struct session *s = NULL;
    struct generator *g = NULL;
    struct err e = ERR_INIT;
    struct run_result result;
    const char *model = NULL, *engine = NULL;
    int status = EXIT_USAGE;
    bool ok = open_all(p, &s, &g, &e);

    if (ok) {
        model = str_dup(&p->arena, STR(g->model_name)).ptr;
        engine = p->engine.model_name_or_path[0] ? generator_local_numerics(g)
                                                 : remote_first_url(&p->remote);
        engine = str_dup(&p->arena, STR(engine)).ptr;
        status = session_run(s, &result);
        if (p->engine.model_name_or_path[0])
            local_model_say_work(g);
    }
    session_close(s);
    generator_close(g); /* before workers are forked: its threads end here */
    if (p->interim)
        waitpid(p->interim, NULL, 0);
    if (!ok)
        return command_failed(&e);
    if (status != EXIT_OK && status != EXIT_SOME_FAILED)
        return status;
    if (!score_all(p, model, engine, &result, &e))
        return command_failed(&e);
    return status;
}

/* Under mpirun all ranks but the first only help with the model. */
static int follow_or_run(struct pipeline *p)
{
    struct err e = ERR_INIT;
    bool followed = false;

    if (p->engine.model_name_or_path[0] && !generator_local_follow(&p->engine, &followed, &e))
        return command_failed(&e);
    return followed ? EXIT_OK : run(p);
}

int cmd_run(int argc, char **argv)
{
    struct pipeline p = {.data = {.input_key = "prompt",
                                  .label_key = "answer",
                                  .response_key = "gen",
                                  .fsync = "interval"}};
    const struct opt_group groups[N_GROUPS] = {
        {"Tasks", pipeline_table, &p.o},
        {"A server", remote_server_table, &p.remote},
        {"Or a model folder", engine_table, &p.engine},
        {"Prompt", prompt_table, &p.prompt},
        {"Sampling (every value is recorded)", sampling_table, &p.sampling},
        {"Concurrency, retries and time-outs of a server", remote_limits_table, &p.remote},
        {"When to stop", run_table, &p.run},
    };
    struct err e = ERR_INIT;
    int status;

    if (opts_asks_help(argc, argv))
        return command_help(help, groups, N_GROUPS);
    log_set_prefix("llmeval run");
    arena_init(&p.arena, 0);
    if (opts_parse(argc, argv, groups, N_GROUPS, NULL, &e) &&
        prompt_kwargs(&p.prompt, argc, argv, &p.kwargs, &e)) {
        opts_hide_secrets(groups, N_GROUPS, argc, argv);
        status = follow_or_run(&p);
    } else {
        status = command_failed(&e);
    }
    json_close(p.kwargs);
    opts_clear(groups, N_GROUPS, NULL);
    arena_clear(&p.arena);
    return status;
}
