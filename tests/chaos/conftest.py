"""How long a run is, which of them are left to `make chaos`, and the accounts of all in a table at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.rig.postgresql import OwnServer
from tests.chaos.rig.reconciliation import Account, as_table

ACCOUNT = "account"


@dataclass(frozen=True)
class Size:
    """
    How hard to try: so many kills, so many seconds of trouble or of load, so many job changes that wait.

    *longest_p99_ms*: of the door under a burst; generous where other tests run beside.
    """

    kills: int
    seconds: float
    waiting: int
    longest_p99_ms: int


SHORT = Size(kills=2, seconds=4, waiting=20_000, longest_p99_ms=10_000)
FULL = Size(kills=100, seconds=120, waiting=1_000_000, longest_p99_ms=1_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave what is long to `make chaos`."""
    if config.getoption("--in-full"):
        return
    left = [item for item in items if item.get_closest_marker("in_full")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    return FULL if request.config.getoption("--in-full") else SHORT


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.in_full)])
def database_url(request: pytest.FixtureRequest) -> str:
    """On both databases in full, else on one."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def own_server() -> Iterator[OwnServer]:
    """A PostgreSQL that may be stopped and stunned, which nobody else uses."""
    with TemporaryDirectory(prefix="usergems-chaos-", ignore_cleanup_errors=True) as folder:
        server = OwnServer.started(Path(folder))
        yield server
        server.stop()


@dataclass(frozen=True)
class Accounts:
    """Where a test leaves the accounts of its runs, even or not; they go with its report, wherever that is printed."""

    properties: list[tuple[str, object]]

    def append(self, account: Account) -> None:
        self.properties.append((ACCOUNT, account.cells()))


@pytest.fixture
def accounts(request: pytest.FixtureRequest) -> Accounts:
    return Accounts(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of all accounts."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    rows = [row for report in reports for name, row in report.user_properties if name == ACCOUNT]
    if rows:
        terminalreporter.section("accounts")
        for line in as_table(rows):
            terminalreporter.write_line(line)
