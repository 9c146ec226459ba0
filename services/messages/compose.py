"""Composes Slack messages about job changes: one card, or several in a bundle. Pure.

A card can be read in two seconds on a phone: who moved where, from where, what it means, why the reader got it, and
what people did about it; then one line of buttons. Limits: https://docs.slack.dev/reference/block-kit/blocks.

There are two layouts: the usual blocks, and Slack's newer card and table blocks, which some workspaces do not have yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from domain.job_change.model import JobChange
from domain.states import Role, Side
from services.messages.available_actions import AvailableActions, MessageAction
from services.messages.wording import background, headline, meaning, sentence
from services.slack.mrkdwn import bold, escape, link, plain, rich_text, web_address

MOST_CARDS = 10
"""Job changes in one message."""

LONGEST_EDIT = 4_000
"""Characters of the text of an update: https://docs.slack.dev/reference/methods/chat.update"""

LONGEST_BLOCKS = 12_000
"""Characters of all text in the blocks. Slack refuses a little over 13,000, which its reference does not say:
https://github.com/slackapi/bolt-js/issues/2509"""

LONGEST_TITLE, LONGEST_BODY = 150, 200
"""Characters in the title or subtitle of a card block, and in its body:
https://docs.slack.dev/reference/block-kit/blocks/card-block"""

LONGEST_TABLE = 10_000
"""Characters in all cells of a table block: https://docs.slack.dev/reference/block-kit/blocks/table-block"""

ACTION = "delivery_"
"""The prefix of a button's action_id, before its ActionKind. The button's value is the delivery's id, which
`ButtonSigner` signs."""

MENU = "delivery_menu"
"""The action_id of the menus. An option's value is its ActionKind, a colon and the delivery's id."""

Block = dict[str, Any]

_LONGEST_REASON = 400  # visible characters
_LONGEST_GROUP = (
    70  # of an option group's 75: https://docs.slack.dev/reference/block-kit/composition-objects/option-group-object
)
_NOTHING = "—"  # in an empty cell
_NO_ACTIONS = AvailableActions((), ())
_TITLES: dict[frozenset[Role], str] = {
    frozenset({Role.DRI}): "{count} job changes for you",
    frozenset({Role.FALLBACK}): "{count} job changes without a DRI",
    frozenset({Role.COPY}): "{count} job changes, sent to their DRIs",
}
_TEST = "Test message with sample data: nobody changed jobs."


