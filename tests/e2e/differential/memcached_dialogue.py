"""What a memcached dialogue is made of, and what is read out of its answers.

In what is sent, @K@ stands for a prefix of six bytes that all keys of one play have, @B@ for the same in base64 (eight
characters, so that the rest of a key may follow in base64), @C1@ for the first cas unique that this server gave,
@NOW+9@ for a Unix time. In answers the prefixes are put back, and cas uniques are numbered in the order in which they
appear. Times to live are the same if they are less than SLACK_SECONDS apart: memcached's clock has whole seconds, and
lags.
"""
import base64
import dataclasses
import re

STORING = {b'set', b'add', b'replace', b'append', b'prepend', b'cas'}
NO_CAS = b'77777'
SLACK_SECONDS = 10


@dataclasses.dataclass(frozen=True)
class Step:
    data: bytes
    whole: bool = True  # False: a request is left open, and nothing is answered until more comes

    def __repr__(self):
        data = self.data if len(self.data) < 400 else self.data[:380] + b'...%d' % len(self.data)
        return repr(data) + ('' if self.whole else ' (open)')

    def line(self):
        return self.data.split(b'\n', 1)[0].removesuffix(b'\r')

    def words(self):
        return [word for word in self.line().split(b' ') if word]

    def verb(self):
        words = self.words()
        return words[0] if words else b''

    def may_stay_open(self):
        """It names a block so long that one of the servers may wait for it."""
        large = any(re.fullmatch(rb'\s*\+?\d{10,}\s*', word) for word in self.words())
        return not self.whole or self.data[:1] == b'\x80' or (self.verb() in {*STORING, b'ms'} and large)


def steps(*data):
    return tuple(d if isinstance(d, Step) else Step(d) for d in data)


def b64(text):
    """A key in base64 whose first six bytes are the prefix."""
    return b'@B@' + base64.b64encode(text)


class Names:
    """One server's side of one play: its prefix, and the cas uniques it has given."""

    def __init__(self, prefix, now):
        self.prefix, self.now, self.uniques = prefix, now, []
        self.prefix64 = base64.b64encode(prefix)
        assert len(prefix) == 6

    def sent(self, data):
        data = data.replace(b'@K@', self.prefix).replace(b'@B@', self.prefix64)
        data = re.sub(rb'@C(\d)@', lambda m: self.unique(int(m[1])), data)
        return re.sub(rb'@NOW([+-]\d+)@', lambda m: b'%d' % (self.now + int(m[1])), data)

    def unique(self, number):
        return self.uniques[number - 1] if number <= len(self.uniques) else NO_CAS

    def number(self, unique):
        if unique == b'0':
            return b'0'
        if unique not in self.uniques:
            self.uniques.append(unique)
        return b'#%d' % (self.uniques.index(unique) + 1)

    def answer(self, raw):
        """The lines of an answer, each value a line of its own."""
        lines = []
        while raw:
            line, _, raw = raw.partition(b'\r\n')
            words = line.split(b' ')
            size = None
            if words[0] == b'VALUE' and len(words) in (4, 5) and words[3].isdigit():
                size = int(words[3])
                words[4:] = [self.number(word) for word in words[4:]]
            elif words[0] == b'VA' and len(words) > 1 and words[1].isdigit():
                size = int(words[1])
            if words[0] in (b'VA', b'HD', b'EX', b'NS', b'NF', b'EN'):
                words = [self.token(word) for word in words]
            lines.append(b' '.join(words).replace(self.prefix, b'@K@').replace(self.prefix64, b'@B@'))
            if size is not None:
                lines.append(raw[:size])
                raw = raw[size + 2:]
        return lines

    def token(self, word):
        if re.fullmatch(rb'c\d+', word):
            return b'c' + self.number(word[1:])
        return word


def same_times(ours, theirs):
    """`theirs`, with our times to live where they are the same."""
    if len(ours) != len(theirs):
        return theirs
    return [b' '.join(same_time(*pair) for pair in zip(a.split(b' '),
                                                       b.split(b' '))) if a.count(b' ') == b.count(b' ') else b
            for a, b in zip(ours, theirs)]


def same_time(ours, theirs):
    times = [re.fullmatch(rb't(\d+)', word) for word in (ours, theirs)]
    same = all(times) and abs(int(times[0][1]) - int(times[1][1])) < SLACK_SECONDS
    return ours if same else theirs


def without_padding(lines):
    """Numbers without the blanks that memcached leaves behind them, and without their sizes."""
    out, padded = [], False
    for line in lines:
        if re.fullmatch(rb'\d+ +', line) and out and out[-1].startswith((b'VALUE ', b'VA ')):
            line, padded = line.rstrip(b' '), True
            words = out[-1].split(b' ')
            at = 3 if words[0] == b'VALUE' else 1
            words[at] = b'%d' % len(line)
            if words[0] == b'VA':
                words = [re.sub(rb'^s\d+$', b's' + words[at], word) for word in words]
            out[-1] = b' '.join(words)
        out.append(line)
    return out if padded else None
