"""The dialogs about sending job changes: a new key, shown once, and an example request. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from domain.workspace import BEARER, SIGNING, ListedKey
from listeners.dialogs.blocks import View, context, modal, section
from services.slack.mrkdwn import escape

MAKE_KEY = "home_make_key"  # followed by _signing or _bearer
REVOKE_KEYS = "home_revoke_keys"  # the same
HOW_TO_SEND = "home_how_to_send"
SENDERS = "home_senders"

KEY_NAMES = {SIGNING: "signing secret", BEARER: "API key"}
KEY_TITLES = {SIGNING: "Signing secret", BEARER: "API key"}


REVOKED_AT_ONCE = "Requests with it are refused immediately. So are those with an earlier one that is still valid."
"""What a person confirms who revokes a key."""


def added_senders(keys: Sequence[ListedKey]) -> str:
    """The senders with a key of their own, as a sentence in Home."""
    names = dict.fromkeys(escape(key.sender, 40) for key in keys if key.sender)
    if not names:
        return "Common Room, Crustdata, Lusha, Clay and others are set up in three steps under *Senders*."
    return f"Senders with their own secret: {', '.join(names)}."


def key_view(kind: str, key: str, intake_url: str, *, is_rotated: bool) -> View:
    """Show a new key. `is_rotated` means that an earlier one of this kind is still valid."""
    use = {
        SIGNING: "Sign each request with it, as described at https://www.standardwebhooks.com, in the headers"
        " `webhook-id`, `webhook-timestamp` and `webhook-signature`.",
        BEARER: "Send it with each request as `Authorization: Bearer KEY` or `X-Api-Key: KEY`.",
    }[kind]
    return modal(
        KEY_TITLES[kind],
        [
            section(f"Copy it now. It is shown only once:\n```{key}```"),
            section(use),
            section(f"Post job changes to\n```{intake_url}```"),
            *([context("The previous one works for another 24 hours.")] if is_rotated else []),
        ],
    )


def how_to_send_view(intake_url: str) -> View:
    """Return an example request to paste into a terminal."""
    example = {
        "source": "example",
        "source_event_id": "1",
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@globex.example"]},
        "current": {"title": "CRO", "company": {"name": "Globex"}},
    }
    command = (
        f"curl {intake_url} \\\n  -H 'Authorization: Bearer YOUR_API_KEY' \\\n"
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d '{json.dumps(example)}'"
    )
    return modal(
        "Sending job changes",
        [
            section("Create an API key, replace YOUR_API_KEY with it, and run:"),
            section(f"```{command}```"),
            section(
                "202 means that the job change was accepted and will be delivered; 200 means that it is a duplicate."
            ),
        ],
    )
