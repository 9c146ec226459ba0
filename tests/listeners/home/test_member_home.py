"""My Home by signed requests: what came to me, how I am told, what I mute, my absences, and who I am in Salesforce."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, update

from domain.audit import AuditEntry
from domain.delivery import NewDelivery
from domain.notification_hours import DAILY, WEEKLY, HeldBack, NotificationHours
from domain.people import Member
from domain.states import Role
from services.home.home_state import A_PAGE, SHOWN_AT_ONCE
from store import audit
from store.delivery import deliveries
from store.delivery.posts import settle
from store.delivery.settlements import Sent
from store.home import member_preferences
from store.messages import actions
from store.ownership import choice_state, muting, owners
from store.schema import job_changes
from store.slack import members
from tests.listeners.conftest import Office
from tests.store.sample_rows import claim
from tests.world import sample_job_change

DAY = 24 * 60 * 60 * 1_000


async def tell(office: Office, user, *, now=None, **changes) -> str:
    """Somebody is told of a job change as the worker would; its id."""
    now = now or office.slack.world.now() * 1_000
    job_change_id = await add_routed(office, user, now, **changes)
    (claimed,) = await office.database.run(claim, round(now))
    await office.database.run(settle, [Sent(claimed, round(now), "D1", f"{now}.1")])
    return job_change_id


async def add_routed(office: Office, user, now, decision=None, **changes) -> str:
    def add(connection):
        known = f"jc-{now}-{changes}"
        row = {
            "id": known,
            "workspace_id": office.team.id,
            "key": known,
            "source": "tests",
            "payload": json.dumps(sample_job_change(**changes)),
            "decision": json.dumps(decision or {}),
            "accepted_at": round(now),
            "routed_at": round(now),
        }
        connection.execute(insert(job_changes).values(row))
        new = [NewDelivery(known, user.id, Role.DRI, "You own Ada Smith in Salesforce.")]
        deliveries.add_deliveries(connection, office.team.id, new, round(now))
        return known

    return await office.database.run(add)


async def press(office: Office, user, action_id: str, value: str | None = None) -> None:
    """Use a button of somebody's Home."""
    assert (await office.slack.act_in_home(user.id, action_id, value)).status == 200
    await office.settled()


async def submit(office: Office, user, **values):
    done = await office.slack.submit_view(user.id, values)
    await office.settled()
    return done


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
    await office.open_home(office.mo)
    return office.mo


async def test_somebody_to_whom_nothing_came_reads_so(office, mo):
    """A first look at an empty Home is not a riddle."""
    home = await office.home_of(mo)

    assert "Nothing came to you in the last two weeks" in home
    assert "About each job change, right away." in home
    assert "`mo@acme.example`, matched by this address" in home


async def test_home_shows_what_came_lately_with_its_state(office, mo, clock):
    """Open, taken by me or by somebody else, given, and the newest first."""
    names = ["Ada Smith", "Eva Lund", "Tom Berg"]
    ids = []
    for name in names:
        clock.advance(seconds=60)
        ids.append(await tell(office, mo, person={"full_name": name, "emails": ["x@initech.example"]}))
    taken = await office.database.run(actions.find, office.team.id, 1)
    await office.database.run(actions.take, taken, mo.id, clock())

    home = await office.open_home(mo)

    assert [home.index(name) for name in names] == sorted((home.index(name) for name in names), reverse=True)
    assert home.count("⚪ Open") == 2
    assert "✅ You are on it" in home
    assert taken.job_change_id == ids[0]


async def test_what_was_erased_is_still_counted_among_what_came(office, mo):
    """Without a word of what it was."""
    job_change_id = await tell(office, mo)
    await office.database.run(
        lambda connection: connection.execute(
            update(job_changes).where(job_changes.c.id == job_change_id).values(payload=None, decision=None)
        )
    )

    home = await office.open_home(mo)

    assert "has since been erased" in home
    assert "Ada" not in home


async def test_nobody_sees_what_came_to_somebody_else(office, mo):
    """Only their own."""
    await tell(office, mo)

    assert "Ada Smith" not in await office.open_home(office.dana)
    assert "Ada Smith" in await office.open_home(mo)


