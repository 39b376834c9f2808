/* random_text.h - random strings that look like what models read: words, numbers, blanks of all
 * kinds, scripts, marks, emoji, pieces of special tokens. The same seed gives the same strings. */
#pragma once

#include <utf8proc.h>

#include "base/str.h"

struct random_text {
    uint64_t state;
};

static inline uint32_t random_below(struct random_text *r, uint32_t n)
{
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((r->state >> 32) * n) >> 32);
}

/* utf8proc 2.8 knows Unicode 15, PCRE2 10.42 Unicode 14: characters that only one of them knows. */
static inline bool is_of_unicode_15(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x0CF3, 0x0CF3},   {0x0ECE, 0x0ECE},   {0x10EFD, 0x10EFF}, {0x1123F, 0x11241},
        {0x11B00, 0x11B09}, {0x11F00, 0x11F59}, {0x1342F, 0x13455}, {0x1B132, 0x1B132},
        {0x1B155, 0x1B155}, {0x1D2C0, 0x1D2D3}, {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E08F},
        {0x1E4D0, 0x1E4F9}, {0x1F6DC, 0x1F6DC}, {0x1F774, 0x1F77F}, {0x1F7D9, 0x1F7D9},
        {0x1FA75, 0x1FAFF},
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

/* Any assigned character but the one that utf8proc's normalization gets wrong. */
static inline uint32_t random_char(struct random_text *r)
{
    for (;;) {
        uint32_t c = random_below(r, random_below(r, 3) ? 0x10000 : 0x20000);
        utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

        if (c != 0 && c != 0x11A7 && !is_of_unicode_15(c) && category != UTF8PROC_CATEGORY_CN &&
            category != UTF8PROC_CATEGORY_CS)
            return c;
    }
}

static inline void random_text(struct random_text *r, struct buf *out)
{
    static const char *const parts[] = {
        "the",
        " the",
        "ing",
        " and",
        "Hello",
        " world",
        "'s",
        "'RE",
        "'\xC5\xBF",
        "it's",
        "don't",
        "123",
        " 2024",
        "1",
        "0.5",
        " ",
        "  ",
        "    ",
        "\n",
        "\r\n",
        "\n\n\n",
        "\t",
        "\xC2\xA0",
        "\xE3\x80\x80",
        "\xE2\x80\x83",
        "\xC2\x85",
        ".",
        ", ",
        "!?",
        "(",
        "\\frac{1}{2}",
        "$x^2$",
        "<|im_start|>",
        "<|endoftext|>",
        "<|im",
        "|>",
        "<s>",
        "</s>",
        "<lstrip>",
        " <rstrip> ",
        "<both>",
        "word",
        " word ",
        "solve",
        "step by step",
        "<a><b>",
        "<a>",
        "Caf\xC3\xA9",
        "Cafe\xCC\x81",
        "e\xCC\x81\xCC\xA3",
        "\xE4\xBD\xA0\xE5\xA5\xBD",
        "\xE6\x95\xB0\xE5\xAD\xA6",
        "\xED\x95\x9C\xEA\xB5\xAD",
        "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB",
        "\xF0\x9F\x98\x80",
        "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
        "\xE2\x96\x81",
        "\xC4\xA0",
        "\xD9\xA3",
        "\xE2\x85\xA7",
        "\xC2\xB2",
        "def f(x):\n    return x\n",
        "<0x41>",
        "_",
        "aaaaaaaaaaaa",
        "\xEF\xBD\x9C",
        "\xE1\xA0\x8E",
        "\x1C",
    };
    uint32_t n = 1 + random_below(r, 24);

    for (uint32_t i = 0; i < n; i++) {
        if (random_below(r, 4) == 0)
            buf_add_utf8(out, random_char(r));
        else if (random_below(r, 6) == 0)
            buf_addc(out, (char)(32 + random_below(r, 95)));
        else
            buf_addz(out, parts[random_below(r, sizeof(parts) / sizeof(parts[0]))]);
    }
}
