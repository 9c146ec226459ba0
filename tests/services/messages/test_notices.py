"""Those who look after the app are told once of what only they can mend, and of what is left to do after installing."""

from __future__ import annotations

import asyncio

import pytest

from domain.audit import AuditEntry
from domain.delivery import NewDelivery
from domain.states import DEFAULT_CHANNEL, Role
from services.home.preferences import Preferences
from services.messages.notices import LEASE_MS, Notices
from store import audit
from store.delivery.deliveries import add_deliveries
from store.messages import notices
from store.ownership import owners
from store.salesforce import connections as salesforce_connections_store
from store.schema import job_changes, lanes, ownership_rules, salesforce_connections
from store.slack import workspaces
from tests.services.slack.slack_world import open_slack_workspace

MINUTE, HOUR, DAY = 60, 3_600, 86_400


@pytest.fixture
async def acme(database, clock):
    async with open_slack_workspace(database, clock) as acme:
        yield acme


@pytest.fixture
def ours(acme, database, clock):
    return Notices(database, acme.api, clock)


@pytest.fixture
def preferences(acme, database, clock):
    return Preferences(acme.api, database, clock)


def told(acme, user=None) -> list[str]:
    """What this person, Dana if nobody is named, reads now in direct messages of the app."""
    person = (user or acme.dana).id
    channels = [each for each in acme.sandbox.world.channels.values() if each.im_user == person]
    return [message.text for channel in channels for message in channel.messages.values()]


def blocks(acme) -> str:
    channels = [each for each in acme.sandbox.world.channels.values() if each.im_user == acme.dana.id]
    return str([message.blocks for channel in channels for message in channel.messages.values()])


def posts_to(acme, user) -> int:
    return len([asked for asked in acme.calls_of("chat.postMessage") if asked["channel"] == user.id])


async def work(ours) -> None:
    while await ours.catch_up():
        pass


async def pass_time(ours, clock, seconds) -> None:
    clock.advance(seconds=seconds)
    await work(ours)


async def break_channel(acme, problem="it was archived") -> None:
    """#wins is the default channel, and cannot be posted to."""
    chosen = {"default_channel_id": acme.wins.id, "default_channel_name": "wins", "default_channel_problem": problem}
    await acme.database.run(workspaces.change, acme.id, None, **chosen)


async def welcome(acme, clock, *, anew=True) -> None:
    await acme.database.run(notices.add_welcome, acme.id, acme.dana.id, clock(), anew=anew)


async def insert(acme, table, **values) -> None:
    await acme.database.run(lambda connection: connection.execute(table.insert().values(values)))


async def connect_salesforce(acme, clock) -> None:
    flow = {"flow": "web_server", "login_url": "https://login.salesforce.com"}
    await insert(acme, salesforce_connections, workspace_id=acme.id, connected_at=clock(), **flow)


async def take_in(acme, clock, source="sender") -> None:
    row = {"id": source, "workspace_id": acme.id, "key": source, "source": source, "accepted_at": clock()}
    await insert(acme, job_changes, **row)


async def test_a_missing_default_channel_is_told_once(acme, ours):
    """However many job changes wait for it; it can be chosen right there."""
    for _ in range(3):
        await ours.default_channel_missing(acme.id)

    [text] = told(acme)
    assert "choose a default channel" in text
    assert "conversations_select" in blocks(acme)


async def test_who_dies_before_telling_that_a_default_channel_is_missed_is_followed(acme, ours, clock):
    """The job change waits in the lane of the default channel; one that is told in person is no reason to tell."""
    await take_in(acme, clock)
    await acme.database.run(add_deliveries, acme.id, [NewDelivery("sender", acme.dana.id, Role.DRI, "")], clock())
    await work(ours)
    before = told(acme)

    await acme.database.run(
        add_deliveries, acme.id, [NewDelivery("sender", DEFAULT_CHANNEL, Role.FALLBACK, "")], clock()
    )
    await work(ours)
    await work(ours)

    assert (before, ["wait for a default channel" in text for text in told(acme)]) == ([], [True])


