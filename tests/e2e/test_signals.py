"""The process itself: signals at any moment, a log that cannot be written, descriptors that are closed at start."""
import os
import signal
import socket
import subprocess
import time

from harness import ONE, TWO, Layout, Raw, accepts, expect, free_port, get, healthy, put, until

MOMENTS = [i * 0.005 for i in range(16)]


class _Own:
    """Processes whose descriptors and signals a test chooses itself."""

    def popen(self, *arguments, ready=None, **options):
        options = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, **options}
        process = subprocess.Popen([self.t.binary, *map(str, arguments)], cwd=self.t.folder, env=self.t.environment,
                                   **options)
        self.t.servers.append(_Known(process, arguments[0]))
        if ready:
            until(30, 'it serves', lambda: healthy(ready) or process.poll() is not None)
            assert process.poll() is None, process.returncode
        return process

    def one(self):
        """A cluster of one node: its arguments and its HTTP port."""
        layout, port = Layout(ONE, per_key=1), free_port()
        path = self.t.write(f'{port}.yaml', layout.text())
        return ['cluster', path, '-p', port, '-d', self.t.folder / f'data-{port}'], port


class _Known:
    """What the context needs to end it."""

    def __init__(self, process, name):
        self.process, self.name, self.returncode = process, name, None

    def running(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        return ''


def make_log_lines(port, count):
    """Each request is worth a line of the log, at level debug."""
    with Raw(port) as raw:
        for _ in range(count):
            raw.send(f"GET /values/{'k' * 200} HTTP/1.1\r\nHost: h\r\n\r\n").answer()


def all_of(pipe):
    os.set_blocking(pipe, False)
    got = b''
    try:
        while part := os.read(pipe, 1 << 20):
            got += part
    except BlockingIOError:
        pass
    return got


class Log(_Own):
    def ends_well(self, process):
        process.terminate()
        assert process.wait(30) == 0

    def test_a_log_reader_that_goes_away_ends_nothing(self):
        arguments, port = self.one()
        reader, writer = os.pipe()
        process = self.popen(*arguments, '-v', 'debug', ready=port, stdout=writer, stderr=writer)
        os.close(writer)
        os.close(reader)
        make_log_lines(port, 3)
        expect(put(port, 'k', b'v'), 200)
        expect(get(port, 'k'), 200, b'v')
        self.ends_well(process)

    def test_a_log_reader_that_stops_reading_holds_nobody_up(self):
        arguments, port = self.one()
        reader, writer = os.pipe()
        process = self.popen(*arguments, '-v', 'debug', ready=port, stdout=writer, stderr=writer)
        os.close(writer)
        make_log_lines(port, 500)
        expect(put(port, 'k', b'v', seconds=10), 200)
        first = all_of(reader)
        assert len(first) > 50_000, len(first)
        make_log_lines(port, 2)
        assert b'log_lines_lost count=' in all_of(reader)
        self.ends_well(process)
        os.close(reader)

    def test_a_log_file_on_a_full_disk_is_told_of_once(self):
        arguments, port = self.one()
        process = self.popen(*arguments, '-v', 'debug', '--log-file', '/dev/full', ready=port)
        make_log_lines(port, 5)
        expect(put(port, 'k', b'v'), 200)
        process.terminate()
        out = process.communicate(timeout=30)[0].decode()
        assert process.returncode == 0 and out.count('cannot write the log file /dev/full: No space') == 1, out

    def test_a_log_file_that_may_not_grow(self):
        """`ulimit -f`: the signal of a file that is too large ends nothing either."""
        import resource
        arguments, port = self.one()
        log = self.t.folder / 'short.log'
        log.touch()
        os.truncate(log, 1 << 28)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, resource.RLIM_INFINITY))  # noqa: E731
        arguments[-1] = self.t.folder / 'short'
        process = self.popen(*arguments, '-v', 'debug', '--log-file', log, preexec_fn=limit, ready=port)
        make_log_lines(port, 2)
        expect(put(port, 'k', b'v'), 200)
        process.terminate()
        out = process.communicate(timeout=30)[0].decode()
        assert process.returncode == 0 and 'File too large' in out, out

    def test_no_standard_descriptors_at_all(self):
        arguments, port = self.one()
        closed = lambda: os.closerange(0, 3)  # noqa: E731
        process = self.popen(*arguments, '-v', 'debug', preexec_fn=closed, ready=port)
        make_log_lines(port, 2)
        expect(put(port, 'k', b'v'), 200)
        for fd in range(3):
            assert os.readlink(f'/proc/{process.pid}/fd/{fd}') == '/dev/null'
        self.ends_well(process)


