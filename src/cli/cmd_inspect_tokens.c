/* cmd_inspect_tokens.c - `inspect tokens`: texts to ids, ids to texts.
 *
 * --text takes one text. Each line of --input_file is {"text": ...}, which is encoded, or {"ids":
 * [...]}, which is decoded; a line with both is decoded. With --json every input gives one line,
 * {"ids": [...]} or
 * {"text": ..., "text_skip": ...} with special tokens left out of the latter; --text adds pieces
 * and bytes. */
#include "base/file.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "tokenizer/tokenizer.h"

struct tokens_opts {
    const char *model_name_or_path, *text, *input_file;
    bool add_special_tokens, parse_special, json;
};

static const struct opt tokens_table[] = {
    OPT_STR(struct tokens_opts, model_name_or_path, "", "directory with tokenizer.json",
            .flags = OPT_REQUIRED),
    OPT_STR(struct tokens_opts, text, "", "one text to encode"),
    OPT_STR(struct tokens_opts, input_file, "",
            "JSONL file: {\"text\": ...} or {\"ids\": [...]} on each line"),
    OPT_BOOL(struct tokens_opts, add_special_tokens, "false",
             "add what the tokenizer puts around a text (BOS)"),
    OPT_BOOL(struct tokens_opts, parse_special, "true",
             "take special tokens in the text for what they are"),
    OPT_BOOL(struct tokens_opts, json, "false", "print one JSON object for each input"),
    {0},
};

struct printer {
    const struct tokenizer *t;
    const struct tokens_opts *o;
    struct buf out;
};

static void flush(struct printer *p)
{
    fwrite(p->out.ptr, 1, p->out.len, stdout);
    buf_reset(&p->out);
}

/* Control characters and halves of characters as \xNN, so that a piece stays on its line. */
static void add_visible(struct buf *out, struct str s)
{
    for (size_t i = 0, from = 0; i < s.len; from = i) {
        uint32_t c = utf8_next(s, &i);

        if (c == '\n')
            buf_addz(out, "\\n");
        else if (c != UTF8_BAD && c >= 32 && c != 127)
            buf_add(out, s.ptr + from, i - from);
        else
            for (size_t k = from; k < i; k++)
                buf_addf(out, "\\x%02x", (unsigned char)s.ptr[k]);
    }
}

static void add_hex(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_addf(out, "%s%02x", i ? " " : "", (unsigned char)s.ptr[i]);
}

static const char *kind_of(const struct tokenizer *t, int32_t id)
{
    if (!tokenizer_content(t, id).len)
        return "no token";
    if (tokenizer_is_special(t, id))
        return "special";
    return tokenizer_is_added(t, id) ? "added" : "";
}

static void add_table(struct printer *p, const int32_t *ids, size_t n)
{
    buf_addf(&p->out, "%9s  %-8s  %-24s  %s\n", "id", "", "piece", "bytes");
    for (size_t i = 0; i < n; i++) {
        struct buf piece = {0};
        size_t width;

        buf_addc(&piece, '"');
        add_visible(&piece, tokenizer_piece(p->t, ids[i]));
        buf_addc(&piece, '"');
        width = utf8_count(buf_str(&piece));
        buf_addf(&p->out, "%9d  %-8s  %s%*s  ", ids[i], kind_of(p->t, ids[i]), buf_z(&piece),
                 (int)(width < 24 ? 24 - width : 0), "");
        add_hex(&p->out, tokenizer_piece(p->t, ids[i]));
        buf_addc(&p->out, '\n');
        buf_clear(&piece);
    }
    buf_addf(&p->out, "%zu tokens\n", n);
}

static void add_ids(struct buf *out, const int32_t *ids, size_t n)
{
    buf_addz(out, "{\"ids\":[");
    for (size_t i = 0; i < n; i++)
        buf_addf(out, "%s%d", i ? "," : "", ids[i]);
    buf_addc(out, ']');
}

static void add_pieces(struct printer *p, const struct token_buf *ids)
{
    buf_addz(&p->out, ",\"pieces\":[");
    for (size_t i = 0; i < ids->n; i++) {
        buf_addz(&p->out, i ? "," : "");
        json_write_str(&p->out, tokenizer_piece(p->t, ids->ids[i]));
    }
    buf_addz(&p->out, "],\"bytes\":[");
    for (size_t i = 0; i < ids->n; i++) {
        buf_addz(&p->out, i ? ",\"" : "\"");
        add_hex(&p->out, tokenizer_piece(p->t, ids->ids[i]));
        buf_addc(&p->out, '"');
    }
    buf_addc(&p->out, ']');
}

