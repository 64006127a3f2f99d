"""The faults: each has hold of one machine (or of the links between two) for a while, then lets go.

What is bounded, so that the promises that are checked are the ones that were made:
  - one node at a time is wiped, and the next only when the cluster has converged since;
  - of the replicas of any key a minority is away at a time; now and then more (a burst), but for a few seconds only.
A machine is under one fault at a time.
"""
import os
import pathlib

from history import now

SECONDS_MAX = 14.0
BURST_SECONDS_MAX = 5.0


class Fault:
    """begin() strikes; end() lets go, as often as it takes until it says true."""
    kind = '?'
    away = True  # the machine cannot be reached meanwhile

    def __init__(self, world, machine, rng):
        self.world, self.machine, self.rng = world, machine, rng
        self.machines = [machine]  # all that it has hold of

    def label(self):
        return f'{self.kind} {self.machine.name}'

    def begin(self):
        pass

    def end(self):
        return True


class Kill(Fault):
    kind = 'kill -9'

    def begin(self):
        self.machine.kill()

    def end(self):
        self.machine.start()
        return True


class Wipe(Kill):
    kind = 'kill -9 and wiped disk'

    def begin(self):
        self.machine.kill()
        self.machine.wipe()


class WipeBehind(Fault):
    """The hardest case for a node that has lost its memory: another one of the same bucket is down and misses writes;
    then this one is killed and wiped, and both come back at once, when together they may be a majority that has
    nothing; the others of the bucket, who know better, are stopped for a moment."""
    kind = 'wiped disk beside one that is behind'
    ALONE_SECONDS = 3.0

    def __init__(self, world, machine, rng):
        super().__init__(world, machine, rng)
        beside = [n for nodes in world.active.buckets.values() if machine.name in nodes for n in nodes]
        able = [world.machines[n] for n in beside if n != machine.name]
        able = [m for m in able if m.fault is None and m.state == 'up']
        self.behind = able[0] if able else None
        self.others = able[1:] if rng.random() < 0.7 else []
        self.machines += able[:1] + self.others
        self.alone_until = None

    def label(self):
        return f'{self.kind}: {self.machine.name}, {self.behind.name}'

    def begin(self):
        self.behind.kill()

    def end(self):
        if self.alone_until is None:
            for other in self.others:
                other.pause()
            self.machine.kill()
            self.machine.wipe()
            self.behind.start()
            self.machine.start()
            self.alone_until = now() + (self.ALONE_SECONDS if self.others else 0.0)
        if now() < self.alone_until:
            return False
        for other in self.others:
            other.resume()
        return True


class Restart(Fault):
    kind = 'clean restart'

    def begin(self):
        self.machine.begin_stop()

    def end(self):
        if self.machine.state == 'stopping':
            ended, wrong = self.machine.stopped()
            if wrong:
                raise AssertionError(wrong)
            if not ended:
                return False
        self.machine.start()
        return True


class Pause(Fault):
    kind = 'stop and continue'

    def begin(self):
        self.machine.pause()

    def end(self):
        self.machine.resume()
        return True


class Stutter(Fault):
    """Stopped and continued many times: so that it is not always the same replicas that answer first."""
    kind = 'stutter'
    away = False

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.next = 0.0

    def tick(self):
        if now() < self.next:
            return
        if self.machine.state == 'up':
            self.machine.pause()
        else:
            self.machine.resume()
        self.next = now() + self.rng.uniform(0.02, 0.15)

    def end(self):
        if self.machine.state == 'paused':
            self.machine.resume()
        return True


class Isolate(Fault):
    kind = 'machine cut off'

    def begin(self):
        self.world.network.isolate(self.machine.name)

    def end(self):
        self.world.network.mend(self.machine.name)
        return True


class Shape(Isolate):
    kind = 'delay and loss'

    def begin(self):
        self.world.network.shape(self.machine.name, self.rng.randrange(5, 120), self.rng.randrange(0, 15))


class Flap(Isolate):
    """A link that comes and goes several times a second."""
    kind = 'link up and down'

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.down, self.next = False, 0.0

    def tick(self):
        if now() < self.next:
            return
        self.down = not self.down
        self.next = now() + self.rng.uniform(0.1, 0.5)
        if self.down:
            self.world.network.isolate(self.machine.name)
        else:
            self.world.network.mend(self.machine.name)


