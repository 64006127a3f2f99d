#!/usr/bin/env python3
"""The checks' own test: histories that are right pass, and each kind of broken one is found.

    tests/e2e/chaos/checks_test.py
"""
import math
import pathlib
import random
import sys
import types
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import checks  # noqa: E402
import counters  # noqa: E402
import counting  # noqa: E402
import linear  # noqa: E402
import values  # noqa: E402
from history import KeyHistory, Op, now  # noqa: E402
from ledger import Ledger  # noqa: E402
from load import Load  # noqa: E402


def w(value, begin, end=math.inf):
    return linear.Event('w', value, begin, end)


def r(value, begin, end):
    return linear.Event('r', value, begin, end)


class Linearizable(unittest.TestCase):
    def test_one_after_the_other(self):
        self.assertEqual(linear.check([w('a', 0, 1), r('a', 2, 3), w(None, 4, 5), r(None, 6, 7)]), (True, None))

    def test_a_read_beside_a_write_may_see_either(self):
        for seen in ('a', 'b'):
            self.assertTrue(linear.check([w('a', 0, 1), w('b', 2, 9), r(seen, 3, 4)])[0])

    def test_a_stale_read(self):
        stale = r('a', 4, 5)
        self.assertEqual(linear.check([w('a', 0, 1), w('b', 2, 3), stale]), (False, stale))

    def test_a_lost_write(self):
        self.assertFalse(linear.check([w('a', 0, 1), r(None, 2, 3)])[0])

    def test_reads_that_go_back(self):
        self.assertFalse(linear.check([w('a', 0, 1), w('b', 2, 20), r('b', 3, 4), r('a', 5, 6)])[0])

    def test_an_unknown_write_may_come_late_or_never(self):
        self.assertTrue(linear.check([w('a', 0, 1), w('b', 2), r('a', 50, 51), r('b', 60, 61)])[0])
        self.assertTrue(linear.check([w('a', 0, 1), w('b', 2), r('a', 50, 51)])[0])

    def test_an_unknown_write_comes_once(self):
        self.assertFalse(linear.check([w('a', 0, 1), w('b', 2), r('b', 3, 4), w('c', 5, 6), r('b', 7, 8)])[0])

    def test_an_unknown_deletion(self):
        self.assertTrue(linear.check([w('a', 0, 1), w(None, 2), r('a', 3, 4), r(None, 5, 6)])[0])
        self.assertFalse(linear.check([w('a', 0, 1), w(None, 2), r(None, 5, 6), r('a', 7, 8)])[0])

    def test_histories_drawn_from_a_real_register(self):
        for seed in range(60):
            rng = random.Random(seed)
            events, value = [], None
            for i in range(60):
                at = i + rng.random() / 2
                begin, end = at - rng.random() * 4, at + rng.random() * 4
                if rng.random() < 0.5:
                    value = rng.choice([f'v{i}', f'v{i}', None])
                    events.append(w(value, begin, end if rng.random() < 0.9 else math.inf))
                else:
                    events.append(r(value, begin, end))
            self.assertEqual(linear.check(events)[0], True, f'seed {seed}')
            events.append(r('never written', 100, 101))
            self.assertEqual(linear.check(events)[0], False)


class Floors(unittest.TestCase):
    def setUp(self):
        self.history = KeyHistory('k', 'mixed')
        self.clock = 0

    def op(self, kind, level, version=None, value=None, outcome='ok', calm=True):
        op = Op('k', kind, level, 'c0', value if kind == 'put' else None)
        self.history.begin(op)
        self.clock += 1
        op.t0 = op.wall = self.clock
        op.outcome, op.version, op.calm = outcome, version, calm
        if kind == 'get':
            op.got = value
        wrong = self.history.finish(op)
        self.clock += 0.5
        op.t1 = self.clock
        return wrong or (kind == 'get' and checks.judge_live(self.history, op)) or None

    def agree(self, live):
        self.assertEqual(bool(live), bool(checks.judge_again(self.history)))
        return live

    def test_a_quorum_read_below_a_quorum_write(self):
        self.op('put', 'quorum', (10, 1), 'a')
        self.op('put', 'quorum', (20, 1), 'b')
        self.assertIn('older', self.agree(self.op('get', 'quorum', (10, 1), 'a')))

    def test_a_quorum_read_below_a_quorum_read(self):
        self.op('put', 'two', (10, 1), 'a')
        self.op('put', 'two', (20, 1), 'b', outcome='unknown')
        self.assertIsNone(self.op('get', 'quorum', (20, 1), 'b'))
        self.assertIn('older', self.agree(self.op('get', 'quorum', (10, 1), 'a')))

    def test_a_default_read_misses_an_answered_write(self):
        self.op('put', 'two', (1, 1), 'a')
        self.op('put', 'two', (2, 1), 'b')
        self.assertIn('absent', self.agree(self.op('get', 'latest')))

    def test_a_default_read_in_trouble_is_not_held_to_it(self):
        self.op('put', 'two', (1, 1), 'a')
        self.assertIsNone(self.agree(self.op('get', 'latest', calm=False)))

    def test_a_deletion_explains_an_absence_unless_it_is_older(self):
        self.op('put', 'quorum', (10, 1), 'a')
        self.op('delete', 'quorum', (20, 1))
        self.assertIsNone(self.op('get', 'quorum'))
        self.op('put', 'quorum', (30, 1), 'b')
        self.assertIn('absent', self.agree(self.op('get', 'quorum')))

    def test_a_version_names_one_value(self):
        self.op('put', 'two', (10, 1), 'a')
        self.op('put', 'two', (11, 1), 'b')
        self.assertIsNone(self.op('get', 'one', (10, 1), 'a'))
        self.assertIn('two values', self.op('get', 'one', (10, 1), 'b'))

    def test_a_value_that_nobody_wrote(self):
        self.assertIn('nobody', self.op('get', 'one', (10, 1), 'x'))


