"""Hostile and broken clients, on every port: refused, logged little, and nobody else notices."""
import os
import random
import socket
import struct
import time

from harness import TWO, Layout, Raw, expect, get, put, until

MEMORY_GROWTH_MIB_MAX = 250  # one value on its way, its copies, and an allocator's slack


class Hostile:
    def setup(self):
        self.layout = Layout(TWO, coordinators=['c1'])
        self.server, (self.port,) = self.t.cluster(self.layout)
        self.every_port = [self.port, *self.layout.port.values(), *self.layout.coordinators.values()]
        self.open = []
        expect(put(self.port, 'witness', b'still here'), 200)
        expect(put(self.port, 'large', b'L' * (16 << 20)), 200)
        get(self.port, 'large')
        self.memory = self.server.memory_mib()

    def connect(self, port):
        s = socket.create_connection(('127.0.0.1', port), timeout=10)
        self.open.append(s)
        return s

    def say(self, s, data):
        """Sends as much as the other side takes; a refusal is what we hope for."""
        try:
            s.sendall(data)
            return True
        except OSError:
            return False

    def unharmed(self):
        assert self.server.running(), self.server.log()[-2000:]
        expect(put(self.port, 'witness2', b'v'), 200)
        expect(get(self.port, 'witness'), 200, b'still here')
        # Answers that are under way take what they take; when they are over it is given back.
        until(30, f'its memory grows by less than {MEMORY_GROWTH_MIB_MAX} MiB',
              lambda: self.server.memory_mib() - self.memory < MEMORY_GROWTH_MIB_MAX)
        assert len(self.server.log()) < 300_000, f'{len(self.server.log())} bytes of log'

    def hang_up(self):
        for s in self.open:
            s.close()
        self.open.clear()

    def test_random_bytes(self):
        random.seed(1)
        for port in self.every_port:
            for _ in range(100):
                s = self.connect(port)
                self.say(s, random.randbytes(random.choice([1, 3, 16, 100, 1000, 20000])))
                if random.random() < 0.7:
                    s.close()
        self.unharmed()
        self.hang_up()

    def test_half_requests(self):
        for port in self.every_port:
            for half in (b'G', b'GET /values/wit', b'\x00', b'\x00\x00\x10',
                         b'PUT /values/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf',
                         struct.pack('>I', 1000) + b'half', struct.pack('<I', 1000) + b'half'):
                for _ in range(10):
                    self.say(self.connect(port), half)
        self.unharmed()
        self.hang_up()
        self.unharmed()

    def test_absurd_lengths(self):
        for port in self.every_port:
            for length in (0xffffffff, 0x7fffffff, 0x80000000, 1 << 30):
                for order in '<>':
                    s = self.connect(port)
                    self.say(s, struct.pack(order + 'I', length) + os.urandom(64))
                    self.say(s, struct.pack(order + 'Q', length << 16) * 8)
        for length in (2**35, 2**63, 2**64, 10**30):
            with Raw(self.port) as raw:
                raw.send(f'PUT /values/x HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\nx')
                expect(raw.answer(), (400, 413))
        self.unharmed()
        self.hang_up()

    def test_a_header_without_end(self):
        for port in self.every_port:
            s = self.connect(port)
            sent, block = 0, b'X-Filler: ' + b'x' * 65000 + b'\r\n'
            if self.say(s, b'GET /values/witness HTTP/1.1\r\nHost: h\r\n'):
                while sent < (256 << 20) and self.say(s, block):
                    sent += len(block)
            # It may read on for some seconds, so that the client sees the refusal; then it ends the connection.
            deadline = time.monotonic() + 30
            while self.say(s, block):
                assert time.monotonic() < deadline, f'port {port} takes header after header'
        with Raw(self.port) as raw:
            raw.send('GET /values/' + 'k' * 40000 + ' HTTP/1.1\r\nHost: h\r\n\r\n')
            expect(raw.answer(), (400, 414, 431))
        self.unharmed()
        self.hang_up()

    def test_slow_senders_hold_up_nobody(self):
        slow = [self.connect(self.port) for _ in range(100)]
        for i in range(20):
            for s in slow:
                self.say(s, b'GET /values/witness HTTP/1.1\r\n'[i:i + 1])
            started = time.monotonic()
            expect(get(self.port, 'witness'), 200)
            assert time.monotonic() - started < 5
        self.unharmed()
        self.hang_up()

    def test_clients_that_never_read(self):
        request = b'GET /values/large HTTP/1.1\r\nHost: h\r\n\r\n' * 50
        for _ in range(12):
            s = self.connect(self.port)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.say(s, request)
        for _ in range(20):
            expect(get(self.port, 'witness'), 200)
            time.sleep(0.05)
        self.unharmed()
        self.hang_up()
        until(30, 'its memory is given back or stays bounded',
              lambda: self.server.memory_mib() - self.memory < MEMORY_GROWTH_MIB_MAX)

    def test_clients_that_vanish_in_the_middle(self):
        for _ in range(100):
            s = self.connect(self.port)
            self.say(s, b'GET /values/large HTTP/1.1\r\nHost: h\r\n\r\n')
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            s.close()
            s = self.connect(self.port)
            self.say(s, b'PUT /values/vanished HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n' + b'x' * 5000)
            s.close()
        self.open.clear()
        self.unharmed()
        expect(get(self.port, 'vanished'), 404)

    def test_more_connections_than_it_needs(self):
        for _ in range(600):
            self.connect(self.port)
        self.unharmed()
        self.hang_up()
        self.unharmed()

    def test_speaking_http_to_a_node_and_the_other_way_round(self):
        for port in self.every_port[1:]:
            for _ in range(20):
                self.say(self.connect(port), b'GET /values/k HTTP/1.1\r\nHost: h\r\n\r\n')
        self.unharmed()
        self.hang_up()

    def test_requests_mutated_at_random(self):
        random.seed(7)
        good = (b'PUT /values/fuzz?w=two&timeout=100 HTTP/1.1\r\nHost: h\r\nX-Timestamp: 1300486014123456\r\n'
                b'Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n5\r\nhello\r\n0\r\n\r\n')
        for _ in range(400):
            data = bytearray(good)
            for _ in range(random.randint(1, 8)):
                at = random.randrange(len(data))
                choice = random.random()
                if choice < 0.5:
                    data[at] = random.randrange(256)
                elif choice < 0.75:
                    del data[at:at + random.randint(1, 20)]
                else:
                    data[at:at] = random.randbytes(random.randint(1, 20))
            with socket.create_connection(('127.0.0.1', self.port), timeout=10) as s:
                self.say(s, bytes(data))
        self.unharmed()

    def test_a_clean_end_after_all_that(self):
        self.unharmed()
        self.server.stop()
