/* jinja_format.c - Python's two ways to format: "%5.2f" % x and "{:>5}".format(x). */
#include <math.h>

#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

enum { MAX_WIDTH = 100000, MAX_PRECISION = 1000 };

/* What both notations ask for. */
struct spec {
    struct str fill; /* one character */
    char align;      /* < > ^ =, or 0 */
    char sign;       /* + - blank, or 0 */
    bool alternate, zero;
    int width, precision; /* -1: none */
    char group;           /* , _ or 0 */
    char type;            /* 0: none */
};

static bool wrong_type(struct render *r, const struct spec *s, struct value v)
{
    if (v.type == VALUE_UNDEFINED)
        return op_undefined(r, v);
    return render_fail(r, "format '%c' does not take a %s", s->type ? s->type : 's',
                       value_type_name(v));
}

static void add_fill(struct buf *out, struct str fill, size_t n)
{
    for (size_t i = 0; i < n && !out->failed; i++)
        buf_add_str(out, fill);
}

/* Puts head (sign and prefix) and body into the width. */
static bool add_padded(struct render *r, const struct spec *s, struct str head, struct str body,
                       char align)
{
    struct buf *out = &r->scratch;
    size_t n = utf8_count(head) + utf8_count(body),
           pad = s->width > 0 && (size_t)s->width > n ? (size_t)s->width - n : 0;
    size_t before = align == '>'   ? pad
                    : align == '^' ? pad / 2
                                   : 0,
           inside = align == '=' ? pad : 0;

    add_fill(out, s->fill, before);
    buf_add_str(out, head);
    add_fill(out, s->fill, inside);
    buf_add_str(out, body);
    add_fill(out, s->fill, pad - before - inside);
    return render_spend(r, (n + pad) / 16);
}

static bool add_text(struct render *r, const struct spec *s, struct str text, char align)
{
    if (s->precision >= 0)
        text = str_slice(text, 0, text_offset(text, (size_t)s->precision));
    return add_padded(r, s, STR(""), text, s->align ? s->align : align);
}

static const char *sign_text(bool is_negative, char sign)
{
    return is_negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : "";
}

/* Digits with a separator every `every` of them, counted from the end of the whole part. */
static void group_digits(struct buf *out, struct str digits, size_t n_whole, char separator,
                         size_t every)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (i > 0 && i < n_whole && (n_whole - i) % every == 0)
            buf_addc(out, separator);
        buf_addc(out, digits.ptr[i]);
    }
}

static bool add_number(struct render *r, const struct spec *s, const char *head, struct str digits,
                       size_t every)
{
    struct buf grouped = {0};
    size_t n_whole = 0, head_len = strlen(head);
    struct spec plain = *s;
    bool is_good;

    while (n_whole < digits.len &&
           (every == 4 || (digits.ptr[n_whole] >= '0' && digits.ptr[n_whole] <= '9')))
        n_whole++;
    if (s->zero && !s->align && s->group) { /* zeros take part in the grouping */
        struct buf zeros = {0};

        while (n_whole > 0 && s->width > 0 &&
               head_len + digits.len + zeros.len + (n_whole - 1) / every < (size_t)s->width) {
            buf_addc(&zeros, '0');
            n_whole++;
        }
        buf_add_str(&zeros, digits);
        group_digits(&grouped, buf_str(&zeros), n_whole, s->group, every);
        buf_clear(&zeros);
    } else if (s->group) {
        group_digits(&grouped, digits, n_whole, s->group, every);
    } else {
        buf_add_str(&grouped, digits);
    }
    if (s->zero && !s->align) {
        plain.fill = STR("0");
        plain.align = '=';
    }
    is_good = add_padded(r, &plain, STR(head), buf_str(&grouped), plain.align ? plain.align : '>');
    buf_clear(&grouped);
    return is_good;
}

