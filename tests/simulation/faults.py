"""
Plants known faults in a copy of the app and runs the simulation on it, to show that it finds them.

`python -m tests.simulation.faults` prints how many seeds each fault needed; names of faults as arguments select some.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "listeners", "sandbox", "services", "store", "tests")
MOST_SEEDS = 2_000
FOUND = "fault found by seed "

COURIER, LANES, POSTS = "services/delivery/courier.py", "store/delivery/lanes.py", "store/delivery/posts.py"
ROUTING, REDRAWS = "store/delivery/routing.py", "store/delivery/redraws.py"
LEASES, NOTICES, SEND_NOTICES = "store/leases.py", "store/messages/notices.py", "services/messages/notices.py"

PROGRAM = f"""
import sys
import store.schema.sqlite
from tests.simulation.simulation import BrokenRuleError, Simulation

store.schema.sqlite.SQLITE_SYNCHRONOUS = "OFF"
for seed in range({MOST_SEEDS}):
    try:
        Simulation(seed).run()
    except BrokenRuleError as violation:
        sys.exit(f"{FOUND}{{seed}}: {{violation.broken}}")
"""


@dataclass(frozen=True)
class Fault:
    """A change of one line of the app, or a few, that breaks a promise."""

    name: str
    path: str
    correct: str
    faulty: str

    def plant(self, root: Path) -> None:
        """Raises ValueError if the app no longer has the text exactly once."""
        file = root / self.path
        source = file.read_text()
        if source.count(self.correct) != 1:
            raise ValueError(f"{self.path} does not have the text of the fault “{self.name}” once")
        file.write_text(source.replace(self.correct, self.faulty))


FAULTS = (
    Fault(
        "posts are settled without checking the lease",
        POSTS,
        "if leases.get(item.claim.lane_id) == item.claim.lease]",
        "if item.claim.lane_id in leases]",
    ),
    Fault(
        "batches are settled without checking the lease",
        ROUTING,
        "    if not ROUTE_TURNS.release(connection, batch.workspace_id, batch.lease):\n        return False\n",
        "    ROUTE_TURNS.release(connection, batch.workspace_id, batch.lease)\n",
    ),
    Fault(
        "a post is settled before it is sent",
        COURIER,
        "        settlement = await self._attempt(claim)\n",
        "        await self.settle(Sent(claim, self.now(), claim.channel, '1.0'))\n"
        "        settlement = await self._attempt(claim)\n",
    ),
    Fault(
        "an ambiguous answer counts as not sent",
        COURIER,
        "is_in_doubt = error.in_doubt or claim.in_doubt",
        "is_in_doubt = claim.in_doubt",
    ),
    Fault(
        "a post that a dead process had begun is not in doubt",
        LANES,
        "in_doubt=doubts is not None,",
        "in_doubt=bool(doubts),",
    ),
    Fault(
        "a doubt counts as sent",
        COURIER,
        "            return InDoubt(claim, now, due_at, str(error), by_answer=error.in_doubt)\n",
        "            return Sent(claim, now, claim.channel, '1.0')\n",
    ),
    Fault(
        "a message is sent again after any number of doubts",
        COURIER,
        "if claim.doubts >= MOST_DOUBTS:",
        "if claim.doubts >= 5:",
    ),
    Fault(
        "the pause after a 429 is ignored",
        "services/slack/api.py",
        "        if until := await self.database.gather(",
        "        if await self.database.run(lambda _: False) and await self.database.gather(",
    ),
    Fault(
        "the lease of a batch is not renewed",
        "services/delivery/worker.py",
        "            await self.database.run_until_available(routing.prolong, batch, self.now() + router.LEASE_MS)\n",
        "",
    ),
    Fault(
        "a workspace is routed twice at a time",
        LEASES,
        "        return self.due(query.where(workspaces.c.state",
        "        self._is_due = turns.c.half == self.half\n        return self.due(query.where(workspaces.c.state",
    ),
    Fault(
        "the last delivery of a bundle is not in its message",
        COURIER,
        "        shown = cards(claim.deliveries, ",
        "        shown = cards(claim.deliveries[:-1] or claim.deliveries, ",
    ),
    Fault(
        "leases are given back without their tokens",
        LEASES,
        'table.c.lease == bindparam("our_lease"))',
        'bindparam("our_lease") != "")',
    ),
    Fault(
        "a lane is released before its post is settled",
        LANES,
        "LANES.take(connection, due, now, lease_ms)",
        "LANES.take(connection, due, now, 1_000)",
    ),
    Fault(
        "a call is made although the lease could end during it",
        "services/slack/api.py",
        "if lease_until is not None and self.now() > lease_until - CALL_MS:",
        "if lease_until is not None and self.now() > lease_until + CALL_MS:",
    ),
    Fault(
        "deliveries of a lane lose their order",
        LANES,
        "    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)\n"
        "    .order_by(deliveries.c.lane_id, deliveries.c.id)\n",
        "    .join(job_changes, job_changes.c.id == deliveries.c.job_change_id)\n"
        "    .order_by(deliveries.c.lane_id, deliveries.c.id.desc())\n",
    ),
    Fault(
        "job changes are routed in another order than they arrived in",
        ROUTING,
        "    .order_by(job_changes.c.due_at, job_changes.c.id)\n",
        "    .order_by(job_changes.c.id.desc())\n",
    ),
    Fault(
        "parked lanes are not woken when the default channel works again",
        "store/slack/workspaces.py",
        "_schedule(connection, workspace_id, now, lanes.c.destination == DEFAULT_CHANNEL)",
        "_schedule(connection, workspace_id, now, lanes.c.destination == 'nowhere')",
    ),
    Fault(
        "a lane that has more to send is not due after a post",
        POSTS,
        "                exists().where(deliveries.c.lane_id == lanes.c.id, "
        "deliveries.c.state == DeliveryState.PENDING),\n"
        '                bindparam("next"),\n',
        "                exists().where(deliveries.c.lane_id == lanes.c.id, "
        "deliveries.c.state == DeliveryState.PENDING),\n"
        "                None,\n",
    ),
    Fault(
        "lanes have no pace",
        POSTS,
        "max(item.at for item in sent) + LANE_GAP_MS}",
        "max(item.at for item in sent)}",
    ),
    Fault(
        "a redraw is forgotten that was asked for during another",
        REDRAWS,
        " & (redraws.c.version == redraw.version)",
        "",
    ),
    Fault(
        "a redraw that failed is forgotten",
        "services/messages/redraws.py",
        "        await self.database.run(redraws.postpone, redraw, self.now() + wait_ms)\n",
        "        await self.database.run(redraws.drop, redraw)\n",
    ),
    Fault(
        "a redraw outlives its lease",
        REDRAWS,
        "lease_until=lease.until)",
        "lease_until=lease.until + 60_000)",
    ),
    Fault(
        "a reminder that has begun is not recorded",
        "services/messages/reminders.py",
        "        begun = await self.database.run(reminders.begin, batch, begun_at, LEASE_MS, post_id, thread_ts)\n",
        "        begun = list(batch)\n",
    ),
    Fault(
        "a reminder whose answer was ambiguous is sent again",
        "services/messages/reminders.py",
        "unsent=not error.in_doubt and begun[0].begun_at is None)",
        "unsent=True)",
    ),
    Fault(
        "a reminder that may have been sent is not looked for",
        "services/messages/reminders.py",
        "            has_arrived = post_id is None or await self.slack.find_post(\n",
        "            has_arrived = post_id is None and await self.slack.find_post(\n",
    ),
    Fault(
        "a notice that may have been sent is not looked for",
        SEND_NOTICES,
        "if posted := await self.slack.find_post(notice.workspace_id, dm, notice.id, notice.begun_at):",
        "if (posted := None) and dm:",
    ),
    Fault(
        "what cannot be looked for is sent again",
        "services/slack/api.py",
        '            raise PermanentError("it may have arrived already, and the app cannot check")\n',
        "            return None\n",
    ),
    Fault(
        "two processes send a notice at once",
        NOTICES,
        "    return NOTICES.prolong(connection, notice.id, notice.lease, now + lease_ms, begun_at=now)\n",
        "    return True\n",
    ),
    Fault(
        "a snoozed delivery is not sent again",
        "store/messages/actions.py",
        "        deliver_again(connection, delivery.workspace_id, new, row.due_at)\n",
        "",
    ),
    Fault(
        "a batch that was not settled is lost",
        ROUTING,
        '        due_at=bindparam("due"),\n        last_error=bindparam("error"),\n        attempts=',
        '        due_at=bindparam("due") * 1_000,\n        last_error=bindparam("error"),\n        attempts=',
    ),
)


def run(fault: Fault) -> str:
    """Return what the simulation said about a copy of the app with this fault."""
    with TemporaryDirectory() as directory:
        for package in PACKAGES:
            copytree(ROOT / package, Path(directory, package), ignore=ignore_patterns("__pycache__", "golden"))
        fault.plant(Path(directory))
        program = [sys.executable, "-c", PROGRAM]
        result = subprocess.run(program, cwd=directory, capture_output=True, text=True, check=False)
    return result.stderr.strip().rpartition("\n")[2] if result.returncode else f"not found by {MOST_SEEDS:,} seeds"


def main() -> int:
    missed = 0
    for fault in FAULTS:
        if len(sys.argv) == 1 or fault.name in sys.argv[1:]:
            answer = run(fault)
            missed += not answer.startswith(FOUND)
            print(f"{fault.name}: {answer}", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