class Cut(Fault):
    """Between two machines, one way or both."""
    kind = 'link cut'
    away = False

    def __init__(self, world, machine, rng):
        super().__init__(world, machine, rng)
        others = [m.name for m in world.machines.values() if m is not machine]
        self.other = rng.choice(others)
        self.ways = rng.choice([[(machine.name, self.other)], [(machine.name, self.other), (self.other, machine.name)]])
        self.silent = rng.random() < 0.6

    def label(self):
        manner = 'silently' if self.silent else 'refused'
        return f"{self.kind} {'; '.join(f'{a} to {b}' for a, b in self.ways)} ({manner})"

    def begin(self):
        for a, b in self.ways:
            self.world.network.block(a, b, self.silent)

    def end(self):
        for way in self.ways:
            self.world.network.mend(way)
        return True


class HalfBlind(Fault):
    """A proxy that reaches a few of the nodes only: its writes end up on some replicas, and nobody knows more."""
    kind = 'proxy cut off from most nodes'
    away = False

    def begin(self):
        nodes = [m.name for m in self.world.of('node')]
        self.ways = [(self.machine.name, n) for n in nodes if self.rng.random() < 0.6]
        silent = self.rng.random() < 0.7
        for a, b in self.ways:
            self.world.network.block(a, b, silent)

    def end(self):
        for way in self.ways:
            self.world.network.mend(way)
        return True


class FullDisk(Fault):
    kind = 'full disk'
    away = False

    def begin(self):
        place = self.world.small_disks[self.machine.name]
        self.ballast = pathlib.Path(place) / 'fill'
        left = self.rng.choice([0, 0, 300_000])
        with open(self.ballast, 'wb') as ballast:
            for step in (1 << 20, 1 << 16, 1 << 12):
                while True:
                    space = os.statvfs(place)
                    if space.f_bavail * space.f_frsize < left + step:
                        break
                    try:
                        os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, step)
                    except OSError:
                        break

    def end(self):
        self.ballast.unlink(missing_ok=True)
        return True


class Faults:
    """What can be done here, and how often: (class, roles, weight)."""

    def __init__(self, world, wanted=()):
        """wanted: parts of the kinds' names; all if empty"""
        self.table = [(Kill, 'node', 6), (Kill, 'proxy', 3), (Kill, 'coordinator', 3), (Restart, 'node', 3),
                      (Restart, 'proxy', 2), (Restart, 'coordinator', 1), (Pause, 'node', 4), (Pause, 'proxy', 2),
                      (Pause, 'coordinator', 1), (Wipe, 'node', 4), (WipeBehind, 'node', 5),
                      (Stutter, 'node', 8), (Stutter, 'proxy', 1)]
        if world.network.can_cut:
            self.table += [(Isolate, 'node', 3), (Isolate, 'proxy', 1), (Isolate, 'coordinator', 2), (Cut, 'node', 6),
                           (Cut, 'proxy', 2), (Cut, 'coordinator', 1), (HalfBlind, 'proxy', 4), (Flap, 'node', 2),
                           (Flap, 'proxy', 1)]
            if world.network.can_shape:
                self.table += [(Shape, 'node', 5), (Shape, 'proxy', 2)]
        if world.small_disks:
            self.table.append((FullDisk, 'node', 4))
        chosen = [row for row in self.table if not wanted or any(part in row[0].kind for part in wanted)]
        self.table = chosen or self.table

    def draw(self, world, rng, wipe_allowed, cuts_allowed):
        """A fault that may be, or None."""
        kind, role, _ = rng.choices(self.table, [weight for *_, weight in self.table])[0]
        machines = [m for m in world.of(role) if m.fault is None and m.state == 'up']
        if kind in (Wipe, WipeBehind):
            machines = [m for m in machines if wipe_allowed and m.name in world.nodes_in_use()]
        if kind is FullDisk:
            machines = [m for m in machines if m.name in world.small_disks]
        if not machines or (issubclass(kind, (Isolate, Cut, HalfBlind)) and not cuts_allowed):
            return None
        fault = kind(world, rng.choice(machines), rng)
        return None if kind is WipeBehind and not fault.behind else fault
