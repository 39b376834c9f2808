/* onig.c - recursive descent over an Oniguruma pattern, writing PCRE2 as it goes.
 *
 * Each atom is written to the end of `out`; a quantifier that PCRE2 would read otherwise wraps the
 * atom in a group afterwards. A character class becomes a plain PCRE2 class where it can, else an
 * alternation with lookaheads: PCRE2 10.42 has neither nested classes nor intersections. */
#include "tokenizer/onig.h"

#include "base/num.h"

#define MAX_DEPTH 100

/* White_Space. PCRE2's own \s takes U+180E in, which left that property in Unicode 6.3. */
#define SPACES \
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}" \
    "\\x{205F}\\x{3000}"
#define WORDS    "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define ANY_CHAR "(?s:.)"

/* What \w, \b and \p{Word} take for a word on their own: for characters below U+0100 Oniguruma
 * then asks a table of its own, which has superscripts and fractions too. A class has WORDS. */
#define LONE_WORDS WORDS "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

/* Neither space nor control nor surrogate nor unassigned. */
#define GRAPHIC "\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Cf}\\p{Co}"

struct onig {
    const char *p, *begin, *end;
    struct buf *out;
    struct err *e;
    bool is_caseless;
    char last_literal; /* the ASCII letter just read, for the pairs that fold to one character; else
                          0 */
};

static bool parse_alternatives(struct onig *o, int depth);

static bool refuse(struct onig *o, const char *what)
{
    return err_set(o->e, ERR_UNSUPPORTED, "regex: %s at offset %td of \"%.*s\" is not supported",
                   what, o->p - o->begin, (int)MIN(o->end - o->begin, 200), o->begin);
}

static bool wrong(struct onig *o, const char *what)
{
    return err_set(o->e, ERR_INPUT, "regex: %s at offset %td of \"%.*s\"", what, o->p - o->begin,
                   (int)MIN(o->end - o->begin, 200), o->begin);
}

static bool at(const struct onig *o, const char *z)
{
    size_t n = strlen(z);

    return (size_t)(o->end - o->p) >= n && memcmp(o->p, z, n) == 0;
}

static bool skip(struct onig *o, const char *z)
{
    if (!at(o, z))
        return false;
    o->p += strlen(z);
    return true;
}

static void insert(struct buf *out, size_t at_byte, const char *z)
{
    size_t n = strlen(z), tail = out->len - at_byte;

    buf_addz(out, z);
    if (out->failed)
        return;
    memmove(out->ptr + at_byte + n, out->ptr + at_byte, tail);
    memcpy(out->ptr + at_byte, z, n);
}

/* --- Characters ------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f')
        return (c | 32) - 'a' + 10;
    return -1;
}

/* Up to max hex digits; -1 when there are fewer than min or the number is no scalar value. */
static int64_t read_hex(struct onig *o, int min, int max)
{
    int64_t c = 0;
    int n = 0;

    while (n < max && o->p < o->end && hex_digit(*o->p) >= 0) {
        c = c * 16 + hex_digit(*o->p++);
        n++;
    }
    return n < min || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? -1 : c;
}

/* The character that an escape names, o->p after the backslash; -1 with an error, or -2 when the
 * escape names no single character. */
