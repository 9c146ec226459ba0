"""The list of ownership rules, published or drafted, in plain sentences. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from domain.day_counts import counted
from domain.rule_versions import SeenVersion
from listeners.dialogs.blocks import (
    Block,
    View,
    actions,
    button,
    confirm,
    context,
    data_of,
    divider,
    modal,
    noted,
    overflow,
    section,
)
from listeners.dialogs.mentions import fit_section, issue_text, labels_of, mention, shown_sentence
from services.messages.wording import slack_time
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.edits import DELETE, DOWN, SWITCH, UP
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.rule_set import CATCH_ALL, Rule
from services.slack.mrkdwn import escape

TITLE = "Ownership (DRIs)"
OPEN = "ownership_open"
RULE_MENU = "ownership_rule_menu"
TURN = "ownership_turn"
ADD, PUBLISH, DISCARD = "ownership_add", "ownership_publish", "ownership_discard"
HISTORY, SIMULATE, PEOPLE, MORE = "ownership_history", "ownership_simulate", "ownership_people", "ownership_more"
SCORECARD = "ownership_scorecard"
EDIT = "edit"

A_PAGE = 20
"""Rules on a page: a view holds 100 blocks. https://docs.slack.dev/reference/views/modal-views"""

MOST_ISSUES = 12

_NO_RULES = (
    "*You don't need any rules.* _Everything else_ below finds the right person in most cases. Add a rule to notify"
    " another person, such as the SDR of a target account, or a channel when a champion leaves a customer. You can"
    " start from a sentence, or from a rule for every case, and simulate them on past job changes before you publish."
)


@dataclass(frozen=True)
class ShownList:
    """What a list showed: the version of the rules, and the page, from 0."""

    seen: SeenVersion
    page: int

    @classmethod
    def of(cls, view: View) -> ShownList:
        """Read the data of `list_view`."""
        shown = data_of(view)
        return cls(SeenVersion(**shown["seen"]), shown["page"])


@dataclass(frozen=True)
class ListContext:
    """What else the list shows. `org` None means no Salesforce, or no answer; `problem` says why."""

    issues: Sequence[RuleIssue] = ()
    org: OrgSchema | None = None
    problem: str | None = None


def list_view(book: CurrentRules, list_context: ListContext, page: int = 0, note: str | None = None) -> View:
    """`note` is the result of the last change, in mrkdwn."""
    rules = book.shown.rules
    last = max(0, (len(rules) - 1) // A_PAGE)
    page = min(max(page, 0), last)
    labels = labels_of(list_context.org)
    issues = _by_rule(list_context.issues)
    start = page * A_PAGE
    blocks = [
        *noted(note),
        section(_status(book)),
        *actions(*_buttons(book)),
        *([context(f":warning: {escape(list_context.problem, 300)}")] if list_context.problem else []),
        *_issue_summary(list_context.issues),
        divider(),
        *([] if rules else [section(_NO_RULES)]),
    ]
    for number, rule in enumerate(rules[start : start + A_PAGE], start):
        blocks.append(_rule(number, rule, labels, issues[number]))
    if last:
        blocks += pager(TURN, page, last, len(rules))
    everything = f"*Everything else*\n{shown_sentence(CATCH_ALL, labels)}"
    blocks += [
        section(everything),
        context("On each side of a job change, the first rule that matches applies. Everything else is always last."),
    ]
    return modal(TITLE, blocks, asdict(ShownList(book.seen, page)))


def _status(book: CurrentRules) -> str:
    if book.problem:
        return f":warning: *This version of the app cannot read the rules:* {escape(book.problem, 300)}"
    count = counted(len(book.rules.in_force), "rule")
    published = (
        f"*Version {book.version} is published*, with {count} in force." if book.version else "There are no rules yet."
    )
    if book.draft is None:
        return f":white_check_mark: {published}" if book.version else published
    by = f"{mention(book.draft.changed_by)}, {slack_time(book.draft.changed_at)}"
    return f":pencil2: *This is a draft*, last changed by {by}. It takes effect when you publish it.\n{published}"


def _buttons(book: CurrentRules) -> list[Block]:
    question = confirm("Discard the draft?", "The published rules stay as they are.", "Discard", style="danger")
    drafting = [
        button("Publish", PUBLISH, style="primary"),
        button("Discard draft", DISCARD, confirm=question),
    ]
    return [
        *([] if book.problem else [button("Add a rule", ADD)]),
        *(drafting if book.draft else []),
        button("Simulate", SIMULATE),
        button("Scorecard", SCORECARD),
        button("Unmatched owners", PEOPLE),
        *([] if book.problem else [button("Pools and advanced", MORE)]),
        button("History", HISTORY),
    ]


def _rule(number: int, rule: Rule, labels: dict[str, str], issues: Sequence[RuleIssue]) -> Block:
    off = "" if rule.enabled else " · _off_"
    text = f"*{number + 1}. {escape(rule.name, 80)}*{off}\n{shown_sentence(rule, labels)}"
    for issue in issues[:3]:
        text += f"\n:warning: {escape(issue.message, 300)}"
    choices = {
        EDIT: "Edit",
        UP: "Move up",
        DOWN: "Move down",
        SWITCH: "Turn off" if rule.enabled else "Turn on",
        DELETE: "Delete",
    }
    menu = overflow(RULE_MENU, {f"{choice}:{number}": label for choice, label in choices.items()})
    return section(text, menu, f"rule-{number}")


def pager(turn: str, page: int, last: int, rules: int) -> list[Block]:
    """The buttons that turn pages of A_PAGE rules; `turn` is the start of their action_ids."""
    shown = f"Rules {page * A_PAGE + 1} to {min((page + 1) * A_PAGE, rules)} of {rules}"
    turns = [("Previous", page - 1)] * (page > 0) + [("Next", page + 1)] * (page < last)
    buttons = [button(label, f"{turn}_{label.lower()}", str(to)) for label, to in turns]
    return actions(*buttons, button(shown, f"{turn}_here", str(page)))


def _by_rule(issues: Sequence[RuleIssue]) -> dict[int, list[RuleIssue]]:
    by_rule: dict[int, list[RuleIssue]] = defaultdict(list)
    for issue in issues:
        steps = issue.path.split(".")
        if steps[0] == "rules":
            by_rule[int(steps[1])].append(issue)
    return by_rule


def _issue_summary(issues: Sequence[RuleIssue]) -> list[Block]:
    """The issues outside the rules, and the numbers of the rules with issues."""
    of_rules = _by_rule(issues)
    lines = [f":warning: {issue_text(issue)}" for issue in issues if not issue.path.startswith("rules.")]
    if of_rules:
        places = [str(number + 1) for number in sorted(of_rules)]
        more = f" and {len(places) - 20} more" if len(places) > 20 else ""
        if len(places) == 1:
            lines.append(f":warning: Rule {places[0]} has a problem.")
        else:
            lines.append(f":warning: Rules {', '.join(places[:20])}{more} have problems.")
    return [section(fit_section(lines[:MOST_ISSUES]))] if lines else []
