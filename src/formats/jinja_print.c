/* jinja_print.c - values as text: Python's str and repr, pprint, HTML escapes and JSON. */
#include <math.h>

#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

/* --- repr ------------------------------------------------------------------------------------- */

static void repr_char(struct buf *out, uint32_t c, char quote)
{
    static const char plain[] = "\\\n\r\t", letters[] = "\\nrt";
    const char *found = c < 0x80 && c ? strchr(plain, (int)c) : NULL;

    if (found)
        buf_addf(out, "\\%c", letters[found - plain]);
    else if (c == (unsigned char)quote)
        buf_addf(out, "\\%c", quote);
    else if (c >= ' ' && c < 0x7f)
        buf_addc(out, (char)c);
    else if (c >= 0x80 && text_is(c, TEXT_PRINTABLE))
        buf_add_utf8(out, c);
    else if (c < 0x100)
        buf_addf(out, "\\x%02x", (unsigned)c);
    else if (c < 0x10000)
        buf_addf(out, "\\u%04x", (unsigned)c);
    else
        buf_addf(out, "\\U%08x", (unsigned)c);
}

static void repr_str(struct buf *out, struct str s)
{
    char quote = memchr(s.ptr, '\'', s.len) && !memchr(s.ptr, '"', s.len) ? '"' : '\'';

    buf_addc(out, quote);
    for (size_t i = 0; i < s.len;)
        repr_char(out, utf8_next(s, &i), quote);
    buf_addc(out, quote);
}

static bool repr_items(struct render *r, struct buf *out, const struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            buf_addz(out, ", ");
        if (!print_repr(r, out, l->items[i]))
            return false;
    }
    return true;
}

static bool repr_dict(struct render *r, struct buf *out, const struct dict *d)
{
    buf_addc(out, '{');
    for (size_t i = 0; i < d->n; i++) {
        if (i > 0)
            buf_addz(out, ", ");
        if (!print_repr(r, out, d->entries[i].key))
            return false;
        buf_addz(out, ": ");
        if (!print_repr(r, out, d->entries[i].value))
            return false;
    }
    buf_addc(out, '}');
    return true;
}

static bool repr_view(struct render *r, struct buf *out, const struct view *v)
{
    static const char *const names[] = {"dict_keys", "dict_values", "dict_items"};
    struct value self = {.type = VALUE_VIEW, .view = (struct view *)v};
    struct list *items;

    buf_addf(out, "%s([", names[v->kind]);
    if (!value_items(r, self, &items) || !repr_items(r, out, items))
        return false;
    buf_addz(out, "])");
    return true;
}

static void repr_range(struct buf *out, const struct range *g)
{
    buf_addf(out, "range(%lld, %lld", (long long)g->start, (long long)g->stop);
    if (g->step != 1)
        buf_addf(out, ", %lld", (long long)g->step);
    buf_addc(out, ')');
}

static bool repr_container(struct render *r, struct buf *out, struct value v)
{
    switch (v.type) {
    case VALUE_LIST:
        buf_addc(out, '[');
        if (!repr_items(r, out, v.list))
            return false;
        buf_addc(out, ']');
        return true;
    case VALUE_TUPLE:
        buf_addc(out, '(');
        if (!repr_items(r, out, v.list))
            return false;
        buf_addz(out, v.list->n == 1 ? ",)" : ")");
        return true;
    case VALUE_NAMESPACE:
        buf_addz(out, "<Namespace ");
        if (!repr_dict(r, out, v.dict))
            return false;
        buf_addc(out, '>');
        return true;
    case VALUE_VIEW:
        return repr_view(r, out, v.view);
    default:
        return repr_dict(r, out, v.dict);
    }
}

bool print_repr(struct render *r, struct buf *out, struct value v)
{
    bool is_good;

    if (!render_spend(r, 1))
        return false;
    switch (v.type) {
    case VALUE_UNDEFINED:
        buf_addz(out, "Undefined");
        return true;
    case VALUE_STR:
        if (v.is_safe)
            buf_addz(out, "Markup(");
        repr_str(out, v.s);
        if (v.is_safe)
            buf_addc(out, ')');
        return render_spend(r, v.s.len / 16);
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
    case VALUE_NAMESPACE:
    case VALUE_VIEW:
        is_good = render_enter(r) && repr_container(r, out, v);
        r->depth--;
        return is_good;
    default:
        return print_str(r, out, v);
    }
}