class Counters(unittest.TestCase):
    def setUp(self):
        self.counter = counting.Counter('c')
        self.clock = 0

    def op(self, kind, outcome='ok', told=None, base=None, firm=True):
        """What is wrong with it as it ends."""
        return self.end(self.begin(kind, base, firm), outcome, told)

    def begin(self, kind, base=None, firm=True):
        op = counting.Count(kind, 'x0', base, firm)
        self.counter.begin(op)
        self.clock += 1
        op.t0 = self.clock
        return op

    def end(self, op, outcome='ok', told=None):
        op.outcome, op.told = outcome, told
        wrong = self.counter.finish(op)
        self.clock += 1
        op.t1 = self.clock
        return wrong

    def judged(self):
        return '; '.join(wrong for wrong, _ in counting.judge(self.counter))

    def test_all_kinds_together_are_right(self):
        under_way = self.begin('incr')
        self.assertIsNone(self.op('add', told=1, base=0))
        self.assertIsNone(self.op('put', 'changed', base=0))
        self.assertIsNone(self.op('incr', told=3))
        self.assertIsNone(self.end(under_way, told=2))
        self.assertIsNone(self.op('cas', 'unknown', base=3))
        self.assertIsNone(self.op('ma', told=5))
        self.assertIsNone(self.op('ma', 'unknown'))
        self.assertIsNone(self.op('put', 'changed', base=5))
        self.assertIsNone(self.op('read', told=6))
        self.assertIsNone(self.op('read', told=6))
        self.assertEqual(self.judged(), '')
        self.assertEqual(self.counter.figures(), (4, 2))

    def test_two_that_made_the_same_value(self):
        one, two = self.begin('put', 0), self.begin('cas', 0)
        self.assertIsNone(self.end(one, told=1))
        self.assertIn('had made', self.end(two, told=1))

    def test_a_lost_increment(self):
        self.assertIsNone(self.op('incr', told=1))
        self.assertIsNone(self.op('incr', told=2))
        self.assertIn('though this had ended', self.op('read', told=1))

    def test_a_value_that_goes_back(self):
        self.assertIsNone(self.op('incr', 'unknown'))
        self.assertIsNone(self.op('incr', told=2))
        self.assertIn('though this had ended', self.op('read', told=1))
        self.assertIn('though this had ended', self.op('put', told=1, base=0))

    def test_an_increment_tells_more_than_a_read_before_it(self):
        self.assertIsNone(self.op('incr', 'unknown'))
        self.assertIsNone(self.op('read', told=1))
        self.assertIn('though this had ended', self.op('incr', told=1))

    def test_an_increment_that_was_done_twice(self):
        self.assertIsNone(self.op('incr', told=1))
        self.assertIn('only 1', self.op('read', told=2))

    def test_a_refused_one_that_was_done(self):
        self.assertIsNone(self.op('incr', told=1))
        self.assertIsNone(self.op('put', 'no', base=1))
        self.assertIn('only 1', self.op('read', told=2))

    def test_one_that_was_done_before_it_began(self):
        for kind, base in (('incr', None), ('put', 0)):
            self.setUp()
            self.begin(kind, base).t0 = 99  # the count alone would allow it
            self.assertIsNone(self.op('read', told=1))
            self.assertIn('nobody can have made 1', self.judged())

    def test_an_unknown_one_makes_no_other_value_than_its_own(self):
        self.assertIsNone(self.op('incr', told=1))
        self.assertIsNone(self.op('incr', 'unknown'))
        self.assertIsNone(self.op('put', 'unknown', base=1))
        self.assertIsNone(self.op('cas', 'unknown', base=1))
        self.assertIsNone(self.op('read', told=3))
        self.assertEqual(self.judged(), '')
        self.assertIsNone(self.op('read', told=4))
        self.assertIn('nobody can have made 4', self.judged())

    def test_an_unknown_one_may_come_late_but_once(self):
        self.assertIsNone(self.op('incr', 'unknown'))
        self.assertIsNone(self.op('incr', told=1))
        self.assertIsNone(self.op('incr', told=3))
        self.assertEqual(self.judged(), '')
        self.begin('incr')
        self.begin('incr')
        self.assertIsNone(self.op('incr', told=5))
        self.assertEqual(self.judged(), '')
        self.counter.ops[-2].t0 = self.counter.ops[-3].t0 = 99
        self.assertIn('nobody can have made 4', self.judged())

    def test_a_refusal_without_a_cause(self):
        self.assertIsNone(self.op('incr', told=1))
        self.assertIsNone(self.op('put', 'changed', base=1))
        self.assertIn('nobody else can have changed it', self.judged())
        self.assertIsNone(self.op('incr', told=2))  # too late to be the cause
        self.assertIn('nobody else can have changed it', self.judged())

    def test_a_refusal_is_explained_by_what_was_under_way(self):
        self.assertIsNone(self.op('incr', told=1))
        under_way = self.begin('incr')
        self.assertIsNone(self.op('put', 'changed', base=1))
        self.assertIsNone(self.op('cas', 'changed', base=9, firm=False))  # it had read what was never agreed on
        self.assertEqual(self.judged(), '')
        self.assertIsNone(self.end(under_way, told=2))
        self.assertEqual(self.judged(), '')

    def test_a_counter_that_was_told_of_and_is_not_found(self):
        self.assertIsNone(self.op('incr', 'absent'))
        self.assertIsNone(self.op('add', told=1, base=0))
        self.assertIn('no counter', self.op('incr', 'absent'))

    def test_histories_drawn_from_a_real_counter(self):
        for seed in range(60):
            rng = random.Random(seed)
            self.setUp()
            moments, value = [], 0
            for i in range(80):
                at = i + rng.random() / 2
                begin, end = at - rng.random() * 4, at + rng.random() * 4
                kind = rng.choice(['incr', 'put', 'read'])
                base = value if kind == 'put' else None
                value += kind != 'read'
                op = counting.Count(kind, 'x0', base, True)
                outcome = 'ok' if kind == 'read' or rng.random() < 0.8 else 'unknown'
                moments += [(begin, 0, i, op, outcome, value), (end, 1, i, op, outcome, value)]
            for moment, is_end, _, op, outcome, told in sorted(moments, key=lambda m: m[:3]):
                if not is_end:
                    self.counter.begin(op)
                    op.t0 = moment
                    continue
                op.outcome, op.told = outcome, told if outcome == 'ok' else None
                self.assertIsNone(self.counter.finish(op), f'seed {seed}')
                op.t1 = moment
            self.assertEqual(self.judged(), '', f'seed {seed}')

    def test_an_error_is_unknown_unless_it_says_that_nothing_was_done(self):
        for text, outcome in (
                ('others write this key at the same time; it is unknown whether this write took effect', 'unknown'),
                ('others write this key at the same time; nothing was written: try again', 'no'),
                ('no agreement on this key before the time was up; try again', 'unknown'),
                ('too few replicas can answer for this key: n1 is away', 'no')):
            self.assertEqual(counters.of_server_error(f'SERVER_ERROR {text}'), outcome)


