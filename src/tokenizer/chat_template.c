/* chat_template.c - finds a model's templates, binds their variables, renders. */
#include "tokenizer/chat_template.h"

#include <dirent.h>

#include "base/arena.h"
#include "base/file.h"

struct named_template {
    const char *name;
    struct jinja *jinja;
};

struct chat_template {
    struct arena arena;
    struct named_template *templates;
    int n_templates, cap;
    struct json *tokens; /* an object: variable to string */
};

enum { MAX_CONFIG = 64 << 20 };

static const struct jinja_settings settings = {.trim_blocks = true, .lstrip_blocks = true};

/* --- opening ---------------------------------------------------------------------------------- */

static struct chat_template *new_template(void)
{
    struct chat_template *t = xcalloc(1, sizeof(*t));

    arena_init(&t->arena, 0);
    t->tokens = json_new_object();
    return t;
}

static bool has_template(const struct chat_template *t, const char *name)
{
    for (int i = 0; i < t->n_templates; i++)
        if (strcmp(t->templates[i].name, name) == 0)
            return true;
    return false;
}

/* The first template of a name stays. */
static bool add_template(struct chat_template *t, struct str name, const char *where,
                         struct str source, struct err *e)
{
    struct jinja *jinja;
    const char *z = arena_strndup(&t->arena, name.ptr, name.len);

    if (has_template(t, z))
        return true;
    jinja = jinja_parse(where, source, &settings, e);
    if (!jinja)
        return false;
    if (t->n_templates == t->cap) {
        struct named_template *grown =
            arena_array(&t->arena, (size_t)t->cap * 2 + 2, sizeof(*grown));

        if (t->n_templates > 0)
            memcpy(grown, t->templates, (size_t)t->n_templates * sizeof(*grown));
        t->templates = grown;
        t->cap = t->cap * 2 + 2;
    }
    t->templates[t->n_templates++] = (struct named_template){z, jinja};
    return true;
}

/* The value of chat_template in a JSON file: a string, or a list of named ones. */
static bool add_json_templates(struct chat_template *t, const char *path, const struct json *v,
                               struct err *e)
{
    if (json_type(v) == JSON_STRING)
        return add_template(t, STR("default"), path, json_str(v), e);
    if (json_type(v) != JSON_ARRAY)
        return err_set(e, ERR_INPUT,
                       "%s: chat_template is %s; a string or a list of templates is needed", path,
                       json_type_name(json_type(v)));
    for (size_t i = 0; i < json_len(v); i++) {
        const struct json *name = json_get(json_at(v, i), "name"),
                          *source = json_get(json_at(v, i), "template");
        struct str where = str_fmt(&t->arena, "%s[" STR_FMT "]", path, STR_ARG(json_str(name)));

        if (json_type(name) != JSON_STRING || json_type(source) != JSON_STRING)
            return err_set(e, ERR_INPUT,
                           "%s: chat_template[%zu] needs the strings \"name\" and \"template\"",
                           path, i);
        if (!add_template(t, json_str(name), where.ptr, json_str(source), e))
            return false;
    }
    return true;
}

static bool add_template_file(struct chat_template *t, struct str name, const char *path,
                              struct err *e)
{
    struct buf text = {0};
    bool is_good =
        file_read(path, MAX_CONFIG, &text, e) && add_template(t, name, path, buf_str(&text), e);

    buf_clear(&text);
    return is_good;
}

/* additional_chat_templates/NAME.jinja */
static bool add_more_templates(struct chat_template *t, const char *model_dir, struct err *e)
{
    const char *folder = path_join(&t->arena, model_dir, "additional_chat_templates");
    DIR *dir = opendir(folder);
    bool is_good = true;

    if (!dir)
        return true;
    for (struct dirent *entry; is_good && (entry = readdir(dir)) != NULL;) {
        struct str name = STR(entry->d_name);

        if (str_ends(name, ".jinja") && entry->d_name[0] != '.')
            is_good = add_template_file(t, str_slice(name, 0, name.len - strlen(".jinja")),
                                        path_join(&t->arena, folder, entry->d_name), e);
    }
    closedir(dir);
    return is_good;
}

