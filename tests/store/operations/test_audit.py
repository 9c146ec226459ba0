"""The audit log lists the newest entry first, and every change of a setting by an admin adds an entry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.audit import AuditEntry
from store import audit
from store.delivery import failed
from store.intake import keys, mappings
from store.ownership import owners, rule_sets
from store.salesforce import apps, sources
from store.slack import workspaces
from tests.conftest import SOMEDAY

CHANGES_OF_ADMINS = {
    workspaces: ("change",),
    rule_sets: ("publish", "save_draft", "drop_draft"),
    owners: ("link", "unlink", "match_by", "send_missed", "dismiss"),
    mappings: ("save", "remove"),
    apps: ("save", "remove"),
    sources: ("save", "set_state", "remove"),
    keys: ("rotate", "revoke"),
    failed: ("retry",),
}
"""The functions of store/ that write what an admin changes, by module."""

CALLS = re.compile(
    "|".join(
        rf"\b{module.__name__.rpartition('.')[2]}\.{name}\b"
        for module in CHANGES_OF_ADMINS
        for name in CHANGES_OF_ADMINS[module]
    )
)
SERVICES = sorted((Path(__file__).parents[3] / "services").rglob("*.py"))


async def test_the_latest_entries_come_first(database):
    """Entries are listed for one workspace, and never changed."""
    entries = [AuditEntry(SOMEDAY + number, "U_DANA", "preferences", f"{number}") for number in range(3)]
    for entry in entries:
        await database.run(audit.record, "T1", entry)
    await database.run(audit.record, "T2", entries[0])

    assert await database.run(audit.recent, "T1") == entries[::-1]
    assert await database.run(audit.recent, "T1", 1) == entries[2:]


@pytest.mark.parametrize(
    "path", [path for path in SERVICES if CALLS.search(path.read_text())], ids=lambda path: path.stem
)
def test_a_module_that_changes_a_setting_adds_an_audit_entry(path):
    """The entry is made in the same module, where the actor is known."""
    assert re.search(r"\bAuditEntry\(", path.read_text())


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in CHANGES_OF_ADMINS.items() for name in names]
)
def test_the_functions_that_change_settings_exist(module, name):
    """A function that is renamed must be renamed here as well, or the test above no longer covers it."""
    assert callable(getattr(module, name))


def test_the_modules_that_change_settings_are_found():
    """Otherwise the test above would check nothing."""
    assert len([path for path in SERVICES if CALLS.search(path.read_text())]) >= 8
