"""The fields of a job change to which a value in a row can be mapped. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.intake.mapping.row_values import converted

FIELDS = (
    "source_event_id",
    "signal",
    "change_type",
    "occurred_on",
    "detected_at",
    "person.full_name",
    "person.first_name",
    "person.last_name",
    "person.linkedin_url",
    "person.emails",
    "person.external_id",
    *(f"{side}.{of}" for side in ("previous", "current") for of in ("title", "company.name", "company.domain")),
    "previous.company.salesforce_id",
    "current.company.salesforce_id",
    "relationship",
    "persona",
    "score",
    "salesforce.contact_id",
    "salesforce.past_contact_id",
    "salesforce.lead_id",
    "salesforce.opportunity_id",
    "dri_email",
    "links.source_url",
)
"""The fields to which a path can be mapped, in addition to `custom.ANYTHING`."""


def is_field(name: str) -> bool:
    return name in FIELDS or (name.startswith("custom.") and len(name) > len("custom."))


@dataclass(frozen=True)
class Field:
    """A field of a job change: the objects that contain it, and the sender's words for its values in lower case."""

    name: str
    objects: Sequence[str]
    last: str
    words: Mapping[str, str]

    @classmethod
    def of(cls, name: str, words: Mapping[str, str]) -> Field:
        *objects, last = name.split(".", 1) if name.startswith("custom.") else name.split(".")
        return cls(name, objects, last, words)

    def part_of(self, job_change: dict[str, Any]) -> dict[str, Any]:
        """Return the object that contains the field, which is added if it is missing."""
        for name in self.objects:
            job_change = job_change.setdefault(name, {})
        return job_change

    def put(self, job_change: dict[str, Any], value: object) -> None:
        """Set the field unless it has a value. Email addresses are added, each once."""
        if self.words and isinstance(value, str):
            value = self.words.get(value.strip().casefold(), value)
        ours: Any = converted(self.name, value)
        part = self.part_of(job_change)
        if self.name == "person.emails":
            # Values that are not text are kept, to be refused later.
            together = enumerate([*part.get(self.last, ()), *ours])
            part[self.last] = list({item if isinstance(item, str) else at: item for at, item in together}.values())
        else:
            part.setdefault(self.last, ours)
