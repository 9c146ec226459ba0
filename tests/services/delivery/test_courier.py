"""Sending posts whatever Slack answers: nothing is lost, nothing is repeated, and no lane blocks another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from sqlalchemy import func, select, update

from domain.decision.reasons import ReasonCode
from domain.decision.sentences import candidate_result
from domain.errors import Vendor
from domain.states import DeliveryState, Outcome, WorkspaceState
from services.delivery import courier
from services.journal import Journal
from services.operations.housekeeping import Housekeeping
from services.slack.api import NO_CHANNEL
from store.delivery import lanes, pauses
from store.delivery.failed import failures
from store.delivery.settlements import Failed, InDoubt, Moved, Parked, Postponed, Sent, Settlement
from store.delivery.trace import steps_of
from store.schema import deliveries, job_changes
from store.schema import lanes as lane_rows
from store.slack import workspaces
from tests.world import installed

POST = "chat.postMessage"


@pytest.fixture
async def channel(world):
    return await world.default_channel()


@pytest.fixture
async def dana(world, channel):
    """Return an owner of Ada who has had a message before, so that the id of their conversation is known."""
    owner = world.add_owner("Dana Reyes")
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example", "OwnerId": owner}
    world.salesforce.add("Contact", **ada)
    await world.deliver(source_event_id="before")
    world.clock.advance(seconds=2)
    return owner


async def pass_time(world, seconds, step=5):
    """Advance the clock in steps, with the worker running."""
    for _ in range(round(seconds / step)):
        world.clock.advance(seconds=step)
        await world.worker.drain()


def next_due_at(connection):
    """When the first lane is due in which something waits."""
    return connection.execute(select(func.min(lane_rows.c.due_at))).scalar_one()


def posts(world):
    return [call for call in world.slack.calls if call.method == POST]


@dataclass(frozen=True)
class Settlements(Journal):
    """Keeps how each attempt to post was settled, and when it began."""

    kept: list[Settlement] = field(default_factory=list)
    began_at: list[int] = field(default_factory=list)

    def settled(self, settlement, began_at=0):
        self.kept.append(settlement)
        self.began_at.append(began_at)

    async def after(self, world, *faults):
        """Deliver while Slack fails in these ways. Return the id, and how the attempts that failed were settled."""
        self.kept.clear()
        self.began_at.clear()
        for method, fault in faults:
            world.slack.faults.add(method, **fault)
        job_change_id = await world.deliver(source_event_id=f"{world.clock()}")
        await pass_time(world, 34, step=2)
        assert self.began_at == [settlement.at for settlement in self.kept]
        return job_change_id, [settled(item) for item in self.kept if not isinstance(item, Sent)]


def settled(settlement):
    """Return what a settlement says: its kind, and its values with the wait until its lane is due, in milliseconds."""
    values = {name: value for name, value in vars(settlement).items() if name not in {"claim", "at"}}
    if "due_at" in values:
        values["due_at"] -= settlement.at
    return type(settlement), values


@pytest.fixture
def settlements(world):
    kept = Settlements()
    world.worker = replace(world.worker, courier=replace(world.worker.courier, journal=kept))
    return kept


NEW_CODE = {"error": "some_new_error", "undocumented": True}
LIMITED = {"error": "ratelimited", "status": 429, "retry_after": 30}


def postponed(wait, reason, code="", *, is_failure=True, simplify=False):
    values = {"due_at": wait, "reason": reason, "code": code, "is_failure": is_failure, "simplify": simplify}
    return Postponed, values


def in_doubt(wait, reason, *, by_answer):
    return InDoubt, {"due_at": wait, "reason": reason, "by_answer": by_answer}


def moved(code, problem, reason):
    return Moved, {"reasons": (reason.of(error=problem),), "problem": problem, "code": code}


async def test_each_answer_to_a_direct_message_is_settled_in_its_own_way(world, dana, settlements):
    """How long it waits, whether that counts as a failure or a doubt, and the code that status and traces show."""
    limited, unconfirmed = "Slack rate limit reached", "Slack responded with HTTP 500"
    unknown, refused = "Slack responded with some_new_error", "Slack rejected the message (invalid_blocks)"
    first_wait, second_wait = pytest.approx(750, abs=250), pytest.approx(1_500, abs=500)

    async def after(*faults):
        return (await settlements.after(world, *faults))[1]

    asked_to_wait = await after((POST, LIMITED))
    unknown_code = await after((POST, NEW_CODE | {"times": 3}))
    refused_blocks = await after((POST, {"error": "invalid_blocks"}))
    unusable = await after((POST, {"error": "restricted_action"}))
    not_slack = await after((POST, {"status": 404, "body": b"not here"}))
    ambiguous = await after((POST, {"status": 500}), (POST, LIMITED))
    look_up_limited = await after((POST, {"status": 500}), ("conversations.history", LIMITED))
    look_up_failed = await after((POST, {"status": 500}), ("conversations.history", {"status": 500}))
    dead_token = await after((POST, {"error": "token_revoked"}), ("auth.test", {"error": "token_revoked"}))

    doubt, wait_in_doubt = in_doubt(1_000, unconfirmed, by_answer=True), in_doubt(30_000, limited, by_answer=False)
    assert asked_to_wait == [postponed(30_000, limited, is_failure=False)]
    assert unknown_code == [
        postponed(1_000, unknown, "some_new_error"),
        postponed(second_wait, unknown, "some_new_error"),
        moved("some_new_error", unknown, ReasonCode.DRI_NOT_NOTIFIED),
    ]
    assert refused_blocks == [postponed(0, refused, "invalid_blocks", simplify=True)]
    only_some = "only some people may post there"
    assert unusable == [moved("restricted_action", only_some, ReasonCode.NO_DRI_NOTIFIED)]
    assert not_slack == [postponed(first_wait, "Slack sent an invalid response (HTTP 404)")]
    assert ambiguous == look_up_limited == [doubt, wait_in_doubt]
    assert look_up_failed == [doubt, in_doubt(second_wait, unconfirmed, by_answer=False)]
    assert dead_token == [postponed(0, "the app's token was revoked", is_failure=False)]
    assert (await world.database.run(workspaces.find, world.workspace_id)).gone_because == "token_revoked"


async def test_each_answer_in_the_default_channel_is_settled_in_its_own_way(world, channel, settlements):
    """Nothing can be moved from there: a message becomes plainer and then fails, or the channel waits for an admin."""
    unknown, code = "Slack responded with some_new_error", "some_new_error"

    failed_id, unknown_code = await settlements.after(world, (POST, NEW_CODE | {"times": 5}))
    _, archived = await settlements.after(world, (POST, {"error": "is_archived"}))

    second_wait = pytest.approx(1_500, abs=500)
    assert unknown_code == [
        postponed(1_000, unknown, code),
        postponed(second_wait, unknown, code),
        postponed(0, unknown, code, simplify=True),
        postponed(0, unknown, code, simplify=True),
        (Failed, {"reason": unknown, "code": code}),
    ]
    assert archived == [(Parked, {"reason": "the channel is archived", "code": "is_archived"})]
    (delivery,) = (await world.find(failed_id)).deliveries
    assert (delivery.state, delivery.attempts, delivery.last_error) == (DeliveryState.FAILED, 5, unknown)


@pytest.mark.parametrize("error", ["channel_not_found", "user_disabled", "is_archived", "restricted_action"])
async def test_a_dead_direct_message_falls_back_to_the_default_channel(world, dana, error):
    """The message there gives the reason, and so does the trace."""
    world.slack.faults.add(POST, error=error, undocumented=error == "user_disabled", times=1)

    job_change_id = await world.deliver(source_event_id="dead")

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert "No DRI could be notified" in world.channel_messages("job-changes")[0].text
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")
    (considered,) = (await world.find(job_change_id)).decision.considered
    assert candidate_result(considered).startswith("could not be notified: ")


@pytest.mark.parametrize("error", ["missing_scope", "messages_tab_disabled", "not_allowed_token_type"])
async def test_what_only_an_admin_can_fix_goes_to_the_default_channel(world, dana, error):
    """The DRI cannot be notified at the moment, and the channel reads why."""
    world.slack.faults.add(POST, error=error, times=1)

    await world.deliver(source_event_id="scope")

    assert "The DRI could not be notified" in world.channel_messages("job-changes")[0].text


async def test_a_message_that_may_have_been_posted_is_not_posted_again_within_a_second(world, channel):
    """One message a second and destination, also when the same message is sent again in a channel."""
    world.slack.faults.add(POST, perform=True, times=1, status=500)
    job_change_id = await world.deliver(source_event_id="doubt")

    await pass_time(world, 1, step=0.05)
    first, second = world.channel_messages("job-changes")

    assert float(second.ts) - float(first.ts) >= 1
    assert (await world.outcome(job_change_id))[0] == "delivered"


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"error": "internal_error"}, {"error": "fatal_error"}, {"drop": "after"}, {"body": b"oops"}],
)
async def test_an_ambiguous_failure_that_was_performed_is_not_repeated(world, dana, fault):
    """In a direct message that we may read, we look before we send again."""
    world.slack.faults.add(POST, perform=True, times=1, **fault)

    job_change_id = await world.deliver(source_event_id="doubt")
    await pass_time(world, 10)

    assert len(world.direct_messages("Dana Reyes")) == 2
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")
    assert "in doubt" in [step.step for step in await world.database.run(steps_of, job_change_id)]


async def test_a_message_is_found_even_if_our_clock_is_an_hour_ahead_of_slacks(world, dana):
    """Slack says by its own clock when a message was posted."""

    def ahead() -> int:
        return world.clock() + 3_600_000

    courier = replace(world.worker.courier, now=ahead)
    worker = replace(world.worker, courier=courier, router=replace(world.worker.router, now=ahead), now=ahead)
    world.slack.faults.add(POST, perform=True, times=1, status=500)
    job_change_id = await world.accept(source_event_id="doubt")

    for _ in range(3):
        await worker.drain()
        world.clock.advance(seconds=2)

    assert len(world.direct_messages("Dana Reyes")) == 2
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_an_ambiguous_failure_that_was_not_performed_is_sent_again(world, dana):
    """The message is not there when we look, so it is sent and arrives once."""
    world.slack.faults.add(POST, status=500, times=3)

    await world.deliver(source_event_id="doubt")
    await pass_time(world, 30)

    assert len(world.direct_messages("Dana Reyes")) == 2


def is_message(arguments):
    """Whether a call posts something, and does not only find out whether posting works."""
    return arguments["channel"] != NO_CHANNEL


async def test_posting_that_always_fails_is_tried_once_more_after_half_an_hour(world, channel):
    """Then nobody waits any longer for Slack to recover."""
    world.slack.faults.add(POST, status=500, times=None)

    job_change_id = await world.deliver()
    await pass_time(world, 29 * 60, step=30)
    assert len([call for call in posts(world) if is_message(call.arguments)]) == 1
    assert (await world.outcome(job_change_id))[0] is None

    await pass_time(world, 5 * 60, step=30)
    assert len([call for call in posts(world) if is_message(call.arguments)]) == 2
    assert (await world.outcome(job_change_id))[0] == Outcome.FAILED


async def test_without_a_lookup_it_is_sent_once_more_and_then_fails(world, channel):
    """We may not read a channel: there is one more attempt with the same id, and then a person decides."""
    world.slack.faults.add(POST, status=500, perform=True, times=None, when=is_message)

    job_change_id = await world.deliver()
    await pass_time(world, 200)

    assert len(world.channel_messages("job-changes")) == 2
    assert len({post.arguments["client_msg_id"] for post in posts(world) if is_message(post.arguments)}) == 1
    outcome, _, reason = await world.outcome(job_change_id)
    assert outcome == Outcome.FAILED
    assert "may have arrived" in reason


async def test_after_a_crash_it_is_sent_again_each_time(world, channel):
    """A crash is not an ambiguous answer, so it does not count towards the limit."""
    job_change_id = await world.accept()
    await world.worker.route_due()
    await asyncio.wait(world.worker._routing)
    for _ in range(3):
        await world.database.run(lanes.claim, world.clock(), courier.LEASE_MS, 8)
        world.clock.advance(seconds=30)

    await world.worker.drain()

    assert len(world.channel_messages("job-changes")) == 1
    assert (await world.outcome(job_change_id))[0] == "delivered"


async def test_ten_minutes_without_slack_lose_nothing_and_cost_little(world, dana):
    """A circuit breaker limits the calls, and everything arrives within a minute of Slack's recovery."""
    outage = world.slack.faults.add("*", status=503, times=None)
    ids = [await world.accept(source_event_id=f"{number}") for number in range(30)]
    before = len(world.slack.calls)
    await pass_time(world, 600)
    during = len(world.slack.calls) - before

    world.slack.faults.remove(outage)
    await pass_time(world, 70)

    assert {(await world.outcome(each))[0] for each in ids} == {"delivered"}
    texts = " ".join(message.text for message in world.direct_messages("Dana Reyes"))
    assert texts.count("Ada Smith joined Globex") == 31
    assert during < 60


