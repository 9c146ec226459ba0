"""The dialogs of one ownership rule: what to begin with, and all of its fields. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from listeners.dialogs.blocks import Block, View, context, header, modal, plain
from listeners.ownership.rule_form.choices import (
    A_CHANNEL,
    A_FIELD,
    A_GROUP,
    A_PERSON,
    ASKING,
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
from services.ownership.rules.edits import mark_of
from services.ownership.rules.rule_set import Rule

ADD_TITLE, RULE_TITLE = "Add a rule", "Rule"
BEGIN, SAVE = "ownership_begin", "ownership_save_rule"
SLOT = "ownership_slot"
PRESET = "preset"
EMPTY_RULE, ALL_SCENARIOS = "empty", "all"

_EITHER = "either"
_SIDES = {_EITHER: "Either side", "past": "The company they leave", "current": "The company they join"}
_CHANGE_TYPES = {
    "new_company": "New company",
    "new_hire": "New hire",
    "promotion": "Promotion",
    "lateral": "New role, same level",
    "departure": "Departure",
    "additional_role": "Additional role",
}
_SIGNALS = {
    "contact_tracking": "Contact tracking",
    "new_hires_promotions": "New hires and promotions",
    "custom": "Custom signal",
}
_SEGMENTS = {
    "customer": "Customer",
    "target": "Target account",
    "open_opportunity": "Open opportunity",
    "closed_lost": "Closed lost",
    "none": "None of these",
    "not_in_salesforce": "Not in Salesforce",
}
_TO = {
    "dri": "The DRI only",
    "dri_and_channel": "The DRI and a channel",
    "channel": "A channel only",
    "nobody": "Nobody: it is only recorded",
}


def begin_view(scenarios: Sequence[Rule]) -> View:
    """What a new rule begins with."""
    choices = {EMPTY_RULE: "An empty rule", ALL_SCENARIOS: f"All {len(scenarios)} scenarios, in order"}
    choices |= {str(number): rule.name for number, rule in enumerate(scenarios)}
    menu = static_menu(PRESET, choices, EMPTY_RULE)
    blocks = [
        labelled(PRESET, "Begin with", menu),
        context("You can change everything before you save. Rules take effect when you publish the draft."),
    ]
    return modal(ADD_TITLE, blocks) | {"callback_id": BEGIN, "submit": plain("Next")}


def begun_with(view: View) -> Rule | str:
    """What a rule dialog began with: a new rule, or the mark of one that is there."""
    kept = json.loads(view["private_metadata"])
    return Rule.model_validate_json(json.dumps(kept["new"])) if "new" in kept else str(kept["mark"])


def rule_view(form: RuleForm, choices: Choices, *, is_new: bool) -> View:
    """All fields of a rule. Those that Slack could not show whole are left out and stay as they are."""
    blocks = [
        text_input(form, NAME, "Name", optional=False, longest=80),
        _place(form),
        header("When"),
        choice_input(form, SIDE, "Side of the job change", _SIDES),
        several_input(form, CHANGE_TYPE, "Kind of change", _CHANGE_TYPES, "Any kind"),
        several_input(form, SEGMENT, "The account is", _SEGMENTS, "Any account"),
        text_input(form, RELATIONSHIP, "Relationship", hint="Any of these, separated by commas: Champion, User"),
        text_input(form, PERSONA, "Persona", hint="Any of these, separated by commas"),
        text_input(form, TITLE_CONTAINS, "Title contains", hint="Any of these, separated by commas: VP, Chief"),
        text_input(form, TITLE_LACKS, "Title does not contain", hint="None of these, separated by commas: Assistant"),
        _score(form),
        several_input(form, SIGNAL, "Signal", _SIGNALS, "Any signal"),
        _fields(form),
        header("Tell"),
        *_chain(form, choices),
        choice_input(form, TO, "Who reads it", _TO),
        picker_input(form, CHANNEL, "Channel", channels_select()),
        picker_input(form, FALLBACK_USER, "If none of them can be told: this person", {"type": "users_select"}),
        picker_input(
            form,
            FALLBACK_CHANNEL,
            "If none of them can be told: this channel",
            channels_select(),
            "Left empty: the default one.",
        ),
    ]
    shown = [block for block in blocks if block is not None]
    if form.too_long:
        shown.append(context(f"Too long for this dialog, kept as it is: {', '.join(sorted(form.too_long))}."))
    kept = {"new": form.original.model_dump(mode="json", exclude_none=True)} if is_new else {"mark": _mark(form)}
    return modal("New rule" if is_new else RULE_TITLE, shown) | {
        "callback_id": SAVE,
        "submit": plain("Save to draft"),
        "close": plain("Cancel"),
        "private_metadata": json.dumps(kept),
    }


def _mark(form: RuleForm) -> str:
    return mark_of(form.original)


def _chain(form: RuleForm, choices: Choices) -> list[Block]:
    blocks = [context("From the first to the last: the first one who can be told is the DRI.")]
    for number, slot in enumerate(form.slots):
        label = "Tell" if number == 0 else "Else tell"
        menu = {"type": "static_select", "action_id": SLOT, "placeholder": plain("Nobody")}
        menu |= options_of(choices, slot, form.original.tell)
        blocks.append(labelled(slot_id(number), label, menu, optional=True) | {"dispatch_action": True})
        if slot.asks:
            blocks.append(_more(number, slot, choices))
    return blocks


def _more(number: int, slot: Slot, choices: Choices) -> Block:
    """What one choice of a chain asks for besides."""
    asks, hint = slot.asks or "", None
    if asks == A_PERSON:
        element: Block = {"type": "users_select"} | ({"initial_user": slot.more} if slot.more else {})
    elif asks == A_GROUP and choices.user_groups:
        element = group_select(choices.user_groups, slot.more)
    elif asks == A_CHANNEL:
        element = channels_select() | ({"initial_conversation": slot.more} if slot.more else {})
    else:
        element = {"type": "plain_text_input", "max_length": 120} | ({"initial_value": slot.more} if slot.more else {})
        hint = {
            A_GROUP: "Its id, such as S0123456789: in Slack under People, User groups, the three dots of the group.",
            A_FIELD: "A lookup to a user, by its label or as Account.SDR__c. A part of it will do to search.",
        }[asks]
    if asks == A_FIELD and choices.more_fields:
        hint = f"{hint} {choices.more_fields} are not in the menu."
    block = labelled(
        more_id(number, asks), ASKING[asks].removesuffix(" …"), element | {"action_id": asks}, optional=True
    )
    return block | ({"hint": plain(hint)} if hint else {})


def asks_otherwise(form: RuleForm, shown: Mapping[str, object]) -> bool:
    """Whether the dialog shows other fields than its chain asks for."""
    wanted = {more_id(number, slot.asks) for number, slot in enumerate(form.slots) if slot.asks}
    return wanted != {name for name in shown if name.startswith("more-")}


def _place(form: RuleForm) -> Block:
    element = {"type": "number_input", "action_id": PLACE, "is_decimal_allowed": False, "min_value": "1"}
    return labelled(PLACE, "Place in the order", element | ({"initial_value": form.place} if form.place else {}))


def _score(form: RuleForm) -> Block:
    element: Block = {"type": "number_input", "action_id": MIN_SCORE, "is_decimal_allowed": True}
    score = form.entries[MIN_SCORE]
    return labelled(MIN_SCORE, "Score at least", element | ({"initial_value": score} if score else {}), optional=True)


def _fields(form: RuleForm) -> Block | None:
    hint = (
        "Of Contact, Lead, Account or Opportunity, one a line: Account.Industry = Software, or Account.Region__c in "
        "EMEA, APAC, or Contact.Title contains Ops"
    )
    block = text_input(form, FIELDS, "Fields", hint=hint)
    if block is not None:
        block["element"]["multiline"] = True
    return block
