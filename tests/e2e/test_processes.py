"""Every role a process of its own: coordinators that die or lie, configurations that change, nodes that hang."""
import os
import signal
import socket
import threading
import time

from harness import FOUR, TWO, Layout, accepts, expect, free_port, get, http_call, put, until


class _Separate:
    """Coordinator c1, four nodes, two proxies, each a process that knows the coordinator's address alone."""

    def setup(self):
        self.layout = Layout(FOUR, coordinators=['c1'])
        self.config = self.t.write('cluster.yaml', self.layout.text())
        self.coordinator_port = self.layout.coordinators['c1']
        self.coordinator = self.start_coordinator()
        self.nodes = {n: self.start_node(n) for n in self.layout.nodes}
        self.ports = [free_port(), free_port()]
        self.proxies = [self.start_proxy(i) for i in range(2)]
        for node in self.nodes.values():
            node.ready(self.layout.port[node.name], http=False)
        for proxy, port in zip(self.proxies, self.ports):
            proxy.ready(port)
        self.all_reached()

    def all_reached(self):
        """Both proxies have found every node again: they pause between attempts to connect."""
        for port in self.ports:
            until(20, 'all four replicas', lambda: put(port, 'warm', b'up', '?w=all').status == 200)

    @property
    def where(self):
        return f'127.0.0.1:{self.coordinator_port}'

    def start_coordinator(self, config=None, data='c1'):
        server = self.t.start('c1', 'coordinator', '-i', 'c1', '-f', config or self.config, '-d', self.t.folder / data)
        return server.ready(self.coordinator_port, http=False)

    def start_node(self, node):
        return self.t.start(node, 'node', '-i', node, '-c', self.where, '-d', self.t.folder / node)

    def start_proxy(self, i):
        return self.t.start(f'p{i}', 'proxy', '-i', f'p{i}', '-c', self.where, '-p', self.ports[i], '-d',
                            self.t.folder / f'p{i}')

    def works(self, word='works'):
        for i, port in enumerate(self.ports):
            expect(put(port, f'{word}{i}', word.encode()), 200)
        for i in range(len(self.ports)):
            for port in self.ports:
                expect(get(port, f'{word}{i}'), 200, word.encode())

    def configuration(self, port):
        return http_call(port, 'GET', '/config', headers={'Accept': 'application/json'}).json()

    def push(self, text, name='pushed.yaml'):
        return self.t.run('ctl', 'config', 'push', self.t.write(name, text), '-c', self.where)


class Coordinator(_Separate):
    def test_nodes_and_proxies_fetch_their_configuration(self):
        self.works('fetched')
        assert self.configuration(self.ports[1])['active_deployment'] == 'd'

    def test_a_newer_configuration_reaches_all(self):
        before = self.configuration(self.ports[0])['version']
        code, out, err = self.push(self.layout.text(extra='background_repair_interval: 17m'))
        assert code == 0, (out, err)
        started = time.monotonic()
        for port in self.ports:
            until(10, 'the new configuration', lambda: self.configuration(port)['version'] > before)
        assert time.monotonic() - started < 10
        self.works('newer')

    def test_an_older_configuration_is_refused(self):
        now = self.configuration(self.ports[0])
        assert now['version'] >= 1, now
        code, out, err = self.push(self.layout.text(top='version: 1', extra='background_repair_interval: 3h'))
        # Either the push is refused, or the coordinator gives it the next number: never is a number used again.
        after = self.configuration(self.ports[0])
        assert code in (0, 1), (code, out, err)
        assert after['version'] >= now['version'], (now, after)
        expected = now['version'] + (code == 0)
        for port in self.ports:
            until(10, 'all agree', lambda: self.configuration(port)['version'] >= expected)

    def test_a_broken_configuration_is_refused(self):
        before = self.configuration(self.ports[0])
        code, _, err = self.push('active_deployment: nothing\n')
        assert code in (1, 2) and err.count('\n') == 1, (code, err)
        assert self.configuration(self.ports[0]) == before

    def test_without_it_the_cluster_goes_on(self):
        self.coordinator.kill()
        self.works('alone')

    def test_without_it_everything_restarts_from_disk(self):
        assert not self.coordinator.running()
        for node in list(self.nodes):
            self.nodes[node].stop()
            self.nodes[node] = self.start_node(node)
        self.proxies[0].stop()
        self.proxies[0] = self.start_proxy(0)
        for node, server in self.nodes.items():
            server.ready(self.layout.port[node], http=False)
        self.proxies[0].ready(self.ports[0])
        self.all_reached()
        self.works('disk')

    def test_one_that_talks_nonsense_is_ignored(self):
        over = threading.Event()
        listener = socket.create_server(('127.0.0.1', self.coordinator_port))
        listener.settimeout(0.2)
        kept = []

        def babble():
            while not over.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                try:
                    if len(kept) % 3 == 0:
                        client.sendall(os.urandom(4096))
                    elif len(kept) % 3 == 1:
                        client.sendall(b'\xff' * 64)
                        client.close()
                    else:
                        client.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello')
                except OSError:
                    pass
                kept.append(client)

        thread = threading.Thread(target=babble)
        thread.start()
        try:
            before = self.configuration(self.ports[0])
            self.nodes['n1'].stop()
            self.nodes['n1'] = self.start_node('n1')
            self.nodes['n1'].ready(self.layout.port['n1'], http=False)
            self.all_reached()
            until(20, 'somebody asks the false coordinator', lambda: kept)
            self.works('babble')
            assert self.configuration(self.ports[0]) == before
        finally:
            over.set()
            thread.join()
            listener.close()
            for client in kept:
                client.close()
        for server in [*self.nodes.values(), *self.proxies]:
            assert server.running(), server.name

    def test_one_that_hangs_holds_up_nothing(self):
        with socket.create_server(('127.0.0.1', self.coordinator_port)):  # it accepts and never answers
            self.proxies[1].stop()
            self.proxies[1] = self.start_proxy(1)
            self.proxies[1].ready(self.ports[1])
            self.all_reached()
            self.works('hang')

    def test_one_that_starts_over_with_an_older_file_changes_nothing(self):
        before = self.configuration(self.ports[0])
        older = self.t.write('older.yaml', self.layout.text(extra='background_repair_interval: 5h'))
        self.coordinator = self.start_coordinator(config=older, data='c1-new')
        time.sleep(2)  # time enough to take it, were it to be taken
        assert self.configuration(self.ports[0]) == before
        self.works('older')
        self.coordinator.kill()

    def test_when_it_comes_back_changes_go_through_again(self):
        self.coordinator = self.start_coordinator()
        before = self.configuration(self.ports[0])['version']
        code, out, err = self.push(self.layout.text(extra='background_repair_interval: 19m'))
        assert code == 0, (out, err)
        for port in self.ports:
            until(30, 'the new configuration', lambda: self.configuration(port)['version'] > before)

    def test_all_end_with_0(self):
        for server in [*self.proxies, *self.nodes.values(), self.coordinator]:
            server.stop()


