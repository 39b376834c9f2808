/* encode.c - text to ids: added tokens are cut out, the rest is normalized, searched again, cut
 * into words, and each word goes to the model.
 *
 * Words repeat, so an encoder remembers the ids of short ones. The memory is an array of equal
 * entries where a word's hash gives its place, and a newer word takes the place of an older:
 * nothing is ever searched or freed, and results do not depend on what is remembered. */
#include "tokenizer/internal.h"

#include "tokenizer/chars.h"

#define TEXT_MAX     (32u << 20)
#define CACHE_BITS   14
#define CACHED_BYTES 30
#define CACHED_IDS   8

struct cached_word {    /* one line of the processor's cache */
    uint8_t len, n_ids; /* len 0: free */
    char bytes[CACHED_BYTES];
    int32_t ids[CACHED_IDS];
};

struct encoder {
    const struct tokenizer *t; /* of the call under way */
    struct token_buf *out;
    struct regex_scratch *regex;
    struct normal_scratch normal;
    struct pre_scratch pre;
    struct bpe_scratch bpe;
    struct unigram_scratch unigram;
    struct cached_word *cache; /* [1 << CACHE_BITS] */
    struct encoder *next;      /* in the pool */
};

static struct encoder *encoder_open(void)
{
    struct encoder *x = xcalloc(1, sizeof(*x));

    x->regex = regex_scratch_open();
    x->normal.regex = x->pre.regex = x->regex;
    x->cache = xcalloc(1u << CACHE_BITS, sizeof(*x->cache));
    return x;
}

static void encoder_close(struct encoder *x)
{
    regex_scratch_close(x->regex);
    normal_scratch_clear(&x->normal);
    pre_scratch_clear(&x->pre);
    bpe_scratch_clear(&x->bpe);
    unigram_scratch_clear(&x->unigram);
    free(x->cache);
    free(x);
}

struct encoder_pool *encoder_pool_open(void)
{
    struct encoder_pool *p = xcalloc(1, sizeof(*p));

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void encoder_pool_close(struct encoder_pool *p)
{
    if (!p)
        return;
    while (p->free) {
        struct encoder *x = p->free;

        p->free = x->next;
        encoder_close(x);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct encoder *encoder_take(struct encoder_pool *p)
{
    struct encoder *x;

    pthread_mutex_lock(&p->lock);
    x = p->free;
    if (x)
        p->free = x->next;
    pthread_mutex_unlock(&p->lock);
    return x ? x : encoder_open();
}

static void encoder_give(struct encoder_pool *p, struct encoder *x)
{
    pthread_mutex_lock(&p->lock);
    x->next = p->free;
    p->free = x;
    pthread_mutex_unlock(&p->lock);
}

/* --- Words ------------------------------------------------------------------------------------ */

static bool encode_word(struct encoder *x, struct str word, struct err *e)
{
    struct cached_word *c;
    size_t was = x->out->n;

    if (x->t->model_type == MODEL_UNIGRAM)
        return unigram_encode(&x->t->unigram, &x->unigram, word, x->out, e);
    if (word.len > CACHED_BYTES) {
        bpe_encode(&x->t->bpe, &x->bpe, word, x->out);
        return true;
    }
    c = &x->cache[vocab_hash(word.ptr, word.len) >> (64 - CACHE_BITS)];
    if (c->len == word.len && memcmp(c->bytes, word.ptr, word.len) == 0) {
        for (int i = 0; i < c->n_ids; i++)
            token_buf_add(x->out, c->ids[i]);
        return true;
    }
    bpe_encode(&x->t->bpe, &x->bpe, word, x->out);
    if (x->out->n - was <= CACHED_IDS) {
        c->len = (uint8_t)word.len;
        c->n_ids = (uint8_t)(x->out->n - was);
        memcpy(c->bytes, word.ptr, word.len);
        if (c->n_ids)
            memcpy(c->ids, x->out->ids + was, c->n_ids * sizeof(*c->ids));
    }
    return true;
}

/* Where no merge crosses the place before U+2581 after another character, the stretches between are
 * words of their own: merges in one do not see those in another. */
static bool encode_at_blanks(struct encoder *x, struct str word, struct err *e)
{
    size_t from = 0, at = 0;

    while (at < word.len) {
        const char *blank = memmem(word.ptr + at, word.len - at, "\xE2\x96\x81", 3);
        size_t cut = blank ? (size_t)(blank - word.ptr) : word.len;
        bool after_blank = cut >= 3 && memcmp(word.ptr + cut - 3, "\xE2\x96\x81", 3) == 0;

        if (cut > from && !(blank && after_blank)) {
            if (!encode_word(x, str_slice(word, from, cut), e))
                return false;
            from = cut;
        }
        at = cut + 3;
    }
    return from >= word.len || encode_word(x, str_slice(word, from, word.len), e);
}

static bool on_word(void *ctx, struct str word, struct err *e)
{
    struct encoder *x = ctx;

    if (x->t->model_type == MODEL_BPE && x->t->bpe.cuts_at_blanks && !x->t->bpe.reads_bytes &&
        word.len > CACHED_BYTES)
        return encode_at_blanks(x, word, e);
    return encode_word(x, word, e);
}

/* --- Pieces ----------------------------------------------------------------------------------- */

/* A piece of the text without raw added tokens. */
static bool encode_piece(struct encoder *x, struct str piece, bool is_start, bool skip_special,
                         struct err *e)
{
    const struct tokenizer *t = x->t;
    struct added_walk walk;
    struct str normal, part;
    bool keeps_start;
    int32_t id;

    if (!normalizer_run(&t->normalizer, &x->normal, piece, &normal, &keeps_start, e))
        return false;
    walk = added_walk(&t->added, &t->added.normalized, normal, skip_special);
    while (added_next(&walk, &part, &id)) {
        bool begins = is_start && keeps_start && part.ptr == normal.ptr;

        if (id >= 0)
            token_buf_add(x->out, id);
        else if (!pretokenizer_run(&t->pre, &x->pre, part, begins, on_word, x, e))
            return false;
    }
    return true;
}

static bool encode_text(struct encoder *x, struct str text, bool skip_special, struct err *e)
{
    struct added_walk walk = added_walk(&x->t->added, &x->t->added.raw, text, skip_special);
    struct str part;
    int32_t id;

    while (added_next(&walk, &part, &id)) {
        if (id >= 0)
            token_buf_add(x->out, id);
        else if (!encode_piece(x, part, part.ptr == text.ptr, skip_special, e))
            return false;
    }
    return true;
}

static void add_all(struct token_buf *out, const struct token_buf *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        token_buf_add(out, ids->ids[i]);
}

bool tokenizer_encode(const struct tokenizer *t, struct str text, unsigned flags,
                      struct token_buf *out, struct err *e)
{
    struct encoder *x;
    size_t was = out->n;
    bool ok;

    if (text.len > TEXT_MAX)
        return err_set(e, ERR_INPUT, "a text of %zu bytes is too long to encode; at most %u",
                       text.len, TEXT_MAX);
    if (!text_is_utf8(text))
        return err_set(e, ERR_INPUT, "the text is not UTF-8");
    x = encoder_take(t->pool);
    x->t = t;
    x->out = out;
    if (flags & ENCODE_ADD_SPECIAL)
        add_all(out, &t->prefix);
    ok = encode_text(x, text, !(flags & ENCODE_PARSE_SPECIAL), e);
    if (ok && flags & ENCODE_ADD_SPECIAL)
        add_all(out, &t->suffix);
    if (!ok)
        out->n = was;
    encoder_give(t->pool, x);
    return ok;
}
