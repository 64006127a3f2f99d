"""The memcached port as stock clients see it: Debian's, run as they are."""
import subprocess

from test_memcached import MemcachedCluster, equal

PYTHON = '/usr/bin/python3'  # Debian's, which has Debian's clients


def run(command, seconds=120, **options):
    done = subprocess.run(command, capture_output=True, timeout=seconds, **options)
    return done.returncode, (done.stdout + done.stderr).decode(errors='replace')


PYMEMCACHE = """
import sys
from pymemcache.client.base import Client
c = Client(('127.0.0.1', int(sys.argv[1])), timeout=20, connect_timeout=20)
assert c.set('a', 'one', noreply=False) and c.get('a') == b'one'
assert c.set_many({'m%d' % i: str(i) for i in range(200)}, noreply=False) == []
assert c.get_many(['m%d' % i for i in range(200)]) == {'m%d' % i: str(i).encode() for i in range(200)}
assert c.add('a', 'x', noreply=False) is False and c.replace('a', 'two', noreply=False)
assert c.append('a', '!', noreply=False) and c.prepend('a', '?', noreply=False) and c.get('a') == b'?two!'
value, unique = c.gets('a')
assert c.cas('a', 'three', unique) and c.cas('a', 'four', unique) is False and c.cas('none', 'x', b'1') is None
c.set('n', '5', noreply=False)
assert c.incr('n', 3) == 8 and c.decr('n', 10) == 0 and c.incr('absent', 1) is None
assert c.touch('a', 100, noreply=False) and c.get('a') == b'three'
assert c.delete('a', noreply=False) and not c.delete('a', noreply=False) and c.get('a') is None
assert c.incr('n', 0) == 0
c.set('q', 'x' * 100000); c.delete('m1'); assert c.get('q') == b'x' * 100000
assert c.set('expired', 'x', expire=-1, noreply=False) and c.get('expired') is None
assert c.version().startswith(b'1.6') and c.stats()[b'cmd_set'] > 0
c.quit()
print('green')
"""

PYTHON_MEMCACHE = """
import sys, memcache
c = memcache.Client(['127.0.0.1:' + sys.argv[1]], socket_timeout=20, cache_cas=True)
assert c.set('p', {'a': [1, 2]}) and c.get('p') == {'a': [1, 2]}
assert c.set('u', 'gr\\u00fc\\u00df') and c.get('u') == 'gr\\u00fc\\u00df'
assert c.set_multi({'x%d' % i: i for i in range(50)}) == [] and c.get_multi(['x%d' % i for i in range(50)])['x49'] == 49
assert c.set('n', 1) and c.incr('n', 4) == 5 and c.decr('n') == 4
assert c.add('p', 1) is False or c.add('p', 1) == 0
assert c.gets('p') and c.cas('p', 'new') and c.get('p') == 'new'
assert c.set('big', 'v' * 900000) and len(c.get('big')) == 900000
assert c.touch('p', 10) and c.delete('p') and c.get('p') is None
assert int(c.get_stats()[0][1]['cmd_get']) > 0
print('green')
"""

PERL = """
use Cache::Memcached::Fast;
my $c = Cache::Memcached::Fast->new({servers => ["127.0.0.1:$ARGV[0]"], io_timeout => 20, connect_timeout => 20});
sub ok { my ($ok, $what) = @_; die "not ok: $what\\n" unless $ok }
ok($c->set('pl', 'one'), 'set'); ok($c->get('pl') eq 'one', 'get');
ok(!$c->add('pl', 'x'), 'add'); ok($c->replace('pl', 'two'), 'replace');
ok($c->append('pl', '!'), 'append'); ok($c->prepend('pl', '?'), 'prepend'); ok($c->get('pl') eq '?two!', 'joined');
my $r = $c->gets('pl'); ok($c->cas('pl', $r->[0], 'three'), 'cas'); ok(!$c->cas('pl', $r->[0], 'four'), 'cas again');
$c->set_multi(map { ["pm$_", $_] } 1 .. 100); my $m = $c->get_multi(map { "pm$_" } 1 .. 100);
ok(keys %$m == 100, 'multi'); $c->set('pn', 7);
ok($c->incr('pn', 3) == 10, 'incr'); ok($c->decr('pn', 20) == 0, 'decr');
ok($c->touch('pl', 100), 'touch'); ok($c->delete('pl'), 'delete'); ok(!defined $c->get('pl'), 'gone');
ok((values %{$c->server_versions})[0] =~ /^1\\.6/, 'version');
$c->set("pq$_", $_) for 1 .. 50; $c->nowait_push; ok($c->get('pq50') == 50, 'nowait');
print "green\\n";
"""

