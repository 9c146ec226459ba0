"""The slash command /usergems-status."""

from __future__ import annotations

import pytest

from domain.decision.reasons import legacy
from domain.decision.record import Decision
from domain.delivery import DeliveryRecord, Explanation, FailedJobChange, JobChangeRecord, NewDelivery, TraceStep
from domain.job_change.model import TEST_SOURCE
from domain.job_change.new import NewJobChange
from domain.states import Role
from listeners.status.explain_view import explained_blocks, explained_text
from listeners.status.status_view import HELP, failed_blocks, failed_lines, status_blocks, status_lines
from sandbox.slack.block_kit.blocks import check_message
from services.home.home_state import WorkspaceStatus
from services.salesforce.health import Health, HealthLine, lines
from store.delivery.deliveries import add_deliveries
from store.intake import job_changes
from store.schema import job_changes as table
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import outage
from tests.services.messages.sample_job_changes import SAMPLES, job_change
from tests.store.sample_rows import add_job_change, add_workspace

HOUR = 60 * 60 * 1_000
COMMAND = "/usergems-status"
LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20


def status(**changes: object) -> WorkspaceStatus:
    values: dict[str, object] = {
        "at": SOMEDAY,
        "workspace_id": "T1",
        "workspace_name": "Acme",
        "is_active": True,
        "default_channel_id": "C1",
        "default_channel_name": "wins",
        "default_channel_problem": None,
        "salesforce": (
            HealthLine(Health.GOOD, "Connected to Salesforce: Acme Sales"),
            HealthLine(Health.GOOD, "Last answer:", SOMEDAY - HOUR),
        ),
        "last_accepted_at": SOMEDAY - HOUR,
        "last_day": {"told_dri": 1_200, "told_channel": 3, "buried": 0, "muted": 1},
        "waiting": 0,
        "waiting_since": None,
        "failed": 0,
        "reported": 0,
    }
    return WorkspaceStatus(**values | changes)


def test_a_healthy_workspace():
    """One line for each question that people have."""
    assert [line.split("<!date")[0] for line in status_lines(status(), is_admin=True)] == [
        "*Job changes in Acme*",
        ":white_check_mark: Default channel: <#C1>",
        ":white_check_mark: Connected to Salesforce: Acme Sales.",
        "Last answer: ",
        "Last job change received: ",
        "Last 24 hours: 1,200 sent to the DRI, 3 posted in a channel, 0 failed, 1 skipped by a rule",
        "Waiting: none",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"is_active": False}, "no longer installed in this workspace"),
        ({"default_channel_id": None}, ":warning: No default channel. An admin can choose one"),
        (
            {"default_channel_problem": "it is <archived>"},
            "default channel <#C1>: it is &lt;archived&gt;",
        ),
        ({"salesforce": tuple(lines(None, 5_000, SOMEDAY))}, ":information_source: Not connected to Salesforce"),
        (
            {"salesforce": (HealthLine(Health.BAD, "Salesforce (Acme) needs an admin: the login was revoked"),)},
            ":warning: Salesforce (Acme) needs an admin: the login was",
        ),
        ({"last_accepted_at": None}, "Last job change received: none"),
        ({"waiting": 1, "waiting_since": SOMEDAY}, "Waiting: 1, the oldest since <!date"),
        ({"waiting": 2_000, "waiting_since": SOMEDAY}, "Waiting: 2,000, the oldest since"),
        ({"failed": 2}, "Failed, all time: 2. Admins can retry them with `/usergems-status failed`"),
        ({"reported": 1}, "🚩 1 report of wrong data in the last 30 days"),
        ({"reported": 1_200}, "🚩 1,200 reports of wrong data"),
        ({"outages": (outage(),)}, ":hourglass: Calls to Slack have failed since <!date"),
        ({"outages": (outage(),)}, "(HTTP 503 &lt;busy&gt;). They are retried. 7 job changes wait for Slack."),
    ],
)
def test_a_problem_is_shown(changes, line):
    """With what people can do about it."""
    assert line in "\n".join(status_lines(status(**changes), is_admin=True))


def test_the_text_contains_everything_that_the_blocks_contain():
    """Notifications and screen readers only have the text."""
    shown, _ = status_blocks(status(failed=2), is_admin=True)

    assert shown["text"]["text"] == "\n".join(status_lines(status(failed=2), is_admin=True))


def test_slack_accepts_the_status_of_a_workspace_with_many_problems():
    """A section is limited to 3,000 characters, and one problem of Salesforce may have 500."""
    trouble = tuple(HealthLine(Health.BAD, LIVE, SOMEDAY) for _ in range(40))
    broken = status(workspace_name=LIVE, default_channel_problem=LIVE, salesforce=trouble)

    assert check_message(status_blocks(broken, "One waits for you.", is_admin=True)) == []
    assert "… and 28 more in the Home tab" in status_lines(broken, is_admin=True)
    assert len("\n".join(status_lines(broken, is_admin=True)).encode()) < 40_000


