"""The dialogs behind admins' Home, over real HTTP: who is told most, signals' channels, pace, and what was buried."""

from __future__ import annotations

import pytest
from sqlalchemy import event, insert, select, update

from domain.day_counts import DAY_MS
from domain.states import Role
from services.operations.day_counts import DAYS_COUNTED
from store import audit
from store.delivery import explain, failed
from store.delivery.failed import failed_among
from store.delivery.trace import steps_of
from store.home import counts
from store.home import day_counts as days
from store.schema import day_counts, job_changes, lanes, posts
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_routed

SIGNALS, PACE, BURIED, BUSIEST = "home_signal_channels", "home_pace", "home_buried", "home_busiest"


def modal_of(office, user) -> str:
    return str(office.slack.modal(user.id).definition)


async def opened(office, action_id, user=None) -> str:
    """What the dialog behind a button of Home says."""
    user = user or office.dana
    await office.open_home(user)
    await office.pick(user, action_id)
    return modal_of(office, user)


async def submitted(office, values, user=None):
    done = await office.slack.submit_view((user or office.dana).id, values)
    await office.settled()
    return done


async def bury(office, *reasons) -> list[str]:
    """Job changes that were given up, the last one latest; their ids."""

    def store(connection):
        ids = [add_job_change(connection, office.team.id) for _ in reasons]
        for place, (each, reason) in enumerate(zip(ids, reasons, strict=True)):
            ended = {"outcome": "buried", "reason": reason, "ended_at": SOMEDAY - 99 + place, "due_at": None}
            connection.execute(update(job_changes).where(job_changes.c.id == each).values(ended))
        return ids

    return await office.database.run(store)


# ---- channels of signals


async def chosen(office, signal, channel_id=None, user=None) -> str:
    """Pick a channel for a signal, or none of its own; what the dialog says then."""
    user = user or office.dana
    action_id = f"signal_channel_{signal}" if channel_id else f"signal_default_{signal}"
    assert (await office.slack.act_in_modal(user.id, action_id, channel_id)).status == 200
    await office.settled()
    return modal_of(office, user)


async def test_a_signal_gets_a_channel_of_its_own(office):
    """Checked, announced there, recorded, and shown in Home."""
    assert "Every signal uses the default channel." in await office.open_home(office.dana)
    await office.pick(office.dana, SIGNALS)

    assert "Saved." in await chosen(office, "custom", office.wins.id)

    assert (await office.workspace()).signal_channels == {"custom": office.wins.id}
    assert f"Custom signals: <#{office.wins.id}>" in await office.home_of(office.dana)
    assert [message.text for message in office.wins.messages.values()] == [
        f"<@{office.dana.id}> made this the channel for job changes of “Custom signals” that no DRI is found for."
    ]
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert (change.actor, change.action, change.detail) == (
        office.dana.id,
        "signal_channels",
        f"custom: None → {office.wins.id}",
    )


async def test_a_channel_of_its_own_can_be_taken_back(office):
    """The other signals keep theirs; choosing what is there already says nothing in it."""
    await opened(office, SIGNALS)
    await chosen(office, "custom", office.wins.id)
    await chosen(office, "contact_tracking", office.wins.id)
    assert "That is already so." in await chosen(office, "custom", office.wins.id)

    await chosen(office, "contact_tracking")

    assert (await office.workspace()).signal_channels == {"custom": office.wins.id}
    assert len(office.wins.messages) == 2


@pytest.mark.parametrize(
    ("channel", "said"),
    [({"is_archived": True}, "is archived"), ({"is_private": True}, "That channel cannot be seen. If it is private")],
)
async def test_a_channel_that_cannot_be_posted_to_is_refused(office, clock, channel, said):
    """With what to do about it; the picker does not go on showing it."""
    unusable = office.slack.add_channel(office.team, "unusable", members=[office.dana.id], **channel)
    before = await opened(office, SIGNALS)
    clock.advance(seconds=1)

    shown = await chosen(office, "custom", unusable.id)

    assert said in shown
    assert (await office.workspace()).signal_channels == {}
    assert f"custom-{SOMEDAY}" in before
    assert f"custom-{SOMEDAY}" not in shown


async def test_a_channel_shared_with_another_company_is_stored_with_a_warning(office):
    """It may be meant; the admin should know who reads along."""
    shared = office.slack.add_channel(office.team, "shared", is_ext_shared=True)
    await opened(office, SIGNALS)

    assert "shared with another company" in await chosen(office, "custom", shared.id)
    assert (await office.workspace()).signal_channels == {"custom": shared.id}


