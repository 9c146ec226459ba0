"""Which workspace a request from Slack belongs to. A view names it by the id that the app has written into it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from slack_bolt.async_app import AsyncBoltContext

from listeners.dialogs.metadata import workspace_in
from services.messages.elements import ACTION
from services.slack.shapes import part_of
from store.database import Database
from store.slack import organizations
from store.slack.organizations import Clues

_DELIVERY = re.compile(r"(?:[a-z_]+:)?([0-9]{1,18})(?:\.[0-9a-f]{32})?")


async def workspace_of(context: AsyncBoltContext, body: Mapping[str, Any], database: Database) -> str | None:
    """
    Return the id of the workspace, None if the request names none that has the app.

    An organization has one installation for all of its workspaces, and Slack does not always say in which one a person
    acts: `team` is null, and `user.team_id` is the same in all of them. https://github.com/slackapi/bolt-js/issues/1875
    """
    team_id, enterprise_id = context.team_id, context.enterprise_id
    is_org_wide = context.is_enterprise_install or team_id is None or team_id == enterprise_id
    if enterprise_id is None or not is_org_wide:
        return team_id
    return await database.run(organizations.find_workspace, enterprise_id, _clues(body))


def _clues(body: Mapping[str, Any]) -> Clues:
    container, actions = part_of(body, "container"), body.get("actions")
    action = actions[0] if isinstance(actions, list) and actions and isinstance(actions[0], dict) else {}
    written = workspace_in(part_of(body, "view"))
    message = delivery = None
    if container.get("type") == "message":
        message = (str(container.get("channel_id")), str(container.get("message_ts")))
        value = part_of(action, "selected_option").get("value") or action.get("value")
        if isinstance(value, str) and str(action.get("action_id")).startswith(ACTION):
            delivery = _DELIVERY.fullmatch(value)
    return Clues(
        workspace_id=written or (str(action.get("value")) if message else None),
        delivery_id=int(delivery[1]) if delivery else None,
        message=message,
        team_ids=tuple(dict.fromkeys(_team_ids(body))),
    )


def _team_ids(body: Mapping[str, Any]) -> Iterator[str]:
    authorizations = body.get("authorizations")
    first = authorizations[0] if isinstance(authorizations, list) and authorizations else {}
    named = (
        first.get("team_id") if isinstance(first, dict) else None,
        body.get("team_id"),
        body.get("context_team_id"),
        part_of(body, "team").get("id"),
        part_of(body, "view").get("team_id"),
        part_of(body, "user").get("team_id"),
    )
    yield from (team_id for team_id in named if isinstance(team_id, str))
