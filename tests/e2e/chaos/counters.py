"""The clients that count: 16 threads increment a few counters through all proxies, each in one of four ways.

  http   GET with r=quorum, and PUT with If-Match of its ETag (If-None-Match: * where there is nothing)
  incr   memcached's incr (add where there is nothing)
  cas    memcached's gets and cas
  meta   memcached's ma, and mg and ms with C

What was overtaken is tried again at once. One counter is hot: most increments are of it, and in all four ways. A
refusal (412, EXISTS, NOT_STORED) says that nothing was done; so does any error but "out of time", and that one too
where its text says so; all else is unknown. counting.py judges what was told.
"""
import random
import threading
import traceback

import counting
import values
from connections import HttpDoor, Line
from history import now
from load import TIMEOUT_MS
from settle import replicas_differ

CLIENTS = 16
HOT, OTHERS = 'counter/hot', ['counter/1', 'counter/2', 'counter/3']
HOT_SHARE = 0.6
TOGETHER_SHARE = 0.5  # of the paced ones wait for one clock's beat, and meet on the hot counter
BEAT_SECONDS = 1.0
KNOWN_SHARE = 0.5     # of increments on what this client made last, without reading it again
INCREMENT_SECONDS_MAX = 60.0  # then it is given up
PAUSE_SECONDS = 0.1    # where nobody can be reached
END_SECONDS_MAX = 60.0  # of a client, after the stop: three requests that nobody answers
LOOKS_AT_END = 5
# What SERVER_ERROR says when nothing was done: HTTP's 503 and 507, in words.
NOT_DONE = ('nothing was written', 'too few replicas can answer', 'have a newer configuration than this proxy',
            'has no configuration yet', 'out of memory')


def of_server_error(text):
    return 'no' if any(words in text for words in NOT_DONE) else 'unknown'


class Counters:
    """What the counting clients share. rate: increments a second of all together; None: as fast as they can."""

    def __init__(self, world, load, rate):
        self.world, self.load, self.stop, self.rate = world, load, load.stop, rate
        self.all = [counting.Counter(key) for key in [HOT, *OTHERS]]
        self.answers = {}  # (way, outcome) -> count
        self.took = {}     # way -> [(began, ended, tries)] of increments that were answered in the end
        self.given_up = 0
        self.lock = threading.Lock()
        self.began, self.ended = now(), None
        self.values = {}   # counter -> what it is at the end
        workers = list(WAYS.values())
        self.threads = [workers[i % len(workers)](self, i) for i in range(CLIENTS)]

    def start(self):
        self.began = now()
        for thread in self.threads:
            thread.start()

    def finish(self):
        """REQUIRES: load.stop is set"""
        deadline = now() + END_SECONDS_MAX
        for thread in self.threads:
            if thread.ident:
                thread.join(max(0.0, deadline - now()))
        if any(thread.is_alive() for thread in self.threads):
            self.load.violation('the run itself: a counting client does not end')
        self.ended = self.ended or now()

    def note(self, counter, op):
        """An operation has ended."""
        wrong = counter.finish(op)
        if wrong:
            self.load.violation(wrong, counter, op)

    def judge(self):
        """At the end, when the cluster has converged: what the counters are, through every proxy, and whether that and
        all that was told fit together."""
        reader = Http(self, 'end')
        for counter in self.all:
            if not counter.ops:
                continue
            wrong = replicas_differ(self.world, counter)
            if wrong:
                self.load.violation(f'{counter.key!r}: {wrong}', counter)
            for proxy in self.world.proxies:
                seen = [reader.look(counter, proxy), reader.look_by_memcached(counter, proxy)]
                if None in seen:
                    self.load.violation(f'{counter.key!r} cannot be read at the end through {proxy}', counter)
                else:
                    self.values[counter.key] = seen[0]
            for what, op in counting.judge(counter):
                self.load.violation(what, counter, op)
        reader.close()


