"""What senders may say, how it is refused, what is kept, and when two job changes are the same."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from domain.job_change.field_types import long_salesforce_id
from domain.job_change.model import JobChange
from domain.job_change.parts import Company
from domain.job_change.validation import Fault, InvalidJobChangeError

TODAY = date(2026, 11, 21)

FULL: dict[str, Any] = {
    "source": "usergems",
    "source_event_id": "evt_123",
    "signal": "contact_tracking",
    "change_type": "new_company",
    "occurred_on": "2026-11-01",
    "detected_at": "2026-11-20T09:30:00Z",
    "person": {
        "full_name": "Ada Smith",
        "linkedin_url": "https://www.linkedin.com/in/ada",
        "emails": ["ada@globex.example"],
    },
    "previous": {
        "title": "VP Sales",
        "company": {"name": "Initech", "domain": "initech.example", "salesforce_id": "001000000000001"},
    },
    "current": {
        "title": "CRO",
        "company": {"name": "Globex", "domain": "globex.example", "salesforce_id": "001000000000002"},
    },
    "relationship": "Champion",
    "persona": "Economic buyer",
    "score": 87,
    "salesforce": {"contact_id": "003000000000001", "lead_id": None, "opportunity_id": None},
    "dri_email": None,
    "links": {"source_url": "https://app.usergems.example/1"},
    "custom": {"segment": "Enterprise"},
}
LEAST: dict[str, Any] = {
    "signal": "custom",
    "change_type": "new_hire",
    "person": {"full_name": "Ada Smith", "emails": ["ada@globex.example"]},
    "current": {"company": {"name": "Globex"}},
}


def with_(base: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of *base* that says *value* at the dotted *path*."""
    changed = part = deepcopy(base)
    *above, last = path.split(".")
    for step in above:
        part = part.setdefault(step, {})
    part[last] = value
    return changed


def without(base: dict[str, Any], path: str) -> dict[str, Any]:
    changed = part = deepcopy(base)
    *above, last = path.split(".")
    for step in above:
        part = part[step]
    del part[last]
    return changed


def read(raw: object, path: str) -> object:
    value: object = JobChange.parse(raw)
    for step in path.split("."):
        value = getattr(value, step)
    return value


def faults(raw: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidJobChangeError) as caught:
        JobChange.parse(raw)
    return [(fault.path, fault.message) for fault in caught.value.faults]


def key(raw: dict[str, Any], today: date = TODAY) -> str:
    return JobChange.parse(raw).key(today)


def test_every_field_of_the_contract_is_read():
    """What is told, asked of Salesforce and linked comes from these fields."""
    change = JobChange.parse(FULL)

    assert change.person.name == "Ada Smith"
    assert change.person.emails == ["ada@globex.example"]
    assert change.occurred_on == date(2026, 11, 1)
    assert change.detected_at == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert change.previous.company == Company(
        name="Initech", domain="initech.example", salesforce_id="001000000000001AAA"
    )
    assert change.current.title == "CRO"
    assert change.salesforce.contact_id == "003000000000001AAA"
    assert change.score == 87
    assert change.links.source_url == "https://app.usergems.example/1"
    assert change.custom == {"segment": "Enterprise"}


def test_the_least_there_can_be():
    """A signal, a change, a name, one key of the person, and the company."""
    change = JobChange.parse(LEAST)

    assert change.source == "api"
    assert change.previous.company is None
    assert change.custom == {}


