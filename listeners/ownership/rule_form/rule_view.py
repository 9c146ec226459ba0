"""The dialogs of one ownership rule: the choice of a preset, and the form. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from listeners.dialogs.blocks import Block, View, context, header, modal, plain
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_FIELD,
    A_GROUP,
    A_PERSON,
    NEEDING_FIELD,
    Choices,
    Slot,
    options_of,
)
from listeners.ownership.rule_form.form import (
    CHANGE_TYPE,
    CHANNEL,
    FALLBACK_CHANNEL,
    FALLBACK_USER,
    FIELDS,
    MIN_SCORE,
    NAME,
    PERSONA,
    PLACE,
    RELATIONSHIP,
    SEGMENT,
    SIDE,
    SIGNAL,
    TITLE_CONTAINS,
    TITLE_LACKS,
    TO,
    RuleForm,
    more_id,
    slot_id,
)
from listeners.ownership.rule_form.inputs import (
    channels_select,
    choice_input,
    group_select,
    labelled,
    picker_input,
    several_input,
    static_menu,
    text_input,
)
from services.messages.labels import CHANGE_TYPES, SIGNALS
from services.ownership.rules.edits import mark_of
from services.ownership.rules.rule_set import Rule

ADD_TITLE, RULE_TITLE = "Add a rule", "Rule"
BEGIN, SAVE = "ownership_begin", "ownership_save_rule"
SLOT = "ownership_slot"
PRESET = "preset"
EMPTY_RULE, ALL_PRESETS = "empty", "all"

_EITHER = "either"
_SIDES = {_EITHER: "Either side", "past": "The company they leave", "current": "The company they join"}
_SEGMENTS = {
    "customer": "Customer",
    "target": "Target account",
    "open_opportunity": "Open opportunity",
    "closed_lost": "Closed lost",
    "none": "None of these",
    "not_in_salesforce": "Not in Salesforce",
}
_DESTINATIONS = {
    "dri": "The DRI only",
    "dri_and_channel": "The DRI and a channel",
    "channel": "A channel only",
    "nobody": "Nobody (only record it)",
}


def begin_view(presets: Sequence[Rule]) -> View:
    """The choice between an empty rule and the presets."""
    choices = {EMPTY_RULE: "An empty rule", ALL_PRESETS: f"All {len(presets)} presets, in order"}
    choices |= {str(number): rule.name for number, rule in enumerate(presets)}
    menu = static_menu(PRESET, choices, EMPTY_RULE)
    blocks = [
        labelled(PRESET, "Start from", menu),
        context("You can change everything before you save. Rules take effect when you publish the draft."),
    ]
    return modal(ADD_TITLE, blocks) | {"callback_id": BEGIN, "submit": plain("Next")}


def origin_of(view: View) -> Rule | str:
    """What the form was opened with: a new rule, or the mark of an existing one."""
    metadata = json.loads(view["private_metadata"])
    return Rule.model_validate_json(json.dumps(metadata["new"])) if "new" in metadata else str(metadata["mark"])


def rule_view(form: RuleForm, choices: Choices, *, is_new: bool) -> View:
    """The form of a rule. Fields whose values are too long for Slack are left out and stay unchanged."""
    blocks = [
        text_input(form, NAME, "Name", optional=False, longest=80),
        _place(form),
        header("When"),
        choice_input(form, SIDE, "Side of the job change", _SIDES),
        several_input(form, CHANGE_TYPE, "Type of change", CHANGE_TYPES, "Any type"),
        several_input(form, SEGMENT, "The account is", _SEGMENTS, "Any account"),
        text_input(
            form, RELATIONSHIP, "Relationship", hint="Any of these, separated by commas, such as Champion, User"
        ),
        text_input(form, PERSONA, "Persona", hint="Any of these, separated by commas"),
        text_input(form, TITLE_CONTAINS, "Title contains", hint="Any of these, separated by commas, such as VP, Chief"),
        text_input(
            form,
            TITLE_LACKS,
            "Title does not contain",
            hint="None of these, separated by commas, such as Assistant",
        ),
        _score(form),
        several_input(form, SIGNAL, "Signal", SIGNALS, "Any signal"),
        _fields(form),
        header("Notify"),
        *_chain(form, choices),
        choice_input(form, TO, "Send to", _DESTINATIONS),
        picker_input(form, CHANNEL, "Channel", channels_select()),
        picker_input(form, FALLBACK_USER, "Fallback person", {"type": "users_select"}),
        picker_input(
            form,
            FALLBACK_CHANNEL,
            "Fallback channel",
            channels_select(),
            "If empty, the default channel.",
        ),
    ]
    shown = [block for block in blocks if block is not None]
    if form.too_long:
        shown.append(context(f"Too long for this dialog, so unchanged: {', '.join(sorted(form.too_long))}."))
    original = form.original
    new_rule = {"new": original.model_dump(mode="json", exclude_none=True)}
    metadata = new_rule if is_new else {"mark": mark_of(original)}
    return modal("New rule" if is_new else RULE_TITLE, shown) | {
        "callback_id": SAVE,
        "submit": plain("Save to draft"),
        "close": plain("Cancel"),
        "private_metadata": json.dumps(metadata),
    }


def _chain(form: RuleForm, choices: Choices) -> list[Block]:
    blocks = [context("Checked in this order: the first person who can be notified is the DRI.")]
    for number, slot in enumerate(form.slots):
        label = "Notify" if number == 0 else "Otherwise notify"
        menu = {"type": "static_select", "action_id": SLOT, "placeholder": plain("Nobody")}
        menu |= options_of(choices, slot, form.original.tell)
        blocks.append(labelled(slot_id(number), label, menu, optional=True) | {"dispatch_action": True})
        if slot.needs:
            blocks.append(_more(number, slot, choices))
    return blocks


def _more(number: int, slot: Slot, choices: Choices) -> Block:
    """The other field that a choice needs."""
    needs, hint = slot.needs or "", None
    if needs == A_PERSON:
        element: Block = {"type": "users_select"} | ({"initial_user": slot.more} if slot.more else {})
    elif needs == A_GROUP and choices.user_groups:
        element = group_select(choices.user_groups, slot.more)
    elif needs == A_CHANNEL:
        element = channels_select() | ({"initial_conversation": slot.more} if slot.more else {})
    else:
        element = {"type": "plain_text_input", "max_length": 120} | ({"initial_value": slot.more} if slot.more else {})
        hint = {
            A_GROUP: "The id, such as S0123456789. In Slack: People, User groups, the menu of the group.",
            A_FIELD: "A user lookup, by its label or as Account.SDR__c. Enter a part of it to search.",
        }[needs]
    if needs == A_FIELD and choices.more_fields:
        hint = f"{hint} {choices.more_fields} more fields are not in the menu."
    block = labelled(
        more_id(number, needs), NEEDING_FIELD[needs].removesuffix(" …"), element | {"action_id": needs}, optional=True
    )
    return block | ({"hint": plain(hint)} if hint else {})


def needs_other_fields(form: RuleForm, shown: Mapping[str, object]) -> bool:
    """Whether the chain needs other fields than the dialog shows."""
    needed = {more_id(number, slot.needs) for number, slot in enumerate(form.slots) if slot.needs}
    return needed != {name for name in shown if name.startswith("more-")}


def _place(form: RuleForm) -> Block:
    element = {"type": "number_input", "action_id": PLACE, "is_decimal_allowed": False, "min_value": "1"}
    return labelled(PLACE, "Position", element | ({"initial_value": form.place} if form.place else {}))


def _score(form: RuleForm) -> Block:
    element: Block = {"type": "number_input", "action_id": MIN_SCORE, "is_decimal_allowed": True}
    score = form.entries[MIN_SCORE]
    return labelled(MIN_SCORE, "Minimum score", element | ({"initial_value": score} if score else {}), optional=True)


def _fields(form: RuleForm) -> Block | None:
    hint = (
        "One comparison per line, with fields of Contact, Lead, Account or Opportunity, such as Account.Industry ="
        " Software, Account.Region__c in EMEA, APAC or Contact.Title contains Ops"
    )
    block = text_input(form, FIELDS, "Fields", hint=hint)
    if block is not None:
        block["element"]["multiline"] = True
    return block
