"""Salesforce record ids: creating them, and converting between 15 and 18 characters. Pure."""

import re

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")


def checksum(id15: str) -> str:
    """The three-character suffix; each character encodes which of five characters are capitals.

    https://developer.salesforce.com/docs/platform/object-reference/guide/field-types.html (ID field type)
    """
    return "".join(
        _ALPHABET[sum(1 << place for place, char in enumerate(id15[start : start + 5]) if "A" <= char <= "Z")]
        for start in (0, 5, 10)
    )


def new_id(prefix: str, number: int) -> str:
    """An 18-character id for the record `number` of the sObject with this key prefix."""
    tail = ""
    for _ in range(9):
        number, digit = divmod(number, 62)
        tail = _BASE62[digit] + tail
    id15 = f"{prefix}Sb0{tail}"  # three characters identify the instance
    return id15 + checksum(id15)


def to_18(value: str) -> str | None:
    """The 18-character form of an id of either length; None if it is not an id.

    The long form may have lost its capitals, for example in a spreadsheet; the suffix restores them.
    """
    if not _ID.fullmatch(value):
        return None
    if len(value) == 15:
        return value + checksum(value)
    if value[15:] == checksum(value[:15]):
        return value
    return _with_capitals(value[:15], value[15:].upper())


def _with_capitals(id15: str, suffix: str) -> str | None:
    if not set(suffix) <= set(_ALPHABET):
        return None
    capitals = [bool(_ALPHABET.index(char) >> place & 1) for char in suffix for place in range(5)]
    restored = "".join(
        char.upper() if is_capital else char.lower() for char, is_capital in zip(id15, capitals, strict=True)
    )
    return restored + suffix if checksum(restored) == suffix else None
