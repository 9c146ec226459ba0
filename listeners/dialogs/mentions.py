"""How the dialogs about ownership show rules: people and channels as mentions, all other text made inert. Pure."""

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
from services.ownership.rules.owner_sources import Source
from services.ownership.rules.rule_set import Rule
from services.slack.mrkdwn import escape
from services.slack.mrkdwn import plain as plain_text

_OPEN, _END = "\ue000", "\ue001"  # in nobody's text: what stands between them is an id
_MARKED = re.compile(f"{_OPEN}([UWCGS][A-Z0-9]{{2,20}}){_END}")
_ID = re.compile(r"[UWCGS][A-Z0-9]{2,20}")


def mention(who: str) -> str:
    """A Slack user, channel or user group by its id, in mrkdwn; the operator; or an e-mail address."""
    if who == DEFAULT_CHANNEL:
        return "the default channel"
    if who == OPERATOR:
        return "the operator"
    if not _ID.fullmatch(who):
        return escape(who, 320)
    return {"C": f"<#{who}>", "G": f"<#{who}>", "S": f"<!subteam^{who}>"}.get(who[0], f"<@{who}>")


def shown_sentence(rule: Rule, labels: Mapping[str, str], most: int = 700) -> str:
    """In mrkdwn, with a full stop. *labels*: what the org calls its fields."""
    names = DisplayNames(lambda who: f"{_OPEN}{who}{_END}" if _ID.fullmatch(who) else who, labels)
    return _MARKED.sub(lambda found: mention(found[1]), escape(describe_rule(rule, names), most)) + "."


def labels_of(org: OrgSchema | None) -> dict[str, str]:
    """What the org calls its fields; without those that share theirs with another one of the same object."""
    fields = org.fields if org else {}
    spoken = Counter((name.partition(".")[0], one.label.casefold()) for name, one in fields.items())
    return {
        name: one.label for name, one in fields.items() if spoken[name.partition(".")[0], one.label.casefold()] == 1
    }


def source_label(source: Source, labels: Mapping[str, str]) -> str:
    """For an option of a menu, which holds 75 characters."""
    text = describe_source(source, DisplayNames(labels=labels))
    return plain_text(text[:1].upper() + text[1:], 73)


def issue_text(issue: RuleIssue) -> str:
    """With the number of the rule it is in, as the list counts them, in mrkdwn."""
    steps = issue.path.split(".")
    if steps[0] != "rules":
        text = str(issue)
        return escape(text if issue.path else text[:1].upper() + text[1:], 300)
    return f"Rule {int(steps[1]) + 1}: {escape(issue.message, 300)}"


def fit_section(lines: Iterable[str]) -> str:
    """As many of these lines as a section holds, each whole."""
    text = ""
    for line in lines:
        if len(text) + len(line) > LONGEST_SECTION:
            return f"{text}\n…"
        text += f"\n{line}" if text else line
    return text


def save_result_text(kept: SaveResult) -> str:
    """What came of a change, in mrkdwn, with every issue that is in its way."""
    wrong = [issue for issue in kept.issues if not issue.is_warning]
    told = "".join(f"\n• {issue_text(issue)}" for issue in wrong[:8])
    more = f"\n• and {len(wrong) - 8} more, each beside its rule" if len(wrong) > 8 else ""
    return f"{':white_check_mark:' if kept.stored else ':no_entry:'} {kept.text}{told}{more}"
