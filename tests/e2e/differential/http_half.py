"""The HTTP half: Tako beside nginx with its DAV module. The interface of a half stands in compare.py.

A dialogue is bytes, and what its author says about them (http_dialogue.py). It is sent to each server on a connection
of its own, with one more request behind it that asks to close: whether that is answered shows if the connection was
kept. No step waits for time to pass. Then the values are looked at: an answer may be right and its effect wrong.
"""
import dataclasses

import http_drawn
import http_known
import http_servers
import http_wire
import http_written

NAME = 'http'
SHORT = 600
LONG = 12000
KNOWN = http_known.KNOWN


class Half:
    def __init__(self, context):
        self.tako, self.nginx = http_servers.Tako(context), http_servers.Nginx(context)
        self.missing = self.nginx.missing()
        self.plays = 0

    def __enter__(self):
        self.tako.start()
        self.nginx.start()
        self.tako.put(http_wire.SENTINEL_KEY, http_wire.SENTINEL_BODY)
        return self

    def __exit__(self, kind, *_):
        self.nginx.stop()
        if kind is None:
            self.tako.stop()

    def written(self):
        return http_written.dialogues()

    def drawn(self, rng, count):
        return [http_drawn.dialogue(rng, f'drawn {i}') for i in range(count)]

    def play(self, dialogue):
        self.plays += 1
        key = f'd{self.plays}x'  # no key begins with another
        if dialogue.about.judge:
            return self.judged(dialogue, key)
        sides = []
        for server in (self.tako, self.nginx):
            sides.append(self.said(server, dialogue, key))
            assert server.running(), f'a server ended at {dialogue.name}: {dialogue.steps!r}'
        cut(*sides)
        keys = {key.encode(), *(key.encode() + tail for tail in dialogue.about.tails), *self.nginx.keys(key)}
        for side, server in zip(sides, (self.tako, self.nginx)):
            side['values'] = {k[len(key):]: v for k in sorted(keys) if (v := server.get(k)) is not None}
        return sides

    def judged(self, dialogue, key):
        """Whether a write was carried out, and whether a read under the same conditions has the value."""
        about = dialogue.about
        ours = self.said(self.tako, dialogue, key).get('0.status')
        judge = dataclasses.replace(about, methods=('GET',), judge=None)
        theirs = self.said(self.nginx, dataclasses.replace(dialogue, steps=(about.judge,), about=judge), key)
        changed = self.tako.get(key.encode()) != about.value
        return ({'carried out': ours in ('stored', 204), 'changed': changed},
                {'carried out': theirs.get('0.status') == 200, 'changed': theirs.get('0.status') == 200})

    def said(self, server, dialogue, key):
        """What it answered, aspect by aspect."""
        about = dialogue.about
        etag = server.put(key, about.value) if about.value is not None else '"none"'
        steps = [step.replace(b'@K@', key.encode()).replace(b'@ETAG@', etag.encode()) for step in dialogue.steps]
        stream, stuck = http_wire.exchange(server.port, steps)
        responses, continues = http_wire.responses_in(stream, about.methods)
        kept = bool(responses) and responses[-1].body == http_wire.SENTINEL_BODY
        seen = {'continues': continues}
        for i, response in enumerate(responses[:-1] if kept else responses):
            method = about.methods[i] if i < len(about.methods) else '?'
            seen.update((f'{i}.{name}', value) for name, value in aspects(method, response).items())
        seen['count'] = len(responses) - kept
        seen['end'] = 'stuck' if stuck else 'kept' if kept else 'closed'
        return seen


def aspects(method, response):
    """What matters of an answer. How it was worded, when, and by whom does not."""
    seen = {'status': response.status}
    if method in ('PUT', 'POST') and response.status in (200, 201, 204):
        seen['status'] = 'stored'
        return seen
    if not response.whole:
        seen['whole'] = False
    if response.status in (200, 206) and method in ('GET', 'HEAD', '?'):
        if response.header('content-type').startswith('multipart/byteranges'):
            seen['parts'] = http_wire.parts_of(response)
            seen['length is right'] = int(response.header('content-length')) == len(response.body)
        else:
            seen['body'] = response.body
            seen['length'] = response.header('content-length')
        if response.status == 200:
            seen['accept-ranges'] = response.header('accept-ranges')
    if response.status in (200, 206, 416):
        seen['content-range'] = response.header('content-range')
    seen['says close'] = 'close' in (response.header('connection') or '').lower()
    return seen


def cut(ours, theirs):
    """What follows an answer with another status follows from that, but for the values, which are looked at later."""
    for i in range(max(ours['count'], theirs['count'])):
        if ours.get(f'{i}.status') == theirs.get(f'{i}.status'):
            continue
        for side in (ours, theirs):
            for name in [n for n in side if n != f'{i}.status' and (not n[0].isdigit() or int(n.split('.')[0]) >= i)]:
                del side[name]
        return
