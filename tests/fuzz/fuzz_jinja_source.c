/* fuzz_jinja_source.c - any bytes as a template: the first byte is its settings, the rest its
 * source. */
#include "formats/jinja.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char variables[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"<b> caf\\u00e9 \\ud83d\\ude00\\n x\"},"
    " {\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": 1, \"f\": 1.5e300}]}],"
    " \"n\": 7, \"x\": -0.5, \"s\": \"a b,c\", \"l\": [3, 1, [2, \"q\"]], \"d\": {\"k\": [true, "
    "null], \"items\": 1}}";

static bool echo(void *ctx, struct jinja_call *c)
{
    struct str text;

    (void)ctx;
    if (!jinja_arg(c, 0, "text", &text))
        return jinja_refuse(c, STR("echo() needs a text"));
    jinja_return(c, text);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct jinja_func funcs[] = {{"echo", echo, NULL}, {0}};
    unsigned flags = size > 0 ? data[0] : 0;
    const struct jinja_settings settings = {
        .trim_blocks = flags & 1,
        .lstrip_blocks = flags & 2,
        .keep_trailing_newline = flags & 4,
        .strict_undefined = flags & 8,
        .autoescape = flags & 16,
        .tojson = flags & 32 ? JINJA_TOJSON_HTML : JINJA_TOJSON_PLAIN,
    };
    struct err e = ERR_INIT;
    struct str source = {(const char *)data + (size > 0), size - (size > 0)};
    struct json *vars = json_parse(STR(variables), &e);
    struct jinja *t = jinja_parse("fuzz", source, &settings, &e);
    struct jinja_var var = {NULL, vars};
    const struct jinja_data d = {
        .vars = &var,
        .n_vars = 1,
        .funcs = funcs,
        .limits = {.max_steps = 100000, .max_output = 1 << 20, .max_memory = 16 << 20},
    };
    struct jinja_fault fault = {0};
    struct buf out = {0};

    if (t) {
        bool is_good = jinja_render(t, &d, &out, &fault, &e);

        if (is_good ? e.code != ERR_NONE || !utf8_valid(buf_str(&out))
                    : e.code == ERR_NONE || fault.kind == JINJA_FAULT_NONE || out.len != 0)
            abort();
    } else if (e.code == ERR_NONE) {
        abort();
    }
    buf_clear(&out);
    buf_clear(&fault.message);
    jinja_close(t);
    json_close(vars);
    return 0;
}
