/* detok.c - decoding, token by token.
 *
 * Each stage takes what the one before it gives: whole tokens until a stage joins them, chunks of
 * one long token after that. A stage holds back what a later token may still change: ByteLevel
 * bytes of an unfinished character ByteFallback  the run of <0xNN> tokens, since one bad byte
 * spoils the whole run Replace       after a join, everything, unless the pattern is one character
 *   Strip         after a join, everything if it strips at the end
 * At the end each stage in turn gives what it held. */
#include "tokenizer/chars.h"
#include "tokenizer/decode_stage.h"
#include "tokenizer/internal.h"

#define REPLACEMENT "\xEF\xBF\xBD"

struct stage_state {
    struct buf held, made; /* made: what is handed on, for the call */
    int64_t n_tokens;      /* that came in; after a join, 1 once anything came */
    int64_t n_stripped;    /* Strip at the beginning; -1: that is over */
};

struct detok_state {
    struct regex_scratch *regex;
    struct buf *out; /* of the call under way */
    struct err *e;
    struct stage_state stages[]; /* [n_stages] */
};

/* --- Stages on one token ---------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

int fallback_byte(struct str token)
{
    int high, low;

    if (token.len != 6 || memcmp(token.ptr, "<0x", 3) != 0 || token.ptr[5] != '>')
        return -1;
    high = token.ptr[3] == '+' ? 0 : hex_value(token.ptr[3]); /* Rust reads "+F" as a number too */
    low = hex_value(token.ptr[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void stage_metaspace(const struct decode_stage *s, struct str text, bool is_first, struct buf *out)
{
    size_t n;

    for (size_t i = 0; i < text.len; i += n) {
        char_at(text.ptr + i, &n);
        if (n != s->character.len || memcmp(text.ptr + i, s->character.ptr, n) != 0)
            buf_add(out, text.ptr + i, n);
        else if (!is_first || !s->drops_first)
            buf_addc(out, ' ');
    }
}

bool stage_replace(const struct decode_stage *s, struct regex_scratch *regex, struct str token,
                   struct buf *out, struct err *e)
{
    struct match_iter it = {0};
    enum regex_found found = REGEX_NONE;
    size_t copied = 0;

    while (token.len && (found = matcher_next(&s->pattern, regex, token, &it, e)) == REGEX_MATCH) {
        buf_add(out, token.ptr + copied, it.start - copied);
        buf_add_str(out, s->content);
        copied = it.end;
    }
    buf_add(out, token.ptr + copied, token.len - copied);
    return found != REGEX_FAILED;
}

/* True when s begins, from its start or its end, with the character. */
static bool begins(struct str s, struct str character)
{
    return s.len >= character.len && memcmp(s.ptr, character.ptr, character.len) == 0;
}

static bool ends(struct str s, struct str character)
{
    return s.len >= character.len &&
           memcmp(s.ptr + s.len - character.len, character.ptr, character.len) == 0;
}

struct str stage_strip(const struct decode_stage *s, struct str token)
{
    for (int64_t i = 0; i < s->n_start && begins(token, s->character); i++)
        token = str_slice(token, s->character.len, token.len);
    for (int64_t i = 0; i < s->n_stop && ends(token, s->character); i++)
        token.len -= s->character.len;
    return token;
}

/* --- The row of stages ------------------------------------------------------------------------ */

static bool put(struct detok *d, int i, struct str text);

/* A run of bytes from <0xNN>: their text if they are UTF-8, else one U+FFFD each. */
static bool give_run(struct detok *d, int i)
{
    struct stage_state *x = &d->state->stages[i];
    size_t n = x->held.len;
    bool ok = true;

    if (!n)
        return true;
    if (utf8_valid(buf_str(&x->held))) {
        ok = put(d, i + 1, buf_str(&x->held));
    } else {
        for (size_t k = 0; ok && k < n; k++)
            ok = put(d, i + 1, STR(REPLACEMENT));
    }
    buf_reset(&x->held);
    return ok;
}

static bool put_fallback(struct detok *d, int i, struct str token)
{
    int byte = fallback_byte(token);

    if (byte < 0)
        return give_run(d, i) && put(d, i + 1, token);
    buf_addc(&d->state->stages[i].held, (char)byte);
    return true;
}

/* Gives the finished characters of what is held; all of it at the end. */
static bool give_bytes(struct detok *d, int i, bool is_end)
{
    struct stage_state *x = &d->state->stages[i];
    size_t n_left = is_end ? 0 : utf8_unfinished(buf_str(&x->held)), n = x->held.len - n_left;
    bool ok = true;

    if (!n)
        return true;
    buf_reset(&x->made);
    utf8_repair(&x->made, (struct str){x->held.ptr, n});
    ok = put(d, i + 1, buf_str(&x->made));
    memmove(x->held.ptr, x->held.ptr + n, n_left);
    x->held.len = n_left;
    return ok;
}

static bool put_byte_level(struct detok *d, int i, struct str token)
{
    struct buf *held = &d->state->stages[i].held;

    if (!bytes_from_chars(token, held))
        buf_add_str(held, token);
    return give_bytes(d, i, false);
}

/* A stage that works on one whole token, given that token. */
static bool run_stage(struct detok *d, int i, struct str token)
{
    const struct decode_stage *s = &d->t->decoder.stages[i];
    struct stage_state *x = &d->state->stages[i];
    bool is_first = x->n_tokens++ == 0;

    buf_reset(&x->made);
    switch (s->type) {
    case DECODE_BYTE_LEVEL:
        return put_byte_level(d, i, token);
    case DECODE_BYTE_FALLBACK:
        return put_fallback(d, i, token);
    case DECODE_METASPACE:
        stage_metaspace(s, token, is_first, &x->made);
        return put(d, i + 1, buf_str(&x->made));
    case DECODE_REPLACE:
        return stage_replace(s, d->state->regex, token, &x->made, d->state->e) &&
               put(d, i + 1, buf_str(&x->made));
    case DECODE_STRIP:
        return put(d, i + 1, stage_strip(s, token));
    case DECODE_JOIN:
        return (is_first || put(d, i + 1, STR(" "))) && put(d, i + 1, token);
    case DECODE_FUSE:
        return put(d, i + 1, token);
    }
    return false;
}

/* A stage whose whole input is one token need not wait for its end when it works character by
 * character. */
static bool can_stream(const struct decode_stage *s)
{
    size_t n = 0;

    switch (s->type) {
    case DECODE_METASPACE:
    case DECODE_FUSE:
        return true;
    case DECODE_REPLACE:
        if (s->pattern.kind != MATCH_LITERAL || !s->pattern.literal.len)
            return false;
        char_at(s->pattern.literal.ptr, &n);
        return n == s->pattern.literal.len;
    case DECODE_STRIP:
        return s->n_stop == 0;
    default:
        return false;
    }
}

/* Strip at the beginning of a text that comes in chunks. */
static bool put_stripped(struct detok *d, int i, struct str chunk)
{
    const struct decode_stage *s = &d->t->decoder.stages[i];
    struct stage_state *x = &d->state->stages[i];

    while (x->n_stripped >= 0 && chunk.len) {
        if (x->n_stripped == s->n_start || !begins(chunk, s->character)) {
            x->n_stripped = -1;
        } else {
            chunk = str_slice(chunk, s->character.len, chunk.len);
            x->n_stripped++;
        }
    }
    return put(d, i + 1, chunk);
}

static bool put(struct detok *d, int i, struct str text)
{
    const struct decode_stage *s = &d->t->decoder.stages[i];

    if (i == d->t->decoder.n_stages) {
        buf_add_str(d->state->out, text);
        return true;
    }
    if (!s->is_fused)
        return run_stage(d, i, text);
    if (s->type == DECODE_STRIP && can_stream(s))
        return put_stripped(d, i, text);
    if (can_stream(s)) {
        d->state->stages[i].n_tokens = 0; /* still the first token */
        return run_stage(d, i, text);
    }
    buf_add_str(&d->state->stages[i].held, text);
    return true;
}

static bool end_stage(struct detok *d, int i)
{
    const struct decode_stage *s = &d->t->decoder.stages[i];
    struct stage_state *x = &d->state->stages[i];
    struct buf whole = {0};
    bool ok = true;

    if (s->is_fused && !can_stream(s) && x->held.len) {
        whole = x->held;
        x->held = (struct buf){0};
        ok = run_stage(d, i, buf_str(&whole));
        buf_clear(&whole);
    }
    if (ok && s->type == DECODE_BYTE_FALLBACK)
        ok = give_run(d, i);
    if (ok && s->type == DECODE_BYTE_LEVEL)
        ok = give_bytes(d, i, true);
    buf_reset(&x->held);
    x->n_tokens = x->n_stripped = 0;
    return ok;
}

/* --- Public ----------------------------------------------------------------------------------- */

void detok_init(struct detok *d, const struct tokenizer *t, bool skip_special)
{
    size_t n = (size_t)t->decoder.n_stages;

    *d = (struct detok){.t = t, .skip_special = skip_special};
    d->state = xcalloc(1, sizeof(*d->state) + n * sizeof(d->state->stages[0]));
    d->state->regex = regex_scratch_open();
}

void detok_clear(struct detok *d)
{
    if (!d->state)
        return;
    for (int i = 0; i < d->t->decoder.n_stages; i++) {
        buf_clear(&d->state->stages[i].held);
        buf_clear(&d->state->stages[i].made);
    }
    regex_scratch_close(d->state->regex);
    free(d->state);
    *d = (struct detok){0};
}

static bool check_room(const struct detok *d, struct err *e)
{
    bool failed = d->state->out->failed;

    for (int i = 0; i < d->t->decoder.n_stages; i++)
        failed |= d->state->stages[i].held.failed | d->state->stages[i].made.failed;
    return !failed || err_set(e, ERR_MEMORY, "the decoded text is too long");
}

bool detok_add(struct detok *d, int32_t id, struct buf *out, struct err *e)
{
    const struct tokenizer *t = d->t;
    const struct decoder *decoder = &t->decoder;
    bool ok;

    if (!vocab_has(&t->vocab, id, VOCAB_PRESENT) ||
        (d->skip_special && vocab_has(&t->vocab, id, VOCAB_SPECIAL)))
        return true;
    d->state->out = out;
    d->state->e = e;
    if (decoder->n_stages == 1 && decoder->stages[0].type == DECODE_BYTE_LEVEL) {
        /* The piece is the stage's work done; with more stages it would be theirs too. */
        buf_add_str(&d->state->stages[0].held, tokenizer_piece(t, id));
        ok = give_bytes(d, 0, false);
    } else {
        ok = put(d, 0, vocab_content(&t->vocab, id));
    }
    return ok && check_room(d, e);
}

bool detok_finish(struct detok *d, struct buf *out, struct err *e)
{
    bool ok = true;

    d->state->out = out;
    d->state->e = e;
    for (int i = 0; ok && i < d->t->decoder.n_stages; i++)
        ok = end_stage(d, i);
    return ok && check_room(d, e);
}

bool tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                      struct buf *out, struct err *e)
{
    struct detok d;
    bool ok = true;

    detok_init(&d, t, skip_special);
    for (size_t i = 0; ok && i < n; i++)
        ok = detok_add(&d, ids[i], out, e);
    ok = ok && detok_finish(&d, out, e);
    detok_clear(&d);
    return ok;
}
