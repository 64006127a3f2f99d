"""The differences from nginx that are meant: what has to have been sent and answered, and the reason."""
import re

from compare import Known

REFUSED_BY_NAME = (  # src/wire/http/fields.h
    rb'content-range|range|if-range|content-encoding|content-transfer-encoding|expect|trailer|if|if-schedule-tag-match|'
    rb'x-http-method-override|x-http-method|x-method-override')
STORED = ('stored', 200, 204, 404, 'no head')  # theirs was carried out
TAG_LIST = rb'(?:\*|[ \t,]*(?:W/)?"[^"]*"(?:[ \t]*,[ \t]*(?:(?:W/)?"[^"]*")?)*)'


def sent(difference):
    return b''.join(difference.dialogue.steps)


def has(difference, pattern):
    return re.search(pattern, sent(difference)) is not None


def header(difference, name, value=rb''):
    return has(difference, rb'(?im)^(?:' + name + rb')[ \t]*:[ \t]*' + value)


def first(difference):
    """(method, ours, theirs) of the first answer with another status: all that differs beside it follows from it."""
    ours, theirs = difference.all_ours, difference.all_theirs
    for i in range(100):
        name = f'{i}.status'
        if ours.get(name) != theirs.get(name):
            methods = difference.dialogue.about.methods
            return (methods[i] if i < len(methods) else '?'), ours.get(name), theirs.get(name)
        if name not in ours:
            break
    return None, None, None


def refused(status):
    return isinstance(status, int) and status >= 400 and status not in (404, 412, 416)


def answers(method=None, ours=None, theirs=None):
    """A predicate of the first answer with another status."""
    def fits(value, wanted):
        return wanted is None or (wanted(value) if callable(wanted) else value in wanted)

    def holds(difference):
        found = first(difference)
        return found[0] is not None and all(fits(v, w) for v, w in zip(found, (method, ours, theirs)))
    return holds


def both(*predicates):
    return lambda difference: all(holds(difference) for holds in predicates)


def either(*predicates):
    return lambda difference: any(holds(difference) for holds in predicates)


def pattern(text):
    return lambda difference: has(difference, text)


def field(name, value=rb''):
    return lambda difference: header(difference, name, value)


def repeats(difference, names=None):
    """Some header stands on two lines of one head."""
    for head in re.split(rb'\r?\n\r?\n', sent(difference)):
        found = [line.partition(b':')[0].strip().lower() for line in head.split(b'\n')[1:] if b':' in line]
        if any(found.count(name) > 1 and (names is None or name in names) for name in found):
            return True
    return False


def closed(difference):
    """Both gave the same refusal, after which nginx closed."""
    _, ours, theirs = first(difference)
    if not any(refused(s) or s == 412 for n, s in difference.all_theirs.items() if n.endswith('status')):
        return False
    if ours == 'no head':
        return False  # bytes that belong to no answer
    if ours is not None or theirs is not None:
        return theirs is None  # what came behind was answered by Tako alone
    return difference.aspect.rpartition('.')[2] in ('end', 'says close') and difference.theirs in ('closed', True)


def unwanted_body(difference):
    """A body that nobody wants is too large to be read to its end."""
    if not any(len(step) > 250_000 for step in difference.dialogue.steps):
        return False
    says = [n for n in difference.all_ours if n.endswith('says close') and difference.all_ours[n]]
    return bool(says) and (difference.aspect in says or first(difference)[1] is None)


def unfinished(difference):
    """The body of a request ends in the last one, or nowhere."""
    rest = sent(difference)
    while rest:
        head, mark, rest = rest.partition(b'\r\n\r\n')
        length = re.search(rb'(?im)^content-length:[ \t]*(\d+)[ \t]*\r?$', head)
        if re.search(rb'(?im)^transfer-encoding:[ \t]*chunked', head):
            size = re.match(rb'(?i)([0-9a-f]+)[^\r]*\r\n', rest)
            while size and int(size[1], 16) > 0:
                rest = rest[size.end() + int(size[1], 16) + 2:]
                size = re.match(rb'(?i)([0-9a-f]+)[^\r]*\r\n', rest)
            if not size:
                return True
            rest = rest[size.end():].partition(b'\r\n\r\n')[2] if not rest[size.end():].startswith(b'\r\n') else \
                rest[size.end() + 2:]
        elif length:
            if int(length[1]) > len(rest):
                return True
            rest = rest[int(length[1]):]
    return False


