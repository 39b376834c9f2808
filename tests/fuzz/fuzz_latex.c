/* fuzz_latex.c - any bytes through cleaning, tokens, the parser and the printer. The first byte
 * picks the reading. */
#include "math/latex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct expr_pool pool = {.arena = &a};
    struct latex_reading r = {0};
    struct str clean;
    struct expr *e;
    const char *why = "";

    if (size == 0 || size > 1 << 17)
        return 0;
    r.comma_is_list = data[0] & 1;
    r.comma_is_decimal = data[0] & 2;
    r.j_is_unit = data[0] & 4;
    r.letter_is_unit = data[0] & 8;
    arena_init(&a, 0);
    clean = latex_clean(&a, (struct str){(const char *)data + 1, size - 1});
    latex_plain(&a, clean);
    e = latex_parse(&pool, clean, &r, &why);
    if (e && !pool.is_full) {
        if (e->depth > EXPR_MAX_DEPTH)
            abort();
        expr_form(&a, e);
    } else if (!e && !*why) {
        abort(); /* a refusal without a reason */
    }
    arena_clear(&a);
    return 0;
}
