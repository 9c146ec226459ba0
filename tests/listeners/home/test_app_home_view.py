"""The view of Home: Slack accepts it in every state, problems come first, and members see nothing for admins."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from domain.day_counts import RecipientCount
from domain.delivery import FailedJobChange
from domain.errors import Vendor
from domain.messages.notices import ALL_STEPS, WELCOME, SetupSteps, checklist
from domain.states import AssignedState
from domain.workspace import ListedKey
from listeners.dialogs.blocks import loading_view, message_view
from listeners.dialogs.form import Entered
from listeners.dialogs.home_tab import seen_version
from listeners.home.admin_dialogs_view import LIMITS, chosen_limits, limits_view, signal_channels_view, statistics_view
from listeners.home.app_home_view import home_view
from listeners.home.day_count_chart import LONGEST_BAR, chart, summary
from listeners.home.health_view import EVERYTHING_WORKS
from listeners.intake.keys_view import how_to_send_view, key_view
from listeners.ownership.home_view import who_is_notified
from listeners.status.failed_view import PAGE_SIZE, cursor_of, failed_job_changes_view, shown_after
from sandbox.slack.block_kit.blocks import check_view
from services.home.home_state import (
    Assigned,
    AssignedJobChange,
    HomeNotice,
    HomeState,
    MemberHome,
    Overview,
    OwnershipState,
    SalesforceIdentity,
    Statistics,
)
from services.messages.notice_text import NoticeContext, notice_message
from services.salesforce.health import Health, HealthLine
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import (
    ACME,
    ADMIN,
    MEMBER,
    NOTHING_DONE,
    QUIET_DAYS,
    QUIET_OVERVIEW,
    SALESFORCE,
    STATUS,
    TODAY,
    URL,
    admin_state,
    busy_days,
    day,
    new_state,
    outage,
    trouble_state,
)
from tests.services.messages.sample_job_changes import SAMPLES

LIVE_MARKUP = "<!channel> & <https://evil.example|here> *bold*" * 20
KEYS = (ListedKey("bearer", SOMEDAY, "U1", None), ListedKey("bearer", SOMEDAY, "U1", SOMEDAY + 1))

# Slack's own limits of a Home: https://docs.slack.dev/surfaces/app-home
MOST_BLOCKS, MOST_BYTES = 100, 250 * 1_024

LONG = "W" * 255
FULL = MemberHome(
    user_id="U" + "A" * 20,
    assigned=Assigned(
        job_changes=tuple(AssignedJobChange(number, SOMEDAY, "both", SAMPLES["new company"]) for number in range(5)),
        counts={AssignedState.OPEN: 500},
    ),
    muted=frozenset({"contact_tracking", "new_hires_promotions", "custom"}),
    identities=tuple(SalesforceIdentity(f"{LONG}{number}@acme.example", LONG, "U" + "B" * 20) for number in range(10)),
    not_me={f"{LONG}{number}@acme.example": LONG for number in range(20)},
    shown_at=SOMEDAY,
)


def largest(*, is_admin: bool = True) -> HomeState:
    """Every list is full, every name has the largest length, and every problem is there at once."""
    people = [f"U{'A' * 19}{number}" for number in range(10)]
    state = trouble_state("C" + "A" * 20, people)
    lines = tuple(HealthLine(Health.BAD, LIVE_MARKUP, SOMEDAY) for _ in range(10))
    status = replace(STATUS, salesforce=lines, failed=1_000_000, reported=1_000_000)
    days = tuple(day(quiet.number, 1_000_000, 900_000, 800_000, 700_000) for quiet in QUIET_DAYS)
    return replace(
        state,
        is_admin=is_admin,
        outages=tuple(replace(outage(vendor), error=LIVE_MARKUP) for vendor in Vendor),
        workspace=replace(
            state.workspace,
            default_channel_problem=LIVE_MARKUP,
            signal_channels=dict.fromkeys(("contact_tracking", "new_hires_promotions", "custom"), "C" + "B" * 20),
            reminder_hours=4,
        ),
        salesforce=replace(SALESFORCE, org_name=LIVE_MARKUP, unreadable=LIVE_MARKUP),
        keys=KEYS * 50,
        waiting=10_000_000,
        overview=Overview(status, days, NOTHING_DONE),
        ownership=OwnershipState(999, people[0], has_draft=True, unmatched=100),
        member=FULL,
    )


@pytest.mark.parametrize(
    ("is_admin", "channel", "problem", "gets", "tell", "notice"),
    [
        (is_admin, channel, problem, gets, tell, notice)
        for is_admin, tell in product((True, False), repeat=2)
        for channel, problem, notice in product((None, "C1"), (None, LIVE_MARKUP), (None, "Saved."))
        for gets in ("unmatched", "everything")
    ],
)
def test_slack_accepts_home_in_every_state(is_admin, channel, problem, gets, tell, notice):
    """The view passes Slack's checks of limits, element types and ids, and contains no live markup from outside."""
    workspace = replace(
        ACME, default_channel_id=channel, default_channel_problem=problem, channel_gets=gets, tell_dris=tell
    )
    broken = replace(SALESFORCE, problem=LIVE_MARKUP, org_name=LIVE_MARKUP)
    for salesforce, keys in product((None, SALESFORCE, broken), ((), KEYS, KEYS * 10)):
        state = HomeState(workspace, is_admin, 1_234, salesforce, keys, URL, SOMEDAY, overview=QUIET_OVERVIEW)

        view = home_view(state, HomeNotice(notice, "home_choose_channel") if notice else None)

        assert check_view(view, "home") == []
        assert "<!channel>" not in str(view)


