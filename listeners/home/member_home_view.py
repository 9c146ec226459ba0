"""My Home: what everybody reads of themselves in the Home tab, and the limits that admins set to muting. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import accumulate

from listeners.dialogs.blocks import LONGEST_SECTION, Block, button, context, header, section
from listeners.home.my_home_words import away, come, mute_list, reading, told_line
from services.home.home_state import MemberHome, RecentDelivery, SalesforceIdentity
from services.home.mutables import labels
from services.messages.wording import slack_time
from services.slack.mrkdwn import escape

LATELY, READING, MUTES = "my_lately", "my_reading", "my_mutes"
AWAY, BACK, NOT_ME = "my_away", "my_back", "my_not_me"
LIMITS = "home_mute_limits"
"""The action_ids of the buttons that open the dialogs, see listeners/home/member_dialogs.py."""


def my_blocks(mine: MemberHome) -> list[Block]:
    """At most 16 blocks."""
    return [
        header("For you"),
        *_waiting(mine),
        *_lately(mine),
        section(f"*How you are told*\n{reading(mine.hours)}", button("Change…", READING)),
        section(f"*Muted*\n{mute_list(mine.muted, mine.unmutable)}", button("Change…", MUTES)),
        _away(mine),
        section(f"*How Salesforce knows you*\n{_known_as(mine)}", _not_me(mine)),
    ]


def mute_limits_blocks(unmutable: Collection[str]) -> list[Block]:
    """For the Home of an admin: what nobody may mute."""
    text = ", ".join(labels(unmutable)) or "Everybody may mute whatever they want."
    return [section(f"*What nobody may mute*\n{text}", button("Change…", LIMITS))]


def told_block(told: RecentDelivery, user_id: str, accessory: Block | None = None) -> Block:
    """One line of what came to them, and one of what has become of it."""
    text = f"{told_line(told)}\n{come(told, user_id)} · {slack_time(told.at)}"
    block = section(text, accessory)
    return block | {"text": block["text"] | {"verbatim": True}}


def _waiting(mine: MemberHome) -> Iterator[Block]:
    waiting = mine.waiting
    if not waiting.count or waiting.since is None:
        return
    many = "One job change waits" if waiting.count == 1 else f"{waiting.count:,} job changes wait"
    if waiting.held_until is None:
        yield context(f"📨 {many} for you and will be with you in a moment.")
        return
    why = mine.hours.hold_reason(waiting.since, mine.shown_at)
    yield context(f"🌙 {many} for you, kept until {slack_time(waiting.held_until)}: your {why}.")


def _lately(mine: MemberHome) -> Iterator[Block]:
    if not mine.lately.told:
        yield section("*Lately*\nNothing came to you in the last two weeks.")
        return
    yield section("*Lately*", button("Show all…", LATELY) if mine.lately.has_more else None)
    yield from (told_block(told, mine.user_id) for told in mine.lately.told)


def _away(mine: MemberHome) -> Block:
    text = f"*Out of office*\n{away(mine.absence, mine.hours, mine.shown_at)}"
    return section(text, button("I am back", BACK) if mine.absence else button("Set…", AWAY))


def _known_as(mine: MemberHome) -> str:
    known = [f"• {_owner(each)}" for each in mine.known_as]
    denied = [f"• not as `{escape(owner, 120)}`, as you said" for owner in mine.denied]
    lines = [*(known or ["You have not been matched to any owner there yet."]), *denied]
    lengths = accumulate(len(line) + 1 for line in lines)
    return "\n".join(line for line, length in zip(lines, lengths, strict=True) if length < LONGEST_SECTION)


def _owner(known: SalesforceIdentity) -> str:
    owner = f"`{escape(known.owner, 120)}`"
    who = f"{escape(known.name, 60)}, {owner}" if known.name else owner
    return f"{who}, as <@{known.linked_by}> said" if known.linked_by else f"{who}, matched by this address"


def _not_me(mine: MemberHome) -> Block | None:
    return button("That's not me…", NOT_ME) if mine.known_as or mine.denied else None
