"""The owner sources that a rule can use in one workspace, as options of a select menu. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from listeners.dialogs.mentions import labels_of, source_label
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.owner_sources import (
    Manager,
    Mapped,
    NamedChannel,
    NamedUser,
    OpportunityOwner,
    Owner,
    Pool,
    QueueMembers,
    Sender,
    Source,
    TeamRole,
    UserField,
    UserGroup,
    is_slack_user,
)
from services.ownership.rules.rule_set import RuleSet

A_PERSON, A_GROUP, A_CHANNEL, A_FIELD = "a_person", "a_group", "a_channel", "a_field"
NEEDING_FIELD: Mapping[str, str] = {
    A_PERSON: "A person in Slack …",
    A_GROUP: "A user group …",
    A_CHANNEL: "A channel …",
    A_FIELD: "Another field …",
}
"""Choices that need another field below."""

LEFT_EMPTY: Mapping[str, str] = {
    A_PERSON: "Choose a person.",
    A_GROUP: "Choose a user group.",
    A_CHANNEL: "Choose a channel.",
    A_FIELD: "Enter a field, such as Account.SDR__c.",
}
"""The error at that field if it is empty."""

NOBODY = "nobody"
"""Clears a slot: not every client can clear a select menu."""

MOST_OPTIONS = 100
"""https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

FEW_SLOTS, FEWER_OPTIONS = 8, 70
"""A view has at most 250 kB. https://docs.slack.dev/reference/methods/views.update"""

LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""

_SOURCES_WITH_FIELD = {
    A_PERSON: ("user", "user"),
    A_GROUP: ("user_group", "group"),
    A_CHANNEL: ("channel", "channel"),
    A_FIELD: ("field", "field"),
}
_UNCHANGED = "kept:"
_SOURCE: TypeAdapter[Source] = TypeAdapter(Source)


@dataclass(frozen=True)
class Choices:
    """
    The sources to choose from. `groups` has them by heading; `labels` has the org's labels of fields.

    `more_fields` is the number of user lookups that do not fit into the menu. `user_groups` has the handles of user
    groups by id; if it is empty, their ids have to be entered.
    """

    groups: Mapping[str, Sequence[Source]]
    labels: Mapping[str, str]
    more_fields: int = 0
    user_groups: Mapping[str, str] = field(default_factory=dict)


def choices_of(
    rules: RuleSet, org: OrgSchema | None, slots: int = 6, user_groups: Mapping[str, str] | None = None
) -> Choices:
    """The sources of this rule set and org. `slots` is the number of menus, which share the size limit of a view."""
    most = MOST_OPTIONS if slots <= FEW_SLOTS else FEWER_OPTIONS
    groups: dict[str, list[Source]] = {
        "Owners": list(_owners()),
        "Fields of the record": list(_fields(org)) if org else [],
        "Teams": list(_roles(org)) if org else [],
        "Pools and mappings": list(_pools_and_mappings(rules)),
        "Others": [Manager(), Sender()],
    }
    fields = groups["Fields of the record"]
    others = sum(map(len, groups.values())) - len(fields)
    room = most - len(NEEDING_FIELD) - 2 - others
    groups["Fields of the record"] = fields[: max(room, 0)]
    more_fields = max(0, len(fields) - max(room, 0))
    handles = user_groups or {}
    return Choices(groups, labels_of(org), more_fields, handles if len(handles) < MOST_OPTIONS else {})


def _owners() -> Iterator[Source]:
    yield from (
        Owner(of="contact"),
        Owner(of="account"),
        Owner(of="parent_account"),
        Owner(of="ultimate_parent_account"),
        Owner(of="lead"),
    )
    yield QueueMembers()
    yield QueueMembers(members="everyone")
    yield OpportunityOwner(of="contact")
    yield from (OpportunityOwner(which="open"), OpportunityOwner(which="last_won"), OpportunityOwner(which="last_lost"))
    for side in ("past", "current"):
        yield from (Owner(of="contact", side=side), Owner(of="account", side=side))


