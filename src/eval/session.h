/* session.h - what every command that samples does: benchmarks in, one generator, a store for each.
 *
 *   open, add each benchmark (reads and checks it), open the generator, open the stores, run,
 * close.
 *
 * `online`, `offline` and `run` differ in the options they take and in how they open the generator.
 * The benchmarks are read first, so that a mistake in a file costs no model load; stores come after
 * the generator, because the manifest names the model that answers. One thread. */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "eval/run.h"
#include "eval/run_opts.h"
#include "generator/generator.h"

struct docs;
struct json;
struct session;
struct store;

struct session_opts {
    const struct data_opts
        *data; /* keys, fsync, repair; input_file and output_file are not read here */
    const struct prompt_opts *prompt;
    const struct sampling_opts *sampling;
    const struct run_opts *run;
    const struct json *template_kwargs; /* chat_template_kwargs of every request; may be NULL */
    bool keep_special_tokens;
    bool is_reproducible; /* the generator's answers follow from its parameters: so do the bytes of
                             a finished store */
    const struct opt_group *groups; /* effective parameters, for the manifests */
    int n_groups;
    void (*round_done)(void *ctx, int task, int n_rounds); /* as in struct run_task; may be NULL */
    void *ctx;
};

/* Pointers in o are borrowed until session_close. */
struct session *session_open(const struct session_opts *o, struct err *e) MUST_CHECK;
bool session_add(struct session *s, const char *input_file, const char *output_file,
                 struct err *e) MUST_CHECK;
int session_n_tasks(const struct session *s);
const struct docs *session_docs(const struct session *s, int task);
struct store *session_store(const struct session *s, int task); /* NULL until session_open_stores */

/* g is borrowed until session_close. */
bool session_open_stores(struct session *s, struct generator *g, struct err *e) MUST_CHECK;

/* Samples what is missing, says what came of it on stderr, closes the stores. The exit status of
 * the command: 0 all stored, 2 broken, 3 some failed, 130 interrupted. *result may be NULL. */
int session_run(struct session *s, struct run_result *result);

void session_close(struct session *s); /* NULL is fine */
