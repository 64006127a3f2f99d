"""Two hundred clients that stall in the middle of large uploads and downloads, and what others notice of it.

The same load is measured without them and with them, in turn. They have all stalled before a measurement begins, and
none has been let go when it ends, and what they had sent has reached the tables of the disks: what is measured is the
cost of their being there, not of the quarter of a gigabyte that came with them.
"""
import multiprocessing
import os
import random
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from bodies import make_file, upload
from harness import TCP_CLOSED, expect, http_call
from report import MIB, say
from world import Processes, piece_keys, settle, staged_rows

UPLOADS, DOWNLOADS = 100, 100
TURNS = 2                      # without and with them
WINDOW_SECONDS = 5.0           # of a measurement: they are let go after ten
WARM_SECONDS = 2.0
# Of the proxy: two pieces for each upload, one for each download and 48 MiB a loop are 171 MiB on two, in pages
# of 2 MiB that are used in part; 356 MiB were seen.
RESIDENT_MIB_MAX = 400
SLOWER_MAX = 1.2               # "no more than a fifth"
SMALL_CLIENTS = 2
SMALL_BYTES = 1000
SMALL_KEYS = 500
LARGE_BYTES = 64 * MIB
UPLOADED_BYTES = 4 * MIB
STALLED_BYTES = 64 * MIB       # what an upload has promised to send
SENT_BYTES = (MIB, 3 * MIB)    # and sends
TAKEN_BYTES = 700_000          # of a download
SMALL_BUFFER = 64 << 10        # of a socket that is not read from
BYTE_SECONDS, PIECE_SECONDS, LINGER_SECONDS = 10, 60, 5  # tako help http: a byte every 10 s, a piece every minute
LATE_SECONDS = 5               # a busy machine
GATHER_AT_ONCE = 8
DRIPPING = 10                  # of the uploads: they send a byte now and then, until the minute is over
DRIP_EVERY = 2.0
QUIET_SECONDS_MAX = 60         # until the disk is what it was before
REST_SECONDS_MAX = 20          # until nobody flushes and compacts; the stalled move a little meanwhile
LEFT_BYTES_MAX = 32 * MIB      # on all disks, in files of values


# --- the load: processes of their own, so that they share no lock with those who stall --------------------------------

def small_load(port, seed, ends, out):
    """Reads and writes of small values, one after the other; every one has to succeed."""
    draw, times, buffer = random.Random(seed), [], b''
    value = draw.randbytes(SMALL_BYTES)
    with socket.create_connection(('127.0.0.1', port), timeout=30) as s:
        while time.monotonic() < ends:
            key = draw.randrange(SMALL_KEYS)
            began = time.monotonic()
            if draw.random() < 0.5:
                s.sendall(b'PUT /values/small%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b'
                          % (key, SMALL_BYTES, value))
            else:
                s.sendall(b'GET /values/small%d HTTP/1.1\r\nHost: h\r\n\r\n' % key)
            while b'\r\n\r\n' not in buffer:
                buffer += s.recv(65536)
            head, _, buffer = buffer.partition(b'\r\n\r\n')
            assert head.split()[1] in (b'200', b'404'), head
            size = next(int(line.split(b':')[1]) for line in head.split(b'\r\n')
                        if line.lower().startswith(b'content-length:'))
            while len(buffer) < size:
                buffer += s.recv(65536)
            buffer = buffer[size:]
            times.append(time.monotonic() - began)
    out.put(('small', times))


