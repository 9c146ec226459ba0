"""Tables of ownership: rule sets, matching of owners with Slack members, and pools."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text

from store.schema.base import Milliseconds, metadata

ownership_rules = Table(  # published rule sets; the highest version is in force, and none is ever changed
    "ownership_rules",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("rules", Text, nullable=False),  # JSON
    Column("published_at", Milliseconds, nullable=False),
    Column("published_by", Text, nullable=False),  # a Slack user id, or operator
    Column("note", Text, nullable=False, server_default=""),
    Column("original_names", Text),  # JSON: those of renamed rules, by their names; null: none is renamed
)

ownership_drafts = Table(  # changes that are not published yet
    "ownership_drafts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),  # grows with each change, to detect conflicting changes
    Column("based_on", Integer, nullable=False),  # the version it started from; 0: none was published
    Column("rules", Text, nullable=False),  # JSON
    Column("changed_at", Milliseconds, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("original_names", Text),  # as in ownership_rules
)

ownership_matching = Table(  # how owners are matched with Slack users, besides by email address
    "ownership_matching",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("email_field", Text),  # of Salesforce's User
    # JSON: a domain, and the one that is used in Slack.
    Column("alias_domains", Text, nullable=False, server_default="{}"),
    Column("slack_id_field", Text),  # a field of User with a Slack user id; null: none
    Column("person_keys", Text),  # the fields that people are found by, one a line; null: only by email
    Column("domain_field", Text),  # a field of Account with the domain of the company; null: only by website and name
)

ownership_links = Table(  # owners whom an admin has matched with a Slack user by hand
    "ownership_links",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),  # an email address in lower case, or a Salesforce user id
    Column("user_id", Text, nullable=False),
    Column("linked_at", Milliseconds, nullable=False),
    Column("linked_by", Text, nullable=False),
)

ownership_unmatched = Table(  # the job changes that unmatched owners have missed
    "ownership_unmatched",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("job_change_id", Text, ForeignKey("job_changes.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("problem", Text, nullable=False),
    Column("why", Text, nullable=False),  # the same as a sentence, for processes of the version before
    Column("reasons", Text),  # JSON: why it would have been theirs; null: only the sentence was stored
    Column("side", Text),
    Column("seen_at", Milliseconds, nullable=False),
    Index("ix_ownership_unmatched_job_change", "job_change_id"),
)

ownership_pools = Table(  # whose turn it is in each pool
    "ownership_pools",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("pool", Text, primary_key=True),
    Column("state", Text, nullable=False),  # JSON
)

ownership_accounts = Table(  # which member of a pool has an account
    "ownership_accounts",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("pool", Text, primary_key=True),
    Column("account", Text, primary_key=True),  # a Salesforce id, else a domain, else a name
    Column("member", Text, nullable=False),
    Column("taken_at", Milliseconds, nullable=False),
)

ownership_denials = Table(  # members who say that they are not this owner
    "ownership_denials",
    metadata,
    Column("workspace_id", Text, ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, primary_key=True),  # an email address in lower case, or a Salesforce user id
    Column("user_id", Text, primary_key=True),
    Column("denied_at", Milliseconds, nullable=False),
)
