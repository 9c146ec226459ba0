"""Job changes found in Salesforce, over real HTTP: each told once, whatever happens on the way."""

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
from sandbox.salesforce.schema import Field, lookup
from services.intake.salesforce.poller import LEASE_MS
from services.intake.salesforce.presets import Proposal
from services.messages.wording import one_line
from store.database import Database
from store.salesforce import sources
from store.schema import job_changes
from store.slack import workspaces
from tests.conftest import Clock
from tests.services.intake.salesforce_org import Org, org_beside


@pytest.fixture
async def org(database: Database, clock: Clock) -> AsyncIterator[Org]:
    async with org_beside(database, clock) as org:
        yield org


async def the_source(org: Org) -> Source:
    (only,) = await org.source.all_of("T1")
    return only


async def payloads(org: Org) -> list[dict[str, object]]:
    rows = await org.database.run(
        lambda connection: connection.execute(select(job_changes.c.payload).order_by(job_changes.c.id)).scalars().all()
    )
    return [json.loads(row) for row in rows]


async def test_a_job_change_is_found_and_told_like_any_other(org: Org) -> None:
    """The record's id is the event's; found again, it is the same job change."""
    await org.choose()
    record = org.move("Ada Smith", Previous_Company__c="Initech")
    await org.detect_format()
    await org.detect_format()

    (found,) = await payloads(org)
    assert (found["source"], found["source_event_id"]) == ("salesforce:Job_Move__c", record)
    assert found["person"] == {"full_name": "Ada Smith", "emails": ["ada@globex.example"]}
    assert (found["change_type"], found["signal"]) == ("new_company", "contact_tracking")
    assert (await the_source(org)).problem is None


async def test_it_starts_from_now(org: Org) -> None:
    """What was there before is not told, not even when somebody changes it for another reason."""
    old = org.move("Old News")
    org.clock.advance(seconds=1)
    await org.choose()
    org.move("Ada Smith")
    await org.detect_format()
    org.sandbox.org.update(old, Stage__c="Archived")
    await org.detect_format()
    assert [found["person"]["full_name"] for found in await payloads(org)] == ["Ada Smith"]  # type: ignore[index]


async def test_a_back_fill_is_counted_before_it_is_told(org: Org) -> None:
    """As many days as were asked for, and no more."""
    org.move("Long Ago")
    org.clock.advance(seconds=10 * 86_400)
    org.move("Last Week")
    org.clock.advance(seconds=2 * 86_400)
    proposal = await org.source.propose("T1", "Job_Move__c")
    assert proposal is not None
    preview = await org.source.preview("T1", proposal.sobject, proposal.definition, 7)
    assert preview.count == 1
    await org.choose(days=7)
    await org.detect_format()
    assert await org.told() == 1


async def test_the_last_five_are_shown_as_they_would_be_told(org: Org) -> None:
    """The newest first; one that would be refused says why."""
    for number in range(6):
        org.move(f"Person{number} Smith")
        org.clock.advance(seconds=1)
    org.move("Nobody", New_Company__c=None)
    proposal = await org.source.propose("T1", "Job_Move__c")
    assert proposal is not None
    preview = await org.source.preview("T1", proposal.sobject, proposal.definition)
    assert len(preview.lines) == 5
    assert "current.company is required" in str(preview.lines[0].refusal)
    assert "Person5 Smith joined Globex" in one_line(preview.lines[1].job_change)
    assert await org.told() == 0


async def test_the_usergems_object_is_understood(org: Org) -> None:
    """Past and new account, the contact from before, relationship: from what the org's describe says."""
    sandbox = org.sandbox
    initech, globex = sandbox.add("Account", Name="Initech"), sandbox.add("Account", Name="Globex")
    ada = sandbox.add("Contact", FirstName="Ada", LastName="Smith", Email="ada@initech.example", AccountId=initech)
    candidates = await org.source.candidates("T1")
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
    await org.detect_format()
    (found,) = await payloads(org)
    assert found["person"] == {"full_name": "Ada Smith", "emails": ["ada@initech.example"]}
    assert found["previous"] == {"company": {"name": "Initech", "salesforce_id": initech}}
    assert found["current"] == {"title": "CRO", "company": {"name": "Globex", "salesforce_id": globex}}
    assert (found["relationship"], found["occurred_on"]) == ("Champion", "2026-11-01")
    assert found["salesforce"] == {"contact_id": ada}


