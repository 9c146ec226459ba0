"""Person keys: the fields of Salesforce by which the person of a job change is found, in an admin's order. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

EMAIL = "email"
LINKEDIN = "linkedin"

MOST_KEYS = 10
"""Each costs a query in every batch."""

_LINE = re.compile(r"(Contact|Lead)\.([A-Za-z][A-Za-z0-9_]{0,79})\s*=\s*(email|linkedin|custom\.\S(?:.{0,98}\S)?)")


@dataclass(frozen=True)
class PersonKey:
    """
    A field of Contact or Lead, and what it is compared with.

    `kind` is EMAIL, LINKEDIN, or `custom.NAME`: the value that the sender puts there, such as its own id of the person.
    """

    sobject: str
    field: str
    kind: str

    def __str__(self) -> str:
        return f"{self.sobject}.{self.field} = {self.kind}"

    @property
    def label(self) -> str:
        """What people read in "found by …"."""
        if self.field == "Email":
            return "email address"
        noun = {EMAIL: "email address", LINKEDIN: "LinkedIn URL"}.get(self.kind, f"{self.kind.partition('.')[2]}")
        return f"{noun} in {self.field}"

    @property
    def is_standard(self) -> bool:
        return self.field == "Email" and self.kind == EMAIL


DEFAULT_KEYS = (PersonKey("Contact", "Email", EMAIL), PersonKey("Lead", "Email", EMAIL))


def parse_keys(text: str) -> tuple[PersonKey, ...] | str:
    """Read one key per line, or return what is wrong. An empty text means the default."""
    keys: list[PersonKey] = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            return f"Line {number}: enter a field and what it holds, such as Contact.LinkedIn_URL__c = linkedin."
        key = PersonKey(match[1], match[2], match[3])
        if key.field == "Email" and key.kind != EMAIL:
            return f"Line {number}: {key.sobject}.Email holds an email address."
        if key in keys:
            return f"Line {number}: {key} is listed twice."
        keys.append(key)
    if len(keys) > MOST_KEYS:
        return f"Enter at most {MOST_KEYS} fields."
    return tuple(keys) or DEFAULT_KEYS


def key_lines(keys: Sequence[PersonKey]) -> str:
    """The text that `parse_keys` reads."""
    return "\n".join(map(str, keys))
