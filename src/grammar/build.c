/* build.c - rule 0 is the answer, after thoughts where there may be some. */
#include "grammar/build.h"

#include "formats/json.h"
#include "grammar/json_terms.h"
#include "grammar/pattern.h"
#include "grammar/schema.h"

enum { MAX_BLANKS = 4 };

static struct term *choice_term(struct terms *t, const struct json *list, struct err *e)
{
    size_t n = json_len(list);
    struct term **parts, *out;

    if (json_type(list) != JSON_ARRAY || n == 0) {
        err_set(e, ERR_INPUT, "choices must be a list of at least one string");
        return NULL;
    }
    parts = arena_array(&t->memory, n, sizeof(struct term *));
    for (size_t i = 0; i < n; i++) {
        if (json_type(json_at(list, i)) != JSON_STRING) {
            err_set(e, ERR_INPUT, "choice %zu is %s, expected a string", i,
                    json_type_name(json_type(json_at(list, i))));
            return NULL;
        }
        parts[i] = term_bytes(t, json_str(json_at(list, i)));
    }
    out = term_alt(t, parts, (int)n);
    return out;
}

static struct term *answer_term(struct terms *t, const struct grammar_source *s, struct err *e)
{
    struct json_terms j;

    json_terms_init(&j, t);
    switch (s->kind) {
    case GRAMMAR_CHOICE:
        return choice_term(t, s->json, e);
    case GRAMMAR_REGEX:
        return pattern_parse(t, s->regex, PATTERN_WHOLE, e);
    case GRAMMAR_JSON_OBJECT:
        return json_term_any_object(&j);
    case GRAMMAR_JSON_SCHEMA:
        return schema_term(&j, s->json, e);
    }
    return NULL;
}

static struct term *but(struct terms *t, uint32_t a, uint32_t b)
{
    struct char_set set = {0};
    struct term *out;

    char_set_add(&set, a, a);
    char_set_add(&set, b, b);
    char_set_negate(&set);
    out = term_chars(t, set.ranges, set.n);
    char_set_clear(&set);
    return out;
}

/* Any text up to the first </think>, then the answer; it may also end before. Rule i has seen i
 * characters of the tag. */
static struct term *thoughts_term(struct terms *t, int answer)
{
    static const char tag[] = "</think>";
    int n = (int)strlen(tag), rules[sizeof(tag)];

    for (int i = 0; i < n; i++)
        rules[i] = terms_declare(t);
    rules[n] = answer;
    for (int i = 0; i < n; i++) {
        uint32_t next = (unsigned char)tag[i];
        struct term *again =
            i == 0 ? term_alt(t, NULL, 0) : TERM_SEQ(t, term_text(t, "<"), term_call(t, rules[1]));

        terms_define(t, rules[i],
                     TERM_ALT(t, term_text(t, ""), again,
                              TERM_SEQ(t, term_chars(t, &(struct char_range){next, next}, 1),
                                       term_call(t, rules[i + 1])),
                              TERM_SEQ(t, but(t, next, '<'), term_call(t, rules[0]))));
    }
    return term_call(t, rules[0]);
}

static struct term *may_think_term(struct terms *t, int answer)
{
    static const struct char_range blanks[] = {{'\t', '\n'}, {'\r', '\r'}, {' ', ' '}};

    return TERM_ALT(t, term_call(t, answer),
                    TERM_SEQ(t, term_repeat(t, term_chars(t, blanks, LEN(blanks)), 0, MAX_BLANKS),
                             term_text(t, "<think>"), thoughts_term(t, answer)));
}

bool build_program(struct program *p, const struct grammar_source *s, struct err *e)
{
    struct terms t;
    struct term *answer;
    int root, rule;
    bool ok = false;

    terms_init(&t);
    root = terms_declare(&t);
    rule = terms_declare(&t);
    answer = answer_term(&t, s, e);
    if (answer) {
        terms_define(&t, rule, answer);
        terms_define(&t, root,
                     s->lead == LEAD_NONE     ? term_call(&t, rule)
                     : s->lead == LEAD_THINKS ? thoughts_term(&t, rule)
                                              : may_think_term(&t, rule));
        ok = program_build(p, &t, e);
    }
    terms_clear(&t);
    return ok;
}
