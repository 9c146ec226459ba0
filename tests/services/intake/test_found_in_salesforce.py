"""Job changes are imported from Salesforce over real HTTP, each once, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from domain.errors import PermanentError, TransientError
from domain.job_change.validation import InvalidJobChangeError
from domain.salesforce import ACTIVE, PAUSED, Source
from sandbox.salesforce.rest import Answer, Request
from sandbox.salesforce.schema import Field, SObject, lookup
from sandbox.salesforce.soql.parser import AllOf, AnyOf, Compare, parse
from services.intake.salesforce.poller import LEASE_MS
from services.intake.salesforce.presets import Proposal
from services.intake.salesforce.query import Cursor, SourceQuery
from services.messages.wording import one_line
from store.database import Database
from store.salesforce import sources
from store.schema import job_changes
from store.slack import workspaces
from tests.conftest import Clock
from tests.services.intake.salesforce_org import MOVE, Org, org_beside


@pytest.fixture
async def org(database: Database, clock: Clock) -> AsyncIterator[Org]:
    async with org_beside(database, clock) as org:
        yield org


async def only_source(org: Org) -> Source:
    (source,) = await org.sources.all_of("T1")
    return source


async def payloads(org: Org) -> list[dict[str, object]]:
    rows = await org.database.run(
        lambda connection: connection.execute(select(job_changes.c.payload).order_by(job_changes.c.id)).scalars().all()
    )
    return [json.loads(row) for row in rows]


async def test_a_record_is_imported_as_a_job_change(org: Org) -> None:
    """The record id identifies it, so reading it again changes nothing."""
    await org.choose()
    record = org.move("Ada Smith", Previous_Company__c="Initech")
    await org.poll()
    await org.poll()

    (found,) = await payloads(org)
    assert (found["source"], found["source_event_id"]) == ("salesforce:Job_Move__c", record)
    assert found["person"] == {"full_name": "Ada Smith", "emails": ["ada@globex.example"]}
    assert (found["change_type"], found["signal"]) == ("new_company", "contact_tracking")
    assert (await only_source(org)).problem is None


async def test_an_import_starts_now_by_default(org: Org) -> None:
    """Earlier records are not imported, even if they are changed later for another reason."""
    old = org.move("Old News")
    org.clock.advance(seconds=1)
    await org.choose()
    org.move("Ada Smith")
    await org.poll()
    org.sandbox.org.update(old, Stage__c="Archived")
    await org.poll()
    assert [payload["person"]["full_name"] for payload in await payloads(org)] == ["Ada Smith"]  # type: ignore[index]


async def test_a_backfill_is_counted_in_the_preview(org: Org) -> None:
    """It goes back as many days as chosen."""
    org.move("Long Ago")
    org.clock.advance(seconds=10 * 86_400)
    org.move("Last Week")
    org.clock.advance(seconds=2 * 86_400)
    proposal = await org.sources.propose("T1", "Job_Move__c")
    assert proposal is not None
    preview = await org.sources.preview("T1", proposal.sobject, proposal.definition, 7)
    assert preview.count == 1
    await org.choose(days=7)
    await org.poll()
    assert await org.count_accepted() == 1


async def test_the_preview_has_the_latest_five_records(org: Org) -> None:
    """The newest comes first, and one that would be refused has the reason."""
    for number in range(6):
        org.move(f"Person{number} Smith")
        org.clock.advance(seconds=1)
    org.move("Nobody", New_Company__c=None)
    proposal = await org.sources.propose("T1", "Job_Move__c")
    assert proposal is not None
    preview = await org.sources.preview("T1", proposal.sobject, proposal.definition)
    assert len(preview.lines) == 5
    assert "current.company is required" in str(preview.lines[0].refusal)
    assert "Person5 Smith joined Globex" in one_line(preview.lines[1].job_change)
    assert await org.count_accepted() == 0


async def test_the_usergems_object_is_mapped_automatically(org: Org) -> None:
    """Accounts, the earlier contact and the relationship follow from the describe."""
    sandbox = org.sandbox
    initech, globex = sandbox.add("Account", Name="Initech"), sandbox.add("Account", Name="Globex")
    ada = sandbox.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.example", AccountId=initech)
    candidates = await org.sources.candidates("T1")
    assert candidates[0].name == "UserGems__UserGem__c"
    await org.choose("UserGems__UserGem__c")
    sandbox.add(
        "UserGems__UserGem__c",
        Name="UG-1",
        UserGems__Past_Contact__c=ada,
        UserGems__Past_Account__c=initech,
        UserGems__New_Account__c=globex,
        UserGems__New_Title__c="CRO",
        UserGems__Past_Relationship_Type__c="Champion",
        UserGems__Start_Date__c="2026-11-01",
    )
    await org.poll()
    (found,) = await payloads(org)
    assert found["person"] == {"full_name": "Ada Smith", "emails": ["ada@initech.example"]}
    assert found["previous"] == {"company": {"name": "Initech", "salesforce_id": initech}}
    assert found["current"] == {"title": "CRO", "company": {"name": "Globex", "salesforce_id": globex}}
    assert (found["relationship"], found["occurred_on"]) == ("Champion", "2026-11-01")
    assert found["salesforce"] == {"contact_id": ada}


async def test_contacts_who_left_or_joined_are_imported(org: Org) -> None:
    """Contacts may have a date when they left, or a past account."""
    org.sandbox.org.add_field("Contact", Field("UserGems__No_Longer_at_Company__c", "date"))
    org.sandbox.org.add_field("Contact", lookup("UserGems__Past_Account__c", "Account"))
    names = [proposal.name for proposal in await org.sources.candidates("T1")]
    assert {"Contact:left", "Contact:joined"} <= set(names)
    await org.choose("Contact:left")
    await org.choose("Contact:joined")
    initech, globex = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Globex")
    left = org.sandbox.add("Contact", LastName="Smith", Email="ada@initech.example", AccountId=initech)
    await org.poll()
    assert await org.count_accepted() == 0
    org.sandbox.org.update(left, UserGems__No_Longer_at_Company__c="2026-11-01")
    org.sandbox.add("Contact", LastName="Lee", AccountId=globex, UserGems__Past_Account__c=initech)
    await org.poll()
    found = {payload["person"]["full_name"]: payload for payload in await payloads(org)}  # type: ignore[index]
    assert found["Smith"]["change_type"] == "departure"
    assert found["Smith"]["previous"] == {"company": {"name": "Initech", "salesforce_id": initech}}
    assert found["Lee"]["change_type"] == "new_company"
    assert found["Lee"]["current"] == {"company": {"name": "Globex", "salesforce_id": globex}}

    org.sandbox.org.update(left, UserGems__No_Longer_at_Company__c="2026-11-20")
    await org.poll()
    assert await org.count_accepted() == 3  # another date is another job change


async def test_a_lead_that_is_completed_later_is_imported(org: Org) -> None:
    """UserGems also sets the past account of leads that exist already. Those that had one before are old news."""
    org.sandbox.org.add_field("Lead", lookup("UserGems__Past_Account__c", "Account"))
    initech, hooli = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Hooli")
    fields = {"Company": "Globex", "Email": "ada@globex.example"}
    lead = org.sandbox.add("Lead", LastName="Smith", **fields)
    old = org.sandbox.add("Lead", LastName="Old", UserGems__Past_Account__c=initech, **fields)
    org.clock.advance(seconds=90 * 86_400)
    await org.choose("Lead:joined")
    org.sandbox.org.update(lead, UserGems__Past_Account__c=initech)
    org.sandbox.org.update(old, Title="CRO")
    await org.poll()
    assert [payload["person"]["full_name"] for payload in await payloads(org)] == ["Smith"]  # type: ignore[index]
    org.sandbox.org.update(old, UserGems__Past_Account__c=hooli)
    await org.poll()
    await org.poll()
    assert await org.count_accepted() == 2


async def test_one_move_in_several_objects_is_one_job_change(org: Org) -> None:
    """UserGems writes a record of its own, and stamps the contact and the lead."""
    org.sandbox.org.add_field("Contact", Field("UserGems__No_Longer_at_Company__c", "date"))
    org.sandbox.org.add_field("Lead", lookup("UserGems__Past_Account__c", "Account"))
    initech, globex = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Globex, Inc.")
    ada = org.sandbox.add("Contact", FirstName="Ada", LastName="Smith", Email="a@x.example", AccountId=initech)
    for name in ("UserGems__UserGem__c", "Lead:joined", "Contact:left"):
        await org.choose(name)
    record = {"UserGems__Past_Contact__c": ada, "UserGems__Past_Account__c": initech}
    org.sandbox.add("UserGems__UserGem__c", Name="UG-1", UserGems__New_Account__c=globex, **record)
    person = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@globex.example"}
    lead = org.sandbox.add("Lead", Company="Globex", UserGems__Past_Account__c=initech, **person)
    org.sandbox.org.update(ada, UserGems__No_Longer_at_Company__c="2026-11-01")
    await org.poll()
    (found,) = await payloads(org)
    assert found["source"] == "salesforce:UserGems__UserGem__c"
    org.clock.advance(seconds=40 * 86_400)
    org.sandbox.org.update(lead, UserGems__Past_Account__c=globex, Company="Initech")
    await org.poll()
    assert await org.count_accepted() == 2  # the next move counts


async def test_a_departure_does_not_hide_where_the_person_went(org: Org) -> None:
    """The record with the new company says more, so it is imported as well."""
    org.sandbox.org.add_field("Contact", Field("UserGems__No_Longer_at_Company__c", "date"))
    await org.choose("Contact:left")
    await org.choose("UserGems__UserGem__c")
    initech, globex = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Globex")
    ada = org.sandbox.add("Contact", LastName="Smith", Email="a@x.example", AccountId=initech)
    org.sandbox.org.update(ada, UserGems__No_Longer_at_Company__c="2026-11-01")
    await org.poll()
    record = {"UserGems__Past_Contact__c": ada, "UserGems__Past_Account__c": initech}
    org.sandbox.add("UserGems__UserGem__c", Name="UG-1", UserGems__New_Account__c=globex, **record)
    await org.poll()
    assert [payload["change_type"] for payload in await payloads(org)] == ["departure", "new_company"]


async def test_the_past_contact_and_the_vendors_own_dri_are_mapped(org: Org) -> None:
    """A lookup to the past contact is not the person's new record, and a lookup called DRI names the DRI.

    The org is a sandbox, where `.invalid` ends the DRI's address.
    """
    org.sandbox.org.add_field("Contact", lookup("UG_Past_Account__c", "Account"))
    org.sandbox.org.add_field("Contact", lookup("UG_Past_Contact__c", "Contact"))
    dana = org.sandbox.add("User", LastName="Reyes", Email="dana@acme.example")
    org.sandbox.org.become_sandbox()
    await org.choose("Contact:joined")
    await org.choose("UserGems__UserGem__c")
    initech, globex = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Globex")
    old = org.sandbox.add("Contact", LastName="Smith", Email="a@x.example", AccountId=initech)
    past = {"UG_Past_Account__c": initech, "UG_Past_Contact__c": old}
    new = org.sandbox.add("Contact", LastName="Smith", Email="b@x.example", AccountId=globex, **past)
    fields = {"UserGems__Past_Contact__c": old, "UserGems__New_Title__c": "CRO", "UserGems__Past_Account__c": globex}
    dri = {"UserGems__Current_Record_DRI__c": dana, "UserGems__New_Account__c": initech}
    org.sandbox.add("UserGems__UserGem__c", Name="UG-1", **fields, **dri)
    await org.poll()
    by_source = {payload["source"]: payload for payload in await payloads(org)}
    assert by_source["salesforce:Contact"]["salesforce"] == {"contact_id": new, "past_contact_id": old}
    assert by_source["salesforce:UserGems__UserGem__c"]["dri_email"] == "dana@acme.example"


async def test_a_previous_owner_is_not_a_past_account(org: Org) -> None:
    """RevOps teams often keep a lookup to the user who owned the record before."""
    org.sandbox.org.add_field("Contact", lookup("Previous_Owner__c", "User"))
    assert "Contact:joined" not in [proposal.name for proposal in await org.sources.candidates("T1")]


@pytest.mark.parametrize(
    ("field", "left", "ignored"),
    [
        (
            Field("LID__No_longer_at_Company__c", "picklist", values=("Not at Company", "Ignore")),
            "Not at Company",
            "Ignore",
        ),
        (Field("champifyio__Job_Change_Detected_Date__c", "date"), "2026-11-20", None),
    ],
)
async def test_marks_of_other_vendors_are_proposed(org: Org, field: Field, left: str, ignored: str | None) -> None:
    """LinkedIn's flag has a value that says to ignore it, and Champify writes the date of the job change."""
    org.sandbox.org.add_field("Contact", field)
    await org.choose("Contact:left")
    initech = org.sandbox.add("Account", Name="Initech")
    people = {"Ignored": ignored, "Left": left}
    for name, value in people.items():
        contact = org.sandbox.add("Contact", LastName=name, Email="a@x.example", AccountId=initech)
        org.sandbox.org.update(contact, **{field.name: value})
    await org.poll()
    assert [payload["person"]["full_name"] for payload in await payloads(org)] == ["Left"]  # type: ignore[index]


