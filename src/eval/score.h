/* score.h - from stored generations to numbers with error bars.
 *
 * Reads our stores and the result files of the Python tools (docs/results.md), grades every sample
 * in forked workers, and computes what docs/statistics.md describes. The same file gives the same
 * bytes, whatever the number of workers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "task/grader.h"
#include "task/interval.h"
#include "task/metric.h"

struct score_opts {
    const char *input_path;
    const char *task_name;
    const char *input_key, *label_key, *response_key;
    const char *group_key; /* field whose values divide the problems, as "level" does; "": none */
    int first_n_samples; /* look only at samples 0 .. first_n_samples - 1 of each problem; 0: all */
    int n_samples;       /* expected for each problem; 0: what the file or its manifest says */
    int max_workers;
    double
        timeout; /* seconds of processor time for one sample, a net below the grader's own budget */
    int64_t seed;
    int bootstrap_samples; /* 0 or 1: none */
    double confidence_level;
};

/* One stored generation; text points into the mapped file. */
struct score_row {
    struct str line; /* the whole JSON line */
    size_t line_no;
    int problem; /* index into problems */
    int sample_index;
    int part; /* which element of a list in `gen` */
    bool is_truncated, is_unclosed, is_empty;
    bool shows_gold; /* truncated, and yet the gold stands where it was cut: not right */
    enum verdict verdict;
    bool nothing_extracted, gold_unreadable, worker_lost;
    struct str extracted, extracted_gold, key, how;
    int answer_class; /* index into the problem's classes; -1: no answer */
};

struct score_problem {
    struct str doc_id;      /* as stored, or "" where the file has none */
    struct str group;       /* value of group_key, "" without one */
    struct str prompt_hash; /* 16 hex digits of the SHA-256 of the prompt; "" without one */
    int *rows;              /* indices in order of sample_index */
    int n_rows, n_right;
    struct answer_class *classes; /* biggest first; the right one merged into one */
    struct str *class_text;       /* what its first member answered */
    int n_classes, n_blank;
};

enum { SCORE_MAX_GROUPS = 64 };

/* The problems with the same value of group_key. */
struct score_group {
    struct str name;
    int n_problems, n_rows, n_right;
    struct interval these, like;
};

struct score_counts {
    int n_problems, n_expected; /* samples that a whole file would hold */
    int n_rows, n_errors, n_duplicates, n_missing, n_torn;
    int n_right, n_wrong, n_unknown;
    int n_truncated, n_unclosed, n_empty, n_nothing_extracted, n_gold_unreadable, n_workers_lost;
    int n_truncated_with_gold;
};

struct score {
    struct score_opts opts;
    const struct grader *grader;
    void *grader_state; /* in a worker process only: opened for its first item, gone with it */
    struct arena arena;
    struct file_map file;
    struct score_row *rows;
    int n_rows, cap_rows;
    struct score_problem *problems;
    int n_problems, cap_problems;
    int n_samples; /* expected for each problem */
    struct score_counts counts;
    struct interval these, like, boot; /* of the accuracy; boot.value is NaN when switched off */
    struct score_group *groups;        /* [n_groups] in order of their names */
    int n_groups;
    struct interval *pass,
        *maj;             /* [n_k], k = 1 .. n_k, over the problems with at least k samples */
    int *n_pass_problems; /* [n_k] */
    int n_k;
    double accuracy, accuracy_without_truncated, low_bound, high_bound;
};

/* The folded line that a run shows under way: accuracy and its interval for problems like these. */
void score_write_line(const struct score *s, struct buf *out);

/* Everything up to the numbers; NULL with *e set. Warnings about the file go to the log. */
struct score *score_open(const struct score_opts *o, struct err *e) MUST_CHECK;
void score_close(struct score *s); /* NULL is fine */

struct json;
/* The text of one generation in `gen`: a string, an element of a list (2025), or the object that
 * the 2025 tool wrote when a prompt was too long, which counts as truncated. */
struct str score_generation(const struct json *gen, int part, bool *is_truncated);

/* A field of a row as text: a string as it is, any other value as JSON, "" where it is absent. */
struct str score_field(struct arena *a, const struct json *row, const char *key);

/* Steps of score_open, in files of their own. */
bool score_read_rows(struct score *s, struct err *e) MUST_CHECK;
bool score_grade(struct score *s, struct err *e) MUST_CHECK;
void score_compute(struct score *s);
void score_compute_groups(struct score *s);

/* The difference to another result: a result JSON of ours or today's tool, or a file of
 * generations, which is graded in the same way. Problems are matched by prompt, else by doc_id. */
struct score_baseline {
    const char *path;
    struct paired paired;
    double accuracy;
    int n_matched, n_only_here, n_only_there;
};
bool score_compare(const struct score *s, const char *path, struct score_baseline *out,
                   struct err *e) MUST_CHECK;

/* The JSONL of --cache_path, the JSON of --result_path, the table on stdout. baseline may be NULL.
 */
bool score_write_samples(const struct score *s, const char *path, struct err *e) MUST_CHECK;
void score_write_json(const struct score *s, const struct score_baseline *b, struct buf *out);
void score_write_table(const struct score *s, const struct score_baseline *b, struct buf *out);
