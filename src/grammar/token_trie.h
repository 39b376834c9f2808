/* token_trie.h - the bytes of a vocabulary as a trie, laid out in the order of a walk through it.
 *
 * Read-only after open: any number of grammars and threads share one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Tokens in the order of their bytes; a node's subtree is a stretch of nodes and of tokens. */
struct trie_node {
    uint64_t below[2]; /* bytes below 0x80 on the edges under this node */
    uint32_t end;      /* the first node after the subtree */
    uint32_t first;    /* its first token by order; those that end at the node come first */
    uint16_t depth;    /* of the edge that leads here, 1 for the first byte */
    uint8_t byte;
    uint8_t n_chars; /* of the longest token from this byte on, up to 255 */
    bool is_text;    /* every token from this byte on is UTF-8, or the beginning of such */
    bool has_high;   /* bytes from 0x80 up are among those under this node */
};

struct token_trie {
    int vocab_size;
    struct str *pieces; /* [vocab_size] copied; "" : never allowed */
    int32_t *ids;       /* [n_tokens] by order */
    uint32_t n_tokens;
    struct trie_node *nodes; /* [n_nodes], and one more whose first is n_tokens */
    uint32_t n_nodes;
    int max_len;   /* of a piece */
    uint64_t *all; /* [vocab_size / 64 rounded up] the bits of all tokens */
    char *bytes;
};

/* A piece is what a token stands for; tokens with an empty one are left out. ERR_INPUT for a
 * vocabulary whose pieces are beyond all measure. */
struct token_trie *token_trie_open(const struct str *pieces, int vocab_size,
                                   struct err *e) MUST_CHECK;
void token_trie_close(struct token_trie *t); /* NULL is fine */
