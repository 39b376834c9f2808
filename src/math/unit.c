/* unit.c - a small table of units and the words for them. */
#include "math/unit.h"

#include <ctype.h>

enum dimension {
    DIM_NONE,
    DIM_LENGTH,
    DIM_MASS,
    DIM_TIME,
    DIM_VOLUME,
    DIM_DOLLAR,
    DIM_EURO,
    DIM_POUND,
    DIM_RUPEE,
    DIM_YEN,
    DIM_TEMPERATURE,
    DIM_ANGLE,
    DIM_POWER,
    DIM_ENERGY,
    DIM_COUNT,
    DIM_FORCE,
    DIM_DATA,
    DIM_VOLTAGE,
    DIM_CALENDAR,
};

/* name: the canonical one; words: others for the same, separated by blanks, singular and plural.
 * The value in the dimension's base unit is num / den. */
static const struct {
    const char *name, *words;
    enum dimension dim;
    long num;
    unsigned long den;
} units[] = {
    {"m", "meter meters metre metres", DIM_LENGTH, 1, 1},
    {"km", "kilometer kilometers kilometre kilometres kms", DIM_LENGTH, 1000, 1},
    {"cm", "centimeter centimeters centimetre centimetres cms", DIM_LENGTH, 1, 100},
    {"mm", "millimeter millimeters millimetre millimetres", DIM_LENGTH, 1, 1000},
    {"dm", "decimeter decimeters", DIM_LENGTH, 1, 10},
    {"in", "inch inches", DIM_LENGTH, 254, 10000},
    {"ft", "foot feet", DIM_LENGTH, 3048, 10000},
    {"yd", "yard yards yds", DIM_LENGTH, 9144, 10000},
    {"mi", "mile miles", DIM_LENGTH, 1609344, 1000},
    {"kg", "kilogram kilograms kilo kilos kgs", DIM_MASS, 1000, 1},
    {"g", "gram grams gm gms", DIM_MASS, 1, 1},
    {"mg", "milligram milligrams", DIM_MASS, 1, 1000},
    {"lb", "pound pounds lbs", DIM_MASS, 45359237, 100000},
    {"oz", "ounce ounces", DIM_MASS, 45359237, 1600000},
    {"ton", "tons", DIM_NONE, 1, 1},
    {"s", "second seconds sec secs", DIM_TIME, 1, 1},
    {"ms", "millisecond milliseconds", DIM_TIME, 1, 1000},
    {"min", "minute minutes mins", DIM_TIME, 60, 1},
    {"h", "hour hours hr hrs", DIM_TIME, 3600, 1},
    {"day", "days", DIM_TIME, 86400, 1},
    {"week", "weeks wk wks", DIM_TIME, 604800, 1},
    {"month", "months", DIM_CALENDAR, 1, 1},
    {"year", "years yr yrs", DIM_CALENDAR, 12, 1},
    {"decade", "decades", DIM_CALENDAR, 120, 1},
    {"century", "centuries", DIM_CALENDAR, 1200, 1},
    {"L", "liter liters litre litres l", DIM_VOLUME, 1, 1000},
    {"mL", "milliliter milliliters millilitre millilitres ml cc", DIM_VOLUME, 1, 1000000},
    {"gal", "gallon gallons", DIM_VOLUME, 3785411784, 1000000000000},
    {"qt", "quart quarts", DIM_VOLUME, 946352946, 1000000000000},
    {"pint", "pints", DIM_VOLUME, 473176473, 1000000000000},
    {"cup", "cups", DIM_VOLUME, 473176473, 2000000000000},
    {"dollar", "dollars usd buck bucks", DIM_DOLLAR, 1, 1},
    {"cent", "cents penny pennies", DIM_DOLLAR, 1, 100},
    {"euro", "euros eur", DIM_EURO, 1, 1},
    {"pound sterling", "gbp", DIM_POUND, 1, 1},
    {"rupee", "rupees inr rs", DIM_RUPEE, 1, 1},
    {"yen", "jpy", DIM_YEN, 1, 1},
    {"yuan", "rmb cny", DIM_NONE, 1, 1},
    {"degC", "celsius", DIM_TEMPERATURE, 1, 1},
    {"degF", "fahrenheit", DIM_NONE, 1, 1},
    {"K", "kelvin kelvins", DIM_NONE, 1, 1},
    {"rad", "radian radians rads", DIM_ANGLE, 1, 1},
    {"W", "watt watts", DIM_POWER, 1, 1},
    {"kW", "kilowatt kilowatts", DIM_POWER, 1000, 1},
    {"J", "joule joules", DIM_ENERGY, 1, 1},
    {"kJ", "kilojoule kilojoules", DIM_ENERGY, 1000, 1},
    {"N", "newton newtons", DIM_FORCE, 1, 1},
    {"V", "volt volts", DIM_VOLTAGE, 1, 1},
    {"eV", "", DIM_NONE, 1, 1},
    {"Hz", "hertz", DIM_NONE, 1, 1},
    {"mol", "mole moles", DIM_NONE, 1, 1},
    {"mi/h", "mph", DIM_NONE, 1, 1},
    {"km/h", "kph kmh kmph", DIM_NONE, 1, 1},
    {"unit", "units", DIM_NONE, 1, 1},
    {"square", "squares sq", DIM_NONE, 1, 1},
    {"cubic", "", DIM_NONE, 1, 1},
    {"way", "ways", DIM_NONE, 1, 1},
    {"acre", "acres", DIM_NONE, 1, 1},
    {"A", "ampere amperes amp amps", DIM_NONE, 1, 1},
};

