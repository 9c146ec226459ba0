"""Finding a person in stored text by email address or profile, and redacting them from records of others. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any
from urllib.parse import quote, unquote

from domain.errors import PermanentError
from domain.job_change.field_types import page_of, tidy

ERASED = "erased"
NOBODY = "erased@erased.invalid"
"""https://www.rfc-editor.org/rfc/rfc2606#section-2"""

_EMAIL = re.compile(r"[^\s@<>,;:|()\"']+@[^\s@<>,;:|()\"']+")
_BETWEEN_WORDS = re.compile(r"[\s<>,;:|()\"']+")
_WORD = re.compile(r"[^\s<>,;|()\"']+")
_RECIPIENT = "dri_email"


@dataclass(frozen=True)
class PersonMatcher:
    """Matches a person by an email address in lower case or by a profile page (see `page_of`). One of them is set."""

    email: str | None = None
    page: str | None = None

    @classmethod
    def of_email(cls, text: str) -> PersonMatcher:
        """Raises PermanentError if the text is not an email address."""
        email = (tidy(text) or "").lower()
        if not _EMAIL.fullmatch(email):
            raise PermanentError(f"{text} is not an email address")
        return cls(email=email)

    @classmethod
    def of_page(cls, text: str) -> PersonMatcher:
        """Raises PermanentError if the text is not the address of a profile."""
        page = _page(tidy(text) or "")
        if "/" not in page.strip("/"):
            raise PermanentError(f"{text} is not a profile URL such as https://www.linkedin.com/in/ada")
        return cls(page=page)

    @property
    def forms(self) -> frozenset[str]:
        """The forms, in lower case, of which stored text contains one if it names this person."""
        address = self.email or self.page or ""
        return frozenset(form.lower() for form in (address, json.dumps(address)[1:-1], quote(address)))

    def may_match(self, stored: str) -> bool:
        """Search stored JSON text without decoding it. False is certain, True is not."""
        lowered = stored.lower()
        return any(form in lowered for form in self.forms)

    def matches(self, value: object) -> bool:
        """Whether any text in this decoded JSON contains the address."""
        return any(self._is_in(text) for text in _texts(value))

    def matches_subject(self, payload: dict[str, Any]) -> bool:
        """Whether a job change mentions this person other than as its recipient."""
        return self.matches({name: value for name, value in payload.items() if name != _RECIPIENT})

    def others(self, payload: dict[str, Any]) -> Iterator[PersonMatcher]:
        """The other addresses and profiles of the same person in a job change about them."""
        person = self._person_in(payload)
        emails, url = person.get("emails"), person.get("linkedin_url")
        for email in emails if isinstance(emails, list) else ():
            yield PersonMatcher(email=str(email).lower())
        if isinstance(url, str):
            yield PersonMatcher(page=_page(url))

    def names(self, payload: dict[str, Any]) -> set[str]:
        """The name of this person in a job change about them."""
        person = self._person_in(payload)
        name = person.get("full_name") or " ".join(filter(None, (person.get("first_name"), person.get("last_name"))))
        return {str(name)} if name else set()

    def _person_in(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The person of a job change, empty if it is another one, or cannot be read."""
        person = payload.get("person")
        return person if isinstance(person, dict) and self.matches(person) else {}

    def without(self, text: str) -> str:
        """Return the text with something else in place of this person's address."""
        return _WORD.sub(lambda word: ERASED if self._is_in(word[0]) else word[0], text)

    def without_in_rules(self, value: Any) -> Any:
        """Return decoded JSON with the address of nobody in place of this person's, so that rules stay valid."""
        if isinstance(value, dict):
            return {self.without_in_rules(name): self.without_in_rules(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.without_in_rules(item) for item in value]
        if isinstance(value, str) and self._is_in(value):
            return NOBODY if value.strip().lower() == self.email else self.without(value)
        return value

    def redact(self, value: Any) -> Any:
        """Return the decoded JSON without this person's address, and without a name in the same object."""
        if isinstance(value, dict):
            has_address = any(isinstance(item, str) and self._is_in(item) for item in value.values())
            return {
                name: ERASED if has_address and name == "name" else self.redact(item) for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.redact(item) for item in value]
        return ERASED if isinstance(value, str) and self._is_in(value) else value

    def _is_in(self, text: str) -> bool:
        if self.email:
            parts = (pairwise(word.split("@")) for word in _BETWEEN_WORDS.split(text) if "@" in word)
            return any(f"{local}@{domain}".rstrip(".").lower() == self.email for local, domain in chain(*parts))
        return "." in text and any(_page(word) == self.page for word in _WORD.findall(text))


def without_recipient(person: PersonMatcher, payload: dict[str, Any]) -> dict[str, Any]:
    """Return a job change's payload without its recipient, if that is this person."""
    return {name: value for name, value in payload.items() if name != _RECIPIENT or not person.matches(value)}


def _page(address: str) -> str:
    page = page_of(address if "://" in address else f"https://{address}")
    return unquote(page).removeprefix("https://").rstrip("/").lower()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
