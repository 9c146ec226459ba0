"""/usergems-status answers whoever asks, and only them."""

from __future__ import annotations

import pytest

from domain.delivery import DeliveryRecord, Explanation, FailedJobChange, JobChangeRecord, NewDelivery, TraceStep
from domain.job_change.model import TEST_SOURCE
from domain.states import Role
from listeners.status.explain_view import explained_blocks, explained_text
from listeners.status.status_view import HELP, buried_blocks, buried_lines, status_blocks, status_lines
from sandbox.slack.block_kit.blocks import check_message
from services.home.home_state import WorkspaceStatus
from services.salesforce.health import Health, HealthLine, lines
from store.delivery.deliveries import add_deliveries
from store.intake import job_changes
from store.intake.job_changes import NewJobChange
from store.schema import job_changes as table
from store.slack import workspaces
from tests.conftest import SOMEDAY
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
        "silent": {},
    }
    return WorkspaceStatus(**values | changes)


def test_when_all_is_well():
    """A line for each thing one may wonder about."""
    assert [line.split("<!date")[0] for line in status_lines(status(), may=True)] == [
        "*Job changes in Acme*",
        ":white_check_mark: <#C1> is the default channel.",
        ":white_check_mark: Connected to Salesforce: Acme Sales.",
        "Last answer: ",
        "The last job change came in ",
        "Last 24 hours: 1,200 told to the DRI, 3 told to a channel, 0 buried, 1 told to nobody by a rule.",
        "Nothing is waiting.",
    ]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"is_active": False}, "not installed in this workspace any more"),
        ({"default_channel_id": None}, "No default channel yet: an admin chooses one in the Home tab"),
        ({"default_channel_problem": "it is <archived>"}, "cannot be posted to: it is &lt;archived&gt;"),
        ({"salesforce": tuple(lines(None, 5_000, SOMEDAY))}, ":information_source: Not connected to Salesforce"),
        (
            {"salesforce": (HealthLine(Health.BAD, "Salesforce (Acme) needs an admin: the login was revoked"),)},
            ":warning: Salesforce (Acme) needs an admin: the login was",
        ),
        ({"last_accepted_at": None}, "No job change has come in yet."),
        ({"waiting": 1, "waiting_since": SOMEDAY}, "1 is waiting to be told, the oldest since <!date"),
        ({"waiting": 2_000, "waiting_since": SOMEDAY}, "2,000 are waiting to be told"),
        ({"failed": 2}, "2 could not be delivered. `/usergems-status buried` shows an admin why"),
        ({"reported": 1}, "🚩 One report of wrong data in the last 30 days."),
        ({"reported": 1_200}, "🚩 1,200 reports of wrong data"),
        ({"silent": {"Slack": SOMEDAY}}, ":hourglass: Slack has not answered since <!date"),
    ],
)
def test_what_is_not_well_is_said(changes, line):
    """With what to do about it."""
    assert line in "\n".join(status_lines(status(**changes), may=True))


def test_the_text_says_all_that_the_blocks_say():
    """Notifications and screen readers know only the text."""
    shown, _ = status_blocks(status(failed=2), may=True)

    assert shown["text"]["text"] == "\n".join(status_lines(status(failed=2), may=True))


def test_slack_takes_the_status_of_a_workspace_with_much_trouble():
    """A section holds 3,000 characters; what Salesforce says of one place alone may be five hundred."""
    trouble = tuple(HealthLine(Health.BAD, LIVE, SOMEDAY) for _ in range(40))
    told = status(workspace_name=LIVE, default_channel_problem=LIVE, salesforce=trouble)

    assert check_message(status_blocks(told, "One waits for you.", may=True)) == []
    assert "… and 28 more, see the Home tab." in status_lines(told, may=True)
    assert len("\n".join(status_lines(told, may=True)).encode()) < 40_000


