"""The form of a rule: its values, and the rule or the errors that they lead to. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from listeners.dialogs.form import LONGEST_TEXT, Entered
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_FIELD,
    A_GROUP,
    EMPTY,
    LEFT_EMPTY,
    NOBODY,
    Slot,
    field_named,
    fields_like,
    raw_source,
    slot_of,
)
from listeners.ownership.rule_form.fields import (
    ANY,
    CHANGE_TYPE,
    CHANNEL,
    EVERY,
    EVERY_JOB_CHANGE,
    FALLBACK_CHANNEL,
    FALLBACK_USER,
    FIELDS,
    HAS,
    HAS_NOT,
    HAS_OPPORTUNITY,
    MIN_SCORE,
    NAME,
    PLACE,
    SEGMENT,
    SIDE,
    SIGNAL,
    TO,
    WORDS,
    more_id,
    slot_id,
)
from listeners.ownership.rule_form.form_values import (
    HOW_TO_TEST,
    lines_of,
    read_test,
    read_words,
    shown_test,
    shown_words,
)
from services.ownership.rules.check import OrgSchema, check
from services.ownership.rules.issues import RuleIssue, issues_of
from services.ownership.rules.owner_sources import NamedChannel, NamedUser, is_slack_user
from services.ownership.rules.rule_set import MOST_SOURCES, Conditions, Rule, RuleSet

SLOTS = 6
"""The minimum number of slots that are shown."""

_DESTINATION = re.compile(r"[CGS][A-Z0-9]{2,20}")


@dataclass(frozen=True)
class RuleForm:
    """
    The values of the form, as text.

    `original` is the rule that the form was opened with; values that are not shown are taken from it. `place` starts
    from 1. `too_long` has the fields whose values are too long for Slack.
    """

    original: Rule
    place: str
    entries: Mapping[str, str | None]
    several: Mapping[str, Sequence[str]]
    slots: tuple[Slot, ...]
    too_long: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, rule: Rule, place: int, *, is_new: bool = False) -> RuleForm:
        """The form of a rule with the index `place`. A new rule without conditions has to get one, or be confirmed."""
        when, deliver, fallback = rule.when, rule.deliver, rule.fallback
        entries: dict[str, str | None] = {
            NAME.name: rule.name,
            SIDE.name: when.side,
            HAS_OPPORTUNITY.name: {None: None, True: HAS, False: HAS_NOT}[when.contact_has_open_opportunity],
            MIN_SCORE.name: None if when.min_score is None else _shown_number(when.min_score),
            FIELDS.name: "\n".join(map(shown_test, when.fields or ())) or None,
            TO.name: deliver.to,
            CHANNEL.name: deliver.channel,
            FALLBACK_USER.name: fallback.user if isinstance(fallback, NamedUser) else None,
            FALLBACK_CHANNEL.name: fallback.channel if isinstance(fallback, NamedChannel) else None,
        }
        entries |= {field.name: shown_words(getattr(when, field.name) or ()) or None for field in WORDS}
        several = {
            field.name: [str(value) for value in getattr(when, field.name) or ()]
            for field in (CHANGE_TYPE, SIGNAL, SEGMENT)
        }
        several[EVERY.name] = [EVERY_JOB_CHANGE] if when == Conditions() and not is_new else []
        slots = [slot_of(source, number) for number, source in enumerate(rule.tell)]
        empty = max(SLOTS - len(slots), min(1, MOST_SOURCES - len(slots)))
        too_long = frozenset(name for name, text in entries.items() if len(text or "") > LONGEST_TEXT)
        if isinstance(fallback, NamedUser) and not is_slack_user(fallback.user):
            too_long |= {FALLBACK_USER.name}  # a picker of Slack users cannot show it
        return cls(rule, str(place + 1), entries, several, (*slots, *[EMPTY] * empty), too_long)

    def typed(self, entered: Entered) -> RuleForm:
        """The form with the values of the dialog."""
        values = entered.values
        entries = {
            name: text if name in self.too_long else values.get(name) or None for name, text in self.entries.items()
        }
        several = {name: values.get(name) or [] for name in self.several}
        slots = []
        for number in range(len(self.slots)):
            chosen = values.get(slot_id(number))
            slot = EMPTY if chosen == NOBODY else Slot(chosen or None)
            slots.append(Slot(slot.value, values.get(more_id(number, slot.needs)) or None) if slot.needs else slot)
        return RuleForm(self.original, values.get(PLACE.name) or "", entries, several, tuple(slots), self.too_long)

    @property
    def destinations(self) -> dict[str, str]:
        """The chosen channels and user groups by field."""
        chosen = {name: self.entries[name] for name in (CHANNEL.name, FALLBACK_CHANNEL.name)}
        for number, slot in enumerate(self.slots):
            if slot.needs in {A_CHANNEL, A_GROUP}:
                chosen[more_id(number, slot.needs or "")] = slot.more
        if self.entries[TO.name] in {"dri", "nobody"}:
            chosen[CHANNEL.name] = None
        return {field: value for field, value in chosen.items() if value and _DESTINATION.fullmatch(value)}

    def read(self, rules: RuleSet, org: OrgSchema | None) -> tuple[Rule, int] | dict[str, str]:
        """The rule and its index, or the errors. `rules` and `org` have what the rule can name."""
        errors = dict[str, str]()
        raw, places = self._raw(errors, self._resolved_slots(org))
        place = int(self.place) - 1 if re.fullmatch(r"[1-9][0-9]{0,3}", self.place) else None
        if place is None:
            errors[PLACE.name] = "Enter a number from 1."
        try:
            rule = Rule.model_validate_json(json.dumps(raw))
        except ValidationError as error:
            return self._with_suggestions(self._by_field(issues_of(error), places) | errors, org)
        if rule.when == Conditions() and not self.several[EVERY.name]:
            errors[EVERY.name] = "Set a condition above, or tick this to apply the rule to every job change."
        whole = rules.model_copy(update={"rules": (rule,)})
        of_org = [issue for issue in check(whole, org) if not issue.is_warning and issue.path.startswith("rules.0.")]
        trimmed = [RuleIssue(issue.path.removeprefix("rules.0."), issue.message) for issue in of_org]
        errors = self._by_field(trimmed, places) | errors
        return self._with_suggestions(errors, org) or (rule, place or 0)

    def _resolved_slots(self, org: OrgSchema | None) -> list[Slot]:
        """The slots, with API names of fields instead of labels."""
        return [
            replace(slot, more=field_named(org, slot.more) or slot.more)
            if org and slot.needs == A_FIELD and slot.more
            else slot
            for slot in self.slots
        ]

    def _raw(self, errors: dict[str, str], slots: Sequence[Slot]) -> tuple[dict[str, Any], list[int]]:
        """The rule as JSON, and the slot number of each source."""
        entries = self.entries
        when: dict[str, Any] = {name: list(chosen) for name, chosen in self.several.items() if chosen and name != ANY}
        when |= {field.name: read_words(text) for field in WORDS if (text := entries[field.name])}
        if entries[SIDE.name] in {"past", "current"}:
            when[SIDE.name] = entries[SIDE.name]
        if entries[HAS_OPPORTUNITY.name] in {HAS, HAS_NOT}:
            when[HAS_OPPORTUNITY.name] = entries[HAS_OPPORTUNITY.name] == HAS
        if score := entries[MIN_SCORE.name]:
            when[MIN_SCORE.name] = _number(score)
        if tests := list(_read_tests(entries[FIELDS.name] or "", errors)):
            when[FIELDS.name] = tests
        places = [number for number, slot in enumerate(slots) if slot.value]
        original = self.original
        deliver = {"to": entries[TO.name] or "dri"} | (
            {"channel": entries[CHANNEL.name]} if entries[CHANNEL.name] else {}
        )
        if deliver["to"] in {"dri", "nobody"}:
            deliver.pop("channel", None)
        raw = {
            "name": entries[NAME.name] or "",
            "enabled": original.enabled,
            "when": when,
            "tell": [raw_source(slots[number], original.tell) for number in places],
            "deliver": deliver,
            "also_notify": [source.model_dump(mode="json") for source in original.also_notify or ()] or None,
        }
        return raw | self._fallback(errors), places

    def _fallback(self, errors: dict[str, str]) -> dict[str, Any]:
        user, channel = self.entries[FALLBACK_USER.name], self.entries[FALLBACK_CHANNEL.name]
        if user and channel:
            errors[FALLBACK_CHANNEL.name] = "Choose a person or a channel, not both."
        if user:
            return {"fallback": {"source": "user", "user": user}}
        return {"fallback": {"source": "channel", "channel": channel}} if channel else {}

    def _by_field(self, issues: Sequence[RuleIssue], places: Sequence[int]) -> dict[str, str]:
        """The errors by field. Errors of fields that are not shown are at the name."""
        errors = dict[str, str]()
        for issue in issues:
            block, text = self._field_of(issue, places)
            block = NAME.name if block in self.too_long else block
            errors[block] = f"{errors[block]} {_sentence(text)}" if block in errors else _sentence(text)
        return errors

    def _with_suggestions(self, errors: dict[str, str], org: OrgSchema | None) -> dict[str, str]:
        """The errors, in plain words for what was left empty, and with similar fields for names that do not exist."""
        for number, slot in enumerate(self.slots):
            if slot.needs and not slot.more and more_id(number, slot.needs) in errors:
                errors[more_id(number, slot.needs)] = LEFT_EMPTY[slot.needs]
                continue
            block = more_id(number, A_FIELD)
            if block in errors and org and slot.needs == A_FIELD:
                similar = fields_like(org, slot.more or "")
                errors[block] += f" Similar fields: {', '.join(similar)}." if similar else ""
        return errors

    def _field_of(self, issue: RuleIssue, places: Sequence[int]) -> tuple[str, str]:
        match issue.path.split("."):
            case ["tell", number, *_] if number.isdigit():
                place = places[int(number)]
                needs = self.slots[place].needs
                return (more_id(place, needs) if needs else slot_id(place)), issue.message
            case ["when", "fields", number, *_] if number.isdigit():
                return FIELDS.name, f"line {int(number) + 1}: {issue.message}"
            case ["when", name, *_]:
                return name, issue.message
        step = issue.path.partition(".")[0]
        # An issue of the rule as a whole: it has nobody to notify.
        fields = {"deliver": CHANNEL.name, "fallback": FALLBACK_USER.name, "name": NAME.name}
        return fields.get(step, slot_id(0)), issue.message


def _read_tests(text: str, errors: dict[str, str]) -> Iterator[dict[str, object]]:
    for number, line in enumerate(lines_of(text), 1):
        test = read_test(line)
        if test is None:
            errors[FIELDS.name] = f"Line {number}: {HOW_TO_TEST}."
        else:
            yield test


def _shown_number(number: float) -> str:
    """The number with all digits, because what is left out would be lost when the rule is saved."""
    return f"{Decimal(str(number)):f}".removesuffix(".0")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _sentence(text: str) -> str:
    """The text as a sentence."""
    sentence = text[:1].upper() + text[1:]
    return sentence if sentence.endswith((".", "!")) else f"{sentence}."
