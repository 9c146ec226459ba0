"""Messages about job changes: their wording, and Slack's limits for any input."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from domain.decision.sentences import SharedReason
from domain.job_change.model import JobChange
from domain.job_change.parts import ChangeType
from domain.messages.card_buttons import ButtonKind, CardButton
from domain.states import HandlingState, Side
from sandbox.slack.block_kit.blocks import check_message
from services.messages.available_actions import available_actions
from services.messages.button_values import ButtonSigner
from services.messages.cards import MOST_NOTES, Card
from services.messages.compose import (
    LONGEST_EDIT,
    MOST_CARDS,
    MOST_DETAILED,
    Block,
    Message,
    Role,
    compose,
    compose_with_newer_blocks,
)
from store.encryption import Cipher
from tests.services.messages.sample_job_changes import SAMPLES, at, job_change, named

OWNED = "You own Ada Smith in Salesforce."
CRM = CardButton(label="<CRM> & more", url="https://crm.example/?name=Ada%20Smith")
OUTREACH = CardButton(
    kind=ButtonKind.WORKFLOW, label="Outreach", url="https://slack.com/shortcuts/Ft0123ABC456/321", inputs={"id": "003"}
)
LABELS = {"LinkedIn", "Profile", "Contact", "Lead", "Account", "Source"}


def card(change: JobChange, **changes: Any) -> Card:
    given: dict[str, Any] = {"reason": OWNED, "role": "dri", "delivery_id": 1, "contact_url": None, "account_url": None}
    return Card(change, **{**given, **changes})


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        ("new company", "Ada Smith joined Globex as CRO. Was VP Sales at Initech. New role since 1 Nov 2026."),
        ("new company, required fields only", "Ada Smith joined Globex."),
        ("new company, no titles", "Ada Smith joined Globex. Was at Initech. New role since 1 Nov 2026."),
        ("new hire", "Ada Smith was hired by Globex as CRO. Was VP Sales at Initech. New role since 1 Nov 2026."),
        ("promotion", "Ada Smith was promoted to CRO at Globex. Was VP Sales. New role since 1 Nov 2026."),
        ("lateral", "Ada Smith moved to VP Partnerships at Initech. Was VP Sales. New role since 1 Nov 2026."),
        ("departure", "Ada Smith left Initech. Was VP Sales. Left on 1 Nov 2026."),
        (
            "departure, next job known",
            "Ada Smith left Initech. Was VP Sales. Now CRO at Globex. Left on 1 Nov 2026.",
        ),
        (
            "additional role",
            "Ada Smith is now also Board member at Globex. Remains VP Sales at Initech. New role since 1 Nov 2026.",
        ),
    ],
)
def test_each_change_type_has_its_sentence(sample: str, text: str) -> None:
    """Who moved where, then from where, then the date. Unknown facts are left out."""
    assert compose([card(SAMPLES[sample])]).text.splitlines()[0] == text


@pytest.mark.parametrize(
    ("change_type", "side", "text"),
    [
        ("new_company", None, "🌱 Opportunity at Globex"),
        ("new_company", "past", "⚠️ Risk at Initech"),
        ("departure", None, "⚠️ Risk at Initech"),
        ("new_company", "both", "⚠️ Risk at Initech, 🌱 Opportunity at Globex"),
        ("departure", "current", "🌱 Opportunity at Globex"),
        ("new_hire", "past", "⚠️ Risk at Initech"),
        ("lateral", None, None),
        ("promotion", None, "🎉 Reason to reach out"),
        ("promotion", "current", "🎉 Reason to reach out"),
    ],
)
def test_leaving_is_a_risk_and_joining_an_opportunity(change_type: str, side: Side | None, text: str | None) -> None:
    """The side decides, else the change type. Staying is neither; a promotion is a reason to reach out."""
    change = job_change(change_type=change_type)
    second = compose([card(change, side=side)]).text.splitlines()[1]

    assert second == ", ".join([*([text] if text else []), "Champion", "Economic buyer", "score 87."])


def test_the_text_contains_everything_that_the_blocks_contain() -> None:
    """Notifications and screen readers only have the text."""
    message = compose([card(SAMPLES["new company"])])

    shown = re.sub("<https[^>]*>", "", " ".join(_mrkdwn(message)).replace("*", ""))
    assert set(re.findall(r"\w+", shown)) <= set(re.findall(r"\w+", message.text))


def test_the_owner_of_the_previous_company_reads_first_that_the_person_left() -> None:
    """For that owner, the loss is the news."""
    text = compose([card(job_change(), side="past")]).text.splitlines()[0]

    assert text == "Ada Smith left Initech and joined Globex as CRO. Was VP Sales. New role since 1 Nov 2026."


def test_a_card_says_why_you_with_its_links_in_one_line() -> None:
    """Only links that exist, with short labels."""
    change = job_change(links={})
    blocks = compose([card(change, contact_url="https://acme.my.salesforce.com/003")]).blocks or []

    assert blocks[-1]["elements"][0]["text"] == (
        "You own Ada Smith in Salesforce · "
        "<https://www.linkedin.com/in/ada|LinkedIn> · <https://acme.my.salesforce.com/003|Contact>"
    )


def test_a_card_has_one_line_of_buttons_for_its_delivery() -> None:
    """The usual action comes first, others are in the menu. Each has the delivery's id."""
    message = compose([card(job_change(), delivery_id=7, actions=available_actions("dri", "open", in_person=True))])

    *buttons, menu = (message.blocks or [])[-1]["elements"]
    assert [(button["action_id"], button["text"]["text"], button["value"]) for button in buttons] == [
        ("delivery_take", "I'm on it", "7"),
        ("delivery_hand_on", "Not mine…", "7"),
    ]
    assert [button.get("style") for button in buttons] == ["primary", None]
    assert [option["value"] for option in menu["options"]] == [
        f"{kind}:7" for kind in ("later", "not_relevant", "why", "wrong_data", "mute")
    ]


