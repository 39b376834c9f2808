/* bpe.c - merging.
 *
 * Short words keep the rank of every neighbouring pair in an array and look for the smallest by
 * walking over it. Long ones use a heap of (rank, position); an entry is stale when the pair at its
 * position has another rank by now, since a symbol only ever grows. Both merge in the same order.
 */
#include "tokenizer/bpe.h"

#include "base/arena.h"
#include "tokenizer/chars.h"
#include "tokenizer/fields.h"

#define SHORT_WORD 48 /* symbols; measured: the walk is quicker up to about here */
#define NO_PAIR    UINT64_MAX
#define NO_RANK    INT32_MAX

struct bpe_symbol {
    int32_t id, prev, next; /* next -1: the last */
    int32_t rank, new_id;   /* of the pair with the next; NO_RANK: none, or the symbol is gone */
};

/* --- The table of merges ---------------------------------------------------------------------- */

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static uint32_t slot_of(const struct bpe *b, uint64_t pair)
{
    return (uint32_t)((pair * 0x9E3779B97F4A7C15u ^ pair >> 29) * 0xD6E8FEB86659FD93u >> b->shift);
}

static const struct bpe_merge *find_merge(const struct bpe *b, int32_t left, int32_t right)
{
    uint64_t pair = pair_of(left, right);
    uint32_t i = slot_of(b, pair);

    for (;; i = (i + 1) & (b->n_slots - 1)) {
        if (b->merges[i].pair == pair)
            return &b->merges[i];
        if (b->merges[i].pair == NO_PAIR)
            return NULL;
    }
}

/* The last of equal pairs counts, as in the published reader. */
static void put_merge(struct bpe *b, struct bpe_merge merge)
{
    uint32_t i = slot_of(b, merge.pair);

    while (b->merges[i].pair != NO_PAIR && b->merges[i].pair != merge.pair)
        i = (i + 1) & (b->n_slots - 1);
    b->merges[i] = merge;
}