def large_load(port, ends, out):
    """The bytes of a large value that arrive until then."""
    total, block = 0, bytearray(MIB)
    while time.monotonic() < ends:
        with socket.create_connection(('127.0.0.1', port), timeout=30) as s:
            s.sendall(b'GET /values/large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
            while time.monotonic() < ends:
                size = s.recv_into(block)
                if not size:
                    break
                total += size
    out.put(('large', total))


def upload_load(port, ends, out):
    """The bytes of large values that are answered until then; of the last one the share that fell into that time."""
    total, value = 0, os.urandom(UPLOADED_BYTES)
    while (began := time.monotonic()) < ends:
        with socket.create_connection(('127.0.0.1', port), timeout=60) as s:
            s.sendall(f'PUT /values/up HTTP/1.1\r\nHost: h\r\nContent-Length: {len(value)}\r\n\r\n'.encode())
            s.sendall(value)
            head = s.recv(65536)
            assert head.startswith(b'HTTP/1.1 200'), head
        ended = time.monotonic()
        total += len(value) * (min(ended, ends) - began) / (ended - began)
    out.put(('uploads', total))


class Window:
    """What the load got through in one measurement."""

    def __init__(self, port, seconds):
        context = multiprocessing.get_context('fork')
        out, ends = context.Queue(), time.monotonic() + seconds
        running = [context.Process(target=small_load, args=(port, i, ends, out)) for i in range(SMALL_CLIENTS)]
        running += [context.Process(target=load, args=(port, ends, out)) for load in (large_load, upload_load)]
        for process in running:
            process.start()
        got = [out.get(timeout=seconds + 60) for _ in running]
        for process in running:
            process.join()
        times = sorted(t for kind, result in got if kind == 'small' for t in result)
        self.operations = len(times) / seconds
        self.p50, self.p99 = (times[int(len(times) * share)] * 1000 for share in (0.5, 0.99))
        self.down = sum(result for kind, result in got if kind == 'large') / seconds
        self.up = sum(result for kind, result in got if kind == 'uploads') / seconds

    def __str__(self):
        return (f'{self.operations:.0f} small ops/s (p50 {self.p50:.2f}, p99 {self.p99:.1f} ms), '
                f'large {self.down / 1e6:.0f} MB/s down, {self.up / 1e6:.1f} up')


# --- those who stall -------------------------------------------------------------------------------------------------

class Staller:
    def __init__(self, port, buffer=None):
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(60)
        self.socket.connect(('127.0.0.1', port))
        self.moved_at = self.ended_at = None

    def let_go(self):
        """Has the server ended it? Of a download nothing is read: that would be progress."""
        if self.ended_at is None and self.over():
            self.ended_at = time.monotonic()
            self.socket.close()
        return self.ended_at is not None


class Up(Staller):
    def __init__(self, port, i, draw):
        super().__init__(port)
        self.socket.sendall(f'PUT /values/stalled{i} HTTP/1.1\r\nHost: h\r\n'
                            f'Content-Length: {STALLED_BYTES}\r\n\r\n'.encode())
        self.socket.sendall(os.urandom(draw.randrange(*SENT_BYTES)))
        self.moved_at = time.monotonic()

    def drip(self):
        if self.ended_at is None:
            try:
                self.socket.send(b'x')
            except OSError:
                return
            self.moved_at = time.monotonic()

    def over(self):
        """Answers (a refusal) are read until the connection is closed."""
        while select.select([self.socket], [], [], 0)[0]:
            try:
                if not self.socket.recv(65536):
                    return True
            except OSError:
                return True
        return False


class Down(Staller):
    def __init__(self, port):
        super().__init__(port, SMALL_BUFFER)
        self.socket.sendall(b'GET /values/large HTTP/1.1\r\nHost: h\r\n\r\n')
        taken = 0
        while taken < TAKEN_BYTES:
            more = len(self.socket.recv(SMALL_BUFFER))
            assert more, 'a download was closed before it stalled'
            taken += more
        self.moved_at = time.monotonic()

    def drip(self):
        """Takes as much as makes the window open again."""
        try:
            for _ in range(8):
                self.socket.recv(SMALL_BUFFER, socket.MSG_DONTWAIT)
        except OSError:
            pass
        self.moved_at = time.monotonic()

    def over(self):
        return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSED


class Crowd:
    """All of them, stalled. While they gather they move a little, so that the first has not to go before the last
    comes."""

    def __init__(self, port, draw, at_rest):
        self.ups, self.downs = [], []
        gathered = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(gathered,), daemon=True)
        keeper.start()
        seeds = [draw.random() for _ in range(UPLOADS)]
        with ThreadPoolExecutor(GATHER_AT_ONCE) as pool:
            list(pool.map(lambda i: self.ups.append(Up(port, i, random.Random(seeds[i]))), range(UPLOADS)))
            list(pool.map(lambda _: self.downs.append(Down(port)), range(DOWNLOADS)))
        rested = settle(REST_SECONDS_MAX, at_rest)
        say('the nodes are at rest after ' + ('more time than there was' if rested is None else f'{rested:.1f} s'))
        gathered.set()
        keeper.join()

    def _keep(self, gathered):
        while not gathered.wait(DRIP_EVERY):
            for staller in self.all:
                staller.drip()

    @property
    def all(self):
        return [*self.ups, *self.downs]

    def stalled(self):
        """How many still are."""
        return sum(not s.let_go() for s in self.all)

    def wait(self, dripping):
        """Until all are let go, or should long have been. Those that drip may stay for a minute."""
        since = time.monotonic()
        dripped_at = since
        while self.stalled():
            now = time.monotonic()
            if now - dripped_at > DRIP_EVERY:
                dripped_at = now
                for up in dripping:
                    up.drip()
            if now - since > (PIECE_SECONDS if dripping else BYTE_SECONDS) + LINGER_SECONDS + 4 * LATE_SECONDS:
                return
            time.sleep(0.1)

    def close(self):
        for staller in self.all:
            staller.socket.close()