def test_signed_values_fit_into_buttons_and_options() -> None:
    """
    Also with the largest id. The signature is another one for each message and each action. The buttons of the admins
    stay as they are.
    """
    signer = ButtonSigner(Cipher.of([Fernet.generate_key().decode()]))
    actions = available_actions("dri", "open", in_person=True)
    composed = compose([card(job_change(), delivery_id=10**18 - 1, actions=actions, buttons=(CRM, OUTREACH))])

    signed = [signer.signed(composed, "T1", post_id).blocks or [] for post_id in ("post 1", "post 2")]
    first, second = ([option["value"] for option in blocks[-1]["elements"][-1]["options"]] for blocks in signed)

    assert signed[0][-1]["elements"][2:4] == (composed.blocks or [])[-1]["elements"][2:4]
    assert max(map(len, first)) <= 150
    assert len({value.partition(".")[2] for value in first + second}) == len(first + second)


def open_cards(count: int) -> list[Card]:
    actions = available_actions("dri", "open", in_person=True)
    return [card(job_change(), delivery_id=number, actions=actions) for number in range(1, count + 1)]


def test_in_a_bundle_of_up_to_five_each_job_change_has_its_buttons() -> None:
    """And its date and previous job, as in a card of its own."""
    blocks = compose(open_cards(MOST_DETAILED)).blocks or []

    rows = [block["elements"] for block in blocks if block["type"] == "actions"]
    assert [[element.get("value", "menu") for element in row] for row in rows] == [
        [str(number), str(number), "menu"] for number in range(1, MOST_DETAILED + 1)
    ]
    assert str(blocks).count("Was VP Sales at Initech. New role since 1 Nov 2026.") == MOST_DETAILED