static void size_merges(struct bpe *b, size_t n)
{
    b->n_slots = 16;
    b->shift = 60;
    while (b->n_slots < n + n / 2) {
        b->n_slots *= 2;
        b->shift--;
    }
    b->merges = xmalloc(b->n_slots * sizeof(*b->merges));
    memset(b->merges, 0xFF, b->n_slots * sizeof(*b->merges));
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool read_vocab(struct str file, struct str part, struct vocab *vocab, struct err *e)
{
    struct scan s = scan_init(file, part);
    struct str content;
    int64_t id;
    bool ok = scan_expect(&s, '{', e);

    vocab_reserve(vocab, part.len / 24, part.len / 3);
    if (ok && !scan_take(&s, '}')) {
        do {
            ok = scan_string(&s, &content, e) && scan_expect(&s, ':', e) && scan_int(&s, &id, e) &&
                 vocab_add(vocab, content, id, VOCAB_MODEL, e);
        } while (ok && scan_take(&s, ','));
        ok = ok && scan_expect(&s, '}', e) && scan_end(&s, e);
    }
    scan_clear(&s);
    err_prefix(e, "model: vocab");
    return ok;
}

/* Merges are read a few ahead of being looked up, so that memory is fetched meanwhile. */
#define AHEAD 16

struct merge_reader {
    struct bpe *b;
    struct read_merge {
        struct str left, right; /* in the file */
        uint32_t left_hash, right_hash;
        int32_t rank;
    } ahead[AHEAD];
    int n_ahead;
    int32_t rank;
    int32_t last_id; /* of the merge before: the next one often makes the next token */
    bool crosses_blank;
    struct buf joined;
};

static bool missing(struct str token, const char *what, struct err *e)
{
    return err_set(e, ERR_INPUT, "%s \"%.*s\" is not in the vocabulary", what,
                   (int)MIN(token.len, 80), token.ptr);
}

static const struct str blank = STR_LIT("\xE2\x96\x81");

static bool crosses_blank(struct str left, struct str right)
{
    return str_starts(right, blank.ptr) && !str_ends(left, blank.ptr);
}

static bool is_joined(struct str whole, struct str left, struct str right)
{
    return whole.len == left.len + right.len && memcmp(whole.ptr, left.ptr, left.len) == 0 &&
           memcmp(whole.ptr + left.len, right.ptr, right.len) == 0;
}

static int32_t in_model(const struct vocab *v, int32_t id)
{
    return vocab_has(v, id, VOCAB_MODEL) ? id : -1;
}

static bool add_merge(struct merge_reader *r, const struct read_merge *m, struct err *e)
{
    const struct vocab *vocab = r->b->vocab;
    struct bpe_merge merge = {.rank = m->rank};
    int32_t left_id = in_model(vocab, vocab_find_hashed(vocab, m->left, m->left_hash));
    int32_t right_id = in_model(vocab, vocab_find_hashed(vocab, m->right, m->right_hash));
    struct str tail = str_slice(m->right, r->b->prefix.len, m->right.len);

    if (left_id < 0)
        return missing(m->left, "the merge's left part", e);
    if (right_id < 0)
        return missing(m->right, "the merge's right part", e);
    merge.pair = pair_of(left_id, right_id);
    r->crosses_blank |= crosses_blank(m->left, m->right);
    merge.new_id = in_model(vocab, r->last_id + 1);
    if (merge.new_id < 0 || !is_joined(vocab_content(vocab, merge.new_id), m->left, tail)) {
        buf_reset(&r->joined);
        buf_add_str(&r->joined, m->left);
        buf_add_str(&r->joined, tail);
        merge.new_id = vocab_find_model(vocab, buf_str(&r->joined));
    }
    if (merge.new_id < 0)
        return missing(buf_str(&r->joined), "the merged token", e);
    r->last_id = merge.new_id;
    put_merge(r->b, merge);
    return true;
}

static bool add_all_ahead(struct merge_reader *r, struct err *e)
{
    int n = r->n_ahead;

    r->n_ahead = 0;
    for (int i = 0; i < n; i++)
        if (!add_merge(r, &r->ahead[i], e)) {
            err_prefix(e, "merge %d", r->ahead[i].rank + 1);
            return false;
        }
    return true;
}

static bool note_merge(struct merge_reader *r, struct str left, struct str right, struct err *e)
{
    struct read_merge *m = &r->ahead[r->n_ahead++];

    *m = (struct read_merge){left, right, (uint32_t)vocab_hash(left.ptr, left.len),
                             (uint32_t)vocab_hash(right.ptr, right.len), r->rank++};
    vocab_prefetch(r->b->vocab, m->left_hash);
    vocab_prefetch(r->b->vocab, m->right_hash);
    return r->n_ahead < AHEAD || add_all_ahead(r, e);
}

/* ["a", "b"] after the bracket. Strings with escapes are in no file, so the first is kept aside. */
static bool read_pair(struct scan *s, struct merge_reader *r, struct err *e)
{
    struct buf kept = {0};
    struct str left, right;
    bool is_kept, ok = scan_string(s, &left, e);

    is_kept = ok && left.ptr == s->unescaped.ptr;
    if (is_kept) {
        buf_add_str(&kept, left);
        left = buf_str(&kept);
    }
    ok = ok && scan_expect(s, ',', e) && scan_string(s, &right, e) && scan_expect(s, ']', e) &&
         note_merge(r, left, right, e);
    if (ok && (is_kept || right.ptr == s->unescaped.ptr))
        ok = add_all_ahead(r, e);
    buf_clear(&kept);
    return ok;
}

/* One merge, "a b" or ["a", "b"]. */
static bool read_merge(struct scan *s, struct merge_reader *r, struct err *e)
{
    struct str text, right;
    const char *gap;

    if (scan_take(s, '['))
        return read_pair(s, r, e);
    if (!scan_string(s, &text, e))
        return false;
    if (str_starts(text, "#version"))
        return true;
    gap = memchr(text.ptr, ' ', text.len);
    right = gap ? (struct str){gap + 1, (size_t)(text.ptr + text.len - gap) - 1} : text;
    if (!gap || memchr(right.ptr, ' ', right.len))
        return err_set(e, ERR_INPUT,
                       "merge %d: \"%.*s\" is not two tokens with one blank between them",
                       r->rank + 1, (int)MIN(text.len, 80), text.ptr);
    return note_merge(r, (struct str){text.ptr, (size_t)(gap - text.ptr)}, right, e) &&
           (text.ptr != s->unescaped.ptr || add_all_ahead(r, e));
}

static bool read_merges(struct str file, struct str part, struct bpe *b, struct err *e)
{
    struct scan s = scan_init(file, part);
    struct merge_reader r = {.b = b, .last_id = -2};
    size_t n = 0;
    bool ok = scan_expect(&s, '[', e);

    /* Each merge has a comma after it, or is the last. */
    for (const char *p = part.ptr, *end = p + part.len; (p = memchr(p, ',', (size_t)(end - p)));
         p++)
        n++;
    size_merges(b, MIN(n, part.len / 4) + 1);
    if (ok && !scan_take(&s, ']')) {
        do
            ok = read_merge(&s, &r, e);
        while (ok && scan_take(&s, ','));
        ok = ok && scan_expect(&s, ']', e) && scan_end(&s, e) && add_all_ahead(&r, e);
    }
    b->cuts_at_blanks = !r.crosses_blank && vocab_find_model(b->vocab, blank) >= 0;
    buf_clear(&r.joined);
    scan_clear(&s);
    err_prefix(e, "model: merges");
    return ok;
}

static bool read_options(const struct json *model, struct arena *a, struct bpe *b, struct str *unk,
                         struct err *e)
{
    const struct json *dropout = json_get(model, "dropout");
    struct str prefix = {"", 0}, suffix = {"", 0};

    if (!fields_check(
            model, "model",
            "dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk byte_fallback "
            "ignore_merges vocab merges",
            e))
        return false;
    if (json_type(dropout) != JSON_NULL && json_type(dropout) != JSON_ABSENT &&
        json_num(dropout, 1) != 0)
        return err_set(e, ERR_UNSUPPORTED,
                       "model: \"dropout\" makes encoding random and is not supported");
    if (!field_bool_opt(model, "fuse_unk", &b->fuse_unk, e) ||
        !field_bool_opt(model, "byte_fallback", &b->byte_fallback, e) ||
        !field_bool_opt(model, "ignore_merges", &b->ignore_merges, e) ||
        !field_str_opt(model, "unk_token", unk, e) ||
        !field_str_opt(model, "continuing_subword_prefix", &prefix, e) ||
        !field_str_opt(model, "end_of_word_suffix", &suffix, e)) {
        err_prefix(e, "model");
        return false;
    }
    b->prefix = str_dup(a, prefix);
    b->suffix = str_dup(a, suffix);
    return true;
}

static void find_bytes(struct bpe *b)
{
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        int n = utf8_encode(byte_to_char((unsigned char)byte), text);

        b->byte_ids[byte] = vocab_find_model(b->vocab, (struct str){text, (size_t)n});
        snprintf(text, sizeof(text), "<0x%02X>", byte);
        b->fallback_ids[byte] = vocab_find_model(b->vocab, STR(text));
    }
}