class Stalled:
    def __init__(self, context, report, size, seed):
        self.context, self.report = context, report
        self.draw = random.Random(f'{seed}/stalled')
        self.part = 'stalled'

    def run(self):
        cluster = Processes(self.context, 'stalled')
        large = self.context.folder / 'large'
        make_file(large, LARGE_BYTES)
        upload(cluster.port, 'large', large)
        Window(cluster.port, WARM_SECONDS)
        self.before = cluster.value_bytes()
        windows = {'free': [], 'stalled': []}
        for turn in range(TURNS):
            settle(REST_SECONDS_MAX, cluster.at_rest)
            windows['free'].append(self.window(cluster, f'without them, turn {turn + 1}'))
            windows['stalled'].append(self.with_them(cluster, turn, last=turn + 1 == TURNS))
        self.judge(windows)
        cluster.memory(self.report, self.part, limit=RESIDENT_MIB_MAX)
        ended = cluster.ended_by_themselves()
        self.report.promise(self.part, 'no process ends by itself', not ended, ', '.join(ended))
        self.nothing_left(cluster)
        cluster.remove()

    def window(self, cluster, what):
        window = Window(cluster.port, WINDOW_SECONDS)
        self.report.figure(self.part, what, str(window))
        return window

    def with_them(self, cluster, turn, last):
        crowd = Crowd(cluster.port, self.draw, cluster.at_rest)
        began = min(s.moved_at for s in crowd.all)
        say(f'{len(crowd.all)} stall, the first for {time.monotonic() - began:.1f} s')
        dripping = crowd.ups[:DRIPPING] if last else []
        window = self.window(cluster, f'with them, turn {turn + 1}')
        stalled = crowd.stalled()
        self.report.promise(self.part, 'all stall until the measurement is over', stalled == len(crowd.all),
                            f'{stalled} of {len(crowd.all)}')
        crowd.wait(dripping)
        self.let_go(crowd, dripping)
        crowd.close()
        return window

    def let_go(self, crowd, dripping):
        for name, some, limit in (
                ('uploads', [u for u in crowd.ups if u not in dripping], BYTE_SECONDS + LINGER_SECONDS),
                ('downloads', crowd.downs, BYTE_SECONDS), ('dripping uploads', dripping, None)):
            if not some:
                continue
            waited = [s.ended_at - s.moved_at for s in some if s.ended_at is not None]
            if limit is None:  # they move, so it is the minute that counts
                ended = [s.ended_at for s in some if s.ended_at is not None]
                held = len(ended) == len(some)
                detail = f'{len(ended)} of {len(some)}'
            else:
                held = len(waited) == len(some) and max(waited) <= limit + LATE_SECONDS
                detail = f'{len(waited)} of {len(some)}' + (
                    f', {min(waited):.1f} to {max(waited):.1f} s after their last byte' if waited else '')
            self.report.promise(self.part, f'{name} that stall are let go', held, detail)

    def judge(self, windows):
        """Each turn beside its own; the better of them counts, since a busy machine only ever takes away."""
        pairs = list(zip(windows['free'], windows['stalled']))
        for name, of in (('small values', lambda w: w.operations), ('a large download', lambda w: w.down),
                         ('large uploads', lambda w: w.up)):
            slower = [of(free) / max(of(stalled), 1e-9) for free, stalled in pairs]
            self.report.promise(self.part, f'{name}: slower by no more than a fifth', min(slower) <= SLOWER_MAX,
                                ', '.join(f'{s:.2f} times' for s in slower))

    def nothing_left(self, cluster):
        took = settle(QUIET_SECONDS_MAX, lambda: cluster.value_bytes() <= self.before + LEFT_BYTES_MAX)
        self.report.promise(self.part, 'nothing is left on disk', took is not None,
                            f'{self.before / MIB:.0f} MiB before, {cluster.value_bytes() / MIB:.0f} MiB '
                            f'{took or QUIET_SECONDS_MAX:.0f} s after; logs {cluster.log_bytes() / MIB:.0f} MiB')
        for i in range(UPLOADS):
            expect(http_call(cluster.port, 'GET', f'/values/stalled{i}'), 404)
        cluster.stop()
        keys = piece_keys(cluster)
        if keys is None:
            self.report.figure(self.part, 'rows left', 'not counted: install rocksdb-tools for ldb')
            return
        left = {k: n for k, n in keys.items() if k.startswith('stalled')}
        self.report.promise(self.part, 'no piece of theirs is in any database', not left,
                            f'{sum(left.values())} pieces of {len(left)} uploads')
        staged = staged_rows(cluster)
        self.report.promise(self.part, 'no upload is staged', staged == 0, f'{staged} rows')
