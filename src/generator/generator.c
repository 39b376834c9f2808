/* generator.c - what all generators share. */
#include "generator/generator.h"

void generator_close(struct generator *g)
{
    if (g)
        g->ops->close(g);
}

struct sampling sampling_default(void)
{
    return (struct sampling){
        .temperature = 1,
        .top_p = 1,
        .repetition_penalty = 1,
        .n_logprobs = -1,
        .n_prompt_logprobs = -1,
    };
}

const char *finish_reason_name(enum finish_reason r)
{
    static const char *const names[] = {
        [FINISH_NONE] = "none",   [FINISH_STOP] = "stop",   [FINISH_LENGTH] = "length",
        [FINISH_ABORT] = "abort", [FINISH_OTHER] = "other",
    };

    return (size_t)r < LEN(names) ? names[r] : "other";
}

const char *fail_class_name(enum fail_class c)
{
    static const char *const names[N_FAIL_CLASSES] = {
        [FAIL_NONE] = "none",       [FAIL_CONNECT] = "connect", [FAIL_TIMEOUT] = "timeout",
        [FAIL_RATE] = "rate_limit", [FAIL_SERVER] = "server",   [FAIL_MALFORMED] = "malformed",
        [FAIL_REQUEST] = "request", [FAIL_CONTEXT] = "context", [FAIL_CANCELLED] = "cancelled",
        [FAIL_ENGINE] = "engine",
    };

    return (size_t)c < LEN(names) ? names[c] : "unknown";
}
