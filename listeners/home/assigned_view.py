"""*Assigned to you*: the first section of everybody's Home, with the actions of each job change. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from domain.states import AssignedState, HandlingState, Role, Side
from listeners.dialogs.blocks import ASSIGNED_FILTER, Block, View, actions, button, data_of, header, menu, section
from listeners.home.member_home_view import held_back_blocks
from services.home.home_state import FILTERS, PAGE_SIZE, TO_DO, Assigned, AssignedJobChange, AssignedPage, MemberHome
from services.messages.available_actions import available_actions, claimed_actions
from services.messages.cards import state_text
from services.messages.elements import action_row
from services.messages.wording import background, headline, sentence, slack_time
from services.slack.mrkdwn import bold, link

NEWER, OLDER = "assigned_newer", "assigned_older"
"""The action_ids of the buttons that turn pages. The value of a button is how many to skip."""

_LABELS: Mapping[str, str] = {
    TO_DO: "To do",
    AssignedState.OPEN: "Open",
    AssignedState.TAKEN: "On it",
    AssignedState.SNOOZED: "Snoozed",
    AssignedState.DONE: "Done",
}
_NOTHING: Mapping[str, str] = {
    TO_DO: "Nothing to do. New job changes appear here and in *Messages*.",
    AssignedState.OPEN: "No open job changes.",
    AssignedState.TAKEN: "You're not on any job change.",
    AssignedState.SNOOZED: "No snoozed job changes.",
    AssignedState.DONE: "No job changes are done yet.",
}


def assigned_blocks(member: MemberHome) -> Iterator[Block]:
    """At most 14 blocks."""
    assigned, page = member.assigned, member.assigned.page
    yield header("Assigned to you")
    yield from held_back_blocks(member)
    choices = {name: f"{label} ({assigned.count(name):,})" for name, label in _LABELS.items()}
    counts = [f"*{count:,}* {_LABELS[state].lower()}" for state in AssignedState if (count := assigned.count(state))]
    empty = "" if assigned.job_changes else _NOTHING[page.filter]
    yield section(
        "\n".join(filter(None, [" · ".join(counts) or f"*{_LABELS[page.filter]}*", empty])),
        menu(ASSIGNED_FILTER, choices, page.filter),
    )
    for job_change in assigned.job_changes:
        yield _summary(job_change, assigned.link_to(job_change), member.user_id)
        held = job_change.history.held
        state = HandlingState(held.state) if held else HandlingState.OPEN
        claimed = claimed_actions(state) if job_change.is_claimed else None
        available = claimed or available_actions(Role.DRI, state, in_person=True)
        yield action_row(f"assigned_{job_change.delivery_id}", job_change.delivery_id, available)
    newer = [button("Newer", NEWER, str(max(0, page.skip - PAGE_SIZE)))] if page.skip else []
    following = page.skip + PAGE_SIZE
    older = [button("Older", OLDER, str(following))] if following < assigned.total else []
    yield from actions(*newer, *older)


def page_of(view: View | None) -> AssignedPage:
    """The page that a Home shows; the first one if the view does not say."""
    try:
        data = data_of(view or {})
        name, skip = data.get("assigned"), data.get("skip")
    except (ValueError, AttributeError):
        return AssignedPage()
    is_valid = name in FILTERS and isinstance(skip, int) and 0 <= skip < 1_000
    return AssignedPage(name, skip) if is_valid else AssignedPage()


def page_data(assigned: Assigned) -> dict[str, object]:
    """What a Home carries: the page for `page_of`, and the deliveries on which its buttons act."""
    deliveries = [job_change.delivery_id for job_change in assigned.job_changes]
    return {"assigned": assigned.page.filter, "skip": assigned.page.skip, "deliveries": deliveries}


def _summary(item: AssignedJobChange, url: str | None, user_id: str) -> Block:
    side = Side.of(item.side)
    state = state_text(item.history, user_id) or f"⚪ Open · sent {slack_time(item.at)}"
    last_line = " · ".join(filter(None, [state, link(url, "Open message")]))
    lines = [sentence(headline(item.job_change, bold, side)), background(item.job_change, side), last_line]
    block = section("\n".join(filter(None, lines)))
    return block | {"text": block["text"] | {"verbatim": True}}
