/* api_constraint.h - what a request says about the form of its answer: response_format,
 * structured_outputs and the older guided_* fields. */
#pragma once

#include "server/api.h"

/* Reads all of them into *out; more than one is refused with 400, what the generator does not obey
 * with 501. A schema that came as text is parsed, and the body owns it from then on. */
bool api_constraint_parse(struct json *body, const struct api_limits *limits,
                          struct constraint *out, struct api_error *err) MUST_CHECK;
