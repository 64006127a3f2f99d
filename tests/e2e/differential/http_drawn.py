"""HTTP dialogues drawn by a seed: one to three requests, mostly sound, with a few odd things in each."""
import http_written
from http_dialogue import About, date, judged, value_of
from compare import Dialogue

METHODS = ['GET'] * 8 + ['PUT'] * 8 + ['HEAD'] * 3 + ['DELETE'] * 3 + ['OPTIONS', 'POST', 'PATCH', 'BREW']
SIZES = [0, 1, 2, 3, 9, 10, 11, 100, 1000, 4096, 65_536, 300_000]
FIRSTS = [0, 0, 1, 2, 5, 9, 10, 99, 100, 4095, 4096, 65_535, 299_999, 1 << 63, 1 << 64]


def drawn_range(rng):
    def one():
        first, last = rng.choice(FIRSTS), rng.choice(FIRSTS)
        return rng.choice([f'{first}-{last}', f'{first}-', f'-{last}', f'{min(first, last)}-{max(first, last)}',
        f'{first}-{first + 3}'])
    return 'bytes=' + rng.choice([',', ', ']).join(one() for _ in range(rng.choice([1, 1, 1, 1, 2, 3, 5])))


def drawn_condition(rng):
    name = rng.choice(['If-Match', 'If-None-Match', 'If-Modified-Since', 'If-Unmodified-Since'])
    if name.endswith('Since'):
        return f'{name}: {date(rng.choice([-86400, -1, 0, 1, 86400]))}'
    tags = [rng.choice(['@ETAG@', '"x"', '"y,z"', 'W/@ETAG@', '""']) for _ in range(rng.choice([1, 1, 2, 3]))]
    return f'{name}: ' + rng.choice(['*', ', '.join(tags), ','.join(tags)])


class Draft:
    """A request while it is being drawn."""

    def __init__(self, rng):
        self.rng = rng
        self.method = rng.choice(METHODS)
        self.target, self.version, self.end = '/values/@K@', 'HTTP/1.1', b'\r\n'
        self.lines, self.body = ['Host: h'], b''
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            self.lines.append(drawn_condition(rng))
        if rng.random() < (0.5 if self.method == 'GET' else 0.1):
            self.lines.append(f'Range: {drawn_range(rng)}')
            if rng.random() < 0.3:
                self.lines.append('If-Range: ' + rng.choice(['@ETAG@', '"x"', date(0), date(-5), date(5)]))
        if self.method in ('PUT', 'POST', 'PATCH') or rng.random() < 0.1:
            self.add_body()

    def add_body(self):
        rng, value = self.rng, value_of(self.rng.choice(SIZES))
        if rng.random() < 0.15:
            self.lines.append('Expect: 100-continue')
        if rng.random() < 0.7:
            self.lines.append(f'Content-Length: {len(value)}')
            self.body = value
            return
        self.lines.append('Transfer-Encoding: chunked')
        while value:
            size = rng.randrange(1, len(value) + 1) if rng.random() < 0.5 else len(value)
            extension = rng.choice([b'', b'', b'', b';a', b';a=b', b';a="b c"'])
            self.body += b'%x' % size + extension + b'\r\n' + value[:size] + b'\r\n'
            value = value[size:]
        self.body += b'0\r\n' + rng.choice([b'', b'', b'', b'T: v\r\n', b'T: v\r\nContent-Length: 3\r\n']) + b'\r\n'

    def oddity(self):
        """Changes one thing, as a broken client or an attacker would."""
        rng = self.rng
        what = rng.randrange(16)
        place = rng.randrange(len(self.lines) + 1)
        if what == 0:
            self.lines.insert(place, rng.choice(self.lines or ['A: b']))
        elif what == 1:
            self.lines[1:1] = rng.choice(http_written.CURIOUS)[1]
        elif what == 2:
            self.lines.insert(place, f'Content-Length: {rng.choice(http_written.LENGTHS)}')
        elif what == 3:
            self.version = rng.choice(['HTTP/1.0', 'HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9',
            'HTTP/1.', 'http/1.1'])
        elif what == 4:
            self.target = rng.choice([options['target'] for _, options in http_written.HEADS if 'target' in options])
        elif what == 5:
            self.lines.insert(place, rng.choice([o['headers'][0] for n,
            o in http_written.HEADS if n.startswith('line ')]))
        elif what == 6:
            self.lines = [line for line in self.lines if not line.startswith('Host')]
        elif what == 7:
            self.body = self.body[:rng.randrange(len(self.body) + 1)]
        elif what == 8:
            self.body += rng.choice([b'\r\n', b'x', b'\n', b'0\r\n\r\n'])
        elif what == 9:
            self.lines.insert(place, rng.choice(['Connection: close', 'Connection: keep-alive', 'Connection: x',
            'Keep-Alive: 5']))
        elif what == 10:
            self.lines.insert(place, f'Range: {rng.choice(http_written.RANGES)}')
        elif what == 11:
            self.lines.insert(place, rng.choice(http_written.CONDITIONS))
        elif what == 12:
            self.end = b'\n'
        elif what == 13:
            rng.shuffle(self.lines)
        elif what == 14:
            change = rng.choice([str.upper, str.lower])  # of names; an HTTP date has one case
            self.lines = [''.join((change(name), colon, value)) for name, colon, value in
                          (line.partition(':') for line in self.lines)]
        else:
            self.lines += [f'A{i}: ' + 'x' * rng.choice([1, 50, 300]) for i in range(rng.choice([1, 20, 80, 120]))]

    def text(self):
        head = [f'{self.method} {self.target} {self.version}', *self.lines, '', '']
        return self.end.join(line.encode('latin-1') for line in head) + self.body


def dialogue(rng, name):
    if rng.random() < 0.1:
        lines = [line for line in (drawn_condition(rng) for _ in range(rng.choice([1, 2, 2, 3])))
                 if not line.startswith('If-Modified') and not line.endswith('*')]
        dates = [line for line in lines if 'Since' in line]
        return judged(name, rng.choice(['PUT', 'DELETE']), [line for line in lines if line not in dates[1:]])
    drafts = [Draft(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
        rng.choice(drafts).oddity()
    value = rng.choice([None, *(value_of(size) for size in SIZES)])
    about = About(tuple(d.method for d in drafts) + ('?',), value, tails=(b'A', b'%', b'\xc3\xa9', b'/x', b' '))
    return Dialogue(name, (b''.join(d.text() for d in drafts),), about)
