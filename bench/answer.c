/* answer.c - how many responses a core searches in a second.
 *
 * Responses are made from the text of a reasoning model's habits: prose with formulas, then a box,
 * an anchor, or nothing but a last sentence. 8 KiB stand for 2,000 tokens. */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "math/answer.h"

static const char paragraph[] =
    "Let me set $x = \\frac{a}{b}$ and check the cases one by one. If $a \\equiv 1 \\pmod{3}$ then "
    "the sum "
    "$\\sum_{k=1}^{n} k^2 = \\frac{n(n+1)(2n+1)}{6}$ is at least 14, so there are 3 values left. "
    "Wait, I should double "
    "check that: for n = 4 we get 30, which is 2 * 15. So, the box of side 5 does not fit.\n\n";

static void make(struct buf *b, size_t size, const char *end)
{
    buf_reset(b);
    while (b->len < size)
        buf_addz(b, paragraph);
    buf_addz(b, end);
}

static void measure(const char *name, size_t size, const char *end)
{
    enum { ROUNDS = 2000 };
    struct answer_candidate c[ANSWER_MAX_CANDIDATES];
    struct buf text = {0};
    struct arena a;
    int64_t us;
    int found = 0;

    make(&text, size, end);
    arena_init(&a, 0);
    us = clock_us();
    for (int i = 0; i < ROUNDS; i++) {
        found += answer_find(buf_str(&text), &a, c, ANSWER_MAX_CANDIDATES) > 0;
        arena_reset(&a);
    }
    us = clock_us() - us;
    printf("%-24s %6zu KiB  %8.1f us each  %9.0f per second  (%d found)\n", name, size >> 10,
           (double)us / ROUNDS, 1e6 * ROUNDS / (double)us, found);
    arena_clear(&a);
    buf_clear(&text);
}

int main(void)
{
    static const size_t sizes[] = {8 << 10, 30 << 10};

    for (size_t i = 0; i < LEN(sizes); i++) {
        measure("box", sizes[i], "The answer is $\\boxed{\\frac{3}{4}}$.");
        measure("box behind thinking", sizes[i], "</think>\n\nThus we get $\\boxed{204}$.");
        measure("anchor", sizes[i], "So the final answer is 204.");
        measure("last sentence", sizes[i], "That gives 204 ways in all.");
    }
    return 0;
}
