/* Lines of result files: the scanner and the tree reader must agree on what is JSON, and no line
 * may crash. */
#include <assert.h>

#include "eval/store_row.h"
#include "formats/json.h"
#include "formats/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct err e = ERR_INIT;
    struct json *tree = json_parse(text, &e);
    struct store_row row;
    struct json_scan s = json_scan(text);
    struct buf plain = {0};
    const char *fault = NULL;
    bool is_valid = json_scan_valid(text, NULL, &fault);

    assert(is_valid == (fault == NULL));
    assert(!tree || is_valid ||
           memchr(text.ptr, 0, text.len)); /* the tree reader stops at a zero after a number */
    if (!tree &&
        is_valid) /* only the tree reader refuses doubled keys, and what no memory could hold */
        assert(strstr(e.msg, "uplicate") || strstr(e.msg, "overflow") || strstr(e.msg, "big"));
    while (json_scan_next(&s))
        json_raw_str(s.value, &plain);
    if (s.close)
        assert((s.fault == NULL) == is_valid);
    if (store_row_read(text, "prompt", "gen", &row, &fault) && !row.has_error)
        json_raw_str(store_row_text(row.gen), &plain);
    assert(utf8_valid(buf_str(&plain)));
    buf_clear(&plain);
    json_close(tree);
    return 0;
}
