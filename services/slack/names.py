"""Names in place of Slack ids, for a terminal, which cannot render mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from domain.errors import PermanentError, TransientError
from domain.states import is_person
from services.slack.api import Slack

MOST_LOOKUPS = 50
"""Slack allows about 100 such lookups a minute, and the app needs some of them."""

_ID = re.compile(r"\b[UWCG](?=[A-Z]*[0-9])[A-Z0-9]{8,20}\b")


async def names_in(slack: Slack, workspace_id: str, texts: Iterable[str]) -> dict[str, str]:
    """Return the names behind the Slack ids in these texts, by id. Ids that cannot be looked up are left out."""
    names: dict[str, str] = {}
    for slack_id in ids_in(texts)[:MOST_LOOKUPS]:
        try:
            if is_person(slack_id):
                user = await slack.user(workspace_id, slack_id)
                name = user.name if user else None
            else:
                channel = await slack.channel(workspace_id, slack_id)
                name = f"#{channel.name}" if channel else None
        except (PermanentError, TransientError):
            break
        if name:
            names[slack_id] = name
    return names


def ids_in(texts: Iterable[str]) -> list[str]:
    """Return the Slack ids in these texts, without repeats."""
    return list(dict.fromkeys(slack_id for text in texts for slack_id in _ID.findall(text)))


def with_names(text: str, names: Mapping[str, str]) -> str:
    return _ID.sub(lambda match: names.get(match[0], match[0]), text)
