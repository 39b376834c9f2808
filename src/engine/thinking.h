/* thinking.h - how much a sequence may think before it has to answer.
 *
 * Thoughts stand between two tokens. Those of a sequence are counted, beginning with an opening
 * that the prompt leaves open; when the budget is spent, the next token is the closing one,
 * whatever the model would draw. Another opening after that is closed at once. A function of the
 * tokens alone: it does not matter what else runs, nor how often a sequence is preempted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct thinking_limit {
    bool is_set;
    int32_t open_id, close_id;
    int budget; /* tokens between the two, the markers apart */
};

struct thinking {
    struct thinking_limit limit;
    bool is_open;
    int n_thought;
    int n_forced; /* closings that the budget brought about */
};

void thinking_init(struct thinking *t, const struct thinking_limit *limit, const int32_t *prompt,
                   int n_prompt);
int32_t thinking_forced(const struct thinking *t);        /* the next token; -1: free to draw */
void thinking_take(struct thinking *t, int32_t token_id); /* a token was drawn, or forced */