static bool add_int(struct render *r, const struct spec *s, int64_t i, bool c_style)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    char digits[70], head[4];
    size_t at = sizeof(digits);
    uint64_t rest = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    unsigned base = s->type == 'x' || s->type == 'X' ? 16
                    : s->type == 'o'                 ? 8
                    : s->type == 'b'                 ? 2
                                                     : 10;
    struct buf padded = {0};
    bool is_good;

    do
        digits[--at] = (s->type == 'X' ? upper : lower)[rest % base];
    while ((rest /= base) > 0);
    snprintf(head, sizeof(head), "%s", sign_text(i < 0, s->sign));
    if (s->alternate && base != 10)
        snprintf(head + strlen(head), sizeof(head) - strlen(head), "0%c", s->type);
    if (c_style) /* a precision is a least number of digits */
        for (size_t n = sizeof(digits) - at; s->precision >= 0 && n < (size_t)s->precision; n++)
            buf_addc(&padded, '0');
    buf_add(&padded, digits + at, sizeof(digits) - at);
    is_good = add_number(r, s, head, buf_str(&padded), base == 10 ? 3 : 4);
    buf_clear(&padded);
    return is_good;
}

/* Python's float without a type: repr, or with a precision the shorter of both forms but with ".0".
 */
static void plain_float(struct buf *out, const struct spec *s, double f)
{
    char text[MAX_PRECISION + 40];

    if (s->precision < 0) {
        buf_add_f64(out, f);
        return;
    }
    snprintf(text, sizeof(text), "%.*g", MAX(s->precision, 1), f);
    buf_addz(out, text);
    if (!strpbrk(text, ".e") && isfinite(f))
        buf_addz(out, ".0");
}

static bool add_float(struct render *r, const struct spec *s, double f)
{
    char format[16], type = s->type == 'n' ? 'g' : s->type;
    struct buf digits = {0};
    double magnitude = fabs(f);
    bool is_good;

    if (type == '%') {
        magnitude *= 100;
        type = 'f';
    }
    if (type == 0) {
        plain_float(&digits, s, magnitude);
    } else {
        snprintf(format, sizeof(format), "%%%s.*%c", s->alternate ? "#" : "", type);
        buf_addf(&digits, format, s->precision < 0 ? 6 : s->precision, magnitude);
    }
    if (s->type == '%')
        buf_addc(&digits, '%');
    is_good = add_number(r, s, sign_text(signbit(f) && !isnan(f), s->sign), buf_str(&digits), 3);
    buf_clear(&digits);
    return is_good;
}

static bool add_character(struct render *r, const struct spec *s, struct value v, char align)
{
    char text[4];
    int64_t i;
    int n;

    if (v.type == VALUE_STR && utf8_count(v.s) == 1)
        return add_padded(r, s, STR(""), v.s, s->align ? s->align : align);
    if (!value_integer(v, &i))
        return wrong_type(r, s, v);
    n = i >= 0 && i <= 0x10ffff ? utf8_encode((uint32_t)i, text) : 0;
    if (n == 0)
        return render_fail(r, "%lld is not a character", (long long)i);
    return add_padded(r, s, STR(""), (struct str){text, (size_t)n}, s->align ? s->align : align);
}

/* --- "%..." % value --------------------------------------------------------------------------- */

struct percent {
    struct render *r;
    struct str fmt;
    size_t at;
    struct value arg;        /* what stands right of % */
    const struct list *many; /* its items, if a tuple */
    size_t n_used;
    bool is_safe;
};

static bool next_arg(struct percent *p, struct value *out)
{
    size_t n = p->many ? p->many->n : 1;

    if (p->n_used >= n)
        return render_fail(p->r, "the format asks for more than %zu values", n);
    *out = p->many ? p->many->items[p->n_used] : p->arg;
    p->n_used++;
    return true;
}

