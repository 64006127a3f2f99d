"""Who can reach whom: a network namespace for each process, on one bridge, or everybody on loopback.

Cuts, with iproute2 alone:
  - a whole machine: its link goes down on the bridge's side, so nobody notices but by silence
  - from A to B: in A's namespace B's address is given a hardware address that nobody has: packets leave and are lost.
    One way is enough to break TCP, but which side finds out, and how, differs
  - the same with a blackhole route: A is told at once that it cannot send
  - a bad link: `tc netem` (delay and loss) where the kernel has it; a link that goes up and down where it has not
"""
import pathlib
import shutil
import subprocess

from harness import free_port

SUBNET = '10.77.0.'
NOBODY = '02:00:00:00:00:fe'


class Loopback:
    """No cuts."""
    can_cut = can_shape = False

    def __init__(self):
        self.ports = {}

    def add(self, name):
        pass

    def address(self, name):
        return '127.0.0.1'

    def port(self, name, wanted):
        return self.ports.setdefault((name, wanted), None) or self._free(name, wanted)

    def _free(self, name, wanted):
        self.ports[name, wanted] = free_port()
        return self.ports[name, wanted]

    def command(self, name):
        return []

    def heal(self):
        pass


class Bridged:
    """A namespace each. REQUIRES: network and mount namespaces of our own, with the rights to change them."""
    can_cut = True

    def __init__(self):
        run('mount', '-t', 'tmpfs', 'tmpfs', '/run')
        pathlib.Path('/run/netns').mkdir()
        run('ip', 'link', 'set', 'lo', 'up')
        run('ip', 'link', 'add', 'br0', 'type', 'bridge')
        run('ip', 'addr', 'add', f'{SUBNET}1/24', 'dev', 'br0')
        run('ip', 'link', 'set', 'br0', 'up')
        self.hosts = {}
        self.cuts = {}  # what was cut -> the command that mends it
        self.can_shape = False

    def add(self, name):
        self.hosts[name] = f'{SUBNET}{10 + len(self.hosts)}'
        run('ip', 'netns', 'add', name)
        run('ip', 'link', 'add', f'v-{name}', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
        run('ip', 'link', 'set', f'v-{name}', 'master', 'br0', 'up')
        run('ip', '-n', name, 'link', 'set', 'lo', 'up')
        run('ip', '-n', name, 'addr', 'add', f'{self.hosts[name]}/24', 'dev', 'eth0')
        run('ip', '-n', name, 'link', 'set', 'eth0', 'up')
        if len(self.hosts) == 1:
            self.can_shape = bool(shutil.which('tc')) and self._shape(name, 'delay', '1ms')
            if self.can_shape:
                run('tc', 'qdisc', 'del', 'dev', f'v-{name}', 'root')

    def address(self, name):
        return self.hosts[name]

    def port(self, name, wanted):
        return wanted

    def command(self, name):
        return ['nsenter', f'--net=/run/netns/{name}']

    def isolate(self, name):
        run('ip', 'link', 'set', f'v-{name}', 'down')
        self.cuts[name] = ('ip', 'link', 'set', f'v-{name}', 'up')

    def block(self, source, target, silent):
        """Nothing gets from source to target; the other way it does."""
        address = self.hosts[target]
        if silent:
            run('ip', '-n', source, 'neigh', 'replace', address, 'lladdr', NOBODY, 'dev', 'eth0', 'nud', 'permanent')
            mend = ('ip', '-n', source, 'neigh', 'del', address, 'dev', 'eth0')
        else:
            run('ip', '-n', source, 'route', 'replace', 'blackhole', f'{address}/32')
            mend = ('ip', '-n', source, 'route', 'del', 'blackhole', f'{address}/32')
        self.cuts[source, target] = mend

    def shape(self, name, delay_ms, loss_percent):
        if self._shape(name, 'delay', f'{delay_ms}ms', f'{delay_ms // 2}ms', 'loss', f'{loss_percent}%'):
            self.cuts[name] = ('tc', 'qdisc', 'del', 'dev', f'v-{name}', 'root')

    def _shape(self, name, *what):
        return subprocess.run(['tc', 'qdisc', 'replace', 'dev', f'v-{name}', 'root', 'netem', *what],
                              capture_output=True).returncode == 0

    def mend(self, what):
        command = self.cuts.pop(what, None)
        if command:
            run(*command)

    def heal(self):
        for what in list(self.cuts):
            self.mend(what)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


def make(namespaces):
    """The best that is allowed, and in one line why it is no better."""
    if not namespaces:
        return Loopback(), 'loopback, no cut links: network namespaces are not allowed here (or not wanted)'
    try:
        network = Bridged()
        network.add('probe')
        return network, 'a network namespace for each process' + ('' if network.can_shape else ', without tc netem')
    except OSError as problem:
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], capture_output=True)
        return Loopback(), f'loopback, no cut links: {problem}'
