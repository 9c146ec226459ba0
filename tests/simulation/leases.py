"""Watches every lease in the database: who holds it, and that nobody else acts while it holds or with a lost one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.slack.api import NO_CHANNEL
from tests.simulation.process import Replica
from tests.simulation.slack import Call
from tests.simulation.storage import Key, Lease

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

STRICT = {"lanes", "turns"}
"""Tables in which a lease may not even be ended by anybody but its holder. A reminder starts again, for example."""


@dataclass(frozen=True)
class Held:
    """Who took a lease, and when, in seconds on the loop's clock."""

    holder: Replica
    since: float


@dataclass
class LeaseWatch:
    """Compares the leases before and after each transaction."""

    simulation: Simulation
    leases: dict[Key, Lease] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    takeovers: Counter[str] = field(default_factory=Counter)
    """By post: how often it was taken over from a replica that had begun to send it, and was dead or suspended."""

    def compare(self, replica: Replica) -> None:
        """Called after a transaction of this replica."""
        before, self.leases = self.leases, self.simulation.storage.leases()
        for key, (lease, until) in self.leases.items():
            if lease is not None and lease not in self.held:
                self.held[lease] = Held(replica, self.simulation.loop.now)
            old, old_until = before.get(key, (None, None))
            if old is not None and (old, old_until) != (lease, until):
                self._changed(replica, key, old, old_until or 0, lease)

    def _changed(self, replica: Replica, key: Key, old: str, old_until: int, new: str | None) -> None:
        held, table = self.held[old], key[0]
        is_over = old_until <= replica.now()
        if new is not None and new != old and is_over:
            self._taken_over(replica, key, held)
        elif held.holder is not replica and not is_over and (table in STRICT or new is not None):
            self.simulation.violate(f"{replica} changed {key} while {held.holder} held its lease")

    def _taken_over(self, replica: Replica, key: Key, held: Held) -> None:
        self.simulation.note(replica.name, "takes over", *key, "from", held.holder.name)
        if key[0] not in STRICT:
            return
        if key[0] == "lanes":
            self._count_takeover(key[1])
        if held.holder.is_healthy_since(held.since) and not self.simulation.profile.clock_jump:
            self.simulation.violate(f"{held.holder} lost its lease of {key} although it was healthy")

    def _count_takeover(self, lane_id: str) -> None:
        sending = "SELECT id FROM posts WHERE lane_id = ? AND state = 'sending'"
        self.takeovers.update(row[0] for row in self.simulation.storage.rows(sending, int(lane_id)))

    def forget_all(self) -> None:
        """A process that works alone has released the leases of the dead one."""
        for (table, key), (lease, _) in self.leases.items():
            if table == "lanes" and lease is not None:
                self._count_takeover(key)
        self.leases = self.simulation.storage.leases()

    def check_call(self, call: Call) -> None:
        """Called when a replica begins to call Slack."""
        self._check_wait(call)
        if call.arguments.get("channel") == NO_CHANNEL:  # asks whether posting works, and posts nothing
            return
        if call.method == "chat.postMessage" and call.post_id:
            self._note_look(call)
        # Replicas with wrong clocks take over what is not abandoned.
        if call.method in {"chat.postMessage", "chat.update"} and not self.simulation.profile.clock_jump:
            self._check_lease(call)

    def _note_look(self, call: Call) -> None:
        destination, simulation = call.arguments["channel"], self.simulation
        call.queue = key[0] if (key := self._key_of(call.post_id or "")) else ""
        rows = simulation.storage.rows("SELECT dm FROM lanes WHERE ? IN (destination, dm)", destination)
        dm = rows[0][0] if rows else None
        call.can_look = simulation.profile.reads_history and dm is not None
        looks = [at for caller, channel, at in simulation.slack.looks if caller is call.caller and channel == dm]
        call.looked_at = looks[-1] if looks else None

    def _check_lease(self, call: Call) -> None:
        key = self._key_of_update(call) if call.method == "chat.update" else self._key_of(call.post_id or "")
        lease, until = self.leases.get(key, (None, None)) if key else (None, None)
        held = self.held.get(lease) if lease else None
        caller = call.caller
        if held is None or held.holder is not caller or (until or 0) < caller.now():
            self.simulation.violate(f"{caller} calls {call.method} without the lease of {key}, which it has lost")

    def _key_of_update(self, call: Call) -> Key | None:
        place = (call.arguments["channel"], call.arguments["ts"])
        for table, queue in (("posts", "redraws"), ("notices", "notices")):
            for row in self.simulation.storage.rows(f"SELECT id FROM {table} WHERE channel = ? AND ts = ?", *place):
                return queue, row[0]
        return None

    def _key_of(self, post_id: str) -> Key | None:
        rows = self.simulation.storage.rows("SELECT lane_id FROM posts WHERE id = ?", post_id)
        if rows:
            return "lanes", str(rows[0][0])
        reminders = self.simulation.storage.rows("SELECT delivery_id FROM reminders WHERE post_id = ?", post_id)
        if reminders:
            return "reminders", str(reminders[0][0])
        return ("notices", post_id) if ("notices", post_id) in self.leases else None

    def _check_wait(self, call: Call) -> None:
        """Slack asked for a pause, and whoever was asked had a moment to store that."""
        simulation, now = self.simulation, call.started_at
        begin, end, asked = simulation.slack.waits.get(call.method, (0.0, 0.0, call.caller))
        moment = 4 * simulation.profile.database_latency + simulation.profile.slack_latency + 0.5
        if not begin + moment < now < end - 0.1 or simulation.profile.clock_jump:
            return
        if asked.is_healthy_since(begin) and call.caller.is_healthy_since(begin):
            simulation.violate(f"{call.caller} calls {call.method} although Slack asked for a pause until {end:.1f}")
