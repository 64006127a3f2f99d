"""Memcached dialogues written by hand: every command with every shape of argument, one shape a dialogue."""
import itertools
import re

import compare
from memcached_dialogue import STORING, Step, b64, steps

SET = b'set @K@a 7 0 5\r\nhello\r\n'
NUMBER = b'set @K@n 0 0 2\r\n10\r\n'
OPENING = STORING | {b'ms'}
SHOW = b'gets @K@a @K@n\r\n'
NUMBERS = [b'0', b'1', b'+1', b'-0', b'-1', b'007', b'\t1', b'1\t', b'1\tx', b'\v1', b'1\r', b'1x', b'x', b'1.0',
           b'0x1', b'1e1',
           b'+', b'-', b'+-1', b'--1', b'noreply', b'2147483647', b'2147483648', b'4294967295', b'4294967296',
           b'4294967297',
           b'9223372036854775807', b'9223372036854775808', b'18446744073709551615', b'18446744073709551616',
           b'-9223372036854775808', b'-18446744073709551615', b'99999999999999999999999999']
TAILS = [b'', b' ', b' noreply', b' noreply ', b' what', b' NOREPLY', b' what noreply', b' noreply what',
         b' a b c d e f']
COMMANDS = {b'set @K@a 1 0 1': b'x\r\n', b'add @K@b 1 0 1': b'x\r\n', b'replace @K@a 1 0 1': b'x\r\n',
            b'append @K@a 1 0 1': b'x\r\n', b'prepend @K@a 1 0 1': b'x\r\n', b'cas @K@a 1 0 1 @C1@': b'x\r\n',
            b'get @K@a': b'',
            b'gets @K@a': b'', b'gat 100 @K@a': b'', b'gats 100 @K@a': b'', b'bget @K@a': b'', b'incr @K@n 1': b'',
            b'decr @K@n 1': b'', b'delete @K@a': b'', b'touch @K@a 100': b'', b'version': b'', b'verbosity 0': b'',
            b'mn': b'',
            b'flush_all 0': b'', b'flush_all': b'', b'stats settings': b'', b'mg @K@a v': b'', b'ms @K@a 1': b'x\r\n',
            b'md @K@a': b'', b'ma @K@n': b'', b'me @K@a': b'', b'quit': b''}
ARGUMENTS = {'flags': (b'set @K@a %b 0 1', b'x\r\n'), 'exptime': (b'set @K@a 0 %b 1', b'x\r\n'),
             'length': (b'set @K@a 0 0 %b', b'x\r\n'), 'unique': (b'cas @K@a 0 0 1 %b', b'x\r\n'),
             'delta': (b'incr @K@n %b', b''),
             'negative delta': (b'decr @K@n %b', b''), 'touch': (b'touch @K@a %b', b''), 'gat': (b'gat %b @K@a', b''),
             'flush_all': (b'flush_all %b', b''), 'verbosity': (b'verbosity %b', b''),
             'meta length': (b'ms @K@a %b', b'x\r\n'),
             'T': (b'mg @K@a v T%b', b''), 'F': (b'ms @K@a 1 F%b', b'x\r\n'), 'C': (b'ms @K@a 1 C%b', b'x\r\n'),
             'D': (b'ma @K@n v D%b', b''), 'J': (b'ma @K@new v N0 J%b', b''), 'N': (b'ma @K@new v N%b', b''),
             'S': (b'ms @K@a 1 T%b', b'x\r\n')}
LIFETIMES = {'exptime', 'touch', 'gat', 'T', 'N', 'S'}
META = {b'mg @K@a': b'', b'mg @K@absent': b'', b'ms @K@a 1': b'x\r\n', b'md @K@a': b'', b'md @K@absent': b'',
        b'ma @K@n': b'',
        b'ma @K@absent': b'', b'ma @K@a': b''}
FLAGS = [b'b', b'c', b'f', b'h', b'k', b'l', b'q', b's', b't', b'u', b'v', b'C', b'C0', b'C5', b'C@C1@', b'D', b'D3',
         b'Dx', b'E5',
         b'F', b'F9', b'Fx', b'I', b'J', b'J5', b'Jx', b'L', b'Lx', b'M', b'MA', b'MD', b'ME', b'MI', b'MP', b'MR',
         b'MS', b'MX', b'M+',
         b'M-', b'MAA', b'Me', b'N', b'N0', b'N100', b'Nx', b'O', b'Oabc', b'O' + b'o' * 31, b'O' + b'o' * 32, b'P',
         b'Px', b'R',
         b'R30', b'Rx', b'S5', b'T', b'T0', b'T100', b'T-1', b'Tx', b'W', b'X', b'Z', b'x', b'\xe9', b'\x7f', b'1',
         b'v v', b'q q',
         b't T100', b'T100 t', b'k q O1', b'v k c f s t O9', b'v q k', b'C@C1@ c', b'Fx Tx', b'Tx Fx', b'x v v',
         b'v v x']


