/* yaml.h - YAML 1.1 documents as JSON trees, behind which stands libyaml.
 *
 * Plain scalars are read by the core schema: null, booleans (true, false), integers, reals;
 * everything else, and every quoted scalar, is a string. (yes, no, on, off stay strings: they
 * surprise more than they help.) Anchors and aliases are resolved by copying; merge keys (<<) are
 * not. A document with aliases that blow up is refused by size. */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct json;

/* One document; more than one is an error. The message names line and column. Own tree: json_close.
 */
struct json *yaml_parse(struct str text, struct err *e) MUST_CHECK;
struct json *yaml_parse_file(const char *path, struct err *e) MUST_CHECK;
