/* small_tokenizers.h - the tokenizers of tests/data/tokenizers/small, opened once for a fuzz
 * target. */
#pragma once

#include "base/arena.h"
#include "base/file.h"
#include "tokenizer/tokenizer.h"

static const char *const small_names[] = {"byte-level", "possessive",    "sentencepiece",
                                          "unigram",    "unigram-bytes", "decorated"};

/* The one that `which` picks. They live as long as the program, in a static so that leak checkers
 * see them. */
static inline const struct tokenizer *small_tokenizer(uint8_t which)
{
    static struct tokenizer *open[LEN(small_names)];
    size_t i = which % LEN(small_names);
    struct buf json = {0}, path = {0};
    struct err e = ERR_INIT;

    if (open[i])
        return open[i];
    buf_addf(&path, "%s/tokenizers/small/%s.json", TEST_DATA, small_names[i]);
    if (file_read(buf_z(&path), 0, &json, &e))
        open[i] = tokenizer_parse(buf_str(&json), (struct str){"", 0}, &e);
    if (!open[i]) {
        fprintf(stderr, "%s\n", e.msg);
        abort();
    }
    buf_clear(&path);
    buf_clear(&json);
    return open[i];
}
