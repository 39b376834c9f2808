/* scripted_fault.h - which fault an attempt meets.
 *
 * --fault NAME[:PROBABILITY][@EVERY]. EVERY counts the attempts of one request (same prompt, same
 * seed): the fault may strike its attempts 1, 1 + EVERY, 1 + 2 EVERY, ..., so that NAME@2 fails
 * every first attempt and spares every second. Whether it strikes is a hash of (fault_seed, place
 * among the options, request, attempt) against PROBABILITY, 1 by default. The first option that
 * strikes wins. */
#pragma once

#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "generator/generator.h"

enum fault_kind {
    FAULT_NONE,
    /* the generator's own */
    FAULT_EMPTY,
    FAULT_LENGTH,
    FAULT_DUPLICATE,
    FAULT_CONTEXT,
    /* of the wire: a server plays them */
    FAULT_WIRE,
};

struct fault {
    const char *name;
    enum fault_kind kind;
    enum fail_class fail_class; /* FAULT_WIRE without a server: how the request fails */
    int http_status;
    const char *help;
};

struct fault_plan;

struct fault_plan *fault_plan_open(const struct opt_list *specs, int64_t fault_seed,
                                   struct err *e) MUST_CHECK;
void fault_plan_close(struct fault_plan *p); /* NULL is fine */
/* Counts the attempt of the request with this key and says what it meets; NULL: nothing. `wanted`
 * replaces the options unless it is ""; one that does not parse is FAULT_NONE. */
const struct fault *fault_plan_next(struct fault_plan *p, uint64_t key, struct str wanted);

const struct fault *fault_at(int i); /* the list of all; NULL past the last */
