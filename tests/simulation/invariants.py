"""What must hold at the end of every run, whatever went wrong in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.states import DeliveryState, Outcome
from services.delivery.courier import PLAIN_TEXT
from services.messages.cards import cards
from services.messages.compose import MOST_CARDS, compose
from services.retry import MOST_DOUBTS
from store.delivery import redraws
from store.delivery.posts import LANE_GAP_MS
from store.messages import histories
from tests.simulation.process import SIGNER
from tests.simulation.slack import CHANNEL, SERIAL, WORKSPACE, Call, Message

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


def check_end(simulation: Simulation) -> None:
    """Report the first rule that does not hold as the run's violation."""
    for broken in Ending(simulation).violations():
        simulation.violate(broken)
        return


@dataclass
class Ending:
    """The rows and the messages at the end of a run."""

    simulation: Simulation

    def __post_init__(self) -> None:
        rows = self.simulation.storage.rows
        self.job_changes = {
            int(SERIAL.search(payload)[1]): (key, outcome, told, decision)
            for key, payload, outcome, told, decision in rows(
                "SELECT id, payload, outcome, told, decision FROM job_changes"
            )
        }
        self.serials = {key: serial for serial, (key, *_) in self.job_changes.items()}
        self.posts = {
            key: (state, channel, ts, doubts)
            for key, state, channel, ts, doubts in rows("SELECT id, state, channel, ts, doubts FROM posts")
        }
        self.carried: dict[str, set[int]] = defaultdict(set)
        self.deliveries = rows(
            "SELECT deliveries.id, job_change_id, destination, role, deliveries.state, post_id FROM deliveries"
            " JOIN lanes ON lanes.id = lane_id ORDER BY deliveries.id"
        )
        by_id = self.by_id = {row[0]: row for row in self.deliveries}
        for _, job_change_id, _, _, _, post_id in self.deliveries:
            if post_id:
                self.carried[post_id].add(self.serials[job_change_id])
        self.again = set[tuple[int, str]]()
        """Serials and destinations to which a job change was sent again on purpose."""
        for post_id, delivery_id in rows("SELECT post_id, delivery_id FROM earlier_posts"):
            serial, destination = self.serials[by_id[delivery_id][1]], by_id[delivery_id][2]
            self.carried[post_id].add(serial)
            self.again.add((serial, destination))
        self.copies: dict[str, list[Message]] = defaultdict(list)
        for message in self.simulation.slack.messages:
            if message.post_id:
                self.copies[message.post_id].append(message)

    def violations(self) -> Iterator[str]:
        yield from self._outcomes()
        yield from self._messages()
        yield from self._repeats()
        yield from self._order()
        yield from self._pace()
        yield from self._reminders()
        yield from self._snoozed()
        yield from self._shown()

    def _outcomes(self) -> Iterator[str]:
        """Every accepted job change has exactly one outcome, under the id that its sender got."""
        accepted = self.simulation.accepted
        count = self.simulation.storage.rows("SELECT count(*) FROM job_changes")[0][0]
        if count != len(accepted):
            yield f"{len(accepted)} job changes were accepted, and {count} are stored"
        for serial, known in accepted.items():
            key, outcome, told, _ = self.job_changes.get(serial, (None, None, None, None))
            if key != known.id:
                yield f"job change {serial} was accepted as {known.id} and is stored as {key}"
            if outcome not in set(Outcome):
                yield f"job change {serial} has the outcome {outcome}"
            if outcome == Outcome.DELIVERED and not self._is_at_slack(serial):
                yield f"job change {serial} is recorded as delivered to the {told} and is not at Slack"
            if outcome == Outcome.FAILED and not self._may_fail(serial):
                yield f"job change {serial} failed for no reason"

    def _is_at_slack(self, serial: int) -> bool:
        return any(
            message.ts == self.posts[post_id][2] and message.channel == self.posts[post_id][1]
            for _, job_change_id, _, _, state, post_id in self.deliveries
            if state == DeliveryState.DELIVERED and self.serials[job_change_id] == serial
            for message in self.copies.get(post_id, ())
            if serial in message.serials
        )

    def _may_fail(self, serial: int) -> bool:
        """Only after two answers that left it open whether the message arrived, or crashes while it was routed."""
        doubtful = any(
            doubts >= MOST_DOUBTS and serial in self.carried[post_id] for post_id, (*_, doubts) in self.posts.items()
        )
        has_deliveries = any(self.serials[job_change_id] == serial for _, job_change_id, *_ in self.deliveries)
        return doubtful or not has_deliveries

    def _messages(self) -> Iterator[str]:
        """Every message belongs to a post whose rows say that it was sent, or that nobody knows."""
        for post_id, (state, channel, ts, doubts) in self.posts.items():
            copies = self.copies.get(post_id, [])
            if state == "sent" and (channel, ts) not in {(copy.channel, copy.ts) for copy in copies}:
                yield f"post {post_id} is recorded as sent and is not at Slack"
            for message in copies:
                if state != "sent" and doubts < MOST_DOUBTS and not self._ended_in_doubt(message):
                    yield f"post {post_id} is at Slack and is recorded as {state}"
                is_carried = set(message.serials) <= self.carried[post_id]
                if state == "sent" and not is_carried and not self._ended_in_doubt(message):
                    yield f"post {post_id} shows {message.serials} and carries {sorted(self.carried[post_id])}"
                if message.call.arguments["channel"] not in self._destinations(message):
                    yield f"post {post_id} went to {message.call.arguments['channel']}, which nobody decided"
        for post_id in self.copies.keys() - self.posts.keys():
            if self.copies[post_id][0].call.queue not in {"notices", "reminders"}:
                yield f"post {post_id} is at Slack and in no row"

    def _ended_in_doubt(self, message: Message) -> bool:
        """Whether nobody could know that it arrived, and Slack refused to take it once more."""
        post_id = message.post_id or ""
        attempts = [call for call in self.simulation.slack.calls if call.post_id == post_id]
        was_unknown = self.simulation.leases.takeovers[post_id] or any(call.is_ambiguous for call in attempts)
        carried = self.carried[
            post_id
        ]  # nothing, if its deliveries wait for the default channel or joined a later post
        return bool(was_unknown) and len(attempts) > 1 and (not carried or set(message.serials) <= carried)

    def _destinations(self, message: Message) -> set[str]:
        return {
            CHANNEL if destination == "default_channel" else destination
            for _, job_change_id, destination, *_ in self.deliveries
            if self.serials[job_change_id] in message.serials
        }

    def _repeats(self) -> Iterator[str]:
        """As docs/promises.md says, under "When a message can be posted twice"."""
        calls: dict[str, list[Call]] = defaultdict(list)
        for call in self.simulation.slack.calls:
            if call.method == "chat.postMessage" and call.post_id:
                calls[call.post_id].append(call)
        for post_id, attempts in calls.items():
            copies, takeovers = self.copies[post_id], self.simulation.leases.takeovers[post_id]
            doubts = sum(call.is_ambiguous for call in attempts)
            if post_id in self.posts and doubts > MOST_DOUBTS + takeovers and not attempts[-1].can_look:
                yield f"post {post_id} was sent again after {doubts} answers that left it open"
            for copy in copies[1:]:
                if copy.call.can_look and (known := self._known_copy(copy, copies)):
                    yield f"post {post_id} was sent again although {known.ts} could be found"
                if copy.call.queue != "lanes" and not copy.call.can_look:
                    yield f"{post_id} of the {copy.call.queue} was sent twice"
            blind = [copy for copy in copies[1:] if not copy.call.can_look]
            if len(blind) > min(doubts, 1) + takeovers and post_id in self.posts:
                yield f"post {post_id} was posted {len(copies)} times after {doubts} doubts and {takeovers} crashes"

    def _known_copy(self, copy: Message, copies: list[Message]) -> Message | None:
        """A copy that was at Slack when the sender of this one looked for it, or should have looked."""
        looked_at = copy.call.looked_at if copy.call.looked_at is not None else copy.call.started_at
        return next((other for other in copies if other is not copy and _performed(other) < looked_at), None)

    def _order(self) -> Iterator[str]:
        """
        In a destination, deliveries are first posted in the order of their lane, which is that of arrival.

        Inside a message they are grouped by reason.
        """
        firsts: dict[str, dict[int, float]] = defaultdict(dict)
        for message in self.simulation.slack.messages:
            if message.post_id in self.posts:
                for serial in message.serials:
                    firsts[message.call.arguments["channel"]].setdefault(serial, _performed(message))
        for destination, times in firsts.items():
            lane = [
                serial
                for _, job_change_id, to, *_ in self.deliveries
                if (serial := self.serials[job_change_id]) in times
                and (CHANNEL if to == "default_channel" else to) == destination
                and (serial, to) not in self.again
                and not self._was_in_doubt(serial)
            ]
            if lane != (posted := sorted(lane, key=times.__getitem__)):
                yield f"{destination} reads {posted}, and its lane has {lane}"
            if self.simulation.profile.routes_calmly:
                yield from self._arrival(destination, lane)

    def _arrival(self, destination: str, lane: list[int]) -> Iterator[str]:
        accepted = self.simulation.accepted
        for position, later in enumerate(lane):
            for earlier in lane[:position]:
                if accepted[later].answered_at + 0.002 < accepted[earlier].sent_at and self._is_first_choice(
                    earlier, later
                ):
                    yield f"{destination} has {earlier} before {later}, which arrived earlier"

    def _is_first_choice(self, *serials: int) -> bool:
        """Whether they came to this destination directly, not by way of another or after a retry."""
        counts = Counter(self.serials[job_change_id] for _, job_change_id, *_ in self.deliveries)
        return all(counts[serial] == 1 and not self._was_in_doubt(serial) for serial in serials)

    def _was_in_doubt(self, serial: int) -> bool:
        return any(serial in call_serials(call) for call in self.simulation.slack.calls if call.fate != "fine")

    def _pace(self) -> Iterator[str]:
        """One message a second and destination, as far as those who sent them knew of each other."""
        if self.simulation.profile.clock_jump:
            return
        last: dict[str, Message] = {}
        for message in self.simulation.slack.messages:
            if message.post_id not in self.posts:
                continue
            before = last.get(message.channel)
            last[message.channel] = message
            if before is None or before.call.answered_at is None or before.call.fate == "performed late":
                continue
            gap = _performed(message) - _performed(before)
            if message.call.fate != "performed late" and gap < LANE_GAP_MS / 1_000 - 0.001:
                yield f"{message.channel} got {before.ts} and {message.ts} within {gap:.3f} seconds"

    def _reminders(self) -> Iterator[str]:
        """Nobody is reminded twice of what they were sent once."""
        reminded, sent = defaultdict[tuple[str, int], set[str]](set), Counter[tuple[str, int]]()
        for message in self.simulation.slack.messages:
            channel = message.channel
            if message.call.queue == "reminders" and message.post_id:
                for serial in message.serials:
                    reminded[channel, serial].add(message.post_id)  # the copies of each are counted in `_repeats`
            elif message.post_id in self.posts and message.ts == self.posts[message.post_id][2]:
                sent.update((channel, serial) for serial in message.serials)
        for key, reminders in reminded.items():
            if len(reminders) > sent[key]:
                times = f"{len(reminders)} times of job change {key[1]}, which it was sent {sent[key]} times"
                yield f"{key[0]} was reminded {times}"

    def _snoozed(self) -> Iterator[str]:
        """What was snoozed has come back as a new message."""
        if self.simulation.profile.clock_jump:
            return
        ended = "SELECT delivery_id, back_at FROM laters WHERE back_at IS NOT NULL"
        for delivery_id, back_at in self.simulation.storage.rows(ended):
            _, job_change_id, destination, _, state, _ = self.by_id[delivery_id]
            serial = self.serials[job_change_id]
            came_back = any(
                serial in message.serials and float(message.ts) * 1_000 >= back_at - 1_000
                for message in self.simulation.slack.messages
                if message.post_id in self.posts
            )
            if state == DeliveryState.DELIVERED and not came_back:
                yield f"job change {serial} was snoozed and has not come back to {destination}"

    def _shown(self) -> Iterator[str]:
        """Every message shows what the rows say."""
        profile = self.simulation.profile
        if profile.refuses_layout or profile.channel_archived.end or profile.deactivated_at is not None:
            return
        updated_late = {
            (call.arguments["channel"], call.arguments["ts"])
            for call in self.simulation.slack.calls
            if call.method == "chat.update" and call.fate == "performed late"
        }
        places = {(message.channel, message.ts): message for message in self.simulation.slack.messages}
        with self.simulation.storage.begin() as connection:
            for post_id, (state, channel, ts, _) in self.posts.items():
                if (channel, ts) in updated_late:  # after a newer update, perhaps
                    continue
                if state == "sent" and not self._is_shown(connection, post_id, places[channel, ts]):
                    yield f"message {ts} in {channel} does not show what was done with it"

    def _is_shown(self, connection: Any, post_id: str, message: Message) -> bool:
        members = redraws.deliveries_in(connection, post_id)
        acted = histories.histories(connection, {member.job_change_id for member in members})
        destination = next(row[2] for row in self.deliveries if row[0] == members[0].id)
        shown = cards(members, destination, acted)
        if not any(member.acted_at for member in members) or len(shown) > MOST_CARDS:
            return True
        versions = (compose(shown, plainness=plainness) for plainness in range(PLAIN_TEXT + 1))
        signed = (SIGNER.signed(version, WORKSPACE, post_id) for version in versions)
        return any(message.blocks == version.blocks for version in signed)


def call_serials(call: Call) -> set[int]:
    """The job changes that the message of a call would show."""
    if call.method != "chat.postMessage" or not call.post_id:
        return set()
    return set(Message("", "", "", None, call).serials)


def _performed(message: Message) -> float:
    assert message.call.performed_at is not None
    return message.call.performed_at
