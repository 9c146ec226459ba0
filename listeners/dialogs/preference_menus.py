"""The menus in Home that change a preference of the workspace. Pure."""

from __future__ import annotations

from domain.preferences import (
    CHANNEL_GETS,
    REMINDER_ESCALATION,
    REMINDER_HOURS,
    TELL_DRIS,
    Preference,
)
from listeners.dialogs.blocks import Block, menu, section
from services.home.home_state import HomeState

PREFERENCE_ACTIONS = {
    "home_tell_dris": TELL_DRIS,
    "home_channel_gets": CHANNEL_GETS,
    "home_reminder_hours": REMINDER_HOURS,
    "home_reminder_escalation": REMINDER_ESCALATION,
}
"""The preferences that are changed right there, by the action_id of their menu. Dialogs change the others."""

_ACTION_IDS = {row.name: action_id for action_id, row in PREFERENCE_ACTIONS.items()}


def preference_menu(row: Preference, state: HomeState, label: str | None = None) -> Block:
    """The menu of a preference, with its current value. `label` replaces the one in the table."""
    current = getattr(state.workspace, row.name)
    choices = row.choices(current)
    chosen = row.text_of(current) if row.text_of(current) in choices else row.text_of(row.default)
    block_id = fresh_block_id(row.name, state)
    return section(f"*{label or row.label}*", menu(_ACTION_IDS[row.name], choices, chosen), block_id)


def fresh_block_id(name: str, state: HomeState) -> str:
    """A new block_id each time: with the old one, Slack keeps showing what was picked even if it was refused."""
    return f"{name}-{state.shown_at}"