class Worker(threading.Thread):
    way = '?'

    def __init__(self, counters, number):
        super().__init__(daemon=True, name=f'{self.way}{number}')
        self.counters, self.load = counters, counters.load
        self.rng = random.Random(f'{counters.load.seed}/{self.name}/counters')
        self.known = {}  # counter -> (value, what names its version), as this client made it
        world, net = counters.world, counters.world.network
        self.doors = {p: HttpDoor(net.address(p), net.port(p, 8080)) for p in world.proxies}
        self.lines = {p: Line(net.address(p), net.port(p, 11211)) for p in world.proxies}

    def run(self):
        try:
            self.work()
        except Exception as problem:
            self.load.violation(f'the run itself: {problem}\n{traceback.format_exc()}')
        self.close()

    def close(self):
        for kept in [*self.doors.values(), *self.lines.values()]:
            kept.close()

    def work(self):
        shared = self.counters
        every = CLIENTS / shared.rate if shared.rate else 0.0
        while not shared.stop.wait(self.rng.random() * 2 * every):
            hot = self.rng.random() < HOT_SHARE
            if every and self.rng.random() < TOGETHER_SHARE:
                hot = True
                shared.stop.wait(BEAT_SECONDS - now() % BEAT_SECONDS)
            self.increment(shared.all[0] if hot else self.rng.choice(shared.all[1:]))

    def increment(self, counter):
        """Until it is done, or unknown."""
        began, tries = now(), 0
        while not self.counters.stop.is_set():
            op = self.attempt(counter)
            tries += 1
            outcome = op.outcome if op else 'no'
            if outcome == 'ok':
                with self.counters.lock:
                    self.counters.took.setdefault(self.way, []).append((began, op.t1, tries))
                return
            self.known.pop(counter.key, None)
            if outcome == 'unknown':
                self.look(counter)  # what it says has to stand from then on
                return
            if now() - began > INCREMENT_SECONDS_MAX:
                with self.counters.lock:
                    self.counters.given_up += 1
                return
            if outcome == 'no':
                self.counters.stop.wait(PAUSE_SECONDS)

    def attempt(self, counter):
        """The increment that was tried; None: what to decide on cannot be read."""
        raise NotImplementedError

    def end(self, counter, op, outcome, told=None):
        op.outcome, op.told = outcome, told
        with self.counters.lock:
            what = (self.way, outcome)
            self.counters.answers[what] = self.counters.answers.get(what, 0) + (not op.read)
        self.counters.note(counter, op)
        return op

    def unexpected(self, counter, op, answer):
        self.load.violation(f'an answer {answer!r} to\n  {op.line()}', counter, op)

    def known_or(self, counter, read):
        """(value, what names its version, whether that is firm), or None. Value 0: there is nothing."""
        if counter.key in self.known and self.rng.random() < KNOWN_SHARE:
            return (*self.known[counter.key], True)
        return read(counter)

    # --- by HTTP ---------------------------------------------------------------------------------------------

    def http(self, op, method, counter, body=None, headers=None, proxy=None):
        op.proxy = proxy or self.rng.choice(self.counters.world.proxies)
        path = f'/values/{values.quoted(counter.key)}?timeout={TIMEOUT_MS}' + ('' if body else '&r=quorum')
        counter.begin(op)
        answer = self.doors[op.proxy].call(method, path, body, headers)
        op.status = answer[0] or answer[1]
        return answer

    def read_quorum(self, counter, proxy=None):
        """(value, ETag, firm), or None."""
        op = counting.Count('read', self.name)
        status, headers, data = self.http(op, 'GET', counter, proxy=proxy)
        if status not in (None, 200, 404, 503, 504):
            self.unexpected(counter, op, (status, data))
        if status not in (200, 404):
            self.end(counter, op, 'unknown')
            return None
        value = int(data) if status == 200 else 0
        self.end(counter, op, 'ok', value)
        return value, headers.get('etag'), True

    def look(self, counter, proxy=None):
        for _ in range(LOOKS_AT_END if proxy else 1):
            found = self.read_quorum(counter, proxy)
            if found:
                return found[0]
        return None

    # --- by memcached ----------------------------------------------------------------------------------------

    def fetch(self, counter, text):
        """(first line, value) of a read at the default level; None: not to be had."""
        first, data = self.lines[self.rng.choice(self.counters.world.proxies)].call(text)
        if data is None and first not in ('END', 'EN', None) and not first.startswith('SERVER_ERROR'):
            self.load.violation(f'an answer {first!r} to {text!r}', counter)
        if first in ('END', 'EN'):
            return first, 0
        return (first, int(data)) if first and data is not None else None

    def memcached(self, counter, op, text):
        """The first line of the answer, or ''; and its block. What it means for every command is noted."""
        op.proxy = self.rng.choice(self.counters.world.proxies)
        counter.begin(op)
        first, data = self.lines[op.proxy].call(text)
        op.status = first if first is not None else data
        if first is None:
            self.end(counter, op, 'no' if data == 'unsent' else 'unknown')
        elif first.startswith('SERVER_ERROR'):
            self.end(counter, op, of_server_error(first))
        elif first in ('NOT_FOUND', 'NF'):
            self.end(counter, op, 'absent')
        else:
            return first, data
        return '', None

    def change(self, counter, op, text, done, changed):
        """A change whose value is known beforehand: base and one."""
        first, _ = self.memcached(counter, op, text)
        words = first.split()
        if words[:1] == [done]:
            self.end(counter, op, 'ok', op.base + 1)
        elif words[:1] == [changed]:
            self.end(counter, op, 'changed')
        elif first:
            self.end(counter, op, 'unknown')
            self.unexpected(counter, op, first)
        return op

    def add(self, counter):
        op = counting.Count('add', self.name, 0, True)
        return self.change(counter, op, f'add {counter.key} 0 0 1\r\n1\r\n', 'STORED', 'NOT_STORED')

    def look_by_memcached(self, counter, proxy):
        """At the end, where it reads what a quorum would: all replicas are reached."""
        for _ in range(LOOKS_AT_END):
            op = counting.Count('read', self.name)
            op.proxy = proxy
            counter.begin(op)
            first, data = self.lines[proxy].call(f'get {counter.key}\r\n')
            op.status = first
            if data is not None or first == 'END':
                value = int(data or 0)
                self.end(counter, op, 'ok', value)
                return value
            self.end(counter, op, 'unknown')
        return None


