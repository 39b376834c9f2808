#!/usr/bin/env python3
"""Writes tests/data/formats/jinja_vectors.jsonl: templates and what Jinja2 makes of them.

The first line holds the variables, each further one {"s": settings, "t": template} and either "text" or
"error": true. Needs python3-jinja2; run by hand after adding rows, never by the build or the tests.
Rows whose printing Python does not define (addresses, sets) do not belong here.
"""
import json
import sys

import jinja2
from jinja2 import Environment, StrictUndefined

VARS = {
    'n': 7, 'zero': 0, 'neg': -3, 'x': 2.5, 'big': 9007199254740993, 'tiny': 1e-06, 'huge': 1e16,
    's': 'Hello World', 'e': '', 'sp': '  pad\t\n', 'u': 'naïve café ΑΣ ß ǆ 日本 😀', 'q': "it's \"q\" \\ \n\t\x01",
    'html': '<a href="x">T & C</a>', 'csv': 'a,b,,c', 'lines': 'one\ntwo\r\nthree\n\nfive', 'digits': '0042',
    't': True, 'f': False, 'nul': None,
    'l': [3, 1, 2], 'el': [], 'mixed': [1, 'a', None, True, 2.5, [1], {'k': 1}], 'words': ['b', 'A', 'c', 'a', 'B'],
    'd': {'b': 1, 'a': 'x', 'C': None}, 'ed': {}, 'nested': {'a': {'b': [{'c': 5}]}, 'items': 'key', '1': 'one'},
    'users': [{'name': 'Bob', 'age': 30, 'tag': 'x', 'ok': True}, {'name': 'alice', 'age': 25, 'tag': 'y', 'ok': False},
              {'name': 'Carl', 'age': 30, 'tag': 'x', 'ok': True}, {'name': 'dora', 'age': 41, 'tag': 'Y'}],
    'tree': [{'v': 1, 'kids': [{'v': 2, 'kids': []}, {'v': 3, 'kids': [{'v': 4, 'kids': []}]}]}],
    'messages': [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hi'},
                 {'role': 'assistant', 'content': 'Hello!'}, {'role': 'user', 'content': [{'type': 'text', 'text': 'T'}]}],
}

# One template a line; a line "== settings" switches for the lines below; "\n" stands for a newline and
# "\\" for a backslash where the line begins with "\".
ROWS = open(__file__.replace('make_jinja_vectors.py', 'jinja_vectors.txt'), encoding='utf-8').read()


def environment(settings):
    env = Environment(trim_blocks='trim' in settings, lstrip_blocks='lstrip' in settings,
                      keep_trailing_newline='keep' in settings, autoescape='auto' in settings,
                      undefined=StrictUndefined if 'strict' in settings else jinja2.Undefined,
                      extensions=['jinja2.ext.loopcontrols', 'jinja2.ext.do'])
    if 'html' not in settings:
        env.filters['tojson'] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: \
            json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    return env


def render(settings, template):
    row = {'s': settings, 't': template}
    try:
        row['text'] = environment(settings).from_string(template).render(json.loads(json.dumps(VARS)))
        row['text'].encode()
    except Exception:  # whatever Python raises, the template is refused
        row.pop('text', None)
        row['error'] = True
    return row


def rows():
    settings = ''
    for line in ROWS.split('\n'):
        if line.startswith('== '):
            settings = line[3:].strip()
        elif line.startswith('\\'):
            yield settings, line[1:].replace('\\n', '\n').replace('\\r', '\r').replace('\\t', '\t').replace('\\\\', '\\')
        elif line and not line.startswith('## '):
            yield settings, line


def main():
    print(json.dumps(VARS, ensure_ascii=False))
    for settings, template in rows():
        print(json.dumps(render(settings, template), ensure_ascii=False))


if __name__ == '__main__':
    sys.stdout.reconfigure(encoding='utf-8')
    main()