def made(name, *data):
    return compare.Dialogue(name, steps(*data))


def names(text):
    return text.decode('latin-1')


def dialogues():
    out = [made(f'{names(c)}{names(t)}', SET, NUMBER, SHOW, c + t + b'\r\n' + block, SHOW)
           for (c, block), t in itertools.product(COMMANDS.items(), TAILS)]
    for count in range(9):
        verbs = {command.split(b' ')[0] for command in COMMANDS} - {b'quit', b'version', b'mn', b'flush_all'}
        for verb in sorted(verbs):
            first = b' 1' if verb in (b'gat', b'gats', b'verbosity', b'stats') else b' @K@1'
            numbers = [b' 1', b' 100', *[b' 1'] * 6]  # the second is a storing command's lifetime
            words = first + b''.join(numbers[:count - 1]) if count > 0 else b''
            block = b'x\r\n' if verb in OPENING else b''
            out.append(made(f'{names(verb)} with {count} words', SET, verb + words + b'\r\n' + block))
    for (place, (line, block)), number in itertools.product(ARGUMENTS.items(), NUMBERS):
        if number == b'007' and place.endswith('length'):
            continue  # it would swallow what follows
        if place == 'flush_all' and 0 < int((re.findall(rb'^\s*\+?(\d+)', number) or [b'0'])[0]) < 1000:
            continue  # it would come true in the middle of another dialogue
        if place in LIFETIMES:  # a lifetime of a second may end on one of the servers in the middle of the dialogue
            number = re.sub(rb'^([\s+]*)1(?!\d)', rb'\g<1>100', number)
        for tail in (b'', b' noreply'):
            if tail and (line[:1] == b'm' or line[:3] == b'gat'):
                continue
            out.append(made(f'{place} {names(number)}{names(tail)}', SET, NUMBER, SHOW,
                            line % number + tail + b'\r\n' + block, SHOW))
    out += [made(f'{names(c)} {names(f)}', SET, NUMBER, b'gets @K@a\r\n', c + b' ' + f + b'\r\n' + block, SHOW)
            for (c, block), f in itertools.product(META.items(), FLAGS)]
    return out + keys() + values() + blocks() + sequences() + noise()


def keys():
    odd = [bytes([c]) for c in [*range(1, 33), 34, 37, 127, 128, 160, 255]]
    odd += [b'\0', b'a\0b', b'a\rb', b'\r', 'é日'.encode(), b'\xff\xfe', b'k' * 243, b'k' * 244, b'k' * 245,
            b'k' * 1000, b'%20', b'a/b']
    out = []
    for key in odd:
        full = b'@K@' + key
        out.append(made(f'key {names(key[:8])} {len(key)}', b'set %b 0 0 1\r\nx\r\n' % full, b'get %b\r\n' % full,
                        b'mg %b v k\r\n' % full, b'append %b 0 0 1\r\ny\r\n' % full, b'gats 0 %b @K@b\r\n' % full,
                        b'ms %b 1 k\r\nz\r\n' % full, b'incr %b 1\r\n' % full, b'touch %b 100\r\n' % full,
                        b'me %b\r\n' % full, b'delete %b noreply\r\n' % full, b'delete %b\r\n' % full))
    for rest in [b'', b'a', b'ab', b'abc', b'\0\r\n ', bytes(range(240)), b'\xff' * 12]:
        key = b64(rest)
        out.append(made(f'base64 {len(rest)}', b'ms %b 1 b k c\r\nx\r\n' % key, b'mg %b b k v\r\n' % key,
                        b'mg %b k b v q\r\n' % key, b'ma %b b N0 J5 v\r\n' % key, b'me %b b\r\n' % key,
                        b'md %b b k\r\n' % key, b'md %b b\r\n' % key, b'mg %b b k\r\n' % key, b'mg %b v\r\n' % key))
    out += [made(f'base64 {names(key)}', b'mg %b b k v\r\n' % key, b'ms %b 1 b\r\nx\r\n' % key, b'md %b b\r\n' % key,
                 b'ma %b b\r\n' % key, b'me %b b\r\n' % key) for key in
            [b'#', b'####', b'=', b'====', b'A', b'AA', b'AAA', b'@B@A', b'@B@AA', b'@B@AAA', b'@B@AA==', b'@B@A===',
             b'@B@Y-Q==', b'@B@YQ==YQ==', b'@B@AAA=']]
    return out


