/* jinja_lex.c - source text to tokens, and places in the source.
 *
 * Outside tags all is data, cut by the rules of white space: a "-" at a tag takes away all blanks
 * on its side, "+" keeps them where trim_blocks or lstrip_blocks would take them. Inside tags, an
 * end mark ends the tag only where all brackets are closed. */
#include "base/num.h"
#include "formats/jinja_text.h"
#include "formats/jinja_tree.h"

struct lexer {
    struct jinja *t;
    struct str s;
    size_t at;
    struct token *items;
    size_t n, cap;
    bool starts_line;   /* the tag before ended with a newline, or there was none */
    char brackets[256]; /* the closing ones that are due */
    int n_brackets;
    struct err *e;
};

static const struct {
    const char *text;
    enum token_kind kind;
} operators[] = {
    {"//", TOKEN_FLOORDIV}, {"**", TOKEN_POW},      {"==", TOKEN_EQ},    {"!=", TOKEN_NE},
    {">=", TOKEN_GE},       {"<=", TOKEN_LE},       {"+", TOKEN_ADD},    {"-", TOKEN_SUB},
    {"/", TOKEN_DIV},       {"*", TOKEN_MUL},       {"%", TOKEN_MOD},    {"~", TOKEN_TILDE},
    {"[", TOKEN_LBRACKET},  {"]", TOKEN_RBRACKET},  {"(", TOKEN_LPAREN}, {")", TOKEN_RPAREN},
    {"{", TOKEN_LBRACE},    {"}", TOKEN_RBRACE},    {">", TOKEN_GT},     {"<", TOKEN_LT},
    {"=", TOKEN_ASSIGN},    {".", TOKEN_DOT},       {":", TOKEN_COLON},  {"|", TOKEN_PIPE},
    {",", TOKEN_COMMA},     {";", TOKEN_SEMICOLON},
};

