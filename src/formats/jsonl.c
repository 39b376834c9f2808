/* jsonl.c - see jsonl.h. */
#include "formats/jsonl.h"

void jsonl_init(struct jsonl *it, struct str bytes)
{
    *it = (struct jsonl){.rest = bytes};
}

bool jsonl_next(struct jsonl *it, struct str *line)
{
    while (it->rest.len > 0) {
        ptrdiff_t end = str_find_char(it->rest, '\n', 0);
        size_t n = end < 0 ? it->rest.len : (size_t)end;
        struct str raw = str_slice(it->rest, 0, n);

        it->is_torn = end < 0;
        it->offset = it->n_consumed;
        it->n_consumed += n + (end >= 0);
        it->rest = str_slice(it->rest, n + (end >= 0), it->rest.len);
        it->line_no++;
        if (str_ends(raw, "\r"))
            raw.len--;
        if (str_trim(raw).len == 0)
            continue;
        *line = raw;
        return true;
    }
    return false;
}
