"""Admins in front of the ownership dialogs: the whole app between a sandbox Slack and a sandbox org."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sandbox.salesforce.schema import lookup
from sandbox.slack.modals import Submission
from sandbox.slack.state import Json, User
from services.ownership.rules.rule_book import RuleBook
from services.ownership.rules.rule_set import RuleSet
from tests.listeners.salesforce.salesforce_world import SalesforceWorld

GLOBEX = {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}}


@dataclass
class AdminSession:
    """Somebody in front of the app's Home, and of the dialogs that open from it."""

    acme: SalesforceWorld
    user: User

    async def open_home(self) -> str:
        await self.acme.slack.open_home(self.user.id)
        await self.wait_for_listeners()
        return self.home_text()

    def home_text(self) -> str:
        """Without opening it anew."""
        return str(self.acme.slack.world.homes[self.user.id].definition["blocks"])

    async def open_rules(self) -> str:
        """The list of rules; what it says."""
        await self.open_home()
        reply = await self.acme.slack.act_in_home(self.user.id, "ownership_open")
        assert reply.status == 200
        await self.wait_for_listeners()
        return self.dialog_text()

    async def act(self, action_id: str, value: Any = None, block_id: str | None = None) -> str:
        """Use an element of the topmost dialog; what the topmost one says then."""
        reply = await self.acme.slack.act_in_modal(self.user.id, action_id, value, block_id)
        assert reply.status == 200
        await self.wait_for_listeners()
        return self.dialog_text()

    async def choose_in_rule_menu(self, step: str, number: int) -> str:
        """Choose in the menu beside the rule at *number*."""
        return await self.act("ownership_rule_menu", f"{step}:{number}", f"rule-{number}")

    async def submit(self, **values: Any) -> Submission:
        """By block_id."""
        named = {name.replace("__", "-"): value for name, value in values.items()}
        outcome = await self.acme.slack.submit_view(self.user.id, named)
        await self.wait_for_listeners()
        assert not outcome.problem, outcome.problem
        return outcome

    def dialog_text(self) -> str:
        return str(self.dialog_definition())

    def dialog_definition(self) -> Json:
        definition: Json = self.acme.slack.modal(self.user.id).definition
        return definition

    @property
    def dialog_depth(self) -> int:
        return len(self.acme.slack.world.modals.get(self.user.id, []))

    def options(self, block_id: str) -> dict[str, str]:
        """What a menu of the topmost dialog offers: values by label."""
        block = next(one for one in self.dialog_definition()["blocks"] if one.get("block_id") == block_id)
        element = block.get("element") or block["accessory"]
        groups = element.get("option_groups") or [{"options": element["options"]}]
        return {one["text"]["text"]: one["value"] for group in groups for one in group["options"]}

    async def choose_slot(self, number: int, label: str) -> str:
        """Choose, by its label, what stands at a place of the chain."""
        block_id = f"slot-{number}"
        return await self.act("ownership_slot", self.options(block_id)[label], block_id)

    async def close(self) -> None:
        await self.acme.slack.close_view(self.user.id)

    async def wait_for_listeners(self) -> None:
        while running := [one for one in asyncio.all_tasks() if "run_ack_function" in one.get_coro().__qualname__]:
            await asyncio.wait(running)

    async def rule_book(self) -> RuleBook:
        return await self.acme.app.rulebook.read(self.acme.team.id)

    async def rule_names(self) -> list[str]:
        """The names of what is shown, in order."""
        return [rule.name for rule in (await self.rule_book()).shown.rules]


async def publish(acme: SalesforceWorld, *rules: dict[str, Any], **parts: Any) -> None:
    """Put rules in force, as the operator would."""
    kept = await acme.app.rulebook.publish(
        acme.team.id, "operator", RuleSet.parse({"rules": list(rules), **parts}), None
    )
    assert kept.stored, kept.faults


def rule(name: str, of: str = "account", **parts: Any) -> dict[str, Any]:
    return {"name": name, "tell": [{"source": "owner", "of": of}], **parts}


async def connect_org(acme: SalesforceWorld) -> None:
    """An org with lookups for SDRs and customer success managers."""
    for name in ("CSM__c", "SDR__c"):
        acme.org.org.add_field("Account", lookup(name, "User"))
    await acme.connect()


async def accept_and_route(acme: SalesforceWorld, **changes: Any) -> str:
    """A job change, taken in and routed: Ada Smith goes from Initech to Globex; its id."""
    job_change = {
        "source": "tests",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "previous": {"title": "VP Sales", "company": {"name": "Initech"}},
        "current": GLOBEX,
    } | changes
    added = await acme.app.intake.accept(acme.team.id, job_change)
    assert added is not None
    await acme.app.worker.work_off()
    return added.id
