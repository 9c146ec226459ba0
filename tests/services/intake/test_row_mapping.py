"""Rows of senders become job changes or are refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.job_change.model import JobChange
from domain.job_change.validation import Fault, InvalidJobChangeError
from services.intake.mapping.row_mapping import RowMapping
from services.intake.senders import flat, registry

TAMRADAR: dict[str, Any] = {
    "event_id": "evt-1",
    "event_type": "radar_finding",
    "record_id": "rec-1",
    "discovered_at": "2026-11-02T19:03:43Z",
    "data": {"radar_type": "contact_job_changes", "domain": "initech.example", "custom_fields": {"tier": "A"}},
    "content": {
        "change_type": "new_company_role",
        "profile_url": "https://www.linkedin.com/in/ada-smith-75571",
        "new_role": {
            "title": "CRO",
            "company_name": "Globex",
            "company_domain": "globex.example",
            "start_date": "2026-11-01",
            "end_date": None,
        },
        "previous_role": {"title": "VP Sales", "company_name": "Initech", "company_domain": "initech.example"},
    },
}
PROMOTION: dict[str, Any] = {
    "event_type": "radar_finding",
    "record_id": "rec-2",
    "data": {"radar_type": "promotions", "domain": "initech.example"},
    "content": {
        "full_name": "Ada Smith",
        "linkedin_url": "https://www.linkedin.com/in/ada",
        "previous_title": "Director",
        "current_title": "VP Sales",
        "promotion_date": "2026-11-01",
    },
}
COMMON_ROOM: dict[str, Any] = {
    "source": "common_room",
    "payload": {
        "member": {
            "fullName": "Ada Smith",
            "title": "CRO",
            "previousTitle": "VP Sales",
            "organization": {"name": "Globex", "domain": "globex.example"},
            "previousOrganization": {"name": "Initech", "domain": "initech.example"},
            "organizationChangeDate": "2026-11-01T00:00:00.000Z",
            "linkedInUrl": "https://www.linkedin.com/in/ada",
            "emails": [{"email": "ada@globex.example"}],
        }
    },
}
CLAY: dict[str, Any] = {
    "source": "clay",
    "Full Name": "Ada Smith",
    "LinkedIn Profile": "linkedin.com/in/ada",
    "Work Email": "ada@globex.example; ada@home.example",
    "New Company": "Globex",
    "New Title": "CRO",
    "Previous Company": "Initech",
    "Change Type": "New company",
    "Score": "87 %",
    "Segment": "Enterprise",
}


def read(raw: dict[str, Any], source: str | None = None, own: RowMapping | None = None) -> JobChange:
    reading = registry.read(raw, source, own)
    if not reading.job_changes:
        raise InvalidJobChangeError([Fault("skipped", reason) for reason in reading.skipped])
    return JobChange.parse(reading.job_changes[0])


@pytest.mark.parametrize(
    ("raw", "source"), [(TAMRADAR, "tamradar"), (COMMON_ROOM, None), (CLAY, None)], ids=["tamradar", "room", "clay"]
)
def test_rows_of_known_senders_need_no_mapping(raw: dict[str, Any], source: str | None) -> None:
    """Each has the same move from Initech to Globex in another format."""
    change = read(raw, source)
    assert change.person.name == "Ada Smith"
    assert (change.change_type, change.signal) == ("new_company", "contact_tracking")
    assert change.current.title == "CRO"
    assert change.current.company is not None
    assert change.current.company.name == "Globex"
    assert change.previous.company is not None
    assert change.previous.company.name == "Initech"
    assert change.source == source or raw["source"]


def test_other_values_of_a_row_are_kept() -> None:
    """Numbers and address lists are converted, and unknown columns go to custom."""
    change = read(CLAY)
    assert (change.score, change.person.emails) == (87.0, ["ada@globex.example", "ada@home.example"])
    assert change.custom == {"Segment": "Enterprise"}
    assert read(TAMRADAR, "tamradar").custom["custom_fields"] == {"tier": "A"}


def test_a_promotion_is_inside_the_company() -> None:
    """The company is the radar's domain, and the signal follows from the change type."""
    change = read(PROMOTION, "tamradar")
    assert (change.change_type, change.signal) == ("promotion", "new_hires_promotions")
    assert change.current.company is not None
    assert change.current.company.domain == "initech.example"
    assert change.source_event_id == "rec-2"


