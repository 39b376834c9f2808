/* The store: what it takes, what it refuses, what it mends. Crashes are in test_store_crash.c. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "eval/store.h"
#include "eval/store_row.h"
#include "formats/json.h"
#include "formats/json_scan.h"
#include "generator/generator.h"
#include "task/docs.h"

struct fixture {
    char folder[64], input[96], output[96], manifest[256];
    struct docs *docs;
};

struct params {
    double temperature;
};

static const struct opt params_table[] = {OPT_REAL(struct params, temperature, "0.6", 0, 2, "heat"),
                                          {0}};

static struct params params;
static const struct opt_group group = {"Sampling", params_table, &params};

static struct fixture f;

static void put(const char *path, const char *text)
{
    struct err e = ERR_INIT;

    CHECK_OK(path, file_replace(path, STR(text), &e), &e);
}

static struct buf get(const char *path)
{
    struct buf text = {0};
    struct err e = ERR_INIT;

    CHECK_OK(path, file_read(path, 0, &text, &e), &e);
    return text;
}

static const struct docs_keys keys = {"prompt", "answer", NULL, NULL};

static int setup(void **state UNUSED)
{
    struct err e = ERR_INIT;

    snprintf(f.folder, sizeof(f.folder), "/tmp/test_store_XXXXXX");
    if (!mkdtemp(f.folder))
        return 1;
    snprintf(f.input, sizeof(f.input), "%s/in.jsonl", f.folder);
    snprintf(f.output, sizeof(f.output), "%s/out/deep/er.jsonl", f.folder);
    snprintf(f.manifest, sizeof(f.manifest), "%s.manifest.json", f.output);
    put(f.input,
        "{\"prompt\":\"one\",\"answer\":1}\n{\"prompt\":\"two\",\"answer\":2,\"doc_id\":\"d2\"}\n");
    params.temperature = 0.6;
    f.docs = docs_open(f.input, &keys, &e);
    return f.docs == NULL;
}

static int teardown(void **state UNUSED)
{
    char command[256];

    docs_close(f.docs);
    snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", f.folder, f.folder);
    return system(command);
}

static struct store *open_with(int n_samples, bool repair, struct err *e)
{
    struct store_opts o = {.docs = f.docs,
                           .n_samples = n_samples,
                           .prompt_key = "prompt",
                           .response_key = "gen",
                           .fsync = STORE_FSYNC_NEVER,
                           .repair = repair,
                           .groups = &group,
                           .n_groups = 1};

    return store_open(f.output, &o, e);
}

static struct store *must_open(const char *name, int n_samples)
{
    struct err e = ERR_INIT;
    struct store *s = open_with(n_samples, false, &e);

    CHECK_OK(name, s != NULL, &e);
    return s;
}

static struct gen_event reply_of(const char *text)
{
    return (struct gen_event){
        .kind = GEN_DONE,
        .text = STR(text),
        .finish_reason = FINISH_STOP,
        .finish_reason_text = STR("stop"),
        .n_prompt_tokens = 10,
        .n_completion_tokens = 20,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .max_tokens = 100,
        .seed = 12345678901234567,
        .n_attempts = 1,
        .server = STR("http://h/v1"),
        .first_token_us = 1500,
        .latency_us = 2500000,
    };
}

static void add(struct store *s, int doc, int sample, const char *text)
{
    struct gen_event reply = reply_of(text);
    struct err e = ERR_INIT;

    CHECK_OK(text, store_append(s, doc, sample, &reply, &e), &e);
}

static void must_close(struct store *s)
{
    struct err e = ERR_INIT;

    CHECK_OK("close", store_close(s, &e), &e);
}

/* The folder of the output must exist for files that a test puts there. */
static void put_output(const char *text)
{
    struct err e = ERR_INIT;

    assert_true(file_mkdirs_parent(f.output, &e));
    put(f.output, text);
    unlink(f.manifest);
}

static struct store_counts counts_of(const struct store *s)
{
    struct store_counts c;

    store_counts(s, &c);
    return c;
}