static int64_t read_escaped(struct onig *o)
{
    static const char names[] = "tnrfvae", values[] = "\t\n\r\f\v\a\x1B";
    char c = *o->p;
    int64_t code = -2;

    if (strchr(names, c) && c) {
        o->p++;
        return values[strchr(names, c) - names];
    }
    if (c == 'x') {
        o->p++;
        if (skip(o, "{")) {
            code = read_hex(o, 1, 8);
            if (code < 0 || !skip(o, "}"))
                return wrong(o, "a bad \\x{...}"), -1;
            return code;
        }
        code = read_hex(o, 1, 2);
        if (code < 0)
            return wrong(o, "a bad \\x"), -1;
        if (code > 0x7F) /* one byte of a character, in Oniguruma */
            return refuse(o, "a byte by \\x"), -1;
        return code;
    }
    if (c == 'u') {
        o->p++;
        code = read_hex(o, 4, 4);
        return code < 0 ? (wrong(o, "a bad \\u"), -1) : code;
    }
    if (c == '0') {
        code = 0;
        for (int n = 0; n < 3 && o->p < o->end && *o->p >= '0' && *o->p <= '7'; n++)
            code = code * 8 + (*o->p++ - '0');
        return code > 0x7F ? (refuse(o, "an octal byte"), -1) : code;
    }
    if ((c >= '1' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return -2;
    {
        size_t i = 0;
        uint32_t code_point = utf8_next((struct str){o->p, (size_t)(o->end - o->p)}, &i);

        o->p += i;
        return code_point;
    }
}

static void put_char(struct buf *out, int64_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        buf_addc(out, (char)c);
    else
        buf_addf(out, "\\x{%llX}", (long long)c);
}

/* Oniguruma folds some characters to several ("ß" to "ss"), PCRE2 does not. */
static bool check_folding(struct onig *o, int64_t c)
{
    static const char *const pairs[] = {"ss", "ff", "fi", "fl", "st"};
    char low = c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z') ? (char)(c | 32) : 0;

    if (!o->is_caseless)
        return true;
    if (c == 0xDF || c == 0x130 || c == 0x149 || c == 0x1F0 || c == 0x390 || c == 0x3B0 ||
        c == 0x587 || (c >= 0x1E96 && c <= 0x1E9E) || (c >= 0x1F50 && c <= 0x1FFC) ||
        (c >= 0xFB00 && c <= 0xFB17))
        return refuse(o, "a character that folds to several, without regard to case,");
    for (size_t i = 0; low && i < LEN(pairs); i++)
        if (o->last_literal == pairs[i][0] && low == pairs[i][1])
            return refuse(o, "a pair of letters that folds to one, without regard to case,");
    o->last_literal = low;
    return true;
}

/* --- Properties ------------------------------------------------------------------------------- */

struct property {
    const char *name, *items; /* the inside of a PCRE2 class */
};

static const struct property posix[] = {
    {"alpha", "\\p{Alphabetic}"},
    {"alnum", "\\p{Alphabetic}\\p{Nd}"},
    {"upper", "\\p{Uppercase}"},
    {"lower", "\\p{Lowercase}"},
    {"space", SPACES},
    {"whitespace", SPACES},
    {"digit", "\\p{Nd}"},
    {"word", WORDS},
    {"punct", "\\p{P}\\p{S}"},
    {"graph", GRAPHIC},
    {"print", GRAPHIC "\\p{Zs}"},
    {"cntrl", "\\p{Cc}"},
    {"blank", "\\p{Zs}\\x{9}"},
    {"xdigit", "0-9A-Fa-f"},
    {"ascii", "\\x{0}-\\x{7F}"},
    {"any", "\\x{0}-\\x{10FFFF}"},
    {"assigned", GRAPHIC "\\p{Z}\\p{Cc}\\p{Cs}"},
};

static const struct property categories[] = {
    {"letter", "\\p{L}"},
    {"mark", "\\p{M}"},
    {"number", "\\p{N}"},
    {"punctuation", "\\p{P}"},
    {"symbol", "\\p{S}"},
    {"separator", "\\p{Z}"},
    {"other", "\\p{C}"},
    {"uppercaseletter", "\\p{Lu}"},
    {"lowercaseletter", "\\p{Ll}"},
    {"titlecaseletter", "\\p{Lt}"},
    {"modifierletter", "\\p{Lm}"},
    {"otherletter", "\\p{Lo}"},
    {"nonspacingmark", "\\p{Mn}"},
    {"spacingmark", "\\p{Mc}"},
    {"enclosingmark", "\\p{Me}"},
    {"decimalnumber", "\\p{Nd}"},
    {"letternumber", "\\p{Nl}"},
    {"othernumber", "\\p{No}"},
    {"connectorpunctuation", "\\p{Pc}"},
    {"dashpunctuation", "\\p{Pd}"},
    {"openpunctuation", "\\p{Ps}"},
    {"closepunctuation", "\\p{Pe}"},
    {"initialpunctuation", "\\p{Pi}"},
    {"finalpunctuation", "\\p{Pf}"},
    {"otherpunctuation", "\\p{Po}"},
    {"mathsymbol", "\\p{Sm}"},
    {"currencysymbol", "\\p{Sc}"},
    {"modifiersymbol", "\\p{Sk}"},
    {"othersymbol", "\\p{So}"},
    {"spaceseparator", "\\p{Zs}"},
    {"lineseparator", "\\p{Zl}"},
    {"paragraphseparator", "\\p{Zp}"},
    {"control", "\\p{Cc}"},
    {"format", "\\p{Cf}"},
    {"surrogate", "\\p{Cs}"},
    {"privateuse", "\\p{Co}"},
    {"unassigned", "\\p{Cn}"},
    {"alphabetic", "\\p{Alphabetic}"},
    {"uppercase", "\\p{Uppercase}"},
    {"lowercase", "\\p{Lowercase}"},
};

static const char short_categories[] = " l m n p s z c lu ll lt lm lo mn mc me nd nl no pc pd ps "
                                       "pe pi pf po sm sc sk so zs zl zp cc cf cs co cn ";

static bool find_property(const struct property *table, size_t n, const char *name,
                          struct buf *items)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].name, name) == 0) {
            buf_addz(items, table[i].items);
            return true;
        }
    return false;
}

