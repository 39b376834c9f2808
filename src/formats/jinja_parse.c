/* jinja_parse.c - statements, and the template as a whole. */
#include "formats/jinja_parser.h"
#include "formats/jinja_render.h"

/* --- tokens ----------------------------------------------------------------------------------- */

bool parse_fail_at(struct parser *p, uint32_t at, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return jinja_fail_at(p->t, at, ERR_INPUT, STR(text), p->e);
}

bool parse_fail(struct parser *p, const char *fmt, ...)
{
    char text[300];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return jinja_fail_at(p->t, peek(p)->at, ERR_INPUT, STR(text), p->e);
}

const struct token *peek(const struct parser *p)
{
    return &p->tokens[p->at];
}

const struct token *peek_next(const struct parser *p)
{
    return peek(p)->kind == TOKEN_END ? peek(p) : &p->tokens[p->at + 1];
}

const struct token *take(struct parser *p)
{
    const struct token *token = peek(p);

    if (token->kind != TOKEN_END)
        p->at++;
    return token;
}

bool is_kind(const struct parser *p, enum token_kind kind)
{
    return peek(p)->kind == kind;
}

bool jinja_is_name(const struct parser *p, const char *name)
{
    return is_kind(p, TOKEN_NAME) && str_eqz(peek(p)->text, name);
}

bool skip_kind(struct parser *p, enum token_kind kind)
{
    if (!is_kind(p, kind))
        return false;
    take(p);
    return true;
}

bool skip_name(struct parser *p, const char *name)
{
    if (!jinja_is_name(p, name))
        return false;
    take(p);
    return true;
}

static const char *token_words(const struct token *token, char *out, size_t size)
{
    switch (token->kind) {
    case TOKEN_END:
        return "the end of the template";
    case TOKEN_PRINT_END:
    case TOKEN_BLOCK_END:
        return "the end of the tag";
    case TOKEN_DATA:
        return "text";
    default:
        snprintf(out, size, "'" STR_FMT "'", STR_ARG(str_slice(token->text, 0, 60)));
        return out;
    }
}

bool expect(struct parser *p, enum token_kind kind, const char *what)
{
    char words[80];

    if (skip_kind(p, kind))
        return true;
    return parse_fail(p, "found %s where %s was expected",
                      token_words(peek(p), words, sizeof(words)), what);
}

bool parse_enter(struct parser *p)
{
    if (++p->depth > MAX_NESTING)
        return parse_fail(p, "expressions or statements are nested more than %d deep", MAX_NESTING);
    return true;
}

/* --- nodes ------------------------------------------------------------------------------------ */

struct node *node_new(struct parser *p, enum node_kind kind, uint32_t at)
{
    struct node *n = arena_new(&p->t->arena, struct node);

    n->kind = kind;
    n->at = at;
    return n;
}

void nodes_push(struct parser *p, struct nodes *list, struct node *n)
{
    /* The capacity is the power of two at or above n, so it needs no field. */
    if ((list->n & (list->n - 1)) == 0) {
        struct node **grown =
            arena_array(&p->t->arena, list->n ? (size_t)list->n * 2 : 1, sizeof(*grown));

        if (list->n > 0)
            memcpy(grown, list->items, (size_t)list->n * sizeof(*grown));
        list->items = grown;
    }
    list->items[list->n++] = n;
}

int jinja_parse_symbol(struct parser *p, struct str name)
{
    bool is_new;
    int64_t symbol = map_add(&p->t->symbols, name, p->t->n_symbols, &is_new);

    if (is_new && (p->t->n_symbols & (p->t->n_symbols - 1)) == 0) { /* full at each power of two */
        struct str *grown =
            arena_array(&p->t->arena, (size_t)MAX(p->t->n_symbols * 2, 1), sizeof(*grown));

        if (p->t->n_symbols > 0)
            memcpy(grown, p->t->symbol_names, (size_t)p->t->n_symbols * sizeof(*grown));
        p->t->symbol_names = grown;
    }
    if (is_new)
        p->t->symbol_names[p->t->n_symbols++] = name;
    return (int)symbol;
}

/* --- statements ------------------------------------------------------------------------------- */

static bool parse_statement(struct parser *p, struct nodes *body) MUST_CHECK;