class Growth(_Separate):
    """A second deployment as the target, then promoted: values stay readable at every step."""

    def test_values_stay_readable_while_the_deployment_changes(self):
        values = {f'grow{i}': f'{i}'.encode() * 30 for i in range(80)}
        for key, value in values.items():
            expect(put(self.ports[0], key, value), 200)
        ports = self.layout.port

        def deployment(name, *buckets):
            lines = [f'  {name}:', '    hash:', '      buckets_per_key: 1', '    buckets:']
            for i, nodes in enumerate(buckets):
                lines += [f'      b{i + 1}:'] + [f'        {n}: [127.0.0.1, {ports[n]}]' for n in nodes]
            return lines

        head = ['coordinators:', f'  c1: [127.0.0.1, {self.coordinator_port}]', 'deployments:']
        old = self.layout.text().split('deployments:\n', 1)[1].rstrip().split('\n')
        smaller = deployment('e', ['n3', 'n4'])
        steps = ['\n'.join(['active_deployment: d', 'target_deployment: e', *head, *old, *smaller]) + '\n',
                 '\n'.join(['active_deployment: e', *head, *old, *smaller]) + '\n']
        for step in steps:
            before = self.configuration(self.ports[0])['version']
            until(60, 'the step to be allowed', lambda: self.push(step)[0] == 0, every=0.5)  # when all has arrived
            for port in self.ports:
                until(15, 'the step', lambda: self.configuration(port)['version'] > before)
            for key, value in values.items():
                expect(get(self.ports[1], key), 200, value)
            expect(put(self.ports[0], 'during', step.encode()), 200)
            expect(get(self.ports[1], 'during'), 200, step.encode())
            until(60, 'the data has moved', lambda: self.arrived(values), every=0.5)
        for key, value in values.items():
            expect(get(self.ports[0], key), 200, value)

    def test_a_node_outside_all_deployments_opens_its_port_when_one_names_it(self):
        ports = self.layout.port
        self.nodes['n1'].stop()
        self.nodes['n1'] = self.start_node('n1')
        until(10, 'n1 to start', lambda: 'no live deployment' in self.nodes['n1'].log())
        assert not accepts(ports['n1'])
        text = '\n'.join([
            'active_deployment: e', 'target_deployment: f',
            'coordinators:', f'  c1: [127.0.0.1, {self.coordinator_port}]',
            'deployments:',
            '  e:', '    hash: {buckets_per_key: 1}', '    buckets:',
            f'      b1: {{n3: [127.0.0.1, {ports["n3"]}], n4: [127.0.0.1, {ports["n4"]}]}}',
            '  f:', '    hash: {buckets_per_key: 1}', '    buckets:',
            f'      b1: {{n1: [127.0.0.1, {ports["n1"]}], n3: [127.0.0.1, {ports["n3"]}]}}', ''])
        code, out, err = self.push(text)
        assert code == 0, (out, err)
        self.nodes['n1'].ready(ports['n1'], http=False)
        until(30, 'n1 has the data', lambda: self.arrived(['grow0', 'grow1']), every=0.5)
        self.nodes['n1'].stop()

    def arrived(self, values):
        for key in values:
            stat = http_call(self.ports[0], 'GET', f'/stat/{key}?format=json').json()
            if any(r.get('timestamp') != stat['timestamp'] for r in stat['replicas']):
                return False
        return True


