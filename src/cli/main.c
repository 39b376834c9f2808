/* main.c - finds the command. */
#include <signal.h>

#include "base/err.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "samples benchmarks, scores them and writes a summary"},
    {"bench", cmd_bench, "measures the engine against the limits of the machine"},
    {"inspect", cmd_inspect, "shows what a model really sees: its prompt"},
    {"offline", cmd_offline, "samples a benchmark with a model that it loads itself"},
    {"online", cmd_online, "samples a benchmark from servers with an OpenAI-compatible API"},
    {"score", cmd_score, "grades a file of generations and prints scores with error bars"},
    {"serve", cmd_serve,
     "answers the OpenAI-compatible API over a model, a script or another server"},
    {"verify", cmd_verify, "judges pairs of gold and response, or explains one"},
    {0},
};

static void usage(FILE *to)
{
    fprintf(to, "llmeval " LLMEVAL_VERSION " - evaluates reasoning language models\n\n"
                "usage: llmeval COMMAND [OPTIONS]\n\n");
    for (const struct command *c = commands; c->name; c++)
        fprintf(to, "  %-10s %s\n", c->name, c->help);
    fprintf(to, "\nllmeval COMMAND --help lists the options of a command.\n");
}

int command_failed(const struct err *e)
{
    log_error("%s", e->msg);
    log_debug("raised at %s:%d", e->file ? e->file : "?", e->line);
    return EXIT_USAGE;
}

int command_help(const char *text, const struct opt_group *groups, int n_groups)
{
    struct buf out = {0};

    buf_addz(&out, text);
    opts_help(groups, n_groups, &out);
    fputs(buf_z(&out), stdout);
    buf_clear(&out);
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    const char *level = getenv("LLMEVAL_LOG");

    signal(SIGPIPE, SIG_IGN);
    if (level && strcmp(level, "debug") == 0)
        log_set_level(LOG_DEBUG);
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("llmeval " LLMEVAL_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_OK;
    }
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, argv[1]) == 0)
            return c->run(argc - 2, argv + 2);
    log_error("there is no command \"%s\"; llmeval --help lists them", argv[1]);
    return EXIT_USAGE;
}
