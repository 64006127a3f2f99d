"""Wrong usage is exit code 2 and one line, in every role and for every option; what may be better next time is 1."""
import os
import pathlib
import re
import socket
import stat

from harness import ONE, Layout, accepts, expect, free_port, get, healthy, put, until

CONF = pathlib.Path(__file__).resolve().parents[2] / 'conf'


class _Usage:
    def setup(self):
        self.layout = Layout(ONE, per_key=1, coordinators=['c1'])
        self.config = self.t.write('one.yaml', self.layout.text())

    def code(self, *arguments, **environment):
        code, out, err = self.t.run(*arguments, seconds=20, **environment)
        lines = [line for line in err.splitlines() if not re.match(r'\d{4}-\d\d-\d\dT', line)]
        assert code == 0 or len(lines) == 1, (arguments, code, out, err)
        return code, err

    def wrong(self, *arguments, words=(), **environment):
        code, err = self.code(*arguments, **environment)
        assert code == 2, (arguments, environment, code, err)
        for word in words:
            assert word in err, (word, err)

    def roles(self):
        """Each server role as it would start."""
        data = self.t.folder / 'data'
        return [['node', '-i', 'n1', '-f', self.config, '-d', data / 'n1'],
                ['proxy', '-i', 'p1', '-f', self.config, '-p', free_port(), '-d', data / 'p1'],
                ['coordinator', '-i', 'c1', '-f', self.config, '-d', data / 'c1'],
                ['cluster', self.config, '-p', free_port(), '-d', data / 'cluster']]


class Servers(_Usage):
    def test_addresses_to_bind(self):
        for role in self.roles():
            for address in ('somewhere', '300.0.0.1', 'localhost:80', '[::1', '[127.0.0.1]', '127.0.0.1:8080', '-1',
                            '192.0.2.77'):
                self.wrong(*role, f'--listen={address}', words=[address])
        self.wrong(*self.roles()[1], TAKO_LISTEN='somewhere', words=['--listen', 'somewhere'])

    def test_ids(self):
        node, proxy, coordinator, _ = self.roles()
        for wrong in ('', 'a/b', 'a b', 'a\nb', 'a\tb', '\x7f', 'x' * 256):
            for role in (node, proxy, coordinator):
                self.wrong(role[0], f'--id={wrong}', *role[3:], words=['-i'] if wrong else [])
        self.wrong(node[0], '-i', 'n77', *node[3:-1], self.t.folder / 'n77', words=['n77'])
        self.wrong(coordinator[0], '-i', 'c77', *coordinator[3:], words=['c77'])

    def test_numbers(self):
        for role in self.roles():
            for option in ('--threads',) + (('-p', '--memcached') if role[0] in ('proxy', 'cluster') else ()):
                for wrong in ('70000', '-1', '1.5', 'x', '', '99999999999999999999', '0x10'):
                    self.wrong(*role, option, wrong, words=[option])
            self.wrong(*role, '--threads', '0')

    def test_coordinators(self):
        for role in ('node', 'proxy'):
            for wrong in ('h', 'h:0', 'h:70000', ':1', 'h:x', '::1:4710', '[::1]', '[h]:1', 'a b:1', 'http://h:1',
                          '300.1.1.1:1'):
                self.wrong(role, '-i', 'n1', '-c', wrong, words=[wrong])
        self.wrong('node', '-i', 'n1', TAKO_COORDINATOR='a:1,b', words=['-c b'])

    def test_files_and_folders(self):
        folder = self.t.folder / 'a-folder'
        folder.mkdir(exist_ok=True)
        binary = self.t.folder / 'binary'
        binary.write_bytes(bytes(range(256)))
        large = self.t.folder / 'large'
        with open(large, 'wb') as file:
            file.truncate(5 << 20)
        for role in self.roles():
            for wrong in ('nothing.yaml', folder, binary, large, '/dev/null', self.config / 'x'):
                options = [wrong if value == self.config else value for value in role]
                self.wrong(*options, words=[str(wrong)])
            for wrong in (folder, self.config / 'x.log', '/proc/none/x'):
                self.wrong(*role, '--log-file', wrong, words=['--log-file', str(wrong)])
            for wrong in (self.config, self.config / 'x', '/proc/none', '/dev/null'):  # may be mounted the next time
                code, err = self.code(*role[:-1], wrong)
                assert code == 1 and str(wrong) in err, (role, wrong, code, err)
            self.wrong(*role[:-1], '')
            self.wrong(*role, '-v', 'loud', words=['loud'])

    def test_what_a_user_may_not_read_or_write(self):
        if os.geteuid() == 0:
            return  # who may read and write all
        closed = self.t.write('closed.yaml', self.layout.text())
        closed.chmod(0)
        locked = self.t.folder / 'locked'
        locked.mkdir()
        locked.chmod(stat.S_IRUSR)
        for role in self.roles():
            self.wrong(*[closed if value == self.config else value for value in role], words=[str(closed)])
            assert self.code(*role[:-1], locked / 'x')[0] == 1
        locked.chmod(0o700)

    def test_a_data_folder_of_somebody_else_and_one_in_use_are_no_usage(self):
        node, proxy, _, _ = self.roles()
        server = self.t.start('n1', *node)
        until(20, 'it serves', lambda: accepts(self.layout.port['n1']))
        code, err = self.code(*node)
        assert code == 1 and 'in use' in err, (code, err)
        server.stop()
        code, err = self.code(*proxy[:-1], node[-1])
        assert code == 1 and 'belongs to node n1' in err, (code, err)

    def test_a_port_in_use_is_no_usage(self):
        for role in self.roles():
            port = {'node': self.layout.port['n1'], 'coordinator': self.layout.coordinators['c1']}.get(role[0])
            port = port or int(role[role.index('-p') + 1])
            with socket.create_server(('127.0.0.1', port)):
                listen = ['--listen', '127.0.0.1'] if role[0] == 'proxy' else []
                code, err = self.code(*role, *listen)
                assert code == 1 and 'already in use' in err, (role, code, err)

    def test_a_name_that_cannot_be_resolved_now_is_no_usage(self):
        path = self.t.write('name.yaml', self.layout.text().replace('127.0.0.1', 'nowhere.invalid'))
        for role in self.roles()[::2]:
            code, err = self.code(*[path if value == self.config else value for value in role])
            assert code == 1 and 'nowhere.invalid' in err, (role, code, err)

    def test_systemd_does_not_start_anew_what_was_wrong_usage(self):
        units = list((CONF / 'systemd').glob('*.service'))
        assert len(units) == 3, units
        for unit in units:
            text = unit.read_text()
            assert '\nRestart=on-failure\n' in text and '\nRestartPreventExitStatus=2\n' in text, unit


