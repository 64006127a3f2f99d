"""The differences between Tako's memcached port and memcached 1.6.18 that are meant, with a reason each."""
import re

import compare
from memcached_dialogue import STORING, without_padding

REFUSALS = (b'CLIENT_ERROR ', b'ERROR', b'SERVER_ERROR object too large')
OF_MEMORY = (b'detail', b'cachedump', b'sizes_enable', b'sizes_disable', b'extstore')
ADMIN = {b'slabs', b'lru', b'lru_crawler', b'cache_memlimit', b'extstore', b'shutdown', b'watch', b'misbehave',
         b'refresh_certs'}
SUM = b'CLIENT_ERROR invalid or duplicate flag'


def step_of(difference):
    return difference.dialogue.steps[int(difference.aspect)] if difference.aspect.isdigit() else None


def lines(answer):
    return answer if answer is not None else [None]


def stores(step):
    return step.verb() in STORING or step.verb() == b'ms'


# --- of one step: (step, ours, theirs) -> bool. After the harmless ones the two servers hold the same. ----------------

def block_as_unknown(step, ours, theirs):
    """The block of a refused line has lines in it that memcached does not know."""
    refused = not ours or ours[0].startswith(REFUSALS)
    others = [[line for line in answer if line != b'ERROR'] for answer in (ours, theirs)]
    return stores(step) and refused and others[0] == others[1] and len(theirs) > len(ours)


def block_as_commands(step, ours, theirs):
    refused = not ours or (len(ours) == 1 and ours[0].startswith(REFUSALS))
    return stores(step) and refused and theirs[:len(ours)] == ours and len(theirs) > len(ours)


def padding(step, ours, theirs):
    def without_size(answer):
        return [re.sub(rb' s\d+', b' s', line) for line in answer]
    counter = step.verb() == b'mg' and re.search(rb' @K@[nm]\b', step.line()) and b' s' in step.line()
    return without_padding(theirs) == ours or bool(counter and without_size(ours) == without_size(theirs))


def version(step, ours, theirs):
    return theirs == [b'VERSION 1.6.18'] and len(ours) == 1 and ours[0].startswith(b'VERSION 1.6.18-tako-')


def debug(step, ours, theirs):
    return step.verb() == b'me' and all(len(answer) == 1 and answer[0].startswith(b'ME ') for answer in (ours, theirs))


def statistics(step, ours, theirs):
    return step.verb() == b'stats' and ours[-1:] == [b'END'] and theirs[-1:] == [b'END']


def statistics_of_memory(step, ours, theirs):
    words = step.words()
    return words[:1] == [b'stats'] and len(words) > 1 and words[1] in OF_MEMORY and ours == [b'ERROR']


def administration(step, ours, theirs):
    return step.verb() in ADMIN and ours == [b'ERROR']


def key_form(step, ours, theirs):
    """The same but for the form of the key behind k, and for the b."""
    def plain(answer):
        return [re.sub(rb' k\S+( b)?', b' k', line) for line in answer]
    return step.verb().startswith(b'm') and b'k' in step.words() and plain(ours) == plain(theirs)


def last_access(step, ours, theirs):
    asked = {word[:1] for word in step.words()[2:]} & {b'h', b'l'}
    return step.verb() == b'mg' and bool(asked) and ours == [b'CLIENT_ERROR invalid flag']


def last_access_alone(step, ours, theirs):
    return last_access(step, ours, theirs) and b'T' not in {word[:1] for word in step.words()[2:]}


def ttl_of_the_expired(step, ours, theirs):
    """memcached takes the difference of two unsigned times."""
    def without(answer):
        return [re.sub(rb' t(-?\d+)', b' t', line) for line in answer]
    return step.verb() in (b'mg', b'ma') and any(re.search(rb' t429\d{7}\b', line) for line in theirs) and (
        without(ours) == without(without_padding(theirs) or theirs))


HARMLESS = (block_as_unknown, padding, version, debug, statistics, statistics_of_memory, administration, key_form,
            last_access_alone, ttl_of_the_expired)


