/* scripted_reply.h - what the scripted generator answers.
 *
 * A script is JSONL. A row has "reply" (a string, or a list from which the seed picks) and at most
 * one of "prompt" (the whole text of the last user message or prompt), "contains" (a part of it)
 * and "regex" (POSIX extended, found anywhere); a row with none of them is taken in turn, over and
 * over, by requests that no other row matches. Optional: "reasoning" (put before the reply as
 * <think>...</think>), "finish_reason"
 * ("stop" or "length"), "fault" (a fault by name, for every attempt).
 *
 * Rules: "aime" reasons, then answers \boxed{gold} with a probability that differs from problem to
 * problem and has the mean `accuracy`, otherwise with a wrong integer; "echo" repeats the prompt.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"

struct reply_book;

struct reply_book_opts {
    const char *script, *rule;
    struct opt_list answers;
    double accuracy;
    int reply_tokens; /* mean length of the reasoning, in tokens */
};

struct reply_book *reply_book_open(const struct reply_book_opts *o, struct err *e) MUST_CHECK;
void reply_book_close(struct reply_book *b); /* NULL is fine */

struct reply {
    struct str text;  /* in the arena given, or the book's */
    bool is_cut;      /* the script says finish_reason "length" */
    struct str fault; /* "" : none */
};

/* The reply to a prompt under a seed. Same arguments, same reply, except where a script's rows
 * without a condition go in turn. */
struct reply reply_book_find(struct reply_book *b, struct str prompt, uint64_t seed,
                             struct arena *a);
