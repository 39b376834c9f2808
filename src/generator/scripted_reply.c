/* scripted_reply.c - scripts and rules. Every choice of a rule is a hash of prompt and seed. */
#include "generator/scripted_reply.h"

#include <inttypes.h>
#include <math.h>
#include <regex.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"
#include "formats/json.h"
#include "formats/jsonl.h"

enum match_kind { MATCH_TURN, MATCH_WHOLE, MATCH_PART, MATCH_REGEX };

struct row {
    enum match_kind kind;
    struct str text;
    regex_t regex;
    const struct json *json;
};

struct answer {
    struct str prompt, gold;
};

struct reply_book {
    struct arena arena;
    bool is_echo;
    double accuracy;
    int reply_tokens;
    struct row *rows;
    int n_rows, n_turns, next_turn;
    struct answer *answers;
    int n_answers;
    struct map whole_prompts; /* prompt -> index in answers */
};

/* --- Reading. --------------------------------------------------------------------------------- */

static void close_tree(void *tree)
{
    json_close(tree);
}

static void close_regex(void *regex)
{
    regfree(regex);
}

typedef bool take_object(struct reply_book *b, const struct json *row, struct err *e);

/* Every line of a JSONL file as an object, in the book's arena; *room counts them beforehand. */
static bool each_object(struct reply_book *b, const char *path, take_object *take, struct err *e)
{
    struct file_map file;
    struct jsonl lines;
    struct str line;
    bool ok = true;

    if (!file_map_open(path, &file, e))
        return false;
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    while (ok && jsonl_next(&lines, &line)) {
        struct json *v = json_parse(line, e);

        if (v)
            arena_on_clear(&b->arena, close_tree, v);
        ok = v &&
             (json_type(v) == JSON_OBJECT ||
              err_set(e, ERR_INPUT, "%s found, an object expected", json_type_name(json_type(v))));
        ok = ok && take(b, v, e);
        if (!ok)
            err_prefix(e, "%s:%zu", path, lines.line_no);
    }
    file_map_close(&file);
    return ok;
}

/* Room for one item more in an array of the arena, which doubles. */
static void *grow(struct arena *a, void *items, int n, size_t size)
{
    void *more;

    if (n & (n - 1) || (n == 0 && items))
        return items;
    more = arena_array(a, n == 0 ? 1 : 2 * (size_t)n, size);
    if (n > 0)
        memcpy(more, items, (size_t)n * size);
    return more;
}

static bool take_row(struct reply_book *b, const struct json *v, struct err *e)
{
    static const struct {
        const char *key;
        enum match_kind kind;
    } kinds[] = {{"prompt", MATCH_WHOLE}, {"contains", MATCH_PART}, {"regex", MATCH_REGEX}};
    struct row *row;
    enum json_type type = json_type(json_get(v, "reply"));

    if (type != JSON_STRING && (type != JSON_ARRAY || json_len(json_get(v, "reply")) == 0))
        return err_set(e, ERR_INPUT, "\"reply\" must be a string or a list of strings, found %s",
                       json_type_name(type));
    b->rows = grow(&b->arena, b->rows, b->n_rows, sizeof(*row));
    row = &b->rows[b->n_rows++];
    *row = (struct row){.kind = MATCH_TURN, .json = v};
    for (size_t i = 0; i < LEN(kinds); i++) {
        const struct json *text = json_get(v, kinds[i].key);

        if (!text)
            continue;
        if (json_type(text) != JSON_STRING || row->kind != MATCH_TURN)
            return err_set(e, ERR_INPUT,
                           "give one of \"prompt\", \"contains\" and \"regex\", as a string");
        row->kind = kinds[i].kind;
        row->text = json_str(text);
    }
    if (row->kind == MATCH_REGEX) {
        regex_t *re = arena_new(&b->arena, regex_t);

        if (regcomp(re, row->text.ptr, REG_EXTENDED | REG_NOSUB) != 0)
            return err_set(e, ERR_INPUT,
                           "\"regex\" is not a POSIX extended regular expression: " STR_FMT,
                           STR_ARG(str_slice(row->text, 0, 200)));
        row->regex = *re;
        arena_on_clear(&b->arena, close_regex, re);
    }
    b->n_turns += row->kind == MATCH_TURN;
    return true;
}

