/* scripted_fault.c - the list of faults and the dice. */
#include "generator/scripted_fault.h"

#include <inttypes.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"

#define MAX_FAULTS 32

static const struct fault faults[] = {
    {"empty", FAULT_EMPTY, FAIL_NONE, 0, "the answer is empty"},
    {"length", FAULT_LENGTH, FAIL_NONE, 0, "the answer is cut in half, finish_reason length"},
    {"duplicate", FAULT_DUPLICATE, FAIL_NONE, 0, "the answer does not depend on the seed"},
    {"context", FAULT_CONTEXT, FAIL_CONTEXT, 400, "the prompt is said to be too long"},
    {"429", FAULT_WIRE, FAIL_RATE, 429, "too many requests"},
    {"429_retry_after", FAULT_WIRE, FAIL_RATE, 429, "the same with Retry-After: 1"},
    {"500", FAULT_WIRE, FAIL_SERVER, 500, "an internal error"},
    {"503", FAULT_WIRE, FAIL_SERVER, 503, "overloaded, with Retry-After: 1"},
    {"reset_before", FAULT_WIRE, FAIL_CONNECT, 0, "reset before the first byte"},
    {"reset_inside", FAULT_WIRE, FAIL_CONNECT, 200, "reset inside the body"},
    {"reset_after", FAULT_WIRE, FAIL_NONE, 200, "reset right after the last byte of the body"},
    {"close_before", FAULT_WIRE, FAIL_CONNECT, 0, "closed before the first byte"},
    {"stall", FAULT_WIRE, FAIL_TIMEOUT, 200, "nothing more after the first bytes of the body"},
    {"stall_before", FAULT_WIRE, FAIL_TIMEOUT, 0, "no first byte"},
    {"trickle", FAULT_WIRE, FAIL_NONE, 200, "the body at 64 bytes every 20 ms"},
    {"half_utf8", FAULT_WIRE, FAIL_MALFORMED, 200, "half a character in the text"},
    {"malformed", FAULT_WIRE, FAIL_MALFORMED, 200, "the JSON breaks off, in a whole answer"},
    {"truncated", FAULT_WIRE, FAIL_MALFORMED, 200, "closed in good order before the end"},
    {"stream_error", FAULT_WIRE, FAIL_SERVER, 200,
     "an error object inside the stream; 500 without one"},
};

struct rule {
    const struct fault *fault;
    double probability;
    int64_t every;
};

struct fault_plan {
    uint64_t seed;
    struct rule rules[MAX_FAULTS];
    int n_rules;
    struct map attempts; /* key of a request -> attempts so far */
};

static bool parse_rule(struct str spec, struct rule *out, struct err *e)
{
    struct str rest = spec, name;
    ptrdiff_t at = str_rfind(spec, STR("@"));

    *out = (struct rule){.probability = 1, .every = 1};
    if (at >= 0) {
        if (!parse_i64(str_slice(spec, (size_t)at + 1, spec.len), &out->every) || out->every < 1)
            return err_set(e, ERR_INPUT, "--fault " STR_FMT ": after @ comes a positive integer",
                           STR_ARG(spec));
        rest = str_slice(spec, 0, (size_t)at);
    }
    at = str_rfind(rest, STR(":"));
    name = at >= 0 ? str_slice(rest, 0, (size_t)at) : rest;
    if (at >= 0 && (!parse_f64(str_slice(rest, (size_t)at + 1, rest.len), &out->probability) ||
                    out->probability < 0 || out->probability > 1))
        return err_set(e, ERR_INPUT, "--fault " STR_FMT ": after : comes a probability from 0 to 1",
                       STR_ARG(spec));
    for (size_t i = 0; i < LEN(faults); i++)
        if (str_eqz(name, faults[i].name))
            out->fault = &faults[i];
    if (!out->fault)
        return err_set(e, ERR_INPUT,
                       "--fault " STR_FMT
                       ": there is no such fault; llmeval serve --help lists them",
                       STR_ARG(spec));
    return true;
}

struct fault_plan *fault_plan_open(const struct opt_list *specs, int64_t fault_seed, struct err *e)
{
    struct fault_plan *p = xcalloc(1, sizeof(*p));

    p->seed = (uint64_t)fault_seed;
    map_init(&p->attempts);
    if (specs->n > MAX_FAULTS) {
        err_set(e, ERR_INPUT, "--fault can be given %d times at most", MAX_FAULTS);
        goto fail;
    }
    for (; p->n_rules < specs->n; p->n_rules++)
        if (!parse_rule(STR(specs->items[p->n_rules]), &p->rules[p->n_rules], e))
            goto fail;
    return p;

fail:
    fault_plan_close(p);
    return NULL;
}

void fault_plan_close(struct fault_plan *p)
{
    if (!p)
        return;
    map_clear(&p->attempts);
    free(p);
}

static bool strikes(const struct fault_plan *p, const struct rule *r, int place,
                    const uint64_t name[2])
{
    uint64_t h = siphash64(p->seed, (uint64_t)place, name, 2 * sizeof(*name));

    return (name[1] - 1) % (uint64_t)r->every == 0 && (double)(h >> 11) * 0x1p-53 < r->probability;
}

const struct fault *fault_plan_next(struct fault_plan *p, uint64_t key, struct str wanted)
{
    struct rule by_name;
    struct err e = ERR_INIT;
    struct str map_key = {(const char *)&key, sizeof(key)};
    uint64_t name[2] = {key, 1}; /* the request and its attempt, from 1 */
    int64_t n_before;

    if (p->n_rules == 0 && wanted.len == 0)
        return NULL;
    n_before = map_find(&p->attempts, map_key);
    name[1] = n_before < 0 ? 1 : (uint64_t)n_before + 1;
    map_set(&p->attempts, map_key, (int64_t)name[1]);
    if (wanted.len > 0)
        return parse_rule(wanted, &by_name, &e) && strikes(p, &by_name, MAX_FAULTS, name)
                   ? by_name.fault
                   : NULL;
    for (int i = 0; i < p->n_rules; i++)
        if (strikes(p, &p->rules[i], i, name))
            return p->rules[i].fault;
    return NULL;
}

const struct fault *fault_at(int i)
{
    return i >= 0 && i < (int)LEN(faults) ? &faults[i] : NULL;
}