/* Everything up to a tag that begins with one of the names; that tag's name is the next token. */
static bool parse_until(struct parser *p, const char *const *ends, struct nodes *body)
{
    for (;;) {
        const struct token *token = peek(p);
        struct node *n;

        switch (token->kind) {
        case TOKEN_END:
            if (!ends)
                return true;
            return parse_fail(p, "the template ends inside a block: {%% %s %%} is missing",
                              ends[0]);
        case TOKEN_DATA:
            n = node_new(p, NODE_DATA, token->at);
            n->value = value_str(take(p)->text);
            nodes_push(p, body, n);
            break;
        case TOKEN_PRINT_BEGIN:
            n = node_new(p, NODE_PRINT, take(p)->at);
            if (!parse_tuple(p, WITH_INLINE_IF, NULL, &n->left) ||
                !expect(p, TOKEN_PRINT_END, "}}"))
                return false;
            nodes_push(p, body, n);
            break;
        default: /* the lexer leaves nothing else between tags */
            take(p);
            for (int i = 0; ends && ends[i]; i++)
                if (jinja_is_name(p, ends[i]))
                    return true;
            if (!parse_enter(p) || !parse_statement(p, body))
                return false;
            p->depth--;
            if (!expect(p, TOKEN_BLOCK_END, "%}"))
                return false;
        }
    }
}

/* The rest of an opening tag, the body, and the name of the tag that ends it, which is taken. */
static bool parse_body(struct parser *p, const char *const *ends, struct nodes *body,
                       struct str *end)
{
    skip_kind(p, TOKEN_COLON); /* Python's colon is allowed */
    if (!expect(p, TOKEN_BLOCK_END, "%}") || !parse_until(p, ends, body))
        return false;
    *end = take(p)->text;
    return true;
}

static bool parse_simple_body(struct parser *p, const char *end_name, struct nodes *body)
{
    const char *const ends[] = {end_name, NULL};
    struct str end;

    return parse_body(p, ends, body, &end);
}

/* A body whose text is caught: break and continue cannot leave it. */
static bool parse_caught_body(struct parser *p, const char *end_name, struct nodes *body)
{
    int loop_depth = p->loop_depth;
    bool is_good;

    p->loop_depth = 0;
    is_good = parse_simple_body(p, end_name, body);
    p->loop_depth = loop_depth;
    return is_good;
}

static bool parse_if(struct parser *p, struct node *n)
{
    static const char *const ends[] = {"endif", "elif", "else", NULL}, *const last[] = {"endif",
                                                                                        NULL};
    struct str end = STR_LIT("elif");
    int cap = 0;

    while (!str_eqz(end, "endif")) {
        struct if_arm *arm;

        if (n->branch.n == cap) {
            struct if_arm *grown =
                arena_array(&p->t->arena, cap ? (size_t)cap * 2 : 2, sizeof(*grown));

            if (cap > 0)
                memcpy(grown, n->branch.arms, (size_t)cap * sizeof(*grown));
            n->branch.arms = grown;
            cap = cap ? cap * 2 : 2;
        }
        arm = &n->branch.arms[n->branch.n++];
        if (str_eqz(end, "elif") && !parse_tuple(p, WITHOUT_INLINE_IF, NULL, &arm->test))
            return false;
        if (!parse_body(p, arm->test ? ends : last, &arm->body, &end))
            return false;
    }
    return true;
}

static bool parse_for(struct parser *p, struct node *n)
{
    static const char *const ends[] = {"endfor", "else", NULL};
    struct for_node *f = arena_new(&p->t->arena, struct for_node);
    struct str end;

    n->loop = f;
    if (!parse_target(p, TARGET_ANY, "in", &f->target))
        return false;
    if (!skip_name(p, "in"))
        return parse_fail(p, "`in` is missing after the loop's variables");
    if (!parse_tuple(p, WITHOUT_INLINE_IF, "recursive", &f->iter))
        return false;
    if (skip_name(p, "if") && !parse_expression(p, &f->test))
        return false;
    f->is_recursive = skip_name(p, "recursive");
    if (p->n_loops == LEN(p->loops))
        return parse_fail(p, "loops are nested more than %zu deep", LEN(p->loops));
    p->loops[p->n_loops++] = f;
    p->loop_depth++;
    if (!parse_body(p, ends, &f->body, &end))
        return false;
    p->loop_depth--;
    p->n_loops--;
    if (str_eqz(end, "else"))
        return parse_simple_body(p, "endfor", &f->otherwise);
    return true;
}

static bool parse_set(struct parser *p, struct node *n)
{
    if (!parse_target(p, TARGET_WITH_NAMESPACE, NULL, &n->set.target))
        return false;
    if (skip_kind(p, TOKEN_ASSIGN))
        return parse_tuple(p, WITH_INLINE_IF, NULL, &n->set.value);
    n->kind = NODE_SET_BLOCK;
    return parse_filters(p, NULL, false, &n->set.value) &&
           parse_caught_body(p, "endset", &n->set.body);
}

