"""Decorators that make a listener for Slack of a function that only returns what a dialog shows next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import signature

from listeners.dialogs.blocks import View
from listeners.dialogs.dialog import Dialog, MakeView
from listeners.dialogs.form import Form

ViewMaker = Callable[..., Awaitable[View]]
Listener = Callable[..., Awaitable[None]]


def opens(title: str) -> Callable[[ViewMaker], Listener]:
    """A listener that opens a dialog for admins, with the view that the function returns. See `Dialog.open`."""
    return _shows(Dialog.open, title)


def updates(title: str, *, publishes_home: bool = False) -> Callable[[ViewMaker], Listener]:
    """A listener that updates the dialog of an admin with the view that the function returns. See `Dialog.update`."""
    return _shows(Dialog.update, title, publishes_home=publishes_home)


def _shows(
    show: Callable[[Dialog, str, MakeView], Awaitable[None]], title: str, *, publishes_home: bool = False
) -> Callable[[ViewMaker], Listener]:
    def decorate(make_view: ViewMaker) -> Listener:
        @wraps(make_view)  # Bolt reads the names of the parameters from the function itself
        async def listen(dialog: Dialog, **services: object) -> None:
            await show(dialog, title, partial(make_view, dialog, **services))
            if publishes_home:
                await dialog.publish_home()

        return listen

    return decorate


def submits(form: Form, *, shown_beside: str | None = None) -> Callable[[Callable[..., Awaitable[object]]], Listener]:
    """
    A listener that does the work of a submitted form, which gets what was `entered`. See `Dialog.submit`.

    If the function returns a text, it is shown in Home beside the control that opened the dialog.
    """

    def decorate(work: Callable[..., Awaitable[object]]) -> Listener:
        async def listen(dialog: Dialog, **services: object) -> None:
            done = await dialog.submit(form, partial(work, dialog, **services))
            if isinstance(done, str) and done:
                await dialog.publish_home(done, shown_beside)

        declared = signature(work)
        parameters = [parameter for name, parameter in declared.parameters.items() if name != "entered"]
        listen.__name__, listen.__doc__ = work.__name__, work.__doc__
        listen.__signature__ = declared.replace(parameters=parameters)  # type: ignore[attr-defined]  # as Bolt reads it
        return listen

    return decorate
