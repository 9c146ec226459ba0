"""The Salesforce section of App Home, and the dialog to connect it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.salesforce import SalesforceApp
from listeners.dialogs.blocks import Block, View, actions, button, confirm, context, divider, noted, section
from listeners.dialogs.form import Form, Text
from services.home.home_state import HomeState
from services.messages.wording import slack_time
from services.salesforce.health import Health, HealthLine, lines
from services.salesforce.login import SCOPE_NAMES
from services.slack.mrkdwn import code, escape

CONNECT = "salesforce_connect"
CONNECT_LINK = "salesforce_connect_link"
DISCONNECT = "salesforce_disconnect"
TRY_AGAIN = "salesforce_try_again"
SOURCES = "salesforce_sources"
PERSON_KEYS = "salesforce_person_keys"

TITLE = "Connect Salesforce"
SOURCES_TITLE = "Import from Salesforce"

CLIENT_ID = Text("client_id", "Consumer key", longest=500, optional=True)
CLIENT_SECRET = Text("client_secret", "Consumer secret", longest=500, optional=True)
CONNECT_FORM = Form("salesforce_app", TITLE, "Save app", (CLIENT_ID, CLIENT_SECRET), close="Close")

_MARKS = {Health.GOOD: "", Health.FAIR: ":information_source: ", Health.BAD: ":warning: "}


def salesforce_blocks(state: HomeState) -> list[Block]:
    """Return the Salesforce section of Home. Only admins get its buttons."""
    limit = state.workspace.salesforce_daily_calls
    status = lines(state.salesforce, limit, state.shown_at, state.outages)
    text = "\n".join(["*Salesforce*", *health_texts(status)])
    if not state.is_admin:
        return [section(text)]
    return [section(text), *actions(*_buttons(state))]


def health_texts(status: Sequence[HealthLine]) -> list[str]:
    """Return a line of mrkdwn for each; the first is marked even if it is good."""
    first = ":white_check_mark: " if status and status[0].health is Health.GOOD else ""
    return [f"{first if line is status[0] else ''}{health_text(line)}" for line in status]


def health_text(line: HealthLine) -> str:
    """Return the line in mrkdwn."""
    at = f" {slack_time(line.at)}" if line.at is not None else ""
    return f"{_MARKS[line.health]}{escape(line.text, 500)}{at}."


def _buttons(state: HomeState) -> list[Block]:
    connection = state.salesforce
    if connection is None:
        return [button("Connect Salesforce", CONNECT, style="primary")]
    other = "Connect another org" if connection.has_worked else "Connect Salesforce"
    buttons = [
        button("Connect again" if connection.connected_by else other, CONNECT),
        button(SOURCES_TITLE, SOURCES),
        button("Find people by…", PERSON_KEYS),
    ]
    if not connection.uses_operator_app:
        text = "Its tokens are revoked. Rules are kept, but owners are not looked up until you connect again."
        question = confirm("Disconnect Salesforce?", text, "Disconnect", style="danger")
        buttons.append(button("Disconnect", DISCONNECT, confirm=question))
    return buttons


def connect_view(link: str | None, app: SalesforceApp | None, redirect_uri: str, note: str | None = None) -> View:
    """
    Return the dialog with the link to the browser and the workspace's own External Client App.

    `link` is None if there is no app to connect through yet. `app` is None if the operator's is used or there is none.
    """
    in_use, hint = "No app has been entered yet.", "Both are stored encrypted."
    intro = [section("Create an External Client App in Salesforce Setup, then enter its key and secret here.")]
    if link is not None:
        in_use = "The app of the server's operator is used unless you enter your own."
        hint += " Leave both empty to change nothing."
        text = (
            "This link is for you only and works for 15 minutes. Log in as the integration user that the app should"
            " use, not with your own account."
        )
        continue_button = button("Continue in browser", CONNECT_LINK, style="primary") | {"url": link}
        intro = [section(text), *actions(continue_button)]
    if app is not None:
        in_use = f"This workspace uses its own app, `{code(app.client_id[:12], 20)}…`."
    return CONNECT_FORM.view(
        [
            *noted(note),
            *intro,
            divider(),
            section(f"*External Client App*\n{in_use} Callback URL: `{redirect_uri}`. OAuth scopes: {SCOPE_NAMES}."),
            CLIENT_ID.block(),
            CLIENT_SECRET.block(),
            context(hint),
        ]
    )
