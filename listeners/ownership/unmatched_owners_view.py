"""The dialog of unmatched owners: matching them to Slack members, what they missed, and settings. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.day_counts import counted
from domain.people import OwnerLink, OwnerMatching, UnmatchedOwner
from listeners.dialogs.blocks import (
    Block,
    View,
    actions,
    button,
    confirm,
    context,
    data_of,
    divider,
    noted,
    plain,
    section,
)
from listeners.dialogs.form import LONGEST_TEXT, Form, ParsedText, Text
from listeners.dialogs.mentions import mention
from services.messages.wording import slack_time
from services.slack.mrkdwn import escape

LINK, UNLINK, SEND, DISMISS = "ownership_link", "ownership_unlink", "ownership_tell", "ownership_forget"
PEOPLE_FROM = "ownership_people_from"

_UNLINK = confirm(
    "Unlink this owner?",
    "Their job changes go to the next person in the rules, or to a channel.",
    "Unlink",
    style="danger",
)

A_PAGE = 15
"""Owners on a page: a view holds 100 blocks, including the linked owners."""

LINKS = 20


def read_aliases(text: str) -> dict[str, str]:
    """The alias domains. Raises ValueError with a sentence about the text."""
    aliases: dict[str, str] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        domain, equals, alias = (part.strip() for part in line.partition("="))
        if not (domain and equals and alias):
            raise ValueError(f"Line {number}: enter two domains, such as acme.com = acme.io.")
        aliases[domain] = alias
    return aliases


EMAIL_FIELD = Text(
    "email_field",
    "Another email field of the Salesforce User",
    hint="Checked in addition to Email, such as Slack_Email__c.",
    longest=80,
    optional=True,
)
SLACK_ID_FIELD = Text(
    "slack_id_field",
    "Slack user ID field of the Salesforce User",
    hint="Checked before the email address, such as Slack_User_ID__c.",
    longest=80,
    optional=True,
)
ALIASES = ParsedText(
    "alias_domains",
    "Alias domains",
    read=read_aliases,
    hint="One pair per line, Salesforce = Slack: acme.com = acme.io",
    multiline=True,
    optional=True,
)
MATCHING = Form("ownership_matching", "Unmatched owners", "Save", (SLACK_ID_FIELD, EMAIL_FIELD, ALIASES), close="Close")


@dataclass(frozen=True)
class UnmatchedOwnersPage:
    """
    The content of a page.

    `unmatched` are the owners after the owner `after`. `links` has each link with the number of job changes that can
    still be sent to its owner. `note` is the result of the last change.
    """

    unmatched: Sequence[UnmatchedOwner]
    links: Sequence[tuple[OwnerLink, int]]
    matching: OwnerMatching
    after: str = ""
    note: str | None = None


def unmatched_owners_view(page: UnmatchedOwnersPage) -> View:
    """A page of unmatched owners, with the linked owners below."""
    owners = page.unmatched[:A_PAGE]
    intro = (
        "No Slack member has the email address of these Salesforce owners, so their job changes were sent to a channel."
        " Match them to Slack members: new job changes are then sent to them, and you can send them what they missed."
    )
    none = "No unmatched owners. Salesforce owners whose email address belongs to no Slack member are listed here."
    turns = [button("First page", f"{PEOPLE_FROM}_start", "-")] if page.after else []
    if len(page.unmatched) > len(owners):
        turns.append(button("Next page", f"{PEOPLE_FROM}_more", owners[-1].owner))
    blocks = [
        *noted(page.note),
        section(intro if owners else none),
        *map(_owner, owners),
        *actions(*turns),
        divider(),
        *_links(page.links),
        section("*For all owners*"),
        SLACK_ID_FIELD.block(page.matching.slack_id_field),
        EMAIL_FIELD.block(page.matching.email_field),
        ALIASES.block(alias_lines(page.matching.alias_domains)),
    ]
    return MATCHING.view(blocks, {"after": page.after})


def shown_after(view: View) -> str:
    """The last owner of the page before."""
    return str(data_of(view)["after"])


def block_of(owner: str) -> str:
    """The block_id of an owner. An email address can be too long for one."""
    return f"owner-{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def alias_lines(aliases: Mapping[str, str]) -> str:
    """The alias domains as text, without spaces if it is long: everything must fit, or saving would lose the rest."""
    pairs = sorted(aliases.items())
    wide = "\n".join(f"{domain} = {alias}" for domain, alias in pairs)
    return wide if len(wide) <= LONGEST_TEXT else "\n".join(f"{domain}={alias}" for domain, alias in pairs)


def _owner(owner: UnmatchedOwner) -> Block:
    missed = f"{counted(owner.waiting, 'job change')} {'was' if owner.waiting == 1 else 'were'}"
    picker = {"type": "users_select", "action_id": LINK, "placeholder": plain("Choose a person")}
    history = f"{missed} sent to a channel instead, most recently {slack_time(owner.last_seen_at)}"
    text = f"*{_named(owner.owner, owner.name)}*\n{escape(owner.problem, 200)} · {history}"
    return section(text, picker, block_of(owner.owner))


def _named(owner: str, name: str | None) -> str:
    """The owner with their name in Salesforce, if it is known. Otherwise it may be the owner itself."""
    is_known = name and name.lower() != owner
    return f"{escape(name or '', 120)} ({escape(owner, 120)})" if is_known else escape(owner, 120)


def _links(links: Sequence[tuple[OwnerLink, int]]) -> list[Block]:
    """The linked owners. Those who missed job changes come first."""
    if not links:
        return []
    blocks = [section("*Linked owners*")]
    for link, waiting in sorted(links, key=lambda row: -row[1])[:LINKS]:
        text = f"{_named(link.owner, link.name)} → {mention(link.user_id)}, linked by {mention(link.linked_by)}"
        blocks.append(
            section(text, button("Unlink", UNLINK, link.owner, confirm=_UNLINK), f"link-{block_of(link.owner)}")
        )
        if waiting:
            missed = f"{counted(waiting, 'job change')} that {'was' if waiting == 1 else 'were'}"
            send = button("Send them now", SEND, link.owner, style="primary")
            blocks.append(context(f"They missed {missed} sent to a channel instead."))
            blocks += actions(send, button("Dismiss", DISMISS, link.owner))
    if len(links) > LINKS:
        blocks.append(context(f"And {len(links) - LINKS:,} more."))
    return blocks