class Ctl(_Usage):
    def test_where_the_cluster_is(self):
        for wrong in ('', 'http://', 'h:0', 'h:x', 'https://h', 'http://h/path', '[::1', 'http://[::1', '::1:80',
                      'a b'):
            self.wrong('ctl', '--proxy', wrong, 'status')
            if wrong:
                self.wrong('ctl', 'status', TAKO_PROXY=wrong, words=[wrong])
        for wrong in ('h', 'h:0', '::1:4710', '[::1]'):
            self.wrong('ctl', '-c', wrong, 'status', words=[wrong])
            self.wrong('ctl', 'status', TAKO_COORDINATOR=wrong, words=[wrong])
        for verb in (['status'], ['locate', 'k'], ['get', 'k'], ['repair'], ['config', 'show'], ['deploy', 'status']):
            self.wrong('ctl', '-f', 'nothing.yaml', *verb, words=['nothing.yaml'])
            self.wrong('ctl', '-f', self.t.folder, *verb, words=[str(self.t.folder)])
        self.wrong('ctl', '-f', self.config, '-c', 'h:1', 'status', words=['-f and -c'])

    def test_files_of_verbs(self):
        folder = self.t.folder / 'is-folder'
        folder.mkdir()
        at = ['--proxy', f'http://127.0.0.1:{free_port()}']
        for wrong in ('nothing', folder, self.config / 'x'):
            self.wrong('ctl', *at, 'put', 'k', wrong, words=[str(wrong)])
            self.wrong('ctl', '-f', self.config, 'put', 'k', wrong, words=[str(wrong)])
            self.wrong('ctl', '-c', 'localhost:1', 'config', 'push', wrong, words=[str(wrong)])
            self.wrong('ctl', 'config', 'validate', wrong, words=[str(wrong)])
        for wrong in (folder, 'no/such/folder', self.config / 'x', 'x' * 300):
            self.wrong('ctl', *at, 'get', 'k', '-o', wrong, words=[str(wrong)])

    def test_values_of_verbs(self):
        at = ['--proxy', f'http://127.0.0.1:{free_port()}']
        for verb in ('get', 'rm', 'stat', 'put', 'locate'):
            way = ['-f', self.config] if verb == 'locate' else at
            self.wrong('ctl', *way, verb, '')
            self.wrong('ctl', *way, verb, 'k' * 1025)
            self.wrong('ctl', *way, verb)
        nodes = ('n9', 'n9=h', '=h:1', 'n9=h:0', 'n9=[h]:1', 'n/9=h:1', 'n9=::1:1', 'n 9=h:1', f"{'n' * 256}=h:1")
        server = self.t.start('c1', *self.roles()[2])
        server.ready(self.layout.coordinators['c1'], http=False)
        where = ['-c', f"[::ffff:127.0.0.1]:{self.layout.coordinators['c1']}"]
        for wrong in nodes:
            self.wrong('ctl', *where, 'node', 'add', wrong, '--bucket', 'b1', words=['ID=HOST:PORT'])
            self.wrong('ctl', *where, 'bucket', 'add', 'b9', wrong, words=['ID=HOST:PORT'])
        for port in ('70000', '-1', 'x'):
            self.wrong('ctl', *where, 'node', 'add', 'n9=h:1', '--bucket', 'b1', '--http', port, words=[port])
        self.wrong('ctl', *where, 'bucket', 'add', 'b/9', 'n9=h:1', words=['b/9'])
        self.wrong('ctl', *where, 'node', 'add', 'n9=h:1', '--bucket', 'b7', words=['b7'])
        self.wrong('ctl', *where, 'deploy', 'apply', 'nothing.yaml', words=['nothing.yaml'])
        self.wrong('ctl', *where, 'repair', '--node', 'n77', words=['n77'])
        server.stop()

    def test_who_does_not_answer_is_named_and_is_no_usage(self):
        port = free_port()
        for way, words in ((['--proxy', f'http://127.0.0.1:{port}'], f'127.0.0.1:{port}'),
                           (['--proxy', f'http://[::1]:{port}'], f'[::1]:{port}'),
                           (['-c', f'127.0.0.1:{port}'], f'127.0.0.1:{port}')):
            for verb in (['status'], ['get', 'k'], ['config', 'show']):
                code, err = self.code('ctl', *way, *verb)
                assert code == 1 and words in err, (way, verb, code, err)


