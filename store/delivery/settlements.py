"""How an attempt to post can end: the values that the courier returns and that posts.py stores."""

from __future__ import annotations

from dataclasses import dataclass

from domain.decision.reasons import Reasons
from domain.decision.sentences import for_reader
from store.delivery.lanes import Claim


@dataclass(frozen=True)
class Sent:
    """Slack has the message. This is stored even if the lease was lost meanwhile, because it is a fact."""

    claim: Claim
    at: int
    channel: str
    ts: str


@dataclass(frozen=True)
class Postponed:
    """
    Certainly not sent: the deliveries wait in their lane until `due_at` and may be grouped differently.

    `is_failure` is False if Slack only asked us to wait. `simplify` means that Slack refused the rendering. `code` is
    Slack's error code.
    """

    claim: Claim
    at: int
    due_at: int
    reason: str
    is_failure: bool = True
    simplify: bool = False
    code: str = ""


@dataclass(frozen=True)
class InDoubt:
    """
    Possibly sent: the post keeps its state and its deliveries.

    `by_answer` means that the answer to this attempt was ambiguous itself.
    """

    claim: Claim
    at: int
    due_at: int
    reason: str
    by_answer: bool


@dataclass(frozen=True)
class Failed:
    """It can never work: the deliveries fail."""

    claim: Claim
    at: int
    reason: str
    code: str = ""


@dataclass(frozen=True)
class Moved:
    """
    Nobody reads this destination any longer: the deliveries go to the default channel instead.

    `reasons` are what the message there says. `problem` is what went wrong, without its full stop.
    """

    claim: Claim
    at: int
    reasons: Reasons
    problem: str
    code: str = ""

    @property
    def reason(self) -> str:
        return for_reader(self.reasons)


@dataclass(frozen=True)
class Parked:
    """The default channel cannot be posted to: its lane waits until an admin repairs it."""

    claim: Claim
    at: int
    reason: str
    code: str = ""


Settlement = Sent | Postponed | InDoubt | Failed | Moved | Parked
