"""The dialogs of what stands beside the rules: pools, mapping tables, segments, who is never told. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict

from domain.rule_versions import SeenVersion
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.mentions import mention
from listeners.ownership.rule_form.form_values import lines_of, shown_test
from services.ownership.rules.current_rules import RuleBook
from services.ownership.rules.edits import MAPPINGS, POOLS
from services.ownership.rules.faults import RuleFault
from services.ownership.rules.owner_sources import is_slack_user
from services.ownership.rules.rule_set import Pool
from services.slack.mrkdwn import escape

MORE_TITLE = "Pools and more"
POOL_TITLE, MAPPING_TITLE = "Pool", "Mapping"
SAVE_SETTINGS, SAVE_POOL, SAVE_MAPPING = "ownership_settings", "ownership_pool", "ownership_mapping"
EDIT_NAMED, NEW_NAMED, DELETE_NAMED = "ownership_edit_named", "ownership_new_named", "ownership_delete_named"

CUSTOMER, TARGET, EXCLUDED, EXCLUDED_OTHERS, CAP = "customer", "target", "excluded", "excluded_others", "daily_cap"
NAME, MEMBERS, OTHERS, STICKY, TABLE = "name", "members", "others", "sticky", "table"

LONGEST_ENTRY = 3_000
MOST_PICKED = 100
MOST_SHOWN = 20

_LABELS = {
    CUSTOMER: "An account is a customer when",
    TARGET: "An account is a target when",
    EXCLUDED_OTHERS: "Never told: others",
}
_MEMBER = re.compile(r"members\.([0-9]+)\..*")

Faults = dict[str, str]
"""By block_id."""


def more_view(book: RuleBook, note: str | None = None) -> View:
    """All that stands beside the rules, each to be edited. What Slack could not show whole is left out, and stays."""
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
        *_named(POOLS, "Pools", "taken in turn", {name: _pool_line(pool) for name, pool in rules.pools.items()}),
        *_named(
            MAPPINGS,
            "Mappings",
            "from one person to another, such as account executive to SDR",
            {name: f"{len(table)} people" for name, table in rules.mappings.items()},
        ),
        {"type": "divider"},
        *_whole(CUSTOMER, texts),
        *_whole(TARGET, texts),
        _people(EXCLUDED, "Never told", picked),
        *_whole(EXCLUDED_OTHERS, texts, multiline=True, hint="One e-mail address per line."),
        _number(CAP, "Most job changes a person is told of in 24 hours", None if cap is None else str(cap)),
        *([context(f"Too long for this dialog, kept as it is: {', '.join(too_long).lower()}.")] if too_long else []),
    ]
    return modal(MORE_TITLE, blocks) | {
        "callback_id": SAVE_SETTINGS,
        "submit": plain("Save to draft"),
        "private_metadata": json.dumps({"seen": asdict(book.seen)}),
    }


def pool_view(book: RuleBook, name: str | None) -> View:
    """*name* None: a new one."""
    pool = book.shown.pools.get(name) if name else None
    members = pool.members if pool else ()
    picked = [one.user for one in members if one.weight == 1 and is_slack_user(one.user)][:MOST_PICKED]
    others = [f"{one.user} {one.weight}" if one.weight > 1 else one.user for one in members if one.user not in picked]
    if len("\n".join(others)) > LONGEST_ENTRY:
        return _too_many(POOL_TITLE, f"{len(members)} members")
    sticky = {"text": plain("An account stays with whoever was told of it last"), "value": "yes"}
    boxes: Block = {"type": "checkboxes", "action_id": STICKY, "options": [sticky]}
    if pool is None or pool.sticky:
        boxes["initial_options"] = [sticky]
    hint = (
        "One per line: an e-mail address or a user id, and a weight if they take more turns than others: ann@acme.com 2"
    )
    blocks = [
        _text(NAME, "Name", name or "", optional=False, longest=80),
        _people(MEMBERS, "Members", picked),
        _text(OTHERS, "Members by address, or with a weight", "\n".join(others), multiline=True, hint=hint),
        _input(STICKY, "Sticky", boxes),
    ]
    return _dialog(POOL_TITLE, SAVE_POOL, blocks, book, name)


def mapping_view(book: RuleBook, name: str | None) -> View:
    """*name* None: a new one."""
    table = book.shown.mappings.get(name, {}) if name else {}
    lines = "\n".join(f"{one} = {other}" for one, other in table.items())
    hint = "One pair per line, by e-mail address or user id: the owner = who is told in their place"
    if len(lines) > LONGEST_ENTRY:
        return _too_many(MAPPING_TITLE, f"{len(table)} pairs")
    blocks = [
        _text(NAME, "Name", name or "", optional=False, longest=80),
        _text(TABLE, "Who stands for whom", lines, multiline=True, hint=hint, optional=False),
    ]
    return _dialog(MAPPING_TITLE, SAVE_MAPPING, blocks, book, name)


def acted_on(view: View) -> tuple[SeenVersion, str | None]:
    """How the rules stood when a dialog was shown, and the name of what it is about; None: something new."""
    kept = json.loads(view["private_metadata"])
    return SeenVersion(**kept["seen"]), kept.get("name")


def read_members(picked: Sequence[str], text: str) -> list[dict[str, object]] | str:
    """As JSON has them, or what is wrong with the text."""
    members: list[dict[str, object]] = [{"user": user} for user in picked]
    for number, line in enumerate(lines_of(text), 1):
        user, _, weight = line.partition(" ")
        if weight and not weight.strip().isdigit():
            return f"Line {number}: write a person, then a whole number as the weight."
        members.append({"user": user} | ({"weight": int(weight)} if weight else {}))
    return members


def read_table(text: str) -> dict[str, str] | str:
    """As JSON has it, or what is wrong with the text."""
    table: dict[str, str] = {}
    for number, line in enumerate(lines_of(text), 1):
        one, _, other = (part.strip() for part in line.partition("="))
        if not (one and other):
            return f"Line {number}: write two people, such as ann@acme.com = bob@acme.com."
        table[one] = other
    return table


def settings_faults(faults: Sequence[RuleFault], shown: Container[str]) -> Faults:
    """Each at its field, if that is *shown*."""
    fields = {"customer": CUSTOMER, "target": TARGET, "daily_cap": CAP, "excluded": EXCLUDED_OTHERS}
    told = {
        next((fields[step] for step in fault.path.split(".") if step in fields), CUSTOMER): fault.message
        for fault in faults
    }
    return {where if where in shown else CAP: message for where, message in told.items()}


def named_faults(faults: Sequence[RuleFault], named: str, field: str) -> Faults:
    """
    What is wrong with the name at the name, all else at *field*.

    *named*: the path of the pool or mapping, such as `pools.SDRs`.
    """
    told: dict[str, list[str]] = {}
    for fault in faults:
        inner = fault.path.removeprefix(named).removeprefix(".")
        place = _MEMBER.fullmatch(inner)
        who = f"{int(place[1]) + 1}: " if place else f"{inner}: " if "@" in inner else ""
        told.setdefault(field if inner else NAME, []).append(f"{who}{fault.message}")
    return {where: "; ".join(dict.fromkeys(texts))[:500] for where, texts in told.items()}


def _named(kind: str, title: str, what: str, lines: Mapping[str, str]) -> list[Block]:
    head = section(f"*{title}*, {what}", button("Add one", f"{NEW_NAMED}_{kind}", kind))
    blocks = [head]
    for name, line in list(lines.items())[:MOST_SHOWN]:
        options = [
            {"text": plain("Edit"), "value": f"{EDIT_NAMED}:{name}"},
            {"text": plain("Delete"), "value": f"{DELETE_NAMED}:{name}"},
        ]
        menu = {"type": "overflow", "action_id": f"{EDIT_NAMED}_{kind}", "options": options}
        blocks.append(section(f"{escape(name, 80)}: {line}", menu))
    if len(lines) > MOST_SHOWN:
        blocks.append(context(f"And {len(lines) - MOST_SHOWN} more: export the rules as JSON to see them."))
    return blocks


def _pool_line(pool: Pool) -> str:
    shown = [mention(one.user) + (f" (weight {one.weight})" if one.weight > 1 else "") for one in pool.members[:8]]
    more = f" and {len(pool.members) - 8} more" if len(pool.members) > 8 else ""
    return ", ".join(shown) + more


def split(people: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those whom a picker can show, and the others."""
    picked = [one for one in people if is_slack_user(one)][:MOST_PICKED]
    return picked, [one for one in people if one not in picked]