static bool in_words(const char *words, struct str w)
{
    struct str rest = STR(words), head;

    while (str_cut(&rest, ' ', &head))
        if (str_eq_nocase(head, w))
            return true;
    return false;
}

static int unit_find(struct str w)
{
    for (size_t i = 0; i < LEN(units); i++)
        if (str_eqz(w, units[i].name))
            return (int)i;
    for (size_t i = 0; i < LEN(units); i++)
        if (in_words(units[i].words, w) || (w.len > 1 && str_eq_nocase(w, STR(units[i].name))))
            return (int)i;
    return -1;
}

bool unit_is_known(struct str word)
{
    return unit_find(word) >= 0;
}

bool unit_is_currency(struct str word)
{
    int i = unit_find(word);

    return i >= 0 && units[i].dim >= DIM_DOLLAR && units[i].dim <= DIM_YEN;
}

/* One word without its power, canonical. */
static void add_word(struct buf *out, struct str w)
{
    int i = unit_find(w);

    if (i >= 0) {
        buf_addz(out, units[i].name);
        return;
    }
    if (w.len > 3 && w.ptr[w.len - 1] == 's' && w.ptr[w.len - 2] != 's')
        w.len--;
    for (size_t k = 0; k < w.len; k++)
        buf_addc(out, (char)tolower((unsigned char)w.ptr[k]));
}

/* "square feet" is ft^2, "cubic meters" m^3; "feet squared" too. Articles go. */
struct str unit_canonical(struct arena *a, struct str unit)
{
    struct buf out = {0};
    struct str s = unit, result;
    int pending = 0;
    size_t i = 0;

    buf_init(&out, 4096);
    while (i < s.len) {
        size_t from = i;
        if (s.ptr[i] == ' ' || s.ptr[i] == '/') {
            if (s.ptr[i] == '/' && !pending)
                buf_addc(&out, '/');
            i++;
            continue;
        }
        while (i < s.len && s.ptr[i] != ' ' && s.ptr[i] != '/' && s.ptr[i] != '^')
            i++;
        struct str w = str_slice(s, from, i), power = {"", 0};
        if (i < s.len && s.ptr[i] == '^') {
            size_t p = ++i;
            while (i < s.len && (s.ptr[i] == '-' || isdigit((unsigned char)s.ptr[i])))
                i++;
            power = str_slice(s, p, i);
        }
        if (str_eq_nocase(w, STR("square")) || str_eq_nocase(w, STR("sq")) ||
            str_eq_nocase(w, STR("cubic"))) {
            pending = tolower((unsigned char)w.ptr[0]) == 's' ? 2 : 3;
            continue;
        }
        if (str_eq_nocase(w, STR("squared")) || str_eq_nocase(w, STR("cubed"))) {
            buf_addz(&out, tolower((unsigned char)w.ptr[0]) == 's' ? "^2" : "^3");
            continue;
        }
        if (str_eq_nocase(w, STR("the")) || str_eq_nocase(w, STR("a")) ||
            str_eq_nocase(w, STR("an")))
            continue;
        if (power.len > 1 && power.ptr[0] == '-') { /* km h^-1 is km/h, m s^-2 is m/s^2 */
            buf_addc(&out, '/');
            add_word(&out, w);
            if (!str_eqz(power, "-1"))
                buf_addf(&out, "^" STR_FMT, STR_ARG(str_slice(power, 1, power.len)));
            continue;
        }
        if (out.len > 0 && buf_z(&out)[out.len - 1] != '/')
            buf_addc(&out, ' ');
        add_word(&out, w);
        if (pending)
            buf_addf(&out, "^%d", pending);
        else if (power.len > 0 && !str_eqz(power, "1"))
            buf_addf(&out, "^" STR_FMT, STR_ARG(power));
        pending = 0;
    }
    result = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return result;
}

