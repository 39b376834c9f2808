/* answer_clean.c - mends the text of a response and takes its wrappers off.
 *
 * Damage that JSON or a terminal does to LaTeX is undone where the reading is plain: a backspace
 * before a letter was "\b" (as in \boxed), a form feed "\f" (\frac), a tab in "\text". */
#include "math/answer_internal.h"

/* --- characters ------------------------------------------------------------------------------- */

static bool is_plain(unsigned char c)
{
    return (c >= 0x20 && c < 0x7F) || c == '\n';
}

static bool is_tab_command(struct str s, size_t i)
{
    return at_text(s, i, "ext{") || at_text(s, i, "extbf{") || at_text(s, i, "frac") ||
           at_text(s, i, "imes") || at_text(s, i, "heta") || at_text(s, i, "herefore");
}

/* A control character at i, or a tab. Returns what it becomes, maybe "". */
static const char *mended_control(struct str s, size_t i)
{
    bool letter_follows = i + 1 < s.len && is_lower(s.ptr[i + 1]);

    switch (s.ptr[i]) {
    case '\b':
        return letter_follows ? "\\b" : "";
    case '\f':
        return letter_follows ? "\\f" : "";
    case '\t':
        return is_tab_command(s, i + 1) ? "\\t" : "\t";
    case '\r':
        return at_text(s, i + 1, "ight")               ? "\\r"
               : i + 1 < s.len && s.ptr[i + 1] == '\n' ? ""
                                                       : "\n";
    default:
        return "";
    }
}

static bool is_invisible(uint32_t c)
{
    return c == 0xAD || c == 0x180E || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0x7F && c < 0xA0);
}

static bool is_wide_blank(uint32_t c)
{
    return c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F ||
           c == 0x3000;
}

/* The character that stands for c; 0 when c vanishes. */
static uint32_t mended(uint32_t c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    if (c == UTF8_BAD)
        return 0xFFFD;
    if (is_invisible(c))
        return 0;
    if (is_wide_blank(c))
        return ' ';
    if (c == 0x2028 || c == 0x2029)
        return '\n';
    if (c >= 0xFF01 && c <= 0xFF5E)
        return c - 0xFEE0;
    if (c == 0x3001)
        return ',';
    if (c >= 0x660 && c <= 0x669)
        return c - 0x660 + '0';
    if (c >= 0x6F0 && c <= 0x6F9)
        return c - 0x6F0 + '0';
    if (c >= 0x966 && c <= 0x96F)
        return c - 0x966 + '0';
    if (c == 0x66B)
        return '.';
    if (c == 0x66C)
        return ',';
    if (c >= 0x1D400 && c < 0x1D6A4)
        return (uint32_t)letters[(c - 0x1D400) % 52];
    if (c >= 0x1D7CE && c <= 0x1D7FF)
        return (c - 0x1D7CE) % 10 + '0';
    return c;
}

static struct str last_bytes(struct str raw)
{
    size_t from = raw.len > ANSWER_MAX_SCAN ? raw.len - ANSWER_MAX_SCAN : 0;

    while (from > 0 && from < raw.len && ((unsigned char)raw.ptr[from] & 0xC0) == 0x80)
        from++;
    return str_slice(raw, from, raw.len);
}

struct str answer_clean(struct str raw, struct arena *a)
{
    struct str s = last_bytes(raw);
    size_t i = 0, n = 0;
    char *out;

    while (i < s.len && is_plain((unsigned char)s.ptr[i]))
        i++;
    if (i == s.len)
        return s;
    /* One byte becomes at most three (U+FFFD); no character becomes longer otherwise. */
    out = arena_alloc(a, 3 * s.len + 1);
    i = 0;
    while (i < s.len) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (is_plain(c)) {
            out[n++] = s.ptr[i++];
        } else if (c < 0x80) {
            const char *z = mended_control(s, i++);

            while (*z)
                out[n++] = *z++;
        } else {
            uint32_t to = mended(utf8_next(s, &i));

            if (to != 0)
                n += (size_t)utf8_encode(to, out + n);
        }
    }
    return (struct str){out, n};
}

/* --- wrappers --------------------------------------------------------------------------------- */

static bool is_empty(struct str s)
{
    return str_trim(s).len == 0;
}

/* The model's turn ends at the first end-of-turn token that has text before it. */
static struct str own_turn(struct str s)
{
    static const char *const ends[] = {
        "<|im_end|>",          "<|im_start|>user", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>",
        "<|end▁of▁sentence|>", "<|end_of_turn|>",  "<end_of_turn>", "</s>",
    };

