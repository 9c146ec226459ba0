"""The fields of the rule dialog, and which of them a dialog shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from listeners.dialogs.form import Channel, Choice, Field, Form, Number, Several, Text, User
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_CHANNEL_FIELD,
    A_FIELD,
    A_GROUP,
    A_PERSON,
    INFORMED_NEEDING_FIELD,
    NEEDING_FIELD,
)
from listeners.ownership.rule_form.condition_rows import row_fields

SLOT_ACTION, INPUT_ACTION = "ownership_slot", "ownership_rule_input"
"""What the person chooses changes which fields are shown, or only the sentence."""

States = Mapping[str, Mapping[str, Any]]

NAME = Text("name", "Name", longest=80)
PLACE = Number("place", "Position", least=1)
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
    action_id=INPUT_ACTION,
)
CHANNEL = Channel("channel", "Channel", action_id=INPUT_ACTION, optional=True)
FALLBACK_USER = User("fallback_user", "Fallback person", action_id=INPUT_ACTION, optional=True)
FALLBACK_CHANNEL = Channel(
    "fallback_channel",
    "Fallback channel",
    hint="If empty, the default channel.",
    action_id=INPUT_ACTION,
    optional=True,
)

ANY, EVERY_JOB_CHANGE = "any", "yes"
EVERY = Several(
    ANY,
    "Without a condition",
    {EVERY_JOB_CHANGE: "Apply this rule to every job change"},
    hint="Rules below it are never reached then.",
    optional=True,
)
"""A rule without conditions is saved only if this is ticked, so that none matches everything by accident."""

DELIVER = (TO, CHANNEL, FALLBACK_USER, FALLBACK_CHANNEL)
RULE = Form("ownership_save_rule", "Rule", "Save to draft", (NAME, PLACE, EVERY, *DELIVER))
"""The form without the conditions and sources, of which there are as many as the rule needs: see `rule_form_of`."""


@dataclass(frozen=True)
class ChainFields:
    """
    The fields of a list of owner sources, one slot each.

    `slot` and `more` begin the ids of a slot and of the other field that its source needs. `needing` has the labels of
    the choices that need one.
    """

    slot: str
    more: str
    labels: tuple[str, str]  # of the first slot, and of each other one
    needing: Mapping[str, str]

    def slot_id(self, number: int) -> str:
        return f"{self.slot}-{number}"

    def more_id(self, number: int, needs: str) -> str:
        return f"{self.more}-{number}-{needs}"

    def slot_field(self, number: int, groups: Mapping[str, Mapping[str, str]] | None = None) -> Choice:
        """One source. `groups` are the sources to choose from."""
        name, label = self.slot_id(number), self.labels[number > 0]
        return Choice(name, label, groups=groups or {}, placeholder="Nobody", action_id=SLOT_ACTION, optional=True)

    def more_field(self, number: int, needs: str, handles: Mapping[str, str] | None = None) -> Field[str, str]:
        """The other field that a source needs. `handles` has user groups by id, for which Slack has no picker."""
        name, label = self.more_id(number, needs), self.needing[needs].removesuffix(" …")
        if needs == A_PERSON:
            return User(name, label, action_id=INPUT_ACTION, optional=True)
        if needs == A_CHANNEL:
            return Channel(name, label, action_id=INPUT_ACTION, optional=True)
        if handles:
            return Choice(name, label, handles, placeholder="Choose a group", action_id=INPUT_ACTION, optional=True)
        return Text(name, label, hint=_HINTS[needs], longest=120, action_id=INPUT_ACTION, optional=True)

    def numbers(self, states: States) -> list[int]:
        """The slots that a dialog shows, in order."""
        slots = (re.fullmatch(rf"{self.slot}-(\d{{1,2}})", block_id) for block_id in states)
        return sorted(int(slot[1]) for slot in slots if slot)

    def fields(self, states: States) -> Iterator[Field[Any, Any]]:
        """The fields that a dialog shows."""
        for number in self.numbers(states):
            yield self.slot_field(number)
            for needs in self.needing:
                if state := states.get(self.more_id(number, needs)):
                    is_menu = "selected_option" in next(iter(state.values()))
                    field = self.more_field(number, needs)
                    yield Choice(field.name, field.label, optional=True) if is_menu else field


_HINTS = {
    A_FIELD: "A user lookup, by its label or as Account.SDR__c. Enter a part of it to search.",
    A_CHANNEL_FIELD: "A field of the account with the name or id of a channel, by its label or as Account.Channel__c.",
    A_GROUP: "The id, such as S0123456789. In Slack: People, User groups, the menu of the group.",
}

TELL = ChainFields("slot", "more", ("Notify", "Otherwise notify"), NEEDING_FIELD)
ALSO = ChainFields("also", "also_more", ("Also inform", "Also inform"), INFORMED_NEEDING_FIELD)


def rule_form_of(states: States) -> Form:
    """RULE with the conditions and sources that a dialog shows. `states` are its values as Slack sends them."""
    return replace(RULE, fields=(*RULE.fields, *row_fields(states), *TELL.fields(states), *ALSO.fields(states)))
