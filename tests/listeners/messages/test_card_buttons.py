"""Admins choose the buttons on cards in Home."""

from __future__ import annotations

from store.slack import workspaces

TRIGGER = "https://slack.com/shortcuts/Ft0123ABC456/321"


async def saved(office, **entered) -> dict[str, str]:
    """Open the dialog in Home and submit it. Returns its errors."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_card_buttons")
    reply = await office.slack.submit_view(office.dana.id, entered)
    await office.settled()
    return reply.errors or {}


async def stored(office):
    return (await office.database.run(workspaces.find, office.team.id)).card_buttons


async def test_two_buttons_are_chosen_shown_again_and_removed(office):
    """Home names them, and the audit log who changed them."""
    second = {"label_1": "Outreach", "kind_1": "workflow", "url_1": TRIGGER, "inputs_1": "contact = {contact_id}\n"}

    assert await saved(office, label_0="CRM", url_0="https://crm.example/{contact_id}", **second) == {}

    first, outreach = await stored(office)
    assert (first.label, first.url, first.inputs) == ("CRM", "https://crm.example/{contact_id}", {})
    assert (outreach.is_workflow, outreach.inputs) == (True, {"contact": "{contact_id}"})
    assert "“CRM”, “Outreach”" in await office.open_home(office.dana)
    assert await saved(office) == {}  # what is shown is what was stored
    assert await stored(office) == (first, outreach)

    assert await saved(office, label_0="", url_0="") == {}
    assert await stored(office) == (outreach,)


async def test_an_invalid_value_is_refused_at_its_field(office):
    """All errors at once, and nothing is stored."""
    second = {"label_1": "Outreach", "kind_1": "workflow", "url_1": "https://crm.example", "inputs_1": "x = {y}"}

    errors = await saved(office, url_0="https://crm.example/{contact}", **second)

    assert errors["label_0"] == "A label has 1 to 30 characters."
    assert "Unknown placeholder {contact}. Use {contact_id}, {lead_id}" in errors["url_0"]
    assert "Copy the link that starts the workflow" in errors["url_1"]
    assert "Unknown placeholder {y}." in errors["inputs_1"]
    assert "one input per line" in (await saved(office, label_0="CRM", inputs_0="contact"))["inputs_0"]
    assert "Only a workflow has inputs" in str(await saved(office, label_0="a", url_0=EXAMPLE, inputs_0="a = b"))
    assert await stored(office) == ()


EXAMPLE = "https://crm.example/"
