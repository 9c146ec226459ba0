"""The commands that an operator runs at the terminal, and what they print."""

from __future__ import annotations

import json
import os
import re
import tomllib
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from app import build
from domain.audit import OPERATOR, AuditEntry
from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import NewDelivery, TraceStep
from domain.job_change.new import NewJobChange
from domain.people import Member
from domain.states import Role, Step
from listeners.cli import table
from store import audit
from store.database import Database
from store.delivery import routing, trace
from store.delivery.deliveries import add_deliveries
from store.delivery.posts import settle
from store.delivery.routing import Routed
from store.delivery.settlements import Failed, Sent
from store.intake.job_changes import add
from store.operations import erasure
from store.slack import members
from tests.conftest import SOMEDAY
from tests.services.messages.sample_job_changes import job_change
from tests.store.sample_rows import add_workspace, claim, delivery_states, outcome_of

ROOT = Path(__file__).parents[3]
CREDENTIALS = {
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "s",
    "SLACK_SIGNING_SECRET": "s",
    "PUBLIC_URL": "https://gems.example.com",
}
"""Enough to serve."""

CONSIDERED = [
    {"source": "contact owner", "name": "Ivan Petrov", "email": "ivan@acme.example", "result": "is inactive"},
    {"source": "account owner", "name": "Dana Reyes", "email": None, "result": "told"},
]


class Operator:
    """An operator at a terminal. `status`, `out` and `err` are those of the last command."""

    def __init__(self, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.environ = {"DATABASE_URL": database_url, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}
        self.database = Database(database_url)
        self.capsys = capsys
        self.status, self.out, self.err = 0, "", ""

    def types(self, *argv: str, **environ: str) -> str:
        self.status = table.run(argv, self.environ | environ, build)
        self.out, self.err = self.capsys.readouterr()
        return self.out

    def do(self, function, *args):
        return self.database.run_sync(function, *args)


@pytest.fixture
def operator(database_url, capsys):
    operator = Operator(database_url, capsys)
    yield operator
    operator.database.engine.dispose()


def accept(connection, key="one"):
    """Accept a job change of Ada Smith, who joins Globex. Return its id."""
    (added,) = add(connection, [NewJobChange("T1", key, "tests", job_change().to_stored(), SOMEDAY)])
    return added.id


def fail(connection, key="one"):
    """Accept a job change that is routed to Dana and then refused by Slack. Return its id."""
    add_workspace(connection) if key == "one" else None
    job_change_id = accept(connection, key)
    batch = routing.claim(connection, SOMEDAY, 30_000)
    delivery = NewDelivery(job_change_id, "U_DANA", Role.DRI, legacy("You own Initech in Salesforce."))
    rule = "contact owner, else account owner"
    notes = [{"code": "left_out", "error": "Account.SDR__c cannot be read in Salesforce"}]
    decision = Decision.model_validate({"rule": rule, "considered": CONSIDERED, "made_without": notes})
    routing.settle(connection, batch, [Routed(job_change_id, decision, (delivery,))], [], SOMEDAY)
    settle(connection, [Failed(post, SOMEDAY, "it was refused") for post in claim(connection, SOMEDAY + 2_000)])
    return job_change_id


def deliver(connection):
    """Accept a job change that is delivered to Dana. Return its id."""
    job_change_id = accept(connection)
    batch = routing.claim(connection, SOMEDAY, 30_000)
    delivery = NewDelivery(job_change_id, "U_DANA", Role.DRI, legacy("You own Initech in Salesforce."))
    decision = Decision(rule="contact owner")
    routing.settle(connection, batch, [Routed(job_change_id, decision, (delivery,))], [], SOMEDAY)
    settle(connection, [Sent(post, SOMEDAY + 2_000, "D1", "1.1") for post in claim(connection, SOMEDAY + 2_000)])
    return job_change_id


@pytest.mark.parametrize("verb", [verb.name for verb in table.VERBS])
def test_every_command_has_a_help_text(verb, capsys):
    """It is a sentence, printed without reading any settings."""
    with pytest.raises(SystemExit) as ended:
        table.run([verb, "--help"], {}, build)

    assert ended.value.code == 0
    assert re.search(r"^[A-Z][^\n]+\.$", capsys.readouterr().out, re.MULTILINE)


def test_the_help_fits_a_terminal(capsys):
    """It has at most 80 columns, and one line per command."""
    with pytest.raises(SystemExit):
        table.run(["--help"], {}, build)

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(line.startswith(f"  {verb.name} ") for line in lines) for verb in table.VERBS)


