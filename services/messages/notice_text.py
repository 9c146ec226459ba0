"""What those who look after the app read in their direct messages, as things stand when it is read. Pure.

https://docs.slack.dev/reference/block-kit/block-elements/multi-select-menu-element
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from domain.notices import (
    DEFAULT_CHANNEL_BROKEN,
    NO_DEFAULT_CHANNEL,
    NOT_ME,
    NUDGE,
    SALESFORCE_BROKEN,
    SALESFORCE_CALLS_LOW,
    WELCOME,
    SetupSteps,
)
from domain.salesforce import ConnectionStatus
from domain.workspace import Workspace
from services.salesforce.health import CALLS_ARE_FINE
from services.slack.mrkdwn import escape

CHOOSE_CHANNEL = "notice_choose_channel"
CHECK_CHANNEL = "notice_check_channel"

Block = dict[str, Any]

_HOUR_MS = 60 * 60 * 1_000
_ALL_SET = "🎉 *All set.* Job changes are delivered as they come in."
_HINT = (
    "Choosing a channel posts a short note there; invite the app to a private channel first. Only admins and owners can"
    " choose, here or in the *Home* tab."
)


@dataclass(frozen=True)
class NoticeContext:
    """
    How a workspace stands. *salesforce* None: it is not connected.

    *denials*: owners, each with the Slack user who said that it is not them when the notice was made.
    """

    workspace: Workspace
    steps: SetupSteps
    salesforce: ConnectionStatus | None = None
    denials: tuple[tuple[str, str], ...] = ()

    @property
    def has_channel(self) -> bool:
        return self.workspace.default_channel_id is not None and self.workspace.default_channel_problem is None

    @property
    def is_all_done(self) -> bool:
        """All but what is optional."""
        return self.has_channel and self.steps.salesforce and self.steps.job_change


@dataclass(frozen=True)
class NoticeMessage:
    """A message. *is_over*: nothing will change in it any more."""

    text: str
    blocks: list[Block]
    is_over: bool

    @property
    def digest(self) -> str:
        """The same for the same message, and for no other one."""
        return sha256(repr(self).encode()).hexdigest()


def notice_message(kind: str, standing: NoticeContext) -> NoticeMessage:
    """What a notice of this kind says now; one that is over need not be begun."""
    return _SAYS[kind](standing)


def next_update_at(kind: str, made_at: int, now: int) -> int | None:
    """When a message that is not over is looked at again; None: it stays as it is, or is too old to be followed."""
    age = now - made_at
    if kind in _TOLD_ONCE or age > 60 * 24 * _HOUR_MS:
        return None
    if kind == WELCOME and age < _HOUR_MS:  # somebody is at it, and watches
        return now + 5_000
    return now + (60_000 if age < 24 * _HOUR_MS else _HOUR_MS)


def _welcome(standing: NoticeContext) -> NoticeMessage:
    title = _ALL_SET if standing.is_all_done else "👋 *The app is installed.* Here is what is done, and what is left:"
    lines = list(_steps(standing))
    blocks = [_section(title), _section("\n".join(lines)), *_picker(standing)]
    return NoticeMessage("\n".join([title, *lines]), blocks, standing.is_all_done)


def _steps(standing: NoticeContext) -> Iterator[str]:
    steps, workspace = standing.steps, standing.workspace
    home = "in the *Home* tab"
    yield "✅ The app is added to Slack"
    if standing.has_channel:
        yield f"✅ Default channel: <#{workspace.default_channel_id}>"
    elif workspace.default_channel_id:
        yield f"⚠️ Default channel: <#{workspace.default_channel_id}> cannot be posted to"
    else:
        yield "⬜ *Choose a default channel*: it gets the job changes that no DRI is found for"
    done = [
        (steps.salesforce, "Salesforce is connected", f"*Connect Salesforce* {home}, so that owners can be looked up"),
        (steps.job_change, "The first job change came in", f"*Send the first job change*: see *How to send* {home}"),
    ]
    yield from (f"✅ {told}" if is_done else f"⬜ {asked}" for is_done, told, asked in done)
    optional = f"say who is responsible under *Ownership (DRIs)* {home}; until then it is the record's owner"
    yield "✅ Ownership rules are published" if steps.rules else f"▫️ Optional: {optional}"


def _nudge(standing: NoticeContext) -> NoticeMessage:
    if standing.is_all_done:
        return NoticeMessage(_ALL_SET, [_section(_ALL_SET)], is_over=True)
    title = "The app was installed yesterday. What is left to do:"
    lines = [line for line in _steps(standing) if line.startswith(("⬜", "⚠️"))]
    blocks = [_section(title), _section("\n".join(lines)), *_picker(standing)]
    return NoticeMessage("\n".join([title, *lines]), blocks, is_over=False)


def _broken(standing: NoticeContext) -> NoticeMessage:
    workspace = standing.workspace
    channel = f"<#{workspace.default_channel_id}>"
    if not workspace.default_channel_problem:
        text = f"✅ *Fixed.* Job changes that no DRI is found for go to {channel}, and what was kept goes there now."
        return NoticeMessage(text, [_section(text)], is_over=True)
    why = escape(workspace.default_channel_problem, 300)
    text = (
        f"⚠️ *The default channel {channel} cannot be posted to*: {why}.\nNothing is lost: what belongs there is kept,"
        " and sent once this is fixed. Fix the channel and check it again, or choose another one."
    )
    return NoticeMessage(text, [_section(text), *_picker(standing)], is_over=False)


def _missing(standing: NoticeContext) -> NoticeMessage:
    if standing.workspace.default_channel_id:
        text = f"✅ The default channel is <#{standing.workspace.default_channel_id}>. What was kept goes there now."
        return NoticeMessage(text, [_section(text)], is_over=True)
    text = (
        "⚠️ *Job changes wait for a default channel*: no DRI was found for them. Nothing is lost: choose a default"
        " channel, and they are posted there."
    )
    return NoticeMessage(text, [_section(text), *_picker(standing)], is_over=False)


def _salesforce_broken(standing: NoticeContext) -> NoticeMessage:
    problem = standing.salesforce.problem if standing.salesforce else None
    if not problem:
        return _plainly("✅ Salesforce can be asked again.", is_over=True)
    return _plainly(
        f"Salesforce needs an admin: {escape(problem, 300)}. Job changes wait for a while, and then go to the default"
        " channel. Open the *Home* tab of this app to connect Salesforce again."
    )


def _calls_low(standing: NoticeContext) -> NoticeMessage:
    known = standing.salesforce
    used, limit = (known.api_used or 0, known.api_limit or 0) if known else (0, 0)
    if used <= limit * CALLS_ARE_FINE:
        return _plainly("✅ Of the API calls that Salesforce allows your org enough are left again.", is_over=True)
    return _plainly(
        f"{used:,} of the {limit:,} API calls that Salesforce allows your org in 24 hours are used up, by all apps"
        " together. At the limit job changes wait. The *Home* tab of this app says how many are ours."
    )


def _not_me(standing: NoticeContext) -> NoticeMessage:
    if not standing.denials:
        return _plainly("They are that owner in Salesforce after all, they say.", is_over=True)
    told = (
        f"<@{user_id}> is not `{escape(owner, 200)}` in Salesforce, they say, so they are not told in that owner's"
        " place any more. Link the right person in the *Home* tab of this app, under Ownership (DRIs), Unmatched"
        " people; until then the next one in the rules is told, or the channel."
        for owner, user_id in standing.denials
    )
    return _plainly("\n".join(told))


_SAYS: Mapping[str, Callable[[NoticeContext], NoticeMessage]] = {
    WELCOME: _welcome,
    NUDGE: _nudge,
    NO_DEFAULT_CHANNEL: _missing,
    DEFAULT_CHANNEL_BROKEN: _broken,
    SALESFORCE_BROKEN: _salesforce_broken,
    SALESFORCE_CALLS_LOW: _calls_low,
    NOT_ME: _not_me,
}
_TOLD_ONCE = {SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW, NOT_ME}


def _plainly(text: str, *, is_over: bool = False) -> NoticeMessage:
    return NoticeMessage(text, [_section(text)], is_over)


def _picker(standing: NoticeContext) -> list[Block]:
    """How to choose a channel right here, while there is none that can be posted to."""
    if standing.has_channel:
        return []
    elements: list[Block] = [
        {
            "type": "conversations_select",
            "action_id": CHOOSE_CHANNEL,
            "placeholder": _plain("Choose a channel"),
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
        }
    ]
    if standing.workspace.default_channel_problem:
        elements.append({"type": "button", "action_id": CHECK_CHANNEL, "text": _plain("Check again")})
    return [
        {"type": "actions", "elements": elements},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": _HINT}]},
    ]


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
