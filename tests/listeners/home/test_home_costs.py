"""What Home costs: calls to Slack and transactions, counted. Opening it and changing a preference stay cheap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine, event

from tests.listeners.home.test_member_home import deliver


@dataclass
class Costs:
    transactions: int = 0
    slack_reads: int = 0


@contextmanager
def counted(office) -> Iterator[Costs]:
    costs = Costs()

    def count(_connection) -> None:
        costs.transactions += 1

    calls_before = len(office.slack.calls)
    event.listen(Engine, "begin", count)  # of the engine that writes, and of the one that only reads
    yield costs
    event.remove(Engine, "begin", count)
    costs.slack_reads = sum(call.method != "views.publish" for call in office.slack.calls[calls_before:])


async def test_opening_home_takes_one_slack_read_and_three_transactions(office):
    """Bolt reads the installation, Slack is asked unless it is pausing us, and one transaction reads everything."""
    await deliver(office, office.dana)
    await office.open_home(office.dana)  # the first time, the past days are counted, and Slack's address is found out

    with counted(office) as costs:
        assert "|Open message>" in await office.open_home(office.dana)

    assert (costs.slack_reads, costs.transactions) == (1, 3)


async def test_changing_a_preference_takes_two_transactions_more_than_the_request(office):
    """Bolt reads the installation for every request. The change and the new Home are one transaction."""
    await office.open_home(office.dana)

    with counted(office) as costs:
        assert "Saved." in await office.pick(office.dana, "home_reminder_hours", "8")

    assert (costs.slack_reads, costs.transactions) == (1, 1 + 2)


async def test_rights_are_asked_again_for_each_change(office):
    """Home may show a former admin's settings for a while, but they can no longer change them."""
    await office.open_home(office.dana)
    office.dana.is_admin = False

    assert "Only workspace admins" in await office.pick(office.dana, "home_reminder_hours", "8")
    assert (await office.workspace()).reminder_hours == 0
