"""The stored record of why a job change went where it did: rules, candidates, matches, destinations and links. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from domain.states import Role

NOTIFIED = "told"
"""The stored result of a candidate who was notified. Every other result says why the candidate was skipped."""

BOTH = "both"
"""The side of a delivery that concerns both."""

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Part(BaseModel):
    """Rows of every released version are read: what they lack has a default, and what they have beside is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ConsideredCandidate(_Part):
    """
    A candidate with their result. `side` None belongs to the catch-all.

    `source` says where they come from, such as "contact owner". `match` says how they were matched to a Slack user.
    """

    side: str | None = None
    source: Text = ""
    name: str | None = None
    email: str | None = None
    result: Text = ""
    match: str | None = None

    @property
    def is_notified(self) -> bool:
        return self.result == NOTIFIED

    @property
    def is_channel(self) -> bool:
        return self.source == "channel"


class SideDecision(_Part):
    """What a rule chose for one side. `sentence` describes the rule; `segments` are those of the side's account."""

    side: str | None = None
    rule: Text = ""
    sentence: Text = ""
    chosen: str | None = None
    reason: Text = ""
    segments: tuple[str, ...] = ()


class DecidedDestination(_Part):
    """`destination` is a Slack user, a channel or DEFAULT_CHANNEL. `role` is one of domain.states.Role."""

    destination: str
    role: Text = ""
    side: str | None = None


class RecordLinks(_Part):
    """Addresses of the job change's records in Salesforce."""

    contact: str | None = None
    lead: str | None = None
    account: str | None = None


class Decision(_Part):
    """
    What was decided about a job change. It is false if nothing was decided, or if it was erased.

    `rules_version` 0 means that no rules were published. `rule` names the rules of all sides, and `chosen` the DRIs.
    `notes` says what the decision was made without.
    """

    rules_version: int = 0
    rule: Text = ""
    considered: tuple[ConsideredCandidate, ...] = ()
    chosen: str | None = None
    reason: Text = ""
    sides: tuple[SideDecision, ...] = ()
    destinations: tuple[DecidedDestination, ...] = ()
    notes: tuple[str, ...] = ()
    links: RecordLinks = RecordLinks()

    def __bool__(self) -> bool:
        return bool(self.rule or self.considered)

    def with_records(self, segments: Iterable[tuple[str, ...]], links: RecordLinks) -> Decision:
        """With what the job change's Salesforce records add: the segments of each side's account, and the links."""
        sides = (side.model_copy(update={"segments": names}) for side, names in zip(self.sides, segments, strict=True))
        return self.model_copy(update={"sides": tuple(sides), "links": links})

    def with_unreachable(self, role: str, side: str | None, destination: str, problem: str) -> Decision:
        """With its candidates corrected who stand for a destination that could not be posted to."""
        if destination not in {chosen.destination for chosen in self.destinations}:
            return self  # the rules did not choose it
        notified = [
            candidate
            for candidate in self.considered
            if candidate.is_notified and candidate.is_channel == (role != Role.DRI)
        ]
        corrected = [
            candidate
            for candidate in notified
            # Of several on a side, it is the one whose email names the destination.
            if side in {BOTH, candidate.side}
            and (candidate.email == destination or [other.side for other in notified].count(candidate.side) == 1)
        ]
        result = {"result": f"could not be notified: {problem}", "match": None}
        considered = (
            candidate.model_copy(update=result) if candidate in corrected else candidate
            for candidate in self.considered
        )
        return self.model_copy(update={"considered": tuple(considered)})

    @classmethod
    def from_stored(cls, text: str | None) -> Decision:
        return cls.model_validate_json(text or "{}")

    def to_stored(self) -> str:
        return self.model_dump_json()
