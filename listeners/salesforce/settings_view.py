"""The Salesforce section of App Home, and the dialog to connect it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.preferences import DAILY_CALLS
from domain.salesforce import SalesforceApp
from listeners.dialogs.blocks import Block, View, button, context, menu, modal, plain, section
from listeners.intake.mappings_view import MAPPINGS
from listeners.intake.mappings_view import TITLE as MAPPINGS_TITLE
from services.home.home_state import HomeState
from services.messages.wording import slack_time
from services.salesforce.health import Health, HealthLine, lines
from services.salesforce.login import SCOPE_NAMES
from services.slack.mrkdwn import escape

CONNECT = "salesforce_connect"
CONNECT_LINK = "salesforce_connect_link"
DISCONNECT = "salesforce_disconnect"
TRY_AGAIN = "salesforce_try_again"
SET_APP = "salesforce_app"
DAILY = "salesforce_daily_calls"
SOURCES = "salesforce_sources"
PERSON_KEYS = "salesforce_person_keys"

TITLE = "Connect Salesforce"
SOURCES_TITLE = "Import from Salesforce"
CLIENT_ID, CLIENT_SECRET = "client_id", "client_secret"

_MARKS = {Health.GOOD: "", Health.FAIR: ":information_source: ", Health.BAD: ":warning: "}


def salesforce_blocks(state: HomeState) -> list[Block]:
    """Return the Salesforce section of Home. Only admins get its buttons."""
    status = lines(state.salesforce, state.workspace.salesforce_daily_calls, state.shown_at)
    text = "\n".join(["*Salesforce*", *health_texts(status)])
    if not state.is_admin:
        return [section(text)]
    blocks = [section(text), {"type": "actions", "elements": _buttons(state)}]
    return [*blocks, _daily_limit(state)] if state.salesforce else blocks


def health_texts(status: Sequence[HealthLine]) -> list[str]:
    """Return a line of mrkdwn for each; the first is marked even if it is good."""
    first = ":white_check_mark: " if status and status[0].health is Health.GOOD else ""
    return [f"{first if line is status[0] else ''}{health_text(line)}" for line in status]


def health_text(line: HealthLine) -> str:
    """Return the line in mrkdwn."""
    at = f" {slack_time(line.at)}" if line.at is not None else ""
    return f"{_MARKS[line.health]}{escape(line.text, 500)}{at}."


def _daily_limit(state: HomeState) -> Block:
    limit = state.workspace.salesforce_daily_calls
    choices = {str(calls): f"{calls:,} a day" for calls in sorted({*DAILY_CALLS, limit})}
    # A new block_id each time: with the old one Slack would keep showing a choice that was refused.
    return section("*Daily API limit*", menu(DAILY, choices, str(limit)), f"daily-limit-{state.shown_at}")


def _buttons(state: HomeState) -> list[Block]:
    connection = state.salesforce
    if connection is None:
        return [button("Connect Salesforce", CONNECT) | {"style": "primary"}, button(MAPPINGS_TITLE, MAPPINGS)]
    other = "Connect another org" if connection.has_worked else "Connect Salesforce"
    buttons = [
        button("Connect again" if connection.connected_by else other, CONNECT),
        button(SOURCES_TITLE, SOURCES),
        button(MAPPINGS_TITLE, MAPPINGS),
        button("Find people by…", PERSON_KEYS),
    ]
    if not connection.uses_operator_app:
        buttons.append(button("Disconnect", DISCONNECT) | {"confirm": _confirm_disconnect()})
    return buttons


def _confirm_disconnect() -> Block:
    return {
        "title": plain("Disconnect Salesforce?"),
        "text": plain("Its tokens are revoked. Rules are kept, but owners are not looked up until you connect again."),
        "confirm": plain("Disconnect"),
        "deny": plain("Cancel"),
    }


def connect_view(link: str | None, app: SalesforceApp | None, redirect_uri: str, note: str | None = None) -> View:
    """
    Return the dialog with the link to the browser and the workspace's own External Client App.

    `link` is None if there is no app to connect through yet. `app` is None if the operator's is used or there is none.
    """
    blocks = [section(note)] if note else []
    if link is not None:
        link_button = button("Continue in browser", CONNECT_LINK) | {"url": link, "style": "primary"}
        blocks.append(
            section(
                "This link is for you only and works for 15 minutes. Log in as the integration user that the app should"
                " use, not with your own account."
            )
        )
        blocks.append({"type": "actions", "elements": [link_button]})
    else:
        blocks.append(section("Create an External Client App in Salesforce Setup, then enter its key and secret here."))
    in_use = f"This workspace uses its own app, `{escape(app.client_id[:12], 20)}…`." if app else _app_in_use(link)
    blocks += [
        {"type": "divider"},
        section(f"*External Client App*\n{in_use} Callback URL: `{redirect_uri}`. OAuth scopes: {SCOPE_NAMES}."),
        _input(CLIENT_ID, "Consumer key"),
        _input(CLIENT_SECRET, "Consumer secret"),
        context("Both are stored encrypted. Leave both empty to change nothing."),
    ]
    return modal(TITLE, blocks) | {"callback_id": SET_APP, "submit": plain("Save app")}


def _app_in_use(link: str | None) -> str:
    if link is None:
        return "No app has been entered yet."
    return "The app of the server's operator is used unless you enter your own."


def _input(name: str, label: str) -> Block:
    element = {"type": "plain_text_input", "action_id": name, "max_length": 500}
    return {"type": "input", "block_id": name, "optional": True, "label": plain(label), "element": element}