    for (ptrdiff_t at = str_find_char(s, '<', 0); at >= 0;
         at = str_find_char(s, '<', (size_t)at + 1)) {
        for (size_t i = 0; i < LEN(ends); i++) {
            if (at_text(s, (size_t)at, ends[i]) && !is_empty(str_slice(s, 0, (size_t)at)))
                return str_slice(s, 0, (size_t)at);
        }
    }
    return s;
}

/* Whether "/name" at i (the slash) is in a closing think tag; *end is after the tag. */
static bool is_think_close(struct str s, size_t i, size_t *end)
{
    static const char *const names[] = {"thinking",  "think",      "thoughts",   "thought",
                                        "reasoning", "seed:think", "reflection", "scratchpad"};
    size_t at = i + 1;
    bool named = false;

    if (i == 0 || !(s.ptr[i - 1] == '<' || s.ptr[i - 1] == '[' || s.ptr[i - 1] == '|' ||
                    s.ptr[i - 1] == ' ' || (unsigned char)s.ptr[i - 1] >= 0x80))
        return false;
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    for (size_t k = 0; k < LEN(names) && !named; k++) {
        if (at_nocase(s, at, names[k])) {
            at += strlen(names[k]);
            named = true;
        }
    }
    if (!named)
        return false;
    while (at < s.len && (is_blank(s.ptr[at]) || s.ptr[at] == '|'))
        at++;
    if (at < s.len && (s.ptr[at] == '>' || s.ptr[at] == ']'))
        *end = at + 1;
    else if (at_text(s, at, "▷"))
        *end = at + strlen("▷");
    else
        return false;
    return true;
}

static size_t after_last_think(struct str s)
{
    static const char *const tokens[] = {"<|end_of_thought|>", "<|end_of_thinking|>",
                                         "<|end▁of▁thinking|>", "<|end_thinking|>",
                                         "<|channel|>final<|message|>"};
    size_t after = 0, end;
    struct str head = s;

    for (;;) {
        const char *slash = last_char(head, '/', head.len);

        if (slash == NULL)
            break;
        head.len = (size_t)(slash - head.ptr);
        if (is_think_close(s, head.len, &end)) {
            after = end;
            break;
        }
    }
    for (size_t i = 0; i < LEN(tokens); i++) {
        ptrdiff_t at = last_text(s, tokens[i]);

        if (at >= 0 && (size_t)at + strlen(tokens[i]) > after)
            after = (size_t)at + strlen(tokens[i]);
    }
    return after;
}

static bool is_answer_tag(struct str s, size_t i, size_t *inner)
{
    static const char *const names[] = {"<answer", "<final_answer", "<finalanswer"};

    for (size_t k = 0; k < LEN(names); k++) {
        size_t at = i + strlen(names[k]);

        if (!at_nocase(s, i, names[k]))
            continue;
        while (at < s.len && is_blank(s.ptr[at]))
            at++;
        if (at < s.len && s.ptr[at] == '>') {
            *inner = at + 1;
            return true;
        }
    }
    return false;
}

static size_t tag_close(struct str s, size_t from)
{
    for (size_t i = from; i + 8 < s.len; i++) {
        if (s.ptr[i] == '<' && s.ptr[i + 1] == '/' &&
            (at_nocase(s, i, "</answer") || at_nocase(s, i, "</final_answer") ||
             at_nocase(s, i, "</finalanswer")))
            return i;
    }
    return s.len;
}

/* The last answer tag that holds something; an echo of the instruction does not. */
static bool last_tag(struct str s, struct str *content)
{
    size_t end = s.len, inner;

    while (end > 0) {
        const char *open = last_char(s, '<', end);

        if (open == NULL)
            return false;
        end = (size_t)(open - s.ptr);
        if (!is_answer_tag(s, end, &inner))
            continue;
        *content = str_trim(str_slice(s, inner, tag_close(s, inner)));
        if (content->len > 0 && !str_eqz(*content, "...") &&
            !at_nocase(*content, 0, "your answer") && !str_eq_nocase(*content, STR("answer here")))
            return true;
    }
    return false;
}