def unreadable_condition(difference):
    for name, value in re.findall(rb'(?im)^(if-match|if-none-match|if-unmodified-since)[ \t]*:[ \t]*([^\r\n]*)',
    sent(difference)):
        readable = rb'[A-Z].* GMT|[A-Z].* \d{4}' if name.lower() == b'if-unmodified-since' else TAG_LIST
        if not re.fullmatch(readable, value.strip()):
            return True
    return False


def no_header(difference):
    lines = [line for head in re.split(rb'\r\n\r\n', sent(difference)) for line in head.split(b'\r\n')[1:]]
    return any(not re.fullmatch(rb"[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*", line) for line in lines)


def odd_host(difference):
    hosts = re.findall(rb'(?im)^host[ \t]*:([^\r\n]*)', sent(difference)) + re.findall(rb'(?i) https?://([^/? ]*)',
    sent(difference))
    return any(not re.fullmatch(rb'\w[\w-]*(\.[\w-]+)*\.?(:\d*)?', host.strip()) for host in hosts)


CONDITION = rb'if-match|if-none-match|if-unmodified-since|if-modified-since'
CHUNKED = field(rb'transfer-encoding')
WRITES = ('PUT', 'DELETE', 'POST')

KNOWN = Known(
    ('both refuse', answers(None, refused, refused),
     'which fault is named first, and by which status, is free'),
    ('no POST in nginx', answers(('POST',), None, (404, 405)),
     'nginx has files, which cannot be posted to; in Tako POST is PUT'),
    ('DELETE of nothing', answers(('DELETE',), (204, 412), (404, 412)),
     'README.md: 204 whether or not there was a value, so that a retry succeeds'),
    ('DELETE with a body', answers(('DELETE',), None, (415,)),
     'nginx wants none; Tako reads it and passes over it, as over the body of a GET'),
    ('conditional writes', both(answers(WRITES, (412,), STORED), field(CONDITION)),
     'nginx passes over conditions of writes: the lost updates that they are there to prevent'),
    ('unreadable conditions of writes', both(answers(WRITES, (400,), None), unreadable_condition),
     'a write whose condition cannot be read is refused: without it, it could replace what it should not'),
    ('unreadable conditions of reads',
    both(answers(('GET', 'HEAD'), (200, 206, 416, 304), (412,)), unreadable_condition),
     'RFC 9110 §13.1.4: a date that is none is ignored; nginx fails the request'),
    ('conditions on several lines', both(lambda d: repeats(d, (b'if-match', b'if-none-match')),
    answers(None, None, (400,))),
     'RFC 9110 §5.3: the lines are one list; nginx 1.22 wants one line'),
    ('a date beside tags, judged', both(lambda d: d.aspect in ('carried out', 'changed') and d.ours,
                                        field(rb'if-match'), field(rb'if-unmodified-since')),
     'RFC 9110 §13.2.2: with If-Match the date is not looked at; nginx looks at both'),
    ('a date beside tags', both(answers(('GET', 'HEAD', '?'), None, (412, 200, 206, 416)),
    field(rb'if-(none-)?match'), field(rb'if-(un)?modified-since')),
     'RFC 9110 §13.2.2: with tags the date is not looked at; nginx looks at both'),
    ('refused by name', both(answers(None, (400, 415, 417), None), field(REFUSED_BY_NAME)),
     'src/wire/http/fields.h: what would change the meaning is not passed over'),
    ('repeated headers', both(answers(None, (400,), None), repeats),
     'one line of a header that is no list: whichever won, somebody between may have read the other'),
    ('digests', both(answers(None, (400,), None), field(rb'content-md5')),
     'Tako checks the digest of what arrives'),
    ('one blank or LF where CR LF belongs', both(answers(None, (400,), None), pattern(rb'(?<!\r)\n|\r(?!\n)')),
     'RFC 9112 §2.2 allows to take a bare LF; who does not can never differ from another in where a request ends'),
    ('chunks', both(answers(None, (400,), None), CHUNKED),
     'RFC 9112 §7.1 to the letter: no blanks in sizes, bounded extensions and trailers, CR LF behind data'),
    ('HTTP/0.9', answers(None, refused, ('no head',)),
     'nobody speaks it, and a line of junk must not be a request'),
    ('hosts that are none', both(answers(None, (400,), None), odd_host),
     'RFC 3986 §3.2.2 says what a host is: quotes, slashes and bytes above 0x7e are not in it'),
    ('hosts that are odd', both(answers(None, None, (400,)),
    pattern(rb'(?im)^host[ \t]*:[ \t]*(\r|[\w]?\.\.?[\w]?\r)')),
     'RFC 9112 §3.2: Host may be empty; RFC 3986 §3.2.2: a name may have dots in a row'),
    ('100-continue when the body is there',
    lambda d: d.aspect == 'continues' and d.ours < d.theirs and len(d.dialogue.steps) == 1,
     'RFC 9110 §10.1.1: it need not be sent once the body came'),
    ('HEAD with a range', both(answers(('HEAD',), (200,), (206, 416)), field(rb'range')),
     'RFC 9110 §14.2: a range is for GET alone'),
    ('malformed ranges', both(answers(('GET',), (200,), (416, 206)), field(rb'range')),
     'RFC 9110 §14.2: a Range that cannot be read, or has too many or overlapping parts, is passed over'),
    ('ranges beyond 64 bits, and empty elements',
    both(answers(('GET',), (206,), (416, 200)),
    field(rb'range', rb'bytes *=.*(\d{19}|,[ ,]*,|,[ ]*\r)|bytes( =|= *,)')),
     'a last position beyond the end means the end, whatever its length; an empty element of a list means nothing'),
    ('ranges of an empty value', both(answers(None, (416,), (200,)), field(rb'range')),
     'RFC 9110 §14.1.2: nothing satisfies them'),
    ('paths are keys', pattern(rb'(?i)(?<!:)//|/\.\.?/|%2e|%00|%2f|/values/ |/%76|@K@/|@K@[^ ]*\.\.'),
     'a key is any bytes: nothing is resolved, joined or decoded twice; nginx has files and folders'),
    ('101 headers', answers(None, (431,), None),
     'Tako bounds the headers of a request, nginx its bytes alone'),
    ('tabs', both(answers(None, None, (400, 501)), pattern(rb'(?i)(content-length:[ ]*\t|chunked\t)')),
     'RFC 9110 §5.6.3: a tab is white space as well; nginx takes it for a part of the value'),
    ('lines that are no header', both(answers(None, (400,), None), no_header),
     'RFC 9112 §5: a name is a token, and a value has no control bytes; nginx passes over lines that break this'),
    ('request lines', both(answers(None, (400,), None),
    pattern(rb'(?m)^\w+( [^ ]*%[^ ]*| [^ ]*#[^ ]*|  +[^ ]*| [^ ]*  +[^ ]*| [^ ]* [^ ]* ) ?(HTTP/...)?\r$')),
     'RFC 9112 §3: one blank between its words, no fragment, and a % is followed by two digits'),
    ('other schemes', both(answers(None, (400,), None), pattern(rb' ftp://')),
     'Tako speaks http and https; nginx takes any scheme'),
    ('unknown methods', answers(None, (501,), None),
     'Tako does not look further at what it does not know; nginx looks for the file first'),
    ('versions', both(answers(None, (400,), None), pattern(rb' HTTP/1\.\d\d')),
     'RFC 9112 §2.3: a version has one digit on each side of the dot'),
    ('Depth', both(answers(('DELETE',), (204, 412), (400,)), field(rb'depth')),
     'values are no folders'),
    ('Connection on two lines', both(lambda d: d.aspect.endswith(('says close', 'end')),
    lambda d: repeats(d, (b'connection',))),
     'RFC 9110 §5.3: the lines are one list, and close is in it; nginx goes by the last line'),
    ('the target *', both(answers(None, (404, 405), (400,)), pattern(rb'[A-Z]+ \* ')),
     'it is no path that there is; nginx refuses it for another method than OPTIONS'),
    ('lengths beyond any limit', answers(None, (413,), None),
     'Tako bounds a value; this nginx does not'),
    ('large bodies that nobody wants', unwanted_body,
     'more than 256 KiB behind a GET, a PATCH or a write that is refused: Tako answers and closes, nginx reads it all'),
    ('bodies without an end', lambda d: None in first(d)[1:] and unfinished(d),
     'Tako answers when a small body is there; nginx answers what needs no body before it came'),
    ('nginx closes', closed,
     'nginx closes after some refusals; Tako read all of the request and goes on'),
)
