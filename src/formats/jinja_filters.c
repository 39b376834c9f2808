/* jinja_filters.c - the filters that make or change text, and the look-up of all filters. */
#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

/* --- through the methods of str --------------------------------------------------------------- */

/* The method `name` on the subject printed as a string; a safe string stays safe. */
static bool by_method(struct render *r, struct call *c, const char *name, struct value *out)
{
    const struct builtin *method = str_method_find(STR(name));
    struct call inner = *c;

    return value_to_str(r, c->self, &inner.self) && method->fn(r, &inner, out);
}

static bool filter_upper(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "upper", out);
}

static bool filter_lower(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "lower", out);
}

static bool filter_capitalize(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "capitalize", out);
}

static bool filter_trim(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "strip", out);
}

static bool filter_center(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "center", out);
}

static bool filter_replace(struct render *r, struct call *c, struct value *out)
{
    struct call inner = *c;
    const struct builtin *method = str_method_find(STR("replace"));

    if (!value_to_str(r, c->self, &inner.self) || !value_to_str(r, c->arg[0], &inner.arg[0]) ||
        !value_to_str(r, c->arg[1], &inner.arg[1]))
        return false;
    if (c->arg[2].type == VALUE_NONE)
        inner.arg[2] = (struct value){0};
    if (!r->autoescape) {
        inner.self.is_safe = false;
    } else if (!inner.self.is_safe && (inner.arg[0].is_safe || inner.arg[1].is_safe) &&
               !value_escape(r, inner.self, &inner.self)) {
        return false;
    }
    return method->fn(r, &inner, out);
}

/* --- words and lines -------------------------------------------------------------------------- */

static bool is_word_break(uint32_t c)
{
    return text_is(c, TEXT_SPACE) || (c < 0x80 && c && strchr("-({[<", (int)c));
}

/* Upper case after a blank, a hyphen or an opening bracket, lower case elsewhere. */
static bool filter_title(struct render *r, struct call *c, struct value *out)
{
    struct str s;
    size_t mark;
    bool is_start = true;

    if (!value_text(r, c->self, &s))
        return false;
    mark = render_text_begin(r);
    for (size_t i = 0; i < s.len;) {
        uint32_t code = utf8_next(s, &i);

        text_add_case(&r->scratch, code, is_start ? TEXT_TO_UPPER : TEXT_TO_LOWER);
        is_start = is_word_break(code);
    }
    return render_text_end(r, mark, out);
}

static bool filter_wordcount(struct render *r, struct call *c, struct value *out)
{
    struct str s;
    bool is_in_word = false;
    int64_t n = 0;

    if (!value_text(r, c->self, &s))
        return false;
    for (size_t i = 0; i < s.len;) {
        uint32_t code = utf8_next(s, &i);
        bool is_word = code == '_' || text_is(code, TEXT_ALNUM);

        n += is_word && !is_in_word;
        is_in_word = is_word;
    }
    *out = value_int(n);
    return true;
}

/* The next line of *rest without its end; false: none left. */
static bool next_line(struct str *rest, struct str *line)
{
    size_t i = 0;

    if (rest->len == 0)
        return false;
    while (i < rest->len) {
        size_t end = i;
        uint32_t code = utf8_next(*rest, &i);

        if (!text_is_line_end(code))
            continue;
        if (code == '\r' && i < rest->len && rest->ptr[i] == '\n')
            i++;
        *line = str_slice(*rest, 0, end);
        *rest = str_slice(*rest, i, rest->len);
        return true;
    }
    *line = *rest;
    rest->len = 0;
    return true;
}

static bool indent_text(struct render *r, struct call *c, struct value *out)
{
    int64_t width;
    size_t mark;

    if (c->arg[0].type == VALUE_STR) {
        *out = c->arg[0];
        return !c->self.is_safe || value_escape(r, *out, out);
    }
    if (!arg_int(r, c, 0, 4, &width))
        return false;
    if (width > (int64_t)r->max_output)
        return render_limit(r, "indent() by %lld blanks", (long long)width);
    mark = render_text_begin(r);
    for (int64_t i = 0; i < width && !r->scratch.failed; i++)
        buf_addc(&r->scratch, ' ');
    return render_text_end(r, mark, out);
}

