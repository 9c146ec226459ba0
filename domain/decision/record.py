"""The stored record of why a job change went where it did: rules, candidates, matches, destinations and links. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    computed_field,
    model_validator,
)
from pydantic_core import to_json

from domain.decision.reasons import Reason, ReasonCode
from domain.states import Role, Side

VERSION = 2
"""Version 1 had sentences in place of reasons."""

_NOTIFIED = "told"
_LEGACY_MATCHES = {
    "by the e-mail address": ReasonCode.MATCHED_BY_EMAIL.of(),
    "by the other e-mail field": ReasonCode.MATCHED_BY_FIELD.of(),
    "linked by hand": ReasonCode.LINKED.of(),
}

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
StoredReason = Annotated[InstanceOf[Reason], BeforeValidator(Reason.parse), PlainSerializer(Reason.to_json)]


class _Part(BaseModel):
    """Rows of every released version are read: missing fields have a default, and additional ones are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class ConsideredCandidate(_Part):
    """
    A candidate. `side` None belongs to the catch-all, `problem` None to someone who was notified.

    `source` says where they come from, such as "contact owner". `match` says how they were matched to a Slack user.
    `is_informed` means that they get the card without the duty to act.
    """

    side: str | None = None
    source: Text = ""
    name: str | None = None
    email: str | None = None
    is_channel: bool = False
    is_informed: bool = False
    problem: StoredReason | None = None
    match: StoredReason | None = Field(default=None, validation_alias="matched", serialization_alias="matched")

    @model_validator(mode="before")
    @classmethod
    def _of_version_1(cls, raw: Any) -> Any:
        """Version 1 stored the result as text: "told", or why they were skipped. Channels had that source."""
        if not isinstance(raw, dict) or "problem" in raw or "result" not in raw:
            return raw
        result, match = raw["result"], raw.get("match")
        return raw | {
            "is_channel": raw.get("source") == "channel",
            "problem": None if result == _NOTIFIED else result or "",
            "matched": match and _LEGACY_MATCHES.get(match, f"matched {match}"),
        }

    @computed_field
    def result(self) -> str:
        """This is the form that processes of the version before read."""
        return _NOTIFIED if self.is_notified else "skipped"

    @property
    def is_notified(self) -> bool:
        return self.problem is None


def _with_reasons(raw: Any) -> Any:
    """Version 1 stored one sentence, and notes as sentences."""
    if not isinstance(raw, dict) or "reasons" in raw:
        return raw
    reason = raw.get("reason")
    return {"made_without": raw.get("notes") or (), **raw, "version": VERSION, "reasons": [reason] if reason else []}


class ContextValue(_Part):
    """
    A field of a record that the admins want to see on cards.

    `kind` is its type in Salesforce, such as "currency" or "date"; dates are in ISO 8601. `currency` is an ISO code.
    """

    label: Text
    value: str | float | bool = Field(repr=False)
    kind: Text = ""
    currency: str | None = None


class SideDecision(_Part):
    """
    What a rule chose for one side.

    `sentence` describes the rule; `segments` are those of the side's account; `context` is what its card shows of the
    records.
    """

    side: str | None = None
    rule: Text = ""
    sentence: Text = ""
    chosen: str | None = None
    reasons: tuple[StoredReason, ...] = ()
    segments: tuple[str, ...] = ()
    context: tuple[ContextValue, ...] = ()

    _of_version_1 = model_validator(mode="before")(_with_reasons)


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

    version: int = VERSION
    rules_version: int = 0
    rule: Text = ""
    considered: tuple[ConsideredCandidate, ...] = ()
    chosen: str | None = None
    reasons: tuple[StoredReason, ...] = ()
    sides: tuple[SideDecision, ...] = ()
    destinations: tuple[DecidedDestination, ...] = ()
    notes: tuple[StoredReason, ...] = Field(
        default=(), validation_alias="made_without", serialization_alias="made_without"
    )
    links: RecordLinks = RecordLinks()

    _of_version_1 = model_validator(mode="before")(_with_reasons)

    def __bool__(self) -> bool:
        return bool(self.rule or self.considered)

    def with_records(
        self,
        segments: Iterable[tuple[str, ...]],
        context: Iterable[tuple[ContextValue, ...]],
        links: RecordLinks,
    ) -> Decision:
        """Add what the Salesforce records say: the segments and the context of each side, and the links."""
        sides = (
            side.model_copy(update={"segments": names, "context": values})
            for side, names, values in zip(self.sides, segments, context, strict=True)
        )
        return self.model_copy(update={"sides": tuple(sides), "links": links})

    def context_of(self, side: str | None) -> tuple[ContextValue, ...]:
        """What the card of a delivery for this side shows of the records; of both sides, each value once."""
        shown = (value for own in self.sides if side in {Side.BOTH, None, own.side} for value in own.context)
        return tuple(dict.fromkeys(shown))

    @property
    def names(self) -> dict[str, str]:
        """The names that owners had in Salesforce, by their email addresses in lower case."""
        return {owner.email.lower(): owner.name for owner in self.considered if owner.email and owner.name}

    @property
    def nameless_users(self) -> dict[str, str]:
        """The Slack users who were notified although their names are not known, by their address or Slack id."""
        users = dict[str, str]()
        for candidate in self.considered:
            if candidate.email and not candidate.name and candidate.is_notified and not candidate.is_channel:
                user_id = candidate.email if "@" not in candidate.email else self._only_dri(candidate.side)
                users |= {candidate.email: user_id} if user_id else {}
        return users

    def _only_dri(self, side: str | None) -> str | None:
        """The Slack user who is the DRI on this side. None if there are several, or none."""
        sides = {Side.BOTH, None, side}
        dris = {chosen.destination for chosen in self.destinations if chosen.role == Role.DRI and chosen.side in sides}
        notified = [
            candidate
            for candidate in self.considered
            if candidate.side == side and candidate.is_notified and not candidate.is_channel
        ]
        return next(iter(dris)) if len(dris) == len(notified) == 1 else None

    def with_unreachable(self, role: str, side: str | None, destination: str, problem: str) -> Decision:
        """Return the decision with a correction of the candidates whose destination could not be posted to."""
        if destination not in {chosen.destination for chosen in self.destinations}:
            return self  # the rules did not choose it
        notified = [
            candidate
            for candidate in self.considered
            if candidate.is_notified and not candidate.is_informed and candidate.is_channel == (role != Role.DRI)
        ]
        corrected = [
            candidate
            for candidate in notified
            # Of several on a side, it is the one whose email names the destination.
            if side in {Side.BOTH, candidate.side}
            and (candidate.email == destination or [other.side for other in notified].count(candidate.side) == 1)
        ]
        result = {"problem": ReasonCode.COULD_NOT_BE_NOTIFIED.of(error=problem), "match": None}
        considered = (
            candidate.model_copy(update=result) if candidate in corrected else candidate
            for candidate in self.considered
        )
        return self.model_copy(update={"considered": tuple(considered)})

    @classmethod
    def from_stored(cls, text: str | None) -> Decision:
        return cls.model_validate_json(text or "{}")

    def to_stored(self) -> str:
        """
        JSON without what has its default, since PostgreSQL logs it again with each update of its row.

        `problem` is always there, because version 0.3.0 reads a candidate without it as one of format 1.
        """
        stored = {"version": self.version, **self.model_dump(mode="json", by_alias=True, exclude_defaults=True)}
        for candidate in stored.get("considered", ()):
            candidate.setdefault("problem", None)
        return to_json(stored).decode()