static bool show_text(struct printer *p, struct str text, bool with_pieces, struct err *e)
{
    unsigned flags = (p->o->parse_special ? ENCODE_PARSE_SPECIAL : 0) |
                     (p->o->add_special_tokens ? ENCODE_ADD_SPECIAL : 0);
    struct token_buf ids = {0};
    bool ok = tokenizer_encode(p->t, text, flags, &ids, e);

    if (ok && p->o->json) {
        add_ids(&p->out, ids.ids, ids.n);
        if (with_pieces)
            add_pieces(p, &ids);
        buf_addz(&p->out, "}\n");
    } else if (ok) {
        add_table(p, ids.ids, ids.n);
    }
    flush(p);
    token_buf_clear(&ids);
    return ok;
}

static bool read_ids(const struct json *v, struct token_buf *ids, struct err *e)
{
    if (json_type(v) != JSON_ARRAY)
        return err_set(e, ERR_INPUT, "\"ids\" is %s, expected an array",
                       json_type_name(json_type(v)));
    for (struct json_iter it = json_iter(v); json_next(&it);) {
        int64_t id = json_int(it.value, -1);

        if (id < 0 || id > INT32_MAX)
            return err_set(e, ERR_INPUT, "number %zu of \"ids\" is no token id", ids->n + 1);
        token_buf_add(ids, (int32_t)id);
    }
    return true;
}

static bool show_ids(struct printer *p, const struct json *v, struct err *e)
{
    struct token_buf ids = {0};
    struct buf text = {0}, text_skip = {0};
    bool ok = read_ids(v, &ids, e) && tokenizer_decode(p->t, ids.ids, ids.n, false, &text, e) &&
              tokenizer_decode(p->t, ids.ids, ids.n, true, &text_skip, e);

    if (ok && p->o->json) {
        buf_addz(&p->out, "{\"text\":");
        json_write_str(&p->out, buf_str(&text));
        buf_addz(&p->out, ",\"text_skip\":");
        json_write_str(&p->out, buf_str(&text_skip));
        buf_addz(&p->out, "}\n");
    } else if (ok) {
        add_table(p, ids.ids, ids.n);
        buf_addf(&p->out, "text: %s\n", buf_z(&text));
    }
    flush(p);
    token_buf_clear(&ids);
    buf_clear(&text);
    buf_clear(&text_skip);
    return ok;
}

static bool show_line(struct printer *p, struct str line, struct err *e)
{
    struct json *v = json_parse(line, e);
    const struct json *text = json_get(v, "text");
    bool ok = false;

    if (json_get(v, "ids"))
        ok = show_ids(p, json_get(v, "ids"), e);
    else if (json_type(text) == JSON_STRING)
        ok = show_text(p, json_str(text), false, e);
    else if (v)
        err_set(e, ERR_INPUT, "expected {\"text\": \"...\"} or {\"ids\": [...]}");
    json_close(v);
    return ok;
}

static bool show_file(struct printer *p, struct err *e)
{
    struct file_map file;
    struct jsonl lines;
    struct str line;
    bool ok = true;

    if (!file_map_open(p->o->input_file, &file, e))
        return false;
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    while (ok && jsonl_next(&lines, &line))
        ok = show_line(p, line, e);
    if (!ok)
        err_prefix(e, "%s:%zu", p->o->input_file, lines.line_no);
    file_map_close(&file);
    return ok;
}

int cmd_inspect_tokens(int argc, char **argv)
{
    struct tokens_opts o = {0};
    const struct opt_group groups[] = {{"tokens", tokens_table, &o}};
    struct printer p = {.o = &o};
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    int status = EXIT_OK;
    bool has_text;

    if (opts_asks_help(argc, argv)) {
        opts_defaults(groups, LEN(groups));
        return command_help("usage: llmeval inspect tokens --model_name_or_path DIR --text TEXT | "
                            "--input_file FILE.jsonl [OPTIONS]\n",
                            groups, LEN(groups));
    }
    if (!opts_parse(argc, argv, groups, LEN(groups), NULL, &e))
        goto out;
    has_text = opts_given(&tokens_table[1], argc, argv); /* --text "" is a text too */
    if (has_text == (*o.input_file != '\0')) {
        err_set(&e, ERR_INPUT,
                "inspect tokens needs either --text TEXT or --input_file FILE.jsonl");
        goto out;
    }
    t = tokenizer_open(o.model_name_or_path, &e);
    p.t = t;
    if (t && !(has_text ? show_text(&p, STR(o.text), true, &e) : show_file(&p, &e)))
        flush(&p);

out:
    if (e.code != ERR_NONE)
        status = command_failed(&e);
    buf_clear(&p.out);
    tokenizer_close(t);
    opts_clear(groups, LEN(groups), NULL);
    return status;
}
