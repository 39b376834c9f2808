/* data/abacus.jsonl, the problems that the model in the box is measured with: none can have been
 * trained on, each asks what its key says, and each gold answer is what the key comes to. */
#include "test.h"

#include <ctype.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/num.h"
#include "formats/json.h"
#include "formats/jsonl.h"

enum { N_LEVELS = 4, PER_LEVEL = 50, MAX_NUMBERS = 4 };

/* --- what a key comes to ---------------------------------------------------------------------- */

struct fraction {
    long long num, den;
};

static long long gcd(long long a, long long b)
{
    return b == 0 ? (a < 0 ? -a : a) : gcd(b, a % b);
}

static struct fraction reduced(long long num, long long den)
{
    long long g = gcd(num, den) * (den < 0 ? -1 : 1);

    return (struct fraction){num / g, den / g};
}

static struct fraction number(const char **s)
{
    char *end;
    long long n = strtoll(*s, &end, 10);

    assert_true(end != *s && isdigit((unsigned char)**s));
    *s = end;
    return (struct fraction){n, 1};
}

static struct fraction product(const char **s)
{
    struct fraction x = number(s);

    while (**s == '*' || **s == '/') {
        bool is_product = *(*s)++ == '*';
        struct fraction y = number(s);

        x = is_product ? reduced(x.num * y.num, x.den * y.den)
                       : reduced(x.num * y.den, x.den * y.num);
    }
    return x;
}

static struct fraction value(const char *s)
{
    struct fraction x = product(&s);

    while (*s == '+' || *s == '-') {
        long long sign = *s++ == '+' ? 1 : -1;
        struct fraction y = product(&s);

        x = reduced(x.num * y.den + sign * y.num * x.den, x.den * y.den);
    }
    assert_true(*s == '\0');
    return x;
}

/* --- what a prompt asks ----------------------------------------------------------------------- */

/* Stories: their words, and how the numbers in order of the text make the key. */
static const struct {
    const char *words, *key;
} stories[] = {
    {" more and gives ", "0+1-2"},
    {" boxes with ", "1*0+2"},
    {" equally among ", "0/1"},
    {" dollars each and pays with ", "2-1*0"},
};

static void story_key(struct str prompt, const char *pattern, struct buf *out)
{
    long long n[MAX_NUMBERS];
    int count = 0;

    for (size_t i = 0; i < prompt.len; i++) {
        if (!isdigit((unsigned char)prompt.ptr[i]))
            continue;
        assert_true(count < MAX_NUMBERS);
        for (n[count] = 0; i < prompt.len && isdigit((unsigned char)prompt.ptr[i]); i++)
            n[count] = 10 * n[count] + (prompt.ptr[i] - '0');
        count++;
    }
    for (; *pattern; pattern++) {
        if (!isdigit((unsigned char)*pattern)) {
            buf_addc(out, *pattern);
        } else {
            assert_true(*pattern - '0' < count);
            buf_addf(out, "%lld", n[*pattern - '0']);
        }
    }
}

/* "Compute \frac{1}{2} + 3 \times 4." -> "1/2+3*4": behind the words, LaTeX as plain operators. */
static void formula_key(struct str prompt, struct buf *out)
{
    for (size_t i = 0; i < prompt.len; i++) {
        struct str rest = str_slice(prompt, i, prompt.len);

        if (str_starts(rest, "}{")) {
            buf_addc(out, '/');
            i++;
        } else if (str_starts(rest, "\\times")) {
            buf_addc(out, '*');
            i += strlen("\\times") - 1;
        } else if (str_starts(rest, "\\frac")) {
            i += strlen("\\frac") - 1;
        } else if (isdigit((unsigned char)rest.ptr[0]) || rest.ptr[0] == '+' ||
                   rest.ptr[0] == '-') {
            buf_addc(out, rest.ptr[0]);
        }
    }
}

static void key_of(struct str prompt, struct buf *out)
{
    for (size_t i = 0; i < LEN(stories); i++)
        if (str_find(prompt, STR(stories[i].words), 0) >= 0) {
            story_key(prompt, stories[i].key, out);
            return;
        }
    formula_key(prompt, out);
}

/* --- the file --------------------------------------------------------------------------------- */

/* What tools/abacus/problems.py keeps from training: keys whose SHA-256 begins with a smaller byte.
 */
static int held_back(void)
{
    struct err e = ERR_INIT;
    struct buf text = {0};
    static const char line[] = "\nHELD_BACK = ";
    ptrdiff_t at;
    int n;

    CHECK_OK("problems.py", file_read(SOURCE_DIR "/tools/abacus/problems.py", 0, &text, &e), &e);
    at = str_find(buf_str(&text), STR(line), 0);
    assert_true(at >= 0);
    n = (int)strtol(buf_z(&text) + at + strlen(line), NULL, 10);
    buf_clear(&text);
    return n;
}

static void check_row(const struct json *row, int limit)
{
    struct str key = json_str(json_get(row, "key")), prompt = json_str(json_get(row, "prompt"));
    unsigned char first;
    char hex[65], want[64];
    struct buf asked = {0};
    struct fraction x;

    sha256_hex(key.ptr, key.len, hex);
    first = (unsigned char)strtol((char[]){hex[0], hex[1], '\0'}, NULL, 16);
    CHECK_INT(key.ptr, first < limit, true);
    key_of(prompt, &asked);
    CHECK_STR(prompt.ptr, buf_str(&asked), key);
    x = value(buf_z(&asked));
    if (x.den == 1)
        snprintf(want, sizeof(want), "%lld", x.num);
    else
        snprintf(want, sizeof(want), "%s\\frac{%lld}{%lld}", x.num < 0 ? "-" : "",
                 x.num < 0 ? -x.num : x.num, x.den);
    CHECK_STR(key.ptr, json_str(json_get(row, "answer")), STR(want));
    buf_clear(&asked);
}

TEST(no_problem_can_have_been_trained_on)
{
    int limit = held_back(), n[N_LEVELS] = {0};
    struct err e = ERR_INIT;
    struct file_map file;
    struct jsonl it;
    struct str line;

    assert_true(limit > 0 && limit < 128);
    CHECK_OK("data", file_map_open(SOURCE_DIR "/data/abacus.jsonl", &file, &e), &e);
    jsonl_init(&it, (struct str){file.ptr, file.len});
    while (jsonl_next(&it, &line)) {
        struct json *row = json_parse(line, &e);
        int level;

        CHECK_OK("row", row != NULL, &e);
        level = (int)json_int(json_get(row, "level"), 0);
        assert_true(level >= 1 && level <= N_LEVELS);
        n[level - 1]++;
        check_row(row, limit);
        json_close(row);
    }
    file_map_close(&file);
    for (int i = 0; i < N_LEVELS; i++)
        CHECK_INT("problems of a level", n[i], PER_LEVEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_problem_can_have_been_trained_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
