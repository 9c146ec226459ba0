"""Slack is away, slow, lies, storms, or shuts the door in mid-drain: by a given clock, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import aiohttp
import pytest

from services.slack.api import Slack
from store.slack import workspaces
from tests.chaos.rig.load import under_load
from tests.chaos.rig.processes import greet, rig_on
from tests.chaos.rig.simulated import simulated

POST = "chat.postMessage"
JOB_CHANGES = range(100, 260)


@pytest.fixture
async def run(database, clock):
    async with simulated(database, clock) as run:
        yield run


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ("503", {"status": 503}),
        pytest.param("internal_error", {"error": "internal_error"}, marks=pytest.mark.in_full),
        pytest.param("connections cut", {"drop": "before"}, marks=pytest.mark.in_full),
        pytest.param(
            "garbage", {"body": b"<html>We will be right back</html>", "status": 502}, marks=pytest.mark.in_full
        ),
    ],
)
async def test_slack_is_down_for_ten_minutes(run, accounts, how, fault):
    """Everything that came meanwhile is told within a minute or so of its return, also in channels, and told once."""
    await run.send(JOB_CHANGES[:40], to_nobody=True)
    down = run.world.slack.faults.add("*", times=None, **fault)
    await run.pass_time(300)
    await run.send(JOB_CHANGES[40:], to_nobody=True)
    await run.pass_time(300)
    run.world.slack.faults.remove(down)
    took = await run.drained(within=120)

    accounts.append(account := await run.account(f"Slack down for 10 minutes ({how})"))
    assert account.is_even, account
    assert account.buried == 0
    assert account.channel > 0
    assert took <= 75


async def test_slack_is_slower_than_we_wait(run, accounts):
    """Each answer comes after we have hung up, here a hundred times sooner than for real: no message comes twice."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.1)) as http:
        impatient(run.world, http)
        run.world.slack.faults.add(POST, delay=0.2, perform=True, times=30)
        await run.send(JOB_CHANGES)
        await run.drained(within=1_200)

    accounts.append(account := await run.account("Slack slower than we wait"))
    assert account.is_even, account


def impatient(world, http):
    """Let the courier call Slack with a time limit of its own."""
    courier = world.worker.courier
    client = courier.slack.client
    hasty = type(client)(base_url=client.base_url, session=http, retry_handlers=[])
    slack: Slack = replace(courier.slack, client=hasty)
    world.worker = replace(world.worker, courier=replace(courier, slack=slack))


async def test_slack_answers_500_after_performing(run, accounts):
    """In direct messages we look before we send again: none comes twice."""
    run.world.slack.faults.add(POST, status=500, perform=True, times=40)
    await run.send(JOB_CHANGES)
    await run.drained(within=1_200)

    accounts.append(account := await run.account("Slack answers 500 after performing"))
    assert account.is_even, account


async def test_slack_answers_500_after_performing_where_we_cannot_look(run, accounts):
    """A channel's history is not ours to read: told twice at most, then buried for a person, not dropped in silence."""
    run.world.slack.faults.add(POST, status=500, perform=True, times=None)
    await run.send([serial for serial in JOB_CHANGES if serial % 6 == 5], to_nobody=True)
    await run.drained(within=1_200)

    accounts.append(account := await run.account("the same in a channel: twice, then buried"))
    assert (account.lost, account.waiting, account.buried) == ([], 0, 27)
    assert set(account.repeated.values()) == {2}


async def test_slack_storms_with_429(run, accounts):
    """A third of all posts is asked to wait for 20 seconds: nobody calls before that is over, nothing has failed."""
    chance = Random(3)
    run.world.slack.faults.add(POST, retry_after=20, times=20, when=lambda _arguments: chance.random() < 0.3)
    await run.send(JOB_CHANGES, to_nobody=True)
    await run.drained(within=1_800)

    accounts.append(account := await run.account("429 storms"))
    assert account.is_even, account
    posts = [call for call in run.world.slack.calls if call.method == POST]
    asked = [call.at for call in posts if call.status == 429]
    assert len(asked) > 3
    assert [call.at for call in posts if any(at < call.at < at + 20 for at in asked)] == []


async def test_a_token_is_revoked_in_mid_drain(run, accounts):
    """The workspace waits; after it has installed the app again, the rest is told."""
    world = run.world
    await run.send(JOB_CHANGES, to_nobody=True)
    await run.pass_time(0.5, step=0.5)
    await world.slack.revoke_token(world.team.id)
    await run.pass_time(300)
    assert (await run.account("")).waiting > 0

    world.tokens[world.team.id] = world.slack.install(world.team.id, world.admin.id)
    installed = workspaces.Installed(
        id=world.team.id,
        enterprise_id=None,
        is_enterprise_install=False,
        name="Acme",
        installer_user_id=world.admin.id,
        bot_user_id=None,
        scopes="chat:write,im:history",
        installed_at=world.clock(),
    )
    await world.database.run(workspaces.install, installed)
    await run.drained(within=120)

    accounts.append(account := await run.account("token revoked in mid-drain"))
    assert account.is_even, account


async def test_the_default_channel_is_archived_in_mid_drain(run, accounts):
    """What it should read waits for an admin; what goes to people goes on."""
    world = run.world
    await run.send(JOB_CHANGES, to_nobody=True)
    await world.worker.route_due()
    channel = world.slack.world.channel_by_name(world.team.id, "job-changes")
    await world.slack.archive_channel(channel.id)
    await run.pass_time(300)
    before = await run.account("")
    assert (before.channel, before.waiting) == (0, 27)

    await world.default_channel("signals")
    await run.drained(within=120)

    accounts.append(account := await run.account("channel archived in mid-drain"))
    assert account.is_even, account


@pytest.mark.in_full
@pytest.mark.process
async def test_slack_answers_after_eleven_seconds(sqlite_url, accounts):
    """As a process meets it: each call is performed at once, and answered when nobody listens any more."""
    async with rig_on(sqlite_url, owners=20) as rig:
        await rig.start()
        await greet(rig)
        slow = rig.slack.faults.add(POST, delay=11, perform=True, times=None)
        async with under_load(rig, a_second=10):
            await asyncio.sleep(12)
        rig.slack.faults.remove(slow)
        await rig.drained()

        accounts.append(account := await rig.account("Slack answers after 11 seconds, SQLite"))
    assert account.is_even, account
    assert account.buried == 0
