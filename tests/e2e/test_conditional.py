"""Conditional writes: an atomic compare-and-set over HTTP, through several proxies and a node that dies."""
import threading

from harness import TEN, Layout, expect, get, http_call, put, refused


class Conditional:
    def setup(self):
        self.server, self.ports = self.t.cluster(Layout(TEN), proxies=3)
        self.port = self.ports[0]

    def test_a_key_is_created_once(self):
        none = {'If-None-Match': '*'}
        first = expect(put(self.port, 'once', b'first', headers=none), 200)
        again = refused(put(self.ports[1], 'once', b'second', headers=none), 412)
        assert again.headers['etag'] == first.headers['etag']
        expect(get(self.port, 'once'), 200, b'first')

    def test_only_the_version_that_was_read_is_replaced(self):
        etag = expect(put(self.port, 'k', b'1'), 200).headers['etag']
        newer = expect(put(self.ports[1], 'k', b'2', headers={'If-Match': etag}), 200).headers['etag']
        refused(put(self.ports[2], 'k', b'3', headers={'If-Match': etag}), 412)
        refused(http_call(self.port, 'DELETE', '/values/k', headers={'If-Match': etag}), 412)
        expect(get(self.port, 'k'), 200, b'2')
        large = b'x' * (1 << 20)
        newest = expect(put(self.port, 'k', large, headers={'If-Match': newer}), 200).headers['etag']
        refused(put(self.port, 'k', large, headers={'If-Match': newer}), 412)
        expect(http_call(self.port, 'DELETE', '/values/k', headers={'If-Match': newest}), 204)
        refused(put(self.port, 'k', b'5', headers={'If-Match': '*'}), 412)

    def test_a_timestamp_and_a_condition_do_not_go_together(self):
        refused(put(self.port, 'k', b'1', headers={'If-Match': '*', 'X-Timestamp': '5'}), 400)

    def test_increments_through_three_proxies_are_exact(self):
        expect(put(self.port, 'counter', b'0'), 200)
        done, unknown = [], []

        def add(port):
            for _ in range(20):
                while True:
                    now = get(port, 'counter', query='?r=quorum')
                    if now.status != 200:
                        continue
                    answer = put(port, 'counter', str(int(now.body) + 1).encode(),
                                 headers={'If-Match': now.headers['etag']})
                    if answer.status == 412:
                        continue
                    (done if answer.status == 200 else unknown).append(1)
                    break
        threads = [threading.Thread(target=add, args=(self.ports[i % 3],)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = int(expect(get(self.port, 'counter', query='?r=quorum'), 200).body)
        assert len(done) <= total <= len(done) + len(unknown), (total, len(done), len(unknown))
        assert len(done) + len(unknown) == 120
