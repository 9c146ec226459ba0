"""The dialogs behind a member's part of Home: their forms, rendering, and what was entered in them. Pure.

https://docs.slack.dev/surfaces/modals
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from domain import preferences
from domain.notification_hours import MORNING, NotificationHours, zone_of
from domain.preferences import EVERYTHING, QUIET_WEEKENDS
from listeners.dialogs.blocks import Block, View, button, context, modal, section
from listeners.dialogs.form import Choice, Day, Entered, Form, Several, TimeOfDay, User
from listeners.home.member_home_view import owner_text
from services.home.home_state import MemberHome
from services.home.mute_options import ALL, GROUPS, labels

UNDO_NOT_ME = "my_me_after_all"
LONGEST_VALUE = 150
"""https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""

_QUIET = "quiet"

DELIVERY = Choice.of(preferences.DELIVERY, radio=True)
DIGEST_AT = TimeOfDay("digest_at", preferences.DIGEST_AT.label, placeholder="Choose a time")
WEEKDAY = Choice.of(preferences.WEEKDAY)
QUIET_FROM = TimeOfDay("quiet_from", preferences.QUIET_FROM.label, placeholder="Choose a time", optional=True)
QUIET_TO = TimeOfDay("quiet_to", preferences.QUIET_TO.label, placeholder="Choose a time", optional=True)
WEEKENDS = Several("weekends", QUIET_WEEKENDS.label, {_QUIET: QUIET_WEEKENDS.label_of(True)}, optional=True)
HOURS_FORM = Form(
    "my_reading_saved",
    "Notifications",
    "Save",
    (DELIVERY, DIGEST_AT, WEEKDAY, QUIET_FROM, QUIET_TO, WEEKENDS),
    for_members=True,
)

_EVERYTHING = Several("everything", "Mute", {EVERYTHING: ALL[EVERYTHING]}, optional=True)
_GROUPS = [
    Several(name, label, GROUPS[name], optional=True)
    for name, label in {"signals": "Signals", "changes": "Kinds of change", "segments": "Accounts"}.items()
]
MUTES_FORM = Form("my_mutes_saved", "Muted job changes", "Save", (_EVERYTHING, *_GROUPS), for_members=True)
REQUIRED_FORM = Form("home_mute_limits_saved", "Required notifications", "Save", _GROUPS)

FIRST = Day("first", "First day", optional=True)
LAST = Day("last", "Last day", hint="Leave this empty for no end date.", placeholder="Choose a date", optional=True)
DELEGATE = User(
    "delegate",
    "Delegate",
    hint="Gets your job changes. If empty, the next person in the ownership rules or the channel gets them.",
    placeholder="Choose a person",
    optional=True,
)
ABSENCE_FORM = Form("my_away_saved", "Out of office", "Save", (FIRST, LAST, DELEGATE), for_members=True)

OWNER = Choice(
    "owner",
    "Which account is not yours?",
    hint="You no longer get this owner's job changes, and your admins are notified.",
    radio=True,
)
NOT_ME_FORM = Form("my_not_me_saved", "Not my account", "Not my account", (OWNER,), for_members=True)


def hours_view(member: MemberHome) -> View:
    hours = member.hours
    times = (
        "Times are in your Slack time zone. Quiet hours and weekends hold messages back until they are over;"
        " nothing is dropped. Channels get messages right away."
    )
    return HOURS_FORM.view(
        [
            DELIVERY.block(hours.delivery),
            DIGEST_AT.block(hours.digest_at),
            WEEKDAY.block(str(hours.weekday)),
            QUIET_FROM.block(hours.quiet_from),
            QUIET_TO.block(hours.quiet_to),
            WEEKENDS.block({_QUIET} if hours.quiet_weekends else ()),
            context(times),
        ]
    )


def entered_hours(entered: Entered) -> NotificationHours:
    """What was chosen in HOURS_FORM, without a time zone."""
    digest_at = entered[DIGEST_AT]
    return NotificationHours(
        delivery=entered[DELIVERY],
        digest_at=MORNING if digest_at is None else digest_at,
        weekday=int(entered[WEEKDAY]),
        quiet_from=entered[QUIET_FROM],
        quiet_to=entered[QUIET_TO],
        quiet_weekends=_QUIET in entered[WEEKENDS],
    )


def mutes_view(member: MemberHome) -> View:
    """Everything that this member may mute."""
    required = ", ".join(labels(member.required))
    return MUTES_FORM.view(
        [
            _EVERYTHING.block(member.muted),
            *_option_groups(member.muted, without=member.required),
            *([context(f"Required by your admins: {required}.")] if required else []),
            context("Muted job changes go to the next person in the ownership rules, or to the channel."),
        ]
    )


def required_notifications_view(required: Collection[str]) -> View:
    """What nobody can mute, for admins to choose."""
    intro = section("People always receive these job changes, even if they have muted them.")
    return REQUIRED_FORM.view([intro, *_option_groups(required)])


def chosen_options(entered: Entered) -> frozenset[str]:
    """What was ticked in MUTES_FORM or REQUIRED_FORM."""
    return frozenset(option for group in (_EVERYTHING, *_GROUPS) for option in entered[group])


def offered_options(view: View) -> frozenset[str]:
    """What could be ticked there."""
    elements = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    return frozenset(option["value"] for element in elements for option in element.get("options", ()))


def absence_view(member: MemberHome) -> View:
    """From when until when a member is out of office, and who gets their job changes: the stored dates, or today."""
    absence, zone = member.absence, zone_of(member.hours.tz)
    first = absence.since if absence else member.shown_at
    last = absence.until - 1 if absence and absence.until else None  # `until` is the midnight after the last day
    days = [datetime.fromtimestamp(at / 1_000, zone).date() if at else None for at in (first, last)]
    return ABSENCE_FORM.view(
        [FIRST.block(days[0]), LAST.block(days[1]), DELEGATE.block(absence.delegate if absence else None)]
    )


def not_me_view(member: MemberHome) -> View:
    """The owners a member is matched to, to report one as not theirs; and the reported ones, to undo that."""
    identities = [identity for identity in member.identities if len(identity.owner) <= LONGEST_VALUE]
    owners = {identity.owner: ", ".join(filter(None, [identity.name, identity.owner])) for identity in identities}
    reported = [
        section(
            f"You reported that this is not your account: {owner_text(owner, name)}.",
            button("Undo", UNDO_NOT_ME, owner),
        )
        for owner, name in list(member.not_me.items())[:20]
    ]
    if not owners:
        return modal(NOT_ME_FORM.title, reported or [section("You are not matched to a Salesforce owner.")])
    return NOT_ME_FORM.view([replace(OWNER, choices=owners).block(), *reported])


def _option_groups(ticked: Collection[str], without: Collection[str] = ()) -> list[Block]:
    left = [
        replace(group, choices={option: label for option, label in group.choices.items() if option not in without})
        for group in _GROUPS
    ]
    return [group.block(ticked) for group in left if group.choices]
