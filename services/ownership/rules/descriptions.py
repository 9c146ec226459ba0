"""Describes rules in plain English: "When a champion joins a target account, notify the account's SDR". Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from domain.job_change.parts import ChangeType, Signal
from services.ownership.rules.labels import OPPORTUNITY, field_label, listed, with_article
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
    Side,
    Source,
    TeamRole,
    UserField,
    UserGroup,
)
from services.ownership.rules.rule_set import CATCH_ALL, Conditions, FieldTest, Rule, Segment

_SIGNALS = {
    Signal.CONTACT_TRACKING: "contact tracking",
    Signal.NEW_HIRES_PROMOTIONS: "new hires and promotions",
    Signal.CUSTOM: "a custom signal",
}
_MOVES: Mapping[ChangeType, tuple[str, str]] = {  # on the past side, on the current side
    ChangeType.NEW_COMPANY: ("leaves", "joins"),
    ChangeType.NEW_HIRE: ("leaves", "is hired by"),
    ChangeType.PROMOTION: ("leaves", "is promoted at"),
    ChangeType.LATERAL: ("leaves", "changes roles at"),
    ChangeType.DEPARTURE: ("leaves", "joins"),
    ChangeType.ADDITIONAL_ROLE: ("leaves", "takes an additional role at"),
}
_SEGMENTS: Mapping[Segment, str] = {
    "customer": "a customer",
    "target": "a target account",
    "open_opportunity": "an account with an open opportunity",
    "closed_lost": "an account whose last opportunity was lost",
    "none": "a company in no segment",
    "not_in_salesforce": "a company that is not in Salesforce",
}
_RECORDS = {
    "contact": "contact owner",
    "lead": "lead owner",
    "account": "account owner",
    "parent_account": "parent account's owner",
    "ultimate_parent_account": "ultimate parent account's owner",
}


@dataclass(frozen=True)
class DisplayNames:
    """
    How people, channels and groups are shown, and the org's labels of fields.

    `labels` is keyed by object and field in lower case, such as `account.sdr__c`.
    """

    show: Callable[[str], str] = str
    labels: Mapping[str, str] = field(default_factory=dict)


PLAIN = DisplayNames()


def describe_rule(rule: Rule, names: DisplayNames = PLAIN) -> str:
    """One sentence, without a full stop."""
    if rule == CATCH_ALL:
        return f"Notify {_chain(rule, names)}, else the default channel"
    when = rule.when
    return f"When {_subject(when)} {_moves(when)}{_other_conditions(when, names)}, {_action(rule, names)}"


def _subject(when: Conditions) -> str:
    subject = (
        with_article(listed([_uncapitalized(word) for word in when.relationship])) if when.relationship else "someone"
    )
    if when.persona:
        subject += f" ({listed([_uncapitalized(word) for word in when.persona])})"
    if when.title_contains:
        subject += f" whose title contains {listed(_quoted(when.title_contains))}"
    if when.title_lacks:
        link = "but not" if when.title_contains else "whose title does not contain"
        subject += f" {link} {listed(_quoted(when.title_lacks))}"
    return subject


def _moves(when: Conditions) -> str:
    where = listed([_SEGMENTS[segment] for segment in when.segment]) if when.segment else "a company"
    if when.change_type is None:
        if when.side is None and when.segment is None:
            return "changes jobs"
        verbs = {"past": "leaves", "current": "joins or changes roles at", None: "leaves, joins or changes roles at"}
        return f"{verbs[when.side]} {where}"
    # "joins" includes new hires, so they are only named on their own.
    joins = ChangeType.NEW_COMPANY in when.change_type
    named = [change_type for change_type in when.change_type if not (joins and change_type is ChangeType.NEW_HIRE)]
    if set(named) == {ChangeType.NEW_HIRE, ChangeType.PROMOTION} and when.side != "past":
        return f"is hired by or promoted at {where}"
    moves = dict.fromkeys(_verb(change_type, when.side) for change_type in named)
    return f"{listed(list(moves))} {where}"


def _verb(change_type: ChangeType, side: Side | None) -> str:
    past, current = _MOVES[change_type]
    if side is None:
        moves = change_type in {ChangeType.NEW_COMPANY, ChangeType.DEPARTURE}
        return f"{past} or {current}" if moves else current
    return past if side == "past" else current


def _other_conditions(when: Conditions, names: DisplayNames) -> str:
    parts = []
    if when.signal:
        parts.append(f"on {listed([_SIGNALS[signal] for signal in when.signal])}")
    if when.min_score is not None:
        parts.append(f"with a score of at least {when.min_score:g}")
    if when.contact_has_open_opportunity is not None:
        verb = "has" if when.contact_has_open_opportunity else "does not have"
        parts.append(f"where the contact {verb} an open opportunity")
    parts += [f"where {_field_test(test, names)}" for test in when.fields or ()]
    return "".join(f", {part}" for part in parts)


def _field_test(test: FieldTest, names: DisplayNames) -> str:
    sobject = test.field.partition(".")[0].lower()
    label = field_label(test.field, names.labels)
    if test.limit is not None:
        return f"the {sobject}'s {label} is {test.test.replace('_', ' ')} {test.limit:,.15g}"
    verb = "contains" if test.test == "contains" else "is"
    return f"the {sobject}'s {label} {verb} {listed(_quoted(test.values))}"


def _action(rule: Rule, names: DisplayNames) -> str:
    deliver = rule.deliver
    if deliver.to == "nobody":
        return "notify nobody"
    channel = names.show(deliver.channel or "")
    informed = [describe_source(source, names) for source in rule.also_notify or ()]
    inform = f", and inform {listed(informed, 'and')}" if informed else ""
    if deliver.to == "channel":
        return f"notify {channel}{inform}"
    also = f", and also {channel}" if deliver.to == "dri_and_channel" else ""
    return f"notify {_chain(rule, names)}{also}{inform}"


def _chain(rule: Rule, names: DisplayNames) -> str:
    sources = [*rule.tell, *([rule.fallback] if rule.fallback else [])]
    return ", else ".join(describe_source(source, names) for source in sources)


def describe_source(source: Source | Informed, names: DisplayNames = PLAIN) -> str:
    """A noun phrase, such as "the account's SDR" or "the next member of the pool SDRs"."""
    match source:
        case Mapped():
            return f"the recipient in {source.table} for {describe_source(source.of, names)}"
        case Manager():
            return f"the manager of {describe_source(source.of, names)}" if source.of else "that person's manager"
        case Pool():
            return f"the next member of the pool {source.pool}"
        case Sender():
            return "the person named by the source"
        case NamedUser() | NamedChannel():
            return names.show(source.user if isinstance(source, NamedUser) else source.channel)
    return _describe_group_or_record(source, names)


def _describe_group_or_record(
    source: Owner | OpportunityOwner | UserField | TeamRole | UserGroup | QueueMembers | ChannelField,
    names: DisplayNames,
) -> str:
    if isinstance(source, UserGroup):
        return f"everyone in {names.show(source.group)}"
    if isinstance(source, QueueMembers):
        members = "everyone in" if source.members == "everyone" else "the next member of"
        return f"{members} the queue that owns the {source.of}"
    side = "" if source.side is None else {"past": "past ", "current": "new "}[source.side]
    match source:
        case Owner():
            return f"the {side}{_RECORDS[source.of]}"
        case OpportunityOwner():
            return f"the owner of the {side}{source.of}'s {OPPORTUNITY[source.which]}"
        case UserField() | ChannelField():
            sobject = source.field.partition(".")[0].lower()
            in_field = "the channel in " if isinstance(source, ChannelField) else ""
            return f"{in_field}the {side}{sobject}'s {field_label(source.field, names.labels)}"
        case TeamRole():
            return f"the {source.role} on the {side}{source.of} team"


def _uncapitalized(word: str) -> str:
    """Lower case for the middle of a sentence. Words such as "CFO" stay as they are."""
    return word.lower() if word[1:] == word[1:].lower() else word


def _quoted(words: tuple[str, ...]) -> list[str]:
    return [f"“{word}”" for word in words]
