/* opt.c - see opt.h. Every string and list item is a copy of its own, so that clearing is simple.
 */
#include "base/opt.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/num.h"

enum { HELP_COLUMN = 34, HELP_WIDTH = 100, LONGEST_NAME = 80 };

static void *field(const struct opt_group *g, const struct opt *o)
{
    return (char *)g->values + o->offset;
}

static bool same_name(struct str a, const char *b)
{
    size_t n = strlen(b);

    if (a.len != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((a.ptr[i] == '-' ? '_' : a.ptr[i]) != b[i])
            return false;
    return true;
}

static bool is_named(const struct opt *o, struct str name)
{
    return same_name(name, o->name) || (o->alias && same_name(name, o->alias));
}

static const struct opt *find(const struct opt_group *groups, int n_groups, struct str name,
                              const struct opt_group **group)
{
    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++)
            if (is_named(o, name)) {
                *group = &groups[g];
                return o;
            }
    return NULL;
}

/* Levenshtein's distance, "-" and "_" being the same. */
static int distance(struct str a, const char *b)
{
    size_t n = strlen(b);
    int row[LONGEST_NAME + 1];

    if (n > LONGEST_NAME)
        return LONGEST_NAME;
    for (size_t k = 0; k <= n; k++)
        row[k] = (int)k;
    for (size_t i = 0; i < a.len; i++) {
        int corner = row[0];

        row[0] = (int)i + 1;
        for (size_t k = 0; k < n; k++) {
            int change = corner + ((a.ptr[i] == '-' ? '_' : a.ptr[i]) != b[k]);

            corner = row[k + 1];
            row[k + 1] = MIN(change, MIN(row[k], corner) + 1);
        }
    }
    return row[n];
}

static bool unknown(const struct opt_group *groups, int n_groups, struct str name, struct err *e)
{
    const struct opt *best = NULL;
    int least = 1 + (int)name.len / 2;

    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++)
            if (distance(name, o->name) < least) {
                least = distance(name, o->name);
                best = o;
            }
    if (best)
        return err_set(e, ERR_INPUT, "unknown option --" STR_FMT "; did you mean --%s?",
                       STR_ARG(name), best->name);
    return err_set(e, ERR_INPUT, "unknown option --" STR_FMT "; --help lists them all",
                   STR_ARG(name));
}

static bool parse_bool(struct str s, bool *out)
{
    static const char *const words[2][5] = {{"false", "False", "0", "no", "off"},
                                            {"true", "True", "1", "yes", "on"}};

    for (int b = 0; b < 2; b++)
        for (size_t i = 0; i < LEN(words[b]); i++)
            if (str_eqz(s, words[b][i])) {
                *out = b;
                return true;
            }
    return false;
}

static bool is_choice(struct str choices, struct str value)
{
    struct str head;

    while (str_cut(&choices, '|', &head))
        if (str_eq(head, value))
            return true;
    return false;
}

static bool in_range(const struct opt *o, double x)
{
    return x >= o->min && x <= o->max;
}

static bool out_of_range(const struct opt *o, struct str value, struct err *e)
{
    struct buf range = {0};

    buf_add_f64(&range, o->min);
    buf_addz(&range, " to ");
    buf_add_f64(&range, o->max);
    err_set(e, ERR_INPUT, "--%s " STR_FMT " is out of range: %s", o->name, STR_ARG(value),
            buf_z(&range));
    buf_clear(&range);
    return false;
}

static char *copy_of(struct str s)
{
    char *z = xmalloc(s.len + 1);

    if (s.len)
        memcpy(z, s.ptr, s.len);
    z[s.len] = '\0';
    return z;
}

static bool set_number(const struct opt *o, void *to, struct str value, struct err *e)
{
    int64_t i;
    double x;

    if (o->type == OPT_TYPE_REAL) {
        if (!parse_f64(value, &x))
            return err_set(e, ERR_INPUT, "--%s takes a number, not \"" STR_FMT "\"", o->name,
                           STR_ARG(value));
        if (!in_range(o, x))
            return out_of_range(o, value, e);
        *(double *)to = x;
        return true;
    }
    if (!parse_i64(value, &i))
        return err_set(e, ERR_INPUT, "--%s takes a whole number, not \"" STR_FMT "\"", o->name,
                       STR_ARG(value));
    if (!in_range(o, (double)i))
        return out_of_range(o, value, e);
    if (o->type == OPT_TYPE_INT)
        *(int *)to = (int)i;
    else
        *(int64_t *)to = i;
    return true;
}

static bool set_value(const struct opt_group *g, const struct opt *o, struct str value,
                      struct err *e)
{
    void *to = field(g, o);
    struct opt_list *list;