static bool fail(struct lexer *x, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static bool fail(struct lexer *x, size_t at, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return jinja_fail_at(x->t, (uint32_t)at, ERR_INPUT, STR(text), x->e);
}

static struct token *add(struct lexer *x, enum token_kind kind, size_t at)
{
    if (x->n == x->cap) {
        struct token *grown = arena_array(&x->t->arena, x->cap ? x->cap * 2 : 64, sizeof(*grown));

        if (x->n)
            memcpy(grown, x->items, x->n * sizeof(*grown));
        x->items = grown;
        x->cap = x->cap ? x->cap * 2 : 64;
    }
    x->items[x->n] = (struct token){.kind = kind, .at = (uint32_t)at};
    return &x->items[x->n++];
}

static bool starts(const struct lexer *x, size_t at, const char *text)
{
    return str_starts(str_slice(x->s, at, x->s.len), text);
}

static size_t skip_space(const struct lexer *x, size_t at)
{
    while (at < x->s.len) {
        size_t next = at;

        if (!text_is(utf8_next(x->s, &next), TEXT_SPACE))
            break;
        at = next;
    }
    return at;
}

/* --- data and the edges of tags --------------------------------------------------------------- */

static void add_data(struct lexer *x, size_t from, struct str text)
{
    if (text.len > 0)
        add(x, TOKEN_DATA, from)->text = text;
}

/* The text before a tag at `to`, with the blanks that the tag's sign or lstrip_blocks takes away.
 */
static struct str data_before(const struct lexer *x, size_t from, size_t to, char sign,
                              bool is_print)
{
    struct str text = str_slice(x->s, from, to);
    size_t line = text.len;

    if (sign == '-')
        return text_strip(text, false, true);
    if (sign == '+' || is_print || !x->t->settings.lstrip_blocks)
        return text;
    while (line > 0 && text.ptr[line - 1] != '\n')
        line--;
    if ((line > 0 || x->starts_line) &&
        text_strip(str_slice(text, line, text.len), true, false).len == 0)
        text.len = line;
    return text;
}

static char sign_at(const struct lexer *x, size_t at)
{
    char c = at < x->s.len ? x->s.ptr[at] : 0;

    return c == '-' || c == '+' ? c : 0;
}

/* The end of a tag whose closing mark begins at `at` ("%}" with an optional sign before it); 0:
 * none. */
static size_t tag_end(const struct lexer *x, size_t at, const char *mark, bool allows_plus,
                      bool trims)
{
    char sign = sign_at(x, at);

    if (sign == '-' && starts(x, at + 1, mark))
        return skip_space(x, at + 3);
    if (sign == '+' && allows_plus && starts(x, at + 1, mark))
        return at + 3;
    if (!starts(x, at, mark))
        return 0;
    return at + 2 +
           (trims && x->t->settings.trim_blocks && at + 2 < x->s.len && x->s.ptr[at + 2] == '\n');
}

/* {% word %} at `at`: the byte after it, or 0. The opening tag of raw has no "+" and does not trim.
 */
static size_t word_tag(const struct lexer *x, size_t at, const char *word, bool is_end)
{
    size_t i = at + 2;

    if (!starts(x, at, "{%"))
        return 0;
    i = skip_space(x, i + (sign_at(x, i) != 0));
    if (!starts(x, i, word))
        return 0;
    return tag_end(x, skip_space(x, i + strlen(word)), "%}", is_end, is_end);
}

static void set_starts_line(struct lexer *x)
{
    x->starts_line = x->at > 0 && x->s.ptr[x->at - 1] == '\n';
}

static bool lex_comment(struct lexer *x, size_t at)
{
    size_t i = at + 2, end = 0;

    i += sign_at(x, i) != 0;
    for (; i < x->s.len; i++) {
        end = tag_end(x, i, "#}", true, true);
        if (end)
            break;
    }
    if (!end)
        return fail(x, at, "this comment is never closed by #}");
    x->at = end;
    set_starts_line(x);
    return true;
}

static bool lex_raw(struct lexer *x, size_t at, size_t body)
{
    for (size_t i = body; i < x->s.len; i++) {
        size_t end = x->s.ptr[i] == '{' ? word_tag(x, i, "endraw", true) : 0;

        if (!end)
            continue;
        x->starts_line = x->s.ptr[body - 1] == '\n';
        add_data(x, body, data_before(x, body, i, sign_at(x, i + 2), false));
        x->at = end;
        set_starts_line(x);
        return true;
    }
    return fail(x, at, "this raw block is never closed by {%% endraw %%}");
}

/* --- inside tags ------------------------------------------------------------------------------ */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Digits of a base with single underscores between them; the byte after, or `at` for none. */
static size_t skip_digits(const struct lexer *x, size_t at, int base, bool starts_with_underscore)
{
    size_t end = at, i = at;

    if (starts_with_underscore && i < x->s.len && x->s.ptr[i] == '_')
        i++;
    while (i < x->s.len && digit_value(x->s.ptr[i]) < base) {
        end = ++i;
        if (i < x->s.len && x->s.ptr[i] == '_')
            i++;
    }
    return end;
}

static bool add_int(struct lexer *x, size_t from, size_t end, int base)
{
    int64_t value = 0;
    struct token *token;

    for (size_t i = from; i < end; i++) {
        if (x->s.ptr[i] == '_')
            continue;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit_value(x->s.ptr[i]), &value))
            return fail(x, x->at, "the number is too large for 64 bits");
    }
    token = add(x, TOKEN_INT, x->at);
    token->text = str_slice(x->s, x->at, end);
    token->i = value;
    x->at = end;
    return true;
}

/* The end of a float that begins at x->at, or 0 when what stands there is an integer. */
static size_t float_end(const struct lexer *x)
{
    size_t whole = skip_digits(x, x->at, 10, false), end = whole, exponent, digits;

    if (x->at > 0 && x->s.ptr[x->at - 1] == '.')
        return 0;
    if (end < x->s.len && x->s.ptr[end] == '.') {
        digits = skip_digits(x, end + 1, 10, false);
        if (digits > end + 1)
            end = digits;
    }
    if (end < x->s.len && (x->s.ptr[end] | 32) == 'e') {
        exponent = end + 1 + (sign_at(x, end + 1) != 0);
        digits = skip_digits(x, exponent, 10, false);
        if (digits > exponent)
            end = digits;
    }
    return end > whole ? end : 0;
}

