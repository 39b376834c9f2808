/* jinja_methods.c - the methods of str. Offsets and widths count code points. */
#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

/* A string made of s, safe if the one it came from is. */
static bool done(struct call *c, struct str s, struct value *out)
{
    *out = value_str(s);
    out->is_safe = c->self.is_safe;
    return true;
}

static bool end_text(struct render *r, struct call *c, size_t mark, struct value *out)
{
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = c->self.is_safe;
    return true;
}

/* --- case ------------------------------------------------------------------------------------- */

static bool str_upper(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_map(&r->scratch, c->self.s, TEXT_TO_UPPER);
    return end_text(r, c, mark, out);
}

static bool str_lower(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_map(&r->scratch, c->self.s, TEXT_TO_LOWER);
    return end_text(r, c, mark, out);
}

static bool str_casefold(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_map(&r->scratch, c->self.s, TEXT_TO_FOLDED);
    return end_text(r, c, mark, out);
}

static bool str_title(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_title(&r->scratch, c->self.s);
    return end_text(r, c, mark, out);
}

static bool str_capitalize(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_capitalize(&r->scratch, c->self.s);
    return end_text(r, c, mark, out);
}

static bool str_swapcase(struct render *r, struct call *c, struct value *out)
{
    size_t mark = render_text_begin(r);

    text_swapcase(&r->scratch, c->self.s);
    return end_text(r, c, mark, out);
}

/* --- stripping -------------------------------------------------------------------------------- */

static bool strip_sides(struct render *r, struct call *c, bool left, bool right, struct value *out)
{
    struct str set;

    if (!value_given(c->arg[0]) || c->arg[0].type == VALUE_NONE)
        return done(c, text_strip(c->self.s, left, right), out);
    if (!arg_str(r, c, 0, "", &set) ||
        !render_spend(r, (set.len + 1) * (c->self.s.len / 64 + 1) / 8))
        return false;
    return done(c, text_strip_set(c->self.s, set, left, right), out);
}

static bool str_strip(struct render *r, struct call *c, struct value *out)
{
    return strip_sides(r, c, true, true, out);
}

static bool str_lstrip(struct render *r, struct call *c, struct value *out)
{
    return strip_sides(r, c, true, false, out);
}

static bool str_rstrip(struct render *r, struct call *c, struct value *out)
{
    return strip_sides(r, c, false, true, out);
}

static bool starts_with(struct str s, struct str part)
{
    return part.len <= s.len && memcmp(s.ptr, part.ptr, part.len) == 0;
}

static bool ends_with(struct str s, struct str part)
{
    return part.len <= s.len && memcmp(s.ptr + s.len - part.len, part.ptr, part.len) == 0;
}

static bool str_removeprefix(struct render *r, struct call *c, struct value *out)
{
    struct str part, s = c->self.s;

    if (!arg_str(r, c, 0, "", &part))
        return false;
    return done(c, starts_with(s, part) ? str_slice(s, part.len, s.len) : s, out);
}

static bool str_removesuffix(struct render *r, struct call *c, struct value *out)
{
    struct str part, s = c->self.s;

    if (!arg_str(r, c, 0, "", &part))
        return false;
    return done(c, ends_with(s, part) ? str_slice(s, 0, s.len - part.len) : s, out);
}

/* --- searching -------------------------------------------------------------------------------- */

/* The part of self between the optional arguments i and i + 1, as a slice has them; *at is its byte
 * offset and *first the number of its first character. False in *exists: the start is past the end.
 */
static bool search_window(struct render *r, struct call *c, int i, struct str *out, int64_t *first,
                          bool *exists)
{
    struct str s = c->self.s;
    int64_t n, start = 0, stop = INT64_MAX;
    size_t from, to;

    *first = 0;
    *exists = true;
    *out = s;
    if (!value_given(c->arg[i]) && !value_given(c->arg[i + 1]))
        return true;
    n = (int64_t)utf8_count(s);
    if (c->arg[i].type != VALUE_NONE && !arg_int(r, c, i, 0, &start))
        return false;
    if (c->arg[i + 1].type != VALUE_NONE && !arg_int(r, c, i + 1, INT64_MAX, &stop))
        return false;
    start = start < 0 ? MAX(start + n, 0) : start;
    stop = stop < 0 ? MAX(stop + n, 0) : MIN(stop, n);
    *exists = start <= n && start <= stop;
    start = MIN(start, n);
    from = text_offset(s, (size_t)start);
    to = MAX(from, text_offset(s, (size_t)stop));
    *out = str_slice(s, from, to);
    *first = start;
    return true;
}