/* A special token is a string or an object with its content; null means that there is none. */
static void add_tokens(struct chat_template *t, const struct json *from)
{
    for (struct json_iter it = json_iter(from); json_next(&it);) {
        bool is_token = str_ends(it.key, "_token") || str_ends(it.key, "_tokens");
        struct json *content = json_get(it.value, "content");
        struct str key = str_dup(&t->arena, it.key);

        if (!is_token || json_get(t->tokens, key.ptr))
            continue;
        if (json_type(it.value) == JSON_STRING)
            json_set(t->tokens, key.ptr, json_new_str(json_str(it.value)));
        else if (json_type(content) == JSON_STRING)
            json_set(t->tokens, key.ptr, json_new_str(json_str(content)));
        else if (json_type(it.value) == JSON_ARRAY) {
            struct json *list = json_new_array();

            for (size_t i = 0; i < json_len(it.value); i++) {
                const struct json *item = json_at(it.value, i);

                json_push(list,
                          json_new_str(json_str(
                              json_type(item) == JSON_OBJECT ? json_get(item, "content") : item)));
            }
            json_set(t->tokens, key.ptr, list);
        }
    }
}

static bool read_json_file(struct chat_template *t, const char *path, bool has_tokens,
                           struct err *e)
{
    struct json *config;
    const struct json *source;
    bool is_good = true;

    if (!file_exists(path))
        return true;
    config = json_parse_file(path, MAX_CONFIG, e);
    if (!config)
        return false;
    source = json_get(config, "chat_template");
    if (json_type(source) != JSON_ABSENT && json_type(source) != JSON_NULL)
        is_good = add_json_templates(t, path, source, e);
    if (has_tokens)
        add_tokens(t, config);
    json_close(config);
    return is_good;
}

struct chat_template *chat_template_open(const char *model_dir, struct err *e)
{
    struct chat_template *t = new_template();
    const char *file = path_join(&t->arena, model_dir, "chat_template.jinja");

    if (file_exists(file) && !add_template_file(t, STR("default"), file, e))
        goto fail;
    if (!read_json_file(t, path_join(&t->arena, model_dir, "tokenizer_config.json"), true, e) ||
        !read_json_file(t, path_join(&t->arena, model_dir, "chat_template.json"), false, e) ||
        !read_json_file(t, path_join(&t->arena, model_dir, "special_tokens_map.json"), true, e) ||
        !add_more_templates(t, model_dir, e))
        goto fail;
    if (t->n_templates == 0) {
        err_set(e, ERR_INPUT,
                "%s: no chat template: neither chat_template.jinja nor the key chat_template of "
                "tokenizer_config.json or chat_template.json is there",
                model_dir);
        goto fail;
    }
    return t;

fail:
    chat_template_close(t);
    return NULL;
}

struct chat_template *chat_template_parse(const char *name, struct str source,
                                          const struct json *tokens, struct err *e)
{
    struct chat_template *t = new_template();

    for (struct json_iter it = json_iter(tokens); json_next(&it);) {
        struct json *content = json_get(it.value, "content");
        struct str key = str_dup(&t->arena, it.key);

        json_set(t->tokens, key.ptr, json_clone(content ? content : it.value));
    }
    if (!add_template(t, STR("default"), name, source, e)) {
        chat_template_close(t);
        return NULL;
    }
    return t;
}

void chat_template_close(struct chat_template *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->n_templates; i++)
        jinja_close(t->templates[i].jinja);
    json_close(t->tokens);
    arena_clear(&t->arena);
    free(t);
}

/* --- functions of the environment ------------------------------------------------------------- */

