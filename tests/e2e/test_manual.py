"""Every command of README and of the manual, run as a reader would: a suite a page (pages.py says which blocks)."""
import os
import re
import shlex
import shutil
import subprocess

from harness import free_port
from pages import KINDS, PAGES, README, ROOT, blocks, matches

BLOCK_SECONDS_MAX = 120
NOT_RUN = 15  # blocks of the kind `console`: who adds one knows it
PORTS = re.compile(r'(?<![\w.])(8080|11211|47\d\d)(?!\w)')  # those that the pages name


class _Page:
    """One page, in a folder with what a folder of the source has: conf/, README.md, build/tako."""
    path = None

    def setup(self):
        self.ports = {}
        self.folder = self.t.folder
        (self.folder / 'bin').mkdir()
        (self.folder / 'build').mkdir()
        (self.folder / 'conf').mkdir()
        for link in ('bin/tako', 'build/tako'):
            (self.folder / link).symlink_to(self.t.binary)
        shutil.copy(README, self.folder)
        for file in (ROOT / 'conf').glob('*.*'):
            (self.folder / 'conf' / file.name).write_text(self.here(file.read_text()))
        self.t.environment.update(PATH=f'{self.folder}/bin:{os.environ["PATH"]}', HOME=str(self.folder),
                                  TAKO_PROXY=self.here('http://127.0.0.1:8080'))

    def here(self, text):
        """The same with free ports."""
        return PORTS.sub(lambda found: str(self.port(found[1])), text)

    def port(self, named):
        if named not in self.ports:
            self.ports[named] = free_port()
        return self.ports[named]

    def serve(self, block):
        for line in block.text.split('\n'):
            words = shlex.split(self.here(line.rstrip('& ')))
            if not words or words == ['wait']:
                continue
            assert words[0] in ('tako', 'build/tako'), f'{block}: a server is a command of tako, not {line}'
            server = self.t.start(words[1], *words[1:])
            server.ready(*(int(value) for option, value in zip(words, words[1:]) if option == '-p'))

    def run(self, block, expected):
        script = f"trap 'echo \"AT $LINENO\" >&2' ERR\n{self.here(block.text)}"
        done = subprocess.run(['bash', '-Eeuo', 'pipefail', '-c', script], stdin=subprocess.DEVNULL, text=True,
                              cwd=self.folder, env=self.t.environment, timeout=BLOCK_SECONDS_MAX,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        at = re.search(r'^AT (\d+)$', done.stderr, re.M)
        where = f'{block.page.relative_to(ROOT)}:{block.line + int(at[1]) - 2}' if at else str(block)
        assert done.returncode == 0, f'{where}: exit code {done.returncode}: {done.stdout!r} {done.stderr!r}'
        if expected:
            assert matches(self.here(expected.text), done.stdout), f'{expected}: the output is {done.stdout!r}'

    def test_every_block(self):
        here = blocks(self.path)
        start = blocks(ROOT / 'src' / 'manual' / 'start.md')
        commands = [block for block in here if block.kind == 'sh']
        if self.path != README:
            self.save(next(block for block in start if block.kind == 'yaml'))
        # A page that does not start a cluster begins with that of the first one.
        if commands and commands[0].note != 'server':
            self.serve(next(block for block in start if block.note == 'server'))
        for block, following in zip(here, [*here[1:], None]):
            if block.kind == 'yaml' and block.note:
                self.save(block)
            elif block.kind == 'sh' and block.note == 'server':
                self.serve(block)
            elif block.kind == 'sh':
                self.run(block, following if following and following.kind == 'output' else None)
        for server in self.t.servers:
            server.stop()

    def save(self, block):
        (self.folder / block.note).write_text(self.here(block.text))


for _path in [README, *PAGES]:
    _name = _path.stem.capitalize()
    globals()[_name] = type(_name, (_Page,), {'__module__': __name__, 'path': _path,
                                              'test_every_block': _Page.test_every_block})


class Blocks:
    def test_every_block_has_a_kind(self):
        for page in [README, *PAGES]:
            for block in blocks(page):
                assert block.kind in KINDS, f'{block}: ```{block.kind}'
                assert block.kind != 'sh' or block.note in ('', 'server'), f'{block}: ```sh {block.note}'

    def test_output_follows_what_prints_it(self):
        for page in [README, *PAGES]:
            here = blocks(page)
            for before, block in zip([None, *here], here):
                assert block.kind != 'output' or (before and (before.kind, before.note) == ('sh', '')), block

    def test_what_is_not_run_says_why(self):
        left_out = [block for page in [README, *PAGES] for block in blocks(page) if block.kind == 'console']
        for block in left_out:
            assert len(block.note.split()) >= 2, f'{block}: why is it not run?'
        assert len(left_out) == NOT_RUN, [f'{block}: {block.note}' for block in left_out]

    def test_no_commands_hide_in_other_forms(self):
        """Indented blocks would not be run."""
        for page in [README, *PAGES]:
            text = re.sub(r'^( *)```.*?^ *```$', '', page.read_text(), flags=re.S | re.M)
            hidden = re.search(r'^(?: {4}|\t)\s*(?:tako|build/tako|curl|scripts/\w+) .*', text, re.M)
            assert not hidden, f'{page.name}: {hidden[0]}'

    def test_an_output_that_differs_is_noticed(self):
        assert matches('a  b\n', 'a b\n') and matches('x ... y\n', 'x 1 2 y\n') and matches('...\nend\n', '1\n2\nend\n')
        assert not matches('a b\n', 'a c\n') and not matches('a\n', 'a\nb\n') and not matches('...\nend\n', 'end\nx\n')


class Links:
    def test_links_lead_somewhere(self):
        for page in [README, *PAGES, ROOT / 'src' / 'README.md']:
            for target in re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text()):
                assert '://' in target or (page.parent / target).exists(), f'{page.name}: {target}'

    def test_topics_that_are_named_exist(self):
        topics = {page.stem for page in PAGES}
        for page in [README, *PAGES]:
            for topic in re.findall(r'tako help ([a-z]+)', page.read_text()):
                assert topic in topics, f'{page.name}: tako help {topic}'

    def test_the_readme_is_short_and_names_every_topic(self):
        text = README.read_text()
        assert text.count('\n') <= 150, text.count('\n')
        for page in PAGES:
            assert f'(src/manual/{page.name})' in text, page.name