PHP = r"""<?php
function ok($ok, $what) { if (!$ok) { fwrite(STDERR, "not ok: $what\n"); exit(1); } }
$c = new Memcached(); $c->addServer('127.0.0.1', (int)$argv[1]);
ok($c->set('h', ['a' => 1]), 'set'); ok($c->get('h') === ['a' => 1], 'get');
ok(!$c->add('h', 1), 'add'); ok($c->getResultCode() == Memcached::RES_NOTSTORED, 'add says so');
$c->setMulti(['h1' => 1, 'h2' => 2.5, 'h3' => true]); ok($c->getMulti(['h1', 'h2', 'h3'])['h2'] === 2.5, 'multi');
$e = $c->get('h', null, Memcached::GET_EXTENDED);
ok($c->cas($e['cas'], 'h', 'new'), 'cas'); ok(!$c->cas($e['cas'], 'h', 'newer'), 'cas again');
ok($c->getResultCode() == Memcached::RES_DATA_EXISTS, 'cas says so');
$c->set('hn', 5); ok($c->increment('hn', 2) === 7, 'incr'); ok($c->decrement('hn', 9) === 0, 'decr');
ok($c->touch('h', 100), 'touch'); ok($c->delete('h'), 'delete'); ok($c->get('h') === false, 'gone');
ok($c->getResultCode() == Memcached::RES_NOTFOUND, 'and says so');
ok(strpos(array_values($c->getVersion())[0], '1.6') === 0, 'version');
echo "green\n";
"""


class StockClients(MemcachedCluster):
    def script(self, command, name, text):
        path = self.t.write(name, text)
        code, out = run([*command, path, str(self.port)])
        assert code == 0 and 'green' in out, out[-1500:]

    def test_pymemcache(self):
        self.script([PYTHON], 'pymemcache_test.py', PYMEMCACHE)

    def test_python_memcache(self):
        self.script([PYTHON], 'python_memcache_test.py', PYTHON_MEMCACHE)

    def test_perl_cache_memcached_fast(self):
        self.script(['perl'], 'fast_test.pl', PERL)

    def test_php_memcached(self):
        self.script(['php'], 'memcached_test.php', PHP)

    def test_memccapable(self):
        code, out = run(['memccapable', '-a', '-h', '127.0.0.1', '-p', str(self.port)])
        failed = [line for line in out.splitlines() if 'FAIL' in line]
        assert code == 0 and not failed, out[-1500:]

    def test_memcaslap_gets_no_error(self):
        code, out = run(['memcaslap', '-s', f'127.0.0.1:{self.port}', '-T', '1', '-c', '8', '-x', '20000', '-v', '0.1'])
        assert code == 0 and 'ERROR' not in out, out[-2000:]
        for line in ('get_misses: 0', 'verify_misses: 0', 'verify_failed: 0'):
            assert line in out, out[-2000:]

    def test_the_tools_of_libmemcached(self):
        server = f'--servers=127.0.0.1:{self.port}'
        path = self.t.write('tool-file', 'of a tool\n' * 1000)
        code, out = run(['memccp', server, str(path)])
        equal((code, out), (0, ''))
        code, out = run(['memccat', server, 'tool-file'])
        assert code == 0 and out.startswith('of a tool\n' * 1000), out[-300:]
        equal(run(['memcexist', server, 'tool-file'])[0], 0)
        equal(run(['memcrm', server, 'tool-file'])[0], 0)
        assert run(['memcexist', server, 'tool-file'])[0] != 0
        code, out = run(['memcstat', server])
        assert code == 0 and 'cmd_get' in out, out[-300:]
