"""Values that prove where they come from.

Each value has an identity, `client.counter`, which with its key and its size stands in its Content-Type; its bytes are
drawn from that very text. So a reader who has both can tell, byte for byte, that this is the value of that write of
that key, and not a mixture of two, an older one's end, or another key's. An empty value still has its Content-Type.
"""
import random
import urllib.parse

TYPE_PREFIX = 'text/x-chaos; id='


def content_type(key, value_id, size):
    return f'{TYPE_PREFIX}{value_id}; size={size}; key={quoted(key)}'


def body(tag, size):
    return random.Random(tag).randbytes(size)


def quoted(key):
    return urllib.parse.quote(key, safe="/+")


def identify(key, tag, data):
    """(value id, None), or (None, what is wrong) for an answer's Content-Type and bytes."""
    if not tag.startswith(TYPE_PREFIX):
        return None, f'Content-Type {tag!r} was never written'
    try:
        value_id, size, owner = (part.split('=', 1)[1] for part in tag.split('; ')[1:])
        size = int(size)
    except ValueError:
        return None, f'Content-Type {tag!r} was never written'
    if owner != quoted(key):
        return None, f'the value of another key: {tag!r}'
    if len(data) != size:
        return None, f'{len(data)} bytes instead of {size}: {tag!r}'
    expected = body(tag, size)
    if data != expected:
        first = next(i for i in range(size) if data[i] != expected[i])
        wrong = sum(a != b for a, b in zip(data, expected))
        return None, f'{wrong} of {size} bytes differ, the first at {first}: {tag!r}'
    return value_id, None


def draw_size(rng):
    """Mostly small, up to 300 KB, and now and then 5 MB; also nothing at all."""
    share = rng.random()
    if share < 0.07:
        return 0
    if share < 0.55:
        return rng.randrange(1, 200)
    if share < 0.85:
        return rng.randrange(200, 4096)
    if share < 0.96:
        return rng.randrange(4096, 65536)
    if share < 0.9985:
        return rng.randrange(65536, 300_000)
    return 5_000_000
