"""Compares what Tako and a stock server make of the same bytes. Shared by both halves, HTTP and memcached.

A *half* is a module `<name>_half.py` beside this file. It has

    NAME                  'http'
    SHORT, LONG           how many drawn dialogues the two forms of the test play
    KNOWN                 a Known: the differences that are meant, with a reason each
    Half(context)         a context manager: starts both servers (harness.Context), ends what it started
      .missing            a line that says why it cannot run (a program is not installed), or None; before __enter__
      .written()          the dialogues that were written by hand, as a list
      .drawn(rng, count)  so many dialogues, made of what `rng` (random.Random) says and of nothing else
      .play(dialogue)     plays it to both servers, from the same fresh state; gives (ours, theirs)

`ours` and `theirs` are dicts from an aspect to a plain value: {'0.status': 206, '0.body': b'lo', 'end': 'closed'}.
The half normalises: what may differ (dates, version marks) does not get in. What one side lacks is None there.
"""
import collections
import dataclasses
import random
import typing


@dataclasses.dataclass(frozen=True)
class Dialogue:
    name: str                     # what a report calls it; of a drawn one, the seed and the number
    steps: tuple                  # what is sent; only the half knows its form
    about: typing.Any = None      # what else the half and its known differences want to know


@dataclasses.dataclass(frozen=True)
class Difference:
    dialogue: Dialogue
    aspect: str
    ours: typing.Any
    theirs: typing.Any
    all_ours: dict                # every aspect of this dialogue
    all_theirs: dict

    def text(self):
        return (f'{self.dialogue.name}: {self.aspect}: tako {self.ours!r}, theirs {self.theirs!r}\n'
                f'    sent   {shortened(self.dialogue.steps)}\n    tako   {shortened(self.all_ours)}\n'
                f'    theirs {shortened(self.all_theirs)}')


class Known:
    """The differences that are meant: (name, predicate of a Difference, reason). The first that holds explains it."""

    def __init__(self, *entries):
        names = [name for name, _, _ in entries]
        assert len(set(names)) == len(names), f'two known differences of one name: {names}'
        assert all(reason for _, _, reason in entries), 'a known difference has a reason'
        self.entries = entries

    def name_of(self, difference):
        for name, holds, _ in self.entries:
            if holds(difference):
                return name
        return None


class Outcome:
    """What a run found."""

    def __init__(self, half_name, seed):
        self.half_name, self.seed = half_name, seed
        self.played = self.alike = 0
        self.explained = collections.Counter()  # dialogues, by the name of a known difference
        self.unknown = []                       # Differences that nothing explains

    def report(self, known, examples_max=20):
        lines = [f'{self.half_name}: seed {self.seed}: {self.played} dialogues, {self.alike} alike in everything']
        for name, _, reason in known.entries:
            lines.append(f'  known  {self.explained[name]:6}  {name}: {reason}')
        kinds = collections.defaultdict(list)
        for found in self.unknown:
            kinds[(found.aspect, shortened(found.ours, 40), shortened(found.theirs, 40))].append(found)
        for found in sorted(kinds.values(), key=len, reverse=True)[:examples_max]:
            lines.append(f'  NEW    {len(found):6}  {found[0].text()}')
        if len(kinds) > examples_max:
            lines.append(f'  and {len(kinds) - examples_max} more kinds of new differences')
        return '\n'.join(lines)


def differences(dialogue, ours, theirs):
    for aspect in [*ours, *(name for name in theirs if name not in ours)]:
        if ours.get(aspect) != theirs.get(aspect):
            yield Difference(dialogue, aspect, ours.get(aspect), theirs.get(aspect), ours, theirs)


def compare(half_module, half, seed, count):
    """Plays the written dialogues and `count` drawn ones; gives the Outcome."""
    outcome = Outcome(half_module.NAME, seed)
    dialogues = [*half.written(), *half.drawn(random.Random(seed), count)]
    for dialogue in dialogues:
        ours, theirs = half.play(dialogue)
        found = list(differences(dialogue, ours, theirs))
        outcome.played += 1
        outcome.alike += not found
        names = [half_module.KNOWN.name_of(difference) for difference in found]
        outcome.explained.update({name for name in names if name})
        outcome.unknown += [difference for difference, name in zip(found, names) if not name]
    return outcome


def shortened(value, most=600):
    text = repr(value)
    return text if len(text) <= most else f'{text[:most - 20]}... ({len(text)} in all)'
