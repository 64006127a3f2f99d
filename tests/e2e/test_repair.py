"""`tako ctl repair`: what it says of a cluster that agrees, of one that does not, and of nodes that are away."""
import json

from harness import FOUR, Layout, expect, free_port, get, put, until


class Repair:
    def setup(self):
        self.layout = Layout(FOUR)
        self.config = self.t.write('cluster.yaml', self.layout.text())
        self.nodes = {}
        for node in self.layout.nodes:
            self.start(node)
        for node, server in self.nodes.items():
            server.ready(self.layout.port[node], http=False)
        self.port = free_port()
        proxy = self.t.start('p0', 'proxy', '-i', 'p0', '-f', self.config, '-p', self.port, '-d', self.t.folder / 'p0')
        proxy.ready(self.port)
        until(20, 'all replicas', lambda: put(self.port, 'warm', b'up', '?w=all').status == 200)
        for i in range(200):
            expect(put(self.port, f'k{i}', b'x' * i, '?w=all'), 200)

    def start(self, node):
        self.nodes[node] = self.t.start(node, 'node', '-i', node, '-f', self.config, '-d', self.t.folder / node)

    def repair(self, *arguments):
        return self.t.run('ctl', 'repair', *arguments, '-f', self.config, seconds=120)

    def test_a_dry_run_counts_and_copies_nothing(self):
        code, out, err = self.repair('--dry-run', '--json')
        assert code == 0, (out, err)
        nodes = json.loads(out)['nodes']
        assert [n['id'] for n in nodes] == ['n1', 'n2', 'n3', 'n4'] and all(n['done'] for n in nodes), nodes
        assert sum(n['keys_compared'] for n in nodes) >= 200, nodes
        assert all(n['keys_differing'] == n['keys_pulled'] == n['keys_pushed'] == 0 for n in nodes), nodes

    def test_a_cycle_ends_and_says_so_for_people(self):
        code, out, err = self.repair()
        assert code == 0, (out, err)
        assert out.count('done') == 4 and 'DIFFERED' in out, out

    def test_one_node_alone(self):
        code, out, err = self.repair('--node', 'n2', '--json')
        assert code == 0 and len(json.loads(out)['nodes']) == 1, (out, err)
        code, out, err = self.repair('--node', 'n9')
        assert code == 2 and 'no node n9' in err, (out, err)

    def test_a_node_that_is_away_is_named(self):
        self.nodes['n4'].kill()
        code, out, err = self.repair('--json')
        assert code == 1, (out, err)
        nodes = {n['id']: n for n in json.loads(out)['nodes']}
        assert nodes['n4']['problem'], nodes
        self.start('n4')
        until(60, 'a cycle with all', lambda: self.repair()[0] == 0)
        expect(get(self.port, 'k7'), 200, b'x' * 7)
