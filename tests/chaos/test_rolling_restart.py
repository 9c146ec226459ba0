"""Web processes are replaced one by one behind a load balancer."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import pytest

from tests.chaos.rig.balancer import Balancer
from tests.chaos.rig.processes import open_rig, send_first_messages
from tests.servers import free_port

pytestmark = [pytest.mark.process, pytest.mark.in_full]

REQUESTS, SENDERS = 1_000, 8


async def test_a_rolling_restart_behind_a_load_balancer_refuses_nothing(own_server, reports):
    """`/readyz` turns 503 first, and requests are accepted until the load balancer has noticed."""
    async with open_rig(own_server.new_database(), owners=20) as rig:
        await rig.start("worker")
        processes = []
        for port in (free_port(), free_port()):
            rig.port = port
            processes.append((port, await rig.start("web")))
        await send_first_messages(rig)
        balancer, statuses = Balancer(rig.http, [port for port, _ in processes]), Counter()
        restarted = asyncio.Event()

        async def send() -> None:
            while statuses.total() < REQUESTS or not restarted.is_set():
                status, _ = await rig.send([next(rig.serials)])
                statuses[status] += 1
                await asyncio.sleep(0.05)

        async with balancer.serving() as address:
            rig.address = address
            senders = [asyncio.create_task(send()) for _ in range(SENDERS)]
            for port, process in processes:
                assert await rig.stop(process, signal.SIGTERM) == 0
                rig.port = port
                await rig.start("web")
                await asyncio.sleep(1)
            restarted.set()
            await asyncio.gather(*senders)
            await rig.wait_until_drained()

        reports.append(report := await rig.report(f"rolling restart behind a balancer: {statuses.total()} requests"))
        assert statuses.keys() == {202}, statuses
        assert report.is_complete, report
