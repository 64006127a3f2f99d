"""Where the run lives: namespaces of its own, if the machine allows it, so that nothing can be left behind.

The run is two processes. The outer one makes the temporary folder, starts the inner one, and ends it and everything it
started, however either of them ends. In its own PID namespace the inner one is process 1: when it dies the kernel
kills all others, and the network namespaces, links, routes and mounts that nobody uses any more vanish with it. So
two runs at once know nothing of each other, and no name has to be unique.

It is tried as root, then as an ordinary user with a user namespace. Where neither is allowed (many CI containers) the
inner process leads a process group that the outer one kills.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

UNSHARE = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
AS_USER = ['--user', '--map-root-user']
INSIDE = 'TAKO_CHAOS_INSIDE'  # set for the inner process: `namespaces` or `plain`
FOLDER = 'TAKO_CHAOS_FOLDER'

EXIT_VIOLATION = 1


def wrapper():
    """The command that makes the namespaces, or nothing."""
    if not shutil.which('unshare') or not shutil.which('ip'):
        return []
    for command in ([*UNSHARE], [*UNSHARE, *AS_USER]):
        try:
            if subprocess.run([*command, 'true'], capture_output=True, timeout=20).returncode == 0:
                return command
        except (OSError, subprocess.TimeoutExpired):
            pass
    return []


def die_with_parent():
    """A command's beginning that has the kernel kill it when the thread that started it ends."""
    return ['setpriv', '--pdeathsig', 'KILL'] if shutil.which('setpriv') else []


def outer(keep, plain=False):
    """Runs this program again inside; gives its exit code."""
    folder = tempfile.mkdtemp(prefix='tako-chaos-')
    unshare = [] if plain else wrapper()
    environment = {**os.environ, INSIDE: 'namespaces' if unshare else 'plain', FOLDER: folder}

    def end(number, _):
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    inner, code = None, 128
    try:
        inner = subprocess.Popen([*die_with_parent(), *unshare, sys.executable, *sys.argv], env=environment,
                                 stdin=subprocess.DEVNULL, start_new_session=True)
        code = inner.wait()
    finally:
        if inner:
            stop(inner)
        if not keep and code != EXIT_VIOLATION:
            remove(folder)
    if keep or code == EXIT_VIOLATION:
        print(f'data and logs: {folder}', flush=True)
    return code if code >= 0 else 1


def remove(folder):
    """The last of a namespace's processes may end a moment after the first."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return
        time.sleep(0.1)


def stop(inner):
    try:
        os.killpg(inner.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    inner.wait()


def inside():
    """The inner process's folder and whether it has namespaces; None in the outer one."""
    if INSIDE not in os.environ:
        return None
    namespaces = os.environ[INSIDE] == 'namespaces'
    if namespaces:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, should `unshare` not have done it
    return pathlib.Path(os.environ[FOLDER]), namespaces


def mount_small_disk(place, mebibytes):
    """A file system of that size on the folder; false if it is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    return subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={mebibytes}m', 'tmpfs', str(place)],
                          capture_output=True).returncode == 0
