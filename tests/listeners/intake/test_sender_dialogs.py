"""Admins add senders in Home, see what came in, rotate and revoke their secrets, and send refused payloads again."""

from __future__ import annotations

import json

from services.intake.keys import KeyCheck
from services.intake.mapping.field_mappings import FieldMappings
from services.intake.senders.proofs import Credentials
from store.intake import job_changes, senders


def modal_of(office) -> str:
    return json.dumps(office.slack.modal(office.dana.id).definition, ensure_ascii=False)


async def opened(office) -> str:
    await office.open_home(office.dana)
    await office.pick(office.dana, "home_senders")
    return modal_of(office)


async def acted(office, action_id: str, value: str | None = None) -> str:
    assert (await office.slack.act_in_modal(office.dana.id, action_id, value)).status == 200
    await office.settled()
    return modal_of(office)


async def add(office, product: str, **fields: str) -> str:
    await opened(office)
    await acted(office, "sender_add")
    reply = await office.slack.submit_view(office.dana.id, {"product": product} | fields)
    await office.settled()
    return str(reply.errors) if reply.errors else modal_of(office)


async def is_valid(office, key: str, sender: str) -> bool:
    checked = await office.intake_keys.check_head(office.team.id, Credentials(None, (key.encode(),)), sender)
    return checked.result is KeyCheck.VALID


async def test_a_sender_is_added_with_its_address_secret_and_steps(office):
    """The secret is shown once, and is this sender's alone. Home lists the sender."""
    shown = await add(office, "common_room")
    key = shown.split("```")[1]

    assert f"/v1/workspaces/{office.team.id}/job-changes?source=common_room" in shown
    assert "In Common Room, open Settings" in shown
    assert await is_valid(office, key, "common_room")
    assert not await is_valid(office, key, "clay")
    assert key not in await opened(office)
    assert "common_room" in await office.open_home(office.dana)


async def test_a_secret_that_the_vendor_made_has_to_be_entered(office):
    """As for another product, its name."""
    assert "Enter it here." in await add(office, "lusha")
    assert "Enter the name" in await add(office, "other")
    assert "Copy it now" not in await add(office, "lusha", secret="secret of lusha")
    assert "our-crm" in await add(office, "other", name="our-crm")


async def test_a_key_is_rotated_and_revoked(office):
    """The old one works for another day, a revoked one not at all. Revoking is confirmed first."""
    first = (await add(office, "clay")).split("```")[1]
    await opened(office)
    second = (await acted(office, "sender_do", "rotate:clay")).split("```")[1]
    assert [await is_valid(office, key, "clay") for key in (first, second)] == [True, True]

    await opened(office)
    assert "Revoke the secret of Clay?" in await acted(office, "sender_do", "revoke:clay")
    assert await is_valid(office, second, "clay")
    assert (await office.slack.submit_view(office.dana.id, {})).errors == {}
    await office.settled()
    assert "no longer works" in modal_of(office)
    assert [await is_valid(office, key, "clay") for key in (first, second)] == [False, False]


async def test_a_test_of_a_sender_is_sent_to_the_admin_who_asks(office):
    """The sample of the vendor goes through the sender's adapter, and notifies nobody else."""
    await add(office, "tamradar")
    await opened(office)
    assert "is on its way to you" in await acted(office, "sender_do", "test:tamradar")

    [(_, payload)] = await office.database.run(job_changes.latest, office.team.id, 10)
    stored = json.loads(payload)
    assert (stored["source"], stored["dri_email"]) == ("usergems-test", "dana@acme.example")
    assert stored["current"]["company"]["name"] == "Globex"


async def test_a_refused_payload_is_sent_again_after_the_mapping_was_corrected(office, clock):
    """It is shown with its values shortened. Others that were refused are still there."""
    await add(office, "other", name="our-crm")
    intake = office.parts["added_senders"].intake
    await intake.receive(office.team.id, {"who": "Ada Smith", "mail": "ada@initech.example", "to": "Globex"}, "our-crm")
    await intake.receive(office.team.id, {"who": "Bob Jones"}, "our-crm")

    assert "2 refused" in await opened(office)
    shown = await acted(office, "sender_do", "refused:our-crm")
    assert "person is required" in shown
    assert "Ad…" in shown
    assert "Smith" not in shown

    paths = {"who": "person.full_name", "mail": "person.emails", "to": "current.company.name"}
    await FieldMappings(office.database, clock).save(office.team.id, office.dana.id, "our-crm", {"map": paths})
    assert "Accepted" in await acted(office, "sender_send_again", "1:our-crm")
    [sender] = await office.database.run(senders.all_of, office.team.id)
    assert (sender.accepted, sender.refused) == (1, 2)
    assert ("Ad…" in modal_of(office), "Bo…" in modal_of(office)) == (False, True)


