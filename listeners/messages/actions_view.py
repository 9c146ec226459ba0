"""The dialogs behind the buttons of a notification. Pure.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.job_change.model import JobChange
from domain.job_change.parts import Signal
from domain.states import is_person
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, sections
from listeners.dialogs.blocks import section as _section
from listeners.messages.why_view import considered_lines
from services.home.mute_options import CHANGES
from services.messages.available_actions import FAULTS, LONGEST_COMMENT, ActionableDelivery, ActionKind
from services.messages.compose import ACTION
from services.messages.snooze import SnoozeOption
from services.messages.wording import Side, background, headline, meaning, sentence
from services.slack.mrkdwn import bold, escape

REASSIGN, SNOOZE, REPORT, MUTE = "hand_on_delivery", "put_off_delivery", "report_delivery", "mute_like_delivery"
"""The callback_ids of the dialogs."""

UNMUTE = "delivery_unmute"
"""The action_id of an undo button; its value is what was muted, a colon, and the delivery's id."""

NOTE_TITLE = "Job change"

CHOICE, COMMENT = "choice", "words"
"""The block_ids, and action_ids, of what is filled in."""

_MOST_CANDIDATES = 25
_WHEN = {SnoozeOption.TOMORROW: "Tomorrow", SnoozeOption.MONDAY: "On Monday", SnoozeOption.NEXT_WEEK: "In a week"}
_SIGNALS = {
    Signal.CONTACT_TRACKING: "Everything from contact tracking",
    Signal.NEW_HIRES_PROMOTIONS: "All new hires and promotions",
    Signal.CUSTOM: "Everything from custom signals",
}


def section(text: str, accessory: Block | None = None) -> Block:
    """Verbatim: a name such as globex.com or #sales does not turn into a link."""
    block = _section(text, accessory)
    return block | {"text": block["text"] | {"verbatim": True}}


def note_view(text: str) -> View:
    """*text* in mrkdwn, to be read and closed."""
    return modal(NOTE_TITLE, [section(text)])


def reassign_view(reached: ActionableDelivery) -> View:
    """Whose it is, or back to the channel."""
    delivery = reached.delivery
    may_go_back = is_person(delivery.destination) or delivery.actor is not None
    hint = "They get it as a direct message."
    if may_go_back:
        hint = "Leave it empty if you do not know: it goes to the channel, for somebody to claim."
    picker = {"type": "users_select", "action_id": CHOICE, "placeholder": plain("Choose a colleague")}
    blocks = [_what(reached), _input(CHOICE, "Whose is it?", picker, hint, optional=may_go_back), _words("Why?")]
    return _dialog(reached, REASSIGN, "Not mine" if may_go_back else "Give it away", "Hand over", blocks)


def snooze_view(reached: ActionableDelivery) -> View:
    """Choose when it comes back: one of three mornings."""
    hint = "It comes back once, at nine in the morning in your own time zone."
    choice = _input(CHOICE, "Tell me again", _radio(_WHEN, SnoozeOption.TOMORROW), hint)
    return _dialog(reached, SNOOZE, "Later", "Put off", [_what(reached), choice])


def report_view(reached: ActionableDelivery) -> View:
    """What is wrong with the data; nothing is chosen beforehand."""
    blocks = [_what(reached), _input(CHOICE, "What is wrong?", _radio(FAULTS)), _words("In your words")]
    return _dialog(reached, REPORT, "Wrong data", "Report", blocks)


def mute_view(reached: ActionableDelivery) -> View:
    """What is muted, each with its undo; and what can be."""
    change = reached.job_change
    choices: dict[str, str] = {change.change_type: CHANGES[change.change_type], change.signal: _SIGNALS[change.signal]}
    blocks = [_undo(what, label, reached) for what, label in choices.items() if what in reached.muted]
    if kept := [label for what, label in choices.items() if what in reached.unmutable]:
        blocks.append(context(f"Your admins want everybody to hear about: {', '.join(kept)}."))
    rest = {what: label for what, label in choices.items() if what not in reached.muted | reached.unmutable}
    if not rest:
        return modal("Muted", blocks)
    hint = "They go to the next person the ownership rules name, or else to the default channel. You can undo it here."
    blocks.append(_input(CHOICE, "Stop telling me about", _radio(rest, next(iter(rest))), hint))
    return _dialog(reached, MUTE, "Mute", "Mute", blocks)


