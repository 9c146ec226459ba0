"""
Every dialog as a picture in JSON: what it shows, that Slack's own models accept it, and that it can be shown again.

`REGENERATE_GOLDEN=1 python -m pytest tests/listeners/dialogs/test_golden_dialogs.py` writes the pictures again.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from slack_sdk.models.blocks import Block

from domain.audit import AuditEntry
from domain.day_counts import RecipientCount
from domain.decision.reasons import legacy
from domain.delivery import Delivery, FailedJobChange
from domain.job_change.model import JobChange
from domain.messages.card_buttons import card_buttons
from domain.people import Absence, OwnerLink, OwnerMatching, PersonKey, SearchFields, UnmatchedOwner
from domain.preferences import EVERYTHING
from domain.rule_versions import EVERYTHING_ELSE, PublishedRules, RuleFigures
from domain.salesforce import Preview, PreviewLine
from domain.workspace import ListedKey, OutgoingWebhook, WebhookEvent
from listeners.dialogs.blocks import loading_view, message_view
from listeners.dialogs.shown_again import filled_again
from listeners.home.admin_dialogs_view import limits_view, signal_channels_view, statistics_view
from listeners.home.member_dialogs_view import (
    absence_view,
    hours_view,
    mutes_view,
    not_me_view,
    required_notifications_view,
)
from listeners.intake.keys_view import how_to_send_view, key_view
from listeners.intake.mapping_rows import MappingForm
from listeners.intake.mappings_view import json_view, mappings_view, rows_view
from listeners.intake.senders_view import add_view, refused_view, senders_view, steps_view
from listeners.messages.actions_view import mute_view, note_view, reassign_view, report_view, snooze_view, why_view
from listeners.messages.card_buttons_view import buttons_view
from listeners.messages.webhook_view import webhook_view
from listeners.ownership.effects.scorecard_view import scorecard_view
from listeners.ownership.effects.simulate_view import SimulationForm, comparison_blocks, publication_view, simulate_view
from listeners.ownership.history_view import history_view, version_view
from listeners.ownership.pools_view import advanced_view, pool_view
from listeners.ownership.pools_view import mapping_view as pairs_view
from listeners.ownership.rule_form.choices import choices_of
from listeners.ownership.rule_form.form import RuleForm
from listeners.ownership.rule_form.rule_view import begin_view, rule_view
from listeners.ownership.rule_list_view import ListContext, list_view
from listeners.ownership.unmatched_owners_view import UnmatchedOwnersPage, unmatched_owners_view
from listeners.salesforce.person_keys_view import person_keys_view
from listeners.salesforce.settings_view import connect_view
from listeners.salesforce.sources_view import source_view, sources_view
from listeners.status.failed_view import failed_job_changes_view
from sandbox.slack.block_kit.blocks import check_view
from sandbox.slack.block_kit.inputs import values_of
from services.home.home_state import MemberHome, SalesforceIdentity, Statistics
from services.intake.added_senders import ListedSender, MaskedPayload
from services.intake.salesforce.presets import Proposal
from services.intake.senders import registry
from services.messages.available_actions import ActionableDelivery
from services.ownership.rules.current_rules import CurrentRules
from services.ownership.rules.presets import plays, presets
from services.ownership.rules.rule_set import RuleSet
from services.ownership.rules.scorecard import Scorecard
from services.ownership.simulation_report import SimulationReport
from store.intake.senders import AddedSender
from tests.conftest import SOMEDAY
from tests.listeners.home.home_states import ACME, URL, busy_days
from tests.world import sample_job_change

GOLDEN = Path(__file__).parent / "golden"

CHANGE = JobChange.parse(sample_job_change())
WEBHOOK = OutgoingWebhook("T1", "", "", "hooks.example.com", WebhookEvent.TAKEN | WebhookEvent.FAILED, failures=1)
MEMBER = MemberHome(
    user_id="U_MO",
    muted=frozenset({"promotion", EVERYTHING}),
    required=frozenset({"departure"}),
    absence=Absence(SOMEDAY, SOMEDAY + 1, "U_KIM"),
    identities=(SalesforceIdentity("mo@acme.example", "Mo Chen", "U_DANA"),),
    not_me={"sales@acme.example": "Sales Desk"},
    shown_at=SOMEDAY,
)
ACTIONABLE = ActionableDelivery(
    Delivery(
        id=7,
        workspace_id="T1",
        job_change_id="jc",
        destination="U1",
        role="dri",
        reasons=legacy("You own Ada Smith in Salesforce."),
        side=None,
        payload="{}",
        decision=None,
        state="open",
        actor=None,
        at=None,
        given_to=None,
    ),
    CHANGE,
    frozenset({"new_company"}),
)
RULES = RuleSet.parse(
    {
        "rules": [
            {
                "name": "Champions",
                "when": {"side": "past", "relationship": ["Champion"], "min_score": 7.5},
                "tell": [
                    {"source": "owner", "of": "account"},
                    {"source": "user", "user": "U0123456789"},
                    {"source": "user_group", "group": "S0123456789"},
                ],
                "deliver": {"to": "dri_and_channel", "channel": "C0123456789"},
            }
        ],
        "pools": {"SDRs": {"members": [{"user": "U0123456789"}, {"user": "ann@acme.example", "weight": 2}]}},
        "mappings": {"AE to SDR": {"ann@acme.example": "bob@acme.example"}},
        "guards": {"excluded": ["U0123456789", "vp@acme.example"], "daily_cap": 20},
    }
)
BOOK = CurrentRules(2, RULES, None, None)
DRAFT = RULES.model_copy(update={"rules": (*presets()[:1], *RULES.rules[1:])})
SCORECARD = Scorecard.of(
    BOOK,
    {
        "Champions": {
            30: RuleFigures(42, 12, 3, 1, 3 * 3_600_000),
            90: RuleFigures(1_250, 700, 3, 1, 40 * 60_000),
        },
        EVERYTHING_ELSE: {30: RuleFigures(), 90: RuleFigures(12, 2, 0, 0, 49 * 3_600_000)},
        "Old <rule>": {30: RuleFigures(), 90: RuleFigures(30, 1, 0, 0, 1_000)},
    },
)
GROUPS = {"S0123456789": "sdrs"}
PROPOSAL = Proposal("Job moves", "Job_Move__c", "Job moves", {})
CANDIDATES = [("jc-1", CHANGE)]
OWNERS = UnmatchedOwnersPage(
    [UnmatchedOwner("gone@acme.example", "Gone Owner", "nobody in Slack has this address", 3, SOMEDAY)],
    [(OwnerLink("linked@acme.example", "U0123456789", "operator", "Lin Ked"), 1)],
    OwnerMatching("Slack_Email__c", {"acme.com": "acme.io"}),
)

ADDED = ListedSender(
    AddedSender("clay", SOMEDAY, "U0123456789", 1_200, 3, 2, 1, SOMEDAY, SOMEDAY, "person is required"),
    registry.find("clay"),
    [ListedKey("bearer", SOMEDAY, "U0123456789", None, "clay")],
    has_mapping=False,
)
NEW = ListedSender(AddedSender("lusha", SOMEDAY, "operator"), registry.find("lusha"), [], has_mapping=False)

BUTTONS = card_buttons(
    [
        {
            "kind": "workflow",
            "label": "Start outreach",
            "url": "https://slack.com/shortcuts/Ft0123ABC456/321",
            "inputs": {"contact": "{contact_id}", "company": "{company}"},
        }
    ]
)
GEMS = {
    "map": {"who.mail": "person.emails", "gone": ["custom.gone", "persona"]},
    "set": {"signal": "contact_tracking"},
    "words": {"change_type": {"Left": "departure"}},
}
DIALOGS = {
    "loading": loading_view("Rule"),
    "admins_only": message_view("Rule"),
    "hours": hours_view(MEMBER),
    "mutes": mutes_view(MEMBER),
    "absence": absence_view(MEMBER),
    "not_me": not_me_view(MEMBER),
    "required_notifications": required_notifications_view({"departure"}),
    "limits": limits_view(ACME, 90, "Saved."),
    "card_buttons": buttons_view(replace(ACME, card_buttons=BUTTONS, card_buttons_problem="invalid_blocks")),
    "webhook": webhook_view(WEBHOOK, "https://hooks.example.com/", "Saved."),
    "signal_channels": signal_channels_view(ACME, SOMEDAY),
    "statistics": statistics_view(Statistics(busy_days(), 2, [RecipientCount("U_MO", 12)])),
    "scorecard": scorecard_view(SCORECARD),
    "scorecard_without_figures": scorecard_view(Scorecard.of(CurrentRules(0, RuleSet(), None, None), {})),
    "reassign": reassign_view(ACTIONABLE),
    "snooze": snooze_view(ACTIONABLE),
    "report": report_view(ACTIONABLE),
    "mute": mute_view(ACTIONABLE),
    "why": why_view(ACTIONABLE),
    "note": note_view("You reassigned it to <@U2>."),
    "field_mappings": mappings_view({"gems": {"map": {"mail": "person.emails"}}}, URL),
    "field_mapping": rows_view(MappingForm.of("gems", GEMS), {"who": {"mail": "ad…"}, "to": "Gl…"}, "*Preview*"),
    "field_mapping_as_json": json_view("gems", "gems", "{}", '{"mail": "ada@initech.example"}', "*Preview*"),
    "new_key": key_view("bearer", "ugk_abc", URL, is_rotated=True),
    "senders": senders_view([ADDED, NEW], "Saved."),
    "add_sender": add_view("lusha"),
    "sender_steps": steps_view(registry.find("clay"), f"{URL}?source=clay", "ugk_abc", "Added."),
    "refused_payloads": refused_view("clay", [MaskedPayload(1, SOMEDAY, "person is required", '{"Name": "Ad…"}')]),
    "how_to_send": how_to_send_view(URL),
    "failed_job_changes": failed_job_changes_view(
        [FailedJobChange(f"jc-{number}", None, "why", SOMEDAY) for number in range(11)], None
    ),
    "connect_salesforce": connect_view(f"{URL}/connect", None, f"{URL}/callback"),
    "import_sources": sources_view([], [PROPOSAL]),
    "import_source": source_view(PROPOSAL, "{}", "30", Preview([PreviewLine("a01", CHANGE, None)], 3, {})),
    "find_people": person_keys_view(
        "", None, SearchFields((PersonKey("Contact", "Secondary_Email__c", "email"),), "Domain__c"), "Saved."
    ),
    "rules": list_view(BOOK, ListContext()),
    "add_rule": begin_view(plays(), presets(), {}),
    "rule": rule_view(RuleForm.of(RULES.rules[0], 0), choices_of(RULES, None, 6, GROUPS), None, is_new=False),
    "new_rule": rule_view(RuleForm.of(presets()[0], 1), choices_of(RULES, None), None, is_new=True),
    "pools_and_advanced": advanced_view(BOOK),
    "pool": pool_view(BOOK, "SDRs"),
    "mapping": pairs_view(BOOK, "AE to SDR"),
    "simulate": simulate_view(SimulationForm(CANDIDATES, True, "jc-1", "ada@initech.example", "Globex")),
    "unmatched_owners": unmatched_owners_view(OWNERS),
    "history": history_view(
        [PublishedRules(version, "{}", SOMEDAY, "U0123456789", "because") for version in (2, 1)],
        [AuditEntry(SOMEDAY, "U0123456789", "ownership: drafted", "added “Champions”")],
    ),
    "earlier_version": version_view(PublishedRules(1, "{}", SOMEDAY, "U0123456789", "because"), RULES, {}, 2),
    "publish": publication_view(
        replace(BOOK, draft_rules=DRAFT), comparison_blocks(SimulationReport(100, ())), {}, {"page": 0}
    ),
}


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_equals_its_golden_picture(name):
    """A change of a dialog is seen in review."""
    golden = GOLDEN / f"{name}.json"
    if "REGENERATE_GOLDEN" in os.environ:
        golden.write_text(json.dumps(DIALOGS[name], indent=1, ensure_ascii=False) + "\n")

    assert json.loads(golden.read_text()) == json.loads(json.dumps(DIALOGS[name]))


def test_every_golden_picture_belongs_to_a_dialog():
    """None is left over."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(DIALOGS)


@pytest.mark.parametrize("view", DIALOGS.values(), ids=list(DIALOGS))
def test_slacks_own_models_accept_every_dialog(view):
    """They check Slack's limits. The app builds dicts, because the models are a hundred times slower."""
    blocks = Block.parse_all(view["blocks"])

    assert [block.to_dict()["type"] for block in blocks] == [block["type"] for block in view["blocks"]]
    assert check_view(view, "modal") == []


@pytest.mark.parametrize("view", [view for view in DIALOGS.values() if "submit" in view])
def test_a_form_is_shown_again_as_it_was_submitted(view):
    """Late errors are shown above what the person has entered."""
    submitted = view | {"state": {"values": values_of(view["blocks"], {})}, "id": "V1", "hash": "1.a"}

    assert filled_again(submitted) == view
