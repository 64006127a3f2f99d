"""tako help, and the completion of commands in a shell."""
import fcntl
import os
import re
import select
import shutil
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


class Completion:
    def complete(self, line):
        """What bash would offer at the end of `line`."""
        script = ('source <("$0" completion bash); COMP_LINE=$1; COMP_POINT=${#1}; _tako; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        line = line.replace('tako', self.t.binary, 1)
        done = subprocess.run(['bash', '--norc', '-c', script, self.t.binary, line], capture_output=True, text=True,
                              timeout=20, cwd=self.t.folder, env=self.t.environment)
        assert done.returncode == 0 and done.stderr == '', (line, done)
        return done.stdout.split('\n')[:-1]

    def test_programs_and_subcommands(self):
        assert self.complete('tako cl') == ['cluster']
        assert self.complete('tako ctl lo') == ['locate']
        assert set(self.complete('tako ctl node ')) == {'add', 'remove', 'replace'}
        assert {'node', 'ctl', 'help'} <= set(self.complete('tako '))
        assert self.complete('tako ctl --json -c h:1 dep') == ['deploy']
        assert self.complete('tako bake ') == ['']

    def test_options(self):
        assert self.complete('tako ctl node add --buc') == ['--bucket']
        assert '--proxy' in self.complete('tako ctl put --'), 'those of the command above'
        assert self.complete('tako proxy -p 8080 --mem') == ['--memcached']
        assert self.complete('tako node --log-l') == ['--log-level']

    def test_topics_and_values(self):
        assert self.complete('tako help memc') == ['memcached']
        assert self.complete('tako help') != self.complete('tako help ')
        assert sorted(self.complete('tako help ')) == [page.stem for page in PAGES]
        assert self.complete('tako node --log-level de') == ['debug']
        assert self.complete('tako node --log-level=de') == ['debug'], 'bash replaces what is behind the ='
        assert set(self.complete('tako completion ')) == {'bash', 'zsh', 'fish'}

    def test_files_and_folders(self):
        (self.t.folder / 'a folder').mkdir(exist_ok=True)
        self.t.write('a.yaml', '')
        assert sorted(self.complete('tako cluster a')) == ['a folder', 'a.yaml']
        assert self.complete('tako node -d a') == ['a folder']
        assert self.complete('tako ctl config validate a.') == ['a.yaml']

    def test_every_subcommand_of_the_help_is_offered(self):
        help_of = self.t.run('ctl', '--help')[1].split('Subcommands:')[1]
        assert sorted(self.complete('tako ctl ')) == sorted(re.findall(r'^  (\w+) ', help_of, re.M))

    def test_in_an_interactive_bash(self):
        bin = self.t.folder / 'bin'
        bin.mkdir(exist_ok=True)
        (bin / 'tako').symlink_to(self.t.binary)
        environment = {**self.t.environment, 'PATH': f'{bin}:{os.environ["PATH"]}', 'PAGER': '', 'PS1': 'READY> '}
        typed = [(b'READY> ', b'source <(tako completion bash); PS1=COM"PLETES> "\n'),
                 (b'COMPLETES> ', b'tako help cons\t\n'), (b'over several keys.', b'exit\n')]
        code, said = on_a_terminal(80, environment, shutil.which('bash'), '--norc', '-i', typed=typed)
        assert code == 0 and 'over several keys.' in said, (code, said[-2000:])
