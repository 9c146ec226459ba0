"""The form of a rule: its values, and the rule or the errors that they lead to. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from listeners.dialogs.form import Entered
from listeners.ownership.rule_form.chain import Chain
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_GROUP,
    EMPTY,
    slot_of,
)
from listeners.ownership.rule_form.condition_rows import field_meant, rows_entered
from listeners.ownership.rule_form.conditions import (
    OTHER_FIELD,
    ConditionRow,
    RawConditions,
    condition_field,
    raw_conditions,
    rows_of,
)
from listeners.ownership.rule_form.fields import (
    ALSO,
    CHANNEL,
    EVERY,
    FALLBACK_CHANNEL,
    FALLBACK_USER,
    NAME,
    PLACE,
    TELL,
    TO,
    States,
)
from services.ownership.rules.check import OrgSchema, check
from services.ownership.rules.issues import RuleIssue, issues_of
from services.ownership.rules.owner_sources import NamedChannel, NamedUser, is_slack_user
from services.ownership.rules.presets import GROUP_TO_CHOOSE, TO_ENTER
from services.ownership.rules.rule_set import Conditions, Rule, RuleSet

MOST_INFORMED = 5
"""Sources of `also_notify` that are shown, of two blocks each."""

_ON_SAME_FIELD = "Another condition is already on this field. Enter all values there."
_DESTINATION = re.compile(r"[CGS][A-Z0-9]{2,20}")


@dataclass(frozen=True)
class RuleForm:
    """
    The values of the form, as text.

    `original` is the rule that the form was opened with; values that are not shown are taken from it. `place` starts
    from 1. `next_row` is the number of the next row that is added.
    """

    original: Rule
    place: str
    entries: Mapping[str, str | None]
    rows: tuple[ConditionRow, ...]
    next_row: int
    is_for_every: bool
    tell: Chain
    also: Chain

    @classmethod
    def of(cls, rule: Rule, place: int, *, is_new: bool = False) -> RuleForm:
        """The form of a rule with the index `place`. A new rule without conditions has to get one, or be confirmed."""
        deliver, fallback = rule.deliver, rule.fallback
        entries: dict[str, str | None] = {
            NAME.name: rule.name,
            TO.name: deliver.to,
            CHANNEL.name: deliver.channel,
            FALLBACK_USER.name: fallback.user if isinstance(fallback, NamedUser) else None,
            FALLBACK_CHANNEL.name: fallback.channel if isinstance(fallback, NamedChannel) else None,
        }
        rows = rows_of(rule.when)
        tell = tuple(slot_of(source, number) for number, source in enumerate(rule.tell)) or (EMPTY,)
        if is_new:
            # A new rule has no value where the admin has to enter one.
            rows = tuple(replace(row, values=()) if row.values == (TO_ENTER,) else row for row in rows)
            rows = rows or (ConditionRow(0),)
            tell = tuple(replace(slot, more=None) if slot.more == GROUP_TO_CHOOSE else slot for slot in tell)
        informed = rule.also_notify or ()
        also = tuple(slot_of(source, number) for number, source in enumerate(informed[:MOST_INFORMED]))
        chains = Chain(TELL, rule.tell, tell), Chain(ALSO, informed, also)
        return cls(rule, str(place + 1), entries, rows, len(rows), not rows and not is_new, *chains)

    def typed(self, entered: Entered, states: States, next_row: int) -> RuleForm:
        """The form with the values of the dialog, which has used the numbers below `next_row` for its rows."""
        values = entered.values
        entries = {name: values.get(name) or None for name in self.entries}
        if self.keeps_fallback_user:
            entries[FALLBACK_USER.name] = self.entries[FALLBACK_USER.name]
        kept = [row for row in self.rows if not row.shown]
        rows = sorted([*kept, *rows_entered(entered, states)], key=lambda row: row.number)
        return replace(
            self,
            place=values.get(PLACE.name) or "",
            entries=entries,
            rows=tuple(rows),
            next_row=max(next_row, self.next_row),
            is_for_every=bool(values.get(EVERY.name)),
            tell=self.tell.typed(entered, states),
            also=self.also.typed(entered, states),
        )

    def resolved(self, org: OrgSchema | None) -> RuleForm:
        """The form with the fields that names and labels stand for, and with an operator in each row."""
        rows, next_row = list[ConditionRow](), self.next_row
        for row in self.rows:
            name = field_meant(row, org)
            meant = ConditionRow(row.number, name, version=next_row) if name else row
            next_row += 1 if name else 0
            rows.append(meant.with_operator(condition_field(meant.field, org, {})))
        tell, also = (chain.resolved(org) if org else chain for chain in (self.tell, self.also))
        return replace(self, rows=tuple(rows), next_row=next_row, tell=tell, also=also)

    def with_row(self) -> RuleForm:
        """The form with one more, empty condition."""
        return replace(self, rows=(*self.rows, ConditionRow(self.next_row)), next_row=self.next_row + 1)

    def without_row(self, number: int) -> RuleForm:
        return replace(self, rows=tuple(row for row in self.rows if row.number != number))

    @property
    def keeps_fallback_user(self) -> bool:
        """Whether the fallback person is not a Slack user, whom the picker cannot show."""
        fallback = self.original.fallback
        return isinstance(fallback, NamedUser) and not is_slack_user(fallback.user)

    @property
    def has_conditions(self) -> bool:
        return any(row.field for row in self.rows)

    @property
    def destinations(self) -> dict[str, str]:
        """The chosen channels and user groups by field."""
        chosen = {name: self.entries[name] for name in (CHANNEL.name, FALLBACK_CHANNEL.name)}
        for chain in (self.tell, self.also):
            for number, slot in enumerate(chain.slots):
                if slot.needs in {A_CHANNEL, A_GROUP}:
                    chosen[chain.fields.more_id(number, slot.needs or "")] = slot.more
        if self.entries[TO.name] in {"dri", "nobody"}:
            chosen[CHANNEL.name] = None
        return {field: value for field, value in chosen.items() if value and _DESTINATION.fullmatch(value)}

    def draft(self) -> Rule | None:
        """The rule as far as it is filled in. None if it cannot be used like that yet."""
        complete = replace(self, tell=self.tell.complete, also=self.also.complete)
        try:
            return complete._rule(raw_conditions(self.rows, self.original.when))  # noqa: SLF001 - the same class
        except ValidationError:
            return None

    def read(self, rules: RuleSet, org: OrgSchema | None) -> tuple[Rule, int] | dict[str, str]:
        """The rule and its index, or the errors. `rules` and `org` have what the rule can name."""
        conditions = raw_conditions(self.rows, self.original.when)
        errors = self._own_errors(conditions)
        try:
            rule = self._rule(conditions)
        except ValidationError as error:
            return self._with_suggestions(self._by_field(issues_of(error), conditions) | errors, org)
        if rule.when == Conditions() and not (self.has_conditions or self.is_for_every):
            errors.setdefault(EVERY.name, "Set a condition above, or tick this to apply the rule to every job change.")
        whole = rules.model_copy(update={"rules": (rule,)})
        of_org = [issue for issue in check(whole, org) if not issue.is_warning and issue.path.startswith("rules.0.")]
        trimmed = [RuleIssue(issue.path.removeprefix("rules.0."), issue.message) for issue in of_org]
        errors = self._by_field(trimmed, conditions) | errors
        return self._with_suggestions(errors, org) or (rule, int(self.place) - 1)

    def _own_errors(self, conditions: RawConditions) -> dict[str, str]:
        """The errors of what is no part of the rule as JSON."""
        errors = {row.block: _ON_SAME_FIELD for row in conditions.repeated}
        for row in self.rows:
            if row.block and row.field == OTHER_FIELD:
                errors[row.block] = "There is no such field. Enter its label, or a name such as Account.Region__c."
            elif row.lacks_operator:
                errors[NAME.name] = f"Choose an operator for {row.field}."  # its menu cannot show errors
            elif row.block and not row.values:
                errors[row.block] = "Enter a value."
        if not re.fullmatch(r"[1-9][0-9]{0,3}", self.place):
            errors[PLACE.name] = "Enter a number from 1."
        if self.entries[FALLBACK_USER.name] and self.entries[FALLBACK_CHANNEL.name]:
            errors[FALLBACK_CHANNEL.name] = "Choose a person or a channel, not both."
        return errors

    def _rule(self, conditions: RawConditions) -> Rule:
        """Raises ValidationError."""
        entries, original = self.entries, self.original
        deliver: dict[str, str] = {"to": entries[TO.name] or "dri"}
        if (posted_to := entries[CHANNEL.name]) and deliver["to"] not in {"dri", "nobody"}:
            deliver["channel"] = posted_to
        not_shown = [source.model_dump(mode="json") for source in (original.also_notify or ())[MOST_INFORMED:]]
        user, channel = entries[FALLBACK_USER.name], entries[FALLBACK_CHANNEL.name]
        fallback = {"source": "channel", "channel": channel} if channel else None
        raw = {
            "name": entries[NAME.name] or "",
            "enabled": original.enabled,
            "when": conditions.when,
            "tell": self.tell.raw()[0],
            "deliver": deliver,
            "also_notify": [*self.also.raw()[0], *not_shown] or None,
            "fallback": {"source": "user", "user": user} if user else fallback,
        }
        return Rule.model_validate_json(json.dumps(raw))

    def _by_field(self, issues: Sequence[RuleIssue], conditions: RawConditions) -> dict[str, str]:
        """The errors by field. Errors of what is not shown are at the name."""
        errors = dict[str, str]()
        for issue in issues:
            block = self._field_of(issue.path, conditions) or NAME.name
            text = f"{issue.message[:1].upper()}{issue.message[1:]}"
            text = text if text.endswith((".", "!")) else f"{text}."
            errors[block] = f"{errors[block]} {text}" if block in errors else text
        return errors

    def _with_suggestions(self, errors: dict[str, str], org: OrgSchema | None) -> dict[str, str]:
        return errors | self.tell.suggestions(errors, org) | self.also.suggestions(errors, org)

    def _field_of(self, path: str, conditions: RawConditions) -> str:
        match path.split("."):
            case ["tell" | "also_notify" as name, number, *_] if number.isdigit():
                return self._slot_field(self.tell if name == "tell" else self.also, int(number))
            case ["when", "fields", number, *_]:
                return conditions.rows[f"when.fields.{number}"].block
            case ["when", name, *_]:
                return conditions.rows[f"when.{name}"].block
        fallback = NAME.name if self.keeps_fallback_user else FALLBACK_USER.name
        fields = {"deliver": CHANNEL.name, "fallback": fallback, "name": NAME.name}
        return fields.get(path.partition(".")[0], TELL.slot_id(0))  # the rule as a whole has nobody to notify

    def _slot_field(self, chain: Chain, number: int) -> str:
        """The field of a source, by its index in the JSON."""
        places = chain.raw()[1]
        if number >= len(places):
            return NAME.name  # the error is about a source that is not shown
        needs = chain.slots[places[number]].needs
        return chain.fields.more_id(places[number], needs) if needs else chain.fields.slot_id(places[number])
