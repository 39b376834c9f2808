/* Files: whole reads, atomic replacement that survives a failing disk, folders.
 *
 * link-wrap: write fsync rename */
#include "test.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

static const char *failing; /* the call that fails with ENOSPC, or NULL */

ssize_t __real_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);

static bool fails(const char *call)
{
    if (!failing || strcmp(failing, call) != 0)
        return false;
    errno = ENOSPC;
    return true;
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    if (fd > 2 && fails("write"))
        return -1;
    return __real_write(fd, p, fd > 2 && n > 3 ? 3 : n); /* short writes must be continued */
}

int __wrap_fsync(int fd)
{
    return fails("fsync") ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : __real_rename(from, to);
}

TEST(a_replacement_is_whole_or_absent)
{
    static const char *const calls[] = {"write", "fsync", "rename"};
    char dir[] = "/tmp/llmeval-test-XXXXXX";
    struct arena a;
    struct err e = ERR_INIT;
    struct buf got = {0};
    const char *path;

    assert_non_null(mkdtemp(dir));
    arena_init(&a, 0);
    path = path_join(&a, dir, "deep/er/file.json");
    CHECK_OK("folders", file_mkdirs_parent(path, &e), &e);
    CHECK_OK("first", file_replace(path, STR("old contents"), &e), &e);
    for (size_t i = 0; i < LEN(calls); i++) {
        failing = calls[i];
        CHECK(calls[i], !file_replace(path, STR("new contents"), &e));
        CHECK(calls[i], strstr(e.msg, "No space left") && strstr(e.msg, "file.json"));
        failing = NULL;
        err_clear(&e);
        buf_reset(&got);
        CHECK_OK("read", file_read(path, 0, &got, &e), &e);
        CHECK_STR(calls[i], buf_str(&got), STR("old contents"));
    }
    CHECK_OK("second", file_replace(path, STR("new contents"), &e), &e);
    buf_reset(&got);
    CHECK_OK("read", file_read(path, 0, &got, &e), &e);
    CHECK_STR("new", buf_str(&got), STR("new contents"));
    err_clear(&e);
    CHECK("limit", !file_read(path, 5, &got, &e) && strstr(e.msg, "longer than 5 bytes"));
    err_clear(&e);
    CHECK("folder", !file_read(dir, 0, &got, &e) && strstr(e.msg, "is a folder"));
    err_clear(&e);
    CHECK("missing",
          !file_read("/nowhere/x", 0, &got, &e) && strstr(e.msg, "/nowhere/x: No such file"));
    buf_clear(&got);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_replacement_is_whole_or_absent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
