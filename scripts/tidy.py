#!/usr/bin/env python3
"""The house rules that a machine can check, run as the test `tidy`:

    scripts/tidy.py [ROOT]

layers and third-party confinement (the table of src/README.md), confinement of time, randomness, threads, sockets
and files, sizes, header comments, left-over markers, the coroutine forms that g++ 12 miscompiles, and citations that
lead nowhere (citations.py).
One line a finding, exit 1 if there is any; `note:` lines do not fail. Its own test is scripts/tidy_test.py.
"""
import os
import re
import sys

from citations import Project, citations
from source_text import blank, line_of

# A folder includes only folders of a lower rank, and itself.
RANK = {'base': 0, 'model': 1, 'wire': 2, 'runtime': 2, 'store': 3, 'net': 4,
        'replication': 5, 'node': 6, 'control': 6, 'api': 6, 'ctl': 7, 'manual': 7, 'roles': 8}
# The rooms of a folder, likewise; what stands in none of them is above them all.
ROOMS = {'store': {'engine': 0},
         'wire': {'cluster': 0, 'http': 0, 'memcached': 0},
         'api': {'common': 0, 'admin': 1, 'http': 2, 'memcached': 2},
         'node': {'membership': 0, 'serve': 1, 'repair': 2, 'integrity': 3, 'gc': 3}}

# Header prefix -> where under src/ it may be included (regular expressions over the path within src/).
THIRD_PARTY = {
    'spdlog/': r'base/log\.cc',
    'yaml-cpp/': r'model/\w+\.cc',
    'llhttp': r'wire/http/\w+\.(cc|h)',
    'rocksdb/': r'store/engine/rocks_\w+\.(cc|h)',
    'asio': r'(runtime|net)/.*|api/common/client_stream\.cc',
    'CLI/': r'roles/command_line\.cc',
    'nlohmann/': r'base/json\.(cc|h)|(api|control|ctl|node)/.*',
    'xxhash.h': r'base/.*',
    'nettle/': r'base/digest\.cc',
    'doctest/': r'(?!)',
}
ONE_FILE = ('yaml-cpp/', 'spdlog/')  # ... and in no more than one file

# What makes two runs differ -> where it may be said. Everything else gets it handed in (Loop, Random, Engine, net).
WORLD = [
    (r'\b(steady|system|high_resolution)_clock::now\b', r'runtime/.*', 'ask the loop for the time'),
    (r'\bclock_gettime\b|\bgettimeofday\b|(?<![\w.>])(std::)?time\(\s*(nullptr|NULL|0)\s*\)', r'runtime/.*',
     'ask the loop for the time'),
    (r'\brandom_device\b|\bgetrandom\b|(?<![\w.>:])s?rand\(', r'runtime/.*', 'take a Random'),
    (r'\bstd::(jthread|async|thread\b(?!::hardware))|\bpthread_create\b', r'runtime/.*', 'use Workers or the Process'),
    (r'\bsleep_(for|until)\b|(?<![\w.>])u?sleep\(', r'runtime/.*', 'await loop.sleep()'),
    (r'(?<![\w>.])::(socket|bind|connect|accept4?|listen|send|recv|sendto|getaddrinfo)\(', r'(net|runtime)/.*',
     'sockets belong to net'),
    (r'\bfopen\(|\bstd::(basic_)?[io]?fstream\b|(?<![\w>.])::(open|openat|creat|unlink|rename|fsync)\(',
     r'(runtime|net|store)/.*|base/log\.cc', 'files belong to runtime/files.h'),
    (r'\bdetached\b', r'runtime/.*', 'spawn on the loop, under a gate'),
    (r'\bawaitable_operators\b', r'(?!)', 'every wait has a deadline of the loop instead'),
]

FILE_LINES_MAX, FILE_LINES_NOTE = 500, 400
FOLDER_LINES_MAX = 3500  # of code under src/, subfolders counted on their own
FUNCTION_LINES_MAX, FUNCTION_LINES_NOTE = 90, 70
COLUMNS_MAX = 120
LEFT_OVER = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b')
GUILLEMETS = re.compile('[\u00ab\u00bb]')
MACHINE_PATH = re.compile(r'(?<![\w.])/(?:home/\w+|root|Users|work|farm)/|/tmp/(?:b-|bash_jobs)')


