"""The sandbox's methods are held against what Slack's reference says of them."""

from __future__ import annotations

from sandbox.slack.web_api.facts import COMMON_ERRORS, FACTS
from sandbox.slack.web_api.methods import METHODS

OUTSIDE_THE_REFERENCE = {"api.test", "users.conversations"}
"""Methods whose pages are not among the recorded ones."""


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
