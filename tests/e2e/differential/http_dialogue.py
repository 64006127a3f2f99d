"""What an HTTP dialogue is made of: bytes, with @K@ for its key and @ETAG@ for the tag of what is stored there."""
import dataclasses
import email.utils

import compare
import http_servers


def date(offset):
    """An HTTP date so many seconds after the value was written."""
    return email.utils.formatdate(http_servers.WRITTEN_AT + offset, usegmt=True)


@dataclasses.dataclass(frozen=True)
class About:
    methods: tuple            # of the requests, in their order: how long an answer is depends on it
    value: bytes = b'0123456789'  # stored under the key before; None: nothing is
    judge: bytes = None       # nginx passes over the conditions of writes: it is asked about them with this GET
    tails: tuple = ()         # keys that it may write beside @K@: what follows it


def value_of(size):
    return (b'abcdefghijklmnopqrstuvwxyz0123456789' * (size // 36 + 1))[:size]


def request(method='GET', headers=(), body=b'', target='/values/@K@', version='HTTP/1.1', host=True):
    """A request as bytes. `headers`: lines without their ends, str or bytes."""
    lines = [f'{method} {target} {version}', *(['Host: h'] if host else []), *headers]
    return b'\r\n'.join(line if isinstance(line,
    bytes) else line.encode('latin-1') for line in lines) + b'\r\n\r\n' + body


def put(body, headers=(), **options):
    return request('PUT', [f'Content-Length: {len(body)}', *headers], body, **options)


def chunked(*chunks, headers=(), end=b'0\r\n\r\n', **options):
    body = b''.join(b'%x\r\n%s\r\n' % (len(c), c) for c in chunks) + end
    return request('PUT', ['Transfer-Encoding: chunked', *headers], body, **options)


def judged(name, method, lines):
    """A conditional write, and what nginx makes of the same conditions on a read: it wants each on one line."""
    write = put(b'new', lines) if method == 'PUT' else request(method, lines)
    joined = {}
    for line in lines:
        field, _, value = line.partition(': ')
        joined.setdefault(field.lower(), []).append(value)
    read = request('GET', [f'{field}: {", ".join(values)}' for field, values in joined.items()])
    return compare.Dialogue(name, (write,), About((method,), judge=read))


def said(name, payload, *methods, **about):
    """A written dialogue. `payload`: bytes, or several, between which an answer is waited for."""
    steps = payload if isinstance(payload, tuple) else (payload,)
    methods = methods or (steps[0].split(b' ', 1)[0].decode('latin-1'),)
    return compare.Dialogue(name, steps, About(methods, **about))