/* str_rfind compares at every place, so a long part in a long string costs their product. */
static bool spend_rfind(struct render *r, struct str s, struct str part)
{
    return render_spend(r, (s.len / 64) * (1 + part.len / 64));
}

static bool search(struct render *r, struct call *c, bool from_right, int64_t *out)
{
    struct str part, window;
    int64_t first;
    bool exists;
    ptrdiff_t at;

    if (!arg_str(r, c, 0, "", &part) || !search_window(r, c, 1, &window, &first, &exists))
        return false;
    if (from_right && !spend_rfind(r, window, part))
        return false;
    at = !exists ? -1 : from_right ? str_rfind(window, part) : str_find(window, part, 0);
    *out = at < 0 ? -1 : first + (int64_t)utf8_count(str_slice(window, 0, (size_t)at));
    return true;
}

static bool find_or_fail(struct render *r, struct call *c, bool from_right, bool fails,
                         struct value *out)
{
    int64_t at;

    if (!search(r, c, from_right, &at))
        return false;
    if (at < 0 && fails)
        return render_fail(r, "%s(): the part was not found", c->fn->name);
    *out = value_int(at);
    return true;
}

static bool str_find_method(struct render *r, struct call *c, struct value *out)
{
    return find_or_fail(r, c, false, false, out);
}

static bool str_rfind_method(struct render *r, struct call *c, struct value *out)
{
    return find_or_fail(r, c, true, false, out);
}

static bool str_index(struct render *r, struct call *c, struct value *out)
{
    return find_or_fail(r, c, false, true, out);
}

static bool str_rindex(struct render *r, struct call *c, struct value *out)
{
    return find_or_fail(r, c, true, true, out);
}

static bool str_count(struct render *r, struct call *c, struct value *out)
{
    struct str part, window;
    int64_t first, n = 0;
    bool exists;

    if (!arg_str(r, c, 0, "", &part) || !search_window(r, c, 1, &window, &first, &exists))
        return false;
    if (part.len == 0)
        n = exists ? (int64_t)utf8_count(window) + 1 : 0;
    else
        for (ptrdiff_t at = str_find(window, part, 0); at >= 0 && exists;
             at = str_find(window, part, (size_t)at + part.len))
            n++;
    *out = value_int(n);
    return true;
}

/* startswith and endswith take one part or a tuple of them. */
static bool matches_side(struct render *r, struct call *c, bool (*matches)(struct str, struct str),
                         struct value *out)
{
    struct value parts = c->arg[0];
    struct str window;
    int64_t first;
    bool exists, found = false;

    if (!search_window(r, c, 1, &window, &first, &exists))
        return false;
    if (parts.type != VALUE_TUPLE) {
        struct str part;

        if (!arg_str(r, c, 0, "", &part))
            return false;
        *out = value_bool(exists && matches(window, part));
        return true;
    }
    for (size_t i = 0; i < parts.list->n && !found; i++) {
        if (parts.list->items[i].type != VALUE_STR)
            return render_fail(r, "%s() needs a str or a tuple of them", c->fn->name);
        found = exists && matches(window, parts.list->items[i].s);
    }
    *out = value_bool(found);
    return true;
}

static bool str_startswith(struct render *r, struct call *c, struct value *out)
{
    return matches_side(r, c, starts_with, out);
}

static bool str_endswith(struct render *r, struct call *c, struct value *out)
{
    return matches_side(r, c, ends_with, out);
}

