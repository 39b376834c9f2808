/* match.h - the patterns of tokenizer.json: {"String": ...} or {"Regex": ...}.
 *
 * Three regexes stand in nearly every published file. They have matchers written by hand, which the
 * tests compare with PCRE2. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "formats/json.h"
#include "formats/regex.h"

enum match_kind { MATCH_LITERAL, MATCH_REGEX, MATCH_GPT2, MATCH_QWEN2, MATCH_LLAMA3 };

struct matcher {
    enum match_kind kind;
    struct str literal;
    struct regex *regex; /* NULL unless MATCH_REGEX */
};

extern const char *const match_gpt2;
extern const char *const match_qwen2;
extern const char *const match_llama3;

/* Strings are copied to the arena. */
bool matcher_parse(const struct json *pattern, struct arena *a, struct matcher *m,
                   struct err *e) MUST_CHECK;
bool matcher_set_regex(struct matcher *m, struct str pattern, struct err *e) MUST_CHECK;
void matcher_clear(struct matcher *m);

/* Non-overlapping matches from left to right; none empty right after another, as Oniguruma's
 * iterator. */
struct match_iter {
    size_t from, last_end;
    bool has_last;
    size_t start, end; /* the match */
};
enum regex_found matcher_next(const struct matcher *m, struct regex_scratch *s, struct str text,
                              struct match_iter *it, struct err *e) MUST_CHECK;

/* The end of the match at `from`, which is below text.len; the three known patterns match
 * everywhere. */
size_t match_known(enum match_kind kind, struct str text, size_t from);
