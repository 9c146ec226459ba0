"""How a job change reads in Slack: one card, or several bundled into one message. Pure.

Read in two seconds on a phone: who moved where, from where, what that means, why you, where to read on. The words are
those of services/wording.py, the limits those of https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from services.job_changes import JobChange
from services.mrkdwn import bold, escape, link, web_address
from services.wording import Side, background, headline, meaning, sentence

MOST_CARDS = 10
"""Job changes in one message. More do not read as a list any more."""

Role = Literal["dri", "fallback", "copy"]
Block = dict[str, Any]

_REASON = 400  # characters that are read
_BUNDLES: dict[frozenset[Role], str] = {
    frozenset({"dri"}): "{count} job changes for you",
    frozenset({"fallback"}): "{count} job changes without a DRI",
    frozenset({"copy"}): "{count} job changes, told to their DRIs",
}
_SHORT = {"Salesforce contact": "Contact", "Salesforce lead": "Lead", "Salesforce account": "Account"}
_TEST = "Test message: sample data, nobody changed jobs."


@dataclass(frozen=True)
class Card:
    """
    One job change for one destination.

    *reason*: the sentence that says why it is read here; foreign names may stand in it, unescaped.
    *contact_url*: the person's record in Salesforce, which may be a lead.
    *side*: the side whose owner is told; None: what the change type suggests.
    """

    job_change: JobChange
    reason: str
    role: Role
    delivery_id: int
    contact_url: str | None
    account_url: str | None
    is_test: bool = False
    side: Side | None = None


@dataclass(frozen=True)
class Message:
    """*text* says everything by itself, for notifications and screen readers; *blocks* None: there is only text."""

    text: str
    blocks: list[Block] | None


def compose(cards: Sequence[Card], *, plainness: int = 0) -> Message:
    """
    One to MOST_CARDS cards as one message.

    *plainness*: how much to leave out after Slack refused the message. 0: nothing; 1: links, for an address Slack does
    not take is the likeliest cause; 2: blocks, all is in the text.
    """
    if not 1 <= len(cards) <= MOST_CARDS:
        raise ValueError(f"a message carries 1 to {MOST_CARDS} job changes, not {len(cards)}")
    if plainness >= 2:
        return Message(_text(cards, with_links=True), None)
    render = _card_blocks if len(cards) == 1 else _line_blocks
    blocks = [block for card in cards for block in render(card, with_links=not plainness)]
    if len(cards) > 1:
        blocks.insert(0, {"type": "header", "text": _plain_text(_title(cards))})
    if any(card.is_test for card in cards):
        blocks.insert(0, _context(_TEST))
    return Message(_text(cards), blocks)


def _card_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change = card.job_change
    yield _section("\n".join(filter(None, [headline(change, bold), background(change)])))
    if facts := meaning(change, card.side):
        yield _context(" · ".join(facts))
    yield _context(escape(card.reason, _REASON))
    if with_links and (buttons := [_link_button(card, *place) for place in _links(card)]):
        yield {"type": "actions", "block_id": f"links_{card.delivery_id}", "elements": buttons}


def _line_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change = card.job_change
    yield _section(" ".join(filter(None, [sentence(headline(change, bold)), background(change)])))
    why = " · ".join([*meaning(change, card.side), escape(card.reason, _REASON)])
    yield _context(why, *(_inline_links(card) if with_links else ()))


def _text(cards: Sequence[Card], *, with_links: bool = False) -> str:
    lines = [_TEST] if any(card.is_test for card in cards) else []
    if len(cards) == 1:
        return "\n".join([*lines, *_lines(cards[0], with_links=with_links)])
    items = (" ".join(_lines(card, with_links=with_links)) for card in cards)
    return "\n".join([*lines, _title(cards), *(f"• {item}" for item in items)])


def _lines(card: Card, *, with_links: bool) -> Iterator[str]:
    change = card.job_change
    yield " ".join(filter(None, [sentence(headline(change, escape)), background(change)]))
    if facts := meaning(change, card.side):
        yield sentence(", ".join(facts))
    yield sentence(escape(card.reason, _REASON))
    if with_links and (links := _inline_links(card)):
        yield " · ".join(links)


def _title(cards: Sequence[Card]) -> str:
    wording = _BUNDLES.get(frozenset(card.role for card in cards), "{count} job changes")
    return wording.format(count=len(cards))


def _links(card: Card) -> Iterator[tuple[str, str, str]]:
    """What can be opened: a name for it, its label, its address."""
    profile = web_address(card.job_change.person.linkedin_url)
    host = urlsplit(profile or "").hostname or ""
    is_lead = "/00Q" in (card.contact_url or "")  # the key prefix of every lead's id
    places = [
        ("profile", "LinkedIn" if host == "linkedin.com" or host.endswith(".linkedin.com") else "Profile", profile),
        ("contact", "Salesforce lead" if is_lead else "Salesforce contact", web_address(card.contact_url)),
        ("account", "Salesforce account", web_address(card.account_url)),
        ("source", "Source", web_address(card.job_change.links.source_url)),
    ]
    return ((name, label, address) for name, label, address in places if address)


def _inline_links(card: Card) -> list[str]:
    """Short labels: in a bundle all of them fit into one line of a phone."""
    rendered = (link(address, _SHORT.get(label, label)) for _, label, address in _links(card))
    return [text for text in rendered if text]


def _link_button(card: Card, name: str, label: str, address: str) -> Block:
    return {
        "type": "button",
        "action_id": f"link_{name}",
        "text": _plain_text(label),
        "url": address,
        "value": str(card.delivery_id),
    }


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(*texts: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text) for text in texts]}


def _mrkdwn(text: str) -> Block:
    # Verbatim: a name such as globex.com or #sales does not turn into a link.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
