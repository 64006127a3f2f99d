"""`tako cluster`: several proxies, skipped nodes, stops, kills, restarts, data folders and lost disks."""
import os
import shutil
import signal
import socket
import threading

from harness import (FOUR, ONE, TEN, TWO, Layout, Server, accepts, expect, free_port, get, http_call, put, until)


def fill(port, count, prefix='k', query='?w=all'):
    """Values for `count` keys; gives them back as a dictionary."""
    values = {f'{prefix}{i}': (f'value of {prefix}{i} '.encode() * (1 + i % 50)) for i in range(count)}
    for key, value in values.items():
        expect(put(port, key, value, query), 200)
    return values


def holds(port, values, query=''):
    for key, value in values.items():
        expect(get(port, key, query), 200, value)


class Proxies:
    def test_every_port_given_is_a_proxy_of_the_same_cluster(self):
        server, ports = self.t.cluster(Layout(FOUR), proxies=3, data='several')
        for i, port in enumerate(ports):
            expect(put(port, f'p{i}', str(i).encode()), 200)
        for port in ports:
            for i in range(3):
                expect(get(port, f'p{i}'), 200, str(i).encode())
        server.stop()

    def test_the_ports_of_the_configuration_are_open_to_others(self):
        layout = Layout(FOUR, coordinators=['c1'])
        server, (port,) = self.t.cluster(layout, data='open')
        for name, number in [*layout.port.items(), *layout.coordinators.items()]:
            assert accepts(number), name
        other = free_port()
        proxy = self.t.start('proxy', 'proxy', '-i', 'p9', '-f', self.t.folder / 'cluster.yaml', '-p', other,
                             '-d', self.t.folder / 'p9').ready(other)
        expect(put(other, 'through', b'the wire'), 200)
        expect(get(port, 'through'), 200, b'the wire')
        proxy.stop()
        server.stop()

    def test_nodes_with_an_http_port_serve_http(self):
        layout = Layout(TWO, http=['n1', 'n2'])
        server, (port,) = self.t.cluster(layout, data='http')
        server.ready(*layout.http.values())
        expect(put(layout.http['n1'], 'direct', b'v'), 200)
        expect(get(layout.http['n2'], 'direct'), 200, b'v')
        expect(get(port, 'direct'), 200, b'v')
        server.stop()

    def test_it_listens_on_loopback_alone_unless_told(self):
        server, (port,) = self.t.cluster(Layout(ONE, per_key=1), data='loopback')
        with open('/proc/net/tcp') as table:
            ours = [line.split()[1] for line in table if line.split()[1].endswith(f':{port:04X}')]
        assert ours and all(address.startswith('0100007F') for address in ours), ours
        server.stop()


class Lifecycle:
    def test_sigterm_and_sigint_end_it_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server, (port,) = self.t.cluster(Layout(FOUR, coordinators=['c1']))
            expect(put(port, 'k', b'v'), 200)
            server.signal(number)
            assert server.wait() == 0, server.log()

    def test_a_stop_while_clients_are_busy_is_clean(self):
        server, (port,) = self.t.cluster(Layout(FOUR))
        over, errors = threading.Event(), []

        def load():
            while not over.is_set():
                try:
                    if put(port, 'busy', b'x' * 20000).status not in (200, 503, 504):
                        errors.append('a status that is none of a stop')
                except OSError:
                    pass
                except Exception as e:  # http.client has many
                    if not any(word in repr(e) for word in ('RemoteDisconnected', 'Incomplete', 'BadStatus')):
                        errors.append(repr(e))

        clients = [threading.Thread(target=load) for _ in range(4)]
        for client in clients:
            client.start()
        until(10, 'some load', lambda: get(port, 'busy').status == 200)
        try:
            server.stop()
        finally:
            over.set()
        for client in clients:
            client.join()
        assert not errors, errors[:3]

    def test_systemd_is_told(self):
        path = str(self.t.folder / 'notify')
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        notify.settimeout(30)
        layout, port = Layout(ONE, per_key=1), free_port()
        server = self.t.start('cluster', 'cluster', self.t.write('one.yaml', layout.text()), '-p', port, '-d',
                              self.t.folder / 'notified', NOTIFY_SOCKET=path)
        assert b'READY=1' in notify.recv(4096)
        expect(http_call(port, 'GET', '/healthz'), 200)
        server.stop()
        assert b'STOPPING=1' in notify.recv(4096)

    def test_sighup_opens_the_log_file_again(self):
        log, moved = self.t.folder / 'tako.log', self.t.folder / 'tako.log.1'
        server, (port,) = self.t.cluster(Layout(ONE, per_key=1), '--log-file', log, '-v', 'debug')
        until(10, 'a log', lambda: log.exists() and log.stat().st_size > 0)
        os.rename(log, moved)
        server.signal(signal.SIGHUP)
        until(10, 'a new log', log.exists)
        assert server.running() and get(port, 'nothing').status == 404
        server.stop()

    def test_a_port_in_use_is_one_clear_line_and_exit_1(self):
        layout = Layout(ONE, per_key=1)
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = taken.getsockname()[1]
            code, _, err = self.t.run('cluster', self.t.write('one.yaml', layout.text()), '-p', port, '-d', 'taken')
        assert code == 1, (code, err)
        assert str(port) in err.strip().split('\n')[-1], err


