/* Strict numbers, checked sizes, hashes with published vectors. */
#include "test.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"

static const struct {
    const char *text;
    bool ok;
    int64_t want;
} ints[] = {
    {"0", true, 0},
    {"-1", true, -1},
    {"+7", true, 7},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"1 ", false, 0},
    {"1e3", false, 0},
    {"--1", false, 0},
    {"99999999999999999999999", false, 0},
};

TEST(integers_are_read_whole_or_not_at_all)
{
    for (size_t i = 0; i < LEN(ints); i++) {
        int64_t x = 0;

        CHECK_INT(ints[i].text, parse_i64(STR(ints[i].text), &x), ints[i].ok);
        CHECK_INT(ints[i].text, x, ints[i].want);
    }
}

TEST(reals_are_read_whole_or_not_at_all)
{
    double x;

    assert_true(parse_f64(STR("0.6"), &x) && x == 0.6);
    assert_true(parse_f64(STR("-1e-3"), &x) && x == -1e-3);
    assert_false(parse_f64(STR("nan"), &x));
    assert_false(parse_f64(STR("inf"), &x));
    assert_false(parse_f64(STR("1e999"), &x));
    assert_false(parse_f64(STR("0x10"), &x));
    assert_false(parse_f64(STR("1.5x"), &x));
    assert_false(parse_f64(STR(""), &x));
}

TEST(sizes_do_not_wrap)
{
    size_t n = 5;

    assert_false(size_mul(SIZE_MAX / 2, 3, &n));
    assert_false(size_add(SIZE_MAX, 1, &n));
    assert_int_equal(n, 5);
    assert_true(size_mul(6, 7, &n) && n == 42);
}

/* The vectors of the SipHash paper's reference code: key 00..0f, message 00..(len-1). */
TEST(siphash_agrees_with_its_authors)
{
    unsigned char m[64];

    for (int i = 0; i < 64; i++)
        m[i] = (unsigned char)i;
    assert_true(siphash64(0x0706050403020100u, 0x0f0e0d0c0b0a0908u, m, 0) == 0x726fdb47dd0e0e31u);
    assert_true(siphash64(0x0706050403020100u, 0x0f0e0d0c0b0a0908u, m, 15) == 0xa129ca6149be45e5u);
    struct hash128 h = siphash128(0x0706050403020100u, 0x0f0e0d0c0b0a0908u, m, 0);
    assert_true(h.lo == 0xe6a825ba047f81a3u && h.hi == 0x930255c71472f66du);
}

/* FIPS 180-4 examples. */
static const struct {
    const char *text, *want;
} digests[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

TEST(sha256_agrees_with_its_standard)
{
    for (size_t i = 0; i < LEN(digests); i++) {
        char hex[65];

        sha256_hex(digests[i].text, strlen(digests[i].text), hex);
        assert_string_equal(hex, digests[i].want);
    }
}

TEST(sample_seeds_differ_and_are_positive)
{
    uint64_t a = sample_seed(0, STR("7"), 0);

    assert_true(a == sample_seed(0, STR("7"), 0));
    assert_true(a != sample_seed(0, STR("7"), 1));
    assert_true(a != sample_seed(1, STR("7"), 0));
    assert_true(a != sample_seed(0, STR("8"), 0));
    assert_true(a >> 63 == 0);
}

TEST(a_map_finds_what_it_holds)
{
    struct map m;
    char key[16];
    bool is_new;

    map_init(&m);
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        map_add(&m, STR(key), i, &is_new);
        assert_true(is_new);
    }
    assert_int_equal(map_add(&m, STR("k7"), 99, &is_new), 7);
    assert_false(is_new);
    map_set(&m, STR("k7"), 99);
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        assert_int_equal(map_find(&m, STR(key)), i == 7 ? 99 : i);
    }
    assert_int_equal(map_find(&m, STR("absent")), -1);
    map_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_whole_or_not_at_all),
        cmocka_unit_test(reals_are_read_whole_or_not_at_all),
        cmocka_unit_test(sizes_do_not_wrap),
        cmocka_unit_test(siphash_agrees_with_its_authors),
        cmocka_unit_test(sha256_agrees_with_its_standard),
        cmocka_unit_test(sample_seeds_differ_and_are_positive),
        cmocka_unit_test(a_map_finds_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
