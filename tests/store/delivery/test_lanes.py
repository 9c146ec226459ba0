"""Claiming lanes: order, pace, bundles, fairness, and posts that are taken up again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from domain.states import DEFAULT_CHANNEL, Step
from store.delivery import pauses
from store.delivery.due_lanes import MOST_WORKSPACES
from store.delivery.lanes import IN_FLIGHT_MS, next_bundle, release_all
from store.delivery.posts import settle
from store.delivery.settlements import InDoubt, Postponed, Sent
from store.delivery.trace import steps_of
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.store.sample_rows import (
    LEASE_MS,
    add_job_change,
    add_routed,
    add_workspace,
    claim,
    delivery_states,
    lane_of,
    post_states,
    set_lane,
)
from tests.world import installed


@pytest.fixture
async def workspace(database):
    return await database.run(add_workspace)


async def test_a_lone_delivery_is_claimed_at_once(database, workspace):
    """It does not wait for others to be bundled with."""
    (job_change_id,) = await database.run(add_routed, "U_DANA")

    (claimed,) = await database.run(claim)

    assert [each.job_change_id for each in claimed.deliveries] == [job_change_id]
    assert (claimed.channel, claimed.in_doubt) == ("U_DANA", False)


async def test_the_post_is_stored_before_it_is_sent(database, workspace):
    """A crash during the call leaves a post in doubt, and loses none."""
    ids = await database.run(add_routed, "U_DANA")

    await database.run(claim)

    assert await database.run(post_states) == ["sending"]
    assert await database.run(delivery_states, *ids) == ["sending"]


async def test_up_to_ten_deliveries_of_a_lane_share_a_post(database, workspace):
    """In order of arrival. The rest waits for the next second."""
    ids = await database.run(add_routed, *["U_DANA"] * 12)

    (claimed,) = await database.run(claim)

    assert [each.job_change_id for each in claimed.deliveries] == ids[:10]


async def test_lanes_are_bundled_separately_whatever_the_order_of_arrival(database, workspace):
    """Also when the posts of a dead worker are taken up again."""
    ids = await database.run(add_routed, "U_DANA", "U_KIM", "U_DANA", "U_KIM")

    for now in (SOMEDAY, SOMEDAY + LEASE_MS):
        claims = await database.run(claim, now)
        bundles = {each.channel: [delivery.job_change_id for delivery in each.deliveries] for each in claims}
        assert bundles == {"U_DANA": ids[::2], "U_KIM": ids[1::2]}


async def test_the_lane_that_has_been_due_longest_is_claimed_first(database, workspace):
    """When fewer lanes may post than are due, none of them waits forever."""
    await database.run(add_routed, "U_LATE", "U_EARLY")
    await database.run(set_lane, "U_EARLY", due_at=SOMEDAY - 1)

    (claimed,) = await database.run(claim, most=1)

    assert claimed.destination == "U_EARLY"


async def test_a_claimed_lane_is_not_claimed_twice(database, workspace):
    """The lease keeps other workers away until it ends."""
    await database.run(add_routed, "U_DANA", "U_DANA")
    await database.run(claim)

    assert await database.run(claim, SOMEDAY + LEASE_MS - 1) == []


async def test_the_post_of_a_dead_worker_is_taken_up_in_doubt(database, workspace):
    """With the same deliveries. Nobody knows whether it was sent, so no second post is begun."""
    await database.run(add_routed, "U_DANA", "U_DANA")
    (first,) = await database.run(claim)
    await database.run(add_routed, "U_DANA")

    (second,) = await database.run(claim, SOMEDAY + LEASE_MS)

    assert second.post_id == first.post_id
    assert second.in_doubt
    assert second.doubts == 0
    assert second.deliveries == first.deliveries


async def test_the_lanes_of_a_dead_process_are_released_after_its_last_call_has_arrived(database, workspace):
    """A message that is looked for too early is not found, and would be sent again."""
    await database.run(add_routed, "U_DANA")
    await database.run(claim)

    await database.run(release_all, SOMEDAY)

    assert await database.run(claim, SOMEDAY + IN_FLIGHT_MS - 1) == []
    (claimed,) = await database.run(claim, SOMEDAY + IN_FLIGHT_MS)
    assert claimed.in_doubt


async def test_an_ambiguous_answer_is_counted_as_a_doubt(database, workspace):
    """A process that died does not count, because it had no answer."""
    await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [InDoubt(claimed, SOMEDAY, SOMEDAY + 5_000, "timed out", by_answer=True)])

    (again,) = await database.run(claim, SOMEDAY + 5_000)

    assert (again.post_id, again.in_doubt, again.doubts) == (claimed.post_id, True, 1)


async def test_a_lane_posts_once_a_second(database, workspace):
    """The database keeps the pace, whichever worker posts."""
    await database.run(add_routed, *["U_DANA"] * 11)
    (claimed,) = await database.run(claim)
    await database.run(settle, [Sent(claimed, SOMEDAY + 100, "D_DANA", "1.1")])

    assert await database.run(claim, SOMEDAY + 1_099) == []
    assert len(await database.run(claim, SOMEDAY + 1_100)) == 1


async def test_an_empty_lane_stays_paced(database, workspace):
    """A delivery that arrives right after the last message waits for the next second."""
    await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Sent(claimed, SOMEDAY + 100, "D_DANA", "1.1")])

    await database.run(add_routed, "U_DANA", now=SOMEDAY + 200)

    assert (await database.run(lane_of, "U_DANA")).due_at == SOMEDAY + 1_100


async def test_the_id_of_a_direct_message_channel_is_stored(database, workspace):
    """Looking a message up needs it, and only an answer of Slack contains it."""
    await database.run(add_routed, "U_DANA")
    (claimed,) = await database.run(claim)
    await database.run(settle, [Sent(claimed, SOMEDAY, "D_DANA", "1.1")])
    await database.run(add_routed, "U_DANA")

    (next_claim,) = await database.run(claim, SOMEDAY + 1_000)

    assert (claimed.dm, next_claim.dm) == (None, "D_DANA")


async def test_a_backlog_is_posted_within_the_limit_of_each_minute_and_without_silences(database, workspace):
    """Slack limits the workspace as a whole, too. A part goes at once, the others evenly over the minute."""
    await database.run(workspaces.change, "T1", None, posts_per_minute=60)
    await database.run(add_routed, *[f"U_{number}" for number in range(200)])
    posted = list[int]()

    for now in range(SOMEDAY, SOMEDAY + 150_000, 500):
        claims = await database.run(claim, now)
        await database.run(settle, [Sent(each, now, each.channel, "1.1") for each in claims])
        posted += [now] * len(claims)

    assert posted.count(SOMEDAY) == 20
    assert 58 <= max(len([at for at in posted if since <= at < since + 60_000]) for since in posted) <= 60
    assert max(later - earlier for earlier, later in pairwise(posted)) <= 2_000
    assert len([at for at in posted if at < SOMEDAY + 120_000]) >= 115


async def test_a_pause_of_posting_applies_to_the_whole_workspace(database, workspace):
    """Slack's Retry-After is for the method in the workspace, not for one channel."""
    await database.run(add_routed, "U_DANA")
    await database.run(pauses.pause, "T1", "slack:chat.postMessage", SOMEDAY + 30_000, SOMEDAY, "429")

    assert await database.run(claim, SOMEDAY + 29_999) == []
    assert len(await database.run(claim, SOMEDAY + 30_000)) == 1


