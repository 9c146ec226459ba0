"""The owner sources that a rule can use in one workspace, as options of a select menu. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from listeners.dialogs.mentions import labels_of, source_label
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.owner_sources import (
    ChannelField,
    Informed,
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
A_CHANNEL_FIELD = "a_channel_field"
NEEDING_FIELD: Mapping[str, str] = {
    A_PERSON: "A person in Slack …",
    A_GROUP: "A user group …",
    A_CHANNEL: "A channel …",
    A_FIELD: "Another field …",
}
"""Choices that need another field below."""

INFORMED_NEEDING_FIELD = {**NEEDING_FIELD, A_CHANNEL_FIELD: "A channel in a field of the account …"}
"""These choices for people who are informed in addition to the DRI."""

LEFT_EMPTY: Mapping[str, str] = {
    A_PERSON: "Choose a person.",
    A_GROUP: "Choose a user group.",
    A_CHANNEL: "Choose a channel.",
    A_FIELD: "Enter a field, such as Account.SDR__c.",
    A_CHANNEL_FIELD: "Enter a field of the account, such as Account.Slack_Channel__c.",
}
"""The error at that field if it is empty."""

NOBODY = "nobody"
"""Clears a slot: not every client can clear a select menu."""

MOST_OPTIONS = 100
"""https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

OPTIONS_IN_ALL = 600
"""Options of all menus of sources: a view has at most 250 kB. https://docs.slack.dev/reference/methods/views.update"""

HANDLES_IN_ALL = 500
"""Handles of user groups in all menus."""

MOST_SIMILAR = 5

LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""

_SOURCES_WITH_FIELD = {
    A_PERSON: ("user", "user"),
    A_GROUP: ("user_group", "group"),
    A_CHANNEL: ("channel", "channel"),
    A_FIELD: ("field", "field"),
    A_CHANNEL_FIELD: ("channel_field", "field"),
}
_UNCHANGED = "kept:"
_SOURCE: TypeAdapter[Source | Informed] = TypeAdapter(Source | Informed)


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
    owners = list(_owners())
    others: list[Source] = [Manager(), Sender()]
    most = min(MOST_OPTIONS, OPTIONS_IN_ALL // max(slots, 1))
    room = max(0, most - len(INFORMED_NEEDING_FIELD) - 2 - len(owners) - len(others))
    roles = list(_roles(org))[: room // 3] if org else []
    named: list[Source] = [Pool(pool=name) for name in sorted(rules.pools)[:10]]
    for table in sorted(rules.mappings)[:5]:
        named += [Mapped(table=table, of=Owner(of="account")), Mapped(table=table, of=Owner(of="contact"))]
    named = named[: room // 3]
    fields = list(_fields(org)) if org else []
    shown = fields[: room - len(roles) - len(named)]
    groups: dict[str, Sequence[Source]] = {
        "Owners": owners,
        "Fields of the record": shown,
        "Teams": roles,
        "Pools and mappings": named,
        "Others": others,
    }
    handles = user_groups or {}
    fits = len(handles) < MOST_OPTIONS and len(handles) * slots <= HANDLES_IN_ALL
    return Choices(groups, labels_of(org), len(fields) - len(shown), handles if fits else {})


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


def field_named(org: OrgSchema, typed: str, keys: Iterable[str]) -> str | None:
    """
    The field with this name or label, as rules write it: `Account.SDR__c` for "account.sdr__c", "SDR" or "Account SDR".

    `keys` are the fields that are possible, such as the user lookups.
    """
    fields = [org.fields[key] for key in keys]
    words = typed.casefold().replace(".", " ").split()
    names = [of_org.name for of_org in fields if of_org.name.casefold() == typed.strip().casefold()]
    for of_org in fields if not names else ():
        label, sobject = of_org.label.casefold().split(), of_org.name.partition(".")[0].casefold()
        if words in (label, [sobject, *label]):
            names.append(of_org.name)
    return names[0] if len(names) == 1 else None


def fields_like(org: OrgSchema, typed: str, keys: Iterable[str]) -> list[str]:
    """At most MOST_SIMILAR fields with these words in their name or label, each as "Account.SDR__c (SDR)"."""
    words = typed.lower().replace(".", " ").split()
    fields = [org.fields[key] for key in keys]
    similar = [
        field for field in fields if words and all(word in f"{field.name} {field.label}".lower() for word in words)
    ]
    return [f"{field.name} ({field.label})" for field in similar[:MOST_SIMILAR]]


def _roles(org: OrgSchema) -> Iterator[Source]:
    for role in sorted(org.roles.get("account", ()))[:12]:
        yield TeamRole(of="account", role=role)
    for role in sorted(org.roles.get("opportunity", ()))[:12]:
        yield TeamRole(of="opportunity", role=role)


@dataclass(frozen=True)
class Slot:
    """One source of the chain in the dialog. `value` None means empty. `more` is the value of its other field."""

    value: str | None = None
    more: str | None = None

    @property
    def needs(self) -> str | None:
        return self.value if self.value in INFORMED_NEEDING_FIELD else None


EMPTY = Slot()


def slot_of(source: Source | Informed, place: int) -> Slot:
    """The slot of a source. `place` is its index in the chain."""
    match source:
        case NamedUser() if is_slack_user(source.user):
            return Slot(A_PERSON, source.user)
        case UserGroup():
            return Slot(A_GROUP, source.group)
        case NamedChannel():
            return Slot(A_CHANNEL, source.channel)
        case ChannelField() if source.side is None:
            return Slot(A_CHANNEL_FIELD, source.field)
    return Slot(_json(source) or f"{_UNCHANGED}{place}")


def raw_source(slot: Slot, chain: Sequence[Source | Informed]) -> object:
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


def groups_of(
    choices: Choices, slot: Slot, chain: Sequence[Source | Informed], needing: Mapping[str, str] = NEEDING_FIELD
) -> dict[str, dict[str, str]]:
    """
    The labels of a menu's options by value, under their headings. The chosen one is always among them.

    `needing` has the choices that need another field. A person who is only informed takes no turn in a pool or queue.
    """
    takes_turns = needing is NEEDING_FIELD
    groups = {
        name: {
            value: source_label(source, choices.labels)
            for source in sources
            if (takes_turns or not isinstance(source, Pool | QueueMembers)) and (value := _json(source))
        }
        for name, sources in choices.groups.items()
    }
    groups["Others"] |= {**needing, NOBODY: "Nobody"}
    if slot.value and not any(slot.value in group for group in groups.values()):
        try:
            label = source_label(_SOURCE.validate_python(raw_source(slot, chain)), choices.labels)
        except ValidationError:
            label = "Current value"
        groups = {"Current value": {slot.value: label}, **groups}
    return groups


def _json(source: Source | Informed) -> str | None:
    """The source as JSON. None means that it is too long for the value of an option."""
    text = source.model_dump_json(exclude_none=True)
    return text if len(text) <= LONGEST_VALUE else None
