"""Kept connections of the counting clients. What had been closed before anything was said on it is opened again: so a
proxy that was started anew does not make an increment unknown.
"""
import select
import socket

from load import CONNECT_SECONDS_MAX, Door

MEMCACHED_SECONDS_MAX = 14.0  # a proxy gives up after 10


class Line:
    """A kept connection to one proxy's memcached port."""

    def __init__(self, host, port):
        self.address, self.socket, self.buffer = (host, port), None, b''

    def call(self, text):
        """(first line of the answer, bytes of its block), or (None, 'unsent' or 'lost')."""
        if self.socket and ended(self.socket):
            self.close()
        if not self.socket:
            try:
                self.socket = socket.create_connection(self.address, timeout=CONNECT_SECONDS_MAX)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket.settimeout(MEMCACHED_SECONDS_MAX)
            except OSError:
                return None, 'unsent'
        try:
            self.socket.sendall(text.encode())
            first = self._line()
            words = first.split()
            data = None
            if words[:1] == ['VALUE'] or words[:1] == ['VA']:
                data = self._take(int(words[3 if words[0] == 'VALUE' else 1]) + 2)[:-2]
                if words[0] == 'VALUE' and self._line() != 'END':
                    raise OSError('no END')
            return first, data
        except OSError:
            self.close()
            return None, 'lost'

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise OSError('closed')
        self.buffer += data

    def _line(self):
        while b'\r\n' not in self.buffer:
            self._more()
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line.decode()

    def _take(self, size):
        while len(self.buffer) < size:
            self._more()
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.buffer = None, b''


def ended(kept):
    """Has the other side closed a connection on which nothing is expected? Then nothing is sent to it."""
    return bool(select.select([kept], [], [], 0)[0])


class HttpDoor(Door):
    def call(self, *arguments):
        if self.connection and self.connection.sock and ended(self.connection.sock):
            self.close()
        return super().call(*arguments)
