#!/usr/bin/env python3
"""How fast a wiped node is filled again, beside RocksDB's own db_bench on the same disk, in the same run:

    tests/bench/refill.py --binary build/tako --scratch DIR [--keys 1000000] [--value-bytes 1024]

Two mirror nodes, a proxy, processes of their own. Writes the values, kills one node, removes its data, starts it, and
takes the time until it votes everywhere and has all keys, while one client goes on reading and writing through the
proxy. Before and after it, db_bench fills a fresh database (fillrandom, two threads, as many values of that size). By
hand, on a quiet machine; nothing fails for being slow. Needs about eight times the values' bytes in DIR. The other
half of what repair costs, keys that differ: build/tests/node/node_test -ns -tc="figures*".
"""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / 'e2e')]

from harness import TWO, Context, Layout, free_port, get, healthy, http_call, put, until  # noqa: E402

DB_BENCH_THREADS = 2
CONNECTIONS = 4
PIPELINE = 64
SECONDS_MAX = 3600


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', required=True, help='the tako to run')
    parser.add_argument('--scratch', required=True, help='a folder on the disk to be used')
    parser.add_argument('--keys', type=int, default=1_000_000)
    parser.add_argument('--value-bytes', type=int, default=1024)
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    if not shutil.which('db_bench'):
        parser.error('no db_bench: install rocksdb-tools')
    return options


def db_bench(options, folder):
    """Values a second."""
    place = folder / 'db_bench'
    command = ['db_bench', '--benchmarks=fillrandom', f'--db={place}', f'--threads={DB_BENCH_THREADS}',
               f'--num={options.keys // DB_BENCH_THREADS}', f'--value_size={options.value_bytes}']
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    shutil.rmtree(place)
    found = re.search(r'fillrandom\s*:.*?(\d+) ops/sec', done.stdout)
    assert done.returncode == 0 and found, done.stdout[-1000:] + done.stderr[-1000:]
    return int(found[1])


class Load:
    """Writes keys by the memcached protocol, many at a time, each answered."""

    def __init__(self, options, port):
        self.options, self.port = options, port
        self.pool = os.urandom(1 << 20)

    def value(self, i):
        at = i * 7919 % (len(self.pool) - self.options.value_bytes)
        return self.pool[at:at + self.options.value_bytes]

    def some(self, first, count):
        with socket.create_connection(('127.0.0.1', self.port), 60) as connection:
            answers = connection.makefile('rb')
            for begin in range(first, first + count, PIPELINE):
                keys = range(begin, min(begin + PIPELINE, first + count))
                connection.sendall(b''.join(b'set key%09d 0 0 %d\r\n%b\r\n' % (i, self.options.value_bytes,
                                                                                 self.value(i)) for i in keys))
                for _ in keys:
                    line = answers.readline()
                    assert line == b'STORED\r\n', line

    def all(self, keys):
        share = -(-keys // CONNECTIONS)
        threads = [threading.Thread(target=self.some, args=(i, min(share, keys - i))) for i in range(0, keys, share)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - began


class Traffic(threading.Thread):
    """One client that reads and writes without pause, so that the cluster serves."""

    def __init__(self, port, load):
        super().__init__(daemon=True)
        self.port, self.load, self.done, self.failed = port, load, 0, 0
        self.stop = threading.Event()

    def run(self):
        i = 0
        while not self.stop.is_set():
            i += 1
            if i % 2:
                answer = put(self.port, f'live{i % 100}', b'x' * 100, '?w=one')  # the other replica may be away
            else:
                answer = get(self.port, f'key{i % 1000:09d}')
            self.done += answer.status == 200
            self.failed += answer.status != 200


class Pair:
    """Two nodes and a proxy."""

    def __init__(self, options, context):
        self.context, self.layout = context, Layout(TWO, per_key=2)
        self.config = context.write('cluster.yaml', self.layout.text())
        self.nodes = {n: self.node(n) for n in self.layout.nodes}
        self.http, self.memcached = free_port(), free_port()
        self.proxy = context.start('p1', 'proxy', '-i', 'p1', '-f', self.config, '-d', context.folder / 'p1', '-p',
                                   self.http, '--memcached', self.memcached)
        until(60, 'the proxy', lambda: healthy(self.http))
        until(60, 'both nodes', lambda: all(self.whole(n) for n in self.layout.nodes))

    def node(self, name):
        return self.context.start(name, 'node', '-i', name, '-f', self.config, '-d', self.context.folder / name)

    def status(self, name):
        nodes = http_call(self.http, 'GET', '/status').json()['nodes']
        return next(n for n in nodes if n['id'] == name)

    def whole(self, name):
        status = self.status(name)
        return status['state'] == 'up' and status['voting_partitions'] == status['owned_partitions']

    def wipe(self, name):
        self.nodes[name].kill()
        shutil.rmtree(self.context.folder / name)
        self.nodes[name] = self.node(name)

    def cpu_seconds(self):
        ticks = os.sysconf('SC_CLK_TCK')
        used = {}
        for name, server in self.nodes.items():
            fields = pathlib.Path(f'/proc/{server.pid}/stat').read_text().rsplit(')', 1)[1].split()
            used[name] = (int(fields[11]) + int(fields[12])) / ticks
        return used


def refill(options, folder):
    context = Context(options.binary, folder)
    try:
        pair = Pair(options, context)
        load = Load(options, pair.memcached)
        seconds = load.all(options.keys)
        print(f'written through the proxy: {options.keys / seconds:.0f}/s ({seconds:.0f} s)', flush=True)
        traffic = Traffic(pair.http, load)
        traffic.start()
        began = time.monotonic()
        pair.wipe('n2')
        until(SECONDS_MAX, 'n2 has all', lambda: pair.whole('n2'), every=0.2)
        seconds = time.monotonic() - began
        traffic.stop.set()
        traffic.join()
        used = ', '.join(f'{name} {seconds:.1f}' for name, seconds in pair.cpu_seconds().items())
        print(f'refilled: {options.keys / seconds:.0f}/s ({seconds:.1f} s; CPU seconds of the lives so far: {used}); '
              f'meanwhile {traffic.done} requests served, {traffic.failed} not', flush=True)
        for name in ('n1', 'n2'):
            print(f"  {name} says {pair.status(name)['items']} keys")
        return options.keys / seconds
    finally:
        context.close()


def main():
    options = arguments()
    folder = pathlib.Path(tempfile.mkdtemp(prefix='tako-refill-', dir=options.scratch))
    try:
        before = db_bench(options, folder)
        print(f'db_bench: {before}/s', flush=True)
        rate = refill(options, folder)
        after = db_bench(options, folder)
        print(f'db_bench again: {after}/s')
        print(f'refill : db_bench = {rate / (before + after) * 2:.2f}')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
