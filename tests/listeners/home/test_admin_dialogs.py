"""The dialogs behind the admins' Home, over real HTTP: channels by signal, limits, failed job changes, recipients."""

from __future__ import annotations

import pytest
from sqlalchemy import event, insert, select, update

from domain.day_counts import DAY_MS
from domain.job_change.model import TEST_SOURCE
from domain.states import Role
from services.operations.day_counts import DAYS_COUNTED
from store import audit
from store.delivery import failed
from store.delivery.failed import failed_among
from store.delivery.trace import steps_of
from store.home import counts
from store.home import day_counts as days
from store.intake import explain
from store.schema import day_counts, deliveries, job_changes, lanes, posts, wrong_data
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_job_change, add_routed

SIGNALS, LIMITS, FAILED, STATISTICS = "home_signal_channels", "home_pace", "home_buried", "home_busiest"


def modal_of(office, user) -> str:
    return str(office.slack.modal(user.id).definition)


async def opened(office, action_id, user=None) -> str:
    """The text of the dialog behind a button of Home."""
    user = user or office.dana
    await office.open_home(user)
    await office.pick(user, action_id)
    return modal_of(office, user)


async def submitted(office, values, user=None):
    reply = await office.slack.submit_view((user or office.dana).id, values)
    await office.settled()
    return reply


async def add_failed(office, *reasons) -> list[str]:
    """Job changes that have failed, oldest first. Returns their ids."""

    def store(connection):
        ids = [add_job_change(connection, office.team.id) for _ in reasons]
        for place, (job_change_id, reason) in enumerate(zip(ids, reasons, strict=True)):
            ended = {"outcome": "buried", "reason": reason, "ended_at": SOMEDAY - 99 + place, "due_at": None}
            connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(ended))
        return ids

    return await office.database.run(store)


# ---- channels by signal


async def chosen(office, signal, channel_id=None, user=None) -> str:
    """Pick a channel for a signal, or press the button for the default channel. Returns the text of the dialog."""
    user = user or office.dana
    action_id = f"signal_channel_{signal}" if channel_id else f"signal_default_{signal}"
    assert (await office.slack.act_in_modal(user.id, action_id, channel_id)).status == 200
    await office.settled()
    return modal_of(office, user)


async def test_a_signal_gets_a_channel_of_its_own(office):
    """The choice is announced in the channel, recorded in the audit and shown in Home."""
    assert "All signals use the default channel." in await office.open_home(office.dana)
    await office.pick(office.dana, SIGNALS)

    assert "Saved." in await chosen(office, "custom", office.wins.id)

    assert (await office.workspace()).signal_channels == {"custom": office.wins.id}
    assert f"Custom signals: <#{office.wins.id}>" in await office.home_of(office.dana)
    [message] = office.wins.messages.values()
    assert message.text == (
        f"<@{office.dana.id}> made this the channel for the signal “Custom signals”. Its job changes for which no DRI"
        " is found are posted here."
    )
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert (change.actor, change.action, change.detail) == (
        office.dana.id,
        "signal_channels",
        f"custom: none → {office.wins.id}",
    )


async def test_a_signal_can_go_back_to_the_default_channel(office):
    """The other signals keep their channels. One note is posted in a channel, however many signals it gets."""
    await opened(office, SIGNALS)
    await chosen(office, "custom", office.wins.id)
    await chosen(office, "contact_tracking", office.wins.id)
    assert "No change: this channel was chosen already." in await chosen(office, "custom", office.wins.id)

    await chosen(office, "contact_tracking")

    assert (await office.workspace()).signal_channels == {"custom": office.wins.id}
    assert len(office.wins.messages) == 1


@pytest.mark.parametrize(
    ("channel", "advice"),
    [({"is_archived": True}, "is archived"), ({"is_private": True}, "cannot see this channel. If it is private")],
)
async def test_a_channel_the_app_cannot_post_in_is_refused(office, clock, channel, advice):
    """The dialog says what to do, and its picker no longer shows the refused channel."""
    unusable = office.slack.add_channel(office.team, "unusable", members=[office.dana.id], **channel)
    before = await opened(office, SIGNALS)
    clock.advance(seconds=1)

    shown = await chosen(office, "custom", unusable.id)

    assert advice in shown
    assert (await office.workspace()).signal_channels == {}
    assert f"custom-{SOMEDAY}" in before
    assert f"custom-{SOMEDAY}" not in shown


async def test_a_channel_shared_with_another_company_is_stored_with_a_warning(office):
    """It may be intended; the warning says who else sees the job changes."""
    shared = office.slack.add_channel(office.team, "shared", is_ext_shared=True)
    await opened(office, SIGNALS)

    assert "shared with another company" in await chosen(office, "custom", shared.id)
    assert (await office.workspace()).signal_channels == {"custom": shared.id}


@pytest.mark.both_databases
async def test_an_admin_does_not_overwrite_what_another_one_has_just_chosen(office):
    """A dialog carries the version that it showed, so an older one changes nothing."""
    lee = office.slack.add_user(office.team, "Lee Park", "lee@acme.example", is_owner=True)
    await opened(office, SIGNALS)
    await opened(office, LIMITS, lee)
    await chosen(office, "custom", office.wins.id)

    await submitted(office, {"posts_per_minute": "60"}, lee)

    assert "Someone else changed the settings in the meantime" in modal_of(office, lee)
    assert (await office.workspace()).posts_per_minute == 300


