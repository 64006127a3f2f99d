"""The two servers of the HTTP half: a Tako cluster in one process, and nginx with its DAV module over a folder."""
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import urllib.parse

import harness
import http_wire

WRITTEN_AT = 1_600_000_000  # when every value was written that a dialogue finds: long ago, the same on both sides

NGINX_CONFIGURATION = """
daemon off;
master_process off;
{user}
error_log {folder}/error.log crit;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off;
  server_tokens off;
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_header_buffer_size 33k;   # tako's limit, so that what is too long is so for both
  large_client_header_buffers 2 33k;
  client_max_body_size 0;
  keepalive_requests 1000000;
  lingering_close always;
  if_modified_since before;
  merge_slashes off;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 404; }}
    location = /values/sentinel {{ alias {folder}/sentinel; }}  # out of reach of those that delete folders
    location = /values/ {{ return 403; }}
    location /values/ {{
      root {folder}/root;
      dav_methods PUT DELETE;
      create_full_put_path on;
    }}
  }}
}}
"""


class Nginx:
    """Values are files, which the test makes and looks at itself."""

    def __init__(self, context):
        self.program = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin:/usr/local/sbin')
        self.context = context
        self.port = self.process = None

    def missing(self):
        if not self.program:
            return 'nginx is not installed; scripts/setup does it'
        built = subprocess.run([self.program, '-V'], capture_output=True, text=True, timeout=30)
        return None if 'http_dav_module' in built.stderr else 'nginx was built without its DAV module'

    def start(self):
        folder = self.context.folder / 'nginx'
        self.values = folder / 'root' / 'values'
        self.values.mkdir(parents=True)
        self.port = harness.free_port()
        (folder / 'sentinel').write_bytes(http_wire.SENTINEL_BODY)
        user = 'user root;' if os.getuid() == 0 else ''
        configuration = folder / 'nginx.conf'
        configuration.write_text(NGINX_CONFIGURATION.format(folder=folder, port=self.port, user=user))
        self.process = subprocess.Popen([self.program, '-p', str(folder), '-c', str(configuration)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(folder / 'stderr', 'wb'))
        harness.until(harness.START_SECONDS_MAX, 'nginx listens', lambda: harness.accepts(self.port))

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(harness.STOP_SECONDS_MAX)

    def running(self):
        return self.process.poll() is None

    def put(self, key, value):
        path = self.values / key
        path.write_bytes(value)
        os.utime(path, (WRITTEN_AT, WRITTEN_AT))
        return f'"{WRITTEN_AT:x}-{len(value):x}"'

    def keys(self, prefix):
        """The keys that begin with it."""
        found = []
        for path in self.values.glob(prefix + '*'):
            found += [p for p in path.rglob('*') if p.is_file()] if path.is_dir() else [path]
        return [os.fsencode(p.relative_to(self.values)) for p in found]

    def get(self, key):
        path = pathlib.Path(os.fsdecode(os.fsencode(self.values) + b'/' + key))
        try:
            return path.read_bytes() if path.is_file() else None
        except (OSError, ValueError):
            return None


class Tako:
    def __init__(self, context):
        self.context = context
        self.port = self.server = self.connection = None

    def start(self):
        self.server, (self.port,) = self.context.cluster(harness.Layout(harness.ONE), '--threads', '1')
        self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)

    def stop(self):
        if self.connection:
            self.connection.close()
        if self.server and self.server.running():
            self.server.stop()

    def running(self):
        return self.server.running()

    def call(self, method, key, body=None, headers=None):
        self.connection.request(method, '/values/' + urllib.parse.quote(key), body=body, headers=headers or {})
        answer = self.connection.getresponse()
        return answer, answer.read()

    def put(self, key, value):
        headers = {'X-Timestamp': str(WRITTEN_AT * 1_000_000)}
        answer, body = self.call('PUT', key.encode(), value, headers)
        assert answer.status == 200, f'a value cannot be written: {answer.status} {body!r}'
        return answer.getheader('ETag')

    def get(self, key):
        answer, body = self.call('GET', key)
        assert answer.status in (200, 404), f'a value cannot be read: {answer.status} {body!r}'
        return body if answer.status == 200 else None
