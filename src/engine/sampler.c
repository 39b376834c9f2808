/* sampler.c - the reference sampler, without a full sort of the vocabulary.
 *
 * The k-th largest logit comes from a heap of k values that the scan rarely touches. top_p sorts
 * only tokens that may survive: all below max + ln((1 - p) / V) weigh less than 1 - p together,
 * whatever the rest is. Sums run in index order over fixed lanes, so that a row's result is the
 * same on every machine. */
#include "engine/sampler.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "engine/noise.h"

#define GREEDY_BELOW    1e-5f
#define MIN_TEMPERATURE 0.01f
#define MAX_NOISE       23.0f /* -ln(-ln(1 - 2^-33)) is 22.9 */

enum { HEAP_MAX = 1024, SUM_LANES = 16, SUM_BLOCK = 256, STRETCH = 64, SEEN = 1 << 30 };

struct scored {
    uint32_t key; /* the score's bits, so mapped that unsigned order is the order of floats */
    int32_t id;
};

struct sampler {
    int vocab_size;
    float *w;            /* [V] logits at work */
    int32_t *marks;      /* [V] all zero between calls: SEEN, and how often in the output */
    int32_t *ids;        /* [V] survivors */
    float *scaled;       /* [V] their logits */
    struct scored *sort; /* [2 V] */
    uint64_t *mask;      /* [V / 64 rounded up] the caller's */
};

struct sampler *sampler_open(int vocab_size)
{
    struct sampler *s = xcalloc(1, sizeof(*s));
    size_t n = (size_t)vocab_size;

    s->vocab_size = vocab_size;
    s->w = xcalloc(n, sizeof(*s->w));
    s->marks = xcalloc(n, sizeof(*s->marks));
    s->ids = xcalloc(n, sizeof(*s->ids));
    s->scaled = xcalloc(n, sizeof(*s->scaled));
    s->sort = xcalloc(2 * n, sizeof(*s->sort));
    s->mask = xcalloc((n + 63) / 64, sizeof(*s->mask));
    return s;
}

void sampler_close(struct sampler *s)
{
    if (!s)
        return;
    free(s->w);
    free(s->marks);
    free(s->ids);
    free(s->scaled);
    free(s->sort);
    free(s->mask);
    free(s);
}

uint64_t *sampler_mask(struct sampler *s)
{
    return s->mask;
}

/* --- arithmetic on rows ----------------------------------------------------------------------- */

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));

static inline f32x4 select4(i32x4 mask, f32x4 yes, f32x4 no)
{
    return (f32x4)((mask & (i32x4)yes) | (~mask & (i32x4)no));
}

