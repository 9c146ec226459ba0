"""What the router stores with its decisions, beside the deliveries, and what it reports."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from domain.decision.reasons import ReasonCode
from domain.decision.sentences import for_reader
from services.delivery.lookups import KEPT_MS, KeptLookup, KeptLookups, Lookup
from services.delivery.router import LEASE_MS
from services.journal import Journal
from services.ownership.rulebook import Rulebook
from services.ownership.rules.rule_set import RuleSet
from services.salesforce.records import BatchRecords, RequiredRecords
from store.delivery import pauses, routing
from store.schema import job_changes, ownership_accounts
from tests.conftest import SOMEDAY
from tests.world import sample_job_change


@dataclass(frozen=True)
class Batches(Journal):
    """Keeps what is reported of each batch."""

    kept: list[tuple[object, ...]] = field(default_factory=list)

    def routed(self, workspace_id, routed, postponed, began_at=0, request_ids=None):
        self.kept.append((workspace_id, [item.job_change_id for item in routed], postponed, began_at, request_ids))


def contact_of(world, name, email):
    world.salesforce.add("Contact", LastName="Smith", Email=email, OwnerId=world.add_owner(name))
    return {"person": {"full_name": f"Contact of {name}", "emails": [email]}, "source_event_id": name}


async def test_a_job_change_that_waits_for_slack_is_reported_beside_those_that_are_routed(world):
    """To the millisecond, and with the id of the request that brought it."""
    await world.default_channel()
    journal = Batches()
    world.worker = replace(world.worker, router=replace(world.worker.router, journal=journal))
    world.slack.faults.add("users.lookupByEmail", error="ratelimited", status=429, retry_after=30, times=1)
    waiting = contact_of(world, "Dana Reyes", "dana@initech.example")
    (received,) = await world.intake.accept_all(world.workspace_id, [sample_job_change(**waiting)], request_id="req-1")
    waits = received.results[0]
    nobody = {"full_name": "Nobody", "emails": ["no@one.example"]}
    goes = await world.accept(person=nobody)

    await world.worker.drain()

    columns = (job_changes.c.due_at, job_changes.c.attempts, job_changes.c.routed_at, job_changes.c.last_error)
    of_job_change = select(*columns).where(job_changes.c.id == waits.id)
    row = await world.database.run(lambda connection: connection.execute(of_job_change).one())
    assert row[:3] == (SOMEDAY + 30_000, 0, None)
    assert "Slack" in row.last_error
    assert journal.kept == [(world.workspace_id, [goes], 1, SOMEDAY, {waits.id: "req-1", goes: None})]


async def test_a_pool_goes_on_with_the_next_member_and_an_account_stays_with_its_member(world):
    """From one batch to the next: turns and accounts are stored with the decisions."""
    await world.default_channel()
    for name in ("Dana Reyes", "Kim Lee"):
        world.add_owner(name)
    pools = {"P": {"members": [{"user": "dana@acme.example"}, {"user": "kim@acme.example"}]}}
    rule = {"name": "Pool", "tell": [{"source": "pool", "pool": "P"}], "when": {"side": "current"}}
    rulebook = Rulebook(world.database, world.worker.router.decider.schemas, world.clock)
    rules = RuleSet.parse({"rules": [rule], "pools": pools})
    assert (await rulebook.publish(world.workspace_id, world.admin.id, rules, None)).stored

    for serial, company in enumerate(("Globex", "Hooli", "Globex", "Umbrella")):
        await world.deliver(source_event_id=str(serial), current={"company": {"name": company}})
        world.clock.advance(seconds=2)

    received = [[message.text for message in world.direct_messages(name)] for name in ("Dana Reyes", "Kim Lee")]
    assert [[re.findall("joined ([A-Z]\\w+)", text)[0] for text in texts] for texts in received] == [
        ["Globex", "Globex"],
        ["Hooli", "Umbrella"],
    ]
    columns = ("workspace_id", "pool", "account", "member", "taken_at")
    held = select(*(ownership_accounts.c[name] for name in columns)).order_by(ownership_accounts.c.taken_at)
    rows = await world.database.run(lambda connection: connection.execute(held).all())
    assert rows == [
        (world.workspace_id, "P", "globex", "dana@acme.example", SOMEDAY),
        (world.workspace_id, "P", "hooli", "kim@acme.example", SOMEDAY + 2_000),
        (world.workspace_id, "P", "umbrella", "kim@acme.example", SOMEDAY + 6_000),
    ]


async def test_admins_are_asked_for_a_default_channel_when_one_is_needed_and_not_before(world):
    """A workspace whose owners are all found works without one."""
    known = contact_of(world, "Dana Reyes", "dana@initech.example")
    await world.deliver(**known)
    before = world.direct_messages("Alma Admin")

    await world.deliver(person={"full_name": "Nobody", "emails": ["no@one.example"]})

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert before == []
    assert len(world.direct_messages("Alma Admin")) == 1


async def test_a_workspace_that_does_not_wait_for_salesforce_reads_why_nobody_was_found(world):
    """Also in the batch in which the outage begins."""
    await world.default_channel()
    await world.set_preferences(salesforce_patience_minutes=0)
    known = contact_of(world, "Dana Reyes", "dana@initech.example")
    world.salesforce.faults.add("composite", status=503, times=1)

    job_change_id = await world.deliver(**known)

    decision = (await world.find(job_change_id)).decision
    assert for_reader(decision.notes) == "Salesforce was not available: Salesforce returned error 503"
    assert for_reader([ReasonCode.SALESFORCE_DOWN.of()]) in world.channel_messages("job-changes")[0].text


async def test_job_changes_wait_as_long_as_salesforce_is_paused(world):
    """Each row has the time and the reason."""
    await world.default_channel()
    world.salesforce.faults.add("composite", status=503, times=1)
    known = contact_of(world, "Dana Reyes", "dana@initech.example")
    ids = [await world.accept(**known), await world.accept(**known | {"source_event_id": "second"})]

    await world.worker.drain()

    paused_until = await world.database.run(pauses.paused_until, world.workspace_id, "salesforce", world.clock())
    columns = select(job_changes.c.id, job_changes.c.due_at, job_changes.c.last_error).order_by(job_changes.c.id)
    rows = await world.database.run(lambda connection: connection.execute(columns).all())
    assert paused_until is not None
    assert rows == [(job_change_id, paused_until, "Salesforce returned error 503") for job_change_id in ids]


async def test_a_batch_that_another_process_has_taken_over_is_neither_stored_nor_reported(world):
    """Its decisions would be counted twice."""
    await world.default_channel()
    journal = Batches()
    router = replace(world.worker.router, journal=journal)
    job_change_id = await world.accept()
    late = await world.database.run(routing.claim, world.clock(), LEASE_MS)
    world.clock.advance(seconds=LEASE_MS / 1_000)
    batch = await world.database.run(routing.claim, world.clock(), LEASE_MS)

    await router.route(late)
    assert ((await world.find(job_change_id)).state, journal.kept) == ("accepted", [])

    await router.route(batch)
    assert (await world.find(job_change_id)).state == "routed"
    assert len(journal.kept) == 1


REQUIRED = RequiredRecords()


def kept(*job_change_ids, looked_up=None, required=REQUIRED):
    records = BatchRecords({}, base_url="https://acme.my.salesforce.com")
    return KeptLookup(looked_up or Lookup(records), frozenset(job_change_ids), required, connected_at=1)


def test_what_was_looked_up_is_used_for_ten_minutes():
    """Waiting again does not make it younger."""
    lookups, ends_at = KeptLookups(), SOMEDAY + KEPT_MS
    lookups.keep("T1", kept("jc-1", "jc-2"), SOMEDAY)

    taken = lookups.take("T1", ["jc-1", "jc-2"], REQUIRED, SOMEDAY + 60_000)
    lookups.keep("T1", kept("jc-2", looked_up=taken.looked_up), SOMEDAY + 60_000)
    again = lookups.take("T1", ["jc-2"], REQUIRED, ends_at - 1)
    lookups.keep("T1", kept("jc-2", looked_up=again.looked_up), ends_at - 1)

    assert [item.looked_up.kept_until for item in (taken, again)] == [ends_at, ends_at]
    assert (taken.looked_up.calls, taken.looked_up.has_succeeded) == (None, False)
    assert lookups.take("T1", ["jc-2"], REQUIRED, ends_at) is None


def test_what_was_looked_up_is_used_for_the_same_job_changes_and_rules_only():
    """What belongs to another batch stays for it."""
    lookups = KeptLookups()
    lookups.keep("T1", kept("jc-1"), SOMEDAY)
    lookups.keep("T2", kept("jc-2"), SOMEDAY)

    assert lookups.take("T1", ["jc-1"], RequiredRecords(companies=True), SOMEDAY) is None
    assert lookups.take("T1", ["jc-1", "jc-9"], REQUIRED, SOMEDAY) is None
    assert lookups.take("T1", ["jc-1"], REQUIRED, SOMEDAY) is not None
    assert lookups.take("T1", ["jc-1"], REQUIRED, SOMEDAY) is None
    assert lookups.take("T2", ["jc-2"], REQUIRED, SOMEDAY) is not None


def test_lookups_that_are_over_are_forgotten():
    """A workspace that never comes back keeps no memory. One without an answer of Salesforce keeps none at all."""
    lookups = KeptLookups()
    lookups.keep("T1", kept("jc-1"), SOMEDAY)
    lookups.keep("T2", kept("jc-2", looked_up=Lookup(None)), SOMEDAY)
    lookups.keep("T3", kept("jc-3"), SOMEDAY + KEPT_MS)

    assert lookups._kept.keys() == {"T3"}
