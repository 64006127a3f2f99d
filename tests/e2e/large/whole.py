"""One large file: up, down and by ranges, identical each time, in constant memory; beside dd and nginx."""
import os
import random
import subprocess
import time

from bodies import (compare, download, killed_at, make_file, parts_are, range_is, run_measured,
                    same_files, upload, url_of)
from harness import accepts, expect, free_port, http_call, until
from report import MIB, say
from world import RESIDENT_MIB_MAX, OneProcess, Processes, settle

COPIES = 4              # as many as a key has replicas
RANGES = 40
EMPTY_BYTES_MAX = 64 * MIB     # in files of values, when all is deleted
EMPTY_SECONDS_MAX = 60
KEY = 'whole'


class Whole:
    kind = None  # of cluster

    def __init__(self, context, report, size, seed):
        self.context, self.report, self.size = context, report, size
        self.draw = random.Random(f'{seed}/whole')
        self.source = context.folder / 'source'
        say(f'a file of {size / 2**30:.2f} GiB of random bytes')
        make_file(self.source, size)

    def run(self):
        self.part = f'whole, {self.kind.kind}'
        self.beside()
        cluster = self.kind(self.context, 'whole')
        self.through(cluster)
        cluster.remove()

    # --- what it is compared with ---------------------------------------------------------------------------------

    def beside(self):
        copies = [self.context.folder / f'copy{i}' for i in range(COPIES)]
        began = time.monotonic()
        running = [subprocess.Popen(['dd', f'if={self.source}', f'of={c}', 'bs=1M', 'conv=fsync'],
                                    stderr=subprocess.DEVNULL) for c in copies]
        assert [p.wait() for p in running] == [0] * COPIES, 'dd failed: is the disk full?'
        self.dd = self.report.rate(self.part, f'{COPIES} copies by dd conv=fsync', self.size, time.monotonic() - began,
                                   ', the value counted once')
        for copy in copies:
            copy.unlink()
        self.nginx = None
        port = self.start_nginx()
        if port:
            url = f'http://127.0.0.1:{port}/{self.source.name}'
            download(url)
            seconds, size = download(url)
            assert size == self.size
            self.nginx = self.report.rate(self.part, 'nginx serving it', size, seconds)
            self.web.terminate()
            self.web.wait(20)

    def start_nginx(self):
        """Its port, or None where it is not installed."""
        folder, port = self.context.folder, free_port()
        (folder / 'nginx').mkdir()
        temporary = ' '.join(f'{kind}_temp_path {folder}/nginx/{kind};'
                             for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        config = self.context.write('nginx.conf', f'''
            daemon off; {'user root;' if os.getuid() == 0 else ''} worker_processes auto; pid {folder}/nginx/pid;
            error_log {folder}/nginx/error.log; events {{}}
            http {{ access_log off; sendfile on; {temporary} server {{ listen 127.0.0.1:{port}; root {folder}; }} }}''')
        environment = {**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin'}
        try:
            self.web = subprocess.Popen(['nginx', '-e', f'{folder}/nginx/error.log', '-c', str(config)],
                                        env=environment, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            self.report.figure(self.part, 'nginx serving it', 'not measured: nginx is not installed')
            return None
        until(20, 'nginx', lambda: accepts(port))
        return port

    # --- one cluster ----------------------------------------------------------------------------------------------

    def through(self, cluster):
        seconds = upload(cluster.port, KEY, self.source)
        rate = self.size / 1e6 / seconds
        self.report.rate(self.part, 'up by curl -T', self.size, seconds, f', {rate / self.dd:.2f} of dd')
        seconds, size = download(url_of(cluster.port, KEY))
        rate = size / 1e6 / seconds
        beside = f', {rate / self.nginx:.2f} of nginx' if self.nginx else ''
        self.report.rate(self.part, 'down by curl', size, seconds, beside)
        self.identical('the whole, from either proxy', all(compare(url_of(p, KEY), self.source)
                                                           for p in cluster.ports))
        self.ranges(cluster)
        self.resumed(cluster, 'curl -C -', ['curl', '-sS', '-o', 'part'], ['-C', '-'])
        self.resumed(cluster, 'wget -c', ['wget', '-q', '-O', 'part'], ['-c'])
        cluster.restart()
        self.identical('the whole, after a restart of everything', compare(url_of(cluster.port, KEY), self.source))
        self.gone(cluster)
        self.by_ctl(cluster)
        cluster.memory(self.report, self.part)
        ended = cluster.ended_by_themselves()
        self.report.promise(self.part, 'no process ends by itself', not ended, ', '.join(ended))

    def identical(self, what, same):
        self.report.promise(self.part, f'identical: {what}', same)

    def ranges(self, cluster):
        size, port = self.size, cluster.port
        with open(self.source, 'rb') as source:
            for begin, end in ((0, 1), (size - 1, size), (size // 2, size // 2 + 100 * MIB)):
                end = min(end, size)
                self.identical(f'bytes {begin} to {end}',
                               range_is(port, KEY, f'bytes={begin}-{end - 1}', begin, end, source))
            suffix = min(64 * MIB + 7, size)
            self.identical('a suffix', range_is(port, KEY, f'bytes=-{suffix}', size - suffix, size, source))
            began, good, total = time.monotonic(), 0, 0
            for _ in range(RANGES):
                begin = self.draw.randrange(size)
                end = min(size, begin + self.draw.randrange(1, 4 * MIB))
                good += range_is(port, KEY, f'bytes={begin}-{end - 1}', begin, end, source)
                total += end - begin
            self.identical(f'{RANGES} random ranges', good == RANGES)
            self.report.rate(self.part, 'random ranges of up to 4 MiB', total, time.monotonic() - began)
            spans = [(0, 10), (size // 3, size // 3 + 5 * MIB), (size // 2, size // 2 + 1), (size - 70_000, size)]
            self.identical('several ranges at once', parts_are(port, KEY, spans, source))

    def resumed(self, cluster, name, command, again):
        path = self.context.folder / 'part'
        url = url_of(cluster.port, KEY)
        there = killed_at([*command, url], path, self.size // 2, self.context.folder)
        assert there < self.size, 'it was done before it could be killed: try a larger file'
        code, seconds, _, problem = run_measured([*command, *again, url], self.context.folder)
        good = code == 0 and same_files(path, self.source)
        self.identical(f'resumed by {name} after {there * 100 // self.size} %', good)
        if not good:
            say(f'{name} ended with {code}: {problem}; {path.stat().st_size} of {self.size} bytes')
        path.unlink()

    def by_ctl(self, cluster):
        folder = self.context.folder
        environment = {**self.context.environment, 'TAKO_PROXY': f'http://127.0.0.1:{cluster.port}'}
        ctl = [self.context.binary, 'ctl']
        code, seconds, mib, problem = run_measured([*ctl, 'put', 'by-ctl', self.source], folder, environment)
        assert code == 0, problem
        self.report.rate(self.part, 'up by tako ctl put', self.size, seconds)
        got = folder / 'got'
        there = killed_at([*ctl, 'get', 'by-ctl', '-o', got], folder / 'got.part', self.size // 2, folder, environment)
        code, seconds, more, problem = run_measured([*ctl, 'get', 'by-ctl', '-o', got], folder, environment)
        good = code == 0 and same_files(got, self.source)
        self.identical(f'resumed by tako ctl get after {there * 100 // self.size} %', good)
        self.report.rate(self.part, 'the rest down by tako ctl get', self.size - there, seconds)
        self.report.promise(self.part, f'tako ctl within {RESIDENT_MIB_MAX} MiB', max(mib, more) <= RESIDENT_MIB_MAX,
                            f'{max(mib, more):.0f} MiB')
        got.unlink()

    def gone(self, cluster):
        """Deleted, its space comes back by itself."""
        before = cluster.value_bytes()
        expect(http_call(cluster.port, 'DELETE', f'/values/{KEY}?w=all'), 204)
        took = settle(EMPTY_SECONDS_MAX, lambda: cluster.value_bytes() <= EMPTY_BYTES_MAX)
        after = f'{before / MIB:.0f} MiB, {cluster.value_bytes() / MIB:.0f} MiB {took or EMPTY_SECONDS_MAX:.0f} s later'
        self.report.promise(self.part, 'space of a deleted value given back', took is not None, after)
        self.report.figure(self.part, 'logs of all nodes then', f'{cluster.log_bytes() / MIB:.0f} MiB')


class WholeCluster(Whole):
    kind = OneProcess


class WholeProcesses(Whole):
    kind = Processes