async def test_an_old_departure_is_not_imported(org: Org) -> None:
    """The record may be changed today for another reason."""
    org.sandbox.org.add_field("Contact", Field("No_Longer_at_Company__c", "date"))
    await org.choose("Contact:left")
    initech = org.sandbox.add("Account", Name="Initech")
    org.sandbox.add("Contact", LastName="Old", AccountId=initech, No_Longer_at_Company__c="2019-01-01")
    await org.poll()
    assert await org.count_accepted() == 0


async def test_records_of_the_same_second_are_not_skipped_between_pages(database: Database, clock: Clock) -> None:
    """Seven records of one second are read with three per page."""
    async with org_beside(database, clock, page_size=3) as org:
        await org.choose()
        clock.advance(seconds=5)
        for number in range(7):
            org.move(f"Person{number} Smith")
        org.sandbox.calls.clear()
        await org.poll()
        assert await org.count_accepted() == 7
        assert len(org.sandbox.calls_of("query")) == 3


async def test_a_page_may_be_shorter_than_the_limit(org: Org) -> None:
    """Salesforce returns fewer records if they are long, and reading continues after the last one."""
    org.sandbox.api.page_size = 4
    await org.choose()
    for number in range(10):
        org.move(f"Person{number} Smith")
    await org.poll()
    assert await org.count_accepted() == 10


