"""What becomes of job changes, told as it happens: a line of the log each, by ids alone, and a count."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from domain.states import Role
from services.measures import UNMEASURED, Measures
from store.delivery.posts import Doubted, Moved, Parked, PutBack, Sent, Settlement, Undeliverable
from store.delivery.routing import Routed
from store.intake.job_changes import Added

log = logging.getLogger(__name__)

_ENDS = {Sent: "delivered", Undeliverable: "buried", Moved: "moved", Parked: "parked"}
_ROLES = {Role.DRI: "dri", Role.CHANNEL: "channel"}


@dataclass(frozen=True)
class Journal:
    """
    A job change's id leads from its acceptance to its post, and the post's id to the message: it is in its metadata.

    Reasons are not logged: they name people. `python app.py explain` tells them.
    """

    measures: Measures = UNMEASURED

    def added(self, workspace_id: str, added: Sequence[Added | None]) -> None:
        """Of what a sender posted or an import brought; None: the workspace had left."""
        known = [each for each in added if each is not None]
        new = sum(each.is_new for each in known)
        for result, count in (("accepted", new), ("duplicate", len(known) - new)):
            if count:
                self.measures.received(result, count)
        if log.isEnabledFor(logging.INFO):
            for each in known:
                _tell("accepted" if each.is_new else "sent again", workspace_id, each.id)

    def refused(self, workspace_id: str, count: int) -> None:
        if count:
            self.measures.received("refused", count)
            log.info("%d refused", count, extra={"workspace": workspace_id})

    def routed(self, workspace_id: str, routed: Sequence[Routed], postponed: int) -> None:
        """Of one batch; *postponed*: how many could not be decided yet."""
        outcomes = {each.job_change_id: _outcome(each) for each in routed}
        for outcome, count in (Counter(outcomes.values()) | Counter(postponed=postponed)).items():
            self.measures.routed(outcome, count)
        if log.isEnabledFor(logging.INFO):
            for job_change_id, outcome in outcomes.items():
                _tell(f"routed: {outcome}", workspace_id, job_change_id)
            if postponed:
                log.info("%d postponed", postponed, extra={"workspace": workspace_id})

    def settled(self, settlement: Settlement) -> None:
        """Of one attempt to tell somebody, for each job change that the message carried."""
        claim, result = settlement.claim, _result(settlement)
        self.measures.settled(result, len(claim.deliveries))
        if log.isEnabledFor(logging.INFO):
            for member in claim.deliveries:
                _tell(result, claim.workspace_id, member.job_change_id, claim.post_id)


UNCOUNTED = Journal()


def _tell(what: str, workspace_id: str, job_change_id: str, post_id: str | None = None) -> None:
    log.info(what, extra={"workspace": workspace_id, "job_change": job_change_id, "post": post_id})


def _outcome(routed: Routed) -> str:
    if routed.outcome is not None:
        return routed.outcome
    roles = [each.role for each in routed.deliveries if each.role != Role.COPY]
    return next((_ROLES[role] for role in (Role.DRI, Role.CHANNEL) if role in roles), "default_channel")


def _result(settlement: Settlement) -> str:
    if isinstance(settlement, PutBack):
        if settlement.plainer:
            return "plainer"
        return "retried" if settlement.is_failure else "put_off"
    if isinstance(settlement, Doubted):
        return "in_doubt" if settlement.by_answer else "put_off"
    return _ENDS[type(settlement)]
