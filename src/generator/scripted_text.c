/* scripted_text.c - tokens that are their bytes, log probabilities that are a hash.
 *
 * Given what came before, twenty letters have fixed places: place k has probability
 * 0.06 * 0.8^k, and which letter stands where is a rotation chosen by the digest. Any other token
 * is, by its hash, either the likeliest (probability 0.55 to 0.7; below one together with the
 * letters) or rare. */
#include "generator/scripted_text.h"

#include <math.h>

#include "base/hash.h"

#define N_LETTERS 20

static const struct {
    int32_t id;
    const char *name;
} specials[] = {{SCRIPTED_BOS, "<s>"}, {SCRIPTED_EOS, "</s>"}, {SCRIPTED_IMAGE, "<|image|>"}};

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t piece_len(struct str s)
{
    bool is_ascii = true;
    size_t n = 0;

    while (n < s.len && n < (is_ascii ? 4u : 3u)) {
        unsigned char c = (unsigned char)s.ptr[n];

        if (n > 0 && is_blank(c))
            break;
        if (c >= 0x80 && n == 3)
            break;
        is_ascii = is_ascii && c < 0x80;
        n++;
    }
    return n;
}

static int32_t piece_id(const unsigned char *b, size_t n)
{
    switch (n) {
    case 1:
        return b[0];
    case 2:
        return 0x10000 | b[0] << 8 | b[1];
    case 3:
        return 0x1000000 | b[0] << 16 | b[1] << 8 | b[2];
    default:
        return 0x10000000 | b[0] << 21 | b[1] << 14 | b[2] << 7 | b[3];
    }
}

bool scripted_piece(int32_t id, char out[16], size_t *n)
{
    if (id >= 0 && id < 256) {
        out[0] = (char)id;
        *n = 1;
    } else if (id >> 16 == 1) {
        out[0] = (char)(id >> 8);
        out[1] = (char)id;
        *n = 2;
    } else if (id >> 24 == 1) {
        out[0] = (char)(id >> 16);
        out[1] = (char)(id >> 8);
        out[2] = (char)id;
        *n = 3;
    } else if (id >> 28 == 1) {
        for (int i = 0; i < 4; i++)
            out[i] = (char)(id >> (21 - 7 * i) & 0x7f);
        *n = 4;
    } else {
        for (size_t i = 0; i < LEN(specials); i++)
            if (specials[i].id == id) {
                *n = strlen(specials[i].name);
                memcpy(out, specials[i].name, *n);
                return true;
            }
        return false;
    }
    return true;
}

bool scripted_is_special(int32_t id)
{
    return id >= SCRIPTED_BOS && id <= SCRIPTED_IMAGE;
}

void scripted_push(struct token_list *t, int32_t id, uint32_t end, struct arena *a)
{
    if (t->n == t->cap) {
        int cap = t->cap ? 2 * t->cap : 64;
        int32_t *ids = arena_array(a, (size_t)cap, sizeof(*ids));
        uint32_t *ends = arena_array(a, (size_t)cap, sizeof(*ends));

        if (t->n > 0) {
            memcpy(ids, t->ids, (size_t)t->n * sizeof(*ids));
            memcpy(ends, t->ends, (size_t)t->n * sizeof(*ends));
        }
        t->ids = ids;
        t->ends = ends;
        t->cap = cap;
    }
    t->ids[t->n] = id;
    t->ends[t->n++] = end;
}

void scripted_encode(struct str text, struct arena *a, struct token_list *out)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = piece_len(str_slice(text, i, text.len));

        scripted_push(out, piece_id((const unsigned char *)text.ptr + i, n), (uint32_t)(i + n), a);
        i += n;
    }
}

bool scripted_decode(const int32_t *ids, int n, bool skip_special, struct arena *a,
                     struct str *text, struct err *e)
{
    struct buf out = {0};
    char piece[16];
    size_t len;

    for (int i = 0; i < n; i++) {
        if (!scripted_piece(ids[i], piece, &len)) {
            buf_clear(&out);
            return err_set(e, ERR_INPUT, "token id %d at position %d is not in the vocabulary",
                           ids[i], i);
        }
        if (!(skip_special && scripted_is_special(ids[i])))
            buf_add(&out, piece, len);
    }
    *text = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return true;
}

struct str scripted_render(const struct gen_request *r, struct arena *a)
{
    struct buf out = {0};
    struct str text;

    for (int i = 0; i < r->n_msgs; i++) {
        bool is_open = r->continue_final_message && i == r->n_msgs - 1;

        buf_addf(&out, "<|" STR_FMT "|>\n", STR_ARG(r->msgs[i].role));
        for (int p = 0; p < r->msgs[i].n_parts; p++) {
            const struct chat_part *part = &r->msgs[i].parts[p];

            if (part->kind == PART_TEXT)
                buf_add_str(&out, part->data);
            else
                buf_addf(&out, "<|image %016llx|>",
                         (unsigned long long)siphash64(1, 2, part->data.ptr, part->data.len));
        }
        if (!is_open)
            buf_addz(&out, "<|end|>\n");
    }
    if (!r->no_generation_prompt && !r->continue_final_message)
        buf_addz(&out, "<|assistant|>\n");
    text = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return text;
}