def test_the_version_is_that_of_the_project(capsys):
    """The version is in pyproject.toml and in the code, which must agree."""
    with pytest.raises(SystemExit):
        table.run(["--version"], {}, build)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out.strip() == project["version"]


def test_commands_in_hints_work_at_this_terminal(tmp_path, capsys):
    """They start with the Python and the path that the operator used."""
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}

    table.run(["status"], environ, build, ".venv/bin/python app.py")

    assert capsys.readouterr().err.endswith(" .venv/bin/python app.py serve\n")


@pytest.mark.parametrize("verb", [[], ["serve"], ["web"], ["worker"]])
def test_all_invalid_settings_are_reported_at_once(verb, capsys):
    """They are listed by name before anything starts, with status 2."""
    status = table.run(verb, {"PORT": "high", "DATABASE_URL": "mysql://db", "SLACK_CLIENT_ID": "1.2"}, build)

    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    for name in ("SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "PORT", "DATABASE_URL", "ENCRYPTION_KEYS"):
        assert name in err
    assert "SLACK_CLIENT_ID" not in err


@pytest.mark.parametrize(("old", "new"), [("buried", "failed"), ("replay", "retry")])
def test_an_old_command_answers_with_its_new_name(old, new, capsys):
    """Scripts that use it fail with status 2 and a hint."""
    assert table.run([old, "--all"], {}, build, "app") == 2
    assert capsys.readouterr().err.endswith(f"Run: app {new}\n")


def test_a_mistyped_command_gets_a_suggestion(capsys):
    """A command that resembles nothing gets the hint to list all of them."""
    assert table.run(["sttaus"], {}, build) == 2
    assert "Did you mean “status”?" in capsys.readouterr().err
    assert table.run(["xyzzy"], {}, build) == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_every_setting_is_in_the_example_file():
    """A copy of .env.example lists everything that can be set."""
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = set(re.findall(r'"([A-Z_]{4,})"', (ROOT / "services/settings.py").read_text())) - {"DEBUG", "INFO"}

    assert set(example) == read - {"WARNING", "ERROR"}


def test_a_replica_does_not_serve_an_old_schema(postgresql_url, capsys):
    """On PostgreSQL the operator decides when to migrate; the error says what to run."""
    operator = Operator(postgresql_url, capsys)
    operator.do(lambda connection: connection.execute(text("DELETE FROM alembic_version")))

    operator.types("serve", **CREDENTIALS)
    operator.database.engine.dispose()

    assert (operator.status, operator.out) == (1, "")
    assert operator.err == "The database schema is out of date. Run: python app.py migrate\n"


def test_a_schema_of_a_newer_version_is_refused(operator):
    """Migrating does not help an app that is older than its database."""

    def migrate_by_newer(connection):
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("UPDATE deployment SET value = '9999' WHERE name = 'oldest_revision'"))

    operator.do(migrate_by_newer)
    operator.types("migrate")

    assert operator.status == 1
    assert "newer version of the app" in operator.err


def test_migrating_again_changes_nothing(operator):
    """A schema that is up to date stays as it is."""
    operator.types("migrate")

    assert (operator.status, operator.out) == (0, "The database schema is up to date.\n")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/usergems.db", "postgresql://localhost:1/none"])
def test_a_missing_database_is_reported_in_one_line(url, capsys):
    """There is no traceback."""
    environ = {"DATABASE_URL": url, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}

    assert table.run(["failed"], environ, build) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_is_no_database_is_reported_in_one_line(tmp_path, capsys):
    """A mistyped path causes no traceback."""
    (tmp_path / "letter.txt").write_text("Dear Ada, this is no database at all.")
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 'letter.txt'}"}

    assert table.run(["failed"], environ, build) == 2
    assert capsys.readouterr().err == "The database cannot be used: file is not a database.\n"
    assert table.run(["serve"], environ | CREDENTIALS, build) == 2
    assert [file.name for file in tmp_path.iterdir() if file.name != "letter.txt.lock"] == ["letter.txt"]