async def test_people_are_found_who_left_and_who_joined(org: Org) -> None:
    """Fields on Contact: a date when somebody left, and a past account where somebody came from; both may be had."""
    org.sandbox.org.add_field("Contact", Field("UserGems__No_Longer_at_Company__c", "date"))
    org.sandbox.org.add_field("Contact", lookup("UserGems__Past_Account__c", "Account"))
    names = [each.name for each in await org.source.candidates("T1")]
    assert {"Contact:left", "Contact:joined"} <= set(names)
    await org.choose("Contact:left")
    await org.choose("Contact:joined")
    initech, globex = org.sandbox.add("Account", Name="Initech"), org.sandbox.add("Account", Name="Globex")
    left = org.sandbox.add("Contact", LastName="Smith", Email="ada@initech.example", AccountId=initech)
    await org.detect_format()
    assert await org.told() == 0
    org.sandbox.org.update(left, UserGems__No_Longer_at_Company__c="2026-11-01")
    org.sandbox.add("Contact", LastName="Lee", AccountId=globex, UserGems__Past_Account__c=initech)
    await org.detect_format()
    found = {each["person"]["full_name"]: each for each in await payloads(org)}  # type: ignore[index]
    assert found["Smith"]["change_type"] == "departure"
    assert found["Smith"]["previous"] == {"company": {"name": "Initech", "salesforce_id": initech}}
    assert found["Lee"]["change_type"] == "new_company"
    assert found["Lee"]["current"] == {"company": {"name": "Globex", "salesforce_id": globex}}

    org.sandbox.org.update(left, UserGems__No_Longer_at_Company__c="2026-11-20")
    await org.detect_format()
    assert await org.told() == 3  # another date is another job change


async def test_somebody_who_left_years_ago_is_no_news(org: Org) -> None:
    """Their record may be changed today for any reason."""
    org.sandbox.org.add_field("Contact", Field("No_Longer_at_Company__c", "date"))
    await org.choose("Contact:left")
    initech = org.sandbox.add("Account", Name="Initech")
    org.sandbox.add("Contact", LastName="Old", AccountId=initech, No_Longer_at_Company__c="2019-01-01")
    await org.detect_format()
    assert await org.told() == 0


async def test_what_changed_in_the_same_moment_is_not_skipped_at_a_page(database: Database, clock: Clock) -> None:
    """Seven records of one second, three a page."""
    async with org_beside(database, clock, page_size=3) as org:
        await org.choose()
        clock.advance(seconds=5)
        for number in range(7):
            org.move(f"Person{number} Smith")
        org.sandbox.calls.clear()
        await org.detect_format()
        assert await org.told() == 7
        assert len(org.sandbox.calls_of("query")) == 3


async def test_an_answer_may_be_shorter_than_what_was_asked_for(org: Org) -> None:
    """Salesforce sends fewer long records at once: reading goes on behind the last one."""
    org.sandbox.api.page_size = 4
    await org.choose()
    for number in range(10):
        org.move(f"Person{number} Smith")
    await org.detect_format()
    assert await org.told() == 10


async def test_a_change_that_became_visible_late_is_found(org: Org) -> None:
    """A transaction may take ten minutes, and its records carry the time at which they were written."""
    await org.choose()
    late = org.move("Late Lee")
    org.sandbox.org.hide_record(late)
    org.clock.advance(seconds=5 * 60)
    org.move("Ada Smith")
    await org.detect_format()
    assert await org.told() == 1
    org.sandbox.org._hidden_records.clear()
    await org.detect_format()
    assert await org.told() == 2


@pytest.mark.parametrize("minutes", [-30, 30])
async def test_our_clock_may_be_wrong(org: Org, minutes: int) -> None:
    """What counts is Salesforce's own time: ahead or behind, nothing is lost and nothing told twice."""
    sandbox_clock = Clock(org.clock.now)
    org.sandbox.org.now = lambda: sandbox_clock() / 1_000
    org.move("Old News")
    org.clock.advance(seconds=minutes * 60)
    sandbox_clock.advance(seconds=1)
    await org.choose()
    for number in range(3):
        org.move(f"Person{number} Smith")
        sandbox_clock.advance(seconds=61)
        await org.detect_format()
    assert await org.told() == 3


