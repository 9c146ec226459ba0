"""A member uses their part of Home by signed requests: deliveries, notifications, mutes, absences, their account."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from domain.audit import AuditEntry
from domain.decision.reasons import legacy
from domain.delivery import NewDelivery
from domain.notification_hours import DAILY, WEEKLY, HeldBack, NotificationHours
from domain.people import Member
from domain.states import Role
from services.home.home_state import PAGE_SIZE
from store import audit
from store.delivery import deliveries
from store.delivery.posts import settle
from store.delivery.settlements import Sent
from store.home import member_preferences
from store.messages import actions
from store.ownership import choice_state, muting, owners
from store.schema import job_changes
from store.slack import members
from tests.listeners.conftest import Office, connect_salesforce
from tests.store.sample_rows import claim
from tests.world import sample_job_change

DAY = 24 * 60 * 60 * 1_000


async def deliver(office: Office, user, *, now=None, **changes) -> str:
    """Send someone a job change as the worker would, in a message that exists. Returns its id."""
    posted = await office.api.post_notice(office.team.id, user.id, "A job change", [])
    now = now or office.slack.world.now() * 1_000
    job_change_id = await add_routed(office, user, now, **changes)
    (claimed,) = await office.database.run(claim, round(now))
    await office.database.run(settle, [Sent(claimed, round(now), posted.channel, posted.ts)])
    return job_change_id


async def add_routed(office: Office, user, now, decision=None, **changes) -> str:
    def add(connection):
        job_change_id = f"jc-{now}-{changes}"
        row = {
            "id": job_change_id,
            "workspace_id": office.team.id,
            "key": job_change_id,
            "source": "tests",
            "payload": json.dumps(sample_job_change(**changes)),
            "decision": json.dumps(decision or {}),
            "accepted_at": round(now),
            "routed_at": round(now),
        }
        connection.execute(insert(job_changes).values(row))
        new = [NewDelivery(job_change_id, user.id, Role.DRI, legacy("You own Ada Smith in Salesforce."))]
        deliveries.add_deliveries(connection, office.team.id, new, round(now))
        return job_change_id

    return await office.database.run(add)


async def press(office: Office, user, action_id: str, value: str | None = None) -> None:
    """Press a button in someone's Home."""
    assert (await office.slack.act_in_home(user.id, action_id, value)).status == 200
    await office.settled()


async def submit(office: Office, user, **values):
    reply = await office.slack.submit_view(user.id, values)
    await office.settled()
    return reply


def dialog(office: Office, user) -> str:
    return str(office.slack.modal(user.id).definition)


async def hours(office: Office, user) -> NotificationHours:
    return await office.database.run(member_preferences.find, office.team.id, user.id)


async def muted(office: Office, user) -> frozenset[str]:
    return await office.database.run(muting.muted, office.team.id, user.id, 0)


@pytest.fixture
async def mo(office):
    """Mo, a member, with Home open; in Oslo."""
    office.mo.tz = "Europe/Oslo"
    await office.database.run(connect_salesforce, office.team.id)
    await office.open_home(office.mo)
    return office.mo


async def test_an_empty_home_says_what_it_would_show(office, mo):
    """A new member sees that there are no job changes yet, and the default preferences."""
    home = await office.home_of(mo)

    assert "Nothing to do." in home
    assert "Each job change, right away." in home
    assert "`mo@acme.example`, matched by email" in home


async def test_home_shows_what_is_assigned_with_its_state(office, mo, clock):
    """The newest comes first, with a link to its message; each is open or shows since when the member is on it."""
    names = ["Ada Smith", "Eva Lund", "Tom Berg"]
    for name in names:
        clock.advance(seconds=60)
        await deliver(office, mo, person={"full_name": name, "emails": ["x@initech.example"]})

    await office.open_home(mo)
    home = await office.pick(mo, "delivery_take", "1")

    assert [home.index(name) for name in names] == sorted((home.index(name) for name in names), reverse=True)
    assert home.count("⚪ Open · sent") == 2
    assert f"✅ You're on it · <!date^{clock() // 1000}^" in home
    assert home.count("|Open message>") == 3
    assert "To do (3)" in home
    assert "On it (1)" in home


