"""The whole trace of a job change, for an admin, or for somebody to whom it came."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.delivery import Explanation
from domain.errors import PermanentError
from domain.job_change.model import JobChange
from services.operations.erasure_matching import Identity
from store.database import Database
from store.delivery import explain
from store.intake import job_changes

MOST_FOUND = 5
"""Job changes of one person that are named; the newest is explained."""


@dataclass(frozen=True)
class Explaining:
    """*for_user*: the Slack user who asks, and reads only what came to them; None: somebody who may read all."""

    database: Database

    async def of(self, workspace_id: str, asked: str, for_user: str | None) -> Explanation | None:
        """*asked*: the id of a job change, or the e-mail address of whoever changed jobs. None: there is none."""
        if "@" not in asked:
            return await self.database.run(_explained, workspace_id, [asked], for_user)
        try:
            person = Identity.of_email(asked)
        except PermanentError:
            return None
        mentions = await self.database.run(explain.mentions, workspace_id, person.email or "")
        about = [each.job_change_id for each in mentions if person.is_subject_of(json.loads(each.payload))]
        return await self.database.run(_explained, workspace_id, about, for_user)


def _explained(
    connection: Connection, workspace_id: str, job_change_ids: list[str], for_user: str | None
) -> Explanation | None:
    theirs = job_change_ids
    if for_user is not None:
        came = explain.came_to(connection, workspace_id, for_user, job_change_ids)
        theirs = [each for each in job_change_ids if each in came]
    found = job_changes.find(connection, workspace_id, theirs[0]) if theirs else None
    if found is None:
        return None
    origin = job_changes.origin(connection, found.id)
    return Explanation(found, JobChange.if_readable(origin.payload if origin else None), tuple(theirs[1:MOST_FOUND]))
