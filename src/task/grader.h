/* grader.h - is this response right?
 *
 * A grader is pure: the same input gives the same grade, whatever was graded before, on any machine
 * and in any order. What it cannot decide within its budget is VERDICT_UNKNOWN with a reason, which
 * is counted and shown and never taken for right. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct arena;
struct json;

enum verdict { VERDICT_WRONG, VERDICT_RIGHT, VERDICT_UNKNOWN };

struct grade_input {
    struct str gold;
    struct str response;
    const struct json *doc; /* the whole row; may be NULL */
};

struct grade {
    enum verdict verdict;
    struct str extracted;      /* the answer found in the response; "" : none */
    struct str extracted_gold; /* the answer read from the gold */
    const char *how;           /* "boxed, rational": which rule found it and which decided */
    struct str key;            /* equal answers have equal keys (majority voting); "" : no answer */
    bool nothing_extracted, gold_unreadable;
};

/* What a grader keeps on one thread to be fast (contexts of libraries) is its state. It never
 * changes a grade. Strings in a grade live in the arena. */
struct grader {
    const char *name;    /* "math", "exact", "choice": the value of `grader:` in a task file */
    void *(*open)(void); /* a state for one thread; NULL when the grader keeps none */
    void (*close)(void *state); /* NULL is fine */
    bool (*grade)(void *state, const struct grade_input *in, struct arena *a, struct grade *out,
                  struct err *e);
    /* Whether two extracted answers of one problem are the same answer; keys decide the common
     * case. */
    bool (*same)(void *state, struct str extracted_a, struct str extracted_b, struct arena *a);
};

extern const struct grader *const graders[];                /* ends with NULL */
const struct grader *grader_find(struct str name);          /* NULL: unknown */
const struct grader *grader_for_task(struct str task_name); /* "math_opensource/aime24" -> math */
const char *verdict_name(enum verdict v);                   /* "wrong", "right", "unknown" */
