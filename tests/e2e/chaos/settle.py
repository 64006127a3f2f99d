"""The end of a run: everything is healed and started, the cluster converges, and all that was promised is looked up.

Looked up first without repairing (`/stat` tells what each replica has), then by reading; then the whole history of
every key is judged with all that is known now; then every process is asked to stop.
"""
import concurrent.futures
import random
import time

import checks
import values
from cluster import Convergence, http_get, wait_for
from history import Op
from load import Worker

CONVERGENCE_SECONDS_MAX = 300
READERS = 4
RSS_MIB_MAX = 256
STAT_ATTEMPTS = 5


def start_all(world):
    for machine in world.machines.values():
        named = machine.process is not None or machine.name in world.announced
        if machine.state == 'down' and named:
            machine.start()


def converge(world):
    """Gives the seconds it took."""
    time.sleep(2.0)  # what the healed links still carried
    return wait_for(world, CONVERGENCE_SECONDS_MAX, 'converging', Convergence(world).why_not)


def replicas_differ(world, key):
    """What /stat has to say against the replicas of a key, or None."""
    path = f'/stat/{values.quoted(key.key)}?format=json'
    stat = None
    for proxy in world.proxies * STAT_ATTEMPTS:
        try:
            stat = http_get(world.network.address(proxy), world.network.port(proxy, 8080), path, 20)
        except OSError:
            pass
        if stat:
            break
        time.sleep(0.2)
    if not stat:
        return 'no proxy answers /stat for it'
    wanted = 'absent' if stat['timestamp'] is None else 'current'
    if all(r['state'] == wanted for r in stat['replicas']):
        return None
    return f'its replicas differ after the cluster has converged: {stat}'


def look_up(load):
    """Every key: its replicas, a quorum read and a default one."""
    keys = [k for k in load.history.all() if k.ops]
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        for key, wrong in zip(keys, pool.map(lambda k: replicas_differ(load.world, k), keys)):
            if wrong:
                load.violation(f'{key.key!r}: {wrong}', key)

        def read(share):
            reader = Worker(load, f'end{share}')
            reader.rng = random.Random(share)
            for key in keys[share::READERS]:
                for level in ('quorum', 'quorum' if key.strict else 'latest'):
                    op = Op(key.key, 'get', level, reader.name)
                    load.carry_out(reader.doors, op, key, rng=reader.rng)
                    if op.outcome != 'ok':
                        load.violation(f'{key.key!r} cannot be read at the end:\n  {op.line()}', key, op)

        list(pool.map(read, range(READERS)))
    return len(keys)


def judge(load):
    for key in load.history.all():
        for wrong, op in checks.judge_again(key):
            excused = op.level in ('latest', 'all') and load.ledger.seen_by_itself(op)
            if not excused:
                load.violation(wrong, key, op)


def stop_all(world):
    """What was wrong about how they ended, and what they used."""
    running = [m for m in world.machines.values() if m.state == 'up']
    for machine in running:
        machine.sample_memory()
        machine.begin_stop()
    problems = []
    for machine in running:
        while True:
            ended, wrong = machine.stopped()
            if wrong:
                problems.append(wrong)
            if ended or wrong:
                break
            time.sleep(0.05)
    for machine in world.machines.values():
        if machine.rss_max_mib > RSS_MIB_MAX:
            problems.append(f'{machine.name} took {machine.rss_max_mib:.0f} MiB of memory; at most {RSS_MIB_MAX}')
        text = machine.log_path.read_text(errors='replace') if machine.log_path.exists() else ''
        for sign in ('ASSERT', 'terminate called', 'runtime error:', 'Segmentation'):
            if sign in text:
                problems.append(f'the log of {machine.name} says {sign!r}:\n{machine.tail()}')
    return problems