def harmless(step, ours, theirs):
    return any(holds(step, ours, theirs) for holds in HARMLESS)


def of_step(holds):
    def predicate(difference):
        step = step_of(difference)
        known = step is not None and difference.ours is not None and difference.theirs is not None
        return known and holds(step, difference.ours, difference.theirs)
    return predicate


# --- the others -------------------------------------------------------------------------------------------------------

def odd_key(difference):
    step = step_of(difference)
    return step is not None and b'\r' in step.line() and lines(difference.ours)[:1] == [
        b'CLIENT_ERROR bad command line format']


def nul(difference):
    step = step_of(difference)
    return step is not None and b'\0' in step.line()


def too_large_number(difference):
    """In this step or in one before: what it changed may come to light later."""
    steps = difference.dialogue.steps
    until = int(difference.aspect) + 1 if difference.aspect.isdigit() else len(steps)
    return any(has_too_large_number(step) for step in steps[:until])


def has_too_large_number(step):
    words = step.words()
    places = {b'touch': [2], b'gat': [1], b'gats': [1], b'flush_all': [1], b'verbosity': [1]}
    places.update({verb: [2, 3, 4] for verb in STORING})
    numbers = [words[i] for i in places.get(step.verb(), []) if i < len(words)]
    if step.verb().startswith(b'm') and len(step.verb()) == 2:
        numbers = [word.lstrip(b'TNRF') for word in words[2:]]
    if step.verb() in STORING | {b'incr', b'decr'} or step.verb() in (b'ms', b'ma', b'mg', b'md'):
        numbers += [word.lstrip(b'CDJ') for word in words[2:] if word.lstrip(b'CDJ').startswith(b'-')]
    sizes = [abs(int(m[0])) for number in numbers if (m := re.match(rb'\s*[+-]?\d+', number))]
    return any(size >= (1 << 31) - 2 for size in sizes)


def stale_and_won(difference):
    step = step_of(difference)
    if step is None:
        return False
    flags = {word[:1] for word in step.words()[2:]}
    refused = difference.ours is not None and difference.ours[:1] in ([b'CLIENT_ERROR invalid flag'], [SUM])
    return refused and ((step.verb() == b'mg' and bool(flags & {b'N', b'R'})) or
                        (step.verb() == b'md' and b'I' in flags) or (step.verb() == b'ms' and {b'I', b'C'} <= flags))


def touches(step):
    timed = step.verb() in (b'mg', b'ma') and re.search(rb' T', step.line())
    return step.verb() in (b'touch', b'gat', b'gats') or bool(timed)


def touch_is_a_write(difference):
    if not difference.aspect.isdigit() or difference.ours is None or difference.theirs is None:
        return False
    before = difference.dialogue.steps[:int(difference.aspect) + 1]
    touched = any(touches(step) for step in before)

    def without(answer):
        return [re.sub(rb'#\d+', b'#', line) for line in answer]
    ours, theirs = without(difference.ours), without(difference.theirs)
    lost = ours[:1] and theirs[:1] and ours[0][:2] == b'EX' and theirs[0][:2] in (b'ST', b'HD', b'VA')
    return touched and (ours == theirs or bool(lost))


def delayed_flush(difference):
    step = step_of(difference)
    return step is not None and step.verb() == b'flush_all' and bool(
        difference.ours and difference.ours[0].startswith(b'SERVER_ERROR flush_all with a delay'))


def binary(difference):
    return difference.dialogue.steps[0].data[:1] == b'\x80' and difference.dialogue.steps[0].verb() != b''


def foreign_base64(difference):
    step = step_of(difference)
    refusals = (b'CLIENT_ERROR error decoding key', SUM, b'CLIENT_ERROR bad command line format')
    encoded = step is not None and b'b' in [word[:1] for word in step.words()[2:]]
    return encoded and bool(difference.ours) and difference.ours[0] in refusals


def lower_case_http(difference):
    ends = [s for s in difference.dialogue.steps if s.words() and s.words()[-1].startswith(b'HTTP/')]
    return any(s.verb()[:1] in (b'a', b'c', b'd', b'g', b'i', b's', b't') for s in ends)