@pytest.mark.both_databases
async def test_of_two_admins_the_later_one_sees_what_the_earlier_one_chose(office):
    """The dialog says which version it showed."""
    lee = office.slack.add_user(office.team, "Lee Park", "lee@acme.example", is_owner=True)
    await opened(office, SIGNALS)
    await opened(office, PACE, lee)
    await chosen(office, "custom", office.wins.id)

    await submitted(office, {"posts_per_minute": "60"}, lee)

    assert "Somebody else changed the settings in the meantime" in modal_of(office, lee)
    assert (await office.workspace()).posts_per_minute == 300


# ---- pace and retention


async def test_the_pace_is_chosen_and_recorded(office):
    """All three at once."""
    await opened(office, PACE)

    chosen = {"posts_per_minute": "60", "salesforce_patience_minutes": "240", "retention_days": "30"}
    await submitted(office, chosen)

    workspace = await office.workspace()
    assert (workspace.posts_per_minute, workspace.salesforce_patience_minutes, workspace.retention_days) == (
        60,
        240,
        30,
    )
    assert "Up to 60 messages a minute. Waits 4 hours for Salesforce. Keeps who changed jobs for 30 days." in (
        await office.home_of(office.dana)
    )
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert change.detail == "posts_per_minute = 60, salesforce_patience_minutes = 240, retention_days = 30"


@pytest.mark.parametrize("action_id", [SIGNALS, PACE, BURIED, BUSIEST])
async def test_who_lost_the_admin_role_meanwhile_opens_nothing(office, action_id):
    """Rights are checked at each press, not when Home was drawn."""
    await bury(office, "why")
    readers = [add_reader(place) for place in range(4)]
    await office.database.run(lambda connection: [each(connection, office.team.id) for each in readers])
    await office.open_home(office.dana)
    office.dana.is_admin = False

    await office.pick(office.dana, action_id)

    assert "did not confirm that you are an admin" in modal_of(office, office.dana)


async def test_who_lost_the_admin_role_while_a_dialog_was_open_saves_nothing(office):
    """As above."""
    await opened(office, PACE)
    office.dana.is_admin = False

    await submitted(office, {"posts_per_minute": "60"})

    assert (await office.workspace()).posts_per_minute == 300
    assert "did not confirm that you are an admin" in modal_of(office, office.dana)


# ---- what was buried


async def test_what_is_buried_is_told_with_its_reason_and_tried_again(office):
    """From Home: the health line leads there; the trace says who did it."""
    old, new = await bury(office, "Slack refused it", "nobody was there")
    assert "2 job changes could not be delivered" in await office.open_home(office.dana)
    shown = await opened(office, BURIED)
    assert shown.index("nobody was there.") < shown.index("Slack refused it.")

    await office.slack.act_in_modal(office.dana.id, "buried_again", new)
    await office.settled()

    shown = modal_of(office, office.dana)
    assert "It is on its way again." in shown
    assert "nobody was there." not in shown
    assert await office.database.run(failed_among, office.team.id, [old, new]) == [old]
    [step] = await office.database.run(steps_of, new)
    assert (step.step, step.detail) == ("retried", f"by {office.dana.id}")
    assert "One job change could not be delivered" in await office.home_of(office.dana)


@pytest.mark.both_databases
async def test_all_that_is_buried_is_tried_again_at_one_press(office):
    """Also what stands on later pages; another workspace's stays."""
    await bury(office, *(f"why {number}" for number in range(12)))
    shown = await opened(office, BURIED)
    assert "why 11" in shown
    assert "why 1." not in shown

    await office.slack.act_in_modal(office.dana.id, "buried_all_again")
    await office.settled()

    assert "12 job changes are on the way again" in modal_of(office, office.dana)
    assert "Nothing is left here" in modal_of(office, office.dana)


@pytest.mark.both_databases
async def test_the_pages_of_the_buried_can_be_turned(office):
    """The rest is behind *More*."""
    await bury(office, *(f"why {number}" for number in range(12)))
    await opened(office, BURIED)

    await office.slack.act_in_modal(office.dana.id, "buried_more")
    await office.settled()
    shown = modal_of(office, office.dana)
    assert "why 1." in shown
    assert "why 0." in shown
    assert "why 2." not in shown

    await office.slack.act_in_modal(office.dana.id, "buried_from_the_start")
    await office.settled()
    assert "why 11." in modal_of(office, office.dana)


