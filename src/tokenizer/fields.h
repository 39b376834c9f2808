/* fields.h - strict reading of the parts of a tokenizer.json.
 *
 * A key that is not known asks for something that would not be done, so it is refused by name. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "formats/json.h"

/* v is an object whose keys are all in `known`, names with blanks between them; "type" is always
 * known. */
bool fields_check(const struct json *v, const char *what, const char *known,
                  struct err *e) MUST_CHECK;

bool field_bool(const struct json *v, const char *key, bool *out,
                struct err *e) MUST_CHECK; /* must be there */
/* Absent or null leaves *out as it is. */
bool field_bool_opt(const struct json *v, const char *key, bool *out, struct err *e) MUST_CHECK;
bool field_str(const struct json *v, const char *key, struct str *out, struct err *e) MUST_CHECK;
bool field_str_opt(const struct json *v, const char *key, struct str *out,
                   struct err *e) MUST_CHECK;
bool field_int(const struct json *v, const char *key, int64_t min, int64_t max, int64_t *out,
               struct err *e) MUST_CHECK;
bool field_char(const struct json *v, const char *key, uint32_t *out, struct err *e) MUST_CHECK;

/* The index of the value among `names`, blanks between them. */
bool field_choice(const struct json *v, const char *key, const char *names, int *out,
                  struct err *e) MUST_CHECK;
bool field_array(const struct json *v, const char *key, const struct json **out,
                 struct err *e) MUST_CHECK;
