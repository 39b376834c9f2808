/* Every end that a store can meet. A child process works on a store; before or inside its k-th call
 * of the operating system it ends at once, as by SIGKILL or a power cut, or the call fails. Then
 * the work is done again undisturbed, and the rows must be those of a run that nothing disturbed:
 * none lost, none twice.
 *
 * link-wrap: write fsync fdatasync rename ftruncate */
#include "test.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "eval/store.h"
#include "generator/generator.h"
#include "task/docs.h"

/* --- the layer that fails --------------------------------------------------------------------- */

enum mode {
    MODE_NONE,
    MODE_DIE_BEFORE, /* the call is not made */
    MODE_DIE_TORN,   /* a write writes one half, others are made */
    MODE_DIE_AFTER,  /* the call is made */
    MODE_FAIL,       /* the call gives EIO or ENOSPC, this once */
    MODE_FAIL_TORN,  /* a write writes one half, and from then on every call gives ENOSPC */
    N_MODES,
};

static enum mode mode;
static int n_calls, fatal_call;
static bool is_full;

static bool is_fatal(void)
{
    return mode != MODE_NONE && ++n_calls == fatal_call;
}

static int refuse(void)
{
    errno = ENOSPC;
    return -1;
}

ssize_t __real_write(int fd, const void *ptr, size_t n);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_rename(const char *from, const char *to);
int __real_ftruncate(int fd, off_t length);
ssize_t __wrap_write(int fd, const void *ptr, size_t n);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_ftruncate(int fd, off_t length);

ssize_t __wrap_write(int fd, const void *ptr, size_t n)
{
    if (is_full)
        return refuse();
    if (!is_fatal())
        return __real_write(fd, ptr, n);
    switch (mode) {
    case MODE_DIE_BEFORE:
        _exit(77);
    case MODE_FAIL:
        return refuse();
    case MODE_DIE_AFTER:
        if (__real_write(fd, ptr, n) < 0)
            _exit(78);
        _exit(77);
    default: /* torn */
        if (__real_write(fd, ptr, n / 2) < 0)
            _exit(78);
        if (mode == MODE_DIE_TORN)
            _exit(77);
        is_full = true;
        return (ssize_t)(n / 2);
    }
}

/* The other calls either happen or do not. */
#define WRAP(call, ...) \
    do { \
        int result; \
        if (is_full) \
            return refuse(); \
        if (!is_fatal()) \
            return __real_##call(__VA_ARGS__); \
        if (mode == MODE_DIE_BEFORE) \
            _exit(77); \
        if (mode == MODE_FAIL || mode == MODE_FAIL_TORN) \
            return refuse(); \
        result = __real_##call(__VA_ARGS__); \
        _exit(result == 0 ? 77 : 78); \
    } while (0)

int __wrap_fsync(int fd)
{
    WRAP(fsync, fd);
}

int __wrap_fdatasync(int fd)
{
    WRAP(fdatasync, fd);
}

int __wrap_rename(const char *from, const char *to)
{
    WRAP(rename, from, to);
}

int __wrap_ftruncate(int fd, off_t length)
{
    WRAP(ftruncate, fd, length);
}

/* --- the work --------------------------------------------------------------------------------- */

enum { N_DOCS = 3, N_SAMPLES = 3 };

static char folder[64], input[96], output[96];
static struct docs *docs;

static const struct docs_keys keys = {"prompt", "answer", NULL, NULL};

static void put(const char *path, struct str text)
{
    struct err e = ERR_INIT;

    CHECK_OK(path, file_replace(path, text, &e), &e);
}

static struct gen_event reply_of(int doc, int sample, char *text, size_t size)
{
    snprintf(text, size, "answer %d to %d, long enough to be torn \xe4\xbd\xa0", sample, doc);
    return (struct gen_event){
        .kind = GEN_DONE,
        .text = STR(text),
        .finish_reason = FINISH_STOP,
        .finish_reason_text = STR("stop"),
        .n_prompt_tokens = 1,
        .n_completion_tokens = 2,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .n_attempts = 1,
        .first_token_us = -1,
        .latency_us = -1,
    };
}

