/* err.h - one error type for the whole program.
 *
 * A caller makes a struct err on its stack (ERR_INIT) and passes it last. The first error wins, so
 * clean-up code cannot mask the cause. The buffer is fixed, so reporting needs no memory. */
#pragma once

#include <stdbool.h>

#include "base/macros.h"

/* What the caller may do about it. */
enum err_code {
    ERR_NONE = 0,
    ERR_INPUT,       /* mend the file, the option or the request */
    ERR_BUSY,        /* wait and try again */
    ERR_MEMORY,      /* ask for less */
    ERR_UNSUPPORTED, /* choose another */
    ERR_IO,          /* the operating system said no */
    ERR_REMOTE,      /* the other side of a connection failed */
    ERR_CANCELLED,   /* somebody asked to stop */
};

struct err {
    enum err_code code;
    const char *file; /* source file and line that raised it, for debug logs */
    int line;
    char msg[512];
};

#define ERR_INIT ((struct err){0})

/* Sets code and message unless an error is already there. Always returns false. */
#define err_set(e, code, ...) err_set_at((e), (code), __FILE__, __LINE__, __VA_ARGS__)
bool err_set_at(struct err *e, enum err_code code, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* As err_set, with ": " and the text of errno at the end. */
#define err_set_errno(e, ...) err_set_errno_at((e), __FILE__, __LINE__, __VA_ARGS__)
bool err_set_errno_at(struct err *e, const char *file, int line, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* Puts "<text>: " before the message, on the way up. Without an error it does nothing. */
void err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

void err_clear(struct err *e);
const char *err_code_name(enum err_code code); /* "input", "busy", ... */
