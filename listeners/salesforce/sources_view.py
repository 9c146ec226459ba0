"""The dialogs to import job changes from Salesforce: the list of objects, and one object with its preview. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from domain.day_counts import counted
from domain.salesforce import PAUSED, Preview, Source
from listeners.dialogs.blocks import (
    Block,
    View,
    actions,
    button,
    confirm,
    context,
    divider,
    modal,
    noted,
    section,
)
from listeners.dialogs.form import Choice, Form
from listeners.intake.mappings_view import DEFINITION
from listeners.salesforce.settings_view import SOURCES_TITLE, health_text
from services.intake.salesforce.presets import Proposal
from services.messages.wording import one_line
from services.salesforce.health import source_line
from services.slack.mrkdwn import escape
from services.slack.mrkdwn import plain as plain_text

CHOOSE = "source_choose"
PREVIEW = "source_preview"
PAUSE, RESUME, REMOVE = "source_pause", "source_go_on", "source_remove"

BEGIN = Choice(
    "begin", "Start from", {"now": "Now", "7": "7 days ago", "30": "30 days ago", "90": "90 days ago"}, default="now"
)
SOURCE = Form("source_start", SOURCES_TITLE, "Start import", (DEFINITION, BEGIN), close="Close")

_REMOVE = confirm(
    "Remove this import?",
    "Job changes that were imported are kept. Its field mapping is deleted.",
    "Remove",
    style="danger",
)

GROUP = 100
"""Options of one group: https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element"""

MOST_OPTIONS = 1_000
"""
A view holds 250,000 characters. People search in them in Slack, without the app. An external_select, which asks the app
for options, would hold more, but stays empty until an admin adds an Options Load URL to the manifest of the Slack app.

https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
"""

MOST_SHOWN = 30
"""Three blocks each; a view holds 100."""


_NOTHING_READABLE = (
    "The connected user cannot read any object that could hold job changes. Give its permission set *Read*, *View All"
    " Records* and *Read Access* to the fields of one: the object of UserGems' package, a custom object of your own, or"
    " *Contacts* or *Leads* with a field such as *No Longer at Company* or *Past Account*. Then open this again."
)


def sources_view(sources: Sequence[Source], candidates: Sequence[Proposal], note: str | None = None) -> View:
    """Return the objects that are imported now, and a menu of those that could be."""
    intro = "If UserGems or another tool writes job changes to Salesforce, the app can import them every minute."
    blocks = [*noted(note), section(intro)]
    for source in sources[:MOST_SHOWN]:
        resume_or_pause = ("Resume", RESUME) if source.state == PAUSED else ("Pause", PAUSE)
        remove = button("Remove", REMOVE, source.name, style="danger", confirm=_REMOVE)
        buttons = button(*resume_or_pause, source.name), remove
        blocks += [divider(), section(health_text(source_line(source))), *actions(*buttons)]
    if len(sources) > MOST_SHOWN:
        blocks.append(context(f"{len(sources) - MOST_SHOWN} more are not shown here. Remove others to see them."))
    if candidates:
        groups = _option_groups(candidates[:MOST_OPTIONS])
        chooser = Choice(CHOOSE, "Object", groups=groups, placeholder="Choose an object")
        blocks += [divider(), section("*Add object*", chooser.control())]
        if len(candidates) > MOST_OPTIONS:
            blocks.append(context(f"The last {len(candidates) - MOST_OPTIONS} objects by label are not listed."))
    else:
        blocks.append(context(_NOTHING_READABLE))
    return modal(SOURCES_TITLE, blocks)


def source_view(
    proposal: Proposal, definition: str, begin: str, preview: Preview | None = None, note: str | None = None
) -> View:
    """Return one object with its field mapping as JSON, when to start, and a preview of its latest records."""
    blocks = [
        section(f"*{escape(proposal.label, 80)}* (`{proposal.sobject}`)"),
        *noted(note),
        DEFINITION.block(definition),
        BEGIN.block(begin),
        *actions(button("Preview", PREVIEW)),
        *(_preview(preview) if preview else []),
    ]
    return SOURCE.view(blocks, {"name": proposal.name, "sobject": proposal.sobject, "label": proposal.label[:80]})


def _preview(preview: Preview) -> list[Block]:
    blocks = [divider()]
    if preview.unreadable:
        reasons = "\n".join(
            f"• `{path}`: {escape(reason, 200)}" for path, reason in list(preview.unreadable.items())[:8]
        )
        blocks.append(section(f":information_source: *Left out, because they cannot be read*\n{reasons}"))
    if preview.count is not None:
        read = f"*{counted(preview.count, 'record')} will be read right away* when you start."
        blocks.append(section(f"{read} Records that are not valid are refused."))
    if not preview.lines:
        return [*blocks, section("This object has no records to preview yet.")]
    blocks.append(section("*Preview of the latest records*"))
    for line in preview.lines:
        refused = f":no_entry: Not valid: {escape(line.refusal or '', 300)}"
        text = one_line(line.job_change) if line.job_change else refused
        blocks += [section(text), context(f"`{line.record_id}`")]
    return blocks


def _option_groups(candidates: Sequence[Proposal]) -> dict[str, dict[str, str]]:
    """The labels of objects by name, in groups named by their first and last labels. Slack searches all of them."""
    starts = range(0, len(candidates), GROUP)
    groups = [candidates[start : start + GROUP] for start in starts]
    return {
        f"{plain_text(group[0].label, 30)} to {plain_text(group[-1].label, 30)}": {
            proposal.name: proposal.label for proposal in group
        }
        for group in groups
    }
