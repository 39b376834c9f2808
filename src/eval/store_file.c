/* store_file.c - see store_file.h.
 *
 * Order of a repair: the damaged lines are copied away and synced, the good ones written to a file
 * beside this one and synced, that file is locked and renamed over this one. A crash at any point
 * leaves the old file or the new one. */
#include "eval/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"

enum { BLOCK = 1 << 20 };

/* The process that holds the file's lock, from /proc/locks; 0: not to be found. */
static long lock_holder(int fd)
{
    struct buf text = {0};
    struct err ignored = ERR_INIT;
    struct stat st;
    struct str rest, line;
    long pid = 0;

    if (fstat(fd, &st) != 0 || !file_read("/proc/locks", 0, &text, &ignored)) {
        buf_clear(&text);
        return 0;
    }
    rest = buf_str(&text);
    while (pid == 0 && str_cut(&rest, '\n', &line)) {
        char z[256], kind[16];
        unsigned dev_major, dev_minor;
        unsigned long inode;
        long holder;

        snprintf(z, sizeof(z), STR_FMT, STR_ARG(line));
        if (sscanf(z, "%*d: %15s %*s %*s %ld %x:%x:%lu", kind, &holder, &dev_major, &dev_minor,
                   &inode) == 5 &&
            strcmp(kind, "FLOCK") == 0 && inode == st.st_ino)
            pid = holder;
    }
    buf_clear(&text);
    return pid;
}

static bool take_lock(int fd, const char *path, struct err *e)
{
    long pid;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno != EWOULDBLOCK)
        return err_set_errno(e, "%s: cannot be locked", path);
    pid = lock_holder(fd);
    if (pid > 0)
        return err_set(e, ERR_BUSY,
                       "%s: process %ld is writing this file; wait for it, stop it, or name "
                       "another --output_file",
                       path, pid);
    return err_set(e, ERR_BUSY,
                   "%s: another process is writing this file; wait for it, stop it, or name "
                   "another --output_file",
                   path);
}

/* Whether the path still leads to the open file: a repair elsewhere may have put another in its
 * place. */
static bool is_same_file(int fd, const char *path)
{
    struct stat open_one, named;

    return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
           open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev;
}

bool store_file_open(struct store_file *f, const char *path, struct err *e)
{
    struct stat st;

    *f = (struct store_file){.fd = -1, .path = xstrdup(path)};
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(e, ERR_INPUT, "%s is not a plain file; name a file with --output_file",
                       path);
    if (!file_mkdirs_parent(path, e))
        return false;
    f->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        err_set_errno(e, "%s: cannot be written", path);
        if (errno == EACCES || errno == EROFS || errno == EPERM)
            err_prefix(e, "choose an --output_file in a folder that you may write to");
        return false;
    }
    if (!take_lock(f->fd, path, e))
        return false;
    if (!is_same_file(f->fd, path))
        return err_set(e, ERR_BUSY, "%s: another process has just replaced this file; try again",
                       path);
    if (fstat(f->fd, &st) != 0)
        return err_set_errno(e, "%s", path);
    f->n_bytes = st.st_size;
    return true;
}

void store_file_close(struct store_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    *f = (struct store_file){.fd = -1};
}

/* The lines of a block, the last of which may go on in the next: what is left is moved to
 * `partial`. */
static bool visit_lines(struct str block, struct buf *partial, struct store_line *line,
                        store_file_visit *visit, void *ctx, struct err *e)
{
    while (block.len > 0) {
        ptrdiff_t end = str_find_char(block, '\n', 0);
        struct str head = str_slice(block, 0, end < 0 ? block.len : (size_t)end);

        if (end < 0 || partial->len > 0)
            buf_add_str(partial, head);
        if (partial->failed)
            return err_set(e, ERR_INPUT, "line %zu is longer than %d bytes", line->line_no,
                           STORE_MAX_LINE_BYTES);
        if (end < 0)
            return true;
        line->text = partial->len > 0 ? buf_str(partial) : head;
        if (!visit(ctx, line, e))
            return false;
        line->offset += (int64_t)line->text.len + 1;
        line->line_no++;
        buf_reset(partial);
        block = str_slice(block, (size_t)end + 1, block.len);
    }
    return true;
}

