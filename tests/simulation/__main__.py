"""Replays a run, or searches for violations: `python -m tests.simulation --seed 7`, or `--seeds 0:1000`."""

from __future__ import annotations

import argparse
import sys
import time

import store.schema.sqlite
from tests.simulation.simulation import BrokenRuleError, Simulation


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="replay this run and print what happened in it")
    parser.add_argument("--seeds", default="0:1000", help="run these seeds, from:to, and print which break a rule")
    options = parser.parse_args()
    store.schema.sqlite.SQLITE_SYNCHRONOUS = "OFF"
    if options.seed is not None:
        return _replay(options.seed)
    first, _, last = options.seeds.partition(":")
    began, violations = time.process_time(), 0
    seeds = range(int(first), int(last))
    for seed in seeds:
        try:
            Simulation(seed).run()
        except BrokenRuleError as violation:
            violations += 1
            print(f"seed {seed}: {violation.broken}", flush=True)
    seconds = time.process_time() - began
    print(f"{len(seeds)} runs, {violations} with a violation, {1_000 * seconds / len(seeds):.0f} ms each")
    return 1 if violations else 0


def _replay(seed: int) -> int:
    simulation = Simulation(seed)
    print(simulation.profile)
    try:
        simulation.run()
    except BrokenRuleError as violation:
        result = str(violation)
    else:
        result = "No rule was broken."
    finally:
        for at, event in simulation.log:
            print(f"{at:12.3f}  {'  '.join(str(part) for part in event if part != '')}")
    print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