def test_in_a_longer_bundle_each_job_change_has_its_own_menu() -> None:
    """It has the actions of a card, as far as they fit."""
    blocks = compose(open_cards(MOST_DETAILED + 1)).blocks or []

    menus = [block["accessory"] for block in blocks if "accessory" in block]
    assert [[option["value"] for option in menu["options"]] for menu in menus] == [
        [f"{kind}:{number}" for kind in ("take", "hand_on", "later", "not_relevant", "why")]
        for number in range(1, MOST_DETAILED + 2)
    ]
    assert str(blocks).count("Was VP Sales at Initech. New role since 1 Nov 2026") == MOST_DETAILED + 1
    assert not any(block["type"] == "actions" for block in blocks)


def test_what_the_cards_of_a_bundle_have_in_common_is_said_once() -> None:
    """The cards are grouped by it, and each only adds what is its own."""
    not_in_slack = SharedReason("No DRI found. Not in Slack:", "The contact's owner, Kim Lee")
    cards = [
        card(named("Ada"), reason="No DRI found: Kim.", shared=not_in_slack),
        card(named("Bob"), reason="No DRI found: nobody."),
        card(
            named("Eve"), reason="No DRI found: Mo.", shared=replace(not_in_slack, rest="The contact's owner, Mo Chen")
        ),
    ]

    message = compose(cards)

    for text in (str(message.blocks), message.text):
        assert text.count("No DRI found. Not in Slack:") == 1
        places = [text.index(words) for words in ("Not in Slack", "Ada", "Kim Lee", "Eve", "Mo Chen", "Bob", "nobody")]
        assert places == sorted(places)
        assert "No DRI found: Kim." not in text


def test_notes_are_above_the_buttons_and_in_the_text() -> None:
    """Everyone who received it sees who is on it."""
    message = compose(
        [card(job_change(), notes=("✅ <@U1> is on it",), actions=available_actions("dri", "taken", in_person=True))]
    )

    assert (message.blocks or [])[-2]["elements"][0]["text"] == "✅ <@U1> is on it"
    assert "✅ <@U1> is on it" in message.text


def test_a_long_text_is_shortened_for_an_update() -> None:
    """chat.update accepts less text than chat.postMessage. Whole lines are cut from the end."""
    long = compose([card(job_change(), reason=f"{number} why " * 80) for number in range(10)])

    assert len(long.text) > LONGEST_EDIT
    assert len(long.short_text) <= LONGEST_EDIT
    assert long.text.startswith(long.short_text)


def test_a_lead_is_called_a_lead() -> None:
    """Its link has the label Lead, not Contact."""
    lead = card(SAMPLES["new company"], contact_url="https://acme.my.salesforce.com/00Q000000000001AAA")

    assert "|Lead>" in str(compose([lead]).blocks)
    assert "|Lead>" in compose([lead], plainness=2).text


def test_a_profile_outside_linkedin_is_not_called_linkedin() -> None:
    """The label of a link says where it leads."""
    assert "Profile" in str(compose([card(SAMPLES["a profile outside LinkedIn"])]).blocks)
    assert "LinkedIn" not in str(compose([card(SAMPLES["a profile outside LinkedIn"])]).blocks)


@pytest.mark.parametrize(
    ("roles", "header"),
    [
        (["dri", "dri"], "2 job changes for you"),
        (["fallback"] * 3, "3 job changes without a DRI"),
        (["copy", "copy"], "2 job changes, sent to their DRIs"),
        (["dri", "copy"], "2 job changes"),
    ],
)
def test_the_title_of_a_bundle_has_the_count_and_the_role(roles: list[Role], header: str) -> None:
    """After the title, each job change has a line and its own reason."""
    cards = [card(named(f"Ada {number}"), role=role, reason=f"Reason {number}.") for number, role in enumerate(roles)]
    message = compose(cards)

    assert message.blocks is not None
    assert message.blocks[0]["text"]["text"] == header
    assert message.text.splitlines()[0] == header
    for number, line in enumerate(message.text.splitlines()[1:]):
        assert line.startswith(f"• Ada {number} joined Globex as CRO.")
        assert line.endswith(f"Reason {number}.")
        assert f"*Ada {number}*" in message.blocks[1 + 2 * number]["text"]["text"]
        assert f"Reason {number}" in message.blocks[2 + 2 * number]["elements"][0]["text"]


