"""A job change that is about to be stored, and how large it may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic_core import to_json

from domain.job_change.model import JobChange
from domain.job_change.moves import MoveKeys, move_keys
from domain.job_change.validation import Fault, InvalidJobChangeError


@dataclass(frozen=True)
class NewJobChange:
    """
    A job change to accept. `key` is unique in its workspace; `accepted_at` is in milliseconds.

    `move_keys` identify the move for every sender. `sender` is the one whose figures count it, if it was named.
    `request_id` is that of the HTTP request, None for an import.
    """

    workspace_id: str
    key: str
    source: str
    payload: str = field(repr=False)
    accepted_at: int
    move_keys: MoveKeys | None = None
    sender: str | None = None
    request_id: str | None = None

    @classmethod
    def of(
        cls, workspace_id: str, change: JobChange, now: int, sender: str | None = None, request_id: str | None = None
    ) -> NewJobChange:
        """Return the row of a job change that is accepted `now`."""
        key = change.key(datetime.fromtimestamp(now / 1_000, UTC).date())
        payload, keys = change.to_stored(), move_keys(change)
        return cls(workspace_id, key, change.source, payload, now, keys, sender, request_id)


def check_size(raw: object, largest: int) -> None:
    """Raise InvalidJobChangeError if a job change is larger than this many bytes as JSON."""
    try:
        size = len(to_json(raw))
    except ValueError:  # not JSON: the check of its fields reports that
        return
    if size > largest:
        raise InvalidJobChangeError([Fault("", f"must have at most {largest // 1024} KiB")])