def test_a_departure_has_no_new_company() -> None:
    """The domain that the radar watches is not taken for a new company."""
    left = {**TAMRADAR["content"], "change_type": "departure", "new_role": dict.fromkeys(("title", "company_name"))}
    change = read({**TAMRADAR, "content": left}, "tamradar")
    assert change.change_type == "departure"
    assert change.current.company is None


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"company": "Globex", "previous_company": "Initech"}, "new_company"),
        ({"previous_company": "Initech"}, "departure"),
        ({"company": "Initech", "previous_company": "initech"}, "lateral"),
        ({"company": "Globex"}, "new_company"),
        ({"company": "Globex", "change_type": "Title change"}, "lateral"),
        ({"company": "Globex", "change_type": "Promoted"}, "promotion"),
    ],
)
def test_the_change_type_follows_from_the_companies(row: dict[str, Any], kind: str) -> None:
    """This applies if the sender has none, or uses other words."""
    assert read({"name": "Ada Smith", "email": "ada@x.example", **row}, "csv").change_type == kind


@pytest.mark.parametrize(
    ("raw", "source", "path"),
    [
        ({"name": "Ada Smith", "company": "Globex"}, "csv", "person"),
        ({"name": "Ada", "email": "a@x.example", "company": "G", "date": "11/01/2026"}, "csv", "occurred_on"),
        ({"name": "Ada", "email": "a@x.example", "company": "G", "change": "whatever"}, "csv", "change_type"),
        ({"event_type": "radar_failure"}, "tamradar", "skipped"),
        ({"event_type": "radar_finding", "data": {"radar_type": "reviews"}}, "tamradar", "skipped"),
        ({"name": "Ada Smith"}, "unheard_of", "person"),
    ],
)
def test_a_row_that_cannot_be_mapped_is_refused_with_its_reason(raw: dict[str, Any], source: str, path: str) -> None:
    """Values are never guessed, and no row is accepted in part."""
    with pytest.raises(InvalidJobChangeError) as refused:
        read(raw, source)
    assert path in [fault.path for fault in refused.value.faults]


@pytest.mark.parametrize("value", [["x"], {"a": 1}, 5, True])
def test_a_change_type_of_the_wrong_type_is_refused(value: object) -> None:
    """It is a fault like any other."""
    with pytest.raises(InvalidJobChangeError) as refused:
        read({"Name": "Ada Smith", "Email": "ada@globex.example", "change_type": value}, "clay")

    assert "change_type" in [fault.path for fault in refused.value.faults]