def values():
    out = []
    for value in [b'', b'0', b'5', b'99', b'100', b' 5', b'5 ', b'5 6', b'\t5', b'5\n', b'5\r\n6', b'+5', b'-5', b'-0',
                  b'005', b'5x',
                  b'x5', b'5.5', b'0x5', b'18446744073709551614', b'18446744073709551615', b'18446744073709551616',
                  b'0' * 30 + b'5', b'5\0x', b'\0', b'9' * 100, b'5' + b' ' * 100]:
        store = b'set @K@n 3 0 %d\r\n%b\r\n' % (len(value), value)
        out.append(made(f'counting from {value!r}', store, b'incr @K@n 1\r\n', b'get @K@n\r\n', store,
                        b'decr @K@n 1\r\n',
                        b'decr @K@n 18446744073709551615\r\n', store, b'ma @K@n v D2\r\n', b'ma @K@n v MD D100 q\r\n',
                        b'ma @K@n C5 v\r\n', b'incr @K@n 18446744073709551615\r\n', b'gets @K@n\r\n'))
    for size in (0, 1, 1023, 16384, 65536, 262143, 262144, 262145, 700_000, 1_000_000):
        value = bytes([97 + size % 26]) * size
        out.append(made(f'value of {size} bytes', b'set @K@a 5 0 %d\r\n%b\r\n' % (size, value), b'get @K@a\r\n',
                        b'mg @K@a s f\r\n',
                        b'append @K@a 0 0 3\r\nend\r\n', b'prepend @K@a 0 0 5\r\nfront\r\n', b'gat 100 @K@a\r\n',
                        b'mg @K@a t s v\r\n',
                        b'gets @K@a @K@a\r\n'))
    for ttl in (b'0', b'-1', b'-2147483648', b'1000', b'2592000', b'2592001', b'@NOW+1020@', b'@NOW-5@', b'2147483647'):
        for verb in (b'set', b'add', b'replace', b'append', b'prepend'):
            out.append(made(f'{names(verb)} for {names(ttl)}', SET, b'%b @K@a 0 %b 1\r\nx\r\n' % (verb, ttl),
                            b'mg @K@a t v\r\n',
                            b'%b @K@b 0 %b 1\r\nx\r\n' % (verb, ttl), b'mg @K@b t v\r\n'))
        out.append(made(f'touch for {names(ttl)}', SET, b'touch @K@a %b\r\n' % ttl, b'mg @K@a t v\r\n',
                        b'add @K@a 0 0 1\r\ny\r\n'))
        out.append(made(f'gat for {names(ttl)}', SET, b'gat %b @K@a @K@b\r\n' % ttl, b'mg @K@a t v\r\n'))
        out.append(made(f'T {names(ttl)}', SET, b'mg @K@a v T%b t\r\n' % ttl, b'mg @K@a t v\r\n',
                        b'ms @K@b 1 T%b\r\nx\r\n' % ttl,
                        b'mg @K@b v t\r\n', b'ma @K@c N%b J4 v\r\n' % ttl, b'mg @K@c v t\r\n'))
    return out


def blocks():
    out = []
    for verb in (b'set @K@a 0 0', b'cas @K@a 0 0', b'ms @K@a'):
        for said, sent in [(3, b'abcd'), (3, b'abcde'), (3, b'abcdefgh'), (3, b'abc\n'), (3, b'abc\rx'), (0, b'a'),
                           (5, b'ab\r\nc'), (3, b'abc zz zz'), (3, b'abcd\r\nnonsense')]:
            for tail in (b'', b' noreply') if verb[:2] != b'ms' else (b'', b' q'):
                unique = b' 5' if verb[:3] == b'cas' else b''
                out.append(made(f'{names(verb)} {said} for {len(sent)}{names(tail)}', SET,
                                verb + b' %d' % said + unique + tail + b'\r\n' + sent + b'\r\n', SHOW))
        unique = b' 5' if verb[:3] == b'cas' else b''
        begun = Step(verb + b' 8' + unique + b'\r\nabc\r\n', whole=False)
        out.append(compare.Dialogue(f'{names(verb)} ended too early', (Step(SET), begun)))
        out.append(compare.Dialogue(f'{names(verb)} in two parts', (Step(SET), begun, Step(b'def\r\n'), Step(SHOW))))
    for line in (b'set @K@%b 0 0 9' % (b'k' * 300), b'set @K@a x 0 9', b'set @K@a 0 x 9', b'cas @K@a 0 0 9 x',
                 b'cas @K@a 0 0 9',
                 b'set @K@a 0 0 9 1 2', b'set @K@a 0 0', b'ms @K@%b 9' % (b'k' * 300), b'ms @K@a 9 x',
                 b'ms @K@a 9 q q', b'ms @K@a 9 MX'):
        for tail in (b'', b' noreply'):
            out.append(made(f'refused {names(line[:12])}...{names(line[-6:])}{names(tail)}', SET,
                            line + tail + b'\r\nzzzzzzzzz\r\n', SHOW))
    return out


