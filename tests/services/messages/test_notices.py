"""Notices: what only admins can fix, and the setup steps after the installation."""

from __future__ import annotations

import asyncio

import pytest

from domain.audit import AuditEntry
from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.messages.notices import DEFAULT_CHANNEL_BROKEN, NO_DEFAULT_CHANNEL, SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW
from domain.salesforce import CallsMade
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
def sender(acme, database, clock):
    return Notices(database, acme.api, clock)


@pytest.fixture
def preferences(acme, database, clock):
    return Preferences(acme.api, database, clock)


def direct_messages(acme, user=None) -> list[str]:
    """The texts of the app's direct messages with this person, or with Dana."""
    person = (user or acme.dana).id
    channels = [each for each in acme.sandbox.world.channels.values() if each.im_user == person]
    return [message.text for channel in channels for message in channel.messages.values()]


def blocks(acme) -> str:
    channels = [each for each in acme.sandbox.world.channels.values() if each.im_user == acme.dana.id]
    return str([message.blocks for channel in channels for message in channel.messages.values()])


def posts_to(acme, user) -> int:
    return len([asked for asked in acme.calls_of("chat.postMessage") if asked["channel"] == user.id])


async def work(sender) -> None:
    while await sender.catch_up():
        pass


async def pass_time(sender, clock, seconds) -> None:
    clock.advance(seconds=seconds)
    await work(sender)


async def break_channel(acme, problem="it was archived") -> None:
    """The app cannot post in #wins, the default channel."""
    chosen = {"default_channel_id": acme.wins.id, "default_channel_name": "wins", "default_channel_problem": problem}
    await acme.database.run(workspaces.change, acme.id, None, **chosen)


async def welcome(acme, clock, *, is_new=True) -> None:
    await acme.database.run(notices.add_welcome, acme.id, acme.dana.id, clock(), is_new=is_new)


async def insert(acme, table, **values) -> None:
    await acme.database.run(lambda connection: connection.execute(table.insert().values(values)))


async def connect_salesforce(acme, clock) -> None:
    flow = {"flow": "web_server", "login_url": "https://login.salesforce.com"}
    await insert(acme, salesforce_connections, workspace_id=acme.id, connected_at=clock(), **flow)


async def accept(acme, clock, source="sender") -> None:
    row = {"id": source, "workspace_id": acme.id, "key": source, "source": source, "accepted_at": clock()}
    await insert(acme, job_changes, **row)


async def test_admins_are_notified_of_a_missing_default_channel_once(acme, sender):
    """However many job changes wait for it. They can choose one in the message."""
    for _ in range(3):
        await sender.default_channel_unusable(acme.id, NO_DEFAULT_CHANNEL)

    [text] = direct_messages(acme)
    assert "choose a default channel" in text
    assert "conversations_select" in blocks(acme)


async def test_another_process_sends_the_notice_of_a_missing_default_channel(acme, sender, clock):
    """The waiting lane of the default channel is the reason. A direct message is not."""
    await accept(acme, clock)
    await acme.database.run(
        add_deliveries, acme.id, [NewDelivery("sender", acme.dana.id, Role.DRI, legacy(""))], clock()
    )
    await work(sender)
    before = direct_messages(acme)

    await acme.database.run(
        add_deliveries, acme.id, [NewDelivery("sender", DEFAULT_CHANNEL, Role.FALLBACK, legacy(""))], clock()
    )
    await work(sender)
    await work(sender)

    assert (before, ["waiting for a default channel" in text for text in direct_messages(acme)]) == ([], [True])


@pytest.mark.both_databases
async def test_admins_are_notified_of_a_broken_default_channel_once(acme, sender, clock):
    """Whatever finds it, and however often. The reason is escaped."""
    await break_channel(acme, "it was archived <!channel>")

    await work(sender)
    await sender.default_channel_unusable(acme.id, DEFAULT_CHANNEL_BROKEN)
    await pass_time(sender, clock, DAY)

    [text] = direct_messages(acme)
    assert f"cannot post in the default channel <#{acme.wins.id}>*: it was archived &lt;!channel&gt;" in text
    assert "notice_choose_channel" in blocks(acme)
    assert "notice_check_channel" in blocks(acme)


@pytest.mark.both_databases
async def test_two_replicas_that_find_a_broken_channel_send_one_message(acme, sender, database, clock):
    """In the courier, in an event and in both workers."""
    await break_channel(acme)
    other = Notices(database, acme.api, clock)

    await asyncio.gather(
        sender.default_channel_unusable(acme.id, DEFAULT_CHANNEL_BROKEN),
        other.default_channel_unusable(acme.id, DEFAULT_CHANNEL_BROKEN),
        sender.catch_up(),
        other.catch_up(),
    )
    await work(sender)

    assert posts_to(acme, acme.dana) == 1


