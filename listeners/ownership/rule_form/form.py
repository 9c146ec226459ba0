"""A rule as the fields of its dialog and back: a rule out of what was typed, or every fault by its field. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_FIELD,
    A_GROUP,
    EMPTY,
    NOBODY,
    Slot,
    field_called,
    fields_like,
    raw_source,
    slot_of,
)
from listeners.ownership.rule_form.form_values import (
    HOW_TO_TEST,
    lines_of,
    read_test,
    read_words,
    shown_test,
    shown_words,
)
from services.ownership.rules.check import OrgShape, check
from services.ownership.rules.faults import RuleFault, faults_of
from services.ownership.rules.owner_sources import NamedChannel, NamedUser, is_slack_user
from services.ownership.rules.rule_set import MOST_SOURCES, Rule, RuleSet

NAME, PLACE, SIDE, CHANGE_TYPE, SIGNAL, SEGMENT = "name", "place", "side", "change_type", "signal", "segment"
RELATIONSHIP, PERSONA = "relationship", "persona"
TITLE_CONTAINS, TITLE_LACKS = "title_contains", "title_lacks"
MIN_SCORE, FIELDS = "min_score", "fields"
TO, CHANNEL, FALLBACK_USER, FALLBACK_CHANNEL = "to", "channel", "fallback_user", "fallback_channel"
WORDS = (RELATIONSHIP, PERSONA, TITLE_CONTAINS, TITLE_LACKS)

LONGEST_ENTRY = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""

SLOTS = 6
"""Places of a chain that are shown at least."""

_PLACE = re.compile(r"[CGS][A-Z0-9]{2,20}")

Faults = dict[str, str]
"""By block_id; one text each."""


def slot_id(number: int) -> str:
    return f"slot-{number}"


def more_id(number: int, asks: str) -> str:
    return f"more-{number}-{asks}"


@dataclass(frozen=True)
class RuleForm:
    """
    What stands in the dialog, as text. *place* from 1. *original*: the rule it began with, which keeps what is not
    shown; *too_long*: the fields that Slack could not show whole.
    """

    original: Rule
    place: str
    entries: Mapping[str, str | None]
    several: Mapping[str, Sequence[str]]
    slots: tuple[Slot, ...]
    too_long: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, rule: Rule, place: int) -> RuleForm:
        """Of a rule that stands at *place*, from 0."""
        when, deliver, fallback = rule.when, rule.deliver, rule.fallback
        entries: dict[str, str | None] = {
            NAME: rule.name,
            SIDE: when.side,
            MIN_SCORE: None if when.min_score is None else _shown_number(when.min_score),
            FIELDS: "\n".join(map(shown_test, when.fields or ())) or None,
            TO: deliver.to,
            CHANNEL: deliver.channel,
            FALLBACK_USER: fallback.user if isinstance(fallback, NamedUser) else None,
            FALLBACK_CHANNEL: fallback.channel if isinstance(fallback, NamedChannel) else None,
        }
        entries |= {name: shown_words(getattr(when, name) or ()) or None for name in WORDS}
        several = {name: [str(one) for one in getattr(when, name) or ()] for name in (CHANGE_TYPE, SIGNAL, SEGMENT)}
        slots = [slot_of(source, number) for number, source in enumerate(rule.tell)]
        empty = max(SLOTS - len(slots), min(1, MOST_SOURCES - len(slots)))
        too_long = frozenset(name for name, text in entries.items() if len(text or "") > LONGEST_ENTRY)
        if isinstance(fallback, NamedUser) and not is_slack_user(fallback.user):
            too_long |= {FALLBACK_USER}  # a picker of Slack users cannot show it
        return cls(rule, str(place + 1), entries, several, (*slots, *[EMPTY] * empty), too_long)

    def typed(self, entered: Callable[[str], Any]) -> RuleForm:
        """With what stands in the dialog now; *entered*: what stands in one of its fields."""
        entries = {
            name: self.entries.get(name) if name in self.too_long else entered(name) or None for name in self.entries
        }
        several = {name: entered(name) or [] for name in self.several}
        slots = []
        for number in range(len(self.slots)):
            chosen = entered(slot_id(number))
            slot = EMPTY if chosen == NOBODY else Slot(chosen or None)
            slots.append(Slot(slot.value, entered(more_id(number, slot.asks)) or None) if slot.asks else slot)
        return RuleForm(self.original, entered(PLACE) or "", entries, several, tuple(slots), self.too_long)

    @property
    def places(self) -> dict[str, str]:
        """The channels and user groups that are chosen in it, by field."""
        chosen = {name: self.entries[name] for name in (CHANNEL, FALLBACK_CHANNEL)}
        for number, slot in enumerate(self.slots):
            if slot.asks in {A_CHANNEL, A_GROUP}:
                chosen[more_id(number, slot.asks or "")] = slot.more
        if self.entries[TO] in {"dri", "nobody"}:
            chosen[CHANNEL] = None
        return {field: where for field, where in chosen.items() if where and _PLACE.fullmatch(where)}

    def read(self, rules: RuleSet, org: OrgShape | None) -> tuple[Rule, int] | Faults:
        """The rule and its place from 0; *rules* and *org*: what it may name."""
        faults = Faults()
        raw, places = self._raw(faults, self._named(org))
        place = int(self.place) - 1 if re.fullmatch(r"[1-9][0-9]{0,3}", self.place) else None
        if place is None:
            faults[PLACE] = "Enter a number from 1 on."
        try:
            rule = Rule.model_validate_json(json.dumps(raw))
        except ValidationError as error:
            return self._helped(self._told(faults_of(error), places) | faults, org)
        whole = rules.model_copy(update={"rules": (rule,)})
        of_org = [fault for fault in check(whole, org) if not fault.is_warning and fault.path.startswith("rules.0.")]
        trimmed = [RuleFault(fault.path.removeprefix("rules.0."), fault.message) for fault in of_org]
        faults = self._told(trimmed, places) | faults
        return self._helped(faults, org) or (rule, place or 0)

    def _named(self, org: OrgShape | None) -> list[Slot]:
        """The slots, with the names of fields in place of what people call them."""
        return [
            replace(slot, more=field_called(org, slot.more) or slot.more)
            if org and slot.asks == A_FIELD and slot.more
            else slot
            for slot in self.slots
        ]

    def _raw(self, faults: Faults, slots: Sequence[Slot]) -> tuple[dict[str, Any], list[int]]:
        """As JSON has it, and the slot of each source."""
        entries = self.entries
        when: dict[str, Any] = {name: list(chosen) for name, chosen in self.several.items() if chosen}
        when |= {name: read_words(text) for name in WORDS if (text := entries[name])}
        if entries[SIDE] in {"past", "current"}:
            when[SIDE] = entries[SIDE]
        if score := entries[MIN_SCORE]:
            when[MIN_SCORE] = _number(score)
        if tests := list(_read_tests(entries[FIELDS] or "", faults)):
            when[FIELDS] = tests
        places = [number for number, slot in enumerate(slots) if slot.value]
        original = self.original
        deliver = {"to": entries[TO] or "dri"} | ({"channel": entries[CHANNEL]} if entries[CHANNEL] else {})
        if deliver["to"] in {"dri", "nobody"}:
            deliver.pop("channel", None)
        raw = {
            "name": entries[NAME] or "",
            "enabled": original.enabled,
            "when": when,
            "tell": [raw_source(slots[number], original.tell) for number in places],
            "deliver": deliver,
        }
        return raw | self._fallback(faults), places

    def _fallback(self, faults: Faults) -> dict[str, Any]:
        user, channel = self.entries[FALLBACK_USER], self.entries[FALLBACK_CHANNEL]
        if user and channel:
            faults[FALLBACK_CHANNEL] = "Choose a person or a channel, not both."
        if user:
            return {"fallback": {"source": "user", "user": user}}
        return {"fallback": {"source": "channel", "channel": channel}} if channel else {}

    def _told(self, found: Sequence[RuleFault], places: Sequence[int]) -> Faults:
        """Each fault at its field; what belongs to none that is shown, at the name."""
        faults = Faults()
        for fault in found:
            block, text = self._at(fault, places)
            block = NAME if block in self.too_long else block
            faults[block] = f"{faults[block]} {_full(text)}" if block in faults else _full(text)
        return faults

    def _helped(self, faults: Faults, org: OrgShape | None) -> Faults:
        """With the fields that may be meant, where one was typed that is not there."""
        for number, slot in enumerate(self.slots):
            block = more_id(number, A_FIELD)
            if block in faults and org and slot.asks == A_FIELD:
                meant = fields_like(org, slot.more or "")
                faults[block] += f" There is {', '.join(meant)}." if meant else ""
        return faults

    def _at(self, fault: RuleFault, places: Sequence[int]) -> tuple[str, str]:
        match fault.path.split("."):
            case ["tell", number, *_] if number.isdigit():
                place = places[int(number)]
                asks = self.slots[place].asks
                return (more_id(place, asks) if asks else slot_id(place)), fault.message
            case ["when", "fields", number, *_] if number.isdigit():
                return FIELDS, f"line {int(number) + 1}: {fault.message}"
            case ["when", name, *_]:
                return name, fault.message
        step = fault.path.partition(".")[0]
        # What is wrong with the rule as a whole: it has nobody to tell.
        return {"deliver": CHANNEL, "fallback": FALLBACK_USER, "name": NAME}.get(step, slot_id(0)), fault.message


def _read_tests(text: str, faults: Faults) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines_of(text), 1):
        test = read_test(line)
        if test is None:
            faults[FIELDS] = f"Line {number}: {HOW_TO_TEST}."
        else:
            yield test


def _shown_number(number: float) -> str:
    """All of its digits, as Slack takes them: what is left out would be lost once the rule is saved."""
    return f"{Decimal(str(number)):f}".removesuffix(".0")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _full(text: str) -> str:
    """As a sentence of its own."""
    sentence = text[:1].upper() + text[1:]
    return sentence if sentence.endswith((".", "!")) else f"{sentence}."
