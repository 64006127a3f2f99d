"""Is a key's history linearizable? Wing and Gong's search (1993), just in time as Lowe does it (2017).

The object is a register: a write sets it, a read answers what it holds (None: absent). Every operation has to take
effect at one instant between its beginning and its end. The search goes through the beginnings and ends in the order
of time and keeps the set of all states that are possible: (what the register holds, which of the operations under way
have taken effect). When one ends, the states in which it cannot have taken effect are dropped; none left: a violation.

Two shortcuts that lose nothing: a read takes effect as soon as the register holds what it answers (it changes
nothing); and a write with an unknown outcome whose value nobody read is left out (whatever history it is in, it can be
taken out of). One whose outcome is unknown never ends: it may take effect at any later time, or never.
"""
import math

STATES_MAX = 100_000


class Event:
    """One operation on the register. kind: 'w' or 'r'; end: math.inf if the outcome is unknown."""

    __slots__ = ('kind', 'value', 'begin', 'end', 'source')

    def __init__(self, kind, value, begin, end, source=None):
        self.kind, self.value, self.begin, self.end, self.source = kind, value, begin, end, source


def relevant(events):
    """Without the unknown writes that no read needs. A deletion's value is None, which many may have written."""
    read_until = {}
    for event in events:
        if event.kind == 'r':
            read_until[event.value] = max(read_until.get(event.value, -math.inf), event.end)
    return [e for e in events if e.end != math.inf or (e.kind == 'w' and read_until.get(e.value, -math.inf) > e.begin)]


def absorb(value, done, reads):
    """All reads under way that answer what the register holds have taken effect."""
    more = {r for r in reads if r.value == value}
    return (value, done | more) if more else (value, done)


def advance(states, event, pending):
    """The states after `event` has ended, each without it; None if there are too many."""
    reads = frozenset(p for p in pending if p.kind == 'r')
    writes = [p for p in pending if p.kind == 'w']
    after, seen = set(), set()
    stack = [absorb(value, done, reads) for value, done in states]
    while stack:
        state = stack.pop()
        if state in seen:
            continue
        seen.add(state)
        if len(seen) > STATES_MAX:
            return None
        value, done = state
        if event in done:
            after.add((value, done - {event}))
            continue
        stack += [absorb(w.value, done | {w}, reads) for w in writes if w not in done]
    return after


def check(events):
    """(True, None); (False, the event that cannot be placed); (None, the event at which it became too large)."""
    moments = []
    for event in relevant(events):
        moments.append((event.begin, 0, id(event), event))
        if event.end != math.inf:
            moments.append((event.end, 1, id(event), event))
    moments.sort()
    states = {(None, frozenset())}
    pending = set()
    for _, is_end, _, event in moments:
        if not is_end:
            pending.add(event)
            continue
        states = advance(states, event, pending)
        pending.discard(event)
        if states is None:
            return None, event
        if not states:
            return False, event
    return True, None