class SixAddresses(_Usage):
    """[::1], with brackets and without, wherever an address is given."""

    def test_everywhere(self):
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(('::1', 0))
            except OSError:
                return  # a machine without IPv6
        self.six = self.t.write('six.yaml', self.layout.text().replace('[127.0.0.1, ', '["[::1]", '))
        plain = self.t.write('plain.yaml', self.layout.text().replace('[127.0.0.1, ', '["::1", '))
        for path in (self.six, plain):
            code, out, err = self.t.run('ctl', 'config', 'validate', path)
            assert code == 0, err
        where = f"[::1]:{self.layout.coordinators['c1']}"
        self.t.start('c1', 'coordinator', '-i', 'c1', '-f', self.six, '-d', self.t.folder / 'c1')
        self.t.start('n1', 'node', '-i', 'n1', '-c', where, '-d', self.t.folder / 'n1')
        port = free_port()
        proxy = self.t.start('p1', 'proxy', '-c', where, '-p', port, '--listen', '[::1]', '-d', self.t.folder / 'p1')
        url = f'http://[::1]:{port}'
        until(30, 'it serves', lambda: self.t.run('ctl', 'check', TAKO_PROXY=url)[0] == 0)
        assert f'serves HTTP on [::1]:{port}' in proxy.log(), proxy.log()
        value = self.t.write('value', 'six')
        for way in (['--proxy', url], ['-c', where], ['-f', self.six], ['-f', plain], ['--proxy', f'[::1]:{port}']):
            # Each loop of the proxy has a connection of its own to the node, and finds by itself that it is up.
            until(30, f'{way} writes', lambda w=way: self.t.run('ctl', *w, 'put', 'k', value)[0] == 0)
            until(30, f'{way} reads', lambda w=way: self.t.run('ctl', *w, 'get', 'k')[1] == 'six')
        assert self.t.run('ctl', 'status', TAKO_COORDINATOR=f'127.0.0.1:1,{where}')[0] == 0
        for server in self.t.servers:
            server.stop()
            assert ' error ' not in server.log(), server.log()


