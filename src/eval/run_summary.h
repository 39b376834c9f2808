/* run_summary.h - what a run came to, in a few lines. */
#pragma once

#include "base/str.h"
#include "eval/run.h"
#include "eval/store.h"
#include "generator/generator.h"

/* One line: `before`, then the failed samples by class; nothing where none failed. */
void run_summary_failures(struct buf *out, const char *before, const struct run_result *r);

/* Lines without an end mark at the last; each "\n" ends one. */
void run_summary_write(struct buf *out, const struct run_result *r,
                       const struct store_counts *counts, const struct gen_stats *stats);
