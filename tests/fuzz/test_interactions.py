"""Signed requests of forms that Slack does not document: any part of a genuine one may be missing, or be another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.security.forged_requests import forged_requests
from tests.security.two_workspaces import TwoWorkspaces, open_two_workspaces

Json = dict[str, Any]
Path = tuple[str | int, ...]

MOST_REQUESTS = 4_000
"""`make fuzz` sends so many, and `make test` twice its `--requests`. Each waits for a listener."""

GONE = object()
REPLACEMENTS = (
    GONE,
    None,
    "",
    "garbage",
    "\x00",
    "\ud83d",
    "9" * 30,
    7,
    -1.5,
    True,
    10**40,
    [],
    [None],
    ["x"],
    {},
    {"id": 7},
)


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


async def genuine(server: TwoWorkspaces) -> list[Json]:
    """An interaction for each listener, an event of each kind, a slash command, and a menu that loads its options."""
    dana = server.acme.dana
    payloads = [
        server.payload(dana, forged, await server.surface(dana, forged))
        for forged in forged_requests(await server.known_ids())
    ]
    common = {name: payloads[0][name] for name in ("user", "team", "enterprise", "api_app_id", "token")}
    submission = next(payload for payload in payloads if payload["type"] == "view_submission")
    menu = {"type": "block_suggestion", "action_id": "gone", "block_id": "b", "value": "a"}
    command = {"command": "/usergems-status", "text": "failed", "user_id": dana.id, "team_id": dana.team_id}
    command["channel_id"] = server.wins.id
    return [*payloads, submission | {"type": "view_closed"}, menu | common, command, *events(server)]


def events(server: TwoWorkspaces) -> list[Json]:
    """The app stays installed in Acme, so that it goes on handling requests: Rival's token is revoked."""
    user = {"id": server.acme.dana.id, "team_id": server.acme.team.id, "deleted": False, "is_admin": True}
    user |= {"profile": {"email": "dana@acme.example", "real_name": "Dana Reyes"}, "tz": "Europe/Oslo"}
    channel = server.wins.id
    inner: list[Json] = [
        {
            "type": "app_home_opened",
            "tab": "home",
            "user": user["id"],
            "channel": "D1",
            "view": {"id": "V1", "type": "home"},
        },
        {"type": "user_change", "user": user},
        {"type": "channel_rename", "channel": {"id": channel, "name": "won"}},
        {"type": "channel_archive", "channel": channel},
        {"type": "member_joined_channel", "channel": channel, "user": user["id"]},
        {"type": "channel_id_changed", "old_channel_id": channel, "new_channel_id": "C1"},
        {"type": "team_access_granted", "team_ids": ["T1"]},
        {"type": "team_access_revoked", "team_ids": ["T1"]},
    ]
    revoked = {"type": "tokens_revoked", "tokens": {"bot": ["U0"], "oauth": []}}
    return [
        *(_envelope(server.acme.team.id, event) for event in inner),
        _envelope(server.rival.id, revoked),
    ]


def _envelope(team_id: str, event: Json) -> Json:
    authorization = {"enterprise_id": None, "team_id": team_id, "is_enterprise_install": False}
    common = {"type": "event_callback", "team_id": team_id, "event_time": 1_700_000_000}
    return common | {"authorizations": [authorization], "event": event}


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """The way to the value, and to each part of it."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield from paths(part, (*path, name))


def mutated(payload: Json, path: Path, replacement: object) -> object:
    if not path:
        return {} if replacement is GONE else replacement
    changed = deepcopy(payload)
    parent: Any = changed
    for name in path[:-1]:
        parent = parent[name]
    if replacement is GONE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = replacement
    return changed


async def send(server: TwoWorkspaces, payload: Json, path: Path, replacement: object) -> int:
    """Send the payload with one part replaced. Returns the HTTP status."""
    client, body = server.acme.slack.app_client, mutated(payload, path, replacement)
    if "event" in payload:
        reply = await client.post(json.dumps(body), "application/json")
    elif "command" in payload and isinstance(body, dict):
        fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
        reply = await client.post(urlencode(fields, errors="replace"), "application/x-www-form-urlencoded")
    else:
        reply = await client.post(urlencode({"payload": json.dumps(body)}), "application/x-www-form-urlencoded")
    return reply.status


async def test_no_signed_request_causes_a_server_error_or_floods_the_log(
    server: TwoWorkspaces, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Property: it is handled, ignored or refused with 400. A failure is logged once, and without people's data."""
    chance, statuses = Random(request.config.getoption("--requests")), Counter[int]()
    parts = [(payload, path) for payload in await genuine(server) for path in paths(payload)]
    for _ in range(min(2 * request.config.getoption("--requests"), MOST_REQUESTS)):
        payload, path = chance.choice(parts)
        replacement = chance.choice(REPLACEMENTS)
        status = await send(server, payload, path, replacement)
        assert status in {200, 400}, (payload, path, replacement)
        statuses[status] += 1
    await server.wait_for_listeners()

    assert statuses.keys() == {200, 400}
    assert server.acme.dana.name not in caplog.text
    assert len(caplog.records) < statuses.total() / 4
