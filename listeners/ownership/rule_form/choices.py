"""The owner sources that a rule's chain can be made of in one workspace, as options of a menu. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from listeners.dialogs.blocks import Block, plain
from listeners.dialogs.mentions import labels_of, source_label
from services.ownership.rules.check import OrgField, OrgShape
from services.ownership.rules.owner_sources import (
    Manager,
    Mapped,
    NamedChannel,
    NamedUser,
    OpportunityOwner,
    Owner,
    Pool,
    Sender,
    Source,
    TeamRole,
    UserField,
    UserGroup,
    is_slack_user,
)
from services.ownership.rules.rule_set import RuleSet

A_PERSON, A_GROUP, A_CHANNEL, A_FIELD = "a_person", "a_group", "a_channel", "a_field"
ASKING: Mapping[str, str] = {
    A_PERSON: "A person in Slack …",
    A_GROUP: "A user group …",
    A_CHANNEL: "A channel …",
    A_FIELD: "Another field …",
}
"""Choices that ask for one thing more, in a field of its own below."""

NOBODY = "nobody"
"""Empties a place: not every client can clear a menu."""

MOST_OPTIONS = 100
"""https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

FEW_SLOTS, FEWER_OPTIONS = 8, 70
"""A view is at most 250 kB. https://docs.slack.dev/reference/methods/views.update"""

LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""

_ASKED = {
    A_PERSON: ("user", "user"),
    A_GROUP: ("user_group", "group"),
    A_CHANNEL: ("channel", "channel"),
    A_FIELD: ("field", "field"),
}
_KEPT = "kept:"
_SOURCE: TypeAdapter[Source] = TypeAdapter(Source)


@dataclass(frozen=True)
class Choices:
    """
    What a chain can be made of. *groups*: sources by their heading; *labels*: what the org calls its fields.

    *more_fields*: how many lookups to users there are that the menu has no room for. *user_groups*: what those that can
    be chosen are called, by id; none: their ids are typed.
    """

    groups: Mapping[str, Sequence[Source]]
    labels: Mapping[str, str]
    more_fields: int = 0
    user_groups: Mapping[str, str] = field(default_factory=dict)


def choices_of(
    rules: RuleSet, org: OrgShape | None, slots: int = 6, user_groups: Mapping[str, str] | None = None
) -> Choices:
    """From the rule set's pools and mappings, and the org's own fields and roles; *slots*: how many menus there are."""
    most = MOST_OPTIONS if slots <= FEW_SLOTS else FEWER_OPTIONS
    groups: dict[str, list[Source]] = {
        "Owners": list(_owners()),
        "Fields of the record": list(_fields(org)) if org else [],
        "Teams": list(_roles(org)) if org else [],
        "Pools and mappings": list(_ours(rules)),
        "Others": [Manager(), Sender()],
    }
    room = most - len(ASKING) - 2 - sum(len(found) for name, found in groups.items() if not name.startswith("F"))
    fields = groups["Fields of the record"]
    groups["Fields of the record"] = fields[: max(room, 0)]
    more_fields = max(0, len(fields) - max(room, 0))
    named = user_groups or {}
    return Choices(groups, labels_of(org), more_fields, named if len(named) < MOST_OPTIONS else {})


def _owners() -> Iterator[Source]:
    yield from (Owner(of="contact"), Owner(of="account"), Owner(of="parent_account"), Owner(of="lead"))
    yield from (OpportunityOwner(which="open"), OpportunityOwner(which="last_won"), OpportunityOwner(which="last_lost"))
    for side in ("past", "current"):
        yield from (Owner(of="contact", side=side), Owner(of="account", side=side))


def _fields(org: OrgShape) -> Iterator[Source]:
    """The org's own fields first, and the account's before those of others."""
    order = ["account", "opportunity", "contact", "lead"]
    names = [name for name in org.user_fields if name.partition(".")[0] in order and not name.endswith(".ownerid")]
    names.sort(key=lambda name: (not name.endswith("__c"), order.index(name.partition(".")[0]), name))
    return (UserField(field=org.fields[name].name) for name in names)


def field_called(org: OrgShape, typed: str) -> str | None:
    """The lookup to a user that people call so, as rules write it: `Account.SDR__c` of "SDR" or "Account SDR"."""
    words = typed.casefold().replace(".", " ").split()
    found = [one.name for one in map(org.fields.__getitem__, org.user_fields) if words in _spoken(one)]
    return found[0] if len(found) == 1 else None


