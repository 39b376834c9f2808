/* pretokenize.c - steps within steps.
 *
 * A step walks over its piece and reports spans, each of them a match or what lies between matches.
 * A cutter joins or drops spans by the behavior, and hands each finished piece to the next step at
 * once. So no list of pieces is ever built, and a step that rewrites its piece needs one buffer. */
#include "tokenizer/pretokenize.h"

#include "tokenizer/chars.h"
#include "tokenizer/fields.h"

/* --- Reading ---------------------------------------------------------------------------------- */

static const char type_names[] =
    "Split ByteLevel Digits Whitespace WhitespaceSplit Metaspace Punctuation Sequence";
enum { TYPE_SEQUENCE = PRE_PUNCTUATION + 1 };

static bool read_behavior(const struct json *v, enum split_behavior *out, struct err *e)
{
    int behavior;

    if (!field_choice(v, "behavior",
                      "Removed Isolated MergedWithPrevious MergedWithNext Contiguous", &behavior,
                      e))
        return false;
    *out = (enum split_behavior)behavior;
    return true;
}

bool metaspace_parse(const struct json *v, struct arena *a, struct str *replacement,
                     enum prepend_scheme *prepend, bool *splits, struct err *e)
{
    bool adds_prefix = true;
    uint32_t c;
    int scheme = PREPEND_ALWAYS;
    char bytes[4];

    if (!fields_check(v, "Metaspace", "replacement add_prefix_space prepend_scheme split str_rep",
                      e) ||
        !field_char(v, "replacement", &c, e) ||
        !field_bool_opt(v, "add_prefix_space", &adds_prefix, e) ||
        !field_bool_opt(v, "split", splits, e))
        return false;
    if (json_get(v, "prepend_scheme") &&
        !field_choice(v, "prepend_scheme", "always first never", &scheme, e))
        return false;
    if (!adds_prefix && scheme != PREPEND_NEVER)
        return err_set(e, ERR_INPUT,
                       "Metaspace: \"add_prefix_space\" is false, but \"prepend_scheme\" is "
                       "not \"never\"");
    *prepend = (enum prepend_scheme)scheme;
    *replacement = str_dup(a, (struct str){bytes, (size_t)utf8_encode(c, bytes)});
    return true;
}

static bool read_step(const struct json *v, struct arena *a, struct pre_step *step, struct err *e)
{
    static const char *const known[] = {
        "pattern behavior invert",
        "add_prefix_space trim_offsets use_regex",
        "individual_digits",
        "",
        "",
        "replacement add_prefix_space prepend_scheme split str_rep",
        "behavior",
    };
    bool is_individual;

    if (!fields_check(v, "the pre-tokenizer", known[step->type], e))
        return false;
    step->behavior = SPLIT_ISOLATED;
    switch (step->type) {
    case PRE_SPLIT:
        return matcher_parse(json_get(v, "pattern"), a, &step->pattern, e) &&
               read_behavior(v, &step->behavior, e) &&
               field_bool_opt(v, "invert", &step->invert, e);
    case PRE_BYTE_LEVEL:
        step->use_regex = true;
        step->pattern.kind = MATCH_GPT2;
        return field_bool(v, "add_prefix_space", &step->add_prefix_space, e) &&
               field_bool_opt(v, "use_regex", &step->use_regex, e);
    case PRE_DIGITS:
        if (!field_bool(v, "individual_digits", &is_individual, e))
            return false;
        if (!is_individual)
            step->behavior = SPLIT_CONTIGUOUS;
        return true;
    case PRE_METASPACE:
        step->splits = true;
        return metaspace_parse(v, a, &step->replacement, &step->prepend, &step->splits, e);
    case PRE_PUNCTUATION:
        return !json_get(v, "behavior") || read_behavior(v, &step->behavior, e);
    case PRE_WHITESPACE:
    case PRE_WHITESPACE_SPLIT:
        step->behavior = SPLIT_REMOVED;
        return true;
    }
    return false;
}

static bool add_steps(const struct json *v, struct arena *a, struct pretokenizer *p, int depth,
                      struct err *e)
{
    const struct json *items;
    int type;

    if (!field_choice(v, "type", type_names, &type, e))
        return false;
    if (depth > PRE_MAX_STEPS || p->n_steps == PRE_MAX_STEPS)
        return err_set(e, ERR_UNSUPPORTED, "more than %d steps", PRE_MAX_STEPS);
    if (type != TYPE_SEQUENCE) {
        struct pre_step *step = &p->steps[p->n_steps++];

        step->type = (enum pre_type)type;
        return read_step(v, a, step, e);
    }
    if (!fields_check(v, "the pre-tokenizer Sequence", "pretokenizers", e) ||
        !field_array(v, "pretokenizers", &items, e))
        return false;
    for (struct json_iter it = json_iter(items); json_next(&it);)
        if (!add_steps(it.value, a, p, depth + 1, e))
            return false;
    return true;
}