TEST(writes_rows_with_all_fields)
{
    struct store *s = must_open("fresh", 2);
    struct gen_event reply = reply_of("x\n\"\xc3\xa9\"");
    struct err e = ERR_INIT;
    struct buf text;

    reply.has_reasoning = true;
    reply.reasoning = STR("why");
    reply.is_clamped = true;
    CHECK_OK("append", store_append(s, 0, 1, &reply, &e), &e);
    CHECK("has", store_has(s, 0, 1) && !store_has(s, 0, 0) && !store_has(s, 1, 1));
    must_close(s);
    text = get(f.output);
    CHECK("input fields first",
          str_starts(buf_str(&text), "{\"prompt\":\"one\",\"answer\":1,\"doc_id\":\""));
    CHECK(
        "the rest",
        str_ends(
            buf_str(&text),
            "\",\"sample_index\":1,\"n_samples\":2,\"gen\":\"x\\n\\\"\xc3\xa9\\\"\",\"reasoning\":\"why\","
            "\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":20,\"total_tokens\":30},"
            "\"seed\":12345678901234567,\"max_tokens\":100,\"is_clamped\":true,\"latency\":2.5,"
            "\"first_token_latency\":0.0015,\"server\":\"http://h/v1\",\"attempts\":1}\n"));
    buf_clear(&text);
}

TEST(goes_on_where_it_ended)
{
    struct store *s = must_open("fresh", 2);

    add(s, 0, 0, "a");
    add(s, 1, 1, "b");
    must_close(s);
    s = must_open("again", 2);
    CHECK("what was there",
          store_has(s, 0, 0) && store_has(s, 1, 1) && !store_has(s, 0, 1) && !store_has(s, 1, 0));
    CHECK_INT("rows", counts_of(s).n_rows, 2);
    CHECK("no warning", !counts_of(s).is_legacy && counts_of(s).n_torn_bytes == 0);
    must_close(s);
}

/* The first n bytes of a good file, for every n: whole rows stay, the torn one goes, nothing else.
 */
TEST(cuts_a_torn_last_line_at_every_byte)
{
    struct store *s = must_open("fresh", 2);
    struct buf whole, now;
    size_t first;

    add(s, 0, 0, "first");
    add(s, 1, 0, "second \xe4\xbd\xa0");
    must_close(s);
    whole = get(f.output);
    first = (size_t)(strchr(whole.ptr, '\n') - whole.ptr) + 1;
    for (size_t n = 0; n <= whole.len; n++) {
        struct err e = ERR_INIT;
        int n_rows = (n >= first - 1) + (n >= whole.len - 1);
        size_t n_bytes = n_rows == 2 ? whole.len : n_rows == 1 ? first : 0;

        CHECK_OK("cut", file_replace(f.output, str_slice(buf_str(&whole), 0, n), &e), &e);
        s = must_open("torn", 2);
        CHECK_INT("rows", counts_of(s).n_rows, n_rows);
        must_close(s);
        now = get(f.output);
        if (now.len != n_bytes || memcmp(buf_z(&now), buf_z(&whole), n_bytes) != 0)
            fail_msg("cut at %zu: %zu bytes are left, %zu expected", n, now.len, n_bytes);
        buf_clear(&now);
    }
    buf_clear(&whole);
}

#define ROW(id, sample, n) \
    "{\"prompt\":\"two\",\"answer\":2,\"doc_id\":\"" id "\",\"sample_index\":" #sample \
    ",\"n_samples\":" #n ",\"gen\":\"g\"}\n"

static const struct {
    const char *name, *text, *words;
} refused[] = {
    {"damage in the middle", ROW("d2", 0, 2) "{\"prompt\":\"tw\n" ROW("d2", 1, 2),
     ":2: the string does not end; nothing was changed"},
    {"damage with a newline at the end", ROW("d2", 0, 2) "{\"x\":\n", ":2: "},
    {"an array", "[1]\n", ":1: an array, not an object"},
    {"zeros in the middle", "\\0\n" ROW("d2", 0, 2), ":1: "},
    {"no answer", "{\"prompt\":\"two\",\"doc_id\":\"d2\"}\n", ":1: the answer is missing"},
    {"an answer of another type", "{\"prompt\":\"two\",\"gen\":5}\n", ":1: the answer is neither"},
    {"two answers in one line", "{\"prompt\":\"two\",\"gen\":[\"a\",\"b\"]}\n",
     ":1: the answer is a list of several"},
    {"the same sample twice", ROW("d2", 0, 2) ROW("d2", 1, 2) ROW("d2", 0, 2),
     ":3: sample 0 of doc_id \"d2\" is there twice"},
    {"an unknown doc_id", ROW("zz", 0, 2), ":1: its doc_id is not in the input"},
    {"an unknown prompt", "{\"prompt\":\"three\",\"gen\":\"g\"}\n",
     ":1: its prompt is not in the input"},
    {"another prompt under a doc_id", "{\"prompt\":\"2\",\"doc_id\":\"d2\",\"gen\":\"g\"}\n",
     ":1: its prompt is not the one"},
    {"another n_samples", ROW("d2", 0, 3), ":1: its n_samples is 3 and --n_samples is 2"},
    {"a sample beyond", "{\"prompt\":\"two\",\"sample_index\":2,\"gen\":\"g\"}\n",
     ":1: its sample_index is 2"},
    {"a negative sample", "{\"prompt\":\"two\",\"sample_index\":-1,\"gen\":\"g\"}\n",
     ":1: sample_index is not"},
    {"more rows than samples",
     "{\"prompt\":\"two\",\"gen\":\"a\"}\n{\"prompt\":\"two\",\"gen\":\"b\"}\n{\"prompt\":\"two\",\"gen\":\"c\"}\n",
     ":3: its problem has more rows"},
};

