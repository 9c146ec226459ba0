"""
Every table, in a module for each subject, as the migrations create them.

Some columns and stored values keep an older word, since renaming them is not worth a migration: `told` is who was
notified, `laters` are snoozed deliveries, the state `buried` means failed, `given` means reassigned, `tell_dris` is
whether DRIs get direct messages. The names in domain/ are the ones that people read.
"""

from __future__ import annotations

from store.schema.base import metadata
from store.schema.delivery import (
    PENDING,
    deliveries,
    delivery_reasons,
    earlier_posts,
    lanes,
    pauses,
    posts,
    redraws,
    reminders,
    rule_results,
    trace,
    turns,
    webhook_events,
    webhooks,
)
from store.schema.home import absences, member_preferences, mute_limits, mutes
from store.schema.intake import (
    attached_reports,
    imports,
    intake_keys,
    job_changes,
    known_moves,
    mappings,
    refused_payloads,
    reported_moves,
    senders,
)
from store.schema.messages import handlings, laters, notices, wrong_data
from store.schema.operations import audit, day_counts, deployment
from store.schema.ownership import (
    ownership_accounts,
    ownership_denials,
    ownership_drafts,
    ownership_links,
    ownership_matching,
    ownership_pools,
    ownership_rules,
    ownership_unmatched,
)
from store.schema.salesforce import (
    salesforce_apps,
    salesforce_attempts,
    salesforce_connections,
    salesforce_known_records,
    salesforce_moves,
    salesforce_sources,
)
from store.schema.slack import (
    directory_listings,
    first_workspace,
    members,
    slack_events,
    slack_signs,
    workspaces,
)

__all__ = [
    "PENDING",
    "absences",
    "attached_reports",
    "audit",
    "day_counts",
    "deliveries",
    "delivery_reasons",
    "deployment",
    "directory_listings",
    "earlier_posts",
    "first_workspace",
    "handlings",
    "imports",
    "intake_keys",
    "job_changes",
    "known_moves",
    "lanes",
    "laters",
    "mappings",
    "member_preferences",
    "members",
    "metadata",
    "mute_limits",
    "mutes",
    "notices",
    "ownership_accounts",
    "ownership_denials",
    "ownership_drafts",
    "ownership_links",
    "ownership_matching",
    "ownership_pools",
    "ownership_rules",
    "ownership_unmatched",
    "pauses",
    "posts",
    "redraws",
    "refused_payloads",
    "reminders",
    "reported_moves",
    "rule_results",
    "salesforce_apps",
    "salesforce_attempts",
    "salesforce_connections",
    "salesforce_known_records",
    "salesforce_moves",
    "salesforce_sources",
    "senders",
    "slack_events",
    "slack_signs",
    "trace",
    "turns",
    "webhook_events",
    "webhooks",
    "workspaces",
    "wrong_data",
]
