"""What was wrong when: the intervals in which a machine was away, a link cut, or a proxy out of touch.

An interval begins before the fault does, and ends when every proxy has been seen to reach the machine again and some
time has passed (connections are tried again every two seconds at worst, from each of a proxy's threads).
"""
import calendar
import re
import threading
import time

from history import START, now

SPURIOUS_SECONDS = 10  # how far back the proxy's own log can excuse a read


class Ledger:
    def __init__(self, world):
        self.world, self.lock = world, threading.Lock()
        self.intervals = []  # [kind, who, began, ended or None]; kind: away (a node), link, proxy

    def open(self, kind, who):
        entry = [kind, who, now(), None]
        with self.lock:
            self.intervals.append(entry)
        return entry

    def close(self, entry):
        entry[3] = now()

    def calm(self, began, ended, proxy, ways=('away',)):
        """No link was disturbed between, nor this proxy, and in these ways one node at most."""
        struck = self.between(began, ended)
        if any(kind == 'link' or (kind == 'proxy' and who == proxy) for kind, who in struck):
            return False
        return len({who for kind, who in struck if kind in ways}) <= 1

    def between(self, began, ended):
        with self.lock:
            return [(kind, who) for kind, who, since, until in self.intervals
                    if since <= ended and (until is None or until >= began)]

    def away_between(self, began, ended):
        return {who for kind, who in self.between(began, ended) if kind == 'away'}

    def undisturbed(self, began, ended):
        """The spans of time in which nothing that reads and writes go through was under a fault."""
        with self.lock:
            busy = sorted((since, until or ended) for kind, _, since, until in self.intervals if kind != 'coordinator')
        spans, at = [], began
        for since, until in busy:
            if at < min(since, ended):
                spans.append((at, min(since, ended)))
            at = max(at, until)
        return spans + [(at, ended)] * (at < ended)

    def seen_by_itself(self, op):
        """The proxy's log names nodes it lost lately, more than one together with those the run disturbed."""
        lost = self.away_between(op.t0, op.t1)
        for line in self.world.machines[op.proxy].log_path.read_text(errors='replace').split('\n'):
            found = re.match(r'(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d+)([+-]\d\d):?(\d\d) .*peer_down peer=(\S+)', line)
            if not found or found[5] not in self.world.node_ports:
                continue
            offset = int(found[3]) * 3600 + int(found[3][0] + found[4]) * 60
            wall = calendar.timegm(time.strptime(found[1], '%Y-%m-%dT%H:%M:%S')) - offset
            at = wall - time.time() + time.monotonic() - START
            if op.t0 - SPURIOUS_SECONDS < at < op.t1 + 1:
                lost.add(found[5])
        return len(lost) > 1
