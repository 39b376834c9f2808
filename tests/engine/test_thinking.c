/* test_thinking.c - where thoughts are closed: token for token, '<' opens, '>' closes, letters are
 * anything else. */
#include "test.h"

#include "engine/thinking.h"

/* What the model would say, and what comes of it: from a forced token on the model goes on where it
 * was. */
static const struct {
    const char *name, *prompt, *says;
    int budget; /* -1: not set */
    const char *want;
    int n_forced;
} cases[] = {
    {"not set", "ab", "<cdefg>hi", -1, "<cdefg>hi", 0},
    {"within", "ab", "<cd>hi", 3, "<cd>hi", 0},
    {"reached", "ab", "<cdefhi", 2, "<cd>efhi", 1},
    {"none at all", "ab", "<cdef", 0, "<>cdef", 1},
    {"closed where it would have been anyway", "ab", "<cd>ef", 2, "<cd>ef", 1},
    {"opened by the template", "a<", "bcdef", 3, "bcd>ef", 1},
    {"the prompt's thoughts count", "a<bc", "defg", 3, "d>efg", 1},
    {"and may be all of it", "a<bcdef", "ghi", 3, ">ghi", 1},
    {"earlier turns do not count", "a<bcdef>g", "<hijk", 3, "<hij>k", 1},
    {"an earlier turn and an opening", "a<bcdef>g<", "hijk", 2, "hi>jk", 1},
    {"a second opening goes on counting", "", "<ab>c<defg", 3, "<ab>c<d>efg", 1},
    {"spent: closed at once", "", "<abc<de<f", 2, "<ab>c<>de<>f", 3},
    {"without thoughts", "ab", "cdef", 0, "cdef", 0},
    {"a closing without opening", "ab", "c>d", 0, "c>d", 0},
};

static int ids_of(const char *text, int32_t *ids)
{
    int n = 0;

    for (; text[n]; n++)
        ids[n] = text[n];
    return n;
}

TEST(closes_thoughts)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct thinking_limit limit = {cases[i].budget >= 0, '<', '>', cases[i].budget};
        struct thinking t;
        int32_t prompt[32];
        char said[64] = {0};
        int n = 0;

        thinking_init(&t, &limit, prompt, ids_of(cases[i].prompt, prompt));
        /* A closing that the model would say is passed over where it comes right after a forced
         * one. */
        for (const char *at = cases[i].says; *at && n < 63;) {
            int32_t forced = thinking_forced(&t), id = forced >= 0 ? forced : *at;

            at += forced < 0 || *at == '>';
            said[n++] = (char)id;
            thinking_take(&t, id);
        }
        CHECK_STR(cases[i].name, STR(said), STR(cases[i].want));
        CHECK_INT(cases[i].name, t.n_forced, cases[i].n_forced);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(closes_thoughts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
