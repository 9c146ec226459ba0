"""Admins choose the Salesforce objects that job changes are imported from, preview and start the import."""

from __future__ import annotations

from dataclasses import replace

from slack_bolt.async_app import AsyncApp

from domain.errors import PermanentError, TransientError
from domain.job_change.validation import InvalidJobChangeError
from domain.salesforce import ACTIVE, PAUSED
from listeners.dialogs.blocks import View, data_of, message_view
from listeners.dialogs.decorators import opens, submits, updates
from listeners.dialogs.dialog import Dialog
from listeners.dialogs.form import Entered
from listeners.intake.mappings_view import DEFINITION, as_json
from listeners.salesforce.settings_view import SOURCES, SOURCES_TITLE
from listeners.salesforce.sources_view import (
    BEGIN,
    CHOOSE,
    PAUSE,
    PREVIEW,
    REMOVE,
    RESUME,
    SOURCE,
    source_view,
    sources_view,
)
from services.intake.mapping.row_mapping import decoded
from services.intake.salesforce.presets import Proposal
from services.intake.salesforce.query import SourceQuery
from services.intake.salesforce.sources import SalesforceSources
from services.slack.mrkdwn import escape

_STATES = {PAUSE: PAUSED, RESUME: ACTIVE, REMOVE: None}


def register(app: AsyncApp) -> None:
    app.action(SOURCES)(show)
    app.action(CHOOSE)(choose)
    app.action(PREVIEW)(preview)
    app.view(SOURCE.callback_id)(start)
    for action_id in _STATES:
        app.action(action_id)(change)


@opens(SOURCES_TITLE)
async def show(dialog: Dialog, salesforce_sources: SalesforceSources) -> View:
    return await _sources_view(salesforce_sources, dialog.workspace_id)


@updates(SOURCES_TITLE)
async def choose(dialog: Dialog, salesforce_sources: SalesforceSources) -> View:
    """Show the chosen object with a proposed field mapping and a preview."""
    proposal = await salesforce_sources.propose(dialog.workspace_id, dialog.action["selected_option"]["value"])
    if proposal is None:
        return message_view(SOURCES_TITLE, "This object no longer exists, or the connected user cannot read it.")
    return await _previewed(salesforce_sources, dialog.workspace_id, proposal, as_json(proposal.definition), "now")


@updates(SOURCES_TITLE)
async def preview(dialog: Dialog, salesforce_sources: SalesforceSources) -> View:
    """Show the preview for the mapping as typed, or what is wrong with it."""
    entered, proposal = SOURCE.read(dialog.view), _proposal(dialog)
    return await _previewed(salesforce_sources, dialog.workspace_id, proposal, entered[DEFINITION], entered[BEGIN])


@submits(SOURCE)
async def start(dialog: Dialog, entered: Entered, salesforce_sources: SalesforceSources) -> View:
    proposal = _proposal(dialog)
    try:
        proposal = replace(proposal, definition=decoded(entered[DEFINITION], "the field mapping"))
        SourceQuery.parse(proposal.sobject, proposal.definition)
    except InvalidJobChangeError as error:
        raise DEFINITION.error(str(error)) from error
    await salesforce_sources.start(dialog.workspace_id, dialog.user_id, proposal, _days(entered[BEGIN]))
    note = f":white_check_mark: Import started. {escape(proposal.label, 80)} is checked every minute."
    return await _sources_view(salesforce_sources, dialog.workspace_id, note)


@updates(SOURCES_TITLE)
async def change(dialog: Dialog, salesforce_sources: SalesforceSources) -> View:
    """Pause, resume or remove an import."""
    name, state = dialog.action["value"], _STATES[dialog.action["action_id"]]
    await salesforce_sources.set_state(dialog.workspace_id, dialog.user_id, name, state)
    return await _sources_view(salesforce_sources, dialog.workspace_id)


async def _sources_view(service: SalesforceSources, workspace_id: str, note: str | None = None) -> View:
    return sources_view(await service.all_of(workspace_id), await service.candidates(workspace_id), note)


async def _previewed(service: SalesforceSources, workspace_id: str, proposal: Proposal, typed: str, begin: str) -> View:
    try:
        previewed = await service.preview(
            workspace_id, proposal.sobject, decoded(typed, "the field mapping"), _days(begin)
        )
    except (InvalidJobChangeError, PermanentError, TransientError) as error:
        return source_view(proposal, typed, begin, note=f":no_entry: {escape(str(error), 500)}")
    return source_view(proposal, typed, begin, previewed)


def _days(begin: str) -> int | None:
    """Return how many days to go back; None means from now on."""
    return int(begin) if begin.isdigit() else None


def _proposal(dialog: Dialog) -> Proposal:
    """The object of the dialog, without a definition."""
    data = data_of(dialog.view)
    return Proposal(data["name"], data["sobject"], data["label"], {})
