/* sse.c - a line splitter that survives any cut, and the few field rules of the standard. */
#include "net/sse.h"

void sse_write(struct buf *out, struct str data)
{
    struct str line;

    while (data.len > 0 && memchr(data.ptr, '\n', data.len)) {
        size_t n = (size_t)((const char *)memchr(data.ptr, '\n', data.len) - data.ptr);

        line = str_slice(data, 0, n);
        buf_add(out, "data: ", 6);
        buf_add_str(out, line);
        buf_addc(out, '\n');
        data = str_slice(data, n + 1, data.len);
    }
    buf_add(out, "data: ", 6);
    buf_add_str(out, data);
    buf_add(out, "\n\n", 2);
}

void sse_reader_init(struct sse_reader *r, size_t max_bytes)
{
    *r = (struct sse_reader){.max_bytes = max_bytes ? max_bytes : (size_t)64 << 20};
    buf_init(&r->line, r->max_bytes);
    buf_init(&r->data, r->max_bytes);
}

void sse_reader_clear(struct sse_reader *r)
{
    buf_clear(&r->line);
    buf_clear(&r->data);
}

bool sse_reader_is_clean(const struct sse_reader *r)
{
    return r->line.len == 0 && (!r->has_data || r->is_delivered);
}

/* The offset of the first LF or CR, or bytes.len. */
static size_t line_end(struct str bytes)
{
    const char *lf = memchr(bytes.ptr, '\n', bytes.len);
    size_t n = lf ? (size_t)(lf - bytes.ptr) : bytes.len;
    const char *cr = memchr(bytes.ptr, '\r', n);

    return cr ? (size_t)(cr - bytes.ptr) : n;
}

/* One line without its end. True: it was blank and an event is whole. */
static bool take_line(struct sse_reader *r, struct str line)
{
    ptrdiff_t colon;
    struct str field, value;

    if (line.len == 0)
        return r->has_data;
    colon = str_find_char(line, ':', 0);
    field = colon < 0 ? line : str_slice(line, 0, (size_t)colon);
    value = colon < 0 ? STR("") : str_slice(line, (size_t)colon + 1, line.len);
    if (!str_eqz(field, "data"))
        return false;
    if (value.len > 0 && value.ptr[0] == ' ')
        value = str_slice(value, 1, value.len);
    if (r->has_data)
        buf_addc(&r->data, '\n');
    buf_add_str(&r->data, value);
    r->has_data = true;
    return false;
}

bool sse_next(struct sse_reader *r, struct str *bytes, struct str *data)
{
    if (r->is_delivered) {
        buf_reset(&r->data);
        r->has_data = r->is_delivered = false;
    }
    while (bytes->len > 0 && !r->failed) {
        size_t n;
        bool whole;

        if (r->skip_lf && bytes->ptr[0] == '\n') {
            *bytes = str_slice(*bytes, 1, bytes->len);
            r->skip_lf = false;
            continue;
        }
        r->skip_lf = false;
        n = line_end(*bytes);
        if (n == bytes->len || r->line.len > 0)
            buf_add(&r->line, bytes->ptr, n);
        if (n == bytes->len) {
            *bytes = str_slice(*bytes, n, n);
            r->failed = r->line.failed;
            break;
        }
        whole = take_line(r, r->line.len > 0 ? buf_str(&r->line) : str_slice(*bytes, 0, n));
        r->failed = r->line.failed || r->data.failed;
        r->skip_lf = bytes->ptr[n] == '\r';
        *bytes = str_slice(*bytes, n + 1, bytes->len);
        buf_reset(&r->line);
        if (whole && !r->failed) {
            r->is_delivered = true;
            *data = buf_str(&r->data);
            return true;
        }
    }
    return false;
}
