/* fuzz_compare.c - two answers, apart at the first newline. The verdict has a reason, and the same
 * pair has the same verdict when asked again. */
#include "math/compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size}, gold = all, pred = all;
    ptrdiff_t cut = str_find_char(all, '\n', 0);
    struct math_ctx *c = math_ctx_open();
    struct math_opts opts = math_opts_default();
    struct math_verdict first, second;
    struct arena a;

    if (cut >= 0) {
        gold = str_slice(all, 0, (size_t)cut);
        pred = str_slice(all, (size_t)cut + 1, size);
    }
    opts.rename_variables = size % 5 == 0;
    opts.precision = size % 7 == 0 ? 3 : -1;
    math_compare(c, gold, pred, &opts, &first);
    if (!*first.reason)
        abort();
    enum math_result result = first.result;
    const char *reason = first.reason;
    math_compare(c, gold, pred, &opts, &second);
    if (second.result != result || second.reason != reason)
        abort();
    arena_init(&a, 0);
    math_key(c, pred, &a);
    math_parses(c, gold);
    arena_clear(&a);
    math_ctx_close(c);
    return 0;
}