async def test_the_deliveries_of_a_refused_bundle_are_sent_one_by_one(world, dana):
    """In order, and all of them arrive."""

    def is_bundle(arguments):
        return "job changes" in arguments.get("text", "")

    world.slack.faults.add(POST, error="invalid_blocks", times=None, when=is_bundle)
    ids = [await world.accept(source_event_id=f"{number}") for number in range(3)]

    await pass_time(world, 20, step=1)

    assert len(world.direct_messages("Dana Reyes")) == 4
    assert {(await world.outcome(each))[:2] for each in ids} == {("delivered", "dri")}


async def test_a_message_that_slack_refuses_even_alone_goes_as_plain_text(world, dana):
    """A message without blocks is better than none."""
    world.slack.faults.add(POST, error="invalid_blocks", times=None, when=lambda arguments: arguments.get("blocks"))

    await world.deliver(source_event_id="fancy")
    await pass_time(world, 10, step=1)

    assert world.direct_messages("Dana Reyes")[-1].blocks is None
    assert "Ada Smith joined Globex" in world.direct_messages("Dana Reyes")[-1].text


@pytest.mark.parametrize(
    "code", ["cannot_dm_bot", "messages_tab_disabled", "restricted_action", "invalid_blocks", "msg_too_long"]
)
async def test_what_slack_does_not_let_the_dri_read_is_read_in_the_default_channel(world, dana, code):
    """With the reason, whether Slack refuses the person or the message in every form."""
    channel = world.slack.world.channel_by_name(world.team.id, "job-changes")
    world.slack.faults.add(
        POST, error=code, undocumented=True, times=None, when=lambda asked: asked["channel"] != channel.id
    )

    job_change_id = await world.deliver(source_event_id="refused")
    await pass_time(world, 20, step=1)

    (message,) = world.channel_messages("job-changes")
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")
    assert "The DRI could not be notified: " in message.text or "No DRI could be notified: " in message.text


