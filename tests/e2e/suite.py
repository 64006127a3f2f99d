#!/usr/bin/env python3
"""Runs the cases of one suite (run.py starts it): one line of JSON a case, [name, error or null, seconds]."""
import importlib
import json
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Context  # noqa: E402


def explain(context):
    lines = traceback.format_exc().strip().split('\n')
    where = [line for line in lines if 'File "' in line][-2:]
    text = lines[-1] if len(lines[-1]) < 4000 else lines[-1][:4000] + '...'
    return '\n'.join([text, *where, *context.tails()])


def main():
    _, _, binary, module, name, *cases = sys.argv
    folder = tempfile.mkdtemp(prefix='tako-e2e-')
    context = Context(binary, pathlib.Path(folder))
    clean = True
    try:
        suite = getattr(importlib.import_module(module), name)()
        suite.t = context
        broken = None
        try:
            if hasattr(suite, 'setup'):
                suite.setup()
        except Exception:
            broken = 'setup: ' + explain(context)
        for case in cases:
            started, error = time.monotonic(), broken
            if not broken:
                try:
                    getattr(suite, case)()
                except Exception:
                    error = explain(context)
            clean = clean and not error
            print(json.dumps([case, error, round(time.monotonic() - started, 1)]), flush=True)
    finally:
        context.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if clean else 1


if __name__ == '__main__':
    sys.exit(main())
