"""What App Home says of ownership: how the rules stand, and for admins the way to them. Pure."""

from __future__ import annotations

from listeners.blocks import Block, button, section
from listeners.ownership_names import mention
from listeners.ownership_view import OPEN
from services.home import HomeState, OwnershipState


def ownership_blocks(state: HomeState) -> list[Block]:
    """Members read who decides; admins what there is to do."""
    standing = state.ownership
    if not state.is_admin:
        return [section(f"*Ownership (DRIs)*\n{_in_force(standing)} Workspace admins and owners decide on them.")]
    todo = []
    if standing.has_draft:
        todo.append("A draft waits to be published.")
    if standing.unmatched:
        count = "100 or more" if standing.unmatched >= 100 else str(standing.unmatched)
        some = f"{count} owners were" if count != "1" else "One owner was"
        todo.append(f":warning: {some} not found in Slack.")
    text = " ".join([_in_force(standing), *todo])
    return [section(f"*Ownership (DRIs)*\n{text}", button("Ownership (DRIs)", OPEN), "ownership")]


def _in_force(standing: OwnershipState) -> str:
    if not standing.version or standing.published_by is None:
        return "The contact's owner is told, else the account's, else the lead's."
    return f"Rules decide who is told: version {standing.version}, published by {mention(standing.published_by)}."
