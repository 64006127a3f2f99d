"""What a run prints at its end: figures, and for a violation the history that shows it."""
import json

import checks
import values
from cluster import http_get
from history import now

VIOLATIONS_MAX = 5  # printed in full


class Summary:
    def __init__(self, seed):
        self.seed = seed
        self.load = self.injector = self.operator = self.ledger = None
        self.converged_after = self.keys = None
        self.ended_at = None

    def follow(self, load, injector, operator, ledger):
        self.load, self.injector, self.operator, self.ledger = load, injector, operator, ledger

    def evidence(self, world):
        """What the cluster says of itself at the time of a violation."""
        path = world.folder / 'statuses.json'
        path.write_text(json.dumps({p: s[1] for p, s in world.statuses.items()}, indent=1))
        for _, history, _ in self.load.violations[:VIOLATIONS_MAX]:
            if history:
                (world.folder / 'stat.txt').open('a').write(self.stat(world, history))
        histories = world.folder / 'histories.txt'
        histories.write_text('\n\n'.join(h.text() for h in self.load.history.all()))
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
        if self.load:
            self.show_load()
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


def show_violations(violations):
    for text, history, op in violations[:VIOLATIONS_MAX]:
        print(f'\nVIOLATION: {text}')
        if history:
            print(history.text(op))
    if len(violations) > VIOLATIONS_MAX:
        print(f'... and {len(violations) - VIOLATIONS_MAX} more')