bool scripted_prompt(const struct gen_request *r, bool has_bos, struct arena *a,
                     struct token_list *ids, struct str *text, struct err *e)
{
    if (r->kind != GEN_CHAT && r->prompt_ids) {
        if (!scripted_decode(r->prompt_ids, r->n_prompt_ids, false, a, text, e))
            return false;
        for (int i = 0; i < r->n_prompt_ids; i++)
            scripted_push(ids, r->prompt_ids[i], 0, a);
        return true;
    }
    *text = r->kind == GEN_CHAT ? scripted_render(r, a) : r->prompt;
    if (has_bos && r->kind != GEN_CHAT && r->add_special_tokens)
        scripted_push(ids, SCRIPTED_BOS, 0, a);
    scripted_encode(*text, a, ids);
    return true;
}

/* --- Log probabilities. ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t x) /* the finaliser of splitmix64 */
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t scripted_extend(uint64_t digest, int32_t id)
{
    return mix(digest + UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)(uint32_t)(id + 1));
}

/* "A" to "J", then " A" to " J". */
static int32_t letter_id(int letter)
{
    const unsigned char bare = (unsigned char)('A' + letter % 10), spaced[2] = {' ', bare};

    return letter < 10 ? piece_id(&bare, 1) : piece_id(spaced, 2);
}

static int place_of(uint64_t digest, int32_t id)
{
    for (int letter = 0; letter < N_LETTERS; letter++)
        if (letter_id(letter) == id)
            return (int)(((uint64_t)letter + digest) % N_LETTERS);
    return -1;
}

static int32_t at_place(uint64_t digest, int place)
{
    uint64_t shift = digest % N_LETTERS;

    return letter_id((int)(((uint64_t)place + N_LETTERS - shift) % N_LETTERS));
}

static float place_logprob(int place)
{
    return (float)(log(0.06) + place * log(0.8));
}

float scripted_logprob(uint64_t digest, int32_t id)
{
    int place = place_of(digest % N_LETTERS, id);
    uint64_t h = scripted_extend(digest, id);
    double u = (double)(h >> 12) / (double)(UINT64_C(1) << 52);

    if (place >= 0)
        return place_logprob(place);
    return (float)(h & 1 ? log(0.55 + 0.15 * u) : -8.0 - 6.0 * u);
}

bool scripted_is_likeliest(uint64_t digest, int32_t id)
{
    return scripted_logprob(digest, id) >= place_logprob(0);
}

static struct top_logprob one(int32_t id, float logprob, int rank, struct arena *a)
{
    char piece[16] = {0};
    size_t n = 0;
    struct top_logprob t = {.token_id = id, .logprob = logprob, .rank = rank, .bytes = STR("")};

    if (scripted_piece(id, piece, &n))
        t.bytes = str_dup(a, (struct str){piece, n});
    return t;
}

static struct top_logprob chosen_of(uint64_t digest, int32_t id, struct arena *a)
{
    float logprob = scripted_logprob(digest, id);
    int place = place_of(digest % N_LETTERS, id);
    int rank = place >= 0 ? place + 1 : logprob > place_logprob(0) ? 1 : N_LETTERS + 1;

    return one(id, logprob, rank, a);
}

struct token_logprob scripted_logprobs_of_ids(uint64_t digest, int32_t id, const int32_t *ids,
                                              int n, struct arena *a)
{
    struct token_logprob out = {.chosen = chosen_of(digest, id, a), .n_top = n};
    struct top_logprob *top = arena_array(a, (size_t)n, sizeof(*top));

    for (int i = 0; i < n; i++)
        top[i] = one(ids[i], scripted_logprob(digest, ids[i]), 0, a);
    out.top = top;
    return out;
}

struct token_logprob scripted_alternatives(uint64_t digest, int32_t id, int n_top, struct arena *a)
{
    struct token_logprob out = {.chosen = chosen_of(digest, id, a)};
    struct top_logprob *top;
    int n = 0;

    n_top = MIN(n_top, N_LETTERS);
    if (n_top <= 0)
        return out;
    top = arena_array(a, (size_t)n_top, sizeof(*top));
    if (out.chosen.rank == 1 && place_of(digest % N_LETTERS, id) < 0)
        top[n++] = out.chosen;
    for (int k = 0; n < n_top; k++, n++)
        top[n] = one(at_place(digest, k), place_logprob(k), n + 1, a);
    out.top = top;
    out.n_top = n;
    return out;
}
