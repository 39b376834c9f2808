/* test_golden.c - every golden of every tokenizer, exactly: encode, decode, decode with special
 * tokens skipped, what is put before a text. Each decode runs token by token too. */
#include "fixture.h"

struct golden {
    const char *name, *dir;
    struct tokenizer *t;
    int n_checked, n_failed;
};

static bool same_ids(const struct json *want, const struct token_buf *got)
{
    if (json_len(want) != got->n)
        return false;
    for (size_t i = 0; i < got->n; i++)
        if (json_int(json_at(want, i), -1) != got->ids[i])
            return false;
    return true;
}

static void report(struct golden *g, const char *what, const struct json *row, struct str got)
{
    struct buf line = {0};

    if (g->n_failed++ < 5) {
        json_write(&line, row);
        print_error("%s: %s: %.300s: got %.*s\n", g->name, what, buf_z(&line),
                    (int)MIN(got.len, 300), got.ptr);
    }
    buf_clear(&line);
}

static void print_ids(struct buf *out, const struct token_buf *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        buf_addf(out, "%s%d", i ? "," : "", ids->ids[i]);
}

static struct json *next_row(struct jsonl *lines)
{
    struct err e = ERR_INIT;
    struct str line;
    struct json *row = NULL;

    if (jsonl_next(lines, &line))
        CHECK_OK("a row of a golden file", (row = json_parse(line, &e)), &e);
    return row;
}

static void check_decode(struct golden *g, const struct json *row, const struct token_buf *ids,
                         bool skip, struct str want)
{
    struct buf whole = {0}, stream = {0};
    struct err e = ERR_INIT;
    struct detok d;

    CHECK_OK(g->name, tokenizer_decode(g->t, ids->ids, ids->n, skip, &whole, &e), &e);
    if (!str_eq(buf_str(&whole), want))
        report(g, skip ? "decode, special skipped" : "decode", row, buf_str(&whole));
    detok_init(&d, g->t, skip);
    for (size_t i = 0; i < ids->n; i++) {
        CHECK_OK(g->name, detok_add(&d, ids->ids[i], &stream, &e), &e);
        CHECK(g->name, utf8_valid(buf_str(&stream)));
    }
    CHECK_OK(g->name, detok_finish(&d, &stream, &e), &e);
    if (!str_eq(buf_str(&stream), want))
        report(g, "decode by token", row, buf_str(&stream));
    detok_clear(&d);
    g->n_checked++;
    buf_clear(&whole);
    buf_clear(&stream);
}

static void check_encode_file(struct golden *g, const char *corpus_path, const char *golden_path)
{
    struct file_map corpus = {0}, golden = {0};
    struct err e = ERR_INIT;
    struct jsonl texts, rows;
    struct json *text, *row;

    CHECK_OK(g->name,
             file_map_open(corpus_path, &corpus, &e) && file_map_open(golden_path, &golden, &e),
             &e);
    jsonl_init(&texts, (struct str){corpus.ptr, corpus.len});
    jsonl_init(&rows, (struct str){golden.ptr, golden.len});
    while ((text = next_row(&texts)) && (row = next_row(&rows))) {
        struct token_buf ids = {0};
        struct buf got = {0};
        const struct json *dec = json_get(row, "dec");

        CHECK_INT(g->name, json_int(json_get(row, "i"), -1), json_int(json_get(text, "i"), -2));
        CHECK_OK(g->name,
                 tokenizer_encode(g->t, json_str(json_get(text, "text")), ENCODE_PARSE_SPECIAL,
                                  &ids, &e),
                 &e);
        print_ids(&got, &ids);
        if (!same_ids(json_get(row, "ids"), &ids))
            report(g, "encode", row, buf_str(&got));
        else if (json_type(dec) != JSON_NULL)
            check_decode(g, row, &ids, false,
                         dec ? json_str(dec) : json_str(json_get(text, "text")));
        g->n_checked++;
        token_buf_clear(&ids);
        buf_clear(&got);
        json_close(text);
        json_close(row);
    }
    json_close(text);
    file_map_close(&corpus);
    file_map_close(&golden);
}