class ClusterAddresses(_Usage):
    """`tako cluster` binds what stands in the configuration, if it is loopback."""

    def listens(self, address, port):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        with socket.socket(family) as probe:
            return probe.connect_ex((address, port)) == 0

    def start(self, text, *options):
        port = free_port()
        path = self.t.write(f'{port}.yaml', text)
        return self.t.start('cluster', 'cluster', path, '-d', self.t.folder / f'data-{port}', '-p', port,
                            *options).ready(port)

    def test_loopback_addresses_are_bound_as_they_stand(self):
        layout = Layout([['n1', 'n2', 'n3', 'n4']], per_key=1, coordinators=['c1'], http=['n2'])
        hosts = {'n1': '127.0.0.2', 'n2': '127.77.0.3', 'n3': 'localhost', 'n4': '"::1"'}
        text = layout.text()
        for node, host in hosts.items():
            text = text.replace(f'{node}: [127.0.0.1', f'{node}: [{host}')
        text = text.replace('c1: [127.0.0.1', 'c1: [127.0.0.4')
        server = self.start(text)
        ports = layout.port
        assert self.listens('127.0.0.2', ports['n1']) and not self.listens('127.0.0.1', ports['n1'])
        for port in (ports['n2'], layout.http['n2']):
            assert self.listens('127.77.0.3', port) and not self.listens('127.0.0.1', port)
        assert self.listens('127.0.0.1', ports['n3'])
        assert self.listens('::1', ports['n4']) and not self.listens('127.0.0.1', ports['n4'])
        c1 = layout.coordinators['c1']
        assert self.listens('127.0.0.4', c1) and not self.listens('127.0.0.1', c1)
        # And so another process reaches every node.
        path = self.t.write('others.yaml', text)
        value = self.t.write('value', 'v')
        for key in range(8):
            assert self.t.run('ctl', '-f', path, 'put', f'k{key}', value)[0] == 0
        assert self.t.run('ctl', '-c', f'127.0.0.4:{c1}', 'get', 'k3')[1] == 'v'
        server.stop()

    def test_one_port_on_two_addresses(self):
        layout = Layout([['n1', 'n2']], per_key=1)
        text = layout.text().replace(f"n2: [127.0.0.1, {layout.port['n2']}]", f"n2: [127.0.0.2, {layout.port['n1']}]")
        server = self.start(text)
        assert self.listens('127.0.0.1', layout.port['n1']) and self.listens('127.0.0.2', layout.port['n1'])
        server.stop()

    def test_other_machines_are_on_127_0_0_1_or_where_listen_says(self):
        layout = Layout([['n1', 'n2']], per_key=1)
        text = layout.text().replace('n1: [127.0.0.1', 'n1: [n1.example').replace('n2: [127.0.0.1', 'n2: [192.0.2.1')
        server = self.start(text)
        assert all(self.listens('127.0.0.1', port) for port in layout.port.values())
        server.stop()
        server = self.t.start('cluster', 'cluster', self.t.write('listen.yaml', text), '-p', free_port(), '--listen',
                              '127.0.0.5', '-d', self.t.folder / 'listen')
        until(20, 'it serves', lambda: 'serves HTTP on 127.0.0.5:' in server.log())
        for port in layout.port.values():
            assert self.listens('127.0.0.5', port) and not self.listens('127.0.0.1', port)
        server.stop()

    def test_two_that_would_listen_on_one_address_are_both_named(self):
        p, q = free_port(), free_port()
        def text(first, second, extra=''):
            return (f'active_deployment: d\n{extra}deployments:\n  d:\n    buckets:\n      b1:\n'
                    f'        n1: {first}\n        n2: {second}\n')
        cluster = ['cluster', '-d', self.t.folder / 'clash']
        cases = [(text(f'[h1, {p}]', f'[h2, {p}]'), ['-p', q], ['node n1', 'node n2']),
                 (text(f'[localhost, {p}]', f'[h2, {p}, {q}]'), ['-p', free_port()], ['node n1', 'HTTP of node n2']),
                 (text(f'["::1", {p}]', f'["0:0::1", {p}]'), ['-p', q], ['node n1', 'node n2', '[::1]']),
                 (text(f'[h1, {p}]', f'[h2, {q}]', f'coordinators: {{c1: [127.0.0.1, {q}]}}\n'), ['-p', free_port()],
                  ['node n2', 'coordinator c1']),
                 (text(f'[h1, {p}]', f'[h2, {q}]'), ['-p', q], ['node n2', 'proxy p1']),
                 (text(f'[h1, {p}]', f'[h2, {q}]'), ['-p', free_port(), '--memcached', p], ['node n1', '--memcached']),
                 (text(f'[127.0.0.2, {p}]', f'[127.0.0.3, {p}]'), ['-p', q, '--listen', '127.0.0.1'],
                  ['node n1', 'node n2'])]
        for configuration, options, words in cases:
            path = self.t.write('clash.yaml', configuration)
            self.wrong(*cluster, '-f', path, *options, words=[*words, 'both listen on'])
        assert not (self.t.folder / 'clash').exists()
        # One that is left out takes no port.
        path = self.t.write('skip.yaml', cases[0][0])
        server = self.t.start('cluster', *cluster, '-f', path, '-p', q, '--skip', 'n2').ready(q)
        server.stop()


