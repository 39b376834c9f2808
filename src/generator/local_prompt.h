/* local_prompt.h - requests to token ids, with the model's tokenizer and chat template. Read-only
 * after open, and safe from any thread. */
#pragma once

#include "generator/generator.h"
#include "tokenizer/tokenizer.h"

struct local_prompt;

/* chat_template: a file or a template's text instead of the model's own; "" : the model's. */
struct local_prompt *local_prompt_open(const char *model_dir, const char *chat_template,
                                       struct err *e) MUST_CHECK;
void local_prompt_close(struct local_prompt *p); /* NULL is fine */

const struct tokenizer *local_prompt_tokenizer(const struct local_prompt *p);

/* The ids of a request; for a score, context and continuation together, of which the first
 * n_context are context. Appends to ids. */
bool local_prompt_encode(const struct local_prompt *p, const struct gen_request *r,
                         struct token_buf *ids, int *n_context, struct err *e) MUST_CHECK;

/* A chat request as text. */
bool local_prompt_render(const struct local_prompt *p, const struct gen_request *r, struct buf *out,
                         struct err *e) MUST_CHECK;

/* The text of a bad word as token sequences: as it stands, and with a blank before it. */
bool local_prompt_bad_word(const struct local_prompt *p, struct str word, struct token_buf out[2],
                           struct err *e) MUST_CHECK;