async def test_what_may_not_be_read_is_named_and_the_rest_goes_on(org: Org) -> None:
    """Field-level security hides a field that is used: the source says so, and job changes are told without it."""
    await org.choose()
    org.move("Ada Smith", Previous_Company__c="Initech")
    org.sandbox.org.hide_field("Job_Move__c", "Previous_Company__c")
    await org.detect_format()
    (found,) = await payloads(org)
    assert not found.get("previous")
    assert (await the_source(org)).problem == "we may not read Previous_Company__c"


async def test_without_what_it_depends_on_a_source_waits_for_an_admin(org: Org) -> None:
    """A condition that cannot be checked would tell what nobody asked for."""
    await org.choose(where=[["Stage__c", "=", "Done"]])
    org.move("Ada Smith", Stage__c="Done")
    org.sandbox.org.hide_field("Job_Move__c", "Stage__c")
    await org.detect_format()
    assert await org.told() == 0
    assert "Stage__c" in str((await the_source(org)).problem)
    org.sandbox.org._hidden_fields.clear()
    org.clock.advance(seconds=15 * 60)
    await org.detect_format()
    assert await org.told() == 1


async def test_an_org_that_lacks_fields_is_proposed_without_them(org: Org) -> None:
    """No object, no way to one, and no field stands in a proposal that the org does not have."""
    org.sandbox.org.hide_field("Account", "Website")
    org.sandbox.org.hide_type("Lead")
    proposal = await org.source.propose("T1", "UserGems__UserGem__c")
    assert proposal is not None
    assert not any("Website" in path for path in proposal.definition["map"])
    assert "UserGems__New_Account__r.Name" in proposal.definition["map"]
    assert await org.source.propose("T1", "Lead:joined") is None
    assert await org.source.propose("T1", "No_Such_Object__c") is None
    assert await org.source.propose("T1", "../../oauth2") is None


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
async def test_only_names_get_into_a_query(org: Org, definition: object) -> None:
    """What is not one is refused before anything is asked."""
    with pytest.raises(InvalidJobChangeError):
        await org.source.preview("T1", "Job_Move__c", definition)
    assert org.sandbox.calls == []


async def test_values_are_values(org: Org) -> None:
    """Quotes in a condition stay inside it."""
    await org.choose(where=[["Stage__c", "=", "it's' OR Name != '"]])
    org.move("Ada Smith")
    await org.detect_format()
    assert await org.told() == 0
    assert (await the_source(org)).problem is None


@pytest.mark.both_databases
async def test_a_record_that_is_refused_says_why_and_holds_up_nobody(org: Org) -> None:
    """Mended in Salesforce, it is told."""
    await org.choose()
    broken = org.move("Nobody", Work_Email__c="not an address")
    org.move("Ada Smith")
    await org.detect_format()
    source = await the_source(org)
    assert (source.found, source.refused) == (1, 1)
    assert broken in str(source.refusal)
    org.sandbox.org.update(broken, Work_Email__c="nobody@globex.example")
    await org.detect_format()
    assert await org.told() == 2


async def test_at_the_orgs_limit_everybody_waits(org: Org) -> None:
    """REQUEST_LIMIT_EXCEEDED is no error: looking goes on once it is over, and nothing is lost."""
    await org.choose()
    org.move("Ada Smith")
    org.sandbox.faults.add("query", error="REQUEST_LIMIT_EXCEEDED")
    await org.detect_format()
    org.sandbox.calls.clear()
    await org.detect_format()
    assert org.sandbox.calls == []
    assert (await the_source(org)).failures == 0
    org.clock.advance(seconds=16 * 60)
    await org.detect_format()
    assert await org.told() == 1


