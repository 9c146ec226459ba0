"""What an adapter for a sender consists of: its proof, how its payloads are read, what it is answered. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from services.intake.senders.proofs import Proof

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Reading:
    """
    What a payload contains.

    `job_changes` are in the format of JobChange.parse, which checks them. `skipped` says why parts of the payload are
    not job changes. A test is answered and shown to admins, but nobody is notified.
    """

    job_changes: tuple[object, ...] = ()
    skipped: tuple[str, ...] = ()
    is_test: bool = False


@dataclass(frozen=True)
class Sender:
    """
    An adapter: one product that sends job changes. docs/senders.md explains how to add one.

    `name` is its `?source=`, `label` the name of the product. `read` returns what a payload contains, and raises only
    InvalidJobChangeError. `documents` is the page of its vendor. `steps` tell an admin what to do at the vendor, with
    `{url}` and `{secret}`. `sample` is a payload as the vendor sends it.

    `acknowledge` makes the answer that the vendor expects from a payload and the time in ISO 8601; None means the
    answers of the API. `answers_challenge` means that the vendor checks the address with `GET …?challenge=X`.
    `switches_off` means that it stops sending after a few refusals, so payloads that cannot be read are kept for the
    admins and acknowledged. `person_field` is the custom field with the vendor's id of the person, for *Find people*.
    """

    name: str
    label: str
    proof: Proof
    read: Callable[[Payload], Reading] = field(repr=False)
    documents: str
    steps: tuple[str, str, str]
    sample: Payload = field(repr=False)
    acknowledge: Callable[[Payload, str], dict[str, object]] | None = None
    answers_challenge: bool = False
    switches_off: bool = False
    person_field: str | None = None


def part(value: object, *path: str) -> Payload:
    """Return the object at this path, or an empty one if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def parts(value: object) -> list[Payload]:
    """Return the objects in a list, or none if it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def without_empty(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def name_of(profile: object) -> str | None:
    """Return the name in the address of a LinkedIn profile, such as /in/ada-smith-75571, or None."""
    slug = _SLUG.search(profile) if isinstance(profile, str) else None
    words = [word for word in slug[1].split("-") if word.isalpha()] if slug else []
    return " ".join(word.capitalize() for word in words) or None


_SLUG = re.compile(r"/in/([^/?#]+)")
