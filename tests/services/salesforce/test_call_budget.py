"""The budget of Salesforce API calls lasts all day, and nobody waits while it is ample."""

from __future__ import annotations

import pytest

from domain.day_counts import DAY_MS
from services.salesforce.call_budget import LONGEST_GATHERING_MS, CallBudget

BATCH = 200


def simulated_day(job_changes: int, calls_a_batch: int, daily_limit: int) -> tuple[int, list[int]]:
    """Spread job changes evenly over a day. Return the calls made, and how long each job change waited (ms)."""
    calls, next_batch_at, waits, waiting = 0, 0, list[int](), list[int]()
    for number in range(job_changes):
        now = number * DAY_MS // job_changes
        # A batch becomes possible between two arrivals, or with this one.
        for at in sorted({min(max(next_batch_at, waiting[0]) if waiting else now, now), now}):
            waiting = [*waiting, now] if at == now else waiting
            if waiting and (at >= next_batch_at or len(waiting) >= BATCH):
                waits += [at - since for since in waiting]
                waiting, calls = [], calls + calls_a_batch
                next_batch_at = CallBudget(calls, daily_limit).next_batch_at(at) or at
    return calls, waits + [DAY_MS - since for since in waiting]


@pytest.mark.parametrize("calls_a_batch", [1, 2, 4])
def test_five_thousand_calls_serve_fifty_thousand_job_changes_of_a_day(calls_a_batch):
    """However many calls a batch costs, and nobody waits longer than the longest gathering."""
    calls, waits = simulated_day(50_000, calls_a_batch, daily_limit=5_000)

    assert calls <= 5_000
    assert len(waits) == 50_000
    assert max(waits) <= LONGEST_GATHERING_MS


def test_job_changes_do_not_wait_while_calls_are_ample():
    """Half as many single job changes as calls, spread over a day."""
    _, waits = simulated_day(2_500, 1, daily_limit=5_000)

    assert max(waits) == 0


def test_the_faster_the_calls_are_used_up_the_longer_job_changes_gather():
    """Up to the longest gathering."""
    noon = DAY_MS // 2
    waits = [(CallBudget(calls, 5_000).next_batch_at(noon) or noon) - noon for calls in (1_000, 2_880, 2_882, 4_999)]

    assert waits[0] == 0
    assert waits == sorted(waits)
    assert 0 < waits[1] < waits[2] < waits[3] == LONGEST_GATHERING_MS


def test_a_new_day_has_a_new_budget():
    """Days are UTC, as those of the count of calls."""
    assert CallBudget(0, 5_000).next_batch_at(3 * DAY_MS) is None
    assert not CallBudget(0, 5_000).is_gathering(3 * DAY_MS)
