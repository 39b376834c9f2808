/* api_logprobs.h - which log probabilities a chat or completion reports. */
#pragma once

#include "server/api.h"

/* Reads the fields into *r and *s; r->echo and r->stream are known. */
bool api_logprobs_parse(struct api_request *r, const struct api_limits *l, struct sampling *s,
                        struct api_error *err) MUST_CHECK;
