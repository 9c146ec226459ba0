"""Labels that people read in place of stored names: opportunities, fields, and results of candidates. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from services.ownership.rules.owner_sources import OfOpportunity

OPPORTUNITY: Mapping[OfOpportunity, str] = {
    "open": "open opportunity",
    "last_won": "last won opportunity",
    "last_lost": "last lost opportunity",
}
_SUFFIXES = re.compile(r"(?:__c|Id)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def field_label(field: str, labels: Mapping[str, str] | None = None) -> str:
    """
    The org's label of a field, or a label made from its API name: "Account.SDR__c" becomes "SDR".

    `labels` is keyed by object and field in lower case.
    """
    name = field.partition(".")[2]
    label = (labels or {}).get(field.lower())
    if label and label.lower() != name.lower():
        return label
    return _label_made_from(name)


@lru_cache(maxsize=1_000)
def _label_made_from(name: str) -> str:
    bare = _SUFFIXES.sub("", name)
    namespace, _, rest = bare.partition("__")
    return _CAMEL.sub(" ", (rest or namespace).replace("_", " ")).strip() or name


def listed(words: tuple[str, ...] | list[str], last: str = "or") -> str:
    """ "a, b or c" """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"
