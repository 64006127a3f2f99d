#!/usr/bin/env python3
"""A cluster of real processes under random faults and a checked load.

    tests/e2e/chaos/run.py --binary build/tako [--minutes M | --seconds S] [--reconfigurations N] [--seed N]
                           [--keep]

Starts two coordinators, 6 to 9 nodes and 2 to 3 proxies, each with its own data folder; lets clients write, read and
delete at every level through random proxies; kills, stops, restarts, wipes, cuts off and fills up the processes,
several at a time; moves the cluster to other deployments meanwhile; in the end heals everything and looks up what was
promised. Faults, workload and the cluster's shape are drawn from the seed. What real processes make of them is not
reproducible: the simulation (tests/sim) is for that, and this is for what it cannot simulate, the kernel and the disk.

What is checked, and why:

  - what is read was written, for that key, byte for byte (values.py): no mixture, no torn value, no other key's
  - one version names one value
  - a quorum read never answers a version older than one that an operation at quorum had finished with before it
    began (checks.py): this is what "linearizable" means between two clients who talk to each other
  - a default read does not miss what was answered for w=two or more before it began, as long as one machine at most
    is disturbed and no link: "a write that was answered survives the loss of any one machine"
  - keys that see quorum operations alone have linearizable histories (linear.py), unknown outcomes included
  - 16 clients increment counters by HTTP's conditions and by memcached's incr, cas and meta commands, together: what
    they are told fits into one order of the increments, and the sums are right (counting.py); always, and alone with
    --counters-only
  - at the end: the cluster converges by itself; every replica of every key is current; nothing answered is lost;
    deleted keys stay deleted
  - no process ends by itself, grows above a bound, or ends with anything but 0 after SIGTERM

As root, or where user namespaces are allowed, each process has a network namespace, so that links can be cut, and two
nodes have small disks that can be filled (sandbox.py, network.py). Without, it says so in a line and does the rest.
Nothing is left behind, however it ends; two runs at once do not disturb each other. After a violation, exit 1: the
key's history is printed and the folder with data and logs is kept.

values, history: what is written and what was answered.  linear, checks, counting: the judges; checks_test.py is their
own test.  sandbox, network, processes, cluster: the world.  load, counters, connections: the clients.  faults,
injector, ledger: what is done to the world, and when.  reconfigure: the operator.  settle: the end.
"""
import argparse
import os
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import network  # noqa: E402
import report  # noqa: E402
import sandbox  # noqa: E402
import settle  # noqa: E402
from cluster import START_SECONDS_MAX, World, wait_for  # noqa: E402
from counters import Counters  # noqa: E402
from history import now  # noqa: E402
from injector import Injector  # noqa: E402
from ledger import Ledger  # noqa: E402
from load import Load  # noqa: E402
from reconfigure import Reconfigurer  # noqa: E402

CLIENTS = 6
OPERATIONS_PER_SECOND = 70
INCREMENTS_PER_SECOND = 12  # of all counting clients together, beside the others
CALM_SECONDS = 10           # at the beginning of a run of counters only: what contention alone does to them
SHORT_SECONDS = 120  # a run below this is for CI: a smaller cluster, an early reconfiguration


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--binary', required=True, help='the tako to run')
    length = parser.add_mutually_exclusive_group()
    length.add_argument('--minutes', type=float)
    length.add_argument('--seconds', type=float)
    parser.add_argument('--seed', type=int, help='default: drawn, and printed')
    parser.add_argument('--faults', action='append', default=[], metavar='PART',
                        help='only faults with this in their name, as the summary names them; repeatable')
    parser.add_argument('--reconfigurations', type=int, metavar='N',
                        help='one after another without a pause, until N are over (or the time is: two minutes for '
                             'each unless it is given); the default level has to be served throughout')
    parser.add_argument('--counters-only', action='store_true',
                        help='no other load than the 16 that count, as fast as they can, through three proxies')
    parser.add_argument('--keep', action='store_true', help='keep data and logs')
    parser.add_argument('--plain', action='store_true', help='no namespaces, even if they are allowed')
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    if not os.access(options.binary, os.X_OK):
        parser.error(f'{options.binary} is not an executable: build it first')
    minutes = options.minutes or (2.0 * options.reconfigurations if options.reconfigurations else 1.0)
    options.seconds = options.seconds or minutes * 60
    return options