@pytest.mark.parametrize("is_admin", [True, False])
def test_the_home_of_the_largest_workspace_stays_within_slacks_limits(is_admin):
    """Home uses at most 65 of the 100 blocks and a quarter of the bytes that Slack allows, however full it is."""
    view = home_view(largest(is_admin=is_admin), HomeNotice(LIVE_MARKUP.replace("<", "&lt;")))

    assert check_view(view, "home") == []
    assert len(view["blocks"]) <= MOST_BLOCKS * 0.65
    assert len(json.dumps(view).encode()) <= MOST_BYTES / 4


def test_members_see_nothing_that_is_for_admins():
    """Home shows members no figures, settings or names of other people, even if their state contains them."""
    text = json.dumps(home_view(largest(is_admin=False)))

    for words in ("ast 30 days", "Setup", "Routing", "API", "failed", "delivered.*", "wrong data", "home_"):
        assert words not in text
    assert "https://usergems.example.com" not in text


@pytest.mark.parametrize(
    "view",
    [
        loading_view("Signing secret"),
        key_view("signing", "whsec_abc", URL, is_rotated=False),
        key_view("bearer", "ugk_abc", URL, is_rotated=True),
        message_view("API key"),
        how_to_send_view(URL),
        statistics_view(Statistics(QUIET_DAYS, 0, ())),
        statistics_view(Statistics(busy_days(), 3, [RecipientCount(f"U{number}", 1 + number) for number in range(10)])),
        signal_channels_view(ACME, SOMEDAY),
        signal_channels_view(largest().workspace, SOMEDAY, "Saved."),
        limits_view(ACME, 90),
        limits_view(
            replace(ACME, posts_per_minute=77, salesforce_patience_minutes=7, retention_days=14), 3650, "Saved."
        ),
        limits_view(ACME, 1),
        failed_job_changes_view([], None),
        failed_job_changes_view([], (1, "jc"), ":white_check_mark: Retrying"),
        failed_job_changes_view(
            [FailedJobChange(f"jc-{number}", None, LIVE_MARKUP, SOMEDAY) for number in range(PAGE_SIZE + 1)],
            (1, "jc"),
            "Saved.",
        ),
    ],
)
def test_slack_accepts_every_dialog(view):
    """The dialogs pass the same checks as Home."""
    assert check_view(view, "modal") == []
    assert "<!channel>" not in str(view)


