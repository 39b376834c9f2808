/* fuzz_jinja_data.c - any JSON as a conversation, rendered by real chat templates: the first byte
 * chooses the template, the rest is an object of variables. */
#include <dirent.h>

#include "base/arena.h"
#include "base/file.h"
#include "tokenizer/chat_template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_TEMPLATES = 64 };

static struct chat_template *templates[MAX_TEMPLATES];
static int n_templates;

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_templates(void)
{
    struct dirent **names;
    int n = scandir(TEST_DATA "/chat_templates", &names, NULL, by_name);

    for (int i = 0; i < n; i++) {
        struct err e = ERR_INIT;
        struct arena a;
        const char *path;
        struct buf source = {0};

        arena_init(&a, 0);
        path = str_fmt(&a, TEST_DATA "/chat_templates/%s/template.jinja", names[i]->d_name).ptr;
        if (n_templates < MAX_TEMPLATES && file_exists(path)) {
            if (!file_read(path, 0, &source, &e) ||
                !(templates[n_templates] =
                      chat_template_parse(names[i]->d_name, buf_str(&source), NULL, &e)))
                abort();
            n_templates++;
        }
        buf_clear(&source);
        arena_clear(&a);
        free(names[i]);
    }
    free(names);
    if (n_templates == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct json *vars;
    struct buf out = {0};
    struct jinja_fault fault = {0};

    if (n_templates == 0)
        load_templates();
    if (size < 2)
        return 0;
    vars = json_parse((struct str){(const char *)data + 1, size - 1}, &e);
    if (vars) {
        const struct chat_input in = {
            .messages = json_get(vars, "messages"),
            .tools = json_get(vars, "tools"),
            .kwargs = vars,
            .add_generation_prompt = json_bool(json_get(vars, "add_generation_prompt"), false),
            .continue_final_message = json_bool(json_get(vars, "continue_final_message"), false),
            .now = "2025-03-14 15:09:26",
        };
        bool is_good =
            chat_template_render(templates[data[0] % n_templates], &in, &out, &fault, &e);

        if (is_good ? e.code != ERR_NONE || !utf8_valid(buf_str(&out))
                    : e.code == ERR_NONE || out.len != 0)
            abort();
    }
    buf_clear(&out);
    buf_clear(&fault.message);
    json_close(vars);
    return 0;
}