async def test_more_than_home_shows_is_paged_in_a_dialog(office, mo, clock):
    """With the reason of each on demand, and a way back."""
    for _ in range(A_PAGE + SHOWN_AT_ONCE):
        clock.advance(seconds=60)
        await tell(office, mo)
    home = await office.open_home(mo)
    assert home.count("Ada Smith") == SHOWN_AT_ONCE

    await press(office, mo, "my_lately")
    assert dialog(office, mo).count("Ada Smith") == A_PAGE
    await office.slack.act_in_modal(mo.id, "my_lately_older")
    await office.settled()
    assert dialog(office, mo).count("Ada Smith") == SHOWN_AT_ONCE
    await office.slack.act_in_modal(mo.id, "my_lately_newer")
    await office.settled()
    assert dialog(office, mo).count("Ada Smith") == A_PAGE
    first = next(block["accessory"] for block in office.slack.modal(mo.id).blocks if "accessory" in block)
    await office.slack.act_in_modal(mo.id, "delivery_why", first["value"])
    await office.settled()
    assert "You own Ada Smith in Salesforce." in dialog(office, mo)


async def test_quiet_hours_a_digest_and_weekends_are_chosen_in_one_dialog(office, mo):
    """By the clock of the time zone that Slack tells."""
    await press(office, mo, "my_reading")
    choice = {"delivery": "weekly", "digest_at": "17:30", "weekday": "4", "quiet_from": "18:00", "quiet_to": "08:00"}

    await submit(office, mo, **choice, weekends=["quiet"])

    assert await hours(office, mo) == NotificationHours(WEEKLY, 17 * 60 + 30, 4, 18 * 60, 8 * 60, True, "Europe/Oslo")
    home = await office.home_of(mo)
    assert "In a weekly digest, on Fridays at 17:30. Quiet from 18:00 to 08:00. Nothing on weekends." in home
    assert "Times are in Europe/Oslo." in home


async def test_the_dialog_shows_what_was_chosen_and_can_take_it_back(office, mo):
    """Quiet hours that are emptied are gone."""
    chosen = NotificationHours(DAILY, 600, 0, 18 * 60, 8 * 60, True, "Europe/Oslo")
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, 0)
    await press(office, mo, "my_reading")
    assert "'initial_time': '18:00'" in dialog(office, mo)

    await submit(office, mo, delivery="direct", quiet_from=None, quiet_to=None, weekends=[])

    assert await hours(office, mo) == NotificationHours(digest_at=600, tz="Europe/Oslo")


@pytest.mark.parametrize(
    ("choice", "field", "said"),
    [
        ({"quiet_from": "18:00"}, "quiet_to", "a beginning and an end"),
        ({"quiet_to": "08:00"}, "quiet_from", "a beginning and an end"),
        ({"quiet_from": "08:00", "quiet_to": "08:00"}, "quiet_to", "cannot end when they begin"),
        ({"delivery": "daily", "digest_at": "07:00", "quiet_from": "22:00", "quiet_to": "08:00"}, "digest_at", "quiet"),
        ({"delivery": "weekly", "weekday": "5", "weekends": ["quiet"]}, "weekday", "nothing on weekends"),
    ],
)
async def test_preferences_that_cannot_be_are_refused_at_their_field(office, mo, choice, field, said):
    """With a word on why, and nothing is stored."""
    await press(office, mo, "my_reading")

    done = await submit(office, mo, **choice)

    assert said in done.errors[field]
    assert await hours(office, mo) == NotificationHours()


async def test_slack_that_does_not_say_where_somebody_is_means_utc(office, mo):
    """Their preferences are kept all the same, and Home says so."""
    await press(office, mo, "my_reading")
    office.slack.faults.add("users.info", status=503)

    await submit(office, mo, delivery="daily")

    assert await hours(office, mo) == NotificationHours(DAILY)
    office.slack.faults.clear()
    mo.tz = ""
    assert "UTC, as Slack does not say where you are" in await office.open_home(mo)


async def test_home_and_the_command_say_how_many_wait_and_until_when(office, mo):
    """For the one whom they wait for."""
    now = round(office.slack.world.now() * 1_000)
    until = now // 60_000 * 60_000 + 2 * 60 * 60_000
    quiet = [datetime.fromtimestamp(at / 1_000, UTC) for at in (now - 60 * 60_000, until)]
    chosen = NotificationHours(
        quiet_from=quiet[0].hour * 60 + quiet[0].minute, quiet_to=quiet[1].hour * 60 + quiet[1].minute
    )
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, now)
    await add_routed(office, mo, now)

    home = await office.open_home(mo)
    said = (await office.slack.command(mo.id, "/usergems-status")).messages[0].text

    assert "One job change waits for you, kept until <!date^" in home
    assert ": your quiet hours." in home
    assert "One job change waits for you until" in said
    assert "waits for you" not in await office.open_home(office.dana)
    waiting = await office.database.run(member_preferences.held_back, office.team.id, mo.id, now)
    assert waiting == HeldBack(1, now, until)


