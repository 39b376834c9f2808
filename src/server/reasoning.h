/* reasoning.h - tells a reasoning model's thoughts from its answer, piece by piece.
 *
 * qwen3: thoughts are what stands between <think> and </think> at the very beginning; a reply that
 * does not begin with <think> is all answer. deepseek_r1: the template has opened the thoughts
 * already, so the reply begins inside them, with or without a tag of its own, and without </think>
 * it is all thoughts. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

enum reasoning_parser { REASONING_NONE, REASONING_QWEN3, REASONING_DEEPSEEK_R1 };

/* "", "none", "qwen3" or "deepseek_r1"; false: another name. */
bool reasoning_parser_find(const char *name, enum reasoning_parser *out);

struct reasoning_split {
    enum reasoning_parser parser;
    enum { SPLIT_START, SPLIT_THINKING, SPLIT_CONTENT } state;
    struct buf held; /* may be the beginning of a tag */
};

void reasoning_init(struct reasoning_split *s, enum reasoning_parser parser);
void reasoning_clear(struct reasoning_split *s);
/* Appends what is new of each to the two buffers. is_last: what was held back comes out as well. */
void reasoning_feed(struct reasoning_split *s, struct str text, bool is_last, struct buf *reasoning,
                    struct buf *content);
