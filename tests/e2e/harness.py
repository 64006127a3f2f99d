"""What the end-to-end tests share: ports, configurations, servers, HTTP. Nothing here knows how tako is built."""
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

START_SECONDS_MAX = 30
STOP_SECONDS_MAX = 30
TCP_CLOSED = 7  # as TCP_INFO tells it

reserved = []  # UDP sockets, each holding a port's number: a second run at the same time sees it taken


def free_port():
    """A port below the ephemeral range, where nobody listens and which no other run of these tests will pick."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(12000, 32000)
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind(('127.0.0.1', port))
            for address, family in (('127.0.0.1', socket.AF_INET), ('::1', socket.AF_INET6)):
                with socket.socket(family, socket.SOCK_STREAM) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind((address, port))
                    except OSError as e:
                        if family == socket.AF_INET or 'in use' in str(e):
                            raise
        except OSError:
            holder.close()
            continue
        reserved.append(holder)
        return port
    raise RuntimeError('no free port')


def until(seconds, what, condition, every=0.05):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f'not within {seconds} s: {what} (last: {value!r})')
        time.sleep(every)


class Layout:
    """A configuration: buckets of nodes, each with a port; written as YAML."""

    def __init__(self, buckets, coordinators=(), per_key=2, extra='', top='', http=()):
        """buckets: lists of node ids."""
        self.buckets = {f'b{i + 1}': list(nodes) for i, nodes in enumerate(buckets)}
        self.nodes = [n for nodes in buckets for n in nodes]
        self.port = {n: free_port() for n in self.nodes}
        self.http = {n: free_port() for n in http}
        self.coordinators = {c: free_port() for c in coordinators}
        self.per_key, self.extra, self.top = per_key, extra, top

    def text(self, extra='', top=''):
        """extra: lines of the deployment; top: lines of the top level."""
        lines = [self.top or top, 'active_deployment: d']
        if self.coordinators:
            lines += ['coordinators:'] + [f'  {c}: [127.0.0.1, {p}]' for c, p in self.coordinators.items()]
            lines += [f'master_coordinator: {next(iter(self.coordinators))}']
        lines += ['deployments:', '  d:', '    hash:', f'      buckets_per_key: {self.per_key}']
        lines += ['    ' + line for line in (self.extra + '\n' + extra).split('\n') if line]
        lines += ['    buckets:']
        for bucket, nodes in self.buckets.items():
            lines += [f'      {bucket}:']
            for n in nodes:
                http_port = f'{self.http[n]}, ' if n in self.http else ''
                lines += [f'        {n}: [127.0.0.1, {http_port}{self.port[n]}]']
        return '\n'.join(line for line in lines if line) + '\n'


TEN = [['n1', 'n2'], ['n3', 'n4'], ['n5', 'n6'], ['n7', 'n8'], ['n9', 'n10']]
FOUR = [['n1', 'n2'], ['n3', 'n4']]
TWO = [['n1'], ['n2']]
ONE = [['n1']]


class Server:
    """One running `tako`."""

    def __init__(self, context, name, arguments, environment):
        self.context, self.name, self.arguments = context, name, [str(a) for a in arguments]
        self.log_path = context.folder / f'{name}.{len(context.servers)}.log'
        self.environment = environment
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen([context.binary, *self.arguments], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=context.folder,
                                            env={**context.environment, **environment})

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.log_path.read_text(errors='replace')

    def running(self):
        return self.process.poll() is None

    def ready(self, *ports, http=True, seconds=START_SECONDS_MAX):
        """Waits until each of `ports` answers: HTTP's /healthz, or a connection."""
        for port in ports:
            deadline = time.monotonic() + seconds
            while not (healthy(port) if http else accepts(port)):
                if not self.running():
                    raise AssertionError(f'{self.name} ended with {self.process.returncode}: {self.log()[-1500:]}')
                if time.monotonic() > deadline:
                    raise AssertionError(f'{self.name}: port {port} not ready in {seconds} s: {self.log()[-1500:]}')
                time.sleep(0.02)
        return self

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=STOP_SECONDS_MAX):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f'{self.name} is still running after {seconds} s: {self.log()[-1500:]}') from None

    def stop(self):
        """SIGTERM, which every server answers with a clean end and exit code 0."""
        self.signal(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f'{self.name} ended with {code} after SIGTERM: {self.log()[-1500:]}'

    def kill(self):
        self.signal(signal.SIGKILL)
        self.wait()

    def memory_mib(self):
        for line in pathlib.Path(f'/proc/{self.pid}/status').read_text().split('\n'):
            if line.startswith('VmRSS:'):
                return int(line.split()[1]) / 1024
        return 0.0


class Context:
    """What a suite works with: its folder, and everything it starts."""

    def __init__(self, binary, folder):
        self.binary, self.folder, self.servers = binary, folder, []
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(('TAKO_', 'NOTIFY_'))}

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def start(self, name, *arguments, **environment):
        server = Server(self, name, arguments, environment)
        self.servers.append(server)
        return server

    def run(self, *arguments, input=None, seconds=60, **environment):
        """Runs `tako ...` to its end; gives (exit code, stdout, stderr)."""
        done = subprocess.run([self.binary, *map(str, arguments)], input=input or b'', capture_output=True,
                              timeout=seconds, cwd=self.folder, env={**self.environment, **environment})
        return done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace')

    def cluster(self, layout, *arguments, proxies=1, data='data', config=None, ready=True):
        """`tako cluster` with the layout; gives the server and its proxies' ports."""
        path = config or self.write('cluster.yaml', layout.text())
        ports = [free_port() for _ in range(proxies)]
        options = [a for p in ports for a in ('-p', p)]
        server = self.start('cluster', 'cluster', path, '-d', self.folder / data, *options, *arguments)
        if ready:
            server.ready(*ports)
        return server, ports

    def close(self):
        for server in self.servers:
            if server.running():
                server.signal(signal.SIGCONT)
                server.signal(signal.SIGKILL)
                server.process.wait()

    def tails(self):
        """The last log lines of the servers, for a failure's report."""
        out = []
        for server in self.servers[-8:]:
            lines = server.log().strip().split('\n')[-3:]
            state = 'runs' if server.running() else server.process.returncode
            out.append(f'[{server.name} {state}] ' + ' | '.join(lines))
        return out


