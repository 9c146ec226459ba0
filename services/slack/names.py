"""What Slack calls people and channels, for a terminal, where a mention cannot be shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping

from domain.errors import PermanentError, TransientError
from domain.states import is_person
from services.slack.api import Slack

MOST_ASKED = 50
"""Slack answers about 100 such questions a minute, and the app has its own."""

_ID = re.compile(r"\b[UWCG](?=[A-Z]*[0-9])[A-Z0-9]{8,20}\b")


async def names_in(slack: Slack, workspace_id: str, texts: Iterable[str]) -> dict[str, str]:
    """The names of those whose Slack ids stand in these texts, by id; without those that Slack does not tell now."""
    return {one: name async for one, name in _asked(slack, workspace_id, ids_in(texts)[:MOST_ASKED]) if name}


def ids_in(texts: Iterable[str]) -> list[str]:
    """Each Slack id that stands in these texts, once."""
    return list(dict.fromkeys(one for text in texts for one in _ID.findall(text)))


def with_names(text: str, names: Mapping[str, str]) -> str:
    return _ID.sub(lambda found: names.get(found[0], found[0]), text)


async def _asked(slack: Slack, workspace_id: str, ids: Iterable[str]) -> AsyncIterator[tuple[str, str | None]]:
    for one in ids:
        try:
            if is_person(one):
                user = await slack.user(workspace_id, one)
                yield one, user.name if user else None
            else:
                channel = await slack.channel(workspace_id, one)
                yield one, f"#{channel.name}" if channel else None
        except (PermanentError, TransientError):
            return