async def test_a_change_that_becomes_visible_late_is_imported(org: Org) -> None:
    """A transaction may take ten minutes, and its records have the time at which they were written."""
    await org.choose()
    late = org.move("Late Lee")
    org.sandbox.org.hide_record(late)
    org.clock.advance(seconds=5 * 60)
    org.move("Ada Smith")
    await org.poll()
    assert await org.count_accepted() == 1
    org.sandbox.org._hidden_records.clear()
    await org.poll()
    assert await org.count_accepted() == 2


@pytest.mark.parametrize("minutes", [-30, 30])
async def test_our_clock_may_be_wrong(org: Org, minutes: int) -> None:
    """Salesforce's time counts, so nothing is lost or imported twice."""
    sandbox_clock = Clock(org.clock.now)
    org.sandbox.org.now = lambda: sandbox_clock() / 1_000
    org.move("Old News")
    org.clock.advance(seconds=minutes * 60)
    sandbox_clock.advance(seconds=1)
    await org.choose()
    for number in range(3):
        org.move(f"Person{number} Smith")
        sandbox_clock.advance(seconds=61)
        await org.poll()
    assert await org.count_accepted() == 3


async def test_an_unreadable_field_is_listed_and_left_out(org: Org) -> None:
    """The import continues without it."""
    await org.choose()
    org.move("Ada Smith", Previous_Company__c="Initech")
    org.sandbox.org.hide_field("Job_Move__c", "Previous_Company__c")
    await org.poll()
    (found,) = await payloads(org)
    assert not found.get("previous")
    assert (await only_source(org)).problem == "the connected user cannot read Previous_Company__c"


