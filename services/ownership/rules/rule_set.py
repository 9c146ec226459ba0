"""
A workspace's ownership rules as data, and their JSON form. Pure.

A rule matches one *side* of a job change: `past`, the company left, or `current`, the company joined. On each side the
first rule that matches wins; what no rule takes, the catch-all does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.faults import InvalidRulesError, RuleFault, faults_of
from services.ownership.rules.owner_sources import (
    ChannelId,
    FieldName,
    Manager,
    Mapped,
    Name,
    NamedChannel,
    NamedUser,
    Owner,
    Part,
    Sender,
    Side,
    Source,
    Who,
)
from services.ownership.rules.owner_sources import Pool as PoolSource

MOST_RULES = 499
MOST_SOURCES = 12
MOST_VALUES = 200
MOST_MEMBERS = 200

Words = Annotated[
    tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)], ...],
    Field(min_length=1, max_length=MOST_VALUES),
]
Segment = Literal["customer", "target", "open_opportunity", "closed_lost", "none", "not_in_salesforce"]
SEGMENTS: tuple[Segment, ...] = (
    "customer",
    "target",
    "open_opportunity",
    "closed_lost",
    "none",
    "not_in_salesforce",
)


class FieldTest(Part):
    """A field of a record compared with any of the values, without regard to case."""

    field: FieldName
    test: Literal["equals", "in", "contains"] = "in"
    values: Words


class Conditions(Part):
    """All that are set must hold; of the values of one, any. None set: every job change."""

    side: Side | None = None
    signal: Annotated[tuple[Signal, ...], Field(min_length=1)] | None = None
    change_type: Annotated[tuple[ChangeType, ...], Field(min_length=1)] | None = None
    relationship: Words | None = None
    persona: Words | None = None
    title_contains: Words | None = None
    title_lacks: Words | None = None  # beats title_contains
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    segment: Annotated[tuple[Segment, ...], Field(min_length=1)] | None = None
    fields: Annotated[tuple[FieldTest, ...], Field(min_length=1, max_length=20)] | None = None


class Deliver(Part):
    """Who reads it: the DRI, a channel, both, or nobody (it is recorded)."""

    to: Literal["dri", "dri_and_channel", "channel", "nobody"] = "dri"
    channel: ChannelId | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.to in {"dri_and_channel", "channel"} and self.channel is None:
            raise PydanticCustomError("channel", "needs a channel")
        return self


Chain = Annotated[tuple[Source, ...], Field(max_length=MOST_SOURCES)]


class Rule(Part):
    """*tell*: owner sources, the first one who can be told is. *fallback*: then a person or a channel."""

    name: Name
    enabled: bool = True
    when: Conditions = Conditions()
    tell: Chain = ()
    deliver: Deliver = Deliver()
    fallback: Annotated[NamedUser | NamedChannel, Field(discriminator="source")] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.deliver.to in {"dri", "dri_and_channel"} and not self.tell:
            raise PydanticCustomError("chain", "needs somebody to tell")
        first = self.tell[0] if self.tell else None
        if isinstance(first, Manager) and first.of is None:
            raise PydanticCustomError("manager", "needs somebody above whose manager this is, or 'of'")
        return self


class PoolMember(Part):
    """*weight*: how many turns to the others' one."""

    user: Who
    weight: Annotated[int, Field(ge=1, le=100)] = 1