# ---- limits and data


async def test_limits_are_stored_and_recorded(office):
    """One dialog stores all three. Home shows them, and the audit records them."""
    await opened(office, LIMITS)

    chosen = {"posts_per_minute": "60", "salesforce_patience_minutes": "240", "retention_days": "30"}
    await submitted(office, chosen)

    workspace = await office.workspace()
    assert (workspace.posts_per_minute, workspace.salesforce_patience_minutes, workspace.retention_days) == (
        60,
        240,
        30,
    )
    assert "Up to 60 messages a minute. Waits up to 4 hours for Salesforce. Keeps personal data for 30 days." in (
        await office.home_of(office.dana)
    )
    change = (await office.database.run(audit.recent, office.team.id))[0]
    assert change.detail == (
        "posts_per_minute = 60, salesforce_patience_minutes = 240, salesforce_daily_calls = 5000, retention_days = 30"
    )


@pytest.mark.parametrize("action_id", [SIGNALS, LIMITS, FAILED, STATISTICS])
async def test_a_former_admin_opens_no_dialog(office, action_id):
    """Permissions are checked at each press, not when Home is published."""
    await add_failed(office, "why")
    for place in range(4):
        await office.database.run(add_recipient(place), office.team.id)
    await office.open_home(office.dana)
    office.dana.is_admin = False

    await office.pick(office.dana, action_id)

    assert "Only workspace admins and owners" in modal_of(office, office.dana)


async def test_a_former_admin_saves_nothing_in_an_open_dialog(office):
    """Permissions are checked again when the dialog is submitted."""
    await opened(office, LIMITS)
    office.dana.is_admin = False

    await submitted(office, {"posts_per_minute": "60"})

    assert (await office.workspace()).posts_per_minute == 300
    assert "Only workspace admins and owners" in modal_of(office, office.dana)


# ---- failed job changes


async def test_a_failed_job_change_is_shown_with_its_reason_and_retried(office):
    """The problem in Home leads to the dialog, and the trace says who retried it."""
    old, new = await add_failed(office, "Slack refused it", "nobody was there")
    assert "2 job changes could not be delivered" in await office.open_home(office.dana)
    shown = await opened(office, FAILED)
    assert shown.index("nobody was there.") < shown.index("Slack refused it.")

    await office.slack.act_in_modal(office.dana.id, "buried_again", new)
    await office.settled()

    shown = modal_of(office, office.dana)
    assert ":white_check_mark: Retrying" in shown
    assert "nobody was there." not in shown
    assert await office.database.run(failed_among, office.team.id, [old, new]) == [old]
    [step] = await office.database.run(steps_of, new)
    assert (step.step, step.detail) == ("retried", f"by {office.dana.id}")
    assert "1 job change could not be delivered" in await office.home_of(office.dana)


@pytest.mark.both_databases
async def test_all_failed_job_changes_are_retried_with_one_button(office):
    """It includes those on later pages."""
    await add_failed(office, *(f"why {number}" for number in range(12)))
    shown = await opened(office, FAILED)
    assert "why 11" in shown
    assert "why 1." not in shown

    await office.slack.act_in_modal(office.dana.id, "buried_all_again")
    await office.settled()

    assert "Retrying 12 job changes" in modal_of(office, office.dana)
    assert "No failed job changes" in modal_of(office, office.dana)


@pytest.mark.both_databases
async def test_failed_job_changes_are_paged(office):
    """*More* shows the next page, and *From the start* goes back."""
    await add_failed(office, *(f"why {number}" for number in range(12)))
    await opened(office, FAILED)

    await office.slack.act_in_modal(office.dana.id, "buried_more")
    await office.settled()
    shown = modal_of(office, office.dana)
    assert "why 1." in shown
    assert "why 0." in shown
    assert "why 2." not in shown

    await office.slack.act_in_modal(office.dana.id, "buried_from_the_start")
    await office.settled()
    assert "why 11." in modal_of(office, office.dana)


async def test_a_job_change_retried_by_someone_else_is_not_retried_twice(office):
    """The button may be older than the retry."""
    [job_change_id] = await add_failed(office, "why")
    await opened(office, FAILED)
    await office.database.run(lambda connection: connection.execute(update(job_changes).values(outcome=None)))

    await office.slack.act_in_modal(office.dana.id, "buried_again", job_change_id)
    await office.settled()

    assert "is already being retried" in modal_of(office, office.dana)


# ---- top recipients and day counts


def add_recipient(place, messages=1):
    """Someone with a lane and so many messages."""

    def store(connection, workspace_id):
        lane = {"workspace_id": workspace_id, "destination": f"U0RECIPIENT{place}"}
        lane_id = connection.execute(insert(lanes).values(lane).returning(lanes.c.id)).scalar_one()
        sent = {"workspace_id": workspace_id, "lane_id": lane_id, "state": "sent", "begun_at": SOMEDAY}
        rows = [{**sent, "id": f"{place}-{number}", "tried_at": SOMEDAY - DAY_MS} for number in range(messages)]
        connection.execute(insert(posts), rows)

    return store


