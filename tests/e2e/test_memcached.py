"""The memcached port as stock clients and raw connections see it. The clients are Debian's, run as they are."""
import subprocess

from harness import Layout, Raw, expect, free_port, get, http_call, put, until

THREE = [['n1'], ['n2'], ['n3']]


class Client(Raw):
    """Says a request, and gives what is answered up to the end of a line or block."""

    def line(self):
        while b'\r\n' not in self.buffer:
            if not self.more():
                raise AssertionError(f'closed before an answer, after {self.buffer!r}')
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line.decode()

    def say(self, text):
        self.send(text)
        return self.line()

    def lines(self, text, count):
        self.send(text)
        return [self.line() for _ in range(count)]

    def set(self, key, value, flags=0, time=0):
        value = value if isinstance(value, bytes) else value.encode()
        return self.say(f'set {key} {flags} {time} {len(value)}\r\n'.encode() + value + b'\r\n')

    def get(self, key, verb='get'):
        """(value, flags, cas), or None."""
        first = self.say(f'{verb} {key}\r\n')
        if first == 'END':
            return None
        words = first.split()
        assert words[0] == 'VALUE' and words[1] == key, first
        size = int(words[3])
        while len(self.buffer) < size + 2:
            assert self.more(), 'closed inside a value'
        value, self.buffer = self.buffer[:size], self.buffer[size + 2:]
        end = self.line()
        assert end == 'END', end
        return value, int(words[2]), int(words[4]) if len(words) > 4 else None

    def stats(self):
        self.send('stats\r\n')
        found = {}
        while (line := self.line()) != 'END':
            _, name, value = line.split(' ', 2)
            found[name] = value
        return found


def equal(found, wanted):
    assert found == wanted, f'expected {wanted!r}, got {found!r}'


class _Cluster:
    layout = Layout(THREE, per_key=3)

    def setup(self):
        self.port = free_port()
        _, (self.http,) = self.t.cluster(self.layout, '--memcached', self.port)

    def client(self):
        return Client(self.port)