@pytest.mark.parametrize(
    ("path", "given", "read_as"),
    [
        ("person.full_name", "  Ada \t\n Smith ", "Ada Smith"),
        ("person.full_name", "Ada\x00Smith", "Ada Smith"),
        ("person.full_name", "Ada\u2028Smith", "Ada Smith"),
        ("person.full_name", "\u202eAda\u202c \u2066Smith\u2069\ufeff", "Ada Smith"),
        ("person.full_name", "Ada\u00a0\u3000Smith", "Ada Smith"),
        ("person.full_name", "👩\u200d🚀 Ada", "👩\u200d🚀 Ada"),
        ("person.full_name", "مريم بنت أحمد", "مريم بنت أحمد"),
        ("person.full_name", "x" * 500, "x" * 500),
        ("current.title", " ", None),
        ("current.title", "\u200b", None),
        ("source", " ", "api"),
        ("source", None, "api"),
        ("person.emails", [" Ada@Globex.Example "], ["ada@globex.example"]),
        ("person.emails", ["ada@globex.example", "ada@initech.example"], ["ada@globex.example", "ada@initech.example"]),
        ("dri_email", "", None),
        ("dri_email", "Dana@Acme.Example", "dana@acme.example"),
        ("current.company.domain", "https://www.Globex.example/about?x=1", "globex.example"),
        ("current.company.domain", "bücher.example", "bücher.example"),
        ("person.linkedin_url", "linkedin.com/in/ada", "https://linkedin.com/in/ada"),
        ("person.linkedin_url", "http://linkedin.com/in/ada?a=b#c", "http://linkedin.com/in/ada?a=b#c"),
        ("links.source_url", "localhost:8080/x", "https://localhost:8080/x"),
        ("salesforce.lead_id", "00Q5e00000abCDe", "00Q5e00000abCDeEAM"),
        ("salesforce.lead_id", "00Q5e00000abCDeEAM", "00Q5e00000abCDeEAM"),
        ("occurred_on", "2026-11-01T23:59:59Z", date(2026, 11, 1)),
        ("occurred_on", "", None),
        ("detected_at", " ", None),
        ("score", 0.5, 0.5),
    ],
)
def test_a_field_is_tidied(path, given, read_as):
    """What only looks different is the same, and nothing that could break a message, a query or a row gets in."""
    assert read(with_(LEAST, path, given), path) == read_as


@pytest.mark.parametrize("path", ["previous", "current.title", "salesforce", "links", "custom", "person.linkedin_url"])
def test_null_says_the_same_as_leaving_it_out(path):
    """Senders write out what they do not know."""
    assert JobChange.parse(with_(LEAST, path, None)) == JobChange.parse(LEAST)


def test_a_list_of_emails_may_be_null():
    """Where there is another key of the person."""
    raw = with_(with_(LEAST, "person.emails", None), "salesforce.contact_id", "003000000000001")

    assert read(raw, "person.emails") == []


def test_a_company_of_which_nothing_is_known_is_none():
    """So that nobody reads of a company without a name."""
    assert read(with_(LEAST, "previous.company", {"name": " ", "domain": ""}), "previous.company") is None


_TIME = "must be a time with its zone, such as 2026-11-20T09:30:00Z"
_DATE = "must be a date such as 2026-11-01"
_CHANGES = "must be one of new_company, new_hire, promotion, lateral, departure or additional_role"


@pytest.mark.parametrize(
    ("path", "given", "fault"),
    [
        ("signal", "rumour", ("signal", "must be one of contact_tracking, new_hires_promotions or custom")),
        ("signal", None, ("signal", "is required")),
        ("signal", 1, ("signal", "must be one of contact_tracking, new_hires_promotions or custom")),
        ("change_type", {}, ("change_type", _CHANGES)),
        ("person", None, ("person", "is required")),
        ("person", "Ada", ("person", "must be an object")),
        ("person.full_name", 7, ("person.full_name", "must be text")),
        ("person.full_name", "x" * 501, ("person.full_name", "must be at most 500 characters long")),
        ("person.full_name", "x" * 1_000_000, ("person.full_name", "must be at most 500 characters long")),
        ("person.full_name", "Ada \ud800", ("person.full_name", "has a broken character")),
        ("person.emails", "ada@globex.example", ("person.emails", "must be a list")),
        ("person.emails", ["ada"], ("person.emails.0", "is not an email address")),
        ("person.emails", ["ada@globex.example", ""], ("person.emails.1", "is not an email address")),
        ("person.emails", [f"{n}@a.example" for n in range(21)], ("person.emails", "must have at most 20 items")),
        ("dri_email", "İ" * 300 + "@a.example", ("dri_email", "is not an email address")),
        ("person.linkedin_url", "n/a", ("person.linkedin_url", "is not an http(s) address")),
        ("links.source_url", "javascript:alert(1)", ("links.source_url", "is not an http(s) address")),
        ("links.source_url", "https://a.example/<!channel>", ("links.source_url", "is not an http(s) address")),
        ("links.source_url", "https://user:pass@a.example/", ("links.source_url", "is not an http(s) address")),
        ("current.company", "Globex", ("current.company", "must be an object")),
        ("current.company.domain", "Globex", ("current.company.domain", "is not a domain such as globex.com")),
        (
            "salesforce.contact_id",
            "003' OR Id != '",
            ("salesforce.contact_id", "is not a Salesforce id of 15 or 18 characters"),
        ),
        ("occurred_on", "20261101", ("occurred_on", _DATE)),
        ("occurred_on", 1_795_000_000, ("occurred_on", _DATE)),
        ("occurred_on", "2026-02-30", ("occurred_on", _DATE)),
        ("occurred_on", "0001-01-01", ("occurred_on", "must be between the years 1900 and 2199")),
        ("occurred_on", "2026-11-0\u0661", ("occurred_on", _DATE)),
        ("detected_at", "2026-11-20T09:30:00", ("detected_at", _TIME)),
        ("detected_at", "2026-11-20", ("detected_at", _TIME)),
        ("detected_at", "2026-11-20T99:30:00Z", ("detected_at", _TIME)),
        ("detected_at", 1_795_000_000, ("detected_at", _TIME)),
        ("detected_at", "9999-12-31T23:59:59-23:00", ("detected_at", "must be between the years 1900 and 2199")),
        ("score", "87", ("score", "must be a number")),
        ("score", True, ("score", "must be a number")),
        ("score", float("inf"), ("score", "must be a number")),
        ("score", 10**400, ("score", "must be a number")),
        ("custom", ["segment"], ("custom", "must be an object")),
        ("custom.when", TODAY, ("custom", "must be a JSON object")),
    ],
)
def test_a_fault_names_its_field_and_says_what_it_should_be(path, given, fault):
    """The sender mends it without asking us, and no value of theirs is repeated, for faults are logged."""
    assert faults(with_(LEAST, path, given)) == [fault]


