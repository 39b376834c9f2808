/* cmd_inspect_prompt.c - `inspect prompt`: what the model really sees of the first items of a
 * benchmark.
 *
 * Each line of the file is {"prompt": ...}, or {"messages": [...]} with tools and documents if it
 * likes. The chat template makes the prompt, the tokenizer its ids. On a terminal special tokens
 * are coloured. Warnings tell of special tokens that an item's own text spells, of a double BOS, of
 * a missing generation prompt. */
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "eval/run_opts.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "tokenizer/chat_template.h"

#define MAX_FLAWS 32

struct prompt_view_opts {
    const char *model_name_or_path, *input_file, *input_key, *chat_template, *color;
    int limit;
    bool json;
};

#define S struct prompt_view_opts
static const struct opt view_table[] = {
    OPT_STR(S, model_name_or_path, "", "model directory: tokenizer and chat template",
            .flags = OPT_REQUIRED),
    OPT_STR(S, input_file, "", "JSONL file of a benchmark", .flags = OPT_REQUIRED),
    OPT_STR(S, input_key, "prompt", "field that holds the prompt"),
    OPT_STR(S, chat_template, "", "file with a template instead of the model's own"),
    OPT_INT(S, limit, "2", 1, 1000000, "items to show, from the first"),
    OPT_CHOICE(S, color, "auto", "auto|always|never", "colour special tokens; auto: on a terminal"),
    OPT_BOOL(S, json, "false", "print one JSON object for each item: text, ids, warnings"),
    {0},
};
#undef S

struct prompt_view {
    const struct prompt_view_opts *o;
    struct str system_prompt;
    struct tokenizer *tokenizer;
    struct chat_template *chat;
    struct json *kwargs;
    bool is_colored;
    struct buf out;
};

/* --- Reading ---------------------------------------------------------------------------------- */

static struct json *make_message(const char *role, struct str content)
{
    struct json *m = json_new_object();

    json_set(m, "role", json_new_str(STR(role)));
    json_set(m, "content", json_new_str(content));
    return m;
}

/* The item's own messages, or its prompt as a user's message after the system prompt. */
static struct json *item_messages(const struct prompt_view *v, const struct json *item,
                                  struct err *e)
{
    const struct json *own = json_get(item, "messages"), *prompt = json_get(item, v->o->input_key);
    struct json *messages;

    if (json_type(own) == JSON_ARRAY)
        return json_clone(own);
    if (json_type(prompt) != JSON_STRING) {
        err_set(e, ERR_INPUT, "\"%s\" is %s, expected a string; --input_key names another field",
                v->o->input_key, json_type_name(json_type(prompt)));
        return NULL;
    }
    messages = json_new_array();
    if (v->system_prompt.len)
        json_push(messages, make_message("system", v->system_prompt));
    json_push(messages, make_message("user", json_str(prompt)));
    return messages;
}

/* --- Showing ---------------------------------------------------------------------------------- */

static void add_warning(const struct prompt_view *v, const struct chat_flaw *flaw, struct buf *out)
{
    buf_addz(out, chat_flaw_name(flaw->kind));
    if (flaw->kind == CHAT_FLAW_MARKER_IN_CONTENT)
        buf_addf(out, ": message %zu spells", flaw->message + 1);
    if (flaw->token_id >= 0)
        buf_addf(out, " %.*s (%d)", STR_ARG(tokenizer_content(v->tokenizer, flaw->token_id)),
                 flaw->token_id);
}

/* The prompt as it is, with the special tokens among ids in colour. */
static void add_colored(const struct prompt_view *v, struct str text, const struct token_buf *ids,
                        struct buf *out)
{
    size_t at = 0;

    for (size_t i = 0; v->is_colored && i < ids->n; i++) {
        struct str content = tokenizer_content(v->tokenizer, ids->ids[i]);
        ptrdiff_t found =
            tokenizer_is_added(v->tokenizer, ids->ids[i]) ? str_find(text, content, at) : -1;

        if (found < 0)
            continue;
        buf_add(out, text.ptr + at, (size_t)found - at);
        buf_addf(out, "\x1b[1;36m%.*s\x1b[0m", STR_ARG(content));
        at = (size_t)found + content.len;
    }
    buf_add(out, text.ptr + at, text.len - at);
}

static void show_plain(struct prompt_view *v, int number, struct str text,
                       const struct token_buf *ids, const struct chat_flaw *flaws, int n_flaws)
{
    buf_addf(&v->out, "=== item %d: %zu tokens\n", number, ids->n);
    add_colored(v, text, ids, &v->out);
    buf_addz(&v->out, "\n--- ids\n");
    for (size_t i = 0; i < ids->n; i++)
        buf_addf(&v->out, "%s%d", i ? " " : "", ids->ids[i]);
    buf_addz(&v->out, "\n");
    for (int i = 0; i < n_flaws; i++) {
        buf_addz(&v->out, "warning: ");
        add_warning(v, &flaws[i], &v->out);
        buf_addc(&v->out, '\n');
    }
    buf_addc(&v->out, '\n');
}

static void show_json(struct prompt_view *v, struct str text, const struct token_buf *ids,
                      const struct chat_flaw *flaws, int n_flaws)
{
    buf_addz(&v->out, "{\"text\":");
    json_write_str(&v->out, text);
    buf_addz(&v->out, ",\"ids\":[");
    for (size_t i = 0; i < ids->n; i++)
        buf_addf(&v->out, "%s%d", i ? "," : "", ids->ids[i]);
    buf_addz(&v->out, "],\"warnings\":[");
    for (int i = 0; i < n_flaws; i++) {
        struct buf words = {0};

        add_warning(v, &flaws[i], &words);
        buf_addz(&v->out, i ? "," : "");
        json_write_str(&v->out, buf_str(&words));
        buf_clear(&words);
    }
    buf_addz(&v->out, "]}\n");
}

