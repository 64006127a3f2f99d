#!/usr/bin/env python3
"""The binary as a user runs it:

    tests/e2e/run.py --binary build/tako [-j N] [-v] [PATTERN...]

Every class in test_*.py is a suite: a process of its own with a temporary folder, that starts the servers it needs on
free loopback ports and ends them. Its test_* methods are the cases, run in the order they stand. PATTERN: a part of
`file.Suite.case`. The last line is `N passed, N failed`. Two runs at once do not disturb each other.
"""
import argparse
import concurrent.futures
import importlib
import inspect
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SUITE_SECONDS_MAX = 300


def suites(patterns):
    """(module, class, cases) of all that match."""
    sys.path.insert(0, str(HERE))
    for path in sorted(HERE.glob('test_*.py')):
        module = importlib.import_module(path.stem)
        for name, cls in vars(module).items():
            if not inspect.isclass(cls) or cls.__module__ != path.stem or name.startswith('_'):
                continue
            cases = [n for n in vars(cls) if n.startswith('test_')]
            wanted = [n for n in cases if not patterns or any(p in f'{path.stem}.{name}.{n}' for p in patterns)]
            if wanted:
                yield path.stem, name, wanted


def run_suite(binary, module, name, cases, verbose):
    """Runs one suite in a process group of its own; returns [(case, error or None, seconds)]."""
    command = [sys.executable, str(HERE / 'suite.py'), '--binary', binary, module, name, *cases]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    groups.add(process.pid)
    stuck = None
    try:
        out, err = process.communicate(timeout=SUITE_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        stuck = f'the suite took longer than {SUITE_SECONDS_MAX} s and was stopped'
    try:
        os.killpg(process.pid, signal.SIGKILL)  # whatever it left behind
    except ProcessLookupError:
        pass
    groups.discard(process.pid)
    results = [tuple(json.loads(line)) for line in out.splitlines() if line.startswith('[')]
    done = {r[0] for r in results}
    missing = [c for c in cases if c not in done]
    results += [(c, stuck or f'the suite ended before it: {err.strip()[-2000:]}', 0.0) for c in missing]
    if verbose and err:
        print(err, file=sys.stderr)
    return results


groups = set()


def end(number, _):
    for group in list(groups):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(128 + number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', required=True)
    parser.add_argument('-j', '--jobs', type=int, default=min(4, (os.cpu_count() or 1) + 1))
    parser.add_argument('-v', '--verbose', action='store_true')
    parser.add_argument('patterns', nargs='*')
    options = parser.parse_args()
    binary = os.path.abspath(options.binary)
    if not os.access(binary, os.X_OK):
        parser.error(f'{options.binary} is not an executable: build it first')
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)

    passed, failed = 0, 0
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        work = {pool.submit(run_suite, binary, *suite, options.verbose): suite for suite in suites(options.patterns)}
        for future in concurrent.futures.as_completed(work):
            module, name, _ = work[future]
            said = None
            for case, error, seconds in future.result():
                print(f"{'FAIL' if error else 'ok  '} {seconds:6.1f} s  {module}.{name}.{case}", flush=True)
                if error and error.startswith('setup:') and error == said:
                    print('       setup: as above', flush=True)
                elif error:
                    said = error
                    print('       ' + error.replace('\n', '\n       '), flush=True)
                failed, passed = failed + bool(error), passed + (not error)
    print(f'{time.monotonic() - started:.0f} s')
    print(f'{passed} passed, {failed} failed', flush=True)
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
