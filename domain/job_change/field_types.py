"""Field types of a job change: how each value is normalized and validated. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from math import isfinite
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

LONGEST_TEXT = 500
LONGEST_URL = 2_000
LONGEST_EMAIL = 320
LONGEST_DOMAIN = 255
MOST_EMAILS = 20
DEEPEST_CUSTOM = 32

# Control characters break log lines, SOQL and PostgreSQL (NUL). Line and paragraph separators break layouts.
_TIDIED: dict[int, str | None] = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029], " ")
# Invisible characters that can reverse the rest of a message. Joiners stay: emoji and Indic names need them.
_TIDIED |= dict.fromkeys([0x200B, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])

_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>][^.\s@<>]*\.[^\s@<>]+")
_DOMAIN = re.compile(r"[^\s@<>|/][^.\s@<>|/]*\.[^\s@<>|/]+")
_PLAIN_DOMAIN = re.compile(r"(?!www\.)[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_SCHEME_AND_WWW = re.compile(r"(?:https?://)?(?:www\.)*")
_AFTER_HOST = re.compile(r"[/?#]")
_URL = re.compile(
    r"https?://(?P<host>localhost|[^\s<>|\"/?#\\@:.]+(?:\.[^\s<>|\"/?#\\@:.]+)+\.?)(?::\d{1,5})?"
    r"(?P<path>/[^\s<>|\"?#]*)?(?:[?#][^\s<>|\"]*)?",
    re.IGNORECASE,
)
_LINKEDIN = re.compile(r"(?:[a-z0-9-]+\.)?linkedin\.com")
_SALESFORCE_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?", re.DOTALL)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:.*", re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def tidy(text: str | None) -> str | None:
    """Normalize white space and drop control characters. None when nothing is left: a blank field counts as missing."""
    if text is None:
        return None
    if text.isprintable() and "  " not in text:  # the common case, and several times as fast
        return text.strip() or None
    return " ".join(text.translate(_TIDIED).split()) or None


def _email(text: str | None) -> str | None:
    email = (tidy(text) or "").lower()
    if not email:
        return None
    if not _EMAIL.fullmatch(email) or len(email) > LONGEST_EMAIL:
        raise PydanticCustomError("email", "is not an email address")
    return email


def _email_of_list(text: str) -> str:
    email = _email(text)
    if email is None:
        raise PydanticCustomError("email", "is not an email address")
    return email


def _domain(text: str | None) -> str | None:
    if text and len(text) <= LONGEST_DOMAIN and _PLAIN_DOMAIN.fullmatch(text):  # the common case
        return text
    tidied = tidy(text)
    if tidied is None:
        return None
    domain = _AFTER_HOST.split(_SCHEME_AND_WWW.sub("", tidied.lower(), count=1), maxsplit=1)[0]
    if not _DOMAIN.fullmatch(domain) or len(domain) > LONGEST_DOMAIN:
        raise PydanticCustomError("domain", "is not a domain such as globex.com")
    return domain


def _url(text: str | None) -> str | None:
    tidied = tidy(text)
    if tidied is None:
        return None
    url = tidied if "://" in tidied else f"https://{tidied}"
    if not _URL.fullmatch(url) or len(url) > LONGEST_URL:
        raise PydanticCustomError("url", "is not an http(s) address")
    return url


def page_of(url: str) -> str:
    """The canonical form of an address: https://uk.linkedin.com/in/Ada/?x=1 becomes linkedin.com/in/ada."""
    match = _URL.fullmatch(url.lower())
    if not match:
        return url.lower()
    host = "linkedin.com" if _LINKEDIN.fullmatch(match["host"]) else match["host"].removeprefix("www.")
    return host + (match["path"] or "").rstrip("/")


_CAPITALS = {code: "1" if chr(code).isupper() else "0" for code in range(128)}
_CHECK = {f"{place:05b}"[::-1]: char for place, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")}


_BITS = {char: bits for bits, char in _CHECK.items()}


def long_salesforce_id(text: str) -> str:
    """
    The 18-character form of a 15-character id.

    Each of the last three characters says which of five characters before it are capitals, so an id of 18 characters
    that has lost its capitals, as in a spreadsheet, gets them back. Any other text of 18 characters is unchanged.
    https://help.salesforce.com/s/articleView?id=000383751
    """
    if len(text) == 15:
        capitals = text.translate(_CAPITALS)
        return text + _CHECK[capitals[0:5]] + _CHECK[capitals[5:10]] + _CHECK[capitals[10:15]]
    if len(text) != 18 or text not in {text.lower(), text.upper()}:
        return text
    bits = "".join(_BITS.get(char, "") for char in text[15:].upper())
    restored = "".join(char.upper() if bit == "1" else char.lower() for char, bit in zip(text, bits, strict=False))
    return long_salesforce_id(restored) if len(bits) == 15 else text


def _salesforce_id(text: str | None) -> str | None:
    tidied = tidy(text)
    if tidied is None:
        return None
    if not _SALESFORCE_ID.fullmatch(tidied):
        raise PydanticCustomError("salesforce_id", "is not a Salesforce id of 15 or 18 characters")
    return long_salesforce_id(tidied)


def _day(value: object) -> object:
    # pydantic alone would read 20261101 as seconds since 1970.
    if value is None or (isinstance(value, str) and not tidy(value)):
        return None
    match = _DAY.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise PydanticCustomError("day", "must be a date such as 2026-11-01")
    return match[1]


def _moment(value: object) -> object:
    if value is None or (isinstance(value, str) and not tidy(value)):
        return None
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise PydanticCustomError("moment", "must be a time with its zone, such as 2026-11-20T09:30:00Z")
    return value


def _storable(custom: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if not _is_storable(custom, DEEPEST_CUSTOM):
        raise PydanticCustomError("custom", "has a broken character, a number that is not finite, or too many levels")
    return custom


def _is_storable(value: JsonValue, levels: int) -> bool:
    """Whether a value survives being written as JSON and read back."""
    if isinstance(value, str):
        return value.isascii() or not _SURROGATE.search(value)
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, dict):
        return levels > 0 and all(
            _is_storable(name, levels) and _is_storable(inner, levels - 1) for name, inner in value.items()
        )
    if isinstance(value, list):
        return levels > 0 and all(_is_storable(inner, levels - 1) for inner in value)
    return True


def null_is(default: object) -> BeforeValidator:
    """An explicit null counts as a missing field."""
    return BeforeValidator(lambda value: default if value is None else value)


ShortText = Annotated[str, Field(max_length=LONGEST_TEXT)]
Text = Annotated[ShortText | None, AfterValidator(tidy)]
Email = Annotated[ShortText | None, AfterValidator(_email)]
Emails = Annotated[
    list[Annotated[ShortText, AfterValidator(_email_of_list)]], Field(max_length=MOST_EMAILS), null_is([])
]
Domain = Annotated[ShortText | None, AfterValidator(_domain)]
Url = Annotated[Annotated[str, Field(max_length=LONGEST_URL)] | None, AfterValidator(_url)]
SalesforceId = Annotated[ShortText | None, AfterValidator(_salesforce_id)]
Day = Annotated[
    Annotated[date, Field(strict=False, ge=date(1900, 1, 1), lt=date(2200, 1, 1))] | None, BeforeValidator(_day)
]
Moment = Annotated[
    Annotated[
        AwareDatetime, Field(strict=False, ge=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(2200, 1, 1, tzinfo=UTC))
    ]
    | None,
    BeforeValidator(_moment),
]
Custom = Annotated[dict[str, JsonValue], AfterValidator(_storable), null_is({})]