def _dialog(title: str, callback_id: str, blocks: list[Block], book: RuleBook, name: str | None) -> View:
    kept = {"seen": asdict(book.seen)} | ({"name": name} if name else {})
    return modal(title, blocks) | {
        "callback_id": callback_id,
        "submit": plain("Save to draft"),
        "close": plain("Cancel"),
        "private_metadata": json.dumps(kept),
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
    """None, where Slack could not show it whole."""
    if len(texts[name]) > LONGEST_ENTRY:
        return []
    return [_text(name, _LABELS[name], texts[name], multiline=multiline, hint=hint)]


def _too_many(title: str, what: str) -> View:
    text = f"{what} are more than fit here: export the rules as JSON, and import them again."
    return modal(title, [section(text)])


def _number(name: str, label: str, text: str | None) -> Block:
    element: Block = {"type": "number_input", "action_id": name, "is_decimal_allowed": False, "min_value": "1"}
    block = _input(name, label, element | ({"initial_value": text} if text else {}))
    return block | {"hint": plain("Leave it empty for no limit.")}


def _people(name: str, label: str, chosen: Sequence[str]) -> Block:
    element: Block = {"type": "multi_users_select", "action_id": name}
    return _input(name, label, element | ({"initial_users": list(chosen)} if chosen else {}))


def _input(name: str, label: str, element: Block, *, optional: bool = True) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": optional}
