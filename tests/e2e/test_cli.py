"""The command line: versions, helps, wrong usage, and files that are wrong."""
import pathlib
import re

from harness import ONE, FOUR, Layout, free_port, expect, get, http_call, put

CONF = pathlib.Path(__file__).resolve().parents[2] / 'conf'
ROLES = ['node', 'proxy', 'coordinator', 'cluster', 'ctl']


def one_line(text, *words):
    """An error message: one line, no back-trace, and it says `words`."""
    assert re.fullmatch(r'[^\n]{10,}\n', text), f'one line was expected, not {text!r}'
    for word in words:
        assert word in text, f'{word!r} is missing in {text!r}'


class Help:
    def test_version(self):
        code, out, err = self.t.run('--version')
        assert (code, err) == (0, '') and re.search(r'\d+\.\d+', out), (code, out, err)

    def test_help_lists_every_subcommand(self):
        code, out, _ = self.t.run('--help')
        assert code == 0
        for role in ROLES:
            assert role in out, out

    def test_help_of_every_subcommand_has_an_example(self):
        for role in ROLES:
            code, out, _ = self.t.run(role, '--help')
            assert code == 0 and re.search(rf'tako {role} \S', out), (role, out)

    def test_help_of_every_verb(self):
        for verb in ['get', 'put', 'rm', 'stat', 'locate', 'config', 'status']:
            code, out, _ = self.t.run('ctl', verb, '--help')
            assert code == 0 and verb in out, (verb, out)


class WrongUsage:
    def wrong(self, *arguments, words=(), **environment):
        code, out, err = self.t.run(*arguments, **environment)
        assert code == 2, (arguments, code, out, err)
        one_line(err, *words)

    def test_no_or_unknown_subcommand(self):
        code, out, err = self.t.run()
        assert code == 2 and 'tako' in out + err, (code, out, err)
        self.wrong('bake', words=['bake'])

    def test_unknown_option(self):
        config = CONF / 'local_cluster.yaml'
        for arguments in (['node', '-i', 'n1', '-f', config], ['proxy', '-f', config], ['cluster', config],
                          ['coordinator', '-i', 'c1', '-f', config], ['ctl', 'status']):
            self.wrong(*arguments, '--bake', words=['--bake'])

    def test_ports_out_of_range_or_no_numbers(self):
        config = CONF / 'standalone.yaml'
        for port in ['70000', '-1', 'http']:
            self.wrong('cluster', config, '-p', port)
            self.wrong('proxy', '-i', 'p1', '-f', config, '-p', port)

    def test_numbers_are_whole_and_not_below_zero(self):
        for wrong in ('-1', '1.5', 'soon', '99999999999999999999'):
            self.wrong('ctl', 'put', 'key', '--ttl', wrong, words=['--ttl', wrong])
        self.wrong('ctl', 'bucket', 'add', 'b', 'n=h:1', '--weight', '-3', words=['--weight', '-3'])
        self.wrong('ctl', 'bucket', 'add', 'b', 'n=h:1', '--weight', '0', words=['--weight', 'above 0'])

    def test_a_port_from_the_environment_is_checked_too(self):
        self.wrong('cluster', CONF / 'standalone.yaml', TAKO_PORT='70000')

    def test_missing_id_or_configuration(self):
        self.wrong('node')
        self.wrong('node', '-i', 'n1')
        self.wrong('node', '-f', CONF / 'standalone.yaml')
        self.wrong('proxy', '-i', 'p1')
        self.wrong('coordinator')
        self.wrong('cluster')

    def test_an_id_that_the_configuration_does_not_know(self):
        code, _, err = self.t.run('node', '-i', 'n77', '-f', CONF / 'standalone.yaml', '-d', self.t.folder / 'n77')
        assert code in (1, 2), code
        one_line(err.strip().split('\n')[-1] + '\n', 'n77')
        self.wrong('coordinator', '-i', 'c77', '-f', CONF / 'local_cluster.yaml', words=['c77'])
        self.wrong('cluster', CONF / 'standalone.yaml', '--skip', 'n77', '-p', free_port(), words=['n77'])

    def test_a_coordinator_without_a_port(self):
        self.wrong('node', '-i', 'n1', '-c', 'localhost', words=['localhost'])
        self.wrong('node', '-i', 'n1', '-c', 'localhost:99999', words=['99999'])

    def test_a_log_level_that_does_not_exist(self):
        self.wrong('cluster', CONF / 'standalone.yaml', '-v', 'loud', words=['loud'])

    def test_a_file_that_does_not_exist(self):
        self.wrong('cluster', 'nothing.yaml', words=['nothing.yaml'])
        self.wrong('ctl', 'config', 'validate', 'nothing.yaml', words=['nothing.yaml'])

    def test_ctl_without_a_verb_or_with_an_unknown_one(self):
        self.wrong('ctl')
        self.wrong('ctl', 'bake', words=['bake'])
        self.wrong('ctl', 'get')
        self.wrong('ctl', 'config')


