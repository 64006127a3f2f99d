"""Values of more than a piece, over HTTP: by ranges, checked by digests, and never half visible."""
import base64
import hashlib
import os
import random
import re
import shutil
import subprocess
import time

from harness import FOUR, TWO, Layout, Raw, expect, get, http_call, put, refused, until

KIB, MIB = 1 << 10, 1 << 20
PIECE = 256 * KIB
STALLED_GROWTH_MIB_MAX = 400  # of 40 clients that stall: a MiB received, or a value of 16 MiB being sent


def some_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def b64(kind, value):
    return base64.b64encode(hashlib.new(kind, value).digest()).decode()


class Large:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def test_sizes_around_pieces(self):
        for size in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1, 5 * MIB + 12345):
            value = some_bytes(size, size)
            stored = expect(put(self.port, 'sized', value), 200, b'')
            answer = expect(get(self.port, 'sized'), 200, value)
            assert answer.headers['etag'] == stored.headers['etag']
            assert re.fullmatch('[0-9a-f]{16}', answer.headers['x-tako-checksum']), answer
            assert answer.headers['x-tako-checksum'] == stored.headers['x-tako-checksum']
            head = expect(http_call(self.port, 'HEAD', '/values/sized'), 200, b'')
            assert head.headers['content-length'] == str(size) and head.headers['accept-ranges'] == 'bytes', head

    def test_a_value_of_64_mib(self):
        value = some_bytes(MIB) * 64
        expect(put(self.port, 'large', value, seconds=120), 200)
        assert expect(get(self.port, 'large', seconds=120), 200).body == value
        expect(http_call(self.port, 'DELETE', '/values/large'), 204)
        refused(get(self.port, 'large'), 404)

    def test_chunked_bodies_of_any_size(self):
        for size in (PIECE - 1, PIECE, PIECE + 1, 3 * MIB + 17):
            value = some_bytes(size, size)
            with Raw(self.port) as raw:
                raw.send('PUT /values/chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
                for at in range(0, size, 70_001):
                    part = value[at:at + 70_001]
                    raw.send(f'{len(part):x}\r\n'.encode() + part + b'\r\n')
                raw.send('0\r\n\r\n')
                expect(raw.answer(), 200)
            expect(get(self.port, 'chunked'), 200, value)

    def test_an_upload_that_breaks_leaves_what_was_there(self):
        before = some_bytes(MIB, 7)
        expect(put(self.port, 'broken', before), 200)
        for key, status in (('broken', 200), ('broken too', 404)):
            with Raw(self.port) as raw:
                raw.send(f'PUT /values/{key.replace(" ", "%20")} HTTP/1.1\r\nHost: h\r\n'
                         f'Content-Length: {4 * MIB}\r\n\r\n')
                raw.send(some_bytes(4 * MIB - 1, 8))
            time.sleep(0.5)
            answer = expect(get(self.port, key.replace(' ', '%20')), status)
            assert status == 404 or answer.body == before

    def test_the_connection_is_kept_after_large_bodies(self):
        value = some_bytes(MIB, 9)
        with Raw(self.port) as raw:
            for _ in range(3):
                raw.send(f'PUT /values/kept HTTP/1.1\r\nHost: h\r\nContent-Length: {MIB}\r\n\r\n'.encode() + value)
                expect(raw.answer(), 200)
                raw.send('GET /values/kept HTTP/1.1\r\nHost: h\r\n\r\n')
                expect(raw.answer(), 200, value)

    def test_continue_is_said_only_where_the_body_is_wanted(self):
        with Raw(self.port) as raw:
            raw.send(f'PUT /values/x?w=none HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n'
                     f'Content-Length: {MIB}\r\n\r\n')
            refused(raw.answer(), 400)
            assert raw.closed()
        with Raw(self.port) as raw:
            raw.send(f'PUT /values/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {MIB}\r\n\r\n')
            expect(raw.answer(), 100)
            raw.send(some_bytes(MIB))
            expect(raw.answer(), 200)

    def test_digests_that_match(self):
        for size in (0, 100, MIB):
            value = some_bytes(size, size)
            for headers in ({'Content-MD5': b64('md5', value)},
                            {'Digest': f'SHA-256={b64("sha256", value)},MD5={b64("md5", value)}'},
                            {'Repr-Digest': f'sha-512=:{b64("sha512", value)}:'},
                            {'Repr-Digest': f'sha-256=:{b64("sha256", value)}:, unixsum=:AAA=:'},
                            {'Content-Digest': f'sha-256=:{b64("sha256", value)}:'}):
                expect(put(self.port, 'digest', value, headers=headers), 200)
            expect(get(self.port, 'digest'), 200, value)

    def test_digests_that_do_not_match_store_nothing(self):
        for size in (0, 100, MIB):
            value, other = some_bytes(size, size), b'other'
            for headers in ({'Content-MD5': b64('md5', other)},
                            {'Content-MD5': b64('md5', value), 'Digest': f'SHA-256={b64("sha256", other)}'},
                            {'Repr-Digest': f'sha-512=:{b64("sha512", other)}:'},
                            {'Content-MD5': hashlib.md5(value).hexdigest()},
                            {'Repr-Digest': f'sha-256={b64("sha256", value)}'}):
                refused(put(self.port, f'wrong{size}', value, headers=headers), 400)
            expect(get(self.port, f'wrong{size}'), 404)

    def test_curl_and_wget_resume(self):
        value = some_bytes(3 * MIB + 77, 3)
        expect(put(self.port, 'resumed', value), 200)
        url = f'http://127.0.0.1:{self.port}/values/resumed'
        for name, command in (('curl', ['curl', '-sS', '-C', '-', '-o', 'by-curl', url]),
                              ('wget', ['wget', '-q', '-c', '-O', 'by-wget', url])):
            if not shutil.which(name):
                continue
            path = self.t.folder / f'by-{name}'
            for there in (0, 1, PIECE, MIB + 5, len(value) - 1):
                path.write_bytes(value[:there])
                done = subprocess.run(command, cwd=self.t.folder, capture_output=True, timeout=60)
                assert done.returncode == 0 and path.read_bytes() == value, (name, there, done)


class Ranges:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(TWO))
        self.values = {'small': some_bytes(1000, 1), 'piece': some_bytes(PIECE, 2),
                       'large': some_bytes(4 * PIECE + 99, 3)}
        for key, value in self.values.items():
            expect(put(self.port, key, value, headers={'Content-Type': 'text/x-test'}), 200)

    def ask(self, key, ranges, method='GET', **headers):
        return http_call(self.port, method, f'/values/{key}',
                         headers={'Range': ranges, **{k.replace('_', '-'): v for k, v in headers.items()}})

    def one(self, key, ranges, begin, end):
        value = self.values[key]
        answer = expect(self.ask(key, ranges), 206, value[begin:end])
        assert answer.headers['content-range'] == f'bytes {begin}-{end - 1}/{len(value)}', answer
        assert answer.headers['content-type'] == 'text/x-test' and 'etag' in answer.headers, answer

    def test_one_range(self):
        for key, value in self.values.items():
            size = len(value)
            self.one(key, 'bytes=0-0', 0, 1)
            self.one(key, 'bytes=0-', 0, size)
            self.one(key, f'bytes={size - 1}-', size - 1, size)
            self.one(key, 'bytes=-7', size - 7, size)
            self.one(key, f'bytes=-{size + 5}', 0, size)
            self.one(key, f'bytes=500-{size + 5}', 500, size)
        for begin, end in ((PIECE - 1, PIECE + 1), (PIECE, 2 * PIECE), (10, 3 * PIECE + 10),
                           (4 * PIECE, 4 * PIECE + 1)):
            self.one('large', f'bytes={begin}-{end - 1}', begin, end)

    def test_random_ranges(self):
        draw = random.Random(5)
        for _ in range(60):
            key = draw.choice(list(self.values))
            begin = draw.randrange(len(self.values[key]))
            end = draw.randrange(begin, len(self.values[key])) + 1
            self.one(key, f'bytes={begin}-{end - 1}', begin, end)

    def test_several_ranges(self):
        for key, value in self.values.items():
            spans = [(0, 10), (500, 501), (len(value) - 20, len(value))]
            answer = expect(self.ask(key, 'bytes=0-9,500-500,-20'), 206)
            boundary = re.fullmatch(r'multipart/byteranges; boundary=(\S+)', answer.headers['content-type'])[1].encode()
            parts = answer.body.split(b'\r\n--' + boundary)
            assert parts[0] == b'' and parts[-1] == b'--\r\n' and len(parts) == 5, answer
            for part, (begin, end) in zip(parts[1:], spans):
                head, _, body = part.partition(b'\r\n\r\n')
                assert body == value[begin:end], (key, begin)
                assert f'content-range: bytes {begin}-{end - 1}/{len(value)}' in head.decode().lower(), head
                assert 'content-type: text/x-test' in head.decode().lower(), head

    def test_large_parts(self):
        answer = expect(self.ask('large', f'bytes=0-{2 * PIECE - 1},{2 * PIECE + 5}-'), 206)
        value = self.values['large']
        assert value[:2 * PIECE] in answer.body and value[2 * PIECE + 5:] in answer.body

    def test_what_no_value_has_is_416(self):
        for key, value in self.values.items():
            for ranges in (f'bytes={len(value)}-', 'bytes=-0', f'bytes={10**30}-'):
                answer = refused(self.ask(key, ranges), 416)
                assert answer.headers['content-range'] == f'bytes */{len(value)}', answer
        put(self.port, 'empty', b'')
        refused(self.ask('empty', 'bytes=0-'), 416)

    def test_what_cannot_be_read_or_asks_for_too_much_is_the_whole(self):
        many = ','.join(f'{2 * i}-{2 * i}' for i in range(65))
        for ranges in ('bytes', 'bytes=', 'bytes=2-1', 'lines=0-1', 'bytes=0-,0-', 'bytes=' + many):
            answer = expect(self.ask('small', ranges), 200, self.values['small'])
            assert 'content-range' not in answer.headers

    def test_head_ignores_ranges(self):
        answer = expect(self.ask('large', 'bytes=0-0', method='HEAD'), 200, b'')
        assert answer.headers['content-length'] == str(len(self.values['large']))

    def test_if_range(self):
        etag = get(self.port, 'small').headers['etag']
        value = self.values['small']
        expect(self.ask('small', 'bytes=5-9', If_Range=etag), 206, value[5:10])
        expect(self.ask('small', 'bytes=5-9', If_Range='"another"'), 200, value)
        expect(self.ask('small', 'bytes=5-9', If_Range='W/' + etag), 200, value)
        date = until(5, 'a second to pass', lambda: self.ask(
            'small', 'bytes=5-9', If_Range=get(self.port, 'small').headers['last-modified']).status == 206)
        assert date
        expect(self.ask('small', 'bytes=5-9', If_Range='Fri, 18 Mar 2011 22:06:54 GMT'), 200, value)

    def test_conditions_of_reads(self):
        for method in ('GET', 'HEAD'):
            for key in self.values:
                found = http_call(self.port, method, f'/values/{key}')
                etag, date = found.headers['etag'], found.headers['last-modified']

                def ask(**headers):
                    return http_call(self.port, method, f'/values/{key}',
                                     headers={k.replace('_', '-'): v for k, v in headers.items()})
                answer = expect(ask(If_None_Match=etag), 304, b'')
                assert answer.headers['etag'] == etag, answer
                expect(ask(If_None_Match='"a", W/' + etag), 304)
                expect(ask(If_None_Match='"a"'), 200)
                expect(ask(If_Match=etag), 200)
                expect(ask(If_Match='"a"'), 412)
                expect(ask(If_Modified_Since=date), 304)
                expect(ask(If_Modified_Since='Fri, 18 Mar 2011 22:06:54 GMT'), 200)
                expect(ask(If_Unmodified_Since='Fri, 18 Mar 2011 22:06:54 GMT'), 412)
        expect(http_call(self.port, 'GET', '/values/never', headers={'If-Match': '*'}), 404)