async def test_only_what_is_refused_as_plain_text_too_fails(world, dana):
    """In a direct message and then in the default channel. The others in its lane are delivered."""
    world.slack.faults.add(
        POST,
        error="msg_too_long",
        undocumented=True,
        times=None,
        when=lambda arguments: "Poison" in arguments.get("text", ""),
    )
    ids = [
        await world.accept(source_event_id="a"),
        await world.accept(source_event_id="b", current={"company": {"name": "Poison"}}),
        await world.accept(source_event_id="c"),
    ]

    await pass_time(world, 30, step=1)

    assert [(await world.outcome(each))[0] for each in ids] == ["delivered", Outcome.FAILED, "delivered"]
    assert [each.job_change_id for each in await world.database.run(failures)] == [ids[1]]


async def test_a_revoked_token_stops_the_workspace_until_it_installs_again(world, dana):
    """Nothing is posted with a dead token. Deliveries continue after a new installation."""
    world.slack.faults.add(POST, error="token_revoked", times=1)
    world.slack.faults.add("auth.test", error="token_revoked", times=1)
    job_change_id = await world.deliver(source_event_id="revoked")
    gone = await world.database.run(workspaces.find, world.workspace_id)
    await pass_time(world, 60)
    before = len(world.direct_messages("Dana Reyes"))

    again = installed(world.workspace_id, scopes="chat:write,im:history", installed_at=world.clock())
    await world.database.run(workspaces.install, again)
    await world.worker.drain()

    assert gone.state == WorkspaceState.GONE
    assert before == 1
    assert (await world.outcome(job_change_id))[0] == "delivered"


