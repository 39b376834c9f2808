/* test.h - cmocka, and checks that name the row of the table that failed. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/str.h"

#define TEST(name) static void name(void **state UNUSED)

#define CHECK(name, claim) \
    do { \
        if (!(claim)) \
            fail_msg("%s: not true: %s", (name), #claim); \
    } while (0)

#define CHECK_INT(name, got, want) \
    do { \
        long long got_ = (long long)(got), want_ = (long long)(want); \
        if (got_ != want_) \
            fail_msg("%s: %s is %lld, expected %lld", (name), #got, got_, want_); \
    } while (0)

#define CHECK_STR(name, got, want) \
    do { \
        struct str got_ = (got), want_ = (want); \
        if (!str_eq(got_, want_)) \
            fail_msg("%s: %s is \"%.*s\", expected \"%.*s\"", (name), #got, STR_ARG(got_), \
                     STR_ARG(want_)); \
    } while (0)

/* The call succeeds, or the test fails with the error's words. */
#define CHECK_OK(name, call, e) \
    do { \
        if (!(call)) \
            fail_msg("%s: %s: %s", (name), #call, (e)->msg); \
    } while (0)

/* A group of tests between set-up and tear-down. Unlike cmocka's own, a tear-down that fails (a
 * server that ends badly) fails the program. */
#define RUN_GROUP(tests, setup, teardown) \
    (cmocka_run_group_tests(tests, setup, NULL) + ((teardown)(&(void *){NULL}) != 0))
