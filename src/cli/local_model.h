/* local_model.h - what the commands that sample from a model folder say and record about it. */
#pragma once

#include "generator/generator_local.h"

/* Writes into o what "auto" came to (instruction set, type, context), so that the manifest records
 * it and another machine's arithmetic is not mixed in unseen. The strings are o's, for opts_clear.
 */
void local_model_record(struct engine_opts *o, const struct generator *g);

/* One line each: the model as it was opened; what its engine did. */
void local_model_say_opened(const struct engine_opts *o, const struct generator *g);
void local_model_say_work(const struct generator *g);