@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive", "not_authed"])
async def test_one_rejected_call_does_not_stop_the_workspace(world, dana, code):
    """auth.test is asked before a workspace counts as gone: a rejected token may be a rejected address."""
    world.slack.faults.add(POST, error=code, times=1)

    job_change_id = await world.deliver(source_event_id="rejected-once")
    waiting = await world.outcome(job_change_id)
    workspace = await world.database.run(workspaces.find, world.workspace_id)
    await pass_time(world, 330, step=30)

    assert workspace.is_active
    assert waiting[0] is None
    assert (await world.outcome(job_change_id))[0] == "delivered"


async def test_a_workspace_that_was_not_granted_fails_its_destination_only(world, dana):
    """It means one workspace of an organization, so the others keep working."""
    world.slack.faults.add(POST, error="team_access_not_granted", times=1)

    job_change_id = await world.deliver(source_event_id="not-granted")

    assert (await world.database.run(workspaces.find, world.workspace_id)).is_active
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")
    assert "the app was not added to that workspace" in world.channel_messages("job-changes")[0].text


async def test_the_token_of_a_gone_workspace_is_tried_again(world, dana):
    """Job changes wait meanwhile, and are posted once Slack accepts the token again."""
    rejected = [world.slack.faults.add(method, error="invalid_auth", times=None) for method in (POST, "auth.test")]
    job_change_id = await world.deliver(source_event_id="other-address")
    gone = await world.database.run(workspaces.find, world.workspace_id)
    for fault in rejected:
        world.slack.faults.remove(fault)
    second_id = await world.deliver(source_event_id="accepted-meanwhile")

    await Housekeeping(world.database, 90, world.clock, world.worker.courier.slack).tidy()
    await pass_time(world, 60)

    assert (gone.is_active, gone.gone_because, gone.may_come_back) == (False, "invalid_auth", True)
    assert (await world.outcome(job_change_id))[0] == "delivered"
    assert (await world.outcome(second_id))[0] == "delivered"


