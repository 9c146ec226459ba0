"""What Slack's reference says of each Web API method: rate limit, scopes, required arguments and errors.

facts.json holds the facts of May 2026; the page of a method is https://docs.slack.dev/reference/methods/METHOD.
"""

import json
from dataclasses import dataclass
from pathlib import Path

_PAGE = "https://docs.slack.dev/reference/methods/"
_FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())

COMMON_ERRORS = frozenset(_FACTS["common_errors"]) | {"ratelimited", "missing_scope", "team_access_not_granted"}
"""Errors that every method can return."""


@dataclass(frozen=True)
class MethodFacts:
    """`tier` is 1 to 4 or "special". `scopes` are alternatives for bot tokens; empty when none is needed.

    `required_of_org_tokens` are arguments that are required only with the token of an org-wide installation.
    """

    name: str
    tier: int | str
    scopes: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    required_of_org_tokens: tuple[str, ...] = ()
    errors: frozenset[str] = frozenset()

    @property
    def page(self) -> str:
        return _PAGE + self.name

    @property
    def every_error(self) -> frozenset[str]:
        """Its documented errors and those that every method can return."""
        return self.errors | COMMON_ERRORS


FACTS = {
    name: MethodFacts(
        name,
        facts["tier"],
        tuple(facts.get("scopes", ())),
        tuple(facts.get("required", ())),
        tuple(facts.get("required_of_org_tokens", ())),
        frozenset(facts["errors"]),
    )
    for name, facts in _FACTS["methods"].items()
}
"""The facts by method."""
