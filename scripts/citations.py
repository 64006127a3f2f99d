"""Citations that lead nowhere: what comments and Markdown name has to be there: files, rules of the protocol, tests,
seeded bugs. For scripts/tidy.py."""
import fnmatch
import re

from source_text import blank, comments, hash_comments, line_of

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
QUOTED = r'(?:"[^"`]+"|\u00ab[^\u00bb`]+\u00bb)'
TESTS_CITED = re.compile(rf'`(tests/[^`\s]+)`:?\s+({QUOTED}(?:,?\s+(?:and\s+)?{QUOTED})*)')
FUNCTIONS_CITED = re.compile(r'`([\w/]+\.(?:h|cc|py))`((?:,?\s+`[\w:~]+\(\)`)+)')
TEST_CASE = re.compile(r'\bTEST_CASE\w*\(\s*(?:\w+\s*,\s*)?((?:"(?:\\.|[^"\\])*"\s*)+)')


class Project:
    """What there is to be cited. `texts`: of all files, by path."""

    def __init__(self, texts):
        self.texts = texts
        self.folders = {path[:i] for path in texts for i, c in enumerate(path) if c == '/'}
        self.source_folders = {path.split('/')[1] for path in self.folders if path.startswith('src/')}
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
            elif re.fullmatch(r'[\w+-]+(/[\w*+-]+)+', cited) and cited.split('/')[0] in project.source_folders:
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