def test_a_test_message_says_so_first() -> None:
    """Nobody should act on sample data."""
    message = compose([card(SAMPLES["new company"], is_test=True)])

    assert message.text.startswith("Test message")
    assert "Test message" in (message.blocks or [])[0]["elements"][0]["text"]


def test_a_refused_message_is_composed_plainer() -> None:
    """First without links, then without blocks but with the links in the text."""
    plainer, plainest = (compose([card(SAMPLES["new company"])], plainness=level) for level in (1, 2))

    assert plainer.blocks
    assert "https://" not in str(plainer.blocks)
    assert plainest.blocks is None
    assert "<https://www.linkedin.com/in/ada|LinkedIn>" in plainest.text


@pytest.mark.parametrize("count", [0, MOST_CARDS + 1])
def test_a_message_carries_one_to_ten_job_changes(count: int) -> None:
    """Any other number is an error of the caller."""
    with pytest.raises(ValueError, match="carries 1 to 10"):
        compose([card(SAMPLES["new company"])] * count)


def test_a_name_keeps_its_lower_case_letter() -> None:
    """Also at the beginning of a sentence."""
    assert compose([card(named("de Vries"))]).text.startswith("de Vries joined")


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Cards with texts that a hostile sender, Salesforce org or colleague could cause."""
    noise = st.one_of(
        st.text("*_~`<>&|!@#: \n\u202eaע🚀", min_size=1, max_size=120),
        st.sampled_from(["&" * 500, "<!channel>", "<@U1>", "*x*", "<http://x|y>", "ﷺ" * 500]),
    ).filter(lambda text: any(char.isprintable() and char != " " for char in text))
    urls = st.one_of(
        st.none(),
        st.sampled_from(["https://a.example/" + "&" * 900, "javascript:x", "https://a.example/|>`<!here>"]),
        st.text(max_size=30).map(lambda path: f"https://a.example/{path}"),
    )
    change = job_change(
        change_type=draw(st.sampled_from(ChangeType)),
        person={"full_name": draw(noise)[:500], "emails": ["ada@globex.com"]},
        previous=at(draw(noise)[:500], draw(noise)[:500]),
        current=at(draw(noise)[:500], draw(noise)[:500]),
        relationship=draw(noise)[:500],
        persona=draw(noise)[:500],
        score=draw(st.floats(allow_nan=False, allow_infinity=False)),
    )
    return card(
        change,
        reason=draw(noise),
        role=(role := draw(st.sampled_from(["dri", "fallback", "channel", "copy"]))),
        delivery_id=draw(st.integers(0, 2**63)),
        contact_url=draw(urls),
        account_url=draw(urls),
        is_test=draw(st.booleans()),
        side=draw(st.sampled_from([None, "past", "current", "both"])),
        context=draw(st.sampled_from([(), ("Amount: 120,000 USD",) * 4])),
        shared=draw(st.sampled_from([None, SharedReason("You own these."), SharedReason("No DRI found.", "Kim Lee")])),
        notes=draw(st.sampled_from([(), ("✅ <@U1> is on it · <!date^1^{date}|then>",) * MOST_NOTES])),
        actions=available_actions(
            role,
            draw(st.sampled_from(HandlingState)),
            in_person=role == "dri",
        ),
        buttons=draw(st.sampled_from([(), (CRM, OUTREACH)])),
    )


@given(st.lists(cards(), min_size=1, max_size=MOST_CARDS), st.integers(0, 2))
def test_no_input_exceeds_the_limits_of_slack(given: list[Card], plainness: int) -> None:
    """The limits of https://docs.slack.dev/reference/block-kit/blocks and of chat.postMessage."""
    message = compose(given, plainness=plainness)

    assert 0 < len(message.text) <= 40_000
    assert len(message.blocks or []) <= 50
    assert all(0 < len(text) <= 3_000 for text in _mrkdwn(message))
    for block in message.blocks or []:
        assert block["type"] in {"section", "context", "divider", "header", "actions"}
        assert block["type"] != "header" or len(block["text"]["text"]) <= 150
        assert block["type"] != "context" or 1 <= len(block["elements"]) <= 10
    for element in _elements(message):
        options = element.get("options", [element])
        assert 1 <= len(options) <= 5
        assert all(len(option["text"]["text"]) <= 75 and len(option.get("value", "")) <= 75 for option in options)
    ids = [block["block_id"] for block in message.blocks or [] if "block_id" in block]
    assert len(ids) <= (MOST_DETAILED if len(given) > 1 else 1)


