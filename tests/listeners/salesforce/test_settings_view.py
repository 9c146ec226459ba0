"""How Home, status and doctor say that Salesforce stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.job_change.model import JobChange
from domain.salesforce import PAUSED, WEB_SERVER, Preview, PreviewLine, SalesforceConnection, Source
from listeners.intake.mappings_view import as_json, mappings_view
from listeners.salesforce.settings_view import connect_view, health_text, health_texts
from listeners.salesforce.sources_view import source_view, sources_view
from sandbox.slack.block_kit.blocks import check_view
from services.intake.salesforce.presets import Proposal
from services.salesforce.health import lines, source_line
from services.slack.mrkdwn import escape
from store.salesforce.connections import DAY_MS
from tests.conftest import SOMEDAY
from tests.world import sample_job_change

LIVE = "<!channel> & <https://evil.example|here> *bold*" * 20
ACME = SalesforceConnection(
    workspace_id="T1",
    flow=WEB_SERVER,
    login_url="https://login.salesforce.com",
    connected_at=SOMEDAY,
    org_name="Acme & Sons",
    org_edition="Enterprise Edition",
    is_sandbox=True,
    user_name="Ines Integration",
    last_success_at=SOMEDAY,
    api_used=4_200,
    api_limit=100_000,
    our_calls=310,
    our_calls_day=SOMEDAY // DAY_MS,
)
SOURCE = Source(
    id=1,
    workspace_id="T1",
    name="Contact:left",
    sobject="Contact",
    definition={},
    org_id=None,
    state="active",
    since=SOMEDAY,
    mark=SOMEDAY,
    due_at=SOMEDAY,
    failures=0,
    looked_at=SOMEDAY,
    found=1_234,
    refused=0,
    refusal=None,
    problem=None,
    made_by="U1",
    made_at=SOMEDAY,
)


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (None, "Not connected to Salesforce: owners cannot be looked up"),
        (
            ACME,
            ":white_check_mark: Connected to Salesforce: Acme &amp; Sons (Enterprise Edition, a sandbox) as Ines",
        ),
        (ACME, "Last answer: <!date^"),
        (ACME, "310 of our share of 5,000 used today; 4,200 of the org's 100,000 in 24 hours"),
        (
            replace(ACME, org_name=None, org_edition=None, is_sandbox=None),
            "Connected to Salesforce: https://login.salesforce.com",
        ),
        (
            replace(ACME, problem="Connect it again"),
            ":warning: Salesforce (Acme &amp; Sons) needs an admin: Connect it again",
        ),
        (replace(ACME, unreadable="Account.Website"), "Cannot be read, so it is left out: Account.Website"),
        (replace(ACME, our_calls_day=1), "0 of our share"),
        (replace(ACME, api_used=80_000), ":information_source: API calls"),
        (replace(ACME, our_calls=5_000), ":information_source: API calls"),
    ],
)
def test_salesforce_in_lines(connection: SalesforceConnection | None, said: str) -> None:
    """As whom, since when, how many calls, and what cannot be read."""
    assert said in "\n".join(health_texts(lines(connection, 5_000, SOMEDAY)))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (SOURCE, "Contact:left: 1,234 found, looked at <!date^"),
        (replace(SOURCE, state=PAUSED), "paused"),
        (
            replace(SOURCE, problem="we may not read Email"),
            ":warning: Contact:left: 1,234 found; we may not read Email",
        ),
        (replace(SOURCE, refused=2, refusal="003x: is incomplete"), "2 refused, the last one because 003x"),
    ],
)
def test_a_source_in_a_line(source: Source, said: str) -> None:
    """How many were found, and what is the matter."""
    assert said in health_text(source_line(source)).replace("\N{MODIFIER LETTER COLON}", ":")


@pytest.mark.parametrize(
    "view",
    [
        connect_view("https://x.example/salesforce/connect?link=a", None, "https://x.example/salesforce/callback"),
        connect_view(None, None, "https://x.example/salesforce/callback", escape(LIVE, 300)),
        sources_view([replace(SOURCE, problem=LIVE, refusal=LIVE, refused=1)] * 10, []),
        sources_view([SOURCE], [Proposal(f"O{n}__c", f"O{n}__c", LIVE, {}) for n in range(300)]),
        source_view(Proposal("O__c", "O__c", LIVE, {}), "{}" * 3_000, "7", note="no"),
        source_view(
            Proposal("O__c", "O__c", "Moves", {}),
            "{}",
            "now",
            Preview(
                [PreviewLine("a01", JobChange.parse(sample_job_change()), None), PreviewLine("a02", None, LIVE)],
                5,
                {"Account.Website": LIVE},
            ),
        ),
    ],
)
def test_slack_takes_the_dialogs(view: dict[str, object]) -> None:
    """Whatever an org says of itself, no limit of Slack's is passed."""
    assert check_view(view, "modal") == []
    assert not any("<!channel>" in text or "<https" in text for text in _live(view))


def _live(part: object) -> Iterator[str]:
    """All texts in which Slack would look for marks."""
    if isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield part["text"]
        for inner in part.values():
            yield from _live(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _live(inner)


def test_a_mapping_is_shown_whole_and_as_it_was_typed() -> None:
    """What was cut would be no JSON any more, and could not be saved again; other letters are no codes."""
    row = {f"Feld für {number}": "custom.größe" for number in range(100)}
    definition = {"map": row, "set": {"signal": "contact_tracking"}}
    typed = json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
    assert len(typed) < 3_000 < len(json.dumps(definition, indent=1, ensure_ascii=False))

    shown = as_json(definition)

    assert json.loads(shown) == definition
    assert len(shown) <= 3_000
    assert as_json({"map": {"größe": "score"}}) == '{\n "map": {\n  "größe": "score"\n }\n}'


@pytest.mark.parametrize(
    "view",
    [
        mappings_view({f"sender {number}": {"map": {}} for number in range(60)}, "https://example.com/", "Saved."),
        sources_view([replace(SOURCE, name=f"O{number}__c") for number in range(45)], [], "Started."),
    ],
)
def test_slack_takes_a_list_that_is_longer_than_a_dialog(view: dict[str, object]) -> None:
    """With how many are not shown."""
    assert check_view(view, "modal") == []
    assert "And 15 more, shown once others are removed." in str(view)
