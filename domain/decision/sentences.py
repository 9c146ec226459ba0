"""The sentences of reasons: for the reader of a message, and for everyone else about that reader. Pure.

They are in domain/ because each row also keeps its sentence, for processes of the version before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.decision.reasons import Reason, ReasonCode, Reasons
from domain.decision.record import ConsideredCandidate

_YOU = {"own": "You own", "are": "You are", "manage": "You manage", "were": "You were", "you": "you", "your": "your"}
_THEY = {
    "own": "They own",
    "are": "They are",
    "manage": "They manage",
    "were": "They were",
    "you": "them",
    "your": "their",
}
_THE_DRI = {
    "own": "The DRI owns",
    "are": "The DRI is",
    "manage": "The DRI manages",
    "were": "The DRI was",
    "you": "the DRI",
    "your": "the DRI's",
}
_NAMED = {
    "own": "{} owns",
    "are": "{} is",
    "manage": "{} manages",
    "were": "{} was",
    "you": "{}",
    "your": "{}'s",
}
_ABOUT_RECORDS = {
    ReasonCode.OWNS_CONTACT,
    ReasonCode.OWNS_LEAD,
    ReasonCode.OWNS_ACCOUNT,
    ReasonCode.OWNS_ACCOUNT_OF,
    ReasonCode.OWNS_PARENT,
    ReasonCode.OWNS_ULTIMATE,
    ReasonCode.OWNS_OPPORTUNITY,
    ReasonCode.IN_FIELD,
    ReasonCode.ON_TEAM,
}
"""The reasons that are repeated for a person who is notified in another's place."""