@given(st.lists(cards(), min_size=1, max_size=MOST_CARDS))
def test_card_and_table_blocks_are_valid_whatever_they_show(given: list[Card]) -> None:
    """What does not fit has the usual blocks instead."""
    message = compose_with_newer_blocks(given, digest="daily")

    assert message is None or (
        check_message(message.blocks) == [] and message.text == compose(given, digest="daily").text
    )


@given(st.lists(cards(), min_size=1, max_size=3), st.integers(0, 2))
def test_no_input_becomes_markup(given: list[Card], plainness: int) -> None:
    """The only markup in a message is our own: links with our labels, and bold names."""
    message = compose(given, plainness=plainness)

    for text in (message.text, *_mrkdwn(message)):
        without_ours = re.sub(r"<@U1>|<!date\^1\^{date}\|then>", "", text)
        without_links = re.sub(r"<https?://[^<>|\s]+\|([^<>|]+)>", _our_label, without_ours)
        assert not re.search("[<>`]", without_links)
        without_bold = re.sub(r"(?<![A-Za-z0-9])\*([^*\n]+)\*(?![A-Za-z0-9])", r"\1", without_links, count=3)
        assert not re.search(r"(?<![A-Za-z0-9])([*_~]).+?\1(?![A-Za-z0-9])", without_bold)


def _our_label(match: re.Match[str]) -> str:
    assert match[1] in LABELS
    return match[1]


def _mrkdwn(message: Message) -> Iterator[str]:
    for block in message.blocks or []:
        if block["type"] == "section":
            yield block["text"]["text"]
        if block["type"] == "context":
            yield from (element["text"] for element in block["elements"])


def _elements(message: Message) -> Iterator[Block]:
    for block in message.blocks or []:
        if block["type"] == "actions":
            yield from block["elements"]
        if "accessory" in block:
            yield block["accessory"]


def test_a_bundle_of_long_links_stays_below_slacks_limit_for_all_blocks() -> None:
    """Slack counts all text of a message together. The first job changes keep their links."""
    url = "https://app.usergems.example/changes/" + "x" * 440
    long = job_change(links={"source_url": url})
    cards = [card(long, delivery_id=number, contact_url=url, account_url=url) for number in range(MOST_CARDS)]

    message = compose(cards)

    assert message.blocks is not None
    assert text_of_blocks(message.blocks) <= 12_000
    assert text_of_blocks(message.blocks) > 6_000
    assert url in str(message.blocks[3])
    assert url not in str(message.blocks[-1])


def test_a_bundle_without_room_for_its_blocks_is_sent_as_text() -> None:
    """Nothing is left out of the text."""
    cards = [card(named("Ada Smith"), delivery_id=number, notes=("n" * 1_400,)) for number in range(MOST_CARDS)]

    message = compose(cards)

    assert message.blocks is None
    assert message.text.count("n" * 1_400) == MOST_CARDS


def text_of_blocks(part: Any) -> int:
    """Count the characters as Slack does: every text, at any depth."""
    if isinstance(part, list):
        return sum(map(text_of_blocks, part))
    own = len(part["text"]) if isinstance(part.get("text"), str) else 0
    return own + sum(text_of_blocks(value) for value in part.values() if isinstance(value, dict | list))