/* Also the work of the filter `replace`. */
static bool str_replace(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s, old, new;
    int64_t most;
    size_t mark, at = 0;

    if (!arg_str(r, c, 0, "", &old) || !arg_int(r, c, 2, -1, &most))
        return false;
    if (c->self.is_safe && c->arg[1].type == VALUE_STR && !value_escape(r, c->arg[1], &c->arg[1]))
        return false;
    if (!arg_str(r, c, 1, "", &new))
        return false;
    mark = render_text_begin(r);
    for (int64_t n = 0; most < 0 || n < most; n++) {
        ptrdiff_t found = old.len > 0 ? str_find(s, old, at) : (ptrdiff_t)at;
        size_t end = at;

        if (found < 0)
            break;
        buf_add_str(&r->scratch, str_slice(s, at, (size_t)found));
        buf_add_str(&r->scratch, new);
        at = (size_t)found + old.len;
        if (r->scratch.failed)
            break;
        if (old.len > 0)
            continue;
        if (at == s.len)
            break;
        (void)utf8_next(s, &end); /* an empty part is found before each character */
        buf_add_str(&r->scratch, str_slice(s, at, end));
        at = end;
    }
    buf_add_str(&r->scratch, str_slice(s, at, s.len));
    return end_text(r, c, mark, out);
}

/* --- splitting and joining -------------------------------------------------------------------- */

static bool push_part(struct render *r, struct call *c, struct str part, struct list *l)
{
    struct value v;

    return done(c, part, &v) && list_push(r, l, v);
}

static void reverse_list(struct list *l)
{
    for (size_t i = 0; i < l->n / 2; i++) {
        struct value v = l->items[i];

        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = v;
    }
}

static bool split_at(struct render *r, struct call *c, struct str separator, int64_t most,
                     struct list *l)
{
    struct str rest = c->self.s;

    for (ptrdiff_t at; most != 0 && (at = str_find(rest, separator, 0)) >= 0; most--) {
        if (!push_part(r, c, str_slice(rest, 0, (size_t)at), l))
            return false;
        rest = str_slice(rest, (size_t)at + separator.len, rest.len);
    }
    return push_part(r, c, rest, l);
}

static bool rsplit_at(struct render *r, struct call *c, struct str separator, int64_t most,
                      struct list *l)
{
    struct str rest = c->self.s;

    if (!spend_rfind(r, rest, separator))
        return false;
    for (ptrdiff_t at; most != 0 && (at = str_rfind(rest, separator)) >= 0; most--) {
        if (!push_part(r, c, str_slice(rest, (size_t)at + separator.len, rest.len), l))
            return false;
        rest = str_slice(rest, 0, (size_t)at);
    }
    if (!push_part(r, c, rest, l))
        return false;
    reverse_list(l);
    return true;
}

/* The byte offset of the first blank in s, or of the first other character. */
static size_t find_space(struct str s, bool is_space)
{
    for (size_t i = 0; i < s.len;) {
        size_t from = i;

        if (text_is(utf8_next(s, &i), TEXT_SPACE) == is_space)
            return from;
    }
    return s.len;
}

static bool split_blanks(struct render *r, struct call *c, int64_t most, struct list *l)
{
    struct str rest = text_strip(c->self.s, true, false);

    for (; rest.len > 0; most--) {
        size_t end = most == 0 ? rest.len : find_space(rest, true);
        struct str part = str_slice(rest, 0, end);

        if (most == 0)
            part = text_strip(part, false, true);
        if (!push_part(r, c, part, l))
            return false;
        rest = text_strip(str_slice(rest, end, rest.len), true, false);
    }
    return true;
}

static bool rsplit_blanks(struct render *r, struct call *c, int64_t most, struct list *l)
{
    struct str rest = text_strip(c->self.s, false, true);

    for (; rest.len > 0; most--) {
        size_t start = rest.len;

        while (start > 0) {
            size_t before;

            if (most != 0 && text_is(text_last(str_slice(rest, 0, start), &before), TEXT_SPACE))
                break;
            start = most == 0 ? 0 : before;
        }
        if (!push_part(r, c,
                       most == 0 ? text_strip(rest, true, false) : str_slice(rest, start, rest.len),
                       l))
            return false;
        rest = text_strip(str_slice(rest, 0, start), false, true);
    }
    reverse_list(l);
    return true;
}

