/* generator_remote_opts.c - the options of the remote generator. */
#include "generator/generator_remote.h"

#define S struct remote_opts

const struct opt remote_server_table[] = {
    OPT_LIST(
        S, base_url,
        "address of the server: its root, with /v1, or a full path; may be given several times "
        "to share the work. Without it: OPENAI_BASE_URL",
        .flags = OPT_UNRECORDED),
    OPT_STR(S, model_name, NULL,
            "the model's name as the server knows it; may be left out when it serves one only"),
    OPT_STR(S, api_key, NULL,
            "key for the server; without it OPENAI_API_KEY, else EMPTY. It is never written down",
            .flags = OPT_SECRET | OPT_UNRECORDED),
    OPT_STR(S, organization, NULL, "sent as OpenAI-Organization", .flags = OPT_UNRECORDED),
    OPT_STR(S, extra_body, "{}",
            "further fields for every request, as JSON; a field of the same name comes instead of "
            "ours, null leaves ours out"),
    OPT_BOOL(S, stream, "true", "have answers streamed, so that a stalled one is noticed",
             .flags = OPT_UNRECORDED),
    OPT_BOOL(S, send_seed, "true", "send each sample's own seed"),
    OPT_BOOL(S, strict_openai, "false",
             "for servers that refuse what OpenAI's API lacks: no top_k, min_p and "
             "repetition_penalty, and max_completion_tokens for max_tokens"),
    {0},
};

const struct opt remote_limits_table[] = {
    OPT_INT(S, max_workers, "128", 1, 65536,
            "requests under way at once; fewer for a while when the server "
            "answers 429 or 503",
            .flags = OPT_UNRECORDED),
    OPT_INT(S, max_retries, "3", 0, 1000, "further tries for a request that failed",
            .flags = OPT_UNRECORDED),
    OPT_REAL(S, request_timeout, "99999", 0, 1e7, "seconds for a whole answer; 0: no limit",
             .flags = OPT_UNRECORDED),
    OPT_REAL(S, connect_timeout, "15", 0.001, 1e6, "seconds to connect", .flags = OPT_UNRECORDED),
    OPT_REAL(S, first_token_timeout, "3600", 0, 1e7,
             "seconds to the first piece of a streamed answer; 0: no limit",
             .flags = OPT_UNRECORDED),
    OPT_REAL(S, silence_timeout, "300", 0, 1e7,
             "seconds between two pieces of an answer; 0: no limit", .flags = OPT_UNRECORDED),
    OPT_REAL(S, rate_limit_wait, "600", 0, 1e7,
             "seconds that one request may wait on answers 429 and 503 in all; "
             "these waits use up no tries",
             .flags = OPT_UNRECORDED),
    OPT_REAL(S, max_outage, "300", 0, 1e7,
             "seconds without any reachable server until the run stops", .flags = OPT_UNRECORDED),
    {0},
};

#undef S
