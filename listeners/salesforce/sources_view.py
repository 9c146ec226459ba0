"""The dialogs about job changes found in Salesforce: which places there are, and how one would be told. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from domain.salesforce import PAUSED, Preview, Source
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.intake.mappings_view import LONGEST_DEFINITION
from listeners.salesforce.settings_view import health_text
from services.intake.salesforce.presets import Proposal
from services.messages.wording import one_line
from services.salesforce.health import source_line
from services.slack.mrkdwn import escape
from services.slack.mrkdwn import plain as plain_text

TITLE = "Found in Salesforce"
CHOOSE = "source_choose"
PREVIEW = "source_preview"
START = "source_start"
PAUSE, GO_ON, REMOVE = "source_pause", "source_go_on", "source_remove"
DEFINITION, BEGIN = "definition", "begin"

STARTS = {
    "now": "From now on",
    "7": "Also the last 7 days",
    "30": "Also the last 30 days",
    "90": "Also the last 90 days",
}
MOST_OPTIONS = 100
"""https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

MOST_SHOWN = 30
"""Three blocks each; a view holds 100."""


def sources_view(sources: Sequence[Source], candidates: Sequence[Proposal], note: str | None = None) -> View:
    """What is looked at now, and what could be."""
    blocks = [section(note)] if note else []
    blocks.append(section("If UserGems or another tool writes job changes to Salesforce, the app can find them there."))
    for source in sources[:MOST_SHOWN]:
        blocks += _source(source)
    if len(sources) > MOST_SHOWN:
        blocks.append(context(f"And {len(sources) - MOST_SHOWN} more, shown once others are removed."))
    if candidates:
        options = [_option(each.label, each.name) for each in candidates[:MOST_OPTIONS]]
        chooser = {"type": "static_select", "action_id": CHOOSE, "placeholder": plain("Choose"), "options": options}
        blocks += [{"type": "divider"}, section("*Look somewhere else as well*", chooser)]
    else:
        blocks.append(context("This org has no object that we may read and that could hold job changes."))
    return modal(TITLE, blocks)


def source_view(
    proposal: Proposal, definition: str, begin: str, preview: Preview | None = None, note: str | None = None
) -> View:
    """One place: its mapping as JSON, when to start, and what the last records would be told as."""
    text = {
        "type": "plain_text_input",
        "action_id": DEFINITION,
        "multiline": True,
        "max_length": LONGEST_DEFINITION,
        "initial_value": definition[:LONGEST_DEFINITION],
    }
    starts = [_option(label, value) for value, label in STARTS.items()]
    start = {
        "type": "static_select",
        "action_id": BEGIN,
        "options": starts,
        "initial_option": next(each for each in starts if each["value"] == begin),
    }
    blocks: list[Block] = [
        section(f"*{escape(proposal.label, 80)}* (`{proposal.sobject}`)"),
        *([section(note)] if note else []),
        {"type": "input", "block_id": DEFINITION, "label": plain("Mapping: path to field, as JSON"), "element": text},
        {"type": "input", "block_id": BEGIN, "label": plain("Start"), "element": start},
        {"type": "actions", "elements": [button("Preview", PREVIEW)]},
        *(_preview(preview) if preview else []),
    ]
    kept = json.dumps({"name": proposal.name, "sobject": proposal.sobject, "label": proposal.label[:80]})
    return modal(TITLE, blocks) | {"callback_id": START, "submit": plain("Start"), "private_metadata": kept}


def _preview(preview: Preview) -> list[Block]:
    blocks: list[Block] = [{"type": "divider"}]
    if preview.unreadable:
        reasons = "\n".join(
            f"• `{path}`: {escape(reason, 200)}" for path, reason in list(preview.unreadable.items())[:8]
        )
        blocks.append(section(f":information_source: *Left out, since it cannot be read*\n{reasons}"))
    if preview.count is not None:
        some = "One record is" if preview.count == 1 else f"{preview.count:,} records are"
        blocks.append(section(f"*{some} told at once* when you start with this."))
    if not preview.lines:
        return [*blocks, section("There is no record yet, so there is nothing to show.")]
    blocks.append(section("*The last records, as they would be told*"))
    for line in preview.lines:
        refused = f":no_entry: Refused: {escape(line.refusal or '', 300)}"
        text = one_line(line.job_change) if line.job_change else refused
        blocks += [section(text), context(f"`{line.record_id}`")]
    return blocks


def _source(source: Source) -> list[Block]:
    is_paused = source.state == PAUSED
    buttons = [
        button("Go on" if is_paused else "Pause", GO_ON if is_paused else PAUSE, source.name),
        button("Remove", REMOVE, source.name) | {"style": "danger"},
    ]
    return [{"type": "divider"}, section(health_text(source_line(source))), {"type": "actions", "elements": buttons}]


def _option(label: str, value: str) -> Block:
    return {"text": plain(plain_text(label, 73)), "value": value}
