"""How the connection to Salesforce stands, in lines for doctor, status and App Home. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.salesforce import PAUSED, ConnectionStatus, Source

CALLS_ARE_LOW, CALLS_ARE_FINE = 0.8, 0.7
"""The part of the calls that an org is allowed from which on somebody should know, and below which all is well."""


class Health(StrEnum):
    """How good a line is."""

    GOOD = "good"
    FAIR = "fair"  # it works, and somebody should know
    BAD = "bad"


@dataclass(frozen=True)
class HealthLine:
    """A sentence without its full stop, in plain text with foreign names in it. *at*: a time to be told behind it."""

    health: Health
    text: str
    at: int | None = None


def lines(connection: ConnectionStatus | None, daily_calls: int, now: int) -> list[HealthLine]:
    """
    Connected as whom, last success, calls used today, what cannot be read.

    *daily_calls*: our share of the org's calls a day, as the workspace prefers it.
    """
    if connection is None:
        text = (
            "Not connected to Salesforce: owners cannot be looked up, so only job changes that name their DRI reach one"
        )
        return [HealthLine(Health.FAIR, text)]
    return [*_connected(connection), *_calls(connection, daily_calls, now)]


def source_line(source: Source) -> HealthLine:
    """How a place stands where job changes are found."""
    told = f"{source.name}: {source.found:,} found"
    refused = f", {source.refused:,} refused, the last one because {source.refusal}" if source.refused else ""
    if source.state == PAUSED:
        return HealthLine(Health.FAIR, f"{told}{refused}, paused", source.looked_at)
    if source.problem:
        return HealthLine(Health.BAD, f"{told}{refused}; {source.problem}", source.looked_at)
    return HealthLine(Health.FAIR if refused else Health.GOOD, f"{told}{refused}, looked at", source.looked_at)


def _connected(connection: ConnectionStatus) -> Iterator[HealthLine]:
    org = connection.org_name or connection.instance_url or connection.login_url
    kind = ", ".join(filter(None, [connection.org_edition, "a sandbox" if connection.is_sandbox else None]))
    user = f" as {connection.user_name}" if connection.user_name else ""
    if connection.problem:
        yield HealthLine(Health.BAD, f"Salesforce ({org}) needs an admin: {connection.problem}")
    elif connection.last_success_at is None:
        yield HealthLine(Health.FAIR, f"Salesforce is set up for {org}, and has not been asked yet")
    else:
        yield HealthLine(Health.GOOD, f"Connected to Salesforce: {org}{f' ({kind})' if kind else ''}{user}")
    if connection.last_success_at is not None:
        yield HealthLine(Health.GOOD, "Last answer:", connection.last_success_at)
    if connection.unreadable:
        yield HealthLine(Health.FAIR, f"Cannot be read, so it is left out: {connection.unreadable}")


def _calls(connection: ConnectionStatus, daily_calls: int, now: int) -> Iterator[HealthLine]:
    ours = connection.our_calls_on(now)
    text = f"API calls: {ours:,} of our share of {daily_calls:,} used today"
    used, limit = connection.api_used, connection.api_limit
    if used is not None and limit:
        text += f"; {used:,} of the org's {limit:,} in 24 hours, by all apps together"
    is_low = ours >= daily_calls or bool(used and limit and used >= limit * CALLS_ARE_LOW)
    if ours or limit:
        yield HealthLine(Health.FAIR if is_low else Health.GOOD, text)
