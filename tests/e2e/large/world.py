"""Clusters as the run knows them: one process, or one for each role; their memory, their disks, their deaths."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import TEN, Layout, accepts, free_port, healthy, http_call, put, until  # noqa: E402

RESIDENT_MIB_MAX = 256       # of any process, at any time
READY_SECONDS_MAX = 60
WHOLE_SECONDS_MAX = 60       # until every node is reached again
LOOK_SECONDS = 0.5           # at how busy they are
QUIET_CORES = 0.1            # all of them together: what was written has been flushed and compacted
VALUES = ('.blob', '.sst')


def peak_mib(pid):
    """VmHWM: the most memory it ever had resident."""
    for line in pathlib.Path(f'/proc/{pid}/status').read_text().split('\n'):
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid):
    user, system = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def disk_bytes(folder, suffixes=None):
    """What files take on the disk: all of them, or those with these suffixes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if suffixes and not name.endswith(suffixes):
                continue
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # compacted meanwhile
    return total


class Cluster:
    """Ten nodes, each key on four of them; two proxies. `kind` says what it is for the table."""

    kind = ''

    def __init__(self, context, name):
        self.context, self.name = context, name
        self.data = context.folder / name
        self.data.mkdir()
        self.layout = Layout(TEN, coordinators=['c1'])
        self.config = context.write(f'{name}.yaml', self.layout.text())
        self.ports = [free_port(), free_port()]
        self.servers = {}
        self.peaks = {}  # the highest of each, over all its lives
        self.start()
        self.whole()

    @property
    def port(self):
        return self.ports[0]

    def whole(self):
        """Waits until every node is up and votes, for both proxies."""
        for port in self.ports:
            until(READY_SECONDS_MAX, 'the proxy', lambda: healthy(port))
            until(WHOLE_SECONDS_MAX, 'all nodes', lambda: self.all_up(port))

    @staticmethod
    def all_up(port):
        nodes = http_call(port, 'GET', '/status').json()['nodes']
        return all(n['state'] == 'up' and n['voting_partitions'] == n['owned_partitions'] for n in nodes)

    def replicas(self, key):
        stat = http_call(self.port, 'GET', f'/stat/{key}?format=json').json()
        return [r['node'] for r in stat['replicas']]

    def look(self):
        """Notes how much memory each has had."""
        for name, server in self.servers.items():
            if server.running():
                self.peaks[name] = max(self.peaks.get(name, 0), peak_mib(server.pid))

    def highest(self):
        self.look()
        name = max(self.peaks, key=self.peaks.get)
        return name, self.peaks[name]

    def memory(self, report, part, limit=RESIDENT_MIB_MAX):
        """The promise about memory, for all that ever ran."""
        name, mib = self.highest()
        self.tell_roles(report, part)
        return report.promise(part, f'no process above {limit} MiB resident', mib <= limit,
                              f'{name} had {mib:.0f} MiB')

    def tell_roles(self, report, part):
        roles = {}
        for name, mib in self.peaks.items():
            role = {'c': 'coordinator', 'n': 'node', 'p': 'proxy'}.get(name[0]) if name != 'cluster' else name
            roles[role] = max(roles.get(role, 0), mib)
        report.figure(part, 'highest VmHWM by role', ', '.join(f'{r} {m:.0f} MiB' for r, m in roles.items()))

    def value_bytes(self):
        """On the disks, in files of values and keys; logs apart."""
        return disk_bytes(self.data, VALUES)

    def log_bytes(self):
        return disk_bytes(self.data, ('.log',))

    def at_rest(self):
        """Looks for half a second whether they have work of their own left, as after many large writes."""
        pids = [s.pid for s in self.servers.values() if s.running()]
        before = sum(map(cpu_seconds, pids))
        time.sleep(LOOK_SECONDS)
        return (sum(map(cpu_seconds, pids)) - before) / LOOK_SECONDS <= QUIET_CORES

    def ended_by_themselves(self):
        return [f'{name} ended with {s.process.returncode}' for name, s in self.servers.items() if not s.running()]

    def restart(self):
        """All of it, cleanly."""
        self.look()
        self.stop()
        self.start()
        self.whole()

    def stop(self):
        for server in self.servers.values():
            if server.running():
                server.stop()

    def remove(self):
        self.stop()
        shutil.rmtree(self.data)


class OneProcess(Cluster):
    kind = 'tako cluster'

    def start(self):
        options = [a for p in self.ports for a in ('-p', p)]
        self.servers['cluster'] = self.context.start('cluster', 'cluster', self.config, '-d', self.data, *options)
        self.servers['cluster'].ready(*self.ports)


class Processes(Cluster):
    kind = 'processes over TCP'

    def start(self):
        for name in ['c1', *self.layout.nodes, 'p1', 'p2']:
            self.begin(name)
        for port in self.layout.port.values():
            until(READY_SECONDS_MAX, 'a node', lambda: accepts(port))
        for port in self.ports:
            until(READY_SECONDS_MAX, 'a proxy', lambda: healthy(port))
        until(WHOLE_SECONDS_MAX, 'a write to all', lambda: put(self.port, 'warm', b'up', '?w=all').status == 200)

    def begin(self, name):
        where = f"127.0.0.1:{self.layout.coordinators['c1']}"
        own = {'c': ['coordinator', '-f', self.config], 'n': ['node', '-c', where],
               'p': ['proxy', '-c', where]}[name[0]]
        if name[0] == 'p':
            own += ['-p', self.ports[int(name[1:]) - 1]]
        self.servers[name] = self.context.start(name, *own, '-i', name, '-d', self.data / name)

    def kill(self, name):
        self.look()
        self.servers[name].kill()

    def ready_again(self, name):
        if name[0] == 'p':
            port = self.ports[int(name[1:]) - 1]
            until(READY_SECONDS_MAX, f'{name} again', lambda: healthy(port))
        else:
            until(READY_SECONDS_MAX, f'{name} again', lambda: accepts(self.layout.port[name]))


# --- what is in the databases of stopped nodes; None without RocksDB's own tool ------------------------------------

def staged_rows(cluster):
    """Rows that say of an upload that it is staged."""
    if not shutil.which('ldb'):
        return None
    return sum(row.startswith(b'staged/') for n in cluster.layout.nodes for row in scan(cluster, n, 'default'))


def piece_keys(cluster):
    """How many pieces there are under each key, over all nodes."""
    if not shutil.which('ldb'):
        return None
    counts = {}
    for node in cluster.layout.nodes:
        for row in scan(cluster, node, 'chunks'):
            size = int.from_bytes(row[8:10])
            key = row[10:10 + size].decode(errors='replace')
            counts[key] = counts.get(key, 0) + 1
    return counts


def scan(cluster, node, family):
    done = subprocess.run(['ldb', f"--db={cluster.data / node / 'db'}", f'--column_family={family}', '--hex',
                           '--no_value', 'scan'], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    return [bytes.fromhex(line[2:].split()[0]) for line in done.stdout.split('\n') if line.startswith('0x')]


def settle(seconds, small_enough):
    """Waits until small_enough(); gives the seconds it took, or None."""
    began = time.monotonic()
    while not small_enough():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.5)
    return time.monotonic() - began
