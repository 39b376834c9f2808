/* schema.h - a JSON schema (draft 2020-12, in part) as a term.
 *
 * Whatever the term matches satisfies the schema. The reverse does not hold: keys come in the order
 * in which `properties` lists them, an object or tuple that says nothing about more of them has no
 * more, and json_terms.h says how values are written. A keyword that is not enforced is an error
 * that names it and its place; annotations are passed over. */
#pragma once

#include "grammar/json_terms.h"

struct term *schema_term(struct json_terms *j, const struct json *schema, struct err *e) MUST_CHECK;
