"""Erasing a person or a workspace at the terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update

from domain.audit import AuditEntry
from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import NewDelivery
from domain.job_change.moves import move_keys
from domain.job_change.new import NewJobChange
from domain.people import Member
from domain.states import Role
from listeners.cli import erase as verb
from services.ownership.rules.rule_set import RuleSet
from store import audit
from store.delivery import routing
from store.delivery.posts import settle
from store.delivery.routing import Routed
from store.delivery.settlements import Sent
from store.intake import job_changes, refused_payloads
from store.intake.refused_payloads import NewRefusal
from store.intake.senders import Receipt
from store.operations import erasure
from store.ownership import rule_sets
from store.schema import (
    deliveries,
    known_moves,
    mappings,
    metadata,
    ownership_drafts,
    ownership_rules,
    ownership_unmatched,
    reported_moves,
    senders,
    trace,
    workspaces,
    wrong_data,
)
from store.schema import job_changes as table
from store.slack import members
from store.slack.sdk_stores import metadata as everything
from tests.conftest import SOMEDAY
from tests.listeners.cli.test_table import Operator
from tests.services.messages.sample_job_changes import job_change
from tests.store.sample_rows import add_workspace, claim, delivery_states

ROOT = Path(__file__).parents[3]
ADA = {"full_name": "Ada Smith", "emails": ["ada@globex.com"], "linkedin_url": "https://www.linkedin.com/in/ada"}
BOB = {"full_name": "Bob Jones", "emails": ["bob@initech.example"]}
DECISION = Decision.model_validate(
    {"considered": [{"source": "contact owner", "name": "Dana Reyes", "email": "dana@acme.example"}]}
)


@pytest.fixture
def operator(database_url, capsys):
    operator = Operator(database_url, capsys)
    operator.do(add_workspace)
    yield operator
    operator.database.engine.dispose()


def accept(connection, person=None, workspace_id="T1", fields=None):
    change = job_change(person=person or ADA, **(fields or {}))
    new = NewJobChange(workspace_id, change.key(date(2026, 11, 1)), "tests", change.to_stored(), SOMEDAY)
    return job_changes.add(connection, [new])[0].id


def routed(connection, *ids, decision=DECISION):
    """Route job changes to Dana, so that they wait in her lane."""
    batch = routing.claim(connection, SOMEDAY, 30_000)
    decisions = [
        Routed(id_, decision, (NewDelivery(id_, "U_DANA", Role.DRI, legacy("You own Initech.")),)) for id_ in ids
    ]
    routing.settle(connection, batch, decisions, [], SOMEDAY)


def found(operator, job_change_id):
    return operator.do(job_changes.find, "T1", job_change_id)


def payload_of(operator, job_change_id):
    return operator.do(job_changes.origin, job_change_id).payload


def everything_stored(operator) -> str:
    """Every value in every table, as one string."""

    def read(connection):
        return str([connection.execute(select(stored)).all() for stored in everything.sorted_tables])

    return operator.do(read)


@pytest.mark.parametrize(
    "who",
    [
        ("--email", "Ada@Globex.com"),
        ("--linkedin-url", "https://www.linkedin.com/in/ada"),
        ("--linkedin-url", "uk.linkedin.com/in/Ada/?trk=1"),
    ],
)
def test_every_job_change_about_a_person_is_erased(operator, who):
    """
    The spelling of the email address does not matter.

    Other people's job changes are kept, and the output counts what was erased.
    """
    ada, bob = operator.do(accept), operator.do(accept, BOB)

    out = operator.types("erase", *who, "--yes")

    assert (operator.status, out.split()[3]) == (0, "1")
    assert payload_of(operator, ada) is None
    assert "Bob Jones" in payload_of(operator, bob)
    assert "Ada Smith" not in everything_stored(operator)


def test_without_a_terminal_erasing_requires_yes(operator):
    """A pipe or a cron job cannot erase anything by accident."""
    ada = operator.do(accept)

    operator.types("erase", "--email", "ada@globex.com")

    assert (operator.status, operator.out) == (2, "")
    assert "--yes" in operator.err
    assert payload_of(operator, ada) is not None


def test_waiting_deliveries_are_canceled(operator):
    """Nobody is notified, and the reason names the operator."""
    ada, bob = operator.do(accept), operator.do(accept, BOB)
    operator.do(routed, ada, bob)

    operator.types("erase", "--email", "ada@globex.com", "--yes")

    after = found(operator, ada)
    assert (after.outcome, after.reason, bool(after.decision)) == ("muted", "erased by the operator", False)
    assert [delivery.state for delivery in after.deliveries] == ["buried"]
    assert [delivery.reasons for delivery in after.deliveries] == [()]
    assert after.trace[-1].step == "erased"
    [post] = operator.do(claim, SOMEDAY + 1_000)
    assert [delivery.job_change_id for delivery in post.deliveries] == [bob]


def test_an_erased_job_change_is_never_routed(operator):
    """It is no longer due."""
    operator.do(accept)

    operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert operator.do(routing.claim, SOMEDAY, 30_000) is None


def test_the_outcome_of_a_delivered_job_change_is_kept(operator):
    """The counts do not change. The output says that messages remain in Slack."""
    ada = operator.do(accept)
    operator.do(routed, ada)
    [post] = operator.do(claim)
    operator.do(settle, [Sent(post, SOMEDAY, "D1", "1.2")])

    operator.types("erase", "--email", "ada@globex.com", "--yes")

    after = found(operator, ada)
    assert (after.outcome, after.sent_to, bool(after.decision)) == ("delivered", "dri", False)
    assert "1 message. Only" in operator.err


def test_an_erased_job_change_that_is_sent_again_is_a_duplicate(operator):
    """It is not delivered again."""
    ada = operator.do(accept)
    operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert operator.do(accept) == ada
    assert payload_of(operator, ada) is None


def test_text_about_a_person_is_erased_too(operator):
    """This includes steps, errors, reports of wrong data and unmatched owners of such a job change."""
    ada = operator.do(accept)
    operator.do(routed, ada)

    def speak(connection):
        connection.execute(update(deliveries).values(last_error="Ada Smith"))
        connection.execute(insert(trace).values(job_change_id=ada, at=1, step="in doubt", detail="Ada Smith"))
        feedback = {"job_change_id": ada, "actor": "U1", "workspace_id": "T1", "at": 1, "kind": "other"}
        connection.execute(insert(wrong_data).values(feedback | {"words": "Ada Smith is no CRO"}))
        missed = {"workspace_id": "T1", "owner": "dana@acme.example", "job_change_id": ada, "name": "Dana"}
        connection.execute(
            insert(ownership_unmatched).values(missed | {"problem": "guest", "why": "Ada Smith", "seen_at": 1})
        )

    operator.do(speak)
    operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert "Ada Smith" not in everything_stored(operator)


@pytest.mark.both_databases
def test_nothing_of_a_person_is_left_anywhere(operator, tmp_path, monkeypatch, caplog):
    """Ada is everywhere. Not in the database, its file and log, what is exported, the output or the app's log."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "may.csv.refused.csv").write_text("mail,reason\nada@globex.com,is too long\n")
    first = operator.do(accept, ADA | {"emails": ["ada@globex.com", "a.smith@home.example"]})
    by_profile = {"full_name": "Ada Smith", "linkedin_url": "https://www.linkedin.com/in/ada"}
    second = operator.do(accept, by_profile, "T1", {"change_type": "promotion"})
    third = operator.do(accept, {"full_name": "Ada Smith", "emails": ["a.smith@home.example"]})
    bob = operator.do(accept, BOB)
    operator.do(routed, first, bob)
    rules = {
        "rules": [{"name": "Hers", "tell": [{"source": "user", "user": "ada@globex.com"}]}],
        "mappings": {"Leavers": {"ada@globex.com": "bob@initech.example"}},
        "pools": {"SDRs": {"members": [{"user": "ada@globex.com"}, {"user": "bob@initech.example"}]}},
        "guards": {"excluded": ["ada@globex.com"]},
    }
    stored_rules = RuleSet.parse(rules).to_json()
    told = {"address": "Ada@Globex.com", "text": "no Slack user has Ada@Globex.com"}

    def plant(connection):
        why = json.dumps([{"code": "text", "params": told}])
        about_bob = deliveries.c.job_change_id == bob
        connection.execute(update(deliveries).where(about_bob).values(reason=told["text"], reasons=why, last_error=why))
        connection.execute(
            update(table).where(table.c.id == bob).values(reason=told["text"], last_error="ada@globex.com")
        )
        connection.execute(
            insert(trace).values(job_change_id=bob, at=1, step="failed", detail="ada@globex.com is a guest")
        )
        audit.record(connection, "T1", AuditEntry(1, "U1", "linked", "ada@globex.com to U2"))
        sent = {"workspace_id": "T1", "version": 1, "rules": stored_rules, "published_at": 1, "published_by": "U1"}
        connection.execute(insert(ownership_rules).values(sent | {"note": "ada@globex.com is back"}))
        draft = {
            "workspace_id": "T1",
            "revision": 1,
            "based_on": 1,
            "rules": stored_rules,
            "changed_at": 1,
            "changed_by": "U1",
        }
        connection.execute(insert(ownership_drafts).values(draft))
        figures = {"workspace_id": "T1", "name": "lusha", "made_at": 1, "made_by": "U1"}
        connection.execute(insert(senders).values(figures | {"test": "reads as promotion: Ada Smith, ? to Globex"}))
        definition = json.dumps({"map": {"mail": "person.emails"}, "set": {"dri_email": "ada@globex.com"}})
        mapped = {"workspace_id": "T1", "source": "own", "made_by": "U1", "made_at": 1}
        connection.execute(insert(mappings).values(mapped | {"definition": definition}))
        connection.execute(update(workspaces).values(default_channel_problem="ada@globex.com archived it"))

    operator.do(plant)
    assert json.loads(operator.types("ownership", "export", "--workspace", "T1"))
    operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert (operator.status, "may.csv.refused.csv" in operator.err) == (0, True)
    assert [payload_of(operator, id_) for id_ in (first, second, third)] == [None] * 3
    kept = everything_stored(operator) + operator.types("ownership", "export", "--workspace", "T1") + caplog.text
    if operator.database.is_sqlite:
        files = Path(operator.database.engine.url.database).parent.glob("*.db*")
        kept += "".join(file.read_bytes().decode(errors="replace") for file in files)
    left = [text for text in ("ada@globex.com", "a.smith@home.example", "linkedin.com/in/ada") if text in kept.lower()]
    assert (left, "Ada Smith" in kept) == ([], False)
    assert RuleSet.from_stored(operator.do(rule_sets.in_force, "T1").rules).rules[0].name == "Hers"


