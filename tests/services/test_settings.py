"""Reading settings from the environment, and reporting invalid ones."""

from __future__ import annotations

import pytest

from services.settings import Settings, SettingsError, is_loopback


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
        ("LOG_FORMAT", "xml", "must be one of text, json"),
    ],
)
def test_invalid_settings_are_reported_by_name(name: str, value: str, text: str) -> None:
    """The error says what is expected, before anything starts."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({name: value})

    assert [fault for fault in refused.value.faults if fault.startswith(f"{name} ") and text in fault]
