"""Choosing the lanes that may post now: fair turns between workspaces, within their rates and pauses."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, exists, func, select, update

from domain.messages.card_buttons import CardButton, usable_buttons
from domain.notification_hours import NotificationHours
from domain.states import DEFAULT_CHANNEL
from store.delivery.held_back import HOURS, hours_of, of_reader
from store.leases import POST, LeaseQueue, TurnQueue
from store.schema import lanes, member_preferences, pauses, posts, turns, workspaces
from store.schema.lists import one_of

POST_TURNS = TurnQueue(POST)
LANES = LeaseQueue(lanes, lanes.c.id, lanes.c.due_at)
AT_ONCE = 1 / 3
"""The part of a workspace's messages per minute that may be posted at once."""

MOST_WORKSPACES = 4
"""
How many workspaces share one claim, which locks them meanwhile. The others are claimed by other replicas, or with the
next claim, a few milliseconds later.
"""


@dataclass(frozen=True)
class Lane:
    """
    A lane that is due. `channel` is where it posts now, even for the lane of the default channel.

    `hours` is None if its reader has not chosen any, or if it is a channel. `buttons` are added to its cards.
    """

    id: int
    workspace_id: str
    destination: str
    channel: str
    failures: int
    dm: str | None
    slack_is_failing: bool
    hours: NotificationHours | None
    buttons: tuple[CardButton, ...] = ()


_has_due_lane = exists().where(lanes.c.workspace_id == turns.c.workspace_id, lanes.c.due_at <= bindparam("now"))
_posting_is_paused = exists().where(
    pauses.c.workspace_id == turns.c.workspace_id,
    pauses.c.subject.in_(("slack", "slack:chat.postMessage")),
    pauses.c.until > bindparam("now"),
)
_slack_failures = (
    select(func.coalesce(func.max(pauses.c.failures), 0))
    .where(pauses.c.workspace_id == turns.c.workspace_id, pauses.c.subject == "slack")
    .scalar_subquery()
)
_of_last_minute = (
    (posts.c.workspace_id == turns.c.workspace_id)
    & (posts.c.tried_at > bindparam("a_minute_ago"))
    & (posts.c.tried_at <= bindparam("now"))  # a process whose clock was ahead has posted in the future
)
_posts_last_minute = select(func.count()).where(_of_last_minute).scalar_subquery()
_first_of_last_minute = select(func.min(posts.c.tried_at)).where(_of_last_minute).scalar_subquery()
_workspaces_with_due_lanes = POST_TURNS.waiting(
    _has_due_lane & ~_posting_is_paused,
    workspaces.c.default_channel_id,
    workspaces.c.posts_per_minute,
    workspaces.c.card_buttons,
    workspaces.c.card_buttons_problem,
    _posts_last_minute.label("posts"),
    _first_of_last_minute.label("first_post_at"),
    _slack_failures.label("failures"),
)
_set_served = (
    update(turns)
    .where(turns.c.half == POST, one_of(turns.c.workspace_id, "workspaces"))
    .values(served_at=bindparam("now"))
)
_due_lanes = LANES.due(
    select(lanes.c.id, lanes.c.workspace_id, lanes.c.destination, lanes.c.failures, lanes.c.dm, *HOURS)
    .outerjoin(member_preferences, of_reader)
    .where(lanes.c.workspace_id == bindparam("of_workspace"))
)
_park = update(lanes).where(one_of(lanes.c.id, "ids")).values(lease=None, due_at=None)


def take_due_lanes(connection: Connection, now: int, most: int) -> list[Lane]:
    """
    Lock and return up to `most` lanes that may post now.

    Workspaces take turns, the least recently served first, each within what is left of its posts per minute. The lane
    of a default channel that has not been chosen is parked.
    """
    times = {"now": now, "a_minute_ago": now - 60_000}
    served = connection.execute(_workspaces_with_due_lanes, {**times, "most": min(most, MOST_WORKSPACES)}).all()
    if not served:
        return []
    connection.execute(_set_served, {"workspaces": [row.workspace_id for row in served], "now": now})
    due: list[Lane] = []
    without_channel: list[int] = []
    for place, workspace in enumerate(served):
        share = -(-(most - len(due)) // (len(served) - place))
        allowed = _allowed(workspace.posts_per_minute, workspace.posts, workspace.first_post_at, now)
        # While Slack is failing for this workspace, one lane at a time finds out whether it has recovered.
        most_here = min(1 if workspace.failures else share, allowed)
        usable = usable_buttons(workspace.card_buttons, workspace.card_buttons_problem)
        due_here = {"of_workspace": workspace.workspace_id, "now": now, "most": most_here}
        for row in connection.execute(_due_lanes, due_here):
            channel = workspace.default_channel_id if row.destination == DEFAULT_CHANNEL else row.destination
            if channel is None:
                without_channel.append(row.id)
                continue
            lane = (row.id, row.workspace_id, row.destination, channel, row.failures, row.dm)
            due.append(Lane(*lane, workspace.failures > 0, hours_of(row), usable))
    if without_channel:
        connection.execute(_park, {"ids": without_channel})
    return due


def _allowed(per_minute: int, posted: int, first_post_at: int | None, now: int) -> int:
    """
    Return how many messages may be posted now. `posted` were within the last minute, the first at `first_post_at`.

    A token bucket: a part of the minute's messages at once, and the others evenly over the minute, so that a backlog
    neither exceeds the limit in any minute nor falls silent.
    """
    at_once = max(1, round(per_minute * AT_ONCE))
    since = now - (now if first_post_at is None else first_post_at)
    return max(0, at_once + (per_minute - at_once) * since // 60_000 - posted)