async def test_slack_telling_of_a_new_time_zone_moves_their_hours(office, mo):
    """https://docs.slack.dev/reference/events/user_change"""
    chosen = NotificationHours(DAILY, tz="Europe/Oslo")
    await office.database.run(member_preferences.save, office.team.id, mo.id, chosen, 0)

    await office.slack.change_user(mo.id, tz="Asia/Tokyo")
    await office.settled()

    assert (await hours(office, mo)).tz == "Asia/Tokyo"


async def test_signals_kinds_and_segments_can_be_muted_and_unmuted(office, mo):
    """In one dialog, which shows what is muted."""
    await press(office, mo, "my_mutes")
    await submit(office, mo, signals=["custom"], changes=["promotion", "lateral"], segments=["segment:customer"])
    assert await muted(office, mo) == {"custom", "promotion", "lateral", "segment:customer"}
    assert "Custom signals, Promotions, Moves within a company, Customers" in await office.home_of(mo)

    await press(office, mo, "my_mutes")
    await submit(office, mo, signals=[], changes=["lateral"], segments=[])

    assert await muted(office, mo) == {"lateral"}


async def test_everything_can_be_muted(office, mo):
    """For whoever wants no direct messages at all."""
    await press(office, mo, "my_mutes")
    await submit(office, mo, everything=["*"])

    assert await muted(office, mo) == {"*"}


async def test_what_admins_want_everybody_to_hear_of_is_not_offered(office, mo):
    """It says so instead; what was muted before stands, without effect, until the limit goes."""
    await office.database.run(muting.set_mutes, office.team.id, mo.id, ["departure"])
    await limit(office, "departure", "segment:customer")
    await press(office, mo, "my_mutes")
    assert "Your admins want everybody to hear about: Departures, Customers." in dialog(office, mo)
    assert "'departure'" not in dialog(office, mo)

    await submit(office, mo, changes=["promotion"])

    assert await muted(office, mo) == {"departure", "promotion"}


async def test_a_dialog_that_is_older_than_the_limit_mutes_nothing_forbidden(office, mo):
    """What counts is what may be muted when it is saved."""
    await press(office, mo, "my_mutes")
    await limit(office, "departure")

    await submit(office, mo, changes=["departure", "promotion"])

    assert await muted(office, mo) == {"promotion"}


async def limit(office, *what):
    await office.database.run(
        muting.set_required, office.team.id, what, AuditEntry(0, office.dana.id, "mute_limits", "")
    )


async def test_admins_choose_what_nobody_may_mute(office):
    """It is written down with their name, and Home shows it."""
    await office.open_home(office.dana)
    await press(office, office.dana, "home_mute_limits")

    await submit(office, office.dana, changes=["departure"], segments=["segment:open_opportunity"])

    assert await office.database.run(muting.required, office.team.id) == {"departure", "segment:open_opportunity"}
    assert "Departures, Accounts with an open opportunity" in await office.home_of(office.dana)
    change, *_ = await office.database.run(audit.recent, office.team.id)
    assert (change.actor, change.action) == (office.dana.id, "mute_limits")


async def test_members_can_set_no_limits(office, mo):
    """Neither is the button there, nor does the dialog of a former admin work."""
    assert "home_mute_limits" not in await office.home_of(mo)
    await office.open_home(office.dana)
    await press(office, office.dana, "home_mute_limits")
    office.dana.is_admin = False

    await submit(office, office.dana, changes=["departure"])

    assert "did not confirm that you are an admin" in dialog(office, office.dana)
    assert await office.database.run(muting.required, office.team.id) == frozenset()


async def test_out_of_office_has_a_delegate_and_an_end(office, mo, clock):
    """Until the end of the last day, by their own clock; and they can come back earlier."""
    await press(office, mo, "my_away")
    today = datetime.fromtimestamp(clock() / 1_000, UTC).date()

    await submit(office, mo, first=today.isoformat(), last=(today + timedelta(3)).isoformat(), delegate=office.dana.id)

    absence = await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock())
    assert (absence.since, absence.delegate) == (clock(), office.dana.id)
    assert 3 * DAY < absence.until - clock() < 4 * DAY
    home = await office.home_of(mo)
    assert f"In your place: <@{office.dana.id}>, else the next person in the rules, or the channel." in home
    await press(office, mo, "my_back")
    assert await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock()) is None
    assert "While you are away, somebody else gets what is yours." in await office.home_of(mo)


