/* latex_clean.c - one pass that turns any bytes into a text that the tokenizer can read. */
#include "math/latex.h"

#include <ctype.h>

/* Unicode mathematics and what stands for it; sorted by code point. */
static const struct {
    uint32_t cp;
    const char *to;
} chars[] = {
    {0x00A0, " "},
    {0x00A2, "\\cents "},
    {0x00A3, "\\pounds "},
    {0x00A5, "\\yen "},
    {0x00AC, "\\neg "},
    {0x00AD, ""},
    {0x00B0, "\\degree "},
    {0x00B1, "\\pm "},
    {0x00B2, "^{2}"},
    {0x00B3, "^{3}"},
    {0x00B4, "'"},
    {0x00B7, "\\cdot "},
    {0x00B9, "^{1}"},
    {0x00BA, "\\degree "},
    {0x00BC, "\\frac{1}{4}"},
    {0x00BD, "\\frac{1}{2}"},
    {0x00BE, "\\frac{3}{4}"},
    {0x00D7, "\\times "},
    {0x00F7, "/"},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2012, "-"},
    {0x2013, "-"},
    {0x2014, "-"},
    {0x2015, "-"},
    {0x2016, "\\|"},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x201C, "\""},
    {0x201D, "\""},
    {0x2022, "\\cdot "},
    {0x2026, "\\ldots "},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x2044, "/"},
    {0x20AC, "\\euro "},
    {0x20B9, "\\rupee "},
    {0x2102, "\\mathbb{C}"},
    {0x2115, "\\mathbb{N}"},
    {0x211A, "\\mathbb{Q}"},
    {0x211D, "\\mathbb{R}"},
    {0x2124, "\\mathbb{Z}"},
    {0x2147, "e"},
    {0x2148, "i"},
    {0x2150, "\\frac{1}{7}"},
    {0x2151, "\\frac{1}{9}"},
    {0x2152, "\\frac{1}{10}"},
    {0x2153, "\\frac{1}{3}"},
    {0x2154, "\\frac{2}{3}"},
    {0x2155, "\\frac{1}{5}"},
    {0x2156, "\\frac{2}{5}"},
    {0x2157, "\\frac{3}{5}"},
    {0x2158, "\\frac{4}{5}"},
    {0x2159, "\\frac{1}{6}"},
    {0x215A, "\\frac{5}{6}"},
    {0x215B, "\\frac{1}{8}"},
    {0x215C, "\\frac{3}{8}"},
    {0x215D, "\\frac{5}{8}"},
    {0x215E, "\\frac{7}{8}"},
    {0x2190, "\\gets "},
    {0x2192, "\\to "},
    {0x21D2, "\\Rightarrow "},
    {0x21D4, "\\Leftrightarrow "},
    {0x2200, "\\forall "},
    {0x2202, "\\partial "},
    {0x2203, "\\exists "},
    {0x2205, "\\emptyset "},
    {0x2208, "\\in "},
    {0x2209, "\\notin "},
    {0x220F, "\\prod "},
    {0x2211, "\\sum "},
    {0x2212, "-"},
    {0x2213, "\\mp "},
    {0x2215, "/"},
    {0x2216, "\\setminus "},
    {0x2217, "*"},
    {0x2219, "\\cdot "},
    {0x221A, "\\sqrt "},
    {0x221B, "\\sqrt[3] "},
    {0x221C, "\\sqrt[4] "},
    {0x221E, "\\infty "},
    {0x2220, "\\angle "},
    {0x2223, "|"},
    {0x2225, "\\|"},
    {0x2227, "\\land "},
    {0x2228, "\\lor "},
    {0x2229, "\\cap "},
    {0x222A, "\\cup "},
    {0x222B, "\\int "},
    {0x2236, ":"},
    {0x2248, "\\approx "},
    {0x2260, "\\ne "},
    {0x2261, "\\equiv "},
    {0x2264, "\\le "},
    {0x2265, "\\ge "},
    {0x2266, "\\le "},
    {0x2267, "\\ge "},
    {0x2282, "\\subset "},
    {0x2286, "\\subseteq "},
    {0x22C5, "\\cdot "},
    {0x22EF, "\\ldots "},
    {0x2308, "\\lceil "},
    {0x2309, "\\rceil "},
    {0x230A, "\\lfloor "},
    {0x230B, "\\rfloor "},
    {0x25B3, "\\triangle "},
    {0x27E8, "\\langle "},
    {0x27E9, "\\rangle "},
    {0x2A7D, "\\le "},
    {0x2A7E, "\\ge "},
    {0x2A2F, "\\times "},
    {0x2500, "-"},
    {0x3000, " "},
    {0x3001, ","},
    {0x3002, "."},
    {0xFE50, ","},
    {0xFE58, "-"},
    {0xFE63, "-"},
    {0xFFE5, "\\yen "},
    {0xFFE1, "\\pounds "},
};

