"""The operator: moves the cluster to another deployment while it is under load and under fault.

As the README tells a person to: the new shape as `target_deployment`, wait until every node has it, votes in all its
partitions, and has compared with all its peers since; then push it as the active one. Sometimes the first is undone
instead. A push that fails is repeated: the master may be away. The nodes that only the old shape names go on running,
hand off what they have, and may be named again later.
"""
import re
import threading

from cluster import Convergence, Deployment
from history import now

ARRIVAL_SECONDS_MAX = 45   # under fault; then a truce is asked for
TRUCE_SECONDS_MAX = 90
PUSH_SECONDS_MAX = 240
ABORT_SHARE = 0.25


class Reconfigurer(threading.Thread):
    def __init__(self, world, injector, load, rng, first, every):
        super().__init__(daemon=True, name='operator')
        self.world, self.injector, self.load, self.rng = world, injector, load, rng
        self.first, self.every = first, every
        self.stop = threading.Event()
        self.counts = {}
        self.deployments = 1

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def run(self):
        try:
            pause = self.first
            while not self.stop.wait(pause):
                self.move()
                pause = self.rng.uniform(0.5, 1.5) * self.every
        except Exception as problem:
            self.load.violation(f'reconfiguration: {problem}')

    def draw(self):
        """Another shape, in which every key has three replicas at least."""
        while True:
            deployment = self.draw_any()
            if deployment.replicas_min() >= 3:
                self.deployments += 1
                return deployment

    def draw_any(self):
        """A shape near the active one."""
        active = self.world.active
        buckets = {b: list(nodes) for b, nodes in active.buckets.items()}
        per_key = active.per_key
        named = set(active.nodes())
        others = [n for n in self.world.node_ports if n not in named]
        movable = [b for b, nodes in buckets.items() if len(nodes) > 1]
        choices = ['per_key'] + ['add'] * 2 * bool(others) + ['move', 'remove'] * bool(movable)
        choice = self.rng.choice(choices)
        if choice == 'per_key' or (choice == 'remove' and len(named) <= 5):
            per_key = self.rng.choice([n for n in (1, 2, 3) if n != per_key and n <= len(buckets)])
        elif choice == 'add':
            self.rng.choice(list(buckets.values())).append(self.rng.choice(others))
        else:
            source = self.rng.choice(movable)
            node = self.rng.choice(buckets[source])
            buckets[source].remove(node)
            if choice == 'move':
                buckets[self.rng.choice([b for b in buckets if b != source])].append(node)
        return Deployment(f'd{self.deployments + 1}', buckets, per_key, self.rng.random() < 0.5)

    def push(self, what, active, target):
        path = self.world.write_config(active, target)
        deadline = now() + PUSH_SECONDS_MAX
        while not self.stop.is_set():
            done, said = self.world.push(path)
            if done:
                self.injector.log(f'{what}: {said}')
                self.world.announced.update(active.nodes(), target.nodes() if target else ())
                return int(re.search(r'version (\d+)', said)[1])
            if now() > deadline:
                raise AssertionError(f'{what}: not pushed within {PUSH_SECONDS_MAX} s: {said}')
            self.stop.wait(1.0)
        return None

    def move(self):
        target = self.world.target = self.draw()
        version = self.push(f'target {target.name}: {target}', self.world.active, target)
        if version is None:
            return
        pushed = now()
        self.count('targets pushed')
        abort = self.rng.random() < ABORT_SHARE
        if abort:
            self.stop.wait(self.rng.uniform(0.5, 10))
        else:
            if not self.wait_for_arrival(pushed, version):
                return
        becomes = self.world.active if abort else target
        what = 'undone' if abort else 'promoted'
        if self.push(f'{target.name} {what}', becomes, None) is None:
            return
        self.world.active, self.world.target = becomes, None
        self.count(what)

    def wait_for_arrival(self, pushed, version):
        """True: everything is there, and no disk is missing. False: the run ends."""
        began, said, converging = now(), 0, None
        while not self.stop.wait(0.3):
            # What counts is what was compared after every node had the configuration.
            why = self.configured(pushed, version)
            if why:
                converging = None
            elif converging is None:
                converging = Convergence(self.world, version=version)
            if converging:
                why = converging.why_not()
                if not why and self.injector.damaged is None:
                    self.injector.log(f'{self.world.target.name} has arrived after {now() - began:.1f} s')
                    self.injector.quiet = False
                    return True
            waited = now() - began
            if waited > ARRIVAL_SECONDS_MAX and not self.injector.quiet:
                self.injector.log('truce, so that the target can arrive')
                self.injector.quiet = True
            if waited > said + 15:
                said = waited
                self.injector.log(f'{self.world.target.name} has not arrived: {why}')
            if waited > ARRIVAL_SECONDS_MAX + TRUCE_SECONDS_MAX:
                raise AssertionError(f'{self.world.target.name} does not arrive without faults either: {why}')
        self.injector.quiet = False
        return False

    def configured(self, since, version):
        status = self.world.latest_status(since)
        if not status:
            return 'no proxy tells'
        for node in status['nodes']:
            if node['state'] != 'up' or node['config_version'] < version:
                return f"{node['id']} is {node['state']} with configuration {node.get('config_version')}"
        listed = {n['id'] for n in status['nodes']}
        missing = set(self.world.nodes_in_use()) - listed
        return f'not known yet: {sorted(missing)}' if missing else ''
