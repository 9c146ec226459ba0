"""How a job change reads in Slack: one card, or several bundled into one message. Pure.

Read in two seconds on a phone: who moved where, from where, what that means, why you, what came of it; then one line of
buttons. The words are those of services/messages/wording.py, the limits those of
https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from domain.job_change.model import JobChange
from domain.states import Role
from services.messages.available_actions import AvailableActions, MessageAction
from services.messages.wording import Side, background, headline, meaning, sentence
from services.slack.mrkdwn import bold, escape, link, web_address

MOST_CARDS = 10
"""Job changes in one message. More do not read as a list any more."""

LONGEST_EDIT = 4_000
"""Characters of the text of a message that is changed: https://docs.slack.dev/reference/methods/chat.update"""

ACTION = "delivery_"
"""The action_id of a button, with its verb behind it; its value is the delivery's id."""

MENU = "delivery_menu"
"""The action_id of the three dots; the value of an option is its verb, a colon, and the delivery's id."""


Block = dict[str, Any]

_REASON = 400  # characters that are read
_NO_ACTIONS = AvailableActions((), ())
_BUNDLES: dict[frozenset[Role], str] = {
    frozenset({Role.DRI}): "{count} job changes for you",
    frozenset({Role.FALLBACK}): "{count} job changes without a DRI",
    frozenset({Role.COPY}): "{count} job changes, told to their DRIs",
}
_TEST = "Test message: sample data, nobody changed jobs."


@dataclass(frozen=True)
class Card:
    """
    One job change for one destination.

    *reason*: the sentence that says why it is read here; foreign names may stand in it, unescaped.
    *contact_url*: the person's record in Salesforce, which may be a lead.
    *side*: the side whose owner is told; None: what the change type suggests.
    *notes*: what came of it, in mrkdwn of ours. *offers*: what its reader may do about it.
    """

    job_change: JobChange
    reason: str
    role: Role
    delivery_id: int
    contact_url: str | None
    account_url: str | None
    is_test: bool = False
    side: Side | None = None
    notes: tuple[str, ...] = ()
    actions: AvailableActions = _NO_ACTIONS


@dataclass(frozen=True)
class Message:
    """*text* says everything by itself, for notifications and screen readers; *blocks* None: there is only text."""

    text: str
    blocks: list[Block] | None

    @property
    def short_text(self) -> str:
        """As many of its lines as fit where a message is changed."""
        lines = self.text.splitlines()
        while len(lines) > 1 and len("\n".join(lines)) > LONGEST_EDIT:
            lines.pop()
        return "\n".join(lines)


def compose(cards: Sequence[Card], *, plainness: int = 0, digest: str | None = None) -> Message:
    """
    One to MOST_CARDS cards as one message. *digest*: daily or weekly, if its reader asked for one.

    *plainness*: how much to leave out after Slack refused the message. 0: nothing; 1: links, for an address Slack does
    not take is the likeliest cause; 2: blocks, all is in the text.
    """
    if not 1 <= len(cards) <= MOST_CARDS:
        raise ValueError(f"a message carries 1 to {MOST_CARDS} job changes, not {len(cards)}")
    if plainness >= 2:
        return Message(_text(cards, digest, with_links=True), None)
    render = _card_blocks if len(cards) == 1 else _line_blocks
    blocks = [block for card in cards for block in render(card, with_links=not plainness)]
    if len(cards) > 1:
        blocks.insert(0, {"type": "header", "text": _plain_text(_title(cards, digest))})
    if any(card.is_test for card in cards):
        blocks.insert(0, _context(_TEST))
    return Message(_text(cards, digest), blocks)


def _card_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change, buttons, menu = card.job_change, card.actions.buttons, card.actions.menu
    told = "\n".join(filter(None, [headline(change, bold, card.side), background(change, card.side)]))
    yield _section(told, None if buttons else _menu(card, menu))
    if facts := meaning(change, card.side):
        yield _context(" · ".join(facts))
    yield _context(escape(card.reason, _REASON))
    if with_links and (links := _inline_links(card)):
        yield _context(" · ".join(links))
    if card.notes:
        yield _context("\n".join(card.notes))
    if buttons:
        elements = [*(_button(card, action) for action in buttons), *filter(None, [_menu(card, menu)])]
        yield {"type": "actions", "block_id": f"{ACTION}{card.delivery_id}", "elements": elements}


def _line_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change = card.job_change
    yield _section(sentence(headline(change, bold, card.side)), _menu(card, card.actions.in_one_menu))
    why = " · ".join([*meaning(change, card.side), escape(card.reason, _REASON)])
    yield _context(why, *(_inline_links(card) if with_links else ()))
    if card.notes:
        yield _context("\n".join(card.notes))


def _text(cards: Sequence[Card], digest: str | None, *, with_links: bool = False) -> str:
    lines = [_TEST] if any(card.is_test for card in cards) else []
    if len(cards) == 1:
        return "\n".join([*lines, *_lines(cards[0], with_links=with_links)])
    items = (" ".join(_lines(card, with_links=with_links)) for card in cards)
    return "\n".join([*lines, _title(cards, digest), *(f"• {item}" for item in items)])


def _lines(card: Card, *, with_links: bool) -> Iterator[str]:
    change = card.job_change
    yield " ".join(filter(None, [sentence(headline(change, escape, card.side)), background(change, card.side)]))
    if facts := meaning(change, card.side):
        yield sentence(", ".join(facts))
    yield sentence(escape(card.reason, _REASON))
    yield from card.notes
    if with_links and (links := _inline_links(card)):
        yield " · ".join(links)


def _title(cards: Sequence[Card], digest: str | None) -> str:
    if digest is not None:
        return f"Your {digest} digest: {len(cards)} job changes"
    wording = _BUNDLES.get(frozenset(card.role for card in cards), "{count} job changes")
    return wording.format(count=len(cards))


def _links(card: Card) -> Iterator[tuple[str, str | None]]:
    """What can be opened, and its address. Short labels: all of them fit into one line of a phone."""
    profile = web_address(card.job_change.person.linkedin_url)
    host = urlsplit(profile or "").hostname or ""
    is_lead = "/00Q" in (card.contact_url or "")  # the key prefix of every lead's id
    yield "LinkedIn" if host == "linkedin.com" or host.endswith(".linkedin.com") else "Profile", profile
    yield "Lead" if is_lead else "Contact", card.contact_url
    yield "Account", card.account_url
    yield "Source", card.job_change.links.source_url


def _inline_links(card: Card) -> list[str]:
    return [rendered for label, address in _links(card) if (rendered := link(address, label))]


def _button(card: Card, action: MessageAction) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{ACTION}{action.kind}",
        "text": _plain_text(action.label),
        "value": str(card.delivery_id),
    }
    return block | ({"style": "primary"} if action.is_primary else {})


def _menu(card: Card, menu: Sequence[MessageAction]) -> Block | None:
    if not menu:
        return None
    options = [{"text": _plain_text(action.label), "value": f"{action.kind}:{card.delivery_id}"} for action in menu]
    return {"type": "overflow", "action_id": MENU, "options": options}


def _section(text: str, accessory: Block | None) -> Block:
    return {"type": "section", "text": _mrkdwn(text)} | ({"accessory": accessory} if accessory else {})


def _context(*texts: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text) for text in texts]}


def _mrkdwn(text: str) -> Block:
    # Verbatim: a name such as globex.com or #sales does not turn into a link.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