def test_members_see_whether_salesforce_works_and_admins_see_what_is_wrong():
    """Only admins can act on the exact error."""
    raw = "Salesforce (Acme) needs an admin: INVALID_LOGIN: the login was revoked"
    broken = status(salesforce=(HealthLine(Health.BAD, raw), HealthLine(Health.GOOD, "Last answer:", SOMEDAY)))

    read = "\n".join(status_lines(broken, is_admin=False))

    assert "INVALID_LOGIN" not in read
    assert ":warning: The Salesforce connection needs an admin" in read
    assert "INVALID_LOGIN" in "\n".join(status_lines(broken, is_admin=True))


def test_members_do_not_see_why_records_were_refused():
    """Those texts quote data from Salesforce."""
    refused = HealthLine(Health.FAIR, "Signals: 9 found, 1 refused, the last one because of its person, looked at")
    some = status(salesforce=(HealthLine(Health.GOOD, "Connected to Salesforce: Acme Sales"), refused))

    assert "because" not in "\n".join(status_lines(some, is_admin=False))
    assert ":white_check_mark: Connected to Salesforce: Acme Sales." in status_lines(some, is_admin=False)
    assert "because" in "\n".join(status_lines(some, is_admin=True))
    alone = status(salesforce=tuple(lines(None, 5_000, SOMEDAY)))
    assert "Not connected to Salesforce" in "\n".join(status_lines(alone, is_admin=False))


# ---- words


async def test_any_member_can_use_the_command_and_only_they_see_the_answer(office):
    """It contains numbers and no personal data."""
    answer = await office.slack.command(office.mo.id, COMMAND)

    assert answer.problem == ""
    assert answer.message.ephemeral_to == office.mo.id
    assert "*Job changes in Acme*" in answer.message.text
    assert "No default channel" in str(answer.message.blocks)


@pytest.mark.parametrize("word", ["help", " HELP ", "help me", "help\nme", "help\u00a0me"])
async def test_help_lists_every_word_of_the_command(office, word):
    """However it is typed."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert answer.message.text == HELP
    assert all(f"`{COMMAND} {name}" in HELP for name in ("test", "explain", "failed", "help"))


@pytest.mark.parametrize(
    ("word", "named"),
    [("xyz", "xyz"), ("restart now", "restart"), ("<!channel>", "&lt;!channel&gt;"), ("é" * 99, "é" * 59)],
)
async def test_an_unknown_word_is_repeated_with_the_help(office, word, named):
    """Escaped and shortened, because anybody can type anything."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert answer.message.text.startswith(f"Unknown command “{named}")
    assert "Did you mean" not in answer.message.text
    assert HELP in answer.message.text


