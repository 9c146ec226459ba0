"""Simulated runs of the engine, each drawn from its seed: 200 here, and 10,000 in `make chaos`."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.simulation.faults import FAULTS, FOUND, run
from tests.simulation.simulation import BrokenRuleError, Simulation

ROOT = Path(__file__).parents[2]
IN_ONE_TEST = 25
SHORT, FULL = 200, 10_000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for every 25 seeds, so that they spread over the processes of the tests."""
    is_full = metafunc.config.getoption("--in-full")
    if "fault" in metafunc.fixturenames:
        planted = FAULTS if is_full else FAULTS[:1]
        metafunc.parametrize("fault", planted, ids=[fault.name for fault in planted])
    if "seeds" in metafunc.fixturenames:
        most = FULL if is_full else SHORT
        parts = [range(first, first + IN_ONE_TEST) for first in range(0, most, IN_ONE_TEST)]
        metafunc.parametrize("seeds", parts, ids=[f"{part.start}-{part.stop - 1}" for part in parts])


def test_no_rule_is_broken_in_any_run(seeds):
    """Whatever fails when: nothing is lost, repeated, disordered, overtaken or forgotten."""
    broken = []
    for seed in seeds:
        try:
            Simulation(seed).run()
        except BrokenRuleError as violation:
            broken.append(str(violation))
    assert not broken, "\n".join(broken)


def test_a_planted_fault_is_found(fault):
    """The rules are sharp enough to notice each of the faults that are planted in copies of the app."""
    assert run(fault).startswith(FOUND)


def test_every_fault_replaces_a_text_that_the_app_has():
    """Only one of them is planted in each run of `make test`."""
    assert [fault.name for fault in FAULTS if (ROOT / fault.path).read_text().count(fault.correct) != 1] == []


def test_a_seed_always_gives_the_same_run():
    """So that it can be replayed, also in another process, where sets have another order."""
    seeds = range(5)
    here = [digest(seed) for seed in seeds]

    program = f"from tests.simulation.test_simulation import digest\nfor seed in {seeds}: print(digest(seed))"
    environ = os.environ | {"PYTHONHASHSEED": "1"}
    there = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )

    assert there.stdout.splitlines() == here
    assert len(set(here)) == len(here)


def digest(seed: int) -> str:
    """Everything that happened in a run, in short."""
    simulation = Simulation(seed)
    simulation.run()
    return sha256(repr(simulation.log).encode()).hexdigest()