class Ids(_Usage):
    """Ids are no paths: each has a folder of its own below the cluster's, and nothing is written elsewhere."""
    ODD = ['..', '.', 'cluster', 'coordinator-c1', 'coordinator-', '-n', '~', '*', '$HOME', 'n%2e', 'é', '...',
           'x' * 255, 'coordinator-' + 'y' * 243, 'node']

    def text(self, ids, coordinators):
        quoted = lambda name: '"' + name + '"'  # noqa: E731
        lines = ['active_deployment: d', 'coordinators:'] + [f'  {quoted(c)}: [127.0.0.1, {free_port()}]'
                                                             for c in coordinators]
        lines += ['deployments:', '  d:', '    hash: {buckets_per_key: 1}', '    buckets:']
        for i, name in enumerate(ids):
            lines += [f'      b{i}:', f'        {quoted(name)}: [127.0.0.1, {free_port()}]']
        return '\n'.join(lines) + '\n'

    def test_odd_ids_are_kept_apart_and_within_the_folder(self):
        outer = self.t.folder / 'outer'
        data = outer / 'data'
        outer.mkdir()
        coordinators = ['c1', '..', 'z' * 255]
        path = self.t.write('odd.yaml', self.text(self.ODD, coordinators))
        for turn in range(2):
            port = free_port()
            server = self.t.start('cluster', 'cluster', path, '-d', data, '-p', port).ready(port)
            for i in range(60):
                if turn == 0:
                    expect(put(port, f'k{i}', str(i).encode()), 200)
                expect(get(port, f'k{i}'), 200, str(i).encode())
            server.stop()
        assert [entry.name for entry in outer.iterdir()] == ['data']
        owners = [(folder / 'owner').read_text() for folder in data.iterdir()]
        assert all(folder.is_dir() for folder in data.iterdir()), list(data.iterdir())
        expected = [f'node {n}\n' for n in self.ODD] + [f'coordinator {c}\n' for c in coordinators] + ['cluster\n']
        assert sorted(owners) == sorted(expected), sorted(set(owners) ^ set(expected))
        assert (data / '-n').is_dir() and (data / 'n%2e').is_dir() and (data / ('x' * 255)).is_dir()

    def test_folders_that_are_there_go_on_to_work(self):
        """A node whose id looks like a coordinator's folder has had it for long: it keeps it, and a coordinator that is
        added later takes another one."""
        data = self.t.folder / 'older'
        node = data / 'coordinator-c2'
        node.mkdir(parents=True)
        (node / 'owner').write_text('node coordinator-c2\n')
        ids = ['n1', 'coordinator-c2']
        for coordinators in (['c1'], ['c1', 'c2']):
            port = free_port()
            path = self.t.write('older.yaml', self.text(ids, coordinators))
            server = self.t.start('cluster', 'cluster', path, '-d', data, '-p', port).ready(port)
            expect(put(port, 'k', b'v'), 200)
            server.stop()
            assert (node / 'db').is_dir()
        assert (data / 'coordinator-c1' / 'owner').read_text() == 'coordinator c1\n'
        assert (data / 'coordinator c2' / 'owner').read_text() == 'coordinator c2\n'

    def test_odd_ids_of_single_roles(self):
        for odd in ('..', 'cluster', '-n'):
            path = self.t.write('single.yaml', self.text([odd], ['c1']))
            port = free_port()
            folder = self.t.folder / 'single' / f'of {odd}'
            node = self.t.start('node', 'node', f'--id={odd}', '-f', path, '-d', folder)
            proxy = self.t.start('proxy', 'proxy', f'--id={odd}', '-f', path, '-p', port, '-d', folder / 'proxy')
            proxy.ready(port)
            until(20, 'a write', lambda: put(port, 'k', b'v').status == 200)
            proxy.stop()
            node.stop()
            assert healthy(port) is False
