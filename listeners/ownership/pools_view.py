"""The dialogs for pools, mapping tables, segments and guards. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from domain.day_counts import counted
from domain.rule_versions import SeenVersion
from listeners.dialogs.blocks import (
    Block,
    View,
    button,
    context,
    data_of,
    divider,
    message_view,
    noted,
    overflow,
    section,
)
from listeners.dialogs.form import LONGEST_TEXT, Choice, FieldErrors, Form, Number, ParsedText, Several, Text, Users
from listeners.dialogs.mentions import mention
from listeners.ownership.rule_form.form_values import lines_of, read_test, shown_test
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.edits import MAPPINGS, POOLS
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import is_slack_user
from services.ownership.rules.rule_set import MOST_CONTEXT_FIELDS, Pool
from services.slack.mrkdwn import escape

EDIT_NAMED, NEW_NAMED, DELETE_NAMED = "ownership_edit_named", "ownership_new_named", "ownership_delete_named"

MOST_PICKED = 100
MOST_SHOWN = 20

_MEMBER = re.compile(r"members\.([0-9]+)\..*")


def read_members(text: str) -> list[dict[str, object]]:
    """Members with their weights, as JSON. Raises ValueError with a sentence about the text."""
    members: list[dict[str, object]] = []
    for number, line in enumerate(lines_of(text), 1):
        user, _, weight = line.partition(" ")
        if weight and not weight.strip().isdigit():
            raise ValueError(f"Line {number}: enter a person, then a whole number as the weight.")
        members.append({"user": user} | ({"weight": int(weight)} if weight else {}))
    return members


def read_table(text: str) -> dict[str, str]:
    """The table as JSON. Raises ValueError with a sentence about the text."""
    table: dict[str, str] = {}
    for number, line in enumerate(lines_of(text), 1):
        owner, _, recipient = (part.strip() for part in line.partition("="))
        if not (owner and recipient):
            raise ValueError(f"Line {number}: enter two people, such as ann@acme.com = bob@acme.com.")
        table[owner] = recipient
    return table


OPEN_OPPORTUNITY = Choice(
    "open_opportunity",
    "Of several open opportunities, use",
    {"newest": "The newest", "largest": "The largest by amount", "next_to_close": "The next to close"},
    hint="Of an account, or of a contact that has a role in them.",
    default="newest",
)
CUSTOMER = ParsedText("customer", "An account is a customer if", read=read_test, optional=True)
TARGET = ParsedText("target", "An account is a target if", read=read_test, optional=True)
CONTEXT_FIELDS = ParsedText(
    "context_fields",
    "Show on cards",
    read=str.split,
    hint=f"Up to {MOST_CONTEXT_FIELDS} fields of Contact, Account or the open Opportunity, one per line, such as "
    "Opportunity.Amount. Empty ones are left out.",
    multiline=True,
    optional=True,
)
EXCLUDED = Users("excluded", "Never notify", optional=True)
EXCLUDED_OTHERS = ParsedText(
    "excluded_others",
    "Never notify: others",
    read=str.split,
    hint="One email address per line.",
    multiline=True,
    optional=True,
)
CAP = Number(
    "daily_cap",
    "Daily limit per person",
    least=1,
    hint="Job changes in 24 hours. Leave empty for no limit.",
    optional=True,
)
ADVANCED = Form(
    "ownership_settings",
    "Pools and advanced",
    "Save to draft",
    (CUSTOMER, TARGET, OPEN_OPPORTUNITY, CONTEXT_FIELDS, EXCLUDED, EXCLUDED_OTHERS, CAP),
    close="Close",
)

NAME = Text("name", "Name", longest=80)
MEMBERS = Users("members", "Members", optional=True)
OTHERS = ParsedText(
    "others",
    "Members by email address, or with a weight",
    read=read_members,
    hint="One per line: an email address or user id, then a weight if they take more turns, such as ann@acme.com 2",
    multiline=True,
    optional=True,
)
STICKY = Several("sticky", "Sticky", {"yes": "An account stays with the member who was notified last"}, optional=True)
POOL = Form("ownership_pool", "Pool", "Save to draft", (NAME, MEMBERS, OTHERS, STICKY))

TABLE = ParsedText(
    "table",
    "Owner → recipient",
    read=read_table,
    hint="One pair per line, by email address or user id: owner = recipient",
    multiline=True,
)
MAPPING = Form("ownership_mapping", "Mapping", "Save to draft", (NAME, TABLE))


def advanced_view(book: CurrentRules, note: str | None = None) -> View:
    """Pools, mappings, segments and guards. Fields that are too long for Slack are left out and stay unchanged."""
    rules = book.shown
    picked, others = split(rules.guards.excluded)
    cap = rules.guards.daily_cap
    too_long: list[str] = []

    def whole(field: ParsedText[Any], text: str) -> list[Block]:
        """The field, or nothing if the text is too long for Slack."""
        if len(text) > LONGEST_TEXT:
            too_long.append(field.label)
        return [] if field.label in too_long else [field.block(text)]

    blocks = [
        *noted(note),
        *_named(POOLS, "Pools", "members take turns", rules.pools, _pool_line),
        *_named(
            MAPPINGS, "Mappings", "from one person to another, such as account executive to SDR", rules.mappings, _pairs
        ),
        divider(),
        *whole(CUSTOMER, shown_test(rules.segments.customer)),
        *whole(TARGET, shown_test(rules.segments.target)),
        OPEN_OPPORTUNITY.block(rules.open_opportunity),
        CONTEXT_FIELDS.block("\n".join(rules.context_fields or ())),
        EXCLUDED.block(picked),
        *whole(EXCLUDED_OTHERS, "\n".join(others)),
        CAP.block(None if cap is None else str(cap)),
        *([context(f"Too long for this dialog, so unchanged: {', '.join(too_long).lower()}.")] if too_long else []),
    ]
    return ADVANCED.view(blocks, {"seen": asdict(book.seen)})


def pool_view(book: CurrentRules, name: str | None) -> View:
    """If `name` is None, the dialog is for a new one."""
    pool = book.shown.pools.get(name) if name else None
    members = pool.members if pool else ()
    picked = [member.user for member in members if member.weight == 1 and is_slack_user(member.user)][:MOST_PICKED]
    others = "\n".join(
        f"{member.user} {member.weight}" if member.weight > 1 else member.user
        for member in members
        if member.user not in picked
    )
    if len(others) > LONGEST_TEXT:
        return _too_many(POOL, f"{len(members)} members")
    sticky = {"yes"} if pool is None or pool.sticky else ()
    blocks = [NAME.block(name), MEMBERS.block(picked), OTHERS.block(others), STICKY.block(sticky)]
    return POOL.view(blocks, {"seen": asdict(book.seen), "name": name})


def mapping_view(book: CurrentRules, name: str | None) -> View:
    """If `name` is None, the dialog is for a new one."""
    table = book.shown.mappings.get(name, {}) if name else {}
    lines = "\n".join(f"{owner} = {recipient}" for owner, recipient in table.items())
    if len(lines) > LONGEST_TEXT:
        return _too_many(MAPPING, _pairs(table))
    return MAPPING.view([NAME.block(name), TABLE.block(lines)], {"seen": asdict(book.seen), "name": name})


def acted_on(view: View) -> tuple[SeenVersion, str | None]:
    """The version that a dialog was opened with, and the name of its pool or mapping. None means a new one."""
    stored = data_of(view)
    return SeenVersion(**stored["seen"]), stored.get("name")


def settings_errors(issues: Sequence[RuleIssue], shown: Container[str]) -> FieldErrors:
    """The errors by field. Those of fields that are not `shown` are at the daily limit."""
    fields = {field.name: field.name for field in (CUSTOMER, TARGET, CONTEXT_FIELDS, CAP)} | {
        "excluded": EXCLUDED_OTHERS.name
    }
    by_field = {
        next((fields[step] for step in issue.path.split(".") if step in fields), CUSTOMER.name): issue.message
        for issue in issues
    }
    return {field if field in shown else CAP.name: message for field, message in by_field.items()}


def named_errors(issues: Sequence[RuleIssue], path: str, field: str) -> FieldErrors:
    """
    The errors by field: those of the name at the name, all others at `field`.

    `path` is the path of the pool or mapping, such as `pools.SDRs`.
    """
    by_field: dict[str, list[str]] = {}
    for issue in issues:
        inner = issue.path.removeprefix(path).removeprefix(".")
        member = _MEMBER.fullmatch(inner)
        owner = f"“{inner}”: " if inner and field == TABLE.name else ""
        message = f"{f'Member {int(member[1]) + 1}: ' if member else owner}{issue.message}"
        by_field.setdefault(field if inner else NAME.name, []).append(f"{message[0].upper()}{message[1:]}")
    return {name: "; ".join(dict.fromkeys(messages))[:500] for name, messages in by_field.items()}


def split(people: Sequence[str]) -> tuple[list[str], list[str]]:
    """The people whom a picker can show, and the others."""
    picked = [person for person in people if is_slack_user(person)][:MOST_PICKED]
    return picked, [person for person in people if person not in picked]


def _named(
    kind: str, title: str, explanation: str, items: Mapping[str, Any], line_of: Callable[[Any], str]
) -> list[Block]:
    blocks = [section(f"*{title}*: {explanation}", button("Add", f"{NEW_NAMED}_{kind}", kind))]
    for name, item in list(items.items())[:MOST_SHOWN]:
        menu = overflow(f"{EDIT_NAMED}_{kind}", {f"{EDIT_NAMED}:{name}": "Edit", f"{DELETE_NAMED}:{name}": "Delete"})
        blocks.append(section(f"{escape(name, 80)}: {line_of(item)}", menu))
    if len(items) > MOST_SHOWN:
        blocks.append(context(f"And {len(items) - MOST_SHOWN} more. Export the rules as JSON to see them."))
    return blocks


def _pool_line(pool: Pool) -> str:
    shown = [
        mention(member.user) + (f" (weight {member.weight})" if member.weight > 1 else "")
        for member in pool.members[:8]
    ]
    more = f" and {len(pool.members) - 8} more" if len(pool.members) > 8 else ""
    return ", ".join(shown) + more


def _pairs(table: Mapping[str, str]) -> str:
    return counted(len(table), "pair")


def _too_many(form: Form, count: str) -> View:
    text = f"{count} are too many for this dialog. Export the rules as JSON, edit them, and import them again."
    return message_view(form.title, text)
