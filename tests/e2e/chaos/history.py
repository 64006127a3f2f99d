"""What the clients did: every operation with its times, outcome and version, by key; and the floors below which no
later read may fall.

Times are seconds of one monotonic clock, since the run's start. A version is what the ETag says: (microseconds,
writer), totally ordered. Outcomes of writes: `ok`; `no`, certainly not carried out (the connection was refused); and
`unknown`, anything else: it may have happened, or happen later. Reads that failed say nothing.
"""
import threading
import time

START = time.monotonic()
SHOWN_MAX = 400  # operations of one key


def now():
    return time.monotonic() - START


def parse_version(etag):
    stamp, writer = etag.strip('"').split('-')
    return int(stamp, 16), int(writer, 16)


def show_version(version):
    return 'none' if version is None else f'{version[0]}-{version[1] & 0xffff:04x}'


class Op:
    __slots__ = ('key', 'kind', 'level', 'client', 'proxy', 'value', 'size', 't0', 't1', 'wall', 'outcome', 'status',
                 'version', 'got', 'calm', 'floor_quorum', 'floor_two')

    def __init__(self, key, kind, level, client, value=None, size=0):
        self.key, self.kind, self.level, self.client = key, kind, level, client
        self.value, self.size = value, size
        self.proxy = self.status = self.version = self.got = self.t0 = self.t1 = None
        self.outcome, self.calm = 'unknown', False
        self.wall = 0
        self.floor_quorum = self.floor_two = None

    @property
    def write(self):
        return self.kind != 'get'

    def line(self):
        end = '   ...   ' if self.t1 is None else f'{self.t1:9.3f}'
        what = {'put': f'PUT {self.value} ({self.size} B)', 'delete': 'DELETE', 'get': 'GET'}[self.kind]
        level = f"{'r' if self.kind == 'get' else 'w'}={self.level}"
        result = self.outcome
        if self.kind == 'get' and self.outcome == 'ok':
            result = 'absent' if self.got is None else f'got {self.got}'
        calm = '' if self.write or self.calm else ' (troubled)'
        return (f'{self.t0:9.3f} {end} {self.client:>6} {self.proxy or "-":>3}  {what} {level} -> {result} '
                f'[{self.status}] version {show_version(self.version)}{calm}')


class KeyHistory:
    """strict: only quorum writes and quorum reads, so its history has to be linearizable."""

    def __init__(self, key, kind):
        self.key, self.kind, self.strict = key, kind, kind == 'strict'
        self.ops = []
        self.started = 0
        self.puts = {}           # value id -> its operation
        self.named = {}          # version -> the value id that was read under it
        self.floor_quorum = None  # (version, op): what an operation at quorum has finished with
        self.floor_two = None     # (low, op): what a write to two or more has been answered with
        self.lock = threading.Lock()

    def begin(self, op):
        with self.lock:
            self.started += 1
            self.ops.append(op)
            if op.kind == 'put':
                self.puts[op.value] = op
            op.floor_quorum, op.floor_two = self.floor_quorum, self.floor_two
            op.wall = time.time_ns() // 1000
            op.t0 = now()

    def finish(self, op):
        """Raises the floors; gives what is wrong with the answer in itself, or None."""
        with self.lock:
            op.t1 = now()
            if op.outcome != 'ok':
                return None
            if op.kind == 'get':
                wrong = self._named(op)
                if wrong:
                    return wrong
            if op.version is None:
                return None
            quorum = op.level == 'quorum'
            if quorum and (self.floor_quorum is None or op.version > self.floor_quorum[0]):
                self.floor_quorum = (op.version, op)
            if op.write:
                low = low_bound(op, surely_ours=quorum)
                if self.floor_two is None or low > self.floor_two[0]:
                    self.floor_two = (low, op)
        return None

    def _named(self, op):
        if op.got is None:
            return None
        if op.got not in self.puts:
            return f'a value that nobody wrote: {op.got}'
        before = self.named.setdefault(op.version, op.got)
        if before != op.got:
            return f'version {show_version(op.version)} names two values: {before} and {op.got}'
        return None

    def text(self, around=None):
        head = f'history of {self.key!r} ({self.kind}): began, ended, client, proxy, operation -> outcome'
        return listing(head, self.ops, around)


def listing(head, ops, around):
    """The operations in order; of many, those around one."""
    ops = sorted(ops, key=lambda op: op.t0)
    if around is not None and len(ops) > SHOWN_MAX:
        at = ops.index(around)
        ops = ops[max(0, at - SHOWN_MAX // 2):at + SHOWN_MAX // 2]
    return '\n'.join([head] + [op.line() + ('   <=== here' if op is around else '') for op in ops])


def low_bound(op, surely_ours):
    """The write's own version is at least this. A plain write that lost to a newer one is answered 200 with the
    winner's version, which may be held by fewer replicas than the write itself; its own is not below the clock."""
    return op.version if surely_ours else (op.wall, 0)


class History:
    def __init__(self):
        self.keys = {}
        self.lock = threading.Lock()

    def key(self, key, kind):
        with self.lock:
            if key not in self.keys:
                self.keys[key] = KeyHistory(key, kind)
            return self.keys[key]

    def all(self):
        with self.lock:
            return list(self.keys.values())