class Values(unittest.TestCase):
    def test_a_value_is_told_from_all_others(self):
        tag = values.content_type('k/ü', 'c1.7', 1000)
        data = values.body(tag, 1000)
        self.assertEqual(values.identify('k/ü', tag, data), ('c1.7', None))
        self.assertIn('another key', values.identify('k', tag, data)[1])
        self.assertIn('instead of', values.identify('k/ü', tag, data[:-1])[1])
        self.assertIn('1 of 1000', values.identify('k/ü', tag, data[:500] + bytes([data[500] ^ 1]) + data[501:])[1])
        self.assertIn('never written', values.identify('k/ü', 'text/plain', data)[1])


class Service(unittest.TestCase):
    """A default request that fails is a violation if at most one node was disturbed, in whatever way."""

    def violations(self, outcome, *struck):
        world = types.SimpleNamespace(proxies=[], node_ports={}, machines={'p1': types.SimpleNamespace(
            log_path=types.SimpleNamespace(read_text=lambda errors: ''))})
        ledger = Ledger(world)
        for kind, who in struck:
            ledger.open(kind, who)
        load = Load(world, ledger, 1, 0, 1)
        load.always_served = True
        op = Op('k', 'put', 'two', 'c1', 'v', 1)
        op.proxy, op.outcome, op.t0, op.t1 = 'p1', outcome, now(), now()
        load.judge_service(op, load.history.key('k', 'plain'), op.t0)
        return len(load.violations)

    def test_one_node_is_no_excuse(self):
        for struck in ([], [('away', 'n1')], [('slow', 'n1'), ('full', 'n1')], [('coordinator', 'c1')],
                       [('proxy', 'p2')]):
            self.assertEqual(1, self.violations('no', *struck), struck)
            self.assertEqual(0, self.violations('ok', *struck), struck)

    def test_more_than_one_is(self):
        for struck in ([('away', 'n1'), ('full', 'n2')], [('link', 'n1')], [('proxy', 'p1')]):
            self.assertEqual(0, self.violations('unknown', *struck), struck)


if __name__ == '__main__':
    unittest.main()