@pytest.mark.both_databases
async def test_a_broken_default_channel_is_told_once_with_a_picker(acme, ours, clock):
    """Whoever finds out, and however often. The reason is shown as text: nothing in it is live."""
    await break_channel(acme, "it was archived <!channel>")

    await work(ours)
    await ours.default_channel_broken(acme.id)
    await pass_time(ours, clock, DAY)

    [text] = told(acme)
    assert "cannot be posted to*: it was archived &lt;!channel&gt;" in text
    assert "notice_choose_channel" in blocks(acme)
    assert "notice_check_channel" in blocks(acme)


@pytest.mark.both_databases
async def test_two_replicas_and_two_failures_are_one_message(acme, ours, database, clock):
    """The courier of one, the event that another heard, and the worker of both."""
    await break_channel(acme)
    other = Notices(database, acme.api, clock)

    await asyncio.gather(
        ours.default_channel_broken(acme.id),
        other.default_channel_broken(acme.id),
        ours.catch_up(),
        other.catch_up(),
    )
    await work(ours)

    assert posts_to(acme, acme.dana) == 1


async def test_the_message_says_when_it_is_mended(acme, ours, preferences):
    """In place: nobody mends it twice."""
    await break_channel(acme)
    await work(ours)

    assert (await preferences.check_default_channel(acme.id, acme.dana.id, None)).stored
    await work(ours)

    [text] = told(acme)
    assert f"*Fixed.* Job changes that no DRI is found for go to <#{acme.wins.id}>" in text
    assert "conversations_select" not in blocks(acme)


async def test_a_default_channel_that_breaks_again_is_told_again(acme, ours, preferences):
    """Mending it ended the first trouble."""
    await break_channel(acme)
    await work(ours)
    await preferences.check_default_channel(acme.id, acme.dana.id, None)
    await work(ours)

    await break_channel(acme, "it was deleted")
    await work(ours)

    mended, broken = told(acme)
    assert "Fixed" in mended
    assert "it was deleted" in broken


async def test_what_breaks_again_before_anybody_looked_is_told_in_the_same_message(acme, ours, preferences):
    """It has not been read as mended."""
    await break_channel(acme)
    await work(ours)
    await preferences.check_default_channel(acme.id, acme.dana.id, None)
    await break_channel(acme, "it was deleted")
    await work(ours)

    [text] = told(acme)
    assert "it was deleted" in text


async def test_what_is_mended_before_it_is_told_is_not_told(acme, ours):
    """Slack asked us to wait meanwhile."""
    await break_channel(acme)
    acme.sandbox.faults.add("chat.postMessage", error="something_new")
    await ours.catch_up()
    await acme.database.run(workspaces.mark_default_channel_working, acme.id, acme.wins.id, 0)

    await pass_time(ours, ours.now, MINUTE)

    assert told(acme) == []


async def test_those_who_changed_settings_and_still_are_admins_are_told_too(acme, ours, clock):
    """Whoever installed it may have left. Members who were admins once are left alone."""
    lee = acme.sandbox.add_user(acme.team, "Lee Park", "lee@acme.example", is_owner=True)
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    for person in (lee, mo):
        await acme.database.run(audit.record, acme.id, AuditEntry(clock(), person.id, "preferences", ""))
    await break_channel(acme)

    await work(ours)

    assert [posts_to(acme, each) for each in (acme.dana, lee, mo)] == [1, 1, 0]


async def test_where_nobody_we_know_is_an_admin_any_more_any_admins_are_told(acme, ours):
    """Somebody has to mend it. A few, not everybody who is one."""
    acme.dana.is_admin, acme.dana.deleted = False, True
    admins = [acme.sandbox.add_user(acme.team, f"Admin {n}", f"a{n}@acme.example", is_admin=True) for n in range(9)]
    await break_channel(acme)

    await work(ours)

    assert sum(posts_to(acme, each) for each in admins) == 5
    assert posts_to(acme, acme.dana) == 0


