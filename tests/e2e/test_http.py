"""HTTP of a proxy: values, their versions and headers, and everything a client may get wrong."""
import email.utils
import http.client
import re
import shutil
import subprocess
import time

from harness import (FOUR, Layout, Raw, expect, get, http_call, put, refused, until)


class Values:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def round_trip(self, key, value, method='PUT'):
        expect(http_call(self.port, method, f'/values/{key}', body=value), 200, b'')
        return expect(get(self.port, key), 200, value)

    def test_put_and_post_store_and_get_returns(self):
        self.round_trip('a', b'one')
        self.round_trip('a', b'two', method='POST')

    def test_what_was_never_stored_is_404(self):
        refused(get(self.port, 'never'), 404)
        refused(http_call(self.port, 'GET', '/stat/never'), 404)
        expect(http_call(self.port, 'HEAD', '/values/never'), 404)

    def test_delete_is_204_whether_there_was_a_value_or_not(self):
        self.round_trip('gone', b'x')
        for _ in range(2):
            expect(http_call(self.port, 'DELETE', '/values/gone'), 204, b'')
            expect(get(self.port, 'gone'), 404)
            expect(http_call(self.port, 'GET', '/stat/gone'), 404)
        self.round_trip('gone', b'again')

    def test_empty_values_are_values(self):
        answer = self.round_trip('empty', b'')
        assert answer.headers['content-length'] == '0'
        expect(http_call(self.port, 'GET', '/stat/empty'), 200)

    def test_every_byte_comes_back(self):
        self.round_trip('bytes', bytes(range(256)) * 400)

    def test_sizes_around_the_edges(self):
        for size in (1, 4095, 16384, 16385, 65536, 262143, 262144, 262145, 1048577):
            self.round_trip('sized', (b'0123456789abcde' * (size // 15 + 1))[:size])

    def test_head_is_get_without_the_body(self):
        self.round_trip('head', b'12345')
        got, head = get(self.port, 'head'), http_call(self.port, 'HEAD', '/values/head')
        expect(head, 200, b'')
        for name in ('content-length', 'x-timestamp', 'etag', 'last-modified', 'content-type'):
            assert head.headers[name] == got.headers[name], (name, head, got)

    def test_headers_of_an_answer(self):
        before = int(time.time() * 1e6)
        written = put(self.port, 'h', b'v')
        got = self.round_trip('h2', b'v')
        assert before - 60_000_000 < written.timestamp < int(time.time() * 1e6) + 60_000_000, written
        assert re.fullmatch(r'"[^"]+"', got.headers['etag']), got
        assert got.headers['content-type'] == 'application/octet-stream'
        assert email.utils.parsedate_to_datetime(got.headers['last-modified']) and \
            got.headers['last-modified'].endswith(' GMT'), got
        assert got.headers['content-length'] == '1'

    def test_the_etag_changes_with_the_value_and_only_then(self):
        first = self.round_trip('e', b'1').headers['etag']
        assert get(self.port, 'e').headers['etag'] == first
        assert self.round_trip('e', b'2').headers['etag'] != first

    def test_a_content_type_comes_back(self):
        put(self.port, 't', b'{}', headers={'Content-Type': 'application/json; charset=utf-8'})
        assert get(self.port, 't').headers['content-type'] == 'application/json; charset=utf-8'
        put(self.port, 't', b'x')
        assert get(self.port, 't').headers['content-type'] == 'application/octet-stream'


class Keys:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def same(self, written, read):
        value = f'{written} {time.monotonic()}'.encode()
        expect(put(self.port, written, value), 200)
        expect(get(self.port, read), 200, value)

    def test_percent_decoding_happens_once(self):
        self.same('a%2Fb', 'a/b')
        self.same('%61', 'a')
        self.same('a%2525', 'a%2525')
        expect(get(self.port, 'a%25'), 404)

    def test_plus_is_a_plus(self):
        self.same('a+b', 'a%2Bb')
        expect(get(self.port, 'a%20b'), 404)

    def test_slashes_stand_for_themselves(self):
        for key in ('/', '//', 'x//y', '/x', 'x/', '../x', './x', 'x/../y'):
            self.same(key, key.replace('/', '%2F'))
        for key in ('x', 'y'):
            expect(get(self.port, key), 404)

    def test_any_bytes(self):
        for key in ('%00', '%00%00', '%FF%FE', '%0D%0A', '%20', '%C3%A4%E2%82%AC', '%3F', '%23', '%25', '%22'):
            self.same(key, key.lower())
        self.same('caf%C3%A9', 'caf%c3%a9')

    def test_utf8_in_the_path_needs_no_encoding(self):
        expect(put(self.port, '%C3%BC', b'u'), 200)
        with Raw(self.port) as raw:
            raw.send('GET /values/ü HTTP/1.1\r\nHost: h\r\n\r\n'.encode())
            expect(raw.answer(), 200, b'u')

    def test_punctuation_of_urls(self):
        for key in ("a;b=c,d@e:f!g$h&i'j(k)l*m~n", 'a=b&c=d', ':80', '@', '-_.~'):
            self.same(key, key)

    def test_keys_of_1024_bytes_pass_and_of_1025_do_not(self):
        self.same('k' * 1024, 'k' * 1024)
        self.same('%C3%A4' * 512, '%c3%a4' * 512)
        for method in ('GET', 'PUT', 'DELETE'):
            refused(http_call(self.port, method, '/values/' + 'k' * 1025, body=b'' if method == 'PUT' else None), 400)

    def test_bad_escapes_are_refused(self):
        for key in ('%', '%4', '%zz', 'a%g0', 'a%'):
            with Raw(self.port) as raw:
                raw.send(f'GET /values/{key} HTTP/1.1\r\nHost: h\r\n\r\n')
                refused(raw.answer(), 400)


class Timestamps:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def at(self, key, value, timestamp, method='PUT'):
        return http_call(self.port, method, f'/values/{key}', body=value, headers={'X-Timestamp': str(timestamp)})

    def test_a_given_timestamp_is_the_versions(self):
        answer = expect(self.at('old', b'v', 1300486014123456), 200)
        assert answer.timestamp == 1300486014123456
        got = get(self.port, 'old')
        assert got.timestamp == 1300486014123456
        assert got.headers['last-modified'] == 'Fri, 18 Mar 2011 22:06:54 GMT', got
        expect(http_call(self.port, 'GET', '/stat/old'), 200, b'1300486014123456')

    def test_an_older_write_loses_and_is_told_the_winners(self):
        expect(self.at('race', b'new', 2000000), 200)
        answer = expect(self.at('race', b'old', 1000000), 200, b'')
        assert answer.timestamp == 2000000, answer
        expect(get(self.port, 'race'), 200, b'new')

    def test_an_older_delete_loses_too(self):
        expect(self.at('race2', b'new', 2000000), 200)
        expect(self.at('race2', None, 1000000, method='DELETE'), 204)
        expect(get(self.port, 'race2'), 200, b'new')
        expect(self.at('race2', None, 3000000, method='DELETE'), 204)
        expect(self.at('race2', b'between', 2500000), 200)
        expect(get(self.port, 'race2'), 404)

    def test_a_write_after_a_later_one_is_still_later(self):
        future = int(time.time() * 1e6) + 30_000_000
        expect(self.at('ahead', b'1', future), 200)
        answer = expect(put(self.port, 'ahead', b'2'), 200)
        # A server issues nothing that is not above all it has seen, or says that it lost; never neither.
        assert answer.timestamp >= future, answer
        expect(get(self.port, 'ahead'), 200, b'2' if answer.timestamp > future else b'1')

    def test_junk_is_refused(self):
        ahead = int(time.time() * 1e6) + 120_000_000
        for junk in ('0', '-1', '-1300486014123456', 'now', '1.5', '1e15', '0x10', '1 2', '99999999999999999999999',
                     str(2**64 - 1), str(2**63), str(ahead)):
            refused(self.at('junk', b'v', junk), 400)
            refused(self.at('junk', None, junk, method='DELETE'), 400)
        expect(get(self.port, 'junk'), 404)

    def test_versions_of_one_key_only_grow(self):
        last = 0
        for i in range(20):
            now = put(self.port, 'grow', str(i).encode()).timestamp
            assert now > last, (now, last)
            last = now


class Parameters:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def test_known_words(self):
        for w in ('one', 'two', 'quorum', 'all'):
            expect(put(self.port, 'w', w.encode(), f'?w={w}'), 200)
            for r in ('one', 'latest', 'quorum', 'all'):
                expect(get(self.port, 'w', f'?r={r}'), 200)
            expect(get(self.port, 'w'), 200, w.encode())
            expect(http_call(self.port, 'DELETE', f'/values/w?w={w}'), 204)

    def test_unknown_words_are_refused(self):
        for query in ('?w=three', '?w=', '?w=2', '?w=ALL'):
            refused(put(self.port, 'w', b'', query), 400)
        for query in ('?r=two', '?r=', '?r=newest'):
            refused(get(self.port, 'w', query), 400)
        for query in ('?timeout=', '?timeout=soon', '?timeout=-1', '?timeout=0', '?timeout=1.5'):
            refused(get(self.port, 'w', query), 400)

    def test_a_timeout_is_taken(self):
        expect(put(self.port, 'w', b'v', '?timeout=5000'), 200)
        expect(get(self.port, 'w', '?r=all&timeout=5000'), 200, b'v')

    def test_a_question_mark_in_a_key_is_written_encoded(self):
        expect(put(self.port, 'what%3Fw=junk', b'v'), 200)
        expect(get(self.port, 'what%3fw=junk'), 200, b'v')


class Routes:
    def setup(self):
        self.layout = Layout(FOUR)
        self.server, (self.port,) = self.t.cluster(self.layout)

    def test_wrong_methods_are_405_with_allow(self):
        for path, wrong, right in (('/values/k', 'PATCH', {'GET', 'HEAD', 'POST', 'PUT', 'DELETE'}),
                                   ('/values/k', 'OPTIONS', {'GET', 'PUT'}), ('/stat/k', 'POST', {'GET'}),
                                   ('/stat/k', 'DELETE', {'GET'}), ('/config', 'PUT', {'GET'}),
                                   ('/healthz', 'POST', {'GET'})):
            answer = refused(http_call(self.port, wrong, path), 405)
            allowed = {m.strip() for m in answer.headers['allow'].split(',')}
            assert right <= allowed and wrong not in allowed, (path, wrong, allowed)

    def test_unknown_paths_are_404(self):
        for path in ('/', '/nothing', '/value/k', '/values', '/statx', '/config/x'):
            expect(http_call(self.port, 'GET', path), 404)

    def test_stat_gives_the_digits(self):
        written = put(self.port, 's', b'v')
        expect(http_call(self.port, 'GET', '/stat/s'), 200, str(written.timestamp).encode())

    def test_stat_as_json_tells_of_every_replica(self):
        written = put(self.port, 's', b'12345', '?w=all')
        stat = expect(http_call(self.port, 'GET', '/stat/s?format=json'), 200).json()
        assert stat['key'] == 's' and stat['timestamp'] == written.timestamp and stat['size'] == 5, stat
        assert len(stat['replicas']) == 4, stat

    def test_config_in_both_forms(self):
        yaml = expect(http_call(self.port, 'GET', '/config'), 200)
        for node, port in self.layout.port.items():
            assert node in yaml.body.decode() and str(port) in yaml.body.decode()
        path = self.t.write('again.yaml', yaml.body.decode())
        code, _, err = self.t.run('ctl', 'config', 'validate', path)
        assert code == 0, err
        json = expect(http_call(self.port, 'GET', '/config', headers={'Accept': 'application/json'}), 200)
        assert json.headers['content-type'].startswith('application/json'), json
        assert json.json()['deployments']['d']['hash']['buckets_per_key'] == 2

    def test_healthz(self):
        expect(http_call(self.port, 'GET', '/healthz'), 200)


class Protocol:
    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR))

    def test_chunked_bodies(self):
        with Raw(self.port) as raw:
            raw.send('PUT /values/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
                     '5\r\nhello\r\n1;ext="x"\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n')
            expect(raw.answer(), 200)
            raw.send('GET /values/c HTTP/1.1\r\nHost: h\r\n\r\n')
            expect(raw.answer(), 200, b'hello 0123456789')

    def test_chunks_that_come_byte_by_byte(self):
        with Raw(self.port) as raw:
            head = b'PUT /values/c1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
            for byte in head + b'3\r\nabc\r\n0\r\n\r\n':
                raw.send(bytes([byte]))
            expect(raw.answer(), 200)
        expect(get(self.port, 'c1'), 200, b'abc')

    def test_continue_is_said_to_those_who_wait(self):
        with Raw(self.port) as raw:
            raw.send('PUT /values/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
            expect(raw.answer(), 100)
            raw.send('abc')
            expect(raw.answer(), 200)
        with Raw(self.port) as raw:
            raw.send('PUT /values/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n'
                     f'Content-Length: {(16 << 30) + 1}\r\n\r\n')
            expect(raw.answer(), 413)
        expect(get(self.port, 'x'), 200, b'abc')

    def test_keep_alive(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=20)
        for i in range(50):
            connection.request('PUT', '/values/keep', body=str(i).encode())
            assert connection.getresponse().read() == b''
            connection.request('GET', '/values/keep')
            assert connection.getresponse().read() == str(i).encode()
            own = connection.sock.getsockname() if i == 0 else own
            assert connection.sock.getsockname() == own, 'it closed a connection that it should have kept'
        connection.close()

    def test_pipelined_requests_are_answered_in_order(self):
        with Raw(self.port) as raw:
            raw.send(''.join(f'PUT /values/p{i} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(str(i))}\r\n\r\n{i}'
                             f'GET /values/p{i} HTTP/1.1\r\nHost: h\r\n\r\n' for i in range(40)))
            for i in range(40):
                expect(raw.answer(), 200, b'')
                expect(raw.answer(), 200, str(i).encode())

    def test_connection_close_is_kept(self):
        put(self.port, 'close', b'v')
        with Raw(self.port) as raw:
            raw.send('GET /values/close HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
            answer = expect(raw.answer(), 200, b'v')
            assert answer.headers.get('connection', '').lower() == 'close', answer
            assert raw.closed()

    def test_http_1_0(self):
        put(self.port, 'ten', b'v')
        with Raw(self.port) as raw:
            raw.send('GET /values/ten HTTP/1.0\r\n\r\n')
            expect(raw.answer(), 200, b'v')
            assert raw.closed(), 'HTTP/1.0 ends with the answer'
        with Raw(self.port) as raw:
            for _ in range(2):
                raw.send('GET /values/ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
                expect(raw.answer(), 200, b'v')

    def test_head_answers_do_not_shift_what_follows(self):
        put(self.port, 'hd', b'12345')
        with Raw(self.port) as raw:
            raw.send('HEAD /values/hd HTTP/1.1\r\nHost: h\r\n\r\nGET /values/hd HTTP/1.1\r\nHost: h\r\n\r\n')
            assert expect(raw.answer(head_only=True), 200).headers['content-length'] == '5'
            expect(raw.answer(), 200, b'12345')

    def test_requests_that_two_servers_could_read_in_two_ways_are_refused(self):
        for head in ('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
                     'Content-Length: 3\r\nContent-Length: 4\r\n', 'Content-Length: +3\r\n', 'Content-Length: -1\r\n',
                     'Content-Length: 3x\r\n', 'Transfer-Encoding: chunked, gzip\r\n', 'Content-Length : 3\r\n'):
            with Raw(self.port) as raw:
                raw.send(f'PUT /values/smuggled HTTP/1.1\r\nHost: h\r\n{head}\r\nabc')
                expect(raw.answer(), (400, 501))
                assert raw.closed(), head
        expect(get(self.port, 'smuggled'), 404)

    def test_what_would_lose_data_if_it_were_ignored_is_refused_by_name(self):
        etag = expect(put(self.port, 'kept', b'0123456789'), 200).headers['etag']
        for lines, status in ((['Content-Range: bytes 5-9/10'], 400), (['Range: bytes=5-9'], 400),
                              (['Content-Encoding: gzip'], 415), (['Expect: 200-ok'], 417), (['If: (["x"])'], 400),
                              (['X-HTTP-Method-Override: PATCH'], 400), (['If-None-Match: unquoted'], 400),
                              (['If-Match: "x"', 'If-Match: "y"'], 412),
                              (['X-Timestamp: 1', 'X-Timestamp: 2'], 400),
                              (['X-Timestamp: 1', f'If-Match: {etag}'], 400),
                              (['X-Timestamp: 1', 'If-Unmodified-Since: Wed, 18 May 2033 03:33:20 GMT'], 400)):
            with Raw(self.port) as raw:
                raw.send('\r\n'.join(['PUT /values/kept HTTP/1.1', 'Host: h', 'Content-Length: 3', *lines, '', 'abc']))
                answer = refused(raw.answer(), status)
                assert status == 412 or lines[0].partition(':')[0] in answer.body.decode(), answer
        refused(put(self.port, 'kept', b'abc', query='?w=one&w=all'), 400)
        with Raw(self.port) as raw:
            refused(raw.send('PUT /values/kept HTTP/1.0\r\n\r\nabc').answer(), 411)
        expect(get(self.port, 'kept'), 200, b'0123456789')
        with Raw(self.port) as raw:  # the lines are one list, and any of it may hold
            raw.send('PUT /values/kept HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n'
                     f'If-Match: "x"\r\nIf-Match: {etag}\r\n\r\nnew')
            expect(raw.answer(), 200)

    def test_curl_that_resumes_an_upload_replaces_nothing(self):
        if not shutil.which('curl'):
            return
        expect(put(self.port, 'up', b'0123456789'), 200)
        path = self.t.write('upload', 'abcdefghij')
        url = f'http://127.0.0.1:{self.port}/values/up'
        done = subprocess.run(['curl', '-sS', '-C', '5', '-T', path, '-w', '%{http_code}', url], capture_output=True,
                              timeout=60)
        assert done.stdout.endswith(b'400') and b'Content-Range' in done.stdout, done
        expect(get(self.port, 'up'), 200, b'0123456789')

    def test_nonsense_is_400_and_the_end_of_the_connection(self):
        for junk in ('\x16\x03\x01\x02\x00\r\n\r\n', 'GET\r\n\r\n', 'GET /values/k HTTP/9.9\r\n\r\n',
                     'GET /values/k HTTP/1.1\r\nno colon\r\n\r\n', 'GET  /values/k  HTTP/1.1\r\n\r\n',
                     'PUT /values/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'):
            with Raw(self.port) as raw:
                raw.send(junk.encode('latin-1'))
                expect(raw.answer(), (400, 501, 505))
                assert raw.closed(), junk

    def test_many_clients_at_once(self):
        connections = [Raw(self.port) for _ in range(200)]
        for i, raw in enumerate(connections):
            raw.send(f'PUT /values/many{i} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n{i:04}')
        for raw in connections:
            expect(raw.answer(), 200)
        for i, raw in enumerate(connections):
            raw.send(f'GET /values/many{i} HTTP/1.1\r\nHost: h\r\n\r\n')
        for i, raw in enumerate(connections):
            expect(raw.answer(), 200, f'{i:04}'.encode())
            raw.socket.close()


class FewReplicas:
    """Two of four replicas are left out: what still works, and what says that it does not."""

    def setup(self):
        self.server, (self.port,) = self.t.cluster(Layout(FOUR), '--skip', 'n2', '--skip', 'n4')

    def test_two_of_four_are_enough_for_the_default(self):
        expect(put(self.port, 'k', b'v'), 200)
        until(15, 'a read', lambda: get(self.port, 'k').status == 200)
        expect(get(self.port, 'k'), 200, b'v')

    def test_a_read_of_nothing_answers(self):
        expect(get(self.port, 'nothing'), (404, 503))

    def test_all_is_refused_with_what_to_do(self):
        answer = refused(put(self.port, 'k2', b'v', '?w=all&timeout=4000'), (503, 504))
        if answer.status == 503:
            assert 'retry-after' in answer.headers, answer
        refused(get(self.port, 'k', '?r=all&timeout=4000'), (503, 504))

    def test_a_quorum_of_four_is_three(self):
        refused(put(self.port, 'k3', b'v', '?w=quorum&timeout=4000'), (503, 504))
