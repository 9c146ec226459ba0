"""The doctor at the terminal. Its checks are tested in tests/services/operations/test_doctor.py."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import insert

from app import build
from listeners.cli import table
from store.encryption import KEY_FILE
from store.operations.single_process import sqlite_file
from store.schema import intake_keys
from tests.listeners.cli.test_table import Operator
from tests.services.operations.test_database_watch import read_only
from tests.store.sample_rows import add_workspace

NOWHERE = {
    "SLACK_CLIENT_ID": "1.2",
    "SLACK_CLIENT_SECRET": "client-secret",
    "SLACK_SIGNING_SECRET": "signing-secret",
    "SLACK_API_URL": "http://127.0.0.1:9/api/",
    "SALESFORCE_LOGIN_URL": "http://127.0.0.1:9",
    "PUBLIC_URL": "http://127.0.0.1:9",
}


@pytest.fixture
def operator(database_url, capsys):
    operator = Operator(database_url, capsys)
    operator.environ |= NOWHERE
    yield operator
    operator.database.engine.dispose()


def test_each_check_that_fails_is_one_line(operator):
    """The line says what to do. The status is 1, and there is no traceback."""
    operator.do(add_workspace)

    out = operator.types("doctor")

    assert (operator.status, operator.err) == (1, "")
    lines = out.splitlines()
    assert "ok       settings: all required settings are set" in lines
    assert "ok       database: responding" in lines
    assert any(line.startswith("FAILED   Slack credentials: no connection") for line in lines)
    assert any(line.startswith("FAILED   T1 scopes: the app is not installed in the workspace") for line in lines)
    assert not any(secret in out for secret in ("client-secret", "signing-secret"))


def test_the_results_are_available_as_json(operator):
    """They are the same results, by name and state."""
    results = json.loads(operator.types("doctor", "--json"))

    assert operator.status == 1
    assert {"name": "database", "state": "ok", "text": "responding"} in results
    assert {result["state"] for result in results} == {"ok", "failed", "unknown"}


def test_each_missing_setting_is_one_line(operator):
    """The other checks still run."""
    out = operator.types("doctor", SLACK_CLIENT_SECRET="", SLACK_SIGNING_SECRET="")

    assert operator.status == 1
    assert "FAILED   settings: SLACK_CLIENT_SECRET is missing" in out
    assert "FAILED   settings: SLACK_SIGNING_SECRET is missing" in out
    assert "ok       database: responding" in out


@pytest.mark.parametrize("url", ["mysql://db", "postgresql://host:port/name"])
def test_with_invalid_settings_nothing_else_is_checked(url, capsys):
    """Without valid settings there is nothing to connect to."""
    status = table.run(["doctor"], {"DATABASE_URL": url, "PORT": "high"}, build)

    out, err = capsys.readouterr()
    assert (status, err) == (1, "")
    assert all(line.startswith("FAILED   settings: ") for line in out.splitlines())
    assert "DATABASE_URL" in out
    assert "PORT" in out


def test_a_missing_database_is_not_created(tmp_path, capsys):
    """The doctor creates neither a database nor a key."""
    status = table.run(["doctor"], NOWHERE | {"DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}, build)

    assert status == 1
    assert "run: python app.py serve" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_database_is_reported(capsys):
    """Here it is PostgreSQL on a port where nothing listens."""
    environ = NOWHERE | {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}

    status = table.run(["doctor"], environ | {"ENCRYPTION_KEYS": "A" * 43 + "="}, build)

    out = capsys.readouterr().out
    assert status == 1
    assert "FAILED   database: the database did not answer" in out
    assert "unknown  workspaces: not checked. Fix the failed checks" in out


def test_a_read_only_database_is_reported(postgresql_url, capsys):
    """It responds, so that only a write shows it. The advice is that of /readyz."""
    operator = Operator(postgresql_url, capsys)
    operator.environ |= NOWHERE
    with read_only(postgresql_url):
        out = operator.types("doctor")
    operator.database.engine.dispose()

    assert operator.status == 1
    assert "ok       database: responding" in out
    assert "FAILED   database writes: the database is read-only: connect to the primary, or end its" in out


def test_a_database_without_its_key_is_reported(operator):
    """A backup may have been restored without the key file. The doctor creates no new key."""
    folder = sqlite_file(operator.environ["DATABASE_URL"]).parent
    secret = {"workspace_id": "T1", "kind": "signing", "secret": "gAAAA", "made_at": 1, "made_by": "U1"}
    operator.do(add_workspace)
    operator.do(lambda connection: connection.execute(insert(intake_keys).values(secret)))

    out = operator.types("doctor", ENCRYPTION_KEYS="")

    assert "FAILED   encryption keys: A stored secret cannot be read" in out
    assert not (folder / KEY_FILE).exists()


def test_a_key_file_without_a_valid_key_is_reported(operator):
    """The file may have been truncated or edited."""
    file = sqlite_file(operator.environ["DATABASE_URL"]).parent / KEY_FILE
    file.write_text("nonsense")
    file.chmod(0o600)

    out = operator.types("doctor", ENCRYPTION_KEYS="")

    assert operator.status == 1
    assert f"FAILED   encryption keys: {KEY_FILE} beside the database holds no key" in out