    switch (o->type) {
    case OPT_TYPE_BOOL:
        if (parse_bool(value, to))
            return true;
        return err_set(e, ERR_INPUT, "--%s takes true or false, not \"" STR_FMT "\"", o->name,
                       STR_ARG(value));
    case OPT_TYPE_INT:
    case OPT_TYPE_I64:
    case OPT_TYPE_REAL:
        return set_number(o, to, value, e);
    case OPT_TYPE_STR:
        if (o->choices && !is_choice(STR(o->choices), value))
            return err_set(e, ERR_INPUT, "--%s is one of %s, not \"" STR_FMT "\"", o->name,
                           o->choices, STR_ARG(value));
        free(*(char **)to);
        *(char **)to = copy_of(value);
        return true;
    case OPT_TYPE_LIST:
        list = to;
        list->items = xrealloc(list->items, (size_t)(list->n + 1) * sizeof(*list->items));
        list->items[list->n++] = copy_of(value);
        return true;
    }
    return false;
}

void opts_defaults(const struct opt_group *groups, int n_groups)
{
    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++) {
            struct err e = ERR_INIT;
            bool ok;

            if (o->type == OPT_TYPE_LIST)
                continue;
            if (o->type == OPT_TYPE_STR && !o->init) {
                *(char **)field(&groups[g], o) = xstrdup("");
                continue;
            }
            ok = set_value(&groups[g], o, STR(o->init ? o->init : "0"), &e);
            if (!ok) { /* a table that contradicts itself is our own mistake */
                fprintf(stderr, "option table: %s\n", e.msg);
                abort();
            }
        }
}

bool opts_set(const struct opt_group *groups, int n_groups, struct str name, struct str value,
              struct err *e)
{
    const struct opt_group *g;
    const struct opt *o = find(groups, n_groups, name, &g);

    return o ? set_value(g, o, value, e) : unknown(groups, n_groups, name, e);
}

static void push_rest(struct opt_list *rest, const char *arg)
{
    rest->items = xrealloc(rest->items, (size_t)(rest->n + 1) * sizeof(*rest->items));
    rest->items[rest->n++] = xstrdup(arg);
}

/* One flag at argv[*i]; *i moves to its last word. */
static bool parse_flag(int argc, char **argv, int *i, const struct opt_group *groups, int n_groups,
                       struct err *e)
{
    struct str name = STR(argv[*i] + 2), value;
    ptrdiff_t equals = str_find_char(name, '=', 0);
    const struct opt_group *g;
    const struct opt *o;
    bool ignored, is_no = false;

    if (equals >= 0) {
        value = str_slice(name, (size_t)equals + 1, name.len);
        name.len = (size_t)equals;
    }
    o = find(groups, n_groups, name, &g);
    if (!o && (str_starts(name, "no_") || str_starts(name, "no-")) && equals < 0) {
        o = find(groups, n_groups, str_slice(name, 3, name.len), &g);
        is_no = o && o->type == OPT_TYPE_BOOL;
        if (!is_no)
            o = NULL;
    }
    if (!o)
        return unknown(groups, n_groups, name, e);
    if (o->flags & OPT_NO_EFFECT)
        log_warn("--%s is accepted but has no effect here: %s", o->name, o->help);
    if (equals >= 0)
        return set_value(g, o, value, e);
    if (o->type == OPT_TYPE_BOOL) {
        if (!is_no && *i + 1 < argc && parse_bool(STR(argv[*i + 1]), &ignored))
            return set_value(g, o, STR(argv[++*i]), e);
        return set_value(g, o, STR(is_no ? "false" : "true"), e);
    }
    if (*i + 1 >= argc)
        return err_set(e, ERR_INPUT, "--%s needs a value", o->name);
    return set_value(g, o, STR(argv[++*i]), e);
}

bool opts_parse(int argc, char **argv, const struct opt_group *groups, int n_groups,
                struct opt_list *rest, struct err *e)
{
    if (rest)
        *rest = (struct opt_list){0};
    opts_defaults(groups, n_groups);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            if (!parse_flag(argc, argv, &i, groups, n_groups, e))
                return false;
        } else if (rest) {
            push_rest(rest, argv[i]);
        } else {
            return err_set(e, ERR_INPUT, "\"%s\" is not an option: options begin with --", argv[i]);
        }
    }
    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++)
            if ((o->flags & OPT_REQUIRED) && !opts_given(o, argc, argv))
                return err_set(e, ERR_INPUT, "--%s is needed: %s", o->name, o->help);
    return true;
}

void opts_clear(const struct opt_group *groups, int n_groups, struct opt_list *rest)
{
    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++) {
            void *at = field(&groups[g], o);

            if (o->type == OPT_TYPE_STR) {
                free(*(char **)at);
                *(char **)at = NULL;
            } else if (o->type == OPT_TYPE_LIST) {
                struct opt_list *list = at;

                for (int i = 0; i < list->n; i++)
                    free((char *)(uintptr_t)list->items[i]);
                free(list->items);
                *list = (struct opt_list){0};
            }
        }
    if (!rest)
        return;
    for (int i = 0; i < rest->n; i++)
        free((char *)(uintptr_t)rest->items[i]);
    free(rest->items);
    *rest = (struct opt_list){0};
}

bool opts_asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