static bool filter_indent(struct render *r, struct call *c, struct value *out)
{
    struct value indent;
    struct str rest, line;
    bool first, blank, is_safe = c->self.is_safe;
    size_t mark, n = 0;

    if (c->self.type != VALUE_STR)
        return c->self.type == VALUE_UNDEFINED
                   ? op_undefined(r, c->self)
                   : render_fail(r, "indent() needs a str, not a %s", value_type_name(c->self));
    if (!indent_text(r, c, &indent) || !arg_bool(r, c, 1, false, &first) ||
        !arg_bool(r, c, 2, false, &blank) ||
        !render_format(r, out, STR_FMT "\n", STR_ARG(c->self.s)))
        return false;
    rest = out->s; /* with a newline at its end, as Jinja2 has it */
    mark = render_text_begin(r);
    while (next_line(&rest, &line)) {
        if (n > 0)
            buf_addc(&r->scratch, '\n');
        if (n == 0 ? first : blank || line.len > 0)
            buf_add_str(&r->scratch, indent.s);
        buf_add_str(&r->scratch, line);
        n++;
    }
    if (!render_spend(r, n) || !render_text_end(r, mark, out))
        return false;
    out->is_safe = is_safe;
    return true;
}

static bool filter_truncate(struct render *r, struct call *c, struct value *out)
{
    int64_t length, leeway = 5, n;
    bool kills_words;
    struct str end, s, cut;
    ptrdiff_t blank;

    if (!arg_int(r, c, 0, 255, &length) || !arg_bool(r, c, 1, false, &kills_words) ||
        !arg_str(r, c, 2, "...", &end))
        return false;
    if (c->arg[3].type != VALUE_NONE && !arg_int(r, c, 3, 5, &leeway))
        return false;
    if (length < (int64_t)utf8_count(end))
        return render_fail(r, "truncate() to %lld characters has no room for its end",
                           (long long)length);
    if (leeway < 0)
        return render_fail(r, "truncate() needs a leeway of zero or more");
    *out = c->self;
    if (!value_length(r, c->self, &n))
        return false;
    if (n <= length || n - length <= leeway)
        return true;
    if (c->self.type != VALUE_STR)
        return render_fail(r, "truncate() needs a str, not a %s", value_type_name(c->self));
    s = c->self.s;
    cut = str_slice(s, 0, text_offset(s, (size_t)(length - (int64_t)utf8_count(end))));
    blank = str_rfind(cut, STR(" "));
    if (!kills_words && blank >= 0)
        cut.len = (size_t)blank;
    return render_format(r, out, STR_FMT STR_FMT, STR_ARG(cut), STR_ARG(end));
}

/* --- wordwrap --------------------------------------------------------------------------------- */

struct wrap {
    struct render *r;
    struct buf *out;
    size_t width;
    bool breaks_words, breaks_hyphens;
    struct str separator;
    struct str line; /* taken so far; pieces of a paragraph follow each other in memory */
    size_t n_line;
    bool has_line;
};

static void wrap_flush(struct wrap *w)
{
    struct str line = text_strip(w->line, false, true);

    if (line.len > 0) {
        if (w->has_line)
            buf_add_str(w->out, w->separator);
        buf_add_str(w->out, line);
        w->has_line = true;
    }
    w->line = (struct str){w->line.ptr + w->line.len, 0};
    w->n_line = 0;
}

static bool is_letter_at(struct str s, size_t at)
{
    return at < s.len && text_is(utf8_next(s, &at), TEXT_ALPHA);
}

/* A piece that cannot be broken: blanks, or a word up to the hyphen after two letters. */
static size_t wrap_piece(const struct wrap *w, struct str s)
{
    bool is_blank = s.len > 0 && memchr(" \t\n\v\f\r", s.ptr[0], 6) != NULL;
    size_t i = 0;

    while (i < s.len && (memchr(" \t\n\v\f\r", s.ptr[i], 6) != NULL) == is_blank) {
        i++;
        if (!is_blank && w->breaks_hyphens && s.ptr[i - 1] == '-' && i >= 3 && is_letter_at(s, i)) {
            size_t before, two;

            (void)text_last(str_slice(s, 0, i - 1), &before);
            if (is_letter_at(s, before) && before > 0 &&
                text_is(text_last(str_slice(s, 0, before), &two), TEXT_ALPHA))
                break;
        }
    }
    return i;
}

static void wrap_take(struct wrap *w, size_t n_bytes, size_t n_chars)
{
    w->line.len += n_bytes;
    w->n_line += n_chars;
}

