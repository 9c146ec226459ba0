"""The dialogs behind the buttons of a message. Pure.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from domain.decision.record import ConsideredCandidate, Decision, SideDecision
from domain.decision.sentences import candidate_result, for_reader
from domain.job_change.model import JobChange
from domain.job_change.parts import Signal
from domain.states import Side, is_person
from listeners.dialogs.blocks import Block, View, actions, button, context, data_of, modal, sections
from listeners.dialogs.blocks import section as _section
from listeners.dialogs.form import Choice, Form, Text, User
from listeners.dialogs.mentions import mention
from services.home.mute_options import ALL, CHANGES
from services.messages.available_actions import LONGEST_COMMENT, WRONG_DATA_KINDS, ActionableDelivery, ActionKind
from services.messages.elements import ACTION
from services.messages.snooze import SnoozeOption
from services.messages.wording import background, headline, meaning, sentence
from services.slack.mrkdwn import bold, escape, with_mentions

UNMUTE = "delivery_unmute"
"""The action_id of an Undo button. Its value is what was muted; the dialog names the delivery."""

NOTE_TITLE = "Job change"

COLLEAGUE = User("choice", "Who is responsible?", placeholder="Choose a person")
REASON = Text("words", "Reason", longest=LONGEST_COMMENT, multiline=True, optional=True)
REASSIGN = Form("hand_on_delivery", "Reassign", "Reassign", (COLLEAGUE, REASON), for_members=True)

REMIND_AT = Choice(
    "choice",
    "Remind me",
    {
        SnoozeOption.TOMORROW: "Tomorrow",
        SnoozeOption.MONDAY: "Next Monday",
        SnoozeOption.NEXT_WEEK: "In a week",
    },
    hint="You will get it again at 09:00 in your time zone.",
    radio=True,
)
SNOOZE = Form("put_off_delivery", "Snooze", "Snooze", (REMIND_AT,), for_members=True)

WRONG = Choice("choice", "What is wrong?", WRONG_DATA_KINDS, radio=True)
COMMENT = Text("words", "Comment", longest=LONGEST_COMMENT, multiline=True, optional=True)
REPORT = Form("report_delivery", "Wrong data", "Report", (WRONG, COMMENT), for_members=True)

MUTED = Choice(
    "choice",
    "Do not notify me about",
    ALL,
    hint="These job changes go to the next person in the ownership rules, or to the default channel.",
    radio=True,
)
MUTE = Form("mute_like_delivery", "Mute", "Mute", (MUTED,), for_members=True)

_MOST_CANDIDATES = 25
_SIGNALS = {
    Signal.CONTACT_TRACKING: "All from contact tracking",
    Signal.NEW_HIRES_PROMOTIONS: "All new hires and promotions",
    Signal.CUSTOM: "All from custom signals",
}


def section(text: str, accessory: Block | None = None) -> Block:
    """A section in which names such as globex.com or #sales do not become links."""
    block = _section(text, accessory)
    return block | {"text": block["text"] | {"verbatim": True}}


def note_view(text: str) -> View:
    """`text` is mrkdwn."""
    return modal(NOTE_TITLE, [section(text)])


def reassign_view(actionable: ActionableDelivery) -> View:
    delivery = actionable.delivery
    may_return = is_person(delivery.destination) or delivery.actor is not None
    hint = "They will get a direct message."
    if may_return:
        hint = "Leave this empty if you do not know. Then it goes to the channel, where someone can claim it."
    colleague = replace(COLLEAGUE, hint=hint, optional=may_return)
    return _form_view(REASSIGN, actionable, colleague.block(), REASON.block())


def snooze_view(actionable: ActionableDelivery) -> View:
    return _form_view(SNOOZE, actionable, REMIND_AT.block(SnoozeOption.TOMORROW))


def report_view(actionable: ActionableDelivery) -> View:
    # Nothing is selected at first, so that nobody reports something by overlooking it.
    return _form_view(REPORT, actionable, WRONG.block(), COMMENT.block())


