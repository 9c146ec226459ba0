"""The dialogs of one ownership rule: the choice of a preset, and the form. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from listeners.dialogs.blocks import Block, View, context, data_of, header
from listeners.dialogs.form import Choice, Field, Form
from listeners.ownership.rule_form.choices import A_FIELD, A_GROUP, Choices, groups_of
from listeners.ownership.rule_form.fields import DELIVER, NAME, PLACE, RULE, WHEN, more_field, more_id, slot_field
from listeners.ownership.rule_form.form import RuleForm
from services.ownership.rules.edits import mark_of
from services.ownership.rules.rule_set import Rule

EMPTY_RULE, ALL_PRESETS = "empty", "all"
PRESET = Choice("preset", "Start from", default=EMPTY_RULE)
BEGIN = Form("ownership_begin", "Add a rule", "Next", (PRESET,), close="Close")


def begin_view(presets: Sequence[Rule]) -> View:
    """The choice between an empty rule and the presets."""
    choices = {EMPTY_RULE: "An empty rule", ALL_PRESETS: f"All {len(presets)} presets, in order"}
    choices |= {str(number): rule.name for number, rule in enumerate(presets)}
    hint = context("You can change everything before you save. Rules take effect when you publish the draft.")
    return BEGIN.view([replace(PRESET, choices=choices).block(), hint])


def origin_of(view: View) -> Rule | str:
    """What the form was opened with: a new rule, or the mark of an existing one."""
    data = data_of(view)
    return Rule.model_validate_json(json.dumps(data["new"])) if "new" in data else str(data["mark"])


_NARROW = (
    ":bulb: Less than half of this rule's messages were acted on. Add or narrow a condition under *When*. Once you save"
    " it, you see what the draft changes for the last 100 job changes, before you publish it."
)


def is_narrowed(view: View) -> bool:
    """Whether the form was opened from the scorecard, to narrow the rule."""
    return bool(data_of(view).get("narrow"))


def rule_view(form: RuleForm, choices: Choices, *, is_new: bool, narrow: bool = False) -> View:
    """The form of a rule. Fields whose values are too long for Slack are left out and stay unchanged."""

    def filled(*fields: Field[Any, Any]) -> list[Block]:
        values: dict[str, Any] = {**form.entries, **form.several}
        return [field.block(values[field.name]) for field in fields if field.name not in form.too_long]

    blocks = [
        *([context(_NARROW)] if narrow else []),
        *filled(NAME),
        PLACE.block(form.place),
        header("When"),
        *filled(*WHEN),
        header("Notify"),
        *_chain(form, choices),
        *filled(*DELIVER),
    ]
    if form.too_long:
        blocks.append(context(f"Too long for this dialog, so unchanged: {', '.join(sorted(form.too_long))}."))
    if is_new:
        new_rule = form.original.model_dump(mode="json", exclude_none=True)
        return replace(RULE, title="New rule").view(blocks, {"new": new_rule})
    return RULE.view(blocks, {"mark": mark_of(form.original)} | ({"narrow": True} if narrow else {}))


def _chain(form: RuleForm, choices: Choices) -> list[Block]:
    blocks = [context("Checked in this order: the first person who can be notified is the DRI.")]
    for number, slot in enumerate(form.slots):
        field = slot_field(number, groups_of(choices, slot, form.original.tell))
        blocks.append(field.block(slot.value) | {"dispatch_action": True})
        if slot.needs:
            handles = _handles(choices.user_groups, slot.more) if slot.needs == A_GROUP else None
            more = more_field(number, slot.needs, handles)
            if slot.needs == A_FIELD and choices.more_fields:
                more = replace(more, hint=f"{more.hint} {choices.more_fields} more fields are not in the menu.")
            blocks.append(more.block(slot.more))
    return blocks


def _handles(user_groups: Mapping[str, str], chosen: str | None) -> dict[str, str]:
    """The labels of user groups by id, in order. The chosen one is among them, unless there are none."""
    handles = {group: f"@{handle}" for group, handle in sorted(user_groups.items(), key=lambda item: item[1])}
    return handles | ({chosen: chosen} if handles and chosen and chosen not in handles else {})


def needs_other_fields(form: RuleForm, shown: Mapping[str, object]) -> bool:
    """Whether the chain needs other fields than the dialog shows."""
    needed = {more_id(number, slot.needs) for number, slot in enumerate(form.slots) if slot.needs}
    return needed != {name for name in shown if name.startswith("more-")}
