"""Admins try the ownership rules on a job change, or on the last hundred, telling nobody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from slack_bolt.async_app import AsyncApp

from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import Block, View, section
from listeners.dialogs.dialog import Dialog, MakeView
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.rule_list_view import SIMULATE
from listeners.ownership.simulate_view import (
    COMPANY,
    EMAIL,
    JOB_CHANGE,
    REPLAY,
    SIMULATE_TITLE,
    TRY,
    Trying,
    replayed_blocks,
    simulate_view,
    simulated_blocks,
)
from services.ownership.rules.rule_set import RuleSet

LATEST = 50
NOT_CHOSEN = "Choose a job change, or type an e-mail address."
GONE = "This job change is not among the last ones any more."


def register(app: AsyncApp) -> None:
    app.action(SIMULATE)(show)
    app.view(TRY)(try_one)
    app.action(REPLAY)(replay)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def make_view() -> View:
        return simulate_view((await _trying(dialog.workspace_id, ownership))[0])

    await dialog.open(SIMULATE_TITLE, make_view)


async def try_one(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    chosen, email, company = (dialog.value_of(name) for name in (JOB_CHANGE, EMAIL, COMPANY))
    if not (chosen or email):
        await dialog.show_errors({EMAIL: NOT_CHOSEN})
        return
    made = imagined(email, company) if email else None
    if isinstance(made, str):
        await dialog.show_errors({EMAIL: made})
        return

    async def result(trying: Trying, rules: RuleSet) -> Sequence[Block]:
        change = dict(trying.latest).get(chosen) if made is None else made
        if made and not company:
            change = _known(trying.latest, email) or made
        if change is None:
            return [section(GONE)]
        (simulated,) = await ownership.simulation.simulate(dialog.workspace_id, [change], rules)
        return simulated_blocks(simulated)

    await dialog.answer(SIMULATE_TITLE, _making(dialog, ownership, result))


async def replay(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """The last hundred, by the rules in force and by the draft."""

    async def result(_: Trying, rules: RuleSet) -> Sequence[Block]:
        return replayed_blocks(await ownership.simulation.replay(dialog.workspace_id, rules))

    await dialog.change(SIMULATE_TITLE, _making(dialog, ownership, result))


def _making(
    dialog: Dialog, ownership: OwnershipDialogs, result: Callable[[Trying, RuleSet], Awaitable[Sequence[Block]]]
) -> MakeView:
    async def make_view() -> View:
        trying, rules = await _trying(dialog.workspace_id, ownership)
        chosen, email, company = (dialog.value_of(name) for name in (JOB_CHANGE, EMAIL, COMPANY))
        typed = replace(trying, chosen=chosen, email=email, company=company)
        return simulate_view(replace(typed, result=tuple(await result(trying, rules))))

    return make_view


async def _trying(workspace_id: str, ownership: OwnershipDialogs) -> tuple[Trying, RuleSet]:
    book = await ownership.rulebook.read(workspace_id)
    latest = await ownership.pages.latest(workspace_id, LATEST)
    return Trying(latest, book.draft is not None), book.shown


def _known(latest: Sequence[tuple[str, JobChange]], email: str) -> JobChange | None:
    """The last job change of whoever has this address."""
    address = email.strip().lower()
    return next((change for _, change in latest if address in change.person.emails), None)


def imagined(email: str, company: str | None) -> JobChange | str:
    """A job change of a person of whom only this is known; or what is wrong with the address."""
    local, _, domain = email.strip().lower().partition("@")
    to = (company or domain).strip()
    joined = {"domain": to} if "." in to and " " not in to else {"name": to}
    try:
        return JobChange.parse(
            {
                "signal": "contact_tracking",
                "change_type": "new_company",
                "person": {"full_name": local, "emails": [email]},
                "current": {"company": joined},
            }
        )
    except InvalidJobChangeError as error:
        return f"{error}."
