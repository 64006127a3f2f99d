"""Memcached dialogues drawn by seed: what clients send, what they should not send, and noise."""

import compare
from memcached_dialogue import Step, b64

VALUES = [b'a', b'b', b'@K@c']  # keys whose values are joined
COUNTERS = [b'n', b'm']         # keys that are counted; joining to them would tell padding from none
TTLS = [b'0', b'0', b'0', b'100', b'1000', b'-1', b'2592000', b'2592001', b'@NOW+1020@', b'@NOW-100@']
NUMBERS = [b'0', b'1', b'5', b'10', b'99', b'+5', b'-0', b'+0', b'007', b'\t5', b'5\t', b'5\tx', b'\v+5', b'5x', b'x',
           b'-1',
           b'-5', b'1.5', b'0x10', b'1e3', b'--5', b'+-5', b'5-', b'-', b'+', b'noreply', b'65535', b'2147483647']
LARGE = [b'2147483648', b'4294967295', b'4294967296', b'9223372036854775807', b'9223372036854775808',
         b'18446744073709551615', b'18446744073709551616', b'-18446744073709551615', b'99999999999999999999999']
CONTENTS = [b'', b'x', b'hello', b'5', b'10', b'99', b'100', b'0', b'18446744073709551615', b' 7', b'7 ', b'007',
            b'+7', b'-7',
            b'7x', b'7 x', b'7\r\n8', b'\t7', b'END', b'a\r\nb', b'\0\1\2', b'verbosity 0', b'z' * 300,
            b'18446744073709551616',
            b'1000000']
ODD = [b'\x01', b'\x7f\x1b', b'\xc3\xa9', b'\xff\xfe', b'\t', b'a\tb', b'%00', b'"', b'\x80', b'noreply', b'0']
STORES = [b'set', b'set', b'add', b'replace', b'append', b'prepend']
OTHER = [b'nonsense', b'GET', b'Set', b'g', b'getx', b'sets', b'mz', b'm', b'mgg', b'', b'\x80', b'gats2', b'touchx',
         b'casx',
         b'incrr', b'slabs reassign', b'lru', b'slabs', b'lru_crawler', b'cache_memlimit', b'shutdown']

ANY_FLAGS = b'b c f h k l q s t u v C D F I J L M N O P R T x S E'.split()


