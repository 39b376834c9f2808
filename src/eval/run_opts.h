/* run_opts.h - the options that every command which samples answers shares: data, prompts,
 * sampling. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/opt.h"
#include "base/str.h"
#include "generator/generator.h"

struct json;

struct data_opts {
    const char *input_file, *output_file;
    const char *input_key, *label_key, *response_key;
    bool repair_resume;
    const char *fsync;
};

struct prompt_opts {
    const char *system_prompt_type, *system_prompt;
    bool enable_thinking;
    const char *chat_template_kwargs; /* JSON object or "" */
};

struct sampling_opts {
    int n_samples;
    double temperature, top_p, min_p;
    int top_k, max_tokens;
    double repetition_penalty, presence_penalty, frequency_penalty;
    struct opt_list stop;
    int64_t seed;
    const char *overlong;
};

struct run_opts {
    int max_failures, max_consecutive_failures;
};

extern const struct opt data_table[], prompt_table[], sampling_table[], run_table[];

/* The text of a --system_prompt_type; "" for "empty"; names outside the table are refused when
 * options are read. */
struct str system_prompt_text(const char *type);

/* The variables of the chat template: those of --chat_template_kwargs, and enable_thinking where
 * that flag was given, which is written back into o, so that the manifest records both in one. NULL
 * in *kwargs: none; else close it. */
bool prompt_kwargs(struct prompt_opts *o, int argc, char **argv, struct json **kwargs,
                   struct err *e) MUST_CHECK;

/* Sampling as the options have it; stop must have room for o->stop.n strings. The seed is the
 * caller's. */
struct sampling sampling_of(const struct sampling_opts *o, struct str *stop);
