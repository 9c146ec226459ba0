"""An admin adds or edits one ownership rule."""

from __future__ import annotations

from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from listeners.blocks import View
from listeners.ownership_choices import choices_of
from listeners.ownership_dialogs import Body, OwnershipDialogs, entered, put
from listeners.ownership_form import NAME, RuleForm
from listeners.ownership_names import said
from listeners.ownership_rule_view import (
    ADD_TITLE,
    ALL_SCENARIOS,
    BEGIN,
    EMPTY_RULE,
    PRESET,
    RULE_TITLE,
    SAVE,
    SLOT,
    asks_otherwise,
    begin_view,
    begun_with,
    rule_view,
)
from listeners.ownership_view import ADD, Listed
from listeners.salesforce_view import said_view
from services.ownership.rules import Rule
from services.ownership.sources import Owner
from services.ownership_editing import CHANGED_MEANWHILE, Seen, find, place_for_new, presets_for
from services.rulebook import FASTER, Book, Kept

NEW_RULE = Rule(name="New rule", tell=(Owner(of="account"), Owner(of="contact")))


def register(app: AsyncApp) -> None:
    app.action(ADD)(add)
    app.view(BEGIN)(begin)
    app.action(SLOT)(fill_slot)
    app.view(SAVE)(save)


async def add(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    """What to begin with."""
    await ack()

    async def making() -> View:
        org, _ = await ownership.org(workspace_id)
        return begin_view(presets_for(org))

    await ownership.open(client, body, workspace_id, ADD_TITLE, making)


async def begin(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    """The dialog of the new rule takes the place of the question; or all scenarios are added at once."""
    chosen = entered(body["view"], PRESET)
    if chosen == ALL_SCENARIOS:
        await _add_all(ack, body, client, workspace_id, ownership)
        return

    async def making() -> View:
        book = await ownership.rulebook.read(workspace_id)
        rule = NEW_RULE
        if chosen != EMPTY_RULE:
            org, _ = await ownership.org(workspace_id)
            rule = presets_for(org)[int(chosen)]
        return await _rule_view(
            workspace_id, ownership, RuleForm.of(rule, place_for_new(book.shown)), book, is_new=True
        )

    await ownership.answer(ack, client, body, workspace_id, ADD_TITLE, making)


async def _add_all(
    ack: AsyncAck, body: Body, client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    if not await ownership.may(workspace_id, body):
        await ack(response_action="update", view=said_view(ADD_TITLE))
        return
    scenarios = presets_for(await ownership.org_in_time(workspace_id))
    kept = await ownership.editing.add(workspace_id, body["user"]["id"], scenarios)
    if not kept.stored:
        await ack(response_action="errors", errors={PRESET: kept.text})
        return
    await ack()
    await ownership.redraw_list(client, body, workspace_id, said(kept))


async def edit_rule(
    client: AsyncWebClient, body: Body, workspace_id: str, ownership: OwnershipDialogs, number: int
) -> None:
    """The dialog of the rule that stands at *number* in the list that was acted in."""
    seen = Listed.of(body["view"]).seen

    async def making() -> View:
        book = await ownership.rulebook.read(workspace_id)
        if Seen.of(book) != seen or number >= len(book.shown.rules):
            await ownership.redraw_list(client, body, workspace_id, place=number)
            return said_view(RULE_TITLE, FASTER)
        form = RuleForm.of(book.shown.rules[number], number)
        return await _rule_view(workspace_id, ownership, form, book, is_new=False)

    await ownership.open(client, body, workspace_id, RULE_TITLE, making)


async def fill_slot(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    """A place of the chain was filled: some sources ask for one thing more."""
    await ack()
    view = body["view"]
    begun = await _begun(workspace_id, ownership, view)
    if begun is None:
        return  # saving says it
    form, book = begun
    typed = form.typed(partial(entered, view))
    if not asks_otherwise(typed, view["state"]["values"]):
        return
    if await ownership.may(workspace_id, body):
        shown = await _rule_view(workspace_id, ownership, typed, book, is_new=_is_new(view))
        await put(client, view["id"], shown)


async def save(
    ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient, workspace_id: str, ownership: OwnershipDialogs
) -> None:
    """Into the draft; what is wrong is said at its field, and nothing is saved."""
    view = body["view"]
    if not await ownership.may(workspace_id, body):
        await ack(response_action="update", view=said_view(RULE_TITLE))
        return
    begun = await _begun(workspace_id, ownership, view)
    if begun is None:
        await ack(response_action="errors", errors={NAME: CHANGED_MEANWHILE})
        return
    form, book = begun
    typed = form.typed(partial(entered, view))
    if asks_otherwise(typed, view["state"]["values"]):  # the fields that it asks for were not shown in time
        shown = await _rule_view(workspace_id, ownership, typed, book, is_new=_is_new(view))
        await ack(response_action="update", view=shown)
        return
    read = typed.read(book.shown, await ownership.org_in_time(workspace_id))
    faults = await ownership.problems(workspace_id, typed.places)
    if isinstance(read, dict) or faults:
        await ack(response_action="errors", errors=faults | (read if isinstance(read, dict) else {}))
        return
    kept = await _keep(body, workspace_id, ownership, *read)
    if not kept.stored:
        await ack(response_action="errors", errors={NAME: kept.text})
        return
    await ack()
    await ownership.redraw_list(client, body, workspace_id, said(kept), read[1])


async def _keep(body: Body, workspace_id: str, ownership: OwnershipDialogs, rule: Rule, place: int) -> Kept:
    began, actor = begun_with(body["view"]), body["user"]["id"]
    if isinstance(began, str):
        return await ownership.editing.change(workspace_id, actor, began, rule, place)
    return await ownership.editing.add(workspace_id, actor, [rule], place)


async def _begun(workspace_id: str, ownership: OwnershipDialogs, view: View) -> tuple[RuleForm, Book] | None:
    """The form as the dialog began; None: its rule was changed or deleted meanwhile."""
    book = await ownership.rulebook.read(workspace_id)
    began = begun_with(view)
    if isinstance(began, Rule):
        return RuleForm.of(began, place_for_new(book.shown)), book
    number = find(book.shown, began)
    return None if number is None else (RuleForm.of(book.shown.rules[number], number), book)


def _is_new(view: View) -> bool:
    return isinstance(begun_with(view), Rule)


async def _rule_view(
    workspace_id: str, ownership: OwnershipDialogs, form: RuleForm, book: Book, *, is_new: bool
) -> View:
    org, _ = await ownership.org(workspace_id)
    return rule_view(form, choices_of(book.shown, org, len(form.slots)), is_new=is_new)
