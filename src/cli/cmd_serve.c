/* cmd_serve.c - llmeval serve: a generator behind the OpenAI-compatible API. */
#include <signal.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/commands.h"
#include "formats/json.h"
#include "generator/generator_local.h"
#include "generator/generator_remote.h"
#include "generator/generator_scripted.h"
#include "server/server.h"

static const char usage_text[] =
    "usage: llmeval serve --model FOLDER [OPTIONS]\n"
    "       llmeval serve --base_url URL [OPTIONS]\n"
    "       llmeval serve --generator scripted [OPTIONS]\n\n"
    "Answers /v1/chat/completions, /v1/completions, /v1/models, /v1/score, /tokenize, /metrics and "
    "more\n"
    "until SIGTERM or Ctrl-C, which lets running answers finish; a second one ends at once.\n";

enum { SCRIPTED_MODEL_LEN = 32768, MAX_GENERATION_CONFIG = 1 << 20 };

struct serve_opts {
    const char *generator;
    struct opt_list base_url;
    const char *generation_config, *override_generation_config;
    int64_t seed;
    int priority_aging;
};

static const struct opt serve_table[] = {
    OPT_CHOICE(struct serve_opts, generator, "auto", "auto|local|remote|scripted",
               "where answers come from; auto: the model of --model, or the servers of --base_url"),
    OPT_LIST(struct serve_opts, base_url,
             "servers to pass requests on to (generator remote); their key is OPENAI_API_KEY"),
    OPT_STR(struct serve_opts, generation_config, "auto",
            "sampling where a request says nothing: auto: the model's generation_config.json; "
            "vllm: OpenAI's\n"
            "defaults; else the folder of a generation_config.json"),
    OPT_STR(struct serve_opts, override_generation_config, "", "JSON object put over it"),
    OPT_I64(struct serve_opts, seed, "0", 0, 9e15,
            "seeds of requests that bring none follow from it"),
    OPT_INT(struct serve_opts, priority_aging, "1000", 0, INT32_MAX,
            "steps of the engine that a request waits behind better priorities before it joins the "
            "next one; 0: as long as there are others"),
    {0},
};

struct serve {
    struct serve_opts serve;
    struct server_opts server;
    struct scripted_opts scripted;
    struct engine_opts engine;
    const char *name;
};

/* The one thing that a signal handler can reach. */
static struct server *serving;

static void on_signal(int signo)
{
    if (serving)
        server_stop(serving);
}

static struct generator *open_scripted(void *ctx, struct err *e)
{
    const struct serve *o = ctx;

    int len = o->engine.max_model_len;

    return generator_scripted_open(&o->scripted, o->name, len > 0 ? len : SCRIPTED_MODEL_LEN, e);
}

static struct generator *open_local(void *ctx, struct err *e)
{
    struct serve *o = ctx;

    o->engine.served_name = o->name;
    o->engine.seed_base = o->serve.seed;
    o->engine.aging_steps = o->serve.priority_aging;
    return generator_local_open(&o->engine, e);
}

/* A proxy: the tables of the client give every limit, the servers are named here. Its window of
 * concurrency grows to what this server takes. */
static struct generator *open_remote(void *ctx, struct err *e)
{
    const struct serve *o = ctx;
    struct remote_opts remote = {0};
    const struct opt_group groups[] = {{"", remote_server_table, &remote},
                                       {"", remote_limits_table, &remote}};
    struct generator *g;

    opts_defaults(groups, LEN(groups));
    remote.base_url = o->serve.base_url;
    remote.max_workers = o->server.max_queue;
    g = generator_remote_open(&remote, e);
    remote.base_url = (struct opt_list){0};
    opts_clear(groups, LEN(groups), NULL);
    return g;
}

/* One row for each way to answer. */
static const struct source {
    const char *name;
    struct generator *(*open)(void *ctx, struct err *e);
    struct server_faults faults;
} sources[] = {
    {"scripted", open_scripted, {scripted_wire_fault}},
    {"local", open_local, {NULL}},
    {"remote", open_remote, {NULL}},
};

static const struct source *source_find(const struct serve *o)
{
    const char *name = o->serve.generator;

    if (strcmp(name, "auto") == 0)
        name = *o->engine.model_name_or_path ? "local" : o->serve.base_url.n > 0 ? "remote" : "";
    for (size_t i = 0; i < LEN(sources); i++)
        if (strcmp(sources[i].name, name) == 0)
            return &sources[i];
    return NULL;
}

