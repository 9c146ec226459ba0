"""Recognises one move in several objects of an org: the same person and the same company. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from domain.job_change.moves import plain_name
from services.intake.senders.sender import part

_WITHIN = {"promotion", "lateral", "additional_role"}


def move_keys(job_change: Mapping[str, object]) -> list[str]:
    """
    The keys of a job change as read from a record: that the person joined a company, and left one.

    The first decides whether it is known already: leaving a company is known if joining the next one is, but not the
    other way round. Without a name there are none, and neither if the person changes roles within a company.
    """
    if job_change.get("change_type") in _WITHIN:
        return []
    person = part(job_change, "person")
    name = person.get("full_name") or f"{person.get('first_name') or ''} {person.get('last_name') or ''}"
    companies = [
        (verb, part(job_change, side, "company").get("name"))
        for verb, side in (("joined", "current"), ("left", "previous"))
    ]
    return [
        hashlib.sha256("|".join((verb, plain_name(str(name)), plain_name(company))).encode()).hexdigest()
        for verb, company in companies
        if isinstance(company, str) and plain_name(company) and plain_name(str(name))
    ]
