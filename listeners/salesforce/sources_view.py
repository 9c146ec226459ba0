"""The dialogs to import job changes from Salesforce: the list of objects, and one object with its preview. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from domain.salesforce import PAUSED, Preview, Source
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.intake.mappings_view import LONGEST_DEFINITION
from listeners.salesforce.settings_view import SOURCES_TITLE, health_text
from services.intake.salesforce.presets import Proposal
from services.messages.wording import one_line
from services.salesforce.health import source_line
from services.slack.mrkdwn import escape
from services.slack.mrkdwn import plain as plain_text

CHOOSE = "source_choose"
PREVIEW = "source_preview"
START = "source_start"
PAUSE, RESUME, REMOVE = "source_pause", "source_go_on", "source_remove"
DEFINITION, BEGIN = "definition", "begin"

STARTS = {
    "now": "Now",
    "7": "7 days ago",
    "30": "30 days ago",
    "90": "90 days ago",
}
GROUP = 100
"""Options of one group: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

MOST_OPTIONS = 1_000
"""A view holds 250,000 characters."""

MOST_SHOWN = 30
"""Three blocks each; a view holds 100."""


def sources_view(sources: Sequence[Source], candidates: Sequence[Proposal], note: str | None = None) -> View:
    """Return the objects that are imported now, and a menu of those that could be."""
    blocks = [section(note)] if note else []
    blocks.append(
        section("If UserGems or another tool writes job changes to Salesforce, the app can import them every minute.")
    )
    for source in sources[:MOST_SHOWN]:
        blocks += _source(source)
    if len(sources) > MOST_SHOWN:
        blocks.append(context(f"{len(sources) - MOST_SHOWN} more are not shown here. Remove others to see them."))
    if candidates:
        chooser = {
            "type": "static_select",
            "action_id": CHOOSE,
            "placeholder": plain("Choose an object"),
            "option_groups": list(_option_groups(candidates[:MOST_OPTIONS])),
        }
        blocks += [{"type": "divider"}, section("*Add object*", chooser)]
        if len(candidates) > MOST_OPTIONS:
            blocks.append(context(f"The last {len(candidates) - MOST_OPTIONS} objects by label are not listed."))
    else:
        blocks.append(context("The connected user cannot read any object that could hold job changes."))
    return modal(SOURCES_TITLE, blocks)


def source_view(
    proposal: Proposal, definition: str, begin: str, preview: Preview | None = None, note: str | None = None
) -> View:
    """Return one object with its field mapping as JSON, when to start, and a preview of its latest records."""
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
        "initial_option": next(option for option in starts if option["value"] == begin),
    }
    blocks: list[Block] = [
        section(f"*{escape(proposal.label, 80)}* (`{proposal.sobject}`)"),
        *([section(note)] if note else []),
        {"type": "input", "block_id": DEFINITION, "label": plain("Field mapping (JSON)"), "element": text},
        {"type": "input", "block_id": BEGIN, "label": plain("Start from"), "element": start},
        {"type": "actions", "elements": [button("Preview", PREVIEW)]},
        *(_preview(preview) if preview else []),
    ]
    metadata = json.dumps({"name": proposal.name, "sobject": proposal.sobject, "label": proposal.label[:80]})
    return modal(SOURCES_TITLE, blocks) | {
        "callback_id": START,
        "submit": plain("Start import"),
        "private_metadata": metadata,
    }


def _preview(preview: Preview) -> list[Block]:
    blocks: list[Block] = [{"type": "divider"}]
    if preview.unreadable:
        reasons = "\n".join(
            f"• `{path}`: {escape(reason, 200)}" for path, reason in list(preview.unreadable.items())[:8]
        )
        blocks.append(section(f":information_source: *Left out, because they cannot be read*\n{reasons}"))
    if preview.count is not None:
        records = "1 record" if preview.count == 1 else f"{preview.count:,} records"
        blocks.append(section(f"*{records} will be imported right away* when you start."))
    if not preview.lines:
        return [*blocks, section("This object has no records to preview yet.")]
    blocks.append(section("*Preview of the latest records*"))
    for line in preview.lines:
        refused = f":no_entry: Not valid: {escape(line.refusal or '', 300)}"
        text = one_line(line.job_change) if line.job_change else refused
        blocks += [section(text), context(f"`{line.record_id}`")]
    return blocks


def _source(source: Source) -> list[Block]:
    is_paused = source.state == PAUSED
    buttons = [
        button("Resume" if is_paused else "Pause", RESUME if is_paused else PAUSE, source.name),
        button("Remove", REMOVE, source.name) | {"style": "danger"},
    ]
    return [{"type": "divider"}, section(health_text(source_line(source))), {"type": "actions", "elements": buttons}]


def _option_groups(candidates: Sequence[Proposal]) -> Iterator[Block]:
    """Yield the objects in groups, named by their first and last labels. Slack searches all of them."""
    for start in range(0, len(candidates), GROUP):
        group = candidates[start : start + GROUP]
        name = f"{plain_text(group[0].label, 30)} to {plain_text(group[-1].label, 30)}"
        yield {"label": plain(name), "options": [_option(proposal.label, proposal.name) for proposal in group]}


def _option(label: str, value: str) -> Block:
    return {"text": plain(plain_text(label, 73)), "value": value}
