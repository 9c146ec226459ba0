"""The dialogs for pools, mapping tables, segments and guards. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict

from domain.rule_versions import SeenVersion
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.mentions import mention
from listeners.ownership.rule_form.form_values import lines_of, shown_test
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.edits import MAPPINGS, POOLS
from services.ownership.rules.issues import RuleIssue
from services.ownership.rules.owner_sources import is_slack_user
from services.ownership.rules.rule_set import Pool
from services.slack.mrkdwn import escape

ADVANCED_TITLE = "Pools and advanced"
POOL_TITLE, MAPPING_TITLE = "Pool", "Mapping"
SAVE_SETTINGS, SAVE_POOL, SAVE_MAPPING = "ownership_settings", "ownership_pool", "ownership_mapping"
EDIT_NAMED, NEW_NAMED, DELETE_NAMED = "ownership_edit_named", "ownership_new_named", "ownership_delete_named"

CUSTOMER, TARGET, EXCLUDED, EXCLUDED_OTHERS, CAP = "customer", "target", "excluded", "excluded_others", "daily_cap"
NAME, MEMBERS, OTHERS, STICKY, TABLE = "name", "members", "others", "sticky", "table"

LONGEST_ENTRY = 3_000
MOST_PICKED = 100
MOST_SHOWN = 20

_LABELS = {
    CUSTOMER: "An account is a customer if",
    TARGET: "An account is a target if",
    EXCLUDED_OTHERS: "Never notify: others",
}
_MEMBER = re.compile(r"members\.([0-9]+)\..*")

FieldErrors = dict[str, str]
"""By block_id."""


def advanced_view(book: CurrentRules, note: str | None = None) -> View:
    """Pools, mappings, segments and guards. Fields that are too long for Slack are left out and stay unchanged."""
    rules = book.shown
    picked, others = split(rules.guards.excluded)
    cap = rules.guards.daily_cap
    texts = {
        CUSTOMER: shown_test(rules.segments.customer),
        TARGET: shown_test(rules.segments.target),
        EXCLUDED_OTHERS: "\n".join(others),
    }
    too_long = [_LABELS[name] for name, text in texts.items() if len(text) > LONGEST_ENTRY]
    blocks = [
        *([section(note)] if note else []),
        *_named(POOLS, "Pools", "members take turns", {name: _pool_line(pool) for name, pool in rules.pools.items()}),
        *_named(
            MAPPINGS,
            "Mappings",
            "from one person to another, such as account executive to SDR",
            {name: _pairs(table) for name, table in rules.mappings.items()},
        ),
        {"type": "divider"},
        *_whole(CUSTOMER, texts),
        *_whole(TARGET, texts),
        _people(EXCLUDED, "Never notify", picked),
        *_whole(EXCLUDED_OTHERS, texts, multiline=True, hint="One email address per line."),
        _number(CAP, "Daily limit per person", None if cap is None else str(cap)),
        *([context(f"Too long for this dialog, so unchanged: {', '.join(too_long).lower()}.")] if too_long else []),
    ]
    return modal(ADVANCED_TITLE, blocks) | {
        "callback_id": SAVE_SETTINGS,
        "submit": plain("Save to draft"),
        "private_metadata": json.dumps({"seen": asdict(book.seen)}),
    }


def pool_view(book: CurrentRules, name: str | None) -> View:
    """`name` None opens the dialog for a new one."""
    pool = book.shown.pools.get(name) if name else None
    members = pool.members if pool else ()
    picked = [member.user for member in members if member.weight == 1 and is_slack_user(member.user)][:MOST_PICKED]
    others = [
        f"{member.user} {member.weight}" if member.weight > 1 else member.user
        for member in members
        if member.user not in picked
    ]
    if len("\n".join(others)) > LONGEST_ENTRY:
        return _too_many(POOL_TITLE, f"{len(members)} members")
    sticky = {"text": plain("An account stays with the member who was notified last"), "value": "yes"}
    boxes: Block = {"type": "checkboxes", "action_id": STICKY, "options": [sticky]}
    if pool is None or pool.sticky:
        boxes["initial_options"] = [sticky]
    hint = "One per line: an email address or user id, then a weight if they take more turns, such as ann@acme.com 2"
    blocks = [
        _text(NAME, "Name", name or "", optional=False, longest=80),
        _people(MEMBERS, "Members", picked),
        _text(OTHERS, "Members by email address, or with a weight", "\n".join(others), multiline=True, hint=hint),
        _input(STICKY, "Sticky", boxes),
    ]
    return _dialog(POOL_TITLE, SAVE_POOL, blocks, book, name)


def mapping_view(book: CurrentRules, name: str | None) -> View:
    """`name` None opens the dialog for a new one."""
    table = book.shown.mappings.get(name, {}) if name else {}
    lines = "\n".join(f"{owner} = {recipient}" for owner, recipient in table.items())
    hint = "One pair per line, by email address or user id: owner = recipient"
    if len(lines) > LONGEST_ENTRY:
        return _too_many(MAPPING_TITLE, _pairs(table))
    blocks = [
        _text(NAME, "Name", name or "", optional=False, longest=80),
        _text(TABLE, "Owner → recipient", lines, multiline=True, hint=hint, optional=False),
    ]
    return _dialog(MAPPING_TITLE, SAVE_MAPPING, blocks, book, name)


def acted_on(view: View) -> tuple[SeenVersion, str | None]:
    """The version that a dialog was opened with, and the name of its pool or mapping. None means a new one."""
    stored = json.loads(view["private_metadata"])
    return SeenVersion(**stored["seen"]), stored.get("name")


def read_members(picked: Sequence[str], text: str) -> list[dict[str, object]] | str:
    """The members as JSON, or an error about the text."""
    members: list[dict[str, object]] = [{"user": user} for user in picked]
    for number, line in enumerate(lines_of(text), 1):
        user, _, weight = line.partition(" ")
        if weight and not weight.strip().isdigit():
            return f"Line {number}: enter a person, then a whole number as the weight."
        members.append({"user": user} | ({"weight": int(weight)} if weight else {}))
    return members


def read_table(text: str) -> dict[str, str] | str:
    """The table as JSON, or an error about the text."""
    table: dict[str, str] = {}
    for number, line in enumerate(lines_of(text), 1):
        owner, _, recipient = (part.strip() for part in line.partition("="))
        if not (owner and recipient):
            return f"Line {number}: enter two people, such as ann@acme.com = bob@acme.com."
        table[owner] = recipient
    return table


def settings_errors(issues: Sequence[RuleIssue], shown: Container[str]) -> FieldErrors:
    """The errors by field. Those of fields that are not `shown` are at the daily limit."""
    fields = {"customer": CUSTOMER, "target": TARGET, "daily_cap": CAP, "excluded": EXCLUDED_OTHERS}
    by_field = {
        next((fields[step] for step in issue.path.split(".") if step in fields), CUSTOMER): issue.message
        for issue in issues
    }
    return {field if field in shown else CAP: message for field, message in by_field.items()}


def named_errors(issues: Sequence[RuleIssue], path: str, field: str) -> FieldErrors:
    """
    The errors by field: those of the name at the name, all others at `field`.

    `path` is the path of the pool or mapping, such as `pools.SDRs`.
    """
    by_field: dict[str, list[str]] = {}
    for issue in issues:
        inner = issue.path.removeprefix(path).removeprefix(".")
        member = _MEMBER.fullmatch(inner)
        prefix = f"{int(member[1]) + 1}: " if member else f"{inner}: " if "@" in inner else ""
        by_field.setdefault(field if inner else NAME, []).append(f"{prefix}{issue.message}")
    return {name: "; ".join(dict.fromkeys(messages))[:500] for name, messages in by_field.items()}


def _named(kind: str, title: str, explanation: str, lines: Mapping[str, str]) -> list[Block]:
    head = section(f"*{title}*: {explanation}", button("Add", f"{NEW_NAMED}_{kind}", kind))
    blocks = [head]
    for name, line in list(lines.items())[:MOST_SHOWN]:
        options = [
            {"text": plain("Edit"), "value": f"{EDIT_NAMED}:{name}"},
            {"text": plain("Delete"), "value": f"{DELETE_NAMED}:{name}"},
        ]
        menu = {"type": "overflow", "action_id": f"{EDIT_NAMED}_{kind}", "options": options}
        blocks.append(section(f"{escape(name, 80)}: {line}", menu))
    if len(lines) > MOST_SHOWN:
        blocks.append(context(f"And {len(lines) - MOST_SHOWN} more. Export the rules as JSON to see them."))
    return blocks


def _pool_line(pool: Pool) -> str:
    shown = [
        mention(member.user) + (f" (weight {member.weight})" if member.weight > 1 else "")
        for member in pool.members[:8]
    ]
    more = f" and {len(pool.members) - 8} more" if len(pool.members) > 8 else ""
    return ", ".join(shown) + more


def split(people: Sequence[str]) -> tuple[list[str], list[str]]:
    """The people whom a picker can show, and the others."""
    picked = [person for person in people if is_slack_user(person)][:MOST_PICKED]
    return picked, [person for person in people if person not in picked]


def _dialog(title: str, callback_id: str, blocks: list[Block], book: CurrentRules, name: str | None) -> View:
    metadata = {"seen": asdict(book.seen)} | ({"name": name} if name else {})
    return modal(title, blocks) | {
        "callback_id": callback_id,
        "submit": plain("Save to draft"),
        "close": plain("Cancel"),
        "private_metadata": json.dumps(metadata),
    }


def _text(
    name: str,
    label: str,
    text: str,
    *,
    multiline: bool = False,
    optional: bool = True,
    hint: str | None = None,
    longest: int = LONGEST_ENTRY,
) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": name, "max_length": longest, "multiline": multiline}
    if text:
        element["initial_value"] = text[:longest]
    block = _input(name, label, element, optional=optional)
    return block | ({"hint": plain(hint)} if hint else {})


def _whole(name: str, texts: Mapping[str, str], *, multiline: bool = False, hint: str | None = None) -> list[Block]:
    """The input, or nothing if the text is too long for Slack."""
    if len(texts[name]) > LONGEST_ENTRY:
        return []
    return [_text(name, _LABELS[name], texts[name], multiline=multiline, hint=hint)]


def _pairs(table: Mapping[str, str]) -> str:
    return "1 pair" if len(table) == 1 else f"{len(table)} pairs"


def _too_many(title: str, count: str) -> View:
    text = f"{count} are too many for this dialog. Export the rules as JSON, edit them, and import them again."
    return modal(title, [section(text)])


def _number(name: str, label: str, text: str | None) -> Block:
    element: Block = {"type": "number_input", "action_id": name, "is_decimal_allowed": False, "min_value": "1"}
    block = _input(name, label, element | ({"initial_value": text} if text else {}))
    return block | {"hint": plain("Job changes in 24 hours. Leave empty for no limit.")}


def _people(name: str, label: str, chosen: Sequence[str]) -> Block:
    element: Block = {"type": "multi_users_select", "action_id": name}
    return _input(name, label, element | ({"initial_users": list(chosen)} if chosen else {}))


def _input(name: str, label: str, element: Block, *, optional: bool = True) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": optional}
