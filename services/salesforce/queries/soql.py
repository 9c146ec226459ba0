"""Parts of SOQL: quoted values, ids of one object, and lists that fit into a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote_plus

from domain.job_change.field_types import long_salesforce_id

LONGEST_LIST = 12_000
"""
The length in bytes of one IN list in a URL. A URI with its headers may be 16,384 bytes long:
https://developer.salesforce.com/docs/platform/salesforce-app-limits-cheatsheet
"""

_UNQUOTED = "':/,()=!*@"
"""The characters of queries that the query part of a URL may contain as they are: RFC 3986, section 3.4."""

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
# The first three characters of an id say which object it belongs to: https://help.salesforce.com/s/articleView?id=000385203
_PREFIXES = {"Contact": "003", "Lead": "00Q", "Account": "001", "Opportunity": "006", "User": "005", "Group": "00G"}


def ids_of(sobject: str, values: Iterable[str | None]) -> list[str]:
    """Return the ids of this object with 18 characters. A malformed one would make Salesforce refuse all of them."""
    texts = {value for value in values if value and value.startswith(_PREFIXES[sobject]) and _ID.fullmatch(value)}
    ids = {long_salesforce_id(text) for text in texts}
    return sorted(text for text in ids if long_salesforce_id(text[:15]) == text)


def url_lists(values: list[str], around: int = 0) -> Iterator[list[str]]:
    """Split the values into lists that fit into a URL when encoded. `around` is the bytes added to each value."""
    batch: list[str] = []
    size = 0
    for value in values:
        length = len(url_encoded(f"'{value}',")) + around
        if batch and size + length > LONGEST_LIST:
            yield batch
            batch, size = [], 0
        batch.append(value)
        size += length
    if batch:
        yield batch


def url_encoded(soql: str) -> str:
    """Return the query as it is sent in a URL."""
    return quote_plus(soql, safe=_UNQUOTED)


def format_soql(query: str, *values: Any, **named: Any) -> str:
    """
    Return the query with each `{}` as a quoted value, `{:literal}` unchanged and `{:like}` as part of a pattern.

    Raises ValueError for a value that cannot be quoted.
    """
    # Imported only when needed: simple-salesforce takes memory that servers without Salesforce save.
    from simple_salesforce.format import format_soql as quoted  # noqa: PLC0415

    return str(quoted(query, *values, **named))