def sequences():
    return [
        made('cas by turns', SET, b'gets @K@a\r\n', b'cas @K@a 1 0 1 @C1@\r\nx\r\n', b'cas @K@a 1 0 1 @C1@\r\ny\r\n',
             b'gets @K@a\r\n',
             b'ms @K@a 1 C@C2@ c\r\nz\r\n', b'ms @K@a 1 C@C2@ c\r\nz\r\n', b'mg @K@a c v\r\n', b'md @K@a C@C1@\r\n',
             b'md @K@a C@C3@ k\r\n',
             b'md @K@a C@C3@ k\r\n', b'cas @K@a 0 0 1 @C3@\r\nx\r\n', b'cas @K@a 0 0 1 0\r\nx\r\n'),
        made('cas after each change', SET, b'gets @K@a\r\n', b'append @K@a 0 0 1\r\nx\r\n', b'gets @K@a\r\n',
             b'replace @K@a 0 0 1\r\n5\r\n',
             b'gets @K@a\r\n', b'incr @K@a 1\r\n', b'gets @K@a\r\n', b'touch @K@a 100\r\n', b'gets @K@a\r\n',
             b'cas @K@a 0 0 1 @C4@\r\nx\r\n'),
        made('cas 0', SET, b'cas @K@a 0 0 1 0\r\nx\r\n', b'ms @K@a 1 C0\r\nx\r\n', b'md @K@a C0\r\n', NUMBER,
             b'ma @K@n C0 v\r\n',
             b'ms @K@b 1 C0\r\nx\r\n', b'md @K@b C0\r\n', b'ma @K@b C0\r\n', b'ma @K@b C0 N0\r\n'),
        made('modes with cas', SET, b'ms @K@a 1 ME C5 c\r\nx\r\n', b'ms @K@a 1 MA C5 c\r\nx\r\n',
             b'ms @K@a 1 MR C5\r\nx\r\n',
             b'ms @K@b 1 MA C5 c k\r\nx\r\n', b'ms @K@b 1 MR C5 c k\r\nx\r\n', b'ms @K@b 1 ME C5 k\r\nx\r\n',
             b'mg @K@b v\r\n'),
        made('add and replace', b'replace @K@b 0 0 1\r\nx\r\n', b'add @K@b 1 100 1\r\nx\r\n',
             b'add @K@b 2 0 1\r\ny\r\n',
             b'replace @K@b 3 0 0\r\n\r\n', b'get @K@b\r\n', b'mg @K@b f t s v\r\n'),
        made('flush_all', SET, NUMBER, b'flush_all noreply\r\n', SHOW, SET, SHOW, b'flush_all -1\r\n', SHOW, SET,
             b'flush_all 0 noreply\r\n', SHOW),
        made('a delayed flush_all', SET, b'flush_all 1000\r\n'),
        made('invalidation', SET, b'md @K@a I T100\r\n', b'mg @K@a v c t\r\n'),
        made('vivify', b'mg @K@b v N100 t\r\n', b'mg @K@b v\r\n'),
        made('recache', SET, b'touch @K@a 100\r\n', b'mg @K@a v R1000\r\n', b'mg @K@a v R1000\r\n'),
        made('last access', SET, b'mg @K@a h l t\r\n'),
        made('stale value', SET, b'ms @K@a 1 I C1\r\nx\r\n'),
        made('a number grows', b'set @K@n 7 100 1\r\n5\r\n', b'ma @K@n D100 T0 v\r\n', b'mg @K@n v t\r\n'),
        made('a number shrinks', b'set @K@n 7 100 3\r\n100\r\n', b'decr @K@n 95\r\n', b'mg @K@n v s t\r\n'),
        made('append that makes', b'ms @K@b 1 MA N100\r\nx\r\n'),
        made('many flags', SET, b'mg @K@a ' + b' '.join(b'c f h k l q s t u v C1 D1 F1 J1 M1 P L O1'.split()) + b'\r\n',
             *(v + b' @K@n ' + s + b' '.join(b'c f k q s t u v C1 D1 F1 J1 M+ P L O1 T0'.split()[:n]) + b'\r\n' + e
               for v, s, e in ((b'ma', b'', b''), (b'md', b'', b''), (b'ms', b'1 ', b'x\r\n'), (b'mg', b'', b''))
               for n in (15, 16, 17))),
        made('quiet', b'mg @K@b v q\r\n', b'mg @K@b v q k\r\n', b'ms @K@b 1 q\r\nx\r\n', b'ms @K@b 1 q ME\r\nx\r\n',
             b'mg @K@b v q k\r\n',
             b'md @K@b q\r\n', b'md @K@b q\r\n', b'ma @K@b q\r\n', b'ma @K@b q N0\r\n', b'ma @K@b q\r\n',
             b'ma @K@b q v\r\n', b'mn\r\n'),
        made('together',
             SET + NUMBER + SHOW + b'incr @K@n 5\r\nnonsense\r\ndelete @K@a noreply\r\n' + SHOW + b'mn\r\n'),
        made('statistics', b'stats\r\n', b'stats items\r\n', b'stats slabs\r\n', b'stats sizes\r\n',
             b'stats conns\r\n', b'stats settings\r\n',
             b'stats reset\r\n', b'stats detail on\r\n', b'stats detail off\r\n', b'stats cachedump 1 1\r\n',
             b'stats nonsense\r\n'),
        made('administration', b'slabs\r\n', b'slabs reassign 1 2\r\n', b'slabs automove 0\r\n', b'lru mode flat\r\n',
             b'lru\r\n',
             b'lru_crawler enable\r\n', b'lru_crawler tocrawl 5\r\n', b'cache_memlimit x\r\n', b'extstore x\r\n',
             b'shutdown\r\n',
             b'misbehave\r\n', b'refresh_certs\r\n'),
    ]