/* As a run does: open, add what is missing, close. False: something failed. */
static bool work(enum store_fsync fsync, bool repair)
{
    struct store_opts o = {.docs = docs,
                           .n_samples = N_SAMPLES,
                           .prompt_key = "prompt",
                           .response_key = "gen",
                           .fsync = fsync,
                           .repair = repair};
    struct err e = ERR_INIT;
    struct store *s = store_open(output, &o, &e);
    char text[100];

    for (int k = 0; s && k < N_SAMPLES; k++)
        for (int doc = 0; doc < N_DOCS; doc++) {
            struct gen_event reply = reply_of(doc, k, text, sizeof(text));

            if (e.code == ERR_NONE && !store_has(s, doc, k) && !store_append(s, doc, k, &reply, &e))
                break;
        }
    return store_close(s, &e) && e.code == ERR_NONE;
}

static int by_bytes(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    return str_cmp(*x, *y);
}

/* The lines of the output, sorted, as one text. */
static struct buf sorted_rows(void)
{
    struct buf text = {0}, out = {0};
    struct str rest, line, lines[64];
    struct err e = ERR_INIT;
    size_t n = 0;

    CHECK_OK("read", file_read(output, 0, &text, &e), &e);
    rest = buf_str(&text);
    while (str_cut(&rest, '\n', &line))
        if (line.len > 0 && n < LEN(lines))
            lines[n++] = line;
    qsort(lines, n, sizeof(lines[0]), by_bytes);
    for (size_t i = 0; i < n; i++) {
        buf_add_str(&out, lines[i]);
        buf_addc(&out, '\n');
    }
    buf_clear(&text);
    return out;
}

static int setup(void **state UNUSED)
{
    struct err e = ERR_INIT;

    snprintf(folder, sizeof(folder), "/tmp/test_store_crash_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(input, sizeof(input), "%s/in.jsonl", folder);
    snprintf(output, sizeof(output), "%s/out.jsonl", folder);
    put(input, STR("{\"prompt\":\"a\",\"answer\":1,\"doc_id\":\"a\"}\n{\"prompt\":\"b\",\"doc_id\":"
                   "\"b\"}\n{\"prompt\":\"c\",\"answer\":3}\n"));
    docs = docs_open(input, &keys, &e);
    return docs == NULL;
}

static void remove_outputs(void)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf %s/out.jsonl*", folder);
    assert_int_equal(system(command), 0);
}

static int teardown(void **state UNUSED)
{
    remove_outputs();
    docs_close(docs);
    unlink(input);
    return rmdir(folder);
}

/* A child works with a fatal call; its exit status. 0: it did not come to that call. */
static int disturbed_work(enum mode how, int at, enum store_fsync fsync, bool repair)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        mode = how;
        fatal_call = at;
        status = work(fsync, repair) ? 0 : 1;
        _exit(n_calls < at ? 0 : status ? 1 : 2);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void check_all_rows(const char *name, int how, int at, const struct buf *want)
{
    struct buf got;

    if (!work(STORE_FSYNC_NEVER, false))
        fail_msg("%s, mode %d, call %d: the work cannot go on", name, how, at);
    got = sorted_rows();
    if (!str_eq(buf_str(&got), buf_str(want)))
        fail_msg("%s, mode %d, call %d: the rows differ:\n%s", name, how, at, buf_z(&got));
    buf_clear(&got);
}

/* Every way to end, at every call, from a given start. */
static void disturb_everywhere(const char *name, struct str start, enum store_fsync fsync,
                               bool repair, const struct buf *want)
{
    int n_disturbed = 0;

    for (int how = MODE_DIE_BEFORE; how < N_MODES; how++) {
        int status = 1;

        for (int at = 1; status != 0 && at < 200; at++) {
            remove_outputs();
            if (start.len > 0)
                put(output, start);
            status = disturbed_work((enum mode)how, at, fsync, repair);
            if (status == 78 || (status == 2 && how < MODE_FAIL))
                fail_msg("%s, mode %d, call %d: status %d", name, how, at, status);
            n_disturbed += status != 0;
            if (repair) /* a repair that was cut short is asked for again */
                assert_true(work(STORE_FSYNC_NEVER, true));
            check_all_rows(name, how, at, want);
        }
        CHECK_INT("came to an end", status, 0);
    }
    CHECK("there were enough ends", n_disturbed > 20);
}

