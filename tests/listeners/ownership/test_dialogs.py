"""The ownership dialogs besides the rules: history, simulation, unmatched owners, pools and advanced settings."""

from __future__ import annotations

from services.ownership.rules.rule_set import FieldTest, Pool, PoolMember
from tests.listeners.ownership.ownership_world import AdminSession, accept_and_route, connect_org, publish, rule
from tests.listeners.salesforce.salesforce_world import SalesforceWorld


async def page(desk: AdminSession, action_id: str) -> str:
    await desk.open_rules()
    return await desk.act(action_id)


def globex_of(acme: SalesforceWorld, email: str = "noor@acme.example") -> None:
    """Add the account Globex and the contact Ada at Initech. The owner of both has this email address."""
    owner = acme.org.add("User", FirstName="Noor", LastName="Haddad", Email=email)
    acme.org.add("Account", Name="Globex", Website="https://globex.example", Type="Target", OwnerId=owner)
    initech = acme.org.add("Account", Name="Initech", Type="Customer", OwnerId=owner)
    ada = {"FirstName": "Ada", "LastName": "Smith", "Email": "ada@initech.example"}
    acme.org.add("Contact", OwnerId=owner, AccountId=initech, **ada)


async def test_an_admin_rolls_back_to_an_earlier_version(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The history lists all changes. Rolling back publishes the old rules as a new version."""
    await publish(acme, rule("A"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("switch", 0)
    await dana.publish()
    history = await dana.act("ownership_history")
    assert "*Version 2* · current" in history
    assert f"<@{acme.dana.id}> · drafted: turned “A” off" in history
    assert "the operator · published: 1 rule in force" in history
    version = await dana.act("ownership_version_1")
    assert "*1. A*\\n" in version
    assert "_off_" not in version
    assert "Published as version 3" in await dana.act("ownership_roll_back_1")
    assert (await dana.rule_book()).rules.rules[0].enabled
    await dana.close()
    assert "*Version 3* · current" in dana.dialog_text()
    await dana.close()
    assert "Version 3 is published" in dana.dialog_text()


async def test_rolling_back_is_refused_if_others_published(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The history is updated."""
    await publish(acme, rule("A"))
    await publish(acme, rule("B"))
    await page(dana, "ownership_history")
    await dana.act("ownership_version_1")
    await publish(acme, rule("C"))
    assert "changed the rules in the meantime" in await dana.act("ownership_roll_back_1")
    await dana.close()
    assert "*Version 3* · current" in dana.dialog_text()
    assert await dana.rule_names() == ["C"]


async def test_a_long_history_fits_into_the_dialog(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Slack accepts the view."""
    await publish(acme, rule("A" * 80))
    await dana.open_rules()
    for _ in range(60):
        await acme.app.rulebook.save_draft(acme.team.id, acme.dana.id, (await dana.rule_book()).rules, None, "x" * 300)
    assert "*Changes*" in await page(dana, "ownership_history")


async def test_a_job_change_is_simulated_on_the_draft(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The dialog shows who would be notified and why. Nothing is stored or sent."""
    await connect_org(acme)
    globex_of(acme)
    job_change = await accept_and_route(acme)
    posted = len(acme.slack.calls)
    await publish(acme, rule("Nobody", deliver={"to": "nobody"}))
    await dana.open_rules()
    await dana.act("ownership_add")
    await dana.act("ownership_start", "empty")
    await dana.add_condition("side", "current")
    await dana.submit(name="Mine", place="1")
    assert "under *the draft*" in await dana.act("ownership_simulate")
    assert dana.options("job_change") == {"Ada Smith: Initech → Globex": job_change}
    assert (await dana.submit(job_change=job_change)).ok
    text = dana.dialog_text()
    assert f"To <@{acme.noor.id}> (as the DRI): “You own Globex in Salesforce.”" in text
    assert "The company they join: the rule *Mine* applies." in text
    assert "1. account owner, Noor Haddad: ✅ notified" in text
    assert "The company they leave: the rule *Nobody* applies." in text
    assert not [call for call in acme.slack.calls[posted:] if call.method == "chat.postMessage"]

    await dana.submit(job_change=None, email="ada@initech.example")
    assert "account owner, Noor Haddad" in dana.dialog_text()
    await dana.submit(email="zoe@globex.example", company="nobody.example")
    assert "Salesforce has no account for nobody.example" in dana.dialog_text()


async def test_a_simulation_needs_a_job_change_or_an_address(dana: AdminSession) -> None:
    """An invalid email address is an error."""
    await page(dana, "ownership_simulate")
    assert (await dana.submit()).errors == {"email": "Choose a job change, or enter an email address."}
    assert "is not an email address" in (await dana.submit(email="ada")).errors["email"]


async def test_the_latest_job_changes_are_compared_with_the_draft(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The dialog shows the differences, with the rules that apply."""
    await connect_org(acme)
    globex_of(acme)
    await accept_and_route(acme)
    await publish(acme, rule("Leads", "lead"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("switch", 0)
    await dana.act("ownership_simulate")
    text = await dana.act("ownership_replay")
    assert "Compared on the last job change: the draft would deliver 1 differently" in text
    assert "Now: the default channel (because no DRI was found), by “Leads”" in text
    assert f"Draft: <@{acme.noor.id}> (as the DRI), by “Everything else”" in text


async def test_a_simulation_reports_a_salesforce_outage(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The dialog says what to do."""
    await connect_org(acme)
    await page(dana, "ownership_simulate")
    acme.org.faults.add("*", status=503, times=None)
    await dana.submit(email="ada@initech.example")
    assert "Please try again in a minute" in dana.dialog_text()


async def test_an_unmatched_owner_is_linked_and_gets_what_they_missed(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """An admin links the owner to a Slack member, and sends them what they missed."""
    await connect_org(acme)
    globex_of(acme, "n.haddad@acme-group.example")
    await accept_and_route(acme)
    assert "1 owner matches no Slack member" in await dana.open_home()
    text = await page(dana, "ownership_people")
    assert "Noor Haddad (n.haddad@acme-group.example)" in text
    assert "is not in Slack" in text
    assert "1 job change was sent to a channel instead" in text
    [block_id] = [
        block["block_id"] for block in dana.dialog_definition()["blocks"] if block["block_id"].startswith("owner-")
    ]

    text = await dana.act("ownership_link", acme.noor.id, block_id)
    assert f"New job changes of this owner go to <@{acme.noor.id}>." in text
    assert "They missed 1 job change" in text
    assert f"Noor Haddad (n.haddad@acme-group.example) → <@{acme.noor.id}>, linked by <@{acme.dana.id}>" in text
    assert "Sending them 1 job change." in await dana.act("ownership_tell")
    await acme.app.worker.drain()
    dms = [channel for channel in acme.slack.world.channels.values() if channel.im_user == acme.noor.id]
    assert "Ada Smith" in next(iter(dms[0].messages.values())).text

    assert "Unlinked." in await dana.act("ownership_unlink")
    assert "No unmatched owners" in dana.dialog_text()


async def test_a_guest_cannot_be_linked(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The dialog says why."""
    await connect_org(acme)
    globex_of(acme, "n.haddad@acme-group.example")
    await accept_and_route(acme)
    await page(dana, "ownership_people")
    [block_id] = [
        block["block_id"] for block in dana.dialog_definition()["blocks"] if block["block_id"].startswith("owner-")
    ]
    acme.noor.is_restricted = True
    assert "is a guest in Slack" in await dana.act("ownership_link", acme.noor.id, block_id)
    assert "Linked owners" not in dana.dialog_text()


async def test_what_an_owner_missed_can_be_dismissed(acme: SalesforceWorld, dana: AdminSession) -> None:
    """It is no longer offered."""
    await connect_org(acme)
    globex_of(acme, "n.haddad@acme-group.example")
    await accept_and_route(acme)
    await page(dana, "ownership_people")
    [block_id] = [
        block["block_id"] for block in dana.dialog_definition()["blocks"] if block["block_id"].startswith("owner-")
    ]
    await dana.act("ownership_link", acme.noor.id, block_id)
    assert "Dismissed" in await dana.act("ownership_forget")
    await dana.act("ownership_unlink")
    assert "No unmatched owners" in dana.dialog_text()


async def test_matching_settings_apply_to_all_owners(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Errors are text at their fields, and saved values are text again."""
    await connect_org(acme)
    await page(dana, "ownership_people")
    assert (await dana.submit(alias_domains="acme.example acme.io")).errors == {
        "alias_domains": "Line 1: enter two domains, such as acme.com = acme.io."
    }
    assert "Not a domain" in (await dana.submit(alias_domains="acme.example = x")).errors["alias_domains"]
    wrong = await dana.submit(alias_domains="acme.example = acme.io", email_field="Nope__c")
    assert "User.Nope__c does not exist in Salesforce" in wrong.errors["email_field"]
    assert (await dana.submit(email_field="Username")).ok
    assert "Saved." in dana.dialog_text()
    assert "acme.example = acme.io" in dana.dialog_text()
    assert "'initial_value': 'Username'" in dana.dialog_text()


async def test_pools_are_added_and_changed(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A pool that a rule uses cannot be deleted. Rules use its new name."""
    await page(dana, "ownership_more")
    await dana.act("ownership_new_named_pools")
    assert (await dana.submit(name="SDRs")).errors == {"others": "Needs at least one member"}
    assert (await dana.submit(others="ann@acme.example x")).errors == {
        "others": "Line 1: enter a person, then a whole number as the weight."
    }
    assert (await dana.submit(members=[acme.noor.id], others="ann@acme.example 3")).ok
    assert f"SDRs: <@{acme.noor.id}>, ann@acme.example (weight 3)" in dana.dialog_text()
    members = (PoolMember(user=acme.noor.id), PoolMember(user="ann@acme.example", weight=3))
    assert (await dana.rule_book()).shown.pools == {"SDRs": Pool(members=members)}

    await dana.close()
    await dana.act("ownership_add")
    await dana.act("ownership_start", "empty")
    await dana.choose_slot(0, "The next member of the pool SDRs")
    assert (await dana.submit(name="In turn")).ok
    await dana.act("ownership_more")
    assert "rules use it" in await dana.act("ownership_edit_named_pools", "ownership_delete_named:SDRs")
    await dana.act("ownership_edit_named_pools", "ownership_edit_named:SDRs")
    assert (await dana.submit(name="Reps", sticky=[])).ok
    book = await dana.rule_book()
    assert book.shown.pools == {"Reps": Pool(members=members, sticky=False)}
    assert book.shown.rules[0].tell[0].pool == "Reps"


async def test_mappings_are_added_and_deleted(acme: SalesforceWorld, dana: AdminSession) -> None:
    """There is one pair per line."""
    await page(dana, "ownership_more")
    await dana.act("ownership_new_named_mappings")
    assert "Line 1: enter two people" in (await dana.submit(name="AE to SDR", table="ann")).errors["table"]
    wrong = await dana.submit(table="ann@acme.example = bob")
    assert "must be an email address" in wrong.errors["table"]
    assert (await dana.submit(table="ann@acme.example = bob@acme.example")).ok
    assert (await dana.rule_book()).shown.mappings == {"AE to SDR": {"ann@acme.example": "bob@acme.example"}}
    await dana.act("ownership_new_named_mappings")
    again = await dana.submit(name="AE to SDR", table="cid@acme.example = bob@acme.example")
    assert "already used" in str(again.errors)
    await dana.close()
    await dana.act("ownership_edit_named_mappings", "ownership_delete_named:AE to SDR")
    assert (await dana.rule_book()).shown.mappings == {}


async def test_segments_and_guards_are_saved(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Errors are text at their fields."""
    await page(dana, "ownership_more")
    done = await dana.submit(customer="Account.Type is x", excluded_others="nobody")
    assert done.errors.keys() == {"customer"}
    done = await dana.submit(customer="Account.Tier__c in A, B")
    assert done.errors.keys() == {"excluded_others"}
    guards = {"excluded": [acme.noor.id], "excluded_others": "vp@acme.example", "daily_cap": "5"}
    assert (await dana.submit(**guards, open_opportunity="largest")).ok
    rules = (await dana.rule_book()).shown
    assert rules.segments.customer == FieldTest(field="Account.Tier__c", values=("A", "B"))
    assert rules.open_opportunity == "largest"
    assert (rules.guards.excluded, rules.guards.daily_cap) == ((acme.noor.id, "vp@acme.example"), 5)


async def test_changes_by_others_are_not_overwritten(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The dialog was opened with an older version of the rules."""
    await page(dana, "ownership_more")
    await publish(acme, rule("A"))
    done = await dana.submit(daily_cap="5")
    assert "changed the rules in the meantime" in done.errors["customer"]
    assert (await dana.rule_book()).draft is None


async def test_values_too_long_for_the_dialog_stay_unchanged(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A list that was cut off would lose people when it is saved."""
    never = [f"firstname.lastname-{number}@acme.example" for number in range(150)]
    targets = {"field": "Account.Name", "test": "in", "values": [f"{number} {'x' * 30}" for number in range(150)]}
    await publish(acme, rule("A"), guards={"excluded": never}, segments={"target": targets})

    text = await page(dana, "ownership_more")
    assert "Too long for this dialog, so unchanged: an account is a target if, never notify: others" in text
    assert (await dana.submit(daily_cap="5", excluded=[acme.noor.id])).ok

    rules = (await dana.rule_book()).shown
    assert (rules.guards.excluded, rules.guards.daily_cap) == ((acme.noor.id, *never), 5)
    assert len(rules.segments.target.values) == 150


async def test_errors_of_hidden_fields_are_shown_at_a_visible_field(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Slack does not show an error at a field that is not there."""
    never = [f"firstname.lastname-{number}@acme.example" for number in range(200)]
    await publish(acme, rule("A"), guards={"excluded": never})
    await page(dana, "ownership_more")

    done = await dana.submit(excluded=[acme.noor.id])

    assert done.errors.keys() == {"daily_cap"}
    assert (await dana.rule_book()).draft is None