/* --- str -------------------------------------------------------------------------------------- */

bool print_str(struct render *r, struct buf *out, struct value v)
{
    switch (v.type) {
    case VALUE_STR:
        buf_add_str(out, v.s);
        return true;
    case VALUE_ABSENT:
        return true;
    case VALUE_UNDEFINED:
        return !r->t->settings.strict_undefined || op_undefined(r, v);
    case VALUE_NONE:
        buf_addz(out, "None");
        return true;
    case VALUE_BOOL:
        buf_addz(out, v.b ? "True" : "False");
        return true;
    case VALUE_INT:
        buf_addf(out, "%lld", (long long)v.i);
        return true;
    case VALUE_FLOAT:
        buf_add_f64(out, v.f);
        return true;
    case VALUE_RANGE:
        repr_range(out, v.range);
        return true;
    case VALUE_STREAM:
        buf_addf(out, "<generator object %s>", v.stream->name);
        return true;
    case VALUE_FUNCTION:
        buf_addf(out, "<function %s>", v.function->name);
        return true;
    case VALUE_METHOD:
        buf_addf(out, "<method %s>", v.method->fn->name);
        return true;
    case VALUE_MACRO:
        buf_addz(out, "<Macro ");
        repr_str(out, v.macro->node->name);
        buf_addc(out, '>');
        return true;
    case VALUE_LOOP:
        buf_addf(out, "<LoopContext %zu/%zu>", v.loop->at + 1, v.loop->items->n);
        return true;
    case VALUE_CYCLER:
        buf_addz(out, "<Cycler>");
        return true;
    case VALUE_JOINER:
        buf_addz(out, "<Joiner>");
        return true;
    case VALUE_HOST:
        buf_addf(out, "<function %s>", v.host->name);
        return true;
    default:
        return print_repr(r, out, v);
    }
}

bool value_to_str(struct render *r, struct value v, struct value *out)
{
    size_t mark;

    if (v.type == VALUE_STR) {
        *out = v;
        return true;
    }
    mark = render_text_begin(r);
    return print_str(r, &r->scratch, v) && render_text_end(r, mark, out);
}

bool value_text(struct render *r, struct value v, struct str *out)
{
    struct value text;

    if (!value_to_str(r, v, &text))
        return false;
    *out = text.s;
    return true;
}

/* --- HTML ------------------------------------------------------------------------------------- */

void print_escaped(struct buf *out, struct str s)
{
    static const char special[] = "&<>'\"", *const escapes[] = {"&amp;", "&lt;", "&gt;", "&#39;",
                                                                "&#34;"};

    for (size_t i = 0; i < s.len; i++) {
        const char *found = s.ptr[i] ? strchr(special, s.ptr[i]) : NULL;

        if (found)
            buf_addz(out, escapes[found - special]);
        else
            buf_addc(out, s.ptr[i]);
    }
}

bool value_escape(struct render *r, struct value v, struct value *out)
{
    size_t mark;

    if (!value_to_str(r, v, out))
        return false;
    if (out->is_safe)
        return true;
    mark = render_text_begin(r);
    print_escaped(&r->scratch, out->s);
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = true;
    return true;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_escape(struct buf *out, uint32_t c, const struct tojson_style *s)
{
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    const char *found = c < 0x80 && c ? strchr(plain, (int)c) : NULL;

    if (found)
        buf_addf(out, "\\%c", letters[found - plain]);
    else if (c < 0x20 || (s->html && c < 0x80 && strchr("<>&'", (int)c)) ||
             (s->ensure_ascii && c >= 0x7f && c < 0x10000))
        buf_addf(out, "\\u%04x", (unsigned)c);
    else if (s->ensure_ascii && c >= 0x10000)
        buf_addf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)),
                 (unsigned)(0xdc00 + (c & 0x3ff)));
    else
        buf_add_utf8(out, c);
}

static void write_str(struct buf *out, struct str s, const struct tojson_style *style)
{
    buf_addc(out, '"');
    for (size_t i = 0; i < s.len;)
        json_escape(out, utf8_next(s, &i), style);
    buf_addc(out, '"');
}

static void json_float(struct buf *out, double f)
{
    if (isnan(f))
        buf_addz(out, "NaN");
    else if (isinf(f))
        buf_addz(out, f < 0 ? "-Infinity" : "Infinity");
    else
        buf_add_f64(out, f);
}

