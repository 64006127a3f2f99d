"""Judges reads: live, as each one ends, and once more at the end with all that is known then.

A floor is the least version that a read may answer: for `r=quorum`, what an operation at quorum had finished with when
the read began; for the default read, what a write to two or more had been answered with by then. The default read is
held to its floor only where the promise holds (it returns the newest of what can be reached): while the run disturbed
at most one machine and no link, and while no replica was so slow that the proxy gave it up.
"""
import linear
from history import low_bound, show_version

# A proxy takes a replica that has not answered in 2 s as unreachable; below this, it has given up none.
LATEST_SECONDS_MAX = 1.7


class Violation(Exception):
    """A broken promise: what, and the history that shows it."""


def absence_excused(history, read, floor):
    """An answer "absent" carries no version. A deletion explains it if it is not certainly older than the floor."""
    return any(op.kind == 'delete' and op.outcome != 'no' and op.t0 < read.t1
               and (op.version is None or op.version >= floor) for op in history.ops)


def below(history, read, floor, writer):
    """What is wrong with a read above which `floor` was promised by `writer`, or None."""
    if read.got is None:
        if absence_excused(history, read, floor):
            return None
        return f'answers "absent", though this had ended before it began:\n  {writer.line()}'
    if read.version >= floor or read.got == writer.value:
        return None
    return (f'answers version {show_version(read.version)}, older than {show_version(floor)}, though this had ended '
            f'before it began:\n  {writer.line()}')


def held_to_default(op):
    return op.level in ('latest', 'all') and op.calm and op.t1 - op.t0 < LATEST_SECONDS_MAX


def judge_live(history, op):
    """REQUIRES: an answered read, finished"""
    wrong = None
    if op.level == 'quorum' and op.floor_quorum:
        wrong = below(history, op, *op.floor_quorum)
    if not wrong and held_to_default(op) and op.floor_two:
        wrong = below(history, op, *op.floor_two)
    return f'{op.line()}\n  {wrong}' if wrong else None


def judge_again(history):
    """The whole history of a key, knowing which writes won: [(what is wrong, operation)]."""
    def low(op):
        ours = op.level == 'quorum' or op.kind == 'put' and history.named.get(op.version) == op.value
        return low_bound(op, surely_ours=ours)

    found = []
    done = sorted((op for op in history.ops if op.outcome == 'ok' and op.version), key=lambda op: op.t1)
    reads = sorted((op for op in history.ops if op.kind == 'get' and op.outcome == 'ok'), key=lambda op: op.t0)
    at, quorum, two = 0, None, None
    for read in reads:
        while at < len(done) and done[at].t1 < read.t0:
            op = done[at]
            at += 1
            if op.level == 'quorum' and (quorum is None or op.version > quorum[0]):
                quorum = (op.version, op)
            if op.write and (two is None or low(op) > two[0]):
                two = (low(op), op)
        floor = quorum if read.level == 'quorum' else two if held_to_default(read) else None
        wrong = floor and below(history, read, *floor)
        if wrong:
            found.append((f'{read.line()}\n  {wrong}', read))
    if history.strict:
        found += not_linearizable(history)
    return found


def not_linearizable(history):
    events = []
    for op in history.ops:
        if op.outcome == 'no' or (op.kind == 'get' and op.outcome != 'ok'):
            continue
        end = op.t1 if op.outcome == 'ok' else linear.math.inf
        if op.kind == 'get':
            events.append(linear.Event('r', op.got, op.t0, end, op))
        else:
            events.append(linear.Event('w', op.value if op.kind == 'put' else None, op.t0, end, op))
    good, at = linear.check(events)
    if good is None:
        counts['too many states to judge'] = counts.get('too many states to judge', 0) + 1
    if good is not False:
        counts['linearizable'] = counts.get('linearizable', 0) + (good is True)
        return []
    return [(f'not linearizable: no order of the operations explains this one:\n  {at.source.line()}', at.source)]


counts = {}