async def test_without_an_essential_field_a_source_waits_for_an_admin(org: Org) -> None:
    """Without the field of a condition the wrong records would be imported."""
    await org.choose(where=[["Stage__c", "=", "Done"]])
    org.move("Ada Smith", Stage__c="Done")
    org.sandbox.org.hide_field("Job_Move__c", "Stage__c")
    await org.poll()
    assert await org.count_accepted() == 0
    assert "Stage__c" in str((await only_source(org)).problem)
    org.sandbox.org._hidden_fields.clear()
    org.clock.advance(seconds=15 * 60)
    await org.poll()
    assert await org.count_accepted() == 1


async def test_a_proposal_has_only_fields_that_can_be_read(org: Org) -> None:
    """Missing objects and relationships are left out too."""
    org.sandbox.org.hide_field("Account", "Website")
    org.sandbox.org.hide_type("Lead")
    proposal = await org.sources.propose("T1", "UserGems__UserGem__c")
    assert proposal is not None
    assert not any("Website" in path for path in proposal.definition["map"])
    assert "UserGems__New_Account__r.Name" in proposal.definition["map"]
    assert await org.sources.propose("T1", "Lead:joined") is None
    assert await org.sources.propose("T1", "No_Such_Object__c") is None
    assert await org.sources.propose("T1", "../../oauth2") is None


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"map": {"Id, (SELECT Id FROM Contacts)": "person.full_name"}},
        {"map": {"Name": "person.full_name"}, "where": [["Name", "LIKE", "x"]]},
        {"map": {"Name": "person.full_name"}, "where": [["Name = 'x' OR Name", "=", "x"]]},
        {"map": {"Name": "person.full_name"}, "where": [["Name", "=", None]]},
        {"map": {"Name": "person.full_name"}, "event": "Id"},
        {"map": {"Name": "person.full_name"}, "dated_by": "1=1"},
        {"map": {"Name": "person.full_name"}, "where": 5, "more": 1},
    ],
)
async def test_only_valid_names_are_used_in_a_query(org: Org, definition: object) -> None:
    """Anything else is refused before Salesforce is called."""
    with pytest.raises(InvalidJobChangeError):
        await org.sources.preview("T1", "Job_Move__c", definition)
    assert org.sandbox.calls == []


