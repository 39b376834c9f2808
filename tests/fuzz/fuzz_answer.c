/* fuzz_answer.c - a gold, a zero byte, a response: the search and the score.
 *
 * Beside crashes it looks for answers that depend on anything but the text, and
 * for candidates that break their promise: not empty, within the response's
 * bytes times three, best rank first. */
#include <stdint.h>

#include "base/arena.h"
#include "math/answer.h"
#include "math/score.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim)
        abort();
}

static int find(struct str response, struct arena *a, struct answer_candidate *c)
{
    int n = answer_find(response, a, c, ANSWER_MAX_CANDIDATES);

    require(n >= 0 && n <= ANSWER_MAX_CANDIDATES);
    for (int i = 0; i < n; i++) {
        require(c[i].text.len > 0 && c[i].text.len <= 3 * ANSWER_MAX_CANDIDATE && c[i].rule[0]);
        require(i == 0 || c[i - 1].rank <= c[i].rank);
    }
    return n;
}

static struct math_ctx *context(void)
{
    static struct math_ctx *c; /* costly to make; it must not change a verdict */

    if (c == NULL)
        c = math_ctx_open();
    return c;
}

static void score(struct str gold, struct str response, bool is_bare, struct arena *a)
{
    struct score_opts o = score_opts_default();
    struct math_score first, second;

    o.is_bare = is_bare;
    math_score(context(), gold, response, &o, a, &first);
    math_score(context(), gold, response, &o, a, &second);
    require(first.result == second.result && strcmp(first.reason, second.reason) == 0);
    require(first.reason[0] && first.rule);
    require(!first.nothing_extracted || first.result == MATH_DIFFERENT);
    require(!first.gold_unreadable || first.result == MATH_UNDECIDED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = {(const char *)data, size}, gold, response;
    ptrdiff_t zero = str_find_char(all, 0, 0);
    struct answer_candidate once[ANSWER_MAX_CANDIDATES], again[ANSWER_MAX_CANDIDATES];
    struct arena a;
    int n;

    if (size > 4096)
        return 0;
    gold = zero >= 0 ? str_slice(all, 0, (size_t)zero) : (struct str){"42", 2};
    response = zero >= 0 ? str_slice(all, (size_t)zero + 1, all.len) : all;
    arena_init(&a, 0);
    n = find(response, &a, once);
    require(find(response, &a, again) == n);
    for (int i = 0; i < n; i++)
        require(str_eq(once[i].text, again[i].text) && once[i].rank == again[i].rank);
    (void)answer_gold(gold, &a);
    (void)answer_choice(response, 1 + (int)(size % 26));
    (void)answer_choice_in_prose(response, 1 + (int)(size % 26));
    score(gold, response, size % 2, &a);
    arena_clear(&a);
    return 0;
}