async def test_a_code_that_slack_adds_fails_one_delivery_only(world, dana):
    """After three tries it moves to the default channel; others are posted meanwhile."""
    channel = world.slack.world.channel_by_name(world.team.id, "job-changes")
    world.slack.faults.add(
        POST, error="some_new_error", undocumented=True, times=None, when=lambda asked: asked["channel"] != channel.id
    )

    job_change_id = await world.deliver(source_event_id="new-code")
    paused = await world.database.run(pauses.paused_until, world.workspace_id, courier.SLACK, world.clock())
    await pass_time(world, 20)

    assert paused is None
    assert (await world.outcome(job_change_id))[:2] == ("delivered", "channel")
    assert "some_new_error" in world.channel_messages("job-changes")[0].text


async def test_a_code_that_slack_adds_is_tried_again_whatever_went_wrong_before(world, dana):
    """Failures of other kinds do not make its first answer count as permanent."""
    world.slack.faults.add(POST, status=404, body=b"not here", times=2)
    world.slack.faults.add(POST, error="some_new_error", undocumented=True, times=1)

    job_change_id = await world.deliver(source_event_id="late-code")
    await pass_time(world, 60)

    assert (await world.outcome(job_change_id))[:2] == ("delivered", "dri")


async def test_an_unknown_code_in_the_default_channel_fails_the_message(world, channel):
    """The channel keeps working for other messages, and no admin gets a notice that it is broken."""
    world.slack.faults.add(POST, error="some_new_error", undocumented=True, times=9)

    job_change_id = await world.deliver(source_event_id="unknown")
    await pass_time(world, 120)

    assert (await world.outcome(job_change_id))[0] == Outcome.FAILED
    assert (await world.database.run(workspaces.find, world.workspace_id)).default_channel_problem is None


