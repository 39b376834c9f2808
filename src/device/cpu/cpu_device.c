/* cpu_device.c - memory, the choice of a kernel set, and the vtable. */
#include "device/cpu/cpu_device.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/num.h"

enum { HUGE_PAGE = 2 << 20 };

const struct cpu_kernels *const cpu_kernel_sets[] = {
#if defined(__x86_64__)
    &kernels_amx_bf16,
    &kernels_avx512_bf16,
    &kernels_avx512,
    &kernels_avx2,
#endif
    &kernels_plain, /* last: always there */
    NULL,
};

const struct cpu_kernels *cpu_kernels_find(const char *name, struct err *e)
{
    char known[128] = "";
    size_t len = 0;
    bool any = !name || name[0] == '\0' || strcmp(name, "auto") == 0;

    for (int i = 0; cpu_kernel_sets[i]; i++) {
        const struct cpu_kernels *k = cpu_kernel_sets[i];

        if (!k->is_supported()) {
            if (!any && strcmp(name, k->name) == 0) {
                err_set(e, ERR_UNSUPPORTED, "this CPU lacks the instructions of cpu_isa %s", name);
                return NULL;
            }
            continue;
        }
        if (any || strcmp(name, k->name) == 0)
            return k;
        len += (size_t)snprintf(known + len, sizeof(known) - len, " %s", k->name);
    }
    err_set(e, ERR_INPUT, "unknown cpu_isa \"%s\"; this CPU has:%s", name, known);
    return NULL;
}

/* What is mapped for n_bytes: where more than half of the last huge page would be used, all of it.
 */
static size_t mapped_bytes(size_t n_bytes)
{
    size_t page = n_bytes % HUGE_PAGE >= HUGE_PAGE / 2 ? HUGE_PAGE : 4096;

    return (MAX(n_bytes, 1) + page - 1) / page * page;
}

/* Begins at a huge page, so that as much as possible lies in such: 4 KiB pages stop the processor's
 * prefetcher at each of their ends, and their entries do not fit its tables. */
struct device_mem *cpu_alloc(size_t n_bytes, struct err *e)
{
    size_t size = mapped_bytes(n_bytes), before;
    struct device_mem *m;
    char *ptr;

    if (n_bytes > SIZE_MAX / 2) {
        err_set(e, ERR_MEMORY, "cannot map %zu bytes of memory", n_bytes);
        return NULL;
    }
    ptr = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ptr == MAP_FAILED) {
        err_set(e, ERR_MEMORY, "cannot map %zu bytes of memory", n_bytes);
        return NULL;
    }
    before = (HUGE_PAGE - (uintptr_t)ptr % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(ptr, before);
    ptr += before;
    munmap(ptr + size, HUGE_PAGE - before);
    if (size >= HUGE_PAGE)
        (void)madvise(ptr, size / HUGE_PAGE * HUGE_PAGE,
                      MADV_HUGEPAGE); /* advice: it works without */
    m = xcalloc(1, sizeof(*m));
    *m = (struct device_mem){ptr, MAX(n_bytes, 1)};
    return m;
}

void cpu_release(struct device_mem *m)
{
    if (!m)
        return;
    munmap(m->ptr, mapped_bytes(m->n_bytes));
    free(m);
}

void *cpu_ptr(const struct tensor *t)
{
    return t->mem->ptr + t->offset;
}

static struct device_mem *alloc(struct device *d UNUSED, size_t n_bytes, struct err *e)
{
    return cpu_alloc(n_bytes, e);
}

static void release(struct device *d UNUSED, struct device_mem *m)
{
    cpu_release(m);
}

/* The value of a "Key:   n kB" line of /proc/meminfo in bytes; false: no such line. */
static bool meminfo(struct str text, const char *key, size_t *n_bytes)
{
    ptrdiff_t at = str_find(text, STR(key), 0);
    struct str line, field;
    int64_t kib;

    if (at < 0)
        return false;
    line = str_trim(str_slice(text, (size_t)at + strlen(key), text.len));
    if (!str_cut(&line, ' ', &field) || !parse_i64(field, &kib) || kib < 0)
        return false;
    *n_bytes = (size_t)kib * 1024;
    return true;
}

/* One number in a file of the cgroup; false: no file, or "max". */
static bool cgroup_number(const char *path, size_t *n)
{
    struct buf b = {0};
    struct err ignored = ERR_INIT;
    int64_t v;
    bool ok = file_exists(path) && file_read(path, 4096, &b, &ignored) &&
              parse_i64(str_trim(buf_str(&b)), &v) && v >= 0;

    if (ok)
        *n = (size_t)v;
    buf_clear(&b);
    return ok;
}