class Pool(Part):
    """Taken in turn. *sticky*: an account stays with whoever was told of it last."""

    members: Annotated[tuple[PoolMember, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    sticky: bool = True


class Segments(Part):
    """
    How customers and targets are told in this org: by a field of the account.

    An account is in the open-opportunity segment when it has one that is not closed; in the closed-lost one when it
    has none open and the one closed last was lost. In `none` when it is in none of the four, or not in Salesforce,
    for which alone there is `not_in_salesforce`.
    """

    customer: FieldTest = FieldTest(field="Account.Type", test="contains", values=("customer",))
    target: FieldTest = FieldTest(field="Account.Type", test="contains", values=("target", "prospect"))


class Guards(Part):
    """*excluded*: never told. *daily_cap*: how many job changes a person is told in 24 hours; None: any number."""

    excluded: Annotated[tuple[Who, ...], Field(max_length=MOST_VALUES)] = ()
    daily_cap: Annotated[int, Field(ge=1, le=10_000)] | None = None


class RuleSet(Part):
    """All that decides whom to tell in one workspace."""

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
    mappings: dict[Name, dict[Who, Who]] = Field(default_factory=dict, max_length=50)
    pools: dict[Name, Pool] = Field(default_factory=dict, max_length=50)
    segments: Segments = Segments()
    guards: Guards = Guards()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if unknown := list(_unknown_names(self)):
            raise PydanticCustomError("unknown_names", "names what is not there", {"faults": unknown})
        return self

    @classmethod
    def parse(cls, raw: object) -> RuleSet:
        """Read decoded JSON. Raises InvalidRulesError with every fault and where it is."""
        if not isinstance(raw, dict):
            raise InvalidRulesError([RuleFault("", "must be an object with rules")])
        try:
            return cls.model_validate_json(json.dumps(raw))  # strict about kinds, and yet lists are tuples
        except ValidationError as error:
            raise InvalidRulesError([*faults_of(error), *_unknown_besides(raw)]) from None

    @classmethod
    def from_stored(cls, text: str) -> RuleSet:
        """Read back what `to_json` wrote. Raises InvalidRulesError for anything else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidRulesError(faults_of(error)) from None

    def to_json(self, *, indent: int | None = None) -> str:
        """What `parse` reads, defaults included."""
        return self.model_dump_json(exclude_none=True, indent=indent)

    @property
    def in_force(self) -> tuple[Rule, ...]:
        """The rules that are not switched off, in order."""
        return tuple(rule for rule in self.rules if rule.enabled)


def _unknown_names(rule_set: RuleSet) -> list[RuleFault]:
    """Pools and tables that a chain names and nobody defined."""
    return [
        fault
        for number, rule in enumerate(rule_set.rules)
        for place, source in enumerate(rule.tell)
        for fault in _unknown_of(source, f"rules.{number}.tell.{place}", rule_set.pools, rule_set.mappings)
    ]


def _unknown_of(
    source: Source, path: str, pools: Mapping[str, object], mappings: Mapping[str, object]
) -> Sequence[RuleFault]:
    if isinstance(source, PoolSource) and source.pool not in pools:
        return [RuleFault(f"{path}.pool", f"there is no pool called {source.pool}")]
    if isinstance(source, Mapped) and source.table not in mappings:
        return [RuleFault(f"{path}.table", f"there is no mapping called {source.table}")]
    return []


def _unknown_besides(raw: Mapping[str, object]) -> list[RuleFault]:
    """The same of a rule set that has other faults too, as far as it can be read, so that all is mended in one go."""
    pools, mappings, rules = (raw.get(name) for name in ("pools", "mappings", "rules"))
    found: list[RuleFault] = []
    for number, rule in enumerate(rules if isinstance(rules, list | tuple) else ()):
        tell = rule.get("tell") if isinstance(rule, dict) else None
        for place, source in enumerate(tell if isinstance(tell, list | tuple) else ()):
            kind = source.get("source") if isinstance(source, dict) else None
            wanted = {"pool": ("pool", pools), "mapped": ("table", mappings)}.get(str(kind))
            if wanted is None:
                continue
            key, defined = wanted
            name = source.get(key)
            if isinstance(name, str) and not (isinstance(defined, dict) and name.strip() in defined):
                what = "pool" if key == "pool" else "mapping"
                found.append(RuleFault(f"rules.{number}.tell.{place}.{key}", f"there is no {what} called {name}"))
    return found


CATCH_ALL = Rule(
    name="Everything else",
    tell=(Owner(of="contact"), Owner(of="account"), Owner(of="lead"), Sender()),
)
"""
Always the last: it takes what no rule took, on neither side. Its account is the contact's, else that of a company whose
id the sender knew.
"""

TEST_RULE = Rule(name="Test message", tell=(Sender(),))
"""Takes every test message, whatever the rules say: it is told to whoever asked for it, or to nobody."""

NO_RULES = RuleSet()
