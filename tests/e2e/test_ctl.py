"""`tako ctl`: the verbs, their exit codes, and their output for people and for programs."""
import json
import random

from harness import FOUR, Layout, expect, free_port, get, put, until


class Verbs:
    def setup(self):
        self.layout = Layout(FOUR, coordinators=['c1'])
        self.server, (self.port,) = self.t.cluster(self.layout)
        self.config = self.t.folder / 'cluster.yaml'
        self.proxy = f'http://127.0.0.1:{self.port}'

    def ctl(self, *arguments, input=None, code=0):
        got, out, err = self.t.run('ctl', *arguments, input=input, TAKO_PROXY=self.proxy)
        assert got == code, (arguments, got, out, err)
        assert '\x1b' not in out + err, 'colour is for terminals'
        return out, err

    def test_put_and_get(self):
        path = self.t.folder / 'value'
        path.write_bytes(bytes(range(256)) * 1000)
        self.ctl('put', 'from a file', path)
        self.ctl('get', 'from a file', '-o', self.t.folder / 'back')
        assert (self.t.folder / 'back').read_bytes() == path.read_bytes()
        expect(get(self.port, 'from%20a%20file'), 200, path.read_bytes())

    def test_put_reads_standard_input_and_get_writes_standard_output(self):
        self.ctl('put', 'piped', input=b'through a pipe')
        assert self.ctl('get', 'piped')[0] == 'through a pipe'

    def test_keys_are_taken_as_they_are(self):
        for key in ('a/b//c', 'a+b', '100%', 'ä €', '?w=one', '#', '%2F', 'a b'):
            self.ctl('put', key, input=key.encode())
            assert self.ctl('get', key)[0] == key, key

    def test_absent_is_exit_1(self):
        out, err = self.ctl('get', 'never', code=1)
        assert out == '' and err.count('\n') == 1, (out, err)
        out, err = self.ctl('stat', 'never', code=1)  # who was asked, and what they said, is shown all the same
        assert 'absent' in out and err.count('\n') == 1, (out, err)

    def test_rm(self):
        self.ctl('put', 'doomed', input=b'x')
        self.ctl('rm', 'doomed')
        self.ctl('get', 'doomed', code=1)

    def test_stat_shows_every_replica(self):
        written = put(self.port, 'st', b'12345', '?w=all')
        out, _ = self.ctl('stat', 'st')
        assert str(written.timestamp) in out or '5' in out, out
        stat = json.loads(self.ctl('stat', 'st', '--json')[0])
        assert stat['timestamp'] == written.timestamp and stat['size'] == 5 and len(stat['replicas']) == 4, stat
        for node in self.layout.nodes:
            assert node in out, out

    def test_locate_needs_no_cluster(self):
        code, out, err = self.t.run('ctl', 'locate', 'some/key', '-f', self.config, TAKO_PROXY='http://127.0.0.1:1')
        assert code == 0 and 'b1' in out and 'n1' in out, (code, out, err)
        code, out, _ = self.t.run('ctl', 'locate', 'some/key', '-f', self.config, '--json')
        assert code == 0 and json.loads(out), out

    def test_ways_to_find_the_cluster(self):
        expect(put(self.port, 'way', b'v'), 200)
        coordinator = f"127.0.0.1:{self.layout.coordinators['c1']}"
        for how in (['--proxy', self.proxy], ['-f', self.config], ['-c', coordinator]):
            code, out, err = self.t.run('ctl', 'get', 'way', *how, TAKO_PROXY='http://127.0.0.1:1')
            assert (code, out) == (0, 'v'), (how, code, out, err)

    def test_a_cluster_that_is_not_there_is_exit_1_and_one_line(self):
        for arguments in (['get', 'k'], ['status'], ['put', 'k']):
            code, _, err = self.t.run('ctl', *arguments, '--proxy', f'http://127.0.0.1:{free_port()}', input=b'v')
            assert code == 1 and err.count('\n') == 1, (arguments, code, err)

    def test_config_show_and_validate(self):
        out, _ = self.ctl('config', 'show')
        path = self.t.write('shown.yaml', out)
        self.ctl('config', 'validate', path)
        for node in self.layout.nodes:
            assert node in out

    def test_status_knows_every_node(self):
        out, _ = self.ctl('status')
        for node in self.layout.nodes:
            assert node in out, out
        assert json.loads(self.ctl('status', '--json')[0])

    def test_push_through_the_cluster_and_back(self):
        path = self.t.write('pushed.yaml', self.layout.text(extra='background_repair_interval: 23m'))
        coordinator = f"127.0.0.1:{self.layout.coordinators['c1']}"
        code, out, err = self.t.run('ctl', 'config', 'push', path, '-c', coordinator)
        assert code == 0, (out, err)
        until(10, 'the new configuration', lambda: '23' in self.ctl('config', 'show')[0])

    def test_a_broken_push_is_refused_before_anything_happens(self):
        path = self.t.write('broken.yaml', 'active_deployment: nothing\n')
        code, _, err = self.t.run('ctl', 'config', 'push', path, '-f', self.config)
        assert code == 2 and 'broken.yaml' in err and err.count('\n') == 1, (code, err)


