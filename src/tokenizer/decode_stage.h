/* decode_stage.h - what single stages of a decoder do with one token. */
#pragma once

#include "tokenizer/decode.h"

int fallback_byte(struct str token); /* of <0xNN>; -1: another token */
void stage_metaspace(const struct decode_stage *s, struct str text, bool is_first, struct buf *out);
bool stage_replace(const struct decode_stage *s, struct regex_scratch *regex, struct str token,
                   struct buf *out, struct err *e) MUST_CHECK;
struct str stage_strip(const struct decode_stage *s, struct str token);
