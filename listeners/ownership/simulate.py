"""Admins simulate the ownership rules on one job change or on the last hundred. Nobody is notified."""

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
    COMPARE,
    EMAIL,
    JOB_CHANGE,
    SIMULATE_TITLE,
    TRY,
    SimulationForm,
    comparison_blocks,
    simulate_view,
    simulated_blocks,
)
from services.ownership.rules.rule_set import RuleSet

LATEST = 50
NOT_CHOSEN = "Choose a job change, or enter an email address."
GONE = "This job change is no longer among the latest ones."


def register(app: AsyncApp) -> None:
    app.action(SIMULATE)(show)
    app.view(TRY)(try_one)
    app.action(COMPARE)(compare)


async def show(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    async def make_view() -> View:
        return simulate_view((await _form(dialog.workspace_id, ownership))[0])

    await dialog.open(SIMULATE_TITLE, make_view)


async def try_one(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    chosen, email, company = (dialog.value_of(name) for name in (JOB_CHANGE, EMAIL, COMPANY))
    if not (chosen or email):
        await dialog.show_errors({EMAIL: NOT_CHOSEN})
        return
    typed = sample_job_change(email, company) if email else None
    if isinstance(typed, str):
        await dialog.show_errors({EMAIL: typed})
        return

    async def result(form: SimulationForm, rules: RuleSet) -> Sequence[Block]:
        change = dict(form.latest).get(chosen) if typed is None else typed
        if typed and not company:
            change = _latest_of(form.latest, email) or typed
        if change is None:
            return [section(GONE)]
        (simulated,) = await ownership.simulation.simulate(dialog.workspace_id, [change], rules)
        return simulated_blocks(simulated)

    await dialog.answer(SIMULATE_TITLE, _view_maker(dialog, ownership, result))


async def compare(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Compare the draft with the published rules on the last hundred job changes."""

    async def result(_: SimulationForm, rules: RuleSet) -> Sequence[Block]:
        return comparison_blocks(await ownership.simulation.compare(dialog.workspace_id, rules))

    await dialog.change(SIMULATE_TITLE, _view_maker(dialog, ownership, result))


def _view_maker(
    dialog: Dialog, ownership: OwnershipDialogs, result: Callable[[SimulationForm, RuleSet], Awaitable[Sequence[Block]]]
) -> MakeView:
    async def make_view() -> View:
        form, rules = await _form(dialog.workspace_id, ownership)
        chosen, email, company = (dialog.value_of(name) for name in (JOB_CHANGE, EMAIL, COMPANY))
        form = replace(form, chosen=chosen, email=email, company=company)
        return simulate_view(replace(form, result=tuple(await result(form, rules))))

    return make_view


async def _form(workspace_id: str, ownership: OwnershipDialogs) -> tuple[SimulationForm, RuleSet]:
    book = await ownership.rulebook.read(workspace_id)
    latest = await ownership.simulation.latest(workspace_id, LATEST)
    return SimulationForm(latest, book.draft is not None), book.shown


def _latest_of(latest: Sequence[tuple[str, JobChange]], email: str) -> JobChange | None:
    """The latest job change of the person with this email address."""
    address = email.strip().lower()
    return next((change for _, change in latest if address in change.person.emails), None)


def sample_job_change(email: str, company: str | None) -> JobChange | str:
    """A job change of a person with this email address, or an error about the address."""
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