/* The gold answer as text; GSM8K writes it after "####". */
static struct str gold_text(struct arena *a, const struct json *v)
{
    struct str s = json_str(v);
    ptrdiff_t at = str_rfind(s, STR("####"));

    if (json_type(v) == JSON_INT)
        return str_fmt(a, "%" PRId64, json_int(v, 0));
    return at < 0 ? str_trim(s) : str_trim(str_slice(s, (size_t)at + 4, s.len));
}

static bool take_answer(struct reply_book *b, const struct json *v, struct err *e)
{
    struct str prompt = json_str(json_get(v, "prompt"));
    const struct json *gold = json_get(v, "answer");

    if (prompt.len == 0 || (json_type(gold) != JSON_STRING && json_type(gold) != JSON_INT))
        return err_set(
            e, ERR_INPUT,
            "an answers file needs \"prompt\" (a string) and \"answer\" (a string or integer)");
    b->answers = grow(&b->arena, b->answers, b->n_answers, sizeof(*b->answers));
    b->answers[b->n_answers] = (struct answer){prompt, gold_text(&b->arena, gold)};
    map_add(&b->whole_prompts, str_trim(prompt), b->n_answers, NULL);
    b->n_answers++;
    return true;
}

struct reply_book *reply_book_open(const struct reply_book_opts *o, struct err *e)
{
    struct reply_book *b = xcalloc(1, sizeof(*b));

    arena_init(&b->arena, 0);
    map_init(&b->whole_prompts);
    b->accuracy = o->accuracy;
    b->reply_tokens = o->reply_tokens;
    b->is_echo = strcmp(o->rule, "echo") == 0;
    if (o->script && o->script[0] && !each_object(b, o->script, take_row, e))
        goto fail;
    for (int i = 0; i < o->answers.n; i++)
        if (!each_object(b, o->answers.items[i], take_answer, e))
            goto fail;
    return b;

fail:
    reply_book_close(b);
    return NULL;
}

void reply_book_close(struct reply_book *b)
{
    if (!b)
        return;
    map_clear(&b->whole_prompts);
    arena_clear(&b->arena);
    free(b);
}

/* --- Answering. ------------------------------------------------------------------------------- */

/* A number in [0, 1) for one of the choices that a reply is made of. */
static double draw(struct str prompt, uint64_t seed, uint64_t choice)
{
    return (double)(siphash64(seed, choice, prompt.ptr, prompt.len) >> 11) * 0x1p-53;
}

static const struct answer *answer_to(const struct reply_book *b, struct str prompt)
{
    int64_t i = map_find(&b->whole_prompts, str_trim(prompt));

    if (i >= 0)
        return &b->answers[i];
    for (int k = 0; k < b->n_answers; k++)
        if (str_find(prompt, str_trim(b->answers[k].prompt), 0) >= 0)
            return &b->answers[k];
    return NULL;
}

/* A thousand words' worth of reasoning, for readers of logs to see that it goes on. */
static void reason(struct buf *out, struct str prompt, uint64_t seed, int n_bytes)
{
    static const char *const steps[] = {
        "Let me set x = %d and see what follows.",
        "Then %d must divide the sum, so we can reduce.",
        "Wait, that would give %d, which is too large; check again.",
        "By symmetry — the other case — the count is %d.",
        "So far the total is %d, and one case remains.",
        "Modulo %d this is 0, hence the claim \xe2\x88\x80n.",
    };
    size_t start = out->len;

    for (uint64_t i = 0; out->len - start < (size_t)n_bytes; i++) {
        uint64_t h = siphash64(seed, 100 + i, prompt.ptr, MIN(prompt.len, 64));
        char line[160];
        int n = snprintf(line, sizeof(line), steps[h % LEN(steps)], (int)(h >> 32) % 1000 + 1000);

        buf_add(out, line, (size_t)n);
        buf_addc(out, i % 4 == 3 ? '\n' : ' ');
    }
}

