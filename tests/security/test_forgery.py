"""Forged signatures and keys are refused, of senders and of Slack."""

from __future__ import annotations

import ast
import base64
import hmac
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from standardwebhooks import Webhook

from domain.workspace import SIGNING
from services.intake.signatures import text_of
from tests.security.two_workspaces import TwoWorkspaces, open_two_workspaces
from tests.world import sample_job_change

ROOT = Path(__file__).parents[2]
ATTEMPTS = 12
"""For each kind of forgery."""

BODY = json.dumps(sample_job_change(source="forger")).encode()
EVENT = json.dumps({"type": "event_callback", "team_id": "T0000000001", "event": {"type": "app_uninstalled"}}).encode()


@pytest.fixture
async def server(sqlite_url: str) -> AsyncIterator[TwoWorkspaces]:
    async with open_two_workspaces(sqlite_url) as made:
        yield made


def webhook_headers(secret: str, body: bytes, moment: int, message_id: str = "msg_1") -> dict[str, str]:
    """Headers as https://www.standardwebhooks.com defines them."""
    signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(moment, UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(moment), "webhook-signature": signature}


def forged_webhooks(secret: str, stranger: str, moment: int, chance: Random) -> dict[str, dict[str, str]]:
    """Headers by the kind of forgery. `secret` is the right secret, `stranger` somebody else's."""
    good = webhook_headers(secret, BODY, moment)
    _, _, code = good["webhook-signature"].partition(",")
    raw = bytearray(base64.b64decode(code))
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    one_bit_off = "v1," + base64.b64encode(raw).decode()
    return {
        "unsigned": {},
        "empty signature": good | {"webhook-signature": ""},
        "one bit off": good | {"webhook-signature": one_bit_off},
        "cut short": good | {"webhook-signature": good["webhook-signature"][: chance.randrange(3, 40)]},
        "of another secret": webhook_headers(stranger, BODY, moment),
        "of another body": webhook_headers(secret, BODY + b" ", moment),
        "of another message": good | {"webhook-id": "msg_2"},
        "too old": webhook_headers(secret, BODY, moment - 301 - chance.randrange(10_000)),
        "from the future": webhook_headers(secret, BODY, moment + 310 + chance.randrange(10_000)),
        "another version": good | {"webhook-signature": "v1a," + code},
        "many guesses": good | {"webhook-signature": " ".join(f"v1,{secrets.token_urlsafe(32)}" for _ in range(50))},
        "a key that is guessed": {"Authorization": f"Bearer ugk_{secrets.token_urlsafe(32)}"},
        "a secret as a key": {"X-Api-Key": secret},
    }


