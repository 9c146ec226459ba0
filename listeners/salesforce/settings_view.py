"""What App Home and its dialogs say of Salesforce. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.preferences import DAILY_CALLS
from domain.salesforce import SalesforceApp
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section, select
from listeners.intake.mappings_view import MAPPINGS
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

TITLE = "Connect Salesforce"
CLIENT_ID, CLIENT_SECRET = "client_id", "client_secret"

_MARKS = {Health.GOOD: "", Health.FAIR: ":information_source: ", Health.BAD: ":warning: "}


def salesforce_blocks(state: HomeState) -> list[Block]:
    """The part of Home that is about Salesforce; who may not change it only reads how it stands."""
    told = lines(state.salesforce, state.workspace.salesforce_daily_calls, state.shown_at)
    text = "\n".join(["*Salesforce*", *health_texts(told)])
    if not state.is_admin:
        return [section(text)]
    blocks = [section(text), {"type": "actions", "elements": _buttons(state)}]
    return [*blocks, _share(state)] if state.salesforce else blocks


def health_texts(told: Sequence[HealthLine]) -> list[str]:
    """A line of mrkdwn each; the first has a mark also when all is well."""
    first = ":white_check_mark: " if told and told[0].health is Health.GOOD else ""
    return [f"{first if line is told[0] else ''}{health_text(line)}" for line in told]


def health_text(line: HealthLine) -> str:
    """In mrkdwn."""
    at = f" {slack_time(line.at)}" if line.at is not None else ""
    return f"{_MARKS[line.health]}{escape(line.text, 500)}{at}."


def _share(state: HomeState) -> Block:
    ours = state.workspace.salesforce_daily_calls
    choices = {str(calls): f"{calls:,} a day" for calls in sorted({*DAILY_CALLS, ours})}
    # A new block_id each time: with the old one Slack keeps showing what was picked, also when it was refused.
    return section("*How many API calls may we make?*", select(DAILY, choices, str(ours)), f"share-{state.shown_at}")


def _buttons(state: HomeState) -> list[Block]:
    connection = state.salesforce
    if connection is None:
        return [button("Connect Salesforce", CONNECT) | {"style": "primary"}, button("Rows of other senders", MAPPINGS)]
    other = "Connect another org" if connection.has_worked else "Connect Salesforce"
    buttons = [
        button("Connect again" if connection.connected_by else other, CONNECT),
        button("Find job changes in it", SOURCES),
        button("Rows of other senders", MAPPINGS),
    ]
    if not connection.uses_operator_app:
        buttons.append(button("Disconnect", DISCONNECT) | {"confirm": _confirm_disconnect()})
    return buttons


def _confirm_disconnect() -> Block:
    return {
        "title": plain("Disconnect Salesforce?"),
        "text": plain("Its token is revoked. All rules stay, but owners are not looked up until you connect again."),
        "confirm": plain("Disconnect"),
        "deny": plain("Keep it"),
    }


def connect_view(link: str | None, app: SalesforceApp | None, redirect_uri: str, note: str | None = None) -> View:
    """
    The way to the browser, and the workspace's own External Client App.

    *link* None: there is no app to connect through yet. *app* None: it is the operator's, or there is none.
    """
    blocks = [section(note)] if note else []
    if link is not None:
        go = button("Continue in the browser", CONNECT_LINK) | {"url": link, "style": "primary"}
        blocks.append(
            section(
                "This link is for you alone, and good for 15 minutes. Log in there as the integration user that the app"
                " should read as, not as yourself."
            )
        )
        blocks.append({"type": "actions", "elements": [go]})
    else:
        blocks.append(section("First create an External Client App in Salesforce's Setup, and enter it here."))
    whose = f"This workspace uses its own app, `{escape(app.client_id[:12], 20)}…`." if app else _whose(link)
    blocks += [
        {"type": "divider"},
        section(
            f"*External Client App*\n{whose} Its callback URL is `{redirect_uri}`, its OAuth scopes are {SCOPE_NAMES}."
        ),
        _input(CLIENT_ID, "Consumer key"),
        _input(CLIENT_SECRET, "Consumer secret"),
        context("Both are stored encrypted. Leave them empty to keep things as they are."),
    ]
    return modal(TITLE, blocks) | {"callback_id": SET_APP, "submit": plain("Save app")}


def _whose(link: str | None) -> str:
    return (
        "None is known yet."
        if link is None
        else "The app of whoever runs this server is used, unless you enter your own."
    )


def _input(name: str, label: str) -> Block:
    element = {"type": "plain_text_input", "action_id": name, "max_length": 500}
    return {"type": "input", "block_id": name, "optional": True, "label": plain(label), "element": element}
