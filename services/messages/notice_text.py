"""Notices to the people who administer the app, worded for the current state of the workspace. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from domain.day_counts import DAY_MS
from domain.messages.card_buttons import LONGEST_LABEL
from domain.messages.notices import (
    ALL_STEPS,
    CARD_BUTTONS_REFUSED,
    DEFAULT_CHANNEL_BROKEN,
    NO_DEFAULT_CHANNEL,
    NOT_ME,
    NUDGE,
    SALESFORCE_BROKEN,
    SALESFORCE_CALLS_LOW,
    SLACK_TOKEN_ENDS,
    WEBHOOK_OFF,
    WELCOME,
    SetupSteps,
    checklist,
)
from domain.salesforce import ConnectionStatus
from domain.workspace import Workspace
from services.messages.wording import slack_time
from services.salesforce.health import CALLS_ARE_FINE
from services.slack.mrkdwn import code, escape, link

CHOOSE_CHANNEL = "notice_choose_channel"
CHECK_CHANNEL = "notice_check_channel"

Block = dict[str, Any]

_HOUR_MS = 60 * 60 * 1_000
_FOLLOWED_MS = 60 * DAY_MS
_ALL_SET = "🎉 *All set.* Job changes are delivered as they arrive."
_WHERE = "Complete the other steps in the *Home* tab of this app. This message is updated as you do."
_HINT = (
    "The app posts a short note in the channel you choose. Invite it to a private channel first. Only admins and owners"
    " can choose a channel, here or in the *Home* tab."
)


@dataclass(frozen=True)
class Denial:
    """A Slack user's report that a Salesforce owner is not their account. `name` is the owner's, if it is known."""

    owner: str
    name: str | None
    user_id: str

    @property
    def owner_text(self) -> str:
        """The owner in mrkdwn."""
        address = f"`{code(self.owner, 200)}`"
        return f"{escape(self.name, 80)} ({address})" if self.name else address


@dataclass(frozen=True)
class NoticeContext:
    """
    The state of a workspace. `salesforce` None means that it is not connected. `install_url` is where an admin adds the
    app to Slack. `webhook_off_because` None means that the outgoing webhook is not switched off.

    `denials` are those that had been made when the notice was created.
    """

    workspace: Workspace
    steps: SetupSteps
    salesforce: ConnectionStatus | None = None
    denials: tuple[Denial, ...] = ()
    install_url: str = ""
    webhook_off_because: str | None = None

    @property
    def is_set_up(self) -> bool:
        return ALL_STEPS in self.steps


@dataclass(frozen=True)
class NoticeMessage:
    """The message of a notice. A final message is never updated again."""

    text: str
    blocks: list[Block]
    is_final: bool = False

    @property
    def digest(self) -> str:
        """A hash that is the same for equal messages."""
        return sha256(repr(self).encode()).hexdigest()


def notice_message(kind: str, context: NoticeContext) -> NoticeMessage:
    """The current message of a notice. One that is final before it was sent need not be sent."""
    return _MESSAGES[kind](context)


def next_update_at(kind: str, made_at: int, now: int) -> int | None:
    """
    When to update a message that is not final, even if no setup step has been done.

    None means never, because of its kind or its age.
    """
    age = now - made_at
    return None if kind in _SENT_ONCE or age > _FOLLOWED_MS else now + _HOUR_MS


def _welcome(context: NoticeContext) -> NoticeMessage:
    title = _ALL_SET if context.is_set_up else "👋 *The app is installed.* These are the setup steps:"
    lines = ["✅ App added to Slack", *(item.line for item in checklist(context.workspace, context.steps))]
    blocks = [_section(title), _section("\n".join(lines)), *_picker(context), *_where(context)]
    return NoticeMessage("\n".join([title, *lines]), blocks, context.is_set_up)


def _nudge(context: NoticeContext) -> NoticeMessage:
    if context.is_set_up:
        return NoticeMessage(_ALL_SET, [_section(_ALL_SET)], is_final=True)
    title = "You installed the app yesterday. These steps are left:"
    lines = [item.line for item in checklist(context.workspace, context.steps) if not item.is_done]
    blocks = [_section(title), _section("\n".join(lines)), *_picker(context), *_where(context)]
    return NoticeMessage("\n".join([title, *lines]), blocks)


def _channel_broken(context: NoticeContext) -> NoticeMessage:
    workspace = context.workspace
    channel = f"<#{workspace.default_channel_id}>"
    if not workspace.default_channel_problem:
        return _text_only(
            f"✅ *Fixed.* Job changes without a DRI, and those that waited, go to {channel}.", is_final=True
        )
    problem = escape(workspace.default_channel_problem, 300)
    text = (
        f"⚠️ *The app cannot post in the default channel {channel}*: {problem}.\nNothing is lost: job changes for this"
        " channel are sent once this is fixed. Fix the channel and check it again, or choose another channel."
    )
    return NoticeMessage(text, [_section(text), *_picker(context)])


def _channel_missing(context: NoticeContext) -> NoticeMessage:
    if context.workspace.default_channel_id:
        channel = f"<#{context.workspace.default_channel_id}>"
        text = f"✅ The default channel is {channel}. The job changes that waited are posted there."
        return _text_only(text, is_final=True)
    text = (
        "⚠️ *Job changes are waiting for a default channel*, because no DRI was found for them. Nothing is lost:"
        " choose a default channel, and they are posted there."
    )
    return NoticeMessage(text, [_section(text), *_picker(context)])


def _salesforce_broken(context: NoticeContext) -> NoticeMessage:
    problem = context.salesforce.problem if context.salesforce else None
    if not problem:
        return _text_only("✅ *Fixed.* The Salesforce connection works again.", is_final=True)
    return _text_only(
        f"⚠️ *Salesforce needs an admin*: {escape(problem, 300)}. Job changes wait for a while and then go to the"
        " default channel. Open the *Home* tab of this app and choose *Connect again*."
    )


def _calls_low(context: NoticeContext) -> NoticeMessage:
    connection = context.salesforce
    used, limit = (connection.api_used or 0, connection.api_limit or 0) if connection else (0, 0)
    if used <= limit * CALLS_ARE_FINE:
        return _text_only("✅ Your Salesforce org has enough API calls left again.", is_final=True)
    return _text_only(
        f"⚠️ *Your Salesforce org is running out of API calls*: {used:,} of {limit:,} were used in 24 hours, by all apps"
        " together. At the limit, job changes have to wait. The *Home* tab of this app shows how many calls it made."
    )


def _token_ends(context: NoticeContext) -> NoticeMessage:
    ends_at = context.workspace.token_ends_at
    if ends_at is None:
        return _text_only("✅ *Fixed.* Slack renews the app's token again.", is_final=True)
    return _text_only(f"⚠️ {token_ends_text(ends_at, context.install_url)}")


def token_ends_text(ends_at: int, install_url: str) -> str:
    """What an admin has to know and do when Slack no longer renews the app's token, in mrkdwn."""
    add = link(install_url, "Add the app to Slack again") or "Add the app to Slack again"
    return (
        f"*Slack no longer renews the app's access to this workspace*, which ends {slack_time(ends_at)}. From then on"
        f" nothing is posted, and Home and buttons do not respond. {add}. Nothing is lost: job changes wait until then."
    )


