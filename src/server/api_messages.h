/* api_messages.h - the messages of a chat request, with their content parts. */
#pragma once

#include "server/api.h"

/* Reads body.messages into req->msgs. Assistant messages' reasoning_content is renamed to reasoning
 * in the tree that req->msgs[i].raw points into, hence body is changed. */
bool api_messages_parse(struct json *body, const struct api_limits *limits, struct arena *a,
                        struct gen_request *req, struct api_error *err) MUST_CHECK;