@pytest.mark.both_databases
def test_an_address_in_custom_fields_is_found(operator):
    """Custom fields may name people too. A longer address that contains it belongs to another person."""
    noted = operator.do(accept, BOB, "T1", {"custom": {"referred by": {"who": ["see ADA@globex.com."]}}})
    longer = operator.do(accept, {"full_name": "Nada", "emails": ["nada@globex.com"]})

    operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert payload_of(operator, noted) is None
    assert payload_of(operator, longer) is not None


@pytest.mark.both_databases
def test_the_keys_of_moves_and_refused_payloads_are_erased(operator):
    """Both identify the person: the keys are hashes, the payloads are kept as they were sent."""
    change = job_change(person=ADA)
    row = NewJobChange("T1", "k", "tests", change.to_stored(), SOMEDAY, move_keys(change))
    operator.do(job_changes.add, [row])
    person, company = row.move_keys.people[0], row.move_keys.companies[0]
    of_an_old_version = {
        "workspace_id": "T1",
        "key": person + company,
        "job_change_id": "1",
        "source": "clay",
        "at": SOMEDAY,
    }
    operator.do(lambda connection: connection.execute(insert(reported_moves).values(of_an_old_version)))
    refusals = [
        NewRefusal(Receipt("T1", "clay", SOMEDAY, refusal="why"), json.dumps({"Email": person["emails"][0]}))
        for person in (ADA, BOB)
    ]
    added = {"workspace_id": "T1", "name": "clay", "made_at": SOMEDAY, "made_by": "operator"}
    operator.do(lambda connection: connection.execute(insert(senders).values(added)))
    operator.do(refused_payloads.note, refusals)

    operator.types("erase", "--email", "ada@globex.com", "--yes")

    for moves in (known_moves, reported_moves):
        assert operator.do(lambda connection, moves=moves: connection.execute(select(moves)).all()) == []
    left = operator.do(refused_payloads.all_payloads)
    assert [json.loads(payload) for _, payload in left] == [{"Email": "bob@initech.example"}]


