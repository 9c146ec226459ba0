"""The figures of senders, which admins see in Home."""

from __future__ import annotations

from store.intake import senders
from store.intake.senders import AddedSender, Receipt
from tests.conftest import SOMEDAY
from tests.store.sample_rows import add_workspace


async def test_the_figures_of_a_sender_are_sums_and_the_latest_of_its_receipts(database):
    """A group may have several receipts of one sender, and some of a sender that was removed."""
    await database.run(add_workspace)
    for name in ("clay", "zapier"):
        await database.run(senders.add, "T1", name, "U_ADMIN", SOMEDAY)
    receipts = [
        Receipt("T1", "clay", SOMEDAY + 1, duplicate=1, refused=1, refusal="the first"),
        Receipt("T1", "clay", SOMEDAY + 2, accepted=2, refused=1, refusal="the second"),
        Receipt("T1", "clay", SOMEDAY + 3, skipped=1, test="reads as new_company"),
        Receipt("T1", "removed", SOMEDAY),
    ]

    assert await database.run(senders.note, receipts) == {("T1", "clay")}

    figures = {"accepted": 2, "duplicate": 1, "refused": 2, "skipped": 1, "received_at": SOMEDAY + 3}
    refused = {"refused_at": SOMEDAY + 2, "refusal": "the second"}
    tested = {"tested_at": SOMEDAY + 3, "test": "reads as new_company"}
    assert await database.run(senders.all_of, "T1") == [
        AddedSender("clay", SOMEDAY, "U_ADMIN", **figures, **refused, **tested),
        AddedSender("zapier", SOMEDAY, "U_ADMIN"),
    ]