def test_a_wrong_key_refuses_to_start(operator):
    """Otherwise every stored token would fail later."""
    operator.do(add_workspace)
    operator.types("intake-key", "--workspace", "T1")

    operator.types("serve", **CREDENTIALS, ENCRYPTION_KEYS=Fernet.generate_key().decode())

    assert operator.status == 2  # systemd must not try again and again
    assert "ENCRYPTION_KEYS" in operator.err.splitlines()[-1]
    assert "Traceback" not in operator.err


@pytest.mark.sqlite_only
def test_no_key_is_made_beside_a_filled_database(operator, tmp_path):
    """It could decrypt nothing, and would hide that the right one is missing."""
    operator.do(add_workspace)
    operator.types("intake-key", "--workspace", "T1", "--kind", "secret")

    operator.types("serve", **CREDENTIALS, ENCRYPTION_KEYS="")

    assert operator.status == 2
    assert "holds secrets that only the key in" in operator.err
    assert not (tmp_path / "usergems.key").exists()


def test_output_that_nobody_reads_any_more_ends_quietly(operator, monkeypatch):
    """As in `doctor | head`: there is no traceback, and the status is that of the command."""
    operator.do(fail)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        operator.types("failed")

    assert (operator.status, "Traceback" in operator.err) == (0, False)


def test_a_database_in_memory_is_refused(capsys):
    """Accepted job changes must survive a restart."""
    assert table.run(["serve"], CREDENTIALS | {"DATABASE_URL": "sqlite:///:memory:"}, build) == 2
    assert "DATABASE_URL names no file" in capsys.readouterr().err


def test_the_manifest_contains_the_public_address(operator):
    """Only the manifest goes to stdout; the link that creates the app goes to stderr."""
    manifest = json.loads(operator.types("manifest", "--url", "https://gems.example.com"))

    assert manifest["oauth_config"]["redirect_urls"] == ["https://gems.example.com/slack/oauth_redirect"]
    assert "https://api.slack.com/apps?new_app=1&manifest_json=" in operator.err


def test_an_http_address_is_refused_for_the_manifest(operator):
    """Slack would refuse its redirect URL; http on this machine is for a sandbox of Slack."""
    operator.types("manifest", "--url", "http://gems.example.com")
    assert operator.status == 2
    assert "https://" in operator.err

    operator.types("manifest", "--url", "http://localhost:3000")
    assert operator.status == 2
    assert "because Slack redirects only to https" in operator.err

    operator.types("manifest", "--url", "http://localhost:3000", SLACK_API_URL="http://127.0.0.1:9/api/")
    assert operator.status == 0


def test_a_manifest_for_socket_mode_needs_no_address(operator):
    """Without an address and without Socket Mode, Slack could not reach the app."""
    manifest = json.loads(operator.types("manifest", "--socket-mode"))
    assert manifest["settings"]["socket_mode_enabled"] is True

    operator.types("manifest")
    assert operator.status == 2
    assert "--socket-mode" in operator.err


@pytest.mark.parametrize(("kind", "prefix"), [("secret", "whsec_"), ("signing", "whsec_"), ("bearer", "ugk_")])
def test_only_the_new_intake_key_goes_to_stdout(operator, kind, prefix):
    """A script can store it in a variable."""
    operator.do(add_workspace)

    key = operator.types("intake-key", "--workspace", "T1", "--kind", kind)

    assert operator.status == 0
    assert re.fullmatch(rf"{prefix}\S{{40,}}\n", key)
    assert "shown only once" in operator.err


def test_a_sender_gets_a_key_of_its_own_and_the_steps_of_its_product(operator, monkeypatch):
    """A secret that the vendor has made is read from standard input, and what was refused can be looked at."""
    operator.do(add_workspace)

    key = operator.types("intake-key", "--workspace", "T1", "--sender", "common_room")
    assert re.fullmatch(r"ugk_\S{40,}\n", key)
    assert "3. " in operator.err
    assert "/v1/workspaces/T1/job-changes?source=common_room" in operator.err
    monkeypatch.setattr("sys.stdin", StringIO("secret of the vendor\n"))
    assert operator.types("intake-key", "--workspace", "T1", "--sender", "lusha") == ""
    assert operator.status == 0
    operator.types("intake-key", "--workspace", "T1", "--sender", "common_room", "--kind", "secret")
    assert (operator.status, "Leave out --kind" in operator.err) == (2, True)

    shown = operator.types("senders", "--workspace", "T1")
    assert shown.splitlines() == [f"{name}: nothing received yet" for name in ("common_room", "lusha")]
    assert operator.types("senders", "--workspace", "T1", "--revoke", "lusha") == "Revoked.\n"
    assert "its key was revoked" in operator.types("senders", "--workspace", "T1")


