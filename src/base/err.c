/* err.c - see err.h. The first error wins: a set err is never overwritten. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>

static void fill(struct err *e, enum err_code code, const char *file, int line, const char *fmt,
                 va_list args)
{
    e->code = code;
    e->file = file;
    e->line = line;
    vsnprintf(e->msg, sizeof(e->msg), fmt, args);
}

bool err_set_at(struct err *e, enum err_code code, const char *file, int line, const char *fmt, ...)
{
    va_list args;

    if (e->code != ERR_NONE)
        return false;
    va_start(args, fmt);
    fill(e, code, file, line, fmt, args);
    va_end(args);
    return false;
}

bool err_set_errno_at(struct err *e, const char *file, int line, const char *fmt, ...)
{
    int saved = errno;
    char reason[128];
    va_list args;
    size_t len;

    if (e->code != ERR_NONE)
        return false;
    va_start(args, fmt);
    fill(e, ERR_IO, file, line, fmt, args);
    va_end(args);
    len = strlen(e->msg);
    snprintf(e->msg + len, sizeof(e->msg) - len, ": %s", strerror_r(saved, reason, sizeof(reason)));
    return false;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
    char text[sizeof(e->msg)], whole[2 * sizeof(e->msg) + 2];
    va_list args;

    if (e->code == ERR_NONE)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    snprintf(whole, sizeof(whole), "%s: %s", text, e->msg);
    memcpy(e->msg, whole, sizeof(e->msg) - 1);
    e->msg[sizeof(e->msg) - 1] = '\0';
}

void err_clear(struct err *e)
{
    *e = ERR_INIT;
}

const char *err_code_name(enum err_code code)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",     [ERR_INPUT] = "input",
        [ERR_BUSY] = "busy",     [ERR_MEMORY] = "memory",
        [ERR_IO] = "io",         [ERR_UNSUPPORTED] = "unsupported",
        [ERR_REMOTE] = "remote", [ERR_CANCELLED] = "cancelled",
    };
    return (size_t)code < LEN(names) ? names[code] : "unknown";
}