async def test_a_value_never_changes_the_query(org: Org) -> None:
    """Quotes in a condition are escaped."""
    await org.choose(where=[["Stage__c", "=", "it's' OR Name != '"]])
    org.move("Ada Smith")
    await org.poll()
    assert await org.count_accepted() == 0
    assert (await only_source(org)).problem is None


@pytest.mark.both_databases
async def test_a_refused_record_has_a_reason_and_does_not_block_others(org: Org) -> None:
    """Once it is corrected in Salesforce, it is imported."""
    await org.choose()
    broken = org.move("Nobody", Work_Email__c="not an address")
    org.move("Ada Smith")
    await org.poll()
    source = await only_source(org)
    assert (source.found, source.refused) == (1, 1)
    assert broken in str(source.refusal)
    org.sandbox.org.update(broken, Work_Email__c="nobody@globex.example")
    await org.poll()
    assert await org.count_accepted() == 2


async def test_at_the_orgs_api_limit_the_import_waits(org: Org) -> None:
    """REQUEST_LIMIT_EXCEEDED is not a failure. The import continues later, and nothing is lost."""
    await org.choose()
    org.move("Ada Smith")
    org.sandbox.faults.add("query", error="REQUEST_LIMIT_EXCEEDED")
    await org.poll()
    org.sandbox.calls.clear()
    await org.poll()
    assert org.sandbox.calls == []
    assert (await only_source(org)).failures == 0
    org.clock.advance(seconds=16 * 60)
    await org.poll()
    assert await org.count_accepted() == 1