static bool raise_exception(void *ctx, struct jinja_call *c)
{
    struct str message = {"", 0};

    (void)ctx;
    (void)jinja_arg(c, 0, "message", &message);
    return jinja_refuse(c, message);
}

/* The format as Python hands it to the C library: a time without a zone prints none, and %f, which
 * C lacks, is the microseconds; times are whole seconds here. */
static void add_c_format(struct str format, struct buf *out)
{
    for (size_t i = 0; i < format.len; i++) {
        if (format.ptr[i] != '%' || i + 1 == format.len) {
            buf_addc(out, format.ptr[i]);
            continue;
        }
        i++;
        if (format.ptr[i] == 'f')
            buf_addz(out, "000000");
        else if (format.ptr[i] != 'Z' && format.ptr[i] != 'z')
            buf_add(out, format.ptr + i - 1, 2);
    }
}

/* ctx is a struct tm */
static bool strftime_now(void *ctx, struct jinja_call *c)
{
    struct str format;
    struct buf z = {0};
    char text[2048];

    if (!jinja_arg(c, 0, "format", &format))
        return jinja_refuse(c, STR("strftime_now() needs a format"));
    if (format.len > 255)
        return jinja_refuse(c, STR("strftime_now() has a format of more than 255 bytes"));
    add_c_format(format, &z);
    if (strftime(text, sizeof(text), buf_z(&z), ctx) == 0)
        text[0] = 0; /* a format may expand to nothing */
    buf_clear(&z);
    jinja_return(c, STR(text));
    return true;
}

static bool parse_now(const char *now, struct tm *out, struct err *e)
{
    const char *end;
    time_t clock;

    *out = (struct tm){0};
    if (!now) {
        clock = time(NULL);
        localtime_r(&clock, out);
        return true;
    }
    end = strptime(now, "%Y-%m-%d %H:%M:%S", out);
    if (!end || *end)
        return err_set(e, ERR_INPUT, "\"%s\" is not a time like 2025-03-14 15:09:26", now);
    clock = timegm(out); /* fills the days of week and year */
    gmtime_r(&clock, out);
    return true;
}

/* --- rendering -------------------------------------------------------------------------------- */

static const struct jinja *find_template(const struct chat_template *t, const char *name)
{
    for (int i = 0; i < t->n_templates; i++)
        if (strcmp(t->templates[i].name, name) == 0)
            return t->templates[i].jinja;
    return NULL;
}

static const struct jinja *choose_template(const struct chat_template *t,
                                           const struct chat_input *in, struct err *e)
{
    const struct jinja *found = NULL;
    struct buf names = {0};

    if (in->template_name)
        found = find_template(t, in->template_name);
    else if (in->tools)
        found = find_template(t, "tool_use");
    if (!found && !in->template_name)
        found = find_template(t, "default");
    if (found)
        return found;
    for (int i = 0; i < t->n_templates; i++)
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", t->templates[i].name);
    err_set(e, ERR_INPUT, "the model has no chat template called \"%s\": name one of %s",
            in->template_name ? in->template_name : "default", buf_z(&names));
    buf_clear(&names);
    return NULL;
}

static bool render_messages(const struct jinja *jinja, const struct chat_template *t,
                            const struct chat_input *in, struct buf *out, struct jinja_fault *fault,
                            struct err *e)
{
    struct json *add = json_new_bool(in->add_generation_prompt);
    struct tm now;
    const struct jinja_var vars[] = {
        {NULL, t->tokens},
        {"messages", in->messages},
        {"tools", in->tools},
        {"documents", in->documents},
        {"add_generation_prompt", add},
        {NULL, in->kwargs},
    };
    const struct jinja_func funcs[] = {
        {"raise_exception", raise_exception, NULL},
        {"strftime_now", strftime_now, &now},
        {0},
    };
    const struct jinja_data data = {.vars = vars, .n_vars = LEN(vars), .funcs = funcs};
    bool is_good = parse_now(in->now, &now, e) && jinja_render(jinja, &data, out, fault, e);

