"""The dialogs behind a member's part of Home, and what was entered in them. Pure.

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
from listeners.home.member_home_view import WEEKDAYS, clock, delivery_block
from services.home.home_state import PAGE_SIZE, MemberHome, RecentDeliveries
from services.home.mute_options import ALL, GROUPS, labels
from services.messages.available_actions import ActionKind
from services.messages.compose import ACTION
from services.slack.mrkdwn import escape

SAVE_HOURS, SAVE_MUTES, SAVE_ABSENCE = "my_reading_saved", "my_mutes_saved", "my_away_saved"
REPORT_NOT_ME, SAVE_REQUIRED = "my_not_me_saved", "home_mute_limits_saved"
"""The callback_ids of the dialogs."""

OLDER, NEWER, UNDO_NOT_ME = "my_lately_older", "my_lately_newer", "my_me_after_all"
REQUIRED_TITLE, NOT_ME_TITLE = "Required notifications", "Not my account"

DELIVERY, DIGEST_AT, WEEKDAY = "delivery", "digest_at", "weekday"
QUIET_FROM, QUIET_TO, WEEKENDS = "quiet_from", "quiet_to", "weekends"
FIRST, LAST, DELEGATE, OWNER = "first", "last", "delegate", "owner"
"""The block_ids, and action_ids, of the fields."""

_DELIVERIES = {DIRECT: "Each job change, right away", DAILY: "Daily digest", WEEKLY: "Weekly digest"}
_QUIET = "quiet"
_GROUPS = {"signals": "Signals", "changes": "Kinds of change", "segments": "Accounts"}
_EVERYTHING = "everything"
_LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""


def recent_deliveries_view(page: RecentDeliveries, user_id: str) -> View:
    """A page of the job changes sent to a member. The reason for each is behind a button."""
    blocks = []
    for delivery in page.deliveries:
        why = button("Why me?", f"{ACTION}{ActionKind.WHY}", str(delivery.delivery_id)) if delivery.job_change else None
        blocks.append(delivery_block(delivery, user_id, why))
    newer = [button("Newer", NEWER, str(max(0, page.skipped - PAGE_SIZE)))] if page.skipped else []
    older = [button("Older", OLDER, str(page.skipped + len(page.deliveries)))] if page.has_more else []
    pager: list[Block] = [{"type": "actions", "elements": [*newer, *older]}] if newer or older else []
    empty = [section("No more job changes in the last two weeks.")]
    return modal("Assigned to you", [*(blocks or empty), *pager])


def hours_view(member: MemberHome) -> View:
    hours = member.hours
    days = {str(number): day for number, day in enumerate(WEEKDAYS)}
    quiet_weekends = {_QUIET} if hours.quiet_weekends else ()
    weekends = _checkboxes(WEEKENDS, {_QUIET: "No messages on Saturdays and Sundays"}, quiet_weekends)
    blocks = [
        _input(DELIVERY, "Notify me about", _choice("radio_buttons", DELIVERY, _DELIVERIES, hours.delivery)),
        _input(DIGEST_AT, "Time of the digest", _time(DIGEST_AT, hours.digest_at)),
        _input(WEEKDAY, "Day of the weekly digest", _choice("static_select", WEEKDAY, days, str(hours.weekday))),
        _input(QUIET_FROM, "Quiet hours from", _time(QUIET_FROM, hours.quiet_from), optional=True),
        _input(QUIET_TO, "Quiet hours until", _time(QUIET_TO, hours.quiet_to), optional=True),
        _input(WEEKENDS, "Weekends", weekends, optional=True),
        context(
            "Times are in your Slack time zone. Quiet hours and weekends hold messages back until they are over;"
            " nothing is dropped. Channels get messages right away."
        ),
    ]
    return _form(SAVE_HOURS, "Notifications", "Save", blocks)


def entered_hours(view: View) -> NotificationHours:
    """What was chosen in `hours_view`, without a time zone."""
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


def mutes_view(member: MemberHome) -> View:
    """Everything that this member may mute."""
    everything = _checkboxes(_EVERYTHING, {EVERYTHING: ALL[EVERYTHING]}, member.muted)
    required = ", ".join(labels(member.required))
    blocks = [
        _input(_EVERYTHING, "Mute", everything, optional=True),
        *_option_groups(member.muted, without=member.required),
        *([context(f"Required by your admins: {required}.")] if required else []),
        context("Muted job changes go to the next person in the ownership rules, or to the channel."),
    ]
    return _form(SAVE_MUTES, "Muted job changes", "Save", blocks)


def required_notifications_view(required: Collection[str]) -> View:
    """What nobody can mute, for admins to choose."""
    intro = section("People always receive these job changes, even if they have muted them.")
    return _form(SAVE_REQUIRED, REQUIRED_TITLE, "Save", [intro, *_option_groups(required)])


def chosen_options(view: View) -> frozenset[str]:
    """What was ticked in `mutes_view` or `required_notifications_view`."""
    names = (_EVERYTHING, *GROUPS)
    return frozenset(option for name in names for option in field_value(view, name) or () if option in ALL)


def offered_options(view: View) -> frozenset[str]:
    """What could be ticked there."""
    elements = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    return frozenset(option["value"] for element in elements for option in element.get("options", ()))


def absence_view(member: MemberHome) -> View:
    """From when until when a member is out of office, and who gets their job changes."""
    today = datetime.fromtimestamp(member.shown_at / 1_000, zone_of(member.hours.tz)).date()
    first = {"type": "datepicker", "action_id": FIRST, "initial_date": today.isoformat()}
    last = {"type": "datepicker", "action_id": LAST, "placeholder": plain("Choose a date")}
    delegate = {"type": "users_select", "action_id": DELEGATE, "placeholder": plain("Choose a person")}
    delegate_hint = "Gets your job changes. If empty, the next person in the ownership rules or the channel gets them."
    blocks = [
        _input(FIRST, "First day", first, optional=True),
        _input(LAST, "Last day", last, "Leave this empty for no end date.", optional=True),
        _input(DELEGATE, "Delegate", delegate, delegate_hint, optional=True),
    ]
    return _form(SAVE_ABSENCE, "Out of office", "Save", blocks)


def entered_absence(view: View) -> tuple[date | None, date | None, str | None]:
    """The first day, the last day, and the Slack user id of the delegate."""
    return _date(view, FIRST), _date(view, LAST), field_value(view, DELEGATE) or None


def not_me_view(member: MemberHome) -> View:
    """The owners a member is matched to, to report one as not theirs; and the reported ones, to undo that."""
    identities = [identity for identity in member.identities if len(identity.owner) <= _LONGEST_VALUE]
    owners = {identity.owner: ", ".join(filter(None, [identity.name, identity.owner]))[:75] for identity in identities}
    reported = [
        section(f"You reported `{escape(owner, 200)}` as not your account.", button("Undo", UNDO_NOT_ME, owner))
        for owner in member.not_me[:20]
    ]
    if not owners:
        return modal(NOT_ME_TITLE, reported or [section("You are not matched to a Salesforce owner.")])
    choice = _choice("radio_buttons", OWNER, owners, None)
    hint = "You no longer get this owner's job changes, and your admins are notified."
    blocks = [_input(OWNER, "Which account is not yours?", choice, hint), *reported]
    return _form(REPORT_NOT_ME, NOT_ME_TITLE, "Not my account", blocks)


def chosen_owner(view: View) -> str:
    return str(field_value(view, OWNER))


def _option_groups(ticked: Collection[str], without: Collection[str] = ()) -> list[Block]:
    groups = {
        name: {option: label for option, label in options.items() if option not in without}
        for name, options in GROUPS.items()
    }
    return [
        _input(name, _GROUPS[name], _checkboxes(name, options, ticked), optional=True)
        for name, options in groups.items()
        if options
    ]


def _form(callback_id: str, title: str, submit: str, blocks: list[Block]) -> View:
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
    """The minutes after midnight of a time such as 17:05. None when the field is empty or not a time."""
    try:
        at = datetime.strptime(text or "", "%H:%M")  # noqa: DTZ007 - a time of day, not a moment
    except ValueError:
        return None
    return at.hour * 60 + at.minute


def _date(view: View, block_id: str) -> date | None:
    try:
        return date.fromisoformat(field_value(view, block_id) or "")
    except ValueError:
        return None