bool store_file_each(struct store_file *f, store_file_visit *visit, void *ctx, struct err *e)
{
    struct store_line line = {.line_no = 1};
    struct buf partial;
    char *block = xmalloc(BLOCK);
    int64_t at = 0;
    bool ok = true;

    buf_init(&partial, STORE_MAX_LINE_BYTES);
    while (ok) {
        ssize_t n = pread(f->fd, block, BLOCK, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = err_set_errno(e, "%s: cannot be read", f->path);
        if (n <= 0)
            break;
        at += n;
        ok = visit_lines((struct str){block, (size_t)n}, &partial, &line, visit, ctx, e);
    }
    if (ok && partial.len > 0) {
        line.text = buf_str(&partial);
        line.is_last = true;
        ok = visit(ctx, &line, e);
    }
    buf_clear(&partial);
    free(block);
    return ok;
}

bool store_file_append(struct store_file *f, struct str line, struct err *e)
{
    int64_t before = f->n_bytes;

    if (f->is_broken)
        return err_set(e, ERR_IO, "%s: an earlier write failed", f->path);
    if (file_write_all(f->fd, f->path, line, e)) {
        f->n_bytes += (int64_t)line.len;
        return true;
    }
    f->is_broken = true;
    if (ftruncate(f->fd, before) != 0)
        err_prefix(e, "the torn last line stays until the next run cuts it");
    return false;
}

bool store_file_cut(struct store_file *f, int64_t n_bytes, struct err *e)
{
    if (ftruncate(f->fd, n_bytes) != 0)
        return err_set_errno(e, "%s: the torn last line cannot be cut", f->path);
    f->n_bytes = n_bytes;
    return true;
}

bool store_file_sync(struct store_file *f, struct err *e)
{
    if (fdatasync(f->fd) == 0 || errno == EINVAL ||
        errno == EROFS) /* EINVAL: a pipe or /dev/null */
        return true;
    f->is_broken = true;
    return err_set_errno(e, "%s: cannot be flushed to the disk", f->path);
}

/* Copies n bytes from offset of one file to the end of another. */
static bool copy_span(const struct store_file *from, int64_t offset, int64_t n_bytes, int to,
                      const char *to_path, struct err *e)
{
    char *block = xmalloc(BLOCK);
    bool ok = true;

    while (ok && n_bytes > 0) {
        ssize_t n = pread(from->fd, block, (size_t)MIN(n_bytes, BLOCK), offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            ok = n < 0 ? err_set_errno(e, "%s: cannot be read", from->path)
                       : err_set(e, ERR_IO, "%s: became shorter while it was read", from->path);
        else
            ok = file_write_all(to, to_path, (struct str){block, (size_t)n}, e);
        offset += n;
        n_bytes -= n;
    }
    free(block);
    return ok;
}

static int open_beside(const struct store_file *f, const char *suffix, int flags, char **path,
                       struct err *e)
{
    struct buf name = {0};
    int fd;

    buf_addf(&name, "%s%s", f->path, suffix);
    *path = name.ptr;
    fd = open(name.ptr, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (fd < 0)
        err_set_errno(e, "%s: cannot be written", name.ptr);
    return fd;
}

static bool save_damaged(struct store_file *f, const struct store_span *spans, int n_spans,
                         struct err *e)
{
    char *path;
    int fd = open_beside(f, ".damaged", O_APPEND, &path, e);
    bool ok = fd >= 0;

    for (int i = 0; ok && i < n_spans; i++)
        ok = copy_span(f, spans[i].offset, spans[i].n_bytes, fd, path, e);
    if (ok && fsync(fd) != 0)
        ok = err_set_errno(e, "%s", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return ok;
}

static bool copy_rest(struct store_file *f, const struct store_span *spans, int n_spans, int to,
                      const char *to_path, struct err *e)
{
    int64_t at = 0;

    for (int i = 0; i < n_spans; i++) {
        if (!copy_span(f, at, spans[i].offset - at, to, to_path, e))
            return false;
        at = spans[i].offset + spans[i].n_bytes;
    }
    return copy_span(f, at, f->n_bytes - at, to, to_path, e);
}

/* Puts the finished file at fd, <path><suffix>, in the store's place and takes it over with its
 * lock. */
static bool take_over(struct store_file *f, int fd, const char *path, bool ok, struct err *e)
{
    struct store_file renewed = {.fd = -1};

    if (ok && fsync(fd) != 0)
        ok = err_set_errno(e, "%s", path);
    if (fd >= 0)
        close(fd);
    ok = ok && store_file_open(&renewed, path, e);
    if (ok && rename(path, f->path) != 0)
        ok = err_set_errno(e, "%s: cannot be renamed to %s", path, f->path);
    if (!ok) {
        store_file_close(&renewed);
        unlink(path);
        return false;
    }
    close(f->fd);
    f->fd = renewed.fd;
    f->n_bytes = renewed.n_bytes;
    free(renewed.path);
    return true;
}

bool store_file_remove(struct store_file *f, const struct store_span *spans, int n_spans,
                       struct err *e)
{
    char *path = NULL;
    int fd;
    bool ok;

    if (!save_damaged(f, spans, n_spans, e))
        return false;
    fd = open_beside(f, ".repaired", O_TRUNC, &path, e);
    ok = fd >= 0 && copy_rest(f, spans, n_spans, fd, path, e);
    ok = take_over(f, fd, path, ok, e);
    free(path);
    return ok;
}

bool store_file_keep(struct store_file *f, const struct store_span *spans, int64_t n_spans,
                     struct err *e)
{
    char *path = NULL;
    int fd = open_beside(f, ".ordered", O_TRUNC, &path, e);
    bool ok = fd >= 0;

    for (int64_t i = 0; ok && i < n_spans; i++)
        ok = copy_span(f, spans[i].offset, spans[i].n_bytes, fd, path, e);
    ok = take_over(f, fd, path, ok, e);
    free(path);
    return ok;
}
