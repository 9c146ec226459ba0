"""SOQL's comparison of field values with literals, by field type. Pure."""

import re
from datetime import UTC, date, datetime

from sandbox.salesforce.errors import SalesforceError, malformed_id
from sandbox.salesforce.ids import to_18
from sandbox.salesforce.schema import Field, Value
from sandbox.salesforce.soql.parser import Literal

Comparable = str | float | datetime | date


def key(field: Field, value: Value) -> Comparable | None:
    """The field value in a comparable form: lower-case text, datetimes in UTC.

    https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-select-comparisonoperators.html
    """
    if value is None or value == "":
        return None
    if field.type == "datetime":
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    if field.type == "date":
        return date.fromisoformat(str(value))
    if field.type in {"id", "reference"}:
        return str(value)
    return value.lower() if isinstance(value, str) else value


def literal(field: Field, value: Literal) -> Comparable | None:
    """The literal in a comparable form. Raises SalesforceError if it does not have the type of the field."""
    if value is None or value == "":
        return None
    if field.type in {"id", "reference"}:
        id18 = to_18(str(value))
        if id18 is None:
            raise malformed_id(str(value))
        return id18
    if not isinstance(value, _type_of(field)) or isinstance(value, bool) != (field.type == "boolean"):
        quotes = "should be" if _type_of(field) is str else "should not be"
        raise SalesforceError(
            400,
            "INVALID_FIELD",
            f"\nERROR at Row:1:Column:1\nvalue of filter criterion for field '{field.name}' must be of type "
            f"{field.type} and {quotes} enclosed in quotes",
        )
    return value.lower() if isinstance(value, str) else value


def _type_of(field: Field) -> type | tuple[type, ...]:
    by_type: dict[str, type | tuple[type, ...]] = {
        "boolean": bool,
        "datetime": datetime,
        "date": date,
        "int": int,
        "double": (int, float),
        "currency": (int, float),
    }
    return by_type.get(field.type, str)


def like(field: Field, value: object) -> re.Pattern[str]:
    """The pattern of a LIKE: `%` matches any text, `_` one character, a backslash escapes both."""
    if field.type in {"id", "reference"} or not isinstance(value, str):
        raise SalesforceError(
            400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {field.name} field of type {field.type}"
        )
    parts = re.findall(r"\\[%_]|.", value, flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return re.compile(
        "".join(wild.get(part) or re.escape(part.removeprefix("\\") or part) for part in parts),
        re.IGNORECASE | re.DOTALL,
    )


def sort_key(value: Comparable | None) -> tuple[float, str]:
    if isinstance(value, datetime):
        return value.timestamp(), ""
    if isinstance(value, date):
        return value.toordinal(), ""
    return (0.0, value) if isinstance(value, str) else (float(value or 0), "")


def ordered(value: Comparable | None, operator: str, limit: Comparable | None) -> bool:
    if value is None or limit is None:
        return False
    left, right = sort_key(value), sort_key(limit)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