/* o->p after \p or \P. items gets the inside of a class; *negated tells \P, \p{^...}. */
static bool parse_property(struct onig *o, bool negated_by_letter, struct buf *items, bool *negated)
{
    char name[64], key[68];
    size_t n = 0;

    *negated = negated_by_letter;
    if (!skip(o, "{"))
        return refuse(o, "\\p without braces");
    if (skip(o, "^"))
        *negated = !*negated;
    while (o->p < o->end && *o->p != '}' && n < sizeof(name) - 1) {
        char c = *o->p++;

        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (!((c | 32) >= 'a' && (c | 32) <= 'z'))
            return refuse(o, "this \\p{...}");
        name[n++] = (char)(c | 32);
    }
    name[n] = '\0';
    if (!skip(o, "}"))
        return wrong(o, "an unfinished \\p{...}");
    if (o->is_caseless && (name[0] == 'u' || name[0] == 'l' || name[0] == 't') && n > 1)
        return refuse(o, "a property of case, without regard to case,");
    if (strcmp(name, "punct") == 0) { /* without the symbols that [:punct:] has */
        buf_addz(items, "\\p{P}");
        return true;
    }
    if (find_property(posix, LEN(posix), name, items) ||
        find_property(categories, LEN(categories), name, items))
        return true;
    snprintf(key, sizeof(key), " %s ", name);
    if (n && n <= 2 && strstr(short_categories, key)) {
        buf_addf(items, "\\p{%c%s}", name[0] - 32, name + 1);
        return true;
    }
    /* A script: Script itself, not Script_Extensions, which PCRE2 takes by default. An unknown name
     * is PCRE2's error, which quotes the pattern. */
    buf_addf(items, "\\p{sc:%s}", name);
    return true;
}

/* \d \s \w \h and their negations; false: c is none of them. */
static bool class_letter(char c, const char **items, bool *negated)
{
    static const char letters[] = "dswh";
    static const char *const sets[] = {"\\p{Nd}", SPACES, WORDS, "0-9A-Fa-f"};
    const char *at_letter = strchr(letters, c | 32);

    if (!c || !at_letter || !strchr("dswhDSWH", c))
        return false;
    *items = sets[at_letter - letters];
    *negated = !(c & 32);
    return true;
}

/* --- Classes ---------------------------------------------------------------------------------- */

/* A union under construction: `items` go into one PCRE2 class, `others` are whole patterns for one
 * character each, joined by "|". */
struct class_union {
    struct buf items, others;
};

static void union_clear(struct class_union *u)
{
    buf_clear(&u->items);
    buf_clear(&u->others);
}

static void union_add(struct class_union *u, const char *items, bool negated)
{
    if (!negated)
        buf_addz(&u->items, items);
    else
        buf_addf(&u->others, "%s[^%s]", u->others.len ? "|" : "", items);
}

/* One pattern for the union. */
static void union_write(const struct class_union *u, struct buf *out)
{
    if (!u->others.len)
        buf_addf(out, "[%s]", buf_z(&u->items));
    else if (!u->items.len)
        buf_addf(out, "(?:%s)", buf_z(&u->others));
    else
        buf_addf(out, "(?:[%s]|%s)", buf_z(&u->items), buf_z(&u->others));
}

static bool parse_posix(struct onig *o, struct class_union *u)
{
    char name[16];
    size_t n = 0;
    bool negated = skip(o, "^");

    while (o->p < o->end && *o->p >= 'a' && *o->p <= 'z' && n < sizeof(name) - 1)
        name[n++] = *o->p++;
    name[n] = '\0';
    if (!skip(o, ":]"))
        return refuse(o, "this [:...:]");
    if (o->is_caseless && (strcmp(name, "upper") == 0 || strcmp(name, "lower") == 0))
        return refuse(o, "a property of case, without regard to case,");
    for (size_t i = 0; i < LEN(posix); i++)
        if (strcmp(posix[i].name, name) == 0) {
            union_add(u, posix[i].items, negated);
            return true;
        }
    return refuse(o, "this [:...:]");
}