/* Each connection is a descriptor: ask for as many as the system allows. */
static void raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static const char *model_name(const struct serve *o)
{
    const char *slash = strrchr(o->engine.model_name_or_path, '/');

    if (o->engine.model_name_or_path[0] == '\0')
        return o->serve.base_url.n > 0 ? "" : "scripted"; /* "": the servers tell */
    return slash && slash[1] ? slash + 1 : o->engine.model_name_or_path;
}

/* *out stays NULL, and the call succeeds, where nothing says anything. */
static bool read_generation_config(const struct serve *o, struct json **out, struct err *e)
{
    const char *from = o->serve.generation_config;
    bool is_auto = strcmp(from, "auto") == 0, ok = true;
    struct json *over = NULL;
    struct arena a;
    const char *path;

    arena_init(&a, 0);
    path = path_join(&a, is_auto ? o->engine.model_name_or_path : from, "generation_config.json");
    if (strcmp(from, "vllm") != 0 && (!is_auto || file_exists(path)))
        ok = (*out = json_parse_file(path, MAX_GENERATION_CONFIG, e)) != NULL;
    if (ok && *o->serve.override_generation_config) {
        over = json_parse(STR(o->serve.override_generation_config), e);
        ok = over != NULL;
        if (ok && json_type(over) != JSON_OBJECT)
            ok = err_set(e, ERR_INPUT, "%s, expected an object", json_type_name(json_type(over)));
        err_prefix(e, "--override_generation_config");
        if (ok && !*out)
            *out = json_new_object();
        for (struct json_iter it = json_iter(over); ok && json_next(&it);)
            json_set(*out, str_dup(&a, it.key).ptr, json_clone(it.value));
    }
    json_close(over);
    arena_clear(&a);
    return ok;
}

static bool serve(struct serve *o, struct err *e)
{
    struct json *config = NULL;
    bool followed = false;
    const struct source *chosen = source_find(o);
    struct server_source source = {.ctx = o};
    struct sigaction action = {.sa_handler = on_signal};
    bool ok;

    if (!chosen)
        return err_set(e, ERR_INPUT,
                       "say who answers: --model DIR, --base_url URL, or --generator scripted");
    source.open = chosen->open;
    source.faults = chosen->faults;
    if (strcmp(chosen->name, "local") == 0 && !generator_local_follow(&o->engine, &followed, e))
        return false;
    if (followed)
        return true; /* under mpirun, a rank that helps the first with the model; it is done */
    raise_file_limit();
    if (!read_generation_config(o, &config, e)) {
        json_close(config);
        return false;
    }
    source.generation_defaults = config;
    o->name =
        o->server.served_model_name.n > 0 ? o->server.served_model_name.items[0] : model_name(o);
    serving = server_open(&o->server, o->name, e);
    if (!serving) {
        json_close(config);
        return false;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    ok = server_run(serving, &source, e);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    server_close(serving);
    serving = NULL;
    json_close(config);
    return ok;
}

static int help(const struct opt_group *groups, int n_groups)
{
    const char *name, *text;
    bool is_wire;
    int code = command_help(usage_text, groups, n_groups);

    puts("\nFaults for --fault NAME[:PROBABILITY][@EVERY] and the request header x-llmeval-fault:");
    for (int i = 0; (name = scripted_fault_name(i, &is_wire, &text)); i++)
        printf("  %-16s %s\n", name, text);
    return code;
}

int cmd_serve(int argc, char **argv)
{
    struct serve o = {0};
    struct err e = ERR_INIT;
    const struct opt_group groups[] = {
        {"Answers", serve_table, &o.serve},
        {"Model and engine", engine_table, &o.engine},
        {"Server", server_table, &o.server},
        {"Scripted generator", scripted_table, &o.scripted},
    };
    int code = EXIT_OK;

    log_set_prefix("llmeval serve");
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
        return help(groups, LEN(groups));
    if (opts_parse(argc, argv, groups, LEN(groups), NULL, &e)) {
        opts_hide_secrets(groups, LEN(groups), argc, argv);
        if (!serve(&o, &e))
            code = command_failed(&e);
    } else {
        code = command_failed(&e);
    }
    opts_clear(groups, LEN(groups), NULL);
    return code;
}
