"""PgBouncer in transaction mode: each transaction may run in another session of the server."""

from __future__ import annotations

import pytest

from store.database import Database
from store.migrations import upgrade
from tests.chaos.rig.load import under_load
from tests.chaos.rig.pooler import pooled
from tests.chaos.rig.processes import open_rig, send_first_messages, wait_until

pytestmark = [pytest.mark.process, pytest.mark.in_full, pytest.mark.pgbouncer]

JOB_CHANGES, A_SECOND = 500, 60


async def test_nothing_is_refused_lost_or_repeated_behind_a_pooler(own_server, reports):
    """Without a direct address: workers look for work once a second."""
    direct = own_server.new_database()
    async with pooled(direct) as url, open_rig(url, owners=20) as rig:
        database = Database(url)
        database.run_sync(upgrade)
        await database.close()
        for verb in ("web", "worker", "worker"):
            await rig.start(verb)
        await send_first_messages(rig)
        async with under_load(rig, A_SECOND) as responses:
            await wait_until(lambda: _has_accepted(rig, JOB_CHANGES))
        await rig.wait_until_drained()

        reports.append(report := await rig.report(f"PgBouncer in transaction mode: {len(rig.accepted)} job changes"))
        assert responses.statuses.keys() <= {200, 202}, responses.statuses
        assert report.is_complete, report
        assert "Traceback" not in rig.log_tail()


async def _has_accepted(rig, count):
    return len(rig.accepted) >= count