async def test_where_slack_does_not_say_who_is_an_admin_those_we_know_are_told(acme, ours):
    """The picker asks again who may use it."""
    acme.sandbox.faults.add("users.info", status=503, times=None)
    await break_channel(acme)

    await work(ours)

    assert posts_to(acme, acme.dana) == 1


async def break_salesforce(acme, clock, problem="the app was removed") -> None:
    await connect_salesforce(acme, clock)
    await acme.database.run(salesforce_connections_store.note_problem, acme.id, problem)


async def test_where_one_of_two_could_not_be_told_they_are_told_later_and_the_other_once(acme, ours, clock):
    """Whoever connected Salesforce is told beside those who look after the app."""
    kim = acme.sandbox.add_user(acme.team, "Kim Lee", "kim@acme.example", is_admin=True)
    acme.sandbox.faults.add("chat.postMessage", error="something_new")
    await break_salesforce(acme, clock)

    await ours.salesforce_broken(acme.id, kim.id)
    before = sorted([len(told(acme)), len(told(acme, kim))])
    await pass_time(ours, clock, MINUTE)
    await ours.salesforce_broken(acme.id, kim.id)

    assert before == [0, 1]
    assert [len(told(acme)), len(told(acme, kim))] == [1, 1]


async def test_what_salesforce_needs_is_told_although_nobody_asks_for_it_again(acme, ours, clock):
    """It is a row before Slack is called: whoever dies in between is followed, and so is a Slack that was away."""
    acme.sandbox.faults.add("chat.postMessage", error="something_new")
    await break_salesforce(acme, clock)
    await ours.salesforce_broken(acme.id, None)
    before = told(acme)

    await pass_time(Notices(acme.database, acme.api, clock), clock, MINUTE)

    assert (before, len(told(acme))) == ([], 1)
    assert "Salesforce needs an admin: the app was removed." in told(acme)[0]


@pytest.mark.both_databases
async def test_a_salesforce_that_was_mended_before_it_was_told_is_not_told(acme, ours, clock):
    """Nor how many calls were left once there are enough of them."""
    acme.sandbox.faults.add("chat.postMessage", error="something_new", times=2)
    await break_salesforce(acme, clock)
    await acme.database.run(salesforce_connections_store.note_answer, acme.id, clock(), (14_000, 15_000))
    await acme.database.run(salesforce_connections_store.note_problem, acme.id, "the app was removed")
    await ours.salesforce_broken(acme.id, None)
    await ours.salesforce_calls_low(acme.id, None)

    await acme.database.run(salesforce_connections_store.note_answer, acme.id, clock(), (100, 15_000))
    await pass_time(ours, clock, MINUTE)

    assert (posts_to(acme, acme.dana), told(acme)) == (2, [])


@pytest.mark.both_databases
async def test_two_presses_of_not_me_at_once_are_one_message(acme, ours, database, clock):
    """On two replicas; it is written down once, too."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    other = Notices(database, acme.api, clock)

    await asyncio.gather(*(each.not_me(acme.id, "sales@acme.example", mo.id) for each in (ours, other)))
    await work(ours)

    assert ["is not `sales@acme.example` in Salesforce" in text for text in told(acme)] == [True]
    written = await database.run(audit.recent, acme.id)
    assert [change.action for change in written] == ["not_me"]


async def test_each_denial_is_told_also_while_another_waits_to_be(acme, ours, clock):
    """Slack was busy at the first."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    acme.sandbox.faults.add("chat.postMessage", error="something_new")

    await ours.not_me(acme.id, "sales@acme.example", mo.id)
    clock.advance(seconds=0.01)
    await ours.not_me(acme.id, "desk@acme.example", mo.id)
    before = told(acme)
    await pass_time(ours, clock, MINUTE)

    assert ["`desk@acme.example`" in text for text in before] == [True]
    assert ["`sales@acme.example`" in text for text in told(acme)] == [False, True]


