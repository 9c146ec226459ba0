"""Queries on tables that grow without limit use an index, on both databases."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import UniqueConstraint, event

from domain.audit import AuditEntry
from domain.states import AssignedState
from store.delivery import posts, redraws, reminders, webhooks
from store.home import assigned, counts, member_preferences, scorecard
from store.intake import explain, job_changes, moves
from store.operations import due_work, health_figures, housekeeping
from store.ownership import choice_state, owners
from store.slack import inbound_health
from store.slack.sdk_stores import metadata
from tests.conftest import SOMEDAY
from tests.store.sample_rows import LEASE_MS, add_routed, add_workspace, claim

ENDLESS = {
    "job_changes",
    "deliveries",
    "posts",
    "trace",
    "audit",
    "known_moves",
    "reported_moves",
    "attached_reports",
    "webhook_events",
    "rule_results",
}

ASKED = {
    "a day's messages of each reader": lambda c: choice_state.load(c, "T1", SOMEDAY, count_recent=True),
    "whether Slack refused a message": lambda c: inbound_health.has_failed_with(c, "T1", "messages_tab_disabled"),
    "what is past its retention": lambda c: housekeeping.erase_expired(c, "T1", 0, SOMEDAY),
    "what a member was sent about a person": lambda c: explain.mentions(c, "T1", "ada@x.example", "U1"),
    "how much is assigned to a member": lambda c: assigned.counts(c, "T1", "U1"),
    "what is assigned to a member": lambda c: assigned.page(c, "T1", "U1", set(AssignedState), 0, 10),
    "what an owner had already": lambda c: owners.send_missed(c, "T1", "dana@x.example", SOMEDAY, 10),
    "the messages of a job change": lambda c: redraws.mark(c, "jc", SOMEDAY),
    "the messages of a job change that are due": lambda c: redraws.claim(c, SOMEDAY, 1_000, 10, "jc"),
    "what a message tells of": lambda c: redraws.deliveries_in(c, "post"),
    "which queues have due work": lambda c: due_work.due_queues(c, SOMEDAY),
    "where job changes are past their retention": lambda c: housekeeping.with_expired(c, 0, SOMEDAY),
    "a job change with the reports attached to it": lambda c: job_changes.find(c, "T1", "jc"),
    "moves that are no longer remembered": lambda c: moves.delete_old(c, SOMEDAY),
    "how many reports were attached": lambda c: counts.totals(c, SOMEDAY, "T1"),
    "what is to be purged": lambda c: housekeeping.purge(c, SOMEDAY),
    "what to report to webhooks": lambda c: webhooks.claim(c, SOMEDAY, 1_000, 10),
    "what became of the messages of each rule": lambda c: scorecard.figures(c, "T1", SOMEDAY),
    "whom to remind": lambda c: reminders.claim(c, SOMEDAY, 1_000, 10),
}


@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
async def test_no_growing_table_is_scanned(database, ask):
    """
    A scan would delay intake on SQLite and block the threads of a replica on PostgreSQL.

    The tables are nearly empty, so that this also shows that PostgreSQL does not plan to scan them while they are.
    """
    await database.run(add_workspace)
    await database.run(owners.link, "T1", "dana@x.example", "U1", AuditEntry(SOMEDAY, "U1", "linked", ""))

    read_through = await database.run(_looked_at, ask)

    assert read_through == []


def _looked_at(connection, ask) -> list[str]:
    """Return the steps of the query plans of `ask` that scan a growing table."""
    is_sqlite, steps = connection.dialect.name == "sqlite", []

    def look(_connection, cursor, statement, parameters, _context, is_many):
        if is_many or statement.startswith("INSERT"):
            return
        plans = cursor.connection.cursor()
        if is_sqlite:
            rows = plans.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[3] for row in rows if row[3].startswith("SCAN ") and set(row[3].split()) & ENDLESS)
        else:
            [[plan]] = plans.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters).fetchall()
            steps.extend(_scans(plan[0]["Plan"]))

    event.listen(connection, "before_cursor_execute", look)
    ask(connection)
    return steps


def _scans(node) -> list[str]:
    whole = node["Node Type"] == "Seq Scan" or ("Index" in node["Node Type"] and "Index Cond" not in node)
    partial = str(node.get("Index Name", "")).endswith(("_pending", "_buried", "_due", "_sending"))
    here = [json.dumps(node)] if whole and not partial and node.get("Relation Name") in ENDLESS else []
    return here + [step for child in node.get("Plans", ()) for step in _scans(child)]


KEYS_THAT_A_WORKSPACE_ALONE_REFERS_BY = {("deliveries", "workspace_id"), ("salesforce_attempts", "workspace_id")}


def test_deletes_find_referring_rows_by_an_index():
    """Otherwise erasing a workspace reads all deliveries for each of its lanes."""
    unfound = {
        (table.name, key.parent.name)
        for table in metadata.sorted_tables
        for key in table.foreign_keys
        if key.parent.name not in {next(iter(index)).name for index in _indexed(table)}
    }

    assert unfound == KEYS_THAT_A_WORKSPACE_ALONE_REFERS_BY


def _indexed(table):
    """Return the columns of the indexes that cover every row of a table."""
    yield table.primary_key.columns
    for index in table.indexes:
        condition = index.dialect_options["sqlite"]["where"]
        if condition is None or str(condition).endswith("IS NOT NULL"):
            yield index.columns
    yield from (each.columns for each in table.constraints if isinstance(each, UniqueConstraint))


@pytest.mark.sqlite_only
async def test_the_latest_job_changes_are_found_without_sorting_all(database):
    """Sorting 200,000 rows with their payloads takes the only thread of SQLite a second."""
    await database.run(add_workspace)

    plans = await database.run(_plans, lambda c: job_changes.latest(c, "T1", 50))

    assert plans
    assert not any(step == "USE TEMP B-TREE FOR ORDER BY" for step in plans)


@pytest.mark.sqlite_only
async def test_pending_deliveries_are_found_by_their_partial_index(database):
    """SQLite would prefer the index over all deliveries of the lane."""
    await database.run(add_workspace)
    await database.run(add_routed, "U1", "U1")

    def work(connection):
        for now in (SOMEDAY, SOMEDAY + 2 * LEASE_MS):  # the second time its post is in doubt
            claims = claim(connection, now)
        posts.settle(connection, [posts.Sent(each, SOMEDAY, "D1", "1.1") for each in claims])
        member_preferences.held_back(connection, "T1", "U1", SOMEDAY)
        housekeeping.wake_stranded_lanes(connection, SOMEDAY)
        health_figures.collect(connection, SOMEDAY)

    plans = await database.run(_plans, work)

    found = [step for step in plans if "lane_id=?" in step]
    assert any("deliveries" in step for step in found)
    assert any("posts" in step for step in found)
    assert [step for step in found if "state=?" not in step and not step.endswith(_OF_WHAT_WAITS)] == []


_OF_WHAT_WAITS = ("ix_deliveries_pending (lane_id=?)", "ix_posts_sending (lane_id=?)")


def _plans(connection, ask) -> list[str]:
    steps = []

    def look(_connection, cursor, statement, parameters, _context, is_many):
        values = parameters[0] if is_many else parameters
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        steps.extend(row[3] for row in rows)

    event.listen(connection, "before_cursor_execute", look)
    ask(connection)
    return steps