TEST(refuses_damage_and_leaves_it)
{
    for (size_t i = 0; i < LEN(refused); i++) {
        struct err e = ERR_INIT;
        struct buf after;

        put_output(refused[i].text);
        CHECK(refused[i].name, open_with(2, false, &e) == NULL);
        CHECK_INT(refused[i].name, e.code, ERR_INPUT);
        if (!strstr(e.msg, refused[i].words) || !strstr(e.msg, f.output))
            fail_msg("%s: \"%s\" lacks \"%s\"", refused[i].name, e.msg, refused[i].words);
        after = get(f.output);
        CHECK_STR(refused[i].name, buf_str(&after), STR(refused[i].text));
        buf_clear(&after);
    }
}

TEST(sets_damage_aside_when_asked)
{
    struct err e = ERR_INIT;
    struct store *s;
    char damaged[256];
    struct buf text;

    put_output(ROW("d2", 0, 2) "{\"prompt\":\"tw\n" ROW("d2", 1, 2)
                   ROW("d2", 0, 2) "nonsense\n{\"torn");
    s = open_with(2, true, &e);
    CHECK_OK("repair", s != NULL, &e);
    CHECK_INT("damaged", counts_of(s).n_damaged_lines, 3);
    CHECK_INT("rows", counts_of(s).n_rows, 2);
    CHECK_INT("torn", counts_of(s).n_torn_bytes, 6);
    add(s, 0, 0, "after");
    must_close(s);
    snprintf(damaged, sizeof(damaged), "%s.damaged", f.output);
    text = get(damaged);
    CHECK_STR("moved", buf_str(&text), STR("{\"prompt\":\"tw\n" ROW("d2", 0, 2) "nonsense\n"));
    buf_clear(&text);
    text = get(f.output);
    CHECK("kept",
          str_starts(buf_str(&text), ROW("d2", 0, 2) ROW("d2", 1, 2) "{\"prompt\":\"one\""));
    buf_clear(&text);
    s = must_open("mended", 2);
    CHECK_INT("rows", counts_of(s).n_rows, 3);
    must_close(s);
}

TEST(reads_files_of_the_older_tools)
{
    struct store *s;

    /* 2025: no doc_id, no sample_index, gen is a list or an object */
    put_output(
        "{\"prompt\": \"two\", \"answer\": 2, \"gen\": [\"a\"]}\n"
        "{\"prompt\": \"one\", \"answer\": 1, \"gen\": []}\n"
        "{\"prompt\": \"two\", \"answer\": 2, \"gen\": [{\"gen\": \"\", \"end_reason\": \"max length exceeded\"}]}\n"
        "{\"prompt\": \"one\", \"answer\": 1, \"gen\": {\"gen\": \"\", \"end_reason\": \"x\"}}\n");
    s = must_open("2025", 3);
    CHECK("lowest free indices",
          store_has(s, 0, 0) && store_has(s, 0, 1) && store_has(s, 1, 0) && store_has(s, 1, 1));
    CHECK("no more", !store_has(s, 0, 2) && !store_has(s, 1, 2));
    CHECK_INT("cut", counts_of(s).n_truncated, 2);
    CHECK_INT("empty", counts_of(s).n_empty, 3);
    CHECK("told", counts_of(s).is_legacy);
    must_close(s);
    s = must_open("with a manifest now", 3);
    CHECK("not told again", !counts_of(s).is_legacy);
    must_close(s);

    /* today's: error rows are retried, a row without index takes what others leave */
    put_output(
        "{\"prompt\":\"two\",\"doc_id\":\"d2\",\"gen\":\"a\"}\n"
        "{\"prompt\":\"two\",\"doc_id\":\"d2\",\"sample_index\":1,\"n_samples\":3,\"error\":\"boom\"}\n"
        "{\"prompt\":\"two\",\"doc_id\":\"d2\",\"sample_index\":0,\"n_samples\":3,\"gen\":\"b\",\"error\":null}\n");
    put(f.manifest, "{\"doc_ids\": [\"x\", \"d2\"], \"n_samples\": 3}");
    {
        struct err e = ERR_INIT;

        assert_null(open_with(3, false, &e));
        CHECK("what differs", strstr(e.msg, "problem 1 of the input was \"x\" and is now"));
    }
    unlink(f.manifest);
    s = must_open("today", 3);
    CHECK("the row without an index is sample 1",
          store_has(s, 1, 0) && store_has(s, 1, 1) && !store_has(s, 1, 2));
    CHECK_INT("error rows", counts_of(s).n_error_rows, 1);
    must_close(s);
}

