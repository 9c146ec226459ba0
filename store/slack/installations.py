"""Installations and their encrypted tokens: slack_sdk's store, used in our transactions."""

from __future__ import annotations

import logging
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
    delete,
    or_,
    select,
)

from domain.audit import OPERATOR, AuditEntry
from store import audit
from store.database import Database
from store.encryption import Cipher, EncryptedText
from store.messages import notices
from store.schema import workspaces as workspaces_table
from store.slack import organizations, tokens, workspaces
from store.slack.sdk_stores import SECRET_COLUMNS, OpenTransaction, bots, installations, is_of
from store.slack.tokens import EncryptedToken, milliseconds

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class _Installations(SQLAlchemyInstallationStore):
    """slack_sdk's store with our tables and encrypted columns."""

    def __init__(self, client_id: str, engine: Engine, cipher: Cipher) -> None:
        super().__init__(client_id, engine, logger=log)
        self.bots = _encrypted(bots, cipher)
        self.installations = _encrypted(installations, cipher)

    # The SDK builds its tables again for each store, which takes longer than most queries.

    @classmethod
    def build_bots_table(cls, metadata: MetaData, table_name: str) -> Table:  # noqa: ARG003
        return bots

    @classmethod
    def build_installations_table(cls, metadata: MetaData, table_name: str) -> Table:  # noqa: ARG003
        return installations


class OtherAppError(Exception):
    """The workspace has installed a different Slack app than the one of our client id."""


class AsyncInstallationStore(SlackAsyncInstallationStore):
    """
    The installation store that Bolt uses.

    Every method raises DatabaseUnavailableError. Those that read a token also raise WrongKeyError.
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
        """Replace earlier installations of the workspace, and mark it as active."""
        await self._database.run(self._save, installation)

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        """Return None if the app is not installed there."""
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
        Return the installation of this workspace or of its organization, None if the app is not installed there.

        Not everything that Slack sends has both ids, so the installation of an organization is also found by the team
        id of a workspace that uses it. A `user_id` matches only the person who installed the app, because the app
        requests no user tokens.
        """
        ids = [] if is_enterprise_install or team_id is None else [team_id]
        ids += [enterprise_id] if enterprise_id else []
        for some_id in ids:
            installation = await self._database.run(self._find, some_id)
            if installation and user_id in {None, installation.user_id}:
                return installation
        return None

    async def bot_token(self, workspace_id: str) -> str | None:
        """
        Return the token for calling Slack in this workspace or organization, None if there is none.

        A workspace without a token of its own has that of its organization, as long as the app is added to it. The
        token may have expired.

        Also raises OtherAppError.
        """
        stored = await self.stored_token(workspace_id)
        return stored.token if stored else None

    async def stored_token(self, workspace_id: str) -> StoredToken | None:
        """Like `bot_token`, with the time when the token expires. Also raises OtherAppError."""
        stored = await self._database.gather(self._newest_tokens, workspace_id, reads=True)
        if stored is None:
            return None
        if stored.client_id != self._client_id:
            raise OtherAppError(stored.client_id)
        expires_at = milliseconds(stored.expires_at) if stored.expires_at else None
        return StoredToken(self._cipher.decrypt(stored.token), expires_at)

    def _newest_tokens(self, connection: Connection, workspace_ids: list[str]) -> list[EncryptedToken | None]:
        by_workspace = {
            workspace_id: tokens.newest(connection, self._client_id, workspace_id)
            for workspace_id in sorted(set(workspace_ids))
        }
        return [by_workspace[workspace_id] for workspace_id in workspace_ids]

    async def organizations(self) -> list[str]:
        """Return the ids of the organizations with an org-wide installation."""
        return await self._database.run(organizations.installed, self._client_id)

    async def delete_tokens(self, workspace_id: str) -> None:
        """Do what the function `delete_tokens` does, in a transaction."""
        await self._database.run(delete_tokens, workspace_id)

    def _within(self, connection: Connection) -> _Installations:
        store = copy(self._store)
        store.engine = cast("Engine", OpenTransaction(connection))
        return store

    def _save(self, connection: Connection, installation: Installation) -> None:
        workspace_id = workspace_of(installation)
        if installation.is_enterprise_install:
            _delete_rows(connection, workspace_id)
            self._within(connection).save(installation)
            organizations.reinstall(connection, workspace_id, round(installation.installed_at * 1000))
            return
        existing = workspaces.find(connection, workspace_id)
        delete_tokens(connection, workspace_id)
        self._within(connection).save(installation)
        installed_at = round(installation.installed_at * 1000)
        # With a bot token from the terminal, Slack does not say who installed the app.
        installer = installation.user_id if installation.user_id != installation.bot_user_id else None
        workspaces.install(
            connection,
            workspaces.Installed(
                id=workspace_id,
                enterprise_id=installation.enterprise_id,
                is_enterprise_install=False,
                name=installation.team_name or workspace_id,
                installer_user_id=installer,
                bot_user_id=installation.bot_user_id,
                scopes=",".join(installation.bot_scopes or ()),
                installed_at=installed_at,
            ),
        )
        is_new = existing is None or not existing.is_active
        if installer:
            notices.add_welcome(connection, workspace_id, installer, installed_at, is_new=is_new)
        audit.record(connection, workspace_id, AuditEntry(installed_at, installer or OPERATOR, "installed", ""))

    def _find(self, connection: Connection, workspace_id: str) -> Installation | None:
        c = installations.c
        newest = (
            select(c.enterprise_id, c.team_id, c.is_enterprise_install)
            .where(
                c.client_id == self._client_id,
                or_(is_of(installations, workspace_id), _is_of_org(installations, workspace_id)),
            )
            .order_by(c.team_id.is_(None), c.installed_at.desc(), c.id.desc())
            .limit(1)
        )
        row = connection.execute(newest).one_or_none()
        if row is None:
            return None
        installation: Installation | None = self._within(connection).find_installation(**row._asdict())
        return installation