static bool wrap_paragraph(struct wrap *w, struct str s)
{
    w->line = (struct str){s.ptr, 0};
    w->n_line = 0;
    while (s.len > 0) {
        size_t n_bytes = wrap_piece(w, s), n = utf8_count(str_slice(s, 0, n_bytes));
        bool is_blank = memchr(" \t\n\v\f\r", s.ptr[0], 6) != NULL;

        if (!render_spend(w->r, 1 + n_bytes / 16)) /* a long word is measured again for each line */
            return false;
        if (w->n_line + n > w->width && (w->n_line > 0 || is_blank)) {
            if (w->breaks_words && !is_blank && n > w->width && w->n_line < w->width) {
                n_bytes = text_offset(s, w->width - w->n_line);
                wrap_take(w, n_bytes, w->width - w->n_line);
                s = str_slice(s, n_bytes, s.len);
                wrap_flush(w);
                continue;
            }
            wrap_flush(w);
            if (is_blank) { /* blanks at the turn of a line vanish */
                s = str_slice(s, n_bytes, s.len);
                w->line = (struct str){s.ptr, 0};
            }
            continue;
        }
        if (w->n_line == 0 && is_blank && w->has_line) {
            s = str_slice(s, n_bytes, s.len);
            w->line = (struct str){s.ptr, 0};
            continue;
        }
        if (n > w->width && w->breaks_words && !is_blank) {
            n_bytes = text_offset(s, w->width);
            n = w->width;
        }
        wrap_take(w, n_bytes, n);
        s = str_slice(s, n_bytes, s.len);
    }
    wrap_flush(w);
    return true;
}

static bool filter_wordwrap(struct render *r, struct call *c, struct value *out)
{
    struct wrap w = {.r = r, .out = &r->scratch};
    struct str rest, line;
    int64_t width;
    size_t mark, n = 0;

    if (!value_text(r, c->self, &rest) || !arg_int(r, c, 0, 79, &width) ||
        !arg_bool(r, c, 1, true, &w.breaks_words) || !arg_bool(r, c, 3, true, &w.breaks_hyphens))
        return false;
    if (c->arg[2].type == VALUE_NONE)
        c->arg[2] = (struct value){0};
    if (!arg_str(r, c, 2, "\n", &w.separator))
        return false;
    if (width <= 0)
        return render_fail(r, "wordwrap() needs a width above zero");
    w.width = (size_t)width;
    mark = render_text_begin(r);
    while (next_line(&rest, &line)) {
        if (n++ > 0)
            buf_add_str(&r->scratch, w.separator);
        w.has_line = false;
        if (!wrap_paragraph(&w, line))
            return false;
    }
    return render_text_end(r, mark, out);
}

/* --- HTML ------------------------------------------------------------------------------------- */

static bool filter_escape(struct render *r, struct call *c, struct value *out)
{
    return value_escape(r, c->self, out);
}

static bool filter_forceescape(struct render *r, struct call *c, struct value *out)
{
    if (!value_to_str(r, c->self, out))
        return false;
    out->is_safe = false;
    return value_escape(r, *out, out);
}

static bool filter_safe(struct render *r, struct call *c, struct value *out)
{
    if (!value_to_str(r, c->self, out))
        return false;
    out->is_safe = true;
    return true;
}

static void add_entity(struct buf *out, struct str s, size_t *i)
{
    static const struct {
        const char *name, *text;
    } entities[] = {{"&amp;", "&"}, {"&lt;", "<"},   {"&gt;", ">"},        {"&quot;", "\""},
                    {"&#39;", "'"}, {"&#34;", "\""}, {"&nbsp;", "\u00a0"}, {"&apos;", "'"}};

    for (size_t k = 0; k < LEN(entities); k++)
        if (str_starts(str_slice(s, *i, s.len), entities[k].name)) {
            buf_addz(out, entities[k].text);
            *i += strlen(entities[k].name);
            return;
        }
    buf_addc(out, s.ptr[(*i)++]);
}

/* s without its comments and tags. What is never closed stays, and is not looked for again. */
static void add_without_tags(struct buf *out, struct str s)
{
    bool has_comments = true, has_tags = true;

    for (size_t i = 0; i < s.len;) {
        ptrdiff_t end = -1;

        if (has_comments && str_starts(str_slice(s, i, s.len), "<!--")) {
            end = str_find(s, STR("-->"), i);
            has_comments = end >= 0;
            end += end >= 0 ? 2 : 0;
        } else if (has_tags && s.ptr[i] == '<') {
            end = str_find_char(s, '>', i);
            has_tags = end >= 0;
        }
        if (end >= 0)
            i = (size_t)end + 1;
        else
            buf_addc(out, s.ptr[i++]);
    }
}

