/* reasoning.c - three states; a tail that may become a tag is held back. */
#include "server/reasoning.h"

#define OPENING "<think>"
#define CLOSING "</think>"

bool reasoning_parser_find(const char *name, enum reasoning_parser *out)
{
    static const struct {
        const char *name;
        enum reasoning_parser parser;
    } parsers[] = {
        {"", REASONING_NONE},
        {"none", REASONING_NONE},
        {"qwen3", REASONING_QWEN3},
        {"deepseek_r1", REASONING_DEEPSEEK_R1},
    };

    for (size_t i = 0; i < LEN(parsers); i++)
        if (strcmp(parsers[i].name, name) == 0) {
            *out = parsers[i].parser;
            return true;
        }
    return false;
}

void reasoning_init(struct reasoning_split *s, enum reasoning_parser parser)
{
    *s = (struct reasoning_split){.parser = parser,
                                  .state = parser == REASONING_NONE ? SPLIT_CONTENT : SPLIT_START};
}

void reasoning_clear(struct reasoning_split *s)
{
    buf_clear(&s->held);
}

/* The length of the longest end of s that is a proper beginning of the tag. */
static size_t tag_begun(struct str s, const char *tag)
{
    for (size_t n = MIN(s.len, strlen(tag) - 1); n > 0; n--)
        if (memcmp(s.ptr + s.len - n, tag, n) == 0)
            return n;
    return 0;
}

/* Bytes of text that the beginning takes: blanks and an opening tag. False: more text must come
 * first. */
static bool leave_start(struct reasoning_split *s, struct str text, bool is_last, size_t *n_used)
{
    size_t i = 0;
    struct str rest;

    *n_used = 0;
    while (i < text.len && strchr(" \n\r\t", text.ptr[i]))
        i++;
    rest = str_slice(text, i, text.len);
    if (str_starts(rest, OPENING)) {
        s->state = SPLIT_THINKING;
        *n_used = i + strlen(OPENING);
        return true;
    }
    if (!is_last && rest.len < strlen(OPENING) && memcmp(rest.ptr, OPENING, rest.len) == 0)
        return false;
    s->state = s->parser == REASONING_DEEPSEEK_R1 ? SPLIT_THINKING : SPLIT_CONTENT;
    return true;
}

void reasoning_feed(struct reasoning_split *s, struct str text, bool is_last, struct buf *reasoning,
                    struct buf *content)
{
    struct buf all = {0};
    size_t n;

    if (s->state == SPLIT_CONTENT && s->held.len == 0) {
        buf_add_str(content, text);
        return;
    }
    buf_add_str(&all, buf_str(&s->held));
    buf_add_str(&all, text);
    buf_reset(&s->held);
    text = (struct str){buf_z(&all), all.len};
    if (s->state == SPLIT_START) {
        if (!leave_start(s, text, is_last, &n)) {
            buf_add_str(&s->held, text);
            buf_clear(&all);
            return;
        }
        text = str_slice(text, n, text.len);
    }
    if (s->state == SPLIT_THINKING) {
        ptrdiff_t end = str_find(text, STR(CLOSING), 0);
        size_t held = end >= 0 || is_last ? 0 : tag_begun(text, CLOSING);
        size_t cut = end >= 0 ? (size_t)end : text.len - held;

        buf_add_str(reasoning, str_slice(text, 0, cut));
        if (end >= 0) {
            s->state = SPLIT_CONTENT;
            text = str_slice(text, cut + strlen(CLOSING), text.len);
        } else {
            buf_add_str(&s->held, str_slice(text, cut, text.len));
            text = str_slice(text, text.len, text.len);
        }
    }
    buf_add_str(content, text);
    buf_clear(&all);
}