def mute_view(actionable: ActionableDelivery) -> View:
    """What the person has muted, with Undo buttons, and what they can mute."""
    change = actionable.job_change
    choices: dict[str, str] = {change.change_type: CHANGES[change.change_type], change.signal: _SIGNALS[change.signal]}
    blocks = [
        section(f"🔕 *{label}*: muted", button("Undo", UNMUTE, choice))
        for choice, label in choices.items()
        if choice in actionable.muted
    ]
    if required := [label for choice, label in choices.items() if choice in actionable.required]:
        blocks.append(context(f"Required by your admins: {', '.join(required)}."))
    rest = {choice: label for choice, label in choices.items() if choice not in actionable.muted | actionable.required}
    if not rest:
        return modal(MUTE.title, blocks, _data(actionable))
    # Nothing is selected at first, so that nobody mutes more than they meant to. What is muted already is saved.
    form = replace(MUTE, close="Done") if actionable.muted & choices.keys() else MUTE
    blocks.append(replace(MUTED, choices=rest).block())
    return form.view(blocks, _data(actionable))


def why_view(actionable: ActionableDelivery) -> View:
    """The reason, the rule, the candidates in order with their results, and what the message left out."""
    delivery, change = actionable.delivery, actionable.job_change
    decision = Decision.from_stored(delivery.decision)
    in_person = is_person(delivery.destination)
    details = meaning(change, Side.of(delivery.side))
    notes = [escape(for_reader([note]), 300) for note in decision.notes[:5]]
    reason = with_mentions(escape(for_reader(delivery.reasons), 500), decision.nameless_users)
    blocks = [
        _job_change(actionable),
        *([context(" · ".join(details))] if details else []),
        section(f"*Why {'you' if in_person else 'here'}*\n{reason}"),
        *_decision_blocks(decision, change),
        *([context("\n".join(notes))] if notes else []),
    ]
    if in_person:
        blocks += actions(
            button("Wrong data…", f"{ACTION}{ActionKind.WRONG_DATA}", "wrong_data"),
            button("Mute messages like this…", f"{ACTION}{ActionKind.MUTE}", "mute"),
        )
    return modal("Why me?" if in_person else "Why here?", blocks, _data(actionable))


def opened_in_home(view: View, home: View) -> View:
    """A dialog that was opened in Home, and knows which page of Home to show again."""
    data = data_of(view)
    return view | {"private_metadata": json.dumps(data | {"home": home.get("private_metadata", "")})} if data else view


def home_behind(view: View) -> View | None:
    """The Home in which a dialog was opened. None means that it was opened in a message."""
    home = data_of(view).get("home")
    return None if home is None else {"private_metadata": home}


def candidate_lines(
    considered: Sequence[ConsideredCandidate], most: int, users: Mapping[str, str] | None = None
) -> list[str]:
    """One line of mrkdwn for each candidate, up to `most` lines. `users` has Slack users by their addresses."""
    lines = []
    for number, candidate in enumerate(considered[:most], 1):
        email = (users or {}).get(candidate.email or "", candidate.email)
        name = escape(candidate.name, 80) if candidate.name else mention(email) if email else ""
        named = f", {name}" if name else ""
        check = "✅ " if candidate.is_notified else ""
        lines.append(
            f"{number}. {escape(candidate.source, 80)}{named}: {check}{escape(candidate_result(candidate), 200)}"
        )
    if len(considered) > most:
        lines.append(f"… and {len(considered) - most} more")
    return lines or ["No candidates"]


def _decision_blocks(decision: Decision, change: JobChange) -> Iterator[Block]:
    for side in decision.sides or (SideDecision(rule=decision.rule),):
        company = {Side.PAST: change.previous.company, Side.CURRENT: change.current.company}.get(
            Side.of(side.side) or Side.BOTH
        )
        title = f"Rule for {escape(company.label, 80)}" if company else "Rule"
        yield section(f"*{title}*\n{escape(side.sentence or side.rule or 'none', 450)}")
        candidates = [candidate for candidate in decision.considered if candidate.side == side.side]
        lines = candidate_lines(candidates, _MOST_CANDIDATES, decision.nameless_users)
        yield from sections(["*Checked in this order*", *lines], section)


def _job_change(actionable: ActionableDelivery) -> Block:
    change, side = actionable.job_change, Side.of(actionable.delivery.side)
    return section("\n".join(filter(None, [sentence(headline(change, bold, side)), background(change, side)])))


def _form_view(form: Form, actionable: ActionableDelivery, *fields: Block) -> View:
    return form.view([_job_change(actionable), *fields], _data(actionable))


def _data(actionable: ActionableDelivery) -> dict[str, str]:
    """What a dialog carries, signed for the person who opened it."""
    return {"delivery": str(actionable.delivery.id)}
