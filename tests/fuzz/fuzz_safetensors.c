/* Any bytes are a safetensors file or one clear error; what is accepted can be read to its last
 * byte. */
#include <stddef.h>
#include <stdint.h>

#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct safetensors *s = safetensors_parse((struct str){(const char *)data, size}, "fuzz", &e);
    unsigned sum = 0;

    if (!s) {
        if (e.code == ERR_NONE || e.msg[0] == '\0')
            abort();
        return 0;
    }
    for (int i = 0; i < safetensors_count(s); i++) {
        const struct safetensors_entry *t = safetensors_at(s, i);

        for (size_t j = 0; j < t->n_bytes; j++)
            sum += (unsigned char)t->data[j];
        for (int d = 0; d < t->rank; d++)
            if (t->shape[d] < 0)
                abort();
    }
    if (safetensors_count(s) == 0 && sum != 0) /* every byte was read to get here */
        abort();
    safetensors_close(s);
    return 0;
}
