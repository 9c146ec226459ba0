"""Questions that stay few and well formed, and what rows mean."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.salesforce.soql.parser import Compare, parse
from services.salesforce.queries.rows import AccountDetails, users, with_account_details
from services.salesforce.queries.statements import LONGEST_LIST, account_queries, people, person_queries, user_queries
from services.salesforce.records import CompanyLookup, PersonLookup, PersonRecords, RequiredRecords

ID = "003000000000001AAA"


def test_two_hundred_people_are_asked_for_in_four_queries() -> None:
    """By id and by e-mail, of contacts and of leads: one composite call."""
    lookups = [
        PersonLookup(str(n), contact_id=f"003{n:012}", lead_id=f"00Q{n:012}", emails=(f"person{n}@example.com",))
        for n in range(200)
    ]
    asked = person_queries(lookups)
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
    assert person_queries([]) == person_queries([PersonLookup("b")]) == person_queries([nothing]) == []


def test_the_same_is_asked_for_once() -> None:
    """Short and long forms of an id and capitals in an e-mail make no difference."""
    lookups = [
        PersonLookup("a", contact_id=ID, emails=("Ada@Example.com",)),
        PersonLookup("b", contact_id=ID[:15], emails=("ada@example.com",)),
    ]
    by_id, contacts, leads = (parse(one.soql).where for one in person_queries(lookups))
    assert by_id == Compare("Id", "in", (ID,))
    assert contacts == leads == Compare("Email", "in", ("ada@example.com",))


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1), min_size=1))
def test_any_text_stays_a_value(emails: list[str]) -> None:
    """Whatever an e-mail holds, quotes and backslashes too, it is read back as itself and nothing else."""
    asked = [
        parse(one.soql) for one in person_queries([PersonLookup("a", emails=tuple(emails))]) if one.sobject == "Lead"
    ]
    read = {value for one in asked if isinstance(one.where, Compare) for value in one.where.value}
    assert read == {email.lower() for email in emails if email.isprintable()}


def test_a_long_list_is_cut_to_fit_an_url() -> None:
    """Each query is short enough for a URI of 16,384 bytes, and together they ask for all."""
    emails = tuple(f"a.rather.long.name.{n}@some.subdomain.example.com" for n in range(2_000))
    asked = [one for one in person_queries([PersonLookup("a", emails=emails)]) if one.sobject == "Contact"]
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


def test_what_rules_need_costs_as_many_questions_however_many_rules() -> None:
    """Two hundred people at two companies each: a handful of queries in three rounds."""
    lookups = [
        PersonLookup(str(n), emails=(f"p{n}@x.example",), past=company(n), current=company(-n)) for n in range(200)
    ]
    accounts = [f"001{n:012}" for n in range(400)]
    people_round = person_queries(lookups, EVERYTHING)
    assert len(people_round) <= 10
    assert (
        len(account_queries(accounts, EVERYTHING))
        == 5 * len(account_queries(accounts, RequiredRecords(opportunities=True))) // 3
    )
    assert len(account_queries(accounts, RequiredRecords())) == 0
    assert len(user_queries([f"005{n:012}" for n in range(300)], EVERYTHING)) == 1
    for one in people_round:
        parse(one.soql)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1).filter(str.isprintable))
def test_any_company_name_and_domain_stays_a_value(text: str) -> None:
    """Quotes, backslashes and wild cards are part of the text that is looked for."""
    asked = person_queries(
        [PersonLookup("a", current=CompanyLookup(domain=text, name=text))], RequiredRecords(companies=True)
    )
    by_domain, by_name = (parse(one.soql).where for one in asked)
    assert isinstance(by_domain, Compare)
    assert by_domain.operator == "like"
    assert by_name == Compare("Name", "in", (text,))


def test_a_field_that_may_not_be_read_is_left_out_of_every_question() -> None:
    """Wherever it is reached from; a question that asks by it is not asked at all."""
    asked = person_queries([PersonLookup("a", contact_id=ID, current=company(1))], EVERYTHING)
    hidden = frozenset({("account", "sdr__c"), ("account", "website"), ("user", "isactive")})
    kept = [one.without(hidden) for one in asked]
    assert [one.by for one in asked] == ["Id", "Website", "Name"]
    assert [one.by if one else None for one in kept] == ["Id", None, "Name"]
    for one in kept:
        assert one is None or not {"SDR__c", "Website", "IsActive"} & set(
            one.soql.replace(",", " ").replace(".", " ").split()
        )
    assert [one.uses("Account", "SDR__c") for one in asked] == [True, True, True]
    assert not any(one.uses("Account", "Name") or one.uses("Contact", "SDR__c") for one in asked)


def test_a_name_that_is_none_is_never_part_of_a_query() -> None:
    """Rules are checked before; this is the last door."""
    evil = RequiredRecords(
        fields={"Contact": frozenset({"Id FROM User--", "Ok__c"})}, email_field="x, y", managers=True
    )
    (asked,) = person_queries([PersonLookup("a", contact_id=ID)], evil)
    assert "Ok__c" in asked.soql
    assert "--" not in asked.soql
    (about_users,) = user_queries(["005000000000001AAA"], evil)
    assert "x, y" not in about_users.soql


ACCOUNT = "001000000000001AAA"


def test_a_companys_account_is_found_by_id_then_domain_then_name() -> None:
    """The domain is the host to the letter; of several, the one that was there first."""
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
    told = people(lookups, {"Account": rows})
    found = [one and one.id for key in told for one in [told[key].current_account or told[key].past_account]]
    assert found == ["001000000000003AAA", ACCOUNT, ACCOUNT, None]


def test_opportunities_and_teams_are_of_their_account() -> None:
    """One opportunity of each kind; of a team those with the role, who came first before the others."""

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

    found = {
        "open": [deal(1)],
        "last_lost": [deal(2, CloseDate="2026-01-01"), {"Id": "001000000000009AAA", "Opportunities": None}],
        "AccountTeamMember": [member(1, "Rep", "2", AccountId=ACCOUNT), member(2, "REP", "1", AccountId=ACCOUNT), {}],
        "OpportunityTeamMember": [member(3, "SE", "1", OpportunityId="006000000000001AAA")],
    }
    told = people([PersonLookup("a", current=CompanyLookup(account_id=ACCOUNT))], {"Account": [row(ACCOUNT)]})["a"]
    account = with_account_details(told, AccountDetails.of(found)).current_account
    assert account is not None
    assert account.open is not None
    assert account.last_lost is not None
    assert (account.open.name, account.last_won, account.last_lost.closed_on) == ("Deal 1", None, "2026-01-01")
    assert [one.name for one in account.team["rep"]] == ["User 2", "User 1"]
    assert [one.name for one in account.open.team["se"]] == ["User 3"]


def test_users_come_with_their_managers_and_other_addresses() -> None:
    """By the part of their id that never varies in length."""
    rows = [
        {
            "Id": "005000000000001AAA",
            "Name": "Dana",
            "Work__c": "d@work.example",
            "Manager": {"Id": "005000000000002AAA", "Name": "Kim", "IsActive": False},
        },
        {"Id": 7},
    ]
    found = users(rows, "Work__c")
    assert list(found) == ["005000000000001"]
    dana = found["005000000000001"]
    assert dana.alternate == "d@work.example"
    assert dana.manager is not None
    assert (dana.manager.name, dana.manager.is_active) == ("Kim", False)
