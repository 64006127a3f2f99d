"""README and manual as a test reads them: their fenced blocks, and what each kind of block means.

    ```sh                  commands; run in the order of the page, in one folder, each block by a shell of its own
    ```sh server           commands of `tako`, one a line, that go on running; & and `wait` are for the reader
    ```output              what the block before it prints; `...`: any text, alone on a line any lines
    ```yaml NAME           a file of that name
    ```console REASON      commands that are not run here, and why
    ```text                no commands
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / 'README.md'
PAGES = sorted((ROOT / 'src' / 'manual').glob('*.md'))
KINDS = ('sh', 'output', 'yaml', 'console', 'text')


class Block:
    def __init__(self, page, line, kind, note, text):
        """line: of its first line of text."""
        self.page, self.line, self.kind, self.note, self.text = page, line, kind, note, text

    def __repr__(self):
        return f'{self.page.relative_to(ROOT)}:{self.line}'


def blocks(page):
    found, opened = [], None
    for number, line in enumerate(page.read_text().split('\n'), 1):
        fence = re.match(r'( *)```(.*)$', line)
        if opened is None and fence:
            kind, _, note = fence[2].strip().partition(' ')
            opened = (len(fence[1]), number + 1, kind, note, [])
        elif opened and fence:
            indent, first, kind, note, lines = opened
            found.append(Block(page, first, kind, note, ''.join(f'{text[indent:]}\n' for text in lines)))
            opened = None
        elif opened:
            opened[4].append(line)
    assert opened is None, f'{page}: a block that begins at line {opened[1] - 1} has no end'
    return found


def matches(expected, said):
    """Does the output look like an `output` block?"""
    pattern = ''
    for line in expected.rstrip('\n').split('\n'):
        if line == '...':
            pattern += r'(?:[^\n]*\n)*?'
            continue
        # The widths of a table's columns depend on what is in them.
        parts = re.sub(' +', ' ', line).split('...')
        pattern += '[^\n]*'.join(re.escape(part).replace(r'\ ', r'[ \t]+') for part in parts) + r'[ \t]*\n'
    return re.fullmatch(pattern, re.sub(r'\r\n', '\n', said).rstrip('\n') + '\n') is not None