def matching(text, opened):
    """The offset of the bracket that closes the one at `opened` (the last character if none does)."""
    depth = 0
    for i in range(opened, len(text)):
        if text[i] in '([{':
            depth += 1
        elif text[i] in ')]}':
            depth -= 1
            if depth == 0:
                return i
    return len(text) - 1


# --- coroutines ------------------------------------------------------------------------------------------------------
# GCC bugs 106188 (conditions), 100611 and 101367 (lambda and aggregate temporaries), 103871 (braced initialisers):
# "name it, then await it".

def awaited_conditions(code):
    for m in re.finditer(r'\b(if|switch)\s*(?:constexpr\s*)?\(', code):
        opened = m.end() - 1
        condition = code[m.end():matching(code, opened)].split(';')[-1]
        named = re.match(r'\s*(const\s+)?(\w[\w:<>&* ]*\s|auto\s*&{0,2}\s*)(\w+|\[[\w, ]+\])\s*=\s*co_await', condition)
        if 'co_await' in condition and not named:
            yield m.start(), f'co_await in the condition of {m.group(1)}: name the value first'


def operand(code, start):
    """From behind a co_await to the end of its operand: `;`, `,`, or the bracket around it. And braces seen in it."""
    i, depth, braces = start, 0, []
    while i < len(code):
        c = code[i]
        if c in '([':
            depth += 1
        elif c in ')]':
            depth -= 1
        elif c == '}' and depth == 0:
            break
        elif c == '{':
            if depth == 0 and not re.search(r'[)\w>\]]\s*$', code[start:i]):
                break
            braces.append(i)
            i = matching(code, i)
        if depth < 0 or (depth == 0 and c in ';,'):
            break
        i += 1
    return i, braces


def awaited_operands(code):
    for m in re.finditer(r'\bco_await\b', code):
        end, braces = operand(code, m.end())
        for at in braces:
            yield at, 'braces inside a co_await expression: name the argument first'
        # Of pointers and numbers it does no harm; what is made or moved in it is destroyed twice.
        if re.search(r'\?[^?;,]*\(', code[m.end():end]):
            yield m.start(), 'a choice between objects inside a co_await expression: name the argument first'
        for capture in re.finditer(r'(?<![\w\])])\[([^\[\]]*)\]\s*[({<m]', code[m.end():end]):
            if re.search(r'(^|,)\s*(?!&|\*?this\b)[\w=]', capture.group(1)):
                yield m.start(), 'capturing lambda as a temporary in a co_await expression: name it, then std::move it'


def awaited_elsewhere(code):
    for m in re.finditer(r'\bco_await\b', code):
        begin = max(code.rfind(c, 0, m.start()) for c in ';{}')
        statement = code[begin + 1:code.find(';', m.end())]
        # The statement may end in a brace (a loop's head): what is behind it is another one.
        awaited = code[m.end():operand(code, m.end())[0]]
        while '(' in awaited and (inner := re.sub(r'\([^()]*\)', '', awaited)) != awaited:
            awaited = inner  # a choice among the arguments is none between awaiting and not
        if re.search(r'\?.*\bco_await\b', statement.split('{')[0], re.S) or '?' in awaited:
            yield m.start(), 'co_await in a conditional expression: use if and else'
        if begin >= 0 and code[begin] == '{':
            before = code[max(0, begin - 120):begin].rstrip()
            block = re.search(r'\)\s*(const|noexcept|mutable|override|final|->[^;{}]*)*$'
                              r'|(^|[;{}]|\b(else|do|try))$', before)
            initialiser = re.search(r'(\w|>|=|\(|,|\breturn)$', before)
            if initialiser and not block and ';' not in code[begin:m.start()]:
                if not re.search(r'\b(namespace|class|struct|enum)\b[^;{}()]*$', before):
                    yield m.start(), 'co_await in a braced initialiser: name the value first'


