"""The page of owners whom Slack does not know: who they are, what they missed, how all are matched. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.people import OwnerLink, OwnerMatching, UnmatchedOwner
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.mentions import mention
from services.messages.wording import slack_time
from services.slack.mrkdwn import escape

PEOPLE_TITLE = "Unmatched owners"
LINK, UNLINK, TELL, FORGET = "ownership_link", "ownership_unlink", "ownership_tell", "ownership_forget"
PEOPLE_FROM, MATCHING = "ownership_people_from", "ownership_matching"
EMAIL_FIELD, ALIASES = "email_field", "alias_domains"

A_PAGE = 15
"""Owners; with those linked, a view holds 100 blocks."""

LINKS = 20
LONGEST_ALIASES = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""


@dataclass(frozen=True)
class People:
    """
    All that the page shows. *unmatched*: from the one after *after* on; *note*: what came of what was just done.

    *links*: each with how many job changes could be told to them after all.
    """

    unmatched: Sequence[UnmatchedOwner]
    links: Sequence[tuple[OwnerLink, int]]
    how: OwnerMatching
    after: str = ""
    note: str | None = None


def people_view(people: People) -> View:
    """A page of owners, with those linked by hand below."""
    some = people.unmatched[:A_PAGE]
    blocks = [
        *([section(people.note)] if people.note else []),
        section(
            "Salesforce owners whose e-mail address nobody in Slack has, so a channel got their job changes. Say who"
            " they are in Slack: from then on they are told, and you can send them what they missed."
        ),
        *[block for owner in some for block in _owner(owner)],
        *([] if some else [context("There is nobody here: every owner so far was found in Slack.")]),
        *_pager(people, some),
        {"type": "divider"},
        *_links(people.links),
        section("*For all owners*"),
        *_matching(people.how),
    ]
    return modal(PEOPLE_TITLE, blocks) | {
        "callback_id": MATCHING,
        "submit": plain("Save for all"),
        "private_metadata": json.dumps({"after": people.after}),
    }


def shown_after(view: View) -> str:
    """From which owner on the page was shown."""
    return str(json.loads(view["private_metadata"])["after"])


def block_of(owner: str) -> str:
    """An e-mail address may be longer than a block_id."""
    return f"owner-{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def alias_lines(aliases: Mapping[str, str]) -> str:
    """As wide as fits: all that was entered has to be seen, or saving would drop what is not."""
    pairs = sorted(aliases.items())
    wide = "\n".join(f"{one} = {other}" for one, other in pairs)
    return wide if len(wide) <= LONGEST_ALIASES else "\n".join(f"{one}={other}" for one, other in pairs)


def read_aliases(text: str) -> dict[str, str] | str:
    """What was typed, or what is wrong with it."""
    found: dict[str, str] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        one, equals, other = (part.strip() for part in line.partition("="))
        if not (one and equals and other):
            return f"Line {number}: write two domains, such as acme.com = acme.io."
        found[one] = other
    return found


def _owner(owner: UnmatchedOwner) -> list[Block]:
    who = escape(owner.name, 120)
    if owner.name.lower() != owner.owner:
        who += f" ({escape(owner.owner, 120)})"
    some = "a job change" if owner.waiting == 1 else f"{owner.waiting:,} job changes"
    picker = {"type": "users_select", "action_id": LINK, "placeholder": plain("Who is it?")}
    read = f"a channel got {some} in their place, last {slack_time(owner.last_seen_at)}"
    text = f"*{who}*\n{escape(owner.problem, 200)} · {read}"
    return [section(text, picker, block_of(owner.owner))]


def _offer(owner: str, waiting: int) -> list[Block]:
    what = "a job change that went" if waiting == 1 else f"{waiting:,} job changes that went"
    tell = button("Tell them now", TELL, owner) | {"style": "primary"}
    return [
        context(f"They missed {what} to a channel in their place."),
        {"type": "actions", "elements": [tell, button("No, forget those", FORGET, owner)]},
    ]


def _pager(people: People, some: Sequence[UnmatchedOwner]) -> list[Block]:
    turns = [button("From the start", f"{PEOPLE_FROM}_start", "-")] if people.after else []
    if len(people.unmatched) > len(some):
        turns.append(button("More", f"{PEOPLE_FROM}_more", some[-1].owner))
    return [{"type": "actions", "elements": turns}] if turns else []


def _links(links: Sequence[tuple[OwnerLink, int]]) -> list[Block]:
    """Those first who can be told something after all."""
    if not links:
        return []
    blocks = [section("*Linked by hand*")]
    for link, waiting in sorted(links, key=lambda each: -each[1])[:LINKS]:
        text = f"{escape(link.owner, 120)} is {mention(link.user_id)}, says {mention(link.linked_by)}"
        blocks.append(section(text, button("Unlink", UNLINK, link.owner), f"link-{block_of(link.owner)}"))
        blocks += _offer(link.owner, waiting) if waiting else []
    if len(links) > LINKS:
        blocks.append(context(f"And {len(links) - LINKS:,} more."))
    return blocks


def _matching(how: OwnerMatching) -> list[Block]:
    field = {"type": "plain_text_input", "action_id": EMAIL_FIELD, "max_length": 80}
    aliases = {"type": "plain_text_input", "action_id": ALIASES, "multiline": True, "max_length": LONGEST_ALIASES}
    typed = alias_lines(how.alias_domains)[:LONGEST_ALIASES]
    return [
        _input(
            EMAIL_FIELD,
            "Another e-mail field on the Salesforce User",
            field | ({"initial_value": how.email_field} if how.email_field else {}),
            "Checked in addition to Email, such as Slack_Email__c.",
        ),
        _input(
            ALIASES,
            "Domains that are the same company",
            aliases | ({"initial_value": typed} if typed else {}),
            "One pair per line, Salesforce's first: acme.com = acme.io",
        ),
    ]


def _input(name: str, label: str, element: Block, hint: str) -> Block:
    named = {"type": "input", "block_id": name, "label": plain(label), "hint": plain(hint)}
    return named | {"element": element, "optional": True}
