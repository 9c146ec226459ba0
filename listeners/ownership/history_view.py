"""The history dialog: published versions to roll back to, and the changes by admins. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.audit import AuditEntry
from domain.rule_versions import ACTION, PublishedRules
from listeners.dialogs.blocks import (
    View,
    actions,
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
from listeners.dialogs.mentions import mention, shown_sentence
from services.messages.wording import slack_time
from services.ownership.rules.rule_set import RuleSet
from services.slack.mrkdwn import escape

HISTORY_TITLE = "History"
ROLL_BACK = "ownership_roll_back"
VIEW_VERSION = "ownership_version"

VERSIONS = 15
_USER = re.compile(r"\b[UW][A-Z0-9]{8,20}\b")


def history_view(versions: Sequence[PublishedRules], changes: Sequence[AuditEntry], note: str | None = None) -> View:
    """`versions` and `changes` are newest first."""
    blocks = [*noted(note), section("*Versions*")]
    for place, version in enumerate(versions[:VERSIONS]):
        number = str(version.version)
        text = f"*Version {number}*{'' if place else ' · current'}\n"
        text += f"{slack_time(version.published_at)} by {mention(version.published_by)}: {escape(version.note, 300)}"
        blocks.append(section(text, button("View…", f"{VIEW_VERSION}_{number}", number) if place else None))
    if not versions:
        blocks.append(context("No version has been published yet."))
    blocks += [divider(), section("*Changes*")]
    lines = [] if changes else ["There are no changes yet."]
    for change in changes:
        action = change.action.removeprefix(f"{ACTION}: ")
        text = escape(f"{action}: {change.detail}" if change.detail else action, 200)
        text = _USER.sub(lambda user_id: mention(user_id[0]), text)
        lines.append(f"{slack_time(change.at)} · {mention(change.actor)} · {text}")
    blocks += sections(lines)
    return modal(HISTORY_TITLE, blocks, {"version": versions[0].version if versions else 0})


def seen_version(view: View) -> int:
    """The version that was published when the history was shown."""
    return int(data_of(view)["version"])


def version_view(version: PublishedRules, rules: RuleSet | None, labels: Mapping[str, str], seen: int) -> View:
    """An earlier version, and the button to go back to it. `rules` None means that it can no longer be read."""
    if rules is None:
        return modal(HISTORY_TITLE, [section("This version can no longer be read.")], {"version": seen})
    effect = "Its rules are published again as a new version. Any draft is discarded."
    question = confirm(f"Roll back to version {version.version}?", effect, "Roll back")
    number = str(version.version)
    lines = [
        f"*{place}. {escape(rule.name, 80)}*{'' if rule.enabled else ' · _off_'}\n{shown_sentence(rule, labels, 400)}"
        for place, rule in enumerate(rules.rules, 1)
    ]
    blocks = [
        section(f"*Version {number}*\n{slack_time(version.published_at)} by {mention(version.published_by)}"),
        *actions(button("Roll back", f"{ROLL_BACK}_{number}", number, confirm=question)),
        divider(),
        *sections(lines or ["It has no rules: “Everything else” applies."]),
    ]
    return modal(HISTORY_TITLE, blocks, {"version": seen})
