/* Bytes of a server, as a stream and as a body, whole and in two pieces: the pieces must not
 * matter. */
#include <assert.h>

#include "generator/generator_remote_policy.h"
#include "generator/generator_remote_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_in_pieces(struct remote_reply *r, bool is_stream, struct str body, size_t cut,
                           bool *ok)
{
    struct http_head head = {200, is_stream};

    remote_reply_init(r);
    *ok = remote_reply_take(r, &head, str_slice(body, 0, cut)) &&
          remote_reply_take(r, &head, str_slice(body, cut, body.len)) &&
          remote_reply_end(r, &head, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str body;
    size_t cut;
    bool is_stream;
    struct buf words = {0};
    int a, b;

    if (size < 3)
        return 0;
    is_stream = data[0] & 1;
    cut = (data[1] | (size_t)data[2] << 8) % (size - 2);
    body = (struct str){(const char *)data + 3, size - 3};
    {
        struct remote_reply whole, pieces;
        bool ok_whole, ok_pieces;

        read_in_pieces(&whole, is_stream, body, 0, &ok_whole);
        read_in_pieces(&pieces, is_stream, body, cut, &ok_pieces);
        assert(ok_whole == ok_pieces);
        assert(whole.fail_class == pieces.fail_class);
        assert(!ok_whole || str_eq(buf_str(&whole.text), buf_str(&pieces.text)));
        assert(!ok_whole || utf8_valid(buf_str(&whole.text)));
        remote_reply_clear(&whole);
        remote_reply_clear(&pieces);
    }
    remote_error_text(body, &words);
    remote_context_numbers(body, 32768, &a, &b);
    assert(a >= 0 && b >= 0);
    buf_clear(&words);
    return 0;
}