async def test_the_message_says_when_the_channel_works_again(acme, sender, preferences):
    """In the same message, so that nobody fixes it twice."""
    await break_channel(acme)
    await work(sender)

    assert (await preferences.check_default_channel(acme.id, acme.dana.id, None)).stored
    await work(sender)

    [text] = direct_messages(acme)
    assert "✅ *Fixed.*" in text
    assert "conversations_select" not in blocks(acme)


async def test_a_default_channel_that_breaks_again_is_a_new_notice(acme, sender, preferences):
    """The first failure is over."""
    await break_channel(acme)
    await work(sender)
    await preferences.check_default_channel(acme.id, acme.dana.id, None)
    await work(sender)

    await break_channel(acme, "it was deleted")
    await work(sender)

    fixed, broken = direct_messages(acme)
    assert "Fixed" in fixed
    assert "it was deleted" in broken


async def test_a_channel_that_breaks_again_before_an_update_keeps_its_message(acme, sender, preferences):
    """Nobody has read that it was fixed."""
    await break_channel(acme)
    await work(sender)
    await preferences.check_default_channel(acme.id, acme.dana.id, None)
    await break_channel(acme, "it was deleted")
    await work(sender)

    [text] = direct_messages(acme)
    assert "it was deleted" in text


async def test_a_failure_that_is_fixed_before_the_notice_is_not_sent(acme, sender):
    """Slack asked us to wait meanwhile."""
    await break_channel(acme)
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")
    await sender.catch_up()
    await acme.database.run(workspaces.mark_default_channel_working, acme.id, acme.wins.id, 0)

    await pass_time(sender, sender.now, MINUTE)

    assert direct_messages(acme) == []


async def test_admins_who_changed_settings_are_notified(acme, sender, clock):
    """The person who installed the app may have left. Former admins are not notified."""
    lee = acme.sandbox.add_user(acme.team, "Lee Park", "lee@acme.example", is_owner=True)
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    for person in (lee, mo):
        await acme.database.run(audit.record, acme.id, AuditEntry(clock(), person.id, "preferences", ""))
    await break_channel(acme)

    await work(sender)

    assert [posts_to(acme, each) for each in (acme.dana, lee, mo)] == [1, 1, 0]


async def test_other_admins_are_notified_if_the_known_ones_left(acme, sender):
    """Only a few of them."""
    acme.dana.is_admin, acme.dana.deleted = False, True
    admins = [acme.sandbox.add_user(acme.team, f"Admin {n}", f"a{n}@acme.example", is_admin=True) for n in range(9)]
    await break_channel(acme)

    await work(sender)

    assert sum(posts_to(acme, each) for each in admins) == 5
    assert posts_to(acme, acme.dana) == 0


async def test_the_known_admins_are_notified_if_slack_does_not_say_who_is_one(acme, sender):
    """The picker checks again who may use it."""
    acme.sandbox.faults.add("users.info", status=503, times=None)
    await break_channel(acme)

    await work(sender)

    assert posts_to(acme, acme.dana) == 1


async def break_salesforce(acme, clock, problem="the app was removed") -> None:
    await connect_salesforce(acme, clock)
    await acme.database.run(salesforce_connections_store.note_problem, acme.id, problem)


async def test_a_notice_is_retried_for_one_of_two_recipients(acme, sender, clock):
    """The person who connected Salesforce is notified in addition to the admins."""
    kim = acme.sandbox.add_user(acme.team, "Kim Lee", "kim@acme.example", is_admin=True)
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")
    await break_salesforce(acme, clock)

    await sender.salesforce_problem(acme.id, SALESFORCE_BROKEN, kim.id)
    before = sorted([len(direct_messages(acme)), len(direct_messages(acme, kim))])
    await pass_time(sender, clock, MINUTE)
    await sender.salesforce_problem(acme.id, SALESFORCE_BROKEN, kim.id)

    assert before == [0, 1]
    assert [len(direct_messages(acme)), len(direct_messages(acme, kim))] == [1, 1]


async def test_a_notice_about_salesforce_is_retried_by_another_process(acme, sender, clock):
    """It is a row before Slack is called."""
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")
    await break_salesforce(acme, clock)
    await sender.salesforce_problem(acme.id, SALESFORCE_BROKEN, None)
    before = direct_messages(acme)

    await pass_time(Notices(acme.database, acme.api, clock), clock, MINUTE)

    assert (before, len(direct_messages(acme))) == ([], 1)
    assert "*Salesforce needs an admin*: the app was removed." in direct_messages(acme)[0]