async def test_forged_webhooks_are_refused(server: TwoWorkspaces) -> None:
    """Each of thirteen kinds of forgery gets 401 and stores nothing."""
    keys, team = server.acme.app.intake_keys, server.acme.team
    secret = await keys.make(team.id, SIGNING, "operator")
    chance, before = Random(8), await server.rows()
    url = f"{server.acme.url}/v1/workspaces/{team.id}/job-changes"
    answers: Counter[tuple[str, int]] = Counter()
    for _ in range(ATTEMPTS):
        moment = server.acme.now() // 1_000
        kinds = forged_webhooks(secret, text_of(secrets.token_bytes(32)), moment, chance)
        for kind, headers in kinds.items():
            async with server.acme.http.post(url, data=BODY, headers=headers | _JSON) as answer:
                answers[kind, answer.status] += 1

    assert {status for _, status in answers} == {401}
    assert len(answers) == 13
    assert await server.rows() == before
    genuine = webhook_headers(secret, BODY, server.acme.now() // 1_000)
    async with server.acme.http.post(url, data=BODY, headers=genuine | _JSON) as answer:
        assert answer.status == 202


async def test_another_workspaces_key_is_refused(server: TwoWorkspaces) -> None:
    """Rival's key and signature get 401 on Acme's URL."""
    secret = await server.acme.app.intake_keys.make(server.rival.id, SIGNING, server.rex.id)
    url = f"{server.acme.url}/v1/workspaces/{server.acme.team.id}/job-changes"
    before = await server.rows()
    for headers in (
        {"X-Api-Key": server.rival_key},
        {"Authorization": f"Bearer {server.rival_key}"},
        webhook_headers(secret, BODY, server.acme.now() // 1_000),
    ):
        async with server.acme.http.post(url, data=BODY, headers=headers | _JSON) as answer:
            assert answer.status == 401
        async with server.acme.http.get(f"{url}/1", headers=headers) as answer:
            assert answer.status == 401

    assert await server.rows() == before


async def test_a_replayed_request_notifies_nobody_again(server: TwoWorkspaces) -> None:
    """For five minutes it is answered as a duplicate, after that it is refused."""
    secret = await server.acme.app.intake_keys.make(server.acme.team.id, SIGNING, "operator")
    url = f"{server.acme.url}/v1/workspaces/{server.acme.team.id}/job-changes"
    recorded = webhook_headers(secret, BODY, server.acme.now() // 1_000) | _JSON
    answers = []
    for late_by in (0, 0, 200, 320):
        server.acme.clock_offset = late_by
        async with server.acme.http.post(url, data=BODY, headers=recorded) as answer:
            answers.append((answer.status, (await answer.json()).get("status")))

    assert answers == [(202, "accepted"), (200, "duplicate"), (200, "duplicate"), (401, None)]


def slack_headers(secret: str, body: bytes, moment: int) -> dict[str, str]:
    """Headers as https://docs.slack.dev/authentication/verifying-requests-from-slack defines them."""
    mac = hmac.new(secret.encode(), b"v0:%d:" % moment + body, "sha256").hexdigest()
    return {"X-Slack-Request-Timestamp": str(moment), "X-Slack-Signature": f"v0={mac}"}


async def test_forged_slack_requests_are_refused(server: TwoWorkspaces) -> None:
    """Nine kinds of forged `app_uninstalled` events get 401, and the workspace stays installed."""
    right, chance, before = server.acme.slack.app.signing_secret, Random(9), await server.rows()
    statuses: Counter[int] = Counter()
    for _ in range(ATTEMPTS):
        moment = server.acme.now() // 1_000
        good = slack_headers(right, EVENT, moment)
        mac = list(good["X-Slack-Signature"])
        place = chance.randrange(3, len(mac))
        mac[place] = "0" if mac[place] != "0" else "1"
        for headers in (
            {},
            good | {"X-Slack-Signature": "".join(mac)},
            good | {"X-Slack-Signature": good["X-Slack-Signature"][: chance.randrange(3, 60)]},
            good | {"X-Slack-Signature": good["X-Slack-Signature"].upper()},
            good | {"X-Slack-Request-Timestamp": str(moment + 1)},
            slack_headers(secrets.token_hex(16), EVENT, moment),
            slack_headers(right, EVENT + b" ", moment),
            slack_headers(right, EVENT, moment - 301 - chance.randrange(10_000)),
            slack_headers(right, EVENT, moment + 310 + chance.randrange(10_000)),
        ):
            url = f"{server.acme.url}/slack/events"
            async with server.acme.http.post(url, data=EVENT, headers=headers | _JSON) as answer:
                statuses[answer.status] += 1

    assert set(statuses) == {401}
    await server.wait_for_listeners()
    assert await server.rows() == before


COMPARED = {
    "services/intake/signatures.py": ["is_made_with"],
    "services/intake/keys.py": ["match_bearers"],
    "listeners/http/health.py": ["_may_read_metrics"],
    "listeners/slack/links.py": ["is_for_browser"],
    "store/salesforce/apps.py": ["take"],
}
"""The functions that compare a given secret with a stored one."""


@pytest.mark.parametrize(("file", "functions"), COMPARED.items())
def test_secrets_are_compared_in_constant_time(file: str, functions: list[str]) -> None:
    """The time of a refusal does not show how much of the secret was right."""
    tree = ast.parse((ROOT / file).read_text())
    functions_by_name = {
        node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for name in functions:
        assert "compare_digest" in {_last_name(part) for part in ast.walk(functions_by_name[name])}, name


_SECRET_NAMES = {"token", "secret", "signature", "password", "api_key", "metrics_token"}


def test_no_secret_is_compared_with_equals() -> None:
    """`==` stops at the first difference, which can be measured."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("listeners", "services", "store")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Compare)
        and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops)
        and any(_last_name(side) in _SECRET_NAMES for side in (node.left, *node.comparators))
    ]

    assert wrong == []


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


_JSON = {"Content-Type": "application/json"}