static struct buf undisturbed_rows(void)
{
    remove_outputs();
    assert_true(work(STORE_FSYNC_NEVER, false));
    return sorted_rows();
}

TEST(a_fresh_run)
{
    struct buf want = undisturbed_rows();

    CHECK_INT("rows", N_DOCS * N_SAMPLES, 9);
    disturb_everywhere("never", STR(""), STORE_FSYNC_NEVER, false, &want);
    disturb_everywhere("always", STR(""), STORE_FSYNC_ALWAYS, false, &want);
    buf_clear(&want);
}

/* A run whose file ends in a torn line, and one whose file is an older tool's. */
TEST(a_resumed_run)
{
    struct buf want = undisturbed_rows(), start = {0}, got;
    struct str first = buf_str(&want);

    first.len = (size_t)(strchr(first.ptr, '\n') - first.ptr) + 1;
    buf_add_str(&start, first);
    buf_addz(&start, "{\"prompt\":\"b\",\"doc_");
    disturb_everywhere("torn", buf_str(&start), STORE_FSYNC_INTERVAL, false, &want);
    buf_clear(&want);

    buf_reset(&start);
    buf_addz(&start, "{\"prompt\":\"c\",\"answer\":3,\"gen\":[\"old\"]}");
    remove_outputs();
    put(output, buf_str(&start));
    assert_true(work(STORE_FSYNC_NEVER, false));
    got = sorted_rows();
    disturb_everywhere("older tool", buf_str(&start), STORE_FSYNC_NEVER, false, &got);
    buf_clear(&got);
    buf_clear(&start);
}

TEST(a_repair)
{
    struct buf want = undisturbed_rows(), start = {0};
    struct str first = buf_str(&want);

    first.len = (size_t)(strchr(first.ptr, '\n') - first.ptr) + 1;
    buf_addz(&start, "nonsense\n");
    buf_add_str(&start, first);
    buf_addz(&start, "{\"half\":\n");
    disturb_everywhere("repair", buf_str(&start), STORE_FSYNC_ALWAYS, true, &want);
    buf_clear(&start);
    buf_clear(&want);
}

/* The disk is full: the error names the file, what was stored stays, the file ends in a whole line.
 */
TEST(a_full_disk)
{
    struct buf want = undisturbed_rows(), got;
    struct store_opts o = {
        .docs = docs, .n_samples = N_SAMPLES, .prompt_key = "prompt", .response_key = "gen"};
    struct gen_event reply;
    struct err e = ERR_INIT;
    struct store *s;
    char text[100];

    remove_outputs();
    s = store_open(output, &o, &e);
    assert_non_null(s);
    reply = reply_of(0, 0, text, sizeof(text));
    assert_true(store_append(s, 0, 0, &reply, &e));
    reply = reply_of(1, 0, text, sizeof(text));
    mode = MODE_FAIL;
    n_calls = 0;
    fatal_call = 1;
    assert_false(store_append(s, 1, 0, &reply, &e));
    mode = MODE_NONE;
    CHECK("names the file", strstr(e.msg, output));
    CHECK("and the cause", strstr(e.msg, "No space left"));
    CHECK("and the remedy",
          strstr(e.msg, "1 answers are safe; make room and run the same command again"));
    err_clear(&e);
    assert_false(store_append(s, 1, 0, &reply, &e)); /* it takes no more */
    err_clear(&e);
    assert_true(store_close(s, &e));
    got = sorted_rows();
    CHECK("one whole line", got.len > 0 && strchr(got.ptr, '\n') == got.ptr + got.len - 1);
    buf_clear(&got);
    check_all_rows("full disk", MODE_FAIL, 1, &want);
    buf_clear(&want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fresh_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_resumed_run, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repair, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