static bool split_by(struct render *r, struct call *c, bool from_right, struct value *out)
{
    struct str separator;
    int64_t most;

    if (!arg_int(r, c, 1, -1, &most) || !value_list(r, 0, out))
        return false;
    if (!value_given(c->arg[0]) || c->arg[0].type == VALUE_NONE)
        return from_right ? rsplit_blanks(r, c, most, out->list)
                          : split_blanks(r, c, most, out->list);
    if (!arg_str(r, c, 0, "", &separator))
        return false;
    if (separator.len == 0)
        return render_fail(r, "%s() cannot split by an empty separator", c->fn->name);
    return from_right ? rsplit_at(r, c, separator, most, out->list)
                      : split_at(r, c, separator, most, out->list);
}

static bool str_split(struct render *r, struct call *c, struct value *out)
{
    return split_by(r, c, false, out);
}

static bool str_rsplit(struct render *r, struct call *c, struct value *out)
{
    return split_by(r, c, true, out);
}

static bool str_splitlines(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s;
    bool keeps_ends;
    size_t start = 0;

    if (!arg_bool(r, c, 0, false, &keeps_ends) || !value_list(r, 0, out))
        return false;
    for (size_t i = 0; i < s.len;) {
        size_t end = i;
        uint32_t code = utf8_next(s, &i);

        if (!text_is_line_end(code))
            continue;
        if (code == '\r' && i < s.len && s.ptr[i] == '\n')
            i++;
        if (!push_part(r, c, str_slice(s, start, keeps_ends ? i : end), out->list))
            return false;
        start = i;
    }
    return start == s.len || push_part(r, c, str_slice(s, start, s.len), out->list);
}

static bool partition(struct render *r, struct call *c, bool from_right, struct value *out)
{
    struct str separator, s = c->self.s;
    ptrdiff_t at;

    if (!arg_str(r, c, 0, "", &separator))
        return false;
    if (separator.len == 0)
        return render_fail(r, "%s() cannot split by an empty separator", c->fn->name);
    if (from_right && !spend_rfind(r, s, separator))
        return false;
    at = from_right ? str_rfind(s, separator) : str_find(s, separator, 0);
    if (!value_tuple(r, 3, out))
        return false;
    if (at < 0)
        return push_part(r, c, from_right ? STR("") : s, out->list) &&
               push_part(r, c, STR(""), out->list) &&
               push_part(r, c, from_right ? s : STR(""), out->list);
    return push_part(r, c, str_slice(s, 0, (size_t)at), out->list) &&
           push_part(r, c, separator, out->list) &&
           push_part(r, c, str_slice(s, (size_t)at + separator.len, s.len), out->list);
}

static bool str_partition(struct render *r, struct call *c, struct value *out)
{
    return partition(r, c, false, out);
}

static bool str_rpartition(struct render *r, struct call *c, struct value *out)
{
    return partition(r, c, true, out);
}

static bool str_join(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    size_t mark;

    if (!value_items(r, c->arg[0], &items))
        return false;
    mark = render_text_begin(r);
    for (size_t i = 0; i < items->n; i++) {
        struct value v = items->items[i];

        if (v.type == VALUE_UNDEFINED)
            return op_undefined(r, v);
        if (v.type != VALUE_STR)
            return render_fail(r, "join() takes strings, and item %zu is a %s", i,
                               value_type_name(v));
        if (c->self.is_safe && !value_escape(r, v, &v))
            return false;
        if (i > 0)
            buf_add_str(&r->scratch, c->self.s);
        buf_add_str(&r->scratch, v.s);
    }
    return end_text(r, c, mark, out);
}

/* --- width ------------------------------------------------------------------------------------ */

static bool justify(struct render *r, struct call *c, bool to_left, bool to_right,
                    struct value *out)
{
    size_t n = utf8_count(c->self.s), pad, before, mark;
    int64_t width;
    struct str fill;

    if (!arg_int(r, c, 0, 80, &width) || !arg_str(r, c, 1, " ", &fill))
        return false;
    if (utf8_count(fill) != 1)
        return render_fail(r, "%s() fills with exactly one character", c->fn->name);
    if (width <= 0 || (size_t)width <= n)
        return done(c, c->self.s, out);
    pad = (size_t)width - n;
    if (!render_spend(r, pad / 8))
        return false;
    /* Python's center puts the odd blank left of a string of odd width */
    before = to_left ? 0 : to_right ? pad : pad / 2 + (pad & (size_t)width & 1);
    mark = render_text_begin(r);
    for (size_t i = 0; i < before && !r->scratch.failed; i++)
        buf_add_str(&r->scratch, fill);
    buf_add_str(&r->scratch, c->self.s);
    for (size_t i = before; i < pad && !r->scratch.failed; i++)
        buf_add_str(&r->scratch, fill);
    return end_text(r, c, mark, out);
}

