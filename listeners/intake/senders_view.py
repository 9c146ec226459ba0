"""The dialogs in which admins add senders of job changes and look at what came in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.day_counts import counted
from domain.job_change.validation import InvalidJobChangeError
from domain.preferences import MERGE_REPORTS
from listeners.dialogs.blocks import View, actions, button, context, menu, modal, noted, overflow, section
from listeners.dialogs.form import Choice, Form, Text
from listeners.intake.keys_view import REVOKED_AT_ONCE
from services.intake.added_senders import ListedSender, MaskedPayload
from services.intake.intake import Result, Skipped
from services.intake.keys import LONGEST_SECRET
from services.intake.senders import registry
from services.intake.senders.sender import Sender
from services.messages.wording import sentence, slack_time
from services.slack.mrkdwn import code, escape

TITLE = "Senders"
ADD, DO, SEND_AGAIN = "sender_add", "sender_do", "sender_send_again"
MERGE = "sender_merge"
ROTATE, REVOKE, REFUSED, STEPS, TEST = "rotate", "revoke", "refused", "steps", "test"
"""What can be done with a sender, as `verb:name` in the menu of DO."""

OTHER = "other"
"""The choice of a product that is not shipped. No sender has this name."""

MOST_SHOWN = 30
"""Three blocks each; a view holds 100."""

_PRODUCTS = {sender.name: sender.label for sender in registry.SHIPPED.values()} | {OTHER: "Another product"}

PRODUCT = Choice("product", "Product", _PRODUCTS)
NAME = Text("name", "Name, for another product", longest=registry.LONGEST_SOURCE, optional=True)
SECRET = Text(
    "secret",
    "Secret, if the vendor has made it",
    hint="Lusha's webhook secret, or your Crustdata API key. For the others, the app makes one.",
    longest=LONGEST_SECRET,
    optional=True,
)
ADD_FORM = Form("sender_add_save", "Add a sender", "Add", (PRODUCT, NAME, SECRET))
REVOKE_FORM = Form("sender_revoke", "Revoke secret", "Revoke", ())


def senders_view(senders: Sequence[ListedSender], note: str | None = None, *, merges: bool = True) -> View:
    """`merges`: reports of one move are merged. `note` is the result of what the admin just did, in mrkdwn."""
    intro = "Each sender has its own address and secret, and its job changes are counted here."
    intro += "" if senders else " None has been added yet."
    blocks = [*noted(note), section(intro), *actions(button("Add a sender…", ADD))]
    for sender in senders[:MOST_SHOWN]:
        choices = {f"{verb}:{sender.name}": label for verb, label in _choices(sender).items()}
        line = sender_line(sender, slack_time)
        text = f"*{escape(sender.adapter.label, 100)}*\n{line[0].upper()}{line[1:]}"
        blocks.append(section(text, overflow(DO, choices), f"sender-{sender.name}"))
        figures = sender.figures
        if figures.refused_at and figures.refusal:
            refusal = escape(figures.refusal, 300)
            blocks.append(context(f"Last refused {slack_time(figures.refused_at)}: {refusal}"))
        if figures.tested_at and figures.test:
            blocks.append(context(f"Last test {slack_time(figures.tested_at)}: {escape(figures.test, 300)}"))
    if len(senders) > MOST_SHOWN:
        blocks.append(context(f"{len(senders) - MOST_SHOWN} more are not shown here."))
    choices, chosen = MERGE_REPORTS.choices(), MERGE_REPORTS.text_of(merges)
    blocks.append(section(f"*{MERGE_REPORTS.label}*", menu(MERGE, choices, chosen), f"merge-{chosen}"))
    return modal(TITLE, [*blocks, context(MERGE_REPORTS.about)])


def _choices(sender: ListedSender) -> dict[str, str]:
    choices = {STEPS: "How to set it up", ROTATE: "Rotate the secret"}
    choices |= {} if sender.has_mapping else {TEST: "Send me a test"}
    choices |= {REFUSED: "Refused payloads"} if sender.figures.refused else {}
    return choices | ({REVOKE: "Revoke the secret…"} if sender.keys else {})


def add_view(product: str | None = None) -> View:
    """`product` is preselected, to rotate a secret that the vendor has made."""
    return ADD_FORM.view([PRODUCT.block(product), NAME.block(), SECRET.block()])


def revoke_view(sender: Sender) -> View:
    """The question before the secret of a sender is revoked."""
    question = f"*Revoke the secret of {escape(sender.label, 100)}?* {REVOKED_AT_ONCE}"
    return REVOKE_FORM.view([section(question)], {"name": sender.name})


def steps_view(sender: Sender, url: str, key: str | None = None, note: str | None = None) -> View:
    """How to set up a sender. `key` is shown once; None if it cannot be shown (again)."""
    secret = "shown above" if key else "that you have stored"
    filled = (sentence(step.format(url=url, secret=secret)) for step in sender.steps)
    steps = [f"{number}. {step}" for number, step in enumerate(filled, 1)]
    blocks = [*noted(note), section(f"*{escape(sender.label, 100)}* {sender.proof.about}.")]
    if key:
        blocks.append(section(f"Copy it now. It is shown only once:\n```{key}```"))
    blocks += [section(f"It posts to\n```{url}```"), section("\n".join(escape(step, 600) for step in steps))]
    return modal(TITLE, [*blocks, context(f"<{sender.documents}|The vendor's documentation>")])


def refused_view(name: str, payloads: Sequence[MaskedPayload], note: str | None = None) -> View:
    """Refused payloads with their values shortened, each with a button that receives it once more."""
    intro = (
        f"Payloads from {escape(name, 100)} that were refused in the last seven days, with values shortened. Correct"
        " the field mapping, then send them again."
    )
    blocks = [*noted(note), section(intro)]
    for payload in payloads:
        text = f"{slack_time(payload.received_at)}: {escape(payload.reason, 300)}\n```{code(payload.text, 1_500)}```"
        blocks.append(section(text, button("Send again", SEND_AGAIN, f"{payload.id}:{name}"), f"refused-{payload.id}"))
    return modal("Refused payloads", blocks if payloads else [*blocks, section("None.")])


def sender_line(sender: ListedSender, time: Callable[[int], str]) -> str:
    """The figures of a sender, for people. `time` renders milliseconds."""
    figures = sender.figures
    parts = ["nothing received yet"]
    if figures.received_at:
        parts = [f"{counted(figures.accepted, 'job change')} accepted", counted(figures.duplicate, "duplicate")]
        parts += [f"{figures.skipped:,} skipped"] if figures.skipped else []
        parts += [f"{figures.refused:,} refused"] if figures.refused else []
        parts.append(f"last received {time(figures.received_at)}")
    if not sender.keys:
        parts.append("its key was revoked")
    return ", ".join(parts)


def result_line(result: Result) -> str:
    """What became of one person in a payload."""
    if result is None:
        return "The app is no longer installed."
    if isinstance(result, InvalidJobChangeError):
        return f"Refused: {result}"
    if isinstance(result, Skipped):
        return f"Skipped: {result}"
    if result.attached_to:
        return f"Attached to {result.attached_to}, which reports the same move"
    return f"{'Accepted' if result.is_new else 'A duplicate of'} {result.id}"