@pytest.mark.parametrize("raw", [None, 1, "x", [], [LEAST], True])
def test_what_is_no_object_is_refused(raw):
    """Anything can be sent."""
    assert faults(raw) == [("", "must be an object")]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (without(LEAST, "person.full_name"), ("person.full_name", "is required, or first_name and last_name")),
        (
            with_(without(LEAST, "person.full_name"), "person.first_name", "Ada"),
            ("person.full_name", "is required, or first_name and last_name"),
        ),
        (
            without(LEAST, "person.emails"),
            ("person", "needs one of emails, linkedin_url, salesforce.contact_id, salesforce.lead_id, external_id"),
        ),
        (without(LEAST, "current.company"), ("current.company", "is required for a new_hire")),
        (
            with_(LEAST, "change_type", "departure"),
            ("previous.company", "is required for a departure"),
        ),
    ],
)
def test_what_is_required_is_asked_for(raw, fault):
    """A name, a key of the person, and the company that this is about."""
    assert faults(raw) == [fault]


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("person.emails", ["ada@globex.example"]),
        ("person.linkedin_url", "https://www.linkedin.com/in/ada"),
        ("salesforce.contact_id", "003000000000001"),
        ("salesforce.lead_id", "00Q000000000001"),
    ],
)
def test_one_key_of_the_person_is_enough(path, given):
    """Each of them finds the person in Salesforce."""
    assert read(with_(without(LEAST, "person.emails"), path, given), path)


def test_a_departure_needs_no_new_company():
    """Nobody may know yet where they went."""
    raw = with_(without(LEAST, "current"), "previous.company.name", "Initech") | {"change_type": "departure"}

    assert read(raw, "current.company") is None


def test_first_and_last_name_make_a_name():
    """Senders have one or the other."""
    raw = without(LEAST, "person.full_name") | {}
    raw["person"] |= {"first_name": "Ada", "last_name": "Smith"}

    assert JobChange.parse(raw).person.name == "Ada Smith"


def test_every_fault_is_told_at_once():
    """What is malformed and what is missing besides, each once, so that it is mended in one go."""
    assert faults(
        {"signal": "rumour", "change_type": "new_company", "score": "87", "person": {"first_name": "Ada"}}
    ) == [
        ("signal", "must be one of contact_tracking, new_hires_promotions or custom"),
        ("score", "must be a number"),
        ("person.full_name", "is required, or first_name and last_name"),
        ("person", "needs one of emails, linkedin_url, salesforce.contact_id, salesforce.lead_id, external_id"),
        ("current.company", "is required for a new_company"),
    ]


def test_nothing_is_called_missing_that_is_there_but_malformed():
    """One cause, one fault."""
    raw = with_(with_(LEAST, "person.full_name", 7), "person.emails", ["ada"])

    assert faults(raw) == [
        ("person.full_name", "must be text"),
        ("person.emails.0", "is not an email address"),
    ]