static bool str_center(struct render *r, struct call *c, struct value *out)
{
    return justify(r, c, false, false, out);
}

static bool str_ljust(struct render *r, struct call *c, struct value *out)
{
    return justify(r, c, true, false, out);
}

static bool str_rjust(struct render *r, struct call *c, struct value *out)
{
    return justify(r, c, false, true, out);
}

static bool str_zfill(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s;
    size_t n = utf8_count(s), mark, has_sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    int64_t width;

    if (!arg_int(r, c, 0, 0, &width))
        return false;
    if (width <= 0 || (size_t)width <= n)
        return done(c, s, out);
    if (!render_spend(r, ((size_t)width - n) / 8))
        return false;
    mark = render_text_begin(r);
    buf_add_str(&r->scratch, str_slice(s, 0, has_sign));
    for (size_t i = n; i < (size_t)width && !r->scratch.failed; i++)
        buf_addc(&r->scratch, '0');
    buf_add_str(&r->scratch, str_slice(s, has_sign, s.len));
    return end_text(r, c, mark, out);
}

static bool str_expandtabs(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s;
    int64_t size, column = 0;
    size_t mark = render_text_begin(r);

    if (!arg_int(r, c, 0, 8, &size))
        return false;
    for (size_t i = 0; i < s.len && !r->scratch.failed;) {
        uint32_t code = utf8_next(s, &i);

        if (code != '\t') {
            buf_add_utf8(&r->scratch, code);
            column = code == '\n' || code == '\r' ? 0 : column + 1;
            continue;
        }
        if (size <= 0)
            continue;
        do {
            buf_addc(&r->scratch, ' ');
        } while (++column % size != 0 && !r->scratch.failed);
    }
    return end_text(r, c, mark, out) && render_spend(r, out->s.len / 8);
}

/* --- questions -------------------------------------------------------------------------------- */

/* Every character is of the class, and there is one. */
static bool all_are(struct call *c, enum text_class k, struct value *out)
{
    struct str s = c->self.s;
    bool holds = s.len > 0;

    for (size_t i = 0; i < s.len && holds;)
        holds = text_is(utf8_next(s, &i), k);
    *out = value_bool(holds);
    return true;
}

#define CLASS_METHOD(name, k) \
    static bool name(struct render *r, struct call *c, struct value *out) \
    { \
        return all_are(c, k, out); \
    }

CLASS_METHOD(str_isalpha, TEXT_ALPHA)
CLASS_METHOD(str_isalnum, TEXT_ALNUM)
CLASS_METHOD(str_isdecimal, TEXT_DECIMAL)
CLASS_METHOD(str_isdigit, TEXT_DIGIT)
CLASS_METHOD(str_isnumeric, TEXT_NUMERIC)
CLASS_METHOD(str_isspace, TEXT_SPACE)

static bool str_isprintable(struct render *r, struct call *c, struct value *out)
{
    if (c->self.s.len > 0)
        return all_are(c, TEXT_PRINTABLE, out);
    *out = value_bool(true);
    return true;
}

static bool str_isascii(struct render *r, struct call *c, struct value *out)
{
    bool holds = true;

    for (size_t i = 0; i < c->self.s.len; i++)
        holds &= (unsigned char)c->self.s.ptr[i] < 0x80;
    *out = value_bool(holds);
    return true;
}

/* All cased characters are of the one case, and there is one. */
static bool cased_are(struct call *c, enum text_class k, struct value *out)
{
    struct str s = c->self.s;
    bool holds = true, has_one = false;

    for (size_t i = 0; i < s.len && holds;) {
        uint32_t code = utf8_next(s, &i);

        if (text_is_cased(code)) {
            holds = text_is(code, k);
            has_one = true;
        }
    }
    *out = value_bool(holds && has_one);
    return true;
}

static bool str_islower(struct render *r, struct call *c, struct value *out)
{
    return cased_are(c, TEXT_LOWER, out);
}

