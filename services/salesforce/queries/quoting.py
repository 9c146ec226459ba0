"""Values in a SOQL query, quoted."""

from __future__ import annotations

from typing import Any


def format_soql(query: str, *values: Any, **named: Any) -> str:
    """
    The query with each `{}` as a quoted value, `{:literal}` as it is and `{:like}` inside a pattern.

    Raises ValueError for what cannot be quoted.
    """
    # It brings the whole of simple-salesforce, and memory that nobody needs who has connected no Salesforce.
    from simple_salesforce.format import format_soql as quoted  # noqa: PLC0415

    return str(quoted(query, *values, **named))
