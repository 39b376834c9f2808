/* jsonl.h - lines of a JSONL file, one pass over mapped bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/str.h"

struct jsonl {
    struct str rest;
    size_t line_no; /* of the line last handed out, from 1 */
    size_t offset;  /* of that line's first byte */
    bool is_torn;   /* that line was the last and had no newline */
    size_t n_consumed;
};

void jsonl_init(struct jsonl *it, struct str bytes);
/* The next line that is not blank, without its newline and carriage return; false: none left. */
bool jsonl_next(struct jsonl *it, struct str *line);
