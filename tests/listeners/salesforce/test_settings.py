"""Admins connect, import, map fields and disconnect in App Home, with real HTTP on all sides."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from domain.audit import AuditEntry
from listeners.dialogs.dialog import Patience
from sandbox.salesforce.schema import Field
from sandbox.slack.modals import Submission
from sandbox.slack.state import User
from store import audit
from store.intake import mappings as own
from store.ownership import owners
from store.salesforce import apps, connections, sources
from store.slack import workspaces
from tests.listeners.dialogs.patience import SHORT, SLOW_SECONDS
from tests.listeners.salesforce.salesforce_world import SalesforceWorld, open_salesforce_world
from tests.services.intake.salesforce_org import MOVE


@dataclass
class HomeUser:
    """A user of the app's Home."""

    acme: SalesforceWorld
    user: User

    async def home(self) -> str:
        await self.acme.slack.open_home(self.user.id)
        await self._settled()
        return str(self.acme.slack.world.homes[self.user.id].definition["blocks"])

    async def press(self, action_id: str, value: str | None = None) -> str:
        """Click in Home, and return the text of the dialog that opens."""
        await self.home()
        reply = await self.acme.slack.act_in_home(self.user.id, action_id, value)
        assert reply.status == 200
        await self._settled()
        return self.dialog()

    async def act(self, action_id: str, value: str | None = None) -> str:
        """Act in the open dialog, and return its text."""
        reply = await self.acme.slack.act_in_modal(self.user.id, action_id, value)
        assert reply.status == 200
        await self._settled()
        return self.dialog()

    async def type(self, name: str, value: str) -> None:
        view = self.acme.slack.modal(self.user.id)
        element = next(block["element"] for block in view.blocks if block.get("block_id") == name)
        view.input_states[name, name] = {"type": element["type"], "value": value}

    async def submit(self, **values: str) -> Submission:
        outcome = await self.acme.slack.submit_view(self.user.id, values)
        await self._settled()
        return outcome

    def dialog(self) -> str:
        return str(self.acme.slack.modal(self.user.id).definition)

    def typed(self, name: str) -> str:
        """Return the value of a field of the dialog."""
        blocks = self.acme.slack.modal(self.user.id).blocks
        return str(next(block["element"]["initial_value"] for block in blocks if block.get("block_id") == name))

    async def _settled(self) -> None:
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)


@pytest.fixture
async def acme(sqlite_url: str, patience: Patience) -> AsyncIterator[SalesforceWorld]:
    async with open_salesforce_world(sqlite_url, patience=patience) as made:
        made.org.org.define(MOVE)
        yield made


@pytest.fixture
def dana(acme: SalesforceWorld) -> HomeUser:
    return HomeUser(acme, acme.dana)


async def test_an_admin_connects_and_disconnects_from_home(acme: SalesforceWorld, dana: HomeUser) -> None:
    """The dialog has a link for this admin, and disconnecting revokes the token."""
    assert "has not been used yet" in await dana.home()
    dialog = await dana.press("salesforce_connect")
    link = re.search(r"'url': '([^']+)'", dialog)
    assert link is not None
    page = await acme.get(await acme.answer_consent(await acme.submit_connect_form(link[1])))
    assert "Salesforce connected" in page
    home = await dana.home()
    assert "Connected to Salesforce: Acme Corp (Enterprise Edition, sandbox) as Ines Integration" in home

    await acme.slack.act_in_home(acme.dana.id, "salesforce_disconnect")
    await dana._settled()
    assert "Salesforce disconnected" in str(acme.slack.world.homes[acme.dana.id].definition)
    assert acme.org.oauth.sessions == {}
    connection = await acme.connection()
    assert connection is None or connection.uses_operator_app
    actions = [done.action for done in await acme.app.database.run(audit.recent, acme.team.id)]
    assert actions[:2] == ["salesforce_disconnected", "salesforce_connected"]


