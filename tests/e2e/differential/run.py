#!/usr/bin/env python3
"""Plays the same dialogues to Tako and to a stock server, and fails on a difference that is not in the known list.

    tests/e2e/differential/run.py --binary build/tako                    # the short form, with a fixed seed
    tests/e2e/differential/run.py --binary build/tako --long             # several thousand dialogues, a fresh seed
    tests/e2e/differential/run.py --binary build/tako --half http --seed 7 --count 500 --only 'range'

The halves are the modules `<name>_half.py`; their interface stands in compare.py.
"""
import argparse
import importlib
import pathlib
import random
import re
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import compare  # noqa: E402
import harness  # noqa: E402

NO_PROGRAM = 77  # what meson takes for "skipped"


class Only:
    """A half of which those dialogues alone are played whose names hold the pattern."""

    def __init__(self, half, pattern):
        self.half, self.pattern, self.play = half, re.compile(pattern), half.play

    def written(self):
        return [d for d in self.half.written() if self.pattern.search(d.name)]

    def drawn(self, rng, count):
        return [d for d in self.half.drawn(rng, count) if self.pattern.search(d.name)]


def run_half(name, arguments, seed):
    """True: nothing new. False: something. None: a program is missing."""
    module = importlib.import_module(f'{name}_half')
    count = arguments.count if arguments.count is not None else module.LONG if arguments.long else module.SHORT
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f'tako-differential-{name}-') as folder:
        context = harness.Context(arguments.binary, pathlib.Path(folder))
        try:
            half = module.Half(context)
            if half.missing:
                print(f'{name}: not run: {half.missing}')
                return None
            with half:
                chosen = Only(half, arguments.only) if arguments.only else half
                outcome = compare.compare(module, chosen, seed, count)
        except BaseException:
            print('\n'.join(context.tails()), file=sys.stderr)
            raise
        finally:
            context.close()
    print(outcome.report(module.KNOWN, arguments.examples))
    print(f'{name}: {len(outcome.unknown)} new differences, {time.monotonic() - began:.1f} s', flush=True)
    return not outcome.unknown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', required=True, type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument('--half', action='append', choices=sorted(p.name[:-8] for p in HERE.glob('*_half.py')))
    parser.add_argument('--long', action='store_true', help='several thousand drawn dialogues, by a fresh seed')
    parser.add_argument('--seed', type=int, help='default: 1, or a fresh one for --long')
    parser.add_argument('--count', type=int, help='how many drawn dialogues')
    parser.add_argument('--only', help='a regular expression: only the dialogues whose names it is found in')
    parser.add_argument('--examples', type=int, default=20, help='how many kinds of new differences are shown')
    arguments = parser.parse_args()
    seed = arguments.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32) if arguments.long else 1
    names = arguments.half or sorted(p.name[:-8] for p in HERE.glob('*_half.py'))
    results = [run_half(name, arguments, seed) for name in names]
    if False in results:
        return 1
    return NO_PROGRAM if None in results else 0


if __name__ == '__main__':
    sys.exit(main())