async def test_the_import_keeps_to_the_daily_api_limit(org: Org) -> None:
    """It stops before lookups do, and continues the next day."""
    await org.choose()
    await org.database.run(workspaces.change, "T1", None, salesforce_daily_calls=5)
    for _ in range(10):
        await org.poll()
    calls = len(org.sandbox.calls_of("query", "sobjects"))
    assert calls <= 5
    assert "daily limit of 5 " in str((await only_source(org)).problem)
    org.move("Ada Smith")
    org.clock.advance(seconds=86_400)
    await org.poll()
    assert await org.count_accepted() == 1


async def test_an_outage_is_transient(org: Org) -> None:
    """An expired session is renewed too."""
    await org.choose()
    org.move("Ada Smith")
    org.sandbox.faults.add("query", status=503)
    await org.poll()
    assert await org.count_accepted() == 0
    org.sandbox.expire_sessions()
    org.clock.advance(seconds=300)
    await org.poll()
    assert await org.count_accepted() == 1
    assert (await only_source(org)).problem is None


async def test_a_session_may_expire_between_two_pages(database: Database, clock: Clock) -> None:
    """It is renewed, and reading continues."""
    async with org_beside(database, clock, page_size=2) as org:
        await org.choose()
        for number in range(6):
            org.move(f"Person{number} Smith")
        answer, asked = org.sandbox.api.answer, 0

        def ending(request: Request) -> Answer:
            nonlocal asked
            asked += 1
            if asked == 2:
                org.sandbox.expire_sessions()
            return answer(request)

        org.sandbox.api.answer = ending  # type: ignore[method-assign]
        org.sandbox.calls.clear()
        await org.poll()
        assert await org.count_accepted() == 6
        assert [call.kind for call in org.sandbox.calls].count("token") == 1


async def test_a_malformed_query_needs_an_admin(org: Org) -> None:
    """MALFORMED_QUERY does not resolve itself, so it is retried only later."""
    await org.choose()
    org.sandbox.faults.add("query", error="MALFORMED_QUERY", times=2)
    await org.poll()
    assert "MALFORMED_QUERY" in str((await only_source(org)).problem)
    assert await org.poll() is False


ADA = {"Id": "a02000000000001AAA", "Full_Name__c": "Ada Smith", "New_Company__c": "Globex"}


