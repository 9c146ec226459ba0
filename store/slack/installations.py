"""Slack's tokens: slack_sdk's own store, encrypted, inside our transactions and off the loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import TypeVar, cast

from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import (
    AsyncInstallationStore as SlackAsyncInstallationStore,
)
from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    and_,
    bindparam,
    case,
    delete,
    or_,
    select,
)

from domain.audit import AuditEntry
from store import audit
from store.database import Database
from store.encryption import Cipher, EncryptedText
from store.messages import notices
from store.slack import workspaces
from store.slack.sdk_stores import SECRET_COLUMNS, OpenTransaction, bots, installations

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class _Installations(SQLAlchemyInstallationStore):
    """slack_sdk's store on our tables, with secret columns that only the cipher can read."""

    def __init__(self, client_id: str, engine: Engine, cipher: Cipher) -> None:
        super().__init__(client_id, engine, logger=log)
        self.bots = _encrypted(bots, cipher)
        self.installations = _encrypted(installations, cipher)


class OtherAppError(Exception):
    """The workspace has installed the app, but as another Slack app than the one of our client id."""


class AsyncInstallationStore(SlackAsyncInstallationStore):
    """
    What Bolt asks for a workspace's installation.

    Every method raises DatabaseUnavailableError; those that read a token also WrongKeyError.
    """

    def __init__(self, database: Database, client_id: str, cipher: Cipher) -> None:
        self._database = database
        self._client_id = client_id
        self._cipher = cipher
        self._store = _Installations(client_id, database.engine, cipher)

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_save(self, installation: Installation) -> None:
        """Keep the newest installation of a workspace, and nothing of those before it; the workspace is active."""
        await self._database.run(self._save, installation)

    async def async_save_bot(self, bot: Bot) -> None:
        await self._run(lambda store: store.save_bot(bot))

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """None: not installed there."""
        installation = await self.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=is_enterprise_install
        )
        return installation.to_bot() if installation else None

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        """
        The installation that serves this workspace: its own, or its organisation's. None: not installed there.

        A workspace of an organisation is found by its team id alone as well, since not all that Slack sends tells
        both. *user_id*: only who installed it has an installation of their own, as no user tokens are asked for.
        """
        wanted = [] if is_enterprise_install or team_id is None else [team_id]
        wanted += [enterprise_id] if enterprise_id else []
        for workspace_id in wanted:
            installation = await self._database.run(self._find, workspace_id)
            if installation and user_id in {None, installation.user_id}:
                return installation
        return None

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        await self._run(lambda store: store.delete_bot(enterprise_id=enterprise_id, team_id=team_id))

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        await self._run(
            lambda store: store.delete_installation(enterprise_id=enterprise_id, team_id=team_id, user_id=user_id)
        )

    async def async_delete_all(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        workspace_id = team_id or enterprise_id
        if workspace_id:
            await self.delete_tokens(workspace_id)

    async def bot_token(self, workspace_id: str) -> str | None:
        """
        The token to call Slack with on behalf of a workspace; None when there is none (any more).

        Raises OtherAppError besides.
        """
        stored = await self._database.gather(self._newest_tokens, workspace_id)
        if stored is None:
            return None
        if stored.client_id != self._client_id:
            raise OtherAppError(stored.client_id)
        return self._cipher.decrypt(stored.token)

    def _newest_tokens(self, connection: Connection, workspace_ids: list[str]) -> list[_Stored | None]:
        tokens = {each: _newest_token(connection, self._client_id, each) for each in sorted(set(workspace_ids))}
        return [tokens[each] for each in workspace_ids]

    async def delete_tokens(self, workspace_id: str) -> None:
        """Delete every token of a workspace, or of an organisation that installed as a whole."""
        await self._database.run(delete_tokens, workspace_id)

    async def _run(self, act: Callable[[_Installations], Result]) -> Result:
        return await self._database.run(lambda connection: act(self._within(connection)))

    def _within(self, connection: Connection) -> _Installations:
        store = copy(self._store)
        store.engine = cast("Engine", OpenTransaction(connection))
        return store

    def _save(self, connection: Connection, installation: Installation) -> None:
        workspace_id = workspace_of(installation)
        known = workspaces.find(connection, workspace_id)
        delete_tokens(connection, workspace_id)
        self._within(connection).save(installation)
        installed_at = round(installation.installed_at * 1000)
        workspaces.install(
            connection,
            workspaces.Installed(
                id=workspace_id,
                enterprise_id=installation.enterprise_id,
                is_enterprise_install=installation.is_enterprise_install,
                name=installation.team_name or installation.enterprise_name or workspace_id,
                installer_user_id=installation.user_id,
                bot_user_id=installation.bot_user_id,
                scopes=",".join(installation.bot_scopes or ()),
                installed_at=installed_at,
            ),
        )
        anew = known is None or not known.is_active
        notices.add_welcome(connection, workspace_id, installation.user_id, installed_at, anew=anew)
        audit.record(connection, workspace_id, AuditEntry(installed_at, installation.user_id, "installed", ""))

    def _find(self, connection: Connection, workspace_id: str) -> Installation | None:
        c = installations.c
        newest = (
            select(c.enterprise_id, c.team_id, c.is_enterprise_install)
            .where(c.client_id == self._client_id, _is_of(installations, workspace_id))
            .order_by(c.installed_at.desc(), c.id.desc())
            .limit(1)
        )
        row = connection.execute(newest).one_or_none()
        if row is None:
            return None
        found: Installation | None = self._within(connection).find_installation(**row._asdict())
        return found


def workspace_of(installation: Installation) -> str:
    """The id under which we know it: the team's, or the organisation's when it installed as a whole."""
    own = installation.enterprise_id if installation.is_enterprise_install else installation.team_id
    if not own:
        raise ValueError("an installation names neither a workspace nor an organisation")
    return own


def delete_tokens(connection: Connection, workspace_id: str) -> None:
    """Delete the tokens of a workspace from both tables, whatever organisation it was in at the time."""
    for table in (bots, installations):
        connection.execute(delete(table).where(_is_of(table, workspace_id)))


@dataclass(frozen=True)
class _Stored:
    """A token as it is stored, and which Slack app's it is."""

    client_id: str
    token: str = field(repr=False)


# Read as it is stored: this statement can be cached, one with an EncryptedText column cannot.
_newest = (
    select(bots.c.client_id, bots.c.bot_token)
    .where(
        or_(
            bots.c.team_id == bindparam("of_workspace"),
            and_(bots.c.team_id.is_(None), bots.c.enterprise_id == bindparam("of_workspace")),
        ),
        bots.c.bot_token.is_not(None),
    )
    .order_by(case((bots.c.client_id == bindparam("of_client"), 0), else_=1))
    .order_by(bots.c.installed_at.desc(), bots.c.id.desc())
    .limit(1)
)


def _newest_token(connection: Connection, client_id: str, workspace_id: str) -> _Stored | None:
    """Of our own Slack app; where there is none, of another."""
    row = connection.execute(_newest, {"of_client": client_id, "of_workspace": workspace_id}).one_or_none()
    return _Stored(*row) if row else None


def _is_of(table: Table, workspace_id: str) -> ColumnElement[bool]:
    org_wide = and_(table.c.team_id.is_(None), table.c.enterprise_id == workspace_id)
    return or_(table.c.team_id == workspace_id, org_wide)


def _encrypted(table: Table, cipher: Cipher) -> Table:
    # A copy, since the type belongs to one cipher and the migrations' tables to none.
    table = table.to_metadata(MetaData())
    for column in table.columns:
        if column.name in SECRET_COLUMNS:
            column.type = EncryptedText(cipher)
    return table
