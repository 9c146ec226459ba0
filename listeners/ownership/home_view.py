"""What App Home says of ownership: who is told, and for admins how the rules stand and who was not found. Pure."""

from __future__ import annotations

from listeners.dialogs.blocks import Block, button, section
from listeners.dialogs.mentions import mention
from listeners.ownership.rule_list_view import OPEN
from services.home.home_state import HomeState, OwnershipState

MOST_COUNTED = 100


def ownership_blocks(state: HomeState) -> list[Block]:
    """For admins."""
    draft = " A draft is waiting to be published." if state.ownership.has_draft else ""
    text = f"*Ownership (DRIs)*\n{who_is_told(state.ownership)}{draft}"
    return [section(text, button("Ownership (DRIs)", OPEN), "ownership")]


def who_is_told(standing: OwnershipState) -> str:
    """In a sentence, for those who may not see the rules."""
    if not standing.version or standing.published_by is None:
        return (
            "The owner of the contact in Salesforce, else of its account, else of the lead, else whoever the sender of"
            " the job change names."
        )
    return (
        f"Whoever the ownership rules name: version {standing.version}, published by {mention(standing.published_by)}."
    )


def unmatched_line(standing: OwnershipState) -> str:
    """How many owners missed what was theirs."""
    if not standing.unmatched:
        return "Every owner was found."
    if standing.unmatched == 1:
        return ":warning: One owner was not, so a channel got their job changes. Say who it is, and they are told."
    count = f"{MOST_COUNTED} or more" if standing.unmatched >= MOST_COUNTED else str(standing.unmatched)
    return (
        f":warning: {count} owners were not, so a channel got their job changes. Say who they are, and they are told."
    )