async def test_the_operators_connection_can_be_retried_from_home(acme: SalesforceWorld, dana: HomeUser) -> None:
    """After the org has been fixed, one click shows that it works."""

    async def try_again() -> str:
        reply = await acme.slack.act_in_home(acme.dana.id, "salesforce_try_again")
        assert reply.status == 200
        await dana._settled()
        return str(acme.slack.world.homes[acme.dana.id].definition["blocks"])

    connection = await acme.connection()
    assert connection is None
    await dana.home()
    await acme.app.database.run(connections.note_problem, acme.team.id, "the app has no Run As user")
    home = await dana.home()
    assert "the app has no Run As user" in home
    assert "'Connect Salesforce'" in home
    assert "still refuses the connection" in await try_again()
    acme.org.oauth.run_as = acme.integration
    home = await try_again()
    assert "Salesforce is working again" in home
    assert "Connected to Salesforce: Acme Corp" in home
    assert "Salesforce needs you" not in home


async def test_members_see_no_salesforce_buttons(acme: SalesforceWorld) -> None:
    """Home tells them who can change the settings."""
    await acme.connect()
    home = await HomeUser(acme, acme.noor).home()
    assert "Workspace admins and owners" in home
    assert "salesforce_" not in home


@pytest.mark.parametrize("action_id", ["salesforce_connect", "salesforce_sources", "sender_mappings"])
async def test_rights_are_checked_when_a_button_is_clicked(
    acme: SalesforceWorld, dana: HomeUser, action_id: str
) -> None:
    """Home may have been drawn when the user was still an admin."""
    await acme.connect()
    await dana.home()
    acme.dana.is_admin = False
    await acme.slack.act_in_home(acme.dana.id, action_id)
    await dana._settled()
    assert "Only workspace admins and owners" in dana.dialog()


async def test_an_admin_enters_the_workspaces_own_app(sqlite_url: str) -> None:
    """Key and secret are required together and stored encrypted; then the link to the browser appears."""
    async with open_salesforce_world(sqlite_url, has_app=False) as acme:
        dana = HomeUser(acme, acme.dana)
        dialog = await dana.press("salesforce_connect")
        assert "Create an External Client App" in dialog
        assert f"{acme.url}/salesforce/callback" in dialog
        assert (await dana.submit(client_id="3MVG9sample")).errors.keys() == {"client_secret"}
        assert (await dana.submit(client_id="3MVG9sample", client_secret="sample-secret")).ok
        assert "Continue in browser" in dana.dialog()
        assert "sample-secret" not in dana.dialog()
        app = await acme.app.database.run(apps.find, acme.cipher, acme.team.id)
        assert app is not None
        assert (app.client_secret, app.set_by) == ("sample-secret", acme.dana.id)
        await acme.connect()


async def test_a_source_is_chosen_previewed_and_started(acme: SalesforceWorld, dana: HomeUser) -> None:
    """The mapping is proposed from the describe, and the preview says how many records a backfill imports."""
    await acme.connect()
    for name in ("Ada Smith", "Lee Chen"):
        acme.org.add("Job_Move__c", Full_Name__c=name, Work_Email__c="a@globex.example", New_Company__c="Globex")
    assert "Job_Move__c" in await dana.press("salesforce_sources")
    dialog = await dana.act("source_choose", "Job_Move__c")
    assert "Ada Smith joined Globex" in dialog
    assert json.loads(dana.typed("definition"))["map"]["Full_Name__c"] == "person.full_name"

    await dana.type("definition", "not json")
    assert "is not valid JSON" in await dana.act("source_preview")
    definition = {"map": {"Full_Name__c": "person.full_name", "Work_Email__c": "person.emails"}}
    await dana.type("definition", json.dumps(definition))
    assert "Not valid: current.company is required" in await dana.act("source_preview")
    definition["map"]["New_Company__c"] = "current.company.name"
    await dana.type("definition", json.dumps(definition))
    view = acme.slack.modal(acme.dana.id)
    view.input_states["begin", "begin"] = {"type": "static_select", "selected_option": {"value": "7"}}
    assert "2 records will be read right away" in await dana.act("source_preview")

    assert (await dana.submit(definition='{"map": {"Full_Name__c": "nobody"}}')).errors.keys() == {"definition"}
    assert (await dana.submit(definition=json.dumps(definition), begin="7")).ok
    assert "is checked every minute" in dana.dialog()
    (source,) = await acme.app.database.run(sources.all_of, acme.team.id)
    assert source.definition == definition
    assert source.since == pytest.approx(acme.now() - 7 * 86_400_000, abs=60_000)

    assert "is paused" in await dana.act("source_pause", "Job_Move__c")
    assert "is paused" not in await dana.act("source_go_on", "Job_Move__c")
    await dana.act("source_remove", "Job_Move__c")
    assert await acme.app.database.run(sources.all_of, acme.team.id) == []


