"""The queue that owns a lead: its members are notified, all of them or one in turn."""

from __future__ import annotations

import pytest

from domain.decision.sentences import candidate_result, for_reader
from domain.job_change.model import JobChange
from ops.salesforce.__main__ import FILE
from services.ownership.rulebook import Rulebook
from services.ownership.rules.rule_set import RuleSet
from services.ownership.simulation import Simulation
from services.salesforce.refusals import GRANT
from tests.world import sample_job_change

NAMES = ("Dana Reyes", "Kim Lee", "Omar Diaz")


@pytest.fixture
async def inbound(world):
    """A queue with Dana, and with Kim and Omar in a public group in a public group. It owns leads 0 to 8."""
    await world.default_channel()
    org, users = world.salesforce, {name: world.add_owner(name) for name in NAMES}
    queue = org.add("Group", Name="Inbound")
    outer, inner = (org.add("Group", Name=name, Type="Regular") for name in ("West", "North West"))
    members = {
        queue: [users["Dana Reyes"], outer],
        outer: [inner],
        inner: [users["Kim Lee"], users["Omar Diaz"], outer],
    }
    for group, people in members.items():
        for member in people:
            org.add("GroupMember", GroupId=group, UserOrGroupId=member)
    for number in range(9):
        org.add("Lead", FirstName="L", LastName=str(number), Company="C", Email=f"l{number}@c.example", OwnerId=queue)
    org.org.restrict_to(FILE.read_text())
    return {"queue": queue, **users}


async def publish(world, members, *others):
    tell = [{"source": "queue", "members": members}, *others]
    rules = RuleSet.parse({"rules": [{"name": "Queue", "tell": tell}]})
    book = Rulebook(world.database, world.worker.router.decider.schemas, world.clock)
    result = await book.publish(world.workspace_id, "U_ADMIN", rules, None)
    assert result.stored, result.issues


def of_lead(number):
    return {"full_name": f"L {number}", "emails": [f"l{number}@c.example"]}


async def test_members_take_turns(world, inbound):
    """Each job change takes one turn, over batches, and all members of the groups in the queue take part."""
    await publish(world, "in_turn")

    for number in range(0, 9, 3):
        for lead in range(number, number + 3):
            await world.accept(person=of_lead(lead))
        await world.worker.drain()
        world.clock.advance(seconds=2)

    assert [len(world.direct_messages(name)) for name in NAMES] == [3, 3, 3]
    text = world.direct_messages("Dana Reyes")[0].text
    assert "It is your turn in the queue Inbound, which owns the lead L" in text


async def test_everyone_in_the_queue_is_notified(world, inbound):
    """Who cannot be notified is skipped with the reason."""
    world.salesforce.org.update(inbound["Omar Diaz"], IsActive=False)
    await publish(world, "everyone")

    job_change = await world.find(await world.deliver(person=of_lead(0)))

    assert [len(world.direct_messages(name)) for name in NAMES] == [1, 1, 0]
    assert "You are in the queue Inbound, which owns the lead L 0" in world.direct_messages("Kim Lee")[0].text
    results = {row.name: candidate_result(row) for row in job_change.decision.considered}
    assert results["Omar Diaz"] == "is inactive in Salesforce"


async def test_a_simulation_takes_no_turn(world, inbound):
    """It names the member whose turn it is."""
    await publish(world, "in_turn")
    simulation = Simulation(world.database, world.worker.router.decider)

    for _ in range(2):
        changes = [JobChange.parse(sample_job_change(person=of_lead(0)))]
        (simulated,) = await simulation.simulate(world.workspace_id, changes)
        (delivery,) = simulated.deliveries
        assert delivery.destination == next(
            user.id for user in world.slack.world.users.values() if user.real_name == "Dana Reyes"
        )
    await world.deliver(person=of_lead(0))
    assert len(world.direct_messages("Dana Reyes")) == 1


@pytest.mark.parametrize("change", ["user", "empty", "hidden"])
async def test_the_chain_goes_on_without_members(world, inbound, change):
    """The owner is a user, the queue has nobody, or the app may not read who is in it."""
    org = world.salesforce.org
    (lead,) = [row["Id"] for row in org.rows(org.sobject("Lead")) if row["Email"] == "l0@c.example"]
    if change == "user":
        org.update(lead, OwnerId=inbound["Kim Lee"])
    elif change == "empty":
        org.update(lead, OwnerId=world.salesforce.add("Group", Name="Nobody"))
    else:
        org.hide_type("GroupMember")
    await publish(world, "in_turn", {"source": "user", "user": "dana@acme.example"})

    job_change = await world.find(await world.deliver(person=of_lead(0)))

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert (
        candidate_result(job_change.decision.considered[0])
        == {
            "user": "is not a queue",
            "empty": "has no users as members, by themselves or in a public group",
            "hidden": "cannot be read in Salesforce",
        }[change]
    )
    if change == "hidden":
        assert f"GroupMember cannot be read in Salesforce. {GRANT}" in for_reader(job_change.decision.notes)


async def test_calls_do_not_depend_on_the_number_of_queues(world, inbound):
    """Members are looked up once for the whole batch."""
    await publish(world, "everyone")
    calls = []
    for numbers in ([0], range(1, 9)):
        world.salesforce.calls.clear()
        for number in numbers:
            await world.accept(person=of_lead(number))
        await world.worker.drain()
        calls.append(len(world.salesforce.calls_of("composite")))
    assert calls[1] <= calls[0] <= 6