/* Leading and trailing tokens such as <|begin_of_solution|>. */
static struct str without_end_tokens(struct str s)
{
    for (;;) {
        s = str_trim(s);
        if (str_starts(s, "<|")) {
            ptrdiff_t end = str_find(s, STR("|>"), 2);

            if (end > 0 && end < 40) {
                s = str_slice(s, (size_t)end + 2, s.len);
                continue;
            }
        }
        if (str_ends(s, "|>")) {
            ptrdiff_t open = last_text(s, "<|");

            if (open >= 0 && s.len - (size_t)open < 40) {
                s = str_slice(s, 0, (size_t)open);
                continue;
            }
        }
        return s;
    }
}

/* Text without the closing think tag that ends it. */
static struct str without_last_tag(struct str s)
{
    struct str t = without_end_tokens(s);
    const char *open = last_char(t, '<', t.len);
    size_t from = open ? (size_t)(open - t.ptr) : 0, end;

    if (open && from + 1 < t.len && t.ptr[from + 1] == '/' && is_think_close(t, from + 1, &end) &&
        end == t.len && !is_empty(str_slice(t, 0, from)))
        return str_slice(t, 0, from);
    return s;
}

struct str answer_without_calculations(struct str s, struct arena *a)
{
    enum { MAX_CALCULATION = 200 };
    ptrdiff_t at = str_find(s, STR("<<"), 0);
    size_t n = 0, i = 0;
    char *out;

    if (at < 0)
        return s;
    out = arena_alloc(a, s.len);
    while (i < s.len) {
        size_t end = i + 2;

        if (at_text(s, i, "<<") && end < s.len &&
            (is_digit(s.ptr[end]) || strchr("(-.$", s.ptr[end]))) {
            while (end < s.len && end < i + MAX_CALCULATION && s.ptr[end] != '>' &&
                   s.ptr[end] != '\n')
                end++;
            if (at_text(s, end, ">>")) {
                i = end + 2;
                continue;
            }
        }
        out[n++] = s.ptr[i++];
    }
    return (struct str){out, n};
}

struct str answer_unwrap(struct str clean, bool *is_tagged)
{
    struct str s = own_turn(clean), tail = str_slice(s, after_last_think(s), s.len), content;

    if (!is_empty(without_end_tokens(tail)))
        s = tail;
    else
        s = without_last_tag(s);
    *is_tagged = last_tag(s, &content);
    return *is_tagged ? content : without_end_tokens(s);
}

/* --- bare text -------------------------------------------------------------------------------- */

/* What sentences of other languages put after a value. */
static struct str without_copula(struct str s)
{
    static const char *const tails[] = {"です",   "である", "となります", "になります", "だ",
                                        "입니다", "이다",   "이에요",     "예요",       "है"};

    for (size_t i = 0; i < LEN(tails); i++) {
        if (str_ends(s, tails[i]) && s.len > strlen(tails[i]))
            return str_trim(str_slice(s, 0, s.len - strlen(tails[i])));
    }
    return s;
}

static struct str without_final_marks(struct str s)
{
    static const char *const marks[] = {
        "。",       "।",     "؟",     "、",          "∎",     "✅", "✓", "□", "■", "\\blacksquare",
        "\\square", "\\qed", "\\Box", "\\checkmark", "\\quad"};

    for (;;) {
        size_t before = s.len;

        s = str_trim(s);
        if (s.len > 1 && (strchr(",;:", s.ptr[s.len - 1]) ||
                          (s.ptr[s.len - 1] == '\\' && s.ptr[s.len - 2] != '\\') ||
                          (s.ptr[s.len - 1] == ')' && str_find_char(s, '(', 0) < 0 &&
                           str_find_char(s, '[', 0) < 0 && str_find_char(s, ']', 0) < 0) ||
                          (s.ptr[s.len - 1] == '.' && s.ptr[s.len - 2] != '.')))
            s.len--;
        if (s.len > 1 && s.ptr[s.len - 1] == '"' && (size_t)str_find_char(s, '"', 0) == s.len - 1)
            s.len--; /* its partner was cut off */
        for (size_t i = 0; i < LEN(marks); i++) {
            if (str_ends(s, marks[i]))
                s.len -= strlen(marks[i]);
        }
        s = without_copula(s);
        if (s.len == before)
            return s;
    }
}

static bool is_quote_pair(struct str s)
{
    static const char *const pairs[][2] = {{"\"", "\""}, {"“", "”"}, {"«", "»"},
                                           {"「", "」"}, {"_", "_"}, {"*", "*"},
                                           {"'", "'"},   {"‘", "’"}, {"\\\"", "\\\""}};

    for (size_t i = 0; i < LEN(pairs); i++) {
        if (s.len > strlen(pairs[i][0]) + strlen(pairs[i][1]) && str_starts(s, pairs[i][0]) &&
            str_ends(s, pairs[i][1]))
            return true;
    }
    return false;
}

