"""Lists the listeners for everything that Slack sends, and registers them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse

from listeners.dialogs import dialog, failures
from listeners.home import admin_dialogs, app_home, member_home, notice_actions
from listeners.intake import keys, mappings, senders
from listeners.messages import actions, card_buttons, webhook
from listeners.ownership import rule_list
from listeners.salesforce import person_keys, settings, sources
from listeners.slack import directory, lifecycle
from listeners.slack.workspace_id import workspace_of
from listeners.status import failed, status
from services.journal import Repetitions
from services.slack.call import authorized
from store.database import Database
from store.slack import seen_events

log = logging.getLogger(__name__)


def register_listeners(app: AsyncApp, database: Database, now: Callable[[], int], **parts: object) -> None:
    """
    Register a listener for everything that Slack sends.

    Bolt passes each listener the arguments that it names: Bolt's own, `parts`, `workspace_id`, `dialog`, and `once`,
    which handles an event in a transaction unless it was handled before.
    """
    repetitions = Repetitions(now)

    async def provide(
        body: dict[str, Any], context: AsyncBoltContext, next_: Callable[[], Awaitable[BoltResponse]]
    ) -> BoltResponse:
        workspace_id = await workspace_of(context, body, database)
        if workspace_id is None and (body.get("event") or {}).get("type") not in lifecycle.EVENTS:
            log.info("Ignored a request from the organization %s: none of our workspaces", context.enterprise_id)
            return BoltResponse(status=200)
        if workspace_id and context.bot_token:
            authorized.set((workspace_id, context.bot_token))

        async def once(act: Callable[..., object], *arguments: object) -> bool:
            return await database.run(seen_events.once, body.get("event_id"), now(), act, *arguments)

        context.update(parts, database=database, now=now, workspace_id=workspace_id, once=once, repetitions=repetitions)
        return await next_()

    app.middleware(provide)
    dialog.register(app)
    app_home.register(app)
    admin_dialogs.register(app)
    webhook.register(app)
    card_buttons.register(app)
    failed.register(app)
    keys.register(app)
    senders.register(app)
    settings.register(app)
    sources.register(app)
    person_keys.register(app)
    mappings.register(app)
    rule_list.register(app)
    member_home.register(app)
    actions.register(app)
    notice_actions.register(app)
    status.register(app)
    directory.register(app)
    lifecycle.register(app)
    failures.register(app, repetitions)  # last, because it handles what no other listener handles
