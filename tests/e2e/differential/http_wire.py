"""Says raw bytes to an HTTP server and takes its answers apart."""
import re
import socket

SENTINEL_KEY = 'sentinel'
SENTINEL_BODY = b'the connection was kept'
SENTINEL = b'GET /values/sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n'

STUCK_SECONDS = 20  # a server that neither answers nor closes, although it was told that nothing more will come


def exchange(port, steps):
    """Sends the steps, a last request that asks to close, and the end; waits for a head between two steps.

    Gives (all that came back, whether the server was stuck).
    """
    received = bytearray()
    with socket.create_connection(('127.0.0.1', port), timeout=STUCK_SECONDS) as connection:
        try:
            for step in steps[:-1]:
                connection.sendall(step)
                heads = received.count(b'\r\n\r\n')
                while received.count(b'\r\n\r\n') == heads:
                    data = connection.recv(1 << 18)
                    if not data:
                        return bytes(received), False
                    received += data
            connection.sendall(steps[-1] + SENTINEL)
            connection.shutdown(socket.SHUT_WR)
        except TimeoutError:
            return bytes(received), True
        except OSError:
            pass  # it has refused and closed: what it said is still there to read
        while True:
            try:
                data = connection.recv(1 << 18)
            except TimeoutError:
                return bytes(received), True
            except OSError:
                return bytes(received), False
            if not data:
                return bytes(received), False
            received += data


class Response:
    def __init__(self, status, headers, body, whole=True):
        self.status, self.headers, self.body, self.whole = status, headers, body, whole

    def header(self, name):
        return self.headers.get(name)


def head_of(stream):
    """(status, headers, what follows), or None where there is no whole head."""
    head, mark, rest = stream.partition(b'\r\n\r\n')
    first, *lines = head.decode('latin-1').split('\r\n')
    status = re.fullmatch(r'HTTP/1\.1 (\d{3}) .*', first)
    if not mark or not status:
        return None
    headers = {}
    for line in lines:
        name, _, value = line.partition(':')
        headers.setdefault(name.lower(), []).append(value.strip())
    return int(status[1]), {name: ', '.join(values) for name, values in headers.items()}, rest


def responses_in(stream, methods):
    """The final responses, and how many 100 Continue came. `methods`: of the requests, as far as they are some."""
    found, continues = [], 0
    while stream:
        head = head_of(stream)
        if head is None:
            found.append(Response('no head', {}, stream, whole=False))  # what HTTP/0.9 gets
            break
        status, headers, stream = head
        if status < 200:
            continues += 1
            continue
        method = methods[len(found)] if len(found) < len(methods) else 'GET'
        if method == 'HEAD' or status in (204, 304):
            length = 0
        else:
            length = int(headers.get('content-length', len(stream)))
        found.append(Response(status, headers, stream[:length], whole=length <= len(stream)))
        stream = stream[length:]
    return found, continues


def parts_of(response):
    """A multipart/byteranges body as [(Content-Range, bytes)]: boundaries differ."""
    boundary = response.headers['content-type'].partition('boundary=')[2].strip('"').encode()
    pieces = response.body.split(b'\r\n--' + boundary)
    parts = []
    for piece in pieces[1:-1]:
        head, _, data = piece.partition(b'\r\n\r\n')
        named = re.search(rb'(?im)^content-range: *(.*?)\r?$', head)
        parts.append((named[1].decode() if named else None, data))
    return parts