async def test_the_person_who_is_on_it_finishes_and_reassigns_it_in_home(office, mo, clock):
    """The buttons are those of the message; the list follows at once, and the filter shows what is done."""
    clock.advance(seconds=60)
    await deliver(office, mo)
    await office.open_home(mo)
    await office.pick(mo, "delivery_take", "1")
    home = await office.pick(mo, "delivery_done", "1")
    assert "Nothing to do." in home

    home = await office.pick(mo, "assigned_filter", "done")
    assert "🏁 You marked it as done" in home
    home = await office.pick(mo, "delivery_reopen", "1")
    assert "No job changes are done yet." in home  # the filter is kept

    await office.pick(mo, "assigned_filter", "taken")
    await press(office, mo, "delivery_hand_on", "1")
    await submit(office, mo, choice=office.dana.id, words="")

    assert "You're not on any job change." in await office.home_of(mo)


async def test_a_claim_in_a_channel_is_in_the_home_of_whoever_claimed_it(office, mo, clock):
    """There it can be returned, for others to claim."""
    clock.advance(seconds=60)
    await deliver(office, office.wins)
    claimed = await office.database.run(actions.find, office.team.id, 1)
    assert await office.database.run(actions.take, claimed, mo.id, clock())
    assert "Ada Smith" not in await office.open_home(office.dana)
    assert "Ada Smith" in await office.open_home(mo)

    await press(office, mo, "delivery_hand_on", "1")
    await submit(office, mo, words="Not my patch")

    assert "Nothing to do." in await office.home_of(mo)
    assert (await office.database.run(actions.find, office.team.id, 1)).state == "open"


async def test_what_a_colleague_took_is_no_longer_assigned(office, mo, clock):
    """The first person has it. Their press is refused in Home, with the reason."""
    clock.advance(seconds=60)
    await deliver(office, mo)
    await office.open_home(mo)
    theirs = await office.database.run(actions.find, office.team.id, 1)
    await office.database.run(actions.take, replace(theirs, destination="C1"), office.dana.id, clock())

    home = await office.pick(mo, "delivery_take", "1")

    assert f"<@{office.dana.id}> is on it" in home
    assert "Nothing to do." in home


async def test_an_erased_job_change_is_not_listed(office, mo):
    """Nobody can act on it, and nothing of its content remains."""
    job_change_id = await deliver(office, mo)
    await office.database.run(
        lambda connection: connection.execute(
            update(job_changes).where(job_changes.c.id == job_change_id).values(payload=None, decision=None)
        )
    )

    assert "To do (0)" in await office.open_home(mo)


async def test_members_see_only_their_own_deliveries(office, mo):
    """What was sent to someone else is not in their Home."""
    await deliver(office, mo)

    assert "Ada Smith" not in await office.open_home(office.dana)
    assert "Ada Smith" in await office.open_home(mo)


async def test_what_is_assigned_is_shown_in_pages(office, mo, clock):
    """They can be turned in both directions."""
    for _ in range(PAGE_SIZE + 2):
        clock.advance(seconds=60)
        await deliver(office, mo)
    assert (await office.open_home(mo)).count("*Ada Smith*") == PAGE_SIZE

    assert (await office.pick(mo, "assigned_older")).count("*Ada Smith*") == 2
    assert (await office.pick(mo, "assigned_newer")).count("*Ada Smith*") == PAGE_SIZE


async def test_a_digest_quiet_hours_and_weekends_are_chosen_in_one_dialog(office, mo):
    """Times are in the time zone that Slack has for the member."""
    await press(office, mo, "my_reading")
    choice = {"delivery": "weekly", "digest_at": "17:30", "weekday": "4", "quiet_from": "18:00", "quiet_to": "08:00"}

    await submit(office, mo, **choice, weekends=["quiet"])

    assert await hours(office, mo) == NotificationHours(WEEKLY, 17 * 60 + 30, 4, 18 * 60, 8 * 60, True, "Europe/Oslo")
    home = await office.home_of(mo)
    assert "Weekly digest on Fridays at 17:30. Quiet hours from 18:00 to 08:00. No messages on weekends." in home
    assert "Times are in Europe/Oslo." in home