def test_an_unknown_workspace_gets_no_key(operator):
    """A typo in the workspace id is an error."""
    operator.types("intake-key", "--workspace", "T404")

    assert (operator.status, operator.out) == (1, "")
    assert operator.err == "The app is not installed in workspace T404.\n"


def test_explain_says_that_a_message_may_be_there_twice(operator):
    """Slack did not confirm an attempt, so the app sent the message again."""

    def doubt(connection) -> str:
        job_change_id = fail(connection)
        trace.add_steps(connection, [TraceStep(job_change_id, SOMEDAY, Step.IN_DOUBT, "no answer")])
        return job_change_id

    assert "not counting 1 that Slack did not confirm: the message may be there twice" in operator.types(
        "explain", operator.do(doubt)
    )


def test_explain_shows_the_whole_history_of_a_job_change(operator):
    """It shows when it arrived, each candidate and their result, each delivery and each step."""
    job_change_id = operator.do(fail)

    explanation = operator.types("explain", job_change_id)

    for words in (
        "Ada Smith joined Globex as CRO",
        "Accepted    18 Nov 2026",
        "Outcome     Failed",
        "Reason      it was refused",
        "1. contact owner, Ivan Petrov <ivan@acme.example>: is inactive",
        "2. account owner, Dana Reyes: ",
        "Account.SDR__c cannot be read in Salesforce",
        "Delivery to U_DANA (as the DRI): failed after 1 attempt",
        "Reason      You own Initech in Salesforce.",
        "failed: it was refused",
    ):
        assert words in explanation
    assert "buried" not in explanation


@pytest.mark.both_databases
def test_explain_names_people_beside_their_ids(operator):
    """The name is the one in Salesforce, or else the email address. Unknown people are shown by id only."""
    ivan, kim, lee = "U000000IVAN1", "U0000000KIM1", "U0000000LEE1"
    job_change_id = operator.do(fail)

    def add_recipients(connection):
        members.cache(connection, "T1", {"ivan@acme.example": Member(ivan), "kim@acme.example": Member(kim)}, SOMEDAY)
        new = [NewDelivery(job_change_id, to, Role.DRI, legacy("Reassigned.")) for to in (ivan, kim, lee)]
        add_deliveries(connection, "T1", new, SOMEDAY)

    operator.do(add_recipients)
    explanation = operator.types("explain", job_change_id)

    assert f"Delivery to Ivan Petrov ({ivan}) (as the DRI)" in explanation
    assert f"Delivery to kim@acme.example ({kim}) (as the DRI)" in explanation
    assert f"Delivery to {lee} (as the DRI)" in explanation


def test_explain_shows_that_a_job_change_has_no_outcome_yet(operator):
    """A job change that was just accepted has no decision either."""
    operator.do(add_workspace)

    explanation = operator.types("explain", operator.do(accept))

    assert "Outcome     None yet" in explanation
    assert "Checked in this order" not in explanation


def test_explain_shows_the_steps_of_a_delivered_job_change(operator):
    """Each step has its time."""
    operator.do(add_workspace)
    job_change_id = operator.do(deliver)

    history = operator.types("explain", job_change_id).partition("History\n")[2]

    steps = [line.split("UTC  ")[1].partition(":")[0] for line in history.splitlines()]
    assert steps == ["accepted", "routed", "posted", "delivered"]


def test_explain_leaves_out_erased_content(operator):
    """The steps remain, and no line is empty."""
    operator.do(add_workspace)
    job_change_id = operator.do(deliver)
    operator.do(erasure.erase, [job_change_id], SOMEDAY)

    explanation = operator.types("explain", job_change_id)

    assert "whose content was erased" in explanation
    assert not re.search(r"(?m)^  Reason", explanation)
    assert all(line.rstrip() == line for line in explanation.splitlines())


