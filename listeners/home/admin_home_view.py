"""What only admins see in Home: the figures of the last 30 days, and every setting with its button. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.audit import OPERATOR
from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER, NO_ESCALATION, REMINDER_HOURS
from domain.workspace import ListedKey
from listeners.dialogs.blocks import Block, button, context, header, menu, plain, section
from listeners.home.admin_dialogs_view import (
    CHANGE_LIMITS,
    CHANGE_SIGNAL_CHANNELS,
    CHANNEL_HINT,
    LIMITS_TITLE,
    SIGNALS_TITLE,
    TOP_RECIPIENTS_TITLE,
    limits_line,
    signal_channels_line,
)
from listeners.home.day_count_chart import chart, summary
from listeners.home.health_view import channel_picker, fresh_block_id
from listeners.intake.keys_view import HOW_TO_SEND, KEY_NAMES, KEY_TITLES, MAKE_KEY
from listeners.ownership.home_view import ownership_blocks, unmatched_line
from listeners.ownership.rule_list_view import PEOPLE
from listeners.salesforce.settings_view import salesforce_blocks
from services.home.home_state import HomeState, Overview
from services.home.mute_options import labels
from services.messages.wording import slack_time

SHOW_TOP_RECIPIENTS = "home_busiest"
CHANNEL_GETS = "home_channel_gets"
TELL_DRIS = "home_tell_dris"
REMINDER_HOURS_CHOSEN = "home_reminder_hours"
REMINDER_ESCALATION_CHOSEN = "home_reminder_escalation"
CHANGE_REQUIRED = "home_mute_limits"
"""The action_ids of the buttons and menus."""

_CHANNEL_GETS = {"unmatched": "Unassigned only", "everything": "Every job change"}
_TELL_DRIS = {"yes": "Yes", "no": "No, post in the channel only"}
_ESCALATIONS = {
    NO_ESCALATION: "Do not escalate",
    ESCALATE_TO_MANAGER: "To their manager in Salesforce",
    ESCALATE_TO_CHANNEL: "To the channel",
}
_REMINDER_HINT = (
    "Working hours are 9:00 to 17:00, Monday to Friday, in each person's time zone. Nobody is reminded of a job change"
    " that they have taken, reassigned, snoozed, muted or reported. Changes apply to new messages."
)
_MOST_NAMED = 3
_MOST_KEYS = 8
_DIVIDER: Block = {"type": "divider"}


def overview_blocks(state: HomeState) -> Iterator[Block]:
    """The figures of the last 30 days, and who could not be matched."""
    overview = state.overview
    if overview is None:
        return
    yield section(f"*Last 30 days, by week*\n{summary(overview.day_counts)}")
    yield chart(overview.day_counts)
    if reported := overview.status.reported:
        reports = "1 report" if reported == 1 else f"{reported:,} reports"
        yield context(f"🚩 {reports} of wrong data in the last 30 days.")
    yield section(f"*{TOP_RECIPIENTS_TITLE}*\n{_top_recipients(overview)}", _show_all(overview))
    match = button("Match owners…", PEOPLE)
    yield section(f"*Unmatched owners*\n{unmatched_line(state.ownership)}", match, "unmatched")
    yield _DIVIDER


def settings_blocks(state: HomeState) -> Iterator[Block]:
    """Everything that an admin can change."""
    yield header("Settings")
    yield from _channels(state)
    yield from _reminders(state)
    if state.member:
        required = ", ".join(labels(state.member.required)) or "None. Everyone can mute any job change."
        yield section(f"*Required notifications*\n{required}", button("Change…", CHANGE_REQUIRED))
    yield _DIVIDER
    yield from salesforce_blocks(state)
    yield _DIVIDER
    yield from ownership_blocks(state)
    yield _DIVIDER
    yield from _sending(state)
    yield _DIVIDER
    limits = f"*{LIMITS_TITLE}*\n{limits_line(state.workspace, state.retention_days)}"
    yield section(limits, button("Change…", CHANGE_LIMITS), "pace")


def _top_recipients(overview: Overview) -> str:
    named = [f"<@{top.user_id}> {top.messages:,}" for top in overview.top_recipients[:_MOST_NAMED]]
    return " · ".join(named) if named else "No direct messages in the last 30 days."


def _show_all(overview: Overview) -> Block | None:
    return button("Show all…", SHOW_TOP_RECIPIENTS) if len(overview.top_recipients) > _MOST_NAMED else None


def _channels(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    if workspace.default_channel_id:  # otherwise the picker is at the top of Home
        text = f"*Default channel*\n<#{workspace.default_channel_id}>"
        yield section(text, channel_picker(workspace), fresh_block_id("channel", state))
        yield context(CHANNEL_HINT)
    tell_dris = menu(TELL_DRIS, _TELL_DRIS, "yes" if workspace.tell_dris else "no")
    yield section("*Send DMs to DRIs*", tell_dris, fresh_block_id("tell", state))
    if workspace.tell_dris:  # otherwise every job change is posted in the channel
        gets = menu(CHANNEL_GETS, _CHANNEL_GETS, workspace.channel_gets)
        yield section("*Post in the channel*", gets, fresh_block_id("gets", state))
    signals = f"*{SIGNALS_TITLE}*\n{signal_channels_line(workspace)}"
    yield section(signals, button("Change…", CHANGE_SIGNAL_CHANNELS), "signals")


def _reminders(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    choices = {str(hours): f"After {_working_hours(hours)}" if hours else "Never" for hours in REMINDER_HOURS}
    chosen = workspace.reminder_hours if workspace.reminder_hours in REMINDER_HOURS else 0
    hours = menu(REMINDER_HOURS_CHOSEN, choices, str(chosen))
    yield section("*Remind people who have not acted*", hours, fresh_block_id("remind", state))
    if not chosen:
        return
    escalation = workspace.reminder_escalation if workspace.reminder_escalation in _ESCALATIONS else NO_ESCALATION
    then = menu(REMINDER_ESCALATION_CHOSEN, _ESCALATIONS, escalation)
    text = f"*Escalate after {_working_hours(chosen, 'more ')}*"
    yield section(text, then, fresh_block_id("escalate", state))
    yield context(_REMINDER_HINT)


def _working_hours(hours: int, more: str = "") -> str:
    return f"{hours} {more}working hour{'' if hours == 1 else 's'}"


def _sending(state: HomeState) -> Iterator[Block]:
    yield section(
        f"*Sending job changes*\nPOST job changes to `{state.intake_url}`, signed with a secret or with an API key."
    )
    buttons = [_key_button(kind, state) for kind in KEY_NAMES]
    yield {"type": "actions", "elements": [*buttons, button("How to send", HOW_TO_SEND)]}
    if keys := "\n".join(_key_line(key) for key in state.keys[:_MOST_KEYS]):
        yield context(keys)


def _key_line(key: ListedKey) -> str:
    creator = "the operator" if key.made_by == OPERATOR else f"<@{key.made_by}>"
    until = f", valid until {slack_time(key.expires_at)}" if key.expires_at else ""
    return f"{KEY_TITLES[key.kind]}: created {slack_time(key.made_at)} by {creator}{until}"


def _key_button(kind: str, state: HomeState) -> Block:
    name = KEY_NAMES[kind]
    in_use = any(key.kind == kind and key.expires_at is None for key in state.keys)
    press = button(f"{'Rotate' if in_use else 'Create'} {name}", f"{MAKE_KEY}_{kind}", kind)
    if not in_use:
        return press
    confirm = {
        "title": plain(f"Rotate the {name}?"),
        "text": plain("The new one is shown once. The current one keeps working for 24 hours."),
        "confirm": plain("Rotate"),
        "deny": plain("Cancel"),
    }
    return press | {"confirm": confirm}