def test_an_empty_object_is_told_all_it_lacks():
    """The first thing everybody tries."""
    assert faults({}) == [("signal", "is required"), ("change_type", "is required"), ("person", "is required")]


def test_the_text_of_a_refusal_says_it_all():
    """It stands in a refused row of an import."""
    with pytest.raises(InvalidJobChangeError, match="the job change must be an object"):
        JobChange.parse([])
    assert str(InvalidJobChangeError([Fault("score", "must be a number")])) == "score must be a number"


def test_unknown_fields_are_kept_under_custom_at_any_depth():
    """Nothing a sender says is lost."""
    raw = deepcopy(FULL) | {"team": "EMEA"}
    raw["person"]["pronouns"] = "she"
    raw["current"]["company"]["industry"] = {"name": "Energy", "tags": [1, None]}

    assert read(raw, "custom") == {
        "segment": "Enterprise",
        "team": "EMEA",
        "person.pronouns": "she",
        "current.company.industry": {"name": "Energy", "tags": [1, None]},
    }


def test_an_unknown_field_does_not_hide_one_of_custom():
    """Both said something."""
    assert read(FULL | {"segment": "EMEA"}, "custom") == {"segment": "Enterprise", "segment_": "EMEA"}


def test_what_is_unknown_of_a_company_without_a_name_is_kept_too():
    """Although the company itself is not."""
    raw = with_(LEAST, "previous.company", {"industry": "Energy"})

    assert read(raw, "custom") == {"previous.company.industry": "Energy"}


@pytest.mark.parametrize(
    "value", ["\ud800", {"\ud800": 1}, float("inf"), [float("nan")], from_json("[" * 40 + "]" * 40)]
)
def test_what_could_not_be_read_back_is_refused(value):
    """It is stored as JSON, and JSON has limits."""
    message = "has a broken character, a number that is not finite, or too many levels"
    assert faults(with_(LEAST, "custom.x", value)) == [("custom", message)]


def test_a_bound_on_the_faults_of_one_job_change():
    """A hostile sender is not answered with more than it sent."""
    raw = LEAST | {"person": {"full_name": "Ada", "emails": [1] * 10_000}}

    assert len(faults(raw)) <= 50


_WORDS = st.text(max_size=30)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)
_OPTIONAL = st.none() | _WORDS
_COMPANIES = st.fixed_dictionaries(
    {"name": _WORDS.map(lambda text: f"G{text}")}, optional={"domain": st.none(), "x": _JSON}
)
_JOB_CHANGES = st.fixed_dictionaries(
    {
        "signal": st.sampled_from(["contact_tracking", "new_hires_promotions", "custom"]),
        "change_type": st.sampled_from(["new_company", "new_hire", "promotion", "lateral", "additional_role"]),
        "person": st.fixed_dictionaries(
            {"full_name": _WORDS.map(lambda text: f"A{text}"), "emails": st.lists(st.emails(), min_size=1, max_size=3)},
            optional={"first_name": _OPTIONAL, "nickname": _JSON},
        ),
        "current": st.fixed_dictionaries({"company": _COMPANIES}, optional={"title": _OPTIONAL}),
    },
    optional={
        "source": _OPTIONAL,
        "source_event_id": _OPTIONAL,
        "score": st.none() | st.integers(-(10**6), 10**6),
        "occurred_on": st.none() | st.dates(date(1900, 1, 1), date(2199, 12, 31)).map(str),
        "detected_at": st.none() | st.sampled_from(["2026-11-20T09:30:00Z", "2026-11-30T23:30:00-05:00"]),
        "custom": st.none() | st.dictionaries(_WORDS, _JSON, max_size=3),
        "links": st.none()
        | st.fixed_dictionaries({"source_url": st.sampled_from(["a.example/1", "http://b.example"])}),
        "extra": _JSON,
    },
)


@given(_JOB_CHANGES)
def test_what_is_stored_reads_back_the_same(raw):
    """The worker tells what the sender said, and its key does not depend on who computes it."""
    change = JobChange.parse(raw)
    again = JobChange.from_stored(change.to_stored())

    assert again == change
    assert again.key(TODAY) == change.key(TODAY)
    assert "\x00" not in change.to_stored()


