"""The job change: what is accepted, refused and kept, and when two job changes are the same."""

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
    """A copy of `base` with `value` at the dotted `path`."""
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
    """Messages, queries to Salesforce and links are made of these fields."""
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


def test_few_fields_are_required():
    """The signal, the change type, a name, one key of the person, and the company."""
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
def test_a_field_is_normalized(path, given, read_as):
    """Values that differ only in form become equal. What could break a message, a query or a row is removed."""
    assert read(with_(LEAST, path, given), path) == read_as


@pytest.mark.parametrize("path", ["previous", "current.title", "salesforce", "links", "custom", "person.linkedin_url"])
def test_null_is_the_same_as_a_missing_field(path):
    """Some senders send every field, with null for what they do not know."""
    assert JobChange.parse(with_(LEAST, path, None)) == JobChange.parse(LEAST)


def test_a_list_of_emails_may_be_null():
    """This holds if there is another key of the person."""
    raw = with_(with_(LEAST, "person.emails", None), "salesforce.contact_id", "003000000000001")

    assert read(raw, "person.emails") == []


def test_a_company_without_any_value_is_none():
    """Otherwise messages would mention a company without a name."""
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
    """The sender can fix it without asking us. The value itself is not repeated, because faults are logged."""
    assert faults(with_(LEAST, path, given)) == [fault]


@pytest.mark.parametrize("raw", [None, 1, "x", [], [LEAST], True])
def test_a_job_change_must_be_an_object(raw):
    """Senders can post any JSON value."""
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
def test_a_missing_required_field_is_a_fault(raw, fault):
    """A name, a key of the person, and the company that the change is about are required."""
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
    """The person can be found in Salesforce by each of them."""
    assert read(with_(without(LEAST, "person.emails"), path, given), path)


def test_a_departure_needs_no_new_company():
    """The next company may not be known yet."""
    raw = with_(without(LEAST, "current"), "previous.company.name", "Initech") | {"change_type": "departure"}

    assert read(raw, "current.company") is None


def test_first_and_last_name_make_a_name():
    """Some senders have no full name."""
    raw = without(LEAST, "person.full_name") | {}
    raw["person"] |= {"first_name": "Ada", "last_name": "Smith"}

    assert JobChange.parse(raw).person.name == "Ada Smith"


def test_all_faults_are_reported_at_once():
    """Malformed and missing fields are each listed once, so the sender can fix all of them together."""
    assert faults(
        {"signal": "rumour", "change_type": "new_company", "score": "87", "person": {"first_name": "Ada"}}
    ) == [
        ("signal", "must be one of contact_tracking, new_hires_promotions or custom"),
        ("score", "must be a number"),
        ("person.full_name", "is required, or first_name and last_name"),
        ("person", "needs one of emails, linkedin_url, salesforce.contact_id, salesforce.lead_id, external_id"),
        ("current.company", "is required for a new_company"),
    ]


def test_a_malformed_field_is_not_reported_as_missing():
    """Each cause leads to one fault."""
    raw = with_(with_(LEAST, "person.full_name", 7), "person.emails", ["ada"])

    assert faults(raw) == [
        ("person.full_name", "must be text"),
        ("person.emails.0", "is not an email address"),
    ]


def test_an_empty_object_lacks_all_required_fields():
    """It is often the first request of a new sender."""
    assert faults({}) == [("signal", "is required"), ("change_type", "is required"), ("person", "is required")]


def test_the_text_of_the_error_names_the_fault():
    """The file of refused rows contains this text."""
    with pytest.raises(InvalidJobChangeError, match="the job change must be an object"):
        JobChange.parse([])
    assert str(InvalidJobChangeError([Fault("score", "must be a number")])) == "score must be a number"


def test_unknown_fields_are_kept_under_custom_at_any_depth():
    """Nothing that a sender reports is lost."""
    raw = deepcopy(FULL) | {"team": "EMEA"}
    raw["person"]["pronouns"] = "she"
    raw["current"]["company"]["industry"] = {"name": "Energy", "tags": [1, None]}

    assert read(raw, "custom") == {
        "segment": "Enterprise",
        "team": "EMEA",
        "person.pronouns": "she",
        "current.company.industry": {"name": "Energy", "tags": [1, None]},
    }