class Draw:
    def __init__(self, rng):
        self.rng = rng

    def one(self, of):
        return self.rng.choice(of)

    def chance(self, share):
        return self.rng.random() < share

    def key(self, kinds=VALUES + COUNTERS):
        key = b'@K@' + self.one(kinds)
        if self.chance(0.08):
            key = b'@K@' + self.one(ODD)
        elif self.chance(0.04):
            key = b'@K@' + b'k' * self.one([243, 244, 245, 300])  # 249, 250, 251 bytes and more
        elif self.chance(0.01):
            key = b'@K@a' + self.one([b'\0b', b'\rb', b'\r'])
        return key

    def number(self, good):
        if self.chance(0.88):
            return self.one(good)
        return self.one(LARGE) if self.chance(0.05) else self.one(NUMBERS)

    def tail(self):
        """What may stand behind the arguments."""
        return self.rng.choices([b'', b' noreply', b' what', b' ', b' noreply ', b' NOREPLY', b' 0'],
                                [60, 25, 3, 4, 2, 2, 2])[0]

    def line_end(self):
        return b'\r\n' if self.chance(0.95) else b'\n'

    def joined(self, words):
        return (b'  ' if self.chance(0.05) else b' ').join(words)

    # --- the commands -------------------------------------------------------------------------------------------------

    def storage(self):
        verb = self.one(STORES) if self.chance(0.85) else b'cas'
        value = self.one(CONTENTS)
        joins = verb in (b'append', b'prepend')
        words = [verb, self.key(VALUES if joins else VALUES + COUNTERS), self.number([b'0', b'0', b'7', b'4294967295']),
                 self.number(TTLS), b'%d' % len(value)]
        if verb == b'cas':
            words.append(self.number([b'@C1@', b'@C1@', b'@C2@', b'@C3@', b'0', b'12345']))
        if self.chance(0.05):
            words[4] = self.one([b'+%d', b'0%d', b'\t%d', b'%d\t', b'%d\tx']) % len(value)
        elif self.chance(0.03):
            words[4] = self.one([b'-1', b'-5', b'x', b'5x', b'99999999999999999999', b'-0x', b'1.0'])
        if verb != b'cas' and self.chance(0.03):  # of a cas the unique would become the length
            words.pop(self.rng.randrange(len(words)))
        line = self.joined(words) + self.tail() + self.line_end()
        if self.chance(0.03):  # more than was said
            value += self.one([b'y', b'yy', b'\r', b'yyy yyy'])
        if self.chance(0.03):
            return Step(line + value + self.one([b'\rx\r\n', b'yz\r\n', b'\n\r\n']))
        return Step(line + value + b'\r\n')

    def get(self):
        verb = self.one([b'get', b'get', b'gets', b'gets', b'bget'])
        return Step(self.joined([verb, *(self.key() for _ in range(self.one([1, 1, 2, 3, 30])))]) + self.tail() +
                    self.line_end())

    def gat(self):
        words = [self.one([b'gat', b'gats']), self.number(TTLS), *(self.key() for _ in range(self.one([0, 1, 1, 2])))]
        return Step(self.joined(words) + self.line_end())

    def counting(self):
        words = [self.one([b'incr', b'decr']), self.key(COUNTERS),
                 self.number([b'0', b'1', b'1', b'5', b'100', b'18446744073709551615', b'+1', b'007'])]
        if self.chance(0.05):
            words.pop()
        return Step(self.joined(words) + self.tail() + self.line_end())

    def touch(self):
        return Step(self.joined([b'touch', self.key(), self.number(TTLS)]) + self.tail() + self.line_end())

    def delete(self):
        words = [b'delete', self.key()]
        if self.chance(0.3):
            words += [self.one([b'0', b'noreply', b'5', b'00', b'0 noreply', b'5 noreply', b'noreply 0', b'0 0',
                                b'a b c'])]
        return Step(self.joined(words) + self.tail() + self.line_end())

    def administration(self):
        return Step(self.one([
            b'version', b'version x', b'verbosity 0', b'verbosity', b'verbosity x', b'verbosity 1 2',
            b'verbosity 1 2 3',
            b'verbosity 0 noreply', b'verbosity x noreply', b'verbosity noreply', b'verbosity -1', b'mn', b'mn x',
            b'stats',
            b'stats settings', b'stats items', b'stats nonsense', b'stats detail', b'flush_all x',
            b'flush_all x noreply',
            b'flush_all noreply x', b'flush_all 0 0 0', b'flush_all 1 2 3', b'', b' ', b'\r', b'x']) + self.line_end())

    def unknown(self):
        words = [self.one(OTHER), *(self.one(NUMBERS + [b'@K@a']) for _ in range(self.one([0, 1, 2, 5, 25])))]
        return Step(self.joined(words) + self.tail() + self.line_end())

    def shuffled(self):
        """A known verb with any words behind it."""
        verb = self.one([b'get', b'gets', b'gat', b'touch', b'incr', b'decr', b'delete', b'verbosity', b'mg', b'md',
                         b'ma', b'me', b'stats'])
        kinds = COUNTERS if verb in (b'incr', b'decr', b'ma') else VALUES + COUNTERS
        count = self.one([0, 1, 2, 3, 6, 24])
        words = [self.one(NUMBERS) if self.chance(0.6) else self.key(kinds) for _ in range(count)]
        return Step(self.joined([verb, *words]) + self.line_end())

    # --- meta ---------------------------------------------------------------------------------------------------------

    def meta_key(self, kinds):
        """A key, and the flag b if it is in base64."""
        if self.chance(0.85):
            return self.key(kinds), []
        key = self.one([b64(self.one(kinds).replace(b'@K@', b'')), b64(b'\0\r\n '), b64(b'\xff' * 9), b'####', b'@K@a',
                        b'@B@A', b'@B@AA=', b'@B@YQ=='])
        return key, [b'b']

    def flags(self, own):
        """Flags: mostly those that mean something to the command, now and then any, wrong or twice."""
        found = []
        for _ in range(self.one([0, 1, 2, 2, 3, 4, 6])):
            flag = self.one(own if self.chance(0.93) else ANY_FLAGS)
            if flag == b'T' or flag == b'N' or flag == b'R':
                flag += self.number(TTLS)
            elif flag in (b'C',):
                flag += self.number([b'@C1@', b'@C1@', b'@C2@', b'0', b'77'])
            elif flag in (b'D', b'J', b'F'):
                flag += self.number([b'0', b'1', b'5', b'100'])
            elif flag == b'O':
                flag += self.one([b'1', b'abc', b'', b'o' * 31] if self.chance(0.95) else [b'o' * 32, b'o' * 33])
            elif flag == b'M':
                flag += self.one([b'E', b'A', b'P', b'R', b'S', b'I', b'D', b'+', b'-', b'', b'e', b'i', b'XX'])
            elif self.chance(0.02):
                flag += b'x'
            if flag[:1] not in [f[:1] for f in found] or self.chance(0.1):
                found.append(flag)
        return found

    def meta_get(self):
        key, flags = self.meta_key(VALUES + COUNTERS)
        flags += self.flags([b'c', b'f', b'k', b'O', b'q', b's', b't', b'u', b'v', b'v', b'T', b'P', b'L'])
        return Step(self.joined([b'mg', key, *flags]) + self.line_end())

    def meta_set(self):
        flags = self.flags([b'c', b'C', b'F', b'k', b'O', b'q', b'T', b'P'])
        if self.chance(0.5):
            flags.append(self.one([b'ME', b'MA', b'MP', b'MR', b'MS', b'MA', b'MX', b'Ma', b'M']))
        joins = bool({b'MA', b'MP'} & set(flags))
        key, encoded = self.meta_key(VALUES if joins else VALUES + COUNTERS)
        if joins and [f for f in flags if f[:1] == b'M'][0] not in (b'MA', b'MP'):
            key, encoded = b'@K@a', []
        value = self.one(CONTENTS)
        size = b'%d' % len(value)
        if self.chance(0.04):
            size = self.one([b'+%d' % len(value), b'0%d' % len(value), b'x', b'-1', b'99999999999999999999', b''])
        return Step(self.joined([b'ms', key, size, *encoded, *flags]) + self.line_end() + value + b'\r\n')

    def meta_delete(self):
        key, flags = self.meta_key(VALUES + COUNTERS)
        return Step(self.joined([b'md', key, *flags, *self.flags([b'C', b'k', b'O', b'q', b'P'])]) + self.line_end())

    def meta_arithmetic(self):
        key, flags = self.meta_key(COUNTERS)
        flags += self.flags([b'c', b'C', b'k', b'O', b'q', b't', b'v', b'v', b'D', b'J', b'N', b'T', b'M'])
        return Step(self.joined([b'ma', key, *flags]) + self.line_end())

    def meta_debug(self):
        key, flags = self.meta_key(VALUES)
        return Step(self.joined([b'me', key, *flags, *([b'x'] if self.chance(0.2) else [])]) + self.line_end())

    # --- noise --------------------------------------------------------------------------------------------------------

    def long_line(self):
        size = self.one([1023, 1024, 1025, 2046, 2047, 2048, 2049, 4096, 8192, 16382, 16383, 16384, 20000])
        head = self.one([b'', b'x ', b'touch ', b'mg ', b'version ', b'gat 0 ', b'get ', b'gets ', b'get @K@a ',
                         b'  get ',
                         b'delete '])
        fill = self.one([b'x', b' ', b'@K@a '])
        body = (head + fill * (size // len(fill) + 1)) if fill != b'@K@a ' else head + fill * (size // 7 + 1)
        return Step(body[:size].rsplit(b'@', 1)[0] + b'\r\n' if fill == b'@K@a ' else body[:size] + b'\r\n')

    def http(self):
        method = self.one([b'GET', b'POST', b'PUT', b'OPTIONS', b'DELETE', b'PRI', b'get', b'delete', b'M-SEARCH',
                           b'trace'])
        version = self.one([b'HTTP/1.1', b'HTTP/1.0', b'HTTP/2.0', b'HTTP/', b'http/1.1', b'HTTP'])
        body = self.one([b'', b'set @K@a 0 0 1\r\nx\r\n', b'flush_all noreply\r\n'])
        return Step(b'%b %b %b\r\nHost: h\r\n\r\n%b' % (method, self.one([b'/', b'*', b'/a b', b'/@K@a']), version,
                                                        body))

    def noise(self):
        kind = self.rng.random()
        if kind < 0.3:
            return self.http()
        if kind < 0.7:
            return self.long_line()
        return Step(self.one([b'\x80\x0b' + b'a' * 22 + b'\n', b'\x16\x03\x01\x02\n', b'\r\n\r\n', b'\n\n', b'quit\r\n',
                              b'\xff\xf4\xff\xfd\x06\n', b'quit now\r\n', b'*1\r\n$4\r\nPING\r\n', b'\0\0\0\r\n']))

    def step(self):
        draws = [self.storage, self.get, self.gat, self.counting, self.touch, self.delete, self.administration,
                 self.unknown, self.shuffled, self.meta_get, self.meta_set, self.meta_delete, self.meta_arithmetic,
                 self.meta_debug, self.noise]
        return self.rng.choices(draws, [26, 14, 4, 10, 5, 6, 2, 1, 2, 12, 12, 4, 10, 1, 1])[0]()


def dialogue(rng, name):
    draw = Draw(rng)
    return compare.Dialogue(name, tuple(draw.step() for _ in range(rng.choice([2, 4, 8, 12]))))


