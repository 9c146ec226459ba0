"""Sample rows for tests of the store: a workspace, job changes, and deliveries in their lanes."""

from __future__ import annotations

import json
from itertools import count

from sqlalchemy import Connection, insert, select, update

from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.states import Role
from store.delivery import lanes as lanes_store
from store.delivery.deliveries import add_deliveries
from store.schema import deliveries, job_changes, lanes, posts
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.world import installed

LEASE_MS = 30_000

_numbers = count(1)


def add_workspace(connection: Connection, workspace_id: str = "T1", *, channel: str | None = "C_DEFAULT") -> str:
    """An active workspace with a default channel."""
    users = {"installer_user_id": "U_ADMIN", "bot_user_id": "U_BOT", "scopes": "chat:write,im:history"}
    workspaces.install(connection, installed(workspace_id, installed_at=SOMEDAY, **users))
    workspaces.change(connection, workspace_id, None, default_channel_id=channel)
    return workspace_id


def add_job_change(connection: Connection, workspace_id: str = "T1", *, due_at: int | None = SOMEDAY) -> str:
    """An accepted job change; ids grow in order of arrival."""
    job_change_id = f"jc-{next(_numbers):08}"
    values = {
        "id": job_change_id,
        "workspace_id": workspace_id,
        "key": job_change_id,
        "source": "tests",
        "payload": json.dumps({"person": {"full_name": "Ada Smith"}}),
        "accepted_at": due_at or SOMEDAY,
        "due_at": due_at,
    }
    connection.execute(insert(job_changes).values(values))
    return job_change_id


def add_routed(
    connection: Connection,
    *destinations: str,
    workspace_id: str = "T1",
    role: str = Role.DRI,
    job_change_id: str | None = None,
    now: int = SOMEDAY,
    rule: str | None = None,
) -> list[str]:
    """Add one routed job change for each destination, in this order. Returns their ids."""
    ids = []
    for destination in destinations:
        ids.append(job_change_id or add_job_change(connection, workspace_id, due_at=None))
        new = NewDelivery(ids[-1], destination, Role(role), legacy("You own it."), rule=rule)
        add_deliveries(connection, workspace_id, [new], now)
    return ids


def claim(connection: Connection, now: int = SOMEDAY, most: int = 32) -> list[lanes_store.Claim]:
    return lanes_store.claim(connection, now, LEASE_MS, most)


def delivery_states(connection: Connection, *job_change_ids: str) -> list[str]:
    """The states of the deliveries of these job changes, oldest first."""
    chosen = deliveries.c.job_change_id.in_(job_change_ids)
    return list(connection.execute(select(deliveries.c.state).where(chosen).order_by(deliveries.c.id)).scalars())


def outcome_of(connection: Connection, job_change_id: str) -> tuple[str | None, str | None, str | None]:
    """The outcome, the kind of recipient, and the reason."""
    columns = (job_changes.c.outcome, job_changes.c.told, job_changes.c.reason)
    return tuple(connection.execute(select(*columns).where(job_changes.c.id == job_change_id)).one())


def lane_of(connection: Connection, destination: str):
    return connection.execute(select(lanes).where(lanes.c.destination == destination)).one()


def post_states(connection: Connection) -> list[str]:
    return list(connection.execute(select(posts.c.state).order_by(posts.c.begun_at, posts.c.id)).scalars())


def set_lane(connection: Connection, destination: str, **values: object) -> None:
    connection.execute(update(lanes).where(lanes.c.destination == destination).values(values))
