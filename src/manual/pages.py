#!/usr/bin/env python3
"""Makes C++ source of the manual's pages: pages.py OUTPUT PAGE..."""
import pathlib
import sys

DELIMITER = 'page'
HEAD = '''// Made by src/manual/pages.py.
#include "manual/manual.h"

namespace tako::manual {
namespace {

constexpr Page kPages[] = {
'''
TAIL = '''};

}  // namespace

std::span<const Page> pages() { return kPages; }

}  // namespace tako::manual
'''


def raw(text):
    if f'){DELIMITER}"' in text:
        sys.exit(f'pages: a page may not hold ){DELIMITER}", which ends the literal')
    return f'R"{DELIMITER}({text}){DELIMITER}"'


def entry(path):
    text = path.read_text(encoding='utf-8')
    first = text.split('\n', 1)[0]
    if not first.startswith('# '):
        sys.exit(f'pages: {path}:1: a page begins with its title, as "# HTTP: ..."')
    return f'    {{{raw(path.stem)}, {raw(first[2:])}, {raw(text)}}},\n'


def main(output, *pages):
    entries = ''.join(entry(pathlib.Path(page)) for page in pages)
    pathlib.Path(output).write_text(HEAD + entries + TAIL, encoding='utf-8')


if __name__ == '__main__':
    main(*sys.argv[1:])