async def test_our_share_of_the_day_is_kept_to(org: Org) -> None:
    """Looking stops before telling does; the next day there is a new share."""
    await org.choose()
    await org.database.run(workspaces.change, "T1", None, salesforce_daily_calls=5)
    for _ in range(10):
        await org.detect_format()
    calls = len(org.sandbox.calls_of("query", "sobjects"))
    assert calls <= 5
    assert "share of 5" in str((await the_source(org)).problem)
    org.move("Ada Smith")
    org.clock.advance(seconds=86_400)
    await org.detect_format()
    assert await org.told() == 1


async def test_an_outage_passes(org: Org) -> None:
    """And a session that ends in the middle is renewed."""
    await org.choose()
    org.move("Ada Smith")
    org.sandbox.faults.add("query", status=503)
    await org.detect_format()
    assert await org.told() == 0
    org.sandbox.expire_sessions()
    org.clock.advance(seconds=300)
    await org.detect_format()
    assert await org.told() == 1
    assert (await the_source(org)).problem is None


async def test_a_session_may_end_between_two_pages(database: Database, clock: Clock) -> None:
    """It is renewed, and reading goes on where it stood."""
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
        await org.detect_format()
        assert await org.told() == 6
        assert [call.kind for call in org.sandbox.calls].count("token") == 1


async def test_a_query_that_salesforce_cannot_read_is_an_admins_to_mend(org: Org) -> None:
    """MALFORMED_QUERY will not pass by itself: it is said, and looked at again only after a while."""
    await org.choose()
    org.sandbox.faults.add("query", error="MALFORMED_QUERY", times=2)
    await org.detect_format()
    assert "MALFORMED_QUERY" in str((await the_source(org)).problem)
    assert await org.detect_format() is False


ADA = {"Id": "a02000000000001AAA", "Full_Name__c": "Ada Smith", "New_Company__c": "Globex"}


@pytest.mark.parametrize(
    "told",
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
async def test_an_answer_of_another_shape_is_tried_again_and_no_storm(org: Org, told: object) -> None:
    """Nothing is taken in that could not be told from what comes next; it is said, and costs a call a look."""
    await org.choose()
    org.clock.advance(seconds=1)
    answer = org.sandbox.api.answer
    org.sandbox.api.answer = lambda _request: Answer(200, told)  # type: ignore[method-assign]
    org.sandbox.calls.clear()
    async with asyncio.timeout(20):
        await org.detect_format()
    assert len(org.sandbox.calls_of("query")) == 1
    assert (await org.told(), "invalid answer" in str((await the_source(org)).problem)) == (0, True)

    org.sandbox.api.answer = answer  # type: ignore[method-assign]
    org.move("Ada Smith")
    await org.detect_format()
    assert (await org.told(), (await the_source(org)).problem) == (1, None)


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, {}), Answer(200, [])], ids=str)
async def test_where_queries_are_not_let_through_an_admin_is_told(org: Org, answer: Answer) -> None:
    """A gateway may not know the way: asking again at once would use up the org's calls."""
    await org.choose()
    known = org.sandbox.api.answer

    def gateway(request: Request) -> Answer:
        return answer if "/query" in request.path else known(request)

    org.sandbox.api.answer = gateway  # type: ignore[method-assign]
    org.sandbox.calls.clear()
    async with asyncio.timeout(20):
        await org.detect_format()
    assert len(org.sandbox.calls_of("query")) <= 2
    assert "query resource" in str((await the_source(org)).problem)


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        ({"fields": [{"name": "Id"}, {"label": "Nameless"}]}, ["Id"]),
        ({"fields": [{"name": "Stage__c", "picklistValues": [{"label": "New"}], "referenceTo": 7}]}, ["Stage__c"]),
        ({"name": "Job_Move__c"}, None),
        ([{}], None),
        ({"fields": "none"}, None),
    ],
    ids=str,
)
async def test_a_describe_is_read_as_far_as_it_makes_sense(org: Org, told: object, fields: list[str] | None) -> None:
    """What has no name cannot be named; what is no describe may be tried again."""
    org.sandbox.api.answer = lambda _request: Answer(200, told)  # type: ignore[method-assign]
    describe = org.replicas[0].describe
    if fields is None:
        with pytest.raises(TransientError):
            await describe.object("T1", "Job_Move__c")
        return

    described = await describe.object("T1", "Job_Move__c")
    assert described is not None
    assert (described.name, list(described.fields)) == ("Job_Move__c", fields)