/* --- conversion ------------------------------------------------------------------------------- */

struct measure {
    enum dimension dim;
    int power;
    fmpq_t factor;
};

/* One unit with an optional power; false: not in the table. */
static bool measure_of(struct str unit, struct measure *m)
{
    ptrdiff_t caret = str_find_char(unit, '^', 0);
    struct str w = caret < 0 ? unit : str_slice(unit, 0, (size_t)caret);
    int i = unit_find(w);

    m->power = caret < 0 ? 1 : (size_t)caret + 2 == unit.len ? unit.ptr[caret + 1] - '0' : 0;
    if (i < 0 || units[i].dim == DIM_NONE || m->power < 1 || m->power > 3)
        return false;
    m->dim = units[i].dim;
    fmpq_set_si(m->factor, units[i].num, units[i].den);
    fmpq_pow_si(m->factor, m->factor, m->power);
    if (m->dim == DIM_LENGTH && m->power == 3) {
        m->dim = DIM_VOLUME;
        m->power = 1;
    }
    return true;
}

static bool ratio_simple(struct str a, struct str b, fmpq_t factor)
{
    struct measure x, y;
    bool ok;

    fmpq_init(x.factor);
    fmpq_init(y.factor);
    ok = measure_of(a, &x) && measure_of(b, &y) && x.dim == y.dim && x.power == y.power;
    if (ok)
        fmpq_div(factor, x.factor, y.factor);
    fmpq_clear(x.factor);
    fmpq_clear(y.factor);
    return ok;
}

bool unit_ratio(struct str a, struct str b, fmpq_t factor)
{
    ptrdiff_t sa = str_find_char(a, '/', 0), sb = str_find_char(b, '/', 0);
    fmpq_t below;
    bool ok;

    if (str_eq(a, b)) {
        fmpq_one(factor);
        return true;
    }
    if ((sa < 0) != (sb < 0))
        return false;
    if (sa < 0)
        return ratio_simple(a, b, factor);
    fmpq_init(below);
    ok = ratio_simple(str_slice(a, 0, (size_t)sa), str_slice(b, 0, (size_t)sb), factor) &&
         ratio_simple(str_slice(a, (size_t)sa + 1, a.len), str_slice(b, (size_t)sb + 1, b.len),
                      below);
    if (ok)
        fmpq_div(factor, factor, below);
    fmpq_clear(below);
    return ok;
}

/* Lengths, masses, times and volumes: not the same thing per hour. */
static bool is_physical(struct str unit)
{
    int i = unit_find(unit);

    return i >= 0 && units[i].dim >= DIM_LENGTH && units[i].dim <= DIM_VOLUME;
}

bool unit_same(struct str a, struct str b)
{
    ptrdiff_t sa = str_find_char(a, '/', 0), sb = str_find_char(b, '/', 0);

    if (str_eq(a, b))
        return true;
    /* "cents" for "cents per minute", but no miles for miles per hour; "units" for "square units"
     */
    if (sa >= 0 && sb < 0 && !is_physical(b) && str_eq(str_slice(a, 0, (size_t)sa), b))
        return true;
    if (sb >= 0 && sa < 0 && !is_physical(a) && str_eq(str_slice(b, 0, (size_t)sb), a))
        return true;
    if ((str_eqz(a, "lb") && str_eqz(b, "pound sterling")) ||
        (str_eqz(b, "lb") && str_eqz(a, "pound sterling")))
        return true; /* "pounds" says either */
    return str_starts(a, "unit") && str_starts(b, "unit") &&
           (str_eqz(a, "unit") || str_eqz(b, "unit"));
}