async def test_an_absence_may_begin_later_and_have_no_end(office, mo, clock):
    """Until they say that they are back."""
    await press(office, mo, "my_away")
    monday = datetime.fromtimestamp(clock() / 1_000, UTC).date() + timedelta(10)

    await submit(office, mo, first=monday.isoformat())

    absence = await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock())
    assert absence.since > clock() + 9 * DAY
    assert (absence.until, absence.delegate) == (None, None)
    home = await office.home_of(mo)
    assert f"You will be away from {monday:%A}, {monday.day} {monday:%B} until you say you are back." in home
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
async def test_an_absence_that_cannot_be_is_refused_at_its_field(office, mo, clock, first, last, who, field):
    """A day that is over, an end before the beginning, somebody who cannot be told."""
    guest = office.slack.add_user(office.team, "Gil Guest", "gil@elsewhere.example", is_restricted=True)
    await press(office, mo, "my_away")
    today = datetime.fromtimestamp(clock() / 1_000, UTC).date()
    days = {
        name: (today + timedelta(ahead)).isoformat()
        for name, ahead in (("first", first), ("last", last))
        if ahead is not None
    }
    delegate = {"themselves": mo.id, "a guest": guest.id}.get(who)

    done = await submit(office, mo, **days, delegate=delegate)

    assert list(done.errors) == [field]
    assert await office.database.run(choice_state.absence_of, office.team.id, mo.id, clock()) is None


async def test_how_salesforce_knows_me_names_owners_and_who_said_so(office, mo, clock):
    """By an address that was looked up, by a link of an admin; with the name that Salesforce has."""
    found = {"m.chen@acme.example": Member(mo.id), "u0": Member(mo.id)}
    await office.database.run(members.cache, office.team.id, found, clock())
    linked = AuditEntry(clock(), office.dana.id, "linked", "")
    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, linked)
    considered = [{"email": "M.Chen@acme.example", "name": "Mo Q. Chen", "source": "contact owner", "result": "told"}]
    await tell(office, mo, decision={"considered": considered})

    home = await office.open_home(mo)

    assert "Mo Q. Chen, `m.chen@acme.example`, matched by this address" in home
    assert f"`sales@acme.example`, as <@{office.dana.id}> said" in home
    assert "u0" not in home


async def test_thats_not_me_stops_the_matching_and_tells_the_admins(office, mo, clock):
    """Also where an admin had linked them; it is written down."""
    linked = AuditEntry(clock(), office.dana.id, "linked", "")
    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, linked)
    await press(office, mo, "my_not_me")

    await submit(office, mo, owner="sales@acme.example")

    how = await office.database.run(owners.matching, office.team.id)
    assert (how.links, how.denied) == ({}, {("sales@acme.example", mo.id)})
    told = [
        message.text
        for channel in office.slack.world.channels.values()
        if channel.im_user == office.dana.id
        for message in channel.messages.values()
    ]
    assert len([text for text in told if f"<@{mo.id}> is not `sales@acme.example` in Salesforce" in text]) == 1
    assert (await office.database.run(audit.recent, office.team.id))[0].action == "not_me"
    assert "not as `sales@acme.example`, as you said" in await office.home_of(mo)


async def test_a_denial_can_be_taken_back(office, mo):
    """By themselves in the same dialog."""
    await press(office, mo, "my_not_me")
    await submit(office, mo, owner="mo@acme.example")
    await press(office, mo, "my_not_me")

    await office.slack.act_in_modal(mo.id, "my_me_after_all", "mo@acme.example")
    await office.settled()

    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()
    assert "`mo@acme.example`, matched by this address" in await office.home_of(mo)


async def test_an_admin_who_links_them_again_has_the_last_word(office, mo, clock):
    """The denial goes with the new link."""
    await office.database.run(owners.deny, office.team.id, "sales@acme.example", mo.id, AuditEntry(0, mo.id, "", ""))

    await office.database.run(owners.link, office.team.id, "sales@acme.example", mo.id, AuditEntry(0, "U1", "", ""))

    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()


async def test_nobody_denies_an_owner_who_is_somebody_else(office, mo):
    """A forged answer changes nothing."""
    home = office.parts["my_home"]

    assert not await home.deny(office.team.id, mo.id, "dana@acme.example")
    assert (await office.database.run(owners.matching, office.team.id)).denied == frozenset()