@pytest.mark.parametrize(
    ("row", "source", "path"),
    [
        ({"email": 5, "work_email": "ada@globex.example"}, "clay", "person.emails.0"),
        ({"email": [{"email": 5}], "work_email": "ada@globex.example"}, "clay", "person.emails.0"),
        ({"email": "ada@globex.example", "work_email": True}, "clay", "person.emails.1"),
        ({"emails": [["ada@globex.example"]]}, "clay", "person.emails.0"),
        ({"emails": [{"email": {"a": 1}}]}, "clay", "person.emails.0"),
        ({"data": {"radar_type": ["promotions"]}}, "tamradar", "skipped"),
        ({"data": {"radar_type": {}}}, "tamradar", "skipped"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_even_if_others_are_valid(
    row: dict[str, Any], source: str, path: str
) -> None:
    """It is never dropped silently."""
    with pytest.raises(InvalidJobChangeError) as refused:
        read(row, source)

    assert path in [fault.path for fault in refused.value.faults]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted(flat.FLAT.paths)
INSIDE = {"radar_type": "promotions", "custom_fields": {}}


@given(
    st.dictionaries(st.sampled_from([*NAMES, "payload", "member", "content", "data"]), JSON, max_size=6),
    st.sampled_from(["clay", "common_room", "tamradar", "ours"]),
    JSON,
)
def test_every_row_is_accepted_or_refused(row: dict[str, Any], source: str, value: object) -> None:
    """An absurd row never affects the others of its batch."""
    if source == "tamradar":
        row = {"data": INSIDE} | row
    own = RowMapping.parse({"map": {"a": ["person.emails", "custom.a"], "a.0": "person.emails", "b": "score"}})
    result: JobChange | InvalidJobChangeError
    try:
        result = read({"a": value} | row, source, own if source == "ours" else None)
    except InvalidJobChangeError as refused:
        result = refused
    assert isinstance(result, JobChange) or all(fault.message for fault in result.faults)


def test_a_workspace_may_have_its_own_field_mappings() -> None:
    """A mapping has paths, default values, and translations of the sender's words."""
    own = RowMapping.parse(
        {
            "map": {
                "contact.fullName": "person.full_name",
                "contact.mails.0": "person.emails",
                "move.to": ["current.company.name", "custom.to"],
                "move.kind": "change_type",
                "id": "source_event_id",
            },
            "set": {"signal": "custom", "relationship": "Champion"},
            "words": {"change_type": {"A1": "new_hire"}},
        }
    )
    row = {"contact": {"fullName": "Ada", "mails": ["ada@x.example"]}, "move": {"to": "Globex", "kind": "a1"}, "id": 7}
    change = read(row, "ours", own)
    assert (change.person.name, change.person.emails) == ("Ada", ["ada@x.example"])
    assert (change.change_type, change.signal, change.relationship) == ("new_hire", "custom", "Champion")
    assert (change.source, change.source_event_id, change.custom) == ("ours", "7", {"to": "Globex"})


def test_default_values_of_a_mapping_are_converted_to_the_fields_type() -> None:
    """They are used only if the row has no value."""
    own = RowMapping.parse(
        {
            "map": {"n": "person.full_name", "at": "current.company.name", "mail": "person.emails"},
            "set": {"person.emails": "desk@acme.example", "score": "50", "salesforce.contact_id": "003000000000001"},
        }
    )
    row = {"n": "Ada Smith", "at": "Globex"}

    assert read(row, "ours", own).person.emails == ["desk@acme.example"]
    assert read(row, "ours", own).score == 50
    assert read(row | {"mail": "ada@x.example"}, "ours", own).person.emails == ["ada@x.example"]


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        ([], ""),
        ({}, "map"),
        ({"map": {"Name": "full_name"}}, "map.Name"),
        ({"map": {"Name": []}}, "map.Name"),
        ({"map": {"Name": "person.full_name"}, "sets": {}}, "sets"),
        ({"map": {"Name": "person.full_name"}, "set": {"signal": 5}}, "set.signal"),
        ({"map": {"Name": "person.full_name"}, "set": {"nothing": "x"}}, "set.nothing"),
        ({"map": {"Name": "person.full_name"}, "words": {"change_type": ["Left"]}}, "words.change_type"),
        ({"map": {"Name": "person.full_name"}, "words": 5}, "words"),
    ],
)
def test_an_invalid_mapping_lists_its_errors_by_path(definition: object, path: str) -> None:
    """A field name that is nearly right gets a suggestion."""
    with pytest.raises(InvalidJobChangeError) as refused:
        RowMapping.parse(definition)
    assert path in [fault.path for fault in refused.value.faults]
    if path == "map.Name" and isinstance(definition, dict) and definition["map"]["Name"]:
        assert "did you mean person.full_name?" in str(refused.value)


def test_our_own_format_is_unchanged() -> None:
    """The address adds the sender if the job change does not name it."""
    ours = {"signal": "custom", "person": {"full_name": "Ada"}}
    assert registry.read(ours).job_changes[0] is ours
    assert registry.read(ours, "clay").job_changes == ({"source": "clay"} | ours,)
    assert registry.read("nonsense").job_changes == ("nonsense",)