def why_view(reached: ActionableDelivery) -> View:
    """The rule, the candidates in order with what became of each, and what the message left out."""
    delivery, change = reached.delivery, reached.job_change
    decision: Mapping[str, Any] = json.loads(delivery.decision or "{}")
    in_person = is_person(delivery.destination)
    facts = meaning(change, _side(delivery.side))
    blocks = [
        _what(reached),
        *([context(" · ".join(facts))] if facts else []),
        section(f"*Why {'you' if in_person else 'here'}*\n{escape(delivery.reason, 500)}"),
        *_ruled(decision, change),
        *([context("\n".join(escape(note, 300) for note in decision["notes"][:5]))] if decision.get("notes") else []),
    ]
    if in_person:
        mute = button("Mute messages like this…", f"{ACTION}{ActionKind.MUTE}", str(delivery.id))
        blocks.append({"type": "actions", "elements": [mute]})
    return modal("Why me?" if in_person else "Why here?", blocks)


def _ruled(decision: Mapping[str, Any], change: JobChange) -> Iterator[Block]:
    considered: Sequence[Mapping[str, Any]] = decision.get("considered", [])
    for side in decision.get("sides") or [{"side": None, "rule": decision.get("rule")}]:
        where = _where(side["side"], change)
        rule = escape(side.get("sentence") or side["rule"] or "none", 450)
        yield section(f"*The rule{where}*\n{rule}")
        asked = [each for each in considered if each.get("side") == side["side"]]
        yield from sections(["*Asked, in this order*", *considered_lines(asked, _MOST_CANDIDATES)], section)


def _where(side: str | None, change: JobChange) -> str:
    company = {"past": change.previous.company, "current": change.current.company}.get(side or "")
    return f" for {escape(company.label, 80)}" if company else ""


def _side(side: str | None) -> Side | None:
    return next((each for each in ("past", "current", "both") if each == side), None)


def _what(reached: ActionableDelivery) -> Block:
    change, side = reached.job_change, _side(reached.delivery.side)
    return section("\n".join(filter(None, [sentence(headline(change, bold, side)), background(change, side)])))


def _undo(what: str, label: str, reached: ActionableDelivery) -> Block:
    value = f"{what}:{reached.delivery.id}"
    return section(f"🔕 *{label}*: you are no longer told about them.", button("Undo", UNMUTE, value))


def _dialog(reached: ActionableDelivery, callback_id: str, title: str, submit: str, blocks: list[Block]) -> View:
    about = json.dumps({"delivery": str(reached.delivery.id)})
    view = modal(title, blocks) | {"close": plain("Cancel"), "submit": plain(submit)}
    return view | {"callback_id": callback_id, "private_metadata": about}


def _input(block_id: str, label: str, element: Block, hint: str | None = None, *, optional: bool = False) -> Block:
    block = {"type": "input", "block_id": block_id, "label": plain(label), "element": element, "optional": optional}
    return block | ({"hint": plain(hint)} if hint else {})


def _words(label: str) -> Block:
    field = {"type": "plain_text_input", "action_id": COMMENT, "multiline": True, "max_length": LONGEST_COMMENT}
    return _input(COMMENT, label, field, optional=True)


def _radio(choices: Mapping[Any, str], chosen: str | None = None) -> Block:
    """*chosen* None: a claim that nobody should make by overlooking it."""
    options = {str(value): {"text": plain(label), "value": str(value)} for value, label in choices.items()}
    radio = {"type": "radio_buttons", "action_id": CHOICE, "options": list(options.values())}
    return radio if chosen is None else radio | {"initial_option": options[str(chosen)]}