async def test_the_dialog_shows_the_stored_hours_and_can_clear_them(office, mo):
    """Emptying the fields of quiet hours removes them."""
    chosen = NotificationHours(DAILY, 600, 0, 18 * 60, 8 * 60, True, "Europe/Oslo")
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, 0)
    await press(office, mo, "my_reading")
    assert "'initial_time': '18:00'" in dialog(office, mo)

    await submit(office, mo, delivery="direct", quiet_from=None, quiet_to=None, weekends=[])

    assert await hours(office, mo) == NotificationHours(digest_at=600, tz="Europe/Oslo")


@pytest.mark.parametrize(
    ("choice", "field", "error"),
    [
        ({"quiet_from": "18:00"}, "quiet_to", "a start and an end"),
        ({"quiet_to": "08:00"}, "quiet_from", "a start and an end"),
        ({"quiet_from": "08:00", "quiet_to": "08:00"}, "quiet_to", "at the same time"),
        ({"delivery": "daily", "digest_at": "07:00", "quiet_from": "22:00", "quiet_to": "08:00"}, "digest_at", "quiet"),
        ({"delivery": "weekly", "weekday": "5", "weekends": ["quiet"]}, "weekday", "Choose a weekday"),
    ],
)
async def test_invalid_hours_are_refused_at_their_field(office, mo, choice, field, error):
    """The field says why, and nothing is stored."""
    await press(office, mo, "my_reading")

    reply = await submit(office, mo, **choice)

    assert error in reply.errors[field]
    assert await hours(office, mo) == NotificationHours()


async def test_without_a_time_zone_from_slack_times_are_in_utc(office, mo):
    """The preferences are stored all the same, and Home says that times are in UTC."""
    await press(office, mo, "my_reading")
    office.slack.faults.add("users.info", status=503)

    await submit(office, mo, delivery="daily")

    assert await hours(office, mo) == NotificationHours(DAILY)
    office.slack.faults.clear()
    mo.tz = ""
    assert "UTC, because Slack did not provide your time zone" in await office.open_home(mo)


async def test_home_and_the_command_say_how_many_are_on_hold_and_until_when(office, mo):
    """Only the member whose preferences hold them back sees this."""
    now = round(office.slack.world.now() * 1_000)
    until = now // 60_000 * 60_000 + 2 * 60 * 60_000
    quiet = [datetime.fromtimestamp(at / 1_000, UTC) for at in (now - 60 * 60_000, until)]
    chosen = NotificationHours(
        quiet_from=quiet[0].hour * 60 + quiet[0].minute, quiet_to=quiet[1].hour * 60 + quiet[1].minute
    )
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, now)
    await add_routed(office, mo, now)

    home = await office.open_home(mo)
    answer = (await office.slack.command(mo.id, "/usergems-status")).messages[0].text

    assert "1 job change is on hold until <!date^" in home
    assert "because of your quiet hours." in home
    assert "1 job change is on hold until" in answer
    assert "on hold" not in await office.open_home(office.dana)
    waiting = await office.database.run(member_preferences.held_back, office.team.id, mo.id, now)
    assert waiting == HeldBack(1, now, until)


async def test_a_new_time_zone_in_slack_moves_the_hours(office, mo):
    """The event user_change carries it: https://docs.slack.dev/reference/events/user_change"""
    chosen = NotificationHours(DAILY, tz="Europe/Oslo")
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, 0)

    await office.slack.change_user(mo.id, tz="Asia/Tokyo")
    await office.settled()

    assert (await hours(office, mo)).tz == "Asia/Tokyo"


async def test_signals_kinds_and_segments_can_be_muted_and_unmuted(office, mo):
    """One dialog shows what is muted and changes it."""
    await press(office, mo, "my_mutes")
    await submit(office, mo, signals=["custom"], changes=["promotion", "lateral"], segments=["segment:customer"])
    assert await muted(office, mo) == {"custom", "promotion", "lateral", "segment:customer"}
    assert "Custom signals, Promotions, Lateral moves, Customers" in await office.home_of(mo)

    await press(office, mo, "my_mutes")
    await submit(office, mo, signals=[], changes=["lateral"], segments=[])

    assert await muted(office, mo) == {"lateral"}