/* A number, or "*" for a value. */
static bool percent_number(struct percent *p, int most, int *out)
{
    struct value v;
    int64_t i = 0;

    if (p->at < p->fmt.len && p->fmt.ptr[p->at] == '*') {
        p->at++;
        if (!next_arg(p, &v))
            return false;
        if (!value_integer(v, &i))
            return render_fail(p->r, "'*' in a format needs an integer, not a %s",
                               value_type_name(v));
    } else {
        for (; p->at < p->fmt.len && p->fmt.ptr[p->at] >= '0' && p->fmt.ptr[p->at] <= '9'; p->at++)
            i = MIN(i * 10 + p->fmt.ptr[p->at] - '0', (int64_t)most + 1);
    }
    if (i > most || i < -most)
        return render_fail(p->r, "a width or precision over %d in a format", most);
    *out = (int)i;
    return true;
}

static bool percent_flags(struct percent *p, struct spec *s)
{
    for (; p->at < p->fmt.len && p->fmt.ptr[p->at] && strchr("-+ #0", p->fmt.ptr[p->at]); p->at++)
        switch (p->fmt.ptr[p->at]) {
        case '-':
            s->align = '<';
            break;
        case '+':
            s->sign = '+';
            break;
        case ' ':
            s->sign = s->sign ? s->sign : ' ';
            break;
        case '#':
            s->alternate = true;
            break;
        default:
            s->zero = true;
        }
    if (!percent_number(p, MAX_WIDTH, &s->width))
        return false;
    if (s->width < 0) {
        s->align = '<';
        s->width = -s->width;
    }
    if (p->at < p->fmt.len && p->fmt.ptr[p->at] == '.') {
        p->at++;
        if (!percent_number(p, MAX_PRECISION, &s->precision))
            return false;
        s->precision = MAX(s->precision, 0);
    }
    while (p->at < p->fmt.len && p->fmt.ptr[p->at] && strchr("hlL", p->fmt.ptr[p->at]))
        p->at++;
    return true;
}

static bool percent_key(struct percent *p, struct value *out)
{
    ptrdiff_t end = str_find_char(p->fmt, ')', p->at);
    struct str name;
    struct entry *entry;

    if (end < 0)
        return render_fail(p->r, "a '(' in a format is never closed");
    name = str_slice(p->fmt, p->at + 1, (size_t)end);
    if (p->arg.type != VALUE_DICT)
        return render_fail(p->r, "the format names '" STR_FMT "', so it needs a dict",
                           STR_ARG(name));
    entry = dict_find_str(p->arg.dict, name);
    if (!entry)
        return render_fail(p->r, "the format names '" STR_FMT "', which the dict does not have",
                           STR_ARG(name));
    *out = entry->value;
    p->at = (size_t)end + 1;
    return true;
}

static bool percent_text(struct percent *p, const struct spec *s, struct value v)
{
    size_t mark = render_text_begin(p->r);
    struct value text;

    if (s->type == 's'
            ? !value_to_str(p->r, v, &text)
            : !print_repr(p->r, &p->r->scratch, v) || !render_text_end(p->r, mark, &text))
        return false;
    if (p->is_safe && !value_escape(p->r, text, &text))
        return false;
    return add_text(p->r, s, text.s, '>');
}

static bool percent_value(struct percent *p, struct spec *s, struct value v)
{
    int64_t i;
    double f;

    if (s->zero && s->align == '<')
        s->zero = false;
    switch (s->type) {
    case 's':
    case 'r':
    case 'a':
        return percent_text(p, s, v);
    case 'c':
        return add_character(p->r, s, v, '>');
    case 'd':
    case 'i':
    case 'u':
        if (v.type == VALUE_FLOAT && fabs(v.f) < 0x1p63)
            i = (int64_t)v.f;
        else if (!value_integer(v, &i))
            return wrong_type(p->r, s, v);
        s->type = 'd';
        return add_int(p->r, s, i, true);
    case 'x':
    case 'X':
    case 'o':
        return value_integer(v, &i) ? add_int(p->r, s, i, true) : wrong_type(p->r, s, v);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        return value_number(v, &f) ? add_float(p->r, s, f) : wrong_type(p->r, s, v);
    default:
        return render_fail(p->r, "'%%%c' is not a format", s->type);
    }
}

