"""Telling whether some text speaks of a person, and taking an address out of what is about somebody else. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from domain.errors import PermanentError
from domain.job_change.field_types import page_of, tidy

ERASED = "erased"

_EMAIL = re.compile(r"[^\s@<>,;:|()\"']+@[^\s@<>,;:|()\"']+")
_TOKEN = re.compile(r"[^\s<>,;|()\"']+")
_TELLS_WHOM = "dri_email"


@dataclass(frozen=True)
class PersonMatcher:
    """A person, by an e-mail address in lower case or by the page of a profile, see `page_of`; one of both."""

    email: str | None = None
    page: str | None = None

    @classmethod
    def of_email(cls, given: str) -> PersonMatcher:
        """Raises PermanentError."""
        email = (tidy(given) or "").lower()
        if not _EMAIL.fullmatch(email):
            raise PermanentError(f"{given} is not an e-mail address")
        return cls(email=email)

    @classmethod
    def of_page(cls, given: str) -> PersonMatcher:
        """Raises PermanentError."""
        page = _page(tidy(given) or "")
        if "/" not in page.strip("/"):
            raise PermanentError(f"{given} is not the address of a profile, such as https://www.linkedin.com/in/ada")
        return cls(page=page)

    def may_match(self, stored: str) -> bool:
        """Whether it is worth reading this JSON: quick, and right whenever it says no."""
        said, lowered = self.email or self.page or "", stored.lower()
        return any(each.lower() in lowered for each in (said, json.dumps(said)[1:-1], quote(said)))

    def matches(self, value: object) -> bool:
        """Whether any text in this decoded JSON is, or holds, the address."""
        return any(self._is_told_in(text) for text in _texts(value))

    def matches_subject(self, payload: dict[str, Any]) -> bool:
        """Whether a job change speaks of this person, other than as the one to be told."""
        return self.matches({name: value for name, value in payload.items() if name != _TELLS_WHOM})

    def redact(self, value: Any) -> Any:
        """The same decoded JSON without this person: not the address, nor the name that stands beside it."""
        if isinstance(value, dict):
            is_theirs = any(isinstance(each, str) and self._is_told_in(each) for each in value.values())
            return {name: ERASED if is_theirs and name == "name" else self.redact(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.redact(each) for each in value]
        return ERASED if isinstance(value, str) and self._is_told_in(value) else value

    def _is_told_in(self, text: str) -> bool:
        if self.email:
            return any(found.rstrip(".").lower() == self.email for found in _EMAIL.findall(text))
        return "." in text and any(_page(token) == self.page for token in _TOKEN.findall(text))


def without_recipient(identity: PersonMatcher, payload: dict[str, Any]) -> dict[str, Any]:
    """A job change that named this person only as the one to be told."""
    return {name: value for name, value in payload.items() if name != _TELLS_WHOM or not identity.matches(value)}


def _page(address: str) -> str:
    page = page_of(address if "://" in address else f"https://{address}")
    return unquote(page).removeprefix("https://").rstrip("/").lower()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
