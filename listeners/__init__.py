"""Everything that Slack, HTTP and the terminal can send us. This module lists the listeners for Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse

from listeners.dialogs import dialog, failures
from listeners.home import admin_dialogs, app_home, member_home, notice_actions
from listeners.intake import keys, mappings
from listeners.messages import actions
from listeners.ownership import rule_list
from listeners.salesforce import settings, sources
from listeners.slack import directory, lifecycle
from listeners.status import failed, status


def register_listeners(app: AsyncApp, **parts: object) -> None:
    """
    Register a listener for everything that Slack sends.

    Bolt passes each listener the arguments that it names: Bolt's own, `parts`, `workspace_id` and `dialog`.
    """

    async def provide(context: AsyncBoltContext, next_: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        context.update(parts, workspace_id=workspace_of(context))
        return await next_()

    app.middleware(provide)
    dialog.register(app)
    app_home.register(app)
    admin_dialogs.register(app)
    failed.register(app)
    keys.register(app)
    settings.register(app)
    sources.register(app)
    mappings.register(app)
    rule_list.register(app)
    member_home.register(app)
    actions.register(app)
    notice_actions.register(app)
    status.register(app)
    directory.register(app)
    lifecycle.register(app)
    failures.register(app)  # last, because it handles what no other listener handles


def workspace_of(context: AsyncBoltContext) -> str | None:
    """The team id, or the enterprise id for an org-wide installation. None when the request names neither."""
    return context.enterprise_id if context.is_enterprise_install else context.team_id
