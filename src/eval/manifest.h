/* manifest.h - what made a result file: the JSON file beside it, <output>.manifest.json.
 *
 * `doc_ids` (in order) and `n_samples` are those of the older tools; ours adds the input's SHA-256,
 * every option that can change a result (opts_each) and the program's version. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"

struct docs;
struct json;

struct manifest {
    const struct docs *docs;
    int n_samples;
    const struct opt_group *groups; /* effective parameters */
    int n_groups;
};

/* The path of the manifest of a result file; free() it. */
char *manifest_path(const char *output_file) MUST_CHECK;

/* A new tree; n_rows_before: rows that were there before anything was known about their making. */
struct json *manifest_make(const struct manifest *m, int64_t n_rows_before) MUST_CHECK;

/* *out is NULL, and the call a success, when there is no such file. */
bool manifest_read(const char *path, struct json **out, struct err *e) MUST_CHECK;

/* Adds one line to what for each difference that matters: another set or order of problems,
 * n_samples, input bytes, parameters. True: there is one. Keys that `have` does not know are passed
 * over, so that files of the older tools can go on. */
bool manifest_differs(const struct json *have, const struct json *want, struct buf *what);