def test_home_and_its_dialogs_carry_the_version_that_they_show():
    """With it, nobody overwrites settings that they have not seen."""
    for view in (home_view(ADMIN), signal_channels_view(ACME, SOMEDAY), limits_view(ACME, 90)):
        assert seen_version(view) == 7


@pytest.mark.parametrize("metadata", [None, "", "{}", "[]", "7", "not json", '{"version": "7"}', '{"version": null}'])
def test_a_view_without_a_version_overwrites_nothing(metadata):
    """The version of unreadable metadata is -1, which no workspace has."""
    assert seen_version({"private_metadata": metadata}) == -1


def test_the_setup_comes_before_every_setting():
    """Each open step has the control that completes it, and the first one says how many job changes wait for it."""
    blocks = home_view(new_state())["blocks"]
    text = [json.dumps(block) for block in blocks]
    first = next(block for block in blocks if "Choose a default channel" in str(block))

    assert "0 of 5 steps done" in text[3]
    assert "1 job change is on hold until then" in first["text"]["text"]
    assert first["accessory"]["type"] == "conversations_select"
    controls = ["home_choose_channel", "salesforce_connect", "ownership_open", "home_how_to_send", "home_send_test"]
    shown = [next(place for place, line in enumerate(text) if control in line) for control in controls]
    assert shown == sorted(shown)
    assert shown[-1] < text.index(json.dumps({"type": "header", "text": {"type": "plain_text", "text": "Sources"}}))


def test_the_setup_is_the_one_of_the_welcome_message():
    """Home and the message show the same steps in the same state, until all of them are done."""
    steps = SetupSteps.CHANNEL | SetupSteps.SALESFORCE | SetupSteps.JOB_CHANGE
    overview = replace(QUIET_OVERVIEW, steps=steps)
    home = str(home_view(replace(ADMIN, overview=overview))["blocks"])
    message = notice_message(WELCOME, NoticeContext(ACME, steps)).text

    assert all(item.line in home and item.line in message for item in checklist(ACME, steps))
    assert [item.is_done for item in checklist(ACME, steps)] == [True, True, False, False, True]
    assert "Setup" not in str(home_view(ADMIN))
    assert notice_message(WELCOME, NoticeContext(ACME, ALL_STEPS)).is_final


def test_the_sections_of_an_admin_are_in_order():
    """What is assigned to them, what needs attention, then the settings, and their own preferences at the end."""
    state = admin_state("C1", "C2", ["U1"])
    headings = [block["text"]["text"] for block in home_view(state)["blocks"] if block["type"] == "header"]

    assert headings == [
        "Assigned to you",
        "Sources",
        "Routing",
        "Notification policy",
        "Limits and data",
        "Your preferences",
    ]


@pytest.mark.parametrize("control", ["home_choose_channel", "home_reminder_hours", "home_pace", "my_mutes"])
def test_a_change_is_confirmed_beside_its_control(control):
    """Whoever is far down in Home does not see the top."""
    blocks = home_view(admin_state("C1", "C2", ["U1"]), HomeNotice("Saved.", control))["blocks"]
    place = next(place for place, block in enumerate(blocks) if block.get("elements", [{}])[0].get("text") == "Saved.")

    assert blocks[place - 1]["accessory"]["action_id"] == control


@pytest.mark.parametrize("control", [None, "home_send_test"])
def test_a_change_whose_control_is_gone_is_confirmed_at_the_top(control):
    """A step of the setup disappears once it is done."""
    assert home_view(ADMIN, HomeNotice("Sent.", control))["blocks"][1]["text"]["text"] == "Sent."


def test_members_see_who_can_fix_a_missing_channel():
    """Their Home names the admins and has no buttons."""
    text = str(home_view(replace(MEMBER, workspace=replace(ACME, default_channel_id=None))))

    assert "until a workspace admin chooses one" in text
    assert "action_id" not in text


def test_members_see_who_is_notified_by_default():
    """Home lists the default owners, and says where a job change goes when there is none of them."""
    text = str(home_view(MEMBER))

    assert f"*Who is notified*\\n{who_is_notified(MEMBER.ownership)}" in text
    assert "is posted with the reason in the default channel, <#C1>." in text


