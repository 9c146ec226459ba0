"""Composes Slack messages about job changes: one card, or several in a bundle. Pure.

A card can be read in two seconds on a phone: who moved where, from where, what it means, why the reader got it, and
what people did about it; then one line of buttons. Limits: https://docs.slack.dev/reference/block-kit/blocks.

There are two layouts: the usual blocks, and Slack's newer card and table blocks, which some workspaces do not have yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from domain.messages.card_buttons import LONGEST_LABEL
from domain.states import Role
from services.messages.cards import Card
from services.messages.elements import (
    ACTION,
    MENU,
    Block,
    action_row,
    added_buttons,
    button,
    context,
    mrkdwn,
    options,
    overflow_menu,
    plain_text,
    section,
    text_length,
)
from services.messages.wording import background, headline, meaning, sentence
from services.slack.mrkdwn import bold, escape, link, plain, rich_text, web_address, with_mentions

MOST_CARDS = 10
"""Job changes in one message."""

MOST_DETAILED = 5
"""Job changes of a bundle that have their own buttons. With more, each has two lines and a menu."""

LONGEST_EDIT = 4_000
"""Characters of the text of an update: https://docs.slack.dev/reference/methods/chat.update"""

LONGEST_BLOCKS = 12_000
"""Characters of all text in the blocks. Slack refuses a little over 13,000, which its reference does not say:
https://github.com/slackapi/bolt-js/issues/2509"""

LONGEST_LINE = 2_900
"""Characters of one text. Slack allows 3,000:
https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""

LONGEST_TITLE, LONGEST_BODY = 150, 200
"""Characters in the title or subtitle of a card block, and in its body:
https://docs.slack.dev/reference/block-kit/blocks/card-block"""

LONGEST_TABLE = 10_000
"""Characters in all cells of a table block: https://docs.slack.dev/reference/block-kit/blocks/table-block"""

_LONGEST_REASON = 400  # visible characters
_LONGEST_GROUP = 70
"""Of an option group's 75: https://docs.slack.dev/reference/block-kit/composition-objects/option-group-object"""