/* One end of a range or a single character; -1 with an error, -2: a class letter or property. */
static int64_t class_char(struct onig *o)
{
    size_t i = 0;
    uint32_t c;

    if (o->p >= o->end)
        return wrong(o, "an unfinished class"), -1;
    if (*o->p == '\\') {
        int64_t escaped;

        if (o->p + 1 >= o->end)
            return wrong(o, "a backslash at the end"), -1;
        o->p++;
        if (*o->p == 'b') { /* a backspace, within a class */
            o->p++;
            return 8;
        }
        escaped = read_escaped(o);
        if (escaped == -2)
            o->p--;
        return escaped;
    }
    c = utf8_next((struct str){o->p, (size_t)(o->end - o->p)}, &i);
    o->p += i;
    return c;
}

static bool parse_class_item(struct onig *o, struct class_union *u)
{
    int64_t first = class_char(o), last;
    const char *items;
    bool negated;

    if (first == -1)
        return false;
    if (first == -2) {
        char c = o->p[1];

        o->p += 2;
        if (class_letter(c, &items, &negated)) {
            union_add(u, items, negated);
        } else if (c == 'p' || c == 'P') {
            struct buf property = {0};
            bool ok = parse_property(o, c == 'P', &property, &negated);

            if (ok)
                union_add(u, buf_z(&property), negated);
            buf_clear(&property);
            if (!ok)
                return false;
        } else {
            return refuse(o, "this escape in a class");
        }
        if (at(o, "-") && !at(o, "-]"))
            return refuse(o, "a range from a class");
        return true;
    }
    o->last_literal = 0;
    if (!check_folding(o, first))
        return false;
    o->last_literal = 0;
    put_char(&u->items, first);
    if (!at(o, "-") || at(o, "-]") || at(o, "-&&"))
        return true;
    o->p++;
    if (at(o, "["))
        return refuse(o, "a range to a class");
    last = class_char(o);
    if (last == -1)
        return false;
    if (last == -2)
        return refuse(o, "a range to a class");
    if (last < first)
        return wrong(o, "a range that runs backwards");
    if (o->is_caseless && last > 0x7F)
        return refuse(o, "a range beyond ASCII, without regard to case,");
    buf_addc(&u->items, '-');
    put_char(&u->items, last);
    return true;
}

/* o->p after "[". Writes one pattern that matches one character. */
static bool parse_class(struct onig *o, struct buf *out, int depth)
{
    struct class_union u = {0};
    struct buf both = {0}; /* what stands left of &&, as lookaheads */
    bool negated = skip(o, "^"), ok = false, is_empty = true;

    if (depth > MAX_DEPTH) {
        wrong(o, "classes nested too deeply");
        goto out;
    }
    if (at(o, "]")) {
        refuse(o, "] as the first of a class");
        goto out;
    }
    while (!at(o, "]")) {
        if (o->p >= o->end) {
            wrong(o, "an unfinished class");
            goto out;
        }
        if (skip(o, "&&")) {
            if (is_empty) {
                refuse(o, "an empty side of &&");
                goto out;
            }
            buf_addz(&both, "(?=");
            union_write(&u, &both);
            buf_addz(&both, ")");
            union_clear(&u);
            is_empty = true;
            continue;
        }
        if (skip(o, "[:")) {
            if (!parse_posix(o, &u))
                goto out;
        } else if (skip(o, "[")) {
            if (u.others.len)
                buf_addz(&u.others, "|");
            if (!parse_class(o, &u.others, depth + 1))
                goto out;
        } else if (!parse_class_item(o, &u)) {
            goto out;
        }
        is_empty = false;
    }
    o->p++;
    if (is_empty) {
        refuse(o, "an empty side of &&");
        goto out;
    }
    if (!both.len && !u.others.len) {
        buf_addf(out, negated ? "[^%s]" : "[%s]", buf_z(&u.items));
    } else {
        buf_addz(out, negated ? "(?:(?!" : "(?:");
        buf_add_str(out, buf_str(&both));
        union_write(&u, out);
        buf_addz(out, negated ? ")" ANY_CHAR ")" : ")");
    }
    ok = true;
out:
    union_clear(&u);
    buf_clear(&both);
    return ok;
}

