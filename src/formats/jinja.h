/* jinja.h - Jinja templates: source text to a tree once, tree and JSON data to text many times.
 *
 * The language is that of the Jinja2 documentation (version 3.1) for a template that stands alone:
 * every expression, statement, test, filter and method, with Python's values and Python's printing.
 * What needs other files (extends, include, import) is refused by name. Integers are 64 bits wide;
 * a result beyond them is an error, never a wrapped number.
 *
 * A parsed template never changes and may be rendered by many threads at once. A rendering owns all
 * its memory, is bounded by struct jinja_limits and cannot hang, overflow the stack or eat memory,
 * whatever the template and the data are.
 *
 * Errors name template, line and column and quote the line: chat.jinja:3:8: 'x' is undefined, in
 * ... */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "formats/json.h"

struct jinja;

enum jinja_tojson {
    JINJA_TOJSON_PLAIN, /* json.dumps(x, ensure_ascii=False): what chat templates are rendered with
                         */
    JINJA_TOJSON_HTML,  /* Jinja2's own: sorted keys, ASCII only, < > & ' as \u escapes, marked safe
                         */
};

/* How a template is read. Zeroed, they are the defaults of Jinja2 but for tojson. */
struct jinja_settings {
    bool trim_blocks;           /* drop the newline after a block tag */
    bool lstrip_blocks;         /* drop the blanks between the start of a line and a block tag */
    bool keep_trailing_newline; /* otherwise one newline at the end of the source is dropped */
    bool strict_undefined;      /* printing, testing or iterating over an undefined value fails */
    bool autoescape;            /* printed values are escaped for HTML unless marked safe */
    enum jinja_tojson tojson;
};

/* The source is copied. name appears in errors. NULL: the error tells line and column. */
struct jinja *jinja_parse(const char *name, struct str source, const struct jinja_settings *s,
                          struct err *e) MUST_CHECK;
void jinja_close(struct jinja *t); /* NULL is fine */

/* True when the template reads the variable somewhere (it may also set it first). */
bool jinja_mentions(const struct jinja *t, const char *variable);

/* --- rendering -------------------------------------------------------------------------------- */

/* One variable. A NULL name binds every key of the object `value`. Borrowed for the call. */
struct jinja_var {
    const char *name;
    const struct json *value; /* NULL: none */
};

/* A call of a host function: its arguments and its result. */
struct jinja_call;

/* A function of the caller's, under its name both as function, f(x), and as filter, x | f. It
 * returns false only by way of jinja_refuse. */
struct jinja_func {
    const char *name;
    bool (*call)(void *ctx, struct jinja_call *c);
    void *ctx;
};

/* Argument number i (from 0), or the keyword `name` (may be NULL), printed as a string that lives
 * until the function returns; false: not given. */
bool jinja_arg(struct jinja_call *c, int i, const char *name, struct str *text);
void jinja_return(struct jinja_call *c, struct str text);    /* copied */
bool jinja_refuse(struct jinja_call *c, struct str message); /* always false */

struct jinja_limits {
    int64_t max_steps; /* units of work: nodes evaluated, items and bytes handled; 0: 50 million */
    size_t max_output; /* bytes of text; 0: 64 MiB */
    size_t max_memory; /* bytes of values; 0: 256 MiB */
    int max_depth;     /* nested evaluations; 0: 1000 */
};

struct jinja_data {
    const struct jinja_var *vars; /* later ones win */
    int n_vars;
    const struct jinja_func *funcs; /* ends with a zeroed row; may be NULL */
    struct jinja_limits limits;
    uint64_t seed; /* of the filter `random`: the same seed draws the same items */
};

enum jinja_fault_kind {
    JINJA_FAULT_NONE,
    JINJA_FAULT_REFUSED, /* a host function called jinja_refuse */
    JINJA_FAULT_RUNTIME, /* an operation that the values do not allow */
    JINJA_FAULT_LIMIT,   /* one of struct jinja_limits was reached */
};

/* What went wrong, in parts. A zeroed one is ready; the owner clears the message. */
struct jinja_fault {
    enum jinja_fault_kind kind;
    int line, column;
    struct buf message; /* without place, whole */
};

/* Adds the text to out. On failure out is as it was, fault (may be NULL) has the parts and e the
 * whole: ERR_MEMORY for a limit, ERR_INPUT for all else. */
bool jinja_render(const struct jinja *t, const struct jinja_data *d, struct buf *out,
                  struct jinja_fault *fault, struct err *e) MUST_CHECK;
