/* answer_choice.c - option letters.
 *
 * A text names options when it begins, after markup and words such as "option", with letters of the
 * list that stand alone. In prose the last sentence with such letters decides, without those that
 * it rejects. */
#include "math/answer_internal.h"

/* --- a bare answer ---------------------------------------------------------------------------- */

/* Markup removed: commands go, their braces become blanks. Returns the length. */
static size_t plain(struct str s, char *out, size_t cap)
{
    size_t n = 0, i = 0;

    while (i < s.len && n + 1 < cap) {
        char c = s.ptr[i];

        if (c == '\\' && i + 1 < s.len && is_alpha(s.ptr[i + 1])) {
            i++;
            while (i < s.len && is_alpha(s.ptr[i]))
                i++;
            out[n++] = ' ';
            continue;
        }
        if (c == '\\' && i + 1 < s.len && s.ptr[i + 1] != ' ')
            i++;
        else
            out[n++] = strchr("{}$~*`\"_\\", c) ? ' ' : c;
        i++;
    }
    out[n] = 0;
    return n;
}

static size_t skip_words(struct str s, size_t i)
{
    static const char *const words[] = {"options", "option",  "choices", "choice",    "answers",
                                        "answer",  "letter",  "the",     "is",        "are",
                                        "correct", "final",   "选项",    "选择",      "选",
                                        "答案",    "réponse", "antwort", "respuesta", "вариант"};
    bool moved = true;

    while (moved) {
        moved = false;
        while (i < s.len && (is_blank(s.ptr[i]) || s.ptr[i] == ':'))
            i++;
        for (size_t k = 0; k < LEN(words) && !moved; k++) {
            size_t end = i + strlen(words[k]);

            if (at_nocase(s, i, words[k]) && (end >= s.len || !is_alpha(s.ptr[end]))) {
                i = end;
                moved = true;
            }
        }
    }
    return i;
}

/* An option letter at i, perhaps in parentheses; *end is after it. -1: none. */
static int letter_at(struct str s, size_t i, int n_labels, size_t *end)
{
    bool in_parens = i < s.len && (s.ptr[i] == '(' || s.ptr[i] == '[');
    size_t at = i + in_parens;

    while (at < s.len && s.ptr[at] == ' ' && in_parens)
        at++;
    if (at >= s.len || s.ptr[at] < 'A' || s.ptr[at] >= 'A' + n_labels)
        return -1;
    *end = at + 1;
    if (*end < s.len && (is_alpha(s.ptr[*end]) || is_digit(s.ptr[*end]) || s.ptr[*end] == '\''))
        return -1;
    if (in_parens) {
        while (*end < s.len && s.ptr[*end] == ' ')
            ++*end;
        if (*end >= s.len || (s.ptr[*end] != ')' && s.ptr[*end] != ']'))
            return -1;
        ++*end;
    }
    return s.ptr[at] - 'A';
}

/* "AC": capital letters of the list, each greater than the one before, and nothing else. */
static uint32_t joined_letters(struct str s, int n_labels)
{
    uint32_t bits = 0;

    if (s.len < 2 || s.len > 6)
        return 0;
    for (size_t i = 0; i < s.len; i++) {
        int letter = s.ptr[i] - 'A';

        if (letter < 0 || letter >= n_labels || (i > 0 && s.ptr[i] <= s.ptr[i - 1]))
            return 0;
        bits |= 1u << letter;
    }
    return bits;
}

static size_t skip_connector(struct str s, size_t i)
{
    size_t from = i;

    while (i < s.len && (is_blank(s.ptr[i]) || strchr(",;&/+", s.ptr[i]) ||
                         at_nocase(s, i, "and ") || at_nocase(s, i, "or ")))
        i += at_nocase(s, i, "and ") ? 4 : at_nocase(s, i, "or ") ? 3 : 1;
    return i > from ? i : from;
}

/* What may follow a letter: nothing, punctuation, or option text that cannot be a sentence with
 * "A". */
static bool may_follow(struct str s, size_t end, int letter)
{
    size_t next = end;

    if (end >= s.len || strchr(").:,;-]!?", s.ptr[end]) || (unsigned char)s.ptr[end] >= 0x80)
        return true;
    if (strchr("^=+*<>", s.ptr[end]))
        return false;
    while (next < s.len && s.ptr[next] == ' ')
        next++;
    if (next >= s.len)
        return true;
    if (strchr("^=+*<>", s.ptr[next]))
        return false;
    return letter != 0 && letter != 'I' - 'A'
               ? true
               : !is_lower(s.ptr[next]) || at_text(s, next, "because") || at_text(s, next, "or ") ||
                     at_text(s, next, "and ") || at_text(s, next, "since");
}

