/* docs.h - the problems of a benchmark, from a JSONL file: one object on each line.
 *
 * A doc keeps its line as it was written, so that all its fields travel into the results byte for
 * byte. Every doc has an id: the field doc_id (a string or a whole number), or else one made from
 * its content: 16 hexadecimal digits of SipHash-2-4 (key 0, 0) over the prompt, a zero byte and the
 * raw JSON text of the answer. Rows that are alike in both get "-2", "-3", ... in file order. So an
 * id outlives reordering the file and adding rows to it.
 *
 * After docs_open nothing changes: any thread may read. Memory is the docs' own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct doc {
    struct str fields; /* the line between its braces, without blanks at the ends; may be "" */
    struct str id;
    struct str prompt; /* text, without quotes and escapes */
    struct str answer; /* raw JSON; "" when the field is not there */
    size_t line_no;
    bool has_id;          /* the line itself has doc_id */
    int next_same_prompt; /* the next doc with an equal prompt; -1: none */
    int last_same_prompt; /* of the first such doc: the last of the chain */
};

struct docs {
    const char *path;
    struct doc *items;
    int n;
    int n_without_answer;
    int n_renamed;   /* fields that now begin with "input_" */
    char sha256[65]; /* of the file's bytes, in hexadecimal */
};

struct docs_keys {
    const char *prompt; /* field of the prompt, "prompt" */
    const char *answer; /* field of the reference answer, "answer" */
    /* Names that a result row adds; each list ends with NULL or is NULL. A line with a refused one
     * is an error (the file is no benchmark but a result); a line with a renamed one keeps the
     * field under "input_<name>". */
    const char *const *refused, *const *renamed;
};

/* Longer lines are taken for a broken file. */
enum { DOC_MAX_LINE_BYTES = 32 << 20 };

/* Reads and checks the whole file. Every error names file and line. Close with docs_close. */
struct docs *docs_open(const char *path, const struct docs_keys *keys, struct err *e) MUST_CHECK;
void docs_close(struct docs *d); /* NULL is fine */

int docs_find(const struct docs *d, struct str id);            /* index, or -1 */
int docs_find_prompt(const struct docs *d, struct str prompt); /* the first doc with it, or -1 */
