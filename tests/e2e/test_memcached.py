"""The memcached port as raw connections see it."""
import threading

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


class MemcachedCluster:
    layout = Layout(THREE, per_key=3)

    def setup(self):
        self.port = free_port()
        _, (self.http,) = self.t.cluster(self.layout, '--memcached', self.port)

    def client(self):
        return Client(self.port)


class Protocol(MemcachedCluster):
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

    def test_add_and_replace(self):
        with self.client() as c:
            equal(c.say('replace ar 0 0 1\r\nx\r\n'), 'NOT_STORED')
            equal(c.say('add ar 5 0 1\r\na\r\n'), 'STORED')
            equal(c.say('add ar 6 0 1\r\nb\r\n'), 'NOT_STORED')
            equal(c.get('ar'), (b'a', 5, None))
            equal(c.say('replace ar 7 0 0\r\n\r\n'), 'STORED')
            equal(c.get('ar'), (b'', 7, None))
            large = b'z' * 300_000
            equal(c.say(b'add large-add 1 0 300000\r\n' + large + b'\r\n'), 'STORED')
            equal(c.get('large-add'), (large, 1, None))
            equal(c.say(b'add large-add 1 0 300000\r\n' + large + b'\r\n'), 'NOT_STORED')

    def test_append_and_prepend_keep_flags(self):
        with self.client() as c:
            equal(c.say('append ap 0 0 1\r\nx\r\n'), 'NOT_STORED')
            c.set('ap', 'b', flags=9)
            equal(c.say('append ap 1 0 1\r\nc\r\n'), 'STORED')
            equal(c.say('prepend ap 2 0 1\r\na\r\n'), 'STORED')
            equal(c.get('ap'), (b'abc', 9, None))

    def test_large_values_are_appended_to_and_touched(self):
        def join(c, verb, key, value):
            return c.say(f'{verb} {key} 0 0 {len(value)}\r\n'.encode() + value + b'\r\n')

        with self.client() as c:
            first, front, behind = b'a' * 300_000, b'b' * 400_000, b'c' * 262_144
            equal(c.set('la', first, flags=3), 'STORED')
            equal(join(c, 'append', 'la', b'end'), 'STORED')
            equal(join(c, 'prepend', 'la', front), 'STORED')
            equal(join(c, 'append', 'la', behind), 'STORED')
            whole = front + first + b'end' + behind
            equal(c.get('la'), (whole, 3, None))
            c.set('grows', b'x' * 200_000)
            equal(join(c, 'append', 'grows', b'y' * 100_000), 'STORED')
            equal(c.get('grows'), (b'x' * 200_000 + b'y' * 100_000, 0, None))
            equal(join(c, 'append', 'nothing', front), 'NOT_STORED')
            equal(c.say('touch la 1000\r\n'), 'TOUCHED')
            left = int(c.say('mg la t\r\n').split()[1][1:])
            assert 900 < left <= 1000, left
            value, flags, cas = c.get('la', 'gats 0')
            equal((value, flags), (whole, 3))
            equal(c.say('mg la t\r\n'), 'HD t-1')
            equal(c.get('la', 'gets')[2], cas)
            equal(c.say('touch la -1\r\n'), 'TOUCHED')
            equal(c.get('la'), None)

    def test_many_append_to_one_large_value(self):
        with self.client() as c:
            equal(c.set('shared', b'.' * 300_000), 'STORED')
        stored = []

        def append(number):
            with self.client() as mine:
                for i in range(5):
                    mark = f'<{number},{i}>'.encode()
                    answer = mine.say(f'append shared 0 0 {len(mark)}\r\n'.encode() + mark + b'\r\n')
                    assert answer == 'STORED' or 'others write' in answer, answer
                    if answer == 'STORED':
                        stored.append(mark)

        threads = [threading.Thread(target=append, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        with self.client() as c:
            value = c.get('shared')[0]
        marks = value[300_000:]
        assert len(stored) >= 5, stored
        equal(len(marks), sum(len(mark) for mark in stored))
        for mark in stored:
            equal(marks.count(mark), 1)

    def test_cas_tells_changed_from_absent(self):
        with self.client() as c:
            equal(c.say('cas cas 0 0 1 1\r\nx\r\n'), 'NOT_FOUND')
            equal(c.get('cas'), None)
            c.set('cas', 'one')
            _, _, unique = c.get('cas', 'gets')
            assert 0 < unique < 1 << 63
            equal(c.say(f'cas cas 0 0 3 {unique}\r\ntwo\r\n'), 'STORED')
            equal(c.say(f'cas cas 0 0 5 {unique}\r\nthree\r\n'), 'EXISTS')
            value, _, newer = c.get('cas', 'gets')
            equal(value, b'two')
            assert newer != unique

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

    def test_counters_are_64_bits(self):
        with self.client() as c:
            equal(c.say('incr n 1\r\n'), 'NOT_FOUND')
            c.set('n', '10', flags=3)
            equal(c.say('incr n 5\r\n'), '15')
            equal(c.say('decr n 100\r\n'), '0')
            c.set('n', '18446744073709551615')
            equal(c.say('incr n 2\r\n'), '1')
            c.set('n', 'word')
            equal(c.say('incr n 1\r\n'), 'CLIENT_ERROR cannot increment or decrement non-numeric value')
            equal(c.say('incr n x\r\n'), 'CLIENT_ERROR invalid numeric delta argument')

    def test_expiry_is_seen_by_all_and_can_be_moved(self):
        with self.client() as c:
            equal(c.set('past', 'x', time=-1), 'STORED')
            equal(c.get('past'), None)
            equal(c.set('old', 'x', time=1_000_000_000), 'STORED')
            equal(c.get('old'), None)
            c.set('soon', 'x', time=1)
            c.set('kept', 'y', time=1, flags=4)
            equal(c.say('touch kept 1000\r\n'), 'TOUCHED')
            equal(c.say('touch nothing 1000\r\n'), 'NOT_FOUND')
            until(5, 'it has expired', lambda: c.get('soon') is None)
            equal(get(self.http, 'soon').status, 404)
            equal(c.say('add soon 0 0 1\r\nz\r\n'), 'STORED')
            equal(c.get('kept'), (b'y', 4, None))
            equal(c.say('mg kept t\r\n').split()[0], 'HD')
            equal(c.get('kept', 'gat 0'), (b'y', 4, None))
            equal(c.say('mg kept t\r\n'), 'HD t-1')

    def test_noreply_says_nothing_and_does_it(self):
        with self.client() as c:
            c.send('set nr 0 0 1 noreply\r\n5\r\nincr nr 2 noreply\r\nappend nr 0 0 1 noreply\r\n0\r\n'
                   'touch nr 0 noreply\r\ndelete nothing noreply\r\nverbosity 1 noreply\r\n')
            equal(c.get('nr'), (b'70', 0, None))

    def test_meta_commands(self):
        with self.client() as c:
            equal(c.lines('ms m 2 F7 T0 c k Oq1\r\nhi\r\n', 1)[0].split()[0], 'HD')
            equal(c.lines('mg m v f s t k Oq2\r\n', 2), ['VA 2 f7 s2 t-1 km Oq2', 'hi'])
            equal(c.lines('mg absent v q\r\nmn\r\n', 1), ['MN'])
            equal(c.say('mg absent v\r\n'), 'EN')
            equal(c.say('ms m 1 ME\r\nx\r\n'), 'NS')
            equal(c.say('ms m 1 C1\r\nx\r\n'), 'EX')
            unique = c.say('mg m c\r\n').split()[1][1:]
            equal(c.say(f'ms m 1 C{unique}\r\n4\r\n'), 'HD')
            equal(c.lines('ma m v D5\r\n', 2), ['VA 1', '9'])
            equal(c.lines('ma counter N0 J13 v\r\n', 2), ['VA 2', '13'])
            equal(c.say('md m q\r\nmn\r\n'), 'MN')
            equal(c.say('md m\r\n'), 'NF')
            equal(c.say('ms AP8K 1 b\r\nx\r\n'), 'HD')
            equal(get(self.http, '%00%FF%0A').body, b'x')

    def test_keys_are_shared_with_http(self):
        with self.client() as c:
            expect(put(self.http, 'shared/key', b'41', headers={'Content-Type': 'text/plain'}), 200)
            equal(c.get('shared/key'), (b'41', 0, None))
            equal(c.say('incr shared/key 1\r\n'), '42')
            answer = expect(get(self.http, 'shared/key'), 200, b'42')
            equal(answer.headers['content-type'], 'text/plain')
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

    def test_an_http_request_is_hung_up_on_and_nothing_in_it_is_carried_out(self):
        body = 'set smuggled 0 0 1\r\nx\r\nflush_all\r\n'
        with self.client() as watch:
            watch.set('kept', 'y')
            for line in ('POST / HTTP/1.1', 'PUT /values/a HTTP/1.0', f'GET /{"a" * 4000} HTTP/1.1'):
                with self.client() as c:
                    c.send(f'{line}\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}')
                    try:
                        while c.more():
                            pass
                    except ConnectionError:
                        pass
                    equal(c.buffer, b'')
            equal(watch.get('smuggled'), None)
            equal(watch.get('kept'), (b'y', 0, None))

    def test_keys_hold_control_characters(self):
        with self.client() as c:
            key = 'a\x01\t\x7f\x1bé'
            equal(c.set(key, 'odd'), 'STORED')
            equal(c.say(f'add {key} 0 0 1\r\nx\r\n'), 'NOT_STORED')
            equal(get(self.http, 'a%01%09%7F%1B%C3%A9').body, b'odd')

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


class Failures:
    """Three proxies of their own over nodes of their own, one of which is killed."""

    def setup(self):
        self.layout = Layout(THREE, per_key=3)
        config = self.t.write('cluster.yaml', self.layout.text())
        self.nodes = {n: self.t.start(n, 'node', '-i', n, '-f', config, '-d', self.t.folder / n)
                      for n in self.layout.nodes}
        self.ports = []
        for i in range(3):
            http, port = free_port(), free_port()
            proxy = self.t.start(f'p{i}', 'proxy', '-i', f'p{i}', '-f', config, '-d', self.t.folder / f'p{i}',
                                 '-p', http, '--memcached', port, '--listen', '127.0.0.1')
            proxy.ready(http)
            self.ports.append(port)
        self.http = http

    def all_vote(self):
        nodes = http_call(self.http, 'GET', '/status').json()['nodes']
        return len(nodes) == 3 and all(n.get('voting_partitions') == 65536 for n in nodes)

    def test_sixteen_clients_count_exactly_while_a_node_is_killed(self):
        until(60, 'all nodes vote', self.all_vote, every=0.3)
        with Client(self.ports[0]) as c:
            equal(c.say('add counter 0 0 1\r\n0\r\n'), 'STORED')
        seen, unknown, killed = [], [], threading.Event()

        def count(port):
            with Client(port, seconds=60) as client:
                more = 20
                while more:
                    more -= killed.is_set()
                    answer = client.say('incr counter 1\r\n')
                    if answer.isdigit():
                        seen.append(int(answer))
                    else:
                        assert answer.startswith('SERVER_ERROR'), answer
                        unknown.append(answer)

        threads = [threading.Thread(target=count, args=(self.ports[i % 3],)) for i in range(16)]
        for thread in threads:
            thread.start()
        try:
            until(60, 'a hundred were counted, and all nodes vote', lambda: len(seen) > 100 and self.all_vote())
            self.nodes['n2'].kill()
        finally:
            killed.set()
            for thread in threads:
                thread.join(200)
        assert not any(thread.is_alive() for thread in threads), (len(seen), unknown[-3:])
        assert len(set(seen)) == len(seen), 'two were told the same number'
        with Client(self.ports[1], seconds=60) as c:
            total = int(c.say('incr counter 0\r\n'))
        assert len(seen) <= total <= len(seen) + len(unknown), (len(seen), total, unknown[:3])
        assert len(seen) > 100 + 8 * 20, (len(seen), len(unknown), unknown[:3])

    def test_too_few_replicas_are_said_and_the_connection_stays(self):
        self.nodes['n3'].kill()  # n2 is dead already
        with Client(self.ports[0], seconds=60) as c:
            answer = c.say('incr counter 1\r\n')
            assert answer.startswith('SERVER_ERROR '), answer
            answer = c.say('set alone 0 0 1\r\nx\r\n')
            assert answer.startswith('SERVER_ERROR '), answer
            assert c.say('version\r\n').startswith('VERSION')