static bool lex_float(struct lexer *x, size_t end)
{
    char digits[400];
    size_t n = 0;
    struct token *token;

    for (size_t i = x->at; i < end; i++)
        if (x->s.ptr[i] != '_') {
            if (n == sizeof(digits) - 1)
                return fail(x, x->at, "the number has more than %zu digits", sizeof(digits) - 1);
            digits[n++] = x->s.ptr[i];
        }
    digits[n] = 0;
    token = add(x, TOKEN_FLOAT, x->at);
    token->text = str_slice(x->s, x->at, end);
    token->f = strtod(digits, NULL);
    x->at = end;
    return true;
}

static bool lex_number(struct lexer *x)
{
    static const struct {
        char letter;
        int base;
    } prefixes[] = {{'b', 2}, {'o', 8}, {'x', 16}};
    size_t end = float_end(x);

    if (end)
        return lex_float(x, end);
    if (x->s.ptr[x->at] != '0')
        return add_int(x, x->at, skip_digits(x, x->at, 10, false), 10);
    for (size_t i = 0; i < LEN(prefixes); i++)
        if (x->at + 1 < x->s.len && (x->s.ptr[x->at + 1] | 32) == prefixes[i].letter) {
            end = skip_digits(x, x->at + 2, prefixes[i].base, true);
            if (end > x->at + 2)
                return add_int(x, x->at + 2, end, prefixes[i].base);
        }
    return add_int(x, x->at, skip_digits(x, x->at, 1, false), 10); /* zeros only, as in Python */
}

static uint32_t hex_digits(struct str s, size_t at, int n)
{
    uint32_t value = 0;

    for (int i = 0; i < n; i++) {
        if (at + (size_t)i >= s.len || digit_value(s.ptr[at + (size_t)i]) > 15)
            return UTF8_BAD;
        value = value << 4 | (uint32_t)digit_value(s.ptr[at + (size_t)i]);
    }
    return value;
}

/* \xhh, \uhhhh and \Uhhhhhhhh at s[*i], the letter; two surrogates in a row make one character. */
static bool unescape_hex(struct lexer *x, struct str s, size_t *i, struct buf *out)
{
    int n = s.ptr[*i] == 'x' ? 2 : s.ptr[*i] == 'u' ? 4 : 8;
    uint32_t c = hex_digits(s, *i + 1, n), low;

    if (c == UTF8_BAD || c > 0x10ffff)
        return fail(x, x->at, "the string has a broken \\%c escape", s.ptr[*i]);
    *i += 1 + (size_t)n;
    if (c >= 0xd800 && c < 0xdc00 && *i + 1 < s.len && s.ptr[*i] == '\\' && s.ptr[*i + 1] == 'u') {
        low = hex_digits(s, *i + 2, 4);
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            *i += 6;
        }
    }
    if (c >= 0xd800 && c < 0xe000)
        return fail(x, x->at, "the string escapes half a surrogate pair, which is no character");
    buf_add_utf8(out, c);
    return true;
}

static bool unescape_one(struct lexer *x, struct str s, size_t *i, struct buf *out)
{
    static const char letters[] = "ntrabfv\\'\"", meanings[] = "\n\t\r\a\b\f\v\\'\"";
    char c = s.ptr[*i];
    const char *found = c ? strchr(letters, c) : NULL;

    if (c == '\n') { /* a newline after a backslash is nothing */
        ++*i;
        return true;
    }
    if (found) {
        buf_addc(out, meanings[found - letters]);
        ++*i;
        return true;
    }
    if (c >= '0' && c <= '7') {
        uint32_t value = 0;

        for (int n = 0; n < 3 && *i < s.len && s.ptr[*i] >= '0' && s.ptr[*i] <= '7'; n++)
            value = value * 8 + (uint32_t)(s.ptr[(*i)++] - '0');
        buf_add_utf8(out, value);
        return true;
    }
    if (c == 'x' || c == 'u' || c == 'U')
        return unescape_hex(x, s, i, out);
    if (c == 'N')
        return fail(x, x->at,
                    "\\N{...} names of characters are not supported: write \\u and the number");
    buf_addc(out, '\\'); /* an unknown escape stays as it is */
    return true;
}

