"""The operator: moves the cluster to another deployment while it is under load and under fault.

As the manual tells a person to: `tako ctl deploy apply` with the new shape in a file, then `promote`, again and again
until it is granted: whether everything has arrived is for the cluster to know. Sometimes it is undone (`abort`).
What fails is repeated: the master may be away. Nodes that only the old shape names go on running, hand off what they
have, and may be named again later.
"""
import threading

from cluster import Deployment
from history import now

ARRIVAL_SECONDS_MAX = 45   # under fault; then a truce is asked for
TRUCE_SECONDS_MAX = 90
PUSH_SECONDS_MAX = 240
ABORT_SHARE = 0.25
# What is said of a step that was taken already.
ALREADY = {'apply': ['is moving to'], 'promote': ['nothing is moving'], 'abort': ['nothing is moving']}


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

    def done(self):
        """How many are over, one way or the other."""
        return self.counts.get('promoted', 0) + self.counts.get('undone', 0)

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
        choices = ['per_key'] + ['add', 'add', 'replace'] * bool(others) + ['move', 'remove'] * bool(movable)
        choice = self.rng.choice(choices)
        if choice == 'per_key' or (choice == 'remove' and len(named) <= 5):
            per_key = self.rng.choice([n for n in (1, 2, 3) if n != per_key and n <= len(buckets)])
        elif choice == 'add':
            self.rng.choice(list(buckets.values())).append(self.rng.choice(others))
        elif choice == 'replace':
            bucket = buckets[self.rng.choice(list(buckets))]
            bucket[self.rng.randrange(len(bucket))] = self.rng.choice(others)
        else:
            source = self.rng.choice(movable)
            node = self.rng.choice(buckets[source])
            buckets[source].remove(node)
            if choice == 'move':
                buckets[self.rng.choice([b for b in buckets if b != source])].append(node)
        return Deployment(f'd{self.deployments + 1}', buckets, per_key, self.rng.random() < 0.5)

    def deploy(self, what, *arguments):
        """Until it is done; what it said, or None at the end of the run."""
        deadline = now() + PUSH_SECONDS_MAX
        while not self.stop.is_set():
            done, said = self.world.deploy(*arguments)
            # Done already, by one whose answer was lost: it is what is in force that counts.
            if done or any(words in said for words in ALREADY[arguments[0]]):
                self.injector.log(f'{what}: {said}')
                return said
            if now() > deadline:
                raise AssertionError(f'{what}: not done within {PUSH_SECONDS_MAX} s: {said}')
            self.stop.wait(1.0)
        return None

    def move(self):
        target = self.world.target = self.draw()
        path = self.world.write_config(self.world.active, target)
        if self.deploy(f'target {target.name}: {target}', 'apply', path) is None:
            return
        self.world.announced.update(target.nodes())
        self.count('targets applied')
        abort = self.rng.random() < ABORT_SHARE
        if abort:
            self.stop.wait(self.rng.uniform(0.5, 10))
            if self.deploy(f'{target.name} undone', 'abort') is None:
                return
        elif not self.promote():
            return
        self.world.active, self.world.target = self.world.active if abort else target, None
        self.count('undone' if abort else 'promoted')

    def promote(self):
        """True: it was granted. False: the run ends."""
        name, began, said = self.world.target.name, now(), 0
        while not self.stop.wait(0.3):
            why = 'a disk is missing'  # and may be the one that is needed: the promise is about one machine at a time
            if self.injector.damaged is None:
                done, why = self.world.deploy('promote')
                if done or any(words in why for words in ALREADY['promote']):
                    self.injector.log(f'{name} was promoted after {now() - began:.1f} s: {why}')
                    self.injector.quiet = False
                    return True
                self.count('promotions refused')
            waited = now() - began
            if waited > ARRIVAL_SECONDS_MAX and not self.injector.quiet:
                self.injector.log('truce, so that the target can arrive')
                self.injector.quiet = True
            if waited > said + 15:
                said = waited
                self.injector.log(f'{name} has not arrived: {why}')
            if waited > ARRIVAL_SECONDS_MAX + TRUCE_SECONDS_MAX:
                raise AssertionError(f'{name} does not arrive without faults either: {why}')
        self.injector.quiet = False
        return False
