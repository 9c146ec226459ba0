"""The ownership sections of App Home: who is notified, and for admins the rules and unmatched owners. Pure."""

from __future__ import annotations

from listeners.dialogs.mentions import mention
from services.home.home_state import HomeState, OwnershipState

KEEP_DEFAULT = "home_keep_default_owners"
MOST_COUNTED = 100


def who_is_notified(ownership: OwnershipState) -> str:
    """A sentence for members, who cannot see the rules."""
    if not ownership.version or ownership.published_by is None:
        return (
            "The contact owner in Salesforce, else the account owner, else the lead owner, else the person named by the"
            " source of the job change."
        )
    return (
        f"Decided by the ownership rules, version {ownership.version}, published by {mention(ownership.published_by)}."
    )


def unmatched_line(state: HomeState) -> str:
    """The number of unmatched owners."""
    ownership = state.ownership
    if not ownership.unmatched:
        is_connected = state.salesforce is not None
        return "All owners are matched to Slack members." if is_connected else "Salesforce is not connected yet."
    if ownership.unmatched == 1:
        return (
            ":warning: 1 owner matches no Slack member, so their job changes go to a channel. Match them to a member."
        )
    count = f"{MOST_COUNTED} or more" if ownership.unmatched >= MOST_COUNTED else str(ownership.unmatched)
    problem = f"{count} owners match no Slack member, so their job changes go to a channel"
    return f":warning: {problem}. Match them to members."
