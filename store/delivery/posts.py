"""How posts ended: settling what the courier learnt, many lanes in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, case, exists, func, select, update

from domain.delivery import ClaimedDelivery, NewDelivery, TraceStep
from domain.states import DEFAULT_CHANNEL, DeliveryState, Role
from store.delivery import decisions, redraws, reminders
from store.delivery.deliveries import add_deliveries
from store.delivery.lanes import Claim
from store.delivery.promises import promise_again
from store.delivery.trace import add_steps
from store.schema import deliveries, job_changes, lanes, posts, workspaces

LANE_GAP_MS = 1_000
"""One message a second a channel: https://docs.slack.dev/apis/web-api/rate-limits"""


@dataclass(frozen=True)
class Sent:
    """Slack has it. A fact: recorded even when the lease was lost meanwhile."""

    claim: Claim
    at: int
    channel: str
    ts: str


@dataclass(frozen=True)
class PutBack:
    """
    Not performed, for certain: the members wait in their lane until *due_at* and may be grouped anew.

    *is_failure* False: we were only asked to wait. *plainer*: Slack refused how it was rendered.
    """

    claim: Claim
    at: int
    due_at: int
    reason: str
    is_failure: bool = True
    plainer: bool = False


@dataclass(frozen=True)
class Doubted:
    """Perhaps performed: the post stays begun, with its members. *by_answer*: this attempt was itself ambiguous."""

    claim: Claim
    at: int
    due_at: int
    reason: str
    by_answer: bool


@dataclass(frozen=True)
class Undeliverable:
    """It can never work: the members are buried."""

    claim: Claim
    at: int
    reason: str


@dataclass(frozen=True)
class Moved:
    """
    Nobody reads this destination any more: the members are promised to the default channel instead.

    *reason*: why it reads them; *problem*: what stood in the way, without its full stop.
    """

    claim: Claim
    at: int
    reason: str
    problem: str


@dataclass(frozen=True)
class Parked:
    """The default channel cannot be posted to: its lane waits until somebody mends that."""

    claim: Claim
    at: int
    reason: str


Settlement = Sent | PutBack | Doubted | Undeliverable | Moved | Parked


def settle(connection: Connection, settlements: list[Settlement]) -> list[int | None]:
    """Store how each post went. Answers when each lane is due next; None: nothing waits there, or it is not ours."""
    leases = _lock(connection, settlements)
    ours = [each for each in settlements if leases.get(each.claim.lane_id) == each.claim.lease]
    _store_sent(connection, [each for each in settlements if isinstance(each, Sent)])
    for each in ours:
        match each:
            case Sent():
                pass
            case PutBack():
                _put_back(connection, each)
            case Doubted():
                _doubt(connection, each)
            case Undeliverable():
                _bury(connection, each, each.claim.deliveries)
            case Moved():
                _move(connection, each)
            case Parked():
                _park(connection, each)
    _release_sent(connection, [each for each in ours if isinstance(each, Sent)])
    due = {
        row.id: row.due_at
        for row in connection.execute(_due_of, {"ids": sorted({each.claim.lane_id for each in ours})})
    }
    return [due.get(each.claim.lane_id) for each in settlements]


_locked_leases = (
    select(lanes.c.id, lanes.c.lease)
    .where(lanes.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(lanes.c.id)
    .with_for_update()
)
_lock_workspaces = (
    select(workspaces.c.id)
    .where(workspaces.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(workspaces.c.id)
    .with_for_update()
)
_due_of = select(lanes.c.id, lanes.c.due_at).where(lanes.c.id.in_(bindparam("ids", expanding=True)))


def _lock(connection: Connection, settlements: Sequence[Settlement]) -> dict[int, str | None]:
    """Workspaces first, then lanes, in one order, everywhere: else two replicas lock each other out."""
    if touched := {each.claim.workspace_id for each in settlements if isinstance(each, Moved | Parked)}:
        connection.execute(_lock_workspaces, {"ids": sorted(touched)})
    ids = {each.claim.lane_id for each in settlements}
    return {row.id: row.lease for row in connection.execute(_locked_leases, {"ids": sorted(ids)})}


_set_sent = (
    update(posts)
    .where(posts.c.id == bindparam("of_post"))
    .values(state="sent", channel=bindparam("to_channel"), ts=bindparam("message_ts"))
)
_set_delivered = (
    update(deliveries)
    .where(deliveries.c.post_id == bindparam("of_post"), deliveries.c.state == DeliveryState.SENDING)
    .values(state=DeliveryState.DELIVERED, settled_at=bindparam("at"), last_error=None)
)
_end = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"), job_changes.c.ended_at.is_(None))
    .values(
        outcome=bindparam("ended_as"), told=bindparam("told_whom"), reason=bindparam("why"), ended_at=bindparam("at")
    )
)
# Where both sides are told, one promise that was kept does not hide another that was not: that one can be replayed.
_end_buried = (
    update(job_changes)
    .where(job_changes.c.id == bindparam("of_job_change"))
    .values(
        outcome=bindparam("ended_as"), told=bindparam("told_whom"), reason=bindparam("why"), ended_at=bindparam("at")
    )
)
_dri_was_told = (
    update(job_changes)
    .where(
        job_changes.c.id == bindparam("of_job_change"),
        job_changes.c.outcome == DeliveryState.DELIVERED,
        job_changes.c.told == "channel",
    )
    .values(told="dri", reason=bindparam("why"))
)
_release = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(
        lease=None,
        failures=0,
        paced_until=bindparam("next"),
        dm=func.coalesce(bindparam("learnt_dm"), lanes.c.dm),
        due_at=case(
            (
                exists().where(deliveries.c.lane_id == lanes.c.id, deliveries.c.state == DeliveryState.PENDING),
                bindparam("next"),
            ),
            else_=None,
        ),
    )
)


