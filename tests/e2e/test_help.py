"""tako help."""
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time

from pages import PAGES


class Help:
    def test_topics_are_listed_with_a_line_each(self):
        code, out, err = self.t.run('help')
        assert (code, err) == (0, ''), (code, err)
        listed = re.findall(r'^  (\w+) +\S.*$', out, re.M)
        assert sorted(listed) == [page.stem for page in PAGES], listed
        assert listed[0] == 'start'

    def test_every_page_is_plain_text_of_80_columns_where_there_is_no_terminal(self):
        for page in PAGES:
            code, out, err = self.t.run('help', page.stem, PAGER='false')
            assert (code, err) == (0, ''), (page, code, err)
            assert out.startswith(page.read_text().split('\n')[0][2:] + '\n'), out[:200]
            assert '\x1b' not in out and '```' not in out, page
            assert max(map(len, out.split('\n'))) <= 80, max(out.split('\n'), key=len)

    def test_an_unknown_topic_names_those_there_are(self):
        code, out, err = self.t.run('help', 'htp')
        assert (code, out) == (2, '') and err.count('\n') == 1, (code, out, err)
        assert "'htp'" in err and all(page.stem in err for page in PAGES), err
        assert self.t.run('help', 'http', 'more')[0] == 2

    def test_the_programs_help_names_the_manual(self):
        assert 'tako help' in self.t.run('--help')[1]

    def test_what_cannot_be_written_is_a_failure(self):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([self.t.binary, 'help', 'http'], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1 and b'cannot write' in done.stderr, done


def on_a_terminal(columns, environment, *command, typed=()):
    """Runs a command on a terminal; `typed`: what is typed, each when the text before it has appeared. Gives its exit
    code, and all that was on the screen."""
    child, terminal = os.forkpty()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        os.execve(command[0], list(map(str, command)), {**environment, 'TERM': 'xterm'})
    said, waiting, deadline = b'', list(typed), time.monotonic() + 30
    while time.monotonic() < deadline:
        if waiting and waiting[0][0] in said:
            os.write(terminal, waiting.pop(0)[1])
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            more = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        said += more
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said.decode(errors='replace')


class Terminal:
    """On a terminal a page goes through the pager, laid out for the width."""

    def help(self, topic, columns=80, **environment):
        return on_a_terminal(columns, {**self.t.environment, **environment}, self.t.binary, 'help', topic)

    def test_the_users_pager_gets_the_page(self):
        seen = self.t.folder / 'seen'
        assert self.help('http', 72, PAGER=f'cat > {seen}') == (0, '')
        lines = seen.read_text().split('\n')
        title = ' '.join(f'\x1b[1m{word}\x1b[0m' for word in 'HTTP: requests, parameters, headers'.split())
        assert lines[0] == title, lines[0]
        plain = [re.sub('\x1b\\[[01]m', '', line) for line in lines]
        assert 60 < max(len(line) for line in plain if not line.startswith('    ')) <= 72

    def test_its_exit_code_is_the_exit_code(self):
        assert self.help('http', PAGER='exit 7')[0] == 7

    def test_no_pager_is_wanted(self):
        code, said = self.help('errors', PAGER='')
        assert code == 0 and 'Retry-After' in said, (code, said)