@pytest.mark.parametrize(
    ("preferences", "text"),
    [
        ({"tell_dris": False}, "All job changes are posted in the default channel, <#C1>."),
        ({"channel_gets": "everything"}, "Every job change is also posted in the default channel, <#C1>."),
    ],
)
def test_members_see_what_is_posted_in_the_channel(preferences, text):
    """The sentence follows the preferences of the workspace."""
    assert text in str(home_view(replace(MEMBER, workspace=replace(ACME, **preferences))))


def test_rotating_a_key_in_use_asks_for_confirmation():
    """A key that does not exist yet is created at once."""
    *_, elements = (block for block in home_view(replace(ADMIN, keys=KEYS))["blocks"] if block["type"] == "actions")
    signing, bearer, revoke, _senders = elements["elements"]

    assert (signing["text"]["text"], "confirm" in signing) == ("Create signing secret", False)
    assert (bearer["text"]["text"], "confirm" in bearer) == ("Rotate API key", True)
    assert (revoke["text"]["text"], "confirm" in revoke) == ("Revoke API key", True)


def health_of(state: HomeState) -> list[tuple[str, str | None]]:
    """The text and the button of each block above the first divider or heading."""
    blocks = home_view(state)["blocks"][1:]
    above = blocks[: next(place for place, block in enumerate(blocks) if block["type"] in {"divider", "header"})]
    above = [block for block in above if "Last 30 days" not in str(block)]
    return [(block["text"]["text"], block.get("accessory", {}).get("text", {}).get("text")) for block in above]


def test_there_is_one_green_line_when_everything_works():
    """Without problems, Home begins with this line alone."""
    assert health_of(ADMIN) == [(EVERYTHING_WORKS, None)]


@pytest.mark.parametrize(
    ("changes", "problem", "button"),
    [
        (
            {"salesforce": replace(SALESFORCE, problem="the login was revoked")},
            "*Salesforce needs attention:*",
            "Connect again",
        ),
        (
            {"workspace": replace(ACME, default_channel_problem="it is archived")},
            "*The app cannot post in <#C1>:*",
            "Check again",
        ),
        (
            {"overview": replace(QUIET_OVERVIEW, status=replace(STATUS, failed=1))},
            "*1 job change could not be delivered.*",
            "Review",
        ),
        (
            {"outages": (outage(),)},
            "Calls to Slack have failed since",
            None,
        ),
        (
            {
                "overview": replace(
                    QUIET_OVERVIEW, status=replace(STATUS, salesforce=(HealthLine(Health.BAD, "Tasks: gone"),))
                )
            },
            "*The import from Salesforce has a problem:* Tasks: gone.",
            "Review",
        ),
    ],
)
def test_each_problem_comes_with_the_button_that_fixes_it(changes, problem, button):
    """The problem takes the place of the green line."""
    [(text, label)] = health_of(replace(ADMIN, **changes))

    assert problem in text
    assert label == button


def test_the_operators_salesforce_connection_has_a_button_to_try_again():
    """Admins fix it in Salesforce, so connecting again would not help."""
    connection = replace(SALESFORCE, flow="client_credentials", client_id=None, problem="the secret is wrong")
    [(text, label)] = health_of(replace(ADMIN, salesforce=connection))

    assert "the secret is wrong" in text
    assert label == "Try again"


def test_every_problem_is_shown():
    """One problem does not hide another."""
    assert len(health_of(trouble_state("C1", ["U1"]))) == 4


def test_keys_created_at_the_terminal_are_the_operators():
    """No Slack user created them, so the line names the operator."""
    home = str(home_view(replace(ADMIN, keys=(ListedKey("bearer", SOMEDAY, "operator", None),))))

    assert "API key: created" in home
    assert "by the operator" in home