def _store_sent(connection: Connection, sent: Sequence[Sent]) -> None:
    if not sent:
        return
    connection.execute(
        _set_sent, [{"of_post": each.claim.post_id, "to_channel": each.channel, "message_ts": each.ts} for each in sent]
    )
    connection.execute(_set_delivered, [{"of_post": each.claim.post_id, "at": each.at} for each in sent])
    reminders.enrol(connection, {each.claim.post_id: each.at for each in sent})
    roles = _roles_now(connection, sent)
    ended = [
        _ended(member, DeliveryState.DELIVERED, "dri" if role == Role.DRI else "channel", reason, each.at)
        for each in sent
        for member in each.claim.deliveries
        for role, reason in [roles.get(member.id, (member.role, member.reason))]
        if role != Role.COPY
    ]
    if ended:
        connection.execute(_end, ended)
    if by_dri := [each for each in ended if each["told_whom"] == "dri"]:  # of the other side a channel may have read
        columns = ("of_job_change", "why")
        connection.execute(_dri_was_told, [{name: each[name] for name in columns} for each in by_dri])


_roles = select(deliveries.c.id, deliveries.c.role, deliveries.c.reason).where(
    deliveries.c.id.in_(bindparam("ids", expanding=True))
)


def _roles_now(connection: Connection, sent: Sequence[Sent]) -> dict[int, tuple[str, str]]:
    """A copy may have become the one that decides while it was on its way, see `_move`."""
    copies = [member.id for each in sent for member in each.claim.deliveries if member.role == Role.COPY]
    if not copies:
        return {}
    return {row.id: (row.role, row.reason) for row in connection.execute(_roles, {"ids": copies})}


def _ended(member: ClaimedDelivery, outcome: str, told: str | None, why: str, at: int) -> dict[str, object]:
    return {
        "of_job_change": member.job_change_id,
        "ended_as": outcome,
        "told_whom": told,
        "why": why,
        "at": at,
    }


def _release_sent(connection: Connection, sent: Sequence[Sent]) -> None:
    if sent:
        connection.execute(
            _release,
            [
                {
                    "of_lane": each.claim.lane_id,
                    "next": each.at + LANE_GAP_MS,
                    "learnt_dm": each.channel if each.channel != each.claim.channel else None,
                }
                for each in sent
            ],
        )


_free_lane = (
    update(lanes)
    .where(lanes.c.id == bindparam("of_lane"))
    .values(lease=None, due_at=bindparam("due"), failures=bindparam("new_failures"))
)
_fail_post = update(posts).where(posts.c.id == bindparam("of_post")).values(state="failed")
_free_members = (
    update(deliveries)
    .where(deliveries.c.post_id == bindparam("of_post"), deliveries.c.state == DeliveryState.SENDING)
    .values(
        state=DeliveryState.PENDING,
        post_id=None,
        last_error=bindparam("error"),
        attempts=deliveries.c.attempts - bindparam("given_back"),
        plainness=deliveries.c.plainness + bindparam("plainer_by"),
    )
)


def _free(connection: Connection, claim: Claim, reason: str, *, is_failure: bool, plainer: bool = False) -> None:
    values = {
        "of_post": claim.post_id,
        "error": reason,
        "given_back": 0 if is_failure else 1,
        "plainer_by": 1 if plainer else 0,
    }
    connection.execute(_free_members, values)
    connection.execute(_fail_post, {"of_post": claim.post_id})


def _put_back(connection: Connection, back: PutBack) -> None:
    _free(connection, back.claim, back.reason, is_failure=back.is_failure, plainer=back.plainer)
    if back.plainer:
        _trace(connection, back.claim.deliveries, back.at, "refused by Slack, told again plainer", back.reason)
    failures = back.claim.failures + 1 if back.is_failure and not back.plainer else back.claim.failures
    connection.execute(_free_lane, {"of_lane": back.claim.lane_id, "due": back.due_at, "new_failures": failures})


_raise_doubts = (
    update(posts)
    .where(posts.c.id == bindparam("of_post"), posts.c.state == DeliveryState.SENDING)
    .values(doubts=posts.c.doubts + bindparam("by"))
)