void opts_hide_secrets(const struct opt_group *groups, int n_groups, int argc, char **argv)
{
    const struct opt_group *g;

    for (int i = 0; i < argc; i++) {
        struct str name = STR(argv[i]);
        ptrdiff_t equals = str_find_char(name, '=', 0);
        const struct opt *o;

        if (!str_starts(name, "--"))
            continue;
        name = str_slice(name, 2, equals < 0 ? name.len : (size_t)equals);
        o = find(groups, n_groups, name, &g);
        if (!o || !(o->flags & OPT_SECRET))
            continue;
        if (equals >= 0)
            memset(argv[i] + equals + 1, '*', strlen(argv[i] + equals + 1));
        else if (i + 1 < argc)
            memset(argv[i + 1], '*', strlen(argv[i + 1]));
    }
}

bool opts_given(const struct opt *o, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        struct str name = STR(argv[i]);
        ptrdiff_t equals = str_find_char(name, '=', 0);

        if (!str_starts(name, "--"))
            continue;
        name = str_slice(name, 2, equals < 0 ? name.len : (size_t)equals);
        if (is_named(o, name))
            return true;
        if (o->type == OPT_TYPE_BOOL && (str_starts(name, "no_") || str_starts(name, "no-")) &&
            is_named(o, str_slice(name, 3, name.len)))
            return true;
    }
    return false;
}

/* Words of text from column `at` on, broken before HELP_WIDTH. */
static void wrap(struct buf *out, struct str text, size_t at)
{
    size_t column = at; /* behind the last word and the blank that would follow it */
    struct str word;

    while (str_cut(&text, ' ', &word)) {
        if (column > at && column + 1 + word.len > HELP_WIDTH) {
            buf_addf(out, "\n%*s", (int)at, "");
            column = at;
        }
        if (column > at)
            buf_addc(out, ' ');
        buf_add_str(out, word);
        column += word.len + 1;
    }
    buf_addc(out, '\n');
}

static void help_of(const struct opt *o, struct buf *out)
{
    static const char *const kinds[] = {
        [OPT_TYPE_BOOL] = "",   [OPT_TYPE_INT] = " N",    [OPT_TYPE_I64] = " N",
        [OPT_TYPE_REAL] = " X", [OPT_TYPE_STR] = " TEXT", [OPT_TYPE_LIST] = " TEXT ..."};
    struct buf text = {0};
    size_t start = out->len;

    buf_addf(out, "  --%s%s%s", o->type == OPT_TYPE_BOOL ? "[no_]" : "", o->name, kinds[o->type]);
    if (o->alias)
        buf_addf(out, ", --%s", o->alias);
    if (out->len - start >= HELP_COLUMN) {
        buf_addf(out, "\n%*s", HELP_COLUMN, "");
    } else {
        while (out->len - start < HELP_COLUMN)
            buf_addc(out, ' ');
    }
    buf_addz(&text, o->help);
    if (o->choices)
        buf_addf(&text, "; one of %s", o->choices);
    if (o->flags & OPT_REQUIRED)
        buf_addz(&text, " (required)");
    else if (o->init && o->init[0] && !(o->flags & OPT_NO_EFFECT))
        buf_addf(&text, " (default: %s)", o->init);
    if (o->flags & OPT_NO_EFFECT)
        buf_addz(&text, " (accepted, no effect)");
    wrap(out, buf_str(&text), HELP_COLUMN);
    buf_clear(&text);
}

void opts_help(const struct opt_group *groups, int n_groups, struct buf *out)
{
    for (int g = 0; g < n_groups; g++) {
        buf_addf(out, "\n%s\n", groups[g].title);
        for (const struct opt *o = groups[g].table; o->name; o++)
            help_of(o, out);
    }
}

static void visit_one(const struct opt_group *g, const struct opt *o, opts_visit *visit, void *ctx)
{
    const void *at = field(g, o);
    struct buf text = {0};

    switch (o->type) {
    case OPT_TYPE_BOOL:
        buf_addz(&text, *(const bool *)at ? "true" : "false");
        break;
    case OPT_TYPE_INT:
        buf_addf(&text, "%d", *(const int *)at);
        break;
    case OPT_TYPE_I64:
        buf_addf(&text, "%lld", (long long)*(const int64_t *)at);
        break;
    case OPT_TYPE_REAL:
        buf_add_f64(&text, *(const double *)at);
        break;
    case OPT_TYPE_STR:
        buf_addz(&text, *(const char *const *)at);
        break;
    case OPT_TYPE_LIST:
        for (int i = 0; i < ((const struct opt_list *)at)->n; i++)
            visit(ctx, o,
                  (o->flags & OPT_SECRET) ? STR("***")
                                          : STR(((const struct opt_list *)at)->items[i]));
        return;
    }
    if ((o->flags & OPT_SECRET) && text.len)
        visit(ctx, o, STR("***"));
    else
        visit(ctx, o, buf_str(&text));
    buf_clear(&text);
}

void opts_each(const struct opt_group *groups, int n_groups, opts_visit *visit, void *ctx)
{
    for (int g = 0; g < n_groups; g++)
        for (const struct opt *o = groups[g].table; o->name; o++)
            if (!(o->flags & (OPT_UNRECORDED | OPT_NO_EFFECT)))
                visit_one(&groups[g], o, visit, ctx);
}