static inline f32x4 load4(const float *p)
{
    f32x4 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* e^x for x <= 0 to about one part in 10^7, four at a time: the quotient by ln 2 in two parts, then
 * a polynomial, then the exponent's bits. Below -87 it is 0, as it is for what is not a number. */
static inline f32x4 exp4(f32x4 x)
{
    const f32x4 lowest = {-88, -88, -88, -88};
    f32x4 n, r, y;
    i32x4 bits;

    x = select4(x > lowest, x, lowest);
    n = x * 1.44269504f;
    n = (n + 12582912.0f) - 12582912.0f; /* to the nearest integer */
    r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    y = 1.9875691500e-4f * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    bits = (__builtin_convertvector(n, i32x4) + 127) & (x > -87.0f);
    return y * (f32x4)(bits << 23);
}

static inline float exp_of(float x)
{
    return exp4((f32x4){x, x, x, x})[0];
}

/* Sum of e^(w[i] - max) over n values. Lane i of 16 takes every sixteenth, over blocks of 256. */
static double sum_exp(const float *w, int n, float max)
{
    double sum = 0;

    for (int at = 0; at < n; at += SUM_BLOCK) {
        f32x4 lane[SUM_LANES / 4] = {{0}};
        int end = MIN(n - at, SUM_BLOCK), i = 0;

        for (; i + SUM_LANES <= end; i += SUM_LANES)
            for (int j = 0; j < SUM_LANES / 4; j++)
                lane[j] += exp4(load4(w + at + i + 4 * j) - max);
        for (; i < end; i++)
            lane[i % SUM_LANES / 4][i % 4] += exp_of(w[at + i] - max);
        for (int j = 0; j < SUM_LANES; j++)
            sum += (double)lane[j / 4][j % 4];
    }
    return sum;
}

/* The largest of 64 values from p on: most stretches of a row are settled by it. */
static inline float max_of_stretch(const float *p)
{
    f32x4 m = load4(p);

    for (int i = 4; i < STRETCH; i += 4) {
        f32x4 v = load4(p + i);

        m = select4(v > m, v, m);
    }
    return MAX(MAX(m[0], m[1]), MAX(m[2], m[3]));
}

/* The first index of the largest value; -1: none is a number above -infinity. */
static int arg_max(const float *w, int n)
{
    float max = -INFINITY;
    int i = 0;

    for (; i + STRETCH <= n; i += STRETCH)
        max = MAX(max, max_of_stretch(w + i));
    for (; i < n; i++)
        max = w[i] > max ? w[i] : max;
    if (max == -INFINITY || max == INFINITY)
        return -1;
    for (i = 0; w[i] != max; i++)
        ;
    return i;
}

/* --- steps 2 to 5: what may be said, and what was said ---------------------------------------- */

static void keep_masked(struct sampler *s, const uint64_t *mask)
{
    for (int i = 0; i < s->vocab_size; i += 64) {
        uint64_t word = mask[i / 64];
        int n = MIN(64, s->vocab_size - i);

        if (word == UINT64_MAX)
            continue;
        for (int k = 0; k < n; k++)
            s->w[i + k] = word >> k & 1 ? s->w[i + k] : -INFINITY;
    }
}

static void keep_allowed(struct sampler *s, const struct sample_params *p, const float *logits)
{
    for (int i = 0; i < s->vocab_size; i++)
        s->w[i] = -INFINITY;
    for (int i = 0; i < p->n_allowed_ids; i++)
        if (p->allowed_ids[i] >= 0 && p->allowed_ids[i] < s->vocab_size)
            s->w[p->allowed_ids[i]] = logits[p->allowed_ids[i]];
}

static void forbid(struct sampler *s, int32_t id)
{
    if (id >= 0 && id < s->vocab_size)
        s->w[id] = -INFINITY;
}

static void forbid_bad_words(struct sampler *s, const struct sample_params *p,
                             const struct sample_history *h)
{
    int n_output = h->n_tokens - h->n_prompt;

    for (int i = 0; i < p->n_bad_words; i++) {
        const struct token_seq *bad = &p->bad_words[i];
        int n_before = bad->n - 1;

        if (bad->n > 0 && n_before <= n_output &&
            memcmp(bad->ids, h->token_ids + h->n_tokens - n_before,
                   (size_t)n_before * sizeof(*bad->ids)) == 0)
            forbid(s, bad->ids[n_before]);
    }
}

static void penalize(struct sampler *s, const struct sample_params *p,
                     const struct sample_history *h)
{
    if (p->repetition_penalty == 1 && p->presence_penalty == 0 && p->frequency_penalty == 0)
        return;
    for (int i = 0; i < h->n_tokens; i++)
        s->marks[h->token_ids[i]] |= SEEN;
    for (int i = h->n_prompt; i < h->n_tokens; i++)
        s->marks[h->token_ids[i]]++;
    for (int i = 0; i < h->n_tokens; i++) {
        int32_t id = h->token_ids[i];
        int n_output = s->marks[id] & (SEEN - 1);
        float l = s->w[id];

        if (s->marks[id] == 0)
            continue;
        s->marks[id] = 0;
        l = l > 0 ? l / p->repetition_penalty : l * p->repetition_penalty;
        if (n_output > 0) {
            l -= p->frequency_penalty * (float)n_output;
            l -= p->presence_penalty;
        }
        s->w[id] = l;
    }
}

static bool leaves_logits_alone(const struct sample_params *p, const struct sample_history *h)
{
    return !h->mask && p->n_allowed_ids == 0 && p->n_bad_words == 0 && p->n_bias == 0 &&
           (p->n_stop_ids == 0 || h->n_tokens - h->n_prompt >= p->min_tokens) &&
           p->repetition_penalty == 1 && p->presence_penalty == 0 && p->frequency_penalty == 0;
}

/* The logits after everything but the temperature: s->w, or the row itself where nothing changes
 * it. */
static const float *process(struct sampler *s, const struct sample_params *p,
                            const struct sample_history *h, const float *logits)
{
    if (leaves_logits_alone(p, h))
        return logits;
    if (p->n_allowed_ids > 0)
        keep_allowed(s, p, logits);
    else
        memcpy(s->w, logits, (size_t)s->vocab_size * sizeof(*s->w));
    if (h->mask)
        keep_masked(s, h->mask);
    forbid_bad_words(s, p, h);
    if (h->n_tokens - h->n_prompt < p->min_tokens)
        for (int i = 0; i < p->n_stop_ids; i++)
            forbid(s, p->stop_ids[i]);
    for (int i = 0; i < p->n_bias; i++)
        if (p->bias_ids[i] >= 0 && p->bias_ids[i] < s->vocab_size)
            s->w[p->bias_ids[i]] += p->bias[i];
    penalize(s, p, h);
    return s->w;
}

/* --- selection -------------------------------------------------------------------------------- */

static uint32_t key_of(float x)
{
    union {
        float f;
        uint32_t u;
    } b = {.f = x + 0.0f}; /* -0 becomes 0: they are equal */

    return b.u ^ (b.u >> 31 ? 0xFFFFFFFFu : 0x80000000u);
}

static float value_of_key(uint32_t key)
{
    union {
        float f;
        uint32_t u;
    } b = {.u = key ^ (key >> 31 ? 0x80000000u : 0xFFFFFFFFu)};

    return b.f;
}

/* Sorts n entries by key, ascending, equal keys as they came; scratch holds n entries. */
static void radix_sort(struct scored *a, struct scored *scratch, int n)
{
    for (int pass = 0; pass < 4; pass++) {
        int count[257] = {0}, shift = 8 * pass;
        struct scored *t;

        for (int i = 0; i < n; i++)
            count[((a[i].key >> shift) & 255) + 1]++;
        for (int i = 0; i < 256; i++)
            count[i + 1] += count[i];
        for (int i = 0; i < n; i++)
            scratch[count[(a[i].key >> shift) & 255]++] = a[i];
        t = a;
        a = scratch;
        scratch = t;
    }
}

/* Whether a is worse than b: a smaller value, or an equal one with a higher id. */
static bool is_worse(struct scored a, struct scored b)
{
    return a.key != b.key ? a.key < b.key : a.id > b.id;
}

static void sift_down(struct scored *heap, int n, int i)
{
    struct scored x = heap[i];

    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_worse(heap[child + 1], heap[child]))
            child++;
        if (!is_worse(heap[child], x))
            break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

/* The k best of w in s->sort[0..k), the worst of them first, the others in no order. */
static void select_best(struct sampler *s, const float *w, int k)
{
    struct scored *heap = s->sort;
    float worst;

    for (int i = 0; i < k; i++)
        heap[i] = (struct scored){key_of(w[i]), i};
    for (int i = k / 2 - 1; i >= 0; i--)
        sift_down(heap, k, i);
    worst = value_of_key(heap[0].key);
    for (int i = k; i < s->vocab_size; i++) {
        if (i % STRETCH == 0 && i + STRETCH <= s->vocab_size && max_of_stretch(w + i) <= worst) {
            i += STRETCH - 1;
            continue;
        }
        if (!(w[i] > worst)) /* an equal one has the higher id */
            continue;
        heap[0] = (struct scored){key_of(w[i]), i};
        sift_down(heap, k, 0);
        worst = value_of_key(heap[0].key);
    }
}

static float kth_largest(struct sampler *s, const float *w, int k)
{
    int n = s->vocab_size;

    if (k <= HEAP_MAX) {
        select_best(s, w, k);
        return value_of_key(s->sort[0].key);
    }
    for (int i = 0; i < n; i++)
        s->sort[i] = (struct scored){key_of(w[i]), i};
    radix_sort(s->sort, s->sort + n, n);
    return value_of_key(s->sort[n - k].key);
}

/* Drops survivors from the least likely up while their mass stays within 1 - p; never the last.
 * Among equal ones the higher ids go first. Returns how many stay. */
static int keep_top_p(struct sampler *s, float top_p, float max, int n)
{
    double total = sum_exp(s->scaled, n, max), limit = (double)(1.0f - top_p) * total, mass = 0;
    float sure =
        max + logf((1.0f - top_p) / (float)n) - 1e-3f; /* all below it together weigh too little */
    struct scored *a = s->sort;
    int n_sorted = 0, first = 0;

    for (int i = n - 1; i >= 0; i--) {
        if (s->scaled[i] < sure)
            mass += (double)exp_of(s->scaled[i] - max);
        else
            a[n_sorted++] = (struct scored){key_of(s->scaled[i]), s->ids[i]};
    }
    radix_sort(a, a + n, n_sorted);
    for (; first < n_sorted - 1; first++) {
        mass += (double)exp_of(value_of_key(a[first].key) - max);
        if (mass > limit)
            break;
    }
    for (int i = first; i < n_sorted; i++) {
        s->ids[i - first] = a[i].id;
        s->scaled[i - first] = value_of_key(a[i].key);
    }
    return n_sorted - first;
}

/* Steps 6 to 9 on w, whose maximum is at index best. Survivors go to s->ids and s->scaled. Division
 * keeps the order, so the k-th largest is found before it; what division makes equal counts as
 * equal. */
static int filter(struct sampler *s, const struct sample_params *p, const float *w, int best)
{
    float temperature = MAX(p->temperature, MIN_TEMPERATURE), max = w[best] / temperature;
    float kth = -INFINITY, about = -FLT_MAX;
    int n = 0;

    if (p->top_k > 0 && p->top_k < s->vocab_size) {
        float raw = kth_largest(s, w, p->top_k);

        kth = raw / temperature;
        about = raw > -INFINITY ? raw - fabsf(raw) * 1e-6f
                                : about; /* nothing below it can be equal after division */
    }
    for (int i = 0; i < s->vocab_size; i++) {
        float l;

        if (i % STRETCH == 0 && i + STRETCH <= s->vocab_size && max_of_stretch(w + i) < about) {
            i += STRETCH - 1;
            continue;
        }
        l = w[i] / temperature;
        if (!(w[i] >= about) || !(l >= kth) || (p->min_p > 0 && expf(l - max) < p->min_p))
            continue;
        s->ids[n] = i;
        s->scaled[n++] = l;
    }
    return p->top_p < 1 ? keep_top_p(s, p->top_p, max, n) : n;
}

/* --- the draw --------------------------------------------------------------------------------- */

struct draw {
    float score;
    int32_t id;
};

static void try_token(struct draw *d, int32_t id, float l, uint32_t word)
{
    /* -ln(-ln u) <= -ln(1 - u), and 1 - u is at least 2^-(z + 1) when the complement has z leading
     * zeros: most tokens are settled without a logarithm. */
    int z = ~word == 0 ? 32 : __builtin_clz(~word);
    float score;

    if (l + (float)(z + 1) * 0.6931472f + 1e-3f < d->score)
        return;
    score = l + gumbel_of_word(word);
    if (score > d->score || (score == d->score && id < d->id))
        *d = (struct draw){score, id};
}

static int32_t draw_from(const struct sampler *s, const struct sample_params *p, int n,
                         uint32_t position)
{
    struct draw d = {-INFINITY, -1};
    struct philox words = {{0}};
    uint32_t group = UINT32_MAX;

    for (int i = 0; i < n; i++) {
        uint32_t id = (uint32_t)s->ids[i];

        if (s->scaled[i] + MAX_NOISE < d.score)
            continue;
        if (id / 4 != group) {
            group = id / 4;
            words = noise_words(p->seed, position, group);
        }
        try_token(&d, s->ids[i], s->scaled[i], words.v[id % 4]);
    }
    return d.id;
}

int sampler_survivors(struct sampler *s, const struct sample_params *p,
                      const struct sample_history *h, const float *logits, int32_t *ids,
                      float *scaled)
{
    const float *w;
    int best, n;

    w = process(s, p, h, logits);
    best = arg_max(w, s->vocab_size);
    if (best < 0)
        return 0;
    if (p->temperature < GREEDY_BELOW) {
        ids[0] = best;
        scaled[0] = w[best];
        return 1;
    }
    n = filter(s, p, w, best);
    memcpy(ids, s->ids, (size_t)n * sizeof(*ids));
    memcpy(scaled, s->scaled, (size_t)n * sizeof(*scaled));
    return n;
}

int32_t sampler_draw(struct sampler *s, const struct sample_params *p,
                     const struct sample_history *h, const float *logits)
{
    const float *w = process(s, p, h, logits);
    int best = arg_max(w, s->vocab_size);

    if (best < 0 || p->temperature < GREEDY_BELOW)
        return best;
    return draw_from(s, p, filter(s, p, w, best), (uint32_t)(h->n_tokens - h->n_prompt));
}

const float *sampler_processed(struct sampler *s, const struct sample_params *p,
                               const struct sample_history *h, const float *logits)
{
    const float *w = process(s, p, h, logits);
    int best = arg_max(w, s->vocab_size), n;

    if (best < 0 || p->temperature < GREEDY_BELOW)
        return w;
    n = filter(s, p, w, best);
    for (int i = 0; i < s->vocab_size; i++) /* w may be s->w: it has been read */
        s->w[i] = -INFINITY;
    for (int i = 0; i < n; i++)
        s->w[s->ids[i]] = s->scaled[i];
    return s->w;
}

/* The token's own part of a row, and the row's log of the sum of exponents, which is NaN where
 * nothing in the row can be drawn. */
static double own_logprob(const struct sampler *s, const float *logits, int32_t token_id,
                          struct row_logprobs *out)
{
    int best = arg_max(logits, s->vocab_size), rank = 0;
    double lse;

    if (best < 0) {
        out->logprob = NAN;
        out->rank = 0;
        out->is_best = false;
        return NAN;
    }
    lse = (double)logits[best] + log(sum_exp(logits, s->vocab_size, logits[best]));
    for (int i = 0; i < s->vocab_size; i++)
        rank += logits[i] >= logits[token_id];
    out->logprob = (float)((double)logits[token_id] - lse);
    out->rank = rank;
    out->is_best = best == token_id;
    return lse;
}

void sampler_logprobs(struct sampler *s, const float *logits, int32_t token_id, int n_top,
                      struct row_logprobs *out)
{
    double lse = own_logprob(s, logits, token_id, out);

    out->n_top = isnan(lse) ? 0 : MIN(n_top, s->vocab_size);
    if (out->n_top <= 0)
        return;
    select_best(s, logits, out->n_top);
    for (int n = out->n_top; n > 0; n--) { /* the worst is at the root: fill from the end */
        out->top_ids[n - 1] = s->sort[0].id;
        out->top_logprobs[n - 1] = (float)((double)logits[s->sort[0].id] - lse);
        s->sort[0] = s->sort[n - 1];
        sift_down(s->sort, n - 1, 0);
    }
}

void sampler_logprobs_of_ids(const struct sampler *s, const float *logits, int32_t token_id,
                             struct row_logprobs *out)
{
    double lse = own_logprob(s, logits, token_id, out);

    for (int i = 0; i < out->n_top; i++)
        out->top_logprobs[i] = (float)((double)logits[out->top_ids[i]] - lse);
}