static bool lex_string(struct lexer *x)
{
    char quote = x->s.ptr[x->at];
    size_t end = x->at + 1;
    struct str inner;
    struct buf out = {0};
    bool is_good = true;
    struct token *token;

    while (end < x->s.len && x->s.ptr[end] != quote)
        end += x->s.ptr[end] == '\\' ? 2 : 1;
    if (end >= x->s.len)
        return fail(x, x->at, "this string is never closed");
    inner = str_slice(x->s, x->at + 1, end);
    if (memchr(inner.ptr, '\\', inner.len)) {
        for (size_t i = 0; i < inner.len && is_good;) {
            if (inner.ptr[i] != '\\') {
                buf_addc(&out, inner.ptr[i++]);
                continue;
            }
            i++;
            is_good = unescape_one(x, inner, &i, &out);
        }
        inner = str_dup(&x->t->arena, buf_str(&out));
    }
    buf_clear(&out);
    if (!is_good)
        return false;
    token = add(x, TOKEN_STRING, x->at);
    token->text = inner;
    x->at = end + 1;
    return true;
}

static bool is_name_char(uint32_t c)
{
    if (c < 0x80)
        return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9');
    return c != UTF8_BAD && text_is(c, TEXT_ALNUM);
}

static bool lex_operator(struct lexer *x)
{
    static const char opening[] = "([{", closing[] = ")]}";
    char c = x->s.ptr[x->at];
    size_t next = x->at;
    uint32_t character;

    if (strchr(opening, c)) {
        if (x->n_brackets == LEN(x->brackets))
            return fail(x, x->at, "more than %zu brackets are open", LEN(x->brackets));
        x->brackets[x->n_brackets++] = closing[strchr(opening, c) - opening];
    } else if (strchr(closing, c)) {
        if (x->n_brackets == 0)
            return fail(x, x->at, "'%c' closes nothing", c);
        if (x->brackets[--x->n_brackets] != c)
            return fail(x, x->at, "found '%c' where '%c' was expected", c,
                        x->brackets[x->n_brackets]);
    }
    for (size_t i = 0; i < LEN(operators); i++)
        if (starts(x, x->at, operators[i].text)) {
            struct token *token = add(x, operators[i].kind, x->at);

            token->text = STR(operators[i].text);
            x->at += token->text.len;
            return true;
        }
    character = utf8_next(x->s, &next);
    return fail(x, x->at, "unexpected character '" STR_FMT "' (U+%04X)",
                STR_ARG(str_slice(x->s, x->at, next)), (unsigned)character);
}

static bool lex_one(struct lexer *x)
{
    char c = x->s.ptr[x->at];
    size_t next = x->at, end = x->at;

    if (c && strchr("([{)]}", c))
        return lex_operator(x);
    if (c >= '0' && c <= '9')
        return lex_number(x);
    if (c == '\'' || c == '"')
        return lex_string(x);
    while (next < x->s.len && is_name_char(utf8_next(x->s, &next)))
        end = next;
    if (end == x->at) {
        if (c == 0)
            return fail(x, x->at, "unexpected character U+0000");
        return lex_operator(x);
    }
    add(x, TOKEN_NAME, x->at)->text = str_slice(x->s, x->at, end);
    x->at = end;
    return true;
}

static bool lex_tag(struct lexer *x, size_t at, bool is_print)
{
    const char *mark = is_print ? "}}" : "%}";

    add(x, is_print ? TOKEN_PRINT_BEGIN : TOKEN_BLOCK_BEGIN, at);
    x->at = at + 2 + (sign_at(x, at + 2) != 0);
    x->n_brackets = 0;
    for (;;) {
        size_t end = x->n_brackets == 0 ? tag_end(x, x->at, mark, !is_print, !is_print) : 0;

        if (end) {
            add(x, is_print ? TOKEN_PRINT_END : TOKEN_BLOCK_END, x->at);
            x->at = end;
            set_starts_line(x);
            return true;
        }
        x->at = skip_space(x, x->at);
        end = x->n_brackets == 0 ? tag_end(x, x->at, mark, !is_print, !is_print) : 0;
        if (end)
            continue;
        if (x->at >= x->s.len)
            return fail(x, at, "this tag is never closed by %s", mark);
        if (!lex_one(x))
            return false;
    }
}

