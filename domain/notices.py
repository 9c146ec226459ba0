"""The kinds of notice that the app sends to the people who administer it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

NO_DEFAULT_CHANNEL = "no_default_channel"
DEFAULT_CHANNEL_BROKEN = "default_channel_broken"
SALESFORCE_BROKEN = "salesforce_broken"
SALESFORCE_CALLS_LOW = "salesforce_calls_low"
"""Notices that are given once."""


WELCOME, NUDGE = "welcome", "nudge"
"""Kinds: what is done and what is left after the app was added; and once more a day later, if something is left."""


NOT_ME = "not_me"
"""A kind: a member says that they are not an owner whom they were taken for."""


@dataclass(frozen=True)
class Notice:
    """
    A message to somebody, ours while *lease* is.

    *begun_at*: when somebody set out to send it; None: nobody did. *ts* None: we do not know that Slack has it.
    *shown*: a digest of what it says.
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


@dataclass(frozen=True)
class SetupSteps:
    """What there is to do once after the app was added, and is done. *rules* are optional."""

    salesforce: bool
    job_change: bool
    rules: bool
