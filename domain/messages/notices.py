"""The notices that the app sends to the people who administer it: their kinds, and the setup checklist. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from domain.workspace import Workspace

NO_DEFAULT_CHANNEL = "no_default_channel"
DEFAULT_CHANNEL_BROKEN = "default_channel_broken"
SALESFORCE_BROKEN = "salesforce_broken"
SALESFORCE_CALLS_LOW = "salesforce_calls_low"
SLACK_TOKEN_ENDS = "slack_token_ends"  # noqa: S105
WEBHOOK_OFF = "webhook_off"
CARD_BUTTONS_REFUSED = "card_buttons_refused"
"""Problems that only an admin can fix."""

WELCOME, NUDGE = "welcome", "nudge"
"""The checklist after installing, and a reminder a day later if steps are left."""

NOT_ME = "not_me"
"""A member reported that a Salesforce account is not theirs."""


@dataclass(frozen=True)
class Notice:
    """
    A direct message to an admin, claimed under `lease` until `lease_until`, in milliseconds.

    `begun_at` is when sending it began, None if it has not. `ts` None means that Slack is not known to have it.
    `shown` is a digest of the text it shows.
    """

    id: str
    workspace_id: str
    kind: str
    user_id: str
    made_at: int
    attempts: int
    begun_at: int | None
    channel: str | None
    ts: str | None
    shown: str | None
    lease: str
    lease_until: int


class SetupSteps(IntFlag):
    """
    Which steps of the setup are done.

    A notice stores the steps that its message shows, so these values never change.
    """

    CHANNEL = 1  # there is a default channel, and the app can post in it
    SALESFORCE = 2
    JOB_CHANGE = 4  # one was received from a sender, or as a test
    RULES = 8  # ownership rules were published, or the default was kept
    SENDER = 16  # there is a key for a sender, an import from Salesforce, or a job change that is not a test


ALL_STEPS = SetupSteps(31)


@dataclass(frozen=True)
class ChecklistItem:
    """A step, whether it is done, and its line in mrkdwn."""

    step: SetupSteps
    is_done: bool
    line: str


_DONE = {
    SetupSteps.SALESFORCE: "Salesforce connected",
    SetupSteps.RULES: "Ownership rules published",
    SetupSteps.SENDER: "Job changes have a source",
    SetupSteps.JOB_CHANGE: "First job change received",
}
_TO_DO = {
    SetupSteps.SALESFORCE: "*Connect Salesforce*, so that owners can be looked up",
    SetupSteps.RULES: (
        "*Choose who is responsible* under *Ownership (DRIs)*, or keep the default: the owner of the record"
    ),
    SetupSteps.SENDER: "*Add a source of job changes*: create a key for a sender, or import from Salesforce",
    SetupSteps.JOB_CHANGE: "*Send a test* job change to yourself, or wait for the first one",
}


def checklist(workspace: Workspace, steps: SetupSteps) -> list[ChecklistItem]:
    """The steps of the setup in the order in which they are best done, as the welcome message and Home show them."""
    channel = f"<#{workspace.default_channel_id}>"
    line = "⬜ *Choose a default channel* for job changes without a DRI"
    if SetupSteps.CHANNEL in steps:
        line = f"✅ Default channel: {channel}"
    elif workspace.default_channel_id:
        line = f"⚠️ Default channel: the app cannot post in {channel}"
    items = [ChecklistItem(SetupSteps.CHANNEL, SetupSteps.CHANNEL in steps, line)]
    for step, done in _DONE.items():
        is_done = step in steps
        items.append(ChecklistItem(step, is_done, f"✅ {done}" if is_done else f"⬜ {_TO_DO[step]}"))
    return items