def test_a_mention_of_a_person_is_removed(operator):
    """A job change about another person is kept and still delivered."""
    bob = operator.do(accept, BOB, "T1", {"dri_email": "dana@acme.example"})
    operator.do(routed, bob)
    operator.do(members.cache, "T1", {"dana@acme.example": Member("U_DANA")}, SOMEDAY)

    out = operator.types("erase", "--email", "dana@acme.example", "--yes")

    assert "Mentions removed            1" in out
    assert "Email addresses erased      1" in out
    stored = everything_stored(operator)
    assert "dana@acme.example" not in stored
    assert "Dana Reyes" not in stored
    assert json.loads(payload_of(operator, bob))["person"] == BOB | {}
    assert operator.do(delivery_states, bob) == ["pending"]


def test_job_changes_that_are_being_routed_are_waited_for(operator):
    """Otherwise the router would store the content again."""
    ada = operator.do(accept)
    batch = operator.do(lambda connection: routing.claim(connection, verb.SteadyClock()(), 600_000))

    erased = operator.do(erasure.erase, [ada], verb.SteadyClock()())
    assert (erased.job_changes, erased.busy) == (0, (ada,))

    operator.do(routing.settle, batch, [Routed(ada, DECISION, ())], [], SOMEDAY)
    erased = operator.do(erasure.erase, [ada], verb.SteadyClock()())
    assert (erased.job_changes, erased.busy) == (1, ())


