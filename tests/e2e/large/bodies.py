"""Large bodies: files of random bytes, and clients that send, fetch and compare them, a block at a time."""
import hashlib
import http.client
import os
import socket
import subprocess
import threading
import time

from report import MIB

BLOCK = MIB
STEP_SECONDS_MAX = 3600  # of one transfer: a slow disk, and 16 GiB


def make_file(path, size):
    """Random bytes."""
    with open(path, 'wb', buffering=0) as f:
        for at in range(0, size, BLOCK):
            f.write(os.urandom(min(BLOCK, size - at)))


def same_files(a, b):
    return subprocess.run(['cmp', str(a), str(b)], capture_output=True).returncode == 0


def url_of(port, key):
    return f'http://127.0.0.1:{port}/values/{key}'


# --- curl, wget, tako ctl --------------------------------------------------------------------------------------------

def curl(*arguments):
    """(status, seconds, bytes) of one transfer."""
    done = subprocess.run(['curl', '-sS', '-w', '%{http_code} %{time_total} %{size_upload} %{size_download}',
                           *map(str, arguments)], capture_output=True, text=True, timeout=STEP_SECONDS_MAX)
    fields = done.stdout.split()[-4:]
    assert done.returncode == 0 and len(fields) == 4, f'curl {arguments[-1]}: {done.returncode} {done.stderr}'
    return int(fields[0]), float(fields[1]), int(float(fields[2])) + int(float(fields[3]))


def upload(port, key, path):
    status, seconds, _ = curl('-o', '/dev/null', '-T', path, url_of(port, key))
    assert status == 200, status
    return seconds


def download(url):
    """The seconds it takes when nobody looks at the bytes, and their number."""
    status, seconds, size = curl('-o', '/dev/null', url)
    assert status == 200, status
    return seconds, size


def compare(url, path):
    """Is what comes the file, byte for byte?"""
    fetch = subprocess.Popen(['curl', '-sSf', url], stdout=subprocess.PIPE)
    same = subprocess.run(['cmp', '-', str(path)], stdin=fetch.stdout, capture_output=True, timeout=STEP_SECONDS_MAX)
    fetch.stdout.close()
    return fetch.wait() == 0 and same.returncode == 0


def killed_at(command, path, size, folder, environment=None):
    """Runs a download into `path` and kills it when that has so many bytes."""
    process = subprocess.Popen([str(c) for c in command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not (path.exists() and path.stat().st_size >= size):
            assert process.poll() is None, f'{command[0]} ended with {process.returncode} before it was killed'
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    return path.stat().st_size


def run_measured(command, folder, environment=None):
    """(exit code, seconds, MiB it had resident at most, stderr)"""
    began = time.monotonic()
    with open(folder / 'stderr', 'w+') as stderr:
        process = subprocess.Popen([str(c) for c in command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=stderr)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        stderr.seek(0)
        return process.returncode, time.monotonic() - began, usage.ru_maxrss / 1024, stderr.read().strip()


# --- ranges ----------------------------------------------------------------------------------------------------------

def ask_ranges(port, key, ranges):
    """The open connection and its answer; close the connection."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('GET', f'/values/{key}', headers={'Range': ranges})
    return connection, connection.getresponse()


def range_is(port, key, ranges, begin, end, source):
    """Does one range bring exactly these bytes of the file?"""
    connection, answer = ask_ranges(port, key, ranges)
    try:
        whole = os.fstat(source.fileno()).st_size
        named = answer.getheader('Content-Range') == f'bytes {begin}-{end - 1}/{whole}'
        return answer.status == 206 and named and follows(answer, source, begin, end) and not answer.read(1)
    finally:
        connection.close()


def follows(stream, source, begin, end):
    """Are the next bytes of the stream those of the file?"""
    while begin < end:
        part = stream.read(min(BLOCK, end - begin))
        if not part or part != os.pread(source.fileno(), len(part), begin):
            return False
        begin += len(part)
    return True


def parts_are(port, key, spans, source):
    """Several ranges in one answer: each where it belongs, and no byte beside them."""
    ranges = 'bytes=' + ','.join(f'{begin}-{end - 1}' for begin, end in spans)
    connection, answer = ask_ranges(port, key, ranges)
    try:
        kind = answer.getheader('Content-Type', '')
        if answer.status != 206 or not kind.startswith('multipart/byteranges; boundary='):
            return False
        boundary = kind.split('boundary=')[1].encode()
        for begin, end in spans:
            head = b''
            while not head.endswith(b'\r\n\r\n'):
                more = answer.read(1)
                if not more or len(head) > 4096:
                    return False
                head += more
            if boundary not in head or f'bytes {begin}-{end - 1}/'.encode() not in head:
                return False
            if not follows(answer, source, begin, end):
                return False
        return answer.read() == b'\r\n--' + boundary + b'--\r\n'
    finally:
        connection.close()


# --- transfers that may break ----------------------------------------------------------------------------------------

class Sent:
    """An upload of a file: what became of it. status: None where no answer came."""

    def __init__(self, port, key, path):
        self.size, self.bytes, self.status, self.seconds = os.path.getsize(path), 0, None, 0.0
        self.thread = threading.Thread(target=self._run, args=(port, key, path), daemon=True)
        self.thread.start()

    @property
    def all_sent(self):
        return self.bytes == self.size

    def _run(self, port, key, path):
        began = time.monotonic()
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=90) as s, open(path, 'rb') as f:
                s.sendall(f'PUT /values/{key} HTTP/1.1\r\nHost: h\r\nContent-Length: {self.size}\r\n\r\n'.encode())
                while part := f.read(256 << 10):
                    self.bytes += len(part)  # before: it may have been sent though this fails
                    s.sendall(part)
                answer = http.client.HTTPResponse(s, method='PUT')
                answer.begin()
                answer.read()
                self.status = answer.status
        except (OSError, http.client.HTTPException):
            pass
        self.seconds = time.monotonic() - began

    def join(self):
        self.thread.join(300)
        assert not self.thread.is_alive(), 'an upload hangs'
        return self


class Got:
    """A download: its status, its digest, and whether all came that was announced."""

    def __init__(self, port, key):
        self.status, self.complete, self.digest, self.bytes, self.problem = None, False, None, 0, ''
        self.seconds = 0.0
        self.thread = threading.Thread(target=self._run, args=(port, key), daemon=True)
        self.thread.start()

    def _run(self, port, key):
        began = time.monotonic()
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=90)
        try:
            connection.request('GET', f'/values/{key}')
            answer = connection.getresponse()
            self.status = answer.status
            announced = int(answer.getheader('Content-Length'))
            sum_ = hashlib.blake2b()
            while part := answer.read(256 << 10):
                sum_.update(part)
                self.bytes += len(part)
            self.complete, self.digest = self.bytes == announced, sum_.hexdigest()
        except (OSError, http.client.HTTPException, TypeError, ValueError) as problem:
            self.problem = repr(problem)
        finally:
            connection.close()
        self.seconds = time.monotonic() - began

    def join(self):
        self.thread.join(300)
        assert not self.thread.is_alive(), 'a download hangs'
        return self


def digest_of(path):
    sum_ = hashlib.blake2b()
    with open(path, 'rb') as f:
        while part := f.read(BLOCK):
            sum_.update(part)
    return sum_.hexdigest()