uint32_t answer_choice(struct str text, int n_labels)
{
    char copy[512];
    struct str s = str_trim((struct str){copy, plain(text, copy, sizeof(copy))});
    uint32_t bits;
    size_t i = skip_words(s, 0), end;
    int letter;

    s = str_trim(str_slice(s, i, s.len));
    if (s.len == 1 && is_lower(s.ptr[0]) && s.ptr[0] - 'a' < n_labels)
        return 1u << (s.ptr[0] - 'a');
    bits = joined_letters(s, n_labels);
    if (bits)
        return bits;
    i = 0;
    while ((letter = letter_at(s, i, n_labels, &end)) >= 0) {
        if (!may_follow(s, end, letter))
            return bits;
        bits |= 1u << letter;
        i = skip_connector(s, end);
        if (i == end)
            break;
    }
    return bits;
}

/* Only letters and connectors: "B", "(E)", "A, C". */
static uint32_t letters_alone(struct str s, int n_labels)
{
    uint32_t bits = 0;
    size_t i = 0, end;

    while (i < s.len) {
        int letter = letter_at(s, i, n_labels, &end);

        if (letter < 0)
            return 0;
        bits |= 1u << letter;
        i = skip_connector(s, end);
        if (i == end && end < s.len)
            return end + 1 == s.len && strchr(".):", s.ptr[end]) ? bits : 0;
    }
    return bits;
}

uint32_t answer_choice_gold(struct str gold, int n_labels, struct str *option_text)
{
    char copy[512];
    struct str s = str_trim((struct str){copy, plain(gold, copy, sizeof(copy))});
    size_t end;
    int letter;
    uint32_t bits;
    ptrdiff_t mark;

    *option_text = (struct str){"", 0};
    s = str_trim(str_slice(s, skip_words(s, 0), s.len));
    bits = letters_alone(s, n_labels);
    if (bits)
        return bits;
    letter = letter_at(s, 0, n_labels, &end);
    if (letter < 0 || end >= s.len)
        return 0;
    if (s.ptr[0] == '(' ? s.ptr[end] != ' '
                        : !strchr(".):", s.ptr[end]) || end + 1 >= s.len || s.ptr[end + 1] != ' ')
        return 0;
    /* The text is taken from the gold itself, whose markup the copy has lost. */
    mark = str_find_char(gold, s.ptr[0] == '(' ? ')' : s.ptr[end], 0);
    if (mark >= 0)
        *option_text = str_trim(str_slice(gold, (size_t)mark + 1, gold.len));
    return 1u << letter;
}

/* A bare "c" or "c)". */
static uint32_t small_letter(struct str s, int n_labels)
{
    s = str_trim(s);
    if (s.len == 2 && strchr(").", s.ptr[1]))
        s.len--;
    return s.len == 1 && is_lower(s.ptr[0]) && s.ptr[0] - 'a' < n_labels ? 1u << (s.ptr[0] - 'a')
                                                                         : 0;
}

uint32_t answer_candidate_choice(const struct answer_candidate *c, int n_labels)
{
    struct str option_text;
    uint32_t bits;

    if (strcmp(c->rule, "bare answer") == 0 && (bits = small_letter(c->text, n_labels)) != 0)
        return bits;

    if (strcmp(c->rule, "whole response") != 0 && strncmp(c->rule, "last ", 5) != 0 &&
        strcmp(c->rule, "bare answer") != 0)
        return answer_choice(c->text, n_labels);
    bits = answer_choice_gold(c->text, n_labels, &option_text);
    return bits ? bits : joined_letters(str_trim(c->text), n_labels);
}

/* --- prose ------------------------------------------------------------------------------------ */

static bool ends_with_word(struct str s, const char *word)
{
    size_t n = strlen(word);

    return s.len >= n && str_eq_nocase(str_slice(s, s.len - n, s.len), STR(word)) &&
           (s.len == n || !is_alpha(s.ptr[s.len - n - 1]) || !is_alpha(word[0]));
}

/* Whether the words before or after an option letter reject it. */
static bool is_rejected(struct str s, size_t from, size_t end, bool in_rejected_list)
{
    static const char *const before[] = {
        "not",        "not be",      "cannot be", "不是",       "non",     "nicht",
        "neither",    "eliminating", "eliminate", "excluding",  "exclude", "unlike",
        "instead of", "rather than", "rule out",  "ruling out", "than",    "no",
        "not option", "nor",         "isn't",     "pas",        "не"};
    static const char *const after[] = {"is not",     "isn't",     "is wrong",     "is incorrect",
                                        "is false",   "are wrong", "are not",      "are incorrect",
                                        "is invalid", "can't",     "cannot",       "不对",
                                        "不正确",     "错误",      "is ruled out", "is eliminated",
                                        "does not",   "doesn't",   "is out"};
    struct str head = str_trim(str_slice(s, 0, from)), tail = str_trim(str_slice(s, end, s.len));

    if (str_ends(head, "("))
        head = str_trim(str_slice(head, 0, head.len - 1));
    if (str_starts(tail, ")"))
        tail = str_trim(str_slice(tail, 1, tail.len));
    if (str_ends(head, "n't") || str_ends(head, "n't be"))
        return true;
    for (size_t k = 0; k < LEN(before); k++) {
        if (ends_with_word(head, before[k]))
            return true;
    }
    for (size_t k = 0; k < LEN(after); k++) {
        if (at_nocase(tail, 0, after[k]))
            return true;
    }
    return in_rejected_list && (ends_with_word(head, "or") || ends_with_word(head, "nor") ||
                                ends_with_word(head, "and") || str_ends(head, ","));
}