class Protocol(_Cluster):
    def test_values_of_every_kind_come_back_with_their_flags(self):
        with self.client() as c:
            for key, value, flags in (('empty', b'', 0), ('lines', b'a\r\nEND\r\nb', 1), ('flags', b'x', 4294967295),
                                      ('bytes', bytes(range(256)), 65536), ('k' * 250, b'long key', 7)):
                equal(c.set(key, value, flags), 'STORED')
                equal(c.get(key), (value, flags, None))

    def test_large_values_pass_both_ways(self):
        with self.client() as c:
            for size in (65536, 262144, 262145, 1 << 20, 5_000_000):
                value = bytes([size % 251]) * size
                equal(c.set(f'large{size}', value, 3), 'STORED')
                equal(c.get(f'large{size}'), (value, 3, None))

    def test_unknown_and_wrong_commands_leave_the_connection_open(self):
        with self.client() as c:
            equal(c.say('nonsense\r\n'), 'ERROR')
            equal(c.say('get\r\n'), 'ERROR')
            equal(c.say('set k x 0 7\r\nversion\r\n'), 'CLIENT_ERROR bad command line format')
            equal(c.say('set k 0 0 2\r\nabc\r\n'), 'CLIENT_ERROR bad data chunk')
            equal(c.say('get ' + 'k' * 251 + '\r\n'), 'CLIENT_ERROR bad command line format')
            assert c.say('version\r\n').startswith('VERSION 1.6')
            equal(c.say('verbosity 1\r\n'), 'OK')
            equal(c.say('mn\r\n'), 'MN')

    def test_delete_says_whether_there_was_anything(self):
        with self.client() as c:
            equal(c.say('delete nothing\r\n'), 'NOT_FOUND')
            c.set('d', 'x')
            equal(c.say('delete d\r\n'), 'DELETED')
            equal(c.get('d'), None)
            equal(c.say('delete d\r\n'), 'NOT_FOUND')

    def test_a_line_of_many_gets_has_a_cas_for_each(self):
        with self.client() as c:
            keys = [f'many{i}' for i in range(100)]
            for key in keys:
                c.set(key, key)
            c.send('gets ' + ' '.join(keys) + ' absent\r\n')
            seen = set()
            while (line := c.line()) != 'END':
                _, key, _, size, unique = line.split()
                equal(c.line(), key)
                assert int(unique) > 0
                seen.add(key)
            equal(seen, set(keys))

    def test_keys_are_shared_with_http(self):
        with self.client() as c:
            expect(put(self.http, 'shared/key', b'41', headers={'Content-Type': 'text/plain'}), 200)
            equal(c.get('shared/key'), (b'41', 0, None))
            c.set('shared/key', 'anew', flags=2)
            expect(get(self.http, 'shared/key'), 200, b'anew')
            expect(http_call(self.http, 'DELETE', '/values/shared/key'), 204)
            equal(c.get('shared/key'), None)

    def test_statistics_mean_something(self):
        with self.client() as c:
            before = c.stats()
            c.set('stat', 'x')
            c.get('stat')
            c.get('no-stat')
            after = c.stats()
            grown = {n: int(after[n]) - int(before[n]) for n in ('cmd_set', 'get_hits', 'get_misses', 'cmd_get')}
            equal(grown, {'cmd_set': 1, 'get_hits': 1, 'get_misses': 1, 'cmd_get': 2})
            assert int(after['curr_connections']) >= 1
            assert int(after['bytes_read']) > int(before['bytes_read'])
            equal(c.say('stats nonsense\r\n'), 'ERROR')
            equal(c.say('stats reset\r\n'), 'RESET')

    def test_flush_all_deletes_every_key(self):
        with self.client() as c:
            for i in range(300):
                c.send(f'set f{i} 0 0 1 noreply\r\nx\r\n')
            expect(put(self.http, 'of/http', b'x'), 200)
            assert c.say('flush_all 60\r\n').startswith('SERVER_ERROR')
            equal(c.get('f0'), (b'x', 0, None))
            equal(c.say('flush_all\r\n'), 'OK')
            equal(c.say('get ' + ' '.join(f'f{i}' for i in range(300)) + '\r\n'), 'END')
            equal(get(self.http, 'of/http').status, 404)
            equal(c.set('f0', 'y'), 'STORED')
            c.send('flush_all noreply\r\n')
            equal(c.get('f0'), None)

    def test_the_binary_protocol_is_refused_in_words(self):
        with self.client() as c:
            assert c.say(b'\x80\x0b' + bytes(22)).startswith('CLIENT_ERROR')
            assert c.closed()

    def test_a_flood_of_noreply_takes_no_memory(self):
        server = self.t.servers[0]
        with self.client() as c:
            c.set('flood', '0')
            before = server.memory_mib()
            block = b'set flood 0 0 1000 noreply\r\n' + b'f' * 1000 + b'\r\n'
            for _ in range(20):
                c.send(block * 100)
            equal(c.get('flood')[0], b'f' * 1000)
            assert server.memory_mib() - before < 100, (before, server.memory_mib())


def run(command, seconds=120, **options):
    done = subprocess.run(command, capture_output=True, timeout=seconds, **options)
    return done.returncode, (done.stdout + done.stderr).decode(errors='replace')


class StockClients(_Cluster):
    def test_the_tools_of_libmemcached(self):
        server = f'--servers=127.0.0.1:{self.port}'
        path = self.t.write('tool-file', 'of a tool\n' * 1000)
        code, out = run(['memccp', server, str(path)])
        equal((code, out), (0, ''))
        code, out = run(['memccat', server, 'tool-file'])
        assert code == 0 and out.startswith('of a tool\n' * 1000), out[-300:]
        equal(run(['memcrm', server, 'tool-file'])[0], 0)
        code, out = run(['memcstat', server])
        assert code == 0 and 'cmd_get' in out, out[-300:]
