"""What one workspace sends keeps the others waiting for a moment at most."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from domain.job_change.parts import ChangeType, Signal
from domain.job_change.validation import InvalidJobChangeError
from listeners.intake.api import LARGEST_BODY
from services.intake.intake import LARGEST_JOB_CHANGE, Intake
from services.intake.mapping.row_mapping import MOST_COLUMNS
from services.intake.rate_limit import BURST_BYTES, BURST_MS, Allowance
from services.ownership.choice.conditions import CaseSide, PreparedRules
from services.ownership.decider import DECIDED_AT_ONCE
from services.ownership.rules.issues import InvalidRulesError
from services.ownership.rules.rule_set import MOST_RULES, MOST_VALUES_IN_ALL, RuleSet
from store.intake import mappings
from tests.listeners.intake.test_api import add_workspace

LONGEST_TURN_SECONDS = 0.1
OWN_PATHS = {f"a.p{number}": f"custom.c{number}" for number in range(193)}
WIDE = {f"k{number}": 1 for number in range(MOST_COLUMNS - 10)}


def filled(row: dict[str, Any]) -> list[dict[str, Any]]:
    """As many of these rows as fit into a request, at most a thousand."""
    return [row] * min(1_000, LARGEST_BODY // len(json.dumps(row)))


ROWS = {
    "one wide row": ("common_room", [{"payload": {"member": {f"k{number}": 1 for number in range(80_000)}}}]),
    "wide rows": ("common_room", filled({"payload": {"member": WIDE, "contact": WIDE}})),
    "small rows": ("common_room", filled({"fullName": "Ada Smith", "email": "ada@initech.example"})),
    "193 paths into a long list": ("own", [{"a": list(range(150_000))}]),
    "193 paths into wide rows": ("own", filled({"a": WIDE, "b": WIDE})),
    "193 paths, a thousand rows": ("own", filled({"a": dict.fromkeys([f"p{number}" for number in range(60)], "v")})),
    "colliding names": (None, filled({"person": {}, "custom": {"a" + "_" * n: 1 for n in range(240)}, "a": 1})),
}


async def longest_turn(work: Awaitable[object]) -> float:
    """The most seconds of processor time that the event loop spent before it came back to other tasks."""
    gc.collect()
    gc.freeze()  # as `serve` does, so that nobody pays for what other tests have left
    task, longest = asyncio.ensure_future(work), 0.0
    while not task.done():
        before = time.thread_time()
        await asyncio.sleep(0)
        longest = max(longest, time.thread_time() - before)
    gc.unfreeze()
    await task
    return longest


@pytest.mark.parametrize("name", ROWS)
async def test_a_large_request_does_not_stop_the_event_loop(database, clock, name):
    """A megabyte, whatever is in it and however it is mapped."""
    await database.run(add_workspace)
    definition = {"map": OWN_PATHS, "words": {"custom.c1": {f"w{number}": "x" for number in range(200)}}}
    await database.run(mappings.save, "T1", "own", definition, "U1", clock())
    sender, rows = ROWS[name]
    intake = Intake(database, clock, lambda: None)

    longest = await longest_turn(intake.accept_all("T1", rows, sender, LARGEST_BODY))

    assert longest < LONGEST_TURN_SECONDS


async def test_a_job_change_has_a_largest_size(database, clock):
    """It is measured as JSON, before it is parsed. In a batch, only the large one is refused."""
    await database.run(add_workspace)
    intake = Intake(database, clock, lambda: None)
    small = {
        "signal": "custom",
        "change_type": "departure",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "previous": {"company": {"name": "Initech"}},
    }
    large = small | {"custom": {"note": "é" * (LARGEST_JOB_CHANGE // 2)}}

    accepted, refused = await intake.accept_all("T1", [small, large])

    assert accepted.results[0].is_new
    assert [fault.message for fault in refused.results[0].faults] == ["must have at most 64 KiB"]
    with pytest.raises(InvalidJobChangeError):
        await intake.accept("T1", large)


def test_a_workspace_may_send_so_many_bytes_and_take_so_much_time(clock):
    """Beyond the burst it has to wait, whatever the number of job changes; other workspaces do not."""
    for spend in (
        lambda allowance: allowance.seconds_to_wait("T1", 1, BURST_BYTES),
        lambda allowance: allowance.parsing.spend("T1", BURST_MS + 500),
    ):
        allowance = Allowance.of(clock)
        assert allowance.seconds_to_wait("T1", 1) is None
        spend(allowance)
        wait = allowance.seconds_to_wait("T1", 1, LARGEST_BODY)
        assert wait is not None
        assert allowance.seconds_to_wait("T2", 1, LARGEST_BODY) is None
        clock.advance(seconds=wait)
        assert allowance.seconds_to_wait("T1", 1, 1) is None


def test_the_largest_rule_set_does_not_stop_the_event_loop():
    """Job changes are compared in groups of a few, and all values of a rule set have a limit together."""
    words = [f"{number:03d}" + "x" * 20 for number in range(MOST_VALUES_IN_ALL // MOST_RULES)]
    tell = [{"source": "owner", "of": "account"}]
    rules = [{"name": f"r{number}", "when": {"title_contains": words}, "tell": tell} for number in range(MOST_RULES)]
    prepared = PreparedRules.of(RuleSet.parse({"rules": rules}))
    title = "y" * 500
    side = CaseSide("current", Signal.CUSTOM, ChangeType.PROMOTION, "", "", title, None, frozenset(), None)

    before = time.thread_time()
    assert prepared.first_match(side) is None
    seconds = time.thread_time() - before

    assert seconds * 2 * DECIDED_AT_ONCE < LONGEST_TURN_SECONDS
    rules[0]["when"] = {"title_contains": [f"w{number}" for number in range(200)]}
    with pytest.raises(InvalidRulesError, match="together"):
        RuleSet.parse({"rules": rules})
