"""Test job changes, which are sent end to end to the user who requests one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from domain.errors import PermanentError, TransientError
from domain.job_change.model import TEST_SOURCE
from services.intake.intake import Intake
from services.slack.api import Slack

TRY_AGAIN = "Slack did not respond, so no test was sent. Try again in a minute."
NO_ADDRESS = (
    "The app cannot read your email address in Slack, which it needs to find you as the DRI, so no test was sent. An"
    " admin can reinstall the app to let it read email addresses."
)

# The domain is reserved for examples, so no contact, account or lead matches.
_PERSON = {"full_name": "Ada Smith (sample)", "emails": ["ada@usergems-test.example"]}
_PREVIOUS = {"title": "VP Sales", "company": {"name": "Initech (sample)"}}
_CURRENT = {"title": "CRO", "company": {"name": "Globex (sample)"}}
_SHOWN = ("change_type", "person", "previous", "current")


@dataclass(frozen=True)
class SampleSender:
    """Sends test job changes through the same intake as those of any sender."""

    intake: Intake
    slack: Slack

    async def send(
        self, workspace_id: str, user_id: str, sample: Mapping[str, Any] | None = None
    ) -> tuple[str | None, str]:
        """
        Return the id of a test for this Slack user, or None with the reason in mrkdwn.

        `sample` is the job change to show; None means the app's own.
        """
        try:
            user = await self.slack.user(workspace_id, user_id)
        except TransientError:
            return None, TRY_AGAIN
        except PermanentError as error:
            return None, f"The app could not read your Slack profile, so no test was sent. {error}"
        if user is None or user.email is None:
            return None, NO_ADDRESS
        # What a message shows of a job change. The source, the id and the DRI remain those of a test.
        shown = {name: sample[name] for name in _SHOWN if name in sample} if sample else {}
        added = await self.intake.accept(workspace_id, _sample(user.email) | shown)
        return (added.id, "") if added else (None, "The app is no longer installed in this workspace.")


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
