/* template.h - the post-processor of a tokenizer.json: ids before and after a text. */
#pragma once

#include "formats/json.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

/* v may be null. What stands nearer to the text comes from an earlier processor of a Sequence. */
bool template_parse(const struct json *v, const struct vocab *vocab, struct token_buf *prefix,
                    struct token_buf *suffix, struct err *e) MUST_CHECK;
