"""docs/security.md matches the app: each threat has a test, each limit its value, each cookie its attributes."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from store.database import Database
from tests.listeners.salesforce.salesforce_world import open_salesforce_world
from tests.listeners.slack.install_world import MANIFEST, InstallWorld, open_install_world

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/security.md").read_text()


def rows(section: str) -> list[list[str]]:
    """The cells of each row of the table under a heading."""
    part = GUIDE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_threat_names_an_existing_test():
    """Each row of the table has a defense and a test that shows it."""
    threats = rows("Threats")

    assert len(threats) >= 40
    for threat, defense, shown in threats:
        file, _, name = shown.strip("`").partition("::")
        names = {
            node.name
            for node in ast.walk(ast.parse((ROOT / file).read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in names, threat
        assert defense, threat


def test_the_guide_names_every_security_test():
    """The exceptions are tests of the tests, and details of a threat that another test shows."""
    named = {shown.strip("`").partition("::")[2] for _, _, shown in rows("Threats")}
    exceptions = {
        "test_admins_can_use_every_action",
        "test_only_so_many_addresses_are_kept_in_memory",
        "test_the_client_address_of_a_request",
        "test_the_limits_leave_room_for_normal_use",
        "test_no_verb_takes_a_secret_from_the_command_line",
        "test_world_readable_files_are_reported_at_startup",
        "test_settings_hide_their_secrets_in_repr",
        "test_the_openapi_document_contains_no_secret",
    }
    existing = {
        node.name
        for path in (ROOT / "tests/security").glob("test_*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }

    assert existing - named == exceptions


@pytest.mark.parametrize(("limit", "value", "constant"), rows("Limits"))
def test_the_guide_shows_the_value_of_every_limit(limit: str, value: str, constant: str) -> None:
    """The last column is the name of the constant."""
    module, _, name = constant.strip("`").rpartition(".")
    actual = getattr(import_module(module), name)

    assert f"{actual:,.0f}" == value, limit
    assert actual == float(value.replace(",", ""))


SECRET_FIELDS = {"payload", "raw", "secret", "old_secret", "access_token", "refresh_token", "client_secret"}


@pytest.mark.parametrize("layer", ["domain", "store", "services", "listeners"])
def test_fields_with_secrets_or_payloads_are_left_out_of_reprs(layer: str) -> None:
    """A traceback or a log line may show the repr of any object."""
    for path in (ROOT / layer).rglob("*.py"):
        classes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
        for field in (line for definition in classes for line in definition.body if isinstance(line, ast.AnnAssign)):
            if ast.unparse(field.target) in SECRET_FIELDS:
                assert "repr=False" in ast.unparse(field), f"{path}:{field.lineno}"


def test_the_guide_lists_what_is_not_defended():
    """An operator reads it before deciding to run the app."""
    section = GUIDE.partition("## What is not defended")[2].partition("\n## ")[0]

    assert len(re.findall(r"^\* \*\*", section, re.MULTILINE)) >= 8


@pytest.fixture
async def install_world(sqlite_url: str) -> AsyncIterator[InstallWorld]:
    database = Database(sqlite_url)
    async with open_install_world(database, public_url="https://gems.example.com") as installing:
        yield installing
    await database.close()


async def test_every_cookie_of_an_installation_is_protected(install_world: InstallWorld, sqlite_url: str) -> None:
    """On https, each cookie is HttpOnly, SameSite=Lax and Secure."""
    cookies: list[str] = []
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        async with http.get(f"{install_world.url}/slack/install", allow_redirects=False) as answer:
            cookies += answer.headers.getall("Set-Cookie")
            state = answer.cookies["slack-app-oauth-state"].value
        address = f"{install_world.url}/slack/oauth_redirect"
        code = install_world.slack.issue_code(install_world.dana.id, MANIFEST.scopes, address)
        async with http.get(
            address,
            params={"code": code, "state": state},
            headers={"Cookie": f"slack-app-oauth-state={state}"},
            allow_redirects=False,
        ) as answer:
            assert answer.status == 303
            cookies += answer.headers.getall("Set-Cookie")

    assert {cookie.partition("=")[0] for cookie in cookies} == {"slack-app-oauth-state", "default_channel"}
    for cookie in cookies:
        assert re.search(r"; HttpOnly(;|$)", cookie), cookie
        assert re.search(r"; SameSite=Lax(;|$)", cookie), cookie
        assert re.search(r"; Secure(;|$)", cookie), cookie
        assert "; Path=/" in cookie


async def test_the_cookie_of_connecting_salesforce_is_protected(sqlite_url: str) -> None:
    """It identifies the browser that opened the link, and is sent to /salesforce only."""
    async with open_salesforce_world(sqlite_url) as acme:
        link = urlsplit(acme.connect_link())
        form = {"link": parse_qs(link.query)["link"][0], "choice": "production"}
        async with acme.http.post(f"{acme.url}/salesforce/connect", data=form) as answer:
            (cookie,) = answer.headers.getall("Set-Cookie")

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/salesforce" in cookie