/* --- Atoms, quantifiers, groups --------------------------------------------------------------- */

/* The items of a class letter or property that stands outside a class. */
static const char *lone(const char *items)
{
    return strcmp(items, WORDS) == 0 ? LONE_WORDS : items;
}

static bool parse_escape(struct onig *o)
{
    const char *items;
    bool negated;
    int64_t c;
    char letter;

    if (++o->p >= o->end)
        return wrong(o, "a backslash at the end");
    letter = *o->p;
    if (class_letter(letter, &items, &negated)) {
        o->p++;
        buf_addf(o->out, negated ? "[^%s]" : "[%s]", lone(items));
        return true;
    }
    if (letter == 'p' || letter == 'P') {
        struct buf property = {0};
        bool ok;

        o->p++;
        ok = parse_property(o, letter == 'P', &property, &negated);
        if (ok)
            buf_addf(o->out, negated ? "[^%s]" : "[%s]", lone(buf_z(&property)));
        buf_clear(&property);
        return ok;
    }
    if (letter == 'b' || letter == 'B') {
        o->p++;
        buf_addz(o->out, letter == 'b' ? "(?:(?<=[" LONE_WORDS "])(?![" LONE_WORDS
                                         "])|(?<![" LONE_WORDS "])(?=[" LONE_WORDS "]))"
                                       : "(?:(?<=[" LONE_WORDS "])(?=[" LONE_WORDS
                                         "])|(?<![" LONE_WORDS "])(?![" LONE_WORDS "]))");
        return true;
    }
    if (letter == 'A' || letter == 'z' || letter == 'Z' || letter == 'G' || letter == 'R') {
        o->p++;
        buf_addf(o->out, "\\%c", letter);
        return true;
    }
    c = read_escaped(o);
    if (c == -2)
        return refuse(o, "this escape");
    if (c == -1 || !check_folding(o, c))
        return false;
    put_char(o->out, c);
    return true;
}

/* o->p after "(?" and at the first option letter. Ruby's m is PCRE2's s. Without a colon the
 * options hold to the end of the group, over what is left of its alternatives as one. */
static bool parse_options(struct onig *o, int depth)
{
    bool was_caseless = o->is_caseless, is_off = false, ok;
    bool caseless = was_caseless;

    buf_addz(o->out, "(?");
    for (; o->p < o->end && *o->p != ':' && *o->p != ')'; o->p++) {
        if (*o->p == '-' && !is_off) {
            is_off = true;
            buf_addc(o->out, '-');
        } else if (*o->p == 'i') {
            caseless = !is_off;
            buf_addc(o->out, 'i');
        } else if (*o->p == 'm') {
            buf_addc(o->out, 's');
        } else {
            return refuse(o, "this group");
        }
    }
    if (o->p >= o->end)
        return wrong(o, "an unfinished group");
    buf_addc(o->out, ':');
    o->is_caseless = caseless;
    if (*o->p++ == ')') {
        /* The closing bracket of the group around belongs to that group: it is not read here. */
        ok = parse_alternatives(o, depth + 1);
    } else {
        ok = parse_alternatives(o, depth + 1);
        if (ok && !skip(o, ")"))
            ok = wrong(o, "a group without its end");
    }
    buf_addc(o->out, ')');
    o->is_caseless = was_caseless;
    return ok;
}