bool bpe_parse(const struct json *model, struct str file, const struct scan_parts *parts,
               struct arena *a, struct vocab *vocab, struct bpe *b, struct err *e)
{
    struct str unk = {NULL, 0};

    *b = (struct bpe){.vocab = vocab, .unk_id = -1};
    if (!parts->vocab.ptr || !parts->merges.ptr)
        return err_set(e, ERR_INPUT, "model: \"%s\" is missing",
                       parts->vocab.ptr ? "merges" : "vocab");
    if (!read_options(model, a, b, &unk, e) || !read_vocab(file, parts->vocab, vocab, e) ||
        !read_merges(file, parts->merges, b, e))
        return false;
    if (unk.ptr) {
        b->unk_id = vocab_find_model(vocab, unk);
        if (b->unk_id < 0)
            return missing(unk, "model: the unk_token", e);
    }
    if (b->prefix.len || b->suffix.len || b->ignore_merges || (unk.ptr && str_ends(unk, blank.ptr)))
        b->cuts_at_blanks = false;
    find_bytes(b);
    return true;
}

void bpe_clear(struct bpe *b)
{
    free(b->merges);
    b->merges = NULL;
}

bool bpe_read_bytes(struct bpe *b)
{
    for (int byte = 0; byte < 256; byte++) {
        bool occurs = byte != 0xC0 && byte != 0xC1 && byte < 0xF5; /* in UTF-8 */

        if (occurs && b->byte_ids[byte] < 0)
            return false;
    }
    b->reads_bytes = !b->prefix.len && !b->suffix.len;
    return b->reads_bytes;
}

