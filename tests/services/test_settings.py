"""Reading settings from the environment, and reporting invalid ones."""

from __future__ import annotations

import pytest

from services.settings import Settings, SettingsError, is_loopback, redirect_fault


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_loopback_hosts_are_this_machine(host: str) -> None:
    """Plain http is allowed for these."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "127.example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0"]
)
def test_a_host_name_that_resembles_loopback_is_not_this_machine(host: str | None) -> None:
    """Anyone can register such a name, so neither secrets nor sessions may be sent there unencrypted."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("SALESFORCE_LOGIN_URL", "http://127.0.0.1.example.com", "must start with https://"),
        ("PORT", "65536", "must be a whole number from 0 to 65535"),
        ("PORT", "0000000003000000", "must be a whole number from 0 to 65535"),
        ("PORT", "²", "must be a whole number"),
        ("RETENTION_DAYS", "0", "must be a whole number from 1 to"),
        ("DATABASE_URL", "postgresql://u:p@host:port/db", "is not a valid URL"),
        ("SALESFORCE_WORKSPACES", "T0123456789, acme", "must have workspace ids such as T0123456789"),
        ("LOG_FORMAT", "xml", "must be one of text, json"),
    ],
)
def test_invalid_settings_are_reported_by_name(name: str, value: str, text: str) -> None:
    """The error says what is expected, before anything starts."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({name: value})

    assert [fault for fault in refused.value.faults if fault.startswith(f"{name} ") and text in fault]


CREDENTIALS = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s", "SLACK_SIGNING_SECRET": "s"}


@pytest.mark.parametrize("url", ["", "http://localhost:3000", "http://127.0.0.1:3000"])
def test_slack_redirects_only_to_https(url: str) -> None:
    """An app that could not be installed is not served, and the error says why and what else works."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({**CREDENTIALS, "PUBLIC_URL": url}, serving=True)

    (fault,) = refused.value.faults
    assert fault.startswith("PUBLIC_URL must start with https://")
    assert "Socket Mode" in fault


@pytest.mark.parametrize(
    "more",
    [
        {"SLACK_APP_TOKEN": "xapp-1"},  # installed at the terminal
        {"SLACK_API_URL": "http://127.0.0.1:9/api/"},  # a sandbox
        {"PUBLIC_URL": "https://gems.example.com"},
    ],
)
def test_an_address_that_is_not_https_is_enough_for_some(more: dict[str, str]) -> None:
    """In Socket Mode and with a sandbox, the app is served at http://localhost."""
    settings = Settings.from_environ(CREDENTIALS | more, serving=True)

    assert settings.can_redirect is ("SLACK_APP_TOKEN" not in more)


def test_a_malformed_api_url_is_no_sandbox() -> None:
    """The fault of SLACK_API_URL itself is reported with the other settings."""
    assert redirect_fault("http://localhost", "http://[") is not None
