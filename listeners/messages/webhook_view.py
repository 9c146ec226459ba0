"""The dialog about the outgoing webhook of a workspace. Pure."""

from __future__ import annotations

from domain.workspace import OutgoingWebhook, SecretChange, WebhookEvent
from listeners.dialogs.blocks import View, actions, button, confirm, context, message_view, noted, section
from listeners.dialogs.form import Choice, Form, Several, Text
from services.messages.wording import slack_time
from services.slack.mrkdwn import code, escape

CHANGE_WEBHOOK, TEST_WEBHOOK, REMOVE_WEBHOOK = "home_webhook", "webhook_test", "webhook_remove"
TITLE = "Outgoing webhook"

_LABELS = {
    WebhookEvent.DELIVERED: "Delivered",
    WebhookEvent.TAKEN: "Taken: a person is on it",
    WebhookEvent.REASSIGNED: "Reassigned",
    WebhookEvent.DONE: "Done or not relevant",
    WebhookEvent.WRONG_DATA: "Reported as wrong data",
    WebhookEvent.FAILED: "Failed",
}
URL = Text(
    "url", "URL", hint="It receives a signed POST request for each event.", placeholder="https://…", longest=2_000
)
EVENTS = Several("events", "Events", choices={str(event.value): label for event, label in _LABELS.items()})
SECRET = Choice(
    "secret",
    "Signing secret",
    {
        SecretChange.KEEP: "Keep the current one",
        SecretChange.ROTATE: "Create a new one. The current one also signs for 24 hours.",
        SecretChange.REPLACE: "Create a new one. The current one ends at once.",
    },
    default=SecretChange.KEEP,
    radio=True,
)
FORM = Form(CHANGE_WEBHOOK, TITLE, "Save", [URL, EVENTS, SECRET])


def webhook_line(webhook: OutgoingWebhook | None) -> str:
    """Where events are sent, as Home shows it."""
    if webhook is None:
        return "None. Send what happens to job changes to your own program."
    host = f"`{code(webhook.host, 100)}`"
    if webhook.off_at is not None:
        because = escape(webhook.off_because or "", 200)
        return f":warning: Nothing has been sent to {host} since {slack_time(webhook.off_at)}: {because}."
    failing = " The last attempt failed and will be retried." if webhook.failures else ""
    return f"{', '.join(_LABELS[event].partition(':')[0] for event in webhook.events)} → {host}.{failing}"


def webhook_view(webhook: OutgoingWebhook | None, url: str | None, note: str | None = None) -> View:
    """`url` is the current one; `note` is the result of the last choice, in mrkdwn."""
    wanted = webhook.events if webhook else sum(WebhookEvent)
    chosen = [str(event.value) for event in WebhookEvent if event & wanted]
    blocks = [*noted(note), URL.block(url), EVENTS.block(chosen)]
    if webhook:
        question = confirm(
            "Remove the webhook?",
            "Events are no longer sent to it, and its secret is deleted.",
            "Remove",
            style="danger",
        )
        remove = button("Remove", REMOVE_WEBHOOK, style="danger", confirm=question)
        test = [button("Send a test", TEST_WEBHOOK)] if webhook.off_at is None else []
        blocks = [section(webhook_line(webhook)), *actions(*test, remove), *blocks, SECRET.block()]
    return FORM.view(blocks)


def secret_view(secret: str, old_until: int | None) -> View:
    """`old_until` is the time in milliseconds until which the earlier secret also signs; None if it does not."""
    view = message_view(TITLE, f"Copy the signing secret now. It is shown only once:\n```{secret}```")
    notes = ["Check the signature of each request with a library of https://www.standardwebhooks.com."]
    if old_until is not None:
        notes.append(f"Requests have a signature with each of the two secrets until {slack_time(old_until)}.")
    return view | {"blocks": [*view["blocks"], *map(context, notes)]}
