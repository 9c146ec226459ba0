"""The dialogs of one ownership rule: the choice of a preset, and the form. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from domain.day_counts import counted
from listeners.dialogs.blocks import Block, View, actions, button, context, data_of, header, modal, section
from listeners.dialogs.mentions import shown_sentence, source_label
from listeners.ownership.rule_form.chain import Chain
from listeners.ownership.rule_form.choices import A_FIELD, A_GROUP, Choices, groups_of
from listeners.ownership.rule_form.condition_rows import condition_blocks, has_values
from listeners.ownership.rule_form.conditions import MOST_ROWS
from listeners.ownership.rule_form.fields import (
    ALSO,
    DELIVER,
    EVERY,
    EVERY_JOB_CHANGE,
    FALLBACK_USER,
    NAME,
    PLACE,
    RULE,
    TELL,
    States,
)
from listeners.ownership.rule_form.form import MOST_INFORMED, RuleForm
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.edits import mark_of
from services.ownership.rules.rule_set import MOST_SOURCES, Rule
from services.slack.mrkdwn import escape

ADD_CONDITION, ADD_SOURCE, ADD_INFORMED = "ownership_add_condition", "ownership_add_source", "ownership_add_informed"

BEGIN_TITLE = "Add a rule"
START = "ownership_start"
EMPTY_RULE, ALL_PRESETS = "empty", "all"
"""The values of the button START, beside the names of rules."""


def begin_view(plays: Sequence[Rule], presets: Sequence[Rule], labels: Mapping[str, str]) -> View:
    """The choice of what a new rule starts from. Each rule is shown as a sentence."""

    def starts(rules: Sequence[Rule]) -> list[Block]:
        return [
            section(f"*{rule.name}*\n{shown_sentence(rule, labels)}", button("Use", START, rule.name)) for rule in rules
        ]

    return modal(
        BEGIN_TITLE,
        [
            section("Start from an empty rule or from one of these. You can change everything before you save."),
            *actions(button("An empty rule", START, EMPTY_RULE)),
            header("Common plays"),
            *starts(plays),
            header("A rule for every case"),
            *starts(presets),
            *actions(button(f"Add all {len(presets)} of these, in order", START, ALL_PRESETS)),
        ],
    )


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


def next_row_of(view: View) -> int:
    """The number of the next condition that is added. A number is used once: Slack keeps what is entered under it."""
    return int(data_of(view).get("next", 0))


def rule_view(form: RuleForm, choices: Choices, org: OrgSchema | None, *, is_new: bool, narrow: bool = False) -> View:
    """The form of a rule, below the rule as a sentence."""
    rule, nobody = form.draft(), "_Choose whom to notify to read the rule here._"
    blocks = [
        *([context(_NARROW)] if narrow else []),
        section(shown_sentence(rule, choices.labels, 2_000) if rule else nobody),
        NAME.block(form.entries[NAME.name]),
        PLACE.block(form.place),
        header("When"),
        *condition_blocks(form.rows, org, choices.labels),
        *_add("Add a condition", ADD_CONDITION, sum(row.shown for row in form.rows) < MOST_ROWS),
        *([] if form.has_conditions else [EVERY.block([EVERY_JOB_CHANGE] if form.is_for_every else [])]),
        header("Notify"),
        context("Checked in this order: the first person who can be notified is the DRI."),
        *_chain(form.tell, choices),
        *_add("Add another person", ADD_SOURCE, len(form.tell.slots) < MOST_SOURCES),
        *_chain(form.also, choices),
        *_add("Also inform…", ADD_INFORMED, len(form.also.slots) < MOST_INFORMED),
        *(
            _dispatching(field.block(form.entries[field.name]))
            for field in DELIVER
            if field is not FALLBACK_USER or not form.keeps_fallback_user
        ),
        *_unchanged(form, choices),
    ]
    data = {"next": form.next_row}
    if is_new:
        new_rule = form.original.model_dump(mode="json", exclude_none=True)
        return replace(RULE, title="New rule").view(blocks, data | {"new": new_rule})
    return RULE.view(blocks, data | {"mark": mark_of(form.original)} | ({"narrow": True} if narrow else {}))


def _dispatching(block: Block) -> Block:
    """An input that updates the dialog when something is chosen or Enter is pressed."""
    return block | {"dispatch_action": True}


def _add(label: str, action_id: str, is_possible: bool) -> list[Block]:
    return actions(button(label, action_id)) if is_possible else []


def _chain(chain: Chain, choices: Choices) -> Iterator[Block]:
    fields = chain.fields
    handles = {group: f"@{handle}" for group, handle in sorted(choices.user_groups.items(), key=itemgetter(1))}
    for number, slot in enumerate(chain.slots):
        field = fields.slot_field(number, groups_of(choices, slot, chain.original, fields.needing))
        yield _dispatching(field.block(slot.value))
        if slot.needs:
            # The group that was chosen is in the menu, even if Slack no longer lists it.
            chosen = {slot.more: slot.more} if handles and slot.more and slot.more not in handles else {}
            more = fields.more_field(number, slot.needs, handles | chosen if slot.needs == A_GROUP else None)
            if slot.needs == A_FIELD and choices.more_fields:
                more = replace(more, hint=f"{more.hint} {choices.more_fields} more fields are not in the menu.")
            yield _dispatching(more.block(slot.more))


def _unchanged(form: RuleForm, choices: Choices) -> list[Block]:
    """What of the rule does not fit into the dialog."""
    rows = sum(not row.shown for row in form.rows)
    parts = [counted(rows, "condition")] if rows else []
    parts += ["the fallback person"] if form.keeps_fallback_user else []
    informed = (form.original.also_notify or ())[MOST_INFORMED:]
    parts += [source_label(source, choices.labels) for source in informed]
    return [context(f"Not shown here, so unchanged: {escape(', '.join(parts), 1_000)}.")] if parts else []


def needs_other_fields(form: RuleForm, states: States) -> bool:
    """Whether the conditions and sources need other fields than the dialog shows."""
    shown = {name for name in states if name.startswith((f"{TELL.more}-", f"{ALSO.more}-"))}
    if form.tell.more_ids | form.also.more_ids != shown:
        return True
    return not has_values(form.rows, states) or form.has_conditions == (EVERY.name in states)