/* The next tag at or after `from`; s.len when there is none. */
static size_t find_tag(const struct lexer *x, size_t from)
{
    for (size_t i = from; i + 1 < x->s.len; i++) {
        const char *brace = memchr(x->s.ptr + i, '{', x->s.len - 1 - i);

        if (!brace)
            break;
        i = (size_t)(brace - x->s.ptr);
        if (x->s.ptr[i + 1] == '{' || x->s.ptr[i + 1] == '%' || x->s.ptr[i + 1] == '#')
            return i;
    }
    return x->s.len;
}

bool jinja_lex(struct jinja *t, struct tokens *out, struct err *e)
{
    struct lexer x = {.t = t, .s = t->source, .starts_line = true, .e = e};

    while (x.at < x.s.len) {
        size_t tag = find_tag(&x, x.at), raw;
        char sign = sign_at(&x, tag + 2), kind;

        if (tag == x.s.len) {
            add_data(&x, x.at, str_slice(x.s, x.at, tag));
            break;
        }
        kind = x.s.ptr[tag + 1];
        raw = word_tag(&x, tag, "raw", false);
        add_data(&x, x.at, data_before(&x, x.at, tag, sign, kind == '{'));
        if (raw           ? !lex_raw(&x, tag, raw)
            : kind == '#' ? !lex_comment(&x, tag)
                          : !lex_tag(&x, tag, kind == '{'))
            return false;
    }
    add(&x, TOKEN_END, x.s.len);
    *out = (struct tokens){x.items, x.n};
    return true;
}

/* --- places ----------------------------------------------------------------------------------- */

void jinja_place(const struct jinja *t, uint32_t at, int *line, int *column)
{
    size_t start = 0, end = MIN(at, t->source.len);

    *line = 1;
    for (size_t i = 0; i < end; i++)
        if (t->source.ptr[i] == '\n') {
            ++*line;
            start = i + 1;
        }
    *column = (int)utf8_count(str_slice(t->source, start, end)) + 1;
}

/* The line around `at`: at most 50 bytes to each side, cut between characters, blanks trimmed. */
static void quote_line(const struct jinja *t, size_t at, struct buf *out)
{
    enum { SIDE = 50 };
    struct str s = t->source;
    size_t from = MIN(at, s.len), to = from;
    struct str cut;

    while (from > 0 && s.ptr[from - 1] != '\n' && at - from < SIDE)
        from--;
    while (from > 0 && from < s.len && ((unsigned char)s.ptr[from] & 0xc0) == 0x80)
        from--;
    while (to < s.len && s.ptr[to] != '\n' && to - at < SIDE)
        to++;
    while (to < s.len && ((unsigned char)s.ptr[to] & 0xc0) == 0x80)
        to++;
    cut = str_slice(s, from, to);
    if (from > 0 && s.ptr[from - 1] != '\n')
        buf_addz(out, "...");
    else
        cut = text_strip(cut, true, false);
    for (size_t i = 0; i < cut.len; i++)
        buf_addc(out, (unsigned char)cut.ptr[i] < ' ' ? ' ' : cut.ptr[i]);
    if (to < s.len && s.ptr[to] != '\n')
        buf_addz(out, "...");
}

bool jinja_fail_at(const struct jinja *t, uint32_t at, enum err_code code, struct str message,
                   struct err *e)
{
    int line, column;
    struct buf quoted = {0};
    struct str head = message;

    jinja_place(t, at, &line, &column);
    quote_line(t, at, &quoted);
    if (head.len > 240) { /* struct err holds 511 bytes; the fault has the whole message */
        head.len = 240;
        while (head.len > 0 && ((unsigned char)head.ptr[head.len] & 0xc0) == 0x80)
            head.len--;
    }
    err_set(e, code, "%s:%d:%d: " STR_FMT "%s, in `%s`", t->name, line, column, STR_ARG(head),
            head.len < message.len ? "..." : "", buf_z(&quoted));
    buf_clear(&quoted);
    return false;
}
