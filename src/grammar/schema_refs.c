/* schema_refs.c - where references lead, and which schemas exclude each other. */
#include "grammar/schema_reader.h"

enum { MAX_LOOK = 16 }; /* references followed when two schemas are set side by side */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One part of a pointer, without its escapes. */
static void decode_part(struct buf *out, struct str part)
{
    for (size_t i = 0; i < part.len; i++) {
        bool has_two = i + 2 < part.len;

        if (part.ptr[i] == '%' && has_two && hex_digit(part.ptr[i + 1]) >= 0 &&
            hex_digit(part.ptr[i + 2]) >= 0) {
            buf_addc(out, (char)(hex_digit(part.ptr[i + 1]) * 16 + hex_digit(part.ptr[i + 2])));
            i += 2;
        } else if (part.ptr[i] == '~' && i + 1 < part.len) {
            buf_addc(out, part.ptr[++i] == '1' ? '/' : '~');
        } else {
            buf_addc(out, part.ptr[i]);
        }
    }
}

const struct json *schema_resolve(struct schema_reader *r, struct str ref)
{
    const struct json *at = r->root;
    struct str rest = str_slice(ref, 1, ref.len), part;
    struct buf name = {0};

    if (!str_starts(ref, "#") || (rest.len > 0 && rest.ptr[0] != '/')) {
        schema_refuse(r, "\"$ref\": \"%.100s\" is not a place in this schema (#/...)", ref.ptr);
        return NULL;
    }
    rest = str_slice(rest, 1, rest.len);
    while (at && ref.len > 1 && str_cut(&rest, '/', &part)) {
        buf_reset(&name);
        decode_part(&name, part);
        if (json_type(at) == JSON_ARRAY) {
            size_t i = 0;

            for (size_t k = 0; k < name.len && i < MAX_COUNT; k++)
                i = i * 10 + (size_t)(name.ptr[k] - '0');
            at = json_at(at, i);
        } else {
            at = json_get_str(at, buf_str(&name));
        }
    }
    buf_clear(&name);
    if (!at)
        schema_refuse(r, "\"$ref\": there is nothing at \"%.100s\"", ref.ptr);
    return at;
}

/* The schema behind references, without a word where one leads nowhere: reading it will say so. */
static const struct json *behind_refs(struct schema_reader *r, const struct json *node)
{
    for (int i = 0; i < MAX_LOOK && json_type(json_get(node, "$ref")) == JSON_STRING; i++) {
        struct err ignored = ERR_INIT, *e = r->e;
        const struct json *target;

        r->e = &ignored;
        target = schema_resolve(r, json_str(json_get(node, "$ref")));
        r->e = e;
        if (!target)
            return node;
        node = target;
    }
    return node;
}

static unsigned type_of_value(const struct json *v)
{
    static const unsigned bits[] = {
        [JSON_ABSENT] = TYPE_ANY,  [JSON_NULL] = TYPE_NULL,     [JSON_BOOL] = TYPE_BOOL,
        [JSON_INT] = TYPE_NUMBER,  [JSON_REAL] = TYPE_NUMBER,   [JSON_STRING] = TYPE_STRING,
        [JSON_ARRAY] = TYPE_ARRAY, [JSON_OBJECT] = TYPE_OBJECT,
    };

    return bits[json_type(v)];
}

unsigned schema_types_of(struct schema_reader *r, const struct json *node, int depth)
{
    static const char *const unions[] = {"anyOf", "oneOf"};
    const struct json *type, *list;
    unsigned out = 0;

    node = behind_refs(r, node);
    if (json_type(node) != JSON_OBJECT || depth > MAX_LOOK)
        return TYPE_ANY;
    type = json_get(node, "type");
    if (json_type(type) == JSON_STRING)
        return schema_type_bit(json_str(type));
    for (size_t i = 0; i < json_len(type); i++)
        out |= schema_type_bit(json_str(json_at(type, i)));
    if (out)
        return out;
    if (json_get(node, "const"))
        return type_of_value(json_get(node, "const"));
    list = json_get(node, "enum");
    for (size_t i = 0; i < json_len(list); i++)
        out |= type_of_value(json_at(list, i));
    for (size_t u = 0; u < LEN(unions); u++) {
        list = json_get(node, unions[u]);
        for (size_t i = 0; i < json_len(list); i++)
            out |= schema_types_of(r, json_at(list, i), depth + 1);
    }
    return out ? out : TYPE_ANY;
}

/* The values that a schema lists, one after the other; NULL: it lists no more, or none at all. */
static const struct json *listed_value(const struct json *node, size_t i)
{
    const struct json *constant = json_get(node, "const");

    return constant ? (i == 0 ? constant : NULL) : json_at(json_get(node, "enum"), i);
}

static bool lists_differ(const struct json *a, const struct json *b)
{
    const struct json *x, *y;

    if (!listed_value(a, 0) || !listed_value(b, 0))
        return false;
    for (size_t i = 0; (x = listed_value(a, i)); i++)
        for (size_t k = 0; (y = listed_value(b, k)); k++) {
            bool are_numbers = type_of_value(x) == TYPE_NUMBER && type_of_value(y) == TYPE_NUMBER;

            if (are_numbers ? json_num(x, 0) == json_num(y, 0) : json_same(x, y))
                return false;
        }
    return true;
}

static bool requires(const struct json *node, struct str key)
{
    const struct json *list = json_get(node, "required");

    for (size_t i = 0; i < json_len(list); i++)
        if (str_eq(json_str(json_at(list, i)), key))
            return true;
    return false;
}

bool schema_are_disjoint(struct schema_reader *r, const struct json *a, const struct json *b)
{
    unsigned common = schema_types_of(r, a, 0) & schema_types_of(r, b, 0);
    const struct json *theirs;

    a = behind_refs(r, a);
    b = behind_refs(r, b);
    if (common == 0 || lists_differ(a, b))
        return true;
    if (common != TYPE_OBJECT)
        return false;
    theirs = json_get(b, "properties");
    for (struct json_iter it = json_iter(json_get(a, "properties")); json_next(&it);)
        if (requires(a, it.key) && requires(b, it.key) &&
            lists_differ(behind_refs(r, it.value), behind_refs(r, json_get_str(theirs, it.key))))
            return true;
    return false;
}