async def test_what_somebody_else_tried_again_meanwhile_is_not_tried_twice(office):
    """The button may be older than that."""
    [one] = await bury(office, "why")
    await opened(office, BURIED)
    await office.database.run(lambda connection: connection.execute(update(job_changes).values(outcome=None)))

    await office.slack.act_in_modal(office.dana.id, "buried_again", one)
    await office.settled()

    assert "That one is not buried any more." in modal_of(office, office.dana)


# ---- who is told most, and the month


def add_reader(place, messages=1):
    """Somebody with a lane and so many messages."""

    def store(connection, workspace_id):
        lane = {"workspace_id": workspace_id, "destination": f"U0READER{place}"}
        lane_id = connection.execute(insert(lanes).values(lane).returning(lanes.c.id)).scalar_one()
        sent = {"workspace_id": workspace_id, "lane_id": lane_id, "state": "sent", "begun_at": SOMEDAY}
        rows = [{**sent, "id": f"{place}-{number}", "tried_at": SOMEDAY - DAY_MS} for number in range(messages)]
        connection.execute(insert(posts), rows)

    return store


async def test_who_had_most_messages_is_named(office):
    """In order, in person only; more than three behind a button."""
    for place in range(5):
        await office.database.run(add_reader(place, 1 + place), office.team.id)

    home = await office.open_home(office.dana)

    assert "<@U0READER4> 5 · <@U0READER3> 4 · <@U0READER2> 3" in home
    assert "1. <@U0READER4>: 5 messages" in await opened(office, BUSIEST)
    assert "5. <@U0READER0>: 1 message" in modal_of(office, office.dana)


async def test_channels_are_nobody_who_is_told_most(office):
    """Their messages are not counted among people's."""
    await office.database.run(
        lambda connection: add_routed(connection, office.wins.id, workspace_id=office.team.id, role=Role.FALLBACK)
    )
    await office.database.run(lambda connection: connection.execute(update(posts).values(state="sent")))

    assert "Nobody got a direct message in these days." in await office.open_home(office.dana)


@pytest.mark.both_databases
async def test_home_shows_how_the_month_went(office):
    """Days that are over are counted once and kept; today as it stands."""
    ended = {"outcome": "delivered", "told": "dri", "ended_at": SOMEDAY - 10 * DAY_MS}

    def store(connection):
        one = add_job_change(connection, office.team.id)
        connection.execute(update(job_changes).where(job_changes.c.id == one).values(ended))

    await office.database.run(store)
    await bury(office, "why")

    assert "1 told to their DRI, 0 to a channel, 1 buried." in await office.open_home(office.dana)
    kept = await office.database.run(lambda connection: connection.execute(select(day_counts)).all())
    assert len(kept) == DAYS_COUNTED - 1
    assert sum(row.told_dri for row in kept) == 1
    assert sum(row.buried for row in kept) == 0


# ---- how much it costs


async def test_opening_home_costs_as_many_statements_however_much_there_is(office, clock):
    """It is read by indexes, in a number of statements that does not grow; half as many for members."""
    await office.open_home(office.dana)  # counts the days that are over, once
    before = await statements(office, office.dana)
    for place in range(15):
        await office.database.run(add_reader(place, 20), office.team.id)
    await bury(office, *(["why"] * 40))
    clock.advance(seconds=1)

    assert await statements(office, office.dana) == before
    assert before <= MOST_STATEMENTS
    assert await statements(office, office.mo) < before


MOST_STATEMENTS = 60


async def statements(office, user) -> int:
    told = []

    def tell(_connection, _cursor, statement, *_rest):
        told.append(statement)

    event.listen(office.database.engine, "before_cursor_execute", tell)
    await office.open_home(user)
    event.remove(office.database.engine, "before_cursor_execute", tell)
    return len([one for one in told if one.lstrip().upper().startswith("SELECT")])


async def test_every_question_about_the_month_is_answered_by_an_index(office):
    """At a million job changes a scan of them would hold everybody up. PostgreSQL plans by the size of its tables."""
    plans = []

    def look(connection):
        def tell(_connection, cursor, statement, parameters, *_rest):
            if statement.startswith("SELECT") and ("job_changes" in statement or "posts" in statement):
                rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.extend(row[3] for row in rows)

        event.listen(connection, "before_cursor_execute", tell)
        days.count(connection, office.team.id, SOMEDAY // DAY_MS)
        counts.top_recipients(connection, office.team.id, 0, 10)
        failed.page(connection, office.team.id, (SOMEDAY, "jc"), 10)
        explain.mentions(connection, office.team.id, "ada@globex.example")

    await office.database.run(look)

    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in {"job_changes", "posts"}] == []
