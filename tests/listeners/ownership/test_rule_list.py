"""The list of ownership rules: its order, drafts and publishing."""

from __future__ import annotations

import pytest

from sandbox.slack.block_kit.blocks import check_view
from tests.listeners.ownership.ownership_world import AdminSession, accept_and_route, connect_org, publish, rule
from tests.listeners.salesforce.salesforce_world import SalesforceWorld


async def test_home_shows_admins_a_button_and_members_a_sentence(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Only admins can open the rules."""
    assert "The contact owner in Salesforce, else the account owner, else the lead owner" in await dana.open_home()
    await publish(acme, rule("One"))
    assert "version 1, published by the operator" in await dana.open_home()
    assert "ownership_open" in await dana.open_home()

    member = await AdminSession(acme, acme.noor).open_home()
    assert "Workspace admins and owners can change this" in member
    assert "ownership_open" not in member


async def test_without_rules_only_the_catch_all_is_listed(dana: AdminSession) -> None:
    """It cannot be removed."""
    dialog = await dana.open_rules()
    assert "There are no rules yet" in dialog
    assert "You don't need any rules" in dialog
    assert "Notify the contact owner, else the account owner, else the lead owner" in dialog
    assert "ownership_rule_menu" not in dialog
    assert "ownership_publish" not in dialog


async def test_rules_are_described_in_sentences(acme: SalesforceWorld, dana: AdminSession) -> None:
    """People and channels are mentions, and fields have their labels."""
    await connect_org(acme)
    joins = rule("Champions", when={"side": "current", "segment": ["target"], "relationship": ["Champion"]})
    joins["tell"] = [{"source": "field", "field": "Account.SDR__c"}, {"source": "user", "user": acme.noor.id}]
    await publish(acme, joins, rule("<!here> else", "contact", enabled=False))
    dialog = await dana.open_rules()
    sentence = (
        f"When a champion joins or changes roles at a target account, notify the account's SDR, else <@{acme.noor.id}>."
    )
    assert f"*1. Champions*\\n{sentence}" in dialog
    assert "2. &lt;!here&gt; else* · _off_" in dialog
    assert dialog.index("Champions") < dialog.index("Everything else")


async def test_edits_change_a_draft_until_it_is_published(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Rules can be moved, turned off and deleted."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B", when={"min_score": 8}), rule("C"))
    await dana.open_rules()
    assert "This is a draft" in await dana.choose_in_rule_menu("up", 1)
    assert await dana.rule_names() == ["B", "A", "C"]
    await dana.choose_in_rule_menu("down", 0)
    assert await dana.rule_names() == ["A", "B", "C"]
    assert "_off_" in await dana.choose_in_rule_menu("switch", 0)
    assert "Turn on" in dana.dialog_text()
    await dana.choose_in_rule_menu("delete", 2)
    assert await dana.rule_names() == ["A", "B"]
    book = await dana.rule_book()
    assert (book.version, len(book.rules.rules), book.rules.rules[0].enabled) == (1, 3, True)

    review = await dana.act("ownership_publish")
    assert "*C* is deleted." in review
    assert "is turned off." in review
    assert "There are no job changes to compare yet." in review
    await dana.submit()
    assert "Published as version 2" in dana.dialog_text()
    book = await dana.rule_book()
    assert (book.version, book.draft, [entry.enabled for entry in book.rules.rules]) == (2, None, [False, True])


async def test_the_sender_of_a_job_change_gets_the_trace(acme: SalesforceWorld) -> None:
    """The API returns the rule, the candidates in order, how the DRI was matched, and the destination."""
    await connect_org(acme)
    gone = {"source": "user", "user": "gone@acme.example"}
    await publish(acme, {"name": "Noor's", "tell": [gone, {"source": "sender"}], "when": {"side": "current"}})
    job_change_id = await accept_and_route(acme, dri_email="noor@acme.example")
    key = await acme.app.intake_keys.make(acme.team.id, "bearer", acme.dana.id)
    url = f"{acme.url}/v1/workspaces/{acme.team.id}/job-changes/{job_change_id}"

    async with acme.http.get(url, headers={"Authorization": f"Bearer {key}"}) as answer:
        decision = (await answer.json())["decision"]

    assert (decision["rules_version"], decision["rule"]) == (1, "Noor's")
    assert [(entry["email"], entry["result"], entry["match"]) for entry in decision["considered"]] == [
        ("gone@acme.example", "is not in Slack, or is deactivated there", None),
        ("noor@acme.example", "notified", "matched by email"),
    ]
    assert [(entry["destination"], entry["role"]) for entry in decision["destinations"]] == [(acme.noor.id, "dri")]


async def test_home_is_updated_behind_the_dialog(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Home shows the new version after publishing."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("up", 1)
    assert "There is an unpublished draft" in dana.home_text()
    await dana.publish()
    assert "version 2" in dana.home_text()
    assert "unpublished draft" not in dana.home_text()


async def test_moving_the_first_rule_up_changes_nothing(acme: SalesforceWorld, dana: AdminSession) -> None:
    """No draft is created."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    assert "The rule is already there" in await dana.choose_in_rule_menu("up", 0)
    assert (await dana.rule_book()).draft is None


async def test_a_draft_can_be_discarded(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The published rules stay."""
    await publish(acme, rule("A"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("delete", 0)
    assert "The draft was discarded" in await dana.act("ownership_discard")
    assert await dana.rule_names() == ["A"]


async def test_an_admin_sees_the_changes_of_another_before_changing_more(
    acme: SalesforceWorld, dana: AdminSession, lee: AdminSession
) -> None:
    """Unseen changes are not overwritten, neither of a draft nor of a published version."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    await lee.open_rules()
    await dana.choose_in_rule_menu("delete", 0)
    assert "changed the rules in the meantime" in await lee.choose_in_rule_menu("delete", 0)
    assert await lee.rule_names() == ["B"]
    assert "Published" in await lee.publish()
    assert "changed the rules in the meantime" in await dana.publish()


async def test_a_new_draft_is_different_from_a_discarded_one(
    acme: SalesforceWorld, dana: AdminSession, lee: AdminSession
) -> None:
    """Both have revision 1."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("delete", 0)
    await lee.open_rules()
    await lee.act("ownership_discard")
    acme.clock_offset += 1
    await lee.choose_in_rule_menu("delete", 1)
    assert "changed the rules in the meantime" in await dana.publish()
    book = await dana.rule_book()
    assert (book.version, book.seen.revision) == (1, 1)


async def test_rules_with_errors_are_not_published(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The errors are shown at their rules, and the published rules stay."""
    await publish(acme, rule("A", when={"min_score": 9}))
    await connect_org(acme)
    wrong = {"name": "Wrong", "tell": [{"source": "field", "field": f"Account.{name}"} for name in ("No__c", "Name")]}
    parsed = (await dana.rule_book()).rules.parse({"rules": [rule("A", when={"min_score": 9}), wrong]})
    await acme.app.rulebook.save_draft(acme.team.id, "operator", parsed, None, "wrong")
    dialog = await dana.open_rules()
    assert "Rule 2 has a problem" in dialog
    assert "does not exist in Salesforce, or the app may not read it" in dialog
    text = await dana.publish()
    assert "Nothing was published. Fix 2 errors first" in text
    assert "Rule 2: Account.Name is not a lookup to a user" in text
    assert (await dana.rule_book()).version == 1


async def test_five_hundred_rules_are_shown_in_pages(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Slack accepts every page."""
    await publish(acme, *(rule(f"Rule {number}", when={"min_score": 1000 - number}) for number in range(499)))
    dialog = await dana.open_rules()
    assert "Rules 1 to 20 of 499" in dialog
    assert "Rule 19" in dialog
    assert "Rule 20*" not in dialog
    assert "Rules 21 to 40 of 499" in await dana.act("ownership_turn_next")
    assert "Rules 1 to 20 of 499" in await dana.act("ownership_turn_previous")
    assert check_view(dana.dialog_definition(), "modal") == []
    await dana.choose_in_rule_menu("edit", 19)
    await dana.submit(place="499")
    assert (await dana.rule_names())[-1] == "Rule 19"


@pytest.mark.parametrize("action_id", ["ownership_add", "ownership_publish", "ownership_history", "ownership_people"])
async def test_permissions_are_checked_at_each_step(acme: SalesforceWorld, dana: AdminSession, action_id: str) -> None:
    """A former admin can no longer use an open dialog."""
    await publish(acme, rule("A"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("switch", 0)
    acme.dana.is_admin = False
    assert "Only workspace admins and owners" in await dana.act(action_id)
    assert (await dana.rule_book()).version == 1


async def test_a_former_admin_cannot_use_the_menu_of_a_rule(acme: SalesforceWorld, dana: AdminSession) -> None:
    """No draft is created."""
    await publish(acme, rule("A"))
    await dana.open_rules()
    acme.dana.is_admin = False
    assert "Only workspace admins and owners" in await dana.choose_in_rule_menu("delete", 0)
    assert (await dana.rule_book()).draft is None


async def test_the_list_opens_while_salesforce_is_down(acme: SalesforceWorld, dana: AdminSession) -> None:
    """It says that Salesforce is not available, and rules can still be changed."""
    await publish(acme, rule("A"))
    await connect_org(acme)
    acme.org.faults.add("*", status=503, times=None)
    assert "Salesforce is not available right now" in await dana.open_rules()
    assert "_off_" in await dana.choose_in_rule_menu("switch", 0)