static bool parse_group(struct onig *o, int depth)
{
    static const char *const heads[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    const char *head = "(?:"; /* captures are not used, since references to them are refused */

    if (at(o, "(*"))
        return refuse(o, "(*");
    if (skip(o, "(?#")) {
        while (o->p < o->end && *o->p != ')')
            o->p++;
        return skip(o, ")") || wrong(o, "an unfinished comment");
    }
    if (at(o, "(?")) {
        size_t i = 0;

        while (i < LEN(heads) && !at(o, heads[i]))
            i++;
        if (i == LEN(heads)) {
            o->p += 2;
            if (o->p < o->end && strchr("im-", *o->p))
                return parse_options(o, depth);
            return refuse(o, "this group");
        }
        head = heads[i];
        o->p += strlen(head);
    } else {
        o->p++;
    }
    buf_addz(o->out, head);
    if (!parse_alternatives(o, depth + 1))
        return false;
    if (!skip(o, ")"))
        return wrong(o, "a group without its end");
    buf_addc(o->out, ')');
    return true;
}

static bool parse_atom(struct onig *o, int depth)
{
    char c = *o->p;
    size_t i = 0;
    uint32_t code_point;

    if (c != '\\' && c != '(' && (c < 'A' || c > 'z'))
        o->last_literal = 0;
    switch (c) {
    case '\\':
        return parse_escape(o);
    case '[':
        o->p++;
        o->last_literal = 0;
        return parse_class(o, o->out, 0);
    case '(':
        return parse_group(o, depth);
    case '.':
    case '^':
    case '$':
        o->p++;
        buf_addc(o->out, c);
        return true;
    case '*':
    case '+':
    case '?':
        return wrong(o, "a quantifier with nothing to repeat");
    default:
        code_point = utf8_next((struct str){o->p, (size_t)(o->end - o->p)}, &i);
        o->p += i;
        if (!check_folding(o, code_point))
            return false;
        put_char(o->out, code_point);
        return true;
    }
}

/* {n} {n,} {n,m} {,m} at o->p; false and nothing read: the brace is an ordinary character. */
static bool read_interval(struct onig *o, int64_t *min, int64_t *max)
{
    const char *p = o->p + 1;
    int64_t number[2] = {-1, -1};
    bool has_comma = false;

    for (int i = 0; i < 2; i++) {
        while (p < o->end && *p >= '0' && *p <= '9' && number[i] <= 100000)
            number[i] = MAX(number[i], 0) * 10 + (*p++ - '0');
        if (i == 0 && p < o->end && *p == ',') {
            has_comma = true;
            p++;
        } else {
            break;
        }
    }
    if (p >= o->end || *p != '}' || (number[0] < 0 && number[1] < 0))
        return false;
    *min = MAX(number[0], 0);
    *max = has_comma ? number[1] : number[0];
    o->p = p + 1;
    return true;
}

/* The quantifiers after the atom that begins at out->ptr + from. */
static bool parse_quantifiers(struct onig *o, size_t from)
{
    bool is_quantified = false;

    while (o->p < o->end) {
        char c = *o->p;
        int64_t min = 0, max = 0;

        if (c != '*' && c != '+' && c != '?' && c != '{')
            return true;
        if (c == '{') {
            if (!read_interval(o, &min, &max))
                return true;
            if (min > 65535 || max > 65535 || (max >= 0 && max < min))
                return refuse(o, "this interval");
        }
        if (is_quantified) {
            insert(o->out, from, "(?:");
            buf_addc(o->out, ')');
        }
        is_quantified = true;
        o->last_literal = 0;
        if (c != '{') {
            o->p++;
            buf_addc(o->out, c);
            if (o->p < o->end && (*o->p == '?' || *o->p == '+'))
                buf_addc(o->out, *o->p++);
            continue;
        }
        buf_addf(o->out, "{%lld", (long long)min);
        if (max != min)
            buf_addc(o->out, ',');
        if (max >= 0 && max != min)
            buf_addf(o->out, "%lld", (long long)max);
        buf_addc(o->out, '}');
        /* {n,m}? is reluctant, but {n}? means (?:{n})?, and {n,m}+ repeats: the loop wraps those.
         */
        if (max != min && o->p < o->end && *o->p == '?') {
            buf_addc(o->out, '?');
            o->p++;
        }
    }
    return true;
}

static bool parse_alternatives(struct onig *o, int depth)
{
    if (depth > MAX_DEPTH)
        return wrong(o, "groups nested too deeply");
    while (o->p < o->end && *o->p != ')') {
        size_t from = o->out->len;

        if (*o->p == '|') {
            o->p++;
            o->last_literal = 0;
            buf_addc(o->out, '|');
            continue;
        }
        if (!parse_atom(o, depth) || !parse_quantifiers(o, from))
            return false;
    }
    return true;
}

bool onig_translate(struct str pattern, struct buf *out, struct err *e)
{
    struct onig o = {.p = pattern.ptr,
                     .begin = pattern.ptr,
                     .end = pattern.ptr + pattern.len,
                     .out = out,
                     .e = e};

    if (!utf8_valid(pattern))
        return err_set(e, ERR_INPUT, "regex: the pattern is not UTF-8");
    if (pattern.len > 16384)
        return err_set(e, ERR_INPUT, "regex: a pattern of %zu bytes; at most 16384", pattern.len);
    if (!parse_alternatives(&o, 0))
        return false;
    if (o.p < o.end)
        return wrong(&o, "a closing bracket without its beginning");
    return !out->failed || err_set(e, ERR_INPUT, "regex: the pattern is too long");
}
