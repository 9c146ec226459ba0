"""Whether a text mentions a person."""

from __future__ import annotations

import json

import pytest

from domain.errors import PermanentError
from services.operations.erasure_matching import PersonMatcher, without_recipient

ADA = PersonMatcher.of_email(" Ada@Globex.com ")
PROFILE = PersonMatcher.of_page("https://uk.linkedin.com/in/Zo%C3%AB-Smith/?trk=1")


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("ada@globex.com", True),
        ("ADA@GLOBEX.COM", True),
        ("write to <mailto:ada@globex.com|Ada>.", True),
        ("ada@globex.com, bob@globex.com", True),
        ("Ada Smith <ada@globex.com>", True),
        ("nada@globex.com", False),
        ("ada@globex.com.au", False),
        ("ada", False),
        ("", False),
    ],
)
def test_an_address_is_matched_as_a_whole(text, is_match):
    """Upper and lower case are the same. A part of another address does not match."""
    assert ADA.matches(text) is is_match
    assert ADA.matches({"custom": [{"note": text}]}) is is_match
    assert not is_match or ADA.may_match(json.dumps({"note": text}))


@pytest.mark.parametrize(
    ("text", "is_match"),
    [
        ("https://www.linkedin.com/in/zoë-smith", True),
        ("http://linkedin.com/in/Zoë-Smith/", True),
        ("see linkedin.com/in/zo%c3%ab-smith?x=1.", True),
        ("https://www.linkedin.com/in/zoë-smithson", False),
        ("https://www.linkedin.com/in/zoë", False),
        ("zoë-smith", False),
    ],
)
def test_a_profile_is_matched_in_every_form_of_its_address(text, is_match):
    """Forms of the same page are the same person."""
    assert PROFILE.matches([text]) is is_match
    assert not is_match or PROFILE.may_match(json.dumps([text]))
    assert not is_match or PROFILE.may_match(json.dumps([text], ensure_ascii=False))


def test_names_of_fields_are_searched():
    """A sender may use an address as a field name."""
    assert ADA.matches({"custom": {"ada@globex.com": "knows her"}})


def test_the_recipient_is_not_the_subject():
    """A job change is about the person who changed jobs."""
    payload = {"person": {"emails": ["bob@initech.example"]}, "dri_email": "ada@globex.com"}

    assert not ADA.matches_subject(payload)
    assert ADA.matches(payload)
    assert without_recipient(ADA, payload) == {"person": {"emails": ["bob@initech.example"]}}
    assert ADA.matches_subject(payload | {"custom": {"referred by": "ada@globex.com"}})


def test_a_decision_is_redacted():
    """Other candidates and the decision itself stay."""
    dana = {"source": "account owner", "name": "Dana Reyes", "email": "dana@acme.example", "result": "told"}
    decision = {"considered": [{"name": "Ada", "email": "ADA@globex.com", "result": "is inactive"}, dana], "version": 3}

    assert ADA.redact(decision) == {
        "considered": [{"name": "erased", "email": "erased", "result": "is inactive"}, dana],
        "version": 3,
    }


@pytest.mark.parametrize("given", ["", "ada", "@", "ada@", "a b@c.d"])
def test_an_invalid_address_is_refused(given):
    """A mistake must not match everybody."""
    with pytest.raises(PermanentError, match="is not an email address"):
        PersonMatcher.of_email(given)


@pytest.mark.parametrize("given", ["", "ada", "https://www.linkedin.com", "linkedin.com/", "https://"])
def test_an_invalid_profile_is_refused(given):
    """A whole site is not a person."""
    with pytest.raises(PermanentError, match="is not a profile URL"):
        PersonMatcher.of_page(given)