async def test_while_slack_is_failing_one_lane_tries(database, workspace):
    """A hundred lanes would leave a hundred posts in doubt."""
    await database.run(add_routed, "U_DANA", "U_KIM", "U_LEE")
    await database.run(pauses.record_failure, "T1", "slack", SOMEDAY, "500")

    (claimed,) = await database.run(claim)

    assert claimed.slack_is_failing


async def test_a_small_workspace_does_not_wait_for_a_large_one(database, workspace):
    """Workspaces share a claim, the least recently served first."""
    await database.run(add_workspace, "T2")
    await database.run(add_routed, *[f"U_{number}" for number in range(40)])
    await database.run(add_routed, "U_KIM", workspace_id="T2")

    claimed = await database.run(claim, SOMEDAY, 8)

    assert [each.workspace_id for each in claimed].count("T2") == 1
    assert len(claimed) == 5


async def test_more_workspaces_than_share_a_claim_take_turns(database, workspace):
    """The workspaces that posted last go last, whatever their ids are."""
    names = [f"T{number:02}" for number in range(MOST_WORKSPACES + 1)]
    for name in names:
        await database.run(add_workspace, name)
        await database.run(add_routed, f"U_{name}_A", f"U_{name}_B", workspace_id=name)

    first = {each.workspace_id for each in await database.run(claim, SOMEDAY, MOST_WORKSPACES)}
    second = {each.workspace_id for each in await database.run(claim, SOMEDAY + 1, MOST_WORKSPACES)}

    assert len(first) == MOST_WORKSPACES
    assert set(names) - first <= second


@pytest.mark.parametrize("most", range(1, 7))
async def test_workspaces_share_the_lanes_that_a_claim_may_take(database, workspace, most):
    """No claim takes more than it may, and each workspace that is served gets a lane."""
    for name in ("T2", "T3", "T4"):
        await database.run(add_workspace, name)
    for name in ("T1", "T2", "T3", "T4"):
        await database.run(add_routed, f"U_{name}_A", f"U_{name}_B", workspace_id=name)

    claimed = await database.run(claim, SOMEDAY, most)

    assert len(claimed) == most
    assert len({each.workspace_id for each in claimed}) == min(most, 4)