/* Right with probability u^((1 - a) / a), u fixed for a problem: easy and hard ones, with mean a.
 */
static bool is_right(const struct reply_book *b, struct str prompt, uint64_t seed)
{
    double ease;

    if (b->accuracy <= 0)
        return false;
    ease = pow(draw(prompt, 0, 1), (1 - b->accuracy) / b->accuracy);
    return draw(prompt, seed, 2) < ease;
}

static struct str by_aime_rule(const struct reply_book *b, struct str prompt, uint64_t seed,
                               struct arena *a)
{
    const struct answer *known = answer_to(b, prompt);
    struct str problem = known ? known->prompt : prompt, text;
    struct buf out = {0};
    /* Lengths are exponential with a cap of eight means: a long tail, as real reasoning has. A
     * token is about 3 bytes. */
    double n_tokens = -log1p(-draw(problem, seed, 3)) * b->reply_tokens;
    int guess = (int)(draw(problem, seed, 4) * 1000);
    int64_t gold;

    buf_addz(&out, "<think>\n");
    reason(&out, problem, seed, (int)(3 * MIN(n_tokens, 8.0 * b->reply_tokens)));
    buf_addz(&out, "\n</think>\n\nThe answer is \\boxed{");
    if (known && is_right(b, problem, seed)) {
        buf_add_str(&out, known->gold);
    } else {
        if (known && parse_i64(known->gold, &gold) && gold == guess)
            guess = (guess + 1) % 1000;
        buf_addf(&out, "%d", guess);
    }
    buf_addz(&out, "}.");
    text = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return text;
}

static struct reply by_row(const struct row *row, struct str prompt, uint64_t seed, struct arena *a)
{
    const struct json *reply = json_get(row->json, "reply");
    struct str reasoning = json_str(json_get(row->json, "reasoning"));
    struct reply out = {
        .is_cut = str_eqz(json_str(json_get(row->json, "finish_reason")), "length"),
        .fault = json_str(json_get(row->json, "fault")),
    };

    if (json_type(reply) == JSON_ARRAY)
        reply = json_at(reply, (size_t)(draw(prompt, seed, 5) * (double)json_len(reply)));
    out.text = json_str(reply);
    if (reasoning.len > 0)
        out.text = str_fmt(a, "<think>\n" STR_FMT "\n</think>\n\n" STR_FMT, STR_ARG(reasoning),
                           STR_ARG(out.text));
    return out;
}

static bool row_matches(const struct row *row, struct str prompt)
{
    switch (row->kind) {
    case MATCH_WHOLE:
        return str_eq(row->text, prompt);
    case MATCH_PART:
        return str_find(prompt, row->text, 0) >= 0;
    case MATCH_REGEX:
        return regexec(&row->regex, prompt.ptr, 0, NULL, 0) == 0;
    case MATCH_TURN:
        break;
    }
    return false;
}

struct reply reply_book_find(struct reply_book *b, struct str prompt, uint64_t seed,
                             struct arena *a)
{
    struct str z = str_dup(a, prompt); /* regexec wants a NUL */
    int turn = b->next_turn;

    for (int i = 0; i < b->n_rows; i++)
        if (row_matches(&b->rows[i], z))
            return by_row(&b->rows[i], z, seed, a);
    if (b->n_turns > 0) {
        b->next_turn = (b->next_turn + 1) % b->n_turns;
        for (int i = 0; i < b->n_rows; i++)
            if (b->rows[i].kind == MATCH_TURN && turn-- == 0)
                return by_row(&b->rows[i], z, seed, a);
    }
    if (b->is_echo)
        return (struct reply){.text = z};
    return (struct reply){.text = by_aime_rule(b, z, seed, a)};
}
