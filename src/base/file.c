/* file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

static int open_for_reading(const char *path, struct stat *st, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        err_set_errno(e, "%s", path);
        return -1;
    }
    if (fstat(fd, st) != 0) {
        err_set_errno(e, "%s", path);
        close(fd);
        return -1;
    }
    if (S_ISDIR(st->st_mode)) {
        err_set(e, ERR_INPUT, "%s is a folder, not a file", path);
        close(fd);
        return -1;
    }
    return fd;
}

bool file_map_open(const char *path, struct file_map *m, struct err *e)
{
    struct stat st;
    int fd = open_for_reading(path, &st, e);
    void *p;

    *m = (struct file_map){"", 0};
    if (fd < 0)
        return false;
    if (st.st_size > 0) {
        p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            err_set_errno(e, "%s", path);
            close(fd);
            return false;
        }
        *m = (struct file_map){p, (size_t)st.st_size};
    }
    close(fd);
    return true;
}

void file_map_close(struct file_map *m)
{
    if (m->len)
        munmap((void *)(uintptr_t)m->ptr, m->len);
    *m = (struct file_map){"", 0};
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_read(const char *path, size_t max_bytes, struct buf *out, struct err *e)
{
    struct stat st;
    int fd = open_for_reading(path, &st, e);
    bool ok = true;
    ssize_t n;

    if (fd < 0)
        return false;
    for (;;) {
        if (max_bytes && out->len > max_bytes) {
            ok = err_set(e, ERR_INPUT, "%s is longer than %zu bytes", path, max_bytes);
            break;
        }
        if (!buf_reserve(out, 65536)) {
            ok = err_set(e, ERR_MEMORY, "%s is too large to read at once (%lld bytes)", path,
                         (long long)st.st_size);
            break;
        }
        n = read(fd, out->ptr + out->len, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = err_set_errno(e, "%s", path);
        if (n <= 0)
            break;
        out->len += (size_t)n;
        out->ptr[out->len] = '\0';
    }
    close(fd);
    return ok;
}

bool file_write_all(int fd, const char *path, struct str bytes, struct err *e)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(e, "%s: writing %zu bytes", path, bytes.len);
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

static bool sync_folder_of(const char *path, struct err *e)
{
    struct arena a;
    const char *slash = strrchr(path, '/');
    bool ok;
    int fd;

    arena_init(&a, 0);
    fd = open(slash ? arena_strndup(&a, path, (size_t)MAX(slash - path, 1)) : ".",
              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Some file systems refuse to sync a folder; the rename itself has been done by then. */
    ok = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS);
    if (!ok)
        err_set_errno(e, "the folder of %s", path);
    if (fd >= 0)
        close(fd);
    arena_clear(&a);
    return ok;
}

bool file_replace(const char *path, struct str bytes, struct err *e)
{
    struct arena a;
    const char *temp;
    bool ok = false;
    int fd;

    arena_init(&a, 0);
    temp = str_fmt(&a, "%s.tmp.%ld", path, (long)getpid()).ptr;
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        err_set_errno(e, "%s", temp);
        goto out;
    }
    ok = file_write_all(fd, temp, bytes, e);
    if (ok && fsync(fd) != 0)
        ok = err_set_errno(e, "%s", temp);
    if (close(fd) != 0 && ok)
        ok = err_set_errno(e, "%s", temp);
    if (ok && rename(temp, path) != 0)
        ok = err_set_errno(e, "%s", path);
    if (!ok)
        unlink(temp);
    ok = ok && sync_folder_of(path, e);
out:
    arena_clear(&a);
    return ok;
}

bool file_mkdirs(const char *path, struct err *e)
{
    char *copy = xstrdup(path);
    bool ok = true;

    for (char *p = copy + 1; ok && copy[0] && *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            ok = err_set_errno(e, "%s", copy);
        *p = '/';
    }
    if (ok && mkdir(copy, 0777) != 0 && errno != EEXIST)
        ok = err_set_errno(e, "%s", copy);
    free(copy);
    return ok;
}

bool file_mkdirs_parent(const char *file_path, struct err *e)
{
    const char *slash = strrchr(file_path, '/');
    char *folder;
    bool ok;

    if (!slash || slash == file_path)
        return true;
    folder = xstrdup(file_path);
    folder[slash - file_path] = '\0';
    ok = file_mkdirs(folder, e);
    free(folder);
    return ok;
}

const char *path_join(struct arena *a, const char *dir, const char *name)
{
    size_t n = strlen(dir);

    if (name[0] == '/' || n == 0)
        return arena_strndup(a, name, strlen(name));
    return str_fmt(a, "%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name).ptr;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}