static bool json_scalar(struct render *r, struct buf *out, struct value v,
                        const struct tojson_style *s)
{
    switch (v.type) {
    case VALUE_NONE:
        buf_addz(out, "null");
        return true;
    case VALUE_BOOL:
        buf_addz(out, v.b ? "true" : "false");
        return true;
    case VALUE_INT:
        buf_addf(out, "%lld", (long long)v.i);
        return true;
    case VALUE_FLOAT:
        json_float(out, v.f);
        return true;
    case VALUE_STR:
        write_str(out, v.s, s);
        return render_spend(r, v.s.len / 16);
    default:
        return render_fail(r, "a %s cannot be written as JSON", value_type_name(v));
    }
}

static void json_line(struct buf *out, const struct tojson_style *s, int depth)
{
    if (s->indent == -1)
        return;
    buf_addc(out, '\n');
    for (int i = 0; i < depth; i++) {
        buf_add_str(out, s->indent_text);
        for (int64_t k = 0; k < s->indent && !out->failed; k++)
            buf_addc(out, ' ');
    }
}

static bool json_key(struct render *r, struct buf *out, struct value key,
                     const struct tojson_style *s)
{
    if (key.type == VALUE_STR)
        return json_scalar(r, out, key, s);
    if (key.type != VALUE_NONE && key.type != VALUE_BOOL && key.type != VALUE_INT &&
        key.type != VALUE_FLOAT)
        return render_fail(r, "a %s cannot be a key in JSON", value_type_name(key));
    buf_addc(out, '"');
    if (!json_scalar(r, out, key, s))
        return false;
    buf_addc(out, '"');
    return true;
}

static bool json_value(struct render *r, struct buf *out, struct value v,
                       const struct tojson_style *s, int depth) MUST_CHECK;

static bool json_list(struct render *r, struct buf *out, const struct list *l,
                      const struct tojson_style *s, int depth)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < l->n; i++) {
        if (i > 0)
            buf_add_str(out, s->item_separator);
        json_line(out, s, depth + 1);
        if (!json_value(r, out, l->items[i], s, depth + 1))
            return false;
    }
    if (l->n > 0)
        json_line(out, s, depth);
    buf_addc(out, ']');
    return true;
}

/* The entries in the order of their keys. */
static bool sorted_entries(struct render *r, const struct dict *d, struct list **out)
{
    struct value keys, values = {.type = VALUE_DICT, .dict = (struct dict *)d};
    struct view view = {.dict = (struct dict *)d, .kind = VIEW_ITEMS};
    struct list *names;

    keys = values;
    values = (struct value){.type = VALUE_VIEW, .view = &view};
    return value_items(r, keys, &names) && value_items(r, values, out) &&
           list_sort(r, *out, names, false);
}

static bool json_dict(struct render *r, struct buf *out, const struct dict *d,
                      const struct tojson_style *s, int depth)
{
    struct list *sorted = NULL;

    if (s->sort_keys && !sorted_entries(r, d, &sorted))
        return false;
    buf_addc(out, '{');
    for (size_t i = 0; i < d->n; i++) {
        struct value key = sorted ? sorted->items[i].list->items[0] : d->entries[i].key;
        struct value value = sorted ? sorted->items[i].list->items[1] : d->entries[i].value;

        if (i > 0)
            buf_add_str(out, s->item_separator);
        json_line(out, s, depth + 1);
        if (!json_key(r, out, key, s))
            return false;
        buf_add_str(out, s->key_separator);
        if (!json_value(r, out, value, s, depth + 1))
            return false;
    }
    if (d->n > 0)
        json_line(out, s, depth);
    buf_addc(out, '}');
    return true;
}

static bool json_value(struct render *r, struct buf *out, struct value v,
                       const struct tojson_style *s, int depth)
{
    bool is_good;

    if (!render_spend(r, 1 + (s->indent > 0 ? (size_t)(s->indent / 16) * (size_t)depth : 0)))
        return false;
    if (v.type != VALUE_LIST && v.type != VALUE_TUPLE && v.type != VALUE_DICT)
        return json_scalar(r, out, v, s);
    is_good = render_enter(r) && (v.type == VALUE_DICT ? json_dict(r, out, v.dict, s, depth)
                                                       : json_list(r, out, v.list, s, depth));
    r->depth--;
    return is_good;
}

