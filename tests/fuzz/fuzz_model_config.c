/* Any JSON is a configuration within limits or one clear error; frequencies of what is accepted are
 * finite. A second value after a newline replaces the rope scaling, as an option would. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/json.h"
#include "model/config.h"
#include "model/rope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size}, first = text;
    ptrdiff_t cut = str_find_char(text, '\n', 0);
    struct err e = ERR_INIT, ignored = ERR_INIT;
    struct json *config, *scaling = NULL;
    struct model_config c;
    double f[256];

    if (cut >= 0) {
        first.len = (size_t)cut;
        scaling = json_parse((struct str){text.ptr + cut + 1, size - (size_t)cut - 1}, &ignored);
    }
    config = json_parse(first, &ignored);
    if (config && model_config_parse(config, scaling, &c, &e)) {
        if (c.head_dim < 2 || c.head_dim > 512 || c.n_heads % c.n_kv_heads != 0 ||
            model_config_max_len(&c) < 1)
            abort();
        if (!isfinite(rope_frequencies(&c, f)))
            abort();
        for (int i = 0; i < c.head_dim / 2; i++)
            if (!isfinite(f[i]))
                abort();
        e = ERR_INIT;
        if (!model_config_add_generation(config, &c, &e) && e.code == ERR_NONE)
            abort();
    } else if (config && e.code == ERR_NONE) {
        abort();
    }
    json_close(config);
    json_close(scaling);
    return 0;
}