@dataclass(frozen=True)
class Card:
    """
    One job change for one destination.

    `reason` says why it was sent here; it may contain foreign names, unescaped. `contact_url` is the person's contact
    or lead in Salesforce. `side` is the side whose owner is notified; None means the usual one for the change type.
    `notes` say in mrkdwn what people did about it.
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
    """The text contains everything, for notifications and screen readers. Without blocks, Slack shows the text."""

    text: str
    blocks: list[Block] | None

    @property
    def short_text(self) -> str:
        """The lines of the text that fit into an update."""
        lines = self.text.splitlines()
        while len(lines) > 1 and len("\n".join(lines)) > LONGEST_EDIT:
            lines.pop()
        return "\n".join(lines)


def compose(cards: Sequence[Card], *, plainness: int = 0, digest: str | None = None) -> Message:
    """
    One message with 1 to MOST_CARDS cards. `digest` is "daily" or "weekly" for a reader who chose a digest.

    `plainness` says what to leave out after Slack refused the message: 1 leaves out links, because an address that
    Slack does not accept is the likeliest cause; 2 leaves out blocks, because the text contains everything.
    """
    if not 1 <= len(cards) <= MOST_CARDS:
        raise ValueError(f"a message carries 1 to {MOST_CARDS} job changes, not {len(cards)}")
    if plainness >= 2:
        return Message(_text(cards, digest, with_links=True), None)
    render = _card_blocks if len(cards) == 1 else _bundle_blocks
    with_links = 0 if plainness else len(cards)  # the first cards keep their links if there is no room for all
    blocks = [block for card in cards for block in render(card, with_links=not plainness)]
    while with_links and _text_length(blocks) > LONGEST_BLOCKS:
        with_links -= 1
        blocks = [block for number, card in enumerate(cards) for block in render(card, with_links=number < with_links)]
    if _text_length(blocks) > LONGEST_BLOCKS:
        return Message(_text(cards, digest, with_links=True), None)
    return Message(_text(cards, digest), [*_heading(cards, digest), *blocks])


def compose_with_newer_blocks(cards: Sequence[Card], *, digest: str | None = None) -> Message | None:
    """One job change as a card block, or a digest as a table block. None for other bundles, and if it is too long."""
    is_digest = digest is not None and len(cards) > 1
    blocks = _with_table_block(cards) if is_digest else _with_card_block(cards[0]) if len(cards) == 1 else []
    if not blocks or _text_length(blocks) > LONGEST_BLOCKS:
        return None
    return Message(_text(cards, digest), [*_heading(cards, digest), *blocks])


def _heading(cards: Sequence[Card], digest: str | None) -> Iterator[Block]:
    if any(card.is_test for card in cards):
        yield _context(_TEST)
    if len(cards) > 1:
        yield {"type": "header", "text": _plain_text(_title(cards, digest))}


def _text_length(part: object) -> int:
    if isinstance(part, list):
        return sum(map(_text_length, part))
    if not isinstance(part, dict):
        return 0
    return sum(
        len(value) if name == "text" and isinstance(value, str) else _text_length(value) for name, value in part.items()
    )


def _card_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change, buttons, menu = card.job_change, card.actions.buttons, _menu(card.delivery_id, card.actions.menu)
    news = "\n".join(filter(None, [headline(change, bold, card.side), background(change, card.side)]))
    yield _section(news, None if buttons else menu)
    if details := meaning(change, card.side):
        yield _context(" · ".join(details))
    if card.reason:
        yield _context(escape(card.reason, _LONGEST_REASON))
    if with_links and (links := _links(card)):
        yield _context(" · ".join(links))
    if card.notes:
        yield _context("\n".join(card.notes))
    if buttons:
        elements = action_elements(card.delivery_id, card.actions)
        yield {"type": "actions", "block_id": f"{ACTION}{card.delivery_id}", "elements": elements}


def _with_card_block(card: Card) -> list[Block]:
    """The blocks of one job change with a card block, or none if its texts are too long for it."""
    title, subtitle = headline(card.job_change, escape, card.side), background(card.job_change, card.side)
    body = " · ".join(meaning(card.job_change, card.side))
    if max(len(title), len(subtitle)) > LONGEST_TITLE or len(body) > LONGEST_BODY:
        return []
    texts = {"title": title, "subtitle": subtitle, "body": body}
    block: Block = {"type": "card", **{name: _mrkdwn(text) for name, text in texts.items() if text}}
    if card.actions.buttons:
        block["actions"] = [_button(card.delivery_id, action) for action in card.actions.buttons]
    reason, notes = escape(card.reason, _LONGEST_REASON) if card.reason else "", "\n".join(card.notes)
    first, *rest = [line for line in (reason, " · ".join(_links(card)), notes) if line]
    return [block, _section(first, _menu(card.delivery_id, card.actions.menu)), *map(_context, rest)]


def _with_table_block(cards: Sequence[Card]) -> list[Block]:
    """A menu with the actions of each job change, and a table with a row for each; none if the table is too long."""
    rows = [
        (
            headline(card.job_change, escape, card.side),
            background(card.job_change, card.side),
            " · ".join(meaning(card.job_change, card.side)),
            escape(card.reason, _LONGEST_REASON),
            " · ".join(_links(card)),
            "\n".join(card.notes),
        )
        for card in cards
    ]
    names = ("Job change", "Before", "What it means", "Why you got it", "Links", "Since then")
    used = [column for column, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    table = [[rich_text(row[column] or _NOTHING) for column in used] for row in (names, *rows)]
    if _text_length(table) > LONGEST_TABLE:
        return []
    choices = [
        {
            "label": _plain_text(plain(card.job_change.person.name, _LONGEST_GROUP)),
            "options": _options(card.delivery_id, actions),
        }
        for card in cards
        if (actions := card.actions.in_one_menu)
    ]
    menu = {"type": "static_select", "action_id": MENU, "placeholder": _plain_text("Act on…"), "option_groups": choices}
    columns = [{"is_wrapped": True}] * len(used)
    return [{"type": "actions", "elements": [menu]}, {"type": "table", "rows": table, "column_settings": columns}]


def _bundle_blocks(card: Card, *, with_links: bool) -> Iterator[Block]:
    change = card.job_change
    yield _section(sentence(headline(change, bold, card.side)), _menu(card.delivery_id, card.actions.in_one_menu))
    why = " · ".join([*meaning(change, card.side), *([escape(card.reason, _LONGEST_REASON)] if card.reason else [])])
    if details := [*filter(None, [why]), *(_links(card) if with_links else ())]:
        yield _context(*details)
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
    if details := meaning(change, card.side):
        yield sentence(", ".join(details))
    if card.reason:
        yield sentence(escape(card.reason, _LONGEST_REASON))
    yield from card.notes
    if with_links and (links := _links(card)):
        yield " · ".join(links)


def _title(cards: Sequence[Card], digest: str | None) -> str:
    if digest is not None:
        return f"Your {digest} digest: {len(cards)} job changes"
    wording = _TITLES.get(frozenset(card.role for card in cards), "{count} job changes")
    return wording.format(count=len(cards))


def _links(card: Card) -> list[str]:
    """Links in mrkdwn. The labels are short, so that all of them fit into one line on a phone."""
    profile = web_address(card.job_change.person.linkedin_url)
    host = urlsplit(profile or "").hostname or ""
    is_lead = "/00Q" in (card.contact_url or "")  # every lead's id has this prefix
    links = [
        link(profile, "LinkedIn" if host == "linkedin.com" or host.endswith(".linkedin.com") else "Profile"),
        link(card.contact_url, "Lead" if is_lead else "Contact"),
        link(card.account_url, "Account"),
        link(card.job_change.links.source_url, "Source"),
    ]
    return [rendered for rendered in links if rendered]


def action_elements(delivery_id: int, available: AvailableActions) -> list[Block]:
    """The elements of an actions block: the buttons, and the menu beside them."""
    menu = _menu(delivery_id, available.menu)
    return [*(_button(delivery_id, action) for action in available.buttons), *([menu] if menu else [])]


def _button(delivery_id: int, action: MessageAction) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{ACTION}{action.kind}",
        "text": _plain_text(action.label),
        "value": str(delivery_id),
    }
    return block | ({"style": "primary"} if action.is_primary else {})


def _menu(delivery_id: int, menu: Sequence[MessageAction]) -> Block | None:
    if not menu:
        return None
    return {"type": "overflow", "action_id": MENU, "options": _options(delivery_id, menu)}


def _options(delivery_id: int, menu: Sequence[MessageAction]) -> list[Block]:
    return [{"text": _plain_text(action.label), "value": f"{action.kind}:{delivery_id}"} for action in menu]


def _section(text: str, accessory: Block | None) -> Block:
    return {"type": "section", "text": _mrkdwn(text)} | ({"accessory": accessory} if accessory else {})


def _context(*texts: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text) for text in texts]}


def _mrkdwn(text: str) -> Block:
    # Verbatim keeps Slack from turning names such as globex.com or #sales into links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
