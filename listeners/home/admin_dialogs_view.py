"""The dialogs behind admins' Home: who is told most, channels of signals, and pace and retention. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from domain.day_counts import MOST_POSTS_COUNTED, RecipientCount
from domain.job_change.parts import Signal
from domain.preferences import PATIENCE_MINUTES, POSTS_PER_MINUTE, RETENTION_DAYS, Pace
from domain.workspace import Workspace
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from services.home.mutables import SIGNALS

SIGNAL_CHANNELS, SIGNALS_TITLE = "home_signal_channels", "Channels by signal"
OWN, NO_OWN = "signal_channel_", "signal_default_"
"""The action_ids of the pickers and the buttons in that dialog, with the signal behind them."""

PACE, PACE_TITLE = "home_pace", "Pace and retention"
BUSIEST_TITLE = "Who is told most"

POSTS, PATIENCE, RETENTION = "posts_per_minute", "salesforce_patience_minutes", "retention_days"
AS_THE_OPERATOR = "operator"

_Choices = Mapping[int | str, str]


def busiest_view(busiest: Sequence[RecipientCount]) -> View:
    """Who was told most in the last 30 days, the first one first."""
    lines = [f"{place}. <@{reader.user_id}>: {_messages(reader)}" for place, reader in enumerate(busiest, 1)]
    hint = f"Direct messages of the last 30 days, at most the latest {MOST_POSTS_COUNTED:,} in this workspace."
    return modal(BUSIEST_TITLE, [section("\n".join(lines) or "Nobody has got a direct message yet."), context(hint)])


def signal_line(workspace: Workspace) -> str:
    """Which signals have a channel of their own."""
    own = [f"{name}: <#{channel}>" for name, channel in _own(workspace).items()]
    return " · ".join(own) if own else "Every signal uses the default channel."


def signals_view(workspace: Workspace, shown_at: int, note: str | None = None) -> View:
    """
    Each choice is stored at once. *note*: what came of what was just done, in mrkdwn.

    *shown_at*, in milliseconds, makes new block ids: with the old ones Slack keeps showing what was picked.
    """
    intro = (
        "Job changes without a DRI go to the default channel, or to the channel chosen here for their signal. If the"
        " app cannot post there, the default channel gets them after all."
    )
    blocks = [
        *([section(note)] if note else []),
        section(intro),
        *[block for signal in Signal for block in _signal(signal, workspace, shown_at)],
        context("Choosing a channel posts a short note there. Invite the app to a private channel first."),
    ]
    return modal(SIGNALS_TITLE, blocks) | {"private_metadata": _seen(workspace)}


def signal_of(action_id: str) -> Signal:
    """Whose picker, or whose button, was used."""
    return Signal(action_id.removeprefix(OWN).removeprefix(NO_OWN))


def pace_line(workspace: Workspace, retention_days: int) -> str:
    """*retention_days*: the operator's."""
    kept = min(workspace.retention_days or retention_days, retention_days)
    return (
        f"Up to {workspace.posts_per_minute:,} messages a minute. Waits"
        f" {_minutes(workspace.salesforce_patience_minutes)} for Salesforce. Keeps who changed jobs for {_days(kept)}."
    )


def pace_view(workspace: Workspace, retention_days: int, note: str | None = None) -> View:
    """*retention_days*: the operator's, who has the last word; only what is shorter is offered."""
    posts: _Choices = {each: f"{each:,} a minute" for each in sorted({*POSTS_PER_MINUTE, workspace.posts_per_minute})}
    patience: _Choices = {
        each: _minutes(each) for each in sorted({*PATIENCE_MINUTES, workspace.salesforce_patience_minutes})
    }
    kept: dict[int | str, str] = {AS_THE_OPERATOR: f"{_days(retention_days)}, as the operator set it"}
    kept |= {each: _days(each) for each in RETENTION_DAYS if each < retention_days}
    chosen = workspace.retention_days if workspace.retention_days in kept else AS_THE_OPERATOR
    blocks = [
        *([section(note)] if note else []),
        _choice(POSTS, "Messages to this workspace", posts, workspace.posts_per_minute, _POSTS_HINT),
        _choice(PATIENCE, "Wait for Salesforce", patience, workspace.salesforce_patience_minutes, _PATIENCE_HINT),
        _choice(RETENTION, "Keep who changed jobs", kept, chosen, _RETENTION_HINT),
    ]
    return _form(PACE_TITLE, PACE, workspace, blocks)


def chosen_pace(values: Mapping[str, str]) -> Pace:
    """From what the options are called, by field. Raises ValueError."""
    kept = values[RETENTION]
    return Pace(int(values[POSTS]), int(values[PATIENCE]), None if kept == AS_THE_OPERATOR else int(kept))


_POSTS_HINT = "Slack allows several hundred a minute. Fewer leave room for other apps; what exceeds it waits its turn."
_PATIENCE_HINT = "If Salesforce is silent for longer, job changes go to the channel and say so."
_RETENTION_HINT = "Counted from the day it was told. Then names, jobs and reasons are erased; counts stay."


def _own(workspace: Workspace) -> dict[str, str]:
    channels = workspace.signal_channels
    return {name: channels[signal] for signal, name in SIGNALS.items() if signal in channels}


def _signal(signal: Signal, workspace: Workspace, shown_at: int) -> Iterator[Block]:
    """What is chosen stands in the text: Slack shows no picker of a channel that its reader cannot see."""
    channel = workspace.signal_channels.get(signal)
    picker: Block = {
        "type": "conversations_select",
        "action_id": f"{OWN}{signal}",
        "placeholder": plain("Choose a channel"),
        "filter": {"include": ["public", "private"]},
    }
    text = f"*{SIGNALS[signal]}*\n{f'<#{channel}>' if channel else 'The default channel'}"
    yield section(text, picker, f"{signal}-{shown_at}")
    if channel:
        yield {"type": "actions", "elements": [button("Use the default channel", f"{NO_OWN}{signal}")]}


def _choice(name: str, label: str, choices: _Choices, chosen: object, hint: str) -> Block:
    options = {str(value): {"text": plain(text), "value": str(value)} for value, text in choices.items()}
    select = {
        "type": "static_select",
        "action_id": name,
        "options": list(options.values()),
        "initial_option": options[str(chosen)],
    }
    return {"type": "input", "block_id": name, "label": plain(label), "element": select, "hint": plain(hint)}


def _form(title: str, callback_id: str, workspace: Workspace, blocks: list[Block]) -> View:
    form = {"callback_id": callback_id, "submit": plain("Save"), "close": plain("Cancel")}
    return modal(title, blocks) | form | {"private_metadata": _seen(workspace)}


def _seen(workspace: Workspace) -> str:
    return json.dumps({"version": workspace.version})


def _messages(reader: RecipientCount) -> str:
    return "1 message" if reader.messages == 1 else f"{reader.messages:,} messages"


def _minutes(minutes: int) -> str:
    if minutes % 1_440 == 0:
        return "a day" if minutes == 1_440 else f"{minutes // 1_440} days"
    if minutes % 60 == 0:
        return "an hour" if minutes == 60 else f"{minutes // 60} hours"
    return f"{minutes} minutes"


def _days(days: int) -> str:
    return "a day" if days == 1 else f"{days} days"