def _fields(org: OrgSchema) -> Iterator[Source]:
    """User lookups: custom fields first, and the account's fields before others."""
    order = ["account", "opportunity", "contact", "lead"]
    names = [name for name in org.user_fields if name.partition(".")[0] in order and not name.endswith(".ownerid")]
    names.sort(key=lambda name: (not name.endswith("__c"), order.index(name.partition(".")[0]), name))
    return (UserField(field=org.fields[name].name) for name in names)


def field_named(org: OrgSchema, typed: str) -> str | None:
    """The user lookup with this label, as rules write it: `Account.SDR__c` for "SDR" or "Account SDR"."""
    words = typed.casefold().replace(".", " ").split()
    names = []
    for user_field in map(org.fields.__getitem__, org.user_fields):
        label, sobject = user_field.label.casefold().split(), user_field.name.partition(".")[0].casefold()
        if words in (label, [sobject, *label]):
            names.append(user_field.name)
    return names[0] if len(names) == 1 else None


def fields_like(org: OrgSchema, typed: str, most: int = 5) -> list[str]:
    """The user lookups with these words in their name or label, each as "Account.SDR__c (SDR)"."""
    words = typed.lower().replace(".", " ").split()
    fields = [org.fields[name] for name in org.user_fields]
    similar = [
        field for field in fields if words and all(word in f"{field.name} {field.label}".lower() for word in words)
    ]
    return [f"{field.name} ({field.label})" for field in similar[:most]]


def _roles(org: OrgSchema) -> Iterator[Source]:
    for role in sorted(org.roles.get("account", ()))[:12]:
        yield TeamRole(of="account", role=role)
    for role in sorted(org.roles.get("opportunity", ()))[:12]:
        yield TeamRole(of="opportunity", role=role)


def _pools_and_mappings(rules: RuleSet) -> Iterator[Source]:
    yield from (Pool(pool=name) for name in sorted(rules.pools)[:10])
    for table in sorted(rules.mappings)[:5]:
        yield from (Mapped(table=table, of=Owner(of="account")), Mapped(table=table, of=Owner(of="contact")))


@dataclass(frozen=True)
class Slot:
    """One source of the chain in the dialog. `value` None means empty. `more` is the value of its other field."""

    value: str | None = None
    more: str | None = None

    @property
    def needs(self) -> str | None:
        return self.value if self.value in NEEDING_FIELD else None


EMPTY = Slot()


def slot_of(source: Source, place: int) -> Slot:
    """The slot of a source. `place` is its index in the chain."""
    match source:
        case NamedUser() if is_slack_user(source.user):
            return Slot(A_PERSON, source.user)
        case UserGroup():
            return Slot(A_GROUP, source.group)
        case NamedChannel():
            return Slot(A_CHANNEL, source.channel)
    return Slot(_json(source) or f"{_UNCHANGED}{place}")


def raw_source(slot: Slot, chain: Sequence[Source]) -> object:
    """The source as JSON, to be validated with its rule. `chain` is the chain that the dialog was opened with."""
    if slot.needs:
        kind, name = _SOURCES_WITH_FIELD[slot.needs]
        return {"source": kind, name: slot.more or ""}
    value = slot.value or ""
    if value.startswith(_UNCHANGED):
        place = int(value.removeprefix(_UNCHANGED))
        return chain[place].model_dump(exclude_none=True) if place < len(chain) else {}
    try:
        return _SOURCE.validate_json(value).model_dump(exclude_none=True)
    except ValidationError:
        return {}


def groups_of(choices: Choices, slot: Slot, chain: Sequence[Source]) -> dict[str, dict[str, str]]:
    """The labels of a menu's options by value, under their headings. The chosen one is always among them."""
    groups = {
        name: {value: source_label(source, choices.labels) for source in sources if (value := _json(source))}
        for name, sources in choices.groups.items()
    }
    groups["Others"] |= {**NEEDING_FIELD, NOBODY: "Nobody"}
    if slot.value and not any(slot.value in group for group in groups.values()):
        try:
            label = source_label(_SOURCE.validate_python(raw_source(slot, chain)), choices.labels)
        except ValidationError:
            label = "Current value"
        groups = {"Current value": {slot.value: label}, **groups}
    return groups


def _json(source: Source) -> str | None:
    """The source as JSON. None means that it is too long for the value of an option."""
    text = source.model_dump_json(exclude_none=True)
    return text if len(text) <= LONGEST_VALUE else None
