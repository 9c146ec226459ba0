"""A sample job change that goes the whole way to whoever asks for it, marked as a test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from domain.errors import PermanentError, TransientError
from domain.job_change.model import TEST_SOURCE
from services.intake.intake import Intake
from services.slack.api import Slack

TRY_AGAIN = "Slack did not answer just now, so no test was sent. Please try again in a minute."
NO_ADDRESS = (
    "Slack does not tell us your e-mail address, by which DRIs are found, so no test was sent. An admin can add the app"
    " to Slack again to let it read addresses."
)

# Nobody's: reserved for examples, so that no contact, account or lead is found by it.
_PERSON = {"full_name": "Ada Smith (sample)", "emails": ["ada@usergems-test.example"]}
_PREVIOUS = {"title": "VP Sales", "company": {"name": "Initech (sample)"}}
_CURRENT = {"title": "CRO", "company": {"name": "Globex (sample)"}}


@dataclass(frozen=True)
class SampleSender:
    """Made up as a sender would send it, and taken in like any other."""

    intake: Intake
    slack: Slack

    async def send(self, workspace_id: str, user_id: str) -> tuple[str | None, str]:
        """The id of a test for this Slack user, or None and why there is none, in mrkdwn."""
        try:
            user = await self.slack.user(workspace_id, user_id)
        except TransientError:
            return None, TRY_AGAIN
        except PermanentError as error:
            return None, f"Slack does not let us look who you are: {error}. No test was sent."
        if user is None or user.email is None:
            return None, NO_ADDRESS
        added = await self.intake.accept(workspace_id, _sample(user.email))
        return (added.id, "") if added else (None, "The app is not installed in this workspace any more.")


def _sample(email: str) -> dict[str, Any]:
    return {
        "source": TEST_SOURCE,
        "source_event_id": str(uuid4()),
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": _PERSON,
        "previous": _PREVIOUS,
        "current": _CURRENT,
        "relationship": "Champion",
        "dri_email": email,
    }