def test_members_read_whether_salesforce_works_and_admins_what_is_wrong():
    """What exactly it said is for those who can mend it."""
    raw = "Salesforce (Acme) needs an admin: INVALID_LOGIN: the login was revoked"
    broken = status(salesforce=(HealthLine(Health.BAD, raw), HealthLine(Health.GOOD, "Last answer:", SOMEDAY)))

    read = "\n".join(status_lines(broken, may=False))

    assert "INVALID_LOGIN" not in read
    assert ":warning: Something about Salesforce needs an admin" in read
    assert "INVALID_LOGIN" in "\n".join(status_lines(broken, may=True))


def test_members_are_spared_why_single_records_were_refused():
    """Those texts quote what stands in Salesforce."""
    refused = HealthLine(Health.FAIR, "Signals: 9 found, 1 refused, the last one because of its person, looked at")
    some = status(salesforce=(HealthLine(Health.GOOD, "Connected to Salesforce: Acme Sales"), refused))

    assert "because" not in "\n".join(status_lines(some, may=False))
    assert ":white_check_mark: Connected to Salesforce: Acme Sales." in status_lines(some, may=False)
    assert "because" in "\n".join(status_lines(some, may=True))
    alone = status(salesforce=tuple(lines(None, 5_000, SOMEDAY)))
    assert "Not connected to Salesforce" in "\n".join(status_lines(alone, may=False))


# ---- words


async def test_anybody_may_ask_and_only_they_read_it(office):
    """Numbers, nothing of people."""
    answer = await office.slack.command(office.mo.id, COMMAND)

    assert answer.problem == ""
    assert answer.message.ephemeral_to == office.mo.id
    assert "*Job changes in Acme*" in answer.message.text
    assert "No default channel yet" in str(answer.message.blocks)