/* Comments and tags go, runs of white space become one blank, the common entities characters. */
static bool filter_striptags(struct render *r, struct call *c, struct value *out)
{
    struct str s;
    struct value bare;
    size_t mark;
    bool is_blank = false, has_text = false;

    if (!value_text(r, c->self, &s))
        return false;
    mark = render_text_begin(r);
    add_without_tags(&r->scratch, s);
    if (!render_text_end(r, mark, &bare))
        return false;
    mark = render_text_begin(r);
    for (size_t i = 0; i < bare.s.len;) {
        size_t next = i;

        if (text_is(utf8_next(bare.s, &next), TEXT_SPACE)) {
            is_blank = true;
            i = next;
            continue;
        }
        if (is_blank && has_text)
            buf_addc(&r->scratch, ' ');
        is_blank = false;
        has_text = true;
        add_entity(&r->scratch, bare.s, &i);
    }
    return render_text_end(r, mark, out);
}

static bool filter_xmlattr(struct render *r, struct call *c, struct value *out)
{
    bool has_space, is_first = true;
    size_t mark;

    if (c->self.type != VALUE_DICT)
        return render_fail(r, "xmlattr() needs a dict, not a %s", value_type_name(c->self));
    if (!arg_bool(r, c, 0, true, &has_space))
        return false;
    mark = render_text_begin(r);
    for (size_t i = 0; i < c->self.dict->n; i++) {
        struct value key = c->self.dict->entries[i].key, v = c->self.dict->entries[i].value;

        if (v.type == VALUE_NONE || v.type == VALUE_UNDEFINED)
            continue;
        if (!value_escape(r, key, &key) || !value_escape(r, v, &v))
            return false;
        for (size_t k = 0; k < key.s.len; k++)
            if (memchr(" \t\n\r\f\v/>=", key.s.ptr[k], 9))
                return render_fail(r, "'" STR_FMT "' cannot be the name of an attribute",
                                   STR_ARG(key.s));
        buf_addf(&r->scratch, "%s" STR_FMT "=\"" STR_FMT "\"", is_first && !has_space ? "" : " ",
                 STR_ARG(key.s), STR_ARG(v.s));
        is_first = false;
    }
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = r->autoescape;
    return true;
}

/* --- encodings -------------------------------------------------------------------------------- */

static void add_quoted(struct buf *out, struct str s, bool is_query)
{
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.ptr[i];
        bool is_plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
                        (ch >= 'A' && ch <= 'Z') || (ch && strchr("_.-~", ch)) ||
                        (ch == '/' && !is_query);

        if (is_plain)
            buf_addc(out, ch);
        else if (is_query && ch == ' ')
            buf_addc(out, '+');
        else
            buf_addf(out, "%%%02X", (unsigned char)ch);
    }
}

static bool quote_pairs(struct render *r, struct value v)
{
    struct list *pairs, *pair;
    struct value items = v;
    struct view view = {.dict = v.dict, .kind = VIEW_ITEMS};

    if (v.type == VALUE_DICT)
        items = (struct value){.type = VALUE_VIEW, .view = &view};
    if (!value_items(r, items, &pairs))
        return false;
    for (size_t i = 0; i < pairs->n; i++) {
        struct str key, text;

        if (!value_items(r, pairs->items[i], &pair))
            return false;
        if (pair->n != 2)
            return render_fail(r, "urlencode() needs pairs, and item %zu has %zu parts", i,
                               pair->n);
        if (!value_text(r, pair->items[0], &key) || !value_text(r, pair->items[1], &text))
            return false;
        if (i > 0)
            buf_addc(&r->scratch, '&');
        add_quoted(&r->scratch, key, true);
        buf_addc(&r->scratch, '=');
        add_quoted(&r->scratch, text, true);
    }
    return true;
}

static bool filter_urlencode(struct render *r, struct call *c, struct value *out)
{
    size_t mark;
    struct str s = {"", 0};
    bool is_text = c->self.type == VALUE_STR || !value_iterable(c->self);

    if (is_text && !value_text(r, c->self, &s))
        return false;
    mark = render_text_begin(r);
    if (is_text)
        add_quoted(&r->scratch, s, false);
    else if (!quote_pairs(r, c->self))
        return false;
    return render_text_end(r, mark, out);
}

