"""Home as data: Slack takes it in every state, it says what there is to do, and members read nothing of admins'."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import pytest

from domain.day_counts import RecipientCount
from domain.delivery import FailedJobChange
from domain.intake_key import ListedKey
from domain.preferences import Pace
from listeners.dialogs.blocks import loading_view, message_view
from listeners.dialogs.home_tab import seen_version
from listeners.home.admin_dialogs_view import busiest_view, chosen_pace, pace_view, signals_view
from listeners.home.app_home_view import home_view
from listeners.home.day_count_chart import WIDE, picture, summary
from listeners.intake.keys_view import how_to_send_view, key_view
from listeners.status.failed_view import A_PAGE, burials_view, cursor_of, shown_after
from sandbox.slack.block_kit.blocks import check_view
from services.home.home_state import (
    HomeState,
    MemberHome,
    Overview,
    OwnershipState,
    RecentDeliveries,
    RecentDelivery,
    SalesforceIdentity,
)
from services.salesforce.health import Health, HealthLine
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import (
    ACME,
    ADMIN,
    MEMBER,
    QUIET,
    QUIET_OVERVIEW,
    SALESFORCE,
    STATUS,
    TODAY,
    URL,
    admin_state,
    busy_month,
    day,
    trouble_state,
)
from tests.services.messages.sample_job_changes import SAMPLES

LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20
KEYS = (ListedKey("bearer", SOMEDAY, "U1", None), ListedKey("bearer", SOMEDAY, "U1", SOMEDAY + 1))

# Slack's own limits of a Home: https://docs.slack.dev/surfaces/app-home
MOST_BLOCKS, MOST_BYTES = 100, 250 * 1_024

LONG = "W" * 255
FULL = MemberHome(
    user_id="U" + "A" * 20,
    lately=RecentDeliveries(
        tuple(RecentDelivery(each, SOMEDAY, "both", SAMPLES["new company"]) for each in range(5)), has_more=True
    ),
    muted=frozenset({"contact_tracking", "new_hires_promotions", "custom"}),
    known_as=tuple(SalesforceIdentity(f"{LONG}{each}@acme.example", LONG, "U" + "B" * 20) for each in range(10)),
    denied=tuple(f"{LONG}{each}@acme.example" for each in range(20)),
    shown_at=SOMEDAY,
)


def largest(*, is_admin: bool = True) -> HomeState:
    """Every list full, every name as long as can be, and all that can be wrong at once."""
    people = [f"U{'A' * 19}{each}" for each in range(10)]
    state = trouble_state("C" + "A" * 20, people)
    lines = tuple(HealthLine(Health.BAD, LIVE, SOMEDAY) for _ in range(10))
    status = replace(
        STATUS, salesforce=lines, failed=1_000_000, reported=1_000_000, silent={"Slack": 0, "Salesforce": 0}
    )
    month = tuple(day(each.number, 1_000_000, 900_000, 800_000, 700_000) for each in QUIET)
    readers = tuple(RecipientCount(user, 10_000_000) for user in people)
    return replace(
        state,
        is_admin=is_admin,
        workspace=replace(
            state.workspace,
            default_channel_problem=LIVE,
            signal_channels=dict.fromkeys(("contact_tracking", "new_hires_promotions", "custom"), "C" + "B" * 20),
            reminder_hours=4,
        ),
        salesforce=replace(SALESFORCE, org_name=LIVE, unreadable=LIVE),
        keys=KEYS * 50,
        waiting=10_000_000,
        overview=Overview(status, month, readers),
        ownership=OwnershipState(999, people[0], has_draft=True, unmatched=100),
        mine=FULL,
    )


@pytest.mark.parametrize(
    ("is_admin", "channel", "problem", "gets", "tell", "notice"),
    [
        (is_admin, channel, problem, gets, tell, notice)
        for is_admin, tell in product((True, False), repeat=2)
        for channel, problem, notice in product((None, "C1"), (None, LIVE), (None, "Saved."))
        for gets in ("unmatched", "everything")
    ],
)
def test_slack_takes_home_in_every_state(is_admin, channel, problem, gets, tell, notice):
    """Limits, element types and ids, as Slack checks them."""
    workspace = replace(
        ACME, default_channel_id=channel, default_channel_problem=problem, channel_gets=gets, tell_dris=tell
    )
    trouble = replace(SALESFORCE, problem=LIVE, org_name=LIVE)
    for salesforce, keys in product((None, SALESFORCE, trouble), ((), KEYS, KEYS * 10)):
        state = HomeState(workspace, is_admin, 1_234, salesforce, keys, URL, SOMEDAY, overview=QUIET_OVERVIEW)

        view = home_view(state, notice)

        assert check_view(view, "home") == []
        assert "<!channel>" not in str(view)


@pytest.mark.parametrize("is_admin", [True, False])
def test_the_home_of_the_largest_workspace_stays_within_slacks_limits(is_admin):
    """However much there is, the rest is behind a button; half of what Slack allows leaves room."""
    view = home_view(largest(is_admin=is_admin), LIVE.replace("<", "&lt;"))

    assert check_view(view, "home") == []
    assert len(view["blocks"]) <= MOST_BLOCKS / 2
    assert len(json.dumps(view).encode()) <= MOST_BYTES / 4


def test_members_read_nothing_that_is_for_admins():
    """Neither how others are doing nor a setting, whatever their state was read with."""
    told = json.dumps(home_view(largest(is_admin=False)))

    for words in ("last 30 days", "told most", "Settings", "API", "Salesforce (", "buried", "wrong data", "home_"):
        assert words not in told
    assert "https://usergems.example.com" not in told
    assert {reader.user_id for reader in largest().overview.busiest} & set(told.split('"')) == set()


@pytest.mark.parametrize(
    "view",
    [
        loading_view("Signing secret"),
        key_view("signing", "whsec_abc", URL),
        key_view("bearer", "ugk_abc", URL),
        message_view("API key"),
        how_to_send_view(URL),
        busiest_view([]),
        busiest_view([RecipientCount(f"U{each}", 1 + each) for each in range(10)]),
        signals_view(ACME, SOMEDAY),
        signals_view(largest().workspace, SOMEDAY, "Saved."),
        pace_view(ACME, 90),
        pace_view(replace(ACME, posts_per_minute=77, salesforce_patience_minutes=7, retention_days=14), 3650, "Saved."),
        pace_view(ACME, 1),
        burials_view([], None),
        burials_view([], (1, "jc"), "It is on its way again."),
        burials_view(
            [FailedJobChange(f"jc-{each}", None, LIVE, SOMEDAY) for each in range(A_PAGE + 1)], (1, "jc"), "Saved."
        ),
    ],
)
def test_slack_takes_every_dialog(view):
    """As above."""
    assert check_view(view, "modal") == []
    assert "<!channel>" not in str(view)


def test_home_says_which_version_it_showed():
    """That is how nobody overwrites what they have not seen; the dialogs do the same."""
    for view in (home_view(ADMIN), signals_view(ACME, SOMEDAY), pace_view(ACME, 90)):
        assert seen_version(view) == 7


@pytest.mark.parametrize("said", [None, "", "{}", "[]", "7", "not json", '{"version": "7"}', '{"version": null}'])
def test_a_home_that_does_not_say_has_seen_nothing(said):
    """Then nothing may be overwritten."""
    assert seen_version({"private_metadata": said}) == -1


def test_a_missing_channel_comes_before_everything_else():
    """What to do first is read first, with how much waits, and with what mends it."""
    first = home_view(replace(ADMIN, waiting=3, workspace=replace(ACME, default_channel_id=None)))["blocks"][1]

    assert "No default channel yet" in first["text"]["text"]
    assert "3 job changes are kept until then" in first["text"]["text"]
    assert first["accessory"]["type"] == "conversations_select"


def test_members_are_told_whom_to_ask():
    """They can read it and use nothing."""
    text = str(home_view(replace(MEMBER, workspace=replace(ACME, default_channel_id=None))))

    assert "Ask a workspace admin" in text
    assert "action_id" not in text


def test_members_read_who_is_told_by_default_to_the_last():
    """All four of the catch-all, and where the rest goes."""
    text = str(home_view(MEMBER))

    assert "contact in Salesforce, else of its account, else of the lead, else the person named by" in text
    assert "When nobody can be found, the default channel, <#C1>, reads it with the reason." in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tell_dris": False}, "They read it in the default channel, <#C1>, not in person."),
        ({"channel_gets": "everything"}, "In addition, the default channel, <#C1>, gets every job change."),
    ],
)
def test_members_read_where_the_rest_goes(changes, said):
    """As the workspace prefers it."""
    assert said in str(home_view(replace(MEMBER, workspace=replace(ACME, **changes))))


def test_rolling_a_key_in_use_is_confirmed_first():
    """One that does not exist yet is made at once."""
    *_, elements = (block for block in home_view(replace(ADMIN, keys=KEYS))["blocks"] if block["type"] == "actions")
    signing, bearer, _how = elements["elements"]

    assert (signing["text"]["text"], "confirm" in signing) == ("Make signing secret", False)
    assert (bearer["text"]["text"], "confirm" in bearer) == ("Roll API key", True)


def health_of(state: HomeState) -> list[tuple[str, str | None]]:
    """What stands above the first line: texts, each with its button."""
    blocks = home_view(state)["blocks"][1:]
    above = blocks[: next(place for place, block in enumerate(blocks) if block["type"] == "divider")]
    return [(block["text"]["text"], block.get("accessory", {}).get("text", {}).get("text")) for block in above]


def test_a_green_line_when_all_is_well():
    """And nothing else."""
    assert health_of(ADMIN) == [(":white_check_mark: All is well: job changes are delivered as they come in.", None)]


@pytest.mark.parametrize(
    ("changes", "said", "mends_it"),
    [
        (
            {"salesforce": replace(SALESFORCE, problem="the login was revoked")},
            "*Salesforce needs you:*",
            "Connect again",
        ),
        ({"salesforce": None}, "*Nothing sends job changes yet.*", "How to send"),
        (
            {"workspace": replace(ACME, default_channel_problem="it is archived")},
            "cannot be posted to:*",
            "Check again",
        ),
        (
            {"overview": replace(QUIET_OVERVIEW, status=replace(STATUS, failed=1))},
            "*One job change could not be delivered*",
            "Look and try again",
        ),
        (
            {"overview": replace(QUIET_OVERVIEW, status=replace(STATUS, silent={"Slack": SOMEDAY}))},
            "*Slack has not responded* since",
            None,
        ),
        (
            {
                "overview": replace(
                    QUIET_OVERVIEW, status=replace(STATUS, salesforce=(HealthLine(Health.BAD, "Tasks: gone"),))
                )
            },
            "*Job changes are not found in Salesforce:* Tasks: gone.",
            "Look at it",
        ),
    ],
)
def test_what_is_wrong_comes_with_the_button_that_mends_it(changes, said, mends_it):
    """In place of the green line."""
    [(text, label)] = health_of(replace(ADMIN, **changes))

    assert said in text
    assert label == mends_it


def test_a_connection_of_the_operators_is_tried_again():
    """Admins mend it in Salesforce, and not by connecting once more."""
    connection = replace(SALESFORCE, flow="client_credentials", client_id=None, problem="the secret is wrong")
    [(text, label)] = health_of(replace(ADMIN, salesforce=connection))

    assert "the secret is wrong" in text
    assert label == "Try again"


def test_everything_that_is_wrong_is_said():
    """One does not hide the other."""
    assert len(health_of(trouble_state("C1", ["U1"]))) == 4


def test_keys_made_at_the_terminal_are_the_operators():
    """No Slack user made those."""
    home = str(home_view(replace(ADMIN, keys=(ListedKey("bearer", SOMEDAY, "operator", None),))))

    assert "API key of" in home
    assert "made by the operator" in home


def test_three_are_named_and_ten_behind_a_button():
    """Home stays short."""
    few = replace(ADMIN, overview=replace(QUIET_OVERVIEW, busiest=(RecipientCount("U1", 9), RecipientCount("U2", 1))))
    home = str(home_view(few))
    assert "<@U1> 9 · <@U2> 1" in home
    assert "Show all" not in home

    many = admin_state("C1", "C2", [f"U{each}" for each in range(10)])
    assert "Show all" in str(home_view(many))
    assert "<@U9>" not in str(home_view(many))
    assert "10. <@U9>: 21 messages" in str(busiest_view(many.overview.busiest))


# ---- the picture


def drawn(month) -> list[str]:
    [block] = picture(month)["elements"]
    return block["elements"][0]["text"].splitlines()


def test_the_picture_has_a_bar_a_week_to_one_scale():
    """Sent to the DRI, to a channel, and buried; the longest bar is as wide as a bar can be."""
    month = [*QUIET[:-1], day(TODAY, 60, 30, 10)]

    lines = drawn(month)

    assert lines[-3] == f"16 Nov {'█' * 13}{'▒' * 7}xx    100"
    assert len(lines) == 5 + 2
    assert lines[0].split() == ["20", "Oct", "0"]


def test_what_is_not_nothing_can_be_seen_in_the_picture():
    """One buried among a million has its cell, and no bar is longer than it may be."""
    line = drawn([*QUIET[:-1], day(TODAY, 1_000_000, 1, 1)])[-3]

    assert line == f"16 Nov {'█' * (WIDE - 2)}▒x 1,000,002"


def test_no_line_of_the_picture_is_wider_than_a_phone():
    """Else it wraps there, and is no picture any more."""
    assert max(map(len, drawn(busy_month()))) <= 38


@pytest.mark.parametrize(
    ("month", "said"),
    [
        (QUIET, "No job change has been told in these 30 days yet."),
        ([day(TODAY, 9, 1)], "9 told to their DRI, 1 to a channel, 0 buried. A DRI was found for 90% of those told."),
        ([day(TODAY, 0, 0, 1, 2)], "0 told to their DRI, 0 to a channel, 1 buried, 2 told to nobody by a rule."),
    ],
)
def test_the_picture_is_said_in_words_too(month, said):
    """For who cannot see it, with the match rate."""
    assert summary(month) == said


# ---- dialogs


@pytest.mark.parametrize(("value", "kept"), [("operator", None), ("14", 14)])
def test_the_pace_that_was_chosen_is_read_back(value, kept):
    """By what the options are called."""
    entered = {"posts_per_minute": "120", "salesforce_patience_minutes": "60", "retention_days": value}

    assert chosen_pace(entered) == Pace(120, 60, kept)


def test_only_a_shorter_retention_is_offered():
    """The operator has the last word."""
    *_, kept = pace_view(replace(ACME, retention_days=90), 30)["blocks"]

    assert [option["text"]["text"] for option in kept["element"]["options"]] == [
        "30 days, as the operator set it",
        "7 days",
        "14 days",
    ]
    assert kept["element"]["initial_option"]["value"] == "operator"


def test_a_page_of_the_buried_says_where_the_next_begins():
    """By time and id, so that nothing is skipped when some are tried again meanwhile."""
    listed = [FailedJobChange(f"jc-{each}", None, "why", SOMEDAY - each) for each in range(A_PAGE + 1)]
    view = burials_view(listed, (SOMEDAY + 1, "jc-x"))
    start, more = view["blocks"][-1]["elements"]

    assert shown_after(view) == (SOMEDAY + 1, "jc-x")
    assert (start["text"]["text"], more["text"]["text"]) == ("From the start", "More")
    assert cursor_of(more["value"]) == (SOMEDAY - A_PAGE + 1, f"jc-{A_PAGE - 1}")
    assert shown_after(burials_view(listed[:3], None)) is None