static const char *const greek_small[] = {
    "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
    "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "varsigma",
    "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
static const char *const greek_large[] = {
    "Alpha", "Beta",   "Gamma",   "Delta", "Epsilon", "Zeta",    "Eta",  "Theta", "Iota",
    "Kappa", "Lambda", "Mu",      "Nu",    "Xi",      "Omicron", "Pi",   "Rho",   "Rho",
    "Sigma", "Tau",    "Upsilon", "Phi",   "Chi",     "Psi",     "Omega"};

static const char *char_find(uint32_t cp)
{
    for (size_t i = 0; i < LEN(chars); i++)
        if (chars[i].cp == cp)
            return chars[i].to;
    return NULL;
}

static bool is_invisible(uint32_t cp)
{
    return cp == 0x200B || cp == 0x200C || cp == 0x200D || cp == 0x200E || cp == 0x200F ||
           cp == 0x2060 || (cp >= 0x2061 && cp <= 0x2064) || (cp >= 0x202A && cp <= 0x202E) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0xFEFF || (cp >= 0xFE00 && cp <= 0xFE0F);
}

static bool is_blank(uint32_t cp)
{
    return (cp >= 0x2000 && cp <= 0x200A) || cp == 0x202F || cp == 0x205F;
}

/* Super- and subscript characters, as the plain character; 0: none of them. */
static char script_char(uint32_t cp, bool *is_sub)
{
    static const char super[] = {'0', 0,   0,   0,   '4', '5', '6', '7',
                                 '8', '9', '+', '-', '=', '(', ')', 'n'};
    static const char sub[] = "0123456789+-=()";

    *is_sub = cp >= 0x2080;
    if (cp == 0x2071)
        return 'i';
    if (cp >= 0x2070 && cp <= 0x207F)
        return super[cp - 0x2070];
    if (cp >= 0x2080 && cp <= 0x208E)
        return sub[cp - 0x2080];
    if (cp == 0xB9 || cp == 0xB2 || cp == 0xB3)
        return cp == 0xB9 ? '1' : cp == 0xB2 ? '2' : '3';
    return 0;
}

/* The mathematical alphanumerics (U+1D400 on) as plain letters and digits; 0: not one. */
static char styled_char(uint32_t cp)
{
    if (cp >= 0x1D400 && cp <= 0x1D6A3) {
        uint32_t k = (cp - 0x1D400) % 52;
        return (char)(k < 26 ? 'A' + k : 'a' + k - 26);
    }
    if (cp >= 0x1D7CE && cp <= 0x1D7FF)
        return (char)('0' + (cp - 0x1D7CE) % 10);
    return 0;
}

static void add_scripts(struct buf *out, struct str s, size_t *i, char first, bool is_sub)
{
    buf_addz(out, is_sub ? "_{" : "^{");
    buf_addc(out, first);
    while (*i < s.len) {
        size_t next = *i;
        bool next_sub;
        uint32_t cp = utf8_next(s, &next);
        char c = script_char(cp, &next_sub);
        if (c == 0 || next_sub != is_sub)
            break;
        buf_addc(out, c);
        *i = next;
    }
    buf_addc(out, '}');
}

static void add_wide(struct buf *out, struct str s, size_t *i, uint32_t cp)
{
    bool is_sub;
    char c = script_char(cp, &is_sub);
    const char *to;

    if (c != 0) {
        add_scripts(out, s, i, c, is_sub);
    } else if (is_invisible(cp)) {
        return;
    } else if (is_blank(cp)) {
        buf_addc(out, ' ');
    } else if (cp >= 0xFF01 && cp <= 0xFF5E) {
        buf_addc(out, (char)(cp - 0xFF01 + '!'));
    } else if ((c = styled_char(cp)) != 0) {
        buf_addc(out, c);
    } else if (cp >= 0x3B1 && cp <= 0x3C9) {
        buf_addf(out, "\\%s ", greek_small[cp - 0x3B1]);
    } else if (cp >= 0x391 && cp <= 0x3A9) {
        buf_addf(out, "\\%s ", greek_large[cp - 0x391]);
    } else if ((to = char_find(cp)) != NULL) {
        /* a dash is a minus sign only before a value */
        buf_addz(out, to);
    } else {
        buf_add_utf8(out, cp == UTF8_BAD ? 0xFFFD : cp);
    }
}

/* Backslashes written twice, as JSON leaves them: "\\frac". In environments "\\" breaks rows, so
 * there the text counts as doubled only when "\\begin" is. */
static struct str undouble(struct arena *a, struct str s)
{
    bool has_begin = str_find(s, STR("\\begin"), 0) >= 0;
    bool is_doubled = str_find(s, STR("\\\\begin"), 0) >= 0;
    char *out;
    size_t n = 0;

    if (str_find(s, STR("\\\\"), 0) < 0 || (has_begin && !is_doubled))
        return s;
    out = arena_alloc(a, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len && s.ptr[i + 1] == '\\') {
            if (i + 2 < s.len && s.ptr[i + 2] != ' ' && s.ptr[i + 2] != '\n')
                i++;
        }
        out[n++] = s.ptr[i];
    }
    return (struct str){out, n};
}

