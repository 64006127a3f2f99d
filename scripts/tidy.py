#!/usr/bin/env python3
"""The house rules that a machine can check, run as the test `tidy`:

    scripts/tidy.py [ROOT]

layers and third-party confinement (the table of src/README.md), confinement of time, randomness, threads, sockets
and files, sizes, header comments, left-over markers, the coroutine forms that g++ 12 miscompiles, and citations that
lead nowhere: of files, rules of the protocol, tests and seeded bugs, in comments and in Markdown.
One line a finding, exit 1 if there is any; `note:` lines do not fail. Its own test is scripts/tidy_test.py.
"""
import fnmatch
import os
import re
import sys

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

FILE_LINES_MAX, FILE_LINES_NOTE = 600, 400
FUNCTION_LINES_MAX, FUNCTION_LINES_NOTE = 90, 70
COLUMNS_MAX = 120
LEFT_OVER = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X|HA' r'CK)\b')
MACHINE_PATH = re.compile(r'(?<![\w.])/(?:home/\w+|root|Users|work|farm)/|/tmp/(?:b-|bash_jobs)')


def blank(source):
    """The same text with comments and literals as spaces; line breaks stay, so offsets and line numbers do."""
    token = (r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
             r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'")
    return re.sub(token, lambda m: re.sub(r'[^\n]', ' ', m.group(0)), source, flags=re.S)


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


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
# «name it, then await it».

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


# --- citations -------------------------------------------------------------------------------------------------------
# What comments and Markdown name has to be there: files, rules of the protocol, tests, seeded bugs.

PROTOCOL = re.compile(r'src/protocol(/\w+)?\.md')
PLANTS = 'src/base/plant.h'
TOP = ('src', 'tests', 'scripts', 'conf', 'subprojects')
RULE = r'[DLR]?\d+[a-z]?\b'
RULES = re.compile(rf'\b[Rr]ules?\s+({RULE}(?:(?:\s*,\s*|\s*,?\s+(?:and|or|to)\s+)(?:rules?\s+)?{RULE})*)')
RULE_OF_LEVELS = re.compile(r'\bD\d+[a-z]?\b')
RULE_DEFINED = re.compile(rf'^\*\*Rule ({RULE})', re.M)
SECTION = re.compile(r'\bprotocol\.md`?,?\s+(?:§\s*|section\s+)([\d.]*\d)(\(\d+\))?')
ELSEWHERE = re.compile(r'(?<![\w/.-])reference/\S*|\b(?:SPEC|DESIGN)\s+(?:§\s*)?\d[\d.]*')
FILE = re.compile(r'(?<![\w./<>+-])(?<!\]\()((?:[\w+-]+/)*[\w*-]+\.(?:h|cc|py|md|build|wrap))\b(?![\w/])')
TOP_PATH = re.compile(r'(?<![\w/.$}-])(?<!\]\()((?:' + '|'.join(TOP) + r')/[\w./*{},+-]*[\w*}])')
SPAN = re.compile(r'`([^`\n]+)`')
LINK = re.compile(r'\[[^\]\n]*\]\(([^()\s#]*)(?:#[^()\s]*)?\)')
QUOTED = r'(?:"[^"`]+"|«[^»`]+»)'
TESTS_CITED = re.compile(rf'`(tests/[^`\s]+)`:?\s+({QUOTED}(?:,?\s+(?:and\s+)?{QUOTED})*)')
FUNCTIONS_CITED = re.compile(r'`([\w/]+\.(?:h|cc|py))`((?:,?\s+`[\w:~]+\(\)`)+)')
TEST_CASE = re.compile(r'\bTEST_CASE\w*\(\s*(?:\w+\s*,\s*)?((?:"(?:\\.|[^"\\])*"\s*)+)')


def comments(source):
    """C++: the same text with code as NUL and comment marks as spaces, so offsets and line numbers stay."""
    token = (r'(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)|R"(?P<d>[^()\\\s]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
             r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|[^\s/\"'R]+|\S")

    def keep(m):
        if m.group('line'):
            return re.sub(r'^//+', lambda n: ' ' * len(n.group()), m.group())
        if m.group('block'):
            return '  ' + re.sub(r'^\s*\*', lambda n: n.group()[:-1] + ' ', m.group()[2:-2], flags=re.M) + '  '
        return re.sub(r'[^\n]', '\0', m.group())
    return re.sub(token, keep, source, flags=re.S)


def hash_comments(text):
    """Python, shell, meson: likewise; in Python also what stands between three quotes, where that begins a line."""
    token = (r'(?P<doc>^[ ]*""".*?""")|""".*?"""|' + r"'''.*?'''|'(?:\\.|[^'\\\n])*'|" +
             r'"(?:\\.|[^"\\\n])*"|(?P<hash>(?:^|(?<=\s))#[^\n]*)|\S')

    def keep(m):
        kept = m.group('doc') or m.group('hash')
        return re.sub(r'^#+|"""', lambda n: ' ' * len(n.group()), kept) if kept else '\0' * len(m.group())
    return re.sub(token, keep, text, flags=re.S | re.M)


class Project:
    """What there is to be cited. `texts`: of all files, by path."""

    def __init__(self, texts):
        self.texts = texts
        self.folders = {path[:i] for path in texts for i, c in enumerate(path) if c == '/'}
        self.by_name = {}
        for path in texts:
            self.by_name.setdefault(path.split('/')[-1], []).append(path)
        self.rules = {}  # with their text
        for path, text in texts.items():
            if PROTOCOL.fullmatch(path):
                parts = re.split(RULE_DEFINED, text)
                self.rules.update(zip(parts[1::2], parts[2::2]))
        self.sections = set(re.findall(r'^#+ (\d[\d.]*?)\.? ', texts.get('src/protocol.md', ''), re.M))
        self.plants = set(re.findall(r'\bX\((k\w+)', texts.get(PLANTS, '')))
        code = [text for path, text in texts.items() if path.startswith('src/') and path.endswith(('.h', '.cc'))]
        self.constants = {word for text in code for word in re.findall(r'\bk[A-Z]\w*', blank(text))}
        tests = [path for path in texts if path.startswith('tests/')]
        self.tests = {path: list(self.tests_in(path, texts[path])) for path in tests}

    @staticmethod
    def tests_in(path, text):
        if path.endswith('.py'):
            yield from (name.replace('_', ' ') for name in re.findall(r'\bdef test_(\w+)', text))
        for m in TEST_CASE.finditer(text) if path.endswith('.cc') else ():
            yield ''.join(re.findall(r'"((?:\\.|[^"\\])*)"', m.group(1))).replace('\\"', '"')

    def find(self, cited, citing):
        """The files and folders that a path may mean: from the root, from src/, from tests/, or beside who cites it."""
        beside = citing.rsplit('/', 1)[0] + '/' if '/' in citing else ''
        found = []
        for one in self.alternatives(cited.rstrip('/')):
            pattern = re.compile(re.escape(one).replace(r'\*', r'[^/]*') + ('' if '.' in one else r'(\.h|\.cc)?'))
            for prefix in ('', 'src/', 'tests/', beside):
                if prefix + one in self.texts or prefix + one in self.folders:
                    found.append(prefix + one)
                elif '*' in one or '.' not in one:
                    found += [path for path in self.texts if path.startswith(prefix) and
                              pattern.fullmatch(path[len(prefix):])]
        return found

    @staticmethod
    def alternatives(cited):
        braces = re.search(r'\{([^{}]*)\}', cited)
        if not braces:
            return [cited]
        return [cited[:braces.start()] + one + cited[braces.end():] for one in braces.group(1).split(',')]

    def rule_exists(self, rule):
        return rule in self.rules or any(rule + letter in self.rules for letter in 'ab')

    def missing_file(self, cited, citing):
        """Why the citation of a file leads nowhere; empty if it does not."""
        if self.find(cited, citing):
            return ''
        others = self.by_name.get(cited.split('/')[-1], [])
        if '/' not in cited and citing.endswith('.md') and fnmatch.filter(self.by_name, cited):
            return ''
        hint = f'; there is {", ".join(sorted(others)[:3])}' if others else ''
        where = ' in this folder' if '/' not in cited and not citing.endswith('.md') else ''
        return f'cites {cited}, which does not exist{where}{hint}'


def cited_rules(path, text, project):
    found = {}
    for m in RULES.finditer(text):
        for rule in re.finditer(RULE, m.group(1)):
            found[m.start(1) + rule.start()] = rule.group()
    if path.endswith(('.h', '.cc', '.md')):
        found.update((m.start(), m.group()) for m in RULE_OF_LEVELS.finditer(text))
    for at, rule in sorted(found.items()):
        if not project.rule_exists(rule):
            yield at, f'cites rule {rule}, which src/protocol.md does not define'
    for m in SECTION.finditer(text):
        if m.group(1) not in project.sections or m.group(2):
            yield m.start(), f'cites section {m.group(1)}{m.group(2) or ""} of src/protocol.md, which does not exist'
    for m in ELSEWHERE.finditer(text):
        yield m.start(), f'cites "{" ".join(m.group().split())}", which is not in the repository'


def cited_files(path, text, project):
    seen = set()
    for m in (*TOP_PATH.finditer(text), *FILE.finditer(text)):
        if not any(m.start() <= at < m.end() or at <= m.start() < end for at, end in seen):
            seen.add((m.start(), m.end()))
            why = project.missing_file(m.group(1), path)
            if why:
                yield m.start(), why


def named_again(cited, names):
    """Is that the name of one of them, or with an ellipsis at its end the begin of one?"""
    cited = ' '.join(cited.split())
    if cited.endswith('…'):
        return any(name.startswith(cited[:-1].rstrip()) for name in names)
    return cited in names


def cited_in_markdown(path, text, project):
    for m in SPAN.finditer(text):
        for word in re.finditer(r'[^\s]+', m.group(1)):
            cited = word.group().strip('.,;:()"')
            at = m.start(1) + word.start()
            name = re.fullmatch(r'(k[A-Z]\w*)([…*]*)', cited)
            if name and name.group(2):
                if not any(plant.startswith(name.group(1)) for plant in project.plants):
                    yield at, f'cites {cited}, and no seeded bug in {PLANTS} begins so'
            elif name and cited not in project.plants | project.constants:
                yield at, f'cites {cited}, which is no seeded bug in {PLANTS}, and no constant'
            elif re.fullmatch(r'[\w+-]+(/[\w*+-]+)+', cited) and cited.split('/')[0] in RANK:
                why = project.missing_file(cited, path)
                if why:
                    yield at, why
    for m in LINK.finditer(SPAN.sub(lambda m: ' ' * len(m.group()), text)):
        target = m.group(1)
        if target and not re.match(r'\w+:', target) and not project.find(target, path):
            yield m.start(1), f'links to {target}, which does not exist'
    anywhere = {name for tests in project.tests.values() for name in tests}
    for m in re.finditer(QUOTED, text) if path.startswith('src/') else ():
        cited = m.group()[1:-1]
        if cited.endswith('…') and not named_again(cited, anywhere):
            yield m.start(), f'cites the test {m.group()}, which does not exist'
    for m in TESTS_CITED.finditer(text):
        names = {name for file, tests in project.tests.items() for name in tests
                 if file == m.group(1) or file.startswith(m.group(1).rstrip('/') + '/')}
        for quoted in re.finditer(QUOTED, m.group(2)):
            cited = quoted.group()[1:-1]
            known = names if named_again(cited, anywhere) or not cited.endswith('…') else {cited[:-1]}
            if not named_again(cited, known):
                yield m.start(2) + quoted.start(), f'cites the test {quoted.group()}, which {m.group(1)} does not have'
    for m in FUNCTIONS_CITED.finditer(text):
        files = [file for file in project.find(m.group(1), path) if file in project.texts]
        for name in re.finditer(r'`([\w:~]+)\(\)`', m.group(2)):
            if files and not any(re.search(rf'\b{re.escape(name.group(1))}\(', project.texts[file]) for file in files):
                yield m.start(2) + name.start(), f'cites {name.group(1)}(), which {m.group(1)} does not have'


def citations(path, text, project):
    """Those of one file that lead nowhere: (line, message)."""
    if path.startswith('subprojects/'):
        return
    if path.endswith('.md'):
        prose = text
        checks = (cited_rules, cited_files, cited_in_markdown)
    elif path.endswith(('.h', '.cc')):
        prose = comments(text)
        checks = (cited_rules, cited_files)
    elif path.endswith(('.py', 'meson.build')) or (path.startswith('scripts/') and text.startswith('#!')):
        prose = hash_comments(text)
        checks = (cited_rules, cited_files)
    else:
        return
    for one in checks:
        for at, message in one(path, prose, project):
            yield line_of(text, at), message
    for m in re.finditer(r'\bX\((k\w+),\s*"([^"]*)"', text) if path == PLANTS else ():
        name, rule = m.groups()
        if rule != '-' and not project.rule_exists(rule):
            yield line_of(text, m.start()), f'{name} cites rule {rule}, which src/protocol.md does not define'
        elif rule != '-' and not re.search(rf'`{name}`', project.rules.get(rule, '')):
            yield line_of(text, m.start()), f'{name} cites rule {rule}, which does not name it in src/protocol.md'


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
