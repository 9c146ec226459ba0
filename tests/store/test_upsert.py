"""Statements whose text differs between the databases: replacing a row, and comparing a column with a list."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import event, select, text

from domain.audit import AuditEntry
from domain.salesforce import SalesforceApp, SalesforceConnection
from store.database import Database
from store.encryption import Cipher
from store.intake import imports, mappings
from store.intake.imports import Progress
from store.ownership import choice_state, owners
from store.salesforce import apps, connections
from store.schema import absences, mutes, ownership_links
from store.schema import imports as imports_table
from store.schema import mappings as mappings_table
from store.schema import salesforce_apps as apps_table
from store.schema import salesforce_connections as connections_table
from store.schema import workspaces as workspaces_table
from store.schema.lists import one_of
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.servers import GENEROUS_TIMEOUT
from tests.store.sample_rows import add_workspace
from tests.world import installed

CIPHER = Cipher.of([Fernet.generate_key().decode()])


def connected(who: str) -> SalesforceConnection:
    return SalesforceConnection(
        workspace_id="T1", flow="web_server", login_url="https://x.example", connected_at=SOMEDAY, connected_by=who
    )


SAVED = {
    "absence": (absences.c.delegate, lambda c, who: choice_state.set_absence(c, "T1", "U1", SOMEDAY, None, who)),
    "import": (imports_table.c.read, lambda c, who: imports.add(c, "T1", "x", [], Progress(read=len(who)), SOMEDAY)),
    "link": (
        ownership_links.c.user_id,
        lambda c, who: owners.link(c, "T1", "dana@x.example", who, AuditEntry(SOMEDAY, who, "linked", "")),
    ),
    "mapping": (mappings_table.c.made_by, lambda c, who: mappings.save(c, "T1", "crm", {}, who, SOMEDAY)),
    "mute": (mutes.c.until, lambda c, who: choice_state.mute(c, "T1", "U1", "*", len(who))),
    "Salesforce app": (
        apps_table.c.set_by,
        lambda c, who: apps.save(c, CIPHER, "T1", SalesforceApp("id", "secret", who, SOMEDAY)),
    ),
    "Salesforce connection": (
        connections_table.c.connected_by,
        lambda c, who: connections.save(c, CIPHER, connected(who)),
    ),
}


@pytest.mark.parametrize(("column", "save"), SAVED.values(), ids=SAVED)
def test_the_later_of_two_concurrent_changes_wins(postgresql_url, column, save):
    """Neither fails, and the choice of the later one is not lost."""
    database = Database(postgresql_url)
    database.run_sync(add_workspace)

    _at_once(database, save)

    expected = len("U_SECOND") if column.name in {"read", "until"} else "U_SECOND"
    assert database.run_sync(lambda connection: connection.execute(select(column)).scalars().all()) == [expected]
    database.engine.dispose()


def test_the_later_of_two_concurrent_installations_wins(postgresql_url):
    """Both came back from Slack with a consent."""
    database = Database(postgresql_url)

    _at_once(database, lambda connection, who: workspaces.install(connection, installed("T1", installer_user_id=who)))

    found = database.run_sync(workspaces.find, "T1")
    assert (found.is_active, found.installer_user_id) == (True, "U_SECOND")
    database.engine.dispose()


def _at_once(database, save):
    with ThreadPoolExecutor(1) as other, database.begin() as first:
        save(first, "U_FIRST")
        later = other.submit(database.run_sync, save, "U_SECOND")
        _until_it_waits(database)
        first.commit()
        later.result(timeout=GENEROUS_TIMEOUT)


def _until_it_waits(database):
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    end = time.monotonic() + GENEROUS_TIMEOUT
    while not database.run_sync(lambda connection: connection.execute(waiting).scalar_one()):
        assert time.monotonic() < end


QUERY = select(workspaces_table.c.id).where(one_of(workspaces_table.c.id, "ids")).order_by(workspaces_table.c.id)


@pytest.mark.both_databases
async def test_a_list_selects_the_rows_with_one_of_its_values(database):
    """Of any length, also none."""
    for workspace_id in ("T1", "T2", "T3"):
        await database.run(add_workspace, workspace_id)

    async def found(*ids):
        return await database.run(lambda c: list(c.execute(QUERY, {"ids": list(ids)}).scalars()))

    assert await found() == []
    assert await found("T2") == ["T2"]
    assert await found("T3", "T1", "T9") == ["T1", "T3"]


@pytest.mark.both_databases
async def test_postgresql_gets_one_statement_for_lists_of_every_length(database):
    """So that it plans the statement once, and psycopg parses it once."""
    statements = set()
    event.listen(database.engine, "before_cursor_execute", lambda *arguments: statements.add(arguments[2]))

    for length in (1, 2, 300):
        await database.run(lambda c, ids: c.execute(QUERY, {"ids": ids}).all(), [str(n) for n in range(length)])

    selects = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(selects) == (3 if database.is_sqlite else 1)
