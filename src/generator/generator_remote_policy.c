/* generator_remote_policy.c - see generator_remote_policy.h. */
#include "generator/generator_remote_policy.h"

#include "base/hash.h"

enum { BACKOFF_FIRST_MS = 500, BACKOFF_MOST_MS = 30000, WINDOW_STEP_MS = 1000 };

enum fail_class remote_class_of_status(int status)
{
    if (status >= 200 && status < 300)
        return FAIL_NONE;
    if (status == 408 || status == 409 || status == 425 || status == 429)
        return FAIL_RATE;
    if (status >= 500 && status != 501) /* what is not built will not be there at the next try */
        return FAIL_SERVER;
    return FAIL_REQUEST;
}

bool remote_is_retryable(enum fail_class c)
{
    return c == FAIL_CONNECT || c == FAIL_TIMEOUT || c == FAIL_RATE || c == FAIL_SERVER ||
           c == FAIL_MALFORMED;
}

bool remote_is_refusal(int status)
{
    return status == 429 || status == 503;
}

int64_t remote_backoff_ms(int n_failures, uint64_t key)
{
    int64_t most = BACKOFF_FIRST_MS;
    uint64_t draw = siphash64(key, (uint64_t)n_failures, "backoff", 7);

    for (int i = 1; i < n_failures && most < BACKOFF_MOST_MS; i++)
        most *= 2;
    most = MIN(most, BACKOFF_MOST_MS);
    return most / 2 + (int64_t)(draw % (uint64_t)(most / 2 + 1));
}

static struct str lowered(struct str s, char *out, size_t size)
{
    size_t n = MIN(s.len, size);

    for (size_t i = 0; i < n; i++)
        out[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] + 32) : s.ptr[i];
    return (struct str){out, n};
}

bool remote_is_context_error(struct str message)
{
    static const char *const phrases[] = {
        "maximum context length", "max context length", "context length exceeded", "context window",
        "context_length",         "context size",       "maximum model length",
    };
    char text[2048];
    struct str low = lowered(message, text, sizeof(text));

    for (size_t i = 0; i < LEN(phrases); i++)
        if (str_find(low, STR(phrases[i]), 0) >= 0)
            return true;
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number that begins at i, thousands separated by commas or not; 0 if it is beyond an int. */
static int number_at(struct str s, size_t i, size_t *end)
{
    int64_t n = 0;

    for (; i < s.len; i++) {
        bool is_separator = s.ptr[i] == ',' && i + 3 < s.len && is_digit(s.ptr[i + 1]) &&
                            is_digit(s.ptr[i + 2]) && is_digit(s.ptr[i + 3]) &&
                            !(i + 4 < s.len && is_digit(s.ptr[i + 4]));
        if (is_separator)
            continue;
        if (!is_digit(s.ptr[i]))
            break;
        n = n < INT32_MAX ? n * 10 + (s.ptr[i] - '0') : n;
    }
    *end = i;
    return n < INT32_MAX ? (int)n : 0;
}

/* The first number after the words, not more than `reach` bytes on; 0: none. */
static int number_after(struct str s, const char *words, size_t reach)
{
    ptrdiff_t at = str_find(s, STR(words), 0);
    size_t end;

    if (at < 0)
        return 0;
    for (size_t i = (size_t)at + strlen(words); i < s.len && reach-- > 0; i++)
        if (is_digit(s.ptr[i]))
            return number_at(s, i, &end);
    return 0;
}

/* The number right before the words, blanks between them; 0: none. */
static int number_before(struct str s, const char *words)
{
    ptrdiff_t at = 0;

    while ((at = str_find(s, STR(words), (size_t)at)) >= 0) {
        size_t to = (size_t)at, from, end;

        while (to > 0 && s.ptr[to - 1] == ' ')
            to--;
        for (from = to; from > 0 && (is_digit(s.ptr[from - 1]) || s.ptr[from - 1] == ','); from--)
            continue;
        if (from < to && is_digit(s.ptr[from]))
            return number_at(s, from, &end);
        at++;
    }
    return 0;
}

void remote_context_numbers(struct str message, int max_tokens, int *n_context, int *n_prompt)
{
    static const char *const after_context[] = {
        "maximum context length", "max context length",   "context window",
        "context size",           "maximum model length", "\"n_ctx\"",
    };
    static const char *const before_prompt[] = {
        "in the messages", "in your prompt",         "input tokens",  "tokens from the input",
        "in the prompt",   "tokens in the messages", "prompt tokens", "tokens in your prompt",
    };
    static const char *const after_prompt[] = {"resulted in", "prompt contains",
                                               "\"n_prompt_tokens\""};
    char text[2048];
    struct str low = lowered(message, text, sizeof(text));
    int n_total;

    *n_context = *n_prompt = 0;
    for (size_t i = 0; i < LEN(after_context) && *n_context == 0; i++)
        *n_context = number_after(low, after_context[i], 24);
    for (size_t i = 0; i < LEN(before_prompt) && *n_prompt == 0; i++)
        *n_prompt = number_before(low, before_prompt[i]);
    for (size_t i = 0; i < LEN(after_prompt) && *n_prompt == 0; i++)
        *n_prompt = number_after(low, after_prompt[i], 24);
    if (*n_prompt > 0)
        return;
    n_total = number_after(low, "you requested", 16);
    if (n_total == 0)
        n_total = number_after(low, "requested a total of", 8);
    if (n_total > max_tokens && max_tokens > 0)
        *n_prompt = n_total - max_tokens;
}

void remote_window_init(struct remote_window *w, int max, int64_t now_ms)
{
    *w = (struct remote_window){
        .size = max, .max = max, .refused_ms = now_ms - WINDOW_STEP_MS, .grown_ms = now_ms};
}

void remote_window_refused(struct remote_window *w, int n_running, int64_t now_ms)
{
    w->grown_ms = now_ms;
    if (now_ms - w->refused_ms < WINDOW_STEP_MS)
        return;
    w->refused_ms = now_ms;
    w->size = MAX(1, MIN(w->size, n_running + 1) * 7 / 10);
}

void remote_window_grow(struct remote_window *w, int64_t now_ms)
{
    int64_t n_steps = (now_ms - w->grown_ms) / WINDOW_STEP_MS;

    if (n_steps <= 0)
        return;
    w->grown_ms += n_steps * WINDOW_STEP_MS;
    w->size = (int)MIN((int64_t)w->max, w->size + n_steps * MAX(1, w->max / 64));
}