bool pretokenizer_parse(const struct json *v, struct arena *a, struct pretokenizer *p,
                        struct err *e)
{
    *p = (struct pretokenizer){0};
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_ABSENT)
        return true;
    p->steps = arena_array(a, PRE_MAX_STEPS, sizeof(*p->steps));
    if (add_steps(v, a, p, 0, e))
        return true;
    err_prefix(e, "pre_tokenizer");
    return false;
}

void pretokenizer_clear(struct pretokenizer *p)
{
    for (int i = 0; i < p->n_steps; i++)
        matcher_clear(&p->steps[i].pattern);
    p->n_steps = 0;
}

bool pretokenizer_ends_in_bytes(const struct pretokenizer *p)
{
    int n = 0;

    for (int i = 0; i < p->n_steps; i++)
        n += p->steps[i].type == PRE_BYTE_LEVEL;
    return n == 1 && p->steps[p->n_steps - 1].type == PRE_BYTE_LEVEL;
}

void pre_scratch_clear(struct pre_scratch *s)
{
    for (int i = 0; i < PRE_MAX_STEPS; i++)
        buf_clear(&s->rewritten[i]);
}

/* --- Running ---------------------------------------------------------------------------------- */

struct pre_run {
    const struct pretokenizer *p;
    struct pre_scratch *s;
    pre_word *fn;
    void *ctx;
    struct err *e;
};

static bool run_step(const struct pre_run *r, int i, struct str piece, bool is_start);

/* Joins the spans of one piece by a behavior. `from`..`to` is the piece that may still grow. */
struct cutter {
    const struct pre_run *run;
    int next_step;
    struct str text;
    bool is_start;
    enum split_behavior behavior;
    bool has_pending, last_was_match;
    size_t from, to;
};

static bool hand_on(const struct cutter *c, size_t from, size_t to)
{
    return from == to ||
           run_step(c->run, c->next_step, str_slice(c->text, from, to), c->is_start && from == 0);
}

static bool flush(struct cutter *c)
{
    bool had = c->has_pending;

    c->has_pending = false;
    return !had || hand_on(c, c->from, c->to);
}

static bool start_pending(struct cutter *c, size_t from, size_t to)
{
    if (!flush(c))
        return false;
    c->has_pending = true;
    c->from = from;
    c->to = to;
    return true;
}

static bool cut(struct cutter *c, size_t from, size_t to, bool is_match)
{
    bool joins;

    switch (c->behavior) {
    case SPLIT_REMOVED:
        return is_match || hand_on(c, from, to);
    case SPLIT_ISOLATED:
        return hand_on(c, from, to);
    case SPLIT_MERGED_WITH_PREVIOUS: /* a match joins what is before it, unless that is a match too
                                      */
        joins = is_match && !c->last_was_match;
        break;
    case SPLIT_MERGED_WITH_NEXT: /* what is no match joins the match before it */
        joins = !is_match && c->last_was_match;
        break;
    default:
        joins = is_match == c->last_was_match;
        break;
    }
    c->last_was_match = is_match;
    if (joins && c->has_pending) {
        c->to = to;
        return true;
    }
    return start_pending(c, from, to);
}

/* All matches of a pattern and what lies between. */
static bool cut_by_pattern(struct cutter *c, const struct matcher *m, bool invert)
{
    struct match_iter it = {0};
    enum regex_found found;
    size_t at = 0;

    while ((found = matcher_next(m, c->run->s->regex, c->text, &it, c->run->e)) == REGEX_MATCH) {
        if (at != it.start && !cut(c, at, it.start, invert))
            return false;
        if (!cut(c, it.start, it.end, !invert))
            return false;
        at = it.end;
    }
    if (found == REGEX_FAILED || (at != c->text.len && !cut(c, at, c->text.len, invert)))
        return false;
    return flush(c);
}

/* As cut_by_pattern for a well-known pattern that is isolated: its matches leave no gaps. */
static bool cut_by_known(const struct cutter *c, enum match_kind kind)
{
    size_t from = 0;

    while (from < c->text.len) {
        size_t to = match_known(kind, c->text, from);

        if (!hand_on(c, from, to))
            return false;
        from = to;
    }
    return true;
}

/* Each character that is of the class is a match of its own. */
static bool cut_by_class(struct cutter *c, bool (*is_of)(uint32_t))
{
    size_t at = 0, n;

    for (size_t i = 0; i < c->text.len; i += n) {
        if (!is_of(char_at(c->text.ptr + i, &n)))
            continue;
        if ((at < i && !cut(c, at, i, false)) || !cut(c, i, i + n, true))
            return false;
        at = i + n;
    }
    if (at < c->text.len && !cut(c, at, c->text.len, false))
        return false;
    return flush(c);
}

