/* generator_remote_policy.h - the rules of trying again: pure functions and one small state.
 *
 * What a failure is worth, how long to wait, how many requests to keep under way, and how much room
 * a server's words about its context leave. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "generator/generator.h"

enum fail_class remote_class_of_status(int status); /* FAIL_NONE for 2xx */
bool remote_is_retryable(enum fail_class c);

/* "Slow down": 429 and 503 shrink the window and wait on a budget of time, not of tries. */
bool remote_is_refusal(int status);

/* The wait before try n_failures + 1 (n_failures from 1): 0.5 s, doubled each time up to 30 s,
 * times a factor between 0.5 and 1 that follows from the key, so that many requests do not come
 * back together. */
int64_t remote_backoff_ms(int n_failures, uint64_t key);

/* Whether these words of a server mean that prompt and answer do not fit its context. */
bool remote_is_context_error(struct str message);

/* Finds the context's length and the prompt's in such words; 0 where they are not said. max_tokens
 * is what was asked for: some servers name only the sum. */
void remote_context_numbers(struct str message, int max_tokens, int *n_context, int *n_prompt);

/* How many requests may be under way. Cut to seven tenths by a refusal, at most once a second; one
 * 64th of the most more for each second without. */
struct remote_window {
    int size, max;
    int64_t refused_ms, grown_ms;
};

void remote_window_init(struct remote_window *w, int max, int64_t now_ms);
void remote_window_refused(struct remote_window *w, int n_running, int64_t now_ms);
void remote_window_grow(struct remote_window *w, int64_t now_ms);
