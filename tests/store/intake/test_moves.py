"""One move that several senders report is one job change, on both databases and in any order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select, update

from domain.decision.reasons import ReasonCode
from domain.job_change.model import JobChange
from domain.job_change.moves import move_keys
from domain.job_change.new import NewJobChange
from domain.states import Outcome
from store.database import Database
from store.home import counts
from store.intake import job_changes, moves
from store.intake.job_changes import Added
from store.schema import attached_reports, known_moves, workspaces
from store.schema import job_changes as table
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace

DAY_MS = 24 * 60 * 60 * 1_000


@pytest.fixture(autouse=True)
async def workspace(database):
    return await database.run(add_workspace)


def report(source: str, at: int = SOMEDAY, **fields: Any) -> NewJobChange:
    """Ada joins Globex, as this source reports it. `emails` and others replace what it knows."""
    person = {"full_name": "Ada Smith", "emails": ["ada@initech.example"]} | fields.pop("person", {})
    company = fields.pop("company", {"name": "Globex Inc.", "domain": "globex.example"})
    raw = {
        "source": source,
        "source_event_id": fields.pop("event", "1"),
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": person,
        "current": {"company": company},
    }
    change = JobChange.parse(raw | fields)
    return NewJobChange("T1", change.key(None), source, change.to_stored(), at, move_keys(change))  # type: ignore[arg-type]


async def add(database: Database, *reports: NewJobChange) -> list[Added]:
    return [added for added in await database.run(job_changes.add, list(reports)) if added]


BY_LINKEDIN = {"emails": [], "linkedin_url": "https://www.linkedin.com/in/ada"}


@pytest.mark.parametrize(
    "later",
    [
        report("b"),
        report("b", company={"name": "GLOBEX, Ltd"}),
        report("b", company={"domain": "www.globex.example"}),
        report("b", change_type="new_hire"),
        report("b", person={"emails": ["ada@home.example", "ADA@initech.example"]}),
    ],
    ids=["same", "name", "domain", "new hire", "one of several addresses"],
)
async def test_a_second_report_is_attached_to_the_first(database, later):
    """It has an outcome at once, so it is never routed."""
    [first] = await add(database, report("a"))
    [second] = await add(database, later)

    assert (second.is_new, second.attached_to) == (True, first.id)
    stored = await database.run(job_changes.find, "T1", second.id)
    assert (stored.outcome, stored.attached_to, stored.ended_at) == (Outcome.ATTACHED, first.id, SOMEDAY)
    assert (stored.reason, stored.reasons) == (None, (ReasonCode.REPORTED_BEFORE.of(),))
    stored = await database.run(job_changes.find, "T1", first.id)
    assert (stored.outcome, [report.source for report in stored.reports]) == (None, ["b"])
    assert await database.run(due) == [first.id]


async def test_a_report_that_an_earlier_version_attached_has_the_same_reason(database):
    """It stored a sentence."""
    await add(database, report("a"))
    [second] = await add(database, report("b"))
    sentence = update(table).where(table.c.id == second.id).values(reason="another sender has reported the move")
    await database.run(lambda connection: connection.execute(sentence))

    stored = await database.run(job_changes.find, "T1", second.id)
    assert stored.reasons == (ReasonCode.REPORTED_BEFORE.of(),)


def due(connection) -> list[str]:
    return list(connection.execute(select(table.c.id).where(table.c.due_at.is_not(None))).scalars())


@pytest.mark.parametrize(
    "other",
    [
        report("b", person={"emails": ["bob@initech.example"]}),
        report("b", company={"name": "Hooli", "domain": "hooli.example"}),
        report("b", change_type="lateral"),
        report("b", change_type="departure", previous={"company": {"name": "Globex"}}),
        report("a", event="2"),
        report("b", at=SOMEDAY + 31 * DAY_MS),
    ],
    ids=["person", "company", "lateral", "departure", "same sender", "a month later"],
)
async def test_another_move_is_a_job_change_of_its_own(database, other):
    """Another person, company or kind of change; the same sender, who tells its moves apart; or much later."""
    [first] = await add(database, report("a"))
    [second] = await add(database, other)

    assert second.attached_to is None
    assert set(await database.run(due)) == {first.id, second.id}


async def test_a_third_report_may_share_only_what_the_second_one_added(database):
    """The chain leads to the first."""
    [first] = await add(database, report("a"))
    await add(database, report("b", person={"linkedin_url": "https://www.linkedin.com/in/ada"}))
    [third] = await add(database, report("c", person=BY_LINKEDIN))

    assert third.attached_to == first.id


@pytest.mark.parametrize("in_one_group", [False, True])
async def test_a_person_may_move_twice_within_a_month(database, in_one_group):
    """Each report is attached to that of the same company, and each move is remembered for a month of its own."""
    hooli, initech = {"name": "Hooli"}, {"name": "Initech"}
    reports = [
        report("a"),
        report("b", at=SOMEDAY + 20 * DAY_MS, company=hooli),
        report("c", at=SOMEDAY + 20 * DAY_MS, company=initech),
        report("d", at=SOMEDAY + 21 * DAY_MS),
        report("d", at=SOMEDAY + 21 * DAY_MS, company=hooli, event="2"),
    ]
    groups = [reports] if in_one_group else [[new] for new in reports]
    globex, at_hooli, at_initech, again, hooli_again = [
        added for group in groups for added in await add(database, *group)
    ]

    assert [added.attached_to for added in (globex, at_hooli, at_initech)] == [None, None, None]
    assert (again.attached_to, hooli_again.attached_to) == (globex.id, at_hooli.id)
    later = [
        report("e", at=SOMEDAY + 31 * DAY_MS, event="1"),
        report("e", at=SOMEDAY + 31 * DAY_MS, event="2", company=initech),
    ]
    assert [added.attached_to for added in await add(database, *later)] == [None, at_initech.id]


async def test_of_an_address_that_many_people_share_only_the_latest_moves_are_remembered(database):
    """A sender may fill in the same address for everybody, and each of its reports would cost more than the last."""
    companies = [{"name": f"Company {number}"} for number in range(moves.MOST_MOVES + 1)]
    for number, company in enumerate(companies):
        await add(database, report("a", at=SOMEDAY + number, event=str(number), company=company))

    of_the_second, of_the_first = [
        (await add(database, report("b", SOMEDAY + 100, event=str(number), company=companies[number])))[0].attached_to
        for number in (1, 0)
    ]

    assert of_the_second is not None
    assert of_the_first is None


async def test_reports_in_one_group_are_merged(database):
    """The first one in the order of arrival is delivered."""
    first, second, third = await add(database, report("b"), report("a"), report("c", company={"name": "globex"}))

    assert (first.attached_to, second.attached_to, third.attached_to) == (None, first.id, first.id)


async def test_a_repeated_report_stays_attached(database):
    """The sender is answered with what became of the one before."""
    [first] = await add(database, report("a"))
    [second] = await add(database, report("b"))

    assert await add(database, report("b")) == [
        Added(second.id, is_new=False, attached_to=first.id, outcome=Outcome.MUTED)
    ]


async def test_both_histories_say_so_with_what_the_second_one_adds(database):
    """The first names every sender, and the facts that it did not have."""
    [first] = await add(database, report("a"))
    [second] = await add(database, report("b", relationship="Champion", score=87.0))

    steps = (await database.run(job_changes.find, "T1", first.id)).trace
    assert [(step.step, step.detail) for step in steps] == [
        ("accepted", "from a"),
        ("also reported", "by b; relationship: Champion; score: 87.0"),
    ]
    steps = (await database.run(job_changes.find, "T1", second.id)).trace
    assert [(step.step, step.detail) for step in steps] == [("accepted", "from b"), ("attached", f"to {first.id}")]


async def test_a_workspace_can_switch_it_off(database):
    """Then every report is delivered, and nothing is noted."""
    await database.run(lambda c: c.execute(update(workspaces).values(merge_reports=False)))
    await add(database, report("a"))
    [second] = await add(database, report("b"))

    assert second.attached_to is None
    assert await database.run(lambda c: c.execute(select(func.count()).select_from(known_moves)).scalar_one()) == 0


async def test_attached_reports_are_not_counted_as_muted(database):
    """Although they are stored as such, for the version before."""
    await add(database, report("a"))
    await add(database, report("b"))

    assert (await database.run(counts.totals, SOMEDAY - 1, "T1")).ended["muted"] == 0
    assert (await database.run(counts.totals, SOMEDAY - 1)).ended["muted"] == 0


async def test_one_of_many_simultaneous_reports_is_the_first(database):
    """Replicas race: the unique key of the person decides, and there is no deadlock."""
    others = [Database(str(database.engine.url.render_as_string(hide_password=False))) for _ in range(3)]
    people = [{"emails": [f"p{number}@initech.example", f"{number}@home.example"]} for number in range(20)]
    # Half of them are known, since they have just moved to another company.
    known = [
        report("e", person=person, company={"name": "Hooli"}, event=str(n)) for n, person in enumerate(people[::2])
    ]
    await add(database, *known)

    async def tell(one: Database, source: str) -> list[Added]:
        reports = [report(source, person=person, event=str(number)) for number, person in enumerate(people)]
        return await add(one, *reports)

    added = await asyncio.gather(*(tell(one, source) for one, source in zip([database, *others], "abcd", strict=True)))
    for one in others:
        await one.close()

    for reports in zip(*added, strict=True):
        firsts = [one.id for one in reports if one.attached_to is None]
        assert len(firsts) == 1
        assert {one.attached_to for one in reports} == {None, firsts[0]}
    assert (
        await database.run(lambda c: c.execute(select(func.count()).select_from(attached_reports)).scalar_one()) == 60
    )


async def test_moves_are_deleted_after_thirty_days(database):
    """They would grow without limit otherwise."""
    await add(database, report("a"))
    assert await database.run(moves.delete_old, SOMEDAY + 30 * DAY_MS) == 0
    await database.run(moves.delete_old, SOMEDAY + 30 * DAY_MS + 1)

    assert await database.run(lambda c: c.execute(select(func.count()).select_from(known_moves)).scalar_one()) == 0