async def test_a_field_mapping_is_edited_row_by_row_beside_what_the_sender_has_sent(office):
    """Paths are added from the payload that was refused, with its values shortened. What rows cannot show is kept."""
    await add(office, "other", name="our-crm")
    intake = office.parts["added_senders"].intake
    payload = {"who": {"name": "Ada Smith"}, "mail": "ada@initech.example", "to": "Globex"}
    await intake.receive(office.team.id, payload, "our-crm")
    mappings = FieldMappings(office.database, lambda: 1)
    words = {"change_type": {"Left": "departure"}}
    before = {"map": {"mail": "person.emails"}, "words": words}
    await mappings.save(office.team.id, office.dana.id, "our-crm", before)
    await office.open_home(office.dana)
    await office.pick(office.dana, "sender_mappings")

    shown = await acted(office, "mapping_edit", "our-crm")
    assert "In the sample: ad…" in shown
    assert "Only in the JSON, and unchanged here: translations of change_type." in shown
    for number, (path, field) in enumerate({"who.name": "person.full_name", "to": "current.company.name"}.items(), 1):
        await acted(office, "mapping_add_path", path)
        await office.slack.act_in_modal(office.dana.id, "mapping_field", field, f"row-{number}")
        await office.settled()
    await acted(office, "mapping_add_fixed")
    refused = await office.slack.submit_view(office.dana.id, {"always-3": "contact_tracking"})
    assert refused.errors == {"always-3": "Choose the field that it goes to."}
    await office.slack.act_in_modal(office.dana.id, "mapping_field", "signal", "row-3")
    await office.settled()
    await office.slack.submit_view(office.dana.id, {})
    await office.settled()

    assert "Saved. New rows from our-crm use this mapping." in modal_of(office)
    assert "Nothing is mapped to" not in modal_of(office)
    assert (await mappings.all_of(office.team.id))["our-crm"] == {
        "map": {"mail": "person.emails", "who.name": "person.full_name", "to": "current.company.name"},
        "set": {"signal": "contact_tracking"},
        "words": words,
    }


async def test_a_field_mapping_that_lacks_what_every_row_needs_is_saved_with_a_warning(office):
    """It says what is missing, as the preview does."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "sender_mappings")
    await acted(office, "mapping_edit", "+")
    await office.slack.act_in_modal(office.dana.id, "mapping_text", "who", "path-0")
    await office.slack.act_in_modal(office.dana.id, "mapping_field", "person.full_name", "row-0")
    await office.settled()
    await office.slack.submit_view(office.dana.id, {"source": "our-crm"})
    await office.settled()

    shown = modal_of(office)
    assert "Saved. New rows from our-crm use this mapping." in shown
    assert "Nothing is mapped to a name" not in shown
    assert "Nothing is mapped to an email address, a LinkedIn URL or a Salesforce id of the person" in shown
    assert "Nothing is mapped to a company, so its rows are refused." in shown


async def test_a_field_mapping_can_be_edited_as_json_and_row_by_row_again(office):
    """Going back to rows is refused if they would lose what was entered."""
    await office.open_home(office.dana)
    await office.pick(office.dana, "sender_mappings")
    await acted(office, "mapping_edit", "+")
    await office.slack.act_in_modal(office.dana.id, "mapping_text", "who", "path-0")
    await office.slack.act_in_modal(office.dana.id, "mapping_field", "person.full_name", "row-0")
    await office.settled()
    assert 'who\\": \\"person.full_name' in await acted(office, "mapping_as_json")
    entered = office.slack.modal(office.dana.id).input_states
    words = {"map": {"who": "persona"}, "words": {"signal": {"a": "custom"}}}
    for definition, shown in ((words, "Rows cannot show all of this"), (words | {"words": {}}, "row-0")):
        entered["definition", "definition"] = {"type": "plain_text_input", "value": json.dumps(definition)}
        assert shown in await acted(office, "mapping_as_rows")


async def test_merging_reports_of_one_move_can_be_switched_off(office):
    """In the same dialog. The audit says who did it."""
    assert '"initial_option": {"text": {"type": "plain_text", "text": "Notify once"' in await opened(office)
    assert "Saved." in await acted(office, "sender_merge", "no")

    assert not (await office.workspace()).merge_reports