@pytest.mark.both_databases
async def test_a_salesforce_failure_that_is_fixed_before_the_notice_is_not_sent(acme, sender, clock):
    """The same holds for API calls."""
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new", times=2)
    await break_salesforce(acme, clock)
    await acme.database.run(salesforce_connections_store.note_answer, acme.id, clock(), CallsMade(1, (14_000, 15_000)))
    await acme.database.run(salesforce_connections_store.note_problem, acme.id, "the app was removed")
    await sender.salesforce_problem(acme.id, SALESFORCE_BROKEN, None)
    await sender.salesforce_problem(acme.id, SALESFORCE_CALLS_LOW, None)

    await acme.database.run(salesforce_connections_store.note_answer, acme.id, clock(), CallsMade(1, (100, 15_000)))
    await pass_time(sender, clock, MINUTE)

    assert (posts_to(acme, acme.dana), direct_messages(acme)) == (2, [])


@pytest.mark.both_databases
async def test_two_reports_of_not_me_at_once_are_one_message(acme, sender, database, clock):
    """On two replicas. The audit log has one entry, too."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    other = Notices(database, acme.api, clock)

    await asyncio.gather(*(each.not_me(acme.id, "sales@acme.example", mo.id) for each in (sender, other)))
    await work(sender)

    assert [
        "the Salesforce owner `sales@acme.example` is not their account" in text for text in direct_messages(acme)
    ] == [True]
    written = await database.run(audit.recent, acme.id)
    assert [change.action for change in written] == ["not_me"]


async def test_each_report_of_not_me_has_its_own_message(acme, sender, clock):
    """Also while an earlier one waits for Slack."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")

    await sender.not_me(acme.id, "sales@acme.example", mo.id)
    clock.advance(seconds=0.01)
    await sender.not_me(acme.id, "desk@acme.example", mo.id)
    before = direct_messages(acme)
    await pass_time(sender, clock, MINUTE)

    assert ["`desk@acme.example`" in text for text in before] == [True]
    assert ["`sales@acme.example`" in text for text in direct_messages(acme)] == [False, True]


async def test_a_report_of_not_me_that_was_withdrawn_is_not_sent(acme, sender, clock):
    """The admins have nothing to do."""
    mo = acme.sandbox.add_user(acme.team, "Mo Chen", "mo@acme.example")
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")

    await sender.not_me(acme.id, "sales@acme.example", mo.id)
    await acme.database.run(owners.withdraw_denial, acme.id, "sales@acme.example", mo.id)
    await pass_time(sender, clock, MINUTE)

    assert direct_messages(acme) == []


async def test_a_notice_that_could_not_be_sent_is_retried(acme, sender, clock):
    """The failure is still there."""
    acme.sandbox.faults.add("chat.postMessage", undocumented=True, error="something_new")
    await sender.default_channel_unusable(acme.id, NO_DEFAULT_CHANNEL)
    before = direct_messages(acme)

    await pass_time(sender, clock, MINUTE)

    assert (before, len(direct_messages(acme))) == ([], 1)


async def test_an_admin_who_cannot_be_notified_causes_no_error(acme, sender, clock):
    """The courier calls this during its work."""
    acme.sandbox.faults.add("chat.postMessage", error="user_not_found", undocumented=True, times=None)
    for _ in range(2):
        await sender.default_channel_unusable(acme.id, NO_DEFAULT_CHANNEL)
        await pass_time(sender, clock, HOUR)

    assert posts_to(acme, acme.dana) == 1


async def test_a_workspace_that_was_erased_has_no_recipients(acme, sender):
    """It was erased meanwhile."""
    await sender.default_channel_unusable("T0ELSE", NO_DEFAULT_CHANNEL)

    assert direct_messages(acme) == []


async def test_the_installer_sees_the_setup_steps(acme, sender, clock):
    """In the first direct message of the app."""
    await welcome(acme, clock)

    await work(sender)

    [text] = direct_messages(acme)
    assert "✅ App added to Slack" in text
    assert text.count("⬜") == 5
    assert "notice_choose_channel" in blocks(acme)


