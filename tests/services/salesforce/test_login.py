"""The login URL for each choice of an admin."""

import pytest

from domain.errors import PermanentError
from services.salesforce.login import authorize_url, challenge_of, login_url_of

CLOUD = "https://login.salesforce.com"


@pytest.mark.parametrize(
    ("choice", "domain", "operators", "expected"),
    [
        ("production", "", CLOUD, CLOUD),
        ("production", "", "https://test.salesforce.com", CLOUD),
        ("production", "", "https://acme.my.salesforce.com", "https://acme.my.salesforce.com"),
        ("sandbox", "", CLOUD, "https://test.salesforce.com"),
        ("sandbox", "", "http://localhost:4507", "http://localhost:4507"),
        ("domain", "acme", CLOUD, "https://acme.my.salesforce.com"),
        ("domain", " HTTPS://Acme.my.salesforce.com/home?x ", CLOUD, "https://acme.my.salesforce.com"),
        ("domain", "acme--uat.sandbox.my.salesforce.com", CLOUD, "https://acme--uat.sandbox.my.salesforce.com"),
        ("domain", "acme--uat.sandbox.lightning.force.com", CLOUD, "https://acme--uat.sandbox.my.salesforce.com"),
        ("domain", "acme.my.salesforce-setup.com", CLOUD, "https://acme.my.salesforce.com"),
        ("domain", "acme.my.salesforce.mil", CLOUD, "https://acme.my.salesforce.mil"),
        ("domain", "acme.my.sfcrmproducts.cn", CLOUD, "https://acme.my.sfcrmproducts.cn"),
        ("domain", "acme.lightning.sfcrmapps.cn", CLOUD, "https://acme.my.sfcrmproducts.cn"),
        ("domain", "http://127.0.0.1:4507", "http://localhost:4507", "http://127.0.0.1:4507"),
    ],
)
def test_each_choice_leads_to_its_login_url(choice: str, domain: str, operators: str, expected: str) -> None:
    """Addresses copied from the browser are accepted too."""
    assert login_url_of(choice, domain, operators) == expected


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "https://",
        "evil.example",
        "acme.my.salesforce.com.evil.example",
        "evil.example/.my.salesforce.com",
        "user@acme.my.salesforce.com",
        "acme.my.salesforce.com:8443",
        "acme.my.salesforce.com:x",
        "a b.my.salesforce.com",
        ".my.salesforce.com",
        "127.0.0.1",
        "http://localhost:4507",
        "[::1",
    ],
)
def test_the_client_secret_is_sent_to_salesforce_only(domain: str) -> None:
    """Other hosts are refused with advice; this machine too, unless the operator's login URL is on it."""
    with pytest.raises(PermanentError, match="My Domain"):
        login_url_of("domain", domain, CLOUD)


def test_a_host_that_looks_like_this_machine_is_refused() -> None:
    """If the operator's login URL is on this machine, the secret does not leave it."""
    with pytest.raises(PermanentError, match="My Domain"):
        login_url_of("domain", "http://127.0.0.1.evil.example", "http://localhost:4507")


def test_a_missing_choice_is_an_error() -> None:
    """The form can be submitted without one."""
    with pytest.raises(PermanentError, match="Choose"):
        login_url_of("", "", CLOUD)


def test_the_challenge_follows_the_standard() -> None:
    """This is the example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_consent_page_always_asks_for_a_login() -> None:
    """An admin whose browser has a session would connect as themselves otherwise."""
    url = authorize_url(CLOUD, client_id="app", redirect_uri="https://x", state="s", code_challenge="c")
    assert "&prompt=login" in url
