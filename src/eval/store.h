/* store.h - the answers of a run, one JSON line for each (problem, sample), safe against every end.
 *
 * A line is written by one write(2) and is whole or, after a crash, the torn last one, which the
 * next store_open cuts off. Whatever else is wrong with the file is refused with its line number
 * and left as it is. A manifest beside the file (manifest.h) says what made it; a run with other
 * problems or other parameters is refused. One process writes at a time (flock). Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/opt.h"

struct docs;
struct gen_event;
struct store;

enum store_fsync {
    STORE_FSYNC_NEVER,    /* the operating system decides: a crash of the machine may cost its last
                             half minute */
    STORE_FSYNC_INTERVAL, /* once a second */
    STORE_FSYNC_ALWAYS,   /* after every line */
};

struct store_opts {
    const struct docs *docs; /* borrowed until store_close */
    int n_samples;
    const char *prompt_key, *response_key; /* "prompt", "gen"; borrowed */
    enum store_fsync fsync;
    bool is_reproducible; /* rows hold nothing that depends on the machine's load: no times, no
                             cache hits */
    bool repair;          /* lines that are damaged go to <path>.damaged instead of being refused */
    const struct opt_group *groups; /* effective parameters, for the manifest */
    int n_groups;
};

/* What is in the file, over all runs. */
struct store_counts {
    int64_t n_rows;       /* samples that are done */
    int64_t n_error_rows; /* rows of other tools that stand for a failed sample: sampled again */
    int64_t n_truncated, n_empty, n_clamped;
    int64_t n_torn_bytes;    /* cut from the end at open */
    int64_t n_damaged_lines; /* moved away at open */
    bool is_legacy;          /* there were rows but no manifest */
};

/* Opens or makes path, and folders above it. Close with store_close. */
struct store *store_open(const char *path, const struct store_opts *o, struct err *e) MUST_CHECK;

bool store_has(const struct store *s, int doc, int sample);
void store_counts(const struct store *s, struct store_counts *out);

/* Adds a GEN_DONE. After a failed write the file ends in whole lines and takes no more. */
bool store_append(struct store *s, int doc, int sample, const struct gen_event *reply,
                  struct err *e) MUST_CHECK;

/* Flushes if the interval is over: to be called about once a second while nothing arrives. */
bool store_tick(struct store *s, struct err *e) MUST_CHECK;

enum { STORE_TWIN_BYTES = 1000 };

/* Problems that have two samples with the same text of at least STORE_TWIN_BYTES as stored.
 * first_doc and the two samples show one; they may be NULL. */
int store_n_identical(const struct store *s, int *first_doc, int *sample_a, int *sample_b);

/* Puts the rows of a store that holds every sample in the order of problems and samples, by a new
 * file in the old one's place. A store that lacks samples, or has rows of other tools without an
 * index, stays as it is. */
bool store_order(struct store *s, struct err *e) MUST_CHECK;

/* Flushes and closes; NULL is fine. */
bool store_close(struct store *s, struct err *e) MUST_CHECK;