@pytest.mark.parametrize(("worked_at", "is_done"), [(None, False), (1, True)])
async def test_salesforce_is_connected_once_it_has_worked(acme, sender, clock, worked_at, is_done):
    """The operator's credentials may be for another OAuth flow. Later failures have their own notice."""
    about = {"flow": "client_credentials", "problem": "unsupported_grant_type", "last_success_at": worked_at}
    about |= {"login_url": "https://acme.my.salesforce.com", "connected_at": clock()}
    await insert(acme, salesforce_connections, workspace_id=acme.id, **about)
    await welcome(acme, clock)
    await work(sender)

    assert ("✅ Salesforce connected" in direct_messages(acme)[0]) is is_done


async def test_an_unchanged_message_is_not_updated(acme, sender, clock):
    """Slack is not called."""
    await welcome(acme, clock)
    for _ in range(20):
        await pass_time(sender, clock, 10)

    assert acme.calls_of("chat.update") == []


async def test_the_installer_is_reminded_of_the_open_steps_once(acme, sender, preferences, clock):
    """A day later. This message is updated as well."""
    await welcome(acme, clock)
    await work(sender)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)
    await pass_time(sender, clock, DAY - MINUTE)
    before = len(direct_messages(acme))

    for _ in range(4):
        await pass_time(sender, clock, DAY)

    _, nudge = direct_messages(acme)
    assert before == 1
    assert "Connect Salesforce" in nudge
    assert "hannel" not in nudge


async def test_the_installer_is_not_reminded_if_all_steps_are_done(acme, sender, preferences, clock):
    """Also if they were done in Home."""
    await welcome(acme, clock)
    await work(sender)
    await preferences.choose_default_channel(acme.id, acme.dana.id, acme.wins.id, None)
    await connect_salesforce(acme, clock)
    rules = {"version": 1, "rules": "{}", "published_at": clock(), "published_by": "U1"}
    await insert(acme, ownership_rules, workspace_id=acme.id, **rules)
    await accept(acme, clock)

    for _ in range(3):
        await pass_time(sender, clock, DAY)

    assert len(direct_messages(acme)) == 1


async def test_another_process_sends_the_welcome_message(acme, sender, clock):
    """It is a row of the same transaction as the installation. Two processes send it once."""
    await welcome(acme, clock)
    other = Notices(acme.database, acme.api, clock)

    await asyncio.gather(sender.catch_up(), other.catch_up())
    await work(other)

    assert posts_to(acme, acme.dana) == 1


@pytest.mark.both_databases
async def test_a_notice_is_not_sent_twice_after_a_crash(acme, sender, clock):
    """Without the id of the direct message, the app cannot check whether it arrived."""
    await welcome(acme, clock)
    notice = await acme.database.run(notices.claim, clock(), LEASE_MS)
    await acme.database.run(notices.begin, notice, clock(), LEASE_MS)
    await acme.api.post(acme.id, acme.dana.id, text="sent before", post_id=notice.id)

    await pass_time(sender, clock, 2 * LEASE_MS / 1_000)

    assert direct_messages(acme) == ["sent before"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_notice_is_sent_exactly_once_if_the_app_can_look_it_up(acme, sender, clock, arrived):
    """In a direct message with earlier job changes. Then it is updated like any other."""
    await welcome(acme, clock)
    notice = await acme.database.run(notices.claim, clock(), LEASE_MS)
    await acme.database.run(notices.begin, notice, clock(), LEASE_MS)
    posted = await acme.api.post_notice(acme.id, acme.dana.id, "an earlier one")
    await acme.database.run(remember_dm, acme, posted.channel)
    if arrived:
        await acme.api.post(acme.id, acme.dana.id, text="sent before", post_id=notice.id)

    await pass_time(sender, clock, 2 * LEASE_MS / 1_000)
    await pass_time(sender, clock, MINUTE)

    _, text = direct_messages(acme)
    assert "The app is installed." in text


def remember_dm(connection, acme, channel):
    connection.execute(lanes.insert().values(workspace_id=acme.id, destination=acme.dana.id, dm=channel))


async def test_adding_a_permission_sends_no_second_welcome(acme, sender, clock):
    """Installing the app again after it was removed does."""
    await welcome(acme, clock)
    await work(sender)
    await welcome(acme, clock, is_new=False)
    await work(sender)
    again = len(direct_messages(acme))

    await welcome(acme, clock)
    await work(sender)

    assert (again, len(direct_messages(acme))) == (1, 2)


async def test_a_workspace_that_removed_the_app_gets_no_notices(acme, sender, clock):
    """There is no token any more."""
    await welcome(acme, clock)
    await break_channel(acme)
    await acme.database.run(workspaces.mark_gone, acme.id, clock())

    await pass_time(sender, clock, 2 * DAY)

    assert direct_messages(acme) == []
