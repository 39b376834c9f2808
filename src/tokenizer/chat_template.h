/* chat_template.h - messages to the prompt that a model was trained on.
 *
 * Renders the Jinja template of a model directory as the transformers library does: its environment
 * (trim_blocks, lstrip_blocks, loop controls, plain tojson), its variables (messages, tools,
 * documents, add_generation_prompt, the special tokens, chat_template_kwargs) and its functions
 * raise_exception(message) and strftime_now(format).
 *
 * A chat template never changes after open and may be used by many threads at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "formats/jinja.h"
#include "formats/json.h"
#include "tokenizer/tokenizer.h"

struct chat_template;

/* From a model directory. The template is chat_template.jinja, else the key chat_template of
 * tokenizer_config.json (a string, or a list of {"name", "template"}), else that of
 * chat_template.json; files in additional_chat_templates/ add named ones. The special tokens come
 * from tokenizer_config.json, and from special_tokens_map.json where that has none. */
struct chat_template *chat_template_open(const char *model_dir, struct err *e) MUST_CHECK;

/* One template from memory. name appears in errors; tokens is an object such as
 * {"bos_token": "<s>"} whose values are strings or {"content": string}; NULL: none. Copied. */
struct chat_template *chat_template_parse(const char *name, struct str source,
                                          const struct json *tokens, struct err *e) MUST_CHECK;
void chat_template_close(struct chat_template *t); /* NULL is fine */

/* What one prompt is made of. Pointers are borrowed for the call; NULL stands for none. */
struct chat_input {
    const struct json *messages;  /* array of {"role", "content", ...} */
    const struct json *tools;     /* array of JSON schemas */
    const struct json *documents; /* array of {"title", "text"} */
    const struct json *kwargs; /* chat_template_kwargs: an object of further variables; they win */
    const char
        *template_name; /* of several templates: "default", "tool_use", "rag"; NULL: "tool_use"
                           if there are tools and such a template, else "default" */
    bool add_generation_prompt;
    bool continue_final_message; /* cut after the last message's content; not with the former */
    const char *now; /* "2025-03-14 15:09:26" for strftime_now; NULL: the clock, local time */
};

/* Adds the prompt to out. On failure out is as it was, and fault (may be NULL) tells a refusal by
 * the template (JINJA_FAULT_REFUSED, with raise_exception's own words) from other errors. */
bool chat_template_render(const struct chat_template *t, const struct chat_input *in,
                          struct buf *out, struct jinja_fault *fault, struct err *e) MUST_CHECK;

/* True when the template reads this variable, e.g. "enable_thinking" or "tools". */
bool chat_template_mentions(const struct chat_template *t, const char *variable);

/* True when the template reads a content that is a list of parts such as {"type": "text", "text":
 * ...}. Others fail over a list, print it as Python would, or pass it over in silence: they want
 * one string. Found out by rendering a conversation. */
bool chat_template_reads_parts(const struct chat_template *t);

/* --- what may be wrong with a prompt ---------------------------------------------------------- */

enum chat_flaw_kind {
    CHAT_FLAW_DOUBLE_BOS,           /* the prompt begins with the same BOS token twice */
    CHAT_FLAW_MARKER_IN_CONTENT,    /* a message holds the text of a special token */
    CHAT_FLAW_NO_GENERATION_PROMPT, /* nothing after the last message tells the model to answer */
};

struct chat_flaw {
    enum chat_flaw_kind kind;
    int32_t token_id; /* -1 for a missing generation prompt */
    size_t message;   /* that holds the marker, from 0; else 0 */
};

/* "double BOS", ... */
const char *chat_flaw_name(enum chat_flaw_kind kind);

/* The flaws of a prompt, at most `max` of them; the number found. ids are the prompt's tokens as
 * the model would get them. The generation prompt counts as missing when in->add_generation_prompt
 * is set and the template renders the same without it. Each special token is named once for a
 * message. */
bool chat_flaws_find(const struct chat_template *t, const struct tokenizer *tokenizer,
                     const struct chat_input *in, const struct token_buf *ids,
                     struct chat_flaw *out, int max, int *n, struct err *e) MUST_CHECK;

/* The two that need no template: a double BOS in ids, and special tokens in one text. bos is -1 for
 * none. */
bool chat_has_double_bos(const int32_t *ids, size_t n, int32_t bos);
bool chat_markers_find(const struct tokenizer *tokenizer, struct str text, struct token_buf *out,
                       struct err *e)
    MUST_CHECK; /* the ids of the special tokens that text spells */
