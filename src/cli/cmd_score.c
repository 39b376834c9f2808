/* cmd_score.c - llmeval score: verdicts and a score for a file of generations. */
#include <sys/stat.h>

#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "eval/score.h"

struct score_flags {
    const char *input_path, *task_name, *cache_path, *result_path, *baseline;
    const char *input_key, *label_key, *response_key, *group_key;
    int max_workers, n_samples, first_n_samples, bootstrap_samples;
    bool brief;
    double timeout, confidence_level;
    int64_t seed;
};

static const struct opt score_table[] = {
    OPT_STR(struct score_flags, input_path, NULL,
            "JSONL file of generations (ours or a Python tool's)", .flags = OPT_REQUIRED),
    OPT_STR(struct score_flags, task_name, "math_opensource/aime24",
            "what the answers are: math_opensource/NAME"),
    OPT_STR(struct score_flags, cache_path, NULL,
            "write the input rows with their verdicts to this JSONL file"),
    OPT_STR(struct score_flags, result_path, NULL, "write the score to this JSON file"),
    OPT_STR(struct score_flags, baseline, NULL,
            "compare, problem by problem, with this result JSON or file of generations"),
    OPT_STR(struct score_flags, input_key, "prompt", "field of the prompt"),
    OPT_STR(struct score_flags, label_key, "answer", "field of the gold answer"),
    OPT_STR(struct score_flags, response_key, "gen", "field of the generation"),
    OPT_STR(struct score_flags, group_key, "level",
            "field that divides the problems: accuracy is also given for each of its values"),
    OPT_INT(struct score_flags, n_samples, "0", 0, 1000000,
            "samples expected for each problem; 0: what the file says"),
    OPT_INT(struct score_flags, first_n_samples, "0", 0, 1000000,
            "score only the first so many samples of each problem; 0: all"),
    OPT_BOOL(struct score_flags, brief, "false", "print one line instead of the table"),
    OPT_REAL(struct score_flags, confidence_level, "0.95", 0.5, 0.9999, "of the intervals"),
    OPT_INT(struct score_flags, bootstrap_samples, "1000", 0, 1000000,
            "resamples of the bootstrap over problems; 0 or 1: none"),
    OPT_I64(struct score_flags, seed, "0", 0, 9e18, "of the bootstrap"),
    OPT_INT(struct score_flags, max_workers, "128", 1, 4096,
            "grading processes; never more than processors"),
    OPT_REAL(struct score_flags, timeout, "20", 0.1, 3600,
             "seconds of processor time for one sample"),
    {0},
};

static const char usage[] =
    "usage: llmeval score --input_path FILE.jsonl [--task_name math_opensource/aime24] [OPTIONS]\n\n"
    "Grades every generation by exact mathematics and prints accuracy with two intervals, pass@k and maj@k.\n";

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool write_files(const struct score_flags *f, const struct score *s,
                        const struct score_baseline *b, struct err *e)
{
    struct buf out = {0};
    struct arena a;
    bool ok = true;

    arena_init(&a, 0);
    if (f->cache_path[0])
        ok = score_write_samples(s,
                                 is_folder(f->cache_path)
                                     ? path_join(&a, f->cache_path, path_base(f->input_path))
                                     : f->cache_path,
                                 e);
    if (ok && f->result_path[0]) {
        score_write_json(s, b, &out);
        ok =
            file_mkdirs_parent(f->result_path, e) && file_replace(f->result_path, buf_str(&out), e);
    }
    buf_reset(&out);
    if (ok) {
        if (f->brief)
            score_write_line(s, &out);
        else
            score_write_table(s, b, &out);
        fputs(buf_z(&out), stdout);
    }
    buf_clear(&out);
    arena_clear(&a);
    return ok;
}

int cmd_score(int argc, char **argv)
{
    struct score_flags f = {0};
    struct opt_group group = {"Score", score_table, &f};
    struct score_baseline baseline;
    struct score *s = NULL;
    struct err e = ERR_INIT;
    bool ok;

    if (opts_asks_help(argc, argv))
        return command_help(usage, &group, 1);
    log_set_prefix("llmeval score");
    ok = opts_parse(argc, argv, &group, 1, NULL, &e);
    if (ok) {
        const struct score_opts o = {
            .input_path = f.input_path,
            .task_name = f.task_name,
            .input_key = f.input_key,
            .label_key = f.label_key,
            .response_key = f.response_key,
            .group_key = f.group_key,
            .n_samples = f.n_samples,
            .first_n_samples = f.first_n_samples,
            .max_workers = f.max_workers,
            .timeout = f.timeout,
            .seed = f.seed,
            .bootstrap_samples = f.bootstrap_samples,
            .confidence_level = f.confidence_level,
        };

        s = score_open(&o, &e);
        ok = s && (!f.baseline[0] || score_compare(s, f.baseline, &baseline, &e)) &&
             write_files(&f, s, f.baseline[0] ? &baseline : NULL, &e);
    }
    score_close(s);
    opts_clear(&group, 1, NULL);
    return ok ? EXIT_OK : command_failed(&e);
}
