"""Everything that Slack, HTTP and a terminal can say to us; here is the table of contents of what Slack can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse

from listeners import (
    app_home,
    burials,
    dialogs,
    directory,
    failures,
    home_dialogs,
    intake_keys,
    lifecycle,
    mappings,
    my_home,
    notices,
    notification,
    ownership,
    reminders,
    salesforce_settings,
    sources,
    status,
)


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
    dialogs.register(app)
    app_home.register(app)
    home_dialogs.register(app)
    burials.register(app)
    intake_keys.register(app)
    salesforce_settings.register(app)
    sources.register(app)
    mappings.register(app)
    ownership.register(app)
    my_home.register(app)
    notification.register(app)
    notices.register(app)
    reminders.register(app)
    status.register(app)
    directory.register(app)
    lifecycle.register(app)
    failures.register(app)  # last: it takes what nobody else did


def workspace_of(context: AsyncBoltContext) -> str | None:
    """The team's id; the organisation's where the app was installed for all of it. None: the request names neither."""
    return context.enterprise_id if context.is_enterprise_install else context.team_id
