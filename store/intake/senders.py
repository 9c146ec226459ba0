"""The senders that a workspace has added, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, update

from store.schema import senders
from store.schema.upserts import insert_missing

LONGEST_REASON = 500


@dataclass(frozen=True)
class AddedSender:
    """A sender with its figures. Times are in milliseconds; None means never."""

    name: str
    made_at: int
    made_by: str
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    skipped: int = 0
    received_at: int | None = None
    refused_at: int | None = None
    refusal: str | None = None
    tested_at: int | None = None
    test: str | None = None


@dataclass(frozen=True)
class Receipt:
    """What one payload of a sender changes in its figures. `test` says how a test event was read."""

    workspace_id: str
    sender: str
    at: int
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    skipped: int = 0
    refusal: str | None = None
    test: str | None = None


_COLUMNS = [senders.c[name] for name in AddedSender.__dataclass_fields__]
_mine = (senders.c.workspace_id == bindparam("of_workspace")) & (senders.c.name == bindparam("of_sender"))
_all = select(*_COLUMNS).where(senders.c.workspace_id == bindparam("of_workspace")).order_by(senders.c.name)
_COUNTS = ("accepted", "duplicate", "refused", "skipped")
_LATEST = ("received_at", "refused_at", "refusal", "tested_at", "test")
_note = (
    update(senders)
    .where(_mine)
    .values(
        {name: senders.c[name] + bindparam(f"more_{name}") for name in _COUNTS}
        | {
            name: func.coalesce(bindparam(f"new_{name}", type_=senders.c[name].type), senders.c[name])
            for name in _LATEST
        }
    )
)


def add(connection: Connection, workspace_id: str, name: str, made_by: str, now: int) -> None:
    """Add a sender unless it is there."""
    row = {"workspace_id": workspace_id, "name": name, "made_at": now, "made_by": made_by}
    connection.execute(insert_missing(connection, senders, "workspace_id", "name"), [row])


def all_of(connection: Connection, workspace_id: str) -> list[AddedSender]:
    return [AddedSender(*row) for row in connection.execute(_all, {"of_workspace": workspace_id})]


def note(connection: Connection, receipts: Sequence[Receipt]) -> set[tuple[str, str]]:
    """
    Add receipts to the figures of their senders, and return the workspaces and names of those that were added.

    There is one update for each sender, in a fixed order, so that two replicas cannot wait for each other.
    """
    by_sender: dict[tuple[str, str], list[Receipt]] = {}
    for receipt in receipts:
        by_sender.setdefault((receipt.workspace_id, receipt.sender), []).append(receipt)
    return {
        (workspace_id, name)
        for (workspace_id, name), group in sorted(by_sender.items())
        if connection.execute(_note, {"of_workspace": workspace_id, "of_sender": name} | _changes(group)).rowcount
    }


def _changes(receipts: Sequence[Receipt]) -> dict[str, object]:
    refused = [(receipt.at, receipt.refusal) for receipt in receipts if receipt.refusal]
    tested = [(receipt.at, receipt.test) for receipt in receipts if receipt.test]
    latest: dict[str, object] = {
        "received_at": max(receipt.at for receipt in receipts),
        "refused_at": max((at for at, _ in refused), default=None),
        "refusal": refused[-1][1][:LONGEST_REASON] if refused else None,
        "tested_at": max((at for at, _ in tested), default=None),
        "test": tested[-1][1][:LONGEST_REASON] if tested else None,
    }
    counts = {f"more_{name}": sum(getattr(receipt, name) for receipt in receipts) for name in _COUNTS}
    return counts | {f"new_{name}": value for name, value in latest.items()}
