"""Notices to the admins who look after the app: direct messages that are updated as things change."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, and_, bindparam, case, delete, exists, insert, literal, or_, select, update

from domain.day_counts import DAY_MS
from domain.job_change.model import TEST_SOURCE
from domain.messages.notices import (
    CARD_BUTTONS_REFUSED,
    DEFAULT_CHANNEL_BROKEN,
    NO_DEFAULT_CHANNEL,
    NOT_ME,
    NUDGE,
    SLACK_TOKEN_ENDS,
    WEBHOOK_OFF,
    WELCOME,
    Notice,
    SetupSteps,
)
from domain.salesforce import ACTIVE
from domain.states import DEFAULT_CHANNEL, WorkspaceState
from store.delivery.deliveries import has_usable_channel
from store.leases import LeaseQueue
from store.schema import (
    PENDING,
    deliveries,
    intake_keys,
    job_changes,
    lanes,
    notices,
    ownership_rules,
    salesforce_connections,
    salesforce_sources,
    webhooks,
    workspaces,
)


def add_welcome(connection: Connection, workspace_id: str, user_id: str, now: int, *, is_new: bool) -> None:
    """
    Add the welcome notice for the person who has just installed the app, and the nudge of a day later.

    `is_new` means that the app was not installed before, or was removed in between. Then the notices start over.
    """
    is_of_setup = (notices.c.workspace_id == workspace_id) & notices.c.kind.in_((WELCOME, NUDGE))
    if is_new:
        connection.execute(delete(notices).where(is_of_setup))
    elif connection.execute(select(notices.c.id).where(is_of_setup, notices.c.user_id == user_id)).first():
        return
    add(connection, workspace_id, WELCOME, [user_id], now)
    add(connection, workspace_id, NUDGE, [user_id], now, due_at=now + DAY_MS)


def add(
    connection: Connection, workspace_id: str, kind: str, user_ids: list[str], now: int, due_at: int | None = None
) -> None:
    """
    Add a notice for each of these people, due now or at `due_at`. The caller has locked the workspace.

    If an earlier notice of the kind is still being updated, it is refreshed instead. NOT_ME is an exception, because
    each of them is about another owner.
    """
    is_updated = and_(notices.c.workspace_id == workspace_id, notices.c.kind == kind, notices.c.due_at.is_not(None))
    have_notice = set(connection.execute(select(notices.c.user_id).where(is_updated)).scalars())
    rows = [
        {
            "id": str(uuid4()),
            "workspace_id": workspace_id,
            "kind": kind,
            "user_id": user_id,
            "made_at": now,
            "due_at": now if due_at is None else due_at,
        }
        for user_id in user_ids
        if user_id not in have_notice or kind == NOT_ME
    ]
    if rows:
        connection.execute(insert(notices), rows)
    refresh(connection, workspace_id, now)


def refresh(connection: Connection, workspace_id: str, now: int) -> None:
    """Make the notices of a workspace due that may have to be updated. Those under a lease are left alone."""
    is_waiting = and_(notices.c.workspace_id == workspace_id, notices.c.due_at > now, notices.c.lease.is_(None))
    connection.execute(update(notices).where(is_waiting, notices.c.ts.is_not(None)).values(due_at=now))


NOTICES = LeaseQueue(notices, notices.c.id, notices.c.due_at)
_due = NOTICES.due(select(notices))


def claim(connection: Connection, now: int, lease_ms: int, workspace_id: str | None = None) -> Notice | None:
    """Claim the notice that has been due for longest, of this workspace or of any. Return None if none is due."""
    due = _due if workspace_id is None else _due.where(notices.c.workspace_id == workspace_id)
    rows, lease = NOTICES.claim(connection, due, now, lease_ms)
    if not rows:
        return None
    values = rows[0]._asdict() | {"lease": lease.token, "lease_until": lease.until}
    return Notice(**{name: values[name] for name in Notice.__dataclass_fields__})


def begin(connection: Connection, notice: Notice, now: int, lease_ms: int) -> bool:
    """Record that the notice is about to be sent, and prolong its lease. Return False if the lease was lost."""
    return NOTICES.prolong(connection, notice.id, notice.lease, now + lease_ms, begun_at=now)


def settle(connection: Connection, /, notice: Notice, due_at: int | None, **values: Any) -> None:
    """Look at the notice again at `due_at`, or never if that is None."""
    NOTICES.give_back(connection, notice.id, notice.lease, due_at, **values)


def drop(connection: Connection, notice: Notice) -> None:
    """Delete a notice that was not sent and is no longer needed."""
    NOTICES.drop(connection, notice.id, notice.lease)


# The operator's credentials may only work in the browser flow. Then they fail at once, and an admin connects.
_connection_works = salesforce_connections.c.problem.is_(None) | salesforce_connections.c.last_success_at.is_not(None)
_done = {
    SetupSteps.CHANNEL: has_usable_channel,
    SetupSteps.SALESFORCE: exists().where(salesforce_connections.c.workspace_id == workspaces.c.id, _connection_works),
    SetupSteps.JOB_CHANGE: exists().where(job_changes.c.workspace_id == workspaces.c.id),
    SetupSteps.RULES: exists().where(ownership_rules.c.workspace_id == workspaces.c.id),
    SetupSteps.SENDER: or_(
        exists().where(intake_keys.c.workspace_id == workspaces.c.id, intake_keys.c.expires_at.is_(None)),
        exists().where(salesforce_sources.c.workspace_id == workspaces.c.id, salesforce_sources.c.state == ACTIVE),
        exists().where(job_changes.c.workspace_id == workspaces.c.id, job_changes.c.source != TEST_SOURCE),
    ),
}
_steps = sum((case((is_done, step.value), else_=0) for step, is_done in _done.items()), start=literal(0))


def setup_steps(connection: Connection, workspace_id: str) -> SetupSteps:
    """Return which steps of the setup are done."""
    steps = connection.execute(select(_steps).where(workspaces.c.id == workspace_id)).scalar_one_or_none()
    return SetupSteps(steps or 0)


_outdated = (
    select(notices.c.id)
    .join(workspaces, workspaces.c.id == notices.c.workspace_id)
    .where(
        notices.c.due_at > bindparam("now"),
        notices.c.lease.is_(None),
        notices.c.ts.is_not(None),
        notices.c.attempts == 0,  # otherwise its next attempt is due later, because Slack refused the last one
        notices.c.steps.is_distinct_from(_steps),
    )
    .order_by(notices.c.id)
    .with_for_update(of=notices, skip_locked=True)
)
_wake_outdated = update(notices).where(notices.c.id.in_(_outdated)).values(due_at=bindparam("now"))


def wake_outdated(connection: Connection, now: int) -> None:
    """Make the notices due that show other setup steps than those that are done now, in all workspaces at once."""
    connection.execute(_wake_outdated, {"now": now})


_waits_for_default_channel = (
    exists()
    .select_from(lanes.join(deliveries, deliveries.c.lane_id == lanes.c.id))
    .where(
        lanes.c.workspace_id == workspaces.c.id,
        lanes.c.destination == DEFAULT_CHANNEL,
        deliveries.c.state == PENDING,
    )
)


def unreported_problems(connection: Connection) -> list[tuple[str, str]]:
    """Return workspaces with a problem that only admins can fix, and the notice that was not sent about it yet."""
    is_broken = workspaces.c.default_channel_problem.is_not(None)
    is_missing = workspaces.c.default_channel_id.is_(None) & _waits_for_default_channel
    return [
        (workspace_id, notice)
        for notice, applies in (
            (DEFAULT_CHANNEL_BROKEN, is_broken),
            (NO_DEFAULT_CHANNEL, is_missing),
            (SLACK_TOKEN_ENDS, workspaces.c.token_ends_at.is_not(None)),
            (CARD_BUTTONS_REFUSED, workspaces.c.card_buttons_problem.is_not(None)),
            (WEBHOOK_OFF, exists().where(webhooks.c.workspace_id == workspaces.c.id, webhooks.c.off_at.is_not(None))),
        )
        for workspace_id in connection.execute(
            select(workspaces.c.id).where(
                workspaces.c.state == WorkspaceState.ACTIVE,
                ~workspaces.c.notices.contains(f'"{notice}"', autoescape=True),
                applies,
            )
        ).scalars()
    ]


def known_dm(connection: Connection, workspace_id: str, user_id: str) -> str | None:
    """Return the id of our direct message with this person, once it is known."""
    is_theirs = (lanes.c.workspace_id == workspace_id) & (lanes.c.destination == user_id)
    return connection.execute(select(lanes.c.dm).where(is_theirs)).scalar_one_or_none()
