/* local_text.h - one reply as it grows: tokens to text, stop strings, and how much of it may be
 * shown.
 *
 * Bytes throughout. A stop string is looked for in the text of tokens after the first min_tokens;
 * the match that is complete first wins, of several the first in the list. Text that might be the
 * beginning of a stop string is held back. Belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tokenizer/tokenizer.h"

struct local_text_spec {
    const struct str *stop; /* none of them empty; borrowed as long as the text */
    int n_stop;
    bool include_stop; /* the stop string stays in the text */
    bool skip_special;
    int min_tokens;
};

struct local_text {
    struct local_text_spec spec;
    struct detok detok;
    struct buf bytes;
    size_t n_shown;     /* handed out by local_text_new */
    size_t search_from; /* text before it is not searched */
    size_t held_back;   /* longest stop string less one */
    int n_tokens;
    int stop_index; /* the stop string that was found; -1: none */
};

void local_text_init(struct local_text *t, const struct tokenizer *tok,
                     const struct local_text_spec *spec);
void local_text_clear(struct local_text *t);

/* One token more; *stopped: a stop string is complete, and the text is cut accordingly. */
bool local_text_add(struct local_text *t, int32_t token_id, bool *stopped,
                    struct err *e) MUST_CHECK;
/* No more tokens: what was unfinished becomes U+FFFD. */
bool local_text_finish(struct local_text *t, struct err *e) MUST_CHECK;

/* What can be shown and was not: whole characters. After finish or a stop, all that is left. */
struct str local_text_new(struct local_text *t, bool is_finished);
