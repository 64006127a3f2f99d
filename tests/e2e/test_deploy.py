"""Reconfigurations with `tako ctl deploy`, node and bucket, under load: nothing lost, nothing unavailable."""
import json
import re
import threading
import time

from harness import FOUR, Layout, expect, free_port, get, put, until


class _Load(threading.Thread):
    """Writes and reads back at the default level, all the time, through both proxies."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports, self.over, self.wrong, self.written = ports, threading.Event(), [], {}

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            key, value = f'load/{number % 300}', str(number).encode()
            try:
                answer = put(self.ports[number % 2], key, value, seconds=60)
                if answer.status != 200:
                    self.wrong.append(f'put {key}: {answer!r}')
                    continue
                self.written[key] = value
                answer = get(self.ports[(number + 1) % 2], key, seconds=60)
                if answer.status != 200 or answer.body != value:
                    self.wrong.append(f'get {key}: {answer!r}, not {value!r}')
            except Exception as problem:
                self.wrong.append(f'{key}: {problem!r}')
            self.over.wait(0.005)

    def end(self):
        until(60, 'a load worth the name', lambda: len(self.written) > 50 or self.wrong)
        self.over.set()
        self.join(70)
        assert not self.wrong, (len(self.wrong), self.wrong[:5])
        for key, value in self.written.items():
            for port in self.ports:
                expect(get(port, key), 200, value)


class Deploy:
    def setup(self):
        self.layout = Layout(FOUR, coordinators=['c1'], extra='background_repair_interval: 5s')
        self.config = self.t.write('cluster.yaml', self.layout.text())
        port = self.layout.coordinators['c1']
        self.where = f'127.0.0.1:{port}'
        coordinator = self.t.start('c1', 'coordinator', '-i', 'c1', '-f', self.config, '-d', self.t.folder / 'c1')
        coordinator.ready(port, http=False)
        self.nodes = {}
        for node in self.layout.nodes:
            self.start_node(node)
        for node, server in self.nodes.items():
            server.ready(self.layout.port[node], http=False)
        self.ports = [free_port(), free_port()]
        for i, port in enumerate(self.ports):
            self.t.start(f'p{i}', 'proxy', '-i', f'p{i}', '-c', self.where, '-p', port, '-d', self.t.folder / f'p{i}')
        for port, proxy in zip(self.ports, self.t.servers[-2:]):
            proxy.ready(port)
            until(20, 'all replicas', lambda: put(port, 'warm', b'up', '?w=all').status == 200)
        self.keys = {f'k{i}': f'value {i}'.encode() for i in range(200)}
        for key, value in self.keys.items():
            expect(put(self.ports[0], key, value, '?w=all'), 200)

    def start_node(self, node):
        self.nodes[node] = self.t.start(node, 'node', '-i', node, '-c', self.where, '-d', self.t.folder / node)

    def ctl(self, *arguments, code=0, seconds=120):
        got, out, err = self.t.run('ctl', *arguments, '-c', self.where, seconds=seconds)
        assert got == code, (arguments, got, out, err)
        return out + err

    def new_node(self, node):
        self.layout.port[node] = free_port()
        return f'{node}=127.0.0.1:{self.layout.port[node]}'

    def status(self, code):
        return json.loads(self.ctl('deploy', 'status', '--json', code=code))

    def all_there(self):
        for key, value in self.keys.items():
            expect(get(self.ports[1], key), 200, value)
            expect(get(self.ports[0], key, '?r=quorum'), 200, value)

    def test_nothing_is_moving_at_first(self):
        assert self.status(0)['phase'] == 'settled'
        assert 'nothing is moving' in self.ctl('deploy', 'promote', code=1)
        assert 'nothing is moving' in self.ctl('deploy', 'abort', code=1)

    def test_a_plan_says_what_would_move(self):
        plan = json.loads(self.ctl('deploy', 'plan', self.grown('plan.yaml'), '--json'))
        assert plan['active'] == 'd' and plan['target'] == 'd-2', plan
        assert {n['id']: n['gains'] for n in plan['nodes']}['n5'] > 0, plan
        assert plan['partitions_moving'] > 0 and '3 replicas at least' in plan['dangers'][0], plan
        assert self.status(0)['phase'] == 'settled'

    def grown(self, name):
        self.layout.port.setdefault('n5', free_port())
        grown = Layout(FOUR + [['n5']], coordinators=['c1'])
        grown.port, grown.coordinators = self.layout.port, self.layout.coordinators
        return self.t.write(name, grown.text())

    def test_growing_is_refused_its_promotion_until_all_has_arrived(self):
        load = _Load(self.ports)
        load.start()
        self.ctl('deploy', 'apply', self.grown('grown.yaml'))
        assert 'is moving to' in self.ctl('deploy', 'apply', self.grown('grown.yaml'), code=1)
        refused = self.ctl('deploy', 'promote', code=1)  # n5 does not even run
        assert 'd-2 is not promoted' in refused and refused.count('\n') == 1, refused
        assert self.status(1)['phase'] == 'moving'
        text = self.t.run('ctl', 'config', 'show', '-c', self.where)[1]
        by_hand = re.sub('target_deployment: .*\n', '', re.sub('active_deployment: .*', 'active_deployment: d-2', text))
        path = self.t.write('by_hand.yaml', by_hand)
        assert 'not promoted' in self.ctl('config', 'push', path, code=1)
        self.start_node('n5')
        self.ctl('deploy', 'promote', '--wait')
        assert self.status(0)['active'] == 'd-2'
        load.end()
        self.all_there()

    def test_a_jump_is_refused(self):
        small = Layout([['n1']], coordinators=['c1'])
        small.port, small.coordinators = self.layout.port, self.layout.coordinators
        path = self.t.write('jump.yaml', small.text())
        assert 'in one step' in self.ctl('config', 'push', path, code=1)
        assert self.status(0)['active'] == 'd-2'

    def test_a_node_is_replaced(self):
        load = _Load(self.ports)
        load.start()
        self.nodes['n2'].kill()  # it is gone for good
        self.ctl('node', 'replace', 'n2', self.new_node('n6'))
        self.start_node('n6')
        self.ctl('deploy', 'promote', '--wait')
        load.end()
        self.all_there()

    def test_a_bucket_goes_and_its_nodes_hand_off(self):
        load = _Load(self.ports)
        load.start()
        self.ctl('bucket', 'remove', 'b3', '--wait')
        load.end()
        self.all_there()
        assert 'there is no bucket b3' in self.ctl('bucket', 'remove', 'b3', code=2)

    def test_what_is_under_way_can_be_undone(self):
        before = self.status(0)['active']
        load = _Load(self.ports)
        load.start()
        self.ctl('node', 'add', self.new_node('n7'), '--bucket', 'b1')
        self.start_node('n7')
        time.sleep(1)
        self.ctl('deploy', 'abort')
        load.end()
        assert self.status(0)['active'] == before
        self.all_there()