async def test_the_third_failure_in_a_row_pauses_the_whole_workspace(world, dana):
    """Slack is then not called for one lane after the other while it is down."""
    world.slack.faults.add(POST, status=500, times=3)

    await world.deliver(source_event_id="first")
    await pass_time(world, 5)
    until_then = await world.database.run(pauses.paused_until, world.workspace_id, courier.SLACK, world.clock())
    await pass_time(world, 5)
    after = await world.database.run(pauses.paused_until, world.workspace_id, courier.SLACK, world.clock())
    (outage,) = await world.database.run(pauses.outages, world.workspace_id)

    assert until_then is None
    assert after is not None
    assert (outage.vendor, outage.error, outage.waiting) == (Vendor.SLACK, "Slack responded with HTTP 500", 1)


@pytest.mark.both_databases
async def test_a_429_uses_up_no_attempt_and_pauses_the_workspace(world, dana):
    """The limit is on the method in the workspace, so no other lane calls it meanwhile."""
    kim = world.add_owner("Kim Lee")
    bob = {"FirstName": "Bob", "LastName": "Ray", "Email": "bob@hooli.example", "OwnerId": kim}
    world.salesforce.add("Contact", **bob)
    world.slack.faults.add(POST, error="ratelimited", status=429, retry_after=30, times=1)
    await world.deliver(source_event_id="first")
    asked_to_wait_until = await world.database.run(next_due_at)
    calls = len(posts(world))
    await world.accept(source_event_id="second", person={"full_name": "Bob Ray", "emails": ["bob@hooli.example"]})

    await pass_time(world, 25)
    during = len(posts(world)) - calls
    await pass_time(world, 10)

    assert asked_to_wait_until == world.clock() - 5_000
    assert during == 0
    assert (len(world.direct_messages("Dana Reyes")), len(world.direct_messages("Kim Lee"))) == (2, 1)
    attempts = await world.database.run(
        lambda connection: connection.execute(select(deliveries.c.attempts)).scalars().all()
    )
    assert set(attempts) == {1}


@pytest.mark.both_databases
async def test_a_worker_that_outlived_its_lease_sends_nothing(world, dana):
    """A suspended process must not send what another process has taken over."""
    await world.accept(source_event_id="late")
    await world.worker.route_due()
    await asyncio.wait(world.worker._routing)
    (claim,) = await world.database.run(lanes.claim, world.clock(), courier.LEASE_MS, 8)
    world.clock.advance(seconds=25)

    await world.worker.courier.deliver(claim)

    assert len(world.direct_messages("Dana Reyes")) == 1