static bool show_item(struct prompt_view *v, int number, const struct json *item, struct err *e)
{
    struct json *messages = item_messages(v, item, e);
    const struct chat_input in = {.messages = messages,
                                  .tools = json_get(item, "tools"),
                                  .documents = json_get(item, "documents"),
                                  .kwargs = v->kwargs,
                                  .add_generation_prompt = true};
    struct chat_flaw flaws[MAX_FLAWS];
    struct token_buf ids = {0};
    struct buf text = {0};
    int n_flaws = 0;
    bool ok = messages && chat_template_render(v->chat, &in, &text, NULL, e) &&
              tokenizer_encode(v->tokenizer, buf_str(&text), ENCODE_PARSE_SPECIAL, &ids, e) &&
              chat_flaws_find(v->chat, v->tokenizer, &in, &ids, flaws, MAX_FLAWS, &n_flaws, e);

    if (ok && v->o->json)
        show_json(v, buf_str(&text), &ids, flaws, MIN(n_flaws, MAX_FLAWS));
    else if (ok)
        show_plain(v, number, buf_str(&text), &ids, flaws, MIN(n_flaws, MAX_FLAWS));
    if (ok && n_flaws > MAX_FLAWS)
        log_warn("item %d: %d warnings, the first %d are shown", number, n_flaws, MAX_FLAWS);
    fwrite(v->out.ptr, 1, v->out.len, stdout);
    buf_reset(&v->out);
    buf_clear(&text);
    token_buf_clear(&ids);
    json_close(messages);
    return ok;
}

static bool show_file(struct prompt_view *v, struct err *e)
{
    struct file_map file;
    struct jsonl lines;
    struct str line;
    bool ok = true;

    if (!file_map_open(v->o->input_file, &file, e))
        return false;
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    for (int number = 1; ok && number <= v->o->limit && jsonl_next(&lines, &line); number++) {
        struct json *item = json_parse(line, e);

        ok = item && show_item(v, number, item, e);
        json_close(item);
    }
    if (!ok)
        err_prefix(e, "%s:%zu", v->o->input_file, lines.line_no);
    file_map_close(&file);
    return ok;
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* A template of the user's own still gets the model's special tokens. */
static struct chat_template *open_own_template(const struct prompt_view *v, struct err *e)
{
    static const char *const names[] = {"bos_token", "eos_token", "pad_token"};
    const int32_t ids[] = {tokenizer_bos(v->tokenizer), tokenizer_eos(v->tokenizer),
                           tokenizer_pad(v->tokenizer)};
    struct json *tokens = json_new_object();
    struct buf source = {0};
    struct chat_template *t = NULL;

    for (size_t i = 0; i < LEN(names); i++)
        if (ids[i] >= 0)
            json_set(tokens, names[i], json_new_str(tokenizer_content(v->tokenizer, ids[i])));
    if (file_read(v->o->chat_template, 0, &source, e))
        t = chat_template_parse(path_base(v->o->chat_template), buf_str(&source), tokens, e);
    buf_clear(&source);
    json_close(tokens);
    return t;
}

static bool open_all(struct prompt_view *v, const struct prompt_opts *prompt, struct err *e)
{
    const char *color = v->o->color;

    v->system_prompt = system_prompt_text(prompt->system_prompt_type);
    if (prompt->system_prompt && *prompt->system_prompt) {
        if (v->system_prompt.len)
            return err_set(e, ERR_INPUT,
                           "--system_prompt and --system_prompt_type %s exclude each other",
                           prompt->system_prompt_type);
        v->system_prompt = STR(prompt->system_prompt);
    }
    v->is_colored = strcmp(color, "always") == 0 ||
                    (strcmp(color, "auto") == 0 && isatty(STDOUT_FILENO) && !getenv("NO_COLOR"));
    v->tokenizer = tokenizer_open(v->o->model_name_or_path, e);
    if (!v->tokenizer)
        return false;
    v->chat = *v->o->chat_template ? open_own_template(v, e)
                                   : chat_template_open(v->o->model_name_or_path, e);
    return v->chat != NULL;
}

int cmd_inspect_prompt(int argc, char **argv)
{
    struct prompt_view_opts o = {0};
    struct prompt_opts prompt = {0};
    const struct opt_group groups[] = {{"prompt", view_table, &o},
                                       {"what goes into the template", prompt_table, &prompt}};
    struct prompt_view v = {.o = &o};
    struct err e = ERR_INIT;
    int status = EXIT_OK;

    if (opts_asks_help(argc, argv)) {
        opts_defaults(groups, LEN(groups));
        return command_help("usage: llmeval inspect prompt --model_name_or_path DIR --input_file "
                            "FILE.jsonl [OPTIONS]\n",
                            groups, LEN(groups));
    }
    if (!opts_parse(argc, argv, groups, LEN(groups), NULL, &e) ||
        !prompt_kwargs(&prompt, argc, argv, &v.kwargs, &e) || !open_all(&v, &prompt, &e) ||
        !show_file(&v, &e))
        status = command_failed(&e);
    buf_clear(&v.out);
    json_close(v.kwargs);
    chat_template_close(v.chat);
    tokenizer_close(v.tokenizer);
    opts_clear(groups, LEN(groups), NULL);
    return status;
}