static bool parse_params(struct parser *p, struct macro_node *m)
{
    struct nodes names = {0}, defaults = {0};
    struct node *name, *value;

    if (!expect(p, TOKEN_LPAREN, "'('"))
        return false;
    while (!is_kind(p, TOKEN_RPAREN)) {
        if (names.n > 0 && !expect(p, TOKEN_COMMA, "',' or ')'"))
            return false;
        if (!parse_name_target(p, &name))
            return false;
        nodes_push(p, &names, name);
        if (skip_kind(p, TOKEN_ASSIGN)) {
            if (!parse_expression(p, &value))
                return false;
            nodes_push(p, &defaults, value);
        } else if (defaults.n > 0) {
            return parse_fail(p, "a parameter without default cannot follow one with a default");
        }
    }
    m->n_params = names.n;
    m->params = arena_array(&p->t->arena, (size_t)names.n, sizeof(*m->params));
    for (int i = 0; i < names.n; i++) {
        m->params[i] = names.items[i]->symbol;
        m->has_caller_param |= str_eqz(p->t->symbol_names[m->params[i]], "caller");
    }
    m->defaults = defaults.items;
    m->n_defaults = defaults.n;
    return expect(p, TOKEN_RPAREN, "')'");
}

static bool parse_macro_body(struct parser *p, struct macro_node *m, const char *end)
{
    bool is_good;

    if (p->n_macros == LEN(p->macros))
        return parse_fail(p, "macros are nested more than %zu deep", LEN(p->macros));
    p->macros[p->n_macros++] = m;
    is_good = parse_caught_body(p, end, &m->body);
    p->n_macros--;
    return is_good;
}

static bool parse_macro(struct parser *p, struct node *n)
{
    struct macro_node *m = arena_new(&p->t->arena, struct macro_node);
    struct node *name;

    n->macro = m;
    if (!is_kind(p, TOKEN_NAME))
        return parse_fail(p, "expected the name of the macro");
    m->name = peek(p)->text;
    if (!parse_name_target(p, &name))
        return false;
    m->symbol = name->symbol;
    return parse_params(p, m) && parse_macro_body(p, m, "endmacro");
}

static bool parse_call_block(struct parser *p, struct node *n)
{
    struct macro_node *m = arena_new(&p->t->arena, struct macro_node);

    m->name = STR("caller");
    n->call_block.macro = m;
    if (is_kind(p, TOKEN_LPAREN) && !parse_params(p, m))
        return false;
    if (!parse_expression(p, &n->call_block.call))
        return false;
    if (n->call_block.call->kind != NODE_CALL)
        return parse_fail_at(p, n->call_block.call->at,
                             "a call block needs a call: {%% call name(...) %%}");
    return parse_macro_body(p, m, "endcall");
}

static bool parse_with(struct parser *p, struct node *n)
{
    struct with_node *w = arena_new(&p->t->arena, struct with_node);
    struct nodes targets = {0}, values = {0};
    struct node *target, *value;

    n->with = w;
    while (!is_kind(p, TOKEN_BLOCK_END)) {
        if (targets.n > 0 && !expect(p, TOKEN_COMMA, "',' or %}"))
            return false;
        if (!parse_target(p, TARGET_ANY, NULL, &target) || !expect(p, TOKEN_ASSIGN, "'='") ||
            !parse_expression(p, &value))
            return false;
        nodes_push(p, &targets, target);
        nodes_push(p, &values, value);
    }
    w->targets = targets.items;
    w->values = values.items;
    w->n = targets.n;
    return parse_simple_body(p, "endwith", &w->body);
}

static bool parse_filter_block(struct parser *p, struct node *n)
{
    return parse_filters(p, NULL, true, &n->block.filter) &&
           parse_caught_body(p, "endfilter", &n->block.body);
}

static bool parse_autoescape(struct parser *p, struct node *n)
{
    return parse_expression(p, &n->block.filter) &&
           parse_simple_body(p, "endautoescape", &n->block.body);
}

/* Chat templates mark what an assistant said; the mark prints nothing of its own. */
static bool parse_generation(struct parser *p, struct node *n)
{
    return parse_simple_body(p, "endgeneration", &n->block.body);
}

/* Without a parent template a named block stands where it is. */
static bool parse_block(struct parser *p, struct node *n)
{
    struct str name;

    if (!is_kind(p, TOKEN_NAME))
        return parse_fail(p, "expected the name of the block");
    name = take(p)->text;
    skip_name(p, "scoped");
    skip_name(p, "required");
    if (!parse_simple_body(p, "endblock", &n->block.body))
        return false;
    if (is_kind(p, TOKEN_NAME) && !str_eq(take(p)->text, name))
        return parse_fail(p, "the block that ends here is called '" STR_FMT "'", STR_ARG(name));
    return true;
}