class Transfers:
    """Files of more than a piece, up and down, and down again where it was interrupted."""

    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))
        self.value = random.Random(4).randbytes((9 << 20) + 4321)
        self.path = self.t.folder / 'value'
        self.path.write_bytes(self.value)
        self.back = self.t.folder / 'back'
        self.part, self.note = self.t.folder / 'back.part', self.t.folder / 'back.part.etag'
        self.ways = (['--proxy', f'http://127.0.0.1:{self.port}'], ['-f', self.t.folder / 'cluster.yaml'])

    def ctl(self, *arguments, input=None, code=0):
        got, out, err = self.t.run('ctl', *arguments, input=input)
        assert got == code and '\x1b' not in out + err, (arguments, got, out[:500], err)
        return err

    def test_files_and_pipes_up_and_down(self):
        for i, way in enumerate(self.ways):
            self.ctl('put', f'file{i}', self.path, *way)
            self.ctl('put', f'pipe{i}', *way, input=self.value)
            for key in (f'file{i}', f'pipe{i}'):
                expect(get(self.port, key), 200, self.value)
                self.ctl('get', key, '-o', self.back, *way)
                assert self.back.read_bytes() == self.value, key
                assert not self.part.exists() and not self.note.exists()

    def test_an_interrupted_download_goes_on(self):
        etag = expect(put(self.port, 'k', self.value), 200).headers['etag']
        for way in self.ways:
            for there in (1, 3 << 20, len(self.value) - 1, len(self.value)):
                self.part.write_bytes(self.value[:there])
                self.note.write_text(etag)
                self.ctl('get', 'k', '-o', self.back, *way)
                assert self.back.read_bytes() == self.value, there
                assert not self.part.exists() and not self.note.exists()

    def test_a_part_of_another_version_is_begun_anew(self):
        old = expect(put(self.port, 'k2', b'old' * 100000), 200).headers['etag']
        expect(put(self.port, 'k2', self.value), 200)
        for way in self.ways:
            self.part.write_bytes(b'old' * 100)
            self.note.write_text(old)
            self.ctl('get', 'k2', '-o', self.back, *way)
            assert self.back.read_bytes() == self.value

    def test_a_damaged_part_is_noticed(self):
        etag = expect(put(self.port, 'k3', self.value), 200).headers['etag']
        self.back.write_bytes(b'as it was')
        self.part.write_bytes(b'x' * 1000)
        self.note.write_text(etag)
        err = self.ctl('get', 'k3', '-o', self.back, *self.ways[0], code=1)
        assert 'checksum' in err and err.count('\n') == 1, err
        assert self.back.read_bytes() == b'as it was' and not self.part.exists()
        self.ctl('get', 'k3', '-o', self.back, *self.ways[0])
        assert self.back.read_bytes() == self.value

    def test_nothing_is_left_of_what_is_not_there(self):
        self.back.write_bytes(b'as it was')
        self.ctl('get', 'never', '-o', self.back, *self.ways[0], code=1)
        assert self.back.read_bytes() == b'as it was' and not self.part.exists() and not self.note.exists()
