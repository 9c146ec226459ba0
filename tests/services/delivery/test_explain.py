"""Finding a job change for an explanation, and retrying what has failed."""

from __future__ import annotations

from sqlalchemy import select, update

from domain.audit import AuditEntry
from domain.states import DeliveryState, Outcome
from services.delivery.explain import Explainer
from services.delivery.failed import FailedJobChanges
from store import audit
from store.schema import deliveries, job_changes


async def test_the_newest_job_change_of_an_address_is_explained_and_the_others_are_named(world):
    """The newest first, and five in all. A member sees those that were delivered to them."""
    await world.default_channel()
    ids = [await world.accept(source_event_id=str(number)) for number in range(4)]
    dana = world.add_owner("Dana Reyes")
    world.salesforce.add("Contact", LastName="Smith", Email="ada@initech.example", OwnerId=dana)
    await world.worker.drain()
    world.salesforce.org.update(dana, IsActive=False)
    ids += [await world.deliver(source_event_id=str(number)) for number in range(4, 6)]
    member = next(user.id for user in world.slack.world.users.values() if user.real_name == "Dana Reyes")
    explainer = Explainer(world.database)

    of_admin = await explainer.find(world.workspace_id, "Ada@initech.example", None)
    of_dana = await explainer.find(world.workspace_id, "Ada@initech.example", member)

    newest = ids[::-1]
    assert (of_admin.record.id, of_admin.others) == (newest[0], tuple(newest[1:5]))
    assert (of_admin.change.person.full_name, of_admin.record.state) == ("Ada Smith", "routed")
    assert (of_dana.record.id, of_dana.others) == (newest[2], tuple(newest[3:]))
    assert await explainer.find(world.workspace_id, ids[5], member) is None
    assert (await explainer.find(world.workspace_id, ids[5], None)).others == ()
    assert await explainer.find(world.workspace_id, "eva@initech.example", None) is None


async def test_an_erased_job_change_is_explained_without_its_person(world):
    """Its trace remains."""
    await world.default_channel()
    job_change_id = await world.deliver()
    await world.database.run(lambda connection: connection.execute(update(job_changes).values(payload=None)) and None)

    explanation = await Explainer(world.database).find(world.workspace_id, job_change_id, None)

    assert (explanation.record.id, explanation.change) == (job_change_id, None)


async def test_what_has_failed_is_listed_by_page_and_retried(world):
    """The audit log says by whom. Nothing of it waits for a poll."""
    await world.default_channel()
    wakes = []
    failed = FailedJobChanges(world.database, lambda: wakes.append("wake"), world.clock)
    ids = []
    for number in range(3):
        world.slack.faults.add("chat.postMessage", error="some_new_error", undocumented=True, times=5)
        ids.append(await world.deliver(source_event_id=str(number)))
        for _ in range(4):
            world.clock.advance(seconds=2)
            await world.worker.drain()

    first = await failed.page(world.workspace_id, None, 2)
    rest = await failed.page(world.workspace_id, (first[-1].ended_at, first[-1].job_change_id), 2)
    assert [[item.job_change_id for item in page] for page in (first, rest)] == [ids[:0:-1], ids[:1]]
    assert {(await world.outcome(job_change_id))[0] for job_change_id in ids} == {Outcome.FAILED}

    assert await failed.retry("T_OTHER", "U_OTHER", ids) == 0
    assert wakes == []
    assert await failed.retry(world.workspace_id, world.admin.id, ids[:1]) == 1
    assert await failed.retry_all(world.workspace_id, world.admin.id) == 2
    assert wakes == ["wake", "wake"]
    retried = [
        entry for entry in await world.database.run(audit.recent, world.workspace_id) if entry.detail in {"1", "2"}
    ]
    action = "retried failed job changes"
    assert retried == [AuditEntry(world.clock(), world.admin.id, action, count) for count in ("2", "1")]
    states = select(deliveries.c.state)
    waiting = await world.database.run(lambda connection: connection.execute(states).scalars().all())
    assert waiting == [DeliveryState.PENDING] * 3