def _doubt(connection: Connection, doubted: Doubted) -> None:
    claim = doubted.claim
    connection.execute(_raise_doubts, {"of_post": claim.post_id, "by": 1 if doubted.by_answer else 0})
    if doubted.by_answer:
        _trace(connection, claim.deliveries, doubted.at, "in doubt", doubted.reason)
    values = {"of_lane": claim.lane_id, "due": doubted.due_at, "new_failures": claim.failures + 1}
    connection.execute(_free_lane, values)


_set_ended_members = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("of_delivery"), deliveries.c.state == DeliveryState.SENDING)
    .values(state=bindparam("ended_as"), settled_at=bindparam("at"), last_error=bindparam("error"))
)


def _end_members(connection: Connection, members: Iterable[ClaimedDelivery], state: str, reason: str, at: int) -> None:
    rows = [{"of_delivery": member.id, "ended_as": state, "at": at, "error": reason} for member in members]
    if rows:
        connection.execute(_set_ended_members, rows)


def _bury(connection: Connection, ended: Undeliverable | Moved, members: Sequence[ClaimedDelivery]) -> None:
    _end_members(connection, members, DeliveryState.FAILED, ended.reason, ended.at)
    deciding = [member for member in members if member.role != Role.COPY]
    if deciding:
        connection.execute(
            _end_buried, [_ended(member, DeliveryState.FAILED, None, ended.reason, ended.at) for member in deciding]
        )
    _trace(connection, members, ended.at, "buried", ended.reason)
    _leave_lane(connection, ended.claim, ended.at)


def _leave_lane(connection: Connection, claim: Claim, at: int) -> None:
    connection.execute(_fail_post, {"of_post": claim.post_id})
    connection.execute(_release, {"of_lane": claim.lane_id, "next": at + LANE_GAP_MS, "learnt_dm": None})


_promote_copies = (
    update(deliveries)
    .where(
        deliveries.c.job_change_id == bindparam("of_job_change"),
        deliveries.c.lane_id.in_(
            select(lanes.c.id).where(
                lanes.c.workspace_id == bindparam("of_workspace"), lanes.c.destination == DEFAULT_CHANNEL
            )
        ),
        deliveries.c.role == Role.COPY,
    )
    .values(role=Role.FALLBACK, reason=bindparam("why"))
    .returning(deliveries.c.state)
)


def _move(connection: Connection, moved: Moved) -> None:
    claim, members = moved.claim, moved.claim.deliveries
    promised = [member for member in members if member.role != Role.COPY]
    _end_members(connection, promised, DeliveryState.MOVED, moved.reason, moved.at)
    _trace(connection, promised, moved.at, "moved to the default channel", moved.reason)
    decisions.could_not_be_told(connection, promised, claim.destination, moved.problem)
    for member in promised:
        # The default channel may have been promised a copy already; that copy now is what tells it.
        why = _why_moved(moved, member)
        values = {"of_job_change": member.job_change_id, "of_workspace": claim.workspace_id, "why": why}
        if connection.execute(_promote_copies, values).scalar_one_or_none() == DeliveryState.DELIVERED:
            connection.execute(_end, _ended(member, DeliveryState.DELIVERED, "channel", why, moved.at))
    new = [
        NewDelivery(member.job_change_id, DEFAULT_CHANNEL, Role.FALLBACK, _why_moved(moved, member), member.side)
        for member in promised
    ]
    add_deliveries(connection, claim.workspace_id, new, moved.at)
    acted_on = {member.job_change_id for member in promised if member.acted_at is not None}
    for each in new:
        if each.job_change_id in acted_on:  # handed over in vain: the channel reads it even if it was told before
            promise_again(connection, claim.workspace_id, each, moved.at)
            redraws.mark(connection, each.job_change_id, moved.at)
    _bury(connection, moved, [member for member in members if member.role == Role.COPY])


def _why_moved(moved: Moved, member: ClaimedDelivery) -> str:
    """Where it was to be a fallback already, why that was is told as well."""
    return f"{member.reason} {moved.reason}" if member.role == Role.FALLBACK else moved.reason


_default_channel_broke = (
    update(workspaces)
    .where(workspaces.c.id == bindparam("of_workspace"), workspaces.c.default_channel_id == bindparam("channel"))
    .values(default_channel_problem=bindparam("problem"))
)


def _park(connection: Connection, parked: Parked) -> None:
    claim = parked.claim
    broke = connection.execute(
        _default_channel_broke,
        {"of_workspace": claim.workspace_id, "channel": claim.channel, "problem": parked.reason},
    )
    _free(connection, claim, parked.reason, is_failure=False)
    # Somebody chose another channel meanwhile: try that one at once.
    due = None if broke.rowcount else parked.at
    connection.execute(_free_lane, {"of_lane": claim.lane_id, "due": due, "new_failures": 0})


def _trace(connection: Connection, members: Iterable[ClaimedDelivery], at: int, step: str, detail: str) -> None:
    add_steps(connection, [TraceStep(member.job_change_id, at, step, detail) for member in members])