    json_close(add);
    return is_good;
}

/* The text that is to be continued: the last message's content, or its last part of text. */
static bool final_content(const struct json *messages, struct str *out, struct err *e)
{
    const struct json *content = json_get(json_at(messages, json_len(messages) - 1), "content");

    if (json_type(content) == JSON_STRING) {
        *out = json_str(content);
        return true;
    }
    for (size_t i = json_len(content); i > 0; i--) {
        const struct json *text = json_get(json_at(content, i - 1), "text");

        if (json_type(text) == JSON_STRING) {
            *out = json_str(text);
            return true;
        }
    }
    return err_set(e, ERR_INPUT,
                   "continue_final_message: the last message has no text to continue");
}

/* Cuts the prompt (from byte `start` of out) behind its last copy of the last message's content.
 * Where the template kept blanks at the end of the content they stay, where it trimmed them they
 * are gone. */
static bool cut_after_content(const struct json *messages, struct buf *out, size_t start,
                              struct err *e)
{
    struct str content, left, trimmed, prompt = str_slice(buf_str(out), start, out->len);
    ptrdiff_t at;

    if (json_len(messages) == 0)
        return err_set(e, ERR_INPUT, "continue_final_message: there is no message");
    if (!final_content(messages, &content, e))
        return false;
    trimmed = str_trim(content);
    at = str_rfind(prompt, trimmed);
    if (at < 0)
        return err_set(
            e, ERR_INPUT,
            "continue_final_message: the prompt does not hold the last message's content as it is");
    left = str_slice(content, (size_t)(trimmed.ptr - content.ptr), content.len);
    if (!str_eq(str_slice(prompt, (size_t)at, (size_t)at + left.len), left))
        left = trimmed;
    out->len = start + (size_t)at + left.len;
    out->ptr[out->len] = 0;
    return true;
}

bool chat_template_render(const struct chat_template *t, const struct chat_input *in,
                          struct buf *out, struct jinja_fault *fault, struct err *e)
{
    const struct jinja *jinja;
    size_t start = out->len;

    if (fault)
        fault->kind = JINJA_FAULT_NONE;
    if (in->continue_final_message && in->add_generation_prompt)
        return err_set(e, ERR_INPUT,
                       "continue_final_message and add_generation_prompt exclude each other");
    jinja = choose_template(t, in, e);
    if (!jinja || !render_messages(jinja, t, in, out, fault, e))
        return false;
    if (!in->continue_final_message || cut_after_content(in->messages, out, start, e))
        return true;
    out->len = start;
    if (out->ptr)
        out->ptr[start] = 0;
    return false;
}

bool chat_template_mentions(const struct chat_template *t, const char *variable)
{
    for (int i = 0; i < t->n_templates; i++)
        if (jinja_mentions(t->templates[i].jinja, variable))
            return true;
    return false;
}

bool chat_template_reads_parts(const struct chat_template *t)
{
    static const char probe[] =
        "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a probe\"}]}]";
    struct err e = ERR_INIT;
    struct json *messages = json_parse(STR(probe), &e);
    struct buf out = {0};
    bool is_rendered = chat_template_render(
        t, &(struct chat_input){.messages = messages, .add_generation_prompt = true}, &out, NULL,
        &e);
    ptrdiff_t at = is_rendered ? str_find(buf_str(&out), STR("a probe"), 0) : -1;
    bool reads =
        at >= 0 && !(at > 0 && strchr("'\"", out.ptr[at - 1])); /* a list as Python writes it */

    buf_clear(&out);
    json_close(messages);
    return reads;
}

/* --- flaws ------------------------------------------------------------------------------------ */

const char *chat_flaw_name(enum chat_flaw_kind kind)
{
    static const char *const names[] = {
        [CHAT_FLAW_DOUBLE_BOS] = "double BOS",
        [CHAT_FLAW_MARKER_IN_CONTENT] = "template marker in a message",
        [CHAT_FLAW_NO_GENERATION_PROMPT] = "missing generation prompt",
    };

    return names[kind];
}