@pytest.mark.parametrize("patience", [SHORT])
async def test_a_slow_start_is_acknowledged_in_time(acme: SalesforceWorld, dana: HomeUser) -> None:
    """Slack waits three seconds; the result is shown afterwards."""
    await acme.connect()
    await dana.press("salesforce_sources")
    await dana.act("source_choose", "Job_Move__c")
    acme.org.faults.add("query", delay=SLOW_SECONDS)

    assert (await dana.submit()).ok

    assert "is checked every minute" in dana.dialog()


async def test_the_setup_checklist_follows_each_step(acme: SalesforceWorld, dana: HomeUser) -> None:
    """In Home and in the welcome message, which shows the same steps."""
    wins = acme.slack.add_channel(acme.team, "wins")

    async def steps_left() -> tuple[int, int]:
        await acme.app.worker.drain()
        for work in acme.app.worker.queues.values():
            while await work():
                pass
        dms = [channel for channel in acme.slack.world.channels.values() if channel.im_user == acme.dana.id]
        [welcome] = [message for dm in dms for message in dm.messages.values() if "App added" in message.text]
        return welcome.text.count("⬜"), (await dana.home()).count("⬜")

    assert (await steps_left())[0] == 5
    await acme.connect()
    assert await steps_left() == (4, 4)
    await dana.press("home_make_key_bearer")
    assert await steps_left() == (3, 3)
    for action_id, value in (
        ("home_choose_channel", wins.id),
        ("home_keep_default_owners", None),
        ("home_send_test", None),
    ):
        left, _ = await steps_left()
        await acme.slack.act_in_home(acme.dana.id, action_id, value)
        await dana._settled()
        assert await steps_left() == (left - 1, left - 1)
    assert "Setup" not in await dana.home()


async def test_the_daily_api_limit_is_among_the_limits(acme: SalesforceWorld, dana: HomeUser) -> None:
    """An admin chooses it in a dialog, and the audit log has it. What the dialog does not show stays as it is."""
    await acme.connect()
    assert " of 5,000 used" in await dana.home()
    await dana.press("home_pace")

    await dana.submit(salesforce_daily_calls="10000")

    workspace = await acme.app.database.run(workspaces.find, acme.team.id)
    assert workspace is not None
    assert workspace.salesforce_daily_calls == 10_000
    assert "calls it up to 10,000 times a day" in await dana.home()
    (done, *_) = await acme.app.database.run(audit.recent, acme.team.id)
    assert "salesforce_daily_calls = 10000" in done.detail


async def test_an_error_of_salesforce_is_shown_in_the_dialog(acme: SalesforceWorld, dana: HomeUser) -> None:
    """It may be an outage or a lost connection."""
    await acme.connect()
    await dana.home()
    acme.org.faults.add("sobjects", status=503)
    assert "Salesforce returned error 503" in await dana.press("salesforce_sources")


