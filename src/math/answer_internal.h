/* answer_internal.h - what the parts of the answer search share. Included by answer*.c alone. */
#pragma once

#include "math/answer.h"

/* Lower is better. One rank is one place in the text; its candidates are readings of that place. */
enum answer_rank {
    RANK_TAG = 0,
    RANK_BOX = 10,
    RANK_HASHES = 20,
    RANK_ANCHOR = 30,
    RANK_WHOLE = 50,
    RANK_SENTENCE = 60,
};

struct answer_list {
    struct answer_candidate *out;
    int n, cap;
    struct arena *a;
};

/* Adds answer_bare(text) unless it is empty, code, or there already. True when it was added. */
bool answer_add(struct answer_list *l, struct str text, const char *rule, int rank);
/* Adds text as it stands, under the same conditions. */
bool answer_add_bare(struct answer_list *l, struct str bare, const char *rule, int rank);

/* --- answer_clean.c --------------------------------------------------------------------------- */

/* The last ANSWER_MAX_SCAN bytes with ill-formed and invisible characters mended, blanks of every
 * kind as spaces, full-width forms and digits of other scripts as ASCII. May be the same memory. */
struct str answer_clean(struct str raw, struct arena *a);

/* The part of a cleaned response that counts: the model's own turn, after the last closing think
 * tag. *is_tagged: it is the content of an answer tag. */
struct str answer_unwrap(struct str clean, bool *is_tagged);
/* Without the marks <<50-8=42>> that some solutions carry before each result. */
struct str answer_without_calculations(struct str s, struct arena *a);

/* Text without emphasis, math delimiters, code marks and final punctuation. */
struct str answer_bare(struct str text, struct arena *a);

/* --- answer_box.c ----------------------------------------------------------------------------- */

/* The last box, or the list of boxes that belong together; "": none. *after is where it ends. */
struct str answer_boxes(struct str text, struct arena *a, size_t *after);

/* Whether a text is no answer: nothing, dots, or an echo of "put your answer here". */
bool answer_is_placeholder(struct str content);

/* --- answer_span.c ---------------------------------------------------------------------------- */

enum span_kind { SPAN_MATH, SPAN_DISPLAY, SPAN_BOLD, SPAN_CODE, SPAN_FENCE, SPAN_RUN };

/* A stretch of text that belongs together: a formula, an emphasised or code stretch, or a run of
 * plain mathematics in prose. */
struct span {
    enum span_kind kind;
    size_t from, to;  /* with its delimiters */
    struct str inner; /* without */
};

enum { SPAN_MAX = 2048, SPAN_MAX_TEXT = 1 << 13 };

/* Spans of text in order, without overlap. Runs only where with_runs. */
int span_find(struct str text, bool with_runs, struct span *out, int cap);
/* The formula that begins at text[i]; false: none does. */
bool span_formula(struct str text, size_t i, struct span *out);
/* The span that covers offset i, or NULL. */
const struct span *span_at(const struct span *spans, int n, size_t i);
bool span_has_digit(struct str s);
/* Whether there is a plain word of three letters, or a letter of a script beyond Latin and Greek.
 */
bool span_has_words(struct str s);
/* Whether there are two plain words beside each other, as mathematics does not have. */
bool span_is_prose(struct str s);

/* --- answer_anchor.c, answer_sentence.c ------------------------------------------------------- */

void answer_anchored(struct str text, struct answer_list *l);
/* A "final answer" announced behind offset `after`, where a box ended, takes the box's place. */
bool answer_final_after(struct str text, size_t after, struct answer_list *l);

/* Values of the one sentence given, best first. True when it has some, also when it denies them all
 * ("cannot be 6") and none is added, so that no earlier sentence is asked. */
bool answer_sentence(struct str sentence, const char *rule_prefix, struct answer_list *l, int rank);
/* The last sentence of text that has a value. */
void answer_last_sentence(struct str text, struct answer_list *l);
/* Where the sentence that begins at `from` ends; spans are of the same text. */
size_t answer_sentence_end(struct str text, size_t from, const struct span *spans, int n);

/* --- small readers ---------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}
static inline bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}
static inline bool is_alpha(char c)
{
    return is_upper(c) || is_lower(c);
}
static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
static inline char to_lower(char c)
{
    return is_upper(c) ? (char)(c + 32) : c;
}
/* A byte of a word: an ASCII letter, or a byte of a character beyond ASCII. */
static inline bool is_word(char c)
{
    return is_alpha(c) || (unsigned char)c >= 0x80;
}

/* Whether text at i begins with word (lower case), ASCII letters compared without case. */
static inline bool at_nocase(struct str s, size_t i, const char *word)
{
    for (; *word; word++, i++) {
        if (i >= s.len || to_lower(s.ptr[i]) != *word)
            return false;
    }
    return true;
}

static inline bool at_text(struct str s, size_t i, const char *z)
{
    size_t n = strlen(z);

    return i <= s.len && s.len - i >= n && memcmp(s.ptr + i, z, n) == 0;
}

/* The last c before end, or NULL; in windows, so that a caller who walks back over many of them
 * stays linear also where memrchr checks its whole range first. */
static inline const char *last_char(struct str s, char c, size_t end)
{
    while (end > 0) {
        size_t from = end > 512 ? end - 512 : 0;
        const char *at = memrchr(s.ptr + from, c, end - from);

        if (at)
            return at;
        end = from;
    }
    return NULL;
}

/* The last z in s, or -1; fast where z's first byte is rare. */
static inline ptrdiff_t last_text(struct str s, const char *z)
{
    size_t end = s.len;
    const char *at;

    while ((at = last_char(s, z[0], end)) != NULL) {
        end = (size_t)(at - s.ptr);
        if (at_text(s, end, z))
            return (ptrdiff_t)end;
    }
    return -1;
}
