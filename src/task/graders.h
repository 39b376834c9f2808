/* graders.h - the implementations behind task/grader.h, for the list in grader.c and their tests.
 */
#pragma once

#include "task/grader.h"

extern const struct grader grader_math; /* finds the answer and compares it by exact mathematics */
extern const struct grader grader_choice; /* option letters */
extern const struct grader
    grader_exact; /* the trimmed response is the trimmed gold, byte for byte */