def _spoken(field: OrgField) -> tuple[list[str], list[str]]:
    label = field.label.casefold().split()
    return label, [field.name.partition(".")[0].casefold(), *label]


def fields_like(org: OrgShape, typed: str, most: int = 5) -> list[str]:
    """The lookups to users that have these words in their name or label, each as rules write it and as people do."""
    words = typed.lower().replace(".", " ").split()
    fields = [org.fields[name] for name in org.user_fields]
    meant = [one for one in fields if words and all(word in f"{one.name} {one.label}".lower() for word in words)]
    return [f"{one.name} ({one.label})" for one in meant[:most]]


def _roles(org: OrgShape) -> Iterator[Source]:
    for role in sorted(org.roles.get("account", ()))[:12]:
        yield TeamRole(of="account", role=role)
    for role in sorted(org.roles.get("opportunity", ()))[:12]:
        yield TeamRole(of="opportunity", role=role)


def _ours(rules: RuleSet) -> Iterator[Source]:
    yield from (Pool(pool=name) for name in sorted(rules.pools)[:10])
    for table in sorted(rules.mappings)[:5]:
        yield from (Mapped(table=table, of=Owner(of="account")), Mapped(table=table, of=Owner(of="contact")))


@dataclass(frozen=True)
class Slot:
    """One place of a chain as it stands in the dialog. *value* None: empty; *more*: what one of ASKING asked for."""

    value: str | None = None
    more: str | None = None

    @property
    def asks(self) -> str | None:
        return self.value if self.value in ASKING else None


EMPTY = Slot()


def slot_of(source: Source, place: int) -> Slot:
    """How a source of a rule is shown; *place*: where in its chain it stands."""
    match source:
        case NamedUser() if is_slack_user(source.user):
            return Slot(A_PERSON, source.user)
        case UserGroup():
            return Slot(A_GROUP, source.group)
        case NamedChannel():
            return Slot(A_CHANNEL, source.channel)
    return Slot(_value(source, place))


def raw_source(slot: Slot, chain: Sequence[Source]) -> object:
    """As JSON has it, to be validated with its rule. *chain*: the one that the dialog began with."""
    if slot.asks:
        kind, name = _ASKED[slot.asks]
        return {"source": kind, name: slot.more or ""}
    value = slot.value or ""
    if value.startswith(_KEPT):
        place = int(value.removeprefix(_KEPT))
        return chain[place].model_dump(exclude_none=True) if place < len(chain) else {}
    try:
        return _SOURCE.validate_json(value).model_dump(exclude_none=True)
    except ValidationError:
        return {}


def options_of(choices: Choices, slot: Slot, chain: Sequence[Source]) -> Block:
    """The parts of a menu: its groups of options, and the one chosen, also if it is none of those offered."""
    groups = {
        name: [_option(source_label(source, choices.labels), value) for source in sources if (value := _json(source))]
        for name, sources in choices.groups.items()
    }
    groups["Others"] += [_option(label, value) for value, label in {**ASKING, NOBODY: "Nobody: leave this out"}.items()]
    offered = {option["value"]: option for options in groups.values() for option in options}
    if slot.value and slot.value not in offered:
        option = _option(_kept_label(slot, choices, chain), slot.value)
        offered[slot.value] = option
        groups = {"As it is": [option], **groups}
    menu: Block = {
        "option_groups": [{"label": plain(name), "options": options} for name, options in groups.items() if options]
    }
    return menu | ({"initial_option": offered[slot.value]} if slot.value else {})


def _kept_label(slot: Slot, choices: Choices, chain: Sequence[Source]) -> str:
    try:
        return source_label(_SOURCE.validate_python(raw_source(slot, chain)), choices.labels)
    except ValidationError:
        return "What stood here before"


def _value(source: Source, place: int) -> str:
    return _json(source) or f"{_KEPT}{place}"


def _json(source: Source) -> str | None:
    """None: it is longer than the value of an option may be."""
    text = source.model_dump_json(exclude_none=True)
    return text if len(text) <= LONGEST_VALUE else None


def _option(label: str, value: str) -> Block:
    return {"text": plain(label), "value": value}
