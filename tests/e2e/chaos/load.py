"""The clients: threads that write, read and delete through random proxies, over connections that are kept.

Kinds of keys: `strict` ones see quorum writes and quorum reads alone, a few at a time with several clients on each;
`mixed` ones see every level; `plain` ones the default level alone. A key is used for some hundred operations, then
another takes its place; now and then an old one is read again. `Prober`s write to one proxy each, many times a second,
and so measure for how long nobody could write.
"""
import http.client
import random
import threading
import traceback

import checks
import values
from history import History, Op, now, parse_version

TIMEOUT_MS = 5000         # what a proxy is given
ANSWER_SECONDS_MAX = 9.0  # and how long a client waits for it
CONNECT_SECONDS_MAX = 2.0
READ_ATTEMPTS = 3
OPS_PER_KEY = {'strict': 120, 'mixed': 150, 'plain': 120}
ACTIVE_KEYS = {'strict': 5, 'mixed': 8, 'plain': 8}
KIND_WEIGHTS = [('strict', 40), ('mixed', 35), ('plain', 25)]
# (kind of operation, level, weight)
OPERATIONS = {
    'strict': [('put', 'quorum', 45), ('delete', 'quorum', 8), ('get', 'quorum', 47)],
    'mixed': [('put', 'two', 18), ('put', 'quorum', 10), ('put', 'all', 6), ('delete', 'two', 4),
              ('delete', 'quorum', 3), ('get', 'latest', 30), ('get', 'quorum', 20), ('get', 'all', 4),
              ('get', 'one', 5)],
    'plain': [('put', 'two', 42), ('delete', 'two', 6), ('get', 'latest', 52)],
}
EXPECTED = {'put': (200, 503, 504, 507), 'delete': (204, 503, 504, 507), 'get': (200, 404, 503, 504)}
OLD_KEY_SHARE = 0.03
# Clients that go together wait for the next beat of one clock and meet on one strict key.
TOGETHER_SHARE = 0.3
BEAT_SECONDS = 0.25
READS_AFTER_UNKNOWN = 3


def pick(rng, weighted):
    return rng.choices(weighted, [w[-1] for w in weighted])[0]


class Keys:
    """The keys in use, shared by all clients."""

    def __init__(self, history, rng):
        self.history, self.rng, self.lock = history, rng, threading.Lock()
        self.count = 0
        self.active = {kind: [self.new(kind) for _ in range(n)] for kind, n in ACTIVE_KEYS.items()}
        self.old = []

    def new(self, kind):
        self.count += 1
        odd = self.rng.choice(['', '', '/', ' ü', '%2f?&', '+~'])
        return self.history.key(f'{kind}/{self.count}{odd}', kind)

    def draw(self, rng, kind):
        with self.lock:
            if self.old and rng.random() < OLD_KEY_SHARE:
                return rng.choice(self.old), True
            at = rng.randrange(len(self.active[kind]))
            key = self.active[kind][at]
            if key.started >= OPS_PER_KEY[kind]:
                self.old.append(key)
                key = self.active[kind][at] = self.new(kind)
            return key, False

    def meeting(self):
        with self.lock:
            return self.active['strict'][0]


