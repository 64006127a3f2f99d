"""Bits that flip on a disk under values that nobody reads: found by the scrub, and mended from the other replica."""
import random

from harness import TWO, Layout, expect, get, http_call, put, until

VALUES = 40


def value(i):
    return random.Random(i).randbytes(100_000)


def node_status(port, node):
    answer = http_call(port, 'GET', '/status')
    nodes = answer.json()['nodes']
    return next(n for n in nodes if n['id'] == node)


class Scrub:
    def setup(self):
        self.layout = Layout(TWO, extra='background_scrub_interval: 5s')
        self.server, (self.port,) = self.t.cluster(self.layout)
        for i in range(VALUES):
            expect(put(self.port, f'k{i}', value(i), '?w=all'), 200)

    def restart(self):
        self.server.stop()
        self.server, (self.port,) = self.t.cluster(self.layout)

    def flip(self, node):
        """A bit in the middle of the largest file of the node's database."""
        files = [f for f in (self.t.folder / 'data' / node).rglob('*') if f.suffix in ('.sst', '.blob')]
        largest = max(files, key=lambda f: f.stat().st_size)
        assert largest.stat().st_size > 1_000_000, files
        with largest.open('r+b') as file:
            file.seek(largest.stat().st_size // 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ 1]))

    def test_a_flipped_bit_is_found_though_nobody_reads_the_value(self):
        self.restart()  # what was in the log is in a table then
        self.server.stop()
        self.flip('n1')
        self.server, (self.port,) = self.t.cluster(self.layout)
        until(60, 'the value mended', lambda: node_status(self.port, 'n1')['repair']['values_mended'] >= 1)
        status = node_status(self.port, 'n1')
        assert status['scrub']['damaged'] >= 1, status
        until(60, 'a clean round', lambda: node_status(self.port, 'n1')['scrub']['seconds_since_clean'] is not None)
        self.server.stop()
        self.server, (self.port,) = self.t.cluster(self.layout, '--skip', 'n2')
        for i in range(VALUES):
            expect(get(self.port, f'k{i}', '?r=one'), 200, value(i))
