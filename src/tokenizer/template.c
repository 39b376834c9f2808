/* template.c - TemplateProcessing for single texts; ByteLevel changes offsets alone, which nobody
 * asks for. */
#include "tokenizer/template.h"

#include "tokenizer/fields.h"

#define MAX_DEPTH 16

static const char type_names[] = "TemplateProcessing ByteLevel Sequence";
enum { TYPE_TEMPLATE, TYPE_BYTE_LEVEL, TYPE_SEQUENCE };

static bool add_special(const struct json *all, struct str name, const struct vocab *vocab,
                        struct token_buf *out, struct err *e)
{
    const struct json *special = json_get_str(all, name), *ids;

    if (!special)
        return err_set(e, ERR_INPUT, "\"%.*s\" is not among the special_tokens",
                       (int)MIN(name.len, 80), name.ptr);
    if (!fields_check(special, "a special token", "id ids tokens", e) ||
        !field_array(special, "ids", &ids, e))
        return false;
    for (struct json_iter it = json_iter(ids); json_next(&it);) {
        int64_t id = json_int(it.value, -1);

        if (id < 0 || id > VOCAB_ID_MAX || !vocab_has(vocab, (int32_t)id, VOCAB_PRESENT))
            return err_set(e, ERR_INPUT, "\"%.*s\" has the id %lld, which is no token",
                           (int)MIN(name.len, 80), name.ptr, (long long)id);
        token_buf_add(out, (int32_t)id);
    }
    return true;
}

/* One part of "single": {"SpecialToken": {"id", "type_id"}} or {"Sequence": {"id": "A",
 * "type_id"}}. */
static bool read_part(const struct json *part, const struct json *specials,
                      const struct vocab *vocab, struct token_buf *before, struct token_buf *after,
                      bool *has_text, struct err *e)
{
    const struct json *special, *text;
    struct str id;

    if (!fields_check(part, "a part of the template", "SpecialToken Sequence", e))
        return false;
    special = json_get(part, "SpecialToken");
    text = json_get(part, "Sequence");
    if (json_len(part) != 1)
        return err_set(e, ERR_INPUT,
                       "a part of the template has either \"SpecialToken\" or \"Sequence\"");
    if (!fields_check(special ? special : text, "a part of the template", "id type_id", e) ||
        !field_str(special ? special : text, "id", &id, e))
        return false;
    if (special)
        return add_special(specials, id, vocab, *has_text ? after : before, e);
    if (*has_text || !str_eqz(id, "A"))
        return err_set(e, ERR_UNSUPPORTED,
                       "a template for single texts with \"%.*s\"%s is not supported",
                       (int)MIN(id.len, 80), id.ptr, *has_text ? " a second time" : "");
    *has_text = true;
    return true;
}

static bool read_template(const struct json *v, const struct vocab *vocab, struct token_buf *prefix,
                          struct token_buf *suffix, struct err *e)
{
    struct token_buf before = {0}, after = {0};
    const struct json *parts, *specials = json_get(v, "special_tokens");
    bool has_text = false, ok;

    /* The published stack would go on by "pair", with the first template's tokens as one of two
     * texts. */
    if (prefix->n || suffix->n)
        return err_set(e, ERR_UNSUPPORTED,
                       "a TemplateProcessing after one that adds tokens is not supported");
    ok = fields_check(v, "TemplateProcessing", "single pair special_tokens", e) &&
         field_array(v, "single", &parts, e);
    for (size_t i = 0; ok && i < json_len(parts); i++)
        ok = read_part(json_at(parts, i), specials, vocab, &before, &after, &has_text, e);
    if (ok && !has_text)
        ok = err_set(e, ERR_UNSUPPORTED,
                     "a template for single texts without the text is not supported");
    token_buf_clear(prefix);
    token_buf_clear(suffix);
    *prefix = before;
    *suffix = after;
    return ok;
}

static bool add_processors(const struct json *v, const struct vocab *vocab,
                           struct token_buf *prefix, struct token_buf *suffix, int depth,
                           struct err *e)
{
    const struct json *items;
    int type;

    if (!field_choice(v, "type", type_names, &type, e))
        return false;
    if (depth > MAX_DEPTH)
        return err_set(e, ERR_UNSUPPORTED, "more than %d levels", MAX_DEPTH);
    if (type == TYPE_BYTE_LEVEL)
        return fields_check(v, "the post-processor ByteLevel",
                            "add_prefix_space trim_offsets use_regex", e);
    if (type == TYPE_TEMPLATE)
        return read_template(v, vocab, prefix, suffix, e);
    if (!fields_check(v, "the post-processor Sequence", "processors", e) ||
        !field_array(v, "processors", &items, e))
        return false;
    for (struct json_iter it = json_iter(items); json_next(&it);)
        if (!add_processors(it.value, vocab, prefix, suffix, depth + 1, e))
            return false;
    return true;
}

bool template_parse(const struct json *v, const struct vocab *vocab, struct token_buf *prefix,
                    struct token_buf *suffix, struct err *e)
{
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_ABSENT)
        return true;
    if (add_processors(v, vocab, prefix, suffix, 0, e))
        return true;
    err_prefix(e, "post_processor");
    return false;
}
