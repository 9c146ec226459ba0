"""Sizes of the chaos runs, their fixtures, and the table of reports at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.rig.pooler import PGBOUNCER
from tests.chaos.rig.postgresql import PostgresqlServer
from tests.chaos.rig.run_report import RunReport, format_table

RUN_REPORT = "report"


@dataclass(frozen=True)
class Size:
    """
    Numbers of kills, of seconds of faults or load, and of waiting job changes.

    `longest_p99_ms` limits the response time under a burst; it is generous where other tests run at the same time.
    """

    kills: int
    seconds: float
    waiting: int
    longest_p99_ms: int


SHORT = Size(kills=2, seconds=4, waiting=20_000, longest_p99_ms=10_000)
FULL = Size(kills=100, seconds=120, waiting=1_000_000, longest_p99_ms=1_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only `make chaos` runs the long tests, and only where PgBouncer is installed those that need it."""
    unwanted = set() if config.getoption("--in-full") else {"in_full"}
    unwanted |= set() if PGBOUNCER else {"pgbouncer"}
    deselected = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    config.hook.pytest_deselected(items=deselected)
    items[:] = [item for item in items if item not in deselected]


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    return FULL if request.config.getoption("--in-full") else SHORT


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.in_full)])
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, and in `make chaos` also PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def own_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server that a test may stop and suspend; no other test uses it."""
    with TemporaryDirectory(prefix="usergems-chaos-", ignore_cleanup_errors=True) as folder:
        server = PostgresqlServer.start(Path(folder))
        yield server
        server.stop()


@dataclass(frozen=True)
class Reports:
    """Collects the run reports of a test, also of a failing one, for the table at the end."""

    properties: list[tuple[str, object]]

    def append(self, report: RunReport) -> None:
        self.properties.append((RUN_REPORT, report.cells()))


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> Reports:
    return Reports(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of all run reports."""
    test_reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    rows = [row for report in test_reports for name, row in report.user_properties if name == RUN_REPORT]
    if rows:
        terminalreporter.section("chaos runs")
        for line in format_table(rows):
            terminalreporter.write_line(line)
