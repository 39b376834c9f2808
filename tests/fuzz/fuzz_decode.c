/* fuzz_decode.c - any ids through the decoders of the small tokenizers: two bytes each, after one
 * that picks the tokenizer. Token by token gives what the whole gives, and never half a character.
 */
#include <assert.h>

#include "small_tokenizers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tokenizer *t;
    struct token_buf ids = {0};
    struct buf whole = {0}, stream = {0};
    struct err e = ERR_INIT;
    struct detok d;
    bool skip;

    if (size < 1)
        return 0;
    t = small_tokenizer(data[0] & 15);
    skip = data[0] & 16;
    for (size_t i = 1; i + 1 < size; i += 2)
        token_buf_add(&ids,
                      (int32_t)((data[i] | data[i + 1] << 8) % (tokenizer_vocab_size(t) + 3)) - 1);
    assert(tokenizer_decode(t, ids.ids, ids.n, skip, &whole, &e));
    assert(utf8_valid(buf_str(&whole)));
    detok_init(&d, t, skip);
    for (int round = 0; round < 2; round++) { /* a detok is ready again after finish */
        buf_reset(&stream);
        for (size_t i = 0; i < ids.n; i++) {
            size_t was = stream.len;

            assert(detok_add(&d, ids.ids[i], &stream, &e));
            assert(utf8_valid((struct str){buf_z(&stream) + was, stream.len - was}));
        }
        assert(detok_finish(&d, &stream, &e));
        assert(str_eq(buf_str(&stream), buf_str(&whole)));
    }
    detok_clear(&d);
    token_buf_clear(&ids);
    buf_clear(&whole);
    buf_clear(&stream);
    return 0;
}
