/* log.c - one line for each call, written whole, so that lines of two processes do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <unistd.h>

static enum log_level log_level = LOG_INFO; /* set once in main */
static const char *log_prefix = "llmeval";

void log_set_level(enum log_level level)
{
    log_level = level;
}

void log_set_prefix(const char *prefix)
{
    log_prefix = prefix;
}

static void say(enum log_level level, const char *word, const char *fmt, va_list args)
{
    char line[2048];
    int n, m;

    if (level > log_level)
        return;
    n = snprintf(line, sizeof(line), "%s: %s", log_prefix, word);
    m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
    n = m < 0 ? n : n + m;
    if (n > (int)sizeof(line) - 2)
        n = (int)sizeof(line) - 2;
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, (size_t)n) < 0)
        return; /* there is nobody left to tell */
}

#define SAY(level, word) \
    do { \
        va_list args; \
        va_start(args, fmt); \
        say(level, word, fmt, args); \
        va_end(args); \
    } while (0)

void log_error(const char *fmt, ...)
{
    SAY(LOG_ERROR, "error: ");
}

void log_warn(const char *fmt, ...)
{
    SAY(LOG_WARN, "warning: ");
}

void log_info(const char *fmt, ...)
{
    SAY(LOG_INFO, "");
}

void log_debug(const char *fmt, ...)
{
    SAY(LOG_DEBUG, "debug: ");
}