class Http(Worker):
    way = 'http'

    def attempt(self, counter):
        found = self.known_or(counter, self.read_quorum)
        if not found:
            return None
        value, etag, firm = found
        op = counting.Count('put', self.name, value, firm)
        headers = {'If-Match': etag} if value else {'If-None-Match': '*'}
        status, said, data = self.http(op, 'PUT', counter, str(value + 1), headers)
        if status == 200:
            self.known[counter.key] = value + 1, said['etag']
            return self.end(counter, op, 'ok', value + 1)
        if status == 412:
            return self.end(counter, op, 'changed')
        if status in (503, 507) or said == 'unsent':
            return self.end(counter, op, 'no')
        if status == 504 and b'nothing was written' in data:
            return self.end(counter, op, 'no')
        self.end(counter, op, 'unknown')
        if status not in (None, 504):
            self.unexpected(counter, op, (status, data))
        return op


class Incr(Worker):
    way = 'incr'

    def attempt(self, counter):
        op = counting.Count('incr', self.name)
        first, _ = self.memcached(counter, op, f'incr {counter.key} 1\r\n')
        if first.isdigit():
            return self.end(counter, op, 'ok', int(first))
        if first:
            self.end(counter, op, 'unknown')
            self.unexpected(counter, op, first)
        return self.add(counter) if op.outcome == 'absent' else op


class Cas(Worker):
    way = 'cas'

    def attempt(self, counter):
        found = self.fetch(counter, f'gets {counter.key}\r\n')
        if not found:
            return None
        first, value = found
        if value == 0:
            return self.add(counter)
        text, unique = str(value + 1), first.split()[4]
        op = counting.Count('cas', self.name, value)
        return self.change(counter, op, f'cas {counter.key} 0 0 {len(text)} {unique}\r\n{text}\r\n', 'STORED', 'EXISTS')


class Meta(Worker):
    way = 'meta'

    def attempt(self, counter):
        return self.arithmetic(counter) if self.rng.random() < 0.5 else self.compare_and_set(counter)

    def arithmetic(self, counter):
        op = counting.Count('ma', self.name)
        first, data = self.memcached(counter, op, f'ma {counter.key} N0 J1 v\r\n')
        if first.startswith('VA'):
            return self.end(counter, op, 'ok', int(data))
        if first:
            self.end(counter, op, 'unknown')
            self.unexpected(counter, op, first)
        return op

    def read(self, counter):
        found = self.fetch(counter, f'mg {counter.key} c v\r\n')
        if not found:
            return None
        first, value = found
        return (value, first.split()[2][1:], False) if value else (0, None, True)

    def compare_and_set(self, counter):
        found = self.known_or(counter, self.read)
        if not found:
            return None
        value, unique, firm = found
        text = str(value + 1)
        op = counting.Count('ms', self.name, value, firm)
        flags = f'C{unique} c' if value else 'ME'
        self.change(counter, op, f'ms {counter.key} {len(text)} {flags}\r\n{text}\r\n', 'HD', 'EX' if value else 'NS')
        if op.outcome == 'ok' and value:
            self.known[counter.key] = value + 1, op.status.split()[1][1:]
        return op


WAYS = {worker.way: worker for worker in (Http, Incr, Cas, Meta)}
