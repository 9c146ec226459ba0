"""The dialog that tries the rules: who would be told of a job change and why, and what a draft would change. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from domain.job_change.model import JobChange
from domain.states import Role
from listeners.dialogs.blocks import Block, View, button, context, modal, plain, section
from listeners.dialogs.mentions import fit_section, mention
from services.messages.wording import headline
from services.ownership.rules.labels import outcome
from services.ownership.simulation_report import Difference, SimulatedJobChange, SimulationReport
from services.slack.mrkdwn import bold, escape
from services.slack.mrkdwn import plain as plain_text

SIMULATE_TITLE = "Simulate"
TRY, REPLAY = "ownership_try", "ownership_replay"
JOB_CHANGE, EMAIL, COMPANY = "job_change", "email", "company"

MOST_DIFFERENCES = 30
MOST_CONSIDERED = 12
MOST_TOLD = 6

_ROLES: Mapping[str, str] = {
    Role.DRI: "as the DRI",
    Role.COPY: "a copy",
    Role.CHANNEL: "as a rule says",
    Role.FALLBACK: "in place of a DRI",
}
_SIDES = {"past": "the company they leave", "current": "the company they join"}


@dataclass(frozen=True)
class Trying:
    """
    What the dialog shows. *latest*: job changes to choose from, by id; *chosen*: one of them; *email* and *company*:
    what was typed instead; *result*: what came of it, as blocks.
    """

    latest: Sequence[tuple[str, JobChange]]
    is_draft: bool
    chosen: str | None = None
    email: str | None = None
    company: str | None = None
    result: Sequence[Block] = field(default=())


def simulate_view(trying: Trying) -> View:
    """What to try, and above it what came of the last try."""
    rules = "the draft" if trying.is_draft else "the rules in force"
    blocks = [
        *([*trying.result, {"type": "divider"}] if trying.result else []),
        section(f"Who would be told under *{rules}*, and why. This tells nobody and stores nothing."),
        *([_latest(trying)] if trying.latest else []),
        _typed(EMAIL, "Or the e-mail address of a person", trying.email, "As a sender would send it."),
        _typed(
            COMPANY,
            "Who joins",
            trying.company,
            "A company's domain or name. If left empty, it is taken from the e-mail address.",
        ),
    ]
    if trying.is_draft and trying.latest:
        replay = button("Compare the last 100 job changes", REPLAY)
        blocks.append({"type": "actions", "elements": [replay]})
    return modal(SIMULATE_TITLE, blocks) | {"callback_id": TRY, "submit": plain("Simulate")}


def simulated_blocks(simulated: SimulatedJobChange) -> list[Block]:
    """Who would be told of one job change, and the way there."""
    blocks = [section(fit_section([headline(simulated.change, bold), *_told(simulated)]))]
    trace = simulated.trace
    if trace is None:
        return blocks
    for side in trace["sides"]:
        on = f"On the side of {_SIDES[side['side']]}" if side["side"] in _SIDES else "No rule took it, so"
        rule = f"the rule *{escape(side['rule'], 80)}*" if side["side"] in _SIDES else "*Everything else*"
        passed = [one for one in trace["considered"] if one["side"] == side["side"]]
        lines = [f"{number}. {_considered(one)}" for number, one in enumerate(passed[:MOST_CONSIDERED], 1)]
        blocks.append(section(fit_section([f"{on}, {rule} decides:", *(lines or ["nobody was asked for"])])))
    if notes := trace["notes"]:
        blocks.append(context(f"Left out, since Salesforce does not show it: {escape(', '.join(notes), 300)}"))
    return blocks


def replayed_blocks(replayed: SimulationReport) -> list[Block]:
    """What a draft would change of the latest job changes."""
    differences = replayed.differences
    if not replayed.tried:
        return [section("There is no job change yet to compare with.")]
    if not differences:
        return [section(f":white_check_mark: The draft would change nothing for {_last(replayed.tried)}.")]
    head = f"*Of {_last(replayed.tried)}, the draft would tell {len(differences)} differently.*"
    blocks = [section(head), *map(_difference, differences[:MOST_DIFFERENCES])]
    if len(differences) > MOST_DIFFERENCES:
        blocks.append(context(f"And {len(differences) - MOST_DIFFERENCES} more."))
    return blocks


def _last(tried: int) -> str:
    return f"the last {tried} job changes" if tried > 1 else "the last job change"


def option_label(change: JobChange) -> str:
    """A job change as an option of a menu."""
    left, joined = change.previous.company, change.current.company
    path = " → ".join(company.label for company in (left, joined) if company)
    return plain_text(f"{change.person.name}: {path or change.change_type}", 73)


def _latest(trying: Trying) -> Block:
    options = {key: {"text": plain(option_label(change)), "value": key} for key, change in trying.latest}
    element: Block = {
        "type": "static_select",
        "action_id": JOB_CHANGE,
        "options": list(options.values()),
        "placeholder": plain("Choose"),
    }
    if trying.chosen in options:
        element["initial_option"] = options[trying.chosen]
    return _input(JOB_CHANGE, "One of the last job changes", element)


def _typed(name: str, label: str, text: str | None, hint: str) -> Block:
    element = {"type": "plain_text_input", "action_id": name, "max_length": 300}
    block = _input(name, label, element | ({"initial_value": text} if text else {}))
    return block | {"hint": plain(hint)}


def _input(name: str, label: str, element: Block) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "optional": True}


def _told(simulated: SimulatedJobChange) -> list[str]:
    """One line for each who would be told, with what the message would say of why."""
    if simulated.waits:
        return [":hourglass: Slack cannot look people up right now. Please try again in a minute."]
    if not simulated.deliveries:
        return [f":mute: Nobody would be told. {escape(simulated.reason or '', 300)}"]
    return [
        f":arrow_right: {mention(each.destination)}, {_ROLES.get(each.role, each.role)}: {escape(each.reason, 300)}"
        for each in simulated.deliveries[:MOST_TOLD]
    ]


def _destinations(simulated: SimulatedJobChange) -> str:
    if simulated.waits:
        return "cannot be said now"
    told = [
        f"{mention(each.destination)} ({_ROLES.get(each.role, each.role)})" for each in simulated.deliveries[:MOST_TOLD]
    ]
    more = len(simulated.deliveries) - len(told)
    return (", ".join(told) or "nobody") + (f" and {more} more" if more > 0 else "")


def _considered(one: dict[str, str | None]) -> str:
    who = " ".join(filter(None, [one["source"], one["name"]]))
    address = f" ({one['email']})" if one["email"] else ""
    return f"{escape(who + address, 160)}: {escape(outcome(one), 200)}"


def _difference(difference: Difference) -> Block:
    before, after = difference.before, difference.after
    lines = [
        headline(after.change, bold),
        f"now: {_destinations(before)}{_by(before)}",
        f"draft: {_destinations(after)}{_by(after)}",
    ]
    return section(fit_section(lines))


def _by(simulated: SimulatedJobChange) -> str:
    rules = dict.fromkeys(_rules(simulated))
    return f" by {' and '.join(escape(rule, 80) for rule in rules)}" if rules else ""


def _rules(simulated: SimulatedJobChange) -> Iterator[str]:
    for side in (simulated.trace or {}).get("sides", ()):
        yield f"“{side['rule']}”"