static bool percent_one(struct percent *p)
{
    struct spec s = {.fill = STR_LIT(" "), .width = -1, .precision = -1};
    struct value v = {0};

    p->at++;
    if (p->at < p->fmt.len && p->fmt.ptr[p->at] == '(' && !percent_key(p, &v))
        return false;
    if (!percent_flags(p, &s))
        return false;
    if (p->at >= p->fmt.len)
        return render_fail(p->r, "the format ends inside a '%%'");
    s.type = p->fmt.ptr[p->at++];
    if (s.type == '%') {
        buf_addc(&p->r->scratch, '%');
        return true;
    }
    if (!value_given(v) && !next_arg(p, &v))
        return false;
    return percent_value(p, &s, v);
}

/* Python checks for values left over unless it could take the right side for a mapping. */
static bool may_stay_unused(struct value arg)
{
    switch (arg.type) {
    case VALUE_DICT:
    case VALUE_LIST:
    case VALUE_RANGE:
    case VALUE_UNDEFINED:
        return true;
    default:
        return false;
    }
}

bool format_percent(struct render *r, struct value fmt, struct value arg, struct value *out)
{
    struct percent p = {.r = r, .fmt = fmt.s, .arg = arg, .is_safe = fmt.is_safe};
    size_t mark = render_text_begin(r);

    if (arg.type == VALUE_TUPLE)
        p.many = arg.list;
    while (p.at < p.fmt.len) {
        ptrdiff_t next = str_find_char(p.fmt, '%', p.at);
        size_t to = next < 0 ? p.fmt.len : (size_t)next;

        buf_add_str(&r->scratch, str_slice(p.fmt, p.at, to));
        p.at = to;
        if (next >= 0 && (!render_spend(r, 1) || !percent_one(&p)))
            return false;
    }
    if (p.n_used < (p.many ? p.many->n : 1) && !may_stay_unused(arg))
        return render_fail(r, "the format leaves %zu values unused",
                           (p.many ? p.many->n : 1) - p.n_used);
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = fmt.is_safe;
    return true;
}

/* --- "{...}".format(...) ---------------------------------------------------------------------- */

struct braces {
    struct render *r;
    const struct args *args;
    int64_t next; /* of fields without a number; -1 once fields are numbered */
    bool is_numbered;
    bool is_safe;
};

static bool spec_number(struct render *r, struct str s, size_t *at, int most, int *out)
{
    int64_t i = 0;
    size_t start = *at;

    for (; *at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9'; ++*at)
        i = MIN(i * 10 + s.ptr[*at] - '0', (int64_t)most + 1);
    if (i > most)
        return render_fail(r, "a width or precision over %d in a format", most);
    if (*at > start)
        *out = (int)i;
    return true;
}

static bool is_align(char c)
{
    return c == '<' || c == '>' || c == '^' || c == '=';
}

static bool parse_spec(struct render *r, struct str text, struct spec *s)
{
    size_t at = 0, after = 0;

    *s = (struct spec){.fill = STR_LIT(" "), .width = -1, .precision = -1};
    if (text.len > 0)
        (void)utf8_next(text, &after);
    if (after > 0 && after < text.len && is_align(text.ptr[after])) {
        s->fill = str_slice(text, 0, after);
        s->align = text.ptr[after];
        at = after + 1;
    } else if (text.len > 0 && is_align(text.ptr[0])) {
        s->align = text.ptr[at++];
    }
    if (at < text.len && text.ptr[at] && strchr("+- ", text.ptr[at]))
        s->sign = text.ptr[at++];
    if (at < text.len && text.ptr[at] == '#') {
        s->alternate = true;
        at++;
    }
    if (at < text.len && text.ptr[at] == '0') {
        s->zero = true;
        at++;
    }
    if (!spec_number(r, text, &at, MAX_WIDTH, &s->width))
        return false;
    if (at < text.len && (text.ptr[at] == ',' || text.ptr[at] == '_'))
        s->group = text.ptr[at++];
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        if (!spec_number(r, text, &at, MAX_PRECISION, &s->precision))
            return false;
        if (s->precision < 0)
            return render_fail(r, "a precision is missing in the format '" STR_FMT "'",
                               STR_ARG(text));
    }
    if (at < text.len)
        s->type = text.ptr[at++];
    if (at < text.len || (s->type && !strchr("bcdeEfFgGnosxX%", s->type)))
        return render_fail(r, "'" STR_FMT "' is not a format", STR_ARG(str_slice(text, 0, 60)));
    return true;
}