def test_the_audit_log_is_shown_newest_first(operator):
    """It says who changed what and when, also after the workspace has removed the app."""
    operator.do(add_workspace)
    operator.do(audit.record, "T1", AuditEntry(SOMEDAY, "U_DANA", "preferences", "tell_dris = False"))
    operator.do(audit.record, "T1", AuditEntry(SOMEDAY + 1_000, OPERATOR, "erased a person", ""))

    lines = operator.types("audit", "--workspace", "T1").splitlines()
    as_json = json.loads(operator.types("audit", "--workspace", "T1", "--json"))

    assert [line.split("UTC  ")[1] for line in lines] == [
        "operator     erased a person",
        "U_DANA       preferences: tell_dris = False",
    ]
    assert as_json[1] == {"at": SOMEDAY, "actor": "U_DANA", "action": "preferences", "detail": "tell_dris = False"}
    operator.types("audit", "--workspace", "T404")
    assert (operator.status, operator.out) == (1, "")


def test_explain_reports_an_unknown_id(operator):
    """The error is one sentence with status 1."""
    operator.types("explain", "nope")

    assert (operator.status, operator.out, operator.err) == (1, "", "There is no job change with the id nope.\n")


def test_failed_job_changes_are_listed_with_their_reasons(operator):
    """There is one line each for people, and JSON for programs."""
    job_change_id = operator.do(fail)

    assert re.fullmatch(rf"{job_change_id}  T1  18 Nov 2026, \S+ UTC  it was refused\n", operator.types("failed"))
    (row,) = json.loads(operator.types("failed", "--json"))
    assert (row["job_change_id"], row["reason"]) == (job_change_id, "it was refused")


def test_retry_reports_what_it_could_not_retry(operator):
    """Failed job changes are retried. The status is 1 if one of the ids has not failed, with the reason."""
    job_change_id = operator.do(fail)

    operator.types("retry", job_change_id, "nope")

    assert (operator.status, operator.out) == (1, "1 of 2 job changes will be retried.\n")
    assert operator.err == "There is no job change with the id nope.\n"
    assert operator.do(delivery_states, job_change_id) == ["pending"]
    assert operator.do(outcome_of, job_change_id) == (None, None, None)
    assert operator.do(trace.steps_of, job_change_id)[-1].step == "retried"

    operator.types("retry", job_change_id)
    assert (operator.status, operator.err.partition(".")[0]) == (1, f"{job_change_id} has not failed")


@pytest.mark.both_databases
def test_retry_all_retries_everything_that_has_failed(operator):
    """After an outage, one command is enough."""
    ids = [operator.do(fail, "one"), operator.do(fail, "two")]

    assert operator.types("retry", "--all") == "2 job changes will be retried.\n"
    assert operator.status == 0
    assert operator.do(delivery_states, *ids) == ["pending", "pending"]
    operator.types("failed")
    assert operator.err == "No failed job changes.\n"


def test_failed_and_retry_can_be_limited_to_a_workspace(operator):
    """What failed in the others stays as it is."""
    operator.do(add_workspace, "T2")
    job_change_id = operator.do(fail)

    assert job_change_id in operator.types("failed", "--workspace", "T1")
    operator.types("failed", "--workspace", "T2")
    assert (operator.out, operator.err) == ("", "No failed job changes.\n")
    assert operator.types("retry", "--all", "--workspace", "T2") == "0 job changes will be retried.\n"
    operator.types("retry", job_change_id, "--workspace", "T2")
    assert (operator.status, operator.err) == (1, f"{job_change_id} belongs to workspace T1.\n")
    assert operator.types("retry", "--all", "--workspace", "T1") == "1 job change will be retried.\n"


def test_status_shows_each_workspace(operator):
    """The figures are those of the slash command."""
    operator.do(fail)

    status = operator.types("status")

    assert "Acme (T1)" in status
    assert "Salesforce        Not connected" in status
    assert "Failed, all time  1" in status
    assert "Stored            0.0 MB of job changes" in status
    (as_json,) = json.loads(operator.types("status", "--json"))
    assert (as_json["failed"], as_json["last_day"]["failed"]) == (1, 0)
    assert as_json["stored_characters"] > 50
    assert json.loads(operator.types("status", "--workspace", "T1", "--json"))["workspace_id"] == "T1"


def test_status_without_a_workspace_says_so(operator):
    """This is so before the first installation, and for an unknown id."""
    operator.types("status")
    assert (operator.status, operator.out, operator.err) == (0, "", "The app is not installed in any workspace yet.\n")

    operator.types("status", "--workspace", "T404")
    assert (operator.status, operator.err) == (1, "The app is not installed in workspace T404.\n")
