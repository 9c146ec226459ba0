"""A rate limiter allows bursts, and a lower rate in the long run."""

from __future__ import annotations

import pytest

from services.intake.rate_limit import BURST, RateLimiter


@pytest.fixture
def rate_limiter(clock):
    return RateLimiter(clock, burst=100, per_second=10)


def test_a_burst_is_allowed_and_no_more(rate_limiter):
    """The first request beyond the burst has to wait."""
    assert [rate_limiter.seconds_to_wait("T1", 50) for _ in range(2)] == [None, None]
    assert rate_limiter.seconds_to_wait("T1", 1) == 1


def test_a_request_is_allowed_after_the_wait(rate_limiter, clock):
    """A sender that waits as long as it was asked to is not refused twice."""
    rate_limiter.seconds_to_wait("T1", 100)
    wait = rate_limiter.seconds_to_wait("T1", 25)

    assert wait == 3
    clock.advance(seconds=wait)
    assert rate_limiter.seconds_to_wait("T1", 25) is None


def test_unused_tokens_never_exceed_the_burst(rate_limiter, clock):
    """A long quiet time does not allow a larger burst."""
    clock.advance(seconds=10_000)

    assert rate_limiter.seconds_to_wait("T1", 100) is None
    assert rate_limiter.seconds_to_wait("T1", 1) is not None


def test_every_workspace_has_its_own_limit(rate_limiter):
    """A busy workspace does not slow down another one."""
    rate_limiter.seconds_to_wait("T1", 100)

    assert rate_limiter.seconds_to_wait("T2", 100) is None


def test_a_clock_that_is_set_back_takes_no_tokens_away(rate_limiter, clock):
    """Nobody has to wait until the clock has caught up."""
    rate_limiter.seconds_to_wait("T1", 50)
    clock.advance(seconds=-3_600)

    assert rate_limiter.seconds_to_wait("T1", 50) is None


def test_the_default_allows_a_hundred_full_batches_at_once(clock):
    """The limit stops runaway senders only."""
    rate_limiter = RateLimiter(clock)

    assert {rate_limiter.seconds_to_wait("T1", 1_000) for _ in range(BURST // 1_000)} == {None}
