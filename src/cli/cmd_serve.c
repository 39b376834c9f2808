/* cmd_serve.c - llmeval serve: a generator behind the OpenAI-compatible API. */
#include <signal.h>
#include <sys/resource.h>

#include "base/log.h"
#include "cli/commands.h"
#include "generator/generator_scripted.h"
#include "server/server.h"

static const char usage_text[] =
    "usage: llmeval serve --generator scripted [OPTIONS]\n\n"
    "Answers /v1/chat/completions, /v1/completions, /v1/models, /v1/score, /tokenize, /metrics and "
    "more\n"
    "until SIGTERM or Ctrl-C, which lets running answers finish; a second one ends at once.\n";

struct serve_opts {
    const char *generator;
    const char *model;
    int max_model_len;
};

static const struct opt serve_table[] = {
    OPT_CHOICE(struct serve_opts, generator, "scripted", "scripted", "where answers come from"),
    OPT_STR(struct serve_opts, model, "",
            "the model; its last path component is the served name unless one is given"),
    OPT_INT(struct serve_opts, max_model_len, "32768", 1, 100000000,
            "tokens of prompt and answer together"),
    {0},
};

struct serve {
    struct serve_opts serve;
    struct server_opts server;
    struct scripted_opts scripted;
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

    return generator_scripted_open(&o->scripted, o->name, o->serve.max_model_len, e);
}

/* One row for each way to answer. */
static const struct source {
    const char *name;
    struct generator *(*open)(void *ctx, struct err *e);
    struct server_faults faults;
} sources[] = {
    {"scripted", open_scripted, {scripted_wire_fault}},
};

static const struct source *source_find(const char *name)
{
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
    const char *slash = strrchr(o->serve.model, '/');

    if (o->serve.model[0] == '\0')
        return o->serve.generator;
    return slash && slash[1] ? slash + 1 : o->serve.model;
}

static bool serve(struct serve *o, struct err *e)
{
    const struct source *chosen = source_find(o->serve.generator);
    struct server_source source = {.open = chosen->open, .ctx = o, .faults = chosen->faults};
    struct sigaction action = {.sa_handler = on_signal};
    bool ok;

    raise_file_limit();
    o->name =
        o->server.served_model_name.n > 0 ? o->server.served_model_name.items[0] : model_name(o);
    serving = server_open(&o->server, o->name, e);
    if (!serving)
        return false;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    ok = server_run(serving, &source, e);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    server_close(serving);
    serving = NULL;
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
        {"Model", serve_table, &o.serve},
        {"Server", server_table, &o.server},
        {"Scripted generator", scripted_table, &o.scripted},
    };
    int code = EXIT_OK;

    log_set_prefix("llmeval serve");
    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
        return help(groups, LEN(groups));
    if (!opts_parse(argc, argv, groups, LEN(groups), NULL, &e) || !serve(&o, &e))
        code = command_failed(&e);
    opts_clear(groups, LEN(groups), NULL);
    return code;
}
