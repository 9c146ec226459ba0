"""Labels of stored codes and of the steps of a trace, for the people who read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from domain.delivery import TraceStep
from domain.rule_versions import RuleScore, RuleState
from domain.states import DeliveryState, Role, Step
from services.messages.available_actions import WRONG_DATA_KINDS

ROLES: Mapping[str, str] = {
    Role.DRI: "as the DRI",
    Role.FALLBACK: "because no DRI was found",
    Role.CHANNEL: "because of a rule",
    Role.COPY: "as a copy",
}
STATES: Mapping[str, str] = {
    DeliveryState.PENDING: "waiting",
    DeliveryState.SENDING: "sending",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.FAILED: "failed",
    DeliveryState.MOVED: "sent to the default channel instead",
}
CHANGE_TYPES: Mapping[str, str] = {
    "new_company": "New company",
    "new_hire": "New hire",
    "promotion": "Promotion",
    "lateral": "Lateral move",
    "departure": "Departure",
    "additional_role": "Additional role",
}
SIGNALS: Mapping[str, str] = {
    "contact_tracking": "Contact tracking",
    "new_hires_promotions": "New hires and promotions",
    "custom": "Custom signals",
}
SCORE_STATES: Mapping[str, str] = {
    RuleState.ON: "",
    RuleState.OFF: " (off)",
    RuleState.DELETED: " (deleted)",
    RuleState.EVERYTHING_ELSE: " (no rule matched)",
}
"""What follows the name of a rule in the scorecard."""

_CODES = {**WRONG_DATA_KINDS, **CHANGE_TYPES, **SIGNALS}


def advice(score: RuleScore) -> str:
    """What to do about a rule whose messages are ignored."""
    if score.state is RuleState.EVERYTHING_ELSE:
        return "Add a rule for the job changes that nobody acts on, such as one that notifies nobody."
    return "Try a narrower condition."


def step_detail(step: TraceStep) -> str:
    """The detail with a label in place of the code of a report, a change type or a signal."""
    if step.step not in {Step.REPORTED, Step.MUTED, Step.UNMUTED}:
        return step.detail
    code, comma, rest = step.detail.partition(", ")
    return f"{_CODES.get(code, code)}{comma}{rest.replace('says ', 'by ')}"  # "says" was stored until 0.2
