#!/usr/bin/env python3
"""Writes src/formats/jinja_case.c: what Python's str knows about characters and utf8proc does not.

Run by hand when the tables should follow another version of Unicode; nothing builds by it.
"""
import sys
import unicodedata

HEAD = '''/* jinja_case.c - tables of Unicode %s, written by tools/make_jinja_case.py. */
#include "formats/jinja_case.h"

#include <stddef.h>

#include "base/macros.h"
'''

TAIL = '''
static bool is_in(const uint32_t (*ranges)[2], size_t n, uint32_t c)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c > ranges[mid][1])
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && c >= ranges[low][0];
}

const struct special_case *special_case_find(uint32_t c)
{
    size_t low = 0, high = LEN(special_cases);

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (c > special_cases[mid].code_point)
            low = mid + 1;
        else
            high = mid;
    }
    return low < LEN(special_cases) && special_cases[low].code_point == c ? &special_cases[low] : NULL;
}

bool text_is_case_ignorable(uint32_t c)
{
    return is_in(case_ignorable, LEN(case_ignorable), c);
}

bool text_is_cjk_number(uint32_t c)
{
    return is_in(cjk_numbers, LEN(cjk_numbers), c);
}
'''


def literal(text):
    return '"' + ''.join('\\%03o' % b for b in text.encode()) + '"'


def ranges(name, code_points):
    runs = []
    for c in code_points:
        if runs and runs[-1][1] == c - 1:
            runs[-1][1] = c
        else:
            runs.append([c, c])
    out = ['', 'static const uint32_t %s[][2] = {' % name]
    row = '   '
    for a, b in runs:
        cell = ' {0x%x, 0x%x},' % (a, b)
        if len(row) + len(cell) > 98:
            out.append(row)
            row = '   '
        row += cell
    out.append(row)
    out.append('};')
    return '\n'.join(out)


def is_case_ignorable(c):
    # Python applies the rule itself: a sigma after "A" and c, before nothing, is final if c is ignored.
    char = chr(c)
    if 0xd800 <= c < 0xe000 or char.lower() != char or char.upper() != char:
        return char in '\u0345' or (unicodedata.category(char) in ('Mn', 'Lm')
                                   and ('A' + char + '\u03a3').lower().endswith('\u03c2')
                                   and ('A\u03a3' + char + 'A').lower()[1] == '\u03c3')
    ignored_before = ('A' + char + '\u03a3').lower().endswith('\u03c2')
    ignored_after = ('A\u03a3' + char + 'A').lower()[1] == '\u03c3'
    return ignored_before and ignored_after and unicodedata.category(char) not in ('Lu', 'Ll', 'Lt')


def main():
    points = [c for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000]
    special = [c for c in points if max(len(chr(c).upper()), len(chr(c).title()), len(chr(c).lower())) > 1]
    out = [HEAD % unicodedata.unidata_version, 'static const struct special_case special_cases[] = {']
    for c in special:
        out.append('    {0x%x, %s, %s, %s},' % (c, literal(chr(c).upper()), literal(chr(c).title()),
                                                literal(chr(c).lower())))
    out.append('};')
    every = range(0x110000)
    out.append(ranges('case_ignorable', [c for c in every if is_case_ignorable(c)]))
    out.append(ranges('cjk_numbers', [c for c in points if chr(c).isnumeric()
                                      and unicodedata.category(chr(c)) == 'Lo']))
    sys.stdout.write('\n'.join(out) + '\n' + TAIL)


main()