enum word_class { WORD_SPACE, WORD_WORD, WORD_OTHER };

static enum word_class word_class(uint32_t c)
{
    if (char_is_word(c))
        return WORD_WORD;
    return char_is_space(c) ? WORD_SPACE : WORD_OTHER;
}

/* \w+|[^\w\s]+ are the words, blanks are dropped. */
static bool cut_whitespace(const struct cutter *c)
{
    size_t from = 0, n = 0;

    while (from < c->text.len) {
        enum word_class cls = word_class(char_at(c->text.ptr + from, &n));
        size_t to = from + n;

        while (to < c->text.len && word_class(char_at(c->text.ptr + to, &n)) == cls)
            to += n;
        if (cls != WORD_SPACE && !hand_on(c, from, to))
            return false;
        from = to;
    }
    return true;
}

static bool run_split(struct cutter *c, const struct pre_step *step)
{
    bool is_known = step->pattern.kind != MATCH_LITERAL && step->pattern.kind != MATCH_REGEX;

    if (is_known && step->behavior == SPLIT_ISOLATED)
        return cut_by_known(c, step->pattern.kind);
    return cut_by_pattern(c, &step->pattern, step->invert);
}

static bool run_metaspace(struct cutter *c, const struct pre_step *step, struct buf *out)
{
    struct str piece = c->text;
    bool has_prefix = piece.ptr[0] == ' ' ||
                      (piece.len >= step->replacement.len &&
                       memcmp(piece.ptr, step->replacement.ptr, step->replacement.len) == 0);

    buf_reset(out);
    if (!has_prefix &&
        (step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && c->is_start)))
        buf_add_str(out, step->replacement);
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.ptr[i] == ' ')
            buf_add_str(out, step->replacement);
        else
            buf_addc(out, piece.ptr[i]);
    }
    c->text = buf_str(out);
    if (!step->splits)
        return hand_on(c, 0, c->text.len);
    c->behavior = SPLIT_MERGED_WITH_NEXT;
    return cut_by_pattern(c, &(struct matcher){.kind = MATCH_LITERAL, .literal = step->replacement},
                          false);
}

/* Rewrites one word in the alphabet of bytes, unless the model reads bytes. */
static bool hand_on_bytes(const struct pre_run *r, int i, struct str word, bool is_start)
{
    struct buf *out = &r->s->rewritten[i];

    if (r->p->gives_bytes)
        return r->fn(r->ctx, word, r->e);
    buf_reset(out);
    bytes_to_chars(word, out);
    return run_step(r, i + 1, buf_str(out), is_start);
}

static bool run_byte_level(const struct pre_run *r, int i, struct str piece, bool is_start)
{
    const struct pre_step *step = &r->p->steps[i];
    struct buf prefixed = {0};
    bool ok = true;

    if (step->add_prefix_space && piece.ptr[0] != ' ') {
        buf_addc(&prefixed, ' ');
        buf_add_str(&prefixed, piece);
        piece = buf_str(&prefixed);
    }
    if (!step->use_regex) {
        ok = hand_on_bytes(r, i, piece, is_start);
    } else {
        for (size_t from = 0; ok && from < piece.len;) {
            size_t to = match_known(MATCH_GPT2, piece, from);

            ok = hand_on_bytes(r, i, str_slice(piece, from, to), is_start && from == 0);
            from = to;
        }
    }
    buf_clear(&prefixed);
    return ok;
}

static bool run_step(const struct pre_run *r, int i, struct str piece, bool is_start)
{
    struct cutter c = {.run = r, .next_step = i + 1, .text = piece, .is_start = is_start};
    const struct pre_step *step;

    if (i == r->p->n_steps)
        return r->fn(r->ctx, piece, r->e);
    step = &r->p->steps[i];
    c.behavior = step->behavior;
    switch (step->type) {
    case PRE_SPLIT:
        return run_split(&c, step);
    case PRE_BYTE_LEVEL:
        return run_byte_level(r, i, piece, is_start);
    case PRE_DIGITS:
        return cut_by_class(&c, char_is_number);
    case PRE_WHITESPACE:
        return cut_whitespace(&c);
    case PRE_WHITESPACE_SPLIT:
        return cut_by_class(&c, char_is_space);
    case PRE_METASPACE:
        return run_metaspace(&c, step, &r->s->rewritten[i]);
    case PRE_PUNCTUATION:
        return cut_by_class(&c, char_is_punctuation);
    }
    return false;
}

bool pretokenizer_run(const struct pretokenizer *p, struct pre_scratch *s, struct str piece,
                      bool is_start, pre_word *fn, void *ctx, struct err *e)
{
    struct pre_run r = {p, s, fn, ctx, e};

    return piece.len == 0 || run_step(&r, 0, piece, is_start);
}
