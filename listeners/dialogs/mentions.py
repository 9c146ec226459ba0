"""Rules in mrkdwn: people and channels become mentions, and all other text is escaped. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from domain.audit import OPERATOR
from domain.states import DEFAULT_CHANNEL
from listeners.dialogs.blocks import LONGEST_SECTION
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.current_rules import SaveResult
from services.ownership.rules.descriptions import DisplayNames, describe_rule, describe_source
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import Informed, Source
from services.ownership.rules.presets import GROUP_TO_CHOOSE
from services.ownership.rules.rule_set import Rule
from services.slack.mrkdwn import escape
from services.slack.mrkdwn import plain as plain_text

_OPEN, _END = "\ue000", "\ue001"  # around an id; these characters are not used in text
_MARKED = re.compile(f"{_OPEN}([UWCGS][A-Z0-9]{{2,20}}){_END}")
_ID = re.compile(r"[UWCGS][A-Z0-9]{2,20}")


def mention(destination: str) -> str:
    """Return mrkdwn. `destination` is the id of a Slack user, channel or user group, an email address, or OPERATOR."""
    if destination == DEFAULT_CHANNEL:
        return "the default channel"
    if destination == GROUP_TO_CHOOSE:
        return "a user group that you choose"
    if destination == OPERATOR:
        return "the operator"
    if not _ID.fullmatch(destination):
        return escape(destination, 320)
    return {"C": f"<#{destination}>", "G": f"<#{destination}>", "S": f"<!subteam^{destination}>"}.get(
        destination[0], f"<@{destination}>"
    )


def shown_sentence(rule: Rule, labels: Mapping[str, str], most: int = 700) -> str:
    """Return the reason in mrkdwn, with a full stop. `labels` holds the org's labels of fields."""
    names = DisplayNames(lambda name: f"{_OPEN}{name}{_END}" if _ID.fullmatch(name) else name, labels)
    return _MARKED.sub(lambda match: mention(match[1]), escape(describe_rule(rule, names), most)) + "."


def labels_of(org: OrgSchema | None) -> dict[str, str]:
    """The org's labels of fields, without labels that are not unique within their object."""
    fields = org.fields if org else {}
    counts = Counter((name.partition(".")[0], field.label.casefold()) for name, field in fields.items())
    return {
        name: field.label
        for name, field in fields.items()
        if counts[name.partition(".")[0], field.label.casefold()] == 1
    }


def source_label(source: Source | Informed, labels: Mapping[str, str]) -> str:
    """The text of an option in a menu, which is limited to 75 characters."""
    text = describe_source(source, DisplayNames(labels=labels))
    return plain_text(text[:1].upper() + text[1:], 73)


def issue_text(issue: RuleIssue) -> str:
    """Return the issue in mrkdwn, with the number of its rule as the list shows it."""
    steps = issue.path.split(".")
    if steps[0] != "rules":
        text = str(issue)
        return escape(text if issue.path else text[:1].upper() + text[1:], 300)
    return f"Rule {int(steps[1]) + 1}: {escape(issue.message, 300)}"


def fit_section(lines: Iterable[str]) -> str:
    """Return as many whole lines as fit into a section."""
    text = ""
    for line in lines:
        if len(text) + len(line) > LONGEST_SECTION:
            return f"{text}\n…"
        text += f"\n{line}" if text else line
    return text


def save_result_text(result: SaveResult) -> str:
    """Return the result in mrkdwn, with the errors that prevented the change."""
    errors = [issue for issue in result.issues if not issue.is_warning]
    shown = "".join(f"\n• {issue_text(issue)}" for issue in errors[:8])
    more = f"\n• and {len(errors) - 8} more, shown with their rules" if len(errors) > 8 else ""
    return f"{':white_check_mark:' if result.stored else ':no_entry:'} {result.text}{shown}{more}"