def chaos(options, folder, namespaces):
    """Runs it; gives the violations."""
    short = options.seconds < SHORT_SECONDS
    seed = options.seed
    alone = options.counters_only
    net, how = network.make(namespaces)
    proxies = 2 if short and not alone else 3
    world = World(options.binary, folder, net, random.Random(f'{seed}/world'), short, namespaces, proxies)
    print(f'network: {how}', flush=True)
    disks = ' '.join(world.small_disks) or 'none, mounting is not allowed here (or not wanted)'
    print(f'full disks: {disks}', flush=True)
    print(f'cluster: {world.active}, spare: {world.spares}, proxies: {world.proxies}', flush=True)
    problems, load, counters, injector, operator = [], None, None, None, None
    summary = report.Summary(seed)
    try:
        world.start()
        born = wait_for(world, START_SECONDS_MAX, 'being born', lambda: world.not_agreed(0))
        print(f'  {now():7.1f}  all nodes vote, after {born:.1f} s', flush=True)
        ledger = Ledger(world)
        load = Load(world, ledger, seed, 0 if alone else CLIENTS, OPERATIONS_PER_SECOND)
        counters = Counters(world, load, None if alone else INCREMENTS_PER_SECOND)
        load.start()
        counters.start()
        load.stop.wait(CALM_SECONDS if alone else 0)
        injector = Injector(world, ledger, load, random.Random(f'{seed}/faults'), 1.5 if short else 2.0,
                            options.faults)
        pace = (8, 30) if short else (40, 60)
        if options.reconfigurations:
            pace = (1, 2)
            load.always_served = True
        operator = Reconfigurer(world, injector, load, random.Random(f'{seed}/operator'), *pace)
        summary.follow(load, counters, injector, operator, ledger)
        operator.start()
        wanted = options.reconfigurations
        injector.run(options.seconds, lambda: wanted and operator.done() >= wanted)
        operator.stop.set()
        if wanted and operator.done() < wanted and not load.violations:
            problems.append(f'{operator.done()} of {wanted} reconfigurations in {options.seconds:.0f} s')
        load.finish()
        counters.finish()
        operator.join(30)
        if not load.violations:
            end(world, load, counters, injector, summary)
    except AssertionError as problem:
        problems.append(str(problem))
    finally:
        if load:
            load.finish()
        if counters:
            counters.finish()
    if load and (options.keep or problems or load.violations):
        summary.evidence(world)
        world.rescue_small_disks()
    world.end()
    summary.show(world)
    return problems, load


def end(world, load, counters, injector, summary):
    print(f'  {now():7.1f}  the end: everything is healed and started', flush=True)
    injector.heal()
    settle.start_all(world)
    summary.converged_after = settle.converge(world)
    print(f'  {now():7.1f}  converged after {summary.converged_after:.1f} s', flush=True)
    load.stop.clear()
    summary.keys = settle.look_up(load)
    settle.judge(load)
    counters.judge()
    for problem in settle.stop_all(world):
        load.violation(problem)


def inner(options, folder, namespaces):
    print(f'seed: {options.seed}', flush=True)
    problems, load = chaos(options, folder, namespaces)
    violations = load.violations if load else []
    for problem in problems:
        print(f'\nVIOLATION: {problem}')
    report.show_violations(violations)
    if problems or violations:
        print(f'\n{len(problems) + len(violations)} violations, seed {options.seed}', flush=True)
        return sandbox.EXIT_VIOLATION
    print('no violations', flush=True)
    return 0


def main():
    options = arguments()
    inside = sandbox.inside()
    if inside is None:
        if options.seed is None:
            options.seed = random.SystemRandom().randrange(1 << 31)
            sys.argv += ['--seed', str(options.seed)]
        return sandbox.outer(options.keep, options.plain)
    return inner(options, *inside)


if __name__ == '__main__':
    sys.exit(main())