def test_every_page_of_job_changes_is_searched(operator):
    """The number of job changes does not matter."""
    count = verb.AT_ONCE + 5
    rows = [
        {"id": f"x-{n:06}", "workspace_id": "T1", "key": f"k{n}", "source": "tests", "accepted_at": 1}
        | {"payload": json.dumps({"person": {"emails": [f"p{n % 2}@x.example"]}})}
        for n in range(count)
    ]
    operator.do(lambda connection: connection.execute(insert(table), rows))

    out = operator.types("erase", "--email", "p0@x.example", "--yes")

    assert out.split()[3] == f"{-(-count // 2)}"


@pytest.mark.both_databases
def test_a_workspace_is_erased_with_all_of_its_data(operator):
    """Only its id stays: in the audit log, and as that of the first workspace. Another workspace is not touched."""
    operator.do(add_workspace, "T2")
    operator.do(routed, operator.do(accept))
    kept = operator.do(accept, BOB, "T2")

    out = operator.types("erase", "--workspace", "T1", "--yes")

    assert (operator.status, out.split()[3]) == (0, "1")

    def left(connection):
        return {
            table.name: connection.execute(select(func.count()).where(table.c.workspace_id == "T1")).scalar()
            for table in metadata.sorted_tables
            if "workspace_id" in table.c
        }

    assert {name: count for name, count in operator.do(left).items() if count} == {
        "audit": 1,
        "first_workspace": 1,
    }  # only its id
    assert operator.do(job_changes.origin, kept).workspace_id == "T2"


@pytest.mark.parametrize(
    ("argv", "status", "error"),
    [
        (("--email", "ada"), 2, "ada is not an email address"),
        (("--linkedin-url", "ada"), 2, "is not a profile URL"),
        (("--linkedin-url", "https://www.linkedin.com/"), 2, "is not a profile URL"),
        (("--workspace", "T9"), 1, "There is no workspace T9"),
    ],
)
def test_invalid_arguments_erase_nothing(operator, argv, status, error):
    """A typo must not erase everything, or look as if someone had been erased."""
    out = operator.types("erase", *argv, "--yes")

    assert (operator.status, out) == (status, "")
    assert error in operator.err


@pytest.mark.parametrize("person", ['"ada@globex.com"', '{"emails": "ada@globex.com", "linkedin_url": 7}'])
def test_unreadable_job_changes_do_not_stop_an_erasure(operator, person):
    """Every payload is JSON, even if it is not a valid job change."""
    operator.do(accept)
    payload = {"of_payload": f'{{"person": {person}}}'}
    operator.do(lambda connection: connection.execute(text("UPDATE job_changes SET payload = :of_payload"), payload))

    out = operator.types("erase", "--email", "ada@globex.com", "--yes")

    assert out.split()[3] == "1"


@pytest.mark.process
@pytest.mark.parametrize(("answer", "forgotten"), [(b"n\n", False), (b"\n", False), (b"y\n", True)])
def test_at_a_terminal_erasing_asks_for_confirmation(operator, answer, forgotten):
    """Erasing cannot be undone, so only yes means yes."""
    ada = operator.do(accept)
    ours, theirs = pty.openpty()
    command = [sys.executable, "app.py", "erase", "--email", "ada@globex.com"]
    environ = {"PATH": os.environ["PATH"], **operator.environ}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.write(ours, answer)
        assert process.wait(60) == (0 if forgotten else 1)
    output = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)

    assert "Erase ada@globex.com in every workspace?" in output
    assert (payload_of(operator, ada) is None) == forgotten