static bool brace_value(struct render *r, struct value v, struct str text)
{
    struct spec s;
    int64_t i;

    if (text.len == 0)
        return print_str(r, &r->scratch, v);
    if (!parse_spec(r, text, &s))
        return false;
    if (v.type == VALUE_STR) {
        if ((s.type && s.type != 's') || s.align == '=' || s.sign || s.group)
            return wrong_type(r, &s, v);
        if (s.zero && !s.align)
            s.fill = STR("0");
        return add_text(r, &s, v.s, '<');
    }
    if (v.type == VALUE_FLOAT || (value_integer(v, &i) && s.type && strchr("eEfFgG%", s.type))) {
        double f = 0;

        if (!value_number(v, &f) || (s.type && strchr("bcdosxX", s.type)))
            return wrong_type(r, &s, v);
        return add_float(r, &s, f);
    }
    if (!value_integer(v, &i) || s.type == 's')
        return wrong_type(r, &s, v);
    if (s.precision >= 0)
        return render_fail(r, "an integer takes no precision in a format");
    if (s.type == 'c')
        return add_character(r, &s, v, '<');
    return add_int(r, &s, i, false);
}

static bool field_first(struct braces *b, struct str name, struct value *out)
{
    int64_t i = 0;
    bool is_number = name.len > 0;

    for (size_t k = 0; k < name.len; k++)
        is_number &= name.ptr[k] >= '0' && name.ptr[k] <= '9';
    if (name.len > 0 && !is_number) {
        for (int k = 0; k < b->args->n_named; k++)
            if (str_eq(b->args->named[k].name, name)) {
                *out = b->args->named[k].value;
                return true;
            }
        return render_fail(b->r, "the format names '" STR_FMT "', which is not given",
                           STR_ARG(name));
    }
    for (size_t k = 0; k < name.len; k++)
        i = MIN(i * 10 + name.ptr[k] - '0', (int64_t)1 << 40);
    if (is_number ? b->next > 0 : b->is_numbered)
        return render_fail(b->r, "a format cannot mix numbered fields and fields without a number");
    if (is_number)
        b->is_numbered = true;
    else
        i = b->next++;
    if (i >= b->args->n_pos)
        return render_fail(b->r, "the format asks for value %lld, and there are %d",
                           (long long)i + 1, b->args->n_pos);
    *out = b->args->pos[i];
    return true;
}

/* name, then .attribute and [item] as often as there are. */
static bool field_value(struct braces *b, struct str field, struct value *out)
{
    size_t at = 0;

    while (at < field.len && field.ptr[at] != '.' && field.ptr[at] != '[')
        at++;
    if (!field_first(b, str_slice(field, 0, at), out))
        return false;
    while (at < field.len) {
        bool is_item = field.ptr[at] == '[';
        size_t from = ++at;
        struct str name;
        int64_t i = 0;
        bool is_number;

        while (at < field.len &&
               (is_item ? field.ptr[at] != ']' : field.ptr[at] != '.' && field.ptr[at] != '['))
            at++;
        name = str_slice(field, from, at);
        at += is_item;
        is_number = is_item && name.len > 0 && name.len < 18;
        for (size_t k = 0; k < name.len && is_number; k++) {
            is_number = name.ptr[k] >= '0' && name.ptr[k] <= '9';
            i = i * 10 + name.ptr[k] - '0';
        }
        if (!op_getitem(b->r, *out, is_number ? value_int(i) : value_str(name), out))
            return false;
        if (out->type == VALUE_UNDEFINED)
            return op_undefined(b->r, *out);
    }
    return true;
}

