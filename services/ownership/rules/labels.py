"""What people read of owner sources: names for roles and fields, "the owner of Globex". Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.ownership.rules.owner_sources import OfOpportunity

OPPORTUNITY: Mapping[OfOpportunity, str] = {
    "open": "open opportunity",
    "last_won": "last won opportunity",
    "last_lost": "last lost opportunity",
}
_IDLE_ENDS = re.compile(r"(?:__c|Id)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def field_label(field: str, labels: Mapping[str, str] | None = None) -> str:
    """
    How people call a field: what the org does, or the best that its API name says ("Account.SDR__c" is "SDR").

    *labels*: by object and field in lower case, as the org's describe has them.
    """
    name = field.partition(".")[2]
    known = (labels or {}).get(field.lower())
    if known and known.lower() != name.lower():
        return known
    bare = _IDLE_ENDS.sub("", name)
    namespace, _, rest = bare.partition("__")
    return _CAMEL.sub(" ", (rest or namespace).replace("_", " ")).strip() or name


def outcome(considered: Mapping[str, str | None]) -> str:
    """What became of somebody who was considered, as the trace has it, and how who is told was found in Slack."""
    match = considered.get("match") or ""  # traces of earlier versions have none
    return f"{considered['result']}, {match}" if match else str(considered["result"])


def listed(words: tuple[str, ...] | list[str], last: str = "or") -> str:
    """ "a, b or c" """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"