async def test_all_job_changes_can_be_muted(office, mo):
    """Then a member gets no direct messages."""
    await press(office, mo, "my_mutes")
    await submit(office, mo, everything=["*"])

    assert await muted(office, mo) == {"*"}


async def test_required_notifications_are_not_offered_for_muting(office, mo):
    """The dialog names them. An earlier mute stays stored without effect while the notification is required."""
    await office.database.run(muting.set_mutes, office.team.id, mo.id, ["departure"])
    await require(office, "departure", "segment:customer")
    await press(office, mo, "my_mutes")
    assert "Required by your admins: Departures, Customers." in dialog(office, mo)
    assert "'departure'" not in dialog(office, mo)

    await submit(office, mo, changes=["promotion"])

    assert await muted(office, mo) == {"departure", "promotion"}


async def test_a_dialog_opened_earlier_cannot_mute_what_is_required_now(office, mo):
    """What is required at the time of saving decides."""
    await press(office, mo, "my_mutes")
    await require(office, "departure")

    await submit(office, mo, changes=["departure", "promotion"])

    assert await muted(office, mo) == {"promotion"}


async def require(office, *what):
    await office.database.run(
        muting.set_required, office.team.id, what, AuditEntry(0, office.dana.id, "mute_limits", "")
    )


async def test_admins_choose_the_required_notifications(office):
    """Home shows them, and the audit records who chose them."""
    await office.open_home(office.dana)
    await press(office, office.dana, "home_mute_limits")

    await submit(office, office.dana, changes=["departure"], segments=["segment:open_opportunity"])

    assert await office.database.run(muting.required, office.team.id) == {"departure", "segment:open_opportunity"}
    assert "Departures, Accounts with an open opportunity" in await office.home_of(office.dana)
    change, *_ = await office.database.run(audit.recent, office.team.id)
    assert (change.actor, change.action) == (office.dana.id, "mute_limits")


async def test_members_cannot_set_required_notifications(office, mo):
    """They have no button for it, and the open dialog of a former admin stores nothing."""
    assert "home_mute_limits" not in await office.home_of(mo)
    await office.open_home(office.dana)
    await press(office, office.dana, "home_mute_limits")
    office.dana.is_admin = False

    await submit(office, office.dana, changes=["departure"])

    assert "Only workspace admins and owners" in dialog(office, office.dana)
    assert await office.database.run(muting.required, office.team.id) == frozenset()


async def test_an_absence_has_a_delegate_and_an_end(office, mo, clock):
    """It lasts until the end of the last day in their time zone, and they can come back earlier."""
    await press(office, mo, "my_away")
    today = datetime.fromtimestamp(clock() / 1_000, UTC).date()

    await submit(office, mo, first=today.isoformat(), last=(today + timedelta(3)).isoformat(), delegate=office.dana.id)

    absence = await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock())
    assert (absence.since, absence.delegate) == (clock(), office.dana.id)
    assert 3 * DAY < absence.until - clock() < 4 * DAY
    home = await office.home_of(mo)
    assert f"go to <@{office.dana.id}>, otherwise to the next person in the rules, or to the channel." in home
    await press(office, mo, "my_back")
    assert await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock()) is None
    assert "While you are away, someone else gets your job changes." in await office.home_of(mo)


async def test_an_absence_can_begin_later_and_have_no_end(office, mo, clock):
    """It lasts until they say that they are back."""
    await press(office, mo, "my_away")
    monday = datetime.fromtimestamp(clock() / 1_000, UTC).date() + timedelta(10)

    await submit(office, mo, first=monday.isoformat())

    absence = await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock())
    assert absence.since > clock() + 9 * DAY
    assert (absence.until, absence.delegate) == (None, None)
    home = await office.home_of(mo)
    assert f"You will be away from {monday.day} {monday:%b %Y}, with no end date." in home
    assert (await office.database.run(choice_state.load, office.team.id, clock(), count_recent=False)).delegates == {}


