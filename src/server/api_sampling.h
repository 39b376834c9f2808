/* api_sampling.h - the sampling fields, which chat and completions share. */
#pragma once

#include "server/api.h"

/* Whether `name` is a field that api_sampling_parse reads. */
bool api_sampling_knows(struct str name);
/* Reads every sampling field of the body into *out, which starts from the limits' defaults. Token
 * counts of logprobs are left to the caller. Arrays live in the arena. */
bool api_sampling_parse(const struct json *body, const struct api_limits *limits, struct arena *a,
                        struct sampling *out, struct api_error *err) MUST_CHECK;

/* Typed reading of one field, NULL and null are "not there". False: a wrong type or out of range.
 */
bool api_take_bool(const struct json *body, const char *key, bool *out,
                   struct api_error *err) MUST_CHECK;
bool api_take_int(const struct json *body, const char *key, int64_t lo, int64_t hi, int64_t *out,
                  struct api_error *err) MUST_CHECK;
bool api_take_strs(const struct json *body, const char *key, struct arena *a,
                   const struct str **out, int *n,
                   struct api_error *err) MUST_CHECK; /* a string or a list of strings */
bool api_take_ids(const struct json *array, const char *key, struct arena *a, const int32_t **out,
                  int *n, struct api_error *err) MUST_CHECK;