@pytest.mark.parametrize(
    "content",
    [
        7,
        {"done": False},
        {"done": False, "records": []},
        {"done": True, "records": 7},
        {"done": True, "records": [ADA]},
        {"done": True, "records": [ADA | {"SystemModstamp": "yesterday"}]},
        {"done": True, "records": [{"SystemModstamp": "2026-11-20T09:30:00.000+0000", "Full_Name__c": "Ada Smith"}]},
        {"done": True, "records": [ADA | {"SystemModstamp": "2026-11-20T09:30:00"}]},
    ],
    ids=str,
)
async def test_an_invalid_answer_is_retried_with_one_call_per_poll(org: Org, content: object) -> None:
    """Nothing of it is imported, and the problem is shown."""
    await org.choose()
    org.clock.advance(seconds=1)
    answer = org.sandbox.api.answer
    org.sandbox.api.answer = lambda _request: Answer(200, content)  # type: ignore[method-assign]
    org.sandbox.calls.clear()
    async with asyncio.timeout(20):
        await org.poll()
    assert len(org.sandbox.calls_of("query")) == 1
    assert (await org.count_accepted(), "invalid answer" in str((await only_source(org)).problem)) == (0, True)

    org.sandbox.api.answer = answer  # type: ignore[method-assign]
    org.move("Ada Smith")
    await org.poll()
    assert (await org.count_accepted(), (await only_source(org)).problem) == (1, None)


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, {}), Answer(200, [])], ids=str)
async def test_blocked_queries_are_shown_as_a_problem(org: Org, answer: Answer) -> None:
    """A gateway may block queries, and repeating them would use up the org's API calls."""
    await org.choose()
    original = org.sandbox.api.answer

    def gateway(request: Request) -> Answer:
        return answer if "/query" in request.path else original(request)

    org.sandbox.api.answer = gateway  # type: ignore[method-assign]
    org.sandbox.calls.clear()
    async with asyncio.timeout(20):
        await org.poll()
    assert len(org.sandbox.calls_of("query")) <= 2
    assert "query resource" in str((await only_source(org)).problem)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ({"fields": [{"name": "Id"}, {"label": "Nameless"}]}, ["Id"]),
        ({"fields": [{"name": "Stage__c", "picklistValues": [{"label": "New"}], "referenceTo": 7}]}, ["Stage__c"]),
        ({"name": "Job_Move__c"}, None),
        ([{}], None),
        ({"fields": "none"}, None),
    ],
    ids=str,
)
async def test_a_describe_is_read_as_far_as_it_is_valid(org: Org, content: object, fields: list[str] | None) -> None:
    """Fields without a name are skipped; an answer without fields is transient."""
    org.sandbox.api.answer = lambda _request: Answer(200, content)  # type: ignore[method-assign]
    describe = org.replicas[0].describe
    if fields is None:
        with pytest.raises(TransientError):
            await describe.object("T1", "Job_Move__c")
        return

    described = await describe.object("T1", "Job_Move__c")
    assert described is not None
    assert (described.name, list(described.fields)) == ("Job_Move__c", fields)


async def test_records_without_an_event_id_are_identified_by_their_record_id(org: Org) -> None:
    """An admin chooses the field that identifies events, but it may be empty."""
    await org.choose(event=["Stage__c"])
    org.move("Ada Smith", Stage__c="E-1")
    org.move("Ada Smith", Stage__c="E-1")
    org.move("Dana Reyes")
    org.move("Lee Park")
    await org.poll()
    assert await org.count_accepted() == 3


@pytest.mark.both_databases
async def test_a_source_can_be_paused_and_removed(org: Org) -> None:
    """A resumed source continues where it stopped."""
    await org.choose()
    await org.sources.set_state("T1", "U1", "Job_Move__c", PAUSED)
    org.move("Ada Smith")
    assert await org.poll() is False
    await org.sources.set_state("T1", "U1", "Job_Move__c", ACTIVE)
    assert await org.poll() is True
    assert await org.count_accepted() == 1
    assert await org.sources.set_state("T1", "U1", "Job_Move__c", None) is True
    assert await org.sources.set_state("T1", "U1", "Job_Move__c", None) is False
    assert await org.poll() is False


@pytest.mark.both_databases
async def test_another_org_is_not_read_with_the_definition_of_the_first(org: Org) -> None:
    """An admin has to add the object again."""
    await org.choose()
    org.move("Ada Smith")
    await org.database.run(
        lambda connection: connection.execute(sources.table.update().values(org_id="00D000000000001"))
    )
    await org.poll()
    assert await org.count_accepted() == 0
    assert "another org" in str((await only_source(org)).problem)


@pytest.mark.both_databases
async def test_one_replica_reads_a_workspace_at_a_time(org: Org) -> None:
    """All its sources share a lease, which another replica takes over after it expires."""
    await org.choose()
    await org.choose("UserGems__UserGem__c")
    lease = await org.database.run(sources.claim, org.clock(), LEASE_MS)
    assert lease is not None
    assert len(lease.sources) == 2
    assert await org.replica().poller.poll() is False
    org.clock.advance(seconds=LEASE_MS / 1_000)
    assert await org.replica().poller.poll() is True
    assert await org.database.run(sources.extend, lease, org.clock()) is False


