"""Slack is down, slow, rate-limits, fails after performing a call, or removes tokens and channels."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import aiohttp
import pytest

from services.slack.api import NO_CHANNEL, Slack
from store.slack import workspaces
from tests.chaos.rig.load import under_load
from tests.chaos.rig.processes import open_rig, send_first_messages
from tests.chaos.rig.simulated import open_simulation
from tests.world import installed

POST = "chat.postMessage"
JOB_CHANGES = range(100, 260)


@pytest.fixture
async def run(database, clock):
    async with open_simulation(database, clock) as run:
        yield run


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("503", {"status": 503}),
        pytest.param("internal_error", {"error": "internal_error"}, marks=pytest.mark.in_full),
        pytest.param("connections cut", {"drop": "before"}, marks=pytest.mark.in_full),
        pytest.param(
            "garbage", {"body": b"<html>We will be right back</html>", "status": 502}, marks=pytest.mark.in_full
        ),
    ],
)
async def test_after_ten_minutes_without_slack_everything_is_delivered(run, reports, name, fault):
    """Everything accepted during the outage is delivered once, within 75 seconds of its end, in channels too."""
    await run.send(JOB_CHANGES[:40], include_unowned=True)
    down = run.world.slack.faults.add("*", times=None, **fault)
    await run.pass_time(300)
    await run.send(JOB_CHANGES[40:], include_unowned=True)
    await run.pass_time(300)
    run.world.slack.faults.remove(down)
    seconds = await run.wait_until_drained(within=120)

    reports.append(report := await run.report(f"Slack down for 10 minutes ({name})"))
    assert report.is_complete, report
    assert report.failed == 0
    assert report.in_channel > 0
    assert seconds <= 75


async def test_slack_timeouts_repeat_no_message(run, reports):
    """Slack performs the call and answers after the timeout, which is a hundred times shorter here."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as http:
        shorten_timeout(run.world, http)
        run.world.slack.faults.add(POST, delay=0.2, perform=True, times=30)
        await run.send(JOB_CHANGES)
        await run.wait_until_drained(within=1_200)

    reports.append(report := await run.report("Slack times out"))
    assert report.is_complete, report


def shorten_timeout(world, http):
    """Make the courier call Slack through this session, with its shorter timeout."""
    courier = world.worker.courier
    client = courier.slack.client
    impatient = type(client)(base_url=client.base_url, session=http, retry_handlers=[])
    slack: Slack = replace(courier.slack, client=impatient)
    world.worker = replace(world.worker, courier=replace(courier, slack=slack))


async def test_a_500_after_a_sent_message_repeats_nothing(run, reports):
    """In direct messages the app looks for the message before it sends it again."""
    run.world.slack.faults.add(POST, status=500, perform=True, times=40)
    await run.send(JOB_CHANGES)
    await run.wait_until_drained(within=1_200)

    reports.append(report := await run.report("Slack answers 500 after performing"))
    assert report.is_complete, report


async def test_a_500_after_a_sent_message_repeats_it_once_in_channels(run, reports):
    """The app cannot read channels, so a message is sent twice at most, and the delivery then fails visibly."""
    is_message = {"when": lambda arguments: arguments["channel"] != NO_CHANNEL}
    run.world.slack.faults.add(POST, status=500, perform=True, times=None, **is_message)
    await run.send([serial for serial in JOB_CHANGES if serial % 6 == 5], include_unowned=True)
    await run.wait_until_drained(within=1_200)

    reports.append(report := await run.report("the same in a channel: sent twice, then failed"))
    assert (report.lost, report.waiting, report.failed) == ([], 0, 27)
    assert set(report.repeated.values()) == {2}


async def test_retry_after_is_respected(run, reports):
    """A third of all posts gets 429 with 20 seconds. No call is made before they are over, and nothing fails."""
    chance = Random(3)
    run.world.slack.faults.add(POST, retry_after=20, times=20, when=lambda _arguments: chance.random() < 0.3)
    await run.send(JOB_CHANGES, include_unowned=True)
    await run.wait_until_drained(within=1_800)

    reports.append(report := await run.report("429 storms"))
    assert report.is_complete, report
    posts = [call for call in run.world.slack.calls if call.method == POST]
    limited_at = [call.at for call in posts if call.status == 429]
    assert len(limited_at) > 3
    assert [call.at for call in posts if any(at < call.at < at + 20 for at in limited_at)] == []


async def test_after_a_revoked_token_a_new_installation_delivers_the_rest(run, reports):
    """Job changes wait until the workspace installs the app again."""
    world = run.world
    await run.send(JOB_CHANGES, include_unowned=True)
    await run.pass_time(0.5, step=0.5)
    await world.slack.revoke_token(world.team.id)
    await run.pass_time(300)
    assert (await run.report("")).waiting > 0

    world.tokens[world.team.id] = world.slack.install(world.team.id, world.admin.id)
    fields = {"installer_user_id": world.admin.id, "scopes": "chat:write,im:history", "installed_at": world.clock()}
    await world.database.run(workspaces.install, installed(world.team.id, **fields))
    await run.wait_until_drained(within=120)

    reports.append(report := await run.report("token revoked while messages wait"))
    assert report.is_complete, report


async def test_after_an_archived_default_channel_the_next_one_gets_the_rest(run, reports):
    """Messages for the default channel wait for an admin. Direct messages continue."""
    world = run.world
    await run.send(JOB_CHANGES, include_unowned=True)
    await world.worker.route_due()
    channel = world.slack.world.channel_by_name(world.team.id, "job-changes")
    await world.slack.archive_channel(channel.id)
    await run.pass_time(300)
    before = await run.report("")
    assert (before.in_channel, before.waiting) == (0, 27)

    await world.default_channel("signals")
    await run.wait_until_drained(within=120)

    reports.append(report := await run.report("channel archived while messages wait"))
    assert report.is_complete, report


@pytest.mark.in_full
@pytest.mark.process
async def test_calls_that_slack_answers_after_the_timeout_are_not_repeated(sqlite_url, reports):
    """In a real process: Slack performs each call at once and answers after eleven seconds."""
    async with open_rig(sqlite_url, owners=20) as rig:
        await rig.start()
        await send_first_messages(rig)
        slow = rig.slack.faults.add(POST, delay=11, perform=True, times=None)
        async with under_load(rig, a_second=10):
            await asyncio.sleep(12)
        rig.slack.faults.remove(slow)
        await rig.wait_until_drained()

        reports.append(report := await rig.report("Slack answers after 11 seconds, SQLite"))
    assert report.is_complete, report
    assert report.failed == 0