class Door:
    """A kept connection to one proxy."""

    def __init__(self, host, port):
        self.host, self.port, self.connection = host, port, None

    def call(self, method, path, body=None, headers=None):
        """(status, headers, body), or (None, 'unsent' or 'lost', why)."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_SECONDS_MAX)
            try:
                self.connection.connect()
                self.connection.sock.settimeout(ANSWER_SECONDS_MAX)
            except OSError as problem:
                self.close()
                return None, 'unsent', str(problem)
        try:
            self.connection.request(method, path, body=body, headers=headers or {})
            response = self.connection.getresponse()
            data = response.read()
            if response.will_close:
                self.close()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, data
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            return None, 'lost', f'{type(problem).__name__} {problem}'

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Load:
    """What the clients share."""

    def __init__(self, world, ledger, seed, clients, rate):
        self.world, self.ledger, self.seed = world, ledger, seed
        self.history = History()
        self.keys = Keys(self.history, random.Random(f'{seed}/keys'))
        self.stop = threading.Event()
        self.always_served = False  # is it a violation when the default level is not served though it could be?
        self.violations = []
        self.outcomes = {}       # (kind, level, outcome) -> count
        self.checked = {}        # what was checked -> count
        self.statuses = {}
        self.lock = threading.Lock()
        self.written_at = [now()]  # when a default write succeeded
        self.threads = [Client(self, i, clients / rate) for i in range(clients)]
        self.threads += [Prober(self, proxy) for proxy in world.proxies if clients]

    def start(self):
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(ANSWER_SECONDS_MAX * READ_ATTEMPTS + 10)

    def violation(self, text, history=None, op=None):
        with self.lock:
            self.violations.append((text, history, op))
        self.stop.set()

    def count(self, table, what):
        with self.lock:
            table[what] = table.get(what, 0) + 1

    def carry_out(self, doors, op, key, tag=None, body=None, proxy=None, rng=random):
        """Sends it, notes what became of it, and judges the answer."""
        method = {'put': 'PUT', 'delete': 'DELETE', 'get': 'GET'}[op.kind]
        level = f"{'r' if op.kind == 'get' else 'w'}={op.level}"
        default = op.level in ('two', 'latest')
        path = f'/values/{values.quoted(op.key)}?timeout={TIMEOUT_MS}' + ('' if default else f'&{level}')
        headers = {'Content-Type': tag} if tag else {}
        for attempt in range(READ_ATTEMPTS if op.kind == 'get' else 1):
            op.proxy = proxy or rng.choice(self.world.proxies)
            if attempt == 0:
                key.begin(op)
            began = now()
            answer = doors[op.proxy].call(method, path, body, headers)
            if answer[0] in (200, 204, 404) or self.stop.is_set():
                break
        if op.kind == 'get':
            op.calm = self.ledger.calm(began, now(), op.proxy) and now() - began < checks.LATEST_SECONDS_MAX
        self.conclude(op, key, answer)
        if default and not self.stop.is_set():
            self.judge_service(op, key, began)

    def conclude(self, op, key, answer):
        status, headers, data = answer
        op.status = status or headers
        self.count(self.statuses, (op.kind, op.status))
        if status is None:
            op.outcome = 'no' if headers == 'unsent' else 'unknown'
        elif status not in EXPECTED[op.kind]:
            key.finish(op)
            return self.violation(f'an answer {status} {data[:300]!r} to\n  {op.line()}', key, op)
        elif status in (200, 204) or (status == 404 and op.kind == 'get'):
            op.outcome = 'ok'
            if 'etag' in headers:
                op.version = parse_version(headers['etag'])
            if status == 200 and op.kind == 'get':
                op.got, wrong = values.identify(op.key, headers.get('content-type', ''), data)
                if wrong:
                    op.got = 'damaged'
                    key.finish(op)
                    return self.violation(f'{op.line()}\n  {wrong}', key, op)
        wrong = key.finish(op)
        self.count(self.outcomes, (op.kind, op.level, op.outcome))
        if op.outcome != 'ok':
            return None
        if op.kind != 'get' and op.level == 'two':
            self.written_at.append(op.t1)
        if op.kind == 'get' and not wrong:
            wrong = self.judge(op, key)
        if wrong:
            self.violation(wrong, key, op)
        return None

    def judge_service(self, op, key, began):
        """The default level is served while one machine at most is disturbed."""
        if not self.ledger.calm(began, now(), op.proxy, ways=('away', 'slow', 'full')):
            return
        if op.outcome == 'ok':
            self.count(self.checked, 'default requests served with one machine away at most')
        elif self.ledger.seen_by_itself(op):
            self.count(self.checked, 'default requests not served, excused by the log of the proxy')
        else:
            self.count(self.checked, 'default requests not served with one machine away at most')
            if self.always_served:
                self.violation(f'unavailable:\n  {op.line()}', key, op)

    def judge(self, op, key):
        if op.level == 'quorum':
            self.count(self.checked, 'quorum reads held to their floor')
        elif op.level in ('latest', 'all'):
            held = checks.held_to_default(op)
            self.count(self.checked, 'default reads held to their floor' if held else 'default reads in trouble')
        wrong = checks.judge_live(key, op)
        if wrong and op.level != 'quorum' and self.ledger.seen_by_itself(op):
            op.calm = False  # no fault of ours: the machine was too loaded, and the proxy says so in its log
            self.count(self.checked, 'default reads excused by the log of the proxy')
            return None
        return wrong


class Worker(threading.Thread):
    def __init__(self, load, name):
        super().__init__(daemon=True, name=name)
        self.load = load
        self.rng = random.Random(f'{load.seed}/{name}')
        self.written = 0
        network = load.world.network
        self.doors = {p: Door(network.address(p), network.port(p, 8080)) for p in load.world.proxies}

    def value(self, key, size):
        self.written += 1
        value_id = f'{self.name}.{self.written}'
        tag = values.content_type(key, value_id, size)
        return value_id, tag, values.body(tag, size)

    def run(self):
        try:
            self.work()
        except Exception as problem:
            self.load.violation(f'the run itself: {problem}\n{traceback.format_exc()}')
        for door in self.doors.values():
            door.close()


class Client(Worker):
    def __init__(self, load, number, every):
        super().__init__(load, f'c{number}')
        self.every = every

    def work(self):
        while not self.load.stop.wait(self.rng.random() * 2 * self.every):
            wanted, _ = pick(self.rng, KIND_WEIGHTS)
            key, old = self.load.keys.draw(self.rng, wanted)
            if not old and wanted == 'strict' and self.rng.random() < TOGETHER_SHARE:
                key = self.load.keys.meeting()
                self.load.stop.wait(BEAT_SECONDS - now() % BEAT_SECONDS)
            kind, level, _ = pick(self.rng, OPERATIONS[key.kind])
            if old:
                kind, level = 'get', 'quorum' if key.strict else self.rng.choice(['latest', 'quorum'])
            tag = body = value_id = None
            if kind == 'put':
                value_id, tag, body = self.value(key.key, values.draw_size(self.rng))
            op = Op(key.key, kind, level, self.name, value_id, len(body) if body is not None else 0)
            self.load.carry_out(self.doors, op, key, tag, body, rng=self.rng)
            if op.outcome == 'unknown' and level == 'quorum':
                self.look_what_became_of_it(key)

    def look_what_became_of_it(self, key):
        """Whatever the first of these reads says, the others have to stand by it."""
        for _ in range(READS_AFTER_UNKNOWN):
            if not self.load.stop.is_set():
                self.load.carry_out(self.doors, Op(key.key, 'get', 'quorum', self.name), key, rng=self.rng)


class Prober(Worker):
    """Writes small values to one proxy."""
    EVERY_SECONDS = 0.3
    OPS_PER_KEY = 200

    def __init__(self, load, proxy):
        super().__init__(load, f'at-{proxy}')
        self.proxy = proxy

    def work(self):
        key = None
        while not self.load.stop.wait(self.EVERY_SECONDS):
            if key is None or key.started >= self.OPS_PER_KEY:
                key = self.load.history.key(f'probe/{self.proxy}/{self.written}', 'plain')
            value_id, tag, body = self.value(key.key, 20)
            op = Op(key.key, 'put', 'two', self.name, value_id, 20)
            self.load.carry_out(self.doors, op, key, tag, body, proxy=self.proxy)
