"""Who changed what: the newest first, and no change of an admin's without a line of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.audit import AuditEntry
from store import audit
from tests.conftest import SOMEDAY

SERVICES = sorted((Path(__file__).parents[3] / "services").rglob("*.py"))
SETTINGS = {
    "workspaces": ("change",),
    "rule_sets": ("publish", "save_draft", "drop_draft"),
    "owners": ("link", "unlink", "match_by", "tell_after_all", "forget"),
    "mappings": ("save", "remove"),
    "apps": ("save", "remove"),
    "sources": ("save", "set_state", "remove"),
    "keys": ("roll",),
    "failed": ("retry",),
}
"""The functions of store/ by which admins change something."""

WRITES = re.compile("|".join(rf"\b{module}\.{name}\b" for module, names in SETTINGS.items() for name in names))


async def test_the_latest_changes_come_first(database):
    """Of one workspace; rows are never changed."""
    changes = [AuditEntry(SOMEDAY + number, "U_DANA", "preferences", f"{number}") for number in range(3)]
    for change in changes:
        await database.run(audit.record, "T1", change)
    await database.run(audit.record, "T2", changes[0])

    assert await database.run(audit.recent, "T1") == changes[::-1]
    assert await database.run(audit.recent, "T1", 1) == changes[2:]


@pytest.mark.parametrize(
    "path", [path for path in SERVICES if WRITES.search(path.read_text())], ids=lambda path: path.stem
)
def test_who_changes_a_setting_writes_it_down(path):
    """In the module that does it, where the actor is known."""
    assert re.search(r"\bAuditEntry\(", path.read_text())


def test_the_settings_of_admins_are_found():
    """Or the test above would look at nothing."""
    assert len([path for path in SERVICES if WRITES.search(path.read_text())]) >= 8
