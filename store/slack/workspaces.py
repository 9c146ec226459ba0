"""Workspaces with their preferences, default channel, and the notices that were sent to their admins."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, case, func, literal, or_, select, update

from domain.messages.card_buttons import stored_buttons
from domain.messages.notices import DEFAULT_CHANNEL_BROKEN, SLACK_TOKEN_ENDS
from domain.states import DEFAULT_CHANNEL, WorkspaceState
from domain.workspace import SURE_SIGNS, SlackTeam, Workspace
from store.delivery import pauses, routing
from store.leases import POST, ROUTE
from store.messages.notices import refresh
from store.schema import PENDING, deliveries, first_workspace, lanes, turns, workspaces
from store.schema.upserts import insert_missing

takes_job_changes = (workspaces.c.state == WorkspaceState.ACTIVE) | workspaces.c.gone_because.not_in(sorted(SURE_SIGNS))
"""Whether a workspace accepts job changes. While Slack only rejects its token, they are accepted and wait."""

_find = select(workspaces).where(workspaces.c.id == bindparam("workspace_id"))


def find(connection: Connection, workspace_id: str) -> Workspace | None:
    """Return None if the app was never installed there, or the workspace was erased. See `is_active` for the others."""
    row = connection.execute(_find, {"workspace_id": workspace_id}).one_or_none()
    return _workspace(row) if row else None


def all_active(connection: Connection) -> list[Workspace]:
    """Return the workspaces that have the app installed now, by id."""
    rows = connection.execute(
        select(workspaces).where(workspaces.c.state == WorkspaceState.ACTIVE).order_by(workspaces.c.id)
    )
    return [_workspace(row) for row in rows]


def first_installed(connection: Connection) -> str | None:
    """Return the id of the workspace that was installed first, even if it has been erased since; None if none was."""
    stored = select(first_workspace.c.workspace_id)
    first = connection.execute(stored).scalar_one_or_none()
    if first is None:  # nothing stored it before
        earliest = select(literal(1), workspaces.c.id).order_by(workspaces.c.installed_at, workspaces.c.id).limit(1)
        new = insert_missing(connection, first_workspace, "slot").from_select(["slot", "workspace_id"], earliest)
        connection.execute(new)
        first = connection.execute(stored).scalar_one_or_none()
    return first


def find_team(connection: Connection, team_id: str) -> Workspace | None:
    """Return the workspace with this id at Slack, active or not."""
    stands_for = workspaces.c.team_id == team_id
    rows = connection.execute(select(workspaces).where(or_(workspaces.c.id == team_id, stands_for))).all()
    candidates = map(_workspace, rows)
    return min(candidates, key=lambda workspace: (not workspace.is_active, workspace.id == team_id), default=None)


def of_organization(connection: Connection, enterprise_id: str) -> list[Workspace]:
    """Return the workspaces, active or not, that use the token of this organization, by id."""
    is_org_wide = (workspaces.c.enterprise_id == enterprise_id) & workspaces.c.is_enterprise_install
    return [_workspace(row) for row in connection.execute(select(workspaces).where(is_org_wide).order_by("id"))]


def slack_teams(connection: Connection, workspace_ids: list[str]) -> list[SlackTeam]:
    """Return the workspaces as Slack knows them. One that is not stored is known by its id only."""
    stored = {workspace_id: find(connection, workspace_id) for workspace_id in set(workspace_ids)}
    return [
        workspace.slack_team if (workspace := stored[workspace_id]) else SlackTeam(workspace_id)
        for workspace_id in workspace_ids
    ]


def pauses_and_teams(
    connection: Connection, items: Sequence[tuple[str, str, int]]
) -> list[tuple[int | None, SlackTeam]]:
    """Return until when a subject of a workspace is paused, as `pauses.paused_until_each` does, and the workspace."""
    teams = slack_teams(connection, [workspace_id for workspace_id, _, _ in items])
    return list(zip(pauses.paused_until_each(connection, items), teams, strict=True))


def _workspace(row: Row[Any]) -> Workspace:
    values = {name: row._mapping[name] for name in Workspace.__dataclass_fields__}  # noqa: SLF001 - its documented API
    parsed = {
        "scopes": frozenset(filter(None, values["scopes"].split(","))),
        "signal_channels": json.loads(values["signal_channels"]),
        "card_buttons": stored_buttons(values["card_buttons"]),
    }
    return Workspace(**values | parsed)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """The workspace of an installation."""

    id: str
    enterprise_id: str | None
    is_enterprise_install: bool
    name: str
    installer_user_id: str | None  # None: not known, an earlier one stays
    bot_user_id: str | None
    scopes: str
    installed_at: int


def install(connection: Connection, installed: Installed) -> None:
    """Store a new workspace, or reactivate one with its earlier preferences and waiting deliveries."""
    first_installed(connection)  # before the time of an earlier installation is replaced
    reported = {name: value for name, value in vars(installed).items() if name != "installer_user_id" or value}
    values = reported | {"state": WorkspaceState.ACTIVE, "gone_at": None, "gone_because": None}
    # Its token is new, and it may have another address by now.
    values |= {"default_channel_problem": None, "token_ends_at": None, "url": None}
    reactivate = update(workspaces).where(workspaces.c.id == installed.id).values(values)
    if connection.execute(reactivate).rowcount:
        # Route and post at once whatever waits: it may have waited because of the earlier token.
        now = installed.installed_at
        pauses.clear(connection, installed.id, "slack")
        routing.wake(connection, installed.id, now)
        _schedule(connection, installed.id, now, (lanes.c.due_at > now) | (lanes.c.destination == DEFAULT_CHANNEL))
    else:
        connection.execute(insert_missing(connection, workspaces, "id").values(values))
        halves = [{"workspace_id": installed.id, "half": half} for half in (ROUTE, POST)]
        connection.execute(insert_missing(connection, turns, "workspace_id", "half"), halves)
        connection.execute(reactivate)  # another process may have inserted it first
    first_installed(connection)
    clear_notice(connection, installed.id, DEFAULT_CHANNEL_BROKEN)  # if it is still broken, the next message shows it
    clear_notice(connection, installed.id, SLACK_TOKEN_ENDS)


def all_gone(connection: Connection) -> list[Workspace]:
    """Return the workspaces that removed the app, or whose token Slack rejects, the latest first."""
    query = select(workspaces).where(workspaces.c.state == WorkspaceState.GONE).order_by(workspaces.c.gone_at.desc())
    return [_workspace(row) for row in connection.execute(query)]


def mark_gone(connection: Connection, workspace_id: str, now: int, because: str = "app_uninstalled") -> bool:
    """
    Stop routing and posting until the app is installed again, or its token is accepted again.

    A sure sign replaces a doubtful one. Return False if the workspace was not active.
    """
    of_workspace = workspaces.c.id == workspace_id
    if because in SURE_SIGNS:
        is_doubtful = workspaces.c.gone_because.is_(None) | workspaces.c.gone_because.not_in(SURE_SIGNS)
        gone = of_workspace & (workspaces.c.state == WorkspaceState.GONE) & is_doubtful
        connection.execute(update(workspaces).where(gone).values(gone_because=because))
    values = {"state": WorkspaceState.GONE, "gone_at": now, "gone_because": because}
    active = of_workspace & (workspaces.c.state == WorkspaceState.ACTIVE)
    return bool(connection.execute(update(workspaces).where(active).values(values)).rowcount)


def reactivate(connection: Connection, workspace_id: str) -> bool:
    """Route and post again after Slack accepted the token of a gone workspace. Return False if it was not gone."""
    values = {"state": WorkspaceState.ACTIVE, "gone_at": None, "gone_because": None}
    gone = (workspaces.c.id == workspace_id) & (workspaces.c.state == WorkspaceState.GONE)
    return bool(connection.execute(update(workspaces).where(gone).values(values)).rowcount)


def change(connection: Connection, workspace_id: str, /, seen_version: int | None, **preferences: object) -> bool:
    """Store preferences. If `seen_version` is given and no longer current, store nothing and return False."""
    of_workspace = workspaces.c.id == workspace_id
    if seen_version is not None:
        of_workspace &= workspaces.c.version == seen_version
    changed = connection.execute(
        update(workspaces).where(of_workspace).values(version=workspaces.c.version + 1, **preferences)
    )
    return bool(changed.rowcount)


def workflows_refused(connection: Connection, workspace_id: str, urls: Collection[str], problem: str) -> None:
    """Leave out the buttons that start a workflow, unless admins have replaced those with these URLs meanwhile."""
    workspace = find(connection, workspace_id)
    if workspace and any(button.url in urls for button in workspace.card_buttons):
        values = {"card_buttons_problem": problem}
        connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(values))


def set_url(connection: Connection, workspace_id: str, url: str) -> None:
    """Store the address of the workspace's messages at Slack. It is no preference, so the version stays."""
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(url=url))


