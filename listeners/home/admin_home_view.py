"""What Home shows to admins alone: how the month went, and every setting, a line and its button each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from domain.audit import OPERATOR
from domain.intake_key import ListedKey
from listeners.dialogs.blocks import Block, button, context, header, plain, section, select
from listeners.home.admin_dialogs_view import PACE, SIGNAL_CHANNELS, pace_line, signal_line
from listeners.home.health_view import channel_picker, fresh
from listeners.home.member_home_view import mute_limits_blocks
from listeners.home.month_chart import picture, summary
from listeners.home.reminders_view import reminder_blocks
from listeners.intake.keys_view import HOW_TO_SEND, KEY_NAMES, KEY_TITLES, MAKE_KEY
from listeners.ownership.home_view import ownership_blocks, unmatched_line
from listeners.ownership.rule_list_view import PEOPLE
from listeners.salesforce.settings_view import salesforce_blocks
from services.home.home_state import HomeState, Overview
from services.messages.wording import slack_time

CHANNEL_GETS = "home_channel_gets"
TELL_DRIS = "home_tell_dris"
BUSIEST = "home_busiest"

_GETS = {"unmatched": "Those without a DRI", "everything": "Every job change"}
_TELL = {"yes": "Yes, in a direct message", "no": "No, only in the channel"}
_MOST_NAMED = 3
_MOST_KEYS = 8
_DIVIDER: Block = {"type": "divider"}


def overview_blocks(state: HomeState) -> Iterator[Block]:
    """How it goes."""
    overview = state.overview
    if overview is None:
        return
    yield section(f"*The last 30 days, by week*\n{summary(overview.month)}")
    yield picture(overview.month)
    if reported := overview.status.reported:
        who = "One report" if reported == 1 else f"{reported:,} reports"
        yield context(f"🚩 {who} of wrong data in these days, from people who were told.")
    yield section(f"*Who is told most*\n{_most(overview)}", _all(overview))
    unmatched = button("Match people", PEOPLE)
    yield section(f"*People not found in Slack*\n{unmatched_line(state.ownership)}", unmatched, "unmatched")
    yield _DIVIDER


def settings_blocks(state: HomeState) -> Iterator[Block]:
    """Everything that an admin may choose."""
    yield header("Settings")
    yield from _channels(state)
    yield from reminder_blocks(state.workspace, state.shown_at)
    if state.mine:
        yield from mute_limits_blocks(state.mine.unmutable)
    yield _DIVIDER
    yield from salesforce_blocks(state)
    yield _DIVIDER
    yield from ownership_blocks(state)
    yield _DIVIDER
    yield from _sending(state)
    yield _DIVIDER
    pace = f"*Pace and retention*\n{pace_line(state.workspace, state.retention_days)}"
    yield section(pace, button("Change…", PACE), "pace")


def _most(overview: Overview) -> str:
    named = [f"<@{reader.user_id}> {reader.messages:,}" for reader in overview.busiest[:_MOST_NAMED]]
    return " · ".join(named) if named else "Nobody got a direct message in these days."


def _all(overview: Overview) -> Block | None:
    return button("Show all", BUSIEST) if len(overview.busiest) > _MOST_NAMED else None


def _channels(state: HomeState) -> Iterator[Block]:
    workspace = state.workspace
    if workspace.default_channel_id:  # else it is the first thing that Home asks for
        text = f"*Default channel*: <#{workspace.default_channel_id}>"
        yield section(text, channel_picker(workspace), fresh("channel", state))
        yield context("Choosing a channel posts a short note there. Invite the app to a private channel first.")
    told = "yes" if workspace.tell_dris else "no"
    yield section("*Tell DRIs directly?*", select(TELL_DRIS, _TELL, told), fresh("tell", state))
    if workspace.tell_dris:  # else the channel gets everything, there is nothing to choose
        gets = select(CHANNEL_GETS, _GETS, workspace.channel_gets)
        yield section("*What the channel gets*", gets, fresh("gets", state))
    own = f"*Channels by signal*\n{signal_line(workspace)}"
    yield section(own, button("Change…", SIGNAL_CHANNELS), "signals")


def _sending(state: HomeState) -> Iterator[Block]:
    yield section(f"*Sending job changes*\nPost them to `{state.intake_url}`, signed with a secret or with an API key.")
    buttons = [_key_button(kind, state) for kind in KEY_NAMES]
    yield {"type": "actions", "elements": [*buttons, button("How to send", HOW_TO_SEND)]}
    if known := "\n".join(_known(key) for key in state.keys[:_MOST_KEYS]):
        yield context(known)


def _known(key: ListedKey) -> str:
    maker = "the operator" if key.made_by == OPERATOR else f"<@{key.made_by}>"
    until = f", good until {slack_time(key.expires_at)}" if key.expires_at else ""
    return f"{KEY_TITLES[key.kind]} of {slack_time(key.made_at)}, made by {maker}{until}"


def _key_button(kind: str, state: HomeState) -> Block:
    name = KEY_NAMES[kind]
    in_force = any(key.kind == kind and key.expires_at is None for key in state.keys)
    made = button(f"{'Roll' if in_force else 'Make'} {name}", f"{MAKE_KEY}_{kind}", kind)
    if not in_force:
        return made
    confirm = {
        "title": plain(f"Roll the {name}?"),
        "text": plain("You get a new one, shown once. The one in use still works for 24 hours."),
        "confirm": plain("Roll it"),
        "deny": plain("Keep it"),
    }
    return made | {"confirm": confirm}
