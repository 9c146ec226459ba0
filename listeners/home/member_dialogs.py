"""The dialogs of My Home, and what was filled in there. Pure.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from domain.notification_hours import DAILY, DIRECT, MORNING, WEEKLY, NotificationHours, zone_of
from domain.preferences import EVERYTHING
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.form_values import field_value
from listeners.home.member_home_view import told_block
from listeners.home.my_home_words import WEEKDAYS, clock
from services.home.home_state import A_PAGE, MemberHome, RecentDeliveries
from services.home.mutables import ALL, GROUPS, labels
from services.messages.available_actions import ActionKind
from services.messages.compose import ACTION
from services.slack.mrkdwn import escape

SAVE_READING, SAVE_MUTES, SAVE_AWAY = "my_reading_saved", "my_mutes_saved", "my_away_saved"
SAVE_NOT_ME, SAVE_LIMITS = "my_not_me_saved", "home_mute_limits_saved"
"""The callback_ids of the dialogs."""

LIMITS_TITLE = "Never muted"
OLDER, NEWER, ADMIT = "my_lately_older", "my_lately_newer", "my_me_after_all"
DELIVERY, DIGEST_AT, WEEKDAY = "delivery", "digest_at", "weekday"
QUIET_FROM, QUIET_TO, WEEKENDS = "quiet_from", "quiet_to", "weekends"
FIRST, LAST, DELEGATE, OWNER = "first", "last", "delegate", "owner"
"""The block_ids, and action_ids, of what is filled in."""

_DELIVERIES = {DIRECT: "About each job change, right away", DAILY: "In a daily digest", WEEKLY: "In a weekly digest"}
_QUIET = "quiet"
_GROUPS = {"signals": "Signals", "changes": "Kinds of change", "segments": "Accounts"}
_EVERYTHING = "everything"
_LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""

_NOBODY = "If you choose nobody, the next person the ownership rules name is told, or the channel."
_HINT = "They go to the next person the ownership rules name, or else to the channel."


def lately_view(page: RecentDeliveries, user_id: str) -> View:
    """A page of what came to them, each with its reason on demand."""
    why = {
        told.delivery_id: button("Why me?", f"{ACTION}{ActionKind.WHY}", str(told.delivery_id)) for told in page.told
    }
    blocks = [told_block(told, user_id, why[told.delivery_id] if told.job_change else None) for told in page.told]
    newer = [button("Newer", NEWER, str(max(0, page.skipped - A_PAGE)))] if page.skipped else []
    older = [button("Older", OLDER, str(page.skipped + len(page.told)))] if page.has_more else []
    turn: list[Block] = [{"type": "actions", "elements": [*newer, *older]}] if newer or older else []
    nothing = [section("Nothing more came to you in the last two weeks.")]
    return modal("What came to you", [*(blocks or nothing), *turn])


def reading_view(mine: MemberHome) -> View:
    """When somebody wants to be told."""
    hours = mine.hours
    days = {str(number): day for number, day in enumerate(WEEKDAYS)}
    weekends = _checkboxes(
        WEEKENDS, {_QUIET: "Nothing on Saturdays and Sundays"}, {_QUIET} if hours.quiet_weekends else ()
    )
    blocks = [
        _input(DELIVERY, "Tell me", _choice("radio_buttons", DELIVERY, _DELIVERIES, hours.delivery)),
        _input(DIGEST_AT, "Digest at", _time(DIGEST_AT, hours.digest_at)),
        _input(WEEKDAY, "Weekly digest on", _choice("static_select", WEEKDAY, days, str(hours.weekday))),
        _input(QUIET_FROM, "Quiet hours from", _time(QUIET_FROM, hours.quiet_from), optional=True),
        _input(QUIET_TO, "until", _time(QUIET_TO, hours.quiet_to), optional=True),
        _input(WEEKENDS, "Weekends", weekends, optional=True),
        context(
            "Times are in your Slack time zone. Nothing is lost: what comes in a quiet time is kept, and sent when it"
            " is over. Channels are told right away."
        ),
    ]
    return _dialog(SAVE_READING, "How you are told", "Save", blocks)


def hours_in(view: View) -> NotificationHours:
    """What was chosen in `reading_view`; the time zone is for the caller to know."""
    quiet_from, quiet_to = _minute(field_value(view, QUIET_FROM)), _minute(field_value(view, QUIET_TO))
    digest_at = _minute(field_value(view, DIGEST_AT))
    delivery, weekday = field_value(view, DELIVERY), field_value(view, WEEKDAY)
    return NotificationHours(
        delivery=delivery if delivery in _DELIVERIES else DIRECT,
        digest_at=MORNING if digest_at is None else digest_at,
        weekday=int(weekday) if weekday in set("0123456") else 0,
        quiet_from=quiet_from,
        quiet_to=quiet_to,
        quiet_weekends=_QUIET in (field_value(view, WEEKENDS) or ()),
    )


def mutes_view(mine: MemberHome) -> View:
    """All that they may mute."""
    everything = {EVERYTHING: "Everything: no direct messages at all"}
    blocks = _groups(mine.muted, without=mine.unmutable)
    all_of_it = _checkboxes(_EVERYTHING, everything, mine.muted)
    blocks.insert(0, _input(_EVERYTHING, "Do not tell me about", all_of_it, optional=True))
    unmutable = ", ".join(labels(mine.unmutable))
    kept = [context(f"Your admins want everybody to hear about: {unmutable}.")] if unmutable else []
    return _dialog(SAVE_MUTES, "Muted", "Save", [*blocks, *kept, context(_HINT)])


def limits_view(unmutable: Collection[str]) -> View:
    """What nobody may mute, for admins to choose."""
    said = section("People always hear about these when they are theirs, whatever they have muted.")
    return _dialog(SAVE_LIMITS, LIMITS_TITLE, "Save", [said, *_groups(unmutable)])


def chosen_in(view: View) -> frozenset[str]:
    """What was ticked in `mutes_view` or `limits_view`."""
    return frozenset(what for name in (_EVERYTHING, *GROUPS) for what in field_value(view, name) or () if what in ALL)


def offered_in(view: View) -> frozenset[str]:
    """What could be ticked there."""
    elements = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    return frozenset(option["value"] for element in elements for option in element.get("options", ()))


def away_view(mine: MemberHome) -> View:
    """From when to when somebody is out of office, and who takes their place."""
    today = datetime.fromtimestamp(mine.shown_at / 1_000, zone_of(mine.hours.tz)).date()
    first = {"type": "datepicker", "action_id": FIRST, "initial_date": today.isoformat()}
    last = {"type": "datepicker", "action_id": LAST, "placeholder": plain("Choose a day")}
    who = {"type": "users_select", "action_id": DELEGATE, "placeholder": plain("Choose a colleague")}
    blocks = [
        _input(FIRST, "First day away", first, optional=True),
        _input(LAST, "Last day away", last, "Leave it empty to be away until you say you are back.", optional=True),
        _input(DELEGATE, "Who takes your place?", who, f"Your job changes go to them. {_NOBODY}", optional=True),
    ]
    return _dialog(SAVE_AWAY, "Out of office", "Save", blocks)


def days_in(view: View) -> tuple[date | None, date | None]:
    """The first day away, and the last."""
    return _date(view, FIRST), _date(view, LAST)


def delegate_in(view: View) -> str | None:
    """Who was chosen to take their place; None: nobody."""
    delegate = field_value(view, DELEGATE)
    return str(delegate) if delegate else None


def not_me_view(mine: MemberHome) -> View:
    """Which of the owners they are not; and those of whom they said so, to take that back."""
    known = [each for each in mine.known_as if len(each.owner) <= _LONGEST_VALUE]
    owners = {each.owner: ", ".join(filter(None, [each.name, each.owner]))[:75] for each in known}
    undo = [_undo(owner) for owner in mine.denied[:20]]
    if not owners:
        return modal("That's not me", undo or [section("You are not matched to any owner in Salesforce.")])
    choice = _choice("radio_buttons", OWNER, owners, None)
    hint = "Your admins are told, and you no longer get that owner's job changes."
    blocks = [_input(OWNER, "Which of these is not you?", choice, hint), *undo]
    return _dialog(SAVE_NOT_ME, "That's not me", "That's not me", blocks)


def _undo(owner: str) -> Block:
    return section(f"You said that you are not `{escape(owner, 200)}`.", button("I am, after all", ADMIT, owner))


def owner_in(view: View) -> str:
    return str(field_value(view, OWNER))


def _groups(ticked: Collection[str], without: Collection[str] = ()) -> list[Block]:
    return [
        _input(name, _GROUPS[name], _checkboxes(name, offered, ticked), optional=True)
        for name, group in GROUPS.items()
        if (offered := {what: label for what, label in group.items() if what not in without})
    ]


def _dialog(callback_id: str, title: str, submit: str, blocks: list[Block]) -> View:
    return modal(title, blocks) | {"callback_id": callback_id, "close": plain("Cancel"), "submit": plain(submit)}


def _input(block_id: str, label: str, element: Block, hint: str | None = None, *, optional: bool = False) -> Block:
    block = {"type": "input", "block_id": block_id, "label": plain(label), "element": element, "optional": optional}
    return block | ({"hint": plain(hint)} if hint else {})


def _choice(kind: str, action_id: str, choices: Mapping[str, str], chosen: str | None) -> Block:
    options = {value: {"text": plain(label), "value": value} for value, label in choices.items()}
    initial = {"initial_option": options[chosen]} if chosen is not None else {}
    return {"type": kind, "action_id": action_id, "options": list(options.values())} | initial


def _checkboxes(action_id: str, choices: Mapping[str, str], ticked: Collection[str]) -> Block:
    options = {value: {"text": plain(label), "value": value} for value, label in choices.items()}
    initial = [option for value, option in options.items() if value in ticked]
    element: Block = {"type": "checkboxes", "action_id": action_id, "options": list(options.values())}
    return element | ({"initial_options": initial} if initial else {})


def _time(action_id: str, minute: int | None) -> Block:
    element: Block = {"type": "timepicker", "action_id": action_id, "placeholder": plain("Choose a time")}
    return element | ({"initial_time": clock(minute)} if minute is not None else {})


def _minute(text: Any) -> int | None:
    """Minutes after midnight of 17:05; None for nothing, or what is no time."""
    try:
        at = datetime.strptime(text or "", "%H:%M")  # noqa: DTZ007 - no moment, but a time of any day
    except ValueError:
        return None
    return at.hour * 60 + at.minute


def _date(view: View, block_id: str) -> date | None:
    try:
        return date.fromisoformat(field_value(view, block_id) or "")
    except ValueError:
        return None
