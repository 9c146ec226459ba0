"""Reasons as data: a code with its parameters, which is what is stored and compared. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypedDict, Unpack


class Parameters(TypedDict, total=False):
    """Every parameter of a reason, by its name."""

    account: str
    because: tuple[Reason, ...]
    comment: str
    company: str
    domain: str
    error: str
    key: str
    kind: str
    label: str
    limit: int
    person: str
    other: str
    pool: str
    problem: tuple[Reason, ...]
    problems: tuple[Reason, ...]
    recipient: str
    record: str
    records: str
    role: str
    rule: str
    table: str
    team: str
    text: str
    whom: str


class ReasonCode(StrEnum):
    """What is stored for a reason, followed by the names of its parameters. Never rename a value."""

    names: tuple[str, ...]

    def __new__(cls, value: str, *names: str) -> Self:
        code = str.__new__(cls, value)
        code._value_ = value
        code.names = names
        return code

    def of(self, **parameters: Unpack[Parameters]) -> Reason:
        """Raises TypeError if the parameters are not exactly those of the code."""
        values: Mapping[str, Any] = parameters
        if len(values) != len(self.names) or not all(map(values.__contains__, self.names)):
            raise TypeError(f"the reason {self} has the parameters {self.names}")
        return Reason(self, tuple([(name, values[name]) for name in self.names]))

    TEXT = "text", "text"
    """A sentence that an earlier version stored without a code."""

    # Why a job change belongs to someone.
    OWNS_CONTACT = "owns_contact", "person"
    OWNS_LEAD = "owns_lead", "person"
    OWNS_ACCOUNT = "owns_account", "record"
    OWNS_ACCOUNT_OF = "owns_account_of", "record", "person"
    OWNS_PARENT = "owns_parent", "record", "account"
    OWNS_ULTIMATE = "owns_ultimate", "record", "account"
    OWNS_OPPORTUNITY = "owns_opportunity", "record", "kind", "company"
    IN_FIELD = "in_field", "label", "record"
    ON_TEAM = "on_team", "role", "team", "record"
    NAMED_BY_SOURCE = "named_by_source"
    NAMED_BY_RULE = "named_by_rule", "rule"
    GROUP_OF_RULE = "group_of_rule", "rule"
    CHANNEL_OF_RULE = "channel_of_rule", "rule"
    IN_QUEUE = "in_queue", "record", "person"
    QUEUE_TURN = "queue_turn", "record", "person"
    POOL_TURN = "pool_turn", "pool"
    POOL_KEEPS = "pool_keeps", "company", "pool"
    MAPPED = "mapped", "table", "person", "because"
    MANAGES = "manages", "person", "because"
    DELEGATE = "delegate", "person", "because"
    REASSIGNED = "reassigned", "person", "comment"

    # Why a channel gets it, or nobody does.
    NO_DRI_FOUND = "no_dri_found", "problems"
    RULE_NOTIFIES = "rule_notifies", "rule", "recipient"
    RULE_NOTIFIES_NOBODY = "rule_notifies_nobody", "rule"
    DRI_IS = "dri_is", "person"
    DRIS_NOTIFIED_HERE = "dris_notified_here"
    DRI_NOTIFIED = "dri_notified", "person"
    INFORMED = "informed", "person", "rule"
    INFORMED_WITHOUT_DRI = "informed_without_dri", "rule"
    RETURNED = "returned", "person", "comment"
    NOT_ACTED_ON = "not_acted_on", "person"
    REPORTS_TO = "reports_to"
    MANAGER_NOT_NOTIFIED = "manager_not_notified"
    NO_DRI_NOTIFIED = "no_dri_notified", "error"
    DRI_NOT_NOTIFIED = "dri_not_notified", "error"
    REPORTED_BEFORE = "reported_before"
    RULE_CHANNEL_UNUSABLE = "rule_channel_unusable", "error"
    CHANNEL_UNUSABLE = "channel_unusable", "error"

    # Problems of a candidate. Each completes a sentence about `whom`.
    SKIPPED = "skipped", "whom", "problem"
    NOT_IN_SLACK = "not_in_slack"
    DEACTIVATED = "deactivated"
    BOT = "bot"
    GUEST = "guest"
    STRANGER = "stranger"
    NOT_LOOKED_UP = "not_looked_up", "error"
    NOT_THEIR_ACCOUNT = "not_their_account"
    NO_EMAIL = "no_email"
    OUT_OF_OFFICE = "out_of_office"
    DAILY_LIMIT = "daily_limit", "limit"
    MUTED_SIGNAL = "muted_signal"
    MUTED_CHANGE_TYPE = "muted_change_type"
    MUTED_SEGMENT = "muted_segment"
    EXCLUDED = "excluded"
    NOT_SET = "not_set"
    NOT_SET_OR_HIDDEN = "not_set_or_hidden"
    QUEUE = "queue"
    NOT_A_QUEUE = "not_a_queue"
    QUEUE_EMPTY = "queue_empty"
    INACTIVE = "inactive"
    UNREADABLE = "unreadable"
    NO_USER_IN_FIELD = "no_user_in_field"
    NO_SALESFORCE_USER = "no_salesforce_user"
    NOT_IN_MAPPING = "not_in_mapping", "table"
    NO_DRI_NAMED = "no_dri_named"
    GROUP_NOT_IN_SLACK = "group_not_in_slack"
    GROUP_EMPTY = "group_empty"
    GROUP_FORBIDDEN = "group_forbidden"
    NOT_A_CHANNEL = "not_a_channel"
    OTHER_SIDE = "other_side", "recipient"
    COULD_NOT_BE_NOTIFIED = "could_not_be_notified", "error"

    # Problems without a candidate, and what a decision was made without.
    NO_RECORD = "no_record", "kind", "record"
    NOT_CONNECTED = "not_connected"
    NOT_CONNECTED_NOR_NAMED = "not_connected_nor_named"
    SALESFORCE_DOWN = "salesforce_down"
    NO_CONTACT_OR_LEAD = "no_contact_or_lead"
    NO_CONTACT_OR_LEAD_BY_ID = "no_contact_or_lead_by_id"
    NO_REPORT = "no_report"
    RULE_NAMES_NOBODY = "rule_names_nobody"
    LEFT_OUT = "left_out", "error"
    SALESFORCE_UNAVAILABLE = "salesforce_unavailable", "error"
    GATHERED = "gathered", "limit"

    # How the person was found in Salesforce.
    CONTACT_FOUND = "contact_found", "record", "key"
    LEAD_FOUND = "lead_found", "record", "key"
    SEVERAL_CONTACTS = "several_contacts", "limit", "records"
    CONTACT_OF_EACH_SIDE = "contact_of_each_side", "record", "other"
    CONTACT_BY_ID = "contact_by_id", "record"
    CONTACT_MODIFIED_LAST = "contact_modified_last", "record", "key"

    # How an owner was matched to a Slack user.
    MATCHED_BY_EMAIL = "matched_by_email"
    MATCHED_BY_FIELD = "matched_by_field"
    MATCHED_BY_ALIAS = "matched_by_alias", "domain"
    MATCHED_BY_SLACK_ID = "matched_by_slack_id"
    LINKED = "linked"


_CODES = {code.value: code for code in ReasonCode}


@dataclass(frozen=True)
class Reason:
    """A code with the values of its parameters in order: texts, numbers, or other reasons."""

    code: ReasonCode
    parameters: tuple[tuple[str, str | int | tuple[Reason, ...]], ...] = ()

    @classmethod
    def parse(cls, raw: object) -> Reason:
        """Read what `to_json` returned, or the sentence of an earlier version. Codes of later versions become texts."""
        if isinstance(raw, Reason):
            return raw
        if not isinstance(raw, dict) or raw.get("code") not in _CODES:
            return ReasonCode.TEXT.of(text=str(raw.get("code")) if isinstance(raw, dict) else str(raw))
        code = _CODES[raw["code"]]
        values = ((name, raw.get(name, "")) for name in code.names)
        return cls(code, tuple((name, tuple(map(cls.parse, v)) if isinstance(v, list) else v) for name, v in values))

    def reasons(self, name: str) -> tuple[Reason, ...]:
        """Return the reasons in one of its parameters."""
        value = dict(self.parameters)[name]
        return value if isinstance(value, tuple) else ()

    def to_json(self) -> dict[str, object]:
        values = (
            (name, [reason.to_json() for reason in value] if isinstance(value, tuple) else value)
            for name, value in self.parameters
        )
        return {"code": self.code.value, **dict(values)}


Reasons = tuple[Reason, ...]


def to_stored(reasons: Reasons) -> str:
    return json.dumps([reason.to_json() for reason in reasons])


def from_stored(stored: str | None, text: str | None) -> Reasons:
    """Read a row's reasons. Rows of earlier versions have only a `text`; erased rows have neither."""
    if stored:
        return tuple(map(Reason.parse, json.loads(stored)))
    return legacy(text or "")


def combined(reasons: Iterable[Reason]) -> Reasons:
    """Each reason once. Why no DRI was found, on one side or the other, becomes the first reason."""
    distinct = dict.fromkeys(reasons)
    failures = [reason for reason in distinct if reason.code is ReasonCode.NO_DRI_FOUND]
    others = [reason for reason in distinct if reason.code is not ReasonCode.NO_DRI_FOUND]
    problems = dict.fromkeys(problem for failure in failures for problem in failure.reasons("problems"))
    return (*([ReasonCode.NO_DRI_FOUND.of(problems=tuple(problems))] if failures else []), *others)


def legacy(text: str) -> Reasons:
    """The reasons of a row that has only a sentence."""
    return (ReasonCode.TEXT.of(text=text),) if text else ()
