/* store_row.h - one line of a result file: how it is written and how it is read.
 *
 * docs/results.md lists the fields. Reading takes the lines of this program and of the older Python
 * tools: `gen` may be a string, a list with one string, an empty list (an empty answer), or an
 * object with its text under "gen"; doc_id, sample_index and n_samples may be missing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "generator/generator.h"
#include "task/docs.h"

/* The names a row adds to the fields of its input. */
extern const char *const store_row_refused[]; /* an input that has one of these is a result file */
extern const char
    *const store_row_renamed[]; /* an input's own field of that name becomes input_<name> */

/* The line, newline included, of a reply that ended well. */
void store_row_write(struct buf *out, const struct doc *doc, int sample, int n_samples,
                     const char *response_key, const struct gen_event *reply);

struct store_row {
    struct str doc_id, prompt, gen;  /* raw JSON; "" when absent */
    bool has_error;                  /* a truthy "error": the row stands for a sample that failed */
    int64_t sample_index, n_samples; /* -1: absent */
    bool is_truncated, is_empty, is_clamped;
    int64_t n_completion_tokens; /* -1: unknown */
};

/* Slices point into the line. False, and *fault, when the line is not one JSON object or a field is
 * not what it must be. */
bool store_row_read(struct str line, const char *prompt_key, const char *response_key,
                    struct store_row *row, const char **fault);

/* The raw JSON string with the answer's text inside a raw gen of any of the forms above; "" for
 * none. */
struct str store_row_text(struct str raw_gen);
