"""The fields of the rule dialog, and which of them a dialog shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from listeners.dialogs.form import Channel, Choice, Field, Form, Number, Several, Text, User
from listeners.ownership.rule_form.choices import A_CHANNEL, A_GROUP, A_PERSON, NEEDING_FIELD
from services.messages.labels import CHANGE_TYPES, SIGNALS
from services.ownership.rules.rule_set import MOST_SOURCES

SLOT_ACTION = "ownership_slot"

_EITHER = "either"
_ANY_CONTACT = "any"
HAS, HAS_NOT = "yes", "no"
_SEGMENTS = {
    "customer": "Customer",
    "target": "Target account",
    "open_opportunity": "Open opportunity",
    "closed_lost": "Closed lost",
    "none": "None of these",
    "not_in_salesforce": "Not in Salesforce",
}

NAME = Text("name", "Name", longest=80)
PLACE = Number("place", "Position", least=1)
SIDE = Choice(
    "side",
    "Side of the job change",
    {_EITHER: "Either side", "past": "The company they leave", "current": "The company they join"},
    default=_EITHER,
)
CHANGE_TYPE = Several("change_type", "Type of change", CHANGE_TYPES, menu=True, placeholder="Any type", optional=True)
SEGMENT = Several("segment", "The account is", _SEGMENTS, menu=True, placeholder="Any account", optional=True)
HAS_OPPORTUNITY = Choice(
    "contact_has_open_opportunity",
    "The contact",
    {
        _ANY_CONTACT: "Any contact",
        HAS: "Has a role in an open opportunity",
        HAS_NOT: "Has no role in an open opportunity",
    },
    default=_ANY_CONTACT,
)
SIGNAL = Several("signal", "Signal", SIGNALS, menu=True, placeholder="Any signal", optional=True)
RELATIONSHIP = Text(
    "relationship",
    "Relationship",
    hint="Any of these, separated by commas, such as Champion, User",
    optional=True,
)
PERSONA = Text("persona", "Persona", hint="Any of these, separated by commas", optional=True)
TITLE_CONTAINS = Text(
    "title_contains",
    "Title contains",
    hint="Any of these, separated by commas, such as VP, Chief",
    optional=True,
)
TITLE_LACKS = Text(
    "title_lacks",
    "Title does not contain",
    hint="None of these, separated by commas, such as Assistant",
    optional=True,
)
MIN_SCORE = Number("min_score", "Minimum score", decimals=True, optional=True)
FIELDS = Text(
    "fields",
    "Fields",
    hint="One comparison per line, with fields of Contact, Lead, Account or Opportunity, such as Account.Industry ="
    " Software, Account.Region__c in EMEA, APAC or Contact.Title contains Ops",
    multiline=True,
    optional=True,
)
TO = Choice(
    "to",
    "Send to",
    {
        "dri": "The DRI only",
        "dri_and_channel": "The DRI and a channel",
        "channel": "A channel only",
        "nobody": "Nobody (only record it)",
    },
    default="dri",
)
CHANNEL = Channel("channel", "Channel", optional=True)
FALLBACK_USER = User("fallback_user", "Fallback person", optional=True)
FALLBACK_CHANNEL = Channel("fallback_channel", "Fallback channel", hint="If empty, the default channel.", optional=True)

ANY, EVERY_JOB_CHANGE = "any", "yes"
EVERY = Several(
    ANY,
    "Without a condition",
    {EVERY_JOB_CHANGE: "Apply this rule to every job change"},
    hint="Rules below it are never reached then.",
    optional=True,
)
"""A rule without conditions is saved only if this is ticked, so that none matches everything by accident."""

WORDS = (RELATIONSHIP, PERSONA, TITLE_CONTAINS, TITLE_LACKS)
WHEN = (SIDE, CHANGE_TYPE, SEGMENT, HAS_OPPORTUNITY, *WORDS, MIN_SCORE, SIGNAL, FIELDS, EVERY)
DELIVER = (TO, CHANNEL, FALLBACK_USER, FALLBACK_CHANNEL)
RULE = Form("ownership_save_rule", "Rule", "Save to draft", (NAME, PLACE, *WHEN, *DELIVER))
"""The form without the chain, which has as many fields as the rule needs: see `rule_form_of`."""


def slot_id(number: int) -> str:
    return f"slot-{number}"


def more_id(number: int, needs: str) -> str:
    return f"more-{number}-{needs}"


def slot_field(number: int, groups: Mapping[str, Mapping[str, str]] | None = None) -> Choice:
    """One source of the chain. `groups` are the sources to choose from."""
    label = "Notify" if number == 0 else "Otherwise notify"
    return Choice(
        slot_id(number), label, groups=groups or {}, placeholder="Nobody", action_id=SLOT_ACTION, optional=True
    )


def more_field(number: int, needs: str, handles: Mapping[str, str] | None = None) -> Field[str, str]:
    """The other field that a source needs. `handles` has user groups by id, for which Slack has no picker."""
    name, label = more_id(number, needs), NEEDING_FIELD[needs].removesuffix(" …")
    if needs == A_PERSON:
        return User(name, label, action_id=needs, optional=True)
    if needs == A_CHANNEL:
        return Channel(name, label, action_id=needs, optional=True)
    if handles:
        return Choice(name, label, handles, placeholder="Choose a group", action_id=needs, optional=True)
    hint = "A user lookup, by its label or as Account.SDR__c. Enter a part of it to search."
    if needs == A_GROUP:
        hint = "The id, such as S0123456789. In Slack: People, User groups, the menu of the group."
    return Text(name, label, hint=hint, longest=120, action_id=needs, optional=True)


def rule_form_of(states: Mapping[str, Mapping[str, Any]]) -> Form:
    """RULE with the fields of the chain that a dialog shows. `states` are its values as Slack sends them."""
    chain: list[Field[Any, Any]] = []
    for number in range(MOST_SOURCES):
        chain += [slot_field(number)] if slot_id(number) in states else []
        for needs in NEEDING_FIELD:
            if state := states.get(more_id(number, needs)):
                is_menu = "selected_option" in next(iter(state.values()))
                field = more_field(number, needs)
                chain.append(Choice(field.name, field.label, optional=True) if is_menu else field)
    return replace(RULE, fields=(*RULE.fields, *chain))