static bool drop_ends(struct str *s, const char *open, const char *close)
{
    size_t n_open = strlen(open), n_close = strlen(close);

    if (s->len < n_open + n_close || !str_starts(*s, open) || !str_ends(*s, close))
        return false;
    *s = str_trim(str_slice(*s, n_open, s->len - n_close));
    return true;
}

/* Whether the closing delimiter at the end belongs to the opening one at the start. */
static bool is_one_formula(struct str s, const char *open)
{
    return str_find(s, STR(open), strlen(open)) < 0 ||
           (size_t)str_find(s, STR(open), strlen(open)) == s.len - strlen(open);
}

static struct str strip_delimiters(struct str s)
{
    for (;;) {
        size_t before = s.len;
        s = str_trim(s);
        while (s.len > 0 && s.ptr[s.len - 1] == '.' && !str_ends(s, "..") && !str_ends(s, "m."))
            s = str_trim(str_slice(s, 0, s.len - 1));
        while (s.len > 0 && (s.ptr[s.len - 1] == ',' || s.ptr[s.len - 1] == ';') &&
               !str_ends(s, "\\,") && !str_ends(s, "\\;"))
            s = str_trim(str_slice(s, 0, s.len - 1));
        if (s.len > 1 && s.ptr[s.len - 1] == '\\' && s.ptr[s.len - 2] != '\\')
            s = str_trim(str_slice(s, 0, s.len - 1));
        if (is_one_formula(s, "$$"))
            drop_ends(&s, "$$", "$$");
        if (is_one_formula(s, "$"))
            drop_ends(&s, "$", "$");
        if (is_one_formula(s, "\\("))
            drop_ends(&s, "\\(", "\\)");
        if (is_one_formula(s, "\\["))
            drop_ends(&s, "\\[", "\\]");
        if (is_one_formula(s, "**"))
            drop_ends(&s, "**", "**");
        if (is_one_formula(s, "`"))
            drop_ends(&s, "`", "`");
        if (s.len == before)
            return s;
    }
}

struct str latex_clean(struct arena *a, struct str text)
{
    struct buf out = {0};
    struct str s;
    bool is_plain = true;

    for (size_t i = 0; i < text.len && is_plain; i++)
        is_plain = (unsigned char)text.ptr[i] >= 32 && (unsigned char)text.ptr[i] < 127;
    if (is_plain)
        return strip_delimiters(undouble(a, str_trim(text)));
    buf_init(&out, (size_t)LATEX_MAX_TEXT * 16);
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 128) {
            i++;
            if (c == '\n' || c == '\t' || c == '\r')
                buf_addc(&out, ' ');
            else if (c >= 32 && c != 127)
                buf_addc(&out, (char)c);
            continue;
        }
        uint32_t cp = utf8_next(text, &i);
        add_wide(&out, text, &i, cp);
    }
    s = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return strip_delimiters(undouble(a, str_trim(s)));
}

/* --- words ------------------------------------------------------------------------------------ */

static size_t command_end(struct str s, size_t i)
{
    size_t j = i + 1;

    while (j < s.len && isalpha((unsigned char)s.ptr[j]))
        j++;
    return j == i + 1 && j < s.len ? j + 1 : j;
}

struct str latex_plain(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.len * 2 + 2);
    size_t n = 0;

    for (size_t i = 0; i < s.len;) {
        char c = s.ptr[i];
        if (c == '\\') {
            size_t j = command_end(s, i);
            struct str name = str_slice(s, i + 1, j);
            const struct latex_command *cmd = latex_command_find(name);
            bool is_kept =
                name.len > 1 && (cmd == NULL || (cmd->cls != CMD_TEXT && cmd->cls != CMD_STYLE &&
                                                 cmd->cls != CMD_IGNORE && cmd->cls != CMD_QUAD));
            if (is_kept && isalpha((unsigned char)name.ptr[0])) {
                memcpy(out + n, name.ptr, name.len);
                n += name.len;
            } else if (name.len == 1 &&
                       (name.ptr[0] == '%' || name.ptr[0] == '$' || name.ptr[0] == '&')) {
                out[n++] = name.ptr[0];
            } else if (n > 0 && out[n - 1] != ' ' &&
                       (name.len == 1 || (cmd && cmd->cls == CMD_QUAD)) && name.ptr[0] != '!') {
                out[n++] = ' ';
            }
            i = j;
        } else if (c == '{' || c == '}' || c == '$' || c == '`' || c == '"' ||
                   (c == '*' &&
                    ((i > 0 && s.ptr[i - 1] == '*') || (i + 1 < s.len && s.ptr[i + 1] == '*')))) {
            i++;
        } else if (c == ' ' || c == '~') {
            if (n > 0 && out[n - 1] != ' ')
                out[n++] = ' ';
            i++;
        } else {
            out[n++] = c;
            i++;
        }
    }
    return str_trim((struct str){out, n});
}
