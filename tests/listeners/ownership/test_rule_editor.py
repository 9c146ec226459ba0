"""The form of a rule: presets, conditions, sources, errors at their fields, and saving it as a draft."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from domain.job_change.parts import ChangeType, Signal
from sandbox.salesforce.schema import Field
from services.ownership.draft_editor import RULE_CHANGED_BY_OTHERS
from services.ownership.rules.owner_sources import (
    ChannelField,
    Manager,
    Mapped,
    NamedChannel,
    NamedUser,
    Owner,
    Pool,
    TeamRole,
    UserField,
    UserGroup,
)
from services.ownership.rules.presets import plays, presets
from services.ownership.rules.rule_set import Conditions, Deliver, FieldTest, Rule
from store.schema import workspaces
from tests.listeners.dialogs.patience import SHORT, SLOW_SECONDS
from tests.listeners.ownership.ownership_world import AdminSession, connect_org, publish, rule
from tests.listeners.salesforce.salesforce_world import SalesforceWorld


async def begin(desk: AdminSession, preset: str = "empty") -> str:
    await desk.open_rules()
    await desk.act("ownership_add")
    return await desk.act("ownership_start", preset)


async def only_rule(desk: AdminSession) -> Rule:
    (rule,) = (await desk.rule_book()).shown.rules
    return rule


async def test_a_new_rule_is_saved_as_a_draft(dana: AdminSession) -> None:
    """The list shows it when the dialog closes."""
    assert "New rule" in await begin(dana)
    assert (await dana.submit(name="Everybody", slot__1=None)).ok
    assert dana.dialog_depth == 1
    assert "Saved as a draft" in dana.dialog_text()
    assert "*1. Everybody*\\nWhen someone changes jobs, notify the account owner." in dana.dialog_text()
    assert await only_rule(dana) == Rule(name="Everybody", tell=(Owner(of="account"),))


async def test_no_rule_matches_everything_by_accident(dana: AdminSession) -> None:
    """A new rule without a condition has to be confirmed. It would take all job changes from the rules below it."""
    await begin(dana)
    refused = await dana.submit(name="Everybody", any=[])
    assert refused.errors == {"any": "Set a condition above, or tick this to apply the rule to every job change."}
    await dana.add_condition("min_score", "5")
    assert (await dana.submit()).ok
    assert (await only_rule(dana)).when == Conditions(min_score=5)


async def test_each_preset_is_saved_unchanged(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The form contains everything in a preset."""
    await connect_org(acme)
    complete = [rule for rule in (*presets(), *plays()) if "…" not in rule.model_dump_json()]
    await dana.open_rules()
    for preset in complete:
        await dana.act("ownership_add")
        await dana.act("ownership_start", preset.name)
        assert (await dana.submit()).ok
    saved = {rule.name: rule for rule in (await dana.rule_book()).shown.rules}
    assert saved == {rule.name: rule for rule in complete}


async def test_a_play_asks_for_what_differs_from_team_to_team(acme: SalesforceWorld, dana: AdminSession) -> None:
    """It is chosen by its sentence. Nothing that was left to fill in is saved."""
    await connect_org(acme)
    sdrs = acme.slack.add_usergroup(acme.team, "sdrs", [acme.noor.id])
    await dana.open_rules()
    offered = await dana.act("ownership_add")
    assert "where the account's Billing Country is “…”, notify everyone in a user group that you choose" in offered
    await dana.act("ownership_start", "A territory by country")
    country = dana.value_of_row("when-1")
    assert (await dana.submit()).errors == {country: "Please complete this required field."}
    assert (await dana.submit(**{country: "Germany, Austria"})).errors == {"more-0-a_group": "Choose a user group."}
    assert (await dana.submit(**{"more-0-a_group": sdrs.id})).ok
    saved = await only_rule(dana)
    assert saved.when.fields == (FieldTest(field="Account.BillingCountry", values=("Germany", "Austria")),)
    assert saved.tell == (UserGroup(group=sdrs.id), Owner(of="account"))