@pytest.mark.both_databases
async def test_a_job_change_that_cannot_be_read_fails_and_blocks_no_other(world, dana):
    """A row of another version, or one that was tampered with, ends visibly."""
    broken = await world.accept(source_event_id="broken")
    fine = await world.accept(source_event_id="fine")
    await world.database.run(
        lambda connection: connection.execute(
            update(job_changes).where(job_changes.c.id == broken).values(payload='{"person": 1}')
        )
    )

    await world.worker.drain()

    outcome, _, reason = await world.outcome(broken)
    assert outcome == Outcome.FAILED
    assert reason.startswith("it cannot be read: ")
    assert (await world.outcome(fine))[0] == "delivered"


async def test_an_erased_job_change_is_not_sent(world, dana):
    """What was erased between routing and posting stays erased."""
    job_change_id = await world.accept(source_event_id="erased")
    await world.worker.route_due()
    await asyncio.wait(world.worker._routing)
    await world.database.run(lambda connection: connection.execute(update(job_changes).values(payload=None)))

    await world.worker.drain()

    assert len(world.direct_messages("Dana Reyes")) == 1
    assert (await world.outcome(job_change_id))[0] == Outcome.FAILED


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        ({"status": 404, "body": b"not here"}, "(HTTP 404)"),
        ({"error": "fatal_error"}, ". It may have arrived. Retry to send it again."),
    ],
)
async def test_after_three_days_of_retries_it_fails(world, dana, answer, end):
    """A person can look at it then. A message that Slack never confirms fails too, though it is not found in Slack."""
    job_change_id = await world.accept(source_event_id="hopeless")
    world.slack.faults.add(POST, times=None, **answer)
    await world.worker.drain()
    world.clock.advance(seconds=73 * 3600)

    await pass_time(world, 200, step=50)

    outcome, _, reason = await world.outcome(job_change_id)
    assert outcome == Outcome.FAILED
    assert reason.startswith("it could not be delivered for three days: ")
    assert reason.endswith(end)


async def test_a_reader_for_whom_slack_refuses_the_token_holds_nobody_back(world, dana, channel):
    """auth.test accepts it, so it may be about this reader: after four minutes the default channel reads it."""
    world.salesforce.add("Contact", LastName="Li", Email="bo@initech.example", OwnerId=world.add_owner("Omar Haddad"))
    user = next(user.id for user in world.slack.world.users.values() if user.real_name == "Dana Reyes")
    world.slack.faults.add(POST, error="account_inactive", times=None, when=lambda asked: asked["channel"] == user)
    refused = await world.accept(source_event_id="refused")
    await world.worker.drain()
    await world.deliver(source_event_id="others", person={"full_name": "Bo Li", "emails": ["bo@initech.example"]})
    assert len(world.direct_messages("Omar Haddad")) == 1
    assert await world.outcome(refused) == (None, None, None)

    await pass_time(world, 400, step=10)

    assert (await world.outcome(refused))[:2] == (Outcome.DELIVERED, "channel")
    assert "account_inactive" in world.channel_messages("job-changes")[0].text


async def test_salesforce_links_are_in_the_message(world, dana):
    """A DRI continues in Salesforce."""
    contact = next(iter(world.salesforce.org.rows(world.salesforce.org.sobject("Contact"))))

    await world.deliver(source_event_id="links")

    assert f"{world.salesforce.url}/{contact['Id']}" in str(world.direct_messages("Dana Reyes")[-1].blocks)


async def test_pauses_are_lifted_by_the_first_success(world, dana):
    """Nothing is slowed down once Slack has recovered."""
    world.slack.faults.add(POST, status=503, times=4)
    for number in range(3):
        await world.accept(source_event_id=f"{number}")

    await pass_time(world, 60)

    until = await world.database.run(pauses.paused_until, world.workspace_id, "slack", world.clock())
    assert until is None
    assert await world.database.run(pauses.outages, world.workspace_id) == ()
