"""What only admins see in Home: the setup checklist, and every setting with its control, section by section. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.audit import OPERATOR
from domain.day_counts import counted
from domain.messages.notices import SetupSteps
from domain.preferences import (
    CHANNEL_GETS,
    REMINDER_ESCALATION,
    REMINDER_HOURS,
    TELL_DRIS,
    Preference,
    duration,
    working_hours,
)
from listeners.dialogs.blocks import Block, actions, button, confirm, context, header, menu, section
from listeners.home.admin_dialogs_view import (
    CHANGE_LIMITS,
    CHANGE_SIGNAL_CHANNELS,
    CHANNEL_HINT,
    LIMITS,
    SIGNALS_TITLE,
)
from listeners.home.health_view import channel_picker, on_hold
from listeners.intake.keys_view import (
    HOW_TO_SEND,
    KEY_NAMES,
    KEY_TITLES,
    MAKE_KEY,
    REVOKE_KEYS,
    REVOKED_AT_ONCE,
    SENDERS,
    added_senders,
)
from listeners.intake.mappings_view import MAPPINGS
from listeners.intake.mappings_view import TITLE as MAPPINGS_TITLE
from listeners.messages.card_buttons_view import CHANGE_BUTTONS, buttons_line
from listeners.messages.card_buttons_view import TITLE as BUTTONS_TITLE
from listeners.messages.webhook_view import CHANGE_WEBHOOK, webhook_line
from listeners.ownership.home_view import KEEP_DEFAULT, unmatched_line, who_is_notified
from listeners.ownership.rule_list_view import OPEN, PEOPLE
from listeners.ownership.rule_list_view import TITLE as OWNERSHIP_TITLE
from listeners.salesforce.settings_view import CONNECT, salesforce_blocks
from services.home.home_state import HomeState
from services.home.mute_options import SIGNALS, labels
from services.messages.wording import slack_time

SHOW_STATISTICS = "home_busiest"
CHANGE_REQUIRED = "home_mute_limits"
SEND_TEST = "home_send_test"
"""The action_ids of the buttons and menus."""

PREFERENCE_ACTIONS = {
    "home_tell_dris": TELL_DRIS,
    "home_channel_gets": CHANNEL_GETS,
    "home_reminder_hours": REMINDER_HOURS,
    "home_reminder_escalation": REMINDER_ESCALATION,
}
"""The preferences with a menu in Home, by its action_id. The others are changed in dialogs."""

_ACTION_IDS = {row.name: action_id for action_id, row in PREFERENCE_ACTIONS.items()}

_MOST_KEYS = 8


def setup_blocks(state: HomeState) -> Iterator[Block]:
    """The setup checklist with a control for each open step. Nothing once all steps are done."""
    if state.is_set_up:
        return
    yield header("Setup")
    for item in state.setup:
        if not item.is_done:
            yield from _open_step(state, item.step, item.line)
    if done := [item.line for item in state.setup if item.is_done]:
        yield context("\n".join(done))


def _open_step(state: HomeState, step: SetupSteps, line: str) -> Iterator[Block]:
    match step:
        case SetupSteps.CHANNEL:
            text = f"{line}.{on_hold(state)}"
            yield section(text, channel_picker(state.workspace), _fresh_block_id("no-channel", state))
        case SetupSteps.SALESFORCE:
            yield section(f"{line}.", button("Connect Salesforce", CONNECT))
        case SetupSteps.RULES:
            yield section(f"{line}.", button(OWNERSHIP_TITLE, OPEN))
            yield from actions(button("Keep the default", KEEP_DEFAULT))
        case SetupSteps.SENDER:
            yield section(f"{line}.", button("How to send", HOW_TO_SEND))
        case SetupSteps.JOB_CHANGE:
            yield section(f"{line}.", button("Send a test", SEND_TEST))


def sources_blocks(state: HomeState) -> Iterator[Block]:
    """Where job changes come from, and the Salesforce in which their owners are looked up."""
    yield header("Sources")
    yield from salesforce_blocks(state)
    yield from _senders(state)
    mapped = "Map the fields of a sender's own rows to those of a job change."
    yield section(f"*{MAPPINGS_TITLE}*\n{mapped}", button("Change…", MAPPINGS))


def routing_blocks(state: HomeState) -> Iterator[Block]:
    """The section on who gets a job change, and which channel."""
    workspace = state.workspace
    yield header("Routing")
    if workspace.default_channel_id:  # otherwise the picker is in the setup checklist
        text = f"*Default channel*\n<#{workspace.default_channel_id}>"
        yield section(text, channel_picker(workspace), _fresh_block_id("channel", state))
        yield context(CHANNEL_HINT)
    channels = workspace.signal_channels
    own = [f"{label}: <#{channels[signal]}>" for signal, label in SIGNALS.items() if signal in channels]
    signals = " · ".join(own) or "All signals use the default channel."
    yield section(f"*{SIGNALS_TITLE}*\n{signals}", button("Change…", CHANGE_SIGNAL_CHANNELS), "signals")
    draft = " There is an unpublished draft." if state.ownership.has_draft else ""
    rules = f"*{OWNERSHIP_TITLE}*\n{who_is_notified(state.ownership)}{draft}"
    yield section(rules, button("Change…", OPEN), "ownership")
    unmatched = f"*Unmatched owners*\n{unmatched_line(state)}"
    yield section(unmatched, button("Match owners…", PEOPLE), "unmatched")


def policy_blocks(state: HomeState) -> Iterator[Block]:
    """When people are notified, and what they cannot mute."""
    yield header("Notification policy")
    yield _preference_menu(TELL_DRIS, state)
    if state.workspace.tell_dris:  # otherwise every job change is posted in the channel
        yield _preference_menu(CHANNEL_GETS, state)
    yield _preference_menu(REMINDER_HOURS, state)
    if hours := state.workspace.reminder_hours:
        yield _preference_menu(REMINDER_ESCALATION, state, f"Escalate after {working_hours(hours, 'more ')}")
        yield context(REMINDER_HOURS.about)
    if state.member:
        required = ", ".join(labels(state.member.required)) or "None. Everyone can mute any job change."
        yield section(f"*Required notifications*\n{required}", button("Change…", CHANGE_REQUIRED), "required")
    added = f"*{BUTTONS_TITLE}*\n{buttons_line(state.workspace)}"
    yield section(added, button("Change…", CHANGE_BUTTONS), "card-buttons")


def limits_blocks(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    yield header(LIMITS.title)
    days = min(workspace.retention_days or state.retention_days, state.retention_days)  # the operator's limit
    calls = f" and calls it up to {workspace.salesforce_daily_calls:,} times a day" if state.salesforce else ""
    limits = (
        f"Up to {workspace.posts_per_minute:,} messages a minute."
        f" Waits up to {duration(workspace.salesforce_patience_minutes)} for Salesforce{calls}."
        f" Keeps personal data for {counted(days, 'day')}."
    )
    yield section(limits, button("Change…", CHANGE_LIMITS), "pace")
    yield section(f"*Outgoing webhook*\n{webhook_line(state.webhook)}", button("Change…", CHANGE_WEBHOOK), "webhook")


def _senders(state: HomeState) -> Iterator[Block]:
    """The address for senders, and their keys."""
    yield section(
        f"*Senders*\nPOST job changes to `{state.intake_url}` with a signing secret or an API key."
        f" {added_senders(state.sender_keys)}",
        button("How to send", HOW_TO_SEND),
    )
    keys_of_kinds = (element for kind in KEY_NAMES for element in _key_buttons(kind, state))
    yield from actions(*keys_of_kinds, button("Senders…", SENDERS))
    lines = []
    for key in state.keys[:_MOST_KEYS]:
        creator = "the operator" if key.made_by == OPERATOR else f"<@{key.made_by}>"
        until = f", valid until {slack_time(key.expires_at)}" if key.expires_at else ""
        lines.append(f"{KEY_TITLES[key.kind]}: created {slack_time(key.made_at)} by {creator}{until}")
    if len(state.keys) > _MOST_KEYS:
        lines.append(f"and {counted(len(state.keys) - _MOST_KEYS, 'more key')}")
    if lines:
        yield context("\n".join(lines))


def _key_buttons(kind: str, state: HomeState) -> Iterator[Block]:
    name = KEY_NAMES[kind]
    keys = [key for key in state.keys if key.kind == kind and key.sender is None]
    in_use = any(key.expires_at is None for key in keys)
    question = confirm(
        f"Rotate the {name}?", "The new one is shown once. The current one keeps working for 24 hours.", "Rotate"
    )
    verb = "Rotate" if in_use else "Create"
    yield button(f"{verb} {name}", f"{MAKE_KEY}_{kind}", kind, confirm=question if in_use else None)
    if keys:
        question = confirm(f"Revoke the {name}?", REVOKED_AT_ONCE, "Revoke", style="danger")
        yield button(f"Revoke {name}", f"{REVOKE_KEYS}_{kind}", kind, confirm=question)


def _preference_menu(row: Preference, state: HomeState, label: str | None = None) -> Block:
    """The menu of a preference, with its current value. `label` replaces the one in the table."""
    current = getattr(state.workspace, row.name)
    choices = row.choices(current)
    chosen = row.text_of(current) if row.text_of(current) in choices else row.text_of(row.default)
    block_id = _fresh_block_id(row.name, state)
    return section(f"*{label or row.label}*", menu(_ACTION_IDS[row.name], choices, chosen), block_id)


def _fresh_block_id(name: str, state: HomeState) -> str:
    """A new block_id each time: with the old one, Slack keeps showing what was picked even if it was refused."""
    return f"{name}-{state.shown_at}"
