"""Admins simulate the ownership rules on job changes, and publish a draft after seeing what it would change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from listeners.dialogs.blocks import Block, View, message_view, section
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.dialogs.mentions import labels_of, save_result_text
from listeners.ownership.dialogs import OwnershipDialogs
from listeners.ownership.effects.simulate_view import (
    COMPANY,
    COMPARE,
    EMAIL,
    JOB_CHANGE,
    PUBLICATION,
    SIMULATION,
    SimulationForm,
    comparison_blocks,
    publication_view,
    simulate_view,
    simulated_blocks,
)
from listeners.ownership.rule_list_view import A_PAGE, PUBLISH, SIMULATE, ShownList
from services.ownership.rulebook import CHANGED_BY_OTHERS
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.rule_set import RuleSet
from services.slack.mrkdwn import escape

LATEST = 50
NOT_CHOSEN = "Choose a job change, or enter an email address."
GONE = "This job change is no longer among the latest ones."


def register(app: AsyncApp) -> None:
    app.action(SIMULATE)(show)
    app.view(SIMULATION.callback_id)(try_one)
    app.action(COMPARE)(compare)
    app.action(PUBLISH)(review)
    app.view(PUBLICATION.callback_id)(publish)


@opens(SIMULATION.title)
async def show(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    return simulate_view((await _form(dialog.workspace_id, ownership))[0])


@submits(SIMULATION)
async def try_one(dialog: Dialog, entered: Entered, ownership: OwnershipDialogs) -> View:
    chosen, email, company = entered[JOB_CHANGE], entered[EMAIL], entered[COMPANY]
    if not (chosen or email):
        raise EMAIL.error(NOT_CHOSEN)
    form, rules = await _form(dialog.workspace_id, ownership, entered)
    change = dict(form.latest).get(chosen)
    if email:
        sample = sample_job_change(email, company)
        if isinstance(sample, str):
            raise EMAIL.error(sample)
        address = email.strip().lower()
        of_person = (change for _, change in form.latest if address in change.person.emails)
        change = sample if company else next(of_person, sample)
    result: Sequence[Block] = [section(GONE)]
    if change is not None:
        (simulated,) = await ownership.simulation.simulate(dialog.workspace_id, [change], rules)
        result = simulated_blocks(simulated)
    return simulate_view(replace(form, result=tuple(result)))


@updates(SIMULATION.title)
async def compare(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Compare the draft with the published rules on the last hundred job changes."""
    form, rules = await _form(dialog.workspace_id, ownership, SIMULATION.read(dialog.view))
    result = comparison_blocks(await ownership.simulation.compare(dialog.workspace_id, rules))
    return simulate_view(replace(form, result=tuple(result)))


@opens(PUBLICATION.title)
async def review(dialog: Dialog, ownership: OwnershipDialogs) -> View:
    """Show what publishing the draft would change, and its effect on the last hundred job changes."""
    shown, book = ShownList.of(dialog.view), await ownership.rulebook.read(dialog.workspace_id)
    if book.seen != shown.seen:
        await ownership.redraw(dialog)
        return message_view(PUBLICATION.title, CHANGED_BY_OTHERS)
    return await publication(dialog.workspace_id, ownership, shown.page)


async def publication(workspace_id: str, ownership: OwnershipDialogs, page: int) -> View:
    """What publishing the current draft would change. `page` is that of the list behind the dialog."""
    book = await ownership.rulebook.read(workspace_id)
    org, _ = await ownership.org(workspace_id)
    try:
        effect = comparison_blocks(await ownership.simulation.compare(workspace_id, book.shown))
    except (PermanentError, TransientError) as error:  # the draft can be published all the same
        effect = [section(f":warning: Its effect on past job changes is not known: {escape(str(error), 300)}.")]
    return publication_view(book, effect, labels_of(org), asdict(ShownList(book.seen, page)))


async def publish(dialog: Dialog, ownership: OwnershipDialogs) -> None:
    """Publish the draft that was reviewed, and show the result above the list."""
    shown = ShownList.of(dialog.view)

    async def work(_entered: Entered) -> View | SaveResult:
        result = await ownership.draft_editor.publish(dialog.workspace_id, dialog.user_id, shown.seen)
        return result if result.stored else message_view(PUBLICATION.title, save_result_text(result))

    result = await dialog.submit(PUBLICATION, work)
    if isinstance(result, SaveResult):
        await ownership.redraw(dialog, save_result_text(result), shown.page * A_PAGE)


async def _form(
    workspace_id: str, ownership: OwnershipDialogs, entered: Entered | None = None
) -> tuple[SimulationForm, RuleSet]:
    book = await ownership.rulebook.read(workspace_id)
    latest = await ownership.simulation.latest(workspace_id, LATEST)
    form = SimulationForm(latest, book.draft is not None)
    if entered:
        form = replace(form, chosen=entered[JOB_CHANGE], email=entered[EMAIL], company=entered[COMPANY])
    return form, book.shown


def sample_job_change(email: str, company: str) -> JobChange | str:
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
