"""Foreign text made safe to show in Slack: it reads as it was written, and nothing in it is live. Pure.

Slack's mrkdwn has three escapes (&, < and >) and none for its formatting, so a formatting character that could be live
gives way to one that looks the same. Inside a word, as in E*TRADE, Slack does not format; there it stays what it is, to
be copied and searched for. https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, urlsplit

LONGEST_ADDRESS = 3_000
"""Characters of a button's address: https://docs.slack.dev/reference/block-kit/block-elements/button-element"""

LONGEST_LINK = 500
"""Characters of a link in mrkdwn; a longer address is left out, it would crowd out the message."""

_ELLIPSIS, _NOTHING = "…", "—"
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_ZERO_WIDTH_JOINER = "\u200d"

# Overrides, embeddings and isolates: one left open would turn the rest of the line around.
_DIRECTION_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})

_ASTERISK, _COLON, _QUOTE = "\N{ASTERISK OPERATOR}", "\N{MODIFIER LETTER COLON}", "\N{MODIFIER LETTER RIGHT ARROWHEAD}"
_LOOKALIKES = str.maketrans(
    {
        "*": _ASTERISK,
        "_": "\N{MODIFIER LETTER LOW MACRON}",
        "~": "\N{TILDE OPERATOR}",
        "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
    }
)
# Slack formats between word boundaries, and a word is of ASCII letters and digits.
_FORMATTING = re.compile(r"`|(?<![A-Za-z0-9])[*_~]|[*_~](?![A-Za-z0-9])")
_EMOJI_CODE = re.compile(r":(?=[a-z0-9_+'-]*[a-z+-][a-z0-9_+'-]*:)")
_QUOTE_MARK = re.compile("^[>\N{FULLWIDTH GREATER-THAN SIGN}]")


def plain(text: str, limit: int) -> str:
    """
    For Slack's plain_text, where nothing is parsed: one line of at most *limit* characters.

    An ellipsis stands where it was cut, a dash for text that shows nothing: Slack refuses empty text. Text that runs
    right to left is isolated (two characters more), so that the line around it does not flip.
    """
    line = _cut(_one_line(text), limit)
    if all(unicodedata.category(char)[0] in "CZ" for char in line):
        return _NOTHING
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in line):
        return f"{_ISOLATE}{line}{_END_ISOLATE}"
    return line


def escape(text: str, limit: int) -> str:
    """For mrkdwn: as `plain`, and inert. *limit* counts what is read; an escaped character is up to five long."""
    line = _QUOTE_MARK.sub(_QUOTE, plain(text, limit))
    line = _FORMATTING.sub(lambda found: found[0].translate(_LOOKALIKES), line)
    return _EMOJI_CODE.sub(_COLON, line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bold(text: str, limit: int) -> str:
    """As `escape`, in bold. No asterisk inside can end it early."""
    return f"*{escape(text, limit).replace('*', _ASTERISK)}*"


def web_address(url: str | None) -> str | None:
    """The address as Slack takes it for a link, or None where it is not one of http(s) or too long for Slack."""
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
    """A link in mrkdwn, or None where there is no address fit to link to. *label* is ours, not foreign."""
    address = web_address(url)
    if address is None:
        return None
    rendered = f"<{address.replace('&', '&amp;')}|{label}>"
    return rendered if len(rendered) <= LONGEST_LINK else None


def _one_line(text: str) -> str:
    # Cc: control characters; Cs: half a character, which cannot be sent; Zl, Zp: line and paragraph separators.
    spaced = (" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join("".join(char for char in spaced if char not in _DIRECTION_CONTROLS).split())


def _cut(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    end = limit - 1
    # Not between a letter and its accent, nor within a joined emoji.
    while end > 0 and (unicodedata.combining(line[end]) or _ZERO_WIDTH_JOINER in line[end - 1 : end + 1]):
        end -= 1
    return line[: end or limit - 1].rstrip() + _ELLIPSIS