async def test_workspaces_without_work_take_no_turns(database, workspace):
    """However many of them there are, and although none of them was served before."""
    await database.run(add_routed, "U_DANA")
    await database.run(claim)
    for number in range(MOST_WORKSPACES):
        await database.run(add_workspace, f"T{number:02}")
    await database.run(add_routed, "U_KIM")

    (claimed,) = await database.run(claim, SOMEDAY + 1)

    assert claimed.destination == "U_KIM"


async def test_nothing_is_posted_for_a_workspace_without_the_app(database, workspace):
    """Its deliveries wait until the app is installed again."""
    await database.run(add_routed, "U_DANA")
    await database.run(workspaces.mark_gone, "T1", SOMEDAY)
    gone = await database.run(claim)

    await database.run(workspaces.install, installed("T1", installed_at=SOMEDAY + 1))

    assert gone == []
    assert len(await database.run(claim)) == 1


async def test_without_a_default_channel_its_lane_is_parked_until_one_is_chosen(database):
    """Nothing is lost: the lane is due as soon as a channel is chosen."""
    await database.run(add_workspace, channel=None)
    await database.run(add_routed, DEFAULT_CHANNEL)
    before = await database.run(claim)

    def choose(connection):
        workspaces.change(connection, "T1", None, default_channel_id="C_NEW")
        workspaces.open_default_lane(connection, "T1", SOMEDAY)

    await database.run(choose)

    (claimed,) = await database.run(claim)
    assert before == []
    assert claimed.channel == "C_NEW"


async def test_a_delivery_of_a_refused_bundle_is_posted_alone(database, workspace):
    """A rendering that Slack refuses blocks no other delivery."""
    ids = await database.run(add_routed, "U_DANA", "U_DANA", "U_DANA")
    (bundle,) = await database.run(claim)
    await database.run(settle, [Postponed(bundle, SOMEDAY, SOMEDAY, "invalid_blocks", simplify=True)])

    (alone,) = await database.run(claim)

    assert [each.job_change_id for each in alone.deliveries] == ids[:1]
    assert [each.plainness for each in alone.deliveries] == [1]
    (step,) = await database.run(steps_of, ids[0])
    assert (step.step, step.detail) == (Step.SIMPLIFIED, "invalid_blocks")


async def test_a_post_whose_deliveries_were_erased_does_not_block_its_lane(database, workspace):
    """Erasing a person may delete all deliveries of a post."""
    await database.run(add_routed, "U_DANA")
    await database.run(claim)

    def erase(connection):
        connection.exec_driver_sql("DELETE FROM deliveries")

    await database.run(erase)
    await database.run(add_routed, "U_DANA")
    await database.run(lambda connection: set_lane(connection, "U_DANA", due_at=SOMEDAY))

    (claimed,) = await database.run(claim)

    assert not claimed.in_doubt
    assert await database.run(post_states) == ["failed", "sending"] or await database.run(post_states) == [
        "sending",
        "failed",
    ]


async def test_an_empty_lane_that_is_due_is_released(database, workspace):
    """It must not be claimed again and again."""
    await database.run(add_routed, "U_DANA")
    await database.run(lambda connection: connection.exec_driver_sql("DELETE FROM deliveries").close())

    assert await database.run(claim) == []
    assert (await database.run(lane_of, "U_DANA")).due_at is None


async def test_a_job_change_has_one_delivery_for_a_lane(database, workspace):
    """Routing it twice adds no second delivery."""
    job_change_id = await database.run(add_job_change)
    await database.run(add_routed, "U_DANA", job_change_id=job_change_id)
    await database.run(add_routed, "U_DANA", job_change_id=job_change_id)

    assert await database.run(delivery_states, job_change_id) == ["pending"]


def test_a_bundle_ends_before_a_delivery_that_is_posted_alone():
    """The order is kept, and none overtakes it."""

    class Waiting:
        def __init__(self, plainness):
            self.plainness = plainness

    waiting = [Waiting(0), Waiting(0), Waiting(1), Waiting(0)]

    assert next_bundle(waiting) == tuple(waiting[:2])
    assert next_bundle(waiting[2:]) == (waiting[2],)


async def test_the_lane_of_a_default_channel_that_is_no_longer_chosen_is_parked(database, workspace):
    """It does not come up again with each claim, and holds back no other lane."""
    await database.run(add_routed, DEFAULT_CHANNEL, "U_DANA")
    await database.run(workspaces.change, "T1", None, default_channel_id=None)

    (claimed,) = await database.run(claim)

    assert claimed.channel == "U_DANA"
    lane = await database.run(lane_of, DEFAULT_CHANNEL)
    assert (lane.lease, lane.due_at) == (None, None)