def open_default_lane(connection: Connection, workspace_id: str, now: int) -> None:
    """Schedule the deliveries that waited for the default channel."""
    _schedule(connection, workspace_id, now, lanes.c.destination == DEFAULT_CHANNEL)


def _schedule(connection: Connection, workspace_id: str, now: int, chosen: ColumnElement[bool]) -> None:
    """Make these lanes due. A leased lane is being posted right now, and is left alone."""
    may_post = case((lanes.c.paced_until > now, lanes.c.paced_until), else_=now)
    of_workspace = (lanes.c.workspace_id == workspace_id) & lanes.c.lease.is_(None)
    connection.execute(update(lanes).where(of_workspace, chosen).values(due_at=may_post, failures=0))


def claim_notice(connection: Connection, workspace_id: str, notice: str, now: int) -> bool:
    """Mark a notice as sent. Return False if it already was, and `clear_notice` was not called since."""
    notices = _notices(connection, workspace_id)
    if notice in notices:
        return False
    _store_notices(connection, workspace_id, notices | {notice: now})
    return True


def was_notified(connection: Connection, workspace_id: str, notice: str) -> bool:
    """Whether this notice was sent and not cleared since."""
    stored = select(workspaces.c.notices).where(workspaces.c.id == workspace_id)
    return notice in json.loads(connection.execute(stored).scalar_one_or_none() or "{}")