bool chat_has_double_bos(const int32_t *ids, size_t n, int32_t bos)
{
    return bos >= 0 && n >= 2 && ids[0] == bos && ids[1] == bos;
}

bool chat_markers_find(const struct tokenizer *tokenizer, struct str text, struct token_buf *out,
                       struct err *e)
{
    struct token_buf ids = {0};
    bool is_good = tokenizer_encode(tokenizer, text, ENCODE_PARSE_SPECIAL, &ids, e);

    for (size_t i = 0; is_good && i < ids.n; i++)
        if (tokenizer_is_special(tokenizer, ids.ids[i]))
            token_buf_add(out, ids.ids[i]);
    token_buf_clear(&ids);
    return is_good;
}

struct flaws {
    struct chat_flaw *items;
    int n, max;
};

static void add_flaw(struct flaws *f, enum chat_flaw_kind kind, int32_t token_id, size_t message)
{
    for (int i = 0; i < f->n; i++)
        if (f->items[i].kind == kind && f->items[i].token_id == token_id &&
            f->items[i].message == message)
            return;
    if (f->n < f->max)
        f->items[f->n++] = (struct chat_flaw){kind, token_id, message};
}

static bool check_text(const struct tokenizer *tokenizer, const struct json *text, size_t message,
                       struct flaws *f, struct err *e)
{
    struct token_buf markers = {0};
    bool is_good =
        json_type(text) != JSON_STRING || chat_markers_find(tokenizer, json_str(text), &markers, e);

    for (size_t i = 0; is_good && i < markers.n; i++)
        add_flaw(f, CHAT_FLAW_MARKER_IN_CONTENT, markers.ids[i], message);
    token_buf_clear(&markers);
    return is_good;
}

static bool check_messages(const struct tokenizer *tokenizer, const struct json *messages,
                           struct flaws *f, struct err *e)
{
    for (size_t i = 0; i < json_len(messages); i++) {
        const struct json *content = json_get(json_at(messages, i), "content");

        if (!check_text(tokenizer, content, i, f, e))
            return false;
        for (size_t k = 0; k < json_len(content); k++)
            if (!check_text(tokenizer, json_get(json_at(content, k), "text"), i, f, e))
                return false;
    }
    return true;
}

/* The template renders the same whether a generation prompt is asked for or not. */
static bool ignores_generation_prompt(const struct chat_template *t, const struct chat_input *in,
                                      bool *out, struct err *e)
{
    struct chat_input without = *in;
    struct buf a = {0}, b = {0};
    bool is_good;

    without.add_generation_prompt = false;
    is_good =
        chat_template_render(t, in, &a, NULL, e) && chat_template_render(t, &without, &b, NULL, e);
    *out = str_eq(buf_str(&a), buf_str(&b));
    buf_clear(&a);
    buf_clear(&b);
    return is_good;
}

bool chat_flaws_find(const struct chat_template *t, const struct tokenizer *tokenizer,
                     const struct chat_input *in, const struct token_buf *ids,
                     struct chat_flaw *out, int max, int *n, struct err *e)
{
    struct flaws f = {.items = out, .max = max};
    int32_t bos = tokenizer_bos(tokenizer);
    bool is_missing = false;

    if (chat_has_double_bos(ids->ids, ids->n, bos))
        add_flaw(&f, CHAT_FLAW_DOUBLE_BOS, bos, 0);
    if (in->add_generation_prompt && !ignores_generation_prompt(t, in, &is_missing, e))
        return false;
    if (is_missing)
        add_flaw(&f, CHAT_FLAW_NO_GENERATION_PROMPT, -1, 0);
    if (!check_messages(tokenizer, in->messages, &f, e))
        return false;
    *n = f.n;
    return true;
}