class Inherited(_Own):
    def test_a_blocked_or_ignored_signal_still_ends_a_server(self):
        def deaf():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            arguments, port = self.one()
            process = self.popen(*arguments, preexec_fn=deaf, ready=port)
            process.send_signal(number)
            assert process.wait(30) == 0, number

    def test_signals_that_mean_nothing_do_nothing(self):
        arguments, port = self.one()
        log = self.t.folder / 'turned.log'
        process = self.popen(*arguments, '--log-file', log, ready=port)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE):
            process.send_signal(number)
        log.rename(self.t.folder / 'turned.log.1')
        process.send_signal(signal.SIGHUP)
        until(10, 'the log file is opened anew', log.exists)
        expect(put(port, 'k', b'v'), 200)
        process.terminate()
        assert process.wait(30) == 0

    def test_a_second_signal_while_it_stops_changes_nothing(self):
        for _ in range(5):
            arguments, port = self.one()
            process = self.popen(*arguments, ready=port)
            while process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.returncode == 0, process.stdout.read()

    def test_nohup_is_honoured_by_ctl_and_sigterm_is_not_ignored(self):
        def deaf():
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
        with socket.create_server(('127.0.0.1', 0)) as silent:
            process = self.popen('ctl', '--proxy', f'http://127.0.0.1:{silent.getsockname()[1]}', 'status',
                                 preexec_fn=deaf)
            connection, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == -signal.SIGTERM
            connection.close()


class Starting(_Own):
    """SIGTERM at any moment of a start: exit 0, and nobody is told of an error. The signal is blocked at first, so that
    also the earliest moment is one of the program's, not of Python's or of the kernel's."""

    def moments(self, *arguments, fresh=False):
        blocked = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # noqa: E731
        for i, moment in enumerate(MOMENTS):
            folder = self.t.folder / f'start-{arguments[0]}-{i if fresh else 0}'
            process = self.popen(*arguments, '-d', folder, preexec_fn=blocked)
            time.sleep(moment)
            process.terminate()
            out = process.communicate(timeout=30)[0].decode()
            assert process.returncode == 0, (arguments, moment, process.returncode, out)
            for line in out.splitlines():
                assert ' error ' not in line and not line.startswith(f'tako {arguments[0]}:'), (moment, out)

    def test_every_role_with_a_file(self):
        layout = Layout(TWO, coordinators=['c1'])
        path = self.t.write('start.yaml', layout.text())
        for fresh in (True, False):
            self.moments('node', '-i', 'n1', '-f', path, fresh=fresh)
            self.moments('coordinator', '-i', 'c1', '-f', path, fresh=fresh)
            self.moments('proxy', '-i', 'p1', '-f', path, '-p', free_port(), fresh=fresh)
            self.moments('cluster', path, '-p', free_port(), fresh=fresh)

    def test_while_it_waits_for_a_coordinator(self):
        nobody = f'127.0.0.1:{free_port()}'
        with socket.create_server(('127.0.0.1', 0)) as silent:
            for where in (nobody, f'127.0.0.1:{silent.getsockname()[1]}'):
                self.moments('node', '-i', 'n1', '-c', where, fresh=True)
                self.moments('proxy', '-i', 'p1', '-c', where, '-p', free_port(), fresh=True)

    def test_while_it_reads_a_configuration_that_does_not_come(self):
        pipe = self.t.folder / 'pipe.yaml'
        os.mkfifo(pipe)
        for role in (['node', '-i', 'n1'], ['proxy'], ['coordinator', '-i', 'c1'], ['cluster']):
            process = self.popen(*role, '-f', pipe, '-d', self.t.folder / 'pipe')
            time.sleep(0.1)
            process.terminate()
            out = process.communicate(timeout=30)[0]
            assert (process.returncode, out) == (0, b''), (role, process.returncode, out)


