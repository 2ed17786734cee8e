"""`python -m tests.faults`: every fault, again and again with other seeds and for longer; prints the figures.

Exit status 1 when a guarantee was broken; what was seen of it is printed, with the seed that repeats it.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import attrs
import trio

from tests.faults import faults
from tests.faults.cluster import Cluster, Wired, running_cluster
from tests.faults.machine import Clock, postgres_on_small_disk
from tests.faults.removal import remove_member
from tests.faults.report import CutOff, Tally, keep, kept, publish, table
from tests.faults.run import Fault, Load, mended, run_fault
from tests.kit.postgres import remove_leftovers

REMOVAL = "removal"


@attrs.frozen
class Stage:
    """A cluster, and the faults that it allows."""

    cluster: Cluster
    faults: Sequence[tuple[Fault, Load | None]]
    removals: bool = False


@contextmanager
def _direct() -> Generator[Stage]:
    with running_cluster() as cluster:
        yield Stage(cluster, [(each, None) for each in faults.DIRECT])


@contextmanager
def _proxied() -> Generator[Stage]:
    with running_cluster(wired=Wired.BY_PROXIES) as cluster:
        yield Stage(cluster, [(each, None) for each in faults.PROXIED], removals=True)


@contextmanager
def _cabled() -> Generator[Stage]:
    with running_cluster(wired=Wired.BY_CABLES) as cluster:
        yield Stage(cluster, [(each, None) for each in faults.CABLED])


@contextmanager
def _machine() -> Generator[Stage]:
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        postgres, disk = stack.enter_context(postgres_on_small_disk())
        clock = Clock(Path(directory))
        cluster = stack.enter_context(running_cluster(postgres=postgres, env_of_first=clock.env))
        full, jumps = faults.disk_full(disk), faults.clock_jumps(clock)
        yield Stage(cluster, [(full, Load(text_size=3000)), (jumps, None)])


STAGES = {
    _direct: [each.name for each in faults.DIRECT],
    _proxied: [*(each.name for each in faults.PROXIED), REMOVAL],
    _cabled: [each.name for each in faults.CABLED],
    _machine: [faults.DISK_FULL, faults.CLOCK_JUMPS],
}


def main() -> int:
    options = _options()
    remove_leftovers()
    wanted = [name for names in STAGES.values() for name in names if _is_wanted(name, options.faults)]
    tally = Tally()
    began = time.monotonic()
    seed = options.seed
    while True:
        for make, names in STAGES.items():
            if set(names) & set(wanted):
                with make() as stage:
                    _run_stage(stage, wanted, seed, options.scale, tally)
        seed += 1
        if time.monotonic() - began >= options.minutes * 60:
            break
    print(table(tally.rows))
    if options.keep:
        keep(tally)
        publish(kept())
    return 1 if tally.failures else 0


def _run_stage(stage: Stage, wanted: Sequence[str], seed: int, scale: float, tally: Tally) -> None:
    for fault, load in stage.faults:
        if fault.name in wanted:
            with mended(stage.cluster):
                outcome = trio.run(partial(run_fault, stage.cluster, fault, seed=seed, scale=scale, load=load))
                tally.add(outcome)
                if outcome.failed:
                    tally.failures += 1
                    print(outcome.tell(), stage.cluster.logs, sep="\n", flush=True)
            print(f"{fault.name}, seed {seed}: {'FAILED' if outcome.failed else 'held'}", file=sys.stderr, flush=True)
    if stage.removals and REMOVAL in wanted:
        for redis in faults.REMOVALS:
            with mended(stage.cluster):
                verdict = trio.run(partial(remove_member, stage.cluster, redis, seed=seed))
                tally.add_cut_off(CutOff(redis, 1, round(verdict.seconds, 2), faults.REMOVALS[redis].within))
                if verdict.violations:
                    tally.failures += 1
                    print(f"removal, Redis {redis}, seed {seed}", *verdict.violations[:12], sep="\n", flush=True)
            print(f"removal, Redis {redis}, seed {seed}: {verdict.seconds:.2f} s", file=sys.stderr, flush=True)


def _is_wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(word.lower() in name.lower() for word in words)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="begin no further round after this time")
    parser.add_argument("--scale", type=float, default=1.0, help="stretches the faults' times and counts")
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each further one has the next")
    parser.add_argument("--faults", nargs="*", default=[], help="those whose names hold one of these words")
    parser.add_argument("--keep", action="store_true", help="write the figures to results/faults.json and docs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