static void check_decode_file(struct golden *g, const char *golden_path)
{
    struct file_map golden = {0};
    struct err e = ERR_INIT;
    struct jsonl rows;
    struct json *row;

    CHECK_OK(g->name, file_map_open(golden_path, &golden, &e), &e);
    jsonl_init(&rows, (struct str){golden.ptr, golden.len});
    while ((row = next_row(&rows))) {
        struct token_buf ids = {0};

        for (struct json_iter it = json_iter(json_get(row, "ids")); json_next(&it);)
            token_buf_add(&ids, (int32_t)json_int(it.value, -1));
        check_decode(g, row, &ids, false, json_str(json_get(row, "text")));
        check_decode(g, row, &ids, true, json_str(json_get(row, "text_skip")));
        token_buf_clear(&ids);
        json_close(row);
    }
    file_map_close(&golden);
}

static void check_meta(struct golden *g, const struct json *meta)
{
    struct token_buf with = {0}, without = {0};
    struct err e = ERR_INIT;
    const struct json *prefix = json_get(meta, "add_special_tokens_prefix");
    size_t n;
    const int32_t *ids = tokenizer_prefix(g->t, &n);

    CHECK_INT(g->name, tokenizer_vocab_size(g->t),
              json_int(json_get(meta, "vocab_size_with_added"), -1));
    CHECK(g->name, same_ids(prefix, &(struct token_buf){.ids = (int32_t *)(uintptr_t)ids, .n = n}));
    CHECK_OK(g->name, tokenizer_encode(g->t, STR("Hello"), ENCODE_PARSE_SPECIAL, &without, &e), &e);
    CHECK_OK(
        g->name,
        tokenizer_encode(g->t, STR("Hello"), ENCODE_PARSE_SPECIAL | ENCODE_ADD_SPECIAL, &with, &e),
        &e);
    CHECK_INT(g->name, with.n, n + without.n);
    for (size_t i = 0; i < with.n; i++)
        CHECK_INT(g->name, with.ids[i], i < n ? ids[i] : without.ids[i - n]);
    token_buf_clear(&with);
    token_buf_clear(&without);
}

static void check_tokenizer(struct fixture *f, const char *name)
{
    struct golden g = {.name = name, .dir = fixture_find(f, name)};
    struct err e = ERR_INIT;
    struct json *meta;
    const char *parent;

    if (!g.dir)
        return;
    CHECK_OK(name, (g.t = tokenizer_open(g.dir, &e)), &e);
    CHECK_OK(name, (meta = json_parse_file(path_join(&f->arena, g.dir, "golden_meta.json"), 0, &e)),
             &e);
    check_meta(&g, meta);
    parent = path_join(&f->arena, g.dir, "..");
    check_encode_file(&g, path_join(&f->arena, parent, json_str(json_get(meta, "corpus")).ptr),
                      path_join(&f->arena, g.dir, "golden_encode.jsonl"));
    check_decode_file(&g, path_join(&f->arena, g.dir, "golden_decode.jsonl"));
    print_message("%s: %d goldens, %d wrong\n", name, g.n_checked, g.n_failed);
    CHECK(name, g.n_checked > 500);
    CHECK_INT(name, g.n_failed, 0);
    json_close(meta);
    tokenizer_close(g.t);
}

TEST(goldens)
{
    static const char *const names[] = {"qwen2.5",
                                        "deepseek-r1-distill-qwen",
                                        "gpt2",
                                        "llama-3",
                                        "llama-2-spm",
                                        "synthetic-added-flags",
                                        "synthetic-prefix-space"};
    struct fixture f;

    fixture_init(&f);
    for (size_t i = 0; i < LEN(names); i++)
        check_tokenizer(&f, names[i]);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goldens)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