# --- HTTP ------------------------------------------------------------------------------------------------------------

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f'{self.status} {self.headers} {self.body[:200]!r}'

    @property
    def timestamp(self):
        return int(self.headers['x-timestamp'])

    def json(self):
        return json.loads(self.body)


def http_call(port, method, path, body=None, headers=None, seconds=30):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=seconds)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
    finally:
        connection.close()


def get(port, key, query='', **options):
    return http_call(port, 'GET', f'/values/{key}{query}', **options)


def put(port, key, value, query='', **options):
    return http_call(port, 'PUT', f'/values/{key}{query}', body=value, **options)


def expect(answer, status, body=None):
    """Asserts an answer's status (and body); gives it back."""
    statuses = status if isinstance(status, tuple) else (status,)
    assert answer.status in statuses, f'expected {status}, got {answer!r}'
    if body is not None:
        assert answer.body == body, f'expected {len(body)} bytes {body[:60]!r}, got {len(answer.body)}: {answer!r}'
    return answer


def refused(answer, status):
    """An error with one line of text that says something."""
    expect(answer, status)
    text = answer.body.decode()
    assert re.fullmatch(r'[^\n]{8,}\n?', text), f'an error has a one-line text body, not {text!r}'
    return answer


def healthy(port):
    try:
        return http_call(port, 'GET', '/healthz', seconds=2).status == 200
    except (OSError, http.client.HTTPException):
        return False


def accepts(port):
    try:
        socket.create_connection(('127.0.0.1', port), timeout=2).close()
        return True
    except OSError:
        return False


class Raw:
    """A connection on which any bytes can be said."""

    def __init__(self, port, seconds=20):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=seconds)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        return self

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def closed(self):
        """Waits for the end of the connection; what came before is thrown away."""
        try:
            while self.more():
                self.buffer = b''
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def reset(self):
        """Has the other side thrown the connection away? Reads nothing."""
        state = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return state == TCP_CLOSED

    def answer(self, head_only=False):
        while b'\r\n\r\n' not in self.buffer:
            if not self.more():
                raise AssertionError(f'closed before an answer, after {self.buffer!r}')
        head, _, self.buffer = self.buffer.partition(b'\r\n\r\n')
        first, *rest = head.decode('latin-1').split('\r\n')
        status = int(first.split()[1])
        headers = {line.split(':', 1)[0].lower(): line.split(':', 1)[1].strip() for line in rest}
        length = 0 if head_only or status in (100, 204, 304) else headers.get('content-length')
        if length is None:
            while self.more():
                pass
            body, self.buffer = self.buffer, b''
        else:
            while len(self.buffer) < int(length):
                if not self.more():
                    raise AssertionError(f'closed inside a body: {len(self.buffer)} of {length}')
            body, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return Answer(status, headers, body)
