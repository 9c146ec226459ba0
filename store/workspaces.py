"""The Slack workspaces that installed us, their preferences, and the notices each was given once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from store.schema import DEFAULT_CHANNEL, lanes, turns, workspaces

ACTIVE = "active"
GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A workspace and its preferences, as one row."""

    id: str
    enterprise_id: str | None
    is_enterprise_install: bool
    name: str
    state: str
    installer_user_id: str | None
    bot_user_id: str | None
    scopes: frozenset[str]
    installed_at: int
    gone_at: int | None
    version: int
    default_channel_id: str | None
    default_channel_name: str | None
    default_channel_problem: str | None
    channel_gets: str
    tell_dris: bool
    posts_per_minute: int
    salesforce_patience_minutes: int

    @property
    def is_active(self) -> bool:
        return self.state == ACTIVE

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        values = {name: row._mapping[name] for name in cls.__dataclass_fields__}  # noqa: SLF001 - its documented API
        return cls(**values | {"scopes": frozenset(filter(None, values["scopes"].split(",")))})


_find = select(workspaces).where(workspaces.c.id == bindparam("workspace_id"))


def find(connection: Connection, workspace_id: str) -> Workspace | None:
    row = connection.execute(_find, {"workspace_id": workspace_id}).one_or_none()
    return Workspace.of(row) if row else None


def all_active(connection: Connection) -> list[Workspace]:
    rows = connection.execute(select(workspaces).where(workspaces.c.state == ACTIVE).order_by(workspaces.c.id))
    return [Workspace.of(row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What an installation says of its workspace."""

    id: str
    enterprise_id: str | None
    is_enterprise_install: bool
    name: str
    installer_user_id: str
    bot_user_id: str | None
    scopes: str
    installed_at: int


def install(connection: Connection, installed: Installed) -> None:
    """Remember a new workspace, or bring one back with the preferences it had; what waited for it goes on."""
    values = vars(installed) | {"state": ACTIVE, "gone_at": None, "default_channel_problem": None}
    changed = connection.execute(update(workspaces).where(workspaces.c.id == installed.id).values(values))
    if changed.rowcount:
        return
    connection.execute(insert(workspaces).values(values))
    connection.execute(insert(turns), [{"workspace_id": installed.id, "half": half} for half in ("route", "post")])


def mark_gone(connection: Connection, workspace_id: str, now: int) -> None:
    """Nothing is routed or posted for it any more, until it installs again."""
    connection.execute(
        update(workspaces)
        .where(workspaces.c.id == workspace_id, workspaces.c.state == ACTIVE)
        .values(state=GONE, gone_at=now)
    )


def change(connection: Connection, workspace_id: str, seen_version: int | None, **preferences: object) -> bool:
    """
    Store preferences; False, and nothing stored, if somebody changed them since *seen_version*.

    *seen_version* None: whatever is there may be overwritten.
    """
    mine = workspaces.c.id == workspace_id
    if seen_version is not None:
        mine &= workspaces.c.version == seen_version
    changed = connection.execute(update(workspaces).where(mine).values(version=workspaces.c.version + 1, **preferences))
    return bool(changed.rowcount)


def open_default_lane(connection: Connection, workspace_id: str, now: int) -> None:
    """The default channel can be posted to (again): what was kept for it falls due."""
    connection.execute(
        update(lanes)
        .where(lanes.c.workspace_id == workspace_id, lanes.c.destination == DEFAULT_CHANNEL)
        .values(due_at=now, failures=0)
    )


def give_once(connection: Connection, workspace_id: str, notice: str, now: int) -> bool:
    """True to the first who asks for this notice, and False from then on, until `take_back`."""
    given = _notices(connection, workspace_id)
    if notice in given:
        return False
    _store_notices(connection, workspace_id, given | {notice: now})
    return True


def take_back(connection: Connection, workspace_id: str, notice: str) -> None:
    """The trouble is over: the notice may be given again when it comes back."""
    given = _notices(connection, workspace_id)
    if given.pop(notice, None) is not None:
        _store_notices(connection, workspace_id, given)


def _notices(connection: Connection, workspace_id: str) -> dict[str, int]:
    stored = connection.execute(
        select(workspaces.c.notices).where(workspaces.c.id == workspace_id).with_for_update()
    ).scalar_one_or_none()
    notices: dict[str, int] = json.loads(stored or "{}")
    return notices


def _store_notices(connection: Connection, workspace_id: str, notices: dict[str, int]) -> None:
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(notices=json.dumps(notices)))
