"""HTTP dialogues written by hand: what clients, proxies and attackers are known to send."""
from http_dialogue import chunked, date, judged, put, request, said, value_of

SIZES = (0, 1, 2, 10, 4096, 300_000)

RANGES = (
    'bytes=0-', 'bytes=0-0', 'bytes=1-1', 'bytes=0-1', 'bytes=5-', 'bytes=9-', 'bytes=10-', 'bytes=11-', 'bytes=-1',
    'bytes=-0', 'bytes=-5', 'bytes=-10', 'bytes=-11', 'bytes=-99999999', 'bytes=2-4', 'bytes=4-2', 'bytes=0-99999999',
    'bytes=0-18446744073709551615', 'bytes=0-18446744073709551616', 'bytes=18446744073709551616-',
    'bytes=-18446744073709551616',
    'bytes=0-99999999999999999999999999', 'bytes=', 'bytes', 'bytes=-', 'bytes=--1', 'bytes=a-b', 'bytes=1',
    'bytes=1-2-3',
    'bytes=0x1-2', 'bytes=+1-2', 'bytes = 0-1', 'bytes= 0-1', 'bytes=0 - 1', 'bytes=0-1 ', 'Bytes=0-1', 'BYTES=0-1',
    'lines=0-1',
    'seconds=1-2', '0-1', 'bytes=0-0,2-2', 'bytes=0-0, 2-2', 'bytes=0-0 ,2-2', 'bytes=0-0,,2-2', 'bytes=,0-0',
    'bytes=0-0,',
    'bytes=0-0,-1', 'bytes=2-2,0-0', 'bytes=0-4,2-6', 'bytes=0-0,0-0', 'bytes=0-9,0-9,0-9', 'bytes=0-0,100-',
    'bytes=100-,0-0',
    'bytes=100-,200-', 'bytes=0-0,x', 'bytes=0-0,4-2', 'bytes=0-,-1', 'bytes=0-0;2-2', 'bytes=0-1, lines=2-3',
    'bytes=' + ','.join(f'{i}-{i}' for i in range(0, 10, 2)), 'bytes=' + ','.join(['0-0'] * 70),
)

# The value was written at date(0).
CONDITIONS = (
    'If-Match: *', 'If-Match: @ETAG@', 'If-Match: "x"', 'If-Match: "x", @ETAG@', 'If-Match: @ETAG@, "x"',
    'If-Match: W/@ETAG@',
    'If-Match: x', 'If-Match:', 'If-Match: "x",,@ETAG@', 'If-Match: "a,b", @ETAG@', 'If-Match: "x" @ETAG@',
    'if-match: "x"',
    'If-None-Match: *', 'If-None-Match: @ETAG@', 'If-None-Match: "x"', 'If-None-Match: "x", @ETAG@',
    'If-None-Match: W/@ETAG@',
    'If-None-Match: W/"x", W/@ETAG@', 'If-None-Match: x', 'If-None-Match:', 'IF-NONE-MATCH: *',
    f'If-Modified-Since: {date(0)}', f'If-Modified-Since: {date(-1)}', f'If-Modified-Since: {date(1)}',
    f'If-Modified-Since: {date(10**9)}', 'If-Modified-Since: junk', 'If-Modified-Since:', 'If-Modified-Since: 0',
    f'If-Unmodified-Since: {date(0)}', f'If-Unmodified-Since: {date(-1)}', f'If-Unmodified-Since: {date(1)}',
    'If-Unmodified-Since: junk', 'If-Unmodified-Since:', 'If-Unmodified-Since: Sunday, 13-Sep-20 12:26:39 GMT',
    'If-Modified-Since: Sun Sep 13 12:26:40 2020', 'If-Unmodified-Since: Sun Sep 13 12:26:39 2020',
)

PAIRS = (
    ('If-Match: @ETAG@', f'If-Unmodified-Since: {date(-1)}'), ('If-Match: "x"', f'If-Unmodified-Since: {date(1)}'),
    ('If-None-Match: "x"', f'If-Modified-Since: {date(1)}'),
    ('If-None-Match: @ETAG@', f'If-Modified-Since: {date(-1)}'),
    ('If-Match: @ETAG@', 'If-None-Match: @ETAG@'), ('If-Match: "x"', 'If-None-Match: @ETAG@'),
    ('If-Match: *', 'If-None-Match: *'),
    ('If-Match: "x"', 'If-Match: @ETAG@'), ('If-Match: @ETAG@', 'If-Match: "x"'),
    ('If-None-Match: "x"', 'If-None-Match: @ETAG@'),
    (f'If-Unmodified-Since: {date(1)}', f'If-Unmodified-Since: {date(-1)}'),
    (f'If-Modified-Since: {date(-1)}', f'If-Modified-Since: {date(1)}'),
)

