"""The simulation dialog: who would be notified and why, and what a draft would change. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.decision.sentences import for_reader
from domain.delivery import NewDelivery
from domain.job_change.model import JobChange
from listeners.dialogs.blocks import Block, View, actions, button, context, divider, section, sections
from listeners.dialogs.form import Choice, Form, Text
from listeners.dialogs.mentions import fit_section, mention, shown_sentence
from listeners.messages.actions_view import candidate_lines
from services.messages.labels import ROLES
from services.messages.wording import headline
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.edits import RuleChange, changes, is_reordered
from services.ownership.simulation_report import Difference, SimulatedJobChange, SimulationReport
from services.slack.mrkdwn import bold, escape

COMPARE = "ownership_replay"

JOB_CHANGE = Choice("job_change", "A recent job change", placeholder="Choose", optional=True)
EMAIL = Text(
    "email",
    "Or a person's email address",
    hint="The address that the source would send.",
    longest=300,
    optional=True,
)
COMPANY = Text(
    "company",
    "New company",
    hint="A domain or name. If empty, it is taken from the email address.",
    longest=300,
    optional=True,
)
SIMULATION = Form("ownership_try", "Simulate", "Simulate", (JOB_CHANGE, EMAIL, COMPANY), close="Close")

PUBLICATION = Form("ownership_publish_draft", "Publish", "Publish", ())

MOST_CHANGES = 20
MOST_DIFFERENCES = 30
MOST_NOTES = 5
MOST_CONSIDERED = 12
MOST_RECIPIENTS = 6

_SIDES = {"past": "The company they leave", "current": "The company they join"}


@dataclass(frozen=True)
class SimulationForm:
    """
    The values of the dialog.

    `latest` has job changes to choose from, by id; `chosen` is one of them. `email` and `company` are entered instead.
    `result` has the blocks of the last result.
    """

    latest: Sequence[tuple[str, JobChange]]
    is_draft: bool
    chosen: str = ""
    email: str = ""
    company: str = ""
    result: Sequence[Block] = field(default=())


def simulate_view(form: SimulationForm) -> View:
    """The inputs, below the result of the last simulation."""
    rules = "the draft" if form.is_draft else "the published rules"
    latest = replace(JOB_CHANGE, choices={key: option_label(change) for key, change in form.latest})
    compare = button("Compare the last 100 job changes", COMPARE)
    return SIMULATION.view(
        [
            *([*form.result, divider()] if form.result else []),
            section(f"See who would be notified under *{rules}*, and why. Nothing is sent or stored."),
            *([latest.block(form.chosen)] if form.latest else []),
            EMAIL.block(form.email),
            COMPANY.block(form.company),
            *(actions(compare) if form.is_draft and form.latest else []),
        ]
    )


def simulated_blocks(simulated: SimulatedJobChange) -> list[Block]:
    """Who would be notified of one job change, and the candidates that were checked."""
    blocks = [section(fit_section([headline(simulated.change, bold), *_recipients(simulated)]))]
    decision = simulated.decision
    if decision is None:
        return blocks
    for side in decision.sides:
        heading = "No rule matched: “Everything else” applies."
        if side.side in _SIDES:
            heading = f"{_SIDES[side.side]}: the rule *{escape(side.rule, 80)}* applies."
        considered = [candidate for candidate in decision.considered if candidate.side == side.side]
        lines = ["Checked in this order:", *candidate_lines(considered, MOST_CONSIDERED)]
        blocks.append(section(fit_section([heading, *(lines if considered else ["No candidates to check."])])))
    if decision.notes:
        notes = [escape(for_reader([note]), 300) for note in decision.notes[:MOST_NOTES]]
        blocks.append(context("\n".join(notes)))
    return blocks


def comparison_blocks(report: SimulationReport) -> list[Block]:
    """What a draft would change for the latest job changes."""
    differences = report.differences
    if not report.tried:
        return [section("There are no job changes to compare yet.")]
    if not differences:
        return [section(f":white_check_mark: The draft would change nothing for {_last(report.tried)}.")]
    head = f"*Compared on {_last(report.tried)}: the draft would deliver {len(differences)} differently.*"
    blocks = [section(head), *map(_difference, differences[:MOST_DIFFERENCES])]
    if len(differences) > MOST_DIFFERENCES:
        blocks.append(context(f"And {len(differences) - MOST_DIFFERENCES} more."))
    return blocks


def publication_view(book: CurrentRules, effect: Sequence[Block], labels: Mapping[str, str], seen: object) -> View:
    """What publishing the draft would change: its rules, and `effect`, the blocks of a comparison."""
    published, draft = book.rules, book.shown
    lines = [_change(change, labels) for change in changes(published, draft)]
    if is_reordered(published, draft):
        lines.append(":arrow_up_down: The order of the rules changes.")
    if len(lines) > MOST_CHANGES:
        lines = [*lines[:MOST_CHANGES], f"And {len(lines) - MOST_CHANGES} more."]
    nothing = "The rules stay the same. Pools, mappings, segments or limits may change."
    differences = sections(
        [f"*Changes since version {book.version}*" if book.version else "*The first rules*", *(lines or [nothing])]
    )
    hint = context("Publishing applies to new job changes. You can go back to an earlier version under *History*.")
    return PUBLICATION.view([*differences, divider(), *effect, hint], seen)


def _change(change: RuleChange, labels: Mapping[str, str]) -> str:
    before, after = change.before, change.after
    if after is None:
        return f":heavy_minus_sign: *{escape(before.name if before else '', 80)}* is deleted."
    if before is None:
        return f":heavy_plus_sign: *{escape(after.name, 80)}*: {shown_sentence(after, labels, 300)}"
    if before.model_copy(update={"enabled": after.enabled}) == after:
        return f":pencil2: *{escape(after.name, 80)}* is turned {'on' if after.enabled else 'off'}."
    renamed = f" (was “{escape(before.name, 80)}”)" if before.name != after.name else ""
    was, now = shown_sentence(before, labels, 300), shown_sentence(after, labels, 300)
    return f":pencil2: *{escape(after.name, 80)}*{renamed}\nNow: {was}\nDraft: {now}"


def _last(tried: int) -> str:
    return f"the last {tried} job changes" if tried > 1 else "the last job change"


def option_label(change: JobChange) -> str:
    """A job change as an option of a select menu."""
    left, joined = change.previous.company, change.current.company
    path = " → ".join(dict.fromkeys(company.label for company in (left, joined) if company))
    return f"{change.person.name}: {path or change.change_type}"


def _recipients(simulated: SimulatedJobChange) -> list[str]:
    """One line for each recipient, with the reason that the message would show."""
    if simulated.waits:
        return [":hourglass: Slack cannot look people up right now. Try again in a minute."]
    if not simulated.deliveries:
        return [f":mute: Nobody would be notified. {escape(for_reader(simulated.reasons), 300)}"]
    return [
        f":arrow_right: To {_recipient(delivery)}: “{escape(for_reader(delivery.reasons), 300)}”"
        for delivery in simulated.deliveries[:MOST_RECIPIENTS]
    ]


def _destinations(simulated: SimulatedJobChange) -> str:
    if simulated.waits:
        return "not known right now"
    recipients = [_recipient(delivery) for delivery in simulated.deliveries[:MOST_RECIPIENTS]]
    more = len(simulated.deliveries) - len(recipients)
    return (", ".join(recipients) or "nobody") + (f" and {more} more" if more > 0 else "")


def _recipient(delivery: NewDelivery) -> str:
    return f"{mention(delivery.destination)} ({ROLES.get(delivery.role, delivery.role)})"


def _difference(difference: Difference) -> Block:
    before, after = difference.before, difference.after
    lines = [
        headline(after.change, bold),
        f"Now: {_destinations(before)}{_by(before)}",
        f"Draft: {_destinations(after)}{_by(after)}",
    ]
    return section(fit_section(lines))


def _by(simulated: SimulatedJobChange) -> str:
    rules = dict.fromkeys(f"“{side.rule}”" for side in simulated.decision.sides) if simulated.decision else ()
    return f", by {' and '.join(escape(rule, 80) for rule in rules)}" if rules else ""
