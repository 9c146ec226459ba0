"""A file is imported while the app serves on the same database: nobody is in anybody's way."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE

import pytest

from tests.chaos.rig.processes import ROOT, greet, rig_on

pytestmark = pytest.mark.process


async def imported(rig, path, *, kill_after=None):
    """What the process printed; with *kill_after*, it is killed after so many seconds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("app.py", "import", str(path), "--workspace", rig.team.id),
        cwd=ROOT,
        env=rig._environment(),
        stdout=PIPE,
        stderr=PIPE,
    )
    rig.processes.append(process)
    if kill_after is not None:
        await asyncio.sleep(kill_after)
        await rig.end(process)
        return ""
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_all_of_a_file_is_told_once_while_others_post(database_url, tmp_path, accounts):
    """Killed in the middle and run again; meanwhile senders post, and the worker tells."""
    async with rig_on(database_url, owners=10) as rig:
        await rig.start("serve")
        await greet(rig)
        serials = range(100, 700)
        path = tmp_path / "people.jsonl"
        path.write_text("\n".join(json.dumps(rig._job_change(serial)) for serial in serials))

        posting = asyncio.create_task(rig.post(range(1_000, 1_050)))
        await imported(rig, path, kill_after=2.0)
        out = await imported(rig, path)
        await posting
        rig.accepted |= dict.fromkeys(serials)
        await rig.drained()

        accounts.append(account := await rig.account("import, killed and run again, while others post"))
        assert sum(int(line.split()[1]) for line in out.splitlines()) == len(serials)
        assert account.is_even, account