class HangingNode(_Separate):
    def test_a_node_that_hangs_delays_nothing_for_long(self):
        self.nodes['n2'].signal(signal.SIGSTOP)
        slowest = 0.0
        for i in range(40):
            started = time.monotonic()
            expect(put(self.ports[i % 2], f'hang{i}', b'v' * 1000), 200)
            expect(get(self.ports[(i + 1) % 2], f'hang{i}'), 200, b'v' * 1000)
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < 10, f'one round took {slowest:.1f} s'
        started = time.monotonic()
        expect(get(self.ports[0], 'nothing-here'), (404, 503))
        assert time.monotonic() - started < 20

    def test_it_catches_up_when_it_goes_on(self):
        self.nodes['n2'].signal(signal.SIGCONT)

        def caught_up():
            for i in range(40):
                stat = http_call(self.ports[0], 'GET', f'/stat/hang{i}?format=json').json()
                if any(r.get('timestamp') != stat['timestamp'] for r in stat['replicas']):
                    return False
            return True

        until(60, 'n2 has what it missed', caught_up, every=0.5)

    def test_a_node_killed_under_load_loses_nothing_that_was_answered(self):
        answered, over = {}, threading.Event()

        def load(worker):
            i = 0
            while not over.is_set():
                key = f'kill{worker}x{i}'
                try:
                    if put(self.ports[worker % 2], key, key.encode()).status == 200:
                        answered[key] = key.encode()
                except OSError:
                    pass
                i += 1

        clients = [threading.Thread(target=load, args=(w,)) for w in range(4)]
        for client in clients:
            client.start()
        until(20, 'some writes', lambda: len(answered) > 200)
        self.nodes['n3'].kill()
        now = len(answered)
        until(30, 'writes go on', lambda: len(answered) > now + 200)
        over.set()
        for client in clients:
            client.join()
        for key, value in answered.items():
            expect(get(self.ports[0], key), 200, value)
        self.nodes['n3'] = self.start_node('n3')
        self.nodes['n3'].ready(self.layout.port['n3'], http=False)
        for key, value in answered.items():
            expect(get(self.ports[1], key), 200, value)


class NotThereYet:
    """The order of starts does not matter."""

    def test_nodes_and_proxies_wait_for_their_coordinator(self):
        layout = Layout(TWO, coordinators=['c1'])
        config, where = self.t.write('late.yaml', layout.text()), f"127.0.0.1:{layout.coordinators['c1']}"
        port = free_port()
        servers = [self.t.start(n, 'node', '-i', n, '-c', where, '-d', self.t.folder / n) for n in layout.nodes]
        servers.append(self.t.start('p1', 'proxy', '-i', 'p1', '-c', where, '-p', port, '-d', self.t.folder / 'p1'))
        time.sleep(1)
        for server in servers:
            assert server.running(), f'{server.name}: {server.log()}'
        servers.append(self.t.start('c1', 'coordinator', '-i', 'c1', '-f', config, '-d', self.t.folder / 'c1'))
        servers[2].ready(port)
        until(20, 'a write', lambda: put(port, 'k', b'v', '?w=all').status == 200)
        for server in servers:
            server.stop()

    def test_a_stop_while_waiting_is_clean(self):
        server = self.t.start('n1', 'node', '-i', 'n1', '-c', f'127.0.0.1:{free_port()}', '-d', self.t.folder / 'waits')
        time.sleep(1)
        assert server.running(), server.log()
        server.stop()

    def test_a_proxy_before_its_nodes(self):
        layout, port = Layout(TWO), free_port()
        config = self.t.write('first.yaml', layout.text())
        proxy = self.t.start('p1', 'proxy', '-i', 'p1', '-f', config, '-p', port, '-d', self.t.folder / 'first')
        until(20, 'the port', lambda: accepts(port))
        expect(http_call(port, 'PUT', '/values/k?timeout=3000', body=b'v'), (503, 504))
        nodes = [self.t.start(n, 'node', '-i', n, '-f', config, '-d', self.t.folder / f'first-{n}')
                 for n in layout.nodes]
        until(30, 'a write', lambda: put(port, 'k', b'v', '?w=all').status == 200)
        for server in [proxy, *nodes]:
            server.stop()