def test_the_statistics_name_the_top_recipients():
    """In order, with their numbers."""
    recipients = [RecipientCount(f"U{place}", 214 // (place + 1)) for place in range(10)]

    assert "10. <@U9>: 21 messages" in str(statistics_view(Statistics(QUIET_DAYS, 0, recipients)))
    assert "No direct messages in the last 30 days." in str(statistics_view(Statistics(busy_days(), 0, ())))


# ---- the chart


def drawn(days) -> list[str]:
    [block] = chart(days)["elements"]
    return block["elements"][0]["text"].splitlines()


def test_the_chart_has_a_bar_for_each_week():
    """A bar shows what went to the DRI, to a channel, and failed; the largest week has the longest bar."""
    days = [*QUIET_DAYS[:-1], day(TODAY, 60, 30, 10)]

    lines = drawn(days)

    assert lines[-3] == f"16 Nov {'█' * 13}{'▒' * 7}xx    100"
    assert len(lines) == 5 + 2
    assert lines[0].split() == ["20", "Oct", "0"]


def test_small_counts_are_visible_in_the_chart():
    """One failed job change among a million gets a character, and the bar does not get longer."""
    assert drawn([*QUIET_DAYS[:-1], day(TODAY, failed=1)])[-3].split() == ["16", "Nov", "x", "1"]
    line = drawn([*QUIET_DAYS[:-1], day(TODAY, 1_000_000, 1, 1)])[-3]

    assert line == f"16 Nov {'█' * (LONGEST_BAR - 2)}▒x 1,000,002"


def test_no_line_of_the_chart_is_wider_than_a_phone():
    """A wider line would wrap and break the chart."""
    assert max(map(len, drawn(busy_days()))) <= 38


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (QUIET_DAYS, "No job changes in the last 30 days."),
        (
            [day(TODAY, 9, 1)],
            "9 sent to the DRI, 1 to a channel, 0 failed. A DRI was found for 90% of delivered job changes.",
        ),
        ([day(TODAY, 0, 0, 1, 2)], "0 sent to the DRI, 0 to a channel, 1 failed, 2 skipped by a rule."),
    ],
)
def test_the_summary_says_in_words_what_the_chart_shows(days, text):
    """Screen readers read the summary; it also has the share for which a DRI was found."""
    assert summary(days) == text


# ---- dialogs


@pytest.mark.parametrize(("value", "kept"), [("operator", None), ("14", 14)])
def test_chosen_limits_are_read_from_the_dialog(value, kept):
    """The operator's retention is stored as None."""
    chosen = {"posts_per_minute": "120", "salesforce_patience_minutes": "60", "retention_days": value}

    assert chosen_limits(Entered(chosen)) == {
        "posts_per_minute": 120,
        "salesforce_patience_minutes": 60,
        "retention_days": kept,
    }


def test_a_field_left_empty_has_its_default():
    """Slack's own clients cannot leave it empty, but no client causes an error."""
    states = {"posts_per_minute": {"posts_per_minute": {"type": "static_select", "selected_option": None}}}

    assert chosen_limits(LIMITS.read({"state": {"values": states}})) == {"posts_per_minute": 300}


def test_only_a_shorter_retention_is_offered():
    """The operator's retention is the upper limit and the default."""
    *_, retention = limits_view(replace(ACME, retention_days=90), 30)["blocks"]

    assert [option["text"]["text"] for option in retention["element"]["options"]] == [
        "30 days (set by the operator)",
        "7 days",
        "14 days",
    ]
    assert retention["element"]["initial_option"]["value"] == "operator"


def test_a_page_of_failed_job_changes_knows_where_the_next_begins():
    """The cursor is a time and an id, so nothing is skipped when some are retried in the meantime."""
    listed = [FailedJobChange(f"jc-{number}", None, "why", SOMEDAY - number) for number in range(PAGE_SIZE + 1)]
    view = failed_job_changes_view(listed, (SOMEDAY + 1, "jc-x"))
    start, more = view["blocks"][-1]["elements"]

    assert shown_after(view) == (SOMEDAY + 1, "jc-x")
    assert (start["text"]["text"], more["text"]["text"]) == ("First page", "Next")
    assert cursor_of(more["value"]) == (SOMEDAY - PAGE_SIZE + 1, f"jc-{PAGE_SIZE - 1}")
    assert shown_after(failed_job_changes_view(listed[:3], None)) is None