class DataFolders:
    def setup(self):
        self.layout = Layout(TWO)
        self.config = self.t.write('two.yaml', self.layout.text())
        self.folder = self.t.folder / 'n1'
        self.server = self.t.start('n1', 'node', '-i', 'n1', '-f', self.config, '-d', self.folder)
        self.server.ready(self.layout.port['n1'], http=False)

    def refused(self, node, folder, *words):
        code, _, err = self.t.run('node', '-i', node, '-f', self.config, '-d', folder)
        assert code == 1, (code, err)
        last = err.strip().split('\n')[-1]
        for word in words:
            assert word in last, (word, err)

    def test_a_second_process_on_the_same_folder_is_refused(self):
        self.refused('n1', self.folder, str(self.folder))

    def test_another_id_on_the_same_folder_is_refused(self):
        self.server.stop()
        self.refused('n2', self.folder, 'n1', 'n2')

    def test_its_own_node_may_come_back(self):
        again = self.t.start('n1', 'node', '-i', 'n1', '-f', self.config, '-d', self.folder)
        again.ready(self.layout.port['n1'], http=False)
        again.kill()
        again = self.t.start('n1', 'node', '-i', 'n1', '-f', self.config, '-d', self.folder)
        again.ready(self.layout.port['n1'], http=False).stop()

    def test_a_folder_that_cannot_be_made_is_one_clear_line(self):
        blocked = self.t.write('blocked', 'a file')
        self.refused('n1', blocked / 'below', str(blocked))


class Restarts:
    def setup(self):
        self.layout = Layout(FOUR)

    def test_what_was_answered_survives_a_stop(self):
        server, (port,) = self.t.cluster(self.layout)
        values = fill(port, 100, 'stop', '')
        expect(put(port, 'big', b'b' * 3_000_000), 200)
        expect(http_call(port, 'DELETE', '/values/stop7'), 204)
        del values['stop7']
        server.stop()
        server, (port,) = self.t.cluster(self.layout)
        holds(port, values)
        expect(get(port, 'big'), 200, b'b' * 3_000_000)
        expect(get(port, 'stop7'), 404)
        server.stop()

    def test_what_was_answered_survives_kill_9(self):
        for round_ in range(3):
            server, (port,) = self.t.cluster(self.layout, data='killed')
            answered, over = {}, threading.Event()

            def load(worker):
                i = 0
                while not over.is_set():
                    key, value = f'r{round_}w{worker}i{i}', f'{round_} {worker} {i}'.encode() * 20
                    try:
                        if put(port, key, value).status == 200:
                            answered[key] = value
                    except Exception:
                        pass
                    i += 1

            clients = [threading.Thread(target=load, args=(w,)) for w in range(4)]
            for client in clients:
                client.start()
            until(20, '200 writes', lambda: len(answered) >= 200)
            server.kill()
            over.set()
            for client in clients:
                client.join()
            server, (port,) = self.t.cluster(self.layout, data='killed')
            holds(port, answered)
            server.stop()


class LostDisks:
    """The walkthrough's heart: the data of four nodes of ten is deleted, no bucket's whole; nothing is lost."""

    def setup(self):
        self.layout = Layout(TEN, coordinators=['c1'])
        server, (port,) = self.t.cluster(self.layout)
        self.values = fill(port, 200, 'disk')
        for key in ('disk3', 'disk33'):
            expect(http_call(port, 'DELETE', f'/values/{key}?w=all'), 204)
            del self.values[key]
        server.stop()
        for node in ('n1', 'n2', 'n5', 'n10'):
            shutil.rmtree(self.t.folder / 'data' / node)
        self.server, (self.port,) = self.t.cluster(self.layout)

    def missing(self):
        """The keys that some replica does not have."""
        out = []
        for key in self.values:
            stat = http_call(self.port, 'GET', f'/stat/{key}?format=json').json()
            if not all(r.get('timestamp') == stat['timestamp'] for r in stat['replicas']):
                out.append(key)
        return out

    def test_every_value_is_still_there_at_once(self):
        holds(self.port, self.values)
        for key in ('disk3', 'disk33'):
            expect(get(self.port, key), 404)

    def test_writes_go_on(self):
        self.values |= fill(self.port, 50, 'after', '')
        holds(self.port, self.values)

    def test_the_wiped_nodes_get_their_data_back_by_themselves(self):
        until(90, 'every replica of every key has its copy', lambda: not self.missing(), every=1)

    def test_the_wiped_nodes_now_carry_it_alone(self):
        # Without n6 and n9, buckets b3 and b5 consist of wiped nodes alone. Run by itself this case comes before they
        # have their data back.
        until(90, 'every replica of every key has its copy', lambda: not self.missing(), every=1)
        self.server.stop()
        server, (port,) = self.t.cluster(self.layout, '--skip', 'n6', '--skip', 'n9')
        holds(port, self.values)
        server.stop()


class LateNode:
    """A node that was not there gets what it missed, once it comes."""

    def test_a_skipped_node_catches_up_when_it_starts(self):
        layout = Layout(TWO)
        config = self.t.write('cluster.yaml', layout.text())
        server, (port,) = self.t.cluster(layout, '--skip', 'n2')
        # Two are asked for where there are two: with one of them away, one copy is all there can be.
        values = {f'late{i}': f'{i}'.encode() for i in range(60)}
        for key, value in values.items():
            expect(put(port, key, value, '?w=one'), 200)
        late = self.t.start('n2', 'node', '-i', 'n2', '-f', config, '-d', self.t.folder / 'n2')
        late.ready(layout.port['n2'], http=False)

        def everywhere():
            for key in values:
                replicas = http_call(port, 'GET', f'/stat/{key}?format=json').json()['replicas']
                if len({r.get('timestamp') for r in replicas}) != 1:
                    return False
            return True

        until(60, 'both have all', everywhere, every=0.5)
        server.stop()
        assert isinstance(late, Server) and late.running()
        late.stop()