class CtlEnds(_Own):
    """Ctrl-C and SIGTERM end `tako ctl` at once, whatever it waits for."""

    def ended(self, process, number):
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == -number, (process.args, process.returncode, process.stdout.read())
        assert time.monotonic() - started < 5

    def test_any_verb_before_somebody_who_does_not_answer(self):
        layout = Layout(ONE, per_key=1, coordinators=['c1'])
        with socket.create_server(('127.0.0.1', layout.port['n1'])) as node, \
                socket.create_server(('127.0.0.1', layout.coordinators['c1'])) as coordinator, \
                socket.create_server(('127.0.0.1', 0)) as proxy:
            value = self.t.write('value', 'v')
            path = self.t.write('silent.yaml', layout.text())
            ways = {proxy: ['--proxy', f'http://127.0.0.1:{proxy.getsockname()[1]}'],
                    coordinator: ['-c', f"127.0.0.1:{layout.coordinators['c1']}"], node: ['-f', path]}
            verbs = [['get', 'k', '-o', 'out'], ['put', 'k', value], ['status']]
            for silent, way in ways.items():
                for verb in verbs:
                    for number in (signal.SIGINT, signal.SIGTERM):
                        process = self.popen('ctl', *way, *verb)
                        silent.settimeout(20)
                        connection, _ = silent.accept()
                        self.ended(process, number)
                        assert process.stdout.read() == b''
                        connection.close()
            assert not list(self.t.folder.glob('out*')), list(self.t.folder.glob('out*'))
            process = self.popen('ctl', *ways[coordinator], 'deploy', 'promote', '--wait')
            connection, _ = coordinator.accept()
            self.ended(process, signal.SIGINT)
            connection.close()

    def test_half_a_value_has_not_its_name_and_is_gone_on_with(self):
        (self.t.folder / 'half').write_bytes(b'as it was')
        with socket.create_server(('127.0.0.1', 0)) as proxy:
            url = f'http://127.0.0.1:{proxy.getsockname()[1]}'
            process = self.popen('ctl', '--proxy', url, 'get', 'k', '-o', 'half')
            connection, _ = proxy.accept()
            connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "v"\r\nContent-Length: 3000000\r\n\r\n' + b'x' * 2_000_000)
            until(20, 'a part', lambda: (self.t.folder / 'half.part').exists()
                  and (self.t.folder / 'half.part').stat().st_size > 1_000_000)
            self.ended(process, signal.SIGINT)
            connection.close()
        assert (self.t.folder / 'half').read_bytes() == b'as it was'

    def test_a_put_that_is_ended_half_way_stores_nothing(self):
        arguments, port = self.one()
        server = self.popen(*arguments, ready=port)
        expect(put(port, 'k', b'before'), 200)
        process = self.popen('ctl', '--proxy', f'http://127.0.0.1:{port}', 'put', 'k', stdin=subprocess.PIPE)
        process.stdin.write(b'x' * 5_000_000)
        process.stdin.flush()
        self.ended(process, signal.SIGINT)
        process.stdin.close()
        expect(get(port, 'k'), 200, b'before')
        server.terminate()
        assert server.wait(30) == 0

    def test_while_it_waits_for_its_input_or_its_output(self):
        process = self.popen('ctl', 'put', 'k', stdin=subprocess.PIPE)
        time.sleep(0.2)
        self.ended(process, signal.SIGTERM)
        process.stdin.close()
        arguments, port = self.one()
        server = self.popen(*arguments, ready=port)
        expect(put(port, 'k', b'x' * 1_000_000), 200)
        process = self.popen('ctl', '--proxy', f'http://127.0.0.1:{port}', 'get', 'k')
        until(20, 'output', lambda: process.stdout.peek(1))
        self.ended(process, signal.SIGINT)
        server.terminate()
        assert server.wait(30) == 0


class Descriptors(_Own):
    def setup(self):
        self.arguments, self.port = self.one()
        self.server = self.popen(*self.arguments, ready=self.port)
        self.proxy = f'http://127.0.0.1:{self.port}'

    def shell(self, line):
        done = subprocess.run(f'"{self.t.binary}" {line}', shell=True, capture_output=True, cwd=self.t.folder,
                              timeout=60, env={**self.t.environment, 'TAKO_PROXY': self.proxy}, text=True)
        return done.returncode, done.stdout, done.stderr

    def test_put_from_an_input_that_cannot_be_read_stores_nothing(self):
        expect(put(self.port, 'k', b'before'), 200)
        for redirection in ('<&-', '< .', '<&- >&- 2>&-'):
            code, _, error = self.shell(f'ctl put k {redirection}')
            assert code == 2, (redirection, code, error)
            assert '2>' in redirection or 'cannot read the input' in error, error
            expect(get(self.port, 'k'), 200, b'before')
        code, _, error = self.shell('ctl put k < /dev/null')
        assert code == 0, error
        expect(get(self.port, 'k'), 200, b'')

    def test_an_output_that_cannot_be_written_is_a_failure_of_every_verb(self):
        expect(put(self.port, 'full', b'v'), 200)
        config = self.arguments[1]
        lines = ['ctl get full', 'ctl stat full', 'ctl --json stat full', 'ctl status', 'ctl --json status',
                 'ctl check', 'ctl locate full', 'ctl config show', f'ctl config validate {config}',
                 f'ctl repair -f {config}', f'ctl deploy plan {config}', '--help', '--version', 'node --help',
                 'ctl get --help']
        for line in lines:
            right, _, error = self.shell(line)
            for redirection, reason in (('>/dev/full', 'No space left'), ('>&-', 'Bad file descriptor')):
                code, out, error = self.shell(f'{line} {redirection}')
                assert code == (right or 1), (line, redirection, right, code, error)
                assert right or f'cannot write the output: {reason}' in error, (line, redirection, error)
                assert error.count('\n') == 1, error

    def test_a_reader_of_the_output_that_has_enough_ends_it_quietly(self):
        expect(put(self.port, 'long', b'x' * 3_000_000), 200)
        process = self.popen('ctl', '--proxy', self.proxy, 'get', 'long', stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(20) == -signal.SIGPIPE and process.stderr.read() == b''

    def test_the_end(self):
        assert accepts(self.port)
        self.server.terminate()
        assert self.server.wait(30) == 0
