"""kill -9 of a replica and of a proxy at random moments of uploads and downloads.

Two keys a round: one is written, one is read, and a reader goes on reading both through the other proxy. What a client
may ever see of a key, whole, is a value all of whose bytes were once sent for it; after an answered upload, that one or
a later one. The proxies' turn and the replicas' come one after the other.
"""
import random
import threading
import time

from bodies import Got, Sent, digest_of, make_file
from harness import expect, http_call, until
from report import MIB, say
from world import Processes, piece_keys, settle, staged_rows

ROUNDS = 20
KEYS = [f'killed{i}' for i in range(4)]
BODY_BYTES = (8 * MIB, 96 * MIB)
BODIES = 6
LATEST_SHARE = 1.2        # of the time that an upload takes: kills come until then
STAGED_IDLE_SECONDS = 120  # store/store.h, kStagedIdleMax: pieces that a dead proxy has left
SWEEP_SECONDS = 20         # and every ten seconds somebody looks
EMPTY_BYTES_MAX = 64 * MIB
EMPTY_SECONDS_MAX = STAGED_IDLE_SECONDS + SWEEP_SECONDS + 60
SEEN_SECONDS_MAX = 90      # until a key can be read again after a death


class Killed:
    def __init__(self, context, report, size, seed):
        self.context, self.report = context, report
        self.draw = random.Random(f'{seed}/killed')
        self.part = 'killed'
        self.may = {key: set() for key in KEYS}  # digests that a reader may see
        self.torn, self.hidden, self.counts = [], [], {}
        self.reading = 0

    def run(self):
        self.bodies()
        cluster = Processes(self.context, 'killed')
        for key in KEYS:
            self.first(cluster, key)
        began = time.monotonic()
        body = self.files[-1]
        expect_ok(Sent(cluster.port, KEYS[0], body).join())
        self.may[KEYS[0]] = {self.digests[body]}
        self.rate = body.stat().st_size / (time.monotonic() - began)
        for i in range(ROUNDS):
            self.round(cluster, i, 'proxy' if i % 2 else 'replica')
        self.judge(cluster)
        self.space(cluster)
        cluster.remove()

    def bodies(self):
        self.files, self.digests = [], {}
        for i in range(BODIES):
            path = self.context.folder / f'body{i}'
            make_file(path, self.draw.randrange(*BODY_BYTES))
            self.files.append(path)
            self.digests[path] = digest_of(path)

    def first(self, cluster, key):
        body = self.draw.choice(self.files)
        expect_ok(Sent(cluster.port, key, body).join())
        self.may[key] = {self.digests[body]}

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # --- one death ------------------------------------------------------------------------------------------------

    def round(self, cluster, i, role):
        written, read = self.draw.sample(KEYS, 2)
        body = self.draw.choice(self.files)
        size = body.stat().st_size
        moment = self.draw.uniform(0, LATEST_SHARE * size / self.rate)
        victim = 'p1' if role == 'proxy' else self.draw.choice(cluster.replicas(self.draw.choice((written, read))))
        allowed = {key: set(self.may[key]) for key in KEYS}
        allowed[written].add(self.digests[body])
        stop = threading.Event()
        reader = threading.Thread(target=self.read_on, args=(cluster.ports[1], (written, read), allowed, stop))
        reader.start()
        up = Sent(cluster.port, written, body)
        down = Got(cluster.port, read)
        time.sleep(moment)
        open_up, open_down = up.thread.is_alive(), down.thread.is_alive()
        cluster.kill(victim)
        up.join()
        down.join()
        told = (f'round {i + 1}: {victim} killed after {moment:.2f} s of {size / MIB:.0f} MiB to {written}: '
                f'upload {self.outcome(up, open_up)}, download {self.outcome(down, open_down)}')
        say(told)
        self.note(up, down, read, allowed, role, told)
        cluster.begin(victim)
        cluster.ready_again(victim)
        stop.set()
        reader.join()
        self.settle_key(cluster, written, up, body, told)
        self.see(cluster, read, allowed[read], told)

    @staticmethod
    def outcome(transfer, was_open):
        if isinstance(transfer, Sent):
            text = f'{transfer.status or "cut off"} with {transfer.bytes * 100 // transfer.size} % sent'
        elif transfer.complete:
            text = f'{transfer.status}, whole'
        else:
            text = f'cut off after {transfer.bytes / MIB:.0f} MiB'
        return text + ('' if was_open else ' (over before)')

    def note(self, up, down, read, allowed, role, told):
        self.count(f'uploads, {role} killed, ' + ('answered 200' if up.status == 200 else
                                                  f'answered {up.status}' if up.status else 'broken off'))
        whole = down.complete and down.status == 200
        self.count(f'downloads, {role} killed, ' + ('whole' if whole else
                                                    f'answered {down.status}' if down.complete else 'broken off'))
        if whole and down.digest not in allowed[read]:
            self.torn.append(f'{told}: a download of {down.bytes} bytes that nobody wrote')
        if role == 'replica' and (up.status != 200 or not whole):
            self.hidden.append(f'{told} {down.problem}')

    def read_on(self, port, keys, allowed, stop):
        while not stop.is_set():
            for key in keys:
                got = Got(port, key).join()
                self.reading += 1
                if got.complete and got.status == 200 and got.digest not in allowed[key]:
                    self.torn.append(f'{key}: {got.bytes} bytes that nobody wrote, through the other proxy')

    def settle_key(self, cluster, key, up, body, told):
        """What is visible after the round narrows what may be: an answered upload has replaced all before it."""
        before = self.may[key]
        if up.status == 200:
            self.may[key] = {self.digests[body]}
        elif up.all_sent:
            self.may[key] = before | {self.digests[body]}
        seen = self.see(cluster, key, self.may[key], told)
        if up.status is None and seen == self.digests[body] and seen not in before:
            self.count('uploads without an answer that became visible')

    def see(self, cluster, key, may, told):
        def whole():
            got = Got(self.draw.choice(cluster.ports), key).join()
            return got if got.complete and got.status in (200, 404) else None
        got = until(SEEN_SECONDS_MAX, f'{key} to be read again ({told})', whole, 0.2)
        if got.status == 404 or got.digest not in may:
            what = 'nothing' if got.status == 404 else f'{got.bytes} bytes of another value'
            self.torn.append(f'{told}: afterwards {key} has {what}')
        return got.digest

    # --- the end --------------------------------------------------------------------------------------------------

    def judge(self, cluster):
        for what, count in sorted(self.counts.items()):
            self.report.figure(self.part, what, count)
        self.report.promise(self.part, 'no torn value is ever visible', not self.torn,
                            '; '.join(self.torn[:3]) or f'{self.reading} more reads meanwhile')
        self.report.promise(self.part, 'the death of one replica is not seen', not self.hidden,
                            f'{len(self.hidden)} times' + (f': {self.hidden[0]}' if self.hidden else ''))
        cluster.memory(self.report, self.part)
        ended = cluster.ended_by_themselves()
        self.report.promise(self.part, 'no process ends by itself', not ended, ', '.join(ended))

    def space(self, cluster):
        cluster.whole()
        before = cluster.value_bytes()
        for key in KEYS:
            expect(http_call(cluster.port, 'DELETE', f'/values/{key}?w=all'), 204)
        took = settle(EMPTY_SECONDS_MAX, lambda: cluster.value_bytes() <= EMPTY_BYTES_MAX)
        self.report.promise(self.part, 'space is given back when all is deleted', took is not None,
                            f'{before / MIB:.0f} MiB, {cluster.value_bytes() / MIB:.0f} MiB '
                            f'{took or EMPTY_SECONDS_MAX:.0f} s later; logs {cluster.log_bytes() / MIB:.0f} MiB')
        time.sleep(max(0, STAGED_IDLE_SECONDS + SWEEP_SECONDS - (took or 0)))
        cluster.stop()
        keys, staged = piece_keys(cluster), staged_rows(cluster)
        if keys is None:
            self.report.figure(self.part, 'rows left', 'not counted: install rocksdb-tools for ldb')
            return
        self.report.promise(self.part, 'no piece is left in any database', not keys and not staged,
                            f'{sum(keys.values())} pieces, {staged} staged uploads')


def expect_ok(sent):
    assert sent.status == 200, f'an upload before any death was answered {sent.status}'
