/* unit.h - units of measure by name.
 *
 * A canonical unit is a line such as "cm^2", "km/h" or "apple": known names in their shortest form,
 * unknown nouns in lower case without the plural's s. */
#pragma once

#include <stdbool.h>

/* base before FLINT, whose headers bring a MIN and MAX of the system. */
#include "base/arena.h"
#include "base/str.h"

#include <flint/fmpq.h>

struct str unit_canonical(struct arena *a, struct str unit);
bool unit_is_known(struct str word);    /* one word: "cm", "hours" */
bool unit_is_currency(struct str word); /* "USD", "dollars" */

/* Whether both measure the same thing by the table; then factor = a / b, exactly. */
bool unit_ratio(struct str canonical_a, struct str canonical_b, fmpq_t factor);
/* The same unit, or one left unsaid in part ("cents", "cents per minute"). */
bool unit_same(struct str canonical_a, struct str canonical_b);
