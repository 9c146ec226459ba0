"""
Crustdata: changes of people's profiles, in the payloads of API 2025-11-01 and of the person watch before it.

https://docs.crustdata.com/watcher-docs/person/entity. People are known by their LinkedIn address and Crustdata's id.
One payload may have several people. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.workspace import SIGNING
from services.intake.senders.proofs import Credentials, Headers, Proof, TimedSignature, raw
from services.intake.senders.sender import Payload, Reading, Sender, name_of, part, parts, without_empty

PERSON_FIELD = "crustdata_person_id"
_EMPLOYMENT = "experience.employment_details"
_TITLE = "basic_profile.current_title"


def credentials(headers: Headers) -> Credentials:
    """Read `x-crustdata-signature: t=1795000000,v1=HEX`, which is signed with the API key."""
    fields = [field.strip().partition("=") for field in headers.get("x-crustdata-signature", "").split(",")]
    timestamps = [value for name, _, value in fields if name == "t"]
    digests = tuple(raw(value) for name, _, value in fields if name == "v1")
    if len(timestamps) != 1 or not digests:
        return Credentials()
    return Credentials(TimedSignature(raw(timestamps[0]), digests))


def read(payload: Payload) -> Reading:
    metadata = part(payload, "metadata")
    is_test = metadata.get("test") is True
    if metadata.get("dataset") not in (None, "person"):
        return Reading(skipped=("the watch is not about people",), is_test=is_test)
    results = parts(payload.get("results")) or ([payload] if "record" in payload else [])
    job_changes: list[object] = []
    skipped: list[str] = []
    for result in results or [payload]:
        job_change = _of_record(result, metadata) if results else _of_earlier_watch(payload)
        if job_change:
            job_changes.append(job_change)
        else:
            skipped.append("the change is not about a position")
    return Reading(tuple(job_changes), tuple(skipped), is_test)


def _of_record(result: Payload, metadata: Payload) -> dict[str, object] | None:
    changes = [change for change in parts(result.get("changes")) if _is_of_position(change)]
    if not changes:
        return None
    record = part(result, "record")
    employment = part(record, *_EMPLOYMENT.split("."))
    added = [
        job
        for change in changes
        for job in parts(change.get("new_elements"))
        if "end_date" not in job or job["end_date"] is None
    ]
    moved = {change.get("field"): change for change in changes}
    default_first = sorted(parts(employment.get("current")), key=lambda job: job.get("is_default") is not True)
    current = _job(next(iter([*added, *default_first]), {}))
    previous = _job(next(iter(_latest_first(parts(employment.get("past")))), {}))
    if name_change := moved.get(f"{_EMPLOYMENT}.current.name"):
        previous = previous or _named(name_change.get("from"))
        current = current or _named(name_change.get("to"))
        if not name_change.get("to"):
            current = {}
    if only_title := (moved.get(_TITLE) if set(moved) == {_TITLE} else None):
        previous = {"title": only_title.get("from")} | {"company": current.get("company")}
        current = current | {"title": only_title.get("to") or current.get("title")}
    person_id, number = record.get("crustdata_person_id"), metadata.get("notification_id")
    return _job_change(
        event_id=f"{number}:{person_id}" if isinstance(number, str | int) and person_id else None,
        name=part(record, "basic_profile").get("name"),
        profile=part(record, "social_handles", "professional_network_identifier").get("profile_url"),
        person_id=person_id,
        detected_at=metadata.get("delivered_at"),
        previous=previous,
        current=current,
    )


def _of_earlier_watch(payload: Payload) -> dict[str, object] | None:
    positions = part(payload, "changes", "position_changes")
    started = parts(positions.get("new_positions"))
    ended = [
        change
        for change in parts(positions.get("changed_positions"))
        if (end := part(change, "changes", "end_date")).get("current") and not end.get("previous")
    ]
    if not (started or ended):
        return None
    current = _job(next((part(position, "details") for position in started), {}))
    previous = _job(next((part(position, "details") for position in ended), {}))
    if not previous:
        previous = _job(next(iter(_latest_first(parts(payload.get("past_employers")))), {}))
    return _job_change(
        event_id=None,
        name=payload.get("name") or payload.get("full_name"),
        profile=payload.get("profile_url"),
        person_id=payload.get("uid"),
        detected_at=None,
        previous=previous,
        current=current,
    )


def _job_change(
    *,
    event_id: str | None,
    name: object,
    profile: object,
    person_id: object,
    detected_at: object,
    previous: dict[str, object],
    current: dict[str, object],
) -> dict[str, object]:
    external_id = str(person_id) if isinstance(person_id, str | int) and not isinstance(person_id, bool) else None
    started_on = current.pop("started_on", None)
    ended_on = previous.pop("ended_on", None)
    previous.pop("started_on", None)
    current.pop("ended_on", None)
    person = {"full_name": name or name_of(profile), "linkedin_url": profile, "external_id": external_id}
    joined, left = (job.get("company") for job in (current, previous))
    change_type = "new_company" if joined else "departure"
    if joined and joined == left:
        change_type = "lateral"
    fields = {
        "source": SENDER.name,
        "source_event_id": event_id,
        "signal": "contact_tracking",
        "change_type": change_type,
        "occurred_on": started_on if joined else ended_on,
        "detected_at": detected_at,
        "previous": without_empty(previous),
        "current": without_empty(current),
        "custom": without_empty({PERSON_FIELD: external_id}),
    }
    return without_empty(fields) | {"person": without_empty(person)}


def _job(details: Payload) -> dict[str, object]:
    """The title, the company and the dates of a position, in the names of either API."""
    company = {
        "name": details.get("name") or details.get("company_name") or details.get("employer_name"),
        "domain": details.get("company_website_domain"),
    }
    return without_empty(
        {
            "title": details.get("title") or details.get("employee_title"),
            "company": without_empty(company),
            "started_on": details.get("start_date"),
            "ended_on": details.get("end_date"),
        }
    )


def _named(name: object) -> dict[str, object]:
    return {"company": {"name": name}} if isinstance(name, str) and name else {}


def _is_of_position(change: Payload) -> bool:
    name = change.get("field")
    return isinstance(name, str) and (name == _TITLE or name.startswith(_EMPLOYMENT))


def _latest_first(jobs: Iterable[Payload]) -> list[Payload]:
    return sorted(jobs, key=lambda job: str(job.get("end_date") or ""), reverse=True)


SENDER = Sender(
    name="crustdata",
    label="Crustdata",
    proof=Proof(SIGNING, credentials, "signs each request with your Crustdata API key", is_made_by_vendor=True),
    read=read,
    documents="https://docs.crustdata.com/watcher-docs/person/entity",
    steps=(
        "Enter your Crustdata API key here: Crustdata signs with it.",
        (
            "Create a person watch with the notification address {url} that tracks experience.employment_details,"
            " and name basic_profile, social_handles and experience as its fields."
        ),
        "Send the watch's test. It appears here within seconds, and nobody is notified.",
    ),
    sample={
        "metadata": {
            "watch_id": 46936,
            "kind": "entity",
            "dataset": "person",
            "api_version": "2025-11-01",
            "run_id": 7,
            "notification_id": "ntf_1",
            "delivered_at": "2026-11-02T09:30:00Z",
        },
        "results": [
            {
                "changes": [
                    {
                        "field": "experience.employment_details.current",
                        "type": "added",
                        "new_elements": [
                            {
                                "name": "Globex",
                                "title": "CRO",
                                "company_website_domain": "globex.example",
                                "start_date": "2026-11-01T00:00:00+00:00",
                            }
                        ],
                    }
                ],
                "record": {
                    "crustdata_person_id": 75571,
                    "basic_profile": {"name": "Ada Smith", "current_title": "CRO"},
                    "social_handles": {
                        "professional_network_identifier": {"profile_url": "https://www.linkedin.com/in/ada"}
                    },
                    "experience": {
                        "employment_details": {
                            "current": [{"name": "Globex", "title": "CRO", "is_default": True}],
                            "past": [{"name": "Initech", "title": "VP Sales", "end_date": "2026-10-31T00:00:00+00:00"}],
                        }
                    },
                },
            }
        ],
    },
    person_field=PERSON_FIELD,
)
EARLIER_SAMPLE = {
    "uid": "75571",
    "profile_url": "https://www.linkedin.com/in/ada-smith-75571",
    "person_title": "CRO at Globex",
    "changes": {
        "position_changes": {
            "new_positions": [
                {
                    "details": {
                        "employer_name": "Globex",
                        "employee_title": "CRO",
                        "start_date": "2026-11-01T00:00:00+00:00",
                    }
                }
            ],
            "changed_positions": [],
        }
    },
    "past_employers": [
        {"employer_name": "Initech", "employee_title": "VP Sales", "end_date": "2026-10-31T00:00:00+00:00"}
    ],
}
"""What a person watch of the API before 2025-11-01 sends."""
