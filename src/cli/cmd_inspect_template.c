/* cmd_inspect_template.c - `inspect template`: conversations through a chat template, one line
 * each.
 *
 * The file of conversations is an array of {"id", "messages", "tools", "add_generation_prompt",
 * "kwargs"}. A conversation that the template refuses is a line with its error, not a failure. */
#include "base/file.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "tokenizer/chat_template.h"

struct template_opts {
    const char *template, *model_name_or_path, *conversations, *tokens, *now;
    bool json;
};

static const struct opt template_table[] = {
    OPT_STR(struct template_opts, template, "", "file with a Jinja template"),
    OPT_STR(struct template_opts, model_name_or_path, "",
            "or a model directory, whose template is taken"),
    OPT_STR(struct template_opts, conversations, "", "JSON file: an array of conversations",
            .flags = OPT_REQUIRED),
    OPT_STR(struct template_opts, tokens, "{}", "special tokens as JSON: {\"bos_token\": \"<s>\"}"),
    OPT_STR(struct template_opts, now, "",
            "time for strftime_now, like \"2025-03-14 15:09:26\"; else the clock"),
    OPT_BOOL(struct template_opts, json, "false", "print one JSON object a line"),
    {0},
};

static const char *fault_name(enum jinja_fault_kind kind)
{
    return kind == JINJA_FAULT_REFUSED ? "raise_exception" : "runtime";
}

/* JSON allows U+0085, U+2028 and U+2029 inside strings, but some readers of lines split there. */
static void print_json_line(const struct buf *line)
{
    struct str s = buf_str(line);
    struct buf out = {0};

    for (size_t i = 0; i < s.len;) {
        uint32_t c = utf8_next(s, &i);

        if (c == 0x85 || c == 0x2028 || c == 0x2029)
            buf_addf(&out, "\\u%04x", (unsigned)c);
        else
            buf_add_utf8(&out, c);
    }
    fwrite(out.ptr, 1, out.len, stdout);
    buf_clear(&out);
}

static void print_line(bool as_json, const struct json *id, bool is_good, const struct buf *text,
                       enum jinja_fault_kind kind, const char *message)
{
    struct buf line = {0};

    if (!as_json) {
        printf("--- " STR_FMT "\n%s%s\n", STR_ARG(json_str(id)),
               is_good ? buf_z(text) : "refused: ", is_good ? "" : message);
        return;
    }
    buf_addz(&line, "{\"id\": ");
    json_write(&line, id);
    if (is_good) {
        buf_addz(&line, ", \"text\": ");
        json_write_str(&line, buf_str(text));
    } else {
        buf_addf(&line, ", \"error\": \"%s\", \"message\": ", fault_name(kind));
        json_write_str(&line, STR(message));
    }
    buf_addz(&line, "}\n");
    print_json_line(&line);
    buf_clear(&line);
}

static void render_one(const struct chat_template *t, const struct json *c,
                       const struct template_opts *o)
{
    const struct json *tools = json_get(c, "tools"), *documents = json_get(c, "documents"),
                      *id = json_get(c, "id");
    const struct chat_input in = {
        .messages = json_get(c, "messages"),
        .tools = json_type(tools) == JSON_NULL ? NULL : tools,
        .documents = json_type(documents) == JSON_NULL ? NULL : documents,
        .kwargs = json_get(c, "kwargs"),
        .add_generation_prompt = json_bool(json_get(c, "add_generation_prompt"), false),
        .continue_final_message = json_bool(json_get(c, "continue_final_message"), false),
        .now = *o->now ? o->now : NULL,
    };
    struct buf text = {0};
    struct jinja_fault fault = {0};
    struct err e = ERR_INIT;
    bool is_good = chat_template_render(t, &in, &text, &fault, &e);

    print_line(o->json, id, is_good, &text, fault.kind,
               fault.kind == JINJA_FAULT_REFUSED ? buf_z(&fault.message) : e.msg);
    buf_clear(&text);
    buf_clear(&fault.message);
}

static struct chat_template *open_template(const struct template_opts *o, struct err *e)
{
    struct buf source = {0};
    struct json *tokens;
    struct chat_template *t = NULL;

    if (*o->model_name_or_path && !*o->template)
        return chat_template_open(o->model_name_or_path, e);
    if (!*o->template) {
        err_set(e, ERR_INPUT, "inspect template needs --template FILE or --model_name_or_path DIR");
        return NULL;
    }
    tokens = json_parse(STR(o->tokens), e);
    if (!tokens)
        err_prefix(e, "--tokens");
    else if (file_read(o->template, 0, &source, e))
        t = chat_template_parse(path_base(o->template), buf_str(&source), tokens, e);
    buf_clear(&source);
    json_close(tokens);
    return t;
}

int cmd_inspect_template(int argc, char **argv)
{
    struct template_opts o = {0};
    const struct opt_group groups[] = {{"template", template_table, &o}};
    struct err e = ERR_INIT;
    struct chat_template *t = NULL;
    struct json *conversations = NULL;
    int status = EXIT_OK;

    if (argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        opts_defaults(groups, LEN(groups));
        return command_help(
            "usage: llmeval inspect template --template FILE --conversations FILE.json [OPTIONS]\n",
            groups, LEN(groups));
    }
    if (!opts_parse(argc, argv, groups, LEN(groups), NULL, &e))
        goto out;
    t = open_template(&o, &e);
    if (!t)
        goto out;
    conversations = json_parse_file(o.conversations, 0, &e);
    if (!conversations)
        goto out;
    if (json_type(conversations) != JSON_ARRAY) {
        err_set(&e, ERR_INPUT, "%s: %s where an array of conversations is needed", o.conversations,
                json_type_name(json_type(conversations)));
        goto out;
    }
    for (size_t i = 0; i < json_len(conversations); i++)
        render_one(t, json_at(conversations, i), &o);

out:
    if (e.code != ERR_NONE)
        status = command_failed(&e);
    json_close(conversations);
    chat_template_close(t);
    opts_clear(groups, LEN(groups), NULL);
    return status;
}