@pytest.mark.both_databases
async def test_all_records_are_imported_once_when_a_replica_dies(database: Database, clock: Clock) -> None:
    """Two thousand records are read by two replicas, one of which is stopped at any point."""
    async with org_beside(database, clock, page_size=200) as org:
        await org.choose()
        for number in range(2_000):
            org.move(f"Person{number} Smith", Work_Email__c=f"p{number}@globex.example")
            if number % 300 == 0:
                clock.advance(seconds=1)
        clock.advance(seconds=61)
        own = Database(database.engine.url.render_as_string(hide_password=False))
        first = asyncio.create_task(org.poller.poll())
        while not 200 <= await org.count_accepted() < 2_000:  # noqa: ASYNC110 - there is nothing to wait for but the rows
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = org.replica(own, page_size=200)
        for _ in range(3):
            clock.advance(seconds=LEASE_MS / 1_000 + 61)
            await asyncio.gather(org.poller.poll(), second.poller.poll())
        assert await org.count_accepted() == 2_000
        events = [payload["source_event_id"] for payload in await payloads(org)]
        assert len(set(events)) == 2_000
        await second.salesforce.close()
        await own.close()


async def test_without_a_connection_a_source_waits(org: Org) -> None:
    """It continues once Salesforce is connected, and dialogs show what is missing."""
    await org.choose()
    alone = org.replica()
    object.__setattr__(alone.sessions, "client_id", None)
    org.move("Ada Smith")
    await org.poll(alone)
    assert (await only_source(org)).problem == "Salesforce is not connected"
    with pytest.raises(PermanentError, match="not connected"):
        await alone.sources.start(
            "T1", "U1", Proposal("Job_Move__c", "Job_Move__c", "Moves", {"map": {"Name": "persona"}})
        )


@pytest.mark.parametrize("kind", ["date", "datetime"])
@pytest.mark.parametrize("stated", ["2026-11-01", "2026-11-01T00:00:00Z"])
async def test_conditions_have_the_type_of_their_field(org: Org, kind: str, stated: str) -> None:
    """A time of day compared with a date is refused by Salesforce, in the preview and at every poll."""
    org.sandbox.org.add_field("Job_Move__c", Field("Moved__c", kind))
    where = [["Moved__c", ">=", stated]]
    await org.choose(dated_by="Moved__c", where=where)
    org.move(Moved__c="2026-11-20" if kind == "date" else "2026-11-20T09:30:00.000+0000")

    await org.poll()

    (source,) = await org.sources.all_of("T1")
    assert (source.problem, await org.count_accepted()) == (None, 1)


async def test_a_condition_on_an_encrypted_field_is_refused_with_the_reason(org: Org) -> None:
    """The describe says that it cannot be searched."""
    org.sandbox.org.encrypt_field("Job_Move__c", "Stage__c")
    with pytest.raises(PermanentError, match="Stage__c of Job_Move__c cannot have a condition"):
        await org.choose(where=[["Stage__c", "=", "Done"]])


async def test_custom_settings_are_not_offered(org: Org) -> None:
    """They hold the configuration of packages, not job changes."""
    org.sandbox.org.define(SObject("Package_Settings__c", "a09", MOVE.fields, is_custom_setting=True))
    assert "Package_Settings__c" not in [proposal.name for proposal in await org.sources.candidates("T1")]


def test_the_next_page_starts_by_the_index() -> None:
    """Salesforce can use the index of SystemModstamp only if it is not one of several alternatives."""
    query = SourceQuery.parse("Contact", {"map": {"Name": "person.full_name"}})
    soql = query.page(start=0, since=0, after=Cursor("2026-11-20T09:30:00.000+0000", "003000000000001AAA"), most=10)
    where = parse(soql).where
    assert isinstance(where, AllOf)
    assert [type(condition) for condition in where.conditions[:2]] == [Compare, AnyOf]
    assert where.conditions[0].operator == ">="  # type: ignore[union-attr]
