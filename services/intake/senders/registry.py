"""Finds the adapter of a sender, and reads what it sends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.job_change.model import DEFAULT_SOURCE, JobChange
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders import common_room, crustdata, explorium, flat, lusha, standard, tamradar
from services.intake.senders.proofs import Credentials, Headers, general_credentials
from services.intake.senders.sender import Reading, Sender

LONGEST_SOURCE = 100
MOST_PEOPLE = 1_000
"""People in one payload."""

SHIPPED: Mapping[str, Sender] = {
    sender.name: sender
    for sender in (
        standard.WEBHOOK,
        standard.API,
        common_room.SENDER,
        crustdata.SENDER,
        lusha.SENDER,
        tamradar.SENDER,
        explorium.SENDER,
        *flat.TOOLS,
    )
}
"""The senders that need no mapping, by name."""

_FLAT: Mapping[str, Sender] = {name: replace(flat.CLAY, name=name, label=name) for name in flat.OTHER_NAMES}


def find(name: str, own: RowMapping | None = None) -> Sender:
    """
    Return the adapter for a sender. One that is not shipped sends our own format, or what its mapping reads.

    `own` is the workspace's mapping for the sender, which replaces how its payloads are read.
    """
    sender = SHIPPED.get(name) or _FLAT.get(name) or replace(standard.API, name=name, label=name)
    return sender if own is None else replace(sender, read=lambda payload: Reading((own.read(payload, name),)))


def credentials(headers: Headers, source: str | None) -> Credentials:
    """What a request proves itself with: in the way of the sender that its address names, or in a general way."""
    general, sender = general_credentials(headers), SHIPPED.get(source or "")
    if sender is None:
        return general
    own = sender.proof.read(headers)
    return Credentials(own.signature or general.signature, tuple({*general.bearers, *own.bearers}))


def has_own_shape(name: str) -> bool:
    """Whether the sender's payloads are neither our own format nor flat rows."""
    return name in SHIPPED and name not in (standard.WEBHOOK.name, standard.API.name)


def read(raw: object, source: str | None = None, own: RowMapping | None = None) -> Reading:
    """
    Return what a sender sent in the format of JobChange.parse. Raises InvalidJobChangeError.

    `source` is the sender in the address that was posted to; if it is None, the payload names it. `own` is the
    workspace's mapping for the sender. A job change in our own format is returned unchanged.
    """
    if isinstance(raw, list) and source is not None:
        if not 1 <= len(raw) <= MOST_PEOPLE:
            raise InvalidJobChangeError([Fault("", f"must have 1 to {MOST_PEOPLE:,} items")])
        readings = [read(item, source, own) for item in raw if not isinstance(item, list)]
        return Reading(
            tuple(job_change for reading in readings for job_change in reading.job_changes),
            tuple(reason for reading in readings for reason in reading.skipped),
            any(reading.is_test for reading in readings),
        )
    if not isinstance(raw, dict):
        return Reading((raw,))
    if is_ours(raw) and (own is None or source is None):
        return Reading((raw if source is None else {"source": source} | raw,))
    return find(source or source_of(raw) or DEFAULT_SOURCE, own).read(raw)


def read_sample(sender: Sender) -> dict[str, Any]:
    """Return the job change of a sender's sample, in the format of JobChange.parse."""
    (job_change,) = sender.read(sender.sample).job_changes
    return JobChange.parse(job_change).model_dump(mode="json", exclude_none=True)


def is_ours(raw: object) -> bool:
    """Whether it has our own format, or cannot be mapped at all."""
    return not isinstance(raw, dict) or "person" in raw


def source_of(raw: object) -> str | None:
    """Return the sender that a payload names, or None if it has no valid one."""
    name = raw.get("source") if isinstance(raw, dict) else None
    return name.strip() if isinstance(name, str) and 0 < len(name.strip()) <= LONGEST_SOURCE else None
