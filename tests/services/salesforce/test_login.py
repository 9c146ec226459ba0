"""Where an admin is sent to log in."""

import pytest

from domain.errors import PermanentError
from services.salesforce.login import challenge_of, login_url_of

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
        ("domain", "http://127.0.0.1:4507", "http://localhost:4507", "http://127.0.0.1:4507"),
    ],
)
def test_each_choice_has_its_host(choice: str, domain: str, operators: str, expected: str) -> None:
    """What people copy from the address bar is as good as the domain itself."""
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
def test_the_secret_goes_to_salesforce_only(domain: str) -> None:
    """Any other host is refused with what to enter; this machine too, unless the operator's login is here."""
    with pytest.raises(PermanentError, match="My Domain"):
        login_url_of("domain", domain, CLOUD)


def test_whose_name_only_looks_like_this_machines_is_not_on_it() -> None:
    """Where the operator's login is on this machine, the secret stays on it."""
    with pytest.raises(PermanentError, match="My Domain"):
        login_url_of("domain", "http://127.0.0.1.evil.example", "http://localhost:4507")


def test_nothing_chosen_is_said() -> None:
    """A form can be sent without a choice."""
    with pytest.raises(PermanentError, match="Choose"):
        login_url_of("", "", CLOUD)


def test_the_challenge_is_that_of_the_standard() -> None:
    """The example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
