"""Validation of blocks and views, with Slack's error messages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.slack.block_kit.blocks import check_message, check_view
from sandbox.slack.block_kit.parts import with_ids

WORDS = ("type", "text", "fields", "accessory", "elements", "element", "label", "options", "block_id", "action_id")
NAMES = st.sampled_from(WORDS) | st.text(max_size=3)


def plain(text: str = "Text") -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str = "*Text*") -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(**fields: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(), **fields}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain(), "action_id": "go", **fields}


def workflow_button(**fields: Any) -> dict[str, Any]:
    trigger = {"url": "https://slack.com/shortcuts/Ft0123ABC456/321", "customizable_input_parameters": []}
    return {"type": "workflow_button", "text": plain(), "action_id": "run", "workflow": {"trigger": trigger}, **fields}


def option(value: str = "one") -> dict[str, Any]:
    return {"text": plain(), "value": value}


def field(**element: Any) -> dict[str, Any]:
    return {"type": "input", "label": plain(), "element": {"action_id": "a", **element}}


def table(*rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "table", "rows": list(rows)}


def cell(**fields: Any) -> dict[str, Any]:
    return {"type": "raw_text", "text": "Ada", **fields}


def linked(url: str = "https://a.example") -> dict[str, Any]:
    elements = [{"type": "link", "url": url, "text": "Ada"}, {"type": "user", "user_id": "U1"}]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


GOOD = [
    section(),
    {"type": "section", "fields": [mrkdwn("x" * 2000)] * 10},
    section(accessory={"type": "overflow", "options": [option()] * 5}),
    section(accessory={"type": "image", "image_url": "https://a.example/b.png", "alt_text": "A face"}),
    {"type": "divider"},
    {"type": "header", "text": plain("x" * 150)},
    {"type": "actions", "elements": [button(action_id=f"a{number}") for number in range(25)]},
    {"type": "actions", "elements": [button(style="primary", url="https://a.example", value="v" * 2000)]},
    {"type": "context", "elements": [mrkdwn(), plain()] * 5},
    {"type": "card", "title": mrkdwn("x" * 150), "body": mrkdwn("x" * 200), "actions": [button()]},
    {"type": "carousel", "elements": [{"type": "card", "title": mrkdwn()}]},
    {
        "type": "actions",
        "elements": [{"type": "conversations_select", "filter": {"include": ["public"]}, "placeholder": plain()}],
    },
]


@pytest.mark.parametrize("block", GOOD)
def test_valid_blocks_are_accepted_in_messages_and_home(block: dict[str, Any]) -> None:
    """These follow Slack's reference."""
    assert check_message([block]) == []
    assert check_view({"type": "home", "blocks": [block]}, "home") == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({}, "missing required field: type [json-pointer:/blocks/0]"),
        ({"type": "sectoin"}, "unsupported type: sectoin [json-pointer:/blocks/0/type]"),
        ({"type": "section"}, "must define either `text` or `fields` [json-pointer:/blocks/0]"),
        (section(color="red"), "invalid additional property: color [json-pointer:/blocks/0]"),
        (section(text=mrkdwn("")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        (section(text=mrkdwn("x" * 3001)), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
        (section(text="words"), "must provide an object [json-pointer:/blocks/0/text]"),
        (section(text={"type": "markdown", "text": "a"}), "unsupported type: markdown"),
        (section(fields=[mrkdwn()] * 11), "no more than 10 items allowed [json-pointer:/blocks/0/fields]"),
        (section(fields=[mrkdwn("x" * 2001)]), "must be less than 2001 characters"),
        (section(accessory=[button()]), "must provide an object [json-pointer:/blocks/0/accessory]"),
        (section(block_id="x" * 256), "must be less than 256 characters [json-pointer:/blocks/0/block_id]"),
        ({"type": "header", "text": mrkdwn()}, "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
        ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters"),
        ({"type": "context", "elements": [mrkdwn()] * 11}, "no more than 10 items allowed"),
        ({"type": "context", "elements": []}, "no fewer than 1 items allowed"),
        ({"type": "actions", "elements": [button()] * 26}, "no more than 25 items allowed"),
        ({"type": "actions", "elements": [button(text=plain("x" * 76))]}, "must be less than 76 characters"),
        ({"type": "actions", "elements": [button(text=mrkdwn())]}, "unsupported type: mrkdwn"),
        ({"type": "actions", "elements": [button(value="x" * 2001)]}, "must be less than 2001 characters"),
        ({"type": "actions", "elements": [button(style="warning")]}, "must be one of: primary, danger"),
        ({"type": "actions", "elements": [button(disabled=True)]}, "invalid additional property: disabled"),
        ({"type": "actions", "elements": [button(url="javascript:a")]}, "must be a valid url"),
        ({"type": "actions", "elements": [button(action_id="x" * 256)]}, "must be less than 256 characters"),
        ({"type": "actions", "elements": [button(), button()]}, "`action_id` go already exists"),
        (section(accessory={"type": "overflow", "options": [option()] * 6}), "no more than 5 items allowed"),
        (section(accessory={"type": "static_select"}), "must define either `options` or `option_groups`"),
        (section(accessory={"type": "static_select", "options": [option("x" * 151)]}), "less than 151 characters"),
        (section(accessory={"type": "conversations_select", "filter": {}}), "must define either `include`"),
        (section(accessory={"type": "conversations_select", "filter": {"include": []}}), "no fewer than 1 items"),
        ({"type": "card", "subtitle": mrkdwn()}, "must define either `hero_image`"),
        ({"type": "card", "body": mrkdwn("x" * 201)}, "must be less than 201 characters"),
        ({"type": "card", "actions": [button(action_id=f"{n}") for n in range(4)]}, "no more than 3 items allowed"),
        ({"type": "card", "actions": [{"type": "overflow", "options": [option()]}]}, "unsupported type: overflow"),
        ({"type": "card", "actions": [workflow_button()]}, "unsupported type: workflow_button"),
        ({"type": "actions", "elements": [workflow_button(action_id=None)]}, "missing required field: action_id"),
        ({"type": "actions", "elements": [workflow_button(workflow={})]}, "missing required field: trigger"),
        (table([]), "no fewer than 1 items allowed [json-pointer:/blocks/0/rows/0]"),
        (table([cell()] * 21), "no more than 20 items allowed"),
        (table(*[[cell()]] * 101), "no more than 100 items allowed"),
        (table([cell(text="")]), "must be more than 0 characters [json-pointer:/blocks/0/rows/0/0/text]"),
        (table([mrkdwn()]), "unsupported type: mrkdwn [json-pointer:/blocks/0/rows/0/0/type]"),
        (table([linked("javascript:a")]), "must be a valid url"),
        (table([cell(text="x" * 5_001)] * 2), "no more than 10000 characters allowed"),
        ({"type": "data_table", "rows": [[cell()]] * 2}, "missing required field: caption"),
        ({"type": "data_table", "caption": "Jobs", "rows": [[cell()]]}, "no fewer than 2 items allowed"),
        ({"type": "data_table", "caption": "Jobs", "rows": [[linked()], [cell()]]}, "unsupported type: rich_text"),
        ({"type": "data_table", "caption": "Jobs", "rows": [[cell()], [cell()] * 2]}, "must have 1 items"),
        ({"type": "carousel", "elements": [{"type": "card", "title": mrkdwn()}] * 11}, "no more than 10 items"),
        ({"type": "file", "external_id": "a", "source": "remote"}, "unsupported type: file"),
        ({"type": "alert", "text": mrkdwn()}, "unsupported type: alert"),
        (field(type="number_input", is_decimal_allowed=False), "unsupported type: number_input"),
    ],
)
def test_an_invalid_block_is_rejected_with_the_rule(block: dict[str, Any], problem: str) -> None:
    """As in Slack, the error names the broken rule and points at the field."""
    errors = check_message([block])
    assert any(problem in error for error in errors), errors


def test_a_message_holds_fifty_blocks_and_a_view_a_hundred() -> None:
    """The last block within Slack's limits is still accepted."""
    divider = {"type": "divider"}
    assert check_message([divider] * 50) == []
    assert check_message([divider] * 51) == ["no more than 50 items allowed [json-pointer:/blocks]"]
    assert check_view({"type": "home", "blocks": [divider] * 100}, "home") == []
    assert check_view({"type": "home", "blocks": [divider] * 101}, "home") == [
        "no more than 100 items allowed [json-pointer:/view/blocks]"
    ]


def test_a_block_id_must_be_unique() -> None:
    """Slack rejects two blocks with the same id in a message."""
    assert check_message([section(block_id="a"), section(block_id="b")]) == []
    assert "already exists" in check_message([section(block_id="a")] * 2)[0]


@pytest.mark.parametrize(
    ("kind", "message", "home", "modal"),
    [
        ({"type": "alert", "text": mrkdwn()}, False, False, True),
        ({"type": "card", "title": mrkdwn()}, True, True, False),
        ({"type": "markdown", "text": "# Hello"}, True, False, False),
        (table([cell(), linked()]), True, False, False),
        ({"type": "data_table", "caption": "Jobs", "rows": [[cell()], [linked()]]}, True, False, False),
        ({"type": "container", "title": plain(), "child_blocks": [{"type": "divider"}]}, True, False, False),
        ({"type": "divider"}, True, True, True),
        (field(type="plain_text_input"), True, True, True),
        (field(type="number_input", is_decimal_allowed=True), False, False, True),
        (field(type="datetimepicker"), True, False, True),
        ({"type": "actions", "elements": [workflow_button()]}, True, False, False),
        (section(accessory=workflow_button()), True, False, False),
    ],
)
def test_a_block_is_accepted_on_its_surfaces_only(kind: dict[str, Any], message: bool, home: bool, modal: bool) -> None:
    """Some blocks and inputs are for messages, Home or modals only."""
    view = {"type": "modal", "title": plain(), "submit": plain("Save"), "blocks": [kind]}
    assert (check_message([kind]) == []) is message
    assert (check_view({"type": "home", "blocks": [kind]}, "home") == []) is home
    assert (check_view(view, "modal") == []) is modal


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        ("home", "must provide an object"),
        ({"type": "modal", "blocks": []}, "must be one of: home"),
        ({"type": "home"}, "missing required field: blocks"),
        ({"type": "home", "blocks": [], "submit": plain()}, "invalid additional property: submit"),
        ({"type": "home", "blocks": [], "private_metadata": "x" * 3001}, "must be less than 3001 characters"),
    ],
)
def test_an_invalid_home_is_rejected(view: object, problem: str) -> None:
    """A Home has blocks, no submit button, and at most 3,000 characters of metadata."""
    assert problem in check_view(view, "home")[0]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": plain("x" * 25)}, "must be less than 25 characters [json-pointer:/view/title/text]"),
        ({"submit": plain("x" * 25)}, "must be less than 25 characters [json-pointer:/view/submit/text]"),
        ({"callback_id": "x" * 256}, "must be less than 256 characters"),
        ({"blocks": [field(type="plain_text_input")]}, "`submit` is required"),
    ],
)
def test_an_invalid_modal_is_rejected(fields: dict[str, Any], problem: str) -> None:
    """A modal's title and buttons have at most 24 characters, and inputs require a submit button."""
    assert problem in check_view({"type": "modal", "title": plain(), "blocks": [], **fields}, "modal")[0]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(NAMES, ANYTHING, max_size=6), max_size=3))
def test_any_json_is_accepted_or_rejected_with_a_message(blocks: list[dict[str, Any]]) -> None:
    """The validation never fails, and ids can be added to accepted blocks."""
    errors = check_message(blocks)
    check_view({"type": "modal", "title": plain(), "blocks": blocks}, "modal")
    if not errors:
        assert all(block["block_id"] for block in with_ids(blocks))
    assert all("[json-pointer:/blocks" in error for error in errors)


def test_missing_ids_of_blocks_and_elements_are_added() -> None:
    """Given ids stay, and the original blocks are not modified."""
    nested = {"type": "carousel", "elements": [{"type": "card", "title": mrkdwn(), "actions": [{"type": "button"}]}]}
    stored = with_ids([section(accessory={"type": "button"}, block_id="mine"), nested], lambda: "new")
    assert stored[0]["block_id"] == "mine"
    assert stored[0]["accessory"]["action_id"] == "new"
    assert stored[1]["elements"][0]["actions"][0]["action_id"] == "new"
    assert "block_id" not in nested