_NOTHING = "—"  # in an empty cell
_TITLES: dict[frozenset[Role], str] = {
    frozenset({Role.DRI}): "{count} job changes for you",
    frozenset({Role.FALLBACK}): "{count} job changes without a DRI",
    frozenset({Role.COPY}): "{count} job changes, sent to their DRIs",
}
_TEST = "Test message with sample data: nobody changed jobs."


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

    `plainness` says what to leave out after Slack refused the message: 1 leaves out links and the admins' buttons,
    because an address that Slack does not accept is the likeliest cause; 2 leaves out blocks, because the text contains
    everything.
    """
    if not 1 <= len(cards) <= MOST_CARDS:
        raise ValueError(f"a message carries 1 to {MOST_CARDS} job changes, not {len(cards)}")
    if plainness:
        cards = [replace(card, buttons=()) for card in cards]
    if plainness >= 2:
        return Message(_text(cards, digest, with_links=True), None)
    most_links = 0 if plainness else len(cards)
    for with_links in range(most_links, -1, -1):  # the first cards keep their links if there is no room for all
        blocks = [*_blocks(cards, with_links)]
        if text_length(blocks) <= LONGEST_BLOCKS:
            return Message(_text(cards, digest), [*_heading(cards, digest), *blocks])
    return Message(_text(cards, digest, with_links=True), None)


def compose_with_newer_blocks(cards: Sequence[Card], *, digest: str | None = None) -> Message | None:
    """One job change as a card block, or a digest as a table block. None for other bundles, and if it is too long."""
    is_digest = digest is not None and len(cards) > 1
    blocks = _with_table_block(cards) if is_digest else _with_card_block(cards[0]) if len(cards) == 1 else []
    if not blocks or text_length(blocks) > LONGEST_BLOCKS:
        return None
    return Message(_text(cards, digest), [*_heading(cards, digest), *blocks])


def _heading(cards: Sequence[Card], digest: str | None) -> Iterator[Block]:
    if any(card.is_test for card in cards):
        yield context(_TEST)
    if len(cards) > 1:
        yield {"type": "header", "text": plain_text(_title(cards, digest))}


def _in_groups(cards: Sequence[Card]) -> Iterator[tuple[str | None, Card]]:
    """
    The cards with those together that have a reason in common.

    The first card of such a group comes with the heading that states it once; the cards have what is left of their
    reasons.
    """
    names = list(dict.fromkeys(card.group for card in cards))
    groups = ([card for card in cards if card.group == name] for name in names)
    for group in groups:
        if len(group) == 1 or not group[0].group:
            yield from ((None, card) for card in group)
            continue
        for number, card in enumerate(group):
            rest = card.shared.rest if card.shared else ""
            yield (card.group if number == 0 else None), replace(card, reason=rest)


def _blocks(cards: Sequence[Card], with_links: int) -> Iterator[Block]:
    """Blocks of a card or a bundle, of which the first `with_links` cards have links."""
    for number, (heading, card) in enumerate(_in_groups(cards)):
        if heading:
            yield context(with_mentions(bold(heading, _LONGEST_REASON), card.users))
        has_links = number < with_links
        if len(cards) > MOST_DETAILED:
            yield from _compact_blocks(card, _all_links(card) if has_links else [])
        else:
            yield from _card_blocks(card, _links(card) if has_links else [], in_bundle=len(cards) > 1)


def _card_blocks(card: Card, links: Sequence[str], *, in_bundle: bool) -> Iterator[Block]:
    """The blocks of one card. In a bundle, everything about the move and the reason is in one line."""
    change, actions = card.job_change, card.actions
    has_row = bool(actions.buttons or card.buttons)
    news = "\n".join(filter(None, [headline(change, bold, card.side), background(change, card.side)]))
    yield section(news, None if has_row else overflow_menu(card.delivery_id, actions.menu))
    details, why = [_details(card)], [*_reason(card), " · ".join(links)]
    for line in [[*details, *why]] if in_bundle else [details, why]:
        yield from _line(line)
    yield from _line(["\n".join(card.notes)])
    if has_row:
        yield action_row(f"{ACTION}{card.delivery_id}", card.delivery_id, actions, card.buttons)


def _compact_blocks(card: Card, links: Sequence[str]) -> Iterator[Block]:
    """
    A card in a long bundle: one line for the news and one for everything else. All actions are in its menu.

    A menu cannot start workflows. More rows of buttons would exceed Slack's 50 blocks.
    """
    change, menu = card.job_change, overflow_menu(card.delivery_id, card.actions.in_one_menu)
    yield section(sentence(headline(change, bold, card.side)), menu)
    yield from _line([background(change, card.side), _details(card), *_reason(card), " · ".join(links)])
    yield from _line(["\n".join(card.notes)])


def _line(texts: Sequence[str]) -> list[Block]:
    """One line in small print, if there is anything to say."""
    shown = [text for text in texts if text]
    line = " · ".join([*(text.removesuffix(".") for text in shown[:-1]), *shown[-1:]])
    return [] if not line else [context(line)] if len(line) <= LONGEST_LINE else [context(*shown)]


def _details(card: Card) -> str:
    """Why it matters, how the person is known, and what the admins want to see of their records."""
    return " · ".join([*meaning(card.job_change, card.side), *card.context])


def _reason(card: Card) -> list[str]:
    return [with_mentions(escape(card.reason, _LONGEST_REASON), card.users)] if card.reason else []


def _with_card_block(card: Card) -> list[Block]:
    """The blocks of one job change with a card block, or none if its texts are too long for it."""
    title, subtitle = headline(card.job_change, escape, card.side), background(card.job_change, card.side)
    body = " · ".join(meaning(card.job_change, card.side))
    if max(len(title), len(subtitle)) > LONGEST_TITLE or len(body) > LONGEST_BODY:
        return []
    texts = {"title": title, "subtitle": subtitle, "body": body}
    block: Block = {"type": "card", **{name: mrkdwn(text) for name, text in texts.items() if text}}
    if card.actions.buttons:
        block["actions"] = [button(card.delivery_id, action) for action in card.actions.buttons]
    first, *rest = [line for line in (*_reason(card), " · ".join(_links(card)), "\n".join(card.notes)) if line]
    # The buttons of a card block cannot start workflows: https://docs.slack.dev/reference/block-kit/blocks/card-block
    added: list[Block] = [{"type": "actions", "elements": added_buttons(card.buttons)}] if card.buttons else []
    return [block, section(first, overflow_menu(card.delivery_id, card.actions.menu)), *map(context, rest), *added]


def _with_table_block(cards: Sequence[Card]) -> list[Block]:
    """A menu with the actions of each job change, and a table with a row for each; none if the table is too long."""
    rows = [
        (
            headline(card.job_change, escape, card.side),
            background(card.job_change, card.side),
            " · ".join(meaning(card.job_change, card.side)),
            "".join(_reason(card)),
            " · ".join(_all_links(card)),
            "\n".join(card.notes),
        )
        for card in cards
    ]
    names = ("Job change", "Before", "What it means", "Why you got it", "Links", "Since then")
    used = [column for column, cells in enumerate(zip(*rows, strict=True)) if any(cells)]
    table = [[rich_text(row[column] or _NOTHING) for column in used] for row in (names, *rows)]
    if text_length(table) > LONGEST_TABLE:
        return []
    choices = [
        {
            "label": plain_text(plain(card.job_change.person.name, _LONGEST_GROUP)),
            "options": options(card.delivery_id, actions),
        }
        for card in cards
        if (actions := card.actions.in_one_menu)
    ]
    menu = {"type": "static_select", "action_id": MENU, "placeholder": plain_text("Act on…"), "option_groups": choices}
    columns = [{"is_wrapped": True}] * len(used)
    return [{"type": "actions", "elements": [menu]}, {"type": "table", "rows": table, "column_settings": columns}]


def _text(cards: Sequence[Card], digest: str | None, *, with_links: bool = False) -> str:
    lines = [_TEST] if any(card.is_test for card in cards) else []
    if len(cards) == 1:
        return "\n".join([*lines, *_lines(cards[0], with_links=with_links)])
    lines.append(_title(cards, digest))
    for heading, card in _in_groups(cards):
        lines += [with_mentions(escape(heading, _LONGEST_REASON), card.users)] if heading else []
        lines.append(f"• {' '.join(_lines(card, with_links=with_links))}")
    return "\n".join(lines)


def _lines(card: Card, *, with_links: bool) -> Iterator[str]:
    change = card.job_change
    yield " ".join(filter(None, [sentence(headline(change, escape, card.side)), background(change, card.side)]))
    if details := [*meaning(change, card.side), *card.context]:
        yield sentence(", ".join(details))
    yield from map(sentence, _reason(card))
    yield from card.notes
    if with_links and (links := _all_links(card)):
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


def _all_links(card: Card) -> list[str]:
    """With the pages that the admins' buttons open, for where there is no room for buttons."""
    added = (link(button.url, escape(button.label, LONGEST_LABEL)) for button in card.buttons if not button.is_workflow)
    return [*_links(card), *filter(None, added)]