@pytest.mark.parametrize(
    ("word", "suggested"),
    [("sttaus", "status"), ("Explian", "explain"), ("buried", "failed"), ("replay", "failed"), ("retry", "failed")],
)
async def test_a_typing_error_or_an_older_word_gets_a_suggestion(office, word, suggested):
    """Words of earlier versions lead to the new one."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert f"Did you mean `{suggested}`?" in answer.message.text


async def test_the_default_channel_is_named(office):
    """With its problem."""
    await office.database.run(
        workspaces.change,
        office.team.id,
        None,
        default_channel_id=office.wins.id,
        default_channel_problem="it is archived",
    )

    answer = await office.slack.command(office.mo.id, COMMAND)

    assert f"cannot post in the default channel <#{office.wins.id}>: it is archived" in answer.message.text


# ---- test


async def test_a_test_job_change_is_accepted_for_the_person_who_asks(office):
    """It is marked as a test, goes to one person, and is never a duplicate."""
    first = await office.slack.command(office.mo.id, COMMAND, "test")
    await office.slack.command(office.mo.id, COMMAND, "test")

    assert "A test job change was sent" in first.message.text
    stored = await office.database.run(lambda connection: connection.execute(table.select()).all())
    assert [row.source for row in stored] == [TEST_SOURCE] * 2
    assert all('"dri_email":"mo@acme.example"' in row.payload for row in stored)
    assert f"`{COMMAND} explain {stored[0].id}`" in first.message.text


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"status": 503}, "Slack did not respond"),
        ({"error": "missing_scope"}, "could not read your Slack profile"),
    ],
)
async def test_no_test_is_sent_if_slack_does_not_say_who_asks(office, fault, text):
    """The person sees why."""
    office.slack.faults.add("users.info", **fault)

    answer = await office.slack.command(office.mo.id, COMMAND, "test")

    assert text in answer.message.text
    assert await office.database.run(job_changes.latest, office.team.id, 1) == []


async def test_no_test_is_sent_to_a_person_without_an_email_address(office):
    """DRIs are found by their address."""
    office.mo.email = None

    answer = await office.slack.command(office.mo.id, COMMAND, "test")

    assert "cannot read your email address in Slack" in answer.message.text


# ---- explain


@pytest.fixture
async def sent(office):
    """The ids of two job changes: Ada's was sent to Mo, Bo's to Dana."""

    def store(connection):
        ids = []
        for name, to in (("ada", office.mo.id), ("bo", office.dana.id)):
            change = job_change(person={"full_name": name, "emails": [f"{name}@initech.example"]})
            new = NewJobChange(office.team.id, name, "tests", change.to_stored(), SOMEDAY)
            [added] = job_changes.add(connection, [new])
            add_deliveries(
                connection, office.team.id, [NewDelivery(added.id, to, Role.DRI, legacy("You own it."))], SOMEDAY
            )
            ids.append(added.id)
        return ids

    return await office.database.run(store)


async def ask(office, user, text) -> str:
    answer = await office.slack.command(user.id, COMMAND, f"explain {text}")
    assert answer.problem == ""
    assert answer.message.ephemeral_to == user.id
    return f"{answer.message.text} {answer.message.blocks}"


@pytest.mark.parametrize("which", ["ada@initech.example", "ADA@Initech.example", "`ada@initech.example`"])
@pytest.mark.both_databases
async def test_a_job_change_is_found_by_the_address_of_its_person(office, sent, which):
    """However it is typed, and also if Slack turns it into a link."""
    assert sent[0] in await ask(office, office.mo, which)
    assert sent[0] in await ask(office, office.dana, f"<mailto:{which.strip('`')}|{which.strip('`')}>")


@pytest.mark.parametrize("between", ["\n", "\t", "\u00a0", "   "])
async def test_any_whitespace_separates_the_words(office, sent, between):
    """Such as a line break, or the non-breaking space that phones insert."""
    answer = await office.slack.command(office.mo.id, COMMAND, f"explain{between}ada@initech.example")

    assert sent[0] in str(answer.message.blocks)


async def test_members_can_only_ask_about_what_was_sent_to_them(office, sent):
    """For them, others do not exist, neither by id nor by address. Admins can ask about any."""
    own, other = sent

    assert own in await ask(office, office.mo, own)
    for which in (other, "bo@initech.example", "nobody@initech.example", "jc-no-such"):
        text = await ask(office, office.mo, which)
        assert "Admins can look up those that were sent to others." in text
        assert "Bo" not in text
    assert other in await ask(office, office.dana, "bo@initech.example")
    assert own in await ask(office, office.dana, own)


async def test_who_sent_a_test_can_ask_why_it_did_not_arrive(office):
    """The answer to the test says so. It was not delivered, for example because its DRI is a guest."""
    answer = await office.slack.command(office.mo.id, COMMAND, "test")
    job_change_id = answer.message.text.partition("explain ")[2].partition("`")[0]

    assert "Ada Smith (sample)" in await ask(office, office.mo, job_change_id)


async def test_members_do_not_see_the_history(office, sent):
    """The steps name other people."""
    await office.database.run(
        lambda connection: connection.execute(
            table.update().where(table.c.id == sent[0]).values(decision='{"rule": "R", "considered": []}')
        )
    )

    assert "*History*" not in await ask(office, office.mo, sent[0])
    assert "*Rule*" in await ask(office, office.mo, sent[0])


async def test_explain_without_an_argument_asks_for_one(office):
    """An unknown person or id is repeated, escaped."""
    assert "and the person's email address" in await ask(office, office.dana, "")
    assert "No job change in this workspace matches “&lt;!channel&gt;”." in await ask(office, office.dana, "<!channel>")
    assert "None of the latest 5,000 job changes in this workspace matches “no@globex.example”." in await ask(
        office, office.dana, "no@globex.example"
    )


async def test_another_workspaces_job_change_is_not_explained(office):
    """Knowing an id gives no access."""
    await office.database.run(add_workspace, "T9")
    theirs = await office.database.run(add_job_change, "T9")

    assert f"No job change in this workspace matches “{theirs}”." in await ask(office, office.dana, theirs)


def job_change_record(**changes: object) -> JobChangeRecord:
    values: dict[str, object] = {
        "id": "jc",
        "source": LIVE,
        "accepted_at": SOMEDAY,
        "routed_at": SOMEDAY,
        "ended_at": SOMEDAY,
        "outcome": "delivered",
        "sent_to": "dri",
        "reason": LIVE,
        "attempts": 1,
        "last_error": LIVE,
        "decision": Decision.model_validate(
            {"rule": LIVE, "considered": [{"source": LIVE, "name": LIVE, "email": LIVE, "result": LIVE}] * 99}
        ),
        "deliveries": [DeliveryRecord("U1", "dri", legacy(LIVE), "buried", 3, LIVE, SOMEDAY, "D1", "1.1")] * 99,
        "trace": [TraceStep("jc", SOMEDAY, LIVE, LIVE)] * 99,
    }
    return JobChangeRecord(**values | changes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Sent to the DRI <!date"),
        ({"sent_to": "channel"}, "Posted in a channel <!date"),
        ({"outcome": "buried", "sent_to": None}, "Failed: nobody could be notified <!date"),
        ({"outcome": "muted", "sent_to": None}, "Sent to nobody <!date"),
        ({"ended_at": None, "outcome": None}, "Waiting to be sent. Last error:"),
        ({"ended_at": None, "outcome": None, "routed_at": None}, "Waiting for its DRI to be found."),
        ({"decision": Decision(), "deliveries": [], "trace": [], "reason": None}, "Sent to the DRI"),
    ],
)
@pytest.mark.parametrize("change", [SAMPLES["new company"], None])
def test_slack_accepts_every_explanation(changes, text, change):
    """However long the names are. Everything foreign is escaped."""
    explained = Explanation(job_change_record(**changes), change, ("jc-2", "jc-3"))

    for reader in (None, "U1", "U2"):
        blocks = explained_blocks(explained, reader)
        assert check_message(blocks) == []
        assert text in str(blocks)
        assert "<!channel>" not in str(blocks)
    assert text in explained_text(explained)


def test_explain_shows_labels_instead_of_codes():
    """Also for steps that older versions stored."""
    steps = [("reported as wrong", "not_moved, says U0DANA1234"), ("muted", "new_company, by U0DANA1234")]
    trace = [TraceStep("jc", SOMEDAY, *step) for step in steps]

    shown = str(explained_blocks(Explanation(job_change_record(trace=trace), None), None))

    assert "reported as wrong: Did not change jobs, by <@U0DANA1234>" in shown
    assert "muted: New company, by <@U0DANA1234>" in shown


# ---- failed


async def test_admins_see_failed_job_changes_with_a_button_to_review_them(office):
    """The button opens the same dialog as the one in Home."""
    [job_change_id] = await failed_in(office, "Slack refused it")

    answer = await office.slack.command(office.dana.id, COMMAND, "failed")
    assert "*1 job change could not be delivered*" in answer.message.text
    assert "Slack refused it." in answer.message.text
    reply = await office.slack.press(office.dana.id, answer.message.channel_id, answer.message.ts, "home_buried")
    await office.settled()

    assert reply.status == 200
    assert job_change_id in str(office.slack.modal(office.dana.id).definition)


async def test_members_do_not_see_failed_job_changes(office):
    """The reasons name people."""
    await failed_in(office, "Slack refused it")

    answer = await office.slack.command(office.mo.id, COMMAND, "failed")

    assert "Only workspace admins and owners" in answer.message.text
    assert "refused" not in str(answer.message)


async def test_no_failed_job_changes(office):
    """The answer says so."""
    answer = await office.slack.command(office.dana.id, COMMAND, "failed")

    assert answer.message.text == ":white_check_mark: No failed job changes"


def test_slack_accepts_a_list_of_failed_job_changes():
    """However many there are and however long their texts."""
    listed = [FailedJobChange(f"jc-{number}", None, LIVE, SOMEDAY) for number in range(5)]

    assert check_message(failed_blocks(listed, 1_000_000, "T1")) == []
    assert failed_lines(listed, 1_000_000)[-1] == "… and 999,995 more"
    assert len("\n".join(failed_lines(listed, 9)).encode()) < 40_000


async def failed_in(office, reason) -> list[str]:
    def store(connection):
        [added] = job_changes.add(
            connection, [NewJobChange(office.team.id, "key", "tests", job_change().to_stored(), SOMEDAY)]
        )
        values = {"outcome": "buried", "reason": reason, "ended_at": SOMEDAY, "due_at": None}
        connection.execute(table.update().where(table.c.id == added.id).values(values))
        return [added.id]

    return await office.database.run(store)


async def test_a_request_without_a_response_url_is_answered_at_once(office):
    """Slack always sends one; a script may not."""
    form = {"command": COMMAND, "text": "help", "team_id": office.team.id, "user_id": office.mo.id}

    reply = await office.slack.app_client.form(form)

    assert (reply.status, reply.body.decode()) == (200, HELP)
