/* decode.c - reading the decoder, and what each token stands for by itself. */
#include "tokenizer/decode.h"

#include "tokenizer/chars.h"
#include "tokenizer/decode_stage.h"
#include "tokenizer/fields.h"
#include "tokenizer/pretokenize.h"

#define MAX_STAGES 32

static const char type_names[] = "ByteLevel ByteFallback Metaspace Fuse Replace Strip Sequence";
enum { TYPE_SEQUENCE = DECODE_STRIP + 1 };

static bool read_stage(const struct json *v, struct arena *a, struct decode_stage *s, struct err *e)
{
    static const char *const known[] = {
        "add_prefix_space trim_offsets use_regex",
        "",
        "replacement add_prefix_space prepend_scheme split str_rep",
        "",
        "pattern content",
        "content start stop",
    };
    enum prepend_scheme prepend;
    struct str text;
    bool splits;
    uint32_t c;
    char bytes[4];

    if (!fields_check(v, "the decoder", known[s->type], e))
        return false;
    switch (s->type) {
    case DECODE_METASPACE:
        if (!metaspace_parse(v, a, &s->character, &prepend, &splits, e))
            return false;
        s->drops_first = prepend != PREPEND_NEVER;
        return true;
    case DECODE_REPLACE:
        if (!matcher_parse(json_get(v, "pattern"), a, &s->pattern, e) ||
            !field_str(v, "content", &text, e))
            return false;
        s->content = str_dup(a, text);
        return true;
    case DECODE_STRIP:
        if (!field_char(v, "content", &c, e) ||
            !field_int(v, "start", 0, INT32_MAX, &s->n_start, e) ||
            !field_int(v, "stop", 0, INT32_MAX, &s->n_stop, e))
            return false;
        s->character = str_dup(a, (struct str){bytes, (size_t)utf8_encode(c, bytes)});
        return true;
    default:
        return true;
    }
}

static bool add_stages(const struct json *v, struct arena *a, struct decoder *d, int depth,
                       struct err *e)
{
    const struct json *items;
    int type;

    if (!field_choice(v, "type", type_names, &type, e))
        return false;
    if (depth > MAX_STAGES || d->n_stages == MAX_STAGES)
        return err_set(e, ERR_UNSUPPORTED, "more than %d stages", MAX_STAGES);
    if (type != TYPE_SEQUENCE) {
        struct decode_stage *s = &d->stages[d->n_stages++];

        s->type = (enum decode_type)type;
        return read_stage(v, a, s, e);
    }
    if (!fields_check(v, "the decoder Sequence", "decoders", e) ||
        !field_array(v, "decoders", &items, e))
        return false;
    for (struct json_iter it = json_iter(items); json_next(&it);)
        if (!add_stages(it.value, a, d, depth + 1, e))
            return false;
    return true;
}

bool decoder_parse(const struct json *v, struct arena *a, struct decoder *d, struct err *e)
{
    bool is_fused = false;

    *d = (struct decoder){.stages = arena_array(a, MAX_STAGES, sizeof(*d->stages))};
    if (json_type(v) == JSON_NULL || json_type(v) == JSON_ABSENT) {
        d->stages[d->n_stages++].type = DECODE_JOIN;
    } else if (!add_stages(v, a, d, 0, e)) {
        err_prefix(e, "decoder");
        return false;
    }
    for (int i = 0; i < d->n_stages; i++) {
        d->stages[i].is_fused = is_fused;
        is_fused |= d->stages[i].type == DECODE_FUSE || d->stages[i].type == DECODE_BYTE_LEVEL;
    }
    return true;
}

void decoder_clear(struct decoder *d)
{
    for (int i = 0; i < d->n_stages; i++)
        matcher_clear(&d->stages[i].pattern);
    d->n_stages = 0;
    buf_clear(&d->pieces);
    free(d->piece_at);
    d->piece_at = NULL;
}

/* --- Pieces ----------------------------------------------------------------------------------- */

/* The commonest decoder: one ByteLevel. */
static void add_byte_piece(struct decoder *d, struct str content)
{
    if (!bytes_from_chars(content, &d->pieces))
        buf_add_str(&d->pieces, content);
}

/* Through the stages that look at one token; those that look at the whole text do not concern a
 * piece. */
static bool add_staged_piece(struct decoder *d, struct regex_scratch *regex, struct str content,
                             struct err *e)
{
    struct buf text[2] = {{0}, {0}};
    struct str now = content;
    bool ok = true;
    int side = 0, byte;

    for (int i = 0; ok && i < d->n_stages; i++) {
        const struct decode_stage *s = &d->stages[i];
        struct buf *to = &text[side];

        buf_reset(to);
        if (s->type == DECODE_BYTE_LEVEL) {
            if (!bytes_from_chars(now, to))
                continue;
        } else if (s->type == DECODE_BYTE_FALLBACK) {
            if ((byte = fallback_byte(now)) < 0)
                continue;
            buf_addc(to, (char)byte);
        } else if (s->type == DECODE_METASPACE) {
            stage_metaspace(s, now, false, to);
        } else if (s->type == DECODE_REPLACE && !s->is_fused) {
            ok = stage_replace(s, regex, now, to, e);
        } else {
            continue;
        }
        now = buf_str(to);
        side = !side;
        if (s->type == DECODE_BYTE_LEVEL ||
            (s->type == DECODE_BYTE_FALLBACK && (unsigned char)now.ptr[0] >= 0x80))
            break; /* bytes, no longer text */
    }
    buf_add_str(&d->pieces, now);
    buf_clear(&text[0]);
    buf_clear(&text[1]);
    return ok;
}

bool decoder_link(struct decoder *d, const struct vocab *vocab, struct err *e)
{
    bool is_byte_level = d->n_stages == 1 && d->stages[0].type == DECODE_BYTE_LEVEL;
    struct regex_scratch *regex = regex_scratch_open();
    bool ok = true;

    buf_reserve(&d->pieces, vocab->bytes.len);
    d->piece_at = xcalloc((size_t)vocab->n_ids + 1, sizeof(*d->piece_at));
    for (int32_t id = 0; ok && id < vocab->n_ids; id++) {
        d->piece_at[id] = (uint32_t)d->pieces.len;
        if (is_byte_level)
            add_byte_piece(d, vocab_content(vocab, id));
        else if (vocab_has(vocab, id, VOCAB_PRESENT))
            ok = add_staged_piece(d, regex, vocab_content(vocab, id), e);
    }
    d->piece_at[vocab->n_ids] = (uint32_t)d->pieces.len;
    regex_scratch_close(regex);
    if (ok && d->pieces.failed)
        ok = err_set(e, ERR_MEMORY, "the texts of the tokens take too much room");
    err_prefix(e, "decoder");
    return ok;
}
