"""Nobody is believed to be a sender, or Slack, without the secret: nine ways to forge, each tried again and again."""

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

from domain.intake_key import SIGNING
from services.intake.signatures import text_of
from tests.security.two_workspaces import Fort, fort
from tests.world import sample_job_change

ROOT = Path(__file__).parents[2]
TIMES = 12
"""Each kind of forgery, on each door."""

BODY = json.dumps(sample_job_change(source="forger")).encode()
EVENT = json.dumps({"type": "event_callback", "team_id": "T0000000001", "event": {"type": "app_uninstalled"}}).encode()


@pytest.fixture
async def castle(sqlite_url: str) -> AsyncIterator[Fort]:
    async with fort(sqlite_url) as made:
        yield made


def standard(secret: str, body: bytes, moment: int, message_id: str = "msg_1") -> dict[str, str]:
    """As https://www.standardwebhooks.com says."""
    signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(moment, UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(moment), "webhook-signature": signature}


def forged_webhooks(secret: str, stranger: str, moment: int, chance: Random) -> dict[str, dict[str, str]]:
    """Headers by the kind of forgery. *secret*: the right one; *stranger*: of somebody else."""
    good = standard(secret, BODY, moment)
    _, _, code = good["webhook-signature"].partition(",")
    raw = bytearray(base64.b64decode(code))
    raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    one_bit_off = "v1," + base64.b64encode(raw).decode()
    return {
        "unsigned": {},
        "empty signature": good | {"webhook-signature": ""},
        "one bit off": good | {"webhook-signature": one_bit_off},
        "cut short": good | {"webhook-signature": good["webhook-signature"][: chance.randrange(3, 40)]},
        "of another secret": standard(stranger, BODY, moment),
        "of another body": standard(secret, BODY + b" ", moment),
        "of another message": good | {"webhook-id": "msg_2"},
        "too old": standard(secret, BODY, moment - 301 - chance.randrange(10_000)),
        "from the future": standard(secret, BODY, moment + 310 + chance.randrange(10_000)),
        "another version": good | {"webhook-signature": "v1a," + code},
        "many guesses": good | {"webhook-signature": " ".join(f"v1,{secrets.token_urlsafe(32)}" for _ in range(50))},
        "a key that is guessed": {"Authorization": f"Bearer ugk_{secrets.token_urlsafe(32)}"},
        "a secret as a key": {"X-Api-Key": secret},
    }