@pytest.mark.parametrize("word", ["help", " HELP ", "help me", "help\nme", "help\u00a0me"])
async def test_help_says_what_there_is(office, word):
    """Every word of the command."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert answer.message.text == HELP
    assert all(f"`{COMMAND} {each}" in HELP for each in ("test", "explain", "buried", "help"))


@pytest.mark.parametrize(
    ("word", "named"),
    [("xyz", "xyz"), ("restart now", "restart"), ("<!channel>", "&lt;!channel&gt;"), ("é" * 99, "é" * 59)],
)
async def test_a_word_that_is_not_known_is_named_and_gets_help(office, word, named):
    """No error, and no guessing which word it was."""
    answer = await office.slack.command(office.mo.id, COMMAND, word)

    assert answer.message.text.startswith(f"I do not know “{named}")
    assert HELP in answer.message.text


async def test_the_default_channel_is_named(office):
    """With the trouble it has."""
    await office.database.run(
        workspaces.change,
        office.team.id,
        None,
        default_channel_id=office.wins.id,
        default_channel_problem="it is archived",
    )

    answer = await office.slack.command(office.mo.id, COMMAND)

    assert f"<#{office.wins.id}>, the default channel, cannot be posted to: it is archived" in answer.message.text


# ---- test


async def test_a_test_is_taken_in_for_whoever_asks(office):
    """As a sender would send it: marked, for one person, and never the same as another."""
    first = await office.slack.command(office.mo.id, COMMAND, "test")
    await office.slack.command(office.mo.id, COMMAND, "test")

    assert "A test is on its way to you" in first.message.text
    stored = await office.database.run(lambda connection: connection.execute(table.select()).all())
    assert [row.source for row in stored] == [TEST_SOURCE] * 2
    assert all('"dri_email":"mo@acme.example"' in row.payload for row in stored)
    assert f"`{COMMAND} explain {stored[0].id}`" in first.message.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 503}, "Slack did not answer just now"),
        ({"error": "missing_scope"}, "does not let us look who you are"),
    ],
)
async def test_no_test_is_sent_where_slack_does_not_say_who_asks(office, fault, said):
    """The person reads why."""
    office.slack.faults.add("users.info", **fault)

    answer = await office.slack.command(office.mo.id, COMMAND, "test")

    assert said in answer.message.text
    assert await office.database.run(job_changes.latest, office.team.id, 1) == []


async def test_no_test_is_sent_to_somebody_without_an_address(office):
    """By their address DRIs are found."""
    office.mo.email = None

    answer = await office.slack.command(office.mo.id, COMMAND, "test")

    assert "Slack does not tell us your e-mail address" in answer.message.text


# ---- explain


@pytest.fixture
async def told(office):
    """A job change of Ada's that came to Mo, and one of Bo's that came to somebody else; their ids."""

    def store(connection):
        ids = []
        for name, to in (("ada", office.mo.id), ("bo", office.dana.id)):
            change = job_change(person={"full_name": name, "emails": [f"{name}@initech.example"]})
            new = NewJobChange(office.team.id, name, "tests", change.to_stored(), SOMEDAY)
            [added] = job_changes.add(connection, [new])
            add_deliveries(connection, office.team.id, [NewDelivery(added.id, to, Role.DRI, "You own it.")], SOMEDAY)
            ids.append(added.id)
        return ids

    return await office.database.run(store)


async def ask(office, user, text) -> str:
    answer = await office.slack.command(user.id, COMMAND, f"explain {text}")
    assert answer.problem == ""
    assert answer.message.ephemeral_to == user.id
    return f"{answer.message.text} {answer.message.blocks}"


@pytest.mark.parametrize("which", ["ada@initech.example", "ADA@Initech.example", "`ada@initech.example`"])
async def test_a_job_change_is_found_by_the_address_of_its_person(office, told, which):
    """However it is typed, and also as Slack turns it into a link."""
    assert told[0] in await ask(office, office.mo, which)
    assert told[0] in await ask(office, office.dana, f"<mailto:{which.strip('`')}|{which.strip('`')}>")


@pytest.mark.parametrize("between", ["\n", "\t", "\u00a0", "   "])
async def test_whatever_stands_between_the_words_is_a_space(office, told, between):
    """A line break, or the space that does not break and that phones put there."""
    answer = await office.slack.command(office.mo.id, COMMAND, f"explain{between}ada@initech.example")

    assert told[0] in str(answer.message.blocks)


@pytest.mark.both_databases
async def test_members_read_only_of_what_came_to_them(office, told):
    """Another's is as if it were not there, by its id or by an address; admins read of all."""
    mine, other = told

    assert mine in await ask(office, office.mo, mine)
    for which in (other, "bo@initech.example", "nobody@initech.example", "jc-no-such"):
        said = await ask(office, office.mo, which)
        assert "came to you. Admins can ask" in said
        assert "Bo" not in said
    assert other in await ask(office, office.dana, "bo@initech.example")
    assert mine in await ask(office, office.dana, mine)


async def test_members_read_nothing_of_what_others_did_with_it(office, told):
    """The steps name people; admins read them."""
    await office.database.run(
        lambda connection: connection.execute(
            table.update().where(table.c.id == told[0]).values(decision='{"rule": "R", "considered": []}')
        )
    )

    assert "Step by step" not in await ask(office, office.mo, told[0])
    assert "The rule" in await ask(office, office.mo, told[0])


async def test_explaining_nothing_asks_which(office):
    """And what has no such person or id is said to be unknown, inert."""
    assert "Say which one" in await ask(office, office.dana, "")
    assert "no job change like “&lt;!channel&gt;”" in await ask(office, office.dana, "<!channel>")
    assert "among the latest 5,000 in this workspace" in await ask(office, office.dana, "no@globex.example")


async def test_another_workspaces_job_change_is_not_explained(office):
    """An id is no key."""
    await office.database.run(add_workspace, "T9")
    theirs = await office.database.run(add_job_change, "T9")

    assert f"There is no job change like “{theirs}” in this workspace." in await ask(office, office.dana, theirs)


