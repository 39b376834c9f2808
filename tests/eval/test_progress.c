#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "eval/progress.h"
#include "eval/run_summary.h"

static const struct {
    int64_t ms;
    const char *want;
} durations[] = {{0, "0 s"},        {42400, "42 s"},     {89000, "89 s"},
                 {100000, "2 min"}, {3600000, "60 min"}, {12240000, "3.4 h"}};

TEST(durations_read_well)
{
    for (size_t i = 0; i < LEN(durations); i++) {
        struct buf out = {0};

        progress_duration(&out, durations[i].ms);
        CHECK_STR("duration", buf_str(&out), STR(durations[i].want));
        buf_clear(&out);
    }
}

/* 100 answers of 1,000 tokens, 64 at once: after 20 answers in 10 s at 2,000 tokens/s, 80,000
 * tokens are to come. */
TEST(the_time_left_follows_from_lengths)
{
    struct progress p;
    struct run_result r = {.n_jobs = 100, .n_stored = 20};
    struct gen_stats s = {.n_running = 64, .n_completion_tokens = 20000};
    struct buf out = {0};

    progress_init(&p, STDERR_FILENO, 0);
    for (int i = 0; i < 20; i++)
        progress_answer(&p, 1000);
    progress_answer(&p, -1); /* a server that tells no lengths changes nothing */
    p.is_terminal = true;
    p.fd = open("/dev/null", O_WRONLY);
    progress_show(&p, &r, &s, 10000);
    progress_line(&p, &r, &s, 10000, &out);
    CHECK_STR("line", buf_str(&out),
              STR("20/100 done, 0 failed, 64 in flight, 2000 tokens/s, 40 s left"));
    progress_hide(&p);
    close(p.fd);
    buf_clear(&out);
}

TEST(without_lengths_by_the_rate_of_answers)
{
    struct progress p;
    struct run_result r = {.n_jobs = 100, .n_found = 50, .n_stored = 9, .n_failed = 1};
    struct gen_stats s = {.n_running = 4, .n_waiting = 2};
    struct buf out = {0};

    progress_init(&p, STDERR_FILENO, 0);
    progress_line(&p, &r, &s, 10000, &out);
    CHECK_STR("line", buf_str(&out),
              STR("59/100 done, 1 failed, 4 in flight, 2 waiting, 0 tokens/s, 40 s left"));
    buf_clear(&out);
}

TEST(is_due_twice_a_second_on_a_terminal_and_every_half_minute_elsewhere)
{
    struct progress p;

    progress_init(&p, STDERR_FILENO, 0);
    p.is_terminal = true;
    CHECK("terminal", !progress_is_due(&p, 400) && progress_is_due(&p, 500));
    p.is_terminal = false;
    CHECK("elsewhere", !progress_is_due(&p, 29000) && progress_is_due(&p, 30000));
}

TEST(the_summary_counts_everything)
{
    struct run_result r = {.n_jobs = 100,
                           .n_found = 10,
                           .n_stored = 80,
                           .n_failed = 10,
                           .n_prompt_tokens = 8000,
                           .n_completion_tokens = 160000,
                           .elapsed_ms = 80000,
                           .n_reasoning_only = 2};
    struct store_counts c = {.n_rows = 90, .n_truncated = 9, .n_clamped = 3, .n_empty = 1};
    struct gen_stats s = {.n_retries = {[FAIL_RATE] = 5, [FAIL_CONTEXT] = 3}};
    struct buf out = {0};

    r.n_by_class[FAIL_TIMEOUT] = 10;
    run_summary_write(&out, &r, &c, &s);
    CHECK_STR(
        "summary", buf_str(&out),
        STR("90 of 100 samples are stored, 10 of them before this run\n"
            "  time                   80 s\n"
            "  tokens of this run     8000 prompt, 160000 completion, 2000 completion tokens/s\n"
            "  cut at max_tokens      9 of 90 (10.0 %)\n"
            "  limit clamped          3 of 90 (3.3 %)\n"
            "  empty answers          1 of 90 (1.1 %)\n"
            "  reasoning without text 2 of 80 (2.5 %)\n"
            "  tried again            5 rate_limit, 3 over the context\n"
            "  failed samples         10\n"
            "  failed by              10 timeout\n"));
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_read_well),
        cmocka_unit_test(the_time_left_follows_from_lengths),
        cmocka_unit_test(without_lengths_by_the_rate_of_answers),
        cmocka_unit_test(is_due_twice_a_second_on_a_terminal_and_every_half_minute_elsewhere),
        cmocka_unit_test(the_summary_counts_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
