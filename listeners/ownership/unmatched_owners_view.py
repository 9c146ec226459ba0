"""The dialog of unmatched owners: matching them to Slack members, what they missed, and settings. Pure."""

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

UNMATCHED_TITLE = "Unmatched owners"
LINK, UNLINK, SEND, DISMISS = "ownership_link", "ownership_unlink", "ownership_tell", "ownership_forget"
PEOPLE_FROM, MATCHING = "ownership_people_from", "ownership_matching"
EMAIL_FIELD, ALIASES, SLACK_ID_FIELD = "email_field", "alias_domains", "slack_id_field"
"""The block_ids of the settings, which are their names in LinkResult."""

A_PAGE = 15
"""Owners on a page: a view holds 100 blocks, including the linked owners."""

LINKS = 20
LONGEST_ALIASES = 3_000
"""https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element"""


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
    blocks = [
        *([section(page.note)] if page.note else []),
        section(
            "No Slack member has the email address of these Salesforce owners, so their job changes were sent to a"
            " channel. Match them to Slack members: new job changes are then sent to them, and you can send them what"
            " they missed."
        ),
        *[block for owner in owners for block in _owner(owner)],
        *([] if owners else [context("All owners are matched to Slack members.")]),
        *_pager(page, owners),
        {"type": "divider"},
        *_links(page.links),
        section("*For all owners*"),
        *_matching(page.matching),
    ]
    return modal(UNMATCHED_TITLE, blocks) | {
        "callback_id": MATCHING,
        "submit": plain("Save"),
        "private_metadata": json.dumps({"after": page.after}),
    }


def shown_after(view: View) -> str:
    """The last owner of the page before."""
    return str(json.loads(view["private_metadata"])["after"])


def block_of(owner: str) -> str:
    """The block_id of an owner. An email address can be too long for one."""
    return f"owner-{hashlib.sha256(owner.encode()).hexdigest()[:16]}"


def alias_lines(aliases: Mapping[str, str]) -> str:
    """The alias domains as text, without spaces if it is long: everything must fit, or saving would lose the rest."""
    pairs = sorted(aliases.items())
    wide = "\n".join(f"{domain} = {alias}" for domain, alias in pairs)
    return wide if len(wide) <= LONGEST_ALIASES else "\n".join(f"{domain}={alias}" for domain, alias in pairs)


def read_aliases(text: str) -> dict[str, str] | str:
    """The alias domains, or an error about the text."""
    aliases: dict[str, str] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        domain, equals, alias = (part.strip() for part in line.partition("="))
        if not (domain and equals and alias):
            return f"Line {number}: enter two domains, such as acme.com = acme.io."
        aliases[domain] = alias
    return aliases


def _owner(owner: UnmatchedOwner) -> list[Block]:
    name = escape(owner.name, 120)
    if owner.name.lower() != owner.owner:
        name += f" ({escape(owner.owner, 120)})"
    missed = "1 job change was" if owner.waiting == 1 else f"{owner.waiting:,} job changes were"
    picker = {"type": "users_select", "action_id": LINK, "placeholder": plain("Choose a person")}
    history = f"{missed} sent to a channel instead, most recently {slack_time(owner.last_seen_at)}"
    text = f"*{name}*\n{escape(owner.problem, 200)} · {history}"
    return [section(text, picker, block_of(owner.owner))]


def _missed(owner: str, waiting: int) -> list[Block]:
    missed = "1 job change that was" if waiting == 1 else f"{waiting:,} job changes that were"
    send = button("Send them now", SEND, owner) | {"style": "primary"}
    return [
        context(f"They missed {missed} sent to a channel instead."),
        {"type": "actions", "elements": [send, button("Dismiss", DISMISS, owner)]},
    ]


def _pager(page: UnmatchedOwnersPage, owners: Sequence[UnmatchedOwner]) -> list[Block]:
    turns = [button("First page", f"{PEOPLE_FROM}_start", "-")] if page.after else []
    if len(page.unmatched) > len(owners):
        turns.append(button("Next page", f"{PEOPLE_FROM}_more", owners[-1].owner))
    return [{"type": "actions", "elements": turns}] if turns else []


def _links(links: Sequence[tuple[OwnerLink, int]]) -> list[Block]:
    """The linked owners. Those who missed job changes come first."""
    if not links:
        return []
    blocks = [section("*Linked owners*")]
    for link, waiting in sorted(links, key=lambda row: -row[1])[:LINKS]:
        text = f"{escape(link.owner, 120)} → {mention(link.user_id)}, linked by {mention(link.linked_by)}"
        blocks.append(section(text, button("Unlink", UNLINK, link.owner), f"link-{block_of(link.owner)}"))
        blocks += _missed(link.owner, waiting) if waiting else []
    if len(links) > LINKS:
        blocks.append(context(f"And {len(links) - LINKS:,} more."))
    return blocks


def _matching(matching: OwnerMatching) -> list[Block]:
    field = {"type": "plain_text_input", "action_id": EMAIL_FIELD, "max_length": 80}
    slack_id = {"type": "plain_text_input", "action_id": SLACK_ID_FIELD, "max_length": 80}
    aliases = {"type": "plain_text_input", "action_id": ALIASES, "multiline": True, "max_length": LONGEST_ALIASES}
    typed = alias_lines(matching.alias_domains)[:LONGEST_ALIASES]
    return [
        _input(
            SLACK_ID_FIELD,
            "Slack user ID field of the Salesforce User",
            slack_id | ({"initial_value": matching.slack_id_field} if matching.slack_id_field else {}),
            "Checked before the email address, such as Slack_User_ID__c.",
        ),
        _input(
            EMAIL_FIELD,
            "Another email field of the Salesforce User",
            field | ({"initial_value": matching.email_field} if matching.email_field else {}),
            "Checked in addition to Email, such as Slack_Email__c.",
        ),
        _input(
            ALIASES,
            "Alias domains",
            aliases | ({"initial_value": typed} if typed else {}),
            "One pair per line, Salesforce = Slack: acme.com = acme.io",
        ),
    ]


def _input(name: str, label: str, element: Block, hint: str) -> Block:
    named = {"type": "input", "block_id": name, "label": plain(label), "hint": plain(hint)}
    return named | {"element": element, "optional": True}