/* --- The symbols of a word -------------------------------------------------------------------- */

void bpe_scratch_clear(struct bpe_scratch *s)
{
    free(s->symbols);
    free(s->heap);
    token_buf_clear(&s->first);
    buf_clear(&s->text);
}

/* The character's own token, decorated by its place in the word; -1: not in the vocabulary. text
 * gets what was looked up. */
static int32_t find_char(const struct bpe *b, struct str c, bool is_first, bool is_last,
                         struct buf *text)
{
    buf_reset(text);
    if (!is_first)
        buf_add_str(text, b->prefix);
    buf_add_str(text, c);
    if (is_last)
        buf_add_str(text, b->suffix);
    return vocab_find_model(b->vocab, buf_str(text));
}

static bool add_fallback(const struct bpe *b, struct str bytes, struct token_buf *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (b->fallback_ids[(unsigned char)bytes.ptr[i]] < 0)
            return false;
    for (size_t i = 0; i < bytes.len; i++)
        token_buf_add(out, b->fallback_ids[(unsigned char)bytes.ptr[i]]);
    return true;
}

/* An unknown character waits in n_unk for the next known one; those that fall back to bytes in
 * between do not end the wait, as in the published encoder. Without an unk_token unknown characters
 * vanish there. */
static void first_symbols(const struct bpe *b, struct bpe_scratch *s, struct str word)
{
    bool has_unk = false;
    size_t n;

    for (size_t i = 0; i < word.len; i += n) {
        int32_t id;

        char_at(word.ptr + i, &n);
        id = find_char(b, str_slice(word, i, i + n), i == 0, i + n == word.len, &s->text);
        if (id >= 0) {
            if (has_unk)
                token_buf_add(&s->first, b->unk_id);
            has_unk = false;
            token_buf_add(&s->first, id);
        } else if (b->byte_fallback && add_fallback(b, buf_str(&s->text), &s->first)) {
            continue;
        } else if (b->unk_id >= 0) {
            if (has_unk && !b->fuse_unk)
                token_buf_add(&s->first, b->unk_id);
            has_unk = true;
        }
    }
    if (has_unk)
        token_buf_add(&s->first, b->unk_id);
}

/* --- Merging ---------------------------------------------------------------------------------- */

static int merge_short(const struct bpe *b, int32_t *ids, int n)
{
    int32_t ranks[SHORT_WORD], new_ids[SHORT_WORD];

    for (int i = 0; i + 1 < n; i++) {
        const struct bpe_merge *m = find_merge(b, ids[i], ids[i + 1]);

        ranks[i] = m ? m->rank : NO_RANK;
        new_ids[i] = m ? m->new_id : -1;
    }
    while (n > 1) {
        int best = 0;

        for (int i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == NO_RANK)
            break;
        ids[best] = new_ids[best];
        n--;
        for (int i = best + 1; i < n; i++) {
            ids[i] = ids[i + 1];
            if (i + 1 < n) {
                ranks[i] = ranks[i + 1];
                new_ids[i] = new_ids[i + 1];
            }
        }
        for (int i = MAX(best - 1, 0); i <= best && i + 1 < n; i++) {
            const struct bpe_merge *m = find_merge(b, ids[i], ids[i + 1]);

            ranks[i] = m ? m->rank : NO_RANK;
            new_ids[i] = m ? m->new_id : -1;
        }
    }
    return n;
}

/* Four children to a node: half the depth of two, and the four lie in one line of the cache. */
#define CHILDREN 4

static void sift_down(uint64_t *heap, size_t n, size_t i)
{
    uint64_t key = heap[i];

    for (size_t child; (child = CHILDREN * i + 1) < n; i = child) {
        size_t last = MIN(child + CHILDREN, n);

        for (size_t k = child + 1; k < last; k++)
            if (heap[k] < heap[child])
                child = k;
        if (heap[child] >= key)
            break;
        heap[i] = heap[child];
    }
    heap[i] = key;
}

static uint64_t heap_take(struct bpe_scratch *s)
{
    uint64_t top = s->heap[0];

    s->heap[0] = s->heap[--s->n_heap];
    if (s->n_heap)
        sift_down(s->heap, s->n_heap, 0);
    return top;
}

