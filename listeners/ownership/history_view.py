"""The history of the ownership rules: versions to roll back to, and who changed what and when. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from domain.audit import AuditEntry
from domain.rule_versions import ACTION, PublishedRules
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section, sections
from listeners.dialogs.mentions import mention
from services.messages.wording import slack_time
from services.slack.mrkdwn import escape

HISTORY_TITLE = "History"
ROLL_BACK = "ownership_roll_back"

VERSIONS = 15
_USER = re.compile(r"\b[UW][A-Z0-9]{8,20}\b")


def history_view(versions: Sequence[PublishedRules], changes: Sequence[AuditEntry], note: str | None = None) -> View:
    """*versions* and *changes* newest first."""
    blocks = [*([section(note)] if note else []), section("*Versions*")]
    for number, version in enumerate(versions[:VERSIONS]):
        blocks.append(_version(version, is_in_force=number == 0))
    if not versions:
        blocks.append(context("None was published yet."))
    blocks += [{"type": "divider"}, section("*Who changed what*")]
    blocks += sections([_line(change) for change in changes] or ["Nothing was changed yet."])
    seen = json.dumps({"version": versions[0].version if versions else 0})
    return modal(HISTORY_TITLE, blocks) | {"private_metadata": seen}


def seen_version(view: View) -> int:
    """The version that was in force when the history was shown."""
    return int(json.loads(view["private_metadata"])["version"])


def _version(version: PublishedRules, *, is_in_force: bool) -> Block:
    text = f"*Version {version.version}*{' · in force' if is_in_force else ''}\n"
    text += f"{slack_time(version.published_at)} by {mention(version.published_by)}: {escape(version.note, 300)}"
    if is_in_force:
        return section(text)
    confirm = {
        "title": plain(f"Roll back to version {version.version}?"),
        "text": plain("Its rules are published again, as a new version. A draft is dropped."),
        "confirm": plain("Roll back"),
        "deny": plain("Keep it"),
    }
    back = button("Roll back", f"{ROLL_BACK}_{version.version}", str(version.version)) | {"confirm": confirm}
    return section(text, back)


def _line(change: AuditEntry) -> str:
    what = change.action.removeprefix(f"{ACTION}: ")
    said = f"{what}: {change.detail}" if change.detail else what
    shown = _USER.sub(lambda found: mention(found[0]), escape(said, 200))
    return f"{slack_time(change.at)} · {mention(change.actor)} · {shown}"