def long_gat(difference):
    step = step_of(difference)
    gats = [s for s in difference.dialogue.steps if s.verb() in (b'gat', b'gats')]
    long = [s for s in gats if len(s.line().replace(b'@K@', b'p00000')) >= 16383]
    return bool(long) and (step is None or step in long)


def refused_too_late(difference):
    steps = difference.dialogue.steps
    long_key = any(s.verb() in (b'gat', b'gats') and re.search(rb'@K@k{245}', s.line()) for s in steps)
    return long_key or any(b'O' + b'o' * 32 in s.line() for s in steps)


def time_of_a_grown_number(difference):
    timed = any(s.verb() == b'ma' and re.search(rb' T', s.line()) for s in difference.dialogue.steps)
    return timed and (difference.aspect == 'values' or step_of(difference).verb() not in (b'ma', *STORING))


def appended_to_nothing(difference):
    step = step_of(difference)
    return step is not None and step.verb() == b'ms' and bool({b'MA', b'MP'} & set(step.words())) and bool(
        re.search(rb' N', step.line())) and difference.theirs[:1] and difference.theirs[0][:2] == b'NS'


KNOWN = compare.Known(
    ('block of a refused line', of_step(lambda *a: block_as_unknown(*a) or block_as_commands(*a)),
     'Tako skips a block that belongs to a refused line, and the rest of a line behind a block of the wrong length; '
     'memcached carries them out as commands'),
    ('blanks behind numbers', of_step(padding),
     'memcached counts in place and fills up with blanks; its protocol text tells clients not to rely on it'),
    ('version', of_step(version), "Tako says memcached's and its own"),
    ('me', of_step(debug), 'what it tells beside the key are memory and times of access, which a record does not have'),
    ('stats', of_step(statistics),
     'the two count different things; slabs, items, sizes and connections have none here'),
    ('stats of memory', of_step(statistics_of_memory), 'there are no slabs to dump'),
    ('administration', of_step(administration),
     'slabs, LRU, memory and watchers of a memcached process: nothing of the '
     'kind is here, so the command is unknown'),
    ('form of a key', of_step(key_form),
     'Tako gives a key back in the form it was asked for; memcached in the form it was '
     'stored, which a record does not keep'),
    ('last access', of_step(last_access), 'h and l: a record has no time of its last access'),
    ('time of the expired', of_step(ttl_of_the_expired), 'memcached subtracts unsigned: t4294967'),
    ('CR in a key', odd_key, 'a key may not hold CR: it would break the lines of answers'),
    ('NUL in a line', nul, 'memcached cuts the line there, so that another key is meant than was sent'),
    ('number that does not fit', too_large_number, 'memcached keeps the lower 32 bits of flags, times and lengths, and '
     'wraps -2^64+1 to 1; Tako takes times after 2038 and lengths above 2 GiB as they are, and refuses what does not '
     'fit'),
    ('stale and won', stale_and_won, 'I, and N and R of mg: a record has no room for these marks'),
    ('touch is a write', touch_is_a_write,
     'it makes a new version, so the cas unique is new: a cas that has read before '
     'it is answered EXISTS'),
    ('delayed flush_all', delayed_flush, 'nobody would be there to keep it: refused'),
    ('binary protocol', binary, 'not spoken; refused in words'),
    ('base64 that is none', foreign_base64, 'memcached passes over foreign characters and padding'),
    ('lower-case HTTP', lower_case_http, 'memcached looks at the first letter before it looks for HTTP/'),
    ('long gat', long_gat, 'only get and gets may have more than 16 KiB in memcached; here gat and gats too'),
    ('refused too late', refused_too_late,
     'an opaque or a key that is too long: Tako refuses the line before it does anything; memcached has counted or '
     'touched by then'),
    ('time of a grown number', time_of_a_grown_number,
     '1.6.18 loses the T of ma where the number gets longer: it sets the time of the item that it has replaced'),
    ('append with N', appended_to_nothing, '1.6.18 ignores it, later releases of 1.6 make the value, as Tako does'),
)
