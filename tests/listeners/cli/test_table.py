"""What an operator types, and reads: every verb that asks or repairs, on both databases."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from app import build
from domain.audit import OPERATOR, AuditEntry
from domain.delivery import NewDelivery
from domain.people import Member
from domain.states import Role
from listeners.cli import table
from store import audit
from store.database import Database
from store.delivery import routing, trace
from store.delivery.deliveries import add_deliveries
from store.delivery.posts import Sent, Undeliverable, settle
from store.delivery.routing import Routed
from store.intake.job_changes import NewJobChange, add
from store.operations import erasure
from store.slack.members import remember
from tests.conftest import SOMEDAY
from tests.services.messages.sample_job_changes import job_change
from tests.store.sample_rows import add_workspace, claim, delivery_states, outcome_of

ROOT = Path(__file__).parents[3]
CONSIDERED = [
    {"source": "contact owner", "name": "Ivan Petrov", "email": "ivan@acme.example", "result": "is inactive"},
    {"source": "account owner", "name": "Dana Reyes", "email": None, "result": "told"},
]


class Operator:
    """Somebody at a terminal; *status*, *out* and *err* are of what was typed last."""

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
    """Ada Smith joins Globex; the id."""
    (added,) = add(connection, [NewJobChange("T1", key, "tests", job_change().to_stored(), SOMEDAY)])
    return added.id


def bury(connection, key="one"):
    """The same, decided for Dana and refused by Slack."""
    add_workspace(connection) if key == "one" else None
    job_change_id = accept(connection, key)
    batch = routing.claim(connection, SOMEDAY, 30_000)
    promised = NewDelivery(job_change_id, "U_DANA", Role.DRI, "You own Initech in Salesforce.")
    decision = {"rule": "contact owner, else account owner", "considered": CONSIDERED}
    routing.settle(connection, batch, [Routed(job_change_id, decision, (promised,))], [], SOMEDAY)
    settle(connection, [Undeliverable(each, SOMEDAY, "it was refused") for each in claim(connection, SOMEDAY + 2_000)])
    return job_change_id


def deliver(connection):
    """The same, and posted to Dana."""
    job_change_id = accept(connection)
    batch = routing.claim(connection, SOMEDAY, 30_000)
    promised = NewDelivery(job_change_id, "U_DANA", Role.DRI, "You own Initech in Salesforce.")
    decision = {"rule": "contact owner", "considered": []}
    routing.settle(connection, batch, [Routed(job_change_id, decision, (promised,))], [], SOMEDAY)
    settle(connection, [Sent(each, SOMEDAY + 2_000, "D1", "1.1") for each in claim(connection, SOMEDAY + 2_000)])
    return job_change_id


@pytest.mark.parametrize("verb", [verb.name for verb in table.VERBS])
def test_every_verb_says_what_it_does(verb, capsys):
    """One clear line, before anything is read or begun."""
    with pytest.raises(SystemExit) as ended:
        table.run([verb, "--help"], {}, build)

    assert ended.value.code == 0
    assert re.search(r"^[A-Z][^\n]+\.$", capsys.readouterr().out, re.MULTILINE)


def test_the_help_fits_a_terminal(capsys):
    """Eighty columns, a line a verb."""
    with pytest.raises(SystemExit):
        table.run(["--help"], {}, build)

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(any(line.startswith(f"  {verb.name} ") for line in lines) for verb in table.VERBS)


def test_the_version_is_that_of_the_project(capsys):
    """It is written twice, so it is compared."""
    with pytest.raises(SystemExit):
        table.run(["--version"], {}, build)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert capsys.readouterr().out.strip() == project["version"]


def test_hints_can_be_typed_as_they_stand(tmp_path, capsys):
    """With the Python and the path that were typed, wherever the terminal is."""
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}

    table.run(["status"], environ, build, ".venv/bin/python app.py")

    assert capsys.readouterr().err.endswith("start with .venv/bin/python app.py serve.\n")


@pytest.mark.parametrize("verb", [[], ["serve"], ["web"], ["worker"]])
def test_all_that_is_wrong_with_the_settings_is_told_at_once(verb, capsys):
    """By name, before anything starts, with status 2."""
    status = table.run(verb, {"PORT": "high", "DATABASE_URL": "mysql://db", "SLACK_CLIENT_ID": "1.2"}, build)

    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    for name in ("SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "PORT", "DATABASE_URL", "ENCRYPTION_KEYS"):
        assert name in told.err
    assert "SLACK_CLIENT_ID" not in told.err


def test_every_setting_stands_in_the_example():
    """Each with its default, so that a copy of it is a working start."""
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    read = set(re.findall(r'"([A-Z_]{4,})"', (ROOT / "services/settings.py").read_text())) - {"DEBUG", "INFO"}

    assert set(example) == read - {"WARNING", "ERROR"}


def test_a_replica_does_not_serve_an_old_schema(postgresql_url, capsys):
    """On PostgreSQL the operator says when to migrate; until then it says what to run."""
    operator = Operator(postgresql_url, capsys)
    operator.do(lambda connection: connection.execute(text("DELETE FROM alembic_version")))

    operator.types("serve", SLACK_CLIENT_ID="1.2", SLACK_CLIENT_SECRET="s", SLACK_SIGNING_SECRET="s")
    operator.database.engine.dispose()

    assert (operator.status, operator.out) == (1, "")
    assert operator.err == "The database schema is out of date: run python app.py migrate.\n"


def test_a_schema_of_the_future_is_told_from_an_old_one(operator):
    """Migrating does not help an app that is older than its database."""
    operator.do(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    operator.types("migrate")

    assert operator.status == 1
    assert "newer version of the app" in operator.err


def test_migrating_twice_is_once(operator):
    """Nothing happens when the schema is the newest."""
    operator.types("migrate")

    assert (operator.status, operator.out) == (0, "The database schema is up to date.\n")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/usergems.db", "postgresql://localhost:1/none"])
def test_a_database_that_is_not_there_is_one_sentence(url, capsys):
    """With what to do, and no traceback."""
    environ = {"DATABASE_URL": url, "ENCRYPTION_KEYS": Fernet.generate_key().decode()}

    assert table.run(["buried"], environ, build) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_that_is_no_database_is_one_sentence(tmp_path, capsys):
    """A mistyped path is told, not traced."""
    (tmp_path / "letter.txt").write_text("Dear Ada, this is no database at all.")
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path / 'letter.txt'}"}

    assert table.run(["buried"], environ, build) == 1
    assert capsys.readouterr().err == "The database cannot be used: file is not a database.\n"


def test_a_wrong_key_refuses_to_start(operator):
    """Rather than fail at each token later."""
    operator.do(add_workspace)
    operator.types("intake-key", "--workspace", "T1")
    credentials = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "SLACK_SIGNING_SECRET": "s"}

    operator.types("serve", **credentials, ENCRYPTION_KEYS=Fernet.generate_key().decode())

    assert operator.status == 1
    assert "ENCRYPTION_KEYS" in operator.err.splitlines()[-1]
    assert "Traceback" not in operator.err


def test_a_database_in_memory_is_refused(capsys):
    """What is accepted must outlive the process."""
    credentials = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "SLACK_SIGNING_SECRET": "s"}

    assert table.run(["serve"], credentials | {"DATABASE_URL": "sqlite:///:memory:"}, build) == 2
    assert "DATABASE_URL names no file" in capsys.readouterr().err


def test_the_manifest_carries_the_address(operator):
    """The manifest alone goes to the pipe; the link that creates the app is for whoever reads along."""
    manifest = json.loads(operator.types("manifest", "--url", "https://gems.example.com"))

    assert manifest["oauth_config"]["redirect_urls"] == ["https://gems.example.com/slack/oauth_redirect"]
    assert "https://api.slack.com/apps?new_app=1&manifest_json=" in operator.err


def test_an_address_that_slack_cannot_reach_safely_is_refused(operator):
    """http is for this machine only."""
    operator.types("manifest", "--url", "http://gems.example.com")

    assert operator.status == 2
    assert "https://" in operator.err


@pytest.mark.parametrize(("kind", "prefix"), [("signing", "whsec_"), ("bearer", "ugk_")])
def test_a_new_intake_key_is_all_that_goes_to_the_pipe(operator, kind, prefix):
    """It is shown once, and can be put into a variable."""
    operator.do(add_workspace)

    key = operator.types("intake-key", "--workspace", "T1", "--kind", kind)

    assert operator.status == 0
    assert re.fullmatch(rf"{prefix}\S{{40,}}\n", key)
    assert "shown only once" in operator.err


def test_an_unknown_workspace_gets_no_key(operator):
    """A typo must not look like success."""
    operator.types("intake-key", "--workspace", "T404")

    assert (operator.status, operator.out) == (1, "")
    assert operator.err == "The app is not installed in workspace T404.\n"


@pytest.mark.both_databases
def test_explain_tells_the_whole_way_of_a_job_change(operator):
    """When it came, who was considered and what became of each, where it went, and each step."""
    job_change_id = operator.do(bury)

    told = operator.types("explain", job_change_id)

    for words in (
        "Ada Smith joined Globex as CRO",
        "accepted    2026-11-18",
        "outcome     buried",
        "because     it was refused",
        "1. contact owner, Ivan Petrov <ivan@acme.example>: is inactive",
        "2. account owner, Dana Reyes: told",
        "Delivery to U_DANA (dri): buried after 1 attempt",
        "reason      You own Initech in Salesforce.",
        "buried: it was refused",
    ):
        assert words in told


def test_explain_names_people_beside_their_ids(operator):
    """By the name that Salesforce has for their address, else by the address; who is not known stays an id."""
    ivan, kim, lee = "U000000IVAN1", "U0000000KIM1", "U0000000LEE1"
    job_change_id = operator.do(bury)

    def tell_more(connection):
        remember(connection, "T1", {"ivan@acme.example": Member(ivan), "kim@acme.example": Member(kim)}, SOMEDAY)
        new = [NewDelivery(job_change_id, to, Role.DRI, "Handed on.") for to in (ivan, kim, lee)]
        add_deliveries(connection, "T1", new, SOMEDAY)

    operator.do(tell_more)
    told = operator.types("explain", job_change_id)

    assert f"Delivery to Ivan Petrov ({ivan}) (dri)" in told
    assert f"Delivery to kim@acme.example ({kim}) (dri)" in told
    assert f"Delivery to {lee} (dri)" in told


def test_explain_tells_that_one_was_just_accepted(operator):
    """It is on its way, and there is nothing else to tell yet."""
    operator.do(add_workspace)

    told = operator.types("explain", operator.do(accept))

    assert "outcome     none yet" in told
    assert "Considered" not in told


def test_explain_tells_the_steps_of_one_that_was_delivered(operator):
    """Those that every job change takes, with when."""
    operator.do(add_workspace)
    job_change_id = operator.do(deliver)

    told = operator.types("explain", job_change_id).partition("Steps\n")[2]

    steps = [line.split("UTC  ")[1] for line in told.splitlines()]
    assert steps == ["accepted: from tests", "routed: contact owner", "posted: to U_DANA", "delivered: to the DRI"]


def test_explain_leaves_out_what_was_erased(operator):
    """The steps stay, and no line is empty."""
    operator.do(add_workspace)
    job_change_id = operator.do(deliver)
    operator.do(erasure.erase, [job_change_id], SOMEDAY)

    told = operator.types("explain", job_change_id)

    assert "whose content was erased" in told
    assert not re.search(r"(?m)^  (reason|because)", told)
    assert all(line.rstrip() == line for line in told.splitlines())


@pytest.mark.both_databases
def test_what_was_changed_is_told_newest_first(operator):
    """Who, what and when; also after the workspace is gone."""
    operator.do(add_workspace)
    operator.do(audit.record, "T1", AuditEntry(SOMEDAY, "U_DANA", "preferences", "tell_dris = False"))
    operator.do(audit.record, "T1", AuditEntry(SOMEDAY + 1_000, OPERATOR, "erased a person", ""))

    told = operator.types("audit", "--workspace", "T1").splitlines()
    as_json = json.loads(operator.types("audit", "--workspace", "T1", "--json"))

    assert [line.split("UTC  ")[1] for line in told] == [
        "operator     erased a person",
        "U_DANA       preferences: tell_dris = False",
    ]
    assert as_json[1] == {"at": SOMEDAY, "actor": "U_DANA", "action": "preferences", "detail": "tell_dris = False"}
    operator.types("audit", "--workspace", "T404")
    assert (operator.status, operator.out) == (1, "")


def test_explain_does_not_know_every_id(operator):
    """One sentence, and a status a script can use."""
    operator.types("explain", "nope")

    assert (operator.status, operator.out, operator.err) == (1, "", "There is no job change nope.\n")


def test_what_is_buried_is_listed_with_its_reason(operator):
    """A line each, for people and for grep; as JSON for programs."""
    job_change_id = operator.do(bury)

    assert re.fullmatch(rf"{job_change_id}  T1  2026-11-18 \S+ UTC  it was refused\n", operator.types("buried"))
    (one,) = json.loads(operator.types("buried", "--json"))
    assert (one["job_change_id"], one["reason"]) == (job_change_id, "it was refused")


def test_replay_tries_again_and_says_what_it_could_not(operator):
    """Those that are buried go; the status is 1 when one could not, with why."""
    job_change_id = operator.do(bury)

    operator.types("replay", job_change_id, "nope")

    assert (operator.status, operator.out) == (1, "1 of 2 will be tried again.\n")
    assert operator.err == "There is no job change nope.\n"
    assert operator.do(delivery_states, job_change_id) == ["pending"]
    assert operator.do(outcome_of, job_change_id) == (None, None, None)
    assert operator.do(trace.steps_of, job_change_id)[-1].step == "replayed"

    operator.types("replay", job_change_id)
    assert (operator.status, operator.err.partition(":")[0]) == (1, f"{job_change_id} is not buried")


@pytest.mark.both_databases
def test_replay_all_takes_everything_that_is_buried_now(operator):
    """One command after an outage."""
    ids = [operator.do(bury, "one"), operator.do(bury, "two")]

    assert operator.types("replay", "--all") == "2 will be tried again.\n"
    assert operator.status == 0
    assert operator.do(delivery_states, *ids) == ["pending", "pending"]
    operator.types("buried")
    assert operator.err == "Nothing is buried.\n"


@pytest.mark.both_databases
def test_status_tells_how_each_workspace_stands(operator):
    """The same numbers as the slash command, by name."""
    operator.do(bury)

    told = operator.types("status")

    assert "Acme (T1)" in told
    assert "Salesforce        Not connected" in told
    assert "buried in all     1" in told
    assert json.loads(operator.types("status", "--json"))[0]["buried"] == 1
    assert json.loads(operator.types("status", "--workspace", "T1", "--json"))["workspace_id"] == "T1"


def test_status_of_nobody_is_said_so(operator):
    """Before the first installation, and for an id that is wrong."""
    operator.types("status")
    assert (operator.status, operator.out, operator.err) == (0, "", "No workspace has installed the app yet.\n")

    operator.types("status", "--workspace", "T404")
    assert (operator.status, operator.err) == (1, "No workspace T404 has installed the app.\n")
