/* onig.h - a pattern of the Oniguruma library, as a pattern that PCRE2 reads alike.
 *
 * tokenizer.json files carry regexes in Oniguruma's Ruby syntax under Unicode. The two libraries
 * read many of the same letters differently (\s, \w, \h, \v, {n,m}+, (?m), nested classes); what
 * cannot be said in PCRE2 with the same meaning is refused by name. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

/* Appends the translation to out, for regex_open. */
bool onig_translate(struct str pattern, struct buf *out, struct err *e) MUST_CHECK;