static struct str without_quotes(struct str s)
{
    static const size_t longest = 3; /* bytes of the longest quotation mark */

    while (is_quote_pair(s)) {
        size_t n = (unsigned char)s.ptr[0] >= 0xE0                       ? longest
                   : (unsigned char)s.ptr[0] >= 0x80 || s.ptr[0] == '\\' ? 2
                                                                         : 1;

        s = str_trim(str_slice(s, n, s.len - n));
    }
    return s;
}

/* "858颗", "12個": a counter behind a number is a unit in words. */
static struct str with_counter(struct str s, struct arena *a)
{
    size_t i = 0;

    while (i < s.len && (is_digit(s.ptr[i]) || strchr(".,", s.ptr[i])))
        i++;
    if (i == 0 || i == s.len || (unsigned char)s.ptr[i] < 0xE3)
        return s;
    for (size_t k = i; k < s.len; k++) {
        if ((unsigned char)s.ptr[k] < 0x80)
            return s;
    }
    return str_fmt(a, "%.*s \\text{%.*s}", (int)i, s.ptr, (int)(s.len - i), s.ptr + i);
}

/* "**" between operands is a power, elsewhere emphasis. */
static bool is_power_stars(struct str s, size_t i)
{
    return i > 0 && i + 2 < s.len &&
           (is_digit(s.ptr[i - 1]) || is_word(s.ptr[i - 1]) || s.ptr[i - 1] == ')') &&
           (is_digit(s.ptr[i + 2]) || is_alpha(s.ptr[i + 2]) || s.ptr[i + 2] == '(' ||
            s.ptr[i + 2] == '-');
}

/* Whether the dollars of s that delimit nothing are money: a number follows each. "12 $ and $13"
 * are delimiters whose partners were cut off. */
static bool dollars_are_money(struct str s)
{
    struct span f;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '$' && span_formula(s, i, &f))
            i = f.to - 1;
        else if (s.ptr[i] == '$' && (i + 1 >= s.len || !is_digit(s.ptr[i + 1])))
            return false;
    }
    return true;
}

/* Copies s[*i...] at out and moves *i on; returns how many bytes were written. */
static size_t copy_bare(struct str s, size_t *i, bool keeps_money, char *out)
{
    char c = s.ptr[*i];
    size_t at = *i;

    if (c == '\\' && at + 1 < s.len) {
        *i += 2;
        if (strchr("()[]", s.ptr[at + 1]))
            return 0;
        out[0] = c;
        out[1] = s.ptr[at + 1];
        return 2;
    }
    if (c == '*' && at + 1 < s.len && s.ptr[at + 1] == '*' && !is_power_stars(s, at)) {
        *i += 2;
        return 0;
    }
    *i += 1;
    if (c == '`')
        return 0;
    if (c == '$') {
        struct span f;
        bool is_money =
            keeps_money && at + 1 < s.len && is_digit(s.ptr[at + 1]) && !span_formula(s, at, &f);

        if (!is_money)
            return 0;
        out[0] = '\\';
        out[1] = '$';
        return 2;
    }
    out[0] = c;
    return 1;
}

struct str answer_bare(struct str text, struct arena *a)
{
    struct str s = without_quotes(without_final_marks(str_slice(text, 0, ANSWER_MAX_CANDIDATE)));
    char *out = arena_alloc(a, 2 * s.len + 1);
    size_t i = 0, n = 0;
    bool keeps_money;

    keeps_money = dollars_are_money(s);
    while (i < s.len)
        n += copy_bare(s, &i, keeps_money, out + n);
    s = (struct str){out, n};
    s = without_quotes(without_final_marks(s));
    while (s.len > 0 && (s.ptr[0] == ':' || s.ptr[0] == ','))
        s = str_trim(str_slice(s, 1, s.len));
    if (str_starts(s, "| ") && str_find_char(s, '|', 1) < 0)
        s = str_trim(str_slice(s, 1, s.len)); /* a cell of a table */
    if (str_starts(s, "\\approx"))
        s = str_trim(str_slice(s, strlen("\\approx"), s.len));
    else if (str_starts(s, "≈"))
        s = str_trim(str_slice(s, strlen("≈"), s.len));
    return with_counter(s, a);
}
