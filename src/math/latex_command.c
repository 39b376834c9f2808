/* latex_command.c - the commands and machine names that have a meaning; anything else is a symbol. */
#include "math/latex.h"

#include <stdlib.h>

/* Sorted by name (strcmp order), for a binary search; the test of latex finds each one. */
static const struct latex_command commands[] = {
    {"!", CMD_IGNORE, 0}, {"#", CMD_IGNORE, 0}, {"$", CMD_MONEY, 0}, {"%", CMD_PERCENT, 0}, {"&", CMD_AND, 0},
    {"(", CMD_IGNORE, 0}, {")", CMD_IGNORE, 0}, {",", CMD_IGNORE, 0}, {"/", CMD_IGNORE, 0},
    {":", CMD_IGNORE, 0}, {";", CMD_IGNORE, 0}, {">", CMD_IGNORE, 0}, {"Alpha", CMD_SYMBOL, 0},
    {"Beta", CMD_SYMBOL, 0}, {"Big", CMD_IGNORE, 0}, {"Bigg", CMD_IGNORE, 0}, {"Biggl", CMD_IGNORE, 0},
    {"Biggr", CMD_IGNORE, 0}, {"Bigl", CMD_IGNORE, 0}, {"Bigr", CMD_IGNORE, 0}, {"Chi", CMD_SYMBOL, 0},
    {"Delta", CMD_SYMBOL, 0}, {"Epsilon", CMD_SYMBOL, 0}, {"Eta", CMD_SYMBOL, 0}, {"Gamma", CMD_SYMBOL, 0},
    {"Huge", CMD_IGNORE, 0}, {"Im", CMD_FUNC, FN_IM}, {"Iota", CMD_SYMBOL, 0}, {"Kappa", CMD_SYMBOL, 0},
    {"LARGE", CMD_IGNORE, 0}, {"Lambda", CMD_SYMBOL, 0}, {"Large", CMD_IGNORE, 0},
    {"Leftrightarrow", CMD_REL, REL_OTHER}, {"Mu", CMD_SYMBOL, 0}, {"Nu", CMD_SYMBOL, 0},
    {"Omega", CMD_SYMBOL, 0}, {"Omicron", CMD_SYMBOL, 0}, {"Phi", CMD_SYMBOL, 0}, {"Pi", CMD_SYMBOL, 0},
    {"Psi", CMD_SYMBOL, 0}, {"Re", CMD_FUNC, FN_RE}, {"Rho", CMD_SYMBOL, 0}, {"Rightarrow", CMD_REL, REL_OTHER},
    {"Sigma", CMD_SYMBOL, 0}, {"Tau", CMD_SYMBOL, 0}, {"Theta", CMD_SYMBOL, 0}, {"Upsilon", CMD_SYMBOL, 0},
    {"Xi", CMD_SYMBOL, 0}, {"Zeta", CMD_SYMBOL, 0}, {"[", CMD_IGNORE, 0}, {"]", CMD_IGNORE, 0},
    {"alpha", CMD_SYMBOL, 0}, {"angle", CMD_NAME, 0}, {"approx", CMD_REL, REL_APPROX},
    {"approxeq", CMD_REL, REL_APPROX}, {"arccos", CMD_FUNC, FN_ACOS}, {"arccosh", CMD_FUNC, FN_ACOSH},
    {"arccot", CMD_FUNC, FN_ACOT}, {"arccsc", CMD_FUNC, FN_ACSC}, {"arcosh", CMD_FUNC, FN_ACOSH},
    {"arcsec", CMD_FUNC, FN_ASEC}, {"arcsin", CMD_FUNC, FN_ASIN}, {"arcsinh", CMD_FUNC, FN_ASINH},
    {"arctan", CMD_FUNC, FN_ATAN}, {"arctanh", CMD_FUNC, FN_ATANH}, {"arg", CMD_FUNC, FN_ARG},
    {"arsinh", CMD_FUNC, FN_ASINH}, {"artanh", CMD_FUNC, FN_ATANH}, {"ast", CMD_TIMES, 0},
    {"backslash", CMD_SETOP, '-'}, {"bar", CMD_ACCENT, 0}, {"bbox", CMD_BOXED, 0}, {"because", CMD_IGNORE, 0}, {"beta", CMD_SYMBOL, 0},
    {"bf", CMD_IGNORE, 0}, {"bfseries", CMD_IGNORE, 0}, {"big", CMD_IGNORE, 0}, {"bigcap", CMD_SETOP, 'n'},
    {"bigcup", CMD_SETOP, 'u'}, {"bigg", CMD_IGNORE, 0}, {"biggl", CMD_IGNORE, 0}, {"biggr", CMD_IGNORE, 0},
    {"bigl", CMD_IGNORE, 0}, {"bigr", CMD_IGNORE, 0}, {"binom", CMD_BINOM, 0}, {"bm", CMD_STYLE, 0}, {"bmod", CMD_BMOD, 0},
    {"boldsymbol", CMD_STYLE, 0}, {"bot", CMD_SYMBOL, 0}, {"boxed", CMD_BOXED, 0}, {"bullet", CMD_TIMES, 0},
    {"cap", CMD_SETOP, 'n'}, {"cdot", CMD_TIMES, 0}, {"cdots", CMD_DOTS, 0}, {"ce", CMD_TEXT, 0},
    {"ceil", CMD_FUNC, FN_CEIL}, {"cents", CMD_MONEY, 1}, {"cfrac", CMD_FRAC, 0}, {"chi", CMD_SYMBOL, 0},
    {"choose", CMD_CHOOSE, 0}, {"circ", CMD_DEGREE, 0}, {"cis", CMD_FUNC, FN_CIS}, {"colon", CMD_IGNORE, 1},
    {"color", CMD_COLOR, 0}, {"colorbox", CMD_COLOR, 0}, {"cos", CMD_FUNC, FN_COS}, {"cosec", CMD_FUNC, FN_CSC},
    {"cosh", CMD_FUNC, FN_COSH}, {"cot", CMD_FUNC, FN_COT}, {"coth", CMD_FUNC, FN_COTH},
    {"csc", CMD_FUNC, FN_CSC}, {"csch", CMD_FUNC, FN_CSCH}, {"cup", CMD_SETOP, 'u'}, {"dbinom", CMD_BINOM, 0},
    {"deg", CMD_DEGREE, 0}, {"degree", CMD_DEGREE, 0}, {"degrees", CMD_DEGREE, 0}, {"delta", CMD_SYMBOL, 0},
    {"det", CMD_FUNC, FN_DET}, {"dfrac", CMD_FRAC, 0}, {"displaystyle", CMD_IGNORE, 0}, {"div", CMD_TIMES, '/'},
    {"divides", CMD_REL, REL_OTHER}, {"dot", CMD_ACCENT, 0}, {"dots", CMD_DOTS, 0}, {"dotsc", CMD_DOTS, 0},
    {"dotsm", CMD_DOTS, 0}, {"ell", CMD_SYMBOL, 0}, {"emph", CMD_TEXT, 0}, {"emptyset", CMD_CONST, CONST_EMPTY},
    {"enclose", CMD_COLOR, 0}, {"enspace", CMD_QUAD, 0}, {"epsilon", CMD_SYMBOL, 0}, {"eq", CMD_REL, REL_EQ},
    {"equiv", CMD_REL, REL_EQUIV}, {"eta", CMD_SYMBOL, 0}, {"euro", CMD_MONEY, 2},
    {"exists", CMD_SYMBOL, 0}, {"exp", CMD_FUNC, FN_EXP}, {"fbox", CMD_BOXED, 0},
    {"floor", CMD_FUNC, FN_FLOOR}, {"footnotesize", CMD_IGNORE, 0}, {"forall", CMD_SYMBOL, 0},
    {"frac", CMD_FRAC, 0}, {"framebox", CMD_BOXED, 0}, {"gamma", CMD_SYMBOL, 0}, {"gcd", CMD_FUNC, FN_GCD},
    {"ge", CMD_REL, REL_GE}, {"geq", CMD_REL, REL_GE}, {"geqq", CMD_REL, REL_GE}, {"geqslant", CMD_REL, REL_GE},
    {"gets", CMD_REL, REL_OTHER}, {"gt", CMD_REL, REL_GT}, {"hat", CMD_ACCENT, 0}, {"hbox", CMD_TEXT, 0},
    {"hfill", CMD_QUAD, 0}, {"hline", CMD_IGNORE, 0}, {"hphantom", CMD_IGNORE_ARG, 0},
    {"hspace", CMD_IGNORE_ARG, 0}, {"huge", CMD_IGNORE, 0}, {"iff", CMD_REL, REL_OTHER},
    {"implies", CMD_REL, REL_OTHER}, {"in", CMD_REL, REL_IN}, {"infty", CMD_CONST, CONST_INF},
    {"int", CMD_BIGOP, 0}, {"iota", CMD_SYMBOL, 0}, {"it", CMD_IGNORE, 0}, {"kappa", CMD_SYMBOL, 0},
    {"label", CMD_IGNORE_ARG, 0}, {"lambda", CMD_SYMBOL, 0}, {"land", CMD_AND, 0}, {"langle", CMD_OPEN, '<'},
    {"large", CMD_IGNORE, 0}, {"lbrace", CMD_OPEN, '{'}, {"lbrack", CMD_OPEN, '['}, {"lceil", CMD_OPEN, 'c'},
    {"lcm", CMD_FUNC, FN_LCM}, {"ldots", CMD_DOTS, 0}, {"le", CMD_REL, REL_LE}, {"left", CMD_IGNORE, 2},
    {"leftarrow", CMD_REL, REL_OTHER}, {"leq", CMD_REL, REL_LE}, {"leqq", CMD_REL, REL_LE},
    {"leqslant", CMD_REL, REL_LE}, {"lfloor", CMD_OPEN, 'f'}, {"lg", CMD_FUNC, FN_LOG}, {"lim", CMD_BIGOP, 0},
    {"limits", CMD_IGNORE, 0}, {"ln", CMD_FUNC, FN_LN}, {"lnot", CMD_NOT, 0}, {"log", CMD_FUNC, FN_LOG},
    {"lor", CMD_OR, 0}, {"lparen", CMD_OPEN, '('}, {"lt", CMD_REL, REL_LT}, {"lvert", CMD_OPEN, '|'},
    {"mathbb", CMD_BLACKBOARD, 0}, {"mathbf", CMD_TEXT, 1}, {"mathcal", CMD_TEXT, 1}, {"mathfrak", CMD_TEXT, 1},
    {"mathit", CMD_TEXT, 1}, {"mathop", CMD_TEXT, 1}, {"mathrm", CMD_TEXT, 1}, {"mathsf", CMD_TEXT, 1},
    {"mathstrut", CMD_IGNORE, 0}, {"mathtt", CMD_TEXT, 1}, {"max", CMD_FUNC, FN_MAX}, {"mbox", CMD_TEXT, 0},
    {"medspace", CMD_IGNORE, 0}, {"mid", CMD_SETMID, 0}, {"middle", CMD_IGNORE, 2}, {"min", CMD_FUNC, FN_MIN},
    {"mod", CMD_BMOD, 0}, {"mp", CMD_PLUSMINUS, 1}, {"mu", CMD_SYMBOL, 0}, {"nabla", CMD_SYMBOL, 0},
    {"ne", CMD_REL, REL_NE}, {"neg", CMD_NOT, 0}, {"negthinspace", CMD_IGNORE, 0}, {"neq", CMD_REL, REL_NE},
    {"nicefrac", CMD_FRAC, 0}, {"nolimits", CMD_IGNORE, 0}, {"normalsize", CMD_IGNORE, 0}, {"not", CMD_NOT, 0},
    {"notag", CMD_IGNORE, 0}, {"notin", CMD_REL, REL_OTHER}, {"nu", CMD_SYMBOL, 0}, {"omega", CMD_SYMBOL, 0},
    {"omicron", CMD_SYMBOL, 0}, {"operatorname", CMD_TEXT, 1}, {"over", CMD_OVER, 0},
    {"overbrace", CMD_STYLE, 0}, {"overline", CMD_ACCENT, 0}, {"overrightarrow", CMD_ACCENT, 0},
    {"parallel", CMD_REL, REL_OTHER}, {"partial", CMD_SYMBOL, 0}, {"perp", CMD_REL, REL_OTHER},
    {"phantom", CMD_IGNORE_ARG, 0}, {"phi", CMD_SYMBOL, 0}, {"pi", CMD_CONST, CONST_PI},
    {"pm", CMD_PLUSMINUS, 0}, {"pmod", CMD_PMOD, 0}, {"pod", CMD_PMOD, 0}, {"pounds", CMD_MONEY, 3},
    {"prime", CMD_PRIME, 0}, {"prod", CMD_BIGOP, 0}, {"propto", CMD_REL, REL_OTHER}, {"psi", CMD_SYMBOL, 0},
    {"qquad", CMD_QUAD, 0}, {"quad", CMD_QUAD, 0}, {"rangle", CMD_CLOSE, '>'}, {"rbrace", CMD_CLOSE, '}'},
    {"rbrack", CMD_CLOSE, ']'}, {"rceil", CMD_CLOSE, 'c'}, {"rfloor", CMD_CLOSE, 'f'}, {"rho", CMD_SYMBOL, 0},
    {"right", CMD_IGNORE, 2}, {"rightarrow", CMD_REL, REL_OTHER}, {"rm", CMD_IGNORE, 0},
    {"rparen", CMD_CLOSE, ')'}, {"rupee", CMD_MONEY, 4}, {"rvert", CMD_CLOSE, '|'}, {"sec", CMD_FUNC, FN_SEC},
    {"sech", CMD_FUNC, FN_SECH}, {"setminus", CMD_SETOP, '-'}, {"sfrac", CMD_FRAC, 0},
    {"sgn", CMD_FUNC, FN_SGN}, {"sigma", CMD_SYMBOL, 0}, {"sim", CMD_REL, REL_APPROX},
    {"simeq", CMD_REL, REL_APPROX}, {"sin", CMD_FUNC, FN_SIN}, {"sinh", CMD_FUNC, FN_SINH},
    {"small", CMD_IGNORE, 0}, {"smallsetminus", CMD_SETOP, '-'}, {"space", CMD_IGNORE, 0},
    {"sqrt", CMD_SQRT, 0}, {"square", CMD_SYMBOL, 0}, {"star", CMD_TIMES, 0}, {"strut", CMD_IGNORE, 0},
    {"subset", CMD_REL, REL_OTHER}, {"subseteq", CMD_REL, REL_OTHER}, {"sum", CMD_BIGOP, 0},
    {"tag", CMD_IGNORE_ARG, 0}, {"tan", CMD_FUNC, FN_TAN}, {"tanh", CMD_FUNC, FN_TANH}, {"tau", CMD_SYMBOL, 0},
    {"tbinom", CMD_BINOM, 0}, {"text", CMD_TEXT, 0}, {"textbf", CMD_TEXT, 0}, {"textcolor", CMD_COLOR, 0},
    {"textit", CMD_TEXT, 0}, {"textnormal", CMD_TEXT, 0}, {"textrm", CMD_TEXT, 0}, {"textsc", CMD_TEXT, 0},
    {"textsf", CMD_TEXT, 0}, {"textstyle", CMD_IGNORE, 0}, {"texttt", CMD_TEXT, 0}, {"textup", CMD_TEXT, 0},
    {"tfrac", CMD_FRAC, 0}, {"therefore", CMD_IGNORE, 0}, {"theta", CMD_SYMBOL, 0},
    {"thickspace", CMD_IGNORE, 0}, {"thinspace", CMD_IGNORE, 0}, {"tilde", CMD_ACCENT, 0},
    {"times", CMD_TIMES, 0}, {"tiny", CMD_IGNORE, 0}, {"to", CMD_REL, REL_OTHER}, {"triangle", CMD_NAME, 0},
    {"underbrace", CMD_STYLE, 0}, {"underline", CMD_STYLE, 0}, {"unicode", CMD_IGNORE_ARG, 0},
    {"upsilon", CMD_SYMBOL, 0}, {"varepsilon", CMD_SYMBOL, 0}, {"varnothing", CMD_CONST, CONST_EMPTY},
    {"varphi", CMD_SYMBOL, 0}, {"varpi", CMD_SYMBOL, 0}, {"varrho", CMD_SYMBOL, 0}, {"varsigma", CMD_SYMBOL, 0},
    {"vartheta", CMD_SYMBOL, 0}, {"vec", CMD_ACCENT, 0}, {"vee", CMD_OR, 0}, {"vert", CMD_SETMID, 1},
    {"vphantom", CMD_IGNORE_ARG, 0}, {"vspace", CMD_IGNORE_ARG, 0}, {"wedge", CMD_AND, 0},
    {"widehat", CMD_ACCENT, 0}, {"xi", CMD_SYMBOL, 0}, {"yen", CMD_MONEY, 5}, {"zeta", CMD_SYMBOL, 0},
    {"{", CMD_OPEN, '{'}, {"|", CMD_SETMID, 1}, {"}", CMD_CLOSE, '}'},
};

