"""The state of the Salesforce connection and of its sources, in lines for doctor, status and App Home. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.day_counts import counted
from domain.errors import Outage, Vendor
from domain.salesforce import PAUSED, ConnectionStatus, Source
from services.salesforce.call_budget import LONGEST_GATHERING_MS, CallBudget
from services.salesforce.refusals import GRANT

CALLS_ARE_LOW, CALLS_ARE_FINE = 0.8, 0.7
"""Admins are warned when this part of the org's API calls is used up; the warning ends below the second value."""


class Health(StrEnum):
    """How good a line is."""

    GOOD = "good"
    FAIR = "fair"  # it works, but an admin should know
    BAD = "bad"


@dataclass(frozen=True)
class HealthLine:
    """
    A sentence in plain text without its full stop; it may contain names from other systems.

    `at` is a time in milliseconds to show after the text.
    """

    health: Health
    text: str
    at: int | None = None


def lines(
    connection: ConnectionStatus | None, daily_limit: int, now: int, outages: Iterable[Outage] = ()
) -> list[HealthLine]:
    """
    Describe the connection: its user, when it was last synced, the API calls used today, what cannot be read.

    `daily_limit` is the most API calls a day that the workspace allows the app. During one of the `outages` it does not
    count as connected.
    """
    if connection is None:
        text = (
            "Not connected to Salesforce: owners cannot be looked up, so a DRI is notified only if the job change names"
            " one"
        )
        return [HealthLine(Health.FAIR, text)]
    since = next((outage.since for outage in outages if outage.vendor is Vendor.SALESFORCE), None)
    return [*_connection_lines(connection, since), *_api_call_lines(connection, daily_limit, now)]


def source_line(source: Source) -> HealthLine:
    """Describe an object that job changes are imported from."""
    label, counts = source_label(source.name), f"{counted(source.found, 'job change')} imported"
    if source.refused:
        counts += f", {counted(source.refused, 'record')} refused (most recently {source.refusal})"
    if source.state == PAUSED:
        return _checked(source, Health.FAIR, f"{label} is paused: {counts},")
    if source.problem:
        return _checked(source, Health.BAD, f"{label} has a problem: {source.problem.rstrip('.')} ({counts}),")
    return _checked(source, Health.FAIR if source.refused else Health.GOOD, f"{label}: {counts},")


def _checked(source: Source, health: Health, text: str) -> HealthLine:
    if source.looked_at is None:
        return HealthLine(health, f"{text} not checked yet")
    return HealthLine(health, f"{text} last checked", source.looked_at)


def source_label(name: str) -> str:
    """Return the name of a source as people read it, such as "Contact (left)" for `Contact:left`."""
    sobject, _, kind = name.partition(":")
    return f"{sobject} ({kind})" if kind else sobject


def _connection_lines(connection: ConnectionStatus, failing_since: int | None) -> Iterator[HealthLine]:
    org = connection.org_name or connection.instance_url or connection.login_url
    kind = ", ".join(filter(None, [connection.org_edition, "sandbox" if connection.is_sandbox else None]))
    user = f" as {connection.user_name}" if connection.user_name else ""
    if connection.problem:
        yield HealthLine(Health.BAD, f"Salesforce ({org}) needs an admin: {connection.problem.rstrip('.')}")
    elif failing_since is not None:
        yield HealthLine(Health.FAIR, f"Salesforce ({org}) has not responded since", failing_since)
    elif connection.last_success_at is None:
        yield HealthLine(Health.FAIR, f"Salesforce ({org}) is set up but has not been used yet")
    else:
        yield HealthLine(Health.GOOD, f"Connected to Salesforce: {org}{f' ({kind})' if kind else ''}{user}")
    if connection.last_success_at is not None:
        yield HealthLine(Health.GOOD, "Last synced", connection.last_success_at)
    if connection.unreadable:
        text = f"The connected user cannot read or search these, so they are left out: {connection.unreadable}. {GRANT}"
        yield HealthLine(Health.FAIR, text)


def _api_call_lines(connection: ConnectionStatus, daily_limit: int, now: int) -> Iterator[HealthLine]:
    calls = connection.our_calls_on(now)
    text = f"Daily API calls: {calls:,} of {daily_limit:,} used"
    used, limit = connection.api_used, connection.api_limit
    if used is not None and limit:
        text += f". All apps together used {used:,} of your org's {limit:,} in the last 24 hours"
    is_low = calls >= daily_limit or bool(used and limit and used >= limit * CALLS_ARE_LOW)
    if calls or limit:
        yield HealthLine(Health.FAIR if is_low else Health.GOOD, text)
    if CallBudget(calls, daily_limit).is_gathering(now):
        minutes = LONGEST_GATHERING_MS // 60_000
        yield HealthLine(
            Health.FAIR,
            f"Today's API calls are being used up quickly, so job changes are gathered for up to {minutes} minutes and"
            " looked up together",
        )
