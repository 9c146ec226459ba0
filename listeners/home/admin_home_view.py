"""What only admins see in Home: the figures of the last 30 days, and every setting with its button. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.audit import OPERATOR
from domain.day_counts import counted
from domain.preferences import (
    CHANNEL_GETS,
    REMINDER_ESCALATION,
    REMINDER_HOURS,
    TELL_DRIS,
    working_hours,
)
from domain.workspace import ListedKey
from listeners.dialogs.blocks import Block, actions, button, confirm, context, divider, header, section
from listeners.dialogs.preference_menus import fresh_block_id, preference_menu
from listeners.home.admin_dialogs_view import (
    CHANGE_LIMITS,
    CHANGE_SIGNAL_CHANNELS,
    CHANNEL_HINT,
    LIMITS,
    SIGNALS_TITLE,
    TOP_RECIPIENTS_TITLE,
    limits_line,
    signal_channels_line,
)
from listeners.home.day_count_chart import chart, summary
from listeners.home.health_view import channel_picker
from listeners.intake.keys_view import HOW_TO_SEND, KEY_NAMES, KEY_TITLES, MAKE_KEY
from listeners.ownership.home_view import ownership_blocks, unmatched_line
from listeners.ownership.rule_list_view import PEOPLE
from listeners.salesforce.settings_view import salesforce_blocks
from services.home.home_state import HomeState
from services.home.mute_options import labels
from services.messages.wording import slack_time

SHOW_TOP_RECIPIENTS = "home_busiest"
CHANGE_REQUIRED = "home_mute_limits"
"""The action_ids of the buttons and menus."""

_MOST_NAMED = 3
_MOST_KEYS = 8


def overview_blocks(state: HomeState) -> Iterator[Block]:
    """The figures of the last 30 days, and who could not be matched."""
    overview = state.overview
    if overview is None:
        return
    yield section(f"*Last 30 days, by week*\n{summary(overview.day_counts)}")
    yield chart(overview.day_counts)
    if reported := overview.status.reported:
        yield context(f"🚩 {counted(reported, 'report')} of wrong data in the last 30 days.")
    top = overview.top_recipients
    named = " · ".join(f"<@{recipient.user_id}> {recipient.messages:,}" for recipient in top[:_MOST_NAMED])
    show_all = button("Show all…", SHOW_TOP_RECIPIENTS) if len(top) > _MOST_NAMED else None
    yield section(f"*{TOP_RECIPIENTS_TITLE}*\n{named or 'No direct messages in the last 30 days.'}", show_all)
    match = button("Match owners…", PEOPLE)
    yield section(f"*Unmatched owners*\n{unmatched_line(state.ownership)}", match, "unmatched")
    yield divider()


def settings_blocks(state: HomeState) -> Iterator[Block]:
    """Everything that an admin can change."""
    yield header("Settings")
    yield from _channels(state)
    yield from _reminders(state)
    if state.member:
        required = ", ".join(labels(state.member.required)) or "None. Everyone can mute any job change."
        yield section(f"*Required notifications*\n{required}", button("Change…", CHANGE_REQUIRED))
    yield divider()
    yield from salesforce_blocks(state)
    yield divider()
    yield from ownership_blocks(state)
    yield divider()
    yield from _sending(state)
    yield divider()
    limits = f"*{LIMITS.title}*\n{limits_line(state.workspace, state.retention_days)}"
    yield section(limits, button("Change…", CHANGE_LIMITS), "pace")


def _channels(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    if workspace.default_channel_id:  # otherwise the picker is at the top of Home
        text = f"*Default channel*\n<#{workspace.default_channel_id}>"
        yield section(text, channel_picker(workspace), fresh_block_id("channel", state))
        yield context(CHANNEL_HINT)
    yield preference_menu(TELL_DRIS, state)
    if workspace.tell_dris:  # otherwise every job change is posted in the channel
        yield preference_menu(CHANNEL_GETS, state)
    signals = f"*{SIGNALS_TITLE}*\n{signal_channels_line(workspace)}"
    yield section(signals, button("Change…", CHANGE_SIGNAL_CHANNELS), "signals")


def _reminders(state: HomeState) -> Iterator[Block]:
    yield preference_menu(REMINDER_HOURS, state)
    if hours := state.workspace.reminder_hours:
        yield preference_menu(REMINDER_ESCALATION, state, f"Escalate after {working_hours(hours, 'more ')}")
        yield context(REMINDER_HOURS.about)


def _sending(state: HomeState) -> Iterator[Block]:
    yield section(
        f"*Sending job changes*\nPOST job changes to `{state.intake_url}`, signed with a secret or with an API key."
    )
    buttons = [_key_button(kind, state) for kind in KEY_NAMES]
    yield from actions(*buttons, button("How to send", HOW_TO_SEND))
    if keys := "\n".join(_key_line(key) for key in state.keys[:_MOST_KEYS]):
        yield context(keys)


def _key_line(key: ListedKey) -> str:
    creator = "the operator" if key.made_by == OPERATOR else f"<@{key.made_by}>"
    until = f", valid until {slack_time(key.expires_at)}" if key.expires_at else ""
    return f"{KEY_TITLES[key.kind]}: created {slack_time(key.made_at)} by {creator}{until}"


def _key_button(kind: str, state: HomeState) -> Block:
    name = KEY_NAMES[kind]
    in_use = any(key.kind == kind and key.expires_at is None for key in state.keys)
    question = confirm(
        f"Rotate the {name}?", "The new one is shown once. The current one keeps working for 24 hours.", "Rotate"
    )
    verb = "Rotate" if in_use else "Create"
    return button(f"{verb} {name}", f"{MAKE_KEY}_{kind}", kind, confirm=question if in_use else None)