async def test_all_presets_are_added_at_once(acme: SalesforceWorld, dana: AdminSession) -> None:
    """They keep their order, and use the fields that this org has."""
    assert "Saved as a draft" in await begin(dana, "all")
    assert (await dana.rule_book()).shown.rules == presets(None, None)
    await dana.close()
    await dana.act("ownership_discard")
    await connect_org(acme)
    await begin(dana, "all")
    assert (await dana.rule_book()).shown.rules == presets()


async def test_every_condition_is_saved(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Each is a row of a field, an operator and a value. Several words are separated by commas; one with a comma is
    quoted. What is entered is read as a sentence at once."""
    await begin(dana)
    for field, value in (
        ("side", "past"),
        ("change_type", ["departure", "new_company"]),
        ("signal", ["custom"]),
        ("segment", ["customer", "open_opportunity"]),
        ("contact_has_open_opportunity", "false"),
        ("relationship", "Champion, User"),
        ("persona", "Economic buyer"),
        ("title", '"VP, Sales", Chief'),
        ("min_score", "7.5"),
        ("Account.Industry", "Software"),
        ("Account.Region__c", "EMEA, APAC"),
    ):
        await dana.add_condition(field, value)
    await dana.add_condition("title", "Assistant", "title_lacks")
    await dana.add_condition("Contact.Title", "Ops, Rev", "contains")
    assert "When a champion or user (economic buyer) whose title contains “VP, Sales” or “Chief”" in dana.dialog_text()
    assert (await dana.submit(name="VPs")).ok
    when = (await only_rule(dana)).when
    assert when == Conditions(
        side="past",
        change_type=(ChangeType.DEPARTURE, ChangeType.NEW_COMPANY),
        signal=(Signal.CUSTOM,),
        segment=("customer", "open_opportunity"),
        contact_has_open_opportunity=False,
        relationship=("Champion", "User"),
        persona=("Economic buyer",),
        title_contains=("VP, Sales", "Chief"),
        title_lacks=("Assistant",),
        min_score=7.5,
        fields=(
            FieldTest(field="Account.Industry", values=("Software",)),
            FieldTest(field="Account.Region__c", values=("EMEA", "APAC")),
            FieldTest(field="Contact.Title", test="contains", values=("Ops", "Rev")),
        ),
    )
    await dana.choose_in_rule_menu("edit", 0)
    assert (await dana.submit()).ok
    assert "There were no changes" in dana.dialog_text()


async def test_a_condition_fits_the_type_of_its_field(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A picklist offers its values, a checkbox yes and no. Another field is found by its label."""
    acme.org.org.add_field("Account", Field("Tier__c", "picklist", values=("Gold", "Silver"), label="Tier"))
    acme.org.org.add_field("Account", Field("Vip__c", "boolean", label="Key Account"))
    acme.org.org.add_field("Account", Field("ARR__c", "currency", label="ARR"))
    await acme.connect()
    await begin(dana)
    tier = await dana.add_condition("Account.Tier__c", ["Gold"])
    assert dana.options(tier) == {"Gold": "Gold", "Silver": "Silver"}
    vip = await dana.add_condition("key account", "true")
    assert dana.options(vip) == {"Yes": "true", "No": "false"}
    await dana.add_condition("Account.Tier__c", "lver", "contains")
    arr = await dana.add_condition("Account.ARR__c", "50000")
    assert "Account: ARR is at least" in dana.dialog_text()
    assert (
        next(block for block in dana.dialog_definition()["blocks"] if block.get("block_id") == arr)["element"]["type"]
        == "number_input"
    )
    assert (await dana.submit(name="Key")).ok
    assert (await only_rule(dana)).when.fields == (
        FieldTest(field="Account.Tier__c", values=("Gold",)),
        FieldTest(field="Account.Vip__c", test="equals", values=("true",)),
        FieldTest(field="Account.Tier__c", test="contains", values=("lver",)),
        FieldTest(field="Account.ARR__c", test="at_least", values=("50000",)),
    )


async def test_a_number_is_compared_only_with_numbers(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Words would never match it."""
    await acme.connect()
    await begin(dana)
    employees = await dana.add_condition("Account.NumberOfEmployees", "many, 500", "in")
    refused = await dana.submit(name="Large")
    assert refused.errors == {employees: "Account.NumberOfEmployees is a number, and “many” is not one."}
    assert (await dana.submit(**{employees: "500, 1000"})).ok
    (test,) = (await only_rule(dana)).when.fields or ()
    assert test.values == ("500", "1000")


async def test_an_operator_is_proposed_once_the_type_of_the_field_is_known(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """Without an answer of Salesforce, the person chooses it."""
    await begin(dana)
    await dana.act("ownership_condition_field", "other", "when-0")
    await dana.act("ownership_condition_value", "Account.NumberOfEmployees", "value-0-name-other")
    refused = await dana.submit(name="Large")
    assert refused.errors == {"name": "Choose an operator for Account.NumberOfEmployees."}
    await acme.connect()
    assert (await dana.submit()).ok
    assert "is at least" in dana.dialog_text()
    assert (await dana.submit(**{dana.value_of_row("when-0"): "500"})).ok
    assert (await only_rule(dana)).when.fields == (
        FieldTest(field="Account.NumberOfEmployees", test="at_least", values=("500",)),
    )


async def test_fields_that_are_seldom_used_are_found_by_label(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The menu has room for sixty fields."""
    await acme.connect()
    await begin(dana)
    assert "Account.BillingCity" in dana.dialog_text()
    assert "Latitude" not in dana.dialog_text()
    await dana.add_condition("billing latitude", "50")
    assert (await dana.submit(name="North")).ok
    (test,) = (await only_rule(dana)).when.fields or ()
    assert test.field == "Account.BillingLatitude"


async def test_a_condition_is_removed_and_the_others_stay(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A row keeps what was entered in it, and a new row starts empty."""
    await begin(dana)
    await dana.add_condition("relationship", "Champion")
    await dana.add_condition("persona", "Buyer")
    await dana.act("ownership_condition_remove", "0")
    await dana.add_condition("title", "VP")
    await dana.act("ownership_condition_remove", "2")
    await dana.act("ownership_add_condition")
    await dana.act("ownership_condition_field", "title", "when-3")
    assert (await dana.submit()).errors == {"value-3-words-title": "Please complete this required field."}
    assert (await dana.submit(**{"value-3-words-title": "Chief"})).ok
    assert (await only_rule(dana)).when == Conditions(persona=("Buyer",), title_contains=("Chief",))


async def test_two_conditions_on_one_field_are_refused(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Both would have to hold, but a rule has one list of values for it."""
    await begin(dana)
    await dana.add_condition("relationship", "Champion")
    second = await dana.add_condition("relationship", "User")
    refused = await dana.submit()
    assert refused.errors == {second: "Another condition is already on this field. Enter all values there."}


async def test_who_is_informed_is_chosen_in_the_dialog(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Owners, user groups, and the channel that a field of the account names."""
    await connect_org(acme)
    acme.org.org.add_field("Account", Field("Slack_Channel__c", "string", label="Slack Channel"))
    sdrs = acme.slack.add_usergroup(acme.team, "sdrs", [acme.noor.id])
    await begin(dana)
    for number, label in enumerate(("The account's CSM", "A user group …", "A channel in a field of the account …")):
        await dana.act("ownership_add_informed")
        await dana.act("ownership_slot", dana.options(f"also-{number}")[label], f"also-{number}")
    assert not any("queue" in label or "pool" in label for label in dana.options("also-0"))
    issues = (await dana.submit()).errors
    assert issues == {
        "also_more-1-a_group": "Choose a user group.",
        "also_more-2-a_channel_field": "Enter a field of the account, such as Account.Slack_Channel__c.",
    }
    more = {"also_more-1-a_group": sdrs.id, "also_more-2-a_channel_field": "slack channel"}
    assert (await dana.submit(name="FYI", **more)).ok
    assert (await only_rule(dana)).also_notify == (
        UserField(field="Account.CSM__c"),
        UserGroup(group=sdrs.id),
        ChannelField(field="Account.Slack_Channel__c"),
    )
    assert "and inform the account's CSM, everyone in" in dana.dialog_text()


async def test_a_rule_keeps_who_is_informed_when_it_is_edited(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Also those who do not fit into the dialog."""
    users = [{"source": "user", "user": f"{number}@acme.example"} for number in range(7)]
    await publish(acme, rule("FYI", also_notify=users))
    before = await only_rule(dana)
    await dana.open_rules()
    assert "Not shown here, so unchanged" in await dana.choose_in_rule_menu("edit", 0)
    await dana.add_condition("min_score", "5")
    assert (await dana.submit()).ok
    assert await only_rule(dana) == before.model_copy(update={"when": Conditions(min_score=5)})


async def test_owner_sources_come_from_the_orgs_schema(acme: SalesforceWorld, dana: AdminSession) -> None:
    """They include its user lookups and team roles, and the pools and mappings of the rules."""
    await connect_org(acme)
    replacements = {"ann@acme.example": "bob@acme.example"}
    await publish(acme, pools={"SDRs": {"members": [{"user": acme.noor.id}]}}, mappings={"AE to SDR": replacements})
    await begin(dana)
    offered = dana.options("slot-0")
    assert {"The account's SDR", "The account's CSM", "The next member of the pool SDRs"} <= set(offered)
    assert "The Customer Success Manager on the account team" in offered
    assert "The recipient in AE to SDR for the account owner" in offered
    assert not any("Industry" in label for label in offered)

    for number, label in enumerate(
        [
            "The account's SDR",
            "The Customer Success Manager on the account team",
            "The next member of the pool SDRs",
            "The recipient in AE to SDR for the account owner",
            "That person's manager",
        ]
    ):
        await dana.choose_slot(number, label)
    assert (await dana.submit(name="Long")).ok
    assert (await only_rule(dana)).tell == (
        UserField(field="Account.SDR__c"),
        TeamRole(of="account", role="Customer Success Manager"),
        Pool(pool="SDRs"),
        Mapped(table="AE to SDR", of=Owner(of="account")),
        Manager(),
    )


async def test_fields_are_named_by_their_labels(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Fields with the same label are named by their API names. Lookups are named as on Salesforce's pages."""
    for name, label in (("CSO__c", "Success Owner"), ("Rep1__c", "Rep"), ("Rep2__c", "Rep")):
        acme.org.org.add_field("Account", Field(name, "reference", ("User",), f"{name[:-1]}r", label=label))
    await acme.connect()
    await begin(dana)
    labels = {"Success Owner", "Rep1", "Rep2", "Created By"}
    assert {f"The account's {label}" for label in labels} <= set(dana.options("slot-0"))
    await dana.choose_slot(0, "Another field …")
    issues = (await dana.submit(**{"more-0-a_field": "rep"})).errors
    assert "Similar fields: Account.Rep1__c (Rep), Account.Rep2__c (Rep)." in issues["more-0-a_field"]
    assert (await dana.submit(name="Mine", **{"more-0-a_field": "success owner"})).ok
    assert (await only_rule(dana)).tell[0] == UserField(field="Account.CSO__c")
    assert "notify the account's Success Owner" in dana.dialog_text()


async def test_some_sources_need_another_field(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Values that were entered before stay."""
    await connect_org(acme)
    wins = acme.slack.add_channel(acme.team, "wins")
    sdrs = acme.slack.add_usergroup(acme.team, "sdrs", [acme.noor.id])
    await begin(dana)
    acme.slack.modal(acme.dana.id).input_states["name", "name"] = {"type": "plain_text_input", "value": "Mixed"}
    await dana.choose_slot(0, "A person in Slack …")
    await dana.choose_slot(1, "A user group …")
    await dana.choose_slot(2, "A channel …")
    await dana.choose_slot(3, "Another field …")
    assert dana.options("more-1-a_group") == {"@sdrs": sdrs.id}
    issues = (await dana.submit()).errors
    assert issues.keys() == {"more-0-a_person", "more-1-a_group", "more-2-a_channel", "more-3-a_field"}
    more = {"more-0-a_person": acme.noor.id, "more-1-a_group": sdrs.id, "more-2-a_channel": wins.id}
    sdrs.disabled = True
    issues = (await dana.submit(**more, **{"more-3-a_field": "csm"})).errors
    assert issues.keys() == {"more-1-a_group", "more-3-a_field"}
    assert issues["more-1-a_group"] == "This user group is not in Slack."
    assert "Similar fields: Account.CSM__c (" in issues["more-3-a_field"]
    sdrs.disabled = False
    assert (await dana.submit(**{"more-3-a_field": "Account.CSM__c"})).ok
    saved = await only_rule(dana)
    assert (saved.name, saved.tell) == (
        "Mixed",
        (
            NamedUser(user=acme.noor.id),
            UserGroup(group=sdrs.id),
            NamedChannel(channel=wins.id),
            UserField(field="Account.CSM__c"),
        ),
    )
    await dana.choose_in_rule_menu("edit", 0)
    await dana.choose_slot(1, "The account owner")
    assert "more-1-a_group" not in dana.dialog_text()


async def test_a_user_group_needs_an_optional_permission(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Without it, saving the rule is refused with a text that says what to do."""
    for token in acme.slack.world.tokens.values():
        token.scopes.discard("usergroups:read")
    await acme.app.database.run(
        lambda connection: connection.execute(update(workspaces).values(scopes="chat:write,users:read"))
    )
    sdrs = acme.slack.add_usergroup(acme.team, "sdrs", [acme.noor.id])
    await begin(dana)
    await dana.choose_slot(0, "A user group …")
    assert "The id, such as S0123456789" in dana.dialog_text()
    issues = (await dana.submit(**{"more-0-a_group": sdrs.id})).errors
    assert "without the optional permission usergroups:read (install the app again" in issues["more-0-a_group"]


async def test_delivery_and_fallback_are_saved(acme: SalesforceWorld, dana: AdminSession) -> None:
    """A rule can notify the DRI and a channel, with a fallback person."""
    wins = acme.slack.add_channel(acme.team, "wins")
    await begin(dana)
    assert (await dana.submit(name="Both", to="dri_and_channel", channel=wins.id, fallback_user=acme.noor.id)).ok
    saved = await only_rule(dana)
    assert saved.deliver == Deliver(to="dri_and_channel", channel=wins.id)
    assert saved.fallback == NamedUser(user=acme.noor.id)


async def test_a_channel_that_cannot_be_posted_to_is_refused(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The error says what to do."""
    old = acme.slack.add_channel(acme.team, "old", is_archived=True)
    deals = acme.slack.add_channel(acme.team, "deals", is_private=True, members=[acme.dana.id])
    await begin(dana)
    await dana.choose_slot(0, "A channel …")
    more = {"more-0-a_channel": old.id}
    done = await dana.submit(to="dri_and_channel", channel=deals.id, fallback_channel=old.id, **more)
    archived = "#old is archived. Unarchive it, or choose another channel."
    assert done.errors["more-0-a_channel"] == archived
    assert done.errors["fallback_channel"] == archived
    assert "type `/invite` the app in it" in done.errors["channel"]


async def test_the_form_opens_for_an_admin_who_cannot_see_the_rules_channel(
    acme: SalesforceWorld, dana: AdminSession, lee: AdminSession
) -> None:
    """Slack refuses a form that preselects a channel its viewer cannot see. The channel is mentioned instead."""
    board = acme.slack.add_channel(acme.team, "board", is_private=True, is_member=True, members=[acme.dana.id])
    await publish(acme, rule("Board", deliver={"to": "channel", "channel": board.id}))

    forms = []
    for desk in (dana, lee):
        await desk.open_rules()
        await desk.choose_in_rule_menu("edit", 0)
        forms.append(str(acme.slack.modal(desk.user.id).definition["blocks"]))

    assert f"'initial_conversation': '{board.id}'" in forms[0]
    assert "initial_conversation" not in forms[1]
    assert f"Was set to <#{board.id}>" in forms[1]


async def test_a_shared_channel_is_saved_with_a_warning(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The admin reads that another company can read it."""
    partners = acme.slack.add_channel(acme.team, "partners", is_ext_shared=True)
    await begin(dana)

    assert (await dana.submit(name="Partners", to="dri_and_channel", channel=partners.id)).ok

    assert (await only_rule(dana)).deliver.channel == partners.id
    assert "#partners is shared with another company" in str(acme.slack.modal(acme.dana.id).definition)


async def test_all_errors_are_shown_at_their_fields(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Nothing is saved."""
    await connect_org(acme)
    wins = acme.slack.add_channel(acme.team, "wins")
    await begin(dana)
    await dana.act("ownership_condition_field", "other", "when-0")
    name = "value-0-name-other"
    done = await dana.submit(
        name="Wrong",
        place="0",
        to="channel",
        fallback_user=acme.noor.id,
        fallback_channel=wins.id,
        **{name: "Account.Nope__c"},
    )
    assert done.errors == {
        name: "There is no such field. Enter its label, or a name such as Account.Region__c.",
        "place": "Enter a number from 1.",
        "channel": "Needs a channel.",
        "fallback_channel": "Choose a person or a channel, not both.",
    }
    await dana.act("ownership_condition_remove", "0")
    done = await dana.submit(place="1", to="dri", fallback_channel=None, slot__0="nobody", slot__1=None)
    assert done.errors == {"slot-0": "Needs someone to notify."}
    assert (await dana.rule_book()).draft is None


async def test_a_new_rule_comes_before_rules_that_match_everything(acme: SalesforceWorld, dana: AdminSession) -> None:
    """After them it would be unreachable."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("Rest"), rule("Off", enabled=False))
    await begin(dana)
    await dana.add_condition("min_score", "5")
    await dana.submit(name="New")
    assert await dana.rule_names() == ["A", "New", "Rest", "Off"]


async def test_a_rule_is_moved_to_its_position(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The position is the number in the list."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B", when={"min_score": 8}), rule("C"))
    await begin(dana)
    await dana.submit(name="New", place="2")
    assert await dana.rule_names() == ["A", "New", "B", "C"]
    await dana.choose_in_rule_menu("edit", 1)
    await dana.submit(place="9")
    assert await dana.rule_names() == ["A", "B", "C", "New"]


async def test_values_that_the_form_cannot_show_stay_unchanged(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Rules from JSON can have values that the form has no fields for."""
    words = [f"{number} {'x' * 190}" for number in range(20)]
    whole = rule("Whole", enabled=False, when={"title_contains": words})
    whole["fallback"] = {"source": "user", "user": "vp@acme.example"}
    whole["tell"] = [
        {"source": "user", "user": "ann@acme.example"},
        {"source": "team", "of": "opportunity", "role": "“" * 80, "which": "last_won", "side": "past"},
        {"source": "manager", "of": {"source": "owner", "of": "account", "side": "past"}},
    ]
    await publish(acme, whole)
    before = await only_rule(dana)
    await dana.open_rules()
    assert "so unchanged: 1 condition, the fallback person" in await dana.choose_in_rule_menu("edit", 0)
    await dana.add_condition("min_score", "5")
    assert (await dana.submit()).ok
    after = await only_rule(dana)
    assert after == before.model_copy(update={"when": before.when.model_copy(update={"min_score": 5.0})})


async def test_changes_by_others_are_not_overwritten(
    acme: SalesforceWorld, dana: AdminSession, lee: AdminSession
) -> None:
    """Changes to other rules do not matter; a change to this rule is an error."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    await dana.choose_in_rule_menu("edit", 1)
    await lee.open_rules()
    await lee.choose_in_rule_menu("edit", 0)
    assert (await lee.submit(name="A2")).ok
    assert (await dana.submit(name="B2")).ok
    assert await dana.rule_names() == ["A2", "B2"]

    await dana.choose_in_rule_menu("edit", 0)
    await lee.open_rules()
    await lee.choose_in_rule_menu("edit", 0)
    assert (await lee.submit(name="Lee's")).ok
    done = await dana.submit(name="Dana's")
    assert done.errors == {"name": RULE_CHANGED_BY_OTHERS}
    assert await dana.rule_names() == ["Lee's", "B2"]


async def test_a_rule_that_was_moved_is_not_opened(
    acme: SalesforceWorld, dana: AdminSession, lee: AdminSession
) -> None:
    """The list is updated instead."""
    await publish(acme, rule("A", when={"min_score": 9}), rule("B"))
    await dana.open_rules()
    await lee.open_rules()
    await lee.choose_in_rule_menu("up", 1)
    assert "changed the rules in the meantime" in await dana.choose_in_rule_menu("edit", 0)
    await dana.close()
    assert dana.dialog_text().index("1. B") < dana.dialog_text().index("2. A")


async def test_a_former_admin_cannot_save(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Permissions are checked when a dialog is submitted."""
    await begin(dana)
    acme.dana.is_admin = False
    await dana.submit(name="Mine")
    assert "Only workspace admins and owners" in dana.dialog_text()
    assert (await dana.rule_book()).draft is None


async def test_a_field_that_was_not_shown_in_time_is_shown_after_submitting(
    acme: SalesforceWorld, dana: AdminSession
) -> None:
    """On a slow connection, the field that a source needs can be late."""
    await begin(dana)
    assert (await dana.submit(name="Person", slot__0="a_person")).ok
    assert "more-0-a_person" in dana.dialog_text()
    assert (await dana.submit(**{"more-0-a_person": acme.noor.id})).ok
    assert (await only_rule(dana)).tell[0] == NamedUser(user=acme.noor.id)


async def test_the_number_of_rules_is_limited(acme: SalesforceWorld, dana: AdminSession) -> None:
    """The limit is 499."""
    await publish(acme, *(rule(f"Rule {number}", when={"min_score": 1000 - number}) for number in range(499)))
    await begin(dana)
    done = await dana.submit(name="One more")
    assert done.errors == {"name": "There can be at most 499 rules. Delete one first."}


@pytest.mark.parametrize("patience", [SHORT])
async def test_a_slow_submission_is_answered_in_time(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Slack gives three seconds: the dialog first says that it takes a moment, and then that it is done."""
    await begin(dana)
    acme.slack.faults.add("users.info", delay=SLOW_SECONDS)

    done = await dana.submit(name="Mine", place="1")

    assert done.reply is not None
    assert done.reply.json["response_action"] == "update"
    assert "Done." in dana.dialog_text()
    await dana.close()
    assert "*1. Mine*" in dana.dialog_text()
    assert await dana.rule_names() == ["Mine"]


@pytest.mark.parametrize("patience", [SHORT])
async def test_late_errors_are_shown_above_the_entered_values(acme: SalesforceWorld, dana: AdminSession) -> None:
    """Nobody has to enter a rule twice because Slack was slow."""
    await begin(dana)
    await dana.add_condition("side", "past")
    await dana.add_condition("min_score", "7.5")
    acme.slack.faults.add("users.info", delay=SLOW_SECONDS)

    await dana.submit(name="Mine", place="0")

    assert "Enter a number from 1." in dana.dialog_text()
    assert (await dana.submit(place="1")).ok
    saved = await only_rule(dana)
    assert (saved.name, saved.when.side, saved.when.min_score) == ("Mine", "past", 7.5)
