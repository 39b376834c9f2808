/* token_trie.c - sorts the pieces and lays the trie out in one pass. */
#include "grammar/token_trie.h"

#include "base/arena.h"

enum { MAX_PIECE = 4096, MAX_BYTES = 1 << 28 };

struct entry {
    struct str piece;
    int32_t id;
};

static int by_piece(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = str_cmp(x->piece, y->piece);

    return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

static bool copy_pieces(struct token_trie *t, const struct str *pieces, struct err *e)
{
    size_t n_bytes = 0, at = 0;

    for (int i = 0; i < t->vocab_size; i++) {
        if (pieces[i].len > MAX_PIECE)
            return err_set(e, ERR_UNSUPPORTED,
                           "token %d has %zu bytes; constrained decoding takes tokens of up to %d",
                           i, pieces[i].len, MAX_PIECE);
        n_bytes += pieces[i].len;
        t->max_len = MAX(t->max_len, (int)pieces[i].len);
        t->n_tokens += pieces[i].len > 0;
    }
    if (n_bytes > MAX_BYTES)
        return err_set(e, ERR_UNSUPPORTED, "the vocabulary has %zu bytes, which is too much",
                       n_bytes);
    t->bytes = xmalloc(n_bytes + 1);
    t->pieces = xcalloc((size_t)t->vocab_size + 1, sizeof(*t->pieces));
    for (int i = 0; i < t->vocab_size; i++) {
        memcpy(t->bytes + at, pieces[i].ptr, pieces[i].len);
        t->pieces[i] = (struct str){t->bytes + at, pieces[i].len};
        at += pieces[i].len;
    }
    return true;
}

static struct entry *sort_pieces(struct token_trie *t)
{
    struct entry *all = xcalloc((size_t)t->n_tokens + 1, sizeof(*all));
    size_t n = 0;

    for (int i = 0; i < t->vocab_size; i++)
        if (t->pieces[i].len > 0)
            all[n++] = (struct entry){t->pieces[i], i};
    qsort(all, n, sizeof(*all), by_piece);
    t->ids = xcalloc((size_t)t->n_tokens + 1, sizeof(*t->ids));
    for (size_t i = 0; i < n; i++)
        t->ids[i] = all[i].id;
    return all;
}

static size_t common(struct str a, struct str b)
{
    size_t n = 0;

    while (n < a.len && n < b.len && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

static void lay_out(struct token_trie *t, const struct entry *all)
{
    uint32_t *open = xcalloc((size_t)t->max_len + 1, sizeof(*open)); /* node of each depth */
    size_t n_nodes = 0, depth = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_tokens; i++)
        n_nodes += all[i].piece.len - (i ? common(all[i - 1].piece, all[i].piece) : 0);
    t->nodes = xcalloc(n_nodes + 1, sizeof(*t->nodes));
    t->n_nodes = (uint32_t)n_nodes;
    for (uint32_t i = 0; i < t->n_tokens; i++) {
        struct str piece = all[i].piece;
        size_t same = i ? common(all[i - 1].piece, piece) : 0;

        for (; depth > same; depth--)
            t->nodes[open[depth]].end = n;
        for (; depth < piece.len; depth++) {
            t->nodes[n] = (struct trie_node){
                .first = i, .depth = (uint16_t)(depth + 1), .byte = (uint8_t)piece.ptr[depth]};
            open[depth + 1] = n++;
        }
    }
    for (; depth > 0; depth--)
        t->nodes[open[depth]].end = n;
    t->nodes[n] = (struct trie_node){.first = t->n_tokens, .end = n};
    free(open);
}

/* What lies under a node is what lies under its children, and their bytes. A character is counted
 * by its first byte. */
static void gather_bytes(struct token_trie *t)
{
    for (uint32_t i = t->n_nodes; i > 0; i--) {
        struct trie_node *node = &t->nodes[i - 1];
        int n_below = 0;

        for (uint32_t c = i; c < node->end; c = t->nodes[c].end) {
            const struct trie_node *child = &t->nodes[c];

            n_below = MAX(n_below, child->n_chars);
            node->has_high |= child->has_high || child->byte >= 0x80;
            node->below[0] |= child->below[0];
            node->below[1] |= child->below[1];
            if (child->byte < 0x80)
                node->below[child->byte / 64] |= (uint64_t)1 << child->byte % 64;
        }
        node->n_chars = (uint8_t)MIN(n_below + ((node->byte & 0xC0) != 0x80), 255);
    }
}

/* What UTF-8 expects: n_tails continuation bytes, the next of them in [lo, hi]. */
struct expected {
    int n_tails, lo, hi;
};

static bool expect_next(struct expected *x, int byte)
{
    if (x->n_tails > 0) {
        bool fits = byte >= x->lo && byte <= x->hi;

        *x = (struct expected){x->n_tails - 1, 0x80, 0xBF};
        return fits;
    }
    *x = (struct expected){byte < 0x80   ? 0
                           : byte < 0xE0 ? 1
                           : byte < 0xF0 ? 2
                                         : 3,
                           byte == 0xE0   ? 0xA0
                           : byte == 0xF0 ? 0x90
                                          : 0x80,
                           byte == 0xED   ? 0x9F
                           : byte == 0xF4 ? 0x8F
                                          : 0xBF};
    return byte < 0x80 || (byte >= 0xC2 && byte <= 0xF4);
}

/* Nodes behind a whole character know already whether they are text. */
static bool is_text_from(const struct token_trie *t, uint32_t i, struct expected x)
{
    const struct trie_node *n = &t->nodes[i];

    if (!expect_next(&x, n->byte))
        return false;
    for (uint32_t c = i + 1; c < n->end; c = t->nodes[c].end)
        if (x.n_tails == 0 ? !t->nodes[c].is_text : !is_text_from(t, c, x))
            return false;
    return true;
}

struct token_trie *token_trie_open(const struct str *pieces, int vocab_size, struct err *e)
{
    struct token_trie *t = xcalloc(1, sizeof(*t));
    struct entry *all;

    t->vocab_size = vocab_size;
    if (!copy_pieces(t, pieces, e)) {
        token_trie_close(t);
        return NULL;
    }
    all = sort_pieces(t);
    lay_out(t, all);
    gather_bytes(t);
    for (uint32_t i = t->n_nodes; i > 0; i--)
        t->nodes[i - 1].is_text = is_text_from(t, i - 1, (struct expected){0});
    t->all = xcalloc(((size_t)vocab_size + 63) / 64 + 1, sizeof(*t->all));
    for (uint32_t i = 0; i < t->n_tokens; i++)
        t->all[t->ids[i] / 64] |= (uint64_t)1 << t->ids[i] % 64;
    free(all);
    return t;
}

void token_trie_close(struct token_trie *t)
{
    if (!t)
        return;
    free(t->bytes);
    free(t->pieces);
    free(t->ids);
    free(t->nodes);
    free(t->all);
    free(t);
}