/* Names that count without a backslash, as computer algebra writes them. */
static const struct latex_command words[] = {
    {"Abs", CMD_FUNC, FN_ABS}, {"Max", CMD_FUNC, FN_MAX}, {"Min", CMD_FUNC, FN_MIN}, {"abs", CMD_FUNC, FN_ABS},
    {"acos", CMD_FUNC, FN_ACOS}, {"acosh", CMD_FUNC, FN_ACOSH}, {"acot", CMD_FUNC, FN_ACOT},
    {"acsc", CMD_FUNC, FN_ACSC}, {"arccos", CMD_FUNC, FN_ACOS}, {"arccosh", CMD_FUNC, FN_ACOSH},
    {"arccot", CMD_FUNC, FN_ACOT}, {"arccsc", CMD_FUNC, FN_ACSC}, {"arcosh", CMD_FUNC, FN_ACOSH},
    {"arcsec", CMD_FUNC, FN_ASEC}, {"arcsin", CMD_FUNC, FN_ASIN}, {"arcsinh", CMD_FUNC, FN_ASINH},
    {"arctan", CMD_FUNC, FN_ATAN}, {"arctanh", CMD_FUNC, FN_ATANH}, {"arg", CMD_FUNC, FN_ARG},
    {"arsinh", CMD_FUNC, FN_ASINH}, {"artanh", CMD_FUNC, FN_ATANH}, {"asec", CMD_FUNC, FN_ASEC},
    {"asin", CMD_FUNC, FN_ASIN}, {"asinh", CMD_FUNC, FN_ASINH}, {"atan", CMD_FUNC, FN_ATAN},
    {"atanh", CMD_FUNC, FN_ATANH}, {"binom", CMD_FUNC, FN_BINOM}, {"binomial", CMD_FUNC, FN_BINOM},
    {"cbrt", CMD_FUNC, FN_ROOT}, {"ceil", CMD_FUNC, FN_CEIL}, {"ceiling", CMD_FUNC, FN_CEIL},
    {"cis", CMD_FUNC, FN_CIS}, {"comb", CMD_FUNC, FN_BINOM}, {"conj", CMD_FUNC, FN_CONJ},
    {"conjugate", CMD_FUNC, FN_CONJ}, {"cos", CMD_FUNC, FN_COS}, {"cosec", CMD_FUNC, FN_CSC},
    {"cosh", CMD_FUNC, FN_COSH}, {"cot", CMD_FUNC, FN_COT}, {"coth", CMD_FUNC, FN_COTH},
    {"csc", CMD_FUNC, FN_CSC}, {"csch", CMD_FUNC, FN_CSCH}, {"exp", CMD_FUNC, FN_EXP},
    {"factorial", CMD_FUNC, FN_FACT}, {"floor", CMD_FUNC, FN_FLOOR}, {"gcd", CMD_FUNC, FN_GCD},
    {"inf", CMD_CONST, CONST_INF}, {"infinity", CMD_CONST, CONST_INF}, {"infty", CMD_CONST, CONST_INF},
    {"lcm", CMD_FUNC, FN_LCM}, {"lg", CMD_FUNC, FN_LOG}, {"ln", CMD_FUNC, FN_LN}, {"log", CMD_FUNC, FN_LOG},
    {"max", CMD_FUNC, FN_MAX}, {"min", CMD_FUNC, FN_MIN}, {"oo", CMD_CONST, CONST_INF},
    {"pi", CMD_CONST, CONST_PI}, {"root", CMD_FUNC, FN_ROOT}, {"sec", CMD_FUNC, FN_SEC},
    {"sech", CMD_FUNC, FN_SECH}, {"sgn", CMD_FUNC, FN_SGN}, {"sign", CMD_FUNC, FN_SGN},
    {"sin", CMD_FUNC, FN_SIN}, {"sinh", CMD_FUNC, FN_SINH}, {"sqrt", CMD_SQRT, 0}, {"tan", CMD_FUNC, FN_TAN},
    {"tanh", CMD_FUNC, FN_TANH},
};

static int by_name(const void *key, const void *row)
{
    return str_cmp(*(const struct str *)key, STR(((const struct latex_command *)row)->name));
}

const struct latex_command *latex_command_find(struct str name)
{
    return bsearch(&name, commands, LEN(commands), sizeof(*commands), by_name);
}

const struct latex_command *latex_word_find(struct str word)
{
    return bsearch(&word, words, LEN(words), sizeof(*words), by_name);
}