_TEMPLATES: Mapping[ReasonCode, str] = {
    ReasonCode.TEXT: "{text}",
    ReasonCode.OWNS_CONTACT: "{own} {person} in Salesforce.",
    ReasonCode.OWNS_LEAD: "{own} the lead {person} in Salesforce.",
    ReasonCode.OWNS_ACCOUNT: "{own} {record} in Salesforce.",
    ReasonCode.OWNS_ACCOUNT_OF: "{own} {record} in Salesforce, the account of {person}.",
    ReasonCode.OWNS_PARENT: "{own} {record} in Salesforce, the parent of {account}.",
    ReasonCode.OWNS_ULTIMATE: "{own} {record} in Salesforce, the ultimate parent of {account}.",
    ReasonCode.OWNS_OPPORTUNITY: "{own} {record} in Salesforce, the {kind} of {company}.",
    ReasonCode.IN_FIELD: "{are} the {label} of {record} in Salesforce.",
    ReasonCode.ON_TEAM: "{are} the {role} on the {team} team of {record} in Salesforce.",
    ReasonCode.NAMED_BY_SOURCE: "The source of this job change named {you} as its DRI.",
    ReasonCode.NAMED_BY_RULE: "The rule “{rule}” notifies {you}.",
    ReasonCode.GROUP_OF_RULE: "The rule “{rule}” notifies {your} user group.",
    ReasonCode.CHANNEL_OF_RULE: "The rule “{rule}” notifies this channel.",
    ReasonCode.IN_QUEUE: "{are} in the queue {record}, which owns the lead {person} in Salesforce.",
    ReasonCode.QUEUE_TURN: "It is {your} turn in the queue {record}, which owns the lead {person} in Salesforce.",
    ReasonCode.POOL_TURN: "It is {your} turn in the pool {pool}.",
    ReasonCode.POOL_KEEPS: "{were} notified about {company} before: it stays with {you} in the pool {pool}.",
    ReasonCode.MAPPED: "The mapping {table} has {you} as the recipient for {person}. {because}",
    ReasonCode.MANAGES: "{manage} {person} in Salesforce. {because}",
    ReasonCode.DELEGATE: "{person} is out of office and named {you} as their delegate. {because}",
    ReasonCode.REASSIGNED: "{person} reassigned this to {you}{comment}",
    ReasonCode.NO_DRI_FOUND: "No DRI found: {problems}.",
    ReasonCode.RULE_NOTIFIES: "The rule “{rule}” notifies {recipient}.",
    ReasonCode.RULE_NOTIFIES_NOBODY: "The rule “{rule}” notifies nobody.",
    ReasonCode.DRI_IS: "The DRI is {person}.",
    ReasonCode.DRIS_NOTIFIED_HERE: "This workspace notifies DRIs here, not by direct message.",
    ReasonCode.DRI_NOTIFIED: "{person} was notified by direct message.",
    ReasonCode.INFORMED: "FYI, {person} is the DRI. The rule “{rule}” also informs {you}.",
    ReasonCode.INFORMED_WITHOUT_DRI: "FYI, no DRI was found. The rule “{rule}” also informs {you}.",
    ReasonCode.RETURNED: "{person} returned this to the channel{comment}",
    ReasonCode.NOT_ACTED_ON: "{person} was notified and reminded, and has not acted on it.",
    ReasonCode.REPORTS_TO: "They report to {you} in Salesforce.",
    ReasonCode.MANAGER_NOT_NOTIFIED: "Their manager could not be notified.",
    ReasonCode.NO_DRI_NOTIFIED: "No DRI could be notified: {error}.",
    ReasonCode.DRI_NOT_NOTIFIED: "The DRI could not be notified: {error}.",
    ReasonCode.REPORTED_BEFORE: "Another sender has reported the move.",
    ReasonCode.RULE_CHANNEL_UNUSABLE: "The rule's channel cannot be posted to: {error}.",
    ReasonCode.CHANNEL_UNUSABLE: "The channel chosen for it cannot be posted to: {error}.",
    ReasonCode.SKIPPED: "{whom} {problem}",
    ReasonCode.NOT_IN_SLACK: "is not in Slack, or is deactivated there",  # Slack gives one answer to both
    ReasonCode.DEACTIVATED: "is deactivated in Slack",
    ReasonCode.BOT: "is a bot in Slack",
    ReasonCode.GUEST: "is a guest in Slack",
    ReasonCode.STRANGER: "belongs to another Slack workspace",
    ReasonCode.NOT_LOOKED_UP: "cannot be looked up in Slack: {error}",
    ReasonCode.NOT_THEIR_ACCOUNT: "matches a Slack member who reported that this is not their account",
    ReasonCode.NO_EMAIL: "has no email address in Salesforce",
    ReasonCode.OUT_OF_OFFICE: "is out of office",
    ReasonCode.DAILY_LIMIT: "has reached the daily limit of {limit} job change{s}",
    ReasonCode.MUTED_SIGNAL: "has muted this signal",
    ReasonCode.MUTED_CHANGE_TYPE: "has muted this type of change",
    ReasonCode.MUTED_SEGMENT: "has muted this account segment",
    ReasonCode.EXCLUDED: "is excluded",
    ReasonCode.NOT_SET: "is not set",
    ReasonCode.NOT_SET_OR_HIDDEN: "is not set or not visible to the app",
    ReasonCode.QUEUE: "is a queue",
    ReasonCode.NOT_A_QUEUE: "is not a queue",
    ReasonCode.QUEUE_EMPTY: "has no users as members, by themselves or in a public group",
    ReasonCode.INACTIVE: "is inactive in Salesforce",
    ReasonCode.UNREADABLE: "cannot be read in Salesforce",
    ReasonCode.NO_USER_IN_FIELD: "is not a user that the app can see in Salesforce",
    ReasonCode.NO_SALESFORCE_USER: "is not a Salesforce user that the app can see",
    ReasonCode.NOT_IN_MAPPING: "is not in the mapping {table}",
    ReasonCode.NO_DRI_NAMED: "did not name a DRI",
    ReasonCode.GROUP_NOT_IN_SLACK: "is not in Slack",
    ReasonCode.GROUP_EMPTY: "has no members",
    ReasonCode.GROUP_FORBIDDEN: (
        "cannot be looked up without the optional permission usergroups:read (install the app again and allow it)"
    ),
    ReasonCode.NOT_A_CHANNEL: "is not the id or name of a Slack channel",
    ReasonCode.OTHER_SIDE: "not notified, because the rule notifies {recipient}",
    ReasonCode.COULD_NOT_BE_NOTIFIED: "could not be notified: {error}",
    ReasonCode.NO_RECORD: "Salesforce has no {kind} for {record}",
    ReasonCode.NOT_CONNECTED: "Salesforce is not connected",
    ReasonCode.NOT_CONNECTED_NOR_NAMED: "Salesforce is not connected, and the source did not name a DRI",
    ReasonCode.SALESFORCE_DOWN: "the owner could not be looked up, because Salesforce was not available for a while",
    ReasonCode.NO_CONTACT_OR_LEAD: "no contact or lead in Salesforce matches this person",
    ReasonCode.NO_CONTACT_OR_LEAD_BY_ID: "no contact or lead in Salesforce has this person's Salesforce id",
    ReasonCode.NO_REPORT: "no person was found whose manager could be notified",
    ReasonCode.RULE_NAMES_NOBODY: "the rule names nobody",
    ReasonCode.LEFT_OUT: "{error}",
    ReasonCode.SALESFORCE_UNAVAILABLE: "Salesforce was not available: {error}",
    ReasonCode.GATHERED: (
        "It was looked up in Salesforce together with others, {limit} second{s} later, to save API calls."
    ),
    ReasonCode.CONTACT_FOUND: "The contact {record} was found by {key}.",
    ReasonCode.LEAD_FOUND: "The lead {record} was found by {key}.",
    ReasonCode.SEVERAL_CONTACTS: "{limit} contacts match: {records}.",
    ReasonCode.CONTACT_OF_EACH_SIDE: "{record} is used for the company left, and {other} for the company joined.",
    ReasonCode.CONTACT_BY_ID: "{record} is used: the job change names its Salesforce id.",
    ReasonCode.CONTACT_MODIFIED_LAST: "{record} is used: it matches by {key} and was modified last.",
    ReasonCode.MATCHED_BY_EMAIL: "matched by email",
    ReasonCode.MATCHED_BY_FIELD: "matched by the other email field",
    ReasonCode.MATCHED_BY_ALIAS: "matched by the alias domain {domain}",
    ReasonCode.MATCHED_BY_SLACK_ID: "matched by the Slack user ID in Salesforce",
    ReasonCode.LINKED: "linked by hand",
}


