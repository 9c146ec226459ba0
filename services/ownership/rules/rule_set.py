"""
A workspace's ownership rules, and their JSON format. Pure.

A rule matches one side of a job change: `past`, the company left, or `current`, the company joined. On each side, the
first rule that matches applies. If no rule matches, the catch-all applies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import isfinite, nan
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.issues import InvalidRulesError, RuleIssue, issues_of, unknown_names_in
from services.ownership.rules.owner_sources import (
    ChannelId,
    ContextField,
    FieldName,
    Informed,
    Manager,
    Mapped,
    Name,
    NamedChannel,
    NamedUser,
    Owner,
    PersonId,
    RulePart,
    Sender,
    Side,
    Source,
)
from services.ownership.rules.owner_sources import Pool as PoolSource
from services.salesforce.records import OpenChoice

MOST_RULES = 499
MOST_SOURCES = 12
MOST_VALUES = 200
MOST_MEMBERS = 200
MOST_VALUES_IN_ALL = 20_000
"""Values of all conditions of all rules: what a job change is compared with."""

MOST_CHARACTERS = 2_000_000
"""Characters of a rule set as JSON."""

MOST_CONTEXT_FIELDS = 4

Values = Annotated[
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


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


class FieldTest(RulePart):
    """Compares a field of a record with any of the values (case is ignored), or with a number, as it is stored."""

    field: FieldName
    test: Literal["equals", "in", "contains", "at_least", "at_most"] = "in"
    values: Values

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.limit is not None and (len(self.values) > 1 or not isfinite(self.limit)):
            raise PydanticCustomError("limit", "needs one number")
        return self

    @property
    def limit(self) -> float | None:
        """The number to compare with. None if texts are compared."""
        return _number(self.values[0]) if self.test in {"at_least", "at_most"} else None

    @property
    def words(self) -> list[str]:
        """The values that are not numbers."""
        return [value for value in self.values if not isfinite(_number(value))]

    def is_met_by(self, number: float | None) -> bool:
        """Whether a number is within the limit. An empty field (None) never is."""
        if number is None or self.limit is None:
            return False
        return number >= self.limit if self.test == "at_least" else number <= self.limit


class Conditions(RulePart):
    """All conditions that are set must hold; any of the values of a condition is enough. None set: all match."""

    side: Side | None = None
    signal: Annotated[tuple[Signal, ...], Field(min_length=1)] | None = None
    change_type: Annotated[tuple[ChangeType, ...], Field(min_length=1)] | None = None
    relationship: Values | None = None
    persona: Values | None = None
    title_contains: Values | None = None
    title_lacks: Values | None = None  # takes precedence over title_contains
    min_score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    segment: Annotated[tuple[Segment, ...], Field(min_length=1)] | None = None
    contact_has_open_opportunity: bool | None = None
    fields: Annotated[tuple[FieldTest, ...], Field(min_length=1, max_length=20)] | None = None

    @property
    def value_count(self) -> int:
        """How many values a job change is compared with."""
        lists = (self.relationship, self.persona, self.title_contains, self.title_lacks)
        listed = sum(len(values) for values in lists if values)
        return listed + sum(len(test.values) for test in self.fields or ())


class Deliver(RulePart):
    """The destinations: the DRI, a channel, both, or nobody. A job change for nobody is only recorded."""

    to: Literal["dri", "dri_and_channel", "channel", "nobody"] = "dri"
    channel: ChannelId | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.to in {"dri_and_channel", "channel"} and self.channel is None:
            raise PydanticCustomError("channel", "needs a channel")
        return self


Chain = Annotated[tuple[Source, ...], Field(max_length=MOST_SOURCES)]


class Rule(RulePart):
    """
    `tell` is the chain of owner sources: the first person who can be notified is. Then comes the `fallback`.

    `also_notify` are informed without the duty to act. None is left out of the JSON, so that the version before can
    read the rule. `original_name` is set once a rule is renamed. It is stored beside the JSON, for the same reason.
    """

    name: Name
    enabled: bool = True
    when: Conditions = Conditions()
    tell: Chain = ()
    deliver: Deliver = Deliver()
    also_notify: Annotated[tuple[Informed, ...], Field(min_length=1, max_length=MOST_SOURCES)] | None = None
    fallback: Annotated[NamedUser | NamedChannel, Field(discriminator="source")] | None = None
    original_name: Annotated[str | None, Field(exclude=True)] = None

    @property
    def key(self) -> str:
        """What stays the same when the rule is changed, renamed and published again."""
        return self.original_name or self.name

    def keyed(self, key: str) -> Rule:
        """This rule as a later version of the one with this key."""
        return self.model_copy(update={"original_name": None if key == self.name else key})

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.deliver.to in {"dri", "dri_and_channel"} and not self.tell:
            raise PydanticCustomError("chain", "needs someone to notify")
        first = self.tell[0] if self.tell else None
        if isinstance(first, Manager) and first.of is None:
            raise PydanticCustomError("manager", "needs a person above it, or 'of'")
        return self


class PoolMember(RulePart):
    """`weight` is the number of turns for each turn of a member with weight 1."""

    user: PersonId
    weight: Annotated[int, Field(ge=1, le=100)] = 1


class Pool(RulePart):
    """A round-robin pool. If it is `sticky`, an account stays with the member who was notified about it last."""

    members: Annotated[tuple[PoolMember, ...], Field(min_length=1, max_length=MOST_MEMBERS)]
    sticky: bool = True


class Segments(RulePart):
    """
    The account fields that define customers and targets.

    An account is in `open_opportunity` if it has an opportunity that is not closed, and in `closed_lost` if it has none
    and the one closed last was lost. It is in `none` if it is in none of the four, or not in Salesforce; it is in
    `not_in_salesforce` only in the latter case.
    """

    customer: FieldTest = FieldTest(field="Account.Type", test="contains", values=("customer",))
    target: FieldTest = FieldTest(field="Account.Type", test="contains", values=("target", "prospect"))


class Guards(RulePart):
    """`excluded` people are never notified. `daily_cap` is the limit per person in 24 hours; None means no limit."""

    excluded: Annotated[tuple[PersonId, ...], Field(max_length=MOST_VALUES)] = ()
    daily_cap: Annotated[int, Field(ge=1, le=10_000)] | None = None


class RuleSet(RulePart):
    """
    All ownership settings of one workspace.

    `open_opportunity` says which of several open ones counts. `context_fields` are shown on cards. None is left out of
    the JSON, so that the version before can read the rules.
    """

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()
    mappings: dict[Name, dict[PersonId, PersonId]] = Field(default_factory=dict, max_length=50)
    pools: dict[Name, Pool] = Field(default_factory=dict, max_length=50)
    segments: Segments = Segments()
    guards: Guards = Guards()
    open_opportunity: OpenChoice = "newest"
    context_fields: Annotated[tuple[ContextField, ...], Field(min_length=1, max_length=MOST_CONTEXT_FIELDS)] | None = (
        None
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if unknown := list(_unknown_names(self)):
            raise PydanticCustomError("unknown_names", "has unknown names", {"issues": unknown})
        return self

    @classmethod
    def parse(cls, raw: object) -> RuleSet:
        """Read decoded JSON. Raises InvalidRulesError with all errors and their paths."""
        if not isinstance(raw, dict):
            raise InvalidRulesError([RuleIssue("", "must be an object with rules")])
        text = json.dumps(raw)  # as JSON, so that strict mode accepts lists for tuples
        if len(text) > MOST_CHARACTERS:
            raise InvalidRulesError([RuleIssue("", f"must have at most {MOST_CHARACTERS:,} characters")])
        try:
            rule_set = cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidRulesError([*issues_of(error), *unknown_names_in(raw)]) from None
        if (count := sum(rule.when.value_count for rule in rule_set.rules)) > MOST_VALUES_IN_ALL:
            limit = f"have {count:,} values in their conditions together; at most {MOST_VALUES_IN_ALL:,} are possible"
            raise InvalidRulesError([RuleIssue("rules", limit)])
        return rule_set

    @classmethod
    def from_stored(cls, text: str, original_names: str | None = None) -> RuleSet:
        """Read what `to_json` and `original_names` wrote. Raises InvalidRulesError for anything else."""
        try:
            rule_set = cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidRulesError(issues_of(error)) from None
        keys: dict[str, str] = json.loads(original_names or "{}")
        return rule_set.with_rules(rule.keyed(keys.get(rule.name, rule.name)) for rule in rule_set.rules)

    @property
    def original_names(self) -> str | None:
        """JSON with the original names of renamed rules, by their names; None if there are none."""
        renamed = {rule.name: rule.original_name for rule in self.rules if rule.original_name}
        return json.dumps(renamed) if renamed else None

    def with_rules(self, rules: Iterable[Rule]) -> RuleSet:
        return self.model_copy(update={"rules": tuple(rules)})

    def to_json(self, *, indent: int | None = None) -> str:
        """The format that `parse` reads, with defaults."""
        return self.model_dump_json(exclude_none=True, indent=indent)

    @property
    def in_force(self) -> tuple[Rule, ...]:
        """The rules that are turned on, in order."""
        return tuple(rule for rule in self.rules if rule.enabled)


def _unknown_names(rule_set: RuleSet) -> Iterator[RuleIssue]:
    """Pools and mappings that a chain uses but that are not defined."""
    for number, rule in enumerate(rule_set.rules):
        for name, sources in (("tell", rule.tell), ("also_notify", rule.also_notify or ())):
            for place, source in enumerate(sources):
                path = f"rules.{number}.{name}.{place}"
                if isinstance(source, PoolSource) and source.pool not in rule_set.pools:
                    yield RuleIssue(f"{path}.pool", f"there is no pool named {source.pool}")
                elif isinstance(source, Mapped) and source.table not in rule_set.mappings:
                    yield RuleIssue(f"{path}.table", f"there is no mapping named {source.table}")


CATCH_ALL = Rule(
    name="Everything else",
    tell=(Owner(of="contact"), Owner(of="account"), Owner(of="lead"), Sender()),
)
"""
The last rule of every rule set. It applies if no rule matches on either side. Its account is the contact's, else that
of a company whose id came with the job change.
"""

TEST_RULE = Rule(name="Test message", tell=(Sender(),))
"""Matches every test message, whatever the rules say. It is sent to the person who requested it, or to nobody."""

NO_RULES = RuleSet()