def test_an_unknown_field_does_not_replace_one_of_custom():
    """If both have a name, the unknown field gets another one."""
    assert read(FULL | {"segment": "EMEA"}, "custom") == {"segment": "Enterprise", "segment_": "EMEA"}


def test_unknown_fields_of_a_company_without_a_name_are_kept():
    """The company itself is not kept."""
    raw = with_(LEAST, "previous.company", {"industry": "Energy"})

    assert read(raw, "custom") == {"previous.company.industry": "Energy"}


@pytest.mark.parametrize(
    "value", ["\ud800", {"\ud800": 1}, float("inf"), [float("nan")], from_json("[" * 40 + "]" * 40)]
)
def test_a_value_that_could_not_be_read_back_is_refused(value):
    """Job changes are stored as JSON, which cannot represent every value."""
    message = "has a broken character, a number that is not finite, or too many levels"
    assert faults(with_(LEAST, "custom.x", value)) == [("custom", message)]


def test_the_number_of_faults_is_limited():
    """A hostile sender cannot cause an answer that is larger than its request."""
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
    """The worker reads what the sender posted, and every process computes the same key."""
    change = JobChange.parse(raw)
    again = JobChange.from_stored(change.to_stored())

    assert again == change
    assert again.key(TODAY) == change.key(TODAY)
    assert "\x00" not in change.to_stored()


@given(_JSON)
def test_any_json_is_read_or_refused(raw):
    """Any other exception would be a 500."""
    for payload in (raw, LEAST | {"person": raw}, LEAST | {"custom": raw}, LEAST | {"occurred_on": raw, "score": raw}):
        assert refused(payload) != []


def refused(raw: object) -> list[Fault] | None:
    """Return the faults, or None if the job change was read and can be stored."""
    try:
        JobChange.from_stored(JobChange.parse(raw).to_stored())
    except InvalidJobChangeError as error:
        return list(error.faults)
    return None


def test_a_payload_that_is_no_job_change_is_refused():
    """It may have been erased, or stored by another version."""
    with pytest.raises(InvalidJobChangeError):
        JobChange.from_stored("")


WITHOUT_EVENT_ID = without(FULL, "source_event_id")


def test_an_event_id_makes_the_key():
    """The other fields may differ when the sender posts the event again."""
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
def test_the_same_job_change_has_the_same_key(path, given):
    """A job change that is sent again, or that a second list contains, is delivered once."""
    assert key(with_(WITHOUT_EVENT_ID, path, given)) == key(WITHOUT_EVENT_ID)


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
def test_another_job_change_has_another_key(path, given):
    """Each of them is delivered."""
    assert key(with_(WITHOUT_EVENT_ID, path, given)) != key(WITHOUT_EVENT_ID)


_BY_PAGE = without(WITHOUT_EVENT_ID, "salesforce")
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
def test_another_spelling_of_a_person_or_company_has_the_same_key(base, path, given):
    """Case, subdomains and tracking parameters make no difference."""
    assert key(with_(base, path, given)) == key(base)


def test_a_job_change_without_a_date_belongs_to_the_month_in_which_it_arrived():
    """A list that is sent every month may contain the same person again after another move."""
    undated = without(without(WITHOUT_EVENT_ID, "occurred_on"), "detected_at")

    assert key(undated, date(2026, 11, 1)) == key(undated, date(2026, 11, 30))
    assert key(undated, date(2026, 12, 1)) != key(undated, date(2026, 11, 30))
    assert key(WITHOUT_EVENT_ID, date(2026, 12, 1)) == key(WITHOUT_EVENT_ID, date(2026, 11, 30))


def test_the_month_of_a_time_is_that_in_utc():
    """The same time has one month, in whatever time zone it is written."""
    undated = without(WITHOUT_EVENT_ID, "occurred_on")

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
    """Salesforce answers with the long form to queries for either form."""
    assert long_salesforce_id(short) == long
