/* fuzz_tokenizer_json.c - any bytes as tokenizer.json: one clear error, or a tokenizer that works.
 */
#include <assert.h>

#include "tokenizer/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct tokenizer *t, struct str text, unsigned flags)
{
    struct token_buf ids = {0};
    struct buf out = {0};
    struct err e = ERR_INIT;

    if (tokenizer_encode(t, text, flags, &ids, &e)) {
        for (size_t i = 0; i < ids.n; i++)
            assert(tokenizer_content(t, ids.ids[i]).len > 0 ||
                   tokenizer_find(t, STR("")) == ids.ids[i]);
        if (tokenizer_decode(t, ids.ids, ids.n, flags == ENCODE_TEXT, &out, &e))
            assert(utf8_valid(buf_str(&out)));
    }
    buf_clear(&out);
    token_buf_clear(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = {
        "",
        "the Caf\xC3\xA9 <s>  a1234567",
        "\xE4\xBD\xA0\xE5\xA5\xBD\n\n ab\xF0\x9F\x98\x80 word's",
        "e\xCC\x81 \xE2\x96\x81\xE2\x96\x81 \t\r\n<0x41>",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    struct err e = ERR_INIT;
    struct tokenizer *t =
        tokenizer_parse((struct str){(const char *)data, size}, (struct str){"", 0}, &e);

    if (!t) {
        assert(e.code != ERR_NONE && e.msg[0]);
        return 0;
    }
    for (size_t i = 0; i < LEN(texts); i++) {
        use(t, STR(texts[i]), ENCODE_TEXT);
        use(t, STR(texts[i]), ENCODE_PARSE_SPECIAL | ENCODE_ADD_SPECIAL);
    }
    tokenizer_close(t);
    return 0;
}
