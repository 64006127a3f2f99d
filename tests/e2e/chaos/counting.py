"""Judges counters: everything that was told of one has to fit into one order of its increments.

An increment is answered (it tells the value that it made), refused (certainly not done), or unknown (done at some time
after it began, or never). A counter starts at nothing, which is 0, and is never deleted. Then a history is right if
and only if
  1. no two increments told the same value;
  2. whatever had been told when an operation began, an increment tells more, and a quorum read no less;
  3. each value that nobody told, below one that was told, can have been made by an unknown increment of its own, which
     had begun by then. Of one that was decided on a value read before (PUT, cas) it is known which value it can have
     made; an `incr` may have made any.
From these follows the sum: answered <= value <= answered + unknown. And a refusal has to be right as well:
  4. where it says "changed since", another increment can have changed it; where it says that there is no counter, none
     had been told of.

1, 2 and the second half of 4 are held to live, as each operation ends; the rest by judge(), when all is known.
"""
import bisect
import math
import threading

from history import listing, now


class Count:
    """One request: an increment, or a quorum read. base: the value that an increment was decided on, None where the
    server adds by itself; firm: a quorum had answered that base, or this very client made it."""
    __slots__ = ('kind', 'client', 'proxy', 'base', 'firm', 't0', 't1', 'outcome', 'told', 'status', 'floor')

    def __init__(self, kind, client, base=None, firm=False):
        self.kind, self.client, self.base, self.firm = kind, client, base, firm
        self.proxy = self.t0 = self.t1 = self.told = self.status = self.floor = None
        self.outcome = 'unknown'  # ok, unknown, changed (refused: it is not what it was), absent, no

    @property
    def read(self):
        return self.kind == 'read'

    def line(self):
        end = '   ...   ' if self.t1 is None else f'{self.t1:9.3f}'
        on = '' if self.base is None else f" on {self.base}{'' if self.firm else '?'}"
        told = '' if self.told is None else f' {self.told}'
        return (f'{self.t0:9.3f} {end} {self.client:>8} {self.proxy or "-":>3}  {self.kind}{on} -> '
                f'{self.outcome}{told} [{self.status}]')


class Counter:
    """All of its history is kept, some 300 bytes a request."""

    def __init__(self, key):
        self.key, self.lock = key, threading.Lock()
        self.ops = []
        self.made = {}      # value -> the increment that told it
        self.floor = None   # the operation that has told most
        self.possible = 0   # increments begun and not refused

    def begin(self, op):
        with self.lock:
            self.ops.append(op)
            self.possible += not op.read
            op.floor = self.floor
            op.t0 = now()

    def finish(self, op):
        """What is wrong with the answer, or None."""
        with self.lock:
            op.t1 = now()
            if op.outcome in ('changed', 'absent', 'no'):
                self.possible -= not op.read
            wrong = self._wrong(op)
            if op.outcome == 'ok':
                if not op.read:
                    self.made.setdefault(op.told, op)
                if self.floor is None or op.told > self.floor.told:
                    self.floor = op
        return f'{op.line()}\n  {wrong}' if wrong else None

    def _wrong(self, op):
        floor = op.floor.told if op.floor else 0
        if op.outcome == 'absent' and floor > 0:
            return f'says that there is no counter, though this had ended before it began:\n  {op.floor.line()}'
        if op.outcome != 'ok':
            return None
        if not op.read and op.told in self.made:
            return f'tells the value that this one had made:\n  {self.made[op.told].line()}'
        if op.told < floor or (op.told == floor and not op.read):
            return f'tells {op.told}, though this had ended before it began:\n  {op.floor.line()}'
        if op.told > self.possible:
            return f'tells {op.told}, though only {self.possible} increments can have been carried out'
        return None

    def figures(self):
        """(answered, unknown)"""
        done = [op.outcome for op in self.ops if not op.read]
        return done.count('ok'), done.count('unknown')

    def text(self, around=None):
        head = f'history of {self.key!r}: began, ended, client, proxy, operation -> outcome and value told'
        return listing(head, self.ops, around)


def judge(counter):
    """The whole history: [(what is wrong, operation)]."""
    return unexplained_values(counter) + unexplained_refusals(counter)


def earliest_from(pairs, top):
    """For each n up to top: the least time among the (value, time) with a value of n or more."""
    earliest = [math.inf] * (top + 2)
    for value, at in pairs:
        earliest[value] = min(earliest[value], at)
    for n in range(top, -1, -1):
        earliest[n] = min(earliest[n], earliest[n + 1])
    return earliest


def unexplained_values(counter):
    told = [op for op in counter.ops if op.outcome == 'ok']
    if not told:
        return []
    top = max(op.told for op in told)
    known_by = earliest_from([(op.told, op.t1) for op in told], top)
    unknown = [op for op in counter.ops if not op.read and op.outcome == 'unknown']
    of_one = {}  # value -> when the first began that can have made it, and nothing else
    for op in unknown:
        if op.base is not None:
            of_one[op.base + 1] = min(op.t0, of_one.get(op.base + 1, math.inf))
    of_any = sorted(op.t0 for op in unknown if op.base is None)
    needed = 0
    for value in range(1, top + 1):
        if value in counter.made or of_one.get(value, math.inf) < known_by[value]:
            continue
        needed += 1
        # The later the value, the more of them can have made it; so it is enough to count.
        able = bisect.bisect_left(of_any, known_by[value])
        if needed > able:
            at = next(op for op in told if op.told >= value and op.t1 == known_by[value])
            return [(f'{at.line()}\n  tells {at.told}, and nobody can have made {value} by then: {needed} values up to '
                     f'it need an unknown increment without a base, and {able} had begun', at)]
    return []


def unexplained_refusals(counter):
    changed = [op for op in counter.ops if op.outcome == 'changed' and op.firm]
    others = [op for op in counter.ops if not op.read and op.outcome in ('ok', 'unknown')]
    top = max((op.base for op in changed), default=0) + 1
    pairs = []  # (the most it can have made, when it began)
    for op in others:
        most = op.told if op.outcome == 'ok' else top if op.base is None else op.base + 1
        pairs.append((min(most, top), op.t0))
    begun = earliest_from(pairs, top)
    return [(f'{op.line()}\n  is refused because {op.base} had changed, and nobody else can have changed it', op)
            for op in changed if not begun[op.base + 1] < op.t1]