# What is wrong with it -> the file, and words that the message must say (the line, first of all).
BROKEN = {
    'not YAML': ('a: [b\n', []),
    'empty': ('', []),
    'a list': ('- a\n- b\n', []),
    'no active deployment': ('deployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 1]\n',
                             ['active_deployment']),
    'no deployments': ('active_deployment: d\n', ['deployments']),
    'active names nothing': ('active_deployment: e\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 1]\n',
                             [':1:', 'e']),
    'target names nothing': ('active_deployment: d\ntarget_deployment: e\ndeployments:\n  d:\n    buckets:\n'
                             '      b1:\n        n1: [h, 1]\n', [':2:', 'e']),
    'unknown key at the top': ('active_deployment: d\nbuckets: 3\ndeployments:\n  d:\n    buckets:\n'
                               '      b1:\n        n1: [h, 1]\n', [':2:', 'buckets']),
    'unknown key in a deployment': ('active_deployment: d\ndeployments:\n  d:\n    read_repairs: yes\n    buckets:\n'
                                    '      b1:\n        n1: [h, 1]\n', [':4:', 'read_repairs']),
    'unknown key in hash': ('active_deployment: d\ndeployments:\n  d:\n    hash:\n      bucket_per_key: 2\n'
                            '    buckets:\n      b1:\n        n1: [h, 1]\n', [':5:', 'bucket_per_key']),
    'a node twice': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 1]\n'
                     '      b2:\n        n1: [h, 1]\n', [':8:', 'n1']),
    'a key twice': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 1]\n'
                    '        n1: [h, 2]\n', [':7:', 'n1']),
    'one id with two addresses': ('active_deployment: d\ntarget_deployment: e\ndeployments:\n  d:\n    buckets:\n'
                                  '      b1:\n        n1: [h, 1]\n  e:\n    buckets:\n      b1:\n        n1: [h, 2]\n',
                                  [':11:', 'n1']),
    'one address for two nodes': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n'
                                  '        n1: [h, 1]\n        n2: [h, 1]\n', [':7:']),
    'port 70000': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 70000]\n',
                   [':6:', '70000']),
    'port 0': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 0]\n', [':6:', '0']),
    'port that is no number': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n'
                               '        n1: [h, http]\n', [':6:', 'http']),
    'address of one part': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n1: [h]\n',
                            [':6:', 'n1']),
    'address of four parts': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n'
                              '        n1: [h, 1, 2, 3]\n', [':6:', 'n1']),
    'an empty bucket': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1: {}\n', ['b1']),
    'no buckets': ('active_deployment: d\ndeployments:\n  d:\n    buckets: {}\n', ['buckets']),
    'an interval of nothing known': ('active_deployment: d\ndeployments:\n  d:\n    background_repair_interval: often\n'
                                     '    buckets:\n      b1:\n        n1: [h, 1]\n', [':4:', 'often']),
    'an interval without unit': ('active_deployment: d\ndeployments:\n  d:\n    background_repair_interval: 3600\n'
                                 '    buckets:\n      b1:\n        n1: [h, 1]\n', [':4:', '3600']),
    'a boolean that is none': ('active_deployment: d\ndeployments:\n  d:\n    read_repair: perhaps\n'
                               '    buckets:\n      b1:\n        n1: [h, 1]\n', [':4:', 'perhaps']),
    'no buckets per key': ('active_deployment: d\ndeployments:\n  d:\n    hash:\n      buckets_per_key: 0\n'
                           '    buckets:\n      b1:\n        n1: [h, 1]\n', [':5:', 'buckets_per_key']),
    'an id with a slash': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b1:\n        n/1: [h, 1]\n',
                           [':6:', 'n/1']),
    'an id with a space': ('active_deployment: d\ndeployments:\n  d:\n    buckets:\n      b 1:\n        n1: [h, 1]\n',
                           [':5:', 'b 1']),
    'a coordinator of three parts': ('active_deployment: d\ncoordinators:\n  c1: [h, 1, 2]\ndeployments:\n  d:\n'
                                     '    buckets:\n      b1:\n        n1: [h, 1]\n', [':3:', 'c1']),
    'a master that is none': ('active_deployment: d\ncoordinators:\n  c1: [h, 1]\nmaster_coordinator: c2\n'
                              'deployments:\n  d:\n    buckets:\n      b1:\n        n1: [h, 2]\n', [':4:', 'c2']),
}


