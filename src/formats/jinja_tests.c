/* jinja_tests.c - what may stand after `is`. */
#include <math.h>

#include "formats/jinja_render.h"

static bool answer(bool b, struct value *out)
{
    *out = value_bool(b);
    return true;
}

/* A test that looks at the type alone. */
#define TYPE_TEST(name, claim) \
    static bool name(struct render *r, struct call *c, struct value *out) \
    { \
        struct value v = c->self; \
\
        return answer(claim, out); \
    }

TYPE_TEST(test_defined, v.type != VALUE_UNDEFINED)
TYPE_TEST(test_undefined, v.type == VALUE_UNDEFINED)
TYPE_TEST(test_none, v.type == VALUE_NONE)
TYPE_TEST(test_boolean, v.type == VALUE_BOOL)
TYPE_TEST(test_true, v.type == VALUE_BOOL && v.b)
TYPE_TEST(test_false, v.type == VALUE_BOOL && !v.b)
TYPE_TEST(test_integer, v.type == VALUE_INT)
TYPE_TEST(test_float, v.type == VALUE_FLOAT)
TYPE_TEST(test_number, v.type == VALUE_INT || v.type == VALUE_FLOAT || v.type == VALUE_BOOL)
TYPE_TEST(test_string, v.type == VALUE_STR)
TYPE_TEST(test_mapping, v.type == VALUE_DICT)
TYPE_TEST(test_callable, value_callable(v))
TYPE_TEST(test_escaped, v.type == VALUE_STR && v.is_safe)

static bool test_iterable(struct render *r, struct call *c, struct value *out)
{
    return answer(value_iterable(c->self) &&
                      !(c->self.type == VALUE_UNDEFINED && r->t->settings.strict_undefined),
                  out);
}

/* What has a length and items by index: dicts too, views and generators not. */
static bool test_sequence(struct render *r, struct call *c, struct value *out)
{
    switch (c->self.type) {
    case VALUE_UNDEFINED: /* has both, of nothing */
        return answer(!r->t->settings.strict_undefined, out);
    case VALUE_STR:
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
    case VALUE_RANGE:
        return answer(true, out);
    default:
        return answer(false, out);
    }
}

static bool remainder_of(struct render *r, struct call *c, struct value divisor, struct value *out)
{
    return op_binary(r, NODE_MOD, c->self, divisor, out);
}

static bool equals_int(struct render *r, struct value v, int64_t i, struct value *out)
{
    bool is_equal;

    return jinja_value_equal(r, v, value_int(i), &is_equal) && answer(is_equal, out);
}

static bool test_odd(struct render *r, struct call *c, struct value *out)
{
    return remainder_of(r, c, value_int(2), out) && equals_int(r, *out, 1, out);
}

static bool test_even(struct render *r, struct call *c, struct value *out)
{
    return remainder_of(r, c, value_int(2), out) && equals_int(r, *out, 0, out);
}

static bool test_divisibleby(struct render *r, struct call *c, struct value *out)
{
    return remainder_of(r, c, c->arg[0], out) && equals_int(r, *out, 0, out);
}

/* By a method of str on the printed subject. */
static bool by_method(struct render *r, struct call *c, const char *name, struct value *out)
{
    struct call inner = *c;

    return value_to_str(r, c->self, &inner.self) && str_method_find(STR(name))->fn(r, &inner, out);
}

static bool test_lower(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "islower", out);
}

static bool test_upper(struct render *r, struct call *c, struct value *out)
{
    return by_method(r, c, "isupper", out);
}

static bool test_eq(struct render *r, struct call *c, struct value *out)
{
    bool is_equal;

    return jinja_value_equal(r, c->self, c->arg[0], &is_equal) && answer(is_equal, out);
}

static bool test_ne(struct render *r, struct call *c, struct value *out)
{
    bool is_equal;

    return jinja_value_equal(r, c->self, c->arg[0], &is_equal) && answer(!is_equal, out);
}

static bool test_lt(struct render *r, struct call *c, struct value *out)
{
    int order;

    return value_compare(r, c->self, c->arg[0], "<", &order) && answer(order < 0, out);
}

static bool test_le(struct render *r, struct call *c, struct value *out)
{
    int order;

    return value_compare(r, c->self, c->arg[0], "<=", &order) && answer(order <= 0, out);
}

static bool test_gt(struct render *r, struct call *c, struct value *out)
{
    int order;

    return value_compare(r, c->self, c->arg[0], ">", &order) && answer(order == 1, out);
}

static bool test_ge(struct render *r, struct call *c, struct value *out)
{
    int order;

    return value_compare(r, c->self, c->arg[0], ">=", &order) &&
           answer(order == 0 || order == 1, out);
}

static bool test_in(struct render *r, struct call *c, struct value *out)
{
    bool is_in;

    return value_contains(r, c->self, c->arg[0], &is_in) && answer(is_in, out);
}

static bool test_sameas(struct render *r, struct call *c, struct value *out)
{
    return answer(value_same(c->self, c->arg[0]), out);
}

static bool test_filter(struct render *r, struct call *c, struct value *out)
{
    bool is_known = c->self.type == VALUE_STR && filter_find(c->self.s);

    for (const struct jinja_func *f = r->data->funcs; f && f->name && c->self.type == VALUE_STR;
         f++)
        is_known |= str_eqz(c->self.s, f->name);
    return answer(is_known, out);
}

static bool test_test(struct render *r, struct call *c, struct value *out)
{
    return answer(c->self.type == VALUE_STR && test_find(c->self.s), out);
}

static const struct builtin tests[] = {
    {"defined", "", test_defined},
    {"string", "", test_string},
    {"none", "", test_none},
    {"mapping", "", test_mapping},
    {"iterable", "", test_iterable},
    {"sequence", "", test_sequence},
    {"undefined", "", test_undefined},
    {"boolean", "", test_boolean},
    {"true", "", test_true},
    {"false", "", test_false},
    {"integer", "", test_integer},
    {"float", "", test_float},
    {"number", "", test_number},
    {"callable", "", test_callable},
    {"escaped", "", test_escaped},
    {"odd", "", test_odd},
    {"even", "", test_even},
    {"divisibleby", "num!", test_divisibleby},
    {"lower", "", test_lower},
    {"upper", "", test_upper},
    {"eq", "other!", test_eq},
    {"==", "other!", test_eq},
    {"equalto", "other!", test_eq},
    {"ne", "other!", test_ne},
    {"!=", "other!", test_ne},
    {"lt", "other!", test_lt},
    {"<", "other!", test_lt},
    {"lessthan", "other!", test_lt},
    {"le", "other!", test_le},
    {"<=", "other!", test_le},
    {"gt", "other!", test_gt},
    {">", "other!", test_gt},
    {"greaterthan", "other!", test_gt},
    {"ge", "other!", test_ge},
    {">=", "other!", test_ge},
    {"in", "seq!", test_in},
    {"sameas", "other!", test_sameas},
    {"filter", "", test_filter},
    {"test", "", test_test},
};

const struct builtin *test_find(struct str name)
{
    return builtin_find(tests, LEN(tests), name);
}