def found(**changes: object) -> JobChangeRecord:
    values: dict[str, object] = {
        "id": "jc",
        "source": LIVE,
        "accepted_at": SOMEDAY,
        "routed_at": SOMEDAY,
        "ended_at": SOMEDAY,
        "outcome": "delivered",
        "told": "dri",
        "reason": LIVE,
        "attempts": 1,
        "last_error": LIVE,
        "decision": {
            "rule": LIVE,
            "considered": [{"source": LIVE, "name": LIVE, "email": LIVE, "result": LIVE}] * 99,
        },
        "deliveries": [DeliveryRecord("U1", "dri", LIVE, "buried", 3, LIVE, SOMEDAY, "D1", "1.1")] * 99,
        "trace": [TraceStep("jc", SOMEDAY, LIVE, LIVE)] * 99,
    }
    return JobChangeRecord(**values | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Sent to the DRI, <!date"),
        ({"told": "channel"}, "Sent to a channel, <!date"),
        ({"outcome": "buried", "told": None}, "Buried: nobody could be told, <!date"),
        ({"outcome": "muted", "told": None}, "Sent to nobody, <!date"),
        ({"ended_at": None, "outcome": None}, "It waits to be told. The last try:"),
        ({"ended_at": None, "outcome": None, "routed_at": None}, "It waits for its DRI to be found."),
        ({"decision": None, "deliveries": [], "trace": [], "reason": None}, "Sent to the DRI"),
    ],
)
@pytest.mark.parametrize("change", [SAMPLES["new company"], None])
def test_slack_takes_every_explanation(changes, said, change):
    """However long the names, and inert whatever they are."""
    explained = Explanation(found(**changes), change, ("jc-2", "jc-3"))

    for reader in (None, "U1", "U2"):
        blocks = explained_blocks(explained, reader)
        assert check_message(blocks) == []
        assert said in str(blocks)
        assert "<!channel>" not in str(blocks)
    assert said in explained_text(explained)


# ---- buried


async def test_admins_are_shown_what_is_buried_with_the_way_to_try_again(office):
    """The answer's button opens the same dialog as the one in Home."""
    [one] = await buried_in(office, "Slack refused it")

    answer = await office.slack.command(office.dana.id, COMMAND, "buried")
    assert "*One job change could not be delivered*" in answer.message.text
    assert "Slack refused it." in answer.message.text
    reply = await office.slack.press(office.dana.id, answer.message.channel_id, answer.message.ts, "home_buried")
    await office.settled()

    assert reply.status == 200
    assert one in str(office.slack.modal(office.dana.id).definition)


async def test_members_are_not_shown_what_is_buried(office):
    """Reasons name people."""
    await buried_in(office, "Slack refused it")

    answer = await office.slack.command(office.mo.id, COMMAND, "buried")

    assert "is shown to workspace admins and owners" in answer.message.text
    assert "refused" not in str(answer.message)


async def test_nothing_buried_is_good_news(office):
    """And said."""
    answer = await office.slack.command(office.dana.id, COMMAND, "buried")

    assert answer.message.text == ":white_check_mark: Nothing is buried: everything was delivered."


def test_slack_takes_a_list_of_the_buried():
    """However many there are."""
    listed = [FailedJobChange(f"jc-{each}", None, LIVE, SOMEDAY) for each in range(5)]

    assert check_message(buried_blocks(listed, 1_000_000)) == []
    assert buried_lines(listed, 1_000_000)[-1] == "… and 999,995 more."
    assert len("\n".join(buried_lines(listed, 9)).encode()) < 40_000


async def buried_in(office, reason) -> list[str]:
    def store(connection):
        [added] = job_changes.add(
            connection, [NewJobChange(office.team.id, "key", "tests", job_change().to_stored(), SOMEDAY)]
        )
        values = {"outcome": "buried", "reason": reason, "ended_at": SOMEDAY, "due_at": None}
        connection.execute(table.update().where(table.c.id == added.id).values(values))
        return [added.id]

    return await office.database.run(store)


async def test_who_leaves_no_address_to_answer_later_is_answered_at_once(office):
    """Slack always leaves one; a script that asks by hand does not."""
    asked = {"command": COMMAND, "text": "help", "team_id": office.team.id, "user_id": office.mo.id}

    reply = await office.slack.app_client.form(asked)

    assert (reply.status, reply.body.decode()) == (200, HELP)