IF_RANGES = ('@ETAG@', '"x"', 'W/@ETAG@', date(0), date(-1), date(1), 'junk', '', '@ETAG@, "x"', '*')

# (name, lines): headers that a server may ignore, honour or refuse, but not misread.
CURIOUS = (
    ('Content-Range', ['Content-Range: bytes 5-9/10']), ('Content-Range of all', ['Content-Range: bytes 0-4/5']),
    ('Content-Range without a size', ['Content-Range: bytes 5-9/*']), ('Range', ['Range: bytes=5-9']),
    ('If-Range', ['If-Range: "x"']), ('Range and If-Range', ['Range: bytes=0-1', 'If-Range: @ETAG@']),
    ('gzip', ['Content-Encoding: gzip']), ('identity', ['Content-Encoding: identity']),
    ('TE', ['TE: trailers, deflate;q=0.5']),
    ('Trailer', ['Trailer: Content-Digest']),
    ('Upgrade', ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings', 'HTTP2-Settings: AA']),
    ('websocket', ['Upgrade: websocket', 'Connection: Upgrade']), ('override', ['X-HTTP-Method-Override: DELETE']),
    ('Expect', ['Expect: 100-continue']), ('Expect in capitals', ['Expect: 100-CONTINUE']),
    ('another Expect', ['Expect: 200-ok']),
    ('Expect twice', ['Expect: 100-continue', 'Expect: 100-continue']), ('empty Expect', ['Expect:']),
    ('Connection close', ['Connection: close']), ('Connection keep-alive', ['Connection: keep-alive']),
    ('Connection both', ['Connection: keep-alive, close']),
    ('Connection on two lines', ['Connection: keep-alive', 'Connection: close']),
    ('Connection names Host', ['Connection: Host']),
    ('Connection names Content-Length', ['Connection: Content-Length']),
    ('Keep-Alive', ['Keep-Alive: timeout=1, max=1']), ('Proxy-Connection', ['Proxy-Connection: close']),
    ('Max-Forwards', ['Max-Forwards: 0']), ('Depth', ['Depth: infinity']), ('Depth 1', ['Depth: 1']),
    ('Overwrite', ['Overwrite: F']),
    ('If of WebDAV', ['If: (["x"])']), ('Date', [f'Date: {date(0)}']),
    ('wrong MD5', ['Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==']),
    ('Accept-Encoding', ['Accept-Encoding: gzip']), ('Accept nothing', ['Accept: ']),
    ('Authorization', ['Authorization: Basic eDp5']),
    ('Cookie', ['Cookie: a=b', 'Cookie: c=d']), ('Forwarded', ['Forwarded: for=x', 'X-Forwarded-For: y', 'Via: 1.0 z']),
    ('Pragma', ['Pragma: no-cache', 'Cache-Control: no-store']),
    ('Transfer-Encoding identity', ['Transfer-Encoding: identity']),
    ('Content-Type twice', ['Content-Type: a/b', 'Content-Type: c/d']),
    ('Range twice', ['Range: bytes=0-1', 'Range: bytes=2-3']),
)

HEADS = (
    ('no Host', dict(host=False)), ('no Host in 1.0', dict(host=False, version='HTTP/1.0')),
    ('empty Host', dict(host=False, headers=['Host:'])),
    ('Host twice', dict(headers=['Host: h'])), ('two Hosts', dict(headers=['Host: g'])),
    ('two Hosts in 1.0', dict(headers=['Host: g'], version='HTTP/1.0')),
    *((f'Host {host!r}', dict(host=False, headers=[f'Host: {host}'])) for host in
      ('h:80', 'h:', 'h:x', 'h:99999', '[::1]', '[::1]:80', '[::1', 'a b', 'a/b', 'a,b', 'a@b', 'h?x', 'h#x', '*',
      'a_b', '..', '.', 'h.', 'h..h',
       'a\\b', '%41', 'a;b', '\xe9', 'a"b', '<', '0', '1.2.3.4', "a'b", ':80', '@', 'a\tb')),
    *((f'version {version!r}', dict(version=version)) for version in
      ('HTTP/1.0', 'HTTP/1.2', 'HTTP/1.9', 'HTTP/1.10', 'HTTP/1.', 'HTTP/1', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/2',
      'HTTP/3', 'HTTP/9.9', 'http/1.1',
       'HTTP/01.1', 'HTTP/1.01', 'HTTP/1.1x', 'HTTP /1.1', 'HTTP/ 1.1', 'HTTP/1 .1', 'HTTPS/1.1', 'ICY/1.0',
       'HTTP/-1.1', 'HTTP/1,1', 'X', '')),
    *((f'method {method!r}', dict(method=method)) for method in
      ('HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'PATCH', 'POST', 'DELETE', 'BREW', 'get', 'Get', 'GETT', 'G', 'GET-X',
      'MKCOL', 'PROPFIND',
       'COPY', 'MOVE', 'LOCK', 'SEARCH', 'PURGE', 'G(T', 'G T', '', 'M-SEARCH', 'GET\t', '\tGET', 'GE\x00T',
       'A' * 100, 'G\xcbT', 'GET:')),
    *((f'line {line!r}', dict(headers=[line])) for line in
      ('A : b', 'A\t: b', ' A: b', '\tA: b', 'A', ':', ': b', 'A b: c', '(A): b', 'A@: b', 'A/B: c', 'A_B: c',
      'A.B: c', "A!#$%&'*+-.^_`|~: b",
       'A:', 'A: ', 'A:\t', 'A:b', 'A:  b  ', 'A: \tb\t', 'A: b\x00c', 'A\x00: b', 'A: \x01', 'A: \x7f', 'A: \x0b',
       'A: \x0c', 'A: b\rc', 'A: b\r',
       'A: \xe9', 'A\xe9: b', 'A: b\x80', '"A": b', 'A=b', '\x00', '\x01: b', '{A}: b', 'A: ' + 'x' * 8000,
       'A' * 8000 + ': b',
       'A: b\r\n c', 'A: b\r\n\tc', 'A: b\r\n ', 'A:\r\n b', 'Content-Length: 0\r\n x', 'A: b\n c', 'A: b\nC: d',
       'A: b\n', '\r', '-: b', '_: b',
       'Content-Length : 0', 'Content-Length\t: 0', 'Transfer-Encoding : chunked', 'Content_Length: 5')),
    *((f'target {target!r}', dict(target=target)) for target in
      ('http://h/values/@K@', 'HTTP://h/values/@K@', 'http://other:81/values/@K@', 'https://h/values/@K@',
      'http://u@h/values/@K@',
       'http://u:p@h/values/@K@', 'http://[::1]/values/@K@', 'http:///values/@K@', 'http:/values/@K@',
       'http:values/@K@', 'http://h', 'http://h?x',
       'ftp://h/values/@K@', 'h/values/@K@', '//h/values/@K@', '*', '', 'values/@K@', '?x', '/values/@K@?',
       '/values/@K@?a=b', '/values/@K@?a?b',
       '/values/@K@?%', '/values/@K@?%zz', '/values/@K@?w=one', '/values/@K@#x', '/values/@K@%23', '/values/@K@?a#b',
       '/%76alues/@K@',
       '/values/%64x@K@', '/values/@K@%', '/values/@K@%4', '/values/@K@%4g', '/values/@K@%00', '/values/@K@%0a',
       '/values/@K@%2', '/values/@K@%25',
       '/values/@K@%2541', '/values/@K@%c3%a9', '/values/@K@\xc3\xa9', '/values/@K@%ff', '/values/@K@\xff',
       '/values/@K@+', '/values/@K@%2b',
       '/values/@K@%20', '/values/@K@ ', '/values/@K@\tx', '/values/@K@"', '/values/@K@<>', '/values/@K@\\',
       '/values/@K@|', '/values/@K@^', '/values/@K@`{}',
       '/values/@K@\x01', '/values/@K@\x7f', '/values/@K@\x00', '/values/x/../@K@', '/values/./@K@',
       '/values/../values/@K@', '/values/%2e%2e/values/@K@',
       '/values/x%2f@K@', '/values//@K@', '//values/@K@', '/values/@K@/', '/values/@K@/x', '/values/@K@%2fx',
       '/values', '/values/', '/', '/nowhere',
       '/values/@K@;a=b', '/values/@K@:', '/values/@K@@', '/values/@K@&a', '/values/@K@' + 'x' * 200,
       '/values/@K@?' + 'x' * 8000, '/values/@K@?' + 'x' * 40000)),
    ('many headers', dict(headers=[f'A{i}: b' for i in range(90)])),
    ('101 headers', dict(headers=[f'A{i}: b' for i in range(100)])),
    ('long header', dict(headers=['A: ' + 'x' * 30000])), ('too long header', dict(headers=['A: ' + 'x' * 40000])),
)

LENGTHS = ('0', '5', '05', '005', '+5', '-5', '-0', '5.0', '5,5', '5, 5', '5 5', '0x5', '5x', 'x', '', ' ', '5;',
'1e1', '\xd9\xa5', '4', '6', '3',
           '99999999999999999999', '18446744073709551615', '18446744073709551616', '9223372036854775807',
           '9223372036854775808',
           '00000000000000000000000000000005', '"5"', '5\t', '\t5')

FRAMINGS = (
    ('no length', [], b'hello'), ('no length, no body', [], b''),
    ('two lengths', ['Content-Length: 5', 'Content-Length: 6'], b'hello!'),
    ('one length twice', ['Content-Length: 5', 'Content-Length: 5'], b'hello'),
    ('length and chunked', ['Content-Length: 5', 'Transfer-Encoding: chunked'], b'0\r\n\r\n'),
    ('chunked and length', ['Transfer-Encoding: chunked', 'Content-Length: 5'], b'0\r\n\r\n'),
    ('chunked and length 0', ['Transfer-Encoding: chunked', 'Content-Length: 0'], b'5\r\nhello\r\n0\r\n\r\n'),
    *((f'coding {coding!r}', [f'Transfer-Encoding: {coding}'], b'5\r\nhello\r\n0\r\n\r\n') for coding in
      ('chunked', 'Chunked', 'CHUNKED', ' chunked', 'chunked ', 'chunked\t', 'chunked,', ',chunked',
      'chunked, chunked', 'identity', 'identity, chunked',
       'chunked, identity', 'gzip', 'gzip, chunked', 'chunked, gzip', 'xchunked', 'chunkedx', '"chunked"',
       'chunked;q=1', '', 'x', "chunked\x0b", '\x0bchunked')),
    ('two codings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], b'5\r\nhello\r\n0\r\n\r\n'),
    ('two codings, the second identity', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'],
    b'5\r\nhello\r\n0\r\n\r\n'),
    ('Transfer_Encoding', ['Transfer_Encoding: chunked'], b'5\r\nhello\r\n0\r\n\r\n'),
    ('folded coding', ['Transfer-Encoding:\r\n chunked'], b'5\r\nhello\r\n0\r\n\r\n'),
    ('coding with LF', ['Transfer-Encoding: chunked\nX: y'], b'5\r\nhello\r\n0\r\n\r\n'),
)

CHUNKS = (
    b'0\r\n\r\n', b'5\r\nhello\r\n0\r\n\r\n', b'05\r\nhello\r\n0\r\n\r\n', b'0000000000005\r\nhello\r\n0\r\n\r\n',
    b'5\r\nhello\r\n00\r\n\r\n',
    b'5;a\r\nhello\r\n0\r\n\r\n', b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n', b'5 ;a\r\nhello\r\n0\r\n\r\n',
    b'5 \r\nhello\r\n0\r\n\r\n',
    b'5\t\r\nhello\r\n0\r\n\r\n', b' 5\r\nhello\r\n0\r\n\r\n', b'5;\r\nhello\r\n0\r\n\r\n',
    b'5;a=\n\r\nhello\r\n0\r\n\r\n', b'5;a\nhello\r\n0\r\n\r\n',
    b'5;a=\x00\r\nhello\r\n0\r\n\r\n', b'5;' + b'a' * 1000 + b'\r\nhello\r\n0\r\n\r\n',
    b'5;' + b'a' * 20000 + b'\r\nhello\r\n0\r\n\r\n',
    b'5\nhello\n0\n\n', b'5\r\nhello\n0\r\n\r\n', b'5\r\nhello0\r\n\r\n', b'5\r\nhello\r\n0\r\n\n',
    b'5\r\nhello\r\n0\n\r\n', b'5\rhello\r0\r\r',
    b'5\r\nhell\r\n0\r\n\r\n', b'5\r\nhello!\r\n0\r\n\r\n', b'5\r\nhelloXX0\r\n\r\n', b'5\r\nhello\r\n', b'5\r\nhel',
    b'', b'\r\n', b'5', b'5\r\n', b'0\r\n',
    b'x\r\n', b'-5\r\nhello\r\n0\r\n\r\n', b'+5\r\nhello\r\n0\r\n\r\n', b'0x5\r\nhello\r\n0\r\n\r\n',
    b'5h\r\nhello\r\n0\r\n\r\n', b'A\r\n0123456789\r\n0\r\n\r\n',
    b'a\r\n0123456789\r\n0\r\n\r\n', b'ffffffffffffffff\r\nhello', b'10000000000000000\r\nhello',
    b'10000000000000005\r\nhello\r\n0\r\n\r\n',
    b'7fffffffffffffff\r\nhello', b'8000000000000000\r\nhello', b'5\r\nhello\r\n0\r\nT: v\r\n\r\n',
    b'5\r\nhello\r\n0\r\nT: v\r\nU: w\r\n\r\n',
    b'5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n', b'5\r\nhello\r\n0\r\nno colon\r\n\r\n',
    b'5\r\nhello\r\n0\r\nT : v\r\n\r\n', b'5\r\nhello\r\n0\r\n T: v\r\n\r\n',
    b'5\r\nhello\r\n0\r\nT: v\n\r\n', b'5\r\nhello\r\n0\r\nT: \x00\r\n\r\n', b'5\r\nhello\r\n0\r\nT: v\r\n w\r\n\r\n',
    b'5\r\nhello\r\n0\r\nT: ' + b'x' * 20000 + b'\r\n\r\n',
    b'1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n',
)


def reads():
    for size in SIZES:
        for text in RANGES:
            yield said(f'range {text!r} of {size}', request(headers=[f'Range: {text}']), value=value_of(size))
        yield said(f'GET of {size}', request(), value=value_of(size))
        yield said(f'HEAD of {size}', request('HEAD', ['Range: bytes=0-0']), value=value_of(size))
    for text in ('bytes=1-2', 'bytes=0-0,2-2', 'bytes=99-', 'bytes=x'):
        for given in IF_RANGES:
            yield said(f'If-Range {given!r} for {text!r}', request(headers=[f'Range: {text}', f'If-Range: {given}']))
    for lines in [(c,) for c in CONDITIONS] + list(PAIRS):
        for method in ('GET', 'HEAD'):
            yield said(f'{method} {lines}', request(method, lines))
        yield said(f'GET {lines} of nothing', request('GET', lines), value=None)
        yield said(f'GET {lines} of an empty value', request('GET', lines), value=b'')
        yield said(f'GET {lines} and a range', request('GET', [*lines, 'Range: bytes=2-4']))
        yield said(f'GET {lines} and no range', request('GET', [*lines, 'Range: bytes=99-']))


def judgements():
    for lines in [(c,) for c in CONDITIONS] + list(PAIRS):
        readable = not any(line.endswith((' x', ':', 'junk', '0', '"x" @ETAG@')) for line in lines)
        dates = [line for line in lines if 'Since' in line]
        if readable and len(dates) < 2 and not any('If-Modified' in line for line in dates):
            for method in ('PUT', 'DELETE'):
                yield judged(f'may {method} {lines}', method, lines)


def writes():
    for lines in [(c,) for c in CONDITIONS] + list(PAIRS):
        for value in (b'0123456789', None):
            yield said(f'PUT {lines} over {value}', put(b'new', lines), value=value)
            yield said(f'DELETE {lines} of {value}', request('DELETE', lines), value=value)
    for name, lines in CURIOUS:
        yield said(f'PUT with {name}', put(b'hello', lines))
        yield said(f'POST with {name}', request('POST', ['Content-Length: 5', *lines], b'hello'))
        for method in ('GET', 'HEAD', 'DELETE', 'OPTIONS'):
            yield said(f'{method} with {name}', request(method, lines))
        yield said(f'chunked PUT with {name}', chunked(b'hello', headers=lines))
        yield said(f'PUT in 1.0 with {name}', put(b'hello', lines, version='HTTP/1.0'))
    for size in SIZES:
        yield said(f'PUT of {size}', put(value_of(size)))
        yield said(f'PUT of {size} where nothing is', put(value_of(size)), value=None)
        yield said(f'chunked PUT of {size}', chunked(*([value_of(size)] if size else [])))
        yield said(f'PUT of {size} that expects', put(value_of(size), ['Expect: 100-continue']))
    for length in LENGTHS:
        for method in ('PUT', 'GET', 'DELETE'):
            payload = request(method, [f'Content-Length: {length}'], b'hello')
            yield said(f'{method} with length {length!r}', payload, method, '?')
    for name, lines, body in FRAMINGS:
        for method in ('PUT', 'POST', 'GET', 'DELETE'):
            yield said(f'{method}: {name}', request(method, lines, body), method, '?')
        yield said(f'PUT in 1.0: {name}', request('PUT', lines, body, version='HTTP/1.0'), 'PUT', '?')
    for chunks in CHUNKS:
        payload = request('PUT', ['Transfer-Encoding: chunked'], chunks)
        yield said(f'chunks {chunks[:40]!r} of {len(chunks)}', payload, 'PUT', '?')
        yield said(f'chunks {chunks[:40]!r} of {len(chunks)} to GET', payload.replace(b'PUT', b'GET', 1), 'GET', '?')


def expectations():
    """The client waits before it sends the body."""
    for size in (5, 4096, 300_000):
        for condition in ([], ['If-Match: "x"'], ['If-None-Match: *'], ['Content-Range: bytes 0-4/5'],
        ['Content-Type: a/b']):
            whole = put(value_of(size), ['Expect: 100-continue', *condition])
            head, body = whole[:-size], whole[-size:]
            yield said(f'waits to send {size} with {condition}', (head, body), 'PUT', '?')
            yield said(f'waits to send {size} with {condition}, then reads', (head, body + request()), 'PUT', 'GET')
            yield said(f'waits to send {size} with {condition} in 1.0', whole.replace(b'HTTP/1.1', b'HTTP/1.0'), 'PUT')
        head, end, body = chunked(value_of(size), headers=['Expect: 100-continue']).partition(b'\r\n\r\n')
        yield said(f'waits to send a chunk of {size}', (head + end, body), 'PUT', '?')


def heads():
    for name, options in HEADS:
        method = options.get('method', 'GET')
        yield said(f'head: {name}', request(**options), method)
        if method == 'GET':
            options = {**options, 'headers': ['Content-Length: 5', *options.get('headers', ())]}
            yield said(f'head of PUT: {name}', request('PUT', body=b'hello', **options), 'PUT',
            tails=(b'A', b'%', b'\xc3\xa9', b'/x', b' '))
    get, length = request(), ['Content-Length: 5']
    raw = {
        'nothing': b'', 'empty lines': b'\r\n\r\n' + get, 'LF before': b'\n' + get, 'CR before': b'\r' + get,
        'many empty lines': b'\r\n' * 50 + get,
        'blank before': b' ' + get, 'bare LF': get.replace(b'\r\n', b'\n'),
        'bare LF in the request line': get.replace(b'1.1\r\n', b'1.1\n', 1),
        'bare LF after a header': get.replace(b'h\r\n', b'h\n', 1), 'bare LF at the end': get[:-2] + b'\n',
        'bare CR': get.replace(b'\r\n', b'\r'),
        'CR CR LF': get.replace(b'\r\n', b'\r\r\n'), 'LF CR': get.replace(b'\r\n', b'\n\r'),
        'NUL before': b'\x00' + get, 'a BOM': b'\xef\xbb\xbf' + get,
        'only a line': b'GET /values/@K@ HTTP/1.1\r\n', '0.9': b'GET /values/@K@\r\n',
        '0.9 with LF': b'GET /values/@K@\n', 'a word': b'hello\r\n\r\n',
        'TLS': bytes.fromhex('16030100c8010000c40303') + b'x' * 30 + b'\r\n\r\n',
        'HTTP/2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(9), 'SSH': b'SSH-2.0-x\r\n',
        'memcached': b'get k\r\n', 'SMTP': b'EHLO x\r\n', 'two blanks': b'GET  /values/@K@ HTTP/1.1\r\nHost: h\r\n\r\n',
        'blanks behind': b'GET /values/@K@  HTTP/1.1\r\nHost: h\r\n\r\n',
        'blank at the end': b'GET /values/@K@ HTTP/1.1 \r\nHost: h\r\n\r\n',
        'tabs': b'GET\t/values/@K@\tHTTP/1.1\r\nHost: h\r\n\r\n', 'no target': b'GET HTTP/1.1\r\nHost: h\r\n\r\n',
        'no version': b'GET /values/@K@\r\nHost: h\r\n\r\n',
        'PUT in 0.9': b'PUT /values/@K@\r\n', 'an unfinished head': b'GET /values/@K@ HTTP/1.1\r\nHo',
    }
    for name, payload in raw.items():
        yield said(f'raw: {name}', payload, 'GET', 'GET')
    pipelines = {
        'three reads': ([get] * 3, 'GET GET GET'), 'write and read': ([put(b'new'), get], 'PUT GET'),
        'delete and read': ([request('DELETE'), get], 'DELETE GET'),
        'close in the middle': ([get, request(headers=['Connection: close']), get], 'GET GET GET'),
        'empty lines between': ([get, b'\r\n', get], 'GET GET'),
        '1.0 in the middle': ([get, request(version='HTTP/1.0'), get], 'GET GET GET'),
        'junk in the middle': ([get, b'junk\r\n\r\n', get], 'GET GET GET'),
        '1.0 kept': ([request(version='HTTP/1.0', headers=['Connection: keep-alive']), get], 'GET GET'),
        'absent, then there': ([request(target='/values/@K@no'), get], 'GET GET'),
        'a refused write, then a read': ([put(b'new', ['If-Match: "x"']), get], 'PUT GET'),
        'HEAD and GET': ([request('HEAD'), get, request('HEAD')], 'HEAD GET HEAD'),
        'a body on GET': ([request(headers=length, body=b'hello'), get], 'GET GET'),
        'a body on DELETE': ([request('DELETE', length, b'hello'), get], 'DELETE GET'),
        'a body on HEAD': ([request('HEAD', length, b'hello'), get], 'HEAD GET'),
        'a chunked body on GET': ([chunked(b'hello').replace(b'PUT', b'GET', 1), get], 'GET GET'),
        'a body too long': ([put(b'hello'), b'more', get], 'PUT GET GET'),
        'one blank behind a body': ([put(b'hello'), b' ', get], 'PUT GET'),
        'an Expect without a body': ([request(headers=['Expect: 100-continue']), get], 'GET GET'),
        'an Expect whose body comes': ([put(b'new', ['Expect: 100-continue']), get], 'PUT GET'),
        'OPTIONS with a body': ([request('OPTIONS', length, b'hello'), get], 'OPTIONS GET'),
        'PATCH with a body': ([request('PATCH', length, b'hello'), get], 'PATCH GET'),
        'unknown with a body': ([request('BREW', length, b'hello'), get], 'BREW GET'),
        'smuggled in a body': ([put(request('DELETE', target='/values/sentinel')), get], 'PUT GET'),
        'a large write, then a read': ([put(value_of(600_000)), get], 'PUT GET'),
        'a large write with a bad condition, then a read': ([put(value_of(600_000), ['If-Match: "x"']), get],
        'PUT GET'),
        'absolute and plain': ([request(target='http://h/values/@K@'), get], 'GET GET'),
        'an upgrade, then a read': ([request(headers=['Upgrade: h2c', 'Connection: Upgrade']), get], 'GET GET'),
        '20 writes': ([put(b'%d' % i) for i in range(20)] + [get], 'PUT ' * 20 + 'GET'),
        '304, then a read': ([request(headers=['If-None-Match: *']), get], 'GET GET'),
        '416, then a read': ([request(headers=['Range: bytes=99-']), get], 'GET GET'),
        '412, then a read': ([request(headers=['If-Match: "x"']), get], 'GET GET'),
    }
    for name, (parts, methods) in pipelines.items():
        yield said(f'pipeline: {name}', b''.join(parts), *methods.split())


def dialogues():
    return [*reads(), *judgements(), *writes(), *expectations(), *heads()]
