/* jinja_filters_num.c - the filters that make or change numbers. */
#include <math.h>

#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

static bool filter_abs(struct render *r, struct call *c, struct value *out)
{
    int64_t i;

    if (c->self.type == VALUE_FLOAT) {
        *out = value_float(fabs(c->self.f));
        return true;
    }
    if (value_integer(c->self, &i) && i >= 0) {
        *out = value_int(i);
        return true;
    }
    return op_negate(r, c->self, out);
}

/* Python's int(text, base): blanks around, a sign, a prefix that fits the base, underscores between
 * digits. */
static bool int_of_text(struct str s, int64_t base, int64_t *out)
{
    bool is_negative = false, after_digit = false;
    int64_t value = 0;

    s = text_strip(s, true, true);
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+')) {
        is_negative = s.ptr[0] == '-';
        s = str_slice(s, 1, s.len);
    }
    if (s.len > 2 && s.ptr[0] == '0') {
        char letter = (char)(s.ptr[1] | 32);
        int64_t prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;

        if (prefix && (base == prefix || base == 0)) {
            base = prefix;
            s = str_slice(s, 2, s.len);
            after_digit = s.ptr[0] == '_';
        }
    }
    base = base == 0 ? 10 : base;
    for (size_t i = 0; i < s.len;) {
        uint32_t code = utf8_next(s, &i);
        int digit = text_digit(code);

        if (code == '_') {
            if (!after_digit || i == s.len)
                return false;
            after_digit = false;
            continue;
        }
        if (digit < 0 && code < 0x80 && ((code | 32) >= 'a' && (code | 32) <= 'z'))
            digit = (int)(code | 32) - 'a' + 10;
        if (digit < 0 || digit >= base)
            return false;
        after_digit = true;
        if (__builtin_mul_overflow(value, base, &value) ||
            (is_negative ? __builtin_sub_overflow(value, digit, &value)
                         : __builtin_add_overflow(value, digit, &value)))
            return false;
    }
    *out = value;
    return s.len > 0;
}

