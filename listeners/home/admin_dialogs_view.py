"""The dialogs behind the admins' Home: top recipients, channels by signal, and limits and data. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from domain.day_counts import MOST_POSTS_COUNTED, RecipientCount
from domain.job_change.parts import Signal
from domain.preferences import PATIENCE_MINUTES, POSTS_PER_MINUTE, RETENTION_DAYS, WorkspaceLimits
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from services.home.mute_options import SIGNALS

TOP_RECIPIENTS_TITLE = "Top recipients"

CHANGE_SIGNAL_CHANNELS, SIGNALS_TITLE = "home_signal_channels", "Channels by signal"
PICK_CHANNEL, USE_DEFAULT_CHANNEL = "signal_channel_", "signal_default_"
"""The action_ids of the pickers and the buttons in that dialog; the signal follows."""

CHANGE_LIMITS, LIMITS_TITLE = "home_pace", "Limits and data"
POSTS, PATIENCE, RETENTION = "posts_per_minute", "salesforce_patience_minutes", "retention_days"
AS_THE_OPERATOR = "operator"

CHANNEL_HINT = "The app posts a short note in the channel you choose. Invite it to private channels first."

_POSTS_HINT = "Slack allows several hundred a minute. A lower limit leaves room for other apps; messages above it wait."
_PATIENCE_HINT = "If Salesforce does not respond in time, job changes are sent without its data, and messages say so."
_RETENTION_HINT = "Counted from the day of delivery. After that, names, jobs and reasons are erased; counts are kept."

_Choices = Mapping[int | str, str]


def top_recipients_view(recipients: Sequence[RecipientCount]) -> View:
    """`recipients` are sorted by their number of messages, highest first."""
    lines = [
        f"{place}. <@{recipient.user_id}>: {_count(recipient.messages, 'message')}"
        for place, recipient in enumerate(recipients, 1)
    ]
    hint = f"Direct messages of the last 30 days, from the workspace's latest {MOST_POSTS_COUNTED:,} messages."
    return modal(TOP_RECIPIENTS_TITLE, [section("\n".join(lines) or "No direct messages yet."), context(hint)])


def signal_channels_line(workspace: Workspace) -> str:
    """The signals that have a channel of their own."""
    channels = workspace.signal_channels
    own = [f"{label}: <#{channels[signal]}>" for signal, label in SIGNALS.items() if signal in channels]
    return " · ".join(own) if own else "All signals use the default channel."


def signal_channels_view(workspace: Workspace, shown_at: int, note: str | None = None) -> View:
    """
    Each choice is stored at once. `note` is the result of the last one, in mrkdwn.

    `shown_at`, in milliseconds, makes new block ids: with the old ones, Slack would keep showing what was picked.
    """
    intro = (
        "Job changes without a DRI go to the default channel, or to the channel chosen here for their signal. If the"
        " app cannot post there, they go to the default channel."
    )
    blocks = [
        *([section(note)] if note else []),
        section(intro),
        *[block for signal in Signal for block in _signal_blocks(signal, workspace, shown_at)],
        context(CHANNEL_HINT),
    ]
    return modal(SIGNALS_TITLE, blocks) | {"private_metadata": _seen(workspace)}


def signal_of(action_id: str) -> Signal:
    """The signal whose picker or button was used."""
    return Signal(action_id.removeprefix(PICK_CHANNEL).removeprefix(USE_DEFAULT_CHANNEL))


def limits_line(workspace: Workspace, retention_days: int) -> str:
    """`retention_days` is the operator's upper limit."""
    kept = min(workspace.retention_days or retention_days, retention_days)
    return (
        f"Up to {workspace.posts_per_minute:,} messages a minute."
        f" Waits up to {_duration(workspace.salesforce_patience_minutes)} for Salesforce."
        f" Keeps personal data for {_count(kept, 'day')}."
    )


def limits_view(workspace: Workspace, retention_days: int, note: str | None = None) -> View:
    """`retention_days` is the operator's upper limit. Apart from it, only shorter times are offered."""
    posts: _Choices = {count: f"{count:,}" for count in sorted({*POSTS_PER_MINUTE, workspace.posts_per_minute})}
    patience: _Choices = {
        minutes: _duration(minutes) for minutes in sorted({*PATIENCE_MINUTES, workspace.salesforce_patience_minutes})
    }
    retention: dict[int | str, str] = {AS_THE_OPERATOR: f"{_count(retention_days, 'day')} (set by the operator)"}
    retention |= {days: _count(days, "day") for days in RETENTION_DAYS if days < retention_days}
    kept = workspace.retention_days if workspace.retention_days in retention else AS_THE_OPERATOR
    blocks = [
        *([section(note)] if note else []),
        _choice(POSTS, "Messages per minute", posts, workspace.posts_per_minute, _POSTS_HINT),
        _choice(PATIENCE, "Wait for Salesforce", patience, workspace.salesforce_patience_minutes, _PATIENCE_HINT),
        _choice(RETENTION, "Keep personal data for", retention, kept, _RETENTION_HINT),
    ]
    form = {"callback_id": CHANGE_LIMITS, "submit": plain("Save"), "close": plain("Cancel")}
    return modal(LIMITS_TITLE, blocks) | form | {"private_metadata": _seen(workspace)}


def chosen_limits(values: Mapping[str, str]) -> WorkspaceLimits:
    """From the values of the chosen options, by field. Raises ValueError."""
    retention = values[RETENTION]
    days = None if retention == AS_THE_OPERATOR else int(retention)
    return WorkspaceLimits(int(values[POSTS]), int(values[PATIENCE]), days)


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
        yield {"type": "actions", "elements": [button("Use the default channel", f"{USE_DEFAULT_CHANNEL}{signal}")]}


def _choice(name: str, label: str, choices: _Choices, chosen: object, hint: str) -> Block:
    options = {str(value): {"text": plain(text), "value": str(value)} for value, text in choices.items()}
    select = {
        "type": "static_select",
        "action_id": name,
        "options": list(options.values()),
        "initial_option": options[str(chosen)],
    }
    return {"type": "input", "block_id": name, "label": plain(label), "element": select, "hint": plain(hint)}


def _seen(workspace: Workspace) -> str:
    return json.dumps({"version": workspace.version})


def _duration(minutes: int) -> str:
    if minutes % 1_440 == 0:
        return _count(minutes // 1_440, "day")
    return _count(minutes // 60, "hour") if minutes % 60 == 0 else _count(minutes, "minute")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
