/* schema_reader.h - what the files that read schemas share. */
#pragma once

#include "formats/json.h"
#include "grammar/schema.h"

enum { MAX_SCHEMA_DEPTH = 128, MAX_COUNT = 1 << 16 };

struct schema_rule {
    const struct json *node;
    int rule;
};

struct schema_reader {
    struct json_terms *j;
    struct terms *t;
    const struct json *root;
    struct schema_rule *rules; /* of the nodes that were met */
    int n_rules, cap_rules;
    int depth;
    struct buf path; /* of the node at work, as a JSON pointer */
    struct err *e;
};

/* Types as bits; an integer is a number. */
enum {
    TYPE_NULL = 1,
    TYPE_BOOL = 2,
    TYPE_NUMBER = 4,
    TYPE_STRING = 8,
    TYPE_ARRAY = 16,
    TYPE_OBJECT = 32,
    TYPE_ANY = 63,
};

/* Always NULL; `what` follows the place. */
struct term *schema_refuse(struct schema_reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The term of a schema below the one at work; key (and i, unless -1) lead to it. */
struct term *schema_below(struct schema_reader *r, const struct json *node, const char *key, int i);

const struct json *schema_resolve(struct schema_reader *r, struct str ref); /* NULL: refused */
unsigned schema_type_bit(struct str name); /* 0: there is no such type */
unsigned schema_types_of(struct schema_reader *r, const struct json *node, int depth);

/* Two schemas that no value can satisfy together. */
bool schema_are_disjoint(struct schema_reader *r, const struct json *a, const struct json *b);

/* Reads a count that may be absent; false: refused. */
bool schema_count(struct schema_reader *r, const struct json *node, const char *key, int *out);

struct term *schema_object(struct schema_reader *r, const struct json *node);
struct term *schema_array(struct schema_reader *r, const struct json *node);
struct term *schema_string(struct schema_reader *r, const struct json *node);
struct term *schema_number(struct schema_reader *r, const struct json *node, bool is_integer);