def coroutines(code):
    seen = set()
    for check in (awaited_conditions, awaited_operands, awaited_elsewhere):
        for at, why in check(code):
            if (line_of(code, at), why) not in seen:
                seen.add((line_of(code, at), why))
                yield line_of(code, at), why


# --- shape -----------------------------------------------------------------------------------------------------------

def functions(code):
    """(first line, lines, the text before the brace) of every outermost function body. Best effort, no parser."""
    i = 0
    while i < len(code):
        if code[i] == '{':
            begin = max(code.rfind(c, 0, i) for c in ';{}')
            head = code[begin + 1:i]
            opens_scope = re.search(r'\b(namespace|class|struct|union|enum|extern)\b[^()=]*$', head)
            if not opens_scope or 'operator' in head:
                closed = matching(code, i)
                if ')' in head:
                    yield line_of(code, i), code.count('\n', i, closed) + 1, ' '.join(head.split())
                i = closed
        i += 1


def sizes(path, text, code):
    lines = text.split('\n')
    if len(lines) - 1 > FILE_LINES_MAX:
        yield 1, f'{len(lines) - 1} lines, more than {FILE_LINES_MAX}: often two rooms in one'
    elif len(lines) - 1 > FILE_LINES_NOTE and path.startswith('src/'):
        yield 1, f'note: {len(lines) - 1} lines, aim for {FILE_LINES_NOTE}'
    if code is not None and path.startswith('src/'):
        for line, length, head in functions(code):
            if length > FUNCTION_LINES_MAX:
                yield line, f'a function of {length} lines, more than {FUNCTION_LINES_MAX}: {head[-60:]}'
            elif length > FUNCTION_LINES_NOTE:
                yield line, f'note: a function of {length} lines, aim for {FUNCTION_LINES_NOTE}: {head[-60:]}'


def folder_lines(texts):
    lines = {}
    for path, text in texts.items():
        if path.startswith('src/') and path.endswith(('.h', '.cc')):
            folder = path.rsplit('/', 1)[0]
            lines[folder] = lines.get(folder, 0) + text.count('\n')
    return lines


def every_line(path, text):
    for number, line in enumerate(text.split('\n'), 1):
        # A link or a table row may be long in a page of text.
        if len(line) > COLUMNS_MAX and not path.endswith(('.md', '.wrap', '.json', '.yaml')):
            yield number, f'{len(line)} columns, more than {COLUMNS_MAX}'
        if '\t' in line:
            yield number, 'a tab: indent with spaces'
        if line != line.rstrip():
            yield number, 'white space at the end of the line'
        if LEFT_OVER.search(line):
            yield number, 'work left for later: do it, or say it where work is tracked'
        if GUILLEMETS.search(line):
            yield number, 'a quotation mark that is not "'
        if MACHINE_PATH.search(line):
            yield number, 'a path of one machine'


def header(path, text):
    if path.endswith('.h'):
        if not re.match(r'(//|/\*)', text):
            yield 1, 'a header opens with a comment: what it is, who owns it, which loop it lives on'
        if '/pch/' not in path and not re.search(r'^#pragma once$', text, re.M):  # one is compiled by itself
            yield 1, 'no #pragma once'


# --- who may know whom -----------------------------------------------------------------------------------------------

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def room_not_below(within, name):
    """Of an include inside one folder: why the room of `within` may not have it; empty if it may."""
    rooms = ROOMS.get(name.split('/')[0], {})
    own, other = (path.split('/')[1] for path in (within, name))
    top = len(rooms)
    if not rooms or own not in rooms or own == other or rooms.get(other, top) < rooms[own]:
        return ''
    return f'{within.rsplit("/", 1)[0]} may not include "{name}": that room stands above it, or beside it'


