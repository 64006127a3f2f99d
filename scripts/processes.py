"""Runs commands under limits of processor time and memory, and ends all of them at once. For scripts/mutate."""
import contextlib
import os
import resource
import signal
import subprocess
import threading
import time

MEMORY_MAX = 6 << 30
WALL_FACTOR = 8  # of the limit of processor time: others use the machine too
SECONDS_MAX = 600  # of a command without such a limit


class OutOfTime(Exception):
    pass


class Processes:
    """What runs, so that all of it can be ended."""

    def __init__(self, until):
        self.until = until
        self.lock = threading.Lock()
        self.running = set()
        self.closed = False

    def run(self, command, cpu=None, **how):
        """(exit code, output). OutOfTime: the whole run is over."""
        wall = SECONDS_MAX if cpu is None else cpu * WALL_FACTOR

        def limit():
            os.nice(5)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
            if cpu is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))

        with self.lock:
            if self.closed or self.over():
                raise OutOfTime()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                                       preexec_fn=limit, **how)
            self.running.add(process)
        try:
            output, _ = process.communicate(timeout=min(wall, max(0.1, self.until - time.monotonic())))
            if self.closed:
                raise OutOfTime()
            return process.returncode, output
        except subprocess.TimeoutExpired:
            self.end(process)
            output, _ = process.communicate()
            if self.over():
                raise OutOfTime() from None
            return -signal.SIGXCPU, output
        finally:
            with self.lock:
                self.running.discard(process)

    def over(self):
        return time.monotonic() >= self.until

    @staticmethod
    def end(process):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def close(self):
        with self.lock:
            self.closed = True
            for process in self.running:
                self.end(process)