class Files:
    def test_every_example_is_valid(self):
        files = sorted(CONF.glob('*.yaml')) + sorted(CONF.glob('*.json'))
        assert len(files) >= 8, files
        for path in files:
            code, out, err = self.t.run('ctl', 'config', 'validate', path)
            assert code == 0, (path, out, err)

    def test_broken_files_give_one_line_and_exit_2(self):
        for what, (text, words) in BROKEN.items():
            path = self.t.write('broken.yaml', text)
            code, out, err = self.t.run('ctl', 'config', 'validate', path)
            assert code == 2, (what, code, out, err)
            one_line(err, 'broken.yaml', *words)

    def test_servers_refuse_broken_files_alike(self):
        path = self.t.write('broken.yaml', BROKEN['port 70000'][0])
        for arguments in (['cluster', path, '-p', free_port()], ['node', '-i', 'n1', '-f', path],
                          ['proxy', '-i', 'p1', '-f', path, '-p', free_port()]):
            code, _, err = self.t.run(*arguments)
            assert code == 2, (arguments, code, err)
            one_line(err, 'broken.yaml:6:', '70000')

    def test_random_bytes_are_no_configuration(self):
        path = self.t.folder / 'random.yaml'
        path.write_bytes(bytes(range(256)) * 20)
        code, _, err = self.t.run('ctl', 'config', 'validate', path)
        assert code == 2, (code, err)
        one_line(err, 'random.yaml')


class Environment:
    def test_options_come_from_the_environment(self):
        layout, port = Layout(ONE, per_key=1), free_port()
        path = self.t.write('one.yaml', layout.text())
        server = self.t.start('cluster', 'cluster', TAKO_CONFIG=str(path), TAKO_PORT=str(port),
                              TAKO_DATA=str(self.t.folder / 'data')).ready(port)
        expect(put(port, 'k', b'v'), 200)
        assert (self.t.folder / 'data' / 'n1').is_dir()
        server.stop()

    def test_several_ports_stand_side_by_side(self):
        layout, ports = Layout(ONE, per_key=1), [free_port(), free_port()]
        path = self.t.write('one.yaml', layout.text())
        server = self.t.start('cluster', 'cluster', path, '-d', self.t.folder / 'data2',
                              TAKO_PORT=','.join(map(str, ports))).ready(*ports)
        expect(put(ports[0], 'k', b'v'), 200)
        expect(get(ports[1], 'k'), 200, b'v')
        server.stop()


class JsonFile:
    def test_a_json_configuration_runs_and_comes_back(self):
        layout = Layout(FOUR)
        buckets = {b: {n: ['127.0.0.1', layout.port[n]] for n in nodes} for b, nodes in layout.buckets.items()}
        import json
        text = json.dumps({'active_deployment': 'd',
                           'deployments': {'d': {'hash': {'buckets_per_key': 2}, 'buckets': buckets}}})
        server, (port,) = self.t.cluster(layout, config=self.t.write('cluster.json', text))
        config = http_call(port, 'GET', '/config', headers={'Accept': 'application/json'}).json()
        assert config['deployments']['d']['buckets'].keys() == buckets.keys(), config
        server.stop()
