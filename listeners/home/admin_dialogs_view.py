"""The dialogs behind the admins' Home: statistics, channels by signal, and limits and data. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from domain.day_counts import MOST_POSTS_COUNTED, counted
from domain.job_change.parts import Signal
from domain.preferences import DAILY_CALLS, PATIENCE, POSTS_PER_MINUTE, RETENTION, Value
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, View, actions, button, context, divider, modal, noted, plain, section
from listeners.dialogs.form import Choice, Entered, Form
from listeners.home.day_count_chart import chart, summary
from listeners.ownership.rule_list_view import SCORECARD
from services.home.home_state import Statistics
from services.home.mute_options import SIGNALS

STATISTICS_TITLE = "Statistics"

CHANGE_SIGNAL_CHANNELS, SIGNALS_TITLE = "home_signal_channels", "Channels by signal"
PICK_CHANNEL, USE_DEFAULT_CHANNEL = "signal_channel_", "signal_default_"
"""The action_ids of the pickers and the buttons in that dialog; the signal follows."""

CHANGE_LIMITS = "home_pace"
_LIMITS = [(row, Choice.of(row)) for row in (POSTS_PER_MINUTE, PATIENCE, DAILY_CALLS, RETENTION)]
LIMITS = Form(CHANGE_LIMITS, "Limits and data", "Save", [field for _, field in _LIMITS])

CHANNEL_HINT = "The app posts a short note in the channel you choose. Invite it to private channels first."


def statistics_view(statistics: Statistics) -> View:
    """The figures of the last 30 days."""
    lines = [
        f"{place}. <@{recipient.user_id}>: {counted(recipient.messages, 'message')}"
        for place, recipient in enumerate(statistics.top_recipients, 1)
    ]
    hint = f"Direct messages of the last 30 days, from the workspace's latest {MOST_POSTS_COUNTED:,} messages."
    reported = f"🚩 {counted(statistics.reported, 'report')} of wrong data in the last 30 days."
    recipients = section("\n".join(["*Top recipients*", *(lines or ["No direct messages in the last 30 days."])]))
    has_counts = any(any(day.ended.values()) for day in statistics.day_counts)
    rules = "*Rules*\nWhich ownership rules lead to action, and which are ignored."
    return modal(
        STATISTICS_TITLE,
        [
            section(f"*Last 30 days, by week*\n{summary(statistics.day_counts)}"),
            *([chart(statistics.day_counts)] if has_counts else []),
            *([context(reported)] if statistics.reported else []),
            *([divider(), recipients] if has_counts or lines else []),
            *([context(hint)] if lines else []),
            divider(),
            section(rules, button("Scorecard…", SCORECARD)),
        ],
    )


def signal_channels_view(workspace: Workspace, shown_at: int, note: str | None = None) -> View:
    """
    Each choice is stored at once. `note` is the result of the last one, in mrkdwn.

    `shown_at`, in milliseconds, makes new block ids: with the old ones, Slack would keep showing what was picked.
    """
    intro = (
        "Job changes without a DRI go to the default channel, or to the channel chosen here for their signal. If the"
        " app cannot post there, they go to the default channel."
    )
    blocks = [block for signal in Signal for block in _signal_blocks(signal, workspace, shown_at)]
    seen = {"version": workspace.version}
    return modal(SIGNALS_TITLE, [*noted(note), section(intro), *blocks, context(CHANNEL_HINT)], seen)


def limits_view(workspace: Workspace, retention_days: int, note: str | None = None) -> View:
    """`retention_days` is the operator's upper limit. Only this limit and shorter times are offered."""
    blocks = noted(note)
    for row, field in _LIMITS:
        current = getattr(workspace, row.name)
        choices = row.choices(current)
        if row is RETENTION:
            choices = {text: label for text, label in choices.items() if text.isdigit() and int(text) < retention_days}
            choices = {row.text_of(None): f"{counted(retention_days, 'day')} (set by the operator)", **choices}
        selected = row.text_of(current)
        if selected not in choices:
            selected = row.text_of(row.default)
        blocks.append(replace(field, choices=choices).block(selected))
    return LIMITS.view(blocks, {"version": workspace.version})


def chosen_limits(entered: Entered) -> dict[str, Value]:
    """The values that were chosen, by the names of the preferences, of the fields that the dialog had."""
    return {row.name: row.parse(entered[field]) for row, field in _LIMITS if field in entered}


def _signal_blocks(signal: Signal, workspace: Workspace, shown_at: int) -> Iterator[Block]:
    """The text names the chosen channel, because Slack's picker cannot show one that its reader cannot see."""
    channel = workspace.signal_channels.get(signal)
    picker: Block = {
        "type": "conversations_select",
        "action_id": f"{PICK_CHANNEL}{signal}",
        "placeholder": plain("Choose a channel"),
        "filter": {"include": ["public", "private"]},
    }
    text = f"*{SIGNALS[signal]}*\n{f'<#{channel}>' if channel else 'Default channel'}"
    yield section(text, picker, f"{signal}-{shown_at}")
    if channel:
        yield from actions(button("Use the default channel", f"{USE_DEFAULT_CHANNEL}{signal}"))
