/* published.h - figures that others published, from the YAML files of baselines/.
 *
 * They are quoted as published and never mixed with measurements: a result shows them beside its
 * own. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct published_figure {
    struct str model;       /* "DeepSeek-R1-Distill-Qwen-32B" */
    struct str task;        /* "aime24" */
    struct str reported_by; /* "DeepSeek", "LLMEval" */
    struct str source;      /* where it stands */
    double accuracy;        /* percent, as published */
};

struct published;

/* All *.yaml files of the folder, in order of name; a folder that is absent holds none. */
struct published *published_open(const char *folder, struct err *e) MUST_CHECK;
void published_close(struct published *p); /* NULL is fine */

/* Figures for this model and task, in order; *n of them. A model is known by the last part of its
 * name or path, without regard to case. */
const struct published_figure *const *published_find(struct published *p, struct str model,
                                                     struct str task, int *n);