static bool parse_do(struct parser *p, struct node *n)
{
    return parse_tuple(p, WITH_INLINE_IF, NULL, &n->left);
}

static bool parse_print(struct parser *p, struct node *n)
{
    return parse_tuple(p, WITH_INLINE_IF, NULL, &n->left);
}

static bool parse_jump(struct parser *p, struct node *n)
{
    if (p->loop_depth == 0)
        return parse_fail_at(p, n->at, "`%s` stands outside of any loop",
                             n->kind == NODE_BREAK ? "break" : "continue");
    return true;
}

static bool parse_statement(struct parser *p, struct nodes *body)
{
    static const struct {
        const char *name;
        enum node_kind kind;
        bool (*parse)(struct parser *p, struct node *n);
    } statements[] = {
        {"if", NODE_IF, parse_if},
        {"for", NODE_FOR, parse_for},
        {"set", NODE_SET, parse_set},
        {"macro", NODE_MACRO, parse_macro},
        {"call", NODE_CALL_BLOCK, parse_call_block},
        {"filter", NODE_FILTER_BLOCK, parse_filter_block},
        {"with", NODE_WITH, parse_with},
        {"print", NODE_PRINT, parse_print},
        {"do", NODE_DO, parse_do},
        {"break", NODE_BREAK, parse_jump},
        {"continue", NODE_CONTINUE, parse_jump},
        {"generation", NODE_SCOPE, parse_generation},
        {"block", NODE_SCOPE, parse_block},
        {"autoescape", NODE_AUTOESCAPE, parse_autoescape},
    };
    static const char *const other_files[] = {"extends", "include", "import", "from"};
    const struct token *token = peek(p);
    struct node *n;

    if (token->kind != TOKEN_NAME)
        return parse_fail(p, "a tag must begin with a name");
    for (size_t i = 0; i < LEN(statements); i++)
        if (str_eqz(token->text, statements[i].name)) {
            take(p);
            n = node_new(p, statements[i].kind, token->at);
            nodes_push(p, body, n);
            return statements[i].parse(p, n);
        }
    for (size_t i = 0; i < LEN(other_files); i++)
        if (str_eqz(token->text, other_files[i]))
            return parse_fail(p, "`%s` needs another template, and a template stands alone here",
                              other_files[i]);
    return parse_fail(p, "unknown tag '" STR_FMT "'", STR_ARG(str_slice(token->text, 0, 60)));
}

bool jinja_parse_tokens(struct jinja *t, struct tokens *tokens, struct err *e)
{
    struct parser p = {.t = t, .tokens = tokens->items, .e = e};

    return parse_until(&p, NULL, &t->body);
}

/* --- templates -------------------------------------------------------------------------------- */

/* All line ends become \n; one at the end goes, unless it is to be kept. Ill-formed UTF-8 is
 * mended. */
static struct str normalise(struct jinja *t, struct str source)
{
    struct buf out = {0}, valid = {0};
    struct str s;

    utf8_repair(&valid, source);
    s = buf_str(&valid);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '\r')
            buf_addc(&out, s.ptr[i]);
        else if (i + 1 == s.len || s.ptr[i + 1] != '\n')
            buf_addc(&out, '\n');
    }
    s = buf_str(&out);
    if (!t->settings.keep_trailing_newline && str_ends(s, "\n"))
        s.len--;
    s = str_dup(&t->arena, s);
    buf_clear(&valid);
    buf_clear(&out);
    return s;
}

struct jinja *jinja_parse(const char *name, struct str source, const struct jinja_settings *s,
                          struct err *e)
{
    enum { MAX_SOURCE = 1 << 20 };
    struct jinja *t = xcalloc(1, sizeof(*t));
    struct tokens tokens;

    arena_init(&t->arena, 0);
    map_init(&t->symbols);
    t->settings = *s;
    t->name = arena_strndup(&t->arena, name, strlen(name));
    if (source.len > MAX_SOURCE) {
        err_set(e, ERR_MEMORY, "%s: a template of %zu bytes is over the limit of %d", name,
                source.len, MAX_SOURCE);
        goto fail;
    }
    t->source = normalise(t, source);
    if (!jinja_lex(t, &tokens, e) || !jinja_parse_tokens(t, &tokens, e))
        goto fail;
    return t;

fail:
    jinja_close(t);
    return NULL;
}

void jinja_close(struct jinja *t)
{
    if (!t)
        return;
    map_clear(&t->symbols);
    arena_clear(&t->arena);
    free(t);
}

bool jinja_mentions(const struct jinja *t, const char *variable)
{
    return map_find(&t->symbols, STR(variable)) >= 0;
}