@given(_JSON)
def test_anything_is_read_or_refused(raw):
    """There is no third way: a bug would be a 500."""
    for payload in (raw, LEAST | {"person": raw}, LEAST | {"custom": raw}, LEAST | {"occurred_on": raw, "score": raw}):
        assert refused(payload) != []


def refused(raw: object) -> list[Fault] | None:
    """None: it was read, and can be stored."""
    try:
        JobChange.from_stored(JobChange.parse(raw).to_stored())
    except InvalidJobChangeError as error:
        return list(error.faults)
    return None


def test_what_is_no_stored_job_change_is_refused():
    """A payload that was erased, or that another version stored."""
    with pytest.raises(InvalidJobChangeError):
        JobChange.from_stored("")


FACTS = without(FULL, "source_event_id")


def test_an_event_id_makes_the_key():
    """Whatever else is said in the second try."""
    assert key(FULL) == key(with_(FULL, "current.title", "CEO"))
    assert key(FULL) != key(with_(FULL, "source_event_id", "evt_124"))
    assert key(FULL) != key(with_(FULL, "source", "other"))


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("salesforce.contact_id", "003000000000001AAA"),
        ("current.company.salesforce_id", "001000000000002AAA"),
        ("current.title", "cro"),
        ("occurred_on", "2026-11-30"),
        ("score", 12),
        ("relationship", None),
        ("person.full_name", "Ada B. Smith"),
        ("person.emails", ["ada.smith@globex.example"]),
        ("detected_at", "2026-12-20T09:30:00Z"),
        ("custom", {"segment": "SMB"}),
    ],
)
def test_the_same_facts_have_the_same_key(path, given):
    """Sent again, or by a second list, it is told once."""
    assert key(with_(FACTS, path, given)) == key(FACTS)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("salesforce.contact_id", "003000000000002"),
        ("change_type", "promotion"),
        ("current.company.salesforce_id", "001000000000003"),
        ("current.title", "CEO"),
        ("occurred_on", "2026-12-01"),
        ("source", "other"),
    ],
)
def test_other_facts_have_another_key(path, given):
    """Each of them is told."""
    assert key(with_(FACTS, path, given)) != key(FACTS)


_BY_PAGE = without(FACTS, "salesforce")
_BY_EMAIL = without(_BY_PAGE, "person.linkedin_url")


@pytest.mark.parametrize(
    ("base", "path", "given"),
    [
        (_BY_PAGE, "person.linkedin_url", "http://uk.linkedin.com/in/Ada/?trk=x"),
        (_BY_PAGE, "person.linkedin_url", "linkedin.com/in/ada"),
        (_BY_EMAIL, "person.emails", ["zoe@globex.example", "ADA@globex.example"]),
        (without(_BY_EMAIL, "current.company.salesforce_id"), "current.company.name", "Globex Inc."),
        (without(_BY_EMAIL, "current.company.salesforce_id"), "current.company.domain", "www.GLOBEX.example"),
    ],
)
def test_a_person_or_company_written_otherwise_is_the_same(base, path, given):
    """Case, subdomains and tracking say nothing."""
    assert key(with_(base, path, given)) == key(base)


def test_a_job_change_without_a_date_is_one_of_the_month_it_came_in():
    """A list that is sent every month repeats itself, and may be right to."""
    undated = without(without(FACTS, "occurred_on"), "detected_at")

    assert key(undated, date(2026, 11, 1)) == key(undated, date(2026, 11, 30))
    assert key(undated, date(2026, 12, 1)) != key(undated, date(2026, 11, 30))
    assert key(FACTS, date(2026, 12, 1)) == key(FACTS, date(2026, 11, 30))


def test_the_month_of_a_moment_is_that_of_utc():
    """The same moment has one month, whatever zone it is written in."""
    undated = without(FACTS, "occurred_on")

    assert key(with_(undated, "detected_at", "2026-11-30T23:30:00-05:00")) == key(
        with_(undated, "detected_at", "2026-12-01T04:30:00Z")
    )


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("001000000000001", "001000000000001AAA"),
        ("0015e00000abCDe", "0015e00000abCDeAAM"),
        ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555"),
        ("0015e00000abCDeEAM", "0015e00000abCDeEAM"),
    ],
)
def test_the_long_form_of_a_salesforce_id(short, long):
    """Salesforce answers with it, whichever was asked for."""
    assert long_salesforce_id(short) == long
