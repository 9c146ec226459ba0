"""The sandbox's methods are held against what Slack's reference says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.faults import Faults
from sandbox.slack.sandbox import DEFAULT_SCOPES
from sandbox.slack.web_api.facts import COMMON_ERRORS, FACTS
from sandbox.slack.web_api.methods import METHODS

OUTSIDE_THE_REFERENCE = {"api.test", "users.conversations"}
"""Methods whose pages are not among the recorded ones."""

CALLS_A_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, "special": 600}
"""By tier. For special ones Slack publishes no number, except for chat.postMessage."""


def test_every_method_of_the_sandbox_has_its_facts():
    """Its page, rate limit, scopes, required arguments and errors come from the reference."""
    without = {name for name, method in METHODS.items() if FACTS.get(name) is not method.facts}

    assert without == OUTSIDE_THE_REFERENCE


def test_the_facts_are_complete():
    """Each method has a tier and a page; common errors are those that every page lists."""
    assert {"invalid_auth", "token_revoked", "account_inactive", "ratelimited"} <= COMMON_ERRORS
    assert all(facts.tier in {1, 2, 3, 4, "special"} for facts in FACTS.values())
    assert FACTS["chat.postMessage"].page == "https://docs.slack.dev/reference/methods/chat.postMessage"
    assert FACTS["users.list"].required_of_org_tokens == ("team_id",)


def test_an_installation_is_granted_what_the_manifest_asks_for():
    """A scope that only the sandbox grants would hide a call that Slack refuses."""
    scopes = json.loads((Path(__file__).parents[3] / "manifest.json").read_text())["oauth_config"]["scopes"]

    assert set(scopes["bot"]) == DEFAULT_SCOPES


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_a_method_may_be_called_as_often_as_its_tier_says(acme, method):
    """https://docs.slack.dev/apis/web-api/rate-limits: one call more in a minute is answered with a 429."""
    limits, tier = acme.slack.limits, METHODS[method].facts.tier
    limits.enabled = True
    allowed = limits.posts_a_minute if method == "chat.postMessage" else CALLS_A_MINUTE[tier]
    for _ in range(allowed - 1):  # without HTTP, which would take longer
        assert limits.seconds_to_wait(method, acme.team.id, tier, acme.slack.world.now()) == 0

    assert [await status_of(acme, method) for _ in range(2)] == [200, 429]


async def status_of(acme, method):
    """The HTTP status of a call, whether or not Slack performs it. With `test`, auth.revoke revokes nothing."""
    try:
        return (await acme.client.api_call(method, data={"test": "true"})).status_code
    except SlackApiError as refused:
        return refused.response.status_code


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].facts.required])
async def test_required_arguments_are_required(acme, method):
    """Slack names what is missing. Each of the arguments is enough to fail."""
    for missing in METHODS[method].facts.required:
        arguments = {name: "x" for name in METHODS[method].facts.required if name != missing}
        with pytest.raises(SlackApiError) as refused:
            await acme.client.api_call(method, data=arguments)

        assert refused.value.response["error"] == "invalid_arguments"
        assert missing in str(refused.value.response["response_metadata"])


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].facts.scopes])
async def test_no_method_works_without_its_scope(acme, method):
    """Only the scopes that were granted at the installation count."""
    acme.slack.world.tokens[acme.token].scopes.clear()
    arguments = {"channel": acme.dana.id, "user": acme.dana.id, "users": acme.dana.id, "ts": "1.0", "email": "a@b.c"}
    arguments |= {"usergroup": "S1", "user_id": acme.dana.id, "view": "{}"}
    with pytest.raises(SlackApiError) as refused:
        await acme.client.api_call(method, data=arguments)

    assert refused.value.response["error"] == "missing_scope"


@pytest.mark.parametrize("method", sorted(FACTS))
def test_every_documented_error_can_be_caused_and_no_other(method):
    """A test that plants an error which Slack does not have says so."""
    faults = Faults()
    for code in FACTS[method].every_error:
        faults.add(method, code)
    with pytest.raises(LookupError, match="does not document"):
        faults.add(method, "a_code_of_our_own")
    faults.add(method, "a_code_of_our_own", undocumented=True)

    assert len(faults.active) == len(FACTS[method].every_error) + 1
