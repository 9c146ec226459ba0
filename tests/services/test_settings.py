"""What the environment may say, and what it is told when it says something else."""

from __future__ import annotations

import pytest

from services.settings import Settings, SettingsError, is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    """Plain http is spoken to these."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", [None, "", "127.example.com", "127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0"]
)
def test_whose_name_only_looks_like_this_machines_is_somebody_else(host: str | None) -> None:
    """Anybody can register such a name: neither secrets nor sessions go there in the clear."""
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SALESFORCE_LOGIN_URL", "http://127.0.0.1.example.com", "must start with https://"),
        ("PORT", "65536", "must be a whole number from 0 to 65535"),
        ("PORT", "0000000003000000", "must be a whole number from 0 to 65535"),
        ("PORT", "²", "must be a whole number"),
        ("RETENTION_DAYS", "0", "must be a whole number from 1 to"),
        ("DATABASE_URL", "postgresql://u:p@host:port/db", "is not an address"),
        ("LOG_FORMAT", "xml", "must be one of text, json"),
    ],
)
def test_what_cannot_be_is_told_by_name(name: str, value: str, told: str) -> None:
    """With what to do about it, before anything starts."""
    with pytest.raises(SettingsError) as refused:
        Settings.from_environ({name: value})

    assert [fault for fault in refused.value.faults if fault.startswith(f"{name} ") and told in fault]
