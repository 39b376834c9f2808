/* opt.h - options as tables.
 *
 * A subsystem has a struct of values and beside it one table. The table gives the flag in both
 * spellings (--max_workers, --max-workers; "=" or a blank before the value; --no_x for booleans),
 * the help, the range check, the YAML key and the echo into manifests. A command lists the groups
 * that it takes, and that list is its help. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum opt_type {
    OPT_TYPE_BOOL,
    OPT_TYPE_INT,
    OPT_TYPE_I64,
    OPT_TYPE_REAL,
    OPT_TYPE_STR,  /* const char *; "" by default unless init says otherwise */
    OPT_TYPE_LIST, /* struct opt_list: the flag may be given again, each time one value more */
};

enum opt_flag {
    OPT_SECRET = 1,     /* echoed as "***" */
    OPT_REQUIRED = 2,   /* must be given */
    OPT_UNRECORDED = 4, /* not part of the echo: it cannot change a result (paths, workers) */
    OPT_NO_EFFECT = 8,  /* accepted for compatibility; opts_parse says once that it does nothing */
};

struct opt_list {
    const char **items;
    int n;
};

struct opt {
    const char *name; /* the field's own name, with underscores */
    enum opt_type type;
    size_t offset;
    const char *init; /* the default, as a user would write it; NULL: empty */
    double min, max;
    const char *choices; /* "auto|bfloat16|float16", or NULL */
    const char *help;
    unsigned flags;
    const char *alias; /* another spelling of the same flag, or NULL */
};

struct opt_group {
    const char *title;
    const struct opt *table; /* ends with a zeroed row */
    void *values;
};

/* The field's type is checked by the compiler: _Generic without a default refuses any other. */
#define OPT_FIELD(s, f, ctype) (offsetof(s, f) + 0 * sizeof(_Generic(&((s *)0)->f, ctype * : 0)))
#define OPT_BOOL(s, f, def, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_BOOL, .offset = OPT_FIELD(s, f, bool), .init = def, \
        .help = text, __VA_ARGS__ \
    }
#define OPT_INT(s, f, def, lo, hi, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_INT, .offset = OPT_FIELD(s, f, int), .init = def, .min = lo, \
        .max = hi, .help = text, __VA_ARGS__ \
    }
#define OPT_I64(s, f, def, lo, hi, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_I64, .offset = OPT_FIELD(s, f, int64_t), .init = def, \
        .min = lo, .max = hi, .help = text, __VA_ARGS__ \
    }
#define OPT_REAL(s, f, def, lo, hi, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_REAL, .offset = OPT_FIELD(s, f, double), .init = def, \
        .min = lo, .max = hi, .help = text, __VA_ARGS__ \
    }
#define OPT_STR(s, f, def, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_STR, .offset = OPT_FIELD(s, f, const char *), .init = def, \
        .help = text, __VA_ARGS__ \
    }
#define OPT_CHOICE(s, f, def, list, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_STR, .offset = OPT_FIELD(s, f, const char *), .init = def, \
        .choices = list, .help = text, __VA_ARGS__ \
    }
#define OPT_LIST(s, f, text, ...) \
    { \
        .name = #f, .type = OPT_TYPE_LIST, .offset = OPT_FIELD(s, f, struct opt_list), \
        .help = text, __VA_ARGS__ \
    }

/* Fills every struct (zeroed by the caller) with its defaults, then reads argv[0..argc). Arguments
 * that are not flags go to *rest (NULL: they are errors). An unknown flag names the nearest one. A
 * boolean takes --x, --no_x, --x=true|false|1|0 and, as the Python tools do, "--x true". Strings
 * and lists are copies that live until opts_clear. */
bool opts_parse(int argc, char **argv, const struct opt_group *groups, int n_groups,
                struct opt_list *rest, struct err *e) MUST_CHECK;
bool opts_set(const struct opt_group *groups, int n_groups, struct str name, struct str value,
              struct err *e) MUST_CHECK; /* YAML comes this way; value is copied */
void opts_defaults(const struct opt_group *groups, int n_groups);
void opts_clear(const struct opt_group *groups, int n_groups, struct opt_list *rest);
bool opts_asks_help(int argc, char **argv); /* -h or --help stands among the arguments */
/* Overwrites the values of OPT_SECRET options in argv with '*', once they are read: other users of
 * the machine can see a command line. */
void opts_hide_secrets(const struct opt_group *groups, int n_groups, int argc, char **argv);
/* Whether the command line named this option (by name or alias, in either spelling). */
bool opts_given(const struct opt *o, int argc, char **argv);

void opts_help(const struct opt_group *groups, int n_groups, struct buf *out);

/* Calls visit for every recorded option in table order with its value as text: secrets as "***",
 * lists once for each item. Reading the same pairs back through opts_set gives the same options. */
typedef void opts_visit(void *ctx, const struct opt *o, struct str value);
void opts_each(const struct opt_group *groups, int n_groups, opts_visit *visit, void *ctx);
