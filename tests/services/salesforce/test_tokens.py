"""Parsing the answers of the token endpoint, and checking instance URLs."""

import json

import pytest

from domain.errors import PermanentError, TransientError
from services.salesforce.tokens import checked_instance_url, read_tokens

LOGIN = "https://acme.my.salesforce.com"
GOOD = {
    "access_token": "secret-token",
    "refresh_token": "secret-refresh",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
}


def test_tokens_are_parsed() -> None:
    """They come with the instance and the ids of org and user, and repr never shows a token."""
    tokens = read_tokens(200, json.dumps(GOOD).encode(), LOGIN)
    assert (tokens.access_token, tokens.refresh_token) == ("secret-token", "secret-refresh")
    assert (tokens.org_id, tokens.user_id) == ("00D000000000001EAA", "005000000000001AAA")
    assert "secret" not in repr(tokens)
    bare = read_tokens(200, json.dumps({**GOOD, "refresh_token": None, "id": 5}).encode(), LOGIN)
    assert (bare.refresh_token, bare.org_id, bare.user_id) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, {"error": "invalid_grant", "error_description": "expired"}, PermanentError, "Connect Salesforce again"),
        (400, {"error": "invalid_client"}, PermanentError, "SALESFORCE_CLIENT_SECRET"),
        (401, {"error": "invalid_client_id"}, PermanentError, "SALESFORCE_CLIENT_ID"),
        (400, {"error": "new_trouble"}, PermanentError, "SALESFORCE_LOGIN_URL"),
        (400, {"error": "unknown_error", "error_description": "retry your request"}, TransientError, "retry"),
        (400, {"error": "invalid_grant", "error_description": "login rate exceeded"}, TransientError, "rate"),
        (200, {"instance_url": LOGIN}, PermanentError, "refused a session"),
        (200, b"<html>", TransientError, "does not seem to be Salesforce"),
        (200, b"\xff", TransientError, "does not seem to be Salesforce"),
        (404, b"not here", PermanentError, "SALESFORCE_LOGIN_URL"),
        (302, b"", PermanentError, "SALESFORCE_LOGIN_URL"),
        (503, b"", TransientError, "503"),
        (429, {"error": "slow"}, TransientError, "429"),
        (200, {**GOOD, "instance_url": "https://evil.example"}, PermanentError, "outside its own domains"),
        (200, {**GOOD, "instance_url": None}, PermanentError, "outside its own domains"),
    ],
)
def test_errors_are_transient_or_say_what_an_admin_has_to_fix(
    status: int, body: object, kind: type[Exception], text: str
) -> None:
    """Transient errors may be retried."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(kind, match=text):
        read_tokens(status, raw, LOGIN)


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.my.salesforce.com",
        "https://ACME--uat.sandbox.my.salesforce.com/",
        "https://acme.my.salesforce.com:443",
        "https://eu1.force.com",
        "https://acme.my.salesforce.mil",
        "https://acme.my.sfcrmproducts.cn",
        "https://acme.lightning.sfcrmapps.cn",
    ],
)
def test_hosts_of_salesforce_are_trusted(url: str) -> None:
    """Any host under a domain of Salesforce is accepted with https."""
    assert checked_instance_url(url, "https://login.salesforce.com").startswith("https://")


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.my.salesforce.com",
        "https://salesforce.com.evil.example",
        "https://evilsalesforce.com",
        "https://salesforce.com@evil.example",
        "https://user:pw@acme.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com:x",
        "https://127.0.0.1",
        "https://169.254.169.254",
        "ftp://acme.my.salesforce.com",
        "",
        None,
        7,
    ],
)
def test_sessions_are_not_sent_to_other_hosts(url: object) -> None:
    """Plain HTTP, hosts that look similar, other ports and this machine are refused."""
    with pytest.raises(PermanentError):
        checked_instance_url(url, "https://login.salesforce.com")


def test_an_org_on_this_machine_needs_a_login_url_on_this_machine() -> None:
    """Loopback, plain HTTP and a port are accepted if the operator's login URL is loopback."""
    assert checked_instance_url("http://127.0.0.1:4507/", "http://localhost:4507") == "http://127.0.0.1:4507"
    with pytest.raises(PermanentError):
        checked_instance_url("http://10.0.0.1", "http://localhost:4507")