static bool separators_of(struct render *r, struct value v, struct tojson_style *s)
{
    struct list *pair;

    if (v.type == VALUE_ABSENT || v.type == VALUE_NONE)
        return true;
    if (!value_items(r, v, &pair))
        return false;
    if (pair->n != 2 || pair->items[0].type != VALUE_STR || pair->items[1].type != VALUE_STR)
        return render_fail(r, "tojson() needs two strings as separators");
    s->item_separator = pair->items[0].s;
    s->key_separator = pair->items[1].s;
    return true;
}

static bool filter_tojson(struct render *r, struct call *c, struct value *out)
{
    bool is_html = r->t->settings.tojson == JINJA_TOJSON_HTML;
    struct tojson_style s = {.indent = -1,
                             .html = is_html,
                             .indent_text = STR_LIT(""),
                             .item_separator = STR_LIT(", "),
                             .key_separator = STR_LIT(": ")};
    struct value first = c->arg[0];
    size_t mark;

    if (is_html && c->args->n_pos > 0) { /* Jinja2's own has the indent first, and nothing else */
        c->arg[0] = c->arg[1];
        c->arg[1] = first;
    }
    if (c->arg[1].type == VALUE_STR) {
        s.indent = 0;
        s.indent_text = c->arg[1].s;
    } else if (c->arg[1].type != VALUE_NONE) {
        if (!arg_int(r, c, 1, -1, &s.indent))
            return false;
        if (value_given(c->arg[1]))
            s.indent = MAX(s.indent, 0);
    }
    if (s.indent != -1)
        s.item_separator = STR(",");
    if (!arg_bool(r, c, 0, is_html, &s.ensure_ascii) || !separators_of(r, c->arg[2], &s) ||
        !arg_bool(r, c, 3, is_html, &s.sort_keys))
        return false;
    mark = render_text_begin(r);
    if (!print_json(r, &r->scratch, c->self, &s) || !render_text_end(r, mark, out))
        return false;
    out->is_safe = is_html;
    return true;
}

static bool filter_string(struct render *r, struct call *c, struct value *out)
{
    return value_to_str(r, c->self, out);
}

static bool filter_pprint(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    return print_pretty(r, &r->scratch, c->self) && render_text_end(r, mark, out);
}

static bool filter_format(struct render *r, struct call *c, struct value *out)
{
    struct value fmt, arg;

    if (!value_to_str(r, c->self, &fmt))
        return false;
    if (c->args->n_pos > 0 && c->args->n_named > 0)
        return render_fail(r, "format() takes values by position or by name, not both");
    if (c->args->n_named > 0) {
        if (!value_dict(r, (size_t)c->args->n_named, &arg))
            return false;
        for (int i = 0; i < c->args->n_named; i++)
            if (!dict_set(r, arg.dict, value_str(c->args->named[i].name), c->args->named[i].value))
                return false;
    } else {
        if (!value_tuple(r, (size_t)c->args->n_pos, &arg))
            return false;
        for (int i = 0; i < c->args->n_pos; i++)
            arg.list->items[arg.list->n++] = c->args->pos[i];
    }
    return format_percent(r, fmt, arg, out);
}

static const struct builtin string_filters[] = {
    {"upper", "", filter_upper},
    {"lower", "", filter_lower},
    {"capitalize", "", filter_capitalize},
    {"title", "", filter_title},
    {"trim", "chars", filter_trim},
    {"replace", "old! new! count", filter_replace},
    {"center", "width", filter_center},
    {"indent", "width first blank", filter_indent},
    {"truncate", "length killwords end leeway", filter_truncate},
    {"wordcount", "", filter_wordcount},
    {"wordwrap", "width break_long_words wrapstring break_on_hyphens", filter_wordwrap},
    {"escape", "", filter_escape},
    {"e", "", filter_escape},
    {"forceescape", "", filter_forceescape},
    {"safe", "", filter_safe},
    {"striptags", "", filter_striptags},
    {"xmlattr", "autospace", filter_xmlattr},
    {"urlencode", "", filter_urlencode},
    {"tojson", "ensure_ascii indent separators sort_keys", filter_tojson},
    {"string", "", filter_string},
    {"pprint", "", filter_pprint},
    {"format", "*", filter_format},
};

const struct builtin *filter_find(struct str name)
{
    const struct builtin *found = builtin_find(string_filters, LEN(string_filters), name);

    if (!found)
        found = list_filter_find(name);
    return found ? found : number_filter_find(name);
}