async def test_a_denial_that_was_taken_back_before_it_was_told_is_not_told(acme, ours, clock):
    """There is nothing left to do for anybody."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    acme.sandbox.faults.add("chat.postMessage", error="something_new")

    await ours.not_me(acme.id, "sales@acme.example", mo.id)
    await acme.database.run(owners.withdraw_denial, acme.id, "sales@acme.example", mo.id)
    await pass_time(ours, clock, MINUTE)

    assert told(acme) == []


async def test_what_could_not_be_told_is_told_later(acme, ours, clock):
    """Slack was busy; the trouble is still there."""
    acme.sandbox.faults.add("chat.postMessage", error="something_new")
    await ours.default_channel_missing(acme.id)
    before = told(acme)

    await pass_time(ours, clock, MINUTE)

    assert (before, len(told(acme))) == ([], 1)


async def test_an_admin_who_cannot_be_told_stops_nothing(acme, ours, clock):
    """The courier calls this amid its work."""
    acme.sandbox.faults.add("chat.postMessage", error="user_not_found", times=None)
    for _ in range(2):
        await ours.default_channel_missing(acme.id)
        await pass_time(ours, clock, HOUR)

    assert posts_to(acme, acme.dana) == 1


async def test_a_workspace_that_is_unknown_has_nobody_to_tell(acme, ours):
    """It was erased meanwhile."""
    await ours.default_channel_missing("T0ELSE")

    assert told(acme) == []


async def test_the_installer_reads_what_is_done_and_what_is_left(acme, ours, clock):
    """The first thing in their direct messages with the app."""
    await welcome(acme, clock)

    await work(ours)

    [text] = told(acme)
    assert "✅ The app is added to Slack" in text
    assert text.count("⬜") == 3
    assert "Optional" in text
    assert "notice_choose_channel" in blocks(acme)


async def test_the_message_ticks_itself_off(acme, ours, preferences, clock):
    """By itself, soon after each step, whoever did it; and then it is over."""
    await welcome(acme, clock)
    await work(ours)
    left = []

    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)
    await work(ours)
    left.append(told(acme)[0].count("⬜"))
    await connect_salesforce(acme, clock)
    await pass_time(ours, clock, 6)
    left.append(told(acme)[0].count("⬜"))
    await take_in(acme, clock, "usergems-test")  # a test message is no job change
    await pass_time(ours, clock, 6)
    left.append(told(acme)[0].count("⬜"))
    rules = {"version": 1, "rules": "{}", "published_at": clock(), "published_by": "U1"}
    await insert(acme, ownership_rules, workspace_id=acme.id, **rules)
    await take_in(acme, clock)
    await pass_time(ours, clock, 6)

    [text] = told(acme)
    assert left == [2, 1, 1]
    assert text.startswith("🎉 *All set.*")
    assert "✅ Ownership rules are published" in text
    assert posts_to(acme, acme.dana) == 1


@pytest.mark.parametrize(("worked_at", "is_done"), [(None, False), (1, True)])
async def test_credentials_that_never_worked_leave_salesforce_to_be_connected(acme, ours, clock, worked_at, is_done):
    """They may be for a browser's flow; what has worked before is connected, and its trouble is told elsewhere."""
    about = {"flow": "client_credentials", "problem": "unsupported_grant_type", "last_success_at": worked_at}
    about |= {"login_url": "https://acme.my.salesforce.com", "connected_at": clock()}
    await insert(acme, salesforce_connections, workspace_id=acme.id, **about)
    await welcome(acme, clock)
    await work(ours)

    assert ("✅ Salesforce is connected" in told(acme)[0]) is is_done