TEST(refuses_another_run)
{
    struct store *s = must_open("fresh", 2);
    struct err e = ERR_INIT;
    struct docs *others;

    add(s, 0, 0, "a");
    must_close(s);
    assert_null(open_with(3, false, &e));
    CHECK("n_samples", strstr(e.msg, "n_samples was 2 and is now 3"));
    err_clear(&e);
    params.temperature = 0.7;
    assert_null(open_with(2, false, &e));
    CHECK("a parameter", strstr(e.msg, "temperature was 0.6 and is now 0.7"));
    CHECK("the remedy", strstr(e.msg, "--output_file"));
    params.temperature = 0.6;
    err_clear(&e);
    put(f.input,
        "{\"prompt\":\"one\",\"answer\":7}\n{\"prompt\":\"two\",\"answer\":2,\"doc_id\":\"d2\"}\n");
    others = f.docs;
    f.docs = docs_open(f.input, &keys, &e);
    assert_null(open_with(2, false, &e));
    CHECK("the input", strstr(e.msg, "problem 1 of the input was"));
    docs_close(f.docs);
    f.docs = others;
    must_close(must_open("unchanged", 2));
}

TEST(a_manifest_without_rows_binds_nobody)
{
    must_close(must_open("fresh", 2));
    must_close(must_open("other", 5));
}

TEST(one_writer_at_a_time)
{
    struct store *s = must_open("first", 2);
    struct err e = ERR_INIT;
    char pid[32];

    assert_null(open_with(2, false, &e));
    CHECK_INT("busy", e.code, ERR_BUSY);
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    CHECK("names the process", strstr(e.msg, pid));
    must_close(s);
    must_close(must_open("afterwards", 2));
}

TEST(a_folder_that_cannot_be_written)
{
    struct err e = ERR_INIT;

    if (geteuid() == 0)
        return; /* root may write everywhere; test_store_crash.c makes the calls fail instead */
    assert_int_equal(chmod(f.folder, 0500), 0);
    assert_null(open_with(2, false, &e));
    CHECK("names the folder", strstr(e.msg, f.folder));
    assert_int_equal(chmod(f.folder, 0700), 0);
}

TEST(a_folder_in_the_place_of_the_file)
{
    struct err e = ERR_INIT;

    assert_true(file_mkdirs(f.output, &e));
    assert_null(open_with(2, false, &e));
    CHECK("says so", strstr(e.msg, "is not a plain file"));
}

TEST(finds_identical_samples)
{
    struct store *s = must_open("fresh", 3);
    int doc = -1, a = -1, b = -1;
    char same[STORE_TWIN_BYTES + 1], other[STORE_TWIN_BYTES + 1];

    memset(same, 's', STORE_TWIN_BYTES);
    memset(other, 'o', STORE_TWIN_BYTES);
    same[STORE_TWIN_BYTES] = other[STORE_TWIN_BYTES] = '\0';
    add(s, 0, 0, "short");
    add(s, 0, 1, "short");
    add(s, 1, 0, same);
    add(s, 1, 1, other);
    CHECK_INT("none", store_n_identical(s, NULL, NULL, NULL), 0);
    add(s, 1, 2, same);
    CHECK_INT("one", store_n_identical(s, &doc, &a, &b), 1);
    CHECK("which", doc == 1 && a == 0 && b == 2);
    must_close(s);
    s = must_open("again", 3);
    CHECK_INT("after reopening", store_n_identical(s, NULL, NULL, NULL), 1);
    must_close(s);
}

