"""One tako process as the run knows it: how it is started, stopped, hurt, and how it looks from outside.

All processes are started by the main thread, which ends last: each asks the kernel to be killed when that ends.
"""
import os
import pathlib
import shutil
import signal
import subprocess

import sandbox
from history import now

STOP_SECONDS_MAX = 90  # generous: a loaded machine
LOG_TAIL_BYTES = 3000
PAGE_KIB = os.sysconf('SC_PAGE_SIZE') // 1024


class Machine:
    """role: node, proxy or coordinator. State: down, up, paused or stopping."""

    def __init__(self, name, role, folder, log_folder, command):
        self.name, self.role, self.folder, self.command = name, role, folder, command
        self.log_path = log_folder / f'{name}.log'
        self.state = 'down'
        self.process = None
        self.started_at = 0.0
        self.stopping_at = 0.0
        self.fault = None        # the fault that has hold of it
        self.rss_max_mib = 0.0

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, 'ab') as log:
            log.write(f'--- {now():.3f} started\n'.encode())
            log.flush()
            environment = {k: v for k, v in os.environ.items() if not k.startswith(('TAKO_', 'NOTIFY_'))}
            self.process = subprocess.Popen([*sandbox.die_with_parent(), *self.command], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, env=environment,
                                            cwd=self.folder.parent)
        self.state, self.started_at = 'up', now()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.state = 'down'

    def wipe(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        self.state = 'paused'

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.state = 'up'

    def begin_stop(self):
        if self.state == 'paused':
            self.resume()
        self.process.send_signal(signal.SIGTERM)
        self.state, self.stopping_at = 'stopping', now()

    def stopped(self):
        """(whether it has ended after SIGTERM, what was wrong about it)"""
        code = self.process.poll()
        if code is None:
            late = now() - self.stopping_at > STOP_SECONDS_MAX
            return False, f'{self.name} still runs {STOP_SECONDS_MAX} s after SIGTERM' if late else None
        self.state = 'down'
        # On a loaded machine the signal may come before the program does.
        unborn = code == -signal.SIGTERM and self.log_path.read_bytes().rstrip().split(b'\n')[-1].startswith(b'--- ')
        return True, None if code == 0 or unborn else f'{self.name} ended with {code} after SIGTERM:\n{self.tail()}'

    def died(self):
        """What is wrong if it ended by itself, or None."""
        if self.state not in ('up', 'paused') or self.process.poll() is None:
            return None
        self.state = 'down'
        return f'{self.name} died by itself with {self.process.returncode}:\n{self.tail()}'

    def sample_memory(self):
        if self.state in ('down', 'paused'):
            return
        try:
            pages = int(pathlib.Path(f'/proc/{self.process.pid}/statm').read_text().split()[1])
        except (OSError, IndexError):
            return
        self.rss_max_mib = max(self.rss_max_mib, pages * PAGE_KIB / 1024)

    def tail(self, most=LOG_TAIL_BYTES):
        data = self.log_path.read_bytes()[-most:]
        return f'[end of {self.log_path.name}]\n' + data.decode(errors='replace')

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
