/* grammar_cache.c - a list, the latest first; sources are compared by their text. */
#include "grammar/grammar_cache.h"

#include <pthread.h>

#include "base/arena.h"
#include "formats/json.h"
#include "grammar/grammar.h"

enum { MAX_IDLE = 8 };

struct entry {
    struct buf key;
    struct grammar *grammar;
    int n_users;
    struct entry *next;
};

struct grammar_cache {
    int vocab_size;
    token_piece_fn *piece;
    const void *ctx;
    pthread_mutex_t lock;
    /* guarded by lock: */
    struct token_trie *trie; /* NULL before the first grammar */
    struct entry *entries;   /* latest taken first */
};

struct grammar_cache *grammar_cache_open(int vocab_size, token_piece_fn *piece, const void *ctx)
{
    struct grammar_cache *c = xcalloc(1, sizeof(*c));

    c->vocab_size = vocab_size;
    c->piece = piece;
    c->ctx = ctx;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

static void entry_close(struct entry *e)
{
    buf_clear(&e->key);
    grammar_close(e->grammar);
    free(e);
}

void grammar_cache_close(struct grammar_cache *c)
{
    if (!c)
        return;
    for (struct entry *e = c->entries, *next; e; e = next) {
        next = e->next;
        entry_close(e);
    }
    token_trie_close(c->trie);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void write_key(struct buf *out, const struct grammar_source *s)
{
    buf_addf(out, "%d %d ", (int)s->kind, (int)s->lead);
    if (s->kind == GRAMMAR_REGEX)
        buf_add_str(out, s->regex);
    else if (s->json)
        json_write(out, s->json);
}

static bool make_trie(struct grammar_cache *c, struct err *e)
{
    struct str *pieces;

    if (c->trie)
        return true;
    pieces = xcalloc((size_t)c->vocab_size + 1, sizeof(*pieces));
    for (int i = 0; i < c->vocab_size; i++)
        pieces[i] = c->piece(c->ctx, i);
    c->trie = token_trie_open(pieces, c->vocab_size, e);
    free(pieces);
    return c->trie != NULL;
}

/* Takes the entry out of the list; NULL: it is not there. */
static struct entry *unlink_key(struct grammar_cache *c, struct str key)
{
    for (struct entry **at = &c->entries; *at; at = &(*at)->next)
        if (str_eq(buf_str(&(*at)->key), key)) {
            struct entry *e = *at;

            *at = e->next;
            return e;
        }
    return NULL;
}

/* Of those that nobody holds, the ones taken last stay. */
static void drop_idle(struct grammar_cache *c)
{
    int n_idle = 0;

    for (struct entry **at = &c->entries; *at;) {
        struct entry *e = *at;

        if (e->n_users == 0 && ++n_idle > MAX_IDLE) {
            *at = e->next;
            entry_close(e);
        } else {
            at = &e->next;
        }
    }
}

struct grammar *grammar_cache_take(struct grammar_cache *c, const struct grammar_source *s,
                                   struct err *e)
{
    struct buf key = {0};
    struct entry *entry;
    struct grammar *made;

    write_key(&key, s);
    pthread_mutex_lock(&c->lock);
    entry = unlink_key(c, buf_str(&key));
    if (entry) {
        buf_clear(&key);
    } else {
        made = make_trie(c, e) ? grammar_open(s, c->trie, e) : NULL;
        if (!made) {
            pthread_mutex_unlock(&c->lock);
            buf_clear(&key);
            return NULL;
        }
        entry = xcalloc(1, sizeof(*entry));
        entry->key = key;
        entry->grammar = made;
    }
    entry->n_users++;
    entry->next = c->entries;
    c->entries = entry;
    pthread_mutex_unlock(&c->lock);
    return entry->grammar;
}

void grammar_cache_give(struct grammar_cache *c, struct grammar *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&c->lock);
    for (struct entry *e = c->entries; e; e = e->next)
        if (e->grammar == g)
            e->n_users--;
    drop_idle(c);
    pthread_mutex_unlock(&c->lock);
}
