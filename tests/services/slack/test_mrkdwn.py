"""Text of others in Slack looks as it was written and contains no markup."""
# ruff: noqa: RUF001 - lookalikes are what is tested

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.slack.mrkdwn import LONGEST_ADDRESS, LONGEST_LINK, bold, code, escape, link, plain, web_address

HOSTILE = st.text(
    st.one_of(
        st.sampled_from("*_~`<>&|!@#:;()[]{}/\\ \n\r\t\u2028\u202e\u2066\u2069\u200d\ufffd\x00aZ9éע🚀"), st.characters()
    ),
    max_size=60,
)
LIVE_FORMATTING = re.compile(r"(?<![A-Za-z0-9])([*~]).+?\1(?![A-Za-z0-9])|(?<![A-Za-z0-9_])_.+?_(?![A-Za-z0-9_])|`")
ORIGINALS = str.maketrans("∗ˍ∼ˋ꞉˃", "*_~`:>")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("Ada Smith", "Ada Smith"),
        ("Johnson & Johnson", "Johnson &amp; Johnson"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<@U12345678>", "&lt;@U12345678&gt;"),
        ("<http://evil.example|Ada>", "&lt;http://evil.example|Ada&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("*Ada* _S_ ~S~ `S`", "∗Ada∗ ˍSˍ ∼S∼ ˋSˋ"),
        ("E*TRADE", "E*TRADE"),
        ("snake_case", "snake_case"),
        ("Job_Move__c, Other__c", "Job_Move__c, Other__c"),
        ("__init__.csv", "ˍˍinitˍˍ.csv"),
        ("> quoted", "˃ quoted"),
        ("Ada\n\n> Smith\t\x00Jr", "Ada &gt; Smith Jr"),
        (":fire:", "꞉fire:"),
        ("at 09:30:00", "at 09:30:00"),
        ("Ada 🚀 Smith", "Ada 🚀 Smith"),
        ("", "—"),
        (" \u200b\u202e", "—"),
        ("עדה", "\u2068עדה\u2069"),
        ("Ada\u202eSmith\u2066", "AdaSmith"),
    ],
)
def test_text_of_others_is_escaped(written: str, sent: str) -> None:
    """Three characters are escaped, formatting is replaced with lookalikes, and the text stays one line."""
    assert escape(written, 80) == sent


@given(HOSTILE)
def test_text_of_others_contains_no_markup(text: str) -> None:
    """No mention, link, formatting, quote, emoji code or second line, whatever was written."""
    sent = escape(text, 80)

    assert not re.search(r"[<>\n\r\u2028\u2029\u202a-\u202e]", sent)
    assert not re.search(r"&(?!amp;|lt;|gt;)", sent)
    assert not sent.startswith(("&gt;", "\uff1e"))
    assert not LIVE_FORMATTING.search(sent)
    assert not re.search(r":[a-z][a-z0-9_+'-]*:", sent)
    assert sent.count("\u2068") == sent.count("\u2069") <= 1
    sent.encode()


@given(HOSTILE)
def test_text_looks_as_it_was_written(text: str) -> None:
    """Undoing the escapes and lookalikes gives the original text."""
    read = unescape(escape(text, 1_000)).strip("\u2068\u2069").translate(ORIGINALS)
    written = plain(text, 1_000).strip("\u2068\u2069").translate(ORIGINALS)

    assert read == written.replace("\uff1e", ">", 1) if written.startswith("\uff1e") else read == written


@given(HOSTILE)
def test_code_is_shown_as_it_was_written(text: str) -> None:
    """Except for backticks, which would end it."""
    sent = code(text, 1_000)

    assert not re.search(r"[`<>\n]|&(?!amp;|lt;|gt;)", sent)
    assert unescape(sent) == plain(text, 1_000).replace("`", "ˋ")


@given(HOSTILE)
def test_bold_text_is_bold_as_a_whole(text: str) -> None:
    """Nothing in the text ends it early."""
    assert bold(text, 80).count("*") == 2


@given(st.text(max_size=60), st.integers(2, 40))
def test_cut_text_keeps_to_its_limit(text: str, limit: int) -> None:
    """The two characters that isolate right-to-left text are extra."""
    assert len(plain(text, limit).strip("\u2068\u2069")) <= limit


@pytest.mark.parametrize(
    ("written", "shown"),
    [("Ada Smith", "Ada Smith"), ("Ada Smith the First", "Ada Smit…"), ("Ada Smi👩\u200d💻 x", "Ada Smi…")],
)
def test_long_text_ends_in_an_ellipsis(written: str, shown: str) -> None:
    """It is not cut within a joined emoji."""
    assert plain(written, 9) == shown


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://www.linkedin.com/in/ada?a=1&b=2#c", "https://www.linkedin.com/in/ada?a=1&b=2#c"),
        ("http://localhost:8000/003", "http://localhost:8000/003"),
        ("https://globex.com/a|b>c<d`e\\f", "https://globex.com/a%7Cb%3Ec%3Cd%60e%5Cf"),
        ("https://globex.com/%20", "https://globex.com/%20"),
        ("https://globex.com/ü", "https://globex.com/%C3%BC"),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("slack://open", None),
        ("//globex.com", None),
        ("https://", None),
        ("https://[::1", None),
        ("https://globex.com/a b", None),
        ("https://globex.com/\n", None),
        ("https://globex.com/" + "a" * LONGEST_ADDRESS, None),
        ("", None),
        (None, None),
    ],
)
def test_only_web_addresses_become_links(url: str | None, address: str | None) -> None:
    """Characters that could end the link early are encoded."""
    assert web_address(url) == address


@given(st.one_of(HOSTILE, HOSTILE.map(lambda path: f"https://globex.com/{path}")))
def test_a_link_stays_one_link(url: str) -> None:
    """Nothing in an address ends it or becomes its label."""
    rendered = link(url, "Source")
    assert rendered is None or re.fullmatch(r"<https?://[^<>|\s]+\|Source>", rendered)


def test_a_very_long_link_is_left_out() -> None:
    """It would fill the message."""
    assert link("https://globex.com/" + "a" * LONGEST_LINK, "Source") is None
