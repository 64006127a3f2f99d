"""Draws faults, strikes, lets go, and follows each machine until it is back. Runs in the main thread.

Storms and lulls alternate: in a lull nothing new begins, so that the cluster can converge now and then, wiped disks
are followed by others, and the default read's promise is put to the test with at most one machine away. One storm in
two is without cut links, for the same reason.
"""
import time

from cluster import Convergence
from faults import BURST_SECONDS_MAX, SECONDS_MAX, Cut, Faults, Flap, FullDisk, HalfBlind, Stutter, Wipe, WipeBehind
from history import now

TICK_SECONDS = 0.05
MEMORY_EVERY_SECONDS = 1.0
GRACE_SECONDS = 4.0  # connections that failed are tried again within two seconds, and take one
FAULTS_AT_ONCE = 6
BURST_SHARE = 0.15
WIPES = (Wipe, WipeBehind)
DRAWS = 5  # until one may be


class Injector:
    def __init__(self, world, ledger, load, rng, pace, wanted):
        self.world, self.ledger, self.load, self.rng = world, ledger, load, rng
        self.pace = pace  # seconds between faults, in a storm
        self.faults = Faults(world, wanted)
        self.running = []   # [fault, when it ends, its entries in the ledger]
        self.returning = []  # [machine, when it was let go, its entry, seen up at]
        self.damaged = None  # the wiped node's name, and since it was started again: has it all its data?
        self.counts = {}
        self.next_fault = now() + 1.0
        self.storm, self.cuts, self.phase_ends = True, rng.random() < 0.5, now() + 12.0
        self.quiet = False   # asked for by the reconfiguration

    def log(self, text):
        print(f'  {now():7.1f}  {text}', flush=True)

    # --- striking --------------------------------------------------------------------------------------------

    def too_many_away(self, fault):
        """How many more than a minority of some key's replicas would be away."""
        if fault.machine.role != 'node' or isinstance(fault, Stutter):
            return 0
        away = {fault.machine.name} | ({self.damaged[0]} if self.damaged else set())
        for other, *_ in self.running:
            away |= {m.name for m in other.machines if not isinstance(other, (FullDisk, Cut, Stutter))}
        deployments = [d for d in (self.world.active, self.world.target) if d]
        return max(d.replicas_lost(away) for d in deployments)

    def strike(self):
        """True: something was struck."""
        fault = self.faults.draw(self.world, self.rng, self.damaged is None, self.cuts)
        if not fault:
            return False
        seconds = min(SECONDS_MAX, 0.3 + self.rng.expovariate(1 / 4.0))
        excess = self.too_many_away(fault)
        if excess > 0:
            if isinstance(fault, WIPES) or excess > 1 or self.rng.random() > BURST_SHARE:
                return False
            seconds = min(seconds, BURST_SECONDS_MAX)
        if fault.machine.role == 'proxy' and sum(f.machine.role == 'proxy' for f, *_ in self.running):
            if self.rng.random() < 0.5:
                return False
        entries = self.entries_of(fault)
        if isinstance(fault, WIPES):
            self.damaged = (fault.machine.name, None)
        for machine in fault.machines:
            machine.fault = fault
        what = f'{fault.kind} {fault.machine.role}'
        self.counts[what] = self.counts.get(what, 0) + 1
        self.log(f'{fault.label()} for {seconds:.1f} s' + (' (burst)' if excess > 0 else ''))
        fault.begin()
        self.running.append([fault, now() + seconds, entries])
        return True

    def entries_of(self, fault):
        """What the ledger says of it, by machine."""
        role = fault.machine.role
        kind = {'coordinator': 'coordinator', 'proxy': 'proxy', 'node': 'away'}[role]
        if isinstance(fault, FullDisk):
            kind = 'full'
        elif isinstance(fault, Stutter):
            kind = 'slow'
        elif isinstance(fault, (Cut, Flap, HalfBlind)):
            to_coordinator = isinstance(fault, Cut) and fault.other in self.world.coordinators
            kind = 'coordinator' if to_coordinator or role == 'coordinator' else 'link'  # no read goes through those
        return {m.name: self.ledger.open(kind, m.name) for m in fault.machines}

    # --- letting go ------------------------------------------------------------------------------------------

    def let_go(self, force=False):
        for running in list(self.running):
            fault, ends, entries = running
            if isinstance(fault, (Flap, Stutter)):
                fault.tick()
            if now() < ends and not force:
                continue
            if not fault.end():
                continue
            self.running.remove(running)
            for machine in fault.machines:
                machine.fault = None
                self.returning.append([machine, now(), entries[machine.name], None])
            if isinstance(fault, WIPES):
                self.damaged = (fault.machine.name, Convergence(self.world))

    def follow(self):
        """Closes the entries of machines that are back; a wiped one is back when all have converged."""
        for returning in list(self.returning):
            machine, since, entry, seen = returning
            if machine.fault:  # struck again meanwhile
                returning[3] = None
                returning[1] = now()
                continue
            if self.damaged and self.damaged[0] == machine.name:  # never with its fault still running
                if self.damaged[1].why_not():
                    continue
                took = now() - self.damaged[1].began
                self.log(f'{machine.name} has all its data again, {took:.1f} s after its start')
                self.damaged = None
            node = machine.name if entry[0] == 'away' else None
            if seen is None:
                if self.world.all_see_up(node, since):
                    returning[3] = now()
            elif now() - seen > GRACE_SECONDS:
                self.ledger.close(entry)
                self.returning.remove(returning)

    # --- the main loop ---------------------------------------------------------------------------------------

    def run(self, seconds, enough):
        """Until `enough()`, or for so long. RAISES AssertionError when a process dies, or does not stop."""
        ends, memory_at = now() + seconds, 0.0
        while now() < ends and not enough() and not self.load.stop.is_set():
            if now() > self.phase_ends:
                self.storm = not self.storm
                self.cuts = not self.cuts if self.storm else self.cuts
                self.phase_ends = now() + (self.rng.uniform(15, 30) if self.storm else self.rng.uniform(9, 14))
            if self.storm and not self.quiet and now() > self.next_fault:
                self.next_fault = now() + self.rng.expovariate(1 / self.pace)
                any(self.strike() for _ in range(DRAWS) if len(self.running) < FAULTS_AT_ONCE)
            self.let_go()
            self.follow()
            self.start_named()
            if now() > memory_at:
                memory_at = now() + MEMORY_EVERY_SECONDS
                wrong = self.world.sample()
                if wrong:
                    raise AssertionError(wrong)
            time.sleep(TICK_SECONDS)

    def start_named(self):
        """Nodes that a configuration names for the first time."""
        for name in list(self.world.announced):
            machine = self.world.machines[name]
            if machine.state == 'down' and machine.process is None:
                self.log(f'{name} is named for the first time and started')
                machine.start()

    def heal(self, seconds=120):
        """Lets go of everything."""
        deadline = now() + seconds
        while self.running and now() < deadline:
            self.let_go(force=True)
            time.sleep(TICK_SECONDS)
        self.world.network.heal()
        assert not self.running, f'not let go: {[f.label() for f, *_ in self.running]}'