/* "E*2", "C = 3": a letter of mathematics, no option. */
static bool is_operand(struct str s, size_t from, size_t end)
{
    while (from > 0 && s.ptr[from - 1] == ' ')
        from--;
    while (end < s.len && strchr(" }", s.ptr[end]))
        end++;
    return (from > 0 && strchr("^=+/<>_", s.ptr[from - 1])) ||
           (end < s.len && strchr("^=+/<>_", s.ptr[end])) ||
           (end < s.len && s.ptr[end] == '*' && (end + 1 >= s.len || s.ptr[end + 1] != '*'));
}

enum joint { JOINT_NONE, JOINT_COMMA, JOINT_WORD };

/* How two option letters hang together: "A, B", "A and (B)"; any other words part them. */
static enum joint joint_of(struct str gap)
{
    static const char *const words[] = {"and", "or", "&", "和", "与", "或", "及"};
    bool has_comma = false;

    while (gap.len > 0 && strchr(" )*$}]", gap.ptr[0]))
        gap = str_slice(gap, 1, gap.len);
    while (gap.len > 0 && strchr(" (*$[{", gap.ptr[gap.len - 1]))
        gap.len--;
    if (gap.len > 0 && gap.ptr[0] == ',') {
        has_comma = true;
        gap = str_trim(str_slice(gap, 1, gap.len));
    }
    for (size_t k = 0; k < LEN(words); k++)
        if (str_eq_nocase(gap, STR(words[k])))
            return JOINT_WORD;
    return has_comma && gap.len == 0 ? JOINT_COMMA : JOINT_NONE;
}

/* The letter of one sentence, or those of a list that "and" or "or" completes; 0: none that is not
 * rejected. */
static uint32_t sentence_letter(struct str s, int n_labels)
{
    uint32_t bit = 0, list = 0;
    bool rejected = false, is_complete = false;
    size_t last_end = 0;

    for (size_t i = 0; i < s.len; i++) {
        size_t end = i + 1;
        int letter = s.ptr[i] - 'A';

        if (letter < 0 || letter >= n_labels ||
            (i > 0 && (is_alpha(s.ptr[i - 1]) || is_digit(s.ptr[i - 1]) || s.ptr[i - 1] == '\\')) ||
            (end < s.len && (is_alpha(s.ptr[end]) || is_digit(s.ptr[end]) || s.ptr[end] == '\'')))
            continue;
        if (is_operand(s, i, end))
            continue;
        if ((letter == 0 || letter == 8) && end + 1 < s.len && s.ptr[end] == ' ' &&
            is_lower(s.ptr[end + 1]) && !at_text(s, end + 1, "is ") &&
            !at_text(s, end + 1, "and ") && !at_text(s, end + 1, "or ") &&
            !at_text(s, end + 1, "because"))
            continue; /* the article, the pronoun */
        enum joint joint = list && !is_complete ? joint_of(str_slice(s, last_end, i)) : JOINT_NONE;
        rejected = is_rejected(s, i, end, rejected && i - last_end < 8);
        last_end = end;
        if (rejected) {
            list = 0;
            continue;
        }
        list = joint == JOINT_NONE ? 1u << letter : list | 1u << letter;
        is_complete = joint == JOINT_WORD;
        bit = is_complete ? list : 1u << letter;
    }
    return bit;
}

uint32_t answer_choice_in_prose(struct str text, int n_labels)
{
    struct str s = str_trim(text);

    s = str_slice(s, s.len > SPAN_MAX_TEXT ? s.len - SPAN_MAX_TEXT : 0, s.len);
    while (s.len > 0) {
        size_t from = s.len - 1;
        uint32_t bit;

        while (from > 0 &&
               !(s.ptr[from - 1] == '\n' || s.ptr[from - 1] == ';' || s.ptr[from - 1] == '?' ||
                 (s.ptr[from - 1] == '.' && is_blank(s.ptr[from])) ||
                 (from >= 3 && at_text(s, from - 3, "。"))))
            from--;
        bit = sentence_letter(str_slice(s, from, s.len), n_labels);
        if (bit)
            return bit;
        s = str_trim(str_slice(s, 0, from));
    }
    return 0;
}