async def test_the_statistics_name_the_top_recipients(office):
    """In order, with their numbers. Home has their button once there are figures."""
    await add_failed(office, "why")
    for place in range(5):
        await office.database.run(add_recipient(place, 1 + place), office.team.id)

    assert "1. <@U0RECIPIENT4>: 5 messages" in await opened(office, STATISTICS)
    assert "5. <@U0RECIPIENT0>: 1 message" in modal_of(office, office.dana)


async def test_channels_are_not_among_the_top_recipients(office):
    """Only direct messages are counted."""
    await office.database.run(
        lambda connection: add_routed(connection, office.wins.id, workspace_id=office.team.id, role=Role.FALLBACK)
    )
    await office.database.run(lambda connection: connection.execute(update(posts).values(state="sent")))

    await add_failed(office, "why")

    assert "No direct messages in the last 30 days." in await opened(office, STATISTICS)


@pytest.mark.both_databases
async def test_home_counts_the_last_thirty_days(office):
    """Past days are counted once and stored; today is counted each time."""
    ended = {"outcome": "delivered", "told": "dri", "ended_at": SOMEDAY - 10 * DAY_MS}

    def store(connection):
        job_change_id = add_job_change(connection, office.team.id)
        connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(ended))

    await office.database.run(store)
    await add_failed(office, "why")

    assert "1 sent to the DRI, 0 to a channel, 1 failed." in await office.open_home(office.dana)
    rows = await office.database.run(lambda connection: connection.execute(select(day_counts)).all())
    assert len(rows) == DAYS_COUNTED - 1
    assert sum(row.told_dri for row in rows) == 1
    assert sum(row.buried for row in rows) == 0


@pytest.mark.both_databases
async def test_tests_are_not_counted(office):
    """Neither in the statistics, nor as the last job change, a message to someone or a report of wrong data."""

    def store(connection):
        [job_change_id] = add_routed(connection, office.mo.id, workspace_id=office.team.id)
        lane_id = connection.execute(select(lanes.c.id)).scalar_one()
        sent = {"id": "p", "workspace_id": office.team.id, "lane_id": lane_id, "state": "sent", "begun_at": SOMEDAY}
        connection.execute(insert(posts).values(sent | {"tried_at": SOMEDAY}))
        connection.execute(update(deliveries).values(post_id="p"))
        ended = {"outcome": "delivered", "told": "dri", "ended_at": SOMEDAY, "source": TEST_SOURCE}
        connection.execute(update(job_changes).where(job_changes.c.id == job_change_id).values(ended))
        report = {"job_change_id": job_change_id, "actor": office.mo.id, "at": SOMEDAY, "kind": "not_moved"}
        connection.execute(insert(wrong_data).values(report | {"workspace_id": office.team.id}))

    await office.database.run(store)

    assert "Last 30 days" not in await office.open_home(office.dana)
    status = await office.parts["status"].of(office.team.id)
    assert (status.last_accepted_at, status.last_day["told_dri"], status.reported) == (None, 0, 0)
    assert await office.database.run(counts.top_recipients, office.team.id, 0, 10) == []


# ---- how many statements it takes


async def test_opening_home_takes_the_same_number_of_statements_with_any_amount_of_data(office, clock):
    """The number does not grow with the data, and it is smaller for members."""
    await office.open_home(office.dana)  # counts the past days, once
    before = await statements(office, office.dana)
    for place in range(15):
        await office.database.run(add_recipient(place, 20), office.team.id)
    await add_failed(office, *(["why"] * 40))
    clock.advance(seconds=1)

    assert await statements(office, office.dana) == before
    assert before <= MOST_STATEMENTS
    assert await statements(office, office.mo) < before


MOST_STATEMENTS = 60


async def statements(office, user) -> int:
    selects = []

    def record(_connection, _cursor, statement, *_rest):
        if statement.lstrip().upper().startswith("SELECT"):
            selects.append(statement)

    event.listen(office.database.engine, "before_cursor_execute", record)
    await office.open_home(user)
    event.remove(office.database.engine, "before_cursor_execute", record)
    return len(selects)


async def test_the_figures_of_home_are_read_by_index(office):
    """No statement scans all job changes or posts: with a million rows that would block everyone."""
    plans = []

    def read(connection):
        def explain_plan(_connection, cursor, statement, parameters, *_rest):
            if statement.startswith("SELECT") and ("job_changes" in statement or "posts" in statement):
                rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
                plans.extend(row[3] for row in rows)

        event.listen(connection, "before_cursor_execute", explain_plan)
        days.count(connection, office.team.id, [SOMEDAY // DAY_MS])
        counts.top_recipients(connection, office.team.id, 0, 10)
        failed.page(connection, office.team.id, (SOMEDAY, "jc"), 10)
        explain.mentions(connection, office.team.id, "ada@globex.example", for_user=None)

    await office.database.run(read)

    assert plans
    assert [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in {"job_changes", "posts"}] == []
