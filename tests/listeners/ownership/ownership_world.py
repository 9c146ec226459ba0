"""Helpers for tests of the ownership dialogs: one person's session, rules and job changes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from sandbox.salesforce.schema import lookup
from sandbox.slack.modals import Submission
from sandbox.slack.state import Json, User
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.rule_set import RuleSet
from tests.listeners.salesforce.salesforce_world import SalesforceWorld

GLOBEX = {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}}


@dataclass
class AdminSession:
    """One person's view of App Home and the dialogs that open from it."""

    acme: SalesforceWorld
    user: User

    async def open_home(self) -> str:
        await self.acme.slack.open_home(self.user.id)
        await self.wait_for_listeners()
        return self.home_text()

    def home_text(self) -> str:
        """The text of Home as it was last published."""
        return str(self.acme.slack.world.homes[self.user.id].definition["blocks"])

    async def open_rules(self) -> str:
        """Open the list of rules and return its text."""
        await self.open_home()
        reply = await self.acme.slack.act_in_home(self.user.id, "ownership_open")
        assert reply.status == 200
        await self.wait_for_listeners()
        return self.dialog_text()

    async def act(self, action_id: str, value: Any = None, block_id: str | None = None) -> str:
        """Use an element of the top dialog. Returns the text of the dialog that is on top afterwards."""
        reply = await self.acme.slack.act_in_modal(self.user.id, action_id, value, block_id)
        assert reply.status == 200
        await self.wait_for_listeners()
        return self.dialog_text()

    async def publish(self) -> str:
        """Review the draft and publish it. Returns the text of the dialog that is on top afterwards."""
        await self.act("ownership_publish")
        if "submit" in self.dialog_definition():
            await self.submit()
        return self.dialog_text()

    async def choose_in_rule_menu(self, step: str, number: int) -> str:
        """Choose an entry in the menu beside the rule with this index."""
        return await self.act("ownership_rule_menu", f"{step}:{number}", f"rule-{number}")

    async def submit(self, **values: Any) -> Submission:
        """Submit the top dialog; `values` are named by block_id, with `__` for `-`."""
        named = {name.replace("__", "-"): value for name, value in values.items()}
        if any(block.get("block_id") == "any" for block in self.dialog_definition()["blocks"]):
            named = {"any": ["yes"]} | named  # most rules of the tests have no condition
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
        """The options of a select in the top dialog: values by label."""
        block = next(block for block in self.dialog_definition()["blocks"] if block.get("block_id") == block_id)
        element = block.get("element") or block["accessory"]
        groups = element.get("option_groups") or [{"options": element["options"]}]
        return {option["text"]["text"]: option["value"] for group in groups for option in group["options"]}

    async def choose_slot(self, number: int, label: str) -> str:
        """Choose a candidate for one slot of the rule, by its label."""
        block_id = f"slot-{number}"
        if block_id not in self.block_ids():
            await self.act("ownership_add_source")
        return await self.act("ownership_slot", self.options(block_id)[label], block_id)

    async def add_condition(self, field: str, value: Any, operator: str | None = None) -> str:
        """
        Add a condition in the next empty row. Returns the block_id of its value.

        A field such as `Account.Industry` that is not in the menu is entered by its name.
        """
        rows = [block for block in self.dialog_definition()["blocks"] if block.get("block_id", "").startswith("when-")]
        if not rows or len(rows[-1]["elements"]) > 2:  # the menu of fields, and *Remove*
            await self.act("ownership_add_condition")
        row = [name for name in self.block_ids() if name.startswith("when-")][-1]
        is_in_menu = f"'value': '{field}'" in self.dialog_text()
        await self.act("ownership_condition_field", field if is_in_menu else "other", row)
        if not is_in_menu:
            await self.act("ownership_condition_value", field, self.value_of_row(row))
            row = next(name for name in self.block_ids() if name == row or name.startswith(f"{row}-"))
        if not operator and not any(name.startswith(f"value-{row.split('-')[1]}-") for name in self.block_ids()):
            operator = "in"  # without Salesforce, the type of a field is not known, and no operator is proposed
        if operator:
            await self.act(f"ownership_condition_operator_{field}", operator, row)
        block_id = self.value_of_row(row)
        await self.act("ownership_condition_value", value, block_id)
        return block_id

    def value_of_row(self, row: str) -> str:
        """The block_id of a condition's value."""
        prefix = f"value-{row.split('-')[1]}-"
        return next(name for name in self.block_ids() if name.startswith(prefix))

    def block_ids(self) -> list[str]:
        return [block.get("block_id", "") for block in self.dialog_definition()["blocks"]]

    async def close(self) -> None:
        await self.acme.slack.close_view(self.user.id)

    async def wait_for_listeners(self) -> None:
        while running := [task for task in asyncio.all_tasks() if "run_ack_function" in task.get_coro().__qualname__]:
            await asyncio.wait(running)

    async def rule_book(self) -> CurrentRules:
        return await self.acme.app.rulebook.read(self.acme.team.id)

    async def rule_names(self) -> list[str]:
        """The names of the rules as shown, in order."""
        return [rule.name for rule in (await self.rule_book()).shown.rules]


async def publish(acme: SalesforceWorld, *rules: dict[str, Any], **parts: Any) -> None:
    """Publish rules as the operator."""
    kept = await acme.app.rulebook.publish(
        acme.team.id, "operator", RuleSet.parse({"rules": list(rules), **parts}), None
    )
    assert kept.stored, kept.issues


def rule(name: str, of: str = "account", **parts: Any) -> dict[str, Any]:
    return {"name": name, "tell": [{"source": "owner", "of": of}], **parts}


async def connect_org(acme: SalesforceWorld) -> None:
    """Connect an org with account lookups for an SDR and a customer success manager."""
    for name in ("CSM__c", "SDR__c"):
        acme.org.org.add_field("Account", lookup(name, "User"))
    await acme.connect()


async def accept_and_route(acme: SalesforceWorld, **changes: Any) -> str:
    """Accept and deliver a job change (Ada Smith moves from Initech to Globex). Returns its id."""
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
    await acme.app.worker.drain()
    return added.id
