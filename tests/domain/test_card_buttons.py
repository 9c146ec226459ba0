"""The buttons that admins add to cards: what is accepted, what is refused, and how they are filled."""

from __future__ import annotations

import pytest

from domain.messages.card_buttons import (
    LONGEST_URL,
    CardButton,
    InvalidButtonsError,
    buttons_to_json,
    card_buttons,
    stored_buttons,
    usable_buttons,
)

TRIGGER = "https://slack.com/shortcuts/Ft0123ABC456/6d948ddf69a9"
LINK = {"label": "Open in CRM", "url": "https://crm.example:8443/{contact_id}?who={person_name}#{email}"}
WORKFLOW = {"kind": "workflow", "label": "Outreach", "url": TRIGGER, "inputs": {"contact": "{contact_id}/{email}"}}


def faults(*buttons: object) -> dict[tuple[int | None, str], str]:
    with pytest.raises(InvalidButtonsError) as raised:
        card_buttons(list(buttons))
    return dict(raised.value.faults)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://crm.example/{contact_id}", "must start with https://"),
        ("javascript:alert({contact_id})", "must start with https://"),
        ("https://{company_domain}/", "neither placeholders nor a password"),
        ("https://crm.example@evil.example/", "neither placeholders nor a password"),
        ("https://crm.example/{contact}", "Unknown placeholder {contact}. Use {contact_id}, {lead_id}"),
        ("https://crm.example/{email.__class__}", "Unknown placeholder {email.__class__}."),
        ("https://crm.example/{{email}}", "A brace has to be part"),
        ("https://crm.example/}", "A brace has to be part"),
        ("https://crm.example/a b", "no spaces"),
        ("https://crm.example/é", "ASCII"),
        ("https://crm.example:x/", "not a valid URL"),
        ("https://crm.example/" + "x" * 1_000, "up to 1,000"),
        ("", "must start with https://"),
    ],
)
def test_a_link_is_https_with_known_placeholders_after_the_host(url: str, fault: str) -> None:
    """So that nothing that a sender reports decides which host is opened."""
    assert fault in faults({"label": "CRM", "url": url})[0, "url"]


def test_other_faults_are_reported_at_their_button_and_field() -> None:
    """All at once, as a dialog and the terminal show them."""
    found = faults(
        {"label": " ", "url": "https://crm.example"},
        {"kind": "workflow", "label": "Run", "url": "https://crm.example", "inputs": {"a b": "", "c": "{x}"}},
    )
    assert list(found) == [(0, "label"), (1, "url"), (1, "inputs")]
    assert "Copy the link that starts the workflow" in found[1, "url"]
    assert "“a b” is not the name of an input" in found[1, "inputs"]
    assert faults({"label": "x" * 31, "url": "https://a.example"}).keys() == {(0, "label")}
    assert faults(LINK | {"inputs": {"a": "b"}}) == {(0, "inputs"): "Only a workflow has inputs."}
    assert faults(LINK, LINK, LINK).keys() == {(None, "")}
    assert faults(LINK | {"color": "red"}).keys() == {(0, "color")}


def test_a_placeholder_is_encoded_in_a_link_and_plain_in_a_workflow() -> None:
    """A name cannot change the address, and a workflow gets the value as it is."""
    values = {"contact_id": "003A", "person_name": "A/d?a #&%é{email}", "email": "ada@globex.com"}
    link, workflow = (button.filled(values) for button in card_buttons([LINK, WORKFLOW]))

    assert link is not None
    assert link.url == ("https://crm.example:8443/003A?who=A%2Fd%3Fa%20%23%26%25%C3%A9%7Bemail%7D#ada%40globex.com")
    assert workflow is not None
    assert (workflow.url, workflow.inputs) == (TRIGGER, {"contact": "003A/ada@globex.com"})


@pytest.mark.parametrize("missing", [{}, {"company": ""}, {"company": ".."}, {"company": "é" * LONGEST_URL}])
def test_a_button_without_a_value_is_left_out(missing: dict[str, str]) -> None:
    """So is one whose value would go up a folder, and one that is too long for Slack."""
    assert CardButton(label="CRM", url="https://crm.example/{company}/edit").filled(missing) is None


def test_buttons_are_read_back_as_they_were_stored() -> None:
    """Those of another version are left out instead of stopping a message."""
    buttons = card_buttons([LINK, WORKFLOW])

    stored = buttons_to_json(buttons)

    assert stored_buttons(stored) == buttons
    assert usable_buttons(stored, None) == buttons
    assert usable_buttons(stored, "refused") == buttons[:1]
    assert stored_buttons('[{"label": "Later", "kind": "canvas"}]') == ()