class Limited:
    def setup(self):
        layout = Layout(TWO, top='limits: {value_bytes: 1MiB}')
        self.server, (self.port,) = self.t.cluster(layout)

    def test_values_up_to_the_limit_pass_and_not_a_byte_more(self):
        value = some_bytes(MIB)
        expect(put(self.port, 'full', value), 200)
        expect(get(self.port, 'full'), 200, value)
        with Raw(self.port) as raw:
            raw.send(f'PUT /values/more HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n'
                     f'Content-Length: {MIB + 1}\r\n\r\n')
            assert b'1048576' in refused(raw.answer(), 413).body
        with Raw(self.port) as raw:  # chunked: found out on the way
            raw.send('PUT /values/more HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
            try:
                for _ in range(6):
                    raw.send(b'40000\r\n' + bytes(PIECE) + b'\r\n')
            except OSError:
                pass  # it need not read what it has refused
            try:
                refused(raw.answer(), 413)
            except ConnectionError:
                pass
        expect(get(self.port, 'more'), 404)


class Stalled:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))
        expect(put(self.port, 'large', some_bytes(MIB) * 16), 200)
        get(self.port, 'large')
        self.memory = self.server.memory_mib()

    def test_clients_that_stall_in_the_middle_are_bounded_and_let_go(self):
        stalled = []
        for i in range(30):
            up = Raw(self.port)
            up.send(f'PUT /values/stalled{i} HTTP/1.1\r\nHost: h\r\nContent-Length: {64 * MIB}\r\n\r\n')
            up.send(os.urandom(MIB))
            stalled.append(up)
        for _ in range(10):
            down = Raw(self.port)
            down.send('GET /values/large HTTP/1.1\r\nHost: h\r\n\r\n')
            stalled.append(down)
        for i in range(20):
            started = time.monotonic()
            expect(put(self.port, f'other{i}', b'v' * 1000), 200)
            expect(get(self.port, f'other{i}'), 200, b'v' * 1000)
            assert time.monotonic() - started < 5
        growth = self.server.memory_mib() - self.memory
        assert growth < STALLED_GROWTH_MIB_MAX, growth
        # Ten seconds without a byte, five to read the refusal, and a slow machine. Downloads are not read from: that
        # would be progress.
        uploads, downloads = stalled[:30], stalled[30:]
        ends = time.monotonic() + 40
        for raw in uploads:
            raw.socket.settimeout(max(1, ends - time.monotonic()))
            assert raw.closed(), 'a client that stalls is let go'
        until(40, 'downloads that stall to be let go', lambda: all(raw.reset() for raw in downloads))
        for i in range(30):
            expect(get(self.port, f'stalled{i}'), 404)
