"""The kinds of notice that the app sends to the people who administer it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

NO_DEFAULT_CHANNEL = "no_default_channel"
DEFAULT_CHANNEL_BROKEN = "default_channel_broken"
SALESFORCE_BROKEN = "salesforce_broken"
SALESFORCE_CALLS_LOW = "salesforce_calls_low"
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
    Which steps of the setup are done. Rules are optional.

    A notice stores the steps that its message shows, so these values never change.
    """

    CHANNEL = 1  # there is a default channel, and the app can post in it
    SALESFORCE = 2
    JOB_CHANGE = 4
    RULES = 8
