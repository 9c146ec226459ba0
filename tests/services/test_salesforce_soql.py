"""Questions that stay few and well formed, and what rows mean."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.salesforce.soql import Compare, parse
from services.records import PersonLookup, PersonRecords
from services.salesforce_soql import LONGEST_LIST, people, questions

ID = "003000000000001AAA"


def test_two_hundred_people_are_asked_for_in_four_queries() -> None:
    """By id and by e-mail, of contacts and of leads: one composite call."""
    lookups = [
        PersonLookup(str(n), contact_id=f"003{n:012}", lead_id=f"00Q{n:012}", emails=(f"person{n}@example.com",))
        for n in range(200)
    ]
    asked = questions(lookups)
    assert [(one.sobject, one.by_id) for one in asked] == [
        ("Contact", True),
        ("Lead", True),
        ("Contact", False),
        ("Lead", False),
    ]


def test_what_cannot_be_found_is_not_asked_for() -> None:
    """No empty list, no malformed id, no text with control characters or halves of characters."""
    nothing = PersonLookup(
        "a", contact_id="003", lead_id="003000000000001AAA", emails=("a\x00@example.com", "\ud800@example.com")
    )
    assert questions([]) == questions([PersonLookup("b")]) == questions([nothing]) == []


def test_the_same_is_asked_for_once() -> None:
    """Short and long forms of an id and capitals in an e-mail make no difference."""
    lookups = [
        PersonLookup("a", contact_id=ID, emails=("Ada@Example.com",)),
        PersonLookup("b", contact_id=ID[:15], emails=("ada@example.com",)),
    ]
    by_id, contacts, leads = (parse(one.soql).where for one in questions(lookups))
    assert by_id == Compare("Id", "in", (ID,))
    assert contacts == leads == Compare("Email", "in", ("ada@example.com",))


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1), min_size=1))
def test_any_text_stays_a_value(emails: list[str]) -> None:
    """Whatever an e-mail holds, quotes and backslashes too, it is read back as itself and nothing else."""
    asked = [parse(one.soql) for one in questions([PersonLookup("a", emails=tuple(emails))]) if one.sobject == "Lead"]
    read = {value for one in asked if isinstance(one.where, Compare) for value in one.where.value}
    assert read == {email.lower() for email in emails if email.isprintable()}


def test_a_long_list_is_cut_to_fit_an_url() -> None:
    """Each query is short enough for a URI of 16,384 bytes, and together they ask for all."""
    emails = tuple(f"a.rather.long.name.{n}@some.subdomain.example.com" for n in range(2_000))
    asked = [one for one in questions([PersonLookup("a", emails=emails)]) if one.sobject == "Contact"]
    assert len(asked) > 1
    assert all(len(quote(one.soql)) < LONGEST_LIST + 1_000 for one in asked)
    assert sum(one.soql.count("@") for one in asked) == 2_000


def row(record_id: str, **fields: object) -> dict[str, object]:
    return {"Id": record_id, "Name": "Ada Smith", "LastModifiedDate": "2026-01-01T00:00:00.000+0000", **fields}


def test_the_id_is_believed_before_the_email() -> None:
    """An e-mail finds a contact only where the id finds none; the first address that finds one decides."""
    found = {
        "Contact": [
            row("003000000000001AAA", Email="old@example.com"),
            row("003000000000002AAA", Email="Ada@Example.com"),
            row("003000000000003AAA", Email="second@example.com"),
        ]
    }
    lookups = [
        PersonLookup("by id", contact_id="003000000000001", emails=("ada@example.com",)),
        PersonLookup("by e-mail", contact_id="003000000000009AAA", emails=("none@example.com", "ada@example.com")),
        PersonLookup("first address", emails=("second@example.com", "ada@example.com")),
        PersonLookup("nobody", emails=("none@example.com",)),
    ]
    told = {key: one.contact.id if one.contact else None for key, one in people(lookups, found).items()}
    assert told == {
        "by id": "003000000000001AAA",
        "by e-mail": "003000000000002AAA",
        "first address": "003000000000003AAA",
        "nobody": None,
    }


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_with_one_email_the_newest_is_taken(order: int) -> None:
    """Most recently modified, then the greater id, whatever order Salesforce answers in."""
    rows = [
        row("003000000000005AAA", Email="ada@example.com", LastModifiedDate="2025-01-01T00:00:00.000+0000"),
        row("003000000000001AAA", Email="ada@example.com"),
        row("003000000000002AAA", Email="ada@example.com"),
    ]
    (told,) = people([PersonLookup("a", emails=("ada@example.com",))], {"Contact": rows[::order]}).values()
    assert told.contact is not None
    assert told.contact.id == "003000000000002AAA"


def test_a_converted_lead_is_found_by_its_id_only() -> None:
    """What became of it is a contact, which the e-mail finds."""
    rows = [row("00Q000000000001AAA", Email="ada@example.com", IsConverted=True)]
    lookups = [PersonLookup("id", lead_id="00Q000000000001AAA"), PersonLookup("e-mail", emails=("ada@example.com",))]
    told = people(lookups, {"Lead": rows})
    assert told["id"].lead is not None
    assert told["e-mail"] == PersonRecords()


@pytest.mark.parametrize(
    ("website", "domain"),
    [
        ("https://www.Initech.com/about", "initech.com"),
        ("initech.com", "initech.com"),
        ("http://eu.initech.com:8080", "eu.initech.com"),
        ("http://[broken", None),
        ("", None),
        (None, None),
    ],
)
def test_the_domain_of_an_account_is_the_host_of_its_website(website: str | None, domain: str | None) -> None:
    """However people typed it."""
    (told,) = people(
        [PersonLookup("a", account_ids=("001000000000001",))], {"Account": [row("001000000000001AAA", Website=website)]}
    ).values()
    assert told.accounts["001000000000001"].domain == domain


def test_an_owner_is_a_person_a_queue_or_unknown() -> None:
    """A queue is told by its id; an owner whom we may not see is None."""
    owners = {
        "1": {"OwnerId": "005000000000001AAA", "Owner": {"Name": "Dana", "Email": "d@example.com", "IsActive": False}},
        "2": {"OwnerId": "00G000000000001AAA", "Owner": {"Name": "Inbound", "Email": None, "IsActive": None}},
        "3": {"OwnerId": "005000000000002AAA", "Owner": None},
    }
    rows = [row(f"00Q00000000000{n}AAA", **owner) for n, owner in owners.items()]
    told = people([PersonLookup(n, lead_id=f"00Q00000000000{n}") for n in owners], {"Lead": rows})
    dana, inbound, hidden = (told[n].lead.owner for n in owners)  # type: ignore[union-attr]  # they are found
    assert (dana.kind, dana.email, dana.is_active) == ("user", "d@example.com", False)
    assert (inbound.kind, inbound.name, inbound.email) == ("queue", "Inbound", None)
    assert hidden is None


def test_rows_that_make_no_sense_find_nobody() -> None:
    """An answer is not trusted to have the shape that was asked for."""
    rows = [{}, {"Id": 5}, {"Id": ID, "Email": ["ada@example.com"], "Owner": "Dana", "Account": 7}]
    told = people([PersonLookup("a", contact_id=ID), PersonLookup("b", emails=("ada@example.com",))], {"Contact": rows})
    assert told["a"].contact is not None
    assert (told["a"].contact.owner, told["a"].contact.account) == (None, None)
    assert told["b"] == PersonRecords()
