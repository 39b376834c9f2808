/* jinja.c - how long a chat template takes to parse and to render for a conversation of 20
 * messages.
 *
 * usage: bench_jinja [FOLDER]: the template.jinja of each folder in it; by default
 * the test data of the project. */
#include <dirent.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "tokenizer/chat_template.h"

enum { N_MESSAGES = 20, N_ROUNDS = 9, N_RENDERS = 50 };

static const char tools_json[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"description\": \"The "
    "weather now\","
    " \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}},"
    " \"required\": [\"city\"]}}}]";

/* A system message, then users and assistants by turns; the last one asks. */
static struct json *conversation(void)
{
    struct json *messages = json_new_array();

    for (int i = 0; i < N_MESSAGES; i++) {
        struct json *m = json_new_object();
        struct buf content = {0};

        buf_addf(&content, "Message %d: ", i);
        for (int k = 0; k < 40; k++)
            buf_addz(&content, "some words of text ");
        json_set(m, "role",
                 json_new_str(STR(i == 0       ? "system"
                                  : i % 2 == 1 ? "user"
                                               : "assistant")));
        json_set(m, "content", json_new_str(buf_str(&content)));
        json_push(messages, m);
        buf_clear(&content);
    }
    return messages;
}

static int count_lines(struct str s)
{
    int n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == '\n';
    return n;
}

/* The best of N_ROUNDS, in microseconds for one rendering; below 0: the template refuses. */
static double time_render(const struct chat_template *t, const struct chat_input *in,
                          size_t *n_bytes)
{
    double best = -1;

    for (int round = 0; round < N_ROUNDS; round++) {
        int64_t start = clock_us();
        double us;

        for (int i = 0; i < N_RENDERS; i++) {
            struct buf out = {0};
            struct err e = ERR_INIT;
            bool is_good = chat_template_render(t, in, &out, NULL, &e);

            *n_bytes = out.len;
            buf_clear(&out);
            if (!is_good)
                return -1;
        }
        us = (double)(clock_us() - start) / N_RENDERS;
        best = best < 0 || us < best ? us : best;
    }
    return best;
}

static double time_parse(struct str source, const struct json *tokens)
{
    int64_t start = clock_us();

    for (int i = 0; i < N_RENDERS; i++) {
        struct err e = ERR_INIT;

        chat_template_close(chat_template_parse("bench", source, tokens, &e));
    }
    return (double)(clock_us() - start) / N_RENDERS;
}

static void bench_one(const char *folder, const char *name, const struct chat_input *in)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct buf source = {0};
    struct json *tokens = json_parse(STR("{\"bos_token\": \"<s>\", \"eos_token\": \"</s>\"}"), &e);
    struct chat_template *t;
    const char *path;
    size_t n_bytes = 0;

    arena_init(&a, 0);
    path = str_fmt(&a, "%s/%s/template.jinja", folder, name).ptr;
    if (file_exists(path) && file_read(path, 0, &source, &e) &&
        (t = chat_template_parse(name, buf_str(&source), tokens, &e)) != NULL) {
        double us = time_render(t, in, &n_bytes);

        if (us >= 0)
            printf("%-28s %5d %10.1f %10.1f %9zu\n", name, count_lines(buf_str(&source)),
                   time_parse(buf_str(&source), tokens), us, n_bytes);
        else
            printf("%-28s %5d   refuses the conversation\n", name, count_lines(buf_str(&source)));
        chat_template_close(t);
    }
    buf_clear(&source);
    json_close(tokens);
    arena_clear(&a);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : SOURCE_DIR "/tests/data/chat_templates";
    struct err e = ERR_INIT;
    struct json *messages = conversation(), *tools = json_parse(STR(tools_json), &e);
    const struct chat_input in = {.messages = messages,
                                  .tools = tools,
                                  .add_generation_prompt = true,
                                  .now = "2025-03-14 15:09:26"};
    struct dirent **names;
    int n = scandir(folder, &names, NULL, by_name);

    printf("%d messages with tools, best of %d rounds\n", N_MESSAGES, N_ROUNDS);
    printf("%-28s %5s %10s %10s %9s\n", "template", "lines", "parse us", "render us", "bytes");
    for (int i = 0; i < n; i++) {
        bench_one(folder, names[i]->d_name, &in);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    json_close(messages);
    json_close(tools);
    return n < 0;
}
