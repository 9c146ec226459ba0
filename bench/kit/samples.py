"""Sample job changes of about 1 KB each, and the email addresses of their people and owners."""

from __future__ import annotations

from typing import Any

FILLER = "A sentence or two of context, as senders add it to a job change. " * 6


def owner_email(owner: int) -> str:
    return f"owner-{owner}@acme.example"


def person_email(number: int) -> str:
    return f"sample-{number}@initech.example"


def job_change(number: int, dri_email: str | None = None) -> dict[str, Any]:
    """The person is called "Sample", followed by the number, so that it can be found in a message."""
    return {
        "source": "bench",
        "source_event_id": f"event-{number}",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "occurred_on": "2026-11-01",
        "detected_at": "2026-11-20T09:30:00Z",
        "person": {
            "full_name": f"Sample {number}",
            "linkedin_url": f"https://www.linkedin.com/in/sample-{number}",
            "emails": [person_email(number)],
        },
        "previous": {"title": "VP Sales", "company": {"name": "Initech", "domain": "initech.example"}},
        "current": {"title": "CRO", "company": {"name": "Globex", "domain": "globex.example"}},
        "relationship": "Champion",
        "persona": "Economic buyer",
        "score": 87,
        "dri_email": dri_email,
        "links": {"source_url": f"https://sender.example/job-changes/{number}"},
        "custom": {"segment": "Enterprise", "note": FILLER},
    }
