"""Queries stay few and well formed, and rows become records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.people import OwnerMatching
from sandbox.salesforce.soql.parser import Compare, parse
from services.ownership.managers import report_queries
from services.salesforce.queries.account_details import AccountDetails, with_account_details
from services.salesforce.queries.account_statements import account_queries, chosen_queries
from services.salesforce.queries.rows import users
from services.salesforce.queries.soql import LONGEST_LIST
from services.salesforce.queries.statements import (
    people,
    person_queries,
    url_encoded,
    user_queries,
    websites_of,
)
from services.salesforce.records import CompanyLookup, PersonLookup, PersonRecords, RequiredRecords

ID = "003000000000001AAA"


def test_two_hundred_people_take_four_queries() -> None:
    """They are queried by id and by email, for contacts and for leads, in one composite call."""
    lookups = [
        PersonLookup(str(n), contact_id=f"003{n:012}", lead_id=f"00Q{n:012}", emails=(f"person{n}@example.com",))
        for n in range(200)
    ]
    queries = person_queries(lookups)
    assert [(query.sobject, query.by_id) for query in queries] == [
        ("Contact", True),
        ("Lead", True),
        ("Contact", False),
        ("Lead", False),
    ]


def test_values_that_cannot_match_are_not_queried() -> None:
    """Malformed ids and texts with control characters or lone surrogates are left out."""
    nothing = PersonLookup(
        "a", contact_id="003", lead_id="003000000000001AAA", emails=("a\x00@example.com", "\ud800@example.com")
    )
    assert person_queries([]) == person_queries([PersonLookup("b")]) == person_queries([nothing]) == []


def test_equal_values_are_queried_once() -> None:
    """Short and long ids are equal, and so are email addresses in another case."""
    lookups = [
        PersonLookup("a", contact_id=ID, emails=("Ada@Example.com",)),
        PersonLookup("b", contact_id=ID[:15], emails=("ada@example.com",)),
    ]
    by_id, contacts, leads = (parse(query.soql).where for query in person_queries(lookups))
    assert by_id == Compare("Id", "in", (ID,))
    assert contacts == leads == Compare("Email", "in", ("ada@example.com",))


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1), min_size=1))
def test_an_email_never_changes_the_query(emails: list[str]) -> None:
    """Any text, with quotes and backslashes too, parses back as itself."""
    queries = [
        parse(query.soql)
        for query in person_queries([PersonLookup("a", emails=tuple(emails))])
        if query.sobject == "Lead"
    ]
    read = {value for query in queries if isinstance(query.where, Compare) for value in query.where.value}
    assert read == {email.lower() for email in emails if email.isprintable()}


def test_a_long_list_is_split_to_fit_into_a_url() -> None:
    """Each query fits into a URI of 16,384 bytes, and together they have all values."""
    emails = tuple(f"a.rather.long.name.{n}@some.subdomain.example.com" for n in range(2_000))
    queries = [query for query in person_queries([PersonLookup("a", emails=emails)]) if query.sobject == "Contact"]
    assert len(queries) > 1
    assert all(len(url_encoded(query.soql)) < LONGEST_LIST + 1_000 for query in queries)
    assert sum(query.soql.count("@") for query in queries) == 2_000


def row(record_id: str, **fields: object) -> dict[str, object]:
    return {"Id": record_id, "Name": "Ada Smith", "LastModifiedDate": "2026-01-01T00:00:00.000+0000", **fields}


def test_the_id_comes_before_the_email() -> None:
    """An email finds a contact only if the id finds none. The first address with a contact decides."""
    rows_by_kind = {
        "Contact": [
            row("003000000000001AAA", Email="old@example.com"),
            row("003000000000002AAA", Email="Ada@Example.com"),
            row("003000000000003AAA", Email="second@example.com"),
        ]
    }
    lookups = [
        PersonLookup("by id", contact_id="003000000000001", emails=("ada@example.com",)),
        PersonLookup("by email", contact_id="003000000000009AAA", emails=("none@example.com", "ada@example.com")),
        PersonLookup("first address", emails=("second@example.com", "ada@example.com")),
        PersonLookup("nobody", emails=("none@example.com",)),
    ]
    records = {
        key: person.contact.id if person.contact else None for key, person in people(lookups, rows_by_kind).items()
    }
    assert records == {
        "by id": "003000000000001AAA",
        "by email": "003000000000002AAA",
        "first address": "003000000000003AAA",
        "nobody": None,
    }


@pytest.mark.parametrize("order", [1, -1])
def test_the_latest_of_several_contacts_with_one_email_is_used(order: int) -> None:
    """That is the one modified last, then the one with the greater id, in whatever order they arrive."""
    rows = [
        row("003000000000005AAA", Email="ada@example.com", LastModifiedDate="2025-01-01T00:00:00.000+0000"),
        row("003000000000001AAA", Email="ada@example.com"),
        row("003000000000002AAA", Email="ada@example.com"),
    ]
    (records,) = people([PersonLookup("a", emails=("ada@example.com",))], {"Contact": rows[::order]}).values()
    assert records.contact is not None
    assert records.contact.id == "003000000000002AAA"


def test_a_converted_lead_is_found_by_its_id_only() -> None:
    """It has become a contact, which is found by the email."""
    rows = [row("00Q000000000001AAA", Email="ada@example.com", IsConverted=True)]
    lookups = [PersonLookup("id", lead_id="00Q000000000001AAA"), PersonLookup("email", emails=("ada@example.com",))]
    records = people(lookups, {"Lead": rows})
    assert records["id"].lead is not None
    assert records["email"] == PersonRecords()


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
    """The website may be typed in any form."""
    (records,) = people(
        [PersonLookup("a", account_ids=("001000000000001",))], {"Account": [row("001000000000001AAA", Website=website)]}
    ).values()
    assert records.accounts["001000000000001"].domain == domain


def test_an_owner_is_a_user_a_queue_or_hidden() -> None:
    """A queue is recognized by its id; a hidden owner is None."""
    owners = {
        "1": {"OwnerId": "005000000000001AAA", "Owner": {"Name": "Dana", "Email": "d@example.com", "IsActive": False}},
        "2": {"OwnerId": "00G000000000001AAA", "Owner": {"Name": "Inbound", "Email": None, "IsActive": None}},
        "3": {"OwnerId": "005000000000002AAA", "Owner": None},
    }
    rows = [row(f"00Q00000000000{n}AAA", **owner) for n, owner in owners.items()]
    records = people([PersonLookup(n, lead_id=f"00Q00000000000{n}") for n in owners], {"Lead": rows})
    dana, inbound, hidden = (records[n].lead.owner for n in owners)  # type: ignore[union-attr]  # they are found
    assert (dana.kind, dana.email, dana.is_active) == ("user", "d@example.com", False)
    assert (inbound.kind, inbound.name, inbound.email) == ("queue", "Inbound", None)
    assert hidden is None


def test_malformed_rows_find_nobody() -> None:
    """An answer may have any shape."""
    rows = [{}, {"Id": 5}, {"Id": ID, "Email": ["ada@example.com"], "Owner": "Dana", "Account": 7}]
    records = people(
        [PersonLookup("a", contact_id=ID), PersonLookup("b", emails=("ada@example.com",))], {"Contact": rows}
    )
    assert records["a"].contact is not None
    assert (records["a"].contact.owner, records["a"].contact.account) == (None, None)
    assert records["b"] == PersonRecords()


EVERYTHING = RequiredRecords(
    fields={"Account": frozenset({"SDR__c"}), "Contact": frozenset({"Tier__c"}), "Opportunity": frozenset({"SE__c"})},
    companies=True,
    parents=True,
    opportunities=True,
    account_roles=frozenset({"Sales Rep"}),
    opportunity_roles=frozenset({"Sales Rep"}),
    managers=True,
    email_field="Work__c",
)


def company(number: int) -> CompanyLookup:
    return CompanyLookup(domain=f"company-{number}.example.com", name=f"Company {number}")


def test_the_number_of_queries_does_not_depend_on_the_rules() -> None:
    """Two hundred people with two companies each take a few queries in three rounds."""
    lookups = [
        PersonLookup(str(n), emails=(f"p{n}@x.example",), past=company(n), current=company(-n)) for n in range(200)
    ]
    accounts = [f"001{n:012}" for n in range(400)]
    people_round = person_queries(lookups, EVERYTHING)
    assert len(people_round) <= 20
    lists = len(account_queries(accounts, RequiredRecords(opportunities=True))) // 3
    assert len(account_queries(accounts, EVERYTHING)) == 4 * lists
    assert len(chosen_queries([f"006{n:012}" for n in range(200)], [], EVERYTHING)) == 1
    deals = RequiredRecords(contact_opportunities=True, ultimate_parents=True)
    contacts = [f"003{n:012}" for n in range(200)]
    more = [*account_queries(accounts, deals, contacts), *chosen_queries([], accounts, deals)]
    assert len(more) == 2 * lists + 1
    for query in more:
        parse(query.soql)
    assert len(account_queries(accounts, RequiredRecords())) == 0
    assert len(user_queries([f"005{n:012}" for n in range(300)], EVERYTHING)) == 1
    for query in people_round:
        parse(query.soql)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1).filter(str.isprintable))
def test_a_company_name_or_domain_never_changes_the_query(text: str) -> None:
    """Quotes, backslashes and wildcards are part of the text."""
    queries = person_queries(
        [PersonLookup("a", current=CompanyLookup(domain=text, name=text))], RequiredRecords(companies=True)
    )
    by_domain, by_name = (parse(query.soql).where for query in queries)
    assert by_domain == Compare("Website", "in", tuple(websites_of(text)))
    assert by_name == Compare("Name", "in", (text,))


def test_an_unreadable_field_is_left_out_of_every_query() -> None:
    """It is left out of related objects too. A query whose condition uses it is not run."""
    queries = person_queries([PersonLookup("a", contact_id=ID, current=company(1))], EVERYTHING)
    hidden = frozenset({("account", "sdr__c"), ("account", "website"), ("user", "isactive")})
    kept = [query.without(hidden) for query in queries]
    assert [query.by for query in queries] == ["Id", "Website", "Name"]
    assert [query.by if query else None for query in kept] == ["Id", None, "Name"]
    for query in kept:
        assert query is None or not {"SDR__c", "Website", "IsActive"} & set(
            query.soql.replace(",", " ").replace(".", " ").split()
        )


def test_an_invalid_name_is_never_part_of_a_query() -> None:
    """Rules are checked before; this is the last check."""
    evil = RequiredRecords(
        fields={"Contact": frozenset({"Id FROM User--", "Ok__c"})}, email_field="x, y", managers=True
    )
    (queries,) = person_queries([PersonLookup("a", contact_id=ID)], evil)
    assert "Ok__c" in queries.soql
    assert "--" not in queries.soql
    (about_users,) = user_queries(["005000000000001AAA"], evil)
    assert "x, y" not in about_users.soql


ACCOUNT = "001000000000001AAA"


def test_a_companys_account_is_found_by_id_then_domain_then_name() -> None:
    """The host must match exactly. Of several accounts the oldest is used."""
    rows = [
        row("001000000000003AAA", Name="Globex", Website="http://www.globex.com/en"),
        row(ACCOUNT, Name="globex", Website="globex.com"),
        row("001000000000002AAA", Name="Other", Website="shop.globex.com"),
    ]
    lookups = [
        PersonLookup("id", current=CompanyLookup(account_id="001000000000003", domain="shop.globex.com")),
        PersonLookup("domain", current=CompanyLookup(domain="globex.com", name="Other")),
        PersonLookup("name", past=CompanyLookup(domain="nowhere.com", name="GLOBEX")),
        PersonLookup("id that is gone", current=CompanyLookup(account_id="001000000000009", name="Globex")),
    ]
    records = people(lookups, {"Account": rows})
    accounts = [person.current_account or person.past_account for person in records.values()]
    ids = [account and account.id for account in accounts]
    assert ids == ["001000000000003AAA", ACCOUNT, ACCOUNT, None]


def test_opportunities_and_teams_are_added_to_their_account() -> None:
    """There is one opportunity of each kind, and team members are sorted by when they were added."""

    def deal(number: int, **fields: object) -> dict[str, object]:
        nested = {
            "Opportunities": {"records": [{"Id": f"00600000000000{number}AAA", "Name": f"Deal {number}", **fields}]}
        }
        return {"Id": ACCOUNT, **nested}

    def member(number: int, role: str, created: str, **of: str) -> dict[str, object]:
        user_id = f"00500000000000{number}AAA"
        return {
            "UserId": user_id,
            "User": {"Name": f"User {number}"},
            "TeamMemberRole": role,
            "CreatedDate": created,
        } | of

    rows_by_kind = {
        "open": [deal(1)],
        "last_lost": [deal(2, CloseDate="2026-01-01"), {"Id": "001000000000009AAA", "Opportunities": None}],
        "AccountTeamMember": [member(1, "Rep", "2", AccountId=ACCOUNT), member(2, "REP", "1", AccountId=ACCOUNT), {}],
        "OpportunityTeamMember": [member(3, "SE", "1", OpportunityId="006000000000001AAA")],
    }
    records = people([PersonLookup("a", current=CompanyLookup(account_id=ACCOUNT))], {"Account": [row(ACCOUNT)]})["a"]
    account = with_account_details(records, AccountDetails.of(rows_by_kind).with_chosen(rows_by_kind)).current_account
    assert account is not None
    assert account.open is not None
    assert account.last_lost is not None
    assert (account.open.name, account.last_won, account.last_lost.closed_on) == ("Deal 1", None, "2026-01-01")
    assert [user.name for user in account.team["rep"]] == ["User 2", "User 1"]
    assert [user.name for user in account.open.team["se"]] == ["User 3"]


def test_users_come_with_their_managers_and_other_addresses() -> None:
    """They are keyed by the first 15 characters of their ids."""
    rows = [
        {
            "Id": "005000000000001AAA",
            "Name": "Dana",
            "Work__c": "d@work.example",
            "Manager": {"Id": "005000000000002AAA", "Name": "Kim", "IsActive": False},
        },
        {"Id": 7},
    ]
    users_by_id = users(rows, "Work__c")
    assert list(users_by_id) == ["005000000000001"]
    dana = users_by_id["005000000000001"]
    assert dana.alternate == "d@work.example"
    assert dana.manager is not None
    assert (dana.manager.name, dana.manager.is_active) == ("Kim", False)


def test_the_user_whom_a_slack_user_is_in_salesforce_is_looked_up_as_owners_are_matched() -> None:
    """By linked ids, by the field with the Slack user, and by every address: linked, own, of alias domains."""
    matching = OwnerMatching(
        email_field="Work__c",
        slack_id_field="Slack__c",
        alias_domains={"old.example": "acme.example", "other.example": "x.example"},
        links={ID: "U1", "dana@linked.example": "U1", "someone@else.example": "U2"},
    )
    own = "Id, Name, Email, IsActive, Work__c, Slack__c"
    selected = f"{own}, {', '.join(f'Manager.{name}' for name in own.split(', '))}"
    addresses = [f"dana@{domain}" for domain in ("linked.example", "acme.example", "old.example")]
    compared = ",".join(f"'{address}{suffix}'" for suffix in ("", ".invalid") for address in addresses)
    assert [(query.kind, query.by_id, query.soql) for query in report_queries(matching, "U1", "dana@acme.example")] == [
        ("Id", True, f"SELECT {selected} FROM User WHERE Id IN ('{ID}') LIMIT 2000"),
        ("Slack__c", False, f"SELECT {selected} FROM User WHERE Slack__c IN ('U1') LIMIT 2000"),
        ("Email", False, f"SELECT {selected} FROM User WHERE Email IN ({compared}) LIMIT 2000"),
        ("Work__c", False, f"SELECT {selected} FROM User WHERE Work__c IN ({compared}) LIMIT 2000"),
    ]
    assert [query.kind for query in report_queries(matching, "U1", None)] == ["Id", "Slack__c", "Email", "Work__c"]
    assert report_queries(OwnerMatching(), "U1", None) == []
