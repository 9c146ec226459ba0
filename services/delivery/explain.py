"""Explains a job change: its whole trace, for an admin or for a member it was delivered to."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection

from domain.delivery import Explanation
from domain.errors import PermanentError
from domain.job_change.model import TEST_SOURCE, JobChange
from services.operations.erasure_matching import PersonMatcher
from store.database import Database
from store.intake import explain, job_changes

MOST_FOUND = 5
"""The number of a person's job changes that are named. The newest one is explained."""


@dataclass(frozen=True)
class Explainer:
    """Finds a job change by its id, or by the email address of the person who changed jobs."""

    database: Database

    async def find(self, workspace_id: str, id_or_email: str, for_user: str | None) -> Explanation | None:
        """
        Return None if there is no such job change.

        `for_user` is the Slack user who asks. They see what was delivered to them, and a test by its id, which only the
        person who sent it is given. None means that they may see every job change.
        """
        if "@" not in id_or_email:
            return await self.database.read(_explanation, workspace_id, [id_or_email], for_user)
        try:
            person = PersonMatcher.of_email(id_or_email)
        except PermanentError:
            return None
        mentions = await self.database.read(explain.mentions, workspace_id, person.email or "", for_user)
        ids = [mention.job_change_id for mention in mentions if person.matches_subject(json.loads(mention.payload))]
        return await self.database.read(_explanation, workspace_id, ids, for_user)


def _explanation(
    connection: Connection, workspace_id: str, job_change_ids: list[str], for_user: str | None
) -> Explanation | None:
    visible = job_change_ids
    if for_user is not None:
        delivered_ids = explain.delivered_to(connection, workspace_id, for_user, job_change_ids)
        visible = [
            job_change_id
            for job_change_id in job_change_ids
            if job_change_id in delivered_ids or _is_test(connection, workspace_id, job_change_id)
        ]
    record = job_changes.find(connection, workspace_id, visible[0]) if visible else None
    if record is None:
        return None
    origin = job_changes.origin(connection, record.id)
    return Explanation(record, JobChange.if_readable(origin.payload if origin else None), tuple(visible[1:MOST_FOUND]))


def _is_test(connection: Connection, workspace_id: str, job_change_id: str) -> bool:
    record = job_changes.find(connection, workspace_id, job_change_id)
    return record is not None and record.source == TEST_SOURCE
