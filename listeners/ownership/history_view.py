"""The history dialog: published versions to roll back to, and the changes by admins. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain.audit import AuditEntry
from domain.rule_versions import ACTION, PublishedRules
from listeners.dialogs.blocks import (
    Block,
    View,
    button,
    confirm,
    context,
    data_of,
    divider,
    modal,
    noted,
    section,
    sections,
)
from listeners.dialogs.mentions import mention
from services.messages.wording import slack_time
from services.slack.mrkdwn import escape

HISTORY_TITLE = "History"
ROLL_BACK = "ownership_roll_back"

VERSIONS = 15
_USER = re.compile(r"\b[UW][A-Z0-9]{8,20}\b")


def history_view(versions: Sequence[PublishedRules], changes: Sequence[AuditEntry], note: str | None = None) -> View:
    """`versions` and `changes` are newest first."""
    blocks = [*noted(note), section("*Versions*")]
    for number, version in enumerate(versions[:VERSIONS]):
        blocks.append(_version(version, is_current=number == 0))
    if not versions:
        blocks.append(context("No version has been published yet."))
    blocks += [divider(), section("*Changes*")]
    blocks += sections([_line(change) for change in changes] or ["There are no changes yet."])
    return modal(HISTORY_TITLE, blocks, {"version": versions[0].version if versions else 0})


def seen_version(view: View) -> int:
    """The version that was published when the history was shown."""
    return int(data_of(view)["version"])


def _version(version: PublishedRules, *, is_current: bool) -> Block:
    text = f"*Version {version.version}*{' · current' if is_current else ''}\n"
    text += f"{slack_time(version.published_at)} by {mention(version.published_by)}: {escape(version.note, 300)}"
    if is_current:
        return section(text)
    effect = "Its rules are published again as a new version. Any draft is discarded."
    question = confirm(f"Roll back to version {version.version}?", effect, "Roll back")
    number = str(version.version)
    return section(text, button("Roll back", f"{ROLL_BACK}_{number}", number, confirm=question))


def _line(change: AuditEntry) -> str:
    action = change.action.removeprefix(f"{ACTION}: ")
    text = escape(f"{action}: {change.detail}" if change.detail else action, 200)
    return f"{slack_time(change.at)} · {mention(change.actor)} · {_USER.sub(lambda match: mention(match[0]), text)}"
