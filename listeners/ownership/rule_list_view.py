"""The list of ownership rules: what is in force or drafted, in plain sentences, and what can be done to it. Pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from domain.rule_versions import SeenVersion
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.mentions import fault_text, fit_section, labels_of, mention, shown_sentence
from services.messages.wording import slack_time
from services.ownership.rules.check import OrgShape
from services.ownership.rules.current_rules import RuleBook
from services.ownership.rules.edits import DELETE, DOWN, SWITCH, UP
from services.ownership.rules.faults import RuleFault
from services.ownership.rules.rule_set import CATCH_ALL, Rule
from services.slack.mrkdwn import escape

TITLE = "Ownership (DRIs)"
OPEN = "ownership_open"
RULE_MENU = "ownership_rule_menu"
TURN = "ownership_turn"
ADD, PUBLISH, DISCARD = "ownership_add", "ownership_publish", "ownership_discard"
HISTORY, SIMULATE, PEOPLE, MORE = "ownership_history", "ownership_simulate", "ownership_people", "ownership_more"
EDIT = "edit"

A_PAGE = 20
"""Rules; a view holds 100 blocks. https://docs.slack.dev/reference/views/modal-views"""

MOST_FAULTS = 12

_NO_RULES = (
    "*Nothing has to be set up here.* _Everything else_ below finds the right person in most cases. Add a rule where"
    " somebody else should be told, such as the SDR of a target account, or a channel when a champion leaves a"
    " customer. You can begin with one of eleven ready-made scenarios, or with all of them, and try them on past job"
    " changes before you publish."
)


@dataclass(frozen=True)
class Listed:
    """What a list showed: how the rules stood, and which page, from 0."""

    seen: SeenVersion
    page: int

    def kept(self) -> str:
        return json.dumps({"seen": asdict(self.seen), "page": self.page})

    @classmethod
    def of(cls, view: View) -> Listed:
        """From the private_metadata that `kept` wrote."""
        kept = json.loads(view["private_metadata"])
        return cls(SeenVersion(**kept["seen"]), kept["page"])


@dataclass(frozen=True)
class Outlook:
    """What the list says beside the rules. *org* None: no Salesforce, or it does not answer; *trouble* says why."""

    faults: Sequence[RuleFault] = ()
    org: OrgShape | None = None
    trouble: str | None = None


def list_view(book: RuleBook, outlook: Outlook, page: int = 0, note: str | None = None) -> View:
    """*note*: what came of what was just done, in mrkdwn."""
    rules = book.shown.rules
    last = max(0, (len(rules) - 1) // A_PAGE)
    page = min(max(page, 0), last)
    labels = labels_of(outlook.org)
    troubles = _by_rule(outlook.faults)
    start = page * A_PAGE
    blocks = [
        *([section(note)] if note else []),
        section(_standing(book)),
        {"type": "actions", "elements": _buttons(book)},
        *([context(f":warning: {escape(outlook.trouble, 300)}")] if outlook.trouble else []),
        *_beside(outlook.faults),
        {"type": "divider"},
        *([] if rules else [section(_NO_RULES)]),
    ]
    for number, rule in enumerate(rules[start : start + A_PAGE], start):
        blocks.append(_rule(number, rule, labels, troubles[number]))
    if last:
        blocks.append(_pager(page, last, len(rules)))
    everything = f"*Everything else*\n{shown_sentence(CATCH_ALL, labels)}"
    blocks += [
        section(everything),
        context("For each side of a job change, the first rule that matches decides. This last one is always there."),
    ]
    return modal(TITLE, blocks) | {"private_metadata": Listed(book.seen, page).kept()}


def _standing(book: RuleBook) -> str:
    if book.problem:
        return f":warning: *The rules cannot be read by this version:* {escape(book.problem, 300)}"
    in_force = len(book.rules.in_force)
    count = "1 rule" if in_force == 1 else f"{in_force} rules"
    told = (
        f"*Version {book.version} is in force*, with {count}." if book.version else "You have no rules of your own yet."
    )
    if book.draft is None:
        return f":white_check_mark: {told}" if book.version else told
    by = f"{mention(book.draft.changed_by)}, {slack_time(book.draft.changed_at)}"
    older = (
        " Others were published since it was begun: discard it and begin again."
        if book.draft.based_on != book.version
        else " None of it is in force until you publish it."
    )
    return f":pencil2: *This is a draft*, last changed by {by}.{older}\n{told}"


def _buttons(book: RuleBook) -> list[Block]:
    drafting = [
        button("Publish", PUBLISH) | {"style": "primary"},
        button("Discard draft", DISCARD)
        | {"confirm": _confirm("Discard the draft?", "What is in force stays as it is.", "Discard it")},
    ]
    return [
        *([] if book.problem else [button("Add a rule", ADD)]),
        *(drafting if book.draft else []),
        button("Simulate", SIMULATE),
        button("Unmatched people", PEOPLE),
        *([] if book.problem else [button("Pools and more", MORE)]),
        button("History", HISTORY),
    ]


def _confirm(title: str, text: str, yes: str) -> Block:
    return {"title": plain(title), "text": plain(text), "confirm": plain(yes), "deny": plain("Keep it")}


def _rule(number: int, rule: Rule, labels: dict[str, str], troubles: Sequence[RuleFault]) -> Block:
    off = "" if rule.enabled else " · _switched off_"
    text = f"*{number + 1}. {escape(rule.name, 80)}*{off}\n{shown_sentence(rule, labels)}"
    for fault in troubles[:3]:
        text += f"\n:warning: {escape(fault.message, 300)}"
    choices = {
        EDIT: "Edit",
        UP: "Move up",
        DOWN: "Move down",
        SWITCH: "Switch off" if rule.enabled else "Switch on",
        DELETE: "Delete",
    }
    options = [{"text": plain(label), "value": f"{choice}:{number}"} for choice, label in choices.items()]
    menu = {"type": "overflow", "action_id": RULE_MENU, "options": options}
    return section(text, menu, f"rule-{number}")


def _pager(page: int, last: int, rules: int) -> Block:
    shown = f"Rules {page * A_PAGE + 1} to {min((page + 1) * A_PAGE, rules)} of {rules}"
    turns = [("Previous", page - 1)] * (page > 0) + [("Next", page + 1)] * (page < last)
    buttons = [button(label, f"{TURN}_{label.lower()}", str(to)) for label, to in turns]
    return {"type": "actions", "elements": [*buttons, button(shown, f"{TURN}_here", str(page))]}


def _by_rule(faults: Sequence[RuleFault]) -> dict[int, list[RuleFault]]:
    found: dict[int, list[RuleFault]] = defaultdict(list)
    for fault in faults:
        steps = fault.path.split(".")
        if steps[0] == "rules":
            found[int(steps[1])].append(fault)
    return found


def _beside(faults: Sequence[RuleFault]) -> list[Block]:
    """How many rules have something wrong with them, and what is wrong beside the rules."""
    of_rules = _by_rule(faults)
    lines = [f":warning: {fault_text(fault)}" for fault in faults if not fault.path.startswith("rules.")]
    if of_rules:
        places = [str(number + 1) for number in sorted(of_rules)]
        more = f" and {len(places) - 20} more" if len(places) > 20 else ""
        lines.append(f":warning: Something is wrong with rule {', '.join(places[:20])}{more}: see there.")
    return [section(fit_section(lines[:MOST_FAULTS]))] if lines else []
