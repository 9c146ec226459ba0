"""Reading settings from the environment, and reporting invalid ones."""

from __future__ import annotations

import pytest

from services.settings import Network, Settings, SettingsError, is_loopback, redirect_fault


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


PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "is_proxied"),
    [
        ("https://slack.com/api/auth.test", "", True),
        ("wss://wss-primary.slack.com/link/?ticket=1", "", True),
        ("https://localhost:8443/", "", False),
        ("https://127.0.0.1:8443/", "", False),
        ("http://127.0.0.1:3000/", "", False),
        ("https://slack.com/", "slack.com", False),
        ("https://hooks.slack.com/", "salesforce.com, .slack.com", False),
        ("https://hooks.slack.com/", "salesforce.com *.slack.com", False),
        ("https://notslack.com/", "slack.com", True),
        ("https://slack.com/", "slack.com:443", False),
        ("https://slack.com/", "slack.com:8443", True),
        ("https://slack.com/", "*", False),
        ("https://10.1.2.3/", "10.0.0.0/8", False),
        ("https://10.1.2.3/", "10.1.2.4", True),
        ("https://SLACK.com/", "Slack.COM", False),
    ],
)
def test_a_proxy_is_used_except_for_this_machine_and_no_proxy(url: str, no_proxy: str, is_proxied: bool) -> None:
    """Names cover their subdomains; addresses and networks are compared as such."""
    settings = Settings.from_environ({"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})

    assert settings.network.proxy_for(url) == (PROXY if is_proxied else None)


def test_the_names_in_lower_case_are_read_too() -> None:
    """Most programs use https_proxy and no_proxy."""
    settings = Settings.from_environ({"https_proxy": PROXY, "no_proxy": "a.example"})

    assert settings.network == Network(PROXY, ("a.example",), None)
    with pytest.raises(SettingsError):
        Settings.from_environ({"HTTPS_PROXY": "proxy.example.com"})