@pytest.mark.parametrize(
    ("first", "last", "who", "field"),
    [
        (0, -1, None, "last"),
        (5, 4, None, "last"),
        (0, 400, None, "last"),
        (400, None, None, "first"),
        (0, None, "themselves", "delegate"),
        (0, None, "a guest", "delegate"),
    ],
)
async def test_an_invalid_absence_is_refused_at_its_field(office, mo, clock, first, last, who, field):
    """A day in the past, an end before the start, and a delegate who cannot get job changes are refused."""
    guest = office.slack.add_user(office.team, "Gil Guest", "gil@elsewhere.example", is_restricted=True)
    await press(office, mo, "my_away")
    today = datetime.fromtimestamp(clock() / 1_000, UTC).date()
    days = {
        name: (today + timedelta(ahead)).isoformat()
        for name, ahead in (("first", first), ("last", last))
        if ahead is not None
    }
    delegate = {"themselves": mo.id, "a guest": guest.id}.get(who)

    reply = await submit(office, mo, **days, delegate=delegate)

    assert list(reply.errors) == [field]
    assert await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock()) is None


async def test_nobody_is_matched_without_salesforce(office):
    """There is no owner who could have this address."""
    home = await office.open_home(office.mo)

    assert "Salesforce is not connected yet." in home
    assert "my_not_me" not in home


async def test_home_names_the_salesforce_owners_and_how_they_are_matched(office, mo, clock):
    """They are matched by email or linked by an admin, and shown with their name in Salesforce."""
    looked_up = {"m.chen@acme.example": Member(mo.id), "u0": Member(mo.id)}
    await office.database.run(members.cache, office.team.id, looked_up, clock())
    linked = AuditEntry(clock(), office.dana.id, "linked", "")
    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, linked)
    considered = [{"email": "M.Chen@acme.example", "name": "Mo Q. Chen", "source": "contact owner", "result": "told"}]
    await deliver(office, mo, decision={"considered": considered})

    home = await office.open_home(mo)

    assert "Mo Q. Chen, `m.chen@acme.example`, matched by email" in home
    assert f"`sales@acme.example`, linked by <@{office.dana.id}>" in home
    assert "u0" not in home


async def test_not_my_account_ends_the_match_and_notifies_the_admins(office, mo, clock):
    """It also ends a link that an admin has made, and the audit records it."""
    linked = AuditEntry(clock(), office.dana.id, "linked", "")
    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, linked)
    considered = [{"email": "sales@acme.example", "name": "Sales Desk", "source": "contact owner", "result": "told"}]
    await deliver(office, mo, decision={"considered": considered})
    await press(office, mo, "my_not_me")

    await submit(office, mo, owner="sales@acme.example")

    how = await office.database.run(owners.matching, office.team.id)
    assert (how.links, how.denied) == ({}, {("sales@acme.example", mo.id)})
    texts = [
        message.text
        for channel in office.slack.world.channels.values()
        if channel.im_user == office.dana.id
        for message in channel.messages.values()
    ]
    assert len([text for text in texts if "owner Sales Desk (`sales@acme.example`) is not their account" in text]) == 1
    assert (await office.database.run(audit.recent, office.team.id))[0].action == "not_me"
    assert "Sales Desk, `sales@acme.example`: not your account, reported by you" in await office.home_of(mo)


async def test_not_my_account_can_be_undone(office, mo):
    """The same dialog has a button for it."""
    await press(office, mo, "my_not_me")
    await submit(office, mo, owner="mo@acme.example")
    await press(office, mo, "my_not_me")

    await office.slack.act_in_modal(mo.id, "my_me_after_all", "mo@acme.example")
    await office.settled()

    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()
    assert "`mo@acme.example`, matched by email" in await office.home_of(mo)


async def test_a_new_link_by_an_admin_replaces_the_report(office, mo, clock):
    """The admin's choice counts, so the report is removed."""
    await office.database.run(owners.deny, office.team.id, "sales@acme.example", mo.id, AuditEntry(0, mo.id, "", ""))

    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, AuditEntry(0, "U1", "", ""))

    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()


async def test_members_cannot_report_an_owner_they_are_not_matched_to(office, mo):
    """A forged submission changes nothing."""
    preferences = office.parts["member_preferences"]

    assert not await preferences.report_not_me(office.team.id, mo.id, "dana@acme.example")
    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()
