"""How an admin chooses whether people are reminded, and who is told after that. Pure."""

from __future__ import annotations

from domain.preferences import ESCALATE_TO_CHANNEL, ESCALATE_TO_MANAGER, NO_ESCALATION, REMINDER_HOURS
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, context, section, select

REMINDER_HOURS_CHOSEN = "home_reminder_hours"
REMINDER_ESCALATION_CHOSEN = "home_reminder_escalation"

_ESCALATIONS = {
    NO_ESCALATION: "Nobody",
    ESCALATE_TO_MANAGER: "Their manager in Salesforce",
    ESCALATE_TO_CHANNEL: "The channel",
}
_HINT = (
    "Working hours are nine to five, Monday to Friday, in the reader's own time zone. Whoever takes it, hands it"
    " on, puts it off, mutes it or reports it is not reminded. Applies to what is told from now on."
)


def reminder_blocks(workspace: Workspace, shown_at: int) -> list[Block]:
    """*shown_at*, in milliseconds, makes new block ids: with the old ones Slack keeps showing what was picked."""
    hours = {str(each): _waiting(each) for each in REMINDER_HOURS}
    chosen = workspace.reminder_hours if workspace.reminder_hours in REMINDER_HOURS else 0
    menu = select(REMINDER_HOURS_CHOSEN, hours, str(chosen))
    blocks = [section("*Remind people who have not acted?*", menu, f"remind-{shown_at}")]
    if not chosen:
        return blocks
    escalation = workspace.reminder_escalation if workspace.reminder_escalation in _ESCALATIONS else NO_ESCALATION
    then = select(REMINDER_ESCALATION_CHOSEN, _ESCALATIONS, escalation)
    told = f"*After {_hours(chosen)} more, tell*"
    return [*blocks, section(told, then, f"escalate-{shown_at}"), context(_HINT)]


def _waiting(hours: int) -> str:
    return f"After {_hours(hours)}" if hours else "No"


def _hours(hours: int) -> str:
    return "one working hour" if hours == 1 else f"{hours} working hours"