static void heap_add(struct bpe_scratch *s, uint64_t key)
{
    size_t i = s->n_heap++;

    for (; i > 0 && s->heap[(i - 1) / CHILDREN] > key; i = (i - 1) / CHILDREN)
        s->heap[i] = s->heap[(i - 1) / CHILDREN];
    s->heap[i] = key;
}

static uint64_t heap_key(int32_t rank, int32_t position)
{
    return (uint64_t)(uint32_t)rank << 32 | (uint32_t)position;
}

/* Looks up the pair of the symbol at i and the next one; true if it can be merged. */
static bool rank_pair(const struct bpe *b, struct bpe_symbol *symbols, int32_t i)
{
    struct bpe_symbol *x = &symbols[i];
    const struct bpe_merge *m = x->next < 0 ? NULL : find_merge(b, x->id, symbols[x->next].id);

    x->rank = m ? m->rank : NO_RANK;
    x->new_id = m ? m->new_id : -1;
    return m != NULL;
}

static void size_scratch(struct bpe_scratch *s, size_t n)
{
    if (n <= s->cap)
        return;
    s->cap = MAX(n, 2 * s->cap);
    free(s->symbols);
    free(s->heap);
    s->symbols = xmalloc(s->cap * sizeof(*s->symbols));
    s->heap = xmalloc(3 * s->cap *
                      sizeof(*s->heap)); /* each of n - 1 merges takes one and adds two at most */
}

static void merge_long(const struct bpe *b, struct bpe_scratch *s, struct token_buf *out)
{
    int32_t n = (int32_t)s->first.n;
    struct bpe_symbol *symbols;

    size_scratch(s, s->first.n);
    symbols = s->symbols;
    s->n_heap = 0;
    for (int32_t i = 0; i < n; i++)
        symbols[i] =
            (struct bpe_symbol){s->first.ids[i], i - 1, i + 1 < n ? i + 1 : -1, NO_RANK, -1};
    for (int32_t i = 0; i < n; i++)
        if (rank_pair(b, symbols, i))
            s->heap[s->n_heap++] = heap_key(symbols[i].rank, i);
    for (size_t i = (s->n_heap + CHILDREN - 2) / CHILDREN; i-- > 0;) /* nodes with children */
        sift_down(s->heap, s->n_heap, i);
    while (s->n_heap) {
        uint64_t key = heap_take(s);
        int32_t at = (int32_t)(uint32_t)key, right;
        struct bpe_symbol *x = &symbols[at];

        if (x->rank != (int32_t)(key >> 32))
            continue;
        right = x->next;
        x->id = x->new_id;
        x->next = symbols[right].next;
        symbols[right].rank = NO_RANK;
        if (x->next >= 0)
            symbols[x->next].prev = at;
        if (rank_pair(b, symbols, at))
            heap_add(s, heap_key(x->rank, at));
        if (x->prev >= 0 && rank_pair(b, symbols, x->prev))
            heap_add(s, heap_key(symbols[x->prev].rank, x->prev));
    }
    for (int32_t i = 0; i >= 0; i = symbols[i].next)
        token_buf_add(out, symbols[i].id);
}

/* ignore_merges: the id of a whole word that is a token, or -1. */
static int32_t whole_word(const struct bpe *b, struct bpe_scratch *s, struct str word)
{
    if (!b->reads_bytes)
        return vocab_find_model(b->vocab, word);
    if (word.len > b->vocab->max_len)
        return -1;
    buf_reset(&s->text);
    bytes_to_chars(word, &s->text);
    return vocab_find_model(b->vocab, buf_str(&s->text));
}

void bpe_encode(const struct bpe *b, struct bpe_scratch *s, struct str word, struct token_buf *out)
{
    if (b->ignore_merges) {
        int32_t id = whole_word(b, s, word);

        if (id >= 0) {
            token_buf_add(out, id);
            return;
        }
    }
    s->first.n = 0;
    if (b->reads_bytes) {
        for (size_t i = 0; i < word.len; i++)
            token_buf_add(&s->first, b->byte_ids[(unsigned char)word.ptr[i]]);
    } else {
        first_symbols(b, s, word);
    }
    if (s->first.n > SHORT_WORD) {
        merge_long(b, s, out);
    } else if (s->first.n) {
        int n = merge_short(b, s->first.ids, (int)s->first.n);

        for (int i = 0; i < n; i++)
            token_buf_add(out, s->first.ids[i]);
    }
}
