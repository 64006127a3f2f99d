"""The memcached half: Tako's memcached port beside memcached 1.6. The interface of a half stands in compare.py.

The steps of a dialogue are sent one by one, each with a marker behind it (a meta get of a key that is not there, with
the step's number), and the next when the marker is answered. In the end the client stops sending and reads until the
server closes, so what is compared does not depend on time. Then the values of all keys are looked at.

An aspect is what was answered to one step, `closed` (before which step the server closed the connection), or `values`.
Where the answers to a step differ in a way that lets the two servers hold different things from then on, what follows
is not compared.
"""
import base64
import os
import re
import shutil
import socket
import subprocess
import time

import harness
import memcached_drawn
import memcached_known
import memcached_written
from memcached_dialogue import Names, same_times, without_padding

NAME = 'memcached'
SHORT = 500
LONG = 8000
KNOWN = memcached_known.KNOWN
ANSWER_SECONDS_MAX = 90  # flush_all has a minute
OPEN_SECONDS = 0.05  # after a request that may be left open, the next step follows; pacing only


class Half:
    missing = None if shutil.which('memcached') else 'memcached is not installed: run scripts/setup'

    def __init__(self, context):
        self.context, self.plays, self.memcached = context, 0, None

    def __enter__(self):
        self.ours, self.theirs = harness.free_port(), harness.free_port()
        self.tako, _ = self.context.cluster(harness.Layout([['n1'], ['n2'], ['n3']], per_key=3), '--memcached',
                                            self.ours)
        user = ['-u', 'root'] if os.getuid() == 0 else []
        command = ['memcached', '-l', '127.0.0.1', '-p', str(self.theirs), '-U', '0', '-m', '64', *user]
        self.memcached = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL)
        try:
            for port in (self.ours, self.theirs):
                harness.until(30, 'both servers listen', lambda port=port: harness.accepts(port))
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind, *_):
        self.memcached.terminate()
        self.memcached.wait()
        if kind is None:
            self.tako.stop()

    def written(self):
        return memcached_written.dialogues()

    def drawn(self, rng, count):
        return [memcached_drawn.dialogue(rng, f'drawn {i}') for i in range(count)]

    def play(self, dialogue):
        self.plays += 1
        names = [Names(b'p%05d' % self.plays, int(time.time())) for _ in range(2)]
        sides = [said(port, dialogue, name) for port, name in zip((self.ours, self.theirs), names)]
        assert self.tako.running(), f'tako ended at {dialogue.name}: {dialogue.steps!r}'
        assert self.memcached.poll() is None, f'memcached ended at {dialogue.name}: {dialogue.steps!r}'
        ours, theirs = sides
        theirs.update({n: same_times(ours[n], said) for n, said in theirs.items() if n.isdigit() and n in ours})
        if not cut(dialogue, *sides):
            keys = sorted(keys_of(dialogue, names[0]))
            for side, port in zip(sides, (self.ours, self.theirs)):
                side['values'] = values(port, keys, names[0].prefix)
            held = theirs['values']
            held.update({key: same_times(ours['values'].get(key, []), lines) for key, lines in held.items()})
        if any(step.verb() == b'flush_all' for step in dialogue.steps):
            with harness.Raw(self.theirs) as c:  # a delayed one is called off by another
                c.send(b'flush_all\r\n').more()
        return sides


def said(port, dialogue, names):
    """What a server answered, by step."""
    side, stream = {}, b''
    closed, lost = None, False
    markers = [b'EN O%d-\r\n' % i for i in range(len(dialogue.steps))]
    with socket.create_connection(('127.0.0.1', port), timeout=ANSWER_SECONDS_MAX) as s:
        begin = 0
        for i, step in enumerate(dialogue.steps):
            patience = OPEN_SECONDS if lost or step.may_stay_open() else ANSWER_SECONDS_MAX
            end, stream = exchange(s, step, names, markers[i], i, stream, begin, patience)
            lost = end == -1
            if end is None:
                closed = i
                break
            if end >= 0:
                side[str(i)] = names.answer(stream[begin:end])
                begin = end + len(markers[i])
        rest = stream[begin:]
        if closed is None:
            s.shutdown(socket.SHUT_WR)
            rest += read_all(s)
    side['rest'] = names.answer(rest)
    side['closed'] = closed
    return side


def exchange(s, step, names, marker, number, stream, begin, patience):
    """Sends one step. Gives where its marker begins in the stream, -1 if it is not there, None if the server closed."""
    ask = b'mg %b~ O%d-\r\n' % (names.prefix, number) if step.whole else b''
    try:
        s.sendall(names.sent(step.data) + ask)
        s.settimeout(patience)
        while marker not in stream[begin:]:
            more = s.recv(1 << 20)
            if not more:
                return None, stream
            stream += more
        return stream.index(marker, begin), stream
    except TimeoutError:
        return -1, stream
    except ConnectionError:
        return None, stream
    finally:
        s.settimeout(ANSWER_SECONDS_MAX)


def read_all(s):
    data = b''
    try:
        while more := s.recv(1 << 20):
            data += more
    except ConnectionError:
        pass
    return data


def cut(dialogue, ours, theirs):
    """Takes out what follows a difference that may have consequences. True: there is one."""
    for i in range(len(dialogue.steps)):
        name = str(i)
        if ours.get(name) == theirs.get(name):
            continue
        if name in ours and name in theirs and memcached_known.harmless(dialogue.steps[i], ours[name], theirs[name]):
            continue
        for side in (ours, theirs):
            both = name in ours and name in theirs
            later = [n for n in side if (n.isdigit() and int(n) > i) or (n == 'closed' and both)]
            for n in [*later, 'rest']:
                side.pop(n, None)
        return True
    return ours['closed'] != theirs['closed']


def keys_of(dialogue, names):
    """Every key that a step may have named."""
    found = set()
    for step in dialogue.steps:
        data = names.sent(step.data)
        for word in re.split(rb'[ \r\n]', data):
            if word.startswith(names.prefix64):
                try:
                    word = base64.b64decode(word, validate=True)
                except ValueError:
                    continue
            if word.startswith(names.prefix) and len(word) <= 250 and b'\0' not in word:
                found.add(word)
    return found


def values(port, keys, prefix):
    """What the keys hold: flags, whether they expire, the value."""
    found = {}
    with harness.Raw(port) as c:
        for key in keys:
            plain = not re.search(rb'[ \r\n\0]', key)
            c.send((b'mg %b f t v\r\n' % key) if plain else (b'mg %b b f t v\r\n' % base64.b64encode(key)))
            while not re.match(rb'EN\r\n|VA \d+[^\n]*\n', c.buffer):
                assert c.more(), f'closed while {key!r} is read'
            line, _, c.buffer = c.buffer.partition(b'\r\n')
            if line == b'EN':
                continue
            size = int(line.split(b' ')[1])
            while len(c.buffer) < size + 2:
                assert c.more(), f'closed while {key!r} is read'
            value, c.buffer = c.buffer[:size], c.buffer[size + 2:]
            lines = Names(prefix, 0).answer(line + b'\r\n' + value + b'\r\n')
            found[key[len(prefix):]] = without_padding(lines) or lines
    return found