async def test_records_without_what_tells_them_apart_are_told_apart_by_their_ids(org: Org) -> None:
    """An admin names the field that tells events apart; where it is empty, two people are not one event."""
    await org.choose(event=["Stage__c"])
    org.move("Ada Smith", Stage__c="E-1")
    org.move("Ada Smith", Stage__c="E-1")
    org.move("Dana Reyes")
    org.move("Lee Park")
    await org.detect_format()
    assert await org.told() == 3


@pytest.mark.both_databases
async def test_a_source_can_be_paused_and_removed(org: Org) -> None:
    """Paused, it is read from where it stood once it goes on."""
    await org.choose()
    await org.source.set_state("T1", "U1", "Job_Move__c", PAUSED)
    org.move("Ada Smith")
    assert await org.detect_format() is False
    await org.source.set_state("T1", "U1", "Job_Move__c", ACTIVE)
    assert await org.detect_format() is True
    assert await org.told() == 1
    assert await org.source.set_state("T1", "U1", "Job_Move__c", None) is True
    assert await org.source.set_state("T1", "U1", "Job_Move__c", None) is False
    assert await org.detect_format() is False


@pytest.mark.both_databases
async def test_another_org_is_not_read_with_the_rules_of_the_first(org: Org) -> None:
    """Its records are other people's: an admin chooses again."""
    await org.choose()
    org.move("Ada Smith")
    await org.database.run(
        lambda connection: connection.execute(sources.table.update().values(org_id="00D000000000001"))
    )
    await org.detect_format()
    assert await org.told() == 0
    assert "another org" in str((await the_source(org)).problem)


@pytest.mark.both_databases
async def test_one_replica_reads_a_workspace_at_a_time(org: Org) -> None:
    """Also when it has several sources; who dies is followed once the lease has run out."""
    await org.choose()
    await org.choose("UserGems__UserGem__c")
    turn = await org.database.run(sources.claim, org.clock(), LEASE_MS)
    assert turn is not None
    assert len(turn.sources) == 2
    assert await org.replica().poller.poll() is False
    org.clock.advance(seconds=LEASE_MS / 1_000)
    assert await org.replica().poller.poll() is True
    assert await org.database.run(sources.extend, turn, org.clock()) is False


@pytest.mark.both_databases
async def test_all_are_found_once_by_two_replicas_one_of_which_dies(database: Database, clock: Clock) -> None:
    """Two thousand records; the first replica is stopped in the middle of its work, wherever that is."""
    async with org_beside(database, clock, page_size=200) as org:
        await org.choose()
        for number in range(2_000):
            org.move(f"Person{number} Smith", Work_Email__c=f"p{number}@globex.example")
            if number % 300 == 0:
                clock.advance(seconds=1)
        clock.advance(seconds=61)
        own = Database(database.engine.url.render_as_string(hide_password=False))
        first = asyncio.create_task(org.poller.poll())
        while not 200 <= await org.told() < 2_000:  # noqa: ASYNC110 - there is nothing to wait for but the rows
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = org.replica(own, page_size=200)
        for _ in range(3):
            clock.advance(seconds=LEASE_MS / 1_000 + 61)
            await asyncio.gather(org.poller.poll(), second.poller.poll())
        assert await org.told() == 2_000
        events = [each["source_event_id"] for each in await payloads(org)]
        assert len(set(events)) == 2_000
        await second.salesforce.close()
        await own.close()


async def test_nothing_is_looked_for_without_a_connection(org: Org) -> None:
    """Disconnected, a source waits; what an admin asks for says what is missing."""
    await org.choose()
    alone = org.replica()
    object.__setattr__(alone.sessions, "client_id", None)
    org.move("Ada Smith")
    await org.detect_format(alone)
    assert (await the_source(org)).problem == "Salesforce is not connected"
    with pytest.raises(PermanentError, match="not connected"):
        await alone.source.start(
            "T1", "U1", Proposal("Job_Move__c", "Job_Move__c", "Moves", {"map": {"Name": "persona"}})
        )