async def test_forged_webhooks_are_refused(castle: Fort) -> None:
    """Thirteen kinds, each many times: always 401, and no row."""
    keys, team = castle.acme.app.intake_keys, castle.acme.team
    secret = await keys.make(team.id, SIGNING, "operator")
    chance, before = Random(8), await castle.rows()
    url = f"{castle.acme.url}/v1/workspaces/{team.id}/job-changes"
    answers: Counter[tuple[str, int]] = Counter()
    for _ in range(TIMES):
        moment = castle.acme.now() // 1_000
        kinds = forged_webhooks(secret, text_of(secrets.token_bytes(32)), moment, chance)
        for kind, headers in kinds.items():
            async with castle.acme.http.post(url, data=BODY, headers=headers | _JSON) as answer:
                answers[kind, answer.status] += 1

    assert {status for _, status in answers} == {401}
    assert len(answers) == 13
    assert await castle.rows() == before
    genuine = standard(secret, BODY, castle.acme.now() // 1_000)
    async with castle.acme.http.post(url, data=BODY, headers=genuine | _JSON) as answer:
        assert answer.status == 202


async def test_another_workspaces_secrets_open_no_door_of_ours(castle: Fort) -> None:
    """Rival's key and Rival's signature, on Acme's address: strangers."""
    secret = await castle.acme.app.intake_keys.make(castle.rival.id, SIGNING, castle.rex.id)
    url = f"{castle.acme.url}/v1/workspaces/{castle.acme.team.id}/job-changes"
    before = await castle.rows()
    for headers in (
        {"X-Api-Key": castle.rival_key},
        {"Authorization": f"Bearer {castle.rival_key}"},
        standard(secret, BODY, castle.acme.now() // 1_000),
    ):
        async with castle.acme.http.post(url, data=BODY, headers=headers | _JSON) as answer:
            assert answer.status == 401
        async with castle.acme.http.get(f"{url}/1", headers=headers) as answer:
            assert answer.status == 401

    assert await castle.rows() == before


async def test_a_recorded_request_told_again_tells_nobody_twice(castle: Fort) -> None:
    """Within five minutes it is the duplicate of the first, after that it is refused."""
    secret = await castle.acme.app.intake_keys.make(castle.acme.team.id, SIGNING, "operator")
    url = f"{castle.acme.url}/v1/workspaces/{castle.acme.team.id}/job-changes"
    recorded = standard(secret, BODY, castle.acme.now() // 1_000) | _JSON
    told = []
    for late_by in (0, 0, 200, 320):
        castle.acme.clock_offset = late_by
        async with castle.acme.http.post(url, data=BODY, headers=recorded) as answer:
            told.append((answer.status, (await answer.json()).get("status")))

    assert told == [(202, "accepted"), (200, "duplicate"), (200, "duplicate"), (401, None)]


def slack(secret: str, body: bytes, moment: int) -> dict[str, str]:
    """As https://docs.slack.dev/authentication/verifying-requests-from-slack says."""
    mac = hmac.new(secret.encode(), b"v0:%d:" % moment + body, "sha256").hexdigest()
    return {"X-Slack-Request-Timestamp": str(moment), "X-Slack-Signature": f"v0={mac}"}


async def test_forged_requests_of_slack_are_refused(castle: Fort) -> None:
    """What would uninstall the app, in nine kinds of forgery: always 401, and the workspace stays."""
    right, chance, before = castle.acme.slack.app.signing_secret, Random(9), await castle.rows()
    statuses: Counter[int] = Counter()
    for _ in range(TIMES):
        moment = castle.acme.now() // 1_000
        good = slack(right, EVENT, moment)
        mac = list(good["X-Slack-Signature"])
        place = chance.randrange(3, len(mac))
        mac[place] = "0" if mac[place] != "0" else "1"
        for headers in (
            {},
            good | {"X-Slack-Signature": "".join(mac)},
            good | {"X-Slack-Signature": good["X-Slack-Signature"][: chance.randrange(3, 60)]},
            good | {"X-Slack-Signature": good["X-Slack-Signature"].upper()},
            good | {"X-Slack-Request-Timestamp": str(moment + 1)},
            slack(secrets.token_hex(16), EVENT, moment),
            slack(right, EVENT + b" ", moment),
            slack(right, EVENT, moment - 301 - chance.randrange(10_000)),
            slack(right, EVENT, moment + 310 + chance.randrange(10_000)),
        ):
            url = f"{castle.acme.url}/slack/events"
            async with castle.acme.http.post(url, data=EVENT, headers=headers | _JSON) as answer:
                statuses[answer.status] += 1

    assert set(statuses) == {401}
    await castle.settled()
    assert await castle.rows() == before


COMPARED = {
    "services/intake/signatures.py": ["is_made_with"],
    "services/intake/keys.py": ["proves"],
    "listeners/http/health.py": ["_may_read_metrics"],
    "listeners/slack/links.py": ["is_for_browser"],
    "store/salesforce/apps.py": ["take"],
}
"""Where a secret that somebody brought is held against the one we know."""


@pytest.mark.parametrize(("file", "functions"), COMPARED.items())
def test_secrets_are_compared_in_constant_time(file: str, functions: list[str]) -> None:
    """How long a refusal takes says nothing of how much was right."""
    tree = ast.parse((ROOT / file).read_text())
    found = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for name in functions:
        assert "compare_digest" in {_last_name(part) for part in ast.walk(found[name])}, name


_SECRET_NAMES = {"token", "secret", "signature", "password", "api_key", "metrics_token"}


def test_no_secret_is_compared_with_an_equals_sign() -> None:
    """Anywhere: a comparison that stops at the first difference can be measured."""
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
