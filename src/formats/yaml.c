/* yaml.c - libyaml composes the document (nodes by number, aliases resolved to the same number);
 * this file copies nodes into a JSON tree. */
#include "formats/yaml.h"

#include <yaml.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/num.h"
#include "formats/json.h"

enum { MAX_DEPTH = 64, MAX_NODES = 1000000 };

struct copier {
    yaml_document_t *doc;
    int n_nodes;
    struct err *e;
};

static struct json *scalar(const yaml_node_t *n)
{
    struct str s = {(const char *)n->data.scalar.value, n->data.scalar.length};
    int64_t i;
    double x;

    if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return json_new_str(s);
    if (s.len == 0 || str_eqz(s, "~") || str_eqz(s, "null") || str_eqz(s, "Null") ||
        str_eqz(s, "NULL"))
        return json_new_null();
    if (str_eqz(s, "true") || str_eqz(s, "True") || str_eqz(s, "TRUE"))
        return json_new_bool(true);
    if (str_eqz(s, "false") || str_eqz(s, "False") || str_eqz(s, "FALSE"))
        return json_new_bool(false);
    if (parse_i64(s, &i))
        return json_new_int(i);
    if (parse_f64(s, &x))
        return json_new_real(x);
    return json_new_str(s);
}

static struct json *copy_node(struct copier *c, int index, int depth);

static bool copy_pairs(struct copier *c, const yaml_node_t *n, struct json *out, int depth)
{
    for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(c->doc, p->key);
        struct json *value;

        if (key->type != YAML_SCALAR_NODE)
            return err_set(c->e, ERR_INPUT, "line %zu: a key must be a plain word",
                           key->start_mark.line + 1);
        if (json_get(out, (const char *)key->data.scalar.value))
            return err_set(c->e, ERR_INPUT, "line %zu: the key \"%s\" stands twice",
                           key->start_mark.line + 1, (const char *)key->data.scalar.value);
        value = copy_node(c, p->value, depth + 1);
        if (!value)
            return false;
        json_set(out, (const char *)key->data.scalar.value, value);
    }
    return true;
}

static struct json *copy_node(struct copier *c, int index, int depth)
{
    const yaml_node_t *n = yaml_document_get_node(c->doc, index);
    struct json *out, *item;

    if (depth > MAX_DEPTH || ++c->n_nodes > MAX_NODES) {
        err_set(c->e, ERR_INPUT, "line %zu: nested too deeply, or too large with its aliases",
                n->start_mark.line + 1);
        return NULL;
    }
    if (n->type == YAML_SCALAR_NODE)
        return scalar(n);
    if (n->type == YAML_MAPPING_NODE) {
        out = json_new_object();
        if (copy_pairs(c, n, out, depth))
            return out;
        json_close(out);
        return NULL;
    }
    out = json_new_array();
    for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
        item = copy_node(c, *i, depth + 1);
        if (!item) {
            json_close(out);
            return NULL;
        }
        json_push(out, item);
    }
    return out;
}

static struct json *copy_document(yaml_document_t *doc, struct err *e)
{
    struct copier c = {doc, 0, e};

    if (!yaml_document_get_root_node(doc))
        return json_new_null();
    return copy_node(&c, 1, 0);
}

struct json *yaml_parse(struct str text, struct err *e)
{
    yaml_parser_t parser;
    yaml_document_t doc, further;
    struct json *out = NULL;

    if (!yaml_parser_initialize(&parser)) {
        err_set(e, ERR_MEMORY, "no memory for a YAML parser");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
    if (!yaml_parser_load(&parser, &doc)) {
        err_set(e, ERR_INPUT, "line %zu, column %zu: not valid YAML: %s",
                parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                parser.problem ? parser.problem : "unreadable");
        yaml_parser_delete(&parser);
        return NULL;
    }
    out = copy_document(&doc, e);
    if (out && yaml_document_get_root_node(&doc)) {
        bool is_sound = yaml_parser_load(&parser, &further);

        if (!is_sound || yaml_document_get_root_node(&further)) {
            err_set(e, ERR_INPUT,
                    is_sound ? "more than one YAML document"
                             : "not valid YAML after the first document");
            json_close(out);
            out = NULL;
        }
        if (is_sound)
            yaml_document_delete(&further);
    }
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return out;
}

struct json *yaml_parse_file(const char *path, struct err *e)
{
    struct buf text = {0};
    struct json *out = NULL;

    if (file_read(path, 16 << 20, &text, e)) {
        out = yaml_parse(buf_str(&text), e);
        if (!out)
            err_prefix(e, "%s", path);
    }
    buf_clear(&text);
    return out;
}
