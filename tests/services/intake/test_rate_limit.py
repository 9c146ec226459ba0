"""A workspace may send a lot at once, and less lastingly."""

from __future__ import annotations

import pytest

from services.intake.rate_limit import AT_ONCE, RateLimiter


@pytest.fixture
def allowance(clock):
    return RateLimiter(clock, at_once=100, a_second=10)


def test_what_is_allowed_at_once(allowance):
    """And not one more."""
    assert [allowance.wait_for("T1", 50) for _ in range(2)] == [None, None]
    assert allowance.wait_for("T1", 1) == 1


def test_it_is_allowed_after_the_wait_that_was_told(allowance, clock):
    """Or the sender would be turned away twice."""
    allowance.wait_for("T1", 100)
    wait = allowance.wait_for("T1", 25)

    assert wait == 3
    clock.advance(seconds=wait)
    assert allowance.wait_for("T1", 25) is None


def test_more_than_the_most_is_never_saved_up(allowance, clock):
    """A quiet month is no licence."""
    clock.advance(seconds=10_000)

    assert allowance.wait_for("T1", 100) is None
    assert allowance.wait_for("T1", 1) is not None


def test_one_workspace_does_not_use_up_another_s(allowance):
    """That is what it is for."""
    allowance.wait_for("T1", 100)

    assert allowance.wait_for("T2", 100) is None


def test_a_clock_that_is_set_back_takes_nothing_away(allowance, clock):
    """Nobody waits for the time to come round again."""
    allowance.wait_for("T1", 50)
    clock.advance(seconds=-3_600)

    assert allowance.wait_for("T1", 50) is None


def test_it_is_generous(clock):
    """A hundred full batches at once."""
    allowance = RateLimiter(clock)

    assert {allowance.wait_for("T1", 1_000) for _ in range(AT_ONCE // 1_000)} == {None}