def workspace_of(installation: Installation) -> str:
    """Return the id of the workspace, or of the organization for an org-wide installation."""
    workspace_id = installation.enterprise_id if installation.is_enterprise_install else installation.team_id
    if not workspace_id:
        raise ValueError("the installation has neither a team id nor an organization id")
    return workspace_id


def delete_tokens(connection: Connection, workspace_id: str) -> None:
    """
    Delete the tokens of a workspace, including those from when it was in another organization, or of an organization.

    Those of an organization stay as long as one of its workspaces uses them.
    """
    workspace = workspaces.find(connection, workspace_id)
    enterprise_id = workspace.enterprise_id if workspace and workspace.is_enterprise_install else workspace_id
    is_used = any(user.is_active for user in workspaces.of_organization(connection, enterprise_id or workspace_id))
    if not (is_used and workspace_id == enterprise_id):
        _delete_rows(connection, workspace_id)
    if enterprise_id and not is_used:
        _delete_rows(connection, enterprise_id)


def _delete_rows(connection: Connection, workspace_id: str) -> None:
    for table in (bots, installations):
        connection.execute(delete(table).where(is_of(table, workspace_id)))


@dataclass(frozen=True)
class StoredToken:
    """A token, and the time in milliseconds when it expires, or None."""

    token: str = field(repr=False)
    expires_at: int | None


def _is_of_org(table: Table, team_id: str) -> ColumnElement[bool]:
    """`team_id` is the id at Slack of a workspace that uses the organization's token."""
    c = workspaces_table.c
    enterprise_id = (
        select(c.enterprise_id)
        .where(or_(c.id == team_id, c.team_id == team_id), c.is_enterprise_install, workspaces.takes_job_changes)
        .limit(1)
        .scalar_subquery()
    )
    return and_(table.c.team_id.is_(None), table.c.enterprise_id == enterprise_id)


def _encrypted(table: Table, cipher: Cipher) -> Table:
    # A copy, because the column type has a cipher, and the tables for migrations must not have one.
    table = table.to_metadata(MetaData())
    for column in table.columns:
        if column.name in SECRET_COLUMNS:
            column.type = EncryptedText(cipher)
    return table
