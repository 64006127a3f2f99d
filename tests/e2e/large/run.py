#!/usr/bin/env python3
"""The acceptance run of large values: what the manual says of them, with sizes and deaths that ordinary tests have not.

    tests/e2e/large/run.py --binary build/tako --scratch DIR [--gib 4] [--only PART] [--seed N]

    cluster    a file of so many GiB, up, down, by ranges and resumed (curl, wget, tako ctl), through `tako cluster`:
               identical, and no process above 256 MiB resident; beside four copies by dd conv=fsync to the same disk,
               and nginx serving that file
    processes  the same through a process for each role, over TCP
    stalled    two hundred clients that stall in the middle of large uploads and downloads: others are slowed by no
               more than a fifth, memory is bounded, all are let go at their deadline, nothing stays on disk
    killed     kill -9 of a replica and of a proxy at twenty random moments of uploads and downloads: no torn value is
               ever visible, broken downloads break visibly, and the space of all is given back

Needs about nine times that many GiB in DIR, which is left as it was. Figures, not times, decide: nothing fails for
being slow, except beside itself. Prints a table; exit 1 when a promise was broken. Run it on a quiet machine.

world: the clusters.  bodies: files and clients.  whole, stalled, killed: the parts.  report: the table.
"""
import argparse
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import Context  # noqa: E402
from killed import Killed  # noqa: E402
from report import MIB, Report  # noqa: E402
from stalled import Stalled  # noqa: E402
from whole import WholeCluster, WholeProcesses  # noqa: E402

PARTS = {'cluster': WholeCluster, 'processes': WholeProcesses, 'stalled': Stalled, 'killed': Killed}
SCRATCH_FACTOR = 9


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', required=True, help='the tako to run')
    parser.add_argument('--scratch', required=True, help='a folder on the disk to be used')
    parser.add_argument('--gib', type=float, default=4, help='size of the file (default 4)')
    parser.add_argument('--only', choices=PARTS, action='append', help='this part; repeatable')
    parser.add_argument('--seed', type=int, help='default: drawn, and printed')
    parser.add_argument('--keep', action='store_true', help='keep data and logs')
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    if not os.access(options.binary, os.X_OK):
        parser.error(f'{options.binary} is not an executable: build it first')
    if options.gib < 0.25:
        parser.error('--gib is at least 0.25: smaller ones show nothing')
    free = shutil.disk_usage(options.scratch).free
    if free < options.gib * SCRATCH_FACTOR * 2**30:
        parser.error(f'{options.scratch} has {free >> 30} GiB free, and this needs {options.gib * SCRATCH_FACTOR:.0f}')
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    return options


def run_part(name, options, report):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f'tako-{name}-', dir=options.scratch))
    context = Context(options.binary, folder)
    size = int(options.gib * 1024) * MIB + 12345  # its last piece is a short one
    failed = True
    try:
        PARTS[name](context, report, size, options.seed).run()
        failed = False
    except AssertionError as problem:
        traceback.print_exc()
        report.promise(name, 'it could be done at all', False, str(problem)[:300])
        for line in context.tails():
            print(line[:1000], flush=True)
    finally:
        context.close()
        if options.keep or failed:
            print(f'data and logs: {folder}', flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    report = Report()
    print(f'seed: {options.seed}', flush=True)
    for name in options.only or PARTS:
        run_part(name, options, report)
    report.show()
    return 1 if report.broken else 0


if __name__ == '__main__':
    sys.exit(main())
