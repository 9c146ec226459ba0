"""How Home, status and doctor describe the Salesforce connection and its sources."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.day_counts import DAY_MS
from domain.job_change.model import JobChange
from domain.salesforce import PAUSED, WEB_SERVER, Preview, PreviewLine, SalesforceConnection, Source
from listeners.intake.mappings_view import as_json, mappings_view
from listeners.salesforce.settings_view import connect_view, health_text, health_texts
from listeners.salesforce.sources_view import source_view, sources_view
from sandbox.slack.block_kit.blocks import check_view
from services.intake.salesforce.presets import Proposal
from services.salesforce.health import lines, source_line
from services.slack.mrkdwn import escape
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
    ("connection", "text"),
    [
        (None, "Not connected to Salesforce: owners cannot be looked up"),
        (
            ACME,
            ":white_check_mark: Connected to Salesforce: Acme &amp; Sons (Enterprise Edition, sandbox) as Ines",
        ),
        (ACME, "Last synced <!date^"),
        (
            ACME,
            "310 of 5,000 used. All apps together used 4,200 of your org's 100,000 in the last 24 hours",
        ),
        (
            replace(ACME, org_name=None, org_edition=None, is_sandbox=None),
            "Connected to Salesforce: https://login.salesforce.com",
        ),
        (
            replace(ACME, problem="Connect it again"),
            ":warning: Salesforce (Acme &amp; Sons) needs an admin: Connect it again",
        ),
        (replace(ACME, unreadable="Account.Website"), "so they are left out: Account.Website"),
        (replace(ACME, our_calls_day=1), "Daily API calls: 0 of 5,000 used"),
        (replace(ACME, api_used=80_000), ":information_source: Daily API calls"),
        (replace(ACME, our_calls=5_000), ":information_source: Daily API calls"),
    ],
)
def test_the_connection_is_described(connection: SalesforceConnection | None, text: str) -> None:
    """The lines say as which user, when it was last synced, how many calls were used, and what cannot be read."""
    assert text in "\n".join(health_texts(lines(connection, 5_000, SOMEDAY)))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (SOURCE, "Contact (left): 1,234 job changes imported, last checked <!date^"),
        (replace(SOURCE, found=0, looked_at=None), "Contact (left): 0 job changes imported, not checked yet."),
        (replace(SOURCE, found=1, state=PAUSED), "Contact (left) is paused: 1 job change imported, last checked <!"),
        (
            replace(SOURCE, problem="Email cannot be read"),
            ":warning: Contact (left) has a problem: Email cannot be read (1,234 job changes imported), last checked",
        ),
        (
            replace(SOURCE, refused=2, refusal="003x: is incomplete"),
            "imported, 2 records refused (most recently 003x: is incomplete), last checked",
        ),
    ],
)
def test_a_source_is_described_in_a_sentence(source: Source, text: str) -> None:
    """It reads well whether the source was never checked, works, is paused or has a problem."""
    assert text in health_text(source_line(source)).replace("\N{MODIFIER LETTER COLON}", ":")


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
def test_the_dialogs_are_valid_for_slack(view: dict[str, object]) -> None:
    """They stay within Slack's limits, and names from Salesforce are never markup."""
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


def test_a_mapping_is_never_cut_off() -> None:
    """It can be edited and saved again, and non-ASCII letters are shown as typed."""
    row = {f"Feld für {number}": "custom.größe" for number in range(100)}
    definition = {"map": row, "set": {"signal": "contact_tracking"}}
    typed = json.dumps(definition, separators=(",", ":"), ensure_ascii=False)
    assert len(typed) < 3_000 < len(json.dumps(definition, indent=1, ensure_ascii=False))

    shown = as_json(definition)

    assert json.loads(shown) == definition
    assert len(shown) <= 3_000
    assert as_json({"map": {"größe": "score"}}) == '{\n "map": {\n  "größe": "score"\n }\n}'


def test_the_address_of_a_mapping_can_be_pasted() -> None:
    """A sender's name may have characters that have a meaning in an address."""
    assert "`…?source=Gems%20%26%20Co`" in str(mappings_view({"Gems & Co": {"map": {}}}, "https://example.com/"))


@pytest.mark.parametrize(
    "view",
    [
        mappings_view({f"sender {number}": {"map": {}} for number in range(60)}, "https://example.com/", "Saved."),
        sources_view([replace(SOURCE, name=f"O{number}__c") for number in range(45)], [], "Started."),
    ],
)
def test_a_list_longer_than_a_dialog_is_shortened(view: dict[str, object]) -> None:
    """The dialog says how many are not shown."""
    assert check_view(view, "modal") == []
    assert "15 more are not shown here. Remove others to see them." in str(view)


def test_without_anything_to_import_the_dialog_names_the_missing_permissions() -> None:
    """They are those that the documentation names."""
    text = str(sources_view([], []))
    assert "*Read*, *View All Records* and *Read Access*" in text
    assert "*Contacts* or *Leads* with a field such as *No Longer at Company*" in text


def test_every_object_of_a_large_org_can_be_chosen() -> None:
    """Slack allows 100 options in a group, and searches all groups."""
    candidates = [Proposal(f"O{n}__c", f"O{n}__c", f"Object {n}", {}) for n in range(450)]
    (menu,) = [block["accessory"] for block in sources_view([], candidates)["blocks"] if "accessory" in block]
    assert [len(group["options"]) for group in menu["option_groups"]] == [100, 100, 100, 100, 50]
    assert menu["option_groups"][4]["label"]["text"] == "Object 400 to Object 449"
