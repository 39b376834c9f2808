/* clock.h - time that only moves forward, and time of day for records. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int64_t clock_ms(void);                     /* monotonic milliseconds */
int64_t clock_us(void);                     /* monotonic microseconds */
void clock_iso8601(char *out, size_t size); /* UTC, "2026-01-31T12:00:00Z"; size >= 21 */
