"""The cluster: its shape, its configuration, its machines, and what its proxies say about it.

A shape is {bucket: [node, ...]} and buckets_per_key. Some nodes of the run are in no deployment at first: they are
started when a configuration names them.
"""
import http.client
import itertools
import json
import subprocess
import threading
import time

from history import now
from processes import Machine
from sandbox import mount_small_disk

SMALL_DISK_MIB = 192
REPAIR_INTERVAL_SECONDS = 3
STATUS_EVERY_SECONDS = 1.0
START_SECONDS_MAX = 180
CTL_SECONDS_MAX = 30
UNKNOWN_NODE = 'is in no live deployment of the configuration'


# The sizes of the buckets, and buckets_per_key: 3 to 5 replicas a key.
SHAPES = [([2, 2, 2, 1], 2), ([2, 2, 2], 2), ([3, 2, 2], 2), ([2, 2, 2, 2], 2), ([3, 3], 1), ([3, 4], 1)]
SHAPES_SMALL = [([2, 2, 2], 2), ([3, 3], 1), ([3, 3], 1)]


class Deployment:
    def __init__(self, name, buckets, per_key, read_repair):
        self.name, self.buckets, self.per_key, self.read_repair = name, buckets, per_key, read_repair

    def nodes(self):
        return [n for nodes in self.buckets.values() for n in nodes]

    def replicas_min(self):
        return sum(sorted(map(len, self.buckets.values()))[:self.per_key])

    def replicas_lost(self, down):
        """Over all sets of buckets a key may have: the most that exceed the minority that may be away."""
        worst = -10
        for chosen in itertools.combinations(self.buckets.values(), min(self.per_key, len(self.buckets))):
            members = [n for nodes in chosen for n in nodes]
            worst = max(worst, sum(n in down for n in members) - (len(members) - 1) // 2)
        return worst

    def lines(self, address):
        out = [f'  {self.name}:', f'    background_repair_interval: {REPAIR_INTERVAL_SECONDS}s',
               f"    read_repair: {'yes' if self.read_repair else 'no'}", '    hash:',
               f'      buckets_per_key: {self.per_key}', '    buckets:']
        for bucket, nodes in self.buckets.items():
            out.append(f'      {bucket}:')
            out += [f'        {n}: [{host}, {port}]' for n in nodes for host, port in [address(n)]]
        return out

    def __str__(self):
        return ' '.join(f"{b}({' '.join(n)})" for b, n in self.buckets.items()) + f' per_key={self.per_key}' + (
            '' if self.read_repair else ' without read repair')


def draw_shape(rng, small):
    """A first deployment and the spare nodes."""
    sizes, per_key = rng.choice(SHAPES_SMALL if small else SHAPES)
    nodes = [f'n{i + 1}' for i in range(sum(sizes))]
    take = iter(nodes)
    buckets = {f'b{i + 1}': [next(take) for _ in range(size)] for i, size in enumerate(sizes)}
    return Deployment('d1', buckets, per_key, rng.random() < 0.5), [] if small else [f'n{len(nodes) + 1}']


class Convergence:
    """Have the nodes agreed on everything that was there at `since`? A comparison is dated by its end and may have
    begun before; so each pair has to have ended two since, of which the second began after the first."""

    def __init__(self, world, since=None, version=0):
        self.world, self.since, self.version = world, now() if since is None else since, version
        self.began = now()
        self.first = None

    def why_not(self):
        if self.first is None:
            why = self.world.not_agreed(self.since, self.version)
            if why:
                return why
            self.first = now()
        return self.world.not_agreed(self.first, self.version)


class World:
    def __init__(self, binary, folder, network, rng, small, may_mount, proxies):
        self.binary, self.folder, self.network = binary, folder, network
        self.logs = folder / 'logs'
        self.logs.mkdir()
        self.active, self.spares = draw_shape(rng, small)
        self.target = None
        self.coordinators = {c: network.port(c, 4700) for c in ('c1', 'c2')}
        self.machines = {}
        self.small_disks, self.may_mount = {}, may_mount
        self.stop = threading.Event()
        self.announced = set(self.active.nodes())  # nodes that a configuration in force has named
        self.started_again = 0
        self.statuses = {}  # proxy -> (when it was asked, its answer)
        nodes = self.active.nodes() + self.spares
        self.proxies = [f'p{i + 1}' for i in range(proxies)]
        for name in [*self.coordinators, *nodes, *self.proxies]:
            network.add(name)
        self.node_ports = {n: network.port(n, 4711) for n in nodes}
        self.first_config = self.write_config(self.active)
        for name in self.coordinators:
            self.add(name, 'coordinator', '-f', self.first_config)
        seeds = [a for c, port in self.coordinators.items() for a in ('-c', f'{network.address(c)}:{port}')]
        for name in nodes:
            self.add(name, 'node', *seeds)
        for name in self.proxies:
            self.add(name, 'proxy', *seeds, '-p', network.port(name, 8080), '--memcached', network.port(name, 11211),
                     '--listen', network.address(name))

    def add(self, name, role, *arguments):
        folder = self.folder / name
        data = folder / 'data'
        if name in ('n1', 'n4') and self.may_mount and mount_small_disk(folder, SMALL_DISK_MIB):
            self.small_disks[name] = folder
        command = [*self.network.command(name), self.binary, role, '-i', name, '-d', str(data), *map(str, arguments)]
        folder.mkdir(exist_ok=True)
        self.machines[name] = Machine(name, role, data, self.logs, command)

    def of(self, role):
        return [m for m in self.machines.values() if m.role == role]

    def nodes_in_use(self):
        deployments = [d for d in (self.active, self.target) if d]
        return sorted({n for d in deployments for n in d.nodes()})

    # --- configuration ---------------------------------------------------------------------------------------

    def write_config(self, active, target=None):
        lines = [f'active_deployment: {active.name}']
        if target:
            lines.append(f'target_deployment: {target.name}')
        lines += ['master_coordinator: c1', 'coordinators:']
        lines += [f'  {c}: [{self.network.address(c)}, {port}]' for c, port in self.coordinators.items()]
        lines.append('deployments:')
        for deployment in (active, target):
            if deployment:
                lines += deployment.lines(lambda n: (self.network.address(n), self.node_ports[n]))
        path = self.folder / f'config-{time.monotonic_ns()}.yaml'
        path.write_text('\n'.join(lines) + '\n')
        return path

    def deploy(self, *arguments):
        """`tako ctl deploy ...` to the master; (done, what it said)."""
        at = f"{self.network.address('c1')}:{self.coordinators['c1']}"
        try:
            done = subprocess.run([self.binary, 'ctl', 'deploy', *map(str, arguments), '-c', at], capture_output=True,
                                  text=True, timeout=CTL_SECONDS_MAX, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return False, 'timed out'
        return done.returncode == 0, (done.stdout + done.stderr).strip()

    # --- its life --------------------------------------------------------------------------------------------

    def start(self):
        for machine in self.machines.values():
            if machine.name not in self.spares:
                machine.start()
        for name in self.proxies:
            threading.Thread(target=self._watch, args=(name,), daemon=True).start()

    def _watch(self, proxy):
        """Asks a proxy for /status again and again."""
        host, port = self.network.address(proxy), self.network.port(proxy, 8080)
        while not self.stop.wait(STATUS_EVERY_SECONDS):
            if self.machines[proxy].state != 'up':
                continue
            asked = now()
            try:
                answer = http_get(host, port, '/status', 10)
            except OSError:
                continue
            if answer:
                self.statuses[proxy] = (asked, answer)

    def latest_status(self, since):
        """The newest answer to a question put after `since`, or None."""
        newer = [s for s in list(self.statuses.values()) if s[0] > since]
        return max(newer, key=lambda s: s[0])[1] if newer else None

    def all_see_up(self, node, since):
        """Every proxy that runs has been asked since, and reaches the node (None: all of them)."""
        for proxy in self.proxies:
            if self.machines[proxy].state != 'up':
                continue
            asked, status = self.statuses.get(proxy, (-1, None))
            if asked <= since:
                return False
            up = {n['id'] for n in status['nodes'] if n['state'] == 'up'}
            wanted = {n['id'] for n in status['nodes']} if node is None else {node}
            listed = {n['id'] for n in status['nodes']}
            if wanted & listed - up:
                return False
        return True

    def not_agreed(self, since, version=0):
        """Why not every node votes everywhere and has ended a comparison with each of its peers since; '' if so."""
        status = self.latest_status(since)
        if not status:
            return 'no proxy tells'
        asked = max(s[0] for s in self.statuses.values() if s[1] is status)
        missing = set(self.nodes_in_use()) - {n['id'] for n in status['nodes']}
        if missing:
            return f'not in the configuration yet: {sorted(missing)}'
        for node in sorted(status['nodes'], key=lambda n: n['state']):  # those that are down first
            who = node['id']
            if node['state'] != 'up':
                return f"{who} is down: {node.get('problem', '')}"
            if node['config_version'] < version:
                return f"{who} has configuration {node['config_version']}"
            if node['voting_partitions'] != node['owned_partitions']:
                return f"{who} votes in {node['voting_partitions']} of {node['owned_partitions']}"
            agreed = node['repair']['seconds_since_agreement']
            if agreed is None or asked - agreed - 1 < since:
                return f'{who} compared with all its peers {agreed} s ago'
        return ''

    def sample(self):
        """What went wrong with the processes by itself."""
        for machine in self.machines.values():
            machine.sample_memory()
            wrong = machine.died()
            if wrong and UNKNOWN_NODE in machine.tail(400):
                # The coordinator that answered did not have the newest configuration. A service manager would do this.
                self.started_again += 1
                machine.start()
            elif wrong:
                return wrong
        return None

    def rescue_small_disks(self):
        """Copies what would vanish with the mounts to where the logs are."""
        for name, place in self.small_disks.items():
            subprocess.run(['cp', '-r', str(place / 'data'), str(self.folder / f'{name}-data')], capture_output=True)

    def end(self):
        self.stop.set()
        for machine in self.machines.values():
            machine.end()


def http_get(host, port, path, seconds):
    """The JSON of a 200, else None."""
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        connection.request('GET', path)
        response = connection.getresponse()
        data = response.read()
        return json.loads(data) if response.status in (200, 404) and data[:1] == b'{' else None
    except (http.client.HTTPException, ValueError) as problem:
        raise OSError(str(problem)) from None
    finally:
        connection.close()


def wait_for(world, seconds, what, condition):
    """Until condition() is '' (else it says why not); prints progress."""
    began = told = now()
    while True:
        wrong = world.sample()
        if wrong:
            raise AssertionError(wrong)
        why = condition()
        if not why:
            return now() - began
        if now() - told > 5:
            told = now()
            print(f'  {now():7.1f}  {what}: {why}', flush=True)
        if now() - began > seconds:
            raise AssertionError(f'not within {seconds} s: {what}: {why}')
        time.sleep(0.2)