static struct store *open_reproducible(void)
{
    struct store_opts o = {.docs = f.docs,
                           .n_samples = 2,
                           .prompt_key = "prompt",
                           .response_key = "gen",
                           .fsync = STORE_FSYNC_NEVER,
                           .is_reproducible = true,
                           .groups = &group,
                           .n_groups = 1};
    struct err e = ERR_INIT;
    struct store *s = store_open(f.output, &o, &e);

    CHECK_OK("open", s != NULL, &e);
    return s;
}

/* The text follows from doc and sample, the times and what the cache held do not. */
static void add_by_load(struct store *s, int doc, int sample, int load)
{
    char text[32];
    struct gen_event reply;
    struct err e = ERR_INIT;

    snprintf(text, sizeof(text), "%d of %d", sample, doc);
    reply = reply_of(text);
    reply.latency_us = 1000 + load;
    reply.first_token_us = 10 + load;
    reply.n_cached_tokens = load;
    CHECK_OK(text, store_append(s, doc, sample, &reply, &e), &e);
}

static void order(struct store *s)
{
    struct err e = ERR_INIT;

    CHECK_OK("order", store_order(s, &e), &e);
}

static const struct {
    int doc, sample;
} orders[][4] = {
    {{0, 0}, {0, 1}, {1, 0}, {1, 1}},
    {{1, 1}, {0, 0}, {1, 0}, {0, 1}},
    {{1, 0}, {1, 1}, {0, 1}, {0, 0}},
};

/* Rows in any order, in one run or two, end as the same bytes; while samples lack, the file is left
 * alone. */
TEST(a_finished_store_has_the_same_bytes_whatever_came_first)
{
    struct buf want = {0};

    for (size_t i = 0; i < LEN(orders); i++) {
        struct store *s = open_reproducible();
        struct buf before, after;

        for (int k = 0; k < 3; k++)
            add_by_load(s, orders[i][k].doc, orders[i][k].sample, (int)i);
        before = get(f.output);
        order(s);
        after = get(f.output);
        CHECK_STR("one is missing", buf_str(&after), buf_str(&before));
        buf_clear(&after);
        buf_clear(&before);
        if (i == 2) { /* another run goes on */
            must_close(s);
            s = open_reproducible();
        }
        add_by_load(s, orders[i][3].doc, orders[i][3].sample, (int)i);
        order(s);
        CHECK_INT("all there", counts_of(s).n_rows, 4);
        must_close(s);
        after = get(f.output);
        if (i == 0)
            buf_add_str(&want, buf_str(&after));
        CHECK_STR("bytes", buf_str(&after), buf_str(&want));
        CHECK("in order", strstr(buf_z(&after), "1 of 0") < strstr(buf_z(&after), "0 of 1"));
        buf_clear(&after);
        s = open_reproducible(); /* still a store */
        CHECK_INT("reopened", counts_of(s).n_rows, 4);
        must_close(s);
        unlink(f.output);
        unlink(f.manifest);
    }
    buf_clear(&want);
}

TEST(the_manifest_says_how)
{
    struct err e = ERR_INIT;
    struct json *tree;

    must_close(must_open("fresh", 2));
    tree = json_parse_file(f.manifest, 1 << 20, &e);
    CHECK_OK("parse", tree != NULL, &e);
    CHECK_INT("doc_ids", json_len(json_get(tree, "doc_ids")), 2);
    CHECK_STR("the second", json_str(json_at(json_get(tree, "doc_ids"), 1)), STR("d2"));
    CHECK_INT("n_samples", json_int(json_get(tree, "n_samples"), 0), 2);
    CHECK("temperature", json_num(json_get(json_get(tree, "parameters"), "temperature"), 0) == 0.6);
    CHECK_STR("hash", json_str(json_get(tree, "input_sha256")), STR(f.docs->sha256));
    json_close(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_rows_with_all_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_where_it_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_a_torn_last_line_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_damage_and_leaves_it, setup, teardown),
        cmocka_unit_test_setup_teardown(sets_damage_aside_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_files_of_the_older_tools, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_another_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_manifest_without_rows_binds_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(one_writer_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_in_the_place_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finished_store_has_the_same_bytes_whatever_came_first,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(finds_identical_samples, setup, teardown),
        cmocka_unit_test_setup_teardown(the_manifest_says_how, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
