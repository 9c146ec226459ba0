"""Opens, updates and submits dialogs: Slack is answered in time, and admin dialogs are only for admins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from domain.day_counts import counted
from domain.errors import PermanentError, TransientError
from listeners.dialogs.blocks import View, loading_view, message_view, sections
from listeners.dialogs.form import Entered, Form, InvalidFormError
from listeners.dialogs.home_tab import HomeTab
from listeners.dialogs.metadata import ViewSigner, with_workspace
from listeners.dialogs.shown_again import filled_again, without_preselected
from services.home.home_state import HomeNotice
from services.home.preferences import Change
from services.journal import Repetitions
from services.slack.api import error_code
from services.slack.directory import Directory, Person
from services.slack.mrkdwn import escape
from store.database import DatabaseUnavailableError

log = logging.getLogger(__name__)

OVERTAKEN_SECONDS = 0.2
"""Bolt checks every 10 ms whether we have acknowledged, and only then answers. slack_bolt/listener/asyncio_runner.py"""

DONE = ":white_check_mark: Done."
DATABASE_AWAY = "The database is not responding, so nothing was changed. Please try again in a minute."
OPEN_AGAIN = "This dialog can no longer be used, so nothing was changed. Please close it and open it again."

T = TypeVar("T")
Body = dict[str, Any]
MakeView = Callable[[], Awaitable[View]]


@dataclass(frozen=True)
class Patience:
    """Seconds until a person sees a loading view. Slack waits three seconds for the answer to a submission."""

    after_press: float
    after_submission: float


PATIENCE = Patience(after_press=1.0, after_submission=2.0)


def register(app: AsyncApp) -> None:
    """Provide a `dialog` to each listener that has a parameter of that name."""
    app.middleware(provide)


async def provide(
    ack: AsyncAck,
    body: Body,
    client: AsyncWebClient,
    context: AsyncBoltContext,
    workspace_id: str,
    directory: Directory,
    view_signer: ViewSigner,
    home_tab: HomeTab,
    patience: Patience,
    repetitions: Repetitions,
    next_: Callable[[], Awaitable[BoltResponse]],
) -> BoltResponse:
    """Check the data that a view carries. In Home, unsigned data is ignored; a dialog with unsigned data is refused."""
    shown: View = body.get("view") or {}
    view = view_signer.checked(shown, workspace_id, body["user"]["id"]) if shown else {}
    seen = shown | {"private_metadata": ""} if view is None else view
    is_org_wide = context.is_enterprise_install is True
    dialog = Dialog(ack, body, seen, client, workspace_id, directory, home_tab, view_signer, patience, is_org_wide)
    if view is None and shown.get("type") == "modal":
        if count := repetitions.count("unsigned view"):
            log.warning("%s carried data without a valid signature", counted(count, "dialog"))
        return await dialog.refuse_forged()
    context["dialog"] = dialog
    return await next_()


@dataclass(frozen=True)
class Dialog:
    """
    An interaction in a dialog, in Home or in a message, with the ways to answer it.

    `body` is Slack's payload: https://docs.slack.dev/reference/interaction-payloads. `view` is the dialog or Home in
    which the person acted, as they saw it. A `make_view` function only runs for admins and owners. It may raise
    PermanentError and TransientError, which are shown in the dialog.
    """

    ack: AsyncAck
    body: Body
    view: View
    client: AsyncWebClient
    workspace_id: str
    directory: Directory
    home_tab: HomeTab
    view_signer: ViewSigner
    patience: Patience
    is_org_wide: bool
    _persons: list[Person] = field(default_factory=list, init=False)

    @property
    def user_id(self) -> str:
        return str(self.body["user"]["id"])

    @property
    def action(self) -> dict[str, Any]:
        """The element that the person used."""
        action: dict[str, Any] = self.body["actions"][0]
        return action

    async def is_admin(self) -> bool:
        """Whether the person who acts is an admin or owner right now."""
        return (await self.person()).is_admin

    async def person(self) -> Person:
        """What Slack says right now about the person who acts."""
        self._persons.append(await self.directory.person(self.workspace_id, self.user_id))
        return self._persons[-1]

    async def open(self, title: str, make_view: MakeView) -> None:
        """Open another dialog for admins with a loading view, and fill it."""
        await self.ack()
        await self._fill(await self.push(loading_view(title)), title, make_view)

    async def push(self, view: View) -> str:
        """Open a view at once, on top of the dialog that is open if there is one. Returns its id."""
        in_dialog = self.view.get("type") == "modal"  # else in Home or in a message
        open_or_push = self.client.views_push if in_dialog else self.client.views_open
        trigger_id = self.body["trigger_id"]
        opened = await self._show_visible(view, lambda shown: open_or_push(trigger_id=trigger_id, view=shown))
        return str(opened["view"]["id"])

    async def wait_for(self, title: str, work: Awaitable[T]) -> tuple[T, str | None]:
        """
        Wait for work that has to be done before a dialog can be opened.

        Returns its result, and the id of a loading view if one had to be opened because the work took long: after three
        seconds, Slack no longer opens a dialog.
        """
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=self.patience.after_press)
        loading_id = None if task.done() else await self.push(loading_view(title))
        return await task, loading_id

    async def update(self, title: str, make_view: MakeView) -> None:
        """Update the dialog in which an admin acted."""
        await self.ack()
        await self._fill(self.view["id"], title, make_view)

    async def update_view(self, view_id: str, view: View) -> None:
        """Nothing happens if the person has closed the view."""
        try:
            await self._show_visible(view, lambda shown: self.client.views_update(view_id=view_id, view=shown))
        except SlackApiError as error:
            if error_code(error) != "not_found":
                raise

    async def submit(self, form: Form, work: Callable[[Entered], Awaitable[T]]) -> T | None:
        """
        Read the form that was submitted, do the work, and show its result. Returns None if the work was not done.

        If `work` returns a view, it is shown; with any other result the dialog closes. `work` may raise
        InvalidFormError, which is shown at the fields, PermanentError and TransientError.

        Quick work is part of the answer to Slack, because an update that is sent after an answer may overtake it. If
        the work takes longer than Slack waits, the dialog shows a loading view until it is done.
        """
        task = asyncio.ensure_future(self._done(form, work))
        await asyncio.wait({task}, timeout=self.patience.after_submission)
        if not task.done():
            await self.ack(response_action="update", view=self._signed(loading_view(self._title)))
        try:
            done, view = await task
        except InvalidFormError as error:
            await self._show_errors(error)
            return None
        if self.ack.response is not None:
            await self._show_late(view or message_view(self._title, DONE))
        elif view:
            await self.ack(response_action="update", view=self._signed(view))
        else:
            await self.ack()
        return done

    async def publish_home(self, notice: str | None = None, control: str | None = None) -> None:
        """
        Update the Home of the person who acts. `notice` is the result of what they did, in mrkdwn.

        `control` is the action_id of the element of Home beside which it is shown, such as the button that opened a
        dialog. None is the element that they have just used in Home.

        If Slack has said in this interaction whether they are an admin, it is not asked again only to show it.
        """
        person = self._persons[-1] if self._persons else None
        control = control or (self.action["action_id"] if self._home and self.body.get("actions") else None)
        shown = HomeNotice(notice, control) if notice else None
        await self.home_tab.publish(self.client, self.workspace_id, self.user_id, shown, self._home, person)

    async def change_in_home(self, change: Change) -> None:
        """Make a change for an admin, and show its result in their Home."""
        await self.ack()
        control = self.action["action_id"]
        await self.home_tab.change(self.client, self.workspace_id, self.user_id, change, control, self._home)

    async def refuse_forged(self) -> BoltResponse:
        """Answer an interaction in a dialog that carries something that the app has not put there."""
        view = message_view(self._title, OPEN_AGAIN)
        if self.body.get("type") == "view_submission":
            return await self.ack(response_action="update", view=view)
        await self.update_view(self.view["id"], view)
        return await self.ack()

    @property
    def _home(self) -> View | None:
        return self.view if self.view.get("type") == "home" else None

    @property
    def _title(self) -> str:
        return str(self.view["title"]["text"])

    async def _show_visible(
        self, view: View, show: Callable[[View], Awaitable[AsyncSlackResponse]]
    ) -> AsyncSlackResponse:
        """Show the view, or what is left of it if it preselects a channel or person that this person cannot see."""
        try:
            return await show(self._signed(view))
        except SlackApiError as error:
            visible = without_preselected(view)
            if error_code(error) != "invalid_arguments" or visible == view:
                raise
        return await show(self._signed(visible))

    def _signed(self, view: View) -> View:
        named = with_workspace(view, self.workspace_id) if self.is_org_wide else view
        return self.view_signer.signed(named, self.workspace_id, self.user_id)

    async def _done(self, form: Form, work: Callable[[Entered], Awaitable[T]]) -> tuple[T | None, View | None]:
        """Do the work of a submission. Returns its result, and the view to show; None closes the dialog."""
        if not form.for_members and not await self.is_admin():
            return None, message_view(form.title)
        try:
            done = await work(form.read(self.view))
        except (DatabaseUnavailableError, PermanentError, TransientError) as error:
            return None, self._problem_view(form.title, error)
        return done, done if isinstance(done, dict) else None

    async def _show_errors(self, invalid: InvalidFormError) -> None:
        """Keep the dialog that was submitted open, with errors at its fields."""
        if self.ack.response is None:
            await self.ack(response_action="errors", errors=dict(invalid.errors))
            return
        view = filled_again(self.view)
        shown = sections(f":no_entry: {escape(error, 500)}" for error in invalid.errors.values())
        await self._show_late(view | {"blocks": [*shown, *view["blocks"]]})

    async def _show_late(self, view: View) -> None:
        await asyncio.sleep(OVERTAKEN_SECONDS)
        await self.update_view(self.view["id"], view)

    async def _fill(self, view_id: str, title: str, make_view: MakeView) -> None:
        task = asyncio.create_task(self._view_or_problem(title, make_view))
        await asyncio.wait({task}, timeout=self.patience.after_press)
        if not task.done():
            await self.update_view(view_id, loading_view(title))
        await self.update_view(view_id, await task)

    async def _view_or_problem(self, title: str, make_view: MakeView) -> View:
        try:
            return await make_view() if await self.is_admin() else message_view(title)
        except (DatabaseUnavailableError, PermanentError, TransientError) as error:
            return self._problem_view(title, error)

    def _problem_view(self, title: str, error: Exception) -> View:
        if isinstance(error, DatabaseUnavailableError):
            log.warning("a dialog of workspace %s could not be filled: %s", self.workspace_id, error)
            return message_view(title, f":warning: {DATABASE_AWAY}")
        again = " Please try again in a minute." if isinstance(error, TransientError) else ""
        return message_view(title, f":warning: {escape(str(error).removesuffix('.'), 500)}.{again}")