def for_reader(reasons: Iterable[Reason]) -> str:
    """What the message says to its reader, such as "You own Globex in Salesforce."."""
    return " ".join(_sentence(reason, _YOU) for reason in reasons)


_SHARED: Mapping[ReasonCode, str] = {
    ReasonCode.OWNS_CONTACT: "You own these contacts in Salesforce.",
    ReasonCode.OWNS_LEAD: "You own these leads in Salesforce.",
}
_SHARED_PROBLEMS: Mapping[ReasonCode, str] = {
    ReasonCode.NOT_IN_SLACK: "Not in Slack, or deactivated there",
    ReasonCode.DEACTIVATED: "Deactivated in Slack",
    ReasonCode.GUEST: "Guests in Slack",
    ReasonCode.STRANGER: "Members of another Slack workspace",
    ReasonCode.NO_EMAIL: "Without an email address in Salesforce",
    ReasonCode.INACTIVE: "Inactive in Salesforce",
    ReasonCode.QUEUE: "Queues in Salesforce",
    ReasonCode.UNREADABLE: "Not readable in Salesforce",
    ReasonCode.OUT_OF_OFFICE: "Out of office",
    ReasonCode.DAILY_LIMIT: "At their daily limit",
    ReasonCode.EXCLUDED: "Excluded",
}


@dataclass(frozen=True)
class SharedReason:
    """What a message says once for several job changes, and what is left to say about one of them, if anything."""

    heading: str
    rest: str = ""


def shared_by(reasons: Reasons) -> SharedReason:
    """What the reasons of one job change can have in common with those of others in the same message."""
    only = reasons[0] if len(reasons) == 1 else None
    if only is not None and only.code in _SHARED:
        return SharedReason(_SHARED[only.code])
    if only is not None and only.code is ReasonCode.NO_DRI_FOUND:
        skipped = only.reasons("problems")
        if len(skipped) == 1 and skipped[0].code is ReasonCode.SKIPPED:
            (problem,) = skipped[0].reasons("problem")
            if problem.code in _SHARED_PROBLEMS:
                whom = str(dict(skipped[0].parameters)["whom"]).rstrip(",")
                return SharedReason(f"No DRI found. {_SHARED_PROBLEMS[problem.code]}:", whom[:1].upper() + whom[1:])
    return SharedReason(for_reader(reasons))


def for_others(reasons: Iterable[Reason]) -> str:
    """What admins and operators read about the reader, such as "The DRI owns Globex in Salesforce."."""
    return " ".join(_sentence(reason, _THE_DRI) for reason in reasons)


def _sentence(reason: Reason, words: Mapping[str, str]) -> str:
    values: dict[str, object] = {**words, **dict(reason.parameters)}
    values["s"] = "" if values.get("limit") == 1 else "s"
    if "comment" in values:
        values["comment"] = f": “{values['comment']}”" if values["comment"] else "."
    for name, value in reason.parameters:
        if isinstance(value, tuple) and name == "because":
            named = {word: text.format(values["person"]) for word, text in _NAMED.items()}
            third_person = _THEY if reason.code is ReasonCode.DELEGATE else named
            values[name] = " ".join(_sentence(other, third_person) for other in value if other.code in _ABOUT_RECORDS)
        elif isinstance(value, tuple):
            values[name] = "; ".join(dict.fromkeys(_sentence(other, words) for other in value))
    return _TEMPLATES[reason.code].format(**values).strip()


def candidate_result(candidate: ConsideredCandidate) -> str:
    """ "notified (matched by email)", or why they were skipped."""
    if candidate.problem is not None:
        return for_reader([candidate.problem])
    if candidate.is_informed:
        return "informed"
    return f"notified ({for_reader([candidate.match])})" if candidate.match else "notified"
