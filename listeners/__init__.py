"""Everything that Slack, HTTP and a terminal can say to us; here is the table of contents of what Slack can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse

from listeners.dialogs import dialog, failures
from listeners.home import admin_dialogs, app_home, member_home, notice_actions, reminders
from listeners.intake import keys, mappings
from listeners.messages import actions
from listeners.ownership import rule_list
from listeners.salesforce import settings, sources
from listeners.slack import directory, lifecycle
from listeners.status import failed, status


def register_listeners(app: AsyncApp, **parts: object) -> None:
    """
    Let *app* hear all that Slack can say.

    Bolt hands each listener what it names: its own arguments, *parts*, `workspace_id`, the one we know the workspace
    by, and `dialog`.
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
    reminders.register(app)
    status.register(app)
    directory.register(app)
    lifecycle.register(app)
    failures.register(app)  # last: it takes what nobody else did


def workspace_of(context: AsyncBoltContext) -> str | None:
    """The team's id; the organisation's where the app was installed for all of it. None: the request names neither."""
    return context.enterprise_id if context.is_enterprise_install else context.team_id