def _webhook_off(context: NoticeContext) -> NoticeMessage:
    if context.webhook_off_because is None:
        return _text_only("✅ *Fixed.* The outgoing webhook is on again.", is_final=True)
    return _text_only(
        f"⚠️ *The outgoing webhook is switched off*: {escape(context.webhook_off_because, 300)}. Messages in Slack are"
        " not affected. Events that happen while it is off are not sent to it. Open *Outgoing webhook* in the *Home*"
        " tab of this app."
    )


def _card_buttons_refused(context: NoticeContext) -> NoticeMessage:
    problem = context.workspace.card_buttons_problem
    if not problem:
        return _text_only("✅ *Fixed.* The buttons on cards were saved again.", is_final=True)
    names = ", ".join(
        f"“{escape(button.label, LONGEST_LABEL)}”" for button in context.workspace.card_buttons if button.is_workflow
    )
    return _text_only(
        f"⚠️ *Slack does not accept a workflow button on cards* ({names}): {escape(problem, 300)}. Perhaps its workflow"
        " was deleted or unpublished, or does not allow one of the inputs. Messages are sent without it. Open *Buttons"
        " on cards* in the *Home* tab of this app, and save a link that works."
    )


def _not_me(context: NoticeContext) -> NoticeMessage:
    if not context.denials:
        return _text_only("The report was withdrawn: the Salesforce account is theirs.", is_final=True)
    lines = (
        f"<@{denial.user_id}> reported that the Salesforce owner {denial.owner_text} is not their account, so they are"
        " no longer notified for it. Link the right person in the *Home* tab of this app, under *Ownership (DRIs)*,"
        " *Unmatched owners*. Until then, job changes go to the next person in the rules or to the channel."
        for denial in context.denials
    )
    return _text_only("\n".join(lines))


_MESSAGES: Mapping[str, Callable[[NoticeContext], NoticeMessage]] = {
    WELCOME: _welcome,
    NUDGE: _nudge,
    NO_DEFAULT_CHANNEL: _channel_missing,
    DEFAULT_CHANNEL_BROKEN: _channel_broken,
    SALESFORCE_BROKEN: _salesforce_broken,
    SALESFORCE_CALLS_LOW: _calls_low,
    SLACK_TOKEN_ENDS: _token_ends,
    WEBHOOK_OFF: _webhook_off,
    CARD_BUTTONS_REFUSED: _card_buttons_refused,
    NOT_ME: _not_me,
}
_SENT_ONCE = {SALESFORCE_BROKEN, SALESFORCE_CALLS_LOW, WEBHOOK_OFF, CARD_BUTTONS_REFUSED, NOT_ME}


def _text_only(text: str, *, is_final: bool = False) -> NoticeMessage:
    return NoticeMessage(text, [_section(text)], is_final)


def _picker(context: NoticeContext) -> list[Block]:
    """Lets the reader choose a default channel, unless there is one that works."""
    if SetupSteps.CHANNEL in context.steps:
        return []
    elements: list[Block] = [
        {
            "type": "conversations_select",
            "action_id": CHOOSE_CHANNEL,
            "placeholder": _plain("Choose a channel"),
            "filter": {"include": ["public", "private"], "exclude_bot_users": True},
        }
    ]
    if context.workspace.default_channel_problem:
        elements.append({"type": "button", "action_id": CHECK_CHANNEL, "text": _plain("Check again")})
    return [
        {"type": "actions", "elements": elements},
        _context(_HINT),
    ]


def _where(context: NoticeContext) -> list[Block]:
    return [] if context.is_set_up else [_context(_WHERE)]


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}