/* Python's float(text). */
static bool float_of_text(struct str s, double *out)
{
    static const struct {
        const char *name;
        double value;
    } words[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    char digits[400], *end;
    size_t n = 0;
    struct str body;

    s = text_strip(s, true, true);
    body = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? str_slice(s, 1, s.len) : s;
    for (size_t i = 0; i < LEN(words); i++)
        if (str_eq_nocase(body, STR(words[i].name))) {
            *out = s.ptr[0] == '-' ? -words[i].value : words[i].value;
            return true;
        }
    for (size_t i = 0; i < s.len && n + 1 < sizeof(digits); i++) {
        bool is_between = i > 0 && i + 1 < s.len && s.ptr[i - 1] >= '0' && s.ptr[i - 1] <= '9' &&
                          s.ptr[i + 1] >= '0' && s.ptr[i + 1] <= '9';

        if (s.ptr[i] == '_' && is_between)
            continue;
        if (!s.ptr[i] || !strchr("0123456789+-.eE", s.ptr[i]))
            return false;
        digits[n++] = s.ptr[i];
    }
    digits[n] = 0;
    if (n == 0 || n + 1 >= sizeof(digits))
        return false;
    *out = strtod(digits, &end);
    return *end == 0;
}

static bool int_of_float(double f, int64_t *out)
{
    if (!(fabs(f) < 0x1p63))
        return false;
    *out = (int64_t)f;
    return true;
}

/* A number, or the text of one, that an int64_t cannot hold. */
static bool is_beyond_int(struct value v)
{
    double f = 0;

    if (v.type == VALUE_FLOAT)
        return fabs(v.f) >= 0x1p63;
    return v.type == VALUE_STR && float_of_text(v.s, &f) && isfinite(f) && fabs(f) >= 0x1p63;
}

static bool filter_int(struct render *r, struct call *c, struct value *out)
{
    int64_t base, i;
    double f;

    if (!arg_int(r, c, 1, 10, &base))
        return false;
    if (base != 0 && (base < 2 || base > 36))
        return render_fail(r, "int() knows bases from 2 to 36, and 0");
    if (c->self.type == VALUE_UNDEFINED)
        return op_undefined(r, c->self);
    if (value_integer(c->self, &i) ||
        (c->self.type == VALUE_FLOAT && int_of_float(c->self.f, &i)) ||
        (c->self.type == VALUE_STR && (int_of_text(c->self.s, base, &i) ||
                                       (float_of_text(c->self.s, &f) && int_of_float(f, &i)))))
        *out = value_int(i);
    else if (is_beyond_int(c->self))
        return render_fail(r, "the result of int() does not fit into 64 bits");
    else
        *out = value_given(c->arg[0]) ? c->arg[0] : value_int(0);
    return true;
}

static bool filter_float(struct render *r, struct call *c, struct value *out)
{
    double f;

    if (c->self.type == VALUE_UNDEFINED)
        return op_undefined(r, c->self);
    if (value_number(c->self, &f) || (c->self.type == VALUE_STR && float_of_text(c->self.s, &f)))
        *out = value_float(f);
    else
        *out = value_given(c->arg[0]) ? c->arg[0] : value_float(0);
    return true;
}

/* Half to even on the exact decimal value, as Python's round: the C library prints exactly so. */
static double round_float(double f, int64_t precision)
{
    char text[700];
    double scale;

    if (!isfinite(f) || precision > 330)
        return f;
    if (precision < -310)
        return copysign(0, f);
    if (precision < 0) {
        scale = pow(10, (double)-precision);
        return nearbyint(f / scale) * scale;
    }
    snprintf(text, sizeof(text), "%.*f", (int)precision, f);
    return strtod(text, NULL);
}

static bool round_int(struct render *r, int64_t i, int64_t precision, struct value *out)
{
    int64_t scale = 1, rest, down;

    for (int64_t k = precision; k < 0; k++)
        if (__builtin_mul_overflow(scale, 10, &scale)) {
            *out = value_int(0);
            return true;
        }
    rest = i % scale;
    down = i - rest;
    if (rest < 0) {
        rest += scale;
        down -= scale;
    }
    if (rest > scale - rest || (rest == scale - rest && down / scale % 2 != 0))
        return op_binary(r, NODE_ADD, value_int(down), value_int(scale), out);
    *out = value_int(down);
    return true;
}

static bool filter_round(struct render *r, struct call *c, struct value *out)
{
    int64_t precision, i;
    struct str method;
    double f, scale;

    if (!arg_int(r, c, 0, 0, &precision) || !arg_str(r, c, 1, "common", &method))
        return false;
    if (!str_eqz(method, "common") && !str_eqz(method, "ceil") && !str_eqz(method, "floor"))
        return render_fail(r, "round() knows the methods common, ceil and floor");
    if (c->self.type == VALUE_UNDEFINED)
        return op_undefined(r, c->self);
    if (!value_number(c->self, &f))
        return render_fail(r, "round() needs a number, not a %s", value_type_name(c->self));
    if (str_eqz(method, "common")) {
        if (value_integer(c->self, &i))
            return round_int(r, i, precision, out);
        *out = value_float(round_float(f, precision));
        return true;
    }
    scale = pow(10, (double)precision);
    f = str_eqz(method, "ceil") ? ceil(f * scale) : floor(f * scale);
    *out = value_float(f / scale);
    return true;
}

static bool filter_filesizeformat(struct render *r, struct call *c, struct value *out)
{
    static const char letters[] = "kMGTPEZY";
    double n = 0, base, unit;
    bool is_binary;
    size_t i = 0;

    if (!arg_bool(r, c, 0, false, &is_binary))
        return false;
    if (!value_number(c->self, &n) && !(c->self.type == VALUE_STR && float_of_text(c->self.s, &n)))
        return c->self.type == VALUE_UNDEFINED ? op_undefined(r, c->self)
                                               : render_fail(r, "filesizeformat() needs a number");
    base = is_binary ? 1024 : 1000;
    if (n == 1)
        return render_format(r, out, "1 Byte");
    if (n < base)
        return render_format(r, out, "%.0f Bytes", trunc(n));
    for (unit = base * base; i + 1 < sizeof(letters) - 1 && n >= unit; i++)
        unit *= base;
    return render_format(r, out, "%.1f %c%s", base * n / unit,
                         is_binary && i == 0 ? 'K' : letters[i], is_binary ? "iB" : "B");
}

static const struct builtin filters[] = {
    {"abs", "", filter_abs},
    {"int", "default base", filter_int},
    {"float", "default", filter_float},
    {"round", "precision method", filter_round},
    {"filesizeformat", "binary", filter_filesizeformat},
};

const struct builtin *number_filter_find(struct str name)
{
    return builtin_find(filters, LEN(filters), name);
}
