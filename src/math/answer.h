/* answer.h - the final answer in a free-text response.
 *
 * The text is cleaned, wrappers (thinking, answer tags, end-of-turn tokens) are taken off, and the
 * last committed answer is looked for: in a box, else after an anchor such as "the answer is" in
 * one of nine languages, else in the last sentence that holds a value. All of it is linear in the
 * response and works on at most its last ANSWER_MAX_SCAN bytes; nothing backtracks and nothing is
 * evaluated.
 *
 * Pure: results depend on the text alone. Strings live in the arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum {
    ANSWER_MAX_SCAN = 1 << 20, /* bytes of a response that are looked at, from its end */
    ANSWER_MAX_CANDIDATE =
        1 << 16, /* bytes of one candidate; a longer one is cut there and will not parse */
    ANSWER_MAX_CANDIDATES = 8,
};

struct answer_candidate {
    struct str text;  /* bare: markup and math delimiters removed */
    const char *rule; /* static: "boxed", "answer is", "last number", ... */
    int rank;         /* candidates of one rank are readings of one place; a lower rank is better */
};

/* Fills out[0..cap) best first and returns how many; 0: the response holds no answer. */
int answer_find(struct str response, struct arena *a, struct answer_candidate *out, int cap);

/* The answer in a gold as a data set gives it: after its last "####", else its last boxes, else the
 * text without its math delimiters. A gold is never searched like a response. */
struct str answer_gold(struct str gold, struct arena *a);

/* A bare answer made ready for comparison: cleaned, without emphasis and delimiters. */
struct str answer_bared(struct str text, struct arena *a);

/* A response after its last closing think tag, cleaned: where answer_find looks. */
struct str answer_region(struct str response, struct arena *a);

/* Whether a text has plain words, so that it may be a sentence around an answer. */
bool answer_has_words(struct str text);

/* Text that looks like a program; never taken for an answer. */
bool answer_is_code(struct str text);

/* The option letters that a text names, as bits (A is bit 0), among n_labels letters from A on;
 * 0: none. "(C)", "C. 24 cm", "Option C", "A and C", "AC" count; words that begin with a letter do
 * not. */
uint32_t answer_choice(struct str text, int n_labels);

/* The letters of a gold that is a choice and nothing else: "B", "(E)", "\text{(C)}", "A, C", "C. x
 * = 42"; 0: the gold is no choice. *option_text is what stands behind a letter, else "". */
uint32_t answer_choice_gold(struct str gold, int n_labels, struct str *option_text);

/* The option letters of a candidate. In free prose a text that merely begins with a letter settles
 * nothing, so a candidate of the whole response or its last sentence must be letters alone. */
uint32_t answer_candidate_choice(const struct answer_candidate *c, int n_labels);

/* The letter that prose settles on: the last one standing alone in the last sentence that has one,
 * without those that the sentence rejects ("not A", "A is wrong"). 0: none. */
uint32_t answer_choice_in_prose(struct str text, int n_labels);