def layers(path, text, known):
    """`known`: the files under src/, relative to it; an include of ours must name one."""
    within = path[len('src/'):]
    folder = within.split('/')[0] if '/' in within else ''
    for m in INCLUDE.finditer(text):
        line, name = line_of(text, m.start()), m.group(2)
        for prefix, allowed in THIRD_PARTY.items():
            if name.startswith(prefix) and not re.fullmatch(allowed, within):
                yield line, f'<{name}> may not be included here, only in src/{allowed}'.replace('(?!)', ' tests')
        if m.group(1) != '"':
            continue
        target = name.split('/')[0]
        if '/' not in name or target not in RANK:
            yield line, f'"{name}": write the path from src/, as in "base/result.h"'
        elif name not in known:
            yield line, f'"{name}" does not exist'
        elif folder in RANK and target != folder and RANK[target] >= RANK[folder]:
            yield line, f'{folder} may not include {target}: it stands above it, or beside it, in the list of layers'
        elif target == folder and (not_below := room_not_below(within, name)):
            yield line, not_below


def world(path, code):
    within = path[len('src/'):]
    for pattern, allowed, instead in WORLD:
        if re.fullmatch(allowed, within):
            continue
        for m in re.finditer(pattern, code):
            yield line_of(code, m.start()), f'{m.group(0).strip()} outside the interfaces to the world: {instead}'


# What stored rows of slots are written by: the digest and all else that follows a slot hangs there.
SLOT_WRITE = re.compile(r'\b(?:put|erase|erase_range)\(Family::kMeta\b')
SLOT_WRITER = 'src/store/slot_writes.cc'


def slot_rows(path, code):
    for m in () if path == SLOT_WRITER else SLOT_WRITE.finditer(code):
        yield line_of(code, m.start()), f'a row of a slot is written or erased by {SLOT_WRITER} alone'


def check(path, text, known=()):
    """All findings about one file: (line, message). `path` is relative to the project, with slashes."""
    is_code = path.endswith(('.cc', '.h', '.cpp', '.c'))
    code = blank(text) if is_code else None
    yield from every_line(path, text)
    yield from sizes(path, text, code)
    if is_code:
        yield from header(path, text)
        yield from coroutines(code)
        if path.startswith('src/'):
            yield from layers(path, text, known)
            yield from world(path, code)
            yield from slot_rows(path, code)


def project_files(root):
    for top in ('src', 'tests', 'scripts', 'conf', 'subprojects', '.ci',
                'meson.build', 'meson_options.txt', 'README.md'):
        start = os.path.join(root, top)
        if os.path.isfile(start):
            yield top
        for folder, folders, names in os.walk(start):
            relative = os.path.relpath(folder, root).replace(os.sep, '/')
            # Unpacked wraps are not ours; of subprojects/ only the wraps and the packages folder are.
            folders[:] = sorted(f for f in folders if f not in ('__pycache__', 'corpus', 'corpora', 'packagecache')
                                and not (relative == 'subprojects' and f not in ('packages', 'packagefiles')))
            yield from (f'{relative}/{name}' for name in sorted(names))


def main(root):
    files = list(project_files(root))
    known = {f[len('src/'):] for f in files if f.startswith('src/')}
    failures = 0
    homes = {}
    texts = {}
    for path in files:
        with open(os.path.join(root, path), 'rb') as f:
            raw = f.read()
        try:
            text = raw.decode('utf-8')
        except UnicodeDecodeError:
            print(f'{path}:1: not UTF-8 text: test data belongs in a corpus folder')
            failures += 1
            continue
        texts[path] = text
        for line, message in check(path, text, known):
            print(f'{path}:{line}: {message}')
            failures += not message.startswith('note:')
        for m in INCLUDE.finditer(text) if path.startswith('src/') else ():
            for prefix in ONE_FILE:
                if m.group(2).startswith(prefix):
                    homes.setdefault(prefix, set()).add(path)
    for folder, lines in sorted(folder_lines(texts).items()):
        if lines > FOLDER_LINES_MAX:
            print(f'{folder}:1: {lines} lines of code, more than {FOLDER_LINES_MAX}: it wants rooms')
            failures += 1
    project = Project(texts)
    for path, text in texts.items():
        for line, message in sorted(citations(path, text, project)):
            print(f'{path}:{line}: {message}')
            failures += 1
    for prefix, where in homes.items():
        if len(where) > 1:
            print(f'{sorted(where)[0]}:1: {prefix} is included in more than one file: {", ".join(sorted(where))}')
            failures += 1
    print(f'tidy: {len(files)} files, {failures} findings')
    return 1 if failures or not known else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..')))
