/* commands.h - one function for each command. argv holds what follows the command's name. */
#pragma once

enum exit_code {
    EXIT_OK = 0,
    EXIT_CHECK = 1,        /* a check that was asked for did not hold */
    EXIT_USAGE = 2,        /* bad option or bad input; nothing was changed */
    EXIT_SOME_FAILED = 3,  /* the run ended, some samples failed */
    EXIT_INTERRUPTED = 130 /* Ctrl-C; the same command goes on */
};

struct err;
struct opt_group;

/* One line on stderr, and EXIT_USAGE. */
int command_failed(const struct err *e);

/* Prints usage and the options of the groups to stdout; EXIT_OK. */
int command_help(const char *text, const struct opt_group *groups, int n_groups);

int cmd_bench(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_offline(int argc, char **argv);
int cmd_online(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_verify(int argc, char **argv);