async def test_a_field_mapping_is_tested_on_a_row_and_saved(acme: SalesforceWorld, dana: HomeUser) -> None:
    """Rows that this sender posts are read with it from then on."""
    dialog = await dana.press("sender_mappings")
    assert "?source=tamradar" in dialog
    await dana.act("mapping_edit", "+")
    await dana.act("mapping_as_json")
    await dana.type("source", "ours")
    await dana.type("definition", '{"map": {"who": "person.full_name", "at": "person.emails"}}')
    await dana.type("row", '{"who": "Ada Smith", "at": "ada@x.example"}')
    assert "current.company is required" in await dana.act("mapping_preview")
    definition = {"map": {"who": "person.full_name", "at": "person.emails", "to": "current.company.name"}}
    await dana.type("definition", json.dumps(definition))
    await dana.type("row", '{"who": "Ada Smith", "at": "ada@x.example", "to": "Globex"}')
    assert "Ada Smith joined Globex" in await dana.act("mapping_preview")

    assert (await dana.submit(definition="[]")).errors.keys() == {"definition"}
    assert (await dana.submit(source="ours", definition=json.dumps(definition))).ok
    assert "*ours*: 3 fields" in dana.dialog()
    assert await acme.app.database.run(own.all_of, acme.team.id) == {"ours": definition}

    key = await acme.app.intake_keys.make(acme.team.id, "bearer", acme.dana.id)
    url, headers = f"{acme.url}/v1/workspaces/{acme.team.id}/job-changes", {"Authorization": f"Bearer {key}"}
    row = {"who": "Ada Smith", "at": "ada@x.example", "to": "Globex", "tier": "A"}
    for address, body in ((f"{url}?source=ours", row), (url, {**row, "source": "ours"})):
        async with acme.http.post(address, json=body, headers=headers) as answer:
            assert answer.status in {200, 202}, await answer.text()
    async with acme.http.post(f"{url}?source=ours", json={"who": "Ada"}, headers=headers) as answer:
        assert answer.status == 422
        assert "current.company" in await answer.text()

    assert "Mapping of ours removed." in await dana.act("mapping_remove", "ours")
    assert await acme.app.database.run(own.all_of, acme.team.id) == {}


async def test_an_admin_chooses_how_people_and_companies_are_found(acme: SalesforceWorld, dana: HomeUser) -> None:
    """Fields are proposed by their labels, and checked in the org before they are saved."""
    acme.org.org.add_field("Contact", Field("LI_Profile__c", "url", label="LinkedIn profile"))
    acme.org.org.add_field("Lead", Field("Private_Email__c", "email"))
    acme.org.org.add_field("Account", Field("Web_Host__c", label="Domain"))
    change = AuditEntry(1, acme.dana.id, "test", "")
    await acme.app.database.run(owners.match_by, acme.team.id, "Work__c", {"a.com": "b.com"}, "Slack__c", change)
    await dana.home()
    await acme.connect()
    shown = await dana.press("salesforce_person_keys")
    assert "Contact.Email = email" in shown
    assert "Contact.LI_Profile__c = linkedin" in shown
    added = await dana.act("person_keys_add")
    assert added.index("Contact.Email = email") < added.index("Lead.Private_Email__c = email")
    assert "'initial_value': 'Web_Host__c'" in added

    refused = await dana.submit(person_keys="Contact.Nothing__c = linkedin", domain_field="Phone OR Name")
    assert refused.errors.keys() == {"person_keys", "domain_field"}
    await dana.submit(person_keys="Contact.LI_Profile__c = linkedin\nContact.Email = email", domain_field="Web_Host__c")

    stored = await acme.app.database.run(owners.matching, acme.team.id)
    assert list(map(str, stored.person_keys)) == ["Contact.LI_Profile__c = linkedin", "Contact.Email = email"]
    assert stored.domain_field == "Web_Host__c"
    assert (stored.email_field, stored.slack_id_field, stored.alias_domains) == (
        "Work__c",
        "Slack__c",
        {"a.com": "b.com"},
    )
    assert "Saved" in dana.dialog()
