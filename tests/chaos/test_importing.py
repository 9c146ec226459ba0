"""A file is imported while the app serves from the same database."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.chaos.rig.processes import ROOT, open_rig, send_first_messages

pytestmark = pytest.mark.process


async def run_import(rig, path, *, kill_after=None):
    """Returns the output, or "" when the process is killed after `kill_after` seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("app.py", "import", str(path), "--workspace", rig.team.id),
        cwd=ROOT,
        env=rig.environment(),
        stdout=PIPE,
        stderr=PIPE,
    )
    rig.processes.append(process)
    if kill_after is not None:
        await asyncio.sleep(kill_after)
        await rig.stop(process)
        return ""
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_killed_import_delivers_every_row_once(database_url, tmp_path, reports):
    """The import is killed and run again while senders post and the worker delivers."""
    async with open_rig(database_url, owners=10) as rig:
        await rig.start("serve")
        await send_first_messages(rig)
        serials = range(100, 700)
        path = tmp_path / "people.jsonl"
        path.write_text("\n".join(json.dumps(rig.job_change(serial)) for serial in serials))

        posting = asyncio.create_task(rig.post(range(1_000, 1_050)))
        await run_import(rig, path, kill_after=2.0)
        out = await run_import(rig, path)
        await posting
        rig.accepted |= dict.fromkeys(serials)
        await rig.wait_until_drained()

        reports.append(report := await rig.report("import, killed and run again, while others post"))
        assert sum(int(line.split()[1]) for line in out.splitlines()) == len(serials)
        assert report.is_complete, report
