/* regex.c - PCRE2 with limits. */
#include "formats/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/arena.h"

/* A search that backtracks this often is given up. PCRE2's default allows ten times more, which
 * takes seconds at every place of a text. */
#define MATCH_LIMIT    1000000
#define HEAP_LIMIT_KIB 65536
#define JIT_STACK_MAX  (8u << 20)

struct regex {
    pcre2_code *code;
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack; /* NULL until a pattern needs more than the machine's stack gives */
};

static void *or_die(void *ptr)
{
    if (!ptr) {
        fprintf(stderr, "llmeval: out of memory in a regex\n");
        abort();
    }
    return ptr;
}

struct regex *regex_open(struct str pattern, struct err *e)
{
    const uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *context = or_die(pcre2_compile_context_create(NULL));
    struct regex *r = xcalloc(1, sizeof(*r));
    PCRE2_SIZE at;
    int code;

    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
    pcre2_set_max_pattern_length(context, 1u << 16);
    r->code = pcre2_compile((PCRE2_SPTR)(pattern.ptr ? pattern.ptr : ""), pattern.len, flags, &code,
                            &at, context);
    pcre2_compile_context_free(context);
    if (!r->code) {
        char words[128];

        pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof(words));
        err_set(e, ERR_INPUT, "regex: %s at offset %zu of \"%.*s\"", words, (size_t)at,
                (int)MIN(pattern.len, 200), pattern.ptr ? pattern.ptr : "");
        regex_close(r);
        return NULL;
    }
    /* Where the JIT compiler cannot help, the interpreter gives the same matches. */
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE);
    return r;
}

void regex_close(struct regex *r)
{
    if (!r)
        return;
    pcre2_code_free(r->code);
    free(r);
}

struct regex_scratch *regex_scratch_open(void)
{
    struct regex_scratch *s = xcalloc(1, sizeof(*s));

    s->data = or_die(pcre2_match_data_create(1, NULL));
    s->context = or_die(pcre2_match_context_create(NULL));
    pcre2_set_match_limit(s->context, MATCH_LIMIT);
    pcre2_set_depth_limit(s->context, MATCH_LIMIT);
    pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
    return s;
}

void regex_scratch_close(struct regex_scratch *s)
{
    if (!s)
        return;
    pcre2_jit_stack_free(s->stack);
    pcre2_match_context_free(s->context);
    pcre2_match_data_free(s->data);
    free(s);
}

enum regex_found regex_find(const struct regex *r, struct regex_scratch *s, struct str text,
                            size_t from, size_t *start, size_t *end, struct err *e)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.ptr ? text.ptr : "");
    char words[128];
    int rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, s->data, s->context);

    if (rc == PCRE2_ERROR_JIT_STACKLIMIT && !s->stack) {
        s->stack = or_die(pcre2_jit_stack_create(1u << 16, JIT_STACK_MAX, NULL));
        pcre2_jit_stack_assign(s->context, NULL, s->stack);
        rc = pcre2_match(r->code, subject, text.len, from, PCRE2_NO_UTF_CHECK, s->data, s->context);
    }
    if (rc == PCRE2_ERROR_NOMATCH)
        return REGEX_NONE;
    if (rc >= 0) {
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->data);

        *start = span[0];
        *end = span[1];
        return REGEX_MATCH;
    }
    pcre2_get_error_message(rc, (PCRE2_UCHAR *)words, sizeof(words));
    err_set(e, ERR_INPUT, "regex: %s at byte %zu of a text of %zu bytes", words, from, text.len);
    return REGEX_FAILED;
}
