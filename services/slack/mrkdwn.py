"""Escaping text of others for Slack, so that it looks as it was written and contains no markup. Pure.

Slack's mrkdwn has escapes for &, < and > only, so a formatting character is replaced with one that looks the same.
Inside a word, as in E*TRADE and Job_Move__c, Slack does not format, so the character stays and the word can be copied
and searched. Nor does it format in code. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib.parse import quote, urlsplit

LONGEST_ADDRESS = 3_000
"""The most characters in a button's URL: https://docs.slack.dev/reference/block-kit/block-elements/button-element"""

LONGEST_LINK = 500
"""The most characters of a link in mrkdwn. A longer one is left out, because it would fill the message."""

_ELLIPSIS, _NOTHING = "…", "—"
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_ZERO_WIDTH_JOINER = "\u200d"

# Overrides, embeddings and isolates. One that is not closed would reverse the rest of the line.
_DIRECTION_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Control characters, halves of characters, which cannot be sent, and separators of lines: Cc, Cs, Zl and Zp.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})

_ASTERISK, _COLON, _QUOTE = "\N{ASTERISK OPERATOR}", "\N{MODIFIER LETTER COLON}", "\N{MODIFIER LETTER RIGHT ARROWHEAD}"
_GRAVE = "\N{MODIFIER LETTER GRAVE ACCENT}"
_LOOKALIKES = str.maketrans(
    {
        "*": _ASTERISK,
        "_": "\N{MODIFIER LETTER LOW MACRON}",
        "~": "\N{TILDE OPERATOR}",
        "`": _GRAVE,
    }
)
# Slack formats at word boundaries, where a word has ASCII letters and digits.
_FORMATTING = re.compile(r"`|(?<![A-Za-z0-9])[*~]|[*~](?![A-Za-z0-9])|(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")
_EMOJI_CODE = re.compile(r":(?=[a-z0-9_+'-]+:)(?=[0-9_']*[a-z+-])")
_MARKUP = re.compile("[&<>*_~`:\N{FULLWIDTH GREATER-THAN SIGN}]")
_REFERENCE = re.compile(r"<(?P<target>[^<>|]+)(?:\|(?P<label>[^<>]*))?>")
_QUOTE_MARK = re.compile("^[>\N{FULLWIDTH GREATER-THAN SIGN}]")


def plain(text: str, limit: int) -> str:
    """
    Return one line of at most `limit` characters for Slack's plain_text, which Slack does not parse.

    A cut ends in an ellipsis. Invisible text becomes a dash, because Slack refuses empty text. Right-to-left text is
    isolated with two more characters, so that the line around it keeps its direction.
    """
    line = _one_line(text)
    if len(line) > limit:
        end = limit - 1
        # Do not cut between a letter and its accent, or within a joined emoji.
        while end > 0 and (unicodedata.combining(line[end]) or _ZERO_WIDTH_JOINER in line[end - 1 : end + 1]):
            end -= 1
        line = line[: end or limit - 1].rstrip() + _ELLIPSIS
    if all(unicodedata.category(char)[0] in "CZ" for char in line):
        return _NOTHING
    if not line.isascii() and any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in line):
        return f"{_ISOLATE}{line}{_END_ISOLATE}"
    return line


def escape(text: str, limit: int) -> str:
    """Return one line for mrkdwn without markup. `limit` counts visible characters, before escaping."""
    line = plain(text, limit)
    if not _MARKUP.search(line):
        return line
    line = _QUOTE_MARK.sub(_QUOTE, line)
    line = _FORMATTING.sub(lambda match: match[0].translate(_LOOKALIKES), line)
    return _EMOJI_CODE.sub(_COLON, line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str, limit: int) -> str:
    """Return one line for between backticks, or three of them, where only backticks are replaced."""
    line = plain(text, limit).replace("`", _GRAVE)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bold(text: str, limit: int) -> str:
    """Escape and format in bold. An asterisk in the text cannot end it early."""
    return f"*{escape(text, limit).replace('*', _ASTERISK)}*"


def with_mentions(text: str, users: Mapping[str, str]) -> str:
    """Return mrkdwn with mentions in place of what stands for Slack users: their email addresses, or their ids."""
    for name, user_id in users.items():
        text = re.sub(rf"(?<![\w.+@-]){re.escape(name)}(?![\w@-])", f"<@{user_id}>", text)
    return text


def web_address(url: str | None) -> str | None:
    """Return the URL as Slack accepts it in a link, or None if it is not http(s) or too long for Slack."""
    if not url or _one_line(url) != url or " " in url:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    address = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    return address if len(address) <= LONGEST_ADDRESS else None


def link(url: str | None, label: str) -> str | None:
    """Return a link in mrkdwn, or None if the URL cannot be linked to. `label` must not need escaping."""
    address = web_address(url)
    if address is None:
        return None
    rendered = f"<{address.replace('&', '&amp;')}|{label}>"
    return rendered if len(rendered) <= LONGEST_LINK else None


def rich_text(mrkdwn: str) -> dict[str, Any]:
    """
    Return a rich_text block with the same text, for cells of tables, which have no mrkdwn.

    `mrkdwn` has escaped text, and our own links, mentions of users and times; nothing bold.
    https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    """
    elements, end = list[dict[str, Any]](), 0
    for match in _REFERENCE.finditer(mrkdwn):
        if match.start() > end:
            elements.append({"type": "text", "text": unescape(mrkdwn[end : match.start()])})
        target, label = match["target"], unescape(match["label"] or "")
        if target.startswith("@"):
            elements.append({"type": "user", "user_id": target[1:]})
        elif target.startswith("!date^"):
            _, seconds, form = target.split("^", 2)
            elements.append({"type": "date", "timestamp": int(seconds), "format": form, "fallback": label})
        else:
            elements.append({"type": "link", "url": unescape(target), "text": label})
        end = match.end()
    if mrkdwn[end:]:
        elements.append({"type": "text", "text": unescape(mrkdwn[end:])})
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _one_line(text: str) -> str:
    return " ".join(_DIRECTION_CONTROLS.sub("", _BREAKS.sub(" ", text)).split())
