"""Fixtures for all tests: databases, the test clock and the world between the sandboxes."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from os import cpu_count, environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

import store.schema.sqlite
from store import migrations
from store.database import Database
from tests.servers import start_postgresql

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.world import World

# Every machine runs the same examples without a deadline; `make fuzz` searches for new ones.
settings.register_profile(
    "every machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("every machine")

CHROMIUM = Path("/usr/bin/chromium")
NEEDS_CHROMIUM = pytest.mark.skipif(not CHROMIUM.exists() and not environ.get("CI"), reason="Chromium is not installed")
BROWSER_TEST = [
    pytest.mark.browser,
    NEEDS_CHROMIUM,
    pytest.mark.asyncio(loop_scope="session"),  # a Playwright object works only in the event loop that made it
]
"""The `pytestmark` of tests that drive a real Chromium, see the fixture `browser`."""

STORE_TESTS = Path(__file__).parent / "store"

SOMEDAY = 1_795_000_000_000
"""A fixed moment of November 2026, in milliseconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for the size of the chaos and fuzz runs."""
    parser.addoption("--in-full", action="store_true", help="run tests/chaos as `make chaos` does")
    parser.addoption("--requests", type=int, default=60, help="number of requests to each route in tests/fuzz")


@dataclass
class Clock:
    """A clock that moves only when a test advances it. Calling it returns milliseconds since the epoch."""

    now: int = SOMEDAY

    def __call__(self) -> int:
        return self.now

    def advance(self, *, seconds: float) -> None:
        self.now += round(seconds * 1000)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a test often waits for a timer or for a process that it started."""
    return (cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no process of the tests is left with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("process") is None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema; tests get copies of it."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.run_sync(migrations.upgrade)
    database.engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: TEST_DATABASE_URL, or a server started from a wheel."""
    if url := environ.get("TEST_DATABASE_URL"):
        yield url
        return
    # Not in pytest's own directory: pytest removes all but the last three, and other runs may be active.
    with TemporaryDirectory(prefix="usergems-postgresql-", ignore_cleanup_errors=True) as directory:
        server = start_postgresql(Path(directory))
        # Tests crash the app, never this server, so it neither waits for the disk nor logs whole pages.
        off = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off")
        _administer(server.get_uri(), *off, "SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str, worker_id: str) -> str:
    """The name of a PostgreSQL database with the newest schema, used as a template. Each test process has its own."""
    name = f"usergems_template_{worker_id}"
    _administer(postgresql_server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    database = Database(_named(postgresql_server, name))
    database.run_sync(migrations.upgrade)
    database.engine.dispose()
    return name


@pytest.fixture(autouse=True)
def sqlite_without_fsync(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, so commits of this process need not wait for the disk."""
    if not request.node.get_closest_marker("fsync"):
        monkeypatch.setattr(store.schema.sqlite, "SQLITE_SYNCHRONOUS", "OFF")


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A new SQLite database with the newest schema."""
    shutil.copy(migrated_sqlite, tmp_path / "usergems.db")
    return f"sqlite:///{tmp_path / 'usergems.db'}"


@pytest.fixture
def postgresql_url(postgresql_server: str, migrated_postgresql: str, worker_id: str) -> str:
    """A new PostgreSQL database with the newest schema."""
    name = f"usergems_test_{worker_id}"
    _administer(
        postgresql_server,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
        f"CREATE DATABASE {name} TEMPLATE {migrated_postgresql} STRATEGY FILE_COPY",  # needs PostgreSQL 15
    )
    return _named(postgresql_server, name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """
    Tests of the store run on both databases, and so do those marked `both_databases`; the others run on SQLite.

    Mark a test where SQL dialects, locks or several replicas could make a difference.
    """
    if "database_url" not in metafunc.fixturenames:
        return
    test = metafunc.definition
    is_of_store = STORE_TESTS in test.path.parents and not test.get_closest_marker("sqlite_only")
    if is_of_store or test.get_closest_marker("both_databases"):
        metafunc.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database with the newest schema; `pytest_generate_tests` chooses its kind."""
    kind = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue(f"{kind}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests of this process; its tests are marked with `BROWSER_TEST`."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 - few runs need it

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


def _administer(server_url: str, *statements: str) -> None:
    engine = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _named(server_url: str, database: str) -> str:
    return make_url(server_url).set(drivername="postgresql", database=database).render_as_string(hide_password=False)


@pytest.fixture
async def world(database: Database, clock: Clock) -> AsyncIterator[World]:
    """The whole app between a sandbox Slack and a sandbox Salesforce."""
    from tests.world import open_world  # noqa: PLC0415 - tests.world imports Clock from this module

    async with open_world(database, clock) as world:
        yield world