async def test_nothing_is_changed_while_nothing_happens(acme, ours, clock):
    """Slack is not called to draw the same again."""
    await welcome(acme, clock)
    for _ in range(20):
        await pass_time(ours, clock, 10)

    assert acme.calls_of("chat.update") == []


async def test_a_day_later_somebody_is_reminded_of_what_is_left_once(acme, ours, preferences, clock):
    """Of that alone; it, too, follows what happens."""
    await welcome(acme, clock)
    await work(ours)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)
    await pass_time(ours, clock, DAY - MINUTE)
    before = len(told(acme))

    for _ in range(4):
        await pass_time(ours, clock, DAY)

    _, nudge = told(acme)
    assert before == 1
    assert "Connect Salesforce" in nudge
    assert "hannel" not in nudge


async def test_where_nothing_is_left_nobody_is_reminded(acme, ours, preferences, clock):
    """Also if somebody did it all in Home."""
    await welcome(acme, clock)
    await work(ours)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)
    await connect_salesforce(acme, clock)
    await take_in(acme, clock)

    for _ in range(3):
        await pass_time(ours, clock, DAY)

    assert len(told(acme)) == 1


async def test_who_dies_between_the_installation_and_the_message_is_followed(acme, ours, clock):
    """It is a row of the same transaction: whoever comes next tells it, and two of them tell it once."""
    await welcome(acme, clock)
    other = Notices(acme.database, acme.api, clock)

    await asyncio.gather(ours.catch_up(), other.catch_up())
    await work(other)

    assert posts_to(acme, acme.dana) == 1


@pytest.mark.both_databases
async def test_who_dies_while_sending_does_not_tell_it_twice(acme, ours, clock):
    """Whether it arrived cannot be looked up in a conversation whose id nobody has learnt."""
    await welcome(acme, clock)
    notice = await acme.database.run(notices.claim, clock(), LEASE_MS)
    await acme.database.run(notices.begin, notice, clock())
    await acme.api.post(acme.id, acme.dana.id, text="as it was sent", post_id=notice.id)

    await pass_time(ours, clock, 2 * LEASE_MS / 1_000)

    assert told(acme) == ["as it was sent"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_where_it_can_be_looked_up_it_is_told_exactly_once(acme, ours, clock, arrived):
    """In a direct message that job changes were told in before; and then it is followed like any other."""
    await welcome(acme, clock)
    notice = await acme.database.run(notices.claim, clock(), LEASE_MS)
    await acme.database.run(notices.begin, notice, clock())
    said = await acme.api.post_notice(acme.id, acme.dana.id, "an earlier one")
    await acme.database.run(remember_dm, acme, said.channel)
    if arrived:
        await acme.api.post(acme.id, acme.dana.id, text="as it was sent", post_id=notice.id)

    await pass_time(ours, clock, 2 * LEASE_MS / 1_000)
    await pass_time(ours, clock, MINUTE)

    _, text = told(acme)
    assert "The app is installed." in text


def remember_dm(connection, acme, channel):
    connection.execute(lanes.insert().values(workspace_id=acme.id, destination=acme.dana.id, dm=channel))


async def test_allowing_more_does_not_welcome_somebody_twice(acme, ours, clock):
    """Who adds a permission installs again; who comes back after leaving begins anew."""
    await welcome(acme, clock)
    await work(ours)
    await welcome(acme, clock, anew=False)
    await work(ours)
    again = len(told(acme))

    await welcome(acme, clock)
    await work(ours)

    assert (again, len(told(acme))) == (1, 2)


async def test_a_workspace_that_left_is_told_nothing(acme, ours, clock):
    """There is no token any more."""
    await welcome(acme, clock)
    await break_channel(acme)
    await acme.database.run(workspaces.mark_gone, acme.id, clock())

    await pass_time(ours, clock, 2 * DAY)

    assert told(acme) == []
