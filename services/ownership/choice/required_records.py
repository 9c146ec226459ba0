"""The Salesforce records that rules require: fields, accounts of both companies, opportunities, teams, users. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from domain.people import NO_MATCHING, OwnerMatching
from services.ownership.choice.context_fields import CURRENCY
from services.ownership.rules.owner_sources import (
    ChannelField,
    Manager,
    Mapped,
    NamedUser,
    OpportunityOwner,
    Owner,
    Pool,
    QueueMembers,
    Source,
    TeamRole,
    UserField,
    base_source,
    is_salesforce_user,
)
from services.ownership.rules.rule_set import RuleSet, Segment
from services.salesforce.records import RequiredRecords

_BY_OPPORTUNITY: frozenset[Segment] = frozenset({"open_opportunity", "closed_lost", "none"})
_BY_FIELD: frozenset[Segment] = frozenset({"customer", "target", "none"})


def used_segments(rules: RuleSet, muted: Collection[Segment]) -> frozenset[Segment]:
    """The segments that a rule in force or a member's mute uses. The others are not looked up."""
    return frozenset({*muted, *(segment for rule in rules.in_force for segment in rule.when.segment or ())})


def required_records(
    rules: RuleSet, matching: OwnerMatching = NO_MATCHING, muted: Collection[Segment] = ()
) -> RequiredRecords:
    """
    What to query for the rules in force.

    `matching` has the fields by which owners are matched with Slack users, and people are found. `muted` are the
    account segments that a member has muted.
    """
    in_force = rules.in_force
    chains = [[*rule.tell, *(rule.also_notify or ()), *([rule.fallback] if rule.fallback else [])] for rule in in_force]
    sources = [base for chain in chains for source in chain if (base := base_source(source))]
    owners = {source.of for source in sources if isinstance(source, Owner)}
    deals = {source.of for source in sources if isinstance(source, OpportunityOwner)}
    teams = [source for source in sources if isinstance(source, TeamRole)]
    segments = used_segments(rules, muted)
    named, context = _named_fields(rules, sources, segments), frozenset(rules.context_fields or ())
    return RequiredRecords(
        fields=_by_object({*named, *context}),
        companies=bool(segments or named or owners or deals or teams)
        or any(isinstance(source, Pool) for source in sources),
        parents="parent_account" in owners,
        ultimate_parents="ultimate_parent_account" in owners,
        contact_opportunities="contact" in deals
        or any(rule.when.contact_has_open_opportunity is not None for rule in in_force),
        open_choice=rules.open_opportunity,
        opportunities=bool(segments & _BY_OPPORTUNITY)
        or any(field.startswith("Opportunity.") for field in (*named, *context))
        or "account" in deals
        or any(team.of == "opportunity" for team in teams),
        account_roles=frozenset(team.role for team in teams if team.of == "account"),
        opportunity_roles=frozenset(team.role for team in teams if team.of != "account"),
        user_fields=frozenset(source.field.lower() for source in sources if isinstance(source, UserField)),
        managers=any(isinstance(source, Manager) for chain in chains for source in chain),
        queues=any(isinstance(source, QueueMembers) for source in sources),
        user_ids=frozenset(filter(is_salesforce_user, _named_people(rules, sources))),
        email_field=matching.email_field,
        slack_id_field=matching.slack_id_field,
        person_keys=matching.person_keys,
        domain_field=matching.domain_field,
    )


def _named_fields(rules: RuleSet, sources: Iterable[Source | ChannelField], segments: frozenset[Segment]) -> set[str]:
    named = {test.field for rule in rules.in_force for test in rule.when.fields or ()}
    named |= {source.field for source in sources if isinstance(source, UserField | ChannelField)}
    by_segment = {rules.segments.customer.field, rules.segments.target.field}
    return named | by_segment if segments & _BY_FIELD else named


def combine(first: RequiredRecords, second: RequiredRecords) -> RequiredRecords:
    """What two rule sets require together, so that both decide on the same records."""
    objects = {*first.fields, *second.fields}
    return RequiredRecords(
        fields={name: first.fields.get(name, frozenset()) | second.fields.get(name, frozenset()) for name in objects},
        companies=first.companies or second.companies,
        parents=first.parents or second.parents,
        opportunities=first.opportunities or second.opportunities,
        contact_opportunities=first.contact_opportunities or second.contact_opportunities,
        ultimate_parents=first.ultimate_parents or second.ultimate_parents,
        open_choice=first.open_choice,
        account_roles=first.account_roles | second.account_roles,
        opportunity_roles=first.opportunity_roles | second.opportunity_roles,
        user_fields=first.user_fields | second.user_fields,
        managers=first.managers or second.managers,
        queues=first.queues or second.queues,
        user_ids=first.user_ids | second.user_ids,
        email_field=first.email_field or second.email_field,
        slack_id_field=first.slack_id_field or second.slack_id_field,
        person_keys=first.person_keys,
        domain_field=first.domain_field,
    )


def with_currency(
    required: RequiredRecords, context_fields: Collection[str], readable: Mapping[str, frozenset[str]]
) -> RequiredRecords:
    """Add the currencies of the records whose fields are shown on cards, in orgs with several currencies."""
    sobjects = {field.partition(".")[0] for field in context_fields}
    more = {name: frozenset({CURRENCY}) for name in sobjects if CURRENCY.lower() in readable.get(name, frozenset())}
    fields = {name: names | more.get(name, frozenset()) for name, names in required.fields.items()}
    return replace(required, fields=fields) if more else required


def without_unreadable(
    required: RequiredRecords, readable: Mapping[str, frozenset[str]]
) -> tuple[RequiredRecords, frozenset[str]]:
    """
    Leave out the fields that the app cannot read in the org. Returns these too, such as `Account.SDR__c`.

    `readable` has field names in lower case by sObject. The fields of an sObject that is not in it are all kept.
    """
    fields: dict[str, frozenset[str]] = {}
    dropped: set[str] = set()
    for sobject, names in required.fields.items():
        readable_names = readable.get(sobject)
        fields[sobject] = frozenset(name for name in names if readable_names is None or name.lower() in readable_names)
        dropped |= {f"{sobject}.{name}" for name in names - fields[sobject]}
    kept: dict[str, str | None] = {}
    user_fields = readable.get("User")
    for setting, name in (("email_field", required.email_field), ("slack_id_field", required.slack_id_field)):
        is_readable = name is None or user_fields is None or name.lower() in user_fields
        kept[setting] = name if is_readable else None
        dropped |= set() if is_readable else {f"User.{name}"}
    return replace(
        required, fields=fields, email_field=kept["email_field"], slack_id_field=kept["slack_id_field"]
    ), frozenset(dropped)


def _named_people(rules: RuleSet, sources: Iterable[Source | ChannelField]) -> Iterator[str]:
    for source in sources:
        if isinstance(source, NamedUser):
            yield source.user
        elif isinstance(source, Pool):
            yield from (member.user for member in rules.pools[source.pool].members)
    chains = [(*rule.tell, *(rule.also_notify or ())) for rule in rules.in_force]
    tables = {source.table for chain in chains for source in chain if isinstance(source, Mapped)}
    yield from (user for table in tables for user in rules.mappings[table].values())


def _by_object(fields: Iterable[str]) -> dict[str, frozenset[str]]:
    by_object: dict[str, set[str]] = defaultdict(set)
    for field in fields:
        sobject, _, name = field.partition(".")
        by_object[sobject].add(name)
    return {sobject: frozenset(names) for sobject, names in by_object.items()}