static bool str_isupper(struct render *r, struct call *c, struct value *out)
{
    return cased_are(c, TEXT_UPPER, out);
}

static bool str_istitle(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s;
    bool holds = true, is_in_word = false, has_one = false;

    for (size_t i = 0; i < s.len && holds;) {
        uint32_t code = utf8_next(s, &i);

        if (text_is(code, TEXT_UPPER) || text_is(code, TEXT_TITLE))
            holds = !is_in_word;
        else if (text_is(code, TEXT_LOWER))
            holds = is_in_word;
        is_in_word = text_is_cased(code);
        has_one |= is_in_word;
    }
    *out = value_bool(holds && has_one);
    return true;
}

static bool str_isidentifier(struct render *r, struct call *c, struct value *out)
{
    struct str s = c->self.s;
    bool holds = s.len > 0;

    for (size_t i = 0; i < s.len && holds;) {
        size_t at = i;
        uint32_t code = utf8_next(s, &i);

        holds = code == '_' || text_is(code, TEXT_ALPHA) || (at > 0 && text_is(code, TEXT_DECIMAL));
    }
    *out = value_bool(holds);
    return true;
}

static bool str_format(struct render *r, struct call *c, struct value *out)
{
    return format_braces(r, c->self, c->args, out);
}

static bool str_format_map(struct render *r, struct call *c, struct value *out)
{
    struct args args = {0};
    struct value map = c->arg[0];

    if (map.type != VALUE_DICT)
        return render_fail(r, "format_map() needs a dict, not a %s", value_type_name(map));
    args.named = render_array(r, map.dict->n + 1, sizeof(*args.named));
    if (!args.named)
        return false;
    for (size_t i = 0; i < map.dict->n; i++)
        if (map.dict->entries[i].key.type == VALUE_STR)
            args.named[args.n_named++] =
                (struct named_arg){map.dict->entries[i].key.s, map.dict->entries[i].value};
    return format_braces(r, c->self, &args, out);
}

static const struct builtin methods[] = {
    {"split", "sep maxsplit", str_split},
    {"strip", "chars", str_strip},
    {"startswith", "prefix! start end", str_startswith},
    {"endswith", "suffix! start end", str_endswith},
    {"replace", "old! new! count", str_replace},
    {"lstrip", "chars", str_lstrip},
    {"rstrip", "chars", str_rstrip},
    {"upper", "", str_upper},
    {"lower", "", str_lower},
    {"title", "", str_title},
    {"capitalize", "", str_capitalize},
    {"casefold", "", str_casefold},
    {"swapcase", "", str_swapcase},
    {"join", "iterable!", str_join},
    {"format", "*", str_format},
    {"format_map", "map!", str_format_map},
    {"find", "sub! start end", str_find_method},
    {"rfind", "sub! start end", str_rfind_method},
    {"index", "sub! start end", str_index},
    {"rindex", "sub! start end", str_rindex},
    {"count", "sub! start end", str_count},
    {"rsplit", "sep maxsplit", str_rsplit},
    {"splitlines", "keepends", str_splitlines},
    {"partition", "sep!", str_partition},
    {"rpartition", "sep!", str_rpartition},
    {"removeprefix", "prefix!", str_removeprefix},
    {"removesuffix", "suffix!", str_removesuffix},
    {"center", "width! fillchar", str_center},
    {"ljust", "width! fillchar", str_ljust},
    {"rjust", "width! fillchar", str_rjust},
    {"zfill", "width!", str_zfill},
    {"expandtabs", "tabsize", str_expandtabs},
    {"isalpha", "", str_isalpha},
    {"isalnum", "", str_isalnum},
    {"isascii", "", str_isascii},
    {"isdecimal", "", str_isdecimal},
    {"isdigit", "", str_isdigit},
    {"isidentifier", "", str_isidentifier},
    {"islower", "", str_islower},
    {"isnumeric", "", str_isnumeric},
    {"isprintable", "", str_isprintable},
    {"isspace", "", str_isspace},
    {"istitle", "", str_istitle},
    {"isupper", "", str_isupper},
};

const struct builtin *str_method_find(struct str name)
{
    return builtin_find(methods, LEN(methods), name);
}
