/* cmd_inspect.c - finds the sub-command of `inspect`. */
#include "base/log.h"
#include "cli/commands.h"
#include "cli/inspect.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} subjects[] = {
    {"tokens", cmd_inspect_tokens, "the ids, pieces and bytes of texts; the text of ids"},
    {"prompt", cmd_inspect_prompt, "what the model sees of a benchmark's first items"},
    {"template", cmd_inspect_template, "renders conversations with a chat template"},
    {"logits", cmd_inspect_logits,
     "what a model makes of token ids: logits, greedy tokens, log-likelihoods"},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: llmeval inspect WHAT [OPTIONS]\n\n");
    for (size_t i = 0; i < LEN(subjects); i++)
        fprintf(to, "  %-10s %s\n", subjects[i].name, subjects[i].help);
    fprintf(to, "\nllmeval inspect WHAT --help lists the options.\n");
}

int cmd_inspect(int argc, char **argv)
{
    if (argc < 1) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        usage(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < LEN(subjects); i++)
        if (strcmp(subjects[i].name, argv[0]) == 0)
            return subjects[i].run(argc - 1, argv + 1);
    log_error("inspect knows no \"%s\"; llmeval inspect --help lists what it knows", argv[0]);
    return EXIT_USAGE;
}
