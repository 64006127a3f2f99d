"""What a run prints at its end: figures, and for a violation the history that shows it."""
import json

import checks
import values
from cluster import http_get
from counters import WAYS
from history import now

VIOLATIONS_MAX = 5  # printed in full


class Summary:
    def __init__(self, seed):
        self.seed = seed
        self.load = self.counters = self.injector = self.operator = self.ledger = None
        self.converged_after = self.keys = None
        self.ended_at = None

    def follow(self, load, counters, injector, operator, ledger):
        self.load, self.counters, self.injector, self.operator, self.ledger = load, counters, injector, operator, ledger

    def evidence(self, world):
        """What the cluster says of itself at the time of a violation."""
        path = world.folder / 'statuses.json'
        path.write_text(json.dumps({p: s[1] for p, s in world.statuses.items()}, indent=1))
        for _, history, _ in self.load.violations[:VIOLATIONS_MAX]:
            if history:
                (world.folder / 'stat.txt').open('a').write(self.stat(world, history))
        histories = world.folder / 'histories.txt'
        histories.write_text('\n\n'.join(h.text() for h in [*self.load.history.all(), *self.counters.all]))
        intervals = world.folder / 'faults.txt'
        intervals.write_text('\n'.join(map(str, self.ledger.intervals)))

    @staticmethod
    def stat(world, history):
        for proxy in world.proxies:
            try:
                answer = http_get(world.network.address(proxy), world.network.port(proxy, 8080),
                                  f'/stat/{values.quoted(history.key)}?format=json', 5)
                return f'{now():.3f} {proxy}: {answer}\n'
            except OSError:
                continue
        return 'no proxy answers\n'

    def longest_gap(self):
        at = sorted(self.load.written_at)
        return max((b - a for a, b in zip(at, at[1:])), default=0.0)

    def show(self, world):
        print()
        if self.load and self.load.outcomes:
            self.show_load()
        if self.counters:
            self.show_counters()
        if self.injector:
            print('faults: ' + ', '.join(f'{k}: {n}' for k, n in sorted(self.injector.counts.items())))
            print('reconfigurations: ' + (', '.join(f'{k}: {n}' for k, n in self.operator.counts.items()) or 'none'))
        if world.started_again:
            print(f'nodes started again, because a coordinator did not know them yet: {world.started_again}')
        if self.converged_after is not None:
            print(f'converged {self.converged_after:.1f} s after the last fault; keys looked up: {self.keys}')
        for role in ('coordinator', 'node', 'proxy'):
            largest = max(m.rss_max_mib for m in world.of(role))
            print(f'memory of the largest {role}: {largest:.0f} MiB')

    def show_load(self):
        table = {}
        for (kind, level, outcome), count in self.load.outcomes.items():
            table.setdefault((kind, level), {})[outcome] = count
        print(f'{"operation":<16}{"ok":>9}{"unknown":>9}{"refused":>9}')
        for (kind, level), row in sorted(table.items()):
            print(f"{kind + ' ' + level:<16}{row.get('ok', 0):>9}{row.get('unknown', 0):>9}{row.get('no', 0):>9}")
        for kind in ('put', 'delete', 'get'):
            statuses = {str(s): n for (k, s), n in self.load.statuses.items() if k == kind}
            print(f'answers to {kind}: ' + ', '.join(f'{s}: {n}' for s, n in sorted(statuses.items())))
        for what, count in sorted(self.load.checked.items()):
            print(f'{what}: {count}')
        for what, count in sorted(checks.counts.items()):
            print(f'strict keys, {what}: {count}')
        print(f'longest time without a default write succeeding on any proxy: {self.longest_gap():.1f} s')

    def show_counters(self):
        counters = self.counters
        seconds = counters.ended - counters.began
        calm = self.ledger.undisturbed(counters.began, counters.ended)
        print(f"{'counting by':<16}{'ok':>9}{'unknown':>9}{'overtaken':>10}{'failed':>9}  while nothing was disturbed:")
        for way in WAYS:
            ok, unknown, overtaken, absent, failed = (counters.answers.get((way, outcome), 0)
                                                      for outcome in ('ok', 'unknown', 'changed', 'absent', 'no'))
            took = counters.took.get(way, [])
            there = [t for t in took if within(calm, t[0], t[1])]
            longest = max((ended - began for began, ended, _ in there), default=0.0)
            most = max((tries for *_, tries in there), default=0)
            print(f'{way:<16}{ok:>9}{unknown:>9}{overtaken:>10}{absent + failed:>9}  longest increment {longest:.2f} '
                  f's, most tries {most}; longest time without one {longest_without([t[1] for t in took], calm):.2f} s')
        for counter in counters.all:
            ok, unknown = counter.figures()
            value = counters.values.get(counter.key, '?')
            print(f'{counter.key}: {value}, of {ok} answered and {unknown} unknown increments')
        unknown = [op for c in counters.all for op in c.ops if not op.read and op.outcome == 'unknown']
        lost = sum(op.status == 'lost' for op in unknown)
        quietly = sum(op.t1 is not None and within(calm, op.t0, op.t1) for op in unknown)
        print(f'unknown because the connection was lost: {lost}, because the answer said so: {len(unknown) - lost}; '
              f'while nothing was disturbed: {quietly}')
        done = [t[1] for took in counters.took.values() for t in took]
        still = sum(b - a for a, b in calm)
        there = sum(within(calm, at, at) for at in done)
        print(f'increments: {len(done) / max(seconds, 1e-9):.0f}/s, given up: {counters.given_up}; undisturbed: '
              f'{still:.0f} of {seconds:.0f} s, there {there / max(still, 1e-9):.0f}/s, and at longest '
              f'{longest_without(done, calm):.2f} s without any')


def within(spans, began, ended):
    return any(a <= began and ended <= b for a, b in spans)


def longest_without(moments, spans):
    """The longest time inside one of the spans in which none of the moments lies."""
    longest = 0.0
    for begin, end in spans:
        at = [begin, *sorted(m for m in moments if begin <= m <= end), end]
        longest = max(longest, max(b - a for a, b in zip(at, at[1:])))
    return longest


def show_violations(violations):
    for text, history, op in violations[:VIOLATIONS_MAX]:
        print(f'\nVIOLATION: {text}')
        if history:
            print(history.text(op))
    if len(violations) > VIOLATIONS_MAX:
        print(f'... and {len(violations) - VIOLATIONS_MAX} more')
