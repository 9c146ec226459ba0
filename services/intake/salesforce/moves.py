"""Recognises one move in several objects of an org: the same person and the same company. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_FORMS = re.compile(r"\b(?:inc|llc|ltd|limited|corp|corporation|co|gmbh|ag|sa|plc|bv)\b")
_WITHIN = {"promotion", "lateral", "additional_role"}
_NOT_WORDS = re.compile(r"[^\w]+")


def move_keys(job_change: Mapping[str, object]) -> list[str]:
    """
    The keys of a job change as read from a record: that the person joined a company, and left one.

    The first decides whether it is known already: leaving a company is known if joining the next one is, but not the
    other way round. Without a name there are none, and neither if the person changes roles within a company.
    """
    if job_change.get("change_type") in _WITHIN:
        return []
    person = _part(job_change, "person")
    name = person.get("full_name") or f"{person.get('first_name') or ''} {person.get('last_name') or ''}"
    companies = [
        (verb, _part(_part(job_change, side), "company").get("name"))
        for verb, side in (("joined", "current"), ("left", "previous"))
    ]
    return [
        hashlib.sha256("|".join((verb, _plain(str(name)), _plain(company))).encode()).hexdigest()
        for verb, company in companies
        if isinstance(company, str) and _plain(company) and _plain(str(name))
    ]


def _plain(text: str) -> str:
    words = _NOT_WORDS.sub(" ", text.casefold())
    return " ".join(_FORMS.sub(" ", words).split()) or words.strip()


def _part(whole: Mapping[str, object], name: str) -> Mapping[str, object]:
    part = whole.get(name)
    return part if isinstance(part, Mapping) else {}