static bool memory(struct device *d UNUSED, size_t *n_free, size_t *n_total, struct err *e)
{
    struct buf b = {0};
    size_t limit, used;
    bool ok;

    if (!file_read("/proc/meminfo", 1 << 20, &b, e))
        return false;
    ok =
        meminfo(buf_str(&b), "MemAvailable:", n_free) && meminfo(buf_str(&b), "MemTotal:", n_total);
    buf_clear(&b);
    if (!ok)
        return err_set(e, ERR_IO, "/proc/meminfo does not say MemAvailable and MemTotal");
    if (cgroup_number("/sys/fs/cgroup/memory.max", &limit) &&
        cgroup_number("/sys/fs/cgroup/memory.current", &used)) {
        *n_free = MIN(*n_free, limit > used ? limit - used : 0);
        *n_total = MIN(*n_total, limit);
    }
    return true;
}

static bool upload(struct device *d UNUSED, const struct tensor *dst, const void *src,
                   struct err *e UNUSED)
{
    size_t n = (size_t)dst->dim[1] * dtype_size(dst->dtype),
           step = (size_t)dst->row * dtype_size(dst->dtype);

    if (dst->rank == 1) {
        memcpy(cpu_ptr(dst), src, (size_t)dst->dim[0] * dtype_size(dst->dtype));
        return true;
    }
    for (int64_t i = 0; i < dst->dim[0]; i++)
        memcpy((char *)cpu_ptr(dst) + (size_t)i * step, (const char *)src + (size_t)i * n, n);
    return true;
}

static bool download(struct device *d UNUSED, void *dst, const struct tensor *src,
                     struct err *e UNUSED)
{
    size_t n = (size_t)src->dim[1] * dtype_size(src->dtype),
           step = (size_t)src->row * dtype_size(src->dtype);

    if (src->rank == 1) {
        memcpy(dst, cpu_ptr(src), (size_t)src->dim[0] * dtype_size(src->dtype));
        return true;
    }
    for (int64_t i = 0; i < src->dim[0]; i++)
        memcpy((char *)dst + (size_t)i * n, (const char *)cpu_ptr(src) + (size_t)i * step, n);
    return true;
}

static void *host_ptr(struct device *d UNUSED, const struct tensor *t)
{
    return cpu_ptr(t);
}

static bool sync_now(struct device *d UNUSED, struct err *e UNUSED)
{
    return true;
}

static void *stream(struct device *d UNUSED)
{
    return NULL;
}

static bool reserve(struct device *d, const struct device_limits *l, struct err *e)
{
    struct cpu_device *c = (struct cpu_device *)d;

    c->limits = *l;
    return cpu_reserve_linear(c, e) && cpu_reserve_attention(c, e);
}

static void close_device(struct device *d)
{
    struct cpu_device *c = (struct cpu_device *)d;

    if (!c)
        return;
    cpu_release_attention(c);
    cpu_release(c->packed_x);
    cpu_release(c->gate_up);
    pool_close(c->pool);
    free((void *)c->base.numerics);
    free(c);
}

static struct device *open_device(const struct device_opts *o, struct err *e)
{
    struct cpu_device *c = xcalloc(1, sizeof(*c));
    char name[96];

    c->base.ops = &device_cpu;
    c->base.compute = o->compute;
    c->kernels = cpu_kernels_find(o->cpu_isa, e);
    if (!c->kernels)
        goto fail;
    c->pool = pool_open(o->n_threads, e);
    if (!c->pool)
        goto fail;
    c->base.n_threads = pool_size(c->pool);
    snprintf(name, sizeof(name), "cpu %s %s", c->kernels->name, dtype_name(o->compute));
    c->base.numerics = xstrdup(name);
    return &c->base;

fail:
    close_device(&c->base);
    return NULL;
}

const struct device_ops device_cpu = {
    .name = "cpu",
    .open = open_device,
    .close = close_device,
    .memory = memory,
    .alloc = alloc,
    .release = release,
    .upload = upload,
    .download = download,
    .host_ptr = host_ptr,
    .sync = sync_now,
    .stream = stream,
    .reserve = reserve,
    .pack = cpu_pack,
    .unpack = cpu_unpack,
    .weight_bytes = cpu_weight_bytes,
    .kv_bytes = cpu_kv_bytes,
    .begin_step = cpu_begin_step,
    .embed = cpu_embed,
    .gather_rows = cpu_gather_rows,
    .scatter_rows = cpu_scatter_rows,
    .linear = cpu_linear,
    .rms_norm = cpu_rms_norm,
    .add_rms_norm = cpu_add_rms_norm,
    .rotate_store = cpu_rotate_store,
    .attend_paged = cpu_attend_paged,
    .linear_silu_mul = cpu_linear_silu_mul,
    .copy_blocks = cpu_copy_blocks,
};