static bool expand_spec(struct braces *b, struct str spec, struct str *out);

/* {field!conversion:spec}; s is what stands between the braces. */
static bool one_field(struct braces *b, struct str s)
{
    size_t at = 0, brackets = 0, mark;
    char conversion = 0;
    struct str field, spec = STR_LIT("");
    struct value v;

    while (at < s.len && (brackets > 0 || (s.ptr[at] != '!' && s.ptr[at] != ':'))) {
        brackets += s.ptr[at] == '[';
        brackets -= s.ptr[at] == ']' && brackets > 0;
        at++;
    }
    field = str_slice(s, 0, at);
    if (at < s.len && s.ptr[at] == '!') {
        if (at + 1 >= s.len || (at + 2 < s.len && s.ptr[at + 2] != ':'))
            return render_fail(b->r, "'!' in a format needs one letter and then ':' or '}'");
        conversion = s.ptr[at + 1];
        at += 2;
    }
    if (!field_value(b, field, &v)) /* fields are counted before those of their spec */
        return false;
    if (at < s.len && !expand_spec(b, str_slice(s, at + 1, s.len), &spec))
        return false;
    mark = render_text_begin(b->r);
    if (conversion == 's' && !value_to_str(b->r, v, &v))
        return false;
    if ((conversion == 'r' || conversion == 'a') &&
        (!print_repr(b->r, &b->r->scratch, v) || !render_text_end(b->r, mark, &v)))
        return false;
    if (conversion && !strchr("sra", conversion))
        return render_fail(b->r, "'!%c' is not a conversion: r, s and a are", conversion);
    if (b->is_safe && !value_escape(b->r, v, &v))
        return false;
    return brace_value(b->r, v, spec);
}

/* The end of a field that begins behind its "{": the "}" that closes it; s.len: none. */
static size_t field_end(struct str s, size_t from)
{
    int depth = 0;

    for (size_t i = from; i < s.len; i++) {
        if (s.ptr[i] == '}' && depth-- == 0)
            return i;
        depth += s.ptr[i] == '{';
    }
    return s.len;
}

/* A spec may hold fields of its own: {:{width}}. They go one level deep. */
static bool expand_spec(struct braces *b, struct str spec, struct str *out)
{
    size_t mark = render_text_begin(b->r);
    struct value text;

    *out = spec;
    if (!memchr(spec.ptr, '{', spec.len))
        return true;
    for (size_t i = 0; i < spec.len; i++) {
        size_t end;
        struct value v;

        if (spec.ptr[i] != '{') {
            buf_addc(&b->r->scratch, spec.ptr[i]);
            continue;
        }
        end = field_end(spec, i + 1);
        if (end == spec.len)
            return render_fail(b->r, "a '{' in a format is never closed");
        if (!field_value(b, str_slice(spec, i + 1, end), &v) || !print_str(b->r, &b->r->scratch, v))
            return false;
        i = end;
    }
    if (!render_text_end(b->r, mark, &text))
        return false;
    *out = text.s;
    return true;
}

bool format_braces(struct render *r, struct value fmt, const struct args *a, struct value *out)
{
    struct braces b = {.r = r, .args = a, .is_safe = fmt.is_safe};
    size_t mark = render_text_begin(r);
    struct str s = fmt.s;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        size_t end;

        if ((c != '{' && c != '}') || (i + 1 < s.len && s.ptr[i + 1] == c)) {
            buf_addc(&r->scratch, c);
            i += c == '{' || c == '}';
            continue;
        }
        if (c == '}')
            return render_fail(r, "a single '}' in a format");
        end = field_end(s, i + 1);
        if (end == s.len)
            return render_fail(r, "a '{' in a format is never closed");
        if (!render_spend(r, 1 + (size_t)a->n_named / 8) ||
            !one_field(&b, str_slice(s, i + 1, end)))
            return false;
        i = end;
    }
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = fmt.is_safe;
    return true;
}