bool print_json(struct render *r, struct buf *out, struct value v, const struct tojson_style *s)
{
    return json_value(r, out, v, s, 0);
}

/* --- pprint ----------------------------------------------------------------------------------- */

/* As Python's pprint with its width of 80: what does not fit on a line is broken after each item.
 * Keys are sorted. Long strings stay whole. */
struct pretty {
    struct render *r;
    struct buf *out;
};

static bool pretty_value(struct pretty *p, struct value v, size_t indent,
                         size_t allowance) MUST_CHECK;

static bool sorted_copy(struct render *r, struct value v, struct value *out)
{
    struct list *entries;

    *out = v;
    if (v.type == VALUE_DICT) {
        if (!sorted_entries(r, v.dict, &entries) || !value_dict(r, entries->n, out))
            return false;
        for (size_t i = 0; i < entries->n; i++) {
            struct value item = entries->items[i].list->items[1];

            if (!render_enter(r) || !sorted_copy(r, item, &item) ||
                !dict_set(r, out->dict, entries->items[i].list->items[0], item))
                return false;
            r->depth--;
        }
    } else if (v.type == VALUE_LIST || v.type == VALUE_TUPLE) {
        if (!(v.type == VALUE_LIST ? value_list(r, v.list->n, out)
                                   : value_tuple(r, v.list->n, out)))
            return false;
        for (size_t i = 0; i < v.list->n; i++) {
            struct value item;

            if (!render_enter(r) || !sorted_copy(r, v.list->items[i], &item) ||
                !list_push(r, out->list, item))
                return false;
            r->depth--;
        }
    }
    return true;
}

static void pretty_break(struct pretty *p, size_t indent)
{
    buf_addz(p->out, ",\n");
    for (size_t i = 0; i < indent && !p->out->failed; i++)
        buf_addc(p->out, ' ');
}

static bool pretty_list(struct pretty *p, struct value v, size_t indent, size_t allowance)
{
    bool is_single = v.type == VALUE_TUPLE && v.list->n == 1;

    buf_addc(p->out, v.type == VALUE_LIST ? '[' : '(');
    for (size_t i = 0; i < v.list->n; i++) {
        bool is_last = i + 1 == v.list->n;

        if (i > 0)
            pretty_break(p, indent + 1);
        if (!pretty_value(p, v.list->items[i], indent + 1, is_last ? allowance + 1 + is_single : 1))
            return false;
    }
    buf_addz(p->out, v.type == VALUE_LIST ? "]" : is_single ? ",)" : ")");
    return true;
}

static bool pretty_dict(struct pretty *p, struct value v, size_t indent, size_t allowance)
{
    buf_addc(p->out, '{');
    for (size_t i = 0; i < v.dict->n; i++) {
        size_t start, width;

        if (i > 0)
            pretty_break(p, indent + 1);
        start = p->out->len;
        if (!print_repr(p->r, p->out, v.dict->entries[i].key))
            return false;
        buf_addz(p->out, ": ");
        width = utf8_count(str_slice(buf_str(p->out), start, p->out->len));
        if (!pretty_value(p, v.dict->entries[i].value, indent + 1 + width,
                          i + 1 == v.dict->n ? allowance + 1 : 1))
            return false;
    }
    buf_addc(p->out, '}');
    return true;
}

static bool pretty_value(struct pretty *p, struct value v, size_t indent, size_t allowance)
{
    size_t start = p->out->len, width;
    bool is_good = true;

    if (!print_repr(p->r, p->out, v))
        return false;
    width = utf8_count(str_slice(buf_str(p->out), start, p->out->len));
    if (width + indent + allowance <= 80)
        return true;
    if (v.type != VALUE_LIST && v.type != VALUE_TUPLE && v.type != VALUE_DICT)
        return true;
    p->out->len = start;
    is_good = render_enter(p->r) && (v.type == VALUE_DICT ? pretty_dict(p, v, indent, allowance)
                                                          : pretty_list(p, v, indent, allowance));
    p->r->depth--;
    return is_good;
}

bool print_pretty(struct render *r, struct buf *out, struct value v)
{
    struct pretty p = {r, out};

    return sorted_copy(r, v, &v) && pretty_value(&p, v, 0, 0);
}