def noise():
    out = []
    for method, version in itertools.product([b'GET', b'POST', b'PUT', b'HEAD', b'OPTIONS', b'DELETE', b'CONNECT',
                                              b'PRI', b'get', b'set',
                                              b'post', b'trace', b'delete', b'M-SEARCH'],
                                             [b'HTTP/1.1', b'HTTP/1.0', b'HTTP/2.0', b'HTTP/', b'HTTP', b'http/1.1']):
        line = b'%b / %b\r\n' % (method, version)
        out.append(made(f'HTTP {names(method)} {names(version)}', line + b'Host: h\r\n\r\nset @K@a 0 0 1\r\nx\r\n'))
        out.append(made(f'HTTP {names(method)} {names(version)} later', SET, line, SHOW))
    out.append(made('HTTP, a long target', b'POST /' + b'x' * 5000 + b' HTTP/1.1\r\nset @K@a 0 0 1\r\nx\r\n'))
    out += [made(f'noise {i}', data) for i, data in enumerate([
            b'\x80\x0b' + bytes(22) + b'\n', b'\x80' + bytes(23) + b'\n', b'\x80\n',
            b'\x16\x03\x01\x02\x00\x01\n', b'\xff\xf4\n', b'\0\n', b'\r\n', b'\n', b' \r\n', b'\t\r\n', b'\r\r\n',
            b'x\r\n', b'*1\r\n$4\r\nPING\r\n'])]
    out += [made(f'noise {i} later', SET, data, SHOW) for i, data in enumerate([
            b'\x80\x0b\n', b'\x80 k\r\n', b'\x16\x03\n', b'\r\n', b'\n',
            b'   \r\n', b' get @K@a\r\n', b'   get   @K@a   \r\n', b'get\t@K@a\r\n', b'get @K@a\r\r\n',
            b' set @K@a 0 0 1\r\nx\r\n'])]
    for size in (1023, 1024, 2046, 2047, 2048, 2049, 4096, 8192, 16381, 16382, 16383, 16384, 20000, 100_000):
        for head in (b'', b'version ', b'get ', b'gets ', b'get @K@a ', b'   get ', b'gat 0 ', b'delete ', b'set ',
                     b'mg ', b'nonsense '):
            out.append(made(f'{names(head)}and {size} x', SET, head + b'x' * (size - len(head)) + b'\r\n', SHOW))
            out.append(made(f'{names(head)}and {size} blanks', SET, head + b' ' * (size - len(head)) + b'\r\n', SHOW))
        for head in (b'get', b'gets', b'gat 0'):
            out.append(made(f'{head.decode()} of {size} bytes', SET, head + b' @K@a' * (size // 8) + b'\r\n', SHOW))
    return out