def notified(connection: Connection, notice: str) -> set[str]:
    """Return the workspaces to which this notice was sent, if it was not cleared since."""
    contains = workspaces.c.notices.contains(f'"{notice}"', autoescape=True)
    return set(connection.execute(select(workspaces.c.id).where(contains)).scalars())


def clear_notice(connection: Connection, workspace_id: str, notice: str) -> None:
    """The problem is over, so the notice may be sent again if it comes back."""
    notices = _notices(connection, workspace_id)
    if notices.pop(notice, None) is not None:
        _store_notices(connection, workspace_id, notices)


def clear_older_notice(connection: Connection, workspace_id: str, notice: str, before: int) -> None:
    """Clear a notice if it was sent before this time."""
    stored = connection.execute(
        select(workspaces.c.notices).where(workspaces.c.id == workspace_id)
    ).scalar_one_or_none()
    if json.loads(stored or "{}").get(notice, before) < before:
        clear_notice(connection, workspace_id, notice)


def _notices(connection: Connection, workspace_id: str) -> dict[str, int]:
    stored = connection.execute(
        select(workspaces.c.notices).where(workspaces.c.id == workspace_id).with_for_update()
    ).scalar_one_or_none()
    notices: dict[str, int] = json.loads(stored or "{}")
    return notices


def _store_notices(connection: Connection, workspace_id: str, notices: dict[str, int]) -> None:
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(notices=json.dumps(notices)))


def rename_default_channel(connection: Connection, workspace_id: str, channel_id: str, name: str) -> None:
    """Update the name of a channel, if it is the default channel."""
    connection.execute(
        update(workspaces).where(_default_is(workspace_id, channel_id)).values(default_channel_name=name)
    )


def move_channel(connection: Connection, workspace_id: str, old_id: str, new_id: str) -> None:
    """Replace the id of a channel in the preferences, after Slack has changed it."""
    is_workspace = workspaces.c.id == workspace_id
    changed = update(workspaces).values(version=workspaces.c.version + 1)  # so that nobody stores the old id again
    connection.execute(changed.where(_default_is(workspace_id, old_id)).values(default_channel_id=new_id))
    stored = connection.execute(
        select(workspaces.c.signal_channels).where(is_workspace).with_for_update()
    ).scalar_one_or_none()
    channels: dict[str, str] = json.loads(stored or "{}")
    if old_id in channels.values():
        moved = {signal: new_id if channel == old_id else channel for signal, channel in channels.items()}
        connection.execute(changed.where(is_workspace).values(signal_channels=json.dumps(moved)))


def mark_default_channel_broken(connection: Connection, workspace_id: str, channel_id: str, problem: str) -> bool:
    """Store why the channel cannot be posted to. Return False if it is not the default channel."""
    broken = update(workspaces).where(_default_is(workspace_id, channel_id)).values(default_channel_problem=problem)
    return bool(connection.execute(broken).rowcount)


def mark_default_channel_working(connection: Connection, workspace_id: str, channel_id: str, now: int) -> bool:
    """Clear the problem and schedule what has waited. Return False if there was no problem."""
    broken = _default_is(workspace_id, channel_id) & workspaces.c.default_channel_problem.is_not(None)
    fixed = connection.execute(update(workspaces).where(broken).values(default_channel_problem=None))
    if fixed.rowcount:
        open_default_lane(connection, workspace_id, now)
        clear_notice(connection, workspace_id, DEFAULT_CHANNEL_BROKEN)
        refresh(connection, workspace_id, now)
    return bool(fixed.rowcount)


def waiting_for_default_channel(connection: Connection, workspace_id: str) -> int:
    """Return how many deliveries wait for the default channel."""
    in_lane = (lanes.c.workspace_id == workspace_id) & (lanes.c.destination == DEFAULT_CHANNEL)
    waiting = select(func.count()).select_from(deliveries).join(lanes, lanes.c.id == deliveries.c.lane_id)
    count: int = connection.execute(waiting.where(in_lane, deliveries.c.state == PENDING)).scalar_one()
    return count


def _default_is(workspace_id: str, channel_id: str) -> ColumnElement[bool]:
    return (workspaces.c.id == workspace_id) & (workspaces.c.default_channel_id == channel_id)
